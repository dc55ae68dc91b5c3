//! Low-rank adapters (Hu et al. 2021, arXiv 2106.09685): `y = x·W + s·(x·A)·B`, with only A and B
//! trained. With DoRA (Liu et al. 2024, arXiv 2402.09353) every output is also brought to a length that is trained: row `o` of
//! the merged weight `W + s·(A·B)ᵀ` is multiplied by `m_o` over its own length. As there and in PEFT, that length counts as a
//! constant in the backward pass.
//!
//! The dense weight is never composed during training, so neither is its gradient. Files are in
//! PEFT's layout, which stores both matrices transposed.

use crate::config::Config;
use crate::device::{held, is_cpu};
use crate::error::{Error, Result};
use crate::fused;
use crate::model::Gemma;
use crate::packed::Matrix;
use crate::quant::Storage;
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use say::say;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::OnceLock;

/// A matrix of a block that can carry an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Projection {
    /// Queries.
    Q,
    /// Keys.
    K,
    /// Values.
    V,
    /// Attention output.
    O,
    /// Gate of the GeGLU.
    Gate,
    /// Up projection of the GeGLU.
    Up,
    /// Down projection of the GeGLU.
    Down,
}

impl Projection {
    /// All projections, in the order of the computation.
    pub const ALL: [Self; 7] = [Self::Q, Self::K, Self::V, Self::O, Self::Gate, Self::Up, Self::Down];

    /// Hugging Face path within a block.
    pub fn path(self) -> &'static str {
        match self {
            Self::Q => "self_attn.q_proj",
            Self::K => "self_attn.k_proj",
            Self::V => "self_attn.v_proj",
            Self::O => "self_attn.o_proj",
            Self::Gate => "mlp.gate_proj",
            Self::Up => "mlp.up_proj",
            Self::Down => "mlp.down_proj",
        }
    }

    /// `(inputs, outputs)` of the matrix.
    pub fn sizes(self, c: &Config) -> (usize, usize) {
        match self {
            Self::Q => (c.hidden, c.heads * c.head),
            Self::K | Self::V => (c.hidden, c.kv_heads * c.head),
            Self::O => (c.heads * c.head, c.hidden),
            Self::Gate | Self::Up => (c.hidden, c.feed_forward),
            Self::Down => (c.feed_forward, c.hidden),
        }
    }
}

/// What the adapters look like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoraConfig {
    /// Inner width of the adapters.
    pub rank: usize,
    /// The update is scaled by `alpha / rank` (or `alpha / √rank`, see [`LoraConfig::rslora`]).
    pub alpha: f64,
    /// Share of the adapter's inputs zeroed while training.
    pub dropout: f64,
    /// Rank-stabilised scale `alpha / √rank` (Kalajdzievski 2023, arXiv 2312.03732).
    pub rslora: bool,
    /// Whether the length of each of the merged weight's rows is trained, too (DoRA). Dropout leaves out inputs of the adapters
    /// only; PEFT's leaves them out of the frozen weight's share of the change as well.
    #[serde(default)]
    pub dora: bool,
    /// Which matrices carry an adapter.
    pub targets: Vec<Projection>,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self { rank: 16, alpha: 32.0, dropout: 0.0, rslora: false, dora: false, targets: Projection::ALL.to_vec() }
    }
}

impl LoraConfig {
    /// The factor of the update.
    pub fn scale(&self) -> f64 {
        let r = self.rank as f64;
        self.alpha / if self.rslora { r.sqrt() } else { r }
    }

    /// Checks that the values make sense.
    ///
    /// # Errors
    /// With a sentence that names the setting.
    pub fn check(&self) -> Result<()> {
        let fail = |what: String| Err(Error::Request(what));
        if self.rank == 0 || self.rank > 1024 {
            return fail(say!("lora.rank must be between 1 and 1024", "lora.rank dev’essere fra 1 e 1024"));
        }
        if !self.alpha.is_finite() || self.alpha <= 0.0 {
            return fail(say!("lora.alpha must be a positive number", "lora.alpha dev’essere un numero positivo"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return fail(say!("lora.dropout must be at least 0 and below 1", "lora.dropout dev’essere almeno 0 e minore di 1"));
        }
        if self.targets.is_empty() {
            return fail(say!(
                "lora.targets must name at least one of q, k, v, o, gate, up, down",
                "lora.targets deve contenere almeno uno fra q, k, v, o, gate, up, down"
            ));
        }
        Ok(())
    }
}

/// One adapter: `a` is `[inputs, rank]`, `b` is `[rank, outputs]`.
#[derive(Clone)]
pub struct Adapter {
    /// Down to the rank.
    pub a: Tensor<2>,
    /// Up from the rank; zero at the start, so an untrained adapter changes nothing.
    pub b: Tensor<2>,
    /// Lengths that the merged weight's rows are brought to, where they are trained.
    magnitude: Option<Magnitude>,
}

/// What DoRA trains beside an adapter.
#[derive(Clone)]
struct Magnitude {
    /// The length of each row, `[1, outputs]`.
    m: Tensor<2>,
    /// The length that each row of `W + s·(A·B)ᵀ` has by itself, `[1, outputs]`, not tracked: worked out where it is first
    /// needed, and again after a change.
    lengths: OnceLock<Tensor<2>>,
}

impl Magnitude {
    /// One of these lengths; a gradient is computed for them.
    fn new(m: Vec<f32>, device: &Device) -> Self {
        let outputs = m.len();
        Self { m: leaf(m, [1, outputs], device), lengths: OnceLock::new() }
    }
}

/// Length of each row of `W + s·(A·B)ᵀ`, `[1, outputs]`; never 0, because it is divided by.
fn lengths(weight: &Matrix, a: Tensor<2>, b: Tensor<2>, scale: f64) -> Tensor<2> {
    let device = a.device();
    let weight = weight.tensor(&device);
    if is_cpu(&device)
        && let (Ok(weight), Ok(a), Ok(b)) = (held(weight.clone()), held(a.clone()), held(b.clone()))
    {
        let values = fused::merged_lengths(&weight, &a, &b, scale as f32);
        let outputs = values.len();
        return Tensor::from_data(TensorData::new(values, [1, outputs]), &device);
    }
    let merged = weight + a.matmul(b).transpose().mul_scalar(scale);
    merged.square().sum_dim(1).sqrt().transpose().clamp_min(f32::MIN_POSITIVE)
}

/// The adapters of all blocks.
#[derive(Clone)]
pub struct Adapters {
    config: LoraConfig,
    layers: Vec<BTreeMap<Projection, Adapter>>,
}

/// The adapters of one block as its forward pass uses them.
#[derive(Clone, Copy)]
pub struct BlockAdapters<'a> {
    config: &'a LoraConfig,
    adapters: &'a BTreeMap<Projection, Adapter>,
    training: bool,
    tracked: bool,
}

impl BlockAdapters<'_> {
    /// The same, with part of the inputs left out as in training whether a graph is made or not.
    pub(crate) fn dropping(self) -> Self {
        Self { training: true, ..self }
    }

    /// A, B and, where it is trained, the magnitude of a projection, if it carries an adapter; untracked where no graph is made.
    pub(crate) fn tensors(&self, projection: Projection) -> Option<Vec<Tensor<2>>> {
        let Adapter { a, b, magnitude } = self.adapters.get(&projection)?;
        let all = [Some(a), Some(b), magnitude.as_ref().map(|own| &own.m)];
        // tracked matrices would tie every step of a generation to the next through the cache, and keep all of them
        Some(all.into_iter().flatten().map(|t| if self.tracked { t.clone() } else { t.clone().inner() }).collect())
    }

    /// Lengths of the rows of a projection's merged weight before they are brought to the magnitude, `[1, outputs]`; none where
    /// that is not trained.
    pub(crate) fn lengths(&self, projection: Projection, weight: &Matrix) -> Option<Tensor<2>> {
        let Adapter { a, b, magnitude } = self.adapters.get(&projection)?;
        let known = &magnitude.as_ref()?.lengths;
        Some(known.get_or_init(|| lengths(weight, a.clone().inner(), b.clone().inner(), self.config.scale())).clone())
    }

    /// Share of the adapters' inputs that is left out at random in this pass, if any is.
    pub(crate) fn dropout(&self) -> Option<f64> {
        Some(self.config.dropout).filter(|share| self.training && *share > 0.0)
    }

    /// What the adapter of a projection makes of `y = x·Wᵀ`, `[rows, outputs]`, for `x` of `[rows, inputs]`.
    pub(crate) fn apply(&self, projection: Projection, x: Tensor<2>, y: Tensor<2>, weight: &Matrix) -> Tensor<2> {
        let Some(tensors) = self.tensors(projection) else { return y };
        let [a, b, magnitude @ ..] = tensors.as_slice() else { return y };
        let mut x = x;
        if let Some(p) = self.dropout() {
            let keep = x.random_like(Distribution::Bernoulli(1.0 - p));
            x = x * keep.div_scalar(1.0 - p);
        }
        let y = y + x.matmul(a.clone()).matmul(b.clone()).mul_scalar(self.config.scale());
        match (magnitude.first(), self.lengths(projection, weight)) {
            (Some(m), Some(lengths)) => y * (m.clone() / lengths),
            _ => y,
        }
    }
}

/// A stable 64-bit hash (FNV-1a) that gives every parameter its own random stream.
pub(crate) fn stream(path: &str) -> u64 {
    path.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// Values uniform in ±`bound`, the same on every device for the same seed and path.
pub(crate) fn uniform(seed: u64, path: &str, n: usize, bound: f32) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ stream(path));
    (0..n).map(|_| rng.random_range(-bound..bound)).collect()
}

/// A leaf whose gradient autodiff computes.
pub(crate) fn leaf(values: Vec<f32>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), device).autodiff().require_grad()
}

impl Adapters {
    /// Fresh adapters: A as PEFT initialises it (`kaiming_uniform` with a = √5, which is uniform in
    /// ±1/√inputs), B zero.
    ///
    /// # Errors
    /// If the configuration makes no sense.
    pub fn new(config: LoraConfig, model: &Gemma, seed: u64) -> Result<Self> {
        Self::drawn(
            config,
            model,
            |path, n, bound| if path.ends_with("lora_A") { uniform(seed, path.trim_end_matches(".lora_A"), n, bound) } else { vec![0.0; n] },
        )
    }

    /// Adapters whose matrices are both random, so that every gradient is there from the first step: for checking a device.
    ///
    /// # Errors
    /// If the configuration makes no sense.
    pub fn random(config: LoraConfig, model: &Gemma, seed: u64) -> Result<Self> {
        Self::drawn(config, model, |path, n, bound| uniform(seed, path, n, bound))
    }

    /// Adapters of the values that `draw` gives for a parameter's path, how many there are, and 1/√inputs; magnitudes are the
    /// lengths that there are.
    fn drawn(config: LoraConfig, model: &Gemma, draw: impl Fn(&str, usize, f32) -> Vec<f32>) -> Result<Self> {
        config.check()?;
        let (rank, scale, dora, device) = (config.rank, config.scale(), config.dora, model.device());
        Ok(Self::build(config, model.config(), |layer, path, p| {
            let (i, o) = p.sizes(model.config());
            let matrix = |name: &str, inputs: usize, outputs: usize| {
                let values = draw(&format!("{path}.{name}"), inputs * outputs, 1.0 / (inputs as f32).sqrt());
                leaf(values, [inputs, outputs], device)
            };
            let (a, b) = (matrix("lora_A", i, rank), matrix("lora_B", rank, o));
            let magnitude = dora.then(|| Magnitude::new(values(lengths(model.matrix(layer, p), a.clone().inner(), b.clone().inner(), scale)), device));
            Adapter { a, b, magnitude }
        }))
    }

    fn build(config: LoraConfig, model: &Config, mut make: impl FnMut(usize, String, Projection) -> Adapter) -> Self {
        let layers = (0..model.layers).map(|l| config.targets.iter().map(|&p| (p, make(l, format!("layers.{l}.{}", p.path()), p))).collect()).collect();
        Self { config, layers }
    }

    /// How the adapters were made.
    pub fn config(&self) -> &LoraConfig {
        &self.config
    }

    /// The adapters of one block; they are tracked, and dropout applies, only while `training`.
    pub fn block(&self, layer: usize, training: bool) -> BlockAdapters<'_> {
        BlockAdapters { config: &self.config, adapters: &self.layers[layer], training, tracked: training }
    }

    /// Calls `f` with the path and the tensor of every parameter, in a fixed order.
    pub fn visit(&mut self, f: &mut dyn FnMut(&str, &mut Tensor<2>)) {
        for (l, layer) in self.layers.iter_mut().enumerate() {
            for (p, adapter) in layer {
                f(&format!("layers.{l}.{}.lora_A", p.path()), &mut adapter.a);
                f(&format!("layers.{l}.{}.lora_B", p.path()), &mut adapter.b);
                if let Some(own) = &mut adapter.magnitude {
                    f(&format!("layers.{l}.{}.lora_magnitude", p.path()), &mut own.m);
                    // whoever visits may have changed what they follow from
                    own.lengths = OnceLock::new();
                }
            }
        }
    }

    /// Tensors in PEFT's names and layout, for `adapter_model.safetensors`.
    pub fn to_peft(&self) -> Vec<Named> {
        let mut out = Vec::new();
        for (l, layer) in self.layers.iter().enumerate() {
            for (p, adapter) in layer {
                for (matrix, t) in [("lora_A", &adapter.a), ("lora_B", &adapter.b)] {
                    let t = t.clone().inner().transpose();
                    let name = format!("base_model.model.model.layers.{l}.{}.{matrix}.weight", p.path());
                    out.push((name, t.dims().to_vec(), t));
                }
                if let Some(own) = &adapter.magnitude {
                    let name = format!("base_model.model.model.layers.{l}.{}.lora_magnitude_vector", p.path());
                    out.push((name, vec![own.m.dims()[1]], own.m.clone().inner()));
                }
            }
        }
        out
    }

    /// The adapter of a projection, if it carries one.
    pub(crate) fn of(&self, layer: usize, projection: Projection) -> Option<&Adapter> {
        self.layers.get(layer)?.get(&projection)
    }

    /// A weight, `[outputs, inputs]` row by row, with what an adapter adds to it: `W + s·(A·B)ᵀ`, its rows brought to the
    /// magnitude where that is trained.
    pub(crate) fn merged(&self, adapter: &Adapter, mut weight: Vec<f32>) -> Vec<f32> {
        let Adapter { a, b, magnitude } = adapter;
        let inputs = a.dims()[0];
        let change = values(a.clone().inner().matmul(b.clone().inner()).mul_scalar(self.config.scale()).transpose());
        weight.iter_mut().zip(change).for_each(|(w, c)| *w += c);
        if let Some(own) = magnitude {
            for (row, m) in weight.chunks_exact_mut(inputs).zip(values(own.m.clone().inner())) {
                let length = row.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>().sqrt().max(f64::from(f32::MIN_POSITIVE));
                row.iter_mut().for_each(|w| *w = (f64::from(*w) * f64::from(m) / length) as f32);
            }
        }
        weight
    }

    /// `adapter_config.json` of PEFT for these adapters on the base model called `base`.
    pub fn peft_config(&self, base: &str) -> serde_json::Value {
        let modules: Vec<&str> = self.config.targets.iter().map(|p| p.path().rsplit('.').next().unwrap_or_default()).collect();
        serde_json::json!({
            "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base,
            "r": self.config.rank, "lora_alpha": self.config.alpha, "lora_dropout": self.config.dropout,
            "use_rslora": self.config.rslora, "use_dora": self.config.dora, "bias": "none", "fan_in_fan_out": false,
            "inference_mode": true, "init_lora_weights": true, "target_modules": modules,
        })
    }

    /// Reads adapters in PEFT's layout from a folder.
    ///
    /// # Errors
    /// If a file is missing or damaged, asks for what is not supported (other kinds of adapters), or does not fit the model.
    pub fn load(folder: &Path, model: &Config, device: &Device) -> Result<Self> {
        let file = folder.join("adapter_config.json");
        let text = std::fs::read_to_string(&file).map_err(|e| Error::io(&file, e))?;
        let json: serde_json::Value = serde_json::from_str(&text).map_err(|e| {
            Error::format(&file, say!("not valid JSON ({e}); export the adapter again", "JSON non valido ({e}); esporta di nuovo l’adattatore"))
        })?;
        if json["peft_type"].as_str() != Some("LORA") {
            return Err(Error::format(&file, say!("only LoRA and DoRA adapters are supported", "solo gli adattatori LoRA e DoRA sono supportati")));
        }
        let modules: Vec<&str> = json["target_modules"].as_array().map(|a| a.iter().filter_map(|m| m.as_str()).collect()).unwrap_or_default();
        let targets = Projection::ALL.into_iter().filter(|p| modules.iter().any(|m| p.path().ends_with(m))).collect();
        let config = LoraConfig {
            rank: json["r"].as_u64().and_then(|r| usize::try_from(r).ok()).unwrap_or(0),
            alpha: json["lora_alpha"].as_f64().unwrap_or(0.0),
            dropout: json["lora_dropout"].as_f64().unwrap_or(0.0),
            rslora: json["use_rslora"].as_bool().unwrap_or(false),
            dora: json["use_dora"].as_bool().unwrap_or(false),
            targets,
        };
        config.check()?;
        let weights = TensorFile::open(&folder.join("adapter_model.safetensors"))?;
        let (rank, dora) = (config.rank, config.dora);
        let mut failed = None;
        let out = Self::build(config, model, |_, path, p| {
            let (i, o) = p.sizes(model);
            let mut read = |name: String, shape: &[usize]| {
                weights.values(&format!("base_model.model.model.{path}.{name}"), shape).unwrap_or_else(|e| {
                    failed.get_or_insert(e);
                    vec![0.0; shape.iter().product()]
                })
            };
            let mut matrix = |name: &str, shape: [usize; 2]| {
                let stored: Tensor<2> = Tensor::from_data(TensorData::new(read(format!("{name}.weight"), &shape), shape), device);
                stored.transpose().autodiff().require_grad()
            };
            let (a, b) = (matrix("lora_A", [rank, i]), matrix("lora_B", [o, rank]));
            Adapter { a, b, magnitude: dora.then(|| Magnitude::new(read("lora_magnitude_vector".into(), &[o]), device)) }
        });
        failed.map_or(Ok(out), Err)
    }
}

/// The values of a tensor in row-major order.
///
/// # Panics
/// If the device does not give them, with what it said of it: burn itself panics where a device fails in the middle of an
/// operation, and whoever is to outlive that catches both.
pub fn values(t: Tensor<2>) -> Vec<f32> {
    t.try_into_vec_as::<f32>().unwrap_or_else(|e| panic!("{e}"))
}

/// A tensor with its name and its shape in a file, which may have fewer dimensions.
pub type Named = (String, Vec<usize>, Tensor<2>);

/// A safetensors file of what is trained.
pub struct TensorFile {
    path: std::path::PathBuf,
    map: memmap2::Mmap,
    tensors: BTreeMap<String, (Vec<usize>, Storage, Range<usize>)>,
}

impl TensorFile {
    /// Opens a file; values are read as they are asked for.
    ///
    /// # Errors
    /// If it is missing, truncated or damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let map = crate::file::map(path).map_err(|e| Error::io(path, e))?;
        let parsed = crate::hf::parse(&map).map_err(|e| Error::format(path, e))?;
        let tensors = parsed.into_iter().map(|(name, shape, storage, range)| (name, (shape, storage, range))).collect();
        Ok(Self { path: path.into(), map, tensors })
    }

    /// A tensor, checked to have this shape.
    ///
    /// # Errors
    /// If it is missing or of another shape.
    pub fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let (own, storage, range) =
            self.tensors.get(name).ok_or_else(|| Error::tensor(&self.path, name, say!("is missing; train again", "manca; ripeti l’addestramento")))?;
        if own != shape {
            return Err(Error::tensor(
                &self.path,
                name,
                say!(
                    "has shape {own:?} where {shape:?} is needed; it belongs to another model",
                    "ha forma {own:?} dove serve {shape:?}; appartiene a un altro modello"
                ),
            ));
        }
        let mut values = vec![0.0; shape.iter().product()];
        storage.dequantize(&self.map[range.clone()], &mut values);
        Ok(values)
    }

    /// Shape of a tensor, if it is there.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|(s, ..)| s.as_slice())
    }

    /// Writes a file at once: a temporary file beside it, then a rename.
    ///
    /// # Errors
    /// If the disk refuses, or a tensor cannot be read back from its device.
    pub fn write(path: &Path, tensors: &[Named]) -> Result<()> {
        crate::file::write_atomically_with(path, |out| Self::fill(out, &BTreeMap::new(), tensors)).map_err(|e| Error::io(path, e))
    }

    /// Writes what such a file holds, a tensor at a time, so that only one of them is copied.
    ///
    /// # Errors
    /// As [`TensorFile::write`].
    pub fn fill(out: &mut dyn Write, metadata: &BTreeMap<String, String>, tensors: &[Named]) -> std::io::Result<()> {
        out.write_all(&crate::hf::header(tensors.iter().map(|(name, shape, _)| (name.as_str(), shape.as_slice())), metadata))?;
        for (name, _, tensor) in tensors {
            // not by a panic, after which the unfinished file would stay
            let values = tensor.clone().try_into_vec_as::<f32>().map_err(|e| {
                std::io::Error::other(say!(
                    "{name} could not be read back from its device ({e}); resume the run",
                    "{name} non si è potuto rileggere dal dispositivo ({e}); riprendi l’esecuzione"
                ))
            })?;
            out.write_all(&crate::hf::bytes(&values))?;
        }
        Ok(())
    }
}
