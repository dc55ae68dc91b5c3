//! Blocks over tokens whose past is known: generation on the CPU.
//!
//! A prompt goes through a block as in training, and a beginning that prompts share goes through it once for each core.
//! What comes after is a token a row. That is too little for a matrix product of the usual kind, which first copies the weights
//! to where it wants them: here each weight is read once and meets every row ([`kernel::narrow`]).

use super::arena::{Arena, Buffer};
use super::block::{Block, Shape, Slot};
use super::kernel::{self, Matrix, Rotary, multiply};
use super::{Held, packed};
use crate::lora::BlockAdapters;
use crate::rows::Tree;
use burn::tensor::Tensor;
use gemm::Parallelism;
use rayon::prelude::*;
use std::sync::Arc;

/// Outputs of a matrix that a core works on at a time.
const OUTPUTS: usize = 32;

/// Keys (normed and rotated) and values of consecutive tokens in one layer, `[tokens, kv_heads * head]` each.
#[derive(Clone, Debug, Default)]
pub struct Piece {
    pub k: Vec<f32>,
    pub v: Vec<f32>,
}

/// A layer as it was when a generation began.
pub(crate) struct Layer {
    held: Arc<Held>,
    shape: Shape,
    /// The adapters, one behind the other, see [`Shape::adapters`].
    adapters: Vec<f32>,
}

impl Layer {
    /// Of what a block holds; `shape` needs no rows.
    pub fn new(held: Arc<Held>, adapters: Option<BlockAdapters<'_>>, mut shape: Shape) -> Self {
        let parts = packed(adapters, &mut shape);
        let length = parts.iter().map(|part| part.dims()[0]).sum();
        let adapters = if parts.is_empty() { Vec::new() } else { crate::lora::values(Tensor::cat(parts, 0).reshape([1, length])) };
        Self { held, shape, adapters }
    }

    /// Takes prompts through the block: its output, shaped as `x`, and the keys and values of each trunk and branch.
    fn read(&self, x: &[f32], rows: Vec<Tree>, rotary: &Rotary, arena: &Arc<Arena>) -> (Vec<f32>, Vec<Piece>) {
        let shape = Shape { rows, ..self.shape.clone() };
        let mut room = arena.take(self.held.packed());
        Block::new(&shape, self.held.weights(&mut room), &self.adapters, rotary, arena).read(x)
    }

    /// `y = x·Wᵀ + scale·(x·A)·B`, times the gain, of one projection for a few rows.
    fn project(&self, slot: Slot, x: &[f32], arena: &Arc<Arena>) -> Buffer {
        let [inputs, outputs] = self.shape.sizes(slot);
        let n = x.len() / inputs;
        let parts = (0..outputs.div_ceil(OUTPUTS)).into_par_iter().map(|part| {
            let own = part * OUTPUTS..outputs.min((part + 1) * OUTPUTS);
            let (mut out, mut room) = (vec![0.0; n * own.len()], arena.take(self.held.room(slot, &own)));
            kernel::narrow(&mut out, own.len(), x, self.held.rows(slot, own.clone(), &mut room), [inputs, inputs, own.len()]);
            out
        });
        let parts: Vec<Vec<f32>> = parts.collect();
        let mut y = arena.take(n * outputs);
        for (part, values) in parts.iter().enumerate() {
            let width = values.len() / n.max(1);
            for (y, values) in y.chunks_exact_mut(outputs).zip(values.chunks_exact(width.max(1))) {
                y[part * OUTPUTS..][..width].copy_from_slice(values);
            }
        }
        if let Some(at) = self.shape.adapters[slot] {
            let (rank, alone) = (self.shape.rank, Parallelism::None);
            let (a, b) = self.adapters[at..at + rank * (inputs + outputs)].split_at(rank * inputs);
            let mut low = arena.take(n * rank);
            multiply(&mut low, rank, [n, rank, inputs], Matrix::rows(x, inputs), Matrix::rows(a, rank), 1.0, false, alone);
            multiply(&mut y, outputs, [n, outputs, rank], Matrix::rows(&low, rank), Matrix::rows(b, outputs), self.shape.scale, true, alone);
        }
        if let Some((_, gain)) = self.shape.gain(slot, &self.adapters) {
            kernel::gain(&mut y, &gain);
        }
        y
    }
}

/// What a row has seen.
#[derive(Clone)]
struct Row {
    /// Its prompt, in pieces that other rows may share, each with what every layer keeps of it.
    read: Vec<Arc<Vec<Piece>>>,
    /// What came after, layer by layer.
    written: Vec<Piece>,
    tokens: usize,
}

/// The past of the rows of a generation.
pub(crate) struct Past {
    layers: Vec<Layer>,
    rows: Vec<Row>,
    arena: Arc<Arena>,
}

impl Past {
    /// Nothing seen yet.
    pub fn new(layers: Vec<Layer>, arena: Arc<Arena>) -> Self {
        Self { layers, rows: Vec::new(), arena }
    }

    /// Positions at which the next token of each row stands.
    pub fn positions(&self) -> Vec<usize> {
        self.rows.iter().map(|row| row.tokens).collect()
    }

    /// Takes prompts through all blocks. `x` is `[tokens, hidden]`, and so is the result; `rotary` gives a layer's angles of the
    /// positions from 0 on.
    pub fn read<'r>(&mut self, mut x: Vec<f32>, rows: &[Tree], rotary: impl Fn(usize) -> &'r Rotary) -> Vec<f32> {
        let mut pieces: Vec<Vec<Piece>> = Vec::new();
        for (layer, own) in self.layers.iter().enumerate() {
            let (out, found) = own.read(&x, rows.to_vec(), rotary(layer), &self.arena);
            x = out;
            pieces.resize_with(found.len(), Vec::new);
            pieces.iter_mut().zip(found).for_each(|(piece, found)| piece.push(found));
        }
        let mut pieces = pieces.into_iter().map(Arc::new);
        let mut next = || pieces.next().unwrap_or_default();
        let row = |read: Vec<Arc<Vec<Piece>>>, tokens| Row { read, written: vec![Piece::default(); self.layers.len()], tokens };
        for tree in rows {
            let trunk = next();
            if tree.branches.is_empty() {
                self.rows.push(row(vec![trunk], tree.trunk));
                continue;
            }
            for branch in &tree.branches {
                self.rows.push(row(vec![trunk.clone(), next()], tree.trunk + branch));
            }
        }
        x
    }

    /// Takes the next token of every row through all blocks. `x` is `[rows, hidden]`, and so is the result; `rotary` gives a
    /// layer's angles of [`Past::positions`].
    pub fn step<'r>(&mut self, mut x: Vec<f32>, rotary: impl Fn(usize) -> &'r Rotary) -> Vec<f32> {
        for layer in 0..self.layers.len() {
            x = self.layer_step(layer, &x, rotary(layer));
        }
        self.rows.iter_mut().for_each(|row| row.tokens += 1);
        x
    }

    fn layer_step(&mut self, layer: usize, x: &[f32], rotary: &Rotary) -> Vec<f32> {
        let Self { layers, rows, arena } = self;
        let own = &layers[layer];
        let s = &own.shape;
        let norms = own.held.scales();
        let ([q_norm, k_norm], epsilon) = ([norms.q_norm, norms.k_norm], s.epsilon);
        let mut normed = arena.take(x.len());
        kernel::rms_norm(&mut normed, x, norms.attention_norm, epsilon);
        let [q, k, v] = [Shape::Q, Shape::K, Shape::V].map(|slot| own.project(slot, &normed, arena));
        // each row's angles are the next ones, so the rows may stand for consecutive tokens here
        let (mut turned_q, mut turned_k) = (arena.take(q.len()), arena.take(k.len()));
        kernel::norm_and_rotate(&mut turned_q, &q, q_norm, epsilon, s.heads, 0, rotary);
        kernel::norm_and_rotate(&mut turned_k, &k, k_norm, epsilon, s.kv_heads, 0, rotary);
        let (q_width, kv_width) = (s.heads * s.head, s.kv_heads * s.head);
        for ((row, k), v) in rows.iter_mut().zip(turned_k.chunks_exact(kv_width)).zip(v.chunks_exact(kv_width)) {
            row.written[layer].k.extend_from_slice(k);
            row.written[layer].v.extend_from_slice(v);
        }
        let mut attended = arena.take(q.len());
        let work = attended.par_chunks_exact_mut(q_width).zip(turned_q.par_chunks_exact(q_width)).zip(&*rows);
        work.for_each(|((out, q), row)| row.attend(layer, s, q, out, arena));
        let o = own.project(Shape::O, &attended, arena);
        let mut middle = arena.take(x.len());
        kernel::add_rms_norm(&mut middle, x, &o, norms.post_attention_norm, epsilon);
        kernel::rms_norm(&mut normed, &middle, norms.feed_forward_norm, epsilon);
        let [gate, up] = [Shape::GATE, Shape::UP].map(|slot| own.project(slot, &normed, arena));
        let mut inner = arena.take(gate.len());
        kernel::geglu(&mut inner, &gate, &up);
        let down = own.project(Shape::DOWN, &inner, arena);
        let mut out = vec![0.0; x.len()];
        kernel::add_rms_norm(&mut out, &middle, &down, norms.post_feed_forward_norm, epsilon);
        out
    }

    /// Keeps the given rows, in the given order (a row may appear several times).
    pub fn select(&mut self, rows: &[usize]) {
        let mut uses = vec![0; self.rows.len()];
        rows.iter().for_each(|&row| uses[row] += 1);
        let mut old: Vec<Option<Row>> = std::mem::take(&mut self.rows).into_iter().map(Some).collect();
        let kept = rows.iter().filter_map(|&row| {
            uses[row] -= 1;
            // what it has written is copied only for a row that goes on more than once
            if uses[row] == 0 { old[row].take() } else { old[row].clone() }
        });
        self.rows = kept.collect();
    }
}

impl Row {
    /// Attention of the newest token, whose keys and values are written already: `q` is `[heads * head]`, and so is `out`.
    fn attend(&self, layer: usize, s: &Shape, q: &[f32], out: &mut [f32], arena: &Arc<Arena>) {
        let (head, width, groups) = (s.head, s.kv_heads * s.head, s.heads / s.kv_heads);
        let pieces = || self.read.iter().map(|piece| &piece[layer]).chain([&self.written[layer]]);
        let seen: usize = pieces().map(|piece| piece.k.len() / width).sum();
        let first = seen.saturating_sub(s.window);
        let keys = seen - first;
        // the pieces' visible parts: first token of the piece, how many, and where they stand among all
        let mut before = 0;
        let visible: Vec<(&Piece, usize, usize, usize)> = pieces()
            .filter_map(|piece| {
                let length = piece.k.len() / width;
                let skipped = first.saturating_sub(before).min(length);
                let at = (before + skipped).saturating_sub(first);
                before += length;
                (skipped < length).then_some((piece, skipped, length - skipped, at))
            })
            .collect();
        // in steps, so that the buffer of the token before serves again
        let mut room = arena.take(groups * keys.next_multiple_of(128));
        let scores = &mut room[..groups * keys];
        for kv in 0..s.kv_heads {
            let own = kv * groups * head..(kv + 1) * groups * head;
            for &(piece, skipped, count, at) in &visible {
                kernel::narrow(&mut scores[at..], keys, &q[own.clone()], &piece.k[skipped * width + kv * head..], [head, width, count]);
            }
            // the newest token sees all of them
            scores.chunks_exact_mut(keys).for_each(|scores| kernel::masked_softmax(scores, keys, keys - 1, 0, usize::MAX));
            let out = &mut out[own];
            out.fill(0.0);
            for &(piece, skipped, count, at) in &visible {
                kernel::weighted(out, &scores[at..], keys, &piece.v[skipped * width + kv * head..], [head, width, count]);
            }
        }
    }
}
