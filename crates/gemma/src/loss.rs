//! Cross-entropy over a 262 144-word vocabulary without ever holding all logits.
//!
//! The hidden states at target positions meet the table one shard at a time. A running maximum and
//! sum give the log-sum-exp, and the same pass accumulates the gradient by hidden state, rescaled
//! whenever the maximum moves, as attention kernels do (Milakov and Gimelshein 2018, arXiv
//! 1805.02867; Rabe and Staats 2021, arXiv 2112.05682). No automatic differentiation takes part:
//! the caller seeds the backward pass of the blocks with `(h · dH).sum()`.

use crate::error::Result;
use crate::fused::kernel::{Matrix, multiply, running_softmax};
use crate::table::Table;
use burn::tensor::{Device, Int, Tensor, TensorData};
use gemm::Parallelism;
use rayon::prelude::*;

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
    if crate::device::is_cpu(device) {
        return on_cpu(hidden, targets, table, device);
    }
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

/// Parts of the vocabulary that the CPU works on independently. The number is fixed, and the parts are put
/// together in order, so that the result does not depend on how many cores there are.
const PARTS: usize = 64;

/// Rows of the table that are multiplied at a time: 640 KiB of the 270M model, near a core.
const ROWS: usize = 256;

/// Bytes that the gradients of all parts may take together.
const BYTES: usize = 64 << 20;

/// What a part of the vocabulary contributes, relative to the part's own maximum.
struct Part {
    max: Vec<f32>,
    sum: Vec<f32>,
    gradient: Vec<f32>,
}

/// Targets that are worked on at a time: as many as [`BYTES`] hold, and about equally many each time. What is computed for
/// a target does not depend on the others.
fn at_a_time(targets: usize, width: usize) -> usize {
    let most = (BYTES / (4 * PARTS * width)).max(1);
    targets.div_ceil(targets.div_ceil(most).max(1)).max(1)
}

/// [`cross_entropy`] with rows read from the file as they are needed: the table is never in memory as f32,
/// and no logit leaves the cache of the core that computed it.
fn on_cpu(hidden: Tensor<2>, targets: &[u32], table: &Table, device: &Device) -> Result<CrossEntropy> {
    let [n, width] = hidden.dims();
    let h = crate::lora::values(hidden);
    let (mut nll, mut gradient) = (Vec::with_capacity(n), vec![0.0; n * width]);
    let size = at_a_time(n, width);
    for ((h, targets), gradient) in h.chunks(size * width).zip(targets.chunks(size)).zip(gradient.chunks_mut(size * width)) {
        some_on_cpu(h, targets, table, &mut nll, gradient)?;
    }
    Ok(CrossEntropy {
        nll: Tensor::from_data(TensorData::new(nll, [n, 1]), device),
        gradient: Tensor::from_data(TensorData::new(gradient, [n, width]), device),
    })
}

/// Some targets of [`on_cpu`]: appends the loss of each, and writes the gradients.
fn some_on_cpu(h: &[f32], targets: &[u32], table: &Table, nll: &mut Vec<f32>, gradient: &mut [f32]) -> Result<()> {
    let n = targets.len();
    let width = h.len() / n.max(1);
    let step = table.rows().div_ceil(PARTS);
    let parts: Vec<Part> = (0..PARTS)
        .into_par_iter()
        .map(|part| {
            let end = ((part + 1) * step).min(table.rows());
            let mut own = Part { max: vec![f32::NEG_INFINITY; n], sum: vec![0.0; n], gradient: vec![0.0; n * width] };
            let (mut rows, mut logits, mut shrink) = (Vec::with_capacity(ROWS * width), vec![0.0; n * ROWS], vec![0.0; n]);
            let mut from = part * step;
            while from < end {
                let to = (from + ROWS).min(end);
                let count = to - from;
                rows.clear();
                table.range(from..to, &mut rows)?;
                let logits = &mut logits[..n * count];
                multiply(logits, count, [n, count, width], Matrix::rows(h, width), Matrix::transposed(&rows, width), 1.0, false, Parallelism::None);
                running_softmax(logits, count, &mut own.max, &mut own.sum, &mut shrink);
                for (row, &shrink) in own.gradient.chunks_exact_mut(width).zip(&shrink).filter(|(_, s)| **s != 1.0) {
                    row.iter_mut().for_each(|g| *g *= shrink);
                }
                multiply(&mut own.gradient, width, [n, width, count], Matrix::rows(logits, count), Matrix::rows(&rows, width), 1.0, true, Parallelism::None);
                from = to;
            }
            Ok(own)
        })
        .collect::<Result<_>>()?;
    let mut own = Vec::with_capacity(n * width);
    targets.iter().try_for_each(|&t| table.row(t, &mut own))?;
    for (i, (gradient, own)) in gradient.chunks_exact_mut(width).zip(own.chunks_exact(width)).enumerate() {
        let max = parts.iter().fold(f32::NEG_INFINITY, |m, p| m.max(p.max[i]));
        let mut sum = 0.0;
        for part in &parts {
            let weight = (part.max[i] - max).exp();
            sum += part.sum[i] * weight;
            gradient.iter_mut().zip(&part.gradient[i * width..]).for_each(|(g, p)| *g += p * weight);
        }
        let target: f32 = h[i * width..(i + 1) * width].iter().zip(own).map(|(h, w)| h * w).sum();
        nll.push(max + sum.ln() - target);
        gradient.iter_mut().zip(own).for_each(|(g, w)| *g = *g / sum - w);
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lora::{uniform, values};

    #[test]
    fn the_gradients_of_all_parts_fit_into_their_room_and_shares_are_even() {
        for (targets, width) in [(1, 640), (64, 640), (409, 640), (410, 640), (8 * 511, 640), (4096, 2560), (7, 1 << 20)] {
            let size = at_a_time(targets, width);
            assert!(4 * PARTS * width * size <= BYTES || size == 1, "{targets} of {width}: {size}");
            let last = (targets - 1) % size + 1;
            assert!(size - last < targets.div_ceil(size), "{targets} of {width}: {size}, and {last} at last");
        }
        // the shapes of everyday runs are not split
        assert_eq!((at_a_time(64, 640), at_a_time(0, 640)), (64, 1));
    }

    #[test]
    fn targets_taken_a_few_at_a_time_have_the_same_numbers() {
        let weights = crate::Weights::open(std::path::Path::new("../../tests/reference/tiny")).expect("opens");
        let (vocabulary, width) = (weights.config().vocabulary, weights.config().hidden);
        let table = Table::new(std::sync::Arc::new(weights));
        let n = 96;
        let hidden = uniform(5, "hidden", n * width, 3.0);
        let targets: Vec<u32> = (0..n).map(|i| (i * 37 % vocabulary) as u32).collect();
        let device = Device::flex();
        let whole = on_cpu(Tensor::from_data(TensorData::new(hidden.clone(), [n, width]), &device), &targets, &table, &device).expect("computed");
        let (mut nll, mut gradient) = (Vec::new(), vec![0.0; n * width]);
        for ((h, targets), gradient) in hidden.chunks(32 * width).zip(targets.chunks(32)).zip(gradient.chunks_mut(32 * width)) {
            some_on_cpu(h, targets, &table, &mut nll, gradient).expect("computed");
        }
        assert_eq!((values(whole.nll), values(whole.gradient)), (nll, gradient));
    }
}
