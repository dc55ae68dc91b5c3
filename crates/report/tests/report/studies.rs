//! Reports of studies: lines by method, one size, old files, hostile names.

use crate::common::{HOSTILE, keep};
use crate::formats::inert;
use crate::paper;
use report::study::{self, FILE, Outcome, StudyRun, Summary};
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

#[test]
fn hostile_names_do_not_act() {
    let mut outcome = outcome(&["head"], &[30, 60]);
    outcome.data = HOSTILE[0].into();
    outcome.task = HOSTILE[1].into();
    outcome.cells[0].folder = HOSTILE[0].into();
    outcome.summaries[0].method = HOSTILE[0].into();
    outcome.cells[1].folder = "=1+1".into();
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
