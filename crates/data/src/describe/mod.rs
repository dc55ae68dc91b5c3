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

use crate::error::Result;
use crate::example::{Example, Target};
use crate::set::{DataSet, Split};
use crate::watch::Steps;
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

/// How often [`describe_with`] looks at each row whose tokens are not counted.
const LOOKS: u64 = 5;

/// What [`describe_with`] counts of a set whose tokens are not counted.
pub fn work(set: &DataSet) -> u64 {
    LOOKS * set.splits.values().map(|file| file.examples.len() as u64).sum::<u64>()
}

/// Describes a data set. `tokens` counts the tokens of an example, if it can be tokenized.
///
/// # Errors
/// Never in practice: nobody ends it.
pub fn describe(set: &DataSet, tokens: Option<&Count<'_>>) -> Result<Description> {
    describe_with(set, tokens, &mut Steps::default())
}

/// As [`describe`]; of `steps` it takes what [`work`] says.
///
/// # Errors
/// If it was ended.
pub fn describe_with(set: &DataSet, tokens: Option<&Count<'_>>, steps: &mut Steps<'_>) -> Result<Description> {
    let all: Vec<(Split, &Example)> = set.splits.iter().flat_map(|(s, f)| f.examples.iter().map(move |e| (*s, e))).collect();
    let mut count = |rows: &[(Split, &Example)], f: &Count<'_>| -> Result<Option<Spread>> { Ok(Spread::of(steps.each(rows, |(_, e)| f(e))?)) };
    let characters = count(&all, &|e| Some(e.text.chars().count()))?;
    let words = count(&all, &|e| Some(e.text.split_whitespace().count()))?;
    let some: Vec<(Split, &Example)> = all.iter().copied().step_by(all.len().div_ceil(TOKENIZED).max(1)).collect();
    let tokens = tokens.map(|tokens| count(&some, tokens)).transpose()?.flatten();
    let vocabulary = words::vocabulary(&all, steps)?;
    let labels = labels::of(&all, steps)?;
    // a set has answers of one kind
    let of = |test: fn(&Target) -> bool| all.iter().any(|(_, e)| test(&e.target));
    let entities = of(|t| matches!(t, Target::Entities(_))).then(|| entities::of(&all, steps)).transpose()?;
    let queries = of(|t| matches!(t, Target::Sql(_))).then(|| queries::of(&all, steps)).transpose()?;
    let tags = of(|t| matches!(t, Target::Tags(_))).then(|| tags::of(&all, steps)).transpose()?;
    Ok(Description {
        name: set.card.name.clone(),
        task: set.kind.name(),
        examples: set.splits.iter().map(|(s, f)| (*s, f.examples.len())).collect(),
        characters,
        words,
        tokens,
        vocabulary,
        labels,
        entities,
        queries,
        tags,
    })
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
        describe(&set, Some(&|e: &Example| Some(e.text.len()))).expect("nobody ends it")
    }

    #[test]
    fn every_kind_of_set_is_counted_to_its_end_and_no_further_than_somebody_waits() {
        let text = |n: usize| format!("il testo numero {n}");
        let row = |kind: Kind, n: usize| match kind {
            Kind::Intent => serde_json::json!({"text": text(n), "label": (if n.is_multiple_of(2) { "a" } else { "b" })}),
            Kind::Entities => serde_json::json!({"text": text(n), "entities": [{"start": 3, "end": 8, "type": "x"}]}),
            Kind::Sql => serde_json::json!({"question": text(n), "sql": "SELECT n FROM t"}),
            Kind::Hashtags => serde_json::json!({"text": text(n), "hashtags": ["#a"]}),
            Kind::Custom => serde_json::json!({"prompt": text(n), "completion": "x"}),
        };
        let dir = tempfile::tempdir().expect("a temporary folder");
        for kind in Kind::ALL {
            let rows: String = (0..10).map(|n| row(kind, n).to_string() + "\n").collect();
            std::fs::write(dir.path().join("train.jsonl"), rows).expect("writable");
            let set = DataSet::open(&Source { kind: Some(kind), folder: Some(dir.path().into()), ..Source::default() }).expect("well-formed");
            let mut told = Vec::new();
            let mut watch = |done: u64, total: Option<u64>| {
                told.push((done, total));
                true
            };
            let described = describe_with(&set, None, &mut Steps::new(work(&set), &mut watch)).expect("nobody ends it");
            assert_eq!(described, describe(&set, None).expect("nobody ends it"));
            // of completions nothing is counted but their texts
            let whole = if kind == Kind::Custom { 40 } else { 50 };
            assert!(told.is_sorted() && told.last() == Some(&(whole, Some(50))), "{kind}: {told:?}");
            for last in 1..=told.len() {
                let mut asked = 0;
                let mut watch = |_: u64, _: Option<u64>| {
                    asked += 1;
                    asked < last
                };
                let ended = describe_with(&set, None, &mut Steps::new(work(&set), &mut watch));
                assert!(matches!(ended, Err(crate::Error::Ended)) && asked == last, "{kind}: {last}");
            }
        }
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
