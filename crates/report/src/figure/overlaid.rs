//! The losses of several runs over each other.

use super::axis::Axis;
use super::canvas::{At, stroke, text_width, tint};
use super::colour::{BLUE, GREEN, INK, ORANGE, VERMILLION};
use super::loss::{Validation, loss_axes, loss_range, losses, segments, smooth, spread, thin};
use super::{Figure, label, point};
use crate::text::{Lang, fill};
use plotters::style::RGBColor;
use serde_json::json;
use train::Event;

/// Runs whose losses are drawn over each other, at most.
pub const OVERLAID: usize = 4;
/// A colour for each run.
const COLOURS: [RGBColor; OVERLAID] = [BLUE, VERMILLION, GREEN, ORANGE];

/// One run: its name, its training loss as a trend, its validations.
struct Curve {
    name: String,
    training: Vec<(usize, f64)>,
    validation: Vec<Validation>,
}

/// Losses of up to four runs by step, a colour each: the line is the training's moving mean, the dots are
/// validations. A step whose loss is no number leaves a gap.
pub fn loss_curves(runs: &[(&str, &[Event])], lang: Lang) -> Figure {
    let words = lang.words();
    let curve = |(name, events): &(&str, &[Event])| {
        let (raw, validation) = losses(events);
        let parts = segments(&raw);
        let longest = parts.iter().map(|s| s.len()).max().unwrap_or(0);
        let half = if longest < 8 { 0 } else { (longest / 60).clamp(2, 250) };
        let mut training: Vec<(usize, f64)> = Vec::new();
        for part in parts {
            if let Some(&(last, _)) = training.last() {
                // keeps the gap
                training.push((last + 1, f64::NAN));
            }
            training.extend(smooth(part, half));
        }
        Curve { name: label(name), training, validation }
    };
    let curves: Vec<Curve> = runs.iter().take(OVERLAID).map(curve).collect();
    let values: Vec<f64> = curves.iter().flat_map(|c| c.training.iter().map(|p| p.1).chain(c.validation.iter().map(|v| v.1))).collect();
    let alt = curves
        .iter()
        .map(|c| {
            let finite = || c.training.iter().filter(|p| p.1.is_finite());
            let said = match (finite().next(), finite().next_back()) {
                (Some(first), Some(last)) => {
                    let (a, b) = (lang.significant(first.1), lang.significant(last.1));
                    fill(words.alt_loss, &[("first", &a), ("last", &b), ("step", &lang.integer(last.0 as u64))])
                }
                _ => words.alt_loss_none.into(),
            };
            format!("{}: {said}", c.name)
        })
        .collect::<Vec<_>>()
        .join(" ");
    let shown = |c: &Curve| {
        let validation: Vec<_> = c.validation.iter().map(|v| json!([v.0, v.1])).collect();
        let training: Vec<_> = c.training.iter().filter(|p| p.1.is_finite()).map(|p| json!([p.0, p.1])).collect();
        json!({"name": c.name, "training": training, "validation": validation})
    };
    let mut data = json!({"kind": "curves", "curves": curves.iter().map(shown).collect::<Vec<_>>()});
    let steps = || curves.iter().flat_map(|c| c.training.iter().map(|p| p.0).chain(c.validation.iter().map(|v| v.0)));
    let Some(end) = steps().max().filter(|_| values.iter().any(|v| v.is_finite())) else {
        return Figure::draw((760.0, 120.0), alt, data, |c| c.text(words.no_steps, (380.0, 60.0), 14.0, At::Middle, INK));
    };

    let (low, high, log) = loss_range(&values, &values);
    let (left, top, bottom, right) = (62.0, 16.0, 300.0, 600.0);
    let x = Axis::new(0.0, (end as f64).max(1.0), left, right, false);
    let y = Axis::new(low, high, bottom, top, log);
    let at = |(step, loss): (usize, f64)| (x.at(step as f64), y.at(loss));
    let name_width = curves.iter().map(|c| text_width(&c.name, 12.0)).fold(0.0, f64::max);
    let size = ((right + 34.0 + name_width).max(680.0), bottom + 46.0);
    let pointed = curves.iter().flat_map(|c| {
        let text = move |s: usize, l: f64| fill(words.pointer_loss, &[("name", &c.name), ("step", &lang.integer(s as u64)), ("loss", &lang.significant(l))]);
        segments(&c.training).into_iter().flat_map(|s| thin(s, 300)).map(|p| point(at(p), text(p.0, p.1))).collect::<Vec<_>>()
    });
    data["pointer"] = json!({"along": "nearest", "plot": [left, top, right, bottom], "points": pointed.collect::<Vec<_>>()});

    Figure::draw(size, alt, data, |c| {
        loss_axes(c, &x, &y, [left, top, right, bottom], log, lang);
        let ends: Vec<Option<f64>> = curves.iter().map(|c| c.training.iter().rev().find(|p| p.1.is_finite()).map(|p| y.at(p.1))).collect();
        let mut heights: Vec<f64> = ends.iter().map(|end| end.unwrap_or(bottom)).collect();
        spread(&mut heights, 17.0, top, bottom - 6.0);
        for ((curve, colour), height) in curves.iter().zip(COLOURS).zip(&heights) {
            for segment in segments(&curve.training) {
                let points: Vec<(f64, f64)> = thin(segment, 300).into_iter().map(at).collect();
                c.path(&points, stroke(colour, 1.0, 2.0));
                if points.len() == 1 {
                    c.circle(points[0], 2.5, tint(colour, 1.0));
                }
            }
            for v in curve.validation.iter().filter(|v| v.1.is_finite()) {
                c.circle(at((v.0, v.1)), 3.25, tint(colour, 1.0));
            }
            c.line((right + 8.0, *height), (right + 22.0, *height), stroke(colour, 1.0, 2.25));
            c.text(&curve.name, (right + 27.0, *height), 12.0, At::Left, INK);
        }
    })
    .with_axes(&x, top, bottom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: usize, loss: f64) -> Event {
        Event::Step {
            step,
            epoch: 0.0,
            loss,
            learning_rate: 1e-3,
            grad_norm: 1.0,
            tokens: 1,
            targets: 1,
            tokens_per_second: 1.0,
            memory_bytes: 1,
            device_memory_bytes: None,
            first_step_seconds: None,
        }
    }

    #[test]
    fn each_run_has_its_curve_and_its_name() {
        let first: Vec<Event> = (1..=20).map(|s| step(s, 2.0 / s as f64)).collect();
        let second: Vec<Event> = (1..=10).map(|s| step(s, if s == 5 { f64::NAN } else { 1.0 })).collect();
        let figure = loss_curves(&[("uno", &first), ("due", &second)], Lang::Italian);
        assert!(figure.svg.contains("uno") && figure.svg.contains("due") && figure.alt.contains("uno: "));
        let curves = figure.data["curves"].as_array().expect("curves");
        assert_eq!((curves[0]["training"].as_array().map(Vec::len), curves[1]["training"].as_array().map(Vec::len)), (Some(20), Some(9)));
        assert!(figure.plot.is_some());
        assert!(loss_curves(&[("uno", &[])], Lang::English).svg.contains("<svg"));
    }
}
