//! Files into records, records into examples: JSON Lines, CSV and TSV in UTF-8.
//!
//! A record is a list of named strings with the line it began on. Which of them is the text and
//! which the answer is recognised by name, in English or Italian, or mapped by the user.

use crate::error::{Error, Result};
use crate::example::{Example, Origin, Span, Target};
use crate::kind::Kind;
use std::collections::BTreeMap;
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

/// What a field of a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The text of an intent, of entities, of hashtags.
    Text,
    /// The label of an intent.
    Label,
    /// The entities of a text.
    Entities,
    /// The question that a query answers.
    Question,
    /// The query.
    Sql,
    /// The hashtags of a text.
    Hashtags,
    /// What a custom task reads.
    Prompt,
    /// What a custom task answers.
    Completion,
}

/// Field names of texts, likeliest first; every kind of text falls back on the others' names.
const TEXT: [&str; 13] =
    ["text", "message", "utterance", "sentence", "testo", "messaggio", "frase", "question", "domanda", "query", "input", "content", "prompt"];

impl Role {
    /// All roles.
    pub const ALL: [Self; 8] = [Self::Text, Self::Label, Self::Entities, Self::Question, Self::Sql, Self::Hashtags, Self::Prompt, Self::Completion];

    /// Name in `--columns` and in cards.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Label => "label",
            Self::Entities => "entities",
            Self::Question => "question",
            Self::Sql => "sql",
            Self::Hashtags => "hashtags",
            Self::Prompt => "prompt",
            Self::Completion => "completion",
        }
    }

    /// Field names that stand for the role when the user maps nothing, likeliest first.
    fn known(self) -> &'static [&'static str] {
        match self {
            Self::Text => &TEXT,
            Self::Label => &["label", "intent", "category", "class", "etichetta", "intento", "categoria", "classe", "target", "topic", "tag"],
            Self::Entities => &["entities", "spans", "entità", "entita", "ner", "annotations", "annotazioni", "labels", "label"],
            Self::Question => &["question", "domanda", "text", "testo", "utterance", "prompt", "input"],
            Self::Sql => &["sql", "query", "sql_query", "interrogazione", "answer", "risposta", "completion", "output"],
            Self::Hashtags => &["hashtags", "tags", "hashtag", "etichette", "keywords", "parole_chiave"],
            Self::Prompt => &["prompt", "instruction", "istruzione", "input", "question", "domanda", "text", "testo"],
            Self::Completion => &["completion", "response", "output", "answer", "risposta", "completamento", "target"],
        }
    }
}

impl Kind {
    /// The roles of what is read and of what is answered.
    pub fn roles(self) -> [Role; 2] {
        match self {
            Self::Intent => [Role::Text, Role::Label],
            Self::Entities => [Role::Text, Role::Entities],
            Self::Sql => [Role::Question, Role::Sql],
            Self::Hashtags => [Role::Text, Role::Hashtags],
            Self::Custom => [Role::Prompt, Role::Completion],
        }
    }
}

/// Which field plays which role, as far as somebody said so.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns(BTreeMap<Role, String>);

impl Columns {
    /// Parses `text=question,label=intent`.
    ///
    /// # Errors
    /// With a sentence about what is wrong.
    pub fn parse(spec: &str) -> std::result::Result<Self, String> {
        let mut out = Self::default();
        for part in spec.split(',').filter(|p| !p.trim().is_empty()) {
            let (role, field) = part.split_once('=').ok_or_else(|| format!("`{part}` is not of the form role=column"))?;
            let known = Role::ALL.into_iter().find(|r| r.name() == role.trim());
            let known = known.ok_or_else(|| format!("`{}` is not a role; the roles are {}", role.trim(), Role::ALL.map(Role::name).join(", ")))?;
            out.0.insert(known, field.trim().to_string());
        }
        Ok(out)
    }

    /// The field of a role, if somebody named it.
    pub fn get(&self, role: Role) -> Option<&str> {
        self.0.get(&role).map(String::as_str)
    }

    /// These columns, and for roles that they do not name those of a card; other keys of a card are for people.
    #[must_use]
    pub fn or_card(&self, card: &BTreeMap<String, String>) -> Self {
        let named = |r: Role| Some((r, self.get(r).map(str::to_string).or_else(|| card.get(r.name()).cloned())?));
        Self(Role::ALL.into_iter().filter_map(named).collect())
    }
}

/// Reads the examples of a `.jsonl`, `.csv` or `.tsv` file.
///
/// # Errors
/// If the file cannot be read, is empty, is not valid UTF-8, or a row is malformed or lacks a field.
pub fn examples(path: &Path, kind: Kind, columns: &Columns) -> Result<Vec<Example>> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    let records = records(path, &bytes)?;
    let [reads, answers] = kind.roles();
    let Some(first) = records.first() else {
        return Err(Error::file(
            path,
            format!("holds no example; add one JSON object a line, such as {{\"{}\": \"…\", \"{}\": …}}", reads.name(), answers.name()),
        ));
    };
    let text = role(path, first, reads, columns)?;
    let answer = role(path, first, answers, columns)?;
    let file = Arc::new(path.to_path_buf());
    let field = |record: &Record, name: &str| {
        let found = record.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        found.ok_or_else(|| Error::row(path, record.line, format!("has no `{name}`; add it or delete the row")))
    };
    let example = |r: &Record| {
        let target = target(kind, &field(r, &answer)?).map_err(|what| Error::row(path, r.line, format!("`{answer}`: {what}")))?;
        Ok(Example { text: field(r, &text)?, target, origin: Origin { file: file.clone(), line: r.line } })
    };
    records.iter().map(example).collect()
}

/// The answer that a field holds.
fn target(kind: Kind, value: &str) -> std::result::Result<Target, String> {
    Ok(match kind {
        Kind::Intent => Target::Label(value.trim().into()),
        Kind::Sql => Target::Sql(value.trim().into()),
        Kind::Custom => Target::Completion(value.into()),
        Kind::Entities => Target::Entities(spans(value)?),
        Kind::Hashtags => Target::Tags(tags(value)?),
    })
}

/// Entities as a JSON list.
fn spans(value: &str) -> std::result::Result<Vec<Span>, String> {
    if value.trim().is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_str(value).map_err(|_| "is not a list of entities; write [{\"start\": 0, \"end\": 5, \"type\": \"…\"}]".into())
}

/// Hashtags as a JSON list, or in one string with spaces or commas between them.
fn tags(value: &str) -> std::result::Result<Vec<String>, String> {
    if value.trim_start().starts_with('[') {
        return serde_json::from_str(value).map_err(|_| "is not a list of hashtags; write [\"#…\", \"#…\"]".into());
    }
    let parts = value.split(|c: char| c.is_whitespace() || c == ',' || c == ';');
    Ok(parts.filter(|t| !t.is_empty()).map(String::from).collect())
}

/// Splits a file into records by the format that its name says.
///
/// # Errors
/// As [`examples`].
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

/// The field that plays a role: the one that was named, else the likeliest by name.
fn role(path: &Path, first: &Record, role: Role, columns: &Columns) -> Result<String> {
    let names: Vec<&str> = first.fields.iter().map(|(n, _)| n.as_str()).collect();
    let listed = names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    if let Some(wanted) = columns.get(role) {
        return names
            .iter()
            .find(|n| **n == wanted)
            .map(|n| (*n).to_string())
            .ok_or_else(|| Error::row(path, first.line, format!("has no column `{wanted}`; the columns are {listed}")));
    }
    let found = role.known().iter().find_map(|k| names.iter().find(|n| n.eq_ignore_ascii_case(k)));
    let role = role.name();
    found.map(|n| (*n).to_string()).ok_or_else(|| {
        Error::row(path, first.line, format!("no column looks like the {role}; the columns are {listed}: say which one with --columns {role}=NAME"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_kind(kind: Kind, name: &str, bytes: &[u8], columns: &str) -> std::result::Result<Vec<Example>, String> {
        let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
        let file = dir.path().join(name);
        std::fs::write(&file, bytes).map_err(|e| e.to_string())?;
        examples(&file, kind, &Columns::parse(columns)?).map_err(|e| e.to_string().replace(&dir.path().display().to_string(), ""))
    }

    fn read(name: &str, bytes: &[u8], columns: &str) -> std::result::Result<Vec<(String, String, usize)>, String> {
        let rows = of_kind(Kind::Intent, name, bytes, columns)?;
        Ok(rows.into_iter().map(|r| (r.text.clone(), r.label().to_string(), r.origin.line)).collect())
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
    fn every_kind_of_answer_is_read() {
        let target = |kind, line: &str| of_kind(kind, "x.jsonl", line.as_bytes(), "").map(|rows| rows[0].target.clone());
        let span = Span { start: 0, end: 4, kind: "people".into() };
        let line = r#"{"text": "Anna", "entities": [{"start": 0, "end": 4, "type": "people"}]}"#;
        assert_eq!(target(Kind::Entities, line), Ok(Target::Entities(vec![span])));
        assert_eq!(target(Kind::Sql, r#"{"domanda": "Quanti?", "query": " SELECT 1 "}"#), Ok(Target::Sql("SELECT 1".into())));
        let tags = Target::Tags(vec!["#a".into(), "b".into()]);
        assert_eq!(target(Kind::Hashtags, r##"{"text": "x", "hashtags": ["#a", "b"]}"##), Ok(tags.clone()));
        assert_eq!(target(Kind::Hashtags, r##"{"text": "x", "hashtags": "#a, b"}"##), Ok(tags));
        assert_eq!(target(Kind::Custom, r#"{"prompt": "x", "completion": " y"}"#), Ok(Target::Completion(" y".into())));
        let message = |kind, line| target(kind, line).expect_err("must be refused");
        assert!(message(Kind::Entities, r#"{"text": "x", "entities": [{"start": -1}]}"#).contains("x.jsonl:1: `entities`: is not a list of entities"));
        assert!(message(Kind::Hashtags, r#"{"text": "x", "hashtags": [1]}"#).contains("x.jsonl:1: `hashtags`: is not a list of hashtags"));
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
