//! Figures and reports from values to files, in one test program so that it links once.

mod archive;
mod common;
mod compared;
mod figures;
mod formats;
mod golden;
mod made;
mod page;
mod paper;
mod studies;
mod tasks;
