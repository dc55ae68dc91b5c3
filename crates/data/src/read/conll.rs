//! Sentences with a word a line: CoNLL with BIO tags, and CoNLL-U with its comments. The same sentences as lists of words and
//! of tags in one record, as other formats have them, are put together by [`tagged`].
//!
//! A record has the fields `text` and, if there are tags, `entities` (as JSON), and one more for every
//! comment of the form `# name = value`. The text is that of the `# text` comment where all words
//! stand in it in order; else the words are put together with spaces, but for `SpaceAfter=No`.

use super::text::{LONGEST, Lines, too_long};
use super::{Record, Sink};
use crate::error::{Error, Result};
use crate::example::Span;
use say::{COLUMN, Noun, say};
use std::collections::HashSet;
use std::path::Path;

const TAG: Noun = ["tag", "tags", "etichetta", "etichette"];
const WORD: Noun = ["word", "words", "parola", "parole"];

/// A sentence as it is read.
#[derive(Default)]
struct Sentence {
    line: usize,
    comments: Vec<(String, String)>,
    words: Vec<Word>,
    /// Bytes of its lines; those beyond what an example may have are not kept.
    bytes: usize,
}

/// A line of a sentence.
struct Word {
    line: usize,
    columns: Vec<String>,
}

/// Which columns hold what.
#[derive(Clone, Copy)]
struct Layout {
    form: usize,
    tag: Option<usize>,
    /// Columns as CoNLL-U has them: an id first, remarks last.
    universal: bool,
}

/// Reads every sentence as a record. `tag` is the number of the column with the tags, if somebody said it.
///
/// # Errors
/// If the file cannot be read, or the sink refuses a sentence.
pub fn read(path: &Path, mut lines: Lines<'_>, tag: Option<usize>, sink: Sink<'_>) -> Result<()> {
    let mut sentence = Sentence::default();
    let mut layout = None;
    let mut bad = None;
    loop {
        let next = lines.next()?;
        let ended = next.is_none();
        match next {
            Some((_, Err(e))) => {
                bad.get_or_insert(e);
                continue;
            }
            Some((number, Ok(line))) if !line.trim().is_empty() => {
                if sentence.line == 0 {
                    sentence.line = number;
                }
                sentence.bytes += line.len();
                if sentence.bytes > LONGEST {
                    continue;
                }
                // a hashtag may be the first word of a sentence
                let comment = sentence.words.is_empty() && (line.starts_with("# ") || line.contains(" = "));
                if let Some(comment) = line.strip_prefix('#').filter(|_| comment) {
                    if let Some((name, value)) = comment.split_once('=') {
                        sentence.comments.push((name.trim().into(), value.trim().replace('\t', " ")));
                    }
                } else if !line.starts_with("-DOCSTART-") {
                    let tabs = line.contains('\t');
                    let columns: Vec<String> =
                        if tabs { line.split('\t').map(|c| c.trim().into()).collect() } else { line.split_whitespace().map(String::from).collect() };
                    sentence.words.push(Word { line: number, columns });
                }
                continue;
            }
            _ => {}
        }
        let done = std::mem::take(&mut sentence);
        if let Some(e) = bad.take() {
            sink(Err(e))?;
        } else if done.bytes > LONGEST {
            sink(Err(Error::row(path, done.line, say!("a sentence {}", "una frase {}", too_long()))))?;
        } else if let Some(first) = done.words.first() {
            let layout = layout.get_or_insert_with(|| Layout { form: usize::from(is_universal(first)), tag, universal: is_universal(first) });
            if layout.tag.is_none() {
                layout.tag = tags(&done, *layout);
            }
            sink(record(path, done, *layout))?;
        }
        if ended {
            return Ok(());
        }
    }
}

/// Whether a line is one of CoNLL-U: an id, the form, and eight columns more.
fn is_universal(word: &Word) -> bool {
    word.columns.len() >= 10 && word.columns[0].starts_with(|c: char| c.is_ascii_digit())
}

/// The column whose values are all BIO tags, from the last; one-letter columns of O alone say nothing yet.
fn tags(sentence: &Sentence, layout: Layout) -> Option<usize> {
    let columns = sentence.words.iter().map(|w| w.columns.len()).min()?;
    let all = |c: &usize| sentence.words.iter().all(|w| tag(&w.columns[*c]).is_some());
    let any = |c: &usize| sentence.words.iter().any(|w| w.columns[*c] != "_");
    (layout.form + 1..columns).rev().find(|c| all(c) && any(c))
}

/// Whether a line is a word with its tag.
pub fn is_word(line: &str) -> bool {
    line.starts_with("-DOCSTART-") || line.split_whitespace().skip(1).last().is_some_and(|last| tag(last).is_some())
}

/// A tag's letter and type; `None` if it is no tag.
fn tag(value: &str) -> Option<(char, &str)> {
    if value == "O" || value == "_" {
        return Some(('O', ""));
    }
    let (letter, kind) = value.split_once(['-', '_'])?;
    let mut letters = letter.chars();
    letters.next().filter(|l| "BIESLUM".contains(*l) && letters.next().is_none() && !kind.is_empty()).map(|l| (l, kind))
}

fn record(path: &Path, sentence: Sentence, layout: Layout) -> Result<Record> {
    let mut names = HashSet::new();
    if let Some((name, _)) = sentence.comments.iter().find(|(name, _)| !names.insert(name)) {
        let what = say!(
            "the comment `{name:.40}` stands twice at one sentence; keep one of them",
            "il commento `{name:.40}` compare due volte nella stessa frase; tienine uno solo"
        );
        return Err(Error::row(path, sentence.line, what));
    }
    let given = sentence.comments.iter().find(|(name, _)| name == "text").map(|(_, v)| v.as_str());
    let mut words: Vec<(&Word, &str)> = Vec::new();
    // the parts of a word that is written as one, by the last id of it
    let mut inside = 0;
    for word in &sentence.words {
        let Some(form) = word.columns.get(layout.form) else {
            return Err(Error::row(
                path,
                word.line,
                say!(
                    "has {}, at least {} are needed: column {} is missing; is it a line of another format?",
                    "ha {}, ne servono almeno {}: manca la colonna {}; è una riga di un altro formato?",
                    say::count(word.columns.len(), COLUMN),
                    layout.form + 1,
                    word.columns.len() + 1
                ),
            ));
        };
        if layout.universal {
            let id = word.columns[0].as_str();
            if let Some((_, last)) = id.split_once('-') {
                inside = last.parse().unwrap_or(0);
            } else if id.contains('.') || id.parse::<usize>().is_ok_and(|id| id <= inside) {
                // the tags of a joined word stand at its parts
                if let (Some((joined, _)), Some(tag)) = (words.last_mut(), layout.tag)
                    && joined.columns.get(tag).is_none_or(|t| t == "_")
                    && !id.contains('.')
                {
                    *joined = word;
                }
                continue;
            }
        }
        words.push((word, form));
    }
    let (text, places) = given.and_then(|text| Some((text.to_string(), places(text, &words)?))).unwrap_or_else(|| {
        let glued = |word: &Word| layout.universal && word.columns.last().is_some_and(|misc| misc.split('|').any(|m| m == "SpaceAfter=No"));
        joined(words.iter().map(|(word, form)| (*form, glued(word))))
    });
    let mut fields = vec![("text".to_string(), text)];
    if let Some(column) = layout.tag {
        let tagged = words.iter().map(|(word, _)| {
            let value = word.columns.get(column).map_or("", String::as_str);
            tag(value).ok_or_else(|| {
                let what = say!("column {}: {}", "colonna {}: {}", column + 1, no_tag(value));
                Error::row(path, word.line, what)
            })
        });
        let spans = spans(places.into_iter().zip(tagged.collect::<Result<Vec<_>>>()?));
        let json = serde_json::to_string(&spans).map_err(|e| Error::row(path, sentence.line, e.to_string()))?;
        fields.push(("entities".into(), json));
    }
    fields.extend(sentence.comments.into_iter().filter(|(name, _)| name != "text" && name != "entities"));
    Ok(Record { line: sentence.line, part: None, fields })
}

/// Where the words stand in a text, in characters, if all do, in order, with nothing but spaces between.
fn places(text: &str, words: &[(&Word, &str)]) -> Option<Vec<(usize, usize)>> {
    let (mut rest, mut at) = (text, 0);
    let mut out = Vec::with_capacity(words.len());
    for (_, form) in words {
        let trimmed = rest.trim_start();
        at += rest[..rest.len() - trimmed.len()].chars().count();
        rest = trimmed.strip_prefix(form)?;
        let end = at + form.chars().count();
        out.push((at, end));
        at = end;
    }
    rest.trim().is_empty().then_some(out)
}

/// Words with spaces between them, but behind one that is glued to the next; and where they stand, in characters.
fn joined<'a>(words: impl Iterator<Item = (&'a str, bool)>) -> (String, Vec<(usize, usize)>) {
    let (mut text, mut at, mut out) = (String::new(), 0, Vec::new());
    let mut space = false;
    for (form, glued) in words {
        if space {
            text.push(' ');
            at += 1;
        }
        text.push_str(form);
        let end = at + form.chars().count();
        out.push((at, end));
        at = end;
        space = !glued;
    }
    (text, out)
}

/// The entities that tags make of words, which stand at these places.
fn spans<'a>(tagged: impl Iterator<Item = ((usize, usize), (char, &'a str))>) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut open = false;
    for ((start, end), (letter, kind)) in tagged {
        match (letter, spans.last_mut()) {
            ('O', _) => open = false,
            ('I' | 'E' | 'L' | 'M', Some(last)) if open && last.kind == kind => {
                last.end = end;
                open = letter != 'E' && letter != 'L';
            }
            _ => {
                spans.push(Span { start, end, kind: kind.into() });
                open = !matches!(letter, 'S' | 'U' | 'E' | 'L');
            }
        }
    }
    spans
}

fn no_tag(value: &str) -> String {
    say!("`{value:.40}` is no tag; write O, B-type or I-type", "`{value:.40}` non è un’etichetta; scrivi O, B-tipo o I-tipo")
}

/// The text and the entities of words that have a tag each.
///
/// # Errors
/// With a sentence, if there are not as many tags as words, or one is none.
pub fn tagged(words: &[String], tags: &[String]) -> std::result::Result<(String, Vec<Span>), String> {
    if words.len() != tags.len() {
        let (tags, words) = (say::count(tags.len(), TAG), say::count(words.len(), WORD));
        return Err(say!("has {tags} for {words}; each word needs one", "ha {tags} per {words}; ogni parola ne vuole una"));
    }
    let (text, places) = joined(words.iter().map(|word| (word.as_str(), false)));
    let tags = tags.iter().map(|value| tag(value).ok_or_else(|| no_tag(value))).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok((text, spans(places.into_iter().zip(tags))))
}
