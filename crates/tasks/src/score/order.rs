//! What an ORDER BY leaves open: rows that are equal in its terms may come in any order, and of those that a LIMIT parts any
//! may be kept. SQLite breaks such ties as it happens to, and another query that asks for the same breaks them otherwise.

use super::sql::{plain, tokens};
use sqlparser::tokenizer::Token;

/// A query that finds the place of each row in the order of another one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ranked {
    /// Finds all rows of the other query, LIMIT aside, in its order, and behind their columns a number: equal ones are a tie.
    pub query: String,
    /// Rows before the first one that the other query shows.
    pub skipped: usize,
}

/// Name of the rows of a query inside one that numbers them, which no data has.
const ROWS: &str = "lapidary_rows";

/// Name of a column of these rows, counted from 1.
fn name(column: usize) -> String {
    format!("lapidary_{column}")
}

/// Ways to number the rows of a query of so many columns by its own ORDER BY, the likeliest first: SQLite tells which one runs.
/// None does where it orders by what cannot be said of its rows (a DISTINCT by something else than it shows).
pub(super) fn ranked(query: &str, columns: usize) -> Vec<Ranked> {
    let Some(tokens) = tokens(query, false) else { return Vec::new() };
    let Some(parts) = Parts::of(&tokens) else { return Vec::new() };
    let mut ways: Vec<Ranked> = [true, false].into_iter().filter_map(|added| parts.ranked(columns, added)).collect();
    ways.dedup();
    ways
}

/// A query whose inner queries keep, of rows that a LIMIT parts from their equals, those that come first by all columns, and one
/// that keeps those that come last. None where no inner query has both an ORDER BY and a LIMIT.
pub(super) fn either_way(query: &str) -> Option<[String; 2]> {
    let tokens = tokens(query, false)?;
    let [first, last] = ["", "DESC"].map(|how| settled(&tokens, how, false));
    (first != last).then_some([first, last])
}

/// A query as it is written, its inner ones with terms behind their ORDER BY that leave nothing open.
fn settled(tokens: &[Token], how: &str, inner: bool) -> String {
    let parts = if inner { Parts::of(tokens).filter(|parts| parts.limit < tokens.len() && parts.known()) } else { None };
    let (mut out, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if let Some(parts) = parts.as_ref().filter(|parts| parts.limit == at) {
            out.extend((1..=parts.items.len()).map(|column| format!(", {column} {how}")));
        }
        out.push(tokens[at].to_string());
        at += 1;
        if tokens[at - 1] == Token::LParen {
            let end = at + closing(&tokens[at..]);
            out.push(settled(&tokens[at..end], how, true));
            at = end;
        }
    }
    out.join(" ")
}

/// How many tokens stand before the parenthesis that closes the one in front of them.
fn closing(tokens: &[Token]) -> usize {
    let mut depth = 0usize;
    let closes = |token: &Token| {
        match token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => return true,
            Token::RParen => depth -= 1,
            _ => {}
        }
        false
    };
    tokens.iter().position(closes).unwrap_or(tokens.len())
}

/// Where the ORDER BY of a query stands, outside all parentheses.
pub(super) fn ordering(tokens: &[Token]) -> Option<usize> {
    let top = top(tokens);
    (1..tokens.len()).find(|&i| top(i - 1, "order") && top(i, "by")).map(|by| by - 1)
}

/// Is a token this word, outside all parentheses?
fn top(tokens: &[Token]) -> impl Fn(usize, &str) -> bool {
    let depth: Vec<usize> = tokens
        .iter()
        .scan(0usize, |depth, token| {
            *depth = if *token == Token::LParen { *depth + 1 } else { *depth };
            let own = *depth;
            *depth = if *token == Token::RParen { depth.saturating_sub(1) } else { *depth };
            Some(own)
        })
        .collect();
    move |i, name| depth[i] == 0 && is(&tokens[i], name)
}

/// Is a token this word, and no name between quotation marks?
fn is(token: &Token, name: &str) -> bool {
    matches!(token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(name))
}

/// What stands between the commas outside all parentheses.
fn listed(tokens: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0usize;
    tokens
        .split(|token| {
            match token {
                Token::LParen => depth += 1,
                Token::RParen => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && *token == Token::Comma
        })
        .collect()
}

fn said(tokens: &[Token]) -> String {
    tokens.iter().map(Token::to_string).collect::<Vec<_>>().join(" ")
}

fn alike(a: &[Token], b: &[Token]) -> bool {
    a.iter().map(plain).eq(b.iter().map(plain))
}

/// The parts of a query that orders its result.
struct Parts<'a> {
    /// All before the ORDER BY.
    head: &'a [Token],
    /// Where what the (first) SELECT shows ends in it.
    shown: usize,
    /// What the (first) SELECT shows, column by column.
    items: Vec<&'a [Token]>,
    /// Can a column be added to what is shown without another row coming of it?
    open: bool,
    /// The terms of the ORDER BY.
    terms: Vec<&'a [Token]>,
    /// Where the LIMIT stands; behind the end if there is none.
    limit: usize,
    skipped: usize,
}

impl<'a> Parts<'a> {
    fn of(tokens: &'a [Token]) -> Option<Self> {
        let end = tokens.iter().rposition(|t| *t != Token::SemiColon)? + 1;
        let tokens = &tokens[..end];
        let top = top(tokens);
        let order = ordering(tokens)?;
        let limit = (order..end).find(|&i| top(i, "limit")).unwrap_or(end);
        let select = (0..order).find(|&i| top(i, "select"))?;
        let quantified = is(tokens.get(select + 1)?, "distinct") || is(&tokens[select + 1], "all");
        let after = |i: usize| {
            ["from", "where", "group", "having", "window", "union", "intersect", "except"].iter().any(|name| top(i, name))
                // `a IS DISTINCT FROM b`
                && !(top(i, "from") && top(i - 1, "distinct"))
        };
        let shown = (select + 1..order).find(|&i| after(i)).unwrap_or(order);
        let compound = (shown..order).any(|i| ["union", "intersect", "except"].iter().any(|name| top(i, name)));
        Some(Self {
            head: &tokens[..order],
            shown,
            items: listed(&tokens[select + 1 + usize::from(quantified)..shown]),
            open: !compound && !is(&tokens[select + 1], "distinct"),
            terms: listed(&tokens[order + 2..limit]),
            limit,
            skipped: skipped(&tokens[limit..])?,
        })
    }

    /// `added`: what a term orders by is shown beside the rest, where that brings no other row about; else it is said by what is
    /// shown already. Names inside an expression are first those of the tables, as SQLite reads them.
    fn ranked(&self, columns: usize, added: bool) -> Option<Ranked> {
        let mut more: Vec<String> = Vec::new();
        let mut terms = Vec::new();
        for term in &self.terms {
            let (value, how) = parted(term);
            let value = match self.column(value, columns) {
                Some(column) => name(column),
                None if added && !self.open => return None,
                None if added => {
                    more.push(said(value));
                    name(columns + more.len())
                }
                None if self.items.len() == columns && self.known() => self.by_what_is_shown(value),
                None => return None,
            };
            terms.push(format!("{value} {}", said(how)));
        }
        let (before, after) = self.head.split_at(self.shown);
        let names = |count: usize| (1..=count).map(name).collect::<Vec<_>>().join(", ");
        let query = format!(
            "WITH {ROWS} ({}) AS ({}{} {}) SELECT {}, dense_rank() OVER (ORDER BY {}) FROM {ROWS} ORDER BY {}",
            names(columns + more.len()),
            said(before),
            more.iter().map(|value| format!(", {value}")).collect::<String>(),
            said(after),
            names(columns),
            terms.join(", "),
            columns + 1
        );
        Some(Ranked { query, skipped: self.skipped })
    }

    /// Are the columns that are shown those that are named? A `*` stands for any number of them.
    fn known(&self) -> bool {
        self.items.iter().all(|item| item.last() != Some(&Token::Mul))
    }

    /// The column that a term orders by, counted from 1, if it is one that is shown: by its place, by its name, or because it is
    /// the same expression.
    fn column(&self, value: &[Token], columns: usize) -> Option<usize> {
        if let [Token::Number(place, _)] = value {
            return place.parse().ok().filter(|place| (1..=columns).contains(place));
        }
        if self.items.len() != columns || !self.known() {
            return None;
        }
        let named = self.items.iter().position(|item| called(item).1.is_some_and(|name| alike(std::slice::from_ref(name), value)));
        named.or_else(|| self.items.iter().position(|item| alike(called(item).0, value))).map(|at| at + 1)
    }

    /// An expression with the columns that are shown in the places of their names and of what they show.
    fn by_what_is_shown(&self, value: &[Token]) -> String {
        let whole = |from: usize, to: usize| {
            to <= value.len() && (from == 0 || value[from - 1] != Token::Period) && !matches!(value.get(to), Some(Token::Period | Token::LParen))
        };
        let plain_name = |shown: &&[Token]| shown.iter().all(|t| matches!(t, Token::Word(_) | Token::Period));
        // the column that is said at a place, and where that ends
        let column = |at: usize| {
            self.items.iter().enumerate().find_map(|(column, item)| {
                let (shown, name) = called(item);
                let said = name.map(std::slice::from_ref).into_iter().chain(Some(shown).filter(plain_name));
                let mut ends = said.map(|said| (at + said.len(), said));
                ends.find(|&(to, said)| whole(at, to) && alike(&value[at..to], said)).map(|(to, _)| (column + 1, to))
            })
        };
        let (mut out, mut at) = (Vec::new(), 0);
        while at < value.len() {
            let found = column(at);
            out.push(found.map_or_else(|| value[at].to_string(), |(column, _)| name(column)));
            at = found.map_or(at + 1, |(_, to)| to);
        }
        out.join(" ")
    }
}

/// A column that is shown, and the name that it is given by AS.
fn called(item: &[Token]) -> (&[Token], Option<&Token>) {
    match item {
        [value @ .., word, name @ Token::Word(_)] if is(word, "as") => (value, Some(name)),
        _ => (item, None),
    }
}

/// A term of an ORDER BY: what it orders by, and how.
fn parted(term: &[Token]) -> (&[Token], &[Token]) {
    let mut end = term.len();
    let ends = |end: usize, back: usize, names: &[&str]| end > back && names.iter().any(|name| is(&term[end - back], name));
    if ends(end, 2, &["nulls"]) {
        end -= 2;
    }
    if ends(end, 1, &["asc", "desc"]) {
        end -= 1;
    }
    if ends(end, 2, &["collate"]) {
        end -= 2;
    }
    term.split_at(end)
}

/// The rows that a LIMIT passes over; none where that is not a plain number.
fn skipped(limit: &[Token]) -> Option<usize> {
    let number = |tokens: &[Token]| if let [Token::Number(n, _)] = tokens { n.parse().ok() } else { None };
    let offset = (0..limit.len()).find(|&i| top(limit)(i, "offset"));
    match (offset, listed(limit).as_slice()) {
        (Some(at), _) => number(&limit[at + 1..]),
        (None, [first, _]) => number(&first[1..]),
        (None, _) => Some(0),
    }
}
