//! Prompts into tokens with targets: the one place that decides what the model sees and learns.

use crate::error::{Error, Result};
use crate::example::Origin;
use gemma::Tokenizer;
use gemma::generate::EOS;

/// One example as tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// Tokens, beginning with the one that begins every text.
    pub ids: Vec<u32>,
    /// How many of the first tokens are the prompt; the rest, if any, is the completion.
    pub prompt: usize,
    /// Class of the example, for a head.
    pub class: u32,
}

/// How examples are encoded.
pub struct Encoder<'a> {
    /// The model's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// Longest example, in tokens. A longer one is an error: silent truncation cuts off targets.
    pub max_tokens: usize,
}

impl Encoder<'_> {
    /// Encodes a prompt and, if there is one, the completion to learn, which then ends the text.
    ///
    /// Both are tokenized apart, so the prompt's tokens are the same in training and in use.
    ///
    /// # Errors
    /// If the example is longer than the limit; `origin` names its row.
    pub fn encode(&self, prompt: &str, completion: Option<&str>, class: u32, origin: &Origin) -> Result<Encoded> {
        let fail = |e: gemma::Error| Error::row(origin.path(), origin.line, e.to_string());
        let mut ids = self.tokenizer.encode_with_bos(prompt).map_err(fail)?;
        let prompt = ids.len();
        if let Some(completion) = completion {
            ids.extend(self.tokenizer.encode(completion).map_err(fail)?);
            ids.push(EOS);
        }
        if ids.len() > self.max_tokens {
            let what = format!(
                "the example is {} tokens long, {} are allowed; shorten it, or raise max_tokens (--set max_tokens=…) if the model's context permits",
                ids.len(),
                self.max_tokens
            );
            return Err(Error::row(origin.path(), origin.line, what));
        }
        Ok(Encoded { ids, prompt, class })
    }
}
