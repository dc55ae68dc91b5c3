//! Examples as they are after reading, before any task or tokenizer has seen them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A text with its label.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    /// What the model reads.
    pub text: String,
    /// What it should answer.
    pub label: String,
    /// Where the row was read, for messages.
    pub origin: Origin,
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
