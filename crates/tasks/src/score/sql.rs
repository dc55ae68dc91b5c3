//! Queries: right if they find what the expected query finds, here and on changed copies of the data.
//!
//! A match on one database can be luck: `price > 10` and `price >= 10` agree where nothing costs 10.
//! So both queries also run on copies whose rows were taken away and exchanged, with the very values
//! that the queries compare with strewn in (after Zhong et al. 2020, arXiv 2010.02840).
//!
//! Where the expected query orders its rows, the order must be the same up to ties, see [`super::order`].

use super::order::{either_way, ordering, ranked};
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
    Found::of(query, sandbox).map(drop)
}

/// What an expected query finds.
#[derive(Clone, Debug)]
struct Found {
    /// Walking tables forwards and backwards, and with the ties of inner queries broken in two ways.
    ways: Vec<Wanted>,
    /// Is it known what the query leaves open? Only then can a result be called wrong that was right elsewhere.
    settled: bool,
}

/// Rows that a result must hold.
#[derive(Clone, Debug)]
struct Wanted {
    columns: usize,
    /// In this order.
    parts: Vec<Part>,
}

/// Rows that may come in any order.
#[derive(Clone, Debug)]
struct Part {
    rows: Vec<Vec<Value>>,
    /// So many of them: fewer than there are where a LIMIT parts a tie.
    taken: usize,
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
            let (rows, columns, expected) = (result.rows.len(), result.columns, &wanted.ways[0]);
            let (rows_wanted, columns_wanted) = (expected.len(), expected.columns);
            if (rows, columns) == (rows_wanted, columns_wanted) {
                return wrong(format!("{DIFFERENT}as many rows and columns, but not the expected ones"));
            }
            let [row, column] = [say::number(rows, "row", "rows"), say::number(columns, "column", "columns")];
            let are = say::number(rows_wanted, "is", "are");
            return wrong(format!("{DIFFERENT}{rows} {row} of {columns} {column} where {rows_wanted} of {columns_wanted} {are} expected"));
        }
        for copy in 0..self.copies.len() {
            // where the expected query does not run, or leaves its rows open, a copy can tell nothing
            let Ok(wanted) = self.find(expected, Some(copy)) else { continue };
            if wanted.settled && !self.copies[copy].run(produced, false).is_ok_and(|result| wanted.is(&result)) {
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
        let sandbox = copy.map_or(&mut self.original, |c| &mut self.copies[c]);
        let found = Found::of(query, sandbox)?;
        self.found.insert(key, found.clone());
        Ok(found)
    }
}

impl Found {
    fn of(query: &str, sandbox: &mut Sandbox) -> Result<Self, String> {
        let mut found = Self::as_it_stands(query, sandbox)?;
        for other in either_way(query).into_iter().flatten() {
            let other = Self::as_it_stands(&other, sandbox);
            found.settled &= other.as_ref().is_ok_and(|other| other.settled && other.ways[0].agrees(&found.ways[0]));
            found.ways.extend(other.map(|other| other.ways).unwrap_or_default());
        }
        Ok(found)
    }

    fn as_it_stands(query: &str, sandbox: &mut Sandbox) -> Result<Self, String> {
        let results = [sandbox.run(query, false)?, sandbox.run(query, true)?];
        if !orders(query) {
            let ways = results.map(Wanted::in_any_order);
            return Ok(Self { settled: ways[0].agrees(&ways[1]), ways: ways.into() });
        }
        let tied = [false, true].map(|backwards| Wanted::up_to_ties(query, &results[usize::from(backwards)], sandbox, backwards));
        if let [Some(forwards), Some(backwards)] = tied {
            return Ok(Self { settled: forwards.agrees(&backwards), ways: vec![forwards, backwards] });
        }
        // an order that changes with the direction of the walk is not one that the query asked for
        let ways = results.clone().map(Wanted::in_order);
        let ordered = ways[0].agrees(&ways[1]);
        Ok(Self { ways: if ordered { ways } else { results.map(Wanted::in_any_order) }.into(), settled: false })
    }

    fn is(&self, result: &Rows) -> bool {
        self.ways.iter().any(|way| way.fits(result))
    }
}

impl Wanted {
    /// The rows of a result, in whatever order.
    fn in_any_order(result: Rows) -> Self {
        Self { columns: result.columns, parts: vec![Part { taken: result.rows.len(), rows: result.rows }] }
    }

    /// The rows of a result in just its order.
    fn in_order(result: Rows) -> Self {
        Self { columns: result.columns, parts: result.rows.into_iter().map(|row| Part { rows: vec![row], taken: 1 }).collect() }
    }

    /// What an ordering query asks for, which had this result: ties in any order, and any of those that a LIMIT parts. `None`
    /// if SQLite cannot number the rows of the query, or the numbers do not tell its result.
    fn up_to_ties(query: &str, result: &Rows, sandbox: &mut Sandbox, backwards: bool) -> Option<Self> {
        ranked(query, result.columns).into_iter().find_map(|way| {
            let numbered = sandbox.run(&way.query, backwards).ok()?;
            let mut parts: Vec<(Value, Part)> = Vec::new();
            for (at, mut row) in numbered.rows.into_iter().enumerate() {
                let place = row.pop()?;
                if parts.last().is_none_or(|(last, _)| *last != place) {
                    parts.push((place, Part { rows: Vec::new(), taken: 0 }));
                }
                let (_, part) = parts.last_mut()?;
                part.rows.push(row);
                part.taken += usize::from((way.skipped..way.skipped + result.rows.len()).contains(&at));
            }
            let parts = parts.into_iter().map(|(_, part)| part).filter(|part| part.taken > 0).collect();
            Some(Self { columns: result.columns, parts }).filter(|wanted| wanted.fits(result))
        })
    }

    /// Rows of the result.
    fn len(&self) -> usize {
        self.parts.iter().map(|part| part.taken).sum()
    }

    /// Do both want the same?
    fn agrees(&self, other: &Self) -> bool {
        let part = |(a, b): (&Part, &Part)| a.taken == b.taken && a.rows.len() == b.rows.len() && drawn(all(&a.rows), all(&b.rows));
        self.parts.len() == other.parts.len() && self.parts.iter().zip(&other.parts).all(part)
    }

    /// Does a result hold the rows? Names of columns mean nothing, and neither does their order as long as one order of columns
    /// fits all rows.
    fn fits(&self, result: &Rows) -> bool {
        if self.columns != result.columns || self.len() != result.rows.len() {
            return false;
        }
        let own: Vec<usize> = (0..self.columns).collect();
        if self.fits_by(&own, result, &own) {
            return true;
        }
        // which column of the result may stand for which of the wanted: those with the same values
        let fits: Vec<Vec<usize>> = own.iter().map(|&w| own.iter().copied().filter(|&c| self.fits_by(&[w], result, &[c])).collect()).collect();
        let mut tries = ORDERS;
        self.assign(result, &fits, &mut Vec::new(), &mut tries)
    }

    /// Tries the orders of columns one after the other.
    fn assign(&self, result: &Rows, fits: &[Vec<usize>], order: &mut Vec<usize>, tries: &mut usize) -> bool {
        if order.len() == fits.len() {
            *tries = tries.saturating_sub(1);
            let own: Vec<usize> = (0..self.columns).collect();
            return self.fits_by(&own, result, order);
        }
        for &c in &fits[order.len()] {
            if *tries == 0 {
                return false;
            }
            if !order.contains(&c) {
                order.push(c);
                if self.assign(result, fits, order, tries) {
                    return true;
                }
                order.pop();
            }
        }
        false
    }

    /// Do columns of the result hold what these of the wanted rows hold?
    fn fits_by(&self, own: &[usize], result: &Rows, columns: &[usize]) -> bool {
        let mut rest = result.rows.as_slice();
        self.parts.iter().all(|part| {
            let (rows, more) = rest.split_at(part.taken.min(rest.len()));
            rest = more;
            drawn(some(&part.rows, own), some(rows, columns))
        })
    }
}

/// The query's tokens; `meaning` takes what stands between quotation marks for what it means, else it stays as it is written.
pub(crate) fn tokens(query: &str, meaning: bool) -> Option<Vec<Token>> {
    let tokens = Tokenizer::new(&SQLiteDialect {}, query).with_unescape(meaning).tokenize().ok()?;
    Some(tokens.into_iter().filter(|t| !matches!(t, Token::Whitespace(_) | Token::EOF)).collect())
}

/// A token without what means nothing.
pub(super) fn plain(token: &Token) -> String {
    match token {
        Token::Word(w) => w.value.to_lowercase(),
        Token::DoubleEq => "=".into(),
        other => other.to_string(),
    }
}

/// Does a query order its result: is there an ORDER BY outside all parentheses?
pub fn orders(query: &str) -> bool {
    tokens(query, true).is_some_and(|tokens| ordering(&tokens).is_some())
}

/// A query without what means nothing: layout, comments, case and quotation of names, the last semicolon.
pub fn normal(query: &str) -> String {
    let Some(mut tokens) = tokens(query, true) else { return query.split_whitespace().collect::<Vec<_>>().join(" ") };
    while tokens.last() == Some(&Token::SemiColon) {
        tokens.pop();
    }
    tokens.iter().map(plain).collect::<Vec<_>>().join(" ")
}

/// The names that a query gives to columns and tables by AS.
pub fn aliases(query: &str) -> Vec<String> {
    let tokens = tokens(query, true).unwrap_or_default();
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
    for token in tokens(query, true).unwrap_or_default() {
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

/// Columns of rows.
fn some<'a>(rows: &'a [Vec<Value>], columns: &[usize]) -> Vec<Vec<&'a Value>> {
    rows.iter().map(|row| columns.iter().map(|&c| &row[c]).collect()).collect()
}

fn all(rows: &[Vec<Value>]) -> Vec<Vec<&Value>> {
    rows.iter().map(|row| row.iter().collect()).collect()
}

/// Can the rows be drawn from these, none of them twice?
fn drawn<'a>(mut from: Vec<Vec<&'a Value>>, mut rows: Vec<Vec<&'a Value>>) -> bool {
    let equal = |l: &[&Value], r: &[&Value]| l.iter().zip(r).all(|(l, r)| close(l, r));
    for rows in [&mut from, &mut rows] {
        rows.sort_by(|x, y| x.iter().zip(y).map(|(x, y)| compare(x, y)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal));
    }
    let mut left = from.iter();
    if rows.iter().all(|row| left.any(|l| equal(l, row))) {
        return true;
    }
    // numbers that differ in the last digits can sort rows apart that belong together
    if from.len() > PAIRED || !from.iter().flatten().any(|v| matches!(v, Value::Real(_))) {
        return false;
    }
    rows.iter().all(|row| from.iter().position(|l| equal(l, row)).map(|at| from.swap_remove(at)).is_some())
}

/// As a number, if it is one.
pub(crate) fn number(v: &Value) -> Option<f64> {
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

    /// Ordered by city, two live in Roma, three where most clients are numbered; what is born in one year is a tie too.
    #[test]
    fn ties_of_an_order_may_fall_either_way_and_nothing_else() {
        let orders = "SELECT nome, importo FROM ordini JOIN clienti c ON c.id = cliente_id";
        judge(&[
            // two orders of 20: either may come first, and either may be the one that a LIMIT keeps
            ("SELECT id FROM ordini ORDER BY importo DESC", "SELECT id FROM ordini ORDER BY importo DESC, id", true),
            ("SELECT id FROM ordini ORDER BY importo DESC", "SELECT id FROM ordini ORDER BY importo DESC, id DESC", true),
            ("SELECT id FROM ordini ORDER BY importo DESC LIMIT 2", "SELECT id FROM ordini ORDER BY importo DESC, id DESC LIMIT 2", true),
            ("SELECT id FROM ordini ORDER BY importo DESC LIMIT 1 OFFSET 1", "SELECT id FROM ordini ORDER BY importo DESC, id DESC LIMIT 1, 1", true),
            ("SELECT id FROM ordini ORDER BY importo DESC LIMIT 2", "SELECT id FROM ordini ORDER BY importo LIMIT 2", false),
            ("SELECT id FROM ordini ORDER BY importo DESC LIMIT 1 OFFSET 1", "SELECT id FROM ordini ORDER BY importo DESC LIMIT 1", false),
            ("SELECT id FROM ordini ORDER BY importo DESC, id", "SELECT id FROM ordini ORDER BY importo DESC, id DESC", false),
            // by what is not shown, by place, by name, by an expression, by a name inside one
            ("SELECT nome FROM clienti ORDER BY nato", "SELECT nome FROM clienti ORDER BY nato, nome DESC", true),
            ("SELECT nome FROM clienti ORDER BY nato", "SELECT nome FROM clienti ORDER BY nome", false),
            ("SELECT nome, citta FROM clienti ORDER BY 2", "SELECT citta, nome FROM clienti ORDER BY citta, nome DESC", true),
            ("SELECT nome, citta FROM clienti ORDER BY 2 DESC", "SELECT nome, citta FROM clienti ORDER BY citta", false),
            (
                "SELECT nome AS n, nato AS anno FROM clienti ORDER BY anno DESC LIMIT 2",
                "SELECT nome, nato FROM clienti ORDER BY nato DESC, id DESC LIMIT 2",
                true,
            ),
            ("SELECT nome, nato AS anno FROM clienti ORDER BY anno / 10", "SELECT nome, nato FROM clienti ORDER BY nato / 10, nome DESC", true),
            ("SELECT nome, nato AS anno FROM clienti ORDER BY -anno", "SELECT nome, nato FROM clienti ORDER BY nato", false),
            ("SELECT * FROM clienti ORDER BY length(nome), nato", "SELECT * FROM clienti ORDER BY length(nome), nato, id DESC", true),
            (
                "SELECT citta, count(*) FROM clienti GROUP BY citta ORDER BY count(*)",
                "SELECT citta, count(*) AS n FROM clienti GROUP BY citta ORDER BY n, citta DESC",
                true,
            ),
            ("SELECT citta, count(*) FROM clienti GROUP BY citta ORDER BY count(*) DESC", "SELECT citta, count(*) FROM clienti GROUP BY citta", false),
            ("SELECT DISTINCT citta FROM clienti ORDER BY citta IS NULL", "SELECT citta FROM clienti GROUP BY citta ORDER BY citta IS NULL, citta DESC", true),
            ("SELECT DISTINCT citta FROM clienti ORDER BY citta DESC", "SELECT DISTINCT citta FROM clienti ORDER BY 1", false),
            (
                "SELECT nato FROM clienti UNION ALL SELECT id FROM ordini ORDER BY 1",
                "SELECT id FROM ordini UNION ALL SELECT nato FROM clienti ORDER BY 1",
                true,
            ),
            (
                "SELECT nato AS n FROM clienti UNION SELECT id FROM ordini ORDER BY n",
                "SELECT nato FROM clienti UNION SELECT id FROM ordini ORDER BY 1 DESC",
                false,
            ),
            (
                "WITH t AS (SELECT cliente_id AS c, sum(importo) AS s FROM ordini GROUP BY 1) SELECT nome FROM clienti, t WHERE id = c ORDER BY s > 10, 'a, b)'",
                "SELECT nome FROM clienti c JOIN ordini ON c.id = cliente_id GROUP BY c.id ORDER BY sum(importo) > 10, nome DESC",
                true,
            ),
            (&format!("{orders} ORDER BY c.citta COLLATE NOCASE DESC NULLS LAST;"), &format!("{orders} ORDER BY citta DESC, importo"), true),
            (&format!("{orders} ORDER BY c.citta COLLATE NOCASE DESC NULLS LAST;"), &format!("{orders} ORDER BY citta, importo"), false),
        ]);
    }

    #[test]
    fn a_tie_is_what_sqlite_takes_for_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("names.sql");
        let script = "CREATE TABLE t (n TEXT COLLATE NOCASE, k); INSERT INTO t VALUES ('b', 1), ('A', 1.0), ('a', NULL), ('B', NULL), ('c', '1');";
        std::fs::write(&file, script).expect("written");
        let mut sandbox = Sandbox::open(&[&file]).expect("opens");
        let found = Found::of("SELECT n FROM t ORDER BY n", &mut sandbox).expect("runs");
        let sizes = |found: &Found| found.ways[0].parts.iter().map(|p| (p.rows.len(), p.taken)).collect::<Vec<_>>();
        assert_eq!((sizes(&found), found.settled), (vec![(2, 2), (2, 2), (1, 1)], true));
        let found = Found::of("SELECT n FROM t ORDER BY k DESC LIMIT 2 OFFSET 1", &mut sandbox).expect("runs");
        assert_eq!(sizes(&found), [(2, 2)]);
        let found = Found::of("SELECT n FROM t ORDER BY k LIMIT 3", &mut sandbox).expect("runs");
        assert_eq!(sizes(&found), [(2, 2), (2, 1)]);
        // by what a DISTINCT or a compound shows, and by what none does: then rows are compared as they come, and no copy is asked
        let found = Found::of("SELECT DISTINCT n AS m FROM t ORDER BY length(m), lower(n) = 'b' DESC", &mut sandbox).expect("runs");
        assert_eq!((sizes(&found), found.settled), (vec![(1, 1), (2, 2)], true));
        let found = Found::of("SELECT n FROM t UNION ALL SELECT n FROM t ORDER BY n LIMIT 3", &mut sandbox).expect("runs");
        assert_eq!((sizes(&found), found.settled), (vec![(4, 3)], true));
        let found = Found::of("SELECT DISTINCT n FROM t ORDER BY k", &mut sandbox).expect("runs");
        assert_eq!((sizes(&found), found.settled), (vec![(1, 1); 3], false));
        let found = Found::of("SELECT n FROM t ORDER BY n LIMIT 1 OFFSET (SELECT 1)", &mut sandbox).expect("runs");
        assert!(!found.settled);
        // which of two an inner query keeps is open, unless both lead to the same
        let inner = "(SELECT n, k FROM t ORDER BY n LIMIT 1)";
        let [open, same] =
            ["k IS NULL", "lower(n)"].map(|shown| format!("SELECT {shown} FROM {inner}")).map(|query| Found::of(&query, &mut sandbox).expect("runs"));
        assert!(!open.settled && open.ways.len() == 6 && same.settled);
        assert!(open.is(&Rows { columns: 1, rows: vec![vec![Value::Integer(0)]] }) && open.is(&Rows { columns: 1, rows: vec![vec![Value::Integer(1)]] }));
        assert!(!open.is(&Rows { columns: 1, rows: vec![vec![Value::Integer(2)]] }));
        assert!(Found::of("SELECT n FROM t ORDER BY nowhere", &mut sandbox).is_err());
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
    fn what_a_wrong_query_finds_is_told_by_its_shape_where_that_differs() {
        let (_dir, sandbox) = shop();
        let expected = "SELECT count(*) FROM clienti";
        let mut judge = Judge::new(sandbox, [expected]).expect("copies");
        let mut why = |produced: &str| judge.judge(expected, produced).expect("the expected query runs").reason.expect("a reason");
        assert_eq!(why("SELECT count(*) + 1 FROM clienti"), "it finds something else: as many rows and columns, but not the expected ones");
        assert_eq!(why("SELECT count(*), 2 FROM clienti"), "it finds something else: 1 row of 2 columns where 1 of 1 is expected");
        assert_eq!(why("SELECT nome FROM clienti WHERE 0"), "it finds something else: 0 rows of 1 column where 1 of 1 is expected");
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
            prop_assert!(Wanted::in_any_order(a.clone()).fits(&b));
            if let Some(row) = moved.first_mut() {
                row[0] = Value::Text("changed".into());
                let b = Rows { columns, rows: moved };
                prop_assert!(!Wanted::in_any_order(a).fits(&b));
            }
        }
    }
}
