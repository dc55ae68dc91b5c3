//! Loss by step, and the notices of a training above it.

use super::axis::Axis;
use super::canvas::{At, Canvas, stroke, text_width, tint};
use super::colour::{BLUE, GREEN, INK, ORANGE, VERMILLION};
use super::{Figure, point};
use crate::text::{Lang, fill};
use plotters::style::RGBColor;
use serde::Serialize;
use serde_json::json;
use train::Event;
use train::health::Symptom;

/// What a notice during the training says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MarkKind {
    /// All is well again.
    Recovered,
    /// Worth knowing.
    Warning,
    /// The training is not well.
    Unhealthy,
}

/// A warning or a change of health, at the step where it came.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Mark {
    /// Counted from 1 in order of time.
    pub number: usize,
    /// Step.
    pub step: usize,
    /// What it says.
    pub kind: MarkKind,
    /// The message, in the language of the report where the run kept it in that one, too.
    pub message: String,
    /// What the health guard calls it; nothing of warnings, of what is well again, and in runs that did not say.
    #[serde(skip)]
    pub symptom: Option<Symptom>,
}

/// Warnings and changes of health in order. A warning carries no step; it came after the one before it.
pub(crate) fn marks(events: &[Event], lang: Lang) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut now = 0;
    for event in events {
        let (step, kind, message) = match event.told(&[], lang.into()) {
            Event::Step { step, .. } | Event::Evaluation { step, .. } | Event::Resumed { step } => {
                now = step;
                continue;
            }
            Event::Warning { message, .. } => (now, MarkKind::Warning, message),
            Event::Health { step, ok, message, .. } => (step, if ok { MarkKind::Recovered } else { MarkKind::Unhealthy }, message),
            _ => continue,
        };
        let symptom = if let (MarkKind::Unhealthy, Event::Health { symptom, .. }) = (kind, event) { *symptom } else { None };
        marks.push(Mark { number: marks.len() + 1, step, kind, message, symptom });
    }
    marks
}

/// A validation: step, loss, best so far?
pub(super) type Validation = (usize, f64, bool);

/// Losses of training and validation by step, without what a resumed run did twice.
pub(super) fn losses(events: &[Event]) -> (Vec<(usize, f64)>, Vec<Validation>) {
    let (mut training, mut validation) = (Vec::new(), Vec::<Validation>::new());
    for event in events {
        match event {
            Event::Step { step, loss, .. } => {
                // a run resumed from a checkpoint does steps again; the later ones count
                while training.last().is_some_and(|&(s, _)| s >= *step) {
                    training.pop();
                }
                training.push((*step, *loss));
            }
            Event::Evaluation { step, loss, best, .. } => {
                while validation.last().is_some_and(|&(s, ..)| s >= *step) {
                    validation.pop();
                }
                validation.push((*step, *loss, *best));
            }
            _ => {}
        }
    }
    (training, validation)
}

/// Cuts a curve where it is not finite.
pub(super) fn segments(points: &[(usize, f64)]) -> Vec<&[(usize, f64)]> {
    points.split(|p| !p.1.is_finite()).filter(|s| !s.is_empty()).collect()
}

/// Moving mean over up to `2 * half + 1` steps; narrower at the start, so that a steep fall stays where it was,
/// but never a single noisy step.
pub(super) fn smooth(points: &[(usize, f64)], half: usize) -> Vec<(usize, f64)> {
    (0..points.len())
        .map(|i| {
            let left = half.min(i);
            let right = left.max(half / 2).min(points.len() - 1 - i);
            let window = &points[i - left..=i + right];
            (points[i].0, window.iter().map(|p| p.1 / window.len() as f64).sum())
        })
        .collect()
}

/// Thins a curve to at most `2 * buckets` points that keep every bucket's lowest and highest value.
pub(super) fn thin(points: &[(usize, f64)], buckets: usize) -> Vec<(usize, f64)> {
    if points.len() <= 2 * buckets {
        return points.to_vec();
    }
    let size = points.len().div_ceil(buckets);
    let mut out = Vec::with_capacity(2 * buckets);
    for bucket in points.chunks(size) {
        let low = bucket.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1));
        let high = bucket.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
        let mut pair: Vec<_> = low.into_iter().chain(high).collect();
        pair.sort_by_key(|p| p.0);
        pair.dedup();
        out.extend(pair);
    }
    out
}

/// The range of the loss axis and whether it runs in decades.
///
/// Decades when all values are positive and the curve (not a lone outlier of the raw one) spans more than
/// a factor of 10 (the last, most telling part would be a flat line otherwise), or when outliers alone
/// would flatten a linear curve. A linear axis starts at zero, loss having a natural zero, unless that
/// would waste most of it.
pub(super) fn loss_range(raw: &[f64], curve: &[f64]) -> (f64, f64, bool) {
    let fold = |v: &[f64]| v.iter().copied().filter(|x| x.is_finite()).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
    let ((raw_low, raw_high), (low, high)) = (fold(raw), fold(curve));
    if raw_low > raw_high {
        return (0.0, 1.0, false);
    }
    let (low, high) = if low > high { (raw_low, raw_high) } else { (low, high) };
    if low > 0.0 && (high / low > 10.0 || raw_high / high > 30.0) {
        // one lucky batch near zero must not stretch the axis by decades
        let floor = raw_low.max(low / 10.0).min(low);
        return (floor / 1.15, raw_high.max(high) * 1.15, true);
    }
    let (low, high) = (raw_low.min(low), raw_high.max(high));
    let span = high - low;
    if span <= high.abs() * 1e-9 {
        // a constant stands in the middle
        return if high == 0.0 { (-1.0, 1.0, false) } else { (high - high.abs() * 0.5, high + high.abs() * 0.5, false) };
    }
    let start = if low >= 0.0 && low < high * 0.6 { 0.0 } else { low - span * 0.08 };
    (start, high + (high - start) * 0.04, false)
}

/// Moves texts apart so that neighbours stand at least `gap` apart, within `low..high`.
pub(super) fn spread(wanted: &mut [f64], gap: f64, low: f64, high: f64) {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let mut floor = low;
    for &i in &order {
        wanted[i] = wanted[i].max(floor);
        floor = wanted[i] + gap;
    }
    let mut ceiling = high;
    for &i in order.iter().rev() {
        wanted[i] = wanted[i].min(ceiling);
        ceiling = wanted[i] - gap;
    }
}

/// Loss of training and validation by step.
///
/// The thin line is every step, the bold one a moving mean, the dots are validations. The best validation
/// is named; numbered marks above the plot are warnings and changes of health. Steps whose loss is not a
/// finite number leave a gap and a cross on the upper edge.
pub fn loss_curve(events: &[Event], lang: Lang) -> Figure {
    let words = lang.words();
    let (training, validation) = losses(events);
    let marks = marks(events, lang);
    let best = validation.iter().rev().find(|v| v.2 && v.1.is_finite()).copied();
    let bad: Vec<usize> =
        training.iter().filter(|p| !p.1.is_finite()).map(|p| p.0).chain(validation.iter().filter(|p| !p.1.is_finite()).map(|p| p.0)).collect();

    let longest = segments(&training).iter().map(|s| s.len()).max().unwrap_or(0);
    // a thirtieth of the run on each side of a step reads as a trend and still bends where the loss does
    let half = if longest < 8 { 0 } else { (longest / 60).clamp(2, 250) };
    let smoothed: Vec<Vec<(usize, f64)>> = if half == 0 { Vec::new() } else { segments(&training).into_iter().map(|s| smooth(s, half)).collect() };
    let raw_values: Vec<f64> = training.iter().map(|p| p.1).chain(validation.iter().map(|v| v.1)).collect();
    let curve_values: Vec<f64> = smoothed.iter().flatten().map(|p| p.1).chain(validation.iter().map(|v| v.1)).collect();
    let (low, high, log) = loss_range(&raw_values, &curve_values);

    let alt = loss_alt(&training, &validation, best, bad.len(), marks.len(), lang);
    let mut data = json!({
        "kind": "loss",
        "scale": if log { "log" } else { "linear" },
        "training": training.iter().map(|(s, l)| json!([s, l])).collect::<Vec<_>>(),
        "smoothed": smoothed.iter().flatten().map(|(s, l)| json!([s, l])).collect::<Vec<_>>(),
        "window": 2 * half + 1,
        "validation": validation.iter().map(|(step, loss, best)| json!({"step": step, "loss": loss, "best": best})).collect::<Vec<_>>(),
        "best": best.map(|(step, loss, _)| json!({"step": step, "loss": loss})),
        "not_finite": bad,
        "marks": marks,
    });

    let last_step = training.last().map(|p| p.0).into_iter().chain(validation.last().map(|v| v.0)).chain(marks.iter().map(|m| m.step)).max();
    let Some(last_step) = last_step.filter(|_| !raw_values.is_empty()) else {
        return Figure::draw((760.0, 120.0), alt, data, |c| c.text(words.no_steps, (380.0, 60.0), 14.0, At::Middle, INK));
    };

    // the curves are named where they end
    let mut names: Vec<(String, f64, RGBColor)> = Vec::new();
    let bold: Vec<&[(usize, f64)]> = if half == 0 { segments(&training) } else { smoothed.iter().map(Vec::as_slice).collect() };
    if let Some(&(_, value)) = bold.last().and_then(|s| s.last()) {
        let name = if half == 0 { words.training.to_string() } else { fill(words.training_smoothed, &[("window", &(2 * half + 1).to_string())]) };
        names.push((name, value, BLUE));
    }
    if let Some(v) = validation.iter().rev().find(|v| v.1.is_finite()) {
        names.push((words.validation.into(), v.1, GREEN));
    }

    let (left, top, bottom) = (62.0, 52.0, 340.0);
    let right = 600.0;
    let name_width = names.iter().map(|n| text_width(&n.0, 12.0)).fold(0.0, f64::max);
    let (width, height) = ((right + 34.0 + name_width).max(680.0), bottom + 46.0);
    let first_step = training.first().map(|p| p.0).into_iter().chain(validation.first().map(|v| v.0)).min().unwrap_or(0);
    // only the tail of a run is at hand when its first events were lost
    let start = if first_step <= last_step / 3 || first_step <= 1 { 0.0 } else { first_step as f64 };
    let end = (last_step as f64).max(start + 1.0);
    let x = Axis::new(start, end, left, right, false);
    let y = Axis::new(low, high, bottom, top, log);

    let under = |name: &str, points: &[(usize, f64)]| -> Vec<serde_json::Value> {
        let text = |s: usize, l: f64| fill(words.pointer_loss, &[("name", name), ("step", &lang.integer(s as u64)), ("loss", &lang.significant(l))]);
        points.iter().map(|&(s, l)| point((x.at(s as f64), y.at(l)), text(s, l))).collect()
    };
    let validated: Vec<(usize, f64)> = validation.iter().map(|v| (v.0, v.1)).collect();
    let mut points: Vec<serde_json::Value> = segments(&training).into_iter().flat_map(|s| under(words.training, &thin(s, 600))).collect();
    points.extend(segments(&validated).into_iter().flat_map(|s| under(words.validation, &thin(s, 300))));
    data["pointer"] = json!({"along": "x", "plot": [left, top, right, bottom], "points": points});

    Figure::draw((width, height), alt, data, |c| {
        loss_axes(c, &x, &y, [left, top, right, bottom], log, lang);

        draw_marks(c, &marks, &x, top, bottom);

        let plot =
            |points: &[(usize, f64)], buckets: usize| -> Vec<(f64, f64)> { thin(points, buckets).iter().map(|&(s, l)| (x.at(s as f64), y.at(l))).collect() };
        for segment in segments(&training) {
            let points = plot(segment, 600);
            let style = if half == 0 { stroke(BLUE, 1.0, 2.0) } else { stroke(BLUE, 0.4, 0.75) };
            c.path(&points, style);
            // a step between two gaps has no line to show it; few steps are worth a dot each
            if points.len() == 1 || training.len() <= 20 {
                points.iter().for_each(|&p| c.circle(p, 2.5, tint(BLUE, 1.0)));
            }
        }
        for segment in &smoothed {
            c.path(&plot(segment, 300), stroke(BLUE, 1.0, 2.25));
        }

        for segment in segments(&validated) {
            let points = plot(segment, 300);
            c.path(&points, stroke(GREEN, 1.0, 1.5));
            if points.len() <= 80 {
                points.iter().for_each(|&p| c.circle(p, 3.25, tint(GREEN, 1.0)));
            }
        }

        if let Some((step, loss, _)) = best {
            let at = (x.at(step as f64), y.at(loss));
            c.line((at.0, top - 26.0), (at.0, at.1 - 7.0), stroke(GREEN, 0.8, 0.75));
            c.circle(at, 6.0, stroke(GREEN, 1.0, 1.5));
            let text = fill(words.best_mark, &[("loss", &lang.significant(loss)), ("step", &lang.integer(step as u64))]);
            let half = text_width(&text, 12.0) / 2.0;
            c.bold(&text, (at.0.clamp(left + half, (width - half - 4.0).max(left + half)), top - 36.0), 12.0, At::Middle, INK);
        }

        if !bad.is_empty() {
            let style = stroke(VERMILLION, 1.0, 1.5);
            let mut before = f64::NEG_INFINITY;
            for &step in &bad {
                let at = x.at(step as f64);
                // crosses on top of each other add nothing
                if at - before < 3.0 {
                    continue;
                }
                before = at;
                c.cross((at, top), 3.0, style);
            }
            let text = fill(words.not_finite_mark, &[("count", &lang.integer(bad.len() as u64))]);
            c.bold(&text, (right + 16.0, top), 12.0, At::Left, VERMILLION);
        }

        let mut heights: Vec<f64> = names.iter().map(|n| y.at(n.1)).collect();
        spread(&mut heights, 17.0, top + if bad.is_empty() { 0.0 } else { 18.0 }, bottom - 6.0);
        for ((name, _, colour), height) in names.iter().zip(&heights) {
            c.line((right + 8.0, *height), (right + 22.0, *height), stroke(*colour, 1.0, 2.25));
            c.text(name, (right + 27.0, *height), 12.0, At::Left, INK);
        }
    })
    .with_axes(&x, top, bottom)
}

/// The axes of losses by optimiser step, in a plot of these borders: left, top, right, bottom.
pub(super) fn loss_axes(c: &mut Canvas, x: &Axis, y: &Axis, [left, top, right, bottom]: [f64; 4], log: bool, lang: Lang) {
    let words = lang.words();
    for (value, text) in y.ticks(5, lang) {
        c.line((left, y.at(value)), (right, y.at(value)), stroke(INK, 0.13, 1.0));
        c.text(&text, (left - 8.0, y.at(value)), 12.0, At::Right, INK);
    }
    c.line((left, bottom), (right, bottom), stroke(INK, 0.55, 1.0));
    for (value, text) in x.whole_ticks(6, lang) {
        c.line((x.at(value), bottom), (x.at(value), bottom + 4.0), stroke(INK, 0.55, 1.0));
        c.text(&text, (x.at(value), bottom + 14.0), 12.0, At::Middle, INK);
    }
    c.text(words.step_axis, ((left + right) / 2.0, bottom + 35.0), 12.0, At::Middle, INK);
    c.upright(if log { words.loss_axis_log } else { words.loss_axis }, (12.0, (top + bottom) / 2.0), 12.0, At::Middle, INK);
}

/// Numbered signs above the plot; those too close to each other share one.
fn draw_marks(c: &mut Canvas, marks: &[Mark], x: &Axis, top: f64, bottom: f64) {
    let mut groups: Vec<(f64, usize, usize, MarkKind)> = Vec::new();
    let mut sorted: Vec<&Mark> = marks.iter().collect();
    sorted.sort_by_key(|m| (m.step, m.number));
    for mark in sorted {
        let at = x.at(mark.step as f64);
        match groups.last_mut() {
            Some(group) if at - group.0 < 26.0 => {
                group.1 = group.1.min(mark.number);
                group.2 = group.2.max(mark.number);
                group.3 = group.3.max(mark.kind);
            }
            _ => groups.push((at, mark.number, mark.number, mark.kind)),
        }
    }
    for (at, first, last, kind) in groups {
        let colour = match kind {
            MarkKind::Unhealthy => VERMILLION,
            MarkKind::Warning => ORANGE,
            MarkKind::Recovered => GREEN,
        };
        let y = top - 13.0;
        c.line((at, y + 5.0), (at, bottom), stroke(colour, 0.7, 0.75));
        // shape says the kind, too
        match kind {
            MarkKind::Unhealthy => c.polygon(&[(at - 5.0, y + 5.0), (at + 5.0, y + 5.0), (at, y - 4.0)], colour, 1.0),
            MarkKind::Warning => c.polygon(&[(at - 4.5, y), (at, y - 4.5), (at + 4.5, y), (at, y + 4.5)], colour, 1.0),
            MarkKind::Recovered => c.circle((at, y), 4.0, stroke(colour, 1.0, 1.5)),
        }
        let text = if first == last { first.to_string() } else { format!("{first}–{last}") };
        c.text(&text, (at + 8.0, y + 0.5), 11.0, At::Left, INK);
    }
}

fn loss_alt(training: &[(usize, f64)], validation: &[Validation], best: Option<Validation>, bad: usize, marks: usize, lang: Lang) -> String {
    let words = lang.words();
    let mut parts = Vec::new();
    match (training.first(), training.last()) {
        (Some(first), Some(last)) => {
            let (a, b) = (lang.significant(first.1), lang.significant(last.1));
            parts.push(fill(words.alt_loss, &[("first", &a), ("last", &b), ("step", &lang.integer(last.0 as u64))]));
        }
        _ => parts.push(words.alt_loss_none.into()),
    }
    if let Some(last) = validation.last() {
        parts.push(fill(words.alt_loss_validation, &[("count", &lang.integer(validation.len() as u64)), ("last", &lang.significant(last.1))]));
    }
    if let Some((step, loss, _)) = best {
        parts.push(fill(words.alt_loss_best, &[("loss", &lang.significant(loss)), ("step", &lang.integer(step as u64))]));
    }
    if bad > 0 {
        parts.push(fill(words.alt_loss_not_finite, &[("count", &lang.integer(bad as u64))]));
    }
    if marks > 0 {
        parts.push(fill(words.alt_loss_marks, &[("count", &lang.integer(marks as u64))]));
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use train::health::{self, Remedy};

    #[test]
    fn the_health_guard_speaks_the_language_of_the_report() {
        let message = "The loss has run away: the learning rate is too high (step 7: loss 9).";
        let trouble =
            |symptom| Event::Health { step: 7, ok: false, symptom, remedy: Remedy::None, seen: "loss 9".into(), message: message.into(), back_to: None };
        let said = |event: Event, lang| marks(&[event], lang).remove(0).message;
        assert_eq!(said(trouble(Some(Symptom::Diverging)), Lang::English), message);
        let italian = said(trouble(Some(Symptom::Diverging)), Lang::Italian);
        assert!(italian.starts_with("La perdita è esplosa") && italian.contains("(passo 7: perdita 9)"), "{italian}");
        assert_eq!(said(trouble(None), Lang::Italian), message, "an older run names no symptom");
        let calm = |language: Lang| {
            let message = health::recovered(language.into());
            Event::Health { step: 9, ok: true, symptom: None, remedy: Remedy::None, seen: String::new(), message, back_to: None }
        };
        assert_eq!(said(calm(Lang::Italian), Lang::English), health::recovered(Lang::English.into()));
        let warning = Event::warning(|| say::say!("3 rows repeat a text", "3 righe ripetono un testo"));
        assert_eq!(said(warning.clone(), Lang::Italian), "3 righe ripetono un testo");
        assert_eq!(said(warning, Lang::English), "3 rows repeat a text");
        assert_eq!(said(Event::Warning { message: "as it was".into(), told: None }, Lang::Italian), "as it was");
        assert_eq!(said(calm(Lang::English), Lang::Italian), health::recovered(Lang::Italian.into()));
    }

    #[test]
    fn smoothing_averages_and_hardly_flattens_the_start() {
        let points: Vec<(usize, f64)> = (0..10).map(|i| (i, if i % 2 == 0 { 1.0 } else { 3.0 })).collect();
        let smooth = smooth(&points, 2);
        assert_eq!(smooth[0], (0, 2.0));
        assert!((smooth[5].1 - 2.2).abs() < 1e-12, "{smooth:?}");
        assert!(smooth[9].1 > 1.0 && smooth[9].1 < 3.0, "the end is a mean, too");
    }

    #[test]
    fn thinning_keeps_extremes_and_order() {
        let mut points: Vec<(usize, f64)> = (0..10_000).map(|i| (i, (i as f64).sin())).collect();
        points[5432].1 = 99.0;
        points[77].1 = -99.0;
        let thinned = thin(&points, 600);
        assert!(thinned.len() <= 1200);
        assert!(thinned.contains(&(5432, 99.0)) && thinned.contains(&(77, -99.0)));
        assert!(thinned.windows(2).all(|w| w[0].0 < w[1].0));
    }

    #[test]
    fn the_loss_axis_suits_the_values() {
        assert_eq!(loss_range(&[], &[]), (0.0, 1.0, false));
        let (low, high, log) = loss_range(&[2.0, 1.0, 0.5], &[]);
        assert!(low == 0.0 && high > 2.0 && !log);
        let (low, high, log) = loss_range(&[5.0, 0.05], &[5.0, 0.05]);
        assert!(low > 0.0 && low < 0.05 && high > 5.0 && log);
        // one batch at almost nothing does not stretch the axis
        assert!(loss_range(&[5.0, 0.05, 1e-12], &[5.0, 0.05]).0 > 0.004);
        let (low, high, _) = loss_range(&[0.7; 9], &[0.7; 9]);
        assert!(low < 0.7 && high > 0.7);
        assert_eq!(loss_range(&[0.0, 0.0], &[]), (-1.0, 1.0, false));
        assert!(loss_range(&[f64::NAN, f64::INFINITY], &[]).1 == 1.0);
        assert!(loss_range(&[1.0, 1e30], &[1.0, 1e30]).2);
    }

    #[test]
    fn names_do_not_stand_on_each_other() {
        let mut at = [100.0, 101.0, 99.0];
        spread(&mut at, 17.0, 0.0, 110.0);
        let mut sorted = at;
        sorted.sort_by(f64::total_cmp);
        assert!(sorted.windows(2).all(|w| w[1] - w[0] >= 17.0 - 1e-9) && sorted[2] <= 110.0, "{at:?}");
        assert!(at[2] < at[0] && at[0] < at[1], "order is kept");
    }
}
