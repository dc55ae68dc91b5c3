//! The way back through the blocks that keeps nothing but their inputs (Chen et al. 2016, arXiv 1604.06174): each block is
//! computed again, with a graph of its own, when its turn comes. A third more arithmetic, and the memory of one block instead of
//! all of them. For devices that run a block operation by operation; the fused block of the CPU has its own way.

use crate::error::Result;
use crate::model::{Context, Gemma, Spread};
use crate::rows::Rows;
use crate::trained::Trained;
use burn::tensor::{Gradients, Int, Tensor};
use std::collections::BTreeMap;

/// A pass through the blocks of which only their inputs were kept.
pub struct Passed<'a> {
    model: &'a Gemma,
    trained: &'a Trained,
    context: Context,
    /// The input of each block, and what came out of the last, in lines; not tracked.
    states: Vec<Tensor<2>>,
    /// As in [`Spread`].
    given: Option<Tensor<1, Int>>,
    /// What decides which inputs of the adapters are dropped, where any are: a block computed again must drop the same.
    key: Option<u64>,
}

impl Gemma {
    /// Passes through the blocks as in training, and keeps only their inputs.
    ///
    /// # Shapes
    /// - `ids`: `rows.total()` tokens
    ///
    /// # Errors
    /// As [`Gemma::forward`].
    pub fn pass<'a>(&'a self, ids: &[u32], rows: &Rows, trained: &'a Trained) -> Result<Passed<'a>> {
        self.fits(rows.longest())?;
        let Spread { ids, context, given } = self.spread(ids, rows);
        let drops = trained.adapters().is_some_and(|a| a.config().dropout > 0.0);
        let key = drops.then(|| self.drawn());
        let mut x = self.embed(&ids)?;
        let mut passed = Passed { model: self, trained, context, states: Vec::with_capacity(self.config().layers + 1), given, key };
        for layer in 0..self.config().layers {
            let y = passed.block(layer, x.clone(), false);
            passed.states.push(std::mem::replace(&mut x, y));
        }
        passed.states.push(x);
        Ok(passed)
    }
}

impl Passed<'_> {
    /// A block upon its input. An untracked one makes no graph, also where dropout applies.
    fn block(&self, layer: usize, x: Tensor<2>, tracked: bool) -> Tensor<2> {
        if let Some(key) = self.key {
            self.model.device().seed(key.wrapping_add(layer as u64));
        }
        let (block, adapters) = self.model.block(layer, Some(self.trained), tracked);
        block.forward(x, &self.context, adapters.map(|a| a.dropping()), None)
    }

    /// The residual stream after so many blocks, in lines, as a leaf of the graph that is made above it.
    pub fn leaf(&self, passed: usize) -> Tensor<2> {
        self.states[passed].clone().autodiff().require_grad()
    }

    /// Of states in lines those of the tokens that were given, `[rows.total(), width]`.
    pub fn given(&self, states: Tensor<2>) -> Tensor<2> {
        match &self.given {
            Some(places) => states.select(0, places.clone()),
            None => states,
        }
    }

    /// What the norm behind the last block makes of states, as in training.
    pub fn normed(&self, states: Tensor<2>) -> Tensor<2> {
        self.model.normed(states, Some(self.trained), true)
    }

    /// Goes back from the gradients of the residual stream, in lines, after some of the blocks (by how many): `found` is given
    /// the gradients of what is trained of one block after the other, from the top down, with the block's number.
    pub fn back(mut self, mut gradients: BTreeMap<usize, Tensor<2>>, found: &mut dyn FnMut(usize, Gradients)) {
        // what came out of the last block is no block's input
        self.states.pop();
        while let Some(input) = self.states.pop() {
            let layer = self.states.len();
            // above the highest tap nothing is learnt
            let Some(above) = gradients.remove(&(layer + 1)) else { continue };
            // below the lowest block there is nothing to learn
            let x = if layer > 0 { input.autodiff().require_grad() } else { input };
            let mut own = (self.block(layer, x.clone(), true) * above).sum().backward();
            if let Some(below) = x.grad_remove(&mut own) {
                let sum = match gradients.remove(&layer) {
                    Some(tapped) => tapped + below,
                    None => below,
                };
                gradients.insert(layer, sum);
            }
            found(layer, own);
        }
    }
}
