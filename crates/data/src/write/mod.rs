//! Examples into files that [`crate::read`] reads back as they were, in every format that it reads ([`Layout`]).

mod conll;
mod layout;
mod parquet;

pub use layout::Layout;
use say::say;

use crate::error::{Error, Result};
use crate::example::{Example, Target};
use crate::kind::Kind;
use crate::part::Split;
use crate::set::{CARD, DataSet, Reference};
use gemma::file::{folder_atomically, write_atomically_with};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Rows between two questions whether to go on.
const STEP: usize = 1000;

/// Is told how many rows are written; `false` ends it.
type Watch<'a> = &'a mut dyn FnMut(usize) -> bool;

/// Goes on behind so many rows, if that is wanted.
fn go_on(watch: Watch<'_>, rows: usize) -> io::Result<()> {
    if !rows.is_multiple_of(STEP) || watch(rows) { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
}

/// Writes examples of a kind to a file. The file appears at once.
///
/// # Errors
/// If the format cannot say an example as it is, the disk refuses, or it was ended.
fn write(path: &Path, layout: Layout, kind: Kind, examples: &[&Example], watch: Watch<'_>) -> Result<()> {
    let mut unsaid = None;
    let mut said = |example: &Example, said: std::result::Result<String, String>| {
        said.map_err(|what| {
            unsaid = Some(Error::row(
                example.origin.path(),
                example.origin.line,
                say!(
                    "{what}; correct the row, or choose another format than {layout}",
                    "{what}; correggi la riga, oppure scegli un formato diverso da {layout}"
                ),
            ));
            io::Error::other("an example cannot be written")
        })
    };
    write_atomically_with(path, |out| match layout {
        Layout::Csv => table(out, b',', kind, examples, &mut said, watch),
        Layout::Tsv => table(out, b'\t', kind, examples, &mut said, watch),
        Layout::Parquet => parquet::write(out, kind, examples, &mut |rows| go_on(watch, rows)),
        Layout::Json | Layout::Alpaca => {
            out.write_all(b"[")?;
            for (i, example) in examples.iter().enumerate() {
                go_on(watch, i)?;
                write!(out, "{}{}", if i == 0 { "\n" } else { ",\n" }, said(example, row(layout, kind, example))?)?;
            }
            out.write_all(b"\n]\n")
        }
        _ => examples.iter().enumerate().try_for_each(|(i, example)| {
            go_on(watch, i)?;
            writeln!(out, "{}", said(example, row(layout, kind, example))?)
        }),
    })
    .map_err(|e| unsaid.take().unwrap_or_else(|| Error::io(path, e)))
}

/// An example as a JSON object with the names that the readers know.
fn object(kind: Kind, example: &Example) -> Value {
    let [reads, answers] = kind.roles();
    let answer = match &example.target {
        Target::Label(s) | Target::Sql(s) | Target::Completion(s) => json!(s),
        Target::Entities(spans) => json!(spans),
        Target::Tags(tags) => json!(tags),
    };
    Value::Object(Map::from_iter([(reads.name().to_string(), json!(example.text)), (answers.name().to_string(), answer)]))
}

/// An example as a line or lines of a file, or as an item of its list; a sentence, if the format cannot say it.
fn row(layout: Layout, kind: Kind, example: &Example) -> std::result::Result<String, String> {
    let (text, answer) = (&example.text, || answer(&example.target));
    Ok(match layout {
        Layout::Messages => json!({"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": answer()}]}).to_string(),
        Layout::Alpaca => json!({"instruction": text, "input": "", "output": answer()}).to_string(),
        Layout::PromptCompletion => json!({"prompt": text, "completion": answer()}).to_string(),
        Layout::Strings => strings(example)?,
        Layout::FastText => plain(labelled(example)?)?,
        Layout::Conll => plain(conll::sentence(example)?)?,
        Layout::JsonLines | Layout::Json | Layout::Csv | Layout::Tsv | Layout::Parquet => object(kind, example).to_string(),
    })
}

/// Text as it is, if the readers of plain text would take it.
fn plain(text: String) -> std::result::Result<String, String> {
    if text.contains('\0') {
        Err(say!("holds a NUL character, which no plain text does", "contiene un carattere NUL, che nel testo semplice non c’è mai"))
    } else {
        Ok(text)
    }
}

/// An answer in one string.
fn answer(target: &Target) -> String {
    match target {
        Target::Label(s) | Target::Sql(s) | Target::Completion(s) => s.clone(),
        Target::Entities(spans) => json!(spans).to_string(),
        Target::Tags(tags) if tags.iter().all(|t| plain_tag(t)) => tags.join(" "),
        Target::Tags(tags) => json!(tags).to_string(),
    }
}

/// The entities of an example as lists of strings per type, if its text tells where each of them is.
fn strings(example: &Example) -> std::result::Result<String, String> {
    let mut lists: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut spans = example.spans().to_vec();
    spans.sort();
    for span in &spans {
        let string = span.of(&example.text).ok_or(say!("has an entity that is not in the text", "ha un’entità che non è nel testo"))?;
        lists.entry(&span.kind).or_default().push(string);
    }
    if crate::read::value::entities(&example.text, &json!(lists).to_string()).map_err(|wrong| wrong.what)? != spans {
        return Err(say!("has entities that their strings alone do not tell apart", "ha entità che le sole stringhe non bastano a distinguere"));
    }
    Ok(json!({"text": example.text, "entities": lists}).to_string())
}

/// A line of fastText.
fn labelled(example: &Example) -> std::result::Result<String, String> {
    let (label, text) = (example.label(), &example.text);
    if label.is_empty() || label.contains(char::is_whitespace) {
        return Err(say!(
            "its label `{label}` is empty or holds a space, which fastText's lines cannot keep",
            "ha un’etichetta, `{label}`, vuota o con uno spazio: le righe di fastText non possono conservarla"
        ));
    }
    if text.trim() != text || text.contains('\n') || text.starts_with("__label__") {
        return Err(say!(
            "its text begins or ends with a space, holds a line end or begins like a label, which fastText's lines cannot keep",
            "ha un testo che comincia o finisce con uno spazio, contiene una fine di riga o comincia come un’etichetta: le righe di fastText non possono conservarlo"
        ));
    }
    Ok(format!("__label__{label} {text}"))
}

/// Takes what an example is written as, or why it cannot be.
type Said<'a> = &'a mut dyn FnMut(&Example, std::result::Result<String, String>) -> io::Result<String>;

fn table(out: &mut dyn Write, delimiter: u8, kind: Kind, examples: &[&Example], said: Said<'_>, watch: Watch<'_>) -> io::Result<()> {
    let mut rows = csv::WriterBuilder::new().delimiter(delimiter).from_writer(out);
    rows.write_record(kind.roles().map(|r| r.name()))?;
    for (i, example) in examples.iter().enumerate() {
        go_on(watch, i)?;
        let mut cell = |text: String| said(example, plain(text));
        rows.write_record([cell(example.text.clone())?, cell(answer(&example.target))?])?;
    }
    rows.flush()
}

/// Whether a tag in a row of others is read back as it is.
fn plain_tag(tag: &str) -> bool {
    tag.strip_prefix('#').is_some_and(|t| !t.is_empty() && !t.contains(|c: char| c.is_whitespace() || "#,;".contains(c)))
}

/// The card of a data set that this program makes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewCard {
    /// Short name.
    pub name: String,
    /// Task.
    pub task: String,
    /// Language code, if it is known.
    pub language: String,
    /// Licence, if it is known.
    pub license: String,
    /// SQL script that makes the tables, or JSON schema of custom completions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<PathBuf>,
    /// SQL script that fills them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<PathBuf>,
    /// SQLite file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<PathBuf>,
    /// What it holds, if that is known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where the examples come from and what was done with them.
    pub how_it_was_made: String,
    /// Field of each role, where files that others wrote are kept as they are.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, String>,
    /// File of each part.
    pub files: BTreeMap<String, PathBuf>,
    /// Examples of each part.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, usize>,
    /// Figures that others published of these very files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reference: Vec<Reference>,
}

impl NewCard {
    /// What is known of a set, for a card of what is made of it.
    pub fn of(set: &DataSet) -> Self {
        Self {
            name: set.card.name.clone(),
            task: set.kind.name().into(),
            language: set.card.language.clone(),
            license: set.card.license.clone(),
            description: set.card.description.clone(),
            schema: set.schema.clone(),
            seed: set.seed.clone(),
            database: set.database.clone(),
            ..Self::default()
        }
    }
}

/// Writes a data set as a folder with a card, its files in a format of choice. The folder appears at once, and must not
/// hold anything before; what the card names as schema, seed and database is copied into it. `watch` is told now and then how many
/// rows are written, and of how many; `false` ends it, and nothing is left.
///
/// # Errors
/// If the format cannot say an example, the folder holds files already, the disk refuses, or it was ended.
pub fn folder(
    out: &Path,
    kind: Kind,
    layout: Layout,
    mut card: NewCard,
    parts: &BTreeMap<Split, Vec<&Example>>,
    watch: &mut dyn FnMut(u64, Option<u64>) -> bool,
) -> Result<()> {
    if !layout.says(kind) {
        let others = Layout::of(kind).map(Layout::name).collect::<Vec<_>>().join(", ");
        return Err(Error::file(
            out,
            say!("{layout} has no way to say the answers of {kind}; use {others}", "{layout} non può contenere risposte di tipo {kind}; usa {others}"),
        ));
    }
    let io = |path: &Path, e| Error::io(path, e);
    match std::fs::read_dir(out).map(|mut entries| entries.next().is_none()) {
        Ok(true) => std::fs::remove_dir(out).map_err(|e| io(out, e))?,
        Ok(false) => return Err(Error::file(out, say!("already holds files; choose another folder", "contiene già dei file; scegli un’altra cartella"))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(io(out, e)),
    }
    folder_atomically(out, io, |unfinished| {
        for (role, file) in [("schema", &mut card.schema), ("seed", &mut card.seed), ("database", &mut card.database)] {
            let Some(file) = file else { continue };
            // files of one name, or of a name that the set has a file of its own for, lie in different folders
            let mut name = file.file_name().map(PathBuf::from).unwrap_or_default();
            let taken = |name: &Path| name == Path::new(CARD) || Split::ALL.iter().any(|s| name.file_stem().is_some_and(|n| n == s.name()));
            if taken(&name) || unfinished.join(&name).exists() {
                name = PathBuf::from(format!("{role}-{}", name.display()));
            }
            std::fs::copy(&*file, unfinished.join(&name)).map_err(|e| io(file, e))?;
            *file = name;
        }
        let total: u64 = parts.values().map(|examples| examples.len() as u64).sum();
        let mut before = 0;
        for (split, examples) in parts.iter().filter(|(_, examples)| !examples.is_empty()) {
            let name = PathBuf::from(format!("{}.{}", split.name(), layout.ending()));
            write(&unfinished.join(&name), layout, kind, examples, &mut |rows| watch(before + rows as u64, Some(total)))?;
            before += examples.len() as u64;
            card.files.insert(split.name().into(), name);
            card.counts.insert(split.name().into(), examples.len());
        }
        let text = toml::to_string(&card).map_err(|e| Error::file(out, say!("its card cannot be written: {e}", "la sua scheda non si può scrivere: {e}")))?;
        let path = unfinished.join(CARD);
        write_atomically_with(&path, |w| w.write_all(text.as_bytes())).map_err(|e| io(&path, e))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example::{Origin, Span};
    use crate::read::{self, Columns};
    use crate::set::Source;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::sync::Arc;

    fn example(text: &str, target: Target) -> Example {
        Example { text: text.into(), target, origin: Origin { file: Arc::new("x".into()), line: 1 } }
    }

    fn of(kind: Kind) -> Vec<Example> {
        let span = Span { start: 0, end: 4, kind: "people".into() };
        let tags = |list: &[&str]| Target::Tags(list.iter().map(|t| (*t).to_string()).collect());
        let targets = match kind {
            Kind::Intent => [Target::Label("a, \"b\"".into()), Target::Label("perché".into())],
            Kind::Entities => [Target::Entities(vec![span]), Target::Entities(Vec::new())],
            Kind::Sql => [Target::Sql("SELECT 'a;b',\n 1".into()), Target::Sql("SELECT 2".into())],
            Kind::Hashtags => [tags(&["#uno", "#due"]), tags(&["due parole", "#tre"])],
            Kind::Custom => [Target::Completion(" tab\te\r\nriga ".into()), Target::Completion("è".into())],
        };
        let texts = ["Anna dice: \"sì, certo\"; e poi\tva", "Riga\ndopo riga"];
        texts.into_iter().zip(targets).map(|(text, target)| example(text, target)).collect()
    }

    fn told(examples: &[Example]) -> Vec<(&str, &Target)> {
        examples.iter().map(|e| (e.text.as_str(), &e.target)).collect()
    }

    #[test]
    fn what_is_written_is_read_back_as_it_was() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for kind in Kind::ALL {
            let examples = of(kind);
            let all: Vec<&Example> = examples.iter().collect();
            for layout in Layout::of(kind).filter(|l| !NARROW.contains(l)) {
                assert_eq!(told(&back(dir.path(), layout, kind, &all)), told(&examples), "{kind} {layout}");
            }
        }
        assert_eq!(Layout::ALL.map(|l| l.name().parse()), Layout::ALL.map(Ok));
        assert!("docx".parse::<Layout>().is_err_and(|e| e.contains("the formats are jsonl, json, csv, tsv, parquet, messages")));
    }

    /// Formats that cannot say every example.
    const NARROW: [Layout; 3] = [Layout::Conll, Layout::Strings, Layout::FastText];

    fn back(dir: &Path, layout: Layout, kind: Kind, examples: &[&Example]) -> Vec<Example> {
        let path = dir.join(format!("{layout}.{}", layout.ending()));
        write(&path, layout, kind, examples, &mut |_| true).expect("written");
        read::examples(&path, kind, &Columns::default()).unwrap_or_else(|e| panic!("{kind} {layout}: {e}"))
    }

    /// Examples drawn from the characters that files are likely to stumble over.
    fn drawn(kind: Kind, rng: &mut ChaCha8Rng) -> Vec<Example> {
        let odd: Vec<char> = "aaabbèZ1    --##\"'_,;=:[]{}\\🎉«\t\n".chars().collect();
        let mut word = |most: usize| -> String { (0..rng.random_range(1..=most)).map(|_| odd[rng.random_range(0..odd.len())]).collect() };
        let texts: Vec<String> = (0..400).map(|_| format!("{}{}", word(2), word(24))).collect();
        let answers: Vec<String> = (0..400).map(|_| format!("x{}x", word(6))).collect();
        let target = |text: &str, answer: String, rng: &mut ChaCha8Rng| match kind {
            Kind::Intent => Target::Label(answer),
            Kind::Sql => Target::Sql(answer),
            Kind::Custom => Target::Completion(answer),
            Kind::Hashtags => Target::Tags((0..rng.random_range(0..3)).map(|i| format!("#{i}{answer}")).collect()),
            Kind::Entities => {
                let length = text.chars().count();
                let cuts: Vec<usize> = (0..rng.random_range(0..4)).map(|_| rng.random_range(0..=length)).collect();
                let span =
                    |pair: &[usize]| Span { start: pair[0].min(pair[1]), end: pair[0].max(pair[1]), kind: ["people", "B-x", "due parole"][pair[0] % 3].into() };
                let mut spans: Vec<Span> = cuts.chunks_exact(2).map(span).filter(|s| s.start < s.end).collect();
                spans.sort();
                Target::Entities(spans)
            }
        };
        texts.into_iter().zip(answers).map(|(text, answer)| example(&text, target(&text, answer, rng))).collect()
    }

    #[test]
    fn what_a_format_cannot_say_is_refused_and_all_else_is_read_back() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        for kind in Kind::ALL {
            let examples = drawn(kind, &mut rng);
            for layout in Layout::of(kind) {
                let sayable: Vec<&Example> = examples.iter().filter(|e| row(layout, kind, e).is_ok()).collect();
                let narrow = NARROW.contains(&layout);
                assert_eq!(sayable.len() < examples.len(), narrow, "{layout} is one of those that refuse examples, or is not");
                assert!(sayable.len() > 50, "{layout} of {kind}: too few to say anything: {}", sayable.len());
                let read = back(dir.path(), layout, kind, &sayable);
                assert_eq!(told(&read), sayable.iter().map(|e| (e.text.as_str(), &e.target)).collect::<Vec<_>>(), "{kind} {layout}");
            }
        }
    }

    #[test]
    fn a_row_that_cannot_be_said_is_named_with_what_to_do() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let refused = |layout: Layout, kind, e: &Example| {
            let path = dir.path().join(format!("x.{}", layout.ending()));
            let message = write(&path, layout, kind, &[e], &mut |_| true).expect_err("must be refused").to_string();
            assert!(message.starts_with("x:1: ") && message.ends_with(&format!("correct the row, or choose another format than {layout}")), "{message}");
            assert!(!path.exists(), "nothing half-written is left");
            message
        };
        let spans =
            |list: &[(usize, usize)]| Target::Entities(list.iter().map(|(start, end)| Span { start: *start, end: *end, kind: "places".into() }).collect());
        assert!(refused(Layout::Conll, Kind::Entities, &example("una\nRoma", spans(&[]))).contains("a line end"));
        assert!(refused(Layout::Conll, Kind::Entities, &example("a Roma Nord", spans(&[(2, 6), (2, 11)]))).contains("overlap"));
        assert!(refused(Layout::Conll, Kind::Entities, &example("a Roma", spans(&[(1, 6)]))).contains("begins or ends with a space"));
        assert!(refused(Layout::Strings, Kind::Entities, &example("da Roma a Roma", spans(&[(3, 7)]))).contains("`Roma` (places) is in the text 2 times"));
        assert!(refused(Layout::Strings, Kind::Entities, &example("Roma", spans(&[(0, 9)]))).contains("not in the text"));
        for layout in [Layout::Csv, Layout::Tsv, Layout::FastText] {
            assert!(refused(layout, Kind::Intent, &example("a\0b", Target::Label("x".into()))).contains("holds a NUL character"));
        }
        assert!(refused(Layout::Conll, Kind::Entities, &example("a\0b", spans(&[]))).contains("holds a NUL character"));
        assert!(refused(Layout::FastText, Kind::Intent, &example("a", Target::Label("due parole".into()))).contains("`due parole` is empty or holds a space"));
    }

    #[test]
    fn what_is_ended_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let examples: Vec<Example> = (0..=2 * STEP).map(|i| example(&format!("riga {i}"), Target::Label("a".into()))).collect();
        let parts = BTreeMap::from([(Split::Train, examples.iter().collect())]);
        for layout in Layout::of(Kind::Intent) {
            // groups of Parquet are larger than the set
            let last = if layout == Layout::Parquet { 0 } else { STEP as u64 };
            let (out, mut told) = (dir.path().join(layout.name()), Vec::new());
            let mut watch = |done: u64, total: Option<u64>| {
                told.push((done, total));
                done < last
            };
            let ended = folder(&out, Kind::Intent, layout, NewCard::default(), &parts, &mut watch);
            assert!(ended.is_err_and(|e| matches!(e, Error::Io { source, .. } if source.kind() == io::ErrorKind::Interrupted)), "{layout}");
            assert_eq!(told.last(), Some(&(last, Some(2 * STEP as u64 + 1))), "{layout}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).expect("there").count(), 0);
    }

    #[test]
    fn a_folder_opens_by_its_card_and_is_never_written_over() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (out, schema) = (dir.path().join("set"), dir.path().join("tables.sql"));
        std::fs::write(&schema, "CREATE TABLE t (a)").expect("writable");
        let examples = of(Kind::Sql);
        let parts = BTreeMap::from([(Split::Train, vec![&examples[0]]), (Split::Test, vec![&examples[1]]), (Split::Validation, Vec::new())]);
        let card = NewCard { name: "n".into(), task: "sql".into(), schema: Some(schema), ..NewCard::default() };
        folder(&out, Kind::Sql, Layout::JsonLines, card.clone(), &parts, &mut |_, _| true).expect("written");
        let set = DataSet::open(&Source { folder: Some(out.clone()), ..Source::default() }).expect("opens");
        assert_eq!((set.kind, set.card.name.as_str(), set.schema), (Kind::Sql, "n", Some(out.join("tables.sql"))));
        assert_eq!((told(set.splits[&Split::Train].examples.as_slice()), set.splits.len()), (told(&examples[..1]), 2));
        let one = |dir_name: &str, sql: &str| {
            std::fs::create_dir(dir.path().join(dir_name)).expect("a folder");
            let path = dir.path().join(dir_name).join("tables.sql");
            std::fs::write(&path, sql).expect("writable");
            Some(path)
        };
        let alike = NewCard { schema: one("a", "CREATE TABLE t (a);"), seed: one("b", "INSERT INTO t VALUES (1);"), ..card.clone() };
        let both = dir.path().join("both");
        folder(&both, Kind::Sql, Layout::JsonLines, alike, &parts, &mut |_, _| true).expect("written");
        let set = DataSet::open(&Source { folder: Some(both), ..Source::default() }).expect("opens");
        let [schema, seed] = [set.schema, set.seed].map(|path| std::fs::read_to_string(path.expect("named")).expect("copied"));
        assert_eq!((schema.as_str(), seed.as_str()), ("CREATE TABLE t (a);", "INSERT INTO t VALUES (1);"), "neither takes the place of the other");
        assert!(folder(&out, Kind::Sql, Layout::JsonLines, card, &parts, &mut |_, _| true).is_err_and(|e| e.to_string().contains("already holds files")));
        let lost = NewCard { schema: Some(dir.path().join("nowhere.sql")), ..NewCard::default() };
        let other = dir.path().join("other");
        assert!(folder(&other, Kind::Sql, Layout::JsonLines, lost, &parts, &mut |_, _| true).is_err_and(|e| e.to_string().contains("nowhere.sql")));
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 5, "nothing half-made is left");
    }
}
