//! The same question to a run's model and to the base model it was made from.

use crate::answer::{Answer, Mode};
use crate::error::{Error, Result};
use crate::run::Opened;
use say::say;
use serde::Serialize;
use std::cell::{Cell, RefCell};
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
    /// What it was chosen from, likeliest first: labels with their probabilities, queries with their shares of the probability of all
    /// that were followed to their ends, hashtags with the share of the sampled answers that hold each. Empty where there was
    /// but one.
    pub alternatives: Vec<Alternative>,
}

/// What an answer was chosen from, or made of.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct Alternative {
    /// A label, a query or a hashtag.
    pub label: String,
    /// How much the model holds of it.
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

/// What a model has said so far.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct Said {
    /// The run's model, or else the base model.
    pub tuned: bool,
    /// Its words so far.
    pub output: String,
    /// Its answer, once it is whole.
    pub answer: Option<AnswerView>,
}

/// Labels that a model could have chosen whose probabilities are told, at most: all of any set that is likely.
const ALTERNATIVES: usize = 200;

impl Opened {
    /// Answers a text with both models, the run's first. `tell` hears what they say while they say it; where it gives
    /// false, they stop.
    ///
    /// # Errors
    /// If the text is too long, the device fails, or it was stopped.
    pub fn ask(&self, text: &str, tell: &mut dyn FnMut(Said) -> bool) -> Result<Asked> {
        let (tell, stopped, turn) = (RefCell::new(tell), Cell::new(false), Cell::new(true));
        let say = |said: Said| {
            stopped.set(stopped.get() || !(*tell.borrow_mut())(said));
            !stopped.get()
        };
        let hear = |tokens: &[u32]| match self.tokenizer.decode(tokens) {
            Ok(output) if !tokens.is_empty() => say(Said { tuned: turn.get(), output, answer: None }),
            _ => !stopped.get(),
        };
        let answerer = self.answerer()?.heard_by(&hear);
        let answer = |tuned: bool| -> Result<AnswerView> {
            turn.set(tuned);
            let (model, mode) = if tuned { (Some(&self.tuned), Mode::Best) } else { (None, Mode::Untuned) };
            let found = answerer.answer(model, &[text], mode)?;
            if stopped.get() {
                return Err(Error::request(say!("the models were stopped before they had answered", "i modelli sono stati fermati prima di rispondere")));
            }
            let mut found = found
                .into_iter()
                .next()
                .ok_or_else(|| Error::request(say!("the model gave no answer; ask it again", "il modello non ha dato risposta; interrogalo di nuovo")))?;
            if found.considered.is_empty() {
                found.considered = answerer.likeliest(model, text, ALTERNATIVES)?;
            }
            let view = view(found);
            if !say(Said { tuned, output: view.output.clone(), answer: Some(view.clone()) }) {
                return Err(Error::request(say!("the models were stopped before they had answered", "i modelli sono stati fermati prima di rispondere")));
            }
            Ok(view)
        };
        let tuned = answer(true)?;
        Ok(Asked { text: text.into(), base: answer(false)?, tuned })
    }
}

fn view(a: Answer) -> AnswerView {
    let label = a.answer.ok().map(|answer| tasks::answer::show(&answer));
    let alternatives = a.considered.into_iter().map(|(label, probability)| Alternative { label, probability }).collect();
    AnswerView { label, output: a.output, probability: a.probability, alternatives }
}
