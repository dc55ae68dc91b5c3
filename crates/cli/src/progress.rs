//! Progress on a terminal: standard error, and only if a person can see it.

use crate::show::Output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lab::Event;
use std::io::IsTerminal;

fn bar(out: Output, template: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    if out.quiet || !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸ "));
    }
    bar
}

/// The bar of a training run: steps, loss, speed, time left.
pub struct Training {
    bar: ProgressBar,
    /// Lines instead of a bar, where standard error is a file.
    plain: bool,
    every: usize,
}

impl Training {
    /// A bar that waits for the first event.
    pub fn new(out: Output) -> Self {
        let plain = !out.quiet && !out.json && !std::io::stderr().is_terminal();
        Self { bar: bar(out, "{bar:30} {pos}/{len} steps  {msg}  {eta} left"), plain, every: 1 }
    }

    /// Shows an event.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Started { method, steps, trainable, examples, device, .. } => {
                self.bar.set_length(*steps as u64);
                self.every = (steps / 10).max(1);
                self.say(&format!("{examples} examples, method {method}, {:.1} M trained parameters, {steps} steps on {device}", *trainable as f64 / 1e6));
            }
            Event::Step { step, loss, tokens_per_second, .. } => {
                self.bar.set_position(*step as u64);
                let message = format!("loss {loss:.3}  {tokens_per_second:.0} tokens/s");
                if self.plain && step % self.every == 0 {
                    self.say(&format!("step {step}  {message}"));
                }
                self.bar.set_message(message);
            }
            Event::Forecast { seconds, peak_memory_bytes } => {
                self.say(&format!("about {:.0} s of training to come, {:.1} GB", seconds, *peak_memory_bytes as f64 / 1e9))
            }
            Event::Evaluation { step, loss, metrics, best } => {
                let metrics: Vec<String> = metrics.iter().map(|(k, v)| format!("{k} {:.1} %", v * 100.0)).collect();
                self.say(&format!("step {step}  validation loss {loss:.3}  {}{}", metrics.join("  "), if *best { "  (best so far)" } else { "" }));
            }
            Event::Warning { message } => self.say(&format!("warning: {message}")),
            Event::Health { message, ok: false, .. } => self.say(&format!("health: {message}")),
            _ => {}
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

/// The bar of a download.
pub struct Download(ProgressBar);

impl Download {
    /// A bar that waits for the first bytes.
    pub fn new(out: Output) -> Self {
        Self(bar(out, "{msg} {bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left"))
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
