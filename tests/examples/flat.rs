//! Whether memory stays flat over a long training: steps of the tiny model on rows of many lengths, with evaluations,
//! checkpoints and averaging, and what the process holds on the way.
//!
//!     cargo run --example flat -p acceptance -p lapidary [-- STEPS]

use acceptance::{open, tiny};
use data::{Batch, Encoded};
use gemma::head::{Pool, View};
use gemma::{Adapters, Gemma, Head, LoraConfig};
use train::{Event, Observer, Plan, Settings, Snapshot, Tuned, Validation, checkpoint, memory, step};

/// Steps after which caches are filled.
const SETTLED: usize = 200;

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

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let steps: usize = std::env::args().nth(1).map_or(Ok(2000), |n| n.parse())?;
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
        let most = |part: &[u64]| mib(part.iter().copied().max().unwrap_or(0));
        let held = &watch.held;
        let (before, after) = held.split_at(SETTLED.min(held.len()));
        println!(
            "{name}: {} steps; at most {:.1} MiB in the first {SETTLED}, {:.1} MiB in the others; {:.1} MiB after {SETTLED}, {:.1} MiB at the end; peak {:.1} MiB",
            held.len(),
            most(before),
            most(after),
            before.last().map_or(0.0, |b| mib(*b)),
            held.last().map_or(0.0, |b| mib(*b)),
            mib(memory::peak()),
        );
    }
    Ok(())
}
