//! Several runs as one question: what a method reaches, how sure that is, and what more data would bring.
//!
//! A [`Study`] is every combination of methods, training-set sizes and seeds. Each is an ordinary run in a folder of its
//! own, named after its combination, so a study that was cut off goes on where it stopped: finished runs are read,
//! interrupted ones resumed. The outcome, `study.json`, gives for each method and size the mean over the seeds with its
//! interval. Everything a run of its own does holds here too: the test set decides nothing.

use crate::error::{Error, Result};
use crate::home::Home;
use crate::recipe::Recipe;
use crate::resume::{Resumed, resume};
use crate::run::{self, CHECKPOINTS, Request, STOPPED, Sources};
use crate::task;
use data::set::Split;
use report::record::{RunFile, RunResult, write_atomically};
use report::study::FILE;
pub use report::study::{Outcome, StudyRun, Summary};
use say::say;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use tasks::Metrics;
use train::{Event, checkpoint};

/// What to try.
#[derive(Clone, Debug)]
pub struct Study {
    /// The run that all have in common; its method, rows, seed and folder are replaced.
    pub common: Request,
    /// Methods, by name.
    pub methods: Vec<String>,
    /// Training rows; none means all there are.
    pub sizes: Vec<Option<usize>>,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Folder of the runs and of `study.json`.
    pub out: PathBuf,
}

impl Study {
    /// Runs what is not finished yet, and sums up. A stop ends the run that is under way and the study with it; the same
    /// study goes on from there.
    ///
    /// # Errors
    /// If nothing was named to try, a run fails or is refused, or the study was stopped.
    pub fn run(&self, home: &Home, on_event: &mut dyn FnMut(&Event), stop: &AtomicBool) -> Result<Outcome> {
        if self.methods.is_empty() || self.sizes.is_empty() || self.seeds.is_empty() {
            return Err(Error::request(say!(
                "a study needs at least one method, one size and one seed",
                "a uno studio servono almeno un metodo, una dimensione e un seme"
            )));
        }
        let (sources, set) = Sources::read(home, &self.common)?;
        // of many runs none is to be refused when others have been trained already
        for (&rows, &seed) in self.sizes.iter().flatten().flat_map(|rows| self.seeds.iter().map(move |seed| (rows, seed))) {
            task::enough(&set, rows, seed)?;
        }
        std::fs::create_dir_all(&self.out).map_err(|e| Error::io(&self.out, e))?;
        let mut outcome = Outcome {
            task: self.common.task.clone(),
            data: String::new(),
            version: crate::VERSION.into(),
            command: self.as_command(),
            files: Vec::new(),
            metric: String::new(),
            baselines: BTreeMap::new(),
            sampled: BTreeMap::new(),
            summaries: Vec::new(),
            cells: Vec::new(),
        };
        for method in &self.methods {
            for &rows in &self.sizes {
                let mut cells = Vec::new();
                for &seed in &self.seeds {
                    let result = self.one(home, method, (rows, seed), &sources, on_event, stop);
                    // a run that was stopped while it was made ready has no result
                    if stop.load(Ordering::Relaxed) || result.as_ref().is_ok_and(|r| r.status == STOPPED) {
                        return Err(Error::request(say!(
                            "the study was stopped; the same command goes on with it, finished runs are in {}",
                            "lo studio è stato fermato; lo stesso comando prosegue, le esecuzioni finite sono in {}",
                            self.out.display()
                        )));
                    }
                    let result = result?;
                    let Some(metrics) = &result.metrics else {
                        return Err(Error::request(say!(
                            "there is nothing to score the runs on; name a test or a validation set",
                            "non c’è nulla su cui valutare le esecuzioni; indica un insieme di prova o di validazione"
                        )));
                    };
                    outcome.metric = metrics.headline()[0].0.into();
                    outcome.baselines = result.baselines.iter().map(|(name, m)| (name.clone(), m.main())).collect();
                    let part = |(name, m): (&String, &Metrics)| (name.clone(), [m.examples(), metrics.examples()]);
                    outcome.sampled = result.baselines.iter().map(part).filter(|(_, [asked, of])| asked < of).collect();
                    outcome.data.clone_from(&result.data.name);
                    outcome.files = result.files();
                    let folder = self.folder(method, rows, seed);
                    let examples = result.data.files.get(Split::Train.name()).map_or(0, |f| f.count as usize);
                    cells.push(StudyRun { method: method.clone(), rows, examples, seed, folder, value: Metrics::main(metrics), seconds: result.train.seconds });
                }
                outcome.summaries.push(summary(&cells));
                outcome.cells.append(&mut cells);
                self.write(&outcome)?;
            }
        }
        Ok(outcome)
    }

    fn folder(&self, method: &str, rows: Option<usize>, seed: u64) -> PathBuf {
        self.out.join(format!("{method}-{}-seed{seed}", size(rows)))
    }

    fn one(
        &self,
        home: &Home,
        method: &str,
        (rows, seed): (Option<usize>, u64),
        sources: &Sources,
        on_event: &mut dyn FnMut(&Event),
        stop: &AtomicBool,
    ) -> Result<RunResult> {
        let out = self.folder(method, rows, seed);
        finished(home, Request { method: method.into(), rows, seed, out, ..self.common.clone() }, sources, on_event, stop)
    }

    fn write(&self, outcome: &Outcome) -> Result<()> {
        let text =
            serde_json::to_string_pretty(outcome).map_err(|e| Error::request(say!("{FILE} cannot be written: {e}", "{FILE} non si può scrivere: {e}")))?;
        Ok(write_atomically(&self.out.join(FILE), text.as_bytes())?)
    }
}

/// A number of training rows as it is asked for.
pub(crate) fn size(rows: Option<usize>) -> String {
    rows.map_or_else(|| "all".into(), |n| n.to_string())
}

/// Refuses a folder whose run answers another question than `request` asks now, of what `sources` holds now: neither a
/// finished nor an interrupted run may stand in for another one.
///
/// # Errors
/// If it does, with what differs.
pub(crate) fn same_question(request: &Request, sources: &Sources) -> Result<()> {
    let folder = &request.out;
    let Ok(made) = RunFile::read(folder) else { return Ok(()) };
    // where it is computed is no other question: devices agree, and a run whose device was lost may have moved
    let asked = |r: &Request| (r.task.clone(), r.model.clone(), r.rows, r.seed, r.edited, r.trial);
    // the settings that were resolved, not the file or the words that they came from
    let recipe = request.recipe()?;
    let then = made.request.clone().try_into::<Request>().ok().filter(|then| asked(then) == asked(request));
    let Some(then) = then.filter(|_| Recipe::of_run(&made, folder).is_ok_and(|own| own == recipe)) else {
        return Err(Error::request(say!(
            "{} holds a run with other settings; choose another folder with --out",
            "{} contiene un’esecuzione con altre impostazioni; scegli un’altra cartella con --out",
            folder.display()
        )));
    };
    match sources.differ_from(&made, &then) {
        None => Ok(()),
        Some(what) => Err(Error::request(say!(
            "{} holds a run on other data: {what} is not what it was then; choose another folder with --out, or remove this one",
            "{} contiene un’esecuzione su altri dati: {what} non è più com’era allora; scegli un’altra cartella con --out, oppure elimina questa",
            folder.display()
        ))),
    }
}

/// The result of a run that is one of many: read if it is finished, else the run is gone on with or made.
///
/// # Errors
/// As [`same_question`], if it fails or is refused, or another process is at it.
pub(crate) fn finished(home: &Home, mut request: Request, sources: &Sources, on_event: &mut dyn FnMut(&Event), stop: &AtomicBool) -> Result<RunResult> {
    same_question(&request, sources)?;
    let folder = &request.out;
    // one that cannot be read is no reason to make the run anew: its folder holds what was trained
    if folder.join("result.json").exists() {
        let result = RunResult::read(folder)?;
        if result.status == "completed" {
            return Ok(result);
        }
    }
    if checkpoint::latest(&folder.join(CHECKPOINTS)).0.is_some() {
        // on the device that is named now; where that is left open, on the one that it had or was moved to
        let had = RunFile::read(folder)?.request.get("device").and_then(|device| device.as_str().map(str::to_string));
        let moved = (request.device != "auto" && had.as_deref() != Some(request.device.as_str())).then_some(request.device.as_str());
        return match resume(home, folder, moved, on_event, stop)? {
            Resumed::Here(result) => Ok(*result),
            Resumed::Elsewhere => Err(Error::request(say!(
                "{} is being trained by another process; wait for it",
                "{} è in addestramento in un altro processo; aspettalo",
                folder.display()
            ))),
        };
    }
    // begun, and nothing to go on from
    if folder.join("run.toml").exists() {
        std::fs::remove_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    }
    request.command = request.as_command();
    run::train(home, &request, on_event, stop)
}

fn summary(cells: &[StudyRun]) -> Summary {
    let n = cells.len() as f64;
    let mean = cells.iter().map(|c| c.value).sum::<f64>() / n;
    let deviation = (cells.iter().map(|c| (c.value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let reach = student(cells.len().saturating_sub(1)) * deviation / n.sqrt();
    Summary {
        method: cells[0].method.clone(),
        rows: cells[0].rows,
        examples: cells[0].examples,
        runs: cells.len(),
        mean,
        interval: (cells.len() > 1).then_some([(mean - reach).max(0.0), (mean + reach).min(1.0)]),
        seconds: cells.iter().map(|c| c.seconds).sum::<f64>() / n,
    }
}

/// 97.5 % quantile of Student's t with these degrees of freedom (Fisher and Yates' table; beyond it the normal one).
fn student(freedom: usize) -> f64 {
    const TABLE: [f64; 20] =
        [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086];
    TABLE.get(freedom.saturating_sub(1)).copied().unwrap_or(1.96)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(value: f64, seed: u64) -> StudyRun {
        StudyRun { method: "head".into(), rows: Some(60), examples: 60, seed, folder: "f".into(), value, seconds: 10.0 * (seed + 1) as f64 }
    }

    #[test]
    fn the_interval_is_students() {
        // of 0.5, 0.6, 0.7: mean 0.6, deviation 0.1, so 4.303 * 0.1 / √3 to either side
        let s = summary(&[cell(0.5, 0), cell(0.6, 1), cell(0.7, 2)]);
        let [low, high] = s.interval.expect("three runs");
        assert!((s.mean - 0.6).abs() < 1e-12 && (s.seconds - 20.0).abs() < 1e-12);
        assert!((low - 0.351_57).abs() < 1e-4 && (high - 0.848_43).abs() < 1e-4, "{low} {high}");
        assert_eq!(summary(&[cell(0.5, 0)]).interval, None);
        assert_eq!(summary(&[cell(0.01, 0), cell(0.99, 1)]).interval, Some([0.0, 1.0]));
    }
}
