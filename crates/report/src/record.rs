//! The files of a run folder as Rust values: `run.toml`, `result.json`, `predictions.jsonl`,
//! `events.jsonl`. The folder alone is enough to report on a run anywhere.

use data::example::Span;
use data::set::{Reference, Split};
use data::watch::Watch;
use say::say;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
pub use tasks::score::calibration::Calibration;
use tasks::score::paired::Difference;
use tasks::{Classification, Metrics};
use train::Event;
use ts_rs::TS;

/// What can go wrong with a run folder.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}", refused(.path, .source))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file is not what its name says.
    #[error("{path}: {what}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        what: String,
    },
}

impl Error {
    /// That whoever waited for something at a path has ended it.
    pub(crate) fn ended(path: &Path) -> Self {
        Self::Io { path: path.into(), source: ErrorKind::Interrupted.into() }
    }
}

fn refused(path: &Path, source: &std::io::Error) -> String {
    let otherwise =
        say::pick("check that the run folder is complete and writable", "controlla che la cartella di esecuzione sia completa e che vi si possa scrivere");
    format!("{}: {}; {}", path.display(), say::system(source), say::advice_or(source, otherwise))
}

/// A file that went into a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct FileRecord {
    /// Path as it was given.
    pub path: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// Examples, changes or bytes, whichever applies.
    pub count: u64,
}

/// The model that was trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct ModelRecord {
    /// Name in the library, or the path.
    pub name: String,
    /// Weight files with their hashes.
    pub files: Vec<FileRecord>,
    /// Parameters of the base model.
    pub parameters: u64,
    /// How most weights are stored in the file.
    pub storage: String,
    /// Hidden width.
    pub hidden: usize,
    /// Blocks.
    pub layers: usize,
    /// Licence, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub license: Option<String>,
}

impl ModelRecord {
    /// Whether the weight files are the same, byte for byte and in the same order.
    pub fn has_the_files_of(&self, other: &Self) -> bool {
        self.files.iter().map(|f| &f.sha256).eq(other.files.iter().map(|f| &f.sha256))
    }
}

/// How long rows are in tokens, as the model reads them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct RowLengths {
    /// Tokens that each count spans: the first is of rows with fewer than so many.
    pub step: usize,
    /// Rows by length.
    pub counts: Vec<usize>,
}

impl RowLengths {
    /// Counts, at most.
    const MOST: usize = 40;

    /// Counts rows by their lengths; `None` of none.
    pub fn of(lengths: impl IntoIterator<Item = usize>) -> Option<Self> {
        let lengths: Vec<usize> = lengths.into_iter().collect();
        let step = (lengths.iter().max()? + 1).div_ceil(Self::MOST);
        let mut counts = vec![0; lengths.iter().max()? / step + 1];
        lengths.iter().for_each(|n| counts[n / step] += 1);
        Some(Self { step, counts })
    }
}

/// The data that went in.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, TS)]
pub struct DataRecord {
    /// Name of the data set.
    pub name: String,
    /// Licence as its card states it.
    pub license: String,
    /// Language code as its card states it.
    pub language: String,
    /// What it holds, as its card states it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[ts(skip)]
    pub description: String,
    /// Where its examples come from, as its card states it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[ts(skip)]
    pub how_it_was_made: String,
    /// Label names in class order; types of entities; names that queries give by AS.
    pub labels: Vec<String>,
    /// The tables that queries are about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<tasks::sandbox::Table>,
    /// The JSON schema that the answers of a custom task are held to, as it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub json_schema: Option<String>,
    /// Lengths of the training rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub lengths: Option<RowLengths>,
    /// Training examples by label; entities of the training examples by type.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, usize>,
    /// Files by split, `train`, `validation`, `test`, and of the database: `schema`, `seed`, `database`; `json_schema`; `changes`.
    pub files: BTreeMap<String, FileRecord>,
    /// Figures that others published, as the card quotes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reference: Vec<Reference>,
}

impl DataRecord {
    /// Its files with the part that each played, in the order in which they are told: training, validation, test, then the others.
    pub fn ordered(&self) -> Vec<(&str, &FileRecord)> {
        let mut files: Vec<_> = self.files.iter().map(|(part, file)| (part.as_str(), file)).collect();
        files.sort_by_key(|(part, _)| Split::ALL.iter().position(|split| split.name() == *part).unwrap_or(Split::ALL.len()));
        files
    }
}

/// The device that computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct DeviceRecord {
    /// Device id, for instance `cpu`; of another machine, its address.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `cpu`, `gpu`, `software` or `remote`.
    pub kind: String,
    /// Graphics API or instruction set; of another machine, what reaches it.
    pub api: String,
    /// Driver, where there is one; of another machine, by what its device computes there.
    pub driver: String,
    /// Whether it computes what the CPU computes, as was found before the run: `pass`, `unfused` (only with operations not
    /// fused) or `unchecked`; nothing of the CPU, which is what others are held against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub parity: Option<String>,
    /// The numbers behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub parity_detail: Option<String>,
}

/// What the changes that were made to the data before a run are called among its files.
pub const CHANGED: &str = "changes";

/// What stands for the method of a run whose answers came from another system.
pub const ELSEWHERE: &str = "elsewhere";

/// Everything that was chosen: `run.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct RunFile {
    /// Task name.
    pub task: String,
    /// `completion`, `head`, `tagging` or `full`; [`ELSEWHERE`].
    pub method: String,
    /// Seed of everything random.
    pub seed: u64,
    /// When the run began, RFC 3339, UTC.
    pub started: String,
    /// Version of Lapidary.
    pub version: String,
    /// The command that repeats the run.
    pub command: String,
    /// The model.
    pub model: ModelRecord,
    /// The data.
    pub data: DataRecord,
    /// The device.
    pub device: DeviceRecord,
    /// Hyper-parameters by name, as resolved from recipe and command line.
    #[ts(type = "{ [key: string]: unknown }")]
    pub settings: toml::Table,
    /// What was asked for, for resuming.
    #[serde(default)]
    #[ts(skip)]
    pub request: toml::Table,
}

/// Figures of the training itself.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, TS)]
pub struct TrainRecord {
    /// Wall-clock seconds of training, evaluations on the validation set included.
    pub seconds: f64,
    /// Optimiser steps done.
    pub steps: usize,
    /// Tokens processed, padding not counted.
    pub tokens: u64,
    /// Tokens per second of training steps.
    pub tokens_per_second: f64,
    /// Tokens (or rows or words, for a head) that carried loss.
    pub supervised_tokens: u64,
    /// Peak resident memory of the process.
    pub peak_memory_bytes: u64,
    /// The most that it held of a graphics device's memory, where it was trained on one that tells, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub device_memory_bytes: Option<u64>,
    /// Loss of the last step.
    #[ts(type = "number | null")]
    pub final_loss: f64,
    /// Step whose weights were kept.
    pub best_step: usize,
    /// Energy of the whole processor during the training, in joules, where it was measured from its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub energy_joules: Option<f64>,
    /// Seconds from the beginning of the run, or of going on with it, until its first step was done: reading the data, loading
    /// the model and, on a graphics device, tuning its kernels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub first_step_seconds: Option<f64>,
}

/// The outcome: `result.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct RunResult {
    /// Task name.
    pub task: String,
    /// `completion`, `head`, `tagging` or `full`.
    pub method: String,
    /// `completed`, `stopped`, `failed`, or `paused` where its device was lost and it is to be gone on with.
    pub status: String,
    /// Scores on the test set (on validation when there is no test set, see `evaluated_on`).
    pub metrics: Option<Metrics>,
    /// Which split `metrics` were computed on.
    pub evaluated_on: String,
    /// Free (unconstrained) decoding of the same model, for completion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub metrics_free: Option<Metrics>,
    /// What holding answers to their form adds: the main metric of `metrics` minus that of `metrics_free`, on the same examples. Results
    /// of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub free_difference: Option<Difference>,
    /// Scores of reference methods on the same examples: `majority` (the commonest answer of the training set to each, or no entities),
    /// others by task, `untuned`, `few_shot` (untuned, with examples in its prompt), these two on a part of them where they are many, as
    /// their own count of examples says.
    pub baselines: BTreeMap<String, Metrics>,
    /// Figures of the training.
    pub train: TrainRecord,
    /// Files of what was trained, in the run folder, with their sizes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trained: Vec<FileRecord>,
    /// The model.
    pub model: ModelRecord,
    /// The data.
    pub data: DataRecord,
    /// The device.
    pub device: DeviceRecord,
    /// Version of Lapidary.
    pub version: String,
    /// Why the run failed, or waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub error: Option<String>,
}

impl RunResult {
    /// Scores of labels, if the task has labels.
    pub fn classes(&self) -> Option<&Classification> {
        self.metrics.as_ref()?.classes()
    }

    /// The files that went in: those of the data, then those of the model.
    pub fn files(&self) -> Vec<FileRecord> {
        self.data.ordered().into_iter().map(|(_, file)| file).chain(&self.model.files).cloned().collect()
    }
}

/// A line of `predictions.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Prediction {
    /// The input text.
    pub input: String,
    /// The expected answer; entities as JSON, hashtags with spaces between them.
    pub expected: String,
    /// What the model put out, before parsing.
    pub output: String,
    /// The answer it stands for, written as the expected one; `null` if none.
    pub answer: Option<String>,
    /// 1 if right, else 0; for entities and hashtags the F1 of this example, for free text chrF.
    pub score: f64,
    /// The same of the free answer to this example, where one was asked for; earlier versions kept none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub free_score: Option<f64>,
    /// Probability that the model gave to its answer.
    pub probability: f64,
    /// The same as it was calibrated on the validation set, see [`Calibration`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<f64>,
    /// Why the output is no answer, not a whole one, none of the labels or not the right query, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where the input lies on a map of the scored examples, as the untuned model sees them; only nearness means something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub place: Option<[f32; 2]>,
}

impl Prediction {
    /// Is the answer wholly right?
    pub fn right(&self) -> bool {
        self.score >= 1.0
    }

    /// The entities that were expected and those that were answered; `None` if a field holds none.
    pub fn entities(&self) -> Option<(Vec<Span>, Vec<Span>)> {
        let read = |text: &str| serde_json::from_str::<Vec<Span>>(text).ok();
        Some((read(&self.expected)?, self.answer.as_deref().map_or(Some(Vec::new()), read)?))
    }
}

/// A run folder read whole.
#[derive(Clone, Debug)]
pub struct Run {
    /// The folder.
    pub path: PathBuf,
    /// What was chosen.
    pub run: RunFile,
    /// The outcome.
    pub result: RunResult,
    /// Events in order.
    pub events: Vec<Event>,
    /// Predictions on the test set.
    pub predictions: Vec<Prediction>,
    /// What its probabilities are worth, where that was measured.
    pub calibration: Option<Calibration>,
    /// Does the folder hold the data, too, as that of an unpacked run does ([`crate::archive`])?
    pub with_data: bool,
}

impl Run {
    /// Reads a run folder.
    ///
    /// # Errors
    /// If a file is missing or damaged; the message names file and line. A last line of
    /// `events.jsonl` that was cut off by a crash is left out.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_with(path, &mut |_, _| true)
    }

    /// As [`Run::open`]; `watch` is told of the lines of the file at hand.
    ///
    /// # Errors
    /// As [`Run::open`], or if it was ended.
    pub fn open_with(path: &Path, watch: Watch<'_>) -> Result<Self, Error> {
        let (run, result) = (RunFile::read(path)?, RunResult::read(path)?);
        let calibration = calibration(path)?;
        let with_data = path.join(DATA).join(data::set::CARD).is_file();
        let (events, predictions) = (events_with(path, watch)?, predictions_with(path, watch)?);
        Ok(Self { path: path.into(), run, result, events, predictions, calibration, with_data })
    }

    /// Did its answers come from another system, of whose making nothing is known?
    pub fn is_from_elsewhere(&self) -> bool {
        self.run.method == ELSEWHERE
    }

    /// What it was held against, by name; of another system without what another model reached before its own training.
    pub fn baselines(&self) -> impl Iterator<Item = (&str, &Metrics)> {
        let own = move |name: &str| !self.is_from_elsewhere() || !["untuned", "few_shot"].contains(&name);
        self.result.baselines.iter().map(|(name, scores)| (name.as_str(), scores)).filter(move |(name, _)| own(name))
    }

    /// Do its answers have probabilities? Those of another system need not, and then stand as certain.
    pub fn has_probabilities(&self) -> bool {
        !self.is_from_elsewhere() || self.predictions.iter().any(|p| p.probability != 1.0)
    }
}

/// Folder of a run's data in the folder of a run that was unpacked, see [`crate::archive`].
pub const DATA: &str = "data";

/// A word of a command as a person types it on this system: between marks where a shell would do something else with it, `mark` if that
/// will do.
pub fn quoted(word: &str, mark: char) -> String {
    quoted_on(cfg!(windows), word, mark)
}

/// As [`quoted`], under Windows or elsewhere.
pub fn quoted_on(windows: bool, word: &str, mark: char) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./\\:=,+@%".contains(c);
    match mark {
        _ if !word.is_empty() && word.chars().all(plain) => word.into(),
        // cmd.exe knows no single ones, and to a program a mark after a backslash is part of the word
        _ if windows => format!("\"{}{}\"", word.replace('"', "\\\""), if word.ends_with('\\') { "\\" } else { "" }),
        // nothing acts between single ones but they themselves
        _ if word.contains(['"', '$', '`']) => format!("'{}'", word.replace('\'', r"'\''")),
        '\'' if word.contains('\'') => format!("\"{word}\""),
        _ => format!("{mark}{word}{mark}"),
    }
}

impl RunFile {
    /// The command that repeats the run where it was unpacked into `folder`, with the data that came with it.
    ///
    /// None of a run of another system, which nothing here repeats, and none where a name that came with the run is more
    /// than a name: a person types what stands here.
    pub fn repeated_in(&self, folder: &Path) -> Option<String> {
        let name = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || " -_.:/\\".contains(c));
        let asked = |key: &str| self.request.get(key);
        let device = asked("device")?.as_str()?;
        if ![self.task.as_str(), self.model.name.as_str(), device].into_iter().all(name) || device.contains(' ') || self.task.contains(' ') {
            return None;
        }
        let path = |path: PathBuf| quoted(&path.display().to_string(), '"');
        let mut command = format!("lapidary train --task {} --data {}", self.task, path(folder.join(DATA)));
        let skip = asked("data").and_then(|data| data.get("skip_bad_rows"));
        for (flag, on) in [("--skip-bad-rows", skip), ("--edited", asked("edited")), ("--trial", asked("trial"))] {
            if on.and_then(toml::Value::as_bool) == Some(true) {
                command += &format!(" {flag}");
            }
        }
        command += &format!(" --model {} --device {device} --recipe {}", quoted(&self.model.name, '"'), path(folder.join("run.toml")));
        if let Some(rows) = asked("rows").and_then(toml::Value::as_integer) {
            command += &format!(" --rows {rows}");
        }
        Some(command + &format!(" --seed {} --out {}", self.seed, path(folder.join("again"))))
    }

    /// Reads `run.toml` of a run folder.
    ///
    /// # Errors
    /// If it is missing or damaged.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("run.toml");
        toml::from_str(&read(&path)?)
            .map_err(|e| Error::Format { path, what: say!("is not a run description ({e})", "non è la descrizione di un’esecuzione ({e})") })
    }
}

impl RunResult {
    /// Reads `result.json` of a run folder; a run that has not ended has none.
    ///
    /// # Errors
    /// If it is missing or damaged.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("result.json");
        if !path.exists() && folder.join("run.toml").exists() {
            return Err(Error::Format {
                path: folder.into(),
                what: say!(
                    "is a run that has not ended; wait for it, or go on with it: lapidary resume {}",
                    "è un’esecuzione che non è finita; aspettala, oppure riprendila: lapidary resume {}",
                    quoted(&folder.display().to_string(), '"')
                ),
            });
        }
        serde_json::from_str(&read(&path)?).map_err(|e| Error::Format {
            path,
            what: say!("is not a result ({e}); evaluate the run again", "non è un risultato ({e}); valuta di nuovo l’esecuzione"),
        })
    }
}

/// Reads `events.jsonl` of a run folder, also while it is being written: a last line that is not whole is left out.
///
/// # Errors
/// If it is missing or damaged; the message names the line.
pub fn events(folder: &Path) -> Result<Vec<Event>, Error> {
    events_with(folder, &mut |_, _| true)
}

/// As [`events`]; `watch` is told of the lines.
///
/// # Errors
/// As [`events`], or if it was ended.
pub fn events_with(folder: &Path, watch: Watch<'_>) -> Result<Vec<Event>, Error> {
    lines(&folder.join("events.jsonl"), true, watch)
}

/// Reads `predictions.jsonl` of a run folder; none where nothing was evaluated.
///
/// # Errors
/// If it is damaged; the message names the line.
pub fn predictions(folder: &Path) -> Result<Vec<Prediction>, Error> {
    predictions_with(folder, &mut |_, _| true)
}

/// As [`predictions`]; `watch` is told of the lines.
///
/// # Errors
/// As [`predictions`], or if it was ended.
pub fn predictions_with(folder: &Path, watch: Watch<'_>) -> Result<Vec<Prediction>, Error> {
    let path = folder.join("predictions.jsonl");
    if path.exists() { lines(&path, false, watch) } else { Ok(Vec::new()) }
}

/// Folder of a run folder with the adapters that were trained, and the head.
pub const ADAPTER: &str = "adapter";

/// Folder of a run folder with the weights that a full fine-tuning trained.
pub const WEIGHTS: &str = "weights";

/// File of a run folder with what its probabilities are worth.
pub const CALIBRATION: &str = "calibration.json";

/// Reads what the probabilities of a run are worth; nothing where that was not measured.
///
/// # Errors
/// If the file is damaged.
pub fn calibration(folder: &Path) -> Result<Option<Calibration>, Error> {
    let path = folder.join(CALIBRATION);
    if !path.exists() {
        return Ok(None);
    }
    let read: Calibration = serde_json::from_str(&read(&path)?).map_err(|e| Error::Format {
        path: path.clone(),
        what: say!("is not a calibration ({e}); calibrate the run again", "non è una calibrazione ({e}); calibra di nuovo l’esecuzione"),
    })?;
    // a temperature divides
    if !(read.temperature.is_finite() && read.temperature > 0.0) {
        return Err(Error::Format {
            path,
            what: say!(
                "has a temperature that is not above 0; calibrate the run again",
                "ha una temperatura che non è maggiore di 0; calibra di nuovo l’esecuzione"
            ),
        });
    }
    Ok(Some(read))
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::Io { path: path.into(), source })
}

/// Lines that are read between two questions whether to go on: some milliseconds' work.
const PIECE: usize = 1000;

fn lines<T: serde::de::DeserializeOwned>(path: &Path, torn_end: bool, watch: Watch<'_>) -> Result<Vec<T>, Error> {
    let text = read(path)?;
    let mut out = Vec::new();
    let count = text.lines().count();
    for (i, line) in text.lines().enumerate() {
        if i > 0 && i % PIECE == 0 && !watch(i as u64, Some(count as u64)) {
            return Err(Error::ended(path));
        }
        match serde_json::from_str(line) {
            Ok(value) => out.push(value),
            Err(_) if torn_end && i + 1 == count => break,
            Err(e) => return Err(Error::Format { path: path.into(), what: format!("line {}: {e}", i + 1) }),
        }
    }
    Ok(out)
}

/// As [`gemma::file::write_atomically`], with an error that names the file.
///
/// # Errors
/// If the disk refuses.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    gemma::file::write_atomically(path, bytes).map_err(|source| Error::Io { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_answers_are_read_no_further_than_somebody_waits() {
        let dir = tempfile::tempdir().expect("a folder");
        let line = "{\"input\":\"a\",\"expected\":\"x\",\"output\":\"x\",\"answer\":\"x\",\"score\":1.0,\"probability\":1.0}\n";
        std::fs::write(dir.path().join("predictions.jsonl"), line.repeat(2 * PIECE + 5)).expect("written");
        let mut told = Vec::new();
        let mut watch = |done: u64, of: Option<u64>| {
            told.push((done, of));
            true
        };
        assert_eq!(predictions_with(dir.path(), &mut watch).expect("read").len(), 2 * PIECE + 5);
        assert_eq!(told, [PIECE, 2 * PIECE].map(|done| (done as u64, Some(2 * PIECE as u64 + 5))));
        let mut asked = 0;
        let mut watch = |_: u64, _: Option<u64>| {
            asked += 1;
            asked < 2
        };
        let ended = predictions_with(dir.path(), &mut watch);
        assert!(matches!(ended, Err(Error::Io { source, .. }) if source.kind() == ErrorKind::Interrupted));
        assert_eq!(asked, 2);
    }
}
