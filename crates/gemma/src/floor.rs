//! How fast a training step could be at best: its matrix products alone, on this machine, now.

use crate::config::Config;
use crate::fused::kernel::{Matrix, multiply};
use crate::lora::Projection;
use gemm::Parallelism;
use rayon::prelude::*;
use std::time::Instant;

/// Rows of the table that are multiplied at a time, as in the loss.
const ROWS: usize = 256;

/// Measurements of which the shortest counts.
const TRIES: usize = 5;

/// Seconds of the frozen matrices' products in one step on the CPU, forward and by the input, every core on its share of
/// the tokens, and of the output layer at `targets` positions (0 for a head). Nothing else is counted: no adapters, no
/// attention, no element-wise work.
pub fn seconds(config: &Config, tokens: usize, targets: usize) -> f64 {
    let cores = rayon::current_num_threads();
    let share = tokens.div_ceil(cores).max(1);
    let block: f64 = Projection::ALL
        .into_iter()
        .map(|p| {
            let (inputs, outputs) = p.sizes(config);
            let weights = vec![0.5f32; inputs * outputs];
            shortest(|| {
                (0..cores).into_par_iter().for_each(|_| {
                    let (mut x, mut y) = (vec![0.5f32; share * inputs], vec![0.5f32; share * outputs]);
                    product(&mut y, [share, outputs, inputs], Matrix::rows(&x, inputs), Matrix::transposed(&weights, inputs));
                    product(&mut x, [share, inputs, outputs], Matrix::rows(&y, outputs), Matrix::rows(&weights, inputs));
                });
            })
        })
        .sum();
    let shards = if targets == 0 { 0 } else { config.vocabulary.div_ceil(ROWS).div_ceil(cores) };
    let rows = vec![0.5f32; ROWS * config.hidden];
    let output = shortest(|| {
        (0..cores).into_par_iter().for_each(|_| {
            let (mut h, mut logits) = (vec![0.5f32; targets * config.hidden], vec![0.0f32; targets * ROWS]);
            for _ in 0..shards {
                product(&mut logits, [targets, ROWS, config.hidden], Matrix::rows(&h, config.hidden), Matrix::transposed(&rows, config.hidden));
                product(&mut h, [targets, config.hidden, ROWS], Matrix::rows(&logits, ROWS), Matrix::rows(&rows, config.hidden));
            }
        });
    });
    block * config.layers as f64 + output
}

fn product(out: &mut [f32], sizes: [usize; 3], a: Matrix<'_>, b: Matrix<'_>) {
    // a small factor keeps values finite however often results are fed back
    multiply(out, sizes[1], sizes, a, b, 1e-4, false, Parallelism::None);
}

fn shortest(mut work: impl FnMut()) -> f64 {
    let once = |_| {
        let begun = Instant::now();
        work();
        begun.elapsed().as_secs_f64()
    };
    (0..TRIES).map(once).fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_work_has_a_positive_floor_and_none_has_none() {
        let weights = crate::Weights::open(std::path::Path::new("../../tests/reference/tiny")).expect("opens");
        let config = weights.config();
        assert!(seconds(config, 64, 8) > 0.0);
        assert!(seconds(&config.shortened(1), 1, 0).is_finite());
    }
}
