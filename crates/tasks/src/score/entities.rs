//! Entities: exact spans with their types, and what kind of mistake each other answer is.

use super::{Interval, bootstrap, f1, ratio};
use data::example::Span;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use ts_rs::TS;

/// Counts of one type, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
struct Counts {
    right: usize,
    answered: usize,
    expected: usize,
}

/// Scores of one type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct TypeScore {
    /// Share of the answered spans that were right.
    pub precision: f64,
    /// Share of the expected spans that were found.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
    /// Expected spans of this type.
    pub support: usize,
}

/// Answers that were not right, by kind. An expected span and an answered one are paired at most
/// once, so `missed + wrong_type + wrong_boundary` are the expected spans that were not found, and
/// `invented + wrong_type + wrong_boundary` the answered ones that were not right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Errors {
    /// Expected, and nothing answered there.
    pub missed: usize,
    /// Answered, and nothing expected there.
    pub invented: usize,
    /// The right characters under another type.
    pub wrong_type: usize,
    /// The right type on overlapping characters.
    pub wrong_boundary: usize,
}

impl Errors {
    fn count(&mut self, mistake: &Mistake) {
        *match mistake.kind() {
            MistakeKind::Missed => &mut self.missed,
            MistakeKind::Invented => &mut self.invented,
            MistakeKind::WrongType => &mut self.wrong_type,
            MistakeKind::WrongBoundary => &mut self.wrong_boundary,
        } += 1;
    }
}

/// One thing that is wrong with the answer to one example, see [`Errors`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// Expected, and nothing answered there.
    Missed(Span),
    /// Answered, and nothing expected there.
    Invented(Span),
    /// The right characters under another type.
    WrongType {
        /// What was expected.
        expected: Span,
        /// What was answered.
        answered: Span,
    },
    /// The right type on overlapping characters.
    WrongBoundary {
        /// What was expected.
        expected: Span,
        /// What was answered.
        answered: Span,
    },
}

/// Kind of a [`Mistake`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum MistakeKind {
    /// Expected, and nothing answered there.
    Missed,
    /// Answered, and nothing expected there.
    Invented,
    /// The right characters under another type.
    WrongType,
    /// The right type on overlapping characters.
    WrongBoundary,
}

impl Mistake {
    /// Which of the four it is.
    pub fn kind(&self) -> MistakeKind {
        match self {
            Self::Missed(_) => MistakeKind::Missed,
            Self::Invented(_) => MistakeKind::Invented,
            Self::WrongType { .. } => MistakeKind::WrongType,
            Self::WrongBoundary { .. } => MistakeKind::WrongBoundary,
        }
    }

    /// The span that it is about: the expected one, or the one that was invented.
    pub fn span(&self) -> &Span {
        match self {
            Self::Missed(span) | Self::Invented(span) => span,
            Self::WrongType { expected, .. } | Self::WrongBoundary { expected, .. } => expected,
        }
    }
}

/// Scores of entities on a set of examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Entities {
    /// Share of the answered spans whose characters and type were both right.
    pub precision: f64,
    /// Bootstrap interval of the precision.
    pub precision_ci: Interval,
    /// Share of the expected spans that were found.
    pub recall: f64,
    /// Bootstrap interval of the recall.
    pub recall_ci: Interval,
    /// Harmonic mean of both, over all spans (micro).
    pub f1: f64,
    /// Bootstrap interval of the F1.
    pub f1_ci: Interval,
    /// Scores by type.
    pub per_type: BTreeMap<String, TypeScore>,
    /// What the mistakes are.
    pub errors: Errors,
    /// Answers that could not be read; they score as if nothing had been answered.
    pub unreadable: usize,
    /// Examples scored.
    pub examples: usize,
}

/// Scores answers against expected spans, example by example; `None` is an answer that could not be
/// read. A span answered twice counts once.
pub fn entities(expected: &[Vec<Span>], answered: &[Option<Vec<Span>>]) -> Entities {
    let mut types: BTreeMap<&str, Counts> = BTreeMap::new();
    let (mut examples, mut errors) = (Vec::new(), Errors::default());
    for (want, got) in expected.iter().zip(answered) {
        let (want, got) = (set(want), set(got.as_deref().unwrap_or_default()));
        for &(_, _, kind) in &want {
            types.entry(kind).or_default().expected += 1;
        }
        for span in &got {
            let counts = types.entry(span.2).or_default();
            counts.answered += 1;
            counts.right += usize::from(want.contains(span));
        }
        examples.push(Counts { right: want.intersection(&got).count(), answered: got.len(), expected: want.len() });
        classify(&want, &got).iter().for_each(|m| errors.count(m));
    }
    let metrics = |sample: &[Counts]| {
        let sum = |f: fn(&Counts) -> usize| sample.iter().map(f).sum::<usize>();
        let (right, answered, expected) = (sum(|c| c.right), sum(|c| c.answered), sum(|c| c.expected));
        [ratio(right, answered), ratio(right, expected), f1(right, answered, expected)]
    };
    let ([precision, recall, all], cis) = (metrics(&examples), bootstrap(&examples, metrics));
    let score = |c: Counts| TypeScore {
        precision: ratio(c.right, c.answered),
        recall: ratio(c.right, c.expected),
        f1: f1(c.right, c.answered, c.expected),
        support: c.expected,
    };
    Entities {
        precision,
        precision_ci: cis[0],
        recall,
        recall_ci: cis[1],
        f1: all,
        f1_ci: cis[2],
        per_type: types.into_iter().map(|(kind, counts)| (kind.to_string(), score(counts))).collect(),
        errors,
        unreadable: answered.iter().filter(|a| a.is_none()).count(),
        examples: examples.len(),
    }
}

/// Spans as a set: one that occurs twice counts once.
fn set(spans: &[Span]) -> BTreeSet<(usize, usize, &str)> {
    spans.iter().map(|s| (s.start, s.end, s.kind.as_str())).collect()
}

/// `(right, answered, expected)` of one example.
pub fn counts(expected: &[Span], answered: &[Span]) -> (usize, usize, usize) {
    let (want, got) = (set(expected), set(answered));
    (want.intersection(&got).count(), got.len(), want.len())
}

/// The F1 of one example.
pub fn share(expected: &[Span], answered: &[Span]) -> f64 {
    let (right, got, want) = counts(expected, answered);
    f1(right, got, want)
}

/// What is wrong with an answer, in the order of the text.
pub fn mistakes(expected: &[Span], answered: &[Span]) -> Vec<Mistake> {
    let mut out = classify(&set(expected), &set(answered));
    out.sort_by(|a, b| a.span().cmp(b.span()));
    out
}

/// Pairs what was missed with what was invented: first same characters, then the largest overlap of
/// the same type.
fn classify(want: &BTreeSet<(usize, usize, &str)>, got: &BTreeSet<(usize, usize, &str)>) -> Vec<Mistake> {
    let mut missed: Vec<_> = want.difference(got).copied().collect();
    let mut invented: Vec<_> = got.difference(want).copied().collect();
    let span = |&(start, end, kind): &(usize, usize, &str)| Span { start, end, kind: kind.into() };
    let mut out = Vec::new();
    missed.retain(|m| {
        let at = invented.iter().position(|i| (i.0, i.1) == (m.0, m.1));
        at.map(|at| invented.remove(at)).inspect(|i| out.push(Mistake::WrongType { expected: span(m), answered: span(i) })).is_none()
    });
    let overlap = |a: &(usize, usize, &str), b: &(usize, usize, &str)| if a.2 == b.2 { a.1.min(b.1).saturating_sub(a.0.max(b.0)) } else { 0 };
    let mut pairs: Vec<(usize, usize, usize)> =
        missed.iter().enumerate().flat_map(|(m, a)| invented.iter().enumerate().map(move |(i, b)| (overlap(a, b), m, i))).filter(|p| p.0 > 0).collect();
    pairs.sort_by_key(|&(shared, m, i)| (std::cmp::Reverse(shared), m, i));
    let (mut m_used, mut i_used) = (BTreeSet::new(), BTreeSet::new());
    for (_, m, i) in pairs {
        if !m_used.contains(&m) && !i_used.contains(&i) {
            m_used.insert(m);
            i_used.insert(i);
            out.push(Mistake::WrongBoundary { expected: span(&missed[m]), answered: span(&invented[i]) });
        }
    }
    out.extend(missed.iter().enumerate().filter(|(m, _)| !m_used.contains(m)).map(|(_, s)| Mistake::Missed(span(s))));
    out.extend(invented.iter().enumerate().filter(|(i, _)| !i_used.contains(i)).map(|(_, s)| Mistake::Invented(span(s))));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(start: usize, end: usize, kind: &str) -> Span {
        Span { start, end, kind: kind.into() }
    }

    #[test]
    fn scores_match_a_hand_computed_case() {
        let expected = vec![vec![span(0, 5, "people"), span(8, 12, "places"), span(20, 24, "dates")], vec![span(3, 9, "people")], vec![]];
        let answered = vec![
            // right, wrong type, wrong boundary, invented, and the right one again
            Some(vec![span(0, 5, "people"), span(8, 12, "people"), span(20, 29, "dates"), span(40, 44, "dates"), span(0, 5, "people")]),
            None,
            Some(vec![]),
        ];
        let s = entities(&expected, &answered);
        assert!((s.precision - 0.25).abs() < 1e-12 && (s.recall - 0.25).abs() < 1e-12 && (s.f1 - 0.25).abs() < 1e-12);
        assert_eq!(s.errors, Errors { missed: 1, invented: 1, wrong_type: 1, wrong_boundary: 1 });
        let found = mistakes(&expected[0], answered[0].as_deref().unwrap_or_default());
        let wanted = [
            Mistake::WrongType { expected: span(8, 12, "places"), answered: span(8, 12, "people") },
            Mistake::WrongBoundary { expected: span(20, 24, "dates"), answered: span(20, 29, "dates") },
            Mistake::Invented(span(40, 44, "dates")),
        ];
        assert_eq!(found, wanted);
        assert_eq!(wanted.map(|m| m.kind()), [MistakeKind::WrongType, MistakeKind::WrongBoundary, MistakeKind::Invented]);
        assert_eq!(mistakes(&expected[1], &[]), [Mistake::Missed(span(3, 9, "people"))]);
        assert_eq!((s.unreadable, s.examples), (1, 3));
        // people: 1 right of 2 answered and 2 expected
        assert!((s.per_type["people"].f1 - 0.5).abs() < 1e-12 && s.per_type["people"].support == 2);
        assert!(s.per_type["dates"].f1 == 0.0 && s.per_type["places"].recall == 0.0);
        assert!(s.f1_ci[0] <= s.f1 && s.f1 <= s.f1_ci[1]);
    }

    #[test]
    fn nothing_expected_and_nothing_answered_is_right() {
        let s = entities(&[vec![], vec![]], &[Some(vec![]), Some(vec![])]);
        assert_eq!((s.f1, s.errors), (1.0, Errors::default()));
        assert_eq!(entities(&[vec![span(0, 1, "a")]], &[Some(vec![])]).f1, 0.0);
    }

    fn spans() -> impl Strategy<Value = Vec<Vec<Span>>> {
        let one = (0usize..30, 1usize..6, 0usize..3).prop_map(|(start, length, kind)| span(start, start + length, ["a", "b", "c"][kind]));
        proptest::collection::vec(proptest::collection::vec(one, 0..6), 5)
    }

    proptest! {
        #[test]
        fn every_span_is_accounted_for(expected in spans(), answered in spans()) {
            let got: Vec<Option<Vec<Span>>> = answered.iter().cloned().map(Some).collect();
            let s = entities(&expected, &got);
            let count = |all: &[Vec<Span>]| all.iter().map(|e| e.iter().map(|s| (s.start, s.end, &s.kind)).collect::<BTreeSet<_>>().len()).sum::<usize>();
            let (want, said) = (count(&expected), count(&answered));
            let found = (s.recall * want as f64).round() as usize;
            let paired = s.errors.wrong_type + s.errors.wrong_boundary;
            prop_assert_eq!(found + s.errors.missed + paired, want);
            prop_assert_eq!(found + s.errors.invented + paired, said);
            prop_assert!((0.0..=1.0).contains(&s.f1));
            let perfect: Vec<Option<Vec<Span>>> = expected.iter().cloned().map(Some).collect();
            prop_assert_eq!(entities(&expected, &perfect).f1, 1.0);
        }
    }
}
