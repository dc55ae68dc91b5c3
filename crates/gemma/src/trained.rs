//! What is trained of a model, whichever way: adapters beside frozen matrices, or the matrices and norms themselves.

use crate::full::Full;
use crate::lora::{Adapters, Projection};
use burn::tensor::Tensor;

/// What is trained of a model.
#[derive(Clone)]
pub enum Trained {
    /// Low-rank adapters beside frozen matrices.
    Adapters(Adapters),
    /// The matrices and norms themselves.
    Full(Box<Full>),
}

impl From<Adapters> for Trained {
    fn from(adapters: Adapters) -> Self {
        Self::Adapters(adapters)
    }
}

impl From<Full> for Trained {
    fn from(full: Full) -> Self {
        Self::Full(Box::new(full))
    }
}

impl Trained {
    /// The adapters, if it is adapters that are trained.
    pub fn adapters(&self) -> Option<&Adapters> {
        match self {
            Self::Adapters(adapters) => Some(adapters),
            Self::Full(_) => None,
        }
    }

    /// Calls `f` with the path and the tensor of every parameter, in a fixed order.
    pub fn visit(&mut self, f: &mut dyn FnMut(&str, &mut Tensor<2>)) {
        match self {
            Self::Adapters(adapters) => adapters.visit(f),
            Self::Full(full) => full.visit(f),
        }
    }

    /// What a tensor of the base model has become, row by row, norms as the `w` of `1 + w`; none if it is as it was. `base`
    /// reads what it was, `name` is its Hugging Face name.
    pub(crate) fn merged(&self, name: &str, base: impl FnOnce() -> crate::Result<Vec<f32>>) -> crate::Result<Option<Vec<f32>>> {
        match self {
            Self::Full(full) => Ok(full.values(name)),
            Self::Adapters(adapters) => {
                let adapter = place(name).and_then(|(layer, projection)| adapters.of(layer, projection));
                adapter.map(|adapter| Ok(adapters.merged(adapter, base()?))).transpose()
            }
        }
    }
}

/// Block and projection of a Hugging Face name; none if it is no projection's.
fn place(name: &str) -> Option<(usize, Projection)> {
    let (layer, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let path = rest.strip_suffix(".weight")?;
    Some((layer.parse().ok()?, Projection::ALL.into_iter().find(|p| p.path() == path)?))
}
