//! Frozen matrices in fewer bytes than `f32`: half of them, or as they lie in their file.
//!
//! The block's matrices are the largest thing in memory that never changes. Stored as bf16 or left in the blocks
//! of their file they are unpacked just before they are used, one block at a time and by all cores; arithmetic,
//! adapters, norms and activations stay `f32`, so the numbers are those of a model that was rounded and then
//! loaded as `f32`, to the bit.

use crate::error::{Error, Result};
use crate::quant::Storage;
use crate::weights::Weights;
use burn::tensor::{Device, Tensor, TensorData};
use half::bf16;
use rayon::prelude::*;
use say::say;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;

/// Rows that a core unpacks at a time.
const ROWS: usize = 32;

/// How the frozen matrices of the blocks are held in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Four bytes a value: nothing is unpacked.
    #[default]
    F32,
    /// Two bytes a value, rounded to nearest. Exact where the file holds bf16, as Hugging Face folders of Gemma do.
    Bf16,
    /// As in the file, mapped and never copied: 4 to 9 bits a value where it is quantised, and exact.
    File,
}

/// A matrix `[outputs, inputs]` that is unpacked when it is used.
pub(crate) struct Packed {
    shape: [usize; 2],
    storage: Storage,
    bytes: Bytes,
}

enum Bytes {
    Own(Vec<u8>),
    /// A tensor of open weights, by its name.
    File(Arc<Weights>, String),
}

impl Packed {
    /// A matrix of open weights at a precision below `f32`.
    ///
    /// # Errors
    /// As [`Weights::values`].
    fn new(weights: &Arc<Weights>, name: &str, shape: [usize; 2], precision: Precision) -> Result<Self> {
        // read once whatever is kept, so that a damaged file is found before anything is computed
        let values = weights.values(name, &shape)?;
        let storage = weights.raw(name)?.storage;
        if precision == Precision::File || storage == Storage::BF16 {
            return Ok(Self { shape, storage, bytes: Bytes::File(weights.clone(), name.into()) });
        }
        let bytes = values.iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect();
        Ok(Self { shape, storage: Storage::BF16, bytes: Bytes::Own(bytes) })
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Writes all values to `out`, on every core.
    ///
    /// # Panics
    /// If `out` is not of [`Packed::len`] values.
    pub fn unpack(&self, out: &mut [f32]) {
        assert_eq!(out.len(), self.len(), "room for a matrix");
        let chunks = out.par_chunks_mut(self.width() * ROWS).enumerate();
        chunks.for_each(|(i, out)| self.unpack_rows(i * ROWS..self.shape[0].min((i + 1) * ROWS), out));
    }

    /// Values of a row.
    pub fn width(&self) -> usize {
        self.shape[1]
    }

    /// Writes some rows to `out`.
    ///
    /// # Panics
    /// If `out` is not of as many values, or there are no such rows.
    pub fn unpack_rows(&self, rows: Range<usize>, out: &mut [f32]) {
        let bytes = match &self.bytes {
            Bytes::Own(bytes) => bytes.as_slice(),
            // it was there when the model was loaded, and open weights do not change
            Bytes::File(weights, name) => weights.raw(name).map_or(&[][..], |raw| raw.bytes),
        };
        // rows of whole blocks: checked by whoever opened the file
        let row = bytes.len() / self.shape[0].max(1);
        self.storage.dequantize(&bytes[rows.start * row..rows.end * row], out);
    }
}

/// A frozen matrix of a block, `[outputs, inputs]`.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "seven for each block, not one for each number")]
pub(crate) enum Matrix {
    /// Whole, on the model's device.
    Whole(Tensor<2>),
    /// In fewer bytes, on the host.
    Packed(Arc<Packed>),
}

impl Matrix {
    /// Loads a matrix by its Hugging Face name.
    ///
    /// # Errors
    /// As [`Weights::values`]; if anything but `f32` is asked for on another device than the CPU.
    pub fn load(weights: &Arc<Weights>, name: &str, shape: [usize; 2], precision: Precision, device: &Device) -> Result<Self> {
        if precision == Precision::F32 {
            let values = weights.values(name, &shape)?;
            return Ok(Self::Whole(Tensor::from_data(TensorData::new(values, shape), device)));
        }
        if !crate::device::is_cpu(device) {
            return Err(Error::Request(say!(
                "precision can only be lower than f32 on the CPU; set precision=f32, or choose the device cpu",
                "la precisione può essere inferiore a f32 solo sulla CPU; imposta precision=f32, oppure scegli il dispositivo cpu"
            )));
        }
        Ok(Self::Packed(Arc::new(Packed::new(weights, name, shape, precision)?)))
    }

    /// The matrix as a tensor; unpacked for this use where it is packed.
    pub fn tensor(&self, device: &Device) -> Tensor<2> {
        match self {
            Self::Whole(tensor) => tensor.clone(),
            Self::Packed(packed) => {
                let mut values = vec![0.0; packed.len()];
                packed.unpack(&mut values);
                Tensor::from_data(TensorData::new(values, packed.shape), device)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is unpacked is what the file holds, or that rounded to bf16, whatever the rows per core.
    #[test]
    fn unpacking_gives_the_values_back() {
        let file = std::path::Path::new("../../tests/reference/tiny/tiny-f32.gguf");
        let weights = Arc::new(Weights::open(file).expect("opens"));
        let c = weights.config().clone();
        let (name, shape) = ("model.layers.1.mlp.gate_proj.weight", [c.feed_forward, c.hidden]);
        let values = weights.values(name, &shape).expect("there");
        for (precision, expected) in
            [(Precision::File, values.clone()), (Precision::Bf16, values.iter().map(|&x| bf16::from_f32(x).to_f32()).collect::<Vec<_>>())]
        {
            let packed = Packed::new(&weights, name, shape, precision).expect("packs");
            let mut out = vec![f32::NAN; values.len()];
            packed.unpack(&mut out);
            assert_eq!(out, expected, "{precision:?}");
        }
        assert!(values.iter().any(|&x| bf16::from_f32(x).to_f32() != x), "rounding changes nothing here, so nothing was tested");
        assert!(Packed::new(&weights, name, [3, 5], Precision::File).is_err());
    }
}
