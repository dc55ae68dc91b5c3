//! Progress on a terminal: standard error, and only if a person can see it.

use crate::show::Output;
use crate::words::Words;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lab::Event;
use std::borrow::Cow;
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

/// What a person waits for without asking how long.
const PATIENCE: Duration = Duration::from_millis(500);

fn bar(out: Output, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    if out.quiet || !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    draw_as(&bar, template);
    bar
}

fn draw_as(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸ "));
    }
}

/// The bar of a training run: steps, loss, speed, time left; and then of the answers that score it.
pub struct Training {
    bar: ProgressBar,
    /// Whose answers it shows; empty while it shows steps.
    answering: String,
    words: Words,
    /// Lines instead of a bar, where standard error is a file.
    plain: bool,
    every: usize,
}

impl Training {
    /// A bar that waits for the first event.
    pub fn new(out: Output) -> Self {
        let plain = !out.quiet && !out.json && !std::io::stderr().is_terminal();
        Self { bar: bar(out, out.words.training_bar()), answering: String::new(), words: out.words, plain, every: 1 }
    }

    /// Shows an event.
    pub fn event(&mut self, event: &Event) {
        let words = self.words;
        match event {
            Event::Started { method, steps, trainable, examples, device, .. } => {
                self.back_to_steps();
                self.bar.set_length(*steps as u64);
                self.every = (steps / 10).max(1);
                self.say(&words.started(*examples, method, *trainable, *steps, device));
            }
            Event::Step { step, loss, tokens_per_second, .. } => {
                self.bar.set_position(*step as u64);
                let message = words.loss(*loss, *tokens_per_second);
                if self.plain && step % self.every == 0 {
                    self.say(&words.at_step(*step, &message));
                }
                self.bar.set_message(message);
            }
            Event::Forecast { seconds, peak_memory_bytes } => self.say(&words.forecast(*seconds, *peak_memory_bytes)),
            Event::Evaluation { step, loss, metrics, best, .. } => {
                self.say(&words.at_step(*step, &words.validated(*loss, metrics, *best)));
            }
            Event::Answering { system, done, of, .. } => {
                if self.answering != *system {
                    self.answering.clone_from(system);
                    draw_as(&self.bar, words.answering_bar());
                    // how fast steps or other answers were says nothing of these
                    self.bar.reset();
                    self.bar.set_length(*of as u64);
                    self.bar.set_message(words.said(system).to_string());
                }
                self.bar.set_position(*done as u64);
            }
            Event::Scored { system, metrics, examples, of, remembered, .. } => self.say(&words.scored(system, metrics, (*examples, *of), *remembered)),
            Event::Warning { message, .. } => self.say(&words.warning(message)),
            Event::Health { ok: false, symptom: Some(_), message, .. } => self.say(&words.health(message)),
            // a reason is what the command ends with
            Event::Paused { step, why: None } => self.say(&words.paused(*step)),
            Event::Resumed { step } => {
                self.back_to_steps();
                self.say(&words.resumed(*step));
            }
            _ => {}
        }
    }

    /// The bar counts steps again: one run of several may come after another's answers.
    fn back_to_steps(&mut self) {
        if !std::mem::take(&mut self.answering).is_empty() {
            draw_as(&self.bar, self.words.training_bar());
            self.bar.reset();
        }
    }

    /// A line above the bar.
    pub fn say(&self, line: &str) {
        if self.plain {
            eprintln!("{line}");
        } else {
            self.bar.println(line);
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The bar of a file that is read. A file is a few thousand rows more often than a million, so that it
/// only shows once there is something to wait for.
pub struct Reading {
    bar: ProgressBar,
    since: Instant,
}

impl Reading {
    /// A bar that waits for the first rows.
    pub fn new(out: Output) -> Self {
        let bar = bar(out, out.words.reading_bar());
        Self { bar, since: Instant::now() }
    }

    /// Shows how far a file is.
    pub fn update(&mut self, file: &Path, done: u64, total: u64) {
        if self.since.elapsed() < PATIENCE {
            return;
        }
        self.bar.set_message(file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default());
        self.bar.set_length(total);
        self.bar.set_position(done);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Rows from which what is done with all of them takes long enough to say so.
const MANY: usize = 50_000;

/// A sign that something is being done which takes its time.
pub struct Work(ProgressBar);

impl Work {
    /// Says what is done with so many rows, if they are many.
    pub fn new(out: Output, rows: usize) -> Self {
        if rows < MANY { Self(ProgressBar::hidden()) } else { Self::of(out, out.words.working(rows)) }
    }

    /// Says what is being done.
    pub fn of(out: Output, what: impl Into<Cow<'static, str>>) -> Self {
        let bar = bar(out, "{spinner} {msg}  {elapsed}");
        bar.set_message(what);
        bar.enable_steady_tick(PATIENCE);
        Self(bar)
    }

    /// Takes the sign away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// The bar of rows that a model reads.
pub struct Rows(ProgressBar);

impl Rows {
    /// A bar that waits for the first rows.
    pub fn new(out: Output) -> Self {
        Self(bar(out, out.words.rows_bar()))
    }

    /// Shows how many rows are read.
    pub fn update(&mut self, done: usize, total: usize) {
        self.0.set_length(total as u64);
        self.0.set_position(done as u64);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// The bar of a download.
pub struct Download(ProgressBar);

impl Download {
    /// A bar that waits for the first bytes.
    pub fn new(out: Output) -> Self {
        Self(bar(out, out.words.download_bar()))
    }

    /// Shows how far a file is.
    pub fn update(&mut self, file: &str, done: u64, total: u64) {
        self.0.set_message(file.to_string());
        self.0.set_length(total);
        self.0.set_position(done);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
