//! Runs held against each other: which differences are more than luck.

use crate::error::{Error, Result};
use report::figure::{self, Figure};
use report::record::{self, Prediction, RunResult};
use report::text::Lang;
use say::say;
use serde::Serialize;
use std::path::{Path, PathBuf};
use tasks::score::{Interval, paired};
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

/// Holds runs against each other, each pair.
///
/// # Errors
/// If a folder is incomplete, or there are more than eight runs.
pub fn runs(folders: &[PathBuf], lang: Lang) -> Result<Comparison> {
    if folders.len() > 8 {
        return Err(Error::request(say!(
            "more than eight runs make too many pairs; choose fewer",
            "più di otto esecuzioni formano troppe coppie; scegline di meno"
        )));
    }
    let read = |folder: &PathBuf| Ok((RunResult::read(folder)?, record::predictions(folder)?));
    let all = folders.iter().map(read).collect::<Result<Vec<_>>>()?;
    let mut tests = Vec::new();
    for (i, (a, first)) in all.iter().enumerate() {
        for (j, (_, second)) in all.iter().enumerate().skip(i + 1) {
            tests.push(pair(&folders[i], &folders[j], a, first, second));
        }
    }
    let mut stories = Vec::new();
    for folder in folders {
        // answers of another system have no story
        let events = record::events(folder)?;
        if !events.is_empty() {
            stories.push((folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned(), events));
        }
    }
    let curves: Vec<(&str, &[train::Event])> = stories.iter().map(|(name, events)| (name.as_str(), events.as_slice())).collect();
    let figure = (curves.len() > 1).then(|| figure::loss_curves(&curves, lang));
    Ok(Comparison { runs: folders.to_vec(), tests, figure })
}

fn pair(a: &Path, b: &Path, result: &RunResult, first: &[Prediction], second: &[Prediction]) -> PairTest {
    let same = first.len() == second.len() && first.iter().zip(second).all(|(a, b)| a.input == b.input && a.expected == b.expected);
    let scores = |all: &[Prediction]| all.iter().map(|p| p.score).collect::<Vec<f64>>();
    let (one, other) = if same { (scores(first), scores(second)) } else { (Vec::new(), Vec::new()) };
    let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len().max(1) as f64;
    let found = paired::bootstrap(&one, &other, mean);
    let better = |a: &[f64], b: &[f64]| a.iter().zip(b).filter(|(a, b)| a > b).count();
    let (only_a, only_b) = (better(&one, &other), better(&other, &one));
    let whole = one.iter().chain(&other).all(|s| *s == 0.0 || *s == 1.0);
    // means of rights and wrongs are the metric itself; a score by spans or tags is counted over all of them together
    let main = result.metrics.as_ref().map(|m| (m.headline()[0].0, m.main()));
    let metric = main.filter(|(_, value)| (value - mean(&one)).abs() < 1e-9).map_or("score", |(name, _)| name);
    PairTest {
        a: a.into(),
        b: b.into(),
        metric: metric.into(),
        examples: one.len(),
        difference: found.difference,
        interval: found.difference_ci,
        p: if whole { paired::uneven(only_a, only_b) } else { found.p },
        only_a,
        only_b,
    }
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
        let (a, b) = (Path::new("a"), Path::new("b"));
        let weak: Vec<f64> = (0..40).map(|i| f64::from(i % 2 == 0)).collect();
        let strong = vec![1.0; 40];
        let test = pair(a, b, &result(), &answered(&weak), &answered(&strong));
        assert_eq!((test.examples, test.only_a, test.only_b, test.difference), (40, 0, 20, 0.5));
        assert!(test.p < 1e-4 && test.interval[0] > 0.3, "{test:?}");
        let shifted: Vec<f64> = (0..40).map(|i| f64::from(i % 2 == 1)).collect();
        let level = pair(a, b, &result(), &answered(&weak), &answered(&shifted));
        assert_eq!((level.difference, level.p), (0.0, 1.0));
        let parts = pair(a, b, &result(), &answered(&[0.5, 0.25, 0.0]), &answered(&[0.5, 0.5, 0.5]));
        assert!(parts.p < 1.0 && parts.difference == 0.25 && parts.metric == "score", "{parts:?}");
    }

    #[test]
    fn runs_that_were_asked_other_questions_are_not_compared() {
        let (a, b) = (Path::new("a"), Path::new("b"));
        let test = pair(a, b, &result(), &answered(&[1.0, 0.0]), &answered(&[1.0]));
        assert_eq!((test.examples, test.p), (0, 1.0));
    }
}
