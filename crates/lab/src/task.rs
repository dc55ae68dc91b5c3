//! What differs between tasks, in one place: what may be answered, and how answers become metrics
//! and predictions.

use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::recipe::Recipe;
use data::check::{self, Finding, Place, Severity};
use data::set::{DataSet, Split};
use data::watch::{PIECE, Steps};
use data::{Example, Kind, Target};
use rayon::prelude::*;
use report::record::{Prediction, RunFile};
use report::text::Lang;
use say::say;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use tasks::intent::Labels;
use tasks::json_schema::{self, JsonSchema};
use tasks::sandbox::{Sandbox, Table};
use tasks::score::paired::{self, Difference};
use tasks::score::tags::{self, Sameness};
use tasks::score::{self, Scored, entities, sql::Judge, text};
use tasks::values::Values;
use tasks::{Metrics, answer, compose, grammar, grow, prompt, tagging};

/// A task with what its data set says of it.
#[derive(Clone, Debug)]
pub struct Task {
    /// What the answers are.
    pub kind: Kind,
    /// The labels of an intent, the types of entities, the names that queries give by AS.
    pub labels: Labels,
    /// The tables that queries are about.
    pub tables: Vec<Table>,
    /// The values of these tables, as far as they are known.
    pub values: Values,
    /// What the answers of a custom task must fit, if anything.
    pub json_schema: Option<JsonSchema>,
}

impl Task {
    /// The task of a data set.
    ///
    /// # Errors
    /// If queries have no database, its files are wrong, or a model cannot be held to the JSON schema of a custom task.
    pub fn of(set: &DataSet) -> Result<Self> {
        Self::of_with(set, &mut Steps::default())
    }

    /// As [`Task::of`]; each training row counts one of `steps`.
    ///
    /// # Errors
    /// As [`Task::of`], or if it was ended.
    pub fn of_with(set: &DataSet, steps: &mut Steps<'_>) -> Result<Self> {
        let labels = labels(set.kind, set.examples(Split::Train), steps)?;
        let (mut tables, mut values) = (Vec::new(), Values::default());
        if set.kind == Kind::Sql {
            let mut database = Sandbox::open(&database(set)?)?;
            tables = database.tables().to_vec();
            values = Values::of(&mut database);
        }
        let json_schema = set.schema.as_deref().filter(|_| set.kind == Kind::Custom).map(read_schema).transpose()?;
        Ok(Self { kind: set.kind, labels, tables, values, json_schema })
    }

    /// Is there anything that an answer by completion must be?
    pub fn constrained(&self) -> bool {
        self.kind != Kind::Custom || self.json_schema.is_some()
    }

    /// Does an answer mean anything only where it is whole? So it is with queries, entities and JSON, and not with tags and free text.
    pub fn whole(&self) -> bool {
        matches!(self.kind, Kind::Sql | Kind::Entities) || self.json_schema.is_some()
    }

    /// Rows whose answers do not fit the JSON schema of the task, or have what it names in another order than a model can write
    /// it: they teach what cannot be answered. Each row counts as one that is [`check::TRIED`].
    ///
    /// # Errors
    /// If it was ended.
    pub fn misfits(&self, set: &DataSet, steps: &mut Steps<'_>) -> Result<Vec<Finding>> {
        let Some(schema) = &self.json_schema else { return Ok(Vec::new()) };
        let (mut outside, mut disordered) = (Vec::new(), Vec::new());
        let mut why = String::new();
        for (&split, file) in &set.splits {
            for (index, example) in file.examples.iter().enumerate() {
                steps.after(check::TRIED)?;
                let row = (example.origin.to_string(), Place { split, index, group: None });
                let answer = answer::show(&example.target);
                match schema.fits(&answer) {
                    Err(reason) if outside.is_empty() => {
                        why = reason;
                        outside.push(row);
                    }
                    Err(_) => outside.push(row),
                    Ok(()) if !schema.writes(&answer) => disordered.push(row),
                    Ok(()) => {}
                }
            }
        }
        let finding = |kind, rows: Vec<(String, Place)>, message: &dyn Fn() -> String, fix: &dyn Fn() -> String| {
            (!rows.is_empty()).then(|| Finding::of(kind, Severity::Warning, rows, message, fix))
        };
        let (wrong, unordered) = (outside.len(), disordered.len());
        let outside = finding(
            "schema",
            outside,
            &|| {
                let why = Lang::spoken().reason(&why);
                say!(
                    "completions that do not fit the JSON schema: {wrong} (the first: {why}); correct them, or the schema",
                    "completamenti che non rispettano lo schema JSON: {wrong} (il primo: {why}); correggili, oppure correggi lo schema"
                )
            },
            &|| {
                say!(
                    "Every answer is then one that a model held to the schema can give.",
                    "Così ogni risposta è una che un modello vincolato allo schema può dare."
                )
            },
        );
        let disordered = finding(
            "schema_order",
            disordered,
            &|| {
                say!(
                    "completions that fit the JSON schema and are written otherwise than a model held to it can write: {unordered}; put their properties in \
                     the order of the schema",
                    "completamenti che rispettano lo schema JSON ma sono scritti come un modello vincolato non può scriverli: {unordered}; mettine le proprietà \
                     nell’ordine dello schema"
                )
            },
            &|| say!("What is learned and what may be written is then the same.", "Così ciò che si impara e ciò che si può scrivere coincidono."),
        );
        Ok(outside.into_iter().chain(disordered).collect())
    }

    /// What a model reads before it answers a text.
    pub fn prompt(&self, template: &str, text: &str) -> String {
        self.placed(template, text).0
    }

    /// As [`Task::prompt`], and which bytes of it are the text.
    pub fn placed(&self, template: &str, text: &str) -> (String, Range<usize>) {
        prompt::placed(template, text, &prompt::schema(&self.tables), &self.values.named(text))
    }

    /// Classes that a head chooses from: the labels, or the tags of the types of entities.
    pub fn classes(&self) -> usize {
        let names = self.labels.names().len();
        if self.kind == Kind::Entities { tagging::count(names) } else { names }
    }

    /// What may be answered to a text, as a grammar.
    pub fn grammar(&self, text: &str) -> String {
        match self.kind {
            Kind::Entities => grammar::entities(text, self.labels.names()),
            Kind::Sql => grammar::sql(&self.tables, self.labels.names()),
            Kind::Custom => self.json_schema.as_ref().map(JsonSchema::grammar).unwrap_or_default(),
            _ => grammar::hashtags(),
        }
    }
}

/// The labels of training examples, the types of their entities, or the names that their queries give by AS. Each example counts one
/// of `steps`.
fn labels(kind: Kind, train: &[Example], steps: &mut Steps<'_>) -> Result<Labels> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for piece in train.chunks(PIECE) {
        let mut add = |name: &str| {
            if !names.contains(name) {
                names.insert(name.into());
            }
        };
        match kind {
            Kind::Entities => piece.iter().flat_map(Example::spans).for_each(|span| add(&span.kind)),
            Kind::Intent => piece.iter().for_each(|example| add(example.label())),
            Kind::Sql => {
                let of = |e: &Example| if let Target::Sql(query) = &e.target { score::sql::aliases(query) } else { Vec::new() };
                names.extend(piece.par_iter().flat_map_iter(of).collect::<Vec<String>>());
            }
            Kind::Hashtags | Kind::Custom => {}
        }
        steps.after(piece.len() as u64)?;
    }
    Ok(Labels::new(names.into_iter().collect()))
}

/// Names that are listed in a message.
const LISTED: usize = 20;

/// Refuses to train on so few rows of a set, drawn by seed, that a label or a type of entities would have none.
///
/// # Errors
/// If one would, with the names.
pub fn enough(set: &DataSet, rows: usize, seed: u64) -> Result<()> {
    if !matches!(set.kind, Kind::Intent | Kind::Entities) {
        return Ok(());
    }
    let train = set.examples(Split::Train);
    let kept: Vec<Example> = data::divide::sample(train, rows, seed).into_iter().map(|i| train[i].clone()).collect();
    let (all, kept) = (labels(set.kind, train, &mut Steps::default())?, labels(set.kind, &kept, &mut Steps::default())?);
    let without: Vec<&str> = all.names().iter().filter(|name| kept.index(name).is_none()).map(String::as_str).collect();
    if without.is_empty() {
        return Ok(());
    }
    let (missing, of) = (without.len(), all.names().len());
    let names = without[..missing.min(LISTED)].join(", ") + if missing > LISTED { ", …" } else { "" };
    let [what, uno, molti] =
        if set.kind == Kind::Intent { ["labels", "etichetta", "etichette"] } else { ["types of entities", "tipo di entità", "tipi di entità"] };
    let (resterebbe, cosa) = (say::number(missing, "resterebbe", "resterebbero"), say::number(missing, uno, molti));
    Err(Error::request(say!(
        "too few training rows ({rows}): {missing} of {of} {what} would have none ({names}); take at least {}",
        "troppo poche righe di addestramento ({rows}): senza nessuna {resterebbe} {missing} {cosa} su {of} ({names}); prendine almeno {}",
        of.max(rows + 1)
    )))
}

/// Reads the JSON schema that the answers of a custom task must fit.
///
/// # Errors
/// If the file cannot be read, or a model cannot be held to it.
pub fn read_schema(file: &Path) -> Result<JsonSchema> {
    let mut text = String::new();
    // one byte more than may be is enough to know
    let most = json_schema::LONGEST as u64 + 1;
    std::fs::File::open(file).and_then(|f| f.take(most).read_to_string(&mut text)).map_err(|e| Error::io(file, e))?;
    JsonSchema::read(&text).map_err(|what| Error::request(format!("{}: {what}", file.display())))
}

/// The JSON schema that the answers of a run were held to.
///
/// # Errors
/// If this version cannot hold a model to it.
pub fn schema_of(run: &RunFile, folder: &Path) -> Result<Option<JsonSchema>> {
    let read = |text: &String| JsonSchema::read(text).map_err(|what| Error::request(format!("{}: json_schema: {what}", folder.join("run.toml").display())));
    run.data.json_schema.as_ref().map(read).transpose()
}

/// The rows of a training set come up at least so often for each row that was made from them or from their database.
const OWN: f64 = 0.25;

/// The training rows of a data set, and behind them those that are made of them, see [`made`].
///
/// # Errors
/// As [`made`].
pub fn training<'s>(set: &'s DataSet, recipe: &Recipe, seed: u64, steps: &mut Steps<'_>) -> Result<Cow<'s, [Example]>> {
    Ok(beside(set.examples(Split::Train), &made(set, recipe, seed, steps)?))
}

/// The rows that grow from the training rows of a data set, see [`tasks::grow`], and those composed from its database, see
/// [`tasks::compose`]. Each row that something is made of, and each that is composed, counts one of `steps`.
///
/// # Errors
/// If queries have no database, or it was ended.
pub fn made(set: &DataSet, recipe: &Recipe, seed: u64, steps: &mut Steps<'_>) -> Result<Vec<Example>> {
    let own = set.examples(Split::Train);
    Ok(match set.kind {
        Kind::Sql if recipe.grow + recipe.compose > 0 => {
            let mut database = Sandbox::open(&database(set)?)?;
            let grown = grow::queries(own, &mut database, recipe.grow, seed, steps)?;
            [grown, compose::queries(own, &mut database, set.card.language == "it", recipe.compose, seed, steps)?].concat()
        }
        Kind::Entities => grow::entities(own, recipe.grow, seed, steps)?,
        Kind::Hashtags => grow::hashtags(own, recipe.grow, seed, steps)?,
        Kind::Sql | Kind::Intent | Kind::Custom => Vec::new(),
    })
}

/// Training rows, and behind them those that were made of them.
pub fn beside<'s>(own: &'s [Example], more: &[Example]) -> Cow<'s, [Example]> {
    // the rows that people wrote must not be lost among those that were made
    let times = ((more.len() as f64 * OWN / own.len().max(1) as f64).round() as usize).max(1);
    if more.is_empty() { Cow::Borrowed(own) } else { Cow::Owned(std::iter::repeat_n(own, times).chain([more]).flatten().cloned().collect()) }
}

/// The files of the database that a data set's queries are about.
///
/// # Errors
/// If it names none.
pub fn database(set: &DataSet) -> Result<Vec<&Path>> {
    let files: Vec<&Path> = [&set.schema, &set.seed, &set.database].into_iter().flatten().map(PathBuf::as_path).collect();
    if files.is_empty() { Err(Error::request(no_database())) } else { Ok(files) }
}

/// A file of a run's data by the part it played: what came with the run if it was unpacked from elsewhere, else where it lay
/// when the run began.
pub fn file_of(run: &RunFile, folder: &Path, role: &str) -> Option<PathBuf> {
    let recorded = PathBuf::from(&run.data.files.get(role)?.path);
    let packed = report::archive::place(role, &recorded).map(|place| folder.join(place)).filter(|path| path.exists());
    Some(packed.unwrap_or(recorded))
}

/// The files of the database that a run's queries are about, see [`file_of`]; empty if the task has none.
pub fn database_of(run: &RunFile, folder: &Path) -> Vec<PathBuf> {
    ["schema", "seed", "database"].iter().filter_map(|role| file_of(run, folder, role)).collect()
}

/// Why an answer that a model gave is none: it is less sure than the threshold of its run.
pub(crate) const WITHHELD: &str = "withheld: less sure than the threshold";

/// Answers and their scores, in the order of the examples.
pub(crate) type Judged<'a> = (&'a [Answer], &'a [Prediction]);

/// How far two ways of answering the same examples differ in the main metric of their task, see [`Metrics::main`]: the second minus the
/// first.
pub(crate) fn difference(examples: &[Example], first: Judged<'_>, second: Judged<'_>) -> Difference {
    let parts = |(said, scored): Judged<'_>| -> Vec<[f64; 2]> {
        examples.iter().zip(said.iter().zip(scored)).map(|(example, (said, scored))| main_part(&example.target, said, scored.score)).collect()
    };
    paired::of_sums(&parts(first), &parts(second))
}

/// What one answer adds to the main metric, see [`paired::of_sums`].
fn main_part(expected: &Target, said: &Answer, score: f64) -> [f64; 2] {
    let answered = said.answer.as_ref().ok();
    let f1 = |(right, answered, expected): (usize, usize, usize)| [2.0 * right as f64, (answered + expected) as f64];
    match (expected, answered) {
        (Target::Entities(want), Some(Target::Entities(got))) => f1(entities::counts(want, got)),
        (Target::Entities(want), _) => f1(entities::counts(want, &[])),
        (Target::Tags(want), Some(Target::Tags(got))) => f1(tags::counts(want, got, Sameness::default())),
        (Target::Tags(want), _) => f1(tags::counts(want, &[], Sameness::default())),
        // what stands beside a prediction is how near it comes
        (Target::Completion(want), _) => [f64::from(answered.is_some_and(|got| text::exact(want, &answer::show(got)))), 1.0],
        (Target::Label(_) | Target::Sql(_), _) => [score, 1.0],
    }
}

fn no_database() -> String {
    say!(
        "queries are about a database; name the script of the tables with --schema, and the database or the script that fills it with --database",
        "le query riguardano un database; indica lo script delle tabelle con --schema, e il database o lo script che lo riempie con --database"
    )
}

/// Scores answers of one task. Queries need the database that they are about.
pub struct Scorer {
    kind: Kind,
    labels: Labels,
    judge: Option<Judge>,
    json_schema: Option<JsonSchema>,
}

impl Scorer {
    /// Prepares to score answers to `examples`. `labels` are those that may be answered; `files` make
    /// the database of queries, see [`Sandbox::open`].
    ///
    /// # Errors
    /// If there is no such database, or its files are wrong.
    pub fn new(kind: Kind, examples: &[Example], labels: Labels, files: &[&Path]) -> Result<Self> {
        let judge = match kind {
            Kind::Sql if files.is_empty() => return Err(Error::request(no_database())),
            Kind::Sql => {
                let queries = examples.iter().filter_map(|e| if let Target::Sql(q) = &e.target { Some(q.as_str()) } else { None });
                Some(Judge::new(Sandbox::open(files)?, queries)?)
            }
            _ => None,
        };
        Ok(Self { kind, labels, judge, json_schema: None })
    }

    /// The same for answers that must fit a JSON schema, if there is one.
    pub fn under(self, json_schema: Option<JsonSchema>) -> Self {
        Self { json_schema, ..self }
    }

    /// Scores what was said about each example, in the same order.
    ///
    /// # Errors
    /// If an expected query does not run: then the data set is wrong.
    pub fn score(&mut self, examples: &[Example], said: &[Answer]) -> Result<(Metrics, Vec<Prediction>)> {
        self.score_with(examples, said, &mut Steps::default())
    }

    /// As [`Scorer::score`]; each example counts one.
    ///
    /// # Errors
    /// As [`Scorer::score`], or if it was ended.
    pub fn score_with(&mut self, examples: &[Example], said: &[Answer], steps: &mut Steps<'_>) -> Result<(Metrics, Vec<Prediction>)> {
        let mut shares = Vec::new();
        let mut reasons: Vec<Option<String>> = said.iter().map(|s| s.answer.as_ref().err().cloned()).collect();
        let read = |s: &Answer| s.answer.as_ref().ok().cloned();
        let metrics = match self.kind {
            Kind::Intent => {
                let mut rows = Vec::new();
                for ((example, said), reason) in examples.iter().zip(said).zip(&mut reasons) {
                    let answered = said.answer.as_ref().ok().and_then(|a| if let Target::Label(l) = a { self.labels.index(l) } else { None });
                    // a label that may not be answered would be scored as another one
                    let expected = self.labels.index(example.label()).ok_or_else(|| {
                        Error::request(say!(
                            "{}: the label `{}` is not one of {}",
                            "{}: l’etichetta `{}` non è fra {}",
                            example.origin,
                            example.label(),
                            self.labels.names().join(", ")
                        ))
                    })?;
                    if let (None, Ok(Target::Label(label))) = (answered, &said.answer) {
                        *reason = Some(answer::unknown(label));
                    }
                    shares.push(f64::from(answered == Some(expected)));
                    steps.after(1)?;
                    rows.push(Scored { expected, answered, probability: said.probability });
                }
                Metrics::Classes(score::classification(self.labels.names(), &rows))
            }
            Kind::Entities => {
                let expected: Vec<_> = examples.iter().map(|e| e.spans().to_vec()).collect();
                let answered: Vec<_> = said.iter().map(|s| read(s).and_then(|a| if let Target::Entities(s) = a { Some(s) } else { None })).collect();
                for (expected, answered) in expected.iter().zip(&answered) {
                    // what cannot be read is no answer, also where nothing was expected
                    shares.push(answered.as_ref().map_or(0.0, |answered| entities::share(expected, answered)));
                    steps.after(1)?;
                }
                Metrics::Entities(entities::entities(&expected, &answered))
            }
            Kind::Hashtags => {
                let expected: Vec<_> = examples.iter().map(|e| if let Target::Tags(t) = &e.target { t.clone() } else { Vec::new() }).collect();
                let answered: Vec<_> = said.iter().map(|s| read(s).and_then(|a| if let Target::Tags(t) = a { Some(t) } else { None })).collect();
                for (expected, answered) in expected.iter().zip(&answered) {
                    shares.push(answered.as_ref().map_or(0.0, |answered| tags::share(expected, answered)));
                    steps.after(1)?;
                }
                Metrics::Tags(tags::tags(&expected, &answered))
            }
            Kind::Custom => {
                let answered: Vec<_> = said.iter().map(|s| read(s).map(|a| answer::show(&a))).collect();
                let mut rows = Vec::new();
                for (example, answered) in examples.iter().zip(&answered) {
                    rows.push(text::of(&answer::show(&example.target), answered.as_deref()));
                    steps.after(1)?;
                }
                shares.extend(rows.iter().map(|row| row[4]));
                let mut scores = text::summary(&rows, &answered);
                if let Some(schema) = &self.json_schema {
                    let held: Vec<_> = answered.iter().map(|a| a.as_ref().map(|a| schema.fits(a))).collect();
                    scores = scores.under_schema(&held.iter().map(|held| matches!(held, Some(Ok(())))).collect::<Vec<_>>());
                    for (reason, held) in reasons.iter_mut().zip(held) {
                        *reason = reason.take().or_else(|| held.and_then(std::result::Result::err));
                    }
                }
                Metrics::Text(scores)
            }
            Kind::Sql => {
                let judge = self
                    .judge
                    .as_mut()
                    .ok_or_else(|| Error::request(say!("queries need their database to be scored", "per valutare le query serve il loro database")))?;
                let mut verdicts = Vec::new();
                for ((example, said), reason) in examples.iter().zip(said).zip(&mut reasons) {
                    let produced = said.answer.as_ref().map(answer::show).unwrap_or_default();
                    let verdict = judge.judge(&answer::show(&example.target), &produced).map_err(|e| Error::request(format!("{}: {e}", example.origin)))?;
                    shares.push(f64::from(verdict.right));
                    if reason.is_none() {
                        reason.clone_from(&verdict.reason);
                    }
                    verdicts.push(verdict);
                    steps.after(1)?;
                }
                Metrics::Sql(score::sql::sql(&verdicts))
            }
        };
        for ((reason, said), score) in reasons.iter_mut().zip(said).zip(&shares) {
            if reason.is_none() && *score < 1.0 {
                *reason = said.reason();
            }
        }
        let prediction = |(((example, said), score), reason): (((&Example, &Answer), f64), Option<String>)| Prediction {
            input: example.text.clone(),
            expected: answer::show(&example.target),
            output: said.output.clone(),
            answer: said.answer.as_ref().ok().map(answer::show),
            score,
            free_score: None,
            probability: said.probability,
            calibrated: None,
            reason,
            place: None,
        };
        Ok((metrics, examples.iter().zip(said).zip(shares).zip(reasons).map(prediction).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::Origin;
    use std::sync::Arc;

    fn example(target: &Target) -> Example {
        Example { text: "Anna a Roma".into(), target: target.clone(), origin: Origin { file: Arc::new("test.jsonl".into()), line: 1 } }
    }

    #[test]
    fn what_did_not_end_scores_nothing_where_it_must_be_whole_and_says_so_everywhere() {
        let dir = tempfile::tempdir().expect("a folder");
        let schema = dir.path().join("schema.sql");
        std::fs::write(&schema, "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2);").expect("written");
        let json_schema = JsonSchema::read(r#"{"type": "object"}"#).expect("a schema");
        let tags = Target::Tags(["#roma", "#mare"].map(String::from).to_vec());
        // every output is one that would be right, or right in part, if it had ended there
        for (kind, target, output, held, kept) in [
            (Kind::Entities, Target::Entities(Vec::new()), " []", false, false),
            (Kind::Sql, Target::Sql("SELECT a FROM t".into()), " SELECT a FROM t", false, false),
            (Kind::Custom, Target::Completion("{}".into()), " {}", true, false),
            (Kind::Custom, Target::Completion("Va bene, a domani".into()), " Va bene", false, true),
            (Kind::Hashtags, tags, " #roma", false, true),
        ] {
            let json_schema = held.then(|| json_schema.clone());
            let labels = Labels::new(Vec::new());
            let task = Task { kind, labels: labels.clone(), tables: Vec::new(), values: Values::default(), json_schema: json_schema.clone() };
            let examples = [example(&target), example(&target)];
            let files: Vec<&Path> = if kind == Kind::Sql { vec![schema.as_path()] } else { Vec::new() };
            let mut scorer = Scorer::new(kind, &examples, labels, &files).expect("a scorer").under(json_schema);
            let ended = Answer::read(kind, &examples[0].text, output.into(), 0.5);
            let said = [ended.clone(), ended.cut_off(24, task.whole())];
            let (_, scored) = scorer.score(&examples, &said).expect("scored");
            let why = "it did not end within 24 tokens";
            assert!(scored[0].score > 0.0 && scored[0].reason.is_none(), "{kind:?}: {:?}", scored[0]);
            let score = if kept { scored[0].score } else { 0.0 };
            assert_eq!((scored[1].score, scored[1].reason.as_deref(), scored[1].answer.is_some()), (score, Some(why), kept), "{kind:?}");
        }
    }

    #[test]
    fn a_label_that_nobody_knows_scores_nothing_and_says_which_it_is() {
        let examples = [example(&Target::Label("pacco".into())), example(&Target::Label("reso".into()))];
        let said = ["Pacco", "reso"].map(|label| Answer::read(Kind::Intent, "", label.into(), 1.0));
        let (scores, scored) = Scorer::new(Kind::Intent, &examples, Labels::of(&examples), &[]).and_then(|mut s| s.score(&examples, &said)).expect("scored");
        let told: Vec<_> = scored.iter().map(|p| (p.score, p.reason.as_deref())).collect();
        assert_eq!(told, [(0.0, Some("it is not one of the labels: Pacco")), (1.0, None)]);
        assert_eq!(scores.main(), 0.5);
    }

    #[test]
    fn the_difference_of_two_ways_of_answering_is_that_of_their_main_metrics() {
        let span = |start: usize, end: usize, kind: &str| data::Span { start, end, kind: kind.into() };
        let right = Target::Entities(vec![span(0, 4, "people"), span(7, 11, "places")]);
        let examples = [example(&right), example(&Target::Entities(Vec::new())), example(&right)];
        let outputs = [[r#"[{"people":"Anna"},{"places":"Roma"}]"#, "[]", "[]"], [r#"[{"people":"Anna"}]"#, r#"[{"people":"Roma"}]"#, "no"]];
        let mut scorer = Scorer::new(Kind::Entities, &examples, Labels::new(Vec::new()), &[]).expect("a scorer");
        let [own, free] = outputs.map(|texts| texts.map(|text| Answer::read(Kind::Entities, &examples[0].text, text.into(), 1.0)));
        let (ours, theirs) = (scorer.score(&examples, &own).expect("scored"), scorer.score(&examples, &free).expect("scored"));
        let found = difference(&examples, (&free[..], &theirs.1[..]), (&own[..], &ours.1[..]));
        assert!(ours.0.main() > theirs.0.main() && (found.difference - (ours.0.main() - theirs.0.main())).abs() < 1e-12, "{found:?}");
        assert!(found.difference_ci[0] <= found.difference && found.difference <= found.difference_ci[1], "{found:?}");
    }
}
