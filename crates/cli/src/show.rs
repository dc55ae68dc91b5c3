//! Everything that goes to standard output: for people, or with `--json` for programs.

use crate::words::Words;
use lab::answer::Answer;
use lab::device::Info;
use lab::edit::{Change, Editor};
use lab::forecast::Forecast;
use lab::look::Checked;
use lab::models::Listed;
use lab::remote::Serving;
use lab::report::document::Document;
use lab::report::record::{Calibration, RunResult};
use lab::set::{DataSet, Split};
use lab::study::Outcome;
use lab::sweep;
use lab::tasks::Metrics;
use lab::vectors::{Doubt, Near};
use lab::{Event, bench};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::path::Path;

/// Of what an answer was chosen from, so much is shown to people.
const CONSIDERED: usize = 8;

/// How to print.
#[derive(Clone, Copy)]
pub struct Output {
    /// For programs.
    pub json: bool,
    /// Only what was asked for.
    pub quiet: bool,
    /// The language for people.
    pub words: Words,
}

/// Prints a line; a reader that has gone away (`| head`) is no error.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints a value as one line of JSON.
pub fn json_line(value: &impl Serialize) {
    line(&serde_json::to_string(value).unwrap_or_default());
}

/// Characters of a text beside other things.
const SHOWN: usize = 90;

/// The beginning of a text, on one line.
fn beginning(text: &str) -> String {
    let mut out: String = text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(SHOWN).is_some() {
        out.push('…');
    }
    out
}

impl Output {
    /// Something worth knowing, on standard error.
    pub fn note(self, text: &str) {
        if !self.quiet && !self.json {
            eprintln!("{text}");
        }
    }

    /// A path that was made.
    pub fn path(self, path: &Path) {
        if self.json { json_line(&json!({ "path": path })) } else { line(&path.display().to_string()) }
    }

    /// The devices.
    pub fn devices(self, devices: &[Info]) {
        if self.json {
            return json_line(&devices);
        }
        let width = devices.iter().map(|d| d.id.len()).max().unwrap_or(0).max(10);
        for d in devices {
            let kind = serde_json::to_value(d.kind).ok().and_then(|v| v.as_str().map(String::from)).unwrap_or_default();
            let speed = d.speed.map_or_else(String::new, |s| self.words.speed(s));
            line(&format!("{:<width$} {:<9} {:<11} {:<18} {:<24} {}", d.id, kind, d.api, self.words.parity(d.parity), speed, d.name));
            if !d.detail.is_empty() {
                line(&format!("  {}", d.detail));
            }
        }
    }

    /// A device that is being served, with what to type on the other machine.
    pub fn serving(self, serving: &Serving) {
        let (address, info, token) = (serving.address, &serving.info, &serving.token);
        if self.json {
            return json_line(&json!({"address": address.to_string(), "device": info, "token": token}));
        }
        let port = address.port();
        // everywhere is no address to go to
        let named = if address.ip().is_unspecified() { self.words.this_machine(port) } else { address.to_string() };
        line(&self.words.serving(&info.name, &address.to_string()));
        line(&format!("  lapidary devices --add {named} --token {token}"));
        self.note(self.words.served(address.ip().is_loopback()));
    }

    /// The models.
    pub fn models(self, models: &[Listed]) {
        if self.json {
            return json_line(&models);
        }
        for m in models {
            let place = m.path.as_ref().map_or_else(|| self.words.get_it(&m.name, m.partial_bytes), |p| p.display().to_string());
            let size = if m.bytes == 0 { String::new() } else { format!("{:.0} MB", m.bytes as f64 / 1e6) };
            line(&format!("{:<18} {:>8}  {:<20} {}", m.name, size, self.words.said(&m.license), place));
        }
    }

    /// What a check found; with the labels that are likely wrong, where those were sought.
    pub fn findings(self, set: &DataSet, checked: &Checked, doubts: Option<&[Doubt]>) {
        let findings = &checked.findings;
        let counts: Vec<(&str, usize)> = set.splits.iter().map(|(s, f)| (s.name(), f.examples.len())).collect();
        if self.json {
            let counts: serde_json::Map<String, serde_json::Value> = counts.iter().map(|(n, c)| ((*n).to_string(), json!(c))).collect();
            let skipped: BTreeMap<&str, &lab::set::Skipped> = set.splits.iter().map(|(s, f)| (s.name(), &f.skipped)).filter(|(_, s)| s.count > 0).collect();
            let mut all = json!({"name": set.card.name, "examples": counts, "skipped": skipped, "findings": findings});
            match &checked.limit {
                Ok(limit) => all["max_tokens"] = json!(limit),
                Err(why) => all["max_tokens_unchecked"] = json!(why),
            }
            if let Some(doubts) = doubts {
                all["suspicious_labels"] = json!(doubts);
            }
            return json_line(&all);
        }
        line(&format!("{}: {}", set.card.name, counts.iter().map(|(n, c)| self.words.examples_of(*c, n)).collect::<Vec<_>>().join(", ")));
        for f in findings {
            line(&if f.severity == lab::check::Severity::Error { self.words.error(&f.message) } else { self.words.warning(&f.message) });
            let shown: Vec<&str> = f.rows.iter().take(5).map(String::as_str).collect();
            if !shown.is_empty() {
                line(&format!("  {}{}", shown.join(", "), if f.rows.len() > shown.len() { ", …" } else { "" }));
            }
            line(&format!("  {}", self.words.gain(&f.fix)));
        }
        if findings.is_empty() {
            line(self.words.nothing_found());
        }
        for d in doubts.unwrap_or_default() {
            let (own, theirs) = (self.words.0.decimal(d.own.into(), 2), self.words.0.decimal(d.theirs.into(), 2));
            line(&format!("{}  {} {own} → {} {theirs}? ({})  {}", d.row, d.label, d.resembles, d.witness, beginning(&d.text)));
        }
        if let Err(why) = &checked.limit {
            self.note(&self.words.unmeasured(why));
        }
    }

    /// The rows near one.
    pub fn near(self, rows: &[Near]) {
        for n in rows {
            if self.json {
                json_line(n);
            } else {
                line(&format!("{:>6}  {}  {}  {}", self.words.0.decimal(f64::from(n.similarity), 2), n.row, n.answer, beginning(&n.text)));
            }
        }
    }

    /// Changes to a data set: those of these numbers, counted from 0.
    pub fn changes(self, editor: &Editor, numbers: Range<usize>) {
        for (number, step) in editor.history().enumerate().filter(|(number, _)| numbers.contains(number)) {
            let row = step.origin.map(ToString::to_string);
            if self.json {
                json_line(&json!({"number": number, "row": row, "in_force": step.in_force, "change": step.change}));
                continue;
            }
            let (words, row) = (self.words, row.unwrap_or_default());
            let show = lab::tasks::answer::show;
            let told = match (step.change, step.before) {
                (Change::Relabel { target, .. }, Some(before)) => {
                    format!("{row}  {} → {}  {}", show(&before.example.target), show(target), beginning(&before.example.text))
                }
                (Change::Rewrite { text, .. }, Some(before)) => format!("{row}  {} → {}", beginning(&before.example.text), beginning(text)),
                (Change::Delete { .. }, Some(before)) => words.deleted(&row, &beginning(&before.example.text)),
                (Change::Move { to, .. }, Some(before)) => words.moved(&row, before.split.map_or("", Split::name), to.name(), &beginning(&before.example.text)),
                (Change::Add { split, text, target }, _) => words.added(&row, split.name(), &beginning(text), &show(target)),
                // every change but adding has a row before it
                (_, None) => continue,
            };
            line(&format!("{:>4}  {told}{}", number + 1, if step.in_force { "" } else { words.undone() }));
        }
    }

    /// How many examples of a divided file went where.
    pub fn divided(self, folder: &Path, parts: &BTreeMap<Split, usize>) {
        if self.json {
            return json_line(&json!({"path": folder, "examples": parts}));
        }
        line(&format!("{}: {}", folder.display(), parts.iter().map(|(s, n)| self.words.examples_of(*n, s.name())).collect::<Vec<_>>().join(", ")));
    }

    /// Rows that hold the words searched for.
    pub fn matches(self, set: &DataSet, found: &[(Split, usize)]) {
        for (split, index) in found {
            let Some(e) = set.examples(*split).get(*index) else { continue };
            if self.json {
                json_line(&json!({"split": split, "index": index, "row": e.origin.to_string(), "text": e.text}));
            } else {
                line(&format!("{}  {}", e.origin, e.text));
            }
        }
    }

    /// An event of a run; people see the progress bar instead.
    pub fn event(self, event: &Event) {
        if self.json {
            json_line(event);
        }
    }

    /// How a run ended; programs have the last event and the folder.
    pub fn result(self, folder: &Path, result: &RunResult) {
        if self.json {
            return;
        }
        let words = self.words;
        if let Some(m) = &result.metrics {
            line(&words.result(&self.shares(m), m.examples(), &result.evaluated_on));
            for (name, b) in &result.baselines {
                line(&format!("  {}: {}{}", words.said(name), self.shares(b), words.asked((b.examples(), m.examples()))));
            }
            if let Some(free) = &result.metrics_free {
                line(&format!("  {}: {}", words.free_decoding(), self.shares(free)));
            }
            if let Some(found) = &result.free_difference {
                line(&format!("  {}", words.free_difference(words.said(m.headline()[0].0), found.difference, found.difference_ci)));
            }
        }
        line(&words.ended(&result.status, &result.train));
        line(&folder.display().to_string());
    }

    /// What a study came to.
    pub fn study(self, folder: &Path, outcome: &Outcome) {
        if self.json {
            return json_line(outcome);
        }
        let words = self.words;
        for s in &outcome.summaries {
            let value = s.interval.map_or_else(|| words.percent(s.mean), |interval| words.interval(s.mean, interval));
            line(&words.summary(&s.method, s.rows, s.runs, words.said(&outcome.metric), &value, s.seconds));
        }
        for (name, value) in &outcome.baselines {
            let asked = outcome.sampled.get(name).map(|&[asked, of]| words.asked((asked, of))).unwrap_or_default();
            line(&format!("  {}: {}{asked}", words.said(name), words.percent(*value)));
        }
        line(&folder.join("study.json").display().to_string());
    }

    /// What a sweep found, each round from the best to the worst.
    pub fn sweep(self, folder: &Path, outcome: &sweep::Outcome) {
        if self.json {
            return json_line(outcome);
        }
        let words = self.words;
        for t in &outcome.trials {
            line(&words.trial(t, words.said(&outcome.metric)));
        }
        let set: Vec<String> = outcome.best.iter().map(|s| format!("--set {s}")).collect();
        line(&words.best_trial(&set.join(" ")));
        line(&folder.join(sweep::FILE).display().to_string());
    }

    /// What a run would cost.
    pub fn forecast(self, f: &Forecast) {
        if self.json {
            return json_line(f);
        }
        line(&self.words.cost(f));
        if !f.fits {
            line(&self.words.warning(self.words.too_large(f)));
        } else if f.available_memory_bytes.is_none() {
            line(self.words.free_memory_unknown());
        }
    }

    /// What a run that begins now will cost, on standard error.
    pub fn foretold(self, f: &Forecast) {
        self.note(&self.words.cost(f));
        if !f.fits {
            self.note(&self.words.warning(self.words.too_large(f)));
        }
    }

    /// Answers to texts.
    pub fn answers(self, texts: &[&str], answers: &[Answer]) {
        for (text, a) in texts.iter().zip(answers) {
            let answer = a.answer.as_ref().ok().map(lab::tasks::answer::show);
            if self.json {
                let considered: Vec<_> = a.considered.iter().map(|(answer, share)| json!({"answer": answer, "share": share})).collect();
                json_line(
                    &json!({"input": text, "output": a.output, "answer": answer, "probability": a.probability, "reason": a.reason(), "considered": considered}),
                );
            } else {
                let why = a.reason().map(|reason| format!("({})", self.words.0.reason(&reason)));
                let answer = answer.into_iter().chain(why).collect::<Vec<_>>().join(" ");
                line(&format!("{answer:<24} {:>7}  {text}", self.words.percent(a.probability)));
                if a.considered.len() > 1 {
                    line(&format!("  {}", self.words.considered(a.is_voted())));
                    for (answer, share) in a.considered.iter().take(CONSIDERED) {
                        line(&format!("  {:>7}  {answer}", self.words.percent(*share)));
                    }
                }
            }
        }
    }

    /// What a run's probabilities are worth.
    pub fn calibrated(self, c: &Calibration) {
        if self.json {
            return json_line(c);
        }
        let words = self.words;
        line(&words.temperature(c.temperature, c.validation.examples));
        for (name, a) in [("validation", Some(c.validation)), ("test", c.test)] {
            if let Some(a) = a {
                line(&format!("  {}", words.agreement(name, a.error, a.error_calibrated)));
            }
        }
        line(&match c.threshold {
            Some(p) => words.threshold(p.threshold, c.wanted),
            None => words.no_threshold(c.wanted),
        });
        for (name, point) in [("validation", c.threshold), ("test", c.threshold_on_test)] {
            if let Some(p) = point {
                line(&format!("  {}", words.above_threshold(name, p.coverage, p.accuracy)));
            }
        }
    }

    /// The main metric with its interval, and the other ones that stand for the whole.
    fn shares(self, m: &Metrics) -> String {
        let words = self.words;
        let share = |(i, (name, value, ci)): (usize, (&str, f64, [f64; 2]))| {
            let value = if i == 0 { words.interval(value, ci) } else { words.percent(value) };
            format!("{} {value}", words.said(name))
        };
        m.headline().into_iter().enumerate().map(share).collect::<Vec<_>>().join(", ")
    }

    /// Scores on a file.
    pub fn scores(self, m: &Metrics) {
        if self.json {
            return json_line(m);
        }
        let words = self.words;
        for (name, value, interval) in m.headline() {
            line(&format!("{} {}", words.said(name), words.interval(value, interval)));
        }
        line(&words.on_examples(m.examples()));
        match m {
            Metrics::Classes(m) => {
                line(&words.calibration(&words.interval(m.expected_calibration_error, m.expected_calibration_error_ci)));
                for (name, c) in &m.per_class {
                    line(&words.class(name, [c.precision, c.recall, c.f1], c.support));
                }
            }
            Metrics::Entities(m) => {
                for (name, c) in &m.per_type {
                    line(&words.class(name, [c.precision, c.recall, c.f1], c.support));
                }
                line(&words.entity_errors(m.errors.missed, m.errors.invented, m.errors.wrong_type, m.errors.wrong_boundary));
                line(&words.unreadable(m.unreadable));
            }
            Metrics::Sql(m) => line(&words.lucky(m.lucky)),
            Metrics::Tags(m) => {
                line(&words.diversity(m.diversity, m.diversity_expected));
                line(&words.unreadable(m.unreadable));
            }
            Metrics::Text(m) => line(&words.unreadable(m.unreadable)),
        }
    }

    /// A document, without its figures.
    pub fn document(self, mut document: Document) {
        if self.json {
            return json_line(&lab::report::tables::json(&document));
        }
        document.figures.clear();
        line(&lab::report::markdown::render(&document));
    }

    /// A measurement of the training step.
    pub fn bench(self, m: &bench::Measured) {
        if self.json {
            return json_line(m);
        }
        let words = self.words;
        line(&format!("{}: {}", words.shape(&m.shape, m.targets), words.measured(m)));
        let all: Vec<String> = m.phases.iter().map(|(phase, seconds)| words.phase(*phase, *seconds)).collect();
        // a device that works on while the program goes on tells no parts
        if !all.is_empty() {
            line(&format!("  {}, {}", all.join(", "), words.rest((m.seconds_per_step - m.phases.values().sum::<f64>()).max(0.0))));
        }
    }
}
