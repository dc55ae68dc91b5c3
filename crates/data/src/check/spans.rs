//! Entities that do not lie where they say.

use super::{Finding, ROW, Row, Severity, count, found, verb};
use crate::error::Result;
use crate::example::{Span, Target};
use crate::watch::Steps;
use say::say;

/// What can be wrong with the spans of a row.
#[derive(Clone, Copy, Default)]
struct Faults {
    outside: bool,
    overlap: bool,
    edges: bool,
}

/// How often [`check`] looks at each row.
pub(super) const LOOKS: u64 = 1;

pub(super) fn check(rows: &[Row<'_>], steps: &mut Steps<'_>) -> Result<Vec<Finding>> {
    let marked: Vec<(Row<'_>, Faults)> = steps.each(rows, |r| match &r.example.target {
        Target::Entities(spans) => Some((*r, faults(&r.example.text, spans))),
        _ => None,
    })?;
    let of = |test: fn(&Faults) -> bool| -> Vec<Row<'_>> { marked.iter().filter(|(_, f)| test(f)).map(|(r, _)| *r).collect() };
    let mut out = Vec::new();
    out.extend(found(
        "span_outside",
        Severity::Error,
        &of(|f| f.outside),
        |n| {
            let (rows, marks, segna) = (count(n, ROW), verb(n, "marks", "mark"), verb(n, "segna", "segnano"));
            say!(
                "{rows} {marks} an entity that is empty or leaves the text; offsets count Unicode characters, and `end` is the first one after it",
                "{rows} {segna} un’entità vuota o che esce dal testo; le posizioni contano i caratteri Unicode, ed `end` è il primo dopo l’entità"
            )
        },
        |_| say!("The right offsets make every entity a part of its text.", "Con le posizioni giuste ogni entità è una parte del suo testo."),
    ));
    out.extend(found(
        "span_overlap",
        Severity::Warning,
        &of(|f| f.overlap),
        |n| {
            let (rows, has, ha) = (count(n, ROW), verb(n, "has", "have"), verb(n, "ha", "hanno"));
            say!("{rows} {has} entities that overlap; keep the one that is meant", "{rows} {ha} entità che si sovrappongono; tieni quella voluta")
        },
        |_| say!("Each word then has one type.", "Ogni parola ha allora un solo tipo."),
    ));
    out.extend(found(
        "span_edges",
        Severity::Warning,
        &of(|f| f.edges),
        |n| {
            let (rows, marks, segna) = (count(n, ROW), verb(n, "marks", "mark"), verb(n, "segna", "segnano"));
            say!(
                "{rows} {marks} an entity that cuts a word or begins or ends with a space; the offsets are probably off by a few",
                "{rows} {segna} un’entità che taglia una parola o che comincia o finisce con uno spazio; le posizioni sono probabilmente spostate di poco"
            )
        },
        |_| {
            say!(
                "Whole words are what a model can find again; an answer is right only if both ends are.",
                "Il modello può ritrovare solo parole intere; una risposta è giusta solo se lo sono entrambi gli estremi."
            )
        },
    ));
    Ok(out)
}

fn faults(text: &str, spans: &[Span]) -> Faults {
    let chars: Vec<char> = text.chars().collect();
    let mut out = Faults::default();
    let mut inside: Vec<&Span> = spans.iter().filter(|s| s.start < s.end && s.end <= chars.len()).collect();
    out.outside = inside.len() < spans.len();
    inside.sort_unstable_by_key(|s| (s.start, s.end));
    out.overlap = inside.windows(2).any(|pair| pair[1].start < pair[0].end);
    let cuts = |i: usize| i > 0 && i < chars.len() && chars[i - 1].is_alphanumeric() && chars[i].is_alphanumeric();
    out.edges = inside.iter().any(|s| chars[s.start].is_whitespace() || chars[s.end - 1].is_whitespace() || cuts(s.start) || cuts(s.end));
    out
}
