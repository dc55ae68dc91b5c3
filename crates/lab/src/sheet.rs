//! An open data set as a table: what is in it, what is wrong with it, any part of its rows, and changes to them.
//!
//! The rows stay in memory and are numbered once, training first, added ones last; a filter, a search and an order make
//! a list of numbers that is kept until they change, so that scrolling costs nothing even in a million rows. Changes
//! are those of [`crate::edit`]: the files stay as they are. What follows from a change is worked out of the row that has
//! changed and not of all of them, so that it is there at once; what takes longer is asked in between whether to go on.

use crate::background;
use crate::edit::{self, Change, Edited, Editor};
use crate::error::{Error, Result};
use crate::haystack::{self, Haystack};
use crate::library::Library;
use crate::look::{self, ColumnsView};
use crate::recipe::Recipe;
use crate::task::Task;
use crate::view::Source;
use crate::watch::{Watch, ask, held_with};
use data::check::{Finding, Severity};
use data::describe::{self, Counted, Description};
use data::example::Span;
use data::microscope::Token;
use data::set::{self, DataSet, Split};
use data::watch::Steps;
use data::write::Layout;
use data::{Example, Kind};
use gemma::Tokenizer;
use rayon::prelude::*;
use say::{Language, say};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::Path;
use std::sync::Mutex;
use tasks::answer;
use ts_rs::TS;

/// Examples by split of what answers are counted by: a label, a type of entity, a hashtag, a table of queries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, TS)]
pub struct LabelCount {
    /// The label.
    pub label: String,
    /// Examples to learn from.
    pub train: usize,
    /// Examples that choices are made on.
    pub validation: usize,
    /// Examples that the result is measured on.
    pub test: usize,
}

/// Something found in the data, with the number of rows instead of the rows.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(rename = "Finding")]
pub struct FindingView {
    /// Machine-readable kind, for instance `duplicate`.
    pub kind: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Rows concerned.
    pub count: usize,
    /// A sentence that explains it and says what to do.
    pub message: String,
    /// What doing so changes.
    pub fix: String,
}

/// What is in a data set.
#[derive(Clone, Debug, Serialize, TS)]
pub struct DataSummary {
    /// Handle for everything else that is asked of it.
    pub id: String,
    /// Its files, with the task that was found.
    pub source: Source,
    /// Task name.
    pub task: String,
    /// Name.
    pub name: String,
    /// Language code as its card states it.
    pub language: String,
    /// Licence as its card states it.
    pub license: String,
    /// Examples by split; absent splits are missing.
    pub splits: BTreeMap<Split, usize>,
    /// Examples by what their answers are counted by, commonest first: labels, types of entities, hashtags, tables of queries.
    pub labels: Vec<LabelCount>,
    /// What was found.
    pub findings: Vec<FindingView>,
    /// Columns of the first file.
    pub columns: ColumnsView,
    /// Changes in force; the files are without them.
    pub changes: usize,
    /// Changes that were taken back and can be made again.
    pub undone: usize,
    /// Rows of the files that cannot be read and were passed over.
    pub skipped: usize,
    /// What is wrong with the first of them, with file and line.
    pub first_skipped: Option<String>,
    /// Names of the formats that it can be exported in.
    pub exports: Vec<&'static str>,
}

/// What the texts and the answers of a data set are made of, beside what its summary counts.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct About {
    /// Different words of the texts.
    pub words: usize,
    /// Share of the words of each other part that training has, between 0 and 1.
    pub known_words: BTreeMap<Split, f64>,
    /// For each label the words that tell it from the others; for each type of entity its commonest strings.
    pub telling: Vec<Telling>,
    /// How many queries use what of SQL.
    pub features: Vec<Counted>,
    /// How many queries use which table.
    pub tables: Vec<Counted>,
    /// The commonest hashtags.
    pub tags: Vec<Counted>,
    /// Share of the hashtags of each other part that training has, between 0 and 1.
    pub known_tags: BTreeMap<Split, f64>,
}

/// What a label or a type of entity is known by.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct Telling {
    /// Its name.
    pub name: String,
    /// Words or strings, the first ones first.
    pub words: Vec<String>,
}

impl From<Description> for About {
    fn from(d: Description) -> Self {
        let labels = d.labels.into_iter().map(|l| Telling { name: l.name, words: l.telling.into_iter().map(|t| t.word).collect() });
        let types = d.entities.into_iter().flat_map(|e| e.types);
        let types = types.map(|t| Telling { name: t.name, words: t.commonest.into_iter().map(|c| c.name).collect() });
        let (features, tables) = d.queries.map(|q| (q.features, q.tables)).unwrap_or_default();
        let (tags, known_tags) = d.tags.map(|t| (t.commonest, t.known)).unwrap_or_default();
        Self {
            words: d.vocabulary.distinct,
            known_words: d.vocabulary.coverage.into_iter().map(|(split, c)| (split, c.occurrences)).collect(),
            telling: labels.chain(types).collect(),
            features,
            tables,
            tags,
            known_tags,
        }
    }
}

/// Lengths of the training rows in tokens, as a model is trained on them.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct Lengths {
    /// Counts by length.
    pub bins: Vec<LengthBin>,
    /// The longest.
    pub longest: usize,
    /// What the recipe allows.
    pub limit: usize,
    /// How many are longer.
    pub over_limit: usize,
    /// Rows of the files that were measured: the first ones, where there are very many.
    pub measured: usize,
    /// Rows that the training makes of them, which are counted, too.
    pub made: usize,
    /// Rows of any part that training refuses for their length; once they are measured, they are among what is found.
    pub refused: usize,
}

/// Rows whose lengths are measured at most.
pub(crate) const MEASURED: usize = 20_000;
/// Classes of lengths.
const BINS: usize = 24;

impl Lengths {
    /// Counts lengths in classes of equal width: those of rows of the files, and of rows that the training makes of them.
    pub fn of(own: &[Option<usize>], made: &[Option<usize>], limit: usize, refused: usize) -> Self {
        let lengths: Vec<usize> = own.iter().chain(made).flatten().copied().collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let width = longest.div_ceil(BINS).max(1);
        let mut bins: Vec<LengthBin> = (1..=longest.div_ceil(width)).map(|i| LengthBin { from: (i - 1) * width + 1, to: i * width, count: 0 }).collect();
        for length in &lengths {
            if let Some(bin) = bins.get_mut(length.saturating_sub(1) / width) {
                bin.count += 1;
            }
        }
        let over_limit = lengths.iter().filter(|n| **n > limit).count();
        Self { bins, longest, limit, over_limit, measured: own.len(), made: made.len(), refused }
    }
}

/// Training texts of about a length.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct LengthBin {
    /// Lower edge in tokens, inclusive.
    pub from: usize,
    /// Upper edge in tokens, inclusive.
    pub to: usize,
    /// How many.
    pub count: usize,
}

/// What a row should be answered with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Target {
    /// One of the data set's labels.
    Label {
        /// The label.
        label: String,
    },
    /// Parts of the text.
    Entities {
        /// The parts.
        spans: Vec<Span>,
    },
    /// A query.
    Sql {
        /// The query.
        sql: String,
    },
    /// Hashtags.
    Hashtags {
        /// The tags.
        tags: Vec<String>,
    },
    /// Any text.
    Completion {
        /// The text.
        text: String,
    },
}

impl Target {
    fn of(target: &data::Target) -> Self {
        match target.clone() {
            data::Target::Label(label) => Self::Label { label },
            data::Target::Entities(spans) => Self::Entities { spans },
            data::Target::Sql(sql) => Self::Sql { sql },
            data::Target::Tags(tags) => Self::Hashtags { tags },
            data::Target::Completion(text) => Self::Completion { text },
        }
    }

    fn into_data(self) -> data::Target {
        match self {
            Self::Label { label } => data::Target::Label(label),
            Self::Entities { spans } => data::Target::Entities(spans),
            Self::Sql { sql } => data::Target::Sql(sql),
            Self::Hashtags { tags } => data::Target::Tags(tags),
            Self::Completion { text } => data::Target::Completion(text),
        }
    }
}

/// A change to a row, as a face names it.
#[derive(Clone, Debug, PartialEq, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Edit {
    /// Gives a row another answer.
    Relabel {
        /// The row.
        row: usize,
        /// The answer.
        target: Target,
    },
    /// Gives a row another text; entities move with the words that they mark.
    Rewrite {
        /// The row.
        row: usize,
        /// The text.
        text: String,
    },
    /// Takes a row out.
    Delete {
        /// The row.
        row: usize,
    },
    /// Puts a row into another part.
    Move {
        /// The row.
        row: usize,
        /// The part.
        split: Split,
    },
    /// Adds a row after all others.
    Add {
        /// The part.
        split: Split,
        /// The text.
        text: String,
        /// The answer.
        target: Target,
    },
}

/// What a query found, as text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, TS)]
pub struct QueryResult {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The first rows; no text is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// Rows in all.
    pub total: usize,
}

/// Rows of a result that are shown.
const SHOWN: usize = 50;

impl QueryResult {
    /// A result, cut to what is shown.
    pub fn of(found: data::database::Table) -> Self {
        let total = found.rows.len();
        let rows = found.rows.into_iter().take(SHOWN).map(|row| row.into_iter().map(text_of).collect()).collect();
        Self { columns: found.columns, rows, total }
    }
}

/// A value of a database as text; none is NULL.
fn text_of(value: rusqlite::types::Value) -> Option<String> {
    use rusqlite::types::Value;
    match value {
        Value::Null => None,
        Value::Integer(i) => Some(i.to_string()),
        Value::Real(r) => Some(r.to_string()),
        Value::Text(text) => Some(text),
        Value::Blob(bytes) => Some(format!("{} bytes", bytes.len())),
    }
}

/// A row of the table.
#[derive(Clone, Debug, Serialize, TS)]
pub struct Row {
    /// Its number in this data set, whatever the filter and the order.
    pub id: usize,
    /// Its part.
    pub split: Split,
    /// `file:line`, the file without its folder.
    pub origin: String,
    /// What the model reads.
    pub text: String,
    /// What it should answer.
    pub target: Target,
    /// Kinds of findings that concern it.
    pub findings: Vec<&'static str>,
    /// Where the rows of one finding were asked for: those that belong together, such as the copies of a text, have the
    /// same number.
    pub group: Option<usize>,
    /// A person has changed or added it.
    pub changed: bool,
}

/// Which rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, TS)]
#[serde(default)]
#[ts(optional_fields)]
pub struct RowFilter {
    /// Only of this part.
    pub split: Option<Split>,
    /// Only with this label, type of entity, hashtag or table.
    pub label: Option<String>,
    /// Only those that say exactly this.
    pub text: Option<String>,
    /// Only those that this finding concerns, by its place in the summary.
    pub finding: Option<usize>,
    /// Only those that a person has changed or added.
    pub changed: Option<bool>,
    /// Only these, by their numbers.
    pub among: Option<Vec<usize>>,
    /// Only training rows of so many tokens, both ends included, as their lengths were last measured.
    pub tokens: Option<(usize, usize)>,
}

/// What the table is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum SortBy {
    /// Order of the files.
    Row,
    /// The text.
    Text,
    /// The expected answer.
    Target,
    /// The part.
    Split,
}

/// Order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, TS)]
pub struct Sort {
    /// What by.
    pub by: SortBy,
    /// Backwards.
    pub descending: bool,
}

/// A part of the table.
#[derive(Clone, Debug, Deserialize, TS)]
pub struct RowQuery {
    /// The data set's handle.
    pub data: String,
    /// Rows to pass over.
    pub offset: usize,
    /// Rows to give at most.
    pub limit: usize,
    /// Which rows.
    pub filter: RowFilter,
    /// Part of text or target, whatever its case.
    pub search: String,
    /// Order.
    pub sort: Sort,
}

/// Rows of a part of the table.
#[derive(Clone, Debug, Serialize, TS)]
pub struct RowPage {
    /// Rows that the filter and the search leave.
    pub total: usize,
    /// Those asked for.
    pub rows: Vec<Row>,
}

/// What the rows on show were last chosen by.
type Choice = (RowFilter, String, Sort);

/// Numbers of the rows of a finding, ascending, each with which of them it belongs together with.
type Found = Vec<(usize, Option<usize>)>;

/// Whether a row is among those of a finding, and with which of them it belongs together.
fn grouped(found: &Found, row: usize) -> Option<Option<usize>> {
    found.binary_search_by_key(&row, |(row, _)| *row).ok().map(|place| found[place].1)
}

/// How many rows there are, and what their answers are counted by.
#[derive(Default)]
struct Tally {
    splits: BTreeMap<Split, usize>,
    labels: BTreeMap<String, LabelCount>,
}

impl Tally {
    /// Counts rows, of which those that are deleted count nothing; `watch` is asked in between.
    ///
    /// # Errors
    /// If it was ended.
    fn of(rows: &[Edited], watch: Watch<'_>) -> Result<Self> {
        let mut tally = Self::default();
        for piece in rows.chunks(PIECE) {
            ask(watch)?;
            // queries are read for it, which takes a while
            let named: Vec<Vec<Cow<'_, str>>> = background::at_once(|| piece.par_iter().map(|row| names(&row.example)).collect());
            piece.iter().zip(named).for_each(|(row, named)| tally.add(row.split, named));
        }
        Ok(tally)
    }

    fn add(&mut self, split: Option<Split>, named: Vec<Cow<'_, str>>) {
        let Some(split) = split else { return };
        *self.splits.entry(split).or_default() += 1;
        for name in named {
            match self.labels.get_mut(&*name) {
                Some(count) => *count.of(split) += 1,
                None => {
                    let mut count = LabelCount::default();
                    *count.of(split) += 1;
                    self.labels.insert(name.into_owned(), count);
                }
            }
        }
    }

    /// Counts a row no longer.
    fn take(&mut self, row: &Edited) {
        let Some(split) = row.split else { return };
        if let Some(count) = self.splits.get_mut(&split) {
            *count -= 1;
            if *count == 0 {
                self.splits.remove(&split);
            }
        }
        for name in names(&row.example) {
            if let Some(count) = self.labels.get_mut(&*name) {
                *count.of(split) -= 1;
                if count.total() == 0 {
                    self.labels.remove(&*name);
                }
            }
        }
    }

    /// What answers are counted by, commonest first.
    fn labels(&self) -> Vec<LabelCount> {
        let mut labels: Vec<LabelCount> = self.labels.iter().map(|(name, count)| LabelCount { label: name.clone(), ..count.clone() }).collect();
        labels.sort_by_key(|count| std::cmp::Reverse(count.total()));
        labels
    }
}

impl LabelCount {
    fn of(&mut self, split: Split) -> &mut usize {
        match split {
            Split::Train => &mut self.train,
            Split::Validation => &mut self.validation,
            Split::Test => &mut self.test,
        }
    }

    fn total(&self) -> usize {
        self.train + self.validation + self.test
    }
}

/// An open data set.
pub struct Sheet {
    id: String,
    source: Source,
    editor: Editor,
    /// The set as it is now, short of its examples, which the editor has.
    set: DataSet,
    columns: ColumnsView,
    findings: Vec<Finding>,
    /// Rows of each finding.
    found: Vec<Found>,
    /// Numbers of the rows that are not deleted.
    there: Vec<usize>,
    tally: Tally,
    changed: BTreeSet<usize>,
    /// Counts the changes, to know whether findings are still about these rows.
    turn: usize,
    /// What it counted when the findings were made.
    judged: Option<usize>,
    /// What was found when lengths were last measured, and what it counted then.
    long: (usize, Vec<Finding>),
    shown: Option<(Choice, Vec<usize>)>,
    /// What the rows say of the task; none until it is asked for.
    task: Option<Task>,
    /// Lengths in tokens by row, of those that were measured.
    lengths: BTreeMap<usize, usize>,
    /// All rows in the order that takes long to make, as it was last asked for: of the texts, or of the answers.
    order: Option<(SortBy, Vec<usize>)>,
    /// What the rows said when the set was opened, to be searched.
    haystack: Haystack,
    /// Rows that had been changed by then.
    changed_before: BTreeSet<usize>,
}

impl Sheet {
    /// Reads and checks a data set, with the changes that were made to it before. A task that is not named is that of
    /// the card, or else intents. `watch` is told how far the file at hand is read.
    ///
    /// # Errors
    /// If a file is missing or malformed, or it was ended.
    pub fn open(library: Library, id: String, mut source: Source, watch: Watch<'_>) -> Result<Self> {
        if source.task.is_empty() {
            let card = source.folder.as_deref().map(set::read_card).transpose()?;
            source.task = card.map(|c| c.task).filter(|t| !t.is_empty()).unwrap_or_else(|| Kind::Intent.name().into());
        }
        let set = DataSet::open_with(&source.to_set()?, &mut |_, done, total| watch(done, Some(total)))?;
        // what follows the reading takes as long, and is counted otherwise
        let editor = Editor::of(library, set)?;
        let whole = editor.set();
        ask(watch)?;
        let findings = look::check_unmeasured(&whole, &mut |_, _| watch(0, None))?;
        ask(watch)?;
        let columns = look::columns(&source, whole.splits.values().find_map(|file| file.examples.first()))?;
        let set = without_examples(whole);
        // once the copy of the rows is gone: in a large set there is not much room for both
        let haystack = Haystack::of(editor.rows(), |row| &row.example, watch)?;
        let tally = Tally::of(editor.rows(), watch)?;
        let (found, there, changed) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut sheet = Self {
            id,
            source,
            editor,
            set,
            columns,
            findings: Vec::new(),
            found,
            there,
            tally,
            changed,
            turn: 0,
            judged: None,
            long: (0, Vec::new()),
            shown: None,
            task: None,
            lengths: BTreeMap::new(),
            order: None,
            haystack,
            changed_before: BTreeSet::new(),
        };
        sheet.take_in();
        sheet.changed_before = sheet.changed.clone();
        sheet.judge(sheet.turn, findings);
        ask(watch)?;
        Ok(sheet)
    }

    /// Makes a change.
    ///
    /// # Errors
    /// As [`Editor::apply`].
    pub fn edit(&mut self, edit: Edit) -> Result<()> {
        let change = match edit {
            Edit::Relabel { row, target } => Change::Relabel { row, target: target.into_data() },
            Edit::Rewrite { row, text } => self.editor.rewriting(row, text)?,
            Edit::Delete { row } => Change::Delete { row },
            Edit::Move { row, split } => Change::Move { row, to: split },
            Edit::Add { split, text, target } => Change::Add { split, text, target: target.into_data() },
        };
        let row = change.row().unwrap_or(self.editor.rows().len());
        self.alter(row, |editor| editor.apply(change))
    }

    /// Takes the last change back, if there is one.
    ///
    /// # Errors
    /// If the library cannot be written.
    pub fn undo(&mut self) -> Result<()> {
        let Some(last) = self.editor.changes().last() else { return Ok(()) };
        let row = last.row().unwrap_or(self.editor.rows().len().saturating_sub(1));
        self.alter(row, |editor| editor.undo().map(drop))
    }

    /// Makes the change that was last taken back again, if there is one.
    ///
    /// # Errors
    /// If the library cannot be written.
    pub fn redo(&mut self) -> Result<()> {
        let Some(next) = self.editor.undone().next() else { return Ok(()) };
        let row = next.row().unwrap_or(self.editor.rows().len());
        self.alter(row, |editor| editor.redo().map(drop))
    }

    /// Makes a change to a row, which may not be there before or after it, and takes in what follows from it.
    fn alter(&mut self, row: usize, change: impl FnOnce(&mut Editor) -> Result<()>) -> Result<()> {
        let before = self.editor.rows().get(row).cloned();
        change(&mut self.editor)?;
        if let Some(before) = &before {
            self.tally.take(before);
        }
        if let Some(now) = self.editor.rows().get(row) {
            self.tally.add(now.split, names(&now.example));
        }
        self.put_in_order(row);
        self.take_in();
        Ok(())
    }

    /// Puts a row where it belongs now in the order that takes long to make.
    fn put_in_order(&mut self, row: usize) {
        let rows = self.editor.rows();
        if let Some((by, order)) = &mut self.order {
            order.retain(|other| *other != row);
            if rows.get(row).is_some_and(|row| row.split.is_some()) {
                let place = order.partition_point(|&other| first(rows, *by, other, row).is_lt());
                order.insert(place, row);
            }
        }
    }

    /// What follows from the rows, after they have changed.
    fn take_in(&mut self) {
        self.turn += 1;
        self.shown = None;
        self.task = None;
        let rows = self.editor.rows();
        self.there = (0..rows.len()).filter(|&row| rows[row].split.is_some()).collect();
        // until it is checked anew, what was found stands, but not of rows that are gone; one that was added may be gone wholly
        self.found.iter_mut().for_each(|found| found.retain(|(row, _)| rows.get(*row).is_some_and(|r| r.split.is_some())));
        let added = self.editor.changes().filter(|c| matches!(c, Change::Add { .. })).count();
        self.changed = self.editor.changes().filter_map(Change::row).chain(rows.len() - added..rows.len()).collect();
    }

    /// Takes findings about a snapshot; those about rows that have changed since are of no use.
    pub fn judge(&mut self, turn: usize, findings: Vec<Finding>) {
        if turn == self.turn {
            self.judged = Some(turn);
            self.take_findings(findings);
        }
    }

    /// Takes findings about the rows as they are, and among them what was found of their lengths, if that was measured.
    fn take_findings(&mut self, mut findings: Vec<Finding>) {
        if self.long.0 == self.turn {
            findings.retain(|f| !look::OF_LENGTHS.contains(&f.kind));
            findings.extend(self.long.1.iter().cloned());
            findings.sort_by_key(|f| f.severity);
        }
        let numbers = self.numbers();
        let rows = |finding: &Finding| {
            let mut rows: Found = finding.places.iter().filter_map(|p| Some((*numbers.get(&p.split)?.get(p.index)?, p.group))).collect();
            rows.sort_unstable();
            rows.dedup_by_key(|(row, _)| *row);
            rows
        };
        self.found = findings.iter().map(rows).collect();
        self.findings = findings;
        self.shown = None;
    }

    /// Are the findings about the rows as they are now?
    pub fn is_judged(&self) -> bool {
        self.judged == Some(self.turn)
    }

    /// Numbers of the rows of each part, in the order in which a [`Snapshot`] has them.
    fn numbers(&self) -> BTreeMap<Split, Vec<usize>> {
        let mut numbers: BTreeMap<Split, Vec<usize>> = BTreeMap::new();
        for &row in &self.there {
            numbers.entry(self.example(row).0).or_default().push(row);
        }
        numbers
    }

    /// A row that is not deleted.
    fn example(&self, row: usize) -> (Split, &Example) {
        let row = &self.editor.rows()[row];
        (row.split.unwrap_or(Split::Train), &row.example)
    }

    /// The same for a number that comes from outside.
    fn existing(&self, row: usize) -> Result<&Example> {
        let there = self.there.binary_search(&row).is_ok();
        if there { Ok(self.example(row).1) } else { Err(gone(row)) }
    }

    /// What is in it, told in the language spoken.
    pub fn summary(&self) -> DataSummary {
        self.summary_in(say::language())
    }

    /// The same told in a language.
    pub fn summary_in(&self, language: Language) -> DataSummary {
        let finding = |(f, rows): (&Finding, &Found)| FindingView {
            kind: f.kind,
            severity: f.severity,
            count: rows.len(),
            message: f.told.in_language(language).into(),
            fix: f.gain.in_language(language).into(),
        };
        let skipped = || self.set.splits.values().map(|file| &file.skipped);
        DataSummary {
            id: self.id.clone(),
            source: self.source.clone(),
            task: self.source.task.clone(),
            name: self.set.card.name.clone(),
            language: self.set.card.language.clone(),
            license: self.set.card.license.clone(),
            splits: self.tally.splits.clone(),
            labels: self.tally.labels(),
            findings: self.findings.iter().zip(&self.found).map(finding).collect(),
            columns: self.columns.clone(),
            changes: self.editor.changes().count(),
            undone: self.editor.undone().count(),
            skipped: skipped().map(|s| s.count).sum(),
            first_skipped: skipped().find_map(|s| s.first.first().cloned()),
            exports: Layout::of(self.set.kind).map(Layout::name).collect(),
        }
    }

    /// Takes what a snapshot says of the task, for [`Sheet::tokens`]; that of rows that have changed since is of no use.
    pub fn learn(&mut self, turn: usize, task: Task) {
        if turn == self.turn {
            self.task = Some(task);
        }
    }

    /// What a model would be trained on in a row, token by token; none where the task is not known, see [`Sheet::learn`].
    ///
    /// # Errors
    /// If there is no such row, or it cannot be tokenized.
    pub fn tokens(&self, row: usize, recipe: &Recipe, tokenizer: &Tokenizer) -> Result<Option<Vec<Token>>> {
        let Some(task) = &self.task else { return Ok(None) };
        look::example_tokens(self.existing(row)?, &self.set.card.language, task, recipe, tokenizer).map(Some)
    }

    /// Takes the lengths of a snapshot's first training rows, in their order, for rows to be chosen by them, and what was found
    /// to be too long. If rows have changed since, they are about others and of no use.
    pub fn measured(&mut self, turn: usize, lengths: &[Option<usize>], long: Vec<Finding>) {
        if turn != self.turn {
            return;
        }
        let rows = self.numbers().remove(&Split::Train).unwrap_or_default();
        self.lengths = rows.into_iter().zip(lengths).filter_map(|(row, length)| Some((row, (*length)?))).collect();
        self.long = (turn, long);
        self.shown = None;
        if self.is_judged() {
            let findings = std::mem::take(&mut self.findings);
            self.take_findings(findings);
        }
    }

    /// The query of a row, and the set without its examples, which says what it is about, see [`look::query`].
    ///
    /// # Errors
    /// If the row holds no query.
    pub fn query(&self, row: usize) -> Result<(DataSet, String)> {
        let data::Target::Sql(sql) = &self.existing(row)?.target else {
            return Err(Error::request(say!("this row holds no query", "questa riga non contiene una query")));
        };
        Ok((self.set.clone(), sql.clone()))
    }

    /// What its rows are examples of.
    pub fn kind(&self) -> Kind {
        self.set.kind
    }

    /// A part of the table.
    ///
    /// # Errors
    /// If the filter names a finding that there is not.
    pub fn rows(&mut self, query: &RowQuery) -> Result<RowPage> {
        self.rows_with(query, &mut |_, _| true)
    }

    /// As [`Sheet::rows`]; where the rows must be chosen first, `watch` is told how far that is. What was chosen before stays
    /// where it is ended.
    ///
    /// # Errors
    /// As [`Sheet::rows`], or if it was ended.
    pub fn rows_with(&mut self, query: &RowQuery, watch: Watch<'_>) -> Result<RowPage> {
        let choice = (query.filter.clone(), query.search.to_lowercase(), query.sort);
        if self.shown.as_ref().is_none_or(|(last, _)| *last != choice) {
            let numbers = self.choose(&choice, watch)?;
            self.shown = Some((choice, numbers));
        }
        let numbers = self.shown.as_ref().map_or(&[][..], |(_, numbers)| numbers);
        let found = query.filter.finding.and_then(|f| self.found.get(f));
        let rows = numbers.iter().skip(query.offset).take(query.limit).map(|&number| self.row(number, found)).collect();
        Ok(RowPage { total: numbers.len(), rows })
    }

    /// A row as it is shown among all, or among those of a finding.
    fn row(&self, id: usize, among: Option<&Found>) -> Row {
        let (split, example) = self.example(id);
        let file = example.origin.path();
        Row {
            id,
            split,
            origin: format!("{}:{}", file.file_name().unwrap_or(file.as_os_str()).to_string_lossy(), example.origin.line),
            text: example.text.clone(),
            target: Target::of(&example.target),
            findings: self.findings.iter().zip(&self.found).filter(|(_, rows)| grouped(rows, id).is_some()).map(|(f, _)| f.kind).collect(),
            group: among.and_then(|found| grouped(found, id)).flatten(),
            changed: self.changed.contains(&id),
        }
    }

    /// Numbers of the rows that a choice leaves, in its order. A row counts once for each look at it.
    fn choose(&mut self, (filter, search, sort): &Choice, watch: Watch<'_>) -> Result<Vec<usize>> {
        let slow = matches!(sort.by, SortBy::Text | SortBy::Target);
        let unordered = slow && self.order.as_ref().is_none_or(|(by, _)| *by != sort.by);
        let (there, rows) = (self.there.len(), self.editor.rows().len());
        let searched = if search.is_empty() { 0 } else { rows };
        let whole = there + searched + if unordered { sorting(there) } else { 0 };
        let mut steps = Steps::new(whole as u64, watch);
        if unordered {
            self.order = Some((sort.by, self.ordered(sort.by, &mut steps)?));
        }
        let found = filter.finding.map(|f| {
            self.found.get(f).ok_or_else(|| {
                Error::request(say!(
                    "there is no finding number {f}; open the data set again",
                    "non c’è un risultato del controllo numero {f}; apri di nuovo l’insieme di dati"
                ))
            })
        });
        let found = found.transpose()?;
        let these: Option<Vec<usize>> = found.map(|found| found.iter().map(|(row, _)| *row).collect());
        let all = match (&self.order, &these) {
            (Some((_, order)), _) if slow => order,
            (_, Some(these)) => these,
            _ => &self.there,
        };
        let among: Option<BTreeSet<usize>> = filter.among.as_ref().map(|rows| rows.iter().copied().collect());
        let said = (!search.is_empty()).then(|| self.said(search, &mut steps)).transpose()?;
        // the rows and what is known of them alone, which several threads may read at once
        let (rows, changed, lengths) = (self.editor.rows(), &self.changed, &self.lengths);
        let split_of = |row: usize| rows[row].split.unwrap_or(Split::Train);
        let wanted = |&row: &usize| {
            found.is_none_or(|found| grouped(found, row).is_some())
                && among.as_ref().is_none_or(|rows| rows.contains(&row))
                && filter.split.is_none_or(|s| s == split_of(row))
                && filter.label.as_ref().is_none_or(|l| names(&rows[row].example).iter().any(|name| name == l))
                && filter.text.as_ref().is_none_or(|t| *t == rows[row].example.text)
                && filter.changed.is_none_or(|c| c == changed.contains(&row))
                && filter.tokens.is_none_or(|(from, to)| lengths.get(&row).is_some_and(|n| (from..=to).contains(n)))
                && said.as_ref().is_none_or(|said| said[row])
        };
        let mut numbers: Vec<usize> = Vec::new();
        for piece in all.chunks(CHOSEN) {
            numbers.extend(background::at_once(|| piece.par_iter().copied().filter(&wanted).collect::<Vec<usize>>()));
            steps.after(piece.len() as u64)?;
        }
        match (sort.by, found) {
            (SortBy::Split, _) => background::at_once(|| numbers.par_sort_by_key(|&row| split_of(row))),
            // what belongs together stands together
            (SortBy::Row, Some(found)) => background::at_once(|| numbers.par_sort_by_cached_key(|&row| (grouped(found, row).flatten(), row))),
            _ => {}
        }
        if sort.descending {
            numbers.reverse();
        }
        Ok(numbers)
    }

    /// For each row whether its text or its answer holds a text, which is in lower case and not empty.
    fn said(&self, search: &str, steps: &mut Steps<'_>) -> Result<Vec<bool>> {
        let rows = self.editor.rows();
        let mut said = self.haystack.find(search, steps)?;
        said.resize(rows.len(), false);
        // what people have changed may say something else than when the haystack was made, and the other way round once it is undone
        for &row in self.changed.union(&self.changed_before) {
            if let Some(edited) = rows.get(row) {
                said[row] = haystack::says(&edited.example, search);
            }
        }
        Ok(said)
    }

    /// All rows by their texts or their answers: pieces are sorted, and then put together two by two. Of `steps` it takes what
    /// [`sorting`] says.
    fn ordered(&self, by: SortBy, steps: &mut Steps<'_>) -> Result<Vec<usize>> {
        // most texts differ in their first bytes, which lie beside the number where the texts lie anywhere
        let head = |text: &str| text.bytes().chain(std::iter::repeat(0)).take(8).fold(0_u64, |head, byte| (head << 8) | u64::from(byte));
        let rows = self.editor.rows();
        let order = |(a, i): &Keyed, (b, j): &Keyed| a.cmp(b).then_with(|| first(rows, by, *i, *j));
        let mut runs: Vec<Vec<Keyed>> = Vec::new();
        for piece in self.there.chunks(SORTED) {
            runs.push(background::at_once(|| {
                let mut run: Vec<Keyed> = piece.par_iter().map(|&row| (head(&sorted_by(&rows[row], by)), row)).collect();
                run.par_sort_unstable_by(order);
                run
            }));
            steps.after((piece.len() * SORTING) as u64)?;
        }
        while runs.len() > 1 {
            runs = background::at_once(|| runs.par_chunks(2).map(|pair| pair.iter().fold(Vec::new(), |a, b| merged(a, b, &order))).collect());
            steps.after(self.there.len() as u64)?;
        }
        Ok(runs.pop().unwrap_or_default().into_iter().map(|(_, row)| row).collect())
    }
}

/// A row with the beginning of what it is sorted by.
type Keyed = (u64, usize);

/// Rows that are sorted between two questions whether to go on, and those that are looked at: some ten milliseconds' work.
const SORTED: usize = 1 << 15;
const CHOSEN: usize = 1 << 14;
/// What a row counts in the sorting of a piece: as often it is looked at by others.
const SORTING: usize = 15;

/// What it counts to sort so many rows.
fn sorting(rows: usize) -> usize {
    let rounds = rows.div_ceil(SORTED).next_power_of_two().trailing_zeros() as usize;
    rows * (SORTING + rounds)
}

/// What a row is sorted by: its text, or its answer.
fn sorted_by(row: &Edited, by: SortBy) -> Cow<'_, str> {
    match (by, &row.example.target) {
        (SortBy::Target, data::Target::Label(label)) => Cow::Borrowed(label.as_str()),
        (SortBy::Target, target) => Cow::Owned(answer::show(target)),
        _ => Cow::Borrowed(row.example.text.as_str()),
    }
}

/// Which of two rows comes first: of those that say the same, the one that comes first in the files.
fn first(rows: &[Edited], by: SortBy, i: usize, j: usize) -> Ordering {
    sorted_by(&rows[i], by).cmp(&sorted_by(&rows[j], by)).then(i.cmp(&j))
}

/// Two sorted lists as one.
fn merged(a: Vec<Keyed>, b: &[Keyed], order: &impl Fn(&Keyed, &Keyed) -> Ordering) -> Vec<Keyed> {
    if a.is_empty() {
        return b.to_vec();
    }
    let mut out = Vec::with_capacity(a.len() + b.len());
    let (mut left, mut right) = (a.into_iter().peekable(), b.iter().copied().peekable());
    while let (Some(one), Some(other)) = (left.peek(), right.peek()) {
        let next = if order(one, other).is_le() { left.next() } else { right.next() };
        out.extend(next);
    }
    out.extend(left);
    out.extend(right);
    out
}

/// An open data set as it was at one moment, for work that takes longer than others may be kept from the sheet.
pub struct Snapshot {
    /// The set with its rows.
    pub set: DataSet,
    /// The number of each row in the sheet, in the order in which the set has them.
    pub numbers: BTreeMap<Split, Vec<usize>>,
    /// Changes that were in force.
    pub changes: usize,
    /// What tells [`Sheet::judge`] and the like whether rows have changed since.
    pub turn: usize,
}

/// What to say of a row that is not there.
fn gone(row: usize) -> Error {
    Error::request(say!("there is no row {row} any more; choose another one", "la riga {row} non c’è più; scegline un’altra"))
}

/// Rows that are copied at a time: some milliseconds' work, even while a training uses every core.
const PIECE: usize = 10_000;

impl Snapshot {
    /// Copies the rows piece by piece, so that others get at the sheet in between: to copy a million at once takes seconds
    /// beside a training. Begins anew where rows are changed meanwhile.
    pub fn of(sheet: &Mutex<Sheet>) -> Self {
        let Ok(snapshot) = Self::of_with::<Infallible>(sheet, &mut || Ok(()));
        snapshot
    }

    /// As [`Snapshot::of`]; `go_on` is asked before each piece, and where others hold the sheet.
    ///
    /// # Errors
    /// As `go_on`.
    pub fn of_with<E>(sheet: &Mutex<Sheet>, go_on: &mut dyn FnMut() -> std::result::Result<(), E>) -> std::result::Result<Self, E> {
        loop {
            if let Some(snapshot) = Self::attempt(sheet, go_on)? {
                return Ok(snapshot);
            }
        }
    }

    /// None if rows were changed meanwhile.
    fn attempt<E>(sheet: &Mutex<Sheet>, go_on: &mut dyn FnMut() -> std::result::Result<(), E>) -> std::result::Result<Option<Self>, E> {
        let (mut parts, mut numbers) = (BTreeMap::<Split, Vec<Example>>::new(), BTreeMap::<Split, Vec<usize>>::new());
        let begun = held_with(sheet, go_on)?.turn;
        let mut copied = 0;
        loop {
            go_on()?;
            {
                let sheet = held_with(sheet, go_on)?;
                if sheet.turn != begun {
                    return Ok(None);
                }
                let left = &sheet.there[copied..];
                if left.is_empty() {
                    let (set, changes) = (sheet.editor.with(parts), sheet.editor.changes().count());
                    return Ok(Some(Self { set, numbers, changes, turn: begun }));
                }
                for &row in left.iter().take(PIECE) {
                    let (split, example) = sheet.example(row);
                    parts.entry(split).or_default().push(example.clone());
                    numbers.entry(split).or_default().push(row);
                }
                copied += left.len().min(PIECE);
            }
            // a free lock goes to whoever asks first, which would be this thread again
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// The part in which a row of the sheet stands, and its number in it.
    ///
    /// # Errors
    /// If there is no such row.
    pub fn place(&self, row: usize) -> Result<(Split, usize)> {
        let place = self.numbers.iter().find_map(|(split, rows)| Some((*split, rows.binary_search(&row).ok()?)));
        place.ok_or_else(|| gone(row))
    }

    /// Training rows whose lengths are measured.
    pub fn measurable(&self) -> &[Example] {
        let rows = self.set.examples(Split::Train);
        &rows[..rows.len().min(MEASURED)]
    }

    /// Writes the edited set, see [`edit::export`].
    ///
    /// # Errors
    /// As [`edit::export`].
    pub fn export(&self, out: &Path, layout: Layout, watch: Watch<'_>) -> Result<()> {
        let parts = self.set.splits.iter().map(|(split, file)| (*split, file.examples.iter().collect())).collect();
        edit::export(&self.set, parts, self.changes, out, layout, watch)
    }
}

/// What a class balance counts: the label, or the types of the entities, the hashtags, the tables of the query, each once.
fn names(example: &Example) -> Vec<Cow<'_, str>> {
    fn once<'e>(names: impl Iterator<Item = &'e str>) -> Vec<Cow<'e, str>> {
        names.collect::<BTreeSet<_>>().into_iter().map(Cow::Borrowed).collect()
    }
    match &example.target {
        data::Target::Label(label) => vec![Cow::Borrowed(label.as_str())],
        data::Target::Entities(spans) => once(spans.iter().map(|s| s.kind.as_str())),
        data::Target::Tags(tags) => once(tags.iter().map(String::as_str)),
        data::Target::Sql(sql) => describe::queries::tables(sql).into_iter().map(Cow::Owned).collect(),
        data::Target::Completion(_) => Vec::new(),
    }
}

/// A set's card, files and database.
fn without_examples(mut set: DataSet) -> DataSet {
    set.splits.values_mut().for_each(|file| file.examples = Vec::new());
    set
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::lock;
    use crate::home::Home;
    use data::check;

    fn sheet() -> (tempfile::TempDir, Sheet) {
        let dir = tempfile::tempdir().expect("a folder");
        let line = |t: &str, l: &str| format!("{}\n", serde_json::json!({"frase": t, "intento": l}));
        let train = [line("Dov'è il pacco", "a"), line("voglio un rimborso", "b"), line("dov'è il pacco", "a"), line("rimborso", "b")].concat();
        std::fs::write(dir.path().join("train.jsonl"), train).expect("written");
        std::fs::write(dir.path().join("test.jsonl"), line("il mio PACCO", "a")).expect("written");
        let sheet = open(dir.path());
        (dir, sheet)
    }

    fn open(folder: &Path) -> Sheet {
        let home = Home::open(Some(&folder.join("home"))).expect("home");
        let source = Source { folder: Some(folder.into()), ..Source::default() };
        Sheet::open(Library::open(&home).expect("library"), "d1".into(), source, &mut |_, _| true).expect("opens")
    }

    /// Makes a change as the desk does.
    fn change(sheet: &mut Sheet, change: impl FnOnce(&mut Sheet) -> Result<()>) {
        change(sheet).expect("changed");
        sheet.judge(sheet.turn, check::findings(&sheet.editor.set(), None).expect("checked"));
    }

    fn count(sheet: &Sheet, kind: &str) -> usize {
        sheet.summary().findings.iter().filter(|f| f.kind == kind).map(|f| f.count).sum()
    }

    fn ask(sheet: &mut Sheet, filter: RowFilter, search: &str, by: SortBy, descending: bool) -> Vec<usize> {
        let query = RowQuery { data: "d1".into(), offset: 0, limit: 100, filter, search: search.into(), sort: Sort { by, descending } };
        let page = sheet.rows(&query).expect("a page");
        assert_eq!(page.total, page.rows.len());
        page.rows.iter().map(|r| r.id).collect()
    }

    #[test]
    fn the_summary_counts_what_is_there() {
        let (_dir, sheet) = sheet();
        let s = sheet.summary();
        assert_eq!((s.task.as_str(), s.splits[&Split::Train], s.splits.get(&Split::Validation)), ("intent", 4, None));
        assert_eq!(s.labels[0], LabelCount { label: "a".into(), train: 2, validation: 0, test: 1 });
        assert_eq!(s.columns.mapping["text"], "frase");
        let duplicate = s.findings.iter().find(|f| f.kind == "duplicate").expect("found");
        assert_eq!(duplicate.count, 2);
    }

    #[test]
    fn what_it_is_made_of_is_told_for_every_kind_of_answer() {
        let dir = tempfile::tempdir().expect("a folder");
        let about = |task: &str, train: &str, test: &str| {
            for (name, text) in [("train.jsonl", train), ("test.jsonl", test)] {
                std::fs::write(dir.path().join(name), text).expect("written");
            }
            let source = Source { task: task.into(), folder: Some(dir.path().into()), ..Source::default() };
            About::from(look::describe(&DataSet::open(&source.to_set().expect("a source")).expect("opens"), None).expect("described"))
        };
        let rows = |label: &str, word: &str| (0..20).map(|n| format!("{{\"text\":\"il {word} {n}\",\"label\":\"{label}\"}}\n")).collect::<String>();
        let intents = about("intent", &(rows("a", "pacco") + &rows("b", "rimborso")), "{\"text\":\"il divano\",\"label\":\"a\"}\n");
        let telling = |name: &str, word: &str| Telling { name: name.into(), words: vec![word.into()] };
        assert_eq!((intents.words, intents.telling), (24, vec![telling("a", "pacco"), telling("b", "rimborso")]));
        assert_eq!((intents.known_words[&Split::Test], intents.known_words.len(), intents.features.len()), (0.5, 1, 0));
        let row = "{\"text\":\"Da Roma\",\"entities\":[{\"start\":3,\"end\":7,\"type\":\"places\"}]}\n";
        assert_eq!(about("entities", row, row).telling, [telling("places", "Roma")]);
        let row = "{\"text\":\"sole\",\"hashtags\":[\"#mare\",\"#estate\"]}\n";
        let tags = about("hashtags", row, &row.replace("#mare", "#monti"));
        assert_eq!((tags.tags[0].name.as_str(), tags.tags[0].count, tags.known_tags[&Split::Test]), ("#estate", 2, 0.5));
        let row = "{\"question\":\"quanti?\",\"sql\":\"SELECT COUNT(*) FROM t GROUP BY n\"}\n";
        let queries = about("sql", row, row);
        assert_eq!(queries.features.iter().map(|f| (f.name.as_str(), f.count)).collect::<Vec<_>>(), [("group by", 2), ("aggregate", 2)]);
        assert_eq!((queries.tables[0].name.as_str(), queries.tables[0].count), ("t", 2));
    }

    #[test]
    fn rows_are_filtered_searched_sorted_and_paged() {
        let (_dir, mut sheet) = sheet();
        let all = RowFilter::default();
        assert_eq!(ask(&mut sheet, all.clone(), "", SortBy::Row, false), [0, 1, 2, 3, 4]);
        assert_eq!(ask(&mut sheet, all.clone(), "Pacco", SortBy::Row, true), [4, 2, 0]);
        assert_eq!(ask(&mut sheet, all.clone(), "", SortBy::Text, false), [0, 2, 4, 3, 1]);
        assert_eq!(ask(&mut sheet, all.clone(), "", SortBy::Target, true), [3, 1, 4, 2, 0]);
        // among what was found before, and not: also with letters that are no ASCII
        for (search, rows) in [("o", [0, 1, 2, 3, 4].as_slice()), ("ov'È", &[0, 2]), ("ov'è il P", &[0, 2]), ("o", &[0, 1, 2, 3, 4])] {
            assert_eq!(ask(&mut sheet, all.clone(), search, SortBy::Row, false), rows, "{search}");
        }
        assert_eq!(ask(&mut sheet, RowFilter { split: Some(Split::Test), ..all.clone() }, "", SortBy::Row, false), [4]);
        assert_eq!(ask(&mut sheet, RowFilter { label: Some("b".into()), ..all.clone() }, "", SortBy::Row, false), [1, 3]);
        // exactly, and not those that hold it
        let exactly = |text: &str, split| RowFilter { text: Some(text.into()), split, ..RowFilter::default() };
        assert_eq!(ask(&mut sheet, exactly("rimborso", None), "", SortBy::Row, false), [3]);
        assert_eq!(ask(&mut sheet, exactly("dov'è il pacco", Some(Split::Train)), "", SortBy::Row, false), [2]);
        assert_eq!(ask(&mut sheet, exactly("rimborso", Some(Split::Test)), "", SortBy::Row, false), [0; 0]);
        let duplicate = sheet.summary().findings.iter().position(|f| f.kind == "duplicate").expect("found");
        assert_eq!(ask(&mut sheet, RowFilter { finding: Some(duplicate), ..all.clone() }, "", SortBy::Row, false), [0, 2]);
        assert_eq!(ask(&mut sheet, RowFilter { among: Some(vec![3, 1, 77]), ..all.clone() }, "", SortBy::Row, false), [1, 3]);
        let query = RowQuery { data: "d1".into(), offset: 1, limit: 2, filter: all, search: String::new(), sort: Sort { by: SortBy::Row, descending: false } };
        let page = sheet.rows(&query).expect("a page");
        assert_eq!((page.total, page.rows[0].id, page.rows.len()), (5, 1, 2));
        assert_eq!((page.rows[1].origin.as_str(), page.rows[1].findings.as_slice()), ("train.jsonl:3", &["few_examples", "duplicate"][..]));
    }

    #[test]
    fn answers_are_counted_by_their_hashtags_and_tables_and_each_count_leaves_its_rows() {
        let dir = tempfile::tempdir().expect("a folder");
        let counted = |task: &str, rows: &[&str], name: &str| {
            let file = dir.path().join(format!("{task}.jsonl"));
            std::fs::write(&file, rows.iter().map(|row| format!("{row}\n")).collect::<String>()).expect("written");
            let home = Home::open(Some(&dir.path().join("home"))).expect("home");
            let source = Source { task: task.into(), train: Some(file), ..Source::default() };
            let mut sheet = Sheet::open(Library::open(&home).expect("library"), "d1".into(), source, &mut |_, _| true).expect("opens");
            let counts: Vec<(String, usize)> = sheet.summary().labels.into_iter().map(|l| (l.label, l.train)).collect();
            (counts, ask(&mut sheet, RowFilter { label: Some(name.into()), ..RowFilter::default() }, "", SortBy::Row, false))
        };
        let of = |all: &[(&str, usize)]| all.iter().map(|(name, n)| ((*name).to_string(), *n)).collect::<Vec<_>>();
        let tags = |text: &str, tags: &str| format!("{{\"text\": \"{text}\", \"hashtags\": \"{tags}\"}}");
        let posts = [tags("uno", "#mare #sole"), tags("due", "#mare"), tags("tre", "#vela")];
        let (counts, rows) = counted("hashtags", &posts.each_ref().map(String::as_str), "#mare");
        assert_eq!((counts, rows), (of(&[("#mare", 2), ("#sole", 1), ("#vela", 1)]), vec![0, 1]));
        let query = |text: &str, sql: &str| format!("{{\"question\": \"{text}\", \"sql\": \"{sql}\"}}");
        let asked = [query("uno", "SELECT * FROM t, u"), query("due", "SELECT n FROM T WHERE n IN (SELECT n FROM t)"), query("tre", "VALUES (1)")];
        let (counts, rows) = counted("sql", &asked.each_ref().map(String::as_str), "t");
        assert_eq!((counts, rows), (of(&[("t", 2), ("u", 1)]), vec![0, 1]));
    }

    #[test]
    fn a_search_finds_what_rows_say_now() {
        let (dir, mut sheet) = sheet();
        let find = |sheet: &mut Sheet, search: &str| ask(sheet, RowFilter::default(), search, SortBy::Row, false);
        let new = |label: &str| Target::Label { label: label.into() };
        change(&mut sheet, |s| s.edit(Edit::Relabel { row: 1, target: new("Ritorno") }));
        change(&mut sheet, |s| s.edit(Edit::Add { split: Split::Train, text: "Ultimo".into(), target: new("ritorno") }));
        assert_eq!((find(&mut sheet, "ritorno"), find(&mut sheet, "ultimo")), (vec![1, 5], vec![5]));
        change(&mut sheet, |s| s.edit(Edit::Rewrite { row: 3, text: "Riavere i soldi".into() }));
        assert_eq!((find(&mut sheet, "soldi"), find(&mut sheet, "rimborso")), (vec![3], vec![1]));
        assert_eq!(sheet.existing(3).expect("there").label(), "b");
        change(&mut sheet, Sheet::undo);
        assert_eq!((find(&mut sheet, "soldi"), find(&mut sheet, "rimborso")), (vec![], vec![1, 3]));
        // opened with changes in force, which are then taken back
        let mut again = open(dir.path());
        assert_eq!((find(&mut again, "ritorno"), find(&mut again, "ultimo")), (vec![1, 5], vec![5]));
        for _ in 0..2 {
            change(&mut again, Sheet::undo);
        }
        assert_eq!((find(&mut again, "ritorno"), find(&mut again, "ultimo")), (vec![], vec![]));
        change(&mut again, |s| s.edit(Edit::Add { split: Split::Test, text: "Un altro".into(), target: new("a") }));
        assert_eq!((find(&mut again, "ultimo"), find(&mut again, "un altro")), (vec![], vec![5]));
    }

    #[test]
    fn rows_are_chosen_by_the_lengths_that_were_measured_last() {
        let (_dir, mut sheet) = sheet();
        let long = RowFilter { tokens: Some((5, 9)), ..RowFilter::default() };
        assert_eq!(ask(&mut sheet, long.clone(), "", SortBy::Row, false), [0; 0]);
        // a row that cannot be tokenized has no length, and does not give its place to the next one
        sheet.measured(sheet.turn, &[None, Some(5), Some(9), Some(10)], Vec::new());
        assert_eq!(ask(&mut sheet, long.clone(), "", SortBy::Row, false), [1, 2]);
        let old = sheet.turn;
        change(&mut sheet, |s| s.edit(Edit::Delete { row: 1 }));
        // a row keeps its length, and what was measured of other rows is dropped
        sheet.measured(old, &[Some(9); 4], Vec::new());
        assert_eq!(ask(&mut sheet, long, "", SortBy::Row, false), [2]);
    }

    #[test]
    fn what_is_too_long_is_found_once_lengths_are_measured_whichever_is_done_first() {
        let (_dir, mut sheet) = sheet();
        // which rows it is about does not matter here
        let long = |s: &Sheet| vec![Finding { kind: "too_long", ..s.findings.iter().find(|f| f.kind == "duplicate").expect("found").clone() }];
        let kinds = |s: &Sheet| s.findings.iter().filter(|f| f.kind == "too_long").count();
        for _ in 0..2 {
            sheet.measured(sheet.turn, &[], long(&sheet));
            assert_eq!((kinds(&sheet), count(&sheet, "too_long"), sheet.found.len()), (1, 2, sheet.findings.len()));
        }
        sheet.edit(Edit::Delete { row: 3 }).expect("deleted");
        sheet.measured(sheet.turn, &[], long(&sheet));
        assert_eq!(kinds(&sheet), 1, "what was found before stands until it is checked anew");
        sheet.judge(sheet.turn, check::findings(&sheet.editor.set(), None).expect("checked"));
        assert_eq!(kinds(&sheet), 1);
        sheet.measured(sheet.turn, &[], Vec::new());
        assert_eq!(kinds(&sheet), 0, "under other settings everything fits");
    }

    #[test]
    fn the_rows_of_a_finding_stand_beside_those_that_they_belong_together_with() {
        let dir = tempfile::tempdir().expect("a folder");
        let line = |text: &str| format!("{}\n", serde_json::json!({"frase": text, "intento": "a"}));
        std::fs::write(dir.path().join("train.jsonl"), ["uno", "due", "Uno", "tre", "DUE", "uno"].map(line).concat()).expect("written");
        let mut sheet = open(dir.path());
        let duplicate = sheet.summary().findings.iter().position(|f| f.kind == "duplicate").expect("found");
        let filter = RowFilter { finding: Some(duplicate), ..RowFilter::default() };
        assert_eq!(ask(&mut sheet, filter.clone(), "", SortBy::Row, false), [0, 2, 5, 1, 4]);
        assert_eq!(ask(&mut sheet, filter.clone(), "", SortBy::Text, false).len(), 5);
        let query =
            |filter| RowQuery { data: "d1".into(), offset: 1, limit: 3, filter, search: String::new(), sort: Sort { by: SortBy::Row, descending: false } };
        let groups = |page: RowPage| page.rows.iter().map(|r| (r.id, r.group)).collect::<Vec<_>>();
        assert_eq!(groups(sheet.rows(&query(filter)).expect("a page")), [(2, Some(0)), (5, Some(0)), (1, Some(1))]);
        assert_eq!(groups(sheet.rows(&query(RowFilter::default())).expect("a page")), [(1, None), (2, None), (3, None)]);
    }

    #[test]
    fn a_finding_that_is_not_there_is_refused() {
        let (_dir, mut sheet) = sheet();
        let filter = RowFilter { finding: Some(99), ..RowFilter::default() };
        let query = RowQuery { data: "d1".into(), offset: 0, limit: 1, filter, search: String::new(), sort: Sort { by: SortBy::Row, descending: false } };
        assert!(sheet.rows(&query).is_err_and(|e| e.to_string().contains("99")));
    }
    #[test]
    fn changes_show_in_rows_counts_and_findings_and_are_taken_back() {
        let (dir, mut sheet) = sheet();
        assert_eq!((count(&sheet, "duplicate"), sheet.summary().changes), (2, 0));
        change(&mut sheet, |s| s.edit(Edit::Delete { row: 0 }));
        change(&mut sheet, |s| s.edit(Edit::Relabel { row: 1, target: Target::Label { label: "c".into() } }));
        change(&mut sheet, |s| s.edit(Edit::Move { row: 3, split: Split::Test }));
        change(&mut sheet, |s| s.edit(Edit::Add { split: Split::Validation, text: "nuovo".into(), target: Target::Label { label: "b".into() } }));
        assert_eq!(ask(&mut sheet, RowFilter::default(), "", SortBy::Row, false), [1, 2, 3, 4, 5]);
        assert_eq!(ask(&mut sheet, RowFilter { label: Some("c".into()), ..RowFilter::default() }, "", SortBy::Row, false), [1]);
        assert_eq!(ask(&mut sheet, RowFilter { changed: Some(true), ..RowFilter::default() }, "", SortBy::Row, false), [1, 3, 5]);
        let s = sheet.summary();
        assert_eq!((s.splits[&Split::Train], s.splits[&Split::Validation], s.splits[&Split::Test], s.changes), (2, 1, 2, 4));
        assert_eq!(count(&sheet, "duplicate"), 0);
        // what a finding filters is what it counts, also after rows have moved
        let unknown = s.findings.iter().position(|f| f.kind == "unknown_label").expect("`b` has left the training part");
        assert_eq!(ask(&mut sheet, RowFilter { finding: Some(unknown), ..RowFilter::default() }, "", SortBy::Row, false).len(), s.findings[unknown].count);

        let again = open(dir.path());
        assert_eq!(again.summary().changes, 4);
        for _ in 0..4 {
            change(&mut sheet, Sheet::undo);
        }
        let s = sheet.summary();
        assert_eq!((s.splits[&Split::Train], s.changes, s.undone, count(&sheet, "duplicate")), (4, 0, 4, 2));
        change(&mut sheet, Sheet::redo);
        assert_eq!((sheet.summary().changes, sheet.summary().undone), (1, 3));
        assert!(sheet.edit(Edit::Delete { row: 0 }).is_err_and(|e| e.to_string().contains("deleted")));
        assert!(sheet.existing(0).is_err());
    }

    /// What follows from a change is not worked out of all rows: it is as if it were.
    #[test]
    fn counts_and_orders_after_changes_are_those_of_a_set_that_is_opened_anew() {
        let (dir, mut sheet) = sheet();
        let told = |sheet: &mut Sheet| {
            let summary = sheet.summary();
            let orders = [SortBy::Text, SortBy::Target].map(|by| ask(sheet, RowFilter::default(), "", by, false));
            (summary.splits, summary.labels, (summary.changes, summary.undone), orders)
        };
        let label = |label: &str| Target::Label { label: label.into() };
        type Act = Box<dyn Fn(&mut Sheet) -> Result<()>>;
        let mut acts: Vec<Act> = vec![
            Box::new(move |s: &mut Sheet| s.edit(Edit::Relabel { row: 1, target: label("c") })),
            Box::new(|s: &mut Sheet| s.edit(Edit::Move { row: 0, split: Split::Validation })),
            Box::new(move |s: &mut Sheet| s.edit(Edit::Add { split: Split::Test, text: "dov'è il pacco".into(), target: label("d") })),
            Box::new(|s: &mut Sheet| s.edit(Edit::Rewrite { row: 3, text: "zzz".into() })),
            Box::new(|s: &mut Sheet| s.edit(Edit::Delete { row: 4 })),
            Box::new(|s: &mut Sheet| s.edit(Edit::Delete { row: 5 })),
        ];
        let made = acts.len();
        acts.extend((0..made).map(|_| -> Act { Box::new(Sheet::undo) }));
        acts.extend((0..made).map(|_| -> Act { Box::new(Sheet::redo) }));
        // the order of the answers is the one that is kept, and then that of the texts
        told(&mut sheet);
        for (n, act) in acts.iter().enumerate() {
            if n % 2 == 0 {
                ask(&mut sheet, RowFilter::default(), "", SortBy::Text, false);
            }
            act(&mut sheet).expect("changed");
            assert_eq!(told(&mut sheet), told(&mut open(dir.path())), "{n}");
        }
        // nothing is taken back, or made again, where there is nothing
        let (turn, before) = (sheet.turn, told(&mut sheet));
        sheet.redo().expect("nothing to make again");
        assert_eq!((sheet.turn, told(&mut sheet)), (turn, before));
    }

    #[test]
    fn a_choice_of_rows_that_is_ended_leaves_the_one_before() {
        let dir = tempfile::tempdir().expect("a folder");
        let rows = SORTED + 5;
        let text = |n: usize| format!("{{\"frase\": \"riga {}\", \"intento\": \"{}\"}}\n", (n * 7919) % rows, ["a", "b"][n % 2]);
        std::fs::write(dir.path().join("train.jsonl"), (0..rows).map(text).collect::<String>()).expect("written");
        let mut sheet = open(dir.path());
        let query = |by, search: &str| RowQuery {
            data: "d1".into(),
            offset: 0,
            limit: 3,
            filter: RowFilter::default(),
            search: search.into(),
            sort: Sort { by, descending: false },
        };
        let ids = |page: RowPage| page.rows.iter().map(|r| r.id).collect::<Vec<_>>();
        assert_eq!(ids(sheet.rows(&query(SortBy::Row, "")).expect("a page")), [0, 1, 2]);
        let mut told = Vec::new();
        let mut watch = |done: u64, total: Option<u64>| {
            told.push((done, total));
            true
        };
        let whole = sheet.rows_with(&query(SortBy::Text, "riga"), &mut watch).expect("a page");
        assert_eq!(whole.total, rows);
        assert!(whole.rows.is_sorted_by(|a, b| a.text <= b.text), "{:?}", whole.rows);
        let end = told.last().copied().expect("told");
        assert!(told.is_sorted() && end.1 == Some(end.0) && told.iter().all(|(_, total)| *total == end.1), "{told:?}");
        // what was chosen last is not chosen again, and nobody is asked
        let again = sheet.rows_with(&query(SortBy::Text, "riga"), &mut |_, _| false).expect("a page");
        assert_eq!(ids(again), ids(whole));
        assert_eq!(ids(sheet.rows(&query(SortBy::Row, "")).expect("a page")), [0, 1, 2]);
        for last in 1..=told.len() {
            let mut asked = 0;
            let mut watch = |_: u64, _: Option<u64>| {
                asked += 1;
                asked < last
            };
            // an order that was made is kept
            sheet.order = None;
            let ended = sheet.rows_with(&query(SortBy::Text, "riga"), &mut watch);
            assert!(matches!(ended, Err(Error::Data(data::Error::Ended))) && asked == last, "{last}");
            assert!(sheet.shown.as_ref().is_some_and(|((_, search, sort), _)| search.is_empty() && sort.by == SortBy::Row), "{last}");
        }
        // and the choice before is told without being made again
        assert_eq!(ids(sheet.rows_with(&query(SortBy::Row, ""), &mut |_, _| false).expect("a page")), [0, 1, 2]);
    }

    #[test]
    fn lengths_fall_into_classes_that_hold_them_all() {
        let lengths = Lengths::of(&[Some(1), None, Some(30), Some(48)], &[Some(5), Some(48)], 40, 3);
        assert_eq!((lengths.measured, lengths.made, lengths.refused), (4, 2, 3));
        assert_eq!((lengths.bins.len(), lengths.bins[0].to, lengths.longest, lengths.over_limit), (24, 2, 48, 2));
        assert_eq!((lengths.bins[1].from, lengths.bins[1].to), (3, 4));
        assert_eq!(lengths.bins.iter().map(|b| b.count).collect::<Vec<_>>().iter().sum::<usize>(), 5);
        assert_eq!((lengths.bins[0].count, lengths.bins[2].count, lengths.bins[23].count), (1, 1, 2));
        assert_eq!(Lengths::of(&[], &[], 40, 0).bins, []);
    }

    #[test]
    fn findings_about_rows_that_have_changed_since_are_dropped() {
        let (_dir, sheet) = sheet();
        let sheet = Mutex::new(sheet);
        let before = Snapshot::of(&sheet);
        let old = check::findings(&before.set, None).expect("checked");
        let mut sheet = sheet.into_inner().expect("whole");
        change(&mut sheet, |s| s.edit(Edit::Delete { row: 0 }));
        sheet.judge(before.turn, old);
        assert_eq!(count(&sheet, "duplicate"), 0);
    }

    #[test]
    fn a_snapshot_has_the_rows_as_they_are_and_lets_others_in_meanwhile() {
        let dir = tempfile::tempdir().expect("a folder");
        let rows = 3 * PIECE + 5;
        let lines: String = (0..rows).map(|n| format!("{{\"frase\": \"riga {n}\", \"intento\": \"{}\"}}\n", ["a", "b"][n % 2])).collect();
        std::fs::write(dir.path().join("train.jsonl"), lines).expect("written");
        let mut sheet = open(dir.path());
        sheet.edit(Edit::Delete { row: 0 }).expect("deleted");
        sheet.edit(Edit::Move { row: 2, split: Split::Test }).expect("moved");
        let sheet = Mutex::new(sheet);
        let snapshot = Snapshot::of(&sheet);
        assert_eq!((snapshot.set.clone(), snapshot.changes), (lock(&sheet).editor.set(), 2));
        assert_eq!((snapshot.numbers[&Split::Train].len(), snapshot.numbers[&Split::Train][..2].to_vec()), (rows - 2, vec![1, 3]));
        assert_eq!((&snapshot.numbers[&Split::Test], snapshot.measurable().len()), (&vec![2], MEASURED));
        // rows that are changed while it copies are in it
        let copied = std::thread::scope(|scope| {
            let copying = scope.spawn(|| Snapshot::of(&sheet));
            lock(&sheet).edit(Edit::Delete { row: rows - 1 }).expect("deleted");
            copying.join().expect("copied")
        });
        let now = lock(&sheet).turn;
        assert!(copied.turn == now && copied.numbers[&Split::Train].len() == rows - 3 || copied.turn < now && copied.numbers == snapshot.numbers);
    }

    #[test]
    fn reading_tells_how_far_it_is_and_ends_where_it_is_told_to() {
        let dir = tempfile::tempdir().expect("a folder");
        let lines: String = (0..5000).map(|n| format!("{{\"frase\": \"riga {n}\", \"intento\": \"{}\"}}\n", ["a", "b"][n % 2])).collect();
        std::fs::write(dir.path().join("train.jsonl"), &lines).expect("written");
        let home = Home::open(Some(&dir.path().join("home"))).expect("home");
        // in the middle of the file, and in the check after it
        for last in [1, 6] {
            let mut told = Vec::new();
            let mut watch = |done: u64, total: Option<u64>| {
                told.push((done, total));
                told.len() < last
            };
            let source = Source { folder: Some(dir.path().into()), ..Source::default() };
            let ended = Sheet::open(Library::open(&home).expect("library"), "d1".into(), source, &mut watch);
            assert!(ended.is_err_and(|e| e.to_string().contains("cancelled") || e.to_string().contains("train.jsonl")), "{last}");
            assert_eq!(told.len(), last, "{told:?}");
            let whole = Some(lines.len() as u64);
            assert!(told.iter().take(5).all(|(done, total)| *total == whole && *done <= lines.len() as u64), "{told:?}");
            assert!(told.get(5).is_none_or(|t| *t == (0, None)), "{told:?}");
        }
    }

    #[test]
    fn a_query_shows_its_result() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("train.jsonl"), "{\"question\": \"quanti?\", \"sql\": \"SELECT n, x FROM t ORDER BY n\"}\n").expect("written");
        let schema = dir.path().join("s.sql");
        std::fs::write(&schema, "CREATE TABLE t (n INTEGER, x TEXT); INSERT INTO t VALUES (1, 'a'), (2, NULL);").expect("written");
        let home = Home::open(Some(&dir.path().join("home"))).expect("home");
        let source = Source { task: "sql".into(), train: Some(dir.path().join("train.jsonl")), schema: Some(schema), ..Source::default() };
        let sheet = Sheet::open(Library::open(&home).expect("library"), "d1".into(), source, &mut |_, _| true).expect("opens");
        let rows = vec![vec![Some("1".to_string()), Some("a".into())], vec![Some("2".into()), None]];
        let (set, sql) = sheet.query(0).expect("a query");
        assert_eq!(look::query(&set, &sql).expect("a result"), QueryResult { columns: vec!["n".into(), "x".into()], rows, total: 2 });
    }
}
