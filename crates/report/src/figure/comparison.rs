//! Systems side by side.

use super::axis::Axis;
use super::canvas::{At, Canvas, stroke, text_width, tint};
use super::colour::{BLUE, INK};
use super::{Figure, area, name};
use crate::text::{Lang, fill};
use serde::Serialize;
use serde_json::json;
use tasks::score::Interval;

/// Characters of a system's name that the picture shows.
const SYSTEM_CHARS: usize = 36;

/// One system in a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// Its score, a share.
    pub score: f64,
    /// The 95 % interval of it.
    pub interval: Interval,
    /// Is it the one that the report is about?
    pub main: bool,
}

/// Scores side by side, each a dot with its interval. `measure` names what they are.
pub fn comparison(rows: &[Compared], measure: &str, lang: Lang) -> Figure {
    let words = lang.words();
    let mut alt = fill(words.alt_comparison, &[("measure", measure)]);
    for row in rows {
        let (name, score, interval) = (name(&row.name, SYSTEM_CHARS), lang.percent(row.score), lang.percent_range(row.interval));
        alt.push(' ');
        alt.push_str(&fill(words.alt_comparison_row, &[("name", &name), ("score", &score), ("interval", &interval)]));
    }
    let names: Vec<String> = rows.iter().map(|r| name(&r.name, SYSTEM_CHARS)).collect();
    let left = names.iter().map(|n| text_width(n, 13.0)).fold(40.0, f64::max) + 14.0;
    let (top, step, side) = (8.0, 34.0, 320.0);
    let bottom = top + rows.len() as f64 * step;
    let x = Axis::new(0.0, 1.0, left, left + side, false);
    let points: Vec<_> = rows
        .iter()
        .zip(&names)
        .enumerate()
        .map(|(i, (row, name))| {
            let values = [("name", name.as_str()), ("score", &lang.percent(row.score)), ("interval", &lang.percent_range(row.interval))];
            area((0.0, top + i as f64 * step), (left + side, step), fill(words.alt_comparison_row, &values))
        })
        .collect();
    let pointer = json!({"along": "cells", "plot": [left, top, left + side, bottom], "points": points});
    let data = json!({"kind": "comparison", "measure": measure, "rows": rows, "pointer": pointer});
    Figure::draw((left + side + 64.0, bottom + 28.0), alt, data, |c| {
        for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
            c.line((x.at(share), top), (x.at(share), bottom), stroke(INK, 0.13, 1.0));
            c.text(&format!("{}\u{202f}%", lang.decimal(share * 100.0, 0)), (x.at(share), bottom + 14.0), 11.0, At::Middle, INK);
        }
        for (i, (row, name)) in rows.iter().zip(&names).enumerate() {
            let y = top + (i as f64 + 0.5) * step;
            let colour = if row.main { BLUE } else { INK };
            let opacity = if row.main { 1.0 } else { 0.6 };
            if row.main {
                c.bold(name, (left - 14.0, y), 13.0, At::Right, INK);
            } else {
                c.text(name, (left - 14.0, y), 13.0, At::Right, INK);
            }
            if !row.score.is_finite() {
                continue;
            }
            let [low, high] = row.interval;
            if low.is_finite() && high.is_finite() {
                c.line((x.at(low), y), (x.at(high), y), stroke(colour, opacity, 2.0));
            }
            c.circle((x.at(row.score), y), 5.0, tint(colour, if row.main { 1.0 } else { 0.75 }));
            let end = x.at(row.score.max(if high.is_finite() { high } else { row.score }));
            let text = lang.percent(row.score);
            let write = if row.main { Canvas::bold } else { Canvas::text };
            write(c, &text, (end + 10.0, y), 12.0, At::Left, INK);
        }
    })
}
