//! Figures: well-formed, within their frame, true to the values, from nothing to far too much.

use crate::common::{HOSTILE, answers, evaluation, events, keep, labels, noise, step};
use report::figure::{Compared, Figure, comparison, confusion_matrix, loss_curve, reliability};
use report::text::Lang;
use roxmltree::{Document, Node};
use tasks::score::{Confusion, classification};
use train::Event;

fn texts(document: &Document) -> Vec<String> {
    document.descendants().filter(|n| n.has_tag_name(("http://www.w3.org/2000/svg", "text"))).map(|n| n.text().unwrap_or_default().to_string()).collect()
}

fn number(node: Node, name: &str) -> f64 {
    node.attribute(name).unwrap_or_else(|| panic!("{name} of {node:?}")).parse().unwrap_or_else(|e| panic!("{name} of {node:?}: {e}"))
}

/// Reads the picture strictly and checks what holds for all figures.
fn checked(figure: &Figure) -> Document<'_> {
    let document = Document::parse(&figure.svg).unwrap_or_else(|e| panic!("{e}\n{}", figure.svg));
    let root = document.root_element();
    assert_eq!(root.attribute("role"), Some("img"));
    assert_eq!(root.attribute("aria-label"), Some(figure.alt.as_str()));
    assert!(!figure.svg.contains("#010203"), "ink must follow the page");
    let view: Vec<f64> = root.attribute("viewBox").unwrap().split(' ').map(|v| v.parse().unwrap()).collect();
    let inside = |x: f64, y: f64| x >= 0.0 && y >= 0.0 && x <= view[2] && y <= view[3];
    for node in root.children().filter(Node::is_element) {
        match node.tag_name().name() {
            "text" => assert!(inside(number(node, "x"), number(node, "y")), "{node:?}"),
            "circle" => assert!(inside(number(node, "cx"), number(node, "cy")), "{node:?}"),
            "rect" => assert!(inside(number(node, "x") + number(node, "width"), number(node, "y") + number(node, "height")), "{node:?}"),
            "polyline" | "polygon" => {
                for pair in node.attribute("points").unwrap().split_whitespace() {
                    let (x, y) = pair.split_once(',').unwrap();
                    assert!(inside(x.parse().unwrap(), y.parse().unwrap()), "{pair} in {node:?}");
                }
            }
            other => panic!("unexpected <{other}>"),
        }
    }
    document
}

fn elements<'a, 'b>(document: &'a Document<'b>, name: &str) -> Vec<Node<'a, 'b>> {
    document.descendants().filter(|n| n.tag_name().name() == name).collect()
}

#[test]
fn a_usual_loss_curve_names_what_it_shows() {
    let figure = loss_curve(&events(450), Lang::English);
    keep("loss.svg", &figure.svg);
    let document = checked(&figure);
    let texts = texts(&document);
    for wanted in ["optimiser step", "validation", "loss (nats per target), logarithmic", "1", "2", "3"] {
        assert!(texts.iter().any(|t| t == wanted), "{wanted} in {texts:?}");
    }
    assert!(texts.iter().any(|t| t.starts_with("training, mean of ")), "{texts:?}");
    let best = &figure.data["best"];
    assert!(texts.iter().any(|t| t.starts_with("best 0.") && t.ends_with(&format!("step {}", best["step"]))), "{texts:?}");
    assert_eq!(figure.data["training"].as_array().unwrap().len(), 450);
    assert_eq!(figure.data["marks"].as_array().unwrap().len(), 3);
    assert_eq!(figure.data["not_finite"].as_array().unwrap().len(), 0);
    assert!(figure.alt.contains("450") && figure.alt.contains("3 notices"), "{}", figure.alt);
}

#[test]
fn italian_figures_use_the_decimal_comma_everywhere() {
    let metrics = classification(&labels(12), &answers(12, 240, 0.9, false));
    let rows = [Compared { name: "a".into(), accuracy: 0.912, interval: [0.9, 0.95], main: true }];
    for figure in [loss_curve(&events(450), Lang::Italian), reliability(&metrics.reliability, Lang::Italian), comparison(&rows, Lang::Italian)] {
        let document = checked(&figure);
        let mut decimals = 0;
        for text in texts(&document).iter().chain([&figure.alt]) {
            let bytes = text.as_bytes();
            let between = |mark| bytes.windows(3).filter(|w| w[0].is_ascii_digit() && w[1] == mark && w[2].is_ascii_digit()).count();
            assert_eq!(between(b'.'), 0, "{text}");
            decimals += between(b',');
        }
        assert!(decimals > 0, "nothing to check in {}", figure.alt);
    }
}

#[test]
fn few_steps_are_drawn_and_none_is_said() {
    for lang in [Lang::English, Lang::Italian] {
        let none = loss_curve(&[], lang);
        assert_eq!(texts(&checked(&none)).len(), 1);
        assert_eq!(none.data["training"].as_array().unwrap().len(), 0);
        // a run that died before its first step
        let failed = [Event::Warning { message: "x".into() }, Event::Failed { step: 0, message: "out of memory".into() }];
        assert_eq!(texts(&checked(&loss_curve(&failed, lang))).len(), 1);
    }
    for n in [1, 2, 3] {
        let few: Vec<Event> = (1..=n).map(|i| step(i, 2.0 / i as f64)).collect();
        let figure = loss_curve(&few, Lang::English);
        let document = checked(&figure);
        assert_eq!(elements(&document, "circle").len(), n, "each of few steps has its dot");
        assert!(texts(&document).iter().any(|t| t == "training"));
    }
    let figure = loss_curve(&[step(1, 1.0), evaluation(1, 0.9, true)], Lang::English);
    assert!(texts(&checked(&figure)).iter().any(|t| t == "best 0.900, step 1"));
}

#[test]
fn ten_thousand_steps_stay_small_and_keep_their_spike() {
    let mut long = events(10_000);
    let spike = long.iter().position(|e| matches!(e, Event::Step { step: 7000, .. })).unwrap();
    long[spike] = step(7000, 9.5);
    let figure = loss_curve(&long, Lang::Italian);
    keep("loss-10000.svg", &figure.svg);
    let document = checked(&figure);
    assert!(figure.svg.len() < 40_000, "{} bytes", figure.svg.len());
    assert_eq!(figure.data["training"].as_array().unwrap().len(), 10_000);
    let top = |n: &Node| n.attribute("points").unwrap().split_whitespace().map(|p| p.split_once(',').unwrap().1.parse::<i32>().unwrap()).min().unwrap();
    let lines = elements(&document, "polyline");
    let raw = lines.iter().find(|n| n.attribute("stroke-width") == Some("3") && n.attribute("opacity") == Some("0.4")).unwrap();
    let bold = lines.iter().find(|n| n.attribute("stroke-width") == Some("9") && n.attribute("points").unwrap().len() > 200).unwrap();
    assert!(top(raw) < top(bold), "the spike rises above the mean");
}

#[test]
fn losses_that_are_no_numbers_leave_a_gap_and_a_cross() {
    let mut broken: Vec<Event> = (1..=100).map(|i| step(i, if (40..45).contains(&i) { f64::NAN } else { 2.0 - i as f64 / 80.0 })).collect();
    broken[70] = step(71, f64::INFINITY);
    broken.push(evaluation(100, f64::NAN, false));
    let figure = loss_curve(&broken, Lang::English);
    keep("loss-nan.svg", &figure.svg);
    let document = checked(&figure);
    assert_eq!(figure.data["not_finite"], serde_json::json!([40, 41, 42, 43, 44, 71, 100]));
    assert!(figure.data["training"][40][1].is_null());
    assert!(texts(&document).iter().any(|t| t == "× not finite: 7"));
    assert_eq!(
        elements(&document, "polyline")
            .iter()
            .filter(|n| n.attribute("stroke-width") == Some("9") && n.attribute("points").unwrap().split(' ').count() > 3)
            .count(),
        3
    );
    assert!(!figure.svg.contains("NaN") && !figure.svg.contains("inf"));
    assert!(figure.alt.contains("At 7 steps"), "{}", figure.alt);

    let all = loss_curve(&(1..=5).map(|i| step(i, f64::NAN)).collect::<Vec<_>>(), Lang::Italian);
    assert!(texts(&checked(&all)).iter().any(|t| t == "× non finiti: 5"));
}

#[test]
fn a_constant_loss_and_extreme_losses_have_an_axis() {
    for values in [vec![0.7; 50], vec![0.0; 50], vec![-3.0, 2.0, 1e-300], vec![f64::MAX, f64::MIN_POSITIVE], vec![1e30, 1.0, 1.0], vec![f64::MIN, f64::MAX]] {
        let figure = loss_curve(&values.iter().enumerate().map(|(i, l)| step(i + 1, *l)).collect::<Vec<_>>(), Lang::English);
        checked(&figure);
        assert!(!figure.svg.contains("NaN"), "{values:?}");
    }
    let constant = loss_curve(&(1..=50).map(|i| step(i, 0.7)).collect::<Vec<_>>(), Lang::English);
    let document = checked(&constant);
    let ys: Vec<&str> = elements(&document, "polyline")
        .iter()
        .find(|n| n.attribute("stroke-width") == Some("9"))
        .and_then(|n| n.attribute("points"))
        .unwrap()
        .split_whitespace()
        .map(|p| p.split_once(',').unwrap().1)
        .collect();
    assert!(ys.len() == 50 && ys.windows(2).all(|w| w[0] == w[1]), "a flat line: {ys:?}");
}

#[test]
fn a_resumed_run_shows_the_later_steps_once() {
    let mut resumed: Vec<Event> = (1..=30).map(|i| step(i, 5.0)).collect();
    resumed.push(Event::Resumed { step: 20 });
    resumed.extend((21..=40).map(|i| step(i, 1.0)));
    let data = loss_curve(&resumed, Lang::English).data;
    let training = data["training"].as_array().unwrap();
    assert_eq!(training.len(), 40);
    assert_eq!((training[19][1].as_f64(), training[20][1].as_f64()), (Some(5.0), Some(1.0)));
}

#[test]
fn a_flood_of_notices_stays_within_the_plot() {
    let mut flood = events(100);
    flood.extend((0..5000).map(|i| Event::Health {
        step: i % 100,
        ok: i % 2 == 0,
        symptom: None,
        remedy: Default::default(),
        seen: String::new(),
        message: HOSTILE[i % HOSTILE.len()].into(),
    }));
    let figure = loss_curve(&flood, Lang::English);
    let document = checked(&figure);
    assert!(texts(&document).len() < 60, "neighbouring notices share a sign");
    assert_eq!(figure.data["marks"].as_array().unwrap().len(), 5003);
}

#[test]
fn confusion_matrices_of_all_sizes_show_every_count() {
    for (classes, examples) in [(2, 60), (12, 600), (80, 4000)] {
        for unlabelled in [false, true] {
            let confusion = classification(&labels(classes), &answers(classes, examples, 0.85, unlabelled)).confusion;
            let figure = confusion_matrix(&confusion, Lang::Italian);
            keep(&format!("confusion-{classes}{}.svg", if unlabelled { "-none" } else { "" }), &figure.svg);
            let document = checked(&figure);
            let counts: Vec<String> = texts(&document).into_iter().filter(|t| t.parse::<usize>().is_ok()).collect();
            let nonzero: Vec<usize> = confusion.counts.iter().flatten().copied().filter(|c| *c > 0).collect();
            assert_eq!(counts.len(), nonzero.len(), "numbers only where something was counted");
            assert_eq!(counts.iter().map(|t| t.parse::<usize>().unwrap()).sum::<usize>(), examples);
            assert_eq!(texts(&document).iter().any(|t| t == "nessuna etichetta"), unlabelled);
            for axis in ["atteso", "risposto"] {
                assert!(texts(&document).iter().any(|t| t == axis));
            }
            for node in elements(&document, "text") {
                assert!(number(node, "font-size") / 4.0 >= 4.0, "{node:?} is too small to read");
            }
        }
    }
}

#[test]
fn hostile_labels_stay_text() {
    let mut labels: Vec<String> = HOSTILE.iter().map(|s| (*s).to_string()).collect();
    labels.push("x".repeat(100_000));
    labels.push(String::new());
    let confusion = classification(&labels, &answers(labels.len(), 300, 0.7, true)).confusion;
    let figure = confusion_matrix(&confusion, Lang::English);
    keep("confusion-hostile.svg", &figure.svg);
    let document = checked(&figure);
    assert!(texts(&document).iter().any(|t| t == "<script>alert(1)</script>"), "{:?}", texts(&document));
    assert!(texts(&document).iter().any(|t| t == "⟨U+202E⟩txet desrever⟨U+202C⟩"));
    assert!(figure.svg.len() < 100_000, "long labels are cut");
    assert_eq!(figure.data["labels"][0], HOSTILE[0], "values stay as they are");
}

#[test]
fn a_damaged_confusion_does_not_panic() {
    for (labels, counts) in [(labels(3), vec![]), (labels(2), vec![vec![1], vec![0, 2, 3, 4, 5], vec![9]]), (vec![], vec![]), (labels(2), vec![vec![0; 3]; 2])]
    {
        let figure = confusion_matrix(&Confusion { labels, counts }, Lang::English);
        checked(&figure);
        assert!(figure.alt.contains("examples"));
    }
}

#[test]
fn reliability_and_comparison_show_every_value() {
    let metrics = classification(&labels(12), &answers(12, 600, 0.85, false));
    let figure = reliability(&metrics.reliability, Lang::English);
    keep("reliability.svg", &figure.svg);
    let document = checked(&figure);
    assert_eq!(elements(&document, "circle").len(), metrics.reliability.len());
    for bin in &metrics.reliability {
        assert!(texts(&document).contains(&bin.count.to_string()));
    }
    assert_eq!(elements(&checked(&reliability(&[], Lang::English)), "circle").len(), 0);

    let rows: Vec<Compared> = (0..4)
        .map(|i| Compared { name: HOSTILE[i].into(), accuracy: noise(i), interval: [noise(i) - 0.04, noise(i) + 0.04], main: i == 0 })
        .chain([Compared { name: "broken".into(), accuracy: f64::NAN, interval: [f64::NAN; 2], main: false }])
        .collect();
    let figure = comparison(&rows, Lang::English);
    assert_eq!(elements(&checked(&figure), "circle").len(), 4, "what is no number has no dot");
}
