//! What can be wrong with a data set's files.

use say::say;
use std::path::{Path, PathBuf};

/// Result of everything that reads data.
pub type Result<T> = std::result::Result<T, Error>;

/// An error names the file and, where there are any, the line and the column.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused to open or read a file.
    #[error("{}", refused(.path, .source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file or folder as a whole is not usable.
    #[error("{path}: {what}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong and what to do.
        what: String,
    },
    /// A row is not usable.
    #[error("{path}:{line}: {}{what}", in_column(.column))]
    Row {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column as an editor counts, in characters from 1, where the fault has one.
        column: Option<usize>,
        /// What is the matter with it, for programs.
        fault: Fault,
        /// What is wrong and what to do.
        what: String,
    },
    /// Whoever waited for the work has ended it.
    #[error("{}", say::pick("ended before it was done", "terminato prima della fine"))]
    Ended,
}

/// What is the matter with a row that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It is malformed, or lacks a field.
    #[default]
    Unreadable,
    /// An entity is listed with other words than stand at its place.
    SpanMismatch,
    /// An entity is listed that the text does not hold.
    MissingEntity,
    /// An entity is listed that may be meant in several places of the text.
    AmbiguousEntity,
}

impl Error {
    /// An I/O error at a path.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().into(), source }
    }

    /// A file that is not usable.
    pub fn file(path: impl AsRef<Path>, what: impl Into<String>) -> Self {
        Self::File { path: path.as_ref().into(), what: what.into() }
    }

    /// A row that is not usable.
    pub fn row(path: impl AsRef<Path>, line: usize, what: impl Into<String>) -> Self {
        Self::Row { path: path.as_ref().into(), line, column: None, fault: Fault::default(), what: what.into() }
    }

    /// The same with the column of a row's fault.
    #[must_use]
    pub fn at_column(mut self, at: usize) -> Self {
        if let Self::Row { column, .. } = &mut self {
            *column = Some(at);
        }
        self
    }

    /// The same with what is the matter with a row.
    #[must_use]
    pub fn with_fault(mut self, of: Fault) -> Self {
        if let Self::Row { fault, .. } = &mut self {
            *fault = of;
        }
        self
    }
}

fn in_column(column: &Option<usize>) -> String {
    column.map_or_else(String::new, |c| say!("column {c}: ", "colonna {c}: "))
}

fn refused(path: &Path, source: &std::io::Error) -> String {
    let otherwise = say::pick("check that the path exists and can be read", "controlla che il percorso esista e si possa leggere");
    format!("{}: {}; {}", path.display(), say::system(source), say::advice_or(source, otherwise))
}
