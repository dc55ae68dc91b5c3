//! One example under the microscope: what the model reads of it, token by token, and what it learns.
//!
//! Nothing is worked out a second time: ids, padding and loss are read off the [`Batch`] that training
//! would build of the example's [`Encoded`] form, and that is the one which training encodes. Only the roles are found here, from where a token
//! lies in the prompt.

use crate::batch::Batch;
use crate::encode::{Encoded, Encoder};
use crate::error::{Error, Result};
use crate::example::Origin;
use gemma::Layout;
use serde::Serialize;
use std::ops::Range;
use ts_rs::TS;

/// What a token is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(rename = "TokenRole")]
pub enum Role {
    /// The same in every example: what begins a text, and the words around the example's own.
    Template,
    /// The example's text.
    Prompt,
    /// The answer, with the token that ends it.
    Target,
    /// Fills the row; the model never attends to it.
    Padding,
}

/// A token of a row.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct Token {
    /// Its number in the vocabulary.
    pub id: u32,
    /// What it spells; part of a character is spelled as its byte, `<0xF0>`.
    pub text: String,
    /// What it is there for.
    pub role: Role,
    /// Whether the loss asks the model to predict it, or the class of the word or text that it is part of.
    pub loss: bool,
    /// Whether it lies beyond the longest length allowed. Training refuses such an example; elsewhere
    /// it would be cut here.
    pub cut: bool,
    /// Whether a training that thins its rows may leave it out, see [`Batch::thinned`].
    pub thinned: bool,
}

/// A prompt, and which part of it is the example's own text.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt<'a> {
    /// All that stands before the answer.
    pub whole: &'a str,
    /// Bytes of the example's text in it.
    pub text: Range<usize>,
}

/// The tokens of an example that a prompt and its completion were encoded from, as the row of a batch of its own.
///
/// # Errors
/// If the prompt cannot be tokenized; `origin` names its row.
pub fn tokens(encoder: &Encoder<'_>, encoded: &Encoded, prompt: &Prompt<'_>, origin: &Origin) -> Result<Vec<Token>> {
    let lies = encoder.tokenizer.offsets(prompt.whole).map_err(|e| Error::row(origin.path(), origin.line, e.to_string()))?;
    let own = |range: &Range<usize>| range.start < prompt.text.end && range.end > prompt.text.start;
    // what was left out at the beginning lies in the prompt all the same
    Ok(row(encoder, encoded, |t| lies.get(t - 1 + encoded.repeated).is_some_and(own), false))
}

/// The tokens of an example that is classified, or whose words are; `thin` where training leaves some of them out.
pub fn classified(encoder: &Encoder<'_>, encoded: &Encoded, thin: bool) -> Vec<Token> {
    row(encoder, encoded, |_| true, thin)
}

/// The row of a batch of its own; `own` says which tokens before the answer, the first aside, are the example's text.
fn row(encoder: &Encoder<'_>, encoded: &Encoded, own: impl Fn(usize) -> bool, thin: bool) -> Vec<Token> {
    let batch = Batch::new(std::slice::from_ref(encoded), &[0], Layout::Padded);
    let length = encoded.ids.len();
    let role = |t: usize| match t {
        0 => Role::Template,
        t if t >= length => Role::Padding,
        t if t >= encoded.prompt => Role::Target,
        t if own(t) => Role::Prompt,
        _ => Role::Template,
    };
    let loss = |t: usize| (t > 0 && batch.positions.contains(&(t - 1))) || batch.places.iter().any(|p| p.contains(&t));
    let token = |(t, &id): (usize, &u32)| {
        let text = encoder.tokenizer.piece(id).unwrap_or_default();
        Token { id, text, role: role(t), loss: loss(t), cut: t >= encoder.max_tokens && t < length, thinned: thin && t > 0 && t < length }
    };
    batch.ids.iter().enumerate().map(token).collect()
}
