//! Rows in another language than the rest.
//!
//! A guesser of languages (whatlang) is often wrong on a few words, so it is asked only about texts
//! that hold few of the words which are common in this very set, and believed only if it is sure.

use super::{Finding, ROW, Row, Severity, TEXT, count, found, verb};
use crate::error::Result;
use crate::near::normalized;
use crate::watch::Steps;
use say::say;
use std::collections::{HashMap, HashSet};
use whatlang::{Detector, Lang};

/// Rows from which the set's language and common words are taken.
const SAMPLE: usize = 20_000;
/// Characters from which the set's language is guessed.
const GUESS: usize = 20_000;
/// A text with fewer words says too little.
const WORDS: usize = 4;
/// A text with this share of common words is in the set's language.
const FAMILIAR: f64 = 0.25;
/// How sure the guess must be (whatlang's confidence), and how sure for a text of fewer letters than
/// [`LETTERS`]. Of the 1 495 shipped Italian texts, 8 are taken for another language with more than
/// 0.2, and nearly all of those have familiar words enough.
const SURE: f64 = 0.25;
const SURE_IF_SHORT: f64 = 0.5;
const LETTERS: usize = 40;

/// The languages that are told apart: those of Europe with many speakers, and those with a script of
/// their own. Each rare language more makes short texts look like it.
const LANGUAGES: [(&str, Lang, &str, &str); 32] = [
    ("it", Lang::Ita, "Italian", "italiano"),
    ("en", Lang::Eng, "English", "inglese"),
    ("fr", Lang::Fra, "French", "francese"),
    ("de", Lang::Deu, "German", "tedesco"),
    ("es", Lang::Spa, "Spanish", "spagnolo"),
    ("pt", Lang::Por, "Portuguese", "portoghese"),
    ("nl", Lang::Nld, "Dutch", "olandese"),
    ("pl", Lang::Pol, "Polish", "polacco"),
    ("ro", Lang::Ron, "Romanian", "rumeno"),
    ("cs", Lang::Ces, "Czech", "ceco"),
    ("hu", Lang::Hun, "Hungarian", "ungherese"),
    ("sv", Lang::Swe, "Swedish", "svedese"),
    ("da", Lang::Dan, "Danish", "danese"),
    ("nb", Lang::Nob, "Norwegian", "norvegese"),
    ("fi", Lang::Fin, "Finnish", "finlandese"),
    ("tr", Lang::Tur, "Turkish", "turco"),
    ("hr", Lang::Hrv, "Croatian", "croato"),
    ("vi", Lang::Vie, "Vietnamese", "vietnamita"),
    ("id", Lang::Ind, "Indonesian", "indonesiano"),
    ("ru", Lang::Rus, "Russian", "russo"),
    ("uk", Lang::Ukr, "Ukrainian", "ucraino"),
    ("bg", Lang::Bul, "Bulgarian", "bulgaro"),
    ("el", Lang::Ell, "Greek", "greco"),
    ("ar", Lang::Ara, "Arabic", "arabo"),
    ("fa", Lang::Pes, "Persian", "persiano"),
    ("he", Lang::Heb, "Hebrew", "ebraico"),
    ("hi", Lang::Hin, "Hindi", "hindi"),
    ("bn", Lang::Ben, "Bengali", "bengalese"),
    ("th", Lang::Tha, "Thai", "thailandese"),
    ("ko", Lang::Kor, "Korean", "coreano"),
    ("ja", Lang::Jpn, "Japanese", "giapponese"),
    ("zh", Lang::Cmn, "Chinese", "cinese"),
];

/// How often [`check`] looks at each row.
pub(super) const LOOKS: u64 = 1;

/// `code` is the set's language, if its card says one.
pub(super) fn check(rows: &[Row<'_>], code: &str, steps: &mut Steps<'_>) -> Result<Option<Finding>> {
    let detector = Detector::with_allowlist(LANGUAGES.iter().map(|(_, lang, ..)| *lang).collect());
    let sample: Vec<&str> = rows.iter().step_by(rows.len().div_ceil(SAMPLE).max(1)).map(|r| r.example.text.as_str()).collect();
    let code = code.split(['-', '_']).next().unwrap_or_default().to_lowercase();
    let Some(ours) = LANGUAGES.iter().find(|(c, ..)| *c == code).map(|(_, lang, ..)| *lang).or_else(|| guess(&detector, &sample)) else {
        steps.after(rows.len() as u64 * LOOKS)?;
        return Ok(None);
    };
    let common = common(&sample);
    let foreign = |r: &Row<'_>| {
        let text = normalized(&r.example.text);
        let words: Vec<&str> = text.split(' ').filter(|w| w.chars().any(char::is_alphabetic)).collect();
        // languages without spaces have long "words"
        let letters = words.iter().map(|w| w.chars().count()).sum::<usize>();
        let familiar = words.iter().filter(|w| common.contains(**w)).count();
        if (words.len() < WORDS && letters < LETTERS) || familiar as f64 >= FAMILIAR * words.len() as f64 {
            return None;
        }
        let guess = detector.detect(&text)?;
        let sure = if letters < LETTERS { SURE_IF_SHORT } else { SURE };
        (guess.lang() != ours && !alike(guess.lang(), ours) && guess.confidence() >= sure).then_some(guess.lang())
    };
    let strange: Vec<(Row<'_>, Lang)> = steps.each(rows, |r| Some((*r, foreign(r)?)))?;
    let names = || -> Vec<String> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        strange.iter().for_each(|(_, lang)| *counts.entry(name(*lang)).or_default() += 1);
        let mut counts: Vec<(usize, &str)> = counts.into_iter().map(|(name, n)| (n, name)).collect();
        counts.sort_by_key(|&(n, name)| (std::cmp::Reverse(n), name));
        counts.iter().take(3).map(|(n, name)| format!("{n} {name}")).collect()
    };
    let finding = found(
        "other_language",
        Severity::Warning,
        &strange.iter().map(|(r, _)| *r).collect::<Vec<_>>(),
        |n| {
            let (texts, ours, names) = (count(n, TEXT), name(ours), names().join(", "));
            let (seem, they, them) = (verb(n, "seems", "seem"), verb(n, "it", "they"), verb(n, "it", "them"));
            let (sembra, lo, finito) = (verb(n, "sembra", "sembrano"), verb(n, "lo", "li"), verb(n, "è finito", "sono finiti"));
            say!(
                "{texts} {seem} not to be {ours} ({names}); translate {them}, or delete {them} if {they} came in by mistake",
                "{texts} non {sembra} in {ours} ({names}); traduci{lo}, oppure elimina{lo} se {finito} qui per errore"
            )
        },
        |n| {
            let rows = count(rows.len(), ROW);
            say!(
                "Training then spends nothing on {n} of {rows}, and the test asks only for the language in use.",
                "L’addestramento non spende allora nulla su {n} di {rows}, e la prova chiede solo la lingua in uso."
            )
        },
    );
    Ok(finding)
}

fn guess(detector: &Detector, sample: &[&str]) -> Option<Lang> {
    let mut text = String::new();
    for part in sample {
        if text.len() > GUESS {
            break;
        }
        text.push_str(part);
        text.push(' ');
    }
    detector.detect(&text).filter(whatlang::Info::is_reliable).map(|info| info.lang())
}

/// The words that are in at least one of a hundred of these texts, and in three.
fn common(sample: &[&str]) -> HashSet<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for text in sample {
        let text = normalized(text);
        let mut words: Vec<&str> = text.split(' ').collect();
        words.sort_unstable();
        words.dedup();
        for word in words {
            match counts.get_mut(word) {
                Some(n) => *n += 1,
                None => drop(counts.insert(word.into(), 1)),
            }
        }
    }
    let least = (sample.len() / 100).max(3);
    counts.into_iter().filter(|(_, n)| *n >= least).map(|(word, _)| word).collect()
}

/// Languages that a short text cannot tell apart.
fn alike(a: Lang, b: Lang) -> bool {
    [[Lang::Dan, Lang::Nob], [Lang::Rus, Lang::Ukr], [Lang::Rus, Lang::Bul]].iter().any(|pair| pair.contains(&a) && pair.contains(&b))
}

fn name(lang: Lang) -> &'static str {
    let (_, _, english, italian) = LANGUAGES.iter().find(|(_, l, ..)| *l == lang).copied().unwrap_or(("", lang, "another language", "un’altra lingua"));
    say::pick(english, italian)
}
