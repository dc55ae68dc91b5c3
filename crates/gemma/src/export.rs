//! Writes a model for other programs, with what was trained of it in its place.
//!
//! [`safetensors`] makes what transformers and burn read, in `f32`; [`crate::gguf`] what llama.cpp, Ollama and
//! LM Studio read. A matrix into which an adapter is merged is `W + s·(A·B)ᵀ` (Hu et al. 2021, section 4.1); `W` is what
//! the base model's files hold, also where the training held it in fewer bits, and so is what was not trained. Norms differ
//! between the two: Hugging Face files store `w`, GGUF files `1 + w`.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::gguf::{ALIGNMENT, Header};
use crate::hf;
use crate::quant::Storage;
use crate::tokenizer::{Entry, Tokenizer};
use crate::trained::Trained;
use crate::weights::{BLOCK_NAMES, EMBEDDINGS, Raw, Weights, gguf_name};
use half::f16;
use say::say;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Told now and then how many bytes of a model have been written, or how many of its values loaded; `false` ends it.
pub type Watch<'a> = &'a mut dyn FnMut(u64) -> bool;

/// A model about to be written.
#[derive(Clone, Copy)]
pub struct Export<'a> {
    /// The base model.
    pub weights: &'a Weights,
    /// What was trained, for some or all of its blocks.
    pub trained: Option<&'a Trained>,
}

impl Export<'_> {
    /// Hugging Face names of all tensors, in the order in which they are written.
    fn names(&self) -> Vec<String> {
        let mut names = vec![EMBEDDINGS.to_string(), "model.norm.weight".to_string()];
        names.extend((0..self.weights.config().layers).flat_map(|l| BLOCK_NAMES.iter().map(move |(n, _)| format!("model.layers.{l}.{n}.weight"))));
        names
    }

    /// What training made of a tensor, row by row, norms as the `w` of `1 + w`; none where it is as it was. It may be a
    /// product of matrices, so whoever needs it for more than one thing keeps it.
    fn changed(&self, name: &str) -> Result<Option<Vec<f32>>> {
        let Some(trained) = self.trained else { return Ok(None) };
        trained.merged(name, || self.weights.values(name, self.weights.raw(name)?.shape))
    }

    /// Hands the values of a tensor of the base model to `each`, a row at a time, so that the table is never whole in memory.
    fn rows(&self, name: &str, raw: Raw<'_>, mut each: impl FnMut(&[f32]) -> Result<()>) -> Result<()> {
        let width = *raw.shape.last().unwrap_or(&1);
        let damaged = || {
            Error::tensor(
                self.weights.path(),
                name,
                say!("rows do not fill whole blocks; fetch the file again", "le righe non riempiono blocchi interi; scarica di nuovo il file"),
            )
        };
        let bytes = raw.storage.bytes(width).filter(|b| *b > 0).ok_or_else(damaged)?;
        let mut values = vec![0.0f32; width];
        for stored in raw.bytes.chunks_exact(bytes) {
            raw.storage.dequantize(stored, &mut values);
            each(&values)?;
        }
        Ok(())
    }

    /// Writes `model.safetensors` in `f32` and `config.json` into a folder.
    ///
    /// # Errors
    /// If a tensor cannot be read or the disk refuses.
    pub fn safetensors(&self, folder: &Path) -> Result<()> {
        self.safetensors_with(folder, &mut |_| true)
    }

    /// As [`Export::safetensors`], watched.
    ///
    /// # Errors
    /// As [`Export::safetensors`], or if the watch ends it.
    pub fn safetensors_with(&self, folder: &Path, watch: Watch<'_>) -> Result<()> {
        let weights = self.weights;
        let names = self.names();
        let shapes: Vec<&[usize]> = names.iter().map(|name| Ok(weights.raw(name)?.shape)).collect::<Result<_>>()?;
        let header = hf::header(names.iter().map(String::as_str).zip(shapes), &BTreeMap::new());
        let file = folder.join("model.safetensors");
        let mut out = Out::create(&file, watch)?;
        out.write(&header)?;
        for name in &names {
            if let Some(values) = self.changed(name)? {
                out.write(&hf::bytes(&values))?;
                continue;
            }
            let raw = weights.raw(name)?;
            let less = if weights.gguf().is_some() && raw.shape.len() == 1 { 1.0 } else { 0.0 };
            self.rows(name, raw, |values| values.iter().try_for_each(|v| out.write(&(v - less).to_le_bytes())))?;
        }
        out.finish()?;
        let file = folder.join("config.json");
        let text = serde_json::to_string_pretty(&weights.config().to_json()).map_err(|e| Error::format(&file, e.to_string()))?;
        crate::file::write_atomically(&file, text.as_bytes()).map_err(|e| Error::io(&file, e))
    }

    /// Writes a GGUF file. Matrices that training changed become `f16`, whose rounding (2⁻¹¹ of a
    /// value) is far below what it changed; all others stay as they are stored.
    ///
    /// # Errors
    /// If a tensor cannot be read, the vocabulary is not whole, or the disk refuses.
    pub fn gguf(&self, tokenizer: &Tokenizer, file: &Path) -> Result<()> {
        self.gguf_with(tokenizer, file, &mut |_| true)
    }

    /// As [`Export::gguf`], watched.
    ///
    /// # Errors
    /// As [`Export::gguf`], or if the watch ends it.
    pub fn gguf_with(&self, tokenizer: &Tokenizer, file: &Path, watch: Watch<'_>) -> Result<()> {
        let weights = self.weights;
        let metadata = match weights.gguf() {
            Some(source) => Metadata::of_file(source.bytes(), source.header()),
            None => Metadata::of_model(weights.config(), &tokenizer.entries()),
        };
        let mut head = Vec::new();
        let mut parts = Vec::new();
        let mut at = 0u64;
        for name in self.names() {
            let raw = weights.raw(&name)?;
            let own =
                gguf_name(&name).ok_or_else(|| Error::tensor(weights.path(), &name, say!("has no name in a GGUF file", "non ha un nome in un file GGUF")))?;
            let storage = match self.changed(&name)? {
                _ if raw.shape.len() == 1 => Storage::F32,
                Some(values) => narrow(&values),
                None => raw.storage,
            };
            let bytes = storage.bytes(raw.shape.iter().product()).unwrap_or(raw.bytes.len()) as u64;
            string(&mut head, &own);
            head.extend((raw.shape.len() as u32).to_le_bytes());
            raw.shape.iter().rev().for_each(|d| head.extend((*d as u64).to_le_bytes()));
            head.extend(storage.to_ggml().to_le_bytes());
            head.extend(at.to_le_bytes());
            at += bytes.next_multiple_of(metadata.alignment as u64);
            parts.push((name, storage));
        }
        let mut out = Out::create(file, watch)?;
        out.write(b"GGUF")?;
        out.write(&3u32.to_le_bytes())?;
        out.write(&(parts.len() as u64).to_le_bytes())?;
        out.write(&metadata.count.to_le_bytes())?;
        out.write(&metadata.pairs)?;
        out.write(&head)?;
        out.pad(metadata.alignment)?;
        for (name, storage) in parts {
            let raw = weights.raw(&name)?;
            match (self.changed(&name)?, raw.shape) {
                (Some(w), [_]) => w.iter().try_for_each(|w| out.write(&(1.0 + w).to_le_bytes()))?,
                (None, [width]) => out.write(&hf::bytes(&weights.norm(&name, *width)?))?,
                (Some(values), _) if storage == Storage::F16 => values.iter().try_for_each(|v| out.write(&f16::from_f32(*v).to_le_bytes()))?,
                (Some(values), _) => out.write(&hf::bytes(&values))?,
                (None, _) => out.write(raw.bytes)?,
            }
            out.pad(metadata.alignment)?;
        }
        out.finish()
    }
}

/// `f16`, unless a value is beyond it.
fn narrow(values: &[f32]) -> Storage {
    let most = values.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    if most <= f16::MAX.to_f32() { Storage::F16 } else { Storage::F32 }
}

/// A file being written, which knows how long it is.
struct Out<'a> {
    path: &'a Path,
    file: BufWriter<File>,
    length: usize,
    watch: Watch<'a>,
    /// Bytes that the watch was last told of.
    told: usize,
}

/// Bytes between two calls of a watch.
const BEAT: usize = 1 << 20;

impl<'a> Out<'a> {
    fn create(path: &'a Path, watch: Watch<'a>) -> Result<Self> {
        let file = File::create(path).map_err(|e| Error::io(path, e))?;
        Ok(Self { path, file: BufWriter::with_capacity(1 << 20, file), length: 0, watch, told: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.length += bytes.len();
        if self.length - self.told >= BEAT {
            self.told = self.length;
            if !(self.watch)(self.length as u64) {
                return Err(Error::io(self.path, std::io::Error::other(say!("the writing was ended", "la scrittura è stata interrotta"))));
            }
        }
        self.file.write_all(bytes).map_err(|e| Error::io(self.path, e))
    }

    fn pad(&mut self, alignment: usize) -> Result<()> {
        self.write(&vec![0; self.length.next_multiple_of(alignment) - self.length])
    }

    fn finish(self) -> Result<()> {
        let path = self.path;
        let file = self.file.into_inner().map_err(|e| Error::io(path, e.into_error()))?;
        file.sync_all().map_err(|e| Error::io(path, e))
    }
}

/// Key/value pairs of a GGUF file, as bytes.
struct Metadata {
    count: u64,
    pairs: Vec<u8>,
    alignment: usize,
}

/// `general.file_type` of a file that holds mostly `f16` (`LLAMA_FTYPE_MOSTLY_F16`).
const MOSTLY_F16: u32 = 1;
const FILE_TYPE: &str = "general.file_type";

impl Metadata {
    /// Those of a file, but for the one that says how it is stored.
    fn of_file(bytes: &[u8], header: &Header) -> Self {
        let mut out = Self { count: 0, pairs: Vec::new(), alignment: header.alignment() };
        for (key, range) in &header.pairs {
            if key != FILE_TYPE {
                out.count += 1;
                out.pairs.extend(&bytes[range.clone()]);
            }
        }
        out.int(FILE_TYPE, MOSTLY_F16);
        out
    }

    /// Those that llama.cpp's converter writes for a Hugging Face folder.
    fn of_model(c: &Config, vocabulary: &[Entry]) -> Self {
        let mut out = Self { count: 0, pairs: Vec::new(), alignment: ALIGNMENT };
        out.text("general.architecture", "gemma3");
        out.text("general.type", "model");
        out.int(FILE_TYPE, MOSTLY_F16);
        out.int("gemma3.context_length", c.context as u32);
        out.int("gemma3.embedding_length", c.hidden as u32);
        out.int("gemma3.block_count", c.layers as u32);
        out.int("gemma3.feed_forward_length", c.feed_forward as u32);
        out.int("gemma3.attention.head_count", c.heads as u32);
        out.int("gemma3.attention.head_count_kv", c.kv_heads as u32);
        out.int("gemma3.attention.key_length", c.head as u32);
        out.int("gemma3.attention.value_length", c.head as u32);
        out.int("gemma3.attention.sliding_window", c.window as u32);
        out.float("gemma3.attention.layer_norm_rms_epsilon", c.epsilon as f32);
        out.float("gemma3.rope.freq_base", c.theta_global as f32);
        if c.rope_factor != 1.0 {
            out.text("gemma3.rope.scaling.type", "linear");
            out.float("gemma3.rope.scaling.factor", c.rope_factor as f32);
        } else {
            // of large models a reader would else have to guess
            out.text("gemma3.rope.scaling.type", "none");
        }
        out.text("tokenizer.ggml.model", "llama");
        out.text("tokenizer.ggml.pre", "default");
        out.array("tokenizer.ggml.tokens", 8, vocabulary, |bytes, e| string(bytes, &e.text));
        out.array("tokenizer.ggml.scores", 6, vocabulary, |bytes, e| bytes.extend(e.score.to_le_bytes()));
        out.array("tokenizer.ggml.token_type", 5, vocabulary, |bytes, e| bytes.extend((e.role as i32).to_le_bytes()));
        for (name, id) in [("bos", crate::generate::BOS), ("eos", crate::generate::EOS), ("unknown", crate::tokenizer::UNKNOWN), ("padding", 0)] {
            out.int(&format!("tokenizer.ggml.{name}_token_id"), id);
        }
        for (name, on) in [("add_bos_token", true), ("add_eos_token", false), ("add_space_prefix", false)] {
            out.key(&format!("tokenizer.ggml.{name}"), 7);
            out.pairs.push(u8::from(on));
        }
        out
    }

    /// Begins a pair; the numbers of the types are those of `enum gguf_type`.
    fn key(&mut self, key: &str, kind: u32) {
        self.count += 1;
        string(&mut self.pairs, key);
        self.pairs.extend(kind.to_le_bytes());
    }

    fn int(&mut self, key: &str, value: u32) {
        self.key(key, 4);
        self.pairs.extend(value.to_le_bytes());
    }

    fn float(&mut self, key: &str, value: f32) {
        self.key(key, 6);
        self.pairs.extend(value.to_le_bytes());
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key, 8);
        string(&mut self.pairs, value);
    }

    fn array(&mut self, key: &str, kind: u32, entries: &[Entry], put: impl Fn(&mut Vec<u8>, &Entry)) {
        self.key(key, 9);
        self.pairs.extend(kind.to_le_bytes());
        self.pairs.extend((entries.len() as u64).to_le_bytes());
        entries.iter().for_each(|e| put(&mut self.pairs, e));
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}
