//! Words counted as hashes, so that a million texts take megabytes.

use crate::error::Result;
use crate::example::Example;
use crate::near::normalized;
use crate::set::Split;
use crate::watch::Steps;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Counts by hash of a word.
pub(super) type Counts = HashMap<u64, u32>;

/// The words of a data set: runs of letters and digits, in lower case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Vocabulary {
    /// Different words.
    pub distinct: usize,
    /// Words.
    pub occurrences: usize,
    /// Words that occur once.
    pub once: usize,
    /// How far the words of training cover those of the other parts.
    pub coverage: BTreeMap<Split, Coverage>,
}

/// How much of a part is made of words that training has.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Coverage {
    /// Share of the words, between 0 and 1.
    pub occurrences: f64,
    /// Share of the different words.
    pub distinct: f64,
}

pub(super) fn hash(word: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    word.hash(&mut hasher);
    hasher.finish()
}

/// Texts whose words are counted between two questions whether to go on: of fewer, to add up what was counted would take longest.
const PIECE: usize = 1 << 16;

/// Counts the words of texts; each text counts one of `steps`.
pub(super) fn count(texts: &[&str], steps: &mut Steps<'_>) -> Result<Counts> {
    let mut counts = Counts::new();
    for piece in texts.chunks(PIECE) {
        let parts = piece.par_chunks(piece.len().div_ceil(rayon::current_num_threads()).max(1));
        counts = together(counts, parts.map(count_one_by_one).reduce(Counts::new, together));
        steps.after(piece.len() as u64)?;
    }
    Ok(counts)
}

fn together(a: Counts, b: Counts) -> Counts {
    let (mut large, small) = if a.len() < b.len() { (b, a) } else { (a, b) };
    small.into_iter().for_each(|(word, n)| *large.entry(word).or_default() += n);
    large
}

fn count_one_by_one(texts: &[&str]) -> Counts {
    let mut counts = Counts::new();
    for text in texts {
        normalized(text).split(' ').filter(|w| !w.is_empty()).for_each(|w| *counts.entry(hash(w)).or_default() += 1);
    }
    counts
}

/// The words of all texts; each text counts one of `steps`.
pub(super) fn vocabulary(all: &[(Split, &Example)], steps: &mut Steps<'_>) -> Result<Vocabulary> {
    let mut parts: BTreeMap<Split, Counts> = BTreeMap::new();
    for part in all.chunk_by(|a, b| a.0 == b.0) {
        let texts: Vec<&str> = part.iter().map(|(_, e)| e.text.as_str()).collect();
        parts.insert(part[0].0, count(&texts, steps)?);
    }
    let mut coverage = BTreeMap::new();
    if let Some(train) = parts.get(&Split::Train) {
        for (split, counts) in parts.iter().filter(|(s, c)| **s != Split::Train && !c.is_empty()) {
            let known = || counts.iter().filter(|(word, _)| train.contains_key(*word));
            let sum = |n: usize, of: usize| n as f64 / of as f64;
            let total = |counts: &Counts| counts.values().map(|n| *n as usize).sum::<usize>();
            let occurrences = sum(known().map(|(_, n)| *n as usize).sum(), total(counts));
            coverage.insert(*split, Coverage { occurrences, distinct: sum(known().count(), counts.len()) });
        }
    }
    let mut whole = Counts::new();
    for counts in parts.into_values() {
        if whole.is_empty() {
            whole = counts;
        } else {
            counts.into_iter().for_each(|(word, n)| *whole.entry(word).or_default() += n);
        }
    }
    let occurrences = whole.values().map(|n| *n as usize).sum();
    Ok(Vocabulary { distinct: whole.len(), occurrences, once: whole.values().filter(|n| **n == 1).count(), coverage })
}
