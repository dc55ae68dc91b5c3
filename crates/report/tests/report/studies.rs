//! Reports of studies: lines by method, one size, old files, hostile names.

use crate::common::{self, HOSTILE, keep};
use crate::formats::inert;
use crate::paper;
use report::record::FileRecord;
use report::study::{self, FILE, Outcome, SECTIONS, StudyRun, Summary};
use report::text::Lang;
use report::{html, markdown, tables};

/// A study of methods, sizes and three seeds.
fn outcome(methods: &[&str], sizes: &[usize]) -> Outcome {
    let (mut summaries, mut cells) = (Vec::new(), Vec::new());
    for (m, &method) in methods.iter().enumerate() {
        for &examples in sizes {
            let mean = 1.0 - 6.0 / (examples as f64 + 4.0) - 0.1 * m as f64;
            for seed in 0..3 {
                let value = mean + (seed as f64 - 1.0) / 100.0;
                cells.push(StudyRun {
                    method: method.into(),
                    rows: Some(examples),
                    examples,
                    seed,
                    folder: format!("study/{method}-{examples}-seed{seed}").into(),
                    value,
                    seconds: 60.0,
                });
            }
            summaries.push(Summary {
                method: method.into(),
                rows: Some(examples),
                examples,
                runs: 3,
                mean,
                interval: Some([mean - 0.02, mean + 0.02]),
                seconds: 60.0,
            });
        }
    }
    Outcome {
        task: "intent".into(),
        data: "intents-it".into(),
        version: "0.1.0".into(),
        command: "lapidary study --task intent --data /sets/intents-it --methods head --set 'a=b c' --sizes 30,all --seeds 0,1,2 --out studies/a".into(),
        files: [("/sets/intents-it/train.jsonl", "a"), ("model.gguf", "c")]
            .map(|(path, digit)| FileRecord { path: path.into(), sha256: digit.repeat(64), count: 1 })
            .to_vec(),
        metric: "accuracy".into(),
        baselines: [("majority".to_string(), 0.08), ("few_shot".to_string(), 0.12)].into(),
        sampled: [("few_shot".to_string(), [100, 624])].into(),
        summaries,
        cells,
    }
}

#[test]
fn a_study_has_a_line_for_each_method_and_its_numbers_in_a_table() {
    let outcome = outcome(&["head", "completion"], &[30, 60, 120]);
    for lang in [Lang::English, Lang::Italian] {
        let document = study::report(&outcome, lang);
        keep(&format!("study-{}.html", lang.code()), &html::render(&document));
        paper::keep(&format!("study-{}.pdf", lang.code()), &report::pdf::render(&document).expect("a PDF"));
        let pages = paper::checked(&document);
        assert!(pages <= 4, "{pages} pages");
        let figure = document.figure("learning").expect("a curve");
        assert_eq!(figure.data["series"].as_array().map(Vec::len), Some(2));
        let json = tables::json(&document);
        assert_eq!((json["tables"]["summaries"][2]["examples"].as_u64(), json["tables"]["runs"].as_array().map(Vec::len)), (Some(120), Some(18)));
    }
    let text = markdown::render(&study::report(&outcome, Lang::English));
    assert!(text.contains("18 runs: 2 methods, 3 sizes of the training set, 3 seeds."), "{text}");
    assert!(text.contains("Highest mean accuracy: 95.2") && text.contains("on 120 training examples"), "{text}");
    assert!(text.contains("before tuning, with examples"), "{text}");
    assert!(text.contains("On 100 of 624 rows, drawn by chance: before tuning, with examples."), "{text}");
    assert!(study::report(&outcome, Lang::English).without(&["runs".into()]).sections.iter().all(|s| s.id != "runs"));
}

#[test]
fn one_size_has_no_curve_and_nothing_at_all_is_a_report_too() {
    assert!(study::report(&outcome(&["head"], &[60]), Lang::English).figure("learning").is_none());
    let empty = Outcome { summaries: vec![], cells: vec![], ..outcome(&[], &[]) };
    paper::checked(&study::report(&empty, Lang::Italian));
}

#[test]
fn files_are_read_back_old_ones_too_and_damaged_ones_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    assert_eq!(Outcome::read(dir.path()).expect("none is no error"), None);
    let outcome = outcome(&["head"], &[30, 60]);
    let file = dir.path().join(FILE);
    std::fs::write(&file, serde_json::to_string(&outcome).expect("JSON")).expect("written");
    assert_eq!(Outcome::read(dir.path()).expect("read"), Some(outcome));
    let old = r#"{"metric": "f1", "baselines": {}, "summaries": [{"method": "head", "rows": null, "runs": 1, "mean": 0.5, "interval": null, "seconds": 1.0}], "cells": []}"#;
    std::fs::write(&file, old).expect("written");
    let read = Outcome::read(dir.path()).expect("read").expect("there");
    assert!(markdown::render(&study::report(&read, Lang::English)).contains("| all |"));
    std::fs::write(&file, "{").expect("written");
    assert!(Outcome::read(dir.path()).expect_err("damaged").to_string().contains("run the study again"));
}

/// What the report says of how the study is repeated; nothing where it does not say it.
fn repeated(outcome: &Outcome, lang: Lang) -> Option<String> {
    let document = study::report(outcome, lang);
    let ids: Vec<&str> = document.sections.iter().map(|s| s.id).collect();
    assert_eq!(ids, SECTIONS[..ids.len()]);
    inert(&document).split_once("<a id=\"reproduce\"></a>").map(|(_, told)| told.to_string())
}

#[test]
fn it_says_how_it_is_repeated() {
    let own = outcome(&["head"], &[30, 60]);
    let edited = Outcome { command: own.command.replace(" --methods", " --edited --methods"), ..own.clone() };
    let near = Outcome { command: own.command.replace("/sets/", ""), ..own.clone() };
    for (lang, said) in [
        (
            Lang::English,
            [
                "## How to repeat it",
                "With version 0.1.0 of Lapidary and the files below, this command repeats the study:",
                "of a path that begins at the root",
                "the library of the machine",
            ],
        ),
        (
            Lang::Italian,
            [
                "## Come ripeterlo",
                "Con la versione 0.1.0 di Lapidary e i file elencati, questo comando ripete lo studio:",
                "di un percorso che comincia dalla radice",
                "la libreria",
            ],
        ),
    ] {
        let has = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
        let told = repeated(&own, lang).expect("it is known");
        assert!(said[..3].iter().all(|part| has(&told, part)) && !has(&told, said[3]), "{told}");
        // a person's folders are nobody's business, and what is typed is a line of its own
        let command =
            "```text\nlapidary study --task intent --data sets/intents-it --methods head --set 'a=b c' --sizes 30,all --seeds 0,1,2 --out studies/a\n```";
        assert!(told.contains(command) && !told.contains("/sets"), "{told}");
        let sums = format!("```text\n{}  intents-it/train.jsonl\n{}  model.gguf\n```", "a".repeat(64), "c".repeat(64));
        assert!(told.contains(&sums), "{told}");
        assert!(has(&repeated(&edited, lang).expect("it is known"), said[3]));
        assert!(!has(&repeated(&near, lang).expect("it is known"), said[2]));
    }
}

/// Earlier versions wrote neither the command nor the files; what the runs know is told, and of nothing nothing.
#[test]
fn of_an_old_study_as_much_is_said_as_its_runs_know() {
    let dir = tempfile::tempdir().expect("a folder");
    let cell = |name: &str| serde_json::json!({"method": "head", "rows": 30, "seed": 0, "folder": format!("elsewhere/{name}"), "value": 0.5, "seconds": 1.0});
    let old = serde_json::json!({"metric": "accuracy", "baselines": {}, "summaries": [], "cells": [cell("head-30-seed0"), cell("head-30-seed1")]});
    std::fs::write(dir.path().join(FILE), old.to_string()).expect("written");
    let read = || Outcome::read(dir.path()).expect("read").expect("there");
    assert_eq!(repeated(&read(), Lang::English), None);
    // of the first nothing is left that can be read
    for (name, text) in [("head-30-seed0", "{".to_string()), ("head-30-seed1", serde_json::to_string(&common::run(2, 20).result).expect("JSON"))] {
        std::fs::create_dir(dir.path().join(name)).expect("made");
        std::fs::write(dir.path().join(name).join("result.json"), text).expect("written");
    }
    let outcome = read();
    assert_eq!((outcome.version.as_str(), outcome.command.as_str()), (common::run(2, 20).result.version.as_str(), ""));
    for (lang, said) in [(Lang::English, "Its command was not kept"), (Lang::Italian, "Il suo comando non è stato conservato")] {
        let told = repeated(&outcome, lang).expect("its files are known");
        assert!(told.contains(said) && told.contains(&outcome.version) && !told.contains("lapidary study"), "{told}");
        let lines: Vec<&str> = told.lines().filter(|line| line.contains("  ")).collect();
        let sum = |digit: &str, path: &str| format!("{}  {path}", digit.repeat(64));
        let parts = [("a", "train"), ("b", "validation"), ("d", "test")].map(|(digit, part)| sum(digit, &format!("datasets/intents-it/{part}.jsonl")));
        assert_eq!(lines, [&parts[..], &[sum("c", "models/gemma-3-270m/model.safetensors")]].concat());
    }
}

#[test]
fn hostile_names_do_not_act() {
    let mut outcome = outcome(&["head"], &[30, 60]);
    outcome.data = HOSTILE[0].into();
    outcome.task = HOSTILE[1].into();
    outcome.cells[0].folder = HOSTILE[0].into();
    outcome.summaries[0].method = HOSTILE[0].into();
    outcome.cells[1].folder = "=1+1".into();
    outcome.command = format!("lapidary study --data {} {}", HOSTILE[0], HOSTILE[1]);
    outcome.files[0].path = HOSTILE[0].into();
    outcome.files[1].sha256 = HOSTILE[1].into();
    outcome.baselines.insert(HOSTILE[0].into(), 0.1);
    outcome.baselines.insert(HOSTILE[8].into(), 0.1);
    let page = html::render(&study::report(&outcome, Lang::English));
    for never in ["<script", "<img", "\u{202e}", "\0"] {
        assert!(!page.contains(never), "{never:?}");
    }
    let document = study::report(&outcome, Lang::English);
    inert(&document);
    for table in document.tables() {
        let csv = String::from_utf8(tables::csv(table).expect("CSV")).expect("UTF-8");
        assert!(!csv.lines().any(|l| l.starts_with('=') || l.contains(",=") || l.contains(",\"=")), "a formula in {}", table.name);
    }
    paper::checked(&document);
}
