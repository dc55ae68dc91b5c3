//! What can be wrong with a data set's files.

use say::say;
use std::path::{Path, PathBuf};

/// Result of everything that reads data.
pub type Result<T> = std::result::Result<T, Error>;

/// An error names the file and, where there is one, the line.
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
    #[error("{path}:{line}: {what}")]
    Row {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong and what to do.
        what: String,
    },
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
        Self::Row { path: path.as_ref().into(), line, what: what.into() }
    }
}

fn refused(path: &Path, source: &std::io::Error) -> String {
    let (path, source) = (path.display(), say::system(source));
    say!("{path}: {source}; check that the path exists and can be read", "{path}: {source}; controlla che il percorso esista e si possa leggere")
}
