//! Each figure as it looked when a person last looked at it: the SVG in `golden/`, text for text.
//!
//! `REPORT_WRITE_GOLDEN=1` writes them anew; look at them before they are checked in.

use crate::common::{answers, events, labels};
use crate::figures::{judged, placed};
use report::figure::{
    Bin, Cells, Compared, Covered, Faults, Figure, Learnt, Quantity, Series, Variant, class_balance, class_scores, comparison, confusion_matrix, coverage,
    entity_errors, example_map, learning_curve, length_histogram, loss_curve, loss_curves, quantity, reliability,
};
use report::text::Lang;
use std::path::Path;
use tasks::score::calibration::CoveragePoint;
use tasks::score::classification;

fn all(lang: Lang) -> Vec<(&'static str, Figure)> {
    let metrics = classification(&labels(5), &answers(5, 120, 0.85, true));
    let many = classification(&labels(24), &answers(24, 480, 0.85, false));
    let faults = |name: &str, [right, missed, wrong_type, wrong_boundary, invented]: [usize; 5]| Faults {
        name: name.into(),
        right,
        missed,
        wrong_type,
        wrong_boundary,
        invented,
    };
    let curve: Vec<Covered> =
        (1..=60).map(|i| Covered { probability: 1.0 - i as f64 / 80.0, answered: i, of: 60, right: i - (i / 5).saturating_sub(2) }).collect();
    let bins: Vec<Bin> = (0..20).map(|i| Bin { from: 8 * i, to: 8 * i + 7, count: (90 * (20 - i) * i) / (100 + i * i) }).collect();
    let learnt =
        [(40, 0.41), (80, 0.58), (160, 0.71), (480, 0.8)].map(|(examples, score)| Learnt { examples, score, interval: Some([score - 0.07, score + 0.06]) });
    let series = |name: &str, points: &[Learnt]| Series { name: name.into(), points: points.to_vec() };
    let flat: Vec<Learnt> = learnt.iter().map(|l| Learnt { score: 0.3 + l.score / 2.0, interval: None, ..*l }).collect();
    let compared = [("this model", 0.86, true), ("before tuning", 0.22, false), ("TF-IDF", 0.71, false)].map(|(name, score, main)| Compared {
        name: name.into(),
        score,
        interval: [score - 0.05, score + 0.04],
        main,
    });
    vec![
        ("loss", loss_curve(&events(60), lang)),
        ("losses", loss_curves(&[("head", &events(60)), ("completion", &events(40))], lang)),
        ("learning_rate", quantity(&events(60), Quantity::LearningRate, lang)),
        ("speed", quantity(&events(60), Quantity::Speed, lang)),
        ("gradient_norm", quantity(&events(60), Quantity::GradNorm, lang)),
        ("memory", quantity(&events(60), Quantity::Memory, lang)),
        ("confusion", confusion_matrix(&metrics.confusion, Cells::Counts, lang)),
        ("confusion_24", confusion_matrix(&many.confusion, Cells::Counts, lang)),
        ("confusion_shares", confusion_matrix(&metrics.confusion, Cells::Shares, lang)),
        ("classes", class_scores(&metrics.per_class, lang)),
        ("balance", class_balance(&metrics.per_class, lang)),
        ("reliability", reliability(&metrics.reliability, false, lang)),
        ("coverage", coverage(&curve, false, None, lang)),
        ("coverage_threshold", coverage(&curve, true, Some(CoveragePoint { threshold: 0.6, coverage: 0.52, accuracy: 0.87 }), lang)),
        ("comparison", comparison(&compared, "F1", lang)),
        ("errors", entity_errors(&[faults("all", [60, 7, 3, 5, 8]), faults("people", [30, 2, 3, 1, 6]), faults("dates", [30, 5, 0, 4, 2])], lang)),
        ("lengths", length_histogram(&bins, Some(128), lang)),
        ("learning", learning_curve(&[series("", &learnt)], "F1", lang)),
        ("learning_methods", learning_curve(&[series("head", &learnt), series("completion", &flat)], "F1", lang)),
        ("map", example_map(&placed(30), lang)),
        ("map_mistakes", example_map(&judged(30), lang)),
    ]
}

#[test]
fn figures_look_as_they_did_when_a_person_looked() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report/golden");
    let write = std::env::var_os("REPORT_WRITE_GOLDEN").is_some();
    let mut changed = Vec::new();
    // every figure in one language and look, and one of them in the others
    let mut pictures: Vec<(String, String)> = all(Lang::Italian).into_iter().map(|(name, f)| (format!("{name}.svg"), f.svg_for(Variant::Light))).collect();
    for (name, figure) in all(Lang::English).into_iter().filter(|(n, _)| *n == "errors") {
        for (look, variant) in [("dark", Variant::Dark), ("print", Variant::Print), ("page", Variant::Page)] {
            pictures.push((format!("{name}.{look}.svg"), figure.svg_for(variant)));
        }
    }
    for (name, svg) in pictures {
        let path = folder.join(&name);
        if write {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, svg).unwrap();
        } else if std::fs::read_to_string(&path).ok().as_deref() != Some(svg.as_str()) {
            changed.push(name);
        }
    }
    assert!(changed.is_empty(), "{} differ from tests/report/golden; look at them, then write them with REPORT_WRITE_GOLDEN=1", changed.join(", "));
}

/// A bitmap's width, height and channels.
fn pixels(bytes: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    (info.width, info.height, pixels)
}

#[test]
fn bitmaps_look_as_they_did_when_a_person_looked() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/report/golden");
    let write = std::env::var_os("REPORT_WRITE_GOLDEN").is_some();
    let mut figures = all(Lang::Italian);
    figures.retain(|(name, _)| ["confusion", "gradient_norm"].contains(name));
    for ((name, figure), variant) in figures.iter().zip([Variant::Dark, Variant::Light]) {
        let path = folder.join(format!("{name}.png"));
        let drawn = figure.png(variant).unwrap();
        if write {
            std::fs::write(&path, drawn).unwrap();
            continue;
        }
        let ((w, h, now), (width, height, then)) = (pixels(&drawn), pixels(&std::fs::read(&path).unwrap()));
        assert_eq!((w, h), (width, height), "{name}");
        // rounding may differ from machine to machine by a shade, a letter or a line may not
        let far = now.iter().zip(&then).filter(|(a, b)| a.abs_diff(**b) > 24).count();
        assert!(far <= now.len() / 10_000, "{name}: {far} of {} values differ; look, then write with REPORT_WRITE_GOLDEN=1", now.len());
    }
}
