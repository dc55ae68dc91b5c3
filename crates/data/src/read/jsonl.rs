//! JSON Lines: an object a line; blank lines are passed over.

use super::text::{Lines, column};
use super::unique::Unique;
use super::{Record, Sink, plain};
use crate::error::{Error, Result};
use say::say;
use serde::de::DeserializeSeed;
use std::path::Path;

/// Reads every line as a record.
///
/// # Errors
/// If the file cannot be read, or the sink refuses a row.
pub fn read(path: &Path, mut lines: Lines<'_>, sink: Sink<'_>) -> Result<()> {
    while let Some((number, line)) = lines.next()? {
        match line {
            Ok(line) if line.trim().is_empty() => {}
            line => sink(line.and_then(|line| record(path, number, line)))?,
        }
    }
    Ok(())
}

fn record(path: &Path, number: usize, line: &str) -> Result<Record> {
    let wrong = |byte: usize, what: String| Error::row(path, number, what).at_column(column(line.as_bytes(), byte));
    let mut parser = serde_json::Deserializer::from_str(line);
    let value = Unique(&Err::<(), String>).deserialize(&mut parser).and_then(|value| parser.end().map(|()| value));
    let value = value.map_err(|e| {
        let what = e.to_string();
        let what = say::json(what.split(" at line ").next().unwrap_or_default());
        let what = match e.is_data() {
            true => what,
            false => say!("not valid JSON: {what}; each line must be one complete object", "JSON non valido: {what}; ogni riga dev’essere un oggetto completo"),
        };
        // the library counts bytes from 1
        wrong(e.column().saturating_sub(1), what)
    })?;
    fields(value).map(|fields| Record { line: number, part: None, fields }).ok_or_else(|| {
        wrong(
            line.len() - line.trim_start().len(),
            say!(
                "is valid JSON but not an object; write {{\"text\": \"…\", \"label\": \"…\"}}",
                "è JSON valido ma non un oggetto; scrivi {{\"text\": \"…\", \"label\": \"…\"}}"
            ),
        )
    })
}

/// An object as named fields, a list as numbered ones. `null` is a missing field.
pub fn fields(value: serde_json::Value) -> Option<Vec<(String, String)>> {
    match value {
        serde_json::Value::Object(map) => Some(map.into_iter().filter_map(|(k, v)| Some((k, plain(v)?))).collect()),
        serde_json::Value::Array(list) => {
            let numbered = list.into_iter().enumerate().filter_map(|(i, v)| Some(((i + 1).to_string(), plain(v)?)));
            Some(numbered.collect()).filter(|fields: &Vec<_>| fields.len() > 1)
        }
        _ => None,
    }
}
