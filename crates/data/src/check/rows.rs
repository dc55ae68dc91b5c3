//! Rows that are wrong whatever the others are: empty, damaged, without a word, far too long.

use super::{EXAMPLE, Finding, Limit, ROW, Row, Severity, TEXT, count, found, verb};
use crate::error::Result;
use crate::example::{Example, Target};
use crate::watch::Steps;
use rayon::slice::ParallelSliceMut;
use say::say;

/// A text this many times as long as the median, and three times as long as 95 % of the texts, is
/// more likely a damaged file than a long text.
const TIMES: usize = 10;
/// Below this median, in characters, lengths vary by more than that without anything being wrong.
const SHORT: usize = 20;

/// How often [`check`] looks at each row.
pub(super) const LOOKS: u64 = 9;

pub(super) fn check(rows: &[Row<'_>], steps: &mut Steps<'_>) -> Result<Vec<Finding>> {
    let mut of = |test: &(dyn Fn(&Row<'_>) -> bool + Sync)| -> Result<Vec<Row<'_>>> { steps.each(rows, |r| test(r).then_some(*r)) };
    let text = |r: &Row<'_>| r.example.text.trim().to_string();
    let deleted = |n: usize| {
        let (it, la, left) = (verb(n, "it", "them"), verb(n, "la", "le"), rows.len() - n);
        let (resta, left) = (verb(left, "resta", "restano"), count(left, ROW));
        say!("Deleting {it} leaves {left}.", "Eliminando{la} {resta} {left}.")
    };
    let mut out = Vec::new();
    out.extend(found(
        "empty_text",
        Severity::Error,
        &of(&|r| r.example.text.trim().is_empty())?,
        |n| empty(n, say::pick("an empty text", "un testo vuoto")),
        deleted,
    ));
    for (kind, english, italian) in [
        ("empty_label", "an empty label", "un’etichetta vuota"),
        ("empty_query", "an empty query", "una query vuota"),
        ("no_tags", "an empty list of hashtags", "una lista di hashtag vuota"),
        ("empty_completion", "an empty completion", "un completamento vuoto"),
    ] {
        let message = |n| empty(n, say::pick(english, italian));
        out.extend(found(kind, Severity::Error, &of(&|r| empty_target(&r.example.target) == Some(kind))?, message, deleted));
    }
    out.extend(found(
        "control_characters",
        Severity::Warning,
        &of(&|r| written(r.example).any(|text| text.chars().any(|c| c.is_control() && !"\n\r\t".contains(c))))?,
        |n| {
            let (rows, holds, it) = (count(n, ROW), verb(n, "holds", "hold"), verb(n, "it", "them"));
            let (contiene, la) = (verb(n, "contiene", "contengono"), verb(n, "la", "le"));
            say!(
                "{rows} {holds} control characters, often a sign of a damaged export; look at {it}",
                "{rows} {contiene} caratteri di controllo, spesso segno di un’esportazione danneggiata; guarda{la}"
            )
        },
        |_| {
            say!(
                "Exporting the rows again, or removing the characters, lets the model see what people write.",
                "Esportando di nuovo le righe, o togliendo i caratteri, il modello vede ciò che si scrive davvero."
            )
        },
    ));
    out.extend(found(
        "damaged_text",
        Severity::Warning,
        &of(&|r| written(r.example).any(damaged))?,
        |n| {
            let (rows, holds, contiene) = (count(n, ROW), verb(n, "holds", "hold"), verb(n, "contiene", "contengono"));
            say!(
                "{rows} {holds} letters of a wrong encoding (such as \u{c3}\u{a8} for è); read the source with its own encoding again",
                "{rows} {contiene} lettere di una codifica sbagliata (per esempio \u{c3}\u{a8} al posto di è); rileggi l’originale con la sua codifica"
            )
        },
        |_| {
            say!(
                "The words become the ones that the model knows and that people will write.",
                "Le parole tornano quelle che il modello conosce e che si scriveranno."
            )
        },
    ));
    out.extend(found(
        "no_words",
        Severity::Warning,
        &of(&|r| !text(r).is_empty() && !r.example.text.chars().any(char::is_alphanumeric))?,
        |n| {
            let (texts, holds, it, is) = (count(n, TEXT), verb(n, "holds", "hold"), verb(n, "it", "them"), verb(n, "it is", "they are"));
            let (contiene, elimina) = (verb(n, "contiene", "contengono"), verb(n, "eliminalo se non è voluto", "eliminali se non sono voluti"));
            say!("{texts} {holds} neither a letter nor a digit; delete {it} if {is} not meant", "{texts} non {contiene} né lettere né cifre; {elimina}")
        },
        deleted,
    ));
    let lengths = steps.each(rows, |r| Some(r.example.text.chars().count()))?;
    out.extend(extreme(rows, &lengths));
    Ok(out)
}

/// What is said of rows where something is empty.
fn empty(n: usize, what: &str) -> String {
    let (rows, has, it) = (count(n, ROW), verb(n, "has", "have"), verb(n, "it", "them"));
    let (ha, la) = (verb(n, "ha", "hanno"), verb(n, "la", "le"));
    say!("{rows} {has} {what}; delete {it} or fill {it} in", "{rows} {ha} {what}; elimina{la} o completa{la}")
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

/// What a person wrote of a row: its text, and what of its answer is no part of it.
fn written(e: &Example) -> impl Iterator<Item = &str> {
    let answer: &[String] = match &e.target {
        Target::Label(text) | Target::Sql(text) | Target::Completion(text) => std::slice::from_ref(text),
        Target::Tags(tags) => tags,
        Target::Entities(_) => &[],
    };
    std::iter::once(e.text.as_str()).chain(answer.iter().map(String::as_str))
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

/// `lengths` are those of the texts, in characters.
fn extreme(rows: &[Row<'_>], lengths: &[usize]) -> Option<Finding> {
    let mut sorted = lengths.to_vec();
    sorted.par_sort_unstable();
    let (median, high) = (*sorted.get(sorted.len() / 2)?, *sorted.get(sorted.len() * 95 / 100)?);
    let most = (TIMES * median.max(SHORT)).max(3 * high);
    let long: Vec<Row<'_>> = rows.iter().zip(lengths).filter(|(_, n)| **n > most).map(|(r, _)| *r).collect();
    found(
        "extreme_length",
        Severity::Warning,
        &long,
        |n| {
            let (texts, is, supera) = (count(n, TEXT), verb(n, "is", "are"), verb(n, "supera", "superano"));
            say!(
                "{texts} {is} longer than {most} characters, where half of the texts have at most {median}; look whether several rows ran into one",
                "{texts} {supera} i {most} caratteri, mentre metà dei testi ne ha al massimo {median}; guarda se più righe sono finite in una"
            )
        },
        |_| {
            say!(
                "Splitting or deleting makes batches shorter and training faster.",
                "Dividendoli o eliminandoli i lotti si accorciano e l’addestramento è più veloce."
            )
        },
    )
}

pub(super) fn too_long(rows: &[Row<'_>], limit: &Limit<'_>, steps: &mut Steps<'_>) -> Result<Option<Finding>> {
    let beyond = steps.each(rows, |r| Some((*r, (limit.count)(r.example).filter(|n| *n > limit.tokens)?)))?;
    let (long, lengths): (Vec<Row<'_>>, Vec<usize>) = beyond.into_iter().unzip();
    let Some(longest) = lengths.into_iter().max() else { return Ok(None) };
    let (allowed, context) = (limit.tokens, limit.context);
    Ok(found(
        "too_long",
        Severity::Error,
        &long,
        |n| {
            let (examples, is, it, its) = (count(n, EXAMPLE), verb(n, "is", "are"), verb(n, "it", "them"), verb(n, "its answer", "their answers"));
            let (supera, lo, sua) = (verb(n, "supera", "superano"), verb(n, "lo", "li"), verb(n, "dalla sua risposta", "dalle loro risposte"));
            let way_out = match allowed < context {
                true => say!(", or raise max_tokens, up to {context}", ", oppure alza max_tokens, fino a {context}"),
                false => String::new(),
            };
            say!(
                "{examples} {is} longer than the {allowed} tokens allowed for prompt and answer together (the longest has {longest}); training refuses {it}, \
                 because cutting would take from {its}: shorten {it}{way_out}",
                "{examples} {supera} i {allowed} token ammessi per prompt e risposta insieme (il più lungo ne ha {longest}); l’addestramento {lo} rifiuta, \
                 perché il taglio toglierebbe qualcosa {sua}: accorcia{lo}{way_out}"
            )
        },
        |_| match longest <= context {
            true => say!(
                "With --set max_tokens={longest} every example fits as it is, at more memory and time a step; shortened, they cost neither.",
                "Con --set max_tokens={longest} ogni esempio ci sta così com’è, ma ogni passo richiede più memoria e tempo; accorciandoli non costa né l’una né l’altro."
            ),
            false => say!(
                "Every answer is learnt whole; what is beyond {context} tokens this model cannot read at all.",
                "Ogni risposta viene imparata per intero; oltre {context} token questo modello non legge."
            ),
        },
    ))
}
