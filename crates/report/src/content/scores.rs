//! Scores of any task: what its measures are called, systems side by side, scores by label or type, and the
//! kinds of what went wrong.

use super::{DRAWN, NAME_CHARS, Page, TEXT_CHARS, listed, model_name, split, training_counts};
use crate::document::{Block, Cell, Column, Kind, Role, Row, Table, foreign, plain};
use crate::figure::Faults;
use crate::record::{Prediction, Run};
use crate::text::{Words, capital, clean, fill};
use std::collections::{BTreeMap, BTreeSet};
use tasks::Metrics;
use tasks::score::sql::Failure;
use tasks::score::{ClassScore, entities};

/// Measures with their intervals that one table holds; more would leave the page.
const MEASURES: usize = 3;

/// A measure of [`Metrics::headline`] as a table names it.
pub(crate) fn measure<'a>(name: &'a str, words: &Words) -> &'a str {
    match name {
        "accuracy" => words.accuracy,
        "macro_f1" => words.macro_f1,
        "precision" => words.precision,
        "recall" => words.recall,
        "f1" => words.f1,
        "execution_accuracy" => words.execution_accuracy,
        "exact_match" => words.exact_match,
        "valid_sql" => words.valid_sql,
        "at_least_one_hit" => words.at_least_one_hit,
        "normalised_match" => words.normalised_match,
        "token_f1" => words.token_f1,
        "rouge_l" => words.rouge_l,
        "chrf" => words.chrf,
        "schema_valid" => words.schema_valid,
        other => other,
    }
}

/// A title inside a sentence: `accuracy` of `Accuracy`; `F1` and `ROUGE-L` stay as they are.
pub(crate) fn inside(title: &str) -> String {
    let mut chars = title.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain([second]).chain(chars).collect(),
        _ => title.into(),
    }
}

/// One row of the results.
pub(crate) struct System<'a> {
    pub key: &'a str,
    pub name: String,
    pub scores: &'a Metrics,
    pub main: bool,
}

/// The model and all it was held against, in the order of the report.
pub(crate) fn systems<'a>(run: &'a Run, words: &Words) -> Vec<System<'a>> {
    let result = &run.result;
    let mut out = Vec::new();
    let this = if run.is_from_elsewhere() { model_name(run) } else { words.this_model.into() };
    out.extend(result.metrics.as_ref().map(|scores| System { key: "model", name: this, scores, main: true }));
    out.extend(result.metrics_free.as_ref().map(|scores| System { key: "model_free", name: words.this_model_free.into(), scores, main: false }));
    // the nearer relative first
    let mut baselines: Vec<_> = run.baselines().collect();
    let order = |name: &str| ["untuned", "few_shot"].iter().position(|n| *n == name).unwrap_or(if name == "majority" { 3 } else { 2 });
    baselines.sort_by_key(|&(name, _)| order(name));
    out.extend(baselines.into_iter().map(|(name, scores)| System { key: name, name: baseline(name, &run.run.task, words), scores, main: false }));
    // of another kind they cannot stand in one table
    if let Some(first) = out.first().map(|s| std::mem::discriminant(s.scores)) {
        out.retain(|s| std::mem::discriminant(s.scores) == first);
    }
    out
}

/// What always giving the same answer is, by task: as a table names it, inside a sentence, and the sentence with its score.
pub(crate) fn same(task: &str, words: &Words) -> [&'static str; 3] {
    match task {
        "entities" => [words.no_entities, words.the_no_entities, words.summary_no_entities],
        "sql" => [words.commonest_query, words.the_commonest_query, words.summary_commonest_query],
        "hashtags" => [words.commonest_tags, words.the_commonest_tags, words.summary_commonest],
        "custom" => [words.commonest_text, words.the_commonest_text, words.summary_commonest_text],
        _ => [words.majority, words.the_majority, words.summary_majority],
    }
}

/// A baseline as a table names it.
pub(crate) fn baseline(name: &str, task: &str, words: &Words) -> String {
    match name {
        "majority" => same(task, words)[0].into(),
        "untuned" => words.untuned.into(),
        "few_shot" => words.few_shot.into(),
        "tf_idf_logistic" => words.tf_idf_logistic.into(),
        "gazetteer" => words.gazetteer.into(),
        "nearest" => words.nearest.into(),
        other => clean(other, NAME_CHARS),
    }
}

/// Scores by label or by type of entity, where the task has them.
pub(crate) fn by_label(metrics: &Metrics) -> Option<BTreeMap<String, ClassScore>> {
    match metrics {
        Metrics::Classes(m) => Some(m.per_class.clone()),
        Metrics::Entities(m) => {
            let score = |s: &entities::TypeScore| ClassScore { precision: s.precision, recall: s.recall, f1: s.f1, support: s.support };
            Some(m.per_type.iter().map(|(name, s)| (name.clone(), score(s))).collect())
        }
        Metrics::Sql(_) | Metrics::Tags(_) | Metrics::Text(_) => None,
    }
}

/// What became of the entities: of all types first, then of each, the one with most mistakes first.
pub(super) fn faults(run: &Run, words: &Words) -> Vec<Faults> {
    let Some(Metrics::Entities(metrics)) = &run.result.metrics else { return Vec::new() };
    let mut types: BTreeMap<String, (usize, Faults)> = BTreeMap::new();
    for (want, got) in run.predictions.iter().filter_map(Prediction::entities) {
        for span in want.iter().collect::<BTreeSet<_>>() {
            types.entry(span.kind.clone()).or_default().0 += 1;
        }
        for mistake in entities::mistakes(&want, &got) {
            let faults = &mut types.entry(mistake.span().kind.clone()).or_default().1;
            *match mistake {
                entities::Mistake::Missed(_) => &mut faults.missed,
                entities::Mistake::Invented(_) => &mut faults.invented,
                entities::Mistake::WrongType { .. } => &mut faults.wrong_type,
                entities::Mistake::WrongBoundary { .. } => &mut faults.wrong_boundary,
            } += 1;
        }
    }
    let right = |expected: usize, f: &Faults| expected.saturating_sub(f.missed + f.wrong_type + f.wrong_boundary);
    let mut each: Vec<Faults> = types.into_iter().map(|(name, (expected, f))| Faults { name, right: right(expected, &f), ..f }).collect();
    each.sort_by_key(|f| std::cmp::Reverse(f.wrong()));
    let e = &metrics.errors;
    let all =
        Faults { name: words.errors_all.into(), right: 0, missed: e.missed, wrong_type: e.wrong_type, wrong_boundary: e.wrong_boundary, invented: e.invented };
    let expected = metrics.per_type.values().map(|t| t.support).sum();
    let mut out = vec![Faults { right: right(expected, &all), ..all }];
    // one type says what all say
    if each.len() > 1 {
        out.extend(each);
    }
    out
}

impl Page<'_> {
    pub(super) fn results(&self) -> Option<Vec<Block>> {
        let words = self.words;
        let systems = systems(self.run, words);
        let metrics = systems.first()?.scores;
        let split = split(&self.run.result.evaluated_on, words);
        let measures: Vec<&'static str> = metrics.headline().into_iter().map(|(name, _, _)| name).collect();
        let name = |system: &System| Cell { text: plain(&*system.name), value: clean(system.key, NAME_CHARS).into() };
        let of = |system: &System, wanted: &[&str]| -> Vec<Cell> {
            let headline = system.scores.headline().into_iter().filter(|(name, _, _)| wanted.contains(name));
            headline.flat_map(|(_, value, interval)| [self.percent(value), self.interval(interval)]).collect()
        };
        let columns = |wanted: &[&'static str]| -> Vec<Column> {
            wanted
                .iter()
                .flat_map(|&m| [Column::new(m, measure(m, words), Kind::Number), Column::new(&format!("{m}_ci"), words.interval, Kind::Interval)])
                .collect()
        };
        let (first, rest) = measures.split_at(measures.len().min(MEASURES));
        let table = Table {
            name: "results",
            caption: Some(fill(words.results_caption, &[("split", &split)])),
            columns: [vec![Column::new("system", words.system, Kind::Name)], columns(first), vec![Column::new("examples", words.examples, Kind::Number)]]
                .concat(),
            titled: true,
            rows: systems.iter().map(|s| Row { main: s.main, cells: [vec![name(s)], of(s, first), vec![self.count(s.scores.examples())]].concat() }).collect(),
        };
        let mut blocks = vec![Block::Table(table)];
        let extra = self.extra(metrics);
        if !rest.is_empty() || !extra.is_empty() {
            let titles = extra.iter().map(|(key, title, _)| Column::new(key, title, Kind::Number));
            blocks.push(Block::Table(Table {
                name: "further",
                caption: Some(words.further_caption.into()),
                columns: [vec![Column::new("system", words.system, Kind::Name)], columns(rest), titles.collect()].concat(),
                titled: true,
                rows: systems
                    .iter()
                    .map(|s| Row {
                        main: s.main,
                        cells: [vec![name(s)], of(s, rest), self.extra(s.scores).into_iter().map(|(_, _, cell)| cell).collect()].concat(),
                    })
                    .collect(),
            }));
        }
        let note = match metrics {
            Metrics::Classes(_) => words.results_note,
            Metrics::Entities(_) => words.results_note_entities,
            Metrics::Sql(_) => words.results_note_sql,
            Metrics::Tags(_) => words.results_note_tags,
            Metrics::Text(_) => words.results_note_text,
        };
        let free = if matches!(metrics, Metrics::Classes(_)) { words.free_note } else { words.free_note_other };
        let schema = matches!(metrics, Metrics::Text(m) if m.schema_valid.is_some()).then_some(words.schema_note);
        let notes = [Some(note), schema, self.run.result.metrics_free.as_ref().map(|_| free)];
        let mut notes: Vec<String> = notes.into_iter().flatten().map(String::from).collect();
        notes.extend(self.free_difference(metrics));
        notes.extend(self.sampled());
        blocks.push(Block::Paragraph { text: plain(notes.join(" ")), role: Role::Note });
        blocks.extend(self.reference());
        Some(blocks)
    }

    /// How far constrained answers are from free ones.
    fn free_difference(&self, metrics: &Metrics) -> Option<String> {
        let (words, found) = (self.words, self.run.result.free_difference.as_ref()?);
        let [difference, low, high] = [found.difference, found.difference_ci[0], found.difference_ci[1]].map(|share| self.lang.points(share));
        let name = measure(metrics.headline()[0].0, words);
        Some(fill(words.free_difference, &[("measure", name), ("difference", &difference), ("low", &low), ("high", &high)]))
    }

    /// What others published, quoted.
    fn reference(&self) -> Vec<Block> {
        let (words, all) = (self.words, &self.run.run.data.reference);
        if all.is_empty() {
            return Vec::new();
        }
        let rows = all.iter().map(|r| {
            let named = match r.measure.as_str() {
                "" => Cell { text: plain(words.not_known), value: serde_json::Value::Null },
                measured => Cell { text: foreign(measure(measured, words), NAME_CHARS), value: clean(measured, NAME_CHARS).into() },
            };
            let (system, source) = r.said(self.lang.into());
            Row::new(vec![Cell::foreign(system, NAME_CHARS), named, self.percent(r.value), Cell::foreign(source, TEXT_CHARS)])
        });
        let columns = vec![
            Column::new("system", words.system, Kind::Name),
            Column::new("measure", words.measure, Kind::Text),
            Column::new("value", words.value, Kind::Number),
            Column::new("source", words.source, Kind::Text),
        ];
        listed("reference", Some(words.reference_caption), columns, rows, self.lang)
    }

    /// What was measured besides the headline: key, title, cell.
    fn extra(&self, metrics: &Metrics) -> Vec<(&'static str, &'static str, Cell)> {
        let words = self.words;
        match metrics {
            Metrics::Classes(_) => Vec::new(),
            Metrics::Entities(m) => vec![("unreadable", words.unreadable, self.count(m.unreadable))],
            Metrics::Sql(m) => vec![("lucky", words.lucky, self.count(m.lucky))],
            Metrics::Tags(m) => vec![
                ("f1_compounds", words.f1_compounds, self.percent(m.f1_compounds)),
                ("f1_accents", words.f1_accents, self.percent(m.f1_accents)),
                ("diversity", words.diversity, self.percent(m.diversity)),
                ("diversity_expected", words.diversity_expected, self.percent(m.diversity_expected)),
                ("tags_per_post", words.tags_per_post, Cell::value(self.lang.decimal(m.tags_per_post, 1), m.tags_per_post)),
                ("unreadable", words.unreadable, self.count(m.unreadable)),
            ],
            Metrics::Text(m) => vec![("unreadable", words.unreadable, self.count(m.unreadable))],
        }
    }

    pub(super) fn classes(&self) -> Option<Vec<Block>> {
        let words = self.words;
        let metrics = self.run.result.metrics.as_ref()?;
        let scores = by_label(metrics).filter(|s| !s.is_empty())?;
        let types = matches!(metrics, Metrics::Entities(_));
        let (caption, column, note) =
            if types { (words.types_caption, words.type_, words.types_note) } else { (words.classes_caption, words.label, words.classes_note) };
        let mut classes: Vec<_> = scores.iter().collect();
        classes.sort_by(|a, b| a.1.f1.total_cmp(&b.1.f1).then(b.1.support.cmp(&a.1.support)));
        let training = training_counts(self.run);
        let rows = classes.into_iter().map(|(label, scores)| {
            let mut cells = vec![
                Cell::foreign(label, NAME_CHARS),
                self.percent(scores.f1),
                self.percent(scores.precision),
                self.percent(scores.recall),
                self.count(scores.support),
            ];
            cells.extend(training.map(|counts| self.count(counts.get(label).copied().unwrap_or(0))));
            Row::new(cells)
        });
        let mut columns = vec![
            Column::new("label", column, Kind::Name),
            Column::new("f1", words.f1, Kind::Share),
            Column::new("precision", words.precision, Kind::Number),
            Column::new("recall", words.recall, Kind::Number),
            Column::new("examples", if types { words.expected } else { words.examples }, Kind::Number),
        ];
        columns.extend(training.map(|_| Column::new("training", words.in_training, Kind::Number)));
        let mut blocks = listed("classes", Some(caption), columns, rows, self.lang);
        blocks.push(Block::Paragraph { text: plain(note), role: Role::Note });
        if scores.len() <= DRAWN {
            blocks.extend(self.figure("classes", words.class_scores_caption));
        }
        Some(blocks)
    }

    /// The kinds of what went wrong, where a task has kinds.
    pub(super) fn errors(&self) -> Option<Vec<Block>> {
        match self.run.result.metrics.as_ref()? {
            Metrics::Entities(metrics) => Some(self.entity_errors(metrics)),
            Metrics::Sql(_) => self.failures(),
            Metrics::Classes(_) | Metrics::Tags(_) | Metrics::Text(_) => None,
        }
    }

    fn entity_errors(&self, metrics: &tasks::score::Entities) -> Vec<Block> {
        let words = self.words;
        let faults = faults(self.run, words);
        let e = &metrics.errors;
        let wrong = e.missed + e.invented + e.wrong_type + e.wrong_boundary;
        if wrong == 0 {
            return vec![Block::Paragraph { text: plain(words.errors_none), role: Role::Body }];
        }
        let values = [
            ("wrong", self.n(wrong)),
            ("missed", self.n(e.missed)),
            ("invented", self.n(e.invented)),
            ("kinds", self.n(e.wrong_type)),
            ("boundaries", self.n(e.wrong_boundary)),
        ];
        let text = fill(words.errors_text, &values.each_ref().map(|(n, v)| (*n, v.as_str())));
        let mut blocks = vec![Block::Paragraph { text: plain(text), role: Role::Body }];
        blocks.extend(self.figure("errors", words.errors_figure_caption));
        let rows = faults.iter().enumerate().map(|(i, f)| Row {
            main: i == 0,
            cells: vec![
                if i == 0 { Cell::plain(&*f.name) } else { Cell::foreign(&f.name, NAME_CHARS) },
                self.count(f.expected()),
                self.count(f.right),
                self.count(f.missed),
                self.count(f.wrong_type),
                self.count(f.wrong_boundary),
                self.count(f.invented),
            ],
        });
        let columns = vec![
            Column::new("type", words.type_, Kind::Name),
            Column::new("expected", words.expected, Kind::Number),
            Column::new("right", &capital(words.errors_right), Kind::Number),
            Column::new("missed", &capital(words.errors_missed), Kind::Number),
            Column::new("wrong_type", &capital(words.errors_type), Kind::Number),
            Column::new("wrong_boundary", &capital(words.errors_boundary), Kind::Number),
            Column::new("invented", &capital(words.errors_invented), Kind::Number),
        ];
        blocks.extend(listed("errors", Some(words.errors_caption), columns, rows, self.lang));
        blocks
    }

    fn failures(&self) -> Option<Vec<Block>> {
        let (words, all) = (self.words, &self.run.predictions);
        let mut counts: BTreeMap<Option<Failure>, usize> = BTreeMap::new();
        for p in all.iter().filter(|p| !p.right()) {
            *counts.entry(p.answer.as_ref().map(|_| Failure::of(p.reason.as_deref().unwrap_or_default()))).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let rows: Vec<Row> = counts
            .into_iter()
            .map(|(failure, count)| {
                let (key, name) = match failure {
                    None => ("unreadable", words.failure_unreadable),
                    Some(Failure::DoesNotRun) => ("does_not_run", words.failure_invalid),
                    Some(Failure::Different) => ("different", words.failure_different),
                    Some(Failure::Lucky) => ("lucky", words.failure_lucky),
                };
                Row::new(vec![Cell { text: plain(name), value: key.into() }, self.count(count), self.percent(count as f64 / all.len() as f64)])
            })
            .collect();
        if rows.is_empty() {
            return None;
        }
        Some(vec![Block::Table(Table {
            name: "failures",
            caption: Some(words.failures_caption.into()),
            columns: vec![
                Column::new("failure", words.failure, Kind::Name),
                Column::new("count", words.count, Kind::Number),
                Column::new("share", words.share_of_all, Kind::Share),
            ],
            titled: true,
            rows,
        })])
    }
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn titles_become_words_of_a_sentence_and_abbreviations_stay() {
        for (title, word) in [("Accuracy", "accuracy"), ("F1", "F1"), ("ROUGE-L", "ROUGE-L"), ("chrF", "chrF"), ("Macro-F1", "macro-F1"), ("", "")] {
            assert_eq!(inside(title), word);
        }
    }
}
