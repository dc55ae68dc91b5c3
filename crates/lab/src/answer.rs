//! Answers of a model to texts: by head, by tags, by constrained completion, or by free completion.

use crate::error::{Error, Result};
use crate::recipe::{Method, Recipe};
use crate::task::{Scorer, Task};
use data::{Batch, Encoded, Example, Kind, Origin, Target, batch, encode::Encoder};
use gemma::generate::{self, Constraint, END_OF_TURN, EOS, Free, Limits, Sampling, beams, generate, samples};
use gemma::{Gemma, Tokenizer, head};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::sync::atomic::{AtomicBool, Ordering};
use tasks::baseline::Guess;
use tasks::constraint::Trie;
use tasks::grammar::{self, Distinct, Vocabulary};
use tasks::sandbox::Sandbox;
use tasks::scope::{Scope, Scoped};
use tasks::{answer, intent, prompt, tagging, vote};
use train::step::Evaluated;
use train::{Tuned, failure};

/// A model made ready to answer one task.
pub struct Answerer<'a> {
    model: &'a Gemma,
    body: Gemma,
    tokenizer: &'a Tokenizer,
    task: &'a Task,
    recipe: &'a Recipe,
    template: String,
    /// Tokens of examples that [`Mode::Shown`] puts before each question; empty if there are none.
    shown: Vec<u32>,
    /// Tokens after which an answer is cut off that nobody taught to end, see [`Answerer::ending`].
    cut: usize,
    allowed: Allowed,
    /// The names that queries may use, and where.
    scope: Option<Scope>,
    /// The database that queries are about, to try them on.
    database: Option<RefCell<Sandbox>>,
    listener: Option<Listener<'a>>,
    /// Tokens that end an answer.
    ends: Vec<u32>,
    /// Rows of a pass: fewer from where the device had no room for as many.
    at_once: Cell<usize>,
}

/// Hears the tokens of an answer so far, before each next one; the answer ends where it gives false.
pub type Listener<'a> = &'a dyn Fn(&[u32]) -> bool;

/// Asked in between whether to go on: an error ends what asks.
pub type GoOn<'a> = &'a mut dyn FnMut() -> Result<()>;

/// A constraint that lets somebody listen to the first row, or to the best of its beams.
struct Heard<'a> {
    of: &'a dyn Constraint,
    listener: Option<Listener<'a>>,
}

impl Constraint for Heard<'_> {
    fn next(&self, row: usize, generated: &[u32]) -> generate::Allowed {
        match self.listener {
            Some(listener) if row == 0 && !listener(generated) => generate::Allowed::Only(Vec::new()),
            _ => self.of.next(row, generated),
        }
    }
}

/// A constraint under which an answer ends after so many tokens that say something: a JSON schema allows white space between all
/// parts of an answer, and a model that was not trained on any may like it.
struct Terse<'a> {
    of: &'a dyn Constraint,
    vocabulary: &'a Vocabulary,
    most: usize,
}

impl Terse<'_> {
    /// Has an answer said as much as it may?
    fn is_over(&self, generated: &[u32]) -> bool {
        let says = |token: &&u32| !self.vocabulary.piece(**token).iter().all(u8::is_ascii_whitespace);
        generated.iter().filter(says).count() >= self.most
    }
}

impl Constraint for Terse<'_> {
    fn next(&self, row: usize, generated: &[u32]) -> generate::Allowed {
        if self.is_over(generated) { generate::Allowed::Only(Vec::new()) } else { self.of.next(row, generated) }
    }
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
    /// Probabilities of all labels, in their order; empty where only that of the answer is known.
    pub all: Vec<f32>,
    /// Tokens after which it was cut off, because it had not ended by then.
    pub cut: Option<usize>,
    /// What it was chosen from, likeliest first, where that is known beside labels: queries with their shares of the probability of
    /// all that were followed to their ends, hashtags with the share of the sampled answers that hold each.
    pub considered: Vec<(String, f64)>,
}

impl From<Guess> for Answer {
    fn from(guess: Guess) -> Self {
        Self {
            output: answer::show(&guess.answer),
            answer: Ok(guess.answer),
            probability: guess.probability,
            all: Vec::new(),
            cut: None,
            considered: Vec::new(),
        }
    }
}

impl Answer {
    /// Reads what a system put out about a text.
    pub fn read(kind: Kind, text: &str, output: String, probability: f64) -> Self {
        Self { answer: answer::read(kind, text, &output), output, probability, all: Vec::new(), cut: None, considered: Vec::new() }
    }

    /// The same of an output that was cut off after so many tokens. Where only a `whole` answer means anything it is none then: a query
    /// that lacks its last condition is another query, and may even be right by chance. Of hashtags and of free text what is there
    /// counts.
    pub(crate) fn cut_off(self, tokens: usize, whole: bool) -> Self {
        let answer = if whole { Err(answer::unended(tokens)) } else { self.answer };
        Self { answer, cut: Some(tokens), ..self }
    }

    /// Whether it was voted for: what was considered then has shares of answers, and not of probability.
    pub fn is_voted(&self) -> bool {
        matches!(self.answer, Ok(Target::Tags(_)))
    }

    /// Why it is no answer, or not a whole one; nothing of one that is.
    pub fn reason(&self) -> Option<String> {
        self.answer.as_ref().err().cloned().or_else(|| self.cut.map(answer::unended))
    }
}

/// The share that each of several answers has of the probability of all of them, likeliest first; those that say the same count
/// together, and those that say nothing are left out.
fn weighed(answers: &[Answer]) -> Vec<(String, f64)> {
    let total: f64 = answers.iter().map(|a| a.probability).sum();
    let mut shares: Vec<(String, f64)> = Vec::new();
    for a in answers.iter().filter(|_| total > 0.0) {
        let Ok(said) = a.answer.as_ref().map(answer::show) else { continue };
        let share = a.probability / total;
        match shares.iter_mut().find(|(other, _)| *other == said) {
            Some((_, sum)) => *sum += share,
            None => shares.push((said, share)),
        }
    }
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares
}

/// How an answer is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As the method says: the head, the tags, or the completion under its constraint.
    Best,
    /// By completion without any constraint; it shows what a constraint hides, and is cut off as [`Answerer::ending`] says.
    Free,
    /// By constrained completion of the base model, whatever was trained.
    Untuned,
    /// As [`Self::Untuned`], with the examples of [`Answerer::showing`] before the question.
    Shown,
}

/// Examples that are shown to an untuned model, at most.
const SHOWN: usize = 12;
/// Tokens of all of them, at most: they are read again at every question, which makes it about twice as dear.
const SHOWN_TOKENS: usize = 128;
/// Tokens of one that is shown by itself where all are longer than that, at most: about a page. To ask with one example costs more
/// there, and not to ask would flatter the tuned model.
pub(crate) const SHOWN_ALONE: usize = 512;

/// Of so many answers of the training set, the longest in bytes, the tokens are counted to find the longest.
const COUNTED: usize = 64;
/// Tokens that an answer may have beyond twice those of the longest of the training set: short ones differ by a word.
const SLACK: usize = 8;
/// What an answer is cut off at is a multiple of this, so that a few training rows more or less seldom change it.
const STEP: usize = 16;

/// The answer of an example, where the model is to spell it.
fn completion(e: &Example, task: &Task) -> String {
    match task.labels.index(e.label()) {
        Some(label) if task.kind == Kind::Intent => task.labels.completion(label),
        _ => prompt::completion(&e.text, &e.target),
    }
}

/// What stands before the answer and the answer, where the model is to spell it.
fn spelled(e: &Example, template: &str, task: &Task) -> (String, String) {
    (task.prompt(template, &e.text), completion(e, task))
}

/// An example as the model is trained on it.
///
/// # Errors
/// If it is too long or has nothing to learn; the message names its row.
pub fn encode(e: &Example, encoder: &Encoder<'_>, recipe: &Recipe, template: &str, task: &Task) -> Result<Encoded> {
    let encoded = match recipe.method {
        Method::Completion | Method::Full => {
            let (prompt, completion) = spelled(e, template, task);
            encoder.encode(&prompt, Some(&completion))
        }
        Method::Head => encoder.classed(&e.text, task.labels.index(e.label()).unwrap_or(0) as u32),
        Method::Tagging => {
            let words = tagging::words(&e.text, recipe.cut);
            let tags = tagging::tags(&e.text, &words, e.spans(), task.labels.names());
            encoder.words(&e.text, &words.into_iter().zip(tags).collect::<Vec<_>>(), recipe.copies)
        }
    };
    Ok(encoded.map_err(|error| data::Error::row(e.origin.path(), e.origin.line, error.to_string()))?)
}

/// No fewer than the tokens that [`encode`] makes of an example: every token but those that begin and end a text
/// spells at least a byte.
pub fn bytes(e: &Example, recipe: &Recipe, template: &str, task: &Task) -> usize {
    match recipe.method {
        Method::Completion | Method::Full => {
            let (prompt, completion) = spelled(e, template, task);
            prompt.len() + completion.len() + 2
        }
        Method::Head => e.text.len() + 1,
        // each copy but the first stands on a line of its own
        Method::Tagging => (e.text.len() + 1).saturating_mul(recipe.copies),
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
            _ if !task.constrained() => Allowed::Anything,
            _ => Allowed::Grammar(Vocabulary::new(&tokenizer.pieces(), EOS).map_err(Error::Request)?),
        };
        let scope = (task.kind == Kind::Sql).then(|| Scope::new(&task.tables, task.labels.names()));
        Ok(Self {
            model,
            body: recipe.body(model),
            tokenizer,
            task,
            recipe,
            template: recipe.template(language).into(),
            shown: Vec::new(),
            cut: usize::MAX,
            allowed,
            scope,
            database: None,
            listener: None,
            // in a vocabulary of another kind the second one is a token like any other
            ends: if tokenizer.names_end_of_turn() { vec![EOS, END_OF_TURN] } else { vec![EOS] },
            at_once: Cell::new(batch::FORWARD_ROWS),
        })
    }

    /// The same with a few training examples to put before a question, see [`Mode::Shown`]: drawn by the seed, of every
    /// label one first, as many as leave room for the longest of the questions and its answer. Where each is long, it is one; none
    /// is shown only where none leaves that room or is of [`SHOWN_ALONE`] tokens at most.
    ///
    /// # Errors
    /// If an example cannot be tokenized.
    pub fn showing(self, training: &[Example], questions: &[Example], seed: u64) -> Result<Self> {
        self.showing_with(training, questions, seed, &mut || Ok(()))
    }

    /// As [`Answerer::showing`]; `go_on` is asked before each question is read.
    ///
    /// # Errors
    /// As [`Answerer::showing`], or `go_on`.
    pub fn showing_with(mut self, training: &[Example], questions: &[Example], seed: u64, go_on: GoOn<'_>) -> Result<Self> {
        let (once, each) = prompt::parted(&self.template);
        let mut longest = 0;
        for question in questions {
            go_on()?;
            longest = longest.max(self.behind(&self.task.prompt(each, &question.text))?.len());
        }
        let mut shown = self.begun(&self.task.prompt(once, ""))?;
        let room = self.model.config().context.saturating_sub(longest + self.answer_tokens() + shown.len());
        let most = shown.len() + SHOWN_TOKENS.min(room);
        let (mut count, mut alone) = (0, None);
        for example in prompt::to_show(training, seed) {
            let (prompt, completion) = spelled(example, each, self.task);
            let one = [self.behind(&prompt)?, self.tokenizer.encode(&completion)?, vec![EOS]].concat();
            if shown.len() + one.len() <= most {
                shown.extend(one);
                count += 1;
            } else if alone.is_none() && one.len() <= SHOWN_ALONE.min(room) {
                alone = Some(one);
            }
            if count == SHOWN {
                break;
            }
        }
        self.shown = match alone {
            _ if count > 0 => shown,
            Some(one) => [shown, one].concat(),
            None => Vec::new(),
        };
        Ok(self)
    }

    /// Can [`Mode::Shown`] show anything?
    pub fn shows(&self) -> bool {
        !self.shown.is_empty()
    }

    /// The same with an end to answers that may have none: those of an untuned model, which never learned to end, and the free
    /// ones of a tuned model ([`Mode::Free`]), which only show what a constraint hides. They are cut off at twice the longest
    /// answer of the training examples and a few tokens more: what has run on so far has missed its end and is wrong, and every
    /// further token costs as much as the first. White space that a JSON schema allows is not counted. The answers that a tuned
    /// model gives have all the room of its recipe.
    ///
    /// # Errors
    /// If an answer cannot be tokenized.
    pub fn ending(mut self, training: &[Example]) -> Result<Self> {
        // a label ends where it ends
        if matches!(self.allowed, Allowed::Labels(_)) {
            return Ok(self);
        }
        // nearly always the longest in bytes has the most tokens
        let mut order: Vec<(usize, usize)> = training.iter().enumerate().map(|(i, e)| (completion(e, self.task).len(), i)).collect();
        order.sort_unstable();
        let mut longest = 0;
        for &(_, i) in order.iter().rev().take(COUNTED) {
            longest = longest.max(self.tokenizer.encode(&completion(&training[i], self.task))?.len());
        }
        if longest > 0 {
            self.cut = (2 * longest + SLACK).next_multiple_of(STEP);
        }
        Ok(self)
    }

    /// The same with the database that queries are about: queries then end only where they are whole, and of several
    /// candidates the likeliest that finds something is answered, or else the likeliest that runs.
    pub fn upon(self, database: Sandbox) -> Self {
        Self { database: Some(RefCell::new(database)), ..self }
    }

    /// The same with somebody who listens while the first of the questions is answered by completion.
    pub fn heard_by(self, listener: Listener<'a>) -> Self {
        Self { listener: Some(listener), ..self }
    }

    /// The part of the model that is trained, see [`Recipe::body`].
    pub fn body(&self) -> &Gemma {
        &self.body
    }

    /// What the answers are.
    pub fn kind(&self) -> Kind {
        self.task.kind
    }

    /// Rows that are read at a time: [`batch::FORWARD_ROWS`], or fewer once the device had no room for as many.
    pub fn at_once(&self) -> usize {
        self.at_once.get()
    }

    /// Encodes examples for training or validation under the recipe's method.
    ///
    /// # Errors
    /// If an example is too long; the message names its row.
    pub fn encode(&self, examples: &[Example]) -> Result<Vec<Encoded>> {
        self.encode_with(examples, &mut || Ok(()))
    }

    /// As [`Answerer::encode`]; `go_on` is asked before each of them.
    ///
    /// # Errors
    /// As [`Answerer::encode`], or `go_on`.
    pub fn encode_with(&self, examples: &[Example], go_on: GoOn<'_>) -> Result<Vec<Encoded>> {
        let encoder = self.encoder();
        let one = |e: &Example| {
            go_on()?;
            encode(e, &encoder, self.recipe, &self.template, self.task)
        };
        examples.iter().map(one).collect()
    }

    /// What a head is fitted to before it is trained, and how much each text counts: the encoded examples, and, where the recipe
    /// wants it, each sentence of a text by itself, so that the head also knows texts shorter than those it is shown. A text
    /// counts half, its sentences the other half together.
    ///
    /// # Errors
    /// As [`Answerer::encode`].
    pub fn fitted<'e>(&self, examples: &[Example], encoded: &'e [Encoded]) -> Result<(Cow<'e, [Encoded]>, Vec<f32>)> {
        self.fitted_with(examples, encoded, &mut || Ok(()))
    }

    /// As [`Answerer::fitted`]; `go_on` is asked before each sentence.
    ///
    /// # Errors
    /// As [`Answerer::fitted`], or `go_on`.
    pub fn fitted_with<'e>(&self, examples: &[Example], encoded: &'e [Encoded], go_on: GoOn<'_>) -> Result<(Cow<'e, [Encoded]>, Vec<f32>)> {
        if self.recipe.method != Method::Head || !self.recipe.sentences {
            return Ok((Cow::Borrowed(encoded), vec![1.0; encoded.len()]));
        }
        let (mut all, mut weights) = (encoded.to_vec(), vec![0.5; encoded.len()]);
        for example in examples {
            let sentences = intent::sentences(&example.text);
            for sentence in &sentences {
                all.extend(self.encode_with(&[Example { text: (*sentence).into(), ..example.clone() }], go_on)?);
                weights.push(0.5 / sentences.len() as f32);
            }
        }
        Ok((Cow::Owned(all), weights))
    }

    /// Rows whose entities tags cannot say; none under another method.
    pub fn beyond_tags<'e>(&self, examples: &'e [Example]) -> Vec<&'e Origin> {
        let said = |e: &&Example| tagging::holds(&e.text, &tagging::words(&e.text, self.recipe.cut), e.spans(), self.task.labels.names());
        let tagging = self.recipe.method == Method::Tagging;
        examples.iter().filter(|e| tagging && !said(e)).map(|e| &e.origin).collect()
    }

    /// The tokens of a text however long, as every text begins, see [`Encoded::repeated`].
    fn begun(&self, text: &str) -> Result<Vec<u32>> {
        Ok(Encoder { max_tokens: usize::MAX, ..self.encoder() }.encode(text, None)?.ids)
    }

    /// Those of one that stands behind another, where none begins.
    fn behind(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.begun(text)?.split_off(1))
    }

    fn encoder(&self) -> Encoder<'_> {
        Encoder { tokenizer: self.tokenizer, max_tokens: self.recipe.max_tokens.min(self.model.config().context) }
    }

    /// Encodes a bare text as a prompt of a completion, behind examples or by itself, or as what a head reads; none if it
    /// has nothing to read.
    ///
    /// # Errors
    /// If it is longer than the model's context.
    fn question(&self, text: &str, completion: bool, shown: bool) -> Result<Option<Encoded>> {
        let encoder = self.encoder();
        let encoded = match self.recipe.method {
            _ if shown => {
                let own = self.behind(&self.task.prompt(prompt::parted(&self.template).1, text))?;
                let ids = [&self.shown[..], &own].concat();
                Ok(Encoded { prompt: ids.len(), ids, marks: Vec::new(), repeated: 0 })
            }
            _ if completion => {
                // prompts that the recipe does not train on may be as long as the model reads, with room for an answer
                let room = self.model.config().context.saturating_sub(self.answer_tokens());
                let max_tokens = if self.recipe.method.writes() { encoder.max_tokens } else { room };
                Encoder { max_tokens, ..encoder }.encode(&self.task.prompt(&self.template, text), None)
            }
            Method::Completion | Method::Full | Method::Head => encoder.classed(text, 0),
            Method::Tagging => {
                let words: Vec<_> = tagging::words(text, self.recipe.cut).into_iter().map(|w| (w, 0)).collect();
                if words.is_empty() {
                    return Ok(None);
                }
                encoder.words(text, &words, self.recipe.copies)
            }
        };
        encoded.map(Some).map_err(|e| Error::request(format!("{e}: {text:.40}…")))
    }

    /// What a model reads before it answers each text by completion, with examples before it or without.
    ///
    /// # Errors
    /// If a text is too long.
    pub fn prompts(&self, texts: &[&str], shown: bool) -> Result<Vec<Vec<u32>>> {
        texts.iter().map(|text| Ok(self.question(text, true, shown)?.map(|e| e.ids).unwrap_or_default())).collect()
    }

    /// Is a text short enough to be asked about by completion?
    pub fn asks(&self, text: &str) -> bool {
        self.question(text, true, false).is_ok()
    }

    /// Answers each text, in order.
    ///
    /// # Errors
    /// If a text is too long or the device fails.
    pub fn answer(&self, tuned: Option<&Tuned>, texts: &[&str], mode: Mode) -> Result<Vec<Answer>> {
        // nobody can stop it
        Ok(self.answer_until(tuned, texts, mode, &AtomicBool::new(false), &mut |_| {})?.unwrap_or_default())
    }

    /// As [`Answerer::answer`], until `stop` is set, which is looked at between batches: then there are no answers. `told` hears how
    /// many there are, first and after each batch.
    ///
    /// # Errors
    /// As [`Answerer::answer`].
    pub fn answer_until(
        &self,
        tuned: Option<&Tuned>,
        texts: &[&str],
        mode: Mode,
        stop: &AtomicBool,
        told: &mut dyn FnMut(usize),
    ) -> Result<Option<Vec<Answer>>> {
        let head = mode == Mode::Best && tuned.is_some_and(|t| t.head.is_some());
        let mut out: Vec<Option<Answer>> = vec![None; texts.len()];
        let (mut asked, mut encoded) = (Vec::new(), Vec::new());
        for (index, text) in texts.iter().enumerate() {
            match self.question(text, !head, mode == Mode::Shown)? {
                Some(question) => {
                    asked.push(index);
                    encoded.push(question);
                }
                // nothing to read, nothing to find
                None => out[index] = Some(self.decide(text, &[])),
            }
        }
        let about: Vec<&str> = asked.iter().map(|&i| texts[i]).collect();
        let mut done = texts.len() - asked.len();
        told(done);
        for rows in batch::sorted(&encoded) {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let answers = match (mode, tuned) {
                (Mode::Best, Some(tuned)) if tuned.head.is_some() => {
                    let all = self.classify(tuned, &encoded, &rows)?;
                    rows.iter().zip(all).map(|(&row, probabilities)| self.decide(about[row], &probabilities)).collect()
                }
                _ => {
                    let tuned = if matches!(mode, Mode::Untuned | Mode::Shown) { None } else { tuned };
                    let complete = |part: &[usize]| self.complete(tuned, &about, &encoded, part, mode != Mode::Free);
                    failure::by_parts(self.model.device(), &rows, &self.at_once, complete)?
                }
            };
            done += rows.len();
            for (row, answer) in rows.into_iter().zip(answers) {
                out[asked[row]] = Some(answer);
            }
            told(done);
        }
        Ok(Some(out.into_iter().flatten().collect()))
    }

    /// Tokens that an answer by completion may take, its end included.
    pub fn answer_tokens(&self) -> usize {
        match &self.allowed {
            Allowed::Labels(trie) => trie.longest() + 1,
            Allowed::Grammar(_) | Allowed::Anything => self.recipe.answer_tokens,
        }
    }

    /// Tokens after which an answer is cut off that nobody taught to end, see [`Answerer::ending`].
    pub fn cut_tokens(&self) -> usize {
        self.answer_tokens().min(self.cut)
    }

    /// Tokens that an answer of the untuned model may take under its constraint, and how many of them may be more than white
    /// space.
    pub fn untuned_tokens(&self) -> [usize; 2] {
        match &self.allowed {
            Allowed::Grammar(_) if self.task.kind == Kind::Custom => [self.answer_tokens(), self.cut_tokens()],
            _ => [self.cut_tokens(); 2],
        }
    }

    /// Lets the model write so many tokens after each of a batch of questions, whatever ends an answer: for measuring. `heard`
    /// listens to the first of them. What is constrained is held to its constraint, under which a label ends all the same.
    ///
    /// # Errors
    /// If a text is too long or the device fails.
    pub fn write(&self, tuned: Option<&Tuned>, texts: &[&str], tokens: usize, heard: Listener<'_>) -> Result<()> {
        let (prompts, limits) = (self.prompts(texts, false)?, Limits { tokens, stop: &[] });
        let grammars;
        let of: &dyn Constraint = match &self.allowed {
            Allowed::Labels(trie) => trie,
            Allowed::Grammar(vocabulary) => {
                grammars = self.held(vocabulary, texts)?;
                grammars.as_ref()
            }
            Allowed::Anything => &Free,
        };
        let heard = Heard { of, listener: Some(heard) };
        Ok(generate(self.model, tuned.map(|t| &t.trained), &prompts, &limits, &Sampling::GREEDY, &heard).map(drop)?)
    }

    /// The main metric of answers to examples, and its name. Not of queries: they are judged on their database.
    ///
    /// # Errors
    /// If an example has a label that the task does not know.
    pub fn main(&self, examples: &[Example], answers: &[Answer]) -> Result<(&'static str, f64)> {
        let (metrics, _) = Scorer::new(self.task.kind, examples, self.task.labels.clone(), &[])?.score(examples, answers)?;
        let (name, value, _) = metrics.headline()[0];
        Ok((name, value))
    }

    /// What the head says of some of the examples: for each, the probabilities of the classes at each of
    /// its marks; nothing without a head.
    ///
    /// # Errors
    /// If the device fails.
    pub fn classify(&self, tuned: &Tuned, encoded: &[Encoded], rows: &[usize]) -> gemma::Result<Vec<Vec<Vec<f32>>>> {
        let Some(own) = &tuned.head else { return Ok(Vec::new()) };
        failure::by_parts(self.model.device(), rows, &self.at_once, |part| {
            let batch = Batch::new(encoded, part, self.body.layout());
            let mut all = head::probabilities(train::step::classify(&self.body, &tuned.trained, own, &batch)?).into_iter();
            Ok(part.iter().map(|&row| all.by_ref().take(encoded[row].marks.len()).collect()).collect())
        })
    }

    /// What a pass over some of the examples as completions finds, see [`train::step::evaluate`].
    ///
    /// # Errors
    /// If the device fails.
    pub fn evaluate(&self, tuned: &Tuned, encoded: &[Encoded], rows: &[usize]) -> gemma::Result<Vec<Evaluated>> {
        failure::by_parts(self.model.device(), rows, &self.at_once, |part| {
            Ok(vec![train::step::evaluate(&self.body, tuned, &Batch::new(encoded, part, self.body.layout()))?])
        })
    }

    /// The answer that a head's probabilities stand for: a label by those of the text, or entities by those of its words.
    pub fn decide(&self, text: &str, probabilities: &[Vec<f32>]) -> Answer {
        let names = self.task.labels.names();
        if let (Kind::Intent, Some(p)) = (self.task.kind, probabilities.first()) {
            let best = head::likeliest(p);
            let name = names[best].clone();
            return Answer {
                output: name.clone(),
                answer: Ok(Target::Label(name)),
                probability: f64::from(p[best]),
                all: p.clone(),
                cut: None,
                considered: Vec::new(),
            };
        }
        let (tags, probability) = tagging::decode(probabilities);
        let answer = Target::Entities(tagging::spans(text, &tagging::words(text, self.recipe.cut), &tags, names));
        Answer { output: answer::show(&answer), answer: Ok(answer), probability, all: Vec::new(), cut: None, considered: Vec::new() }
    }

    /// What may be answered to each text of a batch.
    fn held<'v>(&'v self, vocabulary: &'v Vocabulary, texts: &[&str]) -> Result<Box<dyn Constraint + 'v>> {
        self.constraint(vocabulary, &texts.iter().map(|text| self.task.grammar(text)).collect::<Vec<_>>())
    }

    /// What the grammars allow a batch: of queries only those whose names are in scope, of hashtags none twice.
    fn constraint<'v>(&'v self, vocabulary: &'v Vocabulary, grammars: &[String]) -> Result<Box<dyn Constraint + 'v>> {
        let rows = vocabulary.rows(grammars).map_err(Error::Request)?;
        Ok(match &self.scope {
            Some(scope) => Box::new(Scoped::new(rows, vocabulary, scope, self.database.as_ref())),
            None if self.task.kind == Kind::Hashtags => Box::new(Distinct::new(rows, vocabulary)),
            None => Box::new(rows),
        })
    }

    /// Of the likeliest queries for each question one that finds something on the database, or runs if none does; of these
    /// one that uses the most of the values that the question names, and then the likeliest.
    fn of_beams(
        &self,
        vocabulary: &Vocabulary,
        trained: Option<&gemma::Trained>,
        prompts: &[Vec<u32>],
        limits: &Limits<'_>,
        texts: &[&str],
    ) -> Result<Vec<Answer>> {
        let width = self.recipe.beams;
        let mut out = Vec::new();
        let at_once = self.recipe.at_once(Kind::Sql);
        for (prompts, texts) in prompts.chunks(at_once).zip(texts.chunks(at_once)) {
            let grammars: Vec<String> = texts.iter().flat_map(|text| std::iter::repeat_n(self.task.grammar(text), width)).collect();
            let constraint = self.constraint(vocabulary, &grammars)?;
            for (found, text) in
                beams(self.model, trained, prompts, limits, width, &Heard { of: constraint.as_ref(), listener: self.listener })?.into_iter().zip(texts)
            {
                let mut answers = Vec::new();
                for g in found {
                    let read = Answer::read(self.task.kind, text, self.tokenizer.decode(&g.tokens)?, g.log_probability.exp());
                    answers.push(if g.finished { read } else { read.cut_off(limits.tokens, self.task.whole()) });
                }
                let worth = |a: &Answer| match (&a.answer, &self.database) {
                    (Ok(query), Some(database)) => {
                        let query = answer::show(query);
                        let runs = database.borrow_mut().finds_something(&query).map_or(0, |something| 1 + u8::from(something));
                        (runs, self.task.values.used(text, &query))
                    }
                    _ => (0, 0),
                };
                let considered = weighed(&answers);
                // the likeliest stands first, and is kept among equals
                let chosen = answers.iter().map(worth).enumerate().max_by_key(|&(at, worth)| (worth, Reverse(at)));
                let answer = chosen.map_or_else(|| Answer::read(self.task.kind, text, String::new(), 0.0), |(at, _)| answers.swap_remove(at));
                out.push(Answer { considered, ..answer });
            }
        }
        Ok(out)
    }

    /// The hashtags that several answers by chance agree on, see [`tasks::vote`].
    fn of_votes(&self, vocabulary: &Vocabulary, trained: Option<&gemma::Trained>, prompts: &[Vec<u32>], limits: &Limits<'_>) -> Result<Vec<Answer>> {
        let votes = self.recipe.votes;
        // what is likelier than the rest together is soon drawn; sorting a whole vocabulary for each token is not
        let sampling = Sampling { temperature: 1.0, top_k: 64, top_p: 1.0, seed: 0 };
        let mut out = Vec::new();
        let at_once = self.recipe.at_once(Kind::Hashtags);
        for prompts in prompts.chunks(at_once) {
            let grammars = vec![grammar::hashtags(); prompts.len() * votes];
            let constraint = self.constraint(vocabulary, &grammars)?;
            let heard = Heard { of: constraint.as_ref(), listener: self.listener };
            for sampled in samples(self.model, trained, prompts, limits, &sampling, votes, &heard)? {
                let mut lists = Vec::new();
                for g in sampled {
                    // an answer that says nothing votes for nothing
                    if let Ok(Target::Tags(tags)) = answer::read(Kind::Hashtags, "", &self.tokenizer.decode(&g.tokens)?) {
                        lists.push(tags);
                    }
                }
                let (tags, share) = vote::agreed(&lists);
                // as a model writes them, with a space before each
                let output = tags.iter().map(|tag| format!(" {tag}")).collect();
                out.push(Answer { considered: vote::shares(&lists), ..Answer::read(Kind::Hashtags, "", output, share) });
            }
        }
        Ok(out)
    }

    /// The likeliest labels for a text with their probabilities, likeliest first, as [`Mode::Best`] of a tuned model or
    /// [`Mode::Untuned`] of the base model finds them; none where answers are no labels.
    ///
    /// # Errors
    /// If the text is too long or the device fails.
    pub fn likeliest(&self, tuned: Option<&Tuned>, text: &str, most: usize) -> Result<Vec<(String, f64)>> {
        let names = self.task.labels.names();
        let Allowed::Labels(trie) = &self.allowed else { return Ok(Vec::new()) };
        let Some(question) = self.question(text, tuned.is_none_or(|t| t.head.is_none()), false)? else { return Ok(Vec::new()) };
        let mut found: Vec<(String, f64)> = match tuned.filter(|t| t.head.is_some()) {
            Some(tuned) => {
                let probabilities = self.classify(tuned, &[question], &[0])?.into_iter().flatten().next().unwrap_or_default();
                names.iter().cloned().zip(probabilities.into_iter().map(f64::from)).collect()
            }
            None => {
                let limits = Limits { tokens: self.answer_tokens(), stop: &self.ends };
                let width = most.min(names.len());
                let beams = beams(self.model, tuned.map(|t| &t.trained), &[question.ids], &limits, width, trie)?;
                let label = |g: generate::Generated| Some((names.get(trie.answer(&g.tokens)?)?.clone(), g.log_probability.exp()));
                beams.into_iter().flatten().filter_map(label).collect()
            }
        };
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        found.truncate(most);
        Ok(found)
    }

    fn complete(&self, tuned: Option<&Tuned>, texts: &[&str], encoded: &[Encoded], rows: &[usize], constrained: bool) -> Result<Vec<Answer>> {
        let prompts: Vec<Vec<u32>> = rows.iter().map(|&r| encoded[r].ids.clone()).collect();
        let trained = tuned.map(|t| &t.trained);
        let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
        // a free answer may say a little more than a label before it is judged
        let more = if constrained || !matches!(self.allowed, Allowed::Labels(_)) { 0 } else { 3 };
        let [most, says] = match (constrained, tuned) {
            (true, Some(_)) => [self.answer_tokens(); 2],
            (true, None) => self.untuned_tokens(),
            (false, _) => [self.cut_tokens(); 2],
        };
        let tokens = (most + more).min(self.model.config().context.saturating_sub(longest));
        let limits = Limits { tokens, stop: &self.ends };
        let about: Vec<&str> = rows.iter().map(|&r| texts[r]).collect();
        if let (Allowed::Grammar(vocabulary), Some(_), true) = (&self.allowed, &self.database, constrained && self.recipe.beams > 1) {
            return self.of_beams(vocabulary, trained, &prompts, &limits, &about);
        }
        // what an untuned model says by chance is seldom an answer, and seldom ends
        if let (Allowed::Grammar(vocabulary), Kind::Hashtags, true) = (&self.allowed, self.task.kind, constrained && tuned.is_some() && self.recipe.votes > 1) {
            return self.of_votes(vocabulary, trained, &prompts, &limits);
        }
        let grammars;
        let constraint: &dyn Constraint = match &self.allowed {
            Allowed::Labels(trie) if constrained => trie,
            Allowed::Grammar(vocabulary) if constrained => {
                grammars = self.held(vocabulary, &about)?;
                grammars.as_ref()
            }
            _ => &Free,
        };
        let terse = match &self.allowed {
            Allowed::Grammar(vocabulary) if says < most => Some(Terse { of: constraint, vocabulary, most: says }),
            _ => None,
        };
        let constraint: &dyn Constraint = match &terse {
            Some(terse) => terse,
            None => constraint,
        };
        // after how many tokens an answer was cut off; one that a constraint ends for its length has not ended by itself
        let cut = |g: &generate::Generated| match &terse {
            Some(terse) if terse.is_over(&g.tokens) => Some(says),
            _ if g.finished => None,
            _ => Some(tokens),
        };
        let generated = generate(self.model, trained, &prompts, &limits, &Sampling::GREEDY, &Heard { of: constraint, listener: self.listener })?;
        let answer = |(g, &row): (generate::Generated, &usize)| {
            let (output, probability) = (self.tokenizer.decode(&g.tokens)?, g.log_probability.exp());
            let label = match &self.allowed {
                Allowed::Labels(trie) if constrained => trie.answer(&g.tokens),
                Allowed::Labels(_) => self.task.labels.parse(&output),
                _ => {
                    let read = Answer::read(self.task.kind, texts[row], output, probability);
                    return Ok(match cut(&g) {
                        Some(tokens) => read.cut_off(tokens, self.task.whole()),
                        None => read,
                    });
                }
            };
            let answer = label.map(|l| Target::Label(self.task.labels.names()[l].clone())).ok_or_else(|| "no label".into());
            Ok(Answer { output, answer, probability, all: Vec::new(), cut: None, considered: Vec::new() })
        };
        generated.into_iter().zip(rows).map(answer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_followed_has_its_share_of_the_probability_of_all() {
        let read = |query: &str, probability| Answer::read(Kind::Sql, "", query.into(), probability);
        let cut = read("SELECT", 0.1).cut_off(9, true);
        let found = weighed(&[read("SELECT 1", 0.1), read("SELECT 2", 0.2), cut, read("SELECT 1", 0.1)]);
        let near = |a: &(String, f64), b: (&str, f64)| a.0 == b.0 && (a.1 - b.1).abs() < 1e-12;
        assert!(found.len() == 2 && near(&found[0], ("SELECT 1", 0.4)) && near(&found[1], ("SELECT 2", 0.4)), "{found:?}");
        // so unlikely that nothing is left of it
        assert_eq!(weighed(&[read("SELECT 1", 0.0)]), []);
    }

    #[test]
    fn white_space_is_not_counted_against_an_answer() {
        let vocabulary = Vocabulary::bytes().expect("a vocabulary");
        let terse = Terse { of: &Free, vocabulary: &vocabulary, most: 4 };
        let goes_on = |text: &str| matches!(terse.next(0, &text.bytes().map(u32::from).collect::<Vec<_>>()), generate::Allowed::Any);
        assert!(goes_on("") && goes_on("{\n\t\t\"a") && goes_on("      \r\n"));
        assert!(!goes_on("{\n \"a\"") && !goes_on("abcde"));
    }
}
