//! The HTML report: complete, bounded, harmless, in both languages, and silent on what was not measured.

use crate::common::{HOSTILE, answers, events, keep, labels, run, step};
use report::Run;
use report::html::{render, write};
use report::record::Prediction;
use report::text::Lang;
use roxmltree::{Document, Node};
use tasks::score::{Metrics, classification};
use train::Event;

const SECTIONS: [&str; 10] = ["summary", "results", "classes", "confusion", "mistakes", "calibration", "training", "health", "done", "reproduce"];

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
        assert_eq!(svgs.len(), 4);
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
    for never in ["<script", "<img", "<link", "<iframe", "@import", "url(", "src=", "javascript:"] {
        assert!(!page.contains(never), "{never}");
    }
    let addresses: Vec<_> = page
        .match_indices("http")
        .map(|(i, _)| &page[i..(i + 26).min(page.len())])
        .filter(|s| !s.starts_with("http://www.w3.org/2000/svg") && !s.starts_with("http-equiv"))
        .collect();
    assert!(addresses.is_empty(), "{addresses:?}");
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
    assert!(text.contains("above the commonest label:") && text.contains("overlaps that of the model before tuning"), "{text}");

    run.result.baselines.insert("untuned".into(), classification(&labels(12), &answers(12, 600, 2.0, false)).into());
    assert!(summary(&run).contains("below the model before tuning"), "{}", summary(&run));

    run.result.baselines.clear();
    let text = summary(&run);
    assert!(!text.contains("above") && !text.contains("overlap") && !text.contains("commonest"), "{text}");
}

#[test]
fn weakest_labels_come_first() {
    let run = run(12, 600);
    let page = render(&run, Lang::English);
    let document = body(&page);
    let table = document.descendants().find(|n| n.attribute("id") == Some("classes")).unwrap();
    let f1: Vec<f64> = table
        .descendants()
        .filter(|n| n.attribute("class") == Some("num bar"))
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
        run.events = (1..=40).map(|i| step(i, 2.0 + 0.1 * i as f64)).chain([step(41, f64::NAN), Event::Failed { step: 41, message: "x".into() }]).collect();
        let page = render(&run, lang);
        keep(&format!("failed-{}.html", lang.code()), &page);
        let document = body(&page);
        assert_eq!(sections(&document), ["summary", "training", "done", "reproduce"]);
        let alert = document.descendants().find(|n| n.attribute("role") == Some("alert")).unwrap();
        assert!(words(alert).contains("Lower the learning rate") && words(alert).contains("41"), "{}", words(alert));
        assert!(alert.range().start < document.descendants().find(|n| n.has_tag_name("section")).unwrap().range().start);
        assert!(!page.contains("95 %"), "nothing was measured");
        // and without any cause or event
        run.result.error = None;
        run.events.clear();
        let page = render(&run, lang);
        assert_eq!(sections(&body(&page)), ["summary", "done", "reproduce"]);
        assert_eq!(page.matches("role=\"alert\"").count(), 1);
    }
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
}

#[test]
fn hostile_text_is_shown_not_obeyed() {
    let mut run = run(12, 600);
    let long = "<b>".repeat(40_000);
    let hostile: Vec<String> = HOSTILE.iter().map(|s| (*s).to_string()).chain([long.clone()]).collect();
    let metrics: Metrics = classification(&hostile, &answers(hostile.len(), 300, 0.7, true)).into();
    run.result.metrics_free = Some(metrics.clone());
    run.result.metrics = Some(metrics);
    run.run.data.labels = hostile.clone();
    run.run.settings.insert(long.clone(), toml::Value::String(HOSTILE[0].into()));
    run.predictions = (0..200)
        .map(|i| {
            let text = hostile[i % hostile.len()].clone();
            Prediction {
                input: text.clone(),
                expected: text.clone(),
                output: text.clone(),
                answer: (i % 3 == 0).then(|| format!("{text}!")),
                score: 0.0,
                probability: f64::NAN,
                reason: None,
            }
        })
        .collect();
    for text in &hostile {
        run.events.push(Event::Warning { message: text.clone() });
    }
    for place in [
        &mut run.run.task,
        &mut run.run.method,
        &mut run.run.started,
        &mut run.run.version,
        &mut run.run.command,
        &mut run.run.model.name,
        &mut run.run.model.storage,
        &mut run.run.model.files[0].path,
        &mut run.run.data.name,
        &mut run.run.data.license,
        &mut run.run.data.language,
        &mut run.run.device.name,
        &mut run.run.device.driver,
        &mut run.result.status,
        &mut run.result.evaluated_on,
    ] {
        *place = HOSTILE.join(" ");
    }
    run.run.model.files[0].sha256 = HOSTILE.join(" ");
    run.result.error = Some(HOSTILE.join("\n") + &long);
    let baseline = run.result.baselines["untuned"].clone();
    run.result.baselines.insert(HOSTILE.join(" "), baseline);
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
        assert!(page.len() < 500_000, "{} bytes", page.len());
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
    }
    let page = render(&run, Lang::English);
    assert!(section(&body(&page), "mistakes").contains("None of the 60 answers was wrong."));
}

#[test]
fn writing_leaves_whole_files_and_overwrites_older_ones() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("new").join("folder");
    let run = run(12, 600);
    for lang in [Lang::Italian, Lang::English] {
        let path = write(&run, lang, &place).unwrap();
        assert_eq!(path, place.join("report.html"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), render(&run, lang));
    }
    let mut names: Vec<String> = std::fs::read_dir(place.join("figures")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let wanted: Vec<String> = ["comparison", "confusion", "loss", "reliability"].iter().flat_map(|n| [format!("{n}.json"), format!("{n}.svg")]).collect();
    assert_eq!(names, wanted, "no half-written file is left");
    let values: serde_json::Value = serde_json::from_slice(&std::fs::read(place.join("figures/confusion.json")).unwrap()).unwrap();
    assert_eq!(values["labels"].as_array().unwrap().len(), 12);
    Document::parse(&std::fs::read_to_string(place.join("figures/loss.svg")).unwrap()).unwrap();
    assert!(write(&run, Lang::English, &place.join("report.html")).is_err(), "a file where the folder should be");
}
