//! Who was taken for whom.

use super::canvas::{At, stroke, text_width};
use super::colour::{CELL_RIGHT, CELL_WRONG, INK};
use super::{Figure, Plot, area, label};
use crate::text::{Lang, fill};
use plotters::style::{RGBColor, WHITE};
use serde::Serialize;
use serde_json::json;
use tasks::score::Confusion;

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

/// Labels that a picture shows: with more it would be larger than any page, so those with most mistakes stand for all.
const SHOWN: usize = 100;

/// The labels in the order of rows and columns: the one with most mistakes first, and each followed by the one that it is
/// most often confused with, so that those taken for one another are neighbours.
fn order(confusion: &Confusion) -> Vec<usize> {
    let n = confusion.labels.len();
    let count = |r: usize, c: usize| confusion.counts.get(r).and_then(|row| row.get(c)).copied().unwrap_or(0);
    let between = |a: usize, b: usize| count(a, b) + count(b, a);
    let mistakes: Vec<usize> = (0..n).map(|i| (0..=n).filter(|&c| c != i).map(|c| count(i, c)).sum::<usize>()).collect();
    let mut left: Vec<usize> = (0..n).collect();
    left.sort_by_key(|&i| std::cmp::Reverse(mistakes[i]));
    left.truncate(SHOWN);
    let mut out = Vec::with_capacity(left.len());
    while !left.is_empty() {
        // without a neighbour, the one with most mistakes begins anew
        let next = out.last().and_then(|&last| (0..left.len()).filter(|&i| between(last, left[i]) > 0).max_by_key(|&i| between(last, left[i])));
        out.push(left.remove(next.unwrap_or(0)));
    }
    out
}

/// Opacity of a cell that holds this share of its row. A root, because most mistakes are small shares that
/// should still be seen, and never so faint that it looks empty.
fn cell_opacity(share: f64) -> f64 {
    0.1 + 0.9 * share.clamp(0.0, 1.0).sqrt()
}

/// A cell that is not empty.
struct Cell {
    /// Row and column of the picture.
    place: (usize, usize),
    count: usize,
    share: f64,
    text: String,
    colour: RGBColor,
    opacity: f64,
    row: usize,
    column: usize,
}

/// Smallest size of a text in pixels: on paper, where a pixel is 0.72 points, still 5 points.
const SMALLEST: f64 = 7.5;
/// Width of a digit in parts of its size, see [`text_width`].
const DIGIT: f64 = 0.57;
/// From this opacity on white numbers read better than ink.
const WHITE_FROM: f64 = 0.68;

/// What the numbers in the cells are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cells {
    /// Examples.
    Counts,
    /// Shares of the row in whole percent.
    Shares,
}

/// Who was taken for whom: rows are expected labels, columns answers.
///
/// Labels taken for one another are neighbours. Blue cells are right, red-brown ones wrong; the more of its row a cell
/// holds, the stronger. The column of outputs that were no label stands apart and only where there are any.
pub fn confusion_matrix(confusion: &Confusion, numbers: Cells, lang: Lang) -> Figure {
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
    let shown = order(confusion);
    if shown.len() < n {
        alt.push(' ');
        alt.push_str(&fill(words.alt_confusion_shown, &[("shown", &lang.integer(shown.len() as u64))]));
    }
    let mut data = json!({
        "kind": "confusion",
        "order": shown,
        "labels": confusion.labels,
        "rows": "expected",
        "columns": "answered, then no label",
        "counts": confusion.counts,
        "numbers": if numbers == Cells::Counts { "counts" } else { "percent of the row" },
        "right": right,
        "examples": total,
    });

    let mut cells = Vec::new();
    for (r, &row) in shown.iter().enumerate() {
        let of: usize = (0..=n).map(|column| count(row, column)).sum();
        for (c, column) in shown.iter().copied().chain(extra.then_some(n)).enumerate() {
            let value = count(row, column);
            if value > 0 {
                let colour = if row == column { CELL_RIGHT } else { CELL_WRONG };
                let share = value as f64 / of as f64;
                let text = match numbers {
                    Cells::Counts => value.to_string(),
                    // what is there is never nothing
                    Cells::Shares if share < 0.005 => "<1".into(),
                    Cells::Shares => lang.decimal(share * 100.0, 0),
                };
                cells.push(Cell { place: (r, c), count: value, share, text, colour, opacity: cell_opacity(share), row, column });
            }
        }
    }

    // cells shrink as labels grow in number; from about forty on, or where a number would become too small to be read, the
    // picture grows instead
    let m = shown.len();
    let digits = cells.iter().map(|cell| cell.text.len()).max().unwrap_or(1);
    let cell_side = (560.0 / m.max(1) as f64).clamp(11.0, 40.0).max(2.0 + SMALLEST * DIGIT * digits as f64);
    let size = (cell_side * 0.82).clamp(SMALLEST, 12.0);
    let gap = if extra { cell_side * 0.3 } else { 0.0 };
    let labels: Vec<String> = shown.iter().copied().chain(extra.then_some(n)).map(name).collect();
    let longest = labels.iter().map(|l| text_width(l, size)).fold(30.0, f64::max);
    let (left, top) = (24.0 + longest + 8.0, 24.0 + longest + 8.0);
    let side = m as f64 * cell_side;
    let matrix = side + gap + if extra { cell_side } else { 0.0 };
    let key_width =
        text_width(words.colour_key, 11.0) + 12.0 + [words.colour_right, words.colour_wrong].map(|w| 82.0 + text_width(w, 11.0)).iter().sum::<f64>();
    let (width, height) = (left + matrix.max(key_width) + 8.0, top + side + 48.0);
    let column_x = |c: usize| left + c as f64 * cell_side + if c == m { gap } else { 0.0 };
    let at = |cell: &Cell| (column_x(cell.place.1), top + cell.place.0 as f64 * cell_side);
    let points: Vec<_> = cells
        .iter()
        .map(|cell| {
            let values = [
                ("expected", name(cell.row)),
                ("answered", name(cell.column)),
                ("count", lang.integer(cell.count as u64)),
                ("share", lang.percent(cell.share)),
            ];
            area(at(cell), (cell_side, cell_side), fill(words.pointer_cell, &values.each_ref().map(|(n, v)| (*n, v.as_str()))))
        })
        .collect();
    data["pointer"] = json!({"along": "cells", "plot": [left, top, left + matrix, top + side], "points": points});

    let mut figure = Figure::draw((width, height), alt, data, |c| {
        c.text(words.answered_axis, (left + side / 2.0, 10.0), 12.0, At::Middle, INK);
        c.upright(words.expected_axis, (10.0, top + side / 2.0), 12.0, At::Middle, INK);
        for (i, text) in labels.iter().enumerate() {
            if i < m {
                c.text(text, (left - 6.0, top + (i as f64 + 0.5) * cell_side), size, At::Right, INK);
            }
            c.upright(text, (column_x(i) + cell_side / 2.0, top - 6.0), size, At::Left, INK);
        }
        let line = stroke(INK, 0.12, 0.5);
        for i in 0..=m {
            let at = i as f64 * cell_side;
            c.line((left, top + at), (left + side, top + at), line);
            c.line((left + at, top), (left + at, top + side), line);
            if extra {
                c.line((column_x(m), top + at), (column_x(m) + cell_side, top + at), line);
            }
        }
        if extra {
            c.line((column_x(m), top), (column_x(m), top + side), line);
            c.line((column_x(m) + cell_side, top), (column_x(m) + cell_side, top + side), line);
        }
        for cell in &cells {
            // the grid stays visible between cells
            let (x, y) = at(cell);
            c.rectangle((x + 0.5, y + 0.5), (cell_side - 1.0, cell_side - 1.0), cell.colour, cell.opacity);
            let fits = (cell_side - 2.0) / (cell.text.len() as f64 * DIGIT);
            let ink = if cell.opacity >= WHITE_FROM { WHITE } else { INK };
            c.text(&cell.text, (x + cell_side / 2.0, y + cell_side / 2.0), fits.min(size + 0.5), At::Middle, ink);
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
    figure.plot = Some(Plot::Cells { left, top, cell: cell_side, rows: m, columns: m + usize::from(extra), gap });
    figure
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
    fn pairs_come_commonest_first() {
        let confusion = Confusion { labels: vec!["a".into(), "b".into()], counts: vec![vec![5, 2, 0], vec![3, 1, 4]] };
        let pairs = pairs(&confusion);
        assert_eq!(
            pairs.iter().map(|p| (p.expected, p.answered, p.count, p.of)).collect::<Vec<_>>(),
            [(1, None, 4, 8), (1, Some(0), 3, 8), (0, Some(1), 2, 7)]
        );
    }
}
