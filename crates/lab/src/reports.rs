//! What leaves a run folder and comes back: reports of one run or of several, and runs packed into one file.

use crate::edit::{self, Editor};
use crate::error::{Error, Result};
use crate::home::Home;
use crate::library::{Library, RunRow};
use crate::watch::{Watch, ask, watched};
use crate::{look, models, task};
use data::set::Source;
use report::Run;
use report::archive::{self, Entry};
use report::document::Document;
use report::output::Format;
use report::record;
use report::study::Outcome;
use report::text::Lang;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Writes the report of a run folder, or of the folder of a study, in each of `formats`, leaving out the sections named in
/// `without`; the paths of its files. `watch` is told how many of them are there.
///
/// # Errors
/// If the folder is incomplete, the disk refuses, or it was ended.
pub fn write(folder: &Path, language: Lang, formats: &[Format], without: &[String], out: &Path, watch: Watch<'_>) -> Result<Vec<PathBuf>> {
    let whole = match Outcome::read(folder)? {
        Some(outcome) => report::study::report(&outcome, language),
        None => {
            // what is counted are files
            let run = Run::open_with(folder, &mut |_, _| watch(0, None))?;
            report::content::run_with(&run, language, &mut |_, _| ask(watch))?
        }
    };
    save(&whole.without(without), formats, out, watch)
}

/// As [`write()`], into a new folder that appears whole or not at all.
///
/// # Errors
/// As [`write()`], or if the folder exists.
pub fn write_new(folder: &Path, language: Lang, formats: &[Format], without: &[String], out: &Path, watch: Watch<'_>) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    watched(watch, |watch| {
        models::new_folder(out, |unfinished| {
            let files = write(folder, language, formats, without, unfinished, watch)?;
            written = files.iter().map(|file| out.join(file.strip_prefix(unfinished).unwrap_or(file))).collect();
            Ok(())
        })
    })?;
    Ok(written)
}

/// Where the report of each run goes: into its own folder; into `out`, where that is named; of several runs into a folder of
/// `out` each, called as the run's, with a number where two are called the same, so that none is written over another.
pub fn places(runs: &[PathBuf], out: Option<&Path>) -> Vec<PathBuf> {
    let Some(out) = out else { return runs.to_vec() };
    if runs.len() == 1 {
        return vec![out.into()];
    }
    let mut taken = BTreeSet::new();
    let place = |run: &PathBuf| {
        // `.` has no name, the folder that it means has one
        let whole = std::path::absolute(run).unwrap_or_else(|_| run.clone());
        let name = whole.file_name().unwrap_or(OsStr::new("run")).to_string_lossy().into_owned();
        let (mut called, mut number) = (name.clone(), 1);
        // some systems take `A` and `a` for one
        while !taken.insert(called.to_lowercase()) {
            number += 1;
            called = format!("{name}-{number}");
        }
        out.join(called)
    };
    runs.iter().map(place).collect()
}

/// Writes a document in each of `formats`; the paths of its files. `watch` is told how many of them are there.
///
/// # Errors
/// If the disk refuses, or it was ended.
pub fn save(document: &Document, formats: &[Format], out: &Path, watch: Watch<'_>) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(out).map_err(|e| Error::io(out, e))?;
    Ok(report::output::write(document, formats, out, watch)?)
}

/// Sets runs side by side; the others are held against the first.
///
/// # Errors
/// If a folder is incomplete.
pub fn compare(folders: &[PathBuf], language: Lang) -> Result<Document> {
    let runs = folders.iter().map(|f| Run::open(f)).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(report::compare::runs(&runs, language))
}

/// Packs a run folder into one file, with the data that it was trained on unless `without_data`. `watch` is told of the bytes
/// that were read: each is read twice.
///
/// # Errors
/// If the folder is incomplete, the file exists, the disk refuses, or it was ended.
pub fn pack(folder: &Path, file: &Path, without_data: bool, watch: Watch<'_>) -> Result<Vec<Entry>> {
    watched(watch, |watch| Ok(archive::export(folder, file, without_data, watch)?))
}

/// Unpacks a run into a folder that does not exist yet, and takes it into the library; changes that were made to its data
/// before the run are kept there as well, so that it can be repeated. `watch` is told of the bytes that were written.
///
/// # Errors
/// If the file is damaged or no run, the disk refuses, or it was ended; nothing is left behind then.
pub fn unpack(home: &Home, file: &Path, folder: &Path, watch: Watch<'_>) -> Result<()> {
    let library = Library::open(home)?;
    let path = std::path::absolute(folder).map_err(|e| Error::io(folder, e))?;
    let run = watched(watch, |watch| {
        archive::import(file, &path, watch)?;
        // what follows is counted otherwise
        let taken = taken_in(home, &path, &mut |_, _| watch(0, None));
        taken.inspect_err(|_| {
            // the first error is the one to report
            let _ = std::fs::remove_dir_all(&path);
        })
    })?;
    library.put_run(&RunRow {
        path,
        task: run.run.task,
        method: run.run.method,
        status: run.result.status,
        accuracy: run.result.metrics.map(|m| m.main()),
        started: run.run.started,
    })
}

/// A run that was unpacked, with the changes that came with it made to the data that came with it, unless the library has some for
/// this data already.
fn taken_in(home: &Home, folder: &Path, watch: Watch<'_>) -> Result<Run> {
    let run = Run::open_with(folder, watch)?;
    let Some(file) = task::file_of(&run.run, &run.path, record::CHANGED).filter(|file| run.with_data && file.starts_with(&run.path)) else { return Ok(run) };
    let changes = edit::parse(&std::fs::read_to_string(&file).map_err(|e| Error::io(&file, e))?)?;
    // rows that could not be read were passed over in the run, too, or it would not have begun
    let source = Source { folder: Some(run.path.join(record::DATA)), skip_bad_rows: true, ..Source::default() };
    let set = look::open_with(&run.run.task, &source, &mut |_, done, of| watch(done, Some(of)))?;
    let mut editor = Editor::of(Library::open(home)?, set)?;
    if editor.changes().next().is_none() {
        editor.adopt(changes, watch)?;
    }
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_report_is_written_over_another() {
        let runs = ["a/run", "b/run", "b/RUN", "c/run-2", "c/other/"].map(PathBuf::from);
        let out = Some(Path::new("out"));
        let told: Vec<String> = places(&runs, out).iter().map(|place| place.to_string_lossy().replace('\\', "/")).collect();
        assert_eq!(told, ["out/run", "out/run-2", "out/RUN-3", "out/run-2-2", "out/other"]);
        assert_eq!(places(&runs, None), runs);
        assert_eq!(places(&runs[..1], out), [PathBuf::from("out")]);
        // the folder that one stands in
        assert_ne!(places(&[PathBuf::from("."), PathBuf::from("a")], out)[0], Path::new("out"));
    }
}
