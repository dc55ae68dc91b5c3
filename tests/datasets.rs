//! The shipped entities data set is what its card says: the promised sizes, no near-duplicates within or
//! across splits, spans that lie where they say.

use acceptance::near::assert_apart;
use acceptance::root;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

const SPLITS: [&str; 3] = ["train", "validation", "test"];

/// The rows of a set by split, each with its file and line.
fn rows<T: DeserializeOwned>(set: &str) -> BTreeMap<&'static str, Vec<(String, T)>> {
    let read = |split: &&'static str| {
        let file = format!("datasets/{set}/{split}.jsonl");
        let text = std::fs::read_to_string(root().join(&file)).expect("a shipped data set");
        let row = |(i, line): (usize, &str)| {
            let place = format!("{file}:{}", i + 1);
            let row = serde_json::from_str(line).unwrap_or_else(|e| panic!("{place}: {e}"));
            (place, row)
        };
        (*split, text.lines().enumerate().map(row).collect())
    };
    SPLITS.iter().map(read).collect()
}

fn sizes<T>(rows: &BTreeMap<&str, Vec<T>>) -> [usize; 3] {
    SPLITS.map(|s| rows[s].len())
}

#[derive(Deserialize)]
struct Sentence {
    text: String,
    entities: Vec<Span>,
}

#[derive(Deserialize)]
struct Span {
    start: usize,
    end: usize,
    r#type: String,
}

#[test]
fn entities_lie_in_their_sentences() {
    let set = rows::<Sentence>("entities-it");
    let mut types: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, row) in set.values().flatten() {
        let chars: Vec<char> = row.text.chars().collect();
        let mut end = 0;
        for e in &row.entities {
            assert!(end <= e.start && e.start < e.end && e.end <= chars.len(), "{place}: {}-{} overlaps or lies outside", e.start, e.end);
            let letter = |i: usize| chars[i].is_alphanumeric();
            assert!(!chars[e.start].is_whitespace() && !chars[e.end - 1].is_whitespace(), "{place}: {}-{} begins or ends with a space", e.start, e.end);
            let cuts = |i: usize| i > 0 && i < chars.len() && letter(i - 1) && letter(i);
            assert!(!cuts(e.start) && !cuts(e.end), "{place}: {}-{} cuts a word", e.start, e.end);
            *types.entry(&e.r#type).or_default() += 1;
            end = e.end;
        }
    }
    assert_eq!(types.keys().copied().collect::<Vec<_>>(), ["dates", "people", "places"]);
    assert!(types.values().all(|&n| n >= 200), "{types:?}");
    let bare = set.values().flatten().filter(|(_, r)| r.entities.is_empty()).count();
    assert!(bare >= 40, "only {bare} sentences without an entity");
}

#[test]
fn entities_have_the_promised_size_and_no_near_duplicates() {
    let set = rows::<Sentence>("entities-it");
    assert_eq!(sizes(&set), [560, 60, 70]);
    assert_apart(&set.into_values().flatten().map(|(place, row)| (place, row.text)).collect::<Vec<_>>(), 0.4);
}
