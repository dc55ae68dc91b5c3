//! The learning rate over the steps of a run.

use serde::{Deserialize, Serialize};

/// How the rate falls after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decay {
    /// It stays.
    Constant,
    /// In a straight line to zero.
    Linear,
    /// Along half a cosine to zero.
    Cosine,
}

/// Warm-up in a straight line, then decay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Steps in all.
    pub steps: usize,
    /// Steps of warm-up.
    pub warmup: usize,
    /// What follows.
    pub decay: Decay,
}

impl Schedule {
    /// The factor of the base rate at `step`, counted from 0. The first step already learns, and the
    /// last one still does.
    pub fn factor(&self, step: usize) -> f64 {
        if step < self.warmup {
            return (step + 1) as f64 / self.warmup as f64;
        }
        let span = self.steps.saturating_sub(self.warmup).max(1) as f64;
        let done = ((step - self.warmup) as f64 / span).min(1.0);
        match self.decay {
            Decay::Constant => 1.0,
            Decay::Linear => 1.0 - done,
            Decay::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_then_falls_and_never_leaves_zero_to_one() {
        for decay in [Decay::Constant, Decay::Linear, Decay::Cosine] {
            let s = Schedule { steps: 100, warmup: 10, decay };
            let f: Vec<f64> = (0..100).map(|i| s.factor(i)).collect();
            assert!((f[0] - 0.1).abs() < 1e-12 && (f[9] - 1.0).abs() < 1e-12 && (f[10] - 1.0).abs() < 1e-12);
            assert!(f.iter().all(|x| *x > 0.0 && *x <= 1.0), "{decay:?}");
            assert!(f[10..].is_sorted_by(|a, b| a >= b), "{decay:?}");
            if decay != Decay::Constant {
                assert!(f[99] < 0.02 && (f[55] - 0.5).abs() < 1e-9, "{decay:?} {}", f[55]);
            }
        }
    }

    #[test]
    fn no_warmup_and_single_steps_are_fine() {
        assert_eq!(Schedule { steps: 1, warmup: 0, decay: Decay::Linear }.factor(0), 1.0);
        assert_eq!(Schedule { steps: 1, warmup: 1, decay: Decay::Cosine }.factor(0), 1.0);
        assert_eq!(Schedule { steps: 0, warmup: 0, decay: Decay::Cosine }.factor(5), 0.0);
    }
}
