//! A data set described: what a person should know before training on it.
//!
//! [`describe`] counts; it judges nothing (that is [`crate::check`]'s part). Each kind of answer has a
//! file that describes it: [`labels`], [`entities`], [`queries`], [`tags`]; [`words`] counts words for
//! all of them.

pub mod entities;
pub mod labels;
pub mod queries;
pub mod tags;
mod words;

use crate::example::{Example, Target};
use crate::set::{DataSet, Split};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use ts_rs::TS;

pub use entities::Entities;
pub use labels::Label;
pub use queries::Queries;
pub use tags::Tags;
pub use words::{Coverage, Vocabulary};

/// Examples whose tokens are counted; of more, this many at even distances.
const TOKENIZED: usize = 100_000;
/// Strings of a kind that are listed.
const LISTED: usize = 10;

/// What a data set is made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// Name of the set.
    pub name: String,
    /// Task its examples are for.
    pub task: &'static str,
    /// Examples of each part.
    pub examples: BTreeMap<Split, usize>,
    /// Length of the texts in characters.
    pub characters: Option<Spread>,
    /// Length of the texts in words.
    pub words: Option<Spread>,
    /// Length in tokens; only where a tokenizer was given.
    pub tokens: Option<Spread>,
    /// The words of the texts.
    pub vocabulary: Vocabulary,
    /// Labels, commonest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// Entities, if the answers are entities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entities: Option<Entities>,
    /// Queries, if the answers are queries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queries: Option<Queries>,
    /// Hashtags, if the answers are hashtags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
}

/// Something with the number of times it occurs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
pub struct Counted {
    /// What it is.
    pub name: String,
    /// How often it occurs.
    pub count: usize,
}

/// How a length is spread.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Examples measured.
    pub measured: usize,
    /// Shortest.
    pub least: usize,
    /// A quarter is at most this long.
    pub quarter: usize,
    /// Half is at most this long.
    pub median: usize,
    /// Three quarters are at most this long.
    pub three_quarters: usize,
    /// 95 % are at most this long.
    pub p95: usize,
    /// 99 % are at most this long.
    pub p99: usize,
    /// Longest.
    pub most: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// Counts of up to twenty equal steps from nothing to the 99th percentile, and a last one of what is longer.
    pub histogram: Vec<usize>,
    /// Width of a step.
    pub step: usize,
}

impl Spread {
    /// The spread of these lengths; `None` without any.
    pub fn of(mut lengths: Vec<usize>) -> Option<Self> {
        lengths.par_sort_unstable();
        let at = |share: usize| lengths.get((lengths.len() * share / 100).min(lengths.len().saturating_sub(1))).copied();
        let p99 = at(99)?;
        let step = (p99 / 20 + 1).max(1);
        let mut histogram = vec![0; p99 / step + 2];
        let last = histogram.len() - 1;
        lengths.iter().for_each(|n| histogram[if *n > p99 { last } else { n / step }] += 1);
        Some(Self {
            measured: lengths.len(),
            least: at(0)?,
            quarter: at(25)?,
            median: at(50)?,
            three_quarters: at(75)?,
            p95: at(95)?,
            p99,
            most: at(100)?,
            mean: lengths.iter().sum::<usize>() as f64 / lengths.len() as f64,
            histogram,
            step,
        })
    }
}

/// Counts the tokens of an example, if it can.
pub type Count<'a> = dyn Fn(&Example) -> Option<usize> + Sync + 'a;

/// Describes a data set. `tokens` counts the tokens of an example, if it can be tokenized.
pub fn describe(set: &DataSet, tokens: Option<&Count<'_>>) -> Description {
    let all: Vec<(Split, &Example)> = set.splits.iter().flat_map(|(s, f)| f.examples.iter().map(move |e| (*s, e))).collect();
    let count = |f: &(dyn Fn(&Example) -> usize + Sync)| Spread::of(all.par_iter().map(|(_, e)| f(e)).collect());
    let step = all.len().div_ceil(TOKENIZED).max(1);
    let of = |test: fn(&Target) -> bool| all.iter().any(|(_, e)| test(&e.target));
    Description {
        name: set.card.name.clone(),
        task: set.kind.name(),
        examples: set.splits.iter().map(|(s, f)| (*s, f.examples.len())).collect(),
        characters: count(&|e| e.text.chars().count()),
        words: count(&|e| e.text.split_whitespace().count()),
        tokens: tokens.and_then(|count| Spread::of(all.par_iter().step_by(step).filter_map(|(_, e)| count(e)).collect())),
        vocabulary: words::vocabulary(&all),
        labels: labels::of(&all),
        entities: of(|t| matches!(t, Target::Entities(_))).then(|| entities::of(&all)),
        queries: of(|t| matches!(t, Target::Sql(_))).then(|| queries::of(&all)),
        tags: of(|t| matches!(t, Target::Tags(_))).then(|| tags::of(&all)),
    }
}

/// The commonest of counted names, equal ones in alphabetical order.
fn commonest<S: AsRef<str>>(counts: impl IntoIterator<Item = (S, usize)>, most: usize) -> Vec<Counted> {
    let mut all: Vec<Counted> = counts.into_iter().map(|(name, count)| Counted { name: name.as_ref().to_string(), count }).collect();
    all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    all.truncate(most);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use crate::set::Source;

    pub(super) fn described(kind: Kind, files: &[(&str, &str)]) -> Description {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).expect("writable");
        }
        let set = DataSet::open(&Source { kind: Some(kind), folder: Some(dir.path().into()), ..Source::default() }).expect("well-formed");
        describe(&set, Some(&|e: &Example| Some(e.text.len())))
    }

    #[test]
    fn a_spread_holds_its_quantiles_and_every_length() {
        let s = Spread::of((1..=1000).collect()).expect("lengths");
        assert_eq!((s.least, s.quarter, s.median, s.three_quarters, s.p95, s.p99, s.most, s.mean), (1, 251, 501, 751, 951, 991, 1000, 500.5));
        assert_eq!((s.histogram.iter().sum::<usize>(), s.histogram.last(), s.step), (1000, Some(&9), 50));
        assert_eq!(Spread::of(vec![7]).map(|s| (s.least, s.most, s.histogram.iter().sum())), Some((7, 7, 1)));
        assert_eq!(Spread::of(Vec::new()), None);
    }

    #[test]
    fn lengths_and_vocabulary_are_counted_over_all_parts() {
        let train = "{\"text\":\"il gatto dorme\",\"label\":\"a\"}\n{\"text\":\"il cane\",\"label\":\"b\"}\n";
        let d = described(Kind::Intent, &[("train.jsonl", train), ("test.jsonl", "{\"text\":\"Il gatto corre, corre\",\"label\":\"a\"}\n")]);
        assert_eq!(d.examples, BTreeMap::from([(Split::Train, 2), (Split::Test, 1)]));
        assert_eq!(d.words.map(|w| (w.least, w.median, w.most)), Some((2, 3, 4)));
        assert_eq!(d.tokens.map(|t| (t.measured, t.most)), Some((3, 21)));
        assert_eq!((d.vocabulary.distinct, d.vocabulary.occurrences, d.vocabulary.once), (5, 9, 2));
        let cover = &d.vocabulary.coverage[&Split::Test];
        assert_eq!((cover.occurrences, cover.distinct), (0.5, 2.0 / 3.0));
        assert!(!d.vocabulary.coverage.contains_key(&Split::Train));
    }
}
