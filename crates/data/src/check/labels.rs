//! Labels, and types of entities: too few examples, unknown to training, or spelled in two ways.

use super::{Finding, Row, Severity, count, found, verb};
use crate::example::Target;
use crate::near::normalized;
use crate::set::{DataSet, Split};
use std::collections::BTreeMap;

/// Fewer training examples of a label than this are called out: with one or two, half of what the
/// label means is not seen.
const FEW: usize = 3;

pub(super) fn check(set: &DataSet, rows: &[Row<'_>]) -> Vec<Finding> {
    let mut out = Vec::new();
    let Some(what) = rows.iter().find_map(|r| match r.example.target {
        Target::Label(_) => Some("label"),
        Target::Entities(_) => Some("entity type"),
        _ => None,
    }) else {
        return out;
    };
    let mut by_name: BTreeMap<&str, Vec<Row<'_>>> = BTreeMap::new();
    for row in rows.iter().filter(|r| r.split == Split::Train) {
        for name in names(row) {
            by_name.entry(name).or_default().push(*row);
        }
    }
    let train = set.examples(Split::Train);
    if what == "label" && set.splits.contains_key(&Split::Train) && by_name.len() < 2 {
        let first: Vec<Row<'_>> = rows.iter().filter(|r| r.split == Split::Train).take(1).copied().collect();
        let labels = count(by_name.len(), "label");
        let message = format!("the training set has {labels}; a classifier needs at least two: add examples of another label");
        let fix = "With a second label there is something to tell apart.";
        out.extend(found("single_label", Severity::Error, &first, |_| message.clone(), |_| fix.into()));
    }
    for (name, few) in by_name.iter().filter(|(_, rows)| rows.len() < FEW) {
        let message = |n| format!("{what} `{name}` has only {}; add more, or merge it with another", count(n, "training example"));
        let fix = |n| format!("{} more would make {FEW}, the least from which something can be learnt; ten are better.", FEW - n);
        out.extend(found("few_examples", Severity::Warning, few, message, fix));
    }
    out.extend(spellings(&by_name, what));
    if train.is_empty() {
        return out;
    }
    for split in [Split::Validation, Split::Test] {
        let unknown: Vec<Row<'_>> = rows.iter().filter(|r| r.split == split && strange(r, &by_name).is_some()).copied().collect();
        let Some(first) = unknown.first() else { continue };
        let (name, origin) = (strange(first, &by_name).unwrap_or_default(), &first.example.origin);
        let message = |n| {
            let (part, has) = (split.name(), verb(n, "has", "have"));
            format!(
                "{} of {part} {has} a {what} that no training row has (the first is `{name}` at {origin}); correct it or add training examples of it",
                count(n, "row")
            )
        };
        let kind = if what == "label" { "unknown_label" } else { "unknown_type" };
        out.extend(found(kind, Severity::Error, &unknown, message, |_| "The result then counts only what could be learnt.".into()));
    }
    out
}

/// The label of a row, or the types of its entities.
fn names<'a>(row: &Row<'a>) -> Vec<&'a str> {
    let mut names: Vec<&str> = match &row.example.target {
        Target::Label(label) => vec![label],
        Target::Entities(spans) => spans.iter().map(|s| s.kind.as_str()).collect(),
        _ => Vec::new(),
    };
    names.sort_unstable();
    names.dedup();
    names
}

/// The first name of a row that training does not have.
fn strange<'a>(row: &Row<'a>, known: &BTreeMap<&str, Vec<Row<'_>>>) -> Option<&'a str> {
    names(row).into_iter().find(|n| !known.contains_key(n))
}

/// Names that differ only in case, spaces or punctuation.
fn spellings(by_name: &BTreeMap<&str, Vec<Row<'_>>>, what: &str) -> Vec<Finding> {
    let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in by_name.keys().filter(|n| !normalized(n).is_empty()) {
        alike.entry(normalized(name)).or_default().push(name);
    }
    let warn = |names: &Vec<&str>| {
        let listed = names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(" and ");
        let rarest = names.iter().min_by_key(|n| by_name[*n].len())?;
        let message = |_| format!("{what}s {listed} differ only in how they are written; give them one spelling");
        found("spelling", Severity::Warning, &by_name[rarest], message, |n| format!("Respelling {} makes one {what} of {}.", count(n, "row"), names.len()))
    };
    alike.values().filter(|names| names.len() > 1).filter_map(warn).collect()
}
