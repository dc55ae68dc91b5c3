//! Measures the training step on random tokens: the same work as `peft_step.py`-like scripts do.

use crate::child::{Children, Failed};
use crate::devices;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::models;
use crate::recipe::{Method, Recipe};
use crate::remote;
use data::encode::Mark;
use data::{Batch, Encoded};
use gemma::device::Kind;
use gemma::{Gemma, Head, Weights};
use say::say;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
pub use train::step::Phase;
use train::{Event, Observer, Plan, Tuned, Validation};

/// The word that makes this program a child that measures a step.
pub(crate) const STEP: &str = "measure-step";

/// The shapes of BENCHMARKS.md: rows of a batch, tokens a row, targets a row. A short batch with few targets, longer rows, one long row,
/// and a batch of which every token is a target. `tests/bench/beside_peft.py` has the same.
pub const SHAPES: [[usize; 3]; 4] = [[8, 64, 8], [4, 256, 16], [1, 1024, 64], [8, 64, 63]];

/// When a measurement counts as hung: a person may ask for any number of steps.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// What to measure.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Choice {
    /// Name or path of the model.
    pub model: String,
    /// Device id.
    pub device: String,
    /// Rows of a batch.
    pub rows: usize,
    /// Tokens a row.
    pub time: usize,
    /// Targets a row.
    pub targets: usize,
    /// Steps to time, after one that is not.
    pub steps: usize,
    /// Changes of the recipe, `key=value`.
    pub set: Vec<String>,
    /// What is trained: `completion`, `full`, or `head`, one of 12 classes upon the blocks that the recipe puts it on.
    pub method: String,
}

/// What was measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Measured {
    /// Rows of the batch and tokens a row, such as `8x64`.
    pub shape: String,
    /// Targets a row.
    pub targets: usize,
    /// All tokens of a step over its median time.
    pub tokens_per_second: f64,
    /// Median time of a step.
    pub seconds_per_step: f64,
    /// Time of the first step, which tunes kernels and fills caches.
    pub first_step_seconds: f64,
    /// Steps timed.
    pub steps: usize,
    /// Peak resident memory of the process at the end of the steps.
    pub peak_memory_bytes: u64,
    /// Bytes held of a graphics device's memory then, on one that tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_memory_bytes: Option<u64>,
    /// Time that the step's matrix products alone take on this machine, right after the steps, over the median time of a step;
    /// on the CPU only.
    pub floor_share: Option<f64>,
    /// Median seconds of each part of a step; on the CPU only, where a part has ended when the next begins.
    pub phases: BTreeMap<Phase, f64>,
    /// Device id.
    pub device: String,
}

struct Times(Vec<f64>);

impl Observer for Times {
    fn event(&mut self, event: Event) {
        if let Event::Step { tokens, tokens_per_second, .. } = event {
            self.0.push(tokens as f64 / tokens_per_second);
        }
    }
    fn validate(&mut self, _: &Tuned) -> gemma::Result<Option<Validation>> {
        Ok(None)
    }
    fn save(&mut self, _: &Tuned, _: usize) -> gemma::Result<String> {
        Ok(String::new())
    }
}

/// As [`step`], in a process of its own: the peak of its memory is that of this choice alone.
///
/// # Errors
/// As [`step`], or if the process cannot be started or ends before it answers.
pub fn apart(home: &Home, choice: &Choice, children: &Children) -> Result<Measured> {
    let input = serde_json::to_string(choice).map_err(|e| Error::request(e.to_string()))?;
    let children = Children { patience: PATIENCE, ..children.clone() };
    let said = children.answer(&[STEP.as_ref(), home.path().as_os_str()], &input, &AtomicBool::new(false)).map_err(|failed| match failed {
        // what it would have said here
        Failed::Because { ended, last } if ended.is_empty() => Error::Request(last),
        other => Error::request(say!("the step could not be measured: {other}", "il passo non si è potuto misurare: {other}")),
    })?;
    serde_json::from_str(said.trim()).map_err(|e| Error::request(say!("the measurement cannot be read: {e}", "la misura non si può leggere: {e}")))
}

/// Measures a step in this process: what the child does. The choice is read from `input`.
///
/// # Errors
/// As [`step`].
pub(crate) fn measured(home: &Path, mut input: impl Read) -> Result<String> {
    let unread = |e: String| Error::request(say!("the request cannot be read: {e}", "la richiesta non si può leggere: {e}"));
    let mut text = String::new();
    input.read_to_string(&mut text).map_err(|e| unread(e.to_string()))?;
    let choice: Choice = serde_json::from_str(&text).map_err(|e| unread(e.to_string()))?;
    serde_json::to_string(&step(&Home::open(Some(home))?, &choice)?).map_err(|e| Error::request(e.to_string()))
}

/// Times whole optimiser steps (forward, backward, clipping, AdamW) of the real training loop.
///
/// # Errors
/// If the model or the device cannot be opened, or the shape does not fit.
pub fn step(home: &Home, choice: &Choice) -> Result<Measured> {
    if choice.targets >= choice.time || choice.targets == 0 || choice.steps == 0 {
        return Err(Error::request(say!(
            "targets must be at least 1 and below the tokens of a row, steps at least 1",
            "i bersagli devono essere almeno 1 e meno dei token di una riga, i passi almeno 1"
        )));
    }
    let recipe = Recipe::resolve(data::Kind::Intent, None, &choice.method, &choice.set)?;
    let with_head = recipe.method == Method::Head;
    let (info, device) = devices::open(home, recipe.device(&choice.device))?;
    let weights = Arc::new(Weights::open(&models::find(home, &choice.model)?)?);
    let model = recipe.load(weights.clone(), &info, &device)?;
    let vocabulary = model.config().vocabulary as u64;
    // a fixed linear congruential sequence: the values do not matter, only that they spread
    let mut state = 1u64;
    let mut token = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (5 + (state >> 33) % (vocabulary - 5)) as u32
    };
    let examples: Vec<Encoded> = (0..choice.rows * (choice.steps + 1))
        .map(|i| Encoded {
            // as every row that is trained on begins
            ids: std::iter::once(gemma::generate::BOS).chain((1..choice.time).map(|_| token())).collect(),
            prompt: choice.time - choice.targets,
            marks: vec![Mark { tokens: 0..choice.time, class: (i % 12) as u32 }],
            repeated: 0,
        })
        .collect();
    let body = recipe.body(&model);
    let trained = recipe.untrained(&body, &weights, 0)?;
    let head = with_head.then(|| Head::new(body.config().hidden, 12, recipe.view(model.config().layers), 0, body.device()));
    let settings = train::Settings { weight_decay: 0.01, ..train::Settings::steady(choice.rows, recipe.train.learning_rate) };
    let mut times = Times(Vec::new());
    let plan = Plan { model: &body, examples: &examples, settings: &settings, seed: 0 };
    let tuned = Tuned { trained, head };
    remote::minding(&device, None, || plan.run(plan.start(tuned.clone()), &mut times).map_err(Error::from))?;
    let (peak_memory_bytes, device_memory_bytes) = (train::memory::peak(), gemma::device::held_memory(&device));
    let first_step_seconds = times.0.remove(0);
    let seconds_per_step = median(&mut times.0);
    let cpu = info.kind == Kind::Cpu;
    let phases = if cpu { phases(&body, &tuned, &examples[..choice.rows], choice.steps)? } else { BTreeMap::new() };
    let targets = if with_head { 0 } else { choice.rows * choice.targets };
    let floor = || gemma::floor::seconds(body.config(), choice.rows * choice.time, targets, recipe.method == Method::Full);
    let floor_share = cpu.then(|| floor() / seconds_per_step);
    Ok(Measured {
        shape: format!("{}x{}", choice.rows, choice.time),
        targets: choice.targets,
        tokens_per_second: (choice.rows * choice.time) as f64 / seconds_per_step,
        seconds_per_step,
        first_step_seconds,
        steps: times.0.len(),
        peak_memory_bytes,
        device_memory_bytes,
        floor_share,
        phases,
        device: info.id,
    })
}

/// The middle one.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Seconds of each part of forward and backward on the same batch, over so many steps.
fn phases(body: &Gemma, tuned: &Tuned, examples: &[Encoded], steps: usize) -> Result<BTreeMap<Phase, f64>> {
    let rows: Vec<usize> = (0..examples.len()).collect();
    let batch = Batch::new(examples, &rows, body.layout());
    let total = train::step::targets(&batch, tuned.objective());
    let mut all: BTreeMap<Phase, Vec<f64>> = BTreeMap::new();
    for _ in 0..steps {
        let mut begun = Instant::now();
        train::step::forward_backward_seen(body, tuned, &batch, total, &mut |phase| {
            all.entry(phase).or_default().push(begun.elapsed().as_secs_f64());
            begun = Instant::now();
        })?;
    }
    Ok(all.into_iter().map(|(phase, mut seconds)| (phase, median(&mut seconds))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_that_runs_peft_has_the_same_shapes() {
        // tests run in the folder of their crate
        let script = std::fs::read_to_string("../../tests/bench/beside_peft.py").expect("the script");
        let shapes = SHAPES.map(|[rows, time, targets]| format!("\"{rows}x{time}x{targets}\""));
        assert!(script.contains(&format!("SHAPES = [{}]", shapes.join(", "))), "{shapes:?}");
    }
}
