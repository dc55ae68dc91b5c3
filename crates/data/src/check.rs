//! What would spoil a run, found before it starts.

use crate::example::Labelled;
use crate::set::{DataSet, Split};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use ts_rs::TS;
use unicode_normalization::UnicodeNormalization;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Training would be meaningless or impossible.
    Error,
    /// Training works, but the result may mislead.
    Warning,
}

/// Something found in a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// Machine-readable kind, for instance `duplicate`.
    pub kind: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Rows concerned, as `file:line`.
    pub rows: Vec<String>,
    /// A sentence that explains it and says what to do.
    pub message: String,
}

/// Fewer training examples of a label than this are called out: with one or two, half of what the
/// label means is not seen.
const FEW: usize = 3;

/// Checks labelled data.
pub fn labelled(set: &DataSet) -> Vec<Finding> {
    let mut out = Vec::new();
    empty(set, &mut out);
    labels(set, &mut out);
    repeats(set, &mut out);
    out.sort_by_key(|f| f.severity);
    out
}

fn rows(examples: &[&Labelled]) -> Vec<String> {
    examples.iter().map(|e| e.origin.to_string()).collect()
}

fn all(set: &DataSet) -> impl Iterator<Item = (Split, &Labelled)> {
    set.splits.iter().flat_map(|(s, f)| f.examples.iter().map(move |e| (*s, e)))
}

fn empty(set: &DataSet, out: &mut Vec<Finding>) {
    let no_text: Vec<&Labelled> = all(set).map(|(_, e)| e).filter(|e| e.text.trim().is_empty()).collect();
    if !no_text.is_empty() {
        let message = format!("{} rows have an empty text; delete them or fill them in", no_text.len());
        out.push(Finding { kind: "empty_text", severity: Severity::Error, rows: rows(&no_text), message });
    }
    let no_label: Vec<&Labelled> = all(set).map(|(_, e)| e).filter(|e| e.label.is_empty()).collect();
    if !no_label.is_empty() {
        let message = format!("{} rows have an empty label; delete them or label them", no_label.len());
        out.push(Finding { kind: "empty_label", severity: Severity::Error, rows: rows(&no_label), message });
    }
    let odd: Vec<&Labelled> = all(set).map(|(_, e)| e).filter(|e| e.text.chars().any(|c| c.is_control() && !"\n\r\t".contains(c))).collect();
    if !odd.is_empty() {
        let message = format!("{} texts hold control characters, often a sign of a damaged export; look at them", odd.len());
        out.push(Finding { kind: "control_characters", severity: Severity::Warning, rows: rows(&odd), message });
    }
}

fn labels(set: &DataSet, out: &mut Vec<Finding>) {
    let train = set.examples(Split::Train);
    let mut by_label: BTreeMap<&str, Vec<&Labelled>> = BTreeMap::new();
    for e in train {
        by_label.entry(&e.label).or_default().push(e);
    }
    if set.splits.contains_key(&Split::Train) && by_label.len() < 2 {
        let message = format!(
            "the training set has {} label{}; a classifier needs at least two: add examples of another label",
            by_label.len(),
            if by_label.len() == 1 { "" } else { "s" }
        );
        out.push(Finding { kind: "single_label", severity: Severity::Error, rows: train.first().map(|e| e.origin.to_string()).into_iter().collect(), message });
    }
    for (label, examples) in by_label.iter().filter(|(_, e)| e.len() < FEW) {
        let message = format!(
            "label `{label}` has only {} training example{}; add more, or merge it with another",
            examples.len(),
            if examples.len() == 1 { "" } else { "s" }
        );
        out.push(Finding { kind: "few_examples", severity: Severity::Warning, rows: rows(examples), message });
    }
    if train.is_empty() {
        return;
    }
    for split in [Split::Validation, Split::Test] {
        let unknown: Vec<&Labelled> = set.examples(split).iter().filter(|e| !by_label.contains_key(e.label.as_str())).collect();
        if let Some(first) = unknown.first() {
            let message = format!(
                "{} {} rows have a label that no training row has (the first is `{}` at {}); correct the label or add training examples of it",
                unknown.len(),
                split.name(),
                first.label,
                first.origin
            );
            out.push(Finding { kind: "unknown_label", severity: Severity::Error, rows: rows(&unknown), message });
        }
    }
}

/// Texts that are the same but for case, spacing and punctuation.
fn repeats(set: &DataSet, out: &mut Vec<Finding>) {
    let mut by_text: HashMap<String, Vec<(Split, &Labelled)>> = HashMap::new();
    for (split, e) in all(set).filter(|(_, e)| !e.text.trim().is_empty()) {
        by_text.entry(normalized(&e.text)).or_default().push((split, e));
    }
    let (mut duplicates, mut leaks, mut contradictions) = (Vec::new(), Vec::new(), Vec::new());
    for group in by_text.into_values().filter(|g| g.len() > 1) {
        let examples: Vec<&Labelled> = group.iter().map(|(_, e)| *e).collect();
        if examples.iter().any(|e| e.label != examples[0].label) {
            contradictions.extend(examples);
        } else if group.iter().any(|(s, _)| *s != group[0].0) {
            leaks.extend(examples);
        } else {
            duplicates.extend(examples);
        }
    }
    let mut push = |kind, severity, mut found: Vec<&Labelled>, what: &str| {
        if !found.is_empty() {
            found.sort_by_key(|e| (e.origin.path().to_path_buf(), e.origin.line));
            out.push(Finding { kind, severity, rows: rows(&found), message: format!("{} rows {what}", found.len()) });
        }
    };
    push("contradiction", Severity::Warning, contradictions, "have the same text with different labels; decide which label is right");
    push(
        "leakage",
        Severity::Warning,
        leaks,
        "are in more than one of training, validation and test; the result would look better than it is: delete them from one",
    );
    push("duplicate", Severity::Warning, duplicates, "repeat a text within one file; delete the copies");
}

/// Lower-case letters and digits with single spaces between words, in Unicode NFKC.
pub fn normalized(text: &str) -> String {
    let folded: String = text.nfkc().flat_map(char::to_lowercase).map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::set::Source;

    fn findings(train: &str, validation: &str) -> Vec<Finding> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let files = [("train", train), ("validation", validation)].map(|(name, text)| {
            let path = dir.path().join(format!("{name}.jsonl"));
            std::fs::write(&path, text).expect("writable");
            path
        });
        let [train, validation] = files;
        let set = DataSet::open(&Source { train: Some(train), validation: Some(validation), ..Source::default() }).expect("well-formed");
        labelled(&set)
    }

    fn line(text: &str, label: &str) -> String {
        serde_json::json!({"text": text, "label": label}).to_string() + "\n"
    }

    #[test]
    fn sound_data_has_no_finding() {
        let rows: String = ["a", "b"].iter().flat_map(|l| (0..3).map(move |i| line(&format!("testo {l}{i}"), l))).collect();
        assert_eq!(findings(&rows, &line("altro", "a")), []);
    }

    #[test]
    fn every_kind_is_found_and_names_its_rows() {
        let train = [
            line("uno", "a"),
            line("Uno!", "a"),
            line("due", "a"),
            line("due", "b"),
            line(" ", "a"),
            line("tre", ""),
            line("qua\u{7}ttro", "b"),
            line("cinque", "b"),
        ]
        .concat();
        let validation = [line("cinque", "b"), line("sei", "zzz")].concat();
        let found = findings(&train, &validation);
        let rows = |kind: &str| {
            let f = found.iter().find(|f| f.kind == kind).unwrap_or_else(|| panic!("{kind} not found in {found:?}"));
            f.rows.iter().map(|r| r.rsplit('/').next().unwrap_or_default().replace(".jsonl", "")).collect::<Vec<_>>()
        };
        assert_eq!(rows("empty_text"), ["train:5"]);
        assert_eq!(rows("empty_label"), ["train:6"]);
        assert_eq!(rows("control_characters"), ["train:7"]);
        assert_eq!(rows("duplicate"), ["train:1", "train:2"]);
        assert_eq!(rows("contradiction"), ["train:3", "train:4"]);
        assert_eq!(rows("leakage"), ["train:8", "validation:1"]);
        assert_eq!(rows("unknown_label"), ["validation:2"]);
        assert_eq!(rows("few_examples"), ["train:6"]);
        assert!(found.is_sorted_by_key(|f| f.severity));
        assert_eq!(findings(&line("uno", "a"), &line("due", "a"))[0].kind, "single_label");
    }
}
