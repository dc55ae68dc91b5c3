//! How long it takes to read prompts and to write answers, with each block as one operation and operation by operation, turn by
//! turn; and that both write the same.
//!
//!     cargo run --example answering -p acceptance -p lapidary -- MODEL.gguf [ROUNDS]

use gemma::generate::{Free, Generated, Limits, Sampling, beams, generate};
use gemma::{Adapters, Gemma, LoraConfig, Precision, Trained, Weights};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// What is asked: prompts, tokens of each, how many of them they begin with alike, tokens to write, and beams if it is a search.
const CASES: [(&str, usize, usize, usize, usize, usize); 5] = [
    ("16 messages of 64 tokens, 1 written", 16, 64, 1, 1, 1),
    ("16 messages of 64 tokens, 24 written", 16, 64, 1, 24, 1),
    ("16 prompts of 192 tokens, 128 of them the same, 8 written", 16, 192, 128, 8, 1),
    ("1 prompt of 64 tokens, 24 written", 1, 64, 1, 24, 1),
    ("4 prompts of 620 tokens, 560 of them the same, 4 beams, 12 written", 4, 620, 560, 12, 4),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let file = words.next().ok_or("name a model file")?;
    let rounds: usize = words.next().map_or(Ok(2), |n| n.parse())?;
    let (_, device) = gemma::device::open("cpu")?;
    let weights = Arc::new(Weights::open(Path::new(&file))?);
    for precision in [Precision::F32, Precision::File] {
        let model = Gemma::load_at(weights.clone(), &device, precision)?;
        let trained: Trained = Adapters::random(LoraConfig::default(), &model, 1)?.into();
        for case in CASES {
            let (mut fused, mut by_one) = (Vec::new(), Vec::new());
            let mut same = true;
            for _ in 0..rounds {
                let (one, answers) = timed(&model, &trained, case)?;
                let (other, others) = timed(&model.unfused(), &trained, case)?;
                same &= answers.iter().zip(&others).all(|(a, b)| a.tokens == b.tokens);
                fused.push(one);
                by_one.push(other);
            }
            let median = |mut times: Vec<f64>| {
                times.sort_by(f64::total_cmp);
                times[times.len() / 2]
            };
            let (fused, by_one) = (median(fused), median(by_one));
            let alike = if same { "the same answers" } else { "OTHER ANSWERS" };
            println!("{precision:?}, {}: {fused:.2} s, operation by operation {by_one:.2} s ({:.1} times), {alike}", case.0, by_one / fused);
        }
    }
    Ok(())
}

/// Seconds that a case takes, and what is written.
fn timed(
    model: &Gemma,
    trained: &Trained,
    (_, rows, length, alike, tokens, width): (&str, usize, usize, usize, usize, usize),
) -> Result<(f64, Vec<Generated>), gemma::Error> {
    let prompt = |row: usize| {
        (0..length)
            .map(|t| match t {
                0 => 2,
                t => 5 + ((t * 7919 + if t < alike { 0 } else { row * 104_729 }) % 200_000) as u32,
            })
            .collect()
    };
    let prompts: Vec<Vec<u32>> = (0..rows).map(prompt).collect();
    let limits = Limits { tokens, stop: &[] };
    let begun = Instant::now();
    let answers = if width > 1 {
        beams(model, Some(trained), &prompts, &limits, width, &Free)?.into_iter().flatten().collect()
    } else {
        generate(model, Some(trained), &prompts, &limits, &Sampling::GREEDY, &Free)?
    };
    Ok((begun.elapsed().as_secs_f64(), answers))
}
