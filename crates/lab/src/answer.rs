//! Answers of a model to texts: by head, by constrained completion, or by free completion.

use crate::error::Result;
use crate::recipe::{Method, Recipe};
use data::{Batch, Encoded, Labelled, batch, encode::Encoder};
use gemma::generate::{END_OF_TURN, EOS, Free, Limits, Sampling, generate};
use gemma::{Gemma, Tokenizer, head};
use tasks::constraint::Trie;
use tasks::intent::{self, Labels};
use tasks::score::Scored;
use train::Tuned;

/// A model made ready to answer one task.
pub struct Answerer<'a> {
    model: &'a Gemma,
    body: Gemma,
    tokenizer: &'a Tokenizer,
    labels: &'a Labels,
    recipe: &'a Recipe,
    template: String,
    trie: Trie,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What the model put out.
    pub output: String,
    /// The label it stands for.
    pub label: Option<usize>,
    /// Probability that the model gave to it, among the labels where it was constrained to them.
    pub probability: f64,
}

/// How an answer is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As the method says: the head, or the completion constrained to the labels.
    Best,
    /// By completion without any constraint.
    Free,
    /// By constrained completion of the base model, whatever was trained.
    Untuned,
}

impl<'a> Answerer<'a> {
    /// Prepares to answer in the language of a data set.
    ///
    /// # Errors
    /// If a label cannot be tokenized.
    pub fn new(model: &'a Gemma, tokenizer: &'a Tokenizer, labels: &'a Labels, recipe: &'a Recipe, language: &str) -> Result<Self> {
        let trie = labels.trie(|text| tokenizer.encode(text), EOS)?;
        Ok(Self { model, body: recipe.body(model), tokenizer, labels, recipe, template: recipe.template(language).into(), trie })
    }

    /// The part of the model that is trained, see [`Recipe::body`].
    pub fn body(&self) -> &Gemma {
        &self.body
    }

    /// Encodes examples for training or validation under the recipe's method.
    ///
    /// # Errors
    /// If an example is too long; the message names its row.
    pub fn encode(&self, examples: &[Labelled]) -> Result<Vec<Encoded>> {
        let limit = self.recipe.max_tokens.min(self.model.config().context);
        let encoder = Encoder { tokenizer: self.tokenizer, max_tokens: limit };
        let encode = |e: &Labelled| {
            let class = self.labels.index(&e.label).unwrap_or(0);
            let (prompt, completion) = match self.recipe.method {
                Method::Completion => (intent::prompt(&self.template, &e.text), Some(self.labels.completion(class))),
                Method::Head => (e.text.clone(), None),
            };
            Ok(encoder.encode(&prompt, completion.as_deref(), class as u32, &e.origin)?)
        };
        examples.iter().map(encode).collect()
    }

    /// Encodes bare texts as prompts of a completion, or as what a head reads.
    ///
    /// # Errors
    /// If a text is longer than the model's context.
    fn prompts(&self, texts: &[&str], completion: bool) -> Result<Vec<Encoded>> {
        let encode = |text: &&str| {
            let ids = match completion {
                true => self.tokenizer.encode_with_bos(&intent::prompt(&self.template, text))?,
                false => self.tokenizer.encode_with_bos(text)?,
            };
            if ids.len() > self.recipe.max_tokens {
                return Err(crate::Error::request(format!(
                    "a text is {} tokens long, {} are allowed; shorten it: {:.40}…",
                    ids.len(),
                    self.recipe.max_tokens,
                    text
                )));
            }
            Ok(Encoded { prompt: ids.len(), ids, class: 0 })
        };
        texts.iter().map(encode).collect()
    }

    /// Answers each text, in order.
    ///
    /// # Errors
    /// If a text is too long or the device fails.
    pub fn answer(&self, tuned: Option<&Tuned>, texts: &[&str], mode: Mode) -> Result<Vec<Answer>> {
        let head = mode == Mode::Best && tuned.is_some_and(|t| t.head.is_some());
        let encoded = self.prompts(texts, !head)?;
        let mut out: Vec<Option<Answer>> = vec![None; texts.len()];
        for rows in batch::sorted(&encoded) {
            let answers = match (mode, tuned) {
                (Mode::Best, Some(tuned)) if tuned.head.is_some() => self.classify(tuned, &Batch::new(&encoded, &rows, self.body.layout()))?,
                (Mode::Free, tuned) => self.complete(tuned, &encoded, &rows, false)?,
                (Mode::Best, tuned) => self.complete(tuned, &encoded, &rows, true)?,
                (Mode::Untuned, _) => self.complete(None, &encoded, &rows, true)?,
            };
            for (row, answer) in rows.into_iter().zip(answers) {
                out[row] = Some(answer);
            }
        }
        Ok(out.into_iter().flatten().collect())
    }

    /// Pairs answers with what was expected.
    pub fn scored(&self, examples: &[Labelled], answers: &[Answer]) -> Vec<Scored> {
        let expected = |e: &Labelled| self.labels.index(&e.label).unwrap_or(0);
        examples.iter().zip(answers).map(|(e, a)| Scored { expected: expected(e), answered: a.label, probability: a.probability }).collect()
    }

    fn classify(&self, tuned: &Tuned, batch: &Batch) -> Result<Vec<Answer>> {
        let Some(own) = &tuned.head else { return Ok(Vec::new()) };
        let rows = head::probabilities(train::step::classify(&self.body, &tuned.adapters, own, batch)?);
        Ok(rows
            .into_iter()
            .map(|p| {
                let best = head::likeliest(&p);
                Answer { output: self.labels.names()[best].clone(), label: Some(best), probability: f64::from(p[best]) }
            })
            .collect())
    }

    fn complete(&self, tuned: Option<&Tuned>, encoded: &[Encoded], rows: &[usize], constrained: bool) -> Result<Vec<Answer>> {
        let prompts: Vec<Vec<u32>> = rows.iter().map(|&r| encoded[r].ids.clone()).collect();
        let adapters = tuned.map(|t| &t.adapters);
        let limits = Limits { tokens: self.trie.longest() + if constrained { 1 } else { 4 }, stop: &[EOS, END_OF_TURN] };
        let generated = if constrained {
            generate(self.model, adapters, &prompts, &limits, &Sampling::GREEDY, &self.trie)?
        } else {
            generate(self.model, adapters, &prompts, &limits, &Sampling::GREEDY, &Free)?
        };
        let answer = |g: gemma::generate::Generated| {
            let output = self.tokenizer.decode(&g.tokens)?;
            let label = if constrained { self.trie.answer(&g.tokens) } else { self.labels.parse(&output) };
            Ok(Answer { output, label, probability: g.log_probability.exp() })
        };
        generated.into_iter().map(answer).collect()
    }
}
