//! Gemma 3, text only, in one file.
//!
//! What differs from a textbook decoder: embeddings are multiplied by √hidden; every block norms
//! both the input and the output of attention and of the feed-forward layer; RMS norms scale by
//! `1 + w`; queries and keys are RMS-normed per head before the rotary embedding; five layers that
//! see a sliding window alternate with one that sees everything, each kind with its own rotary base;
//! the feed-forward layer is a GeGLU with the tanh approximation; the output layer is the embedding
//! table (see [`crate::table`] and [`crate::loss`], which never hold all logits at once).
//!
//! Activations are `[batch * time, hidden]`; only attention looks at batch and time apart. On the CPU a
//! block runs as one operation (`fused`), which does the same.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::export::Watch;
use crate::full;
use crate::fused::{self, Arena, Dropout, Held, Layer, Past, Rotary};
use crate::generate::PAD;
use crate::lora::{Adapters, BlockAdapters, Projection};
use crate::packed::{Matrix, Precision};
use crate::rows::{self, Layout, Rows, Tree};
use crate::table::Table;
use crate::trained::Trained;
use crate::weights::Weights;
use burn::tensor::activation::{gelu_approximate, softmax};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use say::say;
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// A score so low that its softmax is exactly zero, yet finite, so that no row can become NaN.
const MASKED: f32 = -1e30;

/// A Gemma 3 model as its files hold it. What is trained of it lies beside it, see [`Trained`].
pub struct Gemma {
    config: Config,
    table: Arc<Table>,
    blocks: Vec<Block>,
    norm: RmsNorm,
    device: Device,
    /// Buffers of the fused block, where the device has one.
    arena: Option<Arc<Arena>>,
    /// Bytes that fused blocks may keep for the backward pass.
    room: u64,
}

/// Multiplies each row by the inverse of its root mean square and by `1 + w`.
#[derive(Clone)]
struct RmsNorm {
    /// `factor · (1 + w)`.
    scale: Tensor<1>,
    /// What the scale carries besides `1 + w`.
    factor: f64,
    epsilon: f64,
}

/// A matrix, stored `[outputs, inputs]` as in the files.
#[derive(Clone)]
struct Linear {
    weight: Matrix,
}

/// Attention and feed-forward layer, each between two norms and around a residual.
#[derive(Clone)]
pub struct Block {
    attention_norm: RmsNorm,
    attention: Attention,
    post_attention_norm: RmsNorm,
    feed_forward_norm: RmsNorm,
    gate: Linear,
    up: Linear,
    down: Linear,
    post_feed_forward_norm: RmsNorm,
}

#[derive(Clone)]
struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    q_norm: RmsNorm,
    k_norm: RmsNorm,
    heads: usize,
    kv_heads: usize,
    head: usize,
    window: Option<usize>,
}

/// What the blocks need to know about a batch: who may see whom, and rotary angles.
pub struct Context {
    batch: usize,
    time: usize,
    global: Geometry,
    local: Geometry,
}

/// The tokens of a batch in lines of one length.
pub(crate) struct Spread {
    /// The tokens of all lines, padding included.
    pub ids: Vec<u32>,
    /// Who sees whom there.
    pub context: Context,
    /// Where each token that was given stands among them, unless all stand where they stood.
    pub given: Option<Tensor<1, Int>>,
}

/// Rotary factors and additive mask for one kind of layer.
struct Geometry {
    /// `[batch or 1, 1, time, head / 2]`.
    cos: Tensor<4>,
    /// As `cos`.
    sin: Tensor<4>,
    /// `[batch or 1, 1, heads / kv_heads * time, keys]`.
    mask: Tensor<4>,
}

/// Keys and values of past positions, for generation. Rows are padded on the left to one length.
pub struct Cache {
    /// Padding tokens before each row.
    padding: Vec<usize>,
    /// Positions seen so far, padding included.
    seen: usize,
    layers: Vec<Option<(Tensor<4>, Tensor<4>)>>,
    /// The same for blocks that run as one operation.
    past: Option<Past>,
}

impl Cache {
    /// An empty cache for rows that begin with this many padding tokens each.
    pub fn new(padding: Vec<usize>, config: &Config) -> Self {
        Self { padding, seen: 0, layers: vec![None; config.layers], past: None }
    }

    /// Positions seen so far, padding included.
    pub fn seen(&self) -> usize {
        self.seen
    }

    /// Keeps the given rows, in the given order (a row may appear several times).
    pub fn select(&mut self, rows: &[usize]) {
        self.padding = rows.iter().map(|&r| self.padding[r]).collect();
        if let Some(past) = &mut self.past {
            past.select(rows);
        }
        for (k, v) in self.layers.iter_mut().flatten() {
            let index: Vec<i64> = rows.iter().map(|&r| r as i64).collect();
            let index = Tensor::<1, Int>::from_data(TensorData::new(index, [rows.len()]), &k.device());
            *k = k.clone().select(0, index.clone());
            *v = v.clone().select(0, index);
        }
    }
}

impl Gemma {
    /// [`Gemma::load_at`] with every weight as `f32`.
    ///
    /// # Errors
    /// As [`Gemma::load_at`].
    pub fn load(weights: Arc<Weights>, device: &Device) -> Result<Self> {
        Self::load_at(weights, device, Precision::F32)
    }

    /// Loads the blocks onto `device`. The embedding table stays in its file until logits are asked for.
    ///
    /// # Errors
    /// If a tensor is missing, misshapen or not finite, or `device` does not hold weights at this precision.
    pub fn load_at(weights: Arc<Weights>, device: &Device, precision: Precision) -> Result<Self> {
        Self::load_with(weights, device, precision, &mut |_| true)
    }

    /// As [`Gemma::load_at`], watched: nearly all of [`Config::block_parameters`] are values of the matrices that are counted.
    ///
    /// # Errors
    /// As [`Gemma::load_at`], or if the watch ends it.
    pub fn load_with(weights: Arc<Weights>, device: &Device, precision: Precision, watch: Watch<'_>) -> Result<Self> {
        let device = device.clone().without_autodiff();
        let (watch, loaded) = (RefCell::new(watch), Cell::new(0));
        Self::made_of(&weights, &device, |name, shape| {
            let matrix = Matrix::load(&weights, name, shape, precision, &device)?;
            loaded.set(loaded.get() + (shape[0] * shape[1]) as u64);
            let goes_on = (watch.borrow_mut())(loaded.get());
            if goes_on { Ok(matrix) } else { Err(Error::Request(say!("the loading was ended", "il caricamento è stato interrotto"))) }
        })
    }

    /// A model whose matrices `make` makes from their Hugging Face names and shapes; `device` is never an autodiff device.
    pub(crate) fn made_of(weights: &Arc<Weights>, device: &Device, make: impl Fn(&str, [usize; 2]) -> Result<Matrix>) -> Result<Self> {
        let config = weights.config().clone();
        let w: &Weights = weights;
        let matrix = |name: String, shape: [usize; 2]| -> Result<Linear> { Ok(Linear { weight: make(&format!("model.{name}.weight"), shape)? }) };
        let norm = |name: String, width: usize, factor: f64| -> Result<RmsNorm> {
            let mut values = w.norm(&format!("model.{name}.weight"), width)?;
            values.iter_mut().for_each(|x| *x = (f64::from(*x) * factor) as f32);
            Ok(RmsNorm { scale: Tensor::from_data(TensorData::new(values, [width]), device), factor, epsilon: config.epsilon })
        };
        let mut blocks = Vec::with_capacity(config.layers);
        for layer in 0..config.layers {
            let linear = |p: Projection| {
                let (i, o) = p.sizes(&config);
                matrix(format!("layers.{layer}.{}", p.path()), [o, i])
            };
            let hidden_norm = |name: &str| norm(format!("layers.{layer}.{name}"), config.hidden, 1.0);
            let head_norm = |name: &str, factor: f64| norm(format!("layers.{layer}.self_attn.{name}"), config.head, factor);
            blocks.push(Block {
                attention_norm: hidden_norm("input_layernorm")?,
                attention: Attention {
                    q: linear(Projection::Q)?,
                    k: linear(Projection::K)?,
                    v: linear(Projection::V)?,
                    o: linear(Projection::O)?,
                    // scores are scaled by query_scalar^-½; the rotation is linear, so the norm can carry it
                    q_norm: head_norm("q_norm", config.query_scalar.powf(-0.5))?,
                    k_norm: head_norm("k_norm", 1.0)?,
                    heads: config.heads,
                    kv_heads: config.kv_heads,
                    head: config.head,
                    window: (!config.global[layer]).then_some(config.window),
                },
                post_attention_norm: hidden_norm("post_attention_layernorm")?,
                feed_forward_norm: hidden_norm("pre_feedforward_layernorm")?,
                gate: linear(Projection::Gate)?,
                up: linear(Projection::Up)?,
                down: linear(Projection::Down)?,
                post_feed_forward_norm: hidden_norm("post_feedforward_layernorm")?,
            });
        }
        let norm = norm("norm".into(), config.hidden, 1.0)?;
        let arena = crate::device::is_cpu(device).then(Arc::default);
        Ok(Self { table: Arc::new(Table::new(weights.clone())), config, blocks, norm, device: device.clone(), arena, room: u64::MAX })
    }

    /// The same model whose fused blocks keep at most so many bytes in a step for the backward pass; the others, from
    /// the top down, compute it again, for a third more arithmetic. No number changes. Blocks that are not fused keep all of
    /// it, or where there is no room at all nothing but their inputs, see [`Gemma::pass`].
    pub fn keeping(self, room: u64) -> Self {
        Self { room, ..self }
    }

    /// Whether the backward pass computes every block again.
    pub fn recomputes(&self) -> bool {
        self.room == 0
    }

    /// The first `layers` blocks as a model of their own, sharing memory with this one: for heads, which
    /// read what a text is about below the top, where the states turn towards the next token.
    pub fn shortened(&self, layers: usize) -> Self {
        let config = self.config.shortened(layers);
        Self {
            table: self.table.clone(),
            blocks: self.blocks[..config.layers].to_vec(),
            config,
            norm: self.norm.clone(),
            device: self.device.clone(),
            arena: self.arena.clone(),
            room: self.room,
        }
    }

    /// Sizes of the model.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The embedding table.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// A matrix of a block.
    pub(crate) fn matrix(&self, layer: usize, projection: Projection) -> &Matrix {
        self.blocks[layer].matrices()[projection as usize]
    }

    /// Where the model computes; never an autodiff device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Scaled embeddings of tokens, `[tokens, hidden]`.
    ///
    /// # Errors
    /// If a token is not in the vocabulary.
    pub fn embed(&self, ids: &[u32]) -> Result<Tensor<2>> {
        Ok(self.table.gather(ids, &self.device)?.mul_scalar((self.config.hidden as f64).sqrt()))
    }

    /// How this model wants the rows of a batch.
    pub fn layout(&self) -> Layout {
        if self.arena.is_some() { Layout::Packed } else { Layout::Padded }
    }

    /// The same model run operation by operation, as it is written below: what the fused block is measured
    /// and tested against.
    pub fn unfused(&self) -> Self {
        Self { arena: None, ..self.shortened(self.config.layers) }
    }

    /// Final hidden states of a batch. A row's real tokens never see the padding that follows them; what is computed
    /// there is not meaningful and must not be used.
    ///
    /// # Shapes
    /// - `ids`: `rows.total()` tokens
    /// - result: `[rows.total(), hidden]`, after the final norm
    ///
    /// # Errors
    /// If the rows are longer than the model's context or a token is not in the vocabulary.
    pub fn forward(&self, ids: &[u32], rows: &Rows, trained: Option<&Trained>, training: bool) -> Result<Tensor<2>> {
        Ok(self.normed(self.stream(ids, rows, trained, training)?, trained, training))
    }

    /// The residual stream behind the last block, which [`Gemma::forward`] norms.
    ///
    /// # Shapes
    /// - `ids`: `rows.total()` tokens
    /// - result: `[rows.total(), hidden]`
    ///
    /// # Errors
    /// As [`Gemma::forward`].
    pub fn stream(&self, ids: &[u32], rows: &Rows, trained: Option<&Trained>, training: bool) -> Result<Tensor<2>> {
        self.blocks_seen(ids, rows, trained, training, |_, _| ())
    }

    /// As [`Gemma::forward`] of the untrained model, also handing out the input of every block (and nothing for the last
    /// state, which is the result): for checks against other implementations and for maps.
    ///
    /// # Errors
    /// As [`Gemma::forward`].
    pub fn forward_with(&self, ids: &[u32], rows: &Rows, mut see: impl FnMut(usize, &Tensor<2>)) -> Result<Tensor<2>> {
        let x = self.blocks_seen(ids, rows, None, false, |layer, x| {
            if layer < self.config.layers {
                see(layer, x);
            }
        })?;
        Ok(self.norm.forward(x))
    }

    /// The residual stream after each of the blocks counted in `taps`, side by side, not normed: what a
    /// head reads. Every block is run: [`Gemma::shortened`] leaves out those above the last tap.
    ///
    /// # Shapes
    /// - `taps`: rising, each from 1 to the number of blocks
    /// - result: `[rows.total(), hidden * taps]`
    ///
    /// # Errors
    /// As [`Gemma::forward`].
    pub fn states(&self, ids: &[u32], rows: &Rows, trained: Option<&Trained>, training: bool, taps: &[usize]) -> Result<Tensor<2>> {
        let mut states = Vec::with_capacity(taps.len());
        self.blocks_seen(ids, rows, trained, training, |passed, x| {
            if taps.contains(&passed) {
                states.push(x.clone());
            }
        })?;
        Ok(Tensor::cat(states, 1))
    }

    /// Runs the blocks; `see` gets the residual stream and how many blocks it has passed, from none to all.
    fn blocks_seen(&self, ids: &[u32], rows: &Rows, trained: Option<&Trained>, training: bool, mut see: impl FnMut(usize, &Tensor<2>)) -> Result<Tensor<2>> {
        self.fits(rows.longest())?;
        if let Some(arena) = &self.arena {
            return self.fused_blocks(ids, rows, trained, training, arena, see);
        }
        let Spread { ids, context, given } = self.spread(ids, rows);
        let as_given = |x: &Tensor<2>| match &given {
            Some(places) => x.clone().select(0, places.clone()),
            None => x.clone(),
        };
        let mut x = self.embed(&ids)?;
        for layer in 0..self.blocks.len() {
            see(layer, &as_given(&x));
            let (block, adapters) = self.block(layer, trained, training);
            x = block.forward(x, &context, adapters, None);
        }
        let x = as_given(&x);
        see(self.config.layers, &x);
        Ok(x)
    }

    /// Rows in lines of one length, as blocks take them that are not fused.
    pub(crate) fn spread(&self, ids: &[u32], rows: &Rows) -> Spread {
        let padded = rows.padded();
        let mut spread = vec![PAD; padded.total()];
        // what rows share is spread to each of them, and any of its places holds the same
        let mut real = vec![0i64; rows.total()];
        padded.real().zip(rows.real()).for_each(|(to, from)| {
            spread[to] = ids[from];
            real[from] = to as i64;
        });
        let given = (padded != *rows).then(|| Tensor::from_data(TensorData::new(real, [rows.total()]), &self.device));
        Spread { ids: spread, context: self.context(&padded), given }
    }

    /// [`Gemma::blocks_seen`] with each block as one operation.
    fn fused_blocks(
        &self,
        ids: &[u32],
        rows: &Rows,
        trained: Option<&Trained>,
        training: bool,
        arena: &Arc<Arena>,
        mut see: impl FnMut(usize, &Tensor<2>),
    ) -> Result<Tensor<2>> {
        let positions: Vec<usize> = (0..rows.longest()).collect();
        let rotary = [false, true].map(|global| Arc::new(self.rotary(global, &positions)));
        let mut x = self.embed(ids)?;
        let mut room = self.room;
        for layer in 0..self.blocks.len() {
            see(layer, &x);
            let (block, adapters) = self.block(layer, trained, training);
            let mut shape = self.shape(layer, rows.trees(), trained.and_then(Trained::adapters));
            shape.dropout = adapters.and_then(|a| a.dropout()).map(|share| Dropout { share: share as f32, key: self.drawn() });
            shape.lengths = lengths(&block, adapters);
            shape.keep = shape.kept_bytes() <= room;
            room = room.saturating_sub(shape.kept_bytes());
            let (rotary, arena) = (rotary[usize::from(self.config.global[layer])].clone(), arena.clone());
            let held = block.held()?;
            x = match trained {
                Some(Trained::Full(_)) if training => {
                    let matrices = block.matrices().map(|m| m.tensor(&self.device));
                    fused::run_whole(x, held, matrices, block.scales(), shape, rotary, arena)
                }
                _ => fused::run(x, held, adapters, shape, rotary, arena),
            };
        }
        see(self.config.layers, &x);
        Ok(x)
    }

    /// A block as it is trained, and the adapters beside it.
    pub(crate) fn block<'a>(&'a self, layer: usize, trained: Option<&'a Trained>, training: bool) -> (Cow<'a, Block>, Option<BlockAdapters<'a>>) {
        let own = &self.blocks[layer];
        match trained {
            Some(Trained::Full(full)) => (Cow::Owned(own.of(full.layer(layer, training))), None),
            Some(Trained::Adapters(adapters)) => (Cow::Borrowed(own), Some(adapters.block(layer, training))),
            None => (Cow::Borrowed(own), None),
        }
    }

    /// What the norm behind the last block, as it is trained, makes of the residual stream, `[positions, hidden]`.
    pub fn normed(&self, x: Tensor<2>, trained: Option<&Trained>, training: bool) -> Tensor<2> {
        self.last_norm(trained, training).forward(x)
    }

    /// The norm behind the last block as it is trained.
    fn last_norm(&self, trained: Option<&Trained>, training: bool) -> Cow<'_, RmsNorm> {
        match trained {
            Some(Trained::Full(full)) => Cow::Owned(self.norm.of(full.norm(training))),
            _ => Cow::Borrowed(&self.norm),
        }
    }

    /// Sixty-four bits from the device's random stream, the one that operations draw from.
    pub(crate) fn drawn(&self) -> u64 {
        let draws = Tensor::<2>::random([1, 4], Distribution::Default, &self.device);
        crate::lora::values(draws).into_iter().fold(0, |bits, draw| (bits << 16) | u64::from((draw * 65536.0) as u16))
    }

    /// What the fused block needs to know about a layer and a batch.
    fn shape(&self, layer: usize, rows: Vec<Tree>, adapters: Option<&Adapters>) -> fused::Shape {
        let c = &self.config;
        fused::Shape {
            rows,
            hidden: c.hidden,
            heads: c.heads,
            kv_heads: c.kv_heads,
            head: c.head,
            feed_forward: c.feed_forward,
            window: if c.global[layer] { usize::MAX } else { c.window },
            epsilon: c.epsilon as f32,
            rank: adapters.map_or(0, |a| a.config().rank),
            scale: adapters.map_or(0.0, |a| a.config().scale() as f32),
            adapters: [None; 7],
            lengths: Default::default(),
            whole: false,
            dropout: None,
            // every block learns, so only the lowest one has nothing below it to learn
            input_gradient: layer > 0,
            keep: true,
        }
    }

    /// Final hidden states of the next `time` positions of a batch whose past is in `cache`; what is trained must stay the same
    /// for all of them.
    ///
    /// # Shapes
    /// - `ids`: `batch * time` tokens, row by row, with the cache's padding on the left
    /// - result: `[batch * time, hidden]`, not meaningful where padding stands
    ///
    /// # Errors
    /// If the rows become longer than the model's context or a token is not in the vocabulary.
    pub fn forward_cached(&self, ids: &[u32], trained: Option<&Trained>, cache: &mut Cache) -> Result<Tensor<2>> {
        let batch = cache.padding.len();
        let time = ids.len() / batch.max(1);
        self.fits(cache.seen + time)?;
        // padding belongs to the first tokens of a row
        let begins = cache.seen == 0 && cache.padding.iter().all(|&pad| pad < time);
        if let Some(arena) = self.arena.as_ref().filter(|_| begins || cache.past.is_some()) {
            let x = self.fused_cached(ids, trained, cache, arena)?;
            cache.seen += time;
            return Ok(self.last_norm(trained, false).forward(x));
        }
        let (window, seen) = (self.config.window, cache.seen);
        let positions: Vec<Vec<usize>> = cache.padding.iter().map(|&pad| (seen..seen + time).map(|t| t.saturating_sub(pad)).collect()).collect();
        // local layers keep only what the window can still reach
        let kept = seen.min(window - 1);
        let sees = |row: usize, q: usize, k: usize, window: usize| k >= cache.padding[row].min(q) && k <= q && q - k < window;
        let context = Context {
            batch,
            time,
            global: self.geometry(true, &positions, seen + time, |row, q, k| sees(row, seen + q, k, usize::MAX)),
            local: self.geometry(false, &positions, kept + time, |row, q, k| sees(row, seen + q, seen - kept + k, window)),
        };
        let mut x = self.embed(ids)?;
        for layer in 0..self.blocks.len() {
            let (block, adapters) = self.block(layer, trained, false);
            x = block.forward(x, &context, adapters, Some(&mut cache.layers[layer]));
        }
        cache.seen += time;
        Ok(self.normed(x, trained, false))
    }

    /// [`Gemma::forward_cached`] with each block as one operation, without the last norm.
    fn fused_cached(&self, ids: &[u32], trained: Option<&Trained>, cache: &mut Cache, arena: &Arc<Arena>) -> Result<Tensor<2>> {
        let (width, batch) = (self.config.hidden, cache.padding.len());
        let time = ids.len() / batch.max(1);
        let kind = |layer: usize| usize::from(self.config.global[layer]);
        let mut out = vec![0.0; ids.len() * width];
        if let Some(past) = &mut cache.past {
            for t in 0..time {
                let next: Vec<u32> = (0..batch).map(|row| ids[row * time + t]).collect();
                let rotary = [false, true].map(|global| self.rotary(global, &past.positions()));
                let x = past.step(crate::lora::values(self.embed(&next)?), |layer| &rotary[kind(layer)]);
                for (row, x) in x.chunks_exact(width).enumerate() {
                    out[(row * time + t) * width..][..width].copy_from_slice(x);
                }
            }
        } else {
            let layers = (0..self.blocks.len()).map(|layer| {
                let (block, adapters) = self.block(layer, trained, false);
                let mut shape = self.shape(layer, Vec::new(), trained.and_then(Trained::adapters));
                shape.lengths = lengths(&block, adapters);
                Ok(Layer::new(block.held()?, adapters, shape))
            });
            let mut past = Past::new(layers.collect::<Result<_>>()?, arena.clone());
            let prompts: Vec<&[u32]> = ids.chunks(time.max(1)).zip(&cache.padding).map(|(row, &pad)| &row[pad..]).collect();
            let lengths = prompts.iter().map(|prompt| prompt.len()).collect();
            // the last token of each is its own, because what follows it is
            let before: Vec<&[u32]> = prompts.iter().map(|prompt| &prompt[..prompt.len().saturating_sub(1)]).collect();
            let trunk = rows::common(&before);
            let rows = if batch > 1 && trunk >= rows::TRUNK { Rows::sharing(lengths, trunk) } else { Rows::new(lengths, Layout::Packed) };
            let mut tokens = vec![PAD; rows.total()];
            for ([shared, own], prompt) in rows.places().into_iter().zip(&prompts) {
                let (before, after) = prompt.split_at(shared.len());
                tokens[shared].copy_from_slice(before);
                tokens[own].copy_from_slice(after);
            }
            let positions: Vec<usize> = (0..rows.longest()).collect();
            let rotary = [false, true].map(|global| self.rotary(global, &positions));
            let x = past.read(crate::lora::values(self.embed(&tokens)?), &rows.trees(), |layer| &rotary[kind(layer)]);
            for (row, (places, &pad)) in rows.places().into_iter().zip(&cache.padding).enumerate() {
                for (to, from) in (row * time + pad..).zip(places.into_iter().flatten()) {
                    out[to * width..][..width].copy_from_slice(&x[from * width..][..width]);
                }
            }
            cache.past = Some(past);
        }
        Ok(Tensor::from_data(TensorData::new(out, [ids.len(), width]), &self.device))
    }

    /// Logits of the whole vocabulary for a few hidden states, on the host.
    ///
    /// # Shapes
    /// - `hidden`: `[rows, hidden]`
    /// - result: one vector of `vocabulary` logits per row
    ///
    /// # Errors
    /// If the table cannot be read.
    pub fn logits(&self, hidden: Tensor<2>) -> Result<Vec<Vec<f32>>> {
        let rows = hidden.dims()[0];
        let hidden = hidden.inner();
        if self.arena.is_some() {
            return self.table.logits(&crate::lora::values(hidden), None);
        }
        let mut out = vec![Vec::with_capacity(self.table.rows()); rows];
        for shard in self.table.shards(&self.device)? {
            let values = crate::lora::values(hidden.clone().matmul(shard.rows.clone().transpose()));
            for (row, part) in out.iter_mut().zip(values.chunks_exact(shard.range.len())) {
                row.extend_from_slice(part);
            }
        }
        Ok(out)
    }

    /// Logits of a few tokens only: the table is not uploaded for it.
    ///
    /// # Shapes
    /// - `hidden`: `[rows, hidden]`
    /// - result: `[rows][tokens]`
    ///
    /// # Errors
    /// If a token is not in the vocabulary.
    pub fn logits_of(&self, hidden: Tensor<2>, tokens: &[u32]) -> Result<Vec<Vec<f32>>> {
        if self.arena.is_some() {
            return self.table.logits(&crate::lora::values(hidden.inner()), Some(tokens));
        }
        let rows = self.table.gather(tokens, &self.device)?;
        let values = crate::lora::values(hidden.inner().matmul(rows.transpose()));
        Ok(values.chunks_exact(tokens.len().max(1)).map(<[f32]>::to_vec).collect())
    }

    /// What the blocks need for rows in lines, without a cache.
    fn context(&self, rows: &Rows) -> Context {
        let [batch, time] = rows.shape().unwrap_or_default();
        // where each token stands in its row, line by line
        let places: Vec<usize> = rows.trees().iter().flat_map(|row| 0..row.tokens()).collect();
        let mut positions: Vec<Vec<usize>> = places.chunks(time.max(1)).map(<[usize]>::to_vec).collect();
        if positions.windows(2).all(|pair| pair[0] == pair[1]) {
            // one line stands for all that are like it
            positions.truncate(1);
        }
        // a token sees those before it in its own row
        let sees = |line: usize, q: usize, k: usize, window: usize| k <= q && q - k <= positions[line][q] && q - k < window;
        Context {
            batch,
            time,
            global: self.geometry(true, &positions, time, |line, q, k| sees(line, q, k, usize::MAX)),
            local: self.geometry(false, &positions, time, |line, q, k| sees(line, q, k, self.config.window)),
        }
    }

    pub(crate) fn fits(&self, time: usize) -> Result<()> {
        if time > self.config.context {
            return Err(Error::Request(say!(
                "an input of {time} tokens is longer than the model's context of {}; shorten it",
                "un testo di {time} token supera il contesto del modello, {}; accorcialo",
                self.config.context
            )));
        }
        Ok(())
    }

    /// Rotary angles of positions, `[positions, head / 2]`.
    fn rotary(&self, global: bool, positions: &[usize]) -> Rotary {
        let half = self.config.head / 2;
        let (theta, factor) = if global { (self.config.theta_global, self.config.rope_factor) } else { (self.config.theta_local, 1.0) };
        let frequencies: Vec<f64> = (0..half).map(|i| theta.powf(-(i as f64) / half as f64) / factor).collect();
        let angles = positions.iter().flat_map(|&p| frequencies.iter().map(move |f| p as f64 * f));
        let (sin, cos) = angles.map(|a| (a.sin() as f32, a.cos() as f32)).unzip();
        Rotary { cos, sin }
    }

    fn geometry(&self, global: bool, positions: &[Vec<usize>], keys: usize, sees: impl Fn(usize, usize, usize) -> bool) -> Geometry {
        let c = &self.config;
        let (rows, time, half) = (positions.len(), positions.first().map_or(0, Vec::len), c.head / 2);
        let Rotary { cos, sin } = self.rotary(global, &positions.concat());
        let groups = c.heads / c.kv_heads;
        let mut mask = Vec::with_capacity(rows * groups * time * keys);
        for row in 0..rows {
            for q in (0..groups).flat_map(|_| 0..time) {
                mask.extend((0..keys).map(|k| if sees(row, q, k) { 0.0 } else { MASKED }));
            }
        }
        let tensor = |v: Vec<f32>, a: usize, b: usize| Tensor::from_data(TensorData::new(v, [rows, 1, a, b]), &self.device);
        Geometry { cos: tensor(cos, time, half), sin: tensor(sin, time, half), mask: tensor(mask, groups * time, keys) }
    }
}

/// Lengths of the rows of a block's merged weights, where they are brought to a magnitude.
fn lengths(block: &Block, adapters: Option<BlockAdapters<'_>>) -> [Vec<f32>; 7] {
    Projection::ALL.map(|p| {
        let lengths = adapters.and_then(|a| a.lengths(p, block.matrices()[p as usize]));
        lengths.map(crate::lora::values).unwrap_or_default()
    })
}

impl Block {
    /// The same block with weights that are trained.
    fn of(&self, full::Layer { matrices, norms }: full::Layer) -> Self {
        let [q, k, v, o, gate, up, down] = matrices.map(|weight| Linear { weight: Matrix::Whole(weight) });
        let [attention, q_head, k_head, post_attention, feed_forward, post_feed_forward] = norms;
        let own = &self.attention;
        Self {
            attention_norm: self.attention_norm.of(attention),
            attention: Attention { q, k, v, o, q_norm: own.q_norm.of(q_head), k_norm: own.k_norm.of(k_head), ..own.clone() },
            post_attention_norm: self.post_attention_norm.of(post_attention),
            feed_forward_norm: self.feed_forward_norm.of(feed_forward),
            gate,
            up,
            down,
            post_feed_forward_norm: self.post_feed_forward_norm.of(post_feed_forward),
        }
    }

    /// The matrices in the order of [`Projection::ALL`].
    fn matrices(&self) -> [&Matrix; 7] {
        let a = &self.attention;
        [&a.q, &a.k, &a.v, &a.o, &self.gate, &self.up, &self.down].map(|l| &l.weight)
    }

    /// Factors of the norms in the order of the fused block.
    fn scales(&self) -> [Tensor<1>; 6] {
        let a = &self.attention;
        let norms = [&self.attention_norm, &a.q_norm, &a.k_norm, &self.post_attention_norm, &self.feed_forward_norm, &self.post_feed_forward_norm];
        norms.map(|n| n.scale.clone())
    }

    /// The tensors, for the fused block.
    fn held(&self) -> Result<Arc<Held>> {
        Ok(Arc::new(Held::new(self.matrices(), self.scales())?))
    }

    /// One block.
    ///
    /// # Shapes
    /// - `x` and result: `[batch * time, hidden]`
    pub fn forward(
        &self,
        x: Tensor<2>,
        context: &Context,
        adapters: Option<BlockAdapters<'_>>,
        cache: Option<&mut Option<(Tensor<4>, Tensor<4>)>>,
    ) -> Tensor<2> {
        let y = self.attention.forward(self.attention_norm.forward(x.clone()), context, adapters, cache);
        let x = x + self.post_attention_norm.forward(y);
        let y = self.feed_forward_norm.forward(x.clone());
        let gate = self.gate.forward(y.clone(), adapters, Projection::Gate);
        let up = self.up.forward(y, adapters, Projection::Up);
        let y = self.down.forward(gelu_approximate(gate) * up, adapters, Projection::Down);
        x + self.post_feed_forward_norm.forward(y)
    }
}

impl Attention {
    fn forward(&self, x: Tensor<2>, context: &Context, adapters: Option<BlockAdapters<'_>>, cache: Option<&mut Option<(Tensor<4>, Tensor<4>)>>) -> Tensor<2> {
        let (b, t) = (context.batch, context.time);
        let geometry = if self.window.is_some() { &context.local } else { &context.global };
        let heads = |x: Tensor<2>, n: usize| x.reshape([b, t, n, self.head]).swap_dims(1, 2);
        let normed = |x: Tensor<2>, norm: &RmsNorm, n: usize| {
            let rows = norm.forward(x.reshape([b * t * n, self.head]));
            geometry.rotate(heads(rows.reshape([b * t, n * self.head]), n))
        };
        let q = normed(self.q.forward(x.clone(), adapters, Projection::Q), &self.q_norm, self.heads);
        let mut k = normed(self.k.forward(x.clone(), adapters, Projection::K), &self.k_norm, self.kv_heads);
        let mut v = heads(self.v.forward(x, adapters, Projection::V), self.kv_heads);
        if let Some(past) = cache {
            if let Some((old_k, old_v)) = past.take() {
                k = Tensor::cat(vec![old_k, k], 2);
                v = Tensor::cat(vec![old_v, v], 2);
            }
            *past = Some(self.keep(&k, &v));
        }
        // query heads that share a key head are stacked along time, so keys are never repeated
        let groups = self.heads / self.kv_heads;
        let q = q.reshape([b, self.kv_heads, groups * t, self.head]);
        let scores = q.matmul(k.swap_dims(2, 3)) + geometry.mask.clone();
        let y = softmax(scores, 3).matmul(v);
        let y = y.reshape([b, self.heads, t, self.head]).swap_dims(1, 2).reshape([b * t, self.heads * self.head]);
        self.o.forward(y, adapters, Projection::O)
    }

    /// The part of keys and values that later positions can still see.
    fn keep(&self, k: &Tensor<4>, v: &Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let length = k.dims()[2];
        match self.window {
            Some(window) if length > window - 1 => {
                let from = length - (window - 1);
                (k.clone().narrow(2, from, window - 1), v.clone().narrow(2, from, window - 1))
            }
            _ => (k.clone(), v.clone()),
        }
    }
}

impl Geometry {
    /// Rotates the two halves of every head against each other (not interleaved pairs).
    fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        let half = x.dims()[3] / 2;
        let a = x.clone().narrow(3, 0, half);
        let b = x.narrow(3, half, half);
        let first = a.clone() * self.cos.clone() - b.clone() * self.sin.clone();
        let second = b * self.cos.clone() + a * self.sin.clone();
        Tensor::cat(vec![first, second], 3)
    }
}

impl Linear {
    fn forward(&self, x: Tensor<2>, adapters: Option<BlockAdapters<'_>>, projection: Projection) -> Tensor<2> {
        let y = self.weight.product(x.clone());
        match adapters {
            Some(adapters) => adapters.apply(projection, x, y, &self.weight),
            None => y,
        }
    }
}

impl RmsNorm {
    /// The same norm with another `w`, `[1, width]`.
    fn of(&self, w: Tensor<2>) -> Self {
        let scale = w.add_scalar(1.0).mul_scalar(self.factor);
        let width = scale.dims()[1];
        Self { scale: scale.reshape([width]), factor: self.factor, epsilon: self.epsilon }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let rms = x.clone().square().mean_dim(1).add_scalar(self.epsilon).sqrt();
        x / rms * self.scale.clone().unsqueeze()
    }
}
