//! Labels, and types of entities: too few examples, unknown to training, or spelled in two ways.

use super::{Finding, Noun, ROW, Row, Severity, count, found, verb, word};
use crate::error::Result;
use crate::example::Target;
use crate::near::normalized;
use crate::set::{DataSet, Split};
use crate::watch::{PIECE, Steps};
use say::say;
use std::collections::BTreeMap;

/// Fewer training examples of a label than this are called out: with one or two, half of what the
/// label means is not seen.
const FEW: usize = 3;
/// Rare labels that have a finding each. Of more, a person wants to know how many there are: a column of free text has as
/// many as rows.
const APART: usize = 20;

const LABEL: Noun = ["label", "labels", "etichetta", "etichette"];
const KIND: Noun = ["entity type", "entity types", "tipo di entità", "tipi di entità"];
const TRAINING: Noun = ["training example", "training examples", "esempio di addestramento", "esempi di addestramento"];

/// How often [`check`] looks at each row.
pub(super) const LOOKS: u64 = 1;

pub(super) fn check(set: &DataSet, rows: &[Row<'_>], steps: &mut Steps<'_>) -> Result<Vec<Finding>> {
    let mut out = Vec::new();
    let Some(what) = rows.iter().find_map(|r| match r.example.target {
        Target::Label(_) => Some(LABEL),
        Target::Entities(_) => Some(KIND),
        _ => None,
    }) else {
        steps.after(rows.len() as u64 * LOOKS)?;
        return Ok(out);
    };
    let mut by_name: BTreeMap<&str, Vec<Row<'_>>> = BTreeMap::new();
    for piece in rows.chunks(PIECE) {
        for row in piece.iter().filter(|r| r.split == Split::Train) {
            for name in names(row) {
                by_name.entry(name).or_default().push(*row);
            }
        }
        steps.after(piece.len() as u64)?;
    }
    let train = set.examples(Split::Train);
    if what == LABEL && set.splits.contains_key(&Split::Train) && by_name.len() < 2 {
        let first: Vec<Row<'_>> = rows.iter().filter(|r| r.split == Split::Train).take(1).copied().collect();
        let message = |_| {
            let labels = count(by_name.len(), LABEL);
            say!(
                "the training set has {labels}; a classifier needs at least two: add examples of another label",
                "l’insieme di addestramento ha {labels}; a un classificatore ne servono almeno due: aggiungi esempi di un’altra etichetta"
            )
        };
        let fix = |_| say!("With a second label there is something to tell apart.", "Con una seconda etichetta c’è qualcosa da distinguere.");
        out.extend(found("single_label", Severity::Error, &first, message, fix));
    }
    let mut rare: Vec<(&&str, &Vec<Row<'_>>)> = by_name.iter().filter(|(_, rows)| rows.len() < FEW).collect();
    if rare.len() > APART {
        out.extend(many_rare(&rare, by_name.len(), what));
        rare.clear();
    }
    for (name, few) in rare {
        let message = |n| {
            let (il, una) = if what == LABEL { ("l’", "uniscila a un’altra") } else { ("il ", "uniscilo a un altro") };
            let (examples, what) = (count(n, TRAINING), word(1, what));
            say!(
                "{what} `{name}` has only {examples}; add more, or merge it with another",
                "{il}{what} `{name}` ha solo {examples}; aggiungine altri, oppure {una}"
            )
        };
        let fix = |n| {
            let more = if FEW - n == 1 { say!("One more", "Con un altro") } else { say!("{} more", "Con altri {}", FEW - n) };
            say!(
                "{more} would make {FEW}, the least from which something can be learnt; ten are better.",
                "{more} diventano {FEW}, il minimo da cui si impara qualcosa; dieci è meglio."
            )
        };
        out.extend(found("few_examples", Severity::Warning, few, message, fix));
    }
    out.extend(spellings(&by_name, what));
    if train.is_empty() {
        return Ok(out);
    }
    let label = what == LABEL;
    for split in [Split::Validation, Split::Test] {
        let unknown: Vec<Row<'_>> = rows.iter().filter(|r| r.split == split && strange(r, &by_name).is_some()).copied().collect();
        let Some(first) = unknown.first() else { continue };
        let (name, origin) = (strange(first, &by_name).unwrap_or_default(), &first.example.origin);
        let message = |n| {
            let (rows, part, what) = (count(n, ROW), split.name(), word(1, what));
            let (has, ha, un) = (verb(n, "has", "have"), verb(n, "ha", "hanno"), if label { "un’" } else { "un " });
            say!(
                "{rows} of {part} {has} a {what} that no training row has (the first is `{name}` at {origin}); correct it or add training examples of it",
                "{rows} di {part} {ha} {un}{what} che nessuna riga di addestramento ha (la prima è `{name}` a {origin}); correggi, oppure aggiungi esempi di addestramento"
            )
        };
        let kind = if label { "unknown_label" } else { "unknown_type" };
        out.extend(found(kind, Severity::Error, &unknown, message, |_| {
            say!("The result then counts only what could be learnt.", "Il risultato conta allora solo ciò che si poteva imparare.")
        }));
    }
    Ok(out)
}

/// One finding about all labels with too few examples, of so many labels.
fn many_rare(rare: &[(&&str, &Vec<Row<'_>>)], of: usize, what: Noun) -> Option<Finding> {
    let mut rows: Vec<Row<'_>> = rare.iter().flat_map(|(_, rows)| rows.iter().copied()).collect();
    // a row may have several types of entities
    rows.sort_by_key(|r| (r.split, r.index));
    rows.dedup_by_key(|r| (r.split, r.index));
    let message = |_| {
        let (few, unisci) = (count(rare.len(), what), if what == LABEL { "uniscile" } else { "uniscili" });
        let first = rare.iter().take(3).map(|(name, _)| format!("`{name:.40}`")).collect::<Vec<_>>().join(", ");
        say!(
            "{few} of {of} have fewer than {FEW} training examples each ({first}, …); name another column if this one holds no {}, else add more or merge them",
            "{few} su {of} hanno meno di {FEW} esempi di addestramento ({first}, …); indica un’altra colonna se questa non contiene {}, altrimenti aggiungine altri o {unisci}",
            word(2, what)
        )
    };
    let fix = |n| {
        let rows = count(n, ROW);
        say!("{rows} then teach something that occurs again.", "{rows} insegnano allora qualcosa che si ripresenta.")
    };
    found("few_examples", Severity::Warning, &rows, message, fix)
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
fn spellings(by_name: &BTreeMap<&str, Vec<Row<'_>>>, what: Noun) -> Vec<Finding> {
    let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in by_name.keys().filter(|n| !normalized(n).is_empty()) {
        alike.entry(normalized(name)).or_default().push(name);
    }
    let warn = |names: &Vec<&str>| {
        let rarest = names.iter().min_by_key(|n| by_name[*n].len())?;
        let message = |_| {
            let listed = names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(say::pick(" and ", " e "));
            let (several, i) = (word(2, what), if what == LABEL { "le" } else { "i" });
            say!(
                "{several} {listed} differ only in how they are written; give them one spelling",
                "{i} {several} {listed} differiscono solo nella grafia; usane una sola"
            )
        };
        let fix = |n| {
            let (rows, un) = (count(n, ROW), if what == LABEL { "una sola" } else { "un solo" });
            let (one, of) = (word(1, what), names.len());
            say!("Respelling {rows} makes one {one} of {of}.", "Riscrivendo {rows} resta {un} {one} al posto di {of}.")
        };
        found("spelling", Severity::Warning, &by_name[rarest], message, fix)
    };
    alike.values().filter(|names| names.len() > 1).filter_map(warn).collect()
}
