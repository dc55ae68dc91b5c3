//! Text out of the model: greedy, sampled and constrained decoding over a key/value cache, batched.
//!
//! A [`Constraint`] says which tokens may follow. When it names them all, only their logits are
//! computed, so answering from a closed set never touches the 262 144-row output layer.

use crate::error::{Error, Result};
use crate::model::{Cache, Gemma};
use crate::trained::Trained;
use burn::tensor::{Int, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use say::say;

/// Token that ends a text.
pub const EOS: u32 = 1;
/// Token that begins every text.
pub const BOS: u32 = 2;
/// Token that fills rows of a batch.
pub const PAD: u32 = 0;
/// Ends a turn in the instruction-tuned models.
pub const END_OF_TURN: u32 = 106;

/// How the next token is chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// 0 takes the likeliest token (greedy); otherwise logits are divided by it.
    pub temperature: f64,
    /// Only this many of the likeliest tokens are candidates; 0 means all.
    pub top_k: usize,
    /// Only the likeliest tokens that together reach this probability are candidates; 1 means all.
    pub top_p: f64,
    /// Makes sampling repeatable; every row of a batch has its own stream.
    pub seed: u64,
}

impl Sampling {
    /// The likeliest token each time.
    pub const GREEDY: Self = Self { temperature: 0.0, top_k: 0, top_p: 1.0, seed: 0 };

    /// Checks that the values make sense.
    ///
    /// # Errors
    /// With a sentence that names the setting.
    pub fn check(&self) -> Result<()> {
        if !self.temperature.is_finite() || self.temperature < 0.0 {
            return Err(Error::Request(say!(
                "temperature must be 0 (greedy) or a positive number",
                "temperature dev’essere 0 (la scelta più probabile) o un numero positivo"
            )));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return Err(Error::Request(say!("top_p must be above 0 and at most 1", "top_p dev’essere maggiore di 0 e al massimo 1")));
        }
        Ok(())
    }
}

/// Which tokens may come next.
pub enum Allowed {
    /// Every token of the vocabulary.
    Any,
    /// These only; an empty list ends the text.
    Only(Vec<u32>),
}

/// Restricts what may be generated.
pub trait Constraint {
    /// Tokens that may follow what was `generated` for prompt number `row` of the batch (or a beam of it, see [`beams`]).
    fn next(&self, row: usize, generated: &[u32]) -> Allowed;
}

/// No restriction.
pub struct Free;

impl Constraint for Free {
    fn next(&self, _: usize, _: &[u32]) -> Allowed {
        Allowed::Any
    }
}

/// What was generated for one prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Generated {
    /// Tokens without the stop token.
    pub tokens: Vec<u32>,
    /// Natural logarithm of the probability of the tokens (and of stopping), renormalised over what
    /// the constraint allowed.
    pub log_probability: f64,
    /// Did the text end by itself, rather than at the length limit?
    pub finished: bool,
}

/// What limits a generation.
pub struct Limits<'a> {
    /// Most tokens per row.
    pub tokens: usize,
    /// Tokens that end a row.
    pub stop: &'a [u32],
}

/// Continues each prompt. Rows may differ in length; finished rows leave the batch.
///
/// # Errors
/// If a prompt is empty, a prompt and its continuation do not fit the context, or the settings make
/// no sense.
pub fn generate(
    model: &Gemma,
    trained: Option<&Trained>,
    prompts: &[Vec<u32>],
    limits: &Limits<'_>,
    sampling: &Sampling,
    constraint: &dyn Constraint,
) -> Result<Vec<Generated>> {
    sampling.check()?;
    if prompts.is_empty() {
        return Ok(Vec::new());
    }
    let read = read(model, trained, prompts)?;
    go_on(model, trained, read, prompts.len(), limits, sampling, constraint)
}

/// Continues each prompt `count` times, each time by other chances, reading it once. `constraint` is asked about row
/// `prompt * count + time`.
///
/// # Errors
/// As [`generate`].
pub fn samples(
    model: &Gemma,
    trained: Option<&Trained>,
    prompts: &[Vec<u32>],
    limits: &Limits<'_>,
    sampling: &Sampling,
    count: usize,
    constraint: &dyn Constraint,
) -> Result<Vec<Vec<Generated>>> {
    sampling.check()?;
    if prompts.is_empty() || count == 0 {
        return Ok(vec![Vec::new(); prompts.len()]);
    }
    let (mut cache, hidden) = read(model, trained, prompts)?;
    let rows: Vec<usize> = (0..prompts.len()).flat_map(|prompt| std::iter::repeat_n(prompt, count)).collect();
    cache.select(&rows);
    let hidden = rows_of(hidden, rows.iter().copied());
    let all = go_on(model, trained, (cache, hidden), rows.len(), limits, sampling, constraint)?;
    Ok(all.chunks(count).map(<[Generated]>::to_vec).collect())
}

/// Continues so many rows that have been read.
fn go_on(
    model: &Gemma,
    trained: Option<&Trained>,
    (mut cache, mut hidden): (Cache, Tensor<2>),
    rows: usize,
    limits: &Limits<'_>,
    sampling: &Sampling,
    constraint: &dyn Constraint,
) -> Result<Vec<Generated>> {
    let mut out = vec![Generated::default(); rows];
    let mut rngs: Vec<ChaCha8Rng> = (0..rows as u64).map(|row| ChaCha8Rng::seed_from_u64(sampling.seed ^ row << 32)).collect();
    let mut active: Vec<usize> = (0..rows).collect();
    for _ in 0..limits.tokens {
        let allowed: Vec<Allowed> = active.iter().map(|&row| constraint.next(row, &out[row].tokens)).collect();
        let choices = choose(model, hidden, &allowed)?;
        let (mut keep, mut next) = (Vec::new(), Vec::new());
        for (at, (&row, (tokens, logits))) in active.iter().zip(choices).enumerate() {
            let Some((pick, log_p)) = sample(&logits, sampling, &mut rngs[row]) else {
                out[row].finished = true;
                continue;
            };
            let token = tokens.as_ref().map_or(pick as u32, |t| t[pick]);
            out[row].log_probability += log_p;
            if limits.stop.contains(&token) {
                out[row].finished = true;
                continue;
            }
            out[row].tokens.push(token);
            keep.push(at);
            next.push(token);
        }
        if keep.is_empty() {
            break;
        }
        if keep.len() < active.len() {
            cache.select(&keep);
            active = keep.iter().map(|&at| active[at]).collect();
        }
        // the last token needs no forward pass when nothing may follow it
        if out[active[0]].tokens.len() == limits.tokens {
            break;
        }
        hidden = model.forward_cached(&next, trained, &mut cache)?;
    }
    Ok(out)
}

/// Reads the prompts: the cache behind them, and the hidden state at the end of each, `[prompts, hidden]`.
fn read(model: &Gemma, trained: Option<&Trained>, prompts: &[Vec<u32>]) -> Result<(Cache, Tensor<2>)> {
    if prompts.iter().any(Vec::is_empty) {
        return Err(Error::Request(say!(
            "a prompt is empty; it must hold at least the token that begins a text",
            "un prompt è vuoto; deve contenere almeno il token che comincia un testo"
        )));
    }
    let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
    let padding: Vec<usize> = prompts.iter().map(|p| longest - p.len()).collect();
    let ids: Vec<u32> = prompts.iter().zip(&padding).flat_map(|(p, &n)| std::iter::repeat_n(PAD, n).chain(p.iter().copied())).collect();
    let mut cache = Cache::new(padding, model.config());
    let hidden = last(model.forward_cached(&ids, trained, &mut cache)?, prompts.len());
    Ok((cache, hidden))
}

/// Continues each prompt with the `width` likeliest texts that a search of this width finds, best first (beam search).
/// Texts that did not end within the limit stand among the others by their probability so far.
///
/// `constraint` is asked about row `prompt * width + beam`, and a row's past may become another one from one token to
/// the next, as better beams take the place of worse ones.
///
/// # Errors
/// As [`generate`].
pub fn beams(
    model: &Gemma,
    trained: Option<&Trained>,
    prompts: &[Vec<u32>],
    limits: &Limits<'_>,
    width: usize,
    constraint: &dyn Constraint,
) -> Result<Vec<Vec<Generated>>> {
    let width = width.max(1);
    if prompts.is_empty() {
        return Ok(Vec::new());
    }
    let (mut cache, mut hidden) = read(model, trained, prompts)?;
    let mut ended: Vec<Vec<Generated>> = vec![Vec::new(); prompts.len()];
    // the beams that go on, a prompt's next to each other, in the order of the cache's rows
    let mut going: Vec<(usize, Generated)> = (0..prompts.len()).map(|prompt| (prompt, Generated::default())).collect();
    for written in 1..=limits.tokens {
        let mut slot = (usize::MAX, 0);
        let allowed: Vec<Allowed> = going
            .iter()
            .map(|(prompt, beam)| {
                slot = if slot.0 == *prompt { (*prompt, slot.1 + 1) } else { (*prompt, 0) };
                constraint.next(prompt * width + slot.1, &beam.tokens)
            })
            .collect();
        let choices = choose(model, hidden, &allowed)?;
        let (mut next, mut from) = (Vec::new(), Vec::new());
        let mut row = 0;
        while row < going.len() {
            let prompt = going[row].0;
            let own = row..row + going[row..].iter().take_while(|(p, _)| *p == prompt).count();
            row = own.end;
            let mut candidates: Vec<(f64, usize, u32)> = Vec::new();
            for at in own {
                let (tokens, logits) = &choices[at];
                let so_far = going[at].1.log_probability;
                candidates
                    .extend(likeliest(logits, width).into_iter().map(|(pick, log_p)| (so_far + log_p, at, tokens.as_ref().map_or(pick as u32, |t| t[pick]))));
            }
            candidates.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
            candidates.truncate(width);
            for (log_probability, at, token) in candidates {
                let mut beam = going[at].1.clone();
                beam.log_probability = log_probability;
                if limits.stop.contains(&token) {
                    ended[prompt].push(Generated { finished: true, ..beam });
                    continue;
                }
                beam.tokens.push(token);
                if written == limits.tokens {
                    ended[prompt].push(beam);
                } else {
                    next.push((prompt, beam));
                    from.push(at);
                }
            }
        }
        // longer texts are never likelier: a prompt is done once its beams are behind as many ended ones as are wanted
        let done: Vec<bool> = (0..prompts.len())
            .map(|prompt| {
                let best = next.iter().filter(|(p, _)| *p == prompt).map(|(_, b)| b.log_probability).fold(f64::NEG_INFINITY, f64::max);
                ended[prompt].iter().filter(|e| e.log_probability >= best).count() >= width
            })
            .collect();
        let kept: Vec<usize> = (0..next.len()).filter(|&i| !done[next[i].0]).collect();
        if kept.is_empty() {
            break;
        }
        cache.select(&kept.iter().map(|&i| from[i]).collect::<Vec<_>>());
        going = kept.iter().map(|&i| next[i].clone()).collect();
        let tokens: Vec<u32> = going.iter().filter_map(|(_, beam)| beam.tokens.last().copied()).collect();
        hidden = model.forward_cached(&tokens, trained, &mut cache)?;
    }
    for found in &mut ended {
        found.sort_by(|a, b| b.log_probability.total_cmp(&a.log_probability));
        found.truncate(width);
    }
    Ok(ended)
}

/// The likeliest candidates with their log-probabilities among all, best first.
fn likeliest(logits: &[f32], count: usize) -> Vec<(usize, f64)> {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    let descending = |&a: &usize, &b: &usize| logits[b].total_cmp(&logits[a]).then(a.cmp(&b));
    if count < order.len() {
        order.select_nth_unstable_by(count, descending);
        order.truncate(count);
    }
    order.sort_unstable_by(descending);
    let Some(&best) = order.first() else { return Vec::new() };
    let log_sum = log_sum(logits, f64::from(logits[best]));
    order.into_iter().map(|i| (i, f64::from(logits[i]) - log_sum)).collect()
}

/// Logarithm of the sum of the exponentials, whose largest is that of `max`.
fn log_sum(logits: &[f32], max: f64) -> f64 {
    logits.iter().map(|&l| (f64::from(l) - max).exp()).sum::<f64>().ln() + max
}

/// The last position of each row: `[batch * time, hidden]` → `[batch, hidden]`.
fn last(hidden: Tensor<2>, batch: usize) -> Tensor<2> {
    let time = hidden.dims()[0] / batch;
    rows_of(hidden, (1..=batch).map(|b| b * time - 1))
}

/// These rows of a matrix; one may be wanted several times.
fn rows_of(matrix: Tensor<2>, rows: impl Iterator<Item = usize>) -> Tensor<2> {
    let index: Vec<i64> = rows.map(|row| row as i64).collect();
    let count = index.len();
    let index = Tensor::<1, Int>::from_data(TensorData::new(index, [count]), &matrix.device());
    matrix.select(0, index)
}

/// From this many candidates on, the whole output layer is computed.
const WHOLE: usize = 1 << 15;

/// Candidate tokens of each row (all, if `None`) with their logits.
type Choice = (Option<Vec<u32>>, Vec<f32>);

fn choose(model: &Gemma, hidden: Tensor<2>, allowed: &[Allowed]) -> Result<Vec<Choice>> {
    let mut union: Vec<u32> = Vec::new();
    let mut any = false;
    for a in allowed {
        match a {
            Allowed::Any => any = true,
            Allowed::Only(tokens) => union.extend(tokens),
        }
    }
    union.sort_unstable();
    union.dedup();
    if !any && union.is_empty() {
        return Ok(allowed.iter().map(|_| (Some(Vec::new()), Vec::new())).collect());
    }
    // a large part of the output layer costs as much as all of it, and off the CPU is gathered first
    let any = any || union.len() > WHOLE;
    let logits = if any { model.logits(hidden)? } else { model.logits_of(hidden, &union)? };
    let pick = |row: &[f32], token: u32| {
        let at = if any { token as usize } else { union.binary_search(&token).unwrap_or(usize::MAX) };
        row.get(at).copied().unwrap_or(f32::NEG_INFINITY)
    };
    Ok(allowed
        .iter()
        .zip(logits)
        .map(|(a, row)| match a {
            Allowed::Any => (None, row),
            Allowed::Only(tokens) => (Some(tokens.clone()), tokens.iter().map(|&t| pick(&row, t)).collect()),
        })
        .collect())
}

/// Chooses an index and gives its log-probability among `logits` before any truncation; `None` if
/// there is nothing to choose from.
fn sample(logits: &[f32], sampling: &Sampling, rng: &mut ChaCha8Rng) -> Option<(usize, f64)> {
    let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]).then(b.cmp(&a)))?;
    let max = f64::from(logits[best]);
    let log_sum = log_sum(logits, max);
    let pick = if sampling.temperature == 0.0 { best } else { draw(logits, sampling, max, rng) };
    Some((pick, f64::from(logits[pick]) - log_sum))
}

fn draw(logits: &[f32], sampling: &Sampling, max: f64, rng: &mut ChaCha8Rng) -> usize {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    let k = if sampling.top_k == 0 { order.len() } else { sampling.top_k.min(order.len()) };
    let descending = |&a: &usize, &b: &usize| logits[b].total_cmp(&logits[a]).then(a.cmp(&b));
    if k < order.len() {
        order.select_nth_unstable_by(k - 1, descending);
        order.truncate(k);
    }
    order.sort_unstable_by(descending);
    let weights: Vec<f64> = order.iter().map(|&i| ((f64::from(logits[i]) - max) / sampling.temperature).exp()).collect();
    let total: f64 = weights.iter().sum();
    let (mut kept, mut mass) = (0, 0.0);
    while kept < weights.len() && (kept == 0 || mass < sampling.top_p * total) {
        mass += weights[kept];
        kept += 1;
    }
    let mut left = rng.random_range(0.0..1.0) * mass;
    for (&i, w) in order.iter().zip(&weights[..kept]) {
        left -= w;
        if left <= 0.0 {
            return i;
        }
    }
    order[kept - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncation_keeps_what_it_says() {
        let logits = [1.0, 3.0, 2.0, -1.0];
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let drawn = |top_k, top_p, rng: &mut ChaCha8Rng| {
            let s = Sampling { temperature: 1.0, top_k, top_p, seed: 0 };
            let mut seen: Vec<usize> = (0..400).filter_map(|_| Some(sample(&logits, &s, rng)?.0)).collect();
            seen.sort_unstable();
            seen.dedup();
            seen
        };
        assert_eq!(drawn(0, 1.0, &mut rng), [0, 1, 2, 3]);
        assert_eq!(drawn(2, 1.0, &mut rng), [1, 2]);
        // probabilities are 0.66, 0.24, 0.09, 0.01: the first two reach 0.8
        assert_eq!(drawn(0, 0.8, &mut rng), [1, 2]);
        assert_eq!(drawn(1, 1.0, &mut rng), [1]);
    }

    #[test]
    fn greedy_takes_the_first_of_equals_and_knows_its_probability() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let (i, p) = sample(&[2.0, 2.0], &Sampling::GREEDY, &mut rng).expect("two candidates");
        assert_eq!(i, 0);
        assert!((p - 0.5f64.ln()).abs() < 1e-9);
        assert_eq!(sample(&[], &Sampling::GREEDY, &mut rng), None);
    }
}
