//! What happens during a run, as it happens: the same values in `events.jsonl`, on the window's
//! channel and from `--json`.

use crate::health::{self, Remedy, Symptom, Trouble};
use say::{Both, Language};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use ts_rs::TS;

/// JSON has no NaN: serde_json writes `null` for it, which is read back as what it was.
fn number<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// What the model says of a validation example as it is now, so that a person sees it learn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Sample {
    /// The input text.
    pub input: String,
    /// The expected answer, written as in `predictions.jsonl`.
    pub expected: String,
    /// What the model put out, before parsing.
    pub output: String,
    /// The answer it stands for, written as the expected one; `null` if none.
    pub answer: Option<String>,
    /// Is it the expected one?
    pub right: bool,
}

/// A sentence in both languages: a run is told later in a language that nobody knows while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Told {
    /// In English.
    pub en: String,
    /// In Italian.
    pub it: String,
}

impl Told {
    /// It in one of the languages.
    pub fn in_language(&self, language: Language) -> &str {
        match language {
            Language::English => &self.en,
            Language::Italian => &self.it,
        }
    }
}

impl From<Both> for Told {
    fn from(both: Both) -> Self {
        Self { en: both.english, it: both.italian }
    }
}

/// One event of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "TrainEvent")]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The run begins; everything that was chosen is in `run.toml`.
    Started {
        /// Task name, for instance `intent`.
        task: String,
        /// `completion`, `head`, `tagging` or `full`.
        method: String,
        /// Device id.
        device: String,
        /// Optimiser steps that are planned.
        steps: usize,
        /// Trainable parameters.
        trainable: usize,
        /// Training examples.
        examples: usize,
    },
    /// What the first steps of the run say of the rest of them.
    Forecast {
        /// Seconds of training steps still to come.
        seconds: f64,
        /// Peak of the process's resident memory so far, in bytes. A longer batch, an evaluation or the scoring may still raise it: what
        /// the whole run takes is measured before it begins.
        peak_memory_bytes: u64,
    },
    /// One optimiser step is done.
    Step {
        /// Steps done, from 1.
        step: usize,
        /// Passes over the training set done.
        epoch: f64,
        /// Mean negative log-likelihood per target, in nats.
        #[serde(deserialize_with = "number")]
        #[ts(type = "number | null")]
        loss: f64,
        /// Learning rate of this step.
        learning_rate: f64,
        /// L2 norm of all gradients together, before clipping.
        #[serde(deserialize_with = "number")]
        #[ts(type = "number | null")]
        grad_norm: f64,
        /// Tokens processed by this step, padding not counted.
        tokens: usize,
        /// Targets (supervised tokens, or rows or words for a head) of this step.
        targets: usize,
        /// Tokens per second of this step.
        tokens_per_second: f64,
        /// Resident memory of the process, in bytes.
        memory_bytes: u64,
        /// Bytes held of a graphics device's memory, where the step was taken on one that tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        device_memory_bytes: Option<u64>,
        /// Of the first step that a process takes, the seconds since it began with the run: reading the data, loading the
        /// model and, on a graphics device, tuning its kernels.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        first_step_seconds: Option<f64>,
    },
    /// The model was held against the validation set.
    Evaluation {
        /// Steps done.
        step: usize,
        /// Mean negative log-likelihood per target on the validation set, in nats.
        #[serde(deserialize_with = "number")]
        #[ts(type = "number | null")]
        loss: f64,
        /// Metrics by name, for instance `accuracy`.
        metrics: BTreeMap<String, f64>,
        /// Is it the best so far?
        best: bool,
        /// A few examples, the same at every evaluation of a run, as they are answered now.
        #[serde(default)]
        samples: Vec<Sample>,
    },
    /// The state was saved.
    Checkpoint {
        /// Steps done.
        step: usize,
        /// Folder relative to the run folder.
        path: String,
    },
    /// Something a person should know, that does not stop the run.
    Warning {
        /// A sentence, in the language that the program spoke.
        message: String,
        /// The same in both languages; none where it was made in one alone, and in runs of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        told: Option<Told>,
    },
    /// The health of the training changed.
    Health {
        /// Step at which it was seen.
        step: usize,
        /// Is all well?
        ok: bool,
        /// What is wrong, by name.
        #[serde(default)]
        symptom: Option<Symptom>,
        /// What was done about it, by name.
        #[serde(default)]
        remedy: Remedy,
        /// Numbers or rows that were seen, as they stand in the message.
        #[serde(default)]
        seen: String,
        /// What was seen, what it means and what was done, in the language that the program spoke.
        message: String,
        /// Where the run goes on, in steps done, if it went back to its last good state.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        back_to: Option<usize>,
    },
    /// A system answers the examples that a run is scored on. Told when it begins, when it has ended, and now and then in between.
    Answering {
        /// Whose answers they are, as in `scored`; `calibration` are the run's own to the validation set, on which its probabilities are
        /// calibrated, and `free` are its own without a constraint.
        system: String,
        /// Examples that are answered.
        done: usize,
        /// Of so many.
        of: usize,
        /// Seconds since it began.
        seconds: f64,
    },
    /// Answers to the test set, or the validation set without one, were scored. `result.json` holds the scores from then on, and
    /// more as they come, until the run ends.
    Scored {
        /// Steps done.
        step: usize,
        /// Whose they are: `model` for the run's own, else a name among the baselines of `result.json`.
        system: String,
        /// Main metrics.
        metrics: BTreeMap<String, f64>,
        /// Examples that it was asked about.
        examples: usize,
        /// Of so many.
        of: usize,
        /// Was it asked in an earlier run, whose scores were kept?
        remembered: bool,
    },
    /// The run waits.
    Paused {
        /// Steps done.
        step: usize,
        /// Why, in both languages, where nobody asked for it: its device was lost, and the run is no longer computed. Without it
        /// its process waits to be told to go on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        why: Option<Told>,
    },
    /// The run goes on.
    Resumed {
        /// Steps done.
        step: usize,
    },
    /// The run ended; `result.json` holds the outcome.
    Completed {
        /// Steps done.
        step: usize,
        /// `completed`, or `stopped` if a person ended it early.
        status: String,
        /// Seconds of training.
        seconds: f64,
        /// Main metrics on the test set, or the validation set without one.
        metrics: BTreeMap<String, f64>,
    },
    /// The run ended without a result.
    Failed {
        /// Steps done.
        step: usize,
        /// What happened and what to do, in the language that the program spoke.
        message: String,
        /// The same in both languages; none where it was made in one alone, and in runs of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        told: Option<Told>,
    },
}

impl Event {
    /// A warning that `sentence` says in the language spoken; it is called once for each language.
    pub fn warning(sentence: impl Fn() -> String) -> Self {
        let told = Both::of(sentence);
        Self::Warning { message: told.spoken().into(), told: Some(told.into()) }
    }

    /// A run that ended at `step` without a result, for a reason that `sentence` says as for [`Self::warning`].
    pub fn failed(step: usize, sentence: impl Fn() -> String) -> Self {
        let told = Both::of(sentence);
        Self::Failed { step, message: told.spoken().into(), told: Some(told.into()) }
    }

    /// Whether the process that trained the run told no more after this.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Completed { .. } | Self::Failed { .. } | Self::Paused { why: Some(_), .. })
    }

    /// What the health guard says in this event, in a language: the one the program spoke when it happened may have been
    /// another. Nothing of other events, and of the guard's in runs that did not keep what it saw by name.
    fn diagnosed(&self, language: Language) -> Option<String> {
        match self {
            Self::Health { step, symptom: Some(symptom), remedy, seen, back_to, .. } => {
                let told = Trouble { symptom: *symptom, remedy: *remedy, seen: seen.clone() }.message(language, *step);
                Some(told + &health::went_back(language, *back_to))
            }
            Self::Health { ok: true, message, .. } => {
                let well: [fn(Language) -> String; 2] = [health::recovered, health::answers_again];
                let said = well.into_iter().find(|said| [Language::English, Language::Italian].iter().any(|l| *message == said(*l)));
                said.map(|said| said(language))
            }
            _ => None,
        }
    }

    /// What the event says in a language, where it was kept in both.
    fn kept(&self, language: Language) -> Option<String> {
        match self {
            Self::Warning { told, .. } | Self::Failed { told, .. } | Self::Paused { why: told, .. } => {
                told.as_ref().map(|t| t.in_language(language).to_string())
            }
            _ => None,
        }
    }

    /// The event as it is told in a language, where it was kept in that one or is the health guard's; else as it was written.
    /// `before` are the events that came before it, among which the reason of a run's end may stand.
    pub fn told(&self, before: &[Self], language: Language) -> Self {
        let mut event = self.clone();
        match &mut event {
            Self::Health { message, .. } => {
                if let Some(said) = self.diagnosed(language) {
                    *message = said;
                }
            }
            Self::Failed { message, .. } => {
                if let Some(said) = cause(before, message, language).or_else(|| self.kept(language)) {
                    *message = said;
                }
            }
            Self::Warning { message, .. } => {
                if let Some(said) = self.kept(language) {
                    *message = said;
                }
            }
            _ => {}
        }
        event
    }
}

/// Why a run ended or waits, in a language, where the health guard ended it or the reason was kept in both; nothing where it was
/// not.
pub fn cause(events: &[Event], written: &str, language: Language) -> Option<String> {
    let guard = |event: &&Event| matches!(event, Event::Health { ok: false, message, .. } if message == written);
    let end = |event: &&Event| match event {
        Event::Failed { message, .. } => message == written,
        Event::Paused { why: Some(why), .. } => [&why.en, &why.it].into_iter().any(|said| said == written),
        _ => false,
    };
    let diagnosed = events.iter().rev().find(guard).and_then(|event| event.diagnosed(language));
    diagnosed.or_else(|| events.iter().rev().find(end)?.kept(language))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_is_no_number_survives_the_file() {
        let event = Event::Evaluation { step: 3, loss: f64::NAN, metrics: BTreeMap::new(), best: false, samples: Vec::new() };
        let line = serde_json::to_string(&event).expect("written");
        match serde_json::from_str(&line).expect("read back") {
            Event::Evaluation { step: 3, loss, .. } => assert!(loss.is_nan()),
            other => panic!("{line} became {other:?}"),
        }
    }

    #[test]
    fn a_warning_is_kept_in_both_languages_and_one_of_an_earlier_version_is_read() {
        let event = Event::warning(|| say::say!("one row", "una riga"));
        let line = serde_json::to_string(&event).expect("written");
        assert_eq!(line, r#"{"type":"warning","message":"one row","told":{"en":"one row","it":"una riga"}}"#);
        assert_eq!(serde_json::from_str::<Event>(&line).expect("read"), event);
        let line = r#"{"type":"failed","step":3,"message":"no memory"}"#;
        let earlier = serde_json::from_str::<Event>(line).expect("read");
        assert_eq!(earlier, Event::Failed { step: 3, message: "no memory".into(), told: None });
        assert_eq!(serde_json::to_string(&earlier).expect("written"), line);
    }

    #[test]
    fn why_a_run_waits_is_told_in_both_languages_and_a_wait_without_reason_is_written_as_before() {
        let asked = Event::Paused { step: 3, why: None };
        let line = serde_json::to_string(&asked).expect("written");
        assert_eq!(line, r#"{"type":"paused","step":3}"#);
        assert_eq!(serde_json::from_str::<Event>(&line).expect("read"), asked);
        let why = Told { en: "it was lost".into(), it: "è andato perso".into() };
        let lost = Event::Paused { step: 3, why: Some(why) };
        assert_eq!(serde_json::from_str::<Event>(&serde_json::to_string(&lost).expect("written")).expect("read"), lost);
        assert!(lost.is_last() && !asked.is_last());
        for written in ["it was lost", "è andato perso"] {
            assert_eq!(cause(std::slice::from_ref(&lost), written, Language::Italian).as_deref(), Some("è andato perso"));
        }
        assert_eq!(cause(&[lost], "the disk is full", Language::Italian), None);
    }

    #[test]
    fn what_the_guard_said_in_english_is_told_in_italian_to_the_end_that_it_brought() {
        let trouble = Trouble { symptom: Symptom::LossZero, remedy: Remedy::Stop, seen: "loss 0".into() };
        let (english, italian) = (trouble.message(Language::English, 2), trouble.message(Language::Italian, 2));
        let seen = Event::Health {
            step: 2,
            ok: false,
            symptom: Some(trouble.symptom),
            remedy: trouble.remedy,
            seen: trouble.seen,
            message: english.clone(),
            back_to: None,
        };
        let well = |message| Event::Health { step: 30, ok: true, symptom: None, remedy: Remedy::None, seen: String::new(), message, back_to: None };
        let failed = |message: &str| Event::Failed { step: 2, message: message.into(), told: None };
        let told = |event: &Event| match event.told(std::slice::from_ref(&seen), Language::Italian) {
            Event::Health { message, .. } | Event::Failed { message, .. } => message,
            other => panic!("{other:?}"),
        };
        assert_eq!((told(&seen), told(&failed(&english))), (italian.clone(), italian));
        assert_eq!(told(&well(health::recovered(Language::English))), health::recovered(Language::Italian));
        assert_eq!(told(&well(health::answers_again(Language::English))), health::answers_again(Language::Italian));
        assert_eq!(told(&failed("the disk is full")), "the disk is full");
        assert_eq!(seen.told(&[], Language::English), seen);
    }

    #[test]
    fn where_a_run_went_back_to_is_told_with_what_was_done() {
        let trouble = Trouble { symptom: Symptom::GradientNotFinite, remedy: Remedy::HalveRate, seen: "gradient norm inf".into() };
        let said = |language| trouble.message(language, 41) + &health::went_back(language, Some(40));
        let (symptom, seen, message) = (Some(trouble.symptom), trouble.seen.clone(), said(Language::English));
        let event = Event::Health { step: 41, ok: false, symptom, remedy: trouble.remedy, seen, message, back_to: Some(40) };
        let line = serde_json::to_string(&event).expect("written");
        assert_eq!(serde_json::from_str::<Event>(&line).expect("read"), event);
        match event.told(&[], Language::Italian) {
            Event::Health { message, .. } => {
                assert_eq!(message, said(Language::Italian));
                assert!(message.ends_with("Riprende dal passo 40."), "{message}");
            }
            other => panic!("{other:?}"),
        }
        // an earlier version did not say
        let earlier = line.replace(",\"back_to\":40", "");
        assert!(earlier != line && matches!(serde_json::from_str(&earlier).expect("read"), Event::Health { back_to: None, .. }));
    }

    #[test]
    fn an_evaluation_of_an_earlier_version_has_no_samples() {
        let line = r#"{"type":"evaluation","step":15,"loss":0.5,"metrics":{},"best":true}"#;
        match serde_json::from_str(line).expect("read") {
            Event::Evaluation { samples, .. } => assert!(samples.is_empty()),
            other => panic!("{line} became {other:?}"),
        }
    }
}
