//! Reads, checks, describes and searches a data set of a million rows, also as the table of the window, and prints what
//! that took. Ends with 1 where that is more than it may be, or what was planted is not found.
//!
//!     cargo run --example million -p acceptance -p lapidary [-- ROWS]
//!
//! The rows are customer messages drawn by seed, nine in ten of them to train on; one in a hundred of these is a copy of another,
//! one in a hundred nearly one, and one in a hundred of the test is one of them.

use acceptance::messages;
use data::set::{DataSet, Source};
use data::{Kind, check, describe};
use lab::Home;
use lab::library::Library;
use lab::search::Index;
use lab::sheet::{RowFilter, RowQuery, Sheet, Sort, SortBy};
use lab::view;
use std::process::ExitCode;
use std::time::Instant;

/// Seconds that reading, checking and describing may take, gigabytes that they may hold, and milliseconds of a search.
const MOST: (f64, f64, f64) = (120.0, 1.5, 100.0);

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let rows: usize = std::env::args().nth(1).map_or(Ok(1_000_000), |n| n.parse())?;
    let mut missed: Vec<String> = Vec::new();
    let dir = tempfile::tempdir()?;
    let (path, test) = (dir.path().join("train.jsonl"), dir.path().join("test.jsonl"));
    let tested = rows / 10;
    messages::write(&path, rows - tested)?;
    messages::write_test(&test, tested)?;
    let bytes = std::fs::metadata(&path)?.len() + std::fs::metadata(&test)?.len();
    println!("{rows} rows, {} MB; {:.2} GB before anything is read", bytes / 1_000_000, peak());

    let whole = Instant::now();
    let source = Source { kind: Some(Kind::Intent), train: Some(path.clone()), test: Some(test.clone()), ..Source::default() };
    let set = timed("read", || DataSet::open(&source))?;
    let findings = timed("checked", || check::findings(&set, None))?;
    let description = timed("described", || describe::describe(&set, None))?;
    let (seconds, held) = (whole.elapsed().as_secs_f64(), peak());
    println!("read, checked and described in {seconds:.1} s, {held:.2} GB at the peak");
    if seconds > MOST.0 || held > MOST.1 {
        missed.push(format!("read, checked and described in {seconds:.1} s and {held:.2} GB, not {} s and {} GB", MOST.0, MOST.1));
    }
    for f in &findings {
        println!("  {}: {} rows", f.kind, f.rows.len());
    }
    // each of them once in training and once in the test
    let leaked = findings.iter().filter(|f| f.kind == "leakage").map(|f| f.rows.len()).sum::<usize>();
    if leaked < tested / 100 * 2 {
        missed.push(format!("{leaked} rows in both parts were found, not {}", tested / 100 * 2));
    }
    println!("  {} labels, {} different words", description.labels.len(), description.vocabulary.distinct);

    let home = Home::open(Some(&dir.path().join("home")))?;
    let index = timed("indexed", || Index::open(&home, &set))?;
    for words in ["pacco", "di", "il pacco fermo magazzino", "\"in provincia di Nuoro\"", "lavatrice parrocchia", "zzz", "pra", "999123"] {
        let start = Instant::now();
        let found = index.find(words, 50)?;
        missed.extend(searched(&format!("{words:?}: {} rows", found.len()), start));
    }
    drop((set, findings, index));

    let source = view::Source { task: "intent".into(), train: Some(path), test: Some(test), ..view::Source::default() };
    let mut sheet = timed("opened as a table (read and checked anew)", || Sheet::open(Library::open(&home)?, "million".into(), source, &mut |_, _| true))?;
    for search in ["pacco", "provincia di Nuoro", "è ferma", "zzz", "p"] {
        let sort = Sort { by: SortBy::Row, descending: false };
        let query = RowQuery { data: "million".into(), offset: 0, limit: 50, filter: RowFilter::default(), search: search.into(), sort };
        let start = Instant::now();
        let page = sheet.rows(&query)?;
        missed.extend(searched(&format!("{search:?} in the table: {} rows", page.total), start));
    }
    missed.iter().for_each(|what| println!("MISSED: {what}"));
    Ok(if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tells of a search that began then; what of it took too long.
fn searched(what: &str, start: Instant) -> Option<String> {
    let milliseconds = start.elapsed().as_secs_f64() * 1e3;
    println!("  {what} in {milliseconds:.1} ms");
    (milliseconds > MOST.2).then(|| format!("{what} in {milliseconds:.1} ms, not {} ms", MOST.2))
}

fn timed<T, E>(what: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let start = Instant::now();
    let done = work();
    println!("{what} in {:.1} s, {:.2} GB at the peak so far", start.elapsed().as_secs_f64(), peak());
    done
}

/// The most memory that this process has held, in gigabytes; 0 where the system does not say.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0) * 1024.0 / 1e9
}
