//! JSON Lines: an object a line; blank lines are passed over.

use super::text::Lines;
use super::unique::Row;
use super::{Record, Sink, plain};
use crate::error::{Error, Result};
use say::say;
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
    let Row(value) = serde_json::from_str(line).map_err(|e| {
        let what = e.to_string();
        let what = say::json(what.split(" at line ").next().unwrap_or_default());
        if e.is_data() {
            return Error::row(path, number, say!("column {}: {what}", "colonna {}: {what}", e.column()));
        }
        Error::row(
            path,
            number,
            say!(
                "column {}: not valid JSON: {what}; each line must be one complete object",
                "colonna {}: JSON non valido: {what}; ogni riga dev’essere un oggetto completo",
                e.column()
            ),
        )
    })?;
    fields(value).map(|fields| Record { line: number, part: None, fields }).ok_or_else(|| {
        Error::row(
            path,
            number,
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
