//! The formats that examples are written in.

use crate::kind::Kind;
use say::say;

/// The formats that are written: all that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// An object a line.
    JsonLines,
    /// A list of objects, one a line.
    Json,
    /// Commas, with a header.
    Csv,
    /// Tabs, with a header.
    Tsv,
    /// Columns in binary; entities and hashtags are lists.
    Parquet,
    /// A chat a line: what is read is the user's turn, the answer the assistant's.
    Messages,
    /// A list of instructions with their outputs.
    Alpaca,
    /// A prompt and its completion a line.
    PromptCompletion,
    /// A word with its BIO tag a line.
    Conll,
    /// An object a line that lists the entities as strings per type.
    Strings,
    /// A label and a text a line.
    FastText,
}

impl Layout {
    /// All formats.
    pub const ALL: [Self; 11] = [
        Self::JsonLines,
        Self::Json,
        Self::Csv,
        Self::Tsv,
        Self::Parquet,
        Self::Messages,
        Self::Alpaca,
        Self::PromptCompletion,
        Self::Conll,
        Self::Strings,
        Self::FastText,
    ];

    /// Name on the command line and in the window.
    pub fn name(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Parquet => "parquet",
            Self::Messages => "messages",
            Self::Alpaca => "alpaca",
            Self::PromptCompletion => "prompt-completion",
            Self::Conll => "conll",
            Self::Strings => "strings",
            Self::FastText => "fasttext",
        }
    }

    /// Ending of the names of its files.
    pub fn ending(self) -> &'static str {
        match self {
            Self::JsonLines | Self::Messages | Self::PromptCompletion | Self::Strings => "jsonl",
            Self::Json | Self::Alpaca => "json",
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Parquet => "parquet",
            Self::Conll => "conll",
            Self::FastText => "txt",
        }
    }

    /// Whether it has a way to say answers of a kind.
    pub fn says(self, kind: Kind) -> bool {
        match self {
            Self::Conll | Self::Strings => kind == Kind::Entities,
            Self::FastText => kind == Kind::Intent,
            _ => true,
        }
    }

    /// The formats that have a way to say answers of a kind.
    pub fn of(kind: Kind) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |layout| layout.says(kind))
    }
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Layout {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|l| l.name() == name)
            .ok_or_else(|| say!("`{name}` is no format of data; the formats are {names}", "`{name}` non è un formato di dati; i formati sono {names}"))
    }
}
