//! Queries: which features of SQL they use, and which tables.
//!
//! Features are read off sqlparser's tokens, not its syntax tree: the words are the same, strings and
//! comments are told apart all the same, and a query that does not parse still counts.

use super::{Counted, LISTED, commonest};
use crate::error::Result;
use crate::example::{Example, Target};
use crate::set::Split;
use crate::watch::{PIECE, Steps};
use serde::Serialize;
use sqlparser::dialect::SQLiteDialect;
use sqlparser::keywords::{Keyword, RESERVED_FOR_TABLE_ALIAS};
use sqlparser::tokenizer::{Token, Tokenizer};
use std::collections::BTreeMap;

/// The queries of a set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Queries {
    /// How many queries use each feature, in the order of [`FEATURES`]; those that no query uses are left out.
    pub features: Vec<Counted>,
    /// How many queries use each table, commonest first.
    pub tables: Vec<Counted>,
    /// Queries that use no feature but a plain `SELECT … FROM … WHERE`.
    pub plain: usize,
}

/// Features that are counted.
pub const FEATURES: [&str; 19] = [
    "join",
    "outer join",
    "group by",
    "having",
    "aggregate",
    "order by",
    "limit",
    "distinct",
    "sub-query",
    "exists",
    "in",
    "between",
    "like",
    "null",
    "case",
    "set operation",
    "with",
    "window",
    "date",
];

/// The queries of a set; each row counts one of `steps`.
pub(super) fn of(all: &[(Split, &Example)], steps: &mut Steps<'_>) -> Result<Queries> {
    let (mut features, mut tables, mut plain) = ([0; FEATURES.len()], BTreeMap::<String, usize>::new(), 0);
    for piece in all.chunks(PIECE) {
        for (_, e) in piece {
            let Target::Sql(sql) = &e.target else { continue };
            let Some(tokens) = tokens(sql) else { continue };
            let used = used(&tokens);
            plain += usize::from(!used.contains(&true));
            features.iter_mut().zip(used).for_each(|(n, used)| *n += usize::from(used));
            for table in named(&tokens) {
                *tables.entry(table).or_default() += 1;
            }
        }
        steps.after(piece.len() as u64)?;
    }
    let features = FEATURES.iter().zip(features).filter(|(_, n)| *n > 0).map(|(name, count)| Counted { name: (*name).into(), count }).collect();
    Ok(Queries { features, tables: commonest(tables, LISTED), plain })
}

/// What a query is made of, without spaces and comments; `None` if it is torn, as by a string without an end.
fn tokens(sql: &str) -> Option<Vec<Token>> {
    let tokens = Tokenizer::new(&SQLiteDialect {}, sql).tokenize().ok()?;
    Some(tokens.into_iter().filter(|t| !matches!(t, Token::Whitespace(_))).collect())
}

/// The tables that a query names, each once, in lower case.
pub fn tables(sql: &str) -> Vec<String> {
    tokens(sql).map(|tokens| named(&tokens)).unwrap_or_default()
}

/// The names of the [`FEATURES`] that a query uses.
pub(crate) fn features(sql: &str) -> Vec<&'static str> {
    let used = tokens(sql).map(|tokens| used(&tokens)).unwrap_or_default();
    FEATURES.into_iter().zip(used).filter_map(|(name, used)| used.then_some(name)).collect()
}

/// Whether a text that SQLite takes for well-formed is a single statement that reads: SELECT or VALUES, be it after WITH.
pub(crate) fn reads(sql: &str) -> bool {
    let Some(tokens) = tokens(sql) else {
        return sql.trim_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select"));
    };
    let end = tokens.iter().position(|t| *t == Token::SemiColon).unwrap_or(tokens.len());
    let reads = |t: &Token| matches!(keyword(t), Keyword::SELECT | Keyword::VALUES);
    let verb = |t: &Token| reads(t) || matches!(keyword(t), Keyword::INSERT | Keyword::REPLACE | Keyword::UPDATE | Keyword::DELETE);
    let mut depth = 0_usize;
    let main = match tokens.first() {
        // what WITH stands before follows the last of its parentheses
        Some(with) if keyword(with) == Keyword::WITH => tokens.windows(2).find_map(|pair| {
            match &pair[0] {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ => {}
            }
            (depth == 0 && pair[0] == Token::RParen && verb(&pair[1])).then_some(&pair[1])
        }),
        first => first,
    };
    main.is_some_and(reads) && tokens[end..].iter().all(|t| *t == Token::SemiColon)
}

fn keyword(token: &Token) -> Keyword {
    if let Token::Word(word) = token { word.keyword } else { Keyword::NoKeyword }
}

/// Whether each of [`FEATURES`] is used.
fn used(tokens: &[Token]) -> [bool; FEATURES.len()] {
    let has = |words: &[Keyword]| tokens.iter().any(|t| words.contains(&keyword(t)));
    let pair = |a: Keyword, b: Keyword| tokens.windows(2).any(|w| keyword(&w[0]) == a && keyword(&w[1]) == b);
    let calls = |names: &[&str]| {
        let named = |t: &Token| matches!(t, Token::Word(w) if w.quote_style.is_none() && names.iter().any(|n| w.value.eq_ignore_ascii_case(n)));
        tokens.windows(2).any(|w| named(&w[0]) && w[1] == Token::LParen)
    };
    let comma_join = from_lists(tokens).iter().any(|tables| tables.len() > 1);
    [
        has(&[Keyword::JOIN]) || comma_join,
        has(&[Keyword::LEFT, Keyword::RIGHT, Keyword::FULL]) && has(&[Keyword::JOIN]),
        pair(Keyword::GROUP, Keyword::BY),
        has(&[Keyword::HAVING]),
        calls(&["count", "sum", "avg", "min", "max", "total", "group_concat"]),
        pair(Keyword::ORDER, Keyword::BY),
        has(&[Keyword::LIMIT]),
        has(&[Keyword::DISTINCT]),
        tokens.windows(2).any(|w| w[0] == Token::LParen && keyword(&w[1]) == Keyword::SELECT),
        has(&[Keyword::EXISTS]),
        has(&[Keyword::IN]),
        has(&[Keyword::BETWEEN]),
        has(&[Keyword::LIKE, Keyword::GLOB]),
        has(&[Keyword::NULL]) || calls(&["coalesce", "ifnull", "nullif"]),
        has(&[Keyword::CASE]),
        has(&[Keyword::UNION, Keyword::EXCEPT, Keyword::INTERSECT]),
        tokens.first().is_some_and(|t| keyword(t) == Keyword::WITH),
        has(&[Keyword::OVER]),
        calls(&["date", "datetime", "julianday", "strftime", "time", "unixepoch", "timediff"]),
    ]
}

/// The tables that a query names, each once, in lower case; names that its own WITH makes are left out.
fn named(tokens: &[Token]) -> Vec<String> {
    let word = |t: &Token| if let Token::Word(w) = t { Some(w.value.to_lowercase()) } else { None };
    let made: Vec<String> = tokens.windows(3).filter(|w| keyword(&w[1]) == Keyword::AS && w[2] == Token::LParen).filter_map(|w| word(&w[0])).collect();
    let mut out: Vec<String> = from_lists(tokens).into_iter().flatten().filter_map(word).filter(|name| !made.contains(name)).collect();
    out.sort();
    out.dedup();
    out
}

/// For each FROM or JOIN the names listed after it.
fn from_lists(tokens: &[Token]) -> Vec<Vec<&Token>> {
    let mut out = Vec::new();
    for (i, _) in tokens.iter().enumerate().filter(|(_, t)| matches!(keyword(t), Keyword::FROM | Keyword::JOIN)) {
        let mut tables = Vec::new();
        let mut at = i + 1;
        while let Some(name @ Token::Word(_)) = tokens.get(at) {
            tables.push(name);
            at += 1;
            // an alias, with or without AS
            if tokens.get(at).is_some_and(|t| keyword(t) == Keyword::AS) {
                at += 1;
            }
            if matches!(tokens.get(at), Some(Token::Word(w)) if !RESERVED_FOR_TABLE_ALIAS.contains(&w.keyword)) {
                at += 1;
            }
            if tokens.get(at) != Some(&Token::Comma) {
                break;
            }
            at += 1;
        }
        out.push(tables);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::described;
    use super::*;
    use crate::Kind;

    #[test]
    fn features_and_tables_are_those_of_the_query() {
        let row = |sql: &str| serde_json::json!({"question": sql, "sql": sql}).to_string() + "\n";
        let train = [
            row("SELECT nome FROM clienti WHERE citta = 'join (select'"),
            row("SELECT c.nome, COUNT(*) FROM clienti c LEFT JOIN ordini o ON o.cliente = c.id GROUP BY c.id HAVING COUNT(*) > 1 ORDER BY 2 DESC LIMIT 3"),
            row("SELECT a.x FROM clienti AS a, prodotti b WHERE a.id IN (SELECT id FROM ordini WHERE data BETWEEN date('now') AND '2025') -- exists"),
            row("WITH t AS (SELECT DISTINCT id FROM ordini) SELECT * FROM t UNION SELECT id FROM clienti WHERE nome IS NOT NULL"),
        ]
        .concat();
        let q = described(Kind::Sql, &[("train.jsonl", &train)]).queries.expect("queries");
        let features: BTreeMap<&str, usize> = q.features.iter().map(|f| (f.name.as_str(), f.count)).collect();
        let expected = [
            ("join", 2),
            ("outer join", 1),
            ("group by", 1),
            ("having", 1),
            ("aggregate", 1),
            ("order by", 1),
            ("limit", 1),
            ("distinct", 1),
            ("sub-query", 2),
            ("in", 1),
            ("between", 1),
            ("null", 1),
            ("set operation", 1),
            ("with", 1),
            ("date", 1),
        ];
        assert_eq!(features, BTreeMap::from(expected));
        assert_eq!(q.plain, 1);
        assert_eq!(q.tables, [("clienti", 4), ("ordini", 3), ("prodotti", 1)].map(|(name, count)| Counted { name: name.into(), count }));
    }

    #[test]
    fn what_reads_is_told_from_what_writes() {
        for sql in [
            "SELECT 1",
            " -- DELETE\n select nome from clienti;",
            "/* DROP */ VALUES (1), (2);;",
            "WITH t(a) AS (SELECT 1), u AS (SELECT replace(a, 'x', 'y') FROM t) SELECT * FROM u WHERE a = '; DROP TABLE t'",
            "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        ] {
            assert!(reads(sql), "{sql}");
        }
        for sql in [
            "DELETE FROM clienti",
            "/* SELECT */ DROP TABLE clienti",
            "insert into clienti SELECT * FROM clienti",
            "WITH t AS (SELECT 1) DELETE FROM clienti WHERE id IN (SELECT * FROM t)",
            "SELECT nome FROM clienti; DROP TABLE clienti",
            "PRAGMA user_version",
            "-- SELECT",
        ] {
            assert!(!reads(sql), "{sql}");
        }
    }
}
