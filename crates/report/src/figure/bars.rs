//! Labels side by side: their scores, and how many examples each has.

use super::axis::Axis;
use super::canvas::{At, stroke, text_width, tint};
use super::colour::{BLUE, GREEN, INK, VERMILLION};
use super::{Figure, area, label};
use crate::text::{Lang, fill};
use serde_json::json;
use std::collections::BTreeMap;
use tasks::score::ClassScore;

/// Labels that a picture shows; with more of them it would be longer than any page.
const SHOWN: usize = 100;
/// Height of a row in pixels.
const ROW: f64 = 19.0;

/// F1 of each label as a bar, precision and recall as marks on it; weakest first.
pub fn class_scores(per_class: &BTreeMap<String, ClassScore>, lang: Lang) -> Figure {
    let words = lang.words();
    let mut classes: Vec<_> = per_class.iter().collect();
    classes.sort_by(|a, b| a.1.f1.total_cmp(&b.1.f1).then(b.1.support.cmp(&a.1.support)));
    let total = classes.len();
    classes.truncate(SHOWN);
    let names: Vec<String> = classes.iter().map(|(l, _)| label(l)).collect();
    let mut alt = fill(words.alt_class_scores, &[("count", &lang.integer(total as u64))]);
    for ((_, s), name) in classes.iter().zip(&names).take(5) {
        alt.push(' ');
        alt.push_str(&fill(words.alt_class_score, &[("label", name), ("f1", &lang.percent(s.f1))]));
    }
    let left = names.iter().map(|n| text_width(n, 11.5)).fold(40.0, f64::max) + 10.0;
    let (top, side) = (30.0, 380.0);
    let bottom = top + classes.len() as f64 * ROW;
    let x = Axis::new(0.0, 1.0, left, left + side, false);
    let points: Vec<_> = classes
        .iter()
        .zip(&names)
        .enumerate()
        .map(|(i, ((_, s), name))| {
            let values =
                [("label", name.as_str()), ("f1", &lang.percent(s.f1)), ("precision", &lang.percent(s.precision)), ("recall", &lang.percent(s.recall))];
            area((0.0, top + i as f64 * ROW), (left + side, ROW), fill(words.pointer_class, &values))
        })
        .collect();
    let data = json!({
        "kind": "class_scores",
        "classes": classes.iter().map(|(l, s)| json!({"label": l, "f1": s.f1, "precision": s.precision, "recall": s.recall, "support": s.support})).collect::<Vec<_>>(),
        "pointer": {"along": "cells", "plot": [left, top, left + side, bottom], "points": points},
    });
    Figure::draw((left + side + 60.0, bottom + 26.0), alt, data, |c| {
        // the key: the marks and their names
        let mut at = left;
        for (i, name) in [words.f1, words.precision, words.recall].into_iter().enumerate() {
            match i {
                0 => c.rectangle((at, 7.0), (14.0, 9.0), BLUE, 0.55),
                1 => c.circle((at + 7.0, 11.5), 3.5, stroke(VERMILLION, 1.0, 1.5)),
                _ => diamond(c, (at + 7.0, 11.5)),
            }
            c.text(name, (at + 20.0, 12.0), 11.0, At::Left, INK);
            at += 20.0 + text_width(name, 11.0) + 18.0;
        }
        for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
            c.line((x.at(share), top - 3.0), (x.at(share), bottom), stroke(INK, 0.13, 1.0));
            c.text(&format!("{}\u{202f}%", lang.decimal(share * 100.0, 0)), (x.at(share), bottom + 13.0), 10.5, At::Middle, INK);
        }
        for (i, ((_, s), name)) in classes.iter().zip(&names).enumerate() {
            let y = top + (i as f64 + 0.5) * ROW;
            c.text(name, (left - 8.0, y), 11.5, At::Right, INK);
            let share = |v: f64| x.at(if v.is_finite() { v } else { 0.0 });
            c.rectangle((left, y - 5.0), (share(s.f1) - left, 10.0), BLUE, 0.55);
            c.circle((share(s.precision), y), 3.5, stroke(VERMILLION, 1.0, 1.5));
            diamond(c, (share(s.recall), y));
            c.text(&lang.percent(s.f1), (left + side + 10.0, y), 10.5, At::Left, INK);
        }
    })
}

fn diamond(c: &mut super::Canvas, (x, y): (f64, f64)) {
    c.polygon(&[(x - 3.5, y), (x, y - 3.5), (x + 3.5, y), (x, y + 3.5)], GREEN, 1.0);
}

/// Examples of each label in the set that was scored, commonest first.
pub fn class_balance(per_class: &BTreeMap<String, ClassScore>, lang: Lang) -> Figure {
    label_counts(&per_class.iter().map(|(label, scores)| (label.clone(), scores.support)).collect(), lang)
}

/// How often each label occurs, commonest first.
pub fn label_counts(counts: &BTreeMap<String, usize>, lang: Lang) -> Figure {
    let words = lang.words();
    let mut classes: Vec<(&str, usize)> = counts.iter().map(|(label, &count)| (label.as_str(), count)).collect();
    classes.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let total = classes.len();
    let (most, least) = (classes.first().map_or(0, |c| c.1), classes.last().map_or(0, |c| c.1));
    let alt = fill(words.alt_balance, &[("count", &lang.integer(total as u64)), ("most", &lang.integer(most as u64)), ("least", &lang.integer(least as u64))]);
    classes.truncate(SHOWN);
    let names: Vec<String> = classes.iter().map(|(l, _)| label(l)).collect();
    let left = names.iter().map(|n| text_width(n, 11.5)).fold(40.0, f64::max) + 10.0;
    let (top, side) = (6.0, 320.0);
    let x = Axis::new(0.0, most.max(1) as f64, left, left + side, false);
    let points: Vec<_> = classes
        .iter()
        .zip(&names)
        .enumerate()
        .map(|(i, ((_, n), name))| area((0.0, top + i as f64 * ROW), (left + side, ROW), format!("{name}: {}", lang.integer(*n as u64))))
        .collect();
    let bottom = top + classes.len() as f64 * ROW;
    let data = json!({
        "kind": "class_balance",
        "classes": classes.iter().map(|(l, n)| json!({"label": l, "examples": n})).collect::<Vec<_>>(),
        "pointer": {"along": "cells", "plot": [left, top, left + side, bottom], "points": points},
    });
    Figure::draw((left + side + 60.0, bottom + 6.0), alt, data, |c| {
        c.line((left, top), (left, bottom), stroke(INK, 0.55, 1.0));
        for (i, ((_, n), name)) in classes.iter().zip(&names).enumerate() {
            let y = top + (i as f64 + 0.5) * ROW;
            c.text(name, (left - 8.0, y), 11.5, At::Right, INK);
            c.rectangle((left, y - 6.0), (x.at(*n as f64) - left, 12.0), BLUE, 0.8);
            c.text(&lang.integer(*n as u64), (x.at(*n as f64) + 7.0, y), 10.5, At::Left, INK);
        }
        // a row without a bar still says so
        if classes.is_empty() {
            c.circle((left, top), 1.0, tint(INK, 0.2));
        }
    })
}
