//! Entities by tagging, on the tiny model: gradients, learning, and what it must not be able to learn.

use acceptance::{json, open, tiny};
use data::Batch;
use data::encode::Encoder;
use gemma::head::{Pool, View};
use gemma::{Adapters, Head, LoraConfig, Tokenizer};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tasks::tagging::{Cut, count, words};
use train::step::forward_backward;
use train::{Tuned, step};

/// The derivative along the gradient, by finite differences, is the gradient's square.
#[test]
fn gradients_of_tagged_words_are_those_of_the_loss() {
    let (weights, model) = open(&tiny(), "cpu");
    let tokenizer = Tokenizer::open(&weights).expect("its tokenizer");
    let encoder = Encoder { tokenizer: &tokenizer, max_tokens: 512 };
    let encode = |text: &str| {
        let tagged: Vec<_> = words(text, Cut::Words).into_iter().zip((0..).map(|i| i % count(2) as u32)).collect();
        encoder.words(text, &tagged, 2).expect("short enough")
    };
    let examples = ["Anna va a Roma.", "Il 3 maggio, forse, no", "東京"].map(encode);
    let batch = Batch::new(&examples, &[0, 1, 2], model.layout());
    for body in [model.shortened(2), model.shortened(2).unfused()] {
        for pool in [Pool::Mean, Pool::Last, Pool::Rare] {
            let config = LoraConfig { rank: 4, ..LoraConfig::default() };
            let adapters = Adapters::new(config, &body, 1).expect("adapters");
            let head = Head::new(body.config().hidden, count(2), View { taps: vec![1, 2], pool }, 1, body.device());
            let mut tuned = Tuned { trained: adapters.into(), head: Some(head) };
            // B begins at zero, where A has no gradient: look from beside it
            tuned.visit(&mut |path, t| {
                if path.ends_with("lora_B") {
                    *t = (t.clone().inner() + 0.02).autodiff().require_grad();
                }
            });
            let total = step::targets(&batch, tuned.objective());
            assert_eq!(total, batch.places.len());
            let (_, mut gradients) = forward_backward(&body, &tuned, &batch, total).expect("runs");
            let mut by_path = BTreeMap::new();
            tuned.visit(&mut |path, t| {
                by_path.insert(path.to_string(), t.grad_remove(&mut gradients).unwrap_or_else(|| panic!("no gradient of {path}")));
            });
            for kind in ["lora_A", "lora_B", "head.weight", "head.bias"] {
                let own = |path: &str| path.ends_with(kind);
                let square: f64 = by_path.iter().filter(|(p, _)| own(p)).map(|(_, g)| f64::from(g.clone().square().sum().into_scalar::<f32>())).sum();
                let step = 2e-3 / square.sqrt();
                let at = |sign: f64| {
                    let mut moved = tuned.clone();
                    moved.visit(&mut |path, t| {
                        if own(path) {
                            *t = (t.clone().inner() + by_path[path].clone().mul_scalar(sign * step)).autodiff().require_grad();
                        }
                    });
                    forward_backward(&body, &moved, &batch, total).expect("runs").0.sum / total as f64
                };
                let measured = (at(1.0) - at(-1.0)) / (2.0 * step);
                assert!((measured - square).abs() < 0.03 * square, "{kind}: {measured} is not {square}");
            }
        }
    }
}

/// Sentences in which a person and a place stand in changing company.
fn rows(seed: u64, count: usize, shuffled: bool) -> String {
    const PEOPLE: [&str; 5] = ["Anna", "Bruno Neri", "Carla", "Dino De Rossi", "Elena"];
    const PLACES: [&str; 5] = ["Bari", "Lecce", "Monte Rosa", "Pisa", "Sesto San Giovanni"];
    const FORMS: [&str; 5] = ["{p} vive a {l}.", "Oggi {p}, forse, va a {l}", "A {l} piove", "ma {p} non lo sa!", "niente di nuovo"];
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let one = |rng: &mut ChaCha8Rng| {
        let (mut text, mut entities) = ((*FORMS.choose(rng).expect("some")).to_string(), Vec::new());
        for (mark, kind, names) in [("{p}", "people", PEOPLE), ("{l}", "places", PLACES)] {
            if let Some(at) = text.find(mark) {
                let name = *names.choose(rng).expect("some");
                text = text.replacen(mark, name, 1);
                let start = text[..at].chars().count();
                entities.push((start, start + name.chars().count(), kind));
            }
        }
        if shuffled {
            // as many spans of the same types, each at a word of chance
            let all = words(&text, Cut::Words);
            let mut free: Vec<usize> = (0..all.len()).collect();
            free.shuffle(rng);
            for (entity, &word) in entities.iter_mut().zip(&free) {
                let kind = ["people", "places"][rng.random_range(0..2)];
                *entity = (text[..all[word].start].chars().count(), text[..all[word].end].chars().count(), kind);
            }
        }
        let entities: Vec<_> = entities.into_iter().map(|(start, end, kind)| serde_json::json!({"start": start, "end": end, "type": kind})).collect();
        serde_json::json!({"text": text, "entities": entities}).to_string() + "\n"
    };
    (0..count).map(|_| one(&mut rng)).collect()
}

fn run(folder: &Path, args: &[&str]) -> Output {
    let out = Command::new(env!("CARGO_BIN_EXE_lapidary")).args(args).arg("--home").arg(folder.join("home")).current_dir(folder).env("LC_ALL", "C").output();
    let out = out.expect("the command runs");
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    out
}

/// Trains on right or on shuffled entities, and returns the folder.
fn trained(shuffled: bool) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, seed, count) in [("train", 1, 60), ("validation", 2, 12), ("test", 3, 40)] {
        std::fs::write(dir.path().join(format!("{name}.jsonl")), rows(seed, count, shuffled && name != "test")).expect("writable");
    }
    let model = tiny().display().to_string();
    let mut args = vec!["train", "--task", "entities", "--data", ".", "--model", &model, "--out", "out", "--set", "epochs=4"];
    // the untuned model answers by completion, which takes its time
    args.extend(["--no-forecast", "--set", "answer_tokens=8", "--set", "ridge=1", "--set", "learning_rate=1e-3", "--set", "head_learning_rate=1e-3"]);
    run(dir.path(), &args);
    dir
}

#[test]
fn entities_are_learnt_and_answered_and_shuffled_ones_are_not() {
    let dir = trained(false);
    let path = |name: &str| -> PathBuf { dir.path().join("out").join(name) };
    let result: serde_json::Value = json(&path("result.json"));
    assert_eq!((&result["method"], &result["status"]), (&"tagging".into(), &"completed".into()));
    let f1 = result["metrics"]["f1"].as_f64().expect("an F1");
    assert!(f1 > 0.95, "{}", result["metrics"]);
    assert!(path("adapter/head.safetensors").exists());

    // every event of a validation tells the F1, and the loss fell
    let events = std::fs::read_to_string(path("events.jsonl")).expect("events");
    let events: Vec<serde_json::Value> = events.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let evaluations: Vec<_> = events.iter().filter(|e| e["type"] == "evaluation").collect();
    assert!(evaluations.len() > 1 && evaluations.iter().all(|e| e["metrics"]["f1"].is_number()), "{evaluations:?}");

    // asked again, and of files, it says the same
    let predictions = std::fs::read_to_string(path("predictions.jsonl")).expect("predictions");
    let first: serde_json::Value = serde_json::from_str(predictions.lines().next().expect("a line")).expect("JSON");
    let asked = run(dir.path(), &["predict", "out", first["input"].as_str().expect("an input"), "--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&asked.stdout).expect("JSON");
    assert_eq!(answer["output"], first["output"]);
    assert!((0.5..=1.0).contains(&first["probability"].as_f64().expect("a probability")), "{first}");
    let scored = run(dir.path(), &["eval", "out", "--test", "test.jsonl", "--json"]);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&scored.stdout).expect("JSON"), result["metrics"]);
    // a text without a word has no entities
    let nothing = run(dir.path(), &["predict", "out", " \n", "--json"]);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&nothing.stdout).expect("JSON")["output"], "[]");

    let chance: serde_json::Value = json(&trained(true).path().join("out/result.json"));
    let chance = chance["metrics"]["f1"].as_f64().expect("an F1");
    assert!(chance < 0.25, "shuffled entities are answered with an F1 of {chance}");
}
