//! Several runs in one report: what was chosen, what came of it, and which differences are more than luck.
//!
//! Runs are set against each other example by example only where they were scored on the same texts; where
//! they were not, that is said instead. A run that failed is reported as failed, with its symptoms.

use crate::content::{self, NAME_CHARS};
use crate::document::{Banner, Block, Cell, Column, Document, Kind, Role, Row, Section, Table, plain};
use crate::figure::{self, Compared};
use crate::record::{Prediction, Run};
use crate::text::{Lang, clean, fill};
use std::collections::BTreeSet;
use tasks::score::Interval;
use tasks::score::paired::uneven;

/// Below this the difference of two runs is called settled.
const SETTLED: f64 = 0.05;

/// How two systems answered the same examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paired {
    /// Both right.
    pub both: usize,
    /// Only the one at hand.
    pub only_this: usize,
    /// Only the one that it is held against.
    pub only_other: usize,
    /// Neither.
    pub neither: usize,
}

impl Paired {
    /// Pairs answers, if they are to the same texts in the same order.
    pub fn of(this: &[Prediction], other: &[Prediction]) -> Option<Self> {
        let same = this.len() == other.len() && this.iter().zip(other).all(|(a, b)| a.input == b.input && a.expected == b.expected);
        if !same || this.is_empty() {
            return None;
        }
        let right = |p: &Prediction| p.answer.as_deref() == Some(p.expected.as_str());
        let mut out = Self { both: 0, only_this: 0, only_other: 0, neither: 0 };
        for (a, b) in this.iter().zip(other) {
            *match (right(a), right(b)) {
                (true, true) => &mut out.both,
                (true, false) => &mut out.only_this,
                (false, true) => &mut out.only_other,
                (false, false) => &mut out.neither,
            } += 1;
        }
        Some(out)
    }

    /// Examples.
    pub fn examples(&self) -> usize {
        self.both + self.only_this + self.only_other + self.neither
    }

    /// Accuracy of the one at hand minus that of the other, with a 95 % interval.
    ///
    /// Agresti and Min, "Simple improved confidence intervals for comparing matched proportions", 2005: Wald's
    /// interval after half an example was added to each of the four cells.
    pub fn difference(&self) -> (f64, Interval) {
        let n = self.examples() as f64 + 2.0;
        let (b, c) = (self.only_this as f64 + 0.5, self.only_other as f64 + 0.5);
        let (middle, error) = ((b - c) / n, (b + c - (b - c).powi(2) / n).sqrt() / n);
        let plain = (self.only_this as f64 - self.only_other as f64) / self.examples().max(1) as f64;
        (plain, [(middle - 1.96 * error).max(-1.0), (middle + 1.96 * error).min(1.0)])
    }

    /// Two-sided p of the exact McNemar test, see [`uneven`].
    pub fn mcnemar(&self) -> f64 {
        uneven(self.only_this, self.only_other)
    }
}

/// The report of several runs; the others are held against the first.
pub fn runs(runs: &[Run], lang: Lang) -> Document {
    let words = lang.words();
    let names = names(runs);
    let n = |count: usize| lang.integer(count as u64);
    let scored: Vec<usize> = (0..runs.len()).filter(|&i| runs[i].result.classes().is_some()).collect();
    let mut figures = Vec::new();
    if scored.len() > 1 {
        let row = |&i: &usize| {
            let metrics = runs[i].result.classes()?;
            Some(Compared { name: names[i].clone(), accuracy: metrics.accuracy, interval: metrics.accuracy_ci, main: i == 0 })
        };
        figures.push(("comparison".to_string(), figure::comparison(&scored.iter().filter_map(row).collect::<Vec<_>>(), lang)));
    }
    let paired: Vec<(usize, Option<Paired>)> =
        scored.iter().filter(|&&i| i != 0 && scored.contains(&0)).map(|&i| (i, Paired::of(&runs[i].predictions, &runs[0].predictions))).collect();

    let first = names.first().map(String::as_str).unwrap_or_default();
    let mut text = vec![fill(words.compare_lead, &[("count", &n(runs.len())), ("first", first)])];
    let best = scored.iter().filter_map(|&i| Some((i, runs[i].result.classes()?))).max_by(|a, b| a.1.accuracy.total_cmp(&b.1.accuracy));
    match best.filter(|_| scored.len() > 1) {
        Some((i, m)) => {
            let values = [("name", names[i].as_str()), ("accuracy", &lang.percent(m.accuracy)), ("interval", &lang.percent_range(m.accuracy_ci))];
            text.push(fill(words.compare_best, &values));
        }
        None => text.push(words.compare_nothing.into()),
    }
    let verdicts = paired.iter().map(|(i, paired)| match paired {
        Some(p) => {
            let template = if p.mcnemar() < SETTLED { words.compare_settled } else { words.compare_unsettled };
            let (difference, p) = (points(p.difference().0, lang), probability(p.mcnemar(), lang));
            plain(fill(template, &[("name", &names[*i]), ("first", first), ("difference", &difference), ("p", &p)]))
        }
        None => plain(fill(words.compare_other_examples, &[("name", &names[*i]), ("first", first)])),
    });
    let verdicts: Vec<_> = verdicts.collect();
    let mut summary = vec![Block::Paragraph { text: plain(text.join(" ")), role: Role::Lead }];
    if !verdicts.is_empty() {
        summary.push(Block::List { items: verdicts });
    }
    if !figures.is_empty() {
        summary.push(Block::Figure { name: "comparison".into(), caption: words.alt_comparison.into() });
    }
    let mut sections = vec![
        Section { id: "summary", heading: words.summary_heading.into(), blocks: summary },
        Section { id: "results", heading: words.results_heading.into(), blocks: vec![Block::Table(results(runs, &names, lang))] },
    ];
    let rows: Vec<Row> = paired.iter().filter_map(|(i, p)| p.map(|p| pair(&names[*i], &p, lang))).collect();
    if !rows.is_empty() {
        let table = Table {
            name: "paired",
            caption: Some(fill(words.paired_caption, &[("first", first)])),
            columns: vec![
                Column::new("run", words.run, Kind::Name),
                Column::new("both_right", words.both_right, Kind::Number),
                Column::new("only_this", words.only_this, Kind::Number),
                Column::new("only_first", words.only_first, Kind::Number),
                Column::new("neither", words.neither, Kind::Number),
                Column::new("difference", words.difference, Kind::Number),
                Column::new("difference_ci", words.interval, Kind::Interval),
                Column::new("p", words.p_value, Kind::Number),
            ],
            titled: true,
            rows,
        };
        let note = plain(fill(words.paired_note, &[("first", first)]));
        let blocks = vec![Block::Table(table), Block::Paragraph { text: note, role: Role::Note }];
        sections.push(Section { id: "paired", heading: words.paired_heading.into(), blocks });
    }
    sections.push(Section { id: "choices", heading: words.choices_heading.into(), blocks: choices(runs, &names, lang) });

    let named = |(run, name): (&Run, &String)| content::ending(run, lang).map(|b| Banner { title: format!("{name}: {}", b.title), ..b });
    let tasks: BTreeSet<String> = runs.iter().map(|r| content::task(&r.run.task, words)).collect();
    let version = runs.first().map(|r| clean(&r.run.version, 40)).unwrap_or_default();
    let title = fill(words.compare_title, &[("count", &n(runs.len()))]);
    Document {
        lang,
        kicker: words.kicker.into(),
        heading: plain(title.clone()),
        title,
        subtitle: plain(tasks.into_iter().collect::<Vec<_>>().join(" · ")),
        banners: runs.iter().zip(&names).filter_map(named).collect(),
        sections,
        footer: fill(words.footer, &[("version", &version)]),
        generator: format!("Lapidary {version}"),
        figures,
    }
}

/// Names of runs: their folders' last parts, with a number where two are the same.
fn names(runs: &[Run]) -> Vec<String> {
    let bare: Vec<String> = runs.iter().map(|r| clean(&r.path.file_name().unwrap_or(r.path.as_os_str()).to_string_lossy(), NAME_CHARS)).collect();
    let many = |name: &String| bare.iter().filter(|b| *b == name).count() > 1;
    bare.iter().enumerate().map(|(i, name)| if many(name) { format!("{name} ({})", i + 1) } else { name.clone() }).collect()
}

/// A difference of shares in points of a hundred, with its sign.
fn points(difference: f64, lang: Lang) -> String {
    let text = lang.decimal(difference * 100.0, 1);
    if difference > 0.0 { format!("+{text}") } else { text }
}

fn probability(p: f64, lang: Lang) -> String {
    if p < 0.001 { format!("< {}", lang.decimal(0.001, 3)) } else { lang.decimal(p, 3) }
}

fn pair(name: &str, p: &Paired, lang: Lang) -> Row {
    let count = |n: usize| Cell::value(lang.integer(n as u64), n);
    let (difference, interval) = p.difference();
    let range = format!("{} … {}", points(interval[0], lang), points(interval[1], lang));
    Row::new(vec![
        Cell::plain(name),
        count(p.both),
        count(p.only_this),
        count(p.only_other),
        count(p.neither),
        Cell::value(points(difference, lang), difference),
        Cell::value(range, serde_json::json!(interval)),
        Cell::value(probability(p.mcnemar(), lang), p.mcnemar()),
    ])
}

fn results(runs: &[Run], names: &[String], lang: Lang) -> Table {
    let words = lang.words();
    let share = |v: Option<f64>| v.map_or_else(Cell::empty, |v| Cell::value(lang.percent(v), v));
    let range = |v: Option<Interval>| v.map_or_else(Cell::empty, |v| Cell::value(lang.percent_range(v), serde_json::json!(v)));
    let status = |run: &Run| match content::ending(run, lang) {
        None => Cell { text: plain(words.status_completed), value: "completed".into() },
        Some(banner) => Cell { text: plain(banner.title), value: clean(&run.result.status, 40).into() },
    };
    let rows = runs.iter().zip(names).enumerate().map(|(i, (run, name))| {
        let (m, t) = (run.result.classes(), &run.result.train);
        Row {
            main: i == 0,
            cells: vec![
                Cell::plain(name.clone()),
                share(m.map(|m| m.accuracy)),
                range(m.map(|m| m.accuracy_ci)),
                share(m.map(|m| m.macro_f1)),
                range(m.map(|m| m.macro_f1_ci)),
                m.map_or_else(Cell::empty, |m| Cell::value(lang.integer(m.examples as u64), m.examples)),
                if t.seconds > 0.0 { Cell::value(lang.duration(t.seconds), t.seconds) } else { Cell::empty() },
                if t.peak_memory_bytes > 0 { Cell::value(lang.bytes(t.peak_memory_bytes), t.peak_memory_bytes) } else { Cell::empty() },
                status(run),
            ],
        }
    });
    Table {
        name: "runs",
        caption: Some(words.compare_caption.into()),
        columns: vec![
            Column::new("run", words.run, Kind::Name),
            Column::new("accuracy", words.accuracy, Kind::Number),
            Column::new("accuracy_ci", words.interval, Kind::Interval),
            Column::new("macro_f1", words.macro_f1, Kind::Number),
            Column::new("macro_f1_ci", words.interval, Kind::Interval),
            Column::new("examples", words.examples, Kind::Number),
            Column::new("seconds", words.time, Kind::Number),
            Column::new("peak_memory_bytes", words.peak_memory, Kind::Number),
            Column::new("status", words.status, Kind::Text),
        ],
        titled: true,
        rows: rows.collect(),
    }
}

/// The choices that differ, a column a run.
fn choices(runs: &[Run], names: &[String], lang: Lang) -> Vec<Block> {
    let words = lang.words();
    // (key for programs, name for people, value by run)
    type Choice = (String, Option<&'static str>, Vec<String>);
    let mut all: Vec<Choice> = Vec::new();
    let each = |value: &dyn Fn(&Run) -> String| runs.iter().map(value).collect::<Vec<_>>();
    all.push(("task".into(), Some(words.task), each(&|r| content::task(&r.run.task, words))));
    all.push(("method".into(), Some(words.method), each(&|r| content::method(&r.run.method, words))));
    all.push(("model".into(), Some(words.model), each(&|r| clean(&r.run.model.name, NAME_CHARS))));
    all.push(("data".into(), Some(words.data), each(&|r| clean(&r.run.data.name, NAME_CHARS))));
    let test = |r: &Run| r.run.data.files.get("test").map(|f| clean(&f.sha256, 12)).unwrap_or_default();
    all.push(("test".into(), Some(words.test_file), each(&test)));
    let train = |r: &Run| r.run.data.files.get("train").map(|f| lang.integer(f.count)).unwrap_or_default();
    all.push(("examples".into(), Some(words.split_train), each(&train)));
    all.push(("device".into(), Some(words.device), each(&|r| clean(&r.run.device.name, NAME_CHARS))));
    all.push(("seed".into(), Some(words.seed), each(&|r| r.run.seed.to_string())));
    all.push(("version".into(), Some(words.version), each(&|r| clean(&r.run.version, 40))));
    let settings: Vec<Vec<(String, String)>> = runs.iter().map(|r| content::settings(&r.run.settings)).collect();
    let mut keys: Vec<&String> = Vec::new();
    for (key, _) in settings.iter().flatten() {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    for key in keys {
        let value = |s: &Vec<(String, String)>| s.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone()).unwrap_or_default();
        all.push((key.clone(), None, settings.iter().map(value).collect()));
    }
    let rows: Vec<Row> = all
        .into_iter()
        .filter(|(_, _, values)| values.iter().any(|v| Some(v) != values.first()))
        .map(|(key, name, values)| {
            let head = match name {
                Some(name) => Cell { text: plain(name), value: key.into() },
                None => Cell::code(&key, NAME_CHARS),
            };
            let value = |v: String| if v.is_empty() { Cell::empty() } else { Cell::foreign(&v, NAME_CHARS) };
            Row::new(std::iter::once(head).chain(values.into_iter().map(value)).collect())
        })
        .collect();
    if rows.is_empty() {
        return vec![Block::Paragraph { text: plain(words.choices_none), role: Role::Body }];
    }
    let mut columns = vec![Column::new("setting", words.setting, Kind::Name)];
    columns.extend(names.iter().map(|n| Column::new(n, n, Kind::Text)));
    let table = Table { name: "choices", caption: Some(words.choices_caption.into()), columns, titled: true, rows };
    vec![Block::Table(table), Block::Paragraph { text: plain(words.choices_same), role: Role::Note }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mcnemar_matches_hand_computed_cases() {
        let p = |b, c| Paired { both: 50, only_this: b, only_other: c, neither: 3 }.mcnemar();
        // 2 · (C(10,0) + C(10,1)) / 2¹⁰
        assert!((p(1, 9) - 22.0 / 1024.0).abs() < 1e-12);
        assert!((p(9, 1) - 22.0 / 1024.0).abs() < 1e-12);
        assert_eq!(p(5, 5), 1.0);
        assert_eq!(p(0, 0), 1.0);
        assert!((p(0, 6) - 2.0 / 64.0).abs() < 1e-12);
        // 2⁵⁰⁰⁰ is no number that a float holds
        assert!(p(3000, 2000) < 1e-40 && p(2500, 2500) == 1.0);
    }

    #[test]
    fn the_interval_of_a_difference_holds_it_and_narrows() {
        let few = Paired { both: 40, only_this: 12, only_other: 5, neither: 3 };
        let many = Paired { both: 4000, only_this: 1200, only_other: 500, neither: 300 };
        let ((a, low), (b, high)) = (few.difference(), many.difference());
        assert!((a - 7.0 / 60.0).abs() < 1e-12 && (b - 7.0 / 60.0).abs() < 1e-12);
        assert!(low[0] < a && a < low[1] && high[0] < b && b < high[1]);
        assert!((high[1] - high[0]) < (low[1] - low[0]) / 5.0);
        let none = Paired { both: 0, only_this: 0, only_other: 0, neither: 4 };
        assert_eq!(none.difference().0, 0.0);
    }
}
