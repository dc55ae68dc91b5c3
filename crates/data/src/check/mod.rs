//! What would spoil a run, found before it starts.
//!
//! [`findings`] looks at a whole data set and returns what it found, worst first: [`rows`] at each row
//! alone (empty, damaged, much too long), [`language`] at rows in another language, [`labels`] at
//! labels and types that are too few or unknown, [`repeats`] at rows that repeat or contradict others
//! and at test rows that training has seen, and [`spans`], [`queries`] and [`tags`] at the answers of
//! their task. Training refuses a set with an error and warns of the rest. [`skipped`] tells of rows that were passed over
//! because they could not be read.

mod labels;
mod language;
mod queries;
mod repeats;
mod rows;
mod skipped;
mod spans;
mod tags;
#[cfg(test)]
mod tests;

pub use skipped::skipped;

use crate::database::Database;
use crate::error::Result;
use crate::example::{Example, Target};
use crate::map::Suspect;
use crate::near;
use crate::set::{DataSet, File, Split};
use crate::watch::Steps;
use say::{Both, EXAMPLE, Noun, ROW, TEXT, count, number as verb, say, word};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use ts_rs::TS;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Training would be meaningless or impossible.
    Error,
    /// Training works, but the result may mislead.
    Warning,
}

/// A row of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Part of the set.
    pub split: Split,
    /// Which of the part's examples, from 0.
    pub index: usize,
    /// Rows of a finding that belong together, such as the copies of one text, have the same number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<usize>,
}

/// Something found in a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Machine-readable kind, for instance `duplicate`.
    pub kind: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Rows concerned, as `file:line`, with the column of a fault that has one; those that belong together stand together.
    pub rows: Vec<String>,
    /// The same rows, in the same order, as places in the set; none for rows that are not in it, see [`skipped`].
    pub places: Vec<Place>,
    /// A sentence that explains it and says what to do.
    pub message: String,
    /// The same in both languages, for those who keep it.
    #[serde(skip)]
    pub told: Both,
    /// What doing so changes.
    pub fix: String,
    /// The same in both languages.
    #[serde(skip)]
    pub gain: Both,
}

impl Finding {
    /// A finding about rows, of which each has its name and its place; `message` and `fix` say it in the language spoken.
    pub fn of(kind: &'static str, severity: Severity, rows: Vec<(String, Place)>, message: impl Fn() -> String, fix: impl Fn() -> String) -> Self {
        let (told, gain) = (Both::of(message), Both::of(fix));
        let (rows, places) = rows.into_iter().unzip();
        Self { kind, severity, rows, places, message: told.spoken().into(), told, fix: gain.spoken().into(), gain }
    }
}

/// The length beyond which an example is not trained on.
pub struct Limit<'a> {
    /// Tokens allowed.
    pub tokens: usize,
    /// What that can be raised to: the model's context.
    pub context: usize,
    /// Counts the tokens of an example as training would see it, prompt and answer; up to `tokens` it may
    /// overstate. `None` if the example cannot be tokenized.
    pub count: &'a (dyn Fn(&Example) -> Option<usize> + Sync),
}

/// Checks a data set, and with a limit also which examples are longer.
///
/// # Errors
/// If the set's database cannot be opened.
pub fn findings(set: &DataSet, limit: Option<&Limit<'_>>) -> Result<Vec<Finding>> {
    findings_with(set, limit, &mut Steps::default())
}

/// What an answer counts that is tried, as a query is on a database: a row that is only looked at counts one.
pub const TRIED: u64 = 1000;

/// What [`findings_with`] counts of a set whose lengths are not measured.
pub fn work(set: &DataSet) -> u64 {
    let examples = || set.splits.values().flat_map(|file| &file.examples);
    let (rows, queries) = (examples().count(), examples().filter(|e| matches!(e.target, Target::Sql(_))).count());
    rows as u64 * (rows::LOOKS + language::LOOKS + labels::LOOKS + spans::LOOKS + tags::LOOKS) + near::work(rows) + queries as u64 * TRIED
}

/// As [`findings`]; of `steps` it takes what [`work`] says.
///
/// # Errors
/// As [`findings`], or if it was ended.
pub fn findings_with(set: &DataSet, limit: Option<&Limit<'_>>, steps: &mut Steps<'_>) -> Result<Vec<Finding>> {
    let rows = all(set);
    let mut out: Vec<Finding> = set.splits.iter().filter_map(|(split, file)| unread(*split, file)).collect();
    // a file may hold several parts
    let guesses: BTreeMap<&Path, &str> = set.splits.values().filter_map(|file| Some((file.path.as_path(), file.guessed?))).collect();
    out.extend(guesses.into_iter().map(|(path, encoding)| guessed(path, encoding)));
    out.extend(rows::check(&rows, steps)?);
    if let Some(limit) = limit {
        out.extend(rows::too_long(&rows, limit, steps)?);
    }
    out.extend(language::check(&rows, &set.card.language, steps)?);
    out.extend(labels::check(set, &rows, steps)?);
    out.extend(repeats::check(&rows, steps)?);
    out.extend(spans::check(&rows, steps)?);
    out.extend(tags::check(&rows, steps)?);
    if rows.iter().any(|r| matches!(r.example.target, Target::Sql(_))) {
        out.extend(queries::check(&rows, database(set)?.as_ref(), queries::BUDGET, steps)?);
    }
    out.sort_by_key(|f| f.severity);
    Ok(out)
}

/// Which examples of a set are longer than a limit: the part of [`findings`] that needs a model's tokenizer. Each row counts one of
/// `steps`.
///
/// # Errors
/// If it was ended.
pub fn too_long(set: &DataSet, limit: &Limit<'_>, steps: &mut Steps<'_>) -> Result<Option<Finding>> {
    rows::too_long(&all(set), limit, steps)
}

/// Which queries of a part answers cannot be held against; `why` gives the reason, if there is one. Those that judge a model
/// have narrower limits than those who only read a set. Each query counts as one that is [`TRIED`].
///
/// # Errors
/// If it was ended.
pub fn unscored(set: &DataSet, split: Split, why: &mut dyn FnMut(&str) -> Option<String>, steps: &mut Steps<'_>) -> Result<Option<Finding>> {
    queries::unscored(&all(set), split, why, steps)
}

/// A finding of rows that resemble those of another label; none if there is no suspect. `rows` are the
/// places of the vectors that the suspects were found among.
pub fn suspicious(set: &DataSet, rows: &[(Split, usize)], suspects: &[Suspect]) -> Option<Finding> {
    let row = |s: &Suspect| {
        let (split, index) = *rows.get(s.row)?;
        Some(Row { split, index, example: set.examples(split).get(index)? })
    };
    let found_rows: Vec<(Row<'_>, &Suspect)> = suspects.iter().filter_map(|s| Some((row(s)?, s))).collect();
    let one =
        |(r, s): &(Row<'_>, &Suspect)| say!("{} has `{}` and resembles `{}`", "{} ha `{}` e somiglia a `{}`", r.example.origin, r.example.label(), s.label);
    found(
        "suspicious_label",
        Severity::Warning,
        &found_rows.iter().map(|(r, _)| *r).collect::<Vec<_>>(),
        |n| {
            let named: Vec<String> = found_rows.iter().take(3).map(one).collect();
            let (rows, named, more) = (count(n, ROW), named.join("; "), if n > named.len() { "; …" } else { "" });
            let (resembles, own, its) = (verb(n, "resembles", "resemble"), verb(n, "its", "their"), verb(n, "its label is", "their labels are"));
            let (somiglia, sue) = (verb(n, "somiglia", "somigliano"), verb(n, "la sua etichetta è giusta", "le loro etichette sono giuste"));
            say!(
                "{rows} {resembles}, to the model, rows of another label more than rows of {own} own ({named}{more}); look whether {its} right",
                "{rows}, secondo il modello, {somiglia} più a righe di un’altra etichetta che a quelle della propria ({named}{more}); guarda se {sue}"
            )
        },
        |_| {
            say!(
                "Each wrong label that is corrected is one row less that teaches the opposite of the others.",
                "Ogni etichetta sbagliata che si corregge è una riga in meno che insegna il contrario delle altre."
            )
        },
    )
}

/// The database of a set, if it names one.
///
/// # Errors
/// If it cannot be opened.
pub fn database(set: &DataSet) -> Result<Option<Database>> {
    let files: Vec<&Path> = [&set.schema, &set.seed, &set.database].into_iter().flatten().map(AsRef::as_ref).collect();
    if files.is_empty() { Ok(None) } else { Database::of(&files).map(Some) }
}

/// A part of which no row could be read: all were passed over.
fn unread(split: Split, file: &File) -> Option<Finding> {
    let (n, name, part) = (file.skipped.count, file.path.display(), split.name());
    let first = file.skipped.first.first()?;
    let message = || {
        let (of, nessuna) = (verb(n, "the only row", "none of the rows"), verb(n, "l’unica riga", "nessuna delle righe"));
        let (can, si) = (verb(n, "cannot", "can"), verb(n, "non si può", "si può"));
        say!(
            "{of} of {name} {can} be read, so the {part} part is empty ({first}); correct the file, or name its columns",
            "{nessuna} di {name} {si} leggere, quindi la parte {part} è vuota ({first}); correggi il file, oppure indica le colonne"
        )
    };
    let fix = || say!("There is then something to learn from or to measure on.", "C’è allora qualcosa da cui imparare o su cui misurare.");
    file.examples.is_empty().then(|| Finding::of("no_rows", Severity::Error, Vec::new(), message, fix))
}

/// A file that is in none of Unicode's encodings, and what it was taken for.
fn guessed(path: &Path, encoding: &str) -> Finding {
    let name = path.display();
    let message = || {
        say!(
            "{name} is not in UTF-8 and was read as {encoding}, which is a guess; look whether its accented letters are right, and save it as UTF-8",
            "{name} non è in UTF-8 ed è stato letto come {encoding}, che è un’ipotesi; guarda se le lettere accentate sono giuste, e salvalo in UTF-8"
        )
    };
    let fix = || say!("Every program then reads the same letters.", "Ogni programma legge allora le stesse lettere.");
    Finding::of("guessed_encoding", Severity::Warning, Vec::new(), message, fix)
}

/// An example with its place.
#[derive(Clone, Copy)]
struct Row<'a> {
    split: Split,
    index: usize,
    example: &'a Example,
}

fn all(set: &DataSet) -> Vec<Row<'_>> {
    set.splits.iter().flat_map(|(&split, f)| f.examples.iter().enumerate().map(move |(index, example)| Row { split, index, example })).collect()
}

/// A finding about single rows; none if there is no row.
fn found(kind: &'static str, severity: Severity, rows: &[Row<'_>], message: impl Fn(usize) -> String, fix: impl Fn(usize) -> String) -> Option<Finding> {
    let named = rows.iter().map(|r| (r.example.origin.to_string(), Place { split: r.split, index: r.index, group: None })).collect();
    let n = rows.len();
    (n > 0).then(|| Finding::of(kind, severity, named, || message(n), || fix(n)))
}

const QUERY: Noun = ["query", "queries", "query", "query"];
