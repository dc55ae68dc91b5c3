//! The shipped entities, SQL and hashtags data sets are what their cards say: the promised sizes, no
//! near-duplicates within or across splits, spans that lie where they say, queries that run.

use acceptance::near::{assert_apart, grams, jaccard};
use acceptance::{real_weights, root};
use data::check::{self, Severity};
use data::set::{DataSet, Source, Split};
use data::{Kind, Target};
use gemma::generate::{Allowed, Constraint, EOS};
use gemma::{Tokenizer, Weights};
use rusqlite::types::Value;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use tasks::grammar::Vocabulary;
use tasks::sandbox::Sandbox;
use tasks::scope::{Scope, Scoped};

/// The rows of a set by split, each with its file and line.
fn rows<T: DeserializeOwned>(set: &str) -> BTreeMap<Split, Vec<(String, T)>> {
    let read = |split: Split| {
        let file = format!("datasets/{set}/{}.jsonl", split.name());
        let text = std::fs::read_to_string(root().join(&file)).expect("a shipped data set");
        let row = |(i, line): (usize, &str)| {
            let place = format!("{file}:{}", i + 1);
            let row = serde_json::from_str(line).unwrap_or_else(|e| panic!("{place}: {e}"));
            (place, row)
        };
        (split, text.lines().enumerate().map(row).collect())
    };
    Split::ALL.into_iter().map(read).collect()
}

#[test]
fn every_shipped_set_opens_by_its_card() {
    let sizes = [("intents-it", Kind::Intent), ("entities-it", Kind::Entities), ("sql-it", Kind::Sql), ("hashtags-it", Kind::Hashtags)].map(|(name, kind)| {
        let set = DataSet::open(&Source { folder: Some(root().join("datasets").join(name)), ..Source::default() }).expect("a shipped set opens");
        assert_eq!((set.kind, set.card.name.as_str()), (kind, name));
        let all = || Split::ALL.into_iter().flat_map(|s| set.examples(s));
        let sound = |target: &Target, text: &str| match target {
            Target::Label(label) => kind == Kind::Intent && !label.is_empty(),
            Target::Entities(spans) => kind == Kind::Entities && spans.iter().all(|s| s.of(text).is_some()),
            Target::Sql(sql) => kind == Kind::Sql && sql.starts_with("SELECT") || sql.starts_with("WITH"),
            Target::Tags(tags) => kind == Kind::Hashtags && tags.len() >= 3,
            Target::Completion(_) => false,
        };
        assert!(all().all(|e| !e.text.is_empty() && sound(&e.target, &e.text)), "{name}");
        assert!([&set.schema, &set.seed].into_iter().all(|p| p.as_ref().is_some_and(|p| p.is_file()) == (kind == Kind::Sql)), "{name}");
        let sizes = Split::ALL.map(|s| set.examples(s).len());
        let counts = Split::ALL.map(|s| set.card.counts.get(s.name()).and_then(|n| n.as_integer()));
        assert_eq!(counts, sizes.map(|n| i64::try_from(n).ok()), "{name}: its card says what is there");
        let card = std::fs::read_to_string(root().join("datasets").join(name).join("dataset.toml")).expect("a card");
        for key in ["title", "license", "language", "description", "how_it_was_made"] {
            assert!(card.lines().any(|line| line.starts_with(&format!("{key} = \""))), "{name}: its card says nothing of {key}");
        }
        // what is shipped passes the check that everybody's data has to pass
        let found = check::findings(&set, None).expect("checked");
        assert!(found.iter().all(|f| f.severity == Severity::Warning), "{name}: {found:?}");
        let repeated = ["duplicate", "near_duplicate", "leakage", "near_leakage", "contradiction"];
        assert!(!found.iter().any(|f| repeated.contains(&f.kind)), "{name}: {found:?}");
        sizes
    });
    assert_eq!(sizes, [[120, 24, 156], [560, 60, 70], [128, 51, 66], [150, 50, 60]]);
}

fn sizes<T>(rows: &BTreeMap<Split, Vec<T>>) -> [usize; 3] {
    Split::ALL.map(|s| rows[&s].len())
}

#[derive(Deserialize)]
struct Sentence {
    text: String,
    entities: Vec<Span>,
}

#[derive(Deserialize)]
struct Span {
    start: usize,
    end: usize,
    r#type: String,
}

#[test]
fn entities_lie_in_their_sentences() {
    let set = rows::<Sentence>("entities-it");
    let mut types: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, row) in set.values().flatten() {
        let chars: Vec<char> = row.text.chars().collect();
        let mut end = 0;
        for e in &row.entities {
            assert!(end <= e.start && e.start < e.end && e.end <= chars.len(), "{place}: {}-{} overlaps or lies outside", e.start, e.end);
            let letter = |i: usize| chars[i].is_alphanumeric();
            assert!(!chars[e.start].is_whitespace() && !chars[e.end - 1].is_whitespace(), "{place}: {}-{} begins or ends with a space", e.start, e.end);
            let cuts = |i: usize| i > 0 && i < chars.len() && letter(i - 1) && letter(i);
            assert!(!cuts(e.start) && !cuts(e.end), "{place}: {}-{} cuts a word", e.start, e.end);
            *types.entry(&e.r#type).or_default() += 1;
            end = e.end;
        }
    }
    assert_eq!(types.keys().copied().collect::<Vec<_>>(), ["dates", "people", "places"]);
    assert!(types.values().all(|&n| n >= 200), "{types:?}");
    let bare = set.values().flatten().filter(|(_, r)| r.entities.is_empty()).count();
    assert!(bare >= 40, "only {bare} sentences without an entity");
}

#[test]
fn entities_have_the_promised_size_and_no_near_duplicates() {
    let set = rows::<Sentence>("entities-it");
    assert_eq!(sizes(&set), [560, 60, 70]);
    assert_apart(&set.into_values().flatten().map(|(place, row)| (place, row.text)).collect::<Vec<_>>(), 0.3);
}

#[derive(Deserialize)]
struct Post {
    text: String,
    hashtags: Vec<String>,
}

#[test]
fn hashtags_are_well_formed_and_posts_are_apart() {
    let set = rows::<Post>("hashtags-it");
    assert_eq!(sizes(&set), [150, 50, 60]);
    for (place, row) in set.values().flatten() {
        assert!((3..=7).contains(&row.hashtags.len()), "{place}: {} hashtags", row.hashtags.len());
        assert_eq!(row.hashtags.iter().collect::<BTreeSet<_>>().len(), row.hashtags.len(), "{place}: a hashtag twice");
        let sound =
            |tag: &str| tag.strip_prefix('#').is_some_and(|t| !t.is_empty() && t.chars().all(|c| c == '_' || (c.is_alphanumeric() && !c.is_uppercase())));
        assert!(row.hashtags.iter().all(|t| sound(t)), "{place}: {:?}", row.hashtags);
        assert!(!row.text.contains('#'), "{place}: the answer stands in the text");
    }
    assert_apart(&set.into_values().flatten().map(|(place, row)| (place, row.text)).collect::<Vec<_>>(), 0.4);
}

#[derive(Deserialize)]
struct Pair {
    question: String,
    sql: String,
    /// Main difficulty of a test query.
    kind: Option<String>,
}

/// The database of sql-it, as it is shipped.
fn business() -> rusqlite::Connection {
    let database = rusqlite::Connection::open_in_memory().expect("SQLite");
    database.execute_batch("PRAGMA foreign_keys = ON").expect("SQLite");
    for file in ["schema.sql", "seed.sql"] {
        let text = std::fs::read_to_string(root().join("datasets/sql-it").join(file)).expect("shipped");
        database.execute_batch(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
    }
    database
}

type Found = Vec<Vec<Value>>;

/// What a query finds; in the order of the query where it asks for one, else in an order of their own. Sums are rounded,
/// because their last digits depend on the order in which SQLite adds.
fn found(database: &rusqlite::Connection, sql: &str) -> rusqlite::Result<Found> {
    let mut statement = database.prepare(sql)?;
    assert!(statement.readonly(), "{sql}: writes");
    let columns = statement.column_count();
    let rounded = |value: Value| match value {
        Value::Real(x) => Value::Real(format!("{x:.8e}").parse().unwrap_or(x)),
        other => other,
    };
    let row = |row: &rusqlite::Row<'_>| (0..columns).map(|i| row.get(i).map(rounded)).collect();
    let mut rows = statement.query_map([], row)?.collect::<rusqlite::Result<Found>>()?;
    if !sql.to_uppercase().contains("ORDER BY") {
        rows.sort_by_cached_key(|row| format!("{row:?}"));
    }
    Ok(rows)
}

#[test]
fn every_query_runs_and_finds_something() {
    let database = business();
    let broken: i64 = database.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |r| r.get(0)).expect("SQLite");
    assert_eq!(broken, 0, "rows that refer to none");
    let nothing = |v: &Value| matches!(v, Value::Null | Value::Integer(0)) || matches!(v, Value::Real(r) if *r == 0.0);
    for (place, row) in rows::<Pair>("sql-it").values().flatten() {
        let straight = found(&database, &row.sql).unwrap_or_else(|e| panic!("{place}: {e}"));
        assert!(straight.iter().flatten().any(|v| *v != Value::Null), "{place}: finds nothing");
        assert!(straight.len() > 1 || !straight.iter().flatten().all(nothing), "{place}: a single 0 is what many wrong queries find");
        // whatever the query leaves open shows when SQLite walks its tables from the end
        database.pragma_update(None, "reverse_unordered_selects", true).expect("SQLite");
        assert_eq!(found(&database, &row.sql).as_ref(), Ok(&straight), "{place}: depends on the order of the rows");
        database.pragma_update(None, "reverse_unordered_selects", false).expect("SQLite");
    }
}

/// A query with one thing in it turned into another that a model might have written instead.
fn wrong(sql: &str) -> Vec<String> {
    const SWAPS: [(&str, &str); 17] = [
        (" AND ", " OR "),
        (" DESC", " ASC"),
        (" = ", " <> "),
        (" > ", " < "),
        (" < ", " > "),
        (" >= ", " < "),
        (" <= ", " > "),
        ("LEFT JOIN", "JOIN"),
        ("DISTINCT ", ""),
        ("SUM(", "AVG("),
        ("AVG(", "SUM("),
        ("MAX(", "MIN("),
        ("MIN(", "MAX("),
        (" IS NULL", " IS NOT NULL"),
        (" IS NOT NULL", " IS NULL"),
        (" NOT IN ", " IN "),
        (" NOT EXISTS", " EXISTS"),
    ];
    SWAPS.iter().filter(|(is, _)| sql.contains(is)).map(|(is, put)| sql.replacen(is, put, 1)).collect()
}

#[test]
fn wrong_queries_give_wrong_results() {
    let database = business();
    let (mut all, mut unseen) = (0, Vec::new());
    for (place, row) in rows::<Pair>("sql-it").values().flatten() {
        let right = found(&database, &row.sql).expect("runs");
        for query in wrong(&row.sql) {
            // one that SQLite refuses is seen to be wrong in any case
            let Ok(result) = found(&database, &query) else { continue };
            all += 1;
            if result == right {
                unseen.push(format!("{place}: {query}"));
            }
        }
    }
    // two conditions of which each alone finds the same, and the like
    assert!(all > 400 && unseen.len() * 20 < all, "{} of {all} wrong queries find what the right ones do:\n{}", unseen.len(), unseen.join("\n"));
}

/// With the tokens of the real model: a grammar that one of them cannot cross would keep the model from the right answer. The grammar is
/// held to what may decide about it, the training and validation queries. Of the test queries only the share that can be written is known
/// here, and not which cannot: who would widen the grammar for them would choose on the test set.
#[test]
fn every_query_can_be_written_under_constraint() {
    let Some(weights) = real_weights() else { return };
    let tokenizer = Tokenizer::open(&Weights::open(&weights).expect("weights")).expect("a tokenizer");
    let vocabulary = Vocabulary::new(&tokenizer.pieces(), EOS).expect("a vocabulary");
    let files = ["schema.sql", "seed.sql"].map(|f| root().join("datasets/sql-it").join(f));
    let database = Sandbox::open(&files.each_ref().map(|f| f.as_path())).expect("a database");
    let set = rows::<Pair>("sql-it");
    // what a training run knows of the names that AS gives
    let names: BTreeSet<String> = set[&Split::Train].iter().flat_map(|(_, row)| tasks::score::sql::aliases(&row.sql)).collect();
    let names: Vec<String> = names.into_iter().collect();
    let scope = Scope::new(database.tables(), &names);
    let grammar = tasks::grammar::sql(database.tables(), &names);
    let database = RefCell::new(database);
    // where a query cannot be gone on with as it is, if anywhere
    let refused = |place: &str, row: &Pair| {
        let rows = vocabulary.rows(std::slice::from_ref(&grammar)).expect("a grammar");
        let constraint = Scoped::new(rows, &vocabulary, &scope, Some(&database));
        let mut tokens = tokenizer.encode(&format!(" {}", row.sql)).expect("tokens");
        tokens.push(EOS);
        let at = (0..tokens.len()).find(|&n| match constraint.next(0, &tokens[..n]) {
            Allowed::Only(allowed) => !allowed.contains(&tokens[n]),
            Allowed::Any => false,
        })?;
        Some(format!("{place}: {:?} cannot follow {}", tokenizer.decode(&tokens[at..=at]), tokenizer.decode(&tokens[..at]).expect("text")))
    };
    let chosen = [Split::Train, Split::Validation].into_iter().flat_map(|split| &set[&split]);
    let beyond: Vec<String> = chosen.filter_map(|(place, row)| refused(place, row)).collect();
    assert!(beyond.is_empty(), "{}", beyond.join("\n"));
    let test = &set[&Split::Test];
    let written = test.iter().filter(|(place, row)| refused(place, row).is_none()).count();
    assert!(written * 10 >= test.len() * 9, "{written} of {} test queries can be written", test.len());
}

/// A query without its values: another value makes no other query.
fn bare(sql: &str) -> String {
    let mut out = String::new();
    // every other part stands between quotation marks; a doubled one is a mark within a text, which leaves an empty part
    for (i, part) in sql.split('\'').enumerate() {
        if i % 2 == 1 {
            out.push('?');
            continue;
        }
        let mut word = false;
        for c in part.chars() {
            let number = c.is_ascii_digit() && !word;
            if !number {
                out.extend(c.to_lowercase());
            } else if !out.ends_with('#') {
                out.push('#');
            }
            word = c.is_alphabetic() || c == '_' || (word && c.is_alphanumeric());
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn questions_have_the_promised_size_and_no_query_is_in_two_splits() {
    let set = rows::<Pair>("sql-it");
    let [train, validation, test] = sizes(&set);
    assert_eq!((train, validation), (128, 51));
    assert!(test >= 60);
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    set[&Split::Test].iter().for_each(|(_, pair)| *kinds.entry(pair.kind.as_deref().unwrap_or_default()).or_default() += 1);
    assert_eq!(kinds.keys().copied().collect::<Vec<_>>(), ["date", "filter", "group", "having", "join", "null", "order", "subquery"]);
    assert!(kinds.values().all(|n| *n >= 6), "{kinds:?}");
    let pairs: Vec<(Split, &str, &str)> =
        set.iter().flat_map(|(split, pairs)| pairs.iter().map(|(place, p)| (*split, place.as_str(), p.sql.as_str()))).collect();
    let prepared: Vec<_> = pairs.iter().map(|(_, _, sql)| (bare(sql), grams(sql))).collect();
    for (i, (query, ours)) in prepared.iter().enumerate() {
        for (j, (other, theirs)) in prepared.iter().enumerate().take(i).filter(|(j, _)| pairs[*j].0 != pairs[i].0) {
            let rows = format!("{} and {}", pairs[i].1, pairs[j].1);
            assert_ne!(query, other, "{rows}: the same query but for its values");
            assert!(jaccard(ours, theirs) < 0.8, "{rows}: queries nearly the same");
        }
    }
    assert_apart(&set.into_values().flatten().map(|(place, row)| (place, row.question)).collect::<Vec<_>>(), 0.5);
}
