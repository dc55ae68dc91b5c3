//! Runs held against each other: which differences are more than luck.

use crate::error::{Error, Result};
use crate::watch::Watch;
use data::watch::Steps;
use report::figure::{self, Figure};
use report::record::{self, Prediction, RunResult};
use report::text::Lang;
use say::say;
use serde::Serialize;
use std::path::{Path, PathBuf};
use tasks::score::{Interval, RESAMPLES, paired};
use ts_rs::TS;

/// Whether two runs differ by more than luck.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct PairTest {
    /// The first run.
    pub a: PathBuf,
    /// The second run.
    pub b: PathBuf,
    /// The measure: the main metric where it is a mean over examples, else `score`, the mean score of an example.
    pub metric: String,
    /// Examples that both answered; 0 if they were not asked the same, and then nothing is said of them.
    pub examples: usize,
    /// The second run minus the first.
    pub difference: f64,
    /// 95 % bootstrap interval of it.
    pub interval: Interval,
    /// Two-sided probability of such a difference if both were equally good: McNemar's exact test where an answer is
    /// right or wrong, else the paired bootstrap.
    pub p: f64,
    /// Examples on which the first did better.
    pub only_a: usize,
    /// Examples on which the second did better.
    pub only_b: usize,
}

/// Runs held against each other.
#[derive(Clone, Debug, Serialize, TS)]
pub struct Comparison {
    /// The runs.
    pub runs: Vec<PathBuf>,
    /// Each pair.
    pub tests: Vec<PairTest>,
    /// Their losses over each other; none if at most one of them was trained here.
    pub figure: Option<Figure>,
}

/// Holds runs against each other, each pair. `watch` is told how many of the samples are drawn by which pairs are tested.
///
/// # Errors
/// If a folder is incomplete, there are more than eight runs, or it was ended.
pub fn runs(folders: &[PathBuf], lang: Lang, watch: Watch<'_>) -> Result<Comparison> {
    if folders.len() > 8 {
        return Err(Error::request(say!(
            "more than eight runs make too many pairs; choose fewer",
            "più di otto esecuzioni formano troppe coppie; scegline di meno"
        )));
    }
    let (mut all, mut stories) = (Vec::new(), Vec::new());
    for folder in folders {
        // how many lines a file has says nothing of what follows
        let mut waits = |_: u64, _: Option<u64>| watch(0, None);
        all.push((RunResult::read(folder)?, record::predictions_with(folder, &mut waits)?));
        // answers of another system have no story
        let events = record::events_with(folder, &mut waits)?;
        if !events.is_empty() {
            stories.push((folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned(), events));
        }
    }
    let pairs = folders.len() * folders.len().saturating_sub(1) / 2;
    let (mut tests, mut steps) = (Vec::new(), Steps::new((pairs * RESAMPLES) as u64, watch));
    for (i, (a, first)) in all.iter().enumerate() {
        for (j, (_, second)) in all.iter().enumerate().skip(i + 1) {
            tests.push(pair([&folders[i], &folders[j]], a, [first, second], &mut steps)?);
        }
    }
    let curves: Vec<(&str, &[train::Event])> = stories.iter().map(|(name, events)| (name.as_str(), events.as_slice())).collect();
    let figure = (curves.len() > 1).then(|| figure::loss_curves(&curves, lang));
    Ok(Comparison { runs: folders.to_vec(), tests, figure })
}

fn pair([a, b]: [&Path; 2], result: &RunResult, [first, second]: [&[Prediction]; 2], steps: &mut Steps<'_>) -> Result<PairTest> {
    let same = first.len() == second.len() && first.iter().zip(second).all(|(a, b)| a.input == b.input && a.expected == b.expected);
    let scores = |all: &[Prediction]| all.iter().map(|p| p.score).collect::<Vec<f64>>();
    let (one, other) = if same { (scores(first), scores(second)) } else { (Vec::new(), Vec::new()) };
    let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len().max(1) as f64;
    let found = paired::bootstrap_with(&one, &other, mean, &mut || steps.after(1))?;
    let better = |a: &[f64], b: &[f64]| a.iter().zip(b).filter(|(a, b)| a > b).count();
    let (only_a, only_b) = (better(&one, &other), better(&other, &one));
    let whole = one.iter().chain(&other).all(|s| *s == 0.0 || *s == 1.0);
    // means of rights and wrongs are the metric itself; a score by spans or tags is counted over all of them together
    let main = result.metrics.as_ref().map(|m| (m.headline()[0].0, m.main()));
    let metric = main.filter(|(_, value)| (value - mean(&one)).abs() < 1e-9).map_or("score", |(name, _)| name);
    Ok(PairTest {
        a: a.into(),
        b: b.into(),
        metric: metric.into(),
        examples: one.len(),
        difference: found.difference,
        interval: found.difference_ci,
        p: if whole { paired::uneven(only_a, only_b) } else { found.p },
        only_a,
        only_b,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(scores: &[f64]) -> Vec<Prediction> {
        let one = |(i, score): (usize, &f64)| Prediction {
            input: format!("text {i}"),
            expected: "a".into(),
            output: "a".into(),
            answer: Some("a".into()),
            score: *score,
            free_score: None,
            probability: 1.0,
            calibrated: None,
            reason: None,
            place: None,
        };
        scores.iter().enumerate().map(one).collect()
    }

    fn held_against(one: &[f64], other: &[f64]) -> PairTest {
        pair([Path::new("a"), Path::new("b")], &result(), [&answered(one), &answered(other)], &mut Steps::default()).expect("nobody ends it")
    }

    fn result() -> RunResult {
        serde_json::from_value(serde_json::json!({
            "task": "intent", "method": "head", "status": "completed", "metrics": null, "evaluated_on": "test", "baselines": {},
            "train": {"seconds": 1.0, "steps": 1, "tokens": 1, "tokens_per_second": 1.0, "supervised_tokens": 1, "peak_memory_bytes": 1, "final_loss": 1.0, "best_step": 1},
            "model": {"name": "m", "files": [], "parameters": 1, "storage": "f32", "hidden": 1, "layers": 1},
            "data": {"name": "d", "license": "", "language": "it", "labels": [], "files": {}},
            "device": {"id": "cpu", "name": "cpu", "kind": "cpu", "api": "", "driver": ""}, "version": "0"
        }))
        .expect("a result")
    }

    #[test]
    fn a_difference_that_means_something_is_told_from_one_that_does_not() {
        let weak: Vec<f64> = (0..40).map(|i| f64::from(i % 2 == 0)).collect();
        let strong = vec![1.0; 40];
        let test = held_against(&weak, &strong);
        assert_eq!((test.examples, test.only_a, test.only_b, test.difference), (40, 0, 20, 0.5));
        assert!(test.p < 1e-4 && test.interval[0] > 0.3, "{test:?}");
        let shifted: Vec<f64> = (0..40).map(|i| f64::from(i % 2 == 1)).collect();
        let level = held_against(&weak, &shifted);
        assert_eq!((level.difference, level.p), (0.0, 1.0));
        let parts = held_against(&[0.5, 0.25, 0.0], &[0.5, 0.5, 0.5]);
        assert!(parts.p < 1.0 && parts.difference == 0.25 && parts.metric == "score", "{parts:?}");
    }

    #[test]
    fn runs_that_were_asked_other_questions_are_not_compared() {
        let test = held_against(&[1.0, 0.0], &[1.0]);
        assert_eq!((test.examples, test.p), (0, 1.0));
    }

    #[test]
    fn pairs_are_held_against_each_other_no_further_than_somebody_waits() {
        let dir = tempfile::tempdir().expect("a folder");
        let folders: Vec<PathBuf> = [[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]
            .iter()
            .enumerate()
            .map(|(n, scores)| {
                let folder = dir.path().join(format!("run-{n}"));
                std::fs::create_dir(&folder).expect("made");
                crate::run::write_result(&folder, &result()).expect("written");
                crate::run::save_predictions(&folder.join("predictions.jsonl"), &answered(scores)).expect("written");
                std::fs::write(folder.join("events.jsonl"), "").expect("written");
                folder
            })
            .collect();
        let mut told = Vec::new();
        let mut watch = |done: u64, of: Option<u64>| {
            told.push((done, of));
            true
        };
        let found = runs(&folders, Lang::English, &mut watch).expect("compared");
        let whole = 3 * RESAMPLES as u64;
        assert_eq!((found.tests.len(), told.len() as u64), (3, whole));
        assert!(told.iter().zip(1..).all(|(told, n)| *told == (n, Some(whole))));
        for last in [1, RESAMPLES + 7, 3 * RESAMPLES] {
            let mut asked = 0;
            let mut watch = |_: u64, _: Option<u64>| {
                asked += 1;
                asked < last
            };
            assert!(matches!(runs(&folders, Lang::English, &mut watch), Err(Error::Data(data::Error::Ended))) && asked == last, "{last}");
        }
    }
}
