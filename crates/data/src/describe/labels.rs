//! Labels: how many examples each has, and the words that tell it from the others.
//!
//! Words are ranked by the log-odds ratio with an informative Dirichlet prior (Monroe, Colaresi and
//! Quinn, Fightin' Words, Political Analysis 2008, equations 16 and 22): the prior is the whole set,
//! so a rare word must be much more frequent in a label than elsewhere before it counts, and a
//! common one (il, di) never does.

use super::words::{self, Counts};
use crate::error::Result;
use crate::example::{Example, Target};
use crate::near::normalized;
use crate::set::Split;
use crate::watch::{PIECE, Steps};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Words listed for a label.
const TELLING: usize = 8;
/// A word that occurs less often tells nothing.
const LEAST: u32 = 2;
/// Below two deviations the difference may be chance.
const SURE: f64 = 1.96;

/// A label of the set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Label {
    /// Its name.
    pub name: String,
    /// Its examples in each part.
    pub examples: BTreeMap<Split, usize>,
    /// Its share of the training examples; without those, of all.
    pub share: f64,
    /// The words that tell it from the others, most telling first.
    pub telling: Vec<Telling>,
}

/// A word that is more frequent with a label than elsewhere.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Telling {
    /// The word, in lower case.
    pub word: String,
    /// How often it occurs with the label.
    pub count: usize,
    /// Log-odds ratio in standard deviations.
    pub z: f64,
}

/// The labels of a set; each row counts one of `steps`, and one more where its words are counted.
pub(super) fn of(all: &[(Split, &Example)], steps: &mut Steps<'_>) -> Result<Vec<Label>> {
    let mut texts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut examples: BTreeMap<&str, BTreeMap<Split, usize>> = BTreeMap::new();
    let base = if all.iter().any(|(s, _)| *s == Split::Train) { Some(Split::Train) } else { None };
    for piece in all.chunks(PIECE) {
        for (split, e) in piece {
            if let Target::Label(label) = &e.target {
                *examples.entry(label).or_default().entry(*split).or_default() += 1;
                let texts = texts.entry(label).or_default();
                // what is told to a person must not come from the test
                if base.is_none_or(|b| b == *split) {
                    texts.push(&e.text);
                }
            }
        }
        steps.after(piece.len() as u64)?;
    }
    let counts: Vec<Counts> = texts.values().map(|t| words::count(t, steps)).collect::<Result<_>>()?;
    let mut telling = telling(&counts, &texts.values().map(Vec::as_slice).collect::<Vec<_>>());
    let total: usize = texts.values().map(Vec::len).sum();
    let mut labels: Vec<Label> = examples
        .into_iter()
        .zip(texts.values())
        .enumerate()
        .map(|(i, ((name, examples), texts))| Label {
            name: name.into(),
            examples,
            share: texts.len() as f64 / total.max(1) as f64,
            telling: std::mem::take(&mut telling[i]),
        })
        .collect();
    labels.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.name.cmp(&b.name)));
    Ok(labels)
}

/// For each label its most telling words.
fn telling(counts: &[Counts], texts: &[&[&str]]) -> Vec<Vec<Telling>> {
    let mut whole: HashMap<u64, u64> = HashMap::new();
    counts.iter().flatten().for_each(|(word, n)| *whole.entry(*word).or_default() += u64::from(*n));
    let occurrences = whole.values().sum::<u64>() as f64;
    // the prior weighs as much as one label does on average
    let weight = 1.0 / counts.len().max(1) as f64;
    let prior_total = occurrences * weight;
    let of_label = |own: &Counts| {
        let own_total = own.values().map(|n| f64::from(*n)).sum::<f64>();
        let mut ranked: Vec<(f64, u64, u32)> = own
            .iter()
            .filter(|(_, n)| **n >= LEAST)
            .map(|(word, n)| {
                let (here, prior) = (f64::from(*n), whole[word] as f64 * weight);
                let there = whole[word] as f64 - here;
                let odds = |y: f64, n: f64| ((y + prior) / (n + prior_total - y - prior)).ln();
                let z = (odds(here, own_total) - odds(there, occurrences - own_total)) / (1.0 / (here + prior) + 1.0 / (there + prior)).sqrt();
                (z, *word, *n)
            })
            .filter(|(z, _, _)| *z > SURE)
            .collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        ranked.truncate(TELLING);
        ranked
    };
    let ranked: Vec<_> = counts.par_iter().map(of_label).collect();
    ranked.into_iter().zip(texts).map(|(words, texts)| spelled(words, texts)).collect()
}

/// Finds the words that were counted as hashes.
fn spelled(words: Vec<(f64, u64, u32)>, texts: &[&str]) -> Vec<Telling> {
    let mut names: HashMap<u64, Option<String>> = words.iter().map(|(_, hash, _)| (*hash, None)).collect();
    let mut missing = names.len();
    for text in texts {
        if missing == 0 {
            break;
        }
        for word in normalized(text).split(' ') {
            if let Some(name @ None) = names.get_mut(&words::hash(word)) {
                *name = Some(word.into());
                missing -= 1;
            }
        }
    }
    words.into_iter().filter_map(|(z, hash, count)| Some(Telling { word: names.get(&hash)?.clone()?, count: count as usize, z })).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::described;
    use super::*;
    use crate::Kind;

    #[test]
    fn telling_words_are_those_of_the_label_and_not_the_common_ones() {
        let mut train = String::new();
        for i in 0..30 {
            train += &serde_json::json!({"text": format!("il pacco numero {i} è in ritardo di {i} giorni"), "label": "spedizione"}).to_string();
            train += "\n";
            train += &serde_json::json!({"text": format!("il rimborso numero {i} non è sul conto di mio padre"), "label": "rimborso"}).to_string();
            train += "\n";
        }
        let test = "{\"text\":\"pacco rimborso\",\"label\":\"rimborso\"}\n".repeat(3);
        let d = described(Kind::Intent, &[("train.jsonl", &train), ("test.jsonl", &test)]);
        let names: Vec<&str> = d.labels.iter().map(|l| l.name.as_str()).collect();
        assert_eq!(names, ["rimborso", "spedizione"]);
        assert_eq!(d.labels[0].examples, BTreeMap::from([(Split::Train, 30), (Split::Test, 3)]));
        assert_eq!(d.labels[0].share, 0.5);
        let words: Vec<&str> = d.labels[1].telling.iter().map(|t| t.word.as_str()).collect();
        for word in ["pacco", "ritardo", "giorni", "in"] {
            assert!(words.contains(&word), "{word} is not among {words:?}");
        }
        for word in ["il", "numero", "è", "di", "rimborso"] {
            assert!(!words.contains(&word), "{word} is among {words:?}");
        }
        assert!(d.labels[1].telling.iter().all(|t| t.count == 30));
    }
}
