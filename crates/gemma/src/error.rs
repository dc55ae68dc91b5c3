//! What can go wrong with a model's files, said so that a person can act on it.

use say::say;
use std::path::{Path, PathBuf};

/// Result of everything in this crate that touches a file or a device.
pub type Result<T> = std::result::Result<T, Error>;

/// An error names the file and, where there is one, the tensor; the sentence ends with what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused to open, read or write a file.
    #[error("{}", refused(.path, .source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file is damaged, truncated or not what its name says.
    #[error("{path}: {what}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        what: String,
    },
    /// A tensor is missing, misshapen or of a type that is not supported.
    #[error("{path}: {} `{tensor}`: {what}", say::pick("tensor", "tensore"))]
    Tensor {
        /// The file that should hold it.
        path: PathBuf,
        /// Hugging Face name of the tensor.
        tensor: String,
        /// What is wrong and what to do.
        what: String,
    },
    /// A request that the model cannot satisfy (a text longer than the context, for instance).
    #[error("{0}")]
    Request(String),
    /// The device failed while computing.
    #[error("{} {device}: {what}", say::pick("device", "dispositivo"))]
    Device {
        /// The device, as the user names it.
        device: String,
        /// What it said.
        what: String,
    },
}

/// All results, or the first error.
pub(crate) fn all<T, const N: usize>(results: [Result<T>; N]) -> Result<[T; N]> {
    let values: Vec<T> = results.into_iter().collect::<Result<_>>()?;
    // as many as there were
    values.try_into().map_err(|_| Error::Request(say!("a block lacks tensors", "a un blocco mancano tensori")))
}

impl Error {
    /// An I/O error at a path.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().into(), source }
    }

    /// A damaged or unsupported file.
    pub fn format(path: impl AsRef<Path>, what: impl Into<String>) -> Self {
        Self::Format { path: path.as_ref().into(), what: what.into() }
    }

    /// A problem with one tensor of a file.
    pub fn tensor(path: impl AsRef<Path>, tensor: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Tensor { path: path.as_ref().into(), tensor: tensor.into(), what: what.into() }
    }
}

fn refused(path: &Path, source: &std::io::Error) -> String {
    format!("{}: {}; {}", path.display(), say::system(source), say::advice(source))
}
