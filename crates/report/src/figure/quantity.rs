//! What a training used and did by step: learning rate, gradient norm, memory, tokens per second. Small
//! pictures for one row; only the shape and the last value matter.

use super::axis::Axis;
use super::canvas::{At, stroke, tint};
use super::colour::{BLUE, INK};
use super::loss::{segments, thin};
use super::{Figure, point};
use crate::text::{Lang, fill};
use serde_json::json;
use train::Event;

/// A quantity of a training step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Learning rate.
    LearningRate,
    /// L2 norm of all gradients together, before clipping.
    GradNorm,
    /// Memory held of the graphics device, or where the processor computes the process's resident memory, in bytes.
    Memory,
    /// Tokens per second.
    Speed,
}

impl Quantity {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 4] = [Self::LearningRate, Self::GradNorm, Self::Memory, Self::Speed];

    /// Name of its file.
    pub fn name(self) -> &'static str {
        match self {
            Self::LearningRate => "learning_rate",
            Self::GradNorm => "gradient_norm",
            Self::Memory => "memory",
            Self::Speed => "speed",
        }
    }

    fn title(self, lang: Lang) -> &'static str {
        let words = lang.words();
        match self {
            Self::LearningRate => words.learning_rate,
            Self::GradNorm => words.gradient_norm,
            Self::Memory => words.memory,
            Self::Speed => words.speed_axis,
        }
    }

    fn text(self, value: f64, lang: Lang) -> String {
        match self {
            Self::Memory if value.is_finite() => lang.bytes(value.max(0.0) as u64),
            Self::Speed if value.is_finite() && value >= 100.0 => lang.integer(value.round() as u64),
            _ => lang.significant(value),
        }
    }
}

/// One value by step, without what a resumed run did twice.
fn values(events: &[Event], quantity: Quantity) -> Vec<(usize, f64)> {
    let mut out: Vec<(usize, f64)> = Vec::new();
    for event in events {
        let Event::Step { step, learning_rate, grad_norm, tokens_per_second, memory_bytes, device_memory_bytes, .. } = event else { continue };
        while out.last().is_some_and(|&(s, _)| s >= *step) {
            out.pop();
        }
        let value = match quantity {
            Quantity::LearningRate => *learning_rate,
            Quantity::GradNorm => *grad_norm,
            Quantity::Memory => device_memory_bytes.unwrap_or(*memory_bytes) as f64,
            Quantity::Speed => *tokens_per_second,
        };
        out.push((*step, value));
    }
    out
}

/// One quantity by optimiser step; a gap is a value that is no number.
pub fn quantity(events: &[Event], quantity: Quantity, lang: Lang) -> Figure {
    let words = lang.words();
    let values = values(events, quantity);
    let title = quantity.title(lang);
    let finite = || values.iter().map(|v| v.1).filter(|v| v.is_finite());
    let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let size = (360.0, 190.0);
    // memory in a unit that people read
    let (unit, scale) = if quantity == Quantity::Memory { ("GB", 1e-9) } else { ("", 1.0) };
    let points: Vec<_> = values.iter().map(|(s, v)| json!([s, v * scale])).collect();
    let mut data = json!({"kind": "series", "name": title, "unit": unit, "points": points});
    let (Some(&(last_step, last)), true) = (values.iter().rev().find(|v| v.1.is_finite()), low <= high) else {
        let alt = format!("{title}: {}", words.no_steps);
        return Figure::draw(size, alt, data, |c| c.text(words.no_steps, (size.0 / 2.0, size.1 / 2.0), 12.0, At::Middle, INK));
    };
    let alt = fill(
        words.alt_quantity,
        &[
            ("name", title),
            ("low", &quantity.text(low, lang)),
            ("high", &quantity.text(high, lang)),
            ("last", &quantity.text(last, lang)),
            ("step", &lang.integer(last_step as u64)),
        ],
    );
    let (left, top, right, bottom) = (60.0, 34.0, size.0 - 14.0, size.1 - 26.0);
    let end = values.last().map_or(1.0, |v| v.0 as f64).max(1.0);
    let x = Axis::new(0.0, end, left, right, false);
    // a gradient that exploded would leave the rest a flat line
    let log = quantity == Quantity::GradNorm && low > 0.0 && high / low > 30.0;
    let y = match () {
        () if log => Axis::new(low / 1.2, high * 1.2, bottom, top, true),
        () if high > 0.0 => Axis::new(0.0_f64.min(low), high * 1.06, bottom, top, false),
        () => Axis::new(low - 1.0, low + 1.0, bottom, top, false),
    };
    let thinned: Vec<Vec<(usize, f64)>> = segments(&values).into_iter().map(|s| thin(s, 300)).collect();
    let at = |(s, v): (usize, f64)| (x.at(s as f64), y.at(v));
    let points: Vec<_> = thinned
        .iter()
        .flatten()
        .map(|&p| {
            let (step, value) = (lang.integer(p.0 as u64), quantity.text(p.1, lang));
            point(at(p), fill(words.pointer_step, &[("step", &step), ("value", &value)]))
        })
        .collect();
    data["pointer"] = json!({"along": "x", "plot": [left, top, right, bottom], "points": points});
    Figure::draw(size, alt, data, |c| {
        c.bold(title, (4.0, 12.0), 12.0, At::Left, INK);
        for (value, text) in y.ticks(3, lang) {
            let text = if quantity == Quantity::Memory { lang.bytes(value.max(0.0) as u64) } else { text };
            c.line((left, y.at(value)), (right, y.at(value)), stroke(INK, 0.13, 1.0));
            c.text(&text, (left - 6.0, y.at(value)), 10.5, At::Right, INK);
        }
        c.line((left, bottom), (right, bottom), stroke(INK, 0.55, 1.0));
        for (value, text) in x.whole_ticks(4, lang) {
            c.text(&text, (x.at(value), bottom + 13.0), 10.5, At::Middle, INK);
        }
        for segment in &thinned {
            let points: Vec<(f64, f64)> = segment.iter().map(|&p| at(p)).collect();
            c.path(&points, stroke(BLUE, 1.0, 1.5));
            if points.len() == 1 {
                c.circle(points[0], 2.5, tint(BLUE, 1.0));
            }
        }
        // the last value stands in the title's line, where no curve can cross it
        c.text(&quantity.text(last, lang), (right, 12.0), 12.0, At::Right, INK);
    })
    .with_axes(&x, top, bottom)
}
