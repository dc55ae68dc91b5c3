//! Data files from anywhere, as JSON Lines, CSV and TSV: no panic, every message names the file and
//! a line that exists, and every record names the line it began on.
#![no_main]
#![allow(dead_code)]

#[path = "../../crates/data/src/error.rs"]
mod error;
#[path = "../../crates/data/src/example.rs"]
mod example;
#[path = "../../crates/data/src/kind.rs"]
mod kind;
#[path = "../../crates/data/src/read.rs"]
mod read;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let lines: Vec<&[u8]> = data.split(|&b| b == b'\n').collect();
    let line = |n: usize| n.checked_sub(1).and_then(|i| lines.get(i)).map(|l| l.strip_suffix(b"\r").unwrap_or(l)).expect("the line exists");
    for name in ["x.jsonl", "x.csv", "x.tsv"] {
        match read::records(std::path::Path::new(name), data) {
            Ok(records) => {
                assert!(records.is_sorted_by_key(|r| r.line));
                for record in records {
                    let line = std::str::from_utf8(line(record.line)).expect("accepted files are UTF-8");
                    assert!(!line.is_empty());
                    // without quotes a row is one line, in which each of its fields can be found
                    if name != "x.jsonl" && !line.contains('"') {
                        assert!(record.fields.iter().all(|(_, value)| line.contains(value)));
                    }
                }
            }
            Err(e) => {
                let message = e.to_string();
                let rest = message.strip_prefix(name).and_then(|m| m.strip_prefix(':')).expect("the message names the file");
                let number = rest.split(':').next().and_then(|n| n.parse().ok()).expect("the message names the line");
                assert!(!line(number).is_empty());
            }
        }
    }
});
