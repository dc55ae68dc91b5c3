//! Everything that a training needs to go on: weights, moments, counters.
//!
//! On the device it is a [`State`], which is cheap to clone (tensors are shared); on the host it is a
//! [`Snapshot`], which can be written to disk and on the CPU shares its tensors with the state, too. The order of the data, the learning rate and every random
//! stream follow from the seed and the number of steps, so counters are enough for them.

use crate::health::Guard;
use crate::optimizer::AdamW;
use crate::step::Tuned;
use burn::tensor::{Device, Tensor, TensorData};
use gemma::device::is_cpu;
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

/// Counters of a training. Fields that earlier checkpoints lack have defaults.
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
    /// Whether the beginning was looked at: the examples, and the starting point of a head.
    #[serde(default)]
    pub begun: bool,
    /// The last step that was in trouble, by the steps done before it; none once all has been well again.
    #[serde(default)]
    pub troubled: Option<usize>,
    /// Whether it was told that all answers are the same, or none, and they are so still.
    #[serde(default)]
    pub collapsed: bool,
    /// The last step of which something was told that passes by itself, by the steps done before it; none once it has passed.
    #[serde(default)]
    pub noted: Option<usize>,
    /// What a step does in smaller parts for want of memory.
    #[serde(default)]
    pub smaller: Smaller,
}

/// How a step is computed where its device has no room for it as it was planned. The step itself stays the same, but for what
/// dropout leaves out of the adapters' inputs, which it draws in other places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Smaller {
    /// Whether the backward pass computes again what the forward pass could have kept.
    pub recompute: bool,
    /// How often the rows that are computed at a time were halved.
    pub halved: u32,
    /// The last step for which something was made smaller, by the steps done before it; none once all has been well again.
    pub at: Option<usize>,
}

/// Counters of a state to fall back on, and what the health guard remembered there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Earlier {
    /// Steps done.
    pub steps: usize,
    /// Updates of the weights.
    pub updates: i32,
    /// Loss of the last step.
    #[serde(with = "bits")]
    pub final_loss: f64,
    /// What the health guard remembered.
    pub guard: Guard,
}

/// A state to fall back on: of a [`State`], what a rollback takes back. The best weights are not among it, because they
/// are on disk already, and neither is what was spent and decided.
#[derive(Clone)]
struct Good {
    tuned: Tuned,
    recent: Vec<Tuned>,
    optimizer: AdamW,
    earlier: Earlier,
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
    /// Where the health guard goes back to.
    good: Good,
}

/// A named matrix in the host's memory.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// What it is called.
    pub name: String,
    /// Its values; not tracked.
    pub tensor: Tensor<2>,
}

impl Matrix {
    /// A matrix of values, row by row.
    pub fn new(name: String, values: Vec<f32>, shape: [usize; 2]) -> Self {
        Self { name, tensor: Tensor::from_data(TensorData::new(values, shape), &Device::flex()) }
    }

    /// Copies a matrix to the host; one that is there is shared.
    fn of(name: String, t: &Tensor<2>) -> Self {
        let tensor = t.clone().inner();
        if is_cpu(&tensor.device()) {
            return Self { name, tensor };
        }
        // A graphics device gives values that are read when they are first looked at. What is to outlive the device, and the
        // next step, is read now.
        let shape = tensor.dims();
        Self::new(name, gemma::lora::values(tensor), shape)
    }

    /// Its values, row by row.
    pub fn values(&self) -> Vec<f32> {
        gemma::lora::values(self.tensor.clone())
    }

    /// Bytes of its values.
    pub fn bytes(&self) -> u64 {
        4 * self.tensor.shape().num_elements() as u64
    }
}

impl PartialEq for Matrix {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.tensor.dims() == other.tensor.dims() && self.values() == other.values()
    }
}

/// The state of a training on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// All tensors: parameters by path, the best ones under `best.`, moments under `m.` and `v.`, the ones to be
    /// averaged under `recent.0.` and so on. What there is to fall back on has the same names under `good.`.
    pub tensors: Vec<Matrix>,
    /// Counters.
    pub progress: Progress,
    /// What the health guard remembers.
    pub guard: Guard,
    /// Counters of the state to fall back on; none if that is this very state.
    pub good: Option<Earlier>,
}

/// Appends a set of weights, its paths behind `prefix`.
fn put_weights(tensors: &mut Vec<Matrix>, prefix: &str, tuned: &mut Tuned) {
    tuned.visit(&mut |path, t| tensors.push(Matrix::of(format!("{prefix}{path}"), t)));
}

/// Appends all that changes from step to step: weights, those to be averaged, and moments.
fn put_all(tensors: &mut Vec<Matrix>, prefix: &str, tuned: &mut Tuned, recent: &mut [Tuned], optimizer: &AdamW) {
    put_weights(tensors, prefix, tuned);
    for (i, one) in recent.iter_mut().enumerate() {
        put_weights(tensors, &format!("{prefix}recent.{i}."), one);
    }
    for (path, m, v) in optimizer.moments() {
        tensors.push(Matrix::of(format!("{prefix}m.{path}"), m));
        tensors.push(Matrix::of(format!("{prefix}v.{path}"), v));
    }
}

/// The tensors of a snapshot, which are taken out one by one.
struct Source {
    tensors: BTreeMap<String, Tensor<2>>,
    /// The first that was missing or of another shape.
    wrong: Option<String>,
}

impl Source {
    fn take(&mut self, name: &str, like: &Tensor<2>) -> Option<Tensor<2>> {
        match self.tensors.remove(name) {
            Some(tensor) if tensor.dims() == like.dims() => Some(tensor.to_device(&like.device().without_autodiff())),
            _ => {
                self.wrong.get_or_insert_with(|| name.to_string());
                None
            }
        }
    }

    fn weights(&mut self, prefix: &str, tuned: &mut Tuned) {
        tuned.visit(&mut |path, t| {
            if let Some(own) = self.take(&format!("{prefix}{path}"), t) {
                *t = own.autodiff().require_grad();
            }
        });
    }

    /// What [`put_all`] appended, after so many updates.
    fn all(&mut self, prefix: &str, tuned: &mut Tuned, recent: &mut Vec<Tuned>, optimizer: &mut AdamW, updates: i32) {
        self.weights(prefix, tuned);
        let count = (0..).take_while(|i| self.tensors.keys().any(|name| name.starts_with(&format!("{prefix}recent.{i}.")))).count();
        *recent = vec![tuned.clone(); count];
        for (i, one) in recent.iter_mut().enumerate() {
            self.weights(&format!("{prefix}recent.{i}."), one);
        }
        optimizer.clear(updates);
        if updates == 0 {
            // a run that has not taken a step has no moments yet
            return;
        }
        tuned.visit(&mut |path, t| {
            if let (Some(m), Some(v)) = (self.take(&format!("{prefix}m.{path}"), t), self.take(&format!("{prefix}v.{path}"), t)) {
                optimizer.put(path, m, v);
            }
        });
    }
}

impl State {
    /// The state before the first step.
    pub fn new(tuned: Tuned, optimizer: AdamW) -> Self {
        let (progress, guard) = (Progress { rate: 1.0, ..Progress::default() }, Guard::default());
        let earlier = Earlier { steps: 0, updates: 0, final_loss: 0.0, guard: guard.clone() };
        let good = Good { tuned: tuned.clone(), recent: Vec::new(), optimizer: optimizer.clone(), earlier };
        Self { best: tuned.clone(), tuned, recent: Vec::new(), optimizer, guard, progress, good }
    }

    fn earlier(&self) -> Earlier {
        let Progress { steps, updates, final_loss, .. } = self.progress;
        Earlier { steps, updates, final_loss, guard: self.guard.clone() }
    }

    /// The steps done in the state that [`State::back`] comes back to.
    pub fn good_step(&self) -> usize {
        self.good.earlier.steps
    }

    /// From now on [`State::back`] comes back here.
    pub fn mark_good(&mut self) {
        self.good = Good { tuned: self.tuned.clone(), recent: self.recent.clone(), optimizer: self.optimizer.clone(), earlier: self.earlier() };
    }

    /// Back to the last state that was marked as good. What was spent, decided and told since stays counted, and the best
    /// weights since stay the best, as they are on disk.
    pub fn back(&mut self) {
        let Good { tuned, recent, optimizer, earlier } = self.good.clone();
        (self.tuned, self.recent, self.optimizer) = (tuned, recent, optimizer);
        self.guard.back_to(earlier.guard);
        self.progress.steps = earlier.steps;
        self.progress.updates = earlier.updates;
        self.progress.final_loss = earlier.final_loss;
    }

    /// Copies everything to the host.
    pub fn snapshot(&mut self) -> Snapshot {
        let mut tensors = Vec::new();
        put_all(&mut tensors, "", &mut self.tuned, &mut self.recent, &self.optimizer);
        self.tuned.visit_constants(&mut |path, t| tensors.push(Matrix::of(path.into(), t)));
        put_weights(&mut tensors, "best.", &mut self.best);
        let good = (self.good.earlier != self.earlier()).then(|| {
            let Good { tuned, recent, optimizer, earlier } = &mut self.good;
            put_all(&mut tensors, "good.", tuned, recent, optimizer);
            earlier.clone()
        });
        Snapshot { tensors, progress: self.progress.clone(), guard: self.guard.clone(), good }
    }

    /// Takes everything from a snapshot of a state that was made in the same way.
    ///
    /// # Errors
    /// If a tensor is missing or of another shape; the state is then not to be used.
    pub fn restore(&mut self, snapshot: Snapshot) -> Result<(), String> {
        let Snapshot { tensors, progress, guard, good } = snapshot;
        let mut source = Source { tensors: tensors.into_iter().map(|m| (m.name, m.tensor)).collect(), wrong: None };
        // before the weights, because every other set of them begins as a copy
        self.tuned.visit_constants(&mut |path, t| {
            if let Some(own) = source.take(path, t) {
                *t = own;
            }
        });
        source.all("", &mut self.tuned, &mut self.recent, &mut self.optimizer, progress.updates);
        self.best = self.tuned.clone();
        source.weights("best.", &mut self.best);
        (self.guard, self.progress) = (guard, progress);
        self.mark_good();
        if let Some(earlier) = good {
            let own = &mut self.good;
            source.all("good.", &mut own.tuned, &mut own.recent, &mut own.optimizer, earlier.updates);
            own.earlier = earlier;
        }
        match source.wrong {
            Some(name) => Err(say!("{name} is missing or of another shape", "{name} manca o ha un’altra forma")),
            None => Ok(()),
        }
    }
}
