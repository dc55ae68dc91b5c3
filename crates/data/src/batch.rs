//! Encoded examples into batches of equally long rows.
//!
//! Examples are shuffled by seed and epoch, then ordered by length within windows of a few batches:
//! rows of a batch are then nearly equally long, without the order of training following length.

use crate::encode::Encoded;
use gemma::generate::PAD;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Rows are padded to a multiple of this, so that devices which tune kernels per shape see few.
const LENGTH_STEP: usize = 8;
/// Batches within which examples are ordered by length.
const WINDOW: usize = 4;

/// A batch of rows of one length, padded on the right.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// `rows * time` tokens, row by row.
    pub ids: Vec<u32>,
    /// Tokens per row.
    pub time: usize,
    /// Real tokens of each row.
    pub lengths: Vec<usize>,
    /// Flat positions whose next token is a target.
    pub positions: Vec<usize>,
    /// The targets, in the order of `positions`.
    pub targets: Vec<u32>,
    /// Class of each row.
    pub classes: Vec<u32>,
    /// Index of each row's example.
    pub examples: Vec<usize>,
}

impl Batch {
    /// Collates examples.
    pub fn new(examples: &[Encoded], indices: &[usize]) -> Self {
        let longest = indices.iter().map(|&i| examples[i].ids.len()).max().unwrap_or(0);
        let time = longest.next_multiple_of(LENGTH_STEP);
        let mut batch = Self {
            ids: vec![PAD; indices.len() * time],
            time,
            lengths: Vec::new(),
            positions: Vec::new(),
            targets: Vec::new(),
            classes: Vec::new(),
            examples: indices.to_vec(),
        };
        for (row, &i) in indices.iter().enumerate() {
            let example = &examples[i];
            batch.ids[row * time..][..example.ids.len()].copy_from_slice(&example.ids);
            batch.lengths.push(example.ids.len());
            batch.classes.push(example.class);
            for t in example.prompt..example.ids.len() {
                batch.positions.push(row * time + t - 1);
                batch.targets.push(example.ids[t]);
            }
        }
        batch
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.lengths.len()
    }

    /// Real tokens.
    pub fn tokens(&self) -> usize {
        self.lengths.iter().sum()
    }
}

/// Indices of the examples of each batch of an epoch. The same seed and epoch give the same batches.
pub fn epoch(examples: &[Encoded], rows: usize, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch as u64 + 1);
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.shuffle(&mut rng);
    for window in order.chunks_mut(rows * WINDOW) {
        window.sort_by_key(|&i| examples[i].ids.len());
    }
    let mut batches: Vec<Vec<usize>> = order.chunks(rows).map(<[usize]>::to_vec).collect();
    batches.shuffle(&mut rng);
    batches
}

/// Batches for evaluation, longest first, so that memory trouble shows at once.
pub fn sorted(examples: &[Encoded], rows: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(examples[i].ids.len()));
    order.chunks(rows).map(<[usize]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples() -> Vec<Encoded> {
        (0..37).map(|i| Encoded { ids: (0..(3 + i * 7 % 19)).map(|t| (100 * i + t) as u32).collect(), prompt: 2, class: i as u32 }).collect()
    }

    #[test]
    fn an_epoch_holds_every_example_once_and_repeats_by_seed() {
        let e = examples();
        let a = epoch(&e, 8, 1, 0);
        let mut seen: Vec<usize> = a.iter().flatten().copied().collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..37).collect::<Vec<_>>());
        assert_eq!(a, epoch(&e, 8, 1, 0));
        assert_ne!(a, epoch(&e, 8, 1, 1));
        assert_ne!(a, epoch(&e, 8, 2, 0));
    }

    #[test]
    fn every_target_is_the_token_after_its_position() {
        let e = examples();
        for indices in epoch(&e, 8, 3, 0) {
            let b = Batch::new(&e, &indices);
            assert_eq!(b.time % LENGTH_STEP, 0);
            assert_eq!(b.positions.len(), indices.iter().map(|&i| e[i].ids.len() - e[i].prompt).sum::<usize>());
            for (&p, &t) in b.positions.iter().zip(&b.targets) {
                assert_eq!(b.ids[p + 1], t);
                assert_eq!(p / b.time, (p + 1) / b.time, "a target never belongs to the next row");
            }
        }
    }
}
