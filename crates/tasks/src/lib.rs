//! The tasks that Lapidary trains, one file each, and what they share.
//!
//! A task says how an example becomes a prompt, what may be answered ([`constraint`]), how text
//! becomes an answer, and how answers are scored ([`score`]). Nothing here touches tensors.

pub mod answer;
pub mod constraint;
pub mod intent;
pub mod sandbox;
pub mod score;

pub use score::{Classification, Interval, Metrics};
