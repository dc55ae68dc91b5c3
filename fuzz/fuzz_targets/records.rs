//! Data files from anywhere, as JSON Lines, CSV and TSV: no panic, and every message names the file.
#![no_main]
#![allow(dead_code)]

#[path = "../../crates/data/src/error.rs"]
mod error;
#[path = "../../crates/data/src/example.rs"]
mod example;
#[path = "../../crates/data/src/read.rs"]
mod read;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    for name in ["x.jsonl", "x.csv", "x.tsv"] {
        match read::records(std::path::Path::new(name), data) {
            Ok(records) => assert!(records.iter().all(|r| r.line > 0)),
            Err(e) => assert!(e.to_string().starts_with(name)),
        }
    }
});
