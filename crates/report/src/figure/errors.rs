//! What became of entities: found, overlooked, misplaced, misnamed, invented.

use super::axis::Axis;
use super::canvas::{At, stroke, text_width};
use super::colour::{BLUE, INK, ORANGE, PURPLE, VERMILLION};
use super::{Figure, MistakeFilter, Opened, area, label, opening};
use crate::text::{Lang, fill};
use plotters::style::RGBColor;
use serde::Serialize;
use serde_json::json;
use tasks::score::entities::MistakeKind;

/// Types that a picture shows.
const SHOWN: usize = 40;
/// Height of a row in pixels.
const ROW: f64 = 24.0;

/// What became of the entities of a type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Faults {
    /// The type.
    pub name: String,
    /// Expected and found.
    pub right: usize,
    /// Expected, and nothing answered there.
    pub missed: usize,
    /// Expected, and found under another type.
    pub wrong_type: usize,
    /// Expected, and found with other ends.
    pub wrong_boundary: usize,
    /// Answered, and nothing expected there.
    pub invented: usize,
}

impl Faults {
    /// Entities that were expected.
    pub fn expected(&self) -> usize {
        self.right + self.missed + self.wrong_type + self.wrong_boundary
    }

    /// What is wrong, in all.
    pub fn wrong(&self) -> usize {
        self.missed + self.wrong_type + self.wrong_boundary + self.invented
    }
}

/// A coloured part of a bar: so many entities, from a pixel on, of a width.
struct Part {
    /// What is wrong with them; none of those that were found.
    kind: Option<MistakeKind>,
    count: usize,
    from: f64,
    width: f64,
    colour: RGBColor,
    opacity: f64,
}

/// A bar a type, that of all types first: the expected entities by what became of them, then the invented ones beyond a gap.
pub fn entity_errors(rows: &[Faults], lang: Lang) -> Figure {
    let words = lang.words();
    let n = |count: usize| lang.integer(count as u64);
    let mut alt = fill(words.alt_errors, &[("count", &n(rows.len()))]);
    let said: Vec<String> = rows
        .iter()
        .map(|r| {
            let (name, right, expected) = (label(&r.name), n(r.right), n(r.expected()));
            let (missed, kind, boundary, invented) = (n(r.missed), n(r.wrong_type), n(r.wrong_boundary), n(r.invented));
            let values = [
                ("name", name.as_str()),
                ("right", &right),
                ("expected", &expected),
                ("missed", &missed),
                ("wrong_type", &kind),
                ("wrong_boundary", &boundary),
                ("invented", &invented),
            ];
            fill(words.pointer_errors, &values)
        })
        .collect();
    for text in said.iter().take(6) {
        alt.push(' ');
        alt.push_str(text);
    }
    let shown = &rows[..rows.len().min(SHOWN)];
    let names: Vec<String> = shown.iter().map(|r| label(&r.name)).collect();
    let key: [(&str, RGBColor, f64); 5] = [
        (words.errors_right, BLUE, 0.85),
        (words.errors_boundary, ORANGE, 0.95),
        (words.errors_type, PURPLE, 0.95),
        (words.errors_missed, VERMILLION, 0.9),
        (words.errors_invented, INK, 0.35),
    ];
    let key_width: f64 = key.iter().map(|(name, _, _)| 18.0 + text_width(name, 11.0) + 16.0).sum();
    let left = names.iter().map(|n| text_width(n, 11.5)).fold(40.0, f64::max) + 10.0;
    let (top, side, gap) = (34.0, 380.0_f64.max(key_width - left), 4.0);
    let bottom = top + shown.len() as f64 * ROW;
    let most = shown.iter().map(|r| r.expected() + r.invented).max().unwrap_or(0).max(1);
    let x = Axis::new(0.0, most as f64, left, left + side, false);
    // the parts of a bar, and where it ends
    let bar = |row: &Faults| -> (Vec<Part>, f64) {
        let (mut parts, mut end, mut sum) = (Vec::new(), left, 0);
        for (count, kind, colour, opacity) in [
            (row.right, None, BLUE, 0.85),
            (row.wrong_boundary, Some(MistakeKind::WrongBoundary), ORANGE, 0.95),
            (row.wrong_type, Some(MistakeKind::WrongType), PURPLE, 0.95),
            (row.missed, Some(MistakeKind::Missed), VERMILLION, 0.95),
        ] {
            sum += count;
            let to = x.at(sum as f64);
            if count > 0 {
                // a thin line of the page between the parts
                parts.push(Part { kind, count, from: end, width: (to - end - 1.0).max(1.0), colour, opacity });
            }
            end = to;
        }
        if row.invented > 0 {
            let (kind, count, to) = (Some(MistakeKind::Invented), row.invented, x.at((sum + row.invented) as f64));
            parts.push(Part { kind, count, from: end + gap, width: (to - end).max(1.0), colour: INK, opacity: 0.35 });
            end = to + gap;
        }
        (parts, end)
    };
    let bars: Vec<(Vec<Part>, f64)> = shown.iter().map(bar).collect();
    let named = |kind: MistakeKind| match kind {
        MistakeKind::Missed => words.errors_missed,
        MistakeKind::Invented => words.errors_invented,
        MistakeKind::WrongType => words.errors_type,
        MistakeKind::WrongBoundary => words.errors_boundary,
    };
    let mut points = Vec::new();
    for (i, (row, (parts, _))) in shown.iter().zip(&bars).enumerate() {
        let at = top + i as f64 * ROW;
        // the first row is of all types
        let entity = (i > 0).then(|| row.name.clone());
        let opens = |kind: Option<MistakeKind>| Opened { mistake: Some(MistakeFilter { kind, entity: entity.clone() }), ..Opened::default() };
        let whole = area((0.0, at), (left + side, ROW), said[i].clone());
        points.push(if row.wrong() > 0 { opening(whole, &opens(None)) } else { whole });
        for part in parts {
            let Some(kind) = part.kind else { continue };
            let text = fill(words.pointer_errors_part, &[("name", names[i].as_str()), ("kind", named(kind)), ("count", &n(part.count))]);
            points.push(opening(area((part.from, at), (part.width, ROW), text), &opens(Some(kind))));
        }
    }
    let data = json!({
        "kind": "entity_errors",
        "types": rows,
        "pointer": {"along": "cells", "plot": [left, top, left + side, bottom], "points": points},
    });
    Figure::draw((left + side + 76.0, bottom + 26.0), alt, data, |c| {
        let mut at = 4.0;
        for (name, colour, opacity) in key {
            c.rectangle((at, 6.0), (12.0, 12.0), colour, opacity);
            c.text(name, (at + 18.0, 12.0), 11.0, At::Left, INK);
            at += 18.0 + text_width(name, 11.0) + 16.0;
        }
        for (value, text) in x.whole_ticks(5, lang) {
            c.line((x.at(value), top - 3.0), (x.at(value), bottom), stroke(INK, 0.13, 1.0));
            c.text(&text, (x.at(value), bottom + 13.0), 10.5, At::Middle, INK);
        }
        for (i, ((row, name), (parts, end))) in shown.iter().zip(&names).zip(&bars).enumerate() {
            let y = top + (i as f64 + 0.5) * ROW;
            c.text(name, (left - 8.0, y), 11.5, At::Right, INK);
            for part in parts {
                c.rectangle((part.from, y - 7.0), (part.width, 14.0), part.colour, part.opacity);
            }
            c.text(&fill(words.errors_share, &[("right", &n(row.right)), ("expected", &n(row.expected()))]), (end + 8.0, y), 10.5, At::Left, INK);
        }
    })
}
