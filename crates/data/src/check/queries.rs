//! SQL that does not parse, does not run, does more than read, or finds nothing.

use super::{Finding, Row, Severity, count, found, verb};
use crate::database::{Database, Refusal, Table};
use crate::error::Result;
use crate::example::Target;
use rusqlite::types::Value;
use std::collections::HashMap;

/// How a query fares.
#[derive(Clone, Debug, PartialEq)]
enum Fate {
    Sound,
    Empty,
    Refused(Refusal),
}

/// Runs every query on the database; without one, SQLite reads them only.
///
/// # Errors
/// If SQLite cannot be started.
pub(super) fn check(rows: &[Row<'_>], database: Option<&Database>) -> Result<Vec<Finding>> {
    let empty = Database::from_scripts(&[])?;
    let mut known: HashMap<&str, Fate> = HashMap::new();
    let mut fates: Vec<(Row<'_>, Fate)> = Vec::new();
    for row in rows {
        let Target::Sql(sql) = &row.example.target else { continue };
        if sql.trim().is_empty() {
            continue;
        }
        let fate = known.entry(sql).or_insert_with(|| match database {
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
        let message = |n| format!("{} {} not run on the database (the first: {first}); correct {}", queries(n), verb(n, "does", "do"), verb(n, "it", "them"));
        found("sql_fails", Severity::Error, &wrong, message, |_| "Every answer can then be compared by what it finds.".into())
    } else {
        let message = |n| {
            format!(
                "{} {} not SQL as SQLite understands it (the first: {first}); correct {}, or say which database with --schema",
                queries(n),
                verb(n, "is", "are"),
                verb(n, "it", "them")
            )
        };
        found("sql_syntax", Severity::Warning, &wrong, message, |_| "The model learns only queries that could run.".into())
    });
    out.extend(found(
        "sql_writes",
        Severity::Error,
        &of(&|f| *f == Fate::Refused(Refusal::Writes)),
        |n| format!("{} {} more than a single query that reads; make it one SELECT", count(n, "row"), verb(n, "holds", "hold")),
        |_| "Lapidary never runs anything that writes, so such answers cannot be scored.".into(),
    ));
    out.extend(found(
        "sql_endless",
        Severity::Error,
        &of(&|f| *f == Fate::Refused(Refusal::Endless)),
        |n| format!("{} {} not end within two seconds and 100 000 rows; look for a join without a condition", queries(n), verb(n, "does", "do")),
        |_| "Evaluation runs each query; it would wait for these in vain.".into(),
    ));
    out.extend(found(
        "sql_empty",
        Severity::Warning,
        &of(&|f| *f == Fate::Empty),
        |n| {
            format!(
                "{} {} nothing in the database; any wrong query that finds nothing would count as right: change the question or the rows",
                queries(n),
                verb(n, "finds", "find")
            )
        },
        |_| "Only a query that finds something shows that it is right.".into(),
    ));
    Ok(out)
}

/// Whether a result has no value but NULL.
fn blank(table: &Table) -> bool {
    table.rows.iter().flatten().all(|v| *v == Value::Null)
}

fn queries(n: usize) -> String {
    format!("{n} {}", verb(n, "query", "queries"))
}
