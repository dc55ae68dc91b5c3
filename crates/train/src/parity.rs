//! Whether a device computes what the CPU computes.
//!
//! Graphics drivers and the compilers above them have been wrong before, and most quietly in the backward pass of a
//! frozen model with adapters. So before a device is believed, the very step that training takes is run on it and on
//! the CPU, with random weights: a small model whose rows cross the sliding window, as a whole and block by block, the same
//! with a head, and one block of the real sizes. A training of all weights is not among them, so it is checked on no device but the CPU. Weights in
//! half precision are a check of their own, under activations that half precision could not hold. [`measure`] and
//! [`measure_halved`] give the differences, [`Difference::within`] judges them.

use crate::event::Told;
use crate::step::{Tuned, forward_backward};
use burn::tensor::{Device, Tensor};
use data::Batch;
use data::encode::{Encoded, Mark};
use gemma::head::{Pool, View};
use gemma::{Adapters, Config, Error, Gemma, Head, LoraConfig, Precision, Result, Weights};
use say::say;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Largest relative difference of a loss. Sums of some hundred products in another order differ by 1e-7 to 1e-6; the
/// software adapter of Debian 12 was within 1e-6.
const LOSS: f64 = 1e-4;
/// Largest relative difference of a gradient, of its vector's length. Backward passes add up more: 4e-4 was seen there.
const GRADIENT: f64 = 5e-3;

/// How far a device is from the CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Largest relative difference of a loss.
    pub loss: f64,
    /// Largest length of a gradient's difference, relative to the gradient's length on the CPU.
    pub gradient: f64,
    /// Where that was: the case and the parameter.
    pub at: Told,
    /// Gradients compared.
    pub gradients: usize,
}

impl Difference {
    /// Whether the device may be believed; numbers that are no numbers are not within anything.
    pub fn within(&self) -> bool {
        self.loss <= LOSS && self.gradient <= GRADIENT && self.gradients > 0
    }
}

/// A model and a batch to compare on.
struct Case {
    /// In English and in Italian: what is found is kept for whoever reads it later.
    name: [&'static str; 2],
    config: Config,
    /// Tokens of each row.
    rows: Vec<usize>,
    /// Targets of each row.
    targets: usize,
    /// With a head upon the blocks counted here instead of the output layer.
    head: Option<Vec<usize>>,
    /// With weights in half precision, and activations that it could not hold.
    halved: bool,
    /// With what the backward pass needs computed again block by block, as where memory is short.
    again: bool,
}

/// Classes of the head.
const CLASSES: usize = 5;

fn cases() -> Vec<Case> {
    vec![
        small(),
        Case { name: ["small model, block by block", "modello piccolo, blocco per blocco"], again: true, ..small() },
        Case { name: ["small model with a head", "modello piccolo con testa"], targets: 0, head: Some(vec![2, 6]), ..small() },
        block(),
    ]
}

/// A model whose rows cross its window.
fn small() -> Case {
    let config = Config::small();
    Case { name: ["small model", "modello piccolo"], config, rows: vec![40, 23, 31, 7], targets: 5, head: None, halved: false, again: false }
}

/// One block of Gemma 3 270M's sizes on a batch of the usual shape.
fn block() -> Case {
    let config = Config {
        hidden: 640,
        layers: 1,
        heads: 4,
        kv_heads: 1,
        head: 256,
        feed_forward: 2048,
        vocabulary: 4096,
        context: 512,
        window: 512,
        global: vec![false],
        theta_global: 1e6,
        theta_local: 1e4,
        rope_factor: 1.0,
        query_scalar: 256.0,
        epsilon: 1e-6,
    };
    Case { name: ["block of real sizes", "blocco di dimensioni reali"], config, rows: vec![64; 8], targets: 8, head: None, halved: false, again: false }
}

/// Every gradient by its parameter's path.
type Gradients = Vec<(String, Vec<f32>)>;

/// A case made ready on a device.
struct Ready {
    model: Gemma,
    tuned: Tuned,
    batch: Batch,
    total: usize,
}

impl Case {
    fn ready(&self, device: &Device) -> Result<Ready> {
        let (weights, precision) = match self.halved {
            true => (Weights::overflowing(self.config.clone(), 1), Precision::F16),
            false => (Weights::random(self.config.clone(), 1), Precision::F32),
        };
        let model = Gemma::load_at(Arc::new(weights), device, precision)?;
        let model = if self.again { model.keeping(0) } else { model };
        let trained = Adapters::random(LoraConfig { rank: 8, ..LoraConfig::default() }, &model, 2)?.into();
        let view = self.head.clone().map(|taps| View { taps, pool: Pool::Mean });
        let head = view.map(|view| Head::new(self.config.hidden, CLASSES, view, 3, model.device()));
        // a fixed walk through the vocabulary: which tokens does not matter, only that they differ
        let example = |(row, &length): (usize, &usize)| Encoded {
            ids: (0..length).map(|t| ((row * 7919 + t * 104_729 + 17) % self.config.vocabulary) as u32).collect(),
            prompt: length - self.targets,
            marks: vec![Mark { tokens: 0..length, class: (row % CLASSES) as u32 }],
            repeated: 0,
        };
        let examples: Vec<Encoded> = self.rows.iter().enumerate().map(example).collect();
        let all: Vec<usize> = (0..examples.len()).collect();
        let batch = Batch::new(&examples, &all, model.layout());
        let total = if head.is_some() { self.rows.len() } else { self.rows.len() * self.targets };
        Ok(Ready { model, tuned: Tuned { trained, head }, batch, total })
    }
}

impl Ready {
    /// The loss and every gradient by its parameter's path.
    fn step(&mut self) -> Result<(f64, Gradients)> {
        let (loss, mut gradients) = forward_backward(&self.model, &self.tuned, &self.batch, self.total)?;
        let mut found = Vec::new();
        let mut failed = None;
        let device = gemma::device::name(self.model.device());
        self.tuned.visit(&mut |path, t| match t.grad_remove(&mut gradients).map(values) {
            Some(Ok(values)) => found.push((path.to_string(), values)),
            Some(Err(what)) => failed = Some(what),
            // silent otherwise: the parameter would simply never learn
            None => failed = Some(say!("computed no gradient for {path}", "non ha calcolato il gradiente di {path}")),
        });
        match failed {
            Some(what) => Err(Error::Device { device, what }),
            None => Ok((loss.sum / self.total as f64, found)),
        }
    }
}

fn values(t: Tensor<2>) -> std::result::Result<Vec<f32>, String> {
    t.try_into_data()
        .map_err(|e| say!("a gradient could not be read back: {e:?}", "un gradiente non si è potuto rileggere: {e:?}"))?
        .try_to_vec()
        .map_err(|e| format!("{e:?}"))
}

/// Runs the cases with weights in `f32` on a device and on the CPU.
///
/// # Errors
/// If the device fails, or leaves a gradient out.
pub fn measure(device: &Device) -> Result<Difference> {
    compare(&cases(), device)
}

/// Runs the case with weights in half precision on a device that has it, and on the CPU.
///
/// # Errors
/// As [`measure`].
pub fn measure_halved(device: &Device) -> Result<Difference> {
    compare(&[Case { name: ["small model in half precision", "modello piccolo in mezza precisione"], halved: true, ..small() }], device)
}

fn compare(cases: &[Case], device: &Device) -> Result<Difference> {
    let mut worst = Difference { loss: 0.0, gradient: 0.0, at: Told::default(), gradients: 0 };
    let (_, cpu) = gemma::device::open("cpu")?;
    for case in cases {
        let (expected_loss, expected) = case.ready(&cpu)?.step()?;
        let (loss, gradients) = case.ready(device)?.step()?;
        // a difference that is no number counts as infinite
        let relative = |difference: f64, length: f64| if difference.is_finite() { difference / length.max(1e-12) } else { f64::INFINITY };
        worst.loss = worst.loss.max(relative((loss - expected_loss).abs(), expected_loss.abs()));
        for ((path, ours), (_, theirs)) in gradients.iter().zip(&expected) {
            let length = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
            let apart = length(&mut ours.iter().zip(theirs).map(|(a, b)| f64::from(*a) - f64::from(*b)));
            let difference = relative(apart, length(&mut theirs.iter().map(|x| f64::from(*x))));
            worst.gradients += 1;
            if difference >= worst.gradient {
                worst.gradient = difference;
                let [en, it] = case.name.map(|name| format!("{name}, {path}"));
                worst.at = Told { en, it };
            }
        }
    }
    Ok(worst)
}

/// Tokens a second of forward and backward through one block of real sizes: what tells which of several devices to
/// prefer. Takes about as long as `patience`, after one step that tunes kernels.
///
/// # Errors
/// If the device fails.
pub fn speed(device: &Device, patience: Duration) -> Result<f64> {
    let case = block();
    let mut ready = case.ready(device)?;
    ready.step()?;
    let (begun, mut steps) = (Instant::now(), 0);
    while steps < 2 || begun.elapsed() < patience {
        ready.step()?;
        steps += 1;
    }
    Ok((steps * case.rows.iter().sum::<usize>()) as f64 / begun.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_agrees_with_itself_in_every_gradient() {
        let (_, cpu) = gemma::device::open("cpu").expect("the CPU");
        let difference = measure(&cpu).expect("measured");
        // 7 projections with two matrices each, in 6, 6 and 1 blocks, and the head's weight and bias
        assert_eq!(difference.gradients, 7 * 2 * 19 + 2);
        assert_eq!((difference.loss, difference.gradient), (0.0, 0.0));
        assert!(difference.within());
        let halved = measure_halved(&cpu).expect("measured");
        assert!(halved.within() && (halved.loss, halved.gradient, halved.gradients) == (0.0, 0.0, 7 * 2 * 6), "{halved:?}");
    }

    #[test]
    fn no_number_and_no_gradient_are_not_within() {
        let fine = Difference { loss: 1e-6, gradient: 1e-4, at: Told::default(), gradients: 3 };
        assert!(fine.within());
        for bad in [
            Difference { loss: f64::INFINITY, ..fine.clone() },
            Difference { gradient: f64::NAN, ..fine.clone() },
            Difference { gradient: 0.02, ..fine.clone() },
            Difference { gradients: 0, ..fine },
        ] {
            assert!(!bad.within(), "{bad:?}");
        }
    }
}
