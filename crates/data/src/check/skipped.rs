//! Rows that could not be read, for a person who wants to know of all of them.

use super::{Finding, ROW, Severity, count, verb};
use crate::error::Fault;
use crate::set::DataSet;
use say::say;
use std::collections::BTreeMap;

/// A finding for each fault of rows that were passed over when the set was read. How bad they are is for the caller to say:
/// training refuses them, unless it is told to pass over them. As they are no part of the set, none has a place in it.
pub fn skipped(set: &DataSet, severity: Severity) -> Vec<Finding> {
    let mut by_fault: BTreeMap<Fault, (&str, Vec<String>)> = BTreeMap::new();
    for ((fault, path), faulty) in set.splits.values().flat_map(|file| &file.skipped.by_fault) {
        let row = |(line, column): &(usize, Option<usize>)| {
            let row = format!("{}:{line}", path.display());
            if let Some(column) = column { format!("{row}:{column}") } else { row }
        };
        let (_, rows) = by_fault.entry(*fault).or_insert_with(|| (faulty.first.as_str(), Vec::new()));
        rows.extend(faulty.places.iter().map(row));
    }
    let left: usize = set.splits.values().map(|file| file.examples.len()).sum();
    by_fault.into_iter().map(|(fault, (first, rows))| finding(fault, severity, rows, first, left)).collect()
}

fn finding(fault: Fault, severity: Severity, rows: Vec<String>, first: &str, left: usize) -> Finding {
    let n = rows.len();
    let message = || {
        let (rows, lists, elenca, puo) = (count(n, ROW), verb(n, "lists", "list"), verb(n, "elenca", "elencano"), verb(n, "può", "possono"));
        let wrong = match fault {
            Fault::Unreadable => say!("{rows} cannot be read", "{rows} non si {puo} leggere"),
            Fault::SpanMismatch => say!(
                "{rows} {lists} an entity with other words than stand at its place",
                "{rows} {elenca} un’entità con parole diverse da quelle che stanno al suo posto"
            ),
            Fault::MissingEntity => say!("{rows} {lists} an entity that is not in the text", "{rows} {elenca} un’entità che non è nel testo"),
            Fault::AmbiguousEntity => say!(
                "{rows} {lists} an entity that may be meant in several places of the text",
                "{rows} {elenca} un’entità che nel testo può indicare punti diversi"
            ),
        };
        let (it, la) = (verb(n, "it", "them"), verb(n, "la", "le"));
        say!(
            "{wrong} (the first: {first}); correct {it}, or pass over {it} with --skip-bad-rows",
            "{wrong} (la prima: {first}); correggi{la}, oppure salta{la} con --skip-bad-rows"
        )
    };
    let fix = || {
        let (it, remain, resta) = (verb(n, "it", "them"), verb(left, "remains", "remain"), verb(left, "resta", "restano"));
        let gain = match fault {
            Fault::Unreadable => {
                say!("{} like the others", "{} come le altre", say::pick(verb(n, "it teaches", "they teach"), verb(n, "insegna", "insegnano")))
            }
            Fault::SpanMismatch => say!("every entity is the words that it is said to be", "ogni entità è fatta delle parole che dichiara"),
            Fault::MissingEntity => say!("every entity is a part of its text", "ogni entità è una parte del suo testo"),
            Fault::AmbiguousEntity => say!("the words that are meant are known", "si sa quali parole sono indicate"),
        };
        let (left, corretta) = (count(left, ROW), verb(n, "corretta", "corrette"));
        say!("Without {it} {left} {remain}; corrected, {gain}.", "Senza, {resta} {left}; una volta {corretta}, {gain}.")
    };
    let kind = match fault {
        Fault::Unreadable => "unreadable_row",
        Fault::SpanMismatch => "span_mismatch",
        Fault::MissingEntity => "missing_entity",
        Fault::AmbiguousEntity => "ambiguous_entity",
    };
    Finding { rows, ..Finding::of(kind, severity, Vec::new(), message, fix) }
}
