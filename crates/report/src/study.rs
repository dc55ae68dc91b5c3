//! A study, which is many runs of one question: its outcome, `study.json`, and its report.

use crate::content::scores::{baseline, inside, measure};
use crate::content::{self, NAME_CHARS, listed};
use crate::document::{Block, Cell, Column, Document, Kind, Role, Row, Section, Table, plain};
use crate::figure::{self, Learnt, Series};
use crate::record::{Error, FileRecord, RunResult};
use crate::text::{Lang, Words, clean, fill};
use say::say;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The file of a study's outcome in its folder.
pub const FILE: &str = "study.json";
/// Sections of the report of a study, in their order.
pub const SECTIONS: [&str; 4] = ["summary", "results", "runs", "reproduce"];

/// One run of a study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyRun {
    /// Its method as it was asked for.
    pub method: String,
    /// Its training rows as they were asked for; none means all there are.
    pub rows: Option<usize>,
    /// Its training rows; 0 in files of versions that did not count them.
    #[serde(default)]
    pub examples: usize,
    /// Its seed.
    pub seed: u64,
    /// Its folder.
    pub folder: PathBuf,
    /// Its main metric on the test set, or the validation set without one.
    pub value: f64,
    /// Its seconds of training.
    pub seconds: f64,
}

/// What the runs of one method and size came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The method.
    pub method: String,
    /// Training rows as they were asked for; none means all there are.
    pub rows: Option<usize>,
    /// Training rows; 0 in files of versions that did not count them.
    #[serde(default)]
    pub examples: usize,
    /// Runs.
    pub runs: usize,
    /// Mean of the main metric.
    pub mean: f64,
    /// 95 % interval of the mean over seeds (Student's t); none for a single run.
    pub interval: Option<[f64; 2]>,
    /// Mean seconds of training.
    pub seconds: f64,
}

/// The outcome of a study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Task name; empty in files of versions that did not write it.
    #[serde(default)]
    pub task: String,
    /// Name of the data set; empty in files of versions that did not write it.
    #[serde(default)]
    pub data: String,
    /// Version of Lapidary.
    #[serde(default)]
    pub version: String,
    /// The command that repeats it; empty in files of versions that did not write it.
    #[serde(default)]
    pub command: String,
    /// The files that went into its runs: those of the data, then those of the model.
    #[serde(default)]
    pub files: Vec<FileRecord>,
    /// Name of the main metric.
    pub metric: String,
    /// Baselines by name: their main metric on the same examples.
    pub baselines: BTreeMap<String, f64>,
    /// Of these, those that were asked about a part of the examples alone: about how many, and of how many.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sampled: BTreeMap<String, [usize; 2]>,
    /// By method and size, in the order in which they were asked for.
    pub summaries: Vec<Summary>,
    /// Every run.
    pub cells: Vec<StudyRun>,
}

impl Outcome {
    /// Reads the outcome of the study in a folder; nothing if there is none. Files of versions that did not write which files went in
    /// have those of a run of the study, where its result is there.
    ///
    /// # Errors
    /// If its file is damaged.
    pub fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Io { path, source }),
        };
        let mut outcome: Self = serde_json::from_str(&text).map_err(|e| Error::Format {
            path,
            what: say!("is not the outcome of a study ({e}); run the study again", "non è il risultato di uno studio ({e}); esegui di nuovo lo studio"),
        })?;
        if outcome.files.is_empty() {
            // a folder that was moved holds its runs all the same
            let run = outcome.cells.iter().filter_map(|cell| cell.folder.file_name()).find_map(|name| RunResult::read(&folder.join(name)).ok());
            if let Some(run) = run {
                outcome.files = run.files();
                if outcome.version.is_empty() {
                    outcome.version = run.version;
                }
            }
        }
        Ok(Some(outcome))
    }

    /// How to repeat it, as far as that is known.
    fn repeat(&self, words: &Words) -> Vec<Block> {
        let mut blocks = content::sums(self.files.iter(), words);
        let template = match (self.command.is_empty(), blocks.is_empty()) {
            (true, true) => return blocks,
            (true, false) => words.reproduce_unknown,
            (false, _) => words.reproduce_study,
        };
        let mut how = vec![Block::Paragraph { text: plain(fill(template, &[("version", &clean(&self.version, 40))])), role: Role::Body }];
        if !self.command.is_empty() {
            how.extend(content::typed(&self.command, words));
        }
        if self.command.split_whitespace().any(|word| word == "--edited") {
            how.push(Block::Paragraph { text: plain(words.reproduce_edited), role: Role::Body });
        }
        how.append(&mut blocks);
        how
    }

    /// Scores by the size of the training set, a line for each method that has several sizes.
    fn curves(&self) -> Vec<Series> {
        let mut out: Vec<Series> = Vec::new();
        for s in self.summaries.iter().filter(|s| s.examples > 0) {
            let point = Learnt { examples: s.examples, score: s.mean, interval: s.interval };
            match out.iter_mut().find(|series| series.name == s.method) {
                Some(series) => series.points.push(point),
                None => out.push(Series { name: s.method.clone(), points: vec![point] }),
            }
        }
        out.retain(|series| series.points.iter().map(|p| p.examples).collect::<BTreeSet<_>>().len() > 1);
        out
    }
}

/// The report of a study.
pub fn report(outcome: &Outcome, lang: Lang) -> Document {
    let words = lang.words();
    let n = |count: usize| lang.integer(count as u64);
    let title = measure(&outcome.metric, words).to_string();
    // what a method does is told in the reports of its runs
    let method = |name: &str| content::method(name, words).split(" (").next().unwrap_or_default().to_string();
    let percent = |share: f64| Cell::value(lang.percent(share), share);
    let time = |seconds: f64| if seconds > 0.0 { Cell::value(lang.duration(seconds), seconds) } else { Cell::empty() };
    let size = |examples: usize, rows: Option<usize>| match (examples, rows) {
        (0, None) => Cell { text: plain(words.study_all), value: serde_json::Value::Null },
        (0, Some(rows)) => Cell::value(n(rows), rows),
        (examples, _) => Cell::value(n(examples), examples),
    };
    let interval = |interval: Option<[f64; 2]>| interval.map_or_else(Cell::empty, |i| Cell::value(lang.percent_range(i), serde_json::json!(i)));

    let mut figures = Vec::new();
    let mut curves = outcome.curves();
    curves.iter_mut().for_each(|series| series.name = method(&series.name));
    if !curves.is_empty() {
        figures.push(("learning".to_string(), figure::learning_curve(&curves, &title, lang)));
    }
    let methods: BTreeSet<&str> = outcome.summaries.iter().map(|s| s.method.as_str()).collect();
    let seeds: BTreeSet<u64> = outcome.cells.iter().map(|c| c.seed).collect();
    let sizes: BTreeSet<(usize, Option<usize>)> = outcome.summaries.iter().map(|s| (s.examples, s.rows)).collect();
    let counts = [("runs", n(outcome.cells.len())), ("methods", n(methods.len())), ("sizes", n(sizes.len())), ("seeds", n(seeds.len()))];
    let mut text = vec![fill(words.study_lead, &counts.each_ref().map(|(n, v)| (*n, v.as_str())))];
    if let Some(best) = outcome.summaries.iter().filter(|s| s.mean.is_finite()).max_by(|a, b| a.mean.total_cmp(&b.mean)) {
        let within = best.interval.map(|i| format!(" ({})", lang.percent_range(i))).unwrap_or_default();
        let values = [
            ("measure", inside(&title)),
            ("score", format!("{}{within}", lang.percent(best.mean))),
            ("method", method(&best.method)),
            ("examples", size(best.examples, best.rows).text.iter().map(crate::document::Span::text).collect()),
        ];
        text.push(fill(words.study_best, &values.each_ref().map(|(n, v)| (*n, v.as_str()))));
    }
    let mut summary = vec![Block::Paragraph { text: plain(text.join(" ")), role: Role::Lead }];
    if !curves.is_empty() {
        summary.push(Block::Figure { name: "learning".into(), caption: fill(words.study_caption, &[("measure", &title)]) });
    }

    let rows = outcome.summaries.iter().map(|s| {
        Row::new(vec![
            Cell::plain(method(&s.method)),
            size(s.examples, s.rows),
            Cell::value(n(s.runs), s.runs),
            percent(s.mean),
            interval(s.interval),
            time(s.seconds),
        ])
    });
    let columns = vec![
        Column::new("method", words.method, Kind::Name),
        Column::new("examples", words.study_examples, Kind::Number),
        Column::new("runs", words.study_runs, Kind::Number),
        Column::new("mean", &title, Kind::Share),
        Column::new("interval", words.interval, Kind::Interval),
        Column::new("seconds", words.time, Kind::Number),
    ];
    let mut results = listed("summaries", Some(words.study_results_caption), columns, rows, lang);
    if !outcome.baselines.is_empty() {
        let rows = outcome.baselines.iter().map(|(name, &value)| {
            Row::new(vec![Cell { text: plain(baseline(name, &outcome.task, words)), value: clean(name, NAME_CHARS).into() }, percent(value)])
        });
        results.push(Block::Table(Table {
            name: "baselines",
            caption: Some(words.study_baselines_caption.into()),
            columns: vec![Column::new("system", words.system, Kind::Name), Column::new("value", &title, Kind::Share)],
            titled: true,
            rows: rows.collect(),
        }));
    }
    let mut parts: BTreeMap<[usize; 2], Vec<String>> = BTreeMap::new();
    for (name, part) in &outcome.sampled {
        parts.entry(*part).or_default().push(baseline(name, &outcome.task, words));
    }
    let notes = parts.into_iter().map(|(part, systems)| content::sampled(lang, part, &systems)).chain([words.study_note.to_string()]);
    results.push(Block::Paragraph { text: plain(notes.collect::<Vec<_>>().join(" ")), role: Role::Note });

    let rows = outcome.cells.iter().map(|c| {
        let folder = c.folder.file_name().unwrap_or(c.folder.as_os_str()).to_string_lossy();
        Row::new(vec![Cell::foreign(&folder, NAME_CHARS), size(c.examples, c.rows), Cell::value(c.seed.to_string(), c.seed), percent(c.value), time(c.seconds)])
    });
    let columns = vec![
        Column::new("run", words.run, Kind::Name),
        Column::new("examples", words.study_examples, Kind::Number),
        Column::new("seed", words.seed, Kind::Number),
        Column::new("value", &title, Kind::Share),
        Column::new("seconds", words.time, Kind::Number),
    ];
    let runs = listed("runs", None, columns, rows, lang);
    let section = |id, heading: &str, blocks| Section { id, heading: heading.into(), blocks };
    let version = clean(&outcome.version, 40);
    let mut heading = vec![words.study_title.to_string()];
    heading.extend([content::task(&outcome.task, words), clean(&outcome.data, NAME_CHARS)].into_iter().filter(|s| !s.is_empty()));
    let mut sections =
        vec![section("summary", words.summary_heading, summary), section("results", words.results_heading, results), section("runs", words.study_runs, runs)];
    let repeat = outcome.repeat(words);
    if !repeat.is_empty() {
        sections.push(section("reproduce", words.reproduce_heading, repeat));
    }
    Document {
        lang,
        kicker: words.kicker.into(),
        title: heading.join(": "),
        heading: plain(heading.join(": ")),
        subtitle: plain(methods.into_iter().map(method).collect::<Vec<_>>().join(" · ")),
        banners: Vec::new(),
        sections,
        footer: fill(words.footer, &[("version", &version)]),
        generator: format!("Lapidary {version}"),
        figures,
    }
}
