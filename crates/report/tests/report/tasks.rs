//! Reports of the tasks whose answers are no labels: complete, true to the numbers, in both languages, on paper.

use crate::common::{HOSTILE, keep};
use crate::formats::inert;
use crate::{made, paper};
use data::example::Span;
use report::document::Document;
use report::text::Lang;
use report::{Run, compare, content, html, markdown, pdf, tables};
use tasks::Metrics;
use tasks::score::paired::Difference;

fn section<'a>(document: &'a Document, id: &str) -> &'a report::document::Section {
    document.sections.iter().find(|s| s.id == id).unwrap_or_else(|| panic!("no section {id}"))
}

/// All that a section says.
fn said(document: &Document, id: &str) -> String {
    serde_json::to_string(section(document, id)).unwrap()
}

#[test]
fn every_task_has_its_sections_in_both_languages_and_on_paper() {
    for (name, run) in made::all() {
        for lang in [Lang::English, Lang::Italian] {
            let document = content::run(&run, lang);
            let page = html::render(&document);
            keep(&format!("{name}-{}.html", lang.code()), &page);
            keep(&format!("{name}-{}.md", lang.code()), &markdown::render(&document));
            assert!(page.len() < 600_000, "{name}: {} bytes", page.len());
            let ids: Vec<&str> = document.sections.iter().map(|s| s.id).collect();
            let own: &[&str] = match name {
                "entities" => &["summary", "results", "classes", "errors", "mistakes", "use"],
                "sql" => &["summary", "results", "errors", "mistakes", "calibration", "use"],
                "custom" => &["summary", "results", "mistakes", "calibration", "use"],
                _ => &["summary", "results", "mistakes", "use"],
            };
            assert!(ids.iter().all(|id| content::SECTIONS.contains(id)), "{ids:?}");
            assert_eq!(ids, [own, &["training", "health", "done", "model", "data", "reproduce", "cite"]].concat(), "{name}");
            let pages = paper::checked(&document);
            assert!((4..=14).contains(&pages), "{name}: {pages} pages");
            paper::keep(&format!("{name}-{}.pdf", lang.code()), &pdf::render(&document).unwrap());
            // nothing is left to be filled in
            let text = markdown::render(&document);
            for place in ["{score}", "{il:", "{measure}", "{with}", "{how}", "{high}", "{limit}", "{count"] {
                assert!(!text.contains(place), "{name}: {place}");
            }
        }
    }
}

#[test]
fn results_are_the_metrics_of_the_run_with_their_intervals_and_baselines() {
    for (name, run) in made::all() {
        let json = tables::json(&content::run(&run, Lang::Italian));
        let rows = json["tables"]["results"].as_array().unwrap();
        let metrics = run.result.metrics.as_ref().unwrap();
        assert_eq!(rows.len(), 1 + usize::from(run.result.metrics_free.is_some()) + run.result.baselines.len(), "{name}");
        for (measure, value, interval) in metrics.headline() {
            // what has no room beside the first three stands in the second table
            let row = if rows[0].get(measure).is_some() { &rows[0] } else { &json["tables"]["further"][0] };
            assert_eq!(row[measure].as_f64(), Some(value), "{name}: {measure}");
            assert_eq!(row[format!("{measure}_ci")][0].as_f64(), Some(interval[0]), "{name}: {measure}");
        }
        let untuned = rows.iter().find(|r| r["system"] == "untuned").unwrap();
        assert_eq!(untuned[metrics.headline()[0].0].as_f64(), Some(run.result.baselines["untuned"].main()));
    }
}

#[test]
fn how_far_constrained_answers_are_from_free_ones_is_told_where_it_was_measured() {
    let mut run = made::sql_run();
    run.result.free_difference = Some(Difference { difference: 0.125, difference_ci: [-0.01, 0.26], p: 0.08 });
    for (lang, told) in [
        (Lang::English, "Right result, constrained answers minus free ones: +12.5 points; the 95 % interval, by a paired bootstrap"),
        (Lang::Italian, "Risultato giusto, risposte vincolate meno risposte libere: +12,5 punti; l’intervallo al 95 %, da un bootstrap appaiato"),
    ] {
        let text = said(&content::run(&run, lang), "results");
        assert!(text.contains(told), "{text}");
    }
    run.result.free_difference = None;
    assert!(!said(&content::run(&run, Lang::English), "results").contains("paired bootstrap"));
}

#[test]
fn entity_errors_add_up() {
    let run = made::entities_run();
    let Some(Metrics::Entities(metrics)) = &run.result.metrics else { panic!("entities") };
    let json = tables::json(&content::run(&run, Lang::English));
    let rows = json["tables"]["errors"].as_array().unwrap();
    let of = |row: &serde_json::Value, key: &str| row[key].as_u64().unwrap() as usize;
    assert_eq!(of(&rows[0], "missed"), metrics.errors.missed);
    for key in ["expected", "right", "missed", "wrong_type", "wrong_boundary", "invented"] {
        assert_eq!(rows[1..].iter().map(|r| of(r, key)).sum::<usize>(), of(&rows[0], key), "{key}");
    }
    for row in &rows[1..] {
        let scores = &metrics.per_type[row["type"].as_str().unwrap()];
        assert_eq!(of(row, "expected"), scores.support);
        assert!((of(row, "right") as f64 / scores.support as f64 - scores.recall).abs() < 1e-12);
    }
    assert!(metrics.errors.missed > 0 && metrics.errors.invented > 0 && metrics.errors.wrong_type > 0 && metrics.errors.wrong_boundary > 0);
}

#[test]
fn numbers_have_their_articles_and_counts_their_nouns() {
    let mut run = made::entities_run();
    let Some(Metrics::Entities(m)) = &mut run.result.metrics else { panic!("entities") };
    (m.f1, m.recall, m.precision) = (0.82, 0.843, 0.0);
    m.errors = tasks::score::entities::Errors { missed: 1, invented: 0, wrong_type: 0, wrong_boundary: 0 };
    run.run.data.labels = vec!["people".into()];
    let (english, italian) = (content::run(&run, Lang::English), content::run(&run, Lang::Italian));
    let text = said(&italian, "summary");
    assert!(text.contains("Trova l’84,3\u{202f}% delle entità, ed è giusto lo 0,0\u{202f}% di quelle"), "{text}");
    assert!(text.contains("con 1 tipo di entità, per marcatura"), "{text}");
    assert!(said(&english, "summary").contains("with 1 type of entities, by tagging"), "{}", said(&english, "summary"));
    let text = said(&english, "errors");
    assert!(text.contains("1 thing is wrong: 1 entity was missed, 0 invented"), "{text}");
    // all titles of its table begin alike
    let table = english.tables().find(|t| t.name == "errors").unwrap();
    assert!(table.columns.iter().all(|c| c.title.starts_with(char::is_uppercase)), "{:?}", table.columns);
    let mut run = made::sql_run();
    let Some(Metrics::Sql(m)) = &mut run.result.metrics else { panic!("queries") };
    (m.execution_accuracy, m.lucky) = (0.83, 1);
    let text = said(&content::run(&run, Lang::Italian), "use");
    assert!(text.contains("L’83,0\u{202f}% delle sue query") && text.contains("1 delle sue query era giusta su questi dati e sbagliata su"), "{text}");
    let text = said(&content::run(&run, Lang::English), "use");
    assert!(text.contains("1 of its queries was right on this data"), "{text}");
    run.run.method = "head".into();
    assert!(said(&content::run(&run, Lang::English), "summary").contains(", with a classification head (a layer"));
    assert!(said(&content::run(&run, Lang::Italian), "summary").contains(", con una testa di classificazione ("));
}

#[test]
fn how_sure_a_model_was_stands_beside_how_often_it_was_right() {
    for mut run in [made::sql_run(), made::custom_run()] {
        for (i, p) in run.predictions.iter_mut().enumerate() {
            (p.probability, p.score) = (0.8, f64::from(i % 2 == 0));
        }
        run.predictions.truncate(run.predictions.len() / 2 * 2);
        let text = said(&content::run(&run, Lang::English), "calibration");
        assert!(text.contains("its whole answers is 80.0\u{202f}%; the share of them that is right is 50.0\u{202f}%."), "{text}");
        let text = said(&content::run(&run, Lang::Italian), "calibration");
        assert!(text.contains("è 80,0\u{202f}%; la quota di quelle giuste è 50,0\u{202f}%."), "{text}");
        // one that is not known makes no mean
        run.predictions[0].probability = f64::NAN;
        assert!(content::run(&run, Lang::English).sections.iter().all(|s| s.id != "calibration"));
    }
}

#[test]
fn training_rows_that_the_recipe_made_are_told_as_such() {
    let mut run = made::sql_run();
    let own = run.run.data.files["train"].count as usize;
    let summary = |run: &Run, lang| said(&content::run(run, lang), "summary");
    assert!(!summary(&run, Lang::English).contains("training rows"), "{}", summary(&run, Lang::English));
    let trained_on = |run: &mut Run, rows| {
        run.events.iter_mut().for_each(|e| {
            if let train::Event::Started { examples, .. } = e {
                *examples = rows;
            }
        });
    };
    trained_on(&mut run, own + 321);
    let text = summary(&run, Lang::English);
    let rows = Lang::English.integer(own as u64 + 321);
    assert!(text.contains(&format!("Its {rows} training rows are these examples (each once or more) and others made by the recipe.")), "{text}");
    for setting in ["grow", "compose"] {
        run.run.settings.insert(setting.into(), toml::Value::Integer(4));
    }
    let text = summary(&run, Lang::English);
    assert!(text.contains("(each once or more), others grown from them and others composed from the database."), "{text}");
    let text = summary(&run, Lang::Italian);
    assert!(text.contains(&format!("Le sue {rows} righe di addestramento sono questi esempi (ciascuno una o più volte), altre ricavate da essi e")), "{text}");
}

#[test]
fn mistakes_are_told_in_the_form_of_each_task() {
    let mut run = made::entities_run();
    let input = "Ieri a Roma Anna Bianchi ha parlato.";
    let span = |start, end, kind: &str| Span { start, end, kind: kind.into() };
    let write = |spans: &[Span]| serde_json::to_string(spans).unwrap();
    let p = &mut run.predictions[0];
    (p.input, p.score) = (input.into(), 0.0);
    p.expected = write(&[span(0, 4, "dates"), span(7, 11, "places"), span(12, 24, "people")]);
    p.answer = Some(write(&[span(7, 11, "people"), span(12, 16, "people"), span(28, 35, "dates"), span(37, 37, "places")]));
    p.probability = 2.0;
    let text = markdown::render(&content::run(&run, Lang::English));
    for wanted in [
        "**Ieri** *dates* a **Roma** *places* **Anna Bianchi** *people* ha parlato.",
        "*missed:* Ieri *dates*",
        "*wrong type:* Roma *people* instead of *places*",
        "*wrong ends:* Anna *people* instead of Anna Bianchi",
        "*invented:* parlato *dates*",
        "*invented:* *words that are not in the text* *places*",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }

    let run = made::sql_run();
    let json = tables::json(&content::run(&run, Lang::Italian));
    let (all, wrong) = (run.predictions.len(), run.predictions.iter().filter(|p| p.score < 1.0).count());
    let failures = json["tables"]["failures"].as_array().unwrap();
    assert_eq!(failures.iter().map(|f| f["count"].as_u64().unwrap() as usize).sum::<usize>(), wrong);
    assert!((failures.iter().map(|f| f["share"].as_f64().unwrap()).sum::<f64>() - wrong as f64 / all as f64).abs() < 1e-9);
    let reasons: Vec<&str> = json["tables"]["query_mistakes"].as_array().unwrap().iter().filter_map(|m| m["reason"].as_str()).collect();
    assert!(reasons.iter().any(|r| r.starts_with("trova qualcos’altro: ")), "{reasons:?}");
    assert!(reasons.iter().any(|r| r.starts_with("colonna inesistente: codice_interno")), "{reasons:?}");
    assert!(!reasons.iter().any(|r| r.contains("it finds") || r.contains("no such")), "{reasons:?}");
    // the surest first, and how sure it was
    let sure: Vec<f64> = json["tables"]["query_mistakes"].as_array().unwrap().iter().map(|m| m["probability"].as_f64().unwrap()).collect();
    assert!(sure.len() > 2 && sure.windows(2).all(|w| w[0] >= w[1]), "{sure:?}");

    let mut run = made::hashtags_run();
    let p = &mut run.predictions[0];
    (p.expected, p.answer, p.score, p.probability) = ("#città #roma #arte".into(), Some("#Citta #Mare".into()), 0.0, 2.0);
    let json = tables::json(&content::run(&run, Lang::English));
    let first = &json["tables"]["tag_mistakes"][0];
    assert_eq!((first["hits"].as_str(), first["missed"].as_str(), first["added"].as_str()), (Some("#Citta"), Some("#roma #arte"), Some("#Mare")));
}

#[test]
fn a_map_names_examples_by_the_types_in_them_and_tells_entities_by_their_words() {
    let mut run = made::entities_run();
    let span = |start, end, kind: &str| Span { start, end, kind: kind.into() };
    let write = |spans: &[Span]| serde_json::to_string(spans).unwrap();
    for (i, p) in run.predictions.iter_mut().enumerate() {
        p.place = Some([i as f32, (i * i % 17) as f32]);
        p.input = "Ieri a Roma Anna Bianchi ha parlato.".into();
        p.expected = write(&[span(0, 4, "dates"), span(7, 11, "places"), span(12, 24, "people")]);
        (p.answer, p.score) = (Some(write(&[span(7, 11, "people")])), 0.0);
    }
    run.predictions[1].answer = Some("[]".into());
    run.predictions[2].answer = None;
    let map = |run: &Run, lang| content::figures(run, lang).into_iter().find(|(name, _)| name == "map").expect("a map").1;
    let figure = map(&run, Lang::English);
    assert_eq!(figure.data["points"][0]["label"], "dates people places");
    let told = |i: usize| figure.data["pointer"]["points"][i]["text"].as_str().unwrap().to_string();
    for (i, answer) in ["Roma (people)", "nothing", "no answer that can be read"].into_iter().enumerate() {
        assert_eq!(told(i), format!("Ieri (dates), Roma (places), Anna Bianchi (people) → {answer}: Ieri a Roma Anna Bianchi ha parlato."));
    }
    // queries have no labels, and are not told apart by any
    let mut run = made::sql_run();
    run.predictions.iter_mut().enumerate().for_each(|(i, p)| p.place = Some([i as f32, 0.0]));
    let figure = map(&run, Lang::Italian);
    assert!(figure.data["points"][0]["label"] == "" && !figure.alt.contains('∅'), "{}", figure.alt);
}

#[test]
fn what_a_model_is_good_for_follows_from_stated_rules() {
    let mut run = made::sql_run();
    let Some(Metrics::Sql(m)) = &mut run.result.metrics else { panic!("queries") };
    (m.execution_accuracy, m.valid_sql, m.lucky) = (0.85, 0.9, 3);
    let text = said(&content::run(&run, Lang::English), "use");
    assert!(text.contains("(80.0\u{202f}% or more): it can offer a result") && text.contains("10.0\u{202f}% of its queries did not run"), "{text}");
    assert!(text.contains("3 of its queries were right on this data and wrong on a changed copy") && text.contains("It knows only these tables: "), "{text}");
    let Some(Metrics::Sql(m)) = &mut run.result.metrics else { panic!("queries") };
    (m.execution_accuracy, m.valid_sql, m.lucky) = (0.3, 1.0, 0);
    m.execution_accuracy_ci = [0.2, 0.4];
    let text = said(&content::run(&run, Lang::English), "use");
    assert!(text.contains("(below 50.0\u{202f}%): not to be relied on") && !text.contains("did not run") && !text.contains("changed copy"), "{text}");

    let mut run = made::hashtags_run();
    let Some(Metrics::Tags(m)) = &mut run.result.metrics else { panic!("hashtags") };
    (m.at_least_one_hit, m.precision, m.diversity, m.diversity_expected) = (0.9, 0.4, 0.1, 0.6);
    let text = said(&content::run(&run, Lang::Italian), "use");
    for wanted in ["Utile per proporre hashtag", "Non per pubblicare hashtag senza una persona", "Si ripete: il 10,0\u{202f}%"] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }

    let mut run = made::entities_run();
    let Some(Metrics::Entities(m)) = &mut run.result.metrics else { panic!("entities") };
    m.errors = tasks::score::entities::Errors { missed: 30, invented: 5, wrong_type: 5, wrong_boundary: 5 };
    let text = said(&content::run(&run, Lang::English), "use");
    assert!(text.contains("66.7\u{202f}% of its mistakes, more than half, are entities that it overlooked"), "{text}");

    let mut run = made::custom_run();
    for (exact, chrf, wanted) in [(0.9, 0.95, "(80.0\u{202f}% or more)."), (0.3, 0.7, "drafts for a person"), (0.1, 0.2, "its texts are far from it")] {
        let Some(Metrics::Text(m)) = &mut run.result.metrics else { panic!("texts") };
        (m.exact_match, m.chrf) = (exact, chrf);
        let text = said(&content::run(&run, Lang::English), "use");
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let same = run.result.metrics.clone().unwrap();
    run.result.baselines.insert("nearest".into(), same);
    assert!(said(&content::run(&run, Lang::English), "use").contains("not shown to be better than the nearest training example"));
}

/// A run of a task whose every text is hostile.
fn hostile(mut run: Run) -> Run {
    let long = "<b>".repeat(40_000);
    let all: Vec<String> = HOSTILE.iter().map(|s| (*s).to_string()).chain([long]).collect();
    for (i, p) in run.predictions.iter_mut().enumerate() {
        let text = all[i % all.len()].clone();
        let length = text.chars().count();
        if run.run.task == "entities" {
            let spans = |shift: usize| {
                vec![Span { start: shift, end: length - 1, kind: text.clone() }, Span { start: 0, end: 1, kind: all[(i + shift) % all.len()].clone() }]
            };
            p.expected = serde_json::to_string(&spans(1)).unwrap();
            p.answer = (i % 3 > 0).then(|| serde_json::to_string(&spans(2)).unwrap());
        } else {
            p.expected = text.clone();
            p.answer = (i % 3 > 0).then(|| format!("{text} #{text}"));
        }
        (p.output, p.reason, p.score, p.probability) = (text.clone(), Some(text.clone()), 0.0, f64::NAN);
        p.input = text;
    }
    if let Some(Metrics::Entities(m)) = &mut run.result.metrics {
        let scores = m.per_type["people"].clone();
        m.per_type.extend(all.iter().map(|t| (t.clone(), scores.clone())));
    }
    run.run.data.labels = all.clone();
    run.run.data.counts = all.iter().map(|label| (label.clone(), 7)).collect();
    if let Some(table) = run.run.data.tables.first_mut() {
        table.name = all.join(" ");
    }
    run
}

#[test]
fn hostile_texts_of_any_task_are_shown_not_obeyed() {
    for (name, run) in made::all() {
        let run = hostile(run);
        for lang in [Lang::English, Lang::Italian] {
            let document = content::run(&run, lang);
            let page = html::render(&document);
            for never in ["<script", "<img", "\u{202e}", "\0", "\u{1b}", "\u{feff}"] {
                assert!(!page.contains(never), "{name}: {never:?}");
            }
            assert!(page.len() < 900_000, "{name}: {} bytes", page.len());
            let text = inert(&document);
            assert!(!text.contains("\u{202e}") && text.len() < 500_000, "{name}: {} bytes", text.len());
            for table in document.tables() {
                let csv = String::from_utf8(tables::csv(table).unwrap()).unwrap();
                assert!(!csv.lines().any(|l| l.starts_with('=') || l.contains(",=") || l.contains(",\"=")), "{name}: a formula in {}", table.name);
            }
        }
        let document = content::run(&run, Lang::Italian);
        assert!(paper::checked(&document) < 60, "{name}");
        paper::keep(&format!("hostile-{name}.pdf"), &pdf::render(&document).unwrap());
        // damaged records are no reason to fail
        let mut damaged = run.clone();
        damaged.predictions.iter_mut().for_each(|p| (p.expected, p.answer) = ("{".into(), Some("[".into())));
        let _ = html::render(&content::run(&damaged, Lang::English));
    }
}

#[test]
fn a_row_that_is_higher_than_a_page_goes_on_on_the_next() {
    let mut run = made::entities_run();
    // twelve entities of 199 characters, each answered with another beginning
    let spans = |shift: usize| -> Vec<Span> { (0..12).map(|i| Span { start: 200 * i + shift, end: 200 * i + 199, kind: "people".into() }).collect() };
    let p = &mut run.predictions[0];
    (p.input, p.score, p.probability) = ("parola di ".repeat(240), 0.0, 2.0);
    p.expected = serde_json::to_string(&spans(0)).unwrap();
    p.answer = Some(serde_json::to_string(&spans(7)).unwrap());
    for lang in [Lang::English, Lang::Italian] {
        let document = content::run(&run, lang);
        paper::checked(&document);
        paper::keep(&format!("high-row-{}.pdf", lang.code()), &pdf::render(&document).unwrap());
    }
}

#[test]
fn ten_thousand_mistakes_of_any_task_stay_bounded() {
    for (name, mut run) in made::all() {
        let few = run.predictions.clone();
        run.predictions = few.iter().cycle().take(10_000).cloned().collect();
        for p in &mut run.predictions {
            p.score = 0.0;
            p.input = format!("{} {}", p.input, "parola ".repeat(1000));
        }
        let document = content::run(&run, Lang::Italian);
        assert!(html::render(&document).len() < 800_000, "{name}");
        assert!(document.tables().all(|t| t.rows.len() <= 400), "{name}");
        assert!(paper::checked(&document) <= 40, "{name}");
    }
}

#[test]
fn runs_of_any_task_are_compared_by_their_own_measures() {
    for (name, run) in made::all() {
        let mut better = run.clone();
        better.path = "runs/better".into();
        for p in better.predictions.iter_mut().take(40) {
            p.score = 1.0;
        }
        let document = compare::runs(&[run.clone(), better], Lang::English);
        let json = tables::json(&document);
        let (measure, value, _) = run.result.metrics.as_ref().unwrap().headline()[0];
        assert_eq!(json["tables"]["runs"][0][measure].as_f64(), Some(value), "{name}");
        let row = &json["tables"]["paired"][0];
        assert!(row["difference"].as_f64().unwrap() > 0.0 && row["p"].as_f64().unwrap() < 0.05, "{name}: {row}");
        assert!(document.figures.iter().any(|(n, _)| n == "comparison"));
        keep(&format!("compare-{name}.html"), &html::render(&document));
    }
    // of two tasks the measures are not the same: the first run's count
    let document = compare::runs(&[made::sql_run(), made::hashtags_run()], Lang::English);
    let json = tables::json(&document);
    assert!(json["tables"]["runs"][1]["execution_accuracy"].is_null() && json["tables"]["paired"].is_null());
}
