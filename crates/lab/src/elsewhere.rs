//! Answers of any other system, from a file, scored with the same code as a run's.

use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::library::{Library, RunRow};
use crate::task::{self, Scorer};
use crate::watch::{Watch, ask, cancelled};
use crate::{models, run};
use data::read::{Columns, Record};
use data::watch::Steps;
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
    judge(&answers.file, answers.kind, &examples, scorer, &mut |_, _| true)
}

/// What [`judge`] counts of so many examples: each answer is read, and then scored.
fn work(examples: usize) -> u64 {
    2 * examples as u64
}

/// Scores the answers in a file to examples.
fn judge(file: &Path, kind: Kind, examples: &[Example], mut scorer: Scorer, watch: Watch<'_>) -> Result<(Metrics, Vec<Prediction>)> {
    let records = data::read::records(file, &mut || watch(0, None))?;
    let mut steps = Steps::new(work(examples.len()), watch);
    let mut said = Vec::new();
    for (record, example) in pair(file, &records, examples)?.into_iter().zip(examples) {
        let field = |names: &[&str]| names.iter().find_map(|n| record.fields.iter().find(|(f, _)| f == n)).map(|(_, v)| v.clone());
        let probability = field(&["probability", "confidence"]).and_then(|p| p.parse().ok()).filter(|p: &f64| p.is_finite()).unwrap_or(1.0);
        let output = field(&ANSWER).unwrap_or_default();
        let mut one = Answer::read(kind, &example.text, output, probability.clamp(0.0, 1.0));
        // of this program's own records one whose answer did not end has an output alone, whatever could be read of that
        let unended = field(&["reason"]).filter(|why| why.starts_with(answer::UNENDED) && field(&ANSWER[..ANSWER.len() - 1]).is_none());
        // no answer at all is told apart from an empty one
        if let Some(why) = unended {
            one.answer = Err(why);
        } else if kind == Kind::Entities && one.output.is_empty() {
            one.answer = Err("no answer".into());
        } else if let (Kind::Hashtags, "[]") = (kind, one.output.as_str()) {
            one.answer = Ok(Target::Tags(Vec::new()));
        }
        said.push(one);
        steps.after(1)?;
    }
    scorer.score_with(examples, &said, &mut steps)
}

/// Takes a file of answers (see [`score`]) into the library as a run of its own, to be held against the run `like`:
/// they are answers to the examples that it was measured on. The folder of the new run, which is there once `watch` is not asked
/// any more.
///
/// # Errors
/// If `like` was not measured, it was ended, or as [`score`].
pub fn take_in(home: &Home, file: &Path, like: &Path, watch: Watch<'_>) -> Result<PathBuf> {
    let (run, result) = (RunFile::read(like)?, RunResult::read(like)?);
    let kind = run.task.parse::<Kind>().map_err(Error::Request)?;
    let asked = record::predictions_with(like, &mut |_, _| watch(0, None))?;
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
    ask(watch)?;
    let scorer = Scorer::new(kind, &examples, Labels::new(run.data.labels.clone()), &database)?.under(task::schema_of(&run, like)?);
    let (metrics, mut predictions) = judge(file, kind, &examples, scorer, watch)?;
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
        free_difference: None,
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
        write_atomically(&out.join("events.jsonl"), b"")?;
        let whole = work(examples.len());
        if watch(whole, Some(whole)) { Ok(()) } else { Err(cancelled()) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A run that was asked three questions about a database of one table.
    fn asked(dir: &Path) -> PathBuf {
        let (like, schema) = (dir.join("like"), dir.join("schema.sql"));
        std::fs::create_dir(&like).expect("a folder");
        std::fs::write(&schema, "CREATE TABLE t (a); INSERT INTO t VALUES (1), (2);").expect("written");
        let file = json!({"path": schema, "sha256": "", "count": 0});
        let model = json!({"name": "m", "files": [], "parameters": 1, "storage": "f32", "hidden": 1, "layers": 1});
        let data = json!({"name": "d", "license": "", "language": "it", "labels": [], "files": {"schema": file}});
        let device = json!({"id": "cpu", "name": "cpu", "kind": "cpu", "api": "", "driver": ""});
        let run = json!({
            "task": "sql", "method": "completion", "seed": 0, "started": "2026-01-01T00:00:00Z", "version": "0", "command": "", "model": model, "data": data,
            "device": device, "settings": {}
        });
        let result = json!({
            "task": "sql", "method": "completion", "status": "completed", "metrics": null, "evaluated_on": "test", "baselines": {},
            "train": TrainRecord::default(), "model": model, "data": data, "device": device, "version": "0"
        });
        run::write_run(&like, &serde_json::from_value(run).expect("a run")).expect("written");
        run::write_result(&like, &serde_json::from_value(result).expect("a result")).expect("written");
        let answered = ["SELECT a FROM t", "SELECT max(a) FROM t", "SELECT count(*) FROM t"].map(|sql| Prediction {
            input: format!("a question for {sql}"),
            expected: sql.into(),
            output: sql.into(),
            answer: Some(sql.into()),
            score: 1.0,
            free_score: None,
            probability: 1.0,
            calibrated: None,
            reason: None,
            place: None,
        });
        run::save_predictions(&like.join("predictions.jsonl"), &answered).expect("written");
        like
    }

    #[test]
    fn answers_that_nobody_waits_for_any_more_leave_no_run() {
        let dir = tempfile::tempdir().expect("a folder");
        let home = Home::open(Some(&dir.path().join("home"))).expect("a home");
        let (like, file) = (asked(dir.path()), dir.path().join("theirs.jsonl"));
        let lines = ["SELECT a FROM t", "SELECT min(a) FROM t", "SELEC"].map(|sql| json!({"answer": sql}).to_string() + "\n");
        std::fs::write(&file, lines.concat()).expect("written");
        let mut told = Vec::new();
        let mut watch = |done: u64, total: Option<u64>| {
            told.push((done, total));
            true
        };
        let taken = take_in(&home, &file, &like, &mut watch).expect("scored");
        let scores: Vec<f64> = record::predictions(&taken).expect("written").iter().map(|p| p.score).collect();
        assert_eq!(scores, [1.0, 0.0, 0.0]);
        // nobody knows how far the database is; then each answer is read and scored, and what was written is asked about once more
        let counted = [1, 2, 3, 4, 5, 6, 6].map(|done| (done, Some(6)));
        assert_eq!(told, [&[(0, None)][..], &counted].concat());
        for last in 1..=told.len() {
            let mut heard = 0;
            let mut watch = |_: u64, _: Option<u64>| {
                heard += 1;
                heard < last
            };
            assert!(take_in(&home, &file, &like, &mut watch).is_err(), "{last}");
            assert_eq!(heard, last);
        }
        assert_eq!(std::fs::read_dir(home.runs()).expect("there").count(), 1, "nothing half-written is left");
        assert_eq!(Library::open(&home).and_then(|library| library.runs()).expect("the library").len(), 1);
    }

    #[test]
    fn a_page_about_answers_is_set_no_further_than_somebody_waits() {
        let dir = tempfile::tempdir().expect("a folder");
        let home = Home::open(Some(&dir.path().join("home"))).expect("a home");
        let (like, file) = (asked(dir.path()), dir.path().join("theirs.jsonl"));
        std::fs::write(&file, "{\"answer\": \"SELECT 1\"}\n".repeat(3)).expect("written");
        let taken = take_in(&home, &file, &like, &mut |_, _| true).expect("scored");
        let page = |watch: Watch<'_>| crate::view::report_page(&taken, Lang::English, &[], watch);
        let mut told = Vec::new();
        let mut watch = |done: u64, of: Option<u64>| {
            told.push((done, of));
            true
        };
        assert!(page(&mut watch).expect("a page").html.contains("<html"));
        let end = told.last().copied().expect("told");
        assert!(told.is_sorted() && end.1 == Some(end.0) && told.iter().all(|(_, of)| *of == end.1), "{told:?}");
        for last in 1..=told.len() {
            let mut heard = 0;
            let mut watch = |_: u64, _: Option<u64>| {
                heard += 1;
                heard < last
            };
            assert!(page(&mut watch).is_err_and(|e| e.to_string() == cancelled().to_string()) && heard == last, "{last}");
        }
    }

    #[test]
    fn a_long_file_of_answers_is_left_in_the_middle() {
        let dir = tempfile::tempdir().expect("a folder");
        let home = Home::open(Some(&dir.path().join("home"))).expect("a home");
        let (like, file) = (asked(dir.path()), dir.path().join("theirs.jsonl"));
        std::fs::write(&file, "{\"answer\": \"SELECT 1\"}\n".repeat(2500)).expect("written");
        let mut told = Vec::new();
        let mut watch = |done: u64, total: Option<u64>| {
            told.push((done, total));
            told.len() < 3
        };
        let ended = take_in(&home, &file, &like, &mut watch);
        // had it been read to its end, it would have been refused for the number of its answers
        assert!(matches!(ended, Err(Error::Data(data::Error::Ended))), "{ended:?}");
        assert_eq!(told, [(0, None); 3]);
    }
}
