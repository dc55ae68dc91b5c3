//! Results that a person can hand over: figures and documents made from a run folder.
//!
//! [`record`] reads the folder, [`figure`] draws (plotters, SVG), [`html`] writes the one-file
//! report, [`text`] has its words in English and Italian. Nothing here trains, and nothing is stated that was not measured.

pub mod figure;
pub mod html;
pub mod record;
pub mod text;

pub use record::{Error, Run};
