//! What a run's probabilities are worth: a temperature and a threshold for abstaining, fitted on its validation set.
//!
//! The test set chooses nothing here; it is only where both are measured. The outcome is `calibration.json` in the run
//! folder, and the calibrated probability of each answer in `predictions.jsonl`.

use crate::answer::Answer;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::run::{self, Opened};
use crate::task::{self, Task};
use data::Kind;
use data::read::Columns;
use data::set::Split;
use report::record::{self, Calibration, Prediction, RunResult, write_atomically};
use say::say;
use std::path::Path;
use tasks::score::calibration::{Judged, logits};

/// The accuracy that answers should have where nobody says otherwise: the one that reports call good.
pub const WANTED: f64 = 0.9;

/// Can probabilities of answers of this kind be calibrated? Answers of several parts are hardly ever wholly right, and their
/// probability is of the whole.
pub(crate) fn possible(kind: Kind) -> bool {
    !matches!(kind, Kind::Entities | Kind::Hashtags)
}

/// Answers with what was right, ready to be calibrated.
pub(crate) fn judged(task: &Task, said: &[Answer], predictions: &[Prediction]) -> Vec<Judged> {
    said.iter().zip(predictions).map(|(said, prediction)| judge(task, &said.all, prediction)).collect()
}

/// One of them; `all` are the probabilities of the labels, where they are known.
fn judge(task: &Task, all: &[f32], prediction: &Prediction) -> Judged {
    let logits = logits(all, prediction.probability);
    if all.is_empty() {
        return Judged { logits, answered: 0, expected: Some(usize::from(!prediction.right())) };
    }
    Judged { logits, answered: gemma::head::likeliest(all), expected: task.labels.index(&prediction.expected) }
}

/// Measures a calibration on the answers to the test set, and writes down what it makes of their probabilities.
pub(crate) fn measured(fitted: Calibration, test: &[Judged], predictions: &mut [Prediction]) -> Calibration {
    let both: Vec<(f64, f64, bool)> = test.iter().map(|j| j.both(fitted.temperature)).collect();
    for (prediction, (_, calibrated, _)) in predictions.iter_mut().zip(&both) {
        prediction.calibrated = Some(*calibrated);
    }
    fitted.measured(&both)
}

/// What is said of a run whose calibration is asked for and that has none.
fn not_calibrated() -> String {
    say!("has not been calibrated; use `lapidary calibrate` first", "non è stata calibrata; usa prima `lapidary calibrate`")
}

/// Writes a calibration into a run folder.
///
/// # Errors
/// If the disk refuses.
pub(crate) fn save(folder: &Path, calibration: &Calibration) -> Result<()> {
    let text = serde_json::to_string_pretty(calibration)
        .map_err(|e| Error::request(say!("{} cannot be written: {e}", "{} non si può scrivere: {e}", record::CALIBRATION)))?;
    Ok(write_atomically(&folder.join(record::CALIBRATION), text.as_bytes())?)
}

/// Removes what a run folder says of an earlier state of its model.
///
/// # Errors
/// If the disk refuses.
pub(crate) fn forget(folder: &Path) -> Result<()> {
    let path = folder.join(record::CALIBRATION);
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(&path, e)),
        _ => Ok(()),
    }
}

/// Fits temperature and threshold of a finished run on validation examples, in `validation` or where the run found them, and
/// keeps them in its folder. `wanted` is the accuracy that answers above the threshold should have, between 0 and 1.
///
/// # Errors
/// If the run's answers have several parts; the validation examples are missing, too few, all right or all wrong, or are
/// the test examples; or the device fails.
pub fn calibrate(home: &Home, folder: &Path, wanted: f64, validation: Option<(&Path, &Columns)>, device: &str) -> Result<Calibration> {
    if !(wanted > 0.0 && wanted <= 1.0) {
        return Err(Error::request(say!(
            "the accuracy that answers should have lies between 0 and 1, such as {WANTED}; it is {wanted}",
            "l’accuratezza che le risposte devono avere sta fra 0 e 1, per esempio {WANTED}; è {wanted}"
        )));
    }
    let result = RunResult::read(folder)?;
    let opened = run::open(home, folder, device)?;
    if !possible(opened.task().kind) {
        return Err(Error::request(say!(
            "answers of several parts are hardly ever wholly right, so their probability cannot be calibrated",
            "le risposte di più parti non sono quasi mai tutte giuste, quindi la loro probabilità non si può calibrare"
        )));
    }
    let examples = match validation {
        Some((file, columns)) => {
            let hash = data::set::sha256(file)?;
            if opened.record().data.files.get(Split::Test.name()).is_some_and(|test| test.sha256 == hash) {
                return Err(Error::request(say!(
                    "{} is the test set of this run, which must not choose anything; name another file",
                    "{} è l’insieme di prova di questa esecuzione, che non deve decidere nulla; indica un altro file",
                    file.display()
                )));
            }
            opened.read(file, columns)?
        }
        None => opened.examples(home, Split::Validation)?,
    };
    let (_, predictions, said) = opened.score(&examples)?;
    let fitted = Calibration::fit(&judged(opened.task(), &said, &predictions), wanted).map_err(Error::Request)?;
    if result.evaluated_on != Split::Test.name() {
        save(folder, &fitted)?;
        return Ok(fitted);
    }
    // a head's probabilities of all labels are not kept; those of other methods are all there
    let mut kept = record::predictions(folder)?;
    let texts: Vec<&str> = kept.iter().map(|p| p.input.as_str()).collect();
    let said = if opened.has_head() { opened.predict(&texts)? } else { Vec::new() };
    let test: Vec<Judged> = kept.iter().enumerate().map(|(i, p)| judge(opened.task(), said.get(i).map_or(&[], |a| &a.all), p)).collect();
    let calibration = measured(fitted, &test, &mut kept);
    run::save_predictions(&folder.join("predictions.jsonl"), &kept)?;
    save(folder, &calibration)?;
    Ok(calibration)
}

impl Opened {
    /// Answers texts with calibrated probabilities; with `abstain`, an answer below the threshold is withheld.
    ///
    /// # Errors
    /// If the run was not calibrated or, for abstaining, has no threshold; a text is too long; or the device fails.
    pub fn predict_calibrated(&self, texts: &[&str], abstain: bool) -> Result<Vec<Answer>> {
        let refuse = |what: String| Error::request(format!("{} {what}", self.folder().display()));
        let calibration = record::calibration(self.folder())?.ok_or_else(|| refuse(not_calibrated()))?;
        let threshold = match (abstain, calibration.threshold) {
            (false, _) => None,
            (true, Some(point)) => Some(point.threshold),
            (true, None) => {
                return Err(refuse(say!(
                    "has no threshold above which {} % of its validation answers are right; calibrate it for a lower --accuracy",
                    "non ha una soglia sopra la quale sia giusto il {} % delle risposte alla validazione; calibrala per una --accuracy più bassa",
                    calibration.wanted * 100.0
                )));
            }
        };
        let correct = |mut a: Answer| {
            a.probability =
                Judged { logits: logits(&a.all, a.probability), answered: gemma::head::likeliest(&a.all), expected: None }.probability(calibration.temperature);
            if threshold.is_some_and(|t| a.probability < t) {
                a.answer = Err(task::WITHHELD.into());
                a.considered.clear();
            }
            a
        };
        Ok(self.predict(texts)?.into_iter().map(correct).collect())
    }
}
