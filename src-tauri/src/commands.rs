//! What the page can ask: the methods of `ui/src/backend/door.ts`, each a few lines that call `lab`.
//!
//! Everything that touches a disk, a model or a device runs off the window's thread. A command that crashes fails
//! with a sentence like any other; the place of the crash is in the log.

use crate::shell::{self, Ending, Failure, Shell};
use crate::{menu, words};
use lab::ask::{Asked, Said};
use lab::child::Children;
use lab::compare::Comparison;
use lab::divide::Shares;
use lab::forecast::Forecast;
use lab::look::ColumnsView;
use lab::report::figure::Figure;
use lab::report::text::Lang;
use lab::sheet::{About, DataSummary, Edit, Lengths, QueryResult, RowPage, RowQuery};
use lab::vectors::{DataMap, Doing, Reader};
use lab::view::{self, DataOffer, EventBatch, Microscope, ModelView, PageView, PredictionFilter, PredictionPage, RunRequest, RunRow, RunView, Source, Task};
use lab::watch::Watch;
use lab::{device, devices, models, remote};
use say::say;
use serde::Serialize;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tauri::ipc::Channel;
use tauri::{AppHandle, Manager, State, Window};
use tauri_plugin_dialog::DialogExt;
use tokio::sync::oneshot;
use ts_rs::TS;

type Answer<T> = Result<T, Failure>;

/// All commands.
pub fn handler() -> impl Fn(tauri::ipc::Invoke) -> bool + Send + Sync + 'static {
    tauri::generate_handler![
        capabilities,
        settings,
        save_settings,
        listening,
        diagnostics,
        pick_file,
        pick_folder,
        devices,
        ready_device,
        add_device,
        remove_device,
        tasks,
        models,
        get_model,
        cancel_get_model,
        import_model,
        is_model,
        remove_model,
        data_offers,
        source_of,
        open_data,
        data_summary,
        cancel,
        data_columns,
        rows,
        edit_row,
        undo_edit,
        redo_edit,
        check_data,
        describe_data,
        export_data,
        divide_data,
        microscope,
        lengths,
        data_map,
        near_rows,
        query_row,
        run_query,
        forecast,
        cancel_forecast,
        start_run,
        cancel_start,
        pause_run,
        resume_run,
        stop_run,
        runs,
        run,
        subscribe,
        unsubscribe,
        delete_run,
        predictions,
        figure,
        predict,
        compare,
        import_predictions,
        report_page,
        export_report,
        pack_run,
        unpack_run,
        export_model,
    ]
}

/// Works off the window's thread; failures and crashes are written into the log.
async fn work<T: Send + 'static>(shell: &Shell, what: &str, work: impl FnOnce() -> lab::Result<T> + Send + 'static) -> Answer<T> {
    let outcome = match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(Failure::from),
        Err(_) => Err(Failure {
            message: say!(
                "Lapidary has a defect and could not do this ({what}); what happened is in {}",
                "Lapidary ha un difetto e non ha potuto farlo ({what}); che cosa è successo è scritto in {}",
                shell.log.path().display()
            ),
        }),
    };
    if let Err(failure) = &outcome {
        shell.log.line(&format!("{what}: {}", failure.message));
    }
    outcome
}

/// [`work`] that can be cancelled by the name it is kept under: it is given what tells it so.
async fn cancellable<T: Send + 'static>(shell: &Shell, key: &str, what: &str, long: impl FnOnce(&Ending) -> lab::Result<T> + Send + 'static) -> Answer<T> {
    let ending = shell.begin(key);
    let cancelled = ending.clone();
    let outcome = work(shell, what, move || long(&cancelled)).await;
    shell.end(key, &ending);
    outcome
}

/// What long work is kept under whose page hears of it on a channel, to be cancelled.
fn heard<T>(channel: &Channel<T>) -> String {
    format!("work {}", channel.id())
}

#[tauri::command]
fn cancel(shell: State<'_, Shell>, channel: u32) {
    shell.forestall(&format!("work {channel}"));
}

/// Tells a page now and then how far work is, and the work whether to go on.
fn telling(progress: Channel<Progress>, cancelled: &Ending) -> impl FnMut(u64, Option<u64>) -> bool + use<> {
    let (mut last, cancelled) = (None::<Instant>, cancelled.clone());
    move |done, total| {
        if last.is_none_or(|l| l.elapsed() > BEAT) {
            last = Some(Instant::now());
            // a page that has gone away does not end it
            let _ = progress.send(Progress { done, total, what: String::new() });
        }
        !cancelled.load(Ordering::Relaxed)
    }
}

/// [`cancellable`] work that tells on a channel how far it is, and is kept under it.
async fn told<T: Send + 'static>(
    shell: &Shell,
    progress: Channel<Progress>,
    what: &str,
    long: impl FnOnce(Watch<'_>) -> lab::Result<T> + Send + 'static,
) -> Answer<T> {
    let key = heard(&progress);
    cancellable(shell, &key, what, move |cancelled: &Ending| long(&mut telling(progress, cancelled))).await
}

/// What this version can do.
#[derive(Clone, Debug, Serialize, TS)]
pub struct Capabilities {
    /// Version of Lapidary.
    version: &'static str,
    /// Figures that can be drawn of a run.
    figures: &'static [&'static str],
    /// Formats of reports.
    report_formats: &'static [&'static str],
    /// Formats of exported models.
    model_formats: &'static [&'static str],
    /// Extensions of data files, without the dot.
    data_formats: Vec<&'static str>,
    /// Models can be fetched.
    get_model: bool,
    /// Models can be taken into the library.
    import_model: bool,
    /// Models can be removed.
    remove_model: bool,
    /// Devices of other machines can be added.
    remote: bool,
    /// A training's cost can be measured before.
    forecast: bool,
    /// A run can wait.
    pause: bool,
    /// A run can be ended early.
    stop: bool,
    /// An interrupted run can go on.
    resume: bool,
    /// Rows can be changed.
    edit: bool,
    /// The tokens of a row can be seen.
    microscope: bool,
    /// Examples can be seen in two dimensions.
    map: bool,
    /// A run's model can be asked.
    predict: bool,
    /// Runs can be held against each other.
    compare: bool,
    /// Answers of other systems can be taken in.
    import_predictions: bool,
    /// Runs can be deleted.
    delete_run: bool,
    /// There is a text for a report of a problem.
    diagnostics: bool,
}

#[tauri::command]
fn capabilities(shell: State<'_, Shell>) -> Capabilities {
    // the page asks this first of all; what an earlier page subscribed to is nobody's any more
    shell.unsubscribe_all();
    Capabilities {
        version: lab::VERSION,
        figures: &["loss", "learning_rate", "gradient_norm", "speed", "memory", "confusion", "reliability", "coverage", "errors", "map", "comparison"],
        report_formats: &lab::report::output::Format::NAMES,
        model_formats: &lab::export::Format::NAMES,
        data_formats: data_formats(),
        get_model: true,
        import_model: true,
        remove_model: true,
        remote: remote::available().is_ok(),
        forecast: true,
        pause: true,
        stop: true,
        resume: true,
        edit: true,
        microscope: true,
        map: true,
        predict: true,
        compare: true,
        import_predictions: true,
        delete_run: true,
        diagnostics: true,
    }
}

/// What the window remembers between starts.
#[derive(Clone, Debug, Serialize, TS)]
pub struct Settings {
    /// None: as the system.
    language: Option<Lang>,
    /// `system`, `light` or `dark`.
    theme: String,
}

#[tauri::command]
async fn settings(shell: State<'_, Shell>) -> Answer<Settings> {
    let settings = shell.desk.settings();
    let text = |key: &str| settings.get(key).and_then(Value::as_str);
    let language = text("language").and_then(|l| l.parse().ok());
    Ok(Settings { language, theme: text("theme").unwrap_or("system").into() })
}

#[tauri::command]
async fn save_settings(app: AppHandle, shell: State<'_, Shell>, mut settings: Map<String, Value>) -> Answer<()> {
    // what was opened last may be opened again without a dialog, so the page has no say in it
    settings.retain(|name, _| ["language", "theme"].contains(&name.as_str()));
    let desk = shell.desk.clone();
    let before = shell.language();
    work(&shell, "save settings", move || desk.save_settings(settings)).await?;
    app.set_theme(shell.theme());
    let language = shell.language();
    say::speak(language.into());
    if language != before
        && let Err(e) = menu::build(&app, language).and_then(|menu| app.set_menu(menu))
    {
        shell.log.line(&format!("the menu could not change its language: {e}"));
    }
    Ok(())
}

#[tauri::command]
fn listening(app: AppHandle) {
    shell::listening(&app);
}

#[tauri::command]
async fn diagnostics(shell: State<'_, Shell>) -> Answer<String> {
    let (log, home) = (shell.log.clone(), shell.desk.home().clone());
    let describe = move || {
        let webview = tauri::webview_version().unwrap_or_else(|e| e.to_string());
        let mut out = format!("Lapidary {} on {} {}, web view {webview}\n", lab::VERSION, std::env::consts::OS, std::env::consts::ARCH);
        out += &format!("library {}\n", home.path().display());
        for d in devices::remembered(&home).unwrap_or_default() {
            out += &format!("device {}: {} ({}, {})\n", d.id, d.name, d.api, d.driver);
        }
        Ok(out + "\n" + &log.tail() + "\n")
    };
    work(&shell, "diagnostics", describe).await
}

/// Extensions of the files that data sets are read from.
fn data_formats() -> Vec<&'static str> {
    lab::ENDINGS.iter().map(|(ending, _)| *ending).collect()
}

/// What a dialog asks for.
fn extensions(what: &str) -> Option<(usize, Vec<&'static str>)> {
    match what {
        "data" => Some((0, data_formats())),
        "model" => Some((1, vec!["gguf", "safetensors"])),
        "predictions" => Some((2, data_formats())),
        "database" => Some((3, view::DATABASES.to_vec())),
        "run" => Some((4, vec!["lapidary"])),
        "schema" => Some((5, vec!["json"])),
        _ => None,
    }
}

#[tauri::command]
async fn pick_file(window: Window, shell: State<'_, Shell>, what: String, title: String) -> Answer<Option<PathBuf>> {
    let mut dialog = window.dialog().file().set_parent(&window).set_title(title);
    if let Some((kind, extensions)) = extensions(&what) {
        dialog = dialog.add_filter(words::of(shell.language()).kinds[kind], &extensions);
    }
    let (send, chosen) = oneshot::channel();
    dialog.pick_file(move |path| drop(send.send(path)));
    Ok(granted(&shell, chosen.await.ok().flatten()))
}

#[tauri::command]
async fn pick_folder(window: Window, shell: State<'_, Shell>, title: String) -> Answer<Option<PathBuf>> {
    let (send, chosen) = oneshot::channel();
    window.dialog().file().set_parent(&window).set_title(title).pick_folder(move |path| drop(send.send(path)));
    Ok(granted(&shell, chosen.await.ok().flatten()))
}

/// A path that a person chose, which the page may use from now on.
fn granted(shell: &Shell, chosen: Option<tauri_plugin_dialog::FilePath>) -> Option<PathBuf> {
    let path = chosen?.into_path().ok()?;
    shell.grants.add(&[&path]);
    Some(path)
}

#[tauri::command]
async fn devices(shell: State<'_, Shell>) -> Answer<Vec<device::Info>> {
    let home = shell.desk.home().clone();
    work(&shell, "devices", move || devices::list(&home)).await
}

#[tauri::command]
async fn tasks(shell: State<'_, Shell>) -> Answer<Vec<Task>> {
    work(&shell, "tasks", view::tasks).await
}

#[tauri::command]
async fn models(shell: State<'_, Shell>) -> Answer<Vec<ModelView>> {
    let home = shell.desk.home().clone();
    work(&shell, "models", move || view::models(&home)).await
}

/// What a device is called that is being tried.
#[tauri::command]
async fn ready_device(shell: State<'_, Shell>, device: String, checking: Channel<String>) -> Answer<Vec<device::Info>> {
    let (desk, key) = (shell.desk.clone(), heard(&checking));
    let make = move |cancelled: &Ending| {
        // a page that has gone away does not end it
        desk.ready(&device, &mut |info| drop(checking.send(info.name.clone())), cancelled)?;
        devices::list(desk.home())
    };
    cancellable(&shell, &key, "ready device", make).await
}

#[tauri::command]
async fn add_device(shell: State<'_, Shell>, address: String, token: String, progress: Channel<Progress>) -> Answer<Vec<device::Info>> {
    let (home, key) = (shell.desk.home().clone(), heard(&progress));
    let add = move |cancelled: &Ending| {
        remote::add(&home, &address, &token, &Children::own()?, cancelled)?;
        // the others are not waited for
        devices::remembered(&home)
    };
    cancellable(&shell, &key, "add device", add).await
}

#[tauri::command]
async fn remove_device(shell: State<'_, Shell>, address: String) -> Answer<Vec<device::Info>> {
    let home = shell.desk.home().clone();
    let remove = move || {
        remote::remove(&home, &address)?;
        devices::remembered(&home)
    };
    work(&shell, "remove device", remove).await
}

/// How far long work is.
#[derive(Clone, Debug, Serialize, TS)]
pub struct Progress {
    /// What is done: bytes, rows or files, whichever the work counts.
    done: u64,
    /// Of how much, where known.
    total: Option<u64>,
    /// The file at hand; `points` where a map finds places for its rows, step by step.
    what: String,
}

#[tauri::command]
async fn get_model(shell: State<'_, Shell>, name: String, token: Option<String>, progress: Channel<Progress>) -> Answer<()> {
    let (home, wanted) = (shell.desk.home().clone(), name.clone());
    let fetch = move |cancelled: &Ending| {
        let mut last: Option<Instant> = None;
        let mut tell = |file: &str, done: u64, total: u64| {
            if last.is_none_or(|l| l.elapsed() > Duration::from_millis(100)) || done == total {
                last = Some(Instant::now());
                // a page that has gone away does not end the download
                let _ = progress.send(Progress { done, total: (total > 0).then_some(total), what: file.into() });
            }
        };
        models::get(&home, &wanted, token.as_deref(), cancelled, &mut tell).map(drop)
    };
    cancellable(&shell, &name, "get model", fetch).await
}

#[tauri::command]
fn cancel_get_model(shell: State<'_, Shell>, name: String) {
    shell.cancel(&name);
}

#[tauri::command]
async fn import_model(shell: State<'_, Shell>, path: PathBuf, progress: Channel<Progress>) -> Answer<ModelView> {
    shell.grants.check(&path)?;
    let home = shell.desk.home().clone();
    told(&shell, progress, "import model", move |watch| view::import_model(&home, &path, watch)).await
}

#[tauri::command]
async fn is_model(shell: State<'_, Shell>, path: PathBuf) -> Answer<bool> {
    shell.grants.check(&path)?;
    work(&shell, "look at a path", move || Ok(models::is_model(&path))).await
}

#[tauri::command]
async fn remove_model(shell: State<'_, Shell>, name: String) -> Answer<()> {
    let home = shell.desk.home().clone();
    work(&shell, "remove model", move || models::remove(&home, &name)).await
}

#[tauri::command]
async fn data_offers(shell: State<'_, Shell>) -> Answer<Vec<DataOffer>> {
    let (desk, shipped) = (shell.desk.clone(), shell.shipped.clone());
    work(&shell, "data sets", move || Ok(desk.data_offers(shipped.as_deref()))).await
}

#[tauri::command]
async fn source_of(shell: State<'_, Shell>, task: String, files: Vec<PathBuf>) -> Answer<Source> {
    files.iter().try_for_each(|path| shell.grants.check(path))?;
    work(&shell, "files", move || Source::of_files(&task, files)).await
}

#[tauri::command]
async fn open_data(shell: State<'_, Shell>, source: Source, progress: Channel<Progress>) -> Answer<DataSummary> {
    source.paths().try_for_each(|path| shell.grants.check(path))?;
    let (desk, shipped) = (shell.desk.clone(), shell.shipped.clone());
    let open = move |watch: Watch<'_>| {
        let data = desk.open_data(source, watch)?;
        desk.remember(&data, shipped.as_deref());
        Ok(data)
    };
    told(&shell, progress, "open data", open).await
}

#[tauri::command]
async fn data_summary(shell: State<'_, Shell>, data: String, language: Lang) -> Answer<DataSummary> {
    let desk = shell.desk.clone();
    work(&shell, "data summary", move || desk.summary(&data, language)).await
}

#[tauri::command]
async fn rows(shell: State<'_, Shell>, query: RowQuery, progress: Channel<Progress>) -> Answer<RowPage> {
    let desk = shell.desk.clone();
    told(&shell, progress, "rows", move |watch| desk.rows(&query, watch)).await
}

#[tauri::command]
async fn data_columns(shell: State<'_, Shell>, source: Source) -> Answer<ColumnsView> {
    source.paths().try_for_each(|path| shell.grants.check(path))?;
    let desk = shell.desk.clone();
    work(&shell, "columns", move || desk.columns(&source)).await
}

#[tauri::command]
async fn edit_row(shell: State<'_, Shell>, data: String, edit: Edit, progress: Channel<Progress>) -> Answer<DataSummary> {
    let desk = shell.desk.clone();
    told(&shell, progress, "edit row", move |watch| desk.edit(&data, edit, watch)).await
}

#[tauri::command]
async fn undo_edit(shell: State<'_, Shell>, data: String, progress: Channel<Progress>) -> Answer<DataSummary> {
    let desk = shell.desk.clone();
    told(&shell, progress, "undo edit", move |watch| desk.undo(&data, watch)).await
}

#[tauri::command]
async fn redo_edit(shell: State<'_, Shell>, data: String, progress: Channel<Progress>) -> Answer<DataSummary> {
    let desk = shell.desk.clone();
    told(&shell, progress, "redo edit", move |watch| desk.redo(&data, watch)).await
}

#[tauri::command]
async fn check_data(shell: State<'_, Shell>, data: String, progress: Channel<Progress>) -> Answer<DataSummary> {
    let desk = shell.desk.clone();
    told(&shell, progress, "check data", move |watch| desk.check_data(&data, watch)).await
}

#[tauri::command]
async fn describe_data(shell: State<'_, Shell>, data: String, progress: Channel<Progress>) -> Answer<About> {
    let desk = shell.desk.clone();
    told(&shell, progress, "describe data", move |watch| desk.describe(&data, watch)).await
}

#[tauri::command]
async fn export_data(shell: State<'_, Shell>, data: String, folder: PathBuf, format: String, progress: Channel<Progress>) -> Answer<PathBuf> {
    shell.grants.check(&folder)?;
    let desk = shell.desk.clone();
    told(&shell, progress, "export data", move |watch| desk.export_data(&data, &folder, &format, watch)).await
}

#[tauri::command]
async fn divide_data(shell: State<'_, Shell>, data: String, validation: f64, test: f64, seed: u64, progress: Channel<Progress>) -> Answer<PathBuf> {
    let desk = shell.desk.clone();
    let divide = move |watch: Watch<'_>| {
        let shares = Shares::new(validation, test).map_err(lab::Error::Request)?;
        desk.divide_data(&data, shares, seed, watch)
    };
    told(&shell, progress, "divide data", divide).await
}

#[tauri::command]
async fn microscope(
    shell: State<'_, Shell>,
    data: String,
    row: usize,
    model: String,
    method: String,
    set: Vec<String>,
    progress: Channel<Progress>,
) -> Answer<Microscope> {
    check_model(&shell, &model)?;
    let desk = shell.desk.clone();
    told(&shell, progress, "microscope", move |watch| desk.microscope(&data, row, &model, &method, &set, watch)).await
}

#[tauri::command]
async fn lengths(shell: State<'_, Shell>, data: String, model: String, method: String, set: Vec<String>, progress: Channel<Progress>) -> Answer<Lengths> {
    check_model(&shell, &model)?;
    let desk = shell.desk.clone();
    told(&shell, progress, "lengths", move |watch| desk.lengths(&data, &model, &method, &set, watch)).await
}

/// Tells how many rows a model has read, or how many steps are done of what is called so; a page that has gone away does not end it.
fn tell_rows(progress: &Channel<Progress>, done: usize, total: usize, what: &str) {
    let _ = progress.send(Progress { done: done as u64, total: Some(total as u64), what: what.into() });
}

/// What the placing of points is called where it is told how far that is.
const POINTS: &str = "points";

#[tauri::command]
async fn data_map(shell: State<'_, Shell>, data: String, model: String, language: Lang, progress: Channel<Progress>) -> Answer<Option<DataMap>> {
    check_model(&shell, &model)?;
    let (desk, key) = (shell.desk.clone(), heard(&progress));
    let draw = move |cancelled: &Ending| {
        let mut tell = |doing, done, total| tell_rows(&progress, done, total, if doing == Doing::Placing { POINTS } else { "" });
        desk.map(&data, Reader { model: &model, device: "auto" }, language, cancelled, &mut tell)
    };
    cancellable(&shell, &key, "data map", draw).await
}

#[tauri::command]
async fn near_rows(shell: State<'_, Shell>, data: String, row: usize, model: String, progress: Channel<Progress>) -> Answer<Option<Vec<usize>>> {
    check_model(&shell, &model)?;
    let (desk, key) = (shell.desk.clone(), heard(&progress));
    let seek = move |cancelled: &Ending| {
        let mut tell = |done, total| tell_rows(&progress, done, total, "");
        desk.near(&data, row, Reader { model: &model, device: "auto" }, cancelled, &mut tell)
    };
    cancellable(&shell, &key, "near rows", seek).await
}

#[tauri::command]
async fn query_row(shell: State<'_, Shell>, data: String, row: usize, progress: Channel<Progress>) -> Answer<QueryResult> {
    let desk = shell.desk.clone();
    told(&shell, progress, "query row", move |watch| desk.query(&data, row, watch)).await
}

#[tauri::command]
async fn run_query(shell: State<'_, Shell>, run: PathBuf, sql: String, progress: Channel<Progress>) -> Answer<QueryResult> {
    shell.grants.check(&run)?;
    told(&shell, progress, "run query", move |watch| lab::look::run_query(&run, &sql, watch)).await
}

#[tauri::command]
async fn start_run(shell: State<'_, Shell>, request: RunRequest) -> Answer<PathBuf> {
    check(&shell, &request)?;
    let started = shell.desk.start(request).await.map_err(Failure::from);
    shell.log.line(&format!("start run: {}", started.as_ref().map_or_else(|f| f.message.clone(), |p| p.display().to_string())));
    started
}

#[tauri::command]
fn cancel_start(shell: State<'_, Shell>) {
    shell.desk.cancel_start();
}

#[tauri::command]
async fn forecast(shell: State<'_, Shell>, request: RunRequest) -> Answer<Forecast> {
    check(&shell, &request)?;
    let desk = shell.desk.clone();
    cancellable(&shell, FORECAST, "forecast", move |cancelled: &Ending| desk.forecast(request, cancelled.clone())).await
}

/// What a measurement is kept under, to be cancelled: there is one at a time.
const FORECAST: &str = "forecast";

#[tauri::command]
fn cancel_forecast(shell: State<'_, Shell>) {
    shell.cancel(FORECAST);
}

/// Whether a person let the window touch what a run would read.
fn check(shell: &Shell, request: &RunRequest) -> Answer<()> {
    request.data.paths().try_for_each(|path| shell.grants.check(path))?;
    check_model(shell, &request.model)
}

/// Whether the page may name a model: one that the library lists, or a path that a person chose. Any other name would be
/// looked for as a file in whatever folder the program was started in.
fn check_model(shell: &Shell, model: &str) -> Answer<()> {
    let granted = shell.grants.check(Path::new(model));
    if granted.is_err() && models::is_listed(shell.desk.home(), model)? { Ok(()) } else { granted }
}

#[tauri::command]
async fn pause_run(shell: State<'_, Shell>, run: PathBuf) -> Answer<()> {
    shell.grants.check(&run)?;
    let desk = shell.desk.clone();
    work(&shell, "pause run", move || desk.pause(&run)).await
}

#[tauri::command]
async fn resume_run(shell: State<'_, Shell>, run: PathBuf, device: Option<String>) -> Answer<()> {
    shell.grants.check(&run)?;
    let outcome = shell.desk.go_on(run.clone(), device).await.map_err(Failure::from);
    shell.log.line(&format!("resume run {}: {}", run.display(), outcome.as_ref().map_or_else(|f| f.message.as_str(), |()| "it goes on")));
    outcome
}

#[tauri::command]
async fn stop_run(shell: State<'_, Shell>, run: PathBuf) -> Answer<()> {
    Ok(shell.desk.stop(&run)?)
}

#[tauri::command]
async fn runs(shell: State<'_, Shell>) -> Answer<Vec<RunRow>> {
    let desk = shell.desk.clone();
    let runs = work(&shell, "runs", move || desk.runs()).await?;
    // the library knows them, wherever the command line has put them
    shell.grants.add(&runs.iter().map(|r| &r.path).collect::<Vec<_>>());
    Ok(runs)
}

#[tauri::command]
async fn run(shell: State<'_, Shell>, run: PathBuf, language: Lang) -> Answer<RunView> {
    shell.grants.check(&run)?;
    let desk = shell.desk.clone();
    work(&shell, "run", move || desk.run(&run)?.told(language)).await
}

/// How often a page is told of news at most.
const BEAT: Duration = Duration::from_millis(100);

#[tauri::command]
async fn subscribe(app: AppHandle, shell: State<'_, Shell>, run: PathBuf, from: usize, language: Lang, channel: Channel<EventBatch>) -> Answer<u32> {
    shell.grants.check(&run)?;
    let (desk, of) = (shell.desk.clone(), run.clone());
    // a story that cannot be read is no silence: whoever asks for it is told why
    let begun = work(&shell, "subscribe", move || desk.events(&of, from, Duration::ZERO, language)).await?;
    let (id, ending) = shell.subscribe();
    std::thread::spawn(move || {
        let shell = app.state::<Shell>();
        let mut next = from;
        let mut told: lab::Result<_> = Ok(begun);
        while !ending.load(Ordering::Relaxed) {
            match told {
                Ok((batch, more)) => {
                    next += batch.events.len();
                    let gone = !batch.events.is_empty() && channel.send(batch).is_err();
                    if gone || !more {
                        break;
                    }
                }
                Err(e) => {
                    shell.log.line(&format!("subscribe: {e}"));
                    // a page that has gone away need not know
                    let _ = channel.send(EventBatch { run, from: next, events: Vec::new(), fault: Some(e.to_string()) });
                    break;
                }
            }
            // events that come meanwhile go together
            std::thread::sleep(BEAT);
            told = shell.desk.events(&run, next, BEAT * 5, language);
        }
        shell.unsubscribe(id);
    });
    Ok(id)
}

#[tauri::command]
fn unsubscribe(shell: State<'_, Shell>, id: u32) {
    shell.unsubscribe(id);
}

#[tauri::command]
async fn delete_run(shell: State<'_, Shell>, run: PathBuf) -> Answer<()> {
    shell.grants.check(&run)?;
    let desk = shell.desk.clone();
    work(&shell, "delete run", move || desk.delete_run(&run)).await
}

#[tauri::command]
async fn predictions(
    shell: State<'_, Shell>,
    run: PathBuf,
    filter: PredictionFilter,
    offset: usize,
    limit: usize,
    language: Lang,
    progress: Channel<Progress>,
) -> Answer<PredictionPage> {
    shell.grants.check(&run)?;
    told(&shell, progress, "predictions", move |watch| view::predictions(&run, &filter, offset, limit, language, watch)).await
}

#[tauri::command]
async fn figure(shell: State<'_, Shell>, run: PathBuf, name: String, language: Lang, progress: Channel<Progress>) -> Answer<Figure> {
    shell.grants.check(&run)?;
    told(&shell, progress, "figure", move |watch| view::figure(&run, &name, language, watch)).await
}

#[tauri::command]
async fn predict(shell: State<'_, Shell>, run: PathBuf, text: String, said: Channel<Said>) -> Answer<Asked> {
    shell.grants.check(&run)?;
    let (desk, key) = (shell.desk.clone(), heard(&said));
    let ask = move |cancelled: &Ending| desk.ask(&run, &text, cancelled, &mut |words| said.send(words).is_ok());
    cancellable(&shell, &key, "predict", ask).await
}

#[tauri::command]
async fn compare(shell: State<'_, Shell>, runs: Vec<PathBuf>, language: Lang, progress: Channel<Progress>) -> Answer<Comparison> {
    runs.iter().try_for_each(|run| shell.grants.check(run))?;
    let desk = shell.desk.clone();
    told(&shell, progress, "compare", move |watch| desk.compare(&runs, language, watch)).await
}

#[tauri::command]
async fn import_predictions(shell: State<'_, Shell>, path: PathBuf, like: PathBuf, progress: Channel<Progress>) -> Answer<RunRow> {
    shell.grants.check(&path)?;
    shell.grants.check(&like)?;
    let desk = shell.desk.clone();
    told(&shell, progress, "import predictions", move |watch| desk.import_predictions(&path, &like, watch)).await
}

#[tauri::command]
async fn export_model(shell: State<'_, Shell>, run: PathBuf, format: String, folder: PathBuf, language: Lang, progress: Channel<Progress>) -> Answer<PathBuf> {
    shell.grants.check(&run)?;
    shell.grants.check(&folder)?;
    let desk = shell.desk.clone();
    told(&shell, progress, "export model", move |watch| desk.export_model(&run, &format, &folder, language, watch)).await
}

#[tauri::command]
async fn pack_run(shell: State<'_, Shell>, run: PathBuf, folder: PathBuf, progress: Channel<Progress>) -> Answer<PathBuf> {
    shell.grants.check(&run)?;
    shell.grants.check(&folder)?;
    let desk = shell.desk.clone();
    told(&shell, progress, "pack run", move |watch| desk.pack_run(&run, &folder, watch)).await
}

#[tauri::command]
async fn unpack_run(shell: State<'_, Shell>, path: PathBuf, progress: Channel<Progress>) -> Answer<PathBuf> {
    shell.grants.check(&path)?;
    let desk = shell.desk.clone();
    told(&shell, progress, "unpack run", move |watch| desk.unpack_run(&path, watch)).await
}

#[tauri::command]
async fn report_page(shell: State<'_, Shell>, run: PathBuf, language: Lang, without: Vec<String>, progress: Channel<Progress>) -> Answer<PageView> {
    shell.grants.check(&run)?;
    told(&shell, progress, "report", move |watch| view::report_page(&run, language, &without, watch)).await
}

#[tauri::command]
async fn export_report(
    shell: State<'_, Shell>,
    run: PathBuf,
    formats: Vec<String>,
    folder: PathBuf,
    language: Lang,
    without: Vec<String>,
    progress: Channel<Progress>,
) -> Answer<Vec<PathBuf>> {
    shell.grants.check(&run)?;
    shell.grants.check(&folder)?;
    let desk = shell.desk.clone();
    told(&shell, progress, "export report", move |watch| desk.export_report(&run, &formats, &folder, language, &without, watch)).await
}

/// Every type that crosses the door, for the generator of TypeScript.
#[cfg(test)]
pub mod types {
    use super::*;
    use ts_rs::Config;

    /// Writes a file for each type.
    pub fn export(config: &Config) -> Result<(), ts_rs::ExportError> {
        Capabilities::export_all(config)?;
        Settings::export_all(config)?;
        Progress::export_all(config)?;
        crate::shell::Failure::export_all(config)?;
        crate::shell::Wish::export_all(config)?;
        device::Info::export_all(config)?;
        Task::export_all(config)?;
        ModelView::export_all(config)?;
        DataOffer::export_all(config)?;
        Source::export_all(config)?;
        DataSummary::export_all(config)?;
        About::export_all(config)?;
        RowQuery::export_all(config)?;
        RowPage::export_all(config)?;
        ColumnsView::export_all(config)?;
        Edit::export_all(config)?;
        Microscope::export_all(config)?;
        Lengths::export_all(config)?;
        QueryResult::export_all(config)?;
        RunRequest::export_all(config)?;
        Forecast::export_all(config)?;
        RunRow::export_all(config)?;
        RunView::export_all(config)?;
        EventBatch::export_all(config)?;
        PredictionFilter::export_all(config)?;
        PredictionPage::export_all(config)?;
        Figure::export_all(config)?;
        DataMap::export_all(config)?;
        Comparison::export_all(config)?;
        PageView::export_all(config)?;
        Said::export_all(config)?;
        Asked::export_all(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_is_a_sentence_that_names_the_log_and_stands_in_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let shell = Shell::new(lab::Home::open(Some(dir.path())).expect("a library"));
        let outcome: Answer<()> = tauri::async_runtime::block_on(work(&shell, "try it", || panic!("planted by a test")));
        let message = outcome.expect_err("it crashed").message;
        assert!(message.contains("try it") && message.contains(&shell.log.path().display().to_string()), "{message}");
        let log = shell.log.tail();
        assert!(log.contains("crash:") && log.contains("planted by a test") && log.contains("commands.rs"), "{log}");
        // and the next thing works
        assert_eq!(tauri::async_runtime::block_on(work(&shell, "again", || Ok(7))), Ok(7));
    }

    #[test]
    fn a_model_is_one_that_the_library_lists_or_a_path_that_a_person_chose() {
        let dir = tempfile::tempdir().expect("a folder");
        let shell = Shell::new(lab::Home::open(Some(&dir.path().join("home"))).expect("a library"));
        let own = dir.path().join("own.gguf");
        std::fs::write(&own, "x").expect("written");
        let own = own.to_str().expect("text");
        assert_eq!(check_model(&shell, &models::list(shell.desk.home()).expect("a list")[0].name), Ok(()));
        // the folder in which tests are run holds the second
        for model in ["own.gguf", "Cargo.toml", "./Cargo.toml", "../src-tauri/Cargo.toml", "", own] {
            assert!(check_model(&shell, model).is_err_and(|e| e.message.contains("choose this file in the dialog")), "{model}");
        }
        shell.grants.add(&[own]);
        assert_eq!(check_model(&shell, own), Ok(()));
    }
}
