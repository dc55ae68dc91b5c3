//! The training loop.
//!
//! Where a device has no memory for a step, the step is taken in smaller parts: with less kept for the backward pass, then with
//! fewer rows at a time. Never more than one micro-batch waits in a device's queue, because the loss of each is read back; within
//! one, wgpu is handed dispatches by the 32, and waited for after 512 (cubecl-wgpu 0.11.3, `SubmissionLoad`), which leaves the
//! desktop its turns.

use crate::event::{Event, Sample};
use crate::failure::{self, Failure, Kind};
use crate::health::{self, Guard, Observed, Remedy, Symptom, Trouble};
use crate::memory;
use crate::optimizer::{AdamW, AdamWConfig};
use crate::schedule::{Decay, Schedule};
use crate::state::{Best, Progress, Smaller, Snapshot, State};
use crate::step::{self, Tuned};
use burn::tensor::Tensor;
use data::{Batch, Encoded, batch};
use gemma::Gemma;
use say::{Language, say};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
    /// Peak learning rate of what is trained of the blocks.
    pub learning_rate: f64,
    /// Peak learning rate of the head.
    pub head_learning_rate: f64,
    /// The rate of each block as a share of that of the block above; 1 for one rate everywhere. Below 1 the
    /// lower blocks, which hold what all tasks share, change less.
    #[serde(default = "everywhere_the_same")]
    pub layer_decay: f64,
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
    /// Steps between two checkpoints from which a run can be resumed; 0 turns them off.
    #[serde(default)]
    pub checkpoint_every: usize,
    /// Evaluations without a better one after which the run ends; 0 never ends it early.
    #[serde(default)]
    pub patience: usize,
    /// The weights of so many last evaluations are averaged at the end, and kept if that is better; 0 or 1
    /// turns it off.
    #[serde(default)]
    pub average: usize,
    /// How often the health guard halves the learning rate before it stops the run.
    #[serde(default)]
    pub repairs: usize,
}

/// What stands for [`Settings::layer_decay`] in runs that had none.
fn everywhere_the_same() -> f64 {
    1.0
}

impl Settings {
    /// One epoch at one rate for everything, with AdamW's usual moments and nothing else: no warm-up, no decay of rate or
    /// weights, nothing saved, averaged or repaired. For measuring a step rather than for training.
    pub fn steady(batch: usize, rate: f64) -> Self {
        Self {
            epochs: 1,
            batch,
            accumulate: 1,
            learning_rate: rate,
            head_learning_rate: rate,
            layer_decay: everywhere_the_same(),
            warmup: 0.0,
            decay: Decay::Constant,
            clip: 1.0,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            evaluations_per_epoch: 1,
            thin: 0.0,
            checkpoint_every: 0,
            patience: 0,
            average: 0,
            repairs: 0,
        }
    }

    /// Checks that the values make sense.
    ///
    /// # Errors
    /// With a sentence that names the setting.
    pub fn check(&self) -> Result<(), String> {
        let positive = [("epochs", self.epochs), ("batch", self.batch), ("accumulate", self.accumulate), ("evaluations_per_epoch", self.evaluations_per_epoch)];
        if let Some((name, _)) = positive.iter().find(|(_, v)| *v == 0) {
            return Err(say!("{name} must be at least 1", "{name} dev’essere almeno 1"));
        }
        for (name, rate) in [("learning_rate", self.learning_rate), ("head_learning_rate", self.head_learning_rate), ("epsilon", self.epsilon)] {
            if !rate.is_finite() || rate <= 0.0 {
                return Err(say!("{name} must be a positive number", "{name} dev’essere un numero positivo"));
            }
        }
        for (name, share) in [("warmup", self.warmup), ("beta1", self.beta1), ("beta2", self.beta2), ("weight_decay", self.weight_decay), ("thin", self.thin)] {
            if !(0.0..1.0).contains(&share) {
                return Err(say!("{name} must be at least 0 and below 1", "{name} dev’essere almeno 0 e minore di 1"));
            }
        }
        if !(self.layer_decay > 0.0 && self.layer_decay <= 1.0) {
            return Err(say!("layer_decay must be above 0 and at most 1", "layer_decay dev’essere maggiore di 0 e al massimo 1"));
        }
        if !self.clip.is_finite() || self.clip < 0.0 {
            return Err(say!("clip must be 0 (off) or a positive number", "clip dev’essere 0 (nessun limite) o un numero positivo"));
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
    /// Did everything get one and the same answer, or none, where answers should differ?
    pub collapsed: bool,
    /// A few examples, the same every time, as they are answered now.
    pub samples: Vec<Sample>,
    /// Would every answer be empty that should not be?
    pub silent: bool,
}

/// What the caller wants of a running training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Go on.
    Go,
    /// Wait, with everything on disk.
    Pause,
    /// End now and keep the best.
    Stop,
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

    /// Takes a snapshot to resume from; returns the folder, for the event, if it is kept.
    fn checkpoint(&mut self, _snapshot: Snapshot) -> Option<String> {
        None
    }

    /// What to do next; asked before every step and while paused.
    fn command(&mut self) -> Command {
        Command::Go
    }

    /// So many rows of a step are about to be computed at a time.
    fn computing(&mut self, _rows: usize) {}
}

/// How a training ended.
pub struct Outcome {
    /// The best weights by validation, or the last ones without a validation set.
    pub tuned: Tuned,
    /// Steps done, time and tokens.
    pub progress: Progress,
    /// Was it stopped early by its user?
    pub stopped: bool,
}

/// A training that is about to run.
pub struct Plan<'a> {
    /// The model as it is before training.
    pub model: &'a Gemma,
    /// What it learns from.
    pub examples: &'a [Encoded],
    /// Choices.
    pub settings: &'a Settings,
    /// Seed of everything random.
    pub seed: u64,
}

impl Plan<'_> {
    /// The state before the first step.
    pub fn start(&self, tuned: Tuned) -> State {
        let s = self.settings;
        State::new(tuned, AdamW::new(AdamWConfig { beta1: s.beta1, beta2: s.beta2, epsilon: s.epsilon, weight_decay: s.weight_decay }))
    }

    /// Optimiser steps of one epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.examples.len().div_ceil(self.settings.batch).div_ceil(self.settings.accumulate)
    }

    /// Optimiser steps in all.
    pub fn steps(&self) -> usize {
        self.steps_per_epoch() * self.settings.epochs
    }

    /// Trains on from `state`, which is [`Plan::start`] or a restored checkpoint of it.
    ///
    /// # Errors
    /// If the examples do not fit the model or teach nothing, the device fails ([`Failure::of_error`] tells how), a step does not
    /// fit it however small its parts, or the health guard has tried what it can; what was saved before remains.
    pub fn run(&self, state: State, observer: &mut dyn Observer) -> gemma::Result<Outcome> {
        self.settings.check().map_err(gemma::Error::Request)?;
        let begun = (Instant::now(), state.progress.seconds);
        let mut run = Run { plan: self, state, observer, order: None, begun, timed: (0, 0.0), changing: false };
        failure::caught(self.model.device(), || run.all())
    }
}

/// Batches in a row that may be left out before something else must be wrong.
const IN_A_ROW: usize = 5;

/// Epochs' batches in use.
type Order = (usize, Vec<Vec<usize>>);

struct Run<'a> {
    plan: &'a Plan<'a>,
    state: State,
    observer: &'a mut dyn Observer,
    order: Option<Order>,
    /// When this process began, and the seconds that earlier ones had spent.
    begun: (Instant, f64),
    /// Steps of this process and their seconds, for the forecast.
    timed: (usize, f64),
    /// Whether the step has begun to change the state.
    changing: bool,
}

/// What became of a step.
enum Step {
    Done,
    /// The state was rolled back, the batch left out, or the step made smaller.
    Repaired,
}

impl Run<'_> {
    fn all(&mut self) -> gemma::Result<Outcome> {
        let settings = self.plan.settings;
        let (steps, per_epoch) = (self.plan.steps(), self.plan.steps_per_epoch());
        let evaluate_every = (per_epoch / settings.evaluations_per_epoch).max(1);
        let objective = self.state.tuned.objective();
        // a checkpoint of the beginning holds what was found there; earlier versions did not say so
        let begun = self.state.progress.begun || self.state.progress.best.is_some();
        if self.state.progress.steps == 0 && !begun {
            for trouble in health::examine(self.plan.examples, objective) {
                self.tell(0, &trouble);
                if trouble.remedy == Remedy::Stop {
                    return Err(gemma::Error::Request(trouble.message(say::language(), 0)));
                }
            }
            if objective == step::Objective::Head {
                // a head begins fitted to the untuned model: the starting point is a candidate to be kept
                self.validate()?;
            }
            self.state.progress.begun = true;
            // even a run that dies in its first step can be resumed
            self.checkpoint();
        }
        let mut stopped = false;
        while self.state.progress.steps < steps {
            match self.observer.command() {
                Command::Go => {}
                Command::Stop => {
                    stopped = true;
                    break;
                }
                Command::Pause => {
                    self.wait();
                    continue;
                }
            }
            if let Step::Repaired = self.step(steps, per_epoch)? {
                continue;
            }
            let done = self.state.progress.steps;
            self.calm(done);
            if done.is_multiple_of(evaluate_every) || done == steps {
                self.validate()?;
                self.state.recent.push(self.state.tuned.clone());
                let drop = self.state.recent.len().saturating_sub(settings.average);
                self.state.recent.drain(..drop);
                if self.state.progress.troubled.is_none_or(|t| done >= t + health::CALM) && self.state.guard.steady() {
                    self.state.mark_good();
                }
                if settings.patience > 0 && self.state.progress.since_best >= settings.patience {
                    break;
                }
            }
            if settings.checkpoint_every > 0 && done.is_multiple_of(settings.checkpoint_every) && done < steps {
                self.checkpoint();
            }
        }
        if !stopped && self.state.recent.len() > 1 {
            self.state.tuned = average(&self.state.recent);
            self.validate()?;
        }
        if stopped {
            // what is measured now only because the run is stopped is none of a run that goes on
            self.checkpoint();
        }
        if stopped && self.state.progress.steps > 0 && self.state.progress.best.is_none() {
            self.validate()?;
        }
        if self.state.progress.best.is_none() {
            // nothing was validated: what was learned last is what there is
            self.keep()?;
        }
        self.state.progress.seconds = self.seconds();
        Ok(Outcome { tuned: self.state.best.clone(), progress: self.state.progress.clone(), stopped })
    }

    fn seconds(&self) -> f64 {
        self.begun.1 + self.begun.0.elapsed().as_secs_f64()
    }

    /// Waits, with everything on disk, until the caller wants something else.
    fn wait(&mut self) {
        self.checkpoint();
        let step = self.state.progress.steps;
        self.observer.event(Event::Paused { step, why: None });
        let waited = Instant::now();
        while self.observer.command() == Command::Pause {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        self.begun.1 -= waited.elapsed().as_secs_f64();
        self.observer.event(Event::Resumed { step });
    }

    fn batches(&mut self, step: usize, per_epoch: usize) -> Vec<Batch> {
        let (plan, s) = (self.plan, self.plan.settings);
        let epoch = step / per_epoch;
        if self.order.as_ref().is_none_or(|(e, _)| *e != epoch) {
            self.order = Some((epoch, batch::epoch(plan.examples, s.batch, plan.seed, epoch)));
        }
        let groups = self.order.iter().flat_map(|(_, order)| order.chunks(s.accumulate).nth(step % per_epoch)).flatten();
        let thin = s.thin > 0.0 && self.state.tuned.objective() == step::Objective::Head;
        let (rows, layout) = (self.rows(), plan.model.layout());
        groups
            .enumerate()
            .flat_map(|(micro, indices)| match thin {
                true => Batch::thinned_apart(plan.examples, indices, s.thin, plan.seed, step * s.accumulate + micro, layout, rows),
                false => indices.chunks(rows).map(|part| Batch::new(plan.examples, part, layout)).collect(),
            })
            .collect()
    }

    /// Rows that are computed at a time.
    fn rows(&self) -> usize {
        self.plan.settings.batch.checked_shr(self.state.progress.smaller.halved).unwrap_or(0).max(1)
    }

    /// One optimiser step. Where the device has no memory for it, it is made smaller, to be taken again.
    fn step(&mut self, steps: usize, per_epoch: usize) -> gemma::Result<Step> {
        let (device, guard, step) = (self.plan.model.device(), self.state.guard.clone(), self.state.progress.steps);
        self.changing = false;
        failure::caught(device, || self.whole_step(steps, per_epoch)).or_else(|e| match Failure::of_error(&e) {
            failure if failure.kind == Kind::Memory => self.shrink(step, guard, &failure),
            _ => Err(e),
        })
    }

    /// Makes steps smaller, and goes back to a state that the device still holds; stops where they cannot become smaller. The
    /// step that failed began with `step` steps done, and with what the guard remembered then.
    fn shrink(&mut self, step: usize, guard: Guard, failure: &Failure) -> gemma::Result<Step> {
        let (rows, smaller) = (self.rows(), self.state.progress.smaller);
        let remedy = if !self.plan.model.recomputes() && !smaller.recompute {
            Remedy::Recompute
        } else if rows > 1 {
            Remedy::HalveRows
        } else {
            Remedy::Stop
        };
        let trouble = Trouble { symptom: Symptom::NoRoom, remedy, seen: seen(rows, failure) };
        if remedy == Remedy::Stop {
            self.tell(step + 1, &trouble);
            return Err(gemma::Error::Request(trouble.message(say::language(), step + 1)));
        }
        gemma::device::release(self.plan.model.device());
        // what a step handed over may have failed behind it, which shows only when it is read
        let back = if !self.changing && self.read().is_ok() {
            self.state.guard.retake(guard);
            None
        } else {
            self.state.back();
            self.read()?;
            Some(self.state.progress.steps)
        };
        self.state.progress.smaller = match remedy {
            Remedy::Recompute => Smaller { recompute: true, at: Some(step), ..smaller },
            _ => Smaller { halved: smaller.halved + 1, at: Some(step), ..smaller },
        };
        self.tell_back(step + 1, &trouble, back);
        Ok(Step::Repaired)
    }

    /// Reads the whole state from the device.
    fn read(&mut self) -> gemma::Result<Snapshot> {
        failure::caught(self.plan.model.device(), || Ok(self.state.snapshot()))
    }

    /// A step as it is planned now.
    fn whole_step(&mut self, steps: usize, per_epoch: usize) -> gemma::Result<Step> {
        let (plan, s) = (self.plan, self.plan.settings);
        // the same model, which keeps less
        let again = self.state.progress.smaller.recompute.then(|| plan.model.shortened(plan.model.config().layers).keeping(0));
        let model = again.as_ref().unwrap_or(plan.model);
        let step = self.state.progress.steps;
        if self.state.progress.skipped.contains(&step) {
            self.state.progress.steps += 1;
            return Ok(Step::Done);
        }
        let begun = Instant::now();
        // dropout draws from the device's stream; seeding it by step makes a step repeatable by itself
        model.device().seed(self.plan.seed.wrapping_add(step as u64));
        let batches = self.batches(step, per_epoch);
        let objective = self.state.tuned.objective();
        let total: usize = batches.iter().map(|b| step::targets(b, objective)).sum();
        let tokens: usize = batches.iter().map(Batch::tokens).sum();
        // what a head is to learn is not a share of the tokens, and thinning may leave it nothing
        if objective == step::Objective::Completion
            && let Some(trouble) = self.state.guard.before_forward(tokens, total)
        {
            self.state.progress.noted = Some(step);
            self.tell(step + 1, &trouble);
        }
        if total == 0 {
            self.state.progress.steps += 1;
            return Ok(Step::Done);
        }
        let mut sums: BTreeMap<String, Tensor<2>> = BTreeMap::new();
        let (mut loss, mut entropy, mut largest) = (0.0, 0.0, 0.0f64);
        // a part of a batch may have nothing to learn
        for batch in batches.iter().filter(|b| step::targets(b, objective) > 0) {
            self.observer.computing(batch.examples.len());
            let (part, gradients) = step::forward_backward(model, &self.state.tuned, batch, total)?;
            loss += part.sum / total as f64;
            entropy += part.entropy / total as f64;
            // not `max`, which passes over what is no number
            largest = if part.largest > largest || part.largest.is_nan() { part.largest } else { largest };
            add_gradients(&mut self.state.tuned, gradients, &mut sums)?;
        }
        let norm = global_norm(model, &sums)?;
        if let Some(trouble) = self.state.guard.before_update(loss, norm, largest) {
            return self.repair(step, trouble);
        }
        let rate = Schedule { steps, warmup: (s.warmup * steps as f64).round() as usize, decay: s.decay }.factor(step) * self.state.progress.rate;
        // reading weights back costs a wait on a GPU, so only some steps are looked at closely
        let close = step < 5 || step % 10 == 9;
        let before = close.then(|| self.state.tuned.clone());
        self.changing = true;
        let layers = model.config().layers;
        apply(&mut self.state, sums, clip_factor(norm, s.clip), |path| rate * own_rate(s, path, layers))?;
        let (update_ratio, moved) = match before {
            Some(mut before) => changes(model, &mut before, &mut self.state.tuned)?,
            None => (0.0, 1.0),
        };
        let seconds = begun.elapsed().as_secs_f64();
        let progress = &mut self.state.progress;
        progress.steps += 1;
        progress.updates += 1;
        progress.tokens += tokens as u64;
        progress.targets += total as u64;
        progress.step_seconds += seconds;
        progress.final_loss = loss;
        let memory = memory::resident();
        self.observer.event(Event::Step {
            step: step + 1,
            epoch: (step + 1) as f64 / per_epoch as f64,
            loss,
            learning_rate: rate * s.learning_rate,
            grad_norm: norm,
            tokens,
            targets: total,
            tokens_per_second: tokens as f64 / seconds,
            memory_bytes: memory,
            device_memory_bytes: gemma::device::held_memory(model.device()),
            // only who began before the data was read knows
            first_step_seconds: None,
        });
        let largest = |of: &dyn Fn(&Batch) -> usize| batches.iter().map(of).max().unwrap_or(0);
        let size = [largest(&|b| b.rows.total()), largest(&|b| b.rows.longest()), largest(&|b| step::targets(b, objective))];
        let observed = Observed { loss, entropy, norm, update_ratio, moved, memory, size };
        if let Some(trouble) = self.state.guard.after_update(step + 1, observed) {
            return self.repair(step, trouble);
        }
        self.timed.0 += 1;
        self.timed.1 += seconds;
        if self.timed.0 == 3 {
            // the first step tunes kernels and fills caches, so the forecast waits for the next ones
            let left = (steps - self.state.progress.steps) as f64 * self.timed.1 / 3.0;
            self.observer.event(Event::Forecast { seconds: left, peak_memory_bytes: memory::peak() });
        }
        Ok(Step::Done)
    }

    /// Tells that a trouble is over, if it is long enough past; the step at which it is need not have been taken itself.
    fn calm(&mut self, done: usize) {
        let past = |at: &mut Option<usize>| at.take_if(|t| done > *t + health::CALM).is_some();
        let wrong = self.state.guard.sure_and_wrong();
        let progress = &mut self.state.progress;
        let past = past(&mut progress.troubled) | past(&mut progress.smaller.at) | (!wrong && past(&mut progress.noted));
        if past && self.well() {
            self.tell_well(done, health::recovered);
        }
    }

    /// Whether all is over that was told, but for what stays as it is: memory that was taken, and examples that contradict each other.
    fn well(&self) -> bool {
        let progress = &self.state.progress;
        [progress.troubled, progress.smaller.at, progress.noted].iter().all(Option::is_none) && !progress.collapsed
    }

    fn tell_well(&mut self, step: usize, said: fn(Language) -> String) {
        let message = said(say::language());
        self.observer.event(Event::Health { step, ok: true, symptom: None, remedy: Remedy::None, seen: String::new(), message, back_to: None });
    }

    fn tell(&mut self, step: usize, trouble: &Trouble) {
        self.tell_back(step, trouble, None);
    }

    /// Tells of a trouble for which the run goes back to the state after so many steps, if it does.
    fn tell_back(&mut self, step: usize, trouble: &Trouble, back_to: Option<usize>) {
        let message = trouble.message(say::language(), step) + &health::went_back(say::language(), back_to);
        let (symptom, remedy, seen) = (Some(trouble.symptom), trouble.remedy, trouble.seen.clone());
        self.observer.event(Event::Health { step, ok: false, symptom, remedy, seen, message, back_to });
    }

    /// Applies the guard's remedy to the step that began with `step` steps done.
    fn repair(&mut self, step: usize, mut trouble: Trouble) -> gemma::Result<Step> {
        // the same step in trouble twice: it is the batch, not the rate, unless it is an update that is too large still
        if trouble.remedy == Remedy::HalveRate && trouble.symptom != Symptom::UpdateTooLarge && self.state.progress.troubled == Some(step) {
            trouble.remedy = Remedy::SkipBatch;
        }
        // a batch may be at fault, but not so many in a row
        let before = |n| step.checked_sub(n).is_some_and(|earlier| self.state.progress.skipped.contains(&earlier));
        if trouble.remedy == Remedy::SkipBatch && (1..=IN_A_ROW).all(before) {
            trouble.remedy = Remedy::HalveRate;
        }
        if trouble.remedy == Remedy::HalveRate && self.state.progress.repairs >= self.plan.settings.repairs {
            trouble.remedy = Remedy::Stop;
        }
        // only an update that was made has to be taken back
        let goes_back = trouble.remedy == Remedy::HalveRate || (trouble.remedy == Remedy::SkipBatch && self.state.progress.steps > step);
        let back_to = goes_back.then(|| self.state.good_step());
        self.tell_back(step + 1, &trouble, back_to);
        match trouble.remedy {
            // a step is made smaller elsewhere, and texts are read before the first one
            Remedy::None | Remedy::Recompute | Remedy::HalveRows | Remedy::DropStart => {
                if trouble.symptom == Symptom::SureAndWrong {
                    self.state.progress.noted = Some(step);
                }
                return Ok(Step::Done);
            }
            Remedy::Stop => return Err(gemma::Error::Request(trouble.message(say::language(), step + 1))),
            Remedy::SkipBatch => {
                // leaving batches out ends by itself, so it is not counted
                self.state.progress.skipped.insert(step);
            }
            Remedy::HalveRate => {
                self.state.progress.rate *= 0.5;
                self.state.progress.repairs += 1;
            }
        }
        if goes_back {
            self.state.back();
        }
        self.state.progress.troubled = Some(step);
        Ok(Step::Repaired)
    }

    fn checkpoint(&mut self) {
        self.state.progress.seconds = self.seconds();
        let step = self.state.progress.steps;
        if let Some(path) = self.observer.checkpoint(self.state.snapshot()) {
            self.observer.event(Event::Checkpoint { step, path });
        }
    }

    fn validate(&mut self) -> gemma::Result<()> {
        let Some(v) = self.observer.validate(&self.state.tuned)? else { return Ok(()) };
        self.state.guard.after_validation(self.state.progress.steps);
        let progress = &mut self.state.progress;
        // nothing compares with what is no number, so one that came first would stay the best
        let number = v.score.is_finite() && v.loss.is_finite();
        let best = number && progress.best.is_none_or(|b| v.score > b.score || (v.score == b.score && v.loss < b.loss));
        progress.since_best = if best { 0 } else { progress.since_best + 1 };
        let step = progress.steps;
        if best {
            progress.best = Some(Best { score: v.score, loss: v.loss });
        }
        self.observer.event(Event::Evaluation { step, loss: v.loss, metrics: v.metrics, best, samples: v.samples });
        if best {
            self.keep()?;
        }
        // at the very beginning one answer to everything is what an untrained model gives
        if (v.collapsed || v.silent) && step > self.plan.steps_per_epoch() && !self.state.progress.collapsed {
            self.state.progress.collapsed = true;
            let symptom = if v.silent { Symptom::EmptyAnswers } else { Symptom::Collapse };
            self.tell(step, &Trouble { symptom, remedy: Remedy::None, seen: "on the validation set".into() });
        }
        if !v.collapsed && !v.silent && std::mem::take(&mut self.state.progress.collapsed) && self.well() {
            self.tell_well(step, health::answers_again);
        }
        Ok(())
    }

    fn keep(&mut self) -> gemma::Result<()> {
        let step = self.state.progress.steps;
        self.state.progress.best_step = step;
        self.state.best = self.state.tuned.clone();
        let path = self.observer.save(&self.state.tuned, step)?;
        self.observer.event(Event::Checkpoint { step, path });
        Ok(())
    }
}

/// What was seen where memory gave out.
fn seen(rows: usize, failure: &Failure) -> String {
    let asked = failure.bytes.map_or_else(String::new, |bytes| format!(", {} MiB asked for", bytes >> 20));
    format!("{} at a time{asked}", if rows == 1 { "1 row".to_string() } else { format!("{rows} rows") })
}

/// The mean of several sets of weights.
fn average(all: &[Tuned]) -> Tuned {
    let mut out = all[0].clone();
    let mut sums: BTreeMap<String, Tensor<2>> = BTreeMap::new();
    for tuned in all {
        tuned.clone().visit(&mut |path, t| {
            let own = t.clone().inner();
            let sum = match sums.remove(path) {
                Some(sum) => sum + own,
                None => own,
            };
            sums.insert(path.into(), sum);
        });
    }
    out.visit(&mut |path, t| {
        if let Some(sum) = sums.remove(path) {
            *t = sum.div_scalar(all.len() as f64).autodiff().require_grad();
        }
    });
    out
}

/// How much an update changed: the largest ratio of a change's norm to its matrix's norm (without the B matrices, the
/// head's bias and norms, which begin at zero or may lie near it), and the norm of all B matrices or, where there are none
/// because weights themselves are trained, of the change. Read back once.
fn changes(model: &Gemma, before: &mut Tuned, after: &mut Tuned) -> gemma::Result<(f64, f64)> {
    let full = before.trained.adapters().is_none();
    let mut old = Vec::new();
    before.visit(&mut |_, t| old.push(t.clone().inner()));
    let (mut ratios, mut b) = (Vec::new(), Vec::new());
    let mut old = old.into_iter();
    after.visit(&mut |path, t| {
        let (new, Some(old)) = (t.clone().inner(), old.next()) else { return };
        if path.ends_with("lora_B") {
            b.push(new.square().sum());
        } else if path != "head.bias" && !gemma::full::is_norm(path) {
            let change = (new - old.clone()).square().sum();
            if full {
                b.push(change.clone());
            }
            ratios.push(change / old.square().sum().add_scalar(1e-20));
        }
    });
    let ratio = match ratios.is_empty() {
        true => 0.0,
        false => step::scalar(model, Tensor::cat(ratios, 0).max())?.sqrt(),
    };
    let b = match b.is_empty() {
        true => 1.0,
        false => step::scalar(model, Tensor::cat(b, 0).sum())?.sqrt(),
    };
    Ok((ratio, b))
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
        Some(path) => Err(gemma::Error::Request(say!(
            "no gradient reached {path}; this is a defect of Lapidary: please report it with the run folder",
            "nessun gradiente è arrivato a {path}; è un difetto di Lapidary: segnalalo con la cartella di esecuzione"
        ))),
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

/// Peak learning rate of a parameter in a model of so many blocks.
fn own_rate(s: &Settings, path: &str, layers: usize) -> f64 {
    if path.starts_with("head.") {
        return s.head_learning_rate;
    }
    let block = path.strip_prefix("layers.").and_then(|rest| rest.split('.').next()).and_then(|n| n.parse::<usize>().ok());
    let below_the_top = block.map_or(0, |b| layers.saturating_sub(b + 1));
    s.learning_rate * s.layer_decay.powf(below_the_top as f64)
}

fn apply(state: &mut State, mut gradients: BTreeMap<String, Tensor<2>>, factor: f64, rate: impl Fn(&str) -> f64) -> gemma::Result<()> {
    let State { tuned, optimizer, .. } = state;
    optimizer.begin();
    let mut failed = None;
    tuned.visit(&mut |path, t| {
        let Some(g) = gradients.remove(path) else { return };
        let g = if factor < 1.0 { g.mul_scalar(factor) } else { g };
        match optimizer.update(path, t.clone().inner(), g.inner(), rate(path)) {
            Ok(moved) => *t = moved.autodiff().require_grad(),
            Err(e) => failed = Some(e),
        }
    });
    failed.map_or(Ok(()), Err)
}
