//! Hashtags that are none, come twice, or stand in the text already.

use super::{Finding, ROW, Row, Severity, count, found, verb};
use crate::error::Result;
use crate::example::Target;
use crate::watch::Steps;
use say::say;

/// Longer than any tag that people write.
const LONG: usize = 60;

/// How often [`check`] looks at each row.
pub(super) const LOOKS: u64 = 3;

pub(super) fn check(rows: &[Row<'_>], steps: &mut Steps<'_>) -> Result<Vec<Finding>> {
    let mut of = |test: &(dyn Fn(&str, &[String]) -> bool + Sync)| -> Result<Vec<Row<'_>>> {
        steps.each(rows, |r| matches!(&r.example.target, Target::Tags(tags) if test(&r.example.text, tags)).then_some(*r))
    };
    let mut out = Vec::new();
    out.extend(found(
        "odd_tags",
        Severity::Warning,
        &of(&|_, tags| tags.iter().any(|t| !sound(t)))?,
        |n| {
            let (rows, has, ha) = (count(n, ROW), verb(n, "has", "have"), verb(n, "ha", "hanno"));
            say!(
                "{rows} {has} a hashtag that is none: one is a word of letters, digits and _, not all digits, without spaces; correct it",
                "{rows} {ha} un hashtag che non lo è: dev’essere una parola di lettere, cifre e _, non di sole cifre, senza spazi; correggilo"
            )
        },
        |_| {
            say!(
                "The model then learns, and is asked, only for tags that people can use.",
                "Il modello impara così solo hashtag che si possono usare, e solo quelli gli vengono chiesti."
            )
        },
    ));
    out.extend(found(
        "repeated_tags",
        Severity::Warning,
        &of(&|_, tags| {
            let mut bare: Vec<String> = tags.iter().map(|t| bare(t)).collect();
            bare.sort();
            bare.windows(2).any(|pair| pair[0] == pair[1])
        })?,
        |n| {
            let (rows, has, ha) = (count(n, ROW), verb(n, "has", "have"), verb(n, "ha", "hanno"));
            say!("{rows} {has} the same hashtag twice; delete one", "{rows} {ha} due volte lo stesso hashtag; eliminane uno")
        },
        |_| say!("The model then learns to say each hashtag once.", "Il modello impara così a dire ogni hashtag una volta sola."),
    ));
    out.extend(found(
        "answer_in_text",
        Severity::Warning,
        &of(&|text, tags| text.contains('#') && text.split_whitespace().any(|w| w.starts_with('#') && tags.iter().any(|t| bare(t) == bare(w))))?,
        |n| {
            let (rows, has, ha) = (count(n, ROW), verb(n, "has", "have"), verb(n, "ha", "hanno"));
            say!("{rows} {has} the answer in the text; delete the hashtags from the text", "{rows} {ha} la risposta nel testo; elimina gli hashtag dal testo")
        },
        |_| say!("The model must then find the tags instead of copying them.", "Il modello deve allora trovare gli hashtag invece di copiarli."),
    ));
    Ok(out)
}

/// A tag without its sign and the punctuation around it, in lower case.
fn bare(tag: &str) -> String {
    tag.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

fn sound(tag: &str) -> bool {
    let word = tag.trim().strip_prefix('#').unwrap_or(tag.trim());
    let letters = word.chars().all(|c| c == '_' || c.is_alphanumeric()) && word.chars().any(char::is_alphabetic);
    letters && word.chars().count() <= LONG
}
