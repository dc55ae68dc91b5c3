//! Entities by tagging: each word of a text gets a tag, and tags are spans.
//!
//! Tags are BIOES: a span's first word is B, its last E, those between I, one alone S, every other word
//! is O. Words, not tokens, are tagged, and each is tokenized by itself ([`data::encode::Encoder::words`]):
//! where spans begin and end is then counted on the text, and no byte of a character, no piece of a name
//! and no token across two words can move it. Measured on the shipped data, it is also what a model finds
//! easier than tagging tokens (BENCHMARKS.md). Not every sequence of tags is one of spans; [`decode`] finds
//! the likeliest of those that are.

use data::example::Span;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use unicode_normalization::char::is_combining_mark;

/// What is tagged as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cut {
    /// Words, and each other character by itself.
    #[default]
    Words,
    /// Every character: for scripts without spaces, and for entities that are parts of words.
    Characters,
}

/// The tag of a word that belongs to no span.
const OUTSIDE: u32 = 0;

/// What a tag says of a word's place in its span; the tags of a type follow each other in this order.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Begin,
    Inside,
    End,
    Single,
}

const PLACES: [Place; 4] = [Place::Begin, Place::Inside, Place::End, Place::Single];

fn tag(kind: usize, place: Place) -> u32 {
    1 + 4 * kind as u32 + place as u32
}

/// Type and place of a tag; none of [`OUTSIDE`].
fn meaning(tag: usize) -> Option<(usize, Place)> {
    let at = tag.checked_sub(1)?;
    Some((at / 4, PLACES[at % 4]))
}

/// How many tags there are for so many types.
pub fn count(types: usize) -> usize {
    1 + 4 * types
}

/// The names of the tags in the order of their numbers: `O`, then `B-`, `I-`, `E-` and `S-` of each type.
pub fn names(types: &[String]) -> Vec<String> {
    let of = |kind: &String| ["B", "I", "E", "S"].map(|place| format!("{place}-{kind}"));
    std::iter::once("O".into()).chain(types.iter().flat_map(of)).collect()
}

/// The byte ranges of the words of a text, in order, without white space.
pub fn words(text: &str, cut: Cut) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    // whether the next character may go on with the last word, and whether a letter may
    let (mut joined, mut letters) = (false, false);
    for (at, c) in text.char_indices() {
        if c.is_whitespace() {
            joined = false;
            continue;
        }
        let letter = c.is_alphanumeric();
        let goes_on = cut == Cut::Words && joined && (is_combining_mark(c) || (letter && letters));
        match out.last_mut().filter(|_| goes_on) {
            Some(word) => word.end = at + c.len_utf8(),
            None => {
                out.push(at..at + c.len_utf8());
                letters = letter;
            }
        }
        joined = true;
    }
    out
}

/// The tags that say which spans a text has. A span marks every word that it touches; one whose type is
/// not among `types`, or whose words another has marked, is left out. [`holds`] says if that loses anything.
pub fn tags(text: &str, words: &[Range<usize>], spans: &[Span], types: &[String]) -> Vec<u32> {
    let mut out = vec![OUTSIDE; words.len()];
    let bytes: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let mut spans: Vec<&Span> = spans.iter().collect();
    spans.sort();
    for span in spans {
        let Some(kind) = types.iter().position(|t| *t == span.kind) else { continue };
        let (Some(&start), Some(&end)) = (bytes.get(span.start), bytes.get(span.end)) else { continue };
        let first = words.partition_point(|w| w.end <= start);
        let after = words.partition_point(|w| w.start < end);
        let Some(own) = out.get_mut(first..after).filter(|own| own.iter().all(|&t| t == OUTSIDE)) else { continue };
        match own {
            [] => {}
            [one] => *one = tag(kind, Place::Single),
            [begin, inside @ .., end] => {
                *begin = tag(kind, Place::Begin);
                inside.fill(tag(kind, Place::Inside));
                *end = tag(kind, Place::End);
            }
        }
    }
    out
}

/// The spans that tags mark, in order. `tags` must be a sequence that [`decode`] or [`tags`](fn@tags) gives.
pub fn spans(text: &str, words: &[Range<usize>], tags: &[u32], types: &[String]) -> Vec<Span> {
    let mut out = Vec::new();
    let mut begun = 0;
    // characters are counted once, along the text
    let (mut chars, mut bytes) = (0, 0);
    let mut character = |byte: usize| {
        chars += text.get(bytes..byte).map_or(0, |part| part.chars().count());
        bytes = byte;
        chars
    };
    for (word, &tag) in words.iter().zip(tags) {
        let Some((kind, place)) = meaning(tag as usize) else { continue };
        if matches!(place, Place::Begin | Place::Single) {
            begun = character(word.start);
        }
        if let (Place::End | Place::Single, Some(kind)) = (place, types.get(kind)) {
            out.push(Span { start: begun, end: character(word.end), kind: kind.clone() });
        }
    }
    out
}

/// Can tags say exactly these spans? Not if one begins or ends within a word, overlaps another or has a
/// type that is not among `types`.
pub fn holds(text: &str, words: &[Range<usize>], spans: &[Span], types: &[String]) -> bool {
    let mut wanted = spans.to_vec();
    wanted.sort();
    self::spans(text, words, &tags(text, words, spans, types), types) == wanted
}

/// May a text begin with this tag? Where it may, it may also stand after a span has ended.
fn begins(tag: usize) -> bool {
    meaning(tag).is_none_or(|(_, place)| matches!(place, Place::Begin | Place::Single))
}

/// May a text end with this tag?
fn ends(tag: usize) -> bool {
    meaning(tag).is_none_or(|(_, place)| matches!(place, Place::End | Place::Single))
}

/// May the one tag follow the other?
fn follows(before: usize, after: usize) -> bool {
    match (meaning(before), meaning(after)) {
        (Some((open, Place::Begin | Place::Inside)), Some((kind, Place::Inside | Place::End))) => open == kind,
        (Some((_, Place::Begin | Place::Inside)), _) => false,
        _ => begins(after),
    }
}

/// The likeliest sequence of tags that is one of spans (Viterbi 1967), and its probability among all such
/// sequences, as the forward algorithm sums them up. Words are independent but for what may follow what.
///
/// `probabilities` holds for each word those of all tags, as many as [`count`] says.
pub fn decode(probabilities: &[Vec<f32>]) -> (Vec<u32>, f64) {
    let log = |p: f32| f64::from(p.max(f32::MIN_POSITIVE)).ln();
    let Some((first, rest)) = probabilities.split_first() else { return (Vec::new(), 1.0) };
    let never = f64::NEG_INFINITY;
    let mut best: Vec<f64> = first.iter().enumerate().map(|(tag, &p)| if begins(tag) { log(p) } else { never }).collect();
    let mut all = best.clone();
    let mut steps: Vec<Vec<usize>> = Vec::with_capacity(rest.len());
    for word in rest {
        let before = |tag: usize| (0..word.len()).filter(move |&b| follows(b, tag));
        let step: Vec<usize> = (0..word.len()).map(|tag| before(tag).max_by(|&a, &b| best[a].total_cmp(&best[b]).then(b.cmp(&a))).unwrap_or(0)).collect();
        all = word.iter().enumerate().map(|(tag, &p)| log_sum(before(tag).map(|b| all[b])) + log(p)).collect();
        best = word.iter().enumerate().map(|(tag, &p)| best[step[tag]] + log(p)).collect();
        steps.push(step);
    }
    let last = (0..best.len()).filter(|&tag| ends(tag));
    let total = log_sum(last.clone().map(|tag| all[tag]));
    let mut at = last.max_by(|&a, &b| best[a].total_cmp(&best[b]).then(b.cmp(&a))).unwrap_or(0);
    let probability = (best[at] - total).exp().min(1.0);
    let mut path = vec![at as u32];
    for step in steps.iter().rev() {
        at = step[at];
        path.push(at as u32);
    }
    path.reverse();
    (path, probability)
}

/// `ln Σ eˣ`, without overflow.
fn log_sum(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let max = values.clone().fold(f64::NEG_INFINITY, f64::max);
    if max == f64::NEG_INFINITY { max } else { max + values.map(|v| (v - max).exp()).sum::<f64>().ln() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn types() -> Vec<String> {
        ["dates", "people"].map(String::from).to_vec()
    }

    fn span(start: usize, end: usize, kind: &str) -> Span {
        Span { start, end, kind: kind.into() }
    }

    fn cut(text: &str, cut: Cut) -> Vec<&str> {
        words(text, cut).into_iter().map(|w| &text[w]).collect()
    }

    #[test]
    fn texts_are_cut_into_words() {
        assert_eq!(cut(" L'Aquila, 3/5 \n e\u{301}!", Cut::Words), ["L", "'", "Aquila", ",", "3", "/", "5", "e\u{301}", "!"]);
        assert_eq!(cut("東京 ab", Cut::Words), ["東京", "ab"]);
        assert_eq!(cut("東京 ab", Cut::Characters), ["東", "京", "a", "b"]);
        assert_eq!(cut("👍\u{1F3FD}x", Cut::Words), ["👍", "\u{1F3FD}", "x"]);
        assert!(words(" \n\u{3000}", Cut::Words).is_empty());
    }

    #[test]
    fn spans_become_tags_and_tags_spans() {
        let text = "Aldo B. è nato l’8 è Ugo";
        let words = words(text, Cut::Words);
        let spans_of = [span(0, 7, "people"), span(15, 18, "dates"), span(21, 24, "people")];
        let tags = tags(text, &words, &spans_of, &types());
        let (b, i, e, s) = (5, 6, 7, 8);
        assert_eq!(tags, [b, i, e, 0, 0, 1, 2, 3, 0, s]);
        let names = names(&types());
        assert_eq!((names.len(), [b, i, e, s].map(|t| names[t as usize].as_str())), (count(2), ["B-people", "I-people", "E-people", "S-people"]));
        assert_eq!(spans(text, &words, &tags, &types()), spans_of);
    }

    #[test]
    fn what_tags_cannot_say_is_known() {
        let text = "pre-Natale 2024, Annamaria";
        let (whole, letters) = (words(text, Cut::Words), words(text, Cut::Characters));
        let within = [span(17, 21, "people")];
        assert!(!holds(text, &whole, &within, &types()) && holds(text, &letters, &within, &types()));
        assert_eq!(spans(text, &whole, &tags(text, &whole, &within, &types()), &types()), [span(17, 26, "people")], "the word that it is in");
        assert!(!holds(text, &whole, &[span(0, 10, "dates"), span(4, 15, "dates")], &types()), "overlapping");
        assert!(!holds(text, &whole, &[span(4, 10, "feasts")], &types()), "of an unknown type");
        assert!(!holds(text, &whole, &[span(4, 99, "dates")], &types()), "outside of the text");
        assert!(holds(text, &whole, &[span(4, 15, "dates")], &types()) && holds(text, &whole, &[], &types()));
    }

    /// Probabilities of so many words over the tags of two types, and texts of any characters.
    fn scores(words: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<Vec<f32>>> {
        proptest::collection::vec(proptest::collection::vec(0.0f32..1.0, 9), words)
    }

    fn valid(path: &[u32]) -> bool {
        let tag = |i: usize| path[i] as usize;
        path.is_empty() || (begins(tag(0)) && ends(tag(path.len() - 1)) && (1..path.len()).all(|i| follows(tag(i - 1), tag(i))))
    }

    proptest! {
        #[test]
        fn the_decoded_path_is_the_best_of_all_valid_ones(scores in scores(1..=4)) {
            let (path, probability) = decode(&scores);
            prop_assert!(valid(&path));
            let score = |path: &[u32]| path.iter().zip(&scores).map(|(&t, p)| f64::from(p[t as usize])).product::<f64>();
            let (mut best, mut all) = (0.0f64, 0.0);
            for number in 0..9usize.pow(scores.len() as u32) {
                let other: Vec<u32> = (0..scores.len()).map(|i| (number / 9usize.pow(i as u32) % 9) as u32).collect();
                if valid(&other) {
                    best = best.max(score(&other));
                    all += score(&other);
                }
            }
            prop_assert!((score(&path) - best).abs() <= 1e-9 * best);
            prop_assert!((probability - best / all).abs() < 1e-6, "{} is not {}", probability, best / all);
        }

        #[test]
        fn every_decoded_path_is_one_of_spans(scores in scores(0..=30)) {
            let (path, probability) = decode(&scores);
            prop_assert!(valid(&path) && path.len() == scores.len() && (0.0..=1.0).contains(&probability));
            let text = "x ".repeat(scores.len());
            let words = words(&text, Cut::Words);
            let found = spans(&text, &words, &path, &types());
            prop_assert_eq!(tags(&text, &words, &found, &types()), path, "nothing is lost on the way");
        }

        #[test]
        fn any_spans_of_any_text_come_back(text in "(\\PC|[a-zé \u{301}東👍\u{1F3FD}\u{200D}\n]){0,24}", ends in proptest::collection::btree_set(0usize..24, 0..6), by_letter: bool) {
            let cut = if by_letter { Cut::Characters } else { Cut::Words };
            let words = words(&text, cut);
            // words lie in the text in order, and hold everything but white space
            let inside: usize = words.iter().map(|w| text[w.clone()].chars().count()).sum();
            prop_assert!(words.windows(2).all(|w| w[0].end <= w[1].start));
            prop_assert_eq!(inside, text.chars().filter(|c| !c.is_whitespace()).count());
            // disjoint spans from word to word, counted in characters
            let chars = |byte: usize| text[..byte].chars().count();
            let ends: Vec<usize> = ends.into_iter().filter(|&e| e < words.len()).collect();
            let of = |pair: &[usize]| span(chars(words[pair[0]].start), chars(words[pair[1] - 1].end), types()[pair[0] % 2].as_str());
            let wanted: Vec<Span> = ends.windows(2).map(of).collect();
            prop_assert!(holds(&text, &words, &wanted, &types()));
            let tags = tags(&text, &words, &wanted, &types());
            prop_assert!(valid(&tags));
            prop_assert_eq!(spans(&text, &words, &tags, &types()), wanted);
        }
    }
}
