//! The one error type of xtask: what happened, and what the person can do about it.

use say::say;
use std::fmt;

/// Something went wrong; printed by `main` as two parts, so that nobody has to guess the second one.
#[derive(Debug)]
pub struct Failure {
    /// What happened, as one or more full sentences.
    pub what: String,
    /// What to do, usually a command to type.
    pub advice: String,
}

impl Failure {
    /// A failure with its advice.
    pub fn new(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { what: what.into(), advice: advice.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, advice } = self;
        f.write_str(&say!("{what}\nWhat to do: {advice}", "{what}\nChe cosa fare: {advice}"))
    }
}
