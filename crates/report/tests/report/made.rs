//! Believable runs of the tasks whose answers are no labels: the examples of the data sets that ship, answers
//! that go wrong in the ways that models do, scored by the code that scores real ones, beside real baselines.

use crate::common::{noise, run};
use data::example::{Example, Span, Target};
use data::read::{Columns, examples};
use data::{Kind, example};
use report::Run;
use report::record::Prediction;
use std::path::{Path, PathBuf};
use tasks::sandbox::Sandbox;
use tasks::score::paired::Difference;
use tasks::score::sql::Judge;
use tasks::score::{entities, sql, tags, text};
use tasks::{Metrics, answer, baseline};

/// What was said to an example: the output, and the answer in it or why there is none.
struct Said {
    output: String,
    answer: Result<Target, String>,
    probability: f64,
}

fn said(kind: Kind, text: &str, output: String, i: usize, right: bool) -> Said {
    let probability = if right { 1.0 - 0.5 * noise(7 * i).powi(2) } else { 0.25 + 0.6 * noise(7 * i + 1) };
    Said { answer: answer::read(kind, text, &output), output, probability }
}

fn set(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets").join(name)
}

fn scored(kind: Kind, set: &[Example], said: &[Said], judge: &mut Option<Judge>) -> (Metrics, Vec<Prediction>) {
    let mut shares: Vec<f64> = Vec::new();
    let mut reasons: Vec<Option<String>> = said.iter().map(|s| s.answer.as_ref().err().cloned()).collect();
    let got = |s: &Said| s.answer.as_ref().ok().cloned();
    let metrics = match kind {
        Kind::Entities => {
            let want: Vec<Vec<Span>> = set.iter().map(|e| e.spans().to_vec()).collect();
            let got: Vec<Option<Vec<Span>>> = said.iter().map(|s| got(s).and_then(|t| if let Target::Entities(s) = t { Some(s) } else { None })).collect();
            shares.extend(want.iter().zip(&got).map(|(w, g)| entities::share(w, g.as_deref().unwrap_or_default())));
            Metrics::Entities(entities::entities(&want, &got))
        }
        Kind::Hashtags => {
            let want: Vec<Vec<String>> = set.iter().map(|e| if let Target::Tags(t) = &e.target { t.clone() } else { vec![] }).collect();
            let got: Vec<Option<Vec<String>>> = said.iter().map(|s| got(s).and_then(|t| if let Target::Tags(t) = t { Some(t) } else { None })).collect();
            shares.extend(want.iter().zip(&got).map(|(w, g)| tags::share(w, g.as_deref().unwrap_or_default())));
            Metrics::Tags(tags::tags(&want, &got))
        }
        Kind::Custom => {
            let want: Vec<String> = set.iter().map(|e| answer::show(&e.target)).collect();
            let got: Vec<Option<String>> = said.iter().map(|s| got(s).map(|t| answer::show(&t))).collect();
            shares.extend(want.iter().zip(&got).map(|(w, g)| g.as_ref().map_or(0.0, |g| text::one(w, g)[4])));
            Metrics::Text(text::free_text(&want, &got))
        }
        Kind::Sql => {
            let judge = judge.as_mut().expect("a database");
            let mut verdicts = Vec::new();
            for ((e, s), reason) in set.iter().zip(said).zip(&mut reasons) {
                let verdict = judge.judge(&answer::show(&e.target), &s.answer.as_ref().map(answer::show).unwrap_or_default()).expect("expected queries run");
                shares.push(f64::from(verdict.right));
                if reason.is_none() {
                    reason.clone_from(&verdict.reason);
                }
                verdicts.push(verdict);
            }
            Metrics::Sql(sql::sql(&verdicts))
        }
        Kind::Intent => panic!("see common::run"),
    };
    let predictions = set
        .iter()
        .zip(said)
        .zip(shares.into_iter().zip(reasons))
        .map(|((e, s), (score, reason))| Prediction {
            input: e.text.clone(),
            expected: answer::show(&e.target),
            output: s.output.clone(),
            answer: s.answer.as_ref().ok().map(answer::show),
            score,
            free_score: None,
            probability: s.probability,
            calibrated: None,
            reason,
            place: None,
        })
        .collect();
    (metrics, predictions)
}

/// Answers to the examples, right with a chance of `skill` in each of their parts.
fn answers(kind: Kind, set: &[Example], skill: f64) -> Vec<Said> {
    set.iter()
        .enumerate()
        .map(|(i, e)| {
            let luck = |part: usize| noise(i * 131 + part * 7 + (skill * 1000.0) as usize);
            let right = answer::show(&e.target);
            let output = match &e.target {
                Target::Entities(spans) => entities_gone_wrong(e, spans, skill, &luck),
                Target::Sql(query) => {
                    if luck(0) < skill {
                        query.clone()
                    } else {
                        query_gone_wrong(query, luck(1))
                    }
                }
                Target::Tags(tags) => {
                    let mut kept: Vec<String> = tags.iter().enumerate().filter(|(t, _)| luck(*t) < skill).map(|(_, t)| t.to_uppercase()).collect();
                    for (t, tag) in ["#italia", "#notizie", "#città", "#vita", "#lavoro"].iter().enumerate() {
                        if luck(50 + t) > skill {
                            kept.push((*tag).into());
                        }
                    }
                    kept.join(" ")
                }
                Target::Completion(text) => match luck(0) {
                    l if l < skill => text.clone(),
                    l if l < skill + 0.05 => String::new(),
                    _ => text.split(' ').enumerate().filter(|(w, _)| luck(*w + 1) < 0.8).map(|(_, w)| w).collect::<Vec<_>>().join(" "),
                },
                Target::Label(label) => label.clone(),
            };
            let good = output == right;
            said(kind, &e.text, output, i, good)
        })
        .collect()
}

fn entities_gone_wrong(e: &Example, spans: &[Span], skill: f64, luck: &dyn Fn(usize) -> f64) -> String {
    let length = e.text.chars().count();
    let mut at = 0;
    let place = |word: &str| {
        let from = at;
        at += word.chars().count() + 1;
        (from, at - 1)
    };
    let words: Vec<(usize, usize)> = e.text.split(' ').map(place).collect();
    if luck(99) > 0.97 {
        return "[{\"people\": \"".into();
    }
    let mut out: Vec<Span> = Vec::new();
    for (s, span) in spans.iter().enumerate() {
        let mut span = span.clone();
        match luck(s) {
            l if l < skill => {}
            l if l < skill + 0.06 => continue,
            l if l < skill + 0.10 => span.kind = if span.kind == "people" { "places".into() } else { "people".into() },
            _ => {
                // from the next word on, or up to the end of the next
                let next = words.iter().find(|w| w.0 > span.start && w.1 < span.end).map(|w| w.0);
                match next {
                    Some(start) => span.start = start,
                    None => span.end = words.iter().find(|w| w.1 > span.end).map_or(length, |w| w.1),
                }
            }
        }
        out.push(span);
    }
    if luck(40) > 0.88
        && let Some(&(start, end)) =
            words.iter().find(|w| e.text.chars().nth(w.0).is_some_and(char::is_uppercase) && spans.iter().all(|s| s.end <= w.0 || s.start >= w.1))
    {
        out.push(Span { start, end, kind: "places".into() });
    }
    serde_json::to_string(&out).expect("spans are JSON")
}

fn query_gone_wrong(query: &str, luck: f64) -> String {
    match (luck * 6.0) as usize {
        0 => query.replacen("SELECT ", "SELECT codice_interno, ", 1),
        1 => query.split(" WHERE ").next().unwrap_or(query).to_string(),
        2 => query.replacen('>', ">=", 1).replacen('<', "<=", 1),
        3 => query.replacen(" FROM ", " FROM archivio_", 1),
        4 => query[..query.len() / 2].to_string(),
        _ => String::new(),
    }
}

/// A finished run of a task on the test examples of the data set that ships.
fn made(kind: Kind, task: &str, folder: &str, skill: f64) -> Run {
    let read = |file: &str| examples(&set(folder).join(file), kind, &Columns::default()).expect("the data set reads");
    from(kind, task, folder, &read("train.jsonl"), &read("test.jsonl"), skill)
}

fn from(kind: Kind, task: &str, folder: &str, train: &[Example], test: &[Example], skill: f64) -> Run {
    let mut out = run(3, 30);
    let sandbox = (kind == Kind::Sql).then(|| Sandbox::open(&[&set(folder).join("schema.sql"), &set(folder).join("seed.sql")]).expect("the database opens"));
    let tables = sandbox.as_ref().map(|s| s.tables().to_vec()).unwrap_or_default();
    let queries: Vec<String> = test.iter().map(|e| answer::show(&e.target)).collect();
    let mut judge = sandbox.map(|s| Judge::new(s, queries.iter().map(String::as_str)).expect("a judge"));
    let (metrics, predictions) = scored(kind, test, &answers(kind, test, skill), &mut judge);
    let method = if kind == Kind::Entities { "tagging" } else { "completion" };
    let mut labels: Vec<String> = train.iter().flat_map(Example::spans).map(|s| s.kind.clone()).collect();
    labels.sort();
    labels.dedup();
    let texts: Vec<&str> = test.iter().map(|e| e.text.as_str()).collect();
    let free = (kind == Kind::Sql || kind == Kind::Hashtags).then(|| scored(kind, test, &answers(kind, test, skill - 0.08), &mut judge).0);
    // an interval that is made up: what is looked at is how it is told
    let difference = |free: &Metrics| Difference { difference: metrics.main() - free.main(), difference_ci: [-0.02, 0.17], p: 0.11 };
    out.result.free_difference = free.as_ref().map(difference);
    out.result.metrics_free = free;
    out.result.metrics = Some(metrics);
    out.result.baselines.clear();
    for (name, guesses) in baseline::all(kind, train, &texts) {
        let guesses: Vec<Said> =
            guesses.into_iter().map(|g| Said { output: answer::show(&g.answer), answer: Ok(g.answer), probability: g.probability }).collect();
        out.result.baselines.insert(name.into(), scored(kind, test, &guesses, &mut judge).0);
    }
    out.result.baselines.insert("untuned".into(), scored(kind, test, &answers(kind, test, 0.1), &mut judge).0);
    out.predictions = predictions;
    for event in &mut out.events {
        if let train::Event::Started { examples, .. } = event {
            *examples = train.len();
        }
    }
    out.path = format!("runs/{task}").into();
    for name in [&mut out.run.task, &mut out.result.task] {
        *name = task.into();
    }
    for name in [&mut out.run.method, &mut out.result.method] {
        *name = method.into();
    }
    for data in [&mut out.run.data, &mut out.result.data] {
        data.name = folder.into();
        data.license = "CC0-1.0".into();
        data.labels = labels.clone();
        let count = |label: &String| train.iter().flat_map(Example::spans).filter(|span| span.kind == *label).count();
        data.counts = labels.iter().map(|label| (label.clone(), count(label))).collect();
        data.tables = tables.clone();
        for (split, file) in &mut data.files {
            file.path = format!("datasets/{folder}/{split}.jsonl");
            file.count = if split == "test" { test.len() } else { train.len() } as u64;
        }
    }
    out.run.command = format!("lapidary train --task {task} --data datasets/{folder} --model gemma-3-270m --seed 17 --out runs/{task}");
    out
}

/// A run that tags people, places and dates.
pub fn entities_run() -> Run {
    made(Kind::Entities, "entities", "entities-it", 0.84)
}

/// A run that writes queries.
pub fn sql_run() -> Run {
    made(Kind::Sql, "sql", "sql-it", 0.6)
}

/// A run that proposes hashtags.
pub fn hashtags_run() -> Run {
    made(Kind::Hashtags, "hashtags", "hashtags-it", 0.55)
}

/// A run on a person's own prompts: the posts, to be told in their first sentence.
pub fn custom_run() -> Run {
    let read = |file: &str| -> Vec<Example> {
        let posts = examples(&set("hashtags-it").join(file), Kind::Hashtags, &Columns::default()).expect("the data set reads");
        let told = |e: example::Example| {
            let first = e.text.split_inclusive(['.', ':', ',']).next().unwrap_or(&e.text).trim().to_string();
            Example { text: format!("In breve: {}", e.text), target: Target::Completion(first), origin: e.origin }
        };
        posts.into_iter().map(told).collect()
    };
    from(Kind::Custom, "custom", "hashtags-it", &read("train.jsonl"), &read("test.jsonl"), 0.5)
}

/// A run of each of these tasks.
pub fn all() -> Vec<(&'static str, Run)> {
    vec![("entities", entities_run()), ("sql", sql_run()), ("hashtags", hashtags_run()), ("custom", custom_run())]
}
