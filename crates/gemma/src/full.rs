//! Full fine-tuning: every matrix and norm of the blocks is trained, and the final norm.
//!
//! Only the embedding table stays as it is: it is also the output layer, more than half of the smallest model, and one that
//! learns a few words of a task forgets how the others lie to them. Norms are trained as Hugging Face files store them, as the
//! `w` of `1 + w`. Files hold what is trained under Hugging Face names.

use crate::config::Config;
use crate::error::{Result, all};
use crate::lora::{Named, Projection, TensorFile, leaf, values};
use crate::weights::Weights;
use burn::tensor::{Device, Tensor};
use std::path::Path;

/// Paths of a block's norms, in the order of the fused block.
const NORMS: [&str; 6] =
    ["input_layernorm", "self_attn.q_norm", "self_attn.k_norm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"];

/// Path of the norm behind the last block.
const LAST: &str = "norm.weight";

/// The file of a run folder that holds what was trained.
pub const FILE: &str = "model.safetensors";

/// What is trained of a model.
#[derive(Clone)]
pub struct Full {
    layers: Vec<Layer>,
    /// `w` of the norm behind the last block, `[1, hidden]`.
    norm: Tensor<2>,
}

/// What is trained of a block.
#[derive(Clone)]
pub(crate) struct Layer {
    /// `[outputs, inputs]`, in the order of [`Projection::ALL`].
    pub matrices: [Tensor<2>; 7],
    /// `w` of each norm, `[1, width]`, in the order of the fused block.
    pub norms: [Tensor<2>; 6],
}

impl Full {
    /// The weights of a model as its files hold them.
    ///
    /// # Errors
    /// If a tensor is missing, misshapen or not finite.
    pub fn new(weights: &Weights, device: &Device) -> Result<Self> {
        Self::read(weights.config(), device, |path, shape| {
            let name = format!("model.{path}");
            if let [width] = *shape {
                let mut w = weights.norm(&name, width)?;
                w.iter_mut().for_each(|w| *w -= 1.0);
                return Ok(w);
            }
            weights.values(&name, shape)
        })
    }

    /// Number of values that are trained of a model of these sizes.
    pub fn parameters(config: &Config) -> usize {
        let matrices: usize = Projection::ALL.iter().map(|p| p.sizes(config)).map(|(i, o)| i * o).sum();
        config.layers * (matrices + 4 * config.hidden + 2 * config.head) + config.hidden
    }

    /// Reads what [`Full::save`] wrote.
    ///
    /// # Errors
    /// If the file is missing, damaged or of another model.
    pub fn load(folder: &Path, config: &Config, device: &Device) -> Result<Self> {
        let file = TensorFile::open(&folder.join(FILE))?;
        Self::read(config, device, |path, shape| file.values(&format!("model.{path}"), shape))
    }

    /// Tensors of the values that `values` gives for a path and a shape.
    fn read(config: &Config, device: &Device, values: impl Fn(&str, &[usize]) -> Result<Vec<f32>>) -> Result<Self> {
        let norm = |path: &str, width: usize| Ok(leaf(values(path, &[width])?, [1, width], device));
        let layer = |layer: usize| {
            let matrices = Projection::ALL.map(|p| {
                let (i, o) = p.sizes(config);
                Ok(leaf(values(&path(layer, p.path()), &[o, i])?, [o, i], device))
            });
            let width = |name: &str| if name.starts_with("self_attn") { config.head } else { config.hidden };
            Ok(Layer { matrices: all(matrices)?, norms: all(NORMS.map(|name| norm(&path(layer, name), width(name))))? })
        };
        Ok(Self { layers: (0..config.layers).map(layer).collect::<Result<_>>()?, norm: norm(LAST, config.hidden)? })
    }

    /// Writes what is trained into a folder, under Hugging Face names, at once.
    ///
    /// # Errors
    /// If the disk refuses, or the device fails.
    pub fn save(&self, folder: &Path) -> Result<()> {
        let named = |(path, tensor): (String, &Tensor<2>)| -> Named { (format!("model.{path}"), shape(&path, tensor), tensor.clone().inner()) };
        TensorFile::write(&folder.join(FILE), &self.tensors().map(named).collect::<Vec<_>>())
    }

    /// What is trained of a block; tracked only while `training`.
    pub(crate) fn layer(&self, layer: usize, training: bool) -> Layer {
        let Layer { matrices, norms } = self.layers[layer].clone();
        match training {
            true => Layer { matrices, norms },
            false => Layer { matrices: matrices.map(Tensor::inner), norms: norms.map(Tensor::inner) },
        }
    }

    /// `w` of the norm behind the last block; tracked only while `training`.
    pub(crate) fn norm(&self, training: bool) -> Tensor<2> {
        if training { self.norm.clone() } else { self.norm.clone().inner() }
    }

    /// Every parameter by its path, in a fixed order.
    fn tensors(&self) -> impl Iterator<Item = (String, &Tensor<2>)> {
        let layers = self.layers.iter().enumerate().flat_map(|(l, layer)| {
            let matrices = Projection::ALL.iter().map(|p| p.path()).zip(&layer.matrices);
            matrices.chain(NORMS.into_iter().zip(&layer.norms)).map(move |(name, tensor)| (path(l, name), tensor))
        });
        layers.chain([(LAST.to_string(), &self.norm)])
    }

    /// Calls `f` with the path and the tensor of every parameter, in a fixed order.
    pub fn visit(&mut self, f: &mut dyn FnMut(&str, &mut Tensor<2>)) {
        for (l, layer) in self.layers.iter_mut().enumerate() {
            let matrices = Projection::ALL.iter().map(|p| p.path()).zip(&mut layer.matrices);
            matrices.chain(NORMS.into_iter().zip(&mut layer.norms)).for_each(|(name, tensor)| f(&path(l, name), tensor));
        }
        f(LAST, &mut self.norm);
    }

    /// The values of a tensor by its Hugging Face name, row by row; none if it is not trained.
    pub(crate) fn values(&self, name: &str) -> Option<Vec<f32>> {
        let path = name.strip_prefix("model.")?;
        self.tensors().find(|(own, _)| own == path).map(|(_, tensor)| values(tensor.clone().inner()))
    }
}

/// Path of a tensor of a block.
fn path(layer: usize, name: &str) -> String {
    format!("layers.{layer}.{name}.weight")
}

/// Whether a parameter is a norm's, which has one dimension in files.
pub fn is_norm(path: &str) -> bool {
    path.ends_with("norm.weight")
}

/// The shape of a parameter in a file.
fn shape(path: &str, tensor: &Tensor<2>) -> Vec<usize> {
    let [rows, columns] = tensor.dims();
    if is_norm(path) { vec![columns] } else { vec![rows, columns] }
}
