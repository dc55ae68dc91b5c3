//! The `lapidary` command: the application without a window.
//!
//! [`args`] is the command line, [`show`] everything that is printed, [`progress`] the bar on a
//! terminal. The work is done by `lab`; a command here is a few lines. Results go to standard
//! output, progress and errors to standard error; exit code 0 is done, 1 failed, 2 wrong usage.

mod args;
mod progress;
mod show;

use args::{Args, Command, DataCommand, Evaluate, ModelsCommand, Train};
use clap::Parser;
use lab::job::Job;
use lab::report::text::Lang;
use lab::{Home, Result, models, run};
use show::Output;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Training allocates and frees the same few sizes over and over, which mimalloc keeps at hand
/// instead of returning them to the system.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let args = Args::parse();
    let out = Output { json: args.json, quiet: args.quiet };
    match dispatch(args, out) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: Args, out: Output) -> Result<ExitCode> {
    let home = Home::open(args.home.as_deref())?;
    match args.command {
        Command::Devices => out.devices(&lab::device::list()),
        Command::Models { command } => manage_models(&home, command, out)?,
        Command::Data { command: DataCommand::Check { path, task, columns } } => return check_data(&path, &task, columns.as_deref(), out),
        Command::Train(train) => run_training(home, train, out)?,
        Command::Eval(evaluate) => run_evaluation(&home, &evaluate, out)?,
        Command::Predict { run, texts, device } => {
            let opened = run::open(&home, &run, &device)?;
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            out.answers(&texts, &opened.predict(&texts)?, opened.labels());
        }
        Command::Report { runs, format: _, language, out: folder } => {
            let language: Lang = language.parse().map_err(lab::Error::Request)?;
            for path in &runs {
                let target = match (&folder, runs.len()) {
                    (None, _) => path.clone(),
                    (Some(folder), 1) => folder.clone(),
                    // several reports in one folder need a folder each
                    (Some(folder), _) => folder.join(path.file_name().unwrap_or(path.as_os_str())),
                };
                out.path(&run::report(path, language, &target)?);
            }
        }
        Command::Bench { device, model, shape, targets, steps, method } => {
            let (rows, time) = args::shape(&shape).map_err(lab::Error::Request)?;
            let choice = lab::bench::Choice { model, device, rows, time, targets, steps, head: method == "head" };
            out.bench(&lab::bench::step(&home, &choice)?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn manage_models(home: &Home, command: ModelsCommand, out: Output) -> Result<()> {
    match command {
        ModelsCommand::List => out.models(&models::list(home)?),
        ModelsCommand::Get { name } => {
            if let Some(entry) = models::catalogue()?.into_iter().find(|e| e.id == name) {
                out.note(&format!("{} comes under the {}: {}", entry.title, entry.license, entry.license_url));
            }
            let mut bar = progress::Download::new(out);
            let row = models::get(home, &name, &mut |file, done, total| bar.update(file, done, total))?;
            bar.finish();
            out.path(&row.path);
        }
        ModelsCommand::Import { path, name } => {
            let name = name.unwrap_or_else(|| path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default());
            out.path(&models::import(home, &name, &path)?.path);
        }
        ModelsCommand::Export { name, out: folder } => {
            models::export(home, &name, &folder)?;
            out.path(&folder);
        }
    }
    Ok(())
}

fn check_data(path: &Path, task: &str, columns: Option<&str>, out: Output) -> Result<ExitCode> {
    let columns = args::columns(columns).map_err(lab::Error::Request)?;
    let source = if path.is_dir() {
        lab::set::Source { folder: Some(path.into()), columns, ..Default::default() }
    } else {
        lab::set::Source { train: Some(path.into()), columns, ..Default::default() }
    };
    let (set, findings) = run::check_data(task, &source)?;
    out.findings(&set, &findings);
    let bad = findings.iter().any(|f| f.severity == lab::check::Severity::Error);
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn run_training(home: Home, train: Train, out: Output) -> Result<()> {
    let request = train.request()?;
    let folder = request.out.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|e| lab::Error::request(format!("threads cannot be started: {e}")))?;
    let result = runtime.block_on(async {
        let mut job = Job::start(move |on_event, stop| run::train(&home, &request, on_event, stop));
        let mut bar = progress::Training::new(out);
        let mut interrupted = false;
        loop {
            tokio::select! {
                event = job.next() => match event {
                    Some(event) => {
                        out.event(&event);
                        bar.event(&event);
                    }
                    None => break,
                },
                signal = tokio::signal::ctrl_c(), if !interrupted => {
                    interrupted = true;
                    if signal.is_ok() {
                        bar.say("stopping after this step and keeping the best weights");
                        job.stop();
                    }
                }
            }
        }
        bar.finish();
        job.finish().await
    })?;
    out.result(&folder, &result);
    Ok(())
}

fn run_evaluation(home: &Home, e: &Evaluate, out: Output) -> Result<()> {
    let columns = args::columns(e.columns.as_deref()).map_err(lab::Error::Request)?;
    let scores = match (&e.run, &e.predictions) {
        (Some(folder), None) => {
            let (scores, predictions) = run::open(home, folder, &e.device)?.evaluate(&e.test, &columns)?;
            if let Some(path) = &e.out {
                run::save_predictions(path, &predictions)?;
            }
            scores
        }
        (None, Some(answers)) => run::evaluate_predictions(answers, &e.test, &columns)?,
        _ => return Err(lab::Error::request("name a run folder or a file of answers (--predictions), one of them")),
    };
    out.scores(&scores);
    Ok(())
}

/// The platform's way to write a path on a command line again.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    if text.contains(' ') { format!("\"{text}\"") } else { text }
}

/// A path as it was given, for messages.
fn given(path: Option<&PathBuf>) -> Option<String> {
    path.map(|p| quoted(p))
}
