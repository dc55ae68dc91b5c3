//! A run as one file: what is packed comes out again, elsewhere, and damage is found.

use crate::common::{HOSTILE, run};
use report::archive::{export, import};
use report::record::quoted_on;
use report::{Run, content, html, markdown, text::Lang};
use std::path::Path;

/// A run folder on disk with its data beside it.
fn folder(root: &Path) -> std::path::PathBuf {
    let mut run = run(12, 60);
    let data = root.join("intents.jsonl");
    std::fs::write(&data, "{\"text\":\"a\",\"label\":\"b\"}\n").unwrap();
    for (split, record) in &mut run.run.data.files {
        record.path = data.display().to_string();
        if split == "test" {
            record.sha256 = "c1d5a2b4b2fa5c7dbd08e9dbc9d0a8c7d1b1f38e0f1f9d1b6b8d3d8e6f7a8b9c".into();
        } else {
            record.sha256 = hash(&data);
        }
    }
    run.run.request = toml::from_str("device = 'auto'\n[data]\nskip_bad_rows = true\n[data.columns]\ntext = 'question'\n").unwrap();
    let path = root.join("run");
    std::fs::create_dir_all(path.join("adapter")).unwrap();
    std::fs::write(path.join("run.toml"), toml::to_string(&run.run).unwrap()).unwrap();
    std::fs::write(path.join("result.json"), serde_json::to_vec(&run.result).unwrap()).unwrap();
    let lines = |values: Vec<String>| values.join("\n");
    std::fs::write(path.join("events.jsonl"), lines(run.events.iter().map(|e| serde_json::to_string(e).unwrap()).collect())).unwrap();
    std::fs::write(path.join("predictions.jsonl"), lines(run.predictions.iter().map(|p| serde_json::to_string(p).unwrap()).collect())).unwrap();
    std::fs::write(path.join("adapter/adapter_model.safetensors"), vec![7u8; 100_000]).unwrap();
    std::fs::write(path.join("report.html"), "not part of the run").unwrap();
    path
}

fn hash(path: &Path) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(std::fs::read(path).unwrap()).iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn what_is_packed_comes_out_the_same_and_can_be_reported_on() {
    let dir = tempfile::tempdir().unwrap();
    let run = folder(dir.path());
    let archive = dir.path().join("x.lapidary");
    let packed = export(&run, &archive, false, &mut |_, _| true).unwrap();
    let names: Vec<&str> = packed.iter().map(|e| e.path.as_str()).collect();
    // the test file is no longer the one that was scored, so it stays out
    assert_eq!(
        names,
        [
            "adapter/adapter_model.safetensors",
            "events.jsonl",
            "predictions.jsonl",
            "result.json",
            "run.toml",
            "data/train.jsonl",
            "data/validation.jsonl",
            "data/dataset.toml"
        ]
    );
    let elsewhere = dir.path().join("elsewhere").join("run");
    assert_eq!(import(&archive, &elsewhere, &mut |_, _| true).unwrap(), packed);
    for entry in &packed {
        assert_eq!(hash(&elsewhere.join(&entry.path)), entry.sha256);
    }
    let report = |folder: &Path| content::run(&Run::open(folder).unwrap(), Lang::English);
    let (there, here) = (report(&elsewhere).without(&["reproduce".into()]), report(&run).without(&["reproduce".into()]));
    assert_eq!(html::render(&there), html::render(&here));
    // the data is a set of its own there, and the report says how to repeat the run with it
    let card = data::set::read_card(&elsewhere.join("data")).unwrap();
    assert_eq!((card.name.as_str(), card.task.as_str(), card.language.as_str(), card.license.as_str()), ("intents-it", "intent", "it", "CC-BY-4.0"));
    assert!(card.how_it_was_made.starts_with("Made up for the tests.\nAs it was when a run of Lapidary 0.1.0") && card.description.contains("twelve intents"));
    assert_eq!(card.files.keys().collect::<Vec<_>>(), ["train", "validation"]);
    assert_eq!((card.columns["text"].as_str(), card.reference.len()), ("question", 1));
    let said = |document: &report::document::Document, part: &str| markdown::render(document).contains(part);
    // from the folder that holds it, for where that is nobody's business
    let data = Path::new("run").join("data");
    for part in
        [&*format!("--data {} --skip-bad-rows --model gemma-3-270m", data.display()), "this command, given in the folder that holds the run, repeats it"]
    {
        assert!(said(&report(&elsewhere), part) && !said(&report(&run), part), "{part}");
    }
    assert!(!said(&report(&elsewhere), &dir.path().display().to_string()));
    assert!(import(&archive, &elsewhere, &mut |_, _| true).unwrap_err().to_string().contains("exists already"));
    assert!(export(&run, &archive, false, &mut |_, _| true).unwrap_err().to_string().contains("exists already"));
    let bare = export(&run, &dir.path().join("bare.lapidary"), true, &mut |_, _| true).unwrap();
    assert!(!bare.iter().any(|e| e.path.starts_with("data/")));
}

#[test]
fn a_run_that_has_not_ended_is_named_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let run = folder(dir.path());
    std::fs::remove_file(run.join("result.json")).unwrap();
    let said = Run::open(&run).unwrap_err().to_string();
    assert!(said.contains("has not ended") && said.contains("lapidary resume "), "{said}");
    // no run at all
    let said = Run::open(dir.path()).unwrap_err().to_string();
    assert!(said.contains("run.toml") && !said.contains("has not ended"), "{said}");
}

#[test]
fn a_damaged_archive_is_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    let run = folder(dir.path());
    let archive = dir.path().join("x.lapidary");
    export(&run, &archive, false, &mut |_, _| true).unwrap();
    let bytes = std::fs::read(&archive).unwrap();
    let out = dir.path().join("out");
    for at in (100..bytes.len()).step_by(bytes.len() / 37) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        std::fs::write(&archive, &damaged).unwrap();
        // a byte of a time stamp may change unseen; whatever comes out then is whole
        match import(&archive, &out, &mut |_, _| true) {
            Ok(entries) => {
                entries.iter().for_each(|e| assert_eq!(hash(&out.join(&e.path)), e.sha256));
                std::fs::remove_dir_all(&out).unwrap();
            }
            Err(e) => assert!(e.to_string().contains("x.lapidary"), "{e}"),
        }
        assert!(!out.exists() && !dir.path().join("out.part").exists());
    }
    for length in [0, 10, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&archive, &bytes[..length]).unwrap();
        assert!(import(&archive, &out, &mut |_, _| true).is_err() && !out.exists(), "cut at {length}");
    }
    assert!(export(dir.path(), &dir.path().join("y.lapidary"), false, &mut |_, _| true).is_err(), "no run folder");
    assert!(!dir.path().join("y.lapidary").exists());
}

#[test]
fn a_word_of_a_command_is_told_as_a_shell_takes_it_for_one() {
    for (word, mark, told) in [
        ("runs/first-1", '"', "runs/first-1"),
        ("C:\\posta\\è.csv", '"', "C:\\posta\\è.csv"),
        ("epochs=3", '\'', "epochs=3"),
        ("my runs/a", '"', "\"my runs/a\""),
        ("a;b", '"', "\"a;b\""),
        ("", '"', "\"\""),
        ("l'anno", '"', "\"l'anno\""),
        ("$HOME/a", '"', "'$HOME/a'"),
        ("taps=[0.5, 1.0]", '\'', "'taps=[0.5, 1.0]'"),
        ("template.it=Dov'è {text}", '\'', "\"template.it=Dov'è {text}\""),
        ("template.it=\"Dov'è\" {text}", '\'', r#"'template.it="Dov'\''è" {text}'"#),
    ] {
        assert_eq!(quoted_on(false, word, mark), told);
    }
    for (word, mark, told) in [
        ("C:\\posta\\è.csv", '"', "C:\\posta\\è.csv"),
        ("C:\\la mia posta\\è.csv", '"', r#""C:\la mia posta\è.csv""#),
        ("C:\\la mia posta\\", '"', r#""C:\la mia posta\\""#),
        ("taps=[0.5, 1.0]", '\'', r#""taps=[0.5, 1.0]""#),
        ("template.it=\"Dov'è\" {text}", '\'', r#""template.it=\"Dov'è\" {text}""#),
    ] {
        assert_eq!(quoted_on(true, word, mark), told);
    }
}

#[test]
fn a_run_is_repeated_where_it_was_unpacked_and_no_name_of_it_becomes_a_command() {
    let mut run = run(12, 60).run;
    let folder = Path::new("my runs/a");
    assert_eq!(run.repeated_in(folder), None, "nothing is known of what was asked for");
    run.request = toml::from_str("device = 'cpu'\nrows = 60\nedited = true\ntrial = false\n").unwrap();
    assert_eq!(
        run.repeated_in(folder).unwrap().replace('\\', "/"),
        "lapidary train --task intent --data \"my runs/a/data\" --edited --model gemma-3-270m --device cpu --recipe \"my runs/a/run.toml\" --rows 60 --seed 17 \
         --out \"my runs/a/again\""
    );
    for hostile in HOSTILE.iter().copied().chain(["m; rm -rf ~", "$(evil)", "`evil`", "a\" && b", "x --out /", ""]) {
        // blanks are part of names only where they are quoted
        let of = |place: &mut String| std::mem::replace(place, hostile.into());
        let task = of(&mut run.task);
        assert_eq!(run.repeated_in(folder), None, "{hostile}");
        run.task = task;
        let name = of(&mut run.model.name);
        assert!(run.repeated_in(folder).is_none_or(|c| c.contains(&format!("--model \"{hostile}\" "))), "{hostile}");
        run.model.name = name;
        run.request.insert("device".into(), toml::Value::String(hostile.into()));
        assert_eq!(run.repeated_in(folder), None, "{hostile}");
        run.request.insert("device".into(), toml::Value::String("cpu".into()));
    }
}
