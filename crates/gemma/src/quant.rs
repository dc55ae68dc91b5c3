//! Storage types of weights and how each becomes `f32`.
//!
//! GGUF stores quantised matrices as rows of blocks: 32 values share one scale in the `_0`/`_1`
//! types, 256 values share a super-block of scales in the `_K` types. The layouts and formulas are
//! those of ggml (`ggml-common.h`, `ggml-quants.c`); the tests hold every type against the values
//! that the `gguf` Python package computes.

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

    #[derive(serde::Deserialize)]
    struct Case {
        hex: String,
        values: Vec<f32>,
    }

    /// Every supported type gives what the `gguf` Python package gives for the same bytes.
    #[test]
    fn every_type_matches_the_gguf_package() {
        let file = "../../tests/reference/quants.json";
        let text = std::fs::read_to_string(file).expect("tests/reference/quants.json is checked in");
        let cases: std::collections::BTreeMap<String, Case> = serde_json::from_str(&text).expect("valid JSON");
        let types =
            [("F32", 0), ("F16", 1), ("Q4_0", 2), ("Q4_1", 3), ("Q5_0", 6), ("Q5_1", 7), ("Q8_0", 8), ("Q4_K", 12), ("Q5_K", 13), ("Q6_K", 14), ("BF16", 30)];
        for (name, id) in types {
            let case = &cases[name];
            let bytes: Vec<u8> = (0..case.hex.len() / 2).map(|i| u8::from_str_radix(&case.hex[2 * i..2 * i + 2], 16).expect("hex")).collect();
            let storage = Storage::from_ggml(id).expect("supported");
            let mut out = vec![0.0; case.values.len()];
            storage.dequantize(&bytes, &mut out);
            for (i, (a, b)) in out.iter().zip(&case.values).enumerate() {
                assert!((a - b).abs() <= 1e-6 * b.abs().max(1e-3), "{name}[{i}]: {a} is not {b}");
            }
        }
    }

    #[test]
    fn sizes_must_fill_blocks() {
        assert_eq!(Storage::Q4_K.bytes(512), Some(288));
        assert_eq!(Storage::Q4_K.bytes(100), None);
        assert_eq!(Storage::F32.bytes(usize::MAX), None);
    }
}
