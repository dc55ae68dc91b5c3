//! What a run will cost, measured before it: time, memory and disk, from a few steps on its own examples.
//!
//! The measurement runs in a child process ([`crate::child`]), so that its memory is counted from nothing, is given
//! back, and a measurement that is no longer wanted can be ended at once. It loads the model as the run would, takes a
//! step on the longest batch, which is what memory must have room for, and one or a few on a middling batch; it passes a
//! middling batch forward, fits a head to one, and lets a model answer one batch of questions with a few tokens. Every
//! rate is measured once, on rows like those that it is used for, and multiplied by tokens that are counted. Scoring by
//! completion depends on how much a model has to say, so there a long answer of the training set is assumed for the tuned
//! model, and for the untuned one the length at which it is cut off. What the untuned model scored in an earlier run costs
//! nothing.

use crate::answer::{Answerer, Mode};
use crate::calibrate;
use crate::child::{Children, Failed};
use crate::devices;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::library::Library;
use crate::models;
use crate::recipe::{Method, Recipe};
use crate::remote;
use crate::run::{self, Prepared, Request};
use crate::task;
use crate::untuned;
use crate::vectors;
use data::set::Split;
use data::watch::Steps;
use data::{Batch, Encoded, Example, Kind, batch};
use gemma::device::{Kind as DeviceKind, is_cpu};
use gemma::{Config, Gemma, Head, Precision};
use say::say;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;
use tasks::score::calibration::FEWEST;
use train::{Command, Event, Observer, Plan, Settings, Snapshot, Tuned, Validation};
use ts_rs::TS;

/// The word that makes this program a child that measures.
pub(crate) const MEASURE: &str = "measure-run";

/// Steps on a middling batch, at most: as many as it takes for them to take [`ENOUGH`], which on a slow machine is one.
const STEPS: usize = 4;
/// Seconds of steps whose rate can be believed.
const ENOUGH: f64 = 2.0;
/// Tokens of the questions that are read to measure how long that takes, about.
const READ: usize = 1024;
/// Tokens that are then written after each of them.
const WRITTEN: usize = 4;
/// How much room the keys and values of what was read and written take, as a multiple of their size, at most: what grows token by
/// token doubles its room whenever it is full.
const GROWING: u64 = 2;
/// Share of the available memory that a run may take: the rest is for what else the machine does meanwhile.
const SHARE: f64 = 0.9;

/// What a run will cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Forecast {
    /// Id of the device that was measured: of the one that `auto` stands for, where that was chosen.
    pub device_id: String,
    /// Its name.
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
    /// Bytes held of a graphics device's memory after the steps that were measured, on one that tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub device_memory_bytes: Option<u64>,
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
/// If the run itself would be refused, with its reason; [`Error::Unmeasured`] if the measurement fails, or is cancelled.
pub fn forecast(home: &Home, request: &Request, children: &Children, cancel: &AtomicBool) -> Result<Forecast> {
    // the child that measures does not know which devices this process has lost
    let recipe = request.recipe()?;
    let device = devices::find(home, recipe.device(&request.device), children, &mut |_| {}, cancel)?.id;
    let request = &Request { device, ..request.clone() };
    let mut forecast = ask(home, request, children, cancel)?;
    if forecast.fits {
        return Ok(forecast);
    }
    // what the measurement ran on: `auto` is settled by now, and nothing is tried again to know it
    let cpu = devices::find(home, &request.device, children, &mut |_| {}, cancel)?.kind == DeviceKind::Cpu;
    // each is measured, not guessed
    for instead in smaller(&recipe, cpu) {
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
/// same step, and at last weights in half precision, which every device either has or passes over, and where the processor computes
/// in blocks of 8 and of 4 bits.
fn smaller(recipe: &Recipe, cpu: bool) -> Vec<Vec<String>> {
    let (whole, accumulate) = (recipe.train.batch, recipe.train.accumulate);
    let halves = std::iter::successors(Some(whole), |batch| Some(batch / 2)).skip(1).take_while(|batch| *batch > 0);
    let mut all: Vec<Vec<String>> = halves.map(|batch| vec![format!("batch={batch}"), format!("accumulate={}", accumulate * (whole / batch))]).collect();
    // of a training of all weights none are frozen
    if recipe.precision == Precision::F32 && recipe.method != Method::Full {
        let batch = all.last().cloned().unwrap_or_default();
        let fewer = if cpu { &["f16", "q8", "q4"][..] } else { &["f16"][..] };
        all.extend(fewer.iter().map(|precision| [batch.clone(), vec![format!("precision={precision}")]].concat()));
    }
    all
}

fn ask(home: &Home, request: &Request, children: &Children, cancel: &AtomicBool) -> Result<Forecast> {
    let input =
        serde_json::to_string(request).map_err(|e| Error::request(say!("the request cannot be written: {e}", "la richiesta non si può scrivere: {e}")))?;
    let said = children.answer(&[MEASURE.as_ref(), home.path().as_os_str()], &input, cancel).map_err(|failed| match failed {
        // the reason why the run itself would be refused
        Failed::Because { ended, last } if ended.is_empty() => Error::Request(last),
        other => Error::Unmeasured(say!(
            "the run could not be measured: {other}; if memory is short, choose a smaller batch or max_tokens, or precision=f16",
            "l’addestramento non si è potuto misurare: {other}; se la memoria è poca, scegli un batch o un max_tokens più piccolo, oppure precision=f16"
        )),
    })?;
    serde_json::from_str(said.trim()).map_err(|e| Error::Unmeasured(say!("the measurement cannot be read: {e}", "la misura non si può leggere: {e}")))
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
    remote::minding(p.model.device(), None, || cost(home, &p, request, begun))
}

/// What a run costs that was made ready since it was begun.
fn cost(home: &Home, p: &Prepared, request: &Request, begun: Instant) -> Result<Forecast> {
    let (own, test) = (p.set.examples(Split::Train), run::evaluated(&p.set).map_or(&[][..], |split| p.set.examples(split)));
    let answerer = Answerer::new(&p.model, &p.tokenizer, &p.task, &p.recipe, &p.set.card.language)?;
    let answerer = answerer.showing(own, test, request.seed)?.ending(own)?;
    let training = task::training(&p.set, &p.recipe, request.seed, &mut Steps::default())?;
    let encoded = answerer.encode(&training)?;
    let validation = answerer.encode(p.set.examples(Split::Validation))?;
    let body = answerer.body();
    let trained = p.recipe.untrained(body, &p.weights, request.seed)?;
    let view = p.recipe.view(p.model.config().layers);
    let head = match p.recipe.method {
        Method::Completion | Method::Full => None,
        // what its values are changes no time
        Method::Head | Method::Tagging => Some(Head::new(body.config().hidden, p.task.classes(), view.clone(), request.seed, body.device())),
    };
    let tuned = Tuned { trained, head };
    let loading = begun.elapsed().as_secs_f64();

    let settings = &p.recipe.train;
    let dry = dry_run(p, body, &encoded, request.seed, &tuned)?;

    // the rate of a forward pass, on rows like those that it is wanted for
    let rated = if validation.is_empty() { &encoded } else { &validation };
    let rows = middling(rated);
    let pass = Instant::now();
    match tuned.head {
        Some(_) => drop(answerer.classify(&tuned, rated, &rows)?),
        None => {
            train::step::evaluate(body, &tuned, &Batch::new(rated, &rows, body.layout()))?;
        }
    }
    let forward = pass.elapsed().as_secs_f64() / tokens(rows.iter().map(|&r| &rated[r])).max(1) as f64;

    let fitting = if tuned.head.is_some() {
        let (fitted, _) = answerer.fitted(&training, &encoded)?;
        let some: Vec<Encoded> = middling(&fitted).into_iter().map(|row| fitted[row].clone()).collect();
        let begun = Instant::now();
        train::step::fit_head(body, &some, &vec![1.0; some.len()], p.task.classes(), view, p.recipe.ridge, &AtomicBool::new(false))?;
        // reading takes as long as there are tokens, and the regression as there are rows
        let regression = (begun.elapsed().as_secs_f64() - forward * tokens(some.iter()) as f64).max(0.0);
        forward * tokens(fitted.iter()) as f64 + regression * fitted.len() as f64 / some.len().max(1) as f64
    } else {
        0.0
    };

    let held = train::memory::resident();
    let writes = Writes::of(home, request, p, &answerer, &encoded, test)?;
    let writing = if writes.any() { Writing::measure(&answerer, Some(&tuned).filter(|t| t.head.is_none()), test)? } else { Writing::default() };

    let all = tokens(encoded.iter()) * settings.epochs;
    let thinned = if tuned.head.is_some() { 1.0 - settings.thin / 2.0 } else { 1.0 };
    let plan = Plan { model: body, examples: &encoded, settings, seed: request.seed };
    // a head is also held against the validation set before its first step
    let evaluations = settings.epochs * settings.evaluations_per_epoch + usize::from(settings.average > 1) + usize::from(tuned.head.is_some());
    let evaluating = tokens(validation.iter()) as f64 * forward + writing.seconds(&writes.evaluation);
    let training_seconds = all as f64 * thinned * dry.seconds_per_token + evaluations as f64 * evaluating;

    let (mut reading, mut mapping) = (0.0, 0.0);
    if tuned.head.is_some() {
        reading = tokens(answerer.encode(test)?.iter()) as f64 * forward;
        if calibrated(request, p) {
            reading += tokens(validation.iter()) as f64 * forward;
        }
    }
    if !request.trial {
        // in the time that a token takes in a block, of whichever pass was measured without a loss
        let block = if tuned.head.is_some() { forward / body.config().layers.max(1) as f64 } else { writing.reading / p.model.config().layers.max(1) as f64 };
        let texts: Vec<&str> = test.iter().map(|e| e.text.as_str()).collect();
        mapping = block * vectors::work(&p.model, &p.tokenizer, &texts)? as f64;
    }
    let scoring_seconds = reading + mapping + writing.seconds(&writes.scoring);

    // what a graphics device holds is none of the process's
    let written = if is_cpu(body.device()) { writes.all().map(|w| held + w.bytes(p.model.config())).max().unwrap_or(0) } else { 0 };
    let peak_memory_bytes = (train::memory::peak() + dry.held_later).max(written);
    let available_memory_bytes = train::memory::available();
    let device_memory_bytes = gemma::device::held_memory(body.device());
    Ok(Forecast {
        device_id: p.device.id.clone(),
        device: p.device.name.clone(),
        seconds: loading + fitting + training_seconds + scoring_seconds,
        training_seconds,
        scoring_seconds,
        steps: plan.steps(),
        peak_memory_bytes,
        device_memory_bytes,
        checkpoint_bytes: dry.checkpoint_bytes,
        available_memory_bytes,
        // what this process holds now is part of what it needs, and no longer available
        fits: available_memory_bytes.is_none_or(|free| peak_memory_bytes as f64 <= SHARE * (free + train::memory::resident()) as f64),
        instead: Vec::new(),
    })
}

/// Will the run's probabilities be calibrated on its validation set?
fn calibrated(request: &Request, p: &Prepared) -> bool {
    let examples = p.set.examples(Split::Validation).len();
    !request.trial && !p.set.examples(Split::Test).is_empty() && calibrate::possible(p.task.kind) && examples >= FEWEST
}

fn tokens<'a>(examples: impl Iterator<Item = &'a Encoded>) -> usize {
    examples.map(|e| e.ids.len()).sum()
}

/// The batch of middle length among those of passes without gradients; of two the one of longer rows, which is whole.
fn middling(examples: &[Encoded]) -> Vec<usize> {
    let mut batches = batch::sorted(examples);
    if batches.is_empty() { Vec::new() } else { batches.swap_remove((batches.len() - 1) / 2) }
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
    /// Steps after which it ends.
    most: usize,
    /// Tokens and seconds of each.
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
        let seconds: f64 = self.steps.iter().map(|(_, seconds)| seconds).sum();
        // stopping, not ending, so that the state after steps is handed over once more, moments included
        if self.steps.len() >= self.most || seconds >= ENOUGH { Command::Stop } else { Command::Go }
    }
}

/// Takes a step on the longest micro-batch, and then a few on a middling one.
fn dry_run(p: &Prepared, body: &Gemma, encoded: &[Encoded], seed: u64, tuned: &Tuned) -> Result<Dry> {
    let settings = &p.recipe.train;
    let mut batches = batch::epoch(encoded, settings.batch, seed, 0);
    batches.sort_by_key(|rows| tokens(rows.iter().map(|&r| &encoded[r])));
    // a run keeps the weights of its last evaluations, where it averages them, and so does the state to fall back on
    let averaged = settings.average.min(settings.epochs * settings.evaluations_per_epoch) as u64;
    // there are moments in the state to fall back on, once there is one, and what is being written to disk is held until it is
    // there: weights and both moments
    let written = if settings.checkpoint_every > 0 { 3 } else { 0 };
    let later = 2 + written + averaged;
    let settings = Settings { accumulate: 1, checkpoint_every: 0, patience: 0, average: 0, epochs: STEPS + 1, ..settings.clone() };
    let take = |rows: Option<&Vec<usize>>, most: usize| -> Result<Watch> {
        let examples: Vec<Encoded> = rows.into_iter().flatten().map(|&row| encoded[row].clone()).collect();
        let plan = Plan { model: body, examples: &examples, settings: &settings, seed };
        let mut watch = Watch { most, ..Watch::default() };
        plan.run(plan.start(tuned.clone()), &mut watch)?;
        Ok(watch)
    };
    // memory peaks there, caches are filled, and its time is not counted
    let first = take(batches.last(), 1)?;
    let then = take(batches.get(batches.len() / 2), STEPS)?;
    let (tokens, seconds) = then.steps.iter().fold((0, 0.0), |(t, s), (tokens, seconds)| (t + tokens, s + seconds));
    Ok(Dry {
        seconds_per_token: seconds / tokens.max(1) as f64,
        checkpoint_bytes: first.checkpoint_bytes + 2 * averaged * first.copy_bytes,
        held_later: later * first.copy_bytes,
    })
}

/// Questions that are answered by completion.
struct Questions {
    count: usize,
    /// Tokens of all of them.
    tokens: usize,
    /// Tokens of the longest.
    longest: usize,
    /// How many are answered at once.
    at_once: usize,
    /// Answers that are followed for each.
    candidates: usize,
    /// Tokens of a batch's longest answer, as is expected.
    expected: usize,
    /// Tokens of an answer, at most.
    most: usize,
}

impl Questions {
    /// Bytes that a batch of them comes to hold: keys and values, and beside them what a block makes of the tokens that are read,
    /// or the logits of the whole vocabulary.
    fn bytes(&self, c: &Config) -> u64 {
        let rows = self.at_once.min(self.count);
        let kept = rows * self.candidates * (self.longest + self.most) * c.layers * 2 * c.kv_heads * c.head;
        let widths = 4 * c.hidden + 2 * (c.heads + 2 * c.kv_heads) * c.head + 3 * c.feed_forward;
        let read = rows * self.longest * (widths + 2 * c.heads * self.longest);
        let spoken = 2 * rows * self.candidates * c.vocabulary;
        4 * (GROWING * kept as u64 + read.max(spoken) as u64)
    }
}

/// All that a run answers by completion.
struct Writes {
    /// At each evaluation.
    evaluation: Vec<Questions>,
    /// At its end.
    scoring: Vec<Questions>,
}

impl Writes {
    fn of(home: &Home, request: &Request, p: &Prepared, answerer: &Answerer<'_>, encoded: &[Encoded], test: &[Example]) -> Result<Self> {
        let (kind, validation) = (p.task.kind, p.set.examples(Split::Validation));
        // one at a time, as they come without a search or a vote
        let questions = |examples: &[Example], shown: bool, expected: usize, most: usize| -> Result<Questions> {
            let texts: Vec<&str> = examples.iter().map(|e| e.text.as_str()).collect();
            let lengths: Vec<usize> = answerer.prompts(&texts, shown)?.iter().map(Vec::len).collect();
            let (count, tokens, longest) = (lengths.len(), lengths.iter().sum::<usize>(), lengths.into_iter().max().unwrap_or(0));
            Ok(Questions { count, tokens, longest, at_once: batch::FORWARD_ROWS, candidates: 1, expected, most })
        };
        let candidates = |questions: Questions| Questions { at_once: p.recipe.at_once(kind), candidates: p.recipe.candidates(kind), ..questions };
        let (mut evaluation, mut scoring) = (Vec::new(), Vec::new());
        if p.recipe.method.writes() {
            // a batch goes on until its longest answer ends
            let mut lengths: Vec<usize> = encoded.iter().map(|e| e.ids.len() - e.prompt).collect();
            lengths.sort_unstable();
            let most = answerer.answer_tokens();
            let expected = lengths.get(lengths.len() * 9 / 10).copied().unwrap_or(most).min(most);
            let best = |examples: &[Example]| questions(examples, false, expected, most).map(candidates);
            let free = |examples: &[Example]| questions(examples, false, expected, answerer.cut_tokens());
            // labels are all answered at every evaluation, and of other answers a few are shown
            evaluation.push(if kind == Kind::Intent { best(validation)? } else { free(&validation[..validation.len().min(run::SAMPLES)])? });
            scoring.push(best(test)?);
            if p.task.constrained() && !request.trial {
                scoring.push(free(test)?);
            }
            if calibrated(request, p) {
                scoring.push(best(validation)?);
            }
        }
        if !request.trial {
            let library = Library::open(home)?;
            let model = models::record(&library, &request.model, &p.weights)?;
            let asked = untuned::asked(test);
            for (_, mode, _) in untuned::ways(answerer) {
                // an untuned model that cannot be asked about every text is not held against the tuned one
                let Ok(key) = untuned::key(p, &model, answerer, &asked, mode) else { continue };
                if untuned::recall(&library, &key).is_none() {
                    let own = questions(&asked, mode == Mode::Shown, answerer.cut_tokens(), answerer.untuned_tokens()[0])?;
                    // its queries are searched for as those of a tuned model, and nobody votes on its hashtags
                    scoring.push(if kind == Kind::Sql { candidates(own) } else { own });
                }
            }
        }
        evaluation.retain(|q| q.count > 0);
        scoring.retain(|q| q.count > 0);
        Ok(Self { evaluation, scoring })
    }

    fn all(&self) -> impl Iterator<Item = &Questions> {
        self.evaluation.iter().chain(&self.scoring)
    }

    fn any(&self) -> bool {
        self.all().next().is_some()
    }
}

/// What writing answers by completion takes, whoever writes them.
#[derive(Default)]
struct Writing {
    /// Seconds for each token that is read.
    reading: f64,
    /// Seconds for each token by which the answers of a batch become longer.
    next: f64,
}

impl Writing {
    /// Measures it on a batch of middling examples.
    fn measure(answerer: &Answerer<'_>, tuned: Option<&Tuned>, examples: &[Example]) -> Result<Self> {
        let mut texts: Vec<&str> = examples.iter().map(|e| e.text.as_str()).collect();
        texts.sort_by_key(|text| text.len());
        let from = (texts.len() / 2).saturating_sub(batch::FORWARD_ROWS / 2);
        let mut texts: Vec<&str> = texts.into_iter().skip(from).take(batch::FORWARD_ROWS).filter(|text| answerer.asks(text)).collect();
        let mut lengths: Vec<usize> = answerer.prompts(&texts, false)?.iter().map(Vec::len).collect();
        let Some(longest) = lengths.iter().copied().max() else { return Ok(Self::default()) };
        let few = (READ / longest.max(1)).clamp(1, texts.len());
        texts.truncate(few);
        lengths.truncate(few);
        let (times, begun) = (RefCell::new(Vec::new()), Instant::now());
        let heard = |_: &[u32]| {
            times.borrow_mut().push(begun.elapsed().as_secs_f64());
            true
        };
        answerer.write(tuned, &texts, WRITTEN, &heard)?;
        let whole = begun.elapsed().as_secs_f64();
        let times = times.into_inner();
        // an answer may end with its first token
        let (read, last) = (times.first().copied().unwrap_or(whole), times.last().copied().unwrap_or(whole));
        let next = if times.len() > 1 { (last - read) / (times.len() - 1) as f64 } else { whole - read };
        Ok(Self { reading: read / lengths.iter().sum::<usize>().max(1) as f64, next })
    }

    /// Seconds of answering questions.
    fn seconds(&self, all: &[Questions]) -> f64 {
        let seconds = |q: &Questions| self.reading * q.tokens as f64 + self.next * (q.count.div_ceil(q.at_once) * q.expected) as f64;
        all.iter().map(seconds).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::untuned::tests::Bench;
    use report::record::RunResult;

    fn questions(count: usize, tokens: usize, at_once: usize, expected: usize) -> Questions {
        Questions { count, tokens, longest: 40, at_once, candidates: 1, expected, most: 2 * expected }
    }

    #[test]
    fn every_token_is_read_and_every_batch_waits_for_its_longest_answer() {
        let writing = Writing { reading: 0.01, next: 0.5 };
        assert_eq!(writing.seconds(&[]), 0.0);
        // two batches of three tokens each, and five of a search
        let all = [questions(20, 600, 16, 3), questions(20, 600, 4, 3)];
        assert!((writing.seconds(&all) - (2.0 * 6.0 + 2.0 * 3.0 * 0.5 + 5.0 * 3.0 * 0.5)).abs() < 1e-9);
    }

    #[test]
    fn the_longest_answers_decide_what_is_held() {
        let weights = gemma::Weights::open(Path::new("../../tests/reference/tiny")).expect("the tiny model");
        let c = weights.config();
        let bytes = |longer: usize, candidates: usize| Questions { most: 100 + longer, candidates, ..questions(64, 2560, 16, 3) }.bytes(c);
        // keys and values of sixteen rows, in every layer
        let token = (16 * c.layers * 2 * c.kv_heads * c.head * 4) as u64;
        assert_eq!(bytes(50, 1) - bytes(0, 1), 50 * GROWING * token);
        assert!(bytes(0, 4) > 3 * (140 * GROWING * token));
        // of fewer questions than a batch holds there are no more rows than questions
        assert!(Questions { count: 2, ..questions(64, 2560, 16, 3) }.bytes(c) < questions(64, 2560, 16, 3).bytes(c) / 4);
    }

    #[test]
    fn a_middling_batch_is_neither_the_longest_nor_the_rest() {
        let of = |count: usize| (1..=count).map(|n| Encoded::classed(vec![5; n], 0)).collect::<Vec<_>>();
        assert_eq!(middling(&[]), Vec::<usize>::new());
        assert_eq!(middling(&of(3)), [2, 1, 0]);
        // of sixteen long rows and eight short ones the long ones
        assert_eq!((middling(&of(24)).len(), middling(&of(24))[0]), (16, 23));
        assert_eq!((middling(&of(48)).len(), middling(&of(48))[0]), (16, 31));
    }

    /// The result of a run is there before the untuned model is asked, and what that scored is asked once.
    #[test]
    fn what_is_remembered_of_the_untuned_model_is_neither_written_nor_foretold_again() {
        let b = Bench::new();
        let scoring = |request: &Request| {
            let p = run::prepare(&b.home, &Request { out: b.request("none").out, ..request.clone() }, None).expect("a sound request");
            let (own, test) = (p.set.examples(Split::Train), p.set.examples(Split::Test));
            let answerer = Answerer::new(&p.model, &p.tokenizer, &p.task, &p.recipe, &p.set.card.language).expect("an answerer");
            let answerer = answerer.showing(own, test, request.seed).and_then(|a| a.ending(own)).expect("short examples");
            let encoded = answerer.encode(own).expect("short examples");
            Writes::of(&b.home, request, &p, &answerer, &encoded, test).expect("questions").scoring.len()
        };
        let train = |request: &Request| {
            let mut told = Vec::new();
            let mut listen = |event: &Event| {
                if let Event::Scored { system, remembered, examples, of, .. } = event {
                    let on_disk = RunResult::read(&request.out).expect("a result already");
                    assert!(on_disk.metrics.is_some() && on_disk.status == "stopped" && (*examples, *of) == (3, 3));
                    assert_eq!(on_disk.baselines.contains_key(system), system != "model");
                    told.push((system.clone(), *remembered));
                }
            };
            let result = run::train(&b.home, request, &mut listen, &AtomicBool::new(false)).expect("a run");
            assert_eq!(result.baselines.keys().collect::<Vec<_>>(), ["few_shot", "majority", "nearest", "untuned"]);
            (told, result)
        };
        let told = |remembered: bool| [("model", false), ("untuned", remembered), ("few_shot", remembered)].map(|(s, r)| (s.to_string(), r));
        let request = b.request("first");
        // its own answers, and those of the untuned model without examples and with them
        assert_eq!(scoring(&request), 3);
        let (first, before) = train(&request);
        assert_eq!(first, told(false));
        assert_eq!((before.status.as_str(), scoring(&request)), ("completed", 1));
        // another training of the same task
        let request = Request { set: [request.set, vec!["epochs=2".into()]].concat(), out: b.request("second").out, ..b.request("") };
        let (second, after) = train(&request);
        assert_eq!(second, told(true));
        for name in ["untuned", "few_shot"] {
            assert!((before.baselines[name].main() - after.baselines[name].main()).abs() < 1e-12, "{name}");
        }
        // other answers are asked for
        let request = Request { set: [request.set, vec!["answer_tokens=9".into()]].concat(), out: b.request("third").out, ..b.request("") };
        assert_eq!((scoring(&request), train(&request).0), (3, told(false).to_vec()));
    }

    #[test]
    fn what_does_not_fit_is_tried_in_smaller_batches_and_then_with_smaller_weights() {
        let smaller = |method: &str, set: &[&str], cpu: bool| {
            let recipe = Recipe::resolve(Kind::Sql, None, method, &set.iter().map(|s| (*s).to_string()).collect::<Vec<_>>()).expect("settings");
            let found = super::smaller(&recipe, cpu);
            found.into_iter().map(|instead| instead.join(" ")).collect::<Vec<_>>()
        };
        let halved = ["batch=3 accumulate=4", "batch=1 accumulate=14", "batch=1 accumulate=14 precision=f16"];
        assert_eq!(smaller("completion", &["batch=7", "accumulate=2"], false), halved);
        assert_eq!(smaller("completion", &["batch=1", "accumulate=2"], false), ["precision=f16"]);
        assert_eq!(smaller("completion", &["batch=1", "accumulate=2"], true), ["precision=f16", "precision=q8", "precision=q4"]);
        // weights that are held in fewer bytes already, and those that are trained
        assert_eq!(smaller("completion", &["batch=3", "accumulate=1", "precision=file"], true), ["batch=1 accumulate=3"]);
        assert_eq!(smaller("full", &["batch=3", "accumulate=1"], true), ["batch=1 accumulate=3"]);
    }
}
