//! What one process has open: the run that it trains, the data sets that are looked at, the model that answers.
//!
//! A face that lives long (the window) keeps one [`Desk`]; the command line needs none. The run belongs to the desk
//! and not to whoever looks at it, so it goes on when the window is closed, hidden or reloaded: [`Desk::events`] tells
//! its story from any event on.

use crate::ask::{Asked, Said};
use crate::background;
use crate::child::Children;
use crate::compare::Comparison;
use crate::edit;
use crate::error::{Error, Result};
use crate::forecast::{self, Forecast};
use crate::home::{Home, free};
use crate::job::Job;
use crate::look::{self, ColumnsView, Measure, Reads};
use crate::recipe::Recipe;
use crate::resume;
use crate::run::{self, Opened, Request};
use crate::sheet::{About, DataSummary, Edit, Lengths, QueryResult, RowPage, RowQuery, Sheet, Snapshot};
use crate::task::Task;
use crate::vectors::{self, DataMap, Doing, Reader};
use crate::view::{self, DataOffer, EventBatch, Microscope, RunRequest, RunRow, RunStatus, RunView, Source};
use crate::watch::{Watch, aside, ask, held, waiting, watched};
use crate::{compare, devices, elsewhere, export, library::Library, reports};
use data::divide::Shares;
use data::set::Split;
use data::watch::Steps;
use data::write::Layout;
use data::{Example, describe};
use report::output::Format;
use report::record;
use report::text::Lang;
use say::say;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use train::Event;

/// A lock that outlives a panic of who held it: every value here is whole between two statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The run that is being trained.
struct Live {
    folder: PathBuf,
    stop: Arc<AtomicBool>,
    /// Events so far, and whether there will be more.
    story: Mutex<(Vec<Event>, bool)>,
    news: Condvar,
}

impl Live {
    fn tell(&self, change: impl FnOnce(&mut (Vec<Event>, bool))) {
        change(&mut lock(&self.story));
        self.news.notify_all();
    }

    /// Whether it is over. Once its last event is told everything is on disk, though its process may take a moment more to
    /// give back its memory.
    fn ended(&self) -> bool {
        let story = lock(&self.story);
        story.1 || story.0.last().is_some_and(Event::is_last)
    }

    fn status(&self) -> RunStatus {
        let last = lock(&self.story).0.iter().rev().find_map(|e| match e {
            Event::Paused { .. } => Some(RunStatus::Paused),
            Event::Resumed { .. } | Event::Step { .. } => Some(RunStatus::Running),
            _ => None,
        });
        last.unwrap_or(RunStatus::Running)
    }
}

/// Rows that are told as the nearest to one.
const NEAR: usize = 10;

/// What rows are made of: an open data set as it was at one moment, and how many are wanted.
#[derive(PartialEq)]
struct Making {
    data: String,
    turn: usize,
    grow: usize,
    compose: usize,
}

/// What one process has open.
pub struct Desk {
    home: Home,
    live: Mutex<Option<Arc<Live>>>,
    /// The folder of the training that is being made ready, which need not be there yet, and what ends that.
    starting: Mutex<Option<(PathBuf, Arc<AtomicBool>)>>,
    sheets: Mutex<BTreeMap<usize, Arc<Mutex<Sheet>>>>,
    opened: AtomicUsize,
    answering: Mutex<Option<(PathBuf, Opened)>>,
    /// How the model reads that was used last, by its name.
    reads: Mutex<Option<(String, Arc<Reads>)>>,
    /// The rows that a training would make, as they were last made, and what they were made of.
    made: Mutex<Option<(Making, Arc<Vec<Example>>)>>,
    /// Ends the measurement that is under way.
    measuring: Mutex<Arc<AtomicBool>>,
    /// Held while rows are checked: several checks at a time would each take as long as all of them.
    checking: Mutex<()>,
    /// Held while settings are read and written again, so that none are lost between.
    keeping: Mutex<()>,
}

/// Hears what is being done for a map, how much of it is, and of how much.
pub type OnMap<'a> = &'a mut dyn FnMut(Doing, usize, usize);

/// An open data set as it is now; none if it was stopped.
fn copied(sheet: &Mutex<Sheet>, stop: &AtomicBool) -> Option<Snapshot> {
    Snapshot::of_with(sheet, &mut || if stop.load(Ordering::Relaxed) { Err(()) } else { Ok(()) }).ok()
}

/// Data sets that are offered again, at most.
const RECENT: usize = 8;
/// What they are called among the settings.
const RECENT_DATA: &str = "recent_data";

impl Desk {
    /// An empty desk upon a library.
    pub fn new(home: Home) -> Self {
        Self {
            home,
            live: Mutex::new(None),
            starting: Mutex::new(None),
            sheets: Mutex::default(),
            opened: AtomicUsize::new(0),
            answering: Mutex::new(None),
            reads: Mutex::new(None),
            made: Mutex::new(None),
            measuring: Mutex::default(),
            checking: Mutex::new(()),
            keeping: Mutex::new(()),
        }
    }

    /// The library's folder.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The folder of the run that is being trained or made ready for it now, or waits in the middle of it.
    pub fn running(&self) -> Option<PathBuf> {
        self.at_work().map(|(folder, _)| folder)
    }

    /// As [`Desk::running`], with whether it waits.
    pub fn at_work(&self) -> Option<(PathBuf, RunStatus)> {
        self.living().or_else(|| lock(&self.starting).as_ref().map(|(folder, _)| (folder.clone(), RunStatus::Running)))
    }

    /// The run that has begun and not ended, and whether it waits.
    fn living(&self) -> Option<(PathBuf, RunStatus)> {
        lock(&self.live).as_ref().filter(|l| !l.ended()).map(|l| (l.folder.clone(), l.status()))
    }

    /// The library's runs, latest first.
    ///
    /// # Errors
    /// If the library cannot be read.
    pub fn runs(&self) -> Result<Vec<RunRow>> {
        view::runs(&self.home, self.living().as_ref())
    }

    /// A run with everything that was chosen and what came of it.
    ///
    /// # Errors
    /// If the folder is incomplete.
    pub fn run(&self, folder: &Path) -> Result<RunView> {
        view::run(folder, self.living().as_ref())
    }

    /// Starts a training and gives its folder, once everything that can be refused was found sound. Until then
    /// [`Desk::cancel_start`] ends it. Needs a tokio runtime; the training goes on when the caller has gone away.
    ///
    /// # Errors
    /// If something is refused, another training has not ended, or it was ended.
    pub async fn start(self: &Arc<Self>, wish: RunRequest) -> Result<PathBuf> {
        self.measure_next(Arc::default());
        let out = self.folder_for(&wish);
        let (desk, folder) = (self.clone(), out.clone());
        let begun = self.begin(&out, Vec::new(), move |on_event, stop| {
            // whether it was changed is known only once it has been read
            let request = desk.request(wish, folder, stop).map_err(|e| run::goes_on(stop).err().unwrap_or(e))?;
            run::train(&desk.home, &request, on_event, stop).map(drop)
        });
        if begun.await? {
            out.canonicalize().map_err(|e| Error::io(&out, e))
        } else {
            Err(Error::request(say!("the training ended before it began; please report this", "l’addestramento è finito prima di cominciare; segnalalo")))
        }
    }

    /// Ends a start, or a going on, of which nothing has happened yet; nothing if there is none.
    pub fn cancel_start(&self) {
        if let Some((_, stop)) = lock(&self.starting).as_ref() {
            stop.store(true, Ordering::Relaxed);
        }
    }

    /// Measures what a training would cost, until `cancel` is set; a measurement that was under way is ended, as its answer
    /// is no longer wanted.
    ///
    /// # Errors
    /// As [`forecast::forecast`], or if a training is under way, which the measurement would disturb and be disturbed by.
    pub fn forecast(&self, wish: RunRequest, cancel: Arc<AtomicBool>) -> Result<Forecast> {
        // first: to read the set below takes a while, too
        self.measure_next(cancel.clone());
        if let Some(folder) = self.running() {
            return Err(Error::request(say!(
                "{} is being trained; what another training would cost can be measured afterwards",
                "{} è in addestramento; quanto costerebbe un altro addestramento si può misurare dopo",
                folder.display()
            )));
        }
        let out = self.folder_for(&wish);
        let request = self.request(wish, out, &cancel)?;
        forecast::forecast(&self.home, &request, &Children::own()?, &cancel)
    }

    /// Ends the measurement that is under way; `cancel` will end the next one.
    fn measure_next(&self, cancel: Arc<AtomicBool>) {
        std::mem::replace(&mut *lock(&self.measuring), cancel).store(true, Ordering::Relaxed);
    }

    /// Lets the run wait before its next step, with everything on disk, whichever process trains it.
    ///
    /// # Errors
    /// If nobody trains it, or its folder cannot be written.
    pub fn pause(&self, folder: &Path) -> Result<()> {
        resume::pause(folder)
    }

    /// Goes on with a run that waits, or with one that was cut off: on `device`, or on the one that it had. Needs a tokio
    /// runtime, and can be ended, as [`Desk::start`].
    ///
    /// # Errors
    /// As [`resume::resume`], or if another training has not ended, or it was ended.
    pub async fn go_on(self: &Arc<Self>, folder: PathBuf, device: Option<String>) -> Result<()> {
        if device.is_none() && self.live_at(&folder).is_ok() {
            return resume::release(&folder).map(drop);
        }
        // what happened before belongs to the story
        let before = record::events(&folder)?;
        let (home, run) = (self.home.clone(), folder.clone());
        self.begin(&folder, before, move |on_event, stop| resume::resume(&home, &run, device.as_deref(), on_event, stop).map(drop)).await.map(drop)
    }

    /// Begins the only training of this desk into a folder, and follows it. Whether it began here: it did not if it
    /// ended well without an event.
    async fn begin<W>(self: &Arc<Self>, out: &Path, before: Vec<Event>, work: W) -> Result<bool>
    where
        W: FnOnce(&mut dyn FnMut(&Event), &AtomicBool) -> Result<()> + Send + 'static,
    {
        let stop = Arc::<AtomicBool>::default();
        {
            let mut starting = lock(&self.starting);
            if starting.is_some() {
                return Err(Error::request(say!("a training is being started; wait for it", "sta per cominciare un addestramento; aspettalo")));
            }
            *starting = Some((out.into(), stop.clone()));
        }
        let begun = self.follow(out, before, stop, work).await;
        *lock(&self.starting) = None;
        begun
    }

    async fn follow<W>(self: &Arc<Self>, out: &Path, mut story: Vec<Event>, stop: Arc<AtomicBool>, work: W) -> Result<bool>
    where
        W: FnOnce(&mut dyn FnMut(&Event), &AtomicBool) -> Result<()> + Send + 'static,
    {
        if let Some((folder, _)) = self.living() {
            return Err(Error::request(say!(
                "{} is being trained; stop it or wait for its end",
                "{} è in addestramento; fermalo o aspetta che finisca",
                folder.display()
            )));
        }
        let mut job = Job::start_until(stop.clone(), move |tell, stop| {
            background::step_back();
            work(tell, stop)
        });
        let Some(first) = job.next().await else {
            job.finish().await?;
            return Ok(false);
        };
        story.push(first);
        let folder = out.canonicalize().map_err(|e| Error::io(out, e))?;
        let live = Arc::new(Live { folder, stop, story: Mutex::new((story, false)), news: Condvar::new() });
        *lock(&self.live) = Some(live.clone());
        tokio::spawn(async move {
            while let Some(event) = job.next().await {
                live.tell(|story| story.0.push(event));
            }
            // an error of the run is its last event; a crash of the thread has told nobody yet
            let crash = job.finish().await.err();
            live.tell(|story| {
                if let Some(e) = crash.filter(|_| !story.0.last().is_some_and(Event::is_last)) {
                    let step = story.0.iter().rev().find_map(|e| if let Event::Step { step, .. } = e { Some(*step) } else { None });
                    story.0.push(Event::failed(step.unwrap_or(0), || e.to_string()));
                }
                story.1 = true;
            });
        });
        Ok(true)
    }

    /// A folder for the run that the window chose.
    fn folder_for(&self, wish: &RunRequest) -> PathBuf {
        let name = wish.data.folder.as_ref().or(wish.data.train.as_ref()).and_then(|p| p.file_stem()).unwrap_or_default();
        self.home.free_run(&name.to_string_lossy())
    }

    /// What the window chose as a run to make into a folder, and as a command that repeats it. The changes that a person made to the
    /// data count. `stop` ends the reading of the data.
    fn request(&self, wish: RunRequest, out: PathBuf, stop: &AtomicBool) -> Result<Request> {
        let data = wish.data.to_set()?;
        let set = data::DataSet::open_with(&data, &mut |_, _, _| !stop.load(Ordering::Relaxed))?;
        let edited = !edit::changes(&Library::open(&self.home)?, &set)?.is_empty();
        let mut request = Request {
            task: wish.data.task,
            data,
            model: wish.model,
            method: wish.method,
            device: wish.device,
            recipe: None,
            set: wish.set,
            rows: None,
            seed: wish.seed,
            edited,
            trial: false,
            out,
            command: String::new(),
        };
        request.command = request.as_command();
        Ok(request)
    }

    /// Asks the run to end soon and to keep its best weights; one that waits ends, too, and one that is being made ready.
    ///
    /// # Errors
    /// If this run is not being trained here, or its folder cannot be written.
    pub fn stop(&self, folder: &Path) -> Result<()> {
        if let Some((_, stop)) = lock(&self.starting).as_ref().filter(|(starting, _)| starting == folder) {
            stop.store(true, Ordering::Relaxed);
            return Ok(());
        }
        self.live_at(folder)?.stop.store(true, Ordering::Relaxed);
        resume::release(folder).map(drop)
    }

    fn live_at(&self, folder: &Path) -> Result<Arc<Live>> {
        // while it was made ready it may have been known by another name
        let whole = folder.canonicalize().unwrap_or_else(|_| folder.into());
        let live = lock(&self.live).as_ref().filter(|l| (l.folder == folder || l.folder == whole) && !l.ended()).cloned();
        live.ok_or_else(|| Error::request(say!("{} is not being trained", "{} non è in addestramento", folder.display())))
    }

    /// A run's events from number `from` on, told in a language, and whether more can come. While it runs, waits up to
    /// `patience` for news.
    ///
    /// # Errors
    /// If it is not being trained here and its `events.jsonl` is missing or damaged.
    pub fn events(&self, folder: &Path, from: usize, patience: Duration, language: Lang) -> Result<(EventBatch, bool)> {
        let told = |events: &[Event]| events.iter().enumerate().skip(from).map(|(i, event)| event.told(&events[..i], language.into())).collect();
        let batch = |events: &[Event]| EventBatch { run: folder.into(), from, events: told(events), fault: None };
        let live = lock(&self.live).as_ref().filter(|l| l.folder == folder).cloned();
        let Some(live) = live else { return Ok((batch(&record::events(folder)?), false)) };
        let story = lock(&live.story);
        let waited = live.news.wait_timeout_while(story, patience, |(events, ended)| events.len() <= from && !*ended);
        let (story, _) = waited.unwrap_or_else(PoisonError::into_inner);
        Ok((batch(&story.0), !story.1))
    }

    /// Deletes a run's folder.
    ///
    /// # Errors
    /// If it is being trained, or holds no run.
    pub fn delete_run(&self, folder: &Path) -> Result<()> {
        if self.running().is_some_and(|r| r == folder) {
            return Err(Error::request(say!("{} is being trained; stop it first", "{} è in addestramento; fermalo prima", folder.display())));
        }
        lock(&self.answering).take_if(|(open, _)| open == folder);
        view::delete_run(&self.home, folder)
    }

    /// Answers a text with a run's model and with its base model, see [`Opened::ask`]. `stop` ends also what comes before: that
    /// others ask, and that the models are loaded.
    ///
    /// # Errors
    /// If the run cannot be opened, it was stopped, or as [`Opened::ask`].
    pub fn ask(&self, folder: &Path, text: &str, stop: &AtomicBool, tell: &mut dyn FnMut(Said) -> bool) -> Result<Asked> {
        let mut waits = waiting(stop);
        let mut answering = held(&self.answering, &mut waits)?;
        let opened = match answering.take().filter(|(open, _)| open == folder) {
            Some((_, opened)) => opened,
            None => run::open_until(&self.home, folder, "auto", stop)?,
        };
        let (_, opened) = answering.insert((folder.into(), opened));
        let asked = opened.minding(|| opened.ask(text, &mut |said| !stop.load(Ordering::Relaxed) && tell(said)));
        if asked.is_err() && opened.is_lost() {
            // the next time it is opened anew, on what there is then
            *answering = None;
        }
        asked
    }

    /// Holds runs against each other, each pair.
    ///
    /// # Errors
    /// As [`compare::runs`].
    pub fn compare(&self, folders: &[PathBuf], language: Lang, watch: Watch<'_>) -> Result<Comparison> {
        watched(watch, |watch| compare::runs(folders, language, watch))
    }

    /// Takes answers of another system into the library as a run, beside the run that was asked the same.
    ///
    /// # Errors
    /// As [`elsewhere::take_in`].
    pub fn import_predictions(&self, file: &Path, like: &Path, watch: Watch<'_>) -> Result<RunRow> {
        let folder = watched(watch, |watch| elsewhere::take_in(&self.home, file, like, watch))?;
        Ok(self.run(&folder)?.row)
    }

    /// Writes a run's model for other programs as a new folder inside `folder`, see [`export::write_watched`]; its path.
    ///
    /// # Errors
    /// As [`export::write_watched`], or if the format is unknown.
    pub fn export_model(&self, run: &Path, format: &str, folder: &Path, language: Lang, watch: Watch<'_>) -> Result<PathBuf> {
        let out = free(folder, &format!("{}-{format}", run.file_name().unwrap_or_default().to_string_lossy()));
        let format = format.parse().map_err(Error::Request)?;
        export::write_watched(&self.home, run, format, &out, language, watch)?;
        Ok(out)
    }

    /// Writes the report of a run, without some of its sections, as a new folder inside `folder`, see [`reports::write_new`]; the
    /// paths of what was asked for.
    ///
    /// # Errors
    /// As [`reports::write_new`], or if a format is unknown.
    pub fn export_report(&self, run: &Path, formats: &[String], folder: &Path, language: Lang, without: &[String], watch: Watch<'_>) -> Result<Vec<PathBuf>> {
        let out = free(folder, &format!("{}-report", run.file_name().unwrap_or_default().to_string_lossy()));
        let formats = formats.iter().map(|f| f.parse()).collect::<std::result::Result<Vec<Format>, _>>().map_err(Error::Request)?;
        reports::write_new(run, language, &formats, without, &out, watch)
    }

    /// Packs a run into a file inside `folder`, see [`reports::pack`]; its path.
    ///
    /// # Errors
    /// As [`reports::pack`].
    pub fn pack_run(&self, run: &Path, folder: &Path, watch: Watch<'_>) -> Result<PathBuf> {
        let name = run.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file =
            (1..=usize::MAX).map(|n| folder.join(if n == 1 { format!("{name}.lapidary") } else { format!("{name}-{n}.lapidary") })).find(|p| !p.exists());
        let file = file.ok_or_else(|| Error::request(say!("{} is full; choose another folder", "{} è piena; scegli un’altra cartella", folder.display())))?;
        reports::pack(run, &file, false, watch)?;
        Ok(file)
    }

    /// Unpacks a run into the library, see [`reports::unpack`]; its folder.
    ///
    /// # Errors
    /// As [`reports::unpack`].
    pub fn unpack_run(&self, file: &Path, watch: Watch<'_>) -> Result<PathBuf> {
        let folder = free(&self.home.runs(), &file.file_stem().unwrap_or_default().to_string_lossy());
        reports::unpack(&self.home, file, &folder, watch)?;
        Ok(folder)
    }

    /// Opens a data set; its handle is in the summary. One that is not waited for to the end takes no place of another.
    ///
    /// # Errors
    /// As [`Sheet::open`].
    pub fn open_data(&self, source: Source, watch: Watch<'_>) -> Result<DataSummary> {
        let number = self.opened.fetch_add(1, Ordering::Relaxed);
        let library = Library::open(&self.home)?;
        let sheet = watched(watch, |watch| Sheet::open(library, number.to_string(), source, watch))?;
        let summary = sheet.summary();
        let mut sheets = lock(&self.sheets);
        // the window looks at one data set at a time and may come back to the last ones
        while sheets.len() >= 4 && sheets.pop_first().is_some() {}
        sheets.insert(number, Arc::new(Mutex::new(sheet)));
        Ok(summary)
    }

    /// Offers a data set that was opened at the next start, too, unless it is offered without that; where the disk refuses, it
    /// has to be looked for again.
    pub fn remember(&self, opened: &DataSummary, shipped: Option<&Path>) {
        if self.standing_offers(shipped).iter().any(|other| other.source.paths().eq(opened.source.paths())) {
            return;
        }
        let offer = DataOffer {
            name: opened.name.clone(),
            language: opened.language.clone(),
            source: opened.source.clone(),
            shipped: false,
            examples: opened.splits.get(&Split::Train).map(|n| *n as u64),
        };
        let _one = lock(&self.keeping);
        let others = self.recent().into_iter().filter(|other| !other.source.paths().eq(offer.source.paths()));
        let recent: Vec<DataOffer> = std::iter::once(offer.clone()).chain(others).take(RECENT).collect();
        if let Ok(recent) = serde_json::to_value(recent) {
            let _ = self.keep(Map::from_iter([(RECENT_DATA.to_string(), recent)]));
        }
    }

    /// What is in an open data set as it is now, told in a language: it may have been opened in another one.
    ///
    /// # Errors
    /// If it is not open.
    pub fn summary(&self, data: &str, language: Lang) -> Result<DataSummary> {
        let sheet = self.sheet(data)?;
        let summary = lock(&sheet).summary_in(language.into());
        Ok(summary)
    }

    /// The data sets that were opened last, latest first.
    pub fn recent(&self) -> Vec<DataOffer> {
        self.settings().remove(RECENT_DATA).and_then(|list| serde_json::from_value(list).ok()).unwrap_or_default()
    }

    /// Data sets that open with one click: those in `shipped`, those that were made here, and those that were opened last and
    /// are still there.
    pub fn data_offers(&self, shipped: Option<&Path>) -> Vec<DataOffer> {
        let mut offers = self.standing_offers(shipped);
        offers.extend(self.recent().into_iter().filter(|recent| recent.source.paths().all(|path| path.exists())));
        offers
    }

    fn standing_offers(&self, shipped: Option<&Path>) -> Vec<DataOffer> {
        let mut offers = shipped.map(|folder| view::offers(folder, true)).unwrap_or_default();
        offers.extend(view::offers(&self.home.data(), false));
        offers
    }

    /// A part of an open data set. Where it is ended, the part that was asked for before is still what was chosen.
    ///
    /// # Errors
    /// If it is not open, it was ended, or as [`Sheet::rows`].
    pub fn rows(&self, query: &RowQuery, watch: Watch<'_>) -> Result<RowPage> {
        let sheet = self.sheet(&query.data)?;
        watched(watch, |watch| held(&sheet, watch)?.rows_with(query, watch))
    }

    fn sheet(&self, data: &str) -> Result<Arc<Mutex<Sheet>>> {
        let sheet = data.parse().ok().and_then(|number: usize| lock(&self.sheets).get(&number).cloned());
        sheet.ok_or_else(|| Error::request(say!("this data set is no longer open; open it again", "questo insieme di dati non è più aperto; aprilo di nuovo")))
    }

    /// Columns of a data set that may not be readable yet, for a person to say which is which.
    ///
    /// # Errors
    /// If a file is missing, or its first rows are malformed.
    pub fn columns(&self, source: &Source) -> Result<ColumnsView> {
        look::columns(source, None)
    }

    /// Changes an open data set; what it is like now, where what was found before is of rows that are still there. What is
    /// found in the changed rows [`Desk::check_data`] tells. It is made at once, but for the waiting until others let go of the set:
    /// where that is ended, nothing has changed.
    ///
    /// # Errors
    /// If it is not open, it was ended, or as [`Sheet::edit`].
    pub fn edit(&self, data: &str, edit: Edit, watch: Watch<'_>) -> Result<DataSummary> {
        self.alter(data, watch, |sheet| sheet.edit(edit))
    }

    /// Takes the last change to an open data set back.
    ///
    /// # Errors
    /// As [`Desk::edit`].
    pub fn undo(&self, data: &str, watch: Watch<'_>) -> Result<DataSummary> {
        self.alter(data, watch, Sheet::undo)
    }

    /// Makes the change that was last taken back again.
    ///
    /// # Errors
    /// As [`Desk::edit`].
    pub fn redo(&self, data: &str, watch: Watch<'_>) -> Result<DataSummary> {
        self.alter(data, watch, Sheet::redo)
    }

    fn alter(&self, data: &str, watch: Watch<'_>, change: impl FnOnce(&mut Sheet) -> Result<()>) -> Result<DataSummary> {
        let sheet = self.sheet(data)?;
        let mut sheet = held(&sheet, watch)?;
        change(&mut sheet)?;
        Ok(sheet.summary())
    }

    /// Checks an open data set as it is now; its rows can be read and changed meanwhile, and then what was found is dropped. If it is
    /// ended, what was found before still stands.
    ///
    /// # Errors
    /// If it is not open, its database cannot be read, or it was ended.
    pub fn check_data(&self, data: &str, watch: Watch<'_>) -> Result<DataSummary> {
        let sheet = self.sheet(data)?;
        let _one = held(&self.checking, watch)?;
        {
            let sheet = held(&sheet, watch)?;
            // of several that were asked for meanwhile, the first has looked at the last change
            if sheet.is_judged() {
                return Ok(sheet.summary());
            }
        }
        let (findings, turn) = watched(watch, |watch| {
            let snapshot = Snapshot::of_with(&sheet, &mut || ask(watch))?;
            Ok((look::check_unmeasured(&snapshot.set, watch)?, snapshot.turn))
        })?;
        let mut sheet = lock(&sheet);
        sheet.judge(turn, findings);
        Ok(sheet.summary())
    }

    /// What the texts and the answers of an open data set are made of; its rows can be read and changed meanwhile.
    ///
    /// # Errors
    /// If it is not open, or it was ended.
    pub fn describe(&self, data: &str, watch: Watch<'_>) -> Result<About> {
        let sheet = self.sheet(data)?;
        watched(watch, |watch| {
            let set = Snapshot::of_with(&sheet, &mut || ask(watch))?.set;
            Ok(look::describe_with(&set, None, &mut Steps::new(describe::work(&set), watch))?.into())
        })
    }

    /// Writes an open data set with its changes as a new folder inside `folder`, in a format of
    /// [`DataSummary::exports`]; its path. `watch` is told of the rows.
    ///
    /// # Errors
    /// If it is not open, the format is unknown or cannot say a row, the disk refuses, or it was ended.
    pub fn export_data(&self, data: &str, folder: &Path, format: &str, watch: Watch<'_>) -> Result<PathBuf> {
        let layout = format.parse::<Layout>().map_err(Error::request)?;
        let sheet = self.sheet(data)?;
        watched(watch, |watch| {
            let snapshot = Snapshot::of_with(&sheet, &mut || ask(watch))?;
            let out = free(folder, &format!("{}-edited", snapshot.set.card.name));
            snapshot.export(&out, layout, watch)?;
            Ok(out)
        })
    }

    /// Divides an open data set that is one file into training, validation and test, or takes the part that it lacks out of its
    /// training part, as a new folder in the library; its path.
    ///
    /// # Errors
    /// If it is not open, or as [`look::split`].
    pub fn divide_data(&self, data: &str, shares: Shares, seed: u64, watch: Watch<'_>) -> Result<PathBuf> {
        let sheet = self.sheet(data)?;
        watched(watch, |watch| {
            let set = Snapshot::of_with(&sheet, &mut || ask(watch))?.set;
            let out = free(&self.home.data(), &set.card.name);
            look::split(&set, shares, seed, &out, watch)?;
            Ok(out)
        })
    }

    /// What a model would be trained on in a row of an open data set.
    ///
    /// # Errors
    /// If it is not open, the model is not on this machine, a setting makes no sense, the row cannot be tokenized, or it was ended.
    pub fn microscope(&self, data: &str, row: usize, model: &str, method: &str, set: &[String], watch: Watch<'_>) -> Result<Microscope> {
        let sheet = self.sheet(data)?;
        watched(watch, |watch| {
            let kind = held(&sheet, watch)?.kind();
            let measure = Measure::new(self.reads(model, watch)?, Recipe::resolve(kind, None, method, set)?);
            let recipe = measure.recipe();
            loop {
                if let Some(tokens) = held(&sheet, watch)?.tokens(row, recipe, measure.tokenizer())? {
                    return Ok(Microscope { tokens, limit: recipe.max_tokens, method: recipe.method.name() });
                }
                // what the rows say of the task, since they were last changed
                let snapshot = Snapshot::of_with(&sheet, &mut || ask(watch))?;
                let train = snapshot.set.examples(Split::Train).len() as u64;
                let task = Task::of_with(&snapshot.set, &mut Steps::new(train, watch))?;
                held(&sheet, watch)?.learn(snapshot.turn, task);
            }
        })
    }

    /// How long the training rows of an open data set are in tokens, as a model would be trained on them, and those that would be
    /// made of them. What is too long is from then on among what [`Desk::check_data`] finds.
    ///
    /// # Errors
    /// As [`Desk::microscope`]; nothing has been measured where it was ended.
    pub fn lengths(&self, data: &str, model: &str, method: &str, set: &[String], watch: Watch<'_>) -> Result<Lengths> {
        let sheet = self.sheet(data)?;
        watched(watch, |watch| {
            let reads = self.reads(model, watch)?;
            let snapshot = Snapshot::of_with(&sheet, &mut || ask(watch))?;
            // until it is known how many rows there are of each sort, nobody can say how far it is
            let task = Task::of_with(&snapshot.set, &mut Steps::new(0, &mut |_, _| watch(0, None)))?;
            let measure = Measure::new(reads, Recipe::resolve(task.kind, None, method, set)?);
            let made = self.made(data, &snapshot, measure.recipe(), &mut |_, _| watch(0, None))?;
            let (measurable, all) = (snapshot.measurable(), snapshot.set.splits.values().map(|file| file.examples.len()).sum::<usize>());
            let mut steps = Steps::new((measurable.len() + all + 2 * made.len()) as u64, watch);
            let mut of = |rows: &[Example]| look::lengths(rows, &snapshot.set.card.language, &task, &measure, &mut steps);
            let (own, more) = (of(measurable)?, of(&made)?);
            let long = measure.too_long(&snapshot.set, &task, &made, &mut steps)?;
            let refused = long.iter().map(|finding| finding.rows.len()).sum();
            let lengths = Lengths::of(&own, &more, measure.recipe().max_tokens, refused);
            let mut sheet = held(&sheet, watch)?;
            sheet.learn(snapshot.turn, task);
            sheet.measured(snapshot.turn, &own, long);
            Ok(lengths)
        })
    }

    fn reads(&self, model: &str, watch: Watch<'_>) -> Result<Arc<Reads>> {
        let mut last = held(&self.reads, watch)?;
        if let Some((name, reads)) = last.as_ref()
            && name == model
        {
            return Ok(reads.clone());
        }
        let reads = Arc::new(Reads::open(&self.home, model, watch)?);
        *last = Some((model.into(), reads.clone()));
        Ok(reads)
    }

    /// The rows that a training would make; lengths are asked for again with every setting, and most change nothing here.
    fn made(&self, data: &str, snapshot: &Snapshot, recipe: &Recipe, watch: Watch<'_>) -> Result<Arc<Vec<Example>>> {
        let making = Making { data: data.into(), turn: snapshot.turn, grow: recipe.grow, compose: recipe.compose };
        let mut last = held(&self.made, watch)?;
        if let Some((same, made)) = last.as_ref()
            && *same == making
        {
            return Ok(made.clone());
        }
        let made = Arc::new(look::made(&snapshot.set, recipe, &mut Steps::new(0, watch))?);
        *last = Some((making, made.clone()));
        Ok(made)
    }

    /// An open data set as points on a plane, near ones alike to a model, with the number of the row behind each point;
    /// none if it was stopped. `progress` is called with what is being done, how much of it is, and of how much: rows are read, and
    /// then points placed in so many steps.
    ///
    /// # Errors
    /// If it is not open, or as [`vectors::embed`].
    pub fn map(&self, data: &str, reader: Reader<'_>, language: Lang, stop: &AtomicBool, progress: OnMap<'_>) -> Result<Option<DataMap>> {
        let sheet = self.sheet(data)?;
        let Some(Snapshot { set, numbers, .. }) = copied(&sheet, stop) else { return Ok(None) };
        let read = vectors::embed(&self.home, reader, &set, None, stop, &mut |done, of| progress(Doing::Reading, done, of))?;
        let Some(embedded) = read else { return Ok(None) };
        let points = vectors::map(&set, &embedded, stop, &mut |done, of| progress(Doing::Placing, done, of))?;
        Ok(points.map(|points| vectors::draw(&points, embedded.of, &numbers, language)))
    }

    /// The rows of an open data set that are nearest to one of them to a model, by their numbers, nearest first; none if it was
    /// stopped. What was read for the map serves here, too.
    ///
    /// # Errors
    /// If it is not open, there is no such row, or as [`vectors::embed`].
    pub fn near(&self, data: &str, row: usize, reader: Reader<'_>, stop: &AtomicBool, progress: &mut dyn FnMut(usize, usize)) -> Result<Option<Vec<usize>>> {
        let sheet = self.sheet(data)?;
        let Some(snapshot) = copied(&sheet, stop) else { return Ok(None) };
        let (split, index) = snapshot.place(row)?;
        let Some(embedded) = vectors::embed(&self.home, reader, &snapshot.set, Some((split, index)), stop, progress)? else { return Ok(None) };
        let near = vectors::near(&snapshot.set, &embedded, split, index, NEAR)?;
        Ok(Some(near.iter().filter_map(|n| snapshot.numbers.get(&n.split)?.get(n.index).copied()).collect()))
    }

    /// Makes a device ready: one that has not been held against the CPU is tried, of which `on_check` is told before, until
    /// `cancel` is set.
    ///
    /// # Errors
    /// As [`devices::find`].
    pub fn ready(&self, device: &str, on_check: &mut dyn FnMut(&gemma::device::Info), cancel: &AtomicBool) -> Result<()> {
        devices::find(&self.home, device, &Children::own()?, on_check, cancel).map(drop)
    }

    /// Runs the query of a row of an open data set; others get at the set meanwhile.
    ///
    /// # Errors
    /// If it is not open, it was ended, or as [`look::query`].
    pub fn query(&self, data: &str, row: usize, watch: Watch<'_>) -> Result<QueryResult> {
        let sheet = self.sheet(data)?;
        watched(watch, |watch| {
            let (set, sql) = held(&sheet, watch)?.query(row)?;
            aside(watch, move || look::query(&set, &sql))
        })
    }

    /// What a face remembers between starts: an object, empty the first time or if the file is damaged.
    pub fn settings(&self) -> Map<String, Value> {
        std::fs::read(self.home.settings()).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Remembers values for the next start; those that are not named stay.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn save_settings(&self, values: Map<String, Value>) -> Result<()> {
        let _one = lock(&self.keeping);
        self.keep(values)
    }

    /// As [`Desk::save_settings`], for who holds `keeping`.
    fn keep(&self, values: Map<String, Value>) -> Result<()> {
        let mut all = self.settings();
        all.extend(values);
        Ok(record::write_atomically(&self.home.settings(), Value::Object(all).to_string().as_bytes())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheet::{RowFilter, Sort, SortBy};

    #[test]
    fn what_was_opened_last_is_offered_again_as_long_as_it_is_there() {
        let dir = tempfile::tempdir().expect("a folder");
        let home = Home::open(Some(&dir.path().join("home"))).expect("a home");
        let (desk, rows) = (Desk::new(home.clone()), "text,label\nuno,a\ndue,b\n");
        let own = |n: usize| dir.path().join(format!("own-{n}.csv"));
        let open = |desk: &Desk, source: Source| {
            let data = desk.open_data(Source { task: "intent".into(), ..source }, &mut |_, _| true).expect("opens");
            desk.remember(&data, None);
        };
        // one more than is kept, and one of them twice
        for n in (0..=RECENT).chain([2]) {
            std::fs::write(own(n), rows).expect("written");
            open(&desk, Source { train: Some(own(n)), ..Source::default() });
        }
        desk.save_settings(Map::from_iter([("theme".to_string(), "dark".into())])).expect("kept");
        let again = Desk::new(home.clone());
        let offered = || again.data_offers(None).into_iter().filter_map(|offer| offer.source.train).collect::<Vec<_>>();
        assert_eq!(offered(), [2, 8, 7, 6, 5, 4, 3, 1].map(own));
        assert_eq!((again.recent()[0].examples, again.recent()[0].shipped, again.settings()["theme"].as_str()), (Some(2), false, Some("dark")));
        std::fs::remove_file(own(7)).expect("removed");
        assert_eq!(offered(), [2, 8, 6, 5, 4, 3, 1].map(own));

        // what was made here is offered as long as it is there, and takes no place of another
        let made = home.data().join("made");
        std::fs::create_dir_all(&made).expect("a folder");
        std::fs::write(made.join("dataset.toml"), "name = \"made\"\ntask = \"intent\"\n").expect("written");
        std::fs::write(made.join("train.csv"), rows).expect("written");
        open(&again, Source { folder: Some(made.clone()), ..Source::default() });
        assert_eq!((again.data_offers(None)[0].source.folder.as_ref(), again.recent().len()), (Some(&made), RECENT));
    }

    #[test]
    fn a_start_is_work_until_it_is_ended_and_then_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let desk = Arc::new(Desk::new(Home::open(Some(&dir.path().join("home"))).expect("a home")));
        let file = dir.path().join("own.csv");
        let row = |n: usize| format!("{} {},{}\n", n * 7919, n * n * 104_729, ["a", "b"][n % 2]);
        std::fs::write(&file, ["text,label\n".to_string(), (1..20_000).map(row).collect()].concat()).expect("written");
        let wish = || RunRequest {
            data: Source { task: "intent".into(), train: Some(file.clone()), ..Source::default() },
            // tests run in the folder of their crate
            model: "../../tests/reference/tiny".into(),
            method: "head".into(),
            device: "cpu".into(),
            seed: 0,
            set: Vec::new(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("threads");
        let (own, first) = (desk.clone(), wish());
        let starting = runtime.spawn(async move { own.start(first).await });
        while desk.running().is_none() {
            std::thread::yield_now();
        }
        // nobody sees it among the runs, and nobody starts another
        assert!(desk.runs().expect("a list").is_empty());
        assert!(runtime.block_on(desk.start(wish())).is_err_and(|e| e.to_string().contains("a training is being started")));
        let folder = desk.running().expect("not begun yet");
        desk.stop(&folder).expect("it can be ended by its name, too");
        assert!(runtime.block_on(starting).expect("no crash").is_err_and(|e| e.to_string().contains("stopped before it began")));
        assert_eq!((desk.running(), folder.exists()), (None, false));
        desk.cancel_start();
    }

    /// What comes of work that nobody ends, and what it told meanwhile.
    fn told<T>(work: impl FnOnce(Watch<'_>) -> Result<T>) -> (T, Vec<(u64, Option<u64>)>) {
        let mut told = Vec::new();
        let done = work(&mut |done, total| {
            told.push((done, total));
            true
        });
        (done.expect("nobody ended it"), told)
    }

    /// Whether work that is ended when it asks for the last time says so and asks no more.
    fn ends<T>(last: usize, work: impl FnOnce(Watch<'_>) -> Result<T>) -> bool {
        let mut asked = 0;
        let ended = work(&mut |_, _| {
            asked += 1;
            asked < last
        });
        ended.is_err_and(|e| e.to_string() == crate::watch::cancelled().to_string()) && asked == last
    }

    /// A desk upon which a set of one file lies open, in which a row repeats another.
    fn one_file(dir: &Path) -> (Desk, DataSummary) {
        let desk = Desk::new(Home::open(Some(&dir.join("home"))).expect("a home"));
        let file = dir.join("own.csv");
        let row = |n: usize| format!("{} {},{}\n", n * 7919, n * n * 104_729, ["a", "b"][n % 2]);
        std::fs::write(&file, ["text,label\n".to_string(), (1..40).map(row).collect(), row(1)].concat()).expect("written");
        let source = Source { task: "intent".into(), train: Some(file), ..Source::default() };
        let data = desk.open_data(source, &mut |_, _| true).expect("opens");
        (desk, data)
    }

    #[test]
    fn a_check_that_is_ended_leaves_what_was_found_before() {
        let dir = tempfile::tempdir().expect("a folder");
        let (desk, opened) = one_file(dir.path());
        let duplicates = |data: &DataSummary| data.findings.iter().filter(|f| f.kind == "duplicate").map(|f| f.count).sum::<usize>();
        assert_eq!(duplicates(&opened), 2);
        let changed = desk.edit(&opened.id, Edit::Delete { row: 39 }, &mut |_, _| true).expect("deleted");
        let sheet = desk.sheet(&opened.id).expect("open");
        for last in [1, 2, 3, 12, 30] {
            assert!(ends(last, |watch| desk.check_data(&opened.id, watch)), "{last}");
            let now = lock(&sheet);
            assert!(!now.is_judged() && now.summary().findings == changed.findings, "{last}");
        }
        let (checked, told) = told(|watch| desk.check_data(&opened.id, watch));
        assert_eq!(duplicates(&checked), 0);
        let (copied, counted): (Vec<_>, Vec<_>) = told.iter().copied().partition(|(_, total)| total.is_none());
        assert!(copied == [(0, None); 2] && counted.len() > 30, "{told:?}");
        assert!(told.is_sorted_by_key(|(done, _)| *done) && counted.last().is_some_and(|(done, total)| Some(*done) == *total), "{told:?}");
    }

    #[test]
    fn what_was_found_is_told_again_in_another_language() {
        let dir = tempfile::tempdir().expect("a folder");
        let (desk, opened) = one_file(dir.path());
        let of = |data: &DataSummary| data.findings.iter().find(|f| f.kind == "duplicate").map(|f| (f.message.clone(), f.fix.clone(), f.count)).expect("found");
        let [english, italian] = [Lang::English, Lang::Italian].map(|lang| of(&desk.summary(&opened.id, lang).expect("open")));
        assert_eq!(of(&opened), english, "the process speaks English");
        assert!(english.0 != italian.0 && english.1 != italian.1 && english.2 == italian.2, "{italian:?}");
    }

    #[test]
    fn a_division_that_is_ended_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let (desk, opened) = one_file(dir.path());
        let shares = Shares::new(0.2, 0.2).expect("sound");
        let (out, told) = told(|watch| desk.divide_data(&opened.id, shares, 1, watch));
        assert!(told.is_sorted_by_key(|(done, _)| *done) && told[2..].iter().all(|(_, total)| *total == told[2].1 && total.is_some()), "{told:?}");
        for last in [1, 2, 3, 10, told.len() - 2, told.len()] {
            assert!(ends(last, |watch| desk.divide_data(&opened.id, shares, 1, watch)), "{last}");
        }
        let there: Vec<PathBuf> = std::fs::read_dir(desk.home().data()).expect("there").map(|entry| entry.expect("listed").path()).collect();
        assert_eq!(there, [out]);
    }

    #[test]
    fn an_export_and_a_description_that_are_ended_leave_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let (desk, opened) = one_file(dir.path());
        let folder = dir.path().join("written");
        std::fs::create_dir(&folder).expect("a folder");
        let (out, counted) = told(|watch| desk.export_data(&opened.id, &folder, "jsonl", watch));
        for last in [1, 2, 3, counted.len() - 1, counted.len()] {
            assert!(ends(last, |watch| desk.export_data(&opened.id, &folder, "jsonl", watch)), "{last}");
        }
        let there: Vec<PathBuf> = std::fs::read_dir(&folder).expect("there").map(|entry| entry.expect("listed").path()).collect();
        assert_eq!(there, [out]);

        let (about, counted) = told(|watch| desk.describe(&opened.id, watch));
        assert!(counted.is_sorted_by_key(|(done, _)| *done) && counted.last().is_some_and(|(done, total)| Some(*done) == *total), "{counted:?}");
        for last in [1, 2, 3, counted.len()] {
            assert!(ends(last, |watch| desk.describe(&opened.id, watch)), "{last}");
        }
        assert_eq!(about, desk.describe(&opened.id, &mut |_, _| true).expect("described"));
    }

    #[test]
    fn a_set_that_others_hold_is_changed_and_read_only_as_long_as_somebody_waits() {
        let dir = tempfile::tempdir().expect("a folder");
        let (desk, opened) = one_file(dir.path());
        let data = opened.id.as_str();
        for row in [39, 38] {
            desk.edit(data, Edit::Delete { row }, &mut |_, _| true).expect("deleted");
        }
        desk.undo(data, &mut |_, _| true).expect("taken back");
        let sort = Sort { by: SortBy::Text, descending: true };
        let query = RowQuery { data: data.into(), offset: 0, limit: 100, filter: RowFilter::default(), search: String::new(), sort };
        let state = |desk: &Desk| {
            let (rows, now) = (desk.rows(&query, &mut |_, _| true).expect("read"), desk.summary(data, Lang::English).expect("open"));
            (rows.rows.iter().map(|row| (row.id, row.text.clone())).collect::<Vec<_>>(), now.changes, now.undone, now.splits)
        };
        let before = state(&desk);
        assert_eq!((before.0.len(), before.1, before.2), (39, 1, 1));

        let sheet = desk.sheet(data).expect("open");
        let others = lock(&sheet);
        assert!(ends(3, |watch| desk.edit(data, Edit::Delete { row: 0 }, watch)));
        assert!(ends(3, |watch| desk.undo(data, watch)));
        assert!(ends(3, |watch| desk.redo(data, watch)));
        assert!(ends(3, |watch| desk.rows(&query, watch)));
        drop(others);
        assert_eq!(state(&desk), before);
        // and what was taken back can be made again
        assert_eq!(desk.redo(data, &mut |_, _| true).expect("made again").changes, 2);
    }
}
