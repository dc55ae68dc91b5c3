//! Writes reports of made runs, one a task in each language, and of a run with 77 labels and ten thousand
//! mistakes; prints how long each took and how large it is. With run folders as arguments, of those.
//!
//! `cargo run --release --example reports -- OUT [RUN…]`

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/report/common.rs"]
mod common;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/report/made.rs"]
mod made;

use report::output::{Format, write};
use report::text::Lang;
use report::{Run, content};
use std::path::PathBuf;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let out = arguments.next().ok_or("name a folder to write to")?;
    let mut runs: Vec<(String, Run)> = Vec::new();
    for folder in arguments {
        let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).ok_or("a run folder has a name")?;
        runs.push((name, Run::open(&folder)?));
    }
    if runs.is_empty() {
        runs = made::all().into_iter().map(|(name, run)| (name.to_string(), run)).collect();
        runs.push(("intent".into(), common::run(12, 600)));
        let mut wrong = common::run(77, 10_000);
        wrong.predictions.iter_mut().for_each(|p| (p.answer, p.score) = (None, 0.0));
        runs.push(("many".into(), wrong));
    }
    for (name, run) in &runs {
        for lang in [Lang::English, Lang::Italian] {
            let started = Instant::now();
            let document = content::run(run, lang);
            let told = started.elapsed();
            let folder = out.join(format!("{name}-{}", lang.code()));
            let mut line = format!("{name:<10} {} told {:>5} ms", lang.code(), told.as_millis());
            for (format, file) in [(Format::Html, "report.html"), (Format::Pdf, "report.pdf"), (Format::Markdown, "report.md")] {
                let started = Instant::now();
                write(&document, &[format], &folder, &mut |_, _| true)?;
                let bytes = std::fs::metadata(folder.join(file))?.len();
                line += &format!("  {file} {:>5} ms {:>8} bytes", started.elapsed().as_millis(), bytes);
            }
            write(&document, &[Format::Csv, Format::Json, Format::Png], &folder, &mut |_, _| true)?;
            println!("{line}");
        }
    }
    Ok(())
}
