//! Markdown, CSV and JSON: what is written is what their readers read, and nothing in it acts.

use crate::common::{HOSTILE, hostile_run, keep, run};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use report::document::{Block, Cell, Column, Kind, Row, Table};
use report::output::{Format, write};
use report::text::{Lang, clean};
use report::{content, markdown, tables};
use std::path::Path;

fn events(text: &str) -> Vec<Event<'_>> {
    Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_FOOTNOTES | Options::ENABLE_MATH).collect()
}

/// All that a reader sees, without marks.
fn words(text: &str) -> String {
    let bare = |e: Event| match e {
        Event::Text(t) | Event::Code(t) => Some(t.to_string()),
        Event::SoftBreak | Event::HardBreak | Event::End(_) => Some(" ".into()),
        _ => None,
    };
    events(text).into_iter().filter_map(bare).collect()
}

#[test]
fn markdown_of_a_usual_run_reads_as_it_should() {
    for lang in [Lang::English, Lang::Italian] {
        let document = content::run(&run(12, 600), lang);
        let text = markdown::render(&document);
        keep(&format!("report-{}.md", lang.code()), &text);
        let events = events(&text);
        let count = |f: fn(&Event) -> bool| events.iter().filter(|e| f(e)).count();
        assert_eq!(count(|e| matches!(e, Event::Start(Tag::Table(_)))), document.tables().count());
        assert_eq!(count(|e| matches!(e, Event::Start(Tag::Image { .. }))), document.figures.len());
        // every link of the list leads to an anchor
        for event in &events {
            if let Event::Start(Tag::Link { dest_url, .. }) = event {
                let id = dest_url.strip_prefix('#').expect("only links inside the page");
                assert!(text.contains(&format!("<a id=\"{id}\"></a>")), "{id}");
            }
        }
        let rows = count(|e| matches!(e, Event::Start(Tag::TableRow)));
        assert_eq!(rows, document.tables().map(|t| t.rows.len()).sum::<usize>());
        assert!(words(&text).contains("order_tracking") && !text.contains("order\\_tracking"));
    }
}

/// What a visitor of the repository reads: each report in the list, with the command that made it and pictures that are there.
#[test]
fn reports_that_are_checked_in_are_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reports");
    let list = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let mut reports = 0;
    for place in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let name = place.file_name().unwrap().to_string_lossy().into_owned();
        assert!(list.contains(&format!("]({name}/README.md)")), "the list lacks {name}");
        let text = std::fs::read_to_string(place.join("README.md")).unwrap();
        // a run has its course, its scores and its data to show, a study the curve of what it compared
        let kinds = [("lapidary train ", 5), ("lapidary study ", 1)];
        let kind = kinds.iter().find(|(command, _)| text.contains(&format!("```text\n{command}")));
        let (_, least) = kind.unwrap_or_else(|| panic!("{name} does not say how it was made"));
        let mut pictures = 0;
        for event in events(&text) {
            if let Event::Start(Tag::Image { dest_url, .. }) = event {
                let file = place.join(&*dest_url);
                let svg = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
                roxmltree::Document::parse(&svg).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
                pictures += 1;
            }
        }
        assert!(pictures >= *least, "{name} shows {pictures} pictures");
        reports += 1;
    }
    assert!(reports >= 3, "{reports}");
    for event in events(&list) {
        if let Event::Start(Tag::Link { dest_url, .. }) = event {
            assert!(dest_url.starts_with("https://") || folder.join(&*dest_url).exists(), "the list names {dest_url}, which is not there");
        }
    }
}

/// Checks that nothing in a document's Markdown acts that is not ours; the Markdown.
pub fn inert(document: &report::document::Document) -> String {
    let text = markdown::render(document);
    let anchors: Vec<String> = document.sections.iter().map(|s| format!("<a id=\"{}\"></a>", s.id)).collect();
    let mut depth = 0;
    for event in events(&text) {
        match &event {
            Event::Html(html) | Event::InlineHtml(html) => {
                let html = html.trim();
                assert!(html == "</a>" || anchors.iter().any(|a| a.starts_with(html)), "markup from elsewhere: {html}");
            }
            Event::Start(Tag::Link { dest_url, .. }) => assert!(dest_url.starts_with('#'), "a link from elsewhere: {dest_url}"),
            Event::Start(Tag::Image { dest_url, .. }) => assert!(dest_url.starts_with("figures/"), "a picture from elsewhere: {dest_url}"),
            Event::InlineMath(m) | Event::DisplayMath(m) => panic!("mathematics from elsewhere: {m}"),
            Event::Start(Tag::Heading { .. }) => depth += 1,
            _ => {}
        }
    }
    assert_eq!(depth, document.sections.len() + 1, "no heading from elsewhere");
    // GitHub makes links of bare addresses, but not inside code
    let mut bare = text.clone();
    for (event, range) in Parser::new_ext(&text, Options::ENABLE_TABLES).into_offset_iter() {
        if matches!(event, Event::Code(_) | Event::Start(Tag::CodeBlock(_))) {
            bare.replace_range(range.clone(), &" ".repeat(range.len()));
        }
    }
    for link in ["http://evil", "www.evil"] {
        assert!(!bare.contains(link), "{link} would become a link");
    }
    // each row of a table has its columns, whatever bars its texts hold
    let (mut columns, mut cells) = (0, 0);
    for event in events(&text) {
        match event {
            Event::Start(Tag::Table(c)) => columns = c.len(),
            Event::Start(Tag::TableRow | Tag::TableHead) => cells = 0,
            Event::End(TagEnd::TableCell) => cells += 1,
            Event::End(TagEnd::TableRow | TagEnd::TableHead) => assert_eq!(cells, columns),
            _ => {}
        }
    }
    text
}

#[test]
fn hostile_text_does_not_act_in_markdown() {
    let text = inert(&content::run(&hostile_run(), Lang::English));
    keep("hostile.md", &text);
    let seen = words(&text);
    for text in
        ["<script>alert(1)</script>", "⟨U+202E⟩txet desrever", "| a | b |↵| --- | --- |↵# heading *bold* [link](http://evil.example)", "{accuracy} {{model}}"]
    {
        assert!(seen.contains(text), "{text}");
    }
    assert!(text.len() < 400_000, "{} bytes", text.len());
}

fn table(texts: &[&str]) -> Table {
    let rows =
        texts.iter().map(|t| Row::new(vec![Cell::foreign(t, 400), Cell::value("−1".into(), -1.5), Cell::value("x".into(), serde_json::json!([-0.5, 2.0]))]));
    Table {
        name: "t",
        caption: None,
        columns: vec![Column::new("text", "Text", Kind::Text), Column::new("n", "N", Kind::Number), Column::new("ci", "CI", Kind::Interval)],
        titled: true,
        rows: rows.collect(),
    }
}

#[test]
fn csv_keeps_every_text_and_no_text_is_a_formula() {
    let mut texts: Vec<&str> = HOSTILE.to_vec();
    texts.extend(["=1+1", "+1", "-1", "@SUM(A1)", "  =1", "＝1", "a,b;c", "\"quoted\"", "", "plain"]);
    let bytes = tables::csv(&table(&texts)).unwrap();
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    assert_eq!(reader.headers().unwrap(), vec!["text", "n", "ci_low", "ci_high"]);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), texts.len());
    for (row, text) in rows.iter().zip(&texts) {
        let shown = row.get(0).unwrap();
        assert!(!shown.trim_start().starts_with(['=', '+', '-', '@', '＝', '\t', '\r']), "{shown}");
        assert_eq!(shown.strip_prefix('\'').unwrap_or(shown), clean(text, 400));
        // numbers stay numbers, whatever their sign
        assert_eq!((&row[1], &row[2], &row[3]), ("-1.5", "-0.5", "2.0"));
    }
}

#[test]
fn no_table_of_a_hostile_run_holds_a_formula() {
    let document = content::run(&hostile_run(), Lang::English);
    let mut fields = 0;
    for table in document.tables() {
        let bytes = tables::csv(table).unwrap();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(bytes.as_slice());
        for row in reader.records().map(Result::unwrap) {
            for field in &row {
                let begins = field.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
                assert!(!begins || field.parse::<f64>().is_ok(), "{}: {field}", table.name);
                assert!(!field.contains(['\0', '\r', '\n', '\u{202e}']), "{}: {field:?}", table.name);
                fields += 1;
            }
        }
    }
    assert!(fields > 200, "{fields}");
}

#[test]
fn every_table_is_there_for_programs_with_plain_numbers() {
    let run = run(12, 600);
    let metrics = run.result.classes().unwrap();
    let mut files = Vec::new();
    for lang in [Lang::English, Lang::Italian] {
        let folder = tempfile::tempdir().unwrap();
        let document = content::run(&run, lang);
        let paths = write(&document, &[Format::Csv, Format::Json], folder.path(), &mut |_, _| true).unwrap();
        assert_eq!(paths.len(), document.tables().count() + 1);
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.path().join("report.json")).unwrap()).unwrap();
        assert_eq!(json["tables"]["results"][0]["system"], "model");
        assert_eq!(json["tables"]["results"][0]["accuracy"].as_f64(), Some(metrics.accuracy));
        assert_eq!(json["tables"]["results"][0]["accuracy_ci"][0].as_f64(), Some(metrics.accuracy_ci[0]));
        assert_eq!(json["figures"]["confusion"]["data"]["examples"], 600);
        files.push(std::fs::read_to_string(folder.path().join("tables/classes.csv")).unwrap());
    }
    assert!(files[0].starts_with("label,f1,precision,recall,examples,training\r\n"), "{}", files[0]);
    assert_eq!(files[0], files[1], "values do not depend on the language");
}

#[test]
fn nothing_measured_is_an_empty_cell_and_null() {
    let mut t = table(&["a"]);
    t.rows[0].cells[1] = Cell::empty();
    t.rows[0].cells[2] = Cell::empty();
    let text = String::from_utf8(tables::csv(&t).unwrap()).unwrap();
    assert_eq!(text, "text,n,ci_low,ci_high\r\na,,,\r\n");
    let mut document = content::run(&run(2, 20), Lang::English);
    document.sections[0].blocks = vec![Block::Table(t)];
    assert!(tables::json(&document)["tables"]["t"][0]["n"].is_null());
}
