//! Data sets: read, checked, encoded and batched.
//!
//! [`read`] turns a file into records and records into examples; [`set`] opens a folder with its
//! card; [`check`] finds what would spoil a run before it starts, with [`near`] for texts that are
//! nearly the same and [`database`] for queries, under [`guard`]; [`encode`] turns prompts into tokens with targets;
//! [`batch`] groups them; [`describe`] says what a set is made of, and [`microscope`] what the model
//! reads of one example; [`watch`] ends what takes long. An example never changes once read, and every message names file and row.
//! Nothing here touches tensors.

pub mod batch;
pub mod check;
pub mod database;
pub mod describe;
pub mod divide;
pub mod encode;
pub mod error;
pub mod example;
pub mod guard;
pub mod kind;
pub mod map;
pub mod microscope;
pub mod near;
pub mod part;
pub mod read;
pub mod set;
pub mod watch;
pub mod write;

pub use batch::Batch;
pub use encode::Encoded;
pub use error::{Error, Result};
pub use example::{Example, Origin, Span, Target};
pub use kind::Kind;
pub use set::DataSet;
