//! What the model is good for and what not, derived from the measured numbers by the rules stated here; each
//! sentence names its rule.

use super::scores::by_label;
use super::{NAME_CHARS, NAMED, Page, coverage};
use crate::document::{Block, Text, plain};
use crate::figure;
use crate::text::{clean, fill};
use tasks::Metrics;
use tasks::score::{Classification, Entities, FreeText, Sql, Tags};

/// From this score on a label, or a whole task, is called reliable.
const RELIABLE: f64 = 0.8;
/// Below this score it is called unreliable.
const UNRELIABLE: f64 = 0.5;
/// With fewer examples nothing is said about a label.
const EXAMPLES: usize = 10;
/// Above this calibration error probabilities are not to be taken at their word.
const CALIBRATION: f64 = 0.1;
/// The accuracy that answers above a threshold should reach.
const ACCURACY: f64 = 0.9;
/// Fewer answers than this above a threshold prove nothing.
const ANSWERS: usize = 20;
/// A larger share of queries that do not run is mentioned.
const INVALID: f64 = 0.05;

impl Page<'_> {
    /// What follows from the measured numbers for using the model.
    pub(super) fn good_for(&self) -> Option<Vec<Block>> {
        let (words, metrics) = (self.words, self.run.result.metrics.as_ref().filter(|m| m.examples() > 0)?);
        let mut items: Vec<Text> = Vec::new();
        let interval = |m: &Metrics| m.headline()[0].2;
        for (name, scores) in self.baselines() {
            if interval(metrics)[0] <= interval(scores)[1] {
                items.push(plain(fill(words.use_no_better, &[("other", &self.article(name))])));
            }
        }
        match metrics {
            Metrics::Classes(m) => self.labels_fit(metrics, &mut items, Some(m)),
            Metrics::Entities(m) => self.entities_fit(metrics, m, &mut items),
            Metrics::Sql(m) => self.queries_fit(m, &mut items),
            Metrics::Tags(m) => self.tags_fit(m, &mut items),
            Metrics::Text(m) => self.texts_fit(m, &mut items),
        }
        let data = clean(&self.run.run.data.name, NAME_CHARS);
        let language = super::language(&self.run.run.data.language, words);
        let template = if language.is_empty() { words.use_only } else { words.use_only_language };
        let examples = self.n(metrics.examples());
        items.push(plain(fill(template, &[("examples", &examples), ("data", &data), ("language", &language)])));
        Some(vec![Block::List { items }])
    }

    /// What is said of labels, or of types of entities, by their F1.
    fn labels_fit(&self, metrics: &Metrics, items: &mut Vec<Text>, classes: Option<&Classification>) {
        let (words, lang) = (self.words, self.lang);
        let scores = by_label(metrics).unwrap_or_default();
        let enough: Vec<_> = scores.iter().filter(|(_, c)| c.support >= EXAMPLES).collect();
        let labels = |keep: &dyn Fn(f64) -> bool| -> Vec<&str> { enough.iter().filter(|(_, c)| keep(c.f1)).map(|(l, _)| l.as_str()).collect() };
        let few: Vec<&str> = scores.iter().filter(|(_, c)| c.support < EXAMPLES).map(|(l, _)| l.as_str()).collect();
        let (high, low, least) = (lang.percent(RELIABLE), lang.percent(UNRELIABLE), self.n(EXAMPLES));
        for (template, labels) in [
            (words.use_reliable, labels(&|f1| f1 >= RELIABLE)),
            (words.use_check, labels(&|f1| (UNRELIABLE..RELIABLE).contains(&f1))),
            (words.use_unreliable, labels(&|f1| f1 < UNRELIABLE)),
            (words.use_few, few),
        ] {
            if !labels.is_empty() {
                items.push(plain(fill(template, &[("labels", &self.named(&labels)), ("high", &high), ("low", &low), ("least", &least)])));
            }
        }
        if let Some(metrics) = classes {
            self.threshold_fit(items);
            if metrics.expected_calibration_error > CALIBRATION && self.run.has_probabilities() {
                let points = |share: f64| lang.decimal(share * 100.0, 1);
                let (error, limit) = (points(metrics.expected_calibration_error), points(CALIBRATION));
                items.push(plain(fill(words.use_calibration, &[("error", &error), ("limit", &limit)])));
            }
        }
    }

    /// What refusing unsure answers would bring.
    fn threshold_fit(&self, items: &mut Vec<Text>) {
        let (words, lang) = (self.words, self.lang);
        // what was chosen on the validation set says more than what would have been best here
        if let Some(c) = self.run.calibration.as_ref().filter(|c| c.test.is_some()) {
            let good = lang.percent(c.wanted);
            let Some((chosen, tested)) = c.threshold.zip(c.threshold_on_test) else {
                items.push(plain(fill(words.use_no_threshold_validation, &[("good", &good)])));
                return;
            };
            let values = [
                ("threshold", lang.percent(tested.threshold)),
                ("share", lang.percent(tested.coverage)),
                ("accuracy", lang.percent(tested.accuracy)),
                ("reached", lang.percent(chosen.accuracy)),
                ("given", self.n((chosen.coverage * c.validation.examples as f64).round() as usize)),
                ("good", good),
            ];
            let values = values.each_ref().map(|(n, v)| (*n, v.as_str()));
            let mut text = fill(words.use_threshold_validation, &values);
            // where nothing was answered, nothing was missed
            if tested.coverage > 0.0 && tested.accuracy < c.wanted {
                text = format!("{text} {}", fill(words.use_threshold_missed, &values));
            }
            items.push(plain(text));
            return;
        }
        let Some(curve) = coverage(self.run) else { return };
        let accuracy = |p: &figure::Covered| p.right as f64 / p.answered as f64;
        let good = lang.percent(ACCURACY);
        let widest = curve.iter().rfind(|p| p.answered >= ANSWERS && accuracy(p) >= ACCURACY);
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
            None => fill(words.use_no_threshold, &[("good", &good), ("answers", &self.n(ANSWERS))]),
        }));
    }

    fn entities_fit(&self, metrics: &Metrics, m: &Entities, items: &mut Vec<Text>) {
        let words = self.words;
        self.labels_fit(metrics, items, None);
        let e = &m.errors;
        let wrong = e.missed + e.invented + e.wrong_type + e.wrong_boundary;
        let kinds = [
            (e.missed, words.use_missed),
            (e.invented, words.use_invented),
            (e.wrong_type, words.use_wrong_type),
            (e.wrong_boundary, words.use_wrong_boundary),
        ];
        if let Some((count, template)) = kinds.into_iter().find(|(count, _)| wrong >= EXAMPLES && 2 * count > wrong) {
            items.push(plain(fill(template, &[("share", &self.lang.percent(count as f64 / wrong as f64))])));
        }
    }

    fn queries_fit(&self, m: &Sql, items: &mut Vec<Text>) {
        let (words, lang) = (self.words, self.lang);
        let score = m.execution_accuracy;
        let template = by_score(score, [words.use_sql_good, words.use_sql_draft, words.use_sql_bad]);
        items.push(plain(fill(template, &[("score", &lang.percent(score)), ("high", &lang.percent(RELIABLE)), ("low", &lang.percent(UNRELIABLE))])));
        if 1.0 - m.valid_sql > INVALID {
            items.push(plain(fill(words.use_sql_invalid, &[("share", &lang.percent(1.0 - m.valid_sql)), ("limit", &lang.percent(INVALID))])));
        }
        if m.lucky > 0 {
            items.push(plain(fill(words.use_sql_lucky, &[("count", &self.n(m.lucky))])));
        }
        self.threshold_fit(items);
        let tables: Vec<&str> = self.run.run.data.tables.iter().map(|t| t.name.as_str()).collect();
        if !tables.is_empty() {
            items.push(plain(fill(words.use_sql_tables, &[("tables", &self.named(&tables))])));
        }
    }

    fn tags_fit(&self, m: &Tags, items: &mut Vec<Text>) {
        let (words, lang) = (self.words, self.lang);
        let (high, low) = (lang.percent(RELIABLE), lang.percent(UNRELIABLE));
        let template = by_score(m.at_least_one_hit, [words.use_tags_good, words.use_tags_some, words.use_tags_bad]);
        items.push(plain(fill(template, &[("hit", &lang.percent(m.at_least_one_hit)), ("high", &high), ("low", &low)])));
        if m.precision < RELIABLE {
            items.push(plain(fill(words.use_tags_unattended, &[("precision", &lang.percent(m.precision)), ("high", &high)])));
        }
        if 2.0 * m.diversity < m.diversity_expected {
            let (diversity, expected) = (lang.percent(m.diversity), lang.percent(m.diversity_expected));
            items.push(plain(fill(words.use_tags_same, &[("diversity", &diversity), ("expected", &expected)])));
        }
    }

    fn texts_fit(&self, m: &FreeText, items: &mut Vec<Text>) {
        let (words, lang) = (self.words, self.lang);
        let template = match () {
            () if m.exact_match >= RELIABLE => words.use_text_good,
            () if m.chrf >= UNRELIABLE => words.use_text_near,
            () => words.use_text_bad,
        };
        let values =
            [("score", lang.percent(m.exact_match)), ("chrf", lang.percent(m.chrf)), ("high", lang.percent(RELIABLE)), ("low", lang.percent(UNRELIABLE))];
        items.push(plain(fill(template, &values.each_ref().map(|(n, v)| (*n, v.as_str())))));
        self.threshold_fit(items);
    }

    /// A few labels by name, and how many there are more.
    fn named(&self, labels: &[&str]) -> String {
        let names: Vec<String> = labels.iter().take(NAMED).map(|l| clean(l, 60)).collect();
        let names = names.join(", ");
        if labels.len() <= NAMED { names } else { fill(self.words.and_more, &[("names", &names), ("count", &self.n(labels.len() - NAMED))]) }
    }
}

/// The sentence for a score: reliable, to be checked, unreliable.
fn by_score(score: f64, [reliable, check, unreliable]: [&'static str; 3]) -> &'static str {
    match score {
        s if s >= RELIABLE => reliable,
        s if s >= UNRELIABLE => check,
        _ => unreliable,
    }
}
