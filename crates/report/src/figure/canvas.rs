//! A drawing as a list of shapes, and the ways to put it on a page.
//!
//! The figures describe themselves once, in pixels with fractions, on a [`Canvas`]. plotters then draws the
//! shapes: as SVG in one of four looks ([`Variant`]), or as a bitmap. plotters rounds coordinates to whole
//! units; four units to a pixel keep lines where they belong. The SVG names no widths of text: they come from
//! [`text_width`], an estimate on the wide side, because the reader's font may be another. Afterwards [`tidy`]
//! gives the SVG its accessible name.

use super::colour::{BLUE, GREEN, INK, ORANGE, VERMILLION};
use crate::font;
use crate::record::Error;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use say::say;
use std::fmt::Write as _;
use std::sync::Once;

/// Drawing units to a pixel.
const SCALE: f64 = 4.0;
/// The families of SVG figures and of the HTML report, best first.
pub(crate) const FAMILIES: &str = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif";
/// The look of series on dark pages: the same hues, lighter.
pub(crate) const LIGHTER: [(RGBColor, RGBColor); 4] =
    [(BLUE, RGBColor(0x56, 0xB4, 0xE9)), (GREEN, RGBColor(0x35, 0xC9, 0xA0)), (VERMILLION, RGBColor(0xFF, 0x8A, 0x3D)), (ORANGE, RGBColor(0xF0, 0xB9, 0x3A))];

/// Where a picture will be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Inside a page whose text colour and style sheet it follows.
    Page,
    /// As a file of its own, on white.
    Light,
    /// As a file of its own, on near-black.
    Dark,
    /// On paper: black on nothing.
    Print,
}

impl Variant {
    fn ink(self) -> RGBColor {
        match self {
            // replaced by `currentColor`
            Self::Page => INK,
            Self::Light => RGBColor(0x1F, 0x24, 0x29),
            Self::Dark => RGBColor(0xE4, 0xE7, 0xEB),
            Self::Print => BLACK,
        }
    }

    fn background(self) -> Option<RGBColor> {
        match self {
            Self::Page | Self::Print => None,
            Self::Light => Some(WHITE),
            Self::Dark => Some(RGBColor(0x16, 0x19, 0x1D)),
        }
    }

    fn colour(self, colour: RGBColor) -> RGBColor {
        match LIGHTER.iter().find(|(from, _)| *from == colour) {
            _ if colour == INK => self.ink(),
            Some((_, to)) if self == Self::Dark => *to,
            _ => colour,
        }
    }
}

/// Where a text stands relative to its point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum At {
    Left,
    Middle,
    Right,
}

/// Colour, opacity, and the width of the line; without one the shape is filled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Style {
    colour: RGBColor,
    opacity: f64,
    width: Option<f64>,
}

/// A line of this colour, opacity and width in pixels.
pub(super) fn stroke(colour: RGBColor, opacity: f64, width: f64) -> Style {
    Style { colour, opacity, width: Some(width) }
}

/// A filling of this colour and opacity.
pub(super) fn tint(colour: RGBColor, opacity: f64) -> Style {
    Style { colour, opacity, width: None }
}

type Point = (f64, f64);

#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Path(Vec<Point>, Style),
    Polygon(Vec<Point>, Style),
    Rectangle(Point, Point, Style),
    Circle(Point, f64, Style),
    Text { text: String, at: Point, size: f64, anchor: At, colour: RGBColor, bold: bool, upright: bool },
}

/// What is drawn, in order, in pixels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Canvas {
    shapes: Vec<Shape>,
}

impl Canvas {
    pub(super) fn line(&mut self, a: Point, b: Point, style: Style) {
        self.shapes.push(Shape::Path(vec![a, b], style));
    }

    pub(super) fn path(&mut self, points: &[Point], style: Style) {
        self.shapes.push(Shape::Path(points.to_vec(), style));
    }

    pub(super) fn polygon(&mut self, points: &[Point], colour: RGBColor, opacity: f64) {
        self.shapes.push(Shape::Polygon(points.to_vec(), tint(colour, opacity)));
    }

    pub(super) fn rectangle(&mut self, (x, y): Point, (w, h): Point, colour: RGBColor, opacity: f64) {
        self.shapes.push(Shape::Rectangle((x, y), (x + w, y + h), tint(colour, opacity)));
    }

    pub(super) fn circle(&mut self, centre: Point, radius: f64, style: Style) {
        self.shapes.push(Shape::Circle(centre, radius, style));
    }

    /// Two strokes that cross at `centre` and reach `reach` from it in either direction.
    pub(super) fn cross(&mut self, (x, y): Point, reach: f64, style: Style) {
        self.line((x - reach, y - reach), (x + reach, y + reach), style);
        self.line((x - reach, y + reach), (x + reach, y - reach), style);
    }

    pub(super) fn text(&mut self, text: &str, at: Point, size: f64, anchor: At, colour: RGBColor) {
        self.shapes.push(Shape::Text { text: text.into(), at, size, anchor, colour, bold: false, upright: false });
    }

    pub(super) fn bold(&mut self, text: &str, at: Point, size: f64, anchor: At, colour: RGBColor) {
        self.shapes.push(Shape::Text { text: text.into(), at, size, anchor, colour, bold: true, upright: false });
    }

    /// Text that reads from below to above.
    pub(super) fn upright(&mut self, text: &str, at: Point, size: f64, anchor: At, colour: RGBColor) {
        self.shapes.push(Shape::Text { text: text.into(), at, size, anchor, colour, bold: false, upright: true });
    }

    /// The picture as SVG of `width` by `height` pixels, named `alt` for those who cannot see it.
    pub(super) fn svg(&self, (width, height): Point, alt: &str, variant: Variant) -> String {
        let mut out = String::new();
        {
            let area = SVGBackend::with_string(&mut out, units_of((width, height))).into_drawing_area();
            self.draw(&area, (width, height), variant, FAMILIES);
            let _ = area.present();
        }
        tidy(&out, (width, height), alt, variant)
    }

    /// The picture as PNG, two of its pixels to one of the drawing's, on the background of `variant`.
    pub(super) fn png(&self, size: Point, variant: Variant) -> Result<Vec<u8>, Error> {
        static FONTS: Once = Once::new();
        FONTS.call_once(|| {
            for face in &font::FACES {
                // a face that cannot be read leaves its texts out; a test looks for them
                let _ = plotters::style::register_font(font::FAMILY, face.style, face.bytes);
            }
        });
        let (w, h) = units_of(size);
        let (w, h) = (w + w % 2, h + h % 2);
        let mut pixels = vec![255u8; w as usize * h as usize * 3];
        {
            let area = BitMapBackend::with_buffer(&mut pixels, (w, h)).into_drawing_area();
            let variant = if variant.background().is_none() { Variant::Light } else { variant };
            self.draw(&area, (f64::from(w) / SCALE, f64::from(h) / SCALE), variant, font::FAMILY);
            let _ = area.present();
        }
        // four units to a pixel of the drawing, two pixels of the picture: the mean of four smooths the edges
        let (half_w, half_h) = (w as usize / 2, h as usize / 2);
        let mut halved = Vec::with_capacity(half_w * half_h * 3);
        for y in 0..half_h {
            for x in 0..half_w {
                for channel in 0..3 {
                    let at = |dx: usize, dy: usize| u32::from(pixels[((2 * y + dy) * w as usize + 2 * x + dx) * 3 + channel]);
                    halved.push(((at(0, 0) + at(1, 0) + at(0, 1) + at(1, 1) + 2) / 4) as u8);
                }
            }
        }
        let mut out = Vec::new();
        let failed = |e: png::EncodingError| Error::Format { path: "figure.png".into(), what: say!("cannot be written ({e})", "non si può scrivere ({e})") };
        let mut encoder = png::Encoder::new(&mut out, half_w as u32, half_h as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header().and_then(|mut writer| writer.write_image_data(&halved)).map_err(failed)?;
        Ok(out)
    }

    /// Writing into a string cannot fail, and a bitmap in memory cannot either.
    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>, size: Point, variant: Variant, family: &str) {
        let colour = |style: &Style| {
            // two decimals keep the files short
            variant.colour(style.colour).mix((style.opacity.clamp(0.0, 1.0) * 100.0).round() / 100.0)
        };
        let shape = |style: &Style| match style.width {
            Some(width) => ShapeStyle { color: colour(style), filled: false, stroke_width: (width * SCALE).round() as u32 },
            None => colour(style).filled(),
        };
        if let Some(background) = variant.background() {
            let _ = area.draw(&Rectangle::new([(0, 0), units(size)], background.filled()));
        }
        for s in &self.shapes {
            let _ = match s {
                Shape::Path(points, style) => area.draw(&PathElement::new(points.iter().map(|&p| units(p)).collect::<Vec<_>>(), shape(style))),
                Shape::Polygon(points, style) => area.draw(&Polygon::new(points.iter().map(|&p| units(p)).collect::<Vec<_>>(), shape(style))),
                Shape::Rectangle(a, b, style) => area.draw(&Rectangle::new([units(*a), units(*b)], shape(style))),
                Shape::Circle(centre, radius, style) => area.draw(&Circle::new(units(*centre), (radius * SCALE).round().max(1.0) as i32, shape(style))),
                Shape::Text { text, at, size, anchor, colour, bold, upright } => {
                    let horizontal = match anchor {
                        At::Left => HPos::Left,
                        At::Middle => HPos::Center,
                        At::Right => HPos::Right,
                    };
                    let weight = if *bold { FontStyle::Bold } else { FontStyle::Normal };
                    let turn = if *upright { FontTransform::Rotate270 } else { FontTransform::None };
                    // plotters' SVG backend divides sizes by 1.24, and its bitmaps take a size for the height of a line
                    let font = FontDesc::new(FontFamily::Name(family), size * SCALE * 1.24, weight).transform(turn);
                    let ink = variant.colour(*colour);
                    let style = TextStyle::from(font).color(&ink).pos(Pos::new(horizontal, VPos::Center));
                    let shown = if family == font::FAMILY { font::printable(text, font::Fonts::Family) } else { text.clone() };
                    area.draw(&Text::new(shown, units(*at), style))
                }
            };
        }
    }
}

fn units((x, y): Point) -> (i32, i32) {
    // far outside any picture, and far inside i32
    let unit = |v: f64| (v * SCALE).round().clamp(-1e6, 1e6) as i32;
    (unit(x), unit(y))
}

fn units_of((width, height): Point) -> (u32, u32) {
    ((width * SCALE).ceil() as u32, (height * SCALE).ceil() as u32)
}

/// Names the picture, sizes it in pixels, hands the ink colour to the page and drops what only costs bytes.
///
/// plotters escapes quotes in text, so none of the attributes looked for can come from a label.
fn tidy(raw: &str, (width, height): Point, alt: &str, variant: Variant) -> String {
    let body = raw.split_once(">\n").map_or(raw, |(_, body)| body);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {:.0} {:.0}\" role=\"img\" aria-label=\"{}\" \
         font-family=\"{FAMILIES}\" color=\"#1F2429\" stroke-linejoin=\"round\" stroke-linecap=\"round\">\n",
        (width * SCALE).ceil(),
        (height * SCALE).ceil(),
        escape(alt),
    );
    let family = format!(" font-family=\"{}\"", FAMILIES.replace('\'', "&apos;"));
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
    out = out.replace(&family, "").replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", "");
    if variant == Variant::Page {
        out = out.replace(&format!("\"{}\"", hex(INK)), "\"currentColor\"");
    }
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

/// A colour as plotters writes it.
pub(crate) fn hex(c: RGBColor) -> String {
    format!("#{:02X}{:02X}{:02X}", c.0, c.1, c.2)
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
pub(super) fn text_width(text: &str, size: f64) -> f64 {
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
