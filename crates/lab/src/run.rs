//! Runs: train a model on a data set into a folder, evaluate it, ask it.
//!
//! Everything that can be refused is refused before the folder is made. From then on every event is
//! written as it happens, and whatever happens `result.json` says how the run ended.

use crate::answer::{Answer, Answerer, Mode};
use crate::calibrate;
use crate::command::typed;
use crate::devices;
use crate::edit;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::job::caught;
use crate::library::{Library, RunRow};
use crate::look;
use crate::models;
use crate::recipe::{Method, Recipe};
use crate::remote;
use crate::task::{self, Scorer, Task};
use crate::untuned;
use crate::vectors;
use crate::watch::waiting;
use data::check::{self, Finding, Severity};
use data::read::Columns;
use data::set::{DataSet, Source, Split};
use data::watch::Steps;
use data::{Encoded, Example, Kind};
use gemma::lora::TensorFile;
use gemma::{Gemma, Head, Tokenizer, Trained, Weights, device, head};
use report::content::article;
use report::record::{
    ADAPTER, CHANGED, Calibration, DataRecord, DeviceRecord, FileRecord, ModelRecord, Prediction, RowLengths, RunFile, RunResult, TrainRecord, WEIGHTS,
    write_atomically,
};
use report::text::Lang;
use say::{Both, CHANGE, ROW, say};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tasks::intent::Labels;
use tasks::sandbox::Sandbox;
use tasks::score::calibration;
use tasks::values::Values;
use tasks::{Metrics, answer, baseline};
use train::energy::Meter;
use train::event::Told;
use train::failure::{Failure, Kind as Became};
use train::state::Smaller;
use train::{Command, Event, Observer, Plan, Sample, Snapshot, Tuned, Validation, checkpoint, failure};

/// What a person chose.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// Task name.
    pub task: String,
    /// Where the data is.
    pub data: Source,
    /// Name or path of the base model.
    pub model: String,
    /// `auto`, `completion`, `head`, `tagging` or `full`.
    pub method: String,
    /// Device id.
    pub device: String,
    /// A recipe file instead of the task's own.
    pub recipe: Option<PathBuf>,
    /// Single settings, `key=value`.
    pub set: Vec<String>,
    /// Train on only so many rows, drawn by seed: for curves over the size of the data.
    #[serde(default)]
    pub rows: Option<usize>,
    /// Seed of everything random.
    pub seed: u64,
    /// Train on the data as it was edited (see [`crate::edit`]) instead of as its files are.
    #[serde(default)]
    pub edited: bool,
    /// For choosing settings: the test set is left out, and on the validation set the tuned model alone is scored, without
    /// reference methods and free answers.
    #[serde(default)]
    pub trial: bool,
    /// Run folder to make.
    pub out: PathBuf,
    /// The command that repeats the run.
    pub command: String,
}

impl Request {
    /// The recipe that it asks for, with its settings.
    ///
    /// # Errors
    /// If the task or a setting is not known.
    pub fn recipe(&self) -> Result<Recipe> {
        let kind = self.task.parse::<Kind>().map_err(Error::Request)?;
        Recipe::resolve(kind, self.recipe.as_deref(), &self.method, &self.set)
    }
}

/// Everything a run needs, loaded and checked.
pub(crate) struct Prepared {
    pub recipe: Recipe,
    pub set: DataSet,
    pub task: Task,
    pub model: Gemma,
    pub tokenizer: Tokenizer,
    pub device: device::Info,
    pub weights: Arc<Weights>,
    findings: Vec<Finding>,
    /// The changes that were made to the data, a JSON object a line; none if it is as its files are.
    changes: Option<String>,
    /// Changes in the library that this run does not heed.
    unheeded: usize,
}

/// The data that a run is to train on, with the changes to it, and how many there are that it does not heed.
/// A run that goes on has its changes in its folder, and what was edited since does not matter to it. `stop` ends the reading.
fn data_of(home: &Home, request: &Request, going_on: bool, stop: &AtomicBool) -> Result<(DataSet, Option<String>, usize)> {
    let set = look::open_with(&request.task, &request.data, &mut |_, _, _| !stop.load(Ordering::Relaxed))?;
    if !request.edited {
        let unheeded = if going_on { 0 } else { edit::changes(&Library::open(home)?, &set)?.len() };
        return Ok((set, None, unheeded));
    }
    let changes = if going_on {
        let path = request.out.join(CHANGES);
        let text = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
        edit::parse(&text).map_err(|e| Error::request(format!("{}: {e}", path.display())))?
    } else {
        edit::changes(&Library::open(home)?, &set)?
    };
    Ok((edit::heeding(set, &changes)?, Some(edit::journal(&changes)?), 0))
}

/// A finding that ends a run before it begins.
fn refusal(finding: &Finding) -> Error {
    let row = finding.rows.first().map_or(say::pick("the data set", "l’insieme di dati"), String::as_str);
    Error::request(format!("{row}: {}. {}", finding.message, finding.fix))
}

/// That a run was stopped before there was anything of it.
fn never_began() -> Error {
    Error::request(say!("the training was stopped before it began", "l’addestramento è stato fermato prima di cominciare"))
}

/// Goes on with making a run ready, unless it was stopped.
///
/// # Errors
/// That it was.
pub(crate) fn goes_on(stop: &AtomicBool) -> Result<()> {
    if stop.load(Ordering::Relaxed) { Err(never_began()) } else { Ok(()) }
}

/// Loads and checks everything that a run needs, and writes nothing.
///
/// # Errors
/// If anything must be refused.
pub(crate) fn prepare(home: &Home, request: &Request, going_on: Option<&GoingOn>) -> Result<Prepared> {
    prepare_until(home, request, going_on, &AtomicBool::new(false))
}

/// As [`prepare`], until `stop` is set, which is looked at as the data is read and checked and the model loaded.
fn prepare_until(home: &Home, request: &Request, going_on: Option<&GoingOn>, stop: &AtomicBool) -> Result<Prepared> {
    let recipe = match going_on {
        Some(earlier) => earlier.recipe.clone(),
        None => request.recipe()?,
    };
    let (mut set, changes, unheeded) = data_of(home, request, going_on.is_some(), stop)?;
    let mut watch = waiting(stop);
    let mut findings = check::findings_with(&set, None, &mut Steps::new(0, &mut watch))?;
    goes_on(stop)?;
    if request.trial {
        set.splits.remove(&Split::Test);
    }
    if set.examples(Split::Train).is_empty() {
        return Err(Error::request(say!(
            "no training examples; name a file with --train, or a folder with --data",
            "non ci sono esempi di addestramento; indica un file con --train, oppure una cartella con --data"
        )));
    }
    if let Some(error) = findings.iter().find(|f| f.severity == Severity::Error) {
        return Err(refusal(error));
    }
    if let Some(rows) = request.rows {
        task::enough(&set, rows, request.seed)?;
        set.keep_training(rows, request.seed);
    }
    let task = Task::of_with(&set, &mut Steps::new(0, &mut watch))?;
    if let Some(unscored) = look::unscored(&set, &mut Steps::new(0, &mut watch))? {
        return Err(refusal(&unscored));
    }
    findings.extend(task.misfits(&set, &mut Steps::new(0, &mut watch))?);
    if going_on.is_none() && request.out.exists() && std::fs::read_dir(&request.out).map_err(|e| Error::io(&request.out, e))?.next().is_some() {
        return Err(Error::request(say!(
            "{} already holds files; choose another folder with --out",
            "{} contiene già dei file; scegli un’altra cartella con --out",
            request.out.display()
        )));
    }
    let (info, device) = devices::open_until(home, recipe.device(&request.device), stop).map_err(|e| match going_on {
        None => e,
        Some(_) => Error::request(say!(
            "{e}; to go on with the run on another device, name it: lapidary resume {} --device cpu",
            "{e}; per proseguire l’esecuzione su un altro dispositivo, indicalo: lapidary resume {} --device cpu",
            typed(&request.out)
        )),
    })?;
    let weights = models::weights(home, &request.model, &mut watch)?;
    let tokenizer = models::tokenizer(&weights, &mut watch)?;
    let reads = (&tokenizer, weights.config().context);
    if let Some(long) = look::too_long(&set, &task, &recipe, reads, &mut Steps::new(0, &mut watch))? {
        return Err(refusal(&long));
    }
    let model = failure::caught(&device, || recipe.load_with(weights.clone(), &info, &device, &mut watch))?;
    Ok(Prepared { recipe, set, task, model, tokenizer, device: info, weights, findings, changes, unheeded })
}

/// Trains a model into `request.out` and evaluates it. A first stop ends the training, and the best weights are scored and
/// compared with nothing; another one, or the first where the training is over, ends the scoring. `stop` is cleared in between.
/// A stop before the run begins leaves nothing of it.
///
/// # Errors
/// If something is refused or it is stopped before the run begins (nothing is written then), or the run fails (the
/// folder then says how).
pub fn train(home: &Home, request: &Request, on_event: &mut dyn FnMut(&Event), stop: &AtomicBool) -> Result<RunResult> {
    // written down so that another process can go on with it, wherever that is started
    let request = Request { data: request.data.absolute().map_err(|e| Error::io(Path::new("."), e))?, ..request.clone() };
    train_from(home, &request, None, on_event, stop)
}

/// An interrupted run that is to go on.
pub(crate) struct GoingOn {
    /// What had been recorded.
    pub record: RunFile,
    /// Its settings.
    pub recipe: Recipe,
    /// Where to go on.
    pub snapshot: Snapshot,
    /// What was wrong with newer checkpoints.
    pub damaged: Vec<String>,
}

/// [`train`], or what is left of it.
pub(crate) fn train_from(home: &Home, request: &Request, going_on: Option<GoingOn>, on_event: &mut dyn FnMut(&Event), stop: &AtomicBool) -> Result<RunResult> {
    let begun = Instant::now();
    // whatever is ended by a stop is told as one
    let p = prepare_until(home, request, going_on.as_ref(), stop).map_err(|e| goes_on(stop).err().unwrap_or(e))?;
    let (id, device) = (p.device.id.clone(), p.model.device().clone());
    let ended = remote::minding(&device, Some(&request.out), || train_on(home, request, (p, begun), going_on, on_event, stop));
    // all that the run held is let go of by now
    if !devices::is_lost(&id) && !gemma::remote::lost(&device) {
        device::release(&device);
    }
    ended
}

/// What is told of a device that failed before a run or beside one; other errors stay.
pub(crate) fn unready(error: Error, device: &device::Info) -> Error {
    let (Failure { kind, what, .. }, device::Info { id, name, .. }) = (Failure::of_error(&error), device);
    match kind {
        Became::Memory => Error::request(say!(
            "the device {id} ({name}) has too little memory for this ({what}); choose another with --device",
            "il dispositivo {id} ({name}) ha troppo poca memoria per questo ({what}); scegline un altro con --device"
        )),
        Became::Lost => {
            devices::lose(id);
            Error::request(say!(
                "the device {id} ({name}) was lost ({what}); choose another with --device, or start Lapidary anew",
                "il dispositivo {id} ({name}) è andato perso ({what}); scegline un altro con --device, o riavvia Lapidary"
            ))
        }
        Became::Other => error,
    }
}

/// [`train_from`] with everything at hand.
fn train_on(
    home: &Home,
    request: &Request,
    (p, begun): (Prepared, Instant),
    going_on: Option<GoingOn>,
    on_event: &mut dyn FnMut(&Event),
    stop: &AtomicBool,
) -> Result<RunResult> {
    // looked up while nothing is lost: a driver that has failed is not to be asked
    let others = if p.device.kind == device::Kind::Cpu { Vec::new() } else { devices::others(home, &p.device.id)? };
    let mut answerer = Answerer::new(&p.model, &p.tokenizer, &p.task, &p.recipe, &p.set.card.language)?;
    if p.task.kind == Kind::Sql {
        answerer = answerer.upon(Sandbox::open(&task::database(&p.set)?)?);
    }
    let mut waits = || goes_on(stop);
    let asked = evaluated(&p.set).map_or(&[][..], |s| p.set.examples(s));
    answerer = answerer.showing_with(p.set.examples(Split::Train), asked, request.seed, &mut waits)?;
    answerer = answerer.ending(p.set.examples(Split::Train))?;
    let made = task::training(&p.set, &p.recipe, request.seed, &mut Steps::new(0, &mut waiting(stop)));
    let training = made.map_err(|e| goes_on(stop).err().unwrap_or(e))?;
    let encoded = answerer.encode_with(&training, &mut waits)?;
    let validation = answerer.encode_with(p.set.examples(Split::Validation), &mut waits)?;
    answerer.encode_with(p.set.examples(Split::Test), &mut waits)?;
    let body = answerer.body();
    let trained = failure::caught(body.device(), || p.recipe.untrained(body, &p.weights, request.seed)).map_err(|e| unready(e, &p.device))?;
    let view = p.recipe.view(p.model.config().layers);
    let head = match (p.recipe.method, &going_on) {
        (Method::Completion | Method::Full, _) => None,
        (Method::Head | Method::Tagging, None) => {
            let (fitted, weights) = answerer.fitted_with(&training, &encoded, &mut waits)?;
            let fitted = train::step::fit_head(body, &fitted, &weights, p.task.classes(), view, p.recipe.ridge, stop);
            Some(fitted.map_err(|e| unready(e.into(), &p.device))?.ok_or_else(never_began)?)
        }
        // its values come from the checkpoint
        (Method::Head | Method::Tagging, Some(_)) => Some(Head::new(body.config().hidden, p.task.classes(), view, request.seed, body.device())),
    };
    let mut tuned = Tuned { trained, head };
    let library = Library::open(home)?;
    let described = describe(&library, request, &p, &mut waiting(stop));
    let mut record = described.map_err(|e| goes_on(stop).err().unwrap_or(e))?;
    record.data.lengths = RowLengths::of(encoded.iter().map(|e| e.ids.len()));
    record.data.counts = counts(p.set.examples(Split::Train));
    goes_on(stop)?;

    std::fs::create_dir_all(&request.out).map_err(|e| Error::io(&request.out, e))?;
    let out = request.out.canonicalize().map_err(|e| Error::io(&request.out, e))?;
    let _lock = RunLock::take(&out)?;
    drop(Scoring(out.join(SCORING)));
    // the device that the run had before, where it goes on with another one
    let mut moved = None;
    match &going_on {
        Some(earlier) => {
            earlier.same(&record)?;
            if RunResult::read(&out).is_ok_and(|r| r.status == PAUSED) {
                // it waits no longer
                let file = out.join("result.json");
                std::fs::remove_file(&file).map_err(|e| Error::io(&file, e))?;
            }
            let now = std::mem::replace(&mut record, earlier.record.clone());
            let known = |r: &RunFile| (r.device.id.clone(), r.device.name.clone(), r.request.get("device").cloned());
            if known(&now) != known(&record) {
                moved = (now.device.id != record.device.id || now.device.name != record.device.name).then(|| record.device.clone());
                record.device = now.device;
                record.request.extend(now.request.get("device").map(|device| ("device".to_string(), device.clone())));
                write_run(&out, &record)?;
            }
        }
        None => {
            if let Some(changes) = &p.changes {
                write_atomically(&out.join(CHANGES), changes.as_bytes())?;
            }
            write_run(&out, &record)?;
        }
    }
    let row = |status: &str, accuracy| RunRow {
        path: out.clone(),
        task: record.task.clone(),
        method: record.method.clone(),
        status: status.into(),
        accuracy,
        started: record.started.clone(),
    };
    let log = EventLog::open(&out)?;
    library.put_run(&row("running", None))?;

    let mut watch = Watch {
        out: &out,
        log,
        writer: checkpoint::Writer::new(out.join(CHECKPOINTS)),
        stop,
        on_event,
        answerer: &answerer,
        examples: p.set.examples(Split::Validation),
        validation: &validation,
        at_once: answerer.at_once(),
        base: &record.model.name,
        // of a run that goes on, the beginning was not measured, and another machine's energy is not this one's
        meter: if going_on.is_none() && p.device.kind != device::Kind::Remote { Meter::start() } else { None },
        begun,
        first_step_seconds: None,
        device_memory_bytes: None,
    };
    let plan = Plan { model: body, examples: &encoded, settings: &p.recipe.train, seed: request.seed };
    let trainable = tuned.parameters();
    let held_whole = (p.recipe.precision_on(&p.device) != p.recipe.precision).then(|| {
        Event::warning(|| {
            say!(
                "weights are held in f32: {} does not have half precision, or was not right with it (`lapidary devices`)",
                "i pesi restano in f32: {} non ha la mezza precisione, oppure con essa non calcolava correttamente (`lapidary devices`)",
                p.device.name
            )
        })
    });
    // from here on a crash is a failed run like any other, and is written down
    let outcome = caught(|| {
        let mut start = plan.start(tuned);
        match going_on {
            None => {
                watch.event(Event::Started {
                    task: record.task.clone(),
                    method: record.method.clone(),
                    device: record.device.id.clone(),
                    steps: plan.steps(),
                    trainable,
                    examples: encoded.len(),
                });
                for file in p.set.splits.values().filter(|f| f.skipped.count > 0) {
                    let first = file.skipped.first.first().map_or("", String::as_str);
                    watch.event(Event::warning(|| {
                        say!(
                            "{}: {} passed over ({first})",
                            "{}: {} ({first})",
                            file.path.display(),
                            say::count(file.skipped.count, ["row", "rows", "riga saltata", "righe saltate"])
                        )
                    }));
                }
                held_whole.into_iter().for_each(|warning| watch.event(warning));
                if p.unheeded > 0 {
                    watch.event(Event::warning(|| {
                        say!(
                            "this data set was edited, which is not heeded ({}); train with --edited to heed it",
                            "questo insieme di dati è stato modificato, e non se ne tiene conto ({}); addestra con --edited per tenerne conto",
                            say::count(p.unheeded, CHANGE)
                        )
                    }));
                }
                for finding in &p.findings {
                    let first = finding.rows.first().map_or_else(String::new, |row| format!(" ({row})"));
                    watch.event(Event::warning(|| format!("{}{first}. {}", finding.told.spoken(), finding.gain.spoken())));
                }
                let beyond: Vec<_> = Split::ALL.iter().flat_map(|&s| answerer.beyond_tags(p.set.examples(s))).collect();
                if let Some(first) = beyond.first() {
                    watch.event(Event::warning(|| {
                        say!(
                            "{} with entities that tags cannot mark exactly: they begin or end within a word, overlap, or have a type that no training row has \
                         (first: {first}); --set cut=characters tags every character by itself",
                            "{} con entità che i tag non possono segnare esattamente: cominciano o finiscono dentro una parola, si sovrappongono o hanno \
                         un tipo che nessuna riga di addestramento ha (la prima: {first}); --set cut=characters dà un tag a ogni carattere",
                            say::count(beyond.len(), ROW)
                        )
                    }));
                }
            }
            Some(earlier) => {
                for message in earlier.damaged {
                    watch.event(Event::Warning { message, told: None });
                }
                start.restore(earlier.snapshot).map_err(|e| {
                    Error::request(say!(
                        "the checkpoint does not belong to this run: {e}; train again",
                        "il checkpoint non appartiene a questa esecuzione: {e}; ripeti l’addestramento"
                    ))
                })?;
                watch.event(Event::Resumed { step: start.progress.steps });
                if let Some(before) = moved {
                    // what did not fit the other device may fit this one
                    start.progress.smaller = Smaller::default();
                    let steps = start.progress.steps + 1;
                    watch.event(Event::warning(|| {
                        say!(
                            "from step {} on the run goes on with {} ({}); before it was {} ({})",
                            "dal passo {} l’esecuzione prosegue con {} ({}); prima era {} ({})",
                            steps,
                            record.device.id,
                            record.device.name,
                            before.id,
                            before.name
                        )
                    }));
                    held_whole.into_iter().for_each(|warning| watch.event(warning));
                }
            }
        }
        Ok(plan.run(start, &mut watch)?)
    });
    watch.finish_checkpoints();
    let energy_joules = watch.meter.as_mut().and_then(Meter::joules);
    let (first_step_seconds, device_memory_bytes) = (watch.first_step_seconds, watch.device_memory_bytes);
    // what is known of a run that fails, until more is known
    let mut result = RunResult {
        task: record.task.clone(),
        method: record.method.clone(),
        status: FAILED.into(),
        metrics: None,
        evaluated_on: String::new(),
        metrics_free: None,
        free_difference: None,
        baselines: BTreeMap::new(),
        train: TrainRecord {
            steps: watch.log.steps,
            peak_memory_bytes: train::memory::peak(),
            device_memory_bytes,
            energy_joules,
            first_step_seconds,
            ..TrainRecord::default()
        },
        trained: Vec::new(),
        model: record.model.clone(),
        data: record.data.clone(),
        device: record.device.clone(),
        version: crate::VERSION.into(),
        error: None,
    };
    let finished = outcome.and_then(|outcome| {
        caught(|| {
            let o = &outcome.progress;
            result.train = TrainRecord {
                seconds: o.seconds,
                steps: o.steps,
                tokens: o.tokens,
                tokens_per_second: if o.step_seconds > 0.0 { o.tokens as f64 / o.step_seconds } else { 0.0 },
                supervised_tokens: o.targets,
                peak_memory_bytes: train::memory::peak(),
                device_memory_bytes,
                final_loss: o.final_loss,
                best_step: o.best_step,
                energy_joules,
                first_step_seconds,
            };
            result.trained = trained_files(&out)?;
            // the first stop ends the training, and its best weights are worth scoring; from here on a stop ends the scoring
            let stopped = outcome.stopped | stop.swap(false, Ordering::Relaxed);
            let _scoring = Scoring::begin(&out);
            let scored = score(&mut result, &p, &answerer, &outcome.tuned, (&out, stop), &mut |event| watch.event(event))?;
            watch.tell_rows();
            if let Some(scored) = scored {
                // on disk before anything is asked that the result can do without; until it is all there, the run can be gone on with
                result.status = STOPPED.into();
                write_result(&out, &result)?;
                if !request.trial && !stopped {
                    let (library, tuned) = (&library, &outcome.tuned);
                    let mut compared = Compared { result: &mut result, p: &p, answerer: &answerer, tuned, library, out: &out, stop };
                    compared.with(scored, &mut |event| watch.event(event))
                }
            }
            result.status = if stopped || stop.load(Ordering::Relaxed) { STOPPED } else { COMPLETED }.into();
            Ok(())
        })
    });
    let became = finished.as_ref().err().map(|error| remote::became(p.model.device()).unwrap_or_else(|| Failure::of_error(error)));
    let finished = finished.map_err(|error| remote::instead(p.model.device(), Some(&request.out), error));
    let no_room = became.as_ref().filter(|failure| failure.kind == Became::Memory).map(|failure| Both::of(|| no_room(&record, &out, failure)));
    let finished = match &no_room {
        Some(told) => Err(Error::request(told.spoken())),
        None => finished,
    };
    let lost = became.as_ref().and_then(|failure| Lost::of(failure, &record, &out, &others));
    if let Err(error) = &finished {
        result.status = FAILED.into();
        result.error = Some(error.to_string());
    }
    if let Some(lost) = &lost {
        result.status = PAUSED.into();
        result.error = Some(lost.why.spoken().into());
        result.train.steps = lost.step;
    }
    // where the disk takes no result either, what came first is the reason, and that the run ended is told all the same
    let written = write_result(&out, &result);
    if written.is_err() && finished.is_ok() {
        result.status = FAILED.into();
    }
    if result.status == COMPLETED && written.is_ok() {
        // a run with such a result is not gone on with, and each of a training of all weights holds several times the model; what
        // cannot be removed costs space and nothing else
        let _ = std::fs::remove_dir_all(out.join(CHECKPOINTS));
    }
    let finished = finished.and(written);
    if let Err(e) = library.put_run(&row(&result.status, result.metrics.as_ref().map(Metrics::main))) {
        // the folder says it
        watch.event(Event::warning(|| say!("the library does not know how the run ended: {e}", "la libreria non sa come è finita l’esecuzione: {e}")));
    }
    let step = result.train.steps;
    match finished {
        Ok(()) => {
            let (status, seconds) = (result.status.clone(), result.train.seconds);
            watch.event(Event::Completed { step, status, seconds, metrics: result.metrics.as_ref().map(Metrics::shares).unwrap_or_default() });
            Ok(result)
        }
        Err(error) => match lost {
            Some(Lost { step, why }) => {
                let reason = Error::Waits(why.spoken().into());
                watch.event(Event::Paused { step, why: Some(Told::from(why)) });
                Err(reason)
            }
            None => {
                watch.event(match no_room {
                    Some(told) => Event::Failed { step, message: told.spoken().into(), told: Some(Told::from(told)) },
                    None => Event::failed(step, || error.to_string()),
                });
                Err(error)
            }
        },
    }
}

/// What the tuned model is called where it is told beside what it is held against.
const MODEL: &str = "model";

/// How a run ended, as `result.json` says it.
const COMPLETED: &str = "completed";
/// It was stopped, or cut off when its model was scored already.
pub(crate) const STOPPED: &str = "stopped";
/// It has no result.
const FAILED: &str = "failed";
/// It has no result yet, because its device was lost, and waits at its last checkpoint.
pub(crate) const PAUSED: &str = "paused";

/// A run whose device was lost.
struct Lost {
    /// Steps that are on disk.
    step: usize,
    /// What happened, and how to go on.
    why: Both,
}

impl Lost {
    /// Where a run waits, if its device was lost and it has a checkpoint to go on from. All that the host held of the run is on
    /// disk by then: the last checkpoint, which is a copy of the device's memory from before it was lost. `others` are further
    /// devices to go on with.
    fn of(failure: &Failure, record: &RunFile, out: &Path, others: &[String]) -> Option<Self> {
        if failure.kind != Became::Lost {
            return None;
        }
        devices::lose(&record.device.id);
        let step = checkpoint::latest(&out.join(CHECKPOINTS)).0?.progress.steps;
        let why = Both::of(|| {
            let DeviceRecord { id, name, .. } = &record.device;
            let also = match others {
                [] => String::new(),
                some => say!("; {} can go on with it, too", "; anche {} può proseguire", some.join(", ")),
            };
            say!(
                "the device {id} ({name}) was lost while it computed ({}), and the run waits at step {step}, where it was last saved{also}; \
                 to go on with the run on another device, name it: lapidary resume {} --device cpu",
                "il dispositivo {id} ({name}) è andato perso mentre calcolava ({}), e l’esecuzione aspetta al passo {step}, l’ultimo salvato{also}; \
                 per proseguire l’esecuzione su un altro dispositivo, indicalo: lapidary resume {} --device cpu",
                failure.what,
                typed(out)
            )
        });
        Some(Self { step, why })
    }
}

/// What is told of a run that does not fit its device, whatever was made smaller.
fn no_room(record: &RunFile, out: &Path, failure: &Failure) -> String {
    let DeviceRecord { id, name, .. } = &record.device;
    let how = if checkpoint::list(&out.join(CHECKPOINTS)).is_empty() {
        say!("; choose another with --device", "; scegline un altro con --device")
    } else {
        say!(
            "; to go on with the run on another device, name it: lapidary resume {} --device cpu",
            "; per proseguire l’esecuzione su un altro dispositivo, indicalo: lapidary resume {} --device cpu",
            typed(out)
        )
    };
    say!(
        "the device {id} ({name}) has too little memory for this run ({}); a smaller max_tokens needs less, and so does another program that is closed{how}",
        "il dispositivo {id} ({name}) ha troppo poca memoria per questa esecuzione ({}); ne basta meno con un max_tokens più piccolo, o chiudendo altri programmi{how}",
        failure.what
    )
}

/// Writes `run.toml`.
pub(crate) fn write_run(out: &Path, run: &RunFile) -> Result<()> {
    let text = toml::to_string(run).map_err(|e| Error::request(say!("run.toml cannot be written: {e}", "run.toml non si può scrivere: {e}")))?;
    Ok(write_atomically(&out.join("run.toml"), text.as_bytes())?)
}

pub(crate) fn write_result(out: &Path, result: &RunResult) -> Result<()> {
    let text =
        serde_json::to_string_pretty(result).map_err(|e| Error::request(say!("result.json cannot be written: {e}", "result.json non si può scrivere: {e}")))?;
    Ok(write_atomically(&out.join("result.json"), text.as_bytes())?)
}

/// Examples by label, or entities by type.
fn counts(examples: &[Example]) -> BTreeMap<String, usize> {
    let mut out = BTreeMap::new();
    for example in examples {
        let label = Some(example.label()).filter(|label| !label.is_empty());
        for name in label.into_iter().chain(example.spans().iter().map(|span| span.kind.as_str())) {
            *out.entry(name.to_string()).or_default() += 1;
        }
    }
    out
}

/// The part of a data set that a run is scored on: the test set, or the validation set without one.
pub(crate) fn evaluated(set: &DataSet) -> Option<Split> {
    [Split::Test, Split::Validation].into_iter().find(|s| !set.examples(*s).is_empty())
}

/// What the tuned model said of the examples that a run is scored on.
struct Scored {
    split: Split,
    scorer: Scorer,
    said: Vec<Answer>,
    predictions: Vec<Prediction>,
}

/// The files of the database that a set's queries are about; none for other tasks.
fn database_files(set: &DataSet) -> Result<Vec<&Path>> {
    if set.kind == Kind::Sql { task::database(set) } else { Ok(Vec::new()) }
}

/// How long answering may go on untold at least.
const BEAT: Duration = Duration::from_millis(500);
/// And at least this part of the time that it has taken so far: what is told is written down, and of hours that is not to be more than
/// of minutes.
const PART: u32 = 100;

/// Answers to texts, with how far they are; none if it was stopped.
fn answers(
    answerer: &Answerer<'_>,
    (tuned, mode): (Option<&Tuned>, Mode),
    texts: &[&str],
    system: &str,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(Event),
) -> Result<Option<Vec<Answer>>> {
    let (begun, of, mut next) = (Instant::now(), texts.len(), Duration::ZERO);
    answerer.answer_until(tuned, texts, mode, stop, &mut |done| {
        let taken = begun.elapsed();
        if done == of || taken >= next {
            next = taken + BEAT.max(taken / PART);
            tell(Event::Answering { system: system.into(), done, of, seconds: taken.as_secs_f64() });
        }
    })
}

/// Scores of the tuned model on the test set (the validation set without one), and the predictions; none if there is
/// nothing to score it on, or it was stopped.
fn score(
    result: &mut RunResult,
    p: &Prepared,
    answerer: &Answerer<'_>,
    tuned: &Tuned,
    (out, stop): (&Path, &AtomicBool),
    tell: &mut dyn FnMut(Event),
) -> Result<Option<Scored>> {
    calibrate::forget(out)?;
    let Some(split) = evaluated(&p.set) else { return Ok(None) };
    let examples = p.set.examples(split);
    let texts: Vec<&str> = examples.iter().map(|e| e.text.as_str()).collect();
    let mut scorer = Scorer::new(p.task.kind, examples, p.task.labels.clone(), &database_files(&p.set)?)?.under(p.task.json_schema.clone());
    let Some(said) = answers(answerer, (Some(tuned), Mode::Best), &texts, MODEL, stop, tell)? else { return Ok(None) };
    let (metrics, predictions) = scorer.score(examples, &said)?;
    save_predictions(&out.join(PREDICTIONS), &predictions)?;
    result.evaluated_on = split.name().into();
    result.metrics = Some(metrics);
    Ok(Some(Scored { split, scorer, said, predictions }))
}

/// What the scores of a run are shown and held against: a map of the examples, the calibration, free answers, and the baselines.
/// None of it is worth waiting for before the scores are told, nor losing them for: what cannot be had, such as the answer of an
/// untuned model to a text that its prompt has no room for, is told and left out, and a stop leaves out the rest.
struct Compared<'a> {
    result: &'a mut RunResult,
    p: &'a Prepared,
    answerer: &'a Answerer<'a>,
    tuned: &'a Tuned,
    library: &'a Library,
    out: &'a Path,
    stop: &'a AtomicBool,
}

impl Compared<'_> {
    /// Tells what the result is without, where that could not be had; on a device that was lost nothing is begun any more.
    fn left_out(&self, tell: &mut dyn FnMut(Event), [english, italian]: [&str; 2], outcome: Result<()>) {
        if let Err(e) = outcome {
            if Failure::of_error(&e).kind == Became::Lost {
                devices::lose(&self.p.device.id);
            }
            tell(Event::warning(|| say!("the result is without {english}: {e}", "il risultato è senza {italian}: {e}")));
        }
    }

    /// Tells the scores of the run, asks for all of it, and tells what comes of the untuned model and what is left out. The result
    /// on disk becomes whole as it comes in.
    fn with(&mut self, scored: Scored, tell: &mut dyn FnMut(Event)) {
        let Scored { split, mut scorer, said, mut predictions } = scored;
        let p = self.p;
        let examples = p.set.examples(split);
        let texts: Vec<&str> = examples.iter().map(|e| e.text.as_str()).collect();
        if let Some(own) = &self.result.metrics {
            tell(self.told(MODEL, own, false));
        }
        self.left_out(tell, ["a map of the examples", "una mappa degli esempi"], caught(|| self.place(&texts, &mut predictions)));
        if split == Split::Test {
            let calibrated = caught(|| self.calibrate(&said, &mut predictions, tell));
            self.left_out(tell, ["a calibration", "una calibrazione"], calibrated);
        }
        if predictions.iter().any(|p| p.place.is_some() || p.calibrated.is_some()) {
            let saved = save_predictions(&self.out.join(PREDICTIONS), &predictions);
            self.left_out(tell, ["places and calibrated probabilities", "posizioni e probabilità calibrate"], saved);
        }
        for (name, answers) in baseline::all(p.task.kind, p.set.examples(Split::Train), &texts) {
            let answers: Vec<Answer> = answers.into_iter().map(Answer::from).collect();
            let scored = scorer.score(examples, &answers).map(|(scores, _)| drop(self.result.baselines.insert(name.into(), scores)));
            let [english, italian] = [Lang::English, Lang::Italian].map(|lang| article(name, p.task.kind.name(), lang));
            self.left_out(tell, [&english, &italian], scored);
        }
        // where nothing constrains a custom task, its free answers are those that were scored
        if p.recipe.method.writes() && p.task.constrained() {
            let free = caught(|| self.free(examples, &texts, &mut scorer, &said, &mut predictions, tell));
            self.left_out(tell, ["free answers", "risposte libere"], free);
        }
        // what there is can be looked at while the untuned model is asked, which takes longest
        self.left_out(tell, ["what it is held against", "ciò con cui si confronta"], write_result(self.out, self.result));
        let asked = untuned::asked(examples);
        for (name, mode, called) in untuned::ways(self.answerer) {
            let found = caught(|| self.untuned((name, mode), &asked, &mut scorer, tell));
            let had = found.and_then(|found| {
                let Some((scores, remembered)) = found else { return Ok(()) };
                let event = self.told(name, &scores, remembered);
                self.result.baselines.insert(name.into(), scores);
                write_result(self.out, self.result)?;
                tell(event);
                Ok(())
            });
            self.left_out(tell, called, had);
        }
        if let Some((called, why)) = untuned::unshown(self.answerer) {
            self.left_out(tell, called, Err(why));
        }
    }

    /// Scores what the tuned model says where nothing holds it to the form of an answer, and how far that is from what it said. Nothing
    /// is noted if it was stopped.
    fn free(
        &mut self,
        examples: &[Example],
        texts: &[&str],
        scorer: &mut Scorer,
        said: &[Answer],
        predictions: &mut [Prediction],
        tell: &mut dyn FnMut(Event),
    ) -> Result<()> {
        let Some(answers) = answers(self.answerer, (Some(self.tuned), Mode::Free), texts, "free", self.stop, tell)? else { return Ok(()) };
        let (scores, scored) = scorer.score(examples, &answers)?;
        self.result.free_difference = Some(task::difference(examples, (&answers[..], &scored[..]), (said, &*predictions)));
        self.result.metrics_free = Some(scores);
        for (own, free) in predictions.iter_mut().zip(&scored) {
            own.free_score = Some(free.score);
        }
        save_predictions(&self.out.join(PREDICTIONS), predictions)
    }

    /// That a system was scored.
    fn told(&self, system: &str, scores: &Metrics, remembered: bool) -> Event {
        let of = self.result.metrics.as_ref().map_or(0, Metrics::examples);
        let (metrics, examples) = (scores.shares(), scores.examples());
        Event::Scored { step: self.result.train.steps, system: system.into(), metrics, examples, of, remembered }
    }

    /// What the untuned model scores where it is asked in one of the ways, and whether that was known from an earlier run. `None`
    /// if it was stopped.
    fn untuned(&self, (name, mode): (&str, Mode), examples: &[Example], scorer: &mut Scorer, tell: &mut dyn FnMut(Event)) -> Result<Option<(Metrics, bool)>> {
        let key = untuned::key(self.p, &self.result.model, self.answerer, examples, mode)?;
        if let Some(scores) = untuned::recall(self.library, &key) {
            return Ok(Some((scores, true)));
        }
        let texts: Vec<&str> = examples.iter().map(|e| e.text.as_str()).collect();
        let Some(answers) = answers(self.answerer, (None, mode), &texts, name, self.stop, tell)? else { return Ok(None) };
        let (scores, _) = scorer.score(examples, &answers)?;
        if let Err(e) = untuned::remember(self.library, &key, &scores) {
            tell(Event::warning(|| {
                say!(
                    "what the untuned model scored is not remembered for later runs: {e}",
                    "il punteggio del modello non addestrato non è ricordato per le esecuzioni future: {e}"
                )
            }));
        }
        Ok(Some((scores, false)))
    }

    /// Notes where the texts lie on a map that the untuned model makes of them.
    fn place(&self, texts: &[&str], predictions: &mut [Prediction]) -> Result<()> {
        let places = vectors::places(&self.p.model, &self.p.tokenizer, texts, self.stop)?;
        for (prediction, place) in predictions.iter_mut().zip(places.into_iter().flatten()) {
            prediction.place = place;
        }
        Ok(())
    }

    /// Calibrates the probabilities of a test set's answers on the validation set, where it has examples enough.
    fn calibrate(&self, said: &[Answer], predictions: &mut [Prediction], tell: &mut dyn FnMut(Event)) -> Result<()> {
        let p = self.p;
        let validation = p.set.examples(Split::Validation);
        if !calibrate::possible(p.task.kind) || validation.len() < calibration::FEWEST {
            return Ok(());
        }
        let texts: Vec<&str> = validation.iter().map(|e| e.text.as_str()).collect();
        let Some(answers) = answers(self.answerer, (Some(self.tuned), Mode::Best), &texts, "calibration", self.stop, tell)? else { return Ok(()) };
        let mut scorer = Scorer::new(p.task.kind, validation, p.task.labels.clone(), &database_files(&p.set)?)?.under(p.task.json_schema.clone());
        let (_, scored) = scorer.score(validation, &answers)?;
        // validation answers that settle nothing leave the run without a calibration, which is no fault of it
        if let Ok(fitted) = Calibration::fit(&calibrate::judged(&p.task, &answers, &scored), calibrate::WANTED) {
            let test = calibrate::judged(&p.task, said, predictions);
            calibrate::save(self.out, &calibrate::measured(fitted, &test, predictions))?;
        }
        Ok(())
    }
}

/// Makes the folder in which a file will be written: before the work, so that nobody learns only after it that the place is wrong.
///
/// # Errors
/// If there is a folder at its path, or none can be made for it.
pub fn room_for(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Err(Error::io(path, std::io::ErrorKind::IsADirectory.into()));
    }
    match path.parent() {
        Some(folder) => std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e)),
        None => Ok(()),
    }
}

/// Writes predictions, one JSON object a line.
///
/// # Errors
/// If the disk refuses.
pub fn save_predictions(path: &Path, predictions: &[Prediction]) -> Result<()> {
    let mut text = String::new();
    for prediction in predictions {
        text += &serde_json::to_string(prediction)
            .map_err(|e| Error::request(say!("a prediction cannot be written: {e}", "una risposta non si può scrivere: {e}")))?;
        text.push('\n');
    }
    Ok(write_atomically(path, text.as_bytes())?)
}

/// A value of few words as files have it.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(String::from)).unwrap_or_default()
}

/// The files of a data set by the part that each plays, and the changes to it, which a run keeps in its folder.
fn files_of(set: &DataSet, changes: Option<&str>, out: &Path) -> Result<BTreeMap<String, FileRecord>> {
    let files = set.splits.iter().map(|(split, file)| {
        let record = FileRecord { path: file.path.display().to_string(), sha256: file.sha256.clone(), count: file.examples.len() as u64 };
        (split.name().to_string(), record)
    });
    let file = |(role, path): (&str, &Option<PathBuf>)| -> Result<Option<(String, FileRecord)>> {
        let Some(path) = path else { return Ok(None) };
        let count = std::fs::metadata(path).map_err(|e| Error::io(path, e))?.len();
        Ok(Some((role.to_string(), FileRecord { path: path.display().to_string(), sha256: data::set::sha256(path)?, count })))
    };
    let mut files: BTreeMap<String, FileRecord> = files.collect();
    if set.kind == Kind::Sql {
        for database in [("schema", &set.schema), ("seed", &set.seed), ("database", &set.database)] {
            files.extend(file(database)?);
        }
    }
    if set.kind == Kind::Custom {
        files.extend(file(("json_schema", &set.schema))?);
    }
    if let Some(changes) = changes {
        let path = std::path::absolute(out.join(CHANGES)).map_err(|e| Error::io(out, e))?;
        let sha256 = data::set::sha256_of(changes.as_bytes());
        files.insert(CHANGED.into(), FileRecord { path: path.display().to_string(), sha256, count: changes.lines().count() as u64 });
    }
    Ok(files)
}

/// What runs of a request read: what an earlier run must have read, too, if its result is to be believed.
pub(crate) struct Sources {
    files: BTreeMap<String, FileRecord>,
    columns: Columns,
    skip_bad_rows: bool,
    model: ModelRecord,
}

impl Sources {
    /// Reads the data of a request and looks up its model.
    ///
    /// # Errors
    /// If either cannot be read.
    pub fn read(home: &Home, request: &Request) -> Result<(Self, DataSet)> {
        let (mut set, changes, _) = data_of(home, request, false, &AtomicBool::new(false))?;
        if request.trial {
            set.splits.remove(&Split::Test);
        }
        let weights = Weights::open(&models::find(home, &request.model)?)?;
        let sources = Self {
            files: files_of(&set, changes.as_deref(), &request.out)?,
            columns: request.data.columns.or_card(&set.card.columns),
            skip_bad_rows: request.data.skip_bad_rows,
            model: models::record(&Library::open(home)?, &request.model, &weights)?,
        };
        Ok((sources, set))
    }

    /// What an earlier run, which was made by `request`, read otherwise: the file, for people.
    pub fn differ_from(&self, run: &RunFile, request: &Request) -> Option<String> {
        let changed = |role: &&String| self.files.get(*role).map(|f| &f.sha256) != run.data.files.get(*role).map(|f| &f.sha256);
        if let Some(role) = self.files.keys().chain(run.data.files.keys()).find(changed) {
            return Some(self.files.get(role).or(run.data.files.get(role)).map_or_else(|| role.clone(), |f| f.path.clone()));
        }
        if self.columns != request.data.columns || self.skip_bad_rows != request.data.skip_bad_rows {
            return Some(say!("the choice of columns and rows", "la scelta di colonne e righe"));
        }
        (!self.model.has_the_files_of(&run.model)).then(|| self.model.name.clone())
    }
}

/// What is recorded of a run before it begins; `watch` is told of the bytes of the model where they must be hashed.
fn describe(library: &Library, request: &Request, p: &Prepared, watch: data::watch::Watch<'_>) -> Result<RunFile> {
    let files = files_of(&p.set, p.changes.as_deref(), &request.out)?;
    // the files alone may be read again elsewhere, without the card that says what their columns are
    let columns = request.data.columns.or_card(&p.set.card.columns);
    let request = Request { data: Source { columns, ..request.data.clone() }, ..request.clone() };
    Ok(RunFile {
        task: request.task.clone(),
        method: p.recipe.method.name().into(),
        seed: request.seed,
        started: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        version: crate::VERSION.into(),
        command: request.command.clone(),
        model: models::record_with(library, &request.model, &p.weights, watch)?,
        data: DataRecord {
            name: p.set.card.name.clone(),
            license: p.set.card.license.clone(),
            language: p.set.card.language.clone(),
            description: p.set.card.description.clone(),
            how_it_was_made: p.set.card.how_it_was_made.clone(),
            labels: p.task.labels.names().to_vec(),
            tables: p.task.tables.clone(),
            json_schema: p.task.json_schema.as_ref().map(|s| s.text().to_string()),
            lengths: None,
            counts: BTreeMap::new(),
            files,
            reference: p.set.card.reference.clone(),
        },
        device: DeviceRecord {
            id: p.device.id.clone(),
            name: p.device.name.clone(),
            parity: (p.device.kind != device::Kind::Cpu).then(|| word(&p.device.parity)),
            parity_detail: Some(p.device.detail.clone()).filter(|detail| !detail.is_empty() && p.device.kind != device::Kind::Cpu),
            kind: word(&p.device.kind),
            api: p.device.api.clone(),
            driver: p.device.driver.clone(),
        },
        settings: p.recipe.to_table()?,
        request: toml::Table::try_from(&request)
            .map_err(|e| Error::request(say!("the request cannot be written: {e}", "la richiesta non si può scrivere: {e}")))?,
    })
}

/// The answers of a run, a JSON object a line.
const PREDICTIONS: &str = "predictions.jsonl";
/// Folder of the checkpoints in a run folder; gone once the run is completed.
pub(crate) const CHECKPOINTS: &str = "checkpoints";
/// The changes that were made to the data before the run, a JSON object a line.
const CHANGES: &str = "changes.jsonl";
/// While this file is in a run folder, the run waits.
pub(crate) const PAUSE: &str = "pause";

/// While this file is in the folder of a run that a process holds, its training is over and its model is being scored.
pub(crate) const SCORING: &str = "scoring";

/// Says so as long as it lives.
struct Scoring(PathBuf);

impl Scoring {
    fn begin(out: &Path) -> Self {
        let path = out.join(SCORING);
        // only others look at it: a disk that takes no empty file must not cost the scores
        let _ = std::fs::write(&path, b"");
        Self(path)
    }
}

impl Drop for Scoring {
    fn drop(&mut self) {
        // what stays behind says nothing once nobody holds the folder
        let _ = std::fs::remove_file(&self.0);
    }
}

impl GoingOn {
    /// Is what the run would read now what it read then?
    fn same(&self, now: &RunFile) -> Result<()> {
        if !now.model.has_the_files_of(&self.record.model) {
            return Err(Error::request(say!(
                "the model {} has changed since the run began; restore it, or train again",
                "il modello {} è cambiato dall’inizio dell’esecuzione; ripristinalo, oppure ripeti l’addestramento",
                now.model.name
            )));
        }
        for (split, then) in &self.record.data.files {
            if now.data.files.get(split).map(|f| &f.sha256) != Some(&then.sha256) {
                return Err(Error::request(say!(
                    "{} has changed since the run began; restore it, or train again",
                    "{} è cambiato dall’inizio dell’esecuzione; ripristinalo, oppure ripeti l’addestramento",
                    then.path
                )));
            }
        }
        Ok(())
    }
}

/// Held while a process trains into a run folder; the system lets go of it when the process ends, however it ends.
pub(crate) struct RunLock(#[expect(dead_code, reason = "the lock lives as long as the open file")] std::fs::File);

impl RunLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// If another process holds it.
    pub fn take(folder: &Path) -> Result<Self> {
        let path = folder.join("lock");
        let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(|e| Error::io(&path, e))?;
        let taken = file.try_lock().or_else(|_| {
            // who asks whether it is held holds it for a moment
            std::thread::sleep(std::time::Duration::from_millis(20));
            file.try_lock()
        });
        match taken {
            Ok(()) => Ok(Self(file)),
            Err(std::fs::TryLockError::WouldBlock) => Err(Error::request(say!(
                "{} is being trained by another process; wait for it, or stop it first",
                "{} è in addestramento in un altro processo; aspettalo, oppure fermalo prima",
                folder.display()
            ))),
            Err(std::fs::TryLockError::Error(e)) => Err(Error::io(&path, e)),
        }
    }

    /// Whether a process trains into a run folder.
    pub fn is_held(folder: &Path) -> bool {
        std::fs::File::open(folder.join("lock")).is_ok_and(|file| matches!(file.try_lock_shared(), Err(std::fs::TryLockError::WouldBlock)))
    }
}

/// `events.jsonl`, a line as each event happens.
struct EventLog {
    path: PathBuf,
    file: std::fs::File,
    steps: usize,
}

impl EventLog {
    /// Opens the log of a run folder at its end; a last line that a crash tore off is removed.
    fn open(out: &Path) -> Result<Self> {
        let path = out.join("events.jsonl");
        let fail = |e| Error::io(&path, e);
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&path).map_err(fail)?;
        let written = std::fs::read(&path).map_err(fail)?;
        let whole = written.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        if whole < written.len() {
            file.set_len(whole as u64).map_err(fail)?;
        }
        Ok(Self { path, file, steps: 0 })
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        if let Event::Step { step, .. } = event {
            self.steps = *step;
        }
        let mut line =
            serde_json::to_string(event).map_err(|e| Error::request(say!("an event cannot be written: {e}", "un evento non si può scrivere: {e}")))?;
        line.push('\n');
        self.file.write_all(line.as_bytes()).map_err(|e| Error::io(&self.path, e))
    }
}

/// The trainer's observer: logs, validates, saves.
struct Watch<'a> {
    out: &'a Path,
    log: EventLog,
    writer: checkpoint::Writer,
    stop: &'a AtomicBool,
    on_event: &'a mut dyn FnMut(&Event),
    answerer: &'a Answerer<'a>,
    examples: &'a [Example],
    validation: &'a [Encoded],
    /// Rows that are read at a time, as it was last told.
    at_once: usize,
    base: &'a str,
    meter: Option<Meter>,
    /// When this process began with the run.
    begun: Instant,
    /// How long after that its first step was done.
    first_step_seconds: Option<f64>,
    /// The most that was held of a graphics device's memory after a step.
    device_memory_bytes: Option<u64>,
}

/// Validation examples that are answered at every evaluation for a person to read.
pub(crate) const SAMPLES: usize = 4;

/// Answers that must be alike before that tells something: of two kinds four are by chance once in eight times, and two every
/// other time.
const TELLING: usize = 4;

impl Watch<'_> {
    /// The same few examples every time, from all over the validation set, with what the model says of them now: out of the
    /// `answers` to all of them, or freely where there are none, which shows what a constraint would hide.
    fn samples(&self, tuned: &Tuned, answers: &[Answer]) -> Result<Vec<Sample>> {
        let count = self.examples.len().min(SAMPLES);
        let chosen: Vec<usize> = (0..count).map(|i| i * self.examples.len() / count).collect();
        let said = if answers.is_empty() {
            let texts: Vec<&str> = chosen.iter().map(|&i| self.examples[i].text.as_str()).collect();
            self.answerer.answer(Some(tuned), &texts, Mode::Free)?
        } else {
            chosen.iter().filter_map(|&i| answers.get(i).cloned()).collect()
        };
        let sample = |(&i, said): (&usize, Answer)| {
            let example = &self.examples[i];
            Sample {
                input: example.text.clone(),
                expected: answer::show(&example.target),
                right: said.answer.as_ref() == Ok(&example.target),
                answer: said.answer.as_ref().ok().map(answer::show),
                output: said.output,
            }
        };
        Ok(chosen.iter().zip(said).map(sample).collect())
    }

    /// Tells that fewer rows are read at a time than before, if they are.
    fn tell_rows(&mut self) {
        let (before, now) = (self.at_once, self.answerer.at_once());
        if now < before {
            self.at_once = now;
            self.event(Event::warning(|| {
                say!(
                    "the device has no memory to read {before} rows at a time for an evaluation; from here on it reads {now}",
                    "il dispositivo non ha memoria per leggere {before} righe per volta in una valutazione; da qui in poi ne legge {now}"
                )
            }));
        }
    }

    /// Waits until the checkpoints are on disk.
    fn finish_checkpoints(&mut self) {
        for message in self.writer.finish() {
            self.event(Event::Warning { message, told: None });
        }
    }
}

impl Observer for Watch<'_> {
    fn event(&mut self, mut event: Event) {
        if let Event::Step { first_step_seconds, device_memory_bytes, .. } = &mut event {
            self.device_memory_bytes = self.device_memory_bytes.max(*device_memory_bytes);
            if self.first_step_seconds.is_none() {
                self.first_step_seconds = Some(self.begun.elapsed().as_secs_f64());
                *first_step_seconds = self.first_step_seconds;
            }
            if let Some(meter) = &mut self.meter {
                meter.sample();
            }
        }
        // a full disk must not end a run whose weights can still be kept; the listener hears of it
        if let Err(e) = self.log.write(&event) {
            (self.on_event)(&Event::warning(|| say!("an event could not be written: {e}", "un evento non si è potuto scrivere: {e}")));
        }
        (self.on_event)(&event);
    }

    fn validate(&mut self, tuned: &Tuned) -> gemma::Result<Option<Validation>> {
        if self.examples.is_empty() {
            return Ok(None);
        }
        let fail = |e: Error| gemma::Error::Request(e.to_string());
        let (mut sum, mut targets, mut speaking, mut silent) = (0.0, 0, 0, 0);
        let mut answers: Vec<Option<Answer>> = vec![None; self.examples.len()];
        for rows in data::batch::sorted(self.validation) {
            if tuned.head.is_some() {
                // one pass gives the loss and the answers
                for (&row, p) in rows.iter().zip(self.answerer.classify(tuned, self.validation, &rows)?) {
                    for (p, mark) in p.iter().zip(&self.validation[row].marks) {
                        sum -= f64::from(p[mark.class as usize].max(f32::MIN_POSITIVE)).ln();
                    }
                    targets += p.len();
                    answers[row] = Some(self.answerer.decide(&self.examples[row].text, &p));
                }
            } else {
                for seen in self.answerer.evaluate(tuned, self.validation, &rows)? {
                    sum += seen.sum;
                    targets += seen.targets;
                    speaking += seen.speaking;
                    silent += seen.silent;
                }
            }
        }
        // a label is soon written; longer answers would cost more than they tell beside the loss
        if tuned.head.is_none() && self.answerer.kind() == Kind::Intent {
            let texts: Vec<&str> = self.examples.iter().map(|e| e.text.as_str()).collect();
            answers = self.answerer.answer(Some(tuned), &texts, Mode::Best).map_err(fail)?.into_iter().map(Some).collect();
        }
        let answers: Vec<Answer> = answers.into_iter().flatten().collect();
        // they are for a person to read: what cannot be answered ends no run, and a lost device shows in the next step
        let samples = self.samples(tuned, &answers).unwrap_or_default();
        self.tell_rows();
        let alike = answers.len() >= TELLING && answers.windows(2).all(|pair| pair[0].answer == pair[1].answer);
        let differ = self.examples.windows(2).any(|pair| pair[0].target != pair[1].target);
        // where not all were answered, the few that were stand for them
        let collapsed = (alike && differ) || (answers.is_empty() && say_the_same(&samples));
        let silent = (speaking > 0 && silent == speaking) || (answers.is_empty() && say_nothing(&samples));
        let main = match answers.is_empty() {
            true => None,
            false => Some(self.answerer.main(self.examples, &answers).map_err(fail)?),
        };
        let loss = sum / targets.max(1) as f64;
        // Two dozen messages make accuracy a coarse and noisy judge (five dozen sentences the F1), and a head's log-loss
        // is over the very answers; a completion's loss is over tokens of labels that the constraint rules out anyway.
        let score = if tuned.head.is_some() { -loss } else { main.map_or(-loss, |(_, accuracy)| accuracy) };
        let metrics = main.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
        Ok(Some(Validation { loss, metrics, score, collapsed, silent, samples }))
    }

    fn save(&mut self, tuned: &Tuned, _step: usize) -> gemma::Result<String> {
        save_trained(self.out, tuned, self.base)
    }

    fn checkpoint(&mut self, snapshot: Snapshot) -> Option<String> {
        for message in self.writer.submit(snapshot) {
            self.event(Event::Warning { message, told: None });
        }
        Some(CHECKPOINTS.into())
    }

    fn command(&mut self) -> Command {
        if self.stop.load(Ordering::Relaxed) {
            Command::Stop
        } else if self.out.join(PAUSE).exists() {
            Command::Pause
        } else {
            Command::Go
        }
    }
}

/// Whether free answers are all the same where different ones are expected, and more of them are wrong than right by chance.
fn say_the_same(samples: &[Sample]) -> bool {
    let differ = |of: fn(&Sample) -> &str| samples.windows(2).any(|pair| of(&pair[0]) != of(&pair[1]));
    let right = samples.iter().filter(|s| s.right).count();
    samples.len() >= TELLING && differ(|s| s.expected.as_str()) && !differ(|s| s.output.trim()) && 2 * right <= samples.len()
}

/// Whether free answers are all empty, white space aside, where not all should be.
fn say_nothing(samples: &[Sample]) -> bool {
    samples.iter().all(|s| s.output.trim().is_empty()) && samples.iter().any(|s| !s.right)
}

/// Writes what was trained into a run folder, each file at once: adapters (and head) in PEFT's layout, or weights under
/// Hugging Face names. Gives the folder within it.
fn save_trained(out: &Path, tuned: &Tuned, base: &str) -> gemma::Result<String> {
    let made = |name: &str| {
        let folder = out.join(name);
        std::fs::create_dir_all(&folder).map_err(|e| gemma::Error::io(&folder, e)).map(|()| folder)
    };
    let adapters = match &tuned.trained {
        Trained::Full(full) => {
            full.save(&made(WEIGHTS)?)?;
            return Ok(WEIGHTS.into());
        }
        Trained::Adapters(adapters) => adapters,
    };
    let folder = made(ADAPTER)?;
    TensorFile::write(&folder.join("adapter_model.safetensors"), &adapters.to_peft())?;
    if let Some(head) = &tuned.head {
        TensorFile::write(&folder.join(head::FILE), &head.to_tensors())?;
    }
    let file = folder.join("adapter_config.json");
    let text = serde_json::to_string_pretty(&adapters.peft_config(base)).map_err(|e| gemma::Error::format(&file, e.to_string()))?;
    write_atomically(&file, text.as_bytes()).map_err(|e| gemma::Error::format(&file, e.to_string()))?;
    Ok(ADAPTER.into())
}

/// The files that [`save_trained`] wrote into a run folder, by their paths within it.
fn trained_files(out: &Path) -> Result<Vec<FileRecord>> {
    let mut files = Vec::new();
    for part in [ADAPTER, WEIGHTS] {
        let folder = out.join(part);
        if !folder.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(&folder).map_err(|e| Error::io(&folder, e))? {
            let path = entry.map_err(|e| Error::io(&folder, e))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| name.ends_with(".safetensors")) else { continue };
            let count = std::fs::metadata(&path).map_err(|e| Error::io(&path, e))?.len();
            files.push(FileRecord { path: format!("{part}/{name}"), sha256: data::set::sha256(&path)?, count });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// A finished run made ready to answer.
pub struct Opened {
    folder: PathBuf,
    run: RunFile,
    recipe: Recipe,
    task: Task,
    device: device::Info,
    model: Gemma,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) tuned: Tuned,
}

/// Opens the model of a run folder on a device. The base model is found by name or path, and must
/// have the hashes that the run recorded.
///
/// # Errors
/// If the folder is incomplete or the base model is missing or another one.
pub fn open(home: &Home, folder: &Path, device: &str) -> Result<Opened> {
    open_until(home, folder, device, &AtomicBool::new(false))
}

/// As [`open`], until `stop` is set.
///
/// # Errors
/// As [`open`], or if it was stopped.
pub(crate) fn open_until(home: &Home, folder: &Path, device: &str, stop: &AtomicBool) -> Result<Opened> {
    let mut watch = waiting(stop);
    let run = RunFile::read(folder)?;
    let kind = run.task.parse::<Kind>().map_err(Error::Request)?;
    let recipe = Recipe::of_run(&run, folder)?;
    let (info, device) = devices::open_until(home, recipe.device(device), stop)?;
    let weights = base(home, &run, folder, &mut watch)?;
    let tokenizer = models::tokenizer(&weights, &mut watch)?;
    let model = recipe.load_with(weights, &info, &device, &mut watch)?;
    let body = recipe.body(&model);
    let trained = recipe.learnt(folder, body.config(), body.device())?;
    let head = match recipe.method {
        Method::Head | Method::Tagging => Some(Head::load(&folder.join(ADAPTER), body.config().hidden, recipe.view(model.config().layers), model.device())?),
        Method::Completion | Method::Full => None,
    };
    let values = sandbox(&run, folder)?.as_mut().map(Values::of).unwrap_or_default();
    let json_schema = task::schema_of(&run, folder)?;
    let task = Task { kind, labels: Labels::new(run.data.labels.clone()), tables: run.data.tables.clone(), values, json_schema };
    Ok(Opened { folder: folder.into(), task, device: info, model, tokenizer, tuned: Tuned { trained, head }, recipe, run })
}

/// The database of a run, if it has one and its files are there: a run that was copied to another machine without them
/// still answers, with the likeliest query and without the values that a question names.
fn sandbox(run: &RunFile, folder: &Path) -> Result<Option<Sandbox>> {
    let files = task::database_of(run, folder);
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    Ok(if !files.is_empty() && files.iter().all(|f| f.exists()) { Some(Sandbox::open(&files)?) } else { None })
}

/// The base model of a run, found by name or path, which must have the hashes that the run recorded. `watch` is told of its bytes
/// where they must be hashed.
///
/// # Errors
/// If it is missing, or another one, or it was ended.
pub(crate) fn base(home: &Home, run: &RunFile, folder: &Path, watch: data::watch::Watch<'_>) -> Result<Arc<Weights>> {
    let weights = models::weights(home, &run.model.name, watch)?;
    if models::record_with(&Library::open(home)?, &run.model.name, &weights, watch)?.has_the_files_of(&run.model) {
        return Ok(weights);
    }
    Err(Error::request(say!(
        "the model {} is not the one that {} was trained on (its files have another SHA-256); restore the original",
        "il modello {} non è quello su cui è stata addestrata {} (i suoi file hanno un altro SHA-256); ripristina l’originale",
        run.model.name,
        folder.display()
    )))
}

impl Opened {
    /// What was chosen for the run.
    pub fn record(&self) -> &RunFile {
        &self.run
    }

    /// The run's task.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// Does it answer by a head, which knows the probabilities of all labels?
    pub fn has_head(&self) -> bool {
        self.tuned.head.is_some()
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn answerer(&self) -> Result<Answerer<'_>> {
        let answerer = Answerer::new(&self.model, &self.tokenizer, &self.task, &self.recipe, &self.run.data.language)?;
        Ok(match sandbox(&self.run, &self.folder)? {
            Some(database) => answerer.upon(database),
            None => answerer,
        })
    }

    /// Asks something of the model, see [`remote::minding`]; that a device of this machine gave out is told as before a run.
    pub(crate) fn minding<T>(&self, asked: impl FnOnce() -> Result<T>) -> Result<T> {
        let device = self.model.device();
        remote::minding(device, None, || failure::caught(device, asked)).map_err(|e| unready(e, &self.device))
    }

    /// Whether the model is on a device that does not answer any more.
    pub(crate) fn is_lost(&self) -> bool {
        gemma::remote::lost(self.model.device()) || devices::is_lost(&self.device.id)
    }

    /// Answers texts.
    ///
    /// # Errors
    /// If a text is too long or the device fails.
    pub fn predict(&self, texts: &[&str]) -> Result<Vec<Answer>> {
        self.minding(|| self.answerer()?.answer(Some(&self.tuned), texts, Mode::Best))
    }

    /// The request that began the run.
    fn request(&self) -> Result<Request> {
        let fail =
            |e: toml::de::Error| Error::request(say!("{}: cannot be read ({e})", "{}: non si può leggere ({e})", self.folder.join("run.toml").display()));
        let request: Request = self.run.request.clone().try_into().map_err(fail)?;
        Ok(Request { out: self.folder.clone(), ..request })
    }

    /// Reads a file of examples, its columns as `columns` or else the run's own data say.
    ///
    /// # Errors
    /// If the file is missing or malformed.
    pub fn read(&self, file: &Path, columns: &Columns) -> Result<Vec<Example>> {
        let own = self.request()?.data.columns;
        Ok(data::read::examples(file, self.task.kind, if *columns == Columns::default() { &own } else { columns })?)
    }

    /// The examples of a part of the run's data: those that came with it from elsewhere, or those that it read here.
    ///
    /// # Errors
    /// If the run has no such part, or it is missing or no longer the same.
    pub fn examples(&self, home: &Home, split: Split) -> Result<Vec<Example>> {
        let none = || {
            Error::request(say!(
                "{} has no {} examples of its own; name a file of them",
                "{} non ha esempi suoi per {}; indica un file che li contenga",
                self.folder.display(),
                split.name()
            ))
        };
        let recorded = self.run.data.files.get(split.name()).ok_or_else(none)?;
        let changed = || {
            Error::request(say!(
                "{} has changed since the run began; restore it, or name a file of examples",
                "{} è cambiato dall’inizio dell’esecuzione; ripristinalo, oppure indica un file di esempi",
                recorded.path
            ))
        };
        let request = self.request()?;
        let file = task::file_of(&self.run, &self.folder, split.name()).filter(|f| *f != Path::new(&recorded.path));
        if let Some(file) = file.filter(|_| !request.edited) {
            return if data::set::sha256(&file)? == recorded.sha256 { self.read(&file, &Columns::default()) } else { Err(changed()) };
        }
        let (set, _, _) = data_of(home, &request, true, &AtomicBool::new(false))?;
        match set.splits.get(&split) {
            Some(part) if part.sha256 == recorded.sha256 => Ok(part.examples.clone()),
            _ => Err(changed()),
        }
    }

    /// Answers examples and scores the answers; queries on the database of the run.
    ///
    /// # Errors
    /// If an example is too long or has a label that the run does not know, or the device fails.
    pub fn score(&self, examples: &[Example]) -> Result<(Metrics, Vec<Prediction>, Vec<Answer>)> {
        let files = task::database_of(&self.run, &self.folder);
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        let mut scorer = Scorer::new(self.task.kind, examples, self.task.labels.clone(), &files)?.under(self.task.json_schema.clone());
        let answerer = self.answerer()?;
        answerer.encode(examples)?;
        let texts: Vec<&str> = examples.iter().map(|e| e.text.as_str()).collect();
        let said = self.minding(|| answerer.answer(Some(&self.tuned), &texts, Mode::Best))?;
        let (metrics, predictions) = scorer.score(examples, &said)?;
        Ok((metrics, predictions, said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_free_answers_tell_of_sameness_and_silence() {
        let said = |all: &[(&str, &str)]| {
            let sample = |&(expected, output): &(&str, &str)| Sample {
                input: String::new(),
                expected: expected.into(),
                output: output.into(),
                answer: None,
                right: output.trim() == expected,
            };
            let samples: Vec<Sample> = all.iter().map(sample).collect();
            (say_the_same(&samples), say_nothing(&samples))
        };
        assert_eq!(said(&[("a", "x"), ("b", " x"), ("c", "x\n"), ("d", "x")]), (true, false));
        assert_eq!(said(&[("a", "x"), ("b", "x")]), (false, false), "two may be alike by chance");
        assert_eq!(said(&[("a", "a"), ("b", "a"), ("b", "a"), ("a", "a")]), (true, false));
        // one who answers nearly all of them rightly may do so by the same word
        assert_eq!(said(&[("a", "a"), ("b", "a"), ("a", "a"), ("a", "a")]), (false, false));
        assert_eq!(said(&[("a", "x"), ("a", "x")]), (false, false), "the same is expected");
        assert_eq!(said(&[("a", "x"), ("b", "y")]), (false, false));
        assert_eq!(said(&[("a", ""), ("b", " \n"), ("c", ""), ("d", "")]), (true, true));
        assert_eq!(said(&[("a", "")]), (false, true));
        assert_eq!(said(&[("", ""), ("", " ")]), (false, false), "nothing is to be said");
        assert_eq!(said(&[]), (false, false));
    }
}
