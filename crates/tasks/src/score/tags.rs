//! Hashtags: sets of tags compared after what does not matter in a tag is taken away.

use super::{Interval, bootstrap, f1, mean, ratio};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use ts_rs::TS;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// What makes two tags the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sameness {
    /// `#città` is `#citta`.
    pub without_accents: bool,
    /// `#cucinaitaliana` is `#cucina` with `#italiana`, where the other side has both.
    pub compounds: bool,
}

impl Default for Sameness {
    fn default() -> Self {
        Self { without_accents: true, compounds: false }
    }
}

/// A tag without what never matters: the hash, case, separators; and accents if so wished.
/// Empty if nothing is left.
pub fn normal(tag: &str, without_accents: bool) -> String {
    let bare = tag.trim().trim_start_matches(['#', '＃']);
    let keep = |c: &char| c.is_alphanumeric() || (!without_accents && is_combining_mark(*c));
    let text: String = if without_accents { bare.nfd().filter(keep).collect() } else { bare.nfc().filter(keep).collect() };
    text.to_lowercase()
}

/// Scores of hashtags on a set of posts. Tags are compared by [`Sameness::default`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Tags {
    /// Share of the answered tags that were expected.
    pub precision: f64,
    /// Bootstrap interval of the precision.
    pub precision_ci: Interval,
    /// Share of the expected tags that were answered.
    pub recall: f64,
    /// Bootstrap interval of the recall.
    pub recall_ci: Interval,
    /// Harmonic mean of both, over all tags (micro).
    pub f1: f64,
    /// Bootstrap interval of the F1.
    pub f1_ci: Interval,
    /// Share of the posts with at least one expected tag among the answered ones.
    pub at_least_one_hit: f64,
    /// Bootstrap interval of that share.
    pub at_least_one_hit_ci: Interval,
    /// F1 where a compound also counts as its parts, see [`Sameness::compounds`].
    pub f1_compounds: f64,
    /// F1 where accents matter.
    pub f1_accents: f64,
    /// Distinct tags among all answered ones; near 0 if every post gets the same.
    pub diversity: f64,
    /// Distinct tags among all expected ones, to compare with.
    pub diversity_expected: f64,
    /// Tags answered for a post, on average.
    pub tags_per_post: f64,
    /// Answers that could not be read; they score as if nothing had been answered.
    pub unreadable: usize,
    /// Posts scored.
    pub examples: usize,
}

/// `(right, answered, expected)` of one post.
type Counts = (usize, usize, usize);

/// Counts of one post.
pub fn counts(expected: &[String], answered: &[String], sameness: Sameness) -> Counts {
    let set = |tags: &[String]| tags.iter().map(|t| normal(t, sameness.without_accents)).filter(|t| !t.is_empty()).collect::<BTreeSet<_>>();
    let (mut want, mut got) = (set(expected), set(answered));
    if sameness.compounds {
        let split = |tags: &BTreeSet<String>, other: &BTreeSet<String>| -> BTreeSet<String> {
            tags.iter().flat_map(|t| if other.contains(t) { vec![t.clone()] } else { parts(t, other).unwrap_or_else(|| vec![t.clone()]) }).collect()
        };
        let (w, g) = (split(&want, &got), split(&got, &want));
        (want, got) = (w, g);
    }
    (want.intersection(&got).count(), got.len(), want.len())
}

/// The F1 of one post.
pub fn share(expected: &[String], answered: &[String]) -> f64 {
    let (right, got, want) = counts(expected, answered, Sameness::default());
    f1(right, got, want)
}

/// The tags of `known` that together spell `tag`, if they do.
fn parts(tag: &str, known: &BTreeSet<String>) -> Option<Vec<String>> {
    // best[i]: the last part of a spelling of the first i bytes
    let mut best: Vec<Option<&String>> = vec![None; tag.len() + 1];
    for end in 1..=tag.len() {
        best[end] = known.iter().find(|k| {
            let start = end.checked_sub(k.len());
            start.is_some_and(|s| tag.as_bytes()[s..end] == *k.as_bytes() && (s == 0 || best[s].is_some()))
        });
    }
    let (mut out, mut at) = (Vec::new(), tag.len());
    while at > 0 {
        let part = best[at]?;
        out.push(part.clone());
        at -= part.len();
    }
    Some(out)
}

/// Scores answered tags against expected ones, post by post; `None` is an answer that could not be read.
pub fn tags(expected: &[Vec<String>], answered: &[Option<Vec<String>>]) -> Tags {
    let count = |sameness| -> Vec<Counts> { expected.iter().zip(answered).map(|(e, a)| counts(e, a.as_deref().unwrap_or_default(), sameness)).collect() };
    let metrics = |sample: &[Counts]| {
        let (right, answered, expected) = sample.iter().fold((0, 0, 0), |s, c| (s.0 + c.0, s.1 + c.1, s.2 + c.2));
        let hit = ratio(sample.iter().filter(|c| c.0 > 0).count(), sample.len());
        [ratio(right, answered), ratio(right, expected), f1(right, answered, expected), hit]
    };
    let own = count(Sameness::default());
    let ([precision, recall, f1, hit], cis) = (metrics(&own), bootstrap(&own, metrics));
    let all = answered.iter().flatten();
    Tags {
        precision,
        precision_ci: cis[0],
        recall,
        recall_ci: cis[1],
        f1,
        f1_ci: cis[2],
        at_least_one_hit: hit,
        at_least_one_hit_ci: cis[3],
        f1_compounds: metrics(&count(Sameness { compounds: true, ..Sameness::default() }))[2],
        f1_accents: metrics(&count(Sameness { without_accents: false, ..Sameness::default() }))[2],
        diversity: diversity(all),
        diversity_expected: diversity(expected.iter()),
        tags_per_post: mean(own.iter().map(|c| c.1 as f64)),
        unreadable: answered.iter().filter(|a| a.is_none()).count(),
        examples: own.len(),
    }
}

fn diversity<'a>(posts: impl Iterator<Item = &'a Vec<String>>) -> f64 {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for tag in posts.flatten().map(|t| normal(t, true)).filter(|t| !t.is_empty()) {
        *seen.entry(tag).or_default() += 1;
    }
    ratio(seen.len(), seen.values().sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list(text: &str) -> Vec<String> {
        text.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn what_does_not_matter_is_taken_away() {
        for same in ["#CucinaItaliana", "cucina_italiana", " #cucina-italiana ", "##CUCINAITALIANA"] {
            assert_eq!(normal(same, true), "cucinaitaliana", "{same}");
        }
        assert_eq!((normal("#Città", true), normal("#Città", false), normal("#citta\u{300}", false)), ("citta".into(), "città".into(), "città".into()));
        assert_eq!((normal("#", true), normal("#!?", true)), (String::new(), String::new()));
    }

    #[test]
    fn compounds_are_their_parts_where_the_other_side_has_them() {
        let compound = Sameness { compounds: true, ..Sameness::default() };
        let (want, got) = (list("#cucina #italiana #roma"), list("#cucinaitaliana #mare"));
        assert_eq!(counts(&want, &got, Sameness::default()), (0, 2, 3));
        assert_eq!(counts(&want, &got, compound), (2, 3, 3));
        // the other way round, and never by half
        assert_eq!(counts(&got, &want, compound), (2, 3, 3));
        assert_eq!(counts(&list("#cucina"), &list("#cucinaitaliana"), compound), (0, 1, 1));
    }

    #[test]
    fn scores_match_a_hand_computed_case() {
        let expected = vec![list("#a #b #c"), list("#città #x"), list("#q")];
        let answered = vec![Some(list("#A #b #z #b")), Some(list("#citta")), None];
        let s = tags(&expected, &answered);
        // 3 right of 4 answered and 6 expected
        assert!((s.precision - 0.75).abs() < 1e-12 && (s.recall - 0.5).abs() < 1e-12 && (s.f1 - 0.6).abs() < 1e-12);
        assert!((s.at_least_one_hit - 2.0 / 3.0).abs() < 1e-12);
        assert!((s.f1_accents - 0.4).abs() < 1e-12, "{}", s.f1_accents);
        assert_eq!((s.unreadable, s.examples), (1, 3));
        assert!((s.tags_per_post - 4.0 / 3.0).abs() < 1e-12);
        let same = tags(&vec![list("#a #b"); 10], &vec![Some(list("#a #b")); 10]);
        assert!((same.diversity - 0.1).abs() < 1e-12 && same.f1 == 1.0);
    }

    proptest! {
        #[test]
        fn any_text_can_be_scored(expected in proptest::collection::vec(".{0,12}", 0..6), answered in proptest::collection::vec(".{0,12}", 0..6)) {
            for compounds in [false, true] {
                let (right, got, want) = counts(&expected, &answered, Sameness { compounds, ..Sameness::default() });
                prop_assert!(right <= got && right <= want);
            }
            let (right, got, want) = counts(&expected, &expected, Sameness { compounds: true, ..Sameness::default() });
            prop_assert!(right == got && got == want);
        }
    }
}
