//! One batch forward and backward: the loss and the gradients of everything that is trained.

use crate::failure;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Gradients, Int, Tensor, TensorData};
use data::{Batch, Encoded};
use gemma::generate::{EOS, PAD};
use gemma::head::View;
use gemma::{Gemma, Head, Layout, Trained, loss};
use say::say;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is trained: something of the blocks below, and a head on top if the method has one.
#[derive(Clone)]
pub struct Tuned {
    /// What is trained of the blocks.
    pub trained: Trained,
    /// The classification head.
    pub head: Option<Head>,
}

/// What the loss is taken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objective {
    /// The next token, at the positions of the completion.
    Completion,
    /// The class of each place, a row or a word, from the head.
    Head,
}

impl Tuned {
    /// What the loss of this model is taken on.
    pub fn objective(&self) -> Objective {
        if self.head.is_some() { Objective::Head } else { Objective::Completion }
    }

    /// Calls `f` with the path and the tensor of every parameter, in a fixed order.
    pub fn visit(&mut self, f: &mut dyn FnMut(&str, &mut Tensor<2>)) {
        self.trained.visit(f);
        if let Some(head) = &mut self.head {
            head.visit(f);
        }
    }

    /// Calls `f` with every tensor that is part of the result but not trained.
    pub fn visit_constants(&mut self, f: &mut dyn FnMut(&str, &mut Tensor<2>)) {
        if let Some(head) = &mut self.head {
            head.visit_constants(f);
        }
    }

    /// Number of trained values.
    pub fn parameters(&mut self) -> usize {
        let mut n = 0;
        self.visit(&mut |_, t| n += t.shape().num_elements());
        n
    }
}

/// The loss of a batch.
pub struct Loss {
    /// Sum of the negative log-likelihoods, in nats.
    pub sum: f64,
    /// Sum of the entropies of what the model expected, in nats.
    pub entropy: f64,
    /// Targets it is summed over.
    pub targets: usize,
    /// The largest absolute value in what was read of the residual stream: that behind the last block for completions, and a
    /// head's taps.
    pub largest: f64,
}

/// What a pass over completions without gradients found.
pub struct Evaluated {
    /// Sum of the negative log-likelihoods, in nats.
    pub sum: f64,
    /// Targets it is summed over.
    pub targets: usize,
    /// Rows whose answer says something.
    pub speaking: usize,
    /// Rows among them at whose beginning the model expects padding or the end of the text, more likely than not.
    pub silent: usize,
}

/// How many targets a batch has under an objective.
pub fn targets(batch: &Batch, objective: Objective) -> usize {
    match objective {
        Objective::Completion => batch.targets.len(),
        Objective::Head => batch.classes.len(),
    }
}

/// A part of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The blocks.
    Forward,
    /// From hidden states to the loss, and for completions back again.
    Loss,
    /// From the gradient of the hidden states to those of what is trained.
    Backward,
}

/// Forward and backward. The gradients are those of the batch's loss sum divided by `total`, the
/// targets of the whole optimiser step, so that micro-batches add up to the mean.
///
/// # Errors
/// If the batch does not fit the model, or a tensor cannot be read back from the device.
pub fn forward_backward(model: &Gemma, tuned: &Tuned, batch: &Batch, total: usize) -> gemma::Result<(Loss, Gradients)> {
    forward_backward_seen(model, tuned, batch, total, &mut |_| {})
}

/// [`forward_backward`] that says when a part of it has ended; where a device works on while the program goes on, that is
/// when its work was handed over.
///
/// # Errors
/// As [`forward_backward`].
pub fn forward_backward_seen(model: &Gemma, tuned: &Tuned, batch: &Batch, total: usize, ended: &mut dyn FnMut(Phase)) -> gemma::Result<(Loss, Gradients)> {
    // a fused block computes itself again
    if model.recomputes() && model.layout() == Layout::Padded {
        return by_blocks(model, tuned, batch, total, ended);
    }
    let (seed, largest) = match &tuned.head {
        None => {
            let stream = model.stream(&batch.ids, &batch.rows, Some(&tuned.trained), true)?;
            let largest = largest(&stream);
            let hidden = model.normed(stream, Some(&tuned.trained), true);
            ended(Phase::Forward);
            (of_completions(model, batch, hidden, total)?, largest)
        }
        Some(head) => {
            let states = model.states(&batch.ids, &batch.rows, Some(&tuned.trained), true, head.taps())?;
            let largest = largest(&states);
            ended(Phase::Forward);
            (of_classes(model, head, batch, states, total), largest)
        }
    };
    ended(Phase::Loss);
    let gradients = seed.root.backward();
    ended(Phase::Backward);
    Ok((seed.loss(model, targets(batch, tuned.objective()), largest)?, gradients))
}

/// [`forward_backward_seen`] that keeps only the inputs of the blocks, see [`Gemma::pass`].
fn by_blocks(model: &Gemma, tuned: &Tuned, batch: &Batch, total: usize, ended: &mut dyn FnMut(Phase)) -> gemma::Result<(Loss, Gradients)> {
    let passed = model.pass(&batch.ids, &batch.rows, &tuned.trained)?;
    ended(Phase::Forward);
    let taps = tuned.head.as_ref().map_or_else(|| vec![model.config().layers], |head| head.taps().to_vec());
    let leaves: Vec<Tensor<2>> = taps.iter().map(|&tap| passed.leaf(tap)).collect();
    let states = Tensor::cat(leaves.iter().map(|leaf| passed.given(leaf.clone())).collect(), 1);
    let largest = largest(&states);
    let seed = match &tuned.head {
        None => of_completions(model, batch, passed.normed(states), total)?,
        Some(head) => of_classes(model, head, batch, states, total),
    };
    ended(Phase::Loss);
    let mut gradients = seed.root.backward();
    let above: BTreeMap<usize, Tensor<2>> = taps.iter().zip(&leaves).filter_map(|(&tap, leaf)| Some((tap, leaf.grad_remove(&mut gradients)?))).collect();
    let mut parameters = tuned.clone();
    passed.back(above, &mut |layer, mut own| {
        let block = format!("layers.{layer}.");
        parameters.visit(&mut |path, t| {
            if path.starts_with(&block)
                && let Some(gradient) = t.grad_remove(&mut own)
            {
                t.grad_replace(&mut gradients, gradient);
            }
        });
    });
    ended(Phase::Backward);
    Ok((seed.loss(model, targets(batch, tuned.objective()), largest)?, gradients))
}

/// Where a backward pass begins, and what is to be told of the loss.
struct Seed {
    /// What the gradients are of.
    root: Tensor<1>,
    /// Negative log-likelihood of each target, not tracked.
    nll: Tensor<2>,
    /// Sum of the entropies of what the model expected.
    entropy: Tensor<1>,
}

impl Seed {
    /// Reads the loss back from the device, which ends all work that was handed to it so far.
    fn loss(self, model: &Gemma, targets: usize, largest: Tensor<1>) -> gemma::Result<Loss> {
        let [sum, entropy, largest] = scalars(model, [self.nll.sum(), self.entropy, largest])?;
        Ok(Loss { sum, entropy, targets, largest })
    }
}

/// The largest absolute value of states. Of the residual stream: behind the last norm all states are of one size, whatever
/// became of them before it.
fn largest(states: &Tensor<2>) -> Tensor<1> {
    states.clone().inner().abs().max()
}

/// The loss of completions, from the hidden states of all tokens.
fn of_completions(model: &Gemma, batch: &Batch, hidden: Tensor<2>, total: usize) -> gemma::Result<Seed> {
    let hidden = hidden.select(0, index(model, &batch.positions));
    let ce = loss::cross_entropy(hidden.clone().inner(), &batch.targets, model.table(), model.device())?;
    // the gradient is the expected row of the table less the target's: the product leaves the entropy of the loss
    let entropy = ce.nll.clone().sum() - (hidden.clone().inner() * ce.gradient.clone()).sum();
    // the gradient is known, so the graph starts from a product whose derivative it is
    let root = (hidden * ce.gradient.mul_scalar(1.0 / total as f64)).sum();
    Ok(Seed { root, nll: ce.nll, entropy })
}

/// The loss of a head, from the states that it reads of all tokens.
fn of_classes(model: &Gemma, head: &Head, batch: &Batch, states: Tensor<2>, total: usize) -> Seed {
    let logits = head.forward(states, &batch.ids, &batch.places);
    let expected = log_softmax(logits.clone().inner(), 1);
    let entropy = (expected.clone().exp() * expected).sum().neg();
    let nll = loss::class_nll(logits, &batch.classes, model.device());
    Seed { root: nll.clone().sum().mul_scalar(1.0 / total as f64), nll: nll.inner(), entropy }
}

/// Loss of a batch of completions without gradients or dropout, and how many answers would be empty.
///
/// # Errors
/// As [`forward_backward`].
pub fn evaluate(model: &Gemma, tuned: &Tuned, batch: &Batch) -> gemma::Result<Evaluated> {
    let hidden = model.forward(&batch.ids, &batch.rows, Some(&tuned.trained), false)?.inner();
    let hidden = hidden.select(0, index(model, &batch.positions));
    let ce = loss::cross_entropy(hidden.clone(), &batch.targets, model.table(), model.device())?;
    // the last token of a row has no next one, so the positions of two rows are never neighbours
    let begins = |&i: &usize| i == 0 || batch.positions[i] != batch.positions[i - 1] + 1;
    let first: Vec<usize> = (0..batch.targets.len()).filter(begins).filter(|&i| ![PAD, EOS].contains(&batch.targets[i])).collect();
    let silent = if first.is_empty() { 0 } else { silent(model, batch, &first, hidden, ce.nll.clone())? };
    Ok(Evaluated { sum: scalar(model, ce.nll.sum())?, targets: batch.targets.len(), speaking: first.len(), silent })
}

/// Of the targets counted in `first`, those in whose place padding or the end of the text is likelier than all else together.
fn silent(model: &Gemma, batch: &Batch, first: &[usize], hidden: Tensor<2>, nll: Tensor<2>) -> gemma::Result<usize> {
    let own = index(model, first);
    let tokens: Vec<u32> = [PAD, EOS].into_iter().chain(first.iter().map(|&i| batch.targets[i])).collect();
    let logits = model.logits_of(hidden.select(0, own.clone()), &tokens)?;
    let nll = gemma::lora::values(nll.select(0, own));
    let silent = |(row, (logits, nll)): &(usize, (&Vec<f32>, f32))| {
        // the loss is the logarithm of the sum of all exponentials less the target's logit
        let all = nll + logits[2 + row];
        logits[..2].iter().map(|l| (l - all).exp()).sum::<f32>() > 0.5
    };
    Ok(logits.iter().zip(nll).enumerate().filter(silent).count())
}

/// Class logits of a batch, `[places, classes]`, without gradients or dropout.
///
/// # Errors
/// As [`forward_backward`].
pub fn classify(model: &Gemma, trained: &Trained, head: &Head, batch: &Batch) -> gemma::Result<Tensor<2>> {
    let states = model.states(&batch.ids, &batch.rows, Some(trained), false, head.taps())?.inner();
    Ok(head.forward(states, &batch.ids, &batch.places).inner())
}

/// A head fitted to what the untuned model makes of the examples, each of which counts as `weights` says, see [`Head::fit`]; none if
/// `stop` is set, which is looked at between batches.
///
/// # Errors
/// If an example does not fit the model, or the device fails.
pub fn fit_head(
    model: &Gemma,
    examples: &[Encoded],
    weights: &[f32],
    classes: usize,
    view: View,
    ridge: f64,
    stop: &AtomicBool,
) -> gemma::Result<Option<Head>> {
    let (mut states, mut labels, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    let at_once = Cell::new(data::batch::FORWARD_ROWS);
    for rows in data::batch::sorted(examples) {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let read = |part: &[usize]| {
            let batch = Batch::new(examples, part, model.layout());
            let all = model.states(&batch.ids, &batch.rows, None, false, &view.taps)?;
            let pooled = gemma::head::pool(all, &batch.ids, &batch.places, view.pool);
            if !gemma::device::is_cpu(model.device()) {
                // whether there was room for it shows only when something of it is read
                scalar(model, pooled.clone().sum())?;
            }
            gemma::Result::Ok(vec![(pooled, batch.classes)])
        };
        for (pooled, classes) in failure::by_parts(model.device(), &rows, &at_once, read)? {
            states.push(pooled);
            labels.extend(classes);
        }
        counts.extend(rows.iter().flat_map(|&i| examples[i].marks.iter().map(move |_| weights[i])));
    }
    failure::caught(model.device(), || Ok(Some(Head::fit(Tensor::cat(states, 0), &labels, &counts, classes, view, ridge))))
}

fn index(model: &Gemma, positions: &[usize]) -> Tensor<1, Int> {
    let positions: Vec<i64> = positions.iter().map(|&p| p as i64).collect();
    let n = positions.len();
    Tensor::from_data(TensorData::new(positions, [n]), model.device())
}

/// Reads one value back from the device.
///
/// # Errors
/// If the device failed.
pub(crate) fn scalar(model: &Gemma, t: Tensor<1>) -> gemma::Result<f64> {
    scalars(model, [t]).map(|[value]| value)
}

/// Reads single values back from the device, at once.
///
/// # Errors
/// If the device failed.
fn scalars<const N: usize>(model: &Gemma, t: [Tensor<1>; N]) -> gemma::Result<[f64; N]> {
    let fail = |e: String| gemma::Error::Device {
        device: gemma::device::name(model.device()),
        what: say!("a result could not be read back: {e}", "un risultato non si è potuto rileggere: {e}"),
    };
    let values = Tensor::cat(t.into(), 0).try_into_vec_as::<f32>().map_err(|e| fail(e.to_string()))?;
    values.into_iter().map(f64::from).collect::<Vec<_>>().try_into().map_err(|v: Vec<f64>| fail(format!("{} values", v.len())))
}
