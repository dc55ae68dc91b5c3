//! Reports of several runs: differences that are more than luck, runs that cannot be compared, failed runs.

use crate::common::{HOSTILE, hostile_run, keep, run};
use crate::formats::inert;
use crate::paper;
use report::text::Lang;
use report::{Run, compare, html, markdown, tables};
use train::Event;

fn named(name: &str, mut run: Run) -> Run {
    run.path = format!("runs/{name}").into();
    run
}

/// A run that answers wrongly where `wrong` says so.
fn answering(name: &str, wrong: impl Fn(usize) -> bool) -> Run {
    let mut run = named(name, run(12, 600));
    for (i, p) in run.predictions.iter_mut().enumerate() {
        p.answer = Some(if wrong(i) { "nothing_like_it".into() } else { p.expected.clone() });
        p.score = f64::from(!wrong(i));
    }
    run
}

#[test]
fn differences_are_settled_by_the_examples_on_which_runs_disagree() {
    let runs = [answering("base", |i| i % 10 == 0), answering("better", |i| i % 60 == 0), answering("same", |i| i % 10 == 1)];
    for lang in [Lang::English, Lang::Italian] {
        let document = compare::runs(&runs, lang);
        let page = html::render(&document);
        keep(&format!("compare-{}.html", lang.code()), &page);
        paper::checked(&document);
        paper::keep(&format!("compare-{}.pdf", lang.code()), &report::pdf::render(&document).unwrap());
        assert_eq!(document.figure("losses").unwrap().data["curves"].as_array().unwrap().len(), 3);
        let json = tables::json(&document);
        let paired = &json["tables"]["paired"];
        assert_eq!((paired[0]["run"].as_str(), paired[0]["only_this"].as_u64(), paired[0]["only_first"].as_u64()), (Some("better"), Some(50), Some(0)));
        assert!(paired[0]["p"].as_f64().unwrap() < 1e-9 && paired[1]["p"].as_f64() == Some(1.0));
        assert!((paired[0]["difference"].as_f64().unwrap() - 50.0 / 600.0).abs() < 1e-12);
    }
    let text = markdown::render(&compare::runs(&runs, Lang::English));
    assert!(text.contains("better and base differ: +8.3 points, p \\< 0.001."), "{text}");
    assert!(text.contains("does not settle whether same or base is better (difference 0.0 points, p = 1.000)"), "{text}");
}

#[test]
fn runs_on_other_examples_are_not_set_against_each_other() {
    let mut other = named("other", run(12, 300));
    other.predictions.reverse();
    let document = compare::runs(&[named("first", run(12, 600)), other], Lang::English);
    assert!(markdown::render(&document).contains("other was not scored on the examples of first"));
    assert!(tables::json(&document)["tables"]["paired"].is_null());
}

#[test]
fn choices_that_differ_stand_side_by_side() {
    let mut second = named("b", run(12, 600));
    second.run.seed = 18;
    second.run.settings.insert("learning_rate".into(), toml::Value::Float(0.001));
    second.run.settings.insert("extra".into(), toml::Value::Boolean(true));
    let json = tables::json(&compare::runs(&[named("a", run(12, 600)), second.clone()], Lang::English));
    let choices = json["tables"]["choices"].as_array().unwrap();
    let of = |name: &str| choices.iter().find(|c| c["setting"] == name).map(|c| (c["a"].clone(), c["b"].clone()));
    assert_eq!(of("learning_rate"), Some(("0.0002".into(), "0.001".into())));
    assert_eq!(of("extra"), Some((serde_json::Value::Null, "true".into())));
    assert_eq!(of("seed"), Some(("17".into(), "18".into())));
    assert_eq!(choices.len(), 3, "what is the same in both is left out");
    let same = compare::runs(&[second.clone(), second], Lang::English);
    let text = markdown::render(&same);
    assert!(text.contains("All choices are the same.") && text.contains("b (1)") && text.contains("b (2)"), "{text}");
}

#[test]
fn a_failed_run_is_reported_as_failed_with_its_symptoms() {
    let mut failed = named("broken", run(12, 600));
    failed.result.status = "failed".into();
    failed.result.error = Some("The loss is not a number.".into());
    failed.result.metrics = None;
    failed.predictions.clear();
    failed.events.push(Event::Health {
        step: 12,
        ok: false,
        symptom: None,
        remedy: Default::default(),
        seen: String::new(),
        message: "The gradient norm is infinite.".into(),
        back_to: None,
    });
    failed.events.push(Event::Failed { step: 41, message: "The loss is not a number.".into(), told: None });
    failed.events.retain(|e| !matches!(e, Event::Health { step, .. } if *step != 12));
    let document = compare::runs(&[named("fine", run(12, 600)), failed.clone()], Lang::English);
    let text = markdown::render(&document);
    assert!(text.contains("**broken: This run failed**") && text.contains("The loss is not a number."), "{text}");
    assert!(text.contains("The first sign of trouble came at step 12: The gradient norm is infinite."), "{text}");
    assert!(text.contains("Fewer than two of these runs have results."), "{text}");
    let json = tables::json(&document);
    assert_eq!((json["tables"]["runs"][1]["status"].as_str(), json["tables"]["runs"][1]["accuracy"].is_null()), (Some("failed"), true));
    // also when the first, or every one, failed
    for runs in [vec![failed.clone(), named("fine", run(12, 60))], vec![failed.clone(), failed], vec![]] {
        let _ = html::render(&compare::runs(&runs, Lang::Italian));
    }
}

#[test]
fn hostile_runs_do_not_act_side_by_side() {
    let mut a = hostile_run();
    a.path = HOSTILE[0].into();
    let document = compare::runs(&[a.clone(), named("b", run(12, 60)), a], Lang::English);
    let page = html::render(&document);
    for never in ["<script", "<img", "\u{202e}", "\0"] {
        assert!(!page.contains(never), "{never:?}");
    }
    assert!(page.len() < 500_000, "{} bytes", page.len());
    let text = inert(&document);
    assert!(!text.contains('\u{202e}') && text.len() < 500_000, "{} bytes", text.len());
    for table in document.tables() {
        let csv = String::from_utf8(tables::csv(table).unwrap()).unwrap();
        assert!(!csv.lines().any(|l| l.starts_with('=') || l.contains(",=") || l.contains(",\"=")), "a formula in {}", table.name);
    }
    paper::checked(&document);
    paper::keep("compare-hostile.pdf", &report::pdf::render(&document).unwrap());
}

#[test]
fn many_runs_with_long_names_have_room_on_paper() {
    // one word each, longer than its column is wide
    let names: Vec<String> = (0..9).map(|i| format!("domandemarzomodello{i}")).collect();
    let many: Vec<Run> = names
        .iter()
        .zip(0u64..)
        .map(|(name, i)| {
            let mut run = named(name, run(12, 60));
            run.run.seed = i;
            run.run.method = if i % 2 == 0 { "head" } else { "completion" }.into();
            run.run.model.name = format!("gemma-3-270m-istruzioni-{i}");
            run
        })
        .collect();
    for lang in [Lang::English, Lang::Italian] {
        for count in [2, 4, 5, 9] {
            let document = compare::runs(&many[..count], lang);
            paper::checked(&document);
            // the first column of the widest table has 32 mm, and the margin 20
            let reach = paper::reach(&document, &names);
            assert!(reach > 20.0 && reach <= 53.0, "{count} runs: a name reaches {reach} mm");
            paper::keep(&format!("compare-{count}-{}.pdf", lang.code()), &report::pdf::render(&document).unwrap());
        }
    }
}

#[test]
fn runs_that_differ_in_their_size_alone_make_a_learning_curve() {
    let sized = |name: &str, count| {
        let mut run = named(name, run(12, 600));
        run.run.data.files.get_mut("train").unwrap().count = count;
        run
    };
    let runs = [sized("small", 50), sized("large", 4800), sized("middle", 500)];
    let document = compare::runs(&runs, Lang::Italian);
    let figure = document.figure("learning").unwrap();
    let sizes: Vec<u64> = figure.data["series"][0]["points"].as_array().unwrap().iter().map(|p| p["examples"].as_u64().unwrap()).collect();
    assert_eq!(sizes, [50, 500, 4800]);
    keep("compare-sizes.html", &html::render(&document));
    // a size that occurs twice, too few sizes, another setting
    assert!(compare::runs(&[runs[0].clone(), runs[1].clone(), runs[1].clone()], Lang::English).figure("learning").is_none());
    assert!(compare::runs(&runs[..2], Lang::English).figure("learning").is_none());
    let mut other = runs.clone();
    other[2].run.settings.insert("learning_rate".into(), toml::Value::Float(0.5));
    assert!(compare::runs(&other, Lang::English).figure("learning").is_none());
}
