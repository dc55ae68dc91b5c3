//! The shipped intent data set is what its card says: balanced, without near-duplicates across
//! splits, and with test rows that share no keyword with their label's training rows. The rules are
//! those of the card, word for word.

use acceptance::near::{assert_apart, jaccard, normalise};
use acceptance::root;
use data::set::{DataSet, Source, Split};
use data::{Example, check};
use std::collections::{BTreeMap, HashSet};

fn set() -> DataSet {
    DataSet::open(&Source { folder: Some(root().join("datasets/intents-it")), ..Source::default() }).expect("the shipped set opens")
}

fn content_words(text: &str, stop: &HashSet<String>) -> HashSet<String> {
    let words = normalise(text);
    words.split(' ').filter(|w| w.len() >= 4 && w.bytes().all(|b| b.is_ascii_lowercase()) && !stop.contains(*w)).map(String::from).collect()
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
            *counts.entry(e.label()).or_default() += 1;
        }
        assert_eq!(counts.len(), 12, "{split:?}");
        assert!(counts.values().all(|&n| n == each), "{split:?}: {counts:?}");
    }
    assert_eq!(check::findings(&set, None).expect("no database is needed"), []);
}

#[test]
fn no_row_is_a_near_duplicate_of_another() {
    let (set, stop) = (set(), stopwords());
    let all: Vec<&Example> = Split::ALL.iter().flat_map(|s| set.examples(*s)).collect();
    assert_eq!(all.len(), 300);
    let texts: Vec<(String, String)> = all.iter().map(|e| (e.origin.to_string(), e.text.clone())).collect();
    assert_apart(&texts, 0.4);
    let words: Vec<_> = all.iter().map(|e| content_words(&e.text, &stop)).collect();
    for (i, a) in words.iter().enumerate() {
        for (j, b) in words.iter().enumerate().skip(i + 1) {
            assert!(jaccard(a, b) < 0.5, "{} and {}: words {:.2}", all[i].origin, all[j].origin, jaccard(a, b));
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
        for e in set.examples(Split::Train).iter().filter(|e| e.label() == label) {
            let theirs = prefixes(&e.text);
            let shared: Vec<&String> = own.intersection(&theirs).collect();
            assert!(shared.is_empty(), "{text} shares {shared:?} with {}", e.text);
        }
        *checked.entry(label.into()).or_default() += 1;
    }
    assert!(checked.len() == 12 && checked.values().all(|&n| n >= 2), "{checked:?}");
}
