//! Editing a data set without touching its files.
//!
//! The files stay as they are; what a person changes is a list of changes in the library, kept under
//! the SHA-256 of the files and the columns that were read of them. Each change is on disk before it shows, so a crash loses none, and a
//! file that was changed outside begins a new list. Undo and redo move a mark in the list.

use crate::error::{Error, Result};
use crate::library::Library;
use crate::look;
use crate::watch::{Watch, ask};
use data::example::Span;
use data::set::{DataSet, File, Source, Split};
use data::write::{self, Layout, NewCard};
use data::{Example, Kind, Origin, Target};
use report::text::Lang;
use say::{CHANGE, say};
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
    /// Gives a row another text.
    Rewrite {
        /// The row.
        row: Row,
        /// The new text.
        text: String,
        /// The answer that goes with it, of the set's kind: the places of entities move with the text.
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

impl Change {
    /// The row that it changes; none of one that it adds.
    pub fn row(&self) -> Option<Row> {
        match self {
            Self::Relabel { row, .. } | Self::Rewrite { row, .. } | Self::Delete { row } | Self::Move { row, .. } => Some(*row),
            Self::Add { .. } => None,
        }
    }
}

/// A row with where it stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct Edited {
    /// The part; `None` once it is deleted.
    pub split: Option<Split>,
    /// The example.
    pub example: Example,
}

/// A data set with every row as it stands.
struct State {
    /// Without its examples.
    set: DataSet,
    rows: Vec<Edited>,
    /// Rows of each part in the files.
    sizes: BTreeMap<Split, usize>,
}

/// A data set that is being edited.
pub struct Editor {
    library: Library,
    key: String,
    state: State,
    /// All changes, and with each the row as it was before (`None` for an added one).
    changes: Vec<(Change, Option<Edited>)>,
    /// How many of them are in force; those behind are undone.
    done: usize,
}

/// A change with what it did.
pub struct Step<'a> {
    /// The change.
    pub change: &'a Change,
    /// The row as it was before; none for an added one.
    pub before: Option<&'a Edited>,
    /// Where the row stands in its file, or among those that were added; none for one whose adding was undone.
    pub origin: Option<&'a Origin>,
    /// Whether it is in force; else it was undone.
    pub in_force: bool,
}

/// What the changes to a data set are kept under: its kind, the hashes of its files, and which columns they were read by.
fn key(set: &DataSet) -> String {
    let files = set.splits.iter().map(|(split, file)| format!("{} {}", split.name(), file.sha256));
    // one that is called like its role is read whether or not it is named
    let columns = set.columns.iter().filter(|(role, field)| role.name() != *field).map(|(role, field)| format!("{} {field}", role.name()));
    format!("{}\n{}", set.kind, files.chain(columns).collect::<Vec<_>>().join("\n"))
}

/// The changes to a data set that are in force, first to last.
///
/// # Errors
/// If the library cannot be read.
pub fn changes(library: &Library, set: &DataSet) -> Result<Vec<Change>> {
    let (journal, done) = library.changes(&key(set))?;
    journal.iter().take(done).map(|text| read(text)).collect()
}

fn read(text: &str) -> Result<Change> {
    serde_json::from_str(text)
        .map_err(|e| Error::request(say!("a change to the data cannot be read ({e}): {text}", "una modifica ai dati non si può leggere ({e}): {text}")))
}

fn written(change: &Change) -> Result<String> {
    serde_json::to_string(change).map_err(|e| Error::request(say!("a change cannot be written: {e}", "una modifica non si può scrivere: {e}")))
}

/// Changes as text, a JSON object a line, which [`parse`] reads back.
///
/// # Errors
/// Never in practice: every change is an object.
pub fn journal(changes: &[Change]) -> Result<String> {
    changes.iter().map(|change| Ok(written(change)? + "\n")).collect()
}

/// Reads what [`journal`] wrote.
///
/// # Errors
/// If a line is no change.
pub fn parse(journal: &str) -> Result<Vec<Change>> {
    journal.lines().filter(|line| !line.trim().is_empty()).map(read).collect()
}

/// What a person gives as the answer to a text, see [`tasks::answer::read`].
///
/// # Errors
/// If it is no answer of the kind, or names an entity that is not in the text.
pub fn answer(kind: Kind, text: &str, given: &str) -> Result<Target> {
    let target = tasks::answer::read(kind, text, given).map_err(|why| {
        let why = Lang::spoken().reason(&why);
        Error::request(say!("`{given}` is no answer for {kind}: {why}", "`{given}` non è una risposta per {kind}: {why}"))
    })?;
    match &target {
        Target::Entities(spans) if spans.iter().any(|s| s.of(text).is_none()) => Err(Error::request(say!(
            "`{given}`: not all of these entities are in the text: {text}",
            "`{given}`: non tutte queste entità sono nel testo: {text}"
        ))),
        _ => Ok(target),
    }
}

/// The answer to a text that was rewritten. Entities in what is the same at the beginning and at the end of both texts
/// stay; those that the change touches are given up.
fn moved(target: Target, before: &str, after: &str) -> Target {
    let Target::Entities(spans) = target else { return target };
    let (long, now) = (before.chars().count(), after.chars().count());
    let head = before.chars().zip(after.chars()).take_while(|(a, b)| a == b).count();
    // what is the same at the beginning is not counted again from the end
    let tail = before.chars().rev().zip(after.chars().rev()).take(long.min(now) - head).take_while(|(a, b)| a == b).count();
    let place = |span: Span| {
        if span.end <= head {
            Some(span)
        } else if (long - tail..=span.end).contains(&span.start) && span.end <= long {
            Some(Span { start: span.start + now - long, end: span.end + now - long, ..span })
        } else {
            None
        }
    };
    Target::Entities(spans.into_iter().filter_map(place).collect())
}

/// A data set with changes made to it. Its files and their hashes stay those of the source.
///
/// # Errors
/// If a change cannot be made, because it belongs to another set.
pub fn edited(set: DataSet, changes: &[Change]) -> Result<DataSet> {
    let mut state = State::new(set);
    for change in changes {
        state.checked(change)?;
        state.put(change);
    }
    Ok(state.set())
}

/// As [`edited`], for who asked for the changes: without any, what was asked for is not there.
///
/// # Errors
/// As [`edited`], or if there is no change.
pub fn heeding(set: DataSet, changes: &[Change]) -> Result<DataSet> {
    if changes.is_empty() {
        return Err(Error::request(say!(
            "{} has not been edited; leave --edited out, or see `lapidary data edit`",
            "{} non è stato modificato; togli --edited, oppure vedi `lapidary data edit`",
            set.card.name
        )));
    }
    edited(set, changes)
}

/// Writes rows as a folder with a card, its files in a format of choice; `set` says what they are, `changes` how many were made.
/// `watch` is told of the rows.
///
/// # Errors
/// If the format cannot say an answer, the folder holds files already, the disk refuses, or it was ended.
pub fn export(set: &DataSet, parts: BTreeMap<Split, Vec<&Example>>, changes: usize, out: &Path, layout: Layout, watch: Watch<'_>) -> Result<()> {
    let new = NewCard {
        how_it_was_made: say!(
            "Edited with Lapidary {}: {} to {}.",
            "Modificato con Lapidary {}: {} a {}.",
            crate::VERSION,
            say::count(changes, CHANGE),
            set.card.name
        ),
        ..NewCard::of(set)
    };
    Ok(write::folder(out, set.kind, layout, new, &parts, watch)?)
}

impl State {
    fn new(mut set: DataSet) -> Self {
        let of = |(split, file): (&Split, &mut File)| -> Vec<Edited> {
            std::mem::take(&mut file.examples).into_iter().map(|example| Edited { split: Some(*split), example }).collect()
        };
        let sizes = set.splits.iter().map(|(split, file)| (*split, file.examples.len())).collect();
        let rows = set.splits.iter_mut().flat_map(of).collect();
        Self { set, rows, sizes }
    }

    fn set(&self) -> DataSet {
        self.with(Split::ALL.map(|split| (split, self.examples(split).cloned().collect())).into())
    }

    fn with(&self, mut parts: BTreeMap<Split, Vec<Example>>) -> DataSet {
        let mut set = self.set.clone();
        for split in Split::ALL {
            let examples = parts.remove(&split).unwrap_or_default();
            if examples.is_empty() {
                set.splits.remove(&split);
            } else if let Some(file) = self.set.splits.get(&split).or_else(|| self.set.splits.values().next()) {
                set.splits.insert(split, File { examples, ..file.clone() });
            }
        }
        set
    }

    fn examples(&self, split: Split) -> impl Iterator<Item = &Example> {
        self.rows.iter().filter(move |r| r.split == Some(split)).map(|r| &r.example)
    }

    /// Refuses a change that cannot be made; else the row that it changes, as it is.
    fn checked(&self, change: &Change) -> Result<Option<Edited>> {
        if let Change::Rewrite { text, .. } | Change::Add { text, .. } = change
            && text.trim().is_empty()
        {
            return Err(Error::request(say!("the row would have no text; write one", "la riga resterebbe senza testo; scrivilo")));
        }
        let (row, target) = match change {
            Change::Relabel { row, target } | Change::Rewrite { row, target, .. } => (Some(*row), Some(target)),
            Change::Delete { row } | Change::Move { row, .. } => (Some(*row), None),
            Change::Add { target, .. } => (None, Some(target)),
        };
        if let Some(target) = target.filter(|t| t.kind() != self.set.kind) {
            return Err(Error::request(say!(
                "an answer of the kind {} was given where the set is of {}",
                "la risposta data è di tipo {}, l’insieme è di tipo {}",
                target.kind(),
                self.set.kind
            )));
        }
        row.map(|row| self.there(row).cloned()).transpose()
    }

    /// A row that is not deleted.
    fn there(&self, row: Row) -> Result<&Edited> {
        match self.rows.get(row) {
            None => Err(Error::request(say!(
                "there is no row {row}; the rows are 0 to {}",
                "non c’è una riga {row}; le righe vanno da 0 a {}",
                self.rows.len().saturating_sub(1)
            ))),
            Some(Edited { split: None, .. }) => {
                Err(Error::request(say!("row {row} is deleted; undo that first", "la riga {row} è eliminata; annulla prima l’eliminazione")))
            }
            Some(found) => Ok(found),
        }
    }

    fn put(&mut self, change: &Change) {
        match change {
            Change::Relabel { row, target } => self.rows[*row].example.target = target.clone(),
            Change::Rewrite { row, text, target } => {
                let example = &mut self.rows[*row].example;
                (example.text, example.target) = (text.clone(), target.clone());
            }
            Change::Delete { row } => self.rows[*row].split = None,
            Change::Move { row, to } => self.rows[*row].split = Some(*to),
            Change::Add { split, text, target } => {
                // where an added row stands is its place in the change list
                let origin = Origin { file: Arc::new(PathBuf::from(ADDED)), line: self.rows.len() + 1 };
                self.rows.push(Edited { split: Some(*split), example: Example { text: text.clone(), target: target.clone(), origin } });
            }
        }
    }
}

/// What stands for the file of a row that was added.
const ADDED: &str = "added";

impl Editor {
    /// Opens a data set with the changes that were made to it before.
    ///
    /// # Errors
    /// If the set or the library cannot be read.
    pub fn open(library: Library, source: &Source) -> Result<Self> {
        Self::of(library, DataSet::open(source)?)
    }

    /// As [`Editor::open`], of a set that has been read.
    ///
    /// # Errors
    /// If the library cannot be read.
    pub fn of(library: Library, set: DataSet) -> Result<Self> {
        let key = key(&set);
        let (journal, done) = library.changes(&key)?;
        let mut editor = Self { library, key, state: State::new(set), changes: Vec::new(), done: 0 };
        for text in journal {
            let change = read(&text)?;
            let before = editor.state.checked(&change)?;
            editor.state.put(&change);
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
        &self.state.rows
    }

    /// What the rows are examples of.
    pub fn kind(&self) -> Kind {
        self.state.set.kind
    }

    /// The row that a person names: `file:line`, as findings do, or `train:0`, its part and its number in the
    /// files, as [`crate::look::tokens`] counts.
    ///
    /// # Errors
    /// If there is none, or several.
    pub fn locate(&self, name: &str) -> Result<Row> {
        let numbered = |split: Split, number: usize| {
            let size = |s: Split| self.state.sizes.get(&s).copied().unwrap_or(0);
            let before: usize = Split::ALL.into_iter().take_while(|s| *s != split).map(size).sum();
            if number < size(split) { Ok(before + number) } else { Err(size(split)) }
        };
        look::named(name, numbered, self.state.rows.iter().enumerate().map(|(row, e)| (row, &e.example.origin)))
    }

    /// The change that gives a row another text. Its answer stays; entities move with the words that they mark, and those
    /// whose words have changed are given up.
    ///
    /// # Errors
    /// If the row is not there.
    pub fn rewriting(&self, row: Row, text: String) -> Result<Change> {
        let Example { text: before, target, .. } = self.state.there(row)?.example.clone();
        Ok(Change::Rewrite { row, target: moved(target, &before, &text), text })
    }

    /// Makes a change. What was undone before is given up.
    ///
    /// # Errors
    /// If the row is not there or would have no text, the answer is of another kind, or the library cannot be written;
    /// nothing has changed then.
    pub fn apply(&mut self, change: Change) -> Result<()> {
        let before = self.state.checked(&change)?;
        self.library.add_change(&self.key, self.done, &written(&change)?)?;
        self.changes.truncate(self.done);
        self.state.put(&change);
        self.changes.push((change, before));
        self.done += 1;
        Ok(())
    }

    /// Makes changes to a set in which none is in force, all of them or none; `watch` is asked before each. An editor that failed at
    /// it is to be opened anew.
    ///
    /// # Errors
    /// As [`Editor::apply`], or if it was ended; the library has none of them then.
    pub fn adopt(&mut self, changes: Vec<Change>, watch: Watch<'_>) -> Result<()> {
        let mut texts = Vec::with_capacity(changes.len());
        self.changes.truncate(self.done);
        for change in changes {
            ask(watch)?;
            let before = self.state.checked(&change)?;
            texts.push(written(&change)?);
            self.state.put(&change);
            self.changes.push((change, before));
        }
        self.library.add_changes(&self.key, &texts)?;
        self.done = self.changes.len();
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
        self.state.put(&change);
        self.done += 1;
        Ok(Some(change))
    }

    /// The changes in force, first to last.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.changes[..self.done].iter().map(|(change, _)| change)
    }

    /// The changes that were undone, the one that was undone last first.
    pub fn undone(&self) -> impl Iterator<Item = &Change> {
        self.changes[self.done..].iter().map(|(change, _)| change)
    }

    /// Every change with what it did, first to last, and then those that were undone.
    pub fn history(&self) -> impl Iterator<Item = Step<'_>> {
        let mut added: Row = self.state.sizes.values().sum();
        self.changes.iter().enumerate().map(move |(number, (change, before))| {
            let row = change.row().unwrap_or_else(|| {
                added += 1;
                added - 1
            });
            let origin = self.state.rows.get(row).map(|e| &e.example.origin);
            Step { change, before: before.as_ref(), origin, in_force: number < self.done }
        })
    }

    /// The edited set, for checking and describing. Its files and their hashes are those of the source; a
    /// part that the source lacks has those of its first file.
    pub fn set(&self) -> DataSet {
        self.state.set()
    }

    /// As [`Editor::set`], of rows that were copied before.
    pub fn with(&self, parts: BTreeMap<Split, Vec<Example>>) -> DataSet {
        self.state.with(parts)
    }

    /// The rows of a part.
    pub fn examples(&self, split: Split) -> impl Iterator<Item = &Example> {
        self.state.examples(split)
    }

    /// Writes the edited set as a folder with a card, its files in a format of choice.
    ///
    /// # Errors
    /// As [`export`].
    pub fn export(&self, out: &Path, layout: Layout) -> Result<()> {
        export(&self.state.set, Split::ALL.map(|s| (s, self.examples(s).collect())).into(), self.done, out, layout, &mut |_, _| true)
    }

    fn take_back(&mut self) {
        self.done -= 1;
        match &self.changes[self.done] {
            (Change::Add { .. }, _) => {
                self.state.rows.pop();
            }
            (Change::Relabel { row, .. } | Change::Rewrite { row, .. } | Change::Delete { row } | Change::Move { row, .. }, Some(before)) => {
                self.state.rows[*row] = before.clone();
            }
            (_, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;
    use data::read::Columns;

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
            self.open_by("")
        }

        fn open_by(&self, columns: &str) -> Editor {
            let home = Home::open(Some(&self.dir.path().join("home"))).expect("home");
            let columns = Columns::parse(columns).expect("columns");
            let source = Source { train: Some(self.dir.path().join("train.jsonl")), kind: Some(Kind::Intent), columns, ..Source::default() };
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

    fn changes() -> [Change; 7] {
        [
            Change::Relabel { row: 0, target: label("b") },
            Change::Delete { row: 1 },
            Change::Move { row: 2, to: Split::Test },
            Change::Add { split: Split::Validation, text: "quattro".into(), target: label("c") },
            Change::Relabel { row: 3, target: label("d") },
            Change::Rewrite { row: 3, text: "cinque".into(), target: label("d") },
            Change::Rewrite { row: 0, text: "un altro".into(), target: label("b") },
        ]
    }

    const EDITED: [&str; 4] = ["train un altro b", "- due a", "test tre a", "validation cinque d"];

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
    fn changes_are_adopted_all_of_them_or_none() {
        let bench = Bench::new();
        let mut asked = 0;
        let mut watch = |_: u64, _: Option<u64>| {
            asked += 1;
            asked < 7
        };
        assert!(bench.open().adopt(changes().to_vec(), &mut watch).is_err() && asked == 7);
        let wrong = [changes().as_slice(), &[Change::Delete { row: 99 }]].concat();
        assert!(bench.open().adopt(wrong, &mut |_, _| true).is_err_and(|e| e.to_string().contains("no row 99")));
        assert_eq!((bench.open().history().count(), rows(&bench.open())[0].as_str()), (0, "train uno a"));
        // what was undone before is given up
        let mut editor = bench.open();
        editor.apply(Change::Delete { row: 2 }).expect("applies");
        editor.undo().expect("undoes");
        editor.adopt(changes().to_vec(), &mut |_, _| true).expect("adopted");
        assert_eq!((rows(&editor), editor.changes().count(), editor.undone().count()), (EDITED.map(String::from).to_vec(), 7, 0));
        let mut again = bench.open();
        assert_eq!((rows(&again), again.history().count()), (rows(&editor), 7));
        for _ in 0..7 {
            again.undo().expect("undoes").expect("a change");
        }
        assert_eq!((rows(&again), again.undone().next()), (rows(&bench.open()), Some(&changes()[0])));
        // changes that are in force are others'
        editor = bench.open();
        editor.redo().expect("redoes");
        assert!(bench.open().adopt(Vec::new(), &mut |_, _| true).is_err_and(|e| e.to_string().contains("edited elsewhere")));
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
    fn changes_belong_to_the_columns_that_were_read() {
        let bench = Bench::new();
        let lines = "{\"text\":\"uno\",\"label\":\"a\",\"tono\":\"x\"}\n{\"text\":\"due\",\"label\":\"b\",\"tono\":\"y\"}\n";
        std::fs::write(bench.dir.path().join("train.jsonl"), lines).expect("writable");
        let mut editor = bench.open();
        editor.apply(Change::Relabel { row: 0, target: label("b") }).expect("applies");
        let mut other = bench.open_by("label=tono");
        assert_eq!(rows(&other), ["train uno x", "train due y"], "a label of another column is none of this one");
        other.apply(Change::Delete { row: 1 }).expect("applies");
        assert_eq!(rows(&bench.open_by("label=tono")), ["train uno x", "- due y"]);
        // what is recognised without being named is the same when it is named
        for columns in ["", "label=label", "text=text,label=label"] {
            assert_eq!(rows(&bench.open_by(columns)), ["train uno b", "train due b"], "{columns}");
        }
    }

    #[test]
    fn what_cannot_be_done_changes_nothing() {
        let bench = Bench::new();
        let mut editor = bench.open();
        let before = rows(&editor);
        let empty = Change::Add { split: Split::Train, text: " \n".into(), target: label("a") };
        assert!(editor.apply(empty).is_err_and(|e| e.to_string().contains("would have no text")));
        assert!(editor.apply(Change::Delete { row: 3 }).is_err_and(|e| e.to_string().contains("no row 3; the rows are 0 to 2")));
        let query = Target::Sql("SELECT 1".into());
        assert!(editor.apply(Change::Relabel { row: 0, target: query }).is_err_and(|e| e.to_string().contains("of the kind sql")));
        let blank = editor.rewriting(0, " \n".into()).expect("the row is there");
        assert!(editor.apply(blank).is_err_and(|e| e.to_string().contains("no text")));
        assert!(editor.rewriting(3, "x".into()).is_err_and(|e| e.to_string().contains("no row 3; the rows are 0 to 2")));
        assert_eq!((rows(&editor), rows(&bench.open())), (before.clone(), before));
        editor.apply(Change::Delete { row: 0 }).expect("applies");
        assert!(editor.apply(Change::Relabel { row: 0, target: label("b") }).is_err_and(|e| e.to_string().contains("row 0 is deleted")));
    }

    #[test]
    fn entities_move_with_their_words_and_go_where_these_change() {
        let span = |start, end| Span { start, end, kind: "x".into() };
        let after = |before: &str, spans: &[(usize, usize)], after: &str| {
            let spans = spans.iter().map(|&(start, end)| span(start, end)).collect();
            let Target::Entities(spans) = moved(Target::Entities(spans), before, after) else { panic!("no entities") };
            spans.iter().map(|s| s.of(after).unwrap_or("outside").to_string()).collect::<Vec<_>>()
        };
        let (text, all) = ("Però Anna 🎉 vola a Roma", [(5, 9), (19, 23)]);
        assert_eq!(after(text, &all, "Però Anna 🎉 non vola mai a Roma"), ["Anna", "Roma"]);
        assert_eq!(after(text, &all, "Anna 🎉 vola a Roma"), ["Anna", "Roma"]);
        assert_eq!(after(text, &all, "Però Carla 🎉 vola a Roma"), ["Roma"]);
        assert_eq!(after(text, &all, "Però Anna 🎉 vola a Torino"), ["Anna"]);
        assert_eq!(after(text, &all, text), ["Anna", "Roma"]);
        // an end that is the beginning again counts once
        assert_eq!(after("ah ah", &[(0, 2), (3, 5)], "ah ah ah"), ["ah", "ah"]);
        assert_eq!(after("ah ah ah", &[(6, 8)], "ah"), [""; 0]);
        // a place that lay outside the text lies nowhere
        assert_eq!(after("ah", &[(1, 9)], "ahi"), [""; 0]);
        assert_eq!(moved(label("b"), "x", "y"), label("b"));
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
        for layout in Layout::of(Kind::Intent) {
            let out = bench.dir.path().join(layout.name());
            editor.export(&out, layout).expect("written");
            let set = DataSet::open(&Source { folder: Some(out), ..Source::default() }).expect("opens");
            let rows = Split::ALL.map(|s| set.examples(s).iter().map(|e| format!("{} {}", e.text, e.label())).collect::<String>());
            assert_eq!(rows, ["un altro b", "cinque d", "tre a"], "{layout}");
        }
        let refused = editor.export(&bench.dir.path().join("out"), Layout::Conll).expect_err("no entities").to_string();
        assert!(refused.contains("conll has no way to say the answers of intent; use jsonl, json, csv"), "{refused}");
        assert!(!bench.dir.path().join("out").exists(), "nothing half-made is left");
        assert_eq!(Split::ALL.map(|s| editor.set().examples(s).len()), [1, 1, 1]);
    }
}
