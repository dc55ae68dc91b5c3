//! Examples as points on a plane, near ones alike.

use super::canvas::{At, stroke, text_width, tint};
use super::colour::{BLUE, GREEN, INK, ORANGE, PURPLE, SKY, VERMILLION};
use super::{Figure, Opened, label, name, opening, point};
use crate::text::{Lang, fill};
use plotters::style::RGBColor;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;

/// Colours of the commonest labels; all others share the ink of the page.
const COLOURS: [RGBColor; 6] = [BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY];
/// Labels that are named in the picture.
const NAMED: usize = 24;
/// How far apart answers of one label may lie to be named, as a share of how far all of them do.
const GATHERED: f64 = 0.7;
/// Points that are drawn; of more, this many at even distances.
const DRAWN: usize = 4000;
/// Characters of what is told of a point.
const TOLD_CHARS: usize = 300;

/// An example on the map.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Placed {
    /// Where it lies; the units mean nothing.
    pub x: f64,
    /// Where it lies.
    pub y: f64,
    /// What it is coloured by; empty where it has none.
    pub label: String,
    /// Was it answered wholly rightly? It is coloured by this instead, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<bool>,
    /// What is told of it; its label where this is empty.
    #[serde(skip)]
    pub text: String,
    /// Which answer of a run it is, from 0: that is opened.
    #[serde(skip)]
    pub answer: Option<usize>,
}

/// The middle of points in each direction, which a few strays do not move; there is at least one.
fn middle(spots: &[(f64, f64)]) -> (f64, f64) {
    (median(spots.iter().map(|s| s.0)), median(spots.iter().map(|s| s.1)))
}

/// How far from their middle half of the points lie at most.
fn spread(spots: &[(f64, f64)]) -> f64 {
    let (x, y) = if spots.is_empty() { (0.0, 0.0) } else { middle(spots) };
    median(spots.iter().map(|s| (s.0 - x).hypot(s.1 - y)))
}

/// The value in the middle; 0 of none.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Points coloured by their labels, the commonest labels named where most of their points lie. Where it is known which were
/// answered rightly, by that: a dot is right, a cross is not.
pub fn example_map(points: &[Placed], lang: Lang) -> Figure {
    let words = lang.words();
    let placed: Vec<&Placed> = points.iter().filter(|p| p.x.is_finite() && p.y.is_finite()).collect();
    let mut groups: BTreeMap<&str, Vec<&Placed>> = BTreeMap::new();
    placed.iter().for_each(|p| groups.entry(&p.label).or_default().push(p));
    let mut groups: Vec<(&str, Vec<&Placed>)> = groups.into_iter().collect();
    groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.len()));
    let n = |count: usize| lang.integer(count as u64);
    let of = |group: &[&Placed], right: bool| group.iter().filter(|p| p.right == Some(right)).count();
    let (right, wrong) = (of(&placed, true), of(&placed, false));
    let judged = right + wrong > 0;
    let mut alt = if judged {
        fill(words.alt_mistakes_map, &[("count", &n(placed.len())), ("wrong", &n(wrong))])
    } else {
        fill(words.alt_map, &[("count", &n(placed.len())), ("labels", &n(groups.len()))])
    };
    let template = if judged { words.alt_mistakes_map_label } else { words.alt_map_label };
    // answers that have no labels are told of all together
    for (name, group) in groups.iter().filter(|(name, _)| !judged || !name.is_empty()).take(6) {
        alt.push(' ');
        alt.push_str(&fill(template, &[("label", &label(name)), ("count", &n(group.len())), ("wrong", &n(of(group, false)))]));
    }

    let (edge, side) = (20.0, 520.0);
    let range = |of: fn(&Placed) -> f64| placed.iter().map(|p| of(p)).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let ((x0, x1), (y0, y1)) = (range(|p| p.x), range(|p| p.y));
    // one scale for both directions: distances mean something, directions do not
    let span = (x1 - x0).max(y1 - y0);
    let scale = if span.is_finite() && span > 0.0 { side / span } else { 0.0 };
    let height = if scale > 0.0 { ((y1 - y0) * scale).max(120.0) } else { 120.0 };
    let at = |p: &Placed| {
        let middle = |v: f64, low: f64, high: f64, room: f64| if scale > 0.0 { room / 2.0 + (v - (low / 2.0 + high / 2.0)) * scale } else { room / 2.0 };
        (edge + middle(p.x, x0, x1, side), edge + height - middle(p.y, y0, y1, height))
    };
    let stride = placed.len().div_ceil(DRAWN).max(1);
    let colour = |name: &str| {
        let rank = groups.iter().position(|(g, _)| *g == name).unwrap_or(usize::MAX);
        COLOURS.get(rank).copied().filter(|_| !judged && !name.is_empty()).map_or((INK, 0.35), |c| (c, 0.75))
    };
    let colours: BTreeMap<&str, (RGBColor, f64)> = groups.iter().map(|(name, _)| (*name, colour(name))).collect();
    let told = |p: &Placed| if p.text.is_empty() { label(&p.label) } else { name(&p.text, TOLD_CHARS) };
    let pointed = placed.iter().step_by(stride).map(|p| {
        let place = point(at(p), told(p));
        match p.answer {
            Some(answer) => opening(place, &Opened { index: Some(answer), ..Opened::default() }),
            None => place,
        }
    });
    let pointed: Vec<_> = pointed.collect();
    let key = if judged { 24.0 } else { 0.0 };
    let data = json!({
        "kind": if judged { "mistakes_map" } else { "map" },
        "points": points,
        "pointer": {"along": "nearest", "plot": [edge, edge, edge + side, edge + height], "points": pointed},
    });
    Figure::draw((side + 2.0 * edge, height + 2.0 * edge + key), alt, data, |c| {
        let radius = if placed.len() > 800 { 2.0 } else { 3.0 };
        let (dot, cross) = (tint(BLUE, 0.75), stroke(VERMILLION, 0.9, 1.5));
        // crosses come last, so that no dot hides one
        let (crossed, dotted): (Vec<&Placed>, Vec<&Placed>) = placed.iter().copied().step_by(stride).partition(|p| p.right == Some(false));
        for p in dotted {
            let (colour, opacity) = colours.get(p.label.as_str()).copied().unwrap_or((INK, 0.35));
            c.circle(at(p), radius, if p.right.is_some() { dot } else { tint(colour, opacity) });
        }
        crossed.into_iter().for_each(|p| c.cross(at(p), radius, cross));
        let mut taken: Vec<(f64, f64, f64)> = Vec::new();
        let all = spread(&placed.iter().map(|p| at(p)).collect::<Vec<_>>());
        for (name, group) in groups.iter().filter(|(name, _)| !name.is_empty()).take(NAMED) {
            let spots: Vec<(f64, f64)> = group.iter().map(|p| at(p)).collect();
            // in the midst of answers that lie all over the map a name would say that they lie there; elsewhere it explains a colour
            if judged && groups.len() > 1 && spread(&spots) > GATHERED * all {
                continue;
            }
            let (x, y) = middle(&spots);
            let text = label(name);
            let half = text_width(&text, 11.5) / 2.0;
            let x = x.clamp(edge + half, (edge + side - half).max(edge + half));
            let mut y = y.clamp(edge + 8.0, edge + height - 8.0);
            // names do not stand on each other: one that has no room moves down, and one that finds none is left out
            let free = |y: f64, taken: &[(f64, f64, f64)]| taken.iter().all(|t| (t.0 - x).abs() > t.2 + half + 4.0 || (t.1 - y).abs() >= 15.0);
            let places = (0..12).map(|i| if i % 2 == 0 { f64::from(i) * 8.0 } else { f64::from(-i - 1) * 8.0 });
            let Some(shift) = places.into_iter().find(|s| (edge..=edge + height).contains(&(y + s)) && free(y + s, &taken)) else { continue };
            y += shift;
            taken.push((x, y, half));
            let (colour, _) = colours.get(name).copied().unwrap_or((INK, 1.0));
            c.bold(&text, (x, y), 11.5, At::Middle, INK);
            c.line((x - half, y + 8.0), (x + half, y + 8.0), stroke(colour, 0.9, 2.0));
        }
        if judged {
            let y = edge + height + 26.0;
            let text = fill(words.map_right, &[("count", &n(right))]);
            let x = edge + 16.0 + text_width(&text, 11.0) + 24.0;
            c.circle((edge + 4.0, y), 4.0, dot);
            c.text(&text, (edge + 16.0, y), 11.0, At::Left, INK);
            c.cross((x, y), 4.0, cross);
            c.text(&fill(words.map_wrong, &[("count", &n(wrong))]), (x + 12.0, y), 11.0, At::Left, INK);
        }
        if placed.is_empty() {
            c.text(words.map_empty, (edge + side / 2.0, edge + height / 2.0), 12.0, At::Middle, INK);
        }
    })
}
