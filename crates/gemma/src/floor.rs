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

/// How often a step multiplies by a matrix: forward in every block, and backward in every block but by the first
/// one's queries, keys and values, below which nothing learns.
fn times(projection: Projection, layers: usize) -> [usize; 2] {
    let read = matches!(projection, Projection::Q | Projection::K | Projection::V);
    [layers, layers.saturating_sub(usize::from(read))]
}

/// Seconds of the matrices' products in one step on the CPU, forward, by the input and, where they are trained `whole`, by
/// the matrices themselves, every core on its share of the tokens, and of the output layer at `targets` positions (0 for a
/// head). Nothing else is counted: no adapters, no attention, no element-wise work, and no making of buffers.
pub fn seconds(config: &Config, tokens: usize, targets: usize, whole: bool) -> f64 {
    let cores = rayon::current_num_threads();
    let share = tokens.div_ceil(cores).max(1);
    let block = |p: Projection| {
        let (inputs, outputs) = p.sizes(config);
        let weights = vec![0.5f32; inputs * outputs];
        let forward = shortest(&mut pairs(cores, share * inputs, share * outputs), |x, y| {
            product(y, [share, outputs, inputs], Matrix::rows(x, inputs), Matrix::transposed(&weights, inputs));
        });
        let backward = shortest(&mut pairs(cores, share * outputs, share * inputs), |y, x| {
            product(x, [share, inputs, outputs], Matrix::rows(y, outputs), Matrix::rows(&weights, inputs));
        });
        let [often, back] = times(p, config.layers);
        let mut gradients: Vec<Vec<f32>> = vec![vec![0.0; if whole { inputs * outputs } else { 0 }]; cores];
        let mut pairs: Vec<_> = pairs(cores, share * outputs, share * inputs).into_iter().zip(&mut gradients).collect();
        let learning = shortest(&mut pairs, |(y, x), gradient| {
            if whole {
                product(gradient, [outputs, inputs, share], Matrix::transposed(y, outputs), Matrix::rows(x, inputs));
            }
        });
        forward * often as f64 + backward * back as f64 + learning * config.layers as f64
    };
    let blocks: f64 = Projection::ALL.into_iter().map(block).sum();
    let shards = if targets == 0 { 0 } else { config.vocabulary.div_ceil(ROWS).div_ceil(cores) };
    let (hidden, rows) = (config.hidden, vec![0.5f32; ROWS * config.hidden]);
    let mut gradients: Vec<Vec<f32>> = vec![vec![0.0; targets * hidden]; cores];
    let output = shortest(&mut pairs(cores, targets * hidden, targets * ROWS).into_iter().zip(&mut gradients).collect::<Vec<_>>(), |(h, logits), gradient| {
        for _ in 0..shards {
            product(logits, [targets, ROWS, hidden], Matrix::rows(h, hidden), Matrix::transposed(&rows, hidden));
            product(gradient, [targets, hidden, ROWS], Matrix::rows(logits, ROWS), Matrix::rows(&rows, hidden));
        }
    });
    blocks + output
}

/// For each core what a product reads and what it writes. Nothing is fed back, because numbers that shrink with every product
/// become too small to be multiplied at full speed.
fn pairs(cores: usize, read: usize, written: usize) -> Vec<(Vec<f32>, Vec<f32>)> {
    vec![(vec![0.5; read], vec![0.0; written]); cores]
}

fn product(out: &mut [f32], sizes: [usize; 3], a: Matrix<'_>, b: Matrix<'_>) {
    multiply(out, sizes[1], sizes, a, b, 1.0, false, Parallelism::None);
}

/// The shortest of some tries of the same work on every core, each with its own buffers.
fn shortest<A: Send, B: Send>(buffers: &mut [(A, B)], work: impl Fn(&mut A, &mut B) + Sync) -> f64 {
    let mut once = |_| {
        let begun = Instant::now();
        buffers.par_iter_mut().for_each(|(a, b)| work(a, b));
        begun.elapsed().as_secs_f64()
    };
    (0..TRIES).map(&mut once).fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is counted is what the fused block multiplies by: its shape says that the lowest block's input has no gradient.
    #[test]
    fn the_first_block_does_not_ask_what_its_input_should_have_been() {
        assert_eq!(Projection::ALL.map(|p| times(p, 18)[0]), [18; 7]);
        assert_eq!(Projection::ALL.map(|p| times(p, 18)[1]), [17, 17, 17, 18, 18, 18, 18]);
        assert_eq!(times(Projection::Q, 0), [0, 0]);
    }

    #[test]
    fn more_work_has_a_positive_floor_and_none_has_none() {
        let weights = crate::Weights::open(std::path::Path::new("../../tests/reference/tiny")).expect("opens");
        let config = weights.config();
        assert!(seconds(config, 64, 8, false) > 0.0);
        assert!(seconds(&config.shortened(1), 1, 0, true).is_finite());
    }
}
