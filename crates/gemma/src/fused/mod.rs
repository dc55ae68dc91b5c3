//! The block as one operation on the CPU.
//!
//! Written operation by operation, a block spends half of its time outside of matrix products: every
//! element-wise operation of the CPU backend runs on one thread into a fresh allocation, and autodiff
//! keeps what each of them saw. Here [`block`] runs a whole block, forward and backward, on every core,
//! in buffers that are used again ([`arena`]), and keeps only what its backward pass reads. It enters
//! burn through the backend extension: [`BlockOps`] for the CPU backend and, with a backward written by
//! hand, for autodiff around it; what is trained are adapters, or the block's own weights. Generation, which nothing is tracked of, runs
//! the same arithmetic over what it has seen ([`past`]). Other devices run [`crate::model`] as it is written.

mod arena;
mod block;
pub(crate) mod kernel;
mod past;

use crate::device::held;
use crate::error::{Result, all};
use crate::halved;
use crate::lora::{BlockAdapters, Projection};
use crate::packed::{Matrix, Packed};
pub(crate) use arena::Arena;
pub(crate) use block::Shape;
use block::{Block, Kept, Slot, Weights};
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, ExtensionType, Flex, backend_extension};
use burn::tensor::{Tensor, TensorData};
use gemm::Parallelism;
pub(crate) use kernel::{Dropout, Rotary};
pub(crate) use past::{Layer, Past};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// The tensors of a block as the CPU holds them.
pub(crate) struct Held {
    matrices: [Stored; 7],
    norms: [Values; 6],
}

enum Stored {
    Whole(Values),
    Packed(Arc<Packed>),
}

impl Held {
    /// From the matrices in the order of [`Projection::ALL`], and the norms in the order of [`Weights`]'s fields.
    ///
    /// # Errors
    /// If a tensor is not on the CPU.
    pub fn new(matrices: [&Matrix; 7], norms: [Tensor<1>; 6]) -> Result<Self> {
        let matrices = matrices.map(|matrix| match matrix {
            Matrix::Whole(tensor) => Values::on_cpu(tensor).map(Stored::Whole),
            Matrix::Halved(tensor) => Values::on_cpu(&halved::whole(tensor)).map(Stored::Whole),
            Matrix::Packed(packed) => Ok(Stored::Packed(packed.clone())),
        });
        Ok(Self { matrices: all(matrices)?, norms: all(norms.each_ref().map(Values::on_cpu))? })
    }

    /// Values that [`Held::weights`] has to unpack.
    fn packed(&self) -> usize {
        let packed = |m: &Stored| if let Stored::Packed(p) = m { p.len() } else { 0 };
        self.matrices.iter().map(packed).sum()
    }

    /// Everything as slices; the packed matrices are written to `room` first, which has [`Held::packed`] values.
    fn weights<'a>(&'a self, mut room: &'a mut [f32]) -> Weights<'a> {
        let matrices = self.matrices.each_ref().map(|matrix| match matrix {
            Stored::Whole(values) => values.get(),
            Stored::Packed(packed) => {
                let (own, rest) = std::mem::take(&mut room).split_at_mut(packed.len());
                room = rest;
                packed.unpack(own);
                &*own
            }
        });
        Weights { matrices, ..self.scales() }
    }

    /// The norms; no matrices.
    fn scales(&self) -> Weights<'_> {
        let [attention_norm, q_norm, k_norm, post_attention_norm, feed_forward_norm, post_feed_forward_norm] = self.norms.each_ref().map(Values::get);
        Weights { matrices: [&[]; 7], attention_norm, q_norm, k_norm, post_attention_norm, feed_forward_norm, post_feed_forward_norm }
    }

    /// Values that [`Held::rows`] has to unpack.
    fn room(&self, slot: Slot, rows: &Range<usize>) -> usize {
        match &self.matrices[slot] {
            Stored::Whole(_) => 0,
            Stored::Packed(packed) => packed.width() * rows.len(),
        }
    }

    /// Some rows of a matrix; if it is packed, they are written to `room`, which has [`Held::room`] values.
    fn rows<'a>(&'a self, slot: Slot, rows: Range<usize>, room: &'a mut [f32]) -> &'a [f32] {
        match &self.matrices[slot] {
            Stored::Whole(values) => {
                let width = values.0.layout().shape()[1];
                &values.get()[rows.start * width..rows.end * width]
            }
            Stored::Packed(packed) => {
                packed.unpack_rows(rows, room);
                room
            }
        }
    }
}

/// Everything about a call that is not a tensor.
#[derive(Clone)]
pub struct Call {
    pub(crate) shape: Arc<Shape>,
    pub(crate) rotary: Arc<Rotary>,
    pub(crate) arena: Arc<Arena>,
    pub(crate) held: Arc<Held>,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.shape.fmt(f)
    }
}

/// A Gemma 3 block as an operation of a backend.
#[backend_extension(Flex, Autodiff)]
pub trait BlockOps: Backend {
    /// `x` is `[tokens, hidden]`, `adapters` is flat (see [`Shape::adapters`]); the result is shaped as `x`.
    fn gemma_block(x: FloatTensor<Self>, adapters: FloatTensor<Self>, call: Call) -> FloatTensor<Self>;

    /// The same where the block's own `weights` are trained; their values are those that `call` holds.
    fn gemma_whole_block(x: FloatTensor<Self>, #[extension_type] weights: Whole<Self>, call: Call) -> FloatTensor<Self>;
}

/// The weights of a block that is trained whole: matrices `[outputs, inputs]`, factors of norms `[width]`.
#[derive(ExtensionType)]
#[allow(missing_docs)]
pub struct Whole<B: Backend> {
    pub q: FloatTensor<B>,
    pub k: FloatTensor<B>,
    pub v: FloatTensor<B>,
    pub o: FloatTensor<B>,
    pub gate: FloatTensor<B>,
    pub up: FloatTensor<B>,
    pub down: FloatTensor<B>,
    pub attention_norm: FloatTensor<B>,
    pub q_norm: FloatTensor<B>,
    pub k_norm: FloatTensor<B>,
    pub post_attention_norm: FloatTensor<B>,
    pub feed_forward_norm: FloatTensor<B>,
    pub post_feed_forward_norm: FloatTensor<B>,
}

impl BlockOps for Flex {
    fn gemma_block(x: FlexTensor, adapters: FlexTensor, call: Call) -> FlexTensor {
        forward(&x, Some(&adapters), &call, false).0
    }

    fn gemma_whole_block(x: FlexTensor, _: Whole<Self>, call: Call) -> FlexTensor {
        forward(&x, None, &call, false).0
    }
}

/// A tensor's values; a view is copied first.
struct Values(FlexTensor);

impl Values {
    fn of(t: &FlexTensor) -> Self {
        Self(t.to_contiguous())
    }

    fn on_cpu<const D: usize>(t: &Tensor<D>) -> Result<Self> {
        held(t.clone()).map(Self)
    }

    fn get(&self) -> &[f32] {
        // contiguous by construction, and the model is loaded as f32
        self.0.as_slice().unwrap_or_default()
    }
}

fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// Runs `f` with the block made of these tensors.
fn with_block<R>(adapters: Option<&FlexTensor>, call: &Call, f: impl FnOnce(&Block<'_>) -> R) -> R {
    let mut room = call.arena.take(call.held.packed());
    let packed = adapters.map(Values::of);
    f(&Block::new(&call.shape, call.held.weights(&mut room), packed.as_ref().map_or(&[], Values::get), &call.rotary, &call.arena))
}

fn forward(x: &FlexTensor, adapters: Option<&FlexTensor>, call: &Call, keep: bool) -> (FlexTensor, Option<Vec<Kept>>) {
    let x = Values::of(x);
    let (out, kept) = with_block(adapters, call, |block| block.forward(x.get(), keep));
    (tensor(out, &[x.get().len() / call.shape.hidden, call.shape.hidden]), kept)
}

/// Length of each row of `W + factor·(A·B)ᵀ`, on every core: `w` is `[outputs, inputs]`, `a` `[inputs, rank]`, `b`
/// `[rank, outputs]`, all contiguous. Never 0, because it is divided by.
pub(crate) fn merged_lengths(w: &FlexTensor, a: &FlexTensor, b: &FlexTensor, factor: f32) -> Vec<f32> {
    /// Rows that a core works on at a time.
    const ROWS: usize = 32;
    let ([outputs, inputs], rank) = ([w.layout().shape()[0], w.layout().shape()[1]], b.layout().shape()[0]);
    let [w, a, b] = [w, a, b].map(|t| t.as_slice::<f32>().unwrap_or_default());
    let mut out = vec![0.0; outputs];
    out.par_chunks_mut(ROWS).zip(w.par_chunks(ROWS * inputs)).enumerate().for_each(|(chunk, (out, w))| {
        let mut rows = w.to_vec();
        let b = kernel::Matrix::transposed(&b[chunk * ROWS..], outputs);
        kernel::multiply(&mut rows, inputs, [out.len(), inputs, rank], b, kernel::Matrix::transposed(a, rank), factor, true, Parallelism::None);
        kernel::lengths(out, &rows);
    });
    out
}

/// What the backward pass of a block needs.
#[derive(Clone, Debug)]
struct Saved {
    x: FlexTensor,
    adapters: Option<FlexTensor>,
    call: Call,
    /// Autodiff asks for a state that can be cloned; who comes first takes it out, and another one computes it again.
    kept: Arc<std::sync::Mutex<Option<Vec<Kept>>>>,
}

/// Backward of [`BlockOps`]: the first parent is the input, the others are what is trained.
#[derive(Debug)]
struct BlockBackward;

impl<const N: usize> Backward<Flex, N> for BlockBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = Values::of(&grads.consume::<Flex>(&ops.node));
        let Saved { x, adapters, call, kept } = ops.state;
        let x = Values::of(&x);
        let kept = kept.lock().ok().and_then(|mut k| k.take());
        let (dx, gradients, shapes) = with_block(adapters.as_ref(), &call, |block| {
            let (dx, gradients) = block.backward(x.get(), kept, grad.get());
            (dx, gradients, block.gradients())
        });
        let tokens = dx.len() / call.shape.hidden;
        let all = std::iter::once((dx, vec![tokens, call.shape.hidden])).chain(gradients.into_iter().zip(shapes));
        for (parent, (values, shape)) in ops.parents.into_iter().zip(all) {
            if let Some(node) = parent {
                grads.register::<Flex>(node.id, tensor(values, &shape));
            }
        }
    }
}

/// Runs a block whose first parent is its input, and remembers what its backward pass needs.
fn tracked<const N: usize, C: CheckpointStrategy>(
    x: FlexTensor,
    adapters: Option<FlexTensor>,
    call: Call,
    parents: [NodeGuard; N],
) -> FloatTensor<Autodiff<Flex, C>> {
    match BlockBackward.prepare::<C>(parents).compute_bound().stateful() {
        OpsKind::Tracked(prep) => {
            let (out, kept) = forward(&x, adapters.as_ref(), &call, call.shape.keep);
            prep.finish(Saved { x, adapters, call, kept: Arc::new(std::sync::Mutex::new(kept)) }, out)
        }
        OpsKind::UnTracked(prep) => {
            let (out, _) = forward(&x, adapters.as_ref(), &call, false);
            prep.finish(out)
        }
    }
}

impl<C: CheckpointStrategy> BlockOps for Autodiff<Flex, C> {
    fn gemma_block(x: FloatTensor<Self>, adapters: FloatTensor<Self>, call: Call) -> FloatTensor<Self> {
        let ((x, x_node), (adapters, adapters_node)) = (x.into_parts(), adapters.into_parts());
        tracked::<_, C>(x, Some(adapters), call, [x_node, adapters_node])
    }

    fn gemma_whole_block(x: FloatTensor<Self>, w: Whole<Self>, call: Call) -> FloatTensor<Self> {
        let norms = [w.attention_norm, w.q_norm, w.k_norm, w.post_attention_norm, w.feed_forward_norm, w.post_feed_forward_norm];
        let [n0, n1, n2, n3, n4, n5] = norms.map(|w| w.into_parts().1);
        let [q, k, v, o, gate, up, down] = [w.q, w.k, w.v, w.o, w.gate, w.up, w.down].map(|w| w.into_parts().1);
        let (x, x_node) = x.into_parts();
        tracked::<_, C>(x, None, call, [x_node, q, k, v, o, gate, up, down, n0, n1, n2, n3, n4, n5])
    }
}

/// The tensors of a block's adapters to be put one behind the other; notes in `shape` where each begins.
fn packed(adapters: Option<BlockAdapters<'_>>, shape: &mut Shape) -> Vec<Tensor<1>> {
    let mut parts: Vec<Tensor<1>> = Vec::new();
    let mut at = 0;
    for (slot, projection) in Projection::ALL.into_iter().enumerate() {
        let Some(tensors) = adapters.and_then(|a| a.tensors(projection)) else { continue };
        shape.adapters[slot] = Some(at);
        for t in tensors {
            let length = t.shape().num_elements();
            at += length;
            parts.push(t.reshape([length]));
        }
    }
    parts
}

/// Runs a block; `shape` describes the batch, and the adapters are packed here.
pub(crate) fn run(x: Tensor<2>, held: Arc<Held>, adapters: Option<BlockAdapters<'_>>, mut shape: Shape, rotary: Arc<Rotary>, arena: Arc<Arena>) -> Tensor<2> {
    let parts = packed(adapters, &mut shape);
    let adapters = match parts.is_empty() {
        true => Tensor::zeros([1], &x.device()),
        false => Tensor::cat(parts, 0),
    };
    let call = Call { shape: Arc::new(shape), rotary, arena, held };
    Tensor::from_dispatch(Dispatch::gemma_block(x.into_dispatch(), adapters.into_dispatch(), call))
}

/// Runs a block whose own weights are trained, the tracked ones of those in `held`, in the same order.
pub(crate) fn run_whole(
    x: Tensor<2>,
    held: Arc<Held>,
    matrices: [Tensor<2>; 7],
    norms: [Tensor<1>; 6],
    shape: Shape,
    rotary: Arc<Rotary>,
    arena: Arc<Arena>,
) -> Tensor<2> {
    let [q, k, v, o, gate, up, down] = matrices.map(Tensor::into_dispatch);
    let [attention_norm, q_norm, k_norm, post_attention_norm, feed_forward_norm, post_feed_forward_norm] = norms.map(Tensor::into_dispatch);
    let weights = Whole { q, k, v, o, gate, up, down, attention_norm, q_norm, k_norm, post_attention_norm, feed_forward_norm, post_feed_forward_norm };
    let call = Call { shape: Arc::new(Shape { whole: true, ..shape }), rotary, arena, held };
    Tensor::from_dispatch(Dispatch::gemma_whole_block(x.into_dispatch(), weights, call))
}
