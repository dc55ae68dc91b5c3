//! What the shell holds for as long as it runs, and how it speaks to the page.

use crate::grants::Grants;
use crate::log::Log;
use lab::desk::Desk;
use lab::report::text::Lang;
use lab::{Home, view};
use say::Language;
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tauri::{AppHandle, Emitter, Manager};
use ts_rs::TS;

/// What a menu, a shortcut or another start asks the page to do.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[ts(rename = "Command")]
pub enum Wish {
    /// Show a screen.
    Screen {
        /// Its name.
        screen: &'static str,
    },
    /// Ask for a data set.
    OpenData,
    /// Show a run.
    OpenRun {
        /// Its folder.
        path: PathBuf,
    },
    /// Speak another language.
    Language {
        /// Which.
        language: Lang,
    },
    /// Change the colours.
    Theme {
        /// `system`, `light` or `dark`.
        theme: &'static str,
    },
}

/// How a command fails: what happened, why, and what to do, in one line.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct Failure {
    /// The line.
    pub message: String,
}

impl From<lab::Error> for Failure {
    fn from(e: lab::Error) -> Self {
        Self { message: e.to_string() }
    }
}

/// Something that can be asked to end: a subscription, a download.
pub type Ending = Arc<AtomicBool>;

/// What the shell holds.
pub struct Shell {
    /// Runs, data sets and models at hand.
    pub desk: Arc<Desk>,
    /// Files that a person let the window touch.
    pub grants: Grants,
    /// The log file.
    pub log: Log,
    /// Data sets that came with the program.
    pub shipped: Option<PathBuf>,
    subscriptions: Mutex<HashMap<u32, Ending>>,
    next: AtomicU32,
    /// What can be cancelled: downloads by model, and other work under names of its own.
    underway: Mutex<Underway>,
    /// Files from the command line that the page has not been told of, and whether it listens.
    waiting: Mutex<(Vec<PathBuf>, bool)>,
}

/// What can be cancelled.
#[derive(Default)]
struct Underway {
    begun: HashMap<String, Ending>,
    /// Names of work that was cancelled before it began: the page's word of it came first.
    forestalled: HashSet<String>,
}

/// A lock that outlives a panic of who held it.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shell {
    /// Begins a log in the library and looks for the data sets that came with the program.
    pub fn new(home: Home) -> Self {
        let log = Log::start(&home);
        let shipped = shipped();
        let grants = Grants::new([home.runs(), home.models(), home.data()].into_iter().chain(shipped.clone()));
        let desk = Arc::new(Desk::new(home));
        // a person chose them before
        desk.recent().iter().for_each(|data| grants.add(&data.source.paths().collect::<Vec<_>>()));
        Self { desk, grants, log, shipped, subscriptions: Mutex::default(), next: AtomicU32::new(1), underway: Mutex::default(), waiting: Mutex::default() }
    }

    /// The language that the person chose in the page, else the system's.
    pub fn language(&self) -> Lang {
        let chosen = self.desk.settings().get("language").and_then(|l| l.as_str()?.parse().ok());
        chosen.unwrap_or_else(|| Language::of_locale(|name| std::env::var(name).ok()).into())
    }

    /// The colours that the person chose in the page; none are the system's.
    pub fn theme(&self) -> Option<tauri::Theme> {
        match self.desk.settings().get("theme").and_then(|t| t.as_str()) {
            Some("light") => Some(tauri::Theme::Light),
            Some("dark") => Some(tauri::Theme::Dark),
            _ => None,
        }
    }

    /// Files that were named on a command line: as good as dropped on the window.
    pub fn offer(&self, paths: Vec<PathBuf>) {
        self.grants.add(&paths);
        lock(&self.waiting).0.extend(paths);
    }

    /// Keeps long work under a name, by which it can be cancelled.
    pub fn begin(&self, key: &str) -> Ending {
        let mut underway = lock(&self.underway);
        let ending = Ending::new(AtomicBool::new(underway.forestalled.remove(key)));
        underway.begun.insert(key.into(), ending.clone());
        ending
    }

    /// Asks long work to end, by its name; nothing if it has ended.
    pub fn cancel(&self, key: &str) {
        if let Some(ending) = lock(&self.underway).begun.get(key) {
            ending.store(true, Ordering::Relaxed);
        }
    }

    /// As [`Shell::cancel`] of work whose name no other work will have: it ends also if it is yet to begin.
    pub fn forestall(&self, key: &str) {
        let mut underway = lock(&self.underway);
        match underway.begun.get(key) {
            Some(ending) => ending.store(true, Ordering::Relaxed),
            None => {
                underway.forestalled.insert(key.into());
            }
        }
    }

    /// The work has ended; another one that has taken its name meanwhile has not.
    pub fn end(&self, key: &str, ending: &Ending) {
        let mut underway = lock(&self.underway);
        if underway.begun.get(key).is_some_and(|other| Arc::ptr_eq(other, ending)) {
            underway.begun.remove(key);
        }
    }

    /// Registers a subscription.
    pub fn subscribe(&self) -> (u32, Ending) {
        let (id, ending) = (self.next.fetch_add(1, Ordering::Relaxed), Ending::default());
        lock(&self.subscriptions).insert(id, ending.clone());
        (id, ending)
    }

    /// Ends a subscription; nothing if it has ended.
    pub fn unsubscribe(&self, id: u32) {
        if let Some(ending) = lock(&self.subscriptions).remove(&id) {
            ending.store(true, Ordering::Relaxed);
        }
    }

    /// A page that was loaded anew knows none of the old subscriptions.
    pub fn unsubscribe_all(&self) {
        lock(&self.subscriptions).drain().for_each(|(_, ending)| ending.store(true, Ordering::Relaxed));
    }
}

/// The page listens from now on: it is told of the files that wait.
pub fn listening(app: &AppHandle) {
    lock(&app.state::<Shell>().waiting).1 = true;
    deliver(app);
}

/// Tells the page of files from a command line: a run is opened, anything else is as if dropped.
pub fn deliver(app: &AppHandle) {
    let shell = app.state::<Shell>();
    let paths = {
        let mut waiting = lock(&shell.waiting);
        if !waiting.1 {
            return;
        }
        std::mem::take(&mut waiting.0)
    };
    let (runs, files): (Vec<PathBuf>, Vec<PathBuf>) = paths.into_iter().partition(|p| view::run(p, None).is_ok());
    for path in runs {
        ask(app, Wish::OpenRun { path });
    }
    if !files.is_empty() {
        #[derive(Clone, Serialize)]
        struct Dropped {
            paths: Vec<PathBuf>,
            position: tauri::PhysicalPosition<f64>,
        }
        tell(app, "tauri://drag-drop", Dropped { paths: files, position: tauri::PhysicalPosition::new(0.0, 0.0) });
    }
}

/// Asks the page to do something.
pub fn ask(app: &AppHandle, wish: Wish) {
    tell(app, "command", wish);
}

fn tell(app: &AppHandle, event: &str, payload: impl Serialize + Clone) {
    if let Err(e) = app.emit_to(crate::MAIN, event, payload) {
        app.state::<Shell>().log.line(&format!("the page could not be told `{event}`: {e}"));
    }
}

/// Brings the window to the front.
pub fn show(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(crate::MAIN)
        && let Err(e) = window.show().and_then(|()| window.unminimize()).and_then(|()| window.set_focus())
    {
        app.state::<Shell>().log.line(&format!("the window could not be shown: {e}"));
    }
}

/// The folder `datasets`: named by `LAPIDARY_DATASETS`, or beside the program as our package and Tauri's own lay it out.
fn shipped() -> Option<PathBuf> {
    let named = std::env::var_os("LAPIDARY_DATASETS").map(PathBuf::from);
    let program = std::env::current_exe().ok();
    let beside = |relative: &str| program.as_deref().and_then(Path::parent).map(|p| p.join(relative));
    let places = [named, beside("../share/lapidary/datasets"), beside("../lib/Lapidary/datasets"), beside("../Resources/datasets"), beside("datasets")];
    places.into_iter().flatten().find(|p| p.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_cancelled_by_name_and_an_old_one_does_not_end_a_new_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let shell = Shell::new(Home::open(Some(dir.path())).expect("a library"));
        let (old, new) = (shell.begin("map of 0"), shell.begin("map of 0"));
        shell.end("map of 0", &old);
        shell.cancel("map of 0");
        assert!(new.load(Ordering::Relaxed) && !old.load(Ordering::Relaxed));
        shell.end("map of 0", &new);
        shell.cancel("map of 0");
        assert!(!shell.begin("map of 0").load(Ordering::Relaxed), "what comes later was not cancelled");
    }

    #[test]
    fn work_that_is_cancelled_before_it_begins_is_cancelled_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let shell = Shell::new(Home::open(Some(dir.path())).expect("a library"));
        shell.forestall("work 7");
        let first = shell.begin("work 7");
        assert!(first.load(Ordering::Relaxed) && !shell.begin("work 8").load(Ordering::Relaxed));
        shell.end("work 7", &first);
        let second = shell.begin("work 7");
        assert!(!second.load(Ordering::Relaxed));
        shell.forestall("work 7");
        assert!(second.load(Ordering::Relaxed));
    }
}
