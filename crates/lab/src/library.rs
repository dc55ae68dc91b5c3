//! What the application remembers between starts: models, runs, changes to data sets, and what was found of devices and of
//! untuned models, in one SQLite file.
//!
//! Of models and runs the library is an index: their folders stand by themselves. The changes to a data
//! set (see [`crate::edit`]) are here alone until the edited set is exported.

use crate::error::{Error, Result};
use crate::home::Home;
use crate::watch::Watch;
use rusqlite::{Connection, OptionalExtension, params};
use say::say;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A model in the library.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelRow {
    /// Name that `--model` takes.
    pub name: String,
    /// File or folder.
    pub path: PathBuf,
    /// Where it came from.
    pub source: String,
    /// Licence.
    pub license: String,
    /// Size on disk.
    pub bytes: u64,
}

/// A run in the library.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunRow {
    /// Run folder.
    pub path: PathBuf,
    /// Task name.
    pub task: String,
    /// `completion`, `head`, `tagging` or `full`.
    pub method: String,
    /// `running`, `completed`, `stopped`, `failed`, or `paused` where its device was lost.
    pub status: String,
    /// Main metric, when there is one.
    pub accuracy: Option<f64>,
    /// When it began, RFC 3339, UTC.
    pub started: String,
}

/// The open library.
pub struct Library {
    path: PathBuf,
    db: Connection,
}

/// Statements that bring a library from version `i` to `i + 1`.
const MIGRATIONS: [&str; 4] = [
    "
    CREATE TABLE models (name TEXT PRIMARY KEY, path TEXT NOT NULL, source TEXT NOT NULL, license TEXT NOT NULL, bytes INTEGER NOT NULL);
    CREATE TABLE runs (path TEXT PRIMARY KEY, task TEXT NOT NULL, method TEXT NOT NULL, status TEXT NOT NULL, accuracy REAL, started TEXT NOT NULL);
    CREATE TABLE hashes (path TEXT PRIMARY KEY, bytes INTEGER NOT NULL, modified INTEGER NOT NULL, sha256 TEXT NOT NULL);
",
    "
    CREATE TABLE edited (data TEXT PRIMARY KEY, done INTEGER NOT NULL);
    CREATE TABLE changes (data TEXT NOT NULL, number INTEGER NOT NULL, change TEXT NOT NULL, PRIMARY KEY (data, number)) WITHOUT ROWID;
",
    "
    CREATE TABLE devices (key TEXT PRIMARY KEY, verdict TEXT NOT NULL);
",
    "
    CREATE TABLE untuned (key TEXT PRIMARY KEY, scores TEXT NOT NULL);
",
];

impl Library {
    /// Opens the library of a home, making or upgrading it as needed.
    ///
    /// # Errors
    /// If the file is damaged, of a newer version, or cannot be written.
    pub fn open(home: &Home) -> Result<Self> {
        let path = home.database();
        let fail = |source| Error::Library { path: path.clone(), source };
        let mut db = Connection::open(&path).map_err(fail)?;
        db.busy_timeout(std::time::Duration::from_secs(10)).map_err(fail)?;
        // readers and a writing run do not wait for each other
        db.pragma_update(None, "journal_mode", "WAL").map_err(fail)?;
        let change = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(fail)?;
        let version: i64 = change.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(fail)?;
        let version = usize::try_from(version).unwrap_or(usize::MAX);
        if version > MIGRATIONS.len() {
            return Err(Error::request(say!(
                "the library {} was made by a newer Lapidary; update this one, or choose another folder with --home",
                "la libreria {} è di un Lapidary più recente; aggiorna questo, oppure scegli un’altra cartella con --home",
                path.display()
            )));
        }
        for statements in &MIGRATIONS[version..] {
            change.execute_batch(statements).map_err(fail)?;
        }
        change.pragma_update(None, "user_version", MIGRATIONS.len() as i64).map_err(fail)?;
        change.commit().map_err(fail)?;
        Ok(Self { path, db })
    }

    fn fail(&self, source: rusqlite::Error) -> Error {
        Error::Library { path: self.path.clone(), source }
    }

    /// All models, by name.
    ///
    /// # Errors
    /// If the library cannot be read.
    pub fn models(&self) -> Result<Vec<ModelRow>> {
        let read = || -> rusqlite::Result<Vec<ModelRow>> {
            let mut query = self.db.prepare("SELECT name, path, source, license, bytes FROM models ORDER BY name")?;
            let rows = query.query_map([], |r| {
                Ok(ModelRow {
                    name: r.get(0)?,
                    path: PathBuf::from(r.get::<_, String>(1)?),
                    source: r.get(2)?,
                    license: r.get(3)?,
                    bytes: r.get::<_, i64>(4)?.unsigned_abs(),
                })
            })?;
            rows.collect()
        };
        read().map_err(|e| self.fail(e))
    }

    /// Adds a model, or replaces the one of the same name.
    ///
    /// # Errors
    /// If the library cannot be written.
    pub fn put_model(&self, m: &ModelRow) -> Result<()> {
        let bytes = i64::try_from(m.bytes).unwrap_or(i64::MAX);
        self.db
            .execute("INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?, ?)", params![m.name, m.path.to_string_lossy(), m.source, m.license, bytes])
            .map_err(|e| self.fail(e))?;
        Ok(())
    }

    /// All runs, latest first.
    ///
    /// # Errors
    /// If the library cannot be read.
    pub fn runs(&self) -> Result<Vec<RunRow>> {
        let read = || -> rusqlite::Result<Vec<RunRow>> {
            let mut query = self.db.prepare("SELECT path, task, method, status, accuracy, started FROM runs ORDER BY started DESC")?;
            let rows = query.query_map([], |r| {
                Ok(RunRow {
                    path: PathBuf::from(r.get::<_, String>(0)?),
                    task: r.get(1)?,
                    method: r.get(2)?,
                    status: r.get(3)?,
                    accuracy: r.get(4)?,
                    started: r.get(5)?,
                })
            })?;
            rows.collect()
        };
        read().map_err(|e| self.fail(e))
    }

    /// Adds a run, or replaces the one of the same folder.
    ///
    /// # Errors
    /// If the library cannot be written.
    pub fn put_run(&self, r: &RunRow) -> Result<()> {
        self.db
            .execute(
                "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?)",
                params![r.path.to_string_lossy(), r.task, r.method, r.status, r.accuracy, r.started],
            )
            .map_err(|e| self.fail(e))?;
        Ok(())
    }

    /// Forgets a model; its files stay.
    ///
    /// # Errors
    /// If the library cannot be written.
    pub fn remove_model(&self, name: &str) -> Result<()> {
        self.db.execute("DELETE FROM models WHERE name = ?", [name]).map_err(|e| self.fail(e))?;
        Ok(())
    }

    /// Forgets a run; its folder stays.
    ///
    /// # Errors
    /// If the library cannot be written.
    pub fn remove_run(&self, folder: &Path) -> Result<()> {
        self.db.execute("DELETE FROM runs WHERE path = ?", [folder.to_string_lossy()]).map_err(|e| self.fail(e))?;
        Ok(())
    }

    /// The changes that were made to a data set, first to last, and how many of them are in force.
    ///
    /// # Errors
    /// If the library cannot be read.
    pub fn changes(&self, data: &str) -> Result<(Vec<String>, usize)> {
        let read = || -> rusqlite::Result<(Vec<String>, usize)> {
            let mut query = self.db.prepare("SELECT change FROM changes WHERE data = ? ORDER BY number")?;
            let changes: Vec<String> = query.query_map([data], |r| r.get(0))?.collect::<rusqlite::Result<_>>()?;
            let done: Option<i64> = self.db.query_row("SELECT done FROM edited WHERE data = ?", [data], |r| r.get(0)).optional()?;
            let done = usize::try_from(done.unwrap_or(0)).unwrap_or(0).min(changes.len());
            Ok((changes, done))
        };
        read().map_err(|e| self.fail(e))
    }

    /// Adds a change behind the `done` that are in force, in the place of any that were undone.
    ///
    /// # Errors
    /// If the library cannot be written, or another number of changes is in force; nothing has changed then.
    pub fn add_change(&self, data: &str, done: usize, change: &str) -> Result<()> {
        self.edit(data, done, |db| {
            db.execute("DELETE FROM changes WHERE data = ? AND number >= ?", params![data, done as i64])?;
            db.execute("INSERT INTO changes VALUES (?, ?, ?)", params![data, done as i64, change])?;
            db.execute("INSERT OR REPLACE INTO edited VALUES (?, ?)", params![data, done as i64 + 1])
        })
    }

    /// Takes in changes to a data set that has none, all of them or none.
    ///
    /// # Errors
    /// As [`Library::add_change`].
    pub fn add_changes(&self, data: &str, changes: &[String]) -> Result<()> {
        self.edit(data, 0, |db| {
            db.execute("DELETE FROM changes WHERE data = ?", [data])?;
            let mut insert = db.prepare("INSERT INTO changes VALUES (?, ?, ?)")?;
            for (number, change) in changes.iter().enumerate() {
                insert.execute(params![data, number as i64, change])?;
            }
            db.execute("INSERT OR REPLACE INTO edited VALUES (?, ?)", params![data, changes.len() as i64])
        })
    }

    /// Says how many of the changes to a data set are in force now, where `done` were.
    ///
    /// # Errors
    /// As [`Library::add_change`].
    pub fn mark_changes(&self, data: &str, done: usize, now: usize) -> Result<()> {
        self.edit(data, done, |db| db.execute("INSERT OR REPLACE INTO edited VALUES (?, ?)", params![data, now as i64]))
    }

    fn edit(&self, data: &str, done: usize, write: impl FnOnce(&Connection) -> rusqlite::Result<usize>) -> Result<()> {
        let run = || -> rusqlite::Result<bool> {
            let transaction = rusqlite::Transaction::new_unchecked(&self.db, rusqlite::TransactionBehavior::Immediate)?;
            let stored: Option<i64> = transaction.query_row("SELECT done FROM edited WHERE data = ?", [data], |r| r.get(0)).optional()?;
            if stored.unwrap_or(0) != done as i64 {
                return Ok(false);
            }
            write(&transaction)?;
            transaction.commit()?;
            Ok(true)
        };
        match run().map_err(|e| self.fail(e))? {
            true => Ok(()),
            false => Err(Error::request(say!(
                "the data set was edited elsewhere in the meantime; open it again",
                "l’insieme di dati è stato modificato altrove nel frattempo; aprilo di nuovo"
            ))),
        }
    }

    /// What is remembered of a device, by its [`gemma::device::Info::key`].
    ///
    /// # Errors
    /// If the library cannot be read.
    pub fn verdict(&self, key: &str) -> Result<Option<String>> {
        self.db.query_row("SELECT verdict FROM devices WHERE key = ?", [key], |r| r.get(0)).optional().map_err(|e| self.fail(e))
    }

    /// Remembers what was found of a device.
    ///
    /// # Errors
    /// If the library cannot be written.
    pub fn put_verdict(&self, key: &str, verdict: &str) -> Result<()> {
        self.db.execute("INSERT OR REPLACE INTO devices VALUES (?, ?)", [key, verdict]).map_err(|e| self.fail(e))?;
        Ok(())
    }

    /// What is remembered of an untuned model's scores, by a hash of all that they depend on.
    ///
    /// # Errors
    /// If the library cannot be read.
    pub fn untuned(&self, key: &str) -> Result<Option<String>> {
        self.db.query_row("SELECT scores FROM untuned WHERE key = ?", [key], |r| r.get(0)).optional().map_err(|e| self.fail(e))
    }

    /// Remembers the scores of an untuned model.
    ///
    /// # Errors
    /// If the library cannot be written.
    pub fn put_untuned(&self, key: &str, scores: &str) -> Result<()> {
        self.db.execute("INSERT OR REPLACE INTO untuned VALUES (?, ?)", [key, scores]).map_err(|e| self.fail(e))?;
        Ok(())
    }

    /// SHA-256 of a file, or of all files of its table (see [`data::read::shards`]), computed only when one of these is new or has
    /// changed.
    ///
    /// # Errors
    /// If the file or the library cannot be read.
    pub fn sha256(&self, file: &Path) -> Result<String> {
        self.sha256_with(file, &mut |_, _| true)
    }

    /// As [`Library::sha256`]; `watch` is told of the bytes where it is computed.
    ///
    /// # Errors
    /// As [`Library::sha256`], or if it was ended; nothing is remembered of it then.
    pub fn sha256_with(&self, file: &Path, watch: Watch<'_>) -> Result<String> {
        let (mut bytes, mut modified) = (0i64, 0i64);
        for file in data::read::shards(file) {
            let meta = std::fs::metadata(&file).map_err(|e| Error::io(&file, e))?;
            let time = meta.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
            let time = time.map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX));
            bytes = bytes.saturating_add(i64::try_from(meta.len()).unwrap_or(i64::MAX));
            // of several any one counts; for one it is its own time
            modified = modified.wrapping_add(time);
        }
        let key = file.canonicalize().map_err(|e| Error::io(file, e))?.to_string_lossy().into_owned();
        let known = self
            .db
            .query_row("SELECT sha256 FROM hashes WHERE path = ? AND bytes = ? AND modified = ?", params![key, bytes, modified], |r| r.get(0))
            .optional()
            .map_err(|e| self.fail(e))?;
        if let Some(hash) = known {
            return Ok(hash);
        }
        let hash = data::set::sha256_with(file, watch)?;
        self.db.execute("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?)", params![key, bytes, modified, hash]).map_err(|e| self.fail(e))?;
        Ok(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_remembers_and_notices_changed_files() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let home = Home::open(Some(dir.path())).expect("home");
        let model = ModelRow { name: "m".into(), path: "/x/y".into(), source: "test".into(), license: "none".into(), bytes: 7 };
        let run = RunRow {
            path: "/r".into(),
            task: "intent".into(),
            method: "head".into(),
            status: "running".into(),
            accuracy: None,
            started: "2026-01-01T00:00:00Z".into(),
        };
        {
            let library = Library::open(&home).expect("new library");
            library.put_model(&model).expect("written");
            library.put_run(&run).expect("written");
            library.put_run(&RunRow { status: "completed".into(), accuracy: Some(0.5), ..run.clone() }).expect("replaced");
        }
        let library = Library::open(&home).expect("reopened");
        assert_eq!(library.models().expect("read"), [model]);
        let runs = library.runs().expect("read");
        assert_eq!((runs.len(), runs[0].status.as_str(), runs[0].accuracy), (1, "completed", Some(0.5)));
        let file = dir.path().join("f");
        std::fs::write(&file, "a").expect("written");
        let first = library.sha256(&file).expect("hashed");
        std::fs::write(&file, "bb").expect("written");
        assert_ne!(first, library.sha256(&file).expect("hashed again"));
    }

    #[test]
    fn a_hash_that_is_not_waited_for_is_not_remembered() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let library = Library::open(&Home::open(Some(dir.path())).expect("home")).expect("library");
        let (file, size) = (dir.path().join("large"), 3_u64 << 20);
        std::fs::write(&file, [7; 1 << 20].repeat(3)).expect("written");
        let mut told = Vec::new();
        let mut watch = |done: u64, of: Option<u64>| {
            told.push((done, of));
            told.len() < 2
        };
        assert!(library.sha256_with(&file, &mut watch).is_err_and(|e| matches!(e, Error::Data(data::Error::Ended))));
        assert_eq!(told, [1, 2].map(|mebibytes| (mebibytes << 20, Some(size))));
        // so it is computed when it is asked for again, and once it is known nobody is asked
        let hash = library.sha256(&file).expect("hashed");
        assert_eq!(hash, data::set::sha256(&file).expect("hashed"));
        assert_eq!(library.sha256_with(&file, &mut |_, _| false).expect("known"), hash);
    }

    #[test]
    fn a_newer_or_damaged_library_is_refused_and_kept() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let home = Home::open(Some(dir.path())).expect("home");
        std::fs::write(home.database(), "this is not a database, but it is long enough to look at").expect("written");
        assert!(Library::open(&home).is_err_and(|e| e.to_string().contains("move it away")));
        std::fs::remove_file(home.database()).expect("removed");
        drop(Library::open(&home).expect("new"));
        Connection::open(home.database()).and_then(|c| c.pragma_update(None, "user_version", 99)).expect("set");
        assert!(Library::open(&home).is_err_and(|e| e.to_string().contains("newer Lapidary")));
    }
}
