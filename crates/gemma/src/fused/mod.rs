//! The block as one operation on the CPU.
//!
//! Written operation by operation, a block spends half of its time outside of matrix products: every
//! element-wise operation of the CPU backend runs on one thread into a fresh allocation, and autodiff
//! keeps what each of them saw. Here [`block`] runs a whole block, forward and backward, on every core,
//! in buffers that are used again ([`arena`]), and keeps only what its backward pass reads. It enters
//! burn through the backend extension: [`BlockOps`] for the CPU backend and, with a backward written by
//! hand, for autodiff around it. Other devices run [`crate::model`] as it is written, and so does the CPU
//! where an option asks for what is not built here (dropout, a key/value cache).

mod arena;
mod block;
pub(crate) mod kernel;

use crate::lora::{BlockAdapters, Projection};
pub(crate) use arena::Arena;
pub(crate) use block::Shape;
use block::{Block, Frozen, Kept};
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, ExtensionType, Flex, backend_extension};
use burn::tensor::{Tensor, TensorData};
pub(crate) use kernel::Rotary;
use std::sync::Arc;

/// The frozen tensors of a block: matrices `[outputs, inputs]`, norms as factors.
#[derive(Clone, Debug, ExtensionType)]
#[allow(missing_docs)]
pub struct FrozenTensors<B: Backend> {
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

impl<B: Backend> FrozenTensors<B> {
    /// From the matrices in the order of [`Projection::ALL`], and the norms in the order above.
    fn new([q, k, v, o, gate, up, down]: [FloatTensor<B>; 7], norms: [FloatTensor<B>; 6]) -> Self {
        let [attention_norm, q_norm, k_norm, post_attention_norm, feed_forward_norm, post_feed_forward_norm] = norms;
        Self { q, k, v, o, gate, up, down, attention_norm, q_norm, k_norm, post_attention_norm, feed_forward_norm, post_feed_forward_norm }
    }

    /// What [`FrozenTensors::new`] takes.
    fn into_parts(self) -> ([FloatTensor<B>; 7], [FloatTensor<B>; 6]) {
        let matrices = [self.q, self.k, self.v, self.o, self.gate, self.up, self.down];
        let norms = [self.attention_norm, self.q_norm, self.k_norm, self.post_attention_norm, self.feed_forward_norm, self.post_feed_forward_norm];
        (matrices, norms)
    }
}

/// The same tensors as the model holds them.
pub(crate) struct FrozenBlock {
    pub matrices: [Tensor<2>; 7],
    pub norms: [Tensor<1>; 6],
}

/// Everything about a call that is not a tensor.
#[derive(Clone)]
pub struct Call {
    pub(crate) shape: Arc<Shape>,
    pub(crate) rotary: Arc<Rotary>,
    pub(crate) arena: Arc<Arena>,
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
    fn gemma_block(x: FloatTensor<Self>, adapters: FloatTensor<Self>, #[extension_type] frozen: FrozenTensors<Self>, call: Call) -> FloatTensor<Self>;
}

impl BlockOps for Flex {
    fn gemma_block(x: FlexTensor, adapters: FlexTensor, frozen: FrozenTensors<Self>, call: Call) -> FlexTensor {
        forward(&x, &adapters, &frozen, &call, false).0
    }
}

/// A tensor's values; a view is copied first.
struct Values(FlexTensor);

impl Values {
    fn of(t: &FlexTensor) -> Self {
        Self(t.to_contiguous())
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
fn with_block<R>(adapters: &FlexTensor, frozen: &FrozenTensors<Flex>, call: &Call, f: impl FnOnce(&Block<'_>) -> R) -> R {
    let (matrices, norms) = frozen.clone().into_parts();
    let (matrices, norms) = (matrices.each_ref().map(Values::of), norms.each_ref().map(Values::of));
    let [attention_norm, q_norm, k_norm, post_attention_norm, feed_forward_norm, post_feed_forward_norm] = norms.each_ref().map(Values::get);
    let frozen = Frozen {
        matrices: matrices.each_ref().map(Values::get),
        attention_norm,
        q_norm,
        k_norm,
        post_attention_norm,
        feed_forward_norm,
        post_feed_forward_norm,
    };
    let packed = Values::of(adapters);
    f(&Block::new(&call.shape, frozen, packed.get(), &call.rotary, &call.arena))
}

fn forward(x: &FlexTensor, adapters: &FlexTensor, frozen: &FrozenTensors<Flex>, call: &Call, keep: bool) -> (FlexTensor, Option<Vec<Kept>>) {
    let x = Values::of(x);
    let (out, kept) = with_block(adapters, frozen, call, |block| block.forward(x.get(), keep));
    (tensor(out, &[x.get().len() / call.shape.hidden, call.shape.hidden]), kept)
}

/// What the backward pass of a block needs.
#[derive(Clone, Debug)]
struct Saved {
    x: FlexTensor,
    adapters: FlexTensor,
    frozen: FrozenTensors<Flex>,
    call: Call,
    /// Autodiff asks for a state that can be cloned; who comes first takes it out, and another one computes it again.
    kept: Arc<std::sync::Mutex<Option<Vec<Kept>>>>,
}

/// Backward of [`BlockOps::gemma_block`].
#[derive(Debug)]
struct BlockBackward;

impl Backward<Flex, 2> for BlockBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x_node, adapters_node] = ops.parents;
        let grad = Values::of(&grads.consume::<Flex>(&ops.node));
        let Saved { x, adapters, frozen, call, kept } = ops.state;
        let x = Values::of(&x);
        let kept = kept.lock().ok().and_then(|mut k| k.take());
        let (dx, packed) = with_block(&adapters, &frozen, &call, |block| block.backward(x.get(), kept, grad.get()));
        if let Some(node) = adapters_node {
            let length = packed.len();
            grads.register::<Flex>(node.id, tensor(packed, &[length]));
        }
        if let Some(node) = x_node {
            let tokens = dx.len() / call.shape.hidden;
            grads.register::<Flex>(node.id, tensor(dx, &[tokens, call.shape.hidden]));
        }
    }
}

impl<C: CheckpointStrategy> BlockOps for Autodiff<Flex, C> {
    fn gemma_block(x: FloatTensor<Self>, adapters: FloatTensor<Self>, frozen: FrozenTensors<Self>, call: Call) -> FloatTensor<Self> {
        let (matrices, norms) = frozen.into_parts();
        let frozen = FrozenTensors::<Flex>::new(matrices.map(|t| t.into_primitive()), norms.map(|t| t.into_primitive()));
        let (x, x_node) = x.into_parts();
        let (adapters, adapters_node) = adapters.into_parts();
        match BlockBackward.prepare::<C>([x_node, adapters_node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (out, kept) = forward(&x, &adapters, &frozen, &call, true);
                prep.finish(Saved { x, adapters, frozen, call, kept: Arc::new(std::sync::Mutex::new(kept)) }, out)
            }
            OpsKind::UnTracked(prep) => {
                let (out, _) = forward(&x, &adapters, &frozen, &call, false);
                prep.finish(out)
            }
        }
    }
}

/// Runs a block; `shape` describes the batch, and the adapters are packed here.
pub(crate) fn run(
    x: Tensor<2>,
    frozen: FrozenBlock,
    adapters: Option<BlockAdapters<'_>>,
    mut shape: Shape,
    rotary: Arc<Rotary>,
    arena: Arc<Arena>,
) -> Tensor<2> {
    let mut parts: Vec<Tensor<1>> = Vec::new();
    let mut at = 0;
    for (slot, projection) in Projection::ALL.into_iter().enumerate() {
        let Some((a, b)) = adapters.and_then(|a| a.matrices(projection)) else { continue };
        shape.adapters[slot] = Some(at);
        for t in [a, b] {
            let length = t.shape().num_elements();
            at += length;
            parts.push(t.reshape([length]));
        }
    }
    let adapters = match parts.is_empty() {
        true => Tensor::zeros([1], &x.device()),
        false => Tensor::cat(parts, 0),
    };
    let frozen = FrozenTensors::<Dispatch>::new(frozen.matrices.map(Tensor::into_dispatch), frozen.norms.map(Tensor::into_dispatch));
    let call = Call { shape: Arc::new(shape), rotary, arena };
    Tensor::from_dispatch(Dispatch::gemma_block(x.into_dispatch(), adapters.into_dispatch(), frozen, call))
}
