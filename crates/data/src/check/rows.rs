//! Rows that are wrong whatever the others are: empty, damaged, without a word, far too long.

use super::{Finding, Limit, Row, Severity, count, found, verb};
use crate::example::Target;
use rayon::prelude::*;

/// A text this many times as long as the median, and three times as long as 95 % of the texts, is
/// more likely a damaged file than a long text.
const TIMES: usize = 10;
/// Below this median, in characters, lengths vary by more than that without anything being wrong.
const SHORT: usize = 20;

pub(super) fn check(rows: &[Row<'_>]) -> Vec<Finding> {
    let of = |test: &(dyn Fn(&Row<'_>) -> bool + Sync)| -> Vec<Row<'_>> { rows.par_iter().filter(|r| test(r)).copied().collect() };
    let text = |r: &Row<'_>| r.example.text.trim().to_string();
    let deleted = |n: usize| format!("Deleting {} leaves {}.", verb(n, "it", "them"), count(rows.len() - n, "row"));
    let mut out = Vec::new();
    out.extend(found(
        "empty_text",
        Severity::Error,
        &of(&|r| r.example.text.trim().is_empty()),
        |n| format!("{} {} an empty text; delete {} or fill {} in", count(n, "row"), verb(n, "has", "have"), verb(n, "it", "them"), verb(n, "it", "them")),
        deleted,
    ));
    for (kind, what) in [("empty_label", "label"), ("empty_query", "query"), ("no_tags", "list of hashtags"), ("empty_completion", "completion")] {
        out.extend(found(
            kind,
            Severity::Error,
            &of(&|r| empty_target(&r.example.target) == Some(kind)),
            |n| {
                format!("{} {} an empty {what}; delete {} or fill {} in", count(n, "row"), verb(n, "has", "have"), verb(n, "it", "them"), verb(n, "it", "them"))
            },
            deleted,
        ));
    }
    out.extend(found(
        "control_characters",
        Severity::Warning,
        &of(&|r| r.example.text.chars().any(|c| c.is_control() && !"\n\r\t".contains(c))),
        |n| {
            format!("{} {} control characters, often a sign of a damaged export; look at {}", count(n, "text"), verb(n, "holds", "hold"), verb(n, "it", "them"))
        },
        |_| "Exporting the rows again, or removing the characters, lets the model see what people write.".into(),
    ));
    out.extend(found(
        "damaged_text",
        Severity::Warning,
        &of(&|r| damaged(&r.example.text)),
        |n| {
            format!(
                "{} {} letters of a wrong encoding (such as \u{c3}\u{a8} for è); read the source with its own encoding again",
                count(n, "text"),
                verb(n, "holds", "hold")
            )
        },
        |_| "The words become the ones that the model knows and that people will write.".into(),
    ));
    out.extend(found(
        "no_words",
        Severity::Warning,
        &of(&|r| !text(r).is_empty() && !r.example.text.chars().any(char::is_alphanumeric)),
        |n| {
            format!(
                "{} {} neither a letter nor a digit; delete {} if {} not meant",
                count(n, "text"),
                verb(n, "holds", "hold"),
                verb(n, "it", "them"),
                verb(n, "it is", "they are")
            )
        },
        deleted,
    ));
    out.extend(extreme(rows));
    out
}

fn empty_target(target: &Target) -> Option<&'static str> {
    match target {
        Target::Label(label) if label.trim().is_empty() => Some("empty_label"),
        Target::Sql(sql) if sql.trim().is_empty() => Some("empty_query"),
        Target::Tags(tags) if tags.iter().all(|t| t.trim().is_empty()) => Some("no_tags"),
        Target::Completion(text) if text.trim().is_empty() => Some("empty_completion"),
        _ => None,
    }
}

/// Whether a text holds the replacement character, or UTF-8 that was read as Windows-1252.
fn damaged(text: &str) -> bool {
    let mut before = ' ';
    text.chars().any(|c| {
        let pair = (matches!(before, 'Ã' | 'Â') && ('\u{80}'..='\u{bf}').contains(&c)) || (before == 'â' && matches!(c, '€' | '\u{80}'));
        before = c;
        pair || c == '\u{fffd}'
    })
}

fn extreme(rows: &[Row<'_>]) -> Option<Finding> {
    let lengths: Vec<usize> = rows.par_iter().map(|r| r.example.text.chars().count()).collect();
    let mut sorted = lengths.clone();
    sorted.par_sort_unstable();
    let (median, high) = (*sorted.get(sorted.len() / 2)?, *sorted.get(sorted.len() * 95 / 100)?);
    let most = (TIMES * median.max(SHORT)).max(3 * high);
    let long: Vec<Row<'_>> = rows.iter().zip(&lengths).filter(|(_, n)| **n > most).map(|(r, _)| *r).collect();
    found(
        "extreme_length",
        Severity::Warning,
        &long,
        |n| {
            format!(
                "{} {} longer than {most} characters, where half of the texts have at most {median}; look whether several rows ran into one",
                count(n, "text"),
                verb(n, "is", "are")
            )
        },
        |_| "Splitting or deleting makes batches shorter and training faster.".into(),
    )
}

pub(super) fn too_long(rows: &[Row<'_>], limit: &Limit<'_>) -> Option<Finding> {
    let (long, lengths): (Vec<Row<'_>>, Vec<usize>) =
        rows.par_iter().filter_map(|r| Some((*r, (limit.count)(r.example).filter(|n| *n > limit.tokens)?))).collect::<Vec<_>>().into_iter().unzip();
    let (longest, allowed, context) = (lengths.iter().copied().max()?, limit.tokens, limit.context);
    let way_out = if allowed < context { format!(", or raise max_tokens, up to {context}") } else { String::new() };
    found(
        "too_long",
        Severity::Error,
        &long,
        |n| {
            let (is, it, its) = (verb(n, "is", "are"), verb(n, "it", "them"), verb(n, "its answer", "their answers"));
            format!(
                "{} {is} longer than the {allowed} tokens allowed for prompt and answer together (the longest has {longest}); training refuses {it}, \
                 because cutting would take from {its}: shorten {it}{way_out}",
                count(n, "example")
            )
        },
        |_| match longest <= context {
            true => format!("With --set max_tokens={longest} every example fits as it is, at more memory and time a step; shortened, they cost neither."),
            false => format!("Every answer is learnt whole; what is beyond {context} tokens this model cannot read at all."),
        },
    )
}
