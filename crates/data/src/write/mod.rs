//! Examples into files that [`crate::read`] reads back as they were.

use crate::error::{Error, Result};
use crate::example::{Example, Target};
use crate::kind::Kind;
use crate::part::Split;
use crate::set::{CARD, DataSet};
use gemma::file::{folder_atomically, write_atomically_with};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The formats that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// An object a line.
    JsonLines,
    /// A list of objects, one a line.
    Json,
    /// Commas, with a header.
    Csv,
    /// Tabs, with a header.
    Tsv,
}

impl Layout {
    /// All formats.
    pub const ALL: [Self; 4] = [Self::JsonLines, Self::Json, Self::Csv, Self::Tsv];

    /// Ending of the names of its files.
    pub fn ending(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
        }
    }

    /// The format that a file's name says.
    ///
    /// # Errors
    /// If it says none that is written.
    pub fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("jsonl" | "ndjson") => Ok(Self::JsonLines),
            Some("json") => Ok(Self::Json),
            Some("csv") => Ok(Self::Csv),
            Some("tsv") => Ok(Self::Tsv),
            _ => Err(Error::file(path, "is of no format that is written; use .jsonl, .json, .csv or .tsv")),
        }
    }
}

/// Writes examples of a kind to a file, in the format that its name says. The file appears at once.
///
/// # Errors
/// If the name says no format, or the disk refuses.
pub fn write<'a>(path: &Path, kind: Kind, examples: impl Iterator<Item = &'a Example>) -> Result<()> {
    let layout = Layout::of(path)?;
    let io = |e| Error::io(path, e);
    write_atomically_with(path, |out| match layout {
        Layout::JsonLines => examples.into_iter().try_for_each(|e| writeln!(out, "{}", object(kind, e))),
        Layout::Json => {
            out.write_all(b"[")?;
            for (i, e) in examples.enumerate() {
                write!(out, "{}{}", if i == 0 { "\n" } else { ",\n" }, object(kind, e))?;
            }
            out.write_all(b"\n]\n")
        }
        Layout::Csv => table(out, b',', kind, examples),
        Layout::Tsv => table(out, b'\t', kind, examples),
    })
    .map_err(io)
}

/// An example as a JSON object with the names that the readers know.
pub fn object(kind: Kind, example: &Example) -> Value {
    let [reads, answers] = kind.roles();
    let answer = match &example.target {
        Target::Label(s) | Target::Sql(s) | Target::Completion(s) => json!(s),
        Target::Entities(spans) => json!(spans),
        Target::Tags(tags) => json!(tags),
    };
    Value::Object(Map::from_iter([(reads.name().to_string(), json!(example.text)), (answers.name().to_string(), answer)]))
}

fn table<'a>(out: &mut dyn Write, delimiter: u8, kind: Kind, examples: impl Iterator<Item = &'a Example>) -> io::Result<()> {
    let mut rows = csv::WriterBuilder::new().delimiter(delimiter).from_writer(out);
    rows.write_record(kind.roles().map(|r| r.name()))?;
    for example in examples {
        let answer = match &example.target {
            Target::Label(s) | Target::Sql(s) | Target::Completion(s) => s.clone(),
            Target::Entities(spans) => serde_json::to_string(spans)?,
            Target::Tags(tags) if tags.iter().all(|t| plain_tag(t)) => tags.join(" "),
            Target::Tags(tags) => serde_json::to_string(tags)?,
        };
        rows.write_record([&example.text, &answer])?;
    }
    rows.flush()
}

/// Whether a tag in a row of others is read back as it is.
fn plain_tag(tag: &str) -> bool {
    tag.strip_prefix('#').is_some_and(|t| !t.is_empty() && !t.contains(|c: char| c.is_whitespace() || "#,;".contains(c)))
}

/// The card of a data set that this program makes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewCard {
    /// Short name.
    pub name: String,
    /// Task.
    pub task: String,
    /// Language code, if it is known.
    pub language: String,
    /// Licence, if it is known.
    pub license: String,
    /// SQL script that makes the tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<PathBuf>,
    /// SQL script that fills them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<PathBuf>,
    /// SQLite file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<PathBuf>,
    /// Where the examples come from and what was done with them.
    pub how_it_was_made: String,
    /// File of each part.
    pub files: BTreeMap<String, PathBuf>,
    /// Examples of each part.
    pub counts: BTreeMap<String, usize>,
}

impl NewCard {
    /// What is known of a set, for a card of what is made of it.
    pub fn of(set: &DataSet) -> Self {
        Self {
            name: set.card.name.clone(),
            task: set.kind.name().into(),
            language: set.card.language.clone(),
            license: set.card.license.clone(),
            schema: set.schema.clone(),
            seed: set.seed.clone(),
            database: set.database.clone(),
            ..Self::default()
        }
    }
}

/// Writes a data set as a folder of JSON Lines with a card. The folder appears at once, and must not
/// hold anything before; what the card names as schema, seed and database is copied into it.
///
/// # Errors
/// If the folder holds files already, or the disk refuses.
pub fn folder(out: &Path, kind: Kind, card: NewCard, parts: &BTreeMap<Split, Vec<&Example>>) -> Result<()> {
    folder_as(out, kind, Layout::JsonLines, card, parts)
}

/// As [`folder`], with the files of the parts in a format of choice.
///
/// # Errors
/// As [`folder`].
pub fn folder_as(out: &Path, kind: Kind, layout: Layout, mut card: NewCard, parts: &BTreeMap<Split, Vec<&Example>>) -> Result<()> {
    let io = |path: &Path, e| Error::io(path, e);
    match std::fs::read_dir(out).map(|mut entries| entries.next().is_none()) {
        Ok(true) => std::fs::remove_dir(out).map_err(|e| io(out, e))?,
        Ok(false) => return Err(Error::file(out, "already holds files; choose another folder")),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(io(out, e)),
    }
    folder_atomically(out, io, |unfinished| {
        for file in [&mut card.schema, &mut card.seed, &mut card.database].into_iter().flatten() {
            let name = PathBuf::from(file.file_name().unwrap_or_default());
            std::fs::copy(&*file, unfinished.join(&name)).map_err(|e| io(file, e))?;
            *file = name;
        }
        for (split, examples) in parts.iter().filter(|(_, examples)| !examples.is_empty()) {
            let name = PathBuf::from(format!("{}.{}", split.name(), layout.ending()));
            write(&unfinished.join(&name), kind, examples.iter().copied())?;
            card.files.insert(split.name().into(), name);
            card.counts.insert(split.name().into(), examples.len());
        }
        let text = toml::to_string(&card).map_err(|e| Error::file(out, format!("its card cannot be written: {e}")))?;
        let path = unfinished.join(CARD);
        write_atomically_with(&path, |w| w.write_all(text.as_bytes())).map_err(|e| io(&path, e))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Origin, Span};
    use crate::read::{self, Columns};
    use crate::set::Source;
    use std::sync::Arc;

    fn example(text: &str, target: Target) -> Example {
        Example { text: text.into(), target, origin: Origin { file: Arc::new("x".into()), line: 1 } }
    }

    fn of(kind: Kind) -> Vec<Example> {
        let span = Span { start: 0, end: 4, kind: "people".into() };
        let tags = |list: &[&str]| Target::Tags(list.iter().map(|t| (*t).to_string()).collect());
        let targets = match kind {
            Kind::Intent => [Target::Label("a, \"b\"".into()), Target::Label("perché".into())],
            Kind::Entities => [Target::Entities(vec![span]), Target::Entities(Vec::new())],
            Kind::Sql => [Target::Sql("SELECT 'a;b',\n 1".into()), Target::Sql("SELECT 2".into())],
            Kind::Hashtags => [tags(&["#uno", "#due"]), tags(&["due parole", "#tre"])],
            Kind::Custom => [Target::Completion(" tab\te\r\nriga ".into()), Target::Completion("è".into())],
        };
        let texts = ["Anna dice: \"sì, certo\"; e poi\tva", "Riga\ndopo riga"];
        texts.into_iter().zip(targets).map(|(text, target)| example(text, target)).collect()
    }

    fn told(examples: &[Example]) -> Vec<(&str, &Target)> {
        examples.iter().map(|e| (e.text.as_str(), &e.target)).collect()
    }

    #[test]
    fn what_is_written_is_read_back_as_it_was() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for kind in Kind::ALL {
            let examples = of(kind);
            for name in ["x.jsonl", "x.json", "x.csv", "x.tsv"] {
                let path = dir.path().join(name);
                write(&path, kind, examples.iter()).expect("written");
                let back = read::examples(&path, kind, &Columns::default()).unwrap_or_else(|e| panic!("{kind} {name}: {e}"));
                assert_eq!(told(&back), told(&examples), "{kind} {name}");
            }
        }
        assert!(write(&dir.path().join("x.parquet"), Kind::Intent, of(Kind::Intent).iter()).is_err());
    }

    #[test]
    fn a_folder_opens_by_its_card_and_is_never_written_over() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (out, schema) = (dir.path().join("set"), dir.path().join("tables.sql"));
        std::fs::write(&schema, "CREATE TABLE t (a)").expect("writable");
        let examples = of(Kind::Sql);
        let parts = BTreeMap::from([(Split::Train, vec![&examples[0]]), (Split::Test, vec![&examples[1]]), (Split::Validation, Vec::new())]);
        let card = NewCard { name: "n".into(), task: "sql".into(), schema: Some(schema), ..NewCard::default() };
        folder(&out, Kind::Sql, card.clone(), &parts).expect("written");
        let set = DataSet::open(&Source { folder: Some(out.clone()), ..Source::default() }).expect("opens");
        assert_eq!((set.kind, set.card.name.as_str(), set.schema), (Kind::Sql, "n", Some(out.join("tables.sql"))));
        assert_eq!((told(set.splits[&Split::Train].examples.as_slice()), set.splits.len()), (told(&examples[..1]), 2));
        assert!(folder(&out, Kind::Sql, card, &parts).is_err_and(|e| e.to_string().contains("already holds files")));
        let lost = NewCard { schema: Some(dir.path().join("nowhere.sql")), ..NewCard::default() };
        let other = dir.path().join("other");
        assert!(folder(&other, Kind::Sql, lost, &parts).is_err_and(|e| e.to_string().contains("nowhere.sql")));
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 2, "nothing half-made is left");
    }
}
