//! A data set as a person names it: a folder with a card, a folder of files, or single files.

use crate::error::{Error, Result};
use crate::example::Labelled;
use crate::read::{self, Columns};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use ts_rs::TS;

/// The parts of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// What the model learns from.
    Train,
    /// What choices are made on.
    Validation,
    /// What the result is measured on; never used for a choice.
    Test,
}

impl Split {
    /// All parts, in order.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// Name in cards, files and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// `dataset.toml`: what a data set is and where its files are. Other keys are for people.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Card {
    /// Short name.
    #[serde(default)]
    pub name: String,
    /// Task it is made for.
    #[serde(default)]
    pub task: String,
    /// Language code.
    #[serde(default)]
    pub language: String,
    /// Licence, as an SPDX expression where there is one.
    #[serde(default)]
    pub license: String,
    /// File of each part, relative to the card.
    #[serde(default)]
    pub files: BTreeMap<String, PathBuf>,
    /// Field of each role.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
    /// What it says of its own size.
    #[serde(default)]
    pub counts: toml::Table,
}

/// What the user named.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// A folder with a card, or with files called `train`, `validation` and `test`.
    pub folder: Option<PathBuf>,
    /// Single files; each takes precedence over the folder's.
    pub train: Option<PathBuf>,
    /// As `train`.
    pub validation: Option<PathBuf>,
    /// As `train`.
    pub test: Option<PathBuf>,
    /// Roles mapped by the user; they take precedence over the card's.
    pub columns: Columns,
}

/// A file of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// Its path.
    pub path: PathBuf,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// Its examples.
    pub examples: Vec<Labelled>,
}

/// A data set read into memory.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSet {
    /// The card; without one, only the name is filled, from the path.
    pub card: Card,
    /// The parts that are there.
    pub splits: BTreeMap<Split, File>,
}

impl DataSet {
    /// Finds and reads the files of a data set.
    ///
    /// # Errors
    /// If a file is missing or malformed, or nothing was named.
    pub fn open(source: &Source) -> Result<Self> {
        let mut card = Card::default();
        let mut paths = BTreeMap::new();
        if let Some(folder) = &source.folder {
            card = read_card(folder)?;
            for split in Split::ALL {
                if let Some(path) = find(folder, &card, split)? {
                    paths.insert(split, path);
                }
            }
            if paths.is_empty() {
                return Err(Error::file(folder, "holds no dataset.toml and no file called train, validation or test (.jsonl, .csv, .tsv)"));
            }
        }
        for (split, path) in Split::ALL.into_iter().zip([&source.train, &source.validation, &source.test]) {
            if let Some(path) = path {
                paths.insert(split, path.clone());
            }
        }
        if card.name.is_empty() {
            let named = source.folder.as_ref().or(paths.values().next());
            card.name = named.and_then(|p| p.file_stem()).map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        }
        let columns = Columns {
            text: source.columns.text.clone().or_else(|| card.columns.get("text").cloned()),
            label: source.columns.label.clone().or_else(|| card.columns.get("label").cloned()),
        };
        let mut splits = BTreeMap::new();
        for (split, path) in paths {
            let examples = read::labelled(&path, &columns)?;
            splits.insert(split, File { sha256: sha256(&path)?, examples, path });
        }
        Ok(Self { card, splits })
    }

    /// Examples of a part; none if the part is not there.
    pub fn examples(&self, split: Split) -> &[Labelled] {
        self.splits.get(&split).map_or(&[], |f| f.examples.as_slice())
    }
}

/// Reads `dataset.toml` of a folder; an empty card if there is none.
///
/// # Errors
/// If the folder is missing or the card is malformed.
pub fn read_card(folder: &Path) -> Result<Card> {
    let path = folder.join("dataset.toml");
    if !path.exists() {
        // the folder's own absence is the better message
        std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
        return Ok(Card::default());
    }
    let text = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
    toml::from_str(&text).map_err(|e| {
        let line = e.span().map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
        Error::row(&path, line, format!("not a data set card: {}", e.message()))
    })
}

fn find(folder: &Path, card: &Card, split: Split) -> Result<Option<PathBuf>> {
    if let Some(path) = card.files.get(split.name()) {
        // a card is data from elsewhere: it must not reach outside its folder
        if path.is_absolute() || path.components().any(|c| c == std::path::Component::ParentDir) {
            return Err(Error::file(folder.join("dataset.toml"), format!("names a file outside its folder ({}); move the file into it", path.display())));
        }
        return Ok(Some(folder.join(path)));
    }
    Ok(["jsonl", "csv", "tsv"].iter().map(|e| folder.join(format!("{}.{e}", split.name()))).find(|p| p.exists()))
}

/// SHA-256 of a file, hexadecimal.
///
/// # Errors
/// If the file cannot be read.
pub fn sha256(path: &Path) -> Result<String> {
    let mut file = std::fs::File::open(path).map_err(|e| Error::io(path, e))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = file.read(&mut buffer).map_err(|e| Error::io(path, e))?;
        if n == 0 {
            break;
        }
        hash.update(&buffer[..n]);
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}
