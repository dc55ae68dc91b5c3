//! Training: the loop, the optimiser, the learning-rate schedule, and what is told while it runs.
//!
//! [`trainer::train`] takes a frozen model, what is to be trained ([`Tuned`]: adapters and, for
//! classification, a head) and encoded examples. It knows no task by name: validating, saving and
//! showing are the caller's, through [`Observer`]. One step is: forward, loss at the targets only,
//! backward through the adapters, global-norm clipping, AdamW.

pub mod event;
pub mod memory;
pub mod optimizer;
pub mod schedule;
pub mod step;
pub mod trainer;

pub use event::Event;
pub use optimizer::{AdamW, AdamWConfig};
pub use schedule::Schedule;
pub use step::{Objective, Tuned};
pub use trainer::{Observer, Outcome, Settings, Validation, train};
