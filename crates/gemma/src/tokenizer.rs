//! Gemma's tokenizer: from a `tokenizer.json`, or rebuilt from GGUF metadata, with the same ids.
//!
//! GGUF keeps the pieces of the vocabulary with scores but not the merges that `tokenizer.json`
//! lists. The merges follow from the scores: every split of a piece into two pieces is a merge, and
//! better scores merge first (transformers' `SentencePieceExtractor` does the same). Two quirks of
//! the conversion to GGUF must be undone first, see [`pieces`]; with that, the rebuilt list equals
//! the original one, merge by merge, and the tests hold the ids against transformers'.

use crate::error::{Error, Result};
use crate::generate::BOS;
use crate::gguf::{Header, Value};
use crate::weights::Weights;
use say::say;
use std::collections::HashMap;
use std::path::Path;
use tokenizers::models::bpe::BPE;
use tokenizers::{AddedToken, DecoderWrapper, NormalizerWrapper, PostProcessorWrapper};

/// Token of a character that the vocabulary cannot spell.
pub(crate) const UNKNOWN: u32 = 3;

/// Text to tokens and back.
#[derive(Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    vocabulary: usize,
}

impl Tokenizer {
    /// The tokenizer of a model: `tokenizer.json` beside the weights, else the GGUF metadata.
    ///
    /// # Errors
    /// If there is neither, or the one that is there is damaged.
    pub fn open(weights: &Weights) -> Result<Self> {
        let path = weights.path();
        let folder = if path.is_dir() { Some(path) } else { path.parent() };
        let file = folder.map(|f| f.join("tokenizer.json")).filter(|f| f.exists());
        match (file, weights.gguf()) {
            (Some(file), _) => Self::from_file(&file, weights.config().vocabulary),
            (None, Some(gguf)) => Self::from_gguf(gguf.path(), gguf.header()),
            (None, None) => Err(Error::format(
                path,
                say!(
                    "has no tokenizer.json; put the model's tokenizer.json into the folder",
                    "non ha tokenizer.json; metti nella cartella il tokenizer.json del modello"
                ),
            )),
        }
    }

    /// Reads a `tokenizer.json`. `vocabulary` is the number of rows of the embedding table: the
    /// tokenizer may list more (an image token), which a text model must never be fed.
    ///
    /// # Errors
    /// If the file cannot be read or is no tokenizer.
    pub fn from_file(file: &Path, vocabulary: usize) -> Result<Self> {
        let bytes = std::fs::read(file).map_err(|e| Error::io(file, e))?;
        let inner = tokenizers::Tokenizer::from_bytes(bytes)
            .map_err(|e| Error::format(file, say!("is not a tokenizer ({e}); fetch it again", "non è un tokenizer ({e}); scaricalo di nuovo")))?;
        if inner.token_to_id("<bos>") != Some(BOS) {
            return Err(Error::format(
                file,
                say!(
                    "is not Gemma's tokenizer (token 2 is not <bos>); use the file that belongs to the model",
                    "non è il tokenizer di Gemma (il token 2 non è <bos>); usa il file che appartiene al modello"
                ),
            ));
        }
        Ok(Self { inner, vocabulary })
    }

    /// Rebuilds the tokenizer from GGUF metadata.
    ///
    /// # Errors
    /// If the metadata lack the vocabulary or contradict themselves.
    pub fn from_gguf(file: &Path, header: &Header) -> Result<Self> {
        let fail = |what: String| {
            Error::format(
                file,
                say!(
                    "its tokenizer cannot be rebuilt: {what}; put the model's tokenizer.json beside the file",
                    "il suo tokenizer non si può ricostruire: {what}; metti accanto al file il tokenizer.json del modello"
                ),
            )
        };
        let pieces = pieces(header).map_err(&fail)?;
        let vocabulary = pieces.len();
        let vocab: HashMap<&str, u32> = pieces.iter().zip(0..).map(|(p, i)| (p.text.as_str(), i)).collect();
        if vocab.len() != vocabulary {
            return Err(fail(say!("a piece occurs twice", "un pezzo compare due volte")));
        }
        if vocab.get("<bos>") != Some(&BOS) {
            return Err(fail(say!("token 2 is not <bos>", "il token 2 non è <bos>")));
        }
        let merges = merges(&pieces, &vocab);
        let added: Vec<AddedToken> =
            pieces.iter().filter(|p| p.added).map(|p| AddedToken::from(p.text.clone(), SPECIAL.contains(&p.text.as_str())).normalized(false)).collect();
        let bpe = BPE::builder()
            .vocab_and_merges(pieces.into_iter().map(|p| p.text).zip(0..).collect::<HashMap<_, _, _>>(), merges)
            .unk_token("<unk>".into())
            .fuse_unk(true)
            .byte_fallback(true)
            .build()
            .map_err(|e| fail(e.to_string()))?;
        let mut inner = tokenizers::Tokenizer::new(bpe);
        let space: NormalizerWrapper = from_json(serde_json::json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})).map_err(&fail)?;
        let decoder: DecoderWrapper = from_json(serde_json::json!({"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]}))
        .map_err(&fail)?;
        inner.with_normalizer(Some(space)).map_err(|e| fail(e.to_string()))?;
        inner.with_decoder(Some(decoder));
        // not used here (see encode_with_bos), but whoever opens an exported tokenizer.json needs it
        let begin: PostProcessorWrapper = from_json(serde_json::json!({"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                     {"SpecialToken": {"id": "<bos>", "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<bos>": {"id": "<bos>", "ids": [BOS], "tokens": ["<bos>"]}}}))
        .map_err(&fail)?;
        inner.with_post_processor(Some(begin));
        inner.add_tokens(added).map_err(|e| fail(e.to_string()))?;
        Ok(Self { inner, vocabulary })
    }

    /// Tokens of a text, without the token that begins a text.
    ///
    /// # Errors
    /// If the tokenizer refuses the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self
            .inner
            .encode_fast(text, false)
            .map_err(|e| Error::Request(say!("a text cannot be tokenized: {e}", "un testo non si può dividere in token: {e}")))?;
        Ok(encoding.get_ids().iter().map(|&id| if (id as usize) < self.vocabulary { id } else { UNKNOWN }).collect())
    }

    /// Tokens of a text, after the token that begins every text.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_with_bos(&self, text: &str) -> Result<Vec<u32>> {
        let mut out = vec![BOS];
        out.extend(self.encode(text)?);
        Ok(out)
    }

    /// The bytes that each token of the vocabulary stands for; none for tokens that are not text.
    pub fn pieces(&self) -> Vec<Vec<u8>> {
        let special: std::collections::HashSet<u32> =
            self.inner.get_added_tokens_decoder().into_iter().filter(|(_, token)| token.special).map(|(id, _)| id).collect();
        let piece = |id: u32| match self.inner.id_to_token(id) {
            Some(text) if !special.contains(&id) => match byte(&text) {
                Some(byte) => vec![byte],
                None => text.replace('▁', " ").into_bytes(),
            },
            _ => Vec::new(),
        };
        (0..self.vocabulary as u32).map(piece).collect()
    }

    /// Is [`END_OF_TURN`](crate::generate::END_OF_TURN) in this vocabulary what it is in Gemma's own?
    pub fn names_end_of_turn(&self) -> bool {
        self.inner.id_to_token(crate::generate::END_OF_TURN).is_some_and(|name| name == "<end_of_turn>")
    }

    /// The bytes of a text that each of its tokens (see [`Tokenizer::encode`]) spells; the parts of a
    /// character that takes several tokens all have its whole range.
    ///
    /// # Errors
    /// If the tokenizer refuses the text.
    pub fn offsets(&self, text: &str) -> Result<Vec<std::ops::Range<usize>>> {
        let encoding = self
            .inner
            .encode(text, false)
            .map_err(|e| Error::Request(say!("a text cannot be tokenized: {e}", "un testo non si può dividere in token: {e}")))?;
        Ok(encoding.get_offsets().iter().map(|&(start, end)| start..end).collect())
    }

    /// What a token spells, with spaces as spaces; a byte that is no character by itself is `<0xF0>`.
    pub fn piece(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id).map(|piece| piece.replace('▁', " "))
    }

    /// The vocabulary as GGUF files have it, by id. A `tokenizer.json` has an order of merges where GGUF has
    /// scores; Gemma's pieces are numbered in that order, so the score of a piece is how far it is from the first.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let added = self.inner.get_added_tokens_decoder();
        let mut first = None;
        let mut entry = |id: u32| {
            // a row of the table without a token can never be met
            let text = self.inner.id_to_token(id).unwrap_or_else(|| format!("<unused_row_{id}>"));
            match added.get(&id) {
                Some(token) if !token.special && !text.starts_with("<unused") => {
                    Entry { text: text.replace('▁', " "), score: -1000.0, role: Role::UserDefined }
                }
                Some(_) => Entry { text, score: -1000.0, role: Role::Control },
                None if text.starts_with("<unused_row_") => Entry { text, score: -1000.0, role: Role::Control },
                None if byte(&text).is_some() => Entry { text, score: 0.0, role: Role::Byte },
                None => {
                    let score = -((id - *first.get_or_insert(id)) as f32);
                    Entry { text, score, role: Role::Normal }
                }
            }
        };
        (0..self.vocabulary as u32).map(&mut entry).collect()
    }

    /// Writes a `tokenizer.json`.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn save(&self, file: &Path) -> Result<()> {
        self.inner.save(file, false).map_err(|e| Error::format(file, say!("cannot be written ({e})", "non si può scrivere ({e})")))
    }

    /// The text of tokens, special tokens left out.
    ///
    /// # Errors
    /// If the tokenizer refuses the tokens.
    pub fn decode(&self, tokens: &[u32]) -> Result<String> {
        self.inner
            .decode(tokens, true)
            .map_err(|e| Error::Request(say!("tokens cannot be turned into text: {e}", "i token non si possono trasformare in testo: {e}")))
    }
}

/// Tokens that decoding leaves out; the others of the added tokens are text.
const SPECIAL: [&str; 8] = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>"];

/// What a token is, with the number that GGUF has for it (`enum llama_token_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Normal = 1,
    Control = 3,
    UserDefined = 4,
    Byte = 6,
}

/// A token of the vocabulary in a GGUF file.
pub(crate) struct Entry {
    pub text: String,
    pub score: f32,
    pub role: Role,
}

/// The byte that a token such as `<0x0A>` stands for.
fn byte(text: &str) -> Option<u8> {
    u8::from_str_radix(text.strip_prefix("<0x")?.strip_suffix('>')?, 16).ok()
}

fn from_json<T: serde::de::DeserializeOwned>(json: serde_json::Value) -> std::result::Result<T, String> {
    serde_json::from_value(json).map_err(|e| e.to_string())
}

/// An entry of the vocabulary.
struct Piece {
    text: String,
    score: f64,
    /// Matched in the text before anything is merged.
    added: bool,
}

/// The vocabulary as `tokenizer.json` has it. The conversion to GGUF spells runs of spaces with
/// spaces where the original has `▁`, and gives user-defined pieces the score −1000, though they
/// merge before all others.
fn pieces(header: &Header) -> std::result::Result<Vec<Piece>, String> {
    const CONTROL: f64 = Role::Control as i32 as f64;
    const USER_DEFINED: f64 = Role::UserDefined as i32 as f64;
    if header.str("tokenizer.ggml.model") != Some("llama") {
        return Err(say!("`tokenizer.ggml.model` is not `llama`", "`tokenizer.ggml.model` non è `llama`"));
    }
    let strings = match header.metadata.get("tokenizer.ggml.tokens") {
        Some(Value::Strings(s)) if !s.is_empty() => s,
        _ => return Err(say!("`tokenizer.ggml.tokens` is missing", "`tokenizer.ggml.tokens` manca")),
    };
    let numbers = |key: &str| match header.metadata.get(key) {
        Some(Value::Numbers(n)) if n.len() == strings.len() => Ok(n),
        _ => Err(say!("`{key}` is missing or of another length than the tokens", "`{key}` manca o ha una lunghezza diversa dai token")),
    };
    let (scores, kinds) = (numbers("tokenizer.ggml.scores")?, numbers("tokenizer.ggml.token_type")?);
    let piece = |((text, &score), &kind): ((&String, &f64), &f64)| {
        let spaces = kind == USER_DEFINED && text.bytes().all(|b| b == b' ');
        Piece {
            text: if spaces { text.replace(' ', "▁") } else { text.clone() },
            score: if kind == USER_DEFINED { 0.0 } else { score },
            added: kind == CONTROL || kind == USER_DEFINED,
        }
    };
    Ok(strings.iter().zip(scores).zip(kinds).map(piece).collect())
}

fn merges(pieces: &[Piece], vocab: &HashMap<&str, u32>) -> Vec<(String, String)> {
    struct Merge<'a> {
        score: f64,
        left: &'a str,
        right: &'a str,
        left_chars: usize,
        right_chars: usize,
    }
    let mut all = Vec::new();
    for piece in pieces {
        let chars = piece.text.chars().count();
        let mut own = Vec::new();
        for (left_chars, (at, _)) in piece.text.char_indices().enumerate().skip(1) {
            let (left, right) = piece.text.split_at(at);
            if let (Some(&l), Some(&r)) = (vocab.get(left), vocab.get(right)) {
                own.push((l, r, Merge { score: piece.score, left, right, left_chars, right_chars: chars - left_chars }));
            }
        }
        own.sort_by_key(|&(l, r, _)| (l, r));
        all.extend(own.into_iter().map(|(_, _, m)| m));
    }
    // stable, and with partial_cmp: one score is −0.0, which must tie with 0.0
    all.sort_by(|a, b| {
        let score = b.score.partial_cmp(&a.score).unwrap_or(std::cmp::Ordering::Equal);
        score.then(b.left_chars.cmp(&a.left_chars)).then(b.right_chars.cmp(&a.right_chars))
    });
    all.into_iter().map(|m| (m.left.to_string(), m.right.to_string())).collect()
}
