//! One block forward and backward over whole rows, without a graph in between.
//!
//! Rows are dealt out to the cores, each core takes its rows through the whole block with buffers that
//! stay in its cache, and meets the others only at the end. Where there are fewer rows than cores, a row is taken through
//! by several: its products, its tokens and its queries are divided. The gradients of what is trained, packed adapters or
//! the block's own weights, are summed over the cores in a fixed order, so a run is repeatable on the same number
//! of cores.

use super::arena::{Arena, Buffer};
use super::kernel::{self, Dropout, Matrix, Rotary, multiply};
use super::past::Piece;
use crate::rows::Tree;
use gemm::Parallelism;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// Queries that attention takes at a time: scores of `QUERIES × keys` stay in the second-level cache.
const QUERIES: usize = 64;
/// Values of a gradient that one core adds up at a time.
const SUMMED: usize = 1 << 14;

/// Everything about a call that is not a tensor.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The rows, or bundles of rows with a trunk; they follow each other without padding.
    pub rows: Vec<Tree>,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head: usize,
    /// Width of the feed-forward layer.
    pub feed_forward: usize,
    /// Keys that a query sees, itself included.
    pub window: usize,
    /// Added to a mean square before its root.
    pub epsilon: f32,
    /// Rank of the adapters.
    pub rank: usize,
    /// Factor of the adapters' share.
    pub scale: f32,
    /// Where each projection's adapter begins in the packed tensor, if it has one: A `[inputs, rank]`, then
    /// B `[rank, outputs]`, then the magnitude `[outputs]` where it is trained. Order: q, k, v, o, gate, up, down.
    pub adapters: [Option<usize>; 7],
    /// Lengths of the rows of each merged weight, which are brought to the magnitude; empty where that is not trained.
    pub lengths: [Vec<f32>; 7],
    /// Whether the gradients by the block's own matrices and norms are wanted, instead of those by adapters.
    pub whole: bool,
    /// What is left out of the adapters' inputs; each adapter has a stream of its own.
    pub dropout: Option<Dropout>,
    /// Whether the gradient by the block's input is wanted.
    pub input_gradient: bool,
    /// Whether what the backward pass needs is kept, or computed again when it is needed.
    pub keep: bool,
}

/// Place of a projection among the seven, in the order of [`Shape::adapters`].
pub type Slot = usize;

impl Shape {
    pub const Q: Slot = 0;
    pub const K: Slot = 1;
    pub const V: Slot = 2;
    pub const O: Slot = 3;
    pub const GATE: Slot = 4;
    pub const UP: Slot = 5;
    pub const DOWN: Slot = 6;

    /// Inputs and outputs of a projection.
    pub fn sizes(&self, slot: Slot) -> [usize; 2] {
        let (q, kv) = (self.heads * self.head, self.kv_heads * self.head);
        match slot {
            Self::Q => [self.hidden, q],
            Self::K | Self::V => [self.hidden, kv],
            Self::O => [q, self.hidden],
            Self::GATE | Self::UP => [self.hidden, self.feed_forward],
            _ => [self.feed_forward, self.hidden],
        }
    }

    /// Where a projection's magnitudes lie in the packed adapters, and what they over the lengths multiply its outputs by, where
    /// they are trained.
    pub fn gain(&self, slot: Slot, packed: &[f32]) -> Option<(Range<usize>, Vec<f32>)> {
        let (lengths, [inputs, outputs]) = (&self.lengths[slot], self.sizes(slot));
        let at = self.adapters[slot].filter(|_| !lengths.is_empty())? + self.rank * (inputs + outputs);
        let own = at..at + outputs;
        let gain = packed[own.clone()].iter().zip(lengths).map(|(m, length)| m / length).collect();
        Some((own, gain))
    }

    /// Bytes that [`Shape::keep`] takes, adapters aside: what [`Kept`] holds.
    pub fn kept_bytes(&self) -> u64 {
        let (q, kv) = (self.heads * self.head, self.kv_heads * self.head);
        let width = 2 * q + 2 * kv + 2 * self.hidden + 2 * self.feed_forward;
        let tokens: usize = self.rows.iter().map(Tree::tokens).sum();
        4 * (tokens as u64) * (width as u64)
    }

    /// Shapes of a block's matrices and norms, in the order of [`Weights`].
    fn weights(&self) -> [Vec<usize>; 13] {
        let norms = [self.hidden, self.head, self.head, self.hidden, self.hidden, self.hidden];
        std::array::from_fn(|i| if i <= Self::DOWN { self.sizes(i).into_iter().rev().collect() } else { vec![norms[i - Self::DOWN - 1]] })
    }
}

/// The block's own weights, matrices `[outputs, inputs]`.
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub struct Weights<'a> {
    pub matrices: [&'a [f32]; 7],
    pub attention_norm: &'a [f32],
    pub q_norm: &'a [f32],
    pub k_norm: &'a [f32],
    pub post_attention_norm: &'a [f32],
    pub feed_forward_norm: &'a [f32],
    pub post_feed_forward_norm: &'a [f32],
}

/// What the forward pass leaves for the backward pass, for one core's rows.
#[derive(Debug)]
pub struct Kept {
    q: Buffer,
    k: Buffer,
    v: Buffer,
    attended: Buffer,
    o: Buffer,
    gate: Buffer,
    up: Buffer,
    down: Buffer,
    /// Inputs times A, per group.
    low: [Buffer; 4],
}

/// Queries that attention takes together, see [`Block::query_blocks`].
type QueryBlock = (usize, usize, usize, usize);

/// Projections that share an input, and their adapters as one.
struct Group {
    /// Positions among the seven.
    members: Range<usize>,
    inputs: usize,
    /// A of all members side by side, `[inputs, width]`.
    a: Vec<f32>,
    width: usize,
    /// For each adapter: member, where its A and B begin in the packed tensor.
    adapters: Vec<(usize, usize, usize)>,
}

/// A block ready to run.
pub struct Block<'a> {
    shape: &'a Shape,
    weights: Weights<'a>,
    packed: &'a [f32],
    rotary: &'a Rotary,
    groups: [Group; 4],
    arena: &'a Arc<Arena>,
    outputs: [usize; 7],
    /// Where the magnitudes lie in the packed tensor, and what they over the lengths multiply the outputs by, where they are trained.
    gains: [Option<(Range<usize>, Vec<f32>)>; 7],
    /// Where the gradients by the matrices and norms lie among all of a core's, if they are wanted.
    whole: Option<[Range<usize>; 13]>,
    chunks: Vec<Range<usize>>,
    threads: Parallelism,
}

/// Number of a norm among a block's matrices and norms, in the order of [`Weights`].
const ATTENTION_NORM: usize = 7;
const Q_NORM: usize = 8;
const K_NORM: usize = 9;
const POST_ATTENTION_NORM: usize = 10;
const FEED_FORWARD_NORM: usize = 11;
const POST_FEED_FORWARD_NORM: usize = 12;

const QKV: usize = 0;
const O: usize = 1;
const FEED_FORWARD: usize = 2;
const DOWN: usize = 3;

impl<'a> Block<'a> {
    /// Prepares a block: deals out the rows and gathers the adapters by group.
    pub fn new(shape: &'a Shape, weights: Weights<'a>, packed: &'a [f32], rotary: &'a Rotary, arena: &'a Arc<Arena>) -> Self {
        let outputs = std::array::from_fn(|slot| shape.sizes(slot)[1]);
        let group = |members: Range<usize>, inputs: usize| {
            let adapters: Vec<(usize, usize, usize)> =
                members.clone().filter_map(|m| shape.adapters[m].map(|at| (m - members.start, at, at + inputs * shape.rank))).collect();
            let width = adapters.len() * shape.rank;
            let mut a = vec![0.0; inputs * width];
            for (i, &(_, at, b)) in adapters.iter().enumerate() {
                let from = i * shape.rank;
                for (row, values) in packed[at..b].chunks_exact(shape.rank).enumerate() {
                    a[row * width + from..row * width + from + shape.rank].copy_from_slice(values);
                }
            }
            Group { members, inputs, a, width, adapters }
        };
        let groups = [0..3, 3..4, 4..6, 6..7].map(|members: Range<usize>| group(members.clone(), shape.sizes(members.start)[0]));
        let gains = std::array::from_fn(|slot| shape.gain(slot, packed));
        let whole = shape.whole.then(|| {
            let mut at = 0;
            shape.weights().map(|shape| {
                let from = at;
                at += shape.iter().product::<usize>();
                from..at
            })
        });
        let cores = rayon::current_num_threads();
        let chunks = deal(&shape.rows.iter().map(Tree::tokens).collect::<Vec<_>>(), cores);
        // fewer rows than cores: let the cores share each product instead
        let threads = if chunks.len() < cores { Parallelism::Rayon(0) } else { Parallelism::None };
        Self { shape, weights, packed, rotary, groups, arena, outputs, gains, whole, chunks, threads }
    }

    /// Shapes of the gradients of [`Block::backward`]: the packed adapters, or each matrix and norm.
    pub fn gradients(&self) -> Vec<Vec<usize>> {
        if self.shape.whole { self.shape.weights().to_vec() } else { vec![vec![self.packed.len()]] }
    }

    fn tokens(&self, rows: &Range<usize>) -> usize {
        self.shape.rows[rows.clone()].iter().map(Tree::tokens).sum()
    }

    /// Does several cores' work fall to the rows of one?
    fn shared(&self) -> bool {
        matches!(self.threads, Parallelism::Rayon(_))
    }

    /// Writes what belongs to each of `n` tokens, by several cores where they share the work: `f` gets some of the tokens and
    /// their places in the outputs, which are given with their widths.
    fn over<const M: usize>(&self, n: usize, mut outputs: [(&mut [f32], usize); M], f: impl Fn(Range<usize>, [&mut [f32]; M]) + Sync) {
        if !self.shared() {
            return f(0..n, outputs.map(|(values, _)| values));
        }
        let each = n.div_ceil(rayon::current_num_threads()).max(1);
        let work: Vec<_> = (0..n)
            .step_by(each)
            .map(|from| {
                let tokens = from..n.min(from + each);
                let own = outputs.each_mut().map(|(values, width)| {
                    let (own, rest) = std::mem::take(values).split_at_mut(tokens.len() * *width);
                    *values = rest;
                    own
                });
                (tokens, own)
            })
            .collect();
        work.into_par_iter().for_each(|(tokens, own)| f(tokens, own));
    }

    /// The tokens of some rows among those of all.
    fn span(&self, rows: &Range<usize>) -> Range<usize> {
        let first = self.tokens(&(0..rows.start));
        first..first + self.tokens(rows)
    }

    /// The dropout of an adapter's input, by the projection's place among the seven.
    fn dropout(&self, projection: usize) -> Option<Dropout> {
        self.shape.dropout.map(|d| d.stream(projection))
    }

    /// Splits `[tokens, width]` values at the borders between the cores' rows.
    fn split<'b>(&self, values: &'b [f32], width: usize) -> Vec<&'b [f32]> {
        let mut rest = values;
        let part = |rows| {
            let (part, after) = rest.split_at(self.tokens(rows) * width);
            rest = after;
            part
        };
        self.chunks.iter().map(part).collect()
    }

    fn split_mut<'b>(&self, values: &'b mut [f32], width: usize) -> Vec<&'b mut [f32]> {
        let mut rest = values;
        let part = |rows| {
            let (part, after) = std::mem::take(&mut rest).split_at_mut(self.tokens(rows) * width);
            rest = after;
            part
        };
        self.chunks.iter().map(part).collect()
    }

    /// The block's output, `[tokens, hidden]` as its input `x`, and what the backward pass needs, if it is to be kept.
    pub fn forward(&self, x: &[f32], keep: bool) -> (Vec<f32>, Option<Vec<Kept>>) {
        let (out, kept) = self.passed(x, |_, kept| keep.then_some(kept));
        (out, kept.into_iter().collect())
    }

    /// The block's output, and keys and values of each trunk and branch, for tokens that follow them.
    pub fn read(&self, x: &[f32]) -> (Vec<f32>, Vec<Piece>) {
        let (kv_width, k_norm, heads) = (self.outputs[1], self.weights.k_norm, self.shape.kv_heads);
        // no later token sees more of it
        let reach = self.shape.window.saturating_sub(1);
        let (out, pieces) = self.passed(x, |rows, kept| {
            let mut pieces = Vec::new();
            let piece = |at: usize, length: usize, first: usize| {
                let skip = length.saturating_sub(reach);
                let own = (at + skip) * kv_width..(at + length) * kv_width;
                Piece { k: self.turned(&kept.k[own.clone()], k_norm, heads, first + skip).to_vec(), v: kept.v[own].to_vec() }
            };
            self.each_tree(rows, |at, tree| {
                pieces.push(piece(at, tree.trunk, 0));
                pieces.extend(branches(at, tree).map(|(at, length)| piece(at, length, tree.trunk)));
            });
            pieces
        });
        (out, pieces.into_iter().flatten().collect())
    }

    /// The block's output, and what `f` makes of each core's rows and of what passing through them left.
    fn passed<T: Send>(&self, x: &[f32], f: impl Fn(&Range<usize>, Kept) -> T + Sync) -> (Vec<f32>, Vec<T>) {
        let hidden = self.shape.hidden;
        let mut out = vec![0.0; x.len()];
        let work: Vec<_> = self.chunks.iter().zip(self.split(x, hidden)).zip(self.split_mut(&mut out, hidden)).collect();
        let made = work.into_par_iter().map(|((rows, x), out)| f(rows, self.forward_rows(rows, x, out))).collect();
        (out, made)
    }

    /// Gradients by the input (empty unless wanted) and by what is trained, see [`Block::gradients`], from the gradient by
    /// the output.
    pub fn backward(&self, x: &[f32], kept: Option<Vec<Kept>>, grad: &[f32]) -> (Vec<f32>, Vec<Vec<f32>>) {
        let hidden = self.shape.hidden;
        let mut dx = vec![0.0; if self.shape.input_gradient { x.len() } else { 0 }];
        let parts: Vec<Option<&mut [f32]>> = if self.shape.input_gradient {
            self.split_mut(&mut dx, hidden).into_iter().map(Some).collect()
        } else {
            self.chunks.iter().map(|_| None).collect()
        };
        let kept: Vec<Option<Kept>> = match kept {
            Some(kept) => kept.into_iter().map(Some).collect(),
            None => self.chunks.iter().map(|_| None).collect(),
        };
        let inputs = self.split(x, hidden).into_iter().zip(self.split(grad, hidden));
        let lengths: Vec<usize> = self.gradients().iter().map(|shape| shape.iter().product()).collect();
        let work: Vec<_> = self.chunks.iter().zip(inputs).zip(kept).zip(parts).collect();
        let sums = work.into_par_iter().map(|(((rows, (x, grad)), kept), dx)| {
            let kept = kept.unwrap_or_else(|| self.forward_rows(rows, x, &mut self.arena.take(x.len())));
            let mut sum = self.arena.take(lengths.iter().sum());
            self.backward_rows(rows, x, &kept, grad, dx, &mut sum);
            sum
        });
        let sums: Vec<Buffer> = sums.collect();
        let mut at = 0;
        let gradients = lengths.into_iter().map(|length| {
            let own = at..at + length;
            at = own.end;
            let mut gradient = sums[0][own.clone()].to_vec();
            for sum in &sums[1..] {
                let parts = gradient.par_chunks_mut(SUMMED).zip(sum[own.clone()].par_chunks(SUMMED));
                parts.for_each(|(gradient, sum)| gradient.iter_mut().zip(sum).for_each(|(g, s)| *g += s));
            }
            gradient
        });
        (dx, gradients.collect())
    }

    /// `y = x·Wᵀ + scale·(x·A)·B`, times the gain, for every projection of a group of these tokens; `low` gets `x·A`, of whose `x` dropout
    /// leaves part out.
    fn project(&self, group: usize, x: &[f32], tokens: &Range<usize>, out: &mut [&mut [f32]], low: &mut [f32]) {
        let (g, n) = (&self.groups[group], tokens.len());
        let rank = self.shape.rank;
        for (member, y) in g.members.clone().zip(out.iter_mut()) {
            let outputs = self.outputs[member];
            let w = Matrix::transposed(self.weights.matrices[member], g.inputs);
            multiply(y, outputs, [n, outputs, g.inputs], Matrix::rows(x, g.inputs), w, 1.0, false, self.threads);
        }
        if g.width == 0 {
            return;
        }
        if self.shape.dropout.is_none() {
            multiply(low, g.width, [n, g.width, g.inputs], Matrix::rows(x, g.inputs), Matrix::rows(&g.a, g.width), 1.0, false, self.threads);
        }
        for (i, &(member, a, b)) in g.adapters.iter().enumerate() {
            if let Some(dropout) = self.dropout(g.members.start + member) {
                let left = self.left(dropout, x, g.inputs, tokens);
                let (low, left) = (&mut low[i * rank..], Matrix::rows(&left, g.inputs));
                multiply(low, g.width, [n, rank, g.inputs], left, Matrix::rows(&self.packed[a..b], rank), 1.0, false, self.threads);
            }
            let outputs = self.outputs[g.members.start + member];
            let b = Matrix::rows(&self.packed[b..b + rank * outputs], outputs);
            multiply(out[member], outputs, [n, outputs, rank], Matrix::rows(&low[i * rank..], g.width), b, self.shape.scale, true, self.threads);
            if let Some((_, gain)) = &self.gains[g.members.start + member] {
                kernel::gain(out[member], gain);
            }
        }
    }

    /// What dropout leaves of the input of an adapter.
    fn left(&self, dropout: Dropout, x: &[f32], width: usize, tokens: &Range<usize>) -> Buffer {
        let mut left = self.arena.take(x.len());
        self.over(tokens.len(), [(&mut left, width)], |t, [left]| dropout.apply::<false>(left, part(x, &t, width), width, tokens.start + t.start));
        left
    }

    /// `x / rms(x) · scale` for each token.
    fn norm(&self, out: &mut [f32], x: &[f32], scale: &[f32]) {
        let width = scale.len();
        self.over(x.len() / width, [(out, width)], |t, [out]| kernel::rms_norm(out, part(x, &t, width), scale, self.shape.epsilon));
    }

    /// `residual + x / rms(x) · scale` for each token.
    fn add_norm(&self, out: &mut [f32], residual: &[f32], x: &[f32], scale: &[f32]) {
        let width = scale.len();
        self.over(x.len() / width, [(out, width)], |t, [out]| {
            kernel::add_rms_norm(out, part(residual, &t, width), part(x, &t, width), scale, self.shape.epsilon);
        });
    }

    /// Gradient of [`Block::norm`] by `x`, written to `out` or added to it with `ADD`.
    fn norm_backward<const ADD: bool>(&self, out: &mut [f32], x: &[f32], scale: &[f32], grad: &[f32]) {
        let width = scale.len();
        self.over(x.len() / width, [(out, width)], |t, [out]| {
            kernel::rms_norm_backward::<ADD>(out, part(x, &t, width), scale, part(grad, &t, width), self.shape.epsilon);
        });
    }

    /// From the gradients by a group's outputs `y` to those before the gain, in place, and by the magnitudes into `sum`.
    fn gain_backward(&self, group: usize, y: &[&[f32]], grad: &mut [&mut [f32]], sum: &mut [f32]) {
        for ((slot, y), grad) in self.groups[group].members.clone().zip(y).zip(grad) {
            if let Some((own, gain)) = &self.gains[slot] {
                kernel::gain_backward(&mut sum[own.clone()], grad, y, gain, &self.packed[own.clone()]);
            }
        }
    }

    /// Gradients of [`Block::project`]: by B into `sum`, by `x·A` into `dlow`, and by `x` into `dx` if wanted.
    #[allow(clippy::too_many_arguments)] // the operands of one formula
    fn project_backward(&self, group: usize, tokens: &Range<usize>, grad: &[&[f32]], low: &[f32], dlow: &mut [f32], dx: Option<&mut [f32]>, sum: &mut [f32]) {
        let (g, n) = (&self.groups[group], tokens.len());
        let (rank, scale) = (self.shape.rank, self.shape.scale);
        for (i, &(member, _, b)) in g.adapters.iter().enumerate() {
            let outputs = self.outputs[g.members.start + member];
            let (dy, own) = (Matrix::rows(grad[member], outputs), b..b + rank * outputs);
            multiply(
                &mut dlow[i * rank..],
                g.width,
                [n, rank, outputs],
                dy,
                Matrix::transposed(&self.packed[own.clone()], outputs),
                scale,
                false,
                self.threads,
            );
            multiply(&mut sum[own], outputs, [rank, outputs, n], Matrix::transposed(&low[i * rank..], g.width), dy, scale, false, self.threads);
        }
        let Some(dx) = dx else { return };
        for (i, member) in g.members.clone().enumerate() {
            let outputs = self.outputs[member];
            let w = Matrix::rows(self.weights.matrices[member], g.inputs);
            multiply(dx, g.inputs, [n, g.inputs, outputs], Matrix::rows(grad[i], outputs), w, 1.0, i > 0, self.threads);
        }
        if self.shape.dropout.is_none() {
            multiply(dx, g.inputs, [n, g.inputs, g.width], Matrix::rows(dlow, g.width), Matrix::transposed(&g.a, g.width), 1.0, true, self.threads);
            return;
        }
        for (i, &(member, a, b)) in g.adapters.iter().enumerate() {
            let Some(dropout) = self.dropout(g.members.start + member) else { continue };
            let mut own = self.arena.take(n * g.inputs);
            let (dlow, a) = (Matrix::rows(&dlow[i * rank..], g.width), Matrix::transposed(&self.packed[a..b], rank));
            multiply(&mut own, g.inputs, [n, g.inputs, rank], dlow, a, 1.0, false, self.threads);
            self.over(n, [(&mut *dx, g.inputs)], |t, [dx]| dropout.apply::<true>(dx, part(&own, &t, g.inputs), g.inputs, tokens.start + t.start));
        }
    }

    /// Gradient by the A of a group, or by its matrices, into `sum`, from the group's input `x` and the gradients by `x·A`
    /// and by its outputs.
    fn x_backward(&self, group: usize, tokens: &Range<usize>, x: &[f32], grad: &[&[f32]], dlow: &[f32], sum: &mut [f32]) {
        let (g, n, rank) = (&self.groups[group], tokens.len(), self.shape.rank);
        if let Some(whole) = &self.whole {
            for (member, grad) in g.members.clone().zip(grad) {
                let (out, outputs) = (&mut sum[whole[member].clone()], self.outputs[member]);
                multiply(out, g.inputs, [outputs, g.inputs, n], Matrix::transposed(grad, outputs), Matrix::rows(x, g.inputs), 1.0, false, self.threads);
            }
        }
        if g.width == 0 {
            return;
        }
        if self.shape.dropout.is_some() {
            for (i, &(member, a, b)) in g.adapters.iter().enumerate() {
                let Some(dropout) = self.dropout(g.members.start + member) else { continue };
                let left = self.left(dropout, x, g.inputs, tokens);
                let (left, dlow) = (Matrix::transposed(&left, g.inputs), Matrix::rows(&dlow[i * rank..], g.width));
                multiply(&mut sum[a..b], rank, [g.inputs, rank, n], left, dlow, 1.0, false, self.threads);
            }
            return;
        }
        let mut da = self.arena.take(g.inputs * g.width);
        multiply(&mut da, g.width, [g.inputs, g.width, n], Matrix::transposed(x, g.inputs), Matrix::rows(dlow, g.width), 1.0, false, self.threads);
        for (i, &(_, a, b)) in g.adapters.iter().enumerate() {
            for (own, row) in sum[a..b].chunks_exact_mut(rank).zip(da.chunks_exact(g.width)) {
                own.copy_from_slice(&row[i * rank..(i + 1) * rank]);
            }
        }
    }

    /// Adds the gradient by a norm's scale to `sum`, where it is wanted, from the norm's input and the gradient by its output.
    fn scale_backward(&self, norm: usize, x: &[f32], grad: &[f32], sum: &mut [f32]) {
        if let Some(whole) = &self.whole {
            kernel::rms_norm_scale_backward(&mut sum[whole[norm].clone()], x, grad, self.shape.epsilon);
        }
    }

    fn forward_rows(&self, rows: &Range<usize>, x: &[f32], out: &mut [f32]) -> Kept {
        let (s, f) = (self.shape, &self.weights);
        let tokens = &self.span(rows);
        let n = tokens.len();
        let take = |width: usize| self.arena.take(n * width);
        let mut kept = Kept {
            q: take(self.outputs[0]),
            k: take(self.outputs[1]),
            v: take(self.outputs[2]),
            attended: take(self.outputs[0]),
            o: take(s.hidden),
            gate: take(s.feed_forward),
            up: take(s.feed_forward),
            down: take(s.hidden),
            low: std::array::from_fn(|g| take(self.groups[g].width)),
        };
        let mut normed = take(s.hidden);
        self.norm(&mut normed, x, f.attention_norm);
        self.project(QKV, &normed, tokens, &mut [&mut kept.q, &mut kept.k, &mut kept.v], &mut kept.low[QKV]);
        self.attend(rows, &kept.q, &kept.k, &kept.v, &mut kept.attended);
        self.project(O, &kept.attended, tokens, &mut [&mut kept.o], &mut kept.low[O]);
        let mut middle = take(s.hidden);
        self.add_norm(&mut middle, x, &kept.o, f.post_attention_norm);
        self.norm(&mut normed, &middle, f.feed_forward_norm);
        self.project(FEED_FORWARD, &normed, tokens, &mut [&mut kept.gate, &mut kept.up], &mut kept.low[FEED_FORWARD]);
        let mut inner = take(s.feed_forward);
        self.over(n, [(&mut inner, s.feed_forward)], |t, [inner]| {
            kernel::geglu(inner, part(&kept.gate, &t, s.feed_forward), part(&kept.up, &t, s.feed_forward));
        });
        self.project(DOWN, &inner, tokens, &mut [&mut kept.down], &mut kept.low[DOWN]);
        self.add_norm(out, &middle, &kept.down, f.post_feed_forward_norm);
        kept
    }

    fn backward_rows(&self, rows: &Range<usize>, x: &[f32], kept: &Kept, grad: &[f32], dx: Option<&mut [f32]>, sum: &mut [f32]) {
        let (s, f) = (self.shape, &self.weights);
        let tokens = &self.span(rows);
        let n = tokens.len();
        let take = |width: usize| self.arena.take(n * width);
        let mut dlow: [Buffer; 4] = std::array::from_fn(|g| take(self.groups[g].width));
        if let Some(whole) = &self.whole {
            // these are added up over rows and heads
            whole[ATTENTION_NORM..].iter().for_each(|norm| sum[norm.clone()].fill(0.0));
        }

        // feed-forward layer
        let mut d = take(s.hidden);
        self.scale_backward(POST_FEED_FORWARD_NORM, &kept.down, grad, sum);
        self.norm_backward::<false>(&mut d, &kept.down, f.post_feed_forward_norm, grad);
        let mut dup = take(s.feed_forward);
        self.gain_backward(DOWN, &[&kept.down], &mut [&mut d], sum);
        self.project_backward(DOWN, tokens, &[&d], &kept.low[DOWN], &mut dlow[DOWN], Some(&mut dup), sum);
        let (mut inner, mut dgate) = (take(s.feed_forward), take(s.feed_forward));
        self.over(n, [(&mut inner, s.feed_forward), (&mut dgate, s.feed_forward), (&mut dup, s.feed_forward)], |t, [inner, dgate, dup]| {
            kernel::geglu_backward(inner, dgate, dup, part(&kept.gate, &t, s.feed_forward), part(&kept.up, &t, s.feed_forward));
        });
        self.x_backward(DOWN, tokens, &inner, &[&d], &dlow[DOWN], sum);
        drop(inner);
        let mut dnormed = take(s.hidden);
        self.gain_backward(FEED_FORWARD, &[&kept.gate, &kept.up], &mut [&mut dgate, &mut dup], sum);
        self.project_backward(FEED_FORWARD, tokens, &[&dgate, &dup], &kept.low[FEED_FORWARD], &mut dlow[FEED_FORWARD], Some(&mut dnormed), sum);
        let (mut middle, mut normed) = (take(s.hidden), take(s.hidden));
        self.add_norm(&mut middle, x, &kept.o, f.post_attention_norm);
        self.norm(&mut normed, &middle, f.feed_forward_norm);
        self.x_backward(FEED_FORWARD, tokens, &normed, &[&dgate, &dup], &dlow[FEED_FORWARD], sum);
        drop((dgate, dup));
        self.scale_backward(FEED_FORWARD_NORM, &middle, &dnormed, sum);
        let mut dmiddle = take(s.hidden);
        dmiddle.copy_from_slice(grad);
        self.norm_backward::<true>(&mut dmiddle, &middle, f.feed_forward_norm, &dnormed);

        // attention
        self.scale_backward(POST_ATTENTION_NORM, &kept.o, &dmiddle, sum);
        self.norm_backward::<false>(&mut d, &kept.o, f.post_attention_norm, &dmiddle);
        let mut dattended = take(self.outputs[0]);
        self.gain_backward(O, &[&kept.o], &mut [&mut d], sum);
        self.project_backward(O, tokens, &[&d], &kept.low[O], &mut dlow[O], Some(&mut dattended), sum);
        self.x_backward(O, tokens, &kept.attended, &[&d], &dlow[O], sum);
        let (mut dq, mut dk, mut dv) = (take(self.outputs[0]), take(self.outputs[1]), take(self.outputs[2]));
        self.attend_backward(rows, kept, &dattended, [&mut dq, &mut dk, &mut dv], sum);
        self.gain_backward(QKV, &[&kept.q, &kept.k, &kept.v], &mut [&mut dq, &mut dk, &mut dv], sum);
        // below the lowest block nothing learns, but its first norm may
        let wanted = (dx.is_some() || self.whole.is_some()).then_some(&mut *dnormed);
        self.project_backward(QKV, tokens, &[&dq, &dk, &dv], &kept.low[QKV], &mut dlow[QKV], wanted, sum);
        self.norm(&mut normed, x, f.attention_norm);
        self.x_backward(QKV, tokens, &normed, &[&dq, &dk, &dv], &dlow[QKV], sum);
        self.scale_backward(ATTENTION_NORM, x, &dnormed, sum);
        if let Some(dx) = dx {
            dx.copy_from_slice(&dmiddle);
            self.norm_backward::<true>(dx, x, f.attention_norm, &dnormed);
        }
    }

    /// Queries or keys of consecutive tokens from position `first` on, normed and rotated.
    fn turned(&self, x: &[f32], scale: &[f32], heads: usize, first: usize) -> Buffer {
        let (mut out, width) = (self.arena.take(x.len()), heads * scale.len());
        self.over(x.len() / width, [(&mut out, width)], |t, [out]| {
            kernel::norm_and_rotate(out, part(x, &t, width), scale, self.shape.epsilon, heads, first + t.start, self.rotary);
        });
        out
    }

    /// Gradient of [`Block::turned`] by `x`: `grad` goes in and comes out rotated back, as the gradient by what was normed.
    fn turned_backward(&self, out: &mut [f32], x: &[f32], grad: &mut [f32], scale: &[f32], heads: usize, first: usize) {
        let width = heads * scale.len();
        self.over(x.len() / width, [(out, width), (grad, width)], |t, [out, grad]| {
            kernel::norm_and_rotate_backward(out, part(x, &t, width), grad, scale, self.shape.epsilon, heads, first + t.start, self.rotary);
        });
    }

    /// Calls `f` with the first token of each row or bundle, and what it is made of.
    fn each_tree(&self, rows: &Range<usize>, mut f: impl FnMut(usize, &Tree)) {
        let mut at = 0;
        for tree in &self.shape.rows[rows.clone()] {
            f(at, tree);
            at += tree.tokens();
        }
    }

    /// Query blocks of `length` tokens whose first one stands at position `first`: position of the block's first query
    /// among the tokens, queries, first key, keys.
    fn query_blocks(&self, first: usize, length: usize) -> impl Iterator<Item = QueryBlock> + use<> {
        let window = self.shape.window;
        (0..length).step_by(QUERIES).map(move |at| {
            let queries = QUERIES.min(length - at);
            let first_key = (first + at + 1).saturating_sub(window);
            (at, queries, first_key, first + at + queries - first_key)
        })
    }

    fn attend(&self, rows: &Range<usize>, q: &[f32], k: &[f32], v: &[f32], out: &mut [f32]) {
        let kv_width = self.outputs[1];
        self.each_tree(rows, |at, tree| {
            let trunk = at * kv_width..(at + tree.trunk) * kv_width;
            let trunk_k = self.turned(&k[trunk.clone()], self.weights.k_norm, self.shape.kv_heads, 0);
            self.attend_part(at, tree.trunk, 0, q, &trunk_k, &v[trunk.clone()], out);
            for (at, length) in branches(at, tree) {
                let own = at * kv_width..(at + length) * kv_width;
                let own_k = self.turned(&k[own.clone()], self.weights.k_norm, self.shape.kv_heads, tree.trunk);
                let (k, v) = (self.joined(&trunk_k, &own_k), self.joined(&v[trunk.clone()], &v[own]));
                self.attend_part(at, length, tree.trunk, q, &k, &v, out);
            }
        });
    }

    /// One behind the other.
    fn joined(&self, trunk: &[f32], own: &[f32]) -> Buffer {
        let mut out = self.arena.take(trunk.len() + own.len());
        out[..trunk.len()].copy_from_slice(trunk);
        out[trunk.len()..].copy_from_slice(own);
        out
    }

    /// Attention of `length` tokens from token `at` on, which stand at position `first` and see keys from position 0 on.
    #[allow(clippy::too_many_arguments)] // the operands of one formula
    fn attend_part(&self, at: usize, length: usize, first: usize, q: &[f32], k: &[f32], v: &[f32], out: &mut [f32]) {
        let (s, head) = (self.shape, self.shape.head);
        let (q_width, kv_width) = (self.outputs[0], self.outputs[1]);
        let q = self.turned(&q[at * q_width..(at + length) * q_width], self.weights.q_norm, s.heads, first);
        let out = &mut out[at * q_width..(at + length) * q_width];
        let spread = self.shared() && length > QUERIES;
        let threads = if spread { Parallelism::None } else { self.threads };
        let block = |scores: &mut Buffer, ((query, queries, first_key, keys), out): (QueryBlock, &mut [f32])| {
            for h in 0..s.heads {
                let (own, shared) = (query * q_width + h * head, first_key * kv_width + h * s.kv_heads / s.heads * head);
                self.probabilities(scores, &q[own..], &k[shared..], [first + query, queries, first_key, keys], threads);
                let p = Matrix::rows(scores, keys);
                multiply(&mut out[h * head..], q_width, [queries, head, keys], p, Matrix::rows(&v[shared..], kv_width), 1.0, false, threads);
            }
        };
        let room = || self.arena.take(QUERIES * (first + length));
        let work = self.query_blocks(first, length).zip(out.chunks_mut(QUERIES * q_width));
        if spread {
            work.collect::<Vec<_>>().into_par_iter().for_each(|work| block(&mut room(), work));
        } else {
            let mut scores = room();
            work.for_each(|work| block(&mut scores, work));
        }
    }

    fn probabilities(&self, scores: &mut [f32], q: &[f32], k: &[f32], [first, queries, first_key, keys]: [usize; 4], threads: Parallelism) {
        let (q, k) = (Matrix::rows(q, self.outputs[0]), Matrix::transposed(k, self.outputs[1]));
        multiply(scores, keys, [queries, keys, self.shape.head], q, k, 1.0, false, threads);
        kernel::masked_softmax(&mut scores[..queries * keys], keys, first, first_key, self.shape.window);
    }

    fn attend_backward(&self, rows: &Range<usize>, kept: &Kept, grad: &[f32], [dq, dk, dv]: [&mut Buffer; 3], sum: &mut [f32]) {
        let s = self.shape;
        let kv_width = self.outputs[1];
        self.each_tree(rows, |at, tree| {
            let trunk = at * kv_width..(at + tree.trunk) * kv_width;
            let trunk_k = self.turned(&kept.k[trunk.clone()], self.weights.k_norm, s.kv_heads, 0);
            // gradients by the trunk's turned keys and by its values: from the trunk's own queries and from every branch
            let mut sums = [self.arena.take(trunk.len()), self.arena.take(trunk.len())];
            sums.iter_mut().for_each(|sum| sum.fill(0.0));
            {
                let [turned_k, trunk_dv] = &mut sums;
                self.attend_part_backward(at, tree.trunk, 0, kept, [&trunk_k, &kept.v[trunk.clone()]], grad, dq, [turned_k, trunk_dv], sum);
            }
            for (at, length) in branches(at, tree) {
                let own = at * kv_width..(at + length) * kv_width;
                let own_k = self.turned(&kept.k[own.clone()], self.weights.k_norm, s.kv_heads, tree.trunk);
                let (k, v) = (self.joined(&trunk_k, &own_k), self.joined(&kept.v[trunk.clone()], &kept.v[own.clone()]));
                let mut parts = [self.arena.take(k.len()), self.arena.take(k.len())];
                parts.iter_mut().for_each(|part| part.fill(0.0));
                {
                    let [turned_k, part_dv] = &mut parts;
                    self.attend_part_backward(at, length, tree.trunk, kept, [&k, &v], grad, dq, [turned_k, part_dv], sum);
                }
                for (all, part) in sums.iter_mut().zip(&parts) {
                    all.iter_mut().zip(part.iter()).for_each(|(all, p)| *all += p);
                }
                let [turned_k, part_dv] = &mut parts;
                dv[own.clone()].copy_from_slice(&part_dv[trunk.len()..]);
                let turned_k = &mut turned_k[trunk.len()..];
                self.turned_backward(&mut dk[own.clone()], &kept.k[own.clone()], turned_k, self.weights.k_norm, s.kv_heads, tree.trunk);
                self.scale_backward(K_NORM, &kept.k[own], turned_k, sum);
            }
            let [turned_k, trunk_dv] = &mut sums;
            dv[trunk.clone()].copy_from_slice(trunk_dv);
            let (out, x) = (&mut dk[trunk.clone()], &kept.k[trunk]);
            self.turned_backward(out, x, turned_k, self.weights.k_norm, s.kv_heads, 0);
            self.scale_backward(K_NORM, x, turned_k, sum);
        });
    }

    /// Backward of [`Block::attend_part`]: adds to the gradients by the turned keys and by the values, and writes the
    /// gradient by the queries of these tokens.
    #[allow(clippy::too_many_arguments)] // the operands of one formula
    fn attend_part_backward(
        &self,
        at: usize,
        length: usize,
        first: usize,
        kept: &Kept,
        [k, v]: [&[f32]; 2],
        grad: &[f32],
        dq: &mut [f32],
        [turned_k, dv]: [&mut [f32]; 2],
        sum: &mut [f32],
    ) {
        let (s, head) = (self.shape, self.shape.head);
        let (q_width, kv_width) = (self.outputs[0], self.outputs[1]);
        let wide = at * q_width..(at + length) * q_width;
        let q = self.turned(&kept.q[wide.clone()], self.weights.q_norm, s.heads, first);
        let mut turned_q = self.arena.take(q.len());
        let spread = self.shared() && length > QUERIES;
        let threads = if spread { Parallelism::None } else { self.threads };
        let blocks = |work: Vec<(QueryBlock, &mut [f32])>, turned_k: &mut [f32], dv: &mut [f32]| {
            let (mut p, mut dp) = (self.arena.take(QUERIES * (first + length)), self.arena.take(QUERIES * (first + length)));
            for ((query, queries, first_key, keys), turned_q) in work {
                for h in 0..s.heads {
                    let (own, shared) = (query * q_width + h * head, first_key * kv_width + h * s.kv_heads / s.heads * head);
                    self.probabilities(&mut p, &q[own..], &k[shared..], [first + query, queries, first_key, keys], threads);
                    let d = Matrix::rows(&grad[at * q_width + own..], q_width);
                    multiply(&mut dv[shared..], kv_width, [keys, head, queries], Matrix::transposed(&p, keys), d, 1.0, true, threads);
                    multiply(&mut dp, keys, [queries, keys, head], d, Matrix::transposed(&v[shared..], kv_width), 1.0, false, threads);
                    kernel::softmax_backward(&mut dp[..queries * keys], &p[..queries * keys], keys);
                    let (ds, own_q) = (Matrix::rows(&dp, keys), &mut turned_q[h * head..]);
                    multiply(own_q, q_width, [queries, head, keys], ds, Matrix::rows(&k[shared..], kv_width), 1.0, false, threads);
                    let ds = Matrix::transposed(&dp, keys);
                    multiply(&mut turned_k[shared..], kv_width, [keys, head, queries], ds, Matrix::rows(&q[own..], q_width), 1.0, true, threads);
                }
            }
        };
        let work = self.query_blocks(first, length).zip(turned_q.chunks_mut(QUERIES * q_width));
        if spread {
            // dealt out in turns, because later queries see more keys; each core adds up gradients of its own
            let mut shares: Vec<Vec<_>> = (0..rayon::current_num_threads()).map(|_| Vec::new()).collect();
            let count = shares.len();
            work.enumerate().for_each(|(i, work)| shares[i % count].push(work));
            let sums = shares.into_par_iter().map(|work| {
                let mut own = [self.arena.take(k.len()), self.arena.take(k.len())];
                own.iter_mut().for_each(|own| own.fill(0.0));
                let [turned_k, dv] = &mut own;
                blocks(work, turned_k, dv);
                own
            });
            let sums: Vec<[Buffer; 2]> = sums.collect();
            for [own_k, own_v] in &sums {
                turned_k.iter_mut().zip(own_k.iter()).for_each(|(all, own)| *all += own);
                dv.iter_mut().zip(own_v.iter()).for_each(|(all, own)| *all += own);
            }
        } else {
            blocks(work.collect(), turned_k, dv);
        }
        let (out, x) = (&mut dq[wide.clone()], &kept.q[wide]);
        self.turned_backward(out, x, &mut turned_q, self.weights.q_norm, s.heads, first);
        self.scale_backward(Q_NORM, x, &turned_q, sum);
    }
}

/// The values of some tokens, `width` each.
fn part<'v>(values: &'v [f32], tokens: &Range<usize>, width: usize) -> &'v [f32] {
    &values[tokens.start * width..tokens.end * width]
}

/// First token and length of each branch of a tree that begins at token `at`.
fn branches(at: usize, tree: &Tree) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut next = at + tree.trunk;
    tree.branches.iter().map(move |&length| {
        let start = next;
        next += length;
        (start, length)
    })
}

/// Consecutive rows for each core, about equally many tokens each; never an empty share.
fn deal(lengths: &[usize], cores: usize) -> Vec<Range<usize>> {
    let total: usize = lengths.iter().sum();
    let mut out = Vec::new();
    let (mut from, mut dealt) = (0, 0);
    for (row, length) in lengths.iter().enumerate() {
        dealt += length;
        // a share ends at the row border nearest to where its part of all tokens is reached
        let (border, here) = (total * (out.len() + 1), dealt * cores);
        let beyond = lengths.get(row + 1).map(|next| here + next * cores);
        if beyond.is_none_or(|beyond| here >= border || beyond - border.min(beyond) > border - here) {
            out.push(from..row + 1);
            from = row + 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Output of a small block with adapters on every projection, and its gradients, computed by so many threads.
    fn computed(threads: usize, rows: Vec<Tree>, dropout: Option<Dropout>) -> [Vec<f32>; 3] {
        let (hidden, head, feed_forward, rank) = (16, 8, 32, 2);
        let widths = [(16, 16), (16, 8), (16, 8), (16, 16), (16, 32), (16, 32), (32, 16)];
        // numbers that differ, without a pattern that could hide a swap
        let values = |n: usize, key: usize| -> Vec<f32> { (0..n).map(|i| ((i * 7919 + key * 104_729) % 1009) as f32 / 1009.0 - 0.5).collect() };
        let matrices: Vec<Vec<f32>> = widths.iter().enumerate().map(|(i, (inputs, outputs))| values(inputs * outputs, i)).collect();
        let norms: Vec<Vec<f32>> = [hidden, head, head, hidden, hidden, hidden].iter().enumerate().map(|(i, &n)| values(n, 20 + i)).collect();
        let mut at = 0;
        let adapters = widths.map(|(inputs, outputs)| {
            let from = at;
            at += rank * (inputs + outputs);
            Some(from)
        });
        let tokens: usize = rows.iter().map(Tree::tokens).sum();
        let angles: Vec<f32> = (0..tokens * head / 2).map(|i| i as f32 * 0.1).collect();
        let rotary = Rotary { cos: angles.iter().map(|a| a.cos()).collect(), sin: angles.iter().map(|a| a.sin()).collect() };
        let (input_gradient, keep, whole) = (true, true, false);
        let (heads, kv_heads, window, epsilon, scale, lengths) = (2, 1, 100, 1e-6, 2.0, Default::default());
        let shape =
            Shape { rows, hidden, heads, kv_heads, head, feed_forward, window, epsilon, rank, scale, adapters, lengths, whole, dropout, input_gradient, keep };
        let matrices = std::array::from_fn(|i| &matrices[i][..]);
        let [attention_norm, q_norm, k_norm, post_attention_norm, feed_forward_norm, post_feed_forward_norm] = std::array::from_fn(|i| &norms[i][..]);
        let weights = Weights { matrices, attention_norm, q_norm, k_norm, post_attention_norm, feed_forward_norm, post_feed_forward_norm };
        let (packed, arena) = (values(at, 40), Arc::new(Arena::default()));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let block = Block::new(&shape, weights, &packed, &rotary, &arena);
            assert_eq!(block.shared(), threads > shape.rows.len());
            let x = values(tokens * hidden, 50);
            let (out, kept) = block.forward(&x, true);
            let (dx, mut gradients) = block.backward(&x, kept, &values(tokens * hidden, 51));
            [out, dx, gradients.remove(0)]
        })
    }

    #[test]
    fn several_cores_at_one_row_compute_what_one_does() {
        // longer than a block of queries and than the window, and no multiple of either
        let alone = vec![Tree { trunk: 203, branches: Vec::new() }];
        let bundle = vec![Tree { trunk: 70, branches: vec![90, 3, 66] }];
        for (rows, dropout) in [(alone.clone(), None), (alone, Some(Dropout { share: 0.3, key: 5 })), (bundle, None)] {
            let one = computed(1, rows.clone(), dropout);
            for threads in [2, 3, 7] {
                for (name, (one, several)) in ["output", "input", "adapters"].into_iter().zip(one.iter().zip(computed(threads, rows.clone(), dropout))) {
                    let most = one.iter().fold(0.0f32, |m, x| m.max(x.abs()));
                    let apart = one.iter().zip(&several).fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
                    assert!(most > 0.1 && apart <= 1e-5 * most, "{name} of {threads} threads: {apart} apart, {most} at most");
                }
                assert_eq!(computed(threads, rows.clone(), dropout), computed(threads, rows.clone(), dropout), "not the same twice");
            }
        }
    }

    #[test]
    fn rows_are_dealt_out_evenly() {
        assert_eq!(deal(&[4; 8], 2), [0..4, 4..8]);
        assert_eq!(deal(&[9, 1, 1, 1, 1, 1], 2), [0..1, 1..6]);
        assert_eq!(deal(&[1, 1, 8], 2), [0..2, 2..3]);
        assert_eq!(deal(&[5], 4).len(), 1);
        assert_eq!(deal(&[3, 3], 3), [0..1, 1..2]);
    }
}
