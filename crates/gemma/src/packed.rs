//! Frozen matrices in fewer bytes than `f32`: half of them, or as they lie in their file.
//!
//! The block's matrices are the largest thing in memory that never changes. Stored in 16 bits or left in the blocks
//! of their file they are unpacked just before they are used, one block at a time and by all cores, or one matrix at
//! a time by a graphics device (`halved`); arithmetic, adapters, norms and activations stay `f32`, so the
//! numbers are those of a model that was rounded and then loaded as `f32`, on the CPU to the bit.

use crate::error::{Error, Result};
use crate::halved;
use crate::quant::Storage;
use crate::weights::Weights;
use burn::tensor::{Device, Tensor, TensorData};
use half::{bf16, f16};
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
    /// Two bytes a value in IEEE half precision, rounded to nearest, on graphics devices too. A matrix with a value beyond
    /// 65 504, which no published Gemma has, stays `f32`.
    F16,
    /// Two bytes a value, rounded to nearest; on the CPU. Exact where the file holds bf16, as Hugging Face folders of Gemma do.
    Bf16,
    /// As in the file, mapped and never copied: 4 to 9 bits a value where it is quantised, and exact; on the CPU.
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
    /// A matrix of open weights, of these `values`, at a precision below `f32`.
    ///
    /// # Errors
    /// If there is no such tensor.
    fn new(weights: &Arc<Weights>, name: &str, shape: [usize; 2], precision: Precision, values: &[f32]) -> Result<Self> {
        let stored = weights.raw(name)?.storage;
        let (storage, bytes) = match precision {
            Precision::F16 if stored != Storage::F16 => (Storage::F16, Bytes::Own(values.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect())),
            Precision::Bf16 if stored != Storage::BF16 => (Storage::BF16, Bytes::Own(values.iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes()).collect())),
            _ => (stored, Bytes::File(weights.clone(), name.into())),
        };
        Ok(Self { shape, storage, bytes })
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
pub(crate) enum Matrix {
    /// Whole, on the model's device.
    Whole(Tensor<2>),
    /// In half precision, on the model's device, which is not the CPU.
    Halved(Tensor<2>),
    /// In fewer bytes, on the host.
    Packed(Arc<Packed>),
}

impl Matrix {
    /// Loads a matrix by its Hugging Face name.
    ///
    /// # Errors
    /// As [`Weights::values`]; if a precision is asked for that only the CPU has, on another device.
    pub fn load(weights: &Arc<Weights>, name: &str, shape: [usize; 2], precision: Precision, device: &Device) -> Result<Self> {
        let cpu = crate::device::is_cpu(device);
        if !cpu && matches!(precision, Precision::Bf16 | Precision::File) {
            return Err(Error::Request(say!(
                "on a graphics device precision can only be f32 or f16; set one of them, or choose the device cpu",
                "su un dispositivo grafico la precisione può essere solo f32 o f16; imposta una delle due, oppure scegli il dispositivo cpu"
            )));
        }
        // read whatever is kept, so that a damaged file is found before anything is computed
        let values = weights.values(name, &shape)?;
        // what half precision cannot hold would become infinite
        let whole = precision == Precision::F32 || (precision == Precision::F16 && !halved::holds(&values));
        Ok(match whole {
            true => Self::Whole(Tensor::from_data(TensorData::new(values, shape), device)),
            false if cpu => Self::Packed(Arc::new(Packed::new(weights, name, shape, precision, &values)?)),
            false => Self::Halved(halved::tensor(&values, shape, device)),
        })
    }

    /// The matrix as an `f32` tensor; made for this use where it is held otherwise.
    pub fn tensor(&self, device: &Device) -> Tensor<2> {
        match self {
            Self::Whole(tensor) => tensor.clone(),
            Self::Halved(tensor) => halved::whole(tensor),
            Self::Packed(packed) => {
                let mut values = vec![0.0; packed.len()];
                packed.unpack(&mut values);
                Tensor::from_data(TensorData::new(values, packed.shape), device)
            }
        }
    }

    /// `x·Wᵀ`, `[rows, outputs]`, for `x` of `[rows, inputs]`, computed in `f32` however the matrix is held.
    pub fn product(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Halved(tensor) => halved::product(x, tensor),
            Self::Whole(_) | Self::Packed(_) => {
                let weight = self.tensor(&x.device().without_autodiff());
                x.matmul(weight.transpose())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::lora::{Adapters, LoraConfig, values};
    use crate::model::Gemma;
    use crate::rows::Rows;
    use crate::trained::Trained;

    /// What is unpacked is what the file holds, or that rounded to 16 bits, whatever the rows per core.
    #[test]
    fn unpacking_gives_the_values_back() {
        let file = std::path::Path::new("../../tests/reference/tiny/tiny-f32.gguf");
        let weights = Arc::new(Weights::open(file).expect("opens"));
        let c = weights.config().clone();
        let (name, shape) = ("model.layers.1.mlp.gate_proj.weight", [c.feed_forward, c.hidden]);
        let values = weights.values(name, &shape).expect("there");
        let rounded = |round: fn(f32) -> f32| values.iter().map(|&x| round(x)).collect::<Vec<f32>>();
        let (f16, bf16) = (rounded(|x| f16::from_f32(x).to_f32()), rounded(|x| bf16::from_f32(x).to_f32()));
        assert!(f16 != values && bf16 != values, "rounding changes nothing here, so nothing was tested");
        for (precision, expected) in [(Precision::File, values.clone()), (Precision::F16, f16), (Precision::Bf16, bf16)] {
            let packed = Packed::new(&weights, name, shape, precision, &values).expect("packs");
            let mut out = vec![f32::NAN; values.len()];
            packed.unpack(&mut out);
            assert_eq!(out, expected, "{precision:?}");
        }
        assert!(Matrix::load(&weights, name, [3, 5], Precision::File, &Device::flex()).is_err());
    }

    fn small() -> Config {
        Config { vocabulary: 300, context: 128, ..Config::small() }
    }

    #[test]
    fn a_matrix_that_half_precision_cannot_hold_stays_as_it_is() {
        let large = |name: &str| if name.ends_with("up_proj.weight") { 1e6 } else { 1.0 };
        let weights = Arc::new(Weights::drawn(small(), 1, large));
        let load = |part: &str| {
            let name = format!("model.layers.0.mlp.{part}.weight");
            (Matrix::load(&weights, &name, [128, 64], Precision::F16, &Device::flex()).expect("loads"), weights.values(&name, &[128, 64]).expect("there"))
        };
        let (up, exact) = load("up_proj");
        assert!(matches!(up, Matrix::Whole(_)) && values(up.tensor(&Device::flex())) == exact);
        assert!(exact.iter().any(|x| x.abs() > f16::MAX.to_f32()));
        let (gate, exact) = load("gate_proj");
        assert!(matches!(gate, Matrix::Packed(_)) && values(gate.tensor(&Device::flex())) != exact);
    }

    /// Weights in half precision, as a graphics device holds them, under states that half precision could not hold: the
    /// numbers are those of the rounded weights in `f32`, forward and backward.
    #[test]
    fn large_activations_pass_products_with_halved_weights() {
        let device = Device::flex();
        let weights = Arc::new(Weights::overflowing(small(), 1));
        let halved = |name: &str, shape: [usize; 2]| -> Result<Matrix> { Ok(Matrix::Halved(halved::tensor(&weights.values(name, &shape)?, shape, &device))) };
        let model = Gemma::made_of(&weights, &device, halved).expect("a model").unfused();
        let ids: Vec<u32> = (0..40).map(|t| (t * 97 + 5) % 300).collect();
        let rows = Rows::one(ids.len());
        let mut largest = 0f32;
        let states = model.forward_with(&ids, &rows, |_, x| largest = values(x.clone()).iter().fold(largest, |most, x| most.max(x.abs())));
        assert!(values(states.expect("runs")).iter().all(|x| x.is_finite()));
        assert!(largest.is_finite() && largest > f16::MAX.to_f32(), "{largest} would fit");

        let run = |model: &Gemma| {
            let adapters = Adapters::random(LoraConfig { rank: 4, ..LoraConfig::default() }, model, 2).expect("adapters");
            let mut trained = Trained::from(adapters);
            let states = model.forward(&ids, &rows, Some(&trained), true).expect("runs");
            let direction = Tensor::from_data(TensorData::new(crate::lora::uniform(3, "direction", ids.len() * 64, 1.0), [ids.len(), 64]), &device);
            let mut gradients = (states.clone() * direction).sum().backward();
            let mut all = vec![values(states.inner())];
            trained.visit(&mut |path, t| all.push(values(t.grad_remove(&mut gradients).unwrap_or_else(|| panic!("no gradient of {path}")))));
            all
        };
        let length = |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let apart = |a: &[f32], b: &[f32]| length(&mut a.iter().zip(b).map(|(a, b)| a - b)) / length(&mut b.iter().copied());
        let found = run(&model);
        let rounded = run(&Gemma::load_at(weights.clone(), &device, Precision::F16).expect("a model"));
        let exact = run(&Gemma::load(weights.clone(), &device).expect("a model"));
        assert_eq!(found.len(), 1 + 2 * 7 * 6);
        for (n, (found, rounded)) in found.iter().zip(&rounded).enumerate() {
            assert!(apart(found, rounded) < 1e-3, "{n}: {}", apart(found, rounded));
        }
        // that rounding is seen at all, and is no more than it should be
        let by_rounding = apart(&found[0], &exact[0]);
        assert!(by_rounding > 1e-5 && by_rounding < 2e-2, "{by_rounding}");
    }
}
