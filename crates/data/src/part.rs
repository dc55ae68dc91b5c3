//! The parts of a data set, and the names that people give to them.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The parts of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
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

    /// The part that a name speaks of: the last of its words that names one, in English or Italian, as
    /// in `val`, `oos_train`, `it_twittiro-ud-test` or `train-00000-of-00001`.
    pub fn recognise(name: &str) -> Option<Self> {
        name.split(|c: char| !c.is_alphanumeric()).rev().find_map(|word| match word.to_lowercase().as_str() {
            "train" | "training" | "addestramento" => Some(Self::Train),
            "validation" | "valid" | "val" | "dev" | "development" | "validazione" => Some(Self::Validation),
            "test" | "testing" | "eval" | "evaluation" | "prova" => Some(Self::Test),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_recognised_by_the_names_that_people_use() {
        for (name, split) in [("val", Split::Validation), ("oos_train", Split::Train), ("it_twittiro-ud-test", Split::Test)] {
            assert_eq!(Split::recognise(name), Some(split), "{name}");
        }
        assert_eq!(Split::recognise("train-00000-of-00001"), Some(Split::Train));
        assert_eq!(Split::recognise("text"), None);
        assert_eq!(Split::recognise("contest"), None);
    }
}
