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
/// So many training questions about a table use a word for its rows, at least.
const NOUN: usize = 3;
/// Words behind which a question names rows in the plural.
const BEFORE: [&str; 17] =
    ["i", "gli", "le", "dei", "degli", "delle", "quali", "quanti", "quante", "agli", "ai", "alle", "negli", "which", "many", "all", "the"];

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
    /// Other words that training questions have for them.
    pub also: Vec<String>,
    pub fields: Vec<Field>,
    /// The columns that stand for a row where a question does not say which it wants.
    pub shown: Vec<usize>,
    /// The rows by the texts among these columns; none where texts do not tell rows apart.
    pub rows: Vec<Vec<String>>,
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
    /// What it means of a row that it has none, where the comment beside the column says so (`-- NULL: not shipped yet`).
    pub absent: Option<String>,
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
    /// What a row of the other table is to one of this one, by the key's name: `cliente` of `cliente_id`.
    pub said: String,
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
                    let comment = comments.get(&(table.name.clone(), c.name.clone()));
                    let absent = comment.and_then(|c| c.strip_prefix("null:")).map(|meaning| meaning.trim().to_string());
                    said.extend(comment.filter(|c| absent.is_none() && c.split_whitespace().count() <= COMMENT).cloned());
                    Some(Field { name: c.name.clone(), said, what, missing, absent, shared })
                })
                .collect();
            let shown = shown(examples, &table.name, &fields);
            if !shown.is_empty() {
                let rows = rows(database, &table.name, &fields, &shown);
                tables.push(Thing { name: table.name.clone(), said: spelled(&table.name), also: Vec::new(), fields, shown, rows });
            }
        }
        for (table, noun) in nouns(examples, &tables) {
            tables[table].also.push(noun);
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
                    let key = column.name.clone();
                    let bare = key.strip_suffix("_id").or_else(|| key.strip_prefix("id_")).unwrap_or(&key);
                    links.push(Link { child, said: spelled(bare), key, parent, to });
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

/// Short comments beside columns, in small letters, in the script that made the tables, by table and column.
fn comments(database: &mut Sandbox) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    let made = database.run("SELECT name, sql FROM sqlite_master WHERE type = 'table'", false).map(|r| r.rows).unwrap_or_default();
    for row in made {
        let [Value::Text(table), Value::Text(script)] = row.as_slice() else { continue };
        for line in script.lines() {
            let Some((column, comment)) = line.split_once("--") else { continue };
            let (Some(name), comment) = (column.split_whitespace().next(), comment.trim().to_lowercase()) else { continue };
            let plain = comment.strip_prefix("null:").unwrap_or(&comment);
            let words = plain.split_whitespace().count();
            if (1..=2 * COMMENT).contains(&words) && plain.chars().all(|c| c.is_alphanumeric() || c == ' ' || c == '\'') {
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
        if texts.iter().all(|t| day(t).is_some()) { What::Date(texts) } else { What::Text(texts.into_iter().filter(|t| nameable(t)).collect()) }
    };
    Some((what, missing, shared))
}

/// Would a question name this text as it is?
fn nameable(text: &str) -> bool {
    text.chars().count() <= LENGTH && !text.trim().is_empty() && !text.contains(['\'', '"', '\n'])
}

/// The rows of a table by the texts among the columns that stand for a row; none where one text stands for several rows.
fn rows(database: &mut Sandbox, table: &str, fields: &[Field], shown: &[usize]) -> Vec<Vec<String>> {
    let texts: Vec<&Field> = shown.iter().map(|&at| &fields[at]).filter(|f| matches!(f.what, What::Text(_))).collect();
    if texts.is_empty() || (texts.len() == 1 && texts[0].shared) {
        return Vec::new();
    }
    let columns = texts.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ");
    let found = database.run(&format!("SELECT DISTINCT {columns} FROM {table} ORDER BY {columns} LIMIT {VALUES}"), false);
    let text = |v: Value| if let Value::Text(t) = v { Some(t).filter(|t| nameable(t)) } else { None };
    found.map(|f| f.rows).unwrap_or_default().into_iter().filter_map(|row| row.into_iter().map(text).collect()).collect()
}

/// Words that training questions have for the rows of a table other than its name, by its place: those that stand in the
/// plural's place ([`BEFORE`]) in several questions about it and hardly in others.
fn nouns(examples: &[Example], tables: &[Thing]) -> Vec<(usize, String)> {
    let mut used: BTreeMap<String, BTreeMap<usize, usize>> = BTreeMap::new();
    for example in examples {
        let Target::Sql(query) = &example.target else { continue };
        let from = words_of(query).and_then(|words| words.iter().position(|w| w == "from").and_then(|at| words.get(at + 1).cloned()));
        let Some(table) = from.and_then(|name| tables.iter().position(|t| t.name.eq_ignore_ascii_case(&name))) else { continue };
        let text = example.text.to_lowercase();
        let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
        let here: BTreeSet<&str> = words.windows(2).filter(|w| BEFORE.contains(&w[0]) && w[1].len() > 3).map(|w| w[1]).collect();
        for word in here.into_iter().filter(|w| w.chars().all(char::is_alphabetic)) {
            *used.entry(word.into()).or_default().entry(table).or_default() += 1;
        }
    }
    let taken = |word: &str| tables.iter().any(|t| t.said == word || t.fields.iter().any(|f| f.said.iter().any(|s| s == word)));
    let mut found = Vec::new();
    for (word, by_table) in used.into_iter().filter(|(word, _)| !taken(word)) {
        let all: usize = by_table.values().sum();
        found.extend(by_table.iter().find(|(_, times)| **times >= NOUN && **times * 3 >= all * 2).map(|(table, _)| (*table, word.clone())));
    }
    found
}

/// The words of a query in small letters, and its other tokens.
fn words_of(query: &str) -> Option<Vec<String>> {
    Some(tokens(query, true)?.iter().map(|t| if let Token::Word(w) = t { w.value.to_lowercase() } else { t.to_string() }).collect())
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
    let words = words_of(query)?;
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
