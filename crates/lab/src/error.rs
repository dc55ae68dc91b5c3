//! One error for everything the application does; each message is one sentence for a person.

use say::say;
use std::path::{Path, PathBuf};

/// Result of the application's work.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// In a model's files, on a device, or in a request to a model.
    #[error(transparent)]
    Model(#[from] gemma::Error),
    /// In a data set's files.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// In a run folder.
    #[error(transparent)]
    Report(#[from] report::Error),
    /// In the database that queries are about.
    #[error(transparent)]
    Sandbox(#[from] tasks::sandbox::Error),
    /// In the library.
    #[error("{}", unreadable(.path, .source))]
    Library {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The operating system refused something.
    #[error("{}", refused(.path, .source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A wish that cannot be fulfilled.
    #[error("{0}")]
    Request(String),
    /// The device of a run was lost, and the run waits to be gone on with.
    #[error("{0}")]
    Waits(String),
    /// What a run costs could not be measured, which says nothing of the run itself.
    #[error("{0}")]
    Unmeasured(String),
}

impl Error {
    /// An I/O error at a path.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().into(), source }
    }

    /// A wish that cannot be fulfilled.
    pub fn request(what: impl Into<String>) -> Self {
        Self::Request(what.into())
    }
}

impl From<wheels::Error> for Error {
    fn from(error: wheels::Error) -> Self {
        match error {
            wheels::Error::Io { path, source } => Self::Io { path, source },
            wheels::Error::Stopped => Self::Request(error.to_string()),
            wrong => Self::Request(say!(
                "{wrong}; nothing of it was kept: try again, and if this comes back, please report it",
                "{wrong}; non ne è rimasto nulla: riprova e, se si ripete, segnalalo"
            )),
        }
    }
}

fn unreadable(path: &Path, source: &rusqlite::Error) -> String {
    let path = path.display();
    say!(
        "the library {path}: {source}; if it is damaged, move it away and a new one is made",
        "la libreria {path}: {source}; se è danneggiata, spostala altrove e ne viene creata una nuova"
    )
}

fn refused(path: &Path, source: &std::io::Error) -> String {
    format!("{}: {}; {}", path.display(), say::system(source), say::advice(source))
}
