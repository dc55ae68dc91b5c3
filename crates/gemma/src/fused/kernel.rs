//! Arithmetic on slices of one thread: what the fused block is made of.
//!
//! Matrices are row-major unless a stride says otherwise. Loops are written so that the compiler turns
//! them into vector instructions; [`pulp`] compiles each for every instruction set and picks one at run
//! time. Sums run over sixteen partial sums, or one for each place of a vector ([`narrow`]), in a fixed order, so results do not
//! depend on timing.

use gemm::Parallelism;
use pulp::{Arch, Simd, WithSimd};

/// Partial sums kept side by side: two AVX-512 registers, four of AVX2.
const LANES: usize = 16;

/// A matrix inside a slice.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    row: usize,
    column: usize,
}

impl<'a> Matrix<'a> {
    /// Rows of `width` values, one after the other.
    pub fn rows(values: &'a [f32], width: usize) -> Self {
        Self { values, row: width, column: 1 }
    }

    /// The transpose of [`Matrix::rows`].
    pub fn transposed(values: &'a [f32], width: usize) -> Self {
        Self { values, row: 1, column: width }
    }

    /// Panics if an `m × n` matrix would reach beyond the slice.
    fn check(&self, m: usize, n: usize) {
        assert!((m - 1) * self.row + (n - 1) * self.column < self.values.len(), "a matrix reaches beyond its slice");
    }
}

/// `out = factor · a·b`, or `out += factor · a·b` with `add`; `out` has `m` rows of `n` values, `stride` apart,
/// `a` is `m × k`, `b` is `k × n`.
///
/// # Panics
/// If a matrix reaches beyond its slice.
#[allow(clippy::too_many_arguments)] // the operands of one formula
pub fn multiply(out: &mut [f32], stride: usize, [m, n, k]: [usize; 3], a: Matrix<'_>, b: Matrix<'_>, factor: f32, add: bool, threads: Parallelism) {
    if m == 0 || n == 0 || k == 0 {
        return;
    }
    a.check(m, k);
    b.check(k, n);
    assert!(stride >= n && (m - 1) * stride + n <= out.len(), "the product reaches beyond its slice");
    // SAFETY: the checks above keep every access inside the three slices, and `out` is borrowed alone
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            stride as isize,
            add,
            a.values.as_ptr(),
            a.column as isize,
            a.row as isize,
            b.values.as_ptr(),
            b.column as isize,
            b.row as isize,
            1.0,
            factor,
            false,
            false,
            false,
            threads,
        );
    }
}

/// `out[r·stride + o] = x[r]·w[o]` for a few rows `x` of `width` values, one behind the other, and as many rows of `w`, `w_stride` apart,
/// as there are outputs: each of those is read once for several rows. What is computed for a row does not depend on the others.
///
/// # Panics
/// If a row reaches beyond its slice.
pub fn narrow(out: &mut [f32], stride: usize, x: &[f32], w: &[f32], [width, w_stride, outputs]: [usize; 3]) {
    Arch::new().dispatch(Narrow { out, stride, x, w, width, w_stride, outputs });
}

/// The operands of [`narrow`].
struct Narrow<'a> {
    out: &'a mut [f32],
    stride: usize,
    x: &'a [f32],
    w: &'a [f32],
    width: usize,
    w_stride: usize,
    outputs: usize,
}

impl WithSimd for Narrow<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let rows = self.x.len() / self.width.max(1);
        let mut row = 0;
        while row < rows {
            row += match rows - row {
                1 => self.rows::<S, 1>(simd, row),
                2 | 3 => self.rows::<S, 2>(simd, row),
                _ => self.rows::<S, 4>(simd, row),
            };
        }
    }
}

impl Narrow<'_> {
    /// `R` rows from `row` on; gives `R`.
    #[inline(always)]
    fn rows<S: Simd, const R: usize>(&mut self, simd: S, row: usize) -> usize {
        let x: [&[f32]; R] = std::array::from_fn(|r| &self.x[(row + r) * self.width..(row + r + 1) * self.width]);
        let mut o = 0;
        while o < self.outputs {
            // two at a time, so that a core has enough sums at hand that do not wait for each other
            if o + 2 <= self.outputs {
                self.dots::<S, R, 2>(simd, x, row, o);
                o += 2;
            } else {
                self.dots::<S, R, 1>(simd, x, row, o);
                o += 1;
            }
        }
        R
    }

    /// The products of `R` rows with `O` rows of the weights.
    #[inline(always)]
    fn dots<S: Simd, const R: usize, const O: usize>(&mut self, simd: S, x: [&[f32]; R], row: usize, o: usize) {
        let w: [&[f32]; O] = std::array::from_fn(|i| &self.w[(o + i) * self.w_stride..][..self.width]);
        let (x, x_rest): ([&[S::f32s]; R], [&[f32]; R]) = (x.map(|x| S::as_simd_f32s(x).0), x.map(|x| S::as_simd_f32s(x).1));
        let (w, w_rest): ([&[S::f32s]; O], [&[f32]; O]) = (w.map(|w| S::as_simd_f32s(w).0), w.map(|w| S::as_simd_f32s(w).1));
        let count = w[0].len();
        let (x, w) = (x.map(|x| &x[..count]), w.map(|w| &w[..count]));
        let mut sums = [[simd.splat_f32s(0.0); O]; R];
        for at in 0..count {
            let w: [S::f32s; O] = std::array::from_fn(|i| w[i][at]);
            for r in 0..R {
                let x = x[r][at];
                for i in 0..O {
                    sums[r][i] = simd.mul_add_e_f32s(w[i], x, sums[r][i]);
                }
            }
        }
        for r in 0..R {
            for i in 0..O {
                let rest: f32 = w_rest[i].iter().zip(x_rest[r]).map(|(w, x)| w * x).sum();
                self.out[(row + r) * self.stride + o + i] = simd.reduce_sum_f32s(sums[r][i]) + rest;
            }
        }
    }
}

/// `out[r] += Σ weights[r·stride + i]·v[i]` for rows of `width` values in `out`, one behind the other, and `count` rows of `v`,
/// `v_stride` apart.
///
/// # Panics
/// If a row reaches beyond its slice.
pub fn weighted(out: &mut [f32], weights: &[f32], stride: usize, v: &[f32], [width, v_stride, count]: [usize; 3]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for i in 0..count {
                let v = &v[i * v_stride..i * v_stride + width];
                for (r, out) in out.chunks_exact_mut(width).enumerate() {
                    let weight = weights[r * stride + i];
                    out.iter_mut().zip(v).for_each(|(out, v)| *out += weight * v);
                }
            }
        },
    );
}

/// Sum of `f(a, b)` over two equally long slices.
#[inline(always)]
fn sum(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a_whole, b_whole) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a_whole.remainder().iter().zip(b_whole.remainder()).map(|(&a, &b)| f(a, b)).sum();
    for (a, b) in a_whole.zip(b_whole) {
        for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += f(a, b);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// `e^x` to about 2 ulp for |x| ≤ 87, saturating beyond: Cody and Waite's range reduction and the
/// polynomial of the Cephes library (`expf`), without branches.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // adding 1.5·2²³ rounds to an integer and leaves it in the low bits
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let y = p * (r * r) + r + 1.0;
    y * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23))
}

/// √(2/π) and the cubic factor of the tanh approximation of GELU (Hendrycks and Gimpel 2016, arXiv
/// 1606.08415).
const GELU: (f32, f32) = (0.797_884_6, 0.044_715);

/// `sigmoid(2u)` of GELU's inner function `u`, which is `(1 + tanh u) / 2`.
#[inline(always)]
fn gelu_gate(x: f32) -> f32 {
    let u = GELU.0 * x * (1.0 + GELU.1 * x * x);
    1.0 / (1.0 + exp(-2.0 * u))
}

/// `out = gelu(gate) · up`.
pub fn geglu(out: &mut [f32], gate: &[f32], up: &[f32]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for ((o, &g), &u) in out.iter_mut().zip(gate).zip(up) {
                *o = g * gelu_gate(g) * u;
            }
        },
    );
}

/// Backward of [`geglu`]: from `grad`, the gradient by its output, to the gradients by `gate` and `up`; the
/// output is computed again into `out`. `grad` ends as the gradient by `up`.
pub fn geglu_backward(out: &mut [f32], grad_gate: &mut [f32], grad: &mut [f32], gate: &[f32], up: &[f32]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for ((((o, dg), d), &g), &u) in out.iter_mut().zip(grad_gate).zip(grad).zip(gate).zip(up) {
                let s = gelu_gate(g);
                let slope = s + g * s * (1.0 - s) * 2.0 * GELU.0 * (1.0 + 3.0 * GELU.1 * g * g);
                *o = g * s * u;
                *dg = *d * u * slope;
                *d *= g * s;
            }
        },
    );
}

/// Length of each row, at least the smallest number that there is; as many rows as `out` has places.
pub fn lengths(out: &mut [f32], rows: &[f32]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let width = rows.len() / out.len().max(1);
            for (out, row) in out.iter_mut().zip(rows.chunks_exact(width)) {
                *out = sum(row, row, |a, b| a * b).sqrt().max(f32::MIN_POSITIVE);
            }
        },
    );
}

/// Multiplies each column by a gain of its own.
pub fn gain(values: &mut [f32], gain: &[f32]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for row in values.chunks_exact_mut(gain.len()) {
                row.iter_mut().zip(gain).for_each(|(value, gain)| *value *= gain);
            }
        },
    );
}

/// Backward of [`gain`], whose result was `y`, for a gain of `m` over a constant: `grad` becomes the gradient by what was
/// multiplied, `by_m` the gradient by `m`. Where `m` is exactly 0 so is `y`, and what it came of cannot be told: it gets none.
pub fn gain_backward(by_m: &mut [f32], grad: &mut [f32], y: &[f32], gain: &[f32], m: &[f32]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            by_m.fill(0.0);
            for (grad, y) in grad.chunks_exact_mut(gain.len()).zip(y.chunks_exact(gain.len())) {
                for (((by_m, grad), y), gain) in by_m.iter_mut().zip(grad).zip(y).zip(gain) {
                    *by_m += *grad * y;
                    *grad *= gain;
                }
            }
            for (by_m, &m) in by_m.iter_mut().zip(m) {
                *by_m = if m == 0.0 { 0.0 } else { *by_m / m };
            }
        },
    );
}

/// Inverse root mean square of a row.
#[inline(always)]
fn inverse_rms(x: &[f32], epsilon: f32) -> f32 {
    1.0 / (sum(x, x, |a, b| a * b) / x.len() as f32 + epsilon).sqrt()
}

/// `out = x / rms(x) · scale`, row by row.
pub fn rms_norm(out: &mut [f32], x: &[f32], scale: &[f32], epsilon: f32) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for (o, x) in out.chunks_exact_mut(scale.len()).zip(x.chunks_exact(scale.len())) {
                let inverse = inverse_rms(x, epsilon);
                for ((o, &x), &s) in o.iter_mut().zip(x).zip(scale) {
                    *o = x * inverse * s;
                }
            }
        },
    );
}

/// `out = residual + x / rms(x) · scale`, row by row.
pub fn add_rms_norm(out: &mut [f32], residual: &[f32], x: &[f32], scale: &[f32], epsilon: f32) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let width = scale.len();
            for ((o, r), x) in out.chunks_exact_mut(width).zip(residual.chunks_exact(width)).zip(x.chunks_exact(width)) {
                let inverse = inverse_rms(x, epsilon);
                for (((o, &r), &x), &s) in o.iter_mut().zip(r).zip(x).zip(scale) {
                    *o = r + x * inverse * s;
                }
            }
        },
    );
}

/// Gradient of one row of an RMS norm: `out = base + dx`, where `base` is what `out` holds if `ADD`.
#[inline(always)]
fn rms_norm_row_backward<const ADD: bool>(out: &mut [f32], x: &[f32], scale: &[f32], grad: &[f32], epsilon: f32) {
    let inverse = inverse_rms(x, epsilon);
    let mut lanes = [0.0f32; LANES];
    let whole = x.len() / LANES * LANES;
    for i in (0..whole).step_by(LANES) {
        for l in 0..LANES {
            lanes[l] += x[i + l] * scale[i + l] * grad[i + l];
        }
    }
    let rest: f32 = (whole..x.len()).map(|i| x[i] * scale[i] * grad[i]).sum();
    let along = (lanes.iter().sum::<f32>() + rest) * inverse * inverse * inverse / x.len() as f32;
    for (((o, &x), &s), &g) in out.iter_mut().zip(x).zip(scale).zip(grad) {
        let d = g * s * inverse - x * along;
        *o = if ADD { *o + d } else { d };
    }
}

/// Gradient of [`rms_norm`] by `x`, written to `out`, or added to it with `ADD`.
pub fn rms_norm_backward<const ADD: bool>(out: &mut [f32], x: &[f32], scale: &[f32], grad: &[f32], epsilon: f32) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let width = scale.len();
            for ((o, x), g) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(grad.chunks_exact(width)) {
                rms_norm_row_backward::<ADD>(o, x, scale, g, epsilon);
            }
        },
    );
}

/// Gradient of [`rms_norm`] by its scale, added to `out`, which is as wide as a row.
pub fn rms_norm_scale_backward(out: &mut [f32], x: &[f32], grad: &[f32], epsilon: f32) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for (x, g) in x.chunks_exact(out.len()).zip(grad.chunks_exact(out.len())) {
                let inverse = inverse_rms(x, epsilon);
                for ((o, &x), &g) in out.iter_mut().zip(x).zip(g) {
                    *o += g * x * inverse;
                }
            }
        },
    );
}

/// Rotary angles of the positions from 0 on: `[positions, head / 2]` each.
pub struct Rotary {
    /// Cosines.
    pub cos: Vec<f32>,
    /// Sines.
    pub sin: Vec<f32>,
}

impl Rotary {
    /// Cosines and sines of each position from `first` on, `half` each.
    #[inline(always)]
    fn from(&self, first: usize, half: usize) -> impl Iterator<Item = (&[f32], &[f32])> {
        self.cos[first * half..].chunks_exact(half).zip(self.sin[first * half..].chunks_exact(half))
    }
}

/// Norms every head of consecutive tokens (positions from `first` on) and rotates its two halves against each other.
pub fn norm_and_rotate(out: &mut [f32], x: &[f32], scale: &[f32], epsilon: f32, heads: usize, first: usize, rotary: &Rotary) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let (head, half) = (scale.len(), scale.len() / 2);
            let tokens = out.chunks_exact_mut(heads * head).zip(x.chunks_exact(heads * head));
            for ((o, x), (cos, sin)) in tokens.zip(rotary.from(first, half)) {
                for (o, x) in o.chunks_exact_mut(head).zip(x.chunks_exact(head)) {
                    let inverse = inverse_rms(x, epsilon);
                    let ((upper, second), (a, b)) = (o.split_at_mut(half), x.split_at(half));
                    let (sa, sb) = scale.split_at(half);
                    for i in 0..half {
                        let (a, b) = (a[i] * inverse * sa[i], b[i] * inverse * sb[i]);
                        upper[i] = a * cos[i] - b * sin[i];
                        second[i] = b * cos[i] + a * sin[i];
                    }
                }
            }
        },
    );
}

/// Gradient of [`norm_and_rotate`] by `x`: `grad` goes in and comes out rotated back, as the gradient by what was normed.
#[allow(clippy::too_many_arguments)] // the operands of one formula
pub fn norm_and_rotate_backward(out: &mut [f32], x: &[f32], grad: &mut [f32], scale: &[f32], epsilon: f32, heads: usize, first: usize, rotary: &Rotary) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let (head, half) = (scale.len(), scale.len() / 2);
            let tokens = out.chunks_exact_mut(heads * head).zip(x.chunks_exact(heads * head)).zip(grad.chunks_exact_mut(heads * head));
            for (((o, x), g), (cos, sin)) in tokens.zip(rotary.from(first, half)) {
                for ((o, x), g) in o.chunks_exact_mut(head).zip(x.chunks_exact(head)).zip(g.chunks_exact_mut(head)) {
                    let (upper, second) = g.split_at_mut(half);
                    for i in 0..half {
                        let (f, s) = (upper[i], second[i]);
                        upper[i] = f * cos[i] + s * sin[i];
                        second[i] = s * cos[i] - f * sin[i];
                    }
                    rms_norm_row_backward::<false>(o, x, scale, g, epsilon);
                }
            }
        },
    );
}

/// Softmax of each row over the keys that it may see, in place; the others become 0. Row `i` is the query
/// `first_query + i`, column `j` the key `first_key + j`; a query sees itself and the `window - 1` before it.
pub fn masked_softmax(scores: &mut [f32], keys: usize, first_query: usize, first_key: usize, window: usize) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for (i, row) in scores.chunks_exact_mut(keys).enumerate() {
                let query = first_query + i;
                let from = (query + 1).saturating_sub(window).max(first_key) - first_key;
                let to = query + 1 - first_key;
                row[..from].fill(0.0);
                row[to..].fill(0.0);
                let row = &mut row[from..to];
                let max = row.iter().fold(f32::NEG_INFINITY, |m, &x| m.max(x));
                for x in &mut *row {
                    *x = exp(*x - max);
                }
                let inverse = 1.0 / sum(row, row, |x, _| x);
                for x in row {
                    *x *= inverse;
                }
            }
        },
    );
}

/// Gradient of a softmax by its scores, in place of the gradient by its probabilities.
pub fn softmax_backward(grad: &mut [f32], probabilities: &[f32], keys: usize) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for (g, p) in grad.chunks_exact_mut(keys).zip(probabilities.chunks_exact(keys)) {
                let along = sum(g, p, |g, p| g * p);
                for (g, &p) in g.iter_mut().zip(p) {
                    *g = p * (*g - along);
                }
            }
        },
    );
}

/// One step of a softmax over more columns than are ever held at once: `logits` become exponentials
/// relative to the new `max` of their row and are counted into `sum`; `shrink` says by what the row's earlier
/// results must be multiplied to be relative to it too (Milakov and Gimelshein 2018, arXiv 1805.02867).
pub fn running_softmax(logits: &mut [f32], columns: usize, max: &mut [f32], sums: &mut [f32], shrink: &mut [f32]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let rows = logits.chunks_exact_mut(columns).zip(max).zip(sums).zip(shrink);
            for (((row, max), total), shrink) in rows {
                let mut lanes = [*max; LANES];
                let whole = row.chunks_exact(LANES);
                let rest = whole.remainder().iter().fold(*max, |m, &x| m.max(x));
                for chunk in whole {
                    for (lane, &x) in lanes.iter_mut().zip(chunk) {
                        *lane = if x > *lane { x } else { *lane };
                    }
                }
                let new = lanes.iter().fold(rest, |m, &x| m.max(x));
                *shrink = exp(*max - new);
                for x in &mut *row {
                    *x = exp(*x - new);
                }
                *total = *total * *shrink + sum(row, row, |x, _| x);
                *max = new;
            }
        },
    );
}

/// Part of a product's inputs that is left out at random, and the rest made larger for it, so that the mean stays.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    /// Share that is left out, below 1; a multiple of 2⁻¹⁶ is what is done.
    pub share: f32,
    /// Everything random follows from it, and from where a value stands: not from who computes it, nor how often.
    pub key: u64,
}

impl Dropout {
    /// The dropout of another stream under the same key.
    pub fn stream(self, number: usize) -> Self {
        Self { key: mix(self.key.wrapping_add(number as u64 + 1)), ..self }
    }

    /// `out = x ∘ mask`, or `out += x ∘ mask` with `ADD`, for rows of `width` values of which the first is the row `first` of
    /// all. The mask is 0 or what makes up for the zeros.
    pub fn apply<const ADD: bool>(self, out: &mut [f32], x: &[f32], width: usize, first: usize) {
        let without = ((f64::from(self.share) * 65536.0).round() as u64).min(65535);
        let scale = 65536.0 / (65536 - without) as f32;
        let words = width.div_ceil(4) as u64;
        for (row, (out, x)) in (first as u64..).zip(out.chunks_exact_mut(width).zip(x.chunks_exact(width))) {
            for (word, (out, x)) in (row * words..).zip(out.chunks_mut(4).zip(x.chunks(4))) {
                // four draws of sixteen bits each
                let bits = mix(self.key.wrapping_add(word.wrapping_mul(GOLDEN)));
                for (lane, (out, &x)) in out.iter_mut().zip(x).enumerate() {
                    let value = if (bits >> (16 * lane)) & 0xffff >= without { scale * x } else { 0.0 };
                    *out = if ADD { *out + value } else { value };
                }
            }
        }
    }
}

/// 2⁶⁴ over the golden ratio, the step of SplitMix64 (Steele, Lea and Flood 2014).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of SplitMix64: every bit of the result depends on every bit of `z`.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponential_is_right_over_its_range() {
        for i in -8700..=8800 {
            let x = i as f32 / 100.0;
            let (want, got) = (f64::from(x).exp(), f64::from(exp(x)));
            assert!((got - want).abs() <= 4e-7 * want, "exp({x}) = {got}, not {want}");
        }
        assert!(exp(-1e30) < 1e-37 && exp(f32::INFINITY).is_finite() && exp(f32::NAN).is_nan());
    }

    #[test]
    fn a_few_rows_meet_every_weight() {
        let values = |n: usize, key: usize| -> Vec<f32> { (0..n).map(|i| ((i * 7919 + key * 104_729) % 1009) as f32 / 1009.0 - 0.5).collect() };
        for (rows, width, w_stride, outputs) in [(1, 40, 40, 5), (3, 33, 50, 7), (7, 16, 16, 1), (9, 5, 6, 4)] {
            let (x, w, stride) = (values(rows * width, 1), values(outputs * w_stride, 2), outputs + 2);
            let mut out = vec![9.0; rows * stride];
            narrow(&mut out, stride, &x, &w, [width, w_stride, outputs]);
            let mut added = vec![1.0; rows * width];
            weighted(&mut added, &out, stride, &w, [width, w_stride, outputs]);
            for r in 0..rows {
                let dot = |o: usize| (0..width).map(|i| f64::from(x[r * width + i]) * f64::from(w[o * w_stride + i])).sum::<f64>();
                for o in 0..outputs {
                    assert!((f64::from(out[r * stride + o]) - dot(o)).abs() < 1e-5, "row {r}, output {o}");
                }
                assert_eq!(out[r * stride + outputs..(r + 1) * stride], [9.0, 9.0], "written beside its place");
                for i in 0..width {
                    let expected = 1.0 + (0..outputs).map(|o| dot(o) * f64::from(w[o * w_stride + i])).sum::<f64>();
                    assert!((f64::from(added[r * width + i]) - expected).abs() < 1e-4, "row {r}, value {i}");
                }
            }
        }
    }

    #[test]
    fn a_query_sees_its_window_and_nothing_else() {
        let mut scores = vec![0.5; 3 * 5];
        masked_softmax(&mut scores, 5, 3, 1, 2);
        let third = [0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.5, 0.5];
        assert!(scores.iter().zip(third).all(|(a, b)| (a - b).abs() < 1e-6), "{scores:?}");
    }

    #[test]
    fn dropout_leaves_out_its_share_keeps_the_mean_and_knows_every_place() {
        let (rows, width) = (400, 50);
        let (ones, dropout) = (vec![1.0f32; rows * width], Dropout { share: 0.3, key: 12 });
        let mask = |dropout: Dropout, first: usize, rows: usize| {
            let mut out = vec![9.0; rows * width];
            dropout.apply::<false>(&mut out, &ones[..rows * width], width, first);
            out
        };
        let own = mask(dropout, 0, rows);
        let zeros = own.iter().filter(|&&v| v == 0.0).count() as f64 / own.len() as f64;
        assert!((zeros - 0.3).abs() < 0.013, "{zeros} is not within four deviations of 0.3");
        assert!(own.iter().all(|&v| v == 0.0 || (v - 1.0 / 0.7).abs() < 1e-4));
        // the same rows, whoever begins with them; another stream or key leaves out others
        assert_eq!(mask(dropout, 7, 20), own[7 * width..27 * width]);
        let both = |other: &[f32]| own.iter().zip(other).filter(|(a, b)| **a == 0.0 && **b == 0.0).count() as f64 / own.len() as f64;
        for other in [mask(dropout.stream(0), 0, rows), mask(dropout.stream(1), 0, rows), mask(Dropout { key: 13, ..dropout }, 0, rows), mask(dropout, 1, rows)]
        {
            assert!((both(&other) - 0.09).abs() < 0.009, "{} of both", both(&other));
        }
        let mut added = vec![1.0; width];
        dropout.apply::<true>(&mut added, &ones[..width], width, 3);
        assert!(added.iter().zip(&own[3 * width..]).all(|(a, b)| *a == 1.0 + b));
        let mut nearly_all = vec![1.0; width];
        Dropout { share: 0.999_999_9, ..dropout }.apply::<false>(&mut nearly_all, &ones[..width], width, 0);
        assert!(nearly_all.iter().all(|v| v.is_finite()));
    }

    #[test]
    #[should_panic(expected = "beyond its slice")]
    fn a_product_never_leaves_its_slices() {
        multiply(&mut [0.0; 4], 2, [2, 2, 3], Matrix::rows(&[0.0; 6], 3), Matrix::rows(&[0.0; 5], 2), 1.0, false, Parallelism::None);
    }
}
