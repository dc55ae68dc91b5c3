//! Delimited text with a header row: commas, semicolons, tabs or bars, whichever splits it evenly. What programs write
//! above the header, a title or the name of the delimiter, is passed over.

use super::text::{LONGEST, Text, failure, not_utf8, nul, too_long};
use super::{Record, Role, Sink};
use crate::error::{Error, Result};
use say::{COLUMN, say};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::rc::Rc;

/// Bytes of a file on which the delimiter is chosen.
const SAMPLE: u64 = 1 << 18;
/// Rows of it that are counted.
const SAMPLE_ROWS: usize = 50;
/// Most columns of a table; one with more was split by the wrong character, or is no table.
const COLUMNS: usize = 10_000;

/// How a file is delimited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dialect {
    delimiter: u8,
    quoting: bool,
    /// Columns of most rows.
    columns: usize,
}

impl Dialect {
    fn reader<R: Read>(self, source: R, flexible: bool) -> csv::Reader<R> {
        csv::ReaderBuilder::new().delimiter(self.delimiter).quoting(self.quoting).flexible(flexible).has_headers(false).from_reader(source)
    }

    /// The dialect with the number of columns that most rows have, and the share of these rows.
    fn fit(self, sample: &[u8], whole: bool) -> (f64, Self) {
        let rows: Vec<usize> = self.reader(sample, true).into_byte_records().take(SAMPLE_ROWS + 1).map_while(|r| Some(r.ok()?.len())).collect();
        // the last row of a sample may be cut
        let rows = &rows[..rows.len() - usize::from(!whole && rows.len() > 1)];
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        rows.iter().for_each(|columns| *counts.entry(*columns).or_default() += 1);
        let (columns, rows_of) = counts.into_iter().max_by_key(|(_, rows)| *rows).unwrap_or_default();
        (rows_of as f64 / rows.len().max(1) as f64, Self { columns, ..self })
    }

    /// The delimiter as people name it.
    fn name(self) -> String {
        if self.delimiter == b'\t' { say!("a tab", "una tabulazione") } else { format!("`{}`", char::from(self.delimiter)) }
    }

    /// Whether a row is no header but what stands above one: a single cell in a table of several columns. A column that
    /// is called by the name of a role may be the only one with a name.
    fn is_title(self, row: &[String]) -> bool {
        let mut cells = row.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty());
        let named = |cell: &str| Role::ALL.into_iter().any(|role| role.among(&[cell]).is_some());
        self.columns > 1 && cells.next().is_none_or(|cell| !named(cell)) && cells.next().is_none()
    }
}

/// The dialect that splits the beginning of a file into most even rows of at least two columns;
/// among equals the one that the file's name says, then the one with most columns.
///
/// # Errors
/// If the file cannot be read.
pub fn dialect(path: &Path, text: Text) -> Result<Dialect> {
    let mut sample = Vec::new();
    text.take(SAMPLE).read_to_end(&mut sample).map_err(|e| failure(path, 1, e))?;
    let whole = (sample.len() as u64) < SAMPLE;
    // a table that is called text has tabs more often than anything else, and commas in its texts
    let tabs = path.extension().is_some_and(|e| ["tsv", "tab", "txt"].iter().any(|t| e.eq_ignore_ascii_case(t)));
    let first = if tabs { b'\t' } else { b',' };
    let rest = [b',', b';', b'\t', b'|'].into_iter().filter(|d| *d != first);
    let quoted = [first].into_iter().chain(rest).map(|delimiter| Dialect { delimiter, quoting: true, columns: 0 });
    // many programs write tabs without quoting anything, so that a quote is only a character
    let candidates = quoted.chain([Dialect { delimiter: b'\t', quoting: false, columns: 0 }]);
    let mut best = (0.0, Dialect { delimiter: first, quoting: true, columns: 0 });
    for candidate in candidates {
        let fit = candidate.fit(&sample, whole);
        let better = fit.0 > best.0 + 1e-9 || (best.1.delimiter != first && fit.0 > best.0 - 1e-9 && fit.1.columns > best.1.columns);
        if fit.1.columns > 1 && better {
            best = fit;
        }
    }
    Ok(best.1)
}

/// Reads every row as a record. Without a header (`positional`) the columns are called 1, 2, 3.
///
/// # Errors
/// If the file cannot be read, its header is not usable, or the sink refuses a row.
pub fn read(path: &Path, text: Text, dialect: Dialect, positional: bool, sink: Sink<'_>) -> Result<()> {
    let passed = Rc::new(RefCell::new(Passed::new(1)));
    let mut reader = dialect.reader(Watched { text, again: io::Cursor::default(), passed: passed.clone() }, true);
    let mut row = csv::ByteRecord::new();
    let mut header: Option<Vec<String>> = None;
    loop {
        let begin = reader.position().clone();
        // so that what is remembered is of one row alone
        passed.borrow_mut().line_of(Some(&begin));
        match reader.read_byte_record(&mut row) {
            Ok(false) => return Ok(()),
            Ok(true) => {}
            Err(_) if passed.borrow().long() => {
                let line = passed.borrow_mut().line_of(Some(&begin));
                let long = Error::row(path, line, too_long());
                if header.is_none() {
                    return Err(long);
                }
                sink(Err(long))?;
                let mut rest = reader.into_inner();
                rest.pass_line().map_err(|e| failure(path, line, e))?;
                reader = dialect.reader(rest, true);
                continue;
            }
            Err(e) => {
                let line = passed.borrow_mut().line_of(Some(&begin));
                return Err(match e.into_kind() {
                    csv::ErrorKind::Io(e) => failure(path, line, e),
                    other => Error::row(path, line, say!("cannot be read: {other:?}", "non si può leggere: {other:?}")),
                });
            }
        }
        let line = passed.borrow_mut().line_of(row.position());
        let values = if row.len() > COLUMNS { Err(Error::row(path, line, too_wide(row.len()))) } else { strings(path, line, &row) };
        let Some(names) = &header else {
            let values = values?;
            if !positional && dialect.is_title(&values) {
                continue;
            }
            let names = if positional { (1..=values.len()).map(|i| i.to_string()).collect() } else { names(path, line, &values)? };
            if positional {
                sink(Ok(Record { line, part: None, fields: names.iter().cloned().zip(values).collect() }))?;
            }
            header = Some(names);
            continue;
        };
        let record = values.and_then(|values| {
            if values.len() != names.len() {
                return Err(Error::row(path, line, uneven(values.len(), names, dialect)));
            }
            Ok(Record { line, part: None, fields: names.iter().cloned().zip(values).collect() })
        });
        sink(record)?;
    }
}

/// What is said of a row that has more columns than the header, or fewer.
fn uneven(own: usize, names: &[String], dialect: Dialect) -> String {
    let (columns, header, delimiter) = (say::count(own, COLUMN), names.len(), dialect.name());
    match names.get(own) {
        None => say!(
            "has {columns} where the header has {header}, with {delimiter} between columns: column {} has no name; quote fields that hold it",
            "ha {columns} dove l’intestazione ne ha {header}, con {delimiter} fra le colonne: la colonna {} non ha nome; metti fra virgolette i campi che la \
             contengono",
            header + 1
        ),
        Some(first) => say!(
            "has {columns} where the header has {header}, with {delimiter} between columns: column {}, `{first:.40}`, is missing; add what is missing, or \
             quote a field that holds a line end",
            "ha {columns} dove l’intestazione ne ha {header}, con {delimiter} fra le colonne: manca la colonna {}, `{first:.40}`; aggiungi ciò che manca, o \
             metti fra virgolette un campo che contiene una fine di riga",
            own + 1
        ),
    }
}

fn too_wide(columns: usize) -> String {
    say!(
        "has {columns} columns, more than the {COLUMNS} of the widest table; is it text with many commas? save it in another format",
        "ha {columns} colonne, più delle {COLUMNS} della tabella più larga; è testo con molte virgole? salvalo in un altro formato"
    )
}

fn strings(path: &Path, line: usize, row: &csv::ByteRecord) -> Result<Vec<String>> {
    let field = |(i, bytes): (usize, &[u8])| match std::str::from_utf8(bytes) {
        Ok(text) if text.contains('\0') => Err(Error::row(path, line, say!("column {}: {}", "colonna {}: {}", i + 1, nul()))),
        Ok(text) => Ok(text.to_string()),
        Err(e) => Err(Error::row(path, line, say!("column {}: {}", "colonna {}: {}", i + 1, not_utf8(bytes[e.valid_up_to()])))),
    };
    row.iter().enumerate().map(field).collect()
}

/// Names of the columns; one without a name is called by its number.
fn names(path: &Path, line: usize, header: &[String]) -> Result<Vec<String>> {
    let names: Vec<String> = header.iter().enumerate().map(|(i, h)| if h.trim().is_empty() { (i + 1).to_string() } else { h.trim().to_string() }).collect();
    let mut seen = HashSet::new();
    match names.iter().enumerate().find(|(_, name)| !seen.insert(*name)) {
        Some((i, name)) => Err(Error::row(
            path,
            line,
            say!(
                "column {} repeats the name `{name}`; give each column its own name",
                "la colonna {} ripete il nome `{name}`; dai a ogni colonna un nome diverso",
                i + 1
            ),
        )),
        None => Ok(names),
    }
}

/// Passes a text on to the csv reader and remembers what it has not yet made rows of.
struct Watched {
    text: Text,
    /// What is passed on before the text, because it was read ahead of a row that was given up.
    again: io::Cursor<Vec<u8>>,
    passed: Rc<RefCell<Passed>>,
}

impl Watched {
    /// Passes over the line on which the row begins that is too long: a quote that is never closed takes no other line
    /// with it. What was read ahead is read again.
    fn pass_line(&mut self) -> io::Result<()> {
        let mut passed = self.passed.borrow_mut();
        let (at, line) = (passed.at, passed.line);
        let mut ahead = passed.bytes.split_off(at);
        self.again.read_to_end(&mut ahead)?;
        match ahead.iter().position(|b| *b == b'\n') {
            Some(end) => drop(ahead.drain(..=end)),
            None => {
                ahead.clear();
                self.text.skip_until(b'\n')?;
            }
        }
        self.again = io::Cursor::new(ahead);
        *passed = Passed::new(line + 1);
        Ok(())
    }
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match self.again.read(buffer)? {
            0 => self.text.read(buffer)?,
            n => n,
        };
        self.passed.borrow_mut().add(&buffer[..n])?;
        Ok(n)
    }
}

/// Counts the lines before each record in turn. The csv reader's own count does not serve: it is
/// taken before blank lines are passed over, and between the two bytes of a `\r\n`.
struct Passed {
    bytes: Vec<u8>,
    /// How many of `bytes` are behind.
    at: usize,
    /// Place of the first of `bytes` in what the csv reader reads.
    offset: u64,
    line: usize,
}

impl Passed {
    /// Nothing, before a line of this number.
    fn new(line: usize) -> Self {
        Self { bytes: Vec::new(), at: 0, offset: 0, line }
    }

    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.drain(..self.at);
        self.offset += self.at as u64;
        self.at = 0;
        self.bytes.extend_from_slice(bytes);
        if self.long() { Err(io::Error::other(too_long())) } else { Ok(()) }
    }

    /// Whether the row that is being read is longer than any.
    fn long(&self) -> bool {
        self.bytes.len() - self.at > LONGEST
    }

    /// The line on which the record at or after this position begins.
    fn line_of(&mut self, position: Option<&csv::Position>) -> usize {
        let from = position.map_or(0, |p| p.byte());
        while let Some(&byte) = self.bytes.get(self.at).filter(|&&b| self.offset + (self.at as u64) < from || matches!(b, b'\r' | b'\n')) {
            self.at += 1;
            self.line += usize::from(byte == b'\n');
        }
        self.line
    }
}
