//! What the grammar of queries cannot say: that a column belongs to a table of its query, that an alias stands for a
//! table that has the columns asked of it, and that a query ends only where it is one.
//!
//! A query names its columns before its tables, so what has been written is read word by word (a [`State`]): a column
//! before FROM must fit at least one choice of tables, a table after FROM must leave the columns before it a home, and
//! from there on only columns of the tables that are in scope can be written. [`Scoped`] takes from a grammar's mask
//! every token after which no query could follow. Queries with WITH are left to the grammar: their tables have no
//! columns that a schema knows.

use crate::grammar::{Rows, Vocabulary};
use crate::sandbox::{Sandbox, Table};
use gemma::generate::{Allowed, Constraint};
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

/// Words of queries that are no names. These lists are sorted: a mask asks them for thousands of tokens.
const KEYWORDS: &[&str] = &[
    "all",
    "and",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "collate",
    "cross",
    "desc",
    "distinct",
    "else",
    "end",
    "except",
    "exists",
    "first",
    "from",
    "glob",
    "group",
    "having",
    "in",
    "inner",
    "integer",
    "intersect",
    "is",
    "join",
    "last",
    "left",
    "like",
    "limit",
    "nocase",
    "not",
    "null",
    "nulls",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "over",
    "partition",
    "real",
    "select",
    "text",
    "then",
    "union",
    "using",
    "when",
    "where",
    "with",
];
/// Functions that queries call, followed by a parenthesis. Each is read-only and known to every SQLite.
pub(crate) const FUNCTIONS: &[&str] = &[
    "abs",
    "avg",
    "coalesce",
    "count",
    "date",
    "datetime",
    "dense_rank",
    "first_value",
    "group_concat",
    "ifnull",
    "iif",
    "instr",
    "julianday",
    "lag",
    "last_value",
    "lead",
    "length",
    "lower",
    "ltrim",
    "max",
    "min",
    "ntile",
    "nullif",
    "printf",
    "rank",
    "replace",
    "round",
    "row_number",
    "rtrim",
    "strftime",
    "substr",
    "sum",
    "time",
    "total",
    "trim",
    "upper",
];
/// Words that end a list of tables.
const AFTER_TABLES: &[&str] = &["except", "group", "intersect", "limit", "order", "union", "where"];
/// Words that go on with it.
const WITHIN_TABLES: &[&str] = &["as", "cross", "inner", "join", "left", "on", "outer", "using"];

/// Most tables of a schema whose columns are told apart.
const MOST: usize = 128;
/// Most tables of one SELECT.
const TABLES: usize = 8;
/// Longest name that a query may give without AS, in characters, as in the grammar.
const SHORT: usize = 3;

/// Is there one of these words that begins so?
fn begins(words: &[&str], with: &str) -> bool {
    words.get(words.partition_point(|&w| w < with)).is_some_and(|w| w.starts_with(with))
}

/// Is it one of these words?
fn among(words: &[&str], word: &str) -> bool {
    words.binary_search(&word).is_ok()
}

/// The names that queries may use.
pub struct Scope {
    /// Tables with their columns, in lower case.
    tables: Vec<(String, Vec<String>)>,
    /// The tables that have a column of this name, a bit for each.
    homes: HashMap<String, u128>,
    /// Names that queries give by AS, so that a sub-query may have such a column.
    aliases: Vec<String>,
}

/// Where in a SELECT a query stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clause {
    /// Between SELECT and FROM.
    Results,
    /// Between FROM and what ends the list of tables.
    Tables,
    /// Behind it.
    Rest,
}

/// What the next name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    /// A column, or the qualifier before one.
    Column,
    /// A table.
    Table,
    /// Perhaps the alias of the table before it.
    Alias,
    /// A name that is given here, or a type.
    Given,
}

/// One SELECT of a query.
#[derive(Clone, Debug)]
struct Select {
    clause: Clause,
    /// Columns written before their tables, with their qualifiers.
    pending: Vec<(Option<String>, String)>,
    /// Tables in scope (none for a sub-query) with their aliases.
    sources: Vec<(Option<usize>, Option<String>)>,
    /// Names given to results by AS.
    given: Vec<String>,
}

/// What has been opened and not yet closed.
#[derive(Clone, Debug)]
enum Frame {
    Select(Select),
    Parenthesis,
}

/// A query as far as it is written.
#[derive(Clone, Debug)]
struct State {
    frames: Vec<Frame>,
    /// The letters of the word that is being written, in lower case.
    word: String,
    /// The qualifier that stands before a dot before the word.
    qualifier: Option<String>,
    /// The quotation mark that is open.
    quote: Option<char>,
    expect: Expect,
    /// Names that AS gave anywhere before.
    given: Vec<String>,
    /// Names cannot be told: a WITH gave some of its own.
    lenient: bool,
}

impl Scope {
    /// The names of a schema, and those that queries give by AS.
    pub fn new(tables: &[Table], aliases: &[String]) -> Self {
        let lower = |names: &mut dyn Iterator<Item = &str>| names.map(str::to_lowercase).collect::<Vec<_>>();
        let aliases = lower(&mut aliases.iter().map(String::as_str));
        let tables: Vec<(String, Vec<String>)> =
            tables.iter().map(|t| (t.name.to_lowercase(), lower(&mut t.columns.iter().map(|c| c.name.as_str())))).collect();
        let mut homes: HashMap<String, u128> = HashMap::new();
        for (at, (_, columns)) in tables.iter().enumerate().take(MOST) {
            columns.iter().for_each(|c| *homes.entry(c.clone()).or_default() |= 1 << at);
        }
        Self { tables, homes, aliases }
    }

    /// Can this become a query whose names are all in scope?
    pub fn viable(&self, beginning: &str) -> bool {
        self.read(beginning).is_some_and(|state| self.goes_on(&state))
    }

    /// Is this a query whose names are all in scope, as far as can be told without running it?
    pub fn complete(&self, query: &str) -> bool {
        let Some(mut state) = self.read(query) else { return false };
        let one = matches!(state.frames.as_slice(), [Frame::Select(_)]);
        state.quote.is_none() && self.finish(&mut state, ' ') && (state.lenient || (one && self.close(&mut state)))
    }

    fn read(&self, text: &str) -> Option<State> {
        let mut state = State {
            frames: Vec::new(),
            word: String::new(),
            qualifier: None,
            quote: None,
            expect: Expect::Column,
            given: Vec::new(),
            lenient: self.tables.len() > MOST,
        };
        self.feed(&mut state, text).then_some(state)
    }

    /// Reads on; false if no query can begin like that.
    fn feed(&self, state: &mut State, text: &str) -> bool {
        text.chars().all(|c| self.letter(state, c))
    }

    fn letter(&self, state: &mut State, c: char) -> bool {
        match state.quote {
            Some(q) if c == q => {
                // a doubled mark opens again at once, which comes to the same; a name ends with what follows it
                state.quote = None;
                return true;
            }
            Some('"') => {
                state.word.extend(c.to_lowercase());
                return true;
            }
            Some(_) => return true,
            None => {}
        }
        if of_word(c) {
            state.word.extend(c.to_lowercase());
            return true;
        }
        if !self.finish(state, c) {
            return false;
        }
        match c {
            '*' => {
                if let Some(qualifier) = state.qualifier.take() {
                    self.note(state, Some(qualifier), "*".into());
                }
            }
            '\'' | '"' => state.quote = Some(c),
            '(' => state.frames.push(Frame::Parenthesis),
            ')' => return self.leave(state),
            ',' => {
                if let Some(Frame::Select(select)) = state.frames.last() {
                    state.expect = if select.clause == Clause::Tables { Expect::Table } else { Expect::Column };
                }
            }
            _ => {}
        }
        true
    }

    /// A closing parenthesis.
    fn leave(&self, state: &mut State) -> bool {
        let query = matches!(state.frames.last(), Some(Frame::Select(_)));
        if query && !(self.close(state) && state.frames.pop().is_some()) {
            return state.lenient;
        }
        if !matches!(state.frames.pop(), Some(Frame::Parenthesis)) {
            return state.lenient;
        }
        state.expect = Expect::Column;
        if let (true, Some(Frame::Select(select))) = (query, state.frames.last_mut()) {
            // "FROM (SELECT …)", as long as no ON or value stands before the parenthesis
            if select.clause == Clause::Tables && select.sources.last().is_some_and(|(table, alias)| table.is_none() && alias.as_deref() == Some("(")) {
                select.sources.pop();
                select.sources.push((None, None));
                state.expect = Expect::Alias;
            }
        }
        true
    }

    /// The end of a word, which `next` follows.
    fn finish(&self, state: &mut State, next: char) -> bool {
        let word = std::mem::take(&mut state.word);
        if word.is_empty() {
            if next == '(' && state.expect == Expect::Table {
                // remembers that this parenthesis is a table
                if let Some(Frame::Select(select)) = state.frames.last_mut() {
                    select.sources.push((None, Some("(".into())));
                    state.expect = Expect::Column;
                }
            }
            return true;
        }
        if state.lenient {
            return true;
        }
        if next == '.' && !word.starts_with(|c: char| c.is_ascii_digit()) {
            let known = self.qualifies(state, &word);
            state.qualifier = Some(word);
            return known;
        }
        if let Some(qualifier) = state.qualifier.take() {
            let found = self.resolves(state, Some(&qualifier), &word);
            self.note(state, Some(qualifier), word);
            return found;
        }
        if next == '(' && state.expect != Expect::Table || word.starts_with(|c: char| c.is_ascii_digit()) {
            return true;
        }
        if among(KEYWORDS, &word) {
            return self.keyword(state, &word);
        }
        self.name(state, word)
    }

    fn keyword(&self, state: &mut State, word: &str) -> bool {
        match word {
            "with" => state.lenient = true,
            "select" => {
                state.frames.push(Frame::Select(Select { clause: Clause::Results, pending: Vec::new(), sources: Vec::new(), given: Vec::new() }));
                state.expect = Expect::Column;
            }
            "union" | "intersect" | "except" => return self.close(state) && state.frames.pop().is_some(),
            "as" => state.expect = Expect::Given,
            _ => {
                // in a parenthesis these words order a window, or convert a value
                let Some(Frame::Select(select)) = state.frames.last_mut() else { return true };
                match word {
                    "from" => {
                        select.clause = Clause::Tables;
                        state.expect = Expect::Table;
                    }
                    "join" => state.expect = Expect::Table,
                    "where" | "group" | "order" | "limit" => {
                        state.expect = Expect::Column;
                        return self.close(state);
                    }
                    _ => state.expect = Expect::Column,
                }
            }
        }
        true
    }

    fn name(&self, state: &mut State, word: String) -> bool {
        let expected = std::mem::replace(&mut state.expect, Expect::Column);
        match (expected, state.frames.last_mut()) {
            (Expect::Table, Some(Frame::Select(select))) => {
                let Some(table) = self.tables.iter().position(|(name, _)| *name == word) else { return false };
                select.sources.push((Some(table), None));
                state.expect = Expect::Alias;
                self.homes(state, table)
            }
            (Expect::Alias | Expect::Given, Some(Frame::Select(select))) if select.clause == Clause::Tables => {
                let fits = self.may_be_called(select, &word);
                if let Some(last) = select.sources.last_mut() {
                    last.1 = Some(word);
                }
                fits
            }
            (Expect::Given, Some(Frame::Select(select))) => {
                select.given.push(word.clone());
                state.given.push(word);
                true
            }
            // the type of a CAST
            (Expect::Given, _) => true,
            _ => {
                let found = self.resolves(state, None, &word);
                self.note(state, None, word);
                found
            }
        }
    }

    /// Remembers a column whose tables are not written yet.
    fn note(&self, state: &mut State, qualifier: Option<String>, column: String) {
        if let Some(select) = innermost(state).filter(|s| s.clause == Clause::Results) {
            select.pending.push((qualifier, column));
        }
    }

    /// The tables that have the column, a bit for each.
    fn homes_of(&self, column: &str) -> u128 {
        if column == "*" { u128::MAX } else { self.homes.get(column).copied().unwrap_or(0) }
    }

    /// Has the table a column?
    fn has(&self, table: usize, column: &str) -> bool {
        self.homes_of(column) >> table & 1 == 1
    }

    /// Is it a column that only a sub-query can have, which gives it by AS?
    fn may_be_given(&self, state: &State, column: &str) -> bool {
        self.aliases.iter().chain(&state.given).any(|a| a == column) && self.homes_of(column) == 0
    }

    /// Does the first table of a list have a column that was asked for, if columns were asked for without saying whose?
    fn homes(&self, state: &State, table: usize) -> bool {
        let Some(Frame::Select(select)) = state.frames.last() else { return true };
        let mut bare = select.pending.iter().filter(|(q, _)| q.is_none()).map(|(_, c)| c).peekable();
        select.sources.len() > 1 || state.frames.len() > 1 || bare.peek().is_none() || bare.any(|c| self.has(table, c))
    }

    /// May the last table of the list be called so: is the name free, and has the table what was asked of it?
    fn may_be_called(&self, select: &Select, alias: &str) -> bool {
        let Some(((table, _), others)) = select.sources.split_last() else { return false };
        others.iter().all(|(_, other)| other.as_deref() != Some(alias))
            && select.pending.iter().filter(|(q, _)| q.as_deref() == Some(alias)).all(|(_, c)| table.is_none_or(|t| self.has(t, c)))
    }

    /// May a column be written with this qualifier here?
    fn qualifies(&self, state: &State, qualifier: &str) -> bool {
        let selects = selects(state);
        selects.iter().any(|s| s.clause == Clause::Results || self.source(s, qualifier).is_some())
    }

    /// The table in scope that a qualifier names; its index is none for a sub-query.
    fn source(&self, select: &Select, qualifier: &str) -> Option<Option<usize>> {
        let named = |&&(table, ref alias): &&(Option<usize>, Option<String>)| match alias {
            Some(alias) => alias == qualifier,
            None => table.is_some_and(|t| self.tables[t].0 == qualifier),
        };
        select.sources.iter().find(named).map(|s| s.0)
    }

    /// May this column be written here?
    fn resolves(&self, state: &State, qualifier: Option<&str>, column: &str) -> bool {
        let selects = selects(state);
        let Some((own, outer)) = selects.split_first() else { return false };
        (match own.clause {
            Clause::Results => self.can_come(state, own, qualifier, column),
            Clause::Tables | Clause::Rest => self.found(own, qualifier, column),
        }) || outer.iter().any(|s| s.clause == Clause::Results || self.found(s, qualifier, column))
    }

    /// Is there a choice of tables for this column and those before it?
    fn can_come(&self, state: &State, select: &Select, qualifier: Option<&str>, column: &str) -> bool {
        let all = || select.pending.iter().map(|(q, c)| (q.as_deref(), c.as_str())).chain([(qualifier, column)]);
        let count = self.tables.len();
        match qualifier {
            Some(own) => self.may_be_given(state, column) || (0..count).any(|t| all().filter(|(q, _)| *q == Some(own)).all(|(_, c)| self.has(t, c))),
            None => {
                // each in exactly one of at most two tables, or it would be ambiguous
                let homes: Vec<u128> = all().filter(|(q, c)| q.is_none() && !self.may_be_given(state, c)).map(|(_, c)| self.homes_of(c)).collect();
                let fits = |a: usize, b: usize| homes.iter().all(|h| if a == b { h >> a & 1 == 1 } else { (h >> a ^ h >> b) & 1 == 1 });
                (0..count).any(|a| (a..count).any(|b| fits(a, b)))
            }
        }
    }

    /// Is the column one of the tables in scope, and of one only? Names that AS gave count too.
    fn found(&self, select: &Select, qualifier: Option<&str>, column: &str) -> bool {
        match qualifier {
            Some(q) => self.source(select, q).is_some_and(|table| table.is_none_or(|t| self.has(t, column))),
            None => {
                let homes = select.sources.iter().filter(|(table, _)| table.is_some_and(|t| self.has(t, column))).count();
                homes == 1 || select.given.iter().any(|g| g == column) || (homes == 0 && select.sources.iter().any(|(table, _)| table.is_none()))
            }
        }
    }

    /// The list of tables ends: has every column before it found its table?
    fn close(&self, state: &mut State) -> bool {
        if state.lenient {
            return true;
        }
        let selects = selects(state);
        let Some((own, outer)) = selects.split_first() else { return false };
        if own.clause == Clause::Rest {
            return true;
        }
        let homeless = |(q, c): &(Option<String>, String)| {
            !self.found(own, q.as_deref(), c) && !outer.iter().any(|s| s.clause == Clause::Results || self.found(s, q.as_deref(), c))
        };
        let whole = state.expect != Expect::Table && !own.pending.iter().any(homeless);
        if let (true, Some(Frame::Select(select))) = (whole, state.frames.last_mut()) {
            select.clause = Clause::Rest;
        }
        whole
    }

    /// Can the word that is being written become one that may stand here?
    fn goes_on(&self, state: &State) -> bool {
        if state.lenient || state.quote.is_some_and(|q| q == '\'') {
            return true;
        }
        let word = state.word.as_str();
        word.is_empty() || Names::of(self, state).allow(word)
    }
}

/// The names that may stand at one place of a query, found once for all tokens that could follow.
struct Names {
    names: Vec<String>,
    /// Besides them keywords and functions may stand here, or a number.
    words: bool,
    /// Tables may not end here.
    unfinished: bool,
    /// Any name of at most so many characters may stand here.
    any: usize,
}

impl Names {
    /// What may stand where a word begins; the word of `state` itself is not looked at.
    fn of(scope: &Scope, state: &State) -> Self {
        let columns = |qualifier: Option<&str>| {
            let mut all: Vec<&String> = scope.tables.iter().flat_map(|(_, columns)| columns).chain(&scope.aliases).chain(&state.given).collect();
            all.sort_unstable();
            all.dedup();
            all.into_iter().filter(|c| scope.resolves(state, qualifier, c)).cloned().collect::<Vec<_>>()
        };
        if let Some(qualifier) = &state.qualifier {
            return Self { names: columns(Some(qualifier)), words: false, unfinished: false, any: 0 };
        }
        let Some(select) = selects(state).into_iter().next() else { return Self { names: Vec::new(), words: true, unfinished: false, any: 0 } };
        let in_tables = matches!(state.frames.last(), Some(Frame::Select(s)) if s.clause == Clause::Tables);
        let unfinished = in_tables && !scope.close(&mut State { word: String::new(), ..state.clone() });
        let mut names = Vec::new();
        match state.expect {
            Expect::Table => {
                let fits = |&table: &usize| {
                    let mut with = state.clone();
                    if let Some(Frame::Select(s)) = with.frames.last_mut() {
                        s.sources.push((Some(table), None));
                    }
                    select.sources.len() < TABLES && scope.homes(&with, table)
                };
                names.extend((0..scope.tables.len()).filter(fits).map(|t| scope.tables[t].0.clone()));
                Self { names, words: false, unfinished, any: 0 }
            }
            Expect::Alias | Expect::Given if in_tables => {
                // one that columns wait for, if the table has them, or a new one
                let waiting: Vec<&String> = select.pending.iter().filter_map(|(q, _)| q.as_ref()).collect();
                let taken = |a: &String| waiting.contains(&a) || select.sources.iter().any(|(_, other)| other.as_ref() == Some(a));
                names.extend(waiting.iter().filter(|a| scope.may_be_called(select, a)).map(|a| (*a).clone()));
                let table = select.sources.last().and_then(|(table, _)| *table).map_or("", |t| scope.tables[t].0.as_str());
                let own = (1..=3).filter_map(|n| table.get(..n).map(String::from));
                let letters = ('a'..='z').map(String::from);
                let numbered = ('a'..='z').flat_map(|a| ('1'..='9').map(move |b| format!("{a}{b}")));
                names.extend(own.chain(letters).chain(numbered).filter(|a| !taken(a)));
                Self { names, words: true, unfinished, any: 0 }
            }
            Expect::Alias | Expect::Given => Self { names, words: true, unfinished, any: usize::MAX },
            Expect::Column => {
                names = columns(None);
                let open = selects(state);
                let early = open.iter().any(|s| s.clause == Clause::Results);
                if early {
                    names.extend(scope.tables.iter().map(|(name, _)| name.clone()));
                }
                for s in open {
                    names.extend(s.given.iter().cloned());
                    names.extend(s.sources.iter().filter_map(|(table, alias)| alias.clone().or_else(|| table.map(|t| scope.tables[t].0.clone()))));
                }
                Self { names, words: true, unfinished, any: if early { SHORT } else { 0 } }
            }
        }
    }

    /// Can a word that begins so stand here?
    fn allow(&self, word: &str) -> bool {
        if self.names.iter().any(|n| n.starts_with(word)) {
            return true;
        }
        let ends_tables = begins(AFTER_TABLES, word) && !begins(WITHIN_TABLES, word);
        let keyword = (begins(KEYWORDS, word) && !(self.unfinished && ends_tables)) || begins(FUNCTIONS, word);
        self.words && (keyword || word.starts_with(|c: char| c.is_ascii_digit())) || word.chars().count() <= self.any
    }
}

/// May the character stand in a name or a number?
fn of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The SELECTs that are open, the innermost first.
fn selects(state: &State) -> Vec<&Select> {
    state.frames.iter().rev().filter_map(|f| if let Frame::Select(s) = f { Some(s) } else { None }).collect()
}

fn innermost(state: &mut State) -> Option<&mut Select> {
    state.frames.iter_mut().rev().find_map(|f| if let Frame::Select(s) = f { Some(s) } else { None })
}

/// A grammar's constraint with everything taken out after which no query of the schema could follow.
pub struct Scoped<'a> {
    rows: Rows,
    vocabulary: &'a Vocabulary,
    scope: &'a Scope,
    /// Says whether a query that would end here is one.
    database: Option<&'a RefCell<Sandbox>>,
}

impl<'a> Scoped<'a> {
    /// Narrows the constraint of a batch. With a database, a query may end only where SQLite understands it.
    pub fn new(rows: Rows, vocabulary: &'a Vocabulary, scope: &'a Scope, database: Option<&'a RefCell<Sandbox>>) -> Self {
        Self { rows, vocabulary, scope, database }
    }

    fn may_end(&self, query: &str) -> bool {
        self.scope.complete(query) && self.database.is_none_or(|db| db.borrow().understands(query))
    }
}

impl Constraint for Scoped<'_> {
    fn next(&self, row: usize, generated: &[u32]) -> Allowed {
        let Allowed::Only(tokens) = self.rows.next(row, generated) else { return Allowed::Any };
        let text = self.vocabulary.text(generated);
        let Some(state) = self.scope.read(&text) else { return Allowed::Only(tokens) };
        // what stands before its last word decides what this word may be: found once for all tokens that begin alike
        let mut known: HashMap<&str, Option<(State, OnceCell<Names>)>> = HashMap::new();
        let mut fits = |token: u32| {
            let bytes = self.vocabulary.piece(token);
            // within a text most of the vocabulary may follow, so this comes first
            if state.lenient || (state.quote == Some('\'') && !bytes.contains(&b'\'')) {
                return true;
            }
            let Ok(piece) = std::str::from_utf8(bytes) else { return true };
            let (head, word) = piece.split_at(piece.trim_end_matches(of_word).len());
            let before = known.entry(head).or_insert_with(|| {
                let mut after = state.clone();
                self.scope.feed(&mut after, head).then(|| (after, OnceCell::new()))
            });
            let Some((after, names)) = before else { return false };
            let whole = after.word.clone() + &word.to_lowercase();
            after.lenient || after.quote.is_some() || whole.is_empty() || names.get_or_init(|| Names::of(self.scope, after)).allow(&whole)
        };
        let kept: Vec<u32> = tokens.iter().copied().filter(|&t| if t == self.vocabulary.stop() { self.may_end(&text) } else { fits(t) }).collect();
        // an answer that leads nowhere may end, rather than be thrown away
        Allowed::Only(if kept.is_empty() { vec![self.vocabulary.stop()] } else { kept })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::tests::shop;

    fn scope() -> Scope {
        Scope::new(shop().1.tables(), &["n".into()])
    }

    #[test]
    fn whole_queries_are_complete_and_so_is_their_every_beginning_viable() {
        let scope = scope();
        for query in [
            "SELECT nome, citta FROM clienti WHERE citta = 'L''Aquila' AND nato >= 1980.5",
            "SELECT COUNT(*) FROM ordini",
            "SELECT c.nome, SUM(o.importo * (1 - 0.1)) AS totale FROM clienti c JOIN ordini o ON o.cliente_id = c.id GROUP BY c.id HAVING COUNT(*) > 1 ORDER BY totale DESC LIMIT 3",
            "select nome from clienti where id not in (select cliente_id from ordini)",
            "SELECT nome FROM clienti c WHERE NOT EXISTS (SELECT 1 FROM ordini o WHERE o.cliente_id = c.id AND importo > 5)",
            "SELECT AVG(n) FROM (SELECT COUNT(*) AS n FROM ordini GROUP BY cliente_id) AS t",
            "SELECT nome FROM clienti UNION SELECT importo FROM ordini ORDER BY 1",
            "SELECT c.*, (SELECT MAX(o.importo) FROM ordini o WHERE o.cliente_id = c.id) FROM clienti AS c",
            "SELECT nome, importo FROM clienti LEFT JOIN ordini ON cliente_id = clienti.id",
            "SELECT CASE WHEN nato IS NULL THEN 'x' ELSE CAST(nato AS TEXT) END FROM clienti",
            "SELECT RANK() OVER (PARTITION BY cliente_id ORDER BY importo DESC) FROM ordini",
            "SELECT nome FROM \"clienti\"",
        ] {
            for (at, _) in query.char_indices() {
                assert!(scope.viable(&query[..at]), "{query}: stuck at {:?}", &query[..at]);
            }
            assert!(scope.complete(query), "{query}");
        }
    }

    #[test]
    fn the_lists_of_words_are_sorted() {
        for words in [KEYWORDS, FUNCTIONS, AFTER_TABLES, WITHIN_TABLES] {
            assert!(words.is_sorted(), "{words:?}");
        }
    }

    #[test]
    fn names_out_of_scope_are_seen_where_they_are_written() {
        let scope = scope();
        for (beginning, wrong) in [
            ("SELECT nome FROM cl", "SELECT nome FROM o"),
            ("SELECT importo FROM ordini WHERE im", "SELECT importo FROM ordini WHERE ci"),
            ("SELECT nome, importo FROM clienti JO", "SELECT nome, importo FROM clienti WH"),
            ("SELECT o.importo FROM ordini o", "SELECT o.importo FROM clienti o "),
            ("SELECT o.im", "SELECT o.zz"),
            ("SELECT c.nome FROM ordini o JOIN clienti c ON o.cl", "SELECT c.nome FROM ordini o JOIN clienti c ON o.ci"),
            ("SELECT c.nome FROM clienti c WHERE c.", "SELECT c.nome FROM clienti c WHERE x."),
            (
                "SELECT nome FROM clienti WHERE id IN (SELECT cliente_id FROM ordini)",
                "SELECT nome FROM clienti WHERE id IN (SELECT citta FROM ordini WHERE importo > 1) AND imp",
            ),
        ] {
            assert!(scope.viable(beginning), "{beginning}");
            assert!(!scope.viable(wrong), "{wrong}");
        }
        for cut in [
            "SELECT nome",
            "SELECT nome FROM",
            "SELECT COUNT(",
            "SELECT o.importo FROM clienti c",
            "SELECT nome FROM clienti WHERE citta = 'a",
            "SELECT id FROM clienti, ordini",
        ] {
            assert!(!scope.complete(cut), "{cut}");
        }
        // what a WITH names no schema knows
        assert!(scope.complete("WITH x AS (SELECT 1 AS uno) SELECT uno FROM x"));
    }
}
