//! Rows that repeat other rows, contradict them, or carry what is tested into training.

use super::{Finding, Place, ROW, Row, Severity, TEXT, count, verb};
use crate::error::Result;
use crate::example::{Example, Target};
use crate::near::{self, normalized};
use crate::set::Split;
use crate::watch::Steps;
use say::say;

/// Share of common 4-grams from which two different labels for two texts are worth a look.
const ALMOST: f64 = 0.9;

/// What is the matter with a group of rows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    Contradiction,
    Leakage,
    NearLeakage,
    Duplicate,
    NearDuplicate,
    NearContradiction,
}

pub(super) fn check(all: &[Row<'_>], steps: &mut Steps<'_>) -> Result<Vec<Finding>> {
    let rows: Vec<Row<'_>> = all.iter().filter(|r| !r.example.text.trim().is_empty()).copied().collect();
    let texts: Vec<&str> = rows.iter().map(|r| r.example.text.as_str()).collect();
    steps.after(near::work(all.len() - rows.len()))?;
    let groups = near::groups(&texts, steps)?;
    let mut troubles: Vec<(Trouble, Vec<u32>)> = Vec::new();
    for members in grouped(&groups.same) {
        steps.after(0)?;
        let first = answer(rows[members[0] as usize].example);
        let contradicts = closed(rows[members[0] as usize].example) && members.iter().any(|&i| answer(rows[i as usize].example) != first);
        // a text that the test shares with training has leaked, also if the two disagree on its answer
        if contradicts {
            troubles.push((Trouble::Contradiction, members.clone()));
        }
        if spread(&rows, &members) {
            troubles.push((Trouble::Leakage, members));
        } else if !contradicts {
            troubles.push((Trouble::Duplicate, members));
        }
    }
    for members in grouped(&groups.near) {
        steps.after(0)?;
        nearly(&rows, &groups.same, &members, &mut troubles);
    }
    // groups that are equal in kind are reported in the order of their first rows
    troubles.sort_by_key(|(trouble, members)| (*trouble, members[0]));
    Ok(troubles.chunk_by(|a, b| a.0 == b.0).map(|found| finding(&rows, found[0].0, found)).collect())
}

/// Groups of more than one row, each in order of rows.
fn grouped(leaders: &[u32]) -> Vec<Vec<u32>> {
    let mut order: Vec<(u32, u32)> = leaders.iter().copied().zip(0..).collect();
    order.sort_unstable();
    order.chunk_by(|a, b| a.0 == b.0).filter(|g| g.len() > 1).map(|g| g.iter().map(|&(_, i)| i).collect()).collect()
}

fn spread(rows: &[Row<'_>], members: &[u32]) -> bool {
    members.iter().any(|&i| rows[i as usize].split != rows[members[0] as usize].split)
}

/// Whether a text has one right answer, so that two answers contradict each other.
fn closed(example: &Example) -> bool {
    matches!(example.target, Target::Label(_) | Target::Entities(_) | Target::Sql(_))
}

/// The answer in a form that does not depend on how text and answer are spaced and punctuated.
fn answer(example: &Example) -> String {
    match &example.target {
        Target::Label(label) => label.clone(),
        Target::Sql(sql) => sql.trim().trim_end_matches(';').split_whitespace().collect::<Vec<_>>().join(" "),
        Target::Entities(spans) => {
            let mut named: Vec<String> = spans.iter().map(|s| format!("{}={}", s.kind, normalized(s.of(&example.text).unwrap_or_default()))).collect();
            named.sort();
            named.join("\n")
        }
        Target::Tags(tags) => tags.join(" "),
        Target::Completion(text) => text.clone(),
    }
}

/// What is the matter with rows that are near but not all the same.
fn nearly(rows: &[Row<'_>], same: &[u32], members: &[u32], troubles: &mut Vec<(Trouble, Vec<u32>)>) {
    if members.iter().all(|&i| same[i as usize] == same[members[0] as usize]) {
        return;
    }
    // a question about Rome and one about Milan are near, and both are needed
    let (mut by_answer, mut parts): (Vec<(String, u32)>, Vec<Vec<u32>>) = (Vec::new(), Vec::new());
    if closed(rows[members[0] as usize].example) && !matches!(rows[members[0] as usize].example.target, Target::Entities(_)) {
        by_answer.extend(members.iter().map(|&i| (answer(rows[i as usize].example), i)));
        by_answer.sort();
        parts.extend(by_answer.chunk_by(|a, b| a.0 == b.0).map(|p| p.iter().map(|(_, i)| *i).collect::<Vec<u32>>()));
    } else {
        parts.push(members.to_vec());
    }
    for part in &parts {
        // equal rows have been reported already: one stands for them
        let mut distinct = part.clone();
        distinct.sort_by_key(|&i| (same[i as usize], i));
        distinct.dedup_by_key(|i| same[*i as usize]);
        if distinct.len() > 1 {
            distinct.sort_unstable();
            troubles.push(if spread(rows, part) { (Trouble::NearLeakage, across(rows, same, part)) } else { (Trouble::NearDuplicate, distinct) });
        }
    }
    if parts.len() > 1 && matches!(rows[members[0] as usize].example.target, Target::Label(_)) {
        let sets: Vec<(u32, Vec<u32>)> = parts.iter().map(|p| (p[0], near::grams(&normalized(&rows[p[0] as usize].example.text)))).collect();
        for (i, (a, ours)) in sets.iter().enumerate() {
            let against = sets[i + 1..].iter().find(|(b, theirs)| same[*a as usize] != same[*b as usize] && near::jaccard(ours, theirs) >= ALMOST);
            troubles.extend(against.map(|(b, _)| (Trouble::NearContradiction, vec![*a.min(b), *a.max(b)])));
        }
    }
}

/// One row for each text and split.
fn across(rows: &[Row<'_>], same: &[u32], part: &[u32]) -> Vec<u32> {
    let mut out = part.to_vec();
    let key = |i: u32| (same[i as usize], rows[i as usize].split);
    out.sort_by_key(|&i| (key(i), i));
    out.dedup_by_key(|i| key(*i));
    out.sort_unstable();
    out
}

fn finding(rows: &[Row<'_>], trouble: Trouble, groups: &[(Trouble, Vec<u32>)]) -> Finding {
    let n: usize = groups.iter().map(|(_, m)| m.len()).sum();
    let copies = n - groups.len();
    let tested = |i: &&u32| rows[**i as usize].split != Split::Train;
    let held: usize = groups.iter().map(|(_, m)| m.iter().filter(tested).count()).sum();
    let left = rows.len() - copies;
    let said = || {
        // as a verb before them and as rows: what is held out and what is left
        let [(resta_fuori, held), (resta, left)] = [held, left].map(|n| (verb(n, "resta", "restano"), count(n, ROW)));
        match trouble {
            Trouble::Contradiction => (
                "contradiction",
                say!(
                    "have the same text with different answers; decide which answer is right",
                    "hanno lo stesso testo e risposte diverse; decidi quale risposta è giusta"
                ),
                say!(
                    "One answer for each text ({}) makes them teach, and be counted, the same.",
                    "Con una sola risposta per ciascun testo ({}), insegnano e valgono tutte lo stesso.",
                    count(groups.len(), TEXT)
                ),
            ),
            Trouble::NearContradiction => (
                "near_contradiction",
                say!(
                    "have almost the same text with different labels; look whether both labels are right",
                    "hanno quasi lo stesso testo ed etichette diverse; guarda se entrambe le etichette sono giuste"
                ),
                say!(
                    "If a label is wrong, correcting it removes {} from what the model must learn by heart.",
                    "Se un’etichetta è sbagliata, correggerla toglie {} da ciò che il modello deve imparare a memoria.",
                    count(groups.len(), ["exception", "exceptions", "eccezione", "eccezioni"])
                ),
            ),
            Trouble::Leakage => (
                "leakage",
                say!(
                    "are in more than one of training, validation and test; the result would look better than it is: delete them from one",
                    "sono in più di una parte fra addestramento, validazione e prova; il risultato sembrerebbe migliore di quel che è: eliminale da una"
                ),
                say!(
                    "Deleting them from training leaves {held} of validation and test that training has not seen.",
                    "Eliminandole dall’addestramento {resta_fuori} {held} di validazione e prova che l’addestramento non ha visto."
                ),
            ),
            Trouble::NearLeakage => (
                "near_leakage",
                say!(
                    "are nearly the same in more than one of training, validation and test; the result may look better than it is: keep each on one side",
                    "sono quasi uguali in più di una parte fra addestramento, validazione e prova; il risultato può sembrare migliore di quel che è: tienile da una parte sola"
                ),
                say!(
                    "Moving them to one side leaves {held} of validation and test that training has not nearly seen.",
                    "Spostandole da una parte sola {resta_fuori} {held} di validazione e prova di cui l’addestramento non ha visto nulla di simile."
                ),
            ),
            Trouble::Duplicate => (
                "duplicate",
                say!("repeat a text within one file; delete the copies", "ripetono un testo nello stesso file; elimina le copie"),
                say!("Deleting all but the first of each leaves {left}.", "Tenendo solo la prima di ciascuna {resta} {left}."),
            ),
            Trouble::NearDuplicate => (
                "near_duplicate",
                say!(
                    "are nearly the same as another; keep one of each if they say the same",
                    "sono quasi uguali a un’altra; tienine una di ciascuna, se dicono la stessa cosa"
                ),
                say!(
                    "Keeping one of each leaves {left}, and training gives no text more weight than another.",
                    "Tenendone una di ciascuna {resta} {left}, e l’addestramento non dà a un testo più peso che a un altro."
                ),
            ),
        }
    };
    let mut named = Vec::with_capacity(n);
    for (group, (_, members)) in groups.iter().enumerate() {
        for &i in members {
            let row = &rows[i as usize];
            named.push((row.example.origin.to_string(), Place { split: row.split, index: row.index, group: Some(group) }));
        }
    }
    let message = || format!("{} {}", count(n, ROW), said().1);
    Finding::of(said().0, Severity::Warning, named, message, || said().2)
}
