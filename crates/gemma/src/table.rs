//! The embedding table: 168 M of the 268 M parameters of the smallest model.
//!
//! Input rows are looked up on the host, straight from the memory-mapped file, so a method that
//! never needs output logits (a classification head) never holds the table in memory. As output
//! layer the CPU reads it from the file as well; to another device it is uploaded once, in shards that stay below the
//! device's limit for one buffer.

use crate::error::{Error, Result};
use crate::fused::kernel::narrow;
use crate::weights::{EMBEDDINGS, Weights};
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use say::say;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Largest shard in bytes, well below the smallest binding limit met on real adapters (128 MiB). On the
/// CPU a small shard keeps its logits in the cache. Other sizes have not been measured yet.
const SHARD_BYTES: usize = 32 << 20;

/// A token-embedding table shared by input and output.
#[derive(Clone)]
pub struct Table {
    weights: Arc<Weights>,
    rows: usize,
    width: usize,
    shards: Arc<OnceLock<Vec<Shard>>>,
}

/// Consecutive rows of the table on a device.
pub struct Shard {
    /// Token ids of the rows.
    pub range: Range<usize>,
    /// The rows, `[range.len(), hidden]`.
    pub rows: Tensor<2>,
}

impl Table {
    /// The table of an open model.
    pub fn new(weights: Arc<Weights>) -> Self {
        let (rows, width) = (weights.config().vocabulary, weights.config().hidden);
        Self { weights, rows, width, shards: Arc::default() }
    }

    /// Number of tokens.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Appends the unscaled embedding of `token` to `out`.
    ///
    /// # Errors
    /// If the token is not in the vocabulary.
    pub fn row(&self, token: u32, out: &mut Vec<f32>) -> Result<()> {
        let i = token as usize;
        if i >= self.rows {
            return Err(Error::Request(say!(
                "token {token} is outside the model's vocabulary of {}; the tokenizer belongs to another model",
                "il token {token} non è nel vocabolario del modello, che ne ha {}; il tokenizer appartiene a un altro modello",
                self.rows
            )));
        }
        self.range(i..i + 1, out)
    }

    /// Appends a range of unscaled rows to `out`.
    ///
    /// # Errors
    /// If the file cannot supply them.
    pub(crate) fn range(&self, range: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        let raw = self.weights.raw(EMBEDDINGS)?;
        let row = raw.storage.bytes(self.width).ok_or_else(|| {
            Error::tensor(
                self.weights.path(),
                EMBEDDINGS,
                say!("rows do not fill whole blocks; fetch the file again", "le righe non riempiono blocchi interi; scarica di nuovo il file"),
            )
        })?;
        let start = out.len();
        out.resize(start + range.len() * self.width, 0.0);
        raw.storage.dequantize(&raw.bytes[range.start * row..range.end * row], &mut out[start..]);
        Ok(())
    }

    /// Products of hidden states with rows of the table, on every core of the CPU: of these tokens, or of all. Rows are read from the
    /// file as they are needed, so the table is never in memory as f32.
    ///
    /// # Shapes
    /// - `hidden`: `[rows, width]`
    /// - result: one vector of as many logits for each row
    ///
    /// # Errors
    /// If a token is not in the vocabulary, or the file cannot supply the rows.
    pub(crate) fn logits(&self, hidden: &[f32], tokens: Option<&[u32]>) -> Result<Vec<Vec<f32>>> {
        /// Rows of the table that a core works on at a time.
        const ROWS: usize = 128;
        let count = tokens.map_or(self.rows, <[u32]>::len);
        let parts = (0..count.div_ceil(ROWS)).into_par_iter().map(|part| {
            let own = part * ROWS..count.min((part + 1) * ROWS);
            let mut rows = Vec::with_capacity(own.len() * self.width);
            match tokens {
                Some(tokens) => tokens[own.clone()].iter().try_for_each(|&token| self.row(token, &mut rows))?,
                None => self.range(own.clone(), &mut rows)?,
            }
            let mut out = vec![0.0; hidden.len() / self.width * own.len()];
            narrow(&mut out, own.len(), hidden, &rows, [self.width, self.width, own.len()]);
            Ok(out)
        });
        let parts: Vec<Vec<f32>> = parts.collect::<Result<_>>()?;
        let mut all = vec![Vec::with_capacity(count); hidden.len() / self.width];
        for part in &parts {
            let width = part.len() / all.len().max(1);
            all.iter_mut().zip(part.chunks(width.max(1))).for_each(|(all, part)| all.extend_from_slice(part));
        }
        Ok(all)
    }

    /// Unscaled embeddings of `tokens` as a `[tokens, hidden]` tensor.
    ///
    /// # Errors
    /// If a token is not in the vocabulary.
    pub fn gather(&self, tokens: &[u32], device: &Device) -> Result<Tensor<2>> {
        let mut out = Vec::with_capacity(tokens.len() * self.width);
        for &t in tokens {
            self.row(t, &mut out)?;
        }
        Ok(Tensor::from_data(TensorData::new(out, [tokens.len(), self.width]), device))
    }

    /// The table on the device, uploaded at the first call.
    ///
    /// # Errors
    /// If the file cannot supply the rows.
    pub fn shards(&self, device: &Device) -> Result<&[Shard]> {
        if let Some(shards) = self.shards.get() {
            return Ok(shards);
        }
        let step = (SHARD_BYTES / (4 * self.width)).max(1);
        let mut shards = Vec::new();
        let mut at = 0;
        while at < self.rows {
            let range = at..(at + step).min(self.rows);
            let mut rows = Vec::with_capacity(range.len() * self.width);
            self.range(range.clone(), &mut rows)?;
            at = range.end;
            let rows = Tensor::from_data(TensorData::new(rows, [range.len(), self.width]), device);
            shards.push(Shard { range, rows });
        }
        Ok(self.shards.get_or_init(|| shards))
    }
}
