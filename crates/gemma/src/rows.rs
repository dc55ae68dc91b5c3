//! Where the rows of a batch lie among its tokens.

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
}

impl Rows {
    /// Rows of these many real tokens.
    pub fn new(lengths: Vec<usize>, layout: Layout) -> Self {
        let time = lengths.iter().max().map_or(0, |l| l.next_multiple_of(LENGTH_STEP));
        Self { lengths, time: (layout == Layout::Padded).then_some(time) }
    }

    /// A single row.
    pub fn one(length: usize) -> Self {
        Self { lengths: vec![length], time: None }
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

    /// Tokens in all, padding included.
    pub fn total(&self) -> usize {
        self.time.map_or_else(|| self.lengths.iter().sum(), |time| time * self.lengths.len())
    }

    /// Where each row begins.
    pub fn starts(&self) -> impl Iterator<Item = usize> + '_ {
        let mut next = 0;
        self.lengths.iter().map(move |&length| {
            let start = next;
            next += self.time.unwrap_or(length);
            start
        })
    }

    /// The same rows padded, if they are not yet.
    pub(crate) fn padded(&self) -> Self {
        match self.time {
            Some(_) => self.clone(),
            None => Self::new(self.lengths.clone(), Layout::Padded),
        }
    }

    /// Positions of the real tokens, row by row.
    pub(crate) fn real(&self) -> impl Iterator<Item = usize> + '_ {
        self.starts().zip(&self.lengths).flat_map(|(start, &length)| start..start + length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_lie_as_they_should() {
        let packed = Rows::new(vec![3, 9, 1], Layout::Packed);
        assert_eq!((packed.total(), packed.starts().collect::<Vec<_>>()), (13, vec![0, 3, 12]));
        assert_eq!(packed.real().collect::<Vec<_>>(), (0..13).collect::<Vec<_>>());
        let padded = packed.padded();
        assert_eq!((padded.total(), padded.starts().collect::<Vec<_>>()), (48, vec![0, 16, 32]));
        assert_eq!(padded.real().collect::<Vec<_>>(), [0, 1, 2].into_iter().chain(16..25).chain([32]).collect::<Vec<_>>());
        assert_eq!(Rows::new(vec![], Layout::Padded).total(), 0);
    }
}
