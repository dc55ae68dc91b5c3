//! The tasks that Lapidary trains, one file each, and what they share.
//!
//! A task says how an example becomes a prompt ([`prompt`]), what may be answered ([`constraint`] for
//! closed sets, [`grammar`] for everything else), how text becomes an answer ([`answer`]), and how
//! answers are scored ([`score`]; queries run in a [`sandbox`]). Nothing here touches tensors.

pub mod answer;
pub mod baseline;
pub mod constraint;
pub mod grammar;
pub mod intent;
pub mod prompt;
pub mod sandbox;
pub mod score;

pub use score::{Classification, Interval, Metrics};
