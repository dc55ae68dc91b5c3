//! How answers are scored, one file per kind of answer, and what the scores share.
//!
//! Every score is computed from plain values, so answers of any other system are scored by the same
//! code: [`classes`] for labels, [`entities`] for spans, [`tags`] for hashtags, [`sql`] for queries
//! by their results, [`text`] for free text. [`paired`] compares two systems on the same examples,
//! [`calibration`] asks what a probability is worth. An answer that could not be read scores zero.

pub mod calibration;
pub mod classes;
pub mod entities;
mod order;
pub mod paired;
pub mod sql;
pub mod tags;
pub mod text;

pub use classes::{ClassScore, Classification, Confusion, ReliabilityBin, Scored, bins, calibration_error, classification, majority};

pub use entities::Entities;
pub use sql::Sql;
pub use tags::Tags;
pub use text::FreeText;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use ts_rs::TS;

/// Scores of any task. In files it is the flat table of its own names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(untagged)]
pub enum Metrics {
    /// Of labels.
    Classes(Classification),
    /// Of entities.
    Entities(Entities),
    /// Of queries.
    Sql(Sql),
    /// Of hashtags.
    Tags(Tags),
    /// Of free text.
    Text(FreeText),
}

impl Metrics {
    /// Scores of labels, if these are some.
    pub fn classes(&self) -> Option<&Classification> {
        if let Self::Classes(scores) = self { Some(scores) } else { None }
    }

    /// The metrics that stand for the whole, the main one first: name, value, interval. All are shares, more is better.
    pub fn headline(&self) -> Vec<(&'static str, f64, Interval)> {
        match self {
            Self::Classes(m) => vec![("accuracy", m.accuracy, m.accuracy_ci), ("macro_f1", m.macro_f1, m.macro_f1_ci)],
            Self::Entities(m) => vec![("f1", m.f1, m.f1_ci), ("precision", m.precision, m.precision_ci), ("recall", m.recall, m.recall_ci)],
            Self::Sql(m) => vec![
                ("execution_accuracy", m.execution_accuracy, m.execution_accuracy_ci),
                ("exact_match", m.exact_match, m.exact_match_ci),
                ("valid_sql", m.valid_sql, m.valid_sql_ci),
            ],
            Self::Tags(m) => vec![
                ("f1", m.f1, m.f1_ci),
                ("precision", m.precision, m.precision_ci),
                ("recall", m.recall, m.recall_ci),
                ("at_least_one_hit", m.at_least_one_hit, m.at_least_one_hit_ci),
            ],
            Self::Text(m) => {
                let mut all = vec![
                    ("exact_match", m.exact_match, m.exact_match_ci),
                    ("normalised_match", m.normalised_match, m.normalised_match_ci),
                    ("token_f1", m.token_f1, m.token_f1_ci),
                    ("rouge_l", m.rouge_l, m.rouge_l_ci),
                    ("chrf", m.chrf, m.chrf_ci),
                ];
                all.extend(m.schema_valid.zip(m.schema_valid_ci).map(|(share, interval)| ("schema_valid", share, interval)));
                all
            }
        }
    }

    /// The headline by name, for events.
    pub fn shares(&self) -> BTreeMap<String, f64> {
        self.headline().into_iter().map(|(name, value, _)| (name.to_string(), value)).collect()
    }

    /// The main metric.
    pub fn main(&self) -> f64 {
        self.headline()[0].1
    }

    /// Examples scored.
    pub fn examples(&self) -> usize {
        match self {
            Self::Classes(m) => m.examples,
            Self::Entities(m) => m.examples,
            Self::Sql(m) => m.examples,
            Self::Tags(m) => m.examples,
            Self::Text(m) => m.examples,
        }
    }
}

impl From<Classification> for Metrics {
    fn from(scores: Classification) -> Self {
        Self::Classes(scores)
    }
}

/// A 95 % interval, `[low, high]`.
pub type Interval = [f64; 2];

/// Bootstrap resamples; the 2.5 % and 97.5 % quantiles then rest on 25 resamples each.
pub const RESAMPLES: usize = 1000;

/// A share; 0 when there is nothing to share.
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Harmonic mean of precision and recall, from counts: `2 right / (answered + expected)`.
/// Nothing answered where nothing was expected is right.
fn f1(right: usize, answered: usize, expected: usize) -> f64 {
    if answered + expected == 0 { 1.0 } else { ratio(2 * right, answered + expected) }
}

/// Mean; 0 of nothing.
fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len();
    if n == 0 { 0.0 } else { values.sum::<f64>() / n as f64 }
}

/// Percentile bootstrap (Efron 1979) over examples, seeded, so it repeats.
fn bootstrap<T: Clone, const N: usize>(examples: &[T], metrics: impl Fn(&[T]) -> [f64; N]) -> [Interval; N] {
    if examples.is_empty() {
        return [[0.0, 0.0]; N];
    }
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut samples = vec![Vec::with_capacity(RESAMPLES); N];
    for _ in 0..RESAMPLES {
        let sample: Vec<T> = (0..examples.len()).map(|_| examples[rng.random_range(0..examples.len())].clone()).collect();
        for (all, value) in samples.iter_mut().zip(metrics(&sample)) {
            all.push(value);
        }
    }
    std::array::from_fn(|i| interval(&mut samples[i]))
}

/// The middle 95 % of values, which are sorted in place.
fn interval(values: &mut [f64]) -> Interval {
    values.sort_by(f64::total_cmp);
    let at = |q: f64| values[((values.len() - 1) as f64 * q).round() as usize];
    [at(0.025), at(0.975)]
}
