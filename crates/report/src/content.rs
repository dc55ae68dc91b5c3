//! The report of one run: its files, told as a [`Document`].
//!
//! [`run`] tells what the run folder holds and leaves out what was not measured; sentences that judge
//! ("above", "not settled", "good for") follow from stated rules on the numbers beside them. Everything
//! that came from data, models or the command line passes through [`clean`] first.

use crate::document::{Banner, Block, Cell, Column, Document, Kind, Notice, Role, Row, Section, Span, Table, Text, foreign, plain};
use crate::figure::{self, Compared, Figure, MarkKind};
use crate::record::{FileRecord, Prediction, Run};
use crate::text::{Lang, Words, clean, clean_lines, fill};
use tasks::{Classification, Metrics};
use train::Event;

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
/// Characters of an error message.
const MESSAGE_CHARS: usize = 4000;
/// Labels and settings that are listed.
const LISTED: usize = 400;
/// Labels up to which a picture says more than the bars of the table; with more it would fill pages.
const DRAWN: usize = 40;
/// Labels that a sentence names.
const NAMED: usize = 12;

/// The rules behind "what it is good for".
mod rule {
    /// From this F1 on a label is called reliable.
    pub const RELIABLE: f64 = 0.8;
    /// Below this F1 it is called unreliable.
    pub const UNRELIABLE: f64 = 0.5;
    /// With fewer examples nothing is said about a label.
    pub const EXAMPLES: usize = 10;
    /// Above this calibration error probabilities are not to be taken at their word.
    pub const CALIBRATION: f64 = 0.1;
    /// The accuracy that answers above a threshold should reach.
    pub const ACCURACY: f64 = 0.9;
    /// Fewer answers than this above a threshold prove nothing.
    pub const ANSWERS: usize = 20;
}

/// The report of a run.
pub fn run(run: &Run, lang: Lang) -> Document {
    let figures = figures(run, lang);
    let words = lang.words();
    let page = Page { run, lang, words, figures: &figures };
    let sections: Vec<Section> = [
        ("summary", words.summary_heading, page.summary()),
        ("results", words.results_heading, page.results()),
        ("classes", words.classes_heading, page.classes()),
        ("confusion", words.confusion_heading, page.confusion()),
        ("mistakes", words.mistakes_heading, page.mistakes()),
        ("calibration", words.calibration_heading, page.calibration()),
        ("use", words.use_heading, page.good_for()),
        ("training", words.training_heading, page.training()),
        ("health", words.health_heading, page.health()),
        ("done", words.done_heading, page.done()),
        ("data", words.data_heading, page.data()),
        ("reproduce", words.reproduce_heading, page.reproduce()),
        ("cite", words.cite_heading, page.cite()),
    ]
    .into_iter()
    .filter_map(|(id, heading, blocks)| blocks.map(|blocks| Section { id, heading: heading.into(), blocks }))
    .collect();
    let file = &run.run;
    let version = clean(&file.version, 40);
    let mut heading = plain(format!("{}: ", task(&file.task, words)));
    heading.extend(foreign(&file.data.name, NAME_CHARS));
    let mut subtitle = foreign(&file.model.name, NAME_CHARS);
    subtitle.push(Span::Plain(" · ".into()));
    subtitle.extend(foreign(&file.device.name, NAME_CHARS));
    Document {
        lang,
        title: fill(words.title, &[("task", &task(&file.task, words)), ("data", &clean(&file.data.name, NAME_CHARS))]),
        kicker: format!("{} · {}", words.kicker, moment(&file.started)),
        heading,
        subtitle,
        banners: page.status().into_iter().collect(),
        sections,
        footer: fill(words.footer, &[("version", &version)]),
        generator: format!("Lapidary {version}"),
        figures: figures.clone(),
    }
}

/// The figures of a run by file name without ending, in the order of the report; only those with values.
pub fn figures(run: &Run, lang: Lang) -> Vec<(String, Figure)> {
    let mut out = Vec::new();
    let mut add = |name: &str, figure| out.push((name.to_string(), figure));
    let systems = systems(run, lang.words());
    if systems.len() > 1 {
        let rows: Vec<Compared> =
            systems.iter().map(|s| Compared { name: s.name.clone(), accuracy: s.scores.accuracy, interval: s.scores.accuracy_ci, main: s.main }).collect();
        add("comparison", figure::comparison(&rows, lang));
    }
    if let Some(metrics) = run.result.classes() {
        if !metrics.per_class.is_empty() {
            add("classes", figure::class_scores(metrics, lang));
            add("balance", figure::class_balance(metrics, lang));
        }
        add("confusion", figure::confusion_matrix(&metrics.confusion, lang));
        if !metrics.reliability.is_empty() {
            add("reliability", figure::reliability(&metrics.reliability, lang));
        }
    }
    if let Some(curve) = coverage(&run.predictions) {
        add("coverage", figure::coverage(&curve, lang));
    }
    if run.events.iter().any(|e| matches!(e, Event::Step { .. } | Event::Evaluation { .. })) {
        add("loss", figure::loss_curve(&run.events, lang));
    }
    if run.events.iter().any(|e| matches!(e, Event::Step { .. })) {
        for quantity in figure::Quantity::ALL {
            add(quantity.name(), figure::quantity(&run.events, quantity, lang));
        }
    }
    out
}

/// One row of the results.
struct System<'a> {
    key: &'a str,
    name: String,
    scores: &'a Classification,
    main: bool,
}

/// The model and all it was held against, in the order of the report.
fn systems<'a>(run: &'a Run, words: &Words) -> Vec<System<'a>> {
    let result = &run.result;
    let mut out = Vec::new();
    out.extend(result.classes().map(|scores| System { key: "model", name: words.this_model.into(), scores, main: true }));
    out.extend(result.metrics_free.as_ref().and_then(Metrics::classes).map(|scores| System {
        key: "model_free",
        name: words.this_model_free.into(),
        scores,
        main: false,
    }));
    // the nearer relative first
    let mut baselines: Vec<_> = result.baselines.iter().collect();
    baselines.sort_by_key(|(name, _)| (name.as_str() == "majority", name.as_str() != "untuned"));
    out.extend(
        baselines.into_iter().filter_map(|(name, scores)| Some(System { key: name, name: baseline(name, words), scores: scores.classes()?, main: false })),
    );
    out
}

fn baseline(name: &str, words: &Words) -> String {
    match name {
        "majority" => words.majority.into(),
        "untuned" => words.untuned.into(),
        "tf_idf_logistic" => words.tf_idf_logistic.into(),
        other => clean(other, NAME_CHARS),
    }
}

pub(crate) fn split<'a>(name: &'a str, words: &'static Words) -> std::borrow::Cow<'a, str> {
    match name {
        "test" => words.split_test.into(),
        "validation" => words.split_validation.into(),
        "train" => words.split_train.into(),
        other => clean(other, NAME_CHARS).into(),
    }
}

pub(crate) fn task(name: &str, words: &Words) -> String {
    match name {
        "intent" => words.task_intent.into(),
        "entities" => words.task_entities.into(),
        "sql" => words.task_sql.into(),
        "hashtags" => words.task_hashtags.into(),
        other => clean(other, NAME_CHARS),
    }
}

pub(crate) fn method(name: &str, words: &Words) -> String {
    match name {
        "completion" => words.method_completion.into(),
        "head" => words.method_head.into(),
        "tagging" => words.method_tagging.into(),
        other => clean(other, NAME_CHARS),
    }
}

/// A point in time as people write it: `2026-07-01 10:20 UTC`. What is not RFC 3339 stays as it is.
pub(crate) fn moment(rfc3339: &str) -> String {
    let bytes = rfc3339.as_bytes();
    let plain = rfc3339.is_ascii() && bytes.len() >= 20 && bytes[10] == b'T' && bytes[13] == b':' && rfc3339.ends_with('Z');
    if plain { format!("{} {} UTC", &rfc3339[..10], &rfc3339[11..16]) } else { clean(rfc3339, 40) }
}

/// The last step that a run speaks of.
fn last_step(run: &Run) -> usize {
    let step = |e: &Event| match e {
        Event::Step { step, .. } | Event::Completed { step, .. } | Event::Failed { step, .. } => Some(*step),
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
        status => {
            let failed = run.events.iter().rev().find_map(|e| if let Event::Failed { message, .. } = e { Some(message) } else { None });
            let cause = result.error.as_ref().or(failed).map(|cause| clean_lines(cause, MESSAGE_CHARS));
            let title = if status == "failed" { words.status_failed.to_string() } else { fill(words.status_other, &[("status", &clean(status, 40))]) };
            let mut text = Vec::new();
            if cause.is_none() {
                text.push(words.status_failed_no_cause.to_string());
            }
            // the first thing that went wrong says more than the last
            let mut symptoms = figure::marks(&run.events, lang).into_iter().filter(|m| m.kind == MarkKind::Unhealthy);
            if let Some(first) = symptoms.next() {
                let (at, message) = (lang.integer(first.step as u64), clean(&first.message, TEXT_CHARS));
                text.push(fill(words.status_failed_symptom, &[("step", &at), ("message", &message)]));
            }
            if status == "failed" {
                text.push(fill(words.status_failed_text, &[("step", &step)]));
            }
            Some(Banner { failed: true, title, message: cause, text: (!text.is_empty()).then(|| text.join(" ")) })
        }
    }
}

/// Share answered and share of those right, surest answers first: one point an answer.
///
/// `None` where nothing was answered or a probability is no number.
fn coverage(predictions: &[Prediction]) -> Option<Vec<figure::Covered>> {
    let mut order: Vec<&Prediction> = predictions.iter().collect();
    if order.is_empty() || order.iter().any(|p| !p.probability.is_finite()) {
        return None;
    }
    order.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    let mut right = 0usize;
    let mut out: Vec<figure::Covered> = Vec::new();
    for (i, p) in order.iter().enumerate() {
        right += usize::from(p.answer.as_deref() == Some(p.expected.as_str()));
        let point = figure::Covered { probability: p.probability, answered: i + 1, of: order.len(), right };
        // equally sure answers are taken or left together
        match out.last_mut() {
            Some(last) if last.probability == p.probability => *last = point,
            _ => out.push(point),
        }
    }
    Some(out)
}

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

    /// A figure with its caption, if it was drawn.
    fn figure(&self, name: &str, caption: impl Into<String>) -> Option<Block> {
        self.figures.iter().any(|(n, _)| n == name).then(|| Block::Figure { name: name.into(), caption: caption.into() })
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
        let model = clean(&run.model.name, NAME_CHARS);
        let data = clean(&run.data.name, NAME_CHARS);
        let (labels, method, time) = (self.n(run.data.labels.len()), method(&run.method, words), lang.duration(seconds));
        // only a training that took time took place
        let template = if seconds > 0.0 { words.summary_trained } else { words.summary_trained_untimed };
        let trained = fill(
            template,
            &[("model", &model), ("examples", &examples), ("data", &data), ("labels", &labels), ("method", &method), ("device", &device), ("time", &time)],
        );
        let mut blocks = Vec::new();
        if let Some(metrics) = self.run.result.classes() {
            let split = split(&self.run.result.evaluated_on, words);
            blocks.push(Block::Hero {
                number: lang.percent(metrics.accuracy),
                label: fill(words.number_label, &[("split", &split)]),
                interval: fill(words.number_interval, &[("interval", &lang.percent_range(metrics.accuracy_ci))]),
                figure: self.figures.iter().any(|(n, _)| n == "comparison").then(|| "comparison".into()),
            });
        }
        blocks.push(Block::Paragraph { text: plain(trained), role: Role::Lead });
        if let Some(metrics) = self.run.result.classes() {
            blocks.push(Block::Paragraph { text: plain(self.verdict(metrics)), role: Role::Body });
            if self.run.result.evaluated_on == "validation" {
                blocks.push(Block::Paragraph { text: plain(words.summary_validation), role: Role::Note });
            }
        }
        Some(blocks)
    }

    /// What the accuracy is worth beside what was measured for comparison.
    ///
    /// "Above" and "below" are said only where the 95 % intervals do not touch.
    fn verdict(&self, metrics: &Classification) -> String {
        let (words, lang, result) = (self.words, self.lang, &self.run.result);
        let split = split(&result.evaluated_on, words);
        let mut text = vec![fill(
            words.summary_accuracy,
            &[
                ("accuracy", &lang.percent(metrics.accuracy)),
                ("examples", &self.n(metrics.examples)),
                ("split", &split),
                ("interval", &lang.percent_range(metrics.accuracy_ci)),
            ],
        )];
        for (name, template) in [("majority", words.summary_majority), ("untuned", words.summary_untuned)] {
            if let Some(scores) = result.baselines.get(name).and_then(Metrics::classes) {
                text.push(fill(template, &[("accuracy", &lang.percent(scores.accuracy))]));
            }
        }
        let (mut above, mut below, mut unclear) = (Vec::new(), Vec::new(), Vec::new());
        for (name, scores) in result.baselines.iter().filter_map(|(name, scores)| Some((name, scores.classes()?))) {
            let name = self.article(name);
            match () {
                () if metrics.accuracy_ci[0] > scores.accuracy_ci[1] => above.push(name),
                () if metrics.accuracy_ci[1] < scores.accuracy_ci[0] => below.push(name),
                () => unclear.push(name),
            }
        }
        for (others, template) in [(above, words.summary_better), (below, words.summary_worse), (unclear, words.summary_unclear)] {
            if !others.is_empty() {
                text.push(fill(template, &[("others", &others.join(words.and))]));
            }
        }
        let mut classes: Vec<_> = metrics.per_class.iter().filter(|(_, c)| c.support > 0).collect();
        classes.sort_by(|a, b| a.1.f1.total_cmp(&b.1.f1));
        if let (Some((weak, w)), Some((strong, s))) = (classes.first(), classes.last())
            && w.f1 < s.f1
        {
            let (weak, strong) = (clean(weak, NAME_CHARS), clean(strong, NAME_CHARS));
            text.push(fill(words.summary_weakest, &[("label", &weak), ("f1", &lang.percent(w.f1)), ("best", &strong), ("best_f1", &lang.percent(s.f1))]));
        }
        text.join(" ")
    }

    /// A baseline's name inside a sentence.
    fn article(&self, name: &str) -> String {
        match name {
            "majority" => self.words.the_majority.into(),
            "untuned" => self.words.the_untuned.into(),
            "tf_idf_logistic" => self.words.tf_idf_logistic.into(),
            other => clean(other, NAME_CHARS),
        }
    }

    fn results(&self) -> Option<Vec<Block>> {
        let words = self.words;
        let systems = systems(self.run, words);
        if systems.is_empty() {
            return None;
        }
        let split = split(&self.run.result.evaluated_on, words);
        let rows = systems.iter().map(|system| Row {
            main: system.main,
            cells: vec![
                Cell { text: plain(&*system.name), value: clean(system.key, NAME_CHARS).into() },
                self.percent(system.scores.accuracy),
                self.interval(system.scores.accuracy_ci),
                self.percent(system.scores.macro_f1),
                self.interval(system.scores.macro_f1_ci),
                self.count(system.scores.examples),
            ],
        });
        let table = Table {
            name: "results",
            caption: Some(fill(words.results_caption, &[("split", &split)])),
            columns: vec![
                Column::new("system", words.system, Kind::Name),
                Column::new("accuracy", words.accuracy, Kind::Number),
                Column::new("accuracy_ci", words.interval, Kind::Interval),
                Column::new("macro_f1", words.macro_f1, Kind::Number),
                Column::new("macro_f1_ci", words.interval, Kind::Interval),
                Column::new("examples", words.examples, Kind::Number),
            ],
            titled: true,
            rows: rows.collect(),
        };
        let note = if self.run.result.metrics_free.is_some() { format!("{} {}", words.results_note, words.free_note) } else { words.results_note.into() };
        Some(vec![Block::Table(table), Block::Paragraph { text: plain(note), role: Role::Note }])
    }

    fn classes(&self) -> Option<Vec<Block>> {
        let words = self.words;
        let metrics = self.run.result.classes()?;
        let mut classes: Vec<_> = metrics.per_class.iter().collect();
        if classes.is_empty() {
            return None;
        }
        classes.sort_by(|a, b| a.1.f1.total_cmp(&b.1.f1).then(b.1.support.cmp(&a.1.support)));
        let rows = classes.into_iter().take(LISTED).map(|(label, scores)| {
            Row::new(vec![
                Cell::foreign(label, NAME_CHARS),
                self.percent(scores.f1),
                self.percent(scores.precision),
                self.percent(scores.recall),
                self.count(scores.support),
            ])
        });
        let table = Table {
            name: "classes",
            caption: Some(words.classes_caption.into()),
            columns: vec![
                Column::new("label", words.label, Kind::Name),
                Column::new("f1", words.f1, Kind::Share),
                Column::new("precision", words.precision, Kind::Number),
                Column::new("recall", words.recall, Kind::Number),
                Column::new("examples", words.examples, Kind::Number),
            ],
            titled: true,
            rows: rows.collect(),
        };
        let mut blocks = vec![Block::Table(table), Block::Paragraph { text: plain(words.classes_note), role: Role::Note }];
        if metrics.per_class.len() <= DRAWN {
            blocks.extend(self.figure("classes", words.class_scores_caption));
        }
        Some(blocks)
    }

    fn confusion(&self) -> Option<Vec<Block>> {
        let words = self.words;
        let confusion = &self.run.result.classes()?.confusion;
        let pairs = figure::pairs(confusion);
        let name = |i: usize| confusion.labels.get(i).map(String::as_str).unwrap_or_default();
        let mut blocks: Vec<Block> = self.figure("confusion", words.confusion_caption).into_iter().collect();
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

    fn mistakes(&self) -> Option<Vec<Block>> {
        let (words, all) = (self.words, &self.run.predictions);
        if all.is_empty() {
            return None;
        }
        let mut wrong: Vec<&Prediction> = all.iter().filter(|p| p.answer.as_deref() != Some(p.expected.as_str())).collect();
        // a probability that is not a number is nobody's certainty
        let sure = |p: &Prediction| if p.probability.is_nan() { -1.0 } else { p.probability };
        wrong.sort_by(|a, b| sure(b).total_cmp(&sure(a)));
        let (total, whole, shown) = (self.n(wrong.len()), self.n(all.len()), self.n(wrong.len().min(MISTAKES)));
        let template = match wrong.len() {
            0 => words.mistakes_none,
            n if n > MISTAKES => words.mistakes_some,
            _ => words.mistakes_all,
        };
        let text = plain(fill(template, &[("total", &total), ("all", &whole), ("shown", &shown)]));
        let mut blocks = vec![Block::Paragraph { text, role: Role::Body }];
        if !wrong.is_empty() {
            let rows = wrong.iter().take(MISTAKES).map(|p| {
                let answer = match &p.answer {
                    Some(answer) => Cell::foreign(answer, NAME_CHARS),
                    None => {
                        let mut text = vec![Span::Emphasis(words.no_label.into()), Span::Plain(format!(", {} ", words.wrote))];
                        text.extend(foreign(&p.output, NAME_CHARS));
                        Cell::spans(text)
                    }
                };
                Row::new(vec![Cell::foreign(&p.input, TEXT_CHARS), Cell::foreign(&p.expected, NAME_CHARS), answer, self.percent(p.probability)])
            });
            blocks.push(Block::Table(Table {
                name: "mistakes",
                caption: Some(fill(words.mistakes_caption, &[("limit", &TEXT_CHARS.to_string())])),
                columns: vec![
                    Column::new("text", words.text, Kind::Quote),
                    Column::new("expected", words.expected, Kind::Text),
                    Column::new("answered", words.answered, Kind::Text),
                    Column::new("probability", words.probability, Kind::Number),
                ],
                titled: true,
                rows: rows.collect(),
            }));
        }
        Some(blocks)
    }

    fn calibration(&self) -> Option<Vec<Block>> {
        let (words, lang) = (self.words, self.lang);
        let metrics = self.run.result.classes()?;
        let count: usize = metrics.reliability.iter().map(|b| b.count).sum();
        if count == 0 {
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
        let mut blocks = vec![Block::Paragraph { text: plain(text), role: Role::Body }];
        blocks.extend(self.figure("reliability", words.reliability_caption));
        blocks.extend(self.figure("coverage", words.coverage_caption));
        Some(blocks)
    }

    /// What follows from the measured numbers for using the model; each sentence names its rule.
    fn good_for(&self) -> Option<Vec<Block>> {
        let (words, lang) = (self.words, self.lang);
        let metrics = self.run.result.classes().filter(|m| m.examples > 0)?;
        let mut items: Vec<Text> = Vec::new();
        for (name, scores) in self.run.result.baselines.iter().filter_map(|(name, scores)| Some((name, scores.classes()?))) {
            if metrics.accuracy_ci[0] <= scores.accuracy_ci[1] {
                items.push(plain(fill(words.use_no_better, &[("other", &self.article(name))])));
            }
        }
        let enough: Vec<_> = metrics.per_class.iter().filter(|(_, c)| c.support >= rule::EXAMPLES).collect();
        let labels = |keep: &dyn Fn(f64) -> bool| -> Vec<&str> { enough.iter().filter(|(_, c)| keep(c.f1)).map(|(l, _)| l.as_str()).collect() };
        let few: Vec<&str> = metrics.per_class.iter().filter(|(_, c)| c.support < rule::EXAMPLES).map(|(l, _)| l.as_str()).collect();
        let (high, low, least) = (lang.percent(rule::RELIABLE), lang.percent(rule::UNRELIABLE), self.n(rule::EXAMPLES));
        for (template, labels) in [
            (words.use_reliable, labels(&|f1| f1 >= rule::RELIABLE)),
            (words.use_check, labels(&|f1| (rule::UNRELIABLE..rule::RELIABLE).contains(&f1))),
            (words.use_unreliable, labels(&|f1| f1 < rule::UNRELIABLE)),
            (words.use_few, few),
        ] {
            if !labels.is_empty() {
                items.push(plain(fill(template, &[("labels", &self.named(&labels)), ("high", &high), ("low", &low), ("least", &least)])));
            }
        }
        if let Some(curve) = coverage(&self.run.predictions) {
            let accuracy = |p: &figure::Covered| p.right as f64 / p.answered as f64;
            let good = lang.percent(rule::ACCURACY);
            let widest = curve.iter().rfind(|p| p.answered >= rule::ANSWERS && accuracy(p) >= rule::ACCURACY);
            items.push(plain(match widest {
                Some(p) if p.answered == p.of => fill(words.use_all_answers, &[("good", &good)]),
                Some(p) => fill(
                    words.use_threshold,
                    &[
                        ("threshold", &lang.percent(p.probability)),
                        ("share", &lang.percent(p.answered as f64 / p.of as f64)),
                        ("accuracy", &lang.percent(accuracy(p))),
                        ("good", &good),
                    ],
                ),
                None => fill(words.use_no_threshold, &[("good", &good), ("answers", &self.n(rule::ANSWERS))]),
            }));
        }
        if metrics.expected_calibration_error > rule::CALIBRATION {
            let (error, limit) = (lang.percent(metrics.expected_calibration_error), lang.percent(rule::CALIBRATION));
            items.push(plain(fill(words.use_calibration, &[("error", &error), ("limit", &limit)])));
        }
        let data = clean(&self.run.run.data.name, NAME_CHARS);
        let language = clean(&self.run.run.data.language, NAME_CHARS);
        let template = if language.is_empty() { words.use_only } else { words.use_only_language };
        let examples = self.n(metrics.examples);
        items.push(plain(fill(template, &[("examples", &examples), ("data", &data), ("language", &language)])));
        Some(vec![Block::List { items }])
    }

    /// A few labels by name, and how many there are more.
    fn named(&self, labels: &[&str]) -> String {
        let names: Vec<String> = labels.iter().take(NAMED).map(|l| clean(l, 60)).collect();
        let names = names.join(", ");
        if labels.len() <= NAMED { names } else { fill(self.words.and_more, &[("names", &names), ("count", &self.n(labels.len() - NAMED))]) }
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
            (words.final_loss, (train.steps > 0).then(|| Cell::value(lang.significant(train.final_loss), train.final_loss))),
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
        let drawn = |q: &figure::Quantity| self.figures.iter().any(|(n, _)| n == q.name());
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
        if marks.is_empty() {
            return None;
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
        let mut blocks = vec![Block::Notices { notices: notices.collect() }];
        if marks.len() > NOTICES {
            let text = plain(fill(words.health_more, &[("count", &self.n(marks.len() - NOTICES))]));
            blocks.push(Block::Paragraph { text, role: Role::Note });
        }
        Some(blocks)
    }

    /// Files with the part they played: data by split, then weights.
    fn files(&self) -> Vec<(String, &FileRecord, Cell)> {
        let (words, run) = (self.words, &self.run.run);
        let order = |name: &str| ["train", "validation", "test"].iter().position(|s| *s == name).unwrap_or(3);
        let mut data: Vec<_> = run.data.files.iter().collect();
        data.sort_by_key(|(name, _)| order(name));
        let examples = |count: u64| Cell::value(fill(words.examples_of, &[("count", &self.lang.integer(count))]), count);
        let mut out: Vec<_> = data.into_iter().map(|(name, file)| (split(name, words).into_owned(), file, examples(file.count))).collect();
        out.extend(run.model.files.iter().map(|f| (words.model_part.to_string(), f, Cell::value(self.lang.bytes(f.count), f.count))));
        out
    }

    fn done(&self) -> Option<Vec<Block>> {
        let (words, lang, run) = (self.words, self.lang, &self.run.run);
        let trainable = self.run.events.iter().rev().find_map(|e| if let Event::Started { trainable, .. } = e { Some(*trainable) } else { None });
        let model = fill(
            words.model_value,
            &[
                ("name", &clean(&run.model.name, NAME_CHARS)),
                ("parameters", &lang.integer(run.model.parameters)),
                ("storage", &clean(&run.model.storage, NAME_CHARS)),
                ("layers", &self.n(run.model.layers)),
                ("hidden", &self.n(run.model.hidden)),
            ],
        );
        let d = &run.device;
        let device =
            [&d.name, &d.id, &d.kind, &d.api, &d.driver].into_iter().filter(|s| !s.is_empty()).map(|s| clean(s, NAME_CHARS)).collect::<Vec<_>>().join(", ");
        let facts = [
            (words.task, task(&run.task, words)),
            (words.method, method(&run.method, words)),
            (words.model, model),
            (words.trainable, trainable.map(|t| self.n(t)).unwrap_or_default()),
            (words.data, clean(&run.data.name, NAME_CHARS)),
            (words.device, device),
            (words.seed, run.seed.to_string()),
            (words.started, moment(&run.started)),
            (words.version, clean(&run.version, NAME_CHARS)),
        ];
        let facts = facts.into_iter().filter(|(_, v)| !v.is_empty()).map(|(name, value)| (name.to_string(), Cell::spans(vec![Span::Foreign(value)])));
        let mut blocks = vec![Block::Table(Table::facts("done", None, facts))];
        let settings = settings(&run.settings);
        if !settings.is_empty() {
            // as a recipe has them, so that they can be copied
            let rows = settings.iter().take(LISTED).map(|(name, value)| Row::new(vec![Cell::code(name, NAME_CHARS), Cell::code(value, TEXT_CHARS)]));
            blocks.push(Block::Table(Table {
                name: "settings",
                caption: Some(words.settings_caption.into()),
                columns: vec![Column::new("name", words.setting, Kind::Name), Column::new("value", words.value, Kind::Text)],
                titled: true,
                rows: rows.collect(),
            }));
        }
        Some(blocks)
    }

    /// The data card: what the set is, whose it is, and what it holds.
    fn data(&self) -> Option<Vec<Block>> {
        let (words, data) = (self.words, &self.run.run.data);
        let labels = data.labels.iter().take(LISTED).map(|l| clean(l, NAME_CHARS)).collect::<Vec<_>>().join(", ");
        let labels = if data.labels.is_empty() { String::new() } else { format!("{}: {labels}", self.n(data.labels.len())) };
        let facts = [
            (words.data, clean(&data.name, NAME_CHARS)),
            (words.licence, clean(&data.license, NAME_CHARS)),
            (words.data_language, clean(&data.language, NAME_CHARS)),
            (words.labels, labels),
        ];
        let facts: Vec<(String, Cell)> =
            facts.into_iter().filter(|(_, v)| !v.is_empty()).map(|(name, value)| (name.to_string(), Cell::spans(vec![Span::Foreign(value)]))).collect();
        let files = self.files();
        let mut blocks = Vec::new();
        if !facts.is_empty() {
            blocks.push(Block::Table(Table::facts("data", None, facts)));
        }
        if !files.is_empty() {
            let rows = files
                .into_iter()
                .map(|(part, file, amount)| Row::new(vec![Cell::plain(part), Cell::foreign(&file.path, NAME_CHARS), amount, Cell::code(&file.sha256, 64)]));
            blocks.push(Block::Table(Table {
                name: "files",
                caption: Some(words.files_caption.into()),
                columns: vec![
                    Column::new("part", words.split, Kind::Text),
                    Column::new("file", words.file, Kind::Text),
                    Column::new("amount", words.amount, Kind::Number),
                    Column::new("sha256", "SHA-256", Kind::Text),
                ],
                titled: true,
                rows: rows.collect(),
            }));
        }
        if data.labels.len() <= DRAWN {
            blocks.extend(self.figure("balance", words.balance_caption));
        }
        (!blocks.is_empty()).then_some(blocks)
    }

    fn reproduce(&self) -> Option<Vec<Block>> {
        let (words, run) = (self.words, &self.run.run);
        if run.command.is_empty() {
            return None;
        }
        let sums: Vec<String> =
            self.files().iter().filter(|f| !f.1.sha256.is_empty()).map(|(_, f, _)| format!("{}  {}", clean(&f.sha256, 64), clean(&f.path, 1000))).collect();
        let intro = fill(words.reproduce_text, &[("version", &clean(&run.version, 40))]);
        let mut blocks = vec![Block::Paragraph { text: plain(intro), role: Role::Body }, Block::Code { text: clean_lines(&run.command, MESSAGE_CHARS) }];
        if !sums.is_empty() {
            blocks.push(Block::Paragraph { text: plain(words.reproduce_hashes), role: Role::Body });
            blocks.push(Block::Code { text: sums.join("\n") });
        }
        Some(blocks)
    }

    /// How to cite the program; and the model as its makers ask, where its name says whose it is.
    fn cite(&self) -> Option<Vec<Block>> {
        let run = &self.run.run;
        let year = run.started.get(..4).filter(|y| y.bytes().all(|b| b.is_ascii_digit()));
        // braces and backslashes would act in BibTeX
        let bib = |text: &str| clean(text, NAME_CHARS).replace(['{', '}', '\\', '"', '%', '#', '$', '&', '~', '^'], " ").replace('_', "\\_");
        let mut text = format!("@software{{lapidary,\n  title = {{Lapidary}},\n  version = {{{}}}", bib(&run.version));
        if let Some(year) = year {
            text += &format!(",\n  year = {{{year}}}");
        }
        text += &format!(",\n  note = {{{}: {}, {}}}\n}}", bib(&run.task), bib(&run.data.name), bib(&run.model.name));
        if run.model.name.to_lowercase().contains("gemma-3") {
            text += "\n\n@misc{gemma3,\n  title = {Gemma 3 Technical Report},\n  author = {{Gemma Team}},\n  year = {2025},\n  eprint = {2503.19786},\n  \
                     archivePrefix = {arXiv}\n}";
        }
        Some(vec![Block::Code { text }])
    }
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
