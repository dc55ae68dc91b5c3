//! What a probability is worth: temperature scaling, and abstaining below a threshold.

use super::classes::Scored;
use super::ratio;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// One point of the coverage–accuracy curve: what is left if answers below a probability are withheld.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct CoveragePoint {
    /// Answers of at least this probability are given.
    pub threshold: f64,
    /// Share of the examples that are then answered.
    pub coverage: f64,
    /// Share of these that are right.
    pub accuracy: f64,
}

/// The coverage–accuracy curve, from the surest answers to all of them; one point for each distinct
/// probability. An output that was no answer is withheld at every threshold.
pub fn coverage(scored: &[Scored]) -> Vec<CoveragePoint> {
    let mut given: Vec<&Scored> = scored.iter().filter(|s| s.answered.is_some()).collect();
    given.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    let (mut out, mut right) = (Vec::new(), 0);
    for (i, s) in given.iter().enumerate() {
        right += usize::from(s.answered == Some(s.expected));
        if given.get(i + 1).is_none_or(|next| next.probability != s.probability) {
            out.push(CoveragePoint { threshold: s.probability, coverage: ratio(i + 1, scored.len()), accuracy: ratio(right, i + 1) });
        }
    }
    out
}

/// The threshold that answers most while at least `accuracy` of the answers given are right; chosen
/// on validation, never on the examples it is then reported on. `None` if no threshold reaches it.
pub fn threshold(scored: &[Scored], accuracy: f64) -> Option<CoveragePoint> {
    coverage(scored).into_iter().rev().find(|p| p.accuracy >= accuracy)
}

/// The temperature by which logits (or log-probabilities) are divided so that their softmax is
/// calibrated (Guo et al. 2017, arXiv 1706.04599): the one of least log-loss. `rows[i]` holds the
/// logits of example `i`, `labels[i]` its class. 1 if there is nothing to fit on.
pub fn temperature(rows: &[Vec<f64>], labels: &[usize]) -> f64 {
    let usable: Vec<(&Vec<f64>, usize)> =
        rows.iter().zip(labels).filter(|(row, label)| **label < row.len() && row.iter().all(|l| l.is_finite())).map(|(r, l)| (r, *l)).collect();
    if usable.is_empty() {
        return 1.0;
    }
    let loss = |ln_t: f64| -> f64 { usable.iter().map(|(row, label)| -scaled(row, ln_t.exp())[*label].max(f64::MIN_POSITIVE).ln()).sum() };
    // the loss has one minimum in 1/t (it is convex there), hence one in ln t: golden-section search.
    // Beyond a factor of 20 the data would be separable or useless, and the fit meaningless.
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (-(20f64.ln()), 20f64.ln());
    while high - low > 1e-4 {
        let (a, b) = (high - golden * (high - low), low + golden * (high - low));
        if loss(a) < loss(b) { high = b } else { low = a }
    }
    f64::midpoint(low, high).exp()
}

/// Softmax of logits divided by a temperature.
pub fn scaled(logits: &[f64], temperature: f64) -> Vec<f64> {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exp: Vec<f64> = logits.iter().map(|l| ((l - max) / temperature).exp()).collect();
    let sum: f64 = exp.iter().sum();
    exp.into_iter().map(|e| e / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_curve_matches_a_hand_computed_case() {
        let s = |right: bool, probability| Scored { expected: 0, answered: Some(usize::from(!right)), probability };
        let rows = [s(true, 0.9), s(false, 0.5), s(true, 0.8), s(true, 0.5), Scored { expected: 0, answered: None, probability: 0.99 }];
        let curve = coverage(&rows);
        assert_eq!(
            curve,
            [
                CoveragePoint { threshold: 0.9, coverage: 0.2, accuracy: 1.0 },
                CoveragePoint { threshold: 0.8, coverage: 0.4, accuracy: 1.0 },
                CoveragePoint { threshold: 0.5, coverage: 0.8, accuracy: 0.75 },
            ]
        );
        assert_eq!(threshold(&rows, 0.9), Some(curve[1]));
        assert_eq!(threshold(&rows[1..2], 0.9), None);
    }

    #[test]
    fn temperature_is_found_again() {
        // logits of true probability softmax(z), shown three times too sharp
        let mut rows = Vec::new();
        let mut labels = Vec::new();
        for i in 0..50 {
            let z = [f64::from(i) / 25.0, 0.0];
            let p = scaled(&z, 1.0)[0];
            let hits = (p * 200.0).round() as usize;
            for k in 0..200 {
                rows.push(z.iter().map(|v| v * 3.0).collect());
                labels.push(usize::from(k >= hits));
            }
        }
        let t = temperature(&rows, &labels);
        assert!((t - 3.0).abs() < 0.05, "{t}");
        assert_eq!(temperature(&[], &[]), 1.0);
        assert_eq!(temperature(&[vec![f64::NAN, 1.0]], &[0]), 1.0);
    }

    proptest! {
        #[test]
        fn scaling_keeps_the_order_and_never_worsens_the_loss(row in proptest::collection::vec(-20f64..20.0, 2..6), label in 0usize..2) {
            let t = temperature(std::slice::from_ref(&row), &[label]);
            let loss = |t: f64| -scaled(&row, t)[label].max(f64::MIN_POSITIVE).ln();
            prop_assert!(loss(t) <= loss(1.0) + 1e-3);
            let p = scaled(&row, t);
            prop_assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            for (i, a) in row.iter().enumerate() {
                for (j, b) in row.iter().enumerate() {
                    prop_assert!(a <= b || p[i] >= p[j]);
                }
            }
        }
    }
}
