//! The shipped entities, SQL and hashtags data sets are what their cards say: the promised sizes, no
//! near-duplicates within or across splits, spans that lie where they say, queries that run.

use acceptance::near::assert_apart;
use acceptance::{real_weights, root};
use data::set::{DataSet, Source, Split};
use data::{Kind, Target};
use gemma::generate::{Allowed, Constraint, EOS};
use gemma::{Tokenizer, Weights};
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
        Split::ALL.map(|s| set.examples(s).len())
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
    assert_apart(&set.into_values().flatten().map(|(place, row)| (place, row.text)).collect::<Vec<_>>(), 0.4);
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
}

#[test]
fn every_query_runs_and_finds_something() {
    let set = rows::<Pair>("sql-it");
    let database = rusqlite::Connection::open_in_memory().expect("SQLite");
    database.execute_batch("PRAGMA foreign_keys = ON").expect("SQLite");
    for file in ["schema.sql", "seed.sql"] {
        let text = std::fs::read_to_string(root().join("datasets/sql-it").join(file)).expect("shipped");
        database.execute_batch(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
    }
    for (place, row) in set.values().flatten() {
        let mut statement = database.prepare(&row.sql).unwrap_or_else(|e| panic!("{place}: {e}"));
        assert!(statement.readonly(), "{place}: writes");
        let columns = statement.column_count();
        let mut found = statement.query([]).unwrap_or_else(|e| panic!("{place}: {e}"));
        let mut values = 0;
        while let Some(row) = found.next().unwrap_or_else(|e| panic!("{place}: {e}")) {
            values += (0..columns).filter(|&i| !matches!(row.get_ref(i), Ok(rusqlite::types::ValueRef::Null) | Err(_))).count();
        }
        assert!(values > 0, "{place}: finds nothing");
    }
}

/// With the tokens of the real model: a grammar that one of them cannot cross would keep the model from the right answer.
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
    let mut beyond = Vec::new();
    // those that no run learns from, and that are written in more ways
    for (place, row) in &set[&Split::Test] {
        let rows = vocabulary.rows(std::slice::from_ref(&grammar)).expect("a grammar");
        let constraint = Scoped::new(rows, &vocabulary, &scope, Some(&database));
        let mut tokens = tokenizer.encode(&format!(" {}", row.sql)).expect("tokens");
        tokens.push(EOS);
        let refused = (0..tokens.len()).find(|&n| match constraint.next(0, &tokens[..n]) {
            Allowed::Only(allowed) => !allowed.contains(&tokens[n]),
            Allowed::Any => false,
        });
        if let Some(n) = refused {
            beyond.push(format!("{place}: {:?} cannot follow {}", tokenizer.decode(&tokens[n..=n]), tokenizer.decode(&tokens[..n]).expect("text")));
        }
    }
    // no training row gives a name by AS, and five test rows do where another query would find the same
    let named = |place: &String| place.ends_with(" AS");
    assert!(beyond.len() <= 5 && beyond.iter().all(named), "{}", beyond.join("\n"));
}

#[test]
fn questions_have_the_promised_size_and_no_query_is_in_two_splits() {
    let set = rows::<Pair>("sql-it");
    let [train, validation, test] = sizes(&set);
    assert_eq!((train, validation), (128, 51));
    assert!(test >= 60);
    let mut seen: BTreeMap<String, Split> = BTreeMap::new();
    for (split, pairs) in &set {
        for (place, pair) in pairs {
            let query = pair.sql.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
            let other = seen.insert(query, *split);
            assert!(other.is_none_or(|o| o == *split), "{place}: its query is also in {other:?}");
        }
    }
    assert_apart(&set.into_values().flatten().map(|(place, row)| (place, row.question)).collect::<Vec<_>>(), 0.5);
}
