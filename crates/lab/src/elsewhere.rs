//! Answers of any other system, from a file, scored with the same code as a run's.

use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::library::{Library, RunRow};
use crate::task::{self, Scorer};
use crate::{models, run};
use data::read::{Columns, Record};
use data::{Example, Kind, Origin, Target};
use report::record::{self, DeviceRecord, ELSEWHERE, ModelRecord, Prediction, RunFile, RunResult, TrainRecord, write_atomically};
use report::text::Lang;
use say::{EXAMPLE, say};
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tasks::intent::Labels;
use tasks::{Metrics, answer};

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
    /// Script that makes the tables which queries are about; of a custom task the JSON schema that its answers must fit.
    pub schema: Option<PathBuf>,
    /// Database of these tables, or script that fills them.
    pub database: Option<PathBuf>,
}

/// Fields that may hold the answer, likeliest first, and those that tell which example it is for.
const ANSWER: [&str; 9] = ["answer", "prediction", "label", "entities", "hashtags", "tags", "sql", "completion", "output"];
const INPUT: [&str; 4] = ["input", "text", "question", "prompt"];

/// Scores a file of answers. Each record holds an `answer` (or `prediction` or `output`: text, a list of hashtags or of
/// entities, a query) and may hold a `probability`. Records with an `input` (or `text`) belong to the example with this text;
/// without, they are in the order of the examples.
///
/// # Errors
/// If a file is malformed, an example has no answer, or the database is wrong.
pub fn score(answers: &Answers) -> Result<(Metrics, Vec<Prediction>)> {
    let examples = data::read::examples(&answers.test, answers.kind, &answers.columns)?;
    let files: Vec<&Path> = answers.schema.iter().chain(&answers.database).map(PathBuf::as_path).collect();
    let json_schema = answers.schema.as_deref().filter(|_| answers.kind == Kind::Custom).map(task::read_schema).transpose()?;
    let scorer = Scorer::new(answers.kind, &examples, Labels::of(&examples), &files)?.under(json_schema);
    judge(&answers.file, answers.kind, &examples, scorer)
}

/// Scores the answers in a file to examples.
fn judge(file: &Path, kind: Kind, examples: &[Example], mut scorer: Scorer) -> Result<(Metrics, Vec<Prediction>)> {
    let records = data::read::records(file)?;
    let mut said = Vec::new();
    for (record, example) in pair(file, &records, examples)?.into_iter().zip(examples) {
        let field = |names: &[&str]| names.iter().find_map(|n| record.fields.iter().find(|(f, _)| f == n)).map(|(_, v)| v.clone());
        let probability = field(&["probability", "confidence"]).and_then(|p| p.parse().ok()).filter(|p: &f64| p.is_finite()).unwrap_or(1.0);
        let output = field(&ANSWER).unwrap_or_default();
        let mut one = Answer::read(kind, &example.text, output, probability.clamp(0.0, 1.0));
        // no answer at all is told apart from an empty one
        if kind == Kind::Entities && one.output.is_empty() {
            one.answer = Err("no answer".into());
        } else if let (Kind::Hashtags, "[]") = (kind, one.output.as_str()) {
            one.answer = Ok(Target::Tags(Vec::new()));
        }
        said.push(one);
    }
    scorer.score(examples, &said)
}

/// Takes a file of answers (see [`score`]) into the library as a run of its own, to be held against the run `like`:
/// they are answers to the examples that it was measured on. The folder of the new run.
///
/// # Errors
/// If `like` was not measured, or as [`score`].
pub fn take_in(home: &Home, file: &Path, like: &Path) -> Result<PathBuf> {
    let (run, result) = (RunFile::read(like)?, RunResult::read(like)?);
    let kind = run.task.parse::<Kind>().map_err(Error::Request)?;
    let asked = record::predictions(like)?;
    if asked.is_empty() {
        return Err(Error::request(say!(
            "{} was measured on nothing; choose a run with a result",
            "{} non è stata misurata su nulla; scegli un’esecuzione con un risultato",
            like.display()
        )));
    }
    let origin = Arc::new(like.join("predictions.jsonl"));
    let example = |(i, p): (usize, &Prediction)| {
        let target = answer::read(kind, &p.input, &p.expected);
        let origin = Origin { file: origin.clone(), line: i + 1 };
        let target = target.map_err(|why| {
            let why = Lang::spoken().reason(&why);
            Error::request(say!(
                "{origin}: what was expected cannot be read ({why}); evaluate the run again",
                "{origin}: la risposta attesa non si può leggere ({why}); valuta di nuovo l’esecuzione"
            ))
        })?;
        Ok(Example { text: p.input.clone(), target, origin })
    };
    let examples = asked.iter().enumerate().map(example).collect::<Result<Vec<_>>>()?;
    let database = task::database_of(&run, like);
    let database: Vec<&Path> = database.iter().map(PathBuf::as_path).collect();
    let scorer = Scorer::new(kind, &examples, Labels::new(run.data.labels.clone()), &database)?.under(task::schema_of(&run, like)?);
    let (metrics, mut predictions) = judge(file, kind, &examples, scorer)?;
    // the examples are the same, and lie where they lay
    predictions.iter_mut().zip(&asked).for_each(|(own, p)| own.place = p.place);

    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let started = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let out = home.free_run(&name);
    let model = ModelRecord { name, files: Vec::new(), parameters: 0, storage: String::new(), hidden: 0, layers: 0, license: None };
    let device = DeviceRecord {
        id: ELSEWHERE.into(),
        name: ELSEWHERE.into(),
        kind: ELSEWHERE.into(),
        api: String::new(),
        driver: String::new(),
        parity: None,
        parity_detail: None,
    };
    let accuracy = Some(metrics.main());
    let result = RunResult {
        method: ELSEWHERE.into(),
        status: "completed".into(),
        metrics: Some(metrics),
        metrics_free: None,
        train: TrainRecord::default(),
        trained: Vec::new(),
        model: model.clone(),
        device: device.clone(),
        version: crate::VERSION.into(),
        error: None,
        ..result
    };
    let taken = RunFile {
        method: ELSEWHERE.into(),
        seed: 0,
        started: started.clone(),
        version: crate::VERSION.into(),
        command: format!("lapidary eval --predictions \"{}\" --task {} --test …", file.display(), kind.name()),
        model,
        device,
        settings: toml::Table::new(),
        request: toml::Table::new(),
        ..run
    };
    models::new_folder(&out, |out| {
        run::write_run(out, &taken)?;
        run::write_result(out, &result)?;
        run::save_predictions(&out.join("predictions.jsonl"), &predictions)?;
        // nothing is known of how it learned
        Ok(write_atomically(&out.join("events.jsonl"), b"")?)
    })?;
    let (task, method, status) = (kind.name().into(), ELSEWHERE.into(), "completed".into());
    Library::open(home)?.put_run(&RunRow { path: out.clone(), task, method, status, accuracy, started })?;
    Ok(out)
}

/// The record of each example.
fn pair<'a>(file: &Path, records: &'a [Record], examples: &[Example]) -> Result<Vec<&'a Record>> {
    let refuse = |what: String| Err(Error::request(format!("{}{what}", file.display())));
    let Some(first) = records.first() else {
        return refuse(say!(
            " holds no answer; give one for each example, such as {{\"answer\": \"…\"}}",
            " non contiene risposte; danne una per ogni esempio, per esempio {{\"answer\": \"…\"}}"
        ));
    };
    let has = |r: &Record, names: &[&str]| r.fields.iter().any(|(n, _)| names.contains(&n.as_str()));
    if !records.iter().any(|r| has(r, &ANSWER)) {
        let names: Vec<&str> = first.fields.iter().map(|(n, _)| n.as_str()).collect();
        return refuse(say!(":{}: has no `answer`; its fields are {}", ":{}: non ha `answer`; i suoi campi sono {}", first.line, names.join(", ")));
    }
    let input = |r: &'a Record| INPUT.iter().find_map(|n| r.fields.iter().find(|(f, _)| f == n)).map(|(_, v)| v.trim());
    if records.iter().all(|r| input(r).is_some()) {
        let mut by_text: HashMap<&str, VecDeque<&Record>> = HashMap::new();
        for record in records {
            by_text.entry(input(record).unwrap_or_default()).or_default().push_back(record);
        }
        let own = |e: &Example| match by_text.get_mut(e.text.trim()).and_then(VecDeque::pop_front) {
            Some(record) => Ok(record),
            None => Err(Error::request(say!(
                "{} has no answer with the text of {}; give one for each example",
                "{} non ha una risposta con il testo di {}; danne una per ogni esempio",
                file.display(),
                e.origin
            ))),
        };
        return examples.iter().map(own).collect();
    }
    if records.len() != examples.len() {
        let (have, want) = (say::count(records.len(), ["answer", "answers", "risposta", "risposte"]), say::count(examples.len(), EXAMPLE));
        let asked = examples.first().map_or_else(String::new, |e| e.origin.path().display().to_string());
        return refuse(say!(
            " holds {have}, {asked} holds {want}; give one answer for each, in the same order or with its `input`",
            " contiene {have}, {asked} contiene {want}; dai una risposta per ciascuno, nello stesso ordine o con il suo `input`"
        ));
    }
    Ok(records.iter().collect())
}
