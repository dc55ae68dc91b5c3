//! The log file of the window: what failed, and every crash with its place in the code. It stays on this machine.

use lab::Home;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

/// A log that has grown beyond this begins anew; the one before is kept beside it.
const LIMIT: u64 = 1 << 20;
/// Lines that go into a report of a problem.
const TAIL: usize = 200;

/// The log file.
#[derive(Clone)]
pub struct Log {
    path: PathBuf,
    /// None if the disk refused: the window then works without a log.
    file: Arc<Mutex<Option<File>>>,
}

impl Log {
    /// Opens the log of a library and writes crashes into it from now on.
    pub fn start(home: &Home) -> Self {
        let path = home.path().join("window.log");
        if std::fs::metadata(&path).is_ok_and(|m| m.len() > LIMIT) {
            // an old log that cannot be moved only grows on
            let _ = std::fs::rename(&path, path.with_extension("log.old"));
        }
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let log = Self { path, file: Arc::new(Mutex::new(file.ok())) };
        log.line(&format!("Lapidary {} starts on {} {}", lab::VERSION, std::env::consts::OS, std::env::consts::ARCH));
        let crashes = log.clone();
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            crashes.line(&format!("crash: {panic}\n{}", std::backtrace::Backtrace::force_capture()));
            before(panic);
        }));
        log
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a line with the time, in seconds since 1970.
    pub fn line(&self, text: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        if let Some(file) = crate::shell::lock(&self.file).as_mut() {
            // a full disk must not end the work that the log is about
            let _ = file.write_all(format!("{now} {text}\n").as_bytes());
        }
    }

    /// Its last lines.
    pub fn tail(&self) -> String {
        let text = std::fs::read(&self.path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_and_a_large_log_begins_anew() {
        let dir = tempfile::tempdir().expect("a folder");
        let home = Home::open(Some(dir.path())).expect("home");
        std::fs::write(dir.path().join("window.log"), "x".repeat(LIMIT as usize + 1)).expect("written");
        let log = Log::start(&home);
        (0..300).for_each(|i| log.line(&format!("line {i}")));
        let tail = log.tail();
        assert_eq!(tail.lines().count(), TAIL);
        assert!(tail.ends_with("line 299"));
        assert!(dir.path().join("window.log.old").exists());
    }
}
