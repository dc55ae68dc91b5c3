//! Examples as points on a plane, near ones alike.

use super::canvas::{At, Canvas, stroke, text_width, tint};
use super::colour::{BLUE, GREEN, INK, ORANGE, VERMILLION};
use super::{Figure, Opened, label, name, opening, point};
use crate::text::{Lang, fill};
use plotters::style::RGBColor;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;

/// Colours of the commonest labels, each in every one of the [`SHAPES`]: no more than colour-blind readers can tell apart on
/// light and on dark pages.
const COLOURS: [RGBColor; 4] = [BLUE, VERMILLION, GREEN, ORANGE];
/// Shapes of their points.
const SHAPES: [Shape; 3] = [Shape::Dot, Shape::Triangle, Shape::Square];
/// Labels that are named in the picture.
const NAMED: usize = 24;
/// How far apart answers of one label may lie to be named, as a share of how far all of them do.
const GATHERED: f64 = 0.7;
/// Points that are drawn; of more, this many at even distances.
const DRAWN: usize = 4000;
/// Characters of what is told of a point.
const TOLD_CHARS: usize = 300;

/// Shape of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Dot,
    Triangle,
    Square,
}

/// How the points of a label look.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Look {
    colour: RGBColor,
    opacity: f64,
    shape: Shape,
}

/// What all labels share that are too many to have a look of their own.
const OTHERS: Look = Look { colour: INK, opacity: 0.35, shape: Shape::Dot };

impl Look {
    /// That of a label by how common it is, the commonest first.
    fn of(rank: usize) -> Self {
        let colour = COLOURS[rank % COLOURS.len()];
        SHAPES.get(rank / COLOURS.len()).map_or(OTHERS, |shape| Self { colour, opacity: 0.75, shape: *shape })
    }

    /// A point, as large as a dot of this radius.
    fn draw(self, c: &mut Canvas, (x, y): (f64, f64), radius: f64) {
        match self.shape {
            Shape::Dot => c.circle((x, y), radius, tint(self.colour, self.opacity)),
            Shape::Triangle => {
                let (up, aside) = (radius * 1.56, radius * 1.35);
                c.polygon(&[(x, y - up), (x + aside, y + up / 2.0), (x - aside, y + up / 2.0)], self.colour, self.opacity);
            }
            Shape::Square => {
                let half = radius * 0.95;
                c.rectangle((x - half, y - half), (2.0 * half, 2.0 * half), self.colour, self.opacity);
            }
        }
    }
}

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

/// Points whose colours and shapes tell their labels, the commonest labels named where most of their points lie. Where it is known
/// which were answered rightly, they tell that: a dot is right, a cross is not.
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
    let ranked = groups.iter().filter(|(name, _)| !judged && !name.is_empty()).enumerate();
    let looks: BTreeMap<&str, Look> = ranked.map(|(rank, (name, _))| (*name, Look::of(rank))).collect();
    let look = |name: &str| looks.get(name).copied().unwrap_or(OTHERS);
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
            if p.right.is_some() {
                c.circle(at(p), radius, dot);
            } else {
                look(&p.label).draw(c, at(p), radius);
            }
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
            let look = look(name);
            // a line under the name shows its colour, and a point before it a shape that is no dot
            let sign = if look.shape == Shape::Dot { 0.0 } else { 11.0 };
            let half = (text_width(&text, 11.5) + sign) / 2.0;
            let x = x.clamp(edge + half, (edge + side - half).max(edge + half));
            let mut y = y.clamp(edge + 8.0, edge + height - 8.0);
            // names do not stand on each other: one that has no room moves down, and one that finds none is left out
            let free = |y: f64, taken: &[(f64, f64, f64)]| taken.iter().all(|t| (t.0 - x).abs() > t.2 + half + 4.0 || (t.1 - y).abs() >= 15.0);
            let places = (0..12).map(|i| if i % 2 == 0 { f64::from(i) * 8.0 } else { f64::from(-i - 1) * 8.0 });
            let Some(shift) = places.into_iter().find(|s| (edge..=edge + height).contains(&(y + s)) && free(y + s, &taken)) else { continue };
            y += shift;
            taken.push((x, y, half));
            c.bold(&text, (x + sign / 2.0, y), 11.5, At::Middle, INK);
            c.line((x - half, y + 8.0), (x + half, y + 8.0), stroke(look.colour, 0.9, 2.0));
            if sign > 0.0 {
                Look { opacity: 0.9, ..look }.draw(c, (x - half + 4.0, y), 3.5);
            }
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

#[cfg(test)]
mod tests {
    use super::super::LIGHTER;
    use super::*;

    /// How readers see colours: all of them, or without one of the three kinds of cones (Machado, Oliveira and Fernandes 2009).
    const EYES: [[[f64; 3]; 3]; 4] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]],
        [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]],
        [[1.255_528, -0.076_749, -0.178_779], [-0.078_411, 0.930_809, 0.147_602], [0.004_733, 0.691_367, 0.303_900]],
    ];

    fn times(m: &[[f64; 3]; 3], c: [f64; 3]) -> [f64; 3] {
        m.map(|row| row.iter().zip(c).map(|(a, b)| a * b).sum::<f64>().clamp(0.0, 1.0))
    }

    /// A colour of 0 to 255 a channel as it is seen, in CIELAB, where distances are about those that people see.
    fn seen(colour: [f64; 3], eyes: &[[f64; 3]; 3]) -> [f64; 3] {
        let linear = colour.map(|c| c / 255.0).map(|c| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
        let d65 = [[0.433_953, 0.376_219, 0.189_828], [0.212_673, 0.715_152, 0.072_175], [0.017_756, 0.109_468, 0.872_776]];
        let [x, y, z] = times(&d65, times(eyes, linear)).map(|t| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 });
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    #[test]
    fn looks_of_one_shape_have_colours_that_every_reader_tells_apart_on_light_and_dark_pages() {
        let all: Vec<Look> = (0..12).map(Look::of).chain([Look::of(12)]).collect();
        assert!(all[12] == OTHERS && !all[..12].contains(&OTHERS));
        let dark = |c: RGBColor| LIGHTER.iter().find(|(from, _)| *from == c).map_or(c, |(_, to)| *to);
        // the pages and inks of html.rs
        for (page, ink, lit) in [([255.0; 3], RGBColor(31, 36, 41), false), ([22.0, 25.0, 29.0], RGBColor(228, 231, 235), true)] {
            let shown = |look: &Look| {
                let RGBColor(r, g, b) = if look.colour == INK {
                    ink
                } else if lit {
                    dark(look.colour)
                } else {
                    look.colour
                };
                let over = [r, g, b].map(f64::from);
                [0, 1, 2].map(|i| page[i] * (1.0 - look.opacity) + over[i] * look.opacity)
            };
            for eyes in &EYES {
                for (i, a) in all.iter().enumerate() {
                    for b in all[..i].iter().filter(|b| b.shape == a.shape) {
                        let apart = seen(shown(a), eyes).iter().zip(seen(shown(b), eyes)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
                        assert!(apart >= 7.0, "{a:?} and {b:?}: {apart:.1}");
                    }
                }
            }
        }
    }
}
