//! A sentence with a word and its BIO tag a line; its text stands before it, so that spaces are kept.

use crate::example::{Example, Span};
use say::say;

/// Marks that are words of their own, beside those of ASCII.
const MARKS: &str = "«»“”‘’„…–—";

/// The lines of an example of entities, and the blank line after them.
///
/// # Errors
/// With a sentence, if its text or its entities are not what columns of words can say.
pub fn sentence(example: &Example) -> Result<String, String> {
    let text = example.text.as_str();
    if text.is_empty() || text.trim() != text || text.contains(['\n', '\t']) {
        return Err(say!(
            "its text is empty, begins or ends with a space, or holds a tab or a line end, which columns of words cannot keep",
            "ha un testo vuoto, che comincia o finisce con uno spazio, o che contiene una tabulazione o una fine di riga: le colonne di parole non possono conservarlo"
        ));
    }
    let chars: Vec<char> = text.chars().collect();
    let mut spans: Vec<&Span> = example.spans().iter().collect();
    spans.sort();
    for span in &spans {
        if span.start >= span.end || span.end > chars.len() || chars[span.start].is_whitespace() || chars[span.end - 1].is_whitespace() {
            return Err(say!(
                "has an entity that is not in the text, or begins or ends with a space",
                "ha un’entità che non è nel testo, o che comincia o finisce con uno spazio"
            ));
        }
        if span.kind.is_empty() || span.kind.trim() != span.kind || span.kind.contains(['\n', '\t']) {
            return Err(say!("its type `{}` is no word", "ha un tipo, `{}`, che non è una parola", span.kind));
        }
    }
    if spans.windows(2).any(|pair| pair[1].start < pair[0].end) {
        return Err(say!("has entities that overlap, and a word has one tag", "ha entità che si sovrappongono, mentre una parola ha una sola etichetta"));
    }
    let mut out = format!("# text = {text}\n");
    let mut spans = spans.into_iter().peekable();
    let mut start = 0;
    while start < chars.len() {
        if chars[start].is_whitespace() {
            start += 1;
            continue;
        }
        let next = spans.peek().copied();
        let within = next.filter(|s| s.start <= start);
        let border = next.map_or(chars.len(), |s| if s.start <= start { s.end } else { s.start });
        let joined = |c: &char| !c.is_whitespace() && !is_mark(*c);
        let end = if is_mark(chars[start]) { start + 1 } else { start + chars[start..border].iter().take_while(|c| joined(c)).count() };
        let tag = within.map_or("O".to_string(), |s| format!("{}-{}", if s.start == start { 'B' } else { 'I' }, s.kind));
        out.extend(&chars[start..end]);
        out += &format!("\t{tag}\n");
        start = end;
        if spans.peek().is_some_and(|s| s.end <= start) {
            spans.next();
        }
    }
    Ok(out)
}

fn is_mark(c: char) -> bool {
    c.is_ascii_punctuation() || MARKS.contains(c)
}
