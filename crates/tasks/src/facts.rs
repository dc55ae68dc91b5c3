//! What can be asked about a database: its tables with the words for them, the kinds and values of their columns, what
//! stands for a row, and which table's key leads to which.

use crate::sandbox::{Sandbox, Table};
use crate::score::sql::{number, tokens};
use data::{Example, Target};
use rusqlite::types::Value;
use sqlparser::tokenizer::Token;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use unicode_normalization::UnicodeNormalization;

/// Most values of a column that are looked at.
const VALUES: usize = 2_000;
/// Longest text that is a value somebody would ask for, in characters.
const LENGTH: usize = 40;
/// Longest comment beside a column that is another name for it, in words.
const COMMENT: usize = 3;

/// What is known of a database.
#[derive(Debug)]
pub struct Facts {
    pub tables: Vec<Thing>,
    pub links: Vec<Link>,
}

/// A table.
#[derive(Debug)]
pub struct Thing {
    pub name: String,
    /// How a question names its rows.
    pub said: String,
    pub fields: Vec<Field>,
    /// The columns that stand for a row where a question does not say which it wants.
    pub shown: Vec<usize>,
}

/// A column.
#[derive(Debug)]
pub struct Field {
    pub name: String,
    /// How questions name it.
    pub said: Vec<String>,
    pub what: What,
    /// Are there rows without a value?
    pub missing: bool,
    /// Do several rows share a value, so that they can be counted by it?
    pub shared: bool,
}

/// What the values of a column are.
#[derive(Debug, PartialEq)]
pub enum What {
    /// It tells rows apart or refers to another table's.
    Key,
    /// 0 or 1.
    Flag,
    /// Numbers, ascending; whether all are whole.
    Number(Vec<f64>, bool),
    /// Days as `2024-03-01`, perhaps with a time, ascending.
    Date(Vec<String>),
    /// Texts.
    Text(Vec<String>),
}

/// A key of one table that refers to another, both by their places.
#[derive(Debug)]
pub struct Link {
    pub child: usize,
    pub key: String,
    pub parent: usize,
    pub to: String,
}

impl Facts {
    /// Reads a database. `examples` are training rows: what they ask for where they name no column is what stands for a row,
    /// and they spell the words that names of columns spell without accents.
    pub fn of(examples: &[Example], database: &mut Sandbox) -> Self {
        let all: Vec<Table> = database.tables().iter().filter(|t| plain(&t.name)).cloned().collect();
        let (accents, comments) = (accents(examples), comments(database));
        let spelled = |name: &str| {
            let words = name.split('_').filter(|w| !w.is_empty()).map(str::to_lowercase);
            words.map(|w| accents.get(&w).cloned().unwrap_or(w)).collect::<Vec<_>>().join(" ")
        };
        let mut tables = Vec::new();
        for table in &all {
            let fields: Vec<Field> = table
                .columns
                .iter()
                .filter(|c| plain(&c.name))
                .filter_map(|c| {
                    let (what, missing, shared) = values(database, &table.name, &c.name, c.primary || c.refers.is_some())?;
                    let mut said = vec![spelled(&c.name)];
                    said.extend(comments.get(&(table.name.clone(), c.name.clone())).cloned());
                    Some(Field { name: c.name.clone(), said, what, missing, shared })
                })
                .collect();
            let shown = shown(examples, &table.name, &fields);
            if !shown.is_empty() {
                tables.push(Thing { name: table.name.clone(), said: spelled(&table.name), fields, shown });
            }
        }
        let place = |name: &str| tables.iter().position(|t: &Thing| t.name.eq_ignore_ascii_case(name));
        let mut links = Vec::new();
        for table in &all {
            for column in &table.columns {
                let Some((other, to)) = &column.refers else { continue };
                let (Some(child), Some(parent)) = (place(&table.name), place(other)) else { continue };
                let primary =
                    || all.iter().find(|t| t.name.eq_ignore_ascii_case(other)).and_then(|t| t.columns.iter().find(|c| c.primary)).map(|c| c.name.clone());
                let to = if to.is_empty() { primary() } else { Some(to.clone()) };
                if let Some(to) = to.filter(|to| plain(to) && plain(&column.name)) {
                    links.push(Link { child, key: column.name.clone(), parent, to });
                }
            }
        }
        Self { tables, links }
    }
}

/// Can a name stand in a query without quotation marks? (That it is no keyword shows when the query runs.)
fn plain(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The words of questions that have accents, by what they are without them.
fn accents(examples: &[Example]) -> BTreeMap<String, String> {
    let words = examples.iter().flat_map(|e| e.text.split(|c: char| !c.is_alphanumeric()));
    let accented = words.filter(|w| w.chars().any(|c| !c.is_ascii() && c.is_alphabetic())).map(str::to_lowercase);
    accented.map(|w| (w.nfd().filter(char::is_ascii).collect(), w)).collect()
}

/// Short comments beside columns in the script that made the tables, by table and column.
fn comments(database: &mut Sandbox) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    let made = database.run("SELECT name, sql FROM sqlite_master WHERE type = 'table'", false).map(|r| r.rows).unwrap_or_default();
    for row in made {
        let [Value::Text(table), Value::Text(script)] = row.as_slice() else { continue };
        for line in script.lines() {
            let Some((column, comment)) = line.split_once("--") else { continue };
            let (Some(name), comment) = (column.split_whitespace().next(), comment.trim().to_lowercase()) else { continue };
            let words = comment.split_whitespace().count();
            if (1..=COMMENT).contains(&words) && comment.chars().all(|c| c.is_alphanumeric() || c == ' ' || c == '\'') {
                found.insert((table.clone(), name.to_string()), comment);
            }
        }
    }
    found
}

/// What a column holds, whether rows lack it, and whether rows share its values; nothing if it cannot be read or is empty.
fn values(database: &mut Sandbox, table: &str, column: &str, key: bool) -> Option<(What, bool, bool)> {
    let counted = database.run(&format!("SELECT COUNT(*), COUNT({column}), COUNT(DISTINCT {column}) FROM {table}"), false).ok()?;
    let [Value::Integer(rows), Value::Integer(given), Value::Integer(different)] = counted.rows.first()?.as_slice() else { return None };
    let (missing, shared) = (given < rows, different * 2 <= *given && *different <= 60);
    if key {
        return Some((What::Key, missing, shared));
    }
    let found = database.run(&format!("SELECT DISTINCT {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY 1 LIMIT {VALUES}"), false).ok()?;
    let found: Vec<Value> = found.rows.into_iter().flatten().collect();
    let numbers: Vec<f64> = found.iter().filter_map(number).collect();
    let what = if found.is_empty() {
        return None;
    } else if numbers.len() == found.len() {
        let whole = found.iter().all(|v| matches!(v, Value::Integer(_)));
        if whole && numbers.iter().all(|n| *n == 0.0 || *n == 1.0) { What::Flag } else { What::Number(numbers, whole) }
    } else {
        let text = |v: &Value| if let Value::Text(t) = v { Some(t.clone()) } else { None };
        let texts: Vec<String> = found.iter().filter_map(text).collect();
        if texts.iter().all(|t| day(t).is_some()) {
            What::Date(texts)
        } else {
            What::Text(texts.into_iter().filter(|t| t.chars().count() <= LENGTH && !t.trim().is_empty() && !t.contains(['\'', '"', '\n'])).collect())
        }
    };
    Some((what, missing, shared))
}

/// Year, month and day of a text that begins with a date as `2024-03-01`.
pub fn day(text: &str) -> Option<(u32, u32, u32)> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.split('-').map(|p| p.parse::<u32>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let fits = date.as_bytes()[4] == b'-' && (1..=12).contains(&month) && (1..=31).contains(&day) && (rest.is_empty() || rest.starts_with([' ', 'T']));
    fits.then_some((year, month, day))
}

/// The columns that training queries about this table alone ask for most, or else its first text, or else its key.
fn shown(examples: &[Example], table: &str, fields: &[Field]) -> Vec<usize> {
    let mut asked: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
    for example in examples {
        let Target::Sql(query) = &example.target else { continue };
        *asked.entry(columns_of(query, table, fields).unwrap_or_default()).or_default() += 1;
    }
    // of equals the shorter list: the longer one names what its question asked for
    let most = asked.into_iter().filter(|(columns, _)| !columns.is_empty()).max_by_key(|(columns, times)| (*times, Reverse(columns.len())));
    let most = most.map(|(columns, _)| columns);
    let text = || fields.iter().position(|f| matches!(f.what, What::Text(_)) && !f.shared).map(|at| vec![at]);
    let key = || fields.iter().position(|f| f.what == What::Key).map(|at| vec![at]);
    most.or_else(text).or_else(key).unwrap_or_default()
}

/// The columns that `SELECT a, b FROM table …` asks for; nothing if it asks for anything else or for another table.
fn columns_of(query: &str, table: &str, fields: &[Field]) -> Option<Vec<usize>> {
    let tokens = tokens(query, true)?;
    let words: Vec<String> = tokens.iter().map(|t| if let Token::Word(w) = t { w.value.to_lowercase() } else { t.to_string() }).collect();
    let from = words.iter().position(|w| w == "from")?;
    let whole = words.first()? == "select" && words.get(from + 1)?.eq_ignore_ascii_case(table) && !words.iter().skip(from).any(|w| w == "join" || w == "group");
    let listed = words.get(1..from).filter(|_| whole)?;
    let columns: Vec<usize> = listed
        .split(|w| w == ",")
        .map(|c| if let [name] = c { fields.iter().position(|f| f.name.eq_ignore_ascii_case(name)) } else { None })
        .collect::<Option<_>>()?;
    let different = columns.iter().collect::<BTreeSet<_>>().len() == columns.len();
    different.then_some(columns)
}
