//! The description of a data set and the tokens of a row, as tables for people.

use crate::show::{Output, json_line, line};
use crate::words::Words;
use lab::describe::{Counted, Description, Spread};
use lab::look::Batches;
use lab::microscope::Token;
use lab::set::Split;
use serde::Serialize;
use std::collections::BTreeMap;

/// A description with its batches, for programs.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    description: &'a Description,
    #[serde(skip_serializing_if = "Option::is_none")]
    batches: Option<&'a Batches>,
}

impl Output {
    /// What a data set is made of, and how its rows lie in batches.
    pub fn description(self, d: &Description, batches: Option<&Batches>) {
        if self.json {
            return json_line(&Shown { description: d, batches });
        }
        let words = self.words;
        line(&format!("{}: {}", d.name, d.examples.iter().map(|(s, n)| words.examples_of(*n, s.name())).collect::<Vec<_>>().join(", ")));
        let spreads = [("characters", &d.characters), ("words", &d.words), ("tokens", &d.tokens)];
        lengths(words, &spreads.map(|(name, s)| (name, s.as_ref())));
        if let Some(Batches { made, packed, padded }) = batches {
            if *made > 0 {
                line(&words.made(*made));
            }
            line(&words.batches(packed.batches, packed.share, padded.share, padded.shapes));
        }
        let v = &d.vocabulary;
        line(&words.vocabulary(v.distinct, v.occurrences, v.once));
        for (split, c) in &v.coverage {
            line(&format!("  {}", words.coverage(split.name(), c.occurrences, c.distinct)));
        }
        if !d.labels.is_empty() {
            line("");
            let splits: Vec<Split> = d.examples.keys().copied().collect();
            let heads = splits.iter().map(|s| format!("{:>14}", words.said(s.name()))).collect::<String>();
            line(&format!("{:<28}{heads}{:>9}  {}", words.label(), words.share(), words.telling()));
            for l in &d.labels {
                let telling = l.telling.iter().map(|t| t.word.as_str()).collect::<Vec<_>>().join(" ");
                line(&format!("{:<28}{}{:>9}  {telling}", l.name, counts(&l.examples, &splits), words.percent(l.share)));
            }
        }
        if let Some(e) = &d.entities {
            line("");
            line(&words.without_entities(e.without));
            for t in &e.types {
                line(&format!("{:<12} {}", t.name, words.entities(t.entities.values().sum(), t.distinct, &listed(&t.commonest))));
            }
        }
        if let Some(q) = &d.queries {
            line("");
            line(&words.features(&listed(&q.features), q.plain));
            line(&words.tables(&listed(&q.tables)));
        }
        if let Some(t) = &d.tags {
            line("");
            lengths(words, &[("hashtags", t.each.as_ref())]);
            line(&words.tags(t.distinct, t.once, &listed(&t.commonest)));
            for (split, share) in &t.known {
                line(&format!("  {}", words.known_tags(split.name(), *share)));
            }
        }
    }
}

impl Output {
    /// What a model reads of a row.
    pub fn tokens(self, tokens: &[Token]) {
        if self.json {
            return json_line(&tokens);
        }
        line(&self.words.tokens_head());
        for (i, t) in tokens.iter().enumerate() {
            let marks = [(t.loss, self.words.loss_mark()), (t.thinned, self.words.thinned_mark()), (t.cut, self.words.cut_mark())];
            let marks: Vec<&str> = marks.into_iter().filter(|(on, _)| *on).map(|(_, mark)| mark).collect();
            line(&format!("{i:>5} {:>7}  {:<10} {:<17} {}", t.id, self.words.role(t.role), marks.join(" "), t.text.escape_debug()));
        }
        if tokens.iter().any(|t| t.thinned) {
            line(&self.words.thinned());
        }
    }
}

/// A table of quantiles.
fn lengths(words: Words, spreads: &[(&str, Option<&Spread>)]) {
    let heads = [words.least(), "25 %", "50 %", "75 %", "95 %", "99 %", words.most()];
    line(&format!("{:<14}{}", "", heads.map(|h| format!("{h:>9}")).concat()));
    for (name, spread) in spreads {
        if let Some(s) = spread {
            let row = [s.least, s.quarter, s.median, s.three_quarters, s.p95, s.p99, s.most];
            line(&format!("{:<14}{}", words.said(name), row.map(|n| format!("{n:>9}")).concat()));
        }
    }
}

fn counts(examples: &BTreeMap<Split, usize>, splits: &[Split]) -> String {
    splits.iter().map(|s| format!("{:>14}", examples.get(s).copied().unwrap_or(0))).collect()
}

fn listed(counted: &[Counted]) -> String {
    counted.iter().map(|c| format!("{} {}", c.name, c.count)).collect::<Vec<_>>().join(", ")
}
