//! What a run will cost, measured before it: time, memory and disk, from a few steps on its own examples.
//!
//! The measurement runs in a child process ([`crate::child`]), so that its memory is counted from nothing, is given
//! back, and a measurement that is no longer wanted can be ended at once. It loads the model as the run would, takes
//! steps on the longest batch and on middling ones, and multiplies. Training is extrapolated from the same steps that
//! will be taken and comes close; scoring by completion depends on how much a model has to say, so there a longest
//! answer of the training set is assumed for the tuned model and the longest allowed one for the untuned.

use crate::answer::Answerer;
use crate::calibrate;
use crate::child::{Children, Failed};
use crate::error::{Error, Result};
use crate::home::Home;
use crate::recipe::{Method, Recipe};
use crate::remote;
use crate::run::{self, Prepared, Request};
use crate::task;
use crate::vectors;
use data::set::Split;
use data::{Batch, Encoded, Example, Kind, batch};
use gemma::Precision;
use say::say;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use tasks::score::calibration::FEWEST;
use train::{Command, Event, Observer, Plan, Settings, Snapshot, Tuned, Validation};
use ts_rs::TS;

/// The word that makes this program a child that measures.
pub(crate) const MEASURE: &str = "measure-run";

/// Steps of the dry run; the first one fills caches and is not counted.
const STEPS: usize = 4;
/// Examples that a head is fitted to in the dry run.
const FITTED: usize = 128;
/// Share of the available memory that a run may take: the rest is for what else the machine does meanwhile.
const SHARE: f64 = 0.9;

/// What a run will cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Forecast {
    /// Name of the device that was measured: the one that `auto` stands for, where that was chosen.
    pub device: String,
    /// Seconds from the start until the result is written.
    pub seconds: f64,
    /// Of these, training with its evaluations on the validation set: what the result calls its seconds.
    pub training_seconds: f64,
    /// Of these, answering the test set with the tuned model and the untuned one, with examples in its prompt and without; reading it
    /// for a map; and the validation set once more, where probabilities are calibrated.
    pub scoring_seconds: f64,
    /// Optimiser steps.
    pub steps: usize,
    /// Peak of the process's resident memory, in bytes.
    pub peak_memory_bytes: u64,
    /// Size of a checkpoint, in bytes; up to four are kept while the run goes on.
    pub checkpoint_bytes: u64,
    /// Memory that programs could still take when this was measured, in bytes, where the system tells.
    pub available_memory_bytes: Option<u64>,
    /// Whether the memory suffices; where it is not known what is available, nothing is said against it.
    pub fits: bool,
    /// Where it does not: settings under which the run was measured to fit, `key=value`; empty if none was found.
    pub instead: Vec<String>,
}

/// Measures what a run will cost. Nothing is written.
///
/// # Errors
/// If the run itself would be refused, with its reason; if the measurement fails, or is cancelled.
pub fn forecast(home: &Home, request: &Request, children: &Children, cancel: &AtomicBool) -> Result<Forecast> {
    let mut forecast = ask(home, request, children, cancel)?;
    if forecast.fits {
        return Ok(forecast);
    }
    // each is measured, not guessed
    for instead in smaller(request)? {
        let mut changed = request.clone();
        changed.set.extend(instead.clone());
        if ask(home, &changed, children, cancel)?.fits {
            forecast.instead = instead;
            break;
        }
    }
    Ok(forecast)
}

/// Settings under which a run takes less memory, what costs least first: ever smaller batches that are accumulated to the
/// same step, and at last weights in half precision, which every device either has or passes over.
fn smaller(request: &Request) -> Result<Vec<Vec<String>>> {
    let kind = request.task.parse::<Kind>().map_err(Error::Request)?;
    let recipe = Recipe::resolve(kind, request.recipe.as_deref(), &request.method, &request.set)?;
    let (whole, accumulate) = (recipe.train.batch, recipe.train.accumulate);
    let halves = std::iter::successors(Some(whole), |batch| Some(batch / 2)).skip(1).take_while(|batch| *batch > 0);
    let mut all: Vec<Vec<String>> = halves.map(|batch| vec![format!("batch={batch}"), format!("accumulate={}", accumulate * (whole / batch))]).collect();
    // of a training of all weights none are frozen
    if recipe.precision == Precision::F32 && recipe.method != Method::Full {
        let batch = all.last().cloned().unwrap_or_default();
        all.push([batch, vec!["precision=f16".into()]].concat());
    }
    Ok(all)
}

fn ask(home: &Home, request: &Request, children: &Children, cancel: &AtomicBool) -> Result<Forecast> {
    let input =
        serde_json::to_string(request).map_err(|e| Error::request(say!("the request cannot be written: {e}", "la richiesta non si può scrivere: {e}")))?;
    let said = children.answer(&[MEASURE.as_ref(), home.path().as_os_str()], &input, cancel).map_err(|failed| match failed {
        // the reason why the run itself would be refused
        Failed::Because { ended, last } if ended.is_empty() => Error::Request(last),
        other => Error::request(say!(
            "the run could not be measured: {other}; if memory is short, choose a smaller batch or max_tokens, or precision=f16",
            "l’addestramento non si è potuto misurare: {other}; se la memoria è poca, scegli un batch o un max_tokens più piccolo, oppure precision=f16"
        )),
    })?;
    serde_json::from_str(said.trim()).map_err(|e| Error::request(say!("the measurement cannot be read: {e}", "la misura non si può leggere: {e}")))
}

/// Measures in this process, which must be new: what the child does. The request is read from `input`.
///
/// # Errors
/// As the run itself, before it begins.
pub(crate) fn measured(home: &Path, mut input: impl Read) -> Result<String> {
    let mut text = String::new();
    input.read_to_string(&mut text).map_err(|e| Error::request(say!("the request cannot be read: {e}", "la richiesta non si può leggere: {e}")))?;
    let request: Request =
        serde_json::from_str(&text).map_err(|e| Error::request(say!("the request cannot be read: {e}", "la richiesta non si può leggere: {e}")))?;
    let forecast = measure(&Home::open(Some(home))?, &request)?;
    serde_json::to_string(&forecast).map_err(|e| Error::request(e.to_string()))
}

fn measure(home: &Home, request: &Request) -> Result<Forecast> {
    let begun = Instant::now();
    let p = run::prepare(home, request, None)?;
    remote::minding(p.model.device(), None, || cost(&p, request, begun))
}

/// What a run costs that was made ready since it was begun.
fn cost(p: &Prepared, request: &Request, begun: Instant) -> Result<Forecast> {
    let test = run::evaluated(&p.set).map_or(&[][..], |split| p.set.examples(split));
    let answerer = Answerer::new(&p.model, &p.tokenizer, &p.task, &p.recipe, &p.set.card.language)?;
    let answerer = answerer.showing(p.set.examples(Split::Train), test, request.seed)?;
    let encoded = answerer.encode(&task::training(&p.set, &p.recipe, request.seed)?)?;
    let validation = answerer.encode(p.set.examples(Split::Validation))?;
    let body = answerer.body();
    let trained = p.recipe.untrained(body, &p.weights, request.seed)?;
    let loading = begun.elapsed().as_secs_f64();

    let (head, fitting) = match p.recipe.method {
        Method::Completion | Method::Full => (None, 0.0),
        Method::Head | Method::Tagging => {
            let some = &encoded[..encoded.len().min(FITTED)];
            let begun = Instant::now();
            let head = train::step::fit_head(body, some, &vec![1.0; some.len()], p.task.classes(), p.recipe.view(p.model.config().layers), p.recipe.ridge)?;
            (Some(head), begun.elapsed().as_secs_f64() * encoded.len() as f64 / some.len().max(1) as f64)
        }
    };
    let tuned = Tuned { trained, head };

    // the rate of a forward pass, on a batch of middling rows
    let rows = middling(&validation);
    let pass = Instant::now();
    match tuned.head {
        Some(_) => drop(answerer.classify(&tuned, &validation, &rows)?),
        None if rows.is_empty() => {}
        None => {
            train::step::evaluate(body, &tuned, &Batch::new(&validation, &rows, body.layout()))?;
        }
    }
    let forward = pass.elapsed().as_secs_f64() / tokens(rows.iter().map(|&r| &validation[r])).max(1) as f64;

    let settings = &p.recipe.train;
    let dry = dry_run(p, body, &encoded, request.seed, tuned.clone())?;
    let all = tokens(encoded.iter()) * settings.epochs;
    let thinned = if tuned.head.is_some() { 1.0 - settings.thin / 2.0 } else { 1.0 };
    let plan = Plan { model: body, examples: &encoded, settings, seed: request.seed };
    let mut evaluations = settings.epochs * settings.evaluations_per_epoch + usize::from(settings.average > 1);
    let mut evaluating = tokens(validation.iter()) as f64 * forward;
    let writing = Writing::measure(p, &answerer, &tuned, &encoded)?;
    if tuned.head.is_some() {
        evaluations += 1;
    } else if p.task.kind == Kind::Intent {
        // labels are also answered at every evaluation
        evaluating += writing.answers(validation.len(), writing.expected);
    } else {
        evaluating += writing.answers(validation.len().min(run::SAMPLES), writing.expected);
    }
    let training_seconds = all as f64 * thinned * dry.seconds_per_token + if validation.is_empty() { 0.0 } else { evaluations as f64 * evaluating };

    let reading = tokens(answerer.encode(test)?.iter()) as f64 * forward;
    let own = match tuned.head {
        Some(_) => reading,
        None if !p.task.constrained() => writing.answers(test.len(), writing.expected),
        // once under the constraint, perhaps several times at once, and once without
        None => writing.answers(test.len() * p.recipe.candidates(p.task.kind), writing.expected) + writing.answers(test.len(), writing.expected),
    };
    let calibrated = if p.set.examples(Split::Test).is_empty() || !calibrate::possible(p.task.kind) || validation.len() < FEWEST {
        0.0
    } else if tuned.head.is_some() {
        tokens(validation.iter()) as f64 * forward
    } else {
        writing.answers(validation.len() * p.recipe.candidates(p.task.kind), writing.expected)
    };
    // an untuned model that cannot be asked about every text is not held against the tuned one
    let untuned = if test.iter().all(|e| answerer.asks(&e.text)) { writing.answers(test.len(), writing.longest) } else { 0.0 };
    let shown = if answerer.shows() { writing.answers_after(writing.first_shown, test.len(), writing.longest) } else { 0.0 };
    let mapped = reading * vectors::mapped(test.len()) as f64 / test.len().max(1) as f64;
    let scoring_seconds = own + mapped + calibrated + untuned + shown;
    let (peak_memory_bytes, available_memory_bytes) = (train::memory::peak() + dry.held_later, train::memory::available());
    Ok(Forecast {
        device: p.device.name.clone(),
        seconds: loading + fitting + training_seconds + scoring_seconds,
        training_seconds,
        scoring_seconds,
        steps: plan.steps(),
        peak_memory_bytes,
        checkpoint_bytes: dry.checkpoint_bytes,
        available_memory_bytes,
        // what this process holds now is part of what it needs, and no longer available
        fits: available_memory_bytes.is_none_or(|free| peak_memory_bytes as f64 <= SHARE * (free + train::memory::resident()) as f64),
        instead: Vec::new(),
    })
}

fn tokens<'a>(examples: impl Iterator<Item = &'a Encoded>) -> usize {
    examples.map(|e| e.ids.len()).sum()
}

/// The batch of middle length among those of passes without gradients.
fn middling(examples: &[Encoded]) -> Vec<usize> {
    let mut batches = batch::sorted(examples);
    if batches.is_empty() { Vec::new() } else { batches.swap_remove(batches.len() / 2) }
}

/// What a few steps showed.
struct Dry {
    seconds_per_token: f64,
    checkpoint_bytes: u64,
    /// Bytes that a run comes to hold beside what a few steps do.
    held_later: u64,
}

/// Watches the dry run, and ends it.
#[derive(Default)]
struct Watch {
    steps: Vec<(usize, f64)>,
    checkpoint_bytes: u64,
    /// Of these, one set of what is trained.
    copy_bytes: u64,
}

impl Observer for Watch {
    fn event(&mut self, event: Event) {
        if let Event::Step { tokens, tokens_per_second, .. } = event {
            self.steps.push((tokens, tokens as f64 / tokens_per_second));
        }
    }
    fn validate(&mut self, _: &Tuned) -> gemma::Result<Option<Validation>> {
        Ok(None)
    }
    fn save(&mut self, _: &Tuned, _: usize) -> gemma::Result<String> {
        Ok(String::new())
    }
    fn checkpoint(&mut self, snapshot: Snapshot) -> Option<String> {
        // as large as it becomes: there is a state to fall back on in it, too, of which only the best weights are not kept twice
        let times = |name: &str| if name.starts_with("good.") { 0 } else { 1 + u64::from(!name.starts_with("best.")) };
        let bytes = |of: &str| -> u64 { snapshot.tensors.iter().filter(|m| m.name.starts_with(of)).map(|m| times(&m.name) * m.bytes()).sum() };
        (self.checkpoint_bytes, self.copy_bytes) = (bytes(""), bytes("best."));
        None
    }
    fn command(&mut self) -> Command {
        // stopping, not ending, so that the state after steps is handed over once more, moments included
        if self.steps.len() >= STEPS { Command::Stop } else { Command::Go }
    }
}

/// Takes steps on the longest micro-batch and on middling ones.
fn dry_run(p: &Prepared, body: &gemma::Gemma, encoded: &[Encoded], seed: u64, tuned: Tuned) -> Result<Dry> {
    let settings = &p.recipe.train;
    let mut batches = batch::epoch(encoded, settings.batch, seed, 0);
    batches.sort_by_key(|rows| tokens(rows.iter().map(|&r| &encoded[r])));
    let middle = batches.len() / 2;
    let chosen = batches.last().into_iter().chain(batches.iter().skip(middle).take(STEPS - 1));
    let examples: Vec<Encoded> = chosen.flatten().map(|&row| encoded[row].clone()).collect();
    // a run keeps the weights of its last evaluations, where it averages them, and so does the state to fall back on
    let averaged = settings.average.min(settings.epochs * settings.evaluations_per_epoch) as u64;
    // there are moments in the state to fall back on, once there is one, and what is being written to disk is held until it is
    // there: weights and both moments
    let written = if settings.checkpoint_every > 0 { 3 } else { 0 };
    let later = 2 + written + averaged;
    let settings = Settings { accumulate: 1, checkpoint_every: 0, patience: 0, average: 0, epochs: STEPS, ..settings.clone() };
    let plan = Plan { model: body, examples: &examples, settings: &settings, seed };
    let mut watch = Watch::default();
    plan.run(plan.start(tuned), &mut watch)?;
    let counted = watch.steps.get(1..).filter(|s| !s.is_empty()).unwrap_or(&watch.steps);
    let (tokens, seconds) = counted.iter().fold((0, 0.0), |(t, s), (tokens, seconds)| (t + tokens, s + seconds));
    Ok(Dry {
        seconds_per_token: seconds / tokens.max(1) as f64,
        checkpoint_bytes: watch.checkpoint_bytes + 2 * averaged * watch.copy_bytes,
        held_later: later * watch.copy_bytes,
    })
}

/// What writing answers by completion takes.
struct Writing {
    /// Seconds until the first token of a batch of questions.
    first: f64,
    /// The same with examples before them.
    first_shown: f64,
    /// Seconds of each further token of a batch.
    next: f64,
    /// Rows of a batch.
    rows: usize,
    /// Tokens of a long answer of the training set.
    expected: usize,
    /// Tokens of the longest answer that is allowed.
    longest: usize,
}

impl Writing {
    fn measure(p: &Prepared, answerer: &Answerer<'_>, tuned: &Tuned, encoded: &[Encoded]) -> Result<Self> {
        let askable = |e: &&Example| answerer.asks(&e.text);
        let some: Vec<&str> = p.set.examples(Split::Train).iter().filter(askable).map(|e| e.text.as_str()).take(batch::FORWARD_ROWS).collect();
        let of_head = tuned.head.is_some();
        let timed = |shown: bool, tokens: usize| -> Result<f64> {
            let begun = Instant::now();
            if !some.is_empty() {
                answerer.write(if of_head || shown { None } else { Some(tuned) }, &some, shown, tokens)?;
            }
            Ok(begun.elapsed().as_secs_f64())
        };
        // the longest questions of all come in one batch, and that is where memory peaks
        let mut all: Vec<&Example> = p.set.splits.values().flat_map(|file| &file.examples).collect();
        all.sort_by_key(|e| std::cmp::Reverse(e.text.len()));
        let long: Vec<&str> = all.into_iter().filter(askable).map(|e| e.text.as_str()).take(batch::FORWARD_ROWS).collect();
        if !long.is_empty() {
            answerer.write(if of_head { None } else { Some(tuned) }, &long, false, 1)?;
            if answerer.shows() {
                answerer.write(None, &long, true, 1)?;
            }
        }
        let first = timed(false, 1)?;
        let next = (timed(false, 4)? - first).max(0.0) / 3.0;
        let first_shown = if answerer.shows() { timed(true, 1)? } else { first };
        let longest = answerer.answer_tokens();
        let mut lengths: Vec<usize> = encoded.iter().map(|e| e.ids.len() - e.prompt).collect();
        lengths.sort_unstable();
        // a batch goes on until its longest answer ends
        let long = lengths.get(lengths.len() * 9 / 10).copied().unwrap_or(0);
        Ok(Self { first, first_shown, next, rows: some.len().max(1), expected: if long == 0 { longest } else { long.min(longest) }, longest })
    }

    /// Seconds of answering so many questions with answers of so many tokens.
    fn answers(&self, questions: usize, tokens: usize) -> f64 {
        self.answers_after(self.first, questions, tokens)
    }

    /// The same, where the first token of a batch takes so long.
    fn answers_after(&self, first: f64, questions: usize, tokens: usize) -> f64 {
        questions.div_ceil(self.rows) as f64 * (first + tokens.saturating_sub(1) as f64 * self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_tried_in_smaller_batches_and_then_with_halved_weights() {
        let smaller = |method: &str, set: &[&str]| {
            let request = Request {
                task: "sql".into(),
                data: data::set::Source::default(),
                model: "m".into(),
                method: method.into(),
                device: "cpu".into(),
                recipe: None,
                set: set.iter().map(|s| (*s).to_string()).collect(),
                rows: None,
                seed: 0,
                edited: false,
                trial: false,
                out: "out".into(),
                command: String::new(),
            };
            let found = super::smaller(&request).expect("settings");
            found.into_iter().map(|instead| instead.join(" ")).collect::<Vec<_>>()
        };
        let halved = ["batch=3 accumulate=4", "batch=1 accumulate=14", "batch=1 accumulate=14 precision=f16"];
        assert_eq!(smaller("completion", &["batch=7", "accumulate=2"]), halved);
        assert_eq!(smaller("completion", &["batch=1", "accumulate=2"]), ["precision=f16"]);
        // weights that are held in fewer bytes already, and those that are trained
        assert_eq!(smaller("completion", &["batch=3", "accumulate=1", "precision=file"]), ["batch=1 accumulate=3"]);
        assert_eq!(smaller("full", &["batch=3", "accumulate=1"]), ["batch=1 accumulate=3"]);
    }
}
