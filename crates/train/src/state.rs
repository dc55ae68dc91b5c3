//! Everything that a training needs to go on: weights, moments, counters.
//!
//! On the device it is a [`State`], which is cheap to clone (tensors are shared); on the host it is a
//! [`Snapshot`], which can be written to disk. The order of the data, the learning rate and every random
//! stream follow from the seed and the number of steps, so counters are enough for them.

use crate::health::Guard;
use crate::optimizer::AdamW;
use crate::step::Tuned;
use burn::tensor::{Tensor, TensorData};
use say::say;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A float by its bits: JSON's decimal digits may come back one unit off, and a resumed run must not.
mod bits {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &f64, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(value.to_bits())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        u64::deserialize(d).map(f64::from_bits)
    }
}

/// What the best validation found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Its score.
    #[serde(with = "bits")]
    pub score: f64,
    /// Its loss.
    #[serde(with = "bits")]
    pub loss: f64,
}

/// Counters of a training.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done, those that were skipped included.
    pub steps: usize,
    /// Updates of the weights.
    pub updates: i32,
    /// Tokens processed, padding not counted.
    pub tokens: u64,
    /// Targets that carried loss.
    pub targets: u64,
    /// Seconds in training steps alone.
    pub step_seconds: f64,
    /// Seconds in all.
    pub seconds: f64,
    /// Loss of the last step.
    #[serde(with = "bits")]
    pub final_loss: f64,
    /// The best validation.
    pub best: Option<Best>,
    /// Step of the best weights.
    pub best_step: usize,
    /// Validations since the best one.
    pub since_best: usize,
    /// What the learning rate is multiplied by, after the health guard's remedies.
    pub rate: f64,
    /// Remedies that the health guard has applied.
    pub repairs: usize,
    /// Steps whose batch is left out.
    pub skipped: BTreeSet<usize>,
}

/// The state of a training on its device.
#[derive(Clone)]
pub struct State {
    /// What is trained.
    pub tuned: Tuned,
    /// The best so far; the same as `tuned` before the first validation.
    pub best: Tuned,
    /// Weights of the last evaluations, where they are to be averaged.
    pub recent: Vec<Tuned>,
    /// Moments.
    pub optimizer: AdamW,
    /// What the health guard remembers.
    pub guard: Guard,
    /// Counters.
    pub progress: Progress,
}

/// A named matrix on the host.
pub type Matrix = (String, [usize; 2], Vec<f32>);

/// The state of a training on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// All tensors: parameters by path, the best ones under `best.`, moments under `m.` and `v.`, the ones to be
    /// averaged under `recent.0.` and so on.
    pub tensors: Vec<Matrix>,
    /// Counters.
    pub progress: Progress,
    /// What the health guard remembers.
    pub guard: Guard,
}

fn host(name: String, t: &Tensor<2>) -> Matrix {
    let t = t.clone().inner();
    (name, t.dims(), t.into_data().convert::<f32>().try_to_vec().unwrap_or_default())
}

impl State {
    /// The state before the first step.
    pub fn new(tuned: Tuned, optimizer: AdamW) -> Self {
        Self { best: tuned.clone(), tuned, recent: Vec::new(), optimizer, guard: Guard::default(), progress: Progress { rate: 1.0, ..Progress::default() } }
    }

    /// Copies everything to the host.
    pub fn snapshot(&mut self) -> Snapshot {
        let mut tensors = Vec::new();
        self.tuned.visit(&mut |path, t| tensors.push(host(path.into(), t)));
        self.tuned.visit_constants(&mut |path, t| tensors.push(host(path.into(), t)));
        self.best.visit(&mut |path, t| tensors.push(host(format!("best.{path}"), t)));
        for (i, recent) in self.recent.iter_mut().enumerate() {
            recent.visit(&mut |path, t| tensors.push(host(format!("recent.{i}.{path}"), t)));
        }
        for (path, m, v) in self.optimizer.moments() {
            tensors.push(host(format!("m.{path}"), m));
            tensors.push(host(format!("v.{path}"), v));
        }
        Snapshot { tensors, progress: self.progress.clone(), guard: self.guard.clone() }
    }

    /// Takes everything from a snapshot of a state that was made in the same way.
    ///
    /// # Errors
    /// If a tensor is missing or of another shape; the state is then not to be used.
    pub fn restore(&mut self, snapshot: Snapshot) -> Result<(), String> {
        let recent = (0..).take_while(|i| snapshot.tensors.iter().any(|(name, ..)| name.starts_with(&format!("recent.{i}.")))).count();
        let mut tensors: BTreeMap<String, ([usize; 2], Vec<f32>)> = snapshot.tensors.into_iter().map(|(n, s, v)| (n, (s, v))).collect();
        let mut wrong = None;
        let mut take = |name: &str, like: &Tensor<2>| -> Option<Tensor<2>> {
            match tensors.remove(name) {
                Some((shape, values)) if shape == like.dims() => Some(Tensor::from_data(TensorData::new(values, shape), &like.device().without_autodiff())),
                _ => {
                    wrong.get_or_insert_with(|| name.to_string());
                    None
                }
            }
        };
        self.optimizer.clear(snapshot.progress.updates);
        let optimizer = &mut self.optimizer;
        self.tuned.visit(&mut |path, t| {
            // a run that has not taken a step has no moments yet
            if snapshot.progress.updates > 0
                && let (Some(m), Some(v)) = (take(&format!("m.{path}"), t), take(&format!("v.{path}"), t))
            {
                optimizer.put(path, m, v);
            }
            if let Some(own) = take(path, t) {
                *t = own.autodiff().require_grad();
            }
        });
        self.best.visit(&mut |path, t| {
            if let Some(own) = take(&format!("best.{path}"), t) {
                *t = own.autodiff().require_grad();
            }
        });
        self.recent = vec![self.best.clone(); recent];
        for (i, one) in self.recent.iter_mut().enumerate() {
            one.visit(&mut |path, t| {
                if let Some(own) = take(&format!("recent.{i}.{path}"), t) {
                    *t = own.autodiff().require_grad();
                }
            });
        }
        let others = std::iter::once(&mut self.best).chain(&mut self.recent);
        let mut others: Vec<&mut Tuned> = others.collect();
        self.tuned.visit_constants(&mut |path, t| {
            if let Some(own) = take(path, t) {
                *t = own.clone();
                for tuned in &mut others {
                    tuned.visit_constants(&mut |other, t| {
                        if other == path {
                            *t = own.clone();
                        }
                    });
                }
            }
        });
        self.guard = snapshot.guard;
        self.progress = snapshot.progress;
        match wrong {
            Some(name) => Err(say!("{name} is missing or of another shape", "{name} manca o ha un’altra forma")),
            None => Ok(()),
        }
    }
}
