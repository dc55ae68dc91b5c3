//! Encoded examples into batches.
//!
//! Examples are shuffled by seed and epoch, then ordered by length within windows of a few batches:
//! rows of a batch are then nearly equally long, without the order of training following length. Where a device wants
//! lines of one length, several rows of a batch share a line ([`gemma::rows`]), so that little of it is padding.

use crate::encode::{Encoded, Mark};
use gemma::generate::PAD;
use gemma::rows::{self, TRUNK};
use gemma::{Layout, Rows};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::collections::BTreeSet;
use std::ops::Range;

/// Batches within which examples are ordered by length.
const WINDOW: usize = 4;
/// Rows of a pass that keeps no graph, whatever the batch of the training is.
pub const FORWARD_ROWS: usize = 16;

/// A batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The tokens of all rows.
    pub ids: Vec<u32>,
    /// Where the rows lie among them.
    pub rows: Rows,
    /// Flat positions whose next token is a target.
    pub positions: Vec<usize>,
    /// The targets, in the order of `positions`.
    pub targets: Vec<u32>,
    /// Flat positions of what a head is to classify, row by row.
    pub places: Vec<Range<usize>>,
    /// Class of each place.
    pub classes: Vec<u32>,
    /// Index of each row's example.
    pub examples: Vec<usize>,
}

impl Batch {
    /// Collates examples in the layout that the model wants ([`gemma::Gemma::layout`]). Packed prompts that begin alike
    /// share their beginning, as questions do that are about one schema.
    pub fn new(examples: &[Encoded], indices: &[usize], layout: Layout) -> Self {
        let lengths = indices.iter().map(|&i| examples[i].ids.len()).collect();
        let trunk = if layout == Layout::Packed { trunk(examples, indices) } else { 0 };
        let rows = if trunk > 0 { Rows::sharing(lengths, trunk) } else { Rows::new(lengths, layout) };
        let mut batch = Self {
            ids: vec![PAD; rows.total()],
            positions: Vec::new(),
            targets: Vec::new(),
            places: Vec::new(),
            classes: Vec::new(),
            examples: indices.to_vec(),
            rows,
        };
        for ([shared, own], &i) in batch.rows.places().into_iter().zip(indices) {
            let example = &examples[i];
            let (before, after) = example.ids.split_at(shared.len());
            batch.ids[shared.clone()].copy_from_slice(before);
            batch.ids[own.start..][..after.len()].copy_from_slice(after);
            for t in example.prompt..example.ids.len() {
                // what a trunk holds is never the place before a target, see `trunk`
                batch.positions.push(own.start + t - 1 - shared.len());
                batch.targets.push(example.ids[t]);
            }
            for mark in &example.marks {
                batch.places.push(own.start + mark.tokens.start..own.start + mark.tokens.end);
                batch.classes.push(mark.class);
            }
        }
        batch
    }

    /// As [`Batch::new`], with part of every row's tokens left out: for each row a share is drawn
    /// between 0 and `most`, and each token but the first is dropped with that probability. The same
    /// seed and step drop the same tokens. A class then cannot rest on one telling word of the few
    /// messages there are, and the same message is never seen twice.
    pub fn thinned(examples: &[Encoded], indices: &[usize], most: f64, seed: u64, step: usize, layout: Layout) -> Self {
        let thinned = thin(examples, indices, most, seed, step);
        let all: Vec<usize> = (0..thinned.len()).collect();
        Self { examples: indices.to_vec(), ..Self::new(&thinned, &all, layout) }
    }

    /// [`Batch::thinned`] in batches of at most `rows` rows: what is left out does not depend on how many there are at a time.
    pub fn thinned_apart(examples: &[Encoded], indices: &[usize], most: f64, seed: u64, step: usize, layout: Layout, rows: usize) -> Vec<Self> {
        let thinned = thin(examples, indices, most, seed, step);
        let all: Vec<usize> = (0..thinned.len()).collect();
        let part = |part: &[usize]| Self { examples: part.iter().map(|&i| indices[i]).collect(), ..Self::new(&thinned, part, layout) };
        all.chunks(rows.max(1)).map(part).collect()
    }

    /// Real tokens of the examples, what they share counted for each.
    pub fn tokens(&self) -> usize {
        self.rows.lengths().iter().sum()
    }
}

/// Examples with part of the tokens of each left out, see [`Batch::thinned`].
fn thin(examples: &[Encoded], indices: &[usize], most: f64, seed: u64, step: usize) -> Vec<Encoded> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x7468_696e);
    rng.set_stream(step as u64);
    let thin = |&i: &usize| {
        let share = rng.random_range(0.0..=most);
        let example = &examples[i];
        let mut ids = Vec::with_capacity(example.ids.len());
        // where each token went, or the next one that was kept
        let mut went = Vec::with_capacity(example.ids.len() + 1);
        for (position, &id) in example.ids.iter().enumerate() {
            went.push(ids.len());
            if position == 0 || !rng.random_bool(share) {
                ids.push(id);
            }
        }
        went.push(ids.len());
        let mark = |m: &Mark| Mark { tokens: went[m.tokens.start]..went[m.tokens.end], class: m.class };
        let marks = example.marks.iter().map(mark).filter(|m| !m.tokens.is_empty()).collect();
        Encoded { prompt: ids.len(), ids, marks, repeated: example.repeated }
    };
    indices.iter().map(thin).collect()
}

/// How many first tokens the prompts of examples have in common, if it is worth sharing them. The last token of a prompt
/// is each row's own, because the first target follows it; what a head classifies may lie anywhere, so it shares nothing.
fn trunk(examples: &[Encoded], indices: &[usize]) -> usize {
    if indices.len() < 2 || indices.iter().any(|&i| !examples[i].marks.is_empty()) {
        return 0;
    }
    let prompts: Vec<&[u32]> = indices.iter().map(|&i| &examples[i].ids[..examples[i].prompt.saturating_sub(1)]).collect();
    let length = rows::common(&prompts);
    if length >= TRUNK { length } else { 0 }
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

/// How much of the batches of an epoch is padding.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Padding {
    /// Batches of the epoch.
    pub batches: usize,
    /// Different shapes among them, lines by their length; devices that tune kernels for each shape want few. One,
    /// where rows lie one after the other and there are no lines.
    pub shapes: usize,
    /// Share of the positions that hold no token of an example, between 0 and 1.
    pub share: f64,
}

/// The padding of a first epoch, see [`epoch`].
pub fn padding(examples: &[Encoded], rows: usize, seed: u64, layout: Layout) -> Padding {
    let batches = epoch(examples, rows, seed, 0);
    let (mut real, mut total, mut shapes) = (0, 0, BTreeSet::new());
    for indices in &batches {
        let lie = Rows::new(indices.iter().map(|&i| examples[i].ids.len()).collect(), layout);
        real += lie.lengths().iter().sum::<usize>();
        total += lie.total();
        shapes.insert(lie.shape());
    }
    Padding { batches: batches.len(), shapes: shapes.len(), share: (total - real) as f64 / total.max(1) as f64 }
}

/// Indices of batches for passes without gradients, longest first, so that memory trouble shows at once.
pub fn sorted(examples: &[Encoded]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(examples[i].ids.len()));
    order.chunks(FORWARD_ROWS).map(<[usize]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second token, and those after it.
    fn marks(i: usize) -> Vec<Mark> {
        vec![Mark { tokens: 1..2, class: i as u32 }, Mark { tokens: 2..3 + i * 7 % 19, class: 100 + i as u32 }]
    }

    fn examples() -> Vec<Encoded> {
        (0..37).map(|i| Encoded { ids: (0..(3 + i * 7 % 19)).map(|t| (100 * i + t) as u32).collect(), prompt: 2, marks: marks(i), repeated: 0 }).collect()
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
    fn thinning_keeps_the_first_token_and_the_order_and_repeats_by_seed() {
        let e = examples();
        let all: Vec<usize> = (0..e.len()).collect();
        let b = Batch::thinned(&e, &all, 0.5, 1, 7, Layout::Packed);
        assert_eq!(b, Batch::thinned(&e, &all, 0.5, 1, 7, Layout::Packed));
        assert_ne!(b, Batch::thinned(&e, &all, 0.5, 1, 8, Layout::Packed));
        assert!(b.tokens() < Batch::new(&e, &all, Layout::Packed).tokens());
        for ([_, own], example) in b.rows.places().into_iter().zip(&e) {
            let kept = &b.ids[own];
            assert_eq!(kept[0], example.ids[0]);
            let mut rest = example.ids.iter();
            assert!(kept.iter().all(|id| rest.any(|r| r == id)), "what is kept stands in its old order");
        }
        // tokens are numbered through, so each place shows what its class is of
        assert!(b.places.len() < 2 * e.len(), "a part of which nothing is left is no part");
        for (place, &class) in b.places.iter().zip(&b.classes) {
            assert!(!place.is_empty());
            for &id in &b.ids[place.clone()] {
                assert_eq!((id / 100, id % 100 == 1), (class % 100, class < 100), "{place:?} of {class}");
            }
        }
        assert_eq!(Batch::thinned(&e, &all, 0.0, 1, 7, Layout::Padded).ids, Batch::new(&e, &all, Layout::Padded).ids);
    }

    #[test]
    fn a_batch_in_parts_has_the_rows_of_the_whole_one() {
        let e = examples();
        let indices: Vec<usize> = (0..e.len()).rev().collect();
        let row = |batch: &Batch| batch.rows.places().into_iter().map(|[_, own]| batch.ids[own].to_vec()).collect::<Vec<_>>();
        let whole = Batch::thinned(&e, &indices, 0.5, 1, 7, Layout::Packed);
        let parts = Batch::thinned_apart(&e, &indices, 0.5, 1, 7, Layout::Packed, 5);
        assert_eq!(parts.iter().map(|part| part.rows.count()).collect::<Vec<_>>(), [5, 5, 5, 5, 5, 5, 5, 2]);
        assert_eq!(parts.iter().flat_map(row).collect::<Vec<_>>(), row(&whole));
        assert_eq!(parts.iter().flat_map(|part| part.examples.clone()).collect::<Vec<_>>(), whole.examples);
        assert_eq!(parts.iter().flat_map(|part| part.classes.clone()).collect::<Vec<_>>(), whole.classes);
        assert_eq!(Batch::thinned_apart(&e, &indices, 0.5, 1, 7, Layout::Packed, 99), [whole]);
        assert!(Batch::thinned_apart(&e, &[], 0.5, 1, 7, Layout::Packed, 5).is_empty());
    }

    #[test]
    fn padding_is_what_the_batches_hold_beside_their_tokens() {
        let e = examples();
        let packed = padding(&e, 8, 1, Layout::Packed);
        assert_eq!((packed.batches, packed.shapes, packed.share), (5, 1, 0.0));
        let padded = padding(&e, 8, 1, Layout::Padded);
        let batches: Vec<Batch> = epoch(&e, 8, 1, 0).iter().map(|i| Batch::new(&e, i, Layout::Padded)).collect();
        let (real, all): (usize, usize) = (batches.iter().map(Batch::tokens).sum(), batches.iter().map(|b| b.ids.len()).sum());
        assert!((padded.share - (1.0 - real as f64 / all as f64)).abs() < 1e-12 && padded.share > 0.0 && padded.share < 0.1, "{padded:?}");
        assert_eq!(padding(&[], 8, 1, Layout::Padded), Padding { batches: 0, shapes: 0, share: 0.0 });
    }

    /// Lengths as short messages have them: many about the middle, a few very long.
    #[test]
    fn batches_in_lines_have_hardly_any_padding_and_few_shapes() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let length = |rng: &mut ChaCha8Rng| 8 + (0..6).map(|_| rng.random_range(0..12)).sum::<usize>() + if rng.random_range(0..50) == 0 { 120 } else { 0 };
        let e: Vec<Encoded> = (0..2000).map(|_| Encoded::classed(vec![1; length(&mut rng)], 0)).collect();
        let padded = padding(&e, 8, 1, Layout::Padded);
        assert!(padded.share < 0.04, "{padded:?}");
        let sums: BTreeSet<usize> = epoch(&e, 8, 1, 0).iter().map(|batch| batch.iter().map(|&i| e[i].ids.len()).sum()).collect();
        assert!(padded.batches == 250 && padded.shapes * 2 < sums.len(), "{padded:?} for {} sizes", sums.len());
        assert_eq!(padding(&e, 8, 1, Layout::Packed).share, 0.0);
    }

    #[test]
    fn every_target_is_the_token_after_its_position() {
        let e = examples();
        for indices in epoch(&e, 8, 3, 0) {
            for layout in [Layout::Packed, Layout::Padded] {
                let b = Batch::new(&e, &indices, layout);
                assert_eq!(b.positions.len(), indices.iter().map(|&i| e[i].ids.len() - e[i].prompt).sum::<usize>());
                for (&p, &t) in b.positions.iter().zip(&b.targets) {
                    assert_eq!(b.ids[p + 1], t);
                    assert!(b.rows.places().iter().all(|[_, own]| own.start != p + 1), "a target never belongs to the next row");
                }
            }
        }
    }

    #[test]
    fn prompts_that_begin_alike_share_their_beginning() {
        let row = |own: &[u32], prompt: usize| Encoded { ids: (0..40).chain(own.iter().copied()).collect(), prompt, marks: Vec::new(), repeated: 0 };
        // the last one is the same prompt as the first but for nothing, so even there one token is its own
        let e = [row(&[50, 51, 90], 42), row(&[60, 91, 92], 41), row(&[50, 51, 93], 42)];
        let b = Batch::new(&e, &[0, 1, 2], Layout::Packed);
        assert!(b.rows.total() < b.tokens());
        for ([shared, own], example) in b.rows.places().into_iter().zip(&e) {
            assert_eq!(shared.len(), 40);
            assert_eq!([&b.ids[shared], &b.ids[own]].concat(), example.ids);
        }
        for (&p, &t) in b.positions.iter().zip(&b.targets) {
            assert_eq!(b.ids[p + 1], t);
        }
        assert_eq!(b.targets, [90, 91, 92, 93]);
        // rows in lines, single rows, short beginnings and heads share nothing
        let classed = [Encoded::classed((0..50).collect(), 0), Encoded::classed((0..50).collect(), 1)];
        let short = vec![Encoded { ids: (0..9).collect(), prompt: 8, marks: Vec::new(), repeated: 0 }; 2];
        for plain in [
            Batch::new(&e, &[0, 1, 2], Layout::Padded),
            Batch::new(&e, &[1], Layout::Packed),
            Batch::new(&classed, &[0, 1], Layout::Packed),
            Batch::new(&short, &[0, 1], Layout::Packed),
        ] {
            assert!(plain.rows.places().iter().all(|[shared, _]| shared.is_empty()));
        }
    }
}
