//! SQL that does not parse, does not run, does more than read, or finds nothing.

use super::{Finding, QUERY, ROW, Row, Severity, TRIED, count, found, verb};
use crate::database::{Database, Refusal, Table};
use crate::error::Result;
use crate::example::Target;
use crate::set::Split;
use crate::watch::Steps;
use rusqlite::types::Value;
use say::say;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// What all queries of a set may take together. A slow one takes two seconds, and a set may have thousands.
pub(super) const BUDGET: Duration = Duration::from_secs(60);

/// How a query fares.
#[derive(Clone, Debug, PartialEq)]
enum Fate {
    Sound,
    Empty,
    Refused(Refusal),
    /// There was no time left to run it.
    Unrun,
}

/// Runs every query on the database, until they have taken the budget; without a database, SQLite reads them only. One runs
/// after the other, because SQLite counts the memory of all that run in the process as one.
///
/// # Errors
/// If SQLite cannot be started, or it was ended.
pub(super) fn check(rows: &[Row<'_>], database: Option<&Database>, budget: Duration, steps: &mut Steps<'_>) -> Result<Vec<Finding>> {
    let empty = Database::from_scripts(&[])?;
    let began = Instant::now();
    let mut known: HashMap<&str, Fate> = HashMap::new();
    let mut fates: Vec<(Row<'_>, Fate)> = Vec::new();
    for row in rows {
        let Target::Sql(sql) = &row.example.target else { continue };
        steps.after(TRIED)?;
        if sql.trim().is_empty() {
            continue;
        }
        let fate = known.entry(sql).or_insert_with(|| match database {
            Some(_) if began.elapsed() >= budget => Fate::Unrun,
            Some(database) => database.query(sql).map_or_else(Fate::Refused, |t| if blank(&t) { Fate::Empty } else { Fate::Sound }),
            None => empty.grammar(sql).map_or_else(Fate::Refused, |()| Fate::Sound),
        });
        fates.push((*row, fate.clone()));
    }
    let of = |test: &dyn Fn(&Fate) -> bool| -> Vec<Row<'_>> { fates.iter().filter(|(_, f)| test(f)).map(|(r, _)| *r).collect() };
    let first = fates.iter().find_map(|(_, f)| match f {
        Fate::Refused(Refusal::Wrong(what)) => Some(what.lines().next().unwrap_or_default()),
        _ => None,
    });
    let mut out = Vec::new();
    let wrong = of(&|f| matches!(f, Fate::Refused(Refusal::Wrong(_))));
    let first = first.unwrap_or_default();
    out.extend(if database.is_some() {
        let message = |n| {
            let (queries, does, it) = (count(n, QUERY), verb(n, "does", "do"), verb(n, "it", "them"));
            let (funziona, correggi) = (verb(n, "funziona", "funzionano"), verb(n, "correggila", "correggile"));
            say!(
                "{queries} {does} not run on the database (the first: {first}); correct {it}",
                "{queries} non {funziona} sul database (la prima: {first}); {correggi}"
            )
        };
        found("sql_fails", Severity::Error, &wrong, message, |_| {
            say!("Every answer can then be compared by what it finds.", "Di ogni risposta si può allora confrontare ciò che trova.")
        })
    } else {
        let message = |n| {
            let (queries, is, it) = (count(n, QUERY), verb(n, "is", "are"), verb(n, "it", "them"));
            let (e, correggi) = (verb(n, "è", "sono"), verb(n, "correggila", "correggile"));
            say!(
                "{queries} {is} not SQL as SQLite understands it (the first: {first}); correct {it}, or say which database with --schema",
                "{queries} non {e} SQL che SQLite capisca (la prima: {first}); {correggi}, oppure indica il database con --schema"
            )
        };
        found("sql_syntax", Severity::Warning, &wrong, message, |_| {
            say!("The model learns only queries that could run.", "Il modello impara così solo query che si possono eseguire.")
        })
    });
    out.extend(found(
        "sql_writes",
        Severity::Error,
        &of(&|f| *f == Fate::Refused(Refusal::Writes)),
        |n| {
            let (rows, holds, contiene) = (count(n, ROW), verb(n, "holds", "hold"), verb(n, "contiene", "contengono"));
            say!(
                "{rows} {holds} more than a single query that reads; make it one SELECT",
                "{rows} {contiene} più di una sola query che legge; lascia una sola SELECT"
            )
        },
        |_| {
            say!(
                "Every answer can then be run and scored, which is never done with what writes.",
                "Ogni risposta si può allora eseguire e valutare, ciò che non si fa mai con quel che scrive."
            )
        },
    ));
    out.extend(found(
        "sql_endless",
        Severity::Error,
        &of(&|f| *f == Fate::Refused(Refusal::Endless)),
        |n| {
            let (queries, does, finisce) = (count(n, QUERY), verb(n, "does", "do"), verb(n, "finisce", "finiscono"));
            say!(
                "{queries} {does} not end within two seconds, 100 000 rows and 64 MiB; look for a join without a condition",
                "{queries} non {finisce} entro due secondi, 100 000 righe e 64 MiB; cerca un join senza condizione"
            )
        },
        |_| say!("Every query then ends, and an evaluation can run all of them.", "Così ogni query finisce, e la valutazione le può eseguire tutte."),
    ));
    out.extend(found(
        "sql_unrun",
        Severity::Warning,
        &of(&|f| *f == Fate::Unrun),
        |n| {
            let (queries, was, seconds) = (count(n, QUERY), verb(n, "was", "were"), budget.as_secs());
            let eseguite = verb(n, "è stata eseguita", "sono state eseguite");
            say!(
                "{queries} {was} not run, because those before took {seconds} seconds together; look for the slow ones, or check a part of the set",
                "{queries} non {eseguite}, perché quelle prima hanno preso in tutto {seconds} secondi; cerca le più lente, oppure controlla una parte dell’insieme"
            )
        },
        |_| say!("Every query is then known to run and to find something.", "Di ogni query si sa allora che funziona e che trova qualcosa."),
    ));
    out.extend(found(
        "sql_empty",
        Severity::Warning,
        &of(&|f| *f == Fate::Empty),
        |n| {
            let (queries, finds, trova) = (count(n, QUERY), verb(n, "finds", "find"), verb(n, "trova", "trovano"));
            say!(
                "{queries} {finds} nothing in the database; any wrong query that finds nothing would count as right: change the question or the rows",
                "{queries} non {trova} nulla nel database; ogni query sbagliata che non trova nulla varrebbe come giusta: cambia la domanda o le righe"
            )
        },
        |_| say!("Only a query that finds something shows that it is right.", "Solo una query che trova qualcosa mostra di essere giusta."),
    ));
    Ok(out)
}

/// The expected queries of a part that have no result to hold an answer against.
pub(super) fn unscored(rows: &[Row<'_>], split: Split, why: &mut dyn FnMut(&str) -> Option<String>, steps: &mut Steps<'_>) -> Result<Option<Finding>> {
    let mut known: HashMap<&str, Option<String>> = HashMap::new();
    let mut first = None;
    let mut without = Vec::new();
    for row in rows.iter().filter(|r| r.split == split) {
        let Target::Sql(sql) = &row.example.target else { continue };
        steps.after(TRIED)?;
        if let Some(reason) = known.entry(sql).or_insert_with(|| why(sql)) {
            first.get_or_insert_with(|| reason.clone());
            without.push(*row);
        }
    }
    let (Some(first), part) = (first, split.name()) else { return Ok(None) };
    let finding = found(
        "sql_unscored",
        Severity::Error,
        &without,
        |n| {
            let (queries, it, they) = (count(n, QUERY), verb(n, "it", "them"), verb(n, "it finds", "they find"));
            let (puo, correggi, trova) = (verb(n, "può", "possono"), verb(n, "correggila", "correggile"), verb(n, "trova", "trovano"));
            say!(
                "{queries} of {part} cannot be what answers are scored by (the first: {first}); change {it}, because an answer is compared with what {they}",
                "{queries} di {part} non si {puo} usare per valutare le risposte (la prima: {first}); {correggi}, perché una risposta si confronta con ciò che {trova}"
            )
        },
        |_| say!("Every answer can then be compared by what it finds.", "Di ogni risposta si può allora confrontare ciò che trova."),
    );
    Ok(finding)
}

/// Whether a result has no value but NULL.
fn blank(table: &Table) -> bool {
    table.rows.iter().flatten().all(|v| *v == Value::Null)
}
