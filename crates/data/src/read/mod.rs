//! Files into records, records into examples.
//!
//! [`text`] turns bytes into UTF-8; a file per format ([`jsonl`], [`json`], [`delimited`], [`conll`],
//! [`labelled`], [`parquet`]) makes records of it, a row at a time and in bounded memory; [`roles`] finds which field
//! is the text and which the answer, by name in English or Italian or as mapped by the user; [`value`]
//! reads the forms in which people write an answer. A record that is wrong is an error of its own, so
//! that the caller may pass over it.

mod conll;
mod delimited;
mod json;
mod jsonl;
mod labelled;
mod lists;
mod parquet;
mod roles;
mod shards;
mod sniff;
mod text;
mod unique;
pub(crate) mod value;

pub use roles::{Columns, Role};
use say::say;
pub use shards::{part, shards};

use crate::error::{Error, Result};
use crate::example::Example;
use crate::kind::Kind;
use crate::part::Split;
use roles::Binding;
use serde_json::Value;
use std::borrow::Cow;
use std::cell::Cell;
use std::fs::File;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use text::{Lines, Text};

/// A row as it was read: field names and values, in file order.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Line on which it begins, from 1; in Parquet, which has no lines, the row.
    pub line: usize,
    /// Name of the list in which it stood, in a file of several.
    pub part: Option<Arc<str>>,
    /// Fields in file order. Numbers and booleans are text, lists and objects are kept as JSON.
    pub fields: Vec<(String, String)>,
}

impl Record {
    /// Names of the fields, and of those in a field that is an object: `content.text`.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for (name, value) in &self.fields {
            names.push(name.clone());
            names.extend(object(value).iter().flat_map(|map| map.keys()).map(|key| format!("{name}.{key}")));
        }
        names
    }

    /// The value of a field; `a.b` is what `b` is in the object that `a` holds, unless a field has this very name.
    pub fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        let own = |name: &str| self.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        if let Some(value) = own(name) {
            return Some(value.into());
        }
        let (outer, inner) = name.split_once('.')?;
        let outer = Value::Object(object(own(outer)?)?);
        let found = inner.split('.').try_fold(&outer, |value, key| value.get(key))?;
        plain(found.clone()).map(Cow::Owned)
    }
}

/// Takes every row in turn, or what is wrong with it; an error ends the reading.
pub type Sink<'a> = &'a mut dyn FnMut(Result<Record>) -> Result<()>;

/// Called now and then with how much is done, and of how much: bytes, of a Parquet file such a share of them as of its rows.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// The formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An object a line.
    JsonLines,
    /// One document.
    Json,
    /// Rows of fields with a delimiter between them.
    Delimited,
    /// A word a line.
    Conll,
    /// A label and a text a line, as fastText has them.
    Labelled,
    /// Columns in binary.
    Parquet,
}

/// Endings of the files that are read, with their format.
pub const ENDINGS: [(&str, Format); 13] = [
    ("jsonl", Format::JsonLines),
    ("ndjson", Format::JsonLines),
    ("json", Format::Json),
    ("csv", Format::Delimited),
    ("tsv", Format::Delimited),
    ("tab", Format::Delimited),
    ("parquet", Format::Parquet),
    ("conll", Format::Conll),
    ("conllu", Format::Conll),
    ("conllx", Format::Conll),
    ("bio", Format::Conll),
    ("iob", Format::Conll),
    ("iob2", Format::Conll),
];

impl Format {
    /// The format that a file's name says.
    ///
    /// # Errors
    /// If it says none that is read.
    pub fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        let known = ENDINGS.into_iter().find(|(name, _)| Some(*name) == ending.as_deref()).map(|(_, format)| format);
        known.ok_or_else(|| {
            Error::file(
                path,
                say!(
                    "is of no format that this version reads; use .jsonl, .json, .csv, .tsv, .parquet, .conll, .conllu or .txt",
                    "ha un formato che questa versione non legge; usa .jsonl, .json, .csv, .tsv, .parquet, .conll, .conllu o .txt"
                ),
            )
        })
    }

    /// The format that a file's name says or, where it says only that it is text, its first lines.
    ///
    /// # Errors
    /// If it is none that is read, or the file cannot be.
    fn detect(path: &Path) -> Result<Self> {
        if !is_text(path) {
            return Self::of(path);
        }
        size(path)?;
        sniff::format(path, Text::open(path, text::survey(path)?, Rc::default())?)
    }
}

/// Whether a file's name says that it is text, and nothing more.
pub(crate) fn is_text(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("txt"))
}

/// Opens a file for reading.
fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|e| Error::io(path, e))
}

/// Size of a file in bytes. A pipe would be read twice, a folder not at all: both are refused.
pub(crate) fn size(path: &Path) -> Result<u64> {
    let meta = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
    if meta.is_file() {
        Ok(meta.len())
    } else {
        Err(Error::file(path, say!("is not a file; name a file of examples", "non è un file; indica un file di esempi")))
    }
}

/// Reads the examples of a file; the first wrong row is an error.
///
/// # Errors
/// If the file cannot be read, is empty, of no known format, or a row is malformed or lacks a field.
pub fn examples(path: &Path, kind: Kind, columns: &Columns) -> Result<Vec<Example>> {
    let mut out = Vec::new();
    each(path, kind, columns, &mut |_, _| {}, &mut |_, example| {
        out.push(example?);
        Ok(())
    })?;
    Ok(out)
}

/// Reads the examples of a file one after another, each with the part that the file gives it to, and
/// in place of a wrong row what is wrong with it; behind them those of the other files of its table, see [`shards`]. Gives the
/// older encoding in which it was read, where that was a guess.
///
/// # Errors
/// If the file cannot be read, is empty, of no known format, if no field looks like a text or an
/// answer, or if the sink refuses a row.
pub fn each(
    path: &Path,
    kind: Kind,
    columns: &Columns,
    progress: Progress<'_>,
    sink: &mut dyn FnMut(Option<Split>, Result<Example>) -> Result<()>,
) -> Result<Option<&'static str>> {
    let files = shards(path);
    let sizes = files.iter().map(|file| size(file)).collect::<Result<Vec<u64>>>()?;
    let whole = sizes.iter().sum();
    let (mut before, mut guess) = (0, None);
    for (file, bytes) in files.iter().zip(sizes) {
        guess = guess.or(each_of(file, kind, columns, &mut |done, of| progress(before + share(bytes, done, of), whole), sink)?);
        before += bytes;
    }
    Ok(guess)
}

/// So much of a file's bytes as was done of what there is.
fn share(bytes: u64, done: u64, of: u64) -> u64 {
    let share = u128::from(bytes) * u128::from(done.min(of)) / u128::from(of.max(1));
    u64::try_from(share).unwrap_or(bytes)
}

/// As [`each`], of one file alone.
fn each_of(
    path: &Path,
    kind: Kind,
    columns: &Columns,
    progress: Progress<'_>,
    sink: &mut dyn FnMut(Option<Split>, Result<Example>) -> Result<()>,
) -> Result<Option<&'static str>> {
    let mut binding: Option<Binding> = None;
    let mut any = false;
    let format = Format::detect(path)?;
    let (words, of_words) = (format == Format::Conll, columns.of_words().1);
    // a table has the same fields on every row; in JSON a first row may lack one that others have
    let fixed = matches!(format, Format::Delimited | Format::Conll);
    let mut unbound = None;
    let guess = stream(path, columns, progress, &mut |record| {
        any = true;
        let record = match record {
            Ok(record) => record,
            Err(e) => return sink(None, Err(e)),
        };
        let binding = match &mut binding {
            Some(binding) => binding,
            none => match Binding::find(path, &record, kind, if words { &of_words } else { columns }) {
                Ok(found) => none.insert(found),
                Err(e) if fixed => return Err(e),
                Err(e) => {
                    unbound.get_or_insert_with(|| record.clone());
                    return sink(None, Err(e));
                }
            },
        };
        sink(record.part.as_deref().and_then(Split::recognise), binding.example(&record))
    })?;
    if let (Some(first), None) = (unbound, &binding) {
        return Binding::find(path, &first, kind, if words { &of_words } else { columns }).map(|_| guess);
    }
    if any {
        return Ok(guess);
    }
    let [reads, answers] = kind.roles();
    let what = say!(
        "holds no example; add one JSON object a line, such as {{\"{}\": \"…\", \"{}\": …}}",
        "non contiene esempi; scrivi un oggetto JSON per riga, per esempio {{\"{}\": \"…\", \"{}\": …}}",
        reads.name(),
        answers.name()
    );
    Err(Error::file(path, what))
}

/// All records of a file; the first wrong row is an error. `go_on` is asked now and then; `false` ends it.
///
/// # Errors
/// If the file cannot be read, is of no known format, a row is malformed, or it was ended.
pub fn records(path: &Path, go_on: &mut dyn FnMut() -> bool) -> Result<Vec<Record>> {
    let mut out = Vec::new();
    stream(path, &Columns::default(), &mut |_, _| {}, &mut |record| {
        out.push(record?);
        if !out.len().is_multiple_of(EVERY) || go_on() { Ok(()) } else { Err(Error::Ended) }
    })?;
    Ok(out)
}

/// The first records of a file, at most `most`; nothing after them is looked at.
///
/// # Errors
/// If the file cannot be read, is of no known format, or one of these rows is malformed.
pub fn head(path: &Path, columns: &Columns, most: usize) -> Result<Vec<Record>> {
    let mut out = Vec::new();
    let read = stream(path, columns, &mut |_, _| {}, &mut |record| {
        out.push(record?);
        // an error is the way to end the reading
        if out.len() < most { Ok(()) } else { Err(Error::file(path, "goes on")) }
    });
    if out.len() < most {
        read?;
    }
    Ok(out)
}

/// Rows between two calls of progress, and between two questions whether to go on.
const EVERY: usize = 1000;

/// Passes every record of a file on; gives the older encoding in which it was read, where that was a guess.
fn stream(path: &Path, columns: &Columns, progress: Progress<'_>, sink: Sink<'_>) -> Result<Option<&'static str>> {
    let total = size(path)?;
    let format = Format::detect(path)?;
    if format == Format::Parquet {
        return parquet::read(path, progress, sink).map(|()| None);
    }
    let mut survey = text::survey(path)?;
    if matches!(format, Format::Json | Format::JsonLines) {
        survey = survey.of_json(path)?;
    }
    let done = Rc::new(Cell::new(0));
    let open = || Text::open(path, survey, done.clone());
    let as_lines = format == Format::Json && json::is_lines(path, open()?)?;
    let dialect = if format == Format::Delimited { Some(delimited::dialect(path, open()?)?) } else { None };
    done.set(0);
    let mut rows = 0;
    let mut watched = |record: Result<Record>| {
        rows += 1;
        if rows % EVERY == 0 {
            progress(done.get(), total);
        }
        sink(record)
    };
    let read = match (format, dialect) {
        (Format::Json, _) if !as_lines => survey.whole(path).and_then(|()| json::read(path, open()?, &mut watched)),
        (Format::Conll, _) => conll::read(path, Lines::new(path, open()?), columns.of_words().0, &mut watched),
        (Format::Labelled, _) => labelled::read(Lines::new(path, open()?), &mut watched),
        (_, Some(dialect)) => delimited::read(path, open()?, dialect, columns.positional(), &mut watched),
        _ => jsonl::read(path, Lines::new(path, open()?), &mut watched),
    };
    read.map(|()| survey.guess())
}

/// The fields within a field whose text is a JSON object; none of any other.
fn object(value: &str) -> Option<serde_json::Map<String, Value>> {
    if value.trim_start().starts_with('{') { serde_json::from_str(value).ok() } else { None }
}

/// A JSON value as the text of a field; `null` is a missing field.
fn plain(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(s) => Some(s),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
