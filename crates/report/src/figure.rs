//! The figures of a report, drawn with plotters.
//!
//! Each function takes measured values and gives a [`Figure`]: an SVG picture, the same in words for
//! those who cannot see it, and the values behind it for programs. Nothing is measured or judged here.
//!
//! How the drawing works: a [`Canvas`] wraps a plotters drawing area, so that another backend (a bitmap,
//! say) can stand behind it later. plotters rounds coordinates to whole units; the canvas therefore draws
//! four units to a pixel. plotters is built without fonts, so widths of text come from [`text_width`],
//! an estimate on the wide side. Afterwards [`tidy`] gives the SVG its accessible name and replaces one
//! reserved colour by `currentColor`, so that axes and labels take the colour of the page around them;
//! the page may also recolour the series, whose colours are listed in [`colour`].

use crate::text::{Lang, clean, fill};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write as _;
use tasks::score::{Confusion, Interval, ReliabilityBin};
use train::Event;

/// A picture with its meaning in words and in values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// A whole SVG document without an XML declaration, fit for a file and for a page.
    pub svg: String,
    /// What the picture shows, in words.
    pub alt: String,
    /// The values behind the picture.
    pub data: Value,
}

/// Colours of the figures, from the palette of Okabe and Ito (2008), which colour-blind readers can tell
/// apart. Written as plotters writes them, so that a page can recolour them by attribute selectors.
pub mod colour {
    use plotters::style::RGBColor;

    /// Text and axes; becomes `currentColor`.
    pub const INK: RGBColor = RGBColor(1, 2, 3);
    /// Training and the model at hand.
    pub const BLUE: RGBColor = RGBColor(0, 114, 178);
    /// Validation.
    pub const GREEN: RGBColor = RGBColor(0, 158, 115);
    /// What went wrong.
    pub const VERMILLION: RGBColor = RGBColor(213, 94, 0);
    /// Warnings.
    pub const ORANGE: RGBColor = RGBColor(230, 159, 0);
    /// Cells of right answers; apart from [`BLUE`] because white numbers stand on it.
    pub const CELL_RIGHT: RGBColor = RGBColor(0, 91, 150);
    /// Cells of wrong answers; apart from [`VERMILLION`] because white numbers stand on it.
    pub const CELL_WRONG: RGBColor = RGBColor(181, 66, 0);
}

use colour::{BLUE, CELL_RIGHT, CELL_WRONG, GREEN, INK, ORANGE, VERMILLION};

/// Drawing units to a pixel.
const SCALE: f64 = 4.0;
/// The one family of all figures and of the report.
pub(crate) const FAMILY: &str = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif";
/// Characters of a label that a figure shows.
const LABEL_CHARS: usize = 28;
/// Characters of a system's name that a comparison shows.
const SYSTEM_CHARS: usize = 36;

// ---------------------------------------------------------------------------------------------------
// canvas

/// Where a text stands relative to its point.
#[derive(Clone, Copy)]
enum At {
    Left,
    Middle,
    Right,
}

/// A plotters drawing area in pixels with fractions.
struct Canvas<DB: DrawingBackend> {
    area: DrawingArea<DB, Shift>,
}

impl<DB: DrawingBackend> Canvas<DB> {
    fn units(v: f64) -> i32 {
        // far outside any picture, and far inside i32
        (v * SCALE).round().clamp(-1e6, 1e6) as i32
    }

    fn point((x, y): (f64, f64)) -> (i32, i32) {
        (Self::units(x), Self::units(y))
    }

    fn stroke(colour: RGBColor, opacity: f64, width: f64) -> ShapeStyle {
        ShapeStyle { color: Self::mix(colour, opacity), filled: false, stroke_width: (width * SCALE).round() as u32 }
    }

    /// A colour with an opacity of two decimals, which keeps the files short.
    fn mix(colour: RGBColor, opacity: f64) -> RGBAColor {
        colour.mix((opacity.clamp(0.0, 1.0) * 100.0).round() / 100.0)
    }

    /// Draws one element. Writing into a string cannot fail, and a bitmap in memory cannot either.
    fn draw<E>(&self, element: E)
    where
        for<'b> &'b E: plotters::element::PointCollection<'b, (i32, i32)>,
        E: plotters::element::Drawable<DB>,
    {
        let _ = self.area.draw(&element);
    }

    fn line(&self, a: (f64, f64), b: (f64, f64), style: ShapeStyle) {
        self.draw(PathElement::new([Self::point(a), Self::point(b)], style));
    }

    fn path(&self, points: &[(f64, f64)], style: ShapeStyle) {
        self.draw(PathElement::new(points.iter().map(|&p| Self::point(p)).collect::<Vec<_>>(), style));
    }

    fn polygon(&self, points: &[(f64, f64)], colour: RGBColor, opacity: f64) {
        self.draw(Polygon::new(points.iter().map(|&p| Self::point(p)).collect::<Vec<_>>(), Self::mix(colour, opacity).filled()));
    }

    fn rectangle(&self, (x, y): (f64, f64), (w, h): (f64, f64), colour: RGBColor, opacity: f64) {
        self.draw(Rectangle::new([Self::point((x, y)), Self::point((x + w, y + h))], Self::mix(colour, opacity).filled()));
    }

    fn circle(&self, centre: (f64, f64), radius: f64, style: ShapeStyle) {
        self.draw(Circle::new(Self::point(centre), (radius * SCALE).round().max(1.0) as i32, style));
    }

    fn text(&self, text: &str, at: (f64, f64), size: f64, anchor: At, colour: RGBColor) {
        self.write(text, at, size, anchor, colour, FontStyle::Normal, FontTransform::None);
    }

    fn bold(&self, text: &str, at: (f64, f64), size: f64, anchor: At, colour: RGBColor) {
        self.write(text, at, size, anchor, colour, FontStyle::Bold, FontTransform::None);
    }

    /// Text that reads from below to above.
    fn upright(&self, text: &str, at: (f64, f64), size: f64, anchor: At, colour: RGBColor) {
        self.write(text, at, size, anchor, colour, FontStyle::Normal, FontTransform::Rotate270);
    }

    #[allow(clippy::too_many_arguments)] // three short fronts above are what the figures call
    fn write(&self, text: &str, at: (f64, f64), size: f64, anchor: At, colour: RGBColor, weight: FontStyle, turn: FontTransform) {
        let horizontal = match anchor {
            At::Left => HPos::Left,
            At::Middle => HPos::Center,
            At::Right => HPos::Right,
        };
        // plotters' SVG backend divides sizes by 1.24
        let font = FontDesc::new(FontFamily::Name(FAMILY), size * SCALE * 1.24, weight).transform(turn);
        let style = TextStyle::from(font).color(&colour).pos(Pos::new(horizontal, VPos::Center));
        self.draw(Text::new(text.to_string(), Self::point(at), style));
    }
}

/// Draws an SVG of `width` by `height` pixels, named `alt` for those who cannot see it.
fn svg(width: f64, height: f64, alt: &str, draw: impl FnOnce(&Canvas<SVGBackend>)) -> String {
    let mut out = String::new();
    {
        let size = ((width * SCALE).ceil() as u32, (height * SCALE).ceil() as u32);
        let canvas = Canvas { area: SVGBackend::with_string(&mut out, size).into_drawing_area() };
        draw(&canvas);
        let _ = canvas.area.present();
    }
    tidy(&out, width, height, alt)
}

/// Names the picture, sizes it in pixels, hands the ink colour to the page and drops what only costs bytes.
///
/// plotters escapes quotes in text, so none of the attributes looked for can come from a label.
fn tidy(raw: &str, width: f64, height: f64, alt: &str) -> String {
    let body = raw.split_once(">\n").map_or(raw, |(_, body)| body);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {:.0} {:.0}\" role=\"img\" aria-label=\"{}\" \
         font-family=\"{FAMILY}\" color=\"#1F2429\" stroke-linejoin=\"round\" stroke-linecap=\"round\">\n",
        (width * SCALE).ceil(),
        (height * SCALE).ceil(),
        escape(alt),
    );
    let family = format!(" font-family=\"{}\"", FAMILY.replace('\'', "&apos;"));
    let mut rest = body;
    // sizes come back from plotters' division with stray decimals
    while let Some(at) = rest.find("font-size=\"") {
        let (before, after) = rest.split_at(at + 11);
        out.push_str(before);
        let end = after.find('"').unwrap_or(0);
        match after[..end].parse::<f64>() {
            Ok(size) => {
                let _ = write!(out, "{}", (size * 10.0).round() / 10.0);
            }
            Err(_) => out.push_str(&after[..end]),
        }
        rest = &after[end..];
    }
    out.push_str(rest);
    let ink = format!("\"#{:02X}{:02X}{:02X}\"", INK.0, INK.1, INK.2);
    out = out.replace(&family, "").replace(&ink, "\"currentColor\"").replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", "");
    // plotters sets texts on lines of their own, and the line ends would belong to them; `<` and `>` inside
    // texts are escaped, so a line that does not begin with `<` is a text
    let mut tidied = String::with_capacity(out.len());
    for line in out.trim_end().lines() {
        if line.starts_with('<') && line != "</text>" && !tidied.is_empty() {
            tidied.push('\n');
        }
        tidied.push_str(line);
    }
    tidied
}

/// Text for an attribute or an element of XML.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            _ => out.push(c),
        }
        out
    })
}

/// Width of a text in pixels, estimated from the character classes of a Helvetica-like face.
fn text_width(text: &str, size: f64) -> f64 {
    let em: f64 = text
        .chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | '\'' | '|' | '.' | ',' | ':' | ';' | '!' | '’' | '\u{202f}' => 0.28,
            'f' | 't' | 'r' | ' ' | '(' | ')' | '[' | ']' | '-' | '/' => 0.36,
            'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' | '—' => 0.92,
            'A'..='Z' => 0.7,
            '\0'..='\u{24ff}' => 0.57,
            _ => 1.05,
        })
        .sum();
    em * size
}

/// A label of a data set as a figure shows it.
fn label(text: &str) -> String {
    name(text, LABEL_CHARS)
}

/// Foreign text of at most `limit` characters that is never invisible.
fn name(text: &str, limit: usize) -> String {
    let cleaned = clean(text, limit);
    if cleaned.is_empty() { "∅".into() } else { cleaned }
}

// ---------------------------------------------------------------------------------------------------
// axes

/// A number line on the picture, linear or in decades.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    log: bool,
}

impl Axis {
    /// `low..high` of the values onto `from..to` of the pixels.
    fn new(low: f64, high: f64, from: f64, to: f64, log: bool) -> Self {
        let f = |v: f64| if log { v.log10() } else { v };
        Self { low: f(low), high: f(high), from, to, log }
    }

    /// Pixel of a value; values outside stand on the edge.
    fn at(&self, value: f64) -> f64 {
        let v = if self.log { value.log10() } else { value };
        let share = ((v - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.from + share * (self.to - self.from)
    }

    /// About `wanted` round values with their texts.
    fn ticks(&self, wanted: usize, lang: Lang) -> Vec<(f64, String)> {
        if self.log { self.decades(wanted, lang) } else { self.round_steps(wanted, false, lang) }
    }

    /// Whole numbers only.
    fn whole_ticks(&self, wanted: usize, lang: Lang) -> Vec<(f64, String)> {
        self.round_steps(wanted, true, lang)
    }

    fn round_steps(&self, wanted: usize, whole: bool, lang: Lang) -> Vec<(f64, String)> {
        let rough = (self.high - self.low) / wanted.max(1) as f64;
        if !rough.is_finite() || rough <= 0.0 {
            return Vec::new();
        }
        let ten = 10f64.powf(rough.log10().floor());
        let mut step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * ten).find(|s| *s >= rough * 0.999).unwrap_or(10.0 * ten);
        if whole {
            step = step.max(1.0).round();
        }
        let places = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
        let first = (self.low / step - 1e-9).ceil();
        (0..=2 * wanted + 2)
            .map(|i| (first + i as f64) * step)
            .take_while(|v| *v <= self.high + step * 1e-9)
            .map(|v| {
                let plain = v.abs() < 1e6 && (v == 0.0 || v.abs() >= 1e-4);
                let text = if whole && plain {
                    lang.integer(v.max(0.0) as u64)
                } else if plain {
                    lang.decimal(v, places)
                } else {
                    lang.significant(v)
                };
                (v, text)
            })
            .collect()
    }

    fn decades(&self, wanted: usize, lang: Lang) -> Vec<(f64, String)> {
        let (first, last) = (self.low.floor() as i32, self.high.ceil() as i32);
        let within = |v: f64| (self.low - 1e-9..=self.high + 1e-9).contains(&v.log10());
        let text =
            |v: f64| if (1e-4..1e5).contains(&v) { lang.decimal(v, (-(v * 1.0001).log10().floor()).clamp(0.0, 9.0) as usize) } else { lang.significant(v) };
        let steps: &[f64] = if self.high - self.low <= 2.2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let stride = ((self.high - self.low) / wanted.max(1) as f64).ceil().max(1.0) as usize;
        (first..=last).step_by(stride).flat_map(|d| steps.iter().map(move |m| m * 10f64.powi(d))).filter(|v| within(*v)).map(|v| (v, text(v))).collect()
    }
}

// ---------------------------------------------------------------------------------------------------
// loss

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
    /// The message, as it was written.
    pub message: String,
}

/// Warnings and changes of health in order. A warning carries no step; it came after the one before it.
pub(crate) fn marks(events: &[Event]) -> Vec<Mark> {
    let mut marks = Vec::new();
    let mut now = 0;
    for event in events {
        let (step, kind, message) = match event {
            Event::Step { step, .. } | Event::Evaluation { step, .. } | Event::Resumed { step } => {
                now = *step;
                continue;
            }
            Event::Warning { message } => (now, MarkKind::Warning, message),
            Event::Health { step, ok, message, .. } => (*step, if *ok { MarkKind::Recovered } else { MarkKind::Unhealthy }, message),
            _ => continue,
        };
        marks.push(Mark { number: marks.len() + 1, step, kind, message: message.clone() });
    }
    marks
}

/// A validation: step, loss, best so far?
type Validation = (usize, f64, bool);

/// Losses of training and validation by step, without what a resumed run did twice.
fn losses(events: &[Event]) -> (Vec<(usize, f64)>, Vec<Validation>) {
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
fn segments(points: &[(usize, f64)]) -> Vec<&[(usize, f64)]> {
    points.split(|p| !p.1.is_finite()).filter(|s| !s.is_empty()).collect()
}

/// Moving mean over up to `2 * half + 1` steps; narrower at the start, so that a steep fall stays where it was,
/// but never a single noisy step.
fn smooth(points: &[(usize, f64)], half: usize) -> Vec<(usize, f64)> {
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
fn thin(points: &[(usize, f64)], buckets: usize) -> Vec<(usize, f64)> {
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
fn loss_range(raw: &[f64], curve: &[f64]) -> (f64, f64, bool) {
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
fn spread(wanted: &mut [f64], gap: f64, low: f64, high: f64) {
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
    let marks = marks(events);
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
    let data = json!({
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
        let svg = svg(760.0, 120.0, &alt, |c| c.text(words.no_steps, (380.0, 60.0), 14.0, At::Middle, INK));
        return Figure { svg, alt, data };
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

    let svg = svg(width, height, &alt, |c| {
        let grid = Canvas::<SVGBackend>::stroke(INK, 0.13, 1.0);
        for (value, text) in y.ticks(5, lang) {
            c.line((left, y.at(value)), (right, y.at(value)), grid);
            c.text(&text, (left - 8.0, y.at(value)), 12.0, At::Right, INK);
        }
        c.line((left, bottom), (right, bottom), Canvas::<SVGBackend>::stroke(INK, 0.55, 1.0));
        for (value, text) in x.whole_ticks(6, lang) {
            c.line((x.at(value), bottom), (x.at(value), bottom + 4.0), Canvas::<SVGBackend>::stroke(INK, 0.55, 1.0));
            c.text(&text, (x.at(value), bottom + 14.0), 12.0, At::Middle, INK);
        }
        c.text(words.step_axis, ((left + right) / 2.0, bottom + 35.0), 12.0, At::Middle, INK);
        c.upright(if log { words.loss_axis_log } else { words.loss_axis }, (12.0, (top + bottom) / 2.0), 12.0, At::Middle, INK);

        draw_marks(c, &marks, &x, top, bottom);

        let plot =
            |points: &[(usize, f64)], buckets: usize| -> Vec<(f64, f64)> { thin(points, buckets).iter().map(|&(s, l)| (x.at(s as f64), y.at(l))).collect() };
        for segment in segments(&training) {
            let points = plot(segment, 600);
            let style = if half == 0 { Canvas::<SVGBackend>::stroke(BLUE, 1.0, 2.0) } else { Canvas::<SVGBackend>::stroke(BLUE, 0.4, 0.75) };
            c.path(&points, style);
            // a step between two gaps has no line to show it; few steps are worth a dot each
            if points.len() == 1 || training.len() <= 20 {
                points.iter().for_each(|&p| c.circle(p, 2.5, BLUE.filled()));
            }
        }
        for segment in &smoothed {
            c.path(&plot(segment, 300), Canvas::<SVGBackend>::stroke(BLUE, 1.0, 2.25));
        }

        let points: Vec<(usize, f64)> = validation.iter().map(|v| (v.0, v.1)).collect();
        for segment in segments(&points) {
            let points = plot(segment, 300);
            c.path(&points, Canvas::<SVGBackend>::stroke(GREEN, 1.0, 1.5));
            if points.len() <= 80 {
                points.iter().for_each(|&p| c.circle(p, 3.25, GREEN.filled()));
            }
        }

        if let Some((step, loss, _)) = best {
            let at = (x.at(step as f64), y.at(loss));
            c.line((at.0, top - 26.0), (at.0, at.1 - 7.0), Canvas::<SVGBackend>::stroke(GREEN, 0.8, 0.75));
            c.circle(at, 6.0, Canvas::<SVGBackend>::stroke(GREEN, 1.0, 1.5));
            let text = fill(words.best_mark, &[("loss", &lang.significant(loss)), ("step", &lang.integer(step as u64))]);
            let half = text_width(&text, 12.0) / 2.0;
            c.bold(&text, (at.0.clamp(left + half, (width - half - 4.0).max(left + half)), top - 36.0), 12.0, At::Middle, INK);
        }

        if !bad.is_empty() {
            let style = Canvas::<SVGBackend>::stroke(VERMILLION, 1.0, 1.5);
            let mut before = f64::NEG_INFINITY;
            for &step in &bad {
                let at = x.at(step as f64);
                // crosses on top of each other add nothing
                if at - before < 3.0 {
                    continue;
                }
                before = at;
                c.line((at - 3.0, top - 3.0), (at + 3.0, top + 3.0), style);
                c.line((at - 3.0, top + 3.0), (at + 3.0, top - 3.0), style);
            }
            let text = fill(words.not_finite_mark, &[("count", &lang.integer(bad.len() as u64))]);
            c.bold(&text, (right + 16.0, top), 12.0, At::Left, VERMILLION);
        }

        let mut heights: Vec<f64> = names.iter().map(|n| y.at(n.1)).collect();
        spread(&mut heights, 17.0, top + if bad.is_empty() { 0.0 } else { 18.0 }, bottom - 6.0);
        for ((name, _, colour), height) in names.iter().zip(&heights) {
            c.line((right + 8.0, *height), (right + 22.0, *height), Canvas::<SVGBackend>::stroke(*colour, 1.0, 2.25));
            c.text(name, (right + 27.0, *height), 12.0, At::Left, INK);
        }
    });
    Figure { svg, alt, data }
}

/// Numbered signs above the plot; those too close to each other share one.
fn draw_marks<DB: DrawingBackend>(c: &Canvas<DB>, marks: &[Mark], x: &Axis, top: f64, bottom: f64) {
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
        c.line((at, y + 5.0), (at, bottom), Canvas::<DB>::stroke(colour, 0.7, 0.75));
        // shape says the kind, too
        match kind {
            MarkKind::Unhealthy => c.polygon(&[(at - 5.0, y + 5.0), (at + 5.0, y + 5.0), (at, y - 4.0)], colour, 1.0),
            MarkKind::Warning => c.polygon(&[(at - 4.5, y), (at, y - 4.5), (at + 4.5, y), (at, y + 4.5)], colour, 1.0),
            MarkKind::Recovered => c.circle((at, y), 4.0, Canvas::<DB>::stroke(colour, 1.0, 1.5)),
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

// ---------------------------------------------------------------------------------------------------
// confusion

/// A pair of labels, one of which was taken for the other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Pair {
    /// Row.
    pub expected: usize,
    /// Column; `None` if the output was no label.
    pub answered: Option<usize>,
    /// How often.
    pub count: usize,
    /// Of how many examples of the row.
    pub of: usize,
}

/// All mistaken pairs, commonest first.
pub(crate) fn pairs(confusion: &Confusion) -> Vec<Pair> {
    let n = confusion.labels.len();
    let mut pairs = Vec::new();
    for (expected, row) in confusion.counts.iter().take(n).enumerate() {
        let of = row.iter().take(n + 1).sum();
        for (column, &count) in row.iter().take(n + 1).enumerate() {
            if count > 0 && column != expected {
                pairs.push(Pair { expected, answered: (column < n).then_some(column), count, of });
            }
        }
    }
    pairs.sort_by(|a, b| b.count.cmp(&a.count).then((b.count * a.of).cmp(&(a.count * b.of))).then(a.expected.cmp(&b.expected)));
    pairs
}

/// Opacity of a cell that holds this share of its row. A root, because most mistakes are small shares that
/// should still be seen, and never so faint that it looks empty.
fn cell_opacity(share: f64) -> f64 {
    0.1 + 0.9 * share.clamp(0.0, 1.0).sqrt()
}

/// From this opacity on white numbers read better than ink.
const WHITE_FROM: f64 = 0.68;

/// Who was taken for whom: rows are expected labels, columns answers, numbers are counts.
///
/// Blue cells are right, red-brown ones wrong; the more of its row a cell holds, the stronger. The column
/// of outputs that were no label stands apart and only where there are any.
pub fn confusion_matrix(confusion: &Confusion, lang: Lang) -> Figure {
    let words = lang.words();
    let n = confusion.labels.len();
    let count = |row: usize, column: usize| confusion.counts.get(row).and_then(|r| r.get(column)).copied().unwrap_or(0);
    let total: usize = (0..n).map(|r| (0..=n).map(|c| count(r, c)).sum::<usize>()).sum();
    let right: usize = (0..n).map(|i| count(i, i)).sum();
    let extra = (0..n).any(|r| count(r, n) > 0);
    let pairs = pairs(confusion);
    let name = |c: usize| confusion.labels.get(c).map_or_else(|| words.no_label.to_string(), |l| label(l));

    let mut alt = fill(words.alt_confusion, &[("classes", &n.to_string()), ("examples", &lang.integer(total as u64)), ("right", &lang.integer(right as u64))]);
    alt.push(' ');
    match pairs.first() {
        Some(p) => {
            let answered = name(p.answered.unwrap_or(n));
            alt.push_str(&fill(words.alt_confusion_top, &[("count", &lang.integer(p.count as u64)), ("expected", &name(p.expected)), ("answered", &answered)]));
        }
        None => alt.push_str(words.alt_confusion_none),
    }
    let data = json!({
        "kind": "confusion",
        "labels": confusion.labels,
        "rows": "expected",
        "columns": "answered, then no label",
        "counts": confusion.counts,
        "right": right,
        "examples": total,
    });

    // cells shrink as labels grow in number; from about forty on the picture grows instead
    let cell = (560.0 / n.max(1) as f64).clamp(11.0, 40.0);
    let size = (cell * 0.82).clamp(7.5, 12.0);
    let gap = if extra { cell * 0.3 } else { 0.0 };
    let columns = n + usize::from(extra);
    let labels: Vec<String> = (0..columns).map(name).collect();
    let longest = labels.iter().map(|l| text_width(l, size)).fold(30.0, f64::max);
    let (left, top) = (24.0 + longest + 8.0, 24.0 + longest + 8.0);
    let side = n as f64 * cell;
    let matrix = side + gap + if extra { cell } else { 0.0 };
    let key_width =
        text_width(words.colour_key, 11.0) + 12.0 + [words.colour_right, words.colour_wrong].map(|w| 82.0 + text_width(w, 11.0)).iter().sum::<f64>();
    let (width, height) = (left + matrix.max(key_width) + 8.0, top + side + 48.0);
    let column_x = |c: usize| left + c as f64 * cell + if c == n { gap } else { 0.0 };

    let svg = svg(width, height, &alt, |c| {
        c.text(words.answered_axis, (left + side / 2.0, 10.0), 12.0, At::Middle, INK);
        c.upright(words.expected_axis, (10.0, top + side / 2.0), 12.0, At::Middle, INK);
        for (i, text) in labels.iter().enumerate() {
            if i < n {
                c.text(text, (left - 6.0, top + (i as f64 + 0.5) * cell), size, At::Right, INK);
            }
            c.upright(text, (column_x(i) + cell / 2.0, top - 6.0), size, At::Left, INK);
        }
        let line = Canvas::<SVGBackend>::stroke(INK, 0.12, 0.5);
        for i in 0..=n {
            let at = i as f64 * cell;
            c.line((left, top + at), (left + side, top + at), line);
            c.line((left + at, top), (left + at, top + side), line);
            if extra {
                c.line((column_x(n), top + at), (column_x(n) + cell, top + at), line);
            }
        }
        if extra {
            c.line((column_x(n), top), (column_x(n), top + side), line);
            c.line((column_x(n) + cell, top), (column_x(n) + cell, top + side), line);
        }
        for row in 0..n {
            let of: usize = (0..=n).map(|column| count(row, column)).sum();
            for column in 0..=n {
                let value = count(row, column);
                if value == 0 {
                    continue;
                }
                let at = (column_x(column), top + row as f64 * cell);
                let strength = cell_opacity(value as f64 / of as f64);
                let colour = if row == column { CELL_RIGHT } else { CELL_WRONG };
                // the grid stays visible between cells
                c.rectangle((at.0 + 0.5, at.1 + 0.5), (cell - 1.0, cell - 1.0), colour, strength);
                let text = value.to_string();
                let fits = (cell - 2.0) / (text.len() as f64 * 0.57);
                let ink = if strength >= WHITE_FROM { WHITE } else { INK };
                c.text(&text, (at.0 + cell / 2.0, at.1 + cell / 2.0), fits.min(size + 0.5), At::Middle, ink);
            }
        }
        // the key: five shares of each colour
        let y = top + side + 24.0;
        let mut x = left;
        c.text(words.colour_key, (x, y + 6.0), 11.0, At::Left, INK);
        x += text_width(words.colour_key, 11.0) + 12.0;
        for (colour, name) in [(CELL_RIGHT, words.colour_right), (CELL_WRONG, words.colour_wrong)] {
            for (i, share) in [0.02, 0.1, 0.25, 0.5, 1.0].into_iter().enumerate() {
                c.rectangle((x + i as f64 * 12.0, y), (12.0, 12.0), colour, cell_opacity(share));
            }
            c.text(name, (x + 66.0, y + 6.0), 11.0, At::Left, INK);
            x += 66.0 + text_width(name, 11.0) + 16.0;
        }
    });
    Figure { svg, alt, data }
}

// ---------------------------------------------------------------------------------------------------
// calibration and comparison

/// How far the model's probabilities can be taken at their word. The area of a point is its number of answers.
pub fn reliability(bins: &[ReliabilityBin], lang: Lang) -> Figure {
    let words = lang.words();
    let total: usize = bins.iter().map(|b| b.count).sum();
    let shown: Vec<&ReliabilityBin> = bins.iter().filter(|b| b.count > 0 && b.confidence.is_finite() && b.accuracy.is_finite()).collect();
    let mut alt = fill(words.alt_reliability, &[("examples", &lang.integer(total as u64))]);
    for bin in &shown {
        let (confidence, accuracy) = (lang.percent(bin.confidence), lang.percent(bin.accuracy));
        alt.push(' ');
        alt.push_str(&fill(words.alt_reliability_bin, &[("confidence", &confidence), ("accuracy", &accuracy), ("count", &lang.integer(bin.count as u64))]));
    }
    let data = json!({"kind": "reliability", "bins": bins});

    let (left, top, side) = (62.0, 14.0, 300.0);
    let bottom = top + side;
    let x = Axis::new(0.0, 1.0, left, left + side, false);
    let y = Axis::new(0.0, 1.0, bottom, top, false);
    let most = shown.iter().map(|b| b.count).max().unwrap_or(1) as f64;
    let svg = svg(left + side + 60.0, bottom + 46.0, &alt, |c| {
        for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
            let text = format!("{}\u{202f}%", lang.decimal(share * 100.0, 0));
            c.line((left, y.at(share)), (left + side, y.at(share)), Canvas::<SVGBackend>::stroke(INK, 0.13, 1.0));
            c.text(&text, (left - 8.0, y.at(share)), 12.0, At::Right, INK);
            c.text(&text, (x.at(share), bottom + 14.0), 12.0, At::Middle, INK);
        }
        c.line((left, bottom), (left + side, bottom), Canvas::<SVGBackend>::stroke(INK, 0.55, 1.0));
        c.line((left, bottom), (left + side, top), Canvas::<SVGBackend>::stroke(INK, 0.55, 1.0));
        c.text(words.perfect, (x.at(0.66) - 8.0, y.at(0.66) - 4.0), 12.0, At::Right, INK);
        c.text(words.confidence_axis, (left + side / 2.0, bottom + 35.0), 12.0, At::Middle, INK);
        c.upright(words.accuracy_axis, (12.0, top + side / 2.0), 12.0, At::Middle, INK);
        let points: Vec<(f64, f64)> = shown.iter().map(|b| (x.at(b.confidence), y.at(b.accuracy))).collect();
        for (bin, point) in shown.iter().zip(&points) {
            c.line((point.0, y.at(bin.confidence)), *point, Canvas::<SVGBackend>::stroke(VERMILLION, 0.9, 1.5));
        }
        c.path(&points, Canvas::<SVGBackend>::stroke(BLUE, 0.5, 1.0));
        for (bin, point) in shown.iter().zip(&points) {
            let radius = (13.0 * (bin.count as f64 / most).sqrt()).max(3.0);
            c.circle(*point, radius, Canvas::<SVGBackend>::mix(BLUE, 0.85).filled());
            // not on the axis
            let height = if bin.accuracy < 0.05 { point.1 - 9.0 } else { point.1 + 1.0 };
            c.text(&lang.integer(bin.count as u64), (point.0 + radius + 4.0, height), 10.5, At::Left, INK);
        }
    });
    Figure { svg, alt, data }
}

/// One system in a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// Its accuracy.
    pub accuracy: f64,
    /// The 95 % interval of it.
    pub interval: Interval,
    /// Is it the one that the report is about?
    pub main: bool,
}

/// Accuracies side by side, each a dot with its interval.
pub fn comparison(rows: &[Compared], lang: Lang) -> Figure {
    let words = lang.words();
    let mut alt = words.alt_comparison.to_string();
    for row in rows {
        let (name, accuracy, interval) = (name(&row.name, SYSTEM_CHARS), lang.percent(row.accuracy), lang.percent_range(row.interval));
        alt.push(' ');
        alt.push_str(&fill(words.alt_comparison_row, &[("name", &name), ("accuracy", &accuracy), ("interval", &interval)]));
    }
    let names: Vec<String> = rows.iter().map(|r| name(&r.name, SYSTEM_CHARS)).collect();
    let left = names.iter().map(|n| text_width(n, 13.0)).fold(40.0, f64::max) + 14.0;
    let (top, step, side) = (8.0, 34.0, 320.0);
    let bottom = top + rows.len() as f64 * step;
    let x = Axis::new(0.0, 1.0, left, left + side, false);
    let svg = svg(left + side + 64.0, bottom + 28.0, &alt, |c| {
        for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
            c.line((x.at(share), top), (x.at(share), bottom), Canvas::<SVGBackend>::stroke(INK, 0.13, 1.0));
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
            if !row.accuracy.is_finite() {
                continue;
            }
            let [low, high] = row.interval;
            if low.is_finite() && high.is_finite() {
                c.line((x.at(low), y), (x.at(high), y), Canvas::<SVGBackend>::stroke(colour, opacity, 2.0));
            }
            c.circle((x.at(row.accuracy), y), 5.0, Canvas::<SVGBackend>::mix(colour, if row.main { 1.0 } else { 0.75 }).filled());
            let end = x.at(row.accuracy.max(if high.is_finite() { high } else { row.accuracy }));
            let text = lang.percent(row.accuracy);
            let write = if row.main { Canvas::bold } else { Canvas::text };
            write(c, &text, (end + 10.0, y), 12.0, At::Left, INK);
        }
    });
    Figure { svg, alt, data: json!({"kind": "comparison", "rows": rows}) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(c: f64) -> f64 {
        let c = c / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    }

    fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
        let light = |c: [f64; 3]| 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
        let (a, b) = (light(a), light(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn numbers_in_cells_can_be_read_on_light_and_dark_pages() {
        // the pages and inks of html.rs
        for (page, ink) in [([255.0, 255.0, 255.0], [31.0, 36.0, 41.0]), ([22.0, 25.0, 29.0], [228.0, 231.0, 235.0])] {
            for cell in [CELL_RIGHT, CELL_WRONG] {
                for i in 0..=100 {
                    let opacity = cell_opacity(i as f64 / 100.0);
                    let mixed = [(page[0], cell.0), (page[1], cell.1), (page[2], cell.2)].map(|(p, c)| p * (1.0 - opacity) + f64::from(c) * opacity);
                    let text = if opacity >= WHITE_FROM { [255.0; 3] } else { ink };
                    assert!(contrast(mixed, text) >= 3.0, "{cell:?} at {opacity}: {}", contrast(mixed, text));
                }
            }
        }
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
    fn ticks_are_round_and_few_and_in_the_language() {
        let texts = |a: &Axis, n| a.ticks(n, Lang::Italian).into_iter().map(|t| t.1).collect::<Vec<_>>();
        assert_eq!(texts(&Axis::new(0.0, 2.6, 0.0, 1.0, false), 5), ["0", "1", "2"]);
        assert_eq!(texts(&Axis::new(0.0, 0.9, 0.0, 1.0, false), 5), ["0,0", "0,2", "0,4", "0,6", "0,8"]);
        assert_eq!(texts(&Axis::new(0.03, 6.0, 0.0, 1.0, true), 5), ["0,1", "1"]);
        assert_eq!(texts(&Axis::new(0.3, 6.0, 0.0, 1.0, true), 5), ["0,5", "1", "2", "5"]);
        for (low, high, log) in [(1e-300, 1e300, true), (1e-9, 2e-9, false), (-5.0, 1e12, false), (3.0, 3.0, false)] {
            assert!(Axis::new(low, high, 0.0, 1.0, log).ticks(5, Lang::English).len() <= 12, "{low} {high}");
        }
        let whole = Axis::new(0.0, 2.0, 0.0, 1.0, false).whole_ticks(6, Lang::English);
        assert_eq!(whole.into_iter().map(|t| t.1).collect::<Vec<_>>(), ["0", "1", "2"]);
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

    #[test]
    fn pairs_come_commonest_first() {
        let confusion = Confusion { labels: vec!["a".into(), "b".into()], counts: vec![vec![5, 2, 0], vec![3, 1, 4]] };
        let pairs = pairs(&confusion);
        assert_eq!(
            pairs.iter().map(|p| (p.expected, p.answered, p.count, p.of)).collect::<Vec<_>>(),
            [(1, None, 4, 8), (1, Some(0), 3, 8), (0, Some(1), 2, 7)]
        );
    }
}
