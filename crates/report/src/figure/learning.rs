//! What more examples bring.

use super::axis::Axis;
use super::canvas::{At, stroke, tint};
use super::colour::{BLUE, INK};
use super::{Figure, point};
use crate::text::{Lang, fill};
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
    /// The 95 % interval of it.
    pub interval: Interval,
}

/// A score by the number of training examples. `measure` names it.
pub fn learning_curve(points: &[Learnt], measure: &str, lang: Lang) -> Figure {
    let words = lang.words();
    let mut points: Vec<Learnt> = points.iter().copied().filter(|p| p.score.is_finite()).collect();
    points.sort_by_key(|p| p.examples);
    let said = |p: &Learnt| {
        let (examples, score, interval) = (lang.integer(p.examples as u64), lang.percent(p.score), lang.percent_range(p.interval));
        fill(words.pointer_learning, &[("examples", &examples), ("score", &score), ("interval", &interval)])
    };
    let mut alt = fill(words.alt_learning, &[("measure", measure)]);
    for p in points.iter().take(12) {
        alt.push(' ');
        alt.push_str(&said(p));
    }
    let (left, top, width, height) = (62.0, 14.0, 420.0, 230.0);
    let bottom = top + height;
    let (least, most) = (points.first().map_or(1, |p| p.examples).max(1) as f64, points.last().map_or(1, |p| p.examples).max(1) as f64);
    let log = most / least >= DECADES;
    let x = if log { Axis::new(least / 1.2, most * 1.2, left, left + width, true) } else { Axis::new(0.0, most * 1.05, left, left + width, false) };
    let y = Axis::new(0.0, 1.0, bottom, top, false);
    let at = |p: &Learnt| (x.at(p.examples as f64), y.at(p.score));
    let pointed: Vec<_> = points.iter().map(|p| point(at(p), said(p))).collect();
    let data = json!({
        "kind": "learning_curve",
        "measure": measure,
        "scale": if log { "log" } else { "linear" },
        "points": points,
        "pointer": {"along": "x", "plot": [left, top, left + width, bottom], "points": pointed},
    });
    Figure::draw((left + width + 70.0, bottom + 46.0), alt, data, |c| {
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
        for p in &points {
            let [low, high] = p.interval;
            if low.is_finite() && high.is_finite() {
                let x = x.at(p.examples as f64);
                c.line((x, y.at(low)), (x, y.at(high)), stroke(BLUE, 0.5, 2.0));
            }
        }
        c.path(&points.iter().map(at).collect::<Vec<_>>(), stroke(BLUE, 1.0, 2.0));
        for p in &points {
            c.circle(at(p), 4.0, tint(BLUE, 1.0));
        }
        if let Some(last) = points.last() {
            let (x, y) = at(last);
            c.bold(&lang.percent(last.score), (x + 9.0, y), 12.0, At::Left, INK);
        }
    })
}
