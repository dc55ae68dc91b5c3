//! The tables of a report for programs: each as CSV, and all with their texts as one JSON file.
//!
//! A spreadsheet takes a cell that begins like a formula for one; text from anywhere that does so gets an
//! apostrophe in front, the spreadsheets' own mark for text. Numbers are written plainly, never as text.

use crate::document::{Document, Kind, Table};
use crate::record::Error;
use say::say;
use serde_json::{Value, json};

/// A table as CSV (RFC 4180) with a line of column names. An interval is two columns, `…_low` and `…_high`.
///
/// # Errors
/// If the writer refuses, which it does only for want of memory.
pub fn csv(table: &Table) -> Result<Vec<u8>, Error> {
    let mut out = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(Vec::new());
    let failed = |e: String| Error::Format { path: format!("{}.csv", table.name).into(), what: say!("cannot be written ({e})", "non si può scrivere ({e})") };
    let head: Vec<String> = table
        .columns
        .iter()
        .flat_map(|c| if c.kind == Kind::Interval { vec![format!("{}_low", c.key), format!("{}_high", c.key)] } else { vec![harmless(&c.key)] })
        .collect();
    out.write_record(&head).map_err(|e| failed(e.to_string()))?;
    for row in &table.rows {
        let mut fields = Vec::with_capacity(head.len());
        for (column, cell) in table.columns.iter().zip(&row.cells) {
            match (column.kind, &cell.value) {
                (Kind::Interval, Value::Array(ends)) => fields.extend((0..2).map(|i| ends.get(i).map(plain).unwrap_or_default())),
                (Kind::Interval, _) => fields.extend([String::new(), String::new()]),
                (_, value) => fields.push(plain(value)),
            }
        }
        out.write_record(&fields).map_err(|e| failed(e.to_string()))?;
    }
    out.into_inner().map_err(|e| failed(e.to_string()))
}

/// A value as a CSV field.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => harmless(text),
        other => other.to_string(),
    }
}

/// Text that no spreadsheet takes for a formula.
fn harmless(text: &str) -> String {
    let acts = text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r']) || text.starts_with(['\t', '\r', '\n']);
    if acts { format!("'{text}") } else { text.to_string() }
}

/// The report as JSON: its texts, its tables by name with values for programs, the values behind its figures.
pub fn json(document: &Document) -> Value {
    let rows = |table: &Table| -> Vec<Value> {
        let row = |cells: &[crate::document::Cell]| table.columns.iter().zip(cells).map(|(c, cell)| (c.key.clone(), cell.value.clone())).collect();
        table.rows.iter().map(|r| Value::Object(row(&r.cells))).collect()
    };
    let tables: serde_json::Map<String, Value> = document.tables().map(|t| (t.name.to_string(), json!(rows(t)))).collect();
    let figures: serde_json::Map<String, Value> = document.figures.iter().map(|(n, f)| (n.clone(), json!({"alt": f.alt, "data": f.data}))).collect();
    json!({"document": document, "tables": tables, "figures": figures})
}
