//! Files into records, records into examples: JSON Lines, CSV and TSV in UTF-8.
//!
//! A record is a list of named strings with the line it began on. Which of them is the text and
//! which the label is recognised by name, in English or Italian, or mapped by the user.

use crate::error::{Error, Result};
use crate::example::{Labelled, Origin};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

/// A row as it was read: field names and values, in file order.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Line on which it begins, from 1.
    pub line: usize,
    /// Fields in file order.
    pub fields: Vec<(String, String)>,
}

/// Field names that stand for a role when the user maps nothing, likeliest first.
const TEXT: [&str; 13] =
    ["text", "message", "utterance", "sentence", "testo", "messaggio", "frase", "question", "domanda", "query", "input", "content", "prompt"];
const LABEL: [&str; 11] = ["label", "intent", "category", "class", "etichetta", "intento", "categoria", "classe", "target", "topic", "tag"];

/// Which field plays which role.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Columns {
    /// Field of the text, if the user named it.
    pub text: Option<String>,
    /// Field of the label, if the user named it.
    pub label: Option<String>,
}

impl Columns {
    /// Parses `text=question,label=intent`.
    ///
    /// # Errors
    /// With a sentence about what is wrong.
    pub fn parse(spec: &str) -> std::result::Result<Self, String> {
        let mut out = Self::default();
        for part in spec.split(',').filter(|p| !p.trim().is_empty()) {
            let (role, field) = part.split_once('=').ok_or_else(|| format!("`{part}` is not of the form role=column"))?;
            let field = Some(field.trim().to_string());
            match role.trim() {
                "text" => out.text = field,
                "label" => out.label = field,
                other => return Err(format!("`{other}` is not a role; text and label are")),
            }
        }
        Ok(out)
    }
}

/// Reads labelled examples from a `.jsonl`, `.csv` or `.tsv` file.
///
/// # Errors
/// If the file cannot be read, is empty, is not valid UTF-8, or a row is malformed or lacks a field.
pub fn labelled(path: &Path, columns: &Columns) -> Result<Vec<Labelled>> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let records = records(path, &bytes)?;
    let Some(first) = records.first() else {
        return Err(Error::file(path, "holds no example; add one JSON object a line, such as {\"text\": \"…\", \"label\": \"…\"}"));
    };
    let text = role(path, first, "text", columns.text.as_deref(), &TEXT)?;
    let label = role(path, first, "label", columns.label.as_deref(), &LABEL)?;
    let file = Arc::new(path.to_path_buf());
    let field = |record: &Record, name: &str| {
        let found = record.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        found.ok_or_else(|| Error::row(path, record.line, format!("has no `{name}`; add it or delete the row")))
    };
    records
        .iter()
        .map(|r| Ok(Labelled { text: field(r, &text)?, label: field(r, &label)?.trim().to_string(), origin: Origin { file: file.clone(), line: r.line } }))
        .collect()
}

/// Splits a file into records by the format that its name says.
///
/// # Errors
/// As [`labelled`].
pub fn records(path: &Path, bytes: &[u8]) -> Result<Vec<Record>> {
    let text = utf8(path, bytes)?;
    match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("jsonl" | "ndjson") => jsonl(path, text),
        Some("csv") => delimited(path, text, b','),
        Some("tsv") => delimited(path, text, b'\t'),
        _ => Err(Error::file(path, "is of no format that this version reads; use .jsonl, .csv or .tsv")),
    }
}

/// The bytes as text, without a byte-order mark.
fn utf8<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let line = bytes[..e.valid_up_to()].iter().filter(|&&b| b == b'\n').count() + 1;
        Error::row(path, line, "is not valid UTF-8; save the file as UTF-8")
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// JSON Lines: an object a line; blank lines are passed over. Numbers and booleans become text,
/// nested values are kept as JSON.
fn jsonl(path: &Path, text: &str) -> Result<Vec<Record>> {
    let mut out = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let value: serde_json::Value = serde_json::from_str(line).map_err(|e| {
            let what = e.to_string();
            let what = what.split(" at line ").next().unwrap_or_default().to_string();
            Error::row(path, i + 1, format!("column {}: not valid JSON: {what}; each line must be one complete object", e.column()))
        })?;
        let serde_json::Value::Object(map) = value else {
            return Err(Error::row(path, i + 1, "is valid JSON but not an object; write {\"text\": \"…\", \"label\": \"…\"}"));
        };
        let fields = map.into_iter().filter_map(|(k, v)| Some((k, plain(v)?))).collect();
        out.push(Record { line: i + 1, fields });
    }
    Ok(out)
}

/// A JSON value as the text of a field; `null` is a missing field.
fn plain(value: serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(s) => Some(s),
        other => Some(other.to_string()),
    }
}

/// Delimited text with a header row.
fn delimited(path: &Path, text: &str, delimiter: u8) -> Result<Vec<Record>> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
    let mut lines = Lines { text: text.as_bytes(), at: 0, line: 1 };
    let fail = |lines: &mut Lines<'_>, e: &csv::Error| {
        let what = match e.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("has {len} columns where the header has {expected_len}; quote fields that hold the delimiter")
            }
            _ => format!("cannot be read: {e}"),
        };
        Error::row(path, lines.of(e.position()), what)
    };
    let header = reader.headers().map_err(|e| fail(&mut lines, &e))?;
    let first = lines.of(header.position());
    let header: Vec<String> = header.iter().map(|h| h.trim().to_string()).collect();
    if let Some((i, name)) = header.iter().enumerate().find(|(i, name)| header[..*i].contains(name)) {
        return Err(Error::row(path, first, format!("column {} repeats the name `{name}`; give each column its own name", i + 1)));
    }
    let mut out = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|e| fail(&mut lines, &e))?;
        let line = lines.of(row.position());
        out.push(Record { line, fields: header.iter().cloned().zip(row.iter().map(str::to_string)).collect() });
    }
    Ok(out)
}

/// Counts the lines before each record in turn. The csv reader's own count does not serve: it is
/// taken before blank lines are passed over, and between the two bytes of a `\r\n`.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line on which the record at or after this position begins.
    fn of(&mut self, position: Option<&csv::Position>) -> usize {
        let from = position.map_or(self.at, |p| p.byte() as usize);
        while let Some(&byte) = self.text.get(self.at).filter(|&&b| self.at < from || matches!(b, b'\r' | b'\n')) {
            self.at += 1;
            self.line += usize::from(byte == b'\n');
        }
        self.line
    }
}

/// The field that plays a role: the one the user named, else the likeliest by name.
fn role(path: &Path, first: &Record, role: &str, wanted: Option<&str>, known: &[&str]) -> Result<String> {
    let names: Vec<&str> = first.fields.iter().map(|(n, _)| n.as_str()).collect();
    let listed = names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    if let Some(wanted) = wanted {
        return names
            .iter()
            .find(|n| **n == wanted)
            .map(|n| (*n).to_string())
            .ok_or_else(|| Error::row(path, first.line, format!("has no column `{wanted}`; the columns are {listed}")));
    }
    let found = known.iter().find_map(|k| names.iter().find(|n| n.eq_ignore_ascii_case(k)));
    found.map(|n| (*n).to_string()).ok_or_else(|| {
        Error::row(path, first.line, format!("no column looks like the {role}; the columns are {listed}: say which one with --columns {role}=NAME"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, bytes: &[u8], columns: &str) -> std::result::Result<Vec<(String, String, usize)>, String> {
        let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
        let file = dir.path().join(name);
        std::fs::write(&file, bytes).map_err(|e| e.to_string())?;
        let rows = labelled(&file, &Columns::parse(columns)?).map_err(|e| e.to_string().replace(&dir.path().display().to_string(), ""))?;
        Ok(rows.into_iter().map(|r| (r.text, r.label, r.origin.line)).collect())
    }

    fn row(text: &str, label: &str, line: usize) -> (String, String, usize) {
        (text.into(), label.into(), line)
    }

    #[test]
    fn formats_and_names_that_people_use() {
        let jsonl = "\u{feff}{\"text\":\"ciao\",\"label\":\"a\"}\n\n{\"label\":3,\"text\":\"è\"}\r\n";
        assert_eq!(read("x.jsonl", jsonl.as_bytes(), ""), Ok(vec![row("ciao", "a", 1), row("è", "3", 3)]));
        let csv = "Intento,Messaggio\na,\"uno, due\"\nb,\"su\ndue righe\"\nc,tre\n";
        assert_eq!(read("x.csv", csv.as_bytes(), ""), Ok(vec![row("uno, due", "a", 2), row("su\ndue righe", "b", 3), row("tre", "c", 5)]));
        assert_eq!(read("x.tsv", b"q\tk\nciao\ta\n", "text=q,label=k"), Ok(vec![row("ciao", "a", 2)]));
    }

    #[test]
    fn lines_are_counted_across_blank_lines_and_windows_line_ends() {
        let csv = b"\r\ntext,label\r\na,b\r\n\r\n\n\"c\r\nd\",e\r\nf,g";
        assert_eq!(read("x.csv", csv, ""), Ok(vec![row("a", "b", 3), row("c\r\nd", "e", 6), row("f", "g", 8)]));
    }

    #[test]
    fn bad_files_are_named_with_their_row() {
        let message = |name: &str, bytes: &[u8], columns: &str| read(name, bytes, columns).expect_err("must be refused");
        assert!(message("x.jsonl", b"", "").contains("x.jsonl: holds no example"));
        assert!(message("x.jsonl", b"{\"text\":\"a\",\"label\":\"b\"}\n{\"text\": \n", "").contains("x.jsonl:2: column 9: not valid JSON"));
        assert!(message("x.jsonl", b"[1]\n", "").contains("x.jsonl:1: is valid JSON but not an object"));
        assert!(message("x.jsonl", b"{\"text\":\"a\",\"label\":\"b\"}\n\xff\n", "").contains("x.jsonl:2: is not valid UTF-8"));
        assert!(message("x.jsonl", b"{\"text\":\"a\",\"label\":\"b\"}\n{\"text\":\"a\"}\n", "").contains("x.jsonl:2: has no `label`"));
        assert!(message("x.jsonl", b"{\"foo\":\"a\",\"label\":\"b\"}\n", "").contains("--columns text=NAME"));
        assert!(message("x.jsonl", b"{\"foo\":\"a\",\"label\":\"b\"}\n", "text=bar").contains("the columns are `foo`, `label`"));
        assert!(message("x.csv", b"text,label\na,b\na,b,c\n", "").contains("x.csv:3: has 3 columns where the header has 2"));
        assert!(message("x.csv", b"\n\ntext,text\na,b\n", "").contains("x.csv:3: column 2 repeats the name"));
        assert!(message("x.csv", b"text,label\r\na,b\r\n\r\na,b,c\r\n", "").contains("x.csv:4: has 3 columns"));
        assert!(message("x.doc", b"a", "").contains("use .jsonl, .csv or .tsv"));
        assert!(Columns::parse("text").is_err() && Columns::parse("x=y").is_err());
    }
}
