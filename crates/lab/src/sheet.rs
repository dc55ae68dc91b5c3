//! An open data set as a table: what is in it, what is wrong with it, and any part of its rows.
//!
//! The rows stay in memory and are numbered once, training first; a filter, a search and an order make a list of
//! numbers that is kept until they change, so that scrolling costs nothing even in a million rows.

use crate::error::{Error, Result};
use crate::run;
use crate::view::Source;
use data::check::{Finding, Severity};
use data::example::Span;
use data::set::{DataSet, Split};
use data::{Example, Kind, read};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use tasks::answer;
use ts_rs::TS;

/// Examples of a label by split.
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
}

/// Columns of a data set's files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, TS)]
pub struct ColumnsView {
    /// Names in the first file.
    pub names: Vec<String>,
    /// Role to column.
    pub mapping: BTreeMap<String, String>,
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
    /// Examples by label, commonest first.
    pub labels: Vec<LabelCount>,
    /// What was found.
    pub findings: Vec<FindingView>,
    /// Columns of the first file.
    pub columns: ColumnsView,
    /// Lengths in tokens; none where no tokenizer is at hand.
    pub lengths: Option<Lengths>,
    /// Edits that are not on disk yet.
    pub unsaved: usize,
}

/// Lengths of the training texts in tokens.
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
}

/// Training texts of about a length.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct LengthBin {
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
}

/// Which rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, TS)]
#[serde(default)]
#[ts(optional_fields)]
pub struct RowFilter {
    /// Only of this part.
    pub split: Option<Split>,
    /// Only with this label.
    pub label: Option<String>,
    /// Only those that this finding concerns, by its place in the summary.
    pub finding: Option<usize>,
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

/// An open data set.
pub struct Sheet {
    id: String,
    source: Source,
    set: DataSet,
    columns: ColumnsView,
    findings: Vec<Finding>,
    /// Row numbers of each finding, ascending.
    found: Vec<Vec<usize>>,
    /// Part and place of each row.
    places: Vec<(Split, usize)>,
    shown: Option<(Choice, Vec<usize>)>,
}

impl Sheet {
    /// Reads and checks a data set. A task that is not named is that of the card, or the one whose columns are there.
    ///
    /// # Errors
    /// If a file is missing or malformed.
    pub fn open(id: String, mut source: Source) -> Result<Self> {
        if source.task.is_empty() {
            let card = source.folder.as_deref().map(data::set::read_card).transpose()?;
            source.task = card.map(|c| c.task).filter(|t| !t.is_empty()).unwrap_or_else(|| Kind::Intent.name().into());
        }
        let (set, findings) = run::check_data(&source.task, &source.to_set()?)?;
        let places: Vec<(Split, usize)> = set.splits.iter().flat_map(|(split, file)| (0..file.examples.len()).map(|i| (*split, i))).collect();
        let rows: HashMap<String, usize> = places.iter().enumerate().map(|(row, &(split, i))| (set.examples(split)[i].origin.to_string(), row)).collect();
        let numbers = |finding: &Finding| {
            let mut numbers: Vec<usize> = finding.rows.iter().filter_map(|origin| rows.get(origin).copied()).collect();
            numbers.sort_unstable();
            numbers.dedup();
            numbers
        };
        let found = findings.iter().map(numbers).collect();
        let columns = columns(&set)?;
        Ok(Self { id, source, set, columns, findings, found, places, shown: None })
    }

    fn example(&self, row: usize) -> (Split, &Example) {
        let (split, i) = self.places[row];
        (split, &self.set.examples(split)[i])
    }

    /// What is in it.
    pub fn summary(&self) -> DataSummary {
        let mut labels: BTreeMap<&str, LabelCount> = BTreeMap::new();
        let labelled = if self.set.kind == Kind::Intent { self.places.len() } else { 0 };
        for row in 0..labelled {
            let (split, example) = self.example(row);
            let count = labels.entry(example.label()).or_insert_with(|| LabelCount { label: example.label().into(), ..LabelCount::default() });
            match split {
                Split::Train => count.train += 1,
                Split::Validation => count.validation += 1,
                Split::Test => count.test += 1,
            }
        }
        let mut labels: Vec<LabelCount> = labels.into_values().collect();
        labels.sort_by_key(|l| std::cmp::Reverse(l.train + l.validation + l.test));
        let finding = |(f, rows): (&Finding, &Vec<usize>)| FindingView { kind: f.kind, severity: f.severity, count: rows.len(), message: f.message.clone() };
        DataSummary {
            id: self.id.clone(),
            source: self.source.clone(),
            task: self.source.task.clone(),
            name: self.set.card.name.clone(),
            language: self.set.card.language.clone(),
            license: self.set.card.license.clone(),
            splits: self.set.splits.iter().map(|(split, file)| (*split, file.examples.len())).collect(),
            labels,
            findings: self.findings.iter().zip(&self.found).map(finding).collect(),
            columns: self.columns.clone(),
            lengths: None,
            unsaved: 0,
        }
    }

    /// A part of the table.
    ///
    /// # Errors
    /// If the filter names a finding that there is not.
    pub fn rows(&mut self, query: &RowQuery) -> Result<RowPage> {
        let choice = (query.filter.clone(), query.search.to_lowercase(), query.sort);
        if self.shown.as_ref().is_none_or(|(last, _)| *last != choice) {
            self.shown = Some((choice.clone(), self.choose(&choice)?));
        }
        let numbers = self.shown.as_ref().map_or(&[][..], |(_, numbers)| numbers);
        let rows = numbers.iter().skip(query.offset).take(query.limit).map(|&number| self.row(number)).collect();
        Ok(RowPage { total: numbers.len(), rows })
    }

    fn row(&self, id: usize) -> Row {
        let (split, example) = self.example(id);
        let file = example.origin.path();
        Row {
            id,
            split,
            origin: format!("{}:{}", file.file_name().unwrap_or(file.as_os_str()).to_string_lossy(), example.origin.line),
            text: example.text.clone(),
            target: Target::of(&example.target),
            findings: self.findings.iter().zip(&self.found).filter(|(_, rows)| rows.binary_search(&id).is_ok()).map(|(f, _)| f.kind).collect(),
        }
    }

    /// Numbers of the rows that a choice leaves, in its order.
    fn choose(&self, (filter, search, sort): &Choice) -> Result<Vec<usize>> {
        let mut numbers = match filter.finding {
            Some(f) => self.found.get(f).cloned().ok_or_else(|| Error::request(format!("there is no finding number {f}; open the data set again")))?,
            None => (0..self.places.len()).collect(),
        };
        numbers.retain(|&row| {
            let (split, example) = self.example(row);
            filter.split.is_none_or(|s| s == split)
                && filter.label.as_ref().is_none_or(|l| l == example.label())
                && (search.is_empty() || example.text.to_lowercase().contains(search) || answer::show(&example.target).to_lowercase().contains(search))
        });
        match sort.by {
            SortBy::Row => {}
            SortBy::Text => numbers.sort_by(|&a, &b| self.example(a).1.text.cmp(&self.example(b).1.text)),
            SortBy::Target => numbers.sort_by_cached_key(|&row| answer::show(&self.example(row).1.target)),
            SortBy::Split => numbers.sort_by_key(|&row| self.places[row].0),
        }
        if sort.descending {
            numbers.reverse();
        }
        Ok(numbers)
    }
}

/// Columns of the first file, and which were taken for which role: those that the first example's values stand in.
fn columns(set: &DataSet) -> Result<ColumnsView> {
    let Some(file) = set.splits.values().next() else { return Ok(ColumnsView::default()) };
    let records = read::records(&file.path)?;
    let (Some(first), Some(example)) = (records.first(), file.examples.first()) else { return Ok(ColumnsView::default()) };
    let holding = |value: &str| first.fields.iter().find(|(_, v)| v.trim() == value.trim()).map(|(name, _)| name.clone());
    let [text, target] = set.kind.roles();
    let roles = [(text, holding(&example.text)), (target, holding(&answer::show(&example.target)))];
    let mapping = roles.into_iter().filter_map(|(role, column)| Some((role.name().to_string(), column?))).collect();
    Ok(ColumnsView { names: first.fields.iter().map(|(name, _)| name.clone()).collect(), mapping })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet() -> (tempfile::TempDir, Sheet) {
        let dir = tempfile::tempdir().expect("a folder");
        let line = |t: &str, l: &str| format!("{}\n", serde_json::json!({"frase": t, "intento": l}));
        let train = [line("Dov'è il pacco", "a"), line("voglio un rimborso", "b"), line("dov'è il pacco", "a"), line("rimborso", "b")].concat();
        std::fs::write(dir.path().join("train.jsonl"), train).expect("written");
        std::fs::write(dir.path().join("test.jsonl"), line("il mio PACCO", "a")).expect("written");
        let source = Source { folder: Some(dir.path().into()), ..Source::default() };
        let sheet = Sheet::open("d1".into(), source).expect("opens");
        (dir, sheet)
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
    fn rows_are_filtered_searched_sorted_and_paged() {
        let (_dir, mut sheet) = sheet();
        let all = RowFilter::default();
        assert_eq!(ask(&mut sheet, all.clone(), "", SortBy::Row, false), [0, 1, 2, 3, 4]);
        assert_eq!(ask(&mut sheet, all.clone(), "Pacco", SortBy::Row, true), [4, 2, 0]);
        assert_eq!(ask(&mut sheet, all.clone(), "", SortBy::Text, false), [0, 2, 4, 3, 1]);
        assert_eq!(ask(&mut sheet, RowFilter { split: Some(Split::Test), ..all.clone() }, "", SortBy::Row, false), [4]);
        assert_eq!(ask(&mut sheet, RowFilter { label: Some("b".into()), ..all.clone() }, "", SortBy::Row, false), [1, 3]);
        let duplicate = sheet.summary().findings.iter().position(|f| f.kind == "duplicate").expect("found");
        assert_eq!(ask(&mut sheet, RowFilter { finding: Some(duplicate), ..all.clone() }, "", SortBy::Row, false), [0, 2]);
        let query = RowQuery { data: "d1".into(), offset: 1, limit: 2, filter: all, search: String::new(), sort: Sort { by: SortBy::Row, descending: false } };
        let page = sheet.rows(&query).expect("a page");
        assert_eq!((page.total, page.rows[0].id, page.rows.len()), (5, 1, 2));
        assert_eq!((page.rows[1].origin.as_str(), page.rows[1].findings.as_slice()), ("train.jsonl:3", &["few_examples", "duplicate"][..]));
    }

    #[test]
    fn a_finding_that_is_not_there_is_refused() {
        let (_dir, mut sheet) = sheet();
        let filter = RowFilter { finding: Some(99), ..RowFilter::default() };
        let query = RowQuery { data: "d1".into(), offset: 0, limit: 1, filter, search: String::new(), sort: Sort { by: SortBy::Row, descending: false } };
        assert!(sheet.rows(&query).is_err_and(|e| e.to_string().contains("99")));
    }
}
