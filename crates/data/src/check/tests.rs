use super::*;
use crate::Kind;
use crate::set::Source;
use std::time::Duration;

/// What is found in a folder of these files.
fn check(kind: Kind, files: &[(&str, &str)]) -> Vec<Finding> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("writable");
    }
    let set = DataSet::open(&Source { kind: Some(kind), folder: Some(dir.path().into()), ..Source::default() }).expect("well-formed");
    let found = super::findings(&set, None).expect("the database opens");
    for f in &found {
        let sentence = |text: &str| text.split_whitespace().count() > 3;
        assert!(sentence(&f.message) && sentence(&f.fix) && f.fix.ends_with('.'), "{}: every finding says what it is and what fixing it would do", f.kind);
    }
    found
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
    f.rows.iter().map(|r| r.rsplit('/').next().unwrap_or_default().replace(".jsonl", "")).collect()
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
fn passing_over(kind: Kind, name: &str, text: &str) -> DataSet {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let train = dir.path().join(name);
    std::fs::write(&train, text).expect("writable");
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
    let named = |f: &Finding| f.rows.iter().map(|r| r.rsplit('/').next().unwrap_or_default().replace(".jsonl", "")).collect::<Vec<_>>();
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
    let card = "task = \"sql\"\nschema = \"schema.sql\"\nseed = \"seed.sql\"\n[files]\ntrain = \"train.jsonl\"\n";
    let files = [
        ("dataset.toml", card),
        ("schema.sql", "CREATE TABLE clienti (nome TEXT, citta TEXT);"),
        ("seed.sql", "INSERT INTO clienti VALUES ('Ada', 'Roma');"),
        ("train.jsonl", &train),
    ];
    let found = check(Kind::Sql, &files);
    assert_eq!(rows(&found, "sql_fails"), ["train:2", "train:5"]);
    assert_eq!(rows(&found, "sql_writes"), ["train:3"]);
    assert_eq!(rows(&found, "sql_empty"), ["train:4"]);
    assert_eq!(found.len(), 3, "{found:?}");
    let found = check(Kind::Sql, &files[3..]);
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
    let within = |budget| queries::check(&all(&set), Some(&database), budget).expect("SQLite");
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
    let long = too_long(&set, &limit(8)).expect("the same alone");
    assert!(found.contains(&long) && long.severity == Severity::Error);
    assert!(long.message.contains("the longest has 3") && long.message.contains("up to 8") && long.fix.contains("max_tokens=3"), "{long:?}");
    let long = too_long(&set, &limit(2)).expect("found");
    assert!(!long.message.contains("raise") && !long.fix.contains("--set"), "nothing that does not help is proposed: {long:?}");
    assert_eq!(too_long(&set, &Limit { tokens: 3, context: 8, count: &words }), None);
}
