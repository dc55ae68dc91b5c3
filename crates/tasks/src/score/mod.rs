//! How answers are scored, one file per kind of answer, and what the scores share.
//!
//! Every score is computed from plain values, so answers of any other system are scored by the same
//! code: [`classes`] for labels, [`entities`] for spans, [`tags`] for hashtags, [`sql`] for queries
//! by their results, [`text`] for free text. [`paired`] compares two systems on the same examples,
//! [`calibration`] asks what a probability is worth. An answer that could not be read scores zero.

pub mod calibration;
pub mod classes;
pub mod entities;
pub mod paired;
pub mod sql;
pub mod tags;
pub mod text;

pub use classes::{ClassScore, Classification, Confusion, ReliabilityBin, Scored, classification, majority};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A 95 % interval, `[low, high]`.
pub type Interval = [f64; 2];

/// Bootstrap resamples; the 2.5 % and 97.5 % quantiles then rest on 25 resamples each.
const RESAMPLES: usize = 1000;

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
