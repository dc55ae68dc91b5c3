//! Reads, checks, describes and searches a data set of a million rows, also as the table of the window, and prints what
//! that took.
//!
//!     cargo run --example million -p acceptance -p lapidary [-- ROWS]
//!
//! The rows are customer messages drawn by seed; one in a hundred is a copy of another, one in a
//! hundred nearly one.

use acceptance::messages;
use data::set::{DataSet, Source};
use data::{Kind, check, describe};
use lab::Home;
use lab::library::Library;
use lab::search::Index;
use lab::sheet::{RowFilter, RowQuery, Sheet, Sort, SortBy};
use lab::view;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows: usize = std::env::args().nth(1).map_or(Ok(1_000_000), |n| n.parse())?;
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("train.jsonl");
    messages::write(&path, rows)?;
    println!("{rows} rows, {} MB; {:.2} GB before anything is read", std::fs::metadata(&path)?.len() / 1_000_000, peak());

    let whole = Instant::now();
    let set = timed("read", || DataSet::open(&Source { kind: Some(Kind::Intent), train: Some(path.clone()), ..Source::default() }))?;
    let findings = timed("checked", || check::findings(&set, None))?;
    let description = timed("described", || Ok::<_, data::Error>(describe::describe(&set, None)))?;
    println!("read, checked and described in {:.1} s, {:.2} GB at the peak", whole.elapsed().as_secs_f64(), peak());
    for f in &findings {
        println!("  {}: {} rows", f.kind, f.rows.len());
    }
    println!("  {} labels, {} different words", description.labels.len(), description.vocabulary.distinct);

    let home = Home::open(Some(&dir.path().join("home")))?;
    let index = timed("indexed", || Index::open(&home, &set))?;
    for words in ["pacco", "di", "il pacco fermo magazzino", "\"in provincia di Nuoro\"", "lavatrice parrocchia", "zzz", "pra", "999123"] {
        let start = Instant::now();
        let found = index.find(words, 50)?;
        println!("  {words:?}: {} rows in {:.1} ms", found.len(), start.elapsed().as_secs_f64() * 1e3);
    }
    drop((set, findings, index));

    let source = view::Source { task: "intent".into(), train: Some(path), ..view::Source::default() };
    let mut sheet = timed("opened as a table (read and checked anew)", || Sheet::open(Library::open(&home)?, "million".into(), source, &mut |_, _| true))?;
    for search in ["pacco", "provincia di Nuoro", "è ferma", "zzz", "p"] {
        let sort = Sort { by: SortBy::Row, descending: false };
        let query = RowQuery { data: "million".into(), offset: 0, limit: 50, filter: RowFilter::default(), search: search.into(), sort };
        let start = Instant::now();
        let page = sheet.rows(&query)?;
        println!("  {search:?} in the table: {} rows in {:.1} ms", page.total, start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(())
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
