//! Figures: well-formed, within their frame, true to the values, from nothing to far too much.

use crate::common::{HOSTILE, answers, evaluation, events, keep, labels, noise, step};
use report::figure::{
    Bin, Cells, Compared, Covered, Faults, Figure, FigureData, Learnt, Placed, Plot, Quantity, Series, Variant, class_balance, class_scores, comparison,
    confusion_matrix, coverage, entity_errors, example_map, learning_curve, length_histogram, loss_curve, loss_curves, quantity, reliability,
};
use report::text::Lang;
use roxmltree::{Document, Node};
use tasks::score::calibration::CoveragePoint;
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
    // the policies of the pages that hold it allow no element a style of its own
    assert!(!document.descendants().any(|n| n.attribute("style").is_some()), "{}", figure.svg);
    let view: Vec<f64> = root.attribute("viewBox").unwrap().split(' ').map(|v| v.parse().unwrap()).collect();
    // what the pointer finds lies within the picture
    assert_eq!(figure.data["size"][0].as_f64().unwrap().round(), figure.width.round());
    for point in figure.data["pointer"]["points"].as_array().into_iter().flatten() {
        let at = |name: &str| point[name].as_f64().unwrap_or(0.0);
        assert!(at("x") >= 0.0 && at("x") + at("width") <= figure.width + 0.1, "{point}");
        assert!(at("y") >= 0.0 && at("y") + at("height") <= figure.height + 0.1, "{point}");
        assert!(!point["text"].as_str().unwrap().is_empty());
    }
    // a window finds in the values what it reads of them
    serde_json::from_value::<FigureData>(figure.data.clone()).unwrap_or_else(|e| panic!("{e} in {}", figure.data));
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

/// Size in pixels of the smallest text of a picture.
pub fn smallest_text(figure: &Figure) -> f64 {
    elements(&checked(figure), "text").iter().map(|node| number(*node, "font-size") / 4.0).fold(f64::INFINITY, f64::min)
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
    let rows = [Compared { name: "a".into(), score: 0.912, interval: [0.9, 0.95], main: true }];
    let sure = reliability(&metrics.reliability, false, Lang::Italian);
    for figure in [loss_curve(&events(450), Lang::Italian), sure, comparison(&rows, "Accuratezza", Lang::Italian)] {
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
        let failed = [Event::Warning { message: "x".into(), told: None }, Event::Failed { step: 0, message: "out of memory".into(), told: None }];
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
        back_to: None,
    }));
    let figure = loss_curve(&flood, Lang::English);
    let document = checked(&figure);
    assert!(texts(&document).len() < 60, "neighbouring notices share a sign");
    assert_eq!(figure.data["marks"].as_array().unwrap().len(), 5003);
}

#[test]
fn confusion_matrices_of_all_sizes_show_every_count() {
    for (classes, examples) in [(2, 60), (12, 600), (40, 40_000), (77, 10_000), (80, 4000)] {
        for unlabelled in [false, true] {
            let confusion = classification(&labels(classes), &answers(classes, examples, 0.85, unlabelled)).confusion;
            let figure = confusion_matrix(&confusion, Cells::Counts, Lang::Italian);
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
            for numbers in [Cells::Counts, Cells::Shares] {
                let size = smallest_text(&confusion_matrix(&confusion, numbers, Lang::Italian));
                assert!(size >= 7.0, "{classes} labels, {numbers:?}: a text of {size} pixels is too small to read");
            }
        }
    }
}

#[test]
fn shares_are_of_their_row_and_what_is_there_is_never_nothing() {
    let counts = vec![vec![1999, 1, 0], vec![1, 1, 1]];
    let figure = confusion_matrix(&Confusion { labels: labels(2), counts }, Cells::Shares, Lang::Italian);
    let texts = texts(&checked(&figure));
    let numbers: Vec<&str> = texts.iter().map(String::as_str).filter(|t| t.starts_with('<') || t.parse::<usize>().is_ok()).collect();
    assert_eq!(numbers, ["33", "33", "33", "<1", "100"], "the label with most mistakes first");
    assert_eq!(figure.data["counts"][0][0], 1999, "the values stay counts");
}

#[test]
fn hostile_labels_stay_text() {
    let mut labels: Vec<String> = HOSTILE.iter().map(|s| (*s).to_string()).collect();
    labels.push("x".repeat(100_000));
    labels.push(String::new());
    let confusion = classification(&labels, &answers(labels.len(), 300, 0.7, true)).confusion;
    let figure = confusion_matrix(&confusion, Cells::Counts, Lang::English);
    keep("confusion-hostile.svg", &figure.svg);
    let document = checked(&figure);
    assert!(texts(&document).iter().any(|t| t == "<script>alert(1)</script>"), "{:?}", texts(&document));
    assert!(texts(&document).iter().any(|t| t == "⟨U+202E⟩txet desrever⟨U+202C⟩"));
    assert!(figure.svg.len() < 100_000, "long labels are cut");
    assert_eq!(figure.data["labels"][0], HOSTILE[0], "values stay as they are");
}

#[test]
fn hostile_names_stay_text_in_every_figure_that_shows_names_and_in_bitmaps() {
    let labels: Vec<String> = HOSTILE.iter().map(|s| (*s).to_string()).collect();
    let metrics = classification(&labels, &answers(labels.len(), 300, 0.7, true));
    let story = events(30);
    let scores = [(10, 0.4), (80, 0.8)].map(|(examples, score)| Learnt { examples, score, interval: None });
    let types: Vec<Faults> = labels.iter().map(|l| Faults { name: l.clone(), right: 3, missed: 2, wrong_type: 1, wrong_boundary: 1, invented: 1 }).collect();
    let mut figures = vec![
        confusion_matrix(&metrics.confusion, Cells::Shares, Lang::Italian),
        class_scores(&metrics.per_class, Lang::Italian),
        class_balance(&metrics.per_class, Lang::Italian),
        entity_errors(&types, Lang::Italian),
    ];
    // these show few names at a time
    for some in HOSTILE.chunks(4) {
        let rows: Vec<Compared> = some.iter().map(|name| Compared { name: (*name).into(), score: 0.5, interval: [0.4, 0.6], main: false }).collect();
        let series: Vec<Series> = some.iter().map(|name| Series { name: (*name).into(), points: scores.to_vec() }).collect();
        let told: Vec<(&str, &[Event])> = some.iter().map(|name| (*name, story.as_slice())).collect();
        figures.extend([comparison(&rows, "F1", Lang::Italian), learning_curve(&series, "F1", Lang::Italian), loss_curves(&told, Lang::Italian)]);
    }
    for figure in &figures {
        checked(figure);
        for acting in ['\0', '\u{1b}', '\u{202e}', '\u{202c}', '\u{2028}', '\u{feff}', '\u{ffff}'] {
            assert!(!figure.svg.contains(acting) && !figure.alt.contains(acting), "{acting:?} in {}", figure.alt);
        }
        for acting in ["<script", "<img", "</style", "<x>"] {
            assert!(!figure.svg.contains(acting), "{acting} in {}", figure.svg);
        }
        assert!(figure.png(Variant::Light).unwrap().starts_with(b"\x89PNG"), "{}", figure.alt);
    }
}

#[test]
fn a_damaged_confusion_does_not_panic() {
    for (labels, counts) in [(labels(3), vec![]), (labels(2), vec![vec![1], vec![0, 2, 3, 4, 5], vec![9]]), (vec![], vec![]), (labels(2), vec![vec![0; 3]; 2])]
    {
        let figure = confusion_matrix(&Confusion { labels, counts }, Cells::Counts, Lang::English);
        checked(&figure);
        assert!(figure.alt.contains("examples"));
    }
}

#[test]
fn reliability_and_comparison_show_every_value() {
    let metrics = classification(&labels(12), &answers(12, 600, 0.85, false));
    let figure = reliability(&metrics.reliability, false, Lang::English);
    keep("reliability.svg", &figure.svg);
    let document = checked(&figure);
    assert_eq!(elements(&document, "circle").len(), metrics.reliability.len());
    for bin in &metrics.reliability {
        assert!(texts(&document).contains(&bin.count.to_string()));
    }
    // each point opens its own bin, and says so where the probabilities are calibrated ones
    let opens = |calibrated| reliability(&metrics.reliability, calibrated, Lang::English).data["pointer"]["points"][0]["opens"].clone();
    let (from, to) = metrics.reliability[0].ends();
    assert_eq!(opens(false), serde_json::json!({"probability": {"from": from, "to": to}}));
    assert_eq!(opens(true), serde_json::json!({"probability": {"from": from, "to": to, "calibrated": true}}));
    assert_eq!(elements(&checked(&reliability(&[], false, Lang::English)), "circle").len(), 0);

    let rows: Vec<Compared> = (0..4)
        .map(|i| Compared { name: HOSTILE[i].into(), score: noise(i), interval: [noise(i) - 0.04, noise(i) + 0.04], main: i == 0 })
        .chain([Compared { name: "broken".into(), score: f64::NAN, interval: [f64::NAN; 2], main: false }])
        .collect();
    let figure = comparison(&rows, "Accuracy", Lang::English);
    assert_eq!(elements(&checked(&figure), "circle").len(), 4, "what is no number has no dot");
}

#[test]
fn quantities_of_a_training_are_drawn_with_their_last_value() {
    for lang in [Lang::English, Lang::Italian] {
        for q in Quantity::ALL {
            let figure = quantity(&events(450), q, lang);
            keep(&format!("{}-{}.svg", q.name(), lang.code()), &figure.svg);
            checked(&figure);
            assert_eq!((figure.data["kind"].as_str(), figure.data["points"].as_array().unwrap().len()), (Some("series"), 450));
            assert!(figure.data["pointer"]["points"].as_array().unwrap().len() <= 600);
        }
    }
    let document = quantity(&events(450), Quantity::Memory, Lang::Italian);
    assert!(texts(&checked(&document)).iter().any(|t| t == "1,90\u{202f}GB"), "{:?}", texts(&checked(&document)));
    // nothing, one step, only what is no number, a constant zero, an explosion
    assert_eq!(texts(&checked(&quantity(&[], Quantity::Speed, Lang::English))).len(), 1);
    let with = |norms: &[f64]| -> Vec<Event> {
        let change = |(i, norm): (usize, &f64)| {
            let mut event = step(i + 1, 1.0);
            if let Event::Step { grad_norm, .. } = &mut event {
                *grad_norm = *norm;
            }
            event
        };
        norms.iter().enumerate().map(change).collect()
    };
    for norms in [vec![1.0], vec![f64::NAN; 3], vec![0.0; 9], vec![1.0, 1.0, 1e12], vec![1.0, f64::NAN, 2.0], vec![f64::INFINITY, 1.0]] {
        let figure = quantity(&with(&norms), Quantity::GradNorm, Lang::English);
        checked(&figure);
        assert!(!figure.svg.contains("NaN"), "{norms:?}");
    }
}

#[test]
fn labels_side_by_side_are_sorted_and_bounded() {
    for (classes, examples) in [(2, 60), (12, 600), (77, 3000), (300, 3000)] {
        let metrics = classification(&labels(classes), &answers(classes, examples, 0.8, true));
        for figure in [class_scores(&metrics.per_class, Lang::English), class_balance(&metrics.per_class, Lang::English)] {
            keep(&format!("{}-{classes}.svg", figure.data["kind"].as_str().unwrap()), &figure.svg);
            checked(&figure);
            assert!(figure.height < 2000.0 && figure.data["classes"].as_array().unwrap().len() == classes.min(100));
        }
        let scores = class_scores(&metrics.per_class, Lang::English).data;
        let f1: Vec<f64> = scores["classes"].as_array().unwrap().iter().map(|c| c["f1"].as_f64().unwrap()).collect();
        assert!(f1.windows(2).all(|w| w[0] <= w[1]), "weakest first: {f1:?}");
    }
    let nothing = classification(&[], &[]);
    checked(&class_scores(&nothing.per_class, Lang::English));
    checked(&class_balance(&nothing.per_class, Lang::Italian));
}

#[test]
fn many_labels_are_sorted_so_that_those_confused_are_neighbours() {
    // 77 labels, each taken for the one 40 places on
    let labels = labels(77);
    let counts: Vec<Vec<usize>> = (0..77).map(|r| (0..78).map(|c| if c == r { 8 } else { usize::from(c == (r + 40) % 77) }).collect()).collect();
    let figure = confusion_matrix(&Confusion { labels, counts }, Cells::Counts, Lang::English);
    keep("confusion-77.svg", &figure.svg);
    checked(&figure);
    let order: Vec<u64> = figure.data["order"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect();
    let near = order.windows(2).filter(|w| (w[0] + 40) % 77 == w[1] || (w[1] + 40) % 77 == w[0]).count();
    assert_eq!((order.len(), near), (77, 76), "{order:?}");
    let cell = figure.data["pointer"]["points"][0]["text"].as_str().unwrap();
    assert!(cell.starts_with("expected ") && cell.ends_with(" of the label"), "{cell}");
    // few labels, too: the one with most mistakes first, then the one that it is taken for; very many show those with most mistakes
    let few = Confusion { labels: crate::common::labels(4), counts: vec![vec![9, 0, 0, 0, 0], vec![0, 5, 0, 4, 0], vec![2, 0, 7, 0, 0], vec![0, 1, 0, 8, 0]] };
    assert_eq!(confusion_matrix(&few, Cells::Counts, Lang::English).data["order"], serde_json::json!([1, 3, 2, 0]));
    let many = classification(&crate::common::labels(500), &answers(500, 5000, 0.8, false)).confusion;
    let figure = confusion_matrix(&many, Cells::Counts, Lang::English);
    assert_eq!(figure.data["order"].as_array().unwrap().len(), 100);
    assert!(figure.alt.contains("The 100 labels with most mistakes are shown."), "{}", figure.alt);
}

#[test]
fn coverage_begins_where_it_is_more_than_luck() {
    let curve = |n: usize| -> Vec<Covered> {
        let right = |i: usize| (0..=i).filter(|k| noise(*k) < 1.0 - 0.5 * *k as f64 / n as f64).count();
        (0..n).map(|i| Covered { probability: 1.0 - i as f64 / n as f64, answered: i + 1, of: n, right: right(i) }).collect()
    };
    for n in [1, 5, 200, 2000] {
        let figure = coverage(&curve(n), n == 5, None, Lang::Italian);
        keep(&format!("coverage-{n}.svg"), &figure.svg);
        checked(&figure);
        assert!(figure.data["curve"].as_array().unwrap().len() <= 401);
    }
    checked(&coverage(&[], false, None, Lang::English));
    // a point opens the answers that are at least as sure, by the probability that the curve goes by
    let opens = |calibrated| coverage(&curve(20), calibrated, None, Lang::English).data["pointer"]["points"][0]["opens"].clone();
    assert_eq!(opens(false), serde_json::json!({"probability": {"from": curve(20)[9].probability}}));
    assert_eq!(opens(true), serde_json::json!({"probability": {"from": curve(20)[9].probability, "calibrated": true}}));
}

#[test]
fn coverage_says_whose_probabilities_it_goes_by_and_which_threshold_was_chosen() {
    let curve: Vec<Covered> = (1..=40).map(|i| Covered { probability: 1.0 - i as f64 / 50.0, answered: i, of: 40, right: i - i / 10 }).collect();
    let chosen = CoveragePoint { threshold: 0.62, coverage: 0.5, accuracy: 0.83 };
    for (lang, said, axis) in [
        (
            Lang::English,
            "chosen on the validation set, 62.0\u{202f}%, leaves 50.0\u{202f}% of the examples answered, 83.0\u{202f}%",
            "by calibrated probability",
        ),
        (Lang::Italian, "validazione, 62,0\u{202f}%, lascia risposta al 50,0\u{202f}% degli esempi, giusta nell’83,0\u{202f}%", "per probabilità calibrata"),
    ] {
        let figure = coverage(&curve, true, Some(chosen), lang);
        let document = checked(&figure);
        assert!(figure.alt.contains(said), "{}", figure.alt);
        assert!(texts(&document).iter().any(|t| t.ends_with(axis)), "{:?}", texts(&document));
        assert_eq!((figure.data["threshold"]["threshold"].as_f64(), figure.data["calibrated"].as_bool()), (Some(0.62), Some(true)));
        let figure = coverage(&curve, false, None, lang);
        assert!(figure.data["threshold"].is_null() && !figure.alt.contains("calibra"), "{}", figure.alt);
        assert!(!texts(&checked(&figure)).iter().any(|t| t.ends_with(axis)));
    }
}

#[test]
fn a_face_finds_steps_and_cells_where_they_were_drawn() {
    let figure = loss_curve(&events(450), Lang::English);
    let Some(Plot::Axes { left, right, x, .. }) = figure.plot else { panic!("{:?}", figure.plot) };
    assert_eq!(x, [0.0, 450.0]);
    let document = checked(&figure);
    let smoothed = elements(&document, "polyline").into_iter().find(|n| n.attribute("stroke-width") == Some("9")).unwrap();
    let points = smoothed.attribute("points").unwrap();
    // four units of the drawing to a pixel
    let at = |p: &str| p.split_once(',').unwrap().0.parse::<f64>().unwrap() / 4.0;
    assert!((at(points.split_whitespace().next().unwrap()) - (left + (right - left) / 450.0)).abs() <= 0.25, "the first step");
    assert!((at(points.split_whitespace().last().unwrap()) - right).abs() <= 0.25, "the last step");

    let metrics = classification(&labels(12), &answers(12, 600, 0.8, true));
    let figure = confusion_matrix(&metrics.confusion, Cells::Counts, Lang::English);
    let Some(Plot::Cells { left, top, cell, rows: 12, columns: 13, gap }) = figure.plot else { panic!("{:?}", figure.plot) };
    let document = checked(&figure);
    let drawn: Vec<(f64, f64)> = elements(&document, "rect").into_iter().map(|n| (number(n, "x") / 4.0, number(n, "y") / 4.0)).collect();
    let order: Vec<usize> = serde_json::from_value(figure.data["order"].clone()).unwrap();
    for (row, counts) in order.iter().map(|&label| &metrics.confusion.counts[label]).enumerate() {
        for column in (0..13).filter(|&c| counts[order.get(c).copied().unwrap_or(12)] > 0) {
            let wanted = (left + column as f64 * cell + if column == 12 { gap } else { 0.0 }, top + row as f64 * cell);
            // half a pixel of frame stays free
            assert!(drawn.iter().any(|d| (d.0 - wanted.0 - 0.5).abs() <= 0.25 && (d.1 - wanted.1 - 0.5).abs() <= 0.25), "{row} {column} {wanted:?}");
        }
    }
}

#[test]
fn the_same_picture_suits_light_and_dark_pages_and_paper() {
    let figure = loss_curve(&events(450), Lang::English);
    let colours = |variant| {
        let svg = figure.svg_for(variant);
        Document::parse(&svg).unwrap();
        assert!(!svg.contains("#010203"), "{variant:?}");
        (svg.contains("currentColor"), svg.contains("#FFFFFF"), svg.contains("#16191D"), svg.contains("#0072B2"), svg.contains("#56B4E9"))
    };
    assert_eq!(colours(Variant::Page), (true, false, false, true, false));
    assert_eq!(colours(Variant::Light), (false, true, false, true, false));
    assert_eq!(colours(Variant::Dark), (false, false, true, false, true));
    assert_eq!(colours(Variant::Print), (false, false, false, true, false));
    assert_eq!(figure.svg, figure.svg_for(Variant::Page));
}

#[test]
fn a_bitmap_has_twice_the_pixels_and_the_texts() {
    let metrics = classification(&labels(12), &answers(12, 600, 0.9, false));
    let figure = confusion_matrix(&metrics.confusion, Cells::Counts, Lang::Italian);
    for variant in [Variant::Light, Variant::Dark] {
        let bytes = figure.png(variant).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert!((f64::from(info.width) - 2.0 * figure.width).abs() <= 2.0 && (f64::from(info.height) - 2.0 * figure.height).abs() <= 2.0);
        let at = |x: u32, y: u32| pixels[((y * info.width + x) * 3) as usize];
        let background = at(0, 0);
        // left of the matrix there is nothing but names
        let left = figure.data["pointer"]["plot"][0].as_f64().unwrap() as u32 * 2 - 20;
        let inked =
            (60..left).flat_map(|x| (info.height / 2..info.height - 120).map(move |y| (x, y))).filter(|(x, y)| at(*x, *y).abs_diff(background) > 100).count();
        assert!(inked > 2000, "{variant:?}: only {inked} pixels of text");
        if let Ok(folder) = std::env::var("REPORT_EXAMPLES") {
            std::fs::write(std::path::Path::new(&folder).join(format!("confusion-{variant:?}.png")), &bytes).unwrap();
        }
    }
}

#[test]
fn what_became_of_entities_is_drawn_to_scale() {
    let faults =
        |name: &str, right, missed, wrong_type, wrong_boundary, invented| Faults { name: name.into(), right, missed, wrong_type, wrong_boundary, invented };
    let rows = [faults("all types", 80, 6, 3, 5, 9), faults("people", 50, 0, 3, 0, 4), faults(HOSTILE[0], 0, 6, 0, 0, 0)];
    for lang in [Lang::English, Lang::Italian] {
        let figure = entity_errors(&rows, lang);
        let document = checked(&figure);
        // one rectangle for each kind that occurs, and five in the key
        assert_eq!(elements(&document, "rect").len(), 5 + 5 + 3 + 1);
        let of = if lang == Lang::English { "80 of 94" } else { "80 di 94" };
        assert!(texts(&document).iter().any(|t| t == of), "{:?}", texts(&document));
        assert_eq!(figure.data["types"][0]["wrong_boundary"], 5);
        // each bar, then on top of it each of its parts that is a mistake, opens what it stands for
        let points = figure.data["pointer"]["points"].as_array().unwrap();
        let opens: Vec<_> = points.iter().map(|p| (p["opens"]["mistake"]["type"].as_str(), p["opens"]["mistake"]["kind"].as_str())).collect();
        let all: Vec<Option<&str>> = opens[..5].iter().map(|(_, kind)| *kind).collect();
        assert_eq!(all, [None, Some("wrong_boundary"), Some("wrong_type"), Some("missed"), Some("invented")]);
        assert!(opens[..5].iter().all(|(of, _)| of.is_none()), "{opens:?}");
        let of = Some("people");
        assert_eq!(opens[5..8], [(of, None), (of, Some("wrong_type")), (of, Some("invented"))]);
        assert_eq!((opens.len(), opens[8], opens[9]), (10, (Some(HOSTILE[0]), None), (Some(HOSTILE[0]), Some("missed"))));
        let drawn = elements(&document, "rect")[5 + 1..].iter().map(|n| number(*n, "x") / 4.0).take(4).collect::<Vec<_>>();
        for (point, x) in points[1..5].iter().zip(drawn) {
            assert!((point["x"].as_f64().unwrap() - x).abs() < 0.3, "{point} and {x}");
        }
    }
    let width = |figure: &Figure, colour: &str| -> f64 {
        elements(&checked(figure), "rect").iter().filter(|n| n.attribute("fill") == Some(colour)).map(|n| number(*n, "width")).fold(0.0, f64::max)
    };
    let figure = entity_errors(&rows, Lang::English);
    let (blue, red) = (width(&figure, "#0072B2"), width(&figure, "#D55E00"));
    assert!((blue / red - 80.0 / 6.0).abs() < 1.0, "{blue} and {red}");
    checked(&entity_errors(&[], Lang::English));
    let many: Vec<Faults> = (0..500).map(|i| faults(&format!("type {i}"), i, i % 3, i % 5, i % 7, i % 11)).collect();
    let figure = entity_errors(&many, Lang::English);
    checked(&figure);
    assert!(figure.height < 1200.0);
}

#[test]
fn lengths_hold_every_text_and_show_the_limit() {
    let bins: Vec<Bin> = (0..60).map(|i| Bin { from: 4 * i, to: 4 * i + 3, count: (200.0 * (-((i as f64 - 12.0) / 7.0).powi(2)).exp()) as usize }).collect();
    for lang in [Lang::English, Lang::Italian] {
        for limit in [None, Some(128), Some(200_000)] {
            let figure = length_histogram(&bins, limit, lang);
            let document = checked(&figure);
            assert_eq!(figure.data["bins"].as_array().unwrap().len(), 60);
            assert_eq!(texts(&document).iter().any(|t| t.ends_with(" 128")), limit == Some(128), "{:?}", texts(&document));
        }
    }
    for bins in [
        vec![],
        vec![Bin { from: 0, to: 0, count: 0 }],
        vec![Bin { from: 7, to: 7, count: 1 }],
        vec![Bin { from: 0, to: usize::MAX, count: usize::MAX }, Bin { from: usize::MAX, to: usize::MAX, count: usize::MAX }],
    ] {
        checked(&length_histogram(&bins, Some(10), Lang::Italian));
    }
}

#[test]
fn a_learning_curve_is_in_decades_where_sizes_differ_much() {
    let learnt = |examples, score: f64| Learnt { examples, score, interval: Some([score - 0.05, score + 0.04]) };
    let series = |name: &str, points: &[Learnt]| Series { name: name.into(), points: points.to_vec() };
    let curve = |points: &[Learnt], measure, lang| learning_curve(&[series("", points)], measure, lang);
    let wide = curve(&[learnt(800, 0.81), learnt(50, 0.4), learnt(200, 0.66)], "Accuracy", Lang::English);
    assert_eq!((wide.data["scale"].as_str(), wide.data["series"][0]["points"][0]["examples"].as_u64()), (Some("log"), Some(50)), "in the order of size");
    assert!(wide.alt.contains("200 examples: 66.0"), "{}", wide.alt);
    assert_eq!(elements(&checked(&wide), "circle").len(), 3);
    let near = curve(&[learnt(100, 0.4), learnt(200, 0.5)], "F1", Lang::Italian);
    assert_eq!(near.data["scale"], "linear");
    checked(&near);
    // several lines are named at their ends, and ends that meet keep apart
    let alone = |examples, score| Learnt { examples, score, interval: None };
    let lines = [series("head", &[learnt(100, 0.5), learnt(800, 0.9)]), series("completion", &[alone(100, 0.3), alone(800, 0.9)])];
    let both = learning_curve(&lines, "F1", Lang::English);
    assert!(both.alt.contains("head: 100 examples: 50.0") && both.alt.contains("completion: 800 examples: 90.0"), "{}", both.alt);
    let document = checked(&both);
    let ends: Vec<f64> = elements(&document, "text").into_iter().filter(|t| t.text().is_some_and(|t| t.starts_with("90.0"))).map(|t| number(t, "y")).collect();
    assert!(ends.len() == 2 && (ends[0] - ends[1]).abs() >= 14.0 * 4.0, "{ends:?}");
    for points in [vec![], vec![learnt(0, 0.1)], vec![learnt(5, f64::NAN)], vec![learnt(1, 2.0), learnt(usize::MAX, -3.0)]] {
        checked(&curve(&points, "F1", Lang::English));
    }
}

/// Three clouds of examples, and one without a label.
pub fn placed(each: usize) -> Vec<Placed> {
    let centres = [("order_tracking", 0.0, 0.0), ("return_refund", 6.0, 1.0), ("payment_issues", 2.0, 5.0)];
    let cloud = |&(label, x, y): &(&str, f64, f64)| {
        (0..each)
            .map(move |i| Placed { x: x + 3.0 * noise(i) - 1.5, y: y + 3.0 * noise(i + 7919) - 1.5, label: label.into(), ..Placed::default() })
            .collect::<Vec<_>>()
    };
    centres.iter().flat_map(cloud).chain([Placed { x: 3.0, y: 3.0, ..Placed::default() }]).collect()
}

#[test]
fn a_map_keeps_distances_and_names_the_commonest_labels() {
    let points = placed(40);
    let figure = example_map(&points, Lang::English);
    let document = checked(&figure);
    assert_eq!(elements(&document, "circle").len(), 121);
    for name in ["order_tracking", "return_refund", "payment_issues"] {
        assert!(texts(&document).iter().any(|t| t == name), "{:?}", texts(&document));
    }
    assert_eq!(figure.data["points"].as_array().unwrap().len(), 121);
    let hostile: Vec<Placed> = (0..3000)
        .map(|i| Placed {
            x: if i % 500 == 0 { f64::NAN } else { noise(i) * 1e-9 },
            y: noise(i + 1),
            label: HOSTILE[i % HOSTILE.len()].into(),
            ..Placed::default()
        })
        .collect();
    checked(&example_map(&hostile, Lang::Italian));
    let many = example_map(&placed(20_000), Lang::English);
    checked(&many);
    assert!(many.svg.len() < 600_000, "{} bytes", many.svg.len());
    let at = |x, y, label: &str| Placed { x, y, label: label.into(), ..Placed::default() };
    let one = at(1.0, 1.0, "a");
    for points in [vec![], vec![one.clone()], vec![one.clone(), one], vec![at(f64::MAX, 0.0, "b"), at(f64::MIN, 0.0, "b")]] {
        checked(&example_map(&points, Lang::Italian));
    }
}

#[test]
fn twelve_labels_of_a_map_have_looks_of_their_own() {
    // apart from each other, so that every name has room
    let cloud = |l: usize| {
        (0..10).map(move |i| Placed {
            x: (l % 4) as f64 * 9.0 + noise(10 * l + i),
            y: (l / 4) as f64 * 9.0 + noise(7919 + 10 * l + i),
            label: format!("label {l:02}"),
            ..Placed::default()
        })
    };
    let figure = example_map(&(0..14).flat_map(cloud).collect::<Vec<_>>(), Lang::English);
    keep("map-of-many.svg", &figure.svg);
    let document = checked(&figure);
    let of = |shape: &str, colour: &str| elements(&document, shape).iter().filter(|n| n.attribute("fill") == Some(colour)).count();
    for colour in ["#0072B2", "#D55E00", "#009E73", "#E69F00"] {
        // a point that is no dot stands before its name, too
        assert_eq!((of("circle", colour), of("polygon", colour), of("rect", colour)), (10, 11, 11), "{colour}");
    }
    // the others share one
    assert_eq!(of("circle", "currentColor"), 20);
}

/// The same examples, each fifth answered wrongly, with hostile texts.
pub fn judged(each: usize) -> Vec<Placed> {
    let one = |(i, p): (usize, Placed)| Placed { right: Some(i % 5 > 0), text: format!("{} → b: {}", p.label, HOSTILE[i % HOSTILE.len()]), ..p };
    placed(each).into_iter().enumerate().map(one).collect()
}

#[test]
fn a_map_of_answers_marks_each_wrong_one_by_a_cross() {
    let points = judged(40);
    for (lang, alt) in [(Lang::English, "that were not wholly right: 25. "), (Lang::Italian, "risposte non del tutto giuste: 25. ")] {
        let figure = example_map(&points, lang);
        keep(&format!("map-of-answers-{}.svg", lang.code()), &figure.svg);
        let document = checked(&figure);
        let crosses = elements(&document, "polyline").iter().filter(|n| n.attribute("stroke") == Some("#D55E00")).count();
        let dots = elements(&document, "circle").iter().filter(|n| n.attribute("fill") == Some("#0072B2")).count();
        // a cross has two strokes, and the key has one of either
        assert_eq!((crosses, dots, elements(&document, "circle").len()), (2 * (25 + 1), 96 + 1, 96 + 1));
        assert!(figure.alt.contains(alt) && figure.alt.contains("return_refund: 8 "), "{}", figure.alt);
        let texts = texts(&document);
        for end in [": 96", ": 25", "order_tracking", "return_refund", "payment_issues"] {
            assert!(texts.iter().any(|t| t.ends_with(end)), "{end} in {texts:?}");
        }
        assert_eq!((figure.data["kind"].as_str(), figure.data["points"][5]["right"].as_bool()), (Some("mistakes_map"), Some(false)));
        for point in figure.data["pointer"]["points"].as_array().unwrap() {
            let told = point["text"].as_str().unwrap();
            assert!(told.contains(" → b: ") && !told.contains(['\0', '\u{1b}', '\u{202e}', '\n']), "{told}");
        }
    }
    // answers that lie all over the map are not named in its midst
    let strewn = |i: usize, p: Placed| if i.is_multiple_of(3) { Placed { label: "strewn".into(), ..p } } else { p };
    let strewn: Vec<Placed> = points.iter().cloned().enumerate().map(|(i, p)| strewn(i, p)).collect();
    let named = |points: &[Placed], name: &str| texts(&checked(&example_map(points, Lang::English))).iter().any(|t| t == name);
    assert!(named(&strewn, "order_tracking") && !named(&strewn, "strewn"));
    let plain: Vec<Placed> = strewn.iter().cloned().map(|p| Placed { right: None, ..p }).collect();
    assert!(named(&plain, "strewn"));
    // of a run's answers each opens its own
    let numbered: Vec<Placed> = points.iter().cloned().enumerate().map(|(i, p)| Placed { answer: Some(i), ..p }).collect();
    let opens = |points: &[Placed]| example_map(points, Lang::English).data["pointer"]["points"][7]["opens"].clone();
    assert_eq!((opens(&numbered), opens(&points)), (serde_json::json!({"index": 7}), serde_json::Value::Null));
    // nobody knows what is right of the rows of a data set
    let plain = example_map(&placed(40), Lang::English).data;
    assert!(plain["kind"] == "map" && plain["points"][5].get("right").is_none());
    // answers without labels, none wrong, none right
    let told = |change: fn(Placed) -> Placed| {
        let figure = example_map(&points.iter().cloned().map(change).collect::<Vec<_>>(), Lang::English);
        checked(&figure);
        figure.alt
    };
    assert!(!told(|p| Placed { label: String::new(), ..p }).contains('∅'));
    assert!(told(|p| Placed { right: Some(true), ..p }).contains("not wholly right: 0. "));
    assert!(told(|p| Placed { right: Some(false), ..p }).contains("not wholly right: 121. "));
}
