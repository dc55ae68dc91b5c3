//! Data files from anywhere, in every format and for every task: no panic, every message names the
//! file and, where it names a line, one that can exist, and examples come in the order of their lines.
#![no_main]
#![allow(dead_code)]

#[path = "../../crates/data/src/error.rs"]
mod error;
#[path = "../../crates/data/src/example.rs"]
mod example;
#[path = "../../crates/data/src/kind.rs"]
mod kind;
#[path = "../../crates/data/src/part.rs"]
mod part;
#[path = "../../crates/data/src/read/mod.rs"]
mod read;

use std::path::PathBuf;
use std::sync::LazyLock;

/// A folder in memory where there is one: the readers open files.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = base.join(format!("lapidary-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // the first byte chooses the format and the task, so that each input is one case
    let Some((choice, data)) = data.split_first() else { return };
    let (ending, _) = read::ENDINGS[usize::from(*choice) % read::ENDINGS.len()];
    let kind = kind::Kind::ALL[usize::from(*choice) / read::ENDINGS.len() % kind::Kind::ALL.len()];
    let name = format!("x.{ending}");
    let path = FOLDER.join(&name);
    std::fs::write(&path, data).expect("written");
    // UTF-16 has line ends of two bytes, older encodings of one: there are never more lines than this
    let lines = data.iter().filter(|b| **b == b'\n').count() + 1;
    match read::examples(&path, kind, &read::Columns::default()) {
        Ok(examples) => {
            assert!(examples.is_sorted_by_key(|e| e.origin.line));
            let rows = examples.iter().map(|e| e.origin.line).max().unwrap_or(0);
            assert!(ending == "parquet" || rows <= lines);
        }
        Err(e) => {
            let message = e.to_string();
            let rest = &message[message.find(&name).expect("the message names the file") + name.len()..];
            if let Some(number) = rest.strip_prefix(':').and_then(|r| r.split(':').next()).and_then(|n| n.parse::<usize>().ok()) {
                assert!(number >= 1 && (ending == "parquet" || number <= lines));
            }
        }
    }
});
