//! The shipped intent data set is what its card says: balanced, without near-duplicates across
//! splits, and with test rows that share no keyword with their label's training rows. The rules are
//! those of the card, word for word.

use acceptance::root;
use data::set::{DataSet, Source, Split};
use data::{Labelled, check};
use std::collections::{BTreeMap, HashSet};

fn set() -> DataSet {
    DataSet::open(&Source { folder: Some(root().join("datasets/intents-it")), ..Source::default() }).expect("the shipped set opens")
}

/// The card's `normalise`.
fn normalise(text: &str) -> String {
    let fold = |c: char| match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' => 'a',
        'è' | 'é' | 'ê' | 'ë' => 'e',
        'ì' | 'í' | 'î' | 'ï' => 'i',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' => 'o',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        c if c.is_ascii_lowercase() || c.is_ascii_digit() => c,
        _ => ' ',
    };
    let folded: String = text.to_lowercase().chars().map(fold).collect();
    folded.split(' ').filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
}

fn grams(text: &str) -> HashSet<String> {
    let chars: Vec<char> = normalise(text).chars().collect();
    if chars.len() < 4 {
        return HashSet::from([chars.into_iter().collect()]);
    }
    chars.windows(4).map(|w| w.iter().collect()).collect()
}

fn content_words(text: &str, stop: &HashSet<String>) -> HashSet<String> {
    let words = normalise(text);
    words.split(' ').filter(|w| w.len() >= 4 && w.bytes().all(|b| b.is_ascii_lowercase()) && !stop.contains(*w)).map(String::from).collect()
}

fn jaccard(a: &HashSet<String>, b: &HashSet<String>) -> f64 {
    let union = a.union(b).count();
    if union == 0 { 0.0 } else { a.intersection(b).count() as f64 / union as f64 }
}

fn stopwords() -> HashSet<String> {
    let text = std::fs::read_to_string(root().join("datasets/intents-it/stopwords.txt")).expect("shipped");
    text.lines().map(str::to_string).collect()
}

#[test]
fn every_split_is_balanced_and_sound() {
    let set = set();
    for (split, each) in [(Split::Train, 10), (Split::Validation, 2), (Split::Test, 13)] {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for e in set.examples(split) {
            *counts.entry(&e.label).or_default() += 1;
        }
        assert_eq!(counts.len(), 12, "{split:?}");
        assert!(counts.values().all(|&n| n == each), "{split:?}: {counts:?}");
    }
    assert_eq!(check::labelled(&set), []);
}

#[test]
fn no_row_is_a_near_duplicate_of_another() {
    let (set, stop) = (set(), stopwords());
    let all: Vec<&Labelled> = Split::ALL.iter().flat_map(|s| set.examples(*s)).collect();
    assert_eq!(all.len(), 300);
    let prepared: Vec<_> = all.iter().map(|e| (normalise(&e.text), grams(&e.text), content_words(&e.text, &stop))).collect();
    for (i, (a, ag, aw)) in prepared.iter().enumerate() {
        for (j, (b, bg, bw)) in prepared.iter().enumerate().skip(i + 1) {
            let rows = format!("{} and {}", all[i].origin, all[j].origin);
            assert_ne!(a, b, "{rows}");
            assert!(jaccard(ag, bg) < 0.4, "{rows}: characters {:.2}", jaccard(ag, bg));
            assert!(jaccard(aw, bw) < 0.5, "{rows}: words {:.2}", jaccard(aw, bw));
        }
    }
}

#[test]
fn rows_without_keywords_share_none_with_their_labels_training_rows() {
    let (set, stop) = (set(), stopwords());
    let prefixes = |text: &str| content_words(text, &stop).into_iter().map(|w| w[..w.len().min(5)].to_string()).collect::<HashSet<_>>();
    let text = std::fs::read_to_string(root().join("datasets/intents-it/test.jsonl")).expect("shipped");
    let mut checked: BTreeMap<String, usize> = BTreeMap::new();
    for line in text.lines() {
        let row: serde_json::Value = serde_json::from_str(line).expect("JSON");
        if row["kind"] != "no_keyword" {
            continue;
        }
        let (text, label) = (row["text"].as_str().expect("a text"), row["label"].as_str().expect("a label"));
        let own = prefixes(text);
        assert!(!own.is_empty(), "{text}");
        for e in set.examples(Split::Train).iter().filter(|e| e.label == label) {
            let theirs = prefixes(&e.text);
            let shared: Vec<&String> = own.intersection(&theirs).collect();
            assert!(shared.is_empty(), "{text} shares {shared:?} with {}", e.text);
        }
        *checked.entry(label.into()).or_default() += 1;
    }
    assert!(checked.len() == 12 && checked.values().all(|&n| n >= 2), "{checked:?}");
}
