//! What a face shows of runs, models, tasks and data sets on disk, in the shapes that cross the window's door.
//!
//! Everything is read anew from the run folders and the library, so a run that another process trains, or that
//! was copied here, is seen as it is. TypeScript types are generated from these ones (see the window's tests).

use crate::error::{Error, Result};
use crate::home::Home;
use crate::library::Library;
use crate::models;
use crate::recipe::{Method, Recipe};
use crate::run::{PAUSED, RunLock};
use crate::watch::{Watch, ask, cancelled, watched};
use data::Kind;
use data::set::{self, Split};
use report::figure::{MistakeFilter, ProbabilityRange};
use report::record::{self, Prediction, RunFile, RunResult};
use report::text::Lang;
use report::{Run, figure, html};
use say::say;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tasks::score::classes::NEAR;
use tasks::score::entities::{self, Mistake};
use train::Event;
use ts_rs::TS;

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// It is being trained now.
    Running,
    /// It waits in the middle of its training.
    Paused,
    /// It ended as planned.
    Completed,
    /// A person ended it early; the best weights are kept.
    Stopped,
    /// It ended without a result.
    Failed,
    /// The process that trained it ended before the run did.
    Interrupted,
    /// Another process, such as the command, trains it now.
    Elsewhere,
    /// Its device was lost; it waits at its last checkpoint to be gone on with, on another one.
    Lost,
}

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct RunRow {
    /// Run folder: the run's name everywhere.
    pub path: PathBuf,
    /// Name for people: the folder's last part.
    pub name: String,
    /// Task name.
    pub task: String,
    /// `completion`, `head`, `tagging` or `full`.
    pub method: String,
    /// How far it has come.
    pub status: RunStatus,
    /// Main metric, when there is one.
    pub accuracy: Option<f64>,
    /// When it began, RFC 3339, UTC.
    pub started: String,
    /// Name of the base model.
    pub model: String,
    /// Name of the data set.
    pub data: String,
    /// Bytes of its folder.
    pub bytes: u64,
}

/// A run with everything that was chosen and what came of it.
#[derive(Clone, Debug, Serialize, TS)]
#[ts(rename = "Run")]
pub struct RunView {
    /// As in the list.
    pub row: RunRow,
    /// What was chosen.
    pub run: RunFile,
    /// The outcome; none while it runs, or where it was interrupted.
    pub result: Option<RunResult>,
    /// Changes that a person made to the data set before this run was trained on it; 0 if it is as its files say.
    pub changes: u64,
    /// The files of the data set, where they are known.
    pub source: Option<Source>,
}

/// Opens a run folder, finished or not. `live` is the folder that this process trains now, and whether that waits.
///
/// # Errors
/// If `run.toml` or `result.json` is missing or damaged.
pub fn run(folder: &Path, live: Option<&(PathBuf, RunStatus)>) -> Result<RunView> {
    let run = RunFile::read(folder)?;
    let live = live.filter(|(live, _)| live == folder).map(|(_, status)| *status);
    // the result is written before the events end, so a live run may already have one
    let result = if folder.join("result.json").exists() { Some(RunResult::read(folder)?) } else { None };
    let ended = match &result {
        None if RunLock::is_held(folder) => RunStatus::Elsewhere,
        None => RunStatus::Interrupted,
        Some(r) if r.status == "completed" => RunStatus::Completed,
        Some(r) if r.status == "stopped" => RunStatus::Stopped,
        Some(r) if r.status == PAUSED => RunStatus::Lost,
        Some(_) => RunStatus::Failed,
    };
    let status = live.unwrap_or(ended);
    let row = RunRow {
        path: folder.into(),
        name: folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned(),
        task: run.task.clone(),
        method: run.method.clone(),
        status,
        accuracy: result.as_ref().and_then(|r| r.metrics.as_ref()).map(tasks::Metrics::main),
        started: run.started.clone(),
        model: run.model.name.clone(),
        data: run.data.name.clone(),
        bytes: bytes_in(folder),
    };
    let changes = run.data.files.get(record::CHANGED).map_or(0, |file| file.count);
    let request: Option<crate::run::Request> = run.request.clone().try_into().ok();
    let source = request.map(|r| Source::of(&r.task, &r.data)).transpose()?;
    Ok(RunView { row, run, result, changes, source })
}

/// Bytes of all files in a folder; what cannot be looked at counts nothing, and links lead elsewhere.
fn bytes_in(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_in(&entry.path()),
        Ok(found) if found.is_file() => found.len(),
        _ => 0,
    };
    entries.map(bytes).sum()
}

impl RunView {
    /// The same with its failure told in a language, where the run kept it so: the program may have spoken another.
    ///
    /// # Errors
    /// If the run's events are damaged.
    #[must_use = "the failure is told in what this gives"]
    pub fn told(mut self, language: Lang) -> Result<Self> {
        if let Some(error) = self.result.as_mut().and_then(|r| r.error.as_mut())
            && let Some(said) = train::event::cause(&record::events(&self.row.path)?, error, language.into())
        {
            *error = said;
        }
        Ok(self)
    }
}

/// The library's runs whose folders can be read, latest first.
///
/// # Errors
/// If the library cannot be read.
pub fn runs(home: &Home, live: Option<&(PathBuf, RunStatus)>) -> Result<Vec<RunRow>> {
    let known = Library::open(home)?.runs()?;
    // a folder that was deleted or damaged must not hide the others
    Ok(known.iter().filter_map(|r| run(&r.path, live).ok()).map(|v| v.row).collect())
}

/// Deletes a run: its folder and its place in the library.
///
/// # Errors
/// If the folder holds no run, another process trains it, or the disk refuses.
pub fn delete_run(home: &Home, folder: &Path) -> Result<()> {
    // guards against deleting anything that is not a run
    RunFile::read(folder)?;
    drop(RunLock::take(folder)?);
    std::fs::remove_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    Library::open(home)?.remove_run(folder)
}

/// A prediction with its place in `predictions.jsonl`.
#[derive(Clone, Debug, Serialize, TS)]
#[ts(rename = "Prediction")]
pub struct PredictionRow {
    /// Line, from 0.
    pub index: usize,
    /// The line.
    #[serde(flatten)]
    pub prediction: Prediction,
}

/// Which predictions, in which order.
#[derive(Clone, Debug, Default, Deserialize, TS)]
#[serde(default)]
#[ts(optional_fields)]
pub struct PredictionFilter {
    /// Only right, or only wrong ones.
    pub right: Option<bool>,
    /// Only those of this expected label.
    pub expected: Option<String>,
    /// Only those with this answer; empty for outputs that are no label.
    pub answer: Option<String>,
    /// Only the one of this number, from 0 in the order of the file.
    pub index: Option<usize>,
    /// Only those whose probability lies in this range.
    pub probability: Option<ProbabilityRange>,
    /// Only those with such a mistake about an entity.
    pub mistake: Option<MistakeFilter>,
    /// Part of the input, whatever its case.
    pub search: Option<String>,
    /// Order; that of the file if not given.
    pub sort: Option<PredictionOrder>,
    /// Backwards.
    pub descending: Option<bool>,
}

/// Whether the probability of an answer lies in a range.
fn holds(range: &ProbabilityRange, p: &Prediction) -> bool {
    let probability = if range.calibrated == Some(true) { p.calibrated } else { Some(p.probability) };
    probability.map(|p| p + NEAR).is_some_and(|p| p >= range.from && range.to.is_none_or(|to| p < to))
}

/// Whether an answer has such a mistake.
fn has(filter: &MistakeFilter, p: &Prediction) -> bool {
    let wanted = |m: &Mistake| filter.kind.is_none_or(|kind| kind == m.kind()) && filter.entity.as_ref().is_none_or(|entity| *entity == m.span().kind);
    p.entities().is_some_and(|(expected, answered)| entities::mistakes(&expected, &answered).iter().any(wanted))
}

/// Order of predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum PredictionOrder {
    /// That of the file.
    Index,
    /// Least certain first.
    Probability,
}

/// A part of the predictions that a filter leaves.
#[derive(Clone, Debug, Serialize, TS)]
pub struct PredictionPage {
    /// How many the filter leaves.
    pub total: usize,
    /// Those asked for.
    pub rows: Vec<PredictionRow>,
}

/// A page of a run's predictions, with the reasons of wrong ones in a language. `watch` is told how many of them are read.
///
/// # Errors
/// If the file is damaged, or it was ended.
pub fn predictions(folder: &Path, filter: &PredictionFilter, offset: usize, limit: usize, language: Lang, watch: Watch<'_>) -> Result<PredictionPage> {
    let search = filter.search.as_deref().unwrap_or_default().to_lowercase();
    let wanted = |index: usize, p: &Prediction| {
        filter.index.is_none_or(|wanted| wanted == index)
            && filter.right.is_none_or(|right| right == (p.score == 1.0))
            && filter.expected.as_ref().is_none_or(|e| *e == p.expected)
            && filter.answer.as_ref().is_none_or(|a| a == p.answer.as_deref().unwrap_or_default())
            && filter.probability.is_none_or(|range| holds(&range, p))
            && filter.mistake.as_ref().is_none_or(|mistake| has(mistake, p))
            && (search.is_empty() || p.input.to_lowercase().contains(&search))
    };
    let all = watched(watch, |watch| Ok(record::predictions_with(folder, watch)?))?.into_iter().enumerate();
    let mut rows: Vec<PredictionRow> = all.filter(|(index, p)| wanted(*index, p)).map(|(index, prediction)| PredictionRow { index, prediction }).collect();
    if filter.sort == Some(PredictionOrder::Probability) {
        rows.sort_by(|a, b| a.prediction.probability.total_cmp(&b.prediction.probability));
    }
    if filter.descending == Some(true) {
        rows.reverse();
    }
    let total = rows.len();
    let told = |mut row: PredictionRow| {
        row.prediction.reason = row.prediction.reason.map(|reason| language.reason(&reason));
        row
    };
    Ok(PredictionPage { total, rows: rows.into_iter().skip(offset).take(limit).map(told).collect() })
}

/// A figure of a run by its name in the report; those of its steps also of a run that has not ended.
///
/// # Errors
/// If the folder is incomplete, the run has no such figure, or it was ended.
pub fn figure(folder: &Path, name: &str, lang: Lang, watch: Watch<'_>) -> Result<figure::Figure> {
    watched(watch, |watch| drawn(folder, name, lang, watch))
}

fn drawn(folder: &Path, name: &str, lang: Lang, watch: Watch<'_>) -> Result<figure::Figure> {
    if name == "loss" {
        return Ok(figure::loss_curve(&record::events_with(folder, watch)?, lang));
    }
    if let Some(quantity) = figure::Quantity::ALL.into_iter().find(|q| q.name() == name) {
        return Ok(figure::quantity(&record::events_with(folder, watch)?, quantity, lang));
    }
    let run = Run::open_with(folder, watch)?;
    let found = report::content::figures_with(&run, lang, &mut || ask(watch))?.into_iter().find(|(n, _)| n == name);
    found.map(|(_, figure)| figure).ok_or_else(|| Error::request(say!("{} has no figure `{name}`", "{} non ha una figura `{name}`", folder.display())))
}

/// A part of a report that can be left out.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(rename = "ReportSection")]
pub struct SectionView {
    /// Name by which it is left out.
    pub id: &'static str,
    /// Its heading.
    pub heading: String,
}

/// A report to be looked at.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(rename = "ReportPage")]
pub struct PageView {
    /// The page.
    pub html: String,
    /// All sections that this run has, those that were left out included.
    pub sections: Vec<SectionView>,
}

/// The report of a run as one HTML page without some of its sections. `watch` is told how much of it is set.
///
/// # Errors
/// If the folder is incomplete, or it was ended.
pub fn report_page(folder: &Path, lang: Lang, without: &[String], watch: Watch<'_>) -> Result<PageView> {
    let document = watched(watch, |watch| {
        // how long its files are says nothing of the page
        let run = Run::open_with(folder, &mut |_, _| watch(0, None))?;
        report::content::run_with(&run, lang, &mut |done, of| if watch(done, Some(of)) { Ok(()) } else { Err(cancelled()) })
    })?;
    let sections = document.sections.iter().map(|s| SectionView { id: s.id, heading: s.heading.clone() }).collect();
    Ok(PageView { html: html::render(&document.without(without)), sections })
}

/// A model in the list of models.
#[derive(Clone, Debug, Serialize, TS)]
#[ts(rename = "Model")]
pub struct ModelView {
    /// Name that a run takes.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// Where it lies; none if it is not on this machine.
    pub path: Option<PathBuf>,
    /// Size on disk, or 0.
    pub bytes: u64,
    /// Bytes that have arrived of one that is not here, because getting it was broken off.
    pub partial_bytes: u64,
    /// Licence.
    pub license: String,
    /// Where it came from, or where it can be got.
    pub source: String,
    /// Where the licence can be read, for a model of the catalogue.
    pub license_url: Option<String>,
    /// Parameters, for a model of the catalogue.
    pub parameters: Option<u64>,
    /// What is to be fetched, for a model of the catalogue; where the source is the hub, about.
    pub download_bytes: Option<u64>,
    /// Its source asks for an account that accepted the licence.
    pub gated: bool,
}

/// All models: those on disk, then those that can be got.
///
/// # Errors
/// If the library cannot be read.
pub fn models(home: &Home) -> Result<Vec<ModelView>> {
    let catalogue = models::catalogue()?;
    let view = |m: models::Listed| {
        let entry = catalogue.iter().find(|e| e.id == m.name);
        ModelView {
            license_url: entry.map(|e| e.license_url.clone()),
            parameters: entry.map(|e| e.parameters),
            download_bytes: entry.map(models::Entry::download),
            gated: entry.is_some_and(|e| e.gated),
            name: m.name,
            title: m.title,
            path: m.path,
            bytes: m.bytes,
            partial_bytes: m.partial_bytes,
            license: m.license,
            source: m.source,
        }
    };
    Ok(models::list(home)?.into_iter().map(view).collect())
}

/// Takes a model into the library under the name of its file or folder.
///
/// # Errors
/// If it is no model that this version reads, or it was ended; the library does not know of it then.
pub fn import_model(home: &Home, path: &Path, watch: Watch<'_>) -> Result<ModelView> {
    let name = models::import_with(home, None, path, watch)?.name;
    models(home)?
        .into_iter()
        .find(|m| m.name == name)
        .ok_or_else(|| Error::request(say!("{name} is not in the library; import it again", "{name} non è nella libreria; importalo di nuovo")))
}

/// A setting of a task's recipe.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct Setting {
    /// Full name, for instance `train.epochs`.
    pub key: String,
    /// What it takes.
    pub kind: SettingKind,
    /// Its default, as `--set` takes it.
    pub value: String,
}

/// What a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum SettingKind {
    /// A whole number.
    Integer,
    /// A number.
    Float,
    /// `true` or `false`.
    Boolean,
    /// Text.
    String,
    /// A list in brackets.
    List,
}

/// A task of the catalogue.
#[derive(Clone, Debug, Serialize, TS)]
pub struct Task {
    /// Its name.
    pub name: &'static str,
    /// Can this version train it?
    pub ready: bool,
    /// Columns that its data sets need.
    pub roles: Vec<&'static str>,
    /// Methods that suit it, the one that `auto` stands for first.
    pub methods: Vec<&'static str>,
    /// Settings of its recipe.
    pub settings: Vec<Setting>,
}

/// All tasks, those that this version can train first.
///
/// # Errors
/// Never in practice: the recipes are compiled in.
pub fn tasks() -> Result<Vec<Task>> {
    let task = |kind: Kind| {
        let mut settings = Vec::new();
        let recipe = Recipe::resolve(kind, None, "auto", &[])?;
        let own = recipe.method.name();
        flatten("", &toml::Value::Table(recipe.to_table()?), &mut settings);
        let others = Method::ALL.into_iter().map(Method::name).filter(|m| *m != own && Method::of(m, kind).is_ok());
        let roles = kind.roles().map(data::read::Role::name).to_vec();
        Ok(Task { name: kind.name(), ready: true, roles, methods: std::iter::once(own).chain(others).collect(), settings })
    };
    Kind::ALL.into_iter().map(task).collect()
}

fn flatten(key: &str, value: &toml::Value, out: &mut Vec<Setting>) {
    let mut put = |kind, value| out.push(Setting { key: key.into(), kind, value });
    match value {
        toml::Value::Table(table) => {
            let inner = |name: &String| if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            table.iter().for_each(|(name, value)| flatten(&inner(name), value, out));
        }
        toml::Value::Integer(_) => put(SettingKind::Integer, value.to_string()),
        toml::Value::Float(_) => put(SettingKind::Float, value.to_string()),
        toml::Value::Boolean(_) => put(SettingKind::Boolean, value.to_string()),
        toml::Value::String(text) => put(SettingKind::String, text.clone()),
        toml::Value::Array(_) | toml::Value::Datetime(_) => put(SettingKind::List, value.to_string()),
    }
}

/// A data set that opens with one click.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct DataOffer {
    /// Its name.
    pub name: String,
    /// Language code.
    pub language: String,
    /// Its files, with the task that it is made for.
    pub source: Source,
    /// It came with Lapidary.
    pub shipped: bool,
    /// Training examples, as its card counts them or as there were when it was last opened.
    pub examples: Option<u64>,
}

/// The data sets in a folder of data sets; a folder without a readable card is left out.
pub fn offers(folder: &Path, shipped: bool) -> Vec<DataOffer> {
    let folders = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
    let offer = |folder: PathBuf| {
        let card = set::read_card(&folder).ok().filter(|c| !c.task.is_empty())?;
        let examples = card.counts.get(Split::Train.name()).and_then(toml::Value::as_integer).and_then(|n| u64::try_from(n).ok());
        let source = Source { task: card.task, folder: Some(folder), ..Source::default() };
        Some(DataOffer { name: card.name, language: card.language, source, shipped, examples })
    };
    let mut out: Vec<DataOffer> = folders.filter_map(offer).collect();
    out.sort_by(|a, b| a.name.cmp(&b.name));
    out
}

/// Which files make a data set, as a face names them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(optional_fields)]
pub struct Source {
    /// Task name; empty if it is to be found from the card.
    pub task: String,
    /// A folder with a card, or with files called `train`, `validation` and `test`.
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// Single files; each takes precedence over the folder's.
    #[serde(default)]
    pub train: Option<PathBuf>,
    /// As `train`.
    #[serde(default)]
    pub validation: Option<PathBuf>,
    /// As `train`.
    #[serde(default)]
    pub test: Option<PathBuf>,
    /// Role to column.
    #[serde(default)]
    #[ts(as = "Option<BTreeMap<String, String>>")]
    pub columns: BTreeMap<String, String>,
    /// Script that makes the tables which queries are about.
    #[serde(default)]
    pub schema: Option<PathBuf>,
    /// Database of these tables, or script that fills them.
    #[serde(default)]
    pub database: Option<PathBuf>,
    /// Pass over rows that cannot be read.
    #[serde(default)]
    #[ts(as = "Option<bool>")]
    pub skip_bad_rows: bool,
}

/// Endings of the files that queries are about: scripts, and SQLite's databases.
pub const DATABASES: [&str; 4] = ["sqlite", "sqlite3", "db", "sql"];

impl Source {
    /// Every path that it names.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.folder, &self.train, &self.validation, &self.test, &self.schema, &self.database].into_iter().flatten()
    }

    /// A data set of one file, which is to be learnt from, or of several, each of the part that its name speaks of; scripts and
    /// databases among them are what queries are about. A folder is a set by itself, for the task that its card names.
    ///
    /// # Errors
    /// If two files are of one part.
    pub fn of_files(task: &str, files: Vec<PathBuf>) -> Result<Self> {
        if let [folder] = files.as_slice()
            && folder.is_dir()
        {
            // a card that cannot be read is told of when the folder is opened
            let named = set::read_card(folder).map(|card| card.task).ok().filter(|named| named.parse::<Kind>().is_ok());
            return Ok(Self { task: named.unwrap_or_else(|| task.into()), folder: Some(folder.clone()), ..Self::default() });
        }
        let ends = |file: &Path, endings: &[&str]| file.extension().is_some_and(|e| endings.iter().any(|ending| e.eq_ignore_ascii_case(ending)));
        let (mut tables, files): (Vec<PathBuf>, Vec<PathBuf>) = files.into_iter().partition(|file| ends(file, &DATABASES));
        let mut source = Self { task: if tables.is_empty() { task.into() } else { Kind::Sql.name().into() }, ..Self::default() };
        let alone = files.len() == 1;
        for file in files {
            let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let part = if alone { Split::Train } else { Split::recognise(&stem).unwrap_or(Split::Train) };
            let place = match part {
                Split::Train => &mut source.train,
                Split::Validation => &mut source.validation,
                Split::Test => &mut source.test,
            };
            if let Some(other) = place {
                return Err(Error::request(say!(
                    "{} and {} would both be the part `{}`; name the files after their parts (train, validation, test), or open one of them",
                    "{} e {} sarebbero entrambi la parte `{}`; dai ai file il nome della loro parte (train, validation, test), oppure aprine uno solo",
                    other.display(),
                    file.display(),
                    part.name()
                )));
            }
            *place = Some(file);
        }
        // of two scripts the one that is called so makes the tables, and the other fills them
        let fills = |file: &PathBuf| !file.file_stem().unwrap_or_default().to_string_lossy().to_lowercase().contains("schema");
        tables.sort_by_key(|file| (!ends(file, &["sql"]), fills(file), file.clone()));
        for file in tables {
            let makes = ends(&file, &["sql"]) && source.schema.is_none();
            let place = if makes { &mut source.schema } else { &mut source.database };
            if let Some(other) = place {
                return Err(Error::request(say!(
                    "{} and {} would both be the database; open one of them",
                    "{} e {} sarebbero entrambi il database; aprine uno solo",
                    other.display(),
                    file.display()
                )));
            }
            *place = Some(file);
        }
        Ok(source)
    }

    /// What a run was asked for, as a face names it.
    fn of(task: &str, from: &set::Source) -> Result<Self> {
        let columns = serde_json::to_value(&from.columns).and_then(serde_json::from_value);
        let from = from.clone();
        Ok(Self {
            task: task.into(),
            folder: from.folder,
            train: from.train,
            validation: from.validation,
            test: from.test,
            columns: columns.map_err(|e| Error::request(say!("the columns: {e}", "le colonne: {e}")))?,
            schema: from.schema,
            database: from.database,
            skip_bad_rows: from.skip_bad_rows,
        })
    }

    /// The same for the rooms below.
    ///
    /// # Errors
    /// If a role or the task is unknown.
    pub fn to_set(&self) -> Result<set::Source> {
        let kind = if self.task.is_empty() { None } else { Some(self.task.parse().map_err(Error::Request)?) };
        Ok(set::Source {
            folder: self.folder.clone(),
            train: self.train.clone(),
            validation: self.validation.clone(),
            test: self.test.clone(),
            columns: serde_json::to_value(&self.columns)
                .and_then(serde_json::from_value)
                .map_err(|e| Error::request(say!("the columns: {e}", "le colonne: {e}")))?,
            kind,
            schema: self.schema.clone(),
            database: self.database.clone(),
            skip_bad_rows: self.skip_bad_rows,
        })
    }
}

/// What a model is trained on in a row.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct Microscope {
    /// The tokens.
    pub tokens: Vec<data::microscope::Token>,
    /// The longest length that the recipe allows, in tokens.
    pub limit: usize,
    /// `completion`, `head`, `tagging` or `full`.
    pub method: &'static str,
}

/// What a person chose in the window.
#[derive(Clone, Debug, Deserialize, TS)]
pub struct RunRequest {
    /// The data.
    pub data: Source,
    /// Name or path of the base model.
    pub model: String,
    /// `auto` or a method.
    pub method: String,
    /// `auto` or a device id.
    pub device: String,
    /// Seed of everything random.
    pub seed: u64,
    /// `key=value`, only what differs from the recipe.
    pub set: Vec<String>,
}

/// Events in order, without gaps: the first is number `from` of the run.
#[derive(Clone, Debug, Serialize, TS)]
pub struct EventBatch {
    /// The run.
    pub run: PathBuf,
    /// Number of the first event, from 0.
    pub from: usize,
    /// The events.
    pub events: Vec<Event>,
    /// Why no more will come though the run has not ended, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub fault: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::example::Span;

    #[test]
    fn one_file_is_learnt_from_and_several_are_the_parts_that_their_names_speak_of() {
        let of = |files: &[&str]| Source::of_files("intent", files.iter().map(PathBuf::from).collect());
        let one = of(&["a/test.csv"]).expect("a source");
        assert_eq!((one.train, one.test), (Some("a/test.csv".into()), None));
        let three = of(&["a/my-test.csv", "a/rows.csv", "a/dev.tsv"]).expect("a source");
        assert_eq!((three.train, three.validation, three.test), (Some("a/rows.csv".into()), Some("a/dev.tsv".into()), Some("a/my-test.csv".into())));
        assert!(of(&["a.csv", "b.csv"]).is_err_and(|e| e.to_string().contains("a.csv and b.csv")));
    }

    #[test]
    fn what_lies_beside_questions_is_their_database_and_a_folder_is_what_its_card_says() {
        let of = |files: &[&str]| Source::of_files("intent", files.iter().map(PathBuf::from).collect());
        let asked = of(&["a/seed.sql", "a/questions.csv", "a/my-schema.SQL"]).expect("a source");
        assert_eq!((asked.task.as_str(), asked.train), ("sql", Some("a/questions.csv".into())));
        assert_eq!((asked.schema, asked.database), (Some("a/my-schema.SQL".into()), Some("a/seed.sql".into())));
        let base = of(&["a/shop.sqlite", "a/test.jsonl", "a/train.jsonl"]).expect("a source");
        assert_eq!((base.database, base.schema, base.test), (Some("a/shop.sqlite".into()), None, Some("a/test.jsonl".into())));
        assert!(of(&["a.db", "b.sqlite3", "q.csv"]).is_err_and(|e| e.to_string().contains("would both be the database")));

        let dir = tempfile::tempdir().expect("a folder");
        let folder = |task: &str| {
            std::fs::write(dir.path().join("dataset.toml"), format!("task = \"{task}\"\n")).expect("written");
            Source::of_files("intent", vec![dir.path().into()]).expect("a source")
        };
        let own = folder("hashtags");
        assert_eq!((own.task.as_str(), own.folder.as_deref()), ("hashtags", Some(dir.path())));
        // without a task that is known, the one that was chosen
        assert_eq!((folder("").task, folder("poems").task), ("intent".into(), "intent".into()));
    }

    /// A run folder with these answers.
    fn answered(predictions: &[Prediction]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        let lines: Vec<String> = predictions.iter().map(|p| serde_json::to_string(p).expect("text")).collect();
        std::fs::write(dir.path().join("predictions.jsonl"), lines.join("\n")).expect("written");
        dir
    }

    fn prediction(expected: &str, answer: Option<&str>, probability: f64, calibrated: Option<f64>) -> Prediction {
        let (input, output) = ("a text".into(), answer.unwrap_or("?").into());
        let answer: Option<String> = answer.map(Into::into);
        let score = f64::from(answer.as_deref() == Some(expected));
        Prediction { input, expected: expected.into(), output, answer, score, free_score: None, probability, calibrated, reason: None, place: None }
    }

    #[test]
    fn the_bytes_of_a_folder_are_those_of_all_its_files() {
        let dir = tempfile::tempdir().expect("a folder");
        let inner = dir.path().join("a/b");
        std::fs::create_dir_all(&inner).expect("made");
        for (file, bytes) in [(dir.path().join("x"), 3), (inner.join("y"), 40)] {
            std::fs::write(file, vec![0u8; bytes]).expect("written");
        }
        assert_eq!((bytes_in(dir.path()), bytes_in(&inner), bytes_in(&dir.path().join("none"))), (43, 40, 0));
    }

    /// The first answers that a filter leaves.
    fn some(folder: &Path, filter: &PredictionFilter) -> PredictionPage {
        predictions(folder, filter, 0, 1000, Lang::English, &mut |_, _| true).expect("a page")
    }

    /// The lines of the answers behind each point of a figure that opens some, with what is said of it.
    fn behind(figure: &figure::Figure, folder: &Path) -> Vec<(String, Vec<usize>)> {
        let points = figure.data["pointer"]["points"].as_array().expect("points");
        let open = |point: &serde_json::Value| {
            // as text, which is how a window sends it back
            let filter: PredictionFilter = serde_json::from_str(&point.get("opens")?.to_string()).expect("a filter");
            Some((point["text"].as_str()?.to_string(), some(folder, &filter).rows.iter().map(|row| row.index).collect::<Vec<_>>()))
        };
        points.iter().filter_map(open).collect()
    }

    #[test]
    fn a_point_of_probability_opens_as_many_answers_as_it_counts() {
        // equal ones whose mean lies below them, both sides of an edge, digits that do not survive being read, both ends, and none
        let given = [0.7, 0.7, 0.7, 0.9, 0.8999999999999999, 0.9634835720062256, 0.963483599983916, 1.0, 0.0, 0.3, 0.29999999999999993];
        let all: Vec<Prediction> = given.iter().map(|p| prediction("a", Some("a"), *p, Some(1.0 - p))).collect();
        let dir = answered(&all);
        for calibrated in [false, true] {
            let sure = |p: &Prediction| if calibrated { 1.0 - p.probability } else { p.probability };
            let bins = tasks::score::bins(all.iter().map(|p| (sure(p), true)));
            let opened = behind(&figure::reliability(&bins, calibrated, Lang::English), dir.path());
            let counts: Vec<usize> = opened.iter().map(|(_, lines)| lines.len()).collect();
            assert_eq!(counts, bins.iter().map(|b| b.count).collect::<Vec<_>>());

            let mut order: Vec<f64> = all.iter().map(sure).collect();
            order.sort_by(|a, b| b.total_cmp(a));
            let curve: Vec<figure::Covered> = (0..order.len())
                .filter(|&i| order.get(i + 1) != Some(&order[i]))
                .map(|i| figure::Covered { probability: order[i], answered: i + 1, of: order.len(), right: i + 1 })
                .collect();
            let opened = behind(&figure::coverage(&curve, calibrated, None, Lang::English), dir.path());
            // a curve begins at the tenth answer
            let steady: Vec<usize> = curve.iter().map(|p| p.answered).filter(|n| *n >= 10).collect();
            assert_eq!(opened.iter().map(|(_, lines)| lines.len()).collect::<Vec<_>>(), steady);
        }
        // an answer of another run, that was never calibrated, lies in no calibrated range
        let dir = answered(&[prediction("a", None, 0.5, None)]);
        let filter = |calibrated| PredictionFilter { probability: Some(ProbabilityRange { from: 0.0, to: None, calibrated }), ..PredictionFilter::default() };
        let total = |calibrated| some(dir.path(), &filter(calibrated)).total;
        assert_eq!((total(None), total(Some(true))), (1, 0));
    }

    #[test]
    fn answers_that_nobody_waits_for_are_not_read_to_their_end() {
        let dir = answered(&vec![prediction("a", Some("b"), 0.5, None); 2500]);
        let mut told = Vec::new();
        let mut watch = |done: u64, of: Option<u64>| {
            told.push((done, of));
            told.len() < 2
        };
        let ended = predictions(dir.path(), &PredictionFilter::default(), 0, 9, Lang::English, &mut watch);
        assert!(ended.is_err_and(|e| e.to_string() == cancelled().to_string()));
        assert_eq!(told, [(1000, Some(2500)), (2000, Some(2500))]);
    }

    #[test]
    fn a_point_of_the_map_opens_its_answer() {
        let placed = |x: f32, place: bool| Prediction { place: place.then_some([x, 1.0]), ..prediction("a", Some("a"), 0.5, None) };
        // one that lies nowhere is on no map, and the others keep their numbers
        let all = [placed(0.0, true), placed(1.0, false), placed(2.0, true)];
        let dir = answered(&all);
        let points: Vec<figure::Placed> = [0, 2].map(|i| figure::Placed { x: f64::from(i), answer: usize::try_from(i).ok(), ..Default::default() }).into();
        let lines: Vec<Vec<usize>> = behind(&figure::example_map(&points, Lang::English), dir.path()).into_iter().map(|(_, lines)| lines).collect();
        assert_eq!(lines, [[0], [2]]);
    }

    #[test]
    fn a_part_of_the_entity_errors_opens_the_answers_with_such_a_mistake() {
        let list = |spans: &[(usize, usize, &str)]| {
            let spans: Vec<Span> = spans.iter().map(|&(start, end, kind)| Span { start, end, kind: kind.into() }).collect();
            serde_json::to_string(&spans).expect("text")
        };
        let one = |expected: &[_], answer: &[_]| prediction(&list(expected), Some(&list(answer)), 0.5, None);
        let (anna, roma) = ((0, 4, "people"), (7, 11, "places"));
        let all = [
            // right; one missed and one invented; another type; other ends; no answer, which misses both; and no entities at all
            one(&[anna], &[anna]),
            one(&[anna], &[(20, 24, "places")]),
            one(&[roma], &[(7, 11, "people")]),
            one(&[roma], &[(7, 12, "places")]),
            prediction(&list(&[anna, roma]), None, 0.5, None),
            prediction("a label", Some("another"), 0.5, None),
        ];
        let faults = |name: &str, [right, missed, wrong_type, wrong_boundary, invented]: [usize; 5]| figure::Faults {
            name: name.into(),
            right,
            missed,
            wrong_type,
            wrong_boundary,
            invented,
        };
        let rows = [faults("all types", [1, 3, 1, 1, 1]), faults("places", [0, 1, 1, 1, 1]), faults("people", [1, 2, 0, 0, 0])];
        let dir = answered(&all);
        let opened = behind(&figure::entity_errors(&rows, Lang::English), dir.path());
        let lines = |start: &str| opened.iter().find(|(text, _)| text.starts_with(start)).unwrap_or_else(|| panic!("{start} in {opened:?}")).1.clone();
        assert_eq!(lines("all types:"), [1, 2, 3, 4]);
        assert_eq!(lines("all types, missed: 3."), [1, 4]);
        assert_eq!(lines("all types, wrong type: 1."), [2]);
        assert_eq!(lines("places:"), [1, 2, 3, 4]);
        assert_eq!(lines("places, missed: 1."), [4]);
        assert_eq!(lines("places, wrong ends: 1."), [3]);
        assert_eq!(lines("places, invented: 1."), [1]);
        assert_eq!(lines("people, missed: 2."), [1, 4]);
        // what did not happen opens nothing
        assert!(!opened.iter().any(|(text, _)| text.starts_with("people, wrong")), "{opened:?}");
    }

    #[test]
    fn the_methods_of_a_task_are_those_that_suit_it_its_own_first() {
        let methods = |name: &str| tasks().expect("the recipes are compiled in").into_iter().find(|t| t.name == name).expect("a task").methods;
        assert_eq!(methods("intent"), ["head", "completion", "full"]);
        assert_eq!((methods("entities"), methods("sql")), (vec!["tagging", "completion", "full"], vec!["completion", "full"]));
    }
}
