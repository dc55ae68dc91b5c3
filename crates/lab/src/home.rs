//! The folder where the library lives.

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The library's folder: `library.sqlite`, `models/`, `runs/`.
#[derive(Clone, Debug)]
pub struct Home {
    path: PathBuf,
}

impl Home {
    /// The folder that was named, or the platform's data directory. It is made if it is not there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn open(named: Option<&Path>) -> Result<Self> {
        let path = match named {
            Some(path) => path.to_path_buf(),
            None => dirs::data_dir()
                .ok_or_else(|| Error::request("this system names no folder for application data; say where the library shall live with --home DIR"))?
                .join("lapidary"),
        };
        std::fs::create_dir_all(&path).map_err(|e| Error::io(&path, e))?;
        Ok(Self { path })
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where models are kept, a folder each.
    pub fn models(&self) -> PathBuf {
        self.path.join("models")
    }

    /// Where runs are kept that were not given a folder, a folder each.
    pub fn runs(&self) -> PathBuf {
        self.path.join("runs")
    }

    /// What a face remembers between starts.
    pub fn settings(&self) -> PathBuf {
        self.path.join("settings.json")
    }

    /// The library's database.
    pub fn database(&self) -> PathBuf {
        self.path.join("library.sqlite")
    }
}
