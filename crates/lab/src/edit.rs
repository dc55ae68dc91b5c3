//! Editing a data set without touching its files.
//!
//! The files stay as they are; what a person changes is a list of changes in the library, kept under
//! the SHA-256 of the files. Each change is on disk before it shows, so a crash loses none, and a
//! file that was changed outside begins a new list. Undo and redo move a mark in the list.

use crate::error::{Error, Result};
use crate::library::Library;
use data::set::{DataSet, File, Source, Split};
use data::write::{self, NewCard};
use data::{Example, Kind, Origin, Target};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A row of the edited set: first those of the files in their order, then those that were added. A row
/// keeps its number whatever happens to others.
pub type Row = usize;

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Change {
    /// Gives a row another answer.
    Relabel {
        /// The row.
        row: Row,
        /// The new answer, of the set's kind.
        target: Target,
    },
    /// Takes a row out.
    Delete {
        /// The row.
        row: Row,
    },
    /// Puts a row into another part.
    Move {
        /// The row.
        row: Row,
        /// The part.
        to: Split,
    },
    /// Adds a row after all others.
    Add {
        /// The part.
        split: Split,
        /// The text.
        text: String,
        /// The answer, of the set's kind.
        target: Target,
    },
}

/// A row with where it stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct Edited {
    /// The part; `None` once it is deleted.
    pub split: Option<Split>,
    /// The example.
    pub example: Example,
}

/// A data set that is being edited.
pub struct Editor {
    library: Library,
    set: DataSet,
    key: String,
    rows: Vec<Edited>,
    /// All changes, and in front of each the row as it was (`None` for an added one).
    changes: Vec<(Change, Option<Edited>)>,
    /// How many of them are in force; those behind are undone.
    done: usize,
}

impl Editor {
    /// Opens a data set with the changes that were made to it before.
    ///
    /// # Errors
    /// If the set or the library cannot be read.
    pub fn open(library: Library, source: &Source) -> Result<Self> {
        let mut set = DataSet::open(source)?;
        let key = set.splits.iter().map(|(split, file)| format!("{} {}", split.name(), file.sha256)).collect::<Vec<_>>().join("\n");
        let key = format!("{}\n{key}", set.kind);
        let of = |(split, file): (&Split, &mut File)| {
            std::mem::take(&mut file.examples).into_iter().map(|example| Edited { split: Some(*split), example }).collect()
        };
        let rows = set.splits.iter_mut().flat_map(|part| -> Vec<Edited> { of(part) }).collect();
        let (journal, done) = library.changes(&key)?;
        let mut editor = Self { library, set, key, rows, changes: Vec::new(), done: 0 };
        for text in journal {
            let change: Change = serde_json::from_str(&text).map_err(|e| Error::request(format!("a change in the library cannot be read ({e}): {text}")))?;
            let before = editor.checked(&change)?;
            editor.put(&change);
            editor.changes.push((change, before));
            editor.done += 1;
        }
        // those behind the mark were only put in to know what they change
        while editor.done > done {
            editor.take_back();
        }
        Ok(editor)
    }

    /// All rows, deleted ones too, by number.
    pub fn rows(&self) -> &[Edited] {
        &self.rows
    }

    /// What the rows are examples of.
    pub fn kind(&self) -> Kind {
        self.set.kind
    }

    /// Makes a change. What was undone before is given up.
    ///
    /// # Errors
    /// If the row is not there, the answer is of another kind, or the library cannot be written; nothing has changed then.
    pub fn apply(&mut self, change: Change) -> Result<()> {
        let before = self.checked(&change)?;
        let text = serde_json::to_string(&change).map_err(|e| Error::request(format!("a change cannot be written: {e}")))?;
        self.library.add_change(&self.key, self.done, &text)?;
        self.changes.truncate(self.done);
        self.put(&change);
        self.changes.push((change, before));
        self.done += 1;
        Ok(())
    }

    /// Takes the last change back; it, or `None` if there is none.
    ///
    /// # Errors
    /// If the library cannot be written.
    pub fn undo(&mut self) -> Result<Option<Change>> {
        let Some(last) = self.done.checked_sub(1) else { return Ok(None) };
        self.library.mark_changes(&self.key, self.done, last)?;
        self.take_back();
        Ok(Some(self.changes[last].0.clone()))
    }

    /// Makes the change that was last taken back again; it, or `None` if there is none.
    ///
    /// # Errors
    /// If the library cannot be written.
    pub fn redo(&mut self) -> Result<Option<Change>> {
        let Some((change, _)) = self.changes.get(self.done).cloned() else { return Ok(None) };
        self.library.mark_changes(&self.key, self.done, self.done + 1)?;
        self.put(&change);
        self.done += 1;
        Ok(Some(change))
    }

    /// The changes in force, first to last.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.changes[..self.done].iter().map(|(change, _)| change)
    }

    /// How many changes were taken back and can be made again.
    pub fn undone(&self) -> usize {
        self.changes.len() - self.done
    }

    /// The edited set, for checking and describing. Its files and their hashes are those of the source; a
    /// part that the source lacks has those of its first file.
    pub fn set(&self) -> DataSet {
        let mut set = self.set.clone();
        for split in Split::ALL {
            let examples: Vec<Example> = self.examples(split).cloned().collect();
            if examples.is_empty() {
                set.splits.remove(&split);
            } else if let Some(file) = self.set.splits.get(&split).or_else(|| self.set.splits.values().next()) {
                set.splits.insert(split, File { examples, ..file.clone() });
            }
        }
        set
    }

    /// The rows of a part.
    pub fn examples(&self, split: Split) -> impl Iterator<Item = &Example> {
        self.rows.iter().filter(move |r| r.split == Some(split)).map(|r| &r.example)
    }

    /// Writes one part as a file, in the format that its name says (.jsonl, .json, .csv, .tsv).
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn export(&self, split: Split, path: &Path) -> Result<()> {
        Ok(write::write(path, self.set.kind, self.examples(split))?)
    }

    /// Writes the edited set as a folder with a card.
    ///
    /// # Errors
    /// If the folder holds files already, or the disk refuses.
    pub fn export_folder(&self, out: &Path) -> Result<()> {
        let new = NewCard {
            how_it_was_made: format!("Edited with Lapidary {}: {} changes to {}.", crate::VERSION, self.done, self.set.card.name),
            ..NewCard::of(&self.set)
        };
        let parts: BTreeMap<Split, Vec<&Example>> = Split::ALL.map(|s| (s, self.examples(s).collect())).into();
        Ok(write::folder(out, self.set.kind, new, &parts)?)
    }

    /// Refuses a change that cannot be made; else the row that it changes, as it is.
    fn checked(&self, change: &Change) -> Result<Option<Edited>> {
        let (row, target) = match change {
            Change::Relabel { row, target } => (Some(*row), Some(target)),
            Change::Delete { row } | Change::Move { row, .. } => (Some(*row), None),
            Change::Add { target, .. } => (None, Some(target)),
        };
        if let Some(target) = target.filter(|t| t.kind() != self.set.kind) {
            return Err(Error::request(format!("an answer of the kind {} was given where the set is of {}", target.kind(), self.set.kind)));
        }
        let Some(row) = row else { return Ok(None) };
        match self.rows.get(row) {
            None => Err(Error::request(format!("there is no row {row}; the rows are 0 to {}", self.rows.len().saturating_sub(1)))),
            Some(Edited { split: None, .. }) => Err(Error::request(format!("row {row} is deleted; undo that first"))),
            Some(found) => Ok(Some(found.clone())),
        }
    }

    fn put(&mut self, change: &Change) {
        match change {
            Change::Relabel { row, target } => self.rows[*row].example.target = target.clone(),
            Change::Delete { row } => self.rows[*row].split = None,
            Change::Move { row, to } => self.rows[*row].split = Some(*to),
            Change::Add { split, text, target } => {
                // where an added row stands is its place in the change list
                let origin = Origin { file: Arc::new(PathBuf::from("added")), line: self.rows.len() + 1 };
                self.rows.push(Edited { split: Some(*split), example: Example { text: text.clone(), target: target.clone(), origin } });
            }
        }
    }

    fn take_back(&mut self) {
        self.done -= 1;
        match &self.changes[self.done] {
            (Change::Add { .. }, _) => {
                self.rows.pop();
            }
            (Change::Relabel { row, .. } | Change::Delete { row } | Change::Move { row, .. }, Some(before)) => self.rows[*row] = before.clone(),
            (_, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;

    struct Bench {
        dir: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let bench = Self { dir: tempfile::tempdir().expect("a temporary folder") };
            bench.write(&["uno", "due", "tre"]);
            bench
        }

        fn write(&self, texts: &[&str]) {
            let rows: String = texts.iter().map(|t| format!("{{\"text\":\"{t}\",\"label\":\"a\"}}\n")).collect();
            std::fs::write(self.dir.path().join("train.jsonl"), rows).expect("writable");
        }

        fn open(&self) -> Editor {
            let home = Home::open(Some(&self.dir.path().join("home"))).expect("home");
            let source = Source { train: Some(self.dir.path().join("train.jsonl")), kind: Some(Kind::Intent), ..Source::default() };
            Editor::open(Library::open(&home).expect("library"), &source).expect("opens")
        }
    }

    fn label(name: &str) -> Target {
        Target::Label(name.into())
    }

    /// Every row in short: its part, text and label.
    fn rows(editor: &Editor) -> Vec<String> {
        let row = |r: &Edited| format!("{} {} {}", r.split.map_or("-", Split::name), r.example.text, r.example.label());
        editor.rows().iter().map(row).collect()
    }

    fn changes() -> [Change; 5] {
        [
            Change::Relabel { row: 0, target: label("b") },
            Change::Delete { row: 1 },
            Change::Move { row: 2, to: Split::Test },
            Change::Add { split: Split::Validation, text: "quattro".into(), target: label("c") },
            Change::Relabel { row: 3, target: label("d") },
        ]
    }

    const EDITED: [&str; 4] = ["train uno b", "- due a", "test tre a", "validation quattro d"];

    #[test]
    fn every_change_can_be_undone_and_made_again() {
        let bench = Bench::new();
        let mut editor = bench.open();
        let mut states = vec![rows(&editor)];
        for change in changes() {
            editor.apply(change).expect("applies");
            states.push(rows(&editor));
        }
        assert_eq!(rows(&editor), EDITED);
        for state in states.iter().rev().skip(1) {
            editor.undo().expect("undoes").expect("a change");
            assert_eq!(&rows(&editor), state);
        }
        assert_eq!(editor.undo().expect("nothing to undo"), None);
        for state in &states[1..] {
            editor.redo().expect("redoes").expect("a change");
            assert_eq!(&rows(&editor), state);
        }
        assert_eq!(editor.redo().expect("nothing to redo"), None);
        editor.undo().expect("undoes");
        editor.apply(Change::Delete { row: 0 }).expect("applies");
        assert_eq!(editor.redo().expect("the undone change is given up"), None);
    }

    #[test]
    fn a_crash_loses_no_change() {
        let bench = Bench::new();
        let mut editor = bench.open();
        for change in changes() {
            editor.apply(change).expect("applies");
            // as after a crash: nothing is closed, the file is opened anew
            let again = bench.open();
            assert_eq!(rows(&again), rows(&editor));
            assert_eq!(again.changes().count(), editor.changes().count());
        }
        editor.undo().expect("undoes");
        editor.undo().expect("undoes");
        let mut again = bench.open();
        assert_eq!(rows(&again), rows(&editor));
        again.redo().expect("redoes");
        again.redo().expect("redoes");
        assert_eq!(rows(&again), EDITED);
        std::mem::forget(editor);
    }

    #[test]
    fn the_source_is_untouched_and_another_source_begins_anew() {
        let bench = Bench::new();
        let before = std::fs::read(bench.dir.path().join("train.jsonl")).expect("readable");
        let mut editor = bench.open();
        editor.apply(Change::Delete { row: 0 }).expect("applies");
        assert_eq!(std::fs::read(bench.dir.path().join("train.jsonl")).expect("readable"), before);
        bench.write(&["altro"]);
        assert_eq!(rows(&bench.open()), ["train altro a"]);
        bench.write(&["uno", "due", "tre"]);
        assert_eq!(rows(&bench.open())[0], "- uno a", "the old file has its changes still");
    }

    #[test]
    fn what_cannot_be_done_changes_nothing() {
        let bench = Bench::new();
        let mut editor = bench.open();
        let before = rows(&editor);
        assert!(editor.apply(Change::Delete { row: 3 }).is_err_and(|e| e.to_string().contains("no row 3; the rows are 0 to 2")));
        let query = Target::Sql("SELECT 1".into());
        assert!(editor.apply(Change::Relabel { row: 0, target: query }).is_err_and(|e| e.to_string().contains("of the kind sql")));
        assert_eq!((rows(&editor), rows(&bench.open())), (before.clone(), before));
        editor.apply(Change::Delete { row: 0 }).expect("applies");
        assert!(editor.apply(Change::Relabel { row: 0, target: label("b") }).is_err_and(|e| e.to_string().contains("row 0 is deleted")));
    }

    #[test]
    fn two_editors_do_not_overwrite_each_other() {
        let bench = Bench::new();
        let (mut one, mut other) = (bench.open(), bench.open());
        one.apply(Change::Delete { row: 0 }).expect("applies");
        assert!(other.apply(Change::Delete { row: 1 }).is_err_and(|e| e.to_string().contains("edited elsewhere")));
        assert_eq!(rows(&bench.open()), rows(&one));
    }

    #[test]
    fn the_edited_set_is_exported() {
        let bench = Bench::new();
        let mut editor = bench.open();
        for change in changes() {
            editor.apply(change).expect("applies");
        }
        let out = bench.dir.path().join("out");
        editor.export_folder(&out).expect("written");
        let set = DataSet::open(&Source { folder: Some(out), ..Source::default() }).expect("opens");
        assert_eq!(
            Split::ALL.map(|s| set.examples(s).iter().map(|e| format!("{} {}", e.text, e.label())).collect::<String>()),
            ["uno b", "quattro d", "tre a"]
        );
        for name in ["x.jsonl", "x.json", "x.csv", "x.tsv"] {
            let path = bench.dir.path().join(name);
            editor.export(Split::Train, &path).expect("written");
            let back = data::read::examples(&path, Kind::Intent, &crate::Columns::default()).expect("reads");
            assert_eq!((back.len(), back[0].label()), (1, "b"), "{name}");
        }
        assert_eq!(Split::ALL.map(|s| editor.set().examples(s).len()), [1, 1, 1]);
    }
}
