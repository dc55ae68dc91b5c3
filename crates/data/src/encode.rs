//! Prompts into tokens with targets: the one place that decides what the model sees and learns.

use gemma::generate::{BOS, EOS};
use gemma::{Error, Result, Tokenizer};
use say::say;
use std::ops::Range;

/// One example as tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// Tokens, beginning with the one that begins every text.
    pub ids: Vec<u32>,
    /// How many of the first tokens are the prompt; the rest, if any, is the completion.
    pub prompt: usize,
    /// What a head is to classify, in the order of the text.
    pub marks: Vec<Mark>,
    /// How often the text itself began with the token that begins every text. That was left out: no text that the model was
    /// trained on begins twice.
    pub repeated: usize,
}

/// A part of an example and its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Which of the example's tokens; never empty.
    pub tokens: Range<usize>,
    /// What a head should say of them.
    pub class: u32,
}

impl Encoded {
    /// A text that a head gives one class.
    pub fn classed(ids: Vec<u32>, class: u32) -> Self {
        Self { prompt: ids.len(), marks: vec![Mark { tokens: 0..ids.len(), class }], ids, repeated: 0 }
    }
}

/// How examples are encoded.
pub struct Encoder<'a> {
    /// The model's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// Longest example, in tokens. A longer one is an error: silent truncation cuts off targets.
    pub max_tokens: usize,
}

impl Encoder<'_> {
    /// Encodes a prompt and the completion to learn, if there is one, which then ends the text.
    ///
    /// Both are tokenized apart, so the prompt's tokens are the same in training and in use, see [`Encoded::repeated`], too.
    ///
    /// # Errors
    /// If the example is longer than the limit.
    pub fn encode(&self, prompt: &str, completion: Option<&str>) -> Result<Encoded> {
        let mut ids = self.tokenizer.encode_with_bos(prompt)?;
        let repeated = ids.iter().skip(1).take_while(|&&token| token == BOS).count();
        ids.drain(1..=repeated);
        let prompt = ids.len();
        if let Some(completion) = completion {
            ids.extend(self.tokenizer.encode(completion)?);
            ids.push(EOS);
        }
        self.fits(&ids)?;
        Ok(Encoded { ids, prompt, marks: Vec::new(), repeated })
    }

    /// Encodes a text for a head that gives it one class.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn classed(&self, text: &str, class: u32) -> Result<Encoded> {
        let Encoded { ids, repeated, .. } = self.encode(text, None)?;
        Ok(Encoded { repeated, ..Encoded::classed(ids, class) })
    }

    /// Encodes a text for a head that gives each of its words a class. Every word is tokenized by itself,
    /// with the white space before it, so that no token belongs to two of them.
    ///
    /// With `copies` above 1 the text is given that often, and read in the last one: the model sees only
    /// what stands before a token, and so it has seen what stands after it as well.
    ///
    /// # Errors
    /// As [`Encoder::encode`], or if there is no word.
    pub fn words(&self, text: &str, words: &[(Range<usize>, u32)], copies: usize) -> Result<Encoded> {
        if words.is_empty() {
            return Err(Error::Request(say!("the text has no word; remove the row", "il testo non contiene parole; elimina la riga")));
        }
        let (mut once, mut marks, mut from) = (Vec::new(), Vec::new(), 0);
        for (word, class) in words {
            let begin = once.len();
            once.extend(self.tokenizer.encode(text.get(from..word.end).unwrap_or_default())?);
            marks.push(Mark { tokens: begin..once.len(), class: *class });
            from = word.end;
        }
        let mut ids = vec![BOS];
        for copy in 0..copies {
            if copy > 0 {
                ids.extend(self.tokenizer.encode("\n")?);
            }
            ids.extend(&once);
        }
        let last = ids.len() - once.len();
        marks.iter_mut().for_each(|m| m.tokens = m.tokens.start + last..m.tokens.end + last);
        self.fits(&ids)?;
        // a token that stands for itself alone is spelled with brackets, which are words of their own, so no text brings one here
        Ok(Encoded { prompt: ids.len(), ids, marks, repeated: 0 })
    }

    fn fits(&self, ids: &[u32]) -> Result<()> {
        if ids.len() > self.max_tokens {
            let what = say!(
                "the example is {} tokens long, {} are allowed; shorten it, or raise max_tokens (--set max_tokens=…) if the model's context permits",
                "l’esempio è lungo {} token, ne sono ammessi {}; accorcialo, oppure alza max_tokens (--set max_tokens=…) se il contesto del modello lo permette",
                ids.len(),
                self.max_tokens
            );
            return Err(Error::Request(what));
        }
        Ok(())
    }
}
