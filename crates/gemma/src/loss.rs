//! Cross-entropy over a 262 144-word vocabulary without ever holding all logits.
//!
//! The hidden states at target positions meet the table one shard at a time. A running maximum and
//! sum give the log-sum-exp, and the same pass accumulates the gradient by hidden state, rescaled
//! whenever the maximum moves, as attention kernels do (Milakov and Gimelshein 2018, arXiv
//! 1805.02867; Rabe and Staats 2021, arXiv 2112.05682). No automatic differentiation takes part:
//! the caller seeds the backward pass of the blocks with `(h · dH).sum()`.

use crate::error::Result;
use crate::table::Table;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Loss at target positions and its gradient.
pub struct CrossEntropy {
    /// Negative log-likelihood of each target, `[targets, 1]`.
    pub nll: Tensor<2>,
    /// Gradient of the *sum* of `nll` by the hidden states, `[targets, hidden]`.
    pub gradient: Tensor<2>,
}

/// Cross-entropy of the tied output layer.
///
/// # Shapes
/// - `hidden`: `[targets, hidden]`, after the final norm, not tracked by autodiff
/// - `targets`: one token per row
///
/// # Errors
/// If a target is not in the vocabulary.
pub fn cross_entropy(hidden: Tensor<2>, targets: &[u32], table: &Table, device: &Device) -> Result<CrossEntropy> {
    let own = table.gather(targets, device)?;
    let target_logit = (hidden.clone() * own.clone()).sum_dim(1);
    let mut state: Option<(Tensor<2>, Tensor<2>, Tensor<2>)> = None;
    for shard in table.shards(device)? {
        let logits = hidden.clone().matmul(shard.rows.clone().transpose());
        let shard_max = logits.clone().max_dim(1);
        let max = match &state {
            Some((max, _, _)) => max.clone().max_pair(shard_max),
            None => shard_max,
        };
        let p = (logits - max.clone()).exp();
        let sum = p.clone().sum_dim(1);
        let gradient = p.matmul(shard.rows.clone());
        state = Some(match state {
            Some((old, old_sum, old_gradient)) => {
                let shrink = (old - max.clone()).exp();
                (max, old_sum * shrink.clone() + sum, old_gradient * shrink + gradient)
            }
            None => (max, sum, gradient),
        });
    }
    let (max, sum, gradient) = state.unwrap_or_else(|| (target_logit.clone(), target_logit.ones_like(), own.clone()));
    let nll = max + sum.clone().log() - target_logit;
    Ok(CrossEntropy { nll, gradient: gradient / sum - own })
}

/// Cross-entropy of a small set of classes, tracked by autodiff when `logits` is.
///
/// # Shapes
/// - `logits`: `[rows, classes]`
/// - `labels`: one class per row
/// - result: negative log-likelihood of each row, `[rows, 1]`
pub fn class_nll(logits: Tensor<2>, labels: &[u32], device: &Device) -> Tensor<2> {
    let labels: Vec<i64> = labels.iter().map(|&l| i64::from(l)).collect();
    let n = labels.len();
    let index = Tensor::<2, Int>::from_data(TensorData::new(labels, [n, 1]), device);
    burn::tensor::activation::log_softmax(logits, 1).gather(1, index).neg()
}
