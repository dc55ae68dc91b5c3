//! Runs: train a model on a data set into a folder, evaluate it, ask it.
//!
//! Everything that can be refused is refused before the folder is made. From then on every event is
//! written as it happens, and whatever happens `result.json` says how the run ended.

use crate::answer::{Answer, Answerer, Mode};
use crate::error::{Error, Result};
use crate::home::Home;
use crate::library::{Library, RunRow};
use crate::models;
use crate::recipe::{Method, Recipe};
use data::check::{self, Finding, Severity};
use data::set::{DataSet, Source, Split};
use data::{Encoded, Labelled};
use gemma::{Adapters, Gemma, Head, Tokenizer, Weights, device, head};
use report::record::{DataRecord, DeviceRecord, FileRecord, Prediction, Run, RunFile, RunResult, TrainRecord, write_atomically};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tasks::intent::{self, Labels};
use tasks::{Classification, score};
use train::{Event, Observer, Tuned, Validation};

/// What a person chose.
#[derive(Clone, Debug)]
pub struct Request {
    /// Task name.
    pub task: String,
    /// Where the data is.
    pub data: Source,
    /// Name or path of the base model.
    pub model: String,
    /// `auto`, `completion` or `head`.
    pub method: String,
    /// Device id.
    pub device: String,
    /// A recipe file instead of the task's own.
    pub recipe: Option<PathBuf>,
    /// Single settings, `key=value`.
    pub set: Vec<String>,
    /// Seed of everything random.
    pub seed: u64,
    /// Run folder to make.
    pub out: PathBuf,
    /// The command that repeats the run.
    pub command: String,
}

/// Only the intent task is built so far.
fn known_task(task: &str) -> Result<()> {
    if task == intent::NAME { Ok(()) } else { Err(Error::request(format!("`{task}` is no task that this version trains; use {}", intent::NAME))) }
}

/// Reads and checks a data set; the findings are for a person to read.
///
/// # Errors
/// If a file is missing or malformed.
pub fn check_data(task: &str, source: &Source) -> Result<(DataSet, Vec<Finding>)> {
    known_task(task)?;
    let set = DataSet::open(source)?;
    let findings = check::labelled(&set);
    Ok((set, findings))
}

/// Everything a run needs, loaded and checked.
struct Prepared {
    recipe: Recipe,
    set: DataSet,
    labels: Labels,
    model: Gemma,
    tokenizer: Tokenizer,
    device: device::Info,
    weights: Arc<Weights>,
    findings: Vec<Finding>,
}

fn prepare(home: &Home, request: &Request) -> Result<Prepared> {
    let recipe = Recipe::resolve(request.recipe.as_deref(), &request.method, &request.set)?;
    let (set, findings) = check_data(&request.task, &request.data)?;
    if set.examples(Split::Train).is_empty() {
        return Err(Error::request("no training examples; name a file with --train, or a folder with --data"));
    }
    if let Some(error) = findings.iter().find(|f| f.severity == Severity::Error) {
        return Err(Error::request(format!("{}: {}", error.rows.first().map_or("the data set", String::as_str), error.message)));
    }
    if request.out.exists() && std::fs::read_dir(&request.out).map_err(|e| Error::io(&request.out, e))?.next().is_some() {
        return Err(Error::request(format!("{} already holds files; choose another folder with --out", request.out.display())));
    }
    let (info, device) = device::open(&request.device)?;
    let weights = Arc::new(Weights::open(&models::find(home, &request.model)?)?);
    let tokenizer = Tokenizer::open(&weights)?;
    let model = Gemma::load(weights.clone(), &device)?;
    let labels = Labels::of(set.examples(Split::Train));
    Ok(Prepared { recipe, set, labels, model, tokenizer, device: info, weights, findings })
}

/// Trains a model into `request.out` and evaluates it.
///
/// # Errors
/// If something is refused before the run begins (nothing is written then), or the run fails (the
/// folder then says how).
pub fn train(home: &Home, request: &Request, on_event: &mut dyn FnMut(&Event), stop: &AtomicBool) -> Result<RunResult> {
    let p = prepare(home, request)?;
    let answerer = Answerer::new(&p.model, &p.tokenizer, &p.labels, &p.recipe, &p.set.card.language)?;
    let encoded = answerer.encode(p.set.examples(Split::Train))?;
    let validation = answerer.encode(p.set.examples(Split::Validation))?;
    answerer.encode(p.set.examples(Split::Test))?;
    let body = answerer.body();
    let adapters = Adapters::new(p.recipe.lora.clone(), body.config(), request.seed, body.device())?;
    let head = match p.recipe.method {
        Method::Head => Some(train::step::fit_head(body, &encoded, p.labels.names().len(), p.recipe.view(p.model.config().layers), p.recipe.ridge)?),
        Method::Completion => None,
    };
    let mut tuned = Tuned { adapters, head };
    let library = Library::open(home)?;
    let record = describe(&library, request, &p)?;

    std::fs::create_dir_all(&request.out).map_err(|e| Error::io(&request.out, e))?;
    let out = request.out.canonicalize().map_err(|e| Error::io(&request.out, e))?;
    let text = toml::to_string(&record).map_err(|e| Error::request(format!("run.toml cannot be written: {e}")))?;
    write_atomically(&out.join("run.toml"), text.as_bytes())?;
    let row = |status: &str, accuracy| RunRow {
        path: out.clone(),
        task: record.task.clone(),
        method: record.method.clone(),
        status: status.into(),
        accuracy,
        started: record.started.clone(),
    };
    library.put_run(&row("running", None))?;

    let mut watch = Watch {
        out: &out,
        log: EventLog::create(&out)?,
        on_event,
        answerer: &answerer,
        model: body,
        examples: p.set.examples(Split::Validation),
        validation: &validation,
        base: &record.model.name,
    };
    let steps = p.recipe.train.epochs * encoded.len().div_ceil(p.recipe.train.batch * p.recipe.train.accumulate);
    let trainable = tuned.parameters();
    watch.event(Event::Started {
        task: record.task.clone(),
        method: record.method.clone(),
        device: record.device.id.clone(),
        steps,
        trainable,
        examples: encoded.len(),
    });
    for finding in &p.findings {
        watch.event(Event::Warning { message: format!("{} ({})", finding.message, finding.rows.first().map_or("", String::as_str)) });
    }
    let outcome = train::train(body, tuned, &encoded, &p.recipe.train, request.seed, &mut watch, stop);
    let blank = |status: &str, train: TrainRecord| RunResult {
        task: record.task.clone(),
        method: record.method.clone(),
        status: status.into(),
        metrics: None,
        evaluated_on: String::new(),
        metrics_free: None,
        baselines: BTreeMap::new(),
        train,
        model: record.model.clone(),
        data: record.data.clone(),
        device: record.device.clone(),
        version: crate::VERSION.into(),
        error: None,
    };
    let finished = outcome.map_err(Error::from).and_then(|outcome| {
        let o = &outcome;
        let train = TrainRecord {
            seconds: o.seconds,
            steps: o.steps,
            tokens: o.tokens,
            tokens_per_second: if o.step_seconds > 0.0 { o.tokens as f64 / o.step_seconds } else { 0.0 },
            supervised_tokens: o.targets,
            peak_memory_bytes: train::memory::peak(),
            final_loss: o.final_loss,
            best_step: o.best_step,
        };
        let mut result = blank(if o.stopped { "stopped" } else { "completed" }, train);
        measure(&mut result, &p, &answerer, &outcome.tuned, &out)?;
        Ok(result)
    });
    match finished {
        Ok(result) => {
            write_result(&out, &result)?;
            library.put_run(&row(&result.status, result.metrics.as_ref().map(|m| m.accuracy)))?;
            watch.event(Event::Completed {
                step: result.train.steps,
                status: result.status.clone(),
                seconds: result.train.seconds,
                metrics: headline(&result),
            });
            Ok(result)
        }
        Err(error) => {
            let step = watch.log.steps;
            let mut result = blank("failed", TrainRecord { steps: step, peak_memory_bytes: train::memory::peak(), ..TrainRecord::default() });
            result.error = Some(error.to_string());
            write_result(&out, &result)?;
            library.put_run(&row("failed", None))?;
            watch.event(Event::Failed { step, message: error.to_string() });
            Err(error)
        }
    }
}

fn write_result(out: &Path, result: &RunResult) -> Result<()> {
    let text = serde_json::to_string_pretty(result).map_err(|e| Error::request(format!("result.json cannot be written: {e}")))?;
    Ok(write_atomically(&out.join("result.json"), text.as_bytes())?)
}

fn headline(result: &RunResult) -> BTreeMap<String, f64> {
    let metrics = result.metrics.iter().flat_map(|m| [("accuracy".to_string(), m.accuracy), ("macro_f1".to_string(), m.macro_f1)]);
    metrics.collect()
}

/// Scores of the tuned model and of the baselines on the test set (the validation set without one),
/// and the predictions.
fn measure(result: &mut RunResult, p: &Prepared, answerer: &Answerer<'_>, tuned: &Tuned, out: &Path) -> Result<()> {
    let split = [Split::Test, Split::Validation].into_iter().find(|s| !p.set.examples(*s).is_empty());
    let Some(split) = split else { return Ok(()) };
    let examples = p.set.examples(split);
    let texts: Vec<&str> = examples.iter().map(|e| e.text.as_str()).collect();
    let classify = |answers: &[Answer]| score::classification(p.labels.names(), &answerer.scored(examples, answers));
    let answers = answerer.answer(Some(tuned), &texts, Mode::Best)?;
    result.evaluated_on = split.name().into();
    result.metrics = Some(classify(&answers));
    if p.recipe.method == Method::Completion {
        result.metrics_free = Some(classify(&answerer.answer(Some(tuned), &texts, Mode::Free)?));
    }
    let index = |e: &Labelled| p.labels.index(&e.label).unwrap_or(0);
    let train: Vec<usize> = p.set.examples(Split::Train).iter().map(index).collect();
    let expected: Vec<usize> = examples.iter().map(index).collect();
    result.baselines.insert("majority".into(), score::classification(p.labels.names(), &score::majority(&train, &expected, p.labels.names().len())));
    result.baselines.insert("untuned".into(), classify(&answerer.answer(None, &texts, Mode::Untuned)?));
    let predictions: Vec<Prediction> = predictions(examples, &answers, &p.labels).collect();
    save_predictions(&out.join("predictions.jsonl"), &predictions)
}

/// Writes predictions, one JSON object a line.
///
/// # Errors
/// If the disk refuses.
pub fn save_predictions(path: &Path, predictions: &[Prediction]) -> Result<()> {
    let mut text = String::new();
    for prediction in predictions {
        text += &serde_json::to_string(prediction).map_err(|e| Error::request(format!("a prediction cannot be written: {e}")))?;
        text.push('\n');
    }
    Ok(write_atomically(path, text.as_bytes())?)
}

fn predictions<'a>(examples: &'a [Labelled], answers: &'a [Answer], labels: &'a Labels) -> impl Iterator<Item = Prediction> + 'a {
    examples.iter().zip(answers).map(|(e, a)| {
        let answer = a.label.map(|l| labels.names()[l].clone());
        let score = if answer.as_ref() == Some(&e.label) { 1.0 } else { 0.0 };
        Prediction { input: e.text.clone(), expected: e.label.clone(), output: a.output.clone(), answer, score, probability: a.probability }
    })
}

fn describe(library: &Library, request: &Request, p: &Prepared) -> Result<RunFile> {
    let files = p.set.splits.iter().map(|(split, file)| {
        let record = FileRecord { path: file.path.display().to_string(), sha256: file.sha256.clone(), count: file.examples.len() as u64 };
        (split.name().to_string(), record)
    });
    let kind = serde_json::to_value(p.device.kind).ok().and_then(|v| v.as_str().map(String::from)).unwrap_or_default();
    Ok(RunFile {
        task: request.task.clone(),
        method: p.recipe.method.name().into(),
        seed: request.seed,
        started: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        version: crate::VERSION.into(),
        command: request.command.clone(),
        model: models::record(library, &request.model, &p.weights)?,
        data: DataRecord {
            name: p.set.card.name.clone(),
            license: p.set.card.license.clone(),
            language: p.set.card.language.clone(),
            labels: p.labels.names().to_vec(),
            files: files.collect(),
        },
        device: DeviceRecord { id: p.device.id.clone(), name: p.device.name.clone(), kind, api: p.device.api.clone(), driver: p.device.driver.clone() },
        settings: p.recipe.to_table()?,
    })
}

/// `events.jsonl`, a line as each event happens.
struct EventLog {
    path: PathBuf,
    file: std::fs::File,
    steps: usize,
}

impl EventLog {
    fn create(out: &Path) -> Result<Self> {
        let path = out.join("events.jsonl");
        let file = std::fs::File::create(&path).map_err(|e| Error::io(&path, e))?;
        Ok(Self { path, file, steps: 0 })
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        if let Event::Step { step, .. } = event {
            self.steps = *step;
        }
        let mut line = serde_json::to_string(event).map_err(|e| Error::request(format!("an event cannot be written: {e}")))?;
        line.push('\n');
        self.file.write_all(line.as_bytes()).map_err(|e| Error::io(&self.path, e))
    }
}

/// The trainer's observer: logs, validates, saves.
struct Watch<'a> {
    out: &'a Path,
    log: EventLog,
    on_event: &'a mut dyn FnMut(&Event),
    answerer: &'a Answerer<'a>,
    model: &'a Gemma,
    examples: &'a [Labelled],
    validation: &'a [Encoded],
    base: &'a str,
}

impl Observer for Watch<'_> {
    fn event(&mut self, event: Event) {
        // a full disk must not end a run whose weights can still be kept; the listener hears of it
        if let Err(e) = self.log.write(&event) {
            (self.on_event)(&Event::Warning { message: format!("an event could not be written: {e}") });
        }
        (self.on_event)(&event);
    }

    fn validate(&mut self, tuned: &Tuned) -> gemma::Result<Option<Validation>> {
        if self.examples.is_empty() {
            return Ok(None);
        }
        let (mut sum, mut targets, mut right) = (0.0, 0, 0);
        for rows in data::batch::sorted(self.validation) {
            let batch = data::Batch::new(self.validation, &rows);
            match &tuned.head {
                // one pass gives the loss and the answers
                Some(own) => {
                    let logits = train::step::classify(self.model, &tuned.adapters, own, &batch)?;
                    for (p, &class) in head::probabilities(logits).iter().zip(&batch.classes) {
                        sum -= f64::from(p[class as usize].max(f32::MIN_POSITIVE)).ln();
                        right += usize::from(head::likeliest(p) == class as usize);
                    }
                    targets += batch.rows();
                }
                None => {
                    let loss = train::step::evaluate(self.model, tuned, &batch)?;
                    sum += loss.sum;
                    targets += loss.targets;
                }
            }
        }
        if tuned.head.is_none() {
            let texts: Vec<&str> = self.examples.iter().map(|e| e.text.as_str()).collect();
            let answers = self.answerer.answer(Some(tuned), &texts, Mode::Best).map_err(|e| gemma::Error::Request(e.to_string()))?;
            right = self.answerer.scored(self.examples, &answers).iter().filter(|s| s.answered == Some(s.expected)).count();
        }
        let loss = sum / targets.max(1) as f64;
        let accuracy = right as f64 / self.examples.len() as f64;
        // Two dozen messages make accuracy a coarse and noisy judge, and a head's log-loss is over the
        // very answers; a completion's loss is over tokens of labels that the constraint rules out anyway.
        let score = if tuned.head.is_some() { -loss } else { accuracy };
        Ok(Some(Validation { loss, metrics: BTreeMap::from([("accuracy".into(), accuracy)]), score }))
    }

    fn save(&mut self, tuned: &Tuned, _step: usize) -> gemma::Result<String> {
        save_adapter(&self.out.join("adapter"), tuned, self.base)?;
        Ok("adapter".into())
    }
}

/// Writes adapters (and head) in PEFT's layout; each file appears at once.
fn save_adapter(folder: &Path, tuned: &Tuned, base: &str) -> gemma::Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| gemma::Error::io(folder, e))?;
    gemma::lora::TensorFile::write(&folder.join("adapter_model.safetensors"), &tuned.adapters.to_peft())?;
    if let Some(head) = &tuned.head {
        gemma::lora::TensorFile::write(&folder.join(head::FILE), &head.to_tensors())?;
    }
    let file = folder.join("adapter_config.json");
    let text = serde_json::to_string_pretty(&tuned.adapters.peft_config(base)).map_err(|e| gemma::Error::format(&file, e.to_string()))?;
    write_atomically(&file, text.as_bytes()).map_err(|e| gemma::Error::format(&file, e.to_string()))
}

/// A finished run made ready to answer.
pub struct Opened {
    run: RunFile,
    recipe: Recipe,
    labels: Labels,
    model: Gemma,
    tokenizer: Tokenizer,
    pub(crate) tuned: Tuned,
}

/// Opens the model of a run folder on a device. The base model is found by name or path, and must
/// have the hashes that the run recorded.
///
/// # Errors
/// If the folder is incomplete or the base model is missing or another one.
pub fn open(home: &Home, folder: &Path, device: &str) -> Result<Opened> {
    let path = folder.join("run.toml");
    let text = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
    let run: RunFile = toml::from_str(&text).map_err(|e| Error::request(format!("{}: is not a run description ({e})", path.display())))?;
    known_task(&run.task)?;
    let recipe: Recipe = run.settings.clone().try_into().map_err(|e| Error::request(format!("{}: its settings are not readable ({e})", path.display())))?;
    let (_, device) = device::open(device)?;
    let weights = Arc::new(Weights::open(&models::find(home, &run.model.name)?)?);
    let library = Library::open(home)?;
    let now = models::record(&library, &run.model.name, &weights)?;
    let hashes = |m: &report::record::ModelRecord| m.files.iter().map(|f| f.sha256.clone()).collect::<Vec<_>>();
    if hashes(&now) != hashes(&run.model) {
        return Err(Error::request(format!(
            "the model {} is not the one that {} was trained on (its files have another SHA-256); restore the original",
            run.model.name,
            folder.display()
        )));
    }
    let tokenizer = Tokenizer::open(&weights)?;
    let model = Gemma::load(weights, &device)?;
    let adapter = folder.join("adapter");
    let body = recipe.body(&model);
    let adapters = Adapters::load(&adapter, body.config(), body.device())?;
    let head = match recipe.method {
        Method::Head => Some(Head::load(&adapter, body.config().hidden, recipe.view(model.config().layers), model.device())?),
        Method::Completion => None,
    };
    let labels = Labels::new(run.data.labels.clone());
    Ok(Opened { labels, model, tokenizer, tuned: Tuned { adapters, head }, recipe, run })
}

impl Opened {
    pub(crate) fn answerer(&self) -> Result<Answerer<'_>> {
        Answerer::new(&self.model, &self.tokenizer, &self.labels, &self.recipe, &self.run.data.language)
    }

    /// Answers texts.
    ///
    /// # Errors
    /// If a text is too long or the device fails.
    pub fn predict(&self, texts: &[&str]) -> Result<Vec<Answer>> {
        self.answerer()?.answer(Some(&self.tuned), texts, Mode::Best)
    }

    /// Label names in class order.
    pub fn labels(&self) -> &[String] {
        self.labels.names()
    }

    /// Scores the run on a file of examples.
    ///
    /// # Errors
    /// If the file is malformed or has a label that the run does not know.
    pub fn evaluate(&self, test: &Path, columns: &data::read::Columns) -> Result<(Classification, Vec<Prediction>)> {
        let examples = data::read::labelled(test, columns)?;
        known_labels(&examples, &self.labels)?;
        let answerer = self.answerer()?;
        answerer.encode(&examples)?;
        let texts: Vec<&str> = examples.iter().map(|e| e.text.as_str()).collect();
        let answers = answerer.answer(Some(&self.tuned), &texts, Mode::Best)?;
        let scores = score::classification(self.labels.names(), &answerer.scored(&examples, &answers));
        Ok((scores, predictions(&examples, &answers, &self.labels).collect()))
    }
}

fn known_labels(examples: &[Labelled], labels: &Labels) -> Result<()> {
    match examples.iter().find(|e| labels.index(&e.label).is_none()) {
        Some(e) => Err(Error::request(format!("{}: the label `{}` is not one that the run was trained on ({})", e.origin, e.label, labels.names().join(", ")))),
        None => Ok(()),
    }
}

/// Scores a file of answers from any other system: one JSON object a line with `answer` (or
/// `prediction`) and, if it has one, `probability`, in the order of the test file.
///
/// # Errors
/// If the files are malformed or of different length.
pub fn evaluate_predictions(answers: &Path, test: &Path, columns: &data::read::Columns) -> Result<Classification> {
    let examples = data::read::labelled(test, columns)?;
    let bytes = std::fs::read(answers).map_err(|e| Error::io(answers, e))?;
    let records = data::read::records(answers, &bytes)?;
    if records.len() != examples.len() {
        return Err(Error::request(format!(
            "{} holds {} answers, {} holds {} examples; give one answer for each, in the same order",
            answers.display(),
            records.len(),
            test.display(),
            examples.len()
        )));
    }
    let labels = Labels::of(&examples);
    let mut scored = Vec::new();
    for (record, example) in records.iter().zip(&examples) {
        let get = |names: &[&str]| record.fields.iter().find(|(n, _)| names.contains(&n.as_str())).map(|(_, v)| v.as_str());
        let answer = get(&["answer", "prediction", "label"]);
        let probability = get(&["probability", "score", "confidence"]).and_then(|p| p.parse().ok()).unwrap_or(1.0);
        scored.push(score::Scored { expected: labels.index(&example.label).unwrap_or(0), answered: answer.and_then(|a| labels.index(a)), probability });
    }
    Ok(score::classification(labels.names(), &scored))
}

/// Writes the report of a run folder; the path of its HTML file.
///
/// # Errors
/// If the folder is incomplete or the disk refuses.
pub fn report(folder: &Path, language: report::text::Lang, out: &Path) -> Result<PathBuf> {
    let run = Run::open(folder)?;
    std::fs::create_dir_all(out).map_err(|e| Error::io(out, e))?;
    Ok(report::html::write(&run, language, out)?)
}
