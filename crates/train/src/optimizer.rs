//! AdamW with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101).
//!
//! Moments are kept by the path of the parameter, which is the same in every process, so a
//! checkpoint written by one can be read by another (burn's own records are keyed by a random id).
//!
//! On the CPU an update is one pass over all cores: the backend's operations take one core and a fresh tensor each, a dozen
//! of them, which over all weights of a model takes as long as its forward and backward.

use burn::backend::Flex;
use burn::tensor::{Tensor, TensorData};
use gemma::device::{held, is_cpu};
use rayon::prelude::*;
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
    ///
    /// # Errors
    /// If they are not where their device says.
    pub fn update(&mut self, path: &str, parameter: Tensor<2>, gradient: Tensor<2>, rate: f64) -> gemma::Result<Tensor<2>> {
        let (m, v) = self.moments.remove(path).unwrap_or_else(|| (gradient.zeros_like(), gradient.zeros_like()));
        let own = Own { parameter, gradient, m, v };
        let factors = self.factors(rate);
        let Moved { parameter, m, v } = if is_cpu(&own.parameter.device()) { on_cpu(own, factors)? } else { anywhere(own, factors) };
        self.moments.insert(path.into(), (m, v));
        Ok(parameter)
    }

    fn factors(&self, rate: f64) -> Factors {
        let c = self.config;
        let (correct1, correct2) = (1.0 - c.beta1.powi(self.step), 1.0 - c.beta2.powi(self.step));
        Factors {
            beta1: c.beta1,
            new1: 1.0 - c.beta1,
            beta2: c.beta2,
            new2: 1.0 - c.beta2,
            root: 1.0 / correct2.sqrt(),
            epsilon: c.epsilon,
            kept: 1.0 - rate * c.weight_decay,
            step: rate / correct1,
        }
    }
}

/// A parameter, its gradient and its moments before an update.
struct Own {
    parameter: Tensor<2>,
    gradient: Tensor<2>,
    m: Tensor<2>,
    v: Tensor<2>,
}

/// A parameter and its moments after an update.
struct Moved {
    parameter: Tensor<2>,
    m: Tensor<2>,
    v: Tensor<2>,
}

/// What an update multiplies by and adds.
#[derive(Clone, Copy)]
struct Factors {
    beta1: f64,
    new1: f64,
    beta2: f64,
    new2: f64,
    /// Of the root of the second moment, which begins too small.
    root: f64,
    epsilon: f64,
    /// Of the parameter, after its decay.
    kept: f64,
    /// Of the quotient of the moments.
    step: f64,
}

/// An update by the operations of any backend.
fn anywhere(Own { parameter, gradient, m, v }: Own, f: Factors) -> Moved {
    let m = m.mul_scalar(f.beta1) + gradient.clone().mul_scalar(f.new1);
    let v = v.mul_scalar(f.beta2) + gradient.square().mul_scalar(f.new2);
    let root = v.clone().sqrt().mul_scalar(f.root).add_scalar(f.epsilon);
    let parameter = parameter.mul_scalar(f.kept) - (m.clone() / root).mul_scalar(f.step);
    Moved { parameter, m, v }
}

/// Values that a core updates at a time.
const SHARE: usize = 1 << 14;

/// [`anywhere`] in one pass, to the bit the same. Moments change in place, unless they are remembered elsewhere, too.
fn on_cpu(Own { parameter, gradient, m, v }: Own, f: Factors) -> gemma::Result<Moved> {
    let [beta1, new1, beta2, new2] = [f.beta1, f.new1, f.beta2, f.new2].map(|x| x as f32);
    let [root, epsilon, kept, step] = [f.root, f.epsilon, f.kept, f.step].map(|x| x as f32);
    let (shape, device) = (parameter.dims(), parameter.device());
    let (p, g, mut m, mut v) = (held(parameter)?, held(gradient)?, held(m)?, held(v)?);
    let (p, g) = (p.as_slice::<f32>().unwrap_or_default(), g.as_slice::<f32>().unwrap_or_default());
    let mut out = vec![0.0f32; p.len()];
    let moments = m.storage_mut::<f32>().par_chunks_mut(SHARE).zip(v.storage_mut::<f32>().par_chunks_mut(SHARE));
    let given = p.par_chunks(SHARE).zip(g.par_chunks(SHARE));
    out.par_chunks_mut(SHARE).zip(moments).zip(given).for_each(|((out, (m, v)), (p, g))| {
        for ((((out, m), v), &p), &g) in out.iter_mut().zip(m).zip(v).zip(p).zip(g) {
            *m = *m * beta1 + g * new1;
            *v = *v * beta2 + g * g * new2;
            *out = p * kept - *m / (v.sqrt() * root + epsilon) * step;
        }
    });
    let parameter = Tensor::from_data(TensorData::new(out, shape), &device);
    Ok(Moved { parameter, m: Tensor::from_primitive::<Flex>(m), v: Tensor::from_primitive::<Flex>(v) })
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
        let p = adam.update("w", tensor(1.0), tensor(0.5), 0.01).expect("updated");
        // the first step moves by the rate whatever the gradient's size, after the decay
        let one = 1.0 * (1.0 - 0.01 * 0.1) - 0.01 * 0.5 / (0.5 + 1e-8);
        assert!((value(p.clone()) - one as f32).abs() < 1e-6);
        adam.begin();
        let p = adam.update("w", p, tensor(-1.0), 0.01).expect("updated");
        let (m, v) = (0.9 * 0.05 - 0.1, 0.999 * 0.000_25 + 0.001);
        let (mh, vh) = (m / (1.0 - 0.81), v / (1.0 - 0.999f64 * 0.999));
        let two = one * (1.0 - 0.001) - 0.01 * mh / (vh.sqrt() + 1e-8);
        assert!((value(p) - two as f32).abs() < 1e-6);
    }

    /// One pass over all cores gives the very bits of the backend's operations, and leaves moments alone that are remembered
    /// elsewhere.
    #[test]
    fn an_update_on_the_cpu_is_that_of_the_operations() {
        let device = Device::flex();
        let (rows, columns) = (37, 1000);
        let values = |seed: u32| -> Vec<f32> { (0..rows * columns).map(|i| ((i as f32 + 1.0) * (seed as f32 + 0.37)).sin() * 0.01).collect() };
        let tensor = |seed: u32| Tensor::<2>::from_data(TensorData::new(values(seed), [rows, columns]), &device);
        let bits = |t: &Tensor<2>| gemma::lora::values(t.clone()).into_iter().map(f32::to_bits).collect::<Vec<_>>();
        let mut adam = AdamW::new(AdamWConfig::default());
        let (mut p, mut m, mut v) = (tensor(1), tensor(1).zeros_like(), tensor(1).zeros_like());
        let mut ours = p.clone();
        for step in 2..5 {
            adam.begin();
            let (remembered, before) = (adam.clone(), adam.moments().map(|(_, m, v)| (bits(m), bits(v))).collect::<Vec<_>>());
            ours = adam.update("w", ours, tensor(step), 0.01).expect("updated");
            let moved = anywhere(Own { parameter: p, gradient: tensor(step), m, v }, adam.factors(0.01));
            (p, m, v) = (moved.parameter, moved.m, moved.v);
            let own = adam.moments().next().map(|(_, m, v)| (bits(m), bits(v)));
            assert_eq!((bits(&ours), own), (bits(&p), Some((bits(&m), bits(&v)))), "step {step}");
            assert_eq!(remembered.moments().map(|(_, m, v)| (bits(m), bits(v))).collect::<Vec<_>>(), before);
        }
    }
}
