//! Data sets: read, checked, encoded and batched.
//!
//! [`read`] turns a file into records and records into examples; [`set`] opens a folder with its
//! card; [`check`] finds what would spoil a run before it starts; [`encode`] turns prompts into
//! tokens with targets; [`batch`] groups them. An example never changes once read, and every message
//! names file and row. Nothing here touches tensors.

pub mod batch;
pub mod check;
pub mod encode;
pub mod error;
pub mod example;
pub mod kind;
pub mod part;
pub mod read;
pub mod set;

pub use batch::Batch;
pub use encode::Encoded;
pub use error::{Error, Result};
pub use example::{Example, Origin, Span, Target};
pub use kind::Kind;
pub use set::DataSet;
