//! Where the rows of a batch lie among its tokens.
//!
//! Rows that begin with the same tokens, as prompts with one schema or instruction do, can share them: a bundle of
//! rows is then its trunk and, behind it, what each row has of its own. A token sees the trunk and its own row, so the
//! numbers are those of whole rows, and the trunk is computed once for all.

use std::ops::Range;

/// Padded rows are a multiple of this long, so that devices which tune kernels per shape see few.
const LENGTH_STEP: usize = 8;

/// How a device wants the rows of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One after the other: no arithmetic on padding.
    Packed,
    /// Padded on the right to one length: few shapes.
    Padded,
}

/// The rows of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    lengths: Vec<usize>,
    /// Distance between the beginnings of two rows, where they are padded.
    time: Option<usize>,
    /// Tokens that the rows of a bundle share; 0 if each stands by itself.
    trunk: usize,
    /// Rows of a bundle.
    bundle: usize,
}

/// Tokens that see each other: a row, or a trunk and its branches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Tokens that all see; a row by itself is nothing else.
    pub trunk: usize,
    /// Tokens of each branch, which see the trunk and their own branch.
    pub branches: Vec<usize>,
}

impl Tree {
    /// Tokens in all.
    pub fn tokens(&self) -> usize {
        self.trunk + self.branches.iter().sum::<usize>()
    }
}

impl Rows {
    /// Rows of these many real tokens.
    pub fn new(lengths: Vec<usize>, layout: Layout) -> Self {
        let time = lengths.iter().max().map_or(0, |l| l.next_multiple_of(LENGTH_STEP));
        Self { lengths, time: (layout == Layout::Padded).then_some(time), trunk: 0, bundle: 1 }
    }

    /// Packed rows of these many tokens whose first `trunk` tokens are the same: consecutive rows in a bundle for each
    /// core. Every row must be longer than the trunk.
    pub fn sharing(lengths: Vec<usize>, trunk: usize) -> Self {
        Self::bundled(lengths, trunk, rayon::current_num_threads())
    }

    fn bundled(lengths: Vec<usize>, trunk: usize, bundles: usize) -> Self {
        let bundle = lengths.len().div_ceil(bundles.max(1)).max(1);
        Self { lengths, time: None, trunk, bundle }
    }

    /// A single row.
    pub fn one(length: usize) -> Self {
        Self::new(vec![length], Layout::Packed)
    }

    /// Real tokens of each row.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.lengths.len()
    }

    /// Tokens of the longest row.
    pub fn longest(&self) -> usize {
        self.lengths.iter().copied().max().unwrap_or(0)
    }

    /// Tokens in all, padding included, shared ones counted once a bundle.
    pub fn total(&self) -> usize {
        self.time.map_or_else(|| self.trees().iter().map(Tree::tokens).sum(), |time| time * self.lengths.len())
    }

    /// Rows and bundles as the tokens see each other, in their order; padding is part of its row.
    pub fn trees(&self) -> Vec<Tree> {
        if self.trunk == 0 {
            let row = |&length: &usize| Tree { trunk: self.time.unwrap_or(length), branches: Vec::new() };
            return self.lengths.iter().map(row).collect();
        }
        let bundle = |lengths: &[usize]| Tree { trunk: self.trunk, branches: lengths.iter().map(|l| l - self.trunk).collect() };
        self.lengths.chunks(self.bundle).map(bundle).collect()
    }

    /// Where the real tokens of a row stand among all tokens, in the order of the row: two ranges, of which the first is
    /// empty unless the row shares a trunk.
    pub fn places(&self) -> Vec<[Range<usize>; 2]> {
        let (mut out, mut next, mut trunk) = (Vec::with_capacity(self.lengths.len()), 0, 0);
        for (row, &length) in self.lengths.iter().enumerate() {
            if self.trunk > 0 && row % self.bundle == 0 {
                trunk = next;
                next += self.trunk;
            }
            let own = length - self.trunk;
            out.push([trunk..trunk + self.trunk, next..next + own]);
            next += self.time.unwrap_or(own);
        }
        out
    }

    /// The same rows padded, if they are not yet.
    pub(crate) fn padded(&self) -> Self {
        match self.time {
            Some(_) => self.clone(),
            // what is shared is spread out again
            None => Self::new(self.lengths.clone(), Layout::Padded),
        }
    }

    /// Positions of the real tokens, row by row, shared ones for each of their rows.
    pub(crate) fn real(&self) -> impl Iterator<Item = usize> {
        self.places().into_iter().flatten().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_lie_as_they_should() {
        let packed = Rows::new(vec![3, 9, 1], Layout::Packed);
        let starts = |rows: &Rows| rows.places().into_iter().map(|[_, own]| own.start).collect::<Vec<_>>();
        assert_eq!((packed.total(), starts(&packed)), (13, vec![0, 3, 12]));
        assert_eq!(packed.real().collect::<Vec<_>>(), (0..13).collect::<Vec<_>>());
        let padded = packed.padded();
        assert_eq!((padded.total(), starts(&padded)), (48, vec![0, 16, 32]));
        assert_eq!(padded.real().collect::<Vec<_>>(), [0, 1, 2].into_iter().chain(16..25).chain([32]).collect::<Vec<_>>());
        assert_eq!(Rows::new(vec![], Layout::Padded).total(), 0);
        let shared = Rows::bundled(vec![5, 6, 5], 4, 2);
        assert_eq!(shared.trees(), [Tree { trunk: 4, branches: vec![1, 2] }, Tree { trunk: 4, branches: vec![1] }]);
        assert_eq!((shared.total(), shared.longest()), (12, 6));
        assert_eq!(shared.places(), [[0..4, 4..5], [0..4, 5..7], [7..11, 11..12]]);
        assert_eq!(shared.real().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]);
    }
}
