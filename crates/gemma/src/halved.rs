//! Frozen matrices as a graphics device holds them in half precision.
//!
//! The values of Gemma's matrices fit into `f16`, its activations do not: the residual stream goes beyond 65 504. So only
//! the storage is halved. For each product the device makes the matrix `f32` again, and everything that is computed is
//! `f32`. Written with the backend's own cast and product, autodiff would keep the `f32` copy of every matrix until the
//! backward pass comes to it, and nothing would be saved; the operation here makes it once more instead.

#[cfg(feature = "remote")]
use burn::backend::Remote;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Cube, Dispatch, Flex, backend_extension};
use burn::tensor::{DType, Device, FloatDType, Tensor, TensorData};
use half::f16;

/// Products with frozen matrices in half precision as operations of a backend.
#[cfg_attr(feature = "remote", backend_extension(Cube, Flex, Remote, Autodiff))]
#[cfg_attr(not(feature = "remote"), backend_extension(Cube, Flex, Autodiff))]
pub trait HalvedOps: Backend {
    /// `x·Wᵀ`, `[rows, outputs]` in `f32`, for `x` of `[rows, inputs]` in `f32` and `weight` of `[outputs, inputs]` in `f16`,
    /// for which no gradient is computed.
    fn halved_product(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_matmul(x, Self::float_transpose(Self::float_cast(weight, FloatDType::F32)))
    }
}

impl HalvedOps for Cube {}
impl HalvedOps for Flex {}
#[cfg(feature = "remote")]
impl HalvedOps for Remote {}

/// Backward of [`HalvedOps::halved_product`] by its first argument.
#[derive(Debug)]
struct HalvedBackward;

impl<B: Backend> Backward<B, 1> for HalvedBackward {
    /// The matrix, in half precision.
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<FloatTensor<B>, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<B>(&ops.node);
        let [parent] = ops.parents;
        if let Some(node) = parent {
            grads.register::<B>(node.id, B::float_matmul(grad, B::float_cast(ops.state, FloatDType::F32)));
        }
    }
}

impl<B: HalvedOps, C: CheckpointStrategy> HalvedOps for Autodiff<B, C> {
    fn halved_product(x: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let ((x, node), weight) = (x.into_parts(), weight.into_primitive());
        match Backward::<B, 1>::prepare::<C>(HalvedBackward, [node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(weight.clone(), B::halved_product(x, weight)),
            OpsKind::UnTracked(prep) => prep.finish(B::halved_product(x, weight)),
        }
    }
}

/// Whether half precision can hold every one of these values, rounded to nearest.
pub(crate) fn holds(values: &[f32]) -> bool {
    values.iter().all(|&x| f16::from_f32(x).is_finite())
}

/// A matrix in half precision; its values are among those that it [`holds`].
pub(crate) fn tensor(values: &[f32], shape: [usize; 2], device: &Device) -> Tensor<2> {
    let halves: Vec<f16> = values.iter().map(|&x| f16::from_f32(x)).collect();
    Tensor::from_data(TensorData::new(halves, shape), (device, DType::F16))
}

/// The matrix in `f32`.
pub(crate) fn whole(weight: &Tensor<2>) -> Tensor<2> {
    weight.clone().cast(FloatDType::F32)
}

/// `x·Wᵀ`, `[rows, outputs]`, for `x` of `[rows, inputs]` and a matrix of `[outputs, inputs]` in half precision.
pub(crate) fn product(x: Tensor<2>, weight: &Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::halved_product(x.into_dispatch(), weight.clone().into_dispatch()))
}
