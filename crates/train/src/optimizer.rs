//! AdamW with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101).
//!
//! Moments are kept by the path of the parameter, which is the same in every process, so a
//! checkpoint written by one can be read by another (burn's own records are keyed by a random id).

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Constants of the optimiser.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamWConfig {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Share of each weight, times the learning rate, that a step takes away.
    pub weight_decay: f64,
}

impl Default for AdamWConfig {
    /// The defaults of `torch.optim.AdamW`.
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 }
    }
}

/// The optimiser and its state.
#[derive(Clone)]
pub struct AdamW {
    config: AdamWConfig,
    step: i32,
    moments: BTreeMap<String, (Tensor<2>, Tensor<2>)>,
}

impl AdamW {
    /// An optimiser that has seen no step.
    pub fn new(config: AdamWConfig) -> Self {
        Self { config, step: 0, moments: BTreeMap::new() }
    }

    /// First and second moments by path.
    pub(crate) fn moments(&self) -> impl Iterator<Item = (&str, &Tensor<2>, &Tensor<2>)> {
        self.moments.iter().map(|(path, (m, v))| (path.as_str(), m, v))
    }

    /// Forgets all moments and counts from `step`.
    pub(crate) fn clear(&mut self, step: i32) {
        self.step = step;
        self.moments.clear();
    }

    /// Takes the moments of a parameter.
    pub(crate) fn put(&mut self, path: &str, m: Tensor<2>, v: Tensor<2>) {
        self.moments.insert(path.into(), (m, v));
    }

    /// Begins a step; call it once before the parameters of the step are updated.
    pub fn begin(&mut self) {
        self.step += 1;
    }

    /// The new value of one parameter. Neither tensor is tracked by autodiff.
    pub fn update(&mut self, path: &str, parameter: Tensor<2>, gradient: Tensor<2>, rate: f64) -> Tensor<2> {
        let c = self.config;
        let (m, v) = match self.moments.remove(path) {
            Some((m, v)) => {
                let m = m.mul_scalar(c.beta1) + gradient.clone().mul_scalar(1.0 - c.beta1);
                let v = v.mul_scalar(c.beta2) + gradient.square().mul_scalar(1.0 - c.beta2);
                (m, v)
            }
            None => (gradient.clone().mul_scalar(1.0 - c.beta1), gradient.square().mul_scalar(1.0 - c.beta2)),
        };
        self.moments.insert(path.into(), (m.clone(), v.clone()));
        let (correct1, correct2) = (1.0 - c.beta1.powi(self.step), 1.0 - c.beta2.powi(self.step));
        let root = v.sqrt().mul_scalar(1.0 / correct2.sqrt()).add_scalar(c.epsilon);
        let kept = if c.weight_decay == 0.0 { parameter } else { parameter.mul_scalar(1.0 - rate * c.weight_decay) };
        kept - (m / root).mul_scalar(rate / correct1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    /// Two steps on one weight, computed by hand from the paper's formulas.
    #[test]
    fn two_steps_match_the_formulas() {
        let device = Device::flex();
        let tensor = |x: f32| Tensor::<2>::from_data([[x]], &device);
        let value = |t: Tensor<2>| -> f32 { t.into_scalar() };
        let mut adam = AdamW::new(AdamWConfig { weight_decay: 0.1, ..AdamWConfig::default() });
        adam.begin();
        let p = adam.update("w", tensor(1.0), tensor(0.5), 0.01);
        // the first step moves by the rate whatever the gradient's size, after the decay
        let one = 1.0 * (1.0 - 0.01 * 0.1) - 0.01 * 0.5 / (0.5 + 1e-8);
        assert!((value(p.clone()) - one as f32).abs() < 1e-6);
        adam.begin();
        let p = adam.update("w", p, tensor(-1.0), 0.01);
        let (m, v) = (0.9 * 0.05 - 0.1, 0.999 * 0.000_25 + 0.001);
        let (mh, vh) = (m / (1.0 - 0.81), v / (1.0 - 0.999f64 * 0.999));
        let two = one * (1.0 - 0.001) - 0.01 * mh / (vh.sqrt() + 1e-8);
        assert!((value(p) - two as f32).abs() < 1e-6);
    }
}
