//! What a probability is worth: temperature scaling, and abstaining below a threshold.

use super::classes::{Scored, bins, calibration_error};
use super::ratio;
use say::say;
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

/// Answers fewer than this settle no temperature and no threshold.
pub const FEWEST: usize = 20;

/// How well probabilities agree with what was right.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Agreement {
    /// Examples.
    pub examples: usize,
    /// Expected calibration error of the probabilities as the model gives them.
    pub error: f64,
    /// The same of the calibrated ones.
    pub error_calibrated: f64,
}

impl Agreement {
    /// Of answers: the probability of each as it came, as it was calibrated, and whether it was right.
    pub fn of(answers: &[(f64, f64, bool)]) -> Self {
        let error = |of: &dyn Fn(&(f64, f64, bool)) -> f64| calibration_error(&bins(answers.iter().map(|a| (of(a), a.2))), answers.len());
        Self { examples: answers.len(), error: error(&|a| a.0), error_calibrated: error(&|a| a.1) }
    }
}

/// What the validation set says of a model's probabilities; all of it is chosen there, and only measured elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Calibration {
    /// Logarithms of probabilities are divided by it: above 1 the model was too sure, below 1 not sure enough.
    pub temperature: f64,
    /// On the validation set, where the temperature was fitted.
    pub validation: Agreement,
    /// On the test set, which had no part in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub test: Option<Agreement>,
    /// The accuracy that answers at least as sure as the threshold should have.
    pub wanted: f64,
    /// The threshold of calibrated probability that answers most of the validation set with that accuracy; none if none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub threshold: Option<CoveragePoint>,
    /// What the same threshold does on the test set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub threshold_on_test: Option<CoveragePoint>,
}

/// An answer whose probability is to be calibrated.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// Logarithms of the probabilities of what could have been answered, see [`logits`].
    pub logits: Vec<f64>,
    /// Which of these was answered.
    pub answered: usize,
    /// Which of these was right; none if none of them was.
    pub expected: Option<usize>,
}

/// Logarithms of all probabilities that are known; where only that of the answer is, of the answer and of every other.
pub fn logits(all: &[f32], probability: f64) -> Vec<f64> {
    // what is certain in single precision is not certain
    let ln = |p: f64| p.clamp(1e-7, 1.0 - 1e-7).ln();
    if all.is_empty() { vec![ln(probability), ln(1.0 - probability)] } else { all.iter().map(|&p| ln(f64::from(p))).collect() }
}

impl Judged {
    /// Was the answer right?
    pub fn right(&self) -> bool {
        self.expected == Some(self.answered)
    }

    /// The probability of the answer at a temperature.
    pub fn probability(&self, temperature: f64) -> f64 {
        scaled(&self.logits, temperature).get(self.answered).copied().unwrap_or(0.0)
    }

    /// As it came, as it is calibrated, and whether it was right: for [`Agreement::of`].
    pub fn both(&self, temperature: f64) -> (f64, f64, bool) {
        (self.probability(1.0), self.probability(temperature), self.right())
    }

    /// As one of the answers of a coverage–accuracy curve.
    fn scored(&self, temperature: f64) -> Scored {
        Scored { expected: 0, answered: Some(usize::from(!self.right())), probability: self.probability(temperature) }
    }
}

impl Calibration {
    /// Fits a temperature to answers to the validation set, and chooses the threshold that keeps to the wanted accuracy.
    ///
    /// # Errors
    /// With the reason, if the answers settle nothing: there are fewer than [`FEWEST`], or all are right, or all are wrong.
    pub fn fit(validation: &[Judged], wanted: f64) -> Result<Self, String> {
        let right = validation.iter().filter(|j| j.right()).count();
        match validation.len() {
            n if n < FEWEST => {
                return Err(say!(
                    "{n} validation examples are too few to calibrate probabilities; {FEWEST} are needed",
                    "{n} esempi di validazione sono troppo pochi per calibrare le probabilità; ne servono {FEWEST}"
                ));
            }
            n if right == n || right == 0 => {
                let all = if right == n { say::pick("right", "giuste") } else { say::pick("wrong", "sbagliate") };
                return Err(say!(
                    "all {n} validation answers are {all}, so they do not tell sure answers from unsure ones",
                    "tutte le {n} risposte alla validazione sono {all}, quindi non distinguono quelle sicure da quelle incerte"
                ));
            }
            _ => {}
        }
        let rows: Vec<Vec<f64>> = validation.iter().map(|j| j.logits.clone()).collect();
        // an example whose right answer is beyond what could be answered teaches nothing of the others
        let labels: Vec<usize> = validation.iter().map(|j| j.expected.unwrap_or(usize::MAX)).collect();
        let temperature = temperature(&rows, &labels);
        let both: Vec<(f64, f64, bool)> = validation.iter().map(|j| j.both(temperature)).collect();
        let scored: Vec<Scored> = validation.iter().map(|j| j.scored(temperature)).collect();
        // a handful of sure answers is right by chance
        let least = FEWEST as f64 / 2.0 / validation.len() as f64;
        let threshold = threshold(&scored, wanted).filter(|p| p.coverage >= least);
        Ok(Self { temperature, validation: Agreement::of(&both), test: None, wanted, threshold, threshold_on_test: None })
    }

    /// The same with what it does on the test set, which changes nothing of it. Each answer with its probability as it came,
    /// as it is calibrated, and whether it was right.
    pub fn measured(self, test: &[(f64, f64, bool)]) -> Self {
        if test.is_empty() {
            return self;
        }
        let above = |p: CoveragePoint| {
            let given: Vec<bool> = test.iter().filter(|t| t.1 >= p.threshold).map(|t| t.2).collect();
            let accuracy = ratio(given.iter().filter(|right| **right).count(), given.len());
            CoveragePoint { threshold: p.threshold, coverage: ratio(given.len(), test.len()), accuracy }
        };
        Self { test: Some(Agreement::of(test)), threshold_on_test: self.threshold.map(above), ..self }
    }
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

    /// Answers of a model that is `sharp` times too sure: right as often as its true probability says.
    fn judged(count: usize, sharp: f64) -> Vec<Judged> {
        let one = |i: usize| {
            let p = 0.55 + 0.4 * (i % 10) as f64 / 10.0;
            // of ten answers in a row of hundred with this probability, so many are right
            let right = ((i / 10) % 20) as f64 + 0.5 < p * 20.0;
            let logits = logits(&[], p).into_iter().map(|l| l * sharp).collect();
            Judged { logits, answered: 0, expected: Some(usize::from(!right)) }
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn calibration_is_fitted_on_validation_and_the_threshold_keeps_what_it_promises_there() {
        let validation = judged(400, 3.0);
        let c = Calibration::fit(&validation, 0.85).expect("enough");
        assert!((c.temperature - 3.0).abs() < 0.3, "{c:?}");
        assert!(c.validation.error_calibrated < c.validation.error / 2.0, "{c:?}");
        let t = c.threshold.expect("some threshold reaches it");
        let given: Vec<&Judged> = validation.iter().filter(|j| j.probability(c.temperature) >= t.threshold).collect();
        assert!((given.len() as f64 / 400.0 - t.coverage).abs() < 1e-9 && t.accuracy >= 0.85 && t.coverage < 1.0, "{t:?}");
        // the test set is measured, and nothing is chosen on it
        let test: Vec<_> = judged(200, 3.0).iter().map(|j| j.both(c.temperature)).collect();
        let measured = c.clone().measured(&test);
        assert_eq!((measured.temperature, measured.threshold), (c.temperature, c.threshold));
        assert_eq!(measured.threshold_on_test.map(|p| p.threshold), Some(t.threshold));
        assert_eq!(measured.test.map(|a| a.examples), Some(200));
        assert_eq!(c.clone().measured(&[]), c);
    }

    #[test]
    fn what_settles_nothing_is_refused_with_the_reason() {
        let why = |answers: &[Judged]| Calibration::fit(answers, 0.9).expect_err("refused");
        assert!(why(&judged(FEWEST - 1, 1.0)).contains("too few"));
        let all = |expected| vec![Judged { logits: logits(&[], 0.9), answered: 0, expected: Some(expected) }; 30];
        assert!(why(&all(0)).contains("right") && why(&all(1)).contains("wrong"));
        // no threshold reaches what no answer reaches
        assert_eq!(Calibration::fit(&judged(400, 1.0), 0.999).expect("fitted").threshold, None);
        // certainty and nonsense stay finite
        assert!(logits(&[1.0, 0.0], 0.0).iter().chain(&logits(&[], 1.0)).all(|l| l.is_finite()));
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
