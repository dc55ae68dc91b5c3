//! Answers of a model to texts: by head, by constrained completion, or by free completion.

use crate::error::{Error, Result};
use crate::recipe::{Method, Recipe};
use crate::task::Task;
use data::{Batch, Encoded, Example, Kind, Target, batch, encode::Encoder};
use gemma::generate::{Constraint, END_OF_TURN, EOS, Free, Limits, Sampling, generate};
use gemma::{Gemma, Tokenizer, head};
use tasks::baseline::Guess;
use tasks::constraint::Trie;
use tasks::grammar::Vocabulary;
use tasks::score::Scored;
use tasks::{answer, prompt};
use train::Tuned;

/// A model made ready to answer one task.
pub struct Answerer<'a> {
    model: &'a Gemma,
    body: Gemma,
    tokenizer: &'a Tokenizer,
    task: &'a Task,
    recipe: &'a Recipe,
    template: String,
    allowed: Allowed,
}

/// What may be answered under constraint.
enum Allowed {
    /// One of the labels.
    Labels(Trie),
    /// What a grammar says, which is made for each text.
    Grammar(Vocabulary),
    /// Any text.
    Anything,
}

/// What a system said to one text.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Its output as it came.
    pub output: String,
    /// The answer that it stands for, or why it is none.
    pub answer: std::result::Result<Target, String>,
    /// Probability that the system gave to it, among what the constraint allowed.
    pub probability: f64,
}

impl From<Guess> for Answer {
    fn from(guess: Guess) -> Self {
        Self { output: answer::show(&guess.answer), answer: Ok(guess.answer), probability: guess.probability }
    }
}

impl Answer {
    /// Reads what a system put out about a text.
    pub fn read(kind: Kind, text: &str, output: String, probability: f64) -> Self {
        Self { answer: answer::read(kind, text, &output), output, probability }
    }
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

/// An example as the model is trained on it, before it is tokenized.
pub struct Form {
    /// What stands before the answer.
    pub prompt: String,
    /// The answer, if the model is to spell it.
    pub completion: Option<String>,
    /// Class of the example, for a head.
    pub class: u32,
}

impl Form {
    /// The form of an example under a method.
    pub fn of(e: &Example, method: Method, template: &str, task: &Task) -> Self {
        let class = task.labels.index(e.label()).unwrap_or(0);
        let (prompt, completion) = match (method, task.kind) {
            (Method::Head, _) => (e.text.clone(), None),
            (Method::Completion, Kind::Intent) => (prompt::fill(template, &e.text, &task.schema()), Some(task.labels.completion(class))),
            (Method::Completion, _) => (prompt::fill(template, &e.text, &task.schema()), Some(prompt::completion(&e.text, &e.target))),
        };
        Self { prompt, completion, class: class as u32 }
    }
}

impl<'a> Answerer<'a> {
    /// Prepares to answer in the language of a data set.
    ///
    /// # Errors
    /// If a label cannot be tokenized.
    pub fn new(model: &'a Gemma, tokenizer: &'a Tokenizer, task: &'a Task, recipe: &'a Recipe, language: &str) -> Result<Self> {
        let allowed = match task.kind {
            Kind::Intent => Allowed::Labels(task.labels.trie(|text| tokenizer.encode(text), EOS)?),
            Kind::Custom => Allowed::Anything,
            _ => Allowed::Grammar(Vocabulary::new(&tokenizer.pieces(), EOS).map_err(Error::Request)?),
        };
        Ok(Self { model, body: recipe.body(model), tokenizer, task, recipe, template: recipe.template(language).into(), allowed })
    }

    /// The part of the model that is trained, see [`Recipe::body`].
    pub fn body(&self) -> &Gemma {
        &self.body
    }

    /// What the answers are.
    pub fn kind(&self) -> Kind {
        self.task.kind
    }

    /// Encodes examples for training or validation under the recipe's method.
    ///
    /// # Errors
    /// If an example is too long; the message names its row.
    pub fn encode(&self, examples: &[Example]) -> Result<Vec<Encoded>> {
        let limit = self.recipe.max_tokens.min(self.model.config().context);
        let encoder = Encoder { tokenizer: self.tokenizer, max_tokens: limit };
        let encode = |e: &Example| {
            let form = Form::of(e, self.recipe.method, &self.template, self.task);
            Ok(encoder.encode(&form.prompt, form.completion.as_deref(), form.class, &e.origin)?)
        };
        examples.iter().map(encode).collect()
    }

    /// What the model reads before it completes.
    fn prompt(&self, text: &str) -> String {
        prompt::fill(&self.template, text, &self.task.schema())
    }

    /// Encodes bare texts as prompts of a completion, or as what a head reads.
    ///
    /// # Errors
    /// If a text is longer than the model's context.
    fn prompts(&self, texts: &[&str], completion: bool) -> Result<Vec<Encoded>> {
        let limit = self.recipe.max_tokens.min(self.model.config().context);
        let encode = |text: &&str| {
            let ids = match completion {
                true => self.tokenizer.encode_with_bos(&self.prompt(text))?,
                false => self.tokenizer.encode_with_bos(text)?,
            };
            if ids.len() > limit {
                return Err(Error::request(format!("a text is {} tokens long, {limit} are allowed; shorten it: {text:.40}…", ids.len())));
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
                (Mode::Free, tuned) => self.complete(tuned, texts, &encoded, &rows, false)?,
                (Mode::Best, tuned) => self.complete(tuned, texts, &encoded, &rows, true)?,
                (Mode::Untuned, _) => self.complete(None, texts, &encoded, &rows, true)?,
            };
            for (row, answer) in rows.into_iter().zip(answers) {
                out[row] = Some(answer);
            }
        }
        Ok(out.into_iter().flatten().collect())
    }

    /// Pairs labels with what was expected.
    pub fn scored(&self, examples: &[Example], answers: &[Answer]) -> Vec<Scored> {
        let expected = |e: &Example| self.task.labels.index(e.label()).unwrap_or(0);
        let scored = |(e, a): (&Example, &Answer)| Scored { expected: expected(e), answered: self.task.label(&a.answer), probability: a.probability };
        examples.iter().zip(answers).map(scored).collect()
    }

    fn classify(&self, tuned: &Tuned, batch: &Batch) -> Result<Vec<Answer>> {
        let Some(own) = &tuned.head else { return Ok(Vec::new()) };
        let rows = head::probabilities(train::step::classify(&self.body, &tuned.adapters, own, batch)?);
        Ok(rows
            .into_iter()
            .map(|p| {
                let best = head::likeliest(&p);
                let name = self.task.labels.names()[best].clone();
                Answer { output: name.clone(), answer: Ok(Target::Label(name)), probability: f64::from(p[best]) }
            })
            .collect())
    }

    fn complete(&self, tuned: Option<&Tuned>, texts: &[&str], encoded: &[Encoded], rows: &[usize], constrained: bool) -> Result<Vec<Answer>> {
        let prompts: Vec<Vec<u32>> = rows.iter().map(|&r| encoded[r].ids.clone()).collect();
        let adapters = tuned.map(|t| &t.adapters);
        let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
        let tokens = match &self.allowed {
            Allowed::Labels(trie) => trie.longest() + if constrained { 1 } else { 4 },
            _ => self.recipe.answer_tokens.min(self.model.config().context.saturating_sub(longest)),
        };
        let limits = Limits { tokens, stop: &[EOS, END_OF_TURN] };
        let grammars;
        let constraint: &dyn Constraint = match &self.allowed {
            Allowed::Labels(trie) if constrained => trie,
            Allowed::Grammar(vocabulary) if constrained => {
                let of: Vec<String> = rows.iter().map(|&r| self.task.grammar(texts[r])).collect();
                grammars = vocabulary.rows(&of).map_err(Error::Request)?;
                &grammars
            }
            _ => &Free,
        };
        let generated = generate(self.model, adapters, &prompts, &limits, &Sampling::GREEDY, constraint)?;
        let answer = |(g, &row): (gemma::generate::Generated, &usize)| {
            let (output, probability) = (self.tokenizer.decode(&g.tokens)?, g.log_probability.exp());
            let label = match &self.allowed {
                Allowed::Labels(trie) if constrained => trie.answer(&g.tokens),
                Allowed::Labels(_) => self.task.labels.parse(&output),
                _ => return Ok(Answer::read(self.task.kind, texts[row], output, probability)),
            };
            let answer = label.map(|l| Target::Label(self.task.labels.names()[l].clone())).ok_or_else(|| "no label".into());
            Ok(Answer { output, answer, probability })
        };
        generated.into_iter().zip(rows).map(answer).collect()
    }
}
