//! Free text: how near an answer comes to what was expected.

use super::{Interval, bootstrap, mean, ratio};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use ts_rs::TS;
use unicode_normalization::UnicodeNormalization;

/// Scores of free text on a set of examples, each the mean over examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct FreeText {
    /// Share of the answers that are the expected text, character by character, outer white space aside.
    pub exact_match: f64,
    /// Bootstrap interval of that share.
    pub exact_match_ci: Interval,
    /// The same after case, punctuation and runs of white space are taken away.
    pub normalised_match: f64,
    /// Bootstrap interval of that share.
    pub normalised_match_ci: Interval,
    /// F1 over the words of both texts, as bags (Rajpurkar et al. 2016, arXiv 1606.05250).
    pub token_f1: f64,
    /// Bootstrap interval of the token F1.
    pub token_f1_ci: Interval,
    /// F1 of the longest common subsequence of words (Lin 2004, aclanthology.org/W04-1013).
    pub rouge_l: f64,
    /// Bootstrap interval of ROUGE-L.
    pub rouge_l_ci: Interval,
    /// F-score over character n-grams up to six, recall weighted twice (Popović 2015, aclanthology.org/W15-3049).
    pub chrf: f64,
    /// Bootstrap interval of chrF.
    pub chrf_ci: Interval,
    /// Share of the answers that fit the JSON schema of the task, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub schema_valid: Option<f64>,
    /// Bootstrap interval of that share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub schema_valid_ci: Option<Interval>,
    /// Answers that were empty or could not be read.
    pub unreadable: usize,
    /// Examples scored.
    pub examples: usize,
}

/// Longest answer that is looked at, in characters: what a model writes after that is not read, so an
/// endless answer costs no more than a long one.
const LONGEST: usize = 20_000;
/// Longest answer for the common subsequence, in words; its cost grows with the product of both lengths.
const LONGEST_WORDS: usize = 2_000;

/// Scores answers against expected texts; `None` is an answer that could not be read, and scores 0.
pub fn free_text(expected: &[String], answered: &[Option<String>]) -> FreeText {
    summary(&expected.iter().zip(answered).map(|(want, got)| of(want, got.as_deref())).collect::<Vec<_>>(), answered)
}

/// What [`one`] says of an answer; zeros of one that could not be read.
pub fn of(expected: &str, answered: Option<&str>) -> [f64; 5] {
    answered.map_or([0.0; 5], |answered| one(expected, answered))
}

/// Scores of answers from those of each, see [`of`].
pub fn summary(rows: &[[f64; 5]], answered: &[Option<String>]) -> FreeText {
    let metrics = |sample: &[[f64; 5]]| std::array::from_fn::<f64, 5, _>(|i| mean(sample.iter().map(|r| r[i])));
    let ([exact_match, normalised_match, token_f1, rouge_l, chrf], cis) = (metrics(rows), bootstrap(rows, metrics));
    FreeText {
        exact_match,
        exact_match_ci: cis[0],
        normalised_match,
        normalised_match_ci: cis[1],
        token_f1,
        token_f1_ci: cis[2],
        rouge_l,
        rouge_l_ci: cis[3],
        chrf,
        chrf_ci: cis[4],
        schema_valid: None,
        schema_valid_ci: None,
        unreadable: answered.iter().filter(|a| a.as_deref().is_none_or(|a| a.trim().is_empty())).count(),
        examples: rows.len(),
    }
}

impl FreeText {
    /// The same with the share of the answers that fit a schema: `valid` says it of each.
    pub fn under_schema(self, valid: &[bool]) -> Self {
        let share = |sample: &[bool]| [ratio(sample.iter().filter(|v| **v).count(), sample.len())];
        Self { schema_valid: Some(share(valid)[0]), schema_valid_ci: Some(bootstrap(valid, share)[0]), ..self }
    }
}

/// A text as far as it is looked at, without outer white space.
fn cut(text: &str) -> String {
    text.trim().chars().take(LONGEST).collect()
}

/// Is an answer the expected text? The first score of [`one`], by itself.
pub fn exact(expected: &str, answered: &str) -> bool {
    cut(expected) == cut(answered)
}

/// Exact match, normalised match, token F1, ROUGE-L and chrF of one answer.
pub fn one(expected: &str, answered: &str) -> [f64; 5] {
    let (want, got) = (cut(expected), cut(answered));
    let (want_words, got_words) = (words(&want), words(&got));
    [
        f64::from(want == got),
        f64::from(want_words == got_words && (!want_words.is_empty() || want == got)),
        token_f1(&want_words, &got_words),
        rouge_l(&want_words, &got_words),
        chrf(&want, &got),
    ]
}

/// The words of a text: lower case, composed, punctuation taken for white space.
pub fn words(text: &str) -> Vec<String> {
    let lower: String = text.nfc().collect::<String>().to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(String::from).collect()
}

/// F1 from the size of what two sequences share. Two empty sequences are the same.
fn shared_f1(shared: usize, a: usize, b: usize) -> f64 {
    super::f1(shared, a, b)
}

fn token_f1(want: &[String], got: &[String]) -> f64 {
    shared_f1(overlap(want.iter(), got.iter()), want.len(), got.len())
}

/// Items that two bags share.
fn overlap<T: std::hash::Hash + Eq>(want: impl Iterator<Item = T>, got: impl Iterator<Item = T>) -> usize {
    let mut left: HashMap<T, usize> = HashMap::new();
    want.for_each(|w| *left.entry(w).or_default() += 1);
    got.filter(|g| left.get_mut(g).filter(|n| **n > 0).map(|n| *n -= 1).is_some()).count()
}

fn rouge_l(want: &[String], got: &[String]) -> f64 {
    let (want, got) = (&want[..want.len().min(LONGEST_WORDS)], &got[..got.len().min(LONGEST_WORDS)]);
    // row[j]: length of the longest common subsequence of the words so far and the first j of `got`
    let mut row = vec![0usize; got.len() + 1];
    for w in want {
        let mut diagonal = 0;
        for (j, g) in got.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = if w == g { diagonal + 1 } else { above.max(row[j]) };
            diagonal = above;
        }
    }
    shared_f1(row[got.len()], want.len(), got.len())
}

/// chrF2: precision and recall averaged over the orders that both texts have, white space left out.
fn chrf(want: &str, got: &str) -> f64 {
    const ORDERS: usize = 6;
    const BETA2: f64 = 4.0;
    let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<Vec<char>>();
    let (want, got) = (bare(want), bare(got));
    if want.is_empty() || got.is_empty() {
        return f64::from(want.is_empty() && got.is_empty());
    }
    let (mut precision, mut recall, mut orders) = (0.0, 0.0, 0.0);
    for n in 1..=ORDERS.min(want.len()).min(got.len()) {
        let shared = overlap(want.windows(n), got.windows(n)) as f64;
        precision += shared / (got.len() - n + 1) as f64;
        recall += shared / (want.len() - n + 1) as f64;
        orders += 1.0;
    }
    let (precision, recall) = (precision / orders, recall / orders);
    if precision + recall == 0.0 { 0.0 } else { (1.0 + BETA2) * precision * recall / (BETA2 * precision + recall) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn scores_match_hand_computed_cases() {
        let [exact, normalised, f1, rouge, _] = one("Il gatto nero dorme.", "il gatto  dorme nero");
        assert!(exact == 0.0 && normalised == 0.0 && near(f1, 1.0) && near(rouge, 0.75));
        assert_eq!(one("Va bene!", " va   bene ")[..2], [0.0, 1.0]);
        assert_eq!(one("perche\u{301}", "perché")[1], 1.0);
        // of three and two words, one is shared
        assert!(near(one("a b c", "a d")[2], 0.4) && near(one("a b c", "a d")[3], 0.4));
        assert_eq!(one("uguale", "uguale"), [1.0; 5]);
        assert_eq!(one("qualcosa", ""), [0.0; 5]);
        assert_eq!(one("?", "!")[1], 0.0);
    }

    #[test]
    fn chrf_matches_a_hand_computed_case() {
        // `abc` and `abd`: order 1 shares 2 of 3, order 2 shares 1 of 2, order 3 none
        let p = (2.0 / 3.0 + 0.5) / 3.0;
        assert!(near(chrf("abc", "a b d"), p), "{}", chrf("abc", "abd"));
        // `ab` against `abcd`: precision (1/2 + 1/3) / 2, recall 1
        let p = (0.5 + 1.0 / 3.0) / 2.0;
        assert!(near(chrf("ab", "abcd"), 5.0 * p / (4.0 * p + 1.0)));
    }

    #[test]
    fn unreadable_and_endless_answers_are_counted_and_cost_little() {
        let endless = "bla ".repeat(500_000);
        let s = free_text(&["a".into(), "b".into(), "bla".into()], &[None, Some("  ".into()), Some(endless)]);
        assert_eq!((s.unreadable, s.exact_match, s.examples), (2, 0.0, 3));
        let held = s.clone().under_schema(&[true, false, false, true]);
        assert_eq!((s.schema_valid, held.schema_valid), (None, Some(0.5)));
        assert!(held.schema_valid_ci.is_some_and(|[low, high]| low < 0.5 && high > 0.5));
        assert!(s.token_f1 > 0.0 && s.token_f1 < 0.01);
    }

    proptest! {
        #[test]
        fn scores_are_shares_and_a_text_is_itself(a in ".{0,40}", b in ".{0,40}") {
            prop_assert!(one(&a, &b).iter().all(|s| (0.0..=1.0).contains(s)));
            prop_assert!(one(&a, &a).iter().all(|s| near(*s, 1.0)));
        }
    }
}
