//! The training loop.

use crate::event::Event;
use crate::memory;
use crate::optimizer::{AdamW, AdamWConfig};
use crate::schedule::{Decay, Schedule};
use crate::step::{self, Tuned};
use burn::tensor::Tensor;
use data::{Batch, Encoded, batch};
use gemma::Gemma;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Choices of the training loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Passes over the training set.
    pub epochs: usize,
    /// Rows of a micro-batch.
    pub batch: usize,
    /// Micro-batches whose gradients make one step.
    pub accumulate: usize,
    /// Peak learning rate of the adapters.
    pub learning_rate: f64,
    /// Peak learning rate of the head.
    pub head_learning_rate: f64,
    /// Share of the steps during which the rate rises.
    pub warmup: f64,
    /// How the rate falls afterwards.
    pub decay: Decay,
    /// Gradients of a larger global L2 norm are scaled down to it; 0 turns it off.
    pub clip: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Evaluations on the validation set per epoch.
    pub evaluations_per_epoch: usize,
    /// For a head: up to this share of a row's tokens is left out at random, see [`Batch::thinned`].
    pub thin: f64,
}

impl Settings {
    /// Checks that the values make sense.
    ///
    /// # Errors
    /// With a sentence that names the setting.
    pub fn check(&self) -> Result<(), String> {
        let positive = [("epochs", self.epochs), ("batch", self.batch), ("accumulate", self.accumulate), ("evaluations_per_epoch", self.evaluations_per_epoch)];
        if let Some((name, _)) = positive.iter().find(|(_, v)| *v == 0) {
            return Err(format!("{name} must be at least 1"));
        }
        for (name, rate) in [("learning_rate", self.learning_rate), ("head_learning_rate", self.head_learning_rate), ("epsilon", self.epsilon)] {
            if !rate.is_finite() || rate <= 0.0 {
                return Err(format!("{name} must be a positive number"));
            }
        }
        for (name, share) in [("warmup", self.warmup), ("beta1", self.beta1), ("beta2", self.beta2), ("weight_decay", self.weight_decay), ("thin", self.thin)] {
            if !(0.0..1.0).contains(&share) {
                return Err(format!("{name} must be at least 0 and below 1"));
            }
        }
        if !self.clip.is_finite() || self.clip < 0.0 {
            return Err("clip must be 0 (off) or a positive number".into());
        }
        Ok(())
    }
}

/// What a validation found.
pub struct Validation {
    /// Mean negative log-likelihood per target.
    pub loss: f64,
    /// Metrics by name.
    pub metrics: BTreeMap<String, f64>,
    /// What decides which weights are kept: larger is better, ties go to the lower loss.
    pub score: f64,
}

/// What the loop asks of its caller.
pub trait Observer {
    /// Something happened.
    fn event(&mut self, event: Event);

    /// Holds the model against the validation set; `None` if there is none.
    ///
    /// # Errors
    /// If the model cannot be run.
    fn validate(&mut self, tuned: &Tuned) -> gemma::Result<Option<Validation>>;

    /// Saves the best weights so far; returns the folder, for the event.
    ///
    /// # Errors
    /// If the disk refuses.
    fn save(&mut self, tuned: &Tuned, step: usize) -> gemma::Result<String>;
}

/// How a training ended.
pub struct Outcome {
    /// The best weights by validation, or the last ones without a validation set.
    pub tuned: Tuned,
    /// Steps done.
    pub steps: usize,
    /// Step of the weights that are kept.
    pub best_step: usize,
    /// Tokens processed, padding not counted.
    pub tokens: u64,
    /// Targets that carried loss.
    pub targets: u64,
    /// Seconds in training steps alone.
    pub step_seconds: f64,
    /// Seconds in all.
    pub seconds: f64,
    /// Loss of the last step.
    pub final_loss: f64,
    /// Was it stopped early by its user?
    pub stopped: bool,
}

/// Trains. `stop` ends the run after the current micro-batch and keeps the best.
///
/// # Errors
/// If the examples do not fit the model, the device fails, or the loss or a gradient is not finite;
/// what was saved before remains.
pub fn train(
    model: &Gemma,
    mut tuned: Tuned,
    examples: &[Encoded],
    settings: &Settings,
    seed: u64,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> gemma::Result<Outcome> {
    settings.check().map_err(gemma::Error::Request)?;
    let started = Instant::now();
    let per_epoch = batch::epoch(examples, settings.batch, seed, 0).len().div_ceil(settings.accumulate);
    let steps = per_epoch * settings.epochs;
    let warmup = (settings.warmup * steps as f64).round() as usize;
    let schedule = Schedule { steps, warmup, decay: settings.decay };
    let evaluate_every = (per_epoch / settings.evaluations_per_epoch).max(1);
    let adam = AdamWConfig { beta1: settings.beta1, beta2: settings.beta2, epsilon: settings.epsilon, weight_decay: settings.weight_decay };
    let mut optimizer = AdamW::new(adam);
    let mut run = Progress {
        outcome: Outcome {
            tuned: tuned.clone(),
            steps: 0,
            best_step: 0,
            tokens: 0,
            targets: 0,
            step_seconds: 0.0,
            seconds: 0.0,
            final_loss: 0.0,
            stopped: false,
        },
        best: None,
    };
    if tuned.objective() == step::Objective::Head {
        // a head begins fitted to the untuned model: the starting point is a candidate to be kept
        run.validate(&tuned, observer)?;
    }
    'epochs: for epoch in 0..settings.epochs {
        let order = batch::epoch(examples, settings.batch, seed, epoch);
        for group in order.chunks(settings.accumulate) {
            let begun = Instant::now();
            let step = run.outcome.steps;
            // dropout draws from the device's stream; seeding it by step makes a step repeatable by itself
            model.device().seed(seed.wrapping_add(step as u64));
            let thin = settings.thin > 0.0 && tuned.objective() == step::Objective::Head;
            let batches: Vec<Batch> = group
                .iter()
                .enumerate()
                .map(|(micro, indices)| match thin {
                    true => Batch::thinned(examples, indices, settings.thin, seed, step * settings.accumulate + micro),
                    false => Batch::new(examples, indices),
                })
                .collect();
            let total: usize = batches.iter().map(|b| step::targets(b, tuned.objective())).sum();
            if total == 0 {
                return Err(gemma::Error::Request("a batch has no target to learn from; check the labels".into()));
            }
            let mut sums: BTreeMap<String, Tensor<2>> = BTreeMap::new();
            let mut loss = 0.0;
            for batch in &batches {
                if stop.load(Ordering::Relaxed) {
                    run.outcome.stopped = true;
                    break 'epochs;
                }
                let (part, gradients) = step::forward_backward(model, &tuned, batch, total)?;
                loss += part.sum / total as f64;
                add_gradients(&mut tuned, gradients, &mut sums)?;
            }
            let norm = global_norm(model, &sums)?;
            if !loss.is_finite() || !norm.is_finite() {
                let what = format!(
                    "the {} became {} at step {}; the run was stopped before any weight was spoiled: try a lower learning_rate",
                    if loss.is_finite() { "gradient norm" } else { "loss" },
                    if loss.is_finite() { norm } else { loss },
                    step + 1
                );
                observer.event(Event::Health { step: step + 1, ok: false, message: what.clone() });
                return Err(gemma::Error::Request(what));
            }
            let factor = schedule.factor(step);
            apply(&mut tuned, &mut optimizer, sums, clip_factor(norm, settings.clip), |path| {
                factor * if path.starts_with("head.") { settings.head_learning_rate } else { settings.learning_rate }
            });
            let seconds = begun.elapsed().as_secs_f64();
            let tokens: usize = batches.iter().map(Batch::tokens).sum();
            let out = &mut run.outcome;
            out.steps += 1;
            out.tokens += tokens as u64;
            out.targets += total as u64;
            out.step_seconds += seconds;
            out.final_loss = loss;
            observer.event(Event::Step {
                step: out.steps,
                epoch: out.steps as f64 / per_epoch as f64,
                loss,
                learning_rate: factor * settings.learning_rate,
                grad_norm: norm,
                tokens,
                targets: total,
                tokens_per_second: tokens as f64 / seconds,
                memory_bytes: memory::resident(),
            });
            if out.steps == 3 {
                // the first step tunes kernels and fills caches, so the forecast waits for the next ones
                let left = (steps - 3) as f64 * out.step_seconds / 3.0;
                observer.event(Event::Forecast { seconds: left, peak_memory_bytes: memory::peak() });
            }
            if out.steps.is_multiple_of(evaluate_every) || out.steps == steps {
                run.validate(&tuned, observer)?;
            }
        }
    }
    if run.outcome.stopped && run.outcome.steps > 0 && run.best.is_none() {
        run.validate(&tuned, observer)?;
    }
    if run.best.is_none() {
        // nothing was validated: what was learned last is what there is
        run.keep(&tuned, observer)?;
    }
    run.outcome.seconds = started.elapsed().as_secs_f64();
    Ok(run.outcome)
}

struct Progress {
    outcome: Outcome,
    best: Option<(f64, f64)>,
}

impl Progress {
    fn validate(&mut self, tuned: &Tuned, observer: &mut dyn Observer) -> gemma::Result<()> {
        let Some(v) = observer.validate(tuned)? else { return Ok(()) };
        let best = self.best.is_none_or(|(score, loss)| v.score > score || (v.score == score && v.loss < loss));
        observer.event(Event::Evaluation { step: self.outcome.steps, loss: v.loss, metrics: v.metrics, best });
        if best {
            self.best = Some((v.score, v.loss));
            self.keep(tuned, observer)?;
        }
        Ok(())
    }

    fn keep(&mut self, tuned: &Tuned, observer: &mut dyn Observer) -> gemma::Result<()> {
        self.outcome.best_step = self.outcome.steps;
        self.outcome.tuned = tuned.clone();
        let path = observer.save(tuned, self.outcome.steps)?;
        observer.event(Event::Checkpoint { step: self.outcome.steps, path });
        Ok(())
    }
}

/// Adds a micro-batch's gradients to the sums. Every parameter must have one: a missing gradient
/// would be silent otherwise.
fn add_gradients(tuned: &mut Tuned, mut gradients: burn::tensor::Gradients, sums: &mut BTreeMap<String, Tensor<2>>) -> gemma::Result<()> {
    let mut missing = None;
    tuned.visit(&mut |path, t| match t.grad_remove(&mut gradients) {
        Some(g) => {
            let sum = match sums.remove(path) {
                Some(sum) => sum + g,
                None => g,
            };
            sums.insert(path.into(), sum);
        }
        None => missing = Some(path.to_string()),
    });
    match missing {
        Some(path) => Err(gemma::Error::Request(format!("no gradient reached {path}; this is a defect of Lapidary: please report it with the run folder"))),
        None => Ok(()),
    }
}

/// L2 norm of all gradients together, read back once.
fn global_norm(model: &Gemma, gradients: &BTreeMap<String, Tensor<2>>) -> gemma::Result<f64> {
    let squares: Vec<Tensor<1>> = gradients.values().map(|g| g.clone().square().sum()).collect();
    Ok(step::scalar(model, Tensor::cat(squares, 0).sum())?.sqrt())
}

/// What gradients of this norm are multiplied by, as `torch.nn.utils.clip_grad_norm_` does.
fn clip_factor(norm: f64, clip: f64) -> f64 {
    if clip == 0.0 { 1.0 } else { (clip / (norm + 1e-6)).min(1.0) }
}

fn apply(tuned: &mut Tuned, optimizer: &mut AdamW, mut gradients: BTreeMap<String, Tensor<2>>, factor: f64, rate: impl Fn(&str) -> f64) {
    optimizer.begin();
    tuned.visit(&mut |path, t| {
        let Some(g) = gradients.remove(path) else { return };
        let g = if factor < 1.0 { g.mul_scalar(factor) } else { g };
        *t = optimizer.update(path, t.clone().inner(), g.inner(), rate(path)).autodiff().require_grad();
    });
}
