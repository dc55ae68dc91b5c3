//! The figures of a report, drawn with plotters.
//!
//! Each function takes measured values and gives a [`Figure`]: a picture, the same in words for those who
//! cannot see it, and the values behind it for programs, with the pixel where each of them stands. Nothing is
//! measured or judged here. [`canvas`] is what they draw on, [`axis`] their number lines, [`face`] what a window
//! reads of them; each other file draws one kind of picture.

mod axis;
mod bars;
mod calibration;
mod canvas;
mod comparison;
mod confusion;
mod errors;
mod face;
mod learning;
mod lengths;
mod loss;
mod map;
mod overlaid;
mod quantity;

pub use bars::{class_balance, class_scores, label_counts};
pub use calibration::{Covered, coverage, reliability};
pub use canvas::Variant;
pub(crate) use canvas::{FAMILIES, LIGHTER, hex};
pub use comparison::{Compared, comparison};
pub(crate) use confusion::pairs;
pub use confusion::{Cells, confusion_matrix};
pub use errors::{Faults, entity_errors};
pub use face::{Along, FigureData, LossCurve, MistakeFilter, Opened, Pointer, PointerPlace, ProbabilityRange, ValidationLoss};
pub use learning::{Learnt, Series, learning_curve};
pub use lengths::{Bin, length_histogram};
pub use loss::loss_curve;
pub(crate) use loss::{Mark, MarkKind, marks};
pub use map::{Placed, example_map};
pub use overlaid::{OVERLAID, loss_curves};
pub use quantity::{Quantity, quantity};

use crate::record::Error;
use crate::text::clean;
use canvas::Canvas;
use serde::Serialize;
use serde_json::{Value, json};
use ts_rs::TS;

/// A picture with its meaning in words and in values.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct Figure {
    /// A whole SVG document without an XML declaration, for the inside of a page ([`Variant::Page`]).
    pub svg: String,
    /// What the picture shows, in words.
    pub alt: String,
    /// The values behind the picture. `size` is its width and height in pixels; `pointer` says what stands
    /// where: `along` is `x` (the nearest in the direction of x counts), `nearest` or `cells`, `plot` the area
    /// [left, top, right, bottom] in pixels, `points` the texts with the `x` and `y` of their points, or with
    /// the `x`, `y`, `width` and `height` of their cells; of cells that overlap, the later one lies on top. Where
    /// answers stand behind a point, `opens` is what leaves them of all predictions, for the face that filters these.
    #[ts(as = "FigureData")]
    pub data: Value,
    /// Width in pixels.
    pub width: f64,
    /// Height in pixels.
    pub height: f64,
    /// Where its data area lies, for a face that lays a reading layer over it; none where there is none.
    pub plot: Option<Plot>,
    #[serde(skip)]
    canvas: Canvas,
}

/// Where the data area of a picture lies, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Plot {
    /// Values over a linear axis.
    Axes {
        /// Where the axis begins.
        left: f64,
        /// Where it ends.
        right: f64,
        /// Upper edge.
        top: f64,
        /// Lower edge.
        bottom: f64,
        /// Values at its ends.
        x: [f64; 2],
    },
    /// Square cells in rows and columns, the labels in the `order` of [`Figure::data`].
    Cells {
        /// Where the first column begins.
        left: f64,
        /// Where the first row begins.
        top: f64,
        /// Side of a cell.
        cell: f64,
        /// Rows.
        rows: usize,
        /// Columns; with one more than rows, the last is of outputs that are no label.
        columns: usize,
        /// Space before that last column.
        gap: f64,
    },
}

impl Figure {
    /// Draws a picture of `size` pixels.
    fn draw(size: (f64, f64), alt: String, mut data: Value, draw: impl FnOnce(&mut Canvas)) -> Self {
        let mut canvas = Canvas::default();
        draw(&mut canvas);
        data["size"] = json!([size.0.round(), size.1.round()]);
        Self { svg: canvas.svg(size, &alt, Variant::Page), alt, data, width: size.0, height: size.1, plot: None, canvas }
    }

    /// Says where the values over the axis `x` stand, between `top` and `bottom` pixels.
    fn with_axes(mut self, x: &axis::Axis, top: f64, bottom: f64) -> Self {
        let (left, right) = x.ends();
        self.plot = Some(Plot::Axes { left, right, top, bottom, x: x.values() });
        self
    }

    /// The picture as an SVG document in one of its looks.
    pub fn svg_for(&self, variant: Variant) -> String {
        self.canvas.svg((self.width, self.height), &self.alt, variant)
    }

    /// The picture as PNG, twice as many pixels wide and high as it is; on white, or dark.
    ///
    /// # Errors
    /// If the encoder refuses, which it does only for want of memory.
    pub fn png(&self, variant: Variant) -> Result<Vec<u8>, Error> {
        self.canvas.png((self.width, self.height), variant)
    }
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
    /// A third kind of mistake.
    pub const PURPLE: RGBColor = RGBColor(204, 121, 167);
    /// A fifth series.
    pub const SKY: RGBColor = RGBColor(86, 180, 233);
    /// Cells of right answers; apart from [`BLUE`] because white numbers stand on it.
    pub const CELL_RIGHT: RGBColor = RGBColor(0, 91, 150);
    /// Cells of wrong answers; apart from [`VERMILLION`] because white numbers stand on it.
    pub const CELL_WRONG: RGBColor = RGBColor(181, 66, 0);
}

/// Characters of a label that a figure shows.
const LABEL_CHARS: usize = 28;

/// A label of a data set as a figure shows it.
fn label(text: &str) -> String {
    name(text, LABEL_CHARS)
}

/// Foreign text of at most `limit` characters that is never invisible.
fn name(text: &str, limit: usize) -> String {
    let cleaned = clean(text, limit);
    if cleaned.is_empty() { "∅".into() } else { cleaned }
}

/// A text under the pointer and where it stands, for [`Figure::data`].
fn point((x, y): (f64, f64), text: String) -> Value {
    let tenth = |v: f64| (v * 10.0).round() / 10.0;
    json!({"x": tenth(x), "y": tenth(y), "text": text})
}

/// The same point or area, with what leaves the answers behind it.
fn opening(mut place: Value, opens: &Opened) -> Value {
    place["opens"] = json!(opens);
    place
}

/// As [`point`], for an area.
fn area(at: (f64, f64), (width, height): (f64, f64), text: String) -> Value {
    let mut value = point(at, text);
    value["width"] = json!((width * 10.0).round() / 10.0);
    value["height"] = json!((height * 10.0).round() / 10.0);
    value
}
