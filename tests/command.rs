//! The built command from outside: whole runs on the tiny model, and everything that must be refused
//! in one clear line with nothing half-written.

use acceptance::{root, tiny};
use gemma::lora::TensorFile;
#[cfg(target_os = "linux")]
use parquet::{
    basic::{Compression, ZstdLevel},
    data_type::{ByteArray, ByteArrayType},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
#[cfg(target_os = "linux")]
use std::io::Write;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
#[cfg(target_os = "linux")]
use std::sync::Arc;

/// A library, a data set of two intents and a folder for runs.
struct Bench {
    dir: tempfile::TempDir,
}

const WORDS: [(&str, [&str; 6]); 2] = [
    ("order_tracking", ["dove il pacco", "il pacco non arriva", "quando arriva il pacco", "il mio pacco dove", "pacco in ritardo", "non vedo il pacco"]),
    ("return_refund", ["voglio il rimborso", "come rendo la maglia", "rimborso della maglia", "la maglia la rendo", "rendo e rimborso", "maglia da rendere"]),
];

impl Bench {
    fn new() -> Self {
        let bench = Self { dir: tempfile::tempdir().expect("a folder") };
        let rows = |from: usize, to: usize| -> String {
            let row = |l: &str, t: &str| serde_json::json!({"text": t, "label": l}).to_string() + "\n";
            WORDS.iter().flat_map(|(l, texts)| texts[from..to].iter().map(move |t| row(l, t))).collect()
        };
        bench.write("train.jsonl", rows(0, 4).as_bytes());
        bench.write("validation.jsonl", rows(4, 5).as_bytes());
        bench.write("test.jsonl", rows(5, 6).as_bytes());
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        std::fs::write(self.path(name), bytes).expect("writable");
        self.path(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lapidary"));
        // what is expected below is English, wherever the tests run
        command.args(args).arg("--home").arg(self.path("home")).current_dir(self.dir.path()).env("LC_ALL", "C");
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the command runs")
    }

    /// [`Bench::run`] of a training into a folder, and a folder with the checkpoints that it had meanwhile: when it is completed it
    /// has none.
    fn run_watched(&self, args: &[&str], out: &str) -> (Output, PathBuf) {
        let kept = self.path(&format!("{out}-checkpoints"));
        std::fs::create_dir(&kept).expect("made");
        let keep = || {
            for file in train::checkpoint::list(&self.path(out).join("checkpoints")) {
                let copy = kept.join(file.file_name().expect("a name"));
                if !copy.exists() {
                    // one that was superseded meanwhile is not missed
                    let _ = std::fs::copy(&file, &copy);
                }
            }
        };
        let output = std::thread::scope(|scope| {
            let running = scope.spawn(|| self.run(args));
            while !running.is_finished() {
                keep();
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            running.join().expect("the command runs")
        });
        (output, kept)
    }

    /// Arguments of a short training of the tiny model.
    fn train<'a>(&self, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let model = Box::leak(tiny().display().to_string().into_boxed_str());
        // few tests want to know what it would cost, and to measure that takes as long as the run
        let mut args = vec!["train", "--no-forecast", "--task", "intent", "--data", ".", "--model", model, "--out", out];
        args.extend(["--set", "epochs=3", "--set", "batch=4"]);
        args.extend(more);
        args
    }

    /// Runs the command that the report of an unpacked run gives for repeating it there, and expects the same answers and the
    /// same adapter.
    fn repeated(&self, run: &str) {
        assert!(self.run(&["report", run, "--format", "json", "--out", "told"]).status.success());
        let told = json(&self.path("told/report.json"));
        let sections = told["document"]["sections"].as_array().expect("sections");
        let blocks = sections.iter().flat_map(|s| s["blocks"].as_array().into_iter().flatten());
        let recipe = format!("{}run.toml", std::path::MAIN_SEPARATOR);
        let command = blocks.filter_map(|b| b["text"].as_str()).find(|t| t.starts_with("lapidary train") && t.contains(&recipe)).expect("a command");
        // of a model that is a file, a report does not tell where it lies
        let model = tiny().display().to_string();
        assert!(!told.to_string().contains(&model), "{command}");
        let again = command.split(' ').skip(1).map(|word| if word == "reference/tiny" { model.as_str() } else { word });
        let again = self.run(&again.chain(["--no-forecast"]).collect::<Vec<_>>());
        assert!(again.status.success(), "{command}: {}", text(&again.stderr));
        for name in ["predictions.jsonl", "adapter/adapter_model.safetensors"] {
            let of = |folder: &str| std::fs::read(self.path(folder).join(name)).expect("there");
            assert!(of(run) == of(&format!("{run}/again")), "{command}: {name} differs");
        }
    }

    /// Runs, and expects exit code 1 with one line that holds every one of `parts`, and no run folder.
    fn refused(&self, args: &[&str], parts: &[&str]) {
        let out = self.run(args);
        let message = text(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{args:?}: {message}");
        assert_eq!(message.lines().count(), 1, "{args:?}: {message}");
        for part in parts {
            assert!(message.contains(part), "{args:?}: `{part}` is not in: {message}");
        }
        assert!(!self.path("out").exists(), "{args:?} left a run folder behind");
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(path: &Path) -> serde_json::Value {
    acceptance::json(path)
}

#[test]
fn a_run_by_each_method_leaves_a_whole_folder_that_can_be_used() {
    for method in ["head", "completion", "full"] {
        let b = Bench::new();
        let out = b.run(&b.train("out", &["--method", method, "--json"]));
        assert!(out.status.success(), "{}", text(&out.stderr));
        let learnt = if method == "full" { "weights/model.safetensors" } else { "adapter/adapter_model.safetensors" };
        let events: Vec<serde_json::Value> = text(&out.stdout).lines().map(|l| serde_json::from_str(l).expect("every line is JSON")).collect();
        let kinds: Vec<&str> = events.iter().filter_map(|e| e["type"].as_str()).collect();
        assert_eq!((kinds[0], kinds[kinds.len() - 1]), ("started", "completed"));
        for kind in ["step", "evaluation", "checkpoint", "forecast", "answering", "scored"] {
            assert!(kinds.contains(&kind), "{method}: no {kind} in {kinds:?}");
        }
        // the same few examples are answered at every evaluation, for a person to see it learn
        let evaluations: Vec<_> = events.iter().filter(|e| e["type"] == "evaluation").collect();
        let asked = |e: &serde_json::Value| -> Vec<String> {
            e["samples"].as_array().into_iter().flatten().filter_map(|s| s["input"].as_str().map(String::from)).collect()
        };
        assert!(!asked(evaluations[0]).is_empty() && evaluations.iter().all(|e| asked(e) == asked(evaluations[0])), "{method}: {evaluations:?}");
        assert!(evaluations.iter().flat_map(|e| e["samples"].as_array()).flatten().all(|s| s["right"] == (s["answer"] == s["expected"])), "{method}");
        let logged = std::fs::read_to_string(b.path("out/events.jsonl")).expect("events");
        assert_eq!(logged, text(&out.stdout), "the file and --json tell the same");

        let result = json(&b.path("out/result.json"));
        assert_eq!((result["status"].as_str(), result["method"].as_str()), (Some("completed"), Some(method)));
        for key in
            ["accuracy", "accuracy_ci", "macro_f1", "macro_f1_ci", "per_class", "confusion", "expected_calibration_error", "expected_calibration_error_ci"]
        {
            assert!(!result["metrics"][key].is_null(), "{method}: no {key}");
        }
        for key in
            ["seconds", "steps", "tokens", "tokens_per_second", "supervised_tokens", "peak_memory_bytes", "final_loss", "best_step", "first_step_seconds"]
        {
            assert!(result["train"][key].is_number(), "{method}: no train.{key}");
        }
        // the first step tells how long it took until it was done, and no other
        let first: Vec<_> = events.iter().filter(|e| !e["first_step_seconds"].is_null()).collect();
        assert!(first.len() == 1 && first[0]["step"] == 1 && first[0]["first_step_seconds"] == result["train"]["first_step_seconds"], "{method}: {first:?}");
        assert!(result["baselines"]["majority"]["accuracy"].is_number() && result["baselines"]["untuned"]["accuracy"].is_number());
        assert!(result["baselines"]["few_shot"]["accuracy"].is_number(), "{method}");
        assert_eq!(result["metrics_free"].is_object(), method != "head");
        if method != "head" {
            let gap = |of: &serde_json::Value| of["metrics"]["accuracy"].as_f64().unwrap_or(2.0) - of["metrics_free"]["accuracy"].as_f64().unwrap_or(-2.0);
            let found = &result["free_difference"];
            assert!(found["difference"].as_f64().is_some_and(|d| (d - gap(&result)).abs() < 1e-9) && found["difference_ci"][1].is_number(), "{found}");
        }
        let predictions = std::fs::read_to_string(b.path("out/predictions.jsonl")).expect("predictions");
        assert_eq!(predictions.lines().count(), 2);
        assert!(!predictions.contains("\"place\""), "two examples make no map");
        if method == "full" {
            // under Hugging Face names, and the table is not among them
            let file = TensorFile::open(&b.path("out").join(learnt)).expect("weights");
            assert!(file.shape("model.layers.0.mlp.down_proj.weight").is_some() && file.shape("model.norm.weight").is_some_and(|s| s.len() == 1));
            assert!(file.shape("model.embed_tokens.weight").is_none() && !b.path("out/adapter").exists());
        } else {
            let config = json(&b.path("out/adapter/adapter_config.json"));
            assert_eq!((config["peft_type"].as_str(), config["r"].as_u64()), (Some("LORA"), Some(16)));
        }

        let report = b.run(&["report", "out", "--language", "it"]);
        let path = text(&report.stdout).trim().to_string();
        let html = std::fs::read_to_string(b.dir.path().join(&path)).unwrap_or_else(|e| panic!("{path}: {e} {}", text(&report.stderr)));
        assert!(html.contains("<svg") && html.contains("order_tracking"));
        assert_eq!(html.contains("addestramento completo (si addestrano tutti i pesi"), method == "full");

        let written = b.run(&["report", "out", "--format", "md,pdf,csv,json", "--without", "mistakes", "--out", "report"]);
        assert!(written.status.success(), "{}", text(&written.stderr));
        assert!(std::fs::read(b.path("report/report.pdf")).expect("a PDF").starts_with(b"%PDF-"));
        assert!(!std::fs::read_to_string(b.path("report/report.md")).expect("Markdown").contains("Mistakes worth reading"));
        assert!(text(&written.stdout).lines().any(|l| l.ends_with("results.csv")) && b.path("report/tables/results.csv").exists());

        // packed and unpacked, it is the same run
        assert!(b.run(&["pack", "out", "--out", "run.lapidary"]).status.success());
        let unpacked = b.run(&["unpack", "run.lapidary", "--out", "again"]);
        assert!(unpacked.status.success(), "{}", text(&unpacked.stderr));
        for name in ["run.toml", "result.json", "events.jsonl", "predictions.jsonl", learnt] {
            assert_eq!(std::fs::read(b.path("again").join(name)).ok(), std::fs::read(b.path("out").join(name)).ok(), "{name}");
        }
        let compared = b.run(&["compare", "out", "again", "--json"]);
        let compared: serde_json::Value = serde_json::from_slice(&compared.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&compared.stderr)));
        assert_eq!((compared["tables"]["paired"][0]["p"].as_f64(), compared["tables"]["choices"].is_null()), (Some(1.0), true));

        // the reloaded model answers as the one that was evaluated
        let first: serde_json::Value = serde_json::from_str(predictions.lines().next().expect("a line")).expect("JSON");
        let asked = b.run(&["predict", "out", first["input"].as_str().expect("an input"), "--json"]);
        let answer: serde_json::Value = serde_json::from_slice(&asked.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&asked.stderr)));
        assert_eq!(answer["answer"], first["answer"]);
        let gap = answer["probability"].as_f64().unwrap_or(2.0) - first["probability"].as_f64().unwrap_or(-2.0);
        assert!(gap.abs() < 1e-5, "{method}: {gap}");
        let scored = b.run(&["eval", "out", "--test", "test.jsonl", "--json"]);
        let scores: serde_json::Value = serde_json::from_slice(&scored.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&scored.stderr)));
        assert_eq!(scores["accuracy"], result["metrics"]["accuracy"]);
        let taken = b.run(&["eval", "--predictions", "out/predictions.jsonl", "--like", "out", "--json"]);
        let taken: serde_json::Value = serde_json::from_slice(&taken.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&taken.stderr)));
        let compared = b.run(&["compare", "out", taken["path"].as_str().expect("a folder"), "--json", "--without", "choices"]);
        let compared: serde_json::Value = serde_json::from_slice(&compared.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&compared.stderr)));
        assert_eq!((compared["tables"]["paired"][0]["p"].as_f64(), compared["tables"]["choices"].is_null()), (Some(1.0), true));
        let elsewhere = b.run(&["eval", "--predictions", "out/predictions.jsonl", "--task", "intent", "--test", "test.jsonl", "--json"]);
        let scores: serde_json::Value = serde_json::from_slice(&elsewhere.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&elsewhere.stderr)));
        assert_eq!(scores["accuracy"], result["metrics"]["accuracy"]);
    }
}

/// The expected answers themselves score 1 in every task, and mistakes score what they are.
#[test]
fn answers_from_elsewhere_are_scored_in_every_task() {
    let b = Bench::new();
    let shipped = |name: &str| root().join("datasets").join(name).display().to_string();
    let eval = |task: &str, answers: &str, test: &str, more: &[&str]| -> serde_json::Value {
        let out = b.run(&[&["eval", "--json", "--predictions", answers, "--task", task, "--test", test][..], more].concat());
        serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{task}: {e}: {}", text(&out.stderr)))
    };
    let (schema, seed) = (shipped("sql-it/schema.sql"), shipped("sql-it/seed.sql"));
    let database = ["--schema", schema.as_str(), "--database", seed.as_str()];
    let sql = shipped("sql-it/test.jsonl");
    let right = eval("sql", &sql, &sql, &database);
    for metric in ["execution_accuracy", "exact_match", "valid_sql"] {
        assert_eq!(right[metric], 1.0, "{right}");
        assert!(right[format!("{metric}_ci")].is_array());
    }
    let entities = shipped("entities-it/test.jsonl");
    let right = eval("entities", &entities, &entities, &[]);
    assert!(right["f1"] == 1.0 && right["per_type"]["people"]["f1"] == 1.0 && right["errors"]["missed"] == 0, "{right}");
    let tags = shipped("hashtags-it/test.jsonl");
    let right = eval("hashtags", &tags, &tags, &[]);
    assert!(right["f1"] == 1.0 && right["at_least_one_hit"] == 1.0 && right["diversity"] == right["diversity_expected"], "{right}");

    // answers in the order of the examples: right by result, wrong, hostile, none
    let questions = ["SELECT COUNT(*) FROM clienti", "SELECT nome FROM categorie", "SELECT nome FROM prodotti", "SELECT 1"];
    let rows: Vec<String> = questions.iter().map(|q| serde_json::json!({"question": q, "sql": q}).to_string()).collect();
    b.write("sql.jsonl", rows.join("\n").as_bytes());
    let answers = ["select count(id) from clienti", "SELECT ragione_sociale FROM fornitori", "DROP TABLE prodotti", ""];
    let rows: Vec<String> = answers.iter().map(|a| serde_json::json!({"answer": a}).to_string()).collect();
    b.write("answers.jsonl", rows.join("\n").as_bytes());
    let mixed = eval("sql", "answers.jsonl", "sql.jsonl", &[&database[..], &["--out", "a folder/not made/judged.jsonl"]].concat());
    assert_eq!((&mixed["execution_accuracy"], &mixed["valid_sql"], &mixed["exact_match"]), (&0.25.into(), &0.5.into(), &0.0.into()));
    let judged = std::fs::read_to_string(b.path("a folder/not made/judged.jsonl")).expect("written");
    // where nothing can be written is told before anything is asked
    let refused = b.run(&["eval", "nowhere", "--out", "a folder"]);
    assert!(refused.status.code() == Some(1) && text(&refused.stderr).starts_with("error: a folder: "), "{}", text(&refused.stderr));
    let reasons: Vec<String> = judged.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).expect("JSON")["reason"].to_string()).collect();
    assert!(
        reasons[0] == "null" && reasons[1].contains("something else") && reasons[2].contains("more than read") && reasons[3].contains("empty"),
        "{reasons:?}"
    );
    // a label that is none of the set is told
    b.write("theirs.jsonl", b"{\"answer\":\"order_tracking\"}\n{\"answer\":\"Refund\"}\n");
    assert_eq!(eval("intent", "theirs.jsonl", "test.jsonl", &["--out", "labels.jsonl"])["accuracy"], 0.5);
    let labels = std::fs::read_to_string(b.path("labels.jsonl")).expect("written");
    let labels: Vec<serde_json::Value> = labels.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert!(labels[0]["reason"].is_null() && labels[1]["reason"].as_str().is_some_and(|why| why.contains("not one of the labels: Refund")), "{labels:?}");
    b.write("custom.jsonl", b"{\"prompt\":\"Ciao\",\"completion\":\"Buongiorno a te.\"}\n");
    b.write("said.jsonl", b"{\"prediction\":\"buongiorno, a te\"}\n");
    let free = eval("custom", "said.jsonl", "custom.jsonl", &[]);
    // a score alone is no run: only what is taken in beside one is, which has a folder
    let home = lab::Home::open(Some(&b.path("home"))).expect("the library's folder");
    assert_eq!(lab::library::Library::open(&home).and_then(|l| l.runs()).expect("the library"), []);
    assert!(free["exact_match"] == 0.0 && free["normalised_match"] == 1.0 && free["chrf"].as_f64().is_some_and(|f| f > 0.6 && f < 1.0), "{free}");
    let shown = b.run(&[
        "eval",
        "--predictions",
        "answers.jsonl",
        "--task",
        "sql",
        "--test",
        "sql.jsonl",
        "--language",
        "it",
        database[0],
        database[1],
        database[2],
        database[3],
    ]);
    assert!(text(&shown.stdout).starts_with("accuratezza di esecuzione 25,0 %"), "{}{}", text(&shown.stdout), text(&shown.stderr));

    let refused = |answers: &str, more: &[&str], parts: &[&str]| {
        let args = [&["eval", "--predictions", answers, "--task", "sql", "--test", "sql.jsonl"][..], more].concat();
        b.refused(&args, parts);
    };
    refused("answers.jsonl", &[], &["--schema", "--database"]);
    b.write("short.jsonl", b"{\"answer\":\"SELECT 1\"}\n");
    refused("short.jsonl", &database, &["short.jsonl", "holds 1 answer,", "sql.jsonl holds 4 examples"]);
    b.write("other.jsonl", b"{\"foo\":\"SELECT 1\"}\n");
    refused("other.jsonl", &database, &["other.jsonl:1", "no `answer`", "foo"]);
    b.write("cut.jsonl", b"{\"answer\":\"SELECT 1\"}\n{\"answ");
    refused("cut.jsonl", &database, &["cut.jsonl:2", "not valid JSON"]);
    b.write("named.jsonl", b"{\"input\":\"other\",\"answer\":\"SELECT 1\"}\n");
    refused("named.jsonl", &database, &["named.jsonl", "sql.jsonl:1"]);
    b.write("bad.sql", b"CREATE TABLE t (a);\nCREATE TABLE t (a);\n");
    refused("answers.jsonl", &["--schema", "bad.sql"], &["bad.sql", "line 2", "already exists"]);
}

/// Whole runs of the tasks that answer with more than a label, by completion. The tiny model knows nothing: what is
/// looked at is that answers obey their constraint and are scored, kept, reproduced.
#[test]
fn a_run_of_every_other_task_leaves_a_whole_folder_that_can_be_used() {
    let shipped = |name: &str, count: usize| -> String {
        let all = std::fs::read_to_string(root().join("datasets").join(name)).expect("shipped");
        all.lines().take(count).map(|l| format!("{l}\n")).collect()
    };
    let query = |q: &str, sql: &str| serde_json::json!({"question": q, "sql": sql}).to_string() + "\n";
    let queries = query("Quanti clienti?", "SELECT COUNT(*) FROM clienti")
        + &query("Nomi", "SELECT nome\nFROM clienti")
        + &query("Di Roma", "SELECT nome FROM clienti WHERE citta = 'Roma'");
    let texts = "{\"prompt\":\"Ciao\",\"completion\":\"A te\"}\n{\"prompt\":\"Addio\",\"completion\":\"Ciao\"}\n".to_string();
    let model = tiny().display().to_string();
    for (task, train, test, metrics, baselines) in [
        ("entities", shipped("entities-it/train.jsonl", 8), shipped("entities-it/test.jsonl", 2), vec!["precision", "recall", "f1"], vec!["gazetteer"]),
        ("hashtags", shipped("hashtags-it/train.jsonl", 8), shipped("hashtags-it/test.jsonl", 2), vec!["f1", "at_least_one_hit"], vec!["nearest"]),
        ("sql", queries.clone(), queries.clone(), vec!["execution_accuracy", "exact_match", "valid_sql"], vec!["nearest"]),
        ("custom", texts.clone(), texts.clone(), vec!["exact_match", "rouge_l", "chrf"], vec!["nearest"]),
    ] {
        let b = Bench::new();
        b.write("train.jsonl", train.as_bytes());
        b.write("validation.jsonl", test.as_bytes());
        b.write("test.jsonl", test.as_bytes());
        b.write("schema.sql", b"CREATE TABLE clienti (id INTEGER PRIMARY KEY, nome TEXT, citta TEXT);");
        b.write("rows.sql", b"INSERT INTO clienti (nome, citta) VALUES ('Anna', 'Roma'), ('Bruno', 'Bari');");
        let database = if task == "sql" { "schema = \"schema.sql\"\nseed = \"rows.sql\"\n" } else { "" };
        let card = format!("name = \"x\"\ntask = \"{task}\"\nlanguage = \"it\"\n{database}");
        b.write("dataset.toml", card.as_bytes());
        let out = b.run(&[
            "train",
            "--task",
            task,
            "--data",
            ".",
            "--model",
            &model,
            "--out",
            "out",
            "--json",
            "--method",
            "completion",
            "--set",
            "epochs=1",
            "--set",
            "batch=4",
            "--set",
            "answer_tokens=24",
            "--set",
            "max_tokens=500",
            // the tables may stand in the prompt, which is then exported with them
            "--set",
            if task == "sql" { r#"template.it="{schema}\nDomanda: {text}\nValori: {values}\nSQL:""# } else { "train.warmup=0.1" },
        ]);
        assert!(out.status.success(), "{task}: {}", text(&out.stderr));
        // what it says of the validation rows at the end of its one round, freely
        let told = text(&out.stdout);
        let events = told.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).expect("JSON"));
        let samples: Vec<_> = events.filter(|e| e["type"] == "evaluation").filter_map(|e| e["samples"].as_array().cloned()).collect();
        assert!(samples.iter().all(|s| s.len() == test.lines().count() && s.iter().all(|s| s["expected"].is_string())), "{task}: {samples:?}");
        assert_eq!(samples.len(), 1, "{task}");
        let result = json(&b.path("out/result.json"));
        for metric in metrics {
            let (value, ci) = (&result["metrics"][metric], &result["metrics"][format!("{metric}_ci")]);
            assert!(value.is_number() && ci.as_array().is_some_and(|ci| ci.len() == 2), "{task}: {metric} in {}", result["metrics"]);
        }
        assert_eq!(result["metrics_free"].is_object(), task != "custom");
        assert_eq!(result["free_difference"]["difference"].is_number(), task != "custom");
        for baseline in baselines.into_iter().chain(["majority", "untuned", "few_shot"]) {
            assert!(result["baselines"][baseline].is_object(), "{task}: no {baseline}");
        }
        // on the training questions themselves the nearest one is the same
        if task == "sql" {
            assert_eq!(result["baselines"]["nearest"]["execution_accuracy"], 1.0);
        }
        let predictions = std::fs::read_to_string(b.path("out/predictions.jsonl")).expect("predictions");
        let predictions: Vec<serde_json::Value> = predictions.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
        assert_eq!(predictions.len(), test.lines().count());
        for p in &predictions {
            let output = p["output"].as_str().expect("an output");
            assert_eq!(p["free_score"].is_number(), task != "custom", "{p}");
            assert!(p["answer"].is_string() || p["reason"].is_string(), "{task}: no answer and no reason in {p}");
            match task {
                "entities" => assert!(output.starts_with(" ["), "{output}"),
                "hashtags" => assert!(output.starts_with(" #"), "{output}"),
                "sql" => assert!(output.to_uppercase().starts_with(" SELECT") || output.to_uppercase().starts_with(" WITH"), "{output}"),
                _ => {}
            }
        }
        let asked = b.run(&["predict", "out", predictions[0]["input"].as_str().expect("an input"), "--json"]);
        let answer: serde_json::Value = serde_json::from_slice(&asked.stdout).unwrap_or_else(|e| panic!("{task}: {e}: {}", text(&asked.stderr)));
        assert_eq!(answer["output"], predictions[0]["output"], "{task}");
        let scored = b.run(&["eval", "out", "--test", "test.jsonl", "--json"]);
        let scores: serde_json::Value = serde_json::from_slice(&scored.stdout).unwrap_or_else(|e| panic!("{task}: {e}: {}", text(&scored.stderr)));
        assert_eq!(scores, result["metrics"], "{task}");
        let report = b.run(&["report", "out"]);
        assert!(report.status.success(), "{task}: {}", text(&report.stderr));
        if task == "sql" {
            let exported = b.run(&["export", "out", "--format", "gguf", "--out", "exported"]);
            assert!(exported.status.success(), "{}", text(&exported.stderr));
            let [modelfile, page] = ["Modelfile", "README.md"].map(|name| std::fs::read_to_string(b.path("exported").join(name)).expect("written"));
            assert!(modelfile.contains("clienti(id, nome, citta)") && !modelfile.contains("{schema}") && !modelfile.contains("{values}"), "{modelfile}");
            // the command that made it says how the prompt was set
            let page = page.split("## Origin").next().unwrap_or_default();
            assert!(page.contains("clienti(id, nome, citta)") && !page.contains("{schema}") && page.contains("In place of `{values}`"), "{page}");
        }

        // packed, and unpacked where none of the data is, it is scored again: model, examples and database came with it
        assert!(b.run(&["pack", "out", "--out", "run.lapidary"]).status.success());
        for name in ["train.jsonl", "validation.jsonl", "test.jsonl", "schema.sql", "rows.sql", "dataset.toml", "out"] {
            std::fs::rename(b.path(name), b.path(&format!("gone-{name}"))).expect("moved");
        }
        let unpacked = b.run(&["unpack", "run.lapidary", "--out", "again"]);
        assert!(unpacked.status.success(), "{task}: {}", text(&unpacked.stderr));
        let scored = b.run(&["eval", "again", "--json"]);
        let scores: serde_json::Value = serde_json::from_slice(&scored.stdout).unwrap_or_else(|e| panic!("{task}: {e}: {}", text(&scored.stderr)));
        assert_eq!(scores, result["metrics"], "{task}");
        let mut elsewhere = vec!["eval", "--predictions", "again/predictions.jsonl", "--task", task, "--test", "again/data/test.jsonl", "--json"];
        if task == "sql" {
            elsewhere.extend(["--schema", "again/data/schema.sql", "--database", "again/data/seed.sql"]);
        }
        let scored = b.run(&elsewhere);
        let scores: serde_json::Value = serde_json::from_slice(&scored.stdout).unwrap_or_else(|e| panic!("{task}: {e}: {}", text(&scored.stderr)));
        let (name, _) = result["metrics"].as_object().and_then(|m| m.iter().find(|(_, v)| v.is_number())).expect("a metric");
        assert_eq!(scores[name], result["metrics"][name], "{task}: {name}");
        // and repeated, with the settings and the data that came with it
        b.repeated("again");
        // what was changed on the way is not scored as if it were the same
        b.write("again/data/test.jsonl", train.as_bytes());
        if train != test {
            b.refused(&["eval", "again"], &["has changed since the run began"]);
        }
    }
}

/// Completions of a custom task that are held to a JSON schema: the run folder alone knows it, answers fit it, and free ones are
/// scored beside them.
#[test]
fn a_custom_task_is_held_to_a_json_schema() {
    let b = Bench::new();
    let row = |text: &str, kind: &str, urgent: bool| {
        format!("{}\n", serde_json::json!({"prompt": text, "completion": format!("{{\"kind\": \"{kind}\", \"urgent\": {urgent}}}")}))
    };
    let rows = row("dove il pacco", "order", false) + &row("voglio il rimborso", "refund", true) + &row("pacco in ritardo", "order", true);
    for name in ["train.jsonl", "validation.jsonl", "test.jsonl"] {
        b.write(name, rows.as_bytes());
    }
    let schema = r#"{"type": "object", "properties": {"kind": {"enum": ["order", "refund"]}, "urgent": {"type": "boolean"}},
        "required": ["kind", "urgent"], "additionalProperties": false}"#;
    b.write("answer.json", schema.as_bytes());
    b.write("dataset.toml", b"name = \"x\"\ntask = \"custom\"\nlanguage = \"it\"\nschema = \"answer.json\"\n");
    let model = tiny().display().to_string();
    let train = |out: &'static str, more: &[&'static str]| -> Vec<String> {
        let args = ["train", "--task", "custom", "--data", ".", "--model", &model, "--out", out, "--json", "--set", "epochs=1", "--set", "answer_tokens=400"];
        args.iter().chain(more).map(|arg| (*arg).to_string()).collect()
    };
    let scored = |args: &[&str]| -> serde_json::Value {
        let out = b.run(args);
        serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {}", text(&out.stderr)))
    };

    // told before anything is trained, in the language of the person
    for (name, bytes, english, italian) in [
        ("bad.json", "CREATE TABLE t (a);".as_bytes(), "is not the JSON schema", "non è lo schema JSON"),
        ("unique.json", br#"{"type": "array", "uniqueItems": true}"#, "uniqueItems", "nessun modello può essere vincolato"),
        ("missing.json", b"", "missing.json", "missing.json"),
    ] {
        if !bytes.is_empty() {
            b.write(name, bytes);
        }
        let (schema, language) = (["--schema".to_string(), name.to_string()], ["--language".to_string(), "it".to_string()]);
        let args = [train("out", &[]), schema.to_vec()].concat();
        b.refused(&args.iter().map(String::as_str).collect::<Vec<_>>(), &[name, english]);
        let args = [args, language.to_vec()].concat();
        b.refused(&args.iter().map(String::as_str).collect::<Vec<_>>(), &[name, italian]);
    }
    let checked = b.run(&["data", "check", ".", "--task", "custom", "--schema", "unique.json"]);
    assert!(checked.status.code() == Some(1) && text(&checked.stderr).contains("uniqueItems"), "{}", text(&checked.stderr));

    let args = train("out", &[]);
    let (out, checkpoints) = b.run_watched(&args.iter().map(String::as_str).collect::<Vec<_>>(), "out");
    assert!(out.status.success(), "{}", text(&out.stderr));
    assert!(!text(&out.stdout).contains("JSON schema"), "every row fits: {}", text(&out.stdout));
    let result = json(&b.path("out/result.json"));
    for scores in [&result["metrics"], &result["metrics_free"], &result["baselines"]["nearest"], &result["baselines"]["untuned"]] {
        assert!(scores["schema_valid"].is_number() && scores["schema_valid_ci"].is_array(), "{result}");
    }
    assert_eq!((&result["metrics"]["schema_valid"], &result["baselines"]["untuned"]["schema_valid"]), (&1.0.into(), &1.0.into()), "{result}");
    assert_eq!(result["metrics_free"]["schema_valid"], 0.0, "a model that knows nothing writes no JSON by itself: {result}");
    let report = b.run(&["report", "out", "--format", "md", "--out", "report"]);
    assert!(report.status.success(), "{}", text(&report.stderr));
    assert!(std::fs::read_to_string(b.path("report/report.md")).expect("a report").contains("Fits the schema"));

    // what was cut off before its result goes on under the same schema, and under no other
    std::fs::remove_file(b.path("out/result.json")).expect("removed");
    std::fs::rename(checkpoints, b.path("out/checkpoints")).expect("moved");
    b.write("answer.json", schema.replace("refund", "return").as_bytes());
    let refused = b.run(&["resume", "out"]);
    assert!(refused.status.code() == Some(1) && text(&refused.stderr).contains("answer.json has changed"), "{}", text(&refused.stderr));
    b.write("answer.json", schema.as_bytes());
    assert!(b.run(&["resume", "out", "--quiet"]).status.success());
    assert_eq!(json(&b.path("out/result.json"))["metrics"], result["metrics"]);

    // the folder alone, without the data, answers as before
    assert!(b.run(&["pack", "out", "--out", "run.lapidary", "--without-data"]).status.success());
    for name in ["train.jsonl", "validation.jsonl", "answer.json", "dataset.toml", "out"] {
        std::fs::rename(b.path(name), b.path(&format!("gone-{name}"))).expect("moved");
    }
    assert!(b.run(&["unpack", "run.lapidary", "--out", "again"]).status.success());
    assert_eq!(scored(&["eval", "again", "--test", "test.jsonl", "--json"]), result["metrics"]);
    let asked = scored(&["predict", "again", "dove il pacco", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(asked["answer"].as_str().expect("an answer")).expect("JSON");
    assert!(answer["urgent"].is_boolean(), "{asked}");

    // answers from elsewhere are held to it too: in another order, of another kind, no JSON
    let said: Vec<String> = [r#"{"urgent":false,"kind":"order"}"#, r#"{"kind":"offer","urgent":true}"#, "order, urgent"]
        .iter()
        .map(|a| serde_json::json!({"answer": a}).to_string())
        .collect();
    b.write("said.jsonl", said.join("\n").as_bytes());
    let args =
        ["eval", "--predictions", "said.jsonl", "--task", "custom", "--test", "test.jsonl", "--schema", "gone-answer.json", "--json", "--out", "judged.jsonl"];
    let held = scored(&args)["schema_valid"].as_f64();
    assert!(held.is_some_and(|share| (share - 1.0 / 3.0).abs() < 1e-9), "{held:?}");
    let judged = std::fs::read_to_string(b.path("judged.jsonl")).expect("written");
    assert!(judged.contains("it does not fit the schema at /kind (enum)") && judged.contains("not JSON"), "{judged}");
    let taken = scored(&["eval", "--predictions", "said.jsonl", "--like", "again", "--json"]);
    assert_eq!(json(&b.path(taken["path"].as_str().expect("a folder")).join("result.json"))["metrics"]["schema_valid"].as_f64(), held);

    // rows that a model which is held to the schema could not write are told
    b.write(
        "rows.jsonl",
        (rows.clone() + &row("altro", "offer", true) + "{\"prompt\": \"ultimo\", \"completion\": \"{\\\"urgent\\\": true, \\\"kind\\\": \\\"order\\\"}\"}\n")
            .as_bytes(),
    );
    let found = scored(&["data", "check", "rows.jsonl", "--task", "custom", "--schema", "gone-answer.json", "--json"]);
    let found = found.to_string();
    assert!(found.contains("\"schema\"") && found.contains("rows.jsonl:4") && found.contains("\"schema_order\"") && found.contains("rows.jsonl:5"), "{found}");
}

/// A run with validation examples enough is calibrated on them as it ends; `calibrate` does it again, `predict` applies it.
#[test]
fn probabilities_are_calibrated_on_the_validation_set_and_unsure_answers_withheld() {
    for method in ["head", "completion"] {
        let b = Bench::new();
        let row = |i: usize| {
            // words that half of the messages of either label have
            let (words, label) = if i.is_multiple_of(2) { ("dove si trova il pacco", "order_tracking") } else { ("voglio un rimborso", "return_refund") };
            serde_json::json!({"text": format!("{} {i}", if i.is_multiple_of(3) { "buongiorno a voi" } else { words }), "label": label}).to_string() + "\n"
        };
        let rows = |range: std::ops::Range<usize>| range.map(row).collect::<String>();
        b.write("train.jsonl", rows(0..12).as_bytes());
        b.write("validation.jsonl", rows(100..130).as_bytes());
        b.write("test.jsonl", rows(200..230).as_bytes());
        let out = b.run(&b.train("run", &["--method", method, "--json"]));
        assert!(out.status.success(), "{}", text(&out.stderr));
        let first = json(&b.path("run/calibration.json"));
        assert!(first["temperature"].as_f64().is_some_and(|t| t > 0.0), "{first}");
        assert_eq!((first["validation"]["examples"].as_u64(), first["test"]["examples"].as_u64()), (Some(30), Some(30)), "{first}");
        let kept = || -> Vec<serde_json::Value> {
            let text = std::fs::read_to_string(b.path("run/predictions.jsonl")).expect("predictions");
            text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
        };
        assert!(kept().iter().all(|p| p["calibrated"].as_f64().is_some_and(|c| (0.0..=1.0).contains(&c))));
        let places = || kept().iter().map(|p| p["place"].clone()).collect::<Vec<_>>();
        let placed = places();
        let two = |p: &serde_json::Value| p.as_array().is_some_and(|at| at.len() == 2 && at.iter().all(serde_json::Value::is_number));
        assert!(placed.len() == 30 && placed.iter().all(two), "{placed:?}");
        // they come with the run, and lie in the same places where it is repeated
        assert!(b.run(&["pack", "run", "--out", "run.lapidary"]).status.success());
        assert!(b.run(&["unpack", "run.lapidary", "--out", "again"]).status.success());
        let predictions = |run: &str| std::fs::read(b.path(run).join("predictions.jsonl")).expect("predictions");
        assert!(predictions("again") == predictions("run"));
        if method == "head" {
            b.repeated("again");
            // a trial is made for its scores alone
            let tried = b.run(&b.train("tried", &["--method", method, "--trial"]));
            assert!(tried.status.success() && !text(&predictions("tried")).contains("\"place\""), "{}", text(&tried.stderr));
        }

        // the same again, now for an accuracy that half of the answers reach
        let again = b.run(&["calibrate", "run", "--accuracy", "0.5", "--json"]);
        let again: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&again.stderr)));
        let near = |a: &serde_json::Value, b: &serde_json::Value| (a.as_f64().unwrap_or(f64::NAN) - b.as_f64().unwrap_or(f64::NAN)).abs() < 1e-3;
        assert!(
            near(&again["temperature"], &first["temperature"]) && near(&again["test"]["error_calibrated"], &first["test"]["error_calibrated"]),
            "{again} {first}"
        );
        let threshold = again["threshold"]["threshold"].as_f64().unwrap_or_else(|| panic!("no threshold in {again}"));
        assert_eq!(json(&b.path("run/calibration.json")), again);
        assert_eq!(places(), placed);
        assert!(b.run(&["calibrate", "run", "--accuracy", "0.5", "--language", "it"]).status.success());

        let texts: Vec<String> = kept().iter().map(|p| p["input"].as_str().expect("an input").to_string()).collect();
        let ask = |option: &str| -> Vec<serde_json::Value> {
            let args: Vec<&str> = ["predict", "run", option, "--json"].into_iter().chain(texts.iter().map(String::as_str)).collect();
            let asked = b.run(&args);
            assert!(asked.status.success(), "{}", text(&asked.stderr));
            text(&asked.stdout).lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
        };
        for (answer, kept) in ask("--calibrated").iter().zip(kept()) {
            assert!(near(&answer["probability"], &kept["calibrated"]) && answer["answer"] == kept["answer"], "{answer} {kept}");
        }
        let mut given = 0;
        for answer in ask("--abstain") {
            let sure = answer["probability"].as_f64().expect("a probability") >= threshold;
            assert_eq!(answer["answer"].is_string(), sure, "{answer}, threshold {threshold}");
            assert!(sure || answer["reason"].as_str().is_some_and(|r| r.starts_with("withheld")), "{answer}");
            given += usize::from(sure);
        }
        let share = given as f64 / texts.len() as f64;
        assert!((share - again["threshold_on_test"]["coverage"].as_f64().expect("a share")).abs() < 0.05, "{share} {again}");

        let report = b.run(&["report", "run", "--format", "md"]);
        let markdown = std::fs::read_to_string(b.path("run/report.md")).expect("Markdown");
        assert!(report.status.success() && markdown.contains("which had no part in it") && markdown.contains("(30 of 30)"), "{markdown}");
        let map = json(&b.path("run/figures/map.json"));
        assert_eq!((map["kind"].as_str(), map["points"].as_array().map(Vec::len)), (Some("mistakes_map"), Some(30)), "{map}");
        // another system's answers to the same examples lie where these do
        let taken = b.run(&["eval", "--predictions", "run/predictions.jsonl", "--like", "run", "--json"]);
        let taken: serde_json::Value = serde_json::from_slice(&taken.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&taken.stderr)));
        let taken = std::fs::read_to_string(b.path(taken["path"].as_str().expect("a folder")).join("predictions.jsonl")).expect("predictions");
        let taken: Vec<serde_json::Value> = taken.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
        assert_eq!(taken.iter().map(|p| p["place"].clone()).collect::<Vec<_>>(), placed);
        // the test set may not choose, and too few examples settle nothing
        b.refused(&["calibrate", "run", "--validation", "test.jsonl"], &["is the test set of this run"]);
        b.write("few.jsonl", rows(300..305).as_bytes());
        b.refused(&["calibrate", "run", "--validation", "few.jsonl"], &["5 validation examples are too few"]);
        b.refused(&["calibrate", "run", "--accuracy", "2"], &["between 0 and 1"]);
        std::fs::remove_file(b.path("run/calibration.json")).expect("removed");
        b.refused(&["predict", "run", "--calibrated", "ciao"], &["has not been calibrated"]);
    }
}

/// A message may fill the model's context. A head reads it; the untuned model, which is asked with a prompt around it and must
/// still have room to answer, cannot: that baseline is left out and told, and the run is as good as any.
#[test]
fn a_baseline_that_cannot_be_asked_is_left_out_and_costs_no_run() {
    let b = Bench::new();
    let tokenizer = gemma::Tokenizer::open(&gemma::Weights::open(&tiny()).expect("the tiny model")).expect("its tokenizer");
    let mut long = "pacco".to_string();
    while tokenizer.encode_with_bos(&long).expect("tokens").len() < 505 {
        long += " pacco";
    }
    let rows = std::fs::read_to_string(b.path("test.jsonl")).expect("rows");
    b.write("test.jsonl", (rows + &serde_json::json!({"text": long, "label": "order_tracking"}).to_string() + "\n").as_bytes());
    let forecast = b.run(&b.train("out", &["--method", "head", "--forecast", "--json"]));
    assert!(forecast.status.success(), "{}", text(&forecast.stderr));
    let out = b.run(&b.train("out", &["--method", "head", "--json"]));
    assert!(out.status.success(), "{}", text(&out.stderr));
    let result = json(&b.path("out/result.json"));
    assert_eq!((&result["status"], &result["metrics"]["examples"]), (&"completed".into(), &3.into()), "{result}");
    assert!(result["baselines"]["majority"].is_object() && result["baselines"]["untuned"].is_null(), "{}", result["baselines"]);
    let warned = text(&out.stdout).lines().any(|l| l.contains("\"warning\"") && l.contains("without the untuned model") && l.contains("shorten it"));
    assert!(warned, "{}", text(&out.stdout));
    assert_eq!(std::fs::read_to_string(b.path("out/predictions.jsonl")).expect("predictions").lines().count(), 3);
    assert!(b.run(&["report", "out"]).status.success());
}

/// A query may run within the limits of those who read a set and not within those of a judge, such as that of a pattern: that is
/// found before the training.
#[test]
fn an_expected_query_that_cannot_be_scored_is_refused_before_training() {
    let b = Bench::new();
    let query = |q: &str, sql: &str| serde_json::json!({"question": q, "sql": sql}).to_string() + "\n";
    // the check of a data set lets a query find ten times as many rows
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001) SELECT i FROM n";
    b.write("train.jsonl", query("Nomi", "SELECT nome FROM clienti").repeat(4).as_bytes());
    std::fs::remove_file(b.path("validation.jsonl")).expect("removed");
    b.write("test.jsonl", (query("Nomi", "SELECT nome FROM clienti") + &query("Numeri", many)).as_bytes());
    b.write("schema.sql", b"CREATE TABLE clienti (id INTEGER PRIMARY KEY, nome TEXT); INSERT INTO clienti (nome) VALUES ('Anna'), ('Bruno');");
    let model = tiny().display().to_string();
    let train = ["train", "--task", "sql", "--data", ".", "--schema", "schema.sql", "--model", &model, "--out", "out", "--set", "epochs=1"];
    b.refused(&train, &["test.jsonl:2", "1 query of test", "more than 10000 rows", "change it"]);
    b.refused(&[&train[..], &["--language", "it"]].concat(), &["test.jsonl:2", "1 query di test", "più di 10000 righe", "correggila"]);
    let checked = b.run(&["data", "check", ".", "--task", "sql", "--schema", "schema.sql", "--json"]);
    assert!(checked.status.code() == Some(1) && text(&checked.stdout).contains("sql_unscored"), "{}{}", text(&checked.stdout), text(&checked.stderr));
}

/// A validation row of a label that no training row is left of would end the run in the middle.
#[test]
fn too_few_rows_are_refused_with_the_labels_that_they_leave_out() {
    let b = Bench::new();
    let few = ["too few training rows (1)", "1 of 2 labels would have none", "take at least 2"];
    b.refused(&b.train("out", &["--rows", "1"]), &few);
    b.refused(&b.train("out", &["--rows", "1", "--language", "it"]), &["senza nessuna resterebbe 1 etichetta su 2", "prendine almeno 2"]);
    let mut study = b.train("out", &["--sizes", "4,1,all"]);
    study[0] = "study";
    study.remove(1);
    b.refused(&study, &few);
    let spans = [(0, 4, "people"), (5, 9, "places")]
        .map(|(start, end, kind)| serde_json::json!({"text": "Anna Roma", "entities": [{"start": start, "end": end, "type": kind}]}).to_string() + "\n");
    b.write("spans.jsonl", spans.concat().repeat(2).as_bytes());
    let model = tiny().display().to_string();
    let tagging = ["train", "--task", "entities", "--train", "spans.jsonl", "--model", &model, "--out", "out", "--rows", "1"];
    b.refused(&tagging, &["1 of 2 types of entities would have none"]);
    assert!(b.run(&b.train("enough", &["--rows", "2", "--set", "epochs=1"])).status.success());
}

/// Seeds make a CPU run repeatable to the bit, dropout included.
#[test]
fn the_same_seed_gives_the_same_bytes() {
    let b = Bench::new();
    let more = ["--set", "dropout=0.1", "--method", "head", "--seed"];
    for (out, seed) in [("a", "7"), ("b", "7"), ("c", "8")] {
        let done = b.run(&b.train(out, &[&more[..], &[seed]].concat()));
        assert!(done.status.success(), "{}", text(&done.stderr));
    }
    let weights = |out: &str| std::fs::read(b.path(out).join("adapter/adapter_model.safetensors")).expect("weights");
    let losses = |out: &str| {
        let events = std::fs::read_to_string(b.path(out).join("events.jsonl")).expect("events");
        let event = |l: &str| -> serde_json::Value { serde_json::from_str(l).expect("JSON") };
        events.lines().map(event).filter(|e| e["type"] == "step").map(|e| e["loss"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(losses("a"), losses("b"));
    assert!(weights("a") == weights("b"), "adapters differ");
    assert_ne!(losses("a"), losses("c"));
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_cleanly_and_keeps_the_best() {
    let b = Bench::new();
    let args = b.train("out", &["--json", "--set", "epochs=100000"]);
    let mut child = b.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let checkpoint = lines.by_ref().map_while(Result::ok).find(|l| l.contains("\"type\":\"checkpoint\""));
    assert!(checkpoint.is_some(), "the run ended before its first checkpoint");
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    let last = lines.map_while(Result::ok).last().expect("more events");
    assert!(child.wait().expect("ends").success());
    assert!(last.contains("\"type\":\"completed\"") && last.contains("\"status\":\"stopped\""), "{last}");
    let result = json(&b.path("out/result.json"));
    assert_eq!(result["status"], "stopped");
    // what it has learnt is scored, and held against nothing
    assert!(result["metrics"]["accuracy"].is_number() && result["baselines"] == serde_json::json!({}), "{result}");
    assert!(b.path("out/adapter/head.safetensors").exists() && b.run(&["report", "out"]).status.success());
}

/// A bench whose test set takes a while to be answered.
#[cfg(unix)]
fn long_to_score() -> Bench {
    let b = Bench::new();
    let row = |i: usize| {
        let (label, texts) = WORDS[i % 2];
        let words: Vec<String> = (0..10).map(|n| format!("{} {}", texts[(i / 2 + n) % 6], i * 31 + n * 7)).collect();
        serde_json::json!({"text": words.join(" "), "label": label}).to_string() + "\n"
    };
    b.write("test.jsonl", (0..4000).map(row).collect::<String>().as_bytes());
    b
}

#[cfg(unix)]
fn wait_until(what: &str, mut there: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !there() {
        assert!(begun.elapsed() < std::time::Duration::from_secs(120), "no {what}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[cfg(unix)]
fn interrupt(child: &std::process::Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs").success());
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_the_scoring_too() {
    let b = long_to_score();
    let args = b.train("out", &["--set", "epochs=1", "--set", "max_tokens=500", "--method", "head"]);
    let mut child = b.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
    wait_until("scoring", || b.path("out/scoring").exists());
    // it has nothing left that could wait, and does not say that it will
    let paused = b.run(&["pause", "out"]);
    assert!(paused.status.code() == Some(1) && text(&paused.stderr).contains("is being scored"), "{}", text(&paused.stderr));
    assert!(!b.path("out/pause").exists());
    interrupt(&child);
    assert!(child.wait().expect("ends").success());
    let result = json(&b.path("out/result.json"));
    assert_eq!((&result["status"], &result["metrics"]), (&"stopped".into(), &serde_json::Value::Null), "{result}");
    assert!(result["train"]["steps"].as_u64() == Some(2) && result["baselines"] == serde_json::json!({}), "{result}");
    assert!(b.path("out/adapter/head.safetensors").exists() && !b.path("out/scoring").exists() && !b.path("out/predictions.jsonl").exists());
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_ends_at_once_and_the_run_can_be_gone_on_with() {
    let b = long_to_score();
    let args = b.train("out", &["--set", "epochs=100000", "--set", "max_tokens=500", "--method", "head"]);
    let mut child = b.command(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
    let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    wait_until("checkpoint", || !train::checkpoint::list(&b.path("out/checkpoints")).is_empty());
    interrupt(&child);
    let mut lines = lines.map_while(Result::ok);
    assert!(lines.any(|l| l.contains("Ctrl-C once more ends at once")));
    interrupt(&child);
    assert!(lines.any(|l| l.contains("lapidary resume")));
    assert_eq!(child.wait().expect("ends").code(), Some(130));
    assert!(!b.path("out/result.json").exists() && train::checkpoint::latest(&b.path("out/checkpoints")).0.is_some());
}

#[test]
fn bad_data_is_refused_with_file_and_row() {
    let b = Bench::new();
    let train = |file: &str, more: &[&'static str]| -> Vec<String> {
        let model = tiny().display().to_string();
        let mut args: Vec<String> = ["train", "--task", "intent", "--train", file, "--model", &model, "--out", "out"].map(String::from).to_vec();
        args.extend(more.iter().map(|s| (*s).to_string()));
        args
    };
    let refused = |file: &str, bytes: &[u8], more: &[&'static str], parts: &[&str]| {
        b.write(file, bytes);
        let args = train(file, more);
        b.refused(&args.iter().map(String::as_str).collect::<Vec<_>>(), parts);
    };
    let good = "{\"text\":\"uno\",\"label\":\"a\"}\n{\"text\":\"due\",\"label\":\"b\"}\n";
    refused("empty.jsonl", b"", &[], &["empty.jsonl", "holds no example"]);
    refused("bad.jsonl", format!("{good}{{\"text\":").as_bytes(), &[], &["bad.jsonl:3", "not valid JSON"]);
    // a whole file in Windows-1252 is read; beside UTF-8, or a byte of it in plain text, it is a mistake
    let mixed = ["{\"text\":\"è\",\"label\":\"a\"}\n".as_bytes(), b"{\"text\":\"perch\xe9\",\"label\":\"a\"}\n"].concat();
    refused("latin.jsonl", &[good.as_bytes(), &mixed].concat(), &[], &["latin.jsonl:4", "UTF-8"]);
    let broken = [good.as_bytes(), b"{\"text\":\"perch\xe9\",\"label\":\"a\"}\n"].concat();
    refused("byte.jsonl", &broken, &[], &["byte.jsonl:3: column 15", "is not valid UTF-8", "byte 0xE9", "save the whole file as UTF-8"]);
    refused("byte.json", &[&b"["[..], &broken[good.len()..], b"]"].concat(), &[], &["byte.json:1: column 16", "is not valid UTF-8", "byte 0xE9"]);
    refused("one.jsonl", b"{\"text\":\"uno\",\"label\":\"a\"}\n{\"text\":\"due\",\"label\":\"a\"}\n", &[], &["one.jsonl:1", "at least two"]);
    refused("blank.jsonl", format!("{good}{{\"text\":\"  \",\"label\":\"a\"}}\n").as_bytes(), &[], &["blank.jsonl:3", "empty text"]);
    let long = format!("{good}{{\"text\":\"{}\",\"label\":\"a\"}}\n", "parola ".repeat(3000));
    refused("long.jsonl", long.as_bytes(), &[], &["long.jsonl:3", "1 example is longer than the 512 tokens allowed", "shorten it"]);
    b.write("unknown.jsonl", b"{\"text\":\"tre\",\"label\":\"zzz\"}\n");
    refused("good.jsonl", good.as_bytes(), &["--validation", "unknown.jsonl"], &["unknown.jsonl:1", "`zzz`", "no training row"]);
    refused("good.jsonl", good.as_bytes(), &["--columns", "text=nothing"], &["good.jsonl", "`nothing`", "`text`, `label`"]);
    refused("good.jsonl", good.as_bytes(), &["--set", "learning_rat=1"], &["did you mean learning_rate?"]);
    refused("good.jsonl", good.as_bytes(), &["--device", "gpu:9"], &["gpu:9", "lapidary devices"]);
    b.refused(&["data", "check", "nowhere.jsonl", "--task", "intent"], &["nowhere.jsonl"]);
}

#[test]
fn bad_models_are_refused_with_file_and_tensor() {
    let b = Bench::new();
    let whole = std::fs::read(tiny().join("tiny-f32.gguf")).expect("the tiny GGUF");
    let model = |file: &Path| -> Vec<String> {
        ["train", "--task", "intent", "--data", ".", "--out", "out", "--model"].map(String::from).into_iter().chain([file.display().to_string()]).collect()
    };
    let refused = |file: &Path, parts: &[&str]| b.refused(&model(file).iter().map(String::as_str).collect::<Vec<_>>(), parts);
    refused(&b.write("cut.gguf", &whole[..whole.len() / 2]), &["cut.gguf", "truncated", "fetch it again"]);
    refused(&b.write("text.gguf", b"not a model at all"), &["text.gguf", "not a GGUF file"]);
    let place = |bytes: &[u8], of: &str| bytes.windows(of.len()).position(|w| w == of.as_bytes()).expect("in the file");
    let renamed = |bytes: &[u8], from: &str, to: &str| {
        let (at, mut bytes) = (place(bytes, from), bytes.to_vec());
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    refused(&b.write("arch.gguf", &renamed(&whole, "gemma3", "llama7")), &["arch.gguf", "architecture `llama7`"]);
    refused(
        &b.write("missing.gguf", &renamed(&whole, "blk.2.attn_q.weight", "blk.2.attn_X.weight")),
        &["missing.gguf", "model.layers.2.self_attn.q_proj.weight", "is missing"],
    );
    // behind a tensor's name stand the number of its dimensions, in four bytes, and the dimensions, in eight each
    let gate = "blk.1.ffn_gate.weight";
    let dimensions = place(&whole, gate) + gate.len() + 4;
    let mut turned = whole.clone();
    turned[dimensions..dimensions + 16].rotate_left(8);
    refused(&b.write("shape.gguf", &turned), &["shape.gguf", "model.layers.1.mlp.gate_proj.weight", "has shape [32, 64]", "wants [64, 32]"]);

    let folder = b.path("hf");
    std::fs::create_dir(&folder).expect("a folder");
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::copy(tiny().join(file), folder.join(file)).expect("copied");
    }
    let config = std::fs::read_to_string(folder.join("config.json")).expect("config");
    let with = |from: &str, to: &str| {
        assert!(config.contains(from), "{from} is in the configuration");
        std::fs::write(folder.join("config.json"), config.replace(from, to)).expect("written");
    };
    with("\"intermediate_size\": 64", "\"intermediate_size\": 65");
    refused(&folder, &["model.safetensors", "model.layers.0.mlp.gate_proj.weight", "shape"]);
    with("\"model_type\": \"gemma3_text\"", "\"model_type\": \"llama\"");
    refused(&folder, &["config.json", "`llama`"]);
    std::fs::write(folder.join("config.json"), &config).expect("restored");
    let weights = std::fs::read(folder.join("model.safetensors")).expect("weights");
    let name = "model.layers.2.self_attn.q_proj.weight";
    std::fs::write(folder.join("model.safetensors"), renamed(&weights, name, &name.replace("q_proj", "X_proj"))).expect("renamed");
    refused(&folder, &["hf: ", name, "is missing"]);
    std::fs::write(folder.join("model.safetensors"), &weights[..weights.len() - 100]).expect("cut");
    refused(&folder, &["model.safetensors", "fetch it again"]);
    std::fs::write(folder.join("model.safetensors"), b"").expect("emptied");
    refused(&folder, &["model.safetensors"]);
    refused(&b.path("nowhere"), &["nowhere", "known models are"]);

    let folder = b.path("sharded");
    std::fs::create_dir(&folder).expect("a folder");
    let (index, shards) = ("model.safetensors.index.json", ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]);
    let restore = || {
        for file in ["config.json", index, shards[0], shards[1]] {
            std::fs::copy(tiny().join("hf-sharded").join(file), folder.join(file)).expect("copied");
        }
    };
    restore();
    std::fs::copy(tiny().join("tokenizer.json"), folder.join("tokenizer.json")).expect("copied");
    std::fs::remove_file(folder.join(shards[1])).expect("removed");
    refused(&folder, &[shards[1], "is not there", "fetch the folder again"]);
    std::fs::copy(folder.join(shards[0]), folder.join(shards[1])).expect("copied");
    refused(&folder, &[shards[1], "tensor `model.", "is in two shards"]);
    restore();
    let listed = std::fs::read_to_string(folder.join(index)).expect("the index");
    let with = |from: &str, to: &str| {
        assert!(listed.contains(from), "{from} is in the index");
        std::fs::write(folder.join(index), listed.replace(from, to)).expect("written");
    };
    with(name, "model.layers.2.self_attn.X_proj.weight");
    refused(&folder, &[index, "model.layers.2.self_attn.X_proj.weight", "in no shard"]);
    for outside in ["../x", "..", "sub/model.safetensors", "/model.safetensors"] {
        with(shards[0], outside);
        refused(&folder, &[index, &format!("outside its folder (`{outside}`)")]);
    }
    with("weight_map", "weights");
    refused(&folder, &[index, "has no `weight_map`"]);
    std::fs::write(folder.join(index), &listed[..listed.len() / 2]).expect("cut");
    refused(&folder, &[index, "not valid JSON", "fetch it again"]);
    // a part of a shard
    restore();
    let part = std::fs::read(folder.join(shards[0])).expect("a shard");
    std::fs::write(folder.join(shards[0]), &part[..part.len() - 1]).expect("cut");
    refused(&folder, &[shards[0], "not a complete safetensors file"]);
}

#[test]
fn wrong_usage_exits_with_2() {
    let b = Bench::new();
    assert_eq!(b.run(&["train"]).status.code(), Some(2));
    assert_eq!(b.run(&["no-such-command"]).status.code(), Some(2));
    assert_eq!(b.run(&b.train("out", &["--method", "magic"])).status.code(), Some(2));
}

#[test]
fn the_command_speaks_italian_where_it_is_asked_to() {
    let b = Bench::new();
    let by_locale = b.command(&["--help"]).env("LC_ALL", "it_IT.UTF-8").output().expect("the command runs");
    for help in [by_locale, b.run(&["--language", "it", "--help"]), b.run(&["--help", "--language=it"])] {
        assert!(help.status.success() && text(&help.stdout).contains("Uso: lapidary"), "{}", text(&help.stdout));
    }
    let wrong = b.run(&["train", "--language", "it"]);
    assert!(wrong.status.code() == Some(2) && text(&wrong.stderr).starts_with("errore: mancano"), "{}", text(&wrong.stderr));
    let failed = b.run(&["report", "nowhere", "--language", "it"]);
    assert!(failed.status.code() == Some(1) && text(&failed.stderr).starts_with("errore: "), "{}", text(&failed.stderr));
}

#[test]
fn the_libraries_say_in_italian_what_is_wrong_where_they_are_asked_to() {
    let b = Bench::new();
    let model = tiny().display().to_string();
    let good = "{\"text\":\"uno\",\"label\":\"a\"}\n{\"text\":\"due\",\"label\":\"b\"}\n";
    b.write("bad.jsonl", format!("{good}{{\"text\":").as_bytes());
    b.write("blank.jsonl", format!("{good}{{\"text\":\"  \",\"label\":\"a\"}}\n").as_bytes());
    let cases: [(&str, &[&str], &str, &str); 4] = [
        ("missing.jsonl", &[], "check that the path exists and can be read", "controlla che il percorso esista e si possa leggere"),
        (
            "bad.jsonl",
            &[],
            "bad.jsonl:3: column 8: not valid JSON: EOF while parsing a value; each line must be one complete object",
            "bad.jsonl:3: colonna 8: JSON non valido: manca un valore alla fine; ogni riga dev’essere un oggetto completo",
        ),
        ("blank.jsonl", &[], "blank.jsonl:3: 1 row has an empty text", "blank.jsonl:3: 1 riga ha un testo vuoto; eliminala o completala"),
        ("bad.jsonl", &["--set", "epoch=x"], "epoch: there is no such setting", "epoch: questa impostazione non esiste; forse intendevi epochs?"),
    ];
    for (file, more, english, italian) in cases {
        let args = [&["train", "--task", "intent", "--train", file, "--model", &model, "--device", "cpu", "--out", "out"][..], more].concat();
        b.refused(&args, &["error: ", english]);
        b.refused(&[&args[..], &["--language", "it"]].concat(), &["errore: ", italian]);
        let by_locale = b.command(&args).env("LC_ALL", "it_IT.UTF-8").output().expect("the command runs");
        assert!(text(&by_locale.stderr).contains(italian), "{}", text(&by_locale.stderr));
    }
    if cfg!(unix) {
        b.refused(&["data", "check", "missing.jsonl", "--task", "intent", "--language", "it"], &["file o cartella inesistente"]);
    }
}

#[test]
fn a_file_is_divided_and_bad_rows_are_passed_over_only_when_asked() {
    let b = Bench::new();
    let row = |i: usize| format!("{{\"testo\":\"messaggio numero {} di {}\",\"etichetta\":\"{}\"}}\n", i * 7919, i * i * 104_729, ["a", "b"][i % 2]);
    let rows: String = (1..=60).map(row).collect();
    b.write("mine.jsonl", [rows.as_str(), "{\"testo\": \n"].concat().as_bytes());
    let split = ["data", "split", "mine.jsonl", "--task", "intent", "--out", "parts", "--test", "0.2"];
    let refused = b.run(&split);
    assert!(refused.status.code() == Some(1) && text(&refused.stderr).contains("mine.jsonl:61: column 10"), "{}", text(&refused.stderr));
    assert!(!b.path("parts").exists(), "nothing half-made is left");
    let done = b.run(&[&split[..], &["--skip-bad-rows", "--json"]].concat());
    let made: serde_json::Value = serde_json::from_slice(&done.stdout).expect("JSON");
    let of = |part: &str| made["examples"][part].as_u64().expect("a number");
    assert_eq!((of("test"), of("validation"), of("train")), (12, 6, 42), "{made}");
    let checked = b.run(&["data", "check", "parts", "--task", "intent"]);
    assert!(text(&checked.stdout).contains("42 train, 6 validation, 12 test"), "{}", text(&checked.stdout));
    let again = b.run(&split);
    assert!(again.status.code() == Some(1), "a folder with files is never written over");
    let told = b.run(&["data", "check", "mine.jsonl", "--task", "intent", "--skip-bad-rows"]);
    assert!(text(&told.stderr).contains("rows passed over: 1") && text(&told.stderr).contains("mine.jsonl:61"), "{}", text(&told.stderr));
}

/// The example that training refuses is found by the check, which needs the tokenizer for it.
#[test]
fn examples_that_are_too_long_are_found_before_training() {
    let b = Bench::new();
    let model = tiny().display().to_string();
    let check = |more: &[&str]| b.run(&[&["data", "check", ".", "--task", "intent", "--json"], more].concat());
    let found = |out: &Output| -> serde_json::Value { serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&out.stderr))) };
    let kinds = |found: &serde_json::Value| found["findings"].as_array().expect("findings").iter().map(|f| f["kind"].to_string()).collect::<String>();

    let unmeasured = found(&check(&[]));
    assert!(unmeasured["max_tokens_unchecked"].as_str().is_some_and(|why| why.contains("lapidary models get gemma-3-270m")), "{unmeasured}");
    let told = b.run(&["data", "check", ".", "--task", "intent"]);
    assert!(text(&told.stderr).contains("lengths in tokens were not checked"), "{}", text(&told.stderr));
    b.refused(&["data", "check", ".", "--task", "intent", "--model", "nowhere"], &["nowhere", "known models are"]);

    let sound = found(&check(&["--model", &model]));
    assert!(sound["max_tokens"].is_u64() && !kinds(&sound).contains("too_long"), "{sound}");
    // what a head reads is the message; a completion has a prompt around it
    let head = ["--model", &model, "--method", "head", "--set", "max_tokens=12"];
    let completion = ["--model", &model, "--method", "completion", "--set", "max_tokens=12"];
    assert!(!kinds(&found(&check(&head))).contains("too_long"));
    let out = check(&completion);
    assert_eq!(out.status.code(), Some(1));
    let long = found(&out);
    let finding = long["findings"].as_array().and_then(|f| f.iter().find(|f| f["kind"] == "too_long")).unwrap_or_else(|| panic!("{long}"));
    let rows = finding["rows"].as_array().expect("rows").len();
    assert!(finding["severity"] == "error" && rows > 1 && finding["fix"].as_str().is_some_and(|f| f.contains("--set max_tokens=")), "{finding}");
    b.refused(&b.train("out", &completion[2..]), &["longer than the 12 tokens allowed", &format!("{rows} examples are"), "raise max_tokens, up to"]);
    // with what the finding proposes, all of them fit
    let fix = finding["fix"].as_str().and_then(|f| f.split("--set ").nth(1)).and_then(|f| f.split(' ').next()).expect("a setting");
    assert!(!kinds(&found(&check(&["--model", &model, "--method", "completion", "--set", fix]))).contains("too_long"), "{fix}");
    let shown = b.run(&["data", "show", ".", "--task", "intent", "--model", &model, "--json"]);
    let shown = found(&shown);
    assert_eq!(shown["batches"]["packed"]["share"], 0.0, "{shown}");
    assert!(shown["batches"]["padded"]["share"].as_f64().is_some_and(|share| share < 1.0), "{shown}");
    assert_eq!(shown["batches"]["made"], 0, "{shown}");
}

/// What training makes of the rows of the files is counted, lies in the batches, and is refused before the training where it is
/// too long; lengths are those of what a model is trained on.
#[test]
fn rows_that_training_makes_are_looked_at_before_it() {
    let b = Bench::new();
    let model = tiny().display().to_string();
    std::fs::create_dir(b.path("cities")).expect("a folder");
    let schema = "CREATE TABLE cities (name TEXT, people INTEGER); INSERT INTO cities VALUES ('Roma', 9), ('Oslo', 3), ('Parigi', 5), ('Lima', 7);";
    b.write("cities/schema.sql", schema.as_bytes());
    b.write("cities/dataset.toml", b"name = \"cities\"\ntask = \"sql\"\nlanguage = \"en\"\nschema = \"schema.sql\"\n");
    let row = |city: &str| serde_json::json!({"question": format!("How many people live in {city}?"), "sql": format!("SELECT people FROM cities WHERE name = '{city}'")});
    b.write("cities/train.jsonl", format!("{}\n{}\n", row("Roma"), row("Oslo")).as_bytes());
    let shown = |more: &[&str]| -> serde_json::Value {
        let out = b.run(&[&["data", "show", "cities", "--task", "sql", "--model", &model, "--json"], more].concat());
        serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&out.stderr)))
    };
    let without = shown(&["--set", "grow=0", "--set", "compose=0", "--set", "batch=1"]);
    assert_eq!((without["batches"]["made"].as_u64(), without["batches"]["packed"]["batches"].as_u64()), (Some(0), Some(2)), "{without}");
    let with = shown(&["--set", "grow=2", "--set", "compose=20", "--set", "batch=1"]);
    let (made, batches) = (with["batches"]["made"].as_u64().expect("rows"), with["batches"]["packed"]["batches"].as_u64().expect("batches"));
    assert!(made >= 4 && batches >= made + 2, "{with}");
    let told = b.run(&["data", "show", "cities", "--task", "sql", "--model", &model, "--set", "grow=2", "--set", "compose=20"]);
    assert!(text(&told.stdout).contains(&format!("training makes {made} rows more")), "{}", text(&told.stdout));

    // the lengths are those of prompt and answer: what the microscope shows of the longest row
    let seen = b.run(&["data", "show", "cities", "--task", "sql", "--model", &model, "--json", "--tokens", "train:0"]);
    let tokens: Vec<serde_json::Value> = serde_json::from_slice(&seen.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&seen.stderr)));
    let real = tokens.iter().filter(|t| t["role"] != "padding").count();
    let spread = &without["tokens"];
    assert!(spread["least"].as_u64() <= Some(real as u64) && Some(real as u64) <= spread["most"].as_u64() && spread["measured"] == 2, "{spread} for {real}");
    assert!(tokens.iter().filter(|t| t["role"] == "prompt").count() + 8 < real, "{real}");

    // the rows of the files fit exactly, and some that are made of them do not
    let limit = format!("max_tokens={}", spread["most"]);
    let check = |more: &[&str]| {
        let out = b.run(&[&["data", "check", "cities", "--task", "sql", "--model", &model, "--json", "--set", &limit], more].concat());
        let found: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&out.stderr)));
        found["findings"].as_array().expect("findings").iter().map(|f| f["kind"].as_str().unwrap_or_default().to_string()).collect::<Vec<_>>()
    };
    let long = |found: Vec<String>| found.into_iter().filter(|kind| kind.ends_with("too_long")).collect::<Vec<_>>();
    assert_eq!(long(check(&["--set", "grow=0", "--set", "compose=0"])), Vec::<String>::new());
    assert_eq!(long(check(&["--set", "grow=0", "--set", "compose=40"])), ["made_too_long"]);
}

/// Runs a command, and tells the most memory that it held, in megabytes, as the system counted it until just before its end.
#[cfg(target_os = "linux")]
fn peak(command: &mut Command) -> (Output, u64) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command runs");
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait().expect("waited for").is_none() {
        most = most.max(gemma::file::kibibytes(&status, "VmHWM:").unwrap_or(0) >> 20);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    (child.wait_with_output().expect("its output"), most)
}

/// A check holds no more than the rows need, and what makes no sense does not make it hold more.
#[cfg(target_os = "linux")]
#[test]
fn memory_is_bounded_whatever_a_file_holds() {
    const MOST: u64 = 400;
    let b = Bench::new();
    let check = |name: &str, task: &str| {
        let (out, held) = peak(&mut b.command(&["data", "check", name, "--task", task]));
        assert!(held > 4 && held < MOST, "{name}: {held} MB, {}", text(&out.stderr));
        out
    };
    acceptance::messages::write(&b.path("many.jsonl"), 50_000).expect("written");
    let out = check("many.jsonl", "intent");
    assert!(text(&out.stdout).contains("many: 50000 train") && text(&out.stdout).contains("repeat a text"), "{}", text(&out.stdout));

    // a line of a hundred megabytes, in every format that has lines or could be one
    for (name, task, begin, end) in [
        ("long.jsonl", "intent", "{\"text\": \"a\", \"label\": \"x\"}\n{\"text\": \"", "\", \"label\": \"x\"}\n"),
        ("long.json", "intent", "[{\"text\": \"a\", \"label\": \"x\"},\n{\"text\": \"", "\", \"label\": \"x\"}]\n"),
        ("long.csv", "intent", "text,label\na,x\n\"", "\",x\n"),
        ("long.conll", "entities", "ciao O\n", " O\n"),
    ] {
        let mut file = std::io::BufWriter::new(std::fs::File::create(b.path(name)).expect("writable"));
        file.write_all(begin.as_bytes()).expect("written");
        let piece = vec![b'a'; 1 << 20];
        (0..100).for_each(|_| file.write_all(&piece).expect("written"));
        file.write_all(end.as_bytes()).expect("written");
        drop(file);
        let out = check(name, task);
        let told = text(&out.stdout) + &text(&out.stderr);
        assert!(out.status.code() == Some(1) && told.contains("longer than 16 MiB"), "{name}: {told}");
        std::fs::remove_file(b.path(name)).expect("removed");
    }

    // a megabyte of Parquet that would be hundreds
    let schema = Arc::new(parse_message_type("message rows { required binary text (UTF8); required binary label (UTF8); }").expect("a schema"));
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let bomb = std::fs::File::create(b.path("bomb.parquet")).expect("writable");
    let mut writer = SerializedFileWriter::new(bomb, schema, Arc::new(properties)).expect("a writer");
    let mut group = writer.next_row_group().expect("a group");
    for value in [ByteArray::from(vec![b'a'; 300 << 20]), "x".into()] {
        let mut column = group.next_column().expect("no error").expect("a column");
        column.typed::<ByteArrayType>().write_batch(&[value], None, None).expect("written");
        column.close().expect("closed");
    }
    group.close().expect("closed");
    writer.close().expect("closed");
    assert!(std::fs::metadata(b.path("bomb.parquet")).expect("a file").len() < 1 << 20, "small on disk");
    let out = check("bomb.parquet", "intent");
    assert!(out.status.code() == Some(1) && text(&out.stderr).contains("MiB or more, which is refused"), "{}", text(&out.stderr));
}

/// What would mislead a result is told before the training, with what mending it changes, and ends nothing; what would make it
/// meaningless ends it, with the same.
#[test]
fn what_a_check_finds_is_told_by_the_training() {
    let b = Bench::new();
    let rows = std::fs::read_to_string(b.path("train.jsonl")).expect("rows");
    let first = rows.lines().next().expect("a row").to_string();
    b.write("train.jsonl", format!("{rows}{first}\n").as_bytes());
    let found = b.run(&["data", "check", ".", "--task", "intent", "--json"]);
    let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&found.stderr)));
    let duplicate = found["findings"].as_array().and_then(|f| f.iter().find(|f| f["kind"] == "duplicate")).unwrap_or_else(|| panic!("{found}"));
    let said = [duplicate["message"].as_str().expect("a sentence"), duplicate["fix"].as_str().expect("a sentence")];
    assert!(said[0].contains("repeat a text") && said[1].contains("leaves"), "{said:?}");

    let out = b.run(&b.train("repeating", &["--set", "epochs=1", "--json"]));
    assert!(out.status.success(), "{}", text(&out.stderr));
    let events: Vec<serde_json::Value> = text(&out.stdout).lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let warning = events.iter().find(|e| e["type"] == "warning" && e["message"].as_str().is_some_and(|m| m.contains(said[0])));
    let warning = warning.unwrap_or_else(|| panic!("{}", text(&out.stdout)));
    assert!(warning["message"].as_str().is_some_and(|m| m.contains("train.jsonl:1") && m.ends_with(said[1])), "{warning}");
    let italian = warning["told"]["it"].as_str().expect("in Italian, too");
    assert!(italian.contains("ripetono un testo") && italian.contains("Tenendo solo la prima"), "{italian}");

    b.write("train.jsonl", rows.replace("order_tracking", "return_refund").as_bytes());
    b.refused(&b.train("out", &[]), &["With a second label there is something to tell apart."]);
}

/// What a model reads of a row, as it is told.
#[test]
fn the_tokens_of_a_row_are_shown() {
    let b = Bench::new();
    let model = tiny().display().to_string();
    let show = |more: &[&str]| b.run(&[&["data", "show", ".", "--task", "intent", "--model", &model, "--tokens", "train.jsonl:1"], more].concat());
    let read = |out: Output| -> Vec<serde_json::Value> { serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&out.stderr))) };
    let tokens = read(show(&["--method", "completion", "--json"]));
    let spelled = |role: &str| tokens.iter().filter(|t| t["role"] == role).filter_map(|t| t["text"].as_str()).collect::<String>();
    assert!(spelled("prompt").contains("dove") && spelled("target").ends_with("<eos>"), "{tokens:?}");
    assert!(tokens.iter().all(|t| (t["loss"] == true) == (t["role"] == "target") && t["thinned"] == false), "{tokens:?}");
    // a head learns from the whole text, of which it is shown a part
    let tokens = read(show(&["--json"]));
    assert!(tokens[0]["thinned"] == false && tokens[1..].iter().all(|t| t["thinned"] == (t["role"] != "padding")), "{tokens:?}");
    assert!(read(show(&["--json", "--set", "thin=0"])).iter().all(|t| t["thinned"] == false));
    let table = text(&show(&[]).stdout);
    assert!(table.contains("loss thinned") && table.lines().last().is_some_and(|l| l.starts_with("thinned: training reads")), "{table}");
    assert!(text(&show(&["--set", "max_tokens=3"]).stdout).contains("loss thinned cut"));
    b.refused(&["data", "show", ".", "--task", "intent", "--model", &model, "--tokens", "train:99"], &["the train part has 8 rows"]);
}

/// Rows are changed beside the files; a training heeds the changes only when it is asked to, and keeps them.
#[test]
fn rows_are_edited_and_trained_on_as_edited() {
    let b = Bench::new();
    let edit = |args: &[&str]| b.run(&[&["data", "edit", ".", "--task", "intent"], args].concat());
    let done = |args: &[&str]| {
        let out = edit(args);
        assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
        text(&out.stdout)
    };
    let refused = |args: &[&str], part: &str| {
        let out = edit(args);
        assert!(out.status.code() == Some(1) && text(&out.stderr).contains(part), "{args:?}: {}", text(&out.stderr));
    };
    let before = std::fs::read(b.path("train.jsonl")).expect("rows");
    assert!(b.run(&b.train("plain", &["--set", "epochs=1"])).status.success());
    b.refused(&b.train("out", &["--edited"]), &["has not been edited", "--edited"]);
    refused(&["undo"], "no change to take back");
    refused(&["delete", "train:99"], "the train part has 8 rows");
    refused(&["delete", "nowhere.jsonl:1"], "there is no such row");
    refused(&["add", "train", "", "order_tracking"], "would have no text");

    assert!(done(&["relabel", "train.jsonl:1", "return_refund"]).contains("order_tracking → return_refund"));
    done(&["delete", "train:1"]);
    done(&["move", "test:0", "train"]);
    done(&["add", "train", "dove trovo la mia maglia", "order_tracking"]);
    refused(&["rewrite", "added:13", " "], "would have no text");
    assert!(done(&["rewrite", "added:13", "dov’è la maglia"]).contains("dove trovo la mia maglia → dov’è la maglia"));
    done(&["undo"]);
    done(&["relabel", "added:13", "return_refund"]);
    done(&["undo"]);
    done(&["redo"]);
    done(&["undo"]);
    refused(&["delete", "train:1"], "is deleted");
    let list: Vec<serde_json::Value> = done(&["list", "--json"]).lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(list.iter().map(|s| s["in_force"] == true).collect::<Vec<_>>(), [true, true, true, true, false], "{list:?}");
    assert!(list[3]["row"] == "added:13" && list[3]["change"]["type"] == "add", "{}", list[3]);
    assert!(done(&["list", "--language", "it"]).contains("(annullata)"));
    assert_eq!(std::fs::read(b.path("train.jsonl")).expect("rows"), before, "the file is as it was");

    for format in ["jsonl", "csv", "parquet", "messages", "fasttext"] {
        done(&["export", "--out", format, "--format", format]);
        let checked = b.run(&["data", "check", format, "--task", "intent"]);
        assert!(text(&checked.stdout).contains("9 train, 2 validation, 1 test"), "{}", text(&checked.stdout));
    }
    // the edited set is looked at without being written out
    let look = |args: &[&str]| text(&b.run(&[&["data"], args, &[".", "--task", "intent"]].concat()).stdout);
    assert!(look(&["check", "--edited"]).contains("9 train, 2 validation, 1 test") && look(&["check"]).contains("8 train, 2 validation, 2 test"));
    assert!(look(&["show", "--edited", "--search", "trovo maglia"]).contains("dove trovo la mia maglia"));
    assert_eq!(look(&["show", "--search", "trovo maglia"]), "");
    let warned = b.run(&b.train("warned", &["--set", "epochs=1", "--json"]));
    assert!(text(&warned.stdout).contains("not heeded (4 changes)"), "{}", text(&warned.stdout));

    let trained = b.run(&b.train("out", &["--edited", "--set", "epochs=1", "--json"]));
    assert!(trained.status.success() && !text(&trained.stdout).contains("not heeded"), "{}", text(&trained.stderr));
    let run: lab::report::record::RunFile = lab::report::record::RunFile::read(&b.path("out")).expect("run.toml");
    let (train, changes) = (&run.data.files["train"], &run.data.files["changes"]);
    assert_eq!((train.count, changes.count), (9, 4));
    assert_eq!(run.data.counts.values().sum::<usize>(), 9, "{:?}", run.data.counts);
    assert_eq!(train.sha256, data::set::sha256_of(&before), "the file is that of the source");
    let kept = std::fs::read(b.path("out/changes.jsonl")).expect("the changes");
    assert_eq!(changes.sha256, data::set::sha256_of(&kept));
    assert!(run.command.contains("--edited"));
    let trained = &json(&b.path("out/result.json"))["trained"][0];
    let adapter = std::fs::read(b.path("out/adapter/adapter_model.safetensors")).expect("an adapter");
    assert_eq!((trained["path"].as_str(), trained["count"].as_u64()), (Some("adapter/adapter_model.safetensors"), Some(adapter.len() as u64)));
    assert_eq!(trained["sha256"].as_str(), Some(data::set::sha256_of(&adapter).as_str()));
    assert!(b.run(&["report", "out", "--format", "md"]).status.success());
    let told = std::fs::read_to_string(b.path("out/report.md")).expect("Markdown");
    // to Markdown a backslash is a sign
    let kept_in = Path::new("out").join("changes.jsonl").display().to_string().replace('\\', "\\\\");
    for part in [&*format!("| changes made before the run | {kept_in} | 4 changes |"), "4 changes were made to it", "lapidary unpack"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    // what it was trained on is what was exported
    let exported = b.run(&[
        "train",
        "--task",
        "intent",
        "--data",
        "csv",
        "--model",
        &tiny().display().to_string(),
        "--out",
        "same",
        "--set",
        "epochs=1",
        "--set",
        "batch=4",
        "--no-forecast",
    ]);
    assert!(exported.status.success(), "{}", text(&exported.stderr));
    let predictions = |run: &str| std::fs::read_to_string(b.path(run).join("predictions.jsonl")).expect("predictions");
    assert_eq!(predictions("same"), predictions("out"));
    assert_ne!(predictions("same"), predictions("plain"));
    // elsewhere the changes come with the run
    assert!(b.run(&["pack", "out", "--out", "run.lapidary"]).status.success());
    std::fs::rename(b.path("home"), b.path("other-home")).expect("moved");
    assert!(b.run(&["unpack", "run.lapidary", "--out", "again"]).status.success());
    b.repeated("again");
}

/// A table in several files is packed whole, so that the run is repeated elsewhere with all of its rows.
#[test]
fn a_run_on_a_table_in_several_files_is_packed_with_all_of_them() {
    let b = Bench::new();
    let rows = std::fs::read_to_string(b.path("train.jsonl")).expect("rows");
    let lines: Vec<&str> = rows.split_inclusive('\n').collect();
    let (first, second) = lines.split_at(lines.len() / 2);
    for (number, part) in [first, second].into_iter().enumerate() {
        std::fs::write(b.path(&format!("train-{number:05}-of-00002.jsonl")), part.concat()).expect("written");
    }
    std::fs::remove_file(b.path("train.jsonl")).expect("removed");
    let model = tiny().display().to_string();
    let files = ["--train", "train-00000-of-00002.jsonl", "--validation", "validation.jsonl", "--test", "test.jsonl"];
    let train = [&["train", "--task", "intent", "--model", &model, "--out", "out", "--set", "epochs=1", "--no-forecast"], &files[..]].concat();
    let trained = b.run(&train);
    assert!(trained.status.success(), "{}", text(&trained.stderr));
    assert!(b.run(&["pack", "out", "--out", "run.lapidary"]).status.success());
    std::fs::rename(b.path("train-00001-of-00002.jsonl"), b.path("elsewhere.jsonl")).expect("moved");
    // half of the table is another one, and no hash of the run is its
    assert!(b.run(&["pack", "out", "--out", "half.lapidary"]).status.success());
    for (archive, whole) in [("run", true), ("half", false)] {
        let unpacked = b.run(&["unpack", &format!("{archive}.lapidary"), "--out", archive]);
        assert!(unpacked.status.success(), "{}", text(&unpacked.stderr));
        for name in ["train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl"] {
            assert_eq!(b.path(archive).join("data").join(name).exists(), whole, "{archive}: {name}");
        }
    }
    b.repeated("run");
}

/// What is in a file for each part is checked and edited as the one set that a training makes of these files.
#[test]
fn files_of_a_set_that_have_names_of_their_own_are_one_set() {
    let b = Bench::new();
    for (part, own) in [("train", "a.jsonl"), ("validation", "b.jsonl"), ("test", "c.jsonl")] {
        std::fs::rename(b.path(&format!("{part}.jsonl")), b.path(own)).expect("renamed");
    }
    let parts = ["--task", "intent", "--validation", "b.jsonl", "--test", "c.jsonl"];
    let data = |command: &str, more: &[&str]| b.run(&[&["data", command, "a.jsonl"], &parts[..], more].concat());
    let train = |out: &str| {
        let model = tiny().display().to_string();
        let how = ["--model", &model, "--out", out, "--edited", "--set", "epochs=1", "--set", "batch=4", "--no-forecast"];
        b.run(&[&["train", "--train", "a.jsonl"], &parts[..], &how].concat())
    };
    let counted = |more: &[&str]| text(&data("check", more).stdout);
    assert!(counted(&[]).contains("8 train, 2 validation, 2 test"), "{}", counted(&[]));
    assert!(text(&data("check", &["--edited"]).stderr).contains("a has not been edited"));
    assert!(!train("too-early").status.success());
    assert!(data("edit", &["delete", "c.jsonl:2"]).status.success());
    assert!(counted(&["--edited"]).contains("8 train, 2 validation, 1 test"), "{}", counted(&["--edited"]));
    let trained = train("edited");
    assert!(trained.status.success(), "{}", text(&trained.stderr));
    b.refused(&["data", "check", "a.jsonl", "--task", "intent", "--train", "b.jsonl"], &["a.jsonl is taken for the training examples"]);

    // what is proposed where a folder has two files for a part can be done
    for name in ["train-old.jsonl", "train-new.jsonl"] {
        std::fs::copy(b.path("a.jsonl"), b.path(name)).expect("copied");
    }
    b.refused(&["data", "check", ".", "--task", "intent"], &["both train-new.jsonl and train-old.jsonl", "name one with --train"]);
    let one = b.run(&["data", "check", ".", "--task", "intent", "--train", "train-new.jsonl"]);
    assert!(text(&one.stdout).contains("8 train"), "{}", text(&one.stderr));
}

/// An edit that the command has told of is in the library, whenever the command is killed; one that it had not told of is there
/// wholly or not at all.
#[test]
fn a_kill_loses_no_edit_that_was_told() {
    let b = Bench::new();
    let edit = |args: &[&str]| b.command(&[&["data", "edit", ".", "--task", "intent", "--json"], args].concat());
    let listed = || -> Vec<String> {
        let out = edit(&["list"]).output().expect("the command runs");
        assert!(out.status.success(), "{}", text(&out.stderr));
        let step = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("a whole change");
        text(&out.stdout).lines().map(|line| step(line)["change"]["text"].as_str().expect("a text").to_string()).collect()
    };
    let (mut expected, mut told, mut lost) = (Vec::new(), 0, 0);
    for i in 0..40 {
        let row = format!("riga numero {i}");
        let mut child = edit(&["add", "train", &row, "order_tracking"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the command runs");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("its output"));
        if i % 2 == 0 {
            out.read_line(&mut line).expect("read");
        } else {
            std::thread::sleep(std::time::Duration::from_millis(i));
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
        out.read_to_string(&mut line).expect("read");
        let now = listed();
        assert!(now.starts_with(&expected) && now.len() <= expected.len() + 1, "{now:?} after {expected:?}");
        let kept = now.len() > expected.len();
        assert!(!kept || now.last() == Some(&row), "{now:?}");
        assert!(kept || !line.contains(&row), "the edit {i} was told and is lost: {line}");
        told += usize::from(line.contains(&row));
        lost += usize::from(!kept);
        expected = now;
    }
    assert!(told >= 20 && lost > 0, "{told} were told, {lost} killed before: the kills did not come at different moments");
}

/// Without real weights the states mean little; what is looked at is that they are the model's, are kept, and lead to
/// a map and to neighbours.
#[test]
fn rows_are_read_by_the_model() {
    let b = Bench::new();
    let model = tiny().display().to_string();
    let show = |more: &[&str]| b.run(&[&["data", "show", ".", "--task", "intent", "--model", &model], more].concat());
    let near = show(&["--near", "train:1", "--limit", "3", "--json"]);
    let rows: Vec<serde_json::Value> = text(&near.stdout).lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(rows.len(), 3, "{}", text(&near.stderr));
    assert!(rows.iter().all(|r| r["similarity"].as_f64().is_some_and(|s| s.abs() < 1.001) && r["answer"].is_string()), "{rows:?}");
    let kept = |what: &str| std::fs::read_dir(b.path("home/vectors")).map_or(0, Iterator::count) == 1 || panic!("{what}");
    assert!(kept("the states are kept"));
    assert_eq!(show(&["--near", "train:1", "--limit", "3", "--json"]).stdout, near.stdout);
    b.refused(&["data", "show", ".", "--task", "intent", "--model", &model, "--near", "train:99"], &["the train part has 8 rows"]);
    b.refused(&["data", "show", ".", "--task", "intent", "--near", "train:0"], &["lapidary models get gemma-3-270m"]);

    let mapped = show(&["--map", "map.json"]);
    assert!(mapped.status.success(), "{}", text(&mapped.stderr));
    let points = json(&b.path("map.json"));
    let points = points.as_array().expect("a list");
    assert!(points.len() == 12 && points.iter().all(|p| p["x"].is_f64() && p["y"].is_f64() && p["label"].is_string()), "{points:?}");
    let first = std::fs::read(b.path("map.json")).expect("a map");
    assert!(show(&["--map", "map.json"]).status.success());
    assert_eq!(std::fs::read(b.path("map.json")).expect("a map"), first, "the map repeats");
    assert!(show(&["--map", "map.csv"]).status.success() && b.path("map.csv").exists());
    b.refused(&["data", "show", ".", "--task", "intent", "--model", &model, "--map", "out"], &["use .json, .csv, .svg or .png"]);
    assert!(show(&["--map", "map.svg"]).status.success());
    let svg = std::fs::read_to_string(b.path("map.svg")).expect("a picture");
    assert!(svg.contains("<circle") && svg.contains("order_tracking"), "{svg}");
    assert!(show(&["--map", "map.png"]).status.success() && std::fs::read(b.path("map.png")).expect("a picture").starts_with(b"\x89PNG"));

    let deep = b.run(&["data", "check", ".", "--task", "intent", "--model", &model, "--deep", "--json"]);
    let deep: serde_json::Value = serde_json::from_slice(&deep.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&deep.stderr)));
    assert!(deep["suspicious_labels"].is_array(), "{deep}");
    assert!(kept("one reading served for all"));
}

#[test]
fn a_folder_with_files_is_never_overwritten() {
    let b = Bench::new();
    std::fs::create_dir(b.path("full")).expect("a folder");
    b.write("full/mine.txt", b"mine");
    let out = b.run(&b.train("full", &[]));
    assert!(out.status.code() == Some(1) && text(&out.stderr).contains("already holds files"));
    assert_eq!(std::fs::read_dir(b.path("full")).expect("listed").count(), 1);
}

#[test]
fn an_adapter_of_another_model_is_refused() {
    let b = Bench::new();
    let copy = b.path("model");
    std::fs::create_dir(&copy).expect("a folder");
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::copy(tiny().join(file), copy.join(file)).expect("copied");
    }
    let path = copy.display().to_string();
    let done = b.run(&["train", "--task", "intent", "--data", ".", "--model", &path, "--out", "out", "--set", "epochs=1", "--no-forecast"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let mut weights = std::fs::read(copy.join("model.safetensors")).expect("weights");
    let last = weights.len() - 1;
    weights[last] ^= 1;
    std::fs::write(copy.join("model.safetensors"), weights).expect("written");
    let refused = b.run(&["predict", "out", "ciao"]);
    assert!(refused.status.code() == Some(1) && text(&refused.stderr).contains("SHA-256"), "{}", text(&refused.stderr));
}

#[test]
fn an_exported_model_is_the_same_model() {
    let b = Bench::new();
    let gguf = tiny().join("tiny-f32.gguf").display().to_string();
    let out = b.run(&["models", "export", &gguf, "--out", "exported"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let values = |folder: &Path| {
        let weights = gemma_values(folder);
        assert!(!weights.is_empty());
        weights
    };
    assert!(json(&b.path("exported/config.json"))["query_pre_attn_scalar"].is_u64(), "transformers refuses a fraction");
    let (ours, theirs) = (values(&b.path("exported")), values(&tiny()));
    let worst = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(ours.len() == theirs.len() && worst < 1e-6, "{worst}");
    assert!(b.run(&["models", "import", "exported", "--name", "mine"]).status.success());
    assert!(text(&b.run(&["models", "list"]).stdout).contains("mine"));
}

fn gemma_values(folder: &Path) -> Vec<f32> {
    tuned_values(folder, None)
}

/// Hidden states of a model with what the run of a folder has trained of it.
fn tuned_values(model: &Path, run: Option<&Path>) -> Vec<f32> {
    let (_, model) = acceptance::open(model, "cpu");
    let trained = run.map(|run| -> gemma::Trained {
        let adapter = run.join("adapter");
        match adapter.exists() {
            true => gemma::Adapters::load(&adapter, model.config(), model.device()).expect("an adapter").into(),
            false => gemma::Full::load(&run.join("weights"), model.config(), model.device()).expect("weights").into(),
        }
    });
    let hidden = model.forward(&[2, 300, 400, 500], &gemma::Rows::one(4), trained.as_ref(), false).expect("runs");
    hidden.into_data().try_to_vec().expect("f32")
}

/// What was learnt is in each export, whichever kind of file the base model came in.
#[test]
fn a_trained_model_is_exported_for_other_programs() {
    let b = Bench::new();
    let bases = [tiny(), tiny().join("tiny-f32.gguf")].map(|base| base.display().to_string());
    let ways = [("completion", "dora=false"), ("completion", "dora=true"), ("full", "dora=false")];
    for (base, (method, dora)) in bases.iter().flat_map(|base| ways.map(|way| (base, way))) {
        let more = ["--set", "epochs=3", "--set", "batch=4", "--set", "learning_rate=0.01", "--set", dora, "--out", "run", "--no-forecast"];
        let trained = b.run(&[["train", "--task", "intent", "--data", ".", "--model", base, "--method", method].as_slice(), &more].concat());
        assert!(trained.status.success(), "{}", text(&trained.stderr));
        let wanted = tuned_values(Path::new(base), Some(&b.path("run")));
        let untuned = gemma_values(Path::new(base));
        let spread = wanted.iter().zip(&untuned).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(spread > 0.01, "training changed nothing");
        for (format, tolerance) in [("safetensors", 1e-4), ("gguf", 2e-2)] {
            let out = b.run(&["export", "run", "--format", format, "--out", format]);
            assert!(out.status.success(), "{}", text(&out.stderr));
            let worst = wanted.iter().zip(&gemma_values(&b.path(format))).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < tolerance * spread.max(1.0), "{base} by {method} ({dora}) as {format}: {worst} of {spread}");
            let page = std::fs::read_to_string(b.path(format).join("README.md")).expect("a page");
            assert!(page.contains("Message: {text}") && page.contains("Gemma Terms of Use"), "{page}");
        }
        assert!(std::fs::read_to_string(b.path("gguf/Modelfile")).expect("a Modelfile").contains("{{ .Prompt }}"));
        let again = b.run(&["export", "run", "--format", "gguf", "--out", "gguf"]);
        assert!(again.status.code() == Some(1) && text(&again.stderr).contains("choose a new folder"));
        if method == "full" {
            b.refused(&["export", "run", "--format", "adapter", "--out", "adapter"], &["has no adapter", "safetensors or gguf"]);
        } else {
            let out = b.run(&["export", "run", "--format", "adapter", "--out", "adapter"]);
            assert!(out.status.success(), "{}", text(&out.stderr));
            for file in ["adapter_model.safetensors", "adapter_config.json"] {
                assert_eq!(std::fs::read(b.path("adapter").join(file)).expect("there"), std::fs::read(b.path("run/adapter").join(file)).expect("there"));
            }
            assert_eq!(json(&b.path("adapter/adapter_config.json"))["use_dora"], dora == "dora=true");
            std::fs::remove_dir_all(b.path("adapter")).expect("removed");
        }
        for folder in ["run", "safetensors", "gguf"] {
            std::fs::remove_dir_all(b.path(folder)).expect("removed");
        }
    }
    assert!(b.run(&b.train("head", &["--method", "head"])).status.success());
    b.refused(&["export", "head", "--format", "gguf", "--out", "out"], &["linear layer", "--method completion"]);
    let out = b.run(&["export", "head", "--format", "safetensors", "--out", "with-head", "--language", "it"]);
    assert!(out.status.success() && b.path("with-head/head.safetensors").exists(), "{}", text(&out.stderr));
    assert!(std::fs::read_to_string(b.path("with-head/README.md")).expect("a page").contains("order_tracking"));
    let spans = r#"{"text":"Anna va a Roma","entities":[{"start":0,"end":4,"type":"people"},{"start":10,"end":14,"type":"places"}]}"#;
    b.write("spans.jsonl", [spans; 4].join("\n").as_bytes());
    let model = tiny().display().to_string();
    let tagged = b.run(&["train", "--task", "entities", "--train", "spans.jsonl", "--model", &model, "--out", "tags", "--set", "epochs=1", "--no-forecast"]);
    assert!(tagged.status.success(), "{}", text(&tagged.stderr));
    assert!(b.run(&["export", "tags", "--format", "adapter", "--out", "tagger"]).status.success());
    let page = std::fs::read_to_string(b.path("tagger/README.md")).expect("a page");
    assert!(page.contains("given 2 times") && page.contains("0. O\n1. B-people\n"), "{page}");
}

#[test]
fn devices_and_models_are_listed_for_people_and_programs() {
    let b = Bench::new();
    let devices: Vec<serde_json::Value> = serde_json::from_slice(&b.run(&["devices", "--json"]).stdout).expect("JSON");
    assert!(devices.iter().any(|d| d["kind"] == "cpu" && d["parity"] == "pass"));
    assert!(text(&b.run(&["devices"]).stdout).contains("cpu"));
    assert!(text(&b.run(&["models", "list"]).stdout).contains("gemma-3-270m"));
    let checked = b.run(&["data", "check", &root().join("datasets/intents-it").display().to_string(), "--task", "intent"]);
    assert!(checked.status.success() && text(&checked.stdout).contains("120 train, 24 validation, 156 test"), "{}", text(&checked.stdout));
}

#[test]
fn what_a_run_costs_is_told_before_it_and_nothing_is_written() {
    let b = Bench::new();
    let out = b.run(&b.train("out", &["--forecast", "--json", "--method", "completion"]));
    assert!(out.status.success(), "{}", text(&out.stderr));
    let forecast: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one JSON object");
    for key in ["seconds", "training_seconds", "scoring_seconds", "peak_memory_bytes", "checkpoint_bytes"] {
        assert!(forecast[key].as_f64().is_some_and(|v| v > 0.0), "{key}: {forecast}");
    }
    assert_eq!((forecast["steps"].as_u64(), forecast["fits"].as_bool()), (Some(6), Some(true)));
    assert!(!b.path("out").exists());
    // a checkpoint is as large as was foretold, copies to be averaged included
    for (method, average) in [("completion", "average=0"), ("completion", "average=2"), ("full", "average=0")] {
        let folder = format!("{method}-{average}");
        let method = ["--method", method, "--set", average, "--set", "checkpoint_every=5"];
        let out = b.run(&b.train("out", &[&method[..], &["--forecast", "--json"]].concat()));
        let forecast: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&out.stderr)));
        let foretold = forecast["checkpoint_bytes"].as_f64().expect("bytes");
        let (out, kept) = b.run_watched(&b.train(&folder, &method), &folder);
        assert!(out.status.success() && !b.path(&folder).join("checkpoints").exists());
        let newest = train::checkpoint::list(&kept).remove(0);
        let real = std::fs::metadata(&newest).expect("a checkpoint").len() as f64;
        // the file has a header with names
        assert!(real > foretold && real < 1.1 * foretold, "{folder}: {foretold} foretold, {real}");
    }
    // without being asked it is told on the terminal, in one line before the training, and the folder of the run is as without it
    let plain: Vec<&str> = b.train("told", &["--method", "head"]).into_iter().filter(|arg| *arg != "--no-forecast").collect();
    let told = |args: &[&str]| {
        let out = b.run(args);
        assert!(out.status.success(), "{}", text(&out.stderr));
        text(&out.stderr)
    };
    let said = told(&plain);
    let first = said.lines().next().unwrap_or_default();
    assert!(first.starts_with("about ") && first.contains(" s of training (6 steps), ") && first.contains("GB a checkpoint"), "{said}");
    assert!(said.lines().nth(1).is_some_and(|line| line.contains("method head")), "{said}");
    assert!(!std::fs::read_to_string(b.path("told/run.toml")).expect("run.toml").contains("forecast"));
    for (out, flag) in [("quiet", "--quiet"), ("json", "--json"), ("without", "--no-forecast")] {
        let args: Vec<&str> = plain.iter().map(|arg| if *arg == "told" { out } else { *arg }).chain([flag]).collect();
        assert!(!told(&args).contains("of scoring"), "{flag}");
    }
    // what would be refused is refused for the same reason
    b.write("train.jsonl", b"{\"text\": 1");
    b.refused(&plain.iter().map(|arg| if *arg == "told" { "out" } else { *arg }).collect::<Vec<_>>(), &["train.jsonl:1"]);
    b.refused(&b.train("out", &["--forecast"]), &["train.jsonl:1"]);
}

#[test]
fn the_training_step_is_measured_in_one_shape_or_in_all_each_in_a_process_of_its_own() {
    let b = Bench::new();
    let model = tiny().display().to_string();
    let bench = |more: &[&str]| b.run(&[&["bench", "--model", &model, "--device", "cpu", "--steps", "2"], more].concat());
    let told = text(&bench(&["--shape", "2x8", "--targets", "3"]).stdout);
    let lines: Vec<&str> = told.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("2x8, 3 targets a row: ") && lines[0].contains(" tokens/s, "), "{told}");
    assert!(["  forward ", ", loss ", ", backward ", ", rest "].iter().all(|part| lines[1].contains(part)), "{told}");
    // the tiny model has no room for the third, whose process says so
    let out = bench(&["--shape", "all", "--json"]);
    let shapes: Vec<serde_json::Value> = text(&out.stdout).lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let told: Vec<_> = shapes.iter().map(|m| (m["shape"].as_str(), m["targets"].as_u64(), m["phases"].as_object().map(serde_json::Map::len))).collect();
    assert_eq!(told, [(Some("8x64"), Some(8), Some(3)), (Some("4x256"), Some(16), Some(3))], "{}", text(&out.stderr));
    assert!(shapes.iter().all(|m| m["peak_memory_bytes"].as_u64().is_some_and(|bytes| bytes > 0)), "{shapes:?}");
    assert!(out.status.code() == Some(1) && text(&out.stderr).contains("1024 tokens is longer than the model's context"), "{}", text(&out.stderr));
    let refused = bench(&["--shape", "8by64"]);
    assert!(refused.status.code() == Some(1) && text(&refused.stderr).contains("such as 8x64, or all"), "{}", text(&refused.stderr));
}

#[test]
fn a_sweep_chooses_on_validation_alone_and_goes_on_where_it_stopped() {
    let b = Bench::new();
    let mut args = b.train("sweep", &["--try", "learning_rate=1e-2,1e-6", "--try", "rank=2,4", "--set", "epochs=4", "--method", "head", "--json"]);
    args[0] = "sweep";
    // only `train` measures first
    args.remove(1);
    let out = b.run(&args);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let outcome = json(&b.path("sweep/sweep.json"));
    // four of one epoch, two of two, one of four
    let trials = outcome["trials"].as_array().expect("trials");
    let shape: Vec<(u64, u64)> = trials.iter().map(|t| (t["round"].as_u64().expect("a round"), t["epochs"].as_u64().expect("epochs"))).collect();
    assert_eq!(shape, [(1, 1), (1, 1), (1, 1), (1, 1), (2, 2), (2, 2), (3, 4)]);
    assert_eq!(outcome["best"], trials[6]["set"]);
    // within a round the better one stands first, and those that went on are the first ones of the round before
    let value = |t: &serde_json::Value| t["value"].as_f64().expect("a value");
    assert!(value(&trials[0]) >= value(&trials[3]), "{outcome}");
    let went_on: Vec<&serde_json::Value> = trials[4..6].iter().map(|t| &t["set"]).collect();
    assert!(trials[..2].iter().all(|t| went_on.contains(&&t["set"])), "{outcome}");
    // no trial has seen the test set, nor asked anybody else
    for trial in trials {
        let folder = std::path::PathBuf::from(trial["folder"].as_str().expect("a folder"));
        let result = json(&b.path("sweep").join(folder.file_name().expect("a name")).join("result.json"));
        assert_eq!((result["evaluated_on"].as_str(), result["baselines"].as_object().map(serde_json::Map::len)), (Some("validation"), Some(0)), "{result}");
        assert!(result["data"]["files"].get("test").is_none(), "{result}");
    }
    // what is finished is not trained again, and what was asked differently is not taken for it
    let first = b.path("sweep").join(std::path::Path::new(trials[6]["folder"].as_str().expect("a folder")).file_name().expect("a name"));
    let kept = std::fs::metadata(first.join("result.json")).and_then(|m| m.modified()).expect("a time");
    assert!(b.run(&args).status.success());
    assert_eq!(std::fs::metadata(first.join("result.json")).and_then(|m| m.modified()).expect("a time"), kept);
    let mut other = args.clone();
    other.extend(["--seed", "5"]);
    let refused = b.run(&other);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("other settings"), "{}", text(&refused.stderr));
    // nor a result on data that has changed since
    let rows = std::fs::read_to_string(b.path("validation.jsonl")).expect("rows");
    b.write("validation.jsonl", (rows + "{\"text\": \"pacco o maglia\", \"label\": \"return_refund\"}\n").as_bytes());
    let refused = b.run(&args);
    assert!(refused.status.code() == Some(1) && text(&refused.stderr).contains("validation.jsonl is not what it was"), "{}", text(&refused.stderr));
    // a setting that does not exist is refused before anything is trained
    let mut wrong = b.train("sweep2", &["--try", "learning_rat=1,2", "--method", "head"]);
    wrong[0] = "sweep";
    wrong.remove(1);
    let refused = b.run(&wrong);
    assert!(text(&refused.stderr).contains("did you mean learning_rate"), "{}", text(&refused.stderr));
    assert!(!b.path("sweep2").exists());
}

#[test]
fn a_study_sums_up_its_runs_and_goes_on_where_it_stopped() {
    let b = Bench::new();
    let mut args = b.train("study", &["--sizes", "4,all", "--seeds", "0,1", "--method", "head", "--json"]);
    args[0] = "study";
    // only `train` measures first
    args.remove(1);
    let out = b.run(&args);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let outcome = json(&b.path("study/study.json"));
    assert_eq!((outcome["metric"].as_str(), outcome["cells"].as_array().map(Vec::len)), (Some("accuracy"), Some(4)));
    assert_eq!(outcome["summaries"][0]["rows"], 4);
    assert!(outcome["summaries"][1]["rows"].is_null() && outcome["summaries"][1]["interval"].is_array());
    let examples = |i: usize| outcome["summaries"][i]["examples"].as_u64();
    assert_eq!((examples(0), examples(1)), (Some(4), Some(8)));
    let report = b.run(&["report", "study", "--format", "html,md", "--without", "runs"]);
    assert!(report.status.success(), "{}", text(&report.stderr));
    assert!(b.path("study/figures/learning.svg").exists());
    let written = std::fs::read_to_string(b.path("study/report.md")).expect("Markdown");
    assert!(written.contains("4 runs: 1 method, 2 sizes") && !written.contains("## Runs"), "{written}");
    // it says how it was made: by which command, of which files
    let command = outcome["command"].as_str().expect("a command");
    assert!(command.starts_with("lapidary study --task intent --data . --model "), "{command}");
    assert!(command.ends_with(" --methods head --device auto --set epochs=3 --set batch=4 --sizes 4,all --seeds 0,1 --out study"), "{command}");
    let of_run = json(&b.path("study/head-4-seed0/result.json"));
    let hashes = |files: &serde_json::Value| files.as_array().expect("files").iter().map(|f| f["sha256"].clone()).collect::<Vec<_>>();
    let data = ["train", "validation", "test"].map(|part| of_run["data"]["files"][part]["sha256"].clone());
    assert_eq!(hashes(&outcome["files"]), [&data[..], &hashes(&of_run["model"]["files"])[..]].concat());
    assert!(
        written.contains("\nlapidary study --task intent --data . ") && data.iter().all(|hash| written.contains(hash.as_str().expect("a hash"))),
        "{written}"
    );
    // a run of fewer rows took fewer steps
    let steps = |name: &str| json(&b.path("study").join(name).join("result.json"))["train"]["steps"].as_u64();
    assert_eq!((steps("head-4-seed0"), steps("head-all-seed0")), (Some(3), Some(6)));
    // a finished run is read again, a missing one is made anew, and the outcome is the same
    let kept = std::fs::read(b.path("study/head-4-seed0/result.json")).expect("a result");
    std::fs::remove_dir_all(b.path("study/head-all-seed1")).expect("removed");
    assert!(b.run(&args).status.success());
    assert_eq!(std::fs::read(b.path("study/head-4-seed0/result.json")).expect("a result"), kept);
    // what was asked otherwise is not answered by what is there: a recipe that says something else, other rows; where it is computed is
    // no other question
    let recipe = std::fs::read_to_string(root().join("assets/recipes/intent.toml")).expect("the recipe");
    b.write("mine.toml", recipe.as_bytes());
    let with = |more: &[&'static str]| b.run(&[&args[..], more].concat());
    for same in [&["--recipe", "mine.toml"][..], &["--device", "cpu"]] {
        assert!(with(same).status.success(), "{same:?}");
    }
    b.write("mine.toml", recipe.replace("weight_decay = 0.01", "weight_decay = 0.02").as_bytes());
    for more in [&["--recipe", "mine.toml"][..], &["--set", "rank=3"]] {
        let refused = with(more);
        assert!(refused.status.code() == Some(1) && text(&refused.stderr).contains("other settings"), "{more:?}: {}", text(&refused.stderr));
    }
    let rows = std::fs::read(b.path("test.jsonl")).expect("rows");
    b.write("test.jsonl", &[&rows[..], b"{\"text\": \"pacco o maglia\", \"label\": \"return_refund\"}\n"].concat());
    let refused = b.run(&args);
    assert!(refused.status.code() == Some(1) && text(&refused.stderr).contains("test.jsonl is not what it was"), "{}", text(&refused.stderr));
    assert_eq!(std::fs::read(b.path("study/head-4-seed0/result.json")).expect("a result"), kept);
    let values = |outcome: &serde_json::Value| outcome["cells"].as_array().expect("cells").iter().map(|c| c["value"].clone()).collect::<Vec<_>>();
    assert_eq!(values(&json(&b.path("study/study.json"))), values(&outcome));
}

/// A build without devices of other machines promises none: no address, and no token on the disk.
#[cfg(not(feature = "remote"))]
#[test]
fn what_this_build_lacks_is_said_before_it_is_promised() {
    let b = Bench::new();
    for args in [&["serve", "--listen", "127.0.0.1:0"][..], &["devices", "--add", "w:1", "--token", "x"]] {
        let out = b.run(args);
        assert_eq!((out.status.code(), text(&out.stdout).as_str()), (Some(1), ""), "{args:?}");
        assert!(text(&out.stderr).lines().count() == 1 && text(&out.stderr).contains("cargo feature `remote`"), "{}", text(&out.stderr));
    }
    let left: Vec<_> = std::fs::read_dir(b.path("home")).into_iter().flatten().flatten().map(|e| e.file_name()).collect();
    assert!(!left.iter().any(|name| name == "served-token" || name == "remote-devices.json"), "{left:?}");
}

/// The child that a device is tried in, on the software adapter that `cargo xtask setup` installs: every gradient agrees
/// with the processor's. What follows from such answers, and from none, is tested in `lab::devices`.
#[test]
fn a_software_adapter_computes_what_the_processor_computes() {
    let b = Bench::new();
    let devices: Vec<serde_json::Value> = serde_json::from_slice(&b.run(&["devices", "--json"]).stdout).expect("a list");
    let Some(software) = devices.iter().find(|d| d["kind"] == "software") else {
        eprintln!("SKIPPED: there is no software adapter (package mesa-vulkan-drivers)");
        return;
    };
    assert_eq!(software["parity"], "unchecked");
    // not through `Bench::run`, which adds a library: the child needs none
    let mut child = Command::new(env!("CARGO_BIN_EXE_lapidary"));
    child.args(["probe-device", "software", "fused"]).arg(acceptance::kernels()).env("CUBECL_AUTOTUNE_LEVEL", "minimal");
    let child = child.output().expect("the command runs");
    assert!(child.status.success(), "{}", text(&child.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&child.stdout).expect("one JSON object");
    let difference = &answer["difference"];
    assert_eq!(difference["gradients"], 268);
    assert!(difference["loss"].as_f64().is_some_and(|d| d < 1e-4) && difference["gradient"].as_f64().is_some_and(|d| d < 5e-3), "{answer}");
    assert!(answer["speed"].as_f64().is_some_and(|s| s > 0.0), "{answer}");
}
