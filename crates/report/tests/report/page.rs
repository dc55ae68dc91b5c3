//! The HTML report: complete, bounded, harmless, in both languages, and silent on what was not measured.

use crate::common::{answers, events, hostile_run, keep, labels, run, step};
use crate::paper;
use base64::Engine;
use report::Run;
use report::content;
use report::html;
use report::markdown;
use report::output::{Format, write};
use report::record::{Calibration, ELSEWHERE, ModelRecord, TrainRecord};
use report::text::Lang;
use roxmltree::{Document, Node};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use tasks::score::calibration::{Agreement, CoveragePoint};
use tasks::score::classification;
use train::Event;
use train::event::Told;
use train::health::{Remedy, Symptom, Trouble};

const SECTIONS: [&str; 14] =
    ["summary", "results", "classes", "confusion", "mistakes", "calibration", "use", "training", "health", "done", "model", "data", "reproduce", "cite"];

fn render(run: &Run, lang: Lang) -> String {
    html::render(&content::run(run, lang))
}

/// The body, read as strictly as XML: an element left open or a stray `<` fails here.
fn body(page: &str) -> Document<'_> {
    let start = page.find("<body>").expect("a body");
    let end = page.find("</body>").expect("the end of the body") + "</body>".len();
    Document::parse(&page[start..end]).unwrap_or_else(|e| panic!("{e}"))
}

fn sections(document: &Document) -> Vec<String> {
    document.descendants().filter(|n| n.has_tag_name("section")).filter_map(|n| n.attribute("id")).map(String::from).collect()
}

fn words(node: Node) -> String {
    node.descendants().filter(Node::is_text).filter_map(|n| n.text()).collect::<Vec<_>>().join(" ")
}

fn section(document: &Document, id: &str) -> String {
    words(document.descendants().find(|n| n.attribute("id") == Some(id)).unwrap_or_else(|| panic!("no section {id}")))
}

#[test]
fn a_finished_run_has_all_sections_with_headings_captions_and_alternatives() {
    for lang in [Lang::English, Lang::Italian] {
        let page = render(&run(12, 600), lang);
        keep(&format!("report-{}.html", lang.code()), &page);
        assert!(page.starts_with("<!DOCTYPE html><html lang=\"") && page.contains(&format!("lang=\"{}\"", lang.code())));
        let document = body(&page);
        assert_eq!(sections(&document), SECTIONS);
        assert_eq!(document.descendants().filter(|n| n.has_tag_name("h1")).count(), 1);
        for section in document.descendants().filter(|n| n.has_tag_name("section")) {
            assert!(section.children().find(Node::is_element).unwrap().has_tag_name("h2"));
        }
        let svgs: Vec<Node> = document.descendants().filter(|n| n.tag_name().name() == "svg").collect();
        assert_eq!(svgs.len(), 15);
        for svg in svgs {
            assert_eq!(svg.attribute("role"), Some("img"));
            assert!(svg.attribute("aria-label").unwrap().len() > 30);
        }
        for table in document.descendants().filter(|n| n.has_tag_name("table")).filter(|t| t.descendants().any(|n| n.has_tag_name("thead"))) {
            assert!(table.children().next().unwrap().has_tag_name("caption"));
        }
        // links lead somewhere inside
        for link in document.descendants().filter(|n| n.has_tag_name("a")) {
            let target = link.attribute("href").unwrap().strip_prefix('#').expect("only links inside the page");
            assert!(document.descendants().any(|n| n.attribute("id") == Some(target)));
        }
    }
}

#[test]
fn the_page_runs_nothing_and_fetches_nothing() {
    let page = render(&run(12, 600), Lang::English);
    for never in ["<script", "<img", "<link", "<iframe", "@import", "src=", "javascript:"] {
        assert!(!page.contains(never), "{never}");
    }
    // it brings its type family
    let urls = |what: &str| page.matches(what).count();
    assert_eq!((urls("url("), urls("src:url(data:font/woff2;base64,"), urls("font-src data:")), (2, 2, 1));
    let addresses: Vec<_> = page
        .match_indices("http")
        .map(|(i, _)| &page[i..(i + 26).min(page.len())])
        .filter(|s| !s.starts_with("http://www.w3.org/2000/svg") && !s.starts_with("http-equiv"))
        .collect();
    assert!(addresses.is_empty(), "{addresses:?}");
}

/// The policy of a page, and that of the window which shows it in a frame, know its style sheet by the hash and allow no other style.
#[test]
fn the_one_style_sheet_is_allowed_by_its_hash_and_no_element_has_a_style_of_its_own() {
    let page = render(&run(12, 600), Lang::English);
    let sheet = page.split_once("<style>").and_then(|(_, rest)| rest.split_once("</style>")).expect("a style sheet").0;
    let source = format!("'sha256-{}'", base64::engine::general_purpose::STANDARD.encode(Sha256::digest(sheet)));
    assert_eq!(html::style_source(), source);
    assert!(page.contains(&format!("content=\"default-src 'none'; style-src {source}; font-src data:\"")) && !page.contains("unsafe-"));
    let document = body(&page);
    assert!(!document.descendants().any(|n| n.tag_name().name() == "style" || n.attribute("style").is_some()));
    // bars are as long as their numbers say
    let mut bars = 0;
    for cell in document.descendants() {
        let Some(class) = cell.attribute("class").and_then(|class| class.strip_prefix("num bar ")) else { continue };
        let percent: f64 = words(cell).split('\u{202f}').next().and_then(|number| number.parse().ok()).expect("a percentage");
        let share: f64 = sheet.split_once(&format!(".{class}{{--share:")).and_then(|(_, rest)| rest.split_once('}')?.0.parse().ok()).expect("a rule");
        assert!((share * 100.0 - percent).abs() <= 0.6, "{class}: {percent}");
        bars += 1;
    }
    assert!(bars >= 12, "{bars}");
}

#[test]
fn numbers_are_those_of_the_result_in_the_language() {
    let run = run(12, 600);
    let metrics = run.result.classes().unwrap();
    let percent = format!("{:.1}", metrics.accuracy * 100.0);
    let page = render(&run, Lang::English);
    let english = body(&page);
    let hero = words(english.descendants().find(|n| n.attribute("class") == Some("number")).unwrap());
    assert!(hero.contains(&format!("{percent}\u{202f}%")) && hero.contains("accuracy, test set"), "{hero}");
    assert!(hero.contains(&format!("{:.1}–{:.1}", metrics.accuracy_ci[0] * 100.0, metrics.accuracy_ci[1] * 100.0)), "{hero}");

    let page = render(&run, Lang::Italian);
    let italian = body(&page);
    for id in ["summary", "results", "classes", "confusion", "mistakes", "calibration", "training"] {
        let text = section(&italian, id);
        let bytes = text.as_bytes();
        let points = bytes.windows(3).filter(|w| w[0].is_ascii_digit() && w[1] == b'.' && w[2].is_ascii_digit()).count();
        // the one decimal point left is in the device's or a file's own name
        assert_eq!(points, 0, "{id}: {text}");
    }
    assert!(section(&italian, "summary").contains(&percent.replace('.', ",")));
    assert!(section(&italian, "done").contains("0.0002"), "settings stay as a recipe has them");
}

#[test]
fn comparisons_follow_the_intervals() {
    let mut run = run(12, 600);
    let summary = |run: &Run| section(&body(&render(run, Lang::English)), "summary");
    let text = summary(&run);
    assert!(text.contains("above the commonest label and the model before tuning"), "{text}");

    run.result.baselines.insert("untuned".into(), run.result.metrics.clone().unwrap());
    let text = summary(&run);
    assert!(
        text.contains("above the commonest label:")
            && text.contains("Beside the model before tuning it is called neither above nor below: the intervals overlap."),
        "{text}"
    );
    // intervals that overlap settle nothing, not even that nothing is settled
    assert!(!text.contains("settle") && !text.contains("which is better"), "{text}");
    let same = run.result.metrics.clone().unwrap();
    run.result.baselines.insert("tf_idf_logistic".into(), same.clone());
    let text = summary(&run);
    assert!(text.contains(&format!("training examples, gets {}.", Lang::English.percent(same.main()))), "{text}");
    assert!(
        text.contains("Beside TF-IDF with logistic regression and the model before tuning it is called neither") && text.contains("the intervals overlap."),
        "{text}"
    );
    run.result.baselines.remove("tf_idf_logistic");

    run.result.baselines.insert("untuned".into(), classification(&labels(12), &answers(12, 600, 2.0, false)).into());
    assert!(summary(&run).contains("below the model before tuning"), "{}", summary(&run));

    let weak = run.result.baselines["majority"].clone();
    run.result.baselines = ["majority", "nearest", "gazetteer"].map(|name| (name.to_string(), weak.clone())).into();
    assert!(summary(&run).contains("above the list of known entities, the commonest label and the nearest training example:"), "{}", summary(&run));

    run.result.baselines.clear();
    let text = summary(&run);
    assert!(!text.contains("above") && !text.contains("overlap") && !text.contains("commonest"), "{text}");
}

#[test]
fn it_is_told_where_only_a_part_of_the_examples_was_asked() {
    let mut run = run(12, 600);
    let told = |run: &Run, lang: Lang| ["summary", "results"].map(|id| section(&body(&render(run, lang)), id));
    assert!(told(&run, Lang::English).iter().all(|text| !text.contains("drawn by chance")));
    run.result.baselines.insert("untuned".into(), classification(&labels(12), &answers(12, 100, 0.41, false)).into());
    for (lang, part) in [
        (Lang::English, "On 100 of 600 rows, drawn by chance: the model before tuning."),
        (Lang::Italian, "Su 100 righe di 600, estratte a caso: il modello non specializzato."),
    ] {
        assert!(told(&run, lang).iter().all(|text| text.contains(part)), "{:?}", told(&run, lang));
    }
}

#[test]
fn weakest_labels_come_first() {
    let run = run(12, 600);
    let page = render(&run, Lang::English);
    let document = body(&page);
    let table = document.descendants().find(|n| n.attribute("id") == Some("classes")).unwrap();
    let f1: Vec<f64> = table
        .descendants()
        .filter(|n| n.attribute("class").is_some_and(|class| class.starts_with("num bar ")))
        .map(|n| n.text().unwrap().split('\u{202f}').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(f1.len(), 12);
    assert!(f1.windows(2).all(|w| w[0] <= w[1]) && f1[0] < f1[11], "{f1:?}");
}

#[test]
fn a_failed_run_says_so_first_and_claims_nothing() {
    for lang in [Lang::English, Lang::Italian] {
        let mut run = run(12, 600);
        run.result.status = "failed".into();
        run.result.error = Some("The loss was not a number at step 41.\nLower the learning rate (now 0.01) and start again.".into());
        run.result.metrics = None;
        run.result.metrics_free = None;
        run.result.baselines.clear();
        run.result.train = Default::default();
        run.predictions.clear();
        run.events =
            (1..=40).map(|i| step(i, 2.0 + 0.1 * i as f64)).chain([step(41, f64::NAN), Event::Failed { step: 41, message: "x".into(), told: None }]).collect();
        let page = render(&run, lang);
        keep(&format!("failed-{}.html", lang.code()), &page);
        let document = body(&page);
        assert_eq!(sections(&document), ["summary", "training", "done", "model", "data", "reproduce", "cite"]);
        let alert = document.descendants().find(|n| n.attribute("role") == Some("alert")).unwrap();
        assert!(words(alert).contains("Lower the learning rate") && words(alert).contains("41"), "{}", words(alert));
        assert!(alert.range().start < document.descendants().find(|n| n.has_tag_name("section")).unwrap().range().start);
        assert!(!page.contains("95 %"), "nothing was measured");
        // and without any cause or event
        run.result.error = None;
        run.events.clear();
        let page = render(&run, lang);
        assert_eq!(sections(&body(&page)), ["summary", "done", "model", "data", "reproduce", "cite"]);
        assert_eq!(page.matches("role=\"alert\"").count(), 1);
    }
}

#[test]
fn how_many_examples_each_label_had_in_training_is_told_where_it_was_counted() {
    let mut run = run(12, 600);
    let document = content::run(&run, Lang::English);
    let figure = &document.figure("balance_training").unwrap().data;
    assert_eq!(figure["classes"][0], serde_json::json!({"label": "general_inquiry", "examples": 411}));
    let json = report::tables::json(&document);
    let row = json["tables"]["classes"].as_array().unwrap().iter().find(|r| r["label"] == "order_cancellation").unwrap();
    assert_eq!((row["training"].as_u64(), row["examples"].as_u64()), (Some(401), Some(50)));
    assert!(section(&body(&html::render(&document)), "data").contains("Examples of each label in the training set."));
    // runs of earlier versions did not count them, and of another system nothing is known
    let counts = std::mem::take(&mut run.run.data.counts);
    let untold = |run: &Run| {
        let document = content::run(run, Lang::English);
        document.figure("balance_training").is_none() && document.tables().all(|t| t.columns.iter().all(|c| c.key != "training"))
    };
    assert!(untold(&run));
    run.run.data.counts = counts;
    run.run.method = ELSEWHERE.into();
    assert!(untold(&run));
}

#[test]
fn changes_to_the_data_are_told_and_how_they_are_had_elsewhere() {
    let mut run = run(12, 600);
    let said = |run: &Run, id: &str, lang| section(&body(&render(run, lang)), id);
    assert!(!said(&run, "summary", Lang::English).contains("edited") && !said(&run, "reproduce", Lang::English).contains("--edited"));
    let mut file = run.run.data.files["train"].clone();
    for (count, english, italian) in [(4, "4 changes", "4 modifiche"), (1, "1 change", "1 modifica")] {
        file.count = count;
        run.run.data.files.insert("changes".into(), file.clone());
        let data = said(&run, "data", Lang::English);
        assert!(data.contains("changes made before the run") && data.contains(&format!("{english} w")) && !data.contains("\u{202f}B "), "{data}");
        assert!(said(&run, "summary", Lang::English).contains(&format!("{english} w")), "{}", said(&run, "summary", Lang::English));
        assert!(said(&run, "data", Lang::Italian).contains("modifiche fatte prima dell’esecuzione"));
        assert!(said(&run, "summary", Lang::Italian).contains(italian), "{}", said(&run, "summary", Lang::Italian));
        let json = report::tables::json(&content::run(&run, Lang::English));
        let row = json["document"]["sections"].as_array().unwrap().iter().find(|s| s["id"] == "data").unwrap().to_string();
        assert!(row.contains(&format!("\"text\":\"{english}\"")), "{row}");
        assert!(said(&run, "reproduce", Lang::English).contains("lapidary unpack"));
    }
    // where the run was unpacked, its changes have come with it
    run.with_data = true;
    assert!(!said(&run, "reproduce", Lang::English).contains("lapidary unpack"));
}

#[test]
fn a_report_does_not_tell_where_its_author_keeps_files() {
    let mut run = run(12, 600);
    for (path, told) in [
        ("/home/anna/private/posta/train.jsonl", "posta/train.jsonl"),
        ("C:\\Users\\anna\\posta\\train.jsonl", "posta\\train.jsonl"),
        ("/home/anna/train.jsonl", "train.jsonl"),
        ("C:\\Users\\anna\\train.jsonl", "train.jsonl"),
        ("/train.jsonl", "train.jsonl"),
        ("datasets/posta/train.jsonl", "datasets/posta/train.jsonl"),
    ] {
        run.run.data.files.values_mut().next().unwrap().path = path.into();
        let page = html::render(&content::run(&run, Lang::English));
        assert!(page.contains(told) && !page.contains("anna"), "{path}");
    }
    // the window names all it asks for from the root
    run.run.model.name = "/home/anna/models/gemma-3-270m.gguf".into();
    let said = |run: &Run, lang| markdown::render(&content::run(run, lang));
    for (command, told) in [
        (
            "lapidary train --task intent --data \"/home/anna/my posts/posta\" --model /home/anna/models/gemma-3-270m.gguf --set 'template.it={text} →' --out /home/anna/runs/a",
            "lapidary train --task intent --data \"my posts/posta\" --model models/gemma-3-270m.gguf --set 'template.it={text} →' --out runs/a\n",
        ),
        ("lapidary train --data=C:\\Users\\anna\\posta --out \"C:\\Users\\anna\\a b\"", "lapidary train --data=posta --out \"a b\"\n"),
        ("lapidary train --data / --out \"/home/anna/posta/a", "lapidary train --data / --out \"posta/a\n"),
    ] {
        run.run.command = command.into();
        let page = said(&run, Lang::English);
        assert!(page.contains(told), "{told}: {page}");
        assert!(!page.contains("/home") && page.contains("only the folder and the name are told here"), "{page}");
        assert!(page.contains("models/gemma-3-270m.gguf, 268\u{202f}098\u{202f}176 parameters"), "{page}");
    }
    // in the text of a command that a person typed nothing is changed
    run.run.command = "lapidary train --data posta --set 'template.it=/{text}/' --model gemma-3-270m".into();
    let page = said(&run, Lang::Italian);
    assert!(page.contains("lapidary train --data posta --set 'template.it=/{text}/' --model gemma-3-270m\n") && !page.contains("comincia dalla radice"));
}

#[test]
fn of_a_training_that_did_not_end_no_loss_is_made_up() {
    let mut run = run(12, 600);
    let costs = |run: &Run| -> Vec<String> {
        let json = report::tables::json(&content::run(run, Lang::English));
        json["tables"]["cost"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_string()).collect()
    };
    assert!(costs(&run).contains(&"Loss of the last step".to_string()), "{:?}", costs(&run));
    run.result.status = "failed".into();
    run.result.metrics = None;
    // as the program writes it where the training ends in an error
    run.result.train = TrainRecord { steps: 40, peak_memory_bytes: 1_900_000_000, ..TrainRecord::default() };
    run.events.truncate(41);
    assert_eq!(costs(&run), ["Steps", "Passes over the data", "Peak memory"]);
}

#[test]
fn a_failure_has_its_symptoms_since_when_the_likely_cause_and_what_helps() {
    let trouble = |step, symptom, remedy: Remedy, seen: &str| Event::Health {
        step,
        ok: false,
        symptom: Some(symptom),
        remedy,
        seen: seen.into(),
        message: Trouble { symptom, remedy, seen: seen.into() }.message(say::Language::English, step),
        back_to: None,
    };
    let mut run = run(12, 600);
    run.result.status = "failed".into();
    run.result.error = Some("6 repairs were not enough".into());
    run.result.metrics = None;
    run.result.metrics_free = None;
    run.predictions.clear();
    run.events = (1..=40).map(|i| step(i, 2.0)).collect();
    run.events.push(trouble(12, Symptom::Diverging, Remedy::HalveRate, "loss 9.000, was 1.000"));
    run.events.push(trouble(30, Symptom::Diverging, Remedy::HalveRate, "loss 8.000, was 1.000"));
    run.events.push(trouble(41, Symptom::LossNotFinite, Remedy::Stop, "loss NaN"));
    for (lang, cause, help) in [
        (Lang::English, "a learning rate that is too high", "a lower train.learning_rate, or a longer train.warmup"),
        (Lang::Italian, "un tasso di apprendimento troppo alto", "un train.learning_rate più basso, o un train.warmup più lungo"),
    ] {
        let document = content::run(&run, lang);
        let page = html::render(&document);
        keep(&format!("failed-with-findings-{}.html", lang.code()), &page);
        paper::checked(&document);
        let read = body(&page);
        let alert = words(read.descendants().find(|n| n.attribute("role") == Some("alert")).unwrap());
        for said in ["6 repairs were not enough", "12", cause, help] {
            assert!(alert.contains(said), "{said} in {alert}");
        }
        let health = section(&read, "health");
        assert!(!health.contains("found nothing") && !health.contains("non ha trovato nulla"), "{health}");
        let json = report::tables::json(&document);
        let found = &json["tables"]["findings"];
        assert_eq!((found[0]["symptom"].as_str(), found[0]["since_step"].as_u64(), found[0]["times"].as_u64()), (Some("diverging"), Some(12), Some(2)));
        assert_eq!((found[0]["likely_cause"].as_str(), found[0]["what_helps"].as_str()), (Some(cause), Some(help)));
        assert_eq!((found[1]["symptom"].as_str(), found[1]["since_step"].as_u64()), (Some("loss_not_finite"), Some(41)));
    }
}

#[test]
fn why_a_run_failed_is_told_in_the_language_of_the_report() {
    let mut run = run(12, 600);
    run.result.status = "failed".into();
    run.result.metrics = None;
    run.predictions.clear();
    run.events = vec![step(1, 2.0)];
    let alert = |run: &Run, lang| {
        let page = render(run, lang);
        let document = body(&page);
        words(document.descendants().find(|n| n.attribute("role") == Some("alert")).unwrap())
    };
    // the health guard ended it: what the program said then, in English, is said anew
    let trouble = Trouble { symptom: Symptom::LossZero, remedy: Remedy::Stop, seen: "loss 0".into() };
    let message = trouble.message(say::Language::English, 2);
    run.result.error = Some(message.clone());
    run.events.push(Event::Health {
        step: 2,
        ok: false,
        symptom: Some(trouble.symptom),
        remedy: trouble.remedy,
        seen: trouble.seen,
        message: message.clone(),
        back_to: None,
    });
    run.events.push(Event::Failed { step: 1, message: message.clone(), told: None });
    let (english, italian) = (alert(&run, Lang::English), alert(&run, Lang::Italian));
    assert_eq!(english.matches(&message).count(), 1, "said once: {english}");
    assert!(italian.contains("La perdita è esattamente 0") && italian.contains("Causa probabile: ") && !italian.contains("The loss"), "{italian}");
    // something else did, and the run kept what it was in both languages
    run.events.truncate(1);
    run.events.push(Event::failed(1, || say::say!("out of memory", "memoria esaurita")));
    run.result.error = Some("out of memory".into());
    assert!(alert(&run, Lang::Italian).contains("memoria esaurita") && alert(&run, Lang::English).contains("out of memory"));
    // what is not in the run's own story stays as it is
    run.result.error = Some("killed".into());
    assert!(alert(&run, Lang::Italian).contains("killed"));
}

fn words_of(lang: Lang, english: &'static str, italian: &'static str) -> &'static str {
    if lang == Lang::English { english } else { italian }
}

#[test]
fn of_another_system_only_its_answers_are_told() {
    let mut run = run(12, 600);
    run.run.method = ELSEWHERE.into();
    run.run.device.name = ELSEWHERE.into();
    run.run.model = ModelRecord { name: "theirs".into(), files: Vec::new(), parameters: 0, storage: String::new(), hidden: 0, layers: 0, license: None };
    run.run.settings.clear();
    run.result.train = Default::default();
    run.result.metrics_free = None;
    run.events.clear();
    run.predictions.iter_mut().for_each(|p| p.probability = 1.0);
    for (lang, lead) in [(Lang::English, "the answers of another system, theirs"), (Lang::Italian, "le risposte di un altro sistema, theirs")] {
        let content = content::run(&run, lang);
        let page = html::render(&content);
        keep(&format!("elsewhere-{}.html", lang.code()), &page);
        paper::checked(&content);
        let document = body(&page);
        assert_eq!(sections(&document), ["summary", "results", "classes", "confusion", "mistakes", "use", "done", "data", "cite"]);
        let summary = section(&document, "summary");
        assert!(summary.contains(lead) && !summary.contains("fine-tuned on") && !summary.contains("specializzato su"), "{summary}");
        for never in ["train.jsonl", "validation.jsonl", "CPU", "elsewhere"] {
            assert!(!section(&document, "done").contains(never) && !section(&document, "data").contains(never), "{never}");
        }
        assert!(section(&document, "data").contains("test.jsonl"));
        // another model's own beginning says nothing of it, and a rule that asks nobody does
        let results = section(&document, "results");
        let names = [words_of(lang, "model before tuning", "modello non specializzato"), words_of(lang, "this model", "questo modello")];
        assert!(results.contains("theirs") && names.iter().all(|never| !results.contains(never) && !summary.contains(never)), "{results}");
        assert!(results.contains(words_of(lang, "commonest label", "etichetta più comune")), "{results}");
        for (id, never) in [("mistakes", "100"), ("mistakes", "surest"), ("use", "calibration"), ("use", "calibrazione"), ("mistakes", "più sicur")] {
            assert!(!section(&document, id).contains(never), "{id}: {never}");
        }
    }
    // where it gave probabilities, they are looked at
    run.predictions[0].probability = 0.5;
    assert!(sections(&body(&render(&run, Lang::English))).contains(&"calibration".to_string()));
}

#[test]
fn a_healthy_training_is_said_to_be_so_only_if_it_was_watched_to_its_end() {
    let mut run = run(12, 600);
    let says = |run: &Run| section(&body(&render(run, Lang::English)), "health").contains("looked at each of the 40 steps and found nothing");
    run.events = (1..=40).map(|i| step(i, 2.0)).collect();
    assert!(says(&run));
    run.events.push(Event::Warning { message: "37 rows were cut.".into(), told: None });
    assert!(says(&run), "what was said of the data is no illness of the training");
    run.events.push(step(41, f64::NAN));
    assert!(!says(&run));
    run.events.clear();
    assert!(!sections(&body(&render(&run, Lang::English))).contains(&"health".to_string()), "nobody looked");
}

#[test]
fn figures_of_others_are_quoted_apart_from_what_was_measured() {
    let mut run = run(12, 600);
    let page = render(&run, Lang::English);
    let results = section(&body(&page), "results");
    assert!(results.contains("nothing of them was measured here") && results.contains("a study, on examples of its own"), "{results}");
    // of what was measured nobody needs to know more than the number
    run.run.data.reference[0].measure.clear();
    assert!(section(&body(&render(&run, Lang::English)), "results").contains("not known"));
    assert!(section(&body(&render(&run, Lang::Italian)), "results").contains("non nota"));
    run.run.data.reference.clear();
    assert!(!section(&body(&render(&run, Lang::English)), "results").contains("nothing of them was measured here"));
}

#[test]
fn a_stopped_run_says_so_and_keeps_its_figures() {
    let mut run = run(12, 600);
    run.result.status = "stopped".into();
    run.result.evaluated_on = "validation".into();
    run.events = events(450).into_iter().filter(|e| !matches!(e, Event::Step { step, .. } if *step > 200)).collect();
    let page = render(&run, Lang::English);
    let document = body(&page);
    let banner = words(document.descendants().find(|n| n.attribute("role") == Some("note")).unwrap());
    assert!(banner.contains("step 200 of 450"), "{banner}");
    assert!(section(&document, "summary").contains("There was no test set"));
    assert_eq!(sections(&document), SECTIONS);
    // a trial has one, and leaves it out
    run.run.request.insert("trial".into(), toml::Value::Boolean(true));
    let page = render(&run, Lang::English);
    let summary = section(&body(&page), "summary");
    assert!(
        summary.contains("This was a trial for choosing settings, which leaves the test set out") && !summary.contains("There was no test set"),
        "{summary}"
    );
    assert!(section(&body(&render(&run, Lang::Italian)), "summary").contains("che lascia fuori l’insieme di prova"));
    run.result.evaluated_on = "test".into();
    assert!(!section(&body(&render(&run, Lang::English)), "summary").contains("trial"));
}

#[test]
fn a_run_whose_device_was_lost_says_that_it_waits_and_why() {
    let mut run = run(12, 600);
    run.result.status = "paused".into();
    run.result.metrics = None;
    run.result.metrics_free = None;
    run.result.baselines.clear();
    run.predictions.clear();
    let why = Told { en: "the device was lost".into(), it: "il dispositivo è andato perso".into() };
    run.result.error = Some(why.en.clone());
    run.events = vec![step(1, 2.0), step(2, 1.9), Event::Paused { step: 1, why: Some(why) }];
    for (lang, title, why, saved) in [
        (Lang::English, "This run waits", "the device was lost", "last saved at step 1 and"),
        (Lang::Italian, "Questa esecuzione aspetta", "il dispositivo è andato perso", "è del passo 1,"),
    ] {
        let content = content::run(&run, lang);
        let page = html::render(&content);
        keep(&format!("paused-{}.html", lang.code()), &page);
        paper::checked(&content);
        let document = body(&page);
        let note = words(document.descendants().find(|n| n.attribute("role") == Some("note")).unwrap());
        assert!(note.contains(title) && note.contains(why) && note.contains(saved), "{note}");
        assert!(!sections(&document).contains(&"results".to_string()) && !page.contains("role=\"alert\""), "nothing was measured, and nothing failed");
    }
}

#[test]
fn hostile_text_is_shown_not_obeyed() {
    let run = hostile_run();
    for lang in [Lang::English, Lang::Italian] {
        let page = render(&run, lang);
        keep(&format!("hostile-{}.html", lang.code()), &page);
        let document = body(&page);
        for name in ["script", "img", "x", "b"] {
            assert!(!document.descendants().any(|n| n.has_tag_name(name)), "<{name}> became an element");
        }
        assert!(!document.descendants().any(|n| n.attributes().any(|a| a.name().starts_with("on"))), "an attribute escaped its quotes");
        for acting in ['\0', '\u{1b}', '\u{202e}', '\u{202c}', '\u{2028}', '\u{feff}', '\u{ffff}'] {
            assert!(!page.contains(acting), "{acting:?}");
        }
        assert!(words(document.root_element()).contains("<script>alert(1)</script>"));
        assert!(words(document.root_element()).contains("⟨U+202E⟩"));
        assert!(words(document.root_element()).contains("{accuracy}"), "a label that looks like a place to fill stays a label");
        assert!(page.len() < 900_000, "{} bytes", page.len());
        // the head, too
        assert_eq!(page.matches("</style>").count(), 1);
        assert_eq!(page.matches("</head>").count(), 1);
    }
}

#[test]
fn ten_thousand_mistakes_give_a_bounded_report() {
    let mut run = run(80, 10_000);
    let long = "è".repeat(100_000);
    for (i, p) in run.predictions.iter_mut().enumerate() {
        p.answer = None;
        p.score = 0.0;
        p.probability = i as f64 / 10_000.0;
        if i >= 9_990 {
            p.input.clone_from(&long);
        }
    }
    let page = render(&run, Lang::Italian);
    keep("report-80.html", &page);
    assert!(page.len() <= 2_000_000, "{} bytes", page.len());
    let document = body(&page);
    let section = document.descendants().find(|n| n.attribute("id") == Some("mistakes")).unwrap();
    let quotes: Vec<String> = section.descendants().filter(|n| n.attribute("class") == Some("quote")).map(words).collect();
    assert_eq!(quotes.len(), 50);
    assert!(quotes[0].chars().count() == 401 && quotes[0].ends_with('…'), "surest first, cut at 400");
    assert!(words(section).contains("10\u{202f}000 risposte su 10\u{202f}000"), "the whole number is said");
}

#[test]
fn a_run_without_mistakes_says_so() {
    let mut run = run(12, 60);
    for p in &mut run.predictions {
        p.answer = Some(p.expected.clone());
        p.score = 1.0;
    }
    let page = render(&run, Lang::English);
    assert!(section(&body(&page), "mistakes").contains("None of the 60 answers was wrong."));
}

#[test]
fn the_map_tells_how_many_of_the_scored_examples_it_shows() {
    let mut run = run(12, 2500);
    let told = |run: &Run, lang| section(&body(&render(run, lang)), "mistakes");
    let wrong = run.predictions.iter().filter(|p| p.place.is_some() && !p.right()).count();
    for (lang, shown, crosses) in [(Lang::English, "(834 of 2500)", "not wholly right"), (Lang::Italian, "(834 su 2500)", "non del tutto giuste")] {
        let text = told(&run, lang);
        assert!(text.contains(shown) && text.contains(&format!("{crosses}: {wrong}")), "{text}");
    }
    run.predictions.iter_mut().for_each(|p| p.place = None);
    assert!(!told(&run, Lang::English).contains("near ones"), "a run of an earlier version has no map");
    assert!(!content::figures(&run, Lang::English).iter().any(|(name, _)| name == "map"));
}

#[test]
fn writing_leaves_whole_files_and_overwrites_older_ones() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("new").join("folder");
    let run = run(12, 600);
    for lang in [Lang::Italian, Lang::English] {
        let paths = write(&content::run(&run, lang), &[Format::Html, Format::Markdown], &place, &mut |_, _| true).unwrap();
        assert_eq!(paths, [place.join("report.html"), place.join("report.md")]);
        assert_eq!(std::fs::read_to_string(&paths[0]).unwrap(), render(&run, lang));
    }
    let mut names: Vec<String> = std::fs::read_dir(place.join("figures")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let figures = [
        "balance",
        "balance_training",
        "classes",
        "comparison",
        "confusion",
        "confusion_shares",
        "coverage",
        "gradient_norm",
        "learning_rate",
        "lengths",
        "loss",
        "map",
        "memory",
        "reliability",
        "speed",
    ];
    let wanted: Vec<String> =
        figures.iter().flat_map(|n| [format!("{n}.dark.svg"), format!("{n}.json"), format!("{n}.print.svg"), format!("{n}.svg")]).collect();
    assert_eq!(names, wanted, "no half-written file is left");
    let alone = write(&content::run(&run, Lang::English), &[Format::Svg], &folder.path().join("figures alone"), &mut |_, _| true).unwrap();
    let drawn: Vec<PathBuf> = figures.iter().map(|name| folder.path().join(format!("figures alone/figures/{name}.svg"))).collect();
    assert!(alone.len() == figures.len() && drawn.iter().all(|path| alone.contains(path) && path.exists()), "{alone:?}");
    let values: serde_json::Value = serde_json::from_slice(&std::fs::read(place.join("figures/confusion.json")).unwrap()).unwrap();
    assert_eq!(values["labels"].as_array().unwrap().len(), 12);
    for look in ["svg", "dark.svg", "print.svg"] {
        Document::parse(&std::fs::read_to_string(place.join(format!("figures/loss.{look}"))).unwrap()).unwrap();
    }
    assert!(
        write(&content::run(&run, Lang::English), &[Format::Html], &place.join("report.html"), &mut |_, _| true).is_err(),
        "a file where the folder should be"
    );
}

#[test]
fn sections_can_be_left_out() {
    let document = content::run(&run(12, 60), Lang::English).without(&["mistakes".into(), "health".into()]);
    let page = html::render(&document);
    let left = sections(&body(&page));
    assert_eq!(left.len(), SECTIONS.len() - 2);
    assert!(!left.iter().any(|s| s == "mistakes" || s == "health"));
    // in every format, and each of them alone, down to none
    let folder = tempfile::tempdir().unwrap();
    for left_out in content::SECTIONS.iter().map(|id| vec![(*id).to_string()]).chain([content::SECTIONS.map(String::from).to_vec()]) {
        let document = content::run(&run(3, 30), Lang::Italian).without(&left_out);
        assert!(!document.sections.iter().any(|s| left_out.iter().any(|id| id == s.id)));
        paper::checked(&document);
        let paths = write(&document, &[Format::Html, Format::Pdf, Format::Markdown, Format::Csv, Format::Json], folder.path(), &mut |_, _| true).unwrap();
        assert_eq!(paths.len(), 4 + document.tables().count());
        let text = std::fs::read_to_string(folder.path().join("report.md")).unwrap();
        assert!(left_out.iter().all(|id| !text.contains(&format!("(#{id})"))), "{left_out:?}");
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.path().join("report.json")).unwrap()).unwrap();
        assert_eq!(json["document"]["sections"].as_array().unwrap().len(), document.sections.len());
    }
}

#[test]
fn cards_have_licences_and_hashes_and_costs_only_what_was_measured() {
    let mut run = run(12, 600);
    let said = |run: &Run, id: &str| section(&body(&render(run, Lang::English)), id);
    let (model, data) = (said(&run, "model"), said(&run, "data"));
    assert!(model.contains("Gemma Terms of Use") && model.contains(&"c".repeat(64)) && !model.contains(&"a".repeat(64)), "{model}");
    assert!(data.contains("Messages of customers, in twelve intents.") && data.contains("Made up for the tests."), "{data}");
    assert!(data.contains("CC-BY-4.0") && ["a", "b", "d"].iter().all(|digit| data.contains(&digit.repeat(64))), "{data}");
    assert!(model.contains("Files that came out"), "{model}");
    assert!(model.contains("adapter/adapter_model.safetensors") && model.contains("7.6\u{202f}MB") && model.contains(&"e".repeat(64)), "{model}");
    let untrained = Run { result: report::record::RunResult { trained: Vec::new(), ..run.result.clone() }, ..run.clone() };
    assert!(!said(&untrained, "model").contains("Files that came out"));
    // a card of several paragraphs is no cell of a table
    run.run.data.description = "Messages of customers,\nin twelve intents.\n\nNone of them is real.\n".into();
    for lang in [Lang::English, Lang::Italian] {
        let document = content::run(&run, lang);
        paper::checked(&document);
        let page = html::render(&document);
        let read = body(&page);
        let data = read.descendants().find(|n| n.attribute("id") == Some("data")).unwrap();
        let told: Vec<String> = data.children().filter(|n| n.has_tag_name("p")).map(words).collect();
        assert!(told.len() == 2 && told[0].ends_with("Messages of customers, in twelve intents.") && told[1] == "None of them is real.", "{told:?}");
        let table = words(data.descendants().find(|n| n.has_tag_name("table")).unwrap());
        assert!(table.contains("Made up for the tests.") && !table.contains("twelve intents"), "{table}");
    }
    let costs = said(&run, "training");
    assert!(costs.contains("Peak memory") && costs.contains("1.94\u{202f}GB") && !costs.contains("Energy"), "{costs}");
    run.result.train.energy_joules = Some(9000.0);
    assert!(said(&run, "training").contains("2.50 Wh"), "{}", said(&run, "training"));
    assert!(!costs.contains("Until the first step"), "{costs}");
    run.result.train.first_step_seconds = Some(95.0);
    assert!(said(&run, "training").contains("1\u{202f}min 35\u{202f}s"), "{}", said(&run, "training"));
    run.result.train.peak_memory_bytes = 0;
    run.run.model.license = None;
    run.run.data.license.clear();
    assert!(!said(&run, "training").contains("Peak memory"));
    assert!(!said(&run, "model").contains("Licence") && !said(&run, "data").contains("Licence"), "{}", said(&run, "data"));
}

#[test]
fn tables_say_that_they_stop_and_a_limit_that_is_not_drawn_is_told() {
    let many = run(500, 1000);
    let page = render(&many, Lang::English);
    let document = body(&page);
    assert!(section(&document, "classes").contains("The first 400 of 500 rows are listed."));
    assert!(section(&document, "data").contains("and 100 more"));
    let mut few = run(12, 600);
    let page = render(&few, Lang::Italian);
    assert!(!page.contains("Sono elencate le prime") && !page.contains("e altre 1"));
    let lengths = |run: &Run| section(&body(&render(run, Lang::English)), "data");
    assert!(!lengths(&few).contains("tokens are taken"));
    for (limit, told) in [(200_000, true), (100, false)] {
        few.run.settings.insert("max_tokens".into(), toml::Value::Integer(limit));
        assert_eq!(lengths(&few).contains("At most 200\u{202f}000 tokens are taken."), told, "{limit}");
    }
}

#[test]
fn a_citation_is_bibtex_whatever_names_hold() {
    let said = |run: &Run| section(&body(&render(run, Lang::English)), "cite");
    let usual = said(&run(12, 60));
    for wanted in ["@software{lapidary,", "version = {0.1.0}", "year = {2026}", "intents-it", "@misc{gemma3,", "eprint = {2503.19786}"] {
        assert!(usual.contains(wanted), "{wanted}: {usual}");
    }
    let mut other = run(12, 60);
    other.run.model.name = "another".into();
    assert!(!said(&other).contains("gemma3"));
    let text = said(&hostile_run());
    let mut depth = 0i32;
    for c in text.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        assert!((0..=3).contains(&depth), "{text}");
    }
    assert_eq!((depth, text.matches('@').count()), (0, 1), "{text}");
}

#[test]
fn what_it_is_good_for_follows_from_the_numbers() {
    let mut run = run(4, 400);
    let said = |run: &Run| section(&body(&render(run, Lang::English)), "use");
    for (i, f1) in [0.95, 0.7, 0.3, 0.9].into_iter().enumerate() {
        let Some(tasks::Metrics::Classes(metrics)) = &mut run.result.metrics else { panic!("an intent run") };
        let class = metrics.per_class.get_mut(&labels(4)[i]).unwrap();
        class.f1 = f1;
        class.support = if i == 3 { 9 } else { 100 };
    }
    let text = said(&run);
    for wanted in [
        "Reliable (F1 of 80.0\u{202f}% or more): account_access.",
        "(F1 from 50.0\u{202f}% to below 80.0\u{202f}%): order_cancellation.",
        "Not to be relied on (F1 below 50.0\u{202f}%): order_tracking.",
        "Too few examples (under 10) to say anything about: return_refund.",
    ] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
    // sure and right, or unsure and wrong: half of the answers can be had without a mistake
    for (i, p) in run.predictions.iter_mut().enumerate() {
        p.probability = if i % 2 == 0 { 0.9 } else { 0.4 };
        p.answer = Some(if i % 2 == 0 { p.expected.clone() } else { "other".into() });
        p.score = f64::from(i % 2 == 0);
    }
    assert!(
        said(&run).contains("probability of 90.0\u{202f}% or more answers 50.0\u{202f}% of the examples, 100.0\u{202f}% of them rightly"),
        "{}",
        said(&run)
    );
    run.predictions.iter_mut().for_each(|p| (p.answer, p.score) = (None, 0.0));
    assert!(said(&run).contains("No threshold"), "{}", said(&run));
    run.result.baselines.insert("untuned".into(), run.result.metrics.clone().unwrap());
    assert!(said(&run).contains("not shown to be better than the model before tuning"), "{}", said(&run));
}

/// A run whose probabilities were calibrated: the temperature makes them a little less sure.
fn calibrated() -> Run {
    let mut run = run(12, 600);
    for p in &mut run.predictions {
        p.calibrated = Some(p.probability * 0.9);
    }
    let point = |coverage, accuracy| CoveragePoint { threshold: 0.62, coverage, accuracy };
    run.calibration = Some(Calibration {
        temperature: 1.7,
        validation: Agreement { examples: 60, error: 0.12, error_calibrated: 0.05 },
        test: Some(Agreement { examples: 600, error: 0.11, error_calibrated: 0.06 }),
        wanted: 0.9,
        threshold: Some(point(0.8, 0.91)),
        threshold_on_test: Some(point(0.75, 0.93)),
    });
    run
}

#[test]
fn calibration_is_told_as_fitted_on_validation_and_measured_on_the_test() {
    let run = calibrated();
    let page = html::render(&content::run(&run, Lang::English));
    keep("calibrated.html", &page);
    for lang in [Lang::English, Lang::Italian] {
        let document = content::run(&run, lang);
        paper::checked(&document);
        paper::keep(&format!("calibrated-{}.pdf", lang.code()), &report::pdf::render(&document).unwrap());
    }
    for said in [
        "a temperature of 1.7",
        "On the 600 test examples, which had no part in it",
        // 0.8 of 60
        "The threshold was chosen on the validation set, where 91.0\u{202f}% of the 48 answers above it were right; 90.0\u{202f}% was asked for.",
        "The ring is the threshold",
        "Surest by calibrated probability.",
    ] {
        assert!(page.contains(said), "{said}");
    }
    let figures: Vec<String> = content::figures(&run, Lang::English).into_iter().map(|(name, _)| name).collect();
    assert!(figures.contains(&"reliability_calibrated".to_string()), "{figures:?}");
    assert!(!page.contains("this is the widest choice"), "a threshold chosen on the test set is not offered beside it");
    assert!(!page.contains("that was not kept"));
    let mut missed = run.clone();
    missed.calibration.as_mut().unwrap().threshold_on_test = Some(CoveragePoint { threshold: 0.62, coverage: 0.75, accuracy: 0.84 });
    let said = |run: &Run, lang, part: &str| html::render(&content::run(run, lang)).contains(part);
    assert!(said(&missed, Lang::English, "On the test set that was not kept: 84.0\u{202f}% is below 90.0\u{202f}%."));
    assert!(said(&missed, Lang::Italian, "Sull’insieme di prova ciò non si è mantenuto: 84,0\u{202f}% è meno del 90,0\u{202f}%."));
    missed.calibration.as_mut().unwrap().threshold_on_test = Some(CoveragePoint { threshold: 0.62, coverage: 0.0, accuracy: 0.0 });
    assert!(!said(&missed, Lang::English, "that was not kept"));
    let mut worse = run.clone();
    worse.calibration.as_mut().unwrap().test = Some(Agreement { examples: 600, error: 0.04, error_calibrated: 0.06 });
    worse.calibration.as_mut().unwrap().threshold_on_test = None;
    let page = html::render(&content::run(&worse, Lang::Italian));
    assert!(page.contains("Non è un guadagno") && page.contains("non se ne propone alcuna per astenersi"));
    // without one, nothing of it is said
    let page = html::render(&content::run(&crate::common::run(12, 600), Lang::English));
    assert!(!page.contains("temperature") && !page.contains("Surest by calibrated") && !page.contains("chosen on the validation set"));
}

#[test]
fn what_a_device_was_found_to_compute_is_told() {
    let mut run = run(12, 600);
    assert!(!html::render(&content::run(&run, Lang::English)).contains("Device check"));
    run.run.device.parity = Some("unfused".into());
    run.run.device.parity_detail = Some("fused: loss within 3e-1 <b>".into());
    let page = html::render(&content::run(&run, Lang::English));
    assert!(page.contains("Device check") && page.contains("with operations not fused") && page.contains("loss within 3e-1 &lt;b&gt;"));
    run.run.device.parity = Some("pass".into());
    assert!(html::render(&content::run(&run, Lang::Italian)).contains("calcola ciò che calcola il processore"));
}

#[test]
fn a_page_tells_how_much_of_it_is_set_and_is_left_where_nobody_waits() {
    let run = run(12, 600);
    let mut told = Vec::new();
    let whole = content::run_with::<()>(&run, Lang::English, &mut |done, of| {
        told.push((done, of));
        Ok(())
    });
    assert_eq!(html::render(&whole.unwrap()), render(&run, Lang::English));
    let of = told[0].1;
    assert!(told.is_sorted() && told.last() == Some(&(of, of)) && told.iter().all(|(_, all)| *all == of), "{told:?}");
    // in the figures and in the sections
    for last in [1, 3, told.len() - 3, told.len()] {
        let mut asked = 0;
        let ended = content::run_with(&run, Lang::English, &mut |_, _| {
            asked += 1;
            if asked < last { Ok(()) } else { Err("ended") }
        });
        assert_eq!((ended.err(), asked), (Some("ended"), last));
    }
}
