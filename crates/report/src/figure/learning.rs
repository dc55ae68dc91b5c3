//! What more examples bring.

use super::axis::Axis;
use super::canvas::{At, stroke, text_width, tint};
use super::colour::{BLUE, GREEN, INK, PURPLE, SKY, VERMILLION};
use super::{Figure, label, point};
use crate::text::{Lang, fill};
use plotters::style::RGBColor;
use serde::Serialize;
use serde_json::json;
use tasks::score::Interval;

/// From this ratio of the largest to the smallest number of examples on, the axis is in decades.
const DECADES: f64 = 8.0;

/// The score after training on so many examples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Learnt {
    /// Training examples.
    pub examples: usize,
    /// Score, a share.
    pub score: f64,
    /// The 95 % interval of it, where it is known.
    pub interval: Option<Interval>,
}

/// Scores that belong together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    /// What they have in common; of a single series it is not said.
    pub name: String,
    /// The scores.
    pub points: Vec<Learnt>,
}

/// Colours of the series, in their order; one more than these is drawn like the first.
const COLOURS: [RGBColor; 5] = [BLUE, VERMILLION, GREEN, PURPLE, SKY];

/// A score by the number of training examples, a line for each of the series. `measure` names it.
pub fn learning_curve(series: &[Series], measure: &str, lang: Lang) -> Figure {
    let words = lang.words();
    let mut series: Vec<Series> = series.to_vec();
    for s in &mut series {
        s.points.retain(|p| p.score.is_finite());
        s.points.sort_by_key(|p| p.examples);
    }
    let several = series.len() > 1;
    let said = |name: &str, p: &Learnt| {
        let (examples, score) = (lang.integer(p.examples as u64), lang.percent(p.score));
        let text = match p.interval {
            Some(interval) => fill(words.pointer_learning, &[("examples", &examples), ("score", &score), ("interval", &lang.percent_range(interval))]),
            None => fill(words.pointer_learning_alone, &[("examples", &examples), ("score", &score)]),
        };
        if several { format!("{}: {text}", label(name)) } else { text }
    };
    let mut alt = fill(words.alt_learning, &[("measure", measure)]);
    for (s, p) in series.iter().flat_map(|s| s.points.iter().map(move |p| (s, p))).take(12) {
        alt.push(' ');
        alt.push_str(&said(&s.name, p));
    }
    let (left, top, width, height) = (62.0, 14.0, 420.0, 230.0);
    let bottom = top + height;
    let all = || series.iter().flat_map(|s| &s.points);
    let (least, most) = (all().map(|p| p.examples).min().unwrap_or(1).max(1) as f64, all().map(|p| p.examples).max().unwrap_or(1).max(1) as f64);
    let log = most / least >= DECADES;
    let x = if log { Axis::new(least / 1.2, most * 1.2, left, left + width, true) } else { Axis::new(0.0, most * 1.05, left, left + width, false) };
    let y = Axis::new(0.0, 1.0, bottom, top, false);
    let at = |p: &Learnt| (x.at(p.examples as f64), y.at(p.score));
    let pointed: Vec<_> = series.iter().flat_map(|s| s.points.iter().map(|p| point(at(p), said(&s.name, p)))).collect();
    let data = json!({
        "kind": "learning_curve",
        "measure": measure,
        "scale": if log { "log" } else { "linear" },
        "series": series,
        "pointer": {"along": if several { "nearest" } else { "x" }, "plot": [left, top, left + width, bottom], "points": pointed},
    });
    // names stand beside the ends of their lines
    let room = if several { series.iter().map(|s| text_width(&label(&s.name), 12.0)).fold(0.0, f64::max) + 66.0 } else { 70.0 };
    Figure::draw((left + width + room, bottom + 46.0), alt, data, |c| {
        for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
            c.line((left, y.at(share)), (left + width, y.at(share)), stroke(INK, 0.13, 1.0));
            c.text(&format!("{}\u{202f}%", lang.decimal(share * 100.0, 0)), (left - 8.0, y.at(share)), 12.0, At::Right, INK);
        }
        c.line((left, bottom), (left + width, bottom), stroke(INK, 0.55, 1.0));
        let ticks = if log { x.ticks(5, lang) } else { x.whole_ticks(5, lang) };
        for (value, text) in ticks {
            c.text(&text, (x.at(value), bottom + 14.0), 12.0, At::Middle, INK);
        }
        c.text(if log { words.learning_axis_log } else { words.learning_axis }, (left + width / 2.0, bottom + 35.0), 12.0, At::Middle, INK);
        c.upright(measure, (12.0, top + height / 2.0), 12.0, At::Middle, INK);
        let mut ends: Vec<(f64, f64, String, RGBColor)> = Vec::new();
        for (s, &colour) in series.iter().zip(COLOURS.iter().cycle()) {
            for p in &s.points {
                if let Some([low, high]) = p.interval.filter(|i| i.iter().all(|v| v.is_finite())) {
                    let x = x.at(p.examples as f64);
                    c.line((x, y.at(low)), (x, y.at(high)), stroke(colour, 0.5, 2.0));
                }
            }
            c.path(&s.points.iter().map(at).collect::<Vec<_>>(), stroke(colour, 1.0, 2.0));
            for p in &s.points {
                c.circle(at(p), 4.0, tint(colour, 1.0));
            }
            if let Some(last) = s.points.last() {
                let ((x, y), score) = (at(last), lang.percent(last.score));
                ends.push((x, y, if several { format!("{score} {}", label(&s.name)) } else { score }, colour));
            }
        }
        // ends that lie on each other keep a line's distance
        ends.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut above = f64::NEG_INFINITY;
        for (x, y, text, colour) in ends {
            let y = y.max(above + 15.0);
            above = y;
            c.bold(&text, (x + 9.0, y), 12.0, At::Left, if several { colour } else { INK });
        }
    })
}
