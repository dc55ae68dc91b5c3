//! Frozen matrices in fewer bytes than `f32`: half of them, blocks of 8 or 4 bits a value, or as they lie in their file.
//!
//! The block's matrices are the largest thing in memory that never changes. Stored in 16, 8 or 4 bits or left in the blocks
//! of their file they are unpacked just before they are used, one block at a time and by all cores, or one matrix at
//! a time by a graphics device (`halved`); arithmetic, adapters, norms and activations stay `f32`, so the
//! numbers are those of a model that was rounded and then loaded as `f32`, on the CPU to the bit. Adapters beside weights in
//! 4 bits are what QLoRA trains (Dettmers et al. 2023); the blocks here are GGUF's `Q4_0`, not its NF4.

use crate::error::{Error, Result};
use crate::halved;
use crate::quant::Storage;
use crate::weights::Weights;
use burn::tensor::{Device, Tensor, TensorData};
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
    /// Eight and a half bits a value, whatever the file holds: 32 signed bytes share a scale (`Q8_0` of GGUF), rounded to nearest;
    /// on the CPU. A matrix that takes no more bits in its file stays as in the file: rounded once more it would lose, and save
    /// nothing. A matrix whose rows do not fill blocks, or with a value beyond 8.3 million, stays `f32`; no published Gemma has one.
    Q8,
    /// As [`Precision::Q8`] with four and a half bits a value (`Q4_0`): 16 steps a block, so a value is off by up to a sixteenth of
    /// the largest beside it, and by up to an eighth where it is as large with the other sign. The limit is 524 thousand.
    Q4,
    /// As in the file, mapped and never copied: 4 to 9 bits a value where it is quantised, and exact; on the CPU.
    File,
}

impl Precision {
    /// Is it the processor's alone? Graphics devices hold weights in the others as well.
    pub fn only_on_cpu(self) -> bool {
        !matches!(self, Self::F32 | Self::F16)
    }

    /// What a matrix that its file stores so is written as; none where the file's own bytes stay.
    fn written(self, stored: Storage) -> Option<Storage> {
        let (wanted, kept) = match self {
            Self::F32 | Self::File => return None,
            Self::F16 => (Storage::F16, stored == Storage::F16),
            Self::Bf16 => (Storage::BF16, stored == Storage::BF16),
            Self::Q8 => (Storage::Q8_0, stored.bits() <= Storage::Q8_0.bits()),
            Self::Q4 => (Storage::Q4_0, stored.bits() <= Storage::Q4_0.bits()),
        };
        (!kept).then_some(wanted)
    }
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
    /// A matrix of open weights, of these `values`, at a precision below `f32`; none where that cannot hold it.
    ///
    /// # Errors
    /// If there is no such tensor.
    fn new(weights: &Arc<Weights>, name: &str, shape: [usize; 2], precision: Precision, values: &[f32]) -> Result<Option<Self>> {
        let stored = weights.raw(name)?.storage;
        Ok(match precision.written(stored) {
            None => Some(Self { shape, storage: stored, bytes: Bytes::File(weights.clone(), name.into()) }),
            Some(storage) => encoded(storage, shape, values).map(|bytes| Self { shape, storage, bytes: Bytes::Own(bytes) }),
        })
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
        // rows of whole blocks: checked by whoever opened the file, or wrote the bytes
        let row = bytes.len() / self.shape[0].max(1);
        self.storage.dequantize(&bytes[rows.start * row..rows.end * row], out);
    }
}

/// The values of a matrix as `storage` holds them, written on every core; none where it cannot hold them in rows of whole blocks.
fn encoded(storage: Storage, [outputs, inputs]: [usize; 2], values: &[f32]) -> Option<Vec<u8>> {
    let row = storage.bytes(inputs)?;
    let mut bytes = vec![0u8; outputs * row];
    let chunks = bytes.par_chunks_mut(row * ROWS).zip(values.par_chunks(inputs * ROWS));
    let held = chunks.all(|(bytes, values)| storage.encode(values, bytes));
    held.then_some(bytes)
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
        if !cpu && precision.only_on_cpu() {
            return Err(Error::Request(say!(
                "on a graphics device precision can only be f32 or f16; set one of them, or choose the device cpu",
                "su un dispositivo grafico la precisione può essere solo f32 o f16; imposta una delle due, oppure scegli il dispositivo cpu"
            )));
        }
        // read whatever is kept, so that a damaged file is found before anything is computed
        let values = weights.values(name, &shape)?;
        let smaller = match precision {
            Precision::F32 => None,
            _ if cpu => Packed::new(weights, name, shape, precision, &values)?.map(|packed| Self::Packed(Arc::new(packed))),
            _ => halved::holds(&values).then(|| Self::Halved(halved::tensor(&values, shape, device))),
        };
        // what fewer bits cannot hold, such as what half precision would make infinite, stays as it is
        let held = smaller.unwrap_or_else(|| Self::Whole(Tensor::from_data(TensorData::new(values, shape), device)));
        if !matches!(&held, Self::Packed(packed) if matches!(packed.bytes, Bytes::File(..))) {
            // or the memory that is saved would be taken by what was read to save it
            weights.forget(name);
        }
        Ok(held)
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
    use half::{bf16, f16};

    /// What is unpacked is what the file holds, or that rounded to fewer bits, whatever the rows per core.
    #[test]
    fn unpacking_gives_the_values_back() {
        let file = std::path::Path::new("../../tests/reference/tiny/tiny-f32.gguf");
        let weights = Arc::new(Weights::open(file).expect("opens"));
        let c = weights.config().clone();
        let (name, shape) = ("model.layers.1.mlp.gate_proj.weight", [c.feed_forward, c.hidden]);
        let values = weights.values(name, &shape).expect("there");
        let rounded = |round: fn(f32) -> f32| values.iter().map(|&x| round(x)).collect::<Vec<f32>>();
        let (f16, bf16) = (rounded(|x| f16::from_f32(x).to_f32()), rounded(|x| bf16::from_f32(x).to_f32()));
        let (q8, q4) = (through(Storage::Q8_0, &values), through(Storage::Q4_0, &values));
        let all = [(Precision::File, values.clone()), (Precision::F16, f16), (Precision::Bf16, bf16), (Precision::Q8, q8), (Precision::Q4, q4)];
        for (i, (precision, expected)) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|(_, other)| other != expected), "{precision:?} rounds nothing here, so nothing was tested");
            let packed = Packed::new(&weights, name, shape, *precision, &values).expect("there").expect("packs");
            let mut out = vec![f32::NAN; values.len()];
            packed.unpack(&mut out);
            assert_eq!(out, *expected, "{precision:?}");
        }
        assert!(Matrix::load(&weights, name, [3, 5], Precision::File, &Device::flex()).is_err());
    }

    /// Values written in a type and read back.
    fn through(storage: Storage, values: &[f32]) -> Vec<f32> {
        let mut bytes = vec![0; storage.bytes(values.len()).expect("whole blocks")];
        assert!(storage.encode(values, &mut bytes));
        let mut out = vec![f32::NAN; values.len()];
        storage.dequantize(&bytes, &mut out);
        out
    }

    /// What a file holds in as few bits as are asked for is not rounded once more.
    #[test]
    fn blocks_of_the_file_that_are_small_enough_stay() {
        use crate::quant::Storage::{BF16, F16, F32, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0};
        let large = [F32, F16, BF16];
        let small = [Q8_0, Q5_0, Q5_1, Q4_0, Q4_1, Q4_K, Q5_K, Q6_K];
        for stored in large {
            assert_eq!([Precision::Q8, Precision::Q4].map(|p| p.written(stored)), [Some(Q8_0), Some(Q4_0)], "{stored:?}");
        }
        for stored in small {
            let four = if matches!(stored, Q4_0 | Q4_K) { None } else { Some(Q4_0) };
            assert_eq!([Precision::Q8, Precision::Q4].map(|p| p.written(stored)), [None, four], "{stored:?}");
        }
        for stored in large.into_iter().chain(small) {
            assert_eq!(Precision::File.written(stored), None, "{stored:?}");
            let half = [(Precision::F16, F16), (Precision::Bf16, BF16)].map(|(p, own)| p.written(stored) == Some(own).filter(|own| *own != stored));
            assert_eq!(half, [true; 2], "{stored:?}");
        }
    }

    fn small() -> Config {
        Config { vocabulary: 300, context: 128, ..Config::small() }
    }

    #[test]
    fn a_matrix_that_fewer_bits_cannot_hold_stays_as_it_is() {
        for (precision, most) in [(Precision::F16, 65504.0), (Precision::Q8, 127.0 * 65504.0), (Precision::Q4, 8.0 * 65504.0)] {
            // the values reach to 0.2 times the factor
            let large = |name: &str| if name.ends_with("up_proj.weight") { 8.0 * most } else { 1.0 };
            let weights = Arc::new(Weights::drawn(small(), 1, large));
            let load = |part: &str| {
                let name = format!("model.layers.0.mlp.{part}.weight");
                (Matrix::load(&weights, &name, [128, 64], precision, &Device::flex()).expect("loads"), weights.values(&name, &[128, 64]).expect("there"))
            };
            let (up, exact) = load("up_proj");
            assert!(matches!(up, Matrix::Whole(_)) && values(up.tensor(&Device::flex())) == exact, "{precision:?}");
            assert!(exact.iter().any(|x| x.abs() > most), "{precision:?}");
            let (gate, exact) = load("gate_proj");
            assert!(matches!(gate, Matrix::Packed(_)) && values(gate.tensor(&Device::flex())) != exact, "{precision:?}");
        }
    }

    /// Rows are unpacked by themselves, so blocks must not go on from one to the next.
    #[test]
    fn a_matrix_whose_rows_do_not_fill_blocks_stays_as_it_is() {
        let weights = Arc::new(Weights::random(Config { hidden: 48, ..small() }, 1));
        let load = |part: &str, shape: [usize; 2], precision: Precision| {
            Matrix::load(&weights, &format!("model.layers.0.mlp.{part}.weight"), shape, precision, &Device::flex()).expect("loads")
        };
        for precision in [Precision::Q8, Precision::Q4] {
            assert!(matches!(load("up_proj", [128, 48], precision), Matrix::Whole(_)), "{precision:?}");
            assert!(matches!(load("down_proj", [48, 128], precision), Matrix::Packed(_)), "{precision:?}");
        }
        assert!(matches!(load("up_proj", [128, 48], Precision::F16), Matrix::Packed(_)));
    }

    #[test]
    fn a_model_is_loaded_no_further_than_somebody_waits() {
        let (device, weights) = (Device::flex(), Arc::new(Weights::random(small(), 1)));
        let (mut told, whole) = (Vec::new(), weights.config().block_parameters() as u64);
        let mut watch = |done: u64| {
            told.push(done);
            true
        };
        Gemma::load_with(weights.clone(), &device, Precision::F32, &mut watch).expect("a model");
        // seven matrices a block
        assert!(told.len() == 7 * weights.config().layers && told.is_sorted(), "{told:?}");
        assert!(told.last().is_some_and(|done| *done <= whole && *done * 10 > whole * 9), "{told:?} of {whole}");
        for last in [1, 5, told.len()] {
            let mut asked = 0;
            let mut watch = |_: u64| {
                asked += 1;
                asked < last
            };
            assert!(Gemma::load_with(weights.clone(), &device, Precision::F32, &mut watch).is_err_and(|e| e.to_string().contains("was ended")));
            assert_eq!(asked, last);
        }
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
