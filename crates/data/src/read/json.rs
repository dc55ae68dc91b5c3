//! One JSON document: a list of rows, or an object of lists (one per part of a data set, or one per
//! column). Rows are passed on as they are parsed, so that the document is never whole in memory.

use super::jsonl::fields;
use super::text::{LONGEST, Text, too_long};
use super::unique::Row;
use super::{Record, Sink, plain};
use crate::error::{Error, Result};
use crate::part::Split;
use say::say;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
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
        Error::row(path, e.line(), say!("column {}: not valid JSON: {what}", "colonna {}: JSON non valido: {what}", e.column()))
    })
}

/// Where in the document the parser is.
struct Place {
    line: Cell<usize>,
    /// Bytes since the last row, or the last value that was kept.
    since: Cell<usize>,
}

impl Default for Place {
    fn default() -> Self {
        Self { line: Cell::new(1), since: Cell::new(0) }
    }
}

/// Counts lines as the parser takes byte after byte.
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
        self.place.line.set(self.place.line.get() + buffer[..n].iter().filter(|b| **b == b'\n').count());
        self.place.since.set(self.place.since.get() + n);
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

impl State<'_> {
    /// Passes a row on; an error here only ends the parsing, the reason stands in `refused`.
    fn row<E: serde::de::Error>(&self, line: usize, part: Option<&Arc<str>>, value: Value) -> std::result::Result<(), E> {
        let row = fields(value).map(|fields| Record { line, part: part.cloned(), fields });
        let row = row.ok_or_else(|| {
            Error::row(
                self.path,
                line,
                say!(
                    "is neither an object nor a list of fields; write {{\"text\": \"…\", \"label\": \"…\"}}",
                    "non è né un oggetto né una lista di campi; scrivi {{\"text\": \"…\", \"label\": \"…\"}}"
                ),
            )
        });
        self.rows.set(self.rows.get() + 1);
        self.place.since.set(0);
        let mut sink = self.sink.borrow_mut();
        sink(row).map_err(|e| {
            self.refused.replace(Some(e));
            E::custom("refused")
        })
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

/// A value with the line on which it begins.
struct Placed<'a>(&'a Place);

impl<'de> DeserializeSeed<'de> for Placed<'_> {
    type Value = (usize, Value);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Self::Value, D::Error> {
        let line = self.0.line.get();
        Row::deserialize(deserializer).map(|Row(value)| (line, value))
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
        while let Some((line, value)) = list.next_element_seed(Placed(self.0.place))? {
            self.0.row(line, None, value)?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        let line = self.0.place.line.get();
        let (mut single, mut columns) = (Vec::new(), Vec::new());
        while let Some(key) = map.next_key::<String>()? {
            match map.next_value_seed(Part { state: self.0, name: Arc::from(key.as_str()) })? {
                Held::Rows => {}
                Held::Column(values) => columns.push((key, values)),
                Held::Value(value) => {
                    self.0.keep::<A::Error>()?;
                    single.push((key, value));
                }
            }
        }
        if self.0.rows.get() > 0 {
            // what stands beside the rows describes the file
            return Ok(());
        }
        if columns.is_empty() && single.len() > 1 && single.iter().all(|(_, value)| value.is_object()) {
            // rows by their keys, as data frames are exported by their index
            return single.into_iter().try_for_each(|(_, row)| self.0.row(line, None, row));
        }
        distinct::<A::Error>(single.iter().map(|(key, _)| key).chain(columns.iter().map(|(key, _)| key)))?;
        if single.is_empty() && columns.first().is_some_and(|(_, values)| !values.is_empty()) {
            return self.columns(line, None, columns);
        }
        let lists = columns.into_iter().map(|(key, values)| (key, Value::Array(values)));
        self.0.row(line, None, Value::Object(single.into_iter().chain(lists).collect()))
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
            self.0.row(line, part, Value::Object(row.collect()))?;
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
    Value(Value),
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
        while let Some((line, value)) = list.next_element_seed(Placed(self.state.place))? {
            if value.is_object() || (lists && value.is_array()) {
                rows = true;
                self.state.row(line, Some(&self.name), value)?;
            } else {
                self.state.keep::<A::Error>()?;
                column.push(value);
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
        let line = self.state.place.line.get();
        let mut values = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            self.state.keep::<A::Error>()?;
            values.push((key, value));
        }
        distinct::<A::Error>(values.iter().map(|(key, _)| key))?;
        let rows = |v: &Value| matches!(v, Value::Array(list) if !list.is_empty() && list.iter().all(Value::is_object));
        let plain_value = |v: &Value| !v.is_array() && !v.is_object();
        if values.iter().filter(|(_, v)| rows(v)).count() == 1 && values.iter().all(|(_, v)| rows(v) || plain_value(v)) {
            // the answer of a service: rows, and beside them how many they are and the like
            for (_, value) in values {
                let Value::Array(list) = value else { continue };
                list.into_iter().try_for_each(|row| self.state.row(line, Some(&self.name), row))?;
            }
            return Ok(Held::Rows);
        }
        if !values.is_empty() && values.iter().all(|(_, v)| v.is_array()) {
            // a part with a list per column
            let lists = values.into_iter().map(|(key, v)| (key, if let Value::Array(list) = v { list } else { Vec::new() }));
            Document(self.state).columns(line, Some(&self.name), lists.collect())?;
            return Ok(Held::Rows);
        }
        if !values.is_empty() && values.iter().all(|(key, v)| key.bytes().all(|b| b.is_ascii_digit()) && plain(v.clone()).is_some()) {
            // a column that is indexed by row
            return Ok(Held::Column(values.into_iter().map(|(_, v)| v).collect()));
        }
        Ok(Held::Value(Value::Object(values.into_iter().collect())))
    }

    fn visit_bool<E>(self, v: bool) -> std::result::Result<Held, E> {
        Ok(Held::Value(v.into()))
    }

    fn visit_i64<E>(self, v: i64) -> std::result::Result<Held, E> {
        Ok(Held::Value(v.into()))
    }

    fn visit_u64<E>(self, v: u64) -> std::result::Result<Held, E> {
        Ok(Held::Value(v.into()))
    }

    fn visit_f64<E>(self, v: f64) -> std::result::Result<Held, E> {
        Ok(Held::Value(v.into()))
    }

    fn visit_str<E>(self, v: &str) -> std::result::Result<Held, E> {
        Ok(Held::Value(v.into()))
    }

    fn visit_unit<E>(self) -> std::result::Result<Held, E> {
        Ok(Held::Value(Value::Null))
    }
}
