//! Questions with their queries, made from a database itself.
//!
//! A hundred pairs show a small model how questions are asked, and not what the hundred columns of a database are called,
//! nor that each can be counted, averaged, sorted by and compared. So a recipe can have further pairs composed: a form of query
//! is drawn, filled with tables, columns and values of the database, and said in one of several ways in the language of
//! the data set. Every query has run and found something. The wording is plain and sometimes clumsy; the
//! training rows, which stay, show how people ask. What it brings is measured (see BENCHMARKS.md).

mod further;

use crate::facts::{self, Facts, Field, Thing, What};
use crate::prompt::filled;
use crate::sandbox::Sandbox;
use data::example::Origin;
use data::watch::Steps;
use data::{Example, Target};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

/// How often a pair is tried before it is given up.
const TRIES: usize = 12;
/// Most tables that a path leads over, the first not counted.
const HOPS: usize = 3;
/// A column of no more different words than this says what kind of thing a row is.
const KINDS: usize = 8;

/// `count` pairs about a database, or fewer where it has no more to ask; in Italian if `italian`, else in English. The
/// `examples` are its training rows: they tell what stands for a row, and no pair repeats one. Each pair counts one of `steps`.
///
/// # Errors
/// If it was ended.
pub fn queries(examples: &[Example], database: &mut Sandbox, italian: bool, count: usize, seed: u64, steps: &mut Steps<'_>) -> data::Result<Vec<Example>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let facts = Facts::of(examples, database);
    let mut seen: BTreeSet<String> = examples.iter().map(|e| e.text.to_lowercase()).collect();
    let mut out = Vec::new();
    let Some(first) = examples.first().filter(|_| !facts.tables.is_empty()) else { return Ok(out) };
    for row in 0..count {
        steps.after(1)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x636f_6d70);
        rng.set_stream(row as u64);
        let mut writer = Writer { facts: &facts, italian, rng };
        for _ in 0..TRIES {
            let Some((text, query)) = writer.pair() else { continue };
            if !seen.contains(&text.to_lowercase()) && database.finds_something(&query).unwrap_or(false) {
                seen.insert(text.to_lowercase());
                let origin = Origin { file: first.origin.file.clone(), line: first.origin.line };
                out.push(Example { text, target: Target::Sql(query), origin });
                break;
            }
        }
    }
    Ok(out)
}

/// A question and its query.
type Pair = (String, String);

/// A table in a query, under its alias if it has one.
#[derive(Clone)]
struct Place<'f> {
    thing: &'f Thing,
    alias: String,
}

impl<'f> Place<'f> {
    /// The columns that stand for a row.
    fn shown(&self) -> Vec<&'f Field> {
        self.thing.shown.iter().map(|&i| &self.thing.fields[i]).collect()
    }

    /// A column as the query writes it.
    fn column(&self, name: &str) -> String {
        if self.alias.is_empty() { name.into() } else { format!("{}.{name}", self.alias) }
    }

    fn columns(&self, fields: &[&Field]) -> String {
        fields.iter().map(|f| self.column(&f.name)).collect::<Vec<_>>().join(", ")
    }

    /// The FROM of a query about this table and another.
    fn joined(&self, other: &Self, on: &str) -> String {
        format!("{} {} JOIN {} {} ON {on}", self.thing.name, self.alias, other.thing.name, other.alias)
    }
}

/// Draws pairs.
struct Writer<'f> {
    facts: &'f Facts,
    italian: bool,
    rng: ChaCha8Rng,
}

impl<'f> Writer<'f> {
    /// A pair of a form drawn by chance; nothing where the database has nothing for the form.
    fn pair(&mut self) -> Option<Pair> {
        let (text, query) = match self.rng.random_range(0..166) {
            0..24 => self.list(),
            24..34 => self.count(),
            34..39 => self.different(),
            39..48 => self.aggregate(),
            48..57 => self.grouped(),
            57..62 => self.having(),
            62..71 => self.top(),
            71..85 => self.related(),
            85..91 => self.children(),
            91..94 => self.childless(),
            94..97 => self.above_average(),
            97..100 => self.ranked(),
            _ => self.further(),
        }?;
        let mut letters = text.chars();
        let first: String = letters.next()?.to_uppercase().collect();
        Some((first + letters.as_str(), query))
    }

    /// One of several ways to say something, in the language of the data set.
    fn way(&mut self, italian: &[&'static str], english: &[&'static str]) -> &'static str {
        (if self.italian { italian } else { english }).choose(&mut self.rng).copied().unwrap_or_default()
    }

    fn place(&mut self) -> Option<Place<'f>> {
        let facts = self.facts;
        facts.tables.choose(&mut self.rng).map(|thing| Place { thing, alias: String::new() })
    }

    /// How a question names a column.
    fn said(&mut self, field: &'f Field) -> &'f str {
        // the comment beside a column is another name for it
        field.said.choose(&mut self.rng).map_or("", String::as_str)
    }

    fn field(&mut self, place: &Place<'f>, fits: impl Fn(&Field) -> bool) -> Option<&'f Field> {
        place.thing.fields.iter().filter(|f| fits(f)).collect::<Vec<_>>().choose(&mut self.rng).copied()
    }

    /// Columns to ask for, and whether a question need not name them.
    fn asked(&mut self, place: &Place<'f>) -> (Vec<&'f Field>, bool) {
        let shown = place.shown();
        if self.rng.random_bool(0.5) {
            return (shown, true);
        }
        let mut others: Vec<&Field> = place.thing.fields.iter().filter(|f| !shown.iter().any(|s| s.name == f.name)).collect();
        others.shuffle(&mut self.rng);
        others.truncate(self.rng.random_range(1..=3));
        if self.rng.random_bool(0.6) { ([shown, others].concat(), false) } else { (others, false) }
    }

    /// `nome, cognome e città`.
    fn named(&mut self, fields: &[&'f Field]) -> String {
        let names: Vec<&str> = fields.iter().map(|f| self.said(f)).collect();
        match names.as_slice() {
            [] => String::new(),
            [one] => (*one).into(),
            [first @ .., last] => format!("{} {} {last}", first.join(", "), if self.italian { "e" } else { "and" }),
        }
    }

    /// How a question names the rows of a table.
    fn noun(&mut self, thing: &'f Thing) -> &'f str {
        let other = if self.rng.random_bool(0.4) { thing.also.choose(&mut self.rng) } else { None };
        other.unwrap_or(&thing.said)
    }

    /// A template with what stands for a table's rows: `{t}` clienti, `{i}` i clienti, `{d}` dei clienti, `{q}` quanti.
    fn about(&mut self, template: &str, thing: &'f Thing, others: &[(&str, &str)]) -> String {
        let noun = self.noun(thing);
        let (the, of, many) = if self.italian { articles(noun) } else { ("the", "of the", "how many") };
        let (the, of) = (format!("{the} {noun}"), format!("{of} {noun}"));
        let own = [("{t}", noun), ("{i}", the.as_str()), ("{d}", of.as_str()), ("{q}", many)];
        filled(template, &[&own, others].concat())
    }

    /// None, one or two conditions: how they are said behind the noun, with a space before, and the WHERE of the query.
    fn conditions(&mut self, place: &Place<'f>, least: usize) -> (String, String) {
        let wanted = least.max([0, 1, 1, 1, 2][self.rng.random_range(0..5)]);
        let (mut said, mut wheres, mut used) = (String::new(), Vec::new(), Vec::new());
        for _ in 0..wanted * 3 {
            if wheres.len() == wanted {
                break;
            }
            let Some((field, how, sql)) = self.condition(place) else { continue };
            if !used.contains(&field.name.as_str()) {
                used.push(&field.name);
                let and = if wheres.is_empty() { "" } else { self.way(&[" e", ",", " ma"], &[" and", ","]) };
                said += &format!("{and} {how}");
                wheres.push(sql);
            }
        }
        (said, if wheres.is_empty() { String::new() } else { format!(" WHERE {}", wheres.join(" AND ")) })
    }

    /// One condition: on which column, how it is said behind the noun, and as SQL.
    fn condition(&mut self, place: &Place<'f>) -> Option<(&'f Field, String, String)> {
        let field = self.field(place, |f| f.what != What::Key || f.missing)?;
        let (column, name) = (place.column(&field.name), self.said(field));
        let put = |template: &str, a: &str, b: &str| filled(template, &[("{f}", name), ("{a}", a), ("{b}", b)]);
        if field.missing && (field.what == What::Key || self.rng.random_bool(0.25)) {
            return Some(if self.rng.random_bool(0.6) {
                let how = self.way(
                    &["senza {f}", "di cui manca {f}", "di cui non si conosce {f}", "con {f} mancante", "che non hanno {f}"],
                    &["without {f}", "with no {f}", "whose {f} is missing", "whose {f} is not known"],
                );
                let meant = field.absent.as_ref().filter(|_| self.rng.random_bool(0.6));
                (field, meant.map_or_else(|| put(how, "", ""), |meaning| agreed(meaning, place.thing)), format!("{column} IS NULL"))
            } else {
                let how = self.way(
                    &["con {f} indicato", "di cui si conosce {f}", "che hanno {f}", "con {f} presente"],
                    &["with a {f}", "whose {f} is known", "that have a {f}"],
                );
                (field, put(how, "", ""), format!("{column} IS NOT NULL"))
            });
        }
        let (how, sql) = match &field.what {
            What::Key => return None,
            What::Flag if self.rng.random_bool(0.6) => {
                (put(self.way(&["{f}", "con {f}", "iscritti a {f}", "che sono {f}"], &["{f}", "with {f}", "that are {f}"]), "", ""), format!("{column} = 1"))
            }
            What::Flag => {
                (put(self.way(&["non {f}", "senza {f}", "che non sono {f}"], &["not {f}", "without {f}", "that are not {f}"]), "", ""), format!("{column} = 0"))
            }
            // what a row is, by one of a few words: clienti privati
            What::Text(values) if field.shared && self.rng.random_bool(0.4) && values.len() <= KINDS => {
                let value = values.choose(&mut self.rng).filter(|v| v.starts_with(char::is_lowercase))?;
                let how = match self.rng.random_bool(0.5) {
                    true => value.clone(),
                    false if self.italian => agreed(value, place.thing),
                    false => format!("with {value}"),
                };
                let how = if self.italian && !value.ends_with("to") && self.rng.random_bool(0.5) { format!("con {value}") } else { how };
                match self.rng.random_bool(0.85) {
                    true => (how, format!("{column} = '{value}'")),
                    false => (format!("{} {how}", self.way(&["non"], &["not"])), format!("{column} <> '{value}'")),
                }
            }
            What::Text(values) => self.of_text(values, &column, name)?,
            What::Number(values, whole) => self.of_number(values, *whole, &column, name)?,
            What::Date(values) => self.of_date(values, &column, name)?,
        };
        Some((field, how, sql))
    }

    fn of_text(&mut self, values: &[String], column: &str, name: &str) -> Option<(String, String)> {
        let (a, b) = (values.choose(&mut self.rng)?.as_str(), values.choose(&mut self.rng)?.as_str());
        let put = |template: &str, a: &str| filled(template, &[("{f}", name), ("{a}", a), ("{b}", b)]);
        Some(match self.rng.random_range(0..10) {
            0..6 => (
                put(
                    self.way(
                        &["di {a}", "a {a}", "in {a}", "con {f} {a}", "{f} {a}", "con {f} uguale a {a}", "({a})"],
                        &["of {a}", "in {a}", "from {a}", "with {f} {a}", "whose {f} is {a}"],
                    ),
                    a,
                ),
                format!("{column} = '{a}'"),
            ),
            6 if a != b => (
                put(
                    self.way(
                        &["di {a} o {b}", "con {f} {a} oppure {b}", "di {a} e di {b}", "a {a} o a {b}"],
                        &["of {a} or {b}", "with {f} {a} or {b}", "in {a} or in {b}"],
                    ),
                    a,
                ),
                format!("{column} IN ('{a}', '{b}')"),
            ),
            7 => {
                let how = self.way(
                    &["non di {a}", "con {f} diverso da {a}", "esclusi quelli di {a}", "tranne {a}", "con {f} che non sia {a}"],
                    &["not of {a}", "with a {f} other than {a}", "except {a}", "whose {f} is not {a}"],
                );
                (put(how, a), format!("{column} <> '{a}'"))
            }
            8 => {
                let start: String = a.chars().take(self.rng.random_range(1..=3)).collect();
                let how = self.way(
                    &["con {f} che comincia per {a}", "il cui {f} inizia con {a}", "con {f} che inizia per \"{a}\""],
                    &["whose {f} begins with {a}", "with a {f} that starts with \"{a}\""],
                );
                (put(how, start.trim()), format!("{column} LIKE '{}%'", start.trim()))
            }
            _ => {
                let word = a.split_whitespace().filter(|w| w.chars().count() > 3).collect::<Vec<_>>().choose(&mut self.rng).copied()?;
                let how = self.way(
                    &["con {a} nel {f}", "il cui {f} contiene {a}", "con {f} che contiene \"{a}\""],
                    &["with {a} in the {f}", "whose {f} contains \"{a}\""],
                );
                (put(how, word), format!("{column} LIKE '%{word}%'"))
            }
        })
    }

    fn of_number(&mut self, values: &[f64], whole: bool, column: &str, name: &str) -> Option<(String, String)> {
        let (mut a, mut b) = (near(*values.choose(&mut self.rng)?, whole), near(*values.choose(&mut self.rng)?, whole));
        if a > b {
            std::mem::swap(&mut a, &mut b);
        }
        let (low, high) = (shown(a), shown(b));
        let put = |template: &str| filled(template, &[("{f}", name), ("{a}", &low), ("{b}", &high)]);
        Some(match self.rng.random_range(0..10) {
            0..3 => (
                put(self.way(
                    &[
                        "con {f} maggiore di {a}",
                        "con {f} oltre {a}",
                        "con più di {a} di {f}",
                        "con {f} superiore a {a}",
                        "con {f} sopra {a}",
                        "oltre {a} di {f}",
                    ],
                    &["with {f} above {a}", "with more than {a} {f}", "with a {f} over {a}", "whose {f} is greater than {a}"],
                )),
                format!("{column} > {low}"),
            ),
            3..5 => (
                put(self.way(
                    &["con almeno {a} di {f}", "con {f} di almeno {a}", "con {f} da {a} in su", "con {f} non inferiore a {a}"],
                    &["with at least {a} {f}", "with a {f} of at least {a}", "whose {f} is {a} or more"],
                )),
                format!("{column} >= {low}"),
            ),
            5..7 => (
                put(self.way(
                    &["con {f} minore di {a}", "con {f} sotto {a}", "con meno di {a} di {f}", "con {f} inferiore a {a}", "sotto {a} di {f}"],
                    &["with {f} below {a}", "with less than {a} {f}", "with a {f} under {a}", "whose {f} is less than {a}"],
                )),
                format!("{column} < {low}"),
            ),
            7 => (
                put(self.way(&["con {f} al massimo {a}", "con {f} fino a {a}", "con {f} non oltre {a}"], &["with {f} at most {a}", "with a {f} of up to {a}"])),
                format!("{column} <= {low}"),
            ),
            8 if low != high => (
                put(self.way(
                    &["con {f} tra {a} e {b}", "con {f} fra {a} e {b}", "con {f} da {a} a {b}"],
                    &["with {f} between {a} and {b}", "with a {f} from {a} to {b}"],
                )),
                format!("{column} BETWEEN {low} AND {high}"),
            ),
            _ => {
                let exact = shown(*values.choose(&mut self.rng)?);
                let how = self.way(
                    &["con {f} pari a {a}", "con {f} {a}", "con {f} di {a}", "con {f} uguale a {a}"],
                    &["with {f} {a}", "with a {f} of {a}", "whose {f} is {a}"],
                );
                (filled(how, &[("{f}", name), ("{a}", &exact)]), format!("{column} = {exact}"))
            }
        })
    }

    fn of_date(&mut self, values: &[String], column: &str, name: &str) -> Option<(String, String)> {
        let (year, month, day) = facts::day(values.choose(&mut self.rng)?)?;
        let (y, m) = (year.to_string(), self.month(month));
        let spoken = if self.italian { format!("{day} {m} {year}") } else { format!("{m} {day}, {year}") };
        let iso = format!("{year}-{month:02}-{day:02}");
        let last = format!("{year}-{month:02}-{:02}", days(year, month));
        let put = |template: &str| filled(template, &[("{f}", name), ("{y}", &y), ("{m}", m), ("{a}", &spoken)]);
        Some(match self.rng.random_range(0..13) {
            // of any year
            10 => (
                put(self.way(&["con {f} in {m}", "di {m}", "a {m}, di qualsiasi anno"], &["of {m}", "in {m} of any year"])),
                format!("strftime('%m', {column}) = '{month:02}'"),
            ),
            11 => {
                let first = year / 10 * 10;
                let decade = if self.italian { decade(first)?.to_string() } else { format!("{first}s") };
                let how = self.way(&["con {f} negli anni {a}", "degli anni {a}", "negli anni {a}"], &["in the {a}", "with {f} in the {a}"]);
                (filled(how, &[("{f}", name), ("{a}", &decade)]), format!("{column} BETWEEN '{first}-01-01' AND '{}-12-31'", first + 9))
            }
            12 => {
                let quarter = (month - 1) / 3;
                const NAMES: [[&str; 4]; 2] = [["primo", "secondo", "terzo", "quarto"], ["first", "second", "third", "fourth"]];
                let which = NAMES[usize::from(!self.italian)][quarter as usize];
                let how = self.way(&["del {a} trimestre {y}", "con {f} nel {a} trimestre del {y}", "nel {a} trimestre {y}"], &["of the {a} quarter of {y}"]);
                let last = quarter * 3 + 3;
                (
                    filled(how, &[("{f}", name), ("{a}", which), ("{y}", &y)]),
                    format!("{column} BETWEEN '{y}-{:02}-01' AND '{y}-{last:02}-{:02}'", quarter * 3 + 1, days(year, last)),
                )
            }
            0..3 => (
                put(self.way(
                    &["con {f} nel {y}", "del {y}", "nel {y}", "dell'anno {y}", "con {f} del {y}"],
                    &["in {y}", "of {y}", "with {f} in {y}", "of the year {y}"],
                )),
                if self.rng.random_bool(0.5) { format!("strftime('%Y', {column}) = '{y}'") } else { format!("{column} BETWEEN '{y}-01-01' AND '{y}-12-31'") },
            ),
            3..6 => (
                put(self.way(&["di {m} {y}", "a {m} {y}", "con {f} in {m} {y}", "nel mese di {m} {y}"], &["of {m} {y}", "in {m} {y}", "with {f} in {m} {y}"])),
                if self.rng.random_bool(0.5) {
                    format!("strftime('%Y-%m', {column}) = '{y}-{month:02}'")
                } else {
                    format!("{column} BETWEEN '{y}-{month:02}-01' AND '{last}'")
                },
            ),
            6 => (
                put(self.way(&["dopo il {a}", "con {f} dopo il {a}", "successivi al {a}"], &["after {a}", "with {f} after {a}"])),
                format!("{column} > '{iso}'"),
            ),
            7 => (
                put(self.way(&["prima del {a}", "con {f} prima del {a}", "precedenti al {a}"], &["before {a}", "with {f} before {a}"])),
                format!("{column} < '{iso}'"),
            ),
            8 => (
                put(self.way(&["dal {y} in poi", "con {f} dal {y} in poi", "a partire dal {y}"], &["from {y} on", "with {f} since {y}"])),
                format!("{column} >= '{y}-01-01'"),
            ),
            _ => (put(self.way(&["prima del {y}", "con {f} prima del {y}"], &["before {y}", "with {f} before {y}"])), format!("{column} < '{y}-01-01'")),
        })
    }

    fn month(&self, month: u32) -> &'static str {
        const ITALIAN: [&str; 12] =
            ["gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre", "novembre", "dicembre"];
        const ENGLISH: [&str; 12] = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
        let names = if self.italian { ITALIAN } else { ENGLISH };
        names.get(month.saturating_sub(1) as usize).copied().unwrap_or_default()
    }

    /// These columns of the rows that a filter leaves; `said` is how the filter is said behind the noun, with a space before.
    fn listed(&mut self, place: &Place<'f>, (fields, usual): (&[&'f Field], bool), said: &str, filter: &str) -> Pair {
        let columns = self.named(fields);
        let template = if usual && self.rng.random_bool(0.4) {
            self.way(
                &["quali {t}{w}?", "elenco {d}{w}.", "trova {i}{w}.", "quali sono {i}{w}?", "chi sono {i}{w}?", "mi elenchi {i}{w}?", "{t}{w}."],
                &["which {t}{w}?", "list {i}{w}.", "find {i}{w}.", "what are {i}{w}?", "show me {i}{w}.", "{t}{w}."],
            )
        } else {
            self.way(
                &[
                    "{c} {d}{w}.",
                    "elenca {i}{w}: {c}.",
                    "mi servono {c} {d}{w}.",
                    "quali {t}{w}? {c}.",
                    "dammi {c} {d}{w}.",
                    "{t}{w} ({c}).",
                    "quali sono {i}{w}? {c}.",
                    "mostrami {i}{w}, con {c}.",
                    "{c} di tutti {i}{w}.",
                ],
                &[
                    "{c} {d}{w}.",
                    "list {i}{w}: {c}.",
                    "I need {c} {d}{w}.",
                    "which {t}{w}? {c}.",
                    "give me {c} {d}{w}.",
                    "{t}{w} ({c}).",
                    "show me {i}{w} with {c}.",
                ],
            )
        };
        let text = self.about(template, place.thing, &[("{w}", said), ("{c}", &columns)]);
        (text, format!("SELECT {} FROM {}{filter}", place.columns(fields), place.thing.name))
    }

    /// Rows of a table, perhaps in an order.
    fn list(&mut self) -> Option<Pair> {
        let place = self.place()?;
        let (fields, usual) = self.asked(&place);
        let (said, filter) = self.conditions(&place, usize::from(usual));
        let (mut text, mut query) = self.listed(&place, (&fields, usual), &said, &filter);
        if self.rng.random_bool(0.2)
            && let Some(by) = self.field(&place, |f| !matches!(f.what, What::Flag | What::Key))
        {
            let down = self.rng.random_bool(0.4);
            let how = match (down, &by.what) {
                (false, What::Text(_)) => self.way(&["in ordine alfabetico per {f}", "ordinati per {f}"], &["in alphabetical order of {f}", "sorted by {f}"]),
                (true, What::Text(_)) => self
                    .way(&["per {f} dalla Z alla A", "in ordine alfabetico inverso per {f}"], &["by {f} from Z to A", "in reverse alphabetical order of {f}"]),
                (false, What::Date(_)) => {
                    self.way(&["dal meno recente per {f}", "in ordine di {f}", "dal più vecchio per {f}"], &["oldest {f} first", "in order of {f}"])
                }
                (true, What::Date(_)) => self.way(&["dal più recente per {f}", "dall'ultimo {f} al primo"], &["latest {f} first", "most recent {f} first"]),
                (false, _) => self.way(
                    &["dal più basso {f} al più alto", "in ordine crescente di {f}", "ordinati per {f}"],
                    &["lowest {f} first", "in ascending order of {f}"],
                ),
                (true, _) => self.way(
                    &["dal più alto {f} al più basso", "in ordine decrescente di {f}", "ordinati per {f} decrescente"],
                    &["highest {f} first", "in descending order of {f}"],
                ),
            };
            let how = filled(how, &[("{f}", self.said(by))]);
            let end = text.pop().unwrap_or('.');
            text += &format!(", {how}{end}");
            query += &format!(" ORDER BY {}{}", place.column(&by.name), if down { " DESC" } else { "" });
        }
        Some((text, query))
    }

    /// A question of how many rows there are.
    fn how_many(&mut self) -> &'static str {
        self.way(&["{q} {t}{w}?", "numero {d}{w}.", "{q} sono {i}{w}?"], &["how many {t}{w}?", "number {d}{w}."])
    }

    fn count(&mut self) -> Option<Pair> {
        let place = self.place()?;
        let (said, filter) = self.conditions(&place, 0);
        let template = self.way(
            &["{q} {t}{w}?", "{q} sono {i}{w}?", "numero {d}{w}.", "{q} {t}{w} ci sono?", "conta {i}{w}.", "{q} {t}{w} abbiamo?"],
            &["how many {t}{w}?", "how many {t}{w} are there?", "number {d}{w}.", "count {i}{w}."],
        );
        Some((self.about(template, place.thing, &[("{w}", &said)]), format!("SELECT COUNT(*) FROM {}{filter}", place.thing.name)))
    }

    /// The different values of a column.
    fn different(&mut self) -> Option<Pair> {
        let place = self.place()?;
        let field = self.field(&place, |f| f.shared && matches!(f.what, What::Text(_)))?;
        let (said, filter) = self.conditions(&place, 0);
        let (name, column) = (self.said(field), place.column(&field.name));
        if self.rng.random_bool(0.3) {
            let template = self.way(
                &["quanti {f} diversi hanno {i}{w}?", "numero di {f} distinti {d}{w}."],
                &["how many different {f} do {i}{w} have?", "number of distinct {f} {d}{w}."],
            );
            return Some((
                self.about(template, place.thing, &[("{f}", name), ("{w}", &said)]),
                format!("SELECT COUNT(DISTINCT {column}) FROM {}{filter}", place.thing.name),
            ));
        }
        let template = self.way(
            &[
                "quali {f} hanno {i}{w}? Senza ripetizioni.",
                "{f} {d}{w}, senza doppioni.",
                "elenco dei diversi {f} {d}{w}.",
                "che {f} esistono fra {i}{w}?",
                "{f} distinti {d}{w}.",
            ],
            &["which {f} do {i}{w} have, without repeats?", "the different {f} {d}{w}.", "distinct {f} {d}{w}."],
        );
        Some((self.about(template, place.thing, &[("{f}", name), ("{w}", &said)]), format!("SELECT DISTINCT {column} FROM {}{filter}", place.thing.name)))
    }

    /// A function over a column of numbers (or days, for the first and last): how it is said, and as SQL.
    fn function(&mut self, place: &Place<'f>) -> Option<Pair> {
        let field = self.field(place, |f| matches!(f.what, What::Number(..) | What::Date(_)))?;
        let (name, column) = (self.said(field), place.column(&field.name));
        let (how, function) = match (&field.what, self.rng.random_range(0..4)) {
            (What::Date(_), 0 | 1) => (self.way(&["prima {f}", "{f} più vecchia", "{f} meno recente"], &["earliest {f}", "first {f}"]), "MIN"),
            (What::Date(_), _) => (self.way(&["ultima {f}", "{f} più recente"], &["latest {f}", "last {f}"]), "MAX"),
            (_, 0) => (self.way(&["{f} medio", "media di {f}", "{f} in media", "valore medio di {f}", "{f} media"], &["average {f}", "mean {f}"]), "AVG"),
            (_, 1) => (self.way(&["totale di {f}", "somma di {f}", "{f} totale", "{f} complessivo", "{f} in tutto"], &["total {f}", "sum of {f}"]), "SUM"),
            (_, 2) => (self.way(&["{f} più alto", "{f} massimo", "massimo {f}", "{f} maggiore"], &["highest {f}", "maximum {f}"]), "MAX"),
            _ => (self.way(&["{f} più basso", "{f} minimo", "minimo {f}", "{f} minore"], &["lowest {f}", "minimum {f}"]), "MIN"),
        };
        Some((filled(how, &[("{f}", name)]), format!("{function}({column})")))
    }

    fn aggregate(&mut self) -> Option<Pair> {
        let place = self.place()?;
        let (how, function) = self.function(&place)?;
        let (said, filter) = self.conditions(&place, 0);
        let template = self.way(
            &["{a} {d}{w}.", "qual è {a} {d}{w}?", "{a} per {i}{w}?", "dimmi {a} {d}{w}."],
            &["{a} {d}{w}.", "what is the {a} {d}{w}?", "tell me the {a} {d}{w}."],
        );
        Some((self.about(template, place.thing, &[("{a}", &how), ("{w}", &said)]), format!("SELECT {function} FROM {}{filter}", place.thing.name)))
    }

    /// A count or another function for each value of a column.
    fn grouped(&mut self) -> Option<Pair> {
        let place = self.place()?;
        let by = self.field(&place, |f| f.shared && !matches!(f.what, What::Date(_) | What::Key))?;
        let (said, filter) = self.conditions(&place, 0);
        let (name, column) = (self.said(by), place.column(&by.name));
        let (template, what, how) = if self.rng.random_bool(0.6) {
            let template = self.way(
                &[
                    "{q} {t}{w} per {f}?",
                    "numero {d}{w} per ogni {f}.",
                    "per ciascun {f}, {q} {t}{w}?",
                    "{q} {t}{w} ci sono per {f}?",
                    "{f} e numero {d}{w}.",
                    "{t}{w} per {f}: quanti?",
                ],
                &["how many {t}{w} per {f}?", "number {d}{w} for each {f}.", "for each {f}, how many {t}{w}?", "{f} and number {d}{w}."],
            );
            (template, "COUNT(*)".to_string(), String::new())
        } else {
            let (how, function) = self.function(&place)?;
            (
                self.way(
                    &["{a} {d}{w} per {f}.", "{a} per ogni {f} {d}{w}.", "per ciascun {f}, {a} {d}{w}."],
                    &["{a} {d}{w} per {f}.", "for each {f}, the {a} {d}{w}."],
                ),
                function,
                how,
            )
        };
        let text = self.about(template, place.thing, &[("{f}", name), ("{w}", &said), ("{a}", &how)]);
        Some((text, format!("SELECT {column}, {what} FROM {}{filter} GROUP BY {column}", place.thing.name)))
    }

    fn having(&mut self) -> Option<Pair> {
        let place = self.place()?;
        let by = self.field(&place, |f| f.shared && matches!(f.what, What::Text(_)))?;
        let (name, column, number) = (self.said(by), place.column(&by.name), self.rng.random_range(1..12));
        let ((how, sign), counted) = (self.than(), self.rng.random_bool(0.3));
        let template = if counted {
            self.way(
                &["{f} con {n} {t}, e quanti sono.", "quali {f} hanno {n} {t}? {f} e numero."],
                &["{f} with {n} {t}, and how many.", "which {f} have {n} {t}? {f} and number."],
            )
        } else {
            self.way(
                &["{f} con {n} {t}.", "quali {f} hanno {n} {t}?", "in quali {f} ci sono {n} {t}?", "dimmi {f} con {n} {t}."],
                &["{f} with {n} {t}.", "which {f} have {n} {t}?", "find the {f} with {n} {t}."],
            )
        };
        let text = self.about(template, place.thing, &[("{f}", name), ("{n}", &filled(how, &[("{n}", &number.to_string())]))]);
        let more = if counted { ", COUNT(*)" } else { "" };
        Some((text, format!("SELECT {column}{more} FROM {} GROUP BY {column} HAVING COUNT(*) {sign} {number}", place.thing.name)))
    }

    /// A comparison with a number of rows.
    fn than(&mut self) -> (&'static str, &'static str) {
        match self.rng.random_range(0..7) {
            0 | 1 => (self.way(&["più di {n}", "oltre {n}"], &["more than {n}"]), ">"),
            2 | 3 => (self.way(&["almeno {n}", "{n} o più"], &["at least {n}", "{n} or more"]), ">="),
            4 => (self.way(&["esattamente {n}", "solo {n}", "soltanto {n}"], &["exactly {n}", "only {n}"]), "="),
            5 => (self.way(&["al massimo {n}", "{n} o meno", "non più di {n}"], &["at most {n}", "{n} or fewer"]), "<="),
            _ => (self.way(&["meno di {n}"], &["fewer than {n}"]), "<"),
        }
    }

    /// The first rows by a column.
    fn top(&mut self) -> Option<Pair> {
        let place = self.place()?;
        let by = self.field(&place, |f| matches!(f.what, What::Number(..) | What::Date(_)))?;
        let (mut fields, usual) = self.asked(&place);
        if usual && self.rng.random_bool(0.4) {
            fields.push(by);
        }
        let (said, filter) = if self.rng.random_bool(0.4) { self.conditions(&place, 1) } else { Default::default() };
        let (down, number) = (self.rng.random_bool(0.6), [1, 1, 3, 5, 10, 2, 4][self.rng.random_range(0..7)]);
        let most = match (&by.what, down) {
            (What::Date(_), true) => {
                self.way(&["con {f} più recente", "più recenti per {f}", "con l'ultima {f}"], &["with the latest {f}", "most recent by {f}"])
            }
            (What::Date(_), false) => {
                self.way(&["con {f} più vecchia", "meno recenti per {f}", "con la prima {f}"], &["with the earliest {f}", "oldest by {f}"])
            }
            (_, true) => {
                self.way(&["con {f} più alto", "con {f} maggiore", "con più {f}", "con il massimo {f}"], &["with the highest {f}", "with the most {f}"])
            }
            (_, false) => {
                self.way(&["con {f} più basso", "con {f} minore", "con meno {f}", "con il minimo {f}"], &["with the lowest {f}", "with the least {f}"])
            }
        };
        let (most, columns, count) = (filled(most, &[("{f}", self.said(by))]), self.named(&fields), number.to_string());
        let template = if number == 1 {
            self.way(
                &["quale {d}{w} è quello {m}? {c}.", "il primo {d}{w} {m}: {c}.", "fra {i}{w}, quello {m}: {c}.", "{c} del primo {d}{w} {m}."],
                &["which {d}{w} is the one {m}? {c}.", "of {i}{w}, the one {m}: {c}."],
            )
        } else {
            self.way(
                &["i primi {n} {t}{w} {m}: {c}.", "{n} {t}{w} {m}, {c}.", "quali sono i {n} {t}{w} {m}? {c}.", "{c} dei {n} {t}{w} {m}."],
                &["the {n} {t}{w} {m}: {c}.", "{c} of the {n} {t}{w} {m}."],
            )
        };
        let text = self.about(template, place.thing, &[("{w}", &said), ("{m}", &most), ("{c}", &columns), ("{n}", &count)]);
        let order = format!("ORDER BY {}{} LIMIT {number}", place.column(&by.name), if down { " DESC" } else { "" });
        Some((text, format!("SELECT {} FROM {}{filter} {order}", place.columns(&fields), place.thing.name)))
    }

    /// Rows of one table by what is known of another that keys lead to.
    fn related(&mut self) -> Option<Pair> {
        let (places, from, many) = self.path()?;
        let (near, far) = (places.first()?, places.last()?);
        let mut relation = self.of_row(far);
        if relation.is_none() || self.rng.random_bool(0.4) {
            let (said, filter) = self.conditions(far, 1);
            let template = self.way(&["di {t}{w}", "con {t}{w}", "legati a {t}{w}", "che hanno {t}{w}"], &["of {t}{w}", "with {t}{w}", "that have {t}{w}"]);
            relation = (!filter.is_empty()).then(|| (self.about(template, far.thing, &[("{w}", &said)]), filter));
        }
        let (relation, mut filter) = relation?;
        let mut said = format!(" {relation}");
        if self.rng.random_bool(0.3)
            && let Some((_, how, sql)) = self.condition(near)
        {
            said = format!(" {how}{said}");
            filter += &format!(" AND {sql}");
        }
        if self.rng.random_bool(0.25) {
            let counted = if many { format!("COUNT(DISTINCT {})", near.column(&self.key(near)?)) } else { "COUNT(*)".into() };
            let template = self.how_many();
            return Some((self.about(template, near.thing, &[("{w}", &said)]), format!("SELECT {counted} FROM {from}{filter}")));
        }
        if !many
            && self.rng.random_bool(0.2)
            && let Some((how, function)) = self.function(near)
        {
            let template = self.way(&["{a} {d}{w}.", "qual è {a} {d}{w}?"], &["{a} {d}{w}.", "what is the {a} {d}{w}?"]);
            return Some((self.about(template, near.thing, &[("{a}", &how), ("{w}", &said)]), format!("SELECT {function} FROM {from}{filter}")));
        }
        let (fields, usual) = self.asked(near);
        let columns = self.named(&fields);
        let template = if usual && self.rng.random_bool(0.4) {
            self.way(&["quali {t}{w}?", "elenco {d}{w}.", "trova {i}{w}.", "{t}{w}."], &["which {t}{w}?", "list {i}{w}.", "{t}{w}."])
        } else {
            self.way(
                &["{c} {d}{w}.", "quali {t}{w}? {c}.", "{t}{w} ({c}).", "elenca {i}{w}: {c}.", "mi servono {c} {d}{w}."],
                &["{c} {d}{w}.", "which {t}{w}? {c}.", "{t}{w} ({c}).", "list {i}{w}: {c}."],
            )
        };
        let distinct = if many { "DISTINCT " } else { "" };
        Some((
            self.about(template, near.thing, &[("{w}", &said), ("{c}", &columns)]),
            format!("SELECT {distinct}{} FROM {from}{filter}", near.columns(&fields)),
        ))
    }

    /// A row of a table by the texts that stand for it: `di Silvia Parisi`, and the WHERE that finds it.
    fn of_row(&mut self, place: &Place<'f>) -> Option<(String, String)> {
        let (row, sql) = self.row(place)?;
        let template = self.way(&["di {a}", "per {a}", "con {a}", "legati a {a}"], &["of {a}", "for {a}", "with {a}"]);
        Some((filled(template, &[("{a}", &row)]), format!(" WHERE {sql}")))
    }

    /// A row as a question names it, and the condition that finds it.
    fn row(&mut self, place: &Place<'f>) -> Option<(String, String)> {
        let row = place.thing.rows.choose(&mut self.rng)?;
        let texts = place.shown().into_iter().filter(|f| matches!(f.what, What::Text(_)));
        let sql: Vec<String> = texts.zip(row).map(|(f, value)| format!("{} = '{value}'", place.column(&f.name))).collect();
        Some((row.join(" "), sql.join(" AND ")))
    }

    fn key(&self, place: &Place<'f>) -> Option<String> {
        place.thing.fields.iter().find(|f| f.what == What::Key && !f.shared).map(|f| f.name.clone())
    }

    /// Tables that keys join, the FROM of the query, and whether a row of the first can come several times.
    fn path(&mut self) -> Option<(Vec<Place<'f>>, String, bool)> {
        let facts = self.facts;
        let links = &facts.links;
        let (mut at, mut used) = (self.rng.random_range(0..facts.tables.len()), Vec::new());
        let mut places = vec![alias(&facts.tables[at], &[])];
        let mut from = format!("{} {}", facts.tables[at].name, places[0].alias);
        let (mut many, wanted) = (false, [1, 1, 1, 2, 2, HOPS][self.rng.random_range(0..6)]);
        used.push(at);
        for _ in 0..wanted {
            let onward: Vec<_> =
                links.iter().filter(|l| (l.child == at && !used.contains(&l.parent)) || (l.parent == at && !used.contains(&l.child))).collect();
            let Some(link) = onward.choose(&mut self.rng) else { break };
            let up = link.child == at;
            let next = if up { link.parent } else { link.child };
            let taken: Vec<&str> = places.iter().map(|p| p.alias.as_str()).collect();
            let place = alias(&facts.tables[next], &taken);
            let here = &places[places.len() - 1];
            let (own, other) = if up { (&link.key, &link.to) } else { (&link.to, &link.key) };
            from += &format!(" JOIN {} {} ON {} = {}", place.thing.name, place.alias, place.column(other), here.column(own));
            many |= !up;
            used.push(next);
            at = next;
            places.push(place);
        }
        (places.len() > 1).then_some((places, from, many))
    }

    /// A table and one whose key refers to it, with what joins them.
    fn family(&mut self) -> Option<(Place<'f>, Place<'f>, String, &'f facts::Link)> {
        let facts = self.facts;
        let link = facts.links.iter().filter(|l| l.child != l.parent).collect::<Vec<_>>().choose(&mut self.rng).copied()?;
        let parent = alias(&facts.tables[link.parent], &[]);
        let child = alias(&facts.tables[link.child], &[&parent.alias]);
        let on = format!("{} = {}", child.column(&link.key), parent.column(&link.to));
        Some((parent, child, on, link))
    }

    /// How many rows belong to each row of another table, or which have so many.
    fn children(&mut self) -> Option<Pair> {
        let (parent, child, on, link) = self.family()?;
        let shown = parent.shown();
        let (columns, key) = (parent.columns(&shown), parent.column(&link.to));
        let from = parent.joined(&child, &on);
        let children = self.noun(child.thing);
        if self.rng.random_bool(0.5) {
            let ((how, sign), number) = (self.than(), self.rng.random_range(1..10));
            let how = filled(how, &[("{n}", &number.to_string())]);
            let template =
                self.way(&["{t} con {n} {k}.", "quali {t} hanno {n} {k}?", "trova {i} con {n} {k}."], &["{t} with {n} {k}.", "which {t} have {n} {k}?"]);
            let text = self.about(template, parent.thing, &[("{n}", &how), ("{k}", children)]);
            return Some((text, format!("SELECT {columns} FROM {from} GROUP BY {key} HAVING COUNT(*) {sign} {number}")));
        }
        let (said, filter) = if self.rng.random_bool(0.3) { self.conditions(&parent, 1) } else { Default::default() };
        let (template, what, join) = match self.rng.random_range(0..4) {
            0 => (
                self.way(
                    &["numero di {k} per ognuno {d}{w}, anche zero.", "per tutti {i}{w}, compresi quelli senza {k}, il numero di {k}."],
                    &["number of {k} for each {d}{w}, zero included.", "for all {i}{w}, even without {k}, the number of {k}."],
                ),
                format!("COUNT({})", child.column(&link.key)),
                from.replacen(" JOIN ", " LEFT JOIN ", 1),
            ),
            1 if let Some((how, function)) = self.function(&child) => {
                let template = self.way(&["per ognuno {d}{w}, {a} {o}.", "{a} {o} per ognuno {d}{w}."], &["for each {d}{w}, the {a} {o}."]);
                let of = self.about("{d}", child.thing, &[]);
                let text = self.about(template, parent.thing, &[("{w}", &said), ("{a}", &how), ("{o}", &of)]);
                return Some((text, format!("SELECT {columns}, {function} FROM {from}{filter} GROUP BY {key}")));
            }
            _ => (
                self.way(
                    &["quanti {k} ha ognuno {d}{w}?", "numero di {k} per ognuno {d}{w}.", "{t}{w} e numero di {k}.", "per ognuno {d}{w}, quanti {k}?"],
                    &["how many {k} does each {d}{w} have?", "number of {k} for each {d}{w}.", "{t}{w} and number of {k}."],
                ),
                "COUNT(*)".into(),
                from,
            ),
        };
        let text = self.about(template, parent.thing, &[("{w}", &said), ("{k}", children)]);
        Some((text, format!("SELECT {columns}, {what} FROM {join}{filter} GROUP BY {key}")))
    }

    /// Rows to which none of another table belong.
    fn childless(&mut self) -> Option<Pair> {
        let (parent, child, _, link) = self.family()?;
        let parent = Place { alias: String::new(), ..parent };
        let shown = parent.shown();
        let template = self.way(
            &["{t} senza {k}.", "quali {t} non hanno {k}?", "{i} che non hanno nessuno dei {k}.", "trova {i} mai presenti nei {k}."],
            &["{t} without {k}.", "which {t} have no {k}?"],
        );
        let children = self.noun(child.thing);
        let text = self.about(template, parent.thing, &[("{k}", children)]);
        let (name, key) = (&child.thing.name, &link.key);
        Some((
            text,
            format!("SELECT {} FROM {} WHERE {} NOT IN (SELECT {key} FROM {name} WHERE {key} IS NOT NULL)", parent.columns(&shown), parent.thing.name, link.to),
        ))
    }

    fn above_average(&mut self) -> Option<Pair> {
        let place = self.place()?;
        let field = self.field(&place, |f| matches!(f.what, What::Number(..)))?;
        let (fields, usual) = self.asked(&place);
        let above = self.rng.random_bool(0.7);
        let how = if above {
            self.way(&["con {f} sopra la media", "con {f} superiore alla media"], &["with {f} above average", "with a {f} higher than the average"])
        } else {
            self.way(&["con {f} sotto la media", "con {f} inferiore alla media"], &["with {f} below average", "with a {f} lower than the average"])
        };
        let (how, columns) = (filled(how, &[("{f}", self.said(field))]), self.named(&fields));
        let template = if usual {
            self.way(&["{t} {w}.", "quali {t} {w}?"], &["{t} {w}.", "which {t} {w}?"])
        } else {
            self.way(&["{c} {d} {w}.", "{t} {w}: {c}."], &["{c} {d} {w}."])
        };
        let (name, table, sign) = (&field.name, &place.thing.name, if above { '>' } else { '<' });
        let text = self.about(template, place.thing, &[("{w}", &how), ("{c}", &columns)]);
        Some((text, format!("SELECT {} FROM {table} WHERE {name} {sign} (SELECT AVG({name}) FROM {table})", place.columns(&fields))))
    }

    /// The row, or the value of a column, with the most or fewest rows.
    fn ranked(&mut self) -> Option<Pair> {
        let (down, counted) = (self.rng.random_bool(0.7), self.rng.random_bool(0.4));
        let order = if down { " DESC" } else { "" };
        let how = if down { self.way(&["più"], &["the most"]) } else { self.way(&["meno"], &["the fewest"]) };
        let also = if counted { self.way(&[" E quanti?", " Anche il numero."], &[" And how many?", " The number, too."]) } else { "" };
        let more = if counted { ", COUNT(*)" } else { "" };
        if self.rng.random_bool(0.5) {
            let place = self.place()?;
            let by = self.field(&place, |f| f.shared && matches!(f.what, What::Text(_)))?;
            let template = self
                .way(&["quale {f} ha {h} {t}?", "in quale {f} ci sono {h} {t}?", "il {f} con {h} {t}."], &["which {f} has {h} {t}?", "the {f} with {h} {t}."]);
            let (name, column) = (self.said(by), &by.name);
            let text = self.about(template, place.thing, &[("{f}", name), ("{h}", how)]);
            return Some((text + also, format!("SELECT {column}{more} FROM {} GROUP BY {column} ORDER BY COUNT(*){order} LIMIT 1", place.thing.name)));
        }
        let (parent, child, on, link) = self.family()?;
        let shown = parent.shown();
        let template = self.way(
            &["quale {d} ha {h} {k}?", "fra {i}, quello con {h} {k}.", "chi {d} ha {h} {k}?"],
            &["which {d} has {h} {k}?", "of {i}, the one with {h} {k}."],
        );
        let children = self.noun(child.thing);
        let text = self.about(template, parent.thing, &[("{k}", children), ("{h}", how)]) + also;
        let from = parent.joined(&child, &on);
        Some((text, format!("SELECT {}{more} FROM {from} GROUP BY {} ORDER BY COUNT(*){order} LIMIT 1", parent.columns(&shown), parent.column(&link.to))))
    }
}

/// A table under the first letters of its name that no other has.
fn alias<'f>(thing: &'f Thing, taken: &[&str]) -> Place<'f> {
    let name = thing.name.to_lowercase();
    let alias = (1..=name.len()).filter_map(|n| name.get(..n)).find(|a| !taken.contains(a)).unwrap_or("x").to_string();
    Place { thing, alias }
}

/// The Italian article, `di` with it, and `quanti` or `quante`, for a noun in the plural.
pub(crate) fn articles(noun: &str) -> (&'static str, &'static str, &'static str) {
    let word = noun.split_whitespace().next().unwrap_or_default();
    let mut letters = word.chars();
    let (first, second) = (letters.next().unwrap_or('x'), letters.next().unwrap_or('x'));
    let vowel = |c: char| "aeiouàèéìòù".contains(c);
    if word.ends_with('e') || word.ends_with("à") {
        ("le", "delle", "quante")
    } else if vowel(first) || first == 'z' || (first == 's' && !vowel(second)) {
        ("gli", "degli", "quanti")
    } else {
        ("i", "dei", "quanti")
    }
}

/// What a row is (`privato`, `azienda`, `arrivato dal sito`) as it is said of the rows of a table in Italian: its first word
/// in the plural, and of the gender of the rows' noun where it ends in `o`. Phrases that begin with a preposition stay.
fn agreed(value: &str, thing: &Thing) -> String {
    // the noun itself, as in "ordine arrivato dal sito", is said already
    let noun = |word: &str| word.chars().count() == thing.said.chars().count() && word.get(..word.len() - 1).is_some_and(|stem| thing.said.starts_with(stem));
    let value = value.split_once(' ').filter(|(first, _)| noun(first)).map_or(value, |(_, rest)| rest);
    let (first, rest) = value.split_once(' ').map_or((value, String::new()), |(first, rest)| (first, format!(" {rest}")));
    if rest.is_empty() || first.ends_with("to") {
        let stem = |end: char| first.strip_suffix(end);
        let own = if thing.said.ends_with('e') { 'e' } else { 'i' };
        let plural = stem('o').map(|s| (s, own)).or_else(|| stem('a').map(|s| (s, 'e'))).or_else(|| stem('e').map(|s| (s, 'i')));
        if let Some((stem, end)) = plural.filter(|(stem, _)| !stem.is_empty()) {
            return format!("{stem}{end}{rest}");
        }
    }
    value.into()
}

/// The name of a decade of the twentieth century in Italian.
fn decade(first: u32) -> Option<&'static str> {
    const NAMES: [&str; 9] = ["Dieci", "Venti", "Trenta", "Quaranta", "Cinquanta", "Sessanta", "Settanta", "Ottanta", "Novanta"];
    NAMES.get((first.checked_sub(1910)? / 10) as usize).copied()
}

/// A number as round as somebody would say it.
fn near(value: f64, whole: bool) -> f64 {
    let size = value.abs();
    let step = if size >= 1000.0 {
        100.0
    } else if size >= 100.0 {
        10.0
    } else if size >= 20.0 {
        5.0
    } else if whole || size >= 2.0 {
        1.0
    } else {
        0.1
    };
    (value / step).round() * step
}

/// A number as a query writes it, with two decimals at most.
fn shown(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// Days of a month.
fn days(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::tests::shop;

    fn rows() -> Vec<Example> {
        let row = |text: &str, sql: &str| Example {
            text: text.into(),
            target: Target::Sql(sql.into()),
            origin: Origin { file: std::sync::Arc::new("x.jsonl".into()), line: 1 },
        };
        vec![row("Nome e città di chi è del 1990", "SELECT nome, citta FROM clienti WHERE nato = 1990"), row("Quanti ordini?", "SELECT COUNT(*) FROM ordini")]
    }

    #[test]
    fn facts_tell_what_can_be_asked() {
        let (_dir, mut database) = shop();
        let facts = Facts::of(&rows(), &mut database);
        let [clienti, ordini] = facts.tables.as_slice() else { panic!("{facts:?}") };
        // what a training row asks for, and its spelling of a word without an accent
        assert_eq!((clienti.shown.as_slice(), clienti.fields[2].said[0].as_str()), ([1, 2].as_slice(), "città"));
        assert_eq!(clienti.fields[2].what, What::Text(vec!["Milano".into(), "Roma".into()]));
        assert!(clienti.fields[2].missing && !clienti.fields[1].missing);
        assert_eq!(clienti.fields[3].what, What::Number(vec![1980.0, 1990.0], true));
        assert_eq!((ordini.shown.as_slice(), &ordini.fields[1].what), ([0].as_slice(), &What::Key));
        let [link] = facts.links.as_slice() else { panic!("{facts:?}") };
        assert_eq!((link.child, link.key.as_str(), link.parent, link.to.as_str()), (1, "cliente_id", 0, "id"));
        assert_eq!((facts::day("2024-02-30 10:00"), facts::day("2024-13-01"), facts::day("però-è-così")), (Some((2024, 2, 30)), None, None));
    }

    #[test]
    fn every_query_finds_something_and_no_question_is_asked_twice() {
        let (_dir, mut database) = shop();
        for italian in [true, false] {
            let mut compose = |count: usize| queries(&rows(), &mut database, italian, count, 1, &mut Steps::default()).expect("nobody ends it");
            let (made, fewer) = (compose(120), compose(40));
            assert_eq!(made, compose(120));
            // more rows begin with those of fewer
            assert_eq!(fewer, made[..fewer.len()]);
            assert!(made.len() > 60, "{}", made.len());
            let mut texts: Vec<String> = made.iter().map(|e| e.text.to_lowercase()).collect();
            texts.sort();
            texts.dedup();
            assert_eq!(texts.len(), made.len());
            assert!(!texts.contains(&"quanti ordini?".into()), "a training row was repeated");
            for example in &made {
                let Target::Sql(query) = &example.target else { panic!("a query") };
                assert_eq!(database.finds_something(query), Ok(true), "{query}");
                assert!(!example.text.contains(['{', '}']), "{}", example.text);
            }
            for form in ["COUNT(*)", "GROUP BY", "HAVING", "ORDER BY", " JOIN ", "NOT IN (SELECT", "(SELECT AVG(", "IS NULL"] {
                assert!(made.iter().any(|e| matches!(&e.target, Target::Sql(q) if q.contains(form))), "no {form}");
            }
        }
        let mut told = Vec::new();
        let mut watch = |done: u64, total: Option<u64>| {
            told.push((done, total));
            told.len() < 3
        };
        let ended = queries(&rows(), &mut database, true, 120, 1, &mut Steps::new(120, &mut watch));
        assert!(matches!(ended, Err(data::Error::Ended)));
        assert_eq!(told, [1, 2, 3].map(|done| (done, Some(120))));
    }

    #[test]
    fn words_are_said_as_people_say_them() {
        for (noun, said) in [
            ("clienti", ("i", "dei", "quanti")),
            ("ordini", ("gli", "degli", "quanti")),
            ("categorie", ("le", "delle", "quante")),
            ("sconti", ("gli", "degli", "quanti")),
            ("", ("i", "dei", "quanti")),
        ] {
            assert_eq!(articles(noun), said, "{noun}");
        }
        assert_eq!(
            [shown(50.0), shown(0.5), shown(19.99), shown(near(1234.0, true)), shown(near(0.27, false)), shown(near(-3.0, true))],
            ["50", "0.5", "19.99", "1200", "0.3", "-3"]
        );
        assert_eq!((days(2024, 2), days(2023, 2), days(1900, 2), days(2024, 4)), (29, 28, 28, 30));
    }
}
