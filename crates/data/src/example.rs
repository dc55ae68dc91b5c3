//! Examples as they are after reading, before any task or tokenizer has seen them.

use crate::kind::Kind;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use ts_rs::TS;

/// A text with what is to be made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// What the model reads: a message, a sentence, a question, a post, a prompt.
    pub text: String,
    /// What it should answer.
    pub target: Target,
    /// Where the row was read, for messages.
    pub origin: Origin,
}

/// What a model should answer, by kind of task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// One label of a closed set.
    Label(String),
    /// The entities of the text, in the order of the file. Whether they lie in the text is for the check to say.
    Entities(Vec<Span>),
    /// An SQL query.
    Sql(String),
    /// Hashtags, as they were written.
    Tags(Vec<String>),
    /// Any text.
    Completion(String),
}

impl Target {
    /// The kind of task that asks for such an answer.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Label(_) => Kind::Intent,
            Self::Entities(_) => Kind::Entities,
            Self::Sql(_) => Kind::Sql,
            Self::Tags(_) => Kind::Hashtags,
            Self::Completion(_) => Kind::Custom,
        }
    }
}

/// A part of a text, counted in Unicode characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
pub struct Span {
    /// First character.
    pub start: usize,
    /// The character after the last.
    pub end: usize,
    /// Type of the entity.
    #[serde(rename = "type")]
    pub kind: String,
}

impl Span {
    /// The part of the text that the span marks; `None` if it is empty or not wholly inside.
    pub fn of<'a>(&self, text: &'a str) -> Option<&'a str> {
        if self.start >= self.end {
            return None;
        }
        let mut bytes = text.char_indices().map(|(i, _)| i).chain([text.len()]);
        let start = bytes.nth(self.start)?;
        let end = bytes.nth(self.end - self.start - 1)?;
        text.get(start..end)
    }
}

impl Example {
    /// The label; empty if the target is none.
    pub fn label(&self) -> &str {
        match &self.target {
            Target::Label(label) => label,
            _ => "",
        }
    }

    /// The entities; none if the target is something else.
    pub fn spans(&self) -> &[Span] {
        match &self.target {
            Target::Entities(spans) => spans,
            _ => &[],
        }
    }
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The file.
    pub file: Arc<PathBuf>,
    /// Line, from 1.
    pub line: usize,
}

impl Origin {
    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.file
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_count_characters_and_lie_inside_or_mark_nothing() {
        let span = |start, end| Span { start, end, kind: "x".into() };
        let text = "è già 🎉 qui";
        assert_eq!(span(2, 5).of(text), Some("già"));
        assert_eq!(span(6, 7).of(text), Some("🎉"));
        assert_eq!(span(0, 11).of(text), Some(text));
        assert_eq!(span(8, 12).of(text), None);
        assert_eq!(span(3, 3).of(text), None);
        assert_eq!(span(5, 2).of(text), None);
        assert_eq!(span(usize::MAX - 1, usize::MAX).of(text), None);
    }
}
