//! Results that a person can hand over: figures and documents made from a run folder.
//!
//! [`record`] reads the folder. [`content`] tells what it holds as a [`document`], in the words of [`text`],
//! with figures drawn by [`figure`]; [`compare`] does so with several, [`study`] with all the
//! runs of one question. Four rooms write the document: [`html`], [`markdown`], [`pdf`] and
//! [`tables`] (CSV and JSON); [`output`] puts the files into a folder. [`archive`] packs a run into one file. Nothing here trains, and nothing is
//! stated that was not measured.

pub mod archive;
pub mod compare;
pub mod content;
pub mod document;
pub mod figure;
mod font;
pub mod html;
pub mod markdown;
pub mod output;
pub mod pdf;
pub mod record;
pub mod study;
pub mod tables;
pub mod text;

pub use record::{Error, Run};
