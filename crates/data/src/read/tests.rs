//! What the readers accept and what they say of the rest. Each test is a row of the table of formats
//! that people have.

use super::*;
use crate::example::{Span, Target};
use crate::part::Split;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn of_kind(kind: Kind, name: &str, bytes: &[u8], columns: &str) -> std::result::Result<Vec<Example>, String> {
    let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
    let file = dir.path().join(name);
    std::fs::write(&file, bytes).map_err(|e| e.to_string())?;
    examples(&file, kind, &Columns::parse(columns)?).map_err(|e| e.to_string().replace(&dir.path().display().to_string(), ""))
}

fn read(name: &str, bytes: &[u8], columns: &str) -> std::result::Result<Vec<(String, String, usize)>, String> {
    let rows = of_kind(Kind::Intent, name, bytes, columns)?;
    Ok(rows.into_iter().map(|r| (r.text.clone(), r.label().to_string(), r.origin.line)).collect())
}

fn row(text: &str, label: &str, line: usize) -> (String, String, usize) {
    (text.into(), label.into(), line)
}

fn message(name: &str, bytes: &[u8], columns: &str) -> String {
    read(name, bytes, columns).expect_err("must be refused")
}

fn target(kind: Kind, line: &str) -> std::result::Result<Target, String> {
    of_kind(kind, "x.jsonl", line.as_bytes(), "").map(|rows| rows[0].target.clone())
}

fn spans(list: &[(usize, usize, &str)]) -> Target {
    Target::Entities(list.iter().map(|(start, end, kind)| Span { start: *start, end: *end, kind: (*kind).into() }).collect())
}

#[test]
fn formats_and_names_that_people_use() {
    let jsonl = "\u{feff}{\"text\":\"ciao\",\"label\":\"a\"}\n\n{\"label\":3,\"text\":\"è\"}\r\n";
    assert_eq!(read("x.jsonl", jsonl.as_bytes(), ""), Ok(vec![row("ciao", "a", 1), row("è", "3", 3)]));
    let csv = "Intento,Messaggio\na,\"uno, due\"\nb,\"su\ndue righe\"\nc,tre\n";
    assert_eq!(read("x.csv", csv.as_bytes(), ""), Ok(vec![row("uno, due", "a", 2), row("su\ndue righe", "b", 3), row("tre", "c", 5)]));
    assert_eq!(read("x.tsv", b"q\tk\nciao\ta\n", "text=q,label=k"), Ok(vec![row("ciao", "a", 2)]));
}

#[test]
fn columns_are_named_by_the_roles_of_any_task() {
    let named = |kind, columns| of_kind(kind, "x.csv", b"q,text,k\nuno,due,tre\n", columns).map(|rows| (rows[0].text.clone(), rows[0].target.clone()));
    let expected = Ok(("uno".to_string(), Target::Sql("tre".into())));
    assert_eq!(named(Kind::Sql, "question=q,sql=k"), expected);
    assert_eq!(named(Kind::Sql, "text=q,label=k"), expected, "a question is a text, and a query an answer");
    assert_eq!(named(Kind::Sql, "text=text,question=q,sql=k"), expected, "the role of the task comes first");
    assert_eq!(named(Kind::Custom, "text=q,label=k"), Ok(("uno".into(), Target::Completion("tre".into()))));
    let asked = b"\"Domanda, se c'e\",Reparto\nciao,a\n";
    assert_eq!(read("x.csv", asked, "text=Domanda, se c'e,label=Reparto"), Ok(vec![row("ciao", "a", 2)]), "a comma in a name is part of it");
    assert!(Columns::parse("text=a,lable=b").is_err_and(|e| e.contains("`lable` is not a role")));
    let card = std::collections::BTreeMap::from([("question".to_string(), "text".to_string()), ("sql".to_string(), "k".to_string())]);
    let both = Columns::parse("text=q").expect("columns").or_card(&card);
    assert_eq!((both.playing(Role::Question), both.playing(Role::Sql)), (Some("q"), Some("k")), "what a person says goes before the card");
}

#[test]
fn lines_are_counted_across_blank_lines_and_windows_line_ends() {
    let csv = b"\r\ntext,label\r\na,b\r\n\r\n\n\"c\r\nd\",e\r\nf,g";
    assert_eq!(read("x.csv", csv, ""), Ok(vec![row("a", "b", 3), row("c\r\nd", "e", 6), row("f", "g", 8)]));
}

#[test]
fn delimiters_are_found_whatever_the_name_says() {
    for (name, delimiter) in [("x.csv", ";"), ("x.csv", "\t"), ("x.csv", "|"), ("x.tsv", ","), ("x.tsv", "\t"), ("x.csv", ",")] {
        let text = ["text", "label\nuno e due", "a\ntre", "b\n"].join(delimiter);
        assert_eq!(read(name, text.as_bytes(), ""), Ok(vec![row("uno e due", "a", 2), row("tre", "b", 3)]), "{name} {delimiter:?}");
    }
    // commas inside the texts of an Italian spreadsheet
    assert_eq!(read("x.csv", b"testo;etichetta\nuno, due, tre;a\nquattro;b\n", "").map(|r| r.len()), Ok(2));
    // a quote that only some program meant as one
    assert_eq!(read("x.tsv", b"text\tlabel\n\"a\" he said\tx\n\"b\ty\n", ""), Ok(vec![row("\"a\" he said", "x", 2), row("\"b", "y", 3)]));
    assert_eq!(read("x.csv", b"1,uno\n2,due\n", "text=2,label=1"), Ok(vec![row("uno", "1", 1), row("due", "2", 2)]));
}

#[test]
fn what_stands_above_a_header_is_passed_over() {
    let table = "testo;etichetta\nuno, due;a\ntre;b\n";
    for above in ["Esportazione del 3 maggio 2024\n", "Richieste, per reparto;\n;\n\n", "sep=;\n", "\u{feff}\"Titolo\nsu due righe\"\n"] {
        let lines = above.matches('\n').count();
        let expected = Ok(vec![row("uno, due", "a", lines + 2), row("tre", "b", lines + 3)]);
        assert_eq!(read("x.csv", [above, table].concat().as_bytes(), ""), expected, "{above:?}");
    }
    // a column without a name beside one with the name of a role is a header still
    assert_eq!(read("x.csv", b"text,\nuno,a\ndue,b\n", "text=text,label=2").map(|rows| rows.len()), Ok(2));
    // without a header there is nothing above it
    assert_eq!(read("x.csv", b"uno,\ndue,b\n", "text=1,label=2").map(|rows| rows.len()), Ok(2));
    assert!(
        message("x.csv", b"il pacco,spedizioni\nla maglia,resi\n", "")
            .contains("--columns text=NAME,label=NAME, or text=1,label=2 if the first row is no header")
    );
    assert!(message("x.csv", b"testo,reparto\nuno,a\n", "").contains("with --columns label=NAME, or label=2"), "only what is missing");
    assert!(!message("x.jsonl", b"{\"foo\":\"a\",\"label\":\"b\"}\n", "").contains("no header"));
}

#[test]
fn encodings_are_found() {
    let text = "text,label\nè già così: perché no?,città\n";
    let expected = Ok(vec![row("è già così: perché no?", "città", 2)]);
    let utf16 = |order: fn(u16) -> [u8; 2], mark: bool| -> Vec<u8> { mark.then_some(0xfeff).into_iter().chain(text.encode_utf16()).flat_map(order).collect() };
    for mark in [true, false] {
        assert_eq!(read("x.csv", &utf16(u16::to_le_bytes, mark), ""), expected);
        assert_eq!(read("x.csv", &utf16(u16::to_be_bytes, mark), ""), expected);
    }
    let (windows, _, _) = encoding_rs::WINDOWS_1252.encode(text);
    assert_eq!(read("x.csv", &windows, ""), expected);
    assert_eq!(read("x.csv", ["\u{feff}", text].concat().as_bytes(), ""), expected);
    // a character that a chunk cuts in two is still one
    let long = format!("text,label\n{}è,a\n", "x".repeat((1 << 16) - 12));
    assert!(read("x.csv", long.as_bytes(), "").expect("UTF-8")[0].0.ends_with("xè"));
}

#[test]
fn a_file_of_two_encodings_is_refused_at_the_line_that_differs() {
    let csv = "text,label\nè,a\nperò,b\n".as_bytes();
    let mixed = [csv, b"citt\xe0,c\n"].concat();
    assert!(message("x.csv", &mixed, "").contains("x.csv:4: column 1: is not valid UTF-8, unlike the rest"));
    let jsonl = ["{\"text\":\"è\",\"label\":\"a\"}\n".as_bytes(), b"{\"text\":\"\xe8\",\"label\":\"a\"}\n"].concat();
    assert!(message("x.jsonl", &jsonl, "").contains("x.jsonl:2: column 10: is not valid UTF-8, unlike the rest"));
    assert!(message("x.csv", b"text,label\na\0b,c\n", "").contains("x.csv:2: column 1: holds a NUL byte"));
    assert!(
        message("x.jsonl", b"{\"text\":\"a\",\"label\":\"b\"}\n{\"text\":\"a\0\",\"label\":\"b\"}\n", "").contains("x.jsonl:2: column 11: holds a NUL byte")
    );
    assert!(message("x.jsonl", &[0xff, 0xfe, b'{', 0, 0, 0xd8, b'a', 0], "").contains("looks like UTF-16LE but is not throughout"));
}

/// JSON is in Unicode, so what is not is damage, unless all of the file reads as text in an older encoding.
#[test]
fn a_broken_byte_in_json_is_named_and_no_reason_to_guess() {
    let row = |text: &[u8]| [&b"{\"text\":\""[..], text, b"\",\"label\":\"a\"}\n"].concat();
    let plain: Vec<u8> = (0..50).flat_map(|_| row(b"il pacco non arriva")).collect();
    let expected = "is not valid UTF-8, unlike the rest of the file (byte 0xE8); correct the line, or save the whole file as UTF-8";
    let broken = [plain.as_slice(), &row(b"per\xe8"), &plain].concat();
    assert!(message("x.jsonl", &broken, "").contains(&format!("x.jsonl:51: column 13: {expected}")));
    assert!(message("x.json", &broken, "").contains(&format!("x.json:51: column 13: {expected}")), "JSON Lines under another name");
    assert_eq!(skipping("x.jsonl", &broken).0.len(), 100, "it takes no other line with it");
    let document = |text: &[u8]| [&b"[\n{\"text\":\"due\",\"label\":\"b\"},\n{\"text\":\""[..], text, b"\",\"label\":\"a\"}]"].concat();
    assert!(message("x.json", &document(b"per\xe8"), "").contains(&format!("x.json:3: column 13: {expected}")));
    assert_eq!(read("x.json", &document("è".as_bytes()), "").map(|rows| rows.len()), Ok(2), "what is UTF-8 is read");
    let marked = ["\u{feff}".as_bytes(), &document("è".as_bytes())[..], b"\xe8"].concat();
    assert!(message("x.json", &marked, "").contains(&format!("x.json:3: column 26: {expected}")));
    // characters without their ends, which read as capitals within words, and bytes that are no text at all
    for odd in [&b"perch\xc3 e citt\xc3 e pi\xc3 e cos\xc3"[..], b"\x81\x8d\x8f\x90\x9d", b"\xa4\xa6\xac\xb1\xb6\xbc"] {
        assert!(message("x.jsonl", &[plain.as_slice(), &row(odd)].concat(), "").contains("x.jsonl:51: column "), "{odd:?}");
    }
    // few words have accents, but they are everywhere
    let italian: String = (0..50).map(|i| format!("{{\"text\":\"il pacco {i} non è ancora arrivato, perché?\",\"label\":\"a\"}}\n")).collect();
    let (windows, _, _) = encoding_rs::WINDOWS_1252.encode(&italian);
    assert_eq!(read("x.jsonl", &windows, ""), read("x.jsonl", italian.as_bytes(), ""));
    assert_eq!(read("x.jsonl", &windows, "").map(|rows| rows.len()), Ok(50));
}

#[test]
fn lines_without_end_are_refused_in_bounded_memory() {
    let endless = vec![b'a'; 100 << 20];
    assert!(message("x.jsonl", &endless, "").contains("x.jsonl:1: is longer than 16 MiB"));
    assert!(message("x.json", &[b"[\"", endless.as_slice()].concat(), "").contains("is longer than 16 MiB"));
    assert!(message("x.csv", &[b"text,label\nok,a\n\"", endless.as_slice()].concat(), "").contains("x.csv:3: is longer than 16 MiB"));
    assert!(message("x.conll", &endless, "").contains("x.conll:1: is longer than 16 MiB"));
    drop(endless);
    // neither do sentences end, nor rows of a table
    let words = "parola O\n".repeat(3 << 20);
    assert!(of_kind(Kind::Entities, "x.conll", words.as_bytes(), "").is_err_and(|e| e.contains("x.conll:1: a sentence is longer than 16 MiB")));
    let wide = ["text,label\na,b\n".as_bytes(), &vec![b','; 4 << 20]].concat();
    assert!(message("x.csv", &wide, "").contains("x.csv:3: has 4194305 columns, more than the 10000"));
    assert!(message("x.csv", &wide[15..], "").contains("x.csv:1: has 4194305 columns"));
    let many = format!("{{\"text\": \"a\", \"entities\": {{\"p\": [{}\"a\"]}}}}\n", "\"a\",".repeat(1 << 20));
    assert!(of_kind(Kind::Entities, "x.jsonl", many.as_bytes(), "").is_err_and(|e| e.contains("x.jsonl:1: `entities` lists 1048577 entities, more than")));
}

#[test]
fn json_documents_in_every_shape() {
    let expected = Ok(vec![row("a", "x", 1), row("b", "y", 1)]);
    for document in [
        r#"[{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]"#,
        r#"[["a", "x"], ["b", "y"]]"#,
        r#"{"version": "1.0", "data": [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]}"#,
        r#"{"text": ["a", "b"], "label": ["x", "y"]}"#,
        r#"{"text": {"0": "a", "1": "b"}, "label": {"0": "x", "1": "y"}}"#,
        r#"{"train": [["a", "x"], ["b", "y"]]}"#,
        r#"{"train": {"text": ["a", "b"], "label": ["x", "y"]}}"#,
        r#"{"status": "ok", "result": {"total": 2, "next": null, "items": [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]}}"#,
        r#"{"id1": {"text": "a", "label": "x"}, "id2": {"text": "b", "label": "y"}}"#,
    ] {
        assert_eq!(read("x.json", document.as_bytes(), ""), expected, "{document}");
    }
    assert_eq!(read("x.json", br#"{"text": "a", "label": "x"}"#, ""), Ok(vec![row("a", "x", 1)]));
    assert_eq!(read("x.json", b"{\"text\":\"a\",\"label\":\"x\"}\n{\"text\":\"b\",\"label\":\"y\"}\n", ""), Ok(vec![row("a", "x", 1), row("b", "y", 2)]));
    let lines = b"[\n  {\"text\": \"a\",\n   \"label\": \"x\"},\n\n  {\"text\": \"b\", \"label\": \"y\"}\n]\n";
    assert_eq!(read("x.json", lines, ""), Ok(vec![row("a", "x", 2), row("b", "y", 5)]));
    let told = message("x.json", b"[{\"text\": \"a\",\n \"label\": }]", "");
    assert!(told.contains("x.json:2: column 11: not valid JSON"), "{told}");
    let deep = message("x.json", br#"{"status": "ok", "result": {"page": {"items": [{"text": "a", "label": "x"}]}}}"#, "");
    assert!(
        deep.contains("the columns are `status`, `result`, `result.page`") && deep.ends_with("; if the rows lie inside `result`, save them as a list"),
        "{deep}"
    );
    let within = r#"[{"id": 1, "content": {"text": "a", "lang": "it"}, "class": {"label": "x"}}, {"content": {"text": "b"}, "class": {"label": "y"}}]"#;
    assert_eq!(read("x.json", within.as_bytes(), "text=content.text,label=class.label"), expected, "fields within fields");
    assert!(
        message("x.json", within.as_bytes(), "").contains("the columns are `id`, `content`, `content.text`, `content.lang`, `class`, `class.label`: say which")
    );
    assert!(message("x.json", within.as_bytes(), "text=content.texts,label=class.label").contains("has no column `content.texts`"));
    let dotted = read("x.csv", b"a.b,c\nuno,x\ndue,y\n", "text=a.b,label=c");
    assert_eq!(dotted.map(|rows| rows[0].0.clone()), Ok("uno".into()), "a dot in a name is part of it");
    // a data frame keeps its columns one after the other, each longer than a row may be
    let column = |value: &str| (0..20).map(|i| format!("\"{i}\":\"{value}\"")).collect::<Vec<_>>().join(",");
    let frame = format!("{{\"text\":{{{}}},\"label\":{{{}}}}}", column(&"a".repeat(1 << 20)), column("x"));
    assert_eq!(read("x.json", frame.as_bytes(), "").map(|rows| rows.len()), Ok(20));
    let many = format!("{{\"text\":[{}1],\"label\":[1]}}", "1,".repeat(5 << 20));
    assert!(message("x.json", many.as_bytes(), "").contains("x.json:1: has more than 4194304 values in columns or under keys"));
    for twice in [r#"{"text": ["a"], "text": ["b"], "label": ["x"]}"#, r#"{"text": "a", "text": "b", "label": "x"}"#] {
        assert!(message("x.json", twice.as_bytes(), "").contains("x.json:1: the name `text` stands twice in the document"), "{twice}");
    }
    assert!(message("x.json", b"[1, 2]", "").contains("x.json:1: column 2: is neither an object nor a list"));
    assert!(message("x.json", br#"{"text": ["a", "b"], "label": ["x"]}"#, "").contains("the list `label` has 1 value where `text` has 2"));
    let deep = ["[".repeat(10_000), "]".repeat(10_000)].concat();
    assert!(message("x.json", deep.as_bytes(), "").contains("not valid JSON: recursion limit exceeded"));
    let lists = of_kind(Kind::Hashtags, "x.json", r##"{"text": ["a"], "hashtags": [["#x", "#y"]]}"##.as_bytes(), "").expect("columns of lists");
    assert_eq!(lists[0].target, Target::Tags(vec!["#x".into(), "#y".into()]));
}

#[test]
fn parts_are_passed_on() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("x.json");
    std::fs::write(&file, r#"{"val": [["a", "x"]], "oos_train": [["b", "y"]]}"#).expect("writable");
    let mut parts = Vec::new();
    each(&file, Kind::Intent, &Columns::default(), &mut |_, _| {}, &mut |part, e| {
        parts.push((part, e?.text));
        Ok(())
    })
    .expect("reads");
    assert_eq!(parts, [(Some(Split::Validation), "a".to_string()), (Some(Split::Train), "b".to_string())]);
}

#[test]
fn every_kind_of_answer_is_read() {
    assert_eq!(target(Kind::Sql, r#"{"domanda": "Quanti?", "query": " SELECT 1 "}"#), Ok(Target::Sql("SELECT 1".into())));
    assert_eq!(target(Kind::Sql, r#"{"query": "Quanti?", "sql": "SELECT 1"}"#), Ok(Target::Sql("SELECT 1".into())));
    assert_eq!(target(Kind::Custom, r#"{"prompt": "x", "completion": " y"}"#), Ok(Target::Completion(" y".into())));
    for tags in [r##"["#a", "#b c"]"##, r##""['#a', '#b c']""##, r##""#a #b c""##, r##""#a, #b c""##] {
        let line = format!(r#"{{"text": "x", "hashtags": {tags}}}"#);
        assert_eq!(target(Kind::Hashtags, &line), Ok(Target::Tags(vec!["#a".into(), "#b c".into()])), "{line}");
    }
    let plain = Target::Tags(vec!["a".into(), "b c".into()]);
    assert_eq!(target(Kind::Hashtags, r#"{"text": "x", "tags": "a; b c"}"#), Ok(plain));
    assert!(target(Kind::Hashtags, r#"{"text": "x", "hashtags": [1]}"#).is_err_and(|e| e.contains("x.jsonl:1: `hashtags` is not a list of hashtags")));
}

#[test]
fn entities_in_every_form() {
    let expected = Ok(spans(&[(0, 4, "people"), (7, 11, "places")]));
    for (field, value) in [
        ("entities", r#"[{"start": 0, "end": 4, "type": "people"}, {"start": 7, "end": 11, "type": "places"}]"#),
        ("spans", r#"[{"start": 0, "end": 4, "label": "people"}, {"start": 7, "end": 11, "label": "places"}]"#),
        ("label", r#"[[0, 4, "people"], [7, 11, "places"]]"#),
        ("entities", r#"[{"start": 0, "end": 4, "type": "people", "text": "Anna"}, {"start": 7, "end": 11, "type": "places", "value": "ROMA"}]"#),
        ("entities", r#"[{"text": "Anna", "type": "people"}, {"text": "Roma", "type": "places"}]"#),
        ("output", r#""{\"people\": [\"Anna\"], \"places\": [\"Roma\"], \"dates\": []}""#),
        ("output", r#""{'people': ['Anna'], 'places': ['Roma'], 'dates': None}""#),
        ("entities", r#"{"people": "Anna", "places": ["Roma"]}"#),
        ("output", r#"{"entities": [{"text": "Anna", "type": "people"}, {"text": "Roma", "type": "places"}]}"#),
    ] {
        let line = format!(r#"{{"text": "Anna è Roma!", "{field}": {value}}}"#);
        assert_eq!(target(Kind::Entities, &line), expected, "{line}");
    }
    assert_eq!(target(Kind::Entities, r#"{"id": 7, "text": "Anna è Roma!", "people": ["Anna"], "places": ["Roma"], "dates": []}"#), expected);
    let csv = "testo,persone,luoghi\nAnna è Roma!,\"[\"\"Anna\"\"]\",['Roma']\n";
    let rows = of_kind(Kind::Entities, "x.csv", csv.as_bytes(), "").expect("lists in columns");
    assert_eq!(rows[0].target, spans(&[(0, 4, "persone"), (7, 11, "luoghi")]));
    let elsewhere = target(Kind::Entities, r#"{"text": "è Roma", "entities": [{"start": 3, "end": 7, "type": "places", "text": "Roma"}]}"#);
    assert_eq!(elsewhere, Ok(spans(&[(3, 7, "places")])), "what is outside is for the check to say");
    let beside =
        target(Kind::Entities, r#"{"text": "è Roma!", "entities": [{"start": 3, "end": 7, "type": "places", "text": "Roma"}]}"#).expect_err("must be refused");
    assert!(beside.contains("x.jsonl:1: `entities` has `Roma` (places) at 3 to 7, where the text has `oma!`"), "{beside}");
    let shifted = |name: &str, said: &str| {
        let entity = format!(r#"{{"start": 3, "end": 7, "type": "places", "{name}": "{said}"}}"#);
        target(Kind::Entities, &format!(r#"{{"text": "è Roma!", "entities": [{entity}]}}"#))
    };
    for name in ["value", "word", "span", "valore", "string", "testo"] {
        assert!(shifted(name, "Roma").is_err_and(|e| e.contains("x.jsonl:1: `entities` has `Roma` (places) at 3 to 7, where the text has `oma!`")), "{name}");
        assert!(shifted(name, "oma!").is_ok(), "{name}");
    }
    for (name, said) in [("value", "OMA!"), ("value", "capitale"), ("word", "##oma"), ("span", "")] {
        assert_eq!(shifted(name, said), Ok(spans(&[(3, 7, "places")])), "another form of what is marked");
    }
    assert!(
        target(Kind::Entities, r#"{"text": "x", "entities": [{"start": -1}]}"#).is_err_and(|e| e.contains("x.jsonl:1: `entities` is not a list of entities"))
    );
}

#[test]
fn strings_are_placed_or_the_row_is_named() {
    let placed = |text: &str, lists: &str| target(Kind::Entities, &format!(r#"{{"text": "{text}", "entities": {lists}}}"#));
    assert_eq!(placed("Romano va a Roma", r#"{"places": ["Roma"]}"#), Ok(spans(&[(12, 16, "places")])), "a word of its own is meant");
    assert_eq!(placed("da Roma alla Roma", r#"{"places": ["Roma", "Roma"]}"#), Ok(spans(&[(3, 7, "places"), (13, 17, "places")])));
    let longer = placed("la AS Roma a Roma", r#"{"places": ["Roma"], "teams": ["AS Roma"]}"#);
    assert_eq!(longer, Ok(spans(&[(3, 10, "teams"), (13, 17, "places")])), "what lies in a longer entity is not another");
    let wrong = |text: &str, lists: &str| placed(text, lists).expect_err("must be refused");
    assert!(wrong("da Roma a Roma", r#"{"places": ["Roma"]}"#).contains("x.jsonl:1: `entities` `Roma` (places) is in the text 2 times but listed 1 time;"));
    assert!(wrong("Marino", r#"{"places": ["Napoli"], "people": ["Bea"]}"#).contains("`Napoli` (places) is not in the text; `Bea` (people) is not"));
    assert!(wrong("Marino a Marino", r#"{"places": ["Marino"], "people": ["Marino"]}"#).contains("as places and as people, and which is which"));
}

#[test]
fn chats_and_instructions() {
    let read = |kind, line: &str| of_kind(kind, "x.jsonl", line.as_bytes(), "").map(|rows| (rows[0].text.clone(), rows[0].target.clone()));
    let answer = |text: &str| Target::Completion(text.into());
    let chat = r#"{"messages": [{"role": "system", "content": "Sii breve."}, {"role": "user", "content": "Ciao"}, {"role": "assistant", "content": "Salve"}]}"#;
    assert_eq!(read(Kind::Custom, chat), Ok(("Sii breve.\n\nCiao".into(), answer("Salve"))));
    let talk = r#"{"conversations": [{"from": "human", "value": "A"}, {"from": "gpt", "value": "B"}, {"from": "human", "value": "C"}, {"from": "gpt", "value": "D"}]}"#;
    assert_eq!(read(Kind::Custom, talk), Ok(("User: A\nAssistant: B\nUser: C".into(), answer("D"))));
    let labelled = r#"{"messages": [{"role": "user", "content": "Dov'è il pacco?"}, {"role": "assistant", "content": "spedizioni "}]}"#;
    assert_eq!(read(Kind::Intent, labelled), Ok(("Dov'è il pacco?".into(), Target::Label("spedizioni".into()))));
    assert!(
        read(Kind::Custom, r#"{"messages": [{"role": "user", "content": "A"}]}"#)
            .is_err_and(|e| e.contains("x.jsonl:1: `messages` does not end with the assistant"))
    );
    let parts = r#"{"messages": [{"role": "user", "content": [{"type": "text", "text": "A"}, {"type": "text", "value": "B"}]}, {"role": "tool", "content": "C"}, {"role": "assistant", "content": [{"type": "text", "text": "D"}]}]}"#;
    assert_eq!(read(Kind::Custom, parts), Ok(("User: A\nB\nTool: C".into(), answer("D"))));
    let picture = r#"{"messages": [{"role": "user", "content": [{"type": "image", "url": "x"}]}, {"role": "assistant", "content": "D"}]}"#;
    assert!(read(Kind::Custom, picture).is_err_and(|e| e.contains("x.jsonl:1: `messages` is not a chat")));
    let alpaca = |input: &str| format!(r#"{{"instruction": "Traduci", "input": "{input}", "output": "cat"}}"#);
    assert_eq!(read(Kind::Custom, &alpaca("gatto")), Ok(("Traduci\n\ngatto".into(), answer("cat"))));
    assert_eq!(read(Kind::Custom, &alpaca("")), Ok(("Traduci".into(), answer("cat"))));
    assert_eq!(read(Kind::Intent, &alpaca("gatto")), Ok(("gatto".into(), Target::Label("cat".into()))));
}

#[test]
fn words_with_tags() {
    let conll =
        "-DOCSTART- -X- O O\n\nAnna NNP B-NP B-PER\nBianchi NNP I-NP I-PER\nvive VB B-VP O\na IN B-PP O\nRoma NNP B-NP B-LOC\n. . O O\n\nPiove VB O O\n";
    let rows = of_kind(Kind::Entities, "x.conll", conll.as_bytes(), "").expect("CoNLL-2003");
    assert_eq!((rows[0].text.as_str(), rows[0].origin.line), ("Anna Bianchi vive a Roma .", 3));
    assert_eq!(rows[0].target, spans(&[(0, 12, "PER"), (20, 24, "LOC")]));
    assert_eq!((rows[1].text.as_str(), &rows[1].target), ("Piove", &spans(&[])));
    let other = of_kind(Kind::Entities, "x.bio", "Anna\tS-PER\nRossi\tO\nRoma\tI-LOC\nEst\tE-LOC\n".as_bytes(), "").expect("other letters");
    assert_eq!(other[0].target, spans(&[(0, 4, "PER"), (11, 19, "LOC")]));
    let chosen = of_kind(Kind::Entities, "x.conll", conll.as_bytes(), "entities=3").expect("another column");
    assert_eq!(chosen[1].target, spans(&[]));
    assert_eq!(chosen[0].target, spans(&[(0, 12, "NP"), (13, 17, "VP"), (18, 19, "PP"), (20, 24, "NP")]));
    let broken = "Anna B-PER\nvive O\n\nRoma X-LOC\n";
    assert!(of_kind(Kind::Entities, "x.conll", broken.as_bytes(), "").is_err_and(|e| e.contains("x.conll:4: column 2: `X-LOC` is no tag")));
}

#[test]
fn a_file_of_plain_text_is_read_by_what_it_holds() {
    let expected = Ok(vec![row("uno e due", "a", 1), row("tre", "b", 2)]);
    assert_eq!(read("x.txt", "__label__a uno e due\n__label__b  tre\n".as_bytes(), ""), expected);
    assert_eq!(read("x.txt", b"uno e due\ta\ntre\tb\n", "text=1,label=2"), expected);
    assert_eq!(read("x.txt", b"{\"text\":\"uno e due\",\"label\":\"a\"}\n{\"text\":\"tre\",\"label\":\"b\"}\n", ""), expected);
    assert_eq!(read("x.txt", b"[{\"text\":\"uno e due\",\"label\":\"a\"},\n{\"text\":\"tre\",\"label\":\"b\"}]", ""), expected);
    let conll = of_kind(Kind::Entities, "x.txt", "-DOCSTART- -X- O O\n\nAnna NNP B-NP B-PER\nride VB B-VP O\n".as_bytes(), "").expect("words");
    assert_eq!((conll[0].text.as_str(), &conll[0].target), ("Anna ride", &spans(&[(0, 4, "PER")])));
    assert_eq!(read("x.txt", b"uno, e, due\ta\nun, altro, tre\tb\n", "text=1,label=2").map(|rows| rows.len()), Ok(2), "commas are in the texts");
    assert!(message("x.txt", b"__label__a __label__b uno\n", "").contains("x.txt:1: `label` lists 2 labels (a, b), and a text has one"));
    assert!(message("x.txt", "Una pagina di prosa.\nE un'altra riga\n".as_bytes(), "").contains("x.txt: is text in which no examples are recognised"));
    assert!(message("x.txt", b"", "").contains("no examples are recognised"));
    assert_eq!(read("x.jsonl", b"{\"text\":\"a\",\"labels\":[\"x\"]}\n", ""), Ok(vec![row("a", "x", 1)]));
}

#[test]
fn universal_dependencies_keep_their_text() {
    let line = |id: &str, form: &str, tag: &str, misc: &str| format!("{id}\t{form}\t_\tX\t{tag}\t_\t0\tx\t_\t{misc}\n");
    let words = [
        line("1", "Vive", "O", "_"),
        line("2-3", "nella", "_", "_"),
        line("2", "in", "O", "_"),
        line("3", "la", "O", "_"),
        line("4", "Roma", "B-LOC", "SpaceAfter=No"),
        line("5", "!", "O", "_"),
    ];
    let with_text = ["# sent_id = 1\n# text = Vive nella Roma!\n# ironia = NO\n".to_string(), words.concat()].concat();
    let rows = of_kind(Kind::Entities, "x.conllu", with_text.as_bytes(), "entities=5").expect("reads");
    assert_eq!((rows[0].text.as_str(), &rows[0].target), ("Vive nella Roma!", &spans(&[(11, 15, "LOC")])));
    let without = of_kind(Kind::Entities, "x.conllu", words.concat().as_bytes(), "").expect("reads");
    assert_eq!((without[0].text.as_str(), &without[0].target), ("Vive nella Roma!", &spans(&[(11, 15, "LOC")])));
    assert_eq!(read("x.conllu", with_text.as_bytes(), "label=ironia"), Ok(vec![row("Vive nella Roma!", "NO", 1)]));
    let none = of_kind(Kind::Hashtags, "x.conllu", with_text.as_bytes(), "").expect_err("no hashtags here");
    assert!(none.contains("the columns are `text`, `entities`, `sent_id`, `ironia`"), "{none}");
}

#[test]
fn bad_files_are_named_with_their_row() {
    assert!(message("x.jsonl", b"", "").contains("x.jsonl: holds no example"));
    assert!(message("x.jsonl", b"{\"text\":\"a\",\"label\":\"b\"}\n{\"text\": \n", "").contains("x.jsonl:2: column 9: not valid JSON"));
    let twice = b"{\"text\":\"a\",\"label\":\"b\"}\n{\"text\":\"a\",\"text\":\"b\",\"label\":\"c\"}\n";
    assert!(message("x.jsonl", twice, "").contains("x.jsonl:2: column 18: the name `text` stands twice in the row"));
    assert!(message("x.jsonl", b" 1\n", "").contains("x.jsonl:1: column 2: is valid JSON but not an object"));
    assert!(message("x.jsonl", b"{\"text\":\"a\",\"label\":\"b\"}\n{\"text\":\"a\"}\n", "").contains("x.jsonl:2: has no `label`"));
    assert!(message("x.jsonl", b"{\"foo\":\"a\",\"label\":\"b\"}\n", "").contains("--columns text=NAME"));
    assert!(message("x.jsonl", b"{\"foo\":\"a\",\"label\":\"b\"}\n", "text=bar").contains("the columns are `foo`, `label`"));
    assert!(
        message("x.csv", b"text,label\na,b\na,b,c\n", "")
            .contains("x.csv:3: has 3 columns where the header has 2, with `,` between columns: column 3 has no name; quote")
    );
    assert!(message("x.csv", b"\n\ntext,text\na,b\n", "").contains("x.csv:3: column 2 repeats the name"));
    let comments = "# text = A\n# label = x\n# label = y\n1\tA\t_\tX\t_\t_\t0\tx\t_\t_\n";
    assert!(message("x.conllu", comments.as_bytes(), "label=label").contains("x.conllu:1: the comment `label` stands twice"));
    let wide: Vec<String> = (0..200).map(|i| format!("c{i}")).collect();
    let listed = message("x.csv", format!("{}\n{}\n", wide.join(","), wide.join(",")).as_bytes(), "");
    assert!(listed.contains("`c29`, …: say which") && !listed.contains("`c30`"), "{listed}");
    assert!(message("x.csv", b"text,label\r\na,b\r\n\r\na,b,c\r\n", "").contains("x.csv:4: has 3 columns"));
    assert!(
        message("x.tsv", b"text\tlabel\na\tb\nc\n", "")
            .contains("x.tsv:3: has 1 column where the header has 2, with a tab between columns: column 2, `label`, is missing; add what")
    );
    assert!(message("x.doc", b"a", "").contains("use .jsonl, .json, .csv"));
    assert!(message("x.parquet", b"PAR1 and nothing of it PAR1", "").contains("x.parquet: is not a readable Parquet file"));
    assert!(Columns::parse("text").is_err() && Columns::parse("x=y").is_err());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let named = folder.path().join("x.csv");
    std::fs::create_dir(&named).expect("a folder");
    assert!(examples(&named, Kind::Intent, &Columns::default()).is_err_and(|e| e.to_string().contains("is not a file")));
}

/// The rows that can be read, and what is said of the others.
fn skipping(name: &str, bytes: &[u8]) -> (Vec<(String, String, usize)>, Vec<String>) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join(name);
    std::fs::write(&file, bytes).expect("writable");
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    each(&file, Kind::Intent, &Columns::default(), &mut |_, _| {}, &mut |_, example| {
        match example {
            Ok(e) => rows.push(row(&e.text, e.label(), e.origin.line)),
            Err(e) => wrong.push(e.to_string().replace(&dir.path().display().to_string(), "").trim_start_matches(['/', '\\']).to_string()),
        }
        Ok(())
    })
    .expect("the file goes on");
    (rows, wrong)
}

#[test]
fn a_name_that_stands_twice_is_wrong_with_its_row_alone() {
    let row_of = |text: &str, label: &str| format!("{{\"text\":\"{text}\",\"label\":\"{label}\"}}");
    let twice = "{\"text\":\"è\",\"text\":\"b\",\"label\":\"c\"}";
    let inside = "{\"text\":\"c\",\"label\":\"z\",\"meta\":{\"è\":[{\"n\":1,\"n\":2}]}}";
    let rows = [row_of("a", "x"), twice.into(), inside.into(), row_of("d", "y")];
    let lines = ["x.jsonl:2: column 18: the name `text` stands twice in the row", "x.jsonl:3: column 47: the name `n` stands twice in the row"];
    let said = |wrong: &[String], name: &str, first: usize| {
        assert_eq!(wrong.len(), 2, "{name}: {wrong:?}");
        for (line, (wrong, expected)) in (first..).zip(wrong.iter().zip(lines)) {
            let expected = expected.replacen(&format!("x.jsonl:{}", line - first + 2), &format!("{name}:{line}"), 1);
            assert!(wrong.starts_with(&expected), "{wrong} is not {expected}");
        }
    };
    let (read, wrong) = skipping("x.jsonl", rows.join("\n").as_bytes());
    said(&wrong, "x.jsonl", 2);
    assert_eq!(read, [row("a", "x", 1), row("d", "y", 4)]);
    for (before, after) in [("[\n", "\n]"), ("{\"train\":[\n", "\n]}"), ("{\"version\":{\"v\":1},\"data\":[\n", "\n],\"n\":4}")] {
        let document = format!("{before}{}{after}", rows.join(",\n"));
        let (read, wrong) = skipping("x.json", document.as_bytes());
        said(&wrong, "x.json", 3);
        assert_eq!(read, [row("a", "x", 2), row("d", "y", 5)], "{document}");
        assert!(message("x.json", document.as_bytes(), "").contains("x.json:3: column 18: the name `text` stands twice in the row"));
    }
    // rows by their keys
    let keyed = format!("{{\"1\":{},\n\"2\":{twice},\n\"3\":{inside},\n\"4\":{}}}", rows[0], rows[3]);
    let (read, wrong) = skipping("x.json", keyed.as_bytes());
    assert_eq!(read, [row("a", "x", 1), row("d", "y", 4)]);
    assert!(wrong[0].starts_with("x.json:2: column 22: the name `text`") && wrong[1].starts_with("x.json:3: column 51: the name `n`"), "{wrong:?}");
    // where one cannot be told from the others, all are refused
    let service = format!("{{\"result\":{{\"total\":4,\"items\":[\n{}]}}}}", rows.join(",\n"));
    assert!(message("x.json", service.as_bytes(), "").contains("x.json:3: column 18: the name `text`"));
}

#[test]
fn a_row_of_a_table_that_is_too_long_takes_no_other_with_it() {
    let long = "a".repeat(17 << 20);
    for broken in
        [format!("\"{long}\nsei,x\n"), format!("{long},x\nsei,x\n"), format!("\"tre,x\nsei,x\n{}", format!("{},x\n", "c".repeat(1 << 10)).repeat(17 << 10))]
    {
        let table = format!("text,label\nuno,a\n\ndue,b\n{broken}sette,y\n");
        let (read, wrong) = skipping("x.csv", table.as_bytes());
        assert!(wrong.len() == 1 && wrong[0].starts_with("x.csv:5: is longer than 16 MiB"), "{wrong:?}");
        let lines = table.bytes().filter(|b| *b == b'\n').count();
        assert_eq!(read[..3], [row("uno", "a", 2), row("due", "b", 4), row("sei", "x", 6)]);
        assert_eq!((read.last(), read.len()), (Some(&row("sette", "y", lines)), lines - 3));
    }
    // what is not too long by itself is not so because of its neighbours
    let half = "b".repeat(9 << 20);
    assert_eq!(skipping("x.csv", format!("text,label\n{half},a\n{half},b\n").as_bytes()).1, [""; 0]);
}

#[test]
fn columns_are_those_of_an_editor() {
    let broken = "{\"text\":\"è già così\",\"label\": }";
    let sound = "{\"text\":\"perché\",\"label\":\"a\"}";
    let expected = "column 31: not valid JSON: expected value";
    let lines = format!("{sound}\n{broken}\n");
    assert!(message("x.jsonl", lines.as_bytes(), "").contains(&format!("x.jsonl:2: {expected}")));
    let document = format!("[{sound},\n{broken}]");
    assert!(message("x.json", document.as_bytes(), "").contains(&format!("x.json:2: {expected}")));
    for (name, text) in [("x.jsonl", &lines), ("x.json", &document)] {
        let utf16: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let (windows, _, _) = encoding_rs::WINDOWS_1252.encode(text);
        for bytes in [&utf16[..], &windows[..]] {
            assert!(message(name, bytes, "").contains(&format!("{name}:2: {expected}")), "{name}");
        }
    }
    assert!(message("x.jsonl", format!("{sound}\n  [\"è\"]\n").as_bytes(), "").contains("x.jsonl:2: column 3: is valid JSON but not an object"));
    let nul = format!("{sound}\n{{\"text\":\"è\0\"}}\n");
    assert!(message("x.jsonl", nul.as_bytes(), "").contains("x.jsonl:2: column 11: holds a NUL byte"));
    let mixed = [sound.as_bytes(), b"\n{\"text\":\"", "è".as_bytes(), b"\xe8\"}\n"].concat();
    assert!(message("x.jsonl", &mixed, "").contains("x.jsonl:2: column 11: is not valid UTF-8"));
    // a string that ends with its line is wrong there, and not on the next
    assert!(message("x.json", b"[{\"text\":\"a\n\"}]", "").contains("x.json:1: column 12: not valid JSON: control character"));
    assert!(message("x.json", b"[{\"text\":\"a\",\"label\":\"b\"},\n", "").contains("x.json:1: column 27: not valid JSON: EOF"));
    let short = "1\tVive\t_\tX\tO\t_\t0\tx\t_\t_\nRoma\n";
    let short = of_kind(Kind::Entities, "x.conllu", short.as_bytes(), "").expect_err("a line of another format");
    assert!(short.contains("x.conllu:2: has 1 column, at least 2 are needed: column 2 is missing"), "{short}");
}

#[test]
fn progress_only_grows_and_stays_within_the_whole() {
    let rows = |row: &str| row.repeat(5_000);
    let object = "{\"text\":\"è già così da un pezzo\",\"label\":\"a\"}";
    let csv = format!("text,label\n{}", rows("è già così da un pezzo,a\n"));
    let utf16: Vec<u8> = [0xfeff].into_iter().chain(csv.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let files: [(&str, Kind, Vec<u8>); 10] = [
        ("x.jsonl", Kind::Intent, rows(&format!("{object}\n")).into_bytes()),
        ("x.json", Kind::Intent, format!("[{}{object}]", rows(&format!("{object},\n"))).into_bytes()),
        ("lines.json", Kind::Intent, rows(&format!("{object}\n")).into_bytes()),
        ("x.csv", Kind::Intent, csv.into_bytes()),
        ("utf16.csv", Kind::Intent, utf16),
        ("x.tsv", Kind::Intent, format!("text\tlabel\n{}", rows("è già così da un pezzo\ta\n")).into_bytes()),
        ("x.txt", Kind::Intent, rows("__label__a è già così da un pezzo\n").into_bytes()),
        ("x.conll", Kind::Entities, rows("Anna B-PER\nride O\n\n").into_bytes()),
        ("x.parquet", Kind::Intent, super::parquet::tests::repeated(5_000)),
        ("x-00000-of-00002.parquet", Kind::Intent, super::parquet::tests::repeated(5_000)),
    ];
    let dir = tempfile::tempdir().expect("a temporary folder");
    // a table in two files is one whole
    let second = super::parquet::tests::repeated(2_000);
    std::fs::write(dir.path().join("x-00001-of-00002.parquet"), &second).expect("writable");
    for (name, kind, bytes) in files {
        let file = dir.path().join(name);
        std::fs::write(&file, &bytes).expect("writable");
        let (mut seen, mut read) = (Vec::new(), 0);
        each(&file, kind, &Columns::default(), &mut |done, total| seen.push((done, total)), &mut |_, example| {
            read += 1;
            example.map(|_| ())
        })
        .expect("reads");
        let whole = (bytes.len() + if name.contains("-of-") { second.len() } else { 0 }) as u64;
        assert!(read >= 5_000 && seen.len() >= 4, "{name}: {read} rows, {seen:?}");
        assert!(seen.is_sorted() && seen.iter().all(|(done, total)| done <= total && *total == whole), "{name}: {seen:?}");
        assert!(seen.last().is_some_and(|(done, _)| done * 2 > whole), "{name}: the end is near {seen:?}");
    }
}

/// Bytes with a few of them changed, left out, doubled, or replaced by some of another file.
fn damaged(bytes: &[u8], other: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    const ODD: &[u8] = b"\0\"\\{}[],;:\t\r\n#_-|\xff\xfe\xc3\xef\xbb\xbf0\x80";
    let mut out = bytes.to_vec();
    for _ in 0..rng.random_range(1..6) {
        let (at, end) = (rng.random_range(0..=out.len()), rng.random_range(0..=out.len()));
        let part = at.min(end)..at.max(end).min(at.min(end) + 24);
        match rng.random_range(0..5) {
            0 => out.truncate(at),
            1 => drop(out.drain(part)),
            2 => {
                let twice = out[part].to_vec();
                drop(out.splice(at..at, twice));
            }
            3 => {
                let from = rng.random_range(0..other.len());
                drop(out.splice(part, other[from..].iter().take(24).copied().collect::<Vec<_>>()));
            }
            _ => drop(out.splice(at..at, [ODD[rng.random_range(0..ODD.len())]])),
        }
    }
    out
}

/// What libFuzzer does at length (see fuzz/README.md), in brief and each time the same.
#[test]
fn damaged_files_of_every_format_are_read_or_refused() {
    let files: [(&str, Kind, &str); 11] = [
        ("x.json", Kind::Intent, "{\"status\":\"ok\",\"page\":{\"n\":1,\"items\":[{\"content\":{\"text\":\"a\"},\"class\":{\"label\":\"x\"}}]}}"),
        ("x.csv", Kind::Intent, "Esportazione\nsep=;\n;\ntext;label\nuno;a\ndue;b\n"),
        ("x.jsonl", Kind::Intent, "{\"text\":\"Anna è a Roma\",\"label\":\"a\",\"people\":[\"Anna\"]}\n\n{\"text\":\"b\",\"label\":[\"x\"],\"people\":[]}\r\n"),
        (
            "x.jsonl",
            Kind::Custom,
            "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"b\"}]}]}\n",
        ),
        ("x.json", Kind::Intent, "{\"version\":1,\"train\":[{\"text\":\"a\",\"label\":\"x\"},\n{\"text\":\"b\",\"label\":\"y\"}],\"val\":[[\"c\",\"x\"]]}"),
        ("x.json", Kind::Intent, "{\"text\":{\"0\":\"a\",\"1\":\"b\"},\"label\":{\"0\":\"x\",\"1\":\"y\"}}"),
        ("x.csv", Kind::Intent, "text,label,entities\nuno,a,\"[{\"\"start\"\":0,\"\"end\"\":3,\"\"type\"\":\"\"n\"\"}]\"\n\"due\nrighe\",b,[]\n"),
        ("x.tsv", Kind::Hashtags, "testo\thashtags\nperché no\t['#a', '#b']\nsì\t#c; #d\n"),
        ("x.txt", Kind::Intent, "__label__a uno e due\n__label__b __label__c tre\n"),
        ("x.conll", Kind::Entities, "-DOCSTART- -X- O\n\n# label = x\nAnna NNP B-PER\nride VB O\n\nRoma NNP S-LOC\n"),
        (
            "x.conllu",
            Kind::Entities,
            "# text = Vive nella Roma!\n1\tVive\t_\tX\tO\t_\t0\tx\t_\t_\n2-3\tnella\t_\tX\t_\t_\t0\tx\t_\t_\n2\tin\t_\tX\tO\t_\t0\tx\t_\t_\n3\tla\t_\tX\tO\t_\t0\tx\t_\t_\n4\tRoma\t_\tX\tB-LOC\t_\t0\tx\t_\tSpaceAfter=No\n",
        ),
    ];
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let (mut read, mut refused) = (0, 0);
    for round in 0..200 {
        for (name, own, text) in files {
            let bytes = damaged(text.as_bytes(), files[round % files.len()].2.as_bytes(), &mut rng);
            let kind = if rng.random_bool(0.6) { own } else { Kind::ALL[rng.random_range(0..Kind::ALL.len())] };
            let columns = ["", "", "", "", "text=1,label=2", "entities=3", "text=content.text,label=class.label"][rng.random_range(0..7)];
            let lines = bytes.iter().filter(|b| **b == b'\n').count() + 1;
            match of_kind(kind, name, &bytes, columns) {
                Ok(rows) => {
                    assert!(rows.is_sorted_by_key(|r| r.origin.line) && rows.iter().all(|r| r.origin.line <= lines), "{name}: {bytes:?}");
                    read += 1;
                }
                Err(e) => {
                    assert!(e.contains(name), "{name}: {e}");
                    refused += 1;
                }
            }
        }
    }
    assert!(read > 150 && refused > 150, "{read} were read, {refused} refused");
}

#[test]
fn words_and_their_tags_as_lists() {
    let expected = Ok(spans(&[(0, 12, "PER"), (20, 24, "LOC")]));
    for (words, tags) in [("tokens", "ner_tags"), ("words", "labels"), ("parole", "tags")] {
        let line = format!(r#"{{"{words}": ["Anna", "Bianchi", "vive", "a", "Roma"], "{tags}": ["B-PER", "I-PER", "O", "O", "B-LOC"]}}"#);
        assert_eq!(target(Kind::Entities, &line), expected, "{line}");
        let read = of_kind(Kind::Entities, "x.jsonl", line.as_bytes(), "").expect("reads");
        assert_eq!(read[0].text, "Anna Bianchi vive a Roma");
    }
    // the sentence beside its words, and columns that were named
    let both = r#"{"text": "Anna va.", "tokens": ["Anna", "va", "."], "ner_tags": ["B-PER", "O", "O"]}"#;
    assert_eq!(target(Kind::Entities, both), Ok(spans(&[(0, 4, "PER")])));
    let named = of_kind(Kind::Entities, "x.jsonl", r#"{"a": ["Anna"], "b": ["U-PER"]}"#.as_bytes(), "text=a,entities=b");
    assert_eq!(named.map(|rows| rows[0].target.clone()), Ok(spans(&[(0, 4, "PER")])));
    let wrong = |tags: &str| target(Kind::Entities, &format!(r#"{{"tokens": ["Anna", "va"], "ner_tags": {tags}}}"#)).expect_err("must be refused");
    assert!(wrong(r#"["O"]"#).contains("x.jsonl:1: `ner_tags` has 1 tag for 2 words"));
    assert!(wrong(r#"["O", "X-PER"]"#).contains("x.jsonl:1: `ner_tags` `X-PER` is no tag"));
    assert!(wrong("[1, 0]").contains("x.jsonl:1: `ner_tags` lists numbers for tags"));
}
