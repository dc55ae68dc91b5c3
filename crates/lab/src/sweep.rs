//! Settings chosen by trying: successive halving on the validation set.
//!
//! A [`Sweep`] names values for some settings of a recipe. Every combination is trained briefly; the best of them are trained
//! longer, the best of these longer again, until the last ones have all the epochs of the recipe (successive halving, Jamieson
//! and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", 2016). Each trial is an ordinary
//! run in a folder of its own, without the test set, so a sweep that was cut off goes on where it stopped and no test row has
//! a say in what is chosen. The outcome is `sweep.json`.

use crate::error::{Error, Result};
use crate::home::Home;
use crate::recipe::Recipe;
use crate::run::{Request, STOPPED, Sources};
use crate::study;
use data::Kind;
use report::record::{self, RunResult, write_atomically};
use say::say;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use tasks::Metrics;
use train::Event;

/// The file of a sweep's outcome in its folder.
pub const FILE: &str = "sweep.json";

/// Values to try for one setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Dimension {
    /// The setting, as `--set` names it.
    pub key: String,
    /// Its values.
    pub values: Vec<String>,
}

impl std::str::FromStr for Dimension {
    type Err = String;

    /// Reads `key=value,value`; where a value holds commas itself, `key=value;value`.
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = || say!("`{text}` is not of the form key=value,value", "`{text}` non ha la forma chiave=valore,valore");
        let (key, values) = text.split_once('=').ok_or_else(wrong)?;
        let between = if values.contains(';') { ';' } else { ',' };
        let values: Vec<String> = values.split(between).map(|v| v.trim().to_string()).collect();
        if key.trim().is_empty() || values.iter().any(String::is_empty) {
            return Err(wrong());
        }
        Ok(Self { key: key.trim().into(), values })
    }
}

/// What to try.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The run that all trials have in common; their settings, epochs and folder are their own.
    pub common: Request,
    /// The settings and their values.
    pub dimensions: Vec<Dimension>,
    /// One of so many trials goes on to the next round, which is so many times as long; at least 2.
    pub halving: usize,
    /// Folder of the trials and of `sweep.json`.
    pub out: PathBuf,
}

/// One trial.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trial {
    /// The round, from 1; later ones are longer.
    pub round: usize,
    /// What it changes, `key=value`.
    pub set: Vec<String>,
    /// Its epochs.
    pub epochs: usize,
    /// Its main metric on the validation set; none if the training failed.
    pub value: Option<f64>,
    /// Its lowest loss on the validation set, which decides between equal metrics.
    pub loss: Option<f64>,
    /// Its seconds of training.
    pub seconds: f64,
    /// Its folder.
    pub folder: PathBuf,
}

/// What a sweep found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// Task name.
    pub task: String,
    /// Name of the data set.
    pub data: String,
    /// Version of Lapidary.
    pub version: String,
    /// Name of the metric that decides.
    pub metric: String,
    /// Every trial so far, each round from the best to the worst.
    pub trials: Vec<Trial>,
    /// What the best trial of the last round changes; empty until then.
    pub best: Vec<String>,
}

impl Sweep {
    /// Runs the trials that are not finished yet. A stop ends the trial that is under way and the sweep with it; the same
    /// sweep goes on from there.
    ///
    /// # Errors
    /// If nothing was named to try, a setting is refused, there is no validation set, or the sweep was stopped. A training
    /// that fails by itself is a trial that is not chosen.
    pub fn run(&self, home: &Home, on_event: &mut dyn FnMut(&Event), stop: &AtomicBool) -> Result<Outcome> {
        if self.dimensions.is_empty() || self.halving < 2 {
            return Err(Error::request(say!(
                "a sweep needs settings to try, and lets at most one of two go on",
                "servono impostazioni da provare, e ne passa al più una su due"
            )));
        }
        // what is refused is refused before the first hour of training
        let kind = self.common.task.parse::<Kind>().map_err(Error::Request)?;
        let mut going: Vec<(Vec<String>, usize)> = Vec::new();
        for set in combinations(&self.dimensions) {
            let all: Vec<String> = self.common.set.iter().chain(&set).cloned().collect();
            let recipe = Recipe::resolve(kind, self.common.recipe.as_deref(), &self.common.method, &all)?;
            going.push((set, recipe.train.epochs));
        }
        let (sources, _) = Sources::read(home, &Request { trial: true, ..self.common.clone() })?;
        std::fs::create_dir_all(&self.out).map_err(|e| Error::io(&self.out, e))?;
        let mut outcome = Outcome {
            task: self.common.task.clone(),
            data: String::new(),
            version: crate::VERSION.into(),
            metric: String::new(),
            trials: Vec::new(),
            best: Vec::new(),
        };
        let rounds = rounds(going.len(), going.iter().map(|(_, epochs)| *epochs).min().unwrap_or(1), self.halving);
        for round in 1..=rounds {
            let shorter = self.halving.pow((rounds - round) as u32);
            let mut tried = Vec::new();
            for (set, epochs) in &going {
                let epochs_now = (epochs / shorter).max(1);
                let folder = self.out.join(format!("round{round}-{}", name(set)));
                let mut settings: Vec<String> = self.common.set.iter().chain(set).cloned().collect();
                settings.push(format!("train.epochs={epochs_now}"));
                let request = Request { set: settings, trial: true, out: folder.clone(), ..self.common.clone() };
                let result = self.trained(home, request, &sources, on_event, stop)?;
                if let Some(metrics) = &result.metrics {
                    outcome.metric = metrics.headline()[0].0.into();
                }
                outcome.data.clone_from(&result.data.name);
                let events = record::events(&folder)?;
                let losses = events.iter().filter_map(|e| if let Event::Evaluation { loss, .. } = e { Some(*loss) } else { None });
                let trial = Trial {
                    round,
                    set: set.clone(),
                    epochs: epochs_now,
                    value: result.metrics.as_ref().map(Metrics::main),
                    loss: losses.filter(|l| l.is_finite()).min_by(f64::total_cmp),
                    seconds: result.train.seconds,
                    folder,
                };
                outcome.trials.push(trial.clone());
                self.write(&outcome)?;
                tried.push((trial, *epochs));
            }
            tried.sort_by(|(a, _), (b, _)| order(b).partial_cmp(&order(a)).unwrap_or(std::cmp::Ordering::Equal));
            if round < rounds {
                tried.truncate(tried.len().div_ceil(self.halving));
            }
            going = tried.iter().map(|(trial, epochs)| (trial.set.clone(), *epochs)).collect();
            // rounds stand one behind the other, so a stable sort by round and rank orders them all
            outcome.trials.sort_by(|a, b| a.round.cmp(&b.round).then(order(b).partial_cmp(&order(a)).unwrap_or(std::cmp::Ordering::Equal)));
            if round == rounds {
                let winner = tried.first().filter(|(trial, _)| trial.value.is_some());
                let (winner, _) = winner.ok_or_else(|| {
                    Error::request(say!("every trial failed; its folder says why", "tutte le prove sono fallite; le loro cartelle dicono perché"))
                })?;
                outcome.best.clone_from(&winner.set);
            }
            self.write(&outcome)?;
        }
        Ok(outcome)
    }

    /// Trains a trial, or reads it if it is finished; of one that failed, its folder holds the reason.
    fn trained(&self, home: &Home, request: Request, sources: &Sources, on_event: &mut dyn FnMut(&Event), stop: &AtomicBool) -> Result<RunResult> {
        // the reason of an earlier failure is no answer to another question
        study::same_question(&request, sources)?;
        let folder = request.out.clone();
        let result = match study::finished(home, request, sources, on_event, stop) {
            Err(_) if RunResult::read(&folder).is_ok_and(|r| r.status == "failed") => RunResult::read(&folder).map_err(Error::from),
            outcome => outcome,
        };
        // one that was stopped while it was made ready has no result
        if stop.load(Ordering::Relaxed) || result.as_ref().is_ok_and(|r| r.status == STOPPED) {
            return Err(Error::request(say!(
                "the sweep was stopped; the same command goes on with it, finished trials are in {}",
                "la ricerca è stata fermata; lo stesso comando la prosegue, le prove finite sono in {}",
                self.out.display()
            )));
        }
        let result = result?;
        if result.metrics.is_none() && result.status != "failed" {
            return Err(Error::request(say!(
                "there is nothing to choose by; name a validation set",
                "non c’è nulla con cui scegliere; indica un insieme di validazione"
            )));
        }
        Ok(result)
    }

    fn write(&self, outcome: &Outcome) -> Result<()> {
        let text =
            serde_json::to_string_pretty(outcome).map_err(|e| Error::request(say!("{FILE} cannot be written: {e}", "{FILE} non si può scrivere: {e}")))?;
        Ok(write_atomically(&self.out.join(FILE), text.as_bytes())?)
    }
}

/// Greater for the better trial: the metric, then the lower loss. A failed one is the least of all.
fn order(trial: &Trial) -> (f64, f64) {
    (trial.value.unwrap_or(-1.0), -trial.loss.unwrap_or(f64::MAX))
}

/// Rounds of a sweep: as many as leave one trial, as long as the first is at least one epoch long.
fn rounds(trials: usize, epochs: usize, halving: usize) -> usize {
    let (mut left, mut first, mut rounds) = (trials, epochs, 1);
    while left > 1 && first >= halving {
        left = left.div_ceil(halving);
        first /= halving;
        rounds += 1;
    }
    rounds
}

/// Every choice of one value for each setting, the last setting changing fastest.
fn combinations(dimensions: &[Dimension]) -> Vec<Vec<String>> {
    dimensions.iter().fold(vec![Vec::new()], |all, d| {
        let longer = |set: &Vec<String>| -> Vec<Vec<String>> { d.values.iter().map(|v| [set.as_slice(), &[format!("{}={v}", d.key)]].concat()).collect() };
        all.iter().flat_map(longer).collect()
    })
}

/// The name of a trial's folder: what it changes, in letters that every system takes. Long ones, or those whose letters were
/// replaced, end with a piece of their hash, so that no two trials share a folder.
fn name(set: &[String]) -> String {
    let text = set.join("_");
    let plain: String = text.chars().map(|c| if c.is_ascii_alphanumeric() || "=.-_".contains(c) { c } else { '-' }).take(80).collect();
    if plain == text { plain } else { format!("{plain}-{}", &data::set::sha256_of(text.as_bytes())[..8]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_listed_with_commas_or_semicolons() {
        let read = |text: &str| text.parse::<Dimension>().map(|d| (d.key, d.values));
        assert_eq!(read("learning_rate=1e-4, 5e-4"), Ok(("learning_rate".into(), vec!["1e-4".into(), "5e-4".into()])));
        assert_eq!(read("targets=q,v;q,k,v,o"), Ok(("targets".into(), vec!["q,v".into(), "q,k,v,o".into()])));
        for wrong in ["", "rank", "=1,2", "rank=", "rank=8,,16"] {
            assert!(read(wrong).is_err_and(|e| e.contains(wrong)), "{wrong}");
        }
    }

    #[test]
    fn rounds_leave_one_trial_and_keep_an_epoch() {
        // 9 trials, thinned by 3: 9 of one epoch, 3 of three, 1 of nine
        assert_eq!(rounds(9, 9, 3), 3);
        assert_eq!(rounds(9, 4, 3), 2);
        assert_eq!(rounds(4, 1, 2), 1);
        assert_eq!(rounds(1, 8, 2), 1);
        assert_eq!(rounds(5, 100, 2), 4);
    }

    #[test]
    fn every_combination_is_there_once_under_a_name_of_its_own() {
        let dimensions = ["a=1,2", "b=x;y,z", "c=/"].map(|d| d.parse().expect("a dimension"));
        let all = combinations(&dimensions);
        assert_eq!(all.len(), 4);
        assert_eq!(all[1], ["a=1", "b=y,z", "c=/"]);
        let names: std::collections::BTreeSet<String> = all.iter().map(|set| name(set)).collect();
        assert_eq!(names.len(), 4);
        assert!(names.iter().all(|n| !n.contains(['/', ','])), "{names:?}");
        assert_eq!(name(&["rank=8".into(), "learning_rate=1e-4".into()]), "rank=8_learning_rate=1e-4");
    }

    #[test]
    fn the_metric_decides_and_then_the_loss() {
        let trial = |value, loss| Trial { round: 1, set: Vec::new(), epochs: 1, value, loss, seconds: 0.0, folder: PathBuf::new() };
        assert!(order(&trial(Some(0.6), Some(2.0))) > order(&trial(Some(0.5), Some(0.1))));
        assert!(order(&trial(Some(0.5), Some(0.1))) > order(&trial(Some(0.5), Some(0.2))));
        assert!(order(&trial(Some(0.0), None)) > order(&trial(None, Some(0.1))));
    }
}
