//! Hashtags: how many a text has, which are common, and how many of the test's are known to training.

use super::{Counted, LISTED, Spread, commonest};
use crate::error::Result;
use crate::example::{Example, Target};
use crate::set::Split;
use crate::watch::{PIECE, Steps};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The hashtags of a set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tags {
    /// Hashtags of a text.
    pub each: Option<Spread>,
    /// Different hashtags.
    pub distinct: usize,
    /// Hashtags that occur once.
    pub once: usize,
    /// The commonest.
    pub commonest: Vec<Counted>,
    /// Share of the hashtags of each other part that occur in training, between 0 and 1.
    pub known: BTreeMap<Split, f64>,
}

/// The hashtags of a set; each row counts one of `steps`.
pub(super) fn of(all: &[(Split, &Example)], steps: &mut Steps<'_>) -> Result<Tags> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut parts: BTreeMap<Split, Vec<&str>> = BTreeMap::new();
    let mut each = Vec::new();
    for piece in all.chunks(PIECE) {
        for (split, e) in piece {
            let Target::Tags(tags) = &e.target else { continue };
            each.push(tags.len());
            for tag in tags {
                *counts.entry(tag).or_default() += 1;
                parts.entry(*split).or_default().push(tag);
            }
        }
        steps.after(piece.len() as u64)?;
    }
    let train: HashSet<&str> = parts.get(&Split::Train).into_iter().flatten().copied().collect();
    let share = |tags: &Vec<&str>| tags.iter().filter(|t| train.contains(*t)).count() as f64 / tags.len().max(1) as f64;
    let known = parts.iter().filter(|(split, _)| **split != Split::Train && !train.is_empty()).map(|(split, tags)| (*split, share(tags))).collect();
    let (distinct, once) = (counts.len(), counts.values().filter(|n| **n == 1).count());
    Ok(Tags { each: Spread::of(each), distinct, once, commonest: commonest(counts, LISTED), known })
}

#[cfg(test)]
mod tests {
    use super::super::tests::described;
    use super::*;
    use crate::Kind;

    #[test]
    fn tags_are_counted_and_those_of_the_test_looked_up_in_training() {
        let row = |tags: &[&str]| serde_json::json!({"text": "testo", "hashtags": tags}).to_string() + "\n";
        let files = [("train.jsonl", row(&["#a", "#b"]) + &row(&["#a"])), ("test.jsonl", row(&["#a", "#b", "#c", "#d"]))];
        let t = described(Kind::Hashtags, &files.each_ref().map(|(name, text)| (*name, text.as_str()))).tags.expect("tags");
        assert_eq!((t.distinct, t.once, t.known), (4, 2, BTreeMap::from([(Split::Test, 0.5)])));
        assert_eq!(t.commonest[0], Counted { name: "#a".into(), count: 3 });
        assert_eq!(t.each.map(|s| (s.least, s.most)), Some((1, 4)));
    }
}
