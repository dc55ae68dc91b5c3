//! A classification head: one linear layer on pooled hidden states, of whole texts or of single words.
//!
//! With a head the 262 144-row output layer is never needed, which makes training and answering
//! cheaper than by completion, and every class gets a probability from one forward pass.

use crate::error::{Error, Result};
use crate::generate::BOS;
use crate::lora::{Named, TensorFile, leaf, uniform, values};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use say::say;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::path::Path;

/// How the hidden states of a place, a text or a word, become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// The mean over all positions of the place.
    Mean,
    /// The mean in which rare tokens count more, the first positions less, and the token that begins every text not at
    /// all, see [`weight`].
    Rare,
    /// The last position, which has seen the whole place.
    Last,
}

/// What a head sees of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// How many blocks the states have passed that it reads; several sets are put side by side.
    pub taps: Vec<usize>,
    /// How the states of a place become one vector.
    pub pool: Pool,
}

/// A trained linear layer over pooled hidden states, which it standardises first: their components
/// differ in scale by orders of magnitude, and one learning rate cannot serve them all.
#[derive(Clone)]
pub struct Head {
    /// `[width, classes]`.
    weight: Tensor<2>,
    /// `[1, classes]`.
    bias: Tensor<2>,
    /// Mean of the pooled states that the head was fitted to, `[1, width]`; not trained.
    mean: Tensor<2>,
    /// Their standard deviation, `[1, width]`; not trained.
    deviation: Tensor<2>,
    view: View,
}

/// The file in an adapter folder that holds the head.
pub const FILE: &str = "head.safetensors";

impl Head {
    /// A fresh head: uniform in ±1/√width as `torch.nn.Linear`, bias zero, states taken as they are.
    pub fn new(hidden: usize, classes: usize, view: View, seed: u64, device: &Device) -> Self {
        let width = hidden * view.taps.len();
        let weight = uniform(seed, "head.weight", width * classes, 1.0 / (width as f32).sqrt());
        let (weight, bias) = (leaf(weight, [width, classes], device), leaf(vec![0.0; classes], [1, classes], device));
        Self { weight, bias, mean: Tensor::zeros([1, width], device), deviation: Tensor::ones([1, width], device), view }
    }

    /// A head fitted to the pooled states of the untuned model: ridge-penalised softmax regression on
    /// standardised states. Training from here rather than from a random head keeps what the model
    /// knows from being distorted by a head that knows nothing yet (Kumar et al. 2022, arXiv 2202.10054).
    ///
    /// The minimum is approached by Nesterov's method with constant momentum; the curvature of the
    /// softmax is at most ½ of that of the states (Böhning 1992), which gives the step size.
    ///
    /// # Shapes
    /// - `states`: `[examples, width]`, pooled; not tracked
    /// - `classes`: one per example, below `count`
    /// - `weights`: how much each example counts; all 1 for the plain regression
    pub fn fit(states: Tensor<2>, classes: &[u32], weights: &[f32], count: usize, view: View, ridge: f64) -> Self {
        let ([examples, width], device) = (states.dims(), states.device());
        let weights: Tensor<2> = Tensor::from_data(TensorData::new(weights.to_vec(), [examples, 1]), &device);
        let average = |t: Tensor<2>| (t * weights.clone()).sum_dim(0) / weights.clone().sum_dim(0);
        let mean = average(states.clone());
        let deviation = average((states.clone() - mean.clone()).square()).sqrt().add_scalar(1e-6);
        let ones = Tensor::ones([examples, 1], &device);
        // a row that counts w times is √w times itself in XᵀX
        let root = weights.clone().sqrt();
        let plain = Tensor::cat(vec![(states - mean.clone()) / deviation.clone(), ones], 1);
        let x = plain.clone() * root.clone();
        let mut expected = vec![0.0f32; examples * count];
        for (row, &class) in classes.iter().enumerate() {
            expected[row * count + class as usize] = 1.0;
        }
        let expected: Tensor<2> = Tensor::from_data(TensorData::new(expected, [examples, count]), &device);
        let transposed = x.clone().transpose();
        // the largest eigenvalue of XᵀX by power iteration
        let mut direction: Tensor<2> = Tensor::ones([width + 1, 1], &device);
        let mut largest = 1.0f64;
        for _ in 0..30 {
            let next = transposed.clone().matmul(x.clone().matmul(direction));
            largest = values(next.clone().square().sum().sqrt().reshape([1, 1])).first().map_or(1.0, |&v| f64::from(v)).max(1e-12);
            direction = next.div_scalar(largest);
        }
        let curvature = 0.5 * 1.1 * largest + ridge;
        let ratio = (curvature / ridge).sqrt();
        let momentum = (ratio - 1.0) / (ratio + 1.0);
        let mut weight: Tensor<2> = Tensor::zeros([width + 1, count], &device);
        let mut ahead = weight.clone();
        // the error falls by (1 - 1/ratio) a step: e^-12 is far below what training changes
        for _ in 0..((12.0 * ratio) as usize).clamp(50, 2000) {
            let miss = (softmax(plain.clone().matmul(ahead.clone()), 1) - expected.clone()) * root.clone();
            let gradient = transposed.clone().matmul(miss) + ahead.clone().mul_scalar(ridge);
            let next = ahead - gradient.div_scalar(curvature);
            ahead = next.clone() + (next.clone() - weight).mul_scalar(momentum);
            weight = next;
        }
        let bias = values(weight.clone().narrow(0, width, 1));
        let weight = values(weight.narrow(0, 0, width));
        Self { weight: leaf(weight, [width, count], &device), bias: leaf(bias, [1, count], &device), mean, deviation, view }
    }

    /// Blocks whose states the head reads, for [`crate::Gemma::states`].
    pub fn taps(&self) -> &[usize] {
        &self.view.taps
    }

    /// Class logits of the places that are to be classified.
    ///
    /// # Shapes
    /// - `states`: `[positions, width]`, of the head's taps
    /// - `ids`: the token at each position
    /// - `places`: the positions of each place; at least one, none empty
    /// - result: `[places, classes]`
    pub fn forward(&self, states: Tensor<2>, ids: &[u32], places: &[Range<usize>]) -> Tensor<2> {
        let states = (pool(states, ids, places, self.view.pool) - self.mean.clone()) / self.deviation.clone();
        states.matmul(self.weight.clone()) + self.bias.clone()
    }

    /// Calls `f` with the path and the tensor of every parameter, in a fixed order.
    pub fn visit(&mut self, f: &mut dyn FnMut(&str, &mut Tensor<2>)) {
        f("head.weight", &mut self.weight);
        f("head.bias", &mut self.bias);
    }

    /// Calls `f` with what standardises the states: it was fitted, and is not trained.
    pub fn visit_constants(&mut self, f: &mut dyn FnMut(&str, &mut Tensor<2>)) {
        f("head.mean", &mut self.mean);
        f("head.deviation", &mut self.deviation);
    }

    /// Tensors for [`FILE`]; the weight is stored `[classes, width]` as `torch.nn.Linear` does. Mean
    /// and deviation are folded into weight and bias, so that the file is a plain linear layer.
    pub fn to_tensors(&self) -> Vec<Named> {
        let w = self.weight.clone().inner() / self.deviation.clone().transpose();
        let b = self.bias.clone().inner() - self.mean.clone().matmul(w.clone());
        let w = w.transpose();
        vec![("head.weight".into(), w.dims().to_vec(), w), ("head.bias".into(), b.dims().to_vec(), b)]
    }

    /// Reads a head for a model of this width from an adapter folder.
    ///
    /// # Errors
    /// If the file is missing, damaged or of another width.
    pub fn load(folder: &Path, hidden: usize, view: View, device: &Device) -> Result<Self> {
        let width = hidden * view.taps.len();
        let file = TensorFile::open(&folder.join(FILE))?;
        let classes = file.shape("head.weight").and_then(|s| s.first().copied()).unwrap_or(0);
        if classes == 0 {
            return Err(Error::tensor(folder.join(FILE), "head.weight", say!("is missing or empty; train again", "manca o è vuoto; ripeti l’addestramento")));
        }
        let weight = file.values("head.weight", &[classes, width])?;
        let bias = file.values("head.bias", &[1, classes])?;
        let weight: Tensor<2> = Tensor::from_data(TensorData::new(weight, [classes, width]), device);
        let weight = weight.transpose().autodiff().require_grad();
        let (mean, deviation) = (Tensor::zeros([1, width], device), Tensor::ones([1, width], device));
        Ok(Self { weight, bias: leaf(bias, [1, classes], device), mean, deviation, view })
    }
}

/// Pools `[positions, hidden]` to `[places, hidden]` as one product with a constant matrix, so padding
/// gets the weight zero and the backward pass is one product too.
pub fn pool(hidden: Tensor<2>, ids: &[u32], places: &[Range<usize>], pool: Pool) -> Tensor<2> {
    let (count, total) = (places.len(), hidden.dims()[0]);
    let mut matrix = vec![0.0f32; count * total];
    for (row, place) in matrix.chunks_exact_mut(total).zip(places) {
        match pool {
            Pool::Mean => row[place.clone()].fill(1.0 / place.len() as f32),
            Pool::Rare => {
                let row = &mut row[place.clone()];
                let mut seen = 0;
                for (weight, &id) in row.iter_mut().zip(&ids[place.clone()]) {
                    seen += usize::from(id != BOS);
                    *weight = self::weight(id, seen);
                }
                let sum: f32 = row.iter().sum();
                let even = 1.0 / row.len() as f32;
                // a text of nothing but its beginning has no weights
                row.iter_mut().for_each(|w| *w = if sum > 0.0 { *w / sum } else { even });
            }
            Pool::Last => row[place.end - 1] = 1.0,
        }
    }
    let device = hidden.device().without_autodiff();
    let matrix: Tensor<2> = Tensor::from_data(TensorData::new(matrix, [count, total]), &device);
    matrix.matmul(hidden)
}

/// How much a token counts in [`Pool::Rare`]; `seen` is its number in its place, from 1.
///
/// Gemma's vocabulary was built by merging the commonest pair again and again (after 240-odd ids for control and single
/// bytes), so the logarithm of an id grows as its token gets rarer; the last ids are single characters, which stand where
/// nothing longer fits, and punctuation among them: they count as common ones do. A token among the first has seen too little before
/// it to say much. BENCHMARKS.md has what each of these brought.
fn weight(id: u32, seen: usize) -> f32 {
    /// Where merged pieces begin and end in the vocabulary.
    const MERGED: (u32, u32) = (240, 236_000);
    const SETTLED: usize = 4;
    if id == BOS {
        return 0.0;
    }
    let rarity = if id < MERGED.1 { (id.max(MERGED.0 + 60) as f32 - MERGED.0 as f32 + std::f32::consts::E).ln() } else { 2.0 };
    rarity * seen.min(SETTLED) as f32 / SETTLED as f32
}

/// Probabilities of the classes on the host, one vector per place.
///
/// # Shapes
/// - `logits`: `[places, classes]`
pub fn probabilities(logits: Tensor<2>) -> Vec<Vec<f32>> {
    let classes = logits.dims()[1];
    values(softmax(logits.inner(), 1)).chunks_exact(classes).map(<[f32]>::to_vec).collect()
}

/// The class of the highest probability, the first of equals.
pub fn likeliest(probabilities: &[f32]) -> usize {
    (0..probabilities.len()).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]).then(b.cmp(&a))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// States of three classes around three centres, on scales from 1 to 1000 as a model's are.
    fn states(seed: u64) -> (Tensor<2>, Vec<u32>) {
        const WIDTH: usize = 16;
        let noise = uniform(seed, "noise", 30 * WIDTH, 1.0);
        let centres = uniform(1, "centres", 3 * WIDTH, 2.0);
        let value = |i: usize| (noise[i] + centres[i / WIDTH % 3 * WIDTH + i % WIDTH]) * 10f32.powi((i % 4) as i32);
        let all = TensorData::new((0..30 * WIDTH).map(value).collect(), [30, WIDTH]);
        (Tensor::from_data(all, &Device::flex()), (0..30).map(|row| row % 3).collect())
    }

    fn view() -> View {
        View { taps: vec![1], pool: Pool::Last }
    }

    /// Every position as a place of its own.
    fn each(count: usize) -> Vec<Range<usize>> {
        (0..count).map(|i| i..i + 1).collect()
    }

    fn answers(head: &Head, states: Tensor<2>) -> Vec<Vec<f32>> {
        probabilities(head.forward(states, &[0; 30], &each(30)))
    }

    #[test]
    fn a_fitted_head_answers_what_it_was_fitted_to_and_more_ridge_makes_it_doubt() {
        let (seen, classes) = states(0);
        let sure = |ridge: f64| {
            let head = Head::fit(seen.clone(), &classes, &[1.0; 30], 3, view(), ridge);
            let (fresh, _) = states(9);
            for (p, &class) in answers(&head, fresh).iter().zip(&classes) {
                assert!((0..3).all(|c| p[c] <= p[class as usize]), "{p:?} is not of class {class}");
            }
            answers(&head, seen.clone()).iter().zip(&classes).map(|(p, &class)| p[class as usize]).sum::<f32>() / 30.0
        };
        assert!(sure(1.0) > 0.9);
        assert!(sure(100.0) < sure(1.0));
    }

    #[test]
    fn the_fit_is_where_the_penalised_gradient_vanishes() {
        let (seen, classes) = states(0);
        // rows count differently, as they do in XᵀX and in the residuals
        let weights: Vec<f32> = (0..30).map(|i| 0.25 + 0.5 * (i % 4) as f32).collect();
        let head = Head::fit(seen.clone(), &classes, &weights, 3, view(), 2.0);
        let x = (seen.clone() - head.mean.clone()) / head.deviation.clone();
        let expected: Vec<f32> = classes.iter().flat_map(|&c| (0..3).map(move |k| if k == c { 1.0 } else { 0.0 })).collect();
        let p = softmax(head.forward(seen, &[0; 30], &each(30)).inner(), 1);
        let on_host = |values: Vec<f32>, columns| -> Tensor<2> { Tensor::from_data(TensorData::new(values, [30, columns]), &Device::flex()) };
        let miss = (p - on_host(expected, 3)) * on_host(weights, 1);
        let gradient = x.transpose().matmul(miss) + head.weight.clone().inner().mul_scalar(2.0);
        assert!(values(gradient).iter().all(|g| g.abs() < 1e-3));
    }

    #[test]
    fn a_saved_head_answers_as_before() {
        let (seen, classes) = states(0);
        let head = Head::fit(seen.clone(), &classes, &[1.0; 30], 3, view(), 2.0);
        let folder = tempfile::tempdir().expect("a folder");
        TensorFile::write(&folder.path().join(FILE), &head.to_tensors()).expect("writes");
        let back = Head::load(folder.path(), 16, view(), &Device::flex()).expect("reads");
        for (a, b) in answers(&head, seen.clone()).iter().flatten().zip(answers(&back, seen).iter().flatten()) {
            assert!((a - b).abs() < 1e-4, "{a} is not {b}");
        }
    }

    #[test]
    fn a_place_is_pooled_from_its_own_positions_alone() {
        let hidden: Tensor<2> = Tensor::from_data(TensorData::new((0..10).map(|v| v as f32).collect(), [5, 2]), &Device::flex());
        let places = [0..2, 3..4, 1..5];
        let ids = [7; 5];
        assert_eq!(values(pool(hidden.clone(), &ids, &places, Pool::Last)), [2.0, 3.0, 6.0, 7.0, 8.0, 9.0]);
        assert_eq!(values(pool(hidden, &ids, &places, Pool::Mean)), [1.0, 2.0, 6.0, 7.0, 5.0, 6.0]);
    }

    #[test]
    fn rare_tokens_count_more_and_the_beginning_not_at_all() {
        let hidden: Tensor<2> = Tensor::from_data(TensorData::new(vec![100.0, 1.0, 2.0, 3.0, 4.0, 5.0, 100.0], [7, 1]), &Device::flex());
        let ids = [BOS, 1000, 200_000, 1000, 1000, 240_000, BOS];
        let (common, rare) = ((760.0 + std::f32::consts::E).ln(), (199_760.0 + std::f32::consts::E).ln());
        // the fourth token is the first of full weight, single characters count as much as the commonest pieces
        let weights = [0.25 * common, 0.5 * rare, 0.75 * common, common, 2.0];
        let mean = weights.iter().zip(1..).map(|(w, v)| w * v as f32).sum::<f32>() / weights.iter().sum::<f32>();
        let pooled = values(pool(hidden, &ids, &[0..6, 6..7], Pool::Rare));
        assert!((pooled[0] - mean).abs() < 1e-5, "{pooled:?} is not {mean}");
        // a text without a token
        assert_eq!(pooled[1], 100.0);
    }
}
