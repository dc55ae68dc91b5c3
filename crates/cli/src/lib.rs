//! The `lapidary` command: the application without a window. A library, so that an installed window can be the command,
//! too, when it is called by its name: together they would be twice as large.
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

use args::{Args, Command, DataCommand, EditCommand, Evaluate, Looked, ModelsCommand, Parts, Under};
use clap::{CommandFactory, FromArgMatches};
use lab::bench::Choice;
use lab::check::Severity;
use lab::child::Children;
use lab::devices;
use lab::edit::{self, Change, Editor};
use lab::elsewhere::{self, Answers};
use lab::job::Job;
use lab::library::Library;
use lab::remote::{self, Serving};
use lab::report::record::RunResult;
use lab::report::text::Lang;
use lab::resume::{self, Resumed};
use lab::search::Index;
use lab::set::{DataSet, Source, Split};
use lab::study::Study;
use lab::sweep::Sweep;
use lab::{Event, Home, Kind, Result, bench, forecast, look, models, run, vectors};
use show::Output;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use words::Words;

/// Does what the command line of this process says.
pub fn main() -> ExitCode {
    // what a driver may crash, or what must be measured from nothing, this program does in another process of itself
    if let Some(code) = lab::child::as_child(std::env::args_os(), &mut std::io::stdout(), &mut std::io::stderr()) {
        return code;
    }
    let line: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let lang = words::spoken(&line, |name| std::env::var(name).ok());
    // before anything can fail: all rooms speak it
    say::speak(lang.into());
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
    // Ctrl-C ends the whole group, the child that tries the device included
    devices::find(home, device, &Children::own()?, &mut |info| out.note(&out.words.checking(info)), &AtomicBool::new(false)).map(drop)
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
        Command::Devices { check, add, token, remove } => {
            let never = AtomicBool::new(false);
            if let Some(address) = &remove {
                remote::remove(&home, address)?;
            }
            let mut devices = match &add {
                Some(address) => vec![remote::add(&home, address, &secret(token)?, &Children::own()?, &never)?],
                None => devices::list(&home)?,
            };
            if check {
                let children = Children::own()?;
                for device in &mut devices {
                    out.note(&out.words.checking(device));
                    *device = devices::check(&home, device.clone(), &children, &never)?;
                }
            }
            out.devices(&devices);
        }
        Command::Serve { device, listen, new_token } => {
            remote::available()?;
            devices::find_here(&home, &device, &Children::own()?, &mut |info| out.note(&out.words.checking(info)), &AtomicBool::new(false))?;
            serve(Serving::open(&home, &device, &listen, new_token)?, out)?;
        }
        Command::Models { command } => manage_models(&home, command, out)?,
        Command::Data { command: DataCommand::Check { looked, parts, edited, deep, under } } => {
            let source = looked.source(&parts)?;
            // training would refuse the first row that cannot be read, and a check names all of them
            let passed_over = if source.skip_bad_rows { Severity::Warning } else { Severity::Error };
            let set = read_source(&looked.task, &Source { skip_bad_rows: true, ..source }, out)?;
            return check_data(&home, &as_edited(&home, set, edited)?, passed_over, deep, &under, out);
        }
        Command::Data { command: DataCommand::Show { looked, parts, edited, search, limit, tokens, near, map, under } } => {
            let set = as_edited(&home, read_data(&looked, &parts, out)?, edited)?;
            if let Some(words) = search {
                out.matches(&set, &working(&set, out, || Index::open(&home, &set))?.find(&words, limit)?);
            } else if let Some(name) = tokens {
                let (split, row) = look::locate(&set, &name)?;
                let measure = measure(&home, set.kind, &under)?.map_err(lab::Error::Request)?;
                out.tokens(&look::tokens(&set, measure.recipe(), measure.tokenizer(), split, row)?);
            } else if let Some(name) = near {
                let (split, row) = look::locate(&set, &name)?;
                let embedded = embed(&home, &set, Some((split, row)), &under, out)?;
                out.near(&vectors::near(&set, &embedded, split, row, limit)?);
            } else if let Some(file) = map {
                vectors::mappable(&file)?;
                let embedded = embed(&home, &set, None, &under, out)?;
                let points = vectors::map(&set, &embedded, &AtomicBool::new(false), &mut |_, _| {})?;
                vectors::save(&file, &points.ok_or_else(|| lab::Error::request(out.words.stopped()))?, out.words.0)?;
                out.path(&file);
            } else {
                let measure = measure(&home, set.kind, &under)?.ok();
                // queries without their database have no prompt, and so no length
                let (description, batches) = working(&set, out, || {
                    let batches = measure.as_ref().and_then(|m| look::batches(&set, m).ok());
                    (look::describe(&set, measure.as_ref()), batches)
                });
                out.description(&description?, batches.as_ref());
            }
        }
        Command::Data { command: DataCommand::Edit { looked, parts, action } } => edit_data(&home, read_data(&looked, &parts, out)?, action, out)?,
        Command::Data { command: DataCommand::Split { looked, out: folder, validation, test, seed } } => {
            let shares = lab::divide::Shares::new(validation, test).map_err(lab::Error::Request)?;
            let set = read_data(&looked, &Parts::default(), out)?;
            out.divided(&folder, &look::split(&set, shares, seed, &folder, &mut |_, _| true)?);
        }
        Command::Train { train, forecast: only_measure, no_forecast: unmeasured } => {
            let request = train.request()?;
            ready(&home, request.recipe()?.device(&request.device), out)?;
            if only_measure {
                // Ctrl-C ends the whole group, the child that measures included
                out.forecast(&forecast::forecast(&home, &request, &Children::own()?, &AtomicBool::new(false))?);
                return Ok(ExitCode::SUCCESS);
            }
            if !unmeasured && !out.quiet && !out.json {
                foretell(&home, &request, out);
            }
            let folder = request.out.clone();
            let result = watched(out, move |on_event, stop| run::train(&home, &request, on_event, stop))?;
            out.result(&folder, &result);
        }
        Command::Study { train, methods, sizes, seeds } => {
            let common = train.request()?;
            ready(&home, common.recipe()?.device(&common.device), out)?;
            let methods = if methods.is_empty() { vec![common.method.clone()] } else { methods };
            let sizes = if sizes.is_empty() { vec![None] } else { sizes.into_iter().map(|s| s.0).collect() };
            let study = Study { methods, sizes, seeds, out: common.out.clone(), common };
            let folder = study.out.clone();
            let outcome = watched(out, move |on_event, stop| study.run(&home, on_event, stop))?;
            out.study(&folder, &outcome);
        }
        Command::Sweep { train, dimensions, halving } => {
            let common = train.request()?;
            ready(&home, common.recipe()?.device(&common.device), out)?;
            let sweep = Sweep { dimensions, halving: usize::try_from(halving).unwrap_or(usize::MAX), out: common.out.clone(), common };
            let folder = sweep.out.clone();
            let outcome = watched(out, move |on_event, stop| sweep.run(&home, on_event, stop))?;
            out.sweep(&folder, &outcome);
        }
        Command::Pause { run } => resume::pause(&run)?,
        Command::Resume { run, device } => {
            if let Some(device) = &device {
                ready(&home, device, out)?;
            }
            let folder = run.clone();
            match watched(out, move |on_event, stop| resume::resume(&home, &run, device.as_deref(), on_event, stop))? {
                Resumed::Here(result) => out.result(&folder, &result),
                Resumed::Elsewhere => out.note(out.words.resumed_elsewhere()),
            }
        }
        Command::Eval(evaluate) => run_evaluation(&home, &evaluate, out)?,
        Command::Predict { run, texts, calibrated, abstain, device } => {
            ready(&home, &device, out)?;
            let opened = run::open(&home, &run, &device)?;
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            out.answers(&texts, &if calibrated || abstain { opened.predict_calibrated(&texts, abstain)? } else { opened.predict(&texts)? });
        }
        Command::Calibrate { run, accuracy, validation, columns, device } => {
            ready(&home, &device, out)?;
            let columns = args::columns(columns.as_deref()).map_err(lab::Error::Request)?;
            out.calibrated(&lab::calibrate::calibrate(&home, &run, accuracy, validation.as_deref().map(|file| (file, &columns)), &device)?);
        }
        Command::Report { runs, format, without, out: folder } => {
            for (path, target) in runs.iter().zip(lab::reports::places(&runs, folder.as_deref())) {
                lab::reports::write(path, out.words.0, &format, &without, &target, &mut |_, _| true)?.iter().for_each(|path| out.path(path));
            }
        }
        Command::Export { run, format, out: folder } => {
            lab::export::write(&home, &run, format, &folder, out.words.0)?;
            out.path(&folder);
        }
        Command::Compare { runs, format, without, out: folder } => {
            let document = lab::reports::compare(&runs, out.words.0)?.without(&without);
            match folder {
                Some(folder) => lab::reports::save(&document, &format, &folder, &mut |_, _| true)?.iter().for_each(|path| out.path(path)),
                None => out.document(document),
            }
        }
        Command::Pack { run, out: file, without_data } => {
            lab::reports::pack(&run, &file, without_data, &mut |_, _| true)?;
            out.path(&file);
        }
        Command::Unpack { file, out: folder } => {
            lab::reports::unpack(&home, &file, &folder, &mut |_, _| true)?;
            out.path(&folder);
        }
        Command::Bench { device, model, shape, targets, steps, method, set } => {
            let shape = args::shape(&shape, out.words).map_err(lab::Error::Request)?;
            ready(&home, &device, out)?;
            let [rows, time] = shape.unwrap_or_default();
            let choice = Choice { model, device, rows, time, targets, steps, set, method };
            if shape.is_some() {
                out.bench(&bench::step(&home, &choice)?);
                return Ok(ExitCode::SUCCESS);
            }
            // Ctrl-C ends the whole group, the children that measure included
            let children = Children::own()?;
            for [rows, time, targets] in bench::SHAPES {
                out.bench(&bench::apart(&home, &Choice { rows, time, targets, ..choice.clone() }, &children)?);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The token that was given, or is read where `-` stands for it: what stands on a command line every program can see.
fn secret(token: Option<String>) -> Result<String> {
    if token.as_deref() == Some("-") { remote::token(std::io::stdin()) } else { Ok(token.unwrap_or_default()) }
}

/// Tells what a run will cost before it begins, and with what it would fit where it does not. It begins in any case: what cannot be
/// measured may still be trained.
fn foretell(home: &Home, request: &run::Request, out: Output) {
    let sign = progress::Work::of(out, out.words.measuring());
    // Ctrl-C ends the whole group, the child that measures included
    let found = Children::own().and_then(|children| forecast::forecast(home, request, &children, &AtomicBool::new(false)));
    sign.finish();
    match found {
        Ok(forecast) => out.foretold(&forecast),
        Err(e @ lab::Error::Unmeasured(_)) => out.note(&out.words.warning(e)),
        // the run is refused for the same reason, which it tells itself
        Err(_) => {}
    }
}

/// Serves a device until Ctrl-C.
fn serve(serving: Serving, out: Output) -> Result<()> {
    out.serving(&serving);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| lab::Error::request(out.words.no_threads(e)))?;
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = serving.run() => ended,
            signal = tokio::signal::ctrl_c() => signal.map_err(|e| lab::Error::request(out.words.no_interrupt(e))),
        }
    });
    // sessions that compute would be waited for
    runtime.shutdown_background();
    ended
}

fn manage_models(home: &Home, command: ModelsCommand, out: Output) -> Result<()> {
    match command {
        ModelsCommand::List => out.models(&models::list(home)?),
        ModelsCommand::Get { name } => {
            if let Some(entry) = models::catalogue()?.into_iter().find(|e| e.id == name) {
                out.note(&out.words.license(&entry.title, &entry.license, &entry.license_url, &entry.source(), entry.download()));
            }
            let mut bar = progress::Download::new(out);
            let row = models::get(home, &name, None, &AtomicBool::new(false), &mut |file, done, total| bar.update(file, done, total))?;
            bar.finish();
            out.path(&row.path);
        }
        ModelsCommand::Import { path, name } => {
            out.path(&models::import(home, name.as_deref(), &path)?.path);
        }
        ModelsCommand::Export { name, out: folder } => {
            models::export(home, &name, &folder)?;
            out.path(&folder);
        }
    }
    Ok(())
}

/// Reads a data set with a bar, and says which rows were passed over.
fn read_data(looked: &Looked, parts: &Parts, out: Output) -> Result<DataSet> {
    read_source(&looked.task, &looked.source(parts)?, out)
}

fn read_source(task: &str, source: &Source, out: Output) -> Result<DataSet> {
    let mut bar = progress::Reading::new(out);
    let set = look::open_with(task, source, &mut |path, done, total| {
        bar.update(path, done, total);
        true
    });
    bar.finish();
    let set = set?;
    for file in set.splits.values().filter(|f| f.skipped.count > 0) {
        out.note(&out.words.skipped(file.skipped.count, &file.path.display().to_string()));
        file.skipped.first.iter().for_each(|row| out.note(&format!("  {row}")));
    }
    Ok(set)
}

/// A data set with the changes that were made to it, if they are asked for.
fn as_edited(home: &Home, set: DataSet, edited: bool) -> Result<DataSet> {
    if !edited {
        return Ok(set);
    }
    let changes = edit::changes(&Library::open(home)?, &set)?;
    edit::heeding(set, &changes)
}

/// Does something with all rows of a set, and shows that it is being done where it takes long.
fn working<T>(set: &DataSet, out: Output, work: impl FnOnce() -> T) -> T {
    let sign = progress::Work::new(out, set.splits.values().map(|file| file.examples.len()).sum());
    let done = work();
    sign.finish();
    done
}

/// What says how long examples are; or why there is nothing, where no model was named and the usual one is not here.
fn measure(home: &Home, kind: Kind, under: &Under) -> Result<std::result::Result<look::Measure, String>> {
    match look::Measure::open(home, under.reader().model, under.recipe(kind)?) {
        Err(e) if under.model.is_none() => Ok(Err(e.to_string())),
        opened => opened.map(Ok),
    }
}

/// Reads the rows of a data set with a model, with a bar.
fn embed(home: &Home, set: &DataSet, with: Option<(Split, usize)>, under: &Under, out: Output) -> Result<vectors::Embedded> {
    let mut bar = progress::Rows::new(out);
    let never = AtomicBool::new(false);
    let embedded = vectors::embed(home, under.reader(), set, with, &never, &mut |done, total| bar.update(done, total));
    bar.finish();
    let embedded = embedded?.ok_or_else(|| lab::Error::request(out.words.stopped()))?;
    if embedded.rows.len() < embedded.of {
        out.note(&out.words.sampled(embedded.rows.len(), embedded.of));
    }
    Ok(embedded)
}

fn check_data(home: &Home, set: &DataSet, passed_over: Severity, deep: bool, under: &Under, out: Output) -> Result<ExitCode> {
    let measure = measure(home, set.kind, under)?;
    let mut checked = working(set, out, || look::check(set, passed_over, measure.as_ref().map_err(String::clone)))?;
    let mut doubts = None;
    if deep {
        let (rows, finding) = vectors::doubts(set, &embed(home, set, None, under, out)?);
        checked.findings.extend(finding);
        doubts = Some(rows);
    }
    out.findings(set, &checked, doubts.as_deref());
    let bad = checked.findings.iter().any(|f| f.severity == Severity::Error);
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn edit_data(home: &Home, set: DataSet, action: EditCommand, out: Output) -> Result<()> {
    let mut editor = Editor::of(Library::open(home)?, set)?;
    let kind = editor.kind();
    let read = |text: &str, answer: &str| edit::answer(kind, text, answer);
    let done = editor.changes().count();
    let change = match action {
        EditCommand::Relabel { row, answer } => {
            let row = editor.locate(&row)?;
            Change::Relabel { row, target: read(&editor.rows()[row].example.text, &answer)? }
        }
        EditCommand::Rewrite { row, text } => editor.rewriting(editor.locate(&row)?, text)?,
        EditCommand::Delete { row } => Change::Delete { row: editor.locate(&row)? },
        EditCommand::Move { row, to } => Change::Move { row: editor.locate(&row)?, to },
        EditCommand::Add { to, text, answer } => Change::Add { split: to, target: read(&text, &answer)?, text },
        EditCommand::Undo => {
            editor.undo()?.ok_or_else(|| lab::Error::request(out.words.nothing_to_undo()))?;
            out.changes(&editor, done - 1..done);
            return Ok(());
        }
        EditCommand::Redo => {
            editor.redo()?.ok_or_else(|| lab::Error::request(out.words.nothing_to_redo()))?;
            out.changes(&editor, done..done + 1);
            return Ok(());
        }
        EditCommand::List => {
            out.changes(&editor, 0..usize::MAX);
            return Ok(());
        }
        EditCommand::Export { out: folder, format } => {
            editor.export(&folder, format)?;
            out.path(&folder);
            return Ok(());
        }
    };
    editor.apply(change)?;
    out.changes(&editor, done..done + 1);
    Ok(())
}

/// The exit code of a process that an interrupt ended, as shells have it.
const INTERRUPTED: i32 = 130;

/// Carries out a training off this thread, shows its events, and passes an interrupt on as a wish to stop. A second interrupt
/// ends the process at once; its run can be gone on with from the last checkpoint.
fn watched<T: Send + 'static>(out: Output, work: impl FnOnce(&mut dyn FnMut(&Event), &AtomicBool) -> Result<T> + Send + 'static) -> Result<T> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(|e| lab::Error::request(out.words.no_threads(e)))?;
    runtime.block_on(async {
        let mut job = Job::start(work);
        let mut bar = progress::Training::new(out);
        let (mut interrupted, mut listening) = (false, true);
        // asked for anew with every event, an interrupt that comes while one is shown would be lost
        let mut interrupt = std::pin::pin!(tokio::signal::ctrl_c());
        loop {
            tokio::select! {
                // listening begins with the first look, which must not wait until no event is there
                biased;
                signal = &mut interrupt, if listening => match signal {
                    Err(_) => listening = false,
                    Ok(()) if interrupted => {
                        bar.finish();
                        bar.say(out.words.ended_at_once());
                        // files appear whole or not at all, so there is nothing to clean up
                        std::process::exit(INTERRUPTED);
                    }
                    Ok(()) => {
                        interrupt.set(tokio::signal::ctrl_c());
                        interrupted = true;
                        bar.say(out.words.stopping());
                        job.stop();
                    }
                },
                event = job.next() => match event {
                    Some(event) => {
                        out.event(&event);
                        bar.event(&event);
                    }
                    None => break,
                },
            }
        }
        bar.finish();
        job.finish().await
    })
}

fn run_evaluation(home: &Home, e: &Evaluate, out: Output) -> Result<()> {
    if let Some(path) = &e.out {
        run::room_for(path)?;
    }
    if let (Some(file), Some(like)) = (&e.predictions, &e.like) {
        let folder = elsewhere::take_in(home, file, like, &mut |_, _| true)?;
        let result = RunResult::read(&folder)?;
        out.result(&folder, &result);
        if out.json {
            out.path(&folder);
        }
        return Ok(());
    }
    let columns = args::columns(e.columns.as_deref()).map_err(lab::Error::Request)?;
    let (scores, predictions) = match (&e.run, &e.predictions, e.task, &e.test) {
        (Some(folder), None, _, test) => {
            ready(home, &e.device, out)?;
            let opened = run::open(home, folder, &e.device)?;
            let examples = match test {
                Some(file) => opened.read(file, &columns)?,
                None => opened.examples(home, Split::Test)?,
            };
            let (metrics, predictions, _) = opened.score(&examples)?;
            (metrics, predictions)
        }
        (None, Some(file), Some(kind), Some(test)) => {
            let (file, test, schema, database) = (file.clone(), test.clone(), e.schema.clone(), e.database.clone());
            elsewhere::score(&Answers { file, kind, test, columns, schema, database })?
        }
        _ => return Err(lab::Error::request(out.words.what_to_evaluate())),
    };
    if let Some(path) = &e.out {
        run::save_predictions(path, &predictions)?;
    }
    out.scores(&scores);
    Ok(())
}
