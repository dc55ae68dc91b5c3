//! The `lapidary` command: the application without a window.
//!
//! [`args`] is the command line, [`show`] everything that is printed (and [`description`] the tables of
//! a data set), [`progress`] the bar on a terminal, [`words`] what they say in English and Italian. The work is done by `lab`; a command
//! here is a few lines. Results go to standard output, progress and errors to standard error; exit
//! code 0 is done, 1 failed, 2 wrong usage.

mod args;
mod description;
mod progress;
mod show;
mod words;

use args::{Args, Command, DataCommand, Evaluate, Looked, ModelsCommand};
use clap::{CommandFactory, FromArgMatches};
use lab::child::Children;
use lab::devices;
use lab::elsewhere::{self, Answers};
use lab::job::Job;
use lab::recipe::Recipe;
use lab::report::text::Lang;
use lab::resume::{self, Resumed};
use lab::search::Index;
use lab::set::DataSet;
use lab::study::Study;
use lab::{Event, Home, Result, forecast, look, models, run};
use show::Output;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use words::Words;

/// Training allocates and frees the same few sizes over and over, which mimalloc keeps at hand
/// instead of returning them to the system.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // what a driver may crash, or what must be measured from nothing, this program does in another process of itself
    if let Some(code) = lab::child::as_child(std::env::args_os(), &mut std::io::stdout(), &mut std::io::stderr()) {
        return code;
    }
    let line: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let lang = words::spoken(&line, |name| std::env::var(name).ok());
    let parsed = words::localised(Args::command(), lang).try_get_matches();
    let args = match parsed.and_then(|mut matches| Args::from_arg_matches_mut(&mut matches)) {
        Ok(args) => args,
        Err(e) => return explain(&e, lang),
    };
    let out = Output { json: args.json, quiet: args.quiet, words: Words(args.language.unwrap_or(lang)) };
    match dispatch(args, out) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("{}", out.words.error(e));
            ExitCode::FAILURE
        }
    }
}

/// Sees to it that a device has been compared with the processor before it is used, which takes a while the first time.
fn ready(home: &Home, device: &str, out: Output) -> Result<()> {
    devices::find(home, device, &Children::own()?, &mut |info| out.note(&out.words.checking(info))).map(drop)
}

/// Prints what the parser has instead of a command to carry out: help, the version, or what is wrong.
fn explain(e: &clap::Error, lang: Lang) -> ExitCode {
    if lang == Lang::English {
        e.exit();
    }
    let wrong = e.use_stderr();
    let terminal = if wrong { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
    // clap prints only its own text; it would also teach colours to a Windows console, which is left plain here
    let coloured = terminal && cfg!(unix) && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let styled = e.render();
    let text = words::translated(&if coloured { styled.ansi().to_string() } else { styled.to_string() });
    // a reader that has gone away is no error
    if wrong {
        let _ = write!(std::io::stderr().lock(), "{text}");
        ExitCode::from(2)
    } else {
        let _ = write!(std::io::stdout().lock(), "{text}");
        ExitCode::SUCCESS
    }
}

fn dispatch(args: Args, out: Output) -> Result<ExitCode> {
    let home = Home::open(args.home.as_deref())?;
    match args.command {
        Command::Devices { check } => {
            let mut devices = devices::list(&home)?;
            if check {
                let children = Children::own()?;
                for device in &mut devices {
                    out.note(&out.words.checking(device));
                    *device = devices::check(&home, device.clone(), &children)?;
                }
            }
            out.devices(&devices);
        }
        Command::Models { command } => manage_models(&home, command, out)?,
        Command::Data { command: DataCommand::Check(looked) } => return check_data(&looked, out),
        Command::Data { command: DataCommand::Show { looked, search, limit, tokens, model, method, recipe, set: changes } } => {
            let set = read_data(&looked, out)?;
            match (search, tokens) {
                (Some(words), _) => out.matches(&set, &Index::open(&home, &set)?.find(&words, limit)?),
                (None, Some((split, row))) => {
                    let recipe = Recipe::resolve(set.kind, recipe.as_deref(), &method, &changes)?;
                    let tokenizer = look::tokenizer(&home, &model)?;
                    out.tokens(&look::tokens(&set, &recipe, &tokenizer, split, row)?);
                }
                (None, None) => out.description(&look::describe(&set, look::tokenizer(&home, &model).ok().as_ref())),
            }
        }
        Command::Data { command: DataCommand::Split { looked, out: folder, validation, test, seed } } => {
            let shares = lab::divide::Shares::new(validation, test).map_err(lab::Error::Request)?;
            let set = read_data(&looked, out)?;
            out.divided(&folder, &look::split(&set, shares, seed, &folder)?);
        }
        Command::Train(train) => {
            let only_measure = train.forecast;
            let request = train.request()?;
            ready(&home, &request.device, out)?;
            if only_measure {
                // Ctrl-C ends the whole group, the child that measures included
                out.forecast(&forecast::forecast(&home, &request, &Children::own()?, &AtomicBool::new(false))?);
                return Ok(ExitCode::SUCCESS);
            }
            let folder = request.out.clone();
            let result = watched(out, move |on_event, stop| run::train(&home, &request, on_event, stop))?;
            out.result(&folder, &result);
        }
        Command::Study { train, methods, sizes, seeds } => {
            let common = train.request()?;
            ready(&home, &common.device, out)?;
            let methods = if methods.is_empty() { vec![common.method.clone()] } else { methods };
            let sizes = if sizes.is_empty() { vec![None] } else { sizes.into_iter().map(|s| s.0).collect() };
            let study = Study { methods, sizes, seeds, out: common.out.clone(), common };
            let folder = study.out.clone();
            let outcome = watched(out, move |on_event, stop| study.run(&home, on_event, stop))?;
            out.study(&folder, &outcome);
        }
        Command::Pause { run } => resume::pause(&run)?,
        Command::Resume { run } => {
            let folder = run.clone();
            match watched(out, move |on_event, stop| resume::resume(&home, &run, on_event, stop))? {
                Resumed::Here(result) => out.result(&folder, &result),
                Resumed::Elsewhere => out.note(out.words.resumed_elsewhere()),
            }
        }
        Command::Eval(evaluate) => run_evaluation(&home, &evaluate, out)?,
        Command::Predict { run, texts, device } => {
            ready(&home, &device, out)?;
            let opened = run::open(&home, &run, &device)?;
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            out.answers(&texts, &opened.predict(&texts)?);
        }
        Command::Report { runs, format, without, out: folder } => {
            for path in &runs {
                let target = match (&folder, runs.len()) {
                    (None, _) => path.clone(),
                    (Some(folder), 1) => folder.clone(),
                    // several reports in one folder need a folder each
                    (Some(folder), _) => folder.join(path.file_name().unwrap_or(path.as_os_str())),
                };
                lab::reports::write(path, out.words.0, &format, &without, &target)?.iter().for_each(|path| out.path(path));
            }
        }
        Command::Export { run, format, out: folder } => {
            lab::export::write(&home, &run, format, &folder, out.words.0)?;
            out.path(&folder);
        }
        Command::Compare { runs, format, out: folder } => {
            let document = lab::reports::compare(&runs, out.words.0)?;
            match folder {
                Some(folder) => lab::reports::save(&document, &format, &folder)?.iter().for_each(|path| out.path(path)),
                None => out.document(document),
            }
        }
        Command::Pack { run, out: file, without_data } => {
            lab::reports::pack(&run, &file, without_data)?;
            out.path(&file);
        }
        Command::Unpack { file, out: folder } => {
            lab::reports::unpack(&home, &file, &folder)?;
            out.path(&folder);
        }
        Command::Bench { device, model, shape, targets, steps, method } => {
            let (rows, time) = args::shape(&shape, out.words).map_err(lab::Error::Request)?;
            ready(&home, &device, out)?;
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
                out.note(&out.words.license(&entry.title, &entry.license, &entry.license_url));
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

/// Reads a data set with a bar, and says which rows were passed over.
fn read_data(looked: &Looked, out: Output) -> Result<DataSet> {
    let mut bar = progress::Reading::new(out);
    let set = look::open_with(&looked.task, &looked.source()?, &mut |path, done, total| bar.update(path, done, total));
    bar.finish();
    let set = set?;
    for file in set.splits.values().filter(|f| f.skipped.count > 0) {
        out.note(&out.words.skipped(file.skipped.count, &file.path.display().to_string()));
        file.skipped.first.iter().for_each(|row| out.note(&format!("  {row}")));
    }
    Ok(set)
}

fn check_data(looked: &Looked, out: Output) -> Result<ExitCode> {
    let set = read_data(looked, out)?;
    let findings = lab::check::findings(&set, None)?;
    out.findings(&set, &findings);
    let bad = findings.iter().any(|f| f.severity == lab::check::Severity::Error);
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Carries out a training off this thread, shows its events, and passes an interrupt on as a wish to stop.
fn watched<T: Send + 'static>(out: Output, work: impl FnOnce(&mut dyn FnMut(&Event), &AtomicBool) -> Result<T> + Send + 'static) -> Result<T> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(|e| lab::Error::request(out.words.no_threads(e)))?;
    runtime.block_on(async {
        let mut job = Job::start(work);
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
                        bar.say(out.words.stopping());
                        job.stop();
                    }
                }
            }
        }
        bar.finish();
        job.finish().await
    })
}

fn run_evaluation(home: &Home, e: &Evaluate, out: Output) -> Result<()> {
    let columns = args::columns(e.columns.as_deref()).map_err(lab::Error::Request)?;
    let (scores, predictions) = match (&e.run, &e.predictions, e.task) {
        (Some(folder), None, _) => {
            ready(home, &e.device, out)?;
            run::open(home, folder, &e.device)?.evaluate(&e.test, &columns)?
        }
        (None, Some(file), Some(kind)) => {
            let (file, test, schema, database) = (file.clone(), e.test.clone(), e.schema.clone(), e.database.clone());
            elsewhere::score(home, &Answers { file, kind, test, columns, schema, database })?
        }
        _ => return Err(lab::Error::request(out.words.what_to_evaluate())),
    };
    if let Some(path) = &e.out {
        run::save_predictions(path, &predictions)?;
    }
    out.scores(&scores);
    Ok(())
}
