//! Figures and reports from values to files, in one test program so that it links once.

mod common;
mod figures;
mod page;
