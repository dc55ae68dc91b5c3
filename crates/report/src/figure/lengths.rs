//! How long texts are in tokens.

use super::axis::Axis;
use super::canvas::{At, stroke};
use super::colour::{BLUE, INK, VERMILLION};
use super::{Figure, area};
use crate::text::{Lang, fill};
use serde::Serialize;
use serde_json::json;

/// Bars that a picture shows; neighbours are put together until there are no more.
const SHOWN: usize = 48;

/// Texts of about a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bin {
    /// Shortest, in tokens.
    pub from: usize,
    /// Longest, in tokens.
    pub to: usize,
    /// How many texts.
    pub count: usize,
}

/// Neighbours put together until at most [`SHOWN`] are left.
fn merged(bins: &[Bin]) -> Vec<Bin> {
    let stride = bins.len().div_ceil(SHOWN).max(1);
    let join = |part: &[Bin]| Some(Bin { from: part.first()?.from, to: part.last()?.to, count: part.iter().fold(0, |sum, b| b.count.saturating_add(sum)) });
    bins.chunks(stride).filter_map(join).collect()
}

/// Texts by their length in tokens. `bins` ascend; `limit` is the length beyond which none is taken.
pub fn length_histogram(bins: &[Bin], limit: Option<usize>, lang: Lang) -> Figure {
    let words = lang.words();
    let n = |count: usize| lang.integer(count as u64);
    let total = bins.iter().fold(0usize, |sum, b| sum.saturating_add(b.count));
    // the length that half of them do not exceed
    let mut seen = 0usize;
    let middle = bins.iter().find(|b| {
        seen = b.count.saturating_add(seen);
        seen >= total - total / 2
    });
    let longest = bins.iter().rfind(|b| b.count > 0).map_or(0, |b| b.to);
    let mut alt = fill(
        words.alt_lengths,
        &[("texts", &n(total)), ("from", &n(middle.map_or(0, |b| b.from))), ("to", &n(middle.map_or(0, |b| b.to))), ("most", &n(longest))],
    );
    if let Some(limit) = limit {
        alt.push(' ');
        alt.push_str(&fill(words.alt_lengths_limit, &[("limit", &n(limit))]));
    }
    let shown = merged(bins);
    let (left, top, width, height) = (56.0, 16.0, 520.0, 180.0);
    let bottom = top + height;
    let end = shown.last().map_or(1, |b| b.to.saturating_add(1)).max(1);
    let start = shown.first().map_or(0, |b| b.from);
    // a limit far beyond the texts would squeeze them; it is then only said
    let near = limit.filter(|l| *l / 2 <= end);
    let x = Axis::new(start as f64, near.unwrap_or(0).max(end) as f64, left, left + width, false);
    let most = shown.iter().map(|b| b.count).max().unwrap_or(0).max(1);
    let y = Axis::new(0.0, most as f64 * 1.05, bottom, top, false);
    let cell = |b: &Bin| (x.at(b.from as f64), x.at(b.to as f64 + 1.0));
    let points: Vec<_> = shown
        .iter()
        .map(|b| {
            let (from, to) = cell(b);
            let text = fill(words.pointer_lengths, &[("from", &n(b.from)), ("to", &n(b.to)), ("count", &n(b.count))]);
            area((from, top), (to - from, height), text)
        })
        .collect();
    let data = json!({
        "kind": "lengths",
        "bins": bins,
        "limit": limit,
        "limit_drawn": near.is_some(),
        "pointer": {"along": "cells", "plot": [left, top, left + width, bottom], "points": points},
    });
    Figure::draw((left + width + 24.0, bottom + 46.0), alt, data, |c| {
        for (value, text) in y.whole_ticks(4, lang) {
            c.line((left, y.at(value)), (left + width, y.at(value)), stroke(INK, 0.13, 1.0));
            c.text(&text, (left - 8.0, y.at(value)), 11.0, At::Right, INK);
        }
        c.line((left, bottom), (left + width, bottom), stroke(INK, 0.55, 1.0));
        for (value, text) in x.whole_ticks(8, lang) {
            c.text(&text, (x.at(value), bottom + 14.0), 11.0, At::Middle, INK);
        }
        c.text(words.lengths_axis, (left + width / 2.0, bottom + 35.0), 12.0, At::Middle, INK);
        c.upright(words.lengths_count_axis, (12.0, top + height / 2.0), 12.0, At::Middle, INK);
        for b in &shown {
            let (from, to) = cell(b);
            let high = y.at(b.count as f64);
            if b.count > 0 {
                // one text among thousands is still to be seen
                let high = high.min(bottom - 1.0);
                c.rectangle((from, high), ((to - from - 1.0).max(1.0), bottom - high), BLUE, 0.8);
            }
        }
        if let Some(limit) = near {
            let at = x.at(limit as f64);
            c.line((at, top - 6.0), (at, bottom), stroke(VERMILLION, 0.9, 1.5));
            c.text(&fill(words.lengths_limit, &[("limit", &n(limit))]), (at - 6.0, top - 4.0), 11.0, At::Right, INK);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_bins_are_put_together_and_none_is_lost() {
        let bins: Vec<Bin> = (0..1000).map(|i| Bin { from: 2 * i, to: 2 * i + 1, count: i }).collect();
        let shown = merged(&bins);
        assert!(shown.len() <= SHOWN && shown[0].from == 0 && shown.last().unwrap().to == 1999);
        assert_eq!(shown.iter().map(|b| b.count).sum::<usize>(), bins.iter().map(|b| b.count).sum::<usize>());
        assert!(shown.windows(2).all(|w| w[0].to + 1 == w[1].from));
        assert!(merged(&[]).is_empty());
    }
}
