use super::*;
use crate::Kind;
use crate::set::Source;
use std::collections::BTreeSet;
use std::time::Duration;

/// What is found in a folder of these files.
fn check(kind: Kind, files: &[(&str, &str)]) -> Vec<Finding> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("writable");
    }
    let set = DataSet::open(&Source { kind: Some(kind), folder: Some(dir.path().into()), ..Source::default() }).expect("well-formed");
    judged(super::findings(&set, None).expect("the database opens"))
}

/// Every kind of finding, with how it begins to say what fixing it would do; some say one of several things.
const FIXES: [(&str, &str); 45] = [
    ("ambiguous_entity", "Without "),
    ("answer_in_text", "The model must then find the tags"),
    ("contradiction", "One answer for each text ("),
    ("control_characters", "Exporting the rows again"),
    ("damaged_text", "The words become the ones"),
    ("duplicate", "Deleting all but the first of each leaves "),
    ("empty_completion", "Deleting "),
    ("empty_label", "Deleting "),
    ("empty_query", "Deleting "),
    ("empty_text", "Deleting "),
    ("extreme_length", "Splitting or deleting makes "),
    ("few_examples", "2 more would make 3"),
    ("few_examples", "One more would make 3"),
    ("few_examples", "40 rows then teach"),
    ("guessed_encoding", "Every program then reads the same letters"),
    ("leakage", "Deleting them from training leaves "),
    ("missing_entity", "Without "),
    ("near_contradiction", "If a label is wrong, correcting it removes "),
    ("near_duplicate", "Keeping one of each leaves "),
    ("near_leakage", "Moving them to one side leaves "),
    ("no_rows", "There is then something to learn from"),
    ("no_tags", "Deleting "),
    ("no_words", "Deleting "),
    ("odd_tags", "The model then learns, and is asked, only for tags"),
    ("other_language", "Training then spends nothing on "),
    ("repeated_tags", "The model then learns to say each hashtag once"),
    ("single_label", "With a second label there is something"),
    ("span_edges", "Whole words are what a model can find again"),
    ("span_mismatch", "Without "),
    ("span_outside", "The right offsets make "),
    ("span_overlap", "Each word then has one type"),
    ("spelling", "Respelling "),
    ("sql_empty", "Only a query that finds something shows "),
    ("sql_endless", "Every query then ends"),
    ("sql_fails", "Every answer can then be compared"),
    ("sql_syntax", "The model learns only queries that could run"),
    ("sql_unrun", "Every query is then known to run"),
    ("sql_unscored", "Every answer can then be compared"),
    ("sql_writes", "Every answer can then be run and scored"),
    ("suspicious_label", "Each wrong label that is corrected is one row less"),
    ("too_long", "Every answer is learnt whole"),
    ("too_long", "With --set max_tokens="),
    ("unknown_label", "The result then counts only "),
    ("unknown_type", "The result then counts only "),
    ("unreadable_row", "Without "),
];

/// Findings that say what they are and what fixing them would do.
fn judged(found: Vec<Finding>) -> Vec<Finding> {
    for f in &found {
        let sentence = |text: &str| text.split_whitespace().count() > 3;
        assert!(sentence(&f.message) && sentence(&f.fix) && f.fix.ends_with('.'), "{f:?}");
        assert!(FIXES.iter().any(|(kind, begin)| *kind == f.kind && f.fix.starts_with(begin)), "{}: {}", f.kind, f.fix);
        assert!(f.told.english != f.told.italian, "{}", f.kind);
    }
    found
}

/// None can be added without a test that provokes it: kinds are the only words with `_` that these sources quote.
#[test]
fn every_kind_of_finding_is_in_the_table() {
    let sources = [
        include_str!("labels.rs"),
        include_str!("language.rs"),
        include_str!("mod.rs"),
        include_str!("queries.rs"),
        include_str!("repeats.rs"),
        include_str!("rows.rs"),
        include_str!("skipped.rs"),
        include_str!("spans.rs"),
        include_str!("tags.rs"),
    ];
    let quoted = sources.iter().flat_map(|source| source.split('"'));
    let kinds: BTreeSet<&str> =
        quoted.filter(|q| q.contains('_') && q.split('_').all(|w| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase()))).collect();
    let known: BTreeSet<&str> = FIXES.iter().map(|(kind, _)| *kind).collect();
    assert!(kinds.len() > 30 && kinds.is_subset(&known), "{:?}", kinds.difference(&known).collect::<Vec<_>>());
}

#[test]
fn every_sentence_of_the_table_is_said() {
    let custom = |text: &str, answer: &str| serde_json::json!({"prompt": text, "completion": answer}).to_string() + "\n";
    let ask = |question: &str, sql: &str| serde_json::json!({"question": question, "sql": sql}).to_string() + "\n";
    let tagged = |text: &str, tags: &[&str]| serde_json::json!({"text": text, "hashtags": tags}).to_string() + "\n";
    let marked = |text: &str, spans: &[(usize, usize, &str)]| {
        let spans: Vec<_> = spans.iter().map(|(start, end, kind)| serde_json::json!({"start": start, "end": end, "type": kind})).collect();
        serde_json::json!({"text": text, "entities": spans}).to_string() + "\n"
    };
    let long = "Buongiorno, il pacco che aspettavo per lunedì risulta ancora fermo in magazzino";
    let near = [line(long, "a"), line(&long.replace("lunedì", "martedì"), "a"), line(&long.replace("pacco", "paco"), "b")].concat();
    let train = [
        line(" ", "a"),
        line("uno", "a"),
        line("Uno!", "a"),
        line("tre", ""),
        line("qua\u{7}ttro", "b"),
        line("perchÃ© no", "B"),
        line("!?", "b"),
        line("due", "c"),
        line("due", "b"),
        line("sette volte", "c"),
    ];
    let validation = [line("due", "b"), line("altro", "z"), line(&long.replace("fermo", "ferme"), "a")].concat();
    let mut found = findings(&(train.concat() + &near), &validation);
    found.extend(findings(&line("uno", "a"), &line("due", "a")));
    found.extend(check(Kind::Intent, &[("train.jsonl", &near)]));
    let rare: String = (0..40).map(|i| line(&format!("messaggio {i}"), &format!("etichetta {i}"))).collect();
    found.extend(check(Kind::Intent, &[("train.jsonl", &rare)]));
    let plain: String = (0..24).map(|i| line(&format!("Il pacco numero {i} non è ancora arrivato a casa mia"), ["a", "b"][i % 2])).collect();
    let foreign = line("Nobody has told me when the parcel which I ordered three weeks ago will finally be delivered to my house", "a");
    let card = ("dataset.toml", "language = \"it\"\n[files]\ntrain = \"train.jsonl\"\n");
    found.extend(check(Kind::Intent, &[card, ("train.jsonl", &[plain, foreign, line(&"parola ".repeat(200), "b")].concat())]));
    let entities = [
        marked("Il treno per Milano è in ritardo", &[(13, 19, "places")]),
        marked("Nessuno parte da Roma stanotte", &[(17, 99, "places")]),
        marked("Un volo lascia Torino alle otto", &[(15, 21, "places"), (15, 21, "places")]),
        marked("Gli autobus di Bari sono vecchi", &[(14, 18, "places")]),
    ];
    let other = marked("Domani canta Mina all'arena", &[(13, 17, "people")]);
    let strange = check(Kind::Entities, &[("train.jsonl", &entities.concat()), ("validation.jsonl", &other)]);
    assert_eq!(rows(&strange, "unknown_type"), ["validation:1"]);
    found.extend(strange);
    let tags = [
        tagged("Il Torino vince il derby", &["#calcio serie a"]),
        tagged("Piove da tre giorni", &["#meteo", "Meteo"]),
        tagged("Che alba! #alba", &["#alba"]),
        tagged("Il museo riapre", &[]),
    ];
    found.extend(check(Kind::Hashtags, &[("train.jsonl", &tags.concat())]));
    found.extend(check(Kind::Custom, &[("train.jsonl", &[custom("uno", "x"), custom("due", " ")].concat())]));
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let queries = [
        ask("Quanti?", "SELECT cognome FROM t"),
        ask("Via tutti", "DROP TABLE t"),
        ask("Chi?", "SELECT a FROM t"),
        ask("Niente", ""),
        ask("Sempre", endless),
        ask("Come?", "SELEC a"),
    ]
    .concat();
    let card = ("dataset.toml", "task = \"sql\"\nschema = \"schema.sql\"\n[files]\ntrain = \"train.jsonl\"\n");
    found.extend(check(Kind::Sql, &[("train.jsonl", &queries)]));
    found.extend(check(Kind::Sql, &[card, ("schema.sql", "CREATE TABLE t (a);"), ("train.jsonl", &queries)]));
    let set = passing_over(Kind::Sql, "train.jsonl", &queries);
    found.extend(judged(
        queries::check(&all(&set), Some(&Database::from_scripts(&[]).expect("SQLite")), Duration::ZERO, &mut Steps::default()).expect("SQLite"),
    ));
    let mut why = |sql: &str| sql.starts_with("SELEC ").then(|| "no query".into());
    found.extend(judged(unscored(&set, Split::Train, &mut why, &mut Steps::default()).expect("nobody ends it").into_iter().collect()));
    let set = passing_over(Kind::Intent, "train.jsonl", [line("uno", "a"), line("due", "b")].concat());
    let suspect = Suspect { row: 1, label: "a".into(), own: 0.1, theirs: 0.9, witness: 0 };
    let suspicious = suspicious(&set, &[(Split::Train, 0), (Split::Train, 1)], &[suspect]);
    assert!(
        suspicious.as_ref().is_some_and(|f| rows(std::slice::from_ref(f), "suspicious_label") == ["train:2"] && f.message.contains("`b` and resembles `a`"))
    );
    found.extend(judged(suspicious.into_iter().collect()));
    let bytes = |e: &Example| Some(e.text.len());
    for context in [2, 8] {
        found
            .extend(judged(too_long(&set, &Limit { tokens: 2, context, count: &bytes }, &mut Steps::default()).expect("nobody ends it").into_iter().collect()));
    }
    let listed = |text: &str, entity: &str| format!("{{\"text\":\"{text}\",\"entities\":[{entity}]}}\n");
    let bad = [
        listed("a Roma", "{\"start\":0,\"end\":1,\"type\":\"p\",\"text\":\"Roma\"}"),
        listed("a Bari", "{\"text\":\"Roma\",\"type\":\"p\"}"),
        listed("da Bari a Bari", "{\"text\":\"Bari\",\"type\":\"p\"}"),
        "{\n".into(),
    ];
    let set = passing_over(Kind::Entities, "train.jsonl", bad.concat());
    found.extend(judged([skipped(&set, Severity::Error), super::findings(&set, None).expect("no database is needed")].concat()));
    let (windows, _, _) = encoding_rs::WINDOWS_1252.encode("text,label\nperché no,a\nè già così,b\n");
    found.extend(judged(super::findings(&passing_over(Kind::Intent, "train.csv", windows), None).expect("no database is needed")));
    let unsaid = |(kind, begin): &&(&str, &str)| !found.iter().any(|f| f.kind == *kind && f.fix.starts_with(begin));
    assert_eq!(FIXES.iter().filter(unsaid).collect::<Vec<_>>(), Vec::<&(&str, &str)>::new());
}

fn findings(train: &str, validation: &str) -> Vec<Finding> {
    check(Kind::Intent, &[("train.jsonl", train), ("validation.jsonl", validation)])
}

fn line(text: &str, label: &str) -> String {
    serde_json::json!({"text": text, "label": label}).to_string() + "\n"
}

/// The rows of a kind of finding, as `file:line`.
fn rows(found: &[Finding], kind: &str) -> Vec<String> {
    let f = found.iter().find(|f| f.kind == kind).unwrap_or_else(|| panic!("{kind} not found in {found:?}"));
    assert_eq!(f.rows.len(), f.places.len());
    f.rows.iter().map(|r| r.rsplit(['/', '\\']).next().unwrap_or_default().replace(".jsonl", "")).collect()
}

#[test]
fn sound_data_has_no_finding() {
    let rows: String = ["a", "b"].iter().flat_map(|l| (0..3).map(move |i| line(&format!("testo {l}{i}"), l))).collect();
    assert_eq!(findings(&rows, &line("altro", "a")), []);
}

#[test]
fn every_kind_is_found_and_names_its_rows() {
    let train = [
        line("uno", "a"),
        line("Uno!", "a"),
        line("due", "a"),
        line("due", "b"),
        line(" ", "a"),
        line("tre", ""),
        line("qua\u{7}ttro", "b"),
        line("cinque", "b"),
        line("perchÃ© no", "B "),
        line("!?", "b"),
    ]
    .concat();
    let validation = [line("cinque", "b"), line("sei", "zzz")].concat();
    let found = findings(&train, &validation);
    let rows = |kind| rows(&found, kind);
    assert_eq!(rows("empty_text"), ["train:5"]);
    assert_eq!(rows("empty_label"), ["train:6"]);
    assert_eq!(rows("control_characters"), ["train:7"]);
    assert_eq!(rows("damaged_text"), ["train:9"]);
    assert_eq!(rows("no_words"), ["train:10"]);
    assert_eq!(rows("duplicate"), ["train:1", "train:2"]);
    assert_eq!(rows("contradiction"), ["train:3", "train:4"]);
    assert_eq!(rows("leakage"), ["train:8", "validation:1"]);
    assert_eq!(rows("unknown_label"), ["validation:2"]);
    assert_eq!(rows("spelling"), ["train:9"]);
    assert_eq!(rows("few_examples"), ["train:6"]);
    assert!(found.is_sorted_by_key(|f| f.severity));
    assert_eq!(findings(&line("uno", "a"), &line("due", "a"))[0].kind, "single_label");
    // a text that the test shares with training has leaked, whatever the two say of it
    let both = findings(&[line("uno", "a"), line("due", "b")].concat(), &line("Due", "a"));
    for kind in ["contradiction", "leakage"] {
        assert_eq!(self::rows(&both, kind), ["train:2", "validation:1"]);
    }
}

#[test]
fn answers_are_looked_at_too() {
    let train = [line("uno e due", "ci\u{7}ao"), line("tre e quattro", "perchÃ©"), line("cinque", "x"), line("sei", "x"), line("sette", "x")].concat();
    let found = check(Kind::Intent, &[("train.jsonl", &train)]);
    assert_eq!(rows(&found, "control_characters"), ["train:1"]);
    assert_eq!(rows(&found, "damaged_text"), ["train:2"]);
}

#[test]
fn a_part_of_which_every_row_was_passed_over_is_no_part() {
    let set = passing_over(Kind::Intent, "train.csv", "text,label\na\nb\n");
    let found = super::findings(&set, None).expect("no database is needed");
    let empty = found.iter().find(|f| f.kind == "no_rows").unwrap_or_else(|| panic!("{found:?}"));
    assert!(
        empty.severity == Severity::Error
            && empty.message.contains("none of the rows of ")
            && empty.message.contains("train.csv:2: has 1 column where the header has 2"),
        "{empty:?}"
    );
}

/// Opens a file of rows that may be bad, passing over them.
fn passing_over(kind: Kind, name: &str, bytes: impl AsRef<[u8]>) -> DataSet {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let train = dir.path().join(name);
    std::fs::write(&train, bytes).expect("writable");
    DataSet::open(&Source { kind: Some(kind), train: Some(train), skip_bad_rows: true, ..Source::default() }).expect("passed over")
}

#[test]
fn every_row_that_cannot_be_read_is_named() {
    let row = |text: &str, entity: &str| format!("{{\"text\":\"{text}\",\"entities\":[{entity}]}}\n");
    let sound = |i: usize| row(&format!("Il treno {i} per Roma"), "");
    let (mut rows, mut mismatched) = (String::new(), Vec::new());
    for i in 0..140 {
        // more than are listed with what is wrong with each
        if i % 7 < 6 {
            mismatched.push(format!("train:{}", i + 1));
            rows += &row("Anna va a Roma", "{\"start\":9,\"end\":13,\"type\":\"places\",\"text\":\"Roma\"}");
        } else {
            rows += &sound(i);
        }
    }
    rows += &row("Un volo per Bari", "{\"text\":\"Napoli\",\"type\":\"places\"}");
    rows += &row("Da Bari a Bari", "{\"text\":\"Bari\",\"type\":\"places\"}");
    rows += "{\"text\":\"è\",\"entities\": }\n";
    let set = passing_over(Kind::Entities, "train.jsonl", &rows);
    let found = skipped(&set, Severity::Error);
    let named = |f: &Finding| f.rows.iter().map(|r| r.rsplit(['/', '\\']).next().unwrap_or_default().replace(".jsonl", "")).collect::<Vec<_>>();
    let told: Vec<(&str, Vec<String>)> = found.iter().map(|f| (f.kind, named(f))).collect();
    let one = |row: &str| vec![row.to_string()];
    assert_eq!(
        told,
        [
            ("unreadable_row", one("train:143:25")),
            ("span_mismatch", mismatched.clone()),
            ("missing_entity", one("train:141")),
            ("ambiguous_entity", one("train:142")),
        ]
    );
    assert!(mismatched.len() == 120 && found.iter().all(|f| f.severity == Severity::Error && f.places.is_empty()), "{found:?}");
    let expected = "120 rows list an entity with other words than stand at its place (the first: ";
    assert!(found[1].message.starts_with(expected) && found[1].message.contains("train.jsonl:1: `entities` has `Roma` (places) at 9 to 13"), "{found:?}");
    assert!(found[0].fix.starts_with("Without it 20 rows remain; corrected, it teaches"), "{found:?}");
    assert!(skipped(&set, Severity::Warning).iter().all(|f| f.severity == Severity::Warning));
    assert!(super::findings(&set, None).expect("no database is needed").iter().all(|f| f.severity == Severity::Warning), "who passes over them may train");
}

/// Once for a file, however many parts it holds; of UTF-16 nothing is to be said, for that shows.
#[test]
fn an_encoding_that_was_guessed_is_told() {
    let rows = |from: usize| (from..from + 10).map(|i| serde_json::json!({"text": format!("perché no {i}"), "label": (i % 2).to_string()})).collect::<Vec<_>>();
    let text = serde_json::json!({"train": rows(0), "test": rows(10)}).to_string();
    let told = |bytes: &[u8]| {
        let found = judged(super::findings(&passing_over(Kind::Intent, "all.json", bytes), None).expect("no database is needed"));
        found.into_iter().filter(|f| f.kind == "guessed_encoding").map(|f| f.message).collect::<Vec<_>>()
    };
    let (windows, _, _) = encoding_rs::WINDOWS_1252.encode(&text);
    let messages = told(&windows);
    assert!(messages.len() == 1 && messages[0].contains("all.json is not in UTF-8 and was read as windows-1252"), "{messages:?}");
    assert_eq!(told(text.as_bytes()), Vec::<String>::new());
    assert_eq!(told(&text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()), Vec::<String>::new());
}

#[test]
fn nearly_equal_rows_are_told_from_rows_with_another_label() {
    let text = "Buongiorno, il pacco che aspettavo per lunedì risulta ancora fermo in magazzino";
    let train = [
        line(text, "a"),
        line(&text.replace("lunedì", "martedì"), "a"),
        line(&text.replace("pacco", "paco"), "b"),
        line("La giacca blu è foderata oppure va bene soltanto per la primavera?", "b"),
    ]
    .concat();
    let validation = line("La giacca blu è foderata oppure va bene solo per la primavera?", "b");
    let found = findings(&train, &validation);
    assert_eq!(rows(&found, "near_duplicate"), ["train:1", "train:2"]);
    assert_eq!(rows(&found, "near_contradiction"), ["train:1", "train:3"]);
    assert_eq!(rows(&found, "near_leakage"), ["train:4", "validation:1"]);
    let leak = found.iter().find(|f| f.kind == "near_leakage").expect("found");
    assert_eq!(leak.places, [(Split::Train, 3), (Split::Validation, 0)].map(|(split, index)| Place { split, index, group: Some(0) }));
}

#[test]
fn a_text_with_two_right_answers_contradicts_itself_in_every_closed_task() {
    let ask = |sql: &str| serde_json::json!({"question": "Quanti clienti abbiamo?", "sql": sql}).to_string() + "\n";
    let found = check(Kind::Sql, &[("train.jsonl", &[ask("SELECT count(*) FROM clienti"), ask("SELECT count(*) FROM ordini")].concat())]);
    assert_eq!(rows(&found, "contradiction"), ["train:1", "train:2"]);
    let found = check(Kind::Sql, &[("train.jsonl", &[ask("SELECT count(*) FROM clienti"), ask(" SELECT  count(*)\nFROM clienti;")].concat())]);
    assert_eq!(rows(&found, "duplicate"), ["train:1", "train:2"]);
    assert!(found.iter().all(|f| f.kind != "contradiction"), "a query is the same however it is spaced: {found:?}");
    let marked = |text: &str, start: usize, kind: &str| {
        serde_json::json!({"text": text, "entities": [{"start": start, "end": start + 6, "type": kind}]}).to_string() + "\n"
    };
    let text = "Marino va da Torino a Milano";
    let of = |other: &str| check(Kind::Entities, &[("train.jsonl", &[marked(text, 0, "people"), other.into()].concat())]);
    for other in [marked(text, 0, "places"), marked(text, 13, "people")] {
        assert_eq!(rows(&of(&other), "contradiction"), ["train:1", "train:2"]);
    }
    let found = of(&marked(&format!("«{text}»"), 1, "people"));
    assert_eq!(rows(&found, "duplicate"), ["train:1", "train:2"]);
    assert!(found.iter().all(|f| f.kind != "contradiction"), "where an entity stands depends on the marks around it: {found:?}");
    // what has many right answers contradicts nothing
    let open = |answer: &str| serde_json::json!({"prompt": "Saluta", "completion": answer}).to_string() + "\n";
    let found = check(Kind::Custom, &[("train.jsonl", &[open("Ciao"), open("Salve")].concat())]);
    assert_eq!(rows(&found, "duplicate"), ["train:1", "train:2"]);
    let tagged = |tag: &str| serde_json::json!({"text": "Che alba", "hashtags": [tag]}).to_string() + "\n";
    let found = check(Kind::Hashtags, &[("train.jsonl", &[tagged("#mare"), tagged("#sole")].concat())]);
    assert_eq!(rows(&found, "duplicate"), ["train:1", "train:2"]);
}

#[test]
fn entities_must_lie_in_their_text() {
    let row = |text: &str, spans: &[(usize, usize)]| {
        let spans: Vec<_> = spans.iter().map(|(start, end)| serde_json::json!({"start": start, "end": end, "type": "places"})).collect();
        serde_json::json!({"text": text, "entities": spans}).to_string() + "\n"
    };
    let train = [
        row("Il treno per Milano è in ritardo", &[(13, 19)]),
        row("Nessuno parte da Roma stanotte", &[(17, 99)]),
        row("Un volo lascia Torino alle otto", &[(15, 21), (15, 21)]),
        row("Gli autobus di Bari sono vecchi", &[(14, 18)]),
    ]
    .concat();
    let found = check(Kind::Entities, &[("train.jsonl", &train)]);
    assert_eq!(rows(&found, "span_outside"), ["train:2"]);
    assert_eq!(rows(&found, "span_overlap"), ["train:3"]);
    assert_eq!(rows(&found, "span_edges"), ["train:4"]);
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn labels_that_hardly_occur_are_named_apart_only_if_they_are_few() {
    let few = |labels: usize| -> Vec<Finding> {
        let train: String = (0..labels).map(|i| line(&format!("messaggio {i}"), &format!("etichetta {i}"))).collect();
        check(Kind::Intent, &[("train.jsonl", &train)]).into_iter().filter(|f| f.kind == "few_examples").collect()
    };
    assert_eq!(few(20).len(), 20);
    let together = few(40);
    assert!(together.len() == 1 && together[0].rows.len() == 40, "{together:?}");
    let expected = "40 labels of 40 have fewer than 3 training examples each (`etichetta 0`, `etichetta 1`, `etichetta 10`, …); name another column";
    assert!(together[0].message.starts_with(expected), "{}", together[0].message);
}

#[test]
fn tags_must_be_tags() {
    let row = |text: &str, tags: &[&str]| serde_json::json!({"text": text, "hashtags": tags}).to_string() + "\n";
    let train = [
        row("La pasta al forno della domenica", &["#pasta", "#cucina"]),
        row("Il Torino vince il derby all'ultimo minuto", &["#calcio serie a", "#toro"]),
        row("Piove da tre giorni su tutta la costa", &["#meteo", "Meteo"]),
        row("Guardate che alba! #alba", &["#alba", "#mare"]),
        row("Il museo riapre dopo i restauri", &[]),
        row("Nel 2024 più turisti che mai", &["#2024", "#turismo"]),
    ]
    .concat();
    let found = check(Kind::Hashtags, &[("train.jsonl", &train)]);
    assert_eq!(rows(&found, "odd_tags"), ["train:2", "train:6"]);
    assert_eq!(rows(&found, "repeated_tags"), ["train:3"]);
    assert_eq!(rows(&found, "answer_in_text"), ["train:4"]);
    assert_eq!(rows(&found, "no_tags"), ["train:5"]);
    assert_eq!(found.len(), 4, "{found:?}");
}

#[test]
fn queries_must_run_and_find_something() {
    let row = |question: &str, sql: &str| serde_json::json!({"question": question, "sql": sql}).to_string() + "\n";
    let train = [
        row("Quanti clienti abbiamo?", "SELECT count(*) FROM clienti"),
        row("Che cognomi portano?", "SELECT cognome FROM clienti"),
        row("Cancella ogni traccia di loro", "DELETE FROM clienti"),
        row("Chi abita sulla luna?", "SELECT nome FROM clienti WHERE citta = 'Luna'"),
        row("Dammi i nomi in ordine alfabetico", "SELEC nome FROM clienti"),
    ]
    .concat();
    let found_with = |fills: &str| {
        let card = format!("task = \"sql\"\nschema = \"schema.sql\"\n{fills} = \"rows.sql\"\n[files]\ntrain = \"train.jsonl\"\n");
        let (schema, rows) = ("CREATE TABLE clienti (nome TEXT, citta TEXT);", "INSERT INTO clienti VALUES ('Ada', 'Roma');");
        check(Kind::Sql, &[("dataset.toml", &card), ("schema.sql", schema), ("rows.sql", rows), ("train.jsonl", &train)])
    };
    // what is named as the database may be a script, too
    for found in ["seed", "database"].map(found_with) {
        assert_eq!(rows(&found, "sql_fails"), ["train:2", "train:5"]);
        assert_eq!(rows(&found, "sql_writes"), ["train:3"]);
        assert_eq!(rows(&found, "sql_empty"), ["train:4"]);
        assert_eq!(found.len(), 3, "{found:?}");
    }
    let found = check(Kind::Sql, &[("train.jsonl", &train)]);
    assert_eq!(rows(&found, "sql_syntax"), ["train:5"]);
    assert_eq!(rows(&found, "sql_writes"), ["train:3"]);
}

#[test]
fn queries_that_do_not_end_or_have_no_time_left_are_named() {
    let row = |question: &str, sql: &str| serde_json::json!({"question": question, "sql": sql}).to_string() + "\n";
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let train = [row("Quanti numeri ci sono?", endless), row("Quanto fa uno?", "SELECT 1"), row("Quanto fa due?", "SELECT 2")].concat();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("train.jsonl"), train).expect("writable");
    std::fs::write(path("schema.sql"), "CREATE TABLE t (a);").expect("writable");
    let source = Source { kind: Some(Kind::Sql), train: Some(path("train.jsonl")), schema: Some(path("schema.sql")), ..Source::default() };
    let set = DataSet::open(&source).expect("well-formed");
    let database = database(&set).expect("opens").expect("a database");
    let within = |budget| queries::check(&all(&set), Some(&database), budget, &mut Steps::default()).expect("SQLite");
    assert_eq!(rows(&within(queries::BUDGET), "sql_endless"), ["train:1"]);
    let hurried = within(Duration::from_millis(200));
    assert_eq!(rows(&hurried, "sql_endless"), ["train:1"]);
    assert_eq!(rows(&hurried, "sql_unrun"), ["train:2", "train:3"]);
    let told = &hurried.iter().find(|f| f.kind == "sql_unrun").expect("found").message;
    assert!(told.starts_with("2 queries were not run, because those before took 0 seconds together"), "{told}");
    assert_eq!(rows(&within(Duration::ZERO), "sql_unrun").len(), 3);
}

#[test]
fn examples_beyond_the_limit_are_found() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("train.jsonl");
    std::fs::write(&path, [line("uno due tre", "a"), line("uno", "b")].concat()).expect("writable");
    let set = DataSet::open(&Source { kind: Some(Kind::Intent), train: Some(path), ..Source::default() }).expect("well-formed");
    let words = |e: &Example| Some(e.text.split(' ').count());
    let limit = |context| Limit { tokens: 2, context, count: &words };
    let found = super::findings(&set, Some(&limit(8))).expect("no database is needed");
    assert_eq!(rows(&found, "too_long"), ["train:1"]);
    let too_long = |limit: &Limit<'_>| too_long(&set, limit, &mut Steps::default()).expect("nobody ends it");
    let long = too_long(&limit(8)).expect("the same alone");
    assert!(found.contains(&long) && long.severity == Severity::Error);
    assert!(long.message.contains("the longest has 3") && long.message.contains("up to 8") && long.fix.contains("max_tokens=3"), "{long:?}");
    let long = too_long(&limit(2)).expect("found");
    assert!(!long.message.contains("raise") && !long.fix.contains("--set"), "nothing that does not help is proposed: {long:?}");
    assert_eq!(too_long(&Limit { tokens: 3, context: 8, count: &words }), None);
    let mut asked = 0;
    let mut watch = |done: u64, total: Option<u64>| {
        asked += 1;
        assert_eq!((done, total), (2, Some(2)));
        false
    };
    assert!(super::too_long(&set, &limit(8), &mut Steps::new(2, &mut watch)).is_err_and(|e| matches!(e, crate::Error::Ended)));
    assert_eq!(asked, 1);
}

/// What each kind of set is said to count is done in the end, whatever rows it skips; and a check ends where it is told to.
#[test]
fn a_check_tells_how_far_it_is_and_ends_where_it_is_told_to() {
    let row = |value: serde_json::Value| value.to_string() + "\n";
    let labels = [line("uno", "a"), line("UNO", "b"), line(" ", "a"), line("Buongiorno, dov'è il pacco che aspettavo?", "b"), line("😀", "a")].concat();
    let spans = row(serde_json::json!({"text": "Da Roma", "entities": [{"start": 3, "end": 7, "type": "p"}]}));
    let tags = row(serde_json::json!({"text": "Che alba", "hashtags": ["#alba"]}));
    let queries = [("Quanti?", "SELECT 1"), ("Niente", ""), ("Come?", "SELEC")].map(|(q, sql)| row(serde_json::json!({"question": q, "sql": sql}))).concat();
    let custom = row(serde_json::json!({"prompt": "uno", "completion": "x"}));
    for (kind, rows) in [(Kind::Intent, labels), (Kind::Entities, spans), (Kind::Hashtags, tags), (Kind::Sql, queries), (Kind::Custom, custom)] {
        let set = passing_over(kind, "train.jsonl", &rows);
        let (whole, mut told) = (work(&set), Vec::new());
        let mut watch = |done: u64, total: Option<u64>| {
            assert_eq!(total, Some(whole), "{kind}");
            told.push(done);
            true
        };
        let found = findings_with(&set, None, &mut Steps::new(whole, &mut watch)).expect("nobody ends it");
        assert_eq!(found, super::findings(&set, None).expect("nobody watches"), "{kind}");
        assert!(told.is_sorted() && told.last() == Some(&whole) && whole > 0, "{kind}: {told:?} of {whole}");
        // and no more than that
        let mut beyond = 0;
        let mut watch = |done: u64, _: Option<u64>| {
            beyond = done;
            true
        };
        findings_with(&set, None, &mut Steps::new(u64::MAX, &mut watch)).expect("nobody ends it");
        assert_eq!(beyond, whole, "{kind}");
        for last in [1, told.len() / 2, told.len()] {
            let mut asked = 0;
            let mut watch = |_: u64, _: Option<u64>| {
                asked += 1;
                asked < last
            };
            assert!(findings_with(&set, None, &mut Steps::new(whole, &mut watch)).is_err_and(|e| matches!(e, crate::Error::Ended)), "{kind}");
            assert_eq!(asked, last, "{kind}");
        }
    }
}
