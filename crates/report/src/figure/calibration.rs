//! How far probabilities can be trusted.

use super::axis::Axis;
use super::canvas::{At, stroke, tint};
use super::colour::{BLUE, INK, VERMILLION};
use super::{Figure, Opened, ProbabilityRange, opening, point};
use crate::text::{Lang, fill};
use serde::Serialize;
use serde_json::json;
use tasks::score::ReliabilityBin;
use tasks::score::calibration::CoveragePoint;

/// What leaves the answers of a range of probability: from `from` on, below `to`.
fn within(from: f64, to: Option<f64>, calibrated: bool) -> Opened {
    Opened { probability: Some(ProbabilityRange { from, to, calibrated: calibrated.then_some(true) }), ..Opened::default() }
}

/// How far probabilities, `calibrated` ones or those that the model gave, can be taken at their word. The area of a point is
/// its number of answers.
pub fn reliability(bins: &[ReliabilityBin], calibrated: bool, lang: Lang) -> Figure {
    let words = lang.words();
    let total: usize = bins.iter().map(|b| b.count).sum();
    let shown: Vec<&ReliabilityBin> = bins.iter().filter(|b| b.count > 0 && b.confidence.is_finite() && b.accuracy.is_finite()).collect();
    let mut alt = fill(words.alt_reliability, &[("examples", &lang.integer(total as u64))]);
    for bin in &shown {
        let (confidence, accuracy) = (lang.percent(bin.confidence), lang.percent(bin.accuracy));
        alt.push(' ');
        alt.push_str(&fill(words.alt_reliability_bin, &[("confidence", &confidence), ("accuracy", &accuracy), ("count", &lang.integer(bin.count as u64))]));
    }

    let (left, top, side) = (62.0, 14.0, 300.0);
    let bottom = top + side;
    let x = Axis::new(0.0, 1.0, left, left + side, false);
    let y = Axis::new(0.0, 1.0, bottom, top, false);
    let most = shown.iter().map(|b| b.count).max().unwrap_or(1) as f64;
    let points: Vec<_> = shown
        .iter()
        .map(|b| {
            let values = [("confidence", lang.percent(b.confidence)), ("accuracy", lang.percent(b.accuracy)), ("count", lang.integer(b.count as u64))];
            let text = fill(words.alt_reliability_bin, &values.each_ref().map(|(n, v)| (*n, v.as_str())));
            let (from, to) = b.ends();
            opening(point((x.at(b.confidence), y.at(b.accuracy)), text), &within(from, to, calibrated))
        })
        .collect();
    let pointer = json!({"along": "nearest", "plot": [left, top, left + side, bottom], "points": points});
    let data = json!({"kind": "reliability", "bins": bins, "pointer": pointer});
    Figure::draw((left + side + 60.0, bottom + 46.0), alt, data, |c| {
        for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
            let text = format!("{}\u{202f}%", lang.decimal(share * 100.0, 0));
            c.line((left, y.at(share)), (left + side, y.at(share)), stroke(INK, 0.13, 1.0));
            c.text(&text, (left - 8.0, y.at(share)), 12.0, At::Right, INK);
            c.text(&text, (x.at(share), bottom + 14.0), 12.0, At::Middle, INK);
        }
        c.line((left, bottom), (left + side, bottom), stroke(INK, 0.55, 1.0));
        c.line((left, bottom), (left + side, top), stroke(INK, 0.55, 1.0));
        c.text(words.perfect, (x.at(0.66) - 8.0, y.at(0.66) - 4.0), 12.0, At::Right, INK);
        c.text(words.confidence_axis, (left + side / 2.0, bottom + 35.0), 12.0, At::Middle, INK);
        c.upright(words.accuracy_axis, (12.0, top + side / 2.0), 12.0, At::Middle, INK);
        let points: Vec<(f64, f64)> = shown.iter().map(|b| (x.at(b.confidence), y.at(b.accuracy))).collect();
        for (bin, point) in shown.iter().zip(&points) {
            c.line((point.0, y.at(bin.confidence)), *point, stroke(VERMILLION, 0.9, 1.5));
        }
        c.path(&points, stroke(BLUE, 0.5, 1.0));
        for (bin, point) in shown.iter().zip(&points) {
            let radius = (13.0 * (bin.count as f64 / most).sqrt()).max(3.0);
            c.circle(*point, radius, tint(BLUE, 0.85));
            // not on the axis
            let height = if bin.accuracy < 0.05 { point.1 - 9.0 } else { point.1 + 1.0 };
            c.text(&lang.integer(bin.count as u64), (point.0 + radius + 4.0, height), 10.5, At::Left, INK);
        }
    })
}

/// What happens if only the surest answers are taken.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Covered {
    /// Answers at least this sure are taken.
    pub probability: f64,
    /// How many they are.
    pub answered: usize,
    /// Of how many examples.
    pub of: usize,
    /// How many of them are right.
    pub right: usize,
}

/// Accuracy of the surest answers by the share of examples that they are, with a ring where a threshold was chosen. What is
/// surest, `calibrated` probabilities say or those that the model gave.
pub fn coverage(curve: &[Covered], calibrated: bool, chosen: Option<CoveragePoint>, lang: Lang) -> Figure {
    let words = lang.words();
    let share = |p: &Covered| p.answered as f64 / p.of.max(1) as f64;
    let accuracy = |p: &Covered| p.right as f64 / p.answered.max(1) as f64;
    let mut alt = words.alt_coverage.to_string();
    if calibrated {
        alt.push(' ');
        alt.push_str(words.alt_coverage_calibrated);
    }
    let mut named = Vec::new();
    for wanted in [0.25, 0.5, 0.75, 1.0] {
        // the answers that are taken at most for this share
        if let Some(p) = curve.iter().rfind(|p| share(p) <= wanted + 1e-9) {
            let values = [("share", lang.percent(share(p))), ("accuracy", lang.percent(accuracy(p))), ("probability", lang.percent(p.probability))];
            let text = fill(words.alt_coverage_point, &values.each_ref().map(|(n, v)| (*n, v.as_str())));
            if named.last() != Some(&text) {
                alt.push(' ');
                alt.push_str(&text);
                named.push(text);
            }
        }
    }
    if let Some(p) = chosen {
        let values = [("share", lang.percent(p.coverage)), ("accuracy", lang.percent(p.accuracy)), ("threshold", lang.percent(p.threshold))];
        alt.push(' ');
        alt.push_str(&fill(words.alt_coverage_threshold, &values.each_ref().map(|(n, v)| (*n, v.as_str()))));
    }
    let (left, top, width, height) = (62.0, 14.0, 420.0, 230.0);
    let bottom = top + height;
    let x = Axis::new(0.0, 1.0, left, left + width, false);
    // the first few answers are all right or all wrong by chance: the line begins at the tenth
    let steady = || curve.iter().filter(|p| p.answered >= 10.min(p.of));
    let lowest = steady().map(accuracy).fold(1.0, f64::min);
    let floor = ((lowest - 0.05) * 10.0).floor().clamp(0.0, 9.0) / 10.0;
    let y = Axis::new(floor, 1.0, bottom, top, false);
    let line: Vec<(f64, f64)> = steady().map(|p| (x.at(share(p)), y.at(accuracy(p)))).collect();
    // a line of ten thousand answers has no more pixels than this
    let stride = line.len().div_ceil(400).max(1);
    let points: Vec<_> = steady()
        .enumerate()
        .filter(|(i, _)| i % stride == 0 || i + 1 == line.len())
        .map(|(_, p)| {
            let values = [("share", lang.percent(share(p))), ("accuracy", lang.percent(accuracy(p))), ("probability", lang.percent(p.probability))];
            let text = fill(words.alt_coverage_point, &values.each_ref().map(|(n, v)| (*n, v.as_str())));
            opening(point((x.at(share(p)), y.at(accuracy(p))), text), &within(p.probability, None, calibrated))
        })
        .collect();
    let thinned: Vec<(f64, f64)> = line.iter().enumerate().filter(|(i, _)| i % stride == 0 || i + 1 == line.len()).map(|(_, p)| *p).collect();
    let data = json!({
        "kind": "coverage",
        "calibrated": calibrated,
        "threshold": chosen,
        "curve": curve.iter().step_by(stride).collect::<Vec<_>>(),
        "pointer": {"along": "x", "plot": [left, top, left + width, bottom], "points": points},
    });
    Figure::draw((left + width + 60.0, bottom + 46.0), alt, data, |c| {
        for (value, _) in y.ticks(5, lang) {
            c.line((left, y.at(value)), (left + width, y.at(value)), stroke(INK, 0.13, 1.0));
            c.text(&format!("{}\u{202f}%", lang.decimal(value * 100.0, 0)), (left - 8.0, y.at(value)), 12.0, At::Right, INK);
        }
        for value in [0.0, 0.25, 0.5, 0.75, 1.0] {
            c.text(&format!("{}\u{202f}%", lang.decimal(value * 100.0, 0)), (x.at(value), bottom + 14.0), 12.0, At::Middle, INK);
        }
        c.line((left, bottom), (left + width, bottom), stroke(INK, 0.55, 1.0));
        let axis = if calibrated { words.coverage_axis_calibrated } else { words.coverage_axis };
        c.text(axis, (left + width / 2.0, bottom + 35.0), 12.0, At::Middle, INK);
        c.upright(words.accuracy_axis, (12.0, top + height / 2.0), 12.0, At::Middle, INK);
        c.path(&thinned, stroke(BLUE, 1.0, 2.0));
        if let Some(chosen) = chosen.filter(|p| p.coverage.is_finite() && p.accuracy >= floor) {
            c.circle((x.at(chosen.coverage), y.at(chosen.accuracy)), 6.0, stroke(VERMILLION, 1.0, 2.0));
        }
        if let (Some(&end), Some(last)) = (thinned.last(), curve.last()) {
            c.circle(end, 4.0, tint(BLUE, 1.0));
            c.bold(&lang.percent(accuracy(last)), (end.0 + 9.0, end.1), 12.0, At::Left, INK);
        }
    })
}
