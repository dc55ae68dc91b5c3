//! Small training sets grown soundly: more rows from those there are, each as right as the row it came from.
//!
//! A query grows by values: a literal that stands in both the question and the query gives way, in both, to another
//! value of the same column of the database. It grows by names, too: a column that the question names gives way to another
//! of the table that holds values of the same kind, and a table to one that has the same columns. The new query must run and find
//! something. A sentence with entities
//! grows by names: the strings of its spans give way to other strings of the same type, from the training rows only. What
//! stays is the wording, so the model sees that a query follows the question and that a name is known by what stands
//! around it. A list of hashtags grows by its order. Nothing is taken from validation or test rows.

use crate::compose::articles;
use crate::facts::{Facts, What};
use crate::sandbox::{Sandbox, quoted as name_quoted};
use crate::score::sql::literals;
use data::example::Span;
use data::watch::Steps;
use data::{Example, Target};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rusqlite::types::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Longest value that is put into a question, in characters.
const VALUE: usize = 40;
/// How often other values are drawn for a copy before it is given up.
const TRIES: usize = 8;
/// Share of the copies of a query that are about another column or table where they can.
const EXCHANGED: f64 = 0.5;
/// Share of a sentence's spans that get another name.
const SWAPPED: f64 = 0.7;

/// Up to `copies` further rows for each of the `examples`, which are about the tables of `database`. Rows whose query
/// shares neither a value nor a name with its question give none. Each example counts one of `steps`.
///
/// # Errors
/// If it was ended.
pub fn queries(examples: &[Example], database: &mut Sandbox, copies: usize, seed: u64, steps: &mut Steps<'_>) -> data::Result<Vec<Example>> {
    if copies == 0 {
        return Ok(Vec::new());
    }
    let mut values: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let facts = Facts::of(examples, database);
    let mut out = Vec::new();
    for (row, example) in examples.iter().enumerate() {
        steps.after(1)?;
        let Target::Sql(query) = &example.target else { continue };
        let mut rng = stream(seed, row);
        let mut seen = BTreeSet::from([query.clone()]);
        for _ in 0..copies * TRIES {
            if seen.len() > copies {
                break;
            }
            let other = if rng.random_bool(EXCHANGED) { exchanged(&example.text, query, &facts, &mut rng) } else { None };
            let (mut text, mut grown) = other.unwrap_or_else(|| (example.text.clone(), query.clone()));
            for (column, literal) in shared(&text, &grown) {
                let all = values.entry(column.to_lowercase()).or_insert_with(|| column_values(database, &column));
                let Some(other) = another(&literal, all, &mut rng) else { continue };
                // a value that the text names already would make two meanings of one word
                if text.contains(&said(&other)) {
                    continue;
                }
                text = replaced(&text, &said(&literal), &said(&other));
                grown = replaced(&grown, &quoted(&literal), &quoted(&other));
            }
            if !seen.contains(&grown) && database.finds_something(&grown).unwrap_or(false) {
                seen.insert(grown.clone());
                out.push(Example { text, target: Target::Sql(grown), origin: example.origin.clone() });
            }
        }
    }
    Ok(out)
}

/// A question and its query with another column, or about another table, where both name it and nothing else changes its
/// meaning; nothing if there is no other.
fn exchanged(text: &str, query: &str, facts: &Facts, rng: &mut ChaCha8Rng) -> Option<(String, String)> {
    let lower = text.to_lowercase();
    let named = |said: &str| lower.len() == text.len() && places(&lower, said).len() == 1;
    let uses = |name: &str| !places(query, name).is_empty();
    let mut ways: Vec<(&str, &str, &str, &str)> = Vec::new();
    for (i, table) in facts.tables.iter().enumerate().filter(|(_, t)| uses(&t.name)) {
        // with other tables beside it, one name can be a column of several
        let alone = facts.tables.iter().enumerate().all(|(j, t)| i == j || !uses(&t.name));
        let used: Vec<_> = table.fields.iter().filter(|f| uses(&f.name)).collect();
        // the article before it must fit the other, too
        let fits = |said: &str| !lower.contains(said) && articles(said) == articles(&table.said);
        for other in facts.tables.iter().filter(|t| alone && t.name != table.name && named(&table.said) && fits(&t.said)) {
            if used.iter().all(|f| other.fields.iter().any(|o| o.name == f.name && kind(&o.what) == kind(&f.what))) {
                ways.push((&table.name, &other.name, &table.said, &other.said));
            }
        }
        // a text that a column is compared with is a value of that column alone
        let compared = |name: &str| literals(query).iter().any(|(column, value)| column.eq_ignore_ascii_case(name) && matches!(value, Value::Text(_)));
        for own in used.iter().filter(|f| alone && f.what != What::Key && named(&f.said[0]) && !compared(&f.name)) {
            for other in table.fields.iter().filter(|o| kind(&o.what) == kind(&own.what) && !uses(&o.name) && !lower.contains(&o.said[0])) {
                ways.push((&own.name, &other.name, &own.said[0], &other.said[0]));
            }
        }
    }
    let (from, to, said, instead) = *ways.choose(rng)?;
    let at = *places(&lower, said).first()?;
    let text = format!("{}{instead}{}", &text[..at], &text[at + said.len()..]);
    // what stands between quotation marks is a value
    let parts = query.split('\'').enumerate().map(|(i, part)| if i % 2 == 0 { replaced(part, from, to) } else { part.into() });
    Some((text, parts.collect::<Vec<_>>().join("'")))
}

/// Columns of one kind can stand for each other.
fn kind(what: &What) -> std::mem::Discriminant<What> {
    std::mem::discriminant(what)
}

/// `copies` further rows for each of the `examples` that have entities, with other names of their types. Each of these counts one of
/// `steps`.
///
/// # Errors
/// If it was ended.
pub fn entities(examples: &[Example], copies: usize, seed: u64, steps: &mut Steps<'_>) -> data::Result<Vec<Example>> {
    let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for example in examples {
        for span in example.spans() {
            names.entry(&span.kind).or_default().extend(span.of(&example.text));
        }
    }
    let names: BTreeMap<&str, Vec<&str>> = names.into_iter().map(|(kind, all)| (kind, all.into_iter().collect())).collect();
    let mut out = Vec::new();
    for (row, example) in examples.iter().enumerate().filter(|(_, e)| apart(e.spans())) {
        steps.after(1)?;
        let mut rng = stream(seed, row);
        let mut seen = BTreeSet::from([example.text.clone()]);
        for _ in 0..copies {
            let (text, spans) = renamed(example, &names, &mut rng);
            if seen.insert(text.clone()) {
                out.push(Example { text, target: Target::Entities(spans), origin: example.origin.clone() });
            }
        }
    }
    Ok(out)
}

/// `copies` further rows for each of the `examples` that have two hashtags or more: the same ones in another order, so that
/// the model learns which tags belong to a post and not which follows which. Each example counts one of `steps`.
///
/// # Errors
/// If it was ended.
pub fn hashtags(examples: &[Example], copies: usize, seed: u64, steps: &mut Steps<'_>) -> data::Result<Vec<Example>> {
    let mut out = Vec::new();
    for (row, example) in examples.iter().enumerate() {
        steps.after(1)?;
        let Target::Tags(tags) = &example.target else { continue };
        let mut rng = stream(seed, row);
        let mut seen = BTreeSet::from([tags.clone()]);
        for _ in 0..copies {
            let mut tags = tags.clone();
            tags.shuffle(&mut rng);
            if seen.insert(tags.clone()) {
                out.push(Example { text: example.text.clone(), target: Target::Tags(tags), origin: example.origin.clone() });
            }
        }
    }
    Ok(out)
}

/// A row's own random numbers, so that what it becomes does not depend on the rows before it.
fn stream(seed: u64, row: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x6772_6f77);
    rng.set_stream(row as u64);
    rng
}

/// Do the spans stand in the order of the text, without touching each other's characters?
fn apart(spans: &[Span]) -> bool {
    !spans.is_empty() && spans.windows(2).all(|pair| pair[0].end <= pair[1].start)
}

/// The sentence with other names in some of its spans, and where these are then.
fn renamed(example: &Example, names: &BTreeMap<&str, Vec<&str>>, rng: &mut ChaCha8Rng) -> (String, Vec<Span>) {
    let letters: Vec<char> = example.text.chars().collect();
    let (mut text, mut length, mut from, mut spans) = (String::new(), 0, 0, Vec::new());
    let mut put = |part: &str, length: &mut usize| {
        text.push_str(part);
        *length += part.chars().count();
    };
    let between = |from: usize, to: usize| letters.get(from..to).unwrap_or_default().iter().collect::<String>();
    for span in example.spans() {
        put(&between(from, span.start), &mut length);
        let own = between(span.start, span.end);
        let other = names.get(span.kind.as_str()).and_then(|all| all.choose(rng)).copied();
        let name = other.filter(|_| rng.random_bool(SWAPPED)).unwrap_or(&own);
        let start = length;
        put(name, &mut length);
        spans.push(Span { start, end: length, kind: span.kind.clone() });
        from = span.end;
    }
    put(&between(from, letters.len()), &mut length);
    (text, spans)
}

/// The literals of a query that its question names once, each with the column that it is compared with.
fn shared(text: &str, query: &str) -> Vec<(String, Value)> {
    let mut found: Vec<(String, Value)> = literals(query).into_iter().filter(|(column, _)| !column.is_empty()).collect();
    found.dedup();
    let once = |value: &Value| {
        let said = said(value);
        // one letter or digit stands for too much to be found by its look
        said.chars().count() > 1 && places(text, &said).len() == 1
    };
    found.retain(|(_, value)| once(value));
    // one inside another would be replaced twice
    let all: Vec<String> = found.iter().map(|(_, value)| said(value)).collect();
    found.into_iter().enumerate().filter(|(i, _)| !all.iter().enumerate().any(|(j, other)| j != *i && other.contains(&all[*i]))).map(|(_, pair)| pair).collect()
}

/// A value as a question names it.
fn said(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Integer(i) => i.to_string(),
        Value::Real(r) => r.to_string(),
        Value::Null | Value::Blob(_) => String::new(),
    }
}

/// A value as a query writes it.
fn quoted(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        other => said(other),
    }
}

/// Where a word stands in a text, not as part of a longer one.
fn places(text: &str, word: &str) -> Vec<usize> {
    let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let whole = |at: &usize| !inside(text[..*at].chars().next_back()) && !inside(text[*at + word.len()..].chars().next());
    text.match_indices(word).map(|(at, _)| at).filter(whole).collect()
}

/// A text with another word wherever one stands.
fn replaced(text: &str, word: &str, other: &str) -> String {
    let (mut out, mut from) = (String::new(), 0);
    for at in places(text, word) {
        out.push_str(&text[from..at]);
        out.push_str(other);
        from = at + word.len();
    }
    out + &text[from..]
}

/// The values of the columns of this name, whichever tables they are in.
fn column_values(database: &mut Sandbox, column: &str) -> Vec<Value> {
    let queries: Vec<String> = database
        .tables()
        .iter()
        .flat_map(|t| t.columns.iter().map(move |c| (t, c)))
        .filter(|(_, c)| c.name.eq_ignore_ascii_case(column))
        .map(|(t, c)| format!("SELECT DISTINCT {0} FROM {1} WHERE {0} IS NOT NULL ORDER BY 1 LIMIT 2000", name_quoted(&c.name), name_quoted(&t.name)))
        .collect();
    // a column that cannot be read gives no values
    queries.iter().filter_map(|q| database.run(q, false).ok()).flat_map(|found| found.rows.into_iter().flatten()).collect()
}

/// Another value of the column, of the same make: a text for a text; for a number one of the same size.
fn another(literal: &Value, all: &[Value], rng: &mut ChaCha8Rng) -> Option<Value> {
    match literal {
        Value::Text(own) => {
            // a pattern, or a part of a value such as a year, is no value of the column, and neither is its replacement
            if !all.contains(literal) {
                return None;
            }
            let fits = |v: &&Value| matches!(v, Value::Text(t) if t != own && !t.is_empty() && t.chars().count() <= VALUE && !t.contains(['\'', '"', '\n']));
            all.iter().filter(fits).collect::<Vec<_>>().choose(rng).map(|v| (*v).clone())
        }
        // thresholds are rarely values of the column; half to double keeps the question sensible, and its roundness
        Value::Integer(own) if *own > 1 => {
            let round = [1000, 100, 50, 10, 5].into_iter().find(|step| own % step == 0 && own > step).unwrap_or(1);
            let reach = (own / 2).max(round);
            let other = (own + rng.random_range(-reach..=2 * reach)) / round * round;
            (other > 1 && other != *own).then_some(Value::Integer(other))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::tests::shop;
    use data::example::Origin;

    fn example(text: &str, target: Target) -> Example {
        Example { text: text.into(), target, origin: Origin { file: std::sync::Arc::new("x.jsonl".into()), line: 1 } }
    }

    #[test]
    fn queries_and_questions_change_together_and_every_query_finds_something() {
        let (_dir, mut sandbox) = shop();
        let cities: Vec<String> = column_values(&mut sandbox, "citta").iter().map(said).collect();
        let own = cities.first().expect("a city").clone();
        let query = |city: &str| format!("SELECT nome FROM clienti WHERE citta = '{}'", city.replace('\'', "''"));
        let rows = [
            example(&format!("Chi abita a {own}?"), Target::Sql(query(&own))),
            example("Quanti sono i clienti?", Target::Sql("SELECT COUNT(*) FROM clienti".into())),
        ];
        let grow = |sandbox: &mut Sandbox, copies: usize| queries(&rows, sandbox, copies, 1, &mut Steps::default()).expect("nobody ends it");
        let grown = grow(&mut sandbox, 3);
        assert!(!grown.is_empty() && grown.len() <= 3, "{grown:?}");
        for new in &grown {
            let Target::Sql(sql) = &new.target else { panic!("a query") };
            let city = cities.iter().find(|c| sql == &query(c)).unwrap_or_else(|| panic!("{sql} is about no city"));
            assert_ne!(city, &own);
            assert_eq!(new.text, format!("Chi abita a {city}?"));
            assert_eq!(sandbox.finds_something(sql), Ok(true));
        }
        assert_eq!(grown, grow(&mut sandbox, 3));
        assert!(grow(&mut sandbox, 0).is_empty());
        let mut told = Vec::new();
        let mut watch = |done: u64, total: Option<u64>| {
            told.push((done, total));
            false
        };
        assert!(queries(&rows, &mut sandbox, 3, 1, &mut Steps::new(2, &mut watch)).is_err_and(|e| matches!(e, data::Error::Ended)));
        assert_eq!(told, [(1, Some(2))]);
    }

    #[test]
    fn a_column_or_a_table_gives_way_where_question_and_query_both_name_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let script = dir.path().join("s.sql");
        std::fs::write(
            &script,
            "CREATE TABLE prodotti(id INTEGER PRIMARY KEY, nome TEXT, sigla TEXT, prezzo REAL, costo REAL); CREATE TABLE libri(nome TEXT, prezzo REAL);
             INSERT INTO prodotti VALUES (1, 'prezzo', 'a', 5.5, 3.5), (2, 'sedia', 'b', 9, 7); INSERT INTO libri VALUES ('atlante', 12.5);",
        )
        .expect("written");
        let facts = Facts::of(&[], &mut Sandbox::open(&[&script]).expect("a database"));
        let all = |text: &str, query: &str| (0..20).filter_map(|seed| exchanged(text, query, &facts, &mut stream(seed, 0))).collect::<BTreeSet<_>>();
        let pair = |text: &str, query: &str| (text.to_string(), query.to_string());
        assert_eq!(
            all("Prezzo dei prodotti cari", "SELECT prezzo FROM prodotti WHERE nome <> 'prezzo'"),
            BTreeSet::from([
                pair("costo dei prodotti cari", "SELECT costo FROM prodotti WHERE nome <> 'prezzo'"),
                pair("Prezzo dei libri cari", "SELECT prezzo FROM libri WHERE nome <> 'prezzo'"),
            ])
        );
        // the other table has no such column; the question names the column twice, or not at all
        assert_eq!(all("Costo dei prodotti", "SELECT costo FROM prodotti"), BTreeSet::from([pair("prezzo dei prodotti", "SELECT prezzo FROM prodotti")]));
        assert!(all("Costo sopra il costo medio", "SELECT costo FROM prodotti WHERE costo > (SELECT AVG(costo) FROM prodotti)").is_empty());
        assert!(all("Chi ha nome sedia?", "SELECT nome FROM prodotti WHERE nome = 'sedia'").is_empty());
        assert!(all("Quanto costa?", "SELECT costo FROM prodotti").is_empty());
    }

    #[test]
    fn only_whole_words_that_stand_once_are_values() {
        let found = |text: &str, query: &str| shared(text, query).into_iter().map(|(c, v)| (c, said(&v))).collect::<Vec<_>>();
        let city = vec![("citta".to_string(), "Roma".to_string())];
        assert_eq!(found("Chi è a Roma?", "SELECT 1 FROM t WHERE t.citta = 'Roma'"), city);
        assert_eq!(found("Chi è a Romano?", "SELECT 1 FROM t WHERE citta = 'Roma'"), []);
        assert_eq!(found("Roma o Roma?", "SELECT 1 FROM t WHERE citta = 'Roma'"), []);
        assert_eq!(found("Oltre 50 euro", "SELECT 1 FROM t WHERE prezzo > 50"), [("prezzo".to_string(), "50".to_string())]);
        assert_eq!(replaced("Roma, non Romano, Roma", "Roma", "Bari"), "Bari, non Romano, Bari");
    }

    #[test]
    fn numbers_stay_of_their_size_and_roundness() {
        let mut rng = stream(3, 0);
        for _ in 0..200 {
            match another(&Value::Integer(200), &[], &mut rng) {
                Some(Value::Integer(n)) => assert!((100..=400).contains(&n) && n != 200 && n % 100 == 0, "{n}"),
                None => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(another(&Value::Text("%a%".into()), &[Value::Text("b".into())], &mut rng), None);
    }

    #[test]
    fn names_change_within_their_type_and_spans_follow() {
        let span = |start, end, kind: &str| Span { start, end, kind: kind.into() };
        let rows = [
            example("È Anna a Città di Castello.", Target::Entities(vec![span(2, 6, "people"), span(9, 26, "places")])),
            example("Bruno parte.", Target::Entities(vec![span(0, 5, "people")])),
            example("Piove.", Target::Entities(vec![])),
        ];
        let entities = |copies: usize, seed: u64| entities(&rows, copies, seed, &mut Steps::default()).expect("nobody ends it");
        let grown = entities(6, 1);
        assert!(grown.len() >= 2, "{grown:?}");
        for new in &grown {
            for span in new.spans() {
                let name = span.of(&new.text).expect("inside");
                let own: &[&str] = if span.kind == "people" { &["Anna", "Bruno"] } else { &["Città di Castello"] };
                assert!(own.contains(&name), "{name} in {}", new.text);
            }
            assert!(new.text.ends_with('.') && !new.text.starts_with('P'));
        }
        assert_eq!(grown, entities(6, 1));
        assert!((2..9).any(|seed| entities(1, seed) != entities(1, 1)));
    }

    #[test]
    fn hashtags_come_in_other_orders() {
        let rows = [example("Un post", Target::Tags(["#a", "#b", "#c"].map(String::from).to_vec())), example("Uno", Target::Tags(vec!["#solo".into()]))];
        let shuffled = || hashtags(&rows, 9, 1, &mut Steps::default()).expect("nobody ends it");
        let grown = shuffled();
        let orders: BTreeSet<Vec<String>> = grown.iter().map(|e| if let Target::Tags(t) = &e.target { t.clone() } else { vec![] }).collect();
        // one order is the row's own, and a list of one has no other
        assert!(orders.len() == grown.len() && (3..=5).contains(&grown.len()) && grown.iter().all(|e| e.text == "Un post"), "{grown:?}");
        assert!(orders.iter().all(|tags| tags.iter().collect::<BTreeSet<_>>().len() == 3));
        assert_eq!(grown, shuffled());
    }
}
