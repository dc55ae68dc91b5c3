//! A classification head: one linear layer on a pooled hidden state.
//!
//! With a head the 262 144-row output layer is never needed, which makes training and answering
//! cheaper than by completion, and every class gets a probability from one forward pass.

use crate::error::{Error, Result};
use crate::lora::{TensorFile, leaf, uniform, values};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How the hidden states of a text become one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// The mean over all positions of the text.
    Mean,
    /// The last position, which has seen the whole text.
    Last,
}

/// A trained linear layer over pooled hidden states.
#[derive(Clone)]
pub struct Head {
    /// `[hidden, classes]`.
    weight: Tensor<2>,
    /// `[1, classes]`.
    bias: Tensor<2>,
    pool: Pool,
}

/// The file in an adapter folder that holds the head.
pub const FILE: &str = "head.safetensors";

impl Head {
    /// A fresh head: uniform in ±1/√hidden as `torch.nn.Linear`, bias zero.
    pub fn new(hidden: usize, classes: usize, pool: Pool, seed: u64, device: &Device) -> Self {
        let weight = uniform(seed, "head.weight", hidden * classes, 1.0 / (hidden as f32).sqrt());
        Self { weight: leaf(weight, [hidden, classes], device), bias: leaf(vec![0.0; classes], [1, classes], device), pool }
    }

    /// How hidden states are pooled.
    pub fn pool(&self) -> Pool {
        self.pool
    }

    /// Class logits of a batch.
    ///
    /// # Shapes
    /// - `hidden`: `[batch * time, hidden]`
    /// - `lengths`: real tokens of each row; the rest of a row is padding
    /// - result: `[batch, classes]`
    pub fn forward(&self, hidden: Tensor<2>, lengths: &[usize], time: usize) -> Tensor<2> {
        pool(hidden, lengths, time, self.pool).matmul(self.weight.clone()) + self.bias.clone()
    }

    /// Calls `f` with the path and the tensor of every parameter, in a fixed order.
    pub fn visit(&mut self, f: &mut dyn FnMut(&str, &mut Tensor<2>)) {
        f("head.weight", &mut self.weight);
        f("head.bias", &mut self.bias);
    }

    /// Tensors for [`FILE`]; the weight is stored `[classes, hidden]` as `torch.nn.Linear` does.
    pub fn to_tensors(&self) -> Vec<(String, [usize; 2], Vec<f32>)> {
        let (w, b) = (self.weight.clone().inner().transpose(), self.bias.clone().inner());
        vec![("head.weight".into(), w.dims(), values(w)), ("head.bias".into(), b.dims(), values(b))]
    }

    /// Reads a head for a model of this width from an adapter folder.
    ///
    /// # Errors
    /// If the file is missing, damaged or of another width.
    pub fn load(folder: &Path, hidden: usize, pool: Pool, device: &Device) -> Result<Self> {
        let file = TensorFile::open(&folder.join(FILE))?;
        let classes = file.shape("head.weight").and_then(|s| s.first().copied()).unwrap_or(0);
        if classes == 0 {
            return Err(Error::tensor(folder.join(FILE), "head.weight", "is missing or empty; train again"));
        }
        let weight = file.values("head.weight", [classes, hidden])?;
        let bias = file.values("head.bias", [1, classes])?;
        let weight: Tensor<2> = Tensor::from_data(TensorData::new(weight, [classes, hidden]), device);
        Ok(Self { weight: weight.transpose().autodiff().require_grad(), bias: leaf(bias, [1, classes], device), pool })
    }
}

/// Pools `[batch * time, hidden]` to `[batch, hidden]` as one product with a constant matrix, so
/// padding gets the weight zero and the backward pass is one product too.
pub fn pool(hidden: Tensor<2>, lengths: &[usize], time: usize, pool: Pool) -> Tensor<2> {
    let batch = lengths.len();
    let mut matrix = vec![0.0f32; batch * batch * time];
    for (b, &length) in lengths.iter().enumerate() {
        let row = &mut matrix[b * batch * time + b * time..][..length];
        match pool {
            Pool::Mean => row.fill(1.0 / length as f32),
            Pool::Last => row[length - 1] = 1.0,
        }
    }
    let device = hidden.device().without_autodiff();
    let matrix: Tensor<2> = Tensor::from_data(TensorData::new(matrix, [batch, batch * time]), &device);
    matrix.matmul(hidden)
}

/// Probabilities of the classes on the host, one vector per row.
///
/// # Shapes
/// - `logits`: `[rows, classes]`
pub fn probabilities(logits: Tensor<2>) -> Vec<Vec<f32>> {
    let classes = logits.dims()[1];
    values(burn::tensor::activation::softmax(logits.inner(), 1)).chunks_exact(classes).map(<[f32]>::to_vec).collect()
}
