//! Whole runs in this process, on the tiny model: what ends them, and what has no part in them.

use acceptance::tiny;
use lab::library::Library;
use lab::report::record::{self, RunResult};
use lab::resume::{Resumed, resume};
use lab::run::{Request, train};
use lab::set::Source;
use lab::{Event, Home};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// A library and a data set of two intents.
struct Bench {
    dir: tempfile::TempDir,
    home: Home,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let home = Home::open(Some(&dir.path().join("home"))).expect("a home");
        let bench = Self { dir, home };
        for (part, from, to) in [("train", 0, 12), ("validation", 12, 16), ("test", 16, 20)] {
            bench.write(part, (from..to).map(|i| [("arriva il pacco", "pacco"), ("rendo la maglia", "reso")][i % 2]).enumerate());
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a part: texts, each with its number, and labels.
    fn write<'a>(&self, part: &str, rows: impl Iterator<Item = (usize, (&'a str, &'a str))>) {
        let row = |(i, (text, label)): (usize, (&str, &str))| serde_json::json!({"text": format!("{text} {part} {i}"), "label": label}).to_string() + "\n";
        std::fs::write(self.path(&format!("{part}.jsonl")), rows.map(row).collect::<String>()).expect("written");
    }

    fn request(&self, out: &str, method: &str, set: &[&str]) -> Request {
        Request {
            task: "intent".into(),
            data: Source { folder: Some(self.dir.path().into()), ..Source::default() },
            model: tiny().display().to_string(),
            method: method.into(),
            device: "cpu".into(),
            recipe: None,
            set: ["epochs=3", "batch=4"].iter().chain(set).map(|s| (*s).to_string()).collect(),
            rows: None,
            seed: 0,
            edited: false,
            trial: false,
            out: self.path(out),
            command: String::new(),
        }
    }

    fn events(&self, out: &str) -> Vec<Event> {
        record::events(&self.path(out)).expect("events")
    }
}

fn result(folder: &Path) -> RunResult {
    RunResult::read(folder).expect("a result")
}

/// A device that is lost, or memory that is not there, is a panic deep below. The run must not stay "running" for ever.
#[test]
fn a_crash_in_the_middle_of_a_run_is_written_down_and_the_run_goes_on() {
    let b = Bench::new();
    let mut lost = |event: &Event| {
        if let Event::Step { step: 4, .. } = event {
            panic!("the device was lost");
        }
    };
    let failed = train(&b.home, &b.request("out", "head", &[]), &mut lost, &AtomicBool::new(false)).expect_err("it crashed").to_string();
    assert!(failed.contains("the device was lost") && failed.contains("choose another device"), "{failed}");
    let out = b.path("out");
    let written = result(&out);
    assert_eq!((written.status.as_str(), written.train.steps, written.error.as_deref()), ("failed", 4, Some(failed.as_str())));
    assert!(matches!(b.events("out").last(), Some(Event::Failed { step: 4, message }) if *message == failed), "{:?}", b.events("out").last());
    let status = || Library::open(&b.home).and_then(|l| l.runs()).expect("the library")[0].status.clone();
    assert_eq!(status(), "failed");
    let Ok(Resumed::Here(ended)) = resume(&b.home, &out, None, &mut |_| {}, &AtomicBool::new(false)) else { panic!("it cannot be gone on with") };
    assert_eq!((ended.status.as_str(), ended.train.steps, status().as_str()), ("completed", 9, "completed"));
}
