//! Queries: right if they find what the expected query finds, here and on changed copies of the data.
//!
//! A match on one database can be luck: `price > 10` and `price >= 10` agree where nothing costs 10.
//! So both queries also run on copies whose rows were taken away and exchanged, with the very values
//! that the queries compare with strewn in (after Zhong et al. 2020, arXiv 2010.02840).

use super::{Interval, bootstrap, ratio};
use crate::sandbox::{Error, Rows, Sandbox};
use rusqlite::types::Value;
use say::say;
use serde::{Deserialize, Serialize};
use sqlparser::dialect::SQLiteDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Tokenizer};
use std::cmp::Ordering;
use std::collections::HashMap;
use ts_rs::TS;

/// Changed copies on which a match must hold.
const COPIES: u64 = 4;
/// Most orders of columns that are tried.
const ORDERS: usize = 200;
/// Most rows that are paired one by one when sorting alone does not pair them.
const PAIRED: usize = 1_000;

/// What became of one query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Verdict {
    /// The result is the expected one, on the data and on every changed copy.
    pub right: bool,
    /// The query is the expected one, layout, case and quotation of names aside.
    pub exact: bool,
    /// The query ran and ended within the limits.
    pub valid: bool,
    /// Why it is not right.
    pub reason: Option<String>,
}

/// Scores of queries on a set of examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Sql {
    /// Share of the queries whose result is the expected one, on the data and on every changed copy.
    pub execution_accuracy: f64,
    /// Bootstrap interval of that share.
    pub execution_accuracy_ci: Interval,
    /// Share of the queries that are the expected ones, layout, case and quotation of names aside.
    pub exact_match: f64,
    /// Bootstrap interval of that share.
    pub exact_match_ci: Interval,
    /// Share of the queries that ran and ended within the limits.
    pub valid_sql: f64,
    /// Bootstrap interval of that share.
    pub valid_sql_ci: Interval,
    /// Queries whose result was right on the data and wrong on a changed copy.
    pub lucky: usize,
    /// Examples scored.
    pub examples: usize,
}

/// Why a match that does not hold on a changed copy is not right.
const LUCKY: &str = "its result is right on this data only; on a copy with other rows it differs";
/// How the reason of a result that is not the expected one begins.
const DIFFERENT: &str = "it finds something else: ";

/// In which way a query is not right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// It was refused, does not run, or did not end within the limits.
    DoesNotRun,
    /// It finds something else.
    Different,
    /// It finds the expected rows on the data, and something else on a changed copy.
    Lucky,
}

impl Failure {
    /// What the reason of a [`Verdict`] tells.
    pub fn of(reason: &str) -> Self {
        match reason {
            LUCKY => Self::Lucky,
            _ if reason.starts_with(DIFFERENT) => Self::Different,
            _ => Self::DoesNotRun,
        }
    }
}

/// Scores verdicts.
pub fn sql(verdicts: &[Verdict]) -> Sql {
    let metrics = |sample: &[Verdict]| {
        let share = |f: fn(&Verdict) -> bool| ratio(sample.iter().filter(|v| f(v)).count(), sample.len());
        [share(|v| v.right), share(|v| v.exact), share(|v| v.valid)]
    };
    let ([execution_accuracy, exact_match, valid_sql], cis) = (metrics(verdicts), bootstrap(verdicts, metrics));
    Sql {
        execution_accuracy,
        execution_accuracy_ci: cis[0],
        exact_match,
        exact_match_ci: cis[1],
        valid_sql,
        valid_sql_ci: cis[2],
        lucky: verdicts.iter().filter(|v| v.reason.as_deref() == Some(LUCKY)).count(),
        examples: verdicts.len(),
    }
}

/// A database with its changed copies, on which queries are judged.
#[derive(Debug)]
pub struct Judge {
    original: Sandbox,
    copies: Vec<Sandbox>,
    /// What expected queries find on the original (`None`) and on each copy.
    found: HashMap<(String, Option<usize>), Found>,
}

/// Can answers be held against this expected query?
///
/// # Errors
/// With the reason why not: within the limits of a [`Sandbox`] it has no result.
pub fn can_be_expected(sandbox: &mut Sandbox, query: &str) -> Result<(), String> {
    Found::of(sandbox, query).map(drop)
}

/// What an expected query finds: walking tables forwards and backwards.
#[derive(Clone, Debug)]
struct Found {
    forwards: Rows,
    backwards: Rows,
    /// Must the order be the same?
    ordered: bool,
}

impl Judge {
    /// Makes the changed copies. `queries` are the expected queries of the data set: the values that
    /// they compare with go into the copies.
    ///
    /// # Errors
    /// If there is no memory for the copies.
    pub fn new<'a>(original: Sandbox, queries: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let mut literals: Vec<(String, Value)> = Vec::new();
        for literal in queries.into_iter().flat_map(literals_of) {
            if !literals.contains(&literal) {
                literals.push(literal);
            }
        }
        let copies = (0..COPIES).map(|seed| original.changed(seed, &literals)).collect::<Result<_, _>>()?;
        Ok(Self { original, copies, found: HashMap::new() })
    }

    /// The database itself.
    pub fn sandbox(&mut self) -> &mut Sandbox {
        &mut self.original
    }

    /// Judges a produced query against the expected one.
    ///
    /// # Errors
    /// With a sentence, if the expected query itself does not run: then the data set is wrong.
    pub fn judge(&mut self, expected: &str, produced: &str) -> Result<Verdict, String> {
        let exact = normal(expected) == normal(produced);
        let wanted = self.find(expected, None).map_err(|why| say!("the expected query does not run: {why}", "la query attesa non si esegue: {why}"))?;
        let result = match self.original.run(produced, false) {
            Ok(result) => result,
            Err(why) => return Ok(Verdict { right: false, exact, valid: false, reason: Some(why) }),
        };
        let wrong = |reason: String| Ok(Verdict { right: false, exact, valid: true, reason: Some(reason) });
        if !wanted.is(&result) {
            let (rows, columns) = (result.rows.len(), result.columns);
            return wrong(format!(
                "{DIFFERENT}{rows} rows of {columns} columns where {} of {} are expected",
                wanted.forwards.rows.len(),
                wanted.forwards.columns
            ));
        }
        for copy in 0..self.copies.len() {
            // where the expected query does not run, or leaves its rows open, a copy can tell nothing
            let Ok(wanted) = self.find(expected, Some(copy)) else { continue };
            if !same(&wanted.forwards, &wanted.backwards, false) {
                continue;
            }
            if !self.copies[copy].run(produced, false).is_ok_and(|result| wanted.is(&result)) {
                return wrong(LUCKY.into());
            }
        }
        Ok(Verdict { right: true, exact, valid: true, reason: None })
    }

    fn find(&mut self, query: &str, copy: Option<usize>) -> Result<Found, String> {
        let key = (query.to_string(), copy);
        if let Some(found) = self.found.get(&key) {
            return Ok(found.clone());
        }
        let found = Found::of(copy.map_or(&mut self.original, |c| &mut self.copies[c]), query)?;
        self.found.insert(key, found.clone());
        Ok(found)
    }
}

impl Found {
    fn of(sandbox: &mut Sandbox, query: &str) -> Result<Self, String> {
        let (forwards, backwards) = (sandbox.run(query, false)?, sandbox.run(query, true)?);
        // an order that changes with the direction of the walk is not one that the query asked for
        let ordered = orders(query) && same(&forwards, &backwards, true);
        Ok(Self { forwards, backwards, ordered })
    }

    fn is(&self, result: &Rows) -> bool {
        same(&self.forwards, result, self.ordered) || same(&self.backwards, result, self.ordered)
    }
}

/// The tokens of a query, white space left out; nothing if it cannot be cut into tokens.
pub(crate) fn tokens(query: &str) -> Option<Vec<Token>> {
    let tokens = Tokenizer::new(&SQLiteDialect {}, query).tokenize().ok()?;
    Some(tokens.into_iter().filter(|t| !matches!(t, Token::Whitespace(_) | Token::EOF)).collect())
}

/// Does a query order its result: is there an ORDER BY outside all parentheses?
pub fn orders(query: &str) -> bool {
    let mut depth = 0usize;
    let mut last = String::new();
    for token in tokens(query).unwrap_or_default() {
        match &token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::Word(w) if depth == 0 && w.quote_style.is_none() && w.value.eq_ignore_ascii_case("by") && last == "order" => return true,
            _ => {}
        }
        last = token.to_string().to_ascii_lowercase();
    }
    false
}

/// A query without what means nothing: layout, comments, case and quotation of names, the last semicolon.
pub fn normal(query: &str) -> String {
    let Some(mut tokens) = tokens(query) else { return query.split_whitespace().collect::<Vec<_>>().join(" ") };
    while tokens.last() == Some(&Token::SemiColon) {
        tokens.pop();
    }
    let text = |t: &Token| match t {
        Token::Word(w) => w.value.to_lowercase(),
        Token::DoubleEq => "=".into(),
        other => other.to_string(),
    };
    tokens.iter().map(text).collect::<Vec<_>>().join(" ")
}

/// The names that a query gives to columns and tables by AS.
pub fn aliases(query: &str) -> Vec<String> {
    let tokens = tokens(query).unwrap_or_default();
    let named = |pair: &[Token]| match pair {
        [Token::Word(word), Token::Word(name)] if word.keyword == Keyword::AS && name.quote_style.is_none() => Some(name.value.clone()),
        _ => None,
    };
    tokens.windows(2).filter_map(named).collect()
}

/// As [`literals`], and beside a whole number its neighbours, so that `>` and `>=` differ.
fn literals_of(query: &str) -> Vec<(String, Value)> {
    let around = |(name, value): (String, Value)| match value {
        Value::Integer(i) => [i, i.saturating_sub(1), i.saturating_add(1)].map(|i| (name.clone(), Value::Integer(i))).to_vec(),
        value => vec![(name, value)],
    };
    literals(query).into_iter().flat_map(around).collect()
}

/// The values in a query with the name that stands last before them, which is mostly the column that
/// they are compared with.
pub fn literals(query: &str) -> Vec<(String, Value)> {
    let (mut out, mut name) = (Vec::new(), String::new());
    for token in tokens(query).unwrap_or_default() {
        match token {
            // many names of columns are keywords of some dialect: only what joins a column to a value is passed over
            Token::Word(w)
                if w.quote_style.is_some()
                    || !matches!(
                        w.keyword,
                        Keyword::AND | Keyword::OR | Keyword::NOT | Keyword::IN | Keyword::LIKE | Keyword::BETWEEN | Keyword::GLOB | Keyword::IS
                    ) =>
            {
                name = w.value;
            }
            Token::Number(n, _) => match (n.parse::<i64>(), n.parse::<f64>()) {
                (Ok(i), _) => out.push((name.clone(), Value::Integer(i))),
                (_, Ok(r)) if r.is_finite() => out.push((name.clone(), Value::Real(r))),
                _ => {}
            },
            Token::SingleQuotedString(s) => out.push((name.clone(), Value::Text(s))),
            _ => {}
        }
    }
    out
}

/// Do two results hold the same rows? Names of columns mean nothing, and neither does their order as
/// long as one order of columns fits all rows. Rows are compared as a multiset unless `ordered`.
pub fn same(a: &Rows, b: &Rows, ordered: bool) -> bool {
    if a.columns != b.columns || a.rows.len() != b.rows.len() {
        return false;
    }
    let identity: Vec<usize> = (0..a.columns).collect();
    if rows_match(a, b, &identity, ordered) {
        return true;
    }
    // which column of `b` may stand for which of `a`: those with the same values
    let column = |r: &Rows, c: usize| Rows { columns: 1, rows: r.rows.iter().map(|row| vec![row[c].clone()]).collect() };
    let (left, right): (Vec<Rows>, Vec<Rows>) = (0..a.columns).map(|c| (column(a, c), column(b, c))).unzip();
    let fits: Vec<Vec<usize>> = left.iter().map(|l| (0..b.columns).filter(|&c| rows_match(l, &right[c], &[0], ordered)).collect()).collect();
    let mut tries = ORDERS;
    assign(a, b, &fits, &mut Vec::new(), ordered, &mut tries)
}

/// Tries the orders of columns one after the other.
fn assign(a: &Rows, b: &Rows, fits: &[Vec<usize>], order: &mut Vec<usize>, ordered: bool, tries: &mut usize) -> bool {
    if order.len() == fits.len() {
        *tries = tries.saturating_sub(1);
        return rows_match(a, b, order, ordered);
    }
    for &c in &fits[order.len()] {
        if *tries == 0 {
            return false;
        }
        if !order.contains(&c) {
            order.push(c);
            if assign(a, b, fits, order, ordered, tries) {
                return true;
            }
            order.pop();
        }
    }
    false
}

/// Are the rows of `a` those of `b` with the columns of `b` taken in this order?
fn rows_match(a: &Rows, b: &Rows, order: &[usize], ordered: bool) -> bool {
    let mut left: Vec<Vec<&Value>> = a.rows.iter().map(|r| r.iter().collect()).collect();
    let mut right: Vec<Vec<&Value>> = b.rows.iter().map(|r| order.iter().map(|&c| &r[c]).collect()).collect();
    let equal = |l: &[&Value], r: &[&Value]| l.iter().zip(r).all(|(l, r)| close(l, r));
    if !ordered {
        let sort =
            |rows: &mut Vec<Vec<&Value>>| rows.sort_by(|x, y| x.iter().zip(y).map(|(x, y)| compare(x, y)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal));
        sort(&mut left);
        sort(&mut right);
    }
    if left.iter().zip(&right).all(|(l, r)| equal(l, r)) {
        return true;
    }
    // numbers that differ in the last digits can sort rows apart that belong together
    if ordered || left.len() > PAIRED || !left.iter().flatten().any(|v| matches!(v, Value::Real(_))) {
        return false;
    }
    left.iter().all(|l| right.iter().position(|r| equal(l, r)).map(|at| right.swap_remove(at)).is_some())
}

/// As a number, if it is one.
fn number(v: &Value) -> Option<f64> {
    match v {
        Value::Integer(i) => Some(*i as f64),
        Value::Real(r) => Some(*r),
        _ => None,
    }
}

/// Equal, numbers up to the rounding of a sum: one part in a million.
fn close(a: &Value, b: &Value) -> bool {
    match (number(a), number(b)) {
        (Some(x), Some(y)) => x == y || (x - y).abs() <= 1e-6 * x.abs().max(y.abs()).max(1e-3),
        _ => a == b,
    }
}

fn compare(a: &Value, b: &Value) -> Ordering {
    let rank = |v: &Value| match v {
        Value::Null => 0,
        Value::Integer(_) | Value::Real(_) => 1,
        Value::Text(_) => 2,
        Value::Blob(_) => 3,
    };
    match (a, b) {
        (Value::Text(x), Value::Text(y)) => x.cmp(y),
        (Value::Blob(x), Value::Blob(y)) => x.cmp(y),
        _ => match (number(a), number(b)) {
            (Some(x), Some(y)) => x.total_cmp(&y),
            _ => rank(a).cmp(&rank(b)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::tests::shop;
    use proptest::prelude::*;

    fn judge(cases: &[(&str, &str, bool)]) {
        let (_dir, sandbox) = shop();
        let mut judge = Judge::new(sandbox, cases.iter().map(|c| c.0)).expect("copies");
        for (expected, produced, right) in cases {
            let verdict = judge.judge(expected, produced).expect("the expected query runs");
            assert_eq!(verdict.right, *right, "{expected} / {produced}: {verdict:?}");
            assert_eq!(verdict.right, verdict.reason.is_none());
        }
    }

    #[test]
    fn results_decide_and_not_wording() {
        judge(&[
            ("SELECT nome, citta FROM clienti", "select c.nome as x, c.citta from clienti as c", true),
            // the order of rows means nothing unless it was asked for, that of columns nothing at all
            ("SELECT nome, citta FROM clienti", "SELECT nome, citta FROM clienti ORDER BY nome DESC", true),
            ("SELECT nome FROM clienti ORDER BY nome", "SELECT nome FROM clienti ORDER BY nome DESC", false),
            ("SELECT nome, citta FROM clienti", "SELECT citta, nome FROM clienti", true),
            ("SELECT nome, citta FROM clienti", "SELECT nome, nome FROM clienti", false),
            ("SELECT nome FROM clienti", "SELECT nome, id FROM clienti", false),
            // multisets
            ("SELECT citta FROM clienti", "SELECT DISTINCT citta FROM clienti", false),
            ("SELECT count(*) FROM ordini", "SELECT 6.0", false),
            ("SELECT sum(importo) FROM ordini", "SELECT total(importo) + 0.0000000001 FROM ordini", true),
            ("SELECT nome FROM clienti WHERE citta IS NULL", "SELECT nome FROM clienti WHERE citta = NULL", false),
        ]);
    }

    /// Each pair finds the same on the shop's data.
    #[test]
    fn luck_is_not_counted() {
        judge(&[
            ("SELECT nome FROM clienti WHERE nato > 1985", "SELECT nome FROM clienti WHERE nato >= 1985", false),
            ("SELECT nome FROM clienti WHERE nato = 1990", "SELECT nome FROM clienti WHERE nato <> 1980", false),
            ("SELECT count(*) FROM clienti WHERE citta = 'Roma'", "SELECT count(*) FROM clienti WHERE nato = 1990", false),
            ("SELECT count(*) FROM clienti", "SELECT 4", false),
            ("SELECT nome FROM clienti WHERE citta = 'Milano'", "SELECT 'Bruno'", false),
        ]);
        let (_dir, sandbox) = shop();
        let mut judge = Judge::new(sandbox, ["SELECT count(*) FROM clienti"]).expect("copies");
        let verdict = judge.judge("SELECT count(*) FROM clienti", "SELECT 4").expect("runs");
        assert_eq!((verdict.valid, verdict.reason.as_deref()), (true, Some(LUCKY)));
        assert_eq!(sql(&[verdict]).lucky, 1);
    }

    #[test]
    fn rows_that_the_expected_query_leaves_open_may_be_either() {
        // two are born in 1990: any one of them is right
        judge(&[
            ("SELECT nome FROM clienti WHERE nato = 1990 LIMIT 1", "SELECT 'Bruno'", true),
            ("SELECT nome FROM clienti ORDER BY nato DESC LIMIT 1", "SELECT 'Dino'", false),
        ]);
    }

    #[test]
    fn hostile_answers_score_zero_with_the_reason() {
        let (_dir, sandbox) = shop();
        let expected = "SELECT nome FROM clienti";
        let mut judge = Judge::new(sandbox, [expected]).expect("copies");
        let mut verdicts = Vec::new();
        for (produced, reason) in [
            ("", "not an error"),
            ("DROP TABLE clienti", "more than read"),
            ("SELECT nome FROM clienti; SELECT 1", "more than one statement"),
            ("SELECT name FROM clienti", "no such column"),
            ("SELECT a.nome FROM clienti a, ordini b, ordini c, ordini d, ordini e, ordini f, ordini g, ordini h", "more than 10000 rows"),
        ] {
            let verdict = judge.judge(expected, produced).expect("the expected query runs");
            assert!(!verdict.right && !verdict.valid, "{produced}");
            assert!(produced.is_empty() || verdict.reason.as_deref().is_some_and(|r| r.contains(reason)), "{produced}: {verdict:?}");
            verdicts.push(verdict);
        }
        let exact = judge.judge(expected, "select \"NOME\"\n from Clienti ; -- all").expect("runs");
        assert!(exact.right && exact.exact);
        verdicts.push(exact);
        let s = sql(&verdicts);
        assert!((s.execution_accuracy - 1.0 / 6.0).abs() < 1e-12 && (s.valid_sql - 1.0 / 6.0).abs() < 1e-12 && s.examples == 6);
        assert!(judge.judge("SELECT nowhere FROM clienti", expected).is_err_and(|e| e.contains("expected query does not run")));
    }

    #[test]
    fn only_an_order_outside_parentheses_orders() {
        assert!(orders("SELECT a FROM t ORDER BY a") && orders("select a from t union select b from u order\nby 1 limit 3"));
        for not in ["SELECT a FROM (SELECT a FROM t ORDER BY a)", "SELECT rank() OVER (ORDER BY a) FROM t", "SELECT 'order by' FROM t", "SELECT 'x"] {
            assert!(!orders(not), "{not}");
        }
        assert_eq!(aliases("SELECT a AS totale, b as 'x' FROM t AS u"), ["totale", "u"]);
        assert_eq!(normal("SELECT  A FROM [t] WHERE x == 'B';"), normal("select a from T where X = 'B'"));
        assert_ne!(normal("SELECT a FROM t WHERE x = 'B'"), normal("SELECT a FROM t WHERE x = 'b'"));
    }

    fn table() -> impl Strategy<Value = Vec<Vec<Value>>> {
        let value = prop_oneof![
            Just(Value::Null),
            (0i64..3).prop_map(Value::Integer),
            (0i64..3).prop_map(|i| Value::Real(i as f64 + 0.5)),
            "[ab]{0,2}".prop_map(Value::Text)
        ];
        (1usize..4).prop_flat_map(move |columns| proptest::collection::vec(proptest::collection::vec(value.clone(), columns), 0..8))
    }

    proptest! {
        #[test]
        fn shuffled_rows_and_columns_are_the_same_and_a_changed_cell_is_not(rows in table(), seed in 0usize..1000) {
            let columns = rows.first().map_or(1, Vec::len);
            let a = Rows { columns, rows: rows.clone() };
            let mut moved = rows.clone();
            moved.rotate_left(seed % rows.len().max(1));
            moved.iter_mut().for_each(|r| r.rotate_left(seed % columns));
            let b = Rows { columns, rows: moved.clone() };
            prop_assert!(same(&a, &b, false));
            if let Some(row) = moved.first_mut() {
                row[0] = Value::Text("changed".into());
                let b = Rows { columns, rows: moved };
                prop_assert!(!same(&a, &b, false));
            }
        }
    }
}
