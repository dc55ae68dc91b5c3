//! Two systems on the same examples: is one better, or was it luck?

use super::{Interval, RESAMPLES, interval};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use ts_rs::TS;

/// McNemar's test of two systems that were each right or wrong on every example.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct McNemar {
    /// Examples that only the first had right.
    pub only_first: usize,
    /// Examples that only the second had right.
    pub only_second: usize,
    /// Exact two-sided probability of a split at least this uneven if both were equally good.
    pub p: f64,
}

/// McNemar's exact test (McNemar 1947, with binomial probabilities).
pub fn mcnemar(first: &[bool], second: &[bool]) -> McNemar {
    let count = |a, b| first.iter().zip(second).filter(|p| *p == (&a, &b)).count();
    let (only_first, only_second) = (count(true, false), count(false, true));
    McNemar { only_first, only_second, p: uneven(only_first, only_second) }
}

/// Two-sided p of the exact McNemar test: how often chance alone gives a split of the disagreements at
/// least as uneven.
pub fn uneven(only_first: usize, only_second: usize) -> f64 {
    let (n, k) = (only_first + only_second, only_first.min(only_second));
    // ln of (n choose i) / 2^n, summed up to k; logarithms because 2^n overflows
    let (mut ln, mut tail) = (-(n as f64) * std::f64::consts::LN_2, 0.0);
    for i in 0..=k {
        tail += ln.exp();
        ln += ((n - i) as f64).ln() - ((i + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}

/// The difference of a metric between two systems.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Difference {
    /// Second minus first.
    pub difference: f64,
    /// Bootstrap interval of it.
    pub difference_ci: Interval,
    /// Two-sided probability that the sign is luck: twice the share of resamples on the other side of 0.
    pub p: f64,
}

/// Paired bootstrap (Efron & Tibshirani 1993; Koehn 2004, aclanthology.org/W04-3250): both systems are
/// measured on the same resampled examples. `first[i]` and `second[i]` are what each did on example `i`.
pub fn bootstrap<T: Clone>(first: &[T], second: &[T], metric: impl Fn(&[T]) -> f64) -> Difference {
    let Ok(found) = bootstrap_with::<T, Infallible>(first, second, metric, &mut || Ok(()));
    found
}

/// As [`bootstrap`]; `go_on` is asked after each of the [`RESAMPLES`].
///
/// # Errors
/// As `go_on`.
pub fn bootstrap_with<T: Clone, E>(first: &[T], second: &[T], metric: impl Fn(&[T]) -> f64, go_on: &mut dyn FnMut() -> Result<(), E>) -> Result<Difference, E> {
    let n = first.len().min(second.len());
    let difference = metric(&second[..n]) - metric(&first[..n]);
    if n == 0 {
        return Ok(Difference { difference: 0.0, difference_ci: [0.0, 0.0], p: 1.0 });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut all = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        let rows: Vec<usize> = (0..n).map(|_| rng.random_range(0..n)).collect();
        let of = |system: &[T]| metric(&rows.iter().map(|&r| system[r].clone()).collect::<Vec<_>>());
        all.push(of(second) - of(first));
        go_on()?;
    }
    let other_side = all.iter().filter(|d| if difference > 0.0 { **d <= 0.0 } else { **d >= 0.0 }).count();
    // one more in both, so that p is never 0: 1000 resamples cannot show that
    let p = (2.0 * (other_side + 1) as f64 / (RESAMPLES + 1) as f64).min(1.0);
    Ok(Difference { difference, difference_ci: interval(&mut all), p })
}

/// [`bootstrap`] of a metric that is one sum over the examples divided by another, such as a mean or a micro-averaged F1: each example
/// adds its `[part, whole]`. Where there is no whole, there is nothing that could be wrong, and the metric is 1.
pub fn of_sums(first: &[[f64; 2]], second: &[[f64; 2]]) -> Difference {
    bootstrap(first, second, |rows| {
        let [part, whole] = rows.iter().fold([0.0, 0.0], |[part, whole], row| [part + row[0], whole + row[1]]);
        if whole > 0.0 { part / whole } else { 1.0 }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::mean;

    #[test]
    fn mcnemar_matches_known_values() {
        let pair = |only_first: usize, only_second: usize| {
            let first: Vec<bool> = (0..100).map(|i| i < only_first).collect();
            let second: Vec<bool> = (0..100).map(|i| i >= 100 - only_second).collect();
            mcnemar(&first, &second)
        };
        // binomial: 2 (C(10,0) + C(10,1) + C(10,2)) / 1024
        assert!((pair(2, 8).p - 112.0 / 1024.0).abs() < 1e-12);
        assert!((pair(0, 5).p - 0.0625).abs() < 1e-12);
        assert_eq!((pair(0, 0).p, pair(3, 3).p), (1.0, 1.0));
        assert_eq!(pair(2, 8), McNemar { only_first: 2, only_second: 8, p: pair(8, 2).p });
    }

    #[test]
    fn the_bootstrap_sees_a_difference_and_not_a_tie() {
        let metric = |rows: &[f64]| mean(rows.iter().copied());
        let weak: Vec<f64> = (0..200).map(|i| f64::from(i % 2 == 0)).collect();
        let strong: Vec<f64> = (0..200).map(|i| f64::from(i % 10 != 0)).collect();
        let d = bootstrap(&weak, &strong, metric);
        assert!((d.difference - 0.4).abs() < 1e-9 && d.p < 0.01 && d.difference_ci[0] > 0.2, "{d:?}");
        let reversed = bootstrap(&strong, &weak, metric);
        assert!((reversed.difference + 0.4).abs() < 1e-9 && reversed.p < 0.01);
        let shifted: Vec<f64> = (0..200).map(|i| f64::from(i % 2 == 1)).collect();
        assert!(bootstrap(&weak, &shifted, metric).p > 0.5);
        assert_eq!(bootstrap::<f64>(&[], &[], metric).p, 1.0);
        // and draws no further than somebody waits
        let mut drawn = 0;
        let ended = bootstrap_with(&weak, &strong, metric, &mut || {
            drawn += 1;
            if drawn < 7 { Ok(()) } else { Err("ended") }
        });
        assert_eq!((ended, drawn), (Err("ended"), 7));
    }

    #[test]
    fn a_metric_of_sums_is_divided_once_and_not_averaged() {
        // an F1 of 6 / 10 against one of 8 / 10, of examples of very different size
        let (weak, strong) = ([[4.0, 4.0], [2.0, 6.0]], [[4.0, 4.0], [4.0, 6.0]]);
        let d = of_sums(&weak, &strong);
        assert!((d.difference - 0.2).abs() < 1e-12 && d.difference_ci[0] == 0.0 && (d.difference_ci[1] - 2.0 / 6.0).abs() < 1e-12, "{d:?}");
        assert_eq!(of_sums(&[[0.0, 0.0]; 3], &[[0.0, 0.0]; 3]).difference, 0.0);
        assert_eq!(of_sums(&[], &[]), Difference { difference: 0.0, difference_ci: [0.0, 0.0], p: 1.0 });
    }
}
