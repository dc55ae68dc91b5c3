//! Several runs in one report: what was chosen, what came of it, and which differences are more than luck.
//!
//! Runs are set against each other example by example only where they were scored on the same texts; where
//! they were not, that is said instead. A run that failed is reported as failed, with its symptoms.

use crate::content::scores::{inside, measure};
use crate::content::{self, NAME_CHARS};
use crate::document::{Banner, Block, Cell, Column, Document, Kind, Role, Row, Section, Table, plain};
use crate::figure::{self, Compared, Learnt, Series};
use crate::record::{Prediction, Run};
use crate::text::{Lang, clean, fill};
use std::collections::BTreeSet;
use tasks::Metrics;
use tasks::score::Interval;
use tasks::score::paired::{self, uneven};

/// Names of all sections of a comparison, in their order.
pub const SECTIONS: [&str; 4] = ["summary", "results", "paired", "choices"];

/// Below this the difference of two runs is called settled.
const SETTLED: f64 = 0.05;

/// Measures that the table of runs shows; the report of each run has them all.
const MEASURES: usize = 2;
/// Fewest sizes of training sets that make a curve.
const SIZES: usize = 3;

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
        if !same_examples(this, other) {
            return None;
        }
        let mut out = Self { both: 0, only_this: 0, only_other: 0, neither: 0 };
        for (a, b) in this.iter().zip(other) {
            *match (a.right(), b.right()) {
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

fn same_examples(this: &[Prediction], other: &[Prediction]) -> bool {
    !this.is_empty() && this.len() == other.len() && this.iter().zip(other).all(|(a, b)| a.input == b.input && a.expected == b.expected)
}

/// A run held against the first, example by example.
struct Against {
    /// Examples by how both did; see [`columns_of`].
    counts: Vec<usize>,
    difference: f64,
    interval: Interval,
    p: f64,
}

/// Are answers of such scores right in part, so that counts of right ones say little?
fn graded(metrics: &Metrics) -> bool {
    matches!(metrics, Metrics::Entities(_) | Metrics::Tags(_) | Metrics::Text(_))
}

/// Counts of examples in a table of runs held against the first.
fn columns_of(graded: bool, lang: Lang) -> Vec<Column> {
    let words = lang.words();
    let named: &[(&str, &str)] = if graded {
        &[("better", words.better), ("equal", words.equal), ("worse", words.worse)]
    } else {
        &[("both_right", words.both_right), ("only_this", words.only_this), ("only_first", words.only_first), ("neither", words.neither)]
    };
    named.iter().map(|(key, title)| Column::new(key, title, Kind::Number)).collect()
}

/// `None` where the two were not scored on the same examples.
fn against(this: &[Prediction], first: &[Prediction], graded: bool) -> Option<Against> {
    if !graded {
        let p = Paired::of(this, first)?;
        let (difference, interval) = p.difference();
        return Some(Against { counts: vec![p.both, p.only_this, p.only_other, p.neither], difference, interval, p: p.mcnemar() });
    }
    if !same_examples(this, first) {
        return None;
    }
    let scores = |all: &[Prediction]| all.iter().map(|p| p.score).collect::<Vec<f64>>();
    let (mine, theirs) = (scores(this), scores(first));
    let count = |keep: fn(&f64, &f64) -> bool| mine.iter().zip(&theirs).filter(|(a, b)| keep(a, b)).count();
    let mean = |all: &[f64]| all.iter().sum::<f64>() / all.len().max(1) as f64;
    let found = paired::bootstrap(&theirs, &mine, mean);
    let counts = vec![count(|a, b| a > b), count(|a, b| a == b), count(|a, b| a < b)];
    Some(Against { counts, difference: found.difference, interval: found.difference_ci, p: found.p })
}

/// Scores by the size of the training set, where runs differ in nothing else that would explain them.
fn by_size(runs: &[Run], scored: &[usize]) -> Vec<Learnt> {
    let Some(first) = scored.first().map(|&i| &runs[i].run) else { return Vec::new() };
    let file = |run: &Run, split: &str| run.run.data.files.get(split).map(|f| (f.sha256.clone(), f.count as usize));
    let test = file(&runs[scored[0]], "test");
    let alike = |run: &&Run| {
        let r = &run.run;
        r.method == first.method && r.settings == first.settings && r.model.has_the_files_of(&first.model) && file(run, "test") == test
    };
    let mut out = Vec::new();
    let mut sizes = BTreeSet::new();
    for run in scored.iter().map(|&i| &runs[i]).filter(alike) {
        let (Some((_, examples)), Some(metrics)) = (file(run, "train"), &run.result.metrics) else { continue };
        let (_, score, interval) = metrics.headline()[0];
        // two runs of one size would say more of their seeds than of their sizes
        if !sizes.insert(examples) {
            return Vec::new();
        }
        out.push(Learnt { examples, score, interval: Some(interval) });
    }
    if out.len() < SIZES { Vec::new() } else { out }
}

/// The report of several runs; the others are held against the first.
pub fn runs(runs: &[Run], lang: Lang) -> Document {
    let words = lang.words();
    let names = names(runs);
    let n = |count: usize| lang.integer(count as u64);
    // the measures are those of the first run that has any; runs of another task have no place beside them
    let kind = runs.iter().find_map(|r| r.result.metrics.as_ref());
    let alike = |r: &Run| r.result.metrics.as_ref().is_some_and(|m| kind.is_some_and(|k| std::mem::discriminant(m) == std::mem::discriminant(k)));
    let scored: Vec<usize> = (0..runs.len()).filter(|&i| alike(&runs[i])).collect();
    let title_of_score = kind.map_or("", |m| measure(m.headline()[0].0, words));
    let graded = kind.is_some_and(graded);
    let main = |i: usize| runs[i].result.metrics.as_ref().map(|m| m.headline()[0]);
    let mut figures = Vec::new();
    if scored.len() > 1 {
        let row = |&i: &usize| main(i).map(|(_, score, interval)| Compared { name: names[i].clone(), score, interval, main: i == 0 });
        figures.push(("comparison".to_string(), figure::comparison(&scored.iter().filter_map(row).collect::<Vec<_>>(), title_of_score, lang)));
    }
    // answers of another system have no story
    let told: Vec<(&str, &[train::Event])> =
        runs.iter().zip(&names).filter(|(r, _)| !r.events.is_empty()).map(|(r, name)| (name.as_str(), r.events.as_slice())).collect();
    if told.len() > 1 {
        figures.push(("losses".to_string(), figure::loss_curves(&told, lang)));
    }
    let sizes = by_size(runs, &scored);
    if !sizes.is_empty() {
        figures.push(("learning".to_string(), figure::learning_curve(&[Series { name: String::new(), points: sizes.clone() }], title_of_score, lang)));
    }
    let paired: Vec<(usize, Option<Against>)> =
        scored.iter().filter(|&&i| i != 0 && scored.contains(&0)).map(|&i| (i, against(&runs[i].predictions, &runs[0].predictions, graded))).collect();

    let first = names.first().map(String::as_str).unwrap_or_default();
    let mut text = vec![fill(words.compare_lead, &[("count", &n(runs.len())), ("first", first)])];
    let best = scored.iter().filter_map(|&i| Some((i, main(i)?))).max_by(|a, b| a.1.1.total_cmp(&b.1.1));
    match best.filter(|_| scored.len() > 1) {
        Some((i, (_, score, interval))) => {
            let values =
                [("measure", inside(title_of_score)), ("name", names[i].clone()), ("score", lang.percent(score)), ("interval", lang.percent_range(interval))];
            let values = values.each_ref().map(|(n, v)| (*n, v.as_str()));
            text.push(fill(words.compare_best, &values));
        }
        None => text.push(words.compare_nothing.into()),
    }
    let verdicts = paired.iter().map(|(i, paired)| match paired {
        Some(a) => {
            let template = if a.p < SETTLED { words.compare_settled } else { words.compare_unsettled };
            let p = probability(a.p, lang);
            let (difference, p) = (lang.points(a.difference), if p.starts_with('<') { p } else { format!("= {p}") });
            plain(fill(template, &[("name", &names[*i]), ("first", first), ("difference", &difference), ("p", &p)]))
        }
        None => plain(fill(words.compare_other_examples, &[("name", &names[*i]), ("first", first)])),
    });
    let verdicts: Vec<_> = verdicts.collect();
    let mut summary = vec![Block::Paragraph { text: plain(text.join(" ")), role: Role::Lead }];
    if !verdicts.is_empty() {
        summary.push(Block::List { items: verdicts });
    }
    if scored.len() > 1 {
        summary.push(Block::Figure { name: "comparison".into(), caption: fill(words.alt_comparison, &[("measure", title_of_score)]) });
    }
    if !sizes.is_empty() {
        summary.push(Block::Figure { name: "learning".into(), caption: fill(words.learning_caption, &[("measure", title_of_score)]) });
    }
    let mut came_of_it = vec![Block::Table(results(runs, &names, kind, lang))];
    if told.len() > 1 {
        let caption = if told.len() > figure::OVERLAID { format!("{} {}", words.losses_caption, words.losses_first) } else { words.losses_caption.into() };
        came_of_it.push(Block::Figure { name: "losses".into(), caption });
    }
    let mut sections = vec![
        Section { id: "summary", heading: words.summary_heading.into(), blocks: summary },
        Section { id: "results", heading: words.results_heading.into(), blocks: came_of_it },
    ];
    let rows: Vec<Row> = paired.iter().filter_map(|(i, a)| a.as_ref().map(|a| pair(&names[*i], a, lang))).collect();
    if !rows.is_empty() {
        let table = Table {
            name: "paired",
            caption: Some(fill(words.paired_caption, &[("first", first)])),
            columns: [
                vec![Column::new("run", words.run, Kind::Name)],
                columns_of(graded, lang),
                vec![
                    Column::new("difference", words.difference, Kind::Number),
                    Column::new("difference_ci", words.interval, Kind::Interval),
                    Column::new("p", words.p_value, Kind::Number),
                ],
            ]
            .concat(),
            titled: true,
            rows,
        };
        let note = plain(fill(if graded { words.graded_note } else { words.paired_note }, &[("first", first)]));
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

fn probability(p: f64, lang: Lang) -> String {
    if p < 0.001 { format!("< {}", lang.decimal(0.001, 3)) } else { lang.decimal(p, 3) }
}

fn pair(name: &str, a: &Against, lang: Lang) -> Row {
    let range = format!("{} … {}", lang.points(a.interval[0]), lang.points(a.interval[1]));
    let counts = a.counts.iter().map(|&n| Cell::value(lang.integer(n as u64), n));
    let mut cells: Vec<Cell> = std::iter::once(Cell::plain(name)).chain(counts).collect();
    cells.extend([
        Cell::value(lang.points(a.difference), a.difference),
        Cell::value(range, serde_json::json!(a.interval)),
        Cell::value(probability(a.p, lang), a.p),
    ]);
    Row::new(cells)
}

/// Each run with the first measures of `kind`, and what it took.
fn results(runs: &[Run], names: &[String], kind: Option<&Metrics>, lang: Lang) -> Table {
    let words = lang.words();
    let status = |run: &Run| match content::ending(run, lang) {
        None => Cell { text: plain(words.status_completed), value: "completed".into() },
        Some(banner) => Cell { text: plain(banner.title), value: clean(&run.result.status, 40).into() },
    };
    let measures: Vec<&'static str> = kind.map(|m| m.headline().into_iter().map(|(name, _, _)| name).take(MEASURES).collect()).unwrap_or_default();
    let rows = runs.iter().zip(names).enumerate().map(|(i, (run, name))| {
        let (m, t) = (run.result.metrics.as_ref(), &run.result.train);
        let m = m.filter(|m| kind.is_some_and(|k| std::mem::discriminant(*m) == std::mem::discriminant(k)));
        let mut cells = vec![Cell::plain(name.clone())];
        for measure in &measures {
            match m.and_then(|m| m.headline().into_iter().find(|(name, _, _)| name == measure)) {
                Some((_, value, interval)) => {
                    cells.push(Cell::value(lang.percent(value), value));
                    cells.push(Cell::value(lang.percent_range(interval), serde_json::json!(interval)));
                }
                None => cells.extend([Cell::empty(), Cell::empty()]),
            }
        }
        cells.extend([
            m.map_or_else(Cell::empty, |m| Cell::value(lang.integer(m.examples() as u64), m.examples())),
            if t.seconds > 0.0 { Cell::value(lang.duration(t.seconds), t.seconds) } else { Cell::empty() },
            if t.peak_memory_bytes > 0 { Cell::value(lang.bytes(t.peak_memory_bytes), t.peak_memory_bytes) } else { Cell::empty() },
            status(run),
        ]);
        Row { main: i == 0, cells }
    });
    let mut columns = vec![Column::new("run", words.run, Kind::Name)];
    for name in &measures {
        columns.push(Column::new(name, measure(name, words), Kind::Number));
        columns.push(Column::new(&format!("{name}_ci"), words.interval, Kind::Interval));
    }
    columns.extend([
        Column::new("examples", words.examples, Kind::Number),
        Column::new("seconds", words.time, Kind::Number),
        Column::new("peak_memory_bytes", words.peak_memory, Kind::Number),
        Column::new("status", words.status, Kind::Text),
    ]);
    Table { name: "runs", caption: Some(words.compare_caption.into()), columns, titled: true, rows: rows.collect() }
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
    all.push(("model".into(), Some(words.model), each(&content::model_name)));
    all.push(("data".into(), Some(words.data), each(&|r| clean(&r.run.data.name, NAME_CHARS))));
    let test = |r: &Run| r.run.data.files.get("test").map(|f| clean(&f.sha256, 12)).unwrap_or_default();
    all.push(("test".into(), Some(words.test_file), each(&test)));
    let train = |r: &Run| r.run.data.files.get("train").filter(|_| !r.is_from_elsewhere()).map(|f| lang.integer(f.count)).unwrap_or_default();
    all.push(("examples".into(), Some(words.split_train), each(&train)));
    // of another system only its answers are known
    let known = |r: &Run, value: String| if r.is_from_elsewhere() { String::new() } else { value };
    all.push(("device".into(), Some(words.device), each(&|r| known(r, clean(&r.run.device.name, NAME_CHARS)))));
    all.push(("seed".into(), Some(words.seed), each(&|r| known(r, r.run.seed.to_string()))));
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
