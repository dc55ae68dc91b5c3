//! What a model may answer: a trie over the tokens of a closed set of answers.

use gemma::generate::{Allowed, Constraint};
use std::collections::BTreeMap;

/// Token sequences that may be generated, each ended by a stop token.
#[derive(Debug)]
pub struct Trie {
    nodes: Vec<Node>,
    stop: u32,
}

#[derive(Debug, Default)]
struct Node {
    children: BTreeMap<u32, usize>,
    /// Index of the answer that ends here.
    answer: Option<usize>,
}

impl Trie {
    /// A trie of `answers`; answer `i` is the `i`-th sequence. `stop` ends an answer, so one answer
    /// may be the beginning of another.
    pub fn new<'a>(answers: impl IntoIterator<Item = &'a [u32]>, stop: u32) -> Self {
        let mut trie = Self { nodes: vec![Node::default()], stop };
        for (i, answer) in answers.into_iter().enumerate() {
            let mut at = 0;
            for &token in answer {
                let next = trie.nodes.len();
                at = *trie.nodes[at].children.entry(token).or_insert(next);
                if at == next {
                    trie.nodes.push(Node::default());
                }
            }
            trie.nodes[at].answer.get_or_insert(i);
        }
        trie
    }

    /// The answer that `tokens` spell, if they are one.
    pub fn answer(&self, tokens: &[u32]) -> Option<usize> {
        self.find(tokens)?.answer
    }

    /// Length of the longest answer, the stop token not counted.
    pub fn longest(&self) -> usize {
        let mut depth = vec![0; self.nodes.len()];
        for (i, node) in self.nodes.iter().enumerate() {
            for &child in node.children.values() {
                depth[child] = depth[i] + 1;
            }
        }
        depth.into_iter().max().unwrap_or(0)
    }

    fn find(&self, tokens: &[u32]) -> Option<&Node> {
        let at = tokens.iter().try_fold(0, |at, t| self.nodes[at].children.get(t).copied())?;
        self.nodes.get(at)
    }
}

impl Constraint for Trie {
    fn next(&self, _: usize, generated: &[u32]) -> Allowed {
        let Some(node) = self.find(generated) else { return Allowed::Only(Vec::new()) };
        let stop = node.answer.map(|_| self.stop);
        Allowed::Only(node.children.keys().copied().chain(stop).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(trie: &Trie, tokens: &[u32]) -> Vec<u32> {
        match trie.next(0, tokens) {
            Allowed::Only(t) => t,
            Allowed::Any => panic!("a trie always restricts"),
        }
    }

    #[test]
    fn only_answers_can_be_spelled() {
        let trie = Trie::new([[5, 6].as_slice(), &[5, 7, 8], &[9], &[5]], 1);
        assert_eq!(next(&trie, &[]), [5, 9]);
        assert_eq!(next(&trie, &[5]), [6, 7, 1]);
        assert_eq!(next(&trie, &[5, 7]), [8]);
        assert_eq!(next(&trie, &[9]), [1]);
        assert!(next(&trie, &[4]).is_empty());
        assert_eq!((trie.answer(&[5, 7, 8]), trie.answer(&[5]), trie.answer(&[5, 7])), (Some(1), Some(3), None));
        assert_eq!(trie.longest(), 3);
    }
}
