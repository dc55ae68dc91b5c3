//! Answers of any other system, from a file, scored with the same code as a run's.

use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::library::{Library, RunRow};
use crate::task::Scorer;
use data::read::{Columns, Record};
use data::{Example, Kind, Target};
use report::record::Prediction;
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use tasks::Metrics;
use tasks::intent::Labels;

/// A file of answers and what they answer.
#[derive(Clone, Debug)]
pub struct Answers {
    /// The answers: one record for each example, see [`score`].
    pub file: PathBuf,
    /// What they are.
    pub kind: Kind,
    /// The examples, with what was expected.
    pub test: PathBuf,
    /// Roles of the examples' columns.
    pub columns: Columns,
    /// Script that makes the tables which queries are about.
    pub schema: Option<PathBuf>,
    /// Database of these tables, or script that fills them.
    pub database: Option<PathBuf>,
}

/// Fields that may hold the answer, likeliest first, and those that tell which example it is for.
const ANSWER: [&str; 9] = ["answer", "prediction", "label", "entities", "hashtags", "tags", "sql", "completion", "output"];
const INPUT: [&str; 4] = ["input", "text", "question", "prompt"];

/// Scores a file of answers and gives it a row in the library. Each record holds an `answer` (or
/// `prediction` or `output`: text, a list of hashtags or of entities, a query) and may hold a
/// `probability`. Records with an `input` (or `text`) belong to the example with this text; without,
/// they are in the order of the examples.
///
/// # Errors
/// If a file is malformed, an example has no answer, or the database is wrong.
pub fn score(home: &Home, answers: &Answers) -> Result<(Metrics, Vec<Prediction>)> {
    let examples = data::read::examples(&answers.test, answers.kind, &answers.columns)?;
    let records = data::read::records(&answers.file)?;
    let files: Vec<&Path> = answers.schema.iter().chain(&answers.database).map(PathBuf::as_path).collect();
    let mut scorer = Scorer::new(answers.kind, &examples, Labels::of(&examples), &files)?;
    let mut said = Vec::new();
    for (record, example) in pair(answers, &records, &examples)?.into_iter().zip(&examples) {
        let field = |names: &[&str]| names.iter().find_map(|n| record.fields.iter().find(|(f, _)| f == n)).map(|(_, v)| v.clone());
        let probability = field(&["probability", "confidence"]).and_then(|p| p.parse().ok()).filter(|p: &f64| p.is_finite()).unwrap_or(1.0);
        let output = field(&ANSWER).unwrap_or_default();
        let mut one = Answer::read(answers.kind, &example.text, output, probability.clamp(0.0, 1.0));
        // no answer at all is told apart from an empty one
        if answers.kind == Kind::Entities && one.output.is_empty() {
            one.answer = Err("no answer".into());
        } else if let (Kind::Hashtags, "[]") = (answers.kind, one.output.as_str()) {
            one.answer = Ok(Target::Tags(Vec::new()));
        }
        said.push(one);
    }
    let (metrics, predictions) = scorer.score(&examples, &said)?;
    let path = answers.file.canonicalize().map_err(|e| Error::io(&answers.file, e))?;
    Library::open(home)?.put_run(&RunRow {
        path,
        task: answers.kind.name().into(),
        method: "elsewhere".into(),
        status: "completed".into(),
        accuracy: Some(metrics.main()),
        started: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    })?;
    Ok((metrics, predictions))
}

/// The record of each example.
fn pair<'a>(answers: &Answers, records: &'a [Record], examples: &[Example]) -> Result<Vec<&'a Record>> {
    let refuse = |what: String| Err(Error::request(format!("{}{what}", answers.file.display())));
    let Some(first) = records.first() else {
        return refuse(" holds no answer; give one for each example, such as {\"answer\": \"…\"}".into());
    };
    let has = |r: &Record, names: &[&str]| r.fields.iter().any(|(n, _)| names.contains(&n.as_str()));
    if !records.iter().any(|r| has(r, &ANSWER)) {
        let names: Vec<&str> = first.fields.iter().map(|(n, _)| n.as_str()).collect();
        return refuse(format!(":{}: has no `answer`; its fields are {}", first.line, names.join(", ")));
    }
    let input = |r: &'a Record| INPUT.iter().find_map(|n| r.fields.iter().find(|(f, _)| f == n)).map(|(_, v)| v.trim());
    if records.iter().all(|r| input(r).is_some()) {
        let mut by_text: HashMap<&str, VecDeque<&Record>> = HashMap::new();
        for record in records {
            by_text.entry(input(record).unwrap_or_default()).or_default().push_back(record);
        }
        let own = |e: &Example| match by_text.get_mut(e.text.trim()).and_then(VecDeque::pop_front) {
            Some(record) => Ok(record),
            None => Err(Error::request(format!("{} has no answer with the text of {}; give one for each example", answers.file.display(), e.origin))),
        };
        return examples.iter().map(own).collect();
    }
    if records.len() != examples.len() {
        let (have, want) = (records.len(), examples.len());
        return refuse(format!(
            " holds {have} answers, {} holds {want} examples; give one answer for each, in the same order or with its `input`",
            answers.test.display()
        ));
    }
    Ok(records.iter().collect())
}
