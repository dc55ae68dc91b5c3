//! Where the rows of a batch lie among its tokens.
//!
//! Rows that begin with the same tokens, as prompts with one schema or instruction do, can share them: a bundle of
//! rows is then its trunk and, behind it, what each row has of its own. A token sees the trunk and its own row, so the
//! numbers are those of whole rows, and the trunk is computed once for all.

use std::cmp::Reverse;
use std::ops::Range;

/// Lines are a multiple of this long, so that devices which tune kernels per shape see few.
const STEP: usize = 8;
/// Longest line that is made of several rows; what attention holds of a token grows with its line.
const LINE: usize = 512;
/// Length of a line at which attention, which a token pays for its whole line, is as much arithmetic as all else that is
/// done for it: 2 700 tokens for the 270M, 13 000 for the 1B.
const ATTENTION: usize = 4096;

/// Shortest beginning that is worth sharing: below it a row's own tokens and the copies of keys cost as much.
pub const TRUNK: usize = 32;

/// How many first items texts have in common.
pub fn common<T: PartialEq>(texts: &[&[T]]) -> usize {
    let [first, rest @ ..] = texts else { return 0 };
    rest.iter().fold(first.len(), |length, text| first[..length].iter().zip(*text).take_while(|(a, b)| a == b).count())
}

/// How a device wants the rows of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One after the other: no arithmetic on padding.
    Packed,
    /// In lines of one length, several short rows in a line, the rest of it padding: few shapes.
    Padded,
}

/// The rows of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    lengths: Vec<usize>,
    /// Where they stand in lines, if they do.
    lines: Option<Lines>,
    /// Tokens that the rows of a bundle share; 0 if each stands by itself.
    trunk: usize,
    /// Rows of a bundle.
    bundle: usize,
}

/// Lines of one length. A row lies wholly in one of them and sees nothing of the others there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lines {
    count: usize,
    time: usize,
    /// First token of each row among those of all lines.
    starts: Vec<usize>,
}

impl Lines {
    /// The lines in which rows of these lengths cost least: padding is paid for like any token, and longer lines, which
    /// hold less of it, make attention dearer.
    fn of(lengths: &[usize]) -> Self {
        let longest = lengths.iter().max().map_or(0, |l| l.next_multiple_of(STEP));
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        order.sort_by_key(|&row| Reverse(lengths[row]));
        let mut best = Self::filled(lengths, &order, longest);
        for time in (longest + STEP..=LINE).step_by(STEP) {
            let lines = Self::filled(lengths, &order, time);
            if lines.cost() < best.cost() {
                best = lines;
            }
        }
        best
    }

    /// Puts each row, the longest first, into the fullest line that has room for it.
    fn filled(lengths: &[usize], order: &[usize], time: usize) -> Self {
        let (mut starts, mut filled) = (vec![0; lengths.len()], Vec::<usize>::new());
        for &row in order {
            let room = filled.iter().enumerate().filter(|(_, tokens)| **tokens + lengths[row] <= time);
            let line = room.max_by_key(|(line, tokens)| (**tokens, Reverse(*line))).map_or(filled.len(), |(line, _)| line);
            if line == filled.len() {
                filled.push(0);
            }
            starts[row] = line * time + filled[line];
            filled[line] += lengths[row];
        }
        Self { count: filled.len(), time, starts }
    }

    fn cost(&self) -> usize {
        self.count * self.time * (ATTENTION + self.time)
    }
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
        let lines = (layout == Layout::Padded).then(|| Lines::of(&lengths));
        Self { lengths, lines, trunk: 0, bundle: 1 }
    }

    /// Packed rows of these many tokens whose first `trunk` tokens are the same: consecutive rows in a bundle for each
    /// core. Every row must be longer than the trunk.
    pub fn sharing(lengths: Vec<usize>, trunk: usize) -> Self {
        Self::bundled(lengths, trunk, rayon::current_num_threads())
    }

    fn bundled(lengths: Vec<usize>, trunk: usize, bundles: usize) -> Self {
        let bundle = lengths.len().div_ceil(bundles.max(1)).max(1);
        Self { lengths, lines: None, trunk, bundle }
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
        self.shape().map_or_else(|| self.trees().iter().map(Tree::tokens).sum(), |[lines, time]| lines * time)
    }

    /// Number of lines and tokens of each, where rows lie in lines.
    pub fn shape(&self) -> Option<[usize; 2]> {
        self.lines.as_ref().map(|lines| [lines.count, lines.time])
    }

    /// Rows and bundles as the tokens see each other, in the order of the tokens; padding is part of the row before it.
    pub fn trees(&self) -> Vec<Tree> {
        let row = |trunk: usize| Tree { trunk, branches: Vec::new() };
        if let Some(lines) = &self.lines {
            let mut starts = lines.starts.clone();
            starts.sort_unstable();
            starts.push(lines.count * lines.time);
            return starts.windows(2).map(|pair| row(pair[1] - pair[0])).collect();
        }
        if self.trunk == 0 {
            return self.lengths.iter().copied().map(row).collect();
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
            let start = self.lines.as_ref().map_or(next, |lines| lines.starts[row]);
            out.push([trunk..trunk + self.trunk, start..start + own]);
            next += own;
        }
        out
    }

    /// The same rows in lines, if they are not yet.
    pub(crate) fn padded(&self) -> Self {
        match self.lines {
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
        assert_eq!((padded.shape(), starts(&padded)), (Some([1, 16]), vec![9, 0, 12]));
        assert_eq!(padded.real().collect::<Vec<_>>(), [9, 10, 11].into_iter().chain(0..9).chain([12]).collect::<Vec<_>>());
        assert_eq!(padded.trees().iter().map(Tree::tokens).collect::<Vec<_>>(), [9, 3, 4], "padding goes on from the row before it");
        assert_eq!((Rows::new(vec![], Layout::Padded).total(), Rows::new(vec![], Layout::Padded).trees()), (0, Vec::new()));
        let shared = Rows::bundled(vec![5, 6, 5], 4, 2);
        assert_eq!(shared.trees(), [Tree { trunk: 4, branches: vec![1, 2] }, Tree { trunk: 4, branches: vec![1] }]);
        assert_eq!((shared.total(), shared.longest()), (12, 6));
        assert_eq!(shared.places(), [[0..4, 4..5], [0..4, 5..7], [7..11, 11..12]]);
        assert_eq!(shared.real().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]);
    }

    #[test]
    fn lines_hold_every_row_apart_with_little_padding() {
        let lines = |lengths: &[usize]| {
            let rows = Rows::new(lengths.to_vec(), Layout::Padded);
            let [count, time] = rows.shape().expect("lines");
            let mut taken = vec![false; rows.total()];
            for ([shared, own], &length) in rows.places().into_iter().zip(lengths) {
                assert!(shared.is_empty() && own.len() == length && own.start / time == (own.end - 1) / time, "{own:?} lies on two lines of {time}");
                own.for_each(|t| assert!(!std::mem::replace(&mut taken[t], true), "two rows at {t}"));
            }
            assert_eq!(rows.trees().iter().map(Tree::tokens).sum::<usize>(), count * time);
            assert!(time % STEP == 0 && rows.trees().len() == lengths.len());
            [count, time]
        };
        // rows of one length need no others in their lines, and the shortest lines are the cheapest
        assert_eq!(lines(&[64; 8]), [8, 64]);
        // 8 x 72 would be a seventh padding
        assert_eq!(lines(&[58, 59, 60, 61, 62, 63, 64, 65]), [4, 128]);
        assert_eq!(lines(&[700, 3, 90, 20]), [2, 704]);
        assert_eq!(lines(&[1]), [1, 8]);
        for seed in 0..200 {
            let lengths: Vec<usize> = (0..8).map(|i| 30 + (seed * 7919 + i * i * 104_729) % 50).collect();
            let (real, [count, time]) = (lengths.iter().sum::<usize>(), lines(&lengths));
            assert!(count * time * 100 <= real * 112, "{real} tokens of {lengths:?} in {count} x {time}");
        }
    }
}
