//! Opens a model's files and hands out tensors by their Hugging Face names.
//!
//! Both kinds of source (a Hugging Face folder, a GGUF file) are memory-mapped: nothing is read
//! before it is asked for, and a row of the embedding table can be dequantised alone.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::gguf::Gguf;
use crate::hf::Folder;
use crate::quant::Storage;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use say::say;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Name of the embedding table, which is also the output layer.
pub const EMBEDDINGS: &str = "model.embed_tokens.weight";

/// Hugging Face name of a tensor of a block beside its GGUF name.
pub(crate) const BLOCK_NAMES: [(&str, &str); 13] = [
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("input_layernorm", "attn_norm"),
    ("post_attention_layernorm", "post_attention_norm"),
    ("pre_feedforward_layernorm", "ffn_norm"),
    ("post_feedforward_layernorm", "post_ffw_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
];

/// A tensor as it lies in its file.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    /// Row-major shape.
    pub shape: &'a [usize],
    /// How the values are stored.
    pub storage: Storage,
    /// The stored bytes.
    pub bytes: &'a [u8],
}

/// The open weights of a model.
#[derive(Debug)]
pub struct Weights {
    source: Source,
    config: Config,
    /// What precedes `layers.N…` in this folder's tensor names (multimodal folders differ).
    prefix: String,
}

#[derive(Debug)]
enum Source {
    Gguf(Box<Gguf>),
    Folder(Folder),
    Drawn(BTreeMap<String, (Vec<usize>, Vec<u8>)>),
}

impl Weights {
    /// Opens a `.gguf` file, a Hugging Face folder, or a folder that holds one `.gguf` file.
    ///
    /// # Errors
    /// If nothing of the kind is there, a file is damaged, the architecture is not Gemma 3, or the
    /// tensors' names and shapes do not fit the configuration.
    pub fn open(path: &Path) -> Result<Self> {
        let meta = std::fs::metadata(path).map_err(|e| Error::io(path, e))?;
        let weights = if meta.is_dir() {
            if path.join("config.json").exists() { Self::open_folder(path)? } else { Self::open_gguf(&lone_gguf(path)?)? }
        } else {
            Self::open_gguf(path)?
        };
        weights.check()?;
        Ok(weights)
    }

    fn open_gguf(path: &Path) -> Result<Self> {
        let file = Gguf::open(path)?;
        if let Some(parts @ 2..) = file.header().int("split.count") {
            return Err(Error::format(
                path,
                say!(
                    "is one of {parts} parts of a model; join them with `llama-gguf-split`, or fetch the model as one file",
                    "è una di {parts} parti di un modello; uniscile con `llama-gguf-split`, o scarica il modello in un solo file"
                ),
            ));
        }
        let rows = file.header().tensors.get("token_embd.weight").and_then(|t| t.shape.first().copied());
        let config = Config::from_gguf(path, file.header(), rows.unwrap_or(0).max(1))?;
        // llama.cpp would take it instead of the table; where it is the table once more, nothing is lost
        if let (Some((_, output)), Some((_, table))) = (file.tensor("output.weight"), file.tensor("token_embd.weight"))
            && output != table
        {
            return Err(Error::tensor(
                path,
                "output.weight",
                say!(
                    "is another one than the embedding table; untied output embeddings are not supported",
                    "è diverso dalla tabella degli incorporamenti; incorporamenti d’uscita separati non sono supportati"
                ),
            ));
        }
        Ok(Self { source: Source::Gguf(Box::new(file)), config, prefix: String::new() })
    }

    fn open_folder(path: &Path) -> Result<Self> {
        let config = Config::from_json(&path.join("config.json"))?;
        let folder = Folder::open(path)?;
        let suffix = "embed_tokens.weight";
        let prefix = folder.names().find_map(|n| n.strip_suffix(suffix)).unwrap_or("model.").to_string();
        Ok(Self { source: Source::Folder(folder), config, prefix })
    }

    /// Random weights, the same for the same seed: uniform, scaled by the inputs of each matrix so that activations stay
    /// near 1. For checking a device, where what the model says does not matter.
    pub fn random(config: Config, seed: u64) -> Self {
        Self::drawn(config, seed, |_| 1.0)
    }

    /// As [`Weights::random`], but norms make activations so large that `f16` could not hold them: the residual stream, and
    /// what the down projections read. No matrix is larger.
    pub fn overflowing(config: Config, seed: u64) -> Self {
        Self::drawn(config, seed, |name| match name.split('.').nth_back(1) {
            Some("post_attention_layernorm" | "post_feedforward_layernorm") => 1e6,
            Some("pre_feedforward_layernorm") => 2e3,
            _ => 1.0,
        })
    }

    /// As [`Weights::random`], with each tensor's values times what `factor` gives for its name.
    pub(crate) fn drawn(config: Config, seed: u64, factor: impl Fn(&str) -> f32) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let tensors = tensors_of(&config).into_iter().map(|(name, shape)| {
            // a norm's w stands beside 1, so it may be small; the others keep the variance of their input
            let deviation = if shape.len() == 1 { 0.1 } else { (shape[1] as f32).sqrt().recip() };
            let (reach, factor) = (3f32.sqrt() * deviation, factor(&name));
            let values = (0..shape.iter().product::<usize>()).flat_map(|_| (random.random_range(-reach..reach) * factor).to_le_bytes());
            (name, (shape, values.collect()))
        });
        Self { source: Source::Drawn(tensors.collect()), config, prefix: String::new() }
    }

    /// The model's sizes.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The path that was opened: a file, or a folder.
    pub fn path(&self) -> &Path {
        match &self.source {
            Source::Gguf(g) => g.path(),
            Source::Folder(f) => f.path(),
            Source::Drawn(_) => Path::new("random weights"),
        }
    }

    /// The files that hold the weights, in a fixed order.
    pub fn files(&self) -> Vec<PathBuf> {
        match &self.source {
            Source::Gguf(g) => vec![g.path().into()],
            Source::Folder(f) => f.files().map(PathBuf::from).collect(),
            Source::Drawn(_) => Vec::new(),
        }
    }

    /// The GGUF file, when the source is one (its metadata carries the tokenizer).
    pub fn gguf(&self) -> Option<&Gguf> {
        match &self.source {
            Source::Gguf(g) => Some(g),
            Source::Folder(_) | Source::Drawn(_) => None,
        }
    }

    /// How most of the weights are stored, for display: the storage of a feed-forward matrix.
    pub fn storage(&self) -> Option<Storage> {
        self.raw("model.layers.0.mlp.up_proj.weight").ok().map(|r| r.storage)
    }

    /// A tensor as stored, by its Hugging Face name.
    ///
    /// # Errors
    /// If the file has no such tensor.
    pub fn raw(&self, name: &str) -> Result<Raw<'_>> {
        let missing = || {
            Error::tensor(
                self.path(),
                name,
                say!(
                    "is missing; the model is incomplete or of another architecture, fetch it again",
                    "manca; il modello è incompleto o di un’altra architettura, scaricalo di nuovo"
                ),
            )
        };
        match &self.source {
            Source::Gguf(file) => {
                let (info, bytes) = gguf_name(name).and_then(|n| file.tensor(&n)).ok_or_else(missing)?;
                Ok(Raw { shape: &info.shape, storage: info.storage, bytes })
            }
            Source::Folder(folder) => {
                let (shape, storage, bytes) = folder.tensor(&self.in_folder(name)).ok_or_else(missing)?;
                Ok(Raw { shape, storage, bytes })
            }
            Source::Drawn(tensors) => {
                let (shape, bytes) = tensors.get(name).ok_or_else(missing)?;
                Ok(Raw { shape, storage: Storage::F32, bytes })
            }
        }
    }

    /// Gives back the memory in which a tensor was read, see [`crate::file::forget`]: for what is held elsewhere from then on.
    pub fn forget(&self, name: &str) {
        match &self.source {
            Source::Gguf(file) => gguf_name(name).iter().for_each(|own| file.forget(own)),
            Source::Folder(folder) => folder.forget(&self.in_folder(name)),
            Source::Drawn(_) => {}
        }
    }

    /// What a tensor is called in the folder that was opened.
    fn in_folder(&self, name: &str) -> String {
        format!("{}{}", self.prefix, name.strip_prefix("model.").unwrap_or(name))
    }

    /// The file that holds a tensor.
    fn file_of(&self, name: &str) -> &Path {
        match &self.source {
            Source::Folder(folder) => folder.file(&self.in_folder(name)).unwrap_or(self.path()),
            Source::Gguf(_) | Source::Drawn(_) => self.path(),
        }
    }

    /// A matrix or vector as `f32`, checked to be of `shape` and finite.
    ///
    /// # Errors
    /// If it is missing, of another shape, or holds a value that is not a finite number.
    pub fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let raw = self.checked(name, shape)?;
        let mut out = vec![0.0; shape.iter().product()];
        raw.storage.dequantize(raw.bytes, &mut out);
        if let Some(i) = out.iter().position(|x| !x.is_finite()) {
            return Err(Error::tensor(
                self.file_of(name),
                name,
                say!(
                    "value {i} is not a finite number; the file is damaged, fetch it again",
                    "il valore {i} non è un numero finito; il file è danneggiato, scaricalo di nuovo"
                ),
            ));
        }
        Ok(out)
    }

    /// The factor `1 + w` of an RMS norm. Hugging Face files store `w`, GGUF files the sum.
    ///
    /// # Errors
    /// As [`Weights::values`].
    pub fn norm(&self, name: &str, width: usize) -> Result<Vec<f32>> {
        let mut out = self.values(name, &[width])?;
        if !matches!(self.source, Source::Gguf(_)) {
            out.iter_mut().for_each(|w| *w += 1.0);
        }
        Ok(out)
    }

    fn checked(&self, name: &str, shape: &[usize]) -> Result<Raw<'_>> {
        let raw = self.raw(name)?;
        if raw.shape != shape {
            return Err(Error::tensor(
                self.file_of(name),
                name,
                say!(
                    "has shape {:?}, the configuration wants {shape:?}; the files do not belong together, fetch them again",
                    "ha forma {:?}, la configurazione vuole {shape:?}; i file non vanno insieme, scaricali di nuovo",
                    raw.shape
                ),
            ));
        }
        Ok(raw)
    }

    /// Every tensor that the model needs is there and has the right shape, before anything is loaded.
    fn check(&self) -> Result<()> {
        tensors_of(&self.config).iter().try_for_each(|(name, shape)| self.checked(name, shape).map(drop))
    }
}

/// Hugging Face name and shape of every tensor of a model.
fn tensors_of(c: &Config) -> Vec<(String, Vec<usize>)> {
    let (q, kv) = (c.heads * c.head, c.kv_heads * c.head);
    let mut all = vec![(EMBEDDINGS.to_string(), vec![c.vocabulary, c.hidden]), ("model.norm.weight".into(), vec![c.hidden])];
    for layer in 0..c.layers {
        for (name, _) in BLOCK_NAMES {
            let shape = match name {
                "self_attn.q_proj" => vec![q, c.hidden],
                "self_attn.k_proj" | "self_attn.v_proj" => vec![kv, c.hidden],
                "self_attn.o_proj" => vec![c.hidden, q],
                "self_attn.q_norm" | "self_attn.k_norm" => vec![c.head],
                "mlp.gate_proj" | "mlp.up_proj" => vec![c.feed_forward, c.hidden],
                "mlp.down_proj" => vec![c.hidden, c.feed_forward],
                _ => vec![c.hidden],
            };
            all.push((format!("model.layers.{layer}.{name}.weight"), shape));
        }
    }
    all
}

/// GGUF name of a Hugging Face tensor name.
pub(crate) fn gguf_name(name: &str) -> Option<String> {
    match name {
        EMBEDDINGS => return Some("token_embd.weight".into()),
        "model.norm.weight" => return Some("output_norm.weight".into()),
        _ => {}
    }
    let (layer, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let rest = rest.strip_suffix(".weight")?;
    let (_, own) = BLOCK_NAMES.iter().find(|(hf, _)| *hf == rest)?;
    Some(format!("blk.{layer}.{own}.weight"))
}

/// The only `.gguf` file of a folder.
fn lone_gguf(folder: &Path) -> Result<PathBuf> {
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
    let mut found: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.extension().is_some_and(|x| x == "gguf")).collect();
    match (found.pop(), found.is_empty()) {
        (Some(file), true) => Ok(file),
        (Some(_), false) => Err(Error::format(folder, say!("holds several .gguf files; name one of them", "contiene più file .gguf; indicane uno"))),
        (None, _) => Err(Error::format(
            folder,
            say!(
                "holds neither config.json nor a .gguf file; choose a Hugging Face folder or a GGUF file",
                "non contiene né config.json né un file .gguf; scegli una cartella Hugging Face o un file GGUF"
            ),
        )),
    }
}
