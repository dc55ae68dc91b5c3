//! One JSON document: a list of rows, or an object of lists (one per part of a data set, or one per
//! column). Rows are passed on as they are parsed, so that the document is never whole in memory.

use super::jsonl::fields;
use super::text::{LONGEST, Text, too_long};
use super::unique::{Unique, twice};
use super::{Record, Sink};
use crate::error::{Error, Result};
use crate::part::Split;
use say::say;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::Arc;

/// Keys under which files keep all their rows.
const ROWS: [&str; 6] = ["data", "rows", "examples", "items", "dati", "esempi"];
/// Most values that are kept until the document ends, because they do not stand row by row: a million rows of four
/// columns. A value of two bytes takes eighty in memory, so that the size of the file bounds nothing.
const KEPT: usize = 4 << 20;

/// Whether a text is JSON Lines under another name: its first line is a complete object, and another follows.
///
/// # Errors
/// If the file cannot be read.
pub fn is_lines(path: &Path, text: Text) -> Result<bool> {
    let mut lines = super::text::Lines::new(path, text);
    let mut objects = 0;
    while let Some((_, Ok(line))) = lines.next()? {
        if line.trim().is_empty() {
            continue;
        }
        if !line.trim_start().starts_with('{') || serde_json::from_str::<serde::de::IgnoredAny>(line).is_err() {
            return Ok(false);
        }
        objects += 1;
        if objects == 2 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads a document.
///
/// # Errors
/// If it is not valid JSON, holds no rows, or the sink refuses one.
pub fn read(path: &Path, text: Text, sink: Sink<'_>) -> Result<()> {
    let place = Place::default();
    let state = State { path, place: &place, sink: RefCell::new(sink), refused: RefCell::new(None), rows: Cell::new(0), kept: Cell::new(0) };
    let mut parser = serde_json::Deserializer::from_reader(Bytes { text, place: &place });
    let parsed = parser.deserialize_any(Document(&state)).and_then(|()| parser.end());
    if let Some(e) = state.refused.take() {
        return Err(e);
    }
    parsed.map_err(|e| {
        let what = e.to_string();
        let what = say::json(what.split(" at line ").next().unwrap_or_default());
        if e.is_io() || e.is_data() {
            return Error::row(path, place.line.get(), what);
        }
        // by then the parser has also taken the brackets that close what the fault lies in
        let (line, column) = match e.column() {
            // a line end where there may be none, which the parser counts to the line behind it
            0 => place.end.get(),
            column => (e.line(), column - place.wide_at(e.line()).min(column - 1)),
        };
        Error::row(path, line, say!("not valid JSON: {what}", "JSON non valido: {what}")).at_column(column)
    })
}

/// Where in the document the parser is: at the byte that it took last.
struct Place {
    line: Cell<usize>,
    /// Characters of the line up to there.
    column: Cell<usize>,
    /// Whether this byte ends the line.
    ends: Cell<bool>,
    /// The last line with characters of several bytes, and how many bytes it has beyond its characters.
    wide: Cell<(usize, usize)>,
    /// Where the last line that has ended did: its number, and the column of its line end.
    end: Cell<(usize, usize)>,
    /// Bytes since the last row, or the last value that was kept.
    since: Cell<usize>,
}

impl Default for Place {
    fn default() -> Self {
        Self { line: Cell::new(1), column: Cell::new(0), ends: Cell::new(false), wide: Cell::new((0, 0)), end: Cell::new((1, 1)), since: Cell::new(0) }
    }
}

impl Place {
    fn take(&self, byte: u8) {
        self.since.set(self.since.get() + 1);
        if self.ends.replace(byte == b'\n') {
            self.line.set(self.line.get() + 1);
            self.column.set(0);
        }
        // the bytes after the first of a character are no characters of their own
        if byte & 0xc0 != 0x80 {
            self.column.set(self.column.get() + 1);
        } else {
            self.wide.set((self.line.get(), self.wide_at(self.line.get()) + 1));
        }
        if byte == b'\n' {
            self.end.set((self.line.get(), self.column.get()));
        }
    }

    /// How many bytes a line has beyond its characters, if it is the last that has any.
    fn wide_at(&self, line: usize) -> usize {
        let (last, bytes) = self.wide.get();
        if last == line { bytes } else { 0 }
    }

    /// What is wrong here.
    fn wrong(&self, path: &Path, what: String) -> Error {
        Error::row(path, self.line.get(), what).at_column(self.column.get().max(1))
    }
}

/// Keeps count of the place as the parser takes byte after byte.
struct Bytes<'a> {
    text: Text,
    place: &'a Place,
}

impl Read for Bytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let ready = self.text.fill_buf()?;
        let n = ready.len().min(buffer.len());
        buffer[..n].copy_from_slice(&ready[..n]);
        self.text.consume(n);
        buffer[..n].iter().for_each(|byte| self.place.take(*byte));
        if self.place.since.get() > LONGEST {
            return Err(io::Error::other(too_long()));
        }
        Ok(n)
    }
}

struct State<'a> {
    path: &'a Path,
    place: &'a Place,
    sink: RefCell<Sink<'a>>,
    refused: RefCell<Option<Error>>,
    rows: Cell<usize>,
    /// Values that were kept.
    kept: Cell<usize>,
}

/// A value with the place at which it begins.
struct Found {
    line: usize,
    column: usize,
    value: Value,
    /// The first name in it that stands twice.
    twice: Option<Error>,
}

impl State<'_> {
    /// A value that begins here.
    fn found(&self, value: Value) -> Found {
        Found { line: self.place.line.get(), column: self.place.column.get(), value, twice: None }
    }

    /// Passes a row on; an error here only ends the parsing, the reason stands in `refused`.
    fn row<E: serde::de::Error>(&self, part: Option<&Arc<str>>, found: Found) -> std::result::Result<(), E> {
        let Found { line, column, value, twice } = found;
        let row = match twice {
            Some(e) => Err(e),
            None => fields(value).map(|fields| Record { line, part: part.cloned(), fields }).ok_or_else(|| {
                let what = say!(
                    "is neither an object nor a list of fields; write {{\"text\": \"…\", \"label\": \"…\"}}",
                    "non è né un oggetto né una lista di campi; scrivi {{\"text\": \"…\", \"label\": \"…\"}}"
                );
                Error::row(self.path, line, what).at_column(column)
            }),
        };
        self.rows.set(self.rows.get() + 1);
        self.place.since.set(0);
        let mut sink = self.sink.borrow_mut();
        sink(row).map_err(|e| self.refuse(e))
    }

    /// Ends the parsing for this reason.
    fn refuse<E: serde::de::Error>(&self, reason: Error) -> E {
        self.refused.replace(Some(reason));
        E::custom("refused")
    }

    /// Counts a value that is kept until the document ends.
    fn keep<E: serde::de::Error>(&self) -> std::result::Result<(), E> {
        self.place.since.set(0);
        self.kept.set(self.kept.get() + 1);
        if self.kept.get() <= KEPT {
            return Ok(());
        }
        Err(E::custom(say!(
            "has more than {KEPT} values in columns or under keys, which have to be read as a whole; save the file as one list of rows, or as JSON Lines",
            "ha più di {KEPT} valori in colonne o sotto chiavi, che vanno letti tutti insieme; salva il file come una sola lista di righe, o come JSON Lines"
        )))
    }
}

/// Refuses names of which one stands twice: of two values nobody knows which is meant.
fn distinct<'a, E: serde::de::Error>(mut names: impl Iterator<Item = &'a String>) -> std::result::Result<(), E> {
    let mut seen = HashSet::new();
    match names.find(|name| !seen.insert(*name)) {
        Some(name) => Err(E::custom(say!(
            "the name `{name:.40}` stands twice in the document; keep one of them",
            "il nome `{name:.40}` compare due volte nel documento; tienine uno solo"
        ))),
        None => Ok(()),
    }
}

/// A value of the document, wherever it stands. A name that stands twice in it is no reason to end the parsing.
struct Placed<'a, 's>(&'a State<'s>);

impl<'de> DeserializeSeed<'de> for Placed<'_, '_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Found, D::Error> {
        let begun = self.0.found(Value::Null);
        let first = RefCell::new(None);
        let notes = |what: String| -> std::result::Result<(), String> {
            first.borrow_mut().get_or_insert_with(|| self.0.place.wrong(self.0.path, what));
            Ok(())
        };
        let value = Unique(&notes).deserialize(deserializer)?;
        Ok(Found { value, twice: first.take(), ..begun })
    }
}

/// The whole document.
struct Document<'a, 's>(&'a State<'s>);

impl<'de> Visitor<'de> for Document<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&say!("a list of rows, or an object of lists", "una lista di righe o un oggetto di liste"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<(), A::Error> {
        while let Some(found) = list.next_element_seed(Placed(self.0))? {
            self.0.row::<A::Error>(None, found)?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let begun = self.0.found(Value::Null);
        let (mut single, mut columns) = (Vec::new(), Vec::new());
        while let Some(key) = map.next_key::<String>()? {
            match map.next_value_seed(Part { state: self.0, name: Arc::from(key.as_str()) })? {
                Held::Rows => {}
                Held::Column(values) => columns.push((key, values)),
                Held::Value(found) => {
                    self.0.keep::<A::Error>()?;
                    single.push((key, found));
                }
            }
        }
        if self.0.rows.get() > 0 {
            // what stands beside the rows describes the file
            return Ok(());
        }
        if columns.is_empty() && single.len() > 1 && single.iter().all(|(_, found)| found.value.is_object()) {
            // rows by their keys, as data frames are exported by their index
            return single.into_iter().try_for_each(|(_, found)| self.0.row(None, found));
        }
        distinct::<A::Error>(single.iter().map(|(key, _)| key).chain(columns.iter().map(|(key, _)| key)))?;
        if single.is_empty() && columns.first().is_some_and(|(_, values)| !values.is_empty()) {
            return self.columns(begun.line, None, columns);
        }
        let twice = single.iter_mut().find_map(|(_, found)| found.twice.take());
        let lists = columns.into_iter().map(|(key, values)| (key, Value::Array(values)));
        let fields = single.into_iter().map(|(key, found)| (key, found.value)).chain(lists);
        self.0.row(None, Found { value: Value::Object(fields.collect()), twice, ..begun })
    }
}

impl Document<'_, '_> {
    /// Rows from one list per column, of which no two have the same name.
    fn columns<E: serde::de::Error>(&self, line: usize, part: Option<&Arc<str>>, columns: Vec<(String, Vec<Value>)>) -> std::result::Result<(), E> {
        let length = columns.first().map_or(0, |(_, values)| values.len());
        if let Some((key, values)) = columns.iter().find(|(_, values)| values.len() != length) {
            let what = say!(
                "the list `{key}` has {} where `{}` has {length}; give every column as many",
                "la lista `{key}` ha {} dove `{}` ne ha {length}; dai a ogni colonna lo stesso numero di valori",
                say::count(values.len(), ["value", "values", "valore", "valori"]),
                columns[0].0
            );
            return Err(E::custom(what));
        }
        let (keys, lists): (Vec<String>, Vec<_>) = columns.into_iter().map(|(key, values)| (key, values.into_iter())).unzip();
        let mut lists = lists;
        for _ in 0..length {
            let row = keys.iter().zip(&mut lists).filter_map(|(key, values)| Some((key.clone(), values.next()?)));
            let value = Value::Object(row.collect());
            self.0.row::<E>(part, Found { line, ..self.0.found(value) })?;
        }
        Ok(())
    }
}

/// What the value of a key was.
enum Held {
    /// Rows, passed on.
    Rows,
    /// Values of a column.
    Column(Vec<Value>),
    /// Something else.
    Value(Found),
}

/// The value of a key of the document: rows of a part, values of a column, or neither.
struct Part<'a, 's> {
    state: &'a State<'s>,
    name: Arc<str>,
}

impl<'de> DeserializeSeed<'de> for Part<'_, '_> {
    type Value = Held;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Held, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_, '_> {
    type Value = Held;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&say!("a list of rows", "una lista di righe"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Held, A::Error> {
        let (mut rows, mut column) = (false, Vec::new());
        // a list in a part is a row without names, elsewhere the value of a column
        let lists = Split::recognise(&self.name).is_some() || ROWS.contains(&&*self.name);
        while let Some(found) = list.next_element_seed(Placed(self.state))? {
            if found.value.is_object() || (lists && found.value.is_array()) {
                rows = true;
                self.state.row::<A::Error>(Some(&self.name), found)?;
            } else {
                self.state.keep::<A::Error>()?;
                if let Some(e) = found.twice {
                    return Err(self.state.refuse(e));
                }
                column.push(found.value);
            }
        }
        if rows && !column.is_empty() {
            return Err(A::Error::custom(say!(
                "`{}` mixes rows with single values; make each an object",
                "`{}` mescola righe e valori singoli; rendi ciascuno un oggetto",
                self.name
            )));
        }
        Ok(if rows { Held::Rows } else { Held::Column(column) })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Held, A::Error> {
        let begun = self.state.found(Value::Null);
        let (mut values, mut first) = (Map::new(), None);
        while let Some(key) = map.next_key::<String>()? {
            if values.contains_key(&key) {
                first.get_or_insert_with(|| self.state.place.wrong(self.state.path, twice(&key)));
            }
            let found = map.next_value_seed(Placed(self.state))?;
            self.state.keep::<A::Error>()?;
            first = first.or(found.twice);
            values.insert(key, found.value);
        }
        let rows = |v: &Value| matches!(v, Value::Array(list) if !list.is_empty() && list.iter().all(Value::is_object));
        let single = |v: &Value| !v.is_array() && !v.is_object();
        // the answer of a service: rows, and beside them how many they are and the like
        let answer = values.values().filter(|v| rows(v)).count() == 1 && values.values().all(|v| rows(v) || single(v));
        // a part with a list per column
        let columns = !values.is_empty() && values.values().all(Value::is_array);
        // a column that is indexed by row
        let indexed = !values.is_empty() && values.iter().all(|(key, v)| key.bytes().all(|b| b.is_ascii_digit()) && !v.is_null());
        if !(answer || columns || indexed) {
            return Ok(Held::Value(Found { value: Value::Object(values), twice: first, ..begun }));
        }
        if let Some(e) = first {
            // in which of its rows is not known any more
            return Err(self.state.refuse(e));
        }
        if answer {
            for (_, value) in values {
                let Value::Array(list) = value else { continue };
                list.into_iter().try_for_each(|row| self.state.row::<A::Error>(Some(&self.name), Found { line: begun.line, ..self.state.found(row) }))?;
            }
            return Ok(Held::Rows);
        }
        if columns {
            let lists = values.into_iter().map(|(key, v)| (key, if let Value::Array(list) = v { list } else { Vec::new() }));
            Document(self.state).columns::<A::Error>(begun.line, Some(&self.name), lists.collect())?;
            return Ok(Held::Rows);
        }
        Ok(Held::Column(values.into_iter().map(|(_, v)| v).collect()))
    }

    fn visit_bool<E>(self, v: bool) -> std::result::Result<Held, E> {
        Ok(Held::Value(self.state.found(v.into())))
    }

    fn visit_i64<E>(self, v: i64) -> std::result::Result<Held, E> {
        Ok(Held::Value(self.state.found(v.into())))
    }

    fn visit_u64<E>(self, v: u64) -> std::result::Result<Held, E> {
        Ok(Held::Value(self.state.found(v.into())))
    }

    fn visit_f64<E>(self, v: f64) -> std::result::Result<Held, E> {
        Ok(Held::Value(self.state.found(v.into())))
    }

    fn visit_str<E>(self, v: &str) -> std::result::Result<Held, E> {
        Ok(Held::Value(self.state.found(v.into())))
    }

    fn visit_unit<E>(self) -> std::result::Result<Held, E> {
        Ok(Held::Value(self.state.found(Value::Null)))
    }
}
