//! Training: the loop, the optimiser, the learning-rate schedule, and what is told while it runs.
//!
//! [`trainer::Plan`] takes a model, encoded examples and settings, and trains on from a [`state::State`]: adapters or all
//! weights of the blocks (and, for classification, the head) with their moments and counters. It
//! knows no task by name: validating, saving and showing are the caller's, through [`Observer`]. One step
//! is: forward, loss at the targets only, backward to what is trained, global-norm clipping, AdamW. The
//! [`health`] guard looks at every step, and [`diagnosis`] says what its findings mean; [`failure`] tells what became of a device that failed; [`checkpoint`] keeps what a run needs to go on after a crash. [`parity`] runs
//! the same step on a device and on the CPU, before the device is believed.

pub mod checkpoint;
pub mod diagnosis;
pub mod energy;
pub mod event;
pub mod failure;
#[cfg(any(target_os = "linux", test))]
mod groups;
pub mod health;
pub mod memory;
pub mod optimizer;
pub mod parity;
pub mod schedule;
pub mod state;
pub mod step;
pub mod trainer;

pub use event::{Event, Sample};
pub use optimizer::{AdamW, AdamWConfig};
pub use schedule::Schedule;
pub use state::{Progress, Snapshot, State};
pub use step::{Objective, Tuned};
pub use trainer::{Command, Observer, Outcome, Plan, Settings, Validation};
