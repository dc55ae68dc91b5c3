//! What kind of answer a data set is made for.

use say::say;
use serde::{Deserialize, Serialize};

/// A kind of task, as far as reading and checking examples is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// One label for a text.
    Intent,
    /// Spans of a text with their types.
    Entities,
    /// A query for a question about a database.
    Sql,
    /// Hashtags for a text.
    Hashtags,
    /// Any text for any prompt.
    Custom,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Intent, Self::Entities, Self::Sql, Self::Hashtags, Self::Custom];

    /// Name on the command line, in cards and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Entities => "entities",
            Self::Sql => "sql",
            Self::Hashtags => "hashtags",
            Self::Custom => "custom",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|k| k.name() == name)
            .ok_or_else(|| say!("`{name}` is no task; the tasks are {names}", "`{name}` non è un compito; i compiti sono {names}"))
    }
}
