//! The report of a run as one HTML file: no script, nothing from outside, light, dark and on paper.
//!
//! [`render`] writes what the run folder holds and leaves out what was not measured; sentences that judge
//! ("above", "not settled") follow from stated rules on the numbers beside them. Everything that came from
//! data, models or the command line passes through [`clean`] first and is escaped by maud.

use crate::figure::{self, Compared, Figure, MarkKind};
use crate::record::{self, Error, FileRecord, Prediction, Run};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::path::{Path, PathBuf};
use tasks::Classification;
use train::Event;

use crate::text::{Lang, Words, clean, clean_lines, fill};

/// Mistakes that are shown.
const MISTAKES: usize = 50;
/// Characters of a text that is shown.
const TEXT_CHARS: usize = 400;
/// Confused pairs that are shown.
const PAIRS: usize = 15;
/// Health notices that are shown.
const NOTICES: usize = 100;
/// Characters of a name: label, model, file, device.
const NAME_CHARS: usize = 160;
/// Characters of an error message.
const MESSAGE_CHARS: usize = 4000;
/// Labels and settings that are listed.
const LISTED: usize = 400;

/// The figures of a run by file name without ending, in the order of the report; only those with values.
pub fn figures(run: &Run, lang: Lang) -> Vec<(&'static str, Figure)> {
    let mut out = Vec::new();
    let systems = systems(run, lang.words());
    if systems.len() > 1 {
        let rows: Vec<Compared> =
            systems.iter().map(|s| Compared { name: s.name.clone(), accuracy: s.scores.accuracy, interval: s.scores.accuracy_ci, main: s.main }).collect();
        out.push(("comparison", figure::comparison(&rows, lang)));
    }
    if let Some(metrics) = &run.result.metrics {
        out.push(("confusion", figure::confusion_matrix(&metrics.confusion, lang)));
        if !metrics.reliability.is_empty() {
            out.push(("reliability", figure::reliability(&metrics.reliability, lang)));
        }
    }
    if run.events.iter().any(|e| matches!(e, Event::Step { .. } | Event::Evaluation { .. })) {
        out.push(("loss", figure::loss_curve(&run.events, lang)));
    }
    out
}

/// Writes `report.html` and `figures/` (each figure as SVG, its values as JSON beside it) into `folder`.
///
/// Each file appears whole or not at all.
///
/// # Errors
/// If the disk refuses.
pub fn write(run: &Run, lang: Lang, folder: &Path) -> Result<PathBuf, Error> {
    let beside = folder.join("figures");
    std::fs::create_dir_all(&beside).map_err(|source| Error::Io { path: beside.clone(), source })?;
    let figures = figures(run, lang);
    for (name, figure) in &figures {
        record::write_atomically(&beside.join(format!("{name}.svg")), figure.svg.as_bytes())?;
        record::write_atomically(&beside.join(format!("{name}.json")), figure.data.to_string().as_bytes())?;
    }
    let path = folder.join("report.html");
    record::write_atomically(&path, page(run, lang, &figures).as_bytes())?;
    Ok(path)
}

/// The report of a run as one HTML file.
pub fn render(run: &Run, lang: Lang) -> String {
    page(run, lang, &figures(run, lang))
}

/// One row of the results.
struct System<'a> {
    name: String,
    scores: &'a Classification,
    main: bool,
}

/// The model and all it was held against, in the order of the report.
fn systems<'a>(run: &'a Run, words: &Words) -> Vec<System<'a>> {
    let result = &run.result;
    let mut out = Vec::new();
    out.extend(result.metrics.as_ref().map(|scores| System { name: words.this_model.into(), scores, main: true }));
    out.extend(result.metrics_free.as_ref().map(|scores| System { name: words.this_model_free.into(), scores, main: false }));
    // the nearer relative first
    let mut baselines: Vec<_> = result.baselines.iter().collect();
    baselines.sort_by_key(|(name, _)| (name.as_str() == "majority", name.as_str() != "untuned"));
    out.extend(baselines.into_iter().map(|(name, scores)| System { name: baseline(name, words), scores, main: false }));
    out
}

fn baseline(name: &str, words: &Words) -> String {
    match name {
        "majority" => words.majority.into(),
        "untuned" => words.untuned.into(),
        other => clean(other, NAME_CHARS),
    }
}

fn split<'a>(name: &'a str, words: &'static Words) -> std::borrow::Cow<'a, str> {
    match name {
        "test" => words.split_test.into(),
        "validation" => words.split_validation.into(),
        "train" => words.split_train.into(),
        other => clean(other, NAME_CHARS).into(),
    }
}

fn task(name: &str, words: &Words) -> String {
    match name {
        "intent" => words.task_intent.into(),
        "entities" => words.task_entities.into(),
        "sql" => words.task_sql.into(),
        "hashtags" => words.task_hashtags.into(),
        other => clean(other, NAME_CHARS),
    }
}

fn method(name: &str, words: &Words) -> String {
    match name {
        "completion" => words.method_completion.into(),
        "head" => words.method_head.into(),
        other => clean(other, NAME_CHARS),
    }
}

/// A point in time as people write it: `2026-07-01 10:20 UTC`. What is not RFC 3339 stays as it is.
fn moment(rfc3339: &str) -> String {
    let bytes = rfc3339.as_bytes();
    let plain = rfc3339.is_ascii() && bytes.len() >= 20 && bytes[10] == b'T' && bytes[13] == b':' && rfc3339.ends_with('Z');
    if plain { format!("{} {} UTC", &rfc3339[..10], &rfc3339[11..16]) } else { clean(rfc3339, 40) }
}

/// Foreign text: cleaned, cut, and kept from turning the direction of what surrounds it.
fn foreign(text: &str, limit: usize) -> Markup {
    html! { bdi { (clean(text, limit)) } }
}

/// A figure with its caption.
fn shown(figures: &[(&str, Figure)], name: &str, caption: &str, class: &str) -> Markup {
    html! {
        @if let Some((_, figure)) = figures.iter().find(|(n, _)| *n == name) {
            // the picture carries role="img" and the text alternative itself
            figure class=(class) { div.scroll { (PreEscaped(&figure.svg)) } figcaption { (caption) } }
        }
    }
}

/// The page, section by section.
struct Page<'a> {
    run: &'a Run,
    lang: Lang,
    words: &'static Words,
    figures: &'a [(&'static str, Figure)],
}

fn page(run: &Run, lang: Lang, figures: &[(&'static str, Figure)]) -> String {
    let page = Page { run, lang, words: lang.words(), figures };
    let words = page.words;
    let title = fill(words.title, &[("task", &task(&run.run.task, words)), ("data", &clean(&run.run.data.name, NAME_CHARS))]);
    let sections: Vec<(&str, &str, Markup)> = [
        ("summary", words.summary_heading, page.summary()),
        ("results", words.results_heading, page.results()),
        ("classes", words.classes_heading, page.classes()),
        ("confusion", words.confusion_heading, page.confusion()),
        ("mistakes", words.mistakes_heading, page.mistakes()),
        ("calibration", words.calibration_heading, page.calibration()),
        ("training", words.training_heading, page.training()),
        ("health", words.health_heading, page.health()),
        ("done", words.done_heading, page.done()),
        ("reproduce", words.reproduce_heading, page.reproduce()),
    ]
    .into_iter()
    .filter_map(|(id, heading, body)| body.map(|body| (id, heading, body)))
    .collect();
    html! {
        (DOCTYPE)
        html lang=(lang.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                // a second lock: whatever a label holds, nothing runs and nothing is fetched
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "Lapidary " (clean(&run.run.version, 40)) };
                title { (title) }
                style { (PreEscaped(style())) }
            }
            body {
                main {
                    header {
                        p.kicker { (words.kicker) " · " (moment(&run.run.started)) }
                        h1 { (task(&run.run.task, words)) ": " (foreign(&run.run.data.name, NAME_CHARS)) }
                        p.subtitle { (foreign(&run.run.model.name, NAME_CHARS)) " · " (foreign(&run.run.device.name, NAME_CHARS)) }
                    }
                    (page.status())
                    nav aria-label=(words.contents) { ul { @for (id, heading, _) in &sections { li { a href={ "#" (id) } { (heading) } } } } }
                    @for (id, heading, body) in &sections {
                        section id=(id) aria-labelledby={ (id) "-heading" } { h2 id={ (id) "-heading" } { (heading) } (body) }
                    }
                    footer { p { (fill(words.footer, &[("version", &clean(&run.run.version, 40))])) } }
                }
            }
        }
    }
    .into_string()
}

impl Page<'_> {
    fn n(&self, count: usize) -> String {
        self.lang.integer(count as u64)
    }

    /// Steps that were planned, if the run got as far as saying so.
    fn planned(&self) -> Option<usize> {
        self.run.events.iter().rev().find_map(|e| if let Event::Started { steps, .. } = e { Some(*steps) } else { None })
    }

    /// The last step that the run speaks of.
    fn last_step(&self) -> usize {
        let step = |e: &Event| match e {
            Event::Step { step, .. } | Event::Completed { step, .. } | Event::Failed { step, .. } => Some(*step),
            _ => None,
        };
        self.run.events.iter().rev().find_map(step).unwrap_or(self.run.result.train.steps)
    }

    /// Said first and loudly: the run did not complete.
    fn status(&self) -> Markup {
        let (words, result) = (self.words, &self.run.result);
        let step = self.n(self.last_step());
        match result.status.as_str() {
            "completed" if result.error.is_none() => html! {},
            "stopped" if result.error.is_none() => {
                let text = match self.planned() {
                    Some(planned) => fill(words.status_stopped_planned, &[("step", &step), ("planned", &self.n(planned))]),
                    None => fill(words.status_stopped_text, &[("step", &step)]),
                };
                html! { div.banner.stopped role="note" { p.banner-title { (words.status_stopped) } p { (text) } } }
            }
            status => {
                let failed = self.run.events.iter().rev().find_map(|e| if let Event::Failed { message, .. } = e { Some(message) } else { None });
                let cause = result.error.as_ref().or(failed);
                let title = if status == "failed" { words.status_failed.to_string() } else { fill(words.status_other, &[("status", &clean(status, 40))]) };
                html! {
                    div.banner.failed role="alert" {
                        p.banner-title { (title) }
                        @match cause {
                            Some(cause) => pre.message { (clean_lines(cause, MESSAGE_CHARS)) },
                            None => p { (words.status_failed_no_cause) },
                        }
                        @if status == "failed" { p { (fill(words.status_failed_text, &[("step", &step)])) } }
                    }
                }
            }
        }
    }

    fn summary(&self) -> Option<Markup> {
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
        let hero = self.run.result.metrics.as_ref().map(|metrics| {
            let split = split(&self.run.result.evaluated_on, words);
            html! {
                div.hero {
                    p.number {
                        strong { (lang.percent(metrics.accuracy)) }
                        span { (fill(words.number_label, &[("split", &split)])) }
                        span.interval { (fill(words.number_interval, &[("interval", &lang.percent_range(metrics.accuracy_ci))])) }
                    }
                    @if let Some((_, figure)) = self.figures.iter().find(|(n, _)| *n == "comparison") { div.beside { (PreEscaped(&figure.svg)) } }
                }
            }
        });
        Some(html! {
            @if let Some(hero) = hero { (hero) }
            p.lead { (trained) }
            @if let Some(metrics) = &self.run.result.metrics { (self.verdict(metrics)) }
        })
    }

    /// What the accuracy is worth beside what was measured for comparison.
    ///
    /// "Above" and "below" are said only where the 95 % intervals do not touch.
    fn verdict(&self, metrics: &Classification) -> Markup {
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
            if let Some(scores) = result.baselines.get(name) {
                text.push(fill(template, &[("accuracy", &lang.percent(scores.accuracy))]));
            }
        }
        let (mut above, mut below, mut unclear) = (Vec::new(), Vec::new(), Vec::new());
        for (name, scores) in &result.baselines {
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
        html! {
            p { (text.join(" ")) }
            @if result.evaluated_on == "validation" { p.note { (words.summary_validation) } }
        }
    }

    /// A baseline's name inside a sentence.
    fn article(&self, name: &str) -> String {
        match (name, self.lang) {
            ("majority", Lang::English) => "the commonest label".into(),
            ("majority", Lang::Italian) => "l’etichetta più comune".into(),
            ("untuned", Lang::English) => "the model before tuning".into(),
            ("untuned", Lang::Italian) => "il modello non specializzato".into(),
            (other, _) => clean(other, NAME_CHARS),
        }
    }

    fn results(&self) -> Option<Markup> {
        let (words, lang) = (self.words, self.lang);
        let systems = systems(self.run, words);
        if systems.is_empty() {
            return None;
        }
        let split = split(&self.run.result.evaluated_on, words);
        Some(html! {
            div.scroll {
                table {
                    caption { (fill(words.results_caption, &[("split", &split)])) }
                    thead {
                        tr {
                            th scope="col" { (words.system) }
                            th.num scope="col" colspan="2" { (words.accuracy) }
                            th.num scope="col" colspan="2" { (words.macro_f1) }
                            th.num scope="col" { (words.examples) }
                        }
                    }
                    tbody {
                        @for system in &systems {
                            tr.main[system.main] {
                                th scope="row" { (system.name) }
                                td.num { (lang.percent(system.scores.accuracy)) }
                                td.num.faint { (lang.percent_range(system.scores.accuracy_ci)) }
                                td.num { (lang.percent(system.scores.macro_f1)) }
                                td.num.faint { (lang.percent_range(system.scores.macro_f1_ci)) }
                                td.num { (self.n(system.scores.examples)) }
                            }
                        }
                    }
                }
            }
            p.note { (words.results_note) @if self.run.result.metrics_free.is_some() { " " (words.free_note) } }
        })
    }

    fn classes(&self) -> Option<Markup> {
        let (words, lang) = (self.words, self.lang);
        let metrics = self.run.result.metrics.as_ref()?;
        let mut classes: Vec<_> = metrics.per_class.iter().collect();
        if classes.is_empty() {
            return None;
        }
        classes.sort_by(|a, b| a.1.f1.total_cmp(&b.1.f1).then(b.1.support.cmp(&a.1.support)));
        // a bar says nothing that the number does not, so it is only a background
        let bar = |share: f64| format!("--share:{:.3}", if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 });
        Some(html! {
            div.scroll {
                table {
                    caption { (words.classes_caption) }
                    thead {
                        tr {
                            th scope="col" { (words.label) }
                            th.num scope="col" { (words.f1) }
                            th.num scope="col" { (words.precision) }
                            th.num scope="col" { (words.recall) }
                            th.num scope="col" { (words.examples) }
                        }
                    }
                    tbody {
                        @for (label, scores) in classes.into_iter().take(LISTED) {
                            tr {
                                th scope="row" { (foreign(label, NAME_CHARS)) }
                                td.num.bar style=(bar(scores.f1)) { (lang.percent(scores.f1)) }
                                td.num { (lang.percent(scores.precision)) }
                                td.num { (lang.percent(scores.recall)) }
                                td.num { (self.n(scores.support)) }
                            }
                        }
                    }
                }
            }
            p.note { (words.classes_note) }
        })
    }

    fn confusion(&self) -> Option<Markup> {
        let (words, lang) = (self.words, self.lang);
        let confusion = &self.run.result.metrics.as_ref()?.confusion;
        let pairs = figure::pairs(confusion);
        let name = |i: usize| confusion.labels.get(i).map(String::as_str).unwrap_or_default();
        let size = if confusion.labels.len() > 20 { "wide" } else { "" };
        Some(html! {
            (shown(self.figures, "confusion", words.confusion_caption, size))
            @if !pairs.is_empty() {
                div.scroll {
                    table {
                        caption { (fill(words.pairs_caption, &[("shown", &self.n(pairs.len().min(PAIRS))), ("total", &self.n(pairs.len()))])) }
                        thead {
                            tr {
                                th scope="col" { (words.expected) }
                                th scope="col" { (words.answered) }
                                th.num scope="col" { (words.count) }
                                th.num scope="col" { (words.row_share) }
                            }
                        }
                        tbody {
                            @for pair in pairs.iter().take(PAIRS) {
                                tr {
                                    td { (foreign(name(pair.expected), NAME_CHARS)) }
                                    td { @match pair.answered { Some(i) => (foreign(name(i), NAME_CHARS)), None => em { (words.no_label) } } }
                                    td.num { (self.n(pair.count)) }
                                    td.num { (lang.percent(pair.count as f64 / pair.of as f64)) }
                                }
                            }
                        }
                    }
                }
            }
        })
    }

    fn mistakes(&self) -> Option<Markup> {
        let (words, lang, all) = (self.words, self.lang, &self.run.predictions);
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
        Some(html! {
            p { (fill(template, &[("total", &total), ("all", &whole), ("shown", &shown)])) }
            @if !wrong.is_empty() {
                div.scroll {
                    table.mistakes {
                        caption { (fill(words.mistakes_caption, &[("limit", &TEXT_CHARS.to_string())])) }
                        thead {
                            tr {
                                th scope="col" { (words.text) }
                                th scope="col" { (words.expected) }
                                th scope="col" { (words.answered) }
                                th.num scope="col" { (words.probability) }
                            }
                        }
                        tbody {
                            @for p in wrong.iter().take(MISTAKES) {
                                tr {
                                    td.quote { (foreign(&p.input, TEXT_CHARS)) }
                                    td { (foreign(&p.expected, NAME_CHARS)) }
                                    td {
                                        @match &p.answer {
                                            Some(answer) => (foreign(answer, NAME_CHARS)),
                                            None => { em { (words.no_label) } ", " (words.wrote) " " (foreign(&p.output, NAME_CHARS)) }
                                        }
                                    }
                                    td.num { (lang.percent(p.probability)) }
                                }
                            }
                        }
                    }
                }
            }
        })
    }

    fn calibration(&self) -> Option<Markup> {
        let (words, lang) = (self.words, self.lang);
        let metrics = self.run.result.metrics.as_ref()?;
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
        Some(html! { p { (text) } (shown(self.figures, "reliability", words.reliability_caption, "small")) })
    }

    fn training(&self) -> Option<Markup> {
        let (words, lang, train) = (self.words, self.lang, &self.run.result.train);
        let epochs = self.run.events.iter().rev().find_map(|e| if let Event::Step { epoch, .. } = e { Some(*epoch) } else { None });
        let steps = match self.planned() {
            Some(planned) if planned != train.steps => fill(words.steps_planned, &[("steps", &self.n(train.steps)), ("planned", &self.n(planned))]),
            _ => self.n(train.steps),
        };
        // zero stands for "not recorded" in all of these
        let rows: Vec<(&str, String)> = [
            (words.time, (train.seconds > 0.0).then(|| lang.duration(train.seconds))),
            (words.steps, (train.steps > 0).then_some(steps)),
            (words.epochs, epochs.map(|e| lang.decimal(e, 1))),
            (words.tokens, (train.tokens > 0).then(|| lang.integer(train.tokens))),
            (words.supervised, (train.supervised_tokens > 0).then(|| lang.integer(train.supervised_tokens))),
            (
                words.speed,
                (train.tokens_per_second > 0.0).then(|| fill(words.tokens_per_second, &[("speed", &lang.integer(train.tokens_per_second.round() as u64))])),
            ),
            (words.peak_memory, (train.peak_memory_bytes > 0).then(|| lang.bytes(train.peak_memory_bytes))),
            (words.final_loss, (train.steps > 0).then(|| lang.significant(train.final_loss))),
            (words.best_step, (train.best_step > 0).then(|| self.n(train.best_step))),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.map(|v| (name, v)))
        .collect();
        let drawn = self.figures.iter().any(|(n, _)| *n == "loss");
        if rows.is_empty() && !drawn {
            return None;
        }
        let caption = match figure::marks(&self.run.events).is_empty() {
            true => words.loss_caption.to_string(),
            false => format!("{} {}", words.loss_caption, words.loss_caption_marks),
        };
        Some(html! {
            (shown(self.figures, "loss", &caption, ""))
            @if !rows.is_empty() {
                table.facts {
                    caption { (words.cost_caption) }
                    tbody { @for (name, value) in &rows { tr { th scope="row" { (name) } td { (value) } } } }
                }
            }
        })
    }

    fn health(&self) -> Option<Markup> {
        let words = self.words;
        let marks = figure::marks(&self.run.events);
        if marks.is_empty() {
            return None;
        }
        Some(html! {
            ol.notices {
                @for mark in marks.iter().take(NOTICES) {
                    @let (class, kind) = match mark.kind {
                        MarkKind::Warning => ("warning", words.kind_warning),
                        MarkKind::Unhealthy => ("unhealthy", words.kind_unhealthy),
                        MarkKind::Recovered => ("recovered", words.kind_recovered),
                    };
                    li class=(class) {
                        span.kind { (kind) ", " (fill(words.at_step, &[("step", &self.n(mark.step))])) } " " (foreign(&mark.message, TEXT_CHARS))
                    }
                }
            }
            @if marks.len() > NOTICES { p.note { (fill(words.health_more, &[("count", &self.n(marks.len() - NOTICES))])) } }
        })
    }

    /// Files with the part they played: data by split, then weights.
    fn files(&self) -> Vec<(String, &FileRecord, String)> {
        let (words, run) = (self.words, &self.run.run);
        let order = |name: &str| ["train", "validation", "test"].iter().position(|s| *s == name).unwrap_or(3);
        let mut data: Vec<_> = run.data.files.iter().collect();
        data.sort_by_key(|(name, _)| order(name));
        let mut out: Vec<_> = data
            .into_iter()
            .map(|(name, file)| (split(name, words).into_owned(), file, fill(words.examples_of, &[("count", &self.lang.integer(file.count))])))
            .collect();
        out.extend(run.model.files.iter().map(|f| (words.model_part.to_string(), f, self.lang.bytes(f.count))));
        out
    }

    fn done(&self) -> Option<Markup> {
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
        let labels = run.data.labels.iter().take(LISTED).map(|l| clean(l, NAME_CHARS)).collect::<Vec<_>>().join(", ");
        let labels = if run.data.labels.is_empty() { String::new() } else { format!("{}: {labels}", self.n(run.data.labels.len())) };
        let facts = [
            (words.task, task(&run.task, words)),
            (words.method, method(&run.method, words)),
            (words.model, model),
            (words.trainable, trainable.map(|t| self.n(t)).unwrap_or_default()),
            (words.data, clean(&run.data.name, NAME_CHARS)),
            (words.licence, clean(&run.data.license, NAME_CHARS)),
            (words.data_language, clean(&run.data.language, NAME_CHARS)),
            (words.labels, labels),
            (words.device, device),
            (words.seed, run.seed.to_string()),
            (words.started, moment(&run.started)),
            (words.version, clean(&run.version, NAME_CHARS)),
        ];
        let files = self.files();
        let settings = settings(&run.settings);
        Some(html! {
            table.facts {
                tbody {
                    @for (name, value) in facts.iter().filter(|(_, v)| !v.is_empty()) { tr { th scope="row" { (name) } td { bdi { (value) } } } }
                }
            }
            @if !files.is_empty() {
                div.scroll {
                    table.files {
                        caption { (words.files_caption) }
                        thead {
                            tr {
                                th scope="col" { (words.split) }
                                th scope="col" { (words.file) }
                                th.num scope="col" { (words.amount) }
                                th scope="col" { "SHA-256" }
                            }
                        }
                        tbody {
                            @for (part, file, amount) in &files {
                                tr { td { (part) } td { (foreign(&file.path, NAME_CHARS)) } td.num { (amount) } td { code { (clean(&file.sha256, 64)) } } }
                            }
                        }
                    }
                }
            }
            @if !settings.is_empty() {
                table.facts {
                    caption { (words.settings_caption) }
                    thead { tr { th scope="col" { (words.setting) } th scope="col" { (words.value) } } }
                    // as a recipe has them, so that they can be copied
                    tbody { @for (name, value) in settings.iter().take(LISTED) { tr { th scope="row" { code { (name) } } td { code { (value) } } } } }
                }
            }
        })
    }

    fn reproduce(&self) -> Option<Markup> {
        let (words, run) = (self.words, &self.run.run);
        if run.command.is_empty() {
            return None;
        }
        let sums: Vec<String> =
            self.files().iter().filter(|f| !f.1.sha256.is_empty()).map(|(_, f, _)| format!("{}  {}", clean(&f.sha256, 64), clean(&f.path, 1000))).collect();
        Some(html! {
            p { (fill(words.reproduce_text, &[("version", &clean(&run.version, 40))])) }
            pre { code { (clean_lines(&run.command, MESSAGE_CHARS)) } }
            @if !sums.is_empty() { p { (words.reproduce_hashes) } pre { code { (sums.join("\n")) } } }
        })
    }
}

/// Settings by dotted name, values as TOML writes them.
fn settings(table: &toml::Table) -> Vec<(String, String)> {
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

/// The style sheet. Series colours of the figures are set for a light page; on a dark one attribute
/// selectors lighten them, so the same SVG serves both.
fn style() -> String {
    let hex = |c: plotters::style::RGBColor| format!("#{:02X}{:02X}{:02X}", c.0, c.1, c.2);
    let lighter =
        [(figure::colour::BLUE, "#56B4E9"), (figure::colour::GREEN, "#35C9A0"), (figure::colour::VERMILLION, "#FF8A3D"), (figure::colour::ORANGE, "#F0B93A")];
    let recolour: String = lighter.iter().map(|(from, to)| format!("svg [stroke=\"{0}\"]{{stroke:{to}}}svg [fill=\"{0}\"]{{fill:{to}}}", hex(*from))).collect();
    format!("{}@media screen and (prefers-color-scheme:dark){{{recolour}}}", STYLE.replace("FAMILY", figure::FAMILY))
}

/// What does not depend on the palette.
const STYLE: &str = "
:root{--page:#ffffff;--ink:#1f2429;--faint:#5b646e;--line:#dfe3e8;--wash:#f5f7f9;--tint:#d5e6f2;--blue:#0072b2;--red:#b54200;--red-wash:#fdf1ea;
--amber:#8a5a00;--amber-wash:#fdf6e6;--green:#00755a}
@media screen and (prefers-color-scheme:dark){:root{--page:#16191d;--ink:#e4e7eb;--faint:#9ba5b0;--line:#31373f;--wash:#1e2329;--tint:#1d3e54;
--blue:#56b4e9;--red:#ff8a3d;--red-wash:#2d1f17;--amber:#f0b93a;--amber-wash:#2a2416;--green:#35c9a0}}
*{box-sizing:border-box}
html{background:var(--page);color:var(--ink);font:16px/1.55 FAMILY;-webkit-text-size-adjust:100%;font-variant-numeric:tabular-nums}
body{margin:0}
main{max-width:58rem;margin:0 auto;padding:3rem 1.5rem 4rem}
h1,h2,p,table,figure,pre,ol,ul{margin:0 0 1rem}
h1{font-size:2.1rem;line-height:1.15;letter-spacing:-.015em;font-weight:680;overflow-wrap:anywhere}
h2{font-size:1.35rem;line-height:1.25;letter-spacing:-.01em;font-weight:650;margin-top:3.25rem;padding-top:1.25rem;border-top:1px solid var(--line)}
p,li{max-width:44rem;overflow-wrap:anywhere}
.kicker{color:var(--faint);font-size:.875rem;margin-bottom:.5rem}
.subtitle{color:var(--faint);margin-bottom:1.5rem}
.lead{font-size:1.1rem}
.note,figcaption,caption{color:var(--faint);font-size:.875rem;line-height:1.45}
a{color:var(--blue);text-underline-offset:.15em;text-decoration-thickness:1px}
nav ul{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.35rem 1.25rem;font-size:.9rem}
section:first-of-type h2{margin-top:2rem}
.hero{display:flex;flex-wrap:wrap;align-items:center;gap:1.5rem 3.5rem;margin:1.5rem 0}
.number{display:flex;flex-direction:column;margin:0}
.number strong{font-size:4rem;line-height:1;letter-spacing:-.035em;font-weight:700;color:var(--blue);margin-bottom:.5rem;white-space:nowrap}
.interval{color:var(--faint);font-size:.9rem}
.beside{flex:1 1 24rem;min-width:0}
.banner{border-left:4px solid;padding:1rem 1.25rem;margin:0 0 1.5rem;border-radius:0 6px 6px 0}
.banner :last-child{margin-bottom:0}
.banner-title{font-weight:650;font-size:1.2rem;margin-bottom:.4rem}
.failed{border-color:var(--red);background:var(--red-wash)}
.failed .banner-title{color:var(--red)}
.stopped{border-color:var(--amber);background:var(--amber-wash)}
.stopped .banner-title{color:var(--amber)}
pre{background:var(--wash);border-radius:6px;padding:.85rem 1rem;
font:.82rem/1.5 ui-monospace,'Cascadia Mono','SF Mono',Menlo,Consolas,'Liberation Mono',monospace;white-space:pre-wrap;overflow-wrap:anywhere}
.banner pre{background:none;padding:0;font:inherit;margin-bottom:.75rem}
code{font-family:ui-monospace,'Cascadia Mono','SF Mono',Menlo,Consolas,'Liberation Mono',monospace;font-size:.86em}
pre code{font-size:1em}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;line-height:1.4;min-width:min(100%,30rem)}
caption{text-align:left;padding-bottom:.5rem}
th,td{text-align:left;vertical-align:baseline;padding:.4rem 1.2rem .4rem 0;border-bottom:1px solid var(--line);font-weight:400}
thead th{font-weight:600;font-size:.82rem;border-bottom-color:var(--faint);vertical-align:bottom}
th:last-child,td:last-child{padding-right:.25rem}
.num{text-align:right;white-space:nowrap}
.num.faint{color:var(--faint);font-size:.82rem}
.main th,.main td:not(.faint){font-weight:650}
tbody th bdi,td bdi{overflow-wrap:anywhere}
.bar{background:linear-gradient(var(--tint),var(--tint)) no-repeat left center/calc((100% - 4.25rem)*var(--share)) 60%;min-width:13rem;padding-right:.5rem;
print-color-adjust:exact;-webkit-print-color-adjust:exact}
.bar+td{padding-left:1rem}
.facts th{color:var(--faint);padding-right:2rem;width:14rem}
.facts td{overflow-wrap:anywhere}
.facts thead th{color:inherit}
.files code{overflow-wrap:anywhere;font-size:.78rem}
.files td:nth-child(2){min-width:11rem}
.files td:last-child{min-width:17rem}
.mistakes{width:100%}
.mistakes td:not(.quote):not(.num){max-width:14rem}
.mistakes td:not(.quote) bdi{overflow-wrap:break-word}
.quote{min-width:16rem;overflow-wrap:anywhere}
figure{margin:1.25rem 0 1.75rem}
figure svg,.beside svg{display:block;max-width:100%;height:auto;color:var(--ink);print-color-adjust:exact;-webkit-print-color-adjust:exact}
figcaption{max-width:44rem;margin-top:.6rem}
.notices{padding-left:1.6rem}
.notices li{margin-bottom:.5rem}
.kind{font-weight:650}
.unhealthy .kind{color:var(--red)}.warning .kind{color:var(--amber)}.recovered .kind{color:var(--green)}
footer{margin-top:4rem;color:var(--faint);font-size:.85rem}
@media (max-width:40rem){main{padding:1.5rem 1rem 3rem}h1{font-size:1.7rem}.number strong{font-size:3.2rem}.wide svg{max-width:none}}
@page{size:A4;margin:18mm 16mm}
@media print{html{font-size:10pt}main{max-width:none;padding:0}nav{display:none}.scroll{overflow:visible}h2{break-after:avoid;margin-top:1.6rem}
tr,figure,.hero,.banner,li{break-inside:avoid}caption{break-after:avoid}thead{display:table-header-group;break-after:avoid}tbody tr:first-child{
break-before:avoid}p{orphans:3;widows:3}a{color:inherit;text-decoration:none}.mistakes{table-layout:fixed}.mistakes th:nth-child(n+2){width:22%}
.mistakes th:last-child{width:12%}.mistakes td:not(.quote):not(.num){max-width:none}.mistakes td:not(.quote) bdi{overflow-wrap:anywhere}
.quote,.files td:last-child{min-width:0}}
";
