//! The folder where the library lives.

use crate::error::{Error, Result};
use say::say;
use std::path::{Path, PathBuf};

/// The library's folder: `library.sqlite`, `models/`, `runs/`, `kernels/`.
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
                .ok_or_else(|| {
                    Error::request(say!(
                        "this system names no folder for application data; say where the library shall live with --home DIR",
                        "questo sistema non indica una cartella per i dati dei programmi; indica dove mettere la libreria con --home CARTELLA"
                    ))
                })?
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

    /// Data sets that were made here, a folder each.
    pub fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// What graphics devices found out about their kernels, which spares the next start to find it out again. It can be
    /// removed at any time.
    pub fn kernels(&self) -> PathBuf {
        self.path.join("kernels")
    }

    /// A folder for a new run, by the name of its data and the time.
    pub fn free_run(&self, name: &str) -> PathBuf {
        let now = jiff::Zoned::now().strftime("%Y-%m-%d-%H-%M-%S");
        free(&self.runs(), &format!("{name}-{now}"))
    }

    /// What a face remembers between starts.
    pub fn settings(&self) -> PathBuf {
        self.path.join("settings.json")
    }

    /// Devices of other machines, with what lets this one compute there: for its owner alone.
    pub fn remote_devices(&self) -> PathBuf {
        self.path.join("remote-devices.json")
    }

    /// What lets other machines compute here: for its owner alone.
    pub fn served_token(&self) -> PathBuf {
        self.path.join("served-token")
    }

    /// The library's database.
    pub fn database(&self) -> PathBuf {
        self.path.join("library.sqlite")
    }
}

/// A path in a folder that nothing has yet: `name`, or `name-2` and so on.
pub fn free(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    if !path.exists() {
        return path;
    }
    (2..=usize::MAX).map(|n| folder.join(format!("{name}-{n}"))).find(|p| !p.exists()).unwrap_or(path)
}
