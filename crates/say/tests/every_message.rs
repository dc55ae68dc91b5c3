//! Reads the sources of the house: a message that only English readers understand is found here, and not by them.
//!
//! What counts as one is a sentence that goes into an error (see [`MAKERS`]) without `say!` around it. That is not all
//! that is said, but all that is said of failures; help, figures and reports have catalogues with tests of their own.

use std::path::{Path, PathBuf};

const ROOMS: [&str; 10] =
    ["crates/data", "crates/gemma", "crates/lab", "crates/tasks", "crates/train", "crates/report", "crates/cli", "crates/wheels", "src-tauri", "xtask"];

/// What errors are made with, as it stands before the parenthesis.
const MAKERS: [&str; 19] = [
    "Error::request",
    "Error::Request",
    "Error::file",
    "Error::row",
    "Error::format",
    "Error::tensor",
    "Error::new",
    "A::Error::custom",
    "E::custom",
    "Failure::new",
    "Err",
    "ok_or",
    "ok_or_else",
    "fail",
    "wrong",
    "refuse",
    "damaged",
    "bad",
    "because",
];

/// Where sentences are in both languages, or for developers.
const SAID: [&str; 3] = ["say!", "say::pick", "expect"];

/// Why an answer of a model is none, or not the right one: kept in run folders and compared, so in English always.
/// `Lang::reason` has the Italian. And two that nobody gets to see.
const KEPT: [&str; 17] = [
    "longer than ",
    "not a list of hashtags",
    "no hashtag",
    "no label",
    "no answer",
    "an entity is not a string",
    "an entity has no start, end or type",
    "an entity lies outside the text",
    "an entity is not of the form ",
    "a type holds no list",
    "neither a list nor an object",
    "it holds a NUL character",
    "it is not a query that reads",
    "its result has more than ",
    "its result is larger than ",
    "goes on",
    "the schema has fewer columns than the rows",
];

/// A string in the source: the line it begins on, what it is an argument of from the outside inwards, and its text.
struct Literal {
    line: usize,
    calls: Vec<(usize, String)>,
    text: String,
}

/// All strings of a source that are code.
fn literals(source: &str) -> Vec<Literal> {
    let chars: Vec<char> = source.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let (mut out, mut calls, mut line, mut i) = (Vec::new(), Vec::new(), 1, 0);
    while i < chars.len() {
        match at(i) {
            '\n' => line += 1,
            '/' if at(i + 1) == '/' => {
                while i + 1 < chars.len() && at(i + 1) != '\n' {
                    i += 1;
                }
            }
            // a character, unlike a lifetime, ends with the same sign
            '\'' if at(i + 1) == '\\' => {
                i += 2;
                while at(i + 1) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            '\'' if at(i + 2) == '\'' => i += 2,
            '(' => {
                let name = |c: &&char| c.is_alphanumeric() || matches!(c, '_' | ':' | '!');
                let word: String = chars[..i].iter().rev().take_while(name).collect();
                calls.push((i, word.chars().rev().collect()));
            }
            ')' => drop(calls.pop()),
            'r' if matches!((at(i + 1), at(i + 2)), ('"', _) | ('#', '"' | '#')) && !at(i.wrapping_sub(1)).is_alphanumeric() => {
                let marks = chars[i + 1..].iter().take_while(|c| **c == '#').count();
                let end: String = std::iter::once('"').chain(std::iter::repeat_n('#', marks)).collect();
                let rest: String = chars[i + 2 + marks..].iter().collect();
                let raw = rest.split(&end).next().unwrap_or_default();
                line += raw.matches('\n').count();
                i += 1 + marks + raw.chars().count() + end.len();
            }
            '"' => {
                let began = line;
                let mut text = String::new();
                i += 1;
                while i < chars.len() && at(i) != '"' {
                    line += usize::from(at(i) == '\n' || (at(i) == '\\' && at(i + 1) == '\n'));
                    text.push(at(i));
                    if at(i) == '\\' {
                        i += 1;
                        text.push(at(i));
                    }
                    i += 1;
                }
                out.push(Literal { line: began, calls: calls.clone(), text });
            }
            _ => {}
        }
        i += 1;
    }
    out
}

/// Whether it holds two words of prose, one after the other.
fn sentence(text: &str) -> bool {
    let word = |w: &str| w.len() > 1 && w.chars().all(|c| c.is_ascii_lowercase());
    text.split(' ').collect::<Vec<_>>().windows(2).any(|pair| word(pair[0]) && word(pair[1].trim_end_matches([',', ';', ':', '.'])))
}

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            out.push(path);
        }
    }
}

/// The code of all rooms, without their tests.
fn house() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    ROOMS.iter().for_each(|room| sources(&root.join(room).join("src"), &mut files));
    let code = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a source");
        let tests = text.match_indices("#[cfg(test)]").find(|(at, _)| text[*at..].lines().skip(1).take(2).any(|l| l.contains("mod ")));
        let text = text[..tests.map_or(text.len(), |(at, _)| at)].to_string();
        (path, text)
    };
    files.into_iter().map(code).collect()
}

#[test]
fn no_failure_is_told_in_english_alone() {
    let house = house();
    assert!(house.len() > 100, "the sources are not where they were");
    let mut found = Vec::new();
    for (path, code) in &house {
        for l in literals(code) {
            let made = l.calls.iter().any(|(_, c)| MAKERS.contains(&c.as_str()));
            let said = l.calls.iter().any(|(_, c)| SAID.contains(&c.as_str()));
            if made && !said && sentence(&l.text) && !KEPT.iter().any(|kept| l.text.starts_with(kept)) && !l.text.starts_with("{DIFFERENT}") {
                found.push(format!("{}:{}: {}", path.display(), l.line, l.text));
            }
        }
    }
    assert!(found.is_empty(), "write these with say!, in English and Italian:\n{}", found.join("\n"));
}

#[test]
fn the_two_texts_of_a_message_differ_and_the_italian_is_written_with_its_own_apostrophe() {
    let mut pairs = 0;
    for (path, code) in house() {
        let said: Vec<Literal> = literals(&code).into_iter().filter(|l| l.calls.last().is_some_and(|(_, c)| c == "say!" || c == "say::pick")).collect();
        let mut calls: Vec<usize> = said.iter().filter_map(|l| l.calls.last().map(|(at, _)| *at)).collect();
        calls.dedup();
        for call in calls {
            let of: Vec<&Literal> = said.iter().filter(|l| l.calls.last().is_some_and(|(at, _)| *at == call)).collect();
            let place = format!("{}:{}", path.display(), of[0].line);
            assert!(of.len() > 1, "{place}: one text");
            let (english, italian) = (of[0], of[1]);
            assert!(english.text != italian.text, "{place}: the same twice");
            let apostrophe = italian.text.as_bytes().windows(3).any(|w| w[0].is_ascii_alphabetic() && w[1] == b'\'' && w[2].is_ascii_alphabetic());
            assert!(!apostrophe, "{place}: l’apostrofo, not l'apostrofo: {}", italian.text);
            pairs += 1;
        }
    }
    assert!(pairs > 300, "{pairs} messages: are they still where they were?");
}
