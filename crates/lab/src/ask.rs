//! The same question to a run's model and to the base model it was made from.

use crate::answer::{Answer, Mode};
use crate::error::Result;
use crate::run::Opened;
use serde::Serialize;
use ts_rs::TS;

/// An answer in words.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(rename = "Answer")]
pub struct AnswerView {
    /// What the model put out.
    pub output: String,
    /// The answer that it stands for, as text; none if it stands for none.
    pub label: Option<String>,
    /// Probability that the model gave to it.
    #[ts(type = "number | null")]
    pub probability: f64,
    /// The likeliest labels, likeliest first, this one included; empty where they are not known.
    pub alternatives: Vec<Alternative>,
}

/// A label that the model could have chosen.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct Alternative {
    /// The label.
    pub label: String,
    /// Probability that the model gave to it.
    pub probability: f64,
}

/// A text with both answers.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[ts(rename = "Answered")]
pub struct Asked {
    /// The text.
    pub text: String,
    /// Of the base model, without what was trained.
    pub base: AnswerView,
    /// Of the run's model.
    pub tuned: AnswerView,
}

impl Opened {
    /// Answers texts with both models.
    ///
    /// # Errors
    /// If a text is too long or the device fails.
    pub fn ask(&self, texts: &[&str]) -> Result<Vec<Asked>> {
        let answerer = self.answerer()?;
        let tuned = answerer.answer(Some(&self.tuned), texts, Mode::Best)?;
        let base = answerer.answer(None, texts, Mode::Untuned)?;
        let view = |a: Answer| AnswerView {
            label: a.answer.ok().map(|answer| tasks::answer::show(&answer)),
            output: a.output,
            probability: a.probability,
            alternatives: Vec::new(),
        };
        Ok(texts.iter().zip(tuned).zip(base).map(|((text, tuned), base)| Asked { text: (*text).into(), base: view(base), tuned: view(tuned) }).collect())
    }
}
