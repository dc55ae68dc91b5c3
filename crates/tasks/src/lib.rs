//! The tasks that Lapidary trains, one file each, and what they share.
//!
//! A task says how an example becomes a prompt ([`prompt`]), what may be answered ([`constraint`] for
//! closed sets, [`grammar`] and [`json_schema`] for everything else), how text or tags become an answer ([`answer`],
//! [`tagging`]), and how answers are scored ([`score`]; queries run in a [`sandbox`]). Nothing here
//! touches tensors.

pub mod answer;
pub mod baseline;
pub mod compose;
pub mod constraint;
mod facts;
pub mod grammar;
pub mod grow;
pub mod intent;
pub mod json_schema;
pub mod prompt;
pub mod sandbox;
pub mod scope;
pub mod score;
pub mod tagging;
pub mod values;
pub mod vote;

pub use score::{Classification, Interval, Metrics};
