//! Storage types of weights, how each becomes `f32`, and how `f32` becomes the smaller ones of them that weights are held in.
//!
//! GGUF stores quantised matrices as rows of blocks: 32 values share one scale in the `_0`/`_1`
//! types, 256 values share a super-block of scales in the `_K` types. The layouts and formulas are
//! those of ggml (`ggml-common.h`, `ggml-quants.c`); the tests hold every type against the values
//! that the `gguf` Python package computes, and each of those written in blocks against its bytes.

use half::{bf16, f16};

/// How a tensor's values are stored in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub enum Storage {
    /// 32-bit IEEE float.
    F32,
    /// 16-bit IEEE float.
    F16,
    /// bfloat16.
    BF16,
    /// 32 signed bytes and an `f16` scale.
    Q8_0,
    /// 32 five-bit values around 16 and an `f16` scale.
    Q5_0,
    /// 32 five-bit values, an `f16` scale and an `f16` minimum.
    Q5_1,
    /// 32 four-bit values around 8 and an `f16` scale.
    Q4_0,
    /// 32 four-bit values, an `f16` scale and an `f16` minimum.
    Q4_1,
    /// 256 four-bit values in 8 groups with six-bit scales and minima.
    Q4_K,
    /// 256 five-bit values in 8 groups with six-bit scales and minima.
    Q5_K,
    /// 256 six-bit values in 16 groups with eight-bit scales.
    Q6_K,
}

impl Storage {
    /// The type with this number in a GGUF file (`enum ggml_type`), if it is supported.
    pub fn from_ggml(id: u32) -> Option<Self> {
        Some(match id {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            12 => Self::Q4_K,
            13 => Self::Q5_K,
            14 => Self::Q6_K,
            30 => Self::BF16,
            _ => return None,
        })
    }

    /// The number of the type in a GGUF file.
    pub fn to_ggml(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q5_0 => 6,
            Self::Q5_1 => 7,
            Self::Q8_0 => 8,
            Self::Q4_K => 12,
            Self::Q5_K => 13,
            Self::Q6_K => 14,
            Self::BF16 => 30,
        }
    }

    /// `(values, bytes)` of one block; plain floats are blocks of one value.
    pub fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::BF16 => (1, 2),
            Self::Q8_0 => (32, 34),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q4_K => (256, 144),
            Self::Q5_K => (256, 176),
            Self::Q6_K => (256, 210),
        }
    }

    /// Bits that a value takes, its share of a block's scales included.
    pub fn bits(self) -> f64 {
        let (n, b) = self.block();
        (8 * b) as f64 / n as f64
    }

    /// Bytes that `values` take, or `None` if they do not fill whole blocks or the size overflows.
    pub fn bytes(self, values: usize) -> Option<usize> {
        let (n, b) = self.block();
        values.is_multiple_of(n).then(|| (values / n).checked_mul(b)).flatten()
    }

    /// Writes the values stored in `bytes` to `out`.
    ///
    /// # Panics
    /// If `bytes` is not exactly as long as [`Storage::bytes`] says for `out.len()` values; readers
    /// check that when they open a file.
    pub fn dequantize(self, bytes: &[u8], out: &mut [f32]) {
        assert_eq!(self.bytes(out.len()), Some(bytes.len()), "{self:?} block count");
        let (n, b) = self.block();
        let blocks = bytes.chunks_exact(b).zip(out.chunks_exact_mut(n));
        match self {
            // of known length, so that the compiler can take many at a time
            Self::F32 => bytes.as_chunks().0.iter().zip(out).for_each(|(x, y)| *y = f32::from_le_bytes(*x)),
            Self::F16 => bytes.as_chunks().0.iter().zip(out).for_each(|(x, y)| *y = f16::from_le_bytes(*x).to_f32()),
            Self::BF16 => bytes.as_chunks().0.iter().zip(out).for_each(|(x, y)| *y = bf16::from_le_bytes(*x).to_f32()),
            Self::Q8_0 => blocks.for_each(|(x, y)| q8_0(x, y)),
            Self::Q5_0 => blocks.for_each(|(x, y)| q5(x, &x[2..], y, |d, q| d * (q - 16) as f32)),
            Self::Q5_1 => blocks.for_each(|(x, y)| {
                let m = half(x, 2);
                q5(x, &x[4..], y, |d, q| d * q as f32 + m)
            }),
            Self::Q4_0 => blocks.for_each(|(x, y)| q4(x, &x[2..], y, |d, q| d * (q - 8) as f32)),
            Self::Q4_1 => blocks.for_each(|(x, y)| {
                let m = half(x, 2);
                q4(x, &x[4..], y, |d, q| d * q as f32 + m)
            }),
            Self::Q4_K => blocks.for_each(|(x, y)| q4_k(x, y)),
            Self::Q5_K => blocks.for_each(|(x, y)| q5_k(x, y)),
            Self::Q6_K => blocks.for_each(|(x, y)| q6_k(x, y)),
        }
    }

    /// Writes `values` to `bytes` as this type holds them, each rounded to nearest; whether it can hold them. It cannot if
    /// a value is not finite, or beyond what `f16` or `bf16` holds, or if the scale of a block is beyond `f16` (values of 8.3 million
    /// in `Q8_0`, of 524 thousand in `Q4_0`), or if the type is none that weights are rounded to: those are `F16`, `BF16`, `Q8_0`
    /// and `Q4_0`. What then stands in `bytes` means nothing.
    ///
    /// # Panics
    /// If `bytes` is not exactly as long as [`Storage::bytes`] says for `values.len()` values.
    pub fn encode(self, values: &[f32], bytes: &mut [u8]) -> bool {
        assert_eq!(self.bytes(values.len()), Some(bytes.len()), "{self:?} block count");
        let (n, b) = self.block();
        let mut blocks = values.chunks_exact(n).zip(bytes.chunks_exact_mut(b));
        match self {
            Self::F16 => blocks.all(|(x, y)| {
                let x = f16::from_f32(x[0]);
                y.copy_from_slice(&x.to_le_bytes());
                x.is_finite()
            }),
            Self::BF16 => blocks.all(|(x, y)| {
                let x = bf16::from_f32(x[0]);
                y.copy_from_slice(&x.to_le_bytes());
                x.is_finite()
            }),
            Self::Q8_0 => blocks.all(|(x, y)| to_q8_0(x, y)),
            Self::Q4_0 => blocks.all(|(x, y)| to_q4_0(x, y)),
            Self::F32 | Self::Q5_0 | Self::Q5_1 | Self::Q4_1 | Self::Q4_K | Self::Q5_K | Self::Q6_K => false,
        }
    }
}

/// `quantize_row_q8_0_ref` of ggml for one block; whether it can be held.
fn to_q8_0(x: &[f32], y: &mut [u8]) -> bool {
    let most = x.iter().fold(0f32, |most, x| most.max(x.abs()));
    let (scale, qs) = y.split_at_mut(2);
    let (held, inverse) = write_scale(x, most / 127.0, scale);
    for (q, x) in qs.iter_mut().zip(x) {
        *q = (x * inverse).round() as i8 as u8;
    }
    held
}

/// `quantize_row_q4_0_ref` of ggml for one block; whether it can be held. The value that is farthest from 0 becomes -8 steps, so a
/// value as far on the other side, which would be 8 steps, becomes 7.
fn to_q4_0(x: &[f32], y: &mut [u8]) -> bool {
    let most = x.iter().fold(0f32, |most, &x| if x.abs() > most.abs() { x } else { most });
    let (scale, qs) = y.split_at_mut(2);
    let (held, inverse) = write_scale(x, most / -8.0, scale);
    // never negative: no value lies farther from 0 than 8 steps
    let steps = |x: f32| ((x * inverse + 8.5) as u8).min(15);
    for (j, q) in qs.iter_mut().enumerate() {
        *q = steps(x[j]) | steps(x[j + 16]) << 4;
    }
    held
}

/// Writes the scale `d` of a block of values; whether that and they are finite, and what the values are to be multiplied by, which
/// ggml takes of the scale before `f16` rounds it.
fn write_scale(x: &[f32], d: f32, y: &mut [u8]) -> (bool, f32) {
    let stored = f16::from_f32(d);
    y.copy_from_slice(&stored.to_le_bytes());
    // a maximum passes over what is no number
    let held = stored.is_finite() && x.iter().all(|x| x.is_finite());
    (held, if d == 0.0 { 0.0 } else { d.recip() })
}

fn half(x: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([x[at], x[at + 1]]).to_f32()
}

fn q8_0(x: &[u8], y: &mut [f32]) {
    let d = half(x, 0);
    for (y, &q) in y.iter_mut().zip(&x[2..34]) {
        *y = d * f32::from(q as i8);
    }
}

/// 16 bytes of nibbles: low nibbles are the first 16 values, high nibbles the last 16.
fn q4(x: &[u8], qs: &[u8], y: &mut [f32], value: impl Fn(f32, i32) -> f32) {
    let d = half(x, 0);
    for j in 0..16 {
        y[j] = value(d, i32::from(qs[j] & 15));
        y[j + 16] = value(d, i32::from(qs[j] >> 4));
    }
}

/// As [`q4`], with a 32-bit field of fifth bits before the nibbles.
fn q5(x: &[u8], rest: &[u8], y: &mut [f32], value: impl Fn(f32, i32) -> f32) {
    let d = half(x, 0);
    let high = u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]);
    let qs = &rest[4..20];
    for j in 0..16 {
        let bit = |k: usize| ((high >> k & 1) << 4) as i32;
        y[j] = value(d, i32::from(qs[j] & 15) | bit(j));
        y[j + 16] = value(d, i32::from(qs[j] >> 4) | bit(j + 16));
    }
}

/// Six-bit scale and minimum of group `j` from the 12 packed bytes of a `_K` super-block.
fn scale_min(j: usize, s: &[u8]) -> (f32, f32) {
    let (sc, m) = if j < 4 { (s[j] & 63, s[j + 4] & 63) } else { ((s[j + 4] & 15) | (s[j - 4] >> 6 << 4), (s[j + 4] >> 4) | (s[j] >> 6 << 4)) };
    (f32::from(sc), f32::from(m))
}

fn q4_k(x: &[u8], y: &mut [f32]) {
    let (d, dmin) = (half(x, 0), half(x, 2));
    let (scales, qs) = (&x[4..16], &x[16..144]);
    for j in 0..8 {
        let (sc, m) = scale_min(j, scales);
        let (d, m) = (d * sc, dmin * m);
        for l in 0..32 {
            let q = qs[j / 2 * 32 + l] >> (4 * (j % 2)) & 15;
            y[j * 32 + l] = d * f32::from(q) - m;
        }
    }
}

fn q5_k(x: &[u8], y: &mut [f32]) {
    let (d, dmin) = (half(x, 0), half(x, 2));
    let (scales, qh, qs) = (&x[4..16], &x[16..48], &x[48..176]);
    for j in 0..8 {
        let (sc, m) = scale_min(j, scales);
        let (d, m) = (d * sc, dmin * m);
        for l in 0..32 {
            let low = qs[j / 2 * 32 + l] >> (4 * (j % 2)) & 15;
            let high = (qh[l] >> j & 1) << 4;
            y[j * 32 + l] = d * f32::from(low | high) - m;
        }
    }
}

fn q6_k(x: &[u8], y: &mut [f32]) {
    let (ql, qh, scales, d) = (&x[..128], &x[128..192], &x[192..208], half(x, 208));
    for (i, y) in y.iter_mut().enumerate() {
        // each half of 128 values: 64 bytes of low nibbles and 32 bytes of high bit pairs
        let (h, r) = (i / 128, i % 128);
        let (group, l) = (r / 32, r % 32);
        let low = ql[h * 64 + (group % 2) * 32 + l] >> (4 * (group / 2)) & 15;
        let high = qh[h * 32 + l] >> (2 * group) & 3;
        let q = i32::from(low | high << 4) - 32;
        *y = d * f32::from(scales[i / 16] as i8) * q as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::BTreeMap;

    #[derive(serde::Deserialize)]
    struct Case {
        hex: String,
        values: Vec<f32>,
    }

    fn read<T: serde::de::DeserializeOwned>(file: &str) -> BTreeMap<String, T> {
        let text = std::fs::read_to_string(format!("../../tests/reference/{file}")).expect("checked in");
        serde_json::from_str(&text).expect("valid JSON")
    }

    fn bytes_of(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex")).collect()
    }

    /// Every supported type gives what the `gguf` Python package gives for the same bytes.
    #[test]
    fn every_type_matches_the_gguf_package() {
        let cases: BTreeMap<String, Case> = read("quants.json");
        let types =
            [("F32", 0), ("F16", 1), ("Q4_0", 2), ("Q4_1", 3), ("Q5_0", 6), ("Q5_1", 7), ("Q8_0", 8), ("Q4_K", 12), ("Q5_K", 13), ("Q6_K", 14), ("BF16", 30)];
        for (name, id) in types {
            let case = &cases[name];
            let bytes = bytes_of(&case.hex);
            let storage = Storage::from_ggml(id).expect("supported");
            let mut out = vec![0.0; case.values.len()];
            storage.dequantize(&bytes, &mut out);
            for (i, (a, b)) in out.iter().zip(&case.values).enumerate() {
                assert!((a - b).abs() <= 1e-6 * b.abs().max(1e-3), "{name}[{i}]: {a} is not {b}");
            }
        }
    }

    /// The bytes are those of the `gguf` Python package, which are those of ggml: see `tests/reference/make_encoded.py`.
    #[test]
    fn blocks_are_written_as_the_gguf_package_writes_them() {
        let cases: BTreeMap<String, BTreeMap<String, String>> = read("encoded.json");
        assert!(cases.len() > 10);
        for (name, case) in &cases {
            let mut values = vec![0.0; case["values"].len() / 8];
            Storage::F32.dequantize(&bytes_of(&case["values"]), &mut values);
            for (kind, storage) in [("Q8_0", Storage::Q8_0), ("Q4_0", Storage::Q4_0)] {
                assert_eq!(encoded(storage, &values), Some(bytes_of(&case[kind])), "{name} as {kind}");
            }
        }
    }

    fn encoded(storage: Storage, values: &[f32]) -> Option<Vec<u8>> {
        let mut bytes = vec![0; storage.bytes(values.len()).expect("whole blocks")];
        storage.encode(values, &mut bytes).then_some(bytes)
    }

    fn decoded(storage: Storage, bytes: &[u8], values: usize) -> Vec<f32> {
        let mut out = vec![f32::NAN; values];
        storage.dequantize(bytes, &mut out);
        out
    }

    /// What comes back lies within half a step of what was written, and writing it again changes nothing. Besides, `f16` rounds
    /// the step itself; and in `Q4_0` the values that only an eighth step would reach stop at the seventh.
    #[test]
    fn a_block_comes_back_within_half_a_step() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for (storage, steps) in [(Storage::Q8_0, 127.0), (Storage::Q4_0, 8.0f32)] {
            for block in 0..500 {
                // from where f16 is short of digits to where it ends
                let reach = 10f32.powf(random.random_range(-4.0..5.0));
                let values: Vec<f32> = (0..32).map(|_| random.random_range(-reach..reach)).collect();
                let bytes = encoded(storage, &values).expect("held");
                let back = decoded(storage, &bytes, 32);
                let far = values.iter().fold(0f32, |far, &x| if x.abs() > far.abs() { x } else { far });
                let step = far.abs() / steps;
                let rounded = (half(&bytes, 0).abs() - step).abs() * steps;
                for (x, y) in values.iter().zip(&back) {
                    let beyond = storage == Storage::Q4_0 && x * far < 0.0 && x.abs() > 7.5 * step;
                    let most = if beyond { 1.0 } else { 0.5 } * step;
                    assert!((x - y).abs() <= most * 1.0001 + rounded, "{storage:?}, block {block}: {x} came back as {y}, a step is {step}");
                }
                assert_eq!(encoded(storage, &back), Some(bytes), "{storage:?}, block {block}");
            }
        }
    }

    #[test]
    fn zeros_stay_zeros_and_an_outlier_hides_the_rest() {
        for storage in [Storage::Q8_0, Storage::Q4_0] {
            let zeros = encoded(storage, &[0.0; 64]).expect("held");
            assert_eq!(decoded(storage, &zeros, 64), [0.0; 64], "{storage:?}");
            let mut values = [0.01f32; 64];
            values[40] = -3e4;
            let back = decoded(storage, &encoded(storage, &values).expect("held"), 64);
            // the block without it knows nothing of it
            assert!(back[..32].iter().all(|x| (x - 0.01).abs() < 0.001), "{storage:?}: {back:?}");
            assert!((back[40] / -3e4 - 1.0).abs() < 1e-3, "{storage:?}: {}", back[40]);
            assert!(back[32..].iter().enumerate().all(|(i, &x)| i == 8 || x == 0.0), "{storage:?}: {back:?}");
        }
    }

    /// What cannot be held is refused, wherever in a matrix it stands, and so is a type that is only read.
    #[test]
    fn what_cannot_be_held_is_not_written() {
        for (storage, most) in [(Storage::F16, 65504.0), (Storage::BF16, 3.38e38), (Storage::Q8_0, 8.3e6), (Storage::Q4_0, 5.2e5f32)] {
            for place in [0, 63] {
                let with = |value: f32| {
                    let mut values = [0.5f32; 64];
                    values[place] = value;
                    encoded(storage, &values)
                };
                assert!(with(most).is_some() && with(-most).is_some(), "{storage:?}");
                for value in [1.01 * most, -1.01 * most, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                    assert_eq!(with(value), None, "{storage:?}: {value}");
                }
            }
        }
        for storage in [Storage::F32, Storage::Q5_0, Storage::Q4_K] {
            assert_eq!(encoded(storage, &[0.5; 256]), None, "{storage:?}");
        }
        // the inverse of the scale is infinite: nothing is left of such values, and nothing becomes infinite or no number
        let tiny: Vec<f32> = (0..32).map(|i| if i % 2 == 0 { 1e-38 } else { 0.0 }).collect();
        for storage in [Storage::Q8_0, Storage::Q4_0] {
            assert_eq!(decoded(storage, &encoded(storage, &tiny).expect("held"), 32), [0.0; 32], "{storage:?}");
        }
    }

    #[test]
    fn sizes_must_fill_blocks() {
        assert_eq!(Storage::Q4_K.bytes(512), Some(288));
        assert_eq!(Storage::Q4_K.bytes(100), None);
        assert_eq!(Storage::F32.bytes(usize::MAX), None);
        assert_eq!([Storage::F32, Storage::Q8_0, Storage::Q6_K, Storage::Q4_0, Storage::Q4_K].map(Storage::bits), [32.0, 8.5, 6.5625, 4.5, 4.5]);
    }
}
