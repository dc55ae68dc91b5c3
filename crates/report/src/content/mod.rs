//! The report of one run: its files, told as a [`Document`].
//!
//! [`run`] tells what the run folder holds and leaves out what was not measured; sentences that judge
//! ("above", "not settled", "good for") follow from stated rules on the numbers beside them. Everything
//! that came from data, models or the command line passes through [`clean`] first.
//!
//! [`scores`] tells of the scores of any task, [`mistakes`] of single answers, [`fit`] of what follows.

mod fit;
mod mistakes;
pub(crate) mod scores;

use crate::document::{Banner, Block, Cell, Column, Document, Kind, Notice, Role, Row, Section, Span, Table, foreign, plain};
use crate::figure::{self, Compared, Figure, MarkKind};
use crate::record::{CHANGED, ELSEWHERE, FileRecord, Prediction, Run};
use crate::text::{Lang, Words, clean, clean_lines, fill};
use data::set::Split;
use scores::{by_label, faults, inside, measure, same, systems};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use tasks::Metrics;
use tasks::score::calibration::Agreement;
use train::Event;
use train::health::Symptom;

/// Mistakes that are shown.
const MISTAKES: usize = 50;
/// Characters of a text that is shown.
const TEXT_CHARS: usize = 400;
/// Confused pairs that are shown.
const PAIRS: usize = 15;
/// Health notices that are shown.
const NOTICES: usize = 100;
/// Characters of a name: label, model, file, device.
pub(crate) const NAME_CHARS: usize = 160;
/// Characters of what a data set's card says of it.
const CARD_CHARS: usize = 3000;
/// Characters of an error message.
const MESSAGE_CHARS: usize = 4000;
/// Rows of a table that are listed; labels and settings, too.
const LISTED: usize = 400;
/// Labels up to which a picture says more than the bars of the table; with more it would fill pages.
const DRAWN: usize = 40;
/// Labels that a sentence names.
const NAMED: usize = 12;

/// Names of all sections, in the order of the report; a run has those for which something was measured.
pub const SECTIONS: [&str; 15] = [
    "summary",
    "results",
    "classes",
    "confusion",
    "errors",
    "mistakes",
    "calibration",
    "use",
    "training",
    "health",
    "done",
    "model",
    "data",
    "reproduce",
    "cite",
];

/// The report of a run.
pub fn run(run: &Run, lang: Lang) -> Document {
    let Ok(document) = run_with::<Infallible>(run, lang, &mut |_, _| Ok(()));
    document
}

/// A baseline's name inside a sentence.
pub fn article(name: &str, task: &str, lang: Lang) -> String {
    let words = lang.words();
    match name {
        "majority" => same(task, words)[1].into(),
        "gazetteer" => words.the_gazetteer.into(),
        "nearest" => words.the_nearest.into(),
        "untuned" => words.the_untuned.into(),
        "few_shot" => words.the_few_shot.into(),
        "tf_idf_logistic" => words.the_tf_idf_logistic.into(),
        other => clean(other, NAME_CHARS),
    }
}

/// Figures that a run can have.
const FIGURES: usize = 13 + figure::Quantity::ALL.len();

/// As [`run`]; `go_on` is told how many of its figures and sections are done, and of how many.
///
/// # Errors
/// As `go_on`.
pub fn run_with<E>(run: &Run, lang: Lang, go_on: &mut dyn FnMut(u64, u64) -> Result<(), E>) -> Result<Document, E> {
    let whole = (FIGURES + SECTIONS.len()) as u64;
    let mut drawn = 0;
    let figures = figures_with(run, lang, &mut || {
        drawn += 1;
        go_on(drawn, whole)
    })?;
    let words = lang.words();
    let page = Page { run, lang, words, figures: &figures };
    let entities = matches!(run.result.metrics, Some(Metrics::Entities(_)));
    let parts: [(&str, &str, Tell<'_>); SECTIONS.len()] = [
        ("summary", words.summary_heading, Page::summary),
        ("results", words.results_heading, Page::results),
        ("classes", if entities { words.types_heading } else { words.classes_heading }, Page::classes),
        ("confusion", words.confusion_heading, Page::confusion),
        ("errors", words.errors_heading, Page::errors),
        ("mistakes", words.mistakes_heading, Page::mistakes),
        ("calibration", words.calibration_heading, Page::calibration),
        ("use", words.use_heading, Page::good_for),
        ("training", words.training_heading, Page::training),
        ("health", words.health_heading, Page::health),
        ("done", words.done_heading, Page::done),
        ("model", words.model_heading, Page::model),
        ("data", words.data_heading, Page::data),
        ("reproduce", words.reproduce_heading, Page::reproduce),
        ("cite", words.cite_heading, Page::cite),
    ];
    let mut sections = Vec::new();
    for (told, (id, heading, tell)) in (1..).zip(parts) {
        sections.extend(tell(&page).map(|blocks| Section { id, heading: heading.into(), blocks }));
        go_on(FIGURES as u64 + told, whole)?;
    }
    let file = &run.run;
    let version = clean(&file.version, 40);
    let mut heading = plain(format!("{}: ", task(&file.task, words)));
    heading.extend(foreign(&file.data.name, NAME_CHARS));
    let mut subtitle = vec![Span::Foreign(model_name(run))];
    if !run.is_from_elsewhere() {
        subtitle.push(Span::Plain(" · ".into()));
        subtitle.extend(foreign(&file.device.name, NAME_CHARS));
    }
    Ok(Document {
        lang,
        title: fill(words.title, &[("task", &task(&file.task, words)), ("data", &clean(&file.data.name, NAME_CHARS))]),
        kicker: format!("{} · {}", if run.is_from_elsewhere() { words.kicker_elsewhere } else { words.kicker }, moment(&file.started)),
        heading,
        subtitle,
        banners: page.status().into_iter().collect(),
        sections,
        footer: fill(words.footer, &[("version", &version)]),
        generator: format!("Lapidary {version}"),
        figures: figures.clone(),
    })
}

/// The figures of a run by file name without ending, in the order of the report; only those with values.
pub fn figures(run: &Run, lang: Lang) -> Vec<(String, Figure)> {
    let Ok(figures) = figures_with::<Infallible>(run, lang, &mut || Ok(()));
    figures
}

/// As [`figures`]; `go_on` is asked after each of them.
///
/// # Errors
/// As `go_on`.
pub fn figures_with<E>(run: &Run, lang: Lang, go_on: &mut dyn FnMut() -> Result<(), E>) -> Result<Vec<(String, Figure)>, E> {
    let mut out = Vec::new();
    let mut add = |name: &str, figure| -> Result<(), E> {
        out.push((name.to_string(), figure));
        go_on()
    };
    let words = lang.words();
    let systems = systems(run, words);
    if systems.len() > 1 {
        let row = |s: &scores::System| {
            let (_, score, interval) = s.scores.headline()[0];
            Compared { name: s.name.clone(), score, interval, main: s.main }
        };
        let name = systems[0].scores.headline()[0].0;
        add("comparison", figure::comparison(&systems.iter().map(row).collect::<Vec<_>>(), measure(name, words), lang))?;
    }
    if let Some(scores) = run.result.metrics.as_ref().and_then(by_label).filter(|s| !s.is_empty()) {
        add("classes", figure::class_scores(&scores, lang))?;
        add("balance", figure::class_balance(&scores, lang))?;
    }
    if let Some(counts) = training_counts(run) {
        add("balance_training", figure::label_counts(counts, lang))?;
    }
    if let Some(metrics) = run.result.classes() {
        add("confusion", figure::confusion_matrix(&metrics.confusion, figure::Cells::Counts, lang))?;
        add("confusion_shares", figure::confusion_matrix(&metrics.confusion, figure::Cells::Shares, lang))?;
        if !metrics.reliability.is_empty() && run.has_probabilities() {
            add("reliability", figure::reliability(&metrics.reliability, false, lang))?;
        }
    }
    let faults = faults(run, words);
    if faults.iter().any(|f| f.wrong() > 0) {
        add("errors", figure::entity_errors(&faults, lang))?;
    }
    let placed = mistakes::placed(run, words);
    if !placed.is_empty() {
        add("map", figure::example_map(&placed, lang))?;
    }
    let answers = calibrated(&run.predictions);
    let by_calibrated = answers.is_some();
    if let Some(answers) = answers.filter(|_| run.calibration.is_some()) {
        add("reliability_calibrated", figure::reliability(&tasks::score::bins(answers), true, lang))?;
    }
    // an answer of several parts is hardly ever wholly right, so there its probability tells little
    let whole = !matches!(run.result.metrics, Some(Metrics::Entities(_) | Metrics::Tags(_)));
    if let Some(curve) = coverage(run).filter(|_| whole) {
        let chosen = run.calibration.as_ref().and_then(|c| c.threshold_on_test);
        add("coverage", figure::coverage(&curve, by_calibrated, chosen, lang))?;
    }
    if let Some(lengths) = run.run.data.lengths.as_ref().filter(|_| !run.is_from_elsewhere()) {
        let bin = |(i, &count): (usize, &usize)| {
            let from = i.saturating_mul(lengths.step);
            figure::Bin { from, to: from.saturating_add(lengths.step).saturating_sub(1), count }
        };
        let limit = run.run.settings.get("max_tokens").and_then(toml::Value::as_integer).and_then(|n| usize::try_from(n).ok());
        add("lengths", figure::length_histogram(&lengths.counts.iter().enumerate().map(bin).collect::<Vec<_>>(), limit, lang))?;
    }
    if run.events.iter().any(|e| matches!(e, Event::Step { .. } | Event::Evaluation { .. })) {
        add("loss", figure::loss_curve(&run.events, lang))?;
    }
    if run.events.iter().any(|e| matches!(e, Event::Step { .. })) {
        for quantity in figure::Quantity::ALL {
            add(quantity.name(), figure::quantity(&run.events, quantity, lang))?;
        }
    }
    Ok(out)
}

pub(crate) fn split<'a>(name: &'a str, words: &'static Words) -> std::borrow::Cow<'a, str> {
    match name {
        "test" => words.split_test.into(),
        "validation" => words.split_validation.into(),
        "train" => words.split_train.into(),
        "schema" => words.split_schema.into(),
        "json_schema" => words.split_json_schema.into(),
        "seed" => words.split_seed.into(),
        "database" => words.split_database.into(),
        CHANGED => words.split_changes.into(),
        other => clean(other, NAME_CHARS).into(),
    }
}

pub(crate) fn task(name: &str, words: &Words) -> String {
    match name {
        "intent" => words.task_intent.into(),
        "entities" => words.task_entities.into(),
        "sql" => words.task_sql.into(),
        "hashtags" => words.task_hashtags.into(),
        "custom" => words.task_custom.into(),
        other => clean(other, NAME_CHARS),
    }
}

pub(crate) fn method(name: &str, words: &Words) -> String {
    match name {
        "completion" => words.method_completion.into(),
        "head" => words.method_head.into(),
        "tagging" => words.method_tagging.into(),
        "full" => words.method_full.into(),
        ELSEWHERE => words.method_elsewhere.into(),
        other => clean(other, NAME_CHARS),
    }
}

/// The language of a data set, by its code; a code of another language than those of the program stays as it is.
fn language(code: &str, words: &Words) -> String {
    match code {
        "en" => words.english.into(),
        "it" => words.italian.into(),
        other => clean(other, NAME_CHARS),
    }
}

/// A point in time as people write it: `2026-07-01 10:20 UTC`. What is not RFC 3339 stays as it is.
pub(crate) fn moment(rfc3339: &str) -> String {
    let bytes = rfc3339.as_bytes();
    let plain = rfc3339.is_ascii() && bytes.len() >= 20 && bytes[10] == b'T' && bytes[13] == b':' && rfc3339.ends_with('Z');
    if plain { format!("{} {} UTC", &rfc3339[..10], &rfc3339[11..16]) } else { clean(rfc3339, 40) }
}

/// A file as a report names it: as a person named it, but of a path that begins at the root only the folder and the name, and of one
/// in the folder of a person the name alone. A report is handed over, and where its author keeps files is nobody's business; which
/// file is meant, its hash says.
fn without_home(path: &str) -> &str {
    let separators = ['/', '\\'];
    if !path.starts_with(separators) && path.get(1..2) != Some(":") {
        return path;
    }
    let mut ends = path.trim_end_matches(separators).rmatch_indices(separators).map(|(at, _)| at);
    let told = match (ends.next(), ends.next()) {
        (Some(name), Some(folder)) if ["home", "Users"].iter().any(|people| path[..folder].ends_with(people)) => &path[name + 1..],
        (_, Some(folder)) => &path[folder + 1..],
        _ => path.trim_start_matches(separators),
    };
    // the root itself
    if told.is_empty() { path } else { told }
}

/// A command as a report tells it: each path in it as [`without_home`] has it.
fn command_without_home(command: &str) -> String {
    let mut out = String::with_capacity(command.len());
    let mut rest = command;
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        // a word ends at a blank, or at the mark in which it began
        let quoted = ['"', '\''].contains(&first);
        let (mark, body) = rest.split_at(usize::from(quoted));
        let word = &body[..body.find(|c: char| if quoted { c == first } else { c.is_whitespace() }).unwrap_or(body.len())];
        let (flag, value) = if word.starts_with("--") { word.split_at(word.find('=').map_or(word.len(), |at| at + 1)) } else { ("", word) };
        out.extend([mark, flag, without_home(value)]);
        rest = &body[word.len()..];
        // the mark at the end begins no other word
        if let Some(after) = rest.strip_prefix(first).filter(|_| quoted) {
            out.push(first);
            rest = after;
        }
    }
    out
}

/// The model of a run as a report names it: its name in the library, or its file as [`without_home`] has it.
pub(crate) fn model_name(run: &Run) -> String {
    clean(without_home(&run.run.model.name), NAME_CHARS)
}

/// A table of the first [`LISTED`] of its rows, and a note where there are more.
pub(crate) fn listed(name: &'static str, caption: Option<&str>, columns: Vec<Column>, rows: impl ExactSizeIterator<Item = Row>, lang: Lang) -> Vec<Block> {
    let total = rows.len();
    let rows = rows.take(LISTED).collect();
    let mut blocks = vec![Block::Table(Table { name, caption: caption.map(Into::into), columns, titled: true, rows })];
    if total > LISTED {
        let counts = [LISTED, total].map(|count| lang.integer(count as u64));
        let text = fill(lang.words().listed_more, &[("shown", &counts[0]), ("total", &counts[1])]);
        blocks.push(Block::Paragraph { text: plain(text), role: Role::Note });
    }
    blocks
}

/// `a`, `a and b`, `a, b and c`.
fn enumerated(names: &[String], and: &str) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => format!("{}{and}{last}", first.join(", ")),
        few => few.concat(),
    }
}

/// That these systems were asked about a part of the examples alone: so many of so many.
pub(crate) fn sampled(lang: Lang, [asked, of]: [usize; 2], systems: &[String]) -> String {
    let words = lang.words();
    let (asked, of) = (lang.integer(asked as u64), lang.integer(of as u64));
    fill(words.sampled, &[("asked", &asked), ("examples", &of), ("systems", &enumerated(systems, words.and))])
}

/// The last step that a run speaks of.
fn last_step(run: &Run) -> usize {
    let step = |e: &Event| match e {
        Event::Step { step, .. } | Event::Completed { step, .. } | Event::Failed { step, .. } | Event::Paused { step, .. } => Some(*step),
        _ => None,
    };
    run.events.iter().rev().find_map(step).unwrap_or(run.result.train.steps)
}

/// Steps that were planned, if the run got as far as saying so.
fn planned(run: &Run) -> Option<usize> {
    run.events.iter().rev().find_map(|e| if let Event::Started { steps, .. } = e { Some(*steps) } else { None })
}

/// How a run ended, if it did not complete; a failed one with the symptoms that the health guard saw.
pub(crate) fn ending(run: &Run, lang: Lang) -> Option<Banner> {
    let (words, result) = (lang.words(), &run.result);
    let step = lang.integer(last_step(run) as u64);
    match result.status.as_str() {
        "completed" if result.error.is_none() => None,
        "stopped" if result.error.is_none() => {
            let text = match planned(run) {
                Some(planned) => fill(words.status_stopped_planned, &[("step", &step), ("planned", &lang.integer(planned as u64))]),
                None => fill(words.status_stopped_text, &[("step", &step)]),
            };
            Some(Banner { failed: false, title: words.status_stopped.into(), message: None, text: Some(text) })
        }
        "paused" => {
            let message = cause(run, lang).map(|cause| clean_lines(&cause, MESSAGE_CHARS));
            Some(Banner { failed: false, title: words.status_paused.into(), message, text: Some(fill(words.status_paused_text, &[("step", &step)])) })
        }
        status => {
            let cause = cause(run, lang).map(|cause| clean_lines(&cause, MESSAGE_CHARS));
            let title = if status == "failed" { words.status_failed.to_string() } else { fill(words.status_other, &[("status", &clean(status, 40))]) };
            let mut text = Vec::new();
            if cause.is_none() {
                text.push(words.status_failed_no_cause.to_string());
            }
            // the first thing that went wrong says more than the last
            let mut symptoms = figure::marks(&run.events, lang).into_iter().filter(|m| m.kind == MarkKind::Unhealthy);
            if let Some(first) = symptoms.next() {
                let (at, message) = (lang.integer(first.step as u64), clean(&first.message, TEXT_CHARS));
                // what ended the run stands above already
                if cause.as_deref() != Some(message.as_str()) {
                    text.push(fill(words.status_failed_symptom, &[("step", &at), ("message", &message)]));
                }
                if let Some(symptom) = first.symptom {
                    let known = symptom.diagnosis(lang.into());
                    text.push(fill(words.status_failed_cause, &[("cause", known.cause), ("help", known.help)]));
                }
            }
            if status == "failed" {
                text.push(fill(words.status_failed_text, &[("step", &step)]));
            }
            Some(Banner { failed: true, title, message: cause, text: (!text.is_empty()).then(|| text.join(" ")) })
        }
    }
}

/// Why a run failed or waits, in this language where the run kept it so: in the words of the health guard if it ended the run,
/// else in those of the error.
fn cause(run: &Run, lang: Lang) -> Option<String> {
    let failed = || run.events.iter().rev().find_map(|e| if let Event::Failed { message, .. } = e { Some(message) } else { None });
    let cause = run.result.error.as_ref().or_else(failed)?;
    Some(train::event::cause(&run.events, cause, lang.into()).unwrap_or_else(|| cause.clone()))
}

/// Training examples by label, or entities by type, where they were counted. What another system learned from is not known.
fn training_counts(run: &Run) -> Option<&BTreeMap<String, usize>> {
    Some(&run.run.data.counts).filter(|counts| !counts.is_empty() && !run.is_from_elsewhere())
}

/// Calibrated probabilities of answers, and whether each was right; `None` unless all are known.
fn calibrated(predictions: &[Prediction]) -> Option<Vec<(f64, bool)>> {
    let all: Option<Vec<_>> = predictions.iter().map(|p| Some((p.calibrated.filter(|c| c.is_finite())?, p.right()))).collect();
    all.filter(|all| !all.is_empty())
}

/// Share answered and share of those right, surest answers first: one point an answer. By calibrated probabilities, where
/// they are known.
///
/// `None` where nothing was answered or a probability is not known or no number.
fn coverage(run: &Run) -> Option<Vec<figure::Covered>> {
    let mut order = calibrated(&run.predictions).unwrap_or_else(|| run.predictions.iter().map(|p| (p.probability, p.right())).collect());
    if order.is_empty() || !run.has_probabilities() || order.iter().any(|(p, _)| !p.is_finite()) {
        return None;
    }
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut right = 0usize;
    let mut out: Vec<figure::Covered> = Vec::new();
    for (i, &(probability, is_right)) in order.iter().enumerate() {
        right += usize::from(is_right);
        let point = figure::Covered { probability, answered: i + 1, of: order.len(), right };
        // equally sure answers are taken or left together
        match out.last_mut() {
            Some(last) if last.probability == probability => *last = point,
            _ => out.push(point),
        }
    }
    Some(out)
}

/// Tells a section of a page; nothing where there is nothing to tell.
type Tell<'a> = fn(&Page<'a>) -> Option<Vec<Block>>;

/// The page, section by section.
struct Page<'a> {
    run: &'a Run,
    lang: Lang,
    words: &'static Words,
    figures: &'a [(String, Figure)],
}

impl Page<'_> {
    fn n(&self, count: usize) -> String {
        self.lang.integer(count as u64)
    }

    fn count(&self, count: usize) -> Cell {
        Cell::value(self.n(count), count)
    }

    fn percent(&self, share: f64) -> Cell {
        Cell::value(self.lang.percent(share), share)
    }

    fn interval(&self, interval: [f64; 2]) -> Cell {
        Cell::value(self.lang.percent_range(interval), serde_json::json!(interval))
    }

    /// A figure, if it was drawn.
    fn drawn(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|(n, _)| n == name).map(|(_, figure)| figure)
    }

    /// The same with its caption.
    fn figure(&self, name: &str, caption: impl Into<String>) -> Option<Block> {
        self.drawn(name).map(|_| Block::Figure { name: name.into(), caption: caption.into() })
    }

    /// Said first and loudly: the run did not complete.
    fn status(&self) -> Option<Banner> {
        ending(self.run, self.lang)
    }

    fn summary(&self) -> Option<Vec<Block>> {
        let (words, lang, run) = (self.words, self.lang, &self.run.run);
        let examples = run.data.files.get("train").map_or_else(|| "?".to_string(), |f| lang.integer(f.count));
        let device = clean(&run.device.name, NAME_CHARS);
        let seconds = self.run.result.train.seconds;
        let model = model_name(self.run);
        let data = clean(&run.data.name, NAME_CHARS);
        let how = fill(if run.method == "head" { words.by_head } else { words.by_method }, &[("method", &method(&run.method, words))]);
        let time = lang.duration(seconds);
        let (with, count) = match run.task.as_str() {
            "entities" => (words.with_types, run.data.labels.len()),
            "sql" => (words.about_tables, run.data.tables.len()),
            "intent" => (words.with_labels, run.data.labels.len()),
            _ => ("", 0),
        };
        let with = if count > 0 { fill(with, &[("count", &self.n(count))]) } else { String::new() };
        // only a training that took time took place
        let template = match seconds > 0.0 {
            _ if self.run.is_from_elsewhere() => words.summary_elsewhere,
            true => words.summary_trained,
            false => words.summary_trained_untimed,
        };
        let trained = fill(
            template,
            &[("model", &model), ("examples", &examples), ("data", &data), ("with", &with), ("how", &how), ("device", &device), ("time", &time)],
        );
        let mut blocks = Vec::new();
        if let Some(metrics) = &self.run.result.metrics {
            let split = split(&self.run.result.evaluated_on, words);
            let (name, score, interval) = metrics.headline()[0];
            blocks.push(Block::Hero {
                number: lang.percent(score),
                label: fill(words.number_label, &[("measure", &inside(measure(name, words))), ("split", &split)]),
                interval: fill(words.number_interval, &[("interval", &lang.percent_range(interval))]),
                figure: self.drawn("comparison").map(|_| "comparison".into()),
            });
        }
        let lead: Vec<String> = [Some(trained), self.rows_made(), self.edited()].into_iter().flatten().collect();
        blocks.push(Block::Paragraph { text: plain(lead.join(" ")), role: Role::Lead });
        if let Some(metrics) = &self.run.result.metrics {
            blocks.push(Block::Paragraph { text: plain(self.verdict(metrics)), role: Role::Body });
            if self.run.result.evaluated_on == "validation" {
                let trial = run.request.get("trial").and_then(toml::Value::as_bool) == Some(true);
                let said = if trial { words.summary_trial } else { words.summary_validation };
                blocks.push(Block::Paragraph { text: plain(said), role: Role::Note });
            }
        }
        Some(blocks)
    }

    /// That the data was changed before the run, and how often; nothing if it is as its files are.
    fn edited(&self) -> Option<String> {
        let count = self.run.run.data.files.get(CHANGED).map(|file| file.count).filter(|count| *count > 0)?;
        Some(fill(self.words.summary_edited, &[("count", &self.lang.integer(count))]))
    }

    /// What the training rows were, where the recipe made more of them than there are examples.
    fn rows_made(&self) -> Option<String> {
        let (words, run) = (self.words, &self.run.run);
        let rows = self.run.events.iter().rev().find_map(|e| if let Event::Started { examples, .. } = e { Some(*examples) } else { None })?;
        if rows as u64 <= run.data.files.get("train")?.count {
            return None;
        }
        let asked = |setting: &str| run.settings.get(setting).and_then(toml::Value::as_integer).is_some_and(|n| n > 0);
        let mut made = Vec::new();
        made.extend(asked("grow").then_some(words.rows_grown));
        made.extend((asked("compose") && run.task == "sql").then_some(words.rows_composed));
        if made.is_empty() {
            made.push(words.rows_made);
        }
        let parts: Vec<String> = [words.rows_own].into_iter().chain(made).map(String::from).collect();
        Some(fill(words.summary_rows, &[("rows", &self.n(rows)), ("made", &enumerated(&parts, words.and))]))
    }

    /// What the score is worth beside what was measured for comparison.
    ///
    /// "Above" and "below" are said only where the 95 % intervals do not touch.
    fn verdict(&self, metrics: &Metrics) -> String {
        let (words, lang, result) = (self.words, self.lang, &self.run.result);
        let (_, score, [low, high]) = metrics.headline()[0];
        let (template, more) = match metrics {
            Metrics::Classes(_) => (words.summary_accuracy, Vec::new()),
            Metrics::Entities(m) => (words.summary_entities, vec![("recall", m.recall), ("precision", m.precision)]),
            Metrics::Sql(m) => (words.summary_sql, vec![("valid", m.valid_sql)]),
            Metrics::Tags(m) => (words.summary_tags, vec![("hit", m.at_least_one_hit)]),
            Metrics::Text(m) => (words.summary_text, vec![("chrf", m.chrf)]),
        };
        let mut values = vec![
            ("accuracy", lang.percent(score)),
            ("score", lang.percent(score)),
            ("examples", self.n(metrics.examples())),
            ("split", split(&result.evaluated_on, words).into_owned()),
            ("interval", lang.percent_range([low, high])),
        ];
        values.extend(more.into_iter().map(|(name, share)| (name, lang.percent(share))));
        let mut text = vec![fill(template, &values.iter().map(|(n, v)| (*n, v.as_str())).collect::<Vec<_>>())];
        for (name, template) in [
            ("majority", same(&self.run.run.task, words)[2]),
            ("gazetteer", words.summary_gazetteer),
            ("nearest", words.summary_nearest),
            ("untuned", words.summary_untuned),
            ("few_shot", words.summary_few_shot),
            ("tf_idf_logistic", words.summary_tf_idf),
        ] {
            if let Some((_, scores)) = self.baselines().find(|(n, _)| *n == name) {
                text.push(fill(template, &[("accuracy", &lang.percent(scores.main()))]));
            }
        }
        text.extend(self.sampled());
        let (mut above, mut below, mut unclear) = (Vec::new(), Vec::new(), Vec::new());
        for (name, scores) in self.baselines() {
            let (name, (_, _, other)) = (self.article(name), scores.headline()[0]);
            match () {
                () if low > other[1] => above.push(name),
                () if high < other[0] => below.push(name),
                () => unclear.push(name),
            }
        }
        for (others, template) in [(above, words.summary_better), (below, words.summary_worse), (unclear, words.summary_unclear)] {
            if !others.is_empty() {
                text.push(fill(template, &[("others", &enumerated(&others, words.and))]));
            }
        }
        let scores = by_label(metrics).unwrap_or_default();
        let mut classes: Vec<_> = scores.iter().filter(|(_, c)| c.support > 0).collect();
        classes.sort_by(|a, b| a.1.f1.total_cmp(&b.1.f1));
        if let (Some((weak, w)), Some((strong, s))) = (classes.first(), classes.last())
            && w.f1 < s.f1
        {
            let template = if matches!(metrics, Metrics::Entities(_)) { words.summary_weakest_type } else { words.summary_weakest };
            let (weak, strong) = (clean(weak, NAME_CHARS), clean(strong, NAME_CHARS));
            text.push(fill(template, &[("label", &weak), ("f1", &lang.percent(w.f1)), ("best", &strong), ("best_f1", &lang.percent(s.f1))]));
        }
        text.join(" ")
    }

    /// What the model is held against, by name; only what was scored in the same way.
    fn baselines(&self) -> impl Iterator<Item = (&str, &Metrics)> {
        let kind = self.run.result.metrics.as_ref().map(std::mem::discriminant);
        self.run.baselines().filter(move |(_, m)| Some(std::mem::discriminant(*m)) == kind)
    }

    /// What was asked about a part of the examples alone, and about how many.
    fn sampled(&self) -> Option<String> {
        let of = self.run.result.metrics.as_ref()?.examples();
        let mut parts: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (name, scores) in self.baselines().filter(|(_, scores)| scores.examples() < of) {
            parts.entry(scores.examples()).or_default().push(self.article(name));
        }
        let said = parts.into_iter().map(|(asked, systems)| sampled(self.lang, [asked, of], &systems));
        Some(said.collect::<Vec<_>>().join(" ")).filter(|said| !said.is_empty())
    }

    fn article(&self, name: &str) -> String {
        article(name, &self.run.run.task, self.lang)
    }

    fn confusion(&self) -> Option<Vec<Block>> {
        let words = self.words;
        let confusion = &self.run.result.classes()?.confusion;
        let pairs = figure::pairs(confusion);
        let name = |i: usize| confusion.labels.get(i).map(String::as_str).unwrap_or_default();
        let mut blocks: Vec<Block> = self.figure("confusion", words.confusion_caption).into_iter().collect();
        blocks.extend(self.figure("confusion_shares", words.confusion_shares_caption));
        if !pairs.is_empty() {
            let rows = pairs.iter().take(PAIRS).map(|pair| {
                Row::new(vec![
                    Cell::foreign(name(pair.expected), NAME_CHARS),
                    match pair.answered {
                        Some(i) => Cell::foreign(name(i), NAME_CHARS),
                        None => Cell { text: vec![Span::Emphasis(words.no_label.into())], value: serde_json::Value::Null },
                    },
                    self.count(pair.count),
                    self.percent(pair.count as f64 / pair.of as f64),
                ])
            });
            blocks.push(Block::Table(Table {
                name: "pairs",
                caption: Some(fill(words.pairs_caption, &[("shown", &self.n(pairs.len().min(PAIRS))), ("total", &self.n(pairs.len()))])),
                columns: vec![
                    Column::new("expected", words.expected, Kind::Text),
                    Column::new("answered", words.answered, Kind::Text),
                    Column::new("count", words.count, Kind::Number),
                    Column::new("row_share", words.row_share, Kind::Number),
                ],
                titled: true,
                rows: rows.collect(),
            }));
        }
        Some(blocks)
    }

    fn calibration(&self) -> Option<Vec<Block>> {
        let (words, lang) = (self.words, self.lang);
        let mut blocks = Vec::new();
        if let Some(metrics) = self.run.result.classes() {
            let count: usize = metrics.reliability.iter().map(|b| b.count).sum();
            if count == 0 || !self.run.has_probabilities() {
                return None;
            }
            let confidence = metrics.reliability.iter().map(|b| b.confidence * b.count as f64).sum::<f64>() / count as f64;
            let text = fill(
                words.calibration_text,
                &[
                    ("confidence", &lang.percent(confidence)),
                    ("accuracy", &lang.percent(metrics.accuracy)),
                    ("ece", &lang.percent(metrics.expected_calibration_error)),
                    ("interval", &lang.percent_range(metrics.expected_calibration_error_ci)),
                ],
            );
            blocks.push(Block::Paragraph { text: plain(text), role: Role::Body });
            blocks.extend(self.figure("reliability", words.reliability_caption));
        } else if self.drawn("coverage").is_some() {
            let all = &self.run.predictions;
            let mean = |of: &dyn Fn(&Prediction) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
            let (confidence, accuracy) = (mean(&|p| p.probability), mean(&|p| f64::from(p.right())));
            let text = fill(words.calibration_whole, &[("confidence", &lang.percent(confidence)), ("accuracy", &lang.percent(accuracy))]);
            blocks.push(Block::Paragraph { text: plain(text), role: Role::Body });
        }
        if let Some(calibration) = &self.run.calibration {
            let said = |template: &str, a: &Agreement| {
                let (before, after, temperature) = (lang.percent(a.error), lang.percent(a.error_calibrated), lang.significant(calibration.temperature));
                fill(template, &[("examples", &self.n(a.examples)), ("temperature", &temperature), ("before", &before), ("after", &after)])
            };
            let mut text = vec![said(words.calibrated_text, &calibration.validation)];
            if let Some(test) = &calibration.test {
                text.push(said(words.calibrated_test, test));
                if test.error_calibrated >= test.error {
                    text.push(words.calibrated_worse.into());
                }
            }
            blocks.push(Block::Paragraph { text: plain(text.join(" ")), role: Role::Body });
            blocks.extend(self.figure("reliability_calibrated", words.reliability_calibrated_caption));
        }
        let chosen = self.run.calibration.as_ref().is_some_and(|c| c.threshold_on_test.is_some());
        let mut caption = vec![words.coverage_caption];
        caption.extend(calibrated(&self.run.predictions).map(|_| words.coverage_calibrated_caption));
        caption.extend(chosen.then_some(words.coverage_threshold_caption));
        blocks.extend(self.figure("coverage", caption.join(" ")));
        (!blocks.is_empty()).then_some(blocks)
    }

    fn training(&self) -> Option<Vec<Block>> {
        let (words, lang, train) = (self.words, self.lang, &self.run.result.train);
        let epochs = self.run.events.iter().rev().find_map(|e| if let Event::Step { epoch, .. } = e { Some(*epoch) } else { None });
        let steps = match planned(self.run) {
            Some(planned) if planned != train.steps => fill(words.steps_planned, &[("steps", &self.n(train.steps)), ("planned", &self.n(planned))]),
            _ => self.n(train.steps),
        };
        // zero stands for "not recorded" in all of these
        let rows: Vec<(String, Cell)> = [
            (words.time, (train.seconds > 0.0).then(|| Cell::value(lang.duration(train.seconds), train.seconds))),
            (words.first_step, train.first_step_seconds.map(|s| Cell::value(lang.duration(s), s))),
            (words.steps, (train.steps > 0).then(|| Cell::value(steps, train.steps))),
            (words.epochs, epochs.map(|e| Cell::value(lang.decimal(e, 1), e))),
            (words.tokens, (train.tokens > 0).then(|| Cell::value(lang.integer(train.tokens), train.tokens))),
            (words.supervised, (train.supervised_tokens > 0).then(|| Cell::value(lang.integer(train.supervised_tokens), train.supervised_tokens))),
            (
                words.speed,
                (train.tokens_per_second > 0.0).then(|| {
                    let speed = lang.integer(train.tokens_per_second.round() as u64);
                    Cell::value(fill(words.tokens_per_second, &[("speed", &speed)]), train.tokens_per_second)
                }),
            ),
            (words.peak_memory, (train.peak_memory_bytes > 0).then(|| Cell::value(lang.bytes(train.peak_memory_bytes), train.peak_memory_bytes))),
            (words.device_memory, train.device_memory_bytes.map(|bytes| Cell::value(lang.bytes(bytes), bytes))),
            (words.energy, train.energy_joules.map(|j| Cell::value(fill(words.watt_hours, &[("energy", &lang.significant(j / 3600.0))]), j))),
            // of a training that did not come to its end nothing but the steps and the memory is on record
            (words.final_loss, (train.steps > 0 && train.seconds > 0.0).then(|| Cell::value(lang.significant(train.final_loss), train.final_loss))),
            (words.best_step, (train.best_step > 0).then(|| self.count(train.best_step))),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.map(|v| (name.to_string(), v)))
        .collect();
        let caption = match figure::marks(&self.run.events, self.lang).is_empty() {
            true => words.loss_caption.to_string(),
            false => format!("{} {}", words.loss_caption, words.loss_caption_marks),
        };
        let mut blocks: Vec<Block> = self.figure("loss", caption).into_iter().collect();
        let drawn = |q: &figure::Quantity| self.drawn(q.name()).is_some();
        let names: Vec<String> = figure::Quantity::ALL.iter().filter(|q| drawn(q)).map(|q| q.name().to_string()).collect();
        if !names.is_empty() {
            blocks.push(Block::Gallery { names, caption: words.quantities_caption.into() });
        }
        if !rows.is_empty() {
            blocks.push(Block::Table(Table::facts("cost", Some(words.cost_caption.into()), rows)));
        }
        (!blocks.is_empty()).then_some(blocks)
    }

    fn health(&self) -> Option<Vec<Block>> {
        let words = self.words;
        let marks = figure::marks(&self.run.events, self.lang);
        let mut blocks: Vec<Block> = self.well(&marks).into_iter().collect();
        blocks.extend(self.findings(&marks));
        if marks.is_empty() {
            return (!blocks.is_empty()).then_some(blocks);
        }
        let notices = marks.iter().take(NOTICES).map(|mark| {
            let (kind, name) = match mark.kind {
                MarkKind::Warning => ("warning", words.kind_warning),
                MarkKind::Unhealthy => ("unhealthy", words.kind_unhealthy),
                MarkKind::Recovered => ("recovered", words.kind_recovered),
            };
            let label = format!("{name}, {}", fill(words.at_step, &[("step", &self.n(mark.step))]));
            Notice { kind, label, text: foreign(&mark.message, TEXT_CHARS) }
        });
        blocks.push(Block::Notices { notices: notices.collect() });
        if marks.len() > NOTICES {
            let text = plain(fill(words.health_more, &[("count", &self.n(marks.len() - NOTICES))]));
            blocks.push(Block::Paragraph { text, role: Role::Note });
        }
        Some(blocks)
    }

    /// That the health guard found nothing, where it looked at every step of a training that came to its end.
    fn well(&self, marks: &[figure::Mark]) -> Option<Block> {
        let steps = self.run.events.iter().filter_map(|e| if let Event::Step { loss, .. } = e { Some(loss) } else { None });
        let (count, finite) = steps.fold((0usize, true), |(count, finite), loss| (count + 1, finite && loss.is_finite()));
        let ended = matches!(self.run.result.status.as_str(), "completed" | "stopped") && self.run.result.error.is_none();
        let quiet = ended && count > 0 && finite && marks.iter().all(|m| m.kind == MarkKind::Warning);
        quiet.then(|| Block::Paragraph { text: plain(fill(self.words.health_well, &[("steps", &self.n(count))])), role: Role::Body })
    }

    /// What the health guard found, each kind once: since when, how often, what usually lies behind it and what helps.
    fn findings(&self, marks: &[figure::Mark]) -> Option<Block> {
        let words = self.words;
        let mut found: Vec<(Symptom, usize, usize)> = Vec::new();
        for mark in marks {
            let Some(symptom) = mark.symptom else { continue };
            match found.iter_mut().find(|(s, ..)| *s == symptom) {
                Some((.., times)) => *times += 1,
                None => found.push((symptom, mark.step, 1)),
            }
        }
        let row = |&(symptom, since, times): &(Symptom, usize, usize)| {
            let known = symptom.diagnosis(self.lang.into());
            let key = serde_json::to_value(symptom).unwrap_or_default();
            Row::new(vec![
                Cell { text: plain(known.name), value: key },
                Cell::value(self.n(since), since),
                self.count(times),
                Cell::plain(known.cause),
                Cell::plain(known.help),
            ])
        };
        (!found.is_empty()).then(|| {
            Block::Table(Table {
                name: "findings",
                caption: Some(words.findings_caption.into()),
                columns: vec![
                    Column::new("symptom", words.symptom, Kind::Name),
                    Column::new("since_step", words.since_step, Kind::Number),
                    Column::new("times", words.times, Kind::Number),
                    Column::new("likely_cause", words.likely_cause, Kind::Text),
                    Column::new("what_helps", words.what_helps, Kind::Text),
                ],
                titled: true,
                rows: found.iter().map(row).collect(),
            })
        })
    }

    /// Files with the part they played: data by split, then weights. What another system learned from is not known.
    fn files(&self) -> Vec<(String, &FileRecord, Cell)> {
        let (words, run) = (self.words, &self.run.run);
        let part = |name: &str| Split::ALL.iter().any(|split| split.name() == name);
        let played = |name: &str| !self.run.is_from_elsewhere() || !part(name) || name == self.run.result.evaluated_on;
        let examples = |count: u64| Cell::value(fill(words.examples_of, &[("count", &self.lang.integer(count))]), count);
        let bytes = |count: u64| Cell::value(self.lang.bytes(count), count);
        let changes = |count: u64| Cell::value(fill(words.changes_of, &[("count", &self.lang.integer(count))]), count);
        let data = run.data.ordered().into_iter().filter(|(name, _)| played(name));
        let mut out: Vec<_> = data
            .map(|(name, file)| {
                let amount = match name {
                    CHANGED => changes(file.count),
                    name if part(name) => examples(file.count),
                    _ => bytes(file.count),
                };
                (split(name, words).into_owned(), file, amount)
            })
            .collect();
        out.extend(run.model.files.iter().map(|f| (words.model_part.to_string(), f, bytes(f.count))));
        out
    }

    /// Files as a table.
    fn file_table(&self, name: &'static str, caption: &str, files: &[(String, &FileRecord, Cell)]) -> Option<Block> {
        let words = self.words;
        let row = |(part, file, amount): &(String, &FileRecord, Cell)| {
            Row::new(vec![Cell::plain(&**part), Cell::foreign(without_home(&file.path), NAME_CHARS), amount.clone(), Cell::code(&file.sha256, 64)])
        };
        (!files.is_empty()).then(|| {
            Block::Table(Table {
                name,
                caption: Some(caption.into()),
                columns: vec![
                    Column::new("part", words.split, Kind::Text),
                    Column::new("file", words.file, Kind::Text),
                    Column::new("amount", words.amount, Kind::Number),
                    Column::new("sha256", "SHA-256", Kind::Text),
                ],
                titled: true,
                rows: files.iter().map(row).collect(),
            })
        })
    }

    /// The model card: what was trained, whose it is, and what came of it.
    fn model(&self) -> Option<Vec<Block>> {
        let (words, lang, run) = (self.words, self.lang, &self.run.run);
        if self.run.is_from_elsewhere() {
            return None;
        }
        let trainable = self.run.events.iter().rev().find_map(|e| if let Event::Started { trainable, .. } = e { Some(*trainable) } else { None });
        let model = fill(
            words.model_value,
            &[
                ("name", &model_name(self.run)),
                ("parameters", &lang.integer(run.model.parameters)),
                ("storage", &clean(&run.model.storage, NAME_CHARS)),
                ("layers", &self.n(run.model.layers)),
                ("hidden", &self.n(run.model.hidden)),
            ],
        );
        let license = run.model.license.as_deref().unwrap_or_default();
        let facts = [
            (words.base_model, model),
            (words.model_licence, clean(license, NAME_CHARS)),
            (words.made_for, task(&run.task, words)),
            (words.data_language, language(&run.data.language, words)),
            (words.method, method(&run.method, words)),
            (words.trainable, trainable.map(|t| self.n(t)).unwrap_or_default()),
        ];
        let facts = facts.into_iter().filter(|(_, v)| !v.is_empty()).map(|(name, value)| (name.to_string(), Cell::spans(vec![Span::Foreign(value)])));
        let mut blocks = vec![Block::Table(Table::facts("model", None, facts))];
        if license.to_lowercase().contains("gemma") {
            blocks.push(Block::Paragraph { text: plain(words.gemma_terms), role: Role::Note });
        }
        let mut files = self.files();
        let files = files.split_off(files.len() - run.model.files.len());
        blocks.extend(self.file_table("model_files", words.files_caption, &files));
        let trained = self.run.result.trained.iter().map(|f| (words.trained_part.to_string(), f, Cell::value(lang.bytes(f.count), f.count)));
        blocks.extend(self.file_table("trained_files", words.trained_caption, &trained.collect::<Vec<_>>()));
        Some(blocks)
    }

    /// Whether the device computes what the processor computes; empty where nothing was recorded of it.
    fn parity(&self) -> String {
        let (words, d) = (self.words, &self.run.run.device);
        let verdict = match d.parity.as_deref() {
            None => return String::new(),
            Some("pass") => words.parity_pass.to_string(),
            Some("unfused") => words.parity_unfused.into(),
            Some("unchecked") => words.parity_unchecked.into(),
            Some(other) => clean(other, NAME_CHARS),
        };
        match &d.parity_detail {
            Some(detail) => format!("{verdict} ({})", clean(detail, TEXT_CHARS)),
            None => verdict,
        }
    }

    fn done(&self) -> Option<Vec<Block>> {
        let (words, run, elsewhere) = (self.words, &self.run.run, self.run.is_from_elsewhere());
        let d = &run.device;
        let mut device: Vec<String> =
            [&d.name, &d.id, &d.kind, &d.api, &d.driver].into_iter().filter(|s| !s.is_empty()).map(|s| clean(s, NAME_CHARS)).collect();
        // the processor is called as its kind is
        device.dedup();
        let device = device.join(", ");
        let known = |value: String| if elsewhere { String::new() } else { value };
        let facts = [
            (words.task, task(&run.task, words)),
            (words.method, method(&run.method, words)),
            (if elsewhere { words.system } else { words.model }, model_name(self.run)),
            (words.data, clean(&run.data.name, NAME_CHARS)),
            (words.device, known(device)),
            (words.parity, self.parity()),
            (words.seed, known(run.seed.to_string())),
            (words.started, moment(&run.started)),
            (words.version, clean(&run.version, NAME_CHARS)),
        ];
        let facts = facts.into_iter().filter(|(_, v)| !v.is_empty()).map(|(name, value)| (name.to_string(), Cell::spans(vec![Span::Foreign(value)])));
        let mut blocks = vec![Block::Table(Table::facts("done", None, facts))];
        let settings = settings(&run.settings);
        if !settings.is_empty() {
            // as a recipe has them, so that they can be copied
            let rows = settings.iter().map(|(name, value)| Row::new(vec![Cell::code(name, NAME_CHARS), Cell::code(value, TEXT_CHARS)]));
            let columns = vec![Column::new("name", words.setting, Kind::Name), Column::new("value", words.value, Kind::Text)];
            blocks.extend(listed("settings", Some(words.settings_caption), columns, rows, self.lang));
        }
        Some(blocks)
    }

    /// The data card: what the set is, whose it is, and what it holds.
    fn data(&self) -> Option<Vec<Block>> {
        let (words, data) = (self.words, &self.run.run.data);
        let listed = |names: Vec<&str>| {
            let all = names.iter().take(LISTED).map(|l| clean(l, NAME_CHARS)).collect::<Vec<_>>().join(", ");
            let more = names.len().saturating_sub(LISTED);
            let all = if more == 0 { all } else { fill(words.and_more, &[("names", &all), ("count", &self.n(more))]) };
            if names.is_empty() { String::new() } else { format!("{}: {all}", self.n(names.len())) }
        };
        let (title, labels) = match self.run.run.task.as_str() {
            "sql" => (words.tables, data.tables.iter().map(|t| t.name.as_str()).collect()),
            "entities" => (words.types, data.labels.iter().map(String::as_str).collect()),
            _ => (words.labels, data.labels.iter().map(String::as_str).collect::<Vec<_>>()),
        };
        let labels = listed(labels);
        let told = [(words.description, paragraphs(&data.description)), (words.how_it_was_made, paragraphs(&data.how_it_was_made))];
        let short = told.each_ref().map(|(name, all)| (*name, if let [only] = all.as_slice() { only.clone() } else { String::new() }));
        let facts = [
            (words.data, clean(&data.name, NAME_CHARS)),
            (words.licence, clean(&data.license, NAME_CHARS)),
            (words.data_language, language(&data.language, words)),
            (title, labels),
        ];
        let facts: Vec<(String, Cell)> = facts
            .into_iter()
            .chain(short)
            .filter(|(_, v)| !v.is_empty())
            .map(|(name, value)| (name.to_string(), Cell::spans(vec![Span::Foreign(value)])))
            .collect();
        let mut files = self.files();
        files.truncate(files.len() - self.run.run.model.files.len());
        let mut blocks = Vec::new();
        if !facts.is_empty() {
            blocks.push(Block::Table(Table::facts("data", None, facts)));
        }
        for (name, all) in told.into_iter().filter(|(_, all)| all.len() > 1) {
            for (i, paragraph) in all.into_iter().enumerate() {
                let mut text = if i == 0 { vec![Span::Emphasis(name.into()), Span::Plain(": ".into())] } else { Vec::new() };
                text.push(Span::Foreign(paragraph));
                blocks.push(Block::Paragraph { text, role: Role::Body });
            }
        }
        blocks.extend(self.file_table("files", words.files_caption, &files));
        if let Some(edited) = self.edited() {
            blocks.push(Block::Paragraph { text: plain(format!("{edited} {}", words.files_edited)), role: Role::Body });
        }
        if data.labels.len() <= DRAWN {
            let entities = self.run.run.task == "entities";
            let training = if entities { words.types_balance_training_caption } else { words.balance_training_caption };
            blocks.extend(self.figure("balance_training", training));
            blocks.extend(self.figure("balance", if entities { words.types_balance_caption } else { words.balance_caption }));
        }
        // a limit that is too far from the lengths to be drawn is told
        let far = self.drawn("lengths").filter(|figure| figure.data["limit_drawn"] == false).and_then(|figure| figure.data["limit"].as_u64());
        let limit = far.map(|limit| fill(words.alt_lengths_limit, &[("limit", &self.lang.integer(limit))]));
        let caption: Vec<&str> = [Some(words.lengths_caption), limit.as_deref()].into_iter().flatten().collect();
        blocks.extend(self.figure("lengths", caption.join(" ")));
        (!blocks.is_empty()).then_some(blocks)
    }

    fn reproduce(&self) -> Option<Vec<Block>> {
        let (words, run) = (self.words, &self.run.run);
        if run.command.is_empty() || self.run.is_from_elsewhere() {
            return None;
        }
        let intro = fill(words.reproduce_text, &[("version", &clean(&run.version, 40))]);
        let mut blocks = vec![Block::Paragraph { text: plain(intro), role: Role::Body }];
        blocks.extend(typed(&run.command, words));
        if self.edited().is_some() && !self.run.with_data {
            blocks.push(Block::Paragraph { text: plain(format!("{} {}", words.reproduce_edited, words.reproduce_packed)), role: Role::Body });
        }
        blocks.extend(sums(self.files().iter().map(|(_, file, _)| *file), words));
        let (folder, place) = match self.run.path.file_name().filter(|_| self.run.path.is_absolute()) {
            Some(name) => (Path::new(name), words.reproduce_beside),
            None => (self.run.path.as_path(), ""),
        };
        if let Some(command) = run.repeated_in(folder).filter(|_| self.run.with_data) {
            blocks.push(Block::Paragraph { text: plain(fill(words.reproduce_unpacked, &[("where", place)])), role: Role::Body });
            blocks.push(Block::Code { text: clean_lines(&command_without_home(&command), MESSAGE_CHARS) });
        }
        Some(blocks)
    }

    /// How to cite the program; and the model as its makers ask, where its name says whose it is.
    fn cite(&self) -> Option<Vec<Block>> {
        let run = &self.run.run;
        let year = run.started.get(..4).filter(|y| y.bytes().all(|b| b.is_ascii_digit()));
        // braces and backslashes would act in BibTeX
        let bib = |text: &str| clean(text, NAME_CHARS).replace(['{', '}', '\\', '"', '%', '#', '$', '&', '~', '^', '@'], " ").replace('_', "\\_");
        let mut text = format!("@software{{lapidary,\n  title = {{Lapidary}},\n  version = {{{}}}", bib(&run.version));
        if let Some(year) = year {
            text += &format!(",\n  year = {{{year}}}");
        }
        text += &format!(",\n  note = {{{}: {}, {}}}\n}}", bib(&run.task), bib(&run.data.name), bib(without_home(&run.model.name)));
        if run.model.name.to_lowercase().contains("gemma-3") {
            text += "\n\n@misc{gemma3,\n  title = {Gemma 3 Technical Report},\n  author = {{Gemma Team}},\n  year = {2025},\n  eprint = {2503.19786},\n  \
                     archivePrefix = {arXiv}\n}";
        }
        Some(vec![Block::Code { text }])
    }
}

/// A command to be copied.
pub(crate) fn typed(command: &str, words: &Words) -> Vec<Block> {
    let told = command_without_home(command);
    let mut blocks = vec![Block::Code { text: clean_lines(&told, MESSAGE_CHARS) }];
    if told != command {
        blocks.push(Block::Paragraph { text: plain(words.reproduce_shortened), role: Role::Note });
    }
    blocks
}

/// The hashes of files, to be checked by sha256sum; nothing where none is known.
pub(crate) fn sums<'a>(files: impl Iterator<Item = &'a FileRecord>, words: &Words) -> Vec<Block> {
    let known = files.filter(|file| !file.sha256.is_empty());
    let sums: Vec<String> = known.map(|file| format!("{}  {}", clean(&file.sha256, 64), clean(without_home(&file.path), 1000))).collect();
    if sums.is_empty() {
        return Vec::new();
    }
    vec![Block::Paragraph { text: plain(words.reproduce_hashes), role: Role::Body }, Block::Code { text: sums.join("\n") }]
}

/// The paragraphs of a text in a data set's card, whose lines break where they like: one begins behind an empty line, with the mark
/// of a list, and where lines stand further left than before. At most [`CARD_CHARS`] characters of all of them.
fn paragraphs(text: &str) -> Vec<String> {
    let mut whole: Vec<String> = Vec::new();
    let (mut indent, mut begins) = (0, true);
    for line in text.lines() {
        let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if words.is_empty() {
            begins = true;
            continue;
        }
        let own = line.len() - line.trim_start().len();
        begins |= own < indent || words.starts_with("- ") || words.starts_with("* ");
        match whole.last_mut().filter(|_| !begins) {
            Some(last) => *last += &format!(" {words}"),
            None => whole.push(words),
        }
        (indent, begins) = (own, false);
    }
    let mut left = CARD_CHARS;
    let cut = |paragraph: String| {
        let told = (left > 0).then(|| clean(&paragraph, left));
        left = left.saturating_sub(paragraph.chars().count());
        told
    };
    whole.into_iter().map_while(cut).collect()
}

/// Settings by dotted name, values as TOML writes them.
pub(crate) fn settings(table: &toml::Table) -> Vec<(String, String)> {
    fn walk(prefix: &str, table: &toml::Table, out: &mut Vec<(String, String)>) {
        for (key, value) in table {
            let name = if prefix.is_empty() { clean(key, NAME_CHARS) } else { format!("{prefix}.{}", clean(key, NAME_CHARS)) };
            match value {
                toml::Value::Table(inner) => walk(&name, inner, out),
                toml::Value::String(text) => out.push((name, clean(text, TEXT_CHARS))),
                other => out.push((name, clean(&other.to_string(), TEXT_CHARS))),
            }
        }
    }
    let mut out = Vec::new();
    walk("", table, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_card_says_keeps_its_paragraphs() {
        assert_eq!(paragraphs("Messages of\ncustomers.\n"), ["Messages of customers."]);
        let card = "One\ntwo.\n\n  people  Names\n          of them.\n  places  Streets.\n\nRules:\n- a\n  b\n- c\n \n";
        assert_eq!(paragraphs(card), ["One two.", "people Names of them.", "places Streets.", "Rules:", "- a b", "- c"]);
        assert!(paragraphs(" \n\n").is_empty());
        // long ones are cut, all of them together
        let long = format!("{}\n\n{}\n\nunseen", "x".repeat(CARD_CHARS - 10), "y".repeat(100));
        let told = paragraphs(&long);
        assert_eq!((told.len(), told[1].as_str()), (2, "yyyyyyyyyy…"));
        assert_eq!(paragraphs(&"è\n\n".repeat(100_000)).len(), CARD_CHARS);
    }
}
