//! Reports of runs on disk: of one, and of several side by side.

use crate::error::{Error, Result};
use report::Run;
use report::document::Document;
use report::output::Format;
use report::text::Lang;
use std::path::{Path, PathBuf};

/// Writes the report of a run folder in each of `formats`, leaving out the sections named in `without`; the
/// paths of its files.
///
/// # Errors
/// If the folder is incomplete or the disk refuses.
pub fn write(folder: &Path, language: Lang, formats: &[Format], without: &[String], out: &Path) -> Result<Vec<PathBuf>> {
    save(&report::content::run(&Run::open(folder)?, language).without(without), formats, out)
}

/// Writes a document in each of `formats`; the paths of its files.
///
/// # Errors
/// If the disk refuses.
pub fn save(document: &Document, formats: &[Format], out: &Path) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(out).map_err(|e| Error::io(out, e))?;
    Ok(report::output::write(document, formats, out)?)
}

/// Sets runs side by side; the others are held against the first.
///
/// # Errors
/// If a folder is incomplete.
pub fn compare(folders: &[PathBuf], language: Lang) -> Result<Document> {
    let runs = folders.iter().map(|f| Run::open(f)).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(report::compare::runs(&runs, language))
}
