//! The one type family of figures and documents that need a font in hand: Inter, by Rasmus Andersson and
//! others, under the SIL Open Font License 1.1 (`assets/fonts/inter/OFL.txt`); and beside it, for documents,
//! Noto Emoji in one colour, by Google, under the same licence (`assets/fonts/noto-emoji/OFL.txt`; without the
//! digits and signs that Inter has).
//!
//! A PDF holds what it needs of them, a bitmap has been drawn with them, and a page brings [`WEB`]: it falls back on the
//! reader's fonts for other scripts alone. An SVG file of its own is too small a thing to carry a font, and falls back.
//! [`printable`] makes visible what the fonts have no picture for.

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

/// The family inside a page, as a style sheet: what Latin letters, numbers and our signs need of it, upright and bold.
///
/// Of each face, `pyftsubset FACE.otf --flavor=woff2 --desubroutinize --layout-features=kern,tnum,mark,mkmk,ccmp,locl` with
/// `--unicodes` of Latin with its two first extensions, punctuation, arrows and the signs of mathematics that figures use
/// (fontTools 4.68); then in base 64.
pub(crate) const WEB: &str = include_str!("../../../assets/fonts/inter/web.css");

/// The emoji of documents.
pub(crate) static EMOJI: &[u8] = include_bytes!("../../../assets/fonts/noto-emoji/NotoEmoji-Regular.ttf");

/// What fonts can draw.
fn coverage(bytes: &'static [u8]) -> Vec<typst::text::Coverage> {
    typst::text::Font::iter(typst::foundations::Bytes::new(bytes)).map(|font| font.info().coverage.clone()).collect()
}

static INTER: LazyLock<Vec<typst::text::Coverage>> = LazyLock::new(|| FACES.iter().flat_map(|face| coverage(face.bytes)).collect());
static NOTO_EMOJI: LazyLock<Vec<typst::text::Coverage>> = LazyLock::new(|| coverage(EMOJI));

fn has(c: char) -> bool {
    INTER.iter().all(|face| face.contains(c as u32))
}

/// Which fonts are at hand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fonts {
    /// The family alone: in bitmaps, which take one font.
    Family,
    /// The family and the emoji: on paper.
    WithEmoji,
}

/// What stands for a character that the fonts lack.
pub(crate) const LACKING: char = '□';

/// Replaces characters that the fonts lack: brackets by near ones, joiners by nothing, all else by [`LACKING`].
pub(crate) fn printable(text: &str, fonts: Fonts) -> String {
    let emoji = |c: char| fonts == Fonts::WithEmoji && NOTO_EMOJI.iter().any(|face| face.contains(c as u32));
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            _ if c.is_ascii() => out.push(c),
            // they only join or choose the look of the character before; joined emoji are shown side by side, because
            // a joiner that ends in another font than its emoji has no picture there
            '\u{200c}' | '\u{200d}' | '\u{20e3}' | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' => {}
            _ if has(c) || emoji(c) => out.push(c),
            '⟨' => out.push('‹'),
            '⟩' => out.push('›'),
            _ => out.push(LACKING),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emoji_are_kept_where_there_is_a_font_for_them() {
        assert_eq!(printable("è 🔥!", Fonts::WithEmoji), "è 🔥!");
        assert_eq!(printable("è 🔥!", Fonts::Family), "è □!");
        assert_eq!(printable("👩\u{200d}🚀 👍\u{1f3fd}", Fonts::WithEmoji), "👩🚀 👍");
        assert_eq!(printable("👩\u{200d}🚀", Fonts::Family), "□□");
        assert_eq!(printable("⟨U+0000⟩ 漢", Fonts::WithEmoji), "‹U+0000› □");
    }
}
