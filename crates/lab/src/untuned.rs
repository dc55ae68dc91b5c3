//! The untuned model as something that runs are held against: what it is asked, and what it scored before.
//!
//! It never learned to end, so an answer goes on to its limit, and a test set of such answers takes longer than many a training.
//! So they are cut off early ([`Answerer::ending`]), only a part of a large test set is asked, and the scores are kept in the
//! library, where later runs find them: they depend on nothing that a training changes.

use crate::answer::{Answerer, Mode, SHOWN_ALONE};
use crate::error::{Error, Result};
use crate::library::Library;
use crate::run::Prepared;
use data::set::DataSet;
use data::{Example, Kind, Target, divide};
use gemma::Precision;
use report::record::ModelRecord;
use say::say;
use serde::Serialize;
use std::borrow::Cow;
use std::path::PathBuf;
use tasks::Metrics;
use tasks::sandbox::Table;

/// The ways in which it is asked: the name that each has in a result, and what it is called.
const WAYS: [(&str, Mode, [&str; 2]); 2] = [
    ("untuned", Mode::Untuned, ["the untuned model", "il modello non addestrato"]),
    ("few_shot", Mode::Shown, ["the untuned model with examples", "il modello non addestrato con esempi"]),
];

/// Those of [`WAYS`] that there is something to do for: without examples none can be shown.
pub(crate) fn ways(answerer: &Answerer<'_>) -> impl Iterator<Item = (&'static str, Mode, [&'static str; 2])> {
    let shows = answerer.shows();
    WAYS.into_iter().filter(move |(_, mode, _)| shows || *mode != Mode::Shown)
}

/// The one of [`WAYS`] that there is nothing to do for, as it is called, and why; none where it is asked in all of them.
pub(crate) fn unshown(answerer: &Answerer<'_>) -> Option<([&'static str; 2], Error)> {
    let (_, _, called) = WAYS.into_iter().find(|(_, mode, _)| *mode == Mode::Shown && !answerer.shows())?;
    let why = say!(
        "no training row has at most {SHOWN_ALONE} tokens and leaves room for the longest question and its answer in the model’s context",
        "nessuna riga di addestramento ha al massimo {SHOWN_ALONE} token e lascia posto alla domanda più lunga e alla sua risposta nel contesto del modello"
    );
    Some((called, Error::Request(why)))
}

/// Examples that are asked, at most. A share of a hundred is known to 10 points (95 % interval), one below a tenth to 6, and an
/// untuned model lies further below a tuned one than that wherever the training was worth it. Of the shipped sets, those with
/// 60 to 70 test rows are asked whole and the 156 of the intents by two thirds; of the thousands that a person may bring, this
/// is what makes the difference between minutes and hours.
const ASKED: usize = 100;
/// Every run draws the same ones, or nothing could be remembered.
const SEED: u64 = 0;

/// The examples of a test set that are asked, drawn by chance where they are many.
pub(crate) fn asked(examples: &[Example]) -> Cow<'_, [Example]> {
    if examples.len() <= ASKED {
        return Cow::Borrowed(examples);
    }
    Cow::Owned(divide::draw(examples.len(), ASKED, SEED).into_iter().map(|i| examples[i].clone()).collect())
}

/// Counted up where other answers are given, or the same ones are scored otherwise, than by the code before.
const RULES: u32 = 2;

/// All that the scores depend on. Templates, columns, the values of a database and the training examples that are shown are in
/// what the model reads; a seed only chooses among these.
#[derive(Serialize)]
struct Depends<'a> {
    version: &'a str,
    rules: u32,
    /// SHA-256 of each of the model's files.
    model: Vec<&'a str>,
    /// The numbers that make it one, which a folder has in another file.
    config: &'a gemma::Config,
    precision: Precision,
    kind: Kind,
    /// What may be answered.
    labels: &'a [String],
    tables: &'a [Table],
    json_schema: Option<&'a str>,
    /// SHA-256 of each file of the database, on which queries are tried and judged.
    database: Vec<Option<String>>,
    /// Tokens of an answer, at most, and of these such as are not white space.
    tokens: [usize; 2],
    /// Answers that are followed at once.
    beams: usize,
    /// What the model reads before each answer.
    prompts: Vec<Vec<u32>>,
    /// What is answered, and what would be right.
    examples: Vec<(&'a str, &'a Target)>,
}

impl Depends<'_> {
    fn key(&self) -> Result<String> {
        let written = serde_json::to_vec(self).map_err(|e| {
            Error::request(say!(
                "what the untuned model is asked cannot be written: {e}",
                "ciò che si chiede al modello non addestrato non si può scrivere: {e}"
            ))
        })?;
        Ok(data::set::sha256_of(&written))
    }
}

/// Under what the scores of such answers are remembered.
///
/// # Errors
/// If a text is too long to be asked, or a file of the database cannot be read.
pub(crate) fn key(p: &Prepared, model: &ModelRecord, answerer: &Answerer<'_>, examples: &[Example], mode: Mode) -> Result<String> {
    let texts: Vec<&str> = examples.iter().map(|e| e.text.as_str()).collect();
    Depends {
        version: crate::VERSION,
        rules: RULES,
        model: model.files.iter().map(|f| f.sha256.as_str()).collect(),
        config: p.weights.config(),
        precision: p.recipe.precision_on(&p.device),
        kind: p.task.kind,
        labels: p.task.labels.names(),
        tables: &p.task.tables,
        json_schema: p.task.json_schema.as_ref().map(|schema| schema.text()),
        database: database(&p.set)?,
        tokens: answerer.untuned_tokens(),
        beams: if p.task.kind == Kind::Sql { p.recipe.beams } else { 1 },
        prompts: answerer.prompts(&texts, mode == Mode::Shown)?,
        examples: examples.iter().map(|e| (e.text.as_str(), &e.target)).collect(),
    }
    .key()
}

fn database(set: &DataSet) -> Result<Vec<Option<String>>> {
    if set.kind != Kind::Sql {
        return Ok(Vec::new());
    }
    let hash = |file: &Option<PathBuf>| -> Result<Option<String>> { Ok(file.as_deref().map(data::set::sha256).transpose()?) };
    [&set.schema, &set.seed, &set.database].into_iter().map(hash).collect()
}

/// The scores that are remembered under a key. What cannot be read is asked again.
pub(crate) fn recall(library: &Library, key: &str) -> Option<Metrics> {
    library.untuned(key).ok().flatten().and_then(|scores| serde_json::from_str(&scores).ok())
}

/// Remembers scores under a key.
///
/// # Errors
/// If the library cannot be written.
pub(crate) fn remember(library: &Library, key: &str, scores: &Metrics) -> Result<()> {
    library.put_untuned(key, &serde_json::to_string(scores).map_err(|e| Error::request(e.to_string()))?)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::home::Home;
    use crate::models;
    use crate::run::{self, Request};
    use data::Origin;
    use data::read::Columns;
    use data::set::{Source, Split};
    use gemma::generate::BOS;
    use std::collections::BTreeSet;
    use std::sync::Arc;
    use tasks::sandbox::Column;
    use tasks::score::{Scored, classification};

    /// A library and a custom data set for the tiny model.
    pub(crate) struct Bench {
        dir: tempfile::TempDir,
        pub(crate) home: Home,
    }

    impl Bench {
        pub(crate) fn new() -> Self {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let home = Home::open(Some(&dir.path().join("home"))).expect("a home");
            let bench = Self { dir, home };
            bench.write("train", 8, "dove", "sì");
            bench.write("validation", 2, "quando", "no");
            bench.write("test", 3, "come", "forse");
            bench
        }

        fn write(&self, part: &str, rows: usize, prompt: &str, completion: &str) {
            let row = |i: usize| {
                let prompt = format!("{prompt} {}", "abcdefgh".repeat(i + 1));
                serde_json::json!({"prompt": prompt, "completion": format!("{completion} {i}"), "other": format!("{i} {prompt}")}).to_string() + "\n"
            };
            std::fs::write(self.dir.path().join(format!("{part}.jsonl")), (0..rows).map(row).collect::<String>()).expect("written");
        }

        pub(crate) fn request(&self, out: &str) -> Request {
            Request {
                task: "custom".into(),
                data: Source { folder: Some(self.dir.path().into()), ..Source::default() },
                // tests run in the folder of their crate
                model: "../../tests/reference/tiny".into(),
                method: "completion".into(),
                device: "cpu".into(),
                recipe: None,
                set: ["epochs=1", "batch=4", "answer_tokens=40"].map(String::from).to_vec(),
                rows: None,
                seed: 0,
                edited: false,
                trial: false,
                out: self.dir.path().join(out),
                command: String::new(),
            }
        }

        /// Under what the scores of the untuned model would be remembered, asked in each way.
        fn keys(&self, change: &dyn Fn(&mut Request)) -> [String; 2] {
            let mut request = self.request("out");
            change(&mut request);
            let p = run::prepare(&self.home, &request, None).expect("a sound request");
            let (own, test) = (p.set.examples(Split::Train), p.set.examples(Split::Test));
            let answerer = Answerer::new(&p.model, &p.tokenizer, &p.task, &p.recipe, &p.set.card.language).expect("an answerer");
            let answerer = answerer.showing(own, test, request.seed).and_then(|a| a.ending(own)).expect("short examples");
            let model = models::record(&Library::open(&self.home).expect("a library"), &request.model, &p.weights).expect("a record");
            WAYS.map(|(_, mode, _)| key(&p, &model, &answerer, test, mode).expect("a key"))
        }
    }

    #[test]
    fn what_the_model_reads_and_what_is_right_decide_what_is_remembered() {
        let b = Bench::new();
        let [untuned, shown] = b.keys(&|_| {});
        assert_ne!(untuned, shown);
        // what a training alone depends on changes nothing
        let training: [&dyn Fn(&mut Request); 4] =
            [&|_| {}, &|r| r.set.push("epochs=2".into()), &|r| r.set.push("rank=4".into()), &|r| r.method = "full".into()];
        for change in training {
            assert_eq!(b.keys(change), [untuned.clone(), shown.clone()]);
        }
        let schema = b.dir.path().join("schema.json");
        std::fs::write(&schema, r#"{"type": "object", "properties": {"a": {"type": "boolean"}}, "additionalProperties": false}"#).expect("written");
        let asking: [&dyn Fn(&mut Request); 8] = [
            &|r| r.model = "../../tests/reference/tiny/tiny-f32.gguf".into(),
            &|r| r.set.push("precision=bf16".into()),
            &|r| r.set.push("precision=q8".into()),
            &|r| r.set.push("precision=q4".into()),
            &|r| r.set.push("answer_tokens=4".into()),
            &|r| r.set.push("template.en={text} =".into()),
            &|r| r.data.columns = Columns::parse("prompt=other").expect("a column"),
            &|r| r.data.schema = Some(schema.clone()),
        ];
        let mut seen = BTreeSet::from([untuned.clone(), shown.clone()]);
        for (i, change) in asking.into_iter().enumerate() {
            assert!(b.keys(change).into_iter().all(|key| seen.insert(key)), "change {i}");
        }
        // other examples before the question, by chance or because the training set is another
        let [same, other] = b.keys(&|r| r.seed = 1);
        assert!(same == untuned && seen.insert(other));
        b.write("train", 8, "perché", "sì");
        let [same, other] = b.keys(&|_| {});
        assert!(same == untuned && seen.insert(other));
        b.write("train", 8, "dove", "sì");
        for (prompt, completion) in [("chi", "forse"), ("come", "mai")] {
            b.write("test", 3, prompt, completion);
            assert!(b.keys(&|_| {}).into_iter().all(|key| seen.insert(key)), "{prompt}: {completion}");
        }
        b.write("test", 3, "come", "forse");
        assert_eq!(b.keys(&|_| {}), [untuned, shown]);
    }

    #[test]
    fn an_answer_that_was_not_learnt_is_cut_off_a_little_beyond_twice_the_longest() {
        let b = Bench::new();
        let most = |set: &str| {
            let mut request = b.request("out");
            request.set.push(set.into());
            let p = run::prepare(&b.home, &request, None).expect("a sound request");
            let answerer = Answerer::new(&p.model, &p.tokenizer, &p.task, &p.recipe, "").expect("an answerer");
            let longest = p.tokenizer.encode(" sì 7").expect("tokens").len();
            (longest, answerer.ending(p.set.examples(Split::Train)).expect("short answers").untuned_tokens()[0])
        };
        let (longest, cut) = most("answer_tokens=256");
        assert!(cut >= 2 * longest && cut <= 2 * longest + 32 && cut % 16 == 0, "{cut} for {longest}");
        assert_eq!(most("answer_tokens=4").1, 4);
    }

    /// An untuned model that is shown nothing although there is something to show would make the tuned one look better than it is.
    #[test]
    fn of_long_rows_one_is_shown_and_where_none_fits_that_is_told() {
        let b = Bench::new();
        let tokenizer = gemma::Weights::open(std::path::Path::new("../../tests/reference/tiny")).and_then(|w| gemma::Tokenizer::open(&w)).expect("a tokenizer");
        // tokens of what stands before a question, of training rows of at least so many tokens
        let before = |tokens: usize| {
            let row = |i: usize| {
                let mut prompt = format!("dove {i}");
                while tokenizer.encode(&prompt).expect("tokens").len() < tokens {
                    prompt += " pacco";
                }
                serde_json::json!({"prompt": prompt, "completion": "sì"}).to_string() + "\n"
            };
            std::fs::write(b.dir.path().join("train.jsonl"), (0..4).map(row).collect::<String>()).expect("written");
            let mut request = b.request("out");
            request.set.push("max_tokens=500".into());
            let p = run::prepare(&b.home, &request, None).expect("a sound request");
            let test = p.set.examples(Split::Test);
            let answerer = Answerer::new(&p.model, &p.tokenizer, &p.task, &p.recipe, "").expect("an answerer");
            let answerer = answerer.showing(p.set.examples(Split::Train), test, request.seed).expect("short examples");
            let [plain, shown] = [false, true].map(|shown| answerer.prompts(&[&test[0].text], shown).expect("short questions")[0].len());
            assert_eq!(answerer.shows(), unshown(&answerer).is_none());
            assert_eq!(ways(&answerer).count(), 1 + usize::from(answerer.shows()));
            answerer.shows().then(|| shown - plain)
        };
        // several that are short together, one that is longer than they may be together, and none that leaves no room
        assert!(before(20).is_some_and(|tokens| (60..=130).contains(&tokens)), "{:?}", before(20));
        assert!(before(200).is_some_and(|tokens| (200..=220).contains(&tokens)), "{:?}", before(200));
        assert_eq!(before(475), None);
    }

    /// What a text brings along of what begins every text is left out behind examples, too.
    #[test]
    fn no_text_that_is_shown_or_asked_begins_anew() {
        let b = Bench::new();
        let prompts = |begin: &str| {
            let row = |i: usize| serde_json::json!({"prompt": format!("{begin}dove {i}"), "completion": "sì"}).to_string() + "\n";
            std::fs::write(b.dir.path().join("train.jsonl"), (0..4).map(row).collect::<String>()).expect("written");
            let p = run::prepare(&b.home, &b.request("out"), None).expect("a sound request");
            let answerer = Answerer::new(&p.model, &p.tokenizer, &p.task, &p.recipe, "").expect("an answerer");
            let answerer = answerer.showing(p.set.examples(Split::Train), p.set.examples(Split::Test), 0).expect("short examples");
            assert!(answerer.shows());
            let asked = format!("{begin}come 1");
            [false, true].map(|shown| answerer.prompts(&[asked.as_str()], shown).expect("short questions").concat())
        };
        let plain = prompts("");
        assert_eq!(prompts("<bos>"), plain);
        for ids in plain {
            assert!(ids[0] == BOS && !ids[1..].contains(&BOS), "{ids:?}");
        }
    }

    #[test]
    fn whatever_the_scores_depend_on_gives_another_key() {
        let labels = ["a".to_string(), "b".to_string()];
        let tables = [Table { name: "t".into(), columns: vec![Column { name: "c".into(), kind: String::new(), primary: false, refers: None }] }];
        let (right, other) = (Target::Label("a".into()), Target::Label("b".into()));
        let (config, scaled) = (gemma::Config::small(), gemma::Config { rope_factor: 8.0, ..gemma::Config::small() });
        let own = || Depends {
            version: "1",
            rules: 1,
            model: vec!["m", "n"],
            config: &config,
            precision: Precision::F32,
            kind: Kind::Intent,
            labels: &labels,
            tables: &[],
            json_schema: None,
            database: vec![None, None, None],
            tokens: [8, 8],
            beams: 1,
            prompts: vec![vec![2, 5], vec![2, 6]],
            examples: vec![("x", &right), ("y", &other)],
        };
        let same = own().key().expect("a key");
        assert_eq!(own().key().expect("a key"), same);
        let changed = [
            Depends { version: "2", ..own() },
            Depends { rules: 2, ..own() },
            Depends { model: vec!["m", "o"], ..own() },
            Depends { config: &scaled, ..own() },
            Depends { precision: Precision::Bf16, ..own() },
            Depends { precision: Precision::Q8, ..own() },
            Depends { precision: Precision::Q4, ..own() },
            Depends { kind: Kind::Custom, ..own() },
            Depends { labels: &labels[..1], ..own() },
            Depends { tables: &tables, ..own() },
            Depends { json_schema: Some("{}"), ..own() },
            Depends { database: vec![None, Some("d".into()), None], ..own() },
            Depends { tokens: [9, 8], ..own() },
            Depends { tokens: [8, 7], ..own() },
            Depends { beams: 4, ..own() },
            // another template, other values of a database, another example before it
            Depends { prompts: vec![vec![2, 5], vec![2, 7]], ..own() },
            Depends { prompts: vec![vec![2, 5, 2, 6], vec![]], ..own() },
            Depends { examples: vec![("x", &right), ("z", &other)], ..own() },
            Depends { examples: vec![("x", &right), ("y", &right)], ..own() },
        ];
        let keys: BTreeSet<String> = changed.iter().map(|d| d.key().expect("a key")).chain([same]).collect();
        assert_eq!(keys.len(), changed.len() + 1);
    }

    #[test]
    fn scores_are_remembered_and_damaged_ones_are_none() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let library = Home::open(Some(dir.path())).and_then(|home| Library::open(&home)).expect("a library");
        let rows = [Scored { expected: 0, answered: Some(0), probability: 0.5 }, Scored { expected: 1, answered: None, probability: 0.5 }];
        let scores = Metrics::from(classification(&["a".to_string(), "b".to_string()], &rows));
        assert_eq!(recall(&library, "k"), None);
        remember(&library, "k", &scores).expect("written");
        let back = recall(&library, "k").expect("remembered");
        assert_eq!((back.main(), back.examples()), (0.5, 2));
        assert_eq!(recall(&library, "l"), None);
        library.put_untuned("k", "{").expect("written");
        assert_eq!(recall(&library, "k"), None);
    }

    #[test]
    fn a_small_set_is_asked_whole_and_of_a_large_one_always_the_same_part() {
        let origin = Origin { file: Arc::new("test.jsonl".into()), line: 1 };
        let example = |i: usize| Example { text: i.to_string(), target: Target::Completion(String::new()), origin: origin.clone() };
        let examples: Vec<Example> = (0..624).map(example).collect();
        assert_eq!(*asked(&examples[..ASKED]), examples[..ASKED]);
        let (some, again) = (asked(&examples), asked(&examples));
        assert!(some.len() == ASKED && some == again && some.iter().any(|e| e.text.starts_with('5')), "{some:?}");
    }
}
