//! Scores of classification: accuracy, F1, confusion, calibration, intervals.
//!
//! Everything is computed from `(expected, answered, probability)` triples, so answers of any other
//! system are scored by the same code.

use super::calibration::{CoveragePoint, coverage};
use super::{Interval, bootstrap, ratio};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use ts_rs::TS;

/// One scored answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Index of the expected label.
    pub expected: usize,
    /// Index of the answered label; `None` if the output was no label.
    pub answered: Option<usize>,
    /// Probability that the model gave to its answer.
    pub probability: f64,
}

/// Scores of one class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct ClassScore {
    /// Share of the answers with this label that were right.
    pub precision: f64,
    /// Share of the examples with this label that were found.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// Examples with this label.
    pub support: usize,
}

/// Rows are expected labels, columns answered ones; the last column counts outputs that were no label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Confusion {
    /// Label names, in the order of rows and columns.
    pub labels: Vec<String>,
    /// `counts[expected][answered]`; each row has one column more than there are labels.
    pub counts: Vec<Vec<usize>>,
}

/// One bin of the reliability diagram.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct ReliabilityBin {
    /// Mean probability of the answers in the bin.
    pub confidence: f64,
    /// Share of them that were right.
    pub accuracy: f64,
    /// Answers in the bin.
    pub count: usize,
}

impl ReliabilityBin {
    /// The probabilities that fall into the bin: from the first on, below the second. The last bin has no upper end.
    pub fn ends(&self) -> (f64, Option<f64>) {
        // the mean of equal probabilities may fall short of them, and with them of the bin's lower end
        let bin = bin(self.confidence + 1e-9);
        let end = |bin: usize| bin as f64 / BINS as f64;
        (end(bin), (bin + 1 < BINS).then(|| end(bin + 1)))
    }
}

/// Scores of a classifier on a set of examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Classification {
    /// Share of the examples answered rightly.
    pub accuracy: f64,
    /// Bootstrap interval of the accuracy.
    pub accuracy_ci: Interval,
    /// Mean F1 over the classes that occur among expected labels.
    pub macro_f1: f64,
    /// Bootstrap interval of the macro-F1.
    pub macro_f1_ci: Interval,
    /// Scores by label.
    pub per_class: BTreeMap<String, ClassScore>,
    /// Who was taken for whom.
    pub confusion: Confusion,
    /// Mean gap between probability and accuracy over ten equal-width bins, weighted by count
    /// (Guo et al. 2017, arXiv 1706.04599).
    pub expected_calibration_error: f64,
    /// Bootstrap interval of the calibration error.
    pub expected_calibration_error_ci: Interval,
    /// The bins behind it.
    pub reliability: Vec<ReliabilityBin>,
    /// What is left if answers below a probability are withheld. Older files have none.
    #[serde(default)]
    pub coverage: Vec<CoveragePoint>,
    /// Examples scored.
    pub examples: usize,
}

/// Bins of the reliability diagram.
const BINS: usize = 10;

/// Probabilities this near are one: a number that is read from a file or comes from a face may be the one next to it.
pub const NEAR: f64 = 1e-12;

/// Scores answers against `labels`.
///
/// Intervals are percentile bootstrap (Efron 1979) over examples, seeded, so they repeat.
pub fn classification(labels: &[String], scored: &[Scored]) -> Classification {
    let confusion = confusion(labels.len(), scored);
    let classes = class_scores(&confusion);
    let intervals = bootstrap(scored, |sample| {
        let confusion = self::confusion(labels.len(), sample);
        [accuracy(sample), macro_f1(&class_scores(&confusion)), calibration_error(&reliability(sample), sample.len())]
    });
    let reliability = reliability(scored);
    Classification {
        accuracy: accuracy(scored),
        accuracy_ci: intervals[0],
        macro_f1: macro_f1(&classes),
        macro_f1_ci: intervals[1],
        expected_calibration_error: calibration_error(&reliability, scored.len()),
        expected_calibration_error_ci: intervals[2],
        per_class: labels.iter().cloned().zip(classes).collect(),
        confusion: Confusion { labels: labels.to_vec(), counts: confusion },
        reliability,
        coverage: coverage(scored),
        examples: scored.len(),
    }
}

/// Answers of the classifier that always gives the commonest training label.
pub fn majority(train: &[usize], expected: &[usize], classes: usize) -> Vec<Scored> {
    let mut counts = vec![0usize; classes];
    train.iter().for_each(|&l| counts[l] += 1);
    let best = (0..classes).rev().max_by_key(|&l| counts[l]).unwrap_or(0);
    let probability = counts.get(best).copied().unwrap_or(0) as f64 / train.len().max(1) as f64;
    expected.iter().map(|&expected| Scored { expected, answered: Some(best), probability }).collect()
}

fn accuracy(scored: &[Scored]) -> f64 {
    ratio(scored.iter().filter(|s| s.answered == Some(s.expected)).count(), scored.len())
}

fn confusion(classes: usize, scored: &[Scored]) -> Vec<Vec<usize>> {
    let mut counts = vec![vec![0; classes + 1]; classes];
    for s in scored {
        counts[s.expected][s.answered.unwrap_or(classes)] += 1;
    }
    counts
}

fn class_scores(counts: &[Vec<usize>]) -> Vec<ClassScore> {
    (0..counts.len())
        .map(|c| {
            let right = counts[c][c];
            let support = counts[c].iter().sum();
            let answered: usize = counts.iter().map(|row| row[c]).sum();
            let (precision, recall) = (ratio(right, answered), ratio(right, support));
            ClassScore { precision, recall, f1: ratio(2 * right, answered + support), support }
        })
        .collect()
}

fn macro_f1(classes: &[ClassScore]) -> f64 {
    let present: Vec<f64> = classes.iter().filter(|c| c.support > 0).map(|c| c.f1).collect();
    if present.is_empty() { 0.0 } else { present.iter().sum::<f64>() / present.len() as f64 }
}

fn reliability(scored: &[Scored]) -> Vec<ReliabilityBin> {
    bins(scored.iter().map(|s| (s.probability, s.answered == Some(s.expected))))
}

/// The bin that a probability falls into.
fn bin(probability: f64) -> usize {
    (((probability + NEAR) * BINS as f64) as usize).min(BINS - 1)
}

/// The bins of the reliability diagram of answers: their probabilities, and whether they were right. Empty bins are left out.
pub fn bins(answers: impl IntoIterator<Item = (f64, bool)>) -> Vec<ReliabilityBin> {
    let mut bins = vec![(0.0, 0usize, 0usize); BINS];
    for (p, right) in answers {
        let p = p.clamp(0.0, 1.0);
        let bin = &mut bins[bin(p)];
        bin.0 += p;
        bin.1 += usize::from(right);
        bin.2 += 1;
    }
    bins.into_iter()
        .filter(|b| b.2 > 0)
        .map(|(p, right, count)| ReliabilityBin { confidence: p / count as f64, accuracy: ratio(right, count), count })
        .collect()
}

/// Expected calibration error: how far mean probability and share of right answers lie apart in the bins, by the answers in them.
pub fn calibration_error(bins: &[ReliabilityBin], examples: usize) -> f64 {
    bins.iter().map(|b| ratio(b.count, examples) * (b.confidence - b.accuracy).abs()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(rows: &[(usize, Option<usize>, f64)]) -> Vec<Scored> {
        rows.iter().map(|&(expected, answered, probability)| Scored { expected, answered, probability }).collect()
    }

    #[test]
    fn scores_match_a_hand_computed_case() {
        let labels: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        let rows = scored(&[(0, Some(0), 0.9), (0, Some(1), 0.6), (1, Some(1), 0.8), (1, Some(1), 0.7), (2, None, 0.2), (2, Some(2), 1.0)]);
        let s = classification(&labels, &rows);
        assert!((s.accuracy - 4.0 / 6.0).abs() < 1e-12);
        // a: p 1, r 1/2; b: p 2/3, r 1; c: p 1, r 1/2
        assert!((s.per_class["a"].f1 - 2.0 / 3.0).abs() < 1e-12);
        assert!((s.per_class["b"].f1 - 0.8).abs() < 1e-12);
        assert!((s.macro_f1 - (2.0 / 3.0 + 0.8 + 2.0 / 3.0) / 3.0).abs() < 1e-12);
        assert_eq!(s.confusion.counts[2], [0, 0, 1, 1]);
        // one answer per bin: |0.9-1| |0.6-0| |0.8-1| |0.7-1| |0.2-0| |1-1|; 0.9 and 1.0 share the last bin
        let expected = (0.6 + 0.2 + 0.3 + 0.2) / 6.0 + (2.0 / 6.0) * (0.95f64 - 1.0).abs();
        assert!((s.expected_calibration_error - expected).abs() < 1e-9, "{}", s.expected_calibration_error);
        assert!(s.accuracy_ci[0] <= s.accuracy && s.accuracy <= s.accuracy_ci[1]);
        assert!(s.accuracy_ci[0] < s.accuracy_ci[1]);
    }

    #[test]
    fn a_bin_knows_its_ends() {
        let ends = |answers: &[f64]| bins(answers.iter().map(|p| (*p, true))).iter().map(ReliabilityBin::ends).collect::<Vec<_>>();
        assert_eq!(ends(&[0.05, 0.3, 0.95]), [(0.0, Some(0.1)), (0.3, Some(0.4)), (0.9, None)]);
        assert_eq!(ends(&[0.0, 1.0]), [(0.0, Some(0.1)), (0.9, None)]);
        // the mean of these is less than each
        assert_eq!(ends(&[0.7, 0.7, 0.7]), [(0.7, Some(0.8))]);
    }

    #[test]
    fn majority_gives_the_commonest_training_label() {
        let answers = majority(&[2, 1, 1, 0], &[0, 1, 2], 3);
        assert!(answers.iter().all(|a| a.answered == Some(1) && a.probability == 0.5));
        // of equally common labels, the first
        assert_eq!(majority(&[1, 0], &[0], 2)[0].answered, Some(0));
    }

    #[test]
    fn nothing_to_score_is_zero_not_nan() {
        let s = classification(&["a".into()], &[]);
        assert_eq!((s.accuracy, s.macro_f1, s.expected_calibration_error), (0.0, 0.0, 0.0));
    }

    #[test]
    fn intervals_repeat_and_narrow_with_more_examples() {
        let labels: Vec<String> = ["a", "b"].map(String::from).to_vec();
        let few = scored(&(0..20).map(|i| (i % 2, Some(usize::from(i % 4 == 1)), 0.7)).collect::<Vec<_>>());
        let many: Vec<Scored> = few.iter().cycle().take(2000).cloned().collect();
        let (a, b) = (classification(&labels, &few), classification(&labels, &many));
        assert_eq!(a, classification(&labels, &few));
        assert!(b.accuracy_ci[1] - b.accuracy_ci[0] < (a.accuracy_ci[1] - a.accuracy_ci[0]) / 2.0);
    }
}
