//! The application without a face: the library of models and runs, and the work itself.
//!
//! The command line and the window call the same functions: [`run::train`], [`run::Opened::score`],
//! [`run::Opened::predict`], [`models`]. Long work runs as a [`job::Job`] that sends events and can be
//! stopped. Nothing here knows about terminals or windows.

pub mod answer;
pub mod ask;
pub mod background;
pub mod bench;
pub mod calibrate;
pub mod child;
mod command;
pub mod compare;
pub mod desk;
pub mod devices;
pub mod edit;
pub mod elsewhere;
pub mod error;
pub mod export;
pub mod forecast;
mod haystack;
pub mod home;
mod index;
pub mod job;
pub mod library;
pub mod look;
pub mod models;
pub mod recipe;
pub mod remote;
pub mod reports;
pub mod resume;
pub mod run;
pub mod search;
pub mod sheet;
pub mod study;
pub mod sweep;
pub mod task;
mod untuned;
pub mod vectors;
pub mod view;
pub mod watch;

pub use error::{Error, Result};
pub use home::Home;

// what callers need of the rooms below, so that they depend on this room alone
pub use data::read::{Columns, ENDINGS};
pub use data::{Kind, batch, check, describe, divide, map, microscope, set, write};
pub use gemma::device;
pub use report;
pub use tasks;
pub use train::Event;

/// Version of Lapidary, for records.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
