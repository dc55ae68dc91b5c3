//! Whether memory stays flat over a long training: steps of the tiny model on rows of many lengths, with evaluations,
//! checkpoints and averaging, and what the process holds on the way. Ends with 1 where it grows.
//!
//!     cargo run --example flat -p acceptance -p lapidary [-- STEPS]

use acceptance::{open, tiny};
use data::{Batch, Encoded};
use gemma::head::{Pool, View};
use gemma::{Adapters, Gemma, Head, LoraConfig};
use std::ops::Range;
use std::process::ExitCode;
use train::{Event, Observer, Plan, Settings, Snapshot, Tuned, Validation, checkpoint, memory, step};

/// Steps that the last ones are held against: caches are filled by then.
const SETTLED: Range<usize> = 200..400;
/// Mebibytes by which the last tenth of the steps may hold more.
const MOST: f64 = 4.0;

struct Watch<'a> {
    model: &'a Gemma,
    examples: &'a [Encoded],
    writer: checkpoint::Writer,
    /// Resident bytes after each step.
    held: Vec<u64>,
}

impl Observer for Watch<'_> {
    fn event(&mut self, event: Event) {
        if let Event::Step { memory_bytes, .. } = event {
            self.held.push(memory_bytes);
        }
    }
    fn validate(&mut self, tuned: &Tuned) -> gemma::Result<Option<Validation>> {
        let batch = Batch::new(self.examples, &(0..16).collect::<Vec<_>>(), self.model.layout());
        let loss = match &tuned.head {
            None => step::evaluate(self.model, tuned, &batch)?.sum,
            Some(head) => gemma::lora::values(step::classify(self.model, &tuned.trained, head, &batch)?).into_iter().map(|v| f64::from(v).abs()).sum(),
        };
        Ok(Some(Validation { loss, metrics: Default::default(), score: -loss, collapsed: false, silent: false, samples: Vec::new() }))
    }
    fn save(&mut self, _: &Tuned, _: usize) -> gemma::Result<String> {
        Ok(String::new())
    }
    fn checkpoint(&mut self, snapshot: Snapshot) -> Option<String> {
        self.writer.submit(snapshot).iter().for_each(|message| eprintln!("{message}"));
        None
    }
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let steps: usize = std::env::args().nth(1).map_or(Ok(2000), |n| n.parse())?;
    if steps < 2 * SETTLED.end {
        return Err(format!("{steps} steps do not show whether memory grows; {} and more do", 2 * SETTLED.end).into());
    }
    let mut missed: Vec<String> = Vec::new();
    let (_, model) = open(&tiny(), "cpu");
    for (name, head) in [("completion", false), ("head", true)] {
        // forty examples make ten steps of an epoch
        let row = |i: usize| {
            let length = 12 + (i * 37) % 180;
            let ids: Vec<u32> = (0..length).map(|t| if t == 0 { 2 } else { 300 + ((31 * t + 97 * i) % 700) as u32 }).collect();
            if head { Encoded::classed(ids, (i % 3) as u32) } else { Encoded { prompt: length - 5, ids, marks: Vec::new(), repeated: 0 } }
        };
        let examples: Vec<Encoded> = (0..40).map(row).collect();
        let config = LoraConfig { rank: 4, dropout: 0.1, ..LoraConfig::default() };
        let adapters = Adapters::new(config, &model, 0)?;
        let view = View { taps: vec![model.config().layers], pool: Pool::Mean };
        let head = head.then(|| Head::new(model.config().hidden, 3, view, 0, model.device()));
        let settings = Settings { epochs: steps / 10, checkpoint_every: 10, average: 3, repairs: 6, ..Settings::steady(4, 1e-4) };
        let folder = tempfile::tempdir()?;
        let mut watch = Watch { model: &model, examples: &examples, writer: checkpoint::Writer::new(folder.path().into()), held: Vec::new() };
        let plan = Plan { model: &model, examples: &examples, settings: &settings, seed: 0 };
        plan.run(plan.start(Tuned { trained: adapters.into(), head }), &mut watch)?;
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let held = &watch.held;
        let (settled, last) = (usual(held.get(SETTLED).unwrap_or_default()), usual(&held[held.len() * 9 / 10..]));
        let (least, most) = (held.iter().min().copied().unwrap_or(0), held.iter().max().copied().unwrap_or(0));
        println!(
            "{name}: {} steps; usually {:.1} MiB in steps {} to {}, {:.1} MiB in the last tenth; {:.1} to {:.1} MiB in all; peak {:.1} MiB",
            held.len(),
            mib(settled),
            SETTLED.start,
            SETTLED.end,
            mib(last),
            mib(least),
            mib(most),
            mib(memory::peak()),
        );
        if held.len() < 2 * SETTLED.end {
            missed.push(format!("{name}: the training ended by itself after {} steps", held.len()));
        }
        if least == 0 {
            missed.push(format!("{name}: this system does not say what a process holds"));
        }
        if mib(last) > mib(settled) + MOST {
            missed.push(format!("{name}: {:.1} MiB more in the last tenth than once caches were filled, not {MOST} MiB", mib(last) - mib(settled)));
        }
    }
    missed.iter().for_each(|what| println!("MISSED: {what}"));
    Ok(if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What was held most of the time: the median, so that a single evaluation or checkpoint says nothing.
fn usual(held: &[u64]) -> u64 {
    let mut sorted = held.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}
