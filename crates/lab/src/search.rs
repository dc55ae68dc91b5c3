//! Full-text search over the rows of a data set: SQLite's FTS5, in a file of the library's folder.
//!
//! The file is named after what is in the set, so an index is built once and never out of date; it
//! can be deleted at any time. Matches come in the order of the rows, not by rank: ranking a common
//! word would mean to score a million rows before the first is shown.

use crate::error::{Error, Result};
use crate::home::Home;
use data::set::{DataSet, Split};
use data::{Example, Target};
use rusqlite::{Connection, OpenFlags};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// Indexes that are kept; older ones are deleted when a new one is built.
const KEPT: usize = 8;
/// A beginning of a word matches from this many letters; shorter ones match half of the language.
const PREFIX: usize = 3;

/// The open index of a data set.
pub struct Index {
    path: PathBuf,
    db: Connection,
    /// Number of rows before each part.
    parts: Vec<(Split, usize)>,
}

impl Index {
    /// Opens the index of a set, building it if there is none.
    ///
    /// # Errors
    /// If the library's folder cannot be written.
    pub fn open(home: &Home, set: &DataSet) -> Result<Self> {
        let mut before = 0;
        let mut parts = Vec::new();
        let mut hasher = DefaultHasher::new();
        for (split, file) in &set.splits {
            parts.push((*split, before));
            before += file.examples.len();
            (split.name(), file.examples.len()).hash(&mut hasher);
            file.examples.iter().for_each(|e| (&e.text, answer(e)).hash(&mut hasher));
        }
        let folder = home.path().join("search");
        let path = folder.join(format!("{:016x}.sqlite", hasher.finish()));
        if !path.exists() {
            std::fs::create_dir_all(&folder).map_err(|e| Error::io(&folder, e))?;
            // a half-built index never has the name of a whole one
            let half = folder.join(format!("{:016x}-{}.half", hasher.finish(), std::process::id()));
            let built = build(&half, set).map_err(|source| Error::Library { path: half.clone(), source });
            let moved = built.and_then(|()| std::fs::rename(&half, &path).map_err(|e| Error::io(&path, e)));
            if moved.is_err() {
                let _ = std::fs::remove_file(&half);
            }
            moved?;
            prune(&folder, "sqlite");
        }
        let db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|source| Error::Library { path: path.clone(), source })?;
        Ok(Self { path, db, parts })
    }

    /// The first rows that hold all of these words, whatever their case and accents; the last word may
    /// be the beginning of one. In quotes, words must follow each other.
    ///
    /// # Errors
    /// If the index is damaged.
    pub fn find(&self, words: &str, most: usize) -> Result<Vec<(Split, usize)>> {
        let query = query(words);
        if query.is_empty() {
            return Ok(Vec::new());
        }
        let fail = |source| Error::Library { path: self.path.clone(), source };
        let mut statement = self.db.prepare_cached("SELECT rowid FROM rows WHERE rows MATCH ?1 ORDER BY rowid LIMIT ?2").map_err(fail)?;
        let found = statement.query_map((query, most as i64), |row| row.get::<_, i64>(0)).map_err(fail)?;
        found.map(|row| row.map(|row| self.place(usize::try_from(row).unwrap_or(0))).map_err(fail)).collect()
    }

    fn place(&self, row: usize) -> (Split, usize) {
        let (split, before) = self.parts.iter().rev().find(|(_, before)| *before <= row).copied().unwrap_or((Split::Train, 0));
        (split, row - before)
    }
}

/// FTS5's own syntax would make an error of a stray quote: every word is quoted.
fn query(words: &str) -> String {
    let mut parts = Vec::new();
    for (i, piece) in words.split('"').enumerate() {
        let words = piece.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
        if i % 2 == 1 {
            let phrase = words.collect::<Vec<_>>().join(" ");
            parts.extend((!phrase.is_empty()).then(|| format!("\"{phrase}\"")));
        } else {
            parts.extend(words.map(|w| format!("\"{w}\"")));
        }
    }
    let last = words.trim_end().chars().last();
    if let (Some(part), true) = (parts.last_mut(), last.is_some_and(char::is_alphanumeric) && last_word(words).chars().count() >= PREFIX) {
        part.push('*');
    }
    parts.join(" ")
}

fn last_word(words: &str) -> &str {
    words.trim_end().rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default()
}

fn build(path: &Path, set: &DataSet) -> rusqlite::Result<()> {
    let mut db = Connection::open(path)?;
    // a crash leaves a file that is never read
    db.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;")?;
    let change = db.transaction()?;
    change.execute_batch("CREATE VIRTUAL TABLE rows USING fts5(text, answer, content = '', tokenize = 'unicode61 remove_diacritics 2')")?;
    {
        let mut insert = change.prepare("INSERT INTO rows (rowid, text, answer) VALUES (?1, ?2, ?3)")?;
        for (row, e) in set.splits.values().flat_map(|f| &f.examples).enumerate() {
            insert.execute((row as i64, &e.text, answer(e)))?;
        }
    }
    change.commit()
}

/// What of the answer can be searched; entities are part of the text.
fn answer(e: &Example) -> std::borrow::Cow<'_, str> {
    match &e.target {
        Target::Label(text) | Target::Sql(text) | Target::Completion(text) => text.into(),
        Target::Tags(tags) => tags.join(" ").into(),
        Target::Entities(spans) => spans.iter().map(|s| s.kind.as_str()).collect::<Vec<_>>().join(" ").into(),
    }
}

/// Deletes the oldest files with an ending; one that another process has open may stay.
pub(crate) fn prune(folder: &Path, ending: &str) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut files: Vec<_> = entries
        .filter_map(|e| {
            let e = e.ok()?;
            Some((e.metadata().ok()?.modified().ok()?, e.path()))
        })
        .filter(|(_, path)| path.extension().is_some_and(|e| e == ending))
        .collect();
    files.sort();
    for (_, path) in files.iter().rev().skip(KEPT) {
        let _ = std::fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::Kind;
    use data::set::Source;

    #[test]
    fn rows_are_found_by_words_beginnings_and_phrases() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, rows: &[(&str, &str)]| {
            let lines: String = rows.iter().map(|(text, label)| serde_json::json!({"text": text, "label": label}).to_string() + "\n").collect();
            std::fs::write(dir.path().join(name), lines).expect("writable");
        };
        write("train.jsonl", &[("Il pacco è fermo", "spedizione"), ("Perché il rimborso tarda?", "rimborso")]);
        write("test.jsonl", &[("Il mio \"pacco\" perché tarda", "spedizione")]);
        let set = DataSet::open(&Source { kind: Some(Kind::Intent), folder: Some(dir.path().into()), ..Source::default() }).expect("well-formed");
        let home = Home::open(Some(&dir.path().join("home"))).expect("a home");
        for _ in 0..2 {
            let index = Index::open(&home, &set).expect("an index");
            let find = |words: &str| index.find(words, 10).expect("a search");
            let [first, second, test] = [(Split::Train, 0), (Split::Train, 1), (Split::Test, 0)];
            assert_eq!(find("PACCO"), [first, test]);
            assert_eq!(find("perche"), [second, test], "accents do not matter");
            assert_eq!(find("tarda spediz"), [test], "labels are searched, and beginnings of the last word");
            assert_eq!(find("\"il pacco\""), [first]);
            assert_eq!(find("pac fermo"), [], "only the last word may be a beginning");
            assert_eq!(find("il").len(), 3);
            assert_eq!(index.find("il", 1).expect("a search"), [first]);
            for odd in ["", "  ", "\"", "*", "a AND", "NEAR(", "text:", "-"] {
                assert!(index.find(odd, 10).is_ok(), "{odd}");
            }
        }
        assert_eq!(std::fs::read_dir(home.path().join("search")).expect("the folder").count(), 1, "built once");
    }
}
