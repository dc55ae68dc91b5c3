//! The one type family of figures and documents that need a font in hand: Inter, by Rasmus Andersson and
//! others, under the SIL Open Font License 1.1 (`assets/fonts/inter/OFL.txt`).
//!
//! An SVG or HTML page may fall back on the reader's fonts; a PDF and a bitmap may not. [`printable`] makes
//! visible what the family has no picture for.

use std::sync::LazyLock;

/// Its name.
pub(crate) const FAMILY: &str = "Inter";

/// A face of the family.
pub(crate) struct Face {
    /// Its file, whole.
    pub bytes: &'static [u8],
    /// The style that plotters asks for.
    pub style: plotters::style::FontStyle,
}

/// The faces.
pub(crate) static FACES: [Face; 3] = [
    Face { bytes: include_bytes!("../../../assets/fonts/inter/Inter-Regular.otf"), style: plotters::style::FontStyle::Normal },
    Face { bytes: include_bytes!("../../../assets/fonts/inter/Inter-Bold.otf"), style: plotters::style::FontStyle::Bold },
    Face { bytes: include_bytes!("../../../assets/fonts/inter/Inter-Italic.otf"), style: plotters::style::FontStyle::Italic },
];

/// What the faces can draw.
static COVERAGE: LazyLock<Vec<typst::text::Coverage>> = LazyLock::new(|| {
    let fonts = FACES.iter().flat_map(|face| typst::text::Font::iter(typst::foundations::Bytes::new(face.bytes)));
    fonts.map(|font| font.info().coverage.clone()).collect()
});

fn has(c: char) -> bool {
    COVERAGE.iter().all(|face| face.contains(c as u32))
}

/// Replaces characters that the family lacks: brackets by near ones, joiners by nothing, all else by `□`.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            _ if c.is_ascii() || has(c) => out.push(c),
            '⟨' => out.push('‹'),
            '⟩' => out.push('›'),
            // they only join or choose the look of the character before
            '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' => {}
            _ => out.push('□'),
        }
    }
    out
}
