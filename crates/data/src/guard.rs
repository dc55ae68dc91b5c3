//! What SQL from elsewhere may do to the databases that are made for it.
//!
//! The scripts of a data set ([`fill`]) may fill their own database, and neither attach another file nor load code. Queries,
//! which come from files and from models ([`seal`]), may read and nothing else: an authoriser lets SQLite compile only
//! reads, and limits on text, depth and size keep a single instruction small. Time and memory are for the caller to
//! watch, with [`memory_used`].

use rusqlite::config::DbConfig;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Batch, Connection};
use say::say;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Longest time that a script may take.
const LOADING: Duration = Duration::from_secs(120);
/// Largest script, in bytes.
const SCRIPT: u64 = 256 << 20;
/// Most memory that a script may fill, in bytes; SQLite's own count.
const FILLED: i64 = 1 << 30;
/// Longest value that a script may write, in bytes.
const VALUE: i32 = 16 << 20;
/// Most memory that a query may add to what SQLite already uses, in bytes.
pub const MEMORY: i64 = 256 << 20;
/// Longest text or blob that a query may make, in bytes. A data set's own longer values are still read.
const TEXT: i32 = 1 << 18;

/// Bytes that SQLite has allocated in this process.
pub fn memory_used() -> i64 {
    // SAFETY: takes no argument, reads a counter under SQLite's own lock
    unsafe { rusqlite::ffi::sqlite3_memory_used() }
}

/// Runs a script that makes or fills tables.
///
/// # Errors
/// With a sentence, if it cannot be read, fails, takes too long or too much memory, or reaches out of its database.
pub fn fill(db: &mut Connection, script: &Path) -> Result<(), String> {
    within(FILLED, db, script)
}

/// As [`fill`], within so many bytes of memory.
fn within(filled: i64, db: &mut Connection, script: &Path) -> Result<(), String> {
    let unreadable = |e: std::io::Error| say!("{}; check that the file can be read", "{}; controlla che il file si possa leggere", say::system(&e));
    let meta = std::fs::metadata(script).map_err(unreadable)?;
    if !meta.is_file() || meta.len() > SCRIPT {
        return Err(say!(
            "is no script of at most {} MiB; give a file of SQL, or the database that it makes",
            "non è uno script di al massimo {} MiB; indica un file di SQL, oppure il database che ne risulta",
            SCRIPT >> 20
        ));
    }
    let text = String::from_utf8(std::fs::read(script).map_err(unreadable)?)
        .map_err(|_| say!("is neither an SQLite database nor an SQL script in UTF-8", "non è né un database SQLite né uno script SQL in UTF-8"))?;
    let (started, memory) = (Instant::now(), memory_used());
    // what it took is given back as soon as it is stopped
    let full = Arc::new(AtomicBool::new(false));
    let seen = full.clone();
    let over = move || {
        let full = memory_used() - memory > filled;
        seen.fetch_or(full, Ordering::Relaxed);
        full || started.elapsed() > LOADING
    };
    let open = db.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE).and_then(|_| db.progress_handler(500, Some(over))).and_then(|()| db.authorizer(Some(fills)));
    let done = open.map_err(|e| e.to_string()).and_then(|()| run(db, text.trim_start_matches('\u{feff}'))).map_err(|what| {
        if full.load(Ordering::Relaxed) {
            say!("fills more than {} MiB and was stopped", "occupa più di {} MiB ed è stato fermato", filled >> 20)
        } else if started.elapsed() > LOADING {
            say!("took longer than {} s and was stopped", "ha impiegato più di {} s ed è stato fermato", LOADING.as_secs())
        } else {
            what
        }
    });
    let closed = db.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).and_then(|()| db.progress_handler(0, None::<fn() -> bool>));
    done.and(closed.map_err(|e| e.to_string()))
}

/// Carries out statement after statement, to say at which line one fails.
fn run(db: &Connection, text: &str) -> Result<(), String> {
    let mut statements = Batch::new(db, text);
    // where the statement begins that is prepared or carried out
    let mut at = 0;
    loop {
        let done = statements.next().and_then(|statement| {
            let Some(mut statement) = statement else { return Ok(None) };
            let own = statement.expanded_sql().unwrap_or_default();
            at += text[at..].find(&own).unwrap_or(0);
            let mut rows = statement.raw_query();
            while rows.next()?.is_some() {}
            Ok(Some(own.len()))
        });
        match done {
            Ok(None) => return Ok(()),
            Ok(Some(length)) => at += length,
            Err(e) => {
                at += text[at..].len() - text[at..].trim_start().len();
                let line = text[..at].bytes().filter(|b| *b == b'\n').count() + 1;
                let what = match e {
                    rusqlite::Error::SqlInputError { msg, .. } => msg,
                    rusqlite::Error::SqliteFailure(_, Some(msg)) => msg,
                    other => other.to_string(),
                };
                return Err(say!("the statement at line {line} fails: {what}; correct it", "l’istruzione alla riga {line} fallisce: {what}; correggila"));
            }
        }
    }
}

/// Takes everything from a connection but reading.
///
/// # Errors
/// If SQLite refuses a setting.
pub fn seal(db: &mut Connection) -> rusqlite::Result<()> {
    // a sorter must not spill into a file
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update(None, "query_only", true)?;
    for (option, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
    ] {
        db.set_db_config(option, on)?;
    }
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, TEXT),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 1 << 15),
        (Limit::SQLITE_LIMIT_COLUMN, 500),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
        (Limit::SQLITE_LIMIT_VDBE_OP, 100_000),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        // a pattern of many wildcards is slow, and is one instruction
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        db.set_limit(limit, value)?;
    }
    db.authorizer(Some(reads))
}

/// What a query may do: select, read the tables, call functions that neither load code nor make
/// bytes out of nothing, and recurse (which the clock ends).
fn reads(context: AuthContext<'_>) -> Authorization {
    let allowed = match context.action {
        AuthAction::Select | AuthAction::Recursive => true,
        AuthAction::Read { table_name, .. } => {
            let name = table_name.to_ascii_lowercase();
            !(name.starts_with("pragma_") || name == "dbstat" || (name.starts_with("sqlite_") && !matches!(name.as_str(), "sqlite_master" | "sqlite_schema")))
        }
        AuthAction::Function { function_name } => {
            let name = function_name.to_ascii_lowercase();
            !matches!(name.as_str(), "load_extension" | "randomblob" | "zeroblob" | "fts3_tokenizer" | "readfile" | "writefile" | "edit")
        }
        _ => false,
    };
    if allowed { Authorization::Allow } else { Authorization::Deny }
}

/// What the scripts of a data set may do: fill their own database.
fn fills(context: AuthContext<'_>) -> Authorization {
    let denied = match context.action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => true,
        AuthAction::Function { function_name } => function_name.eq_ignore_ascii_case("load_extension"),
        AuthAction::Pragma { pragma_name, .. } => {
            !["foreign_keys", "encoding", "user_version", "application_id", "defer_foreign_keys", "synchronous", "journal_mode"]
                .iter()
                .any(|known| pragma_name.eq_ignore_ascii_case(known))
        }
        _ => false,
    };
    if denied { Authorization::Deny } else { Authorization::Allow }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each script tries to reach a file, or to fill the machine; none may do either.
    #[test]
    fn a_script_fills_its_own_database_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a folder");
        let victim = dir.path().join("victim.db");
        Connection::open(&victim).and_then(|c| c.execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)")).expect("made");
        let (before, place) = (std::fs::read(&victim).expect("readable"), victim.display().to_string());
        let new = dir.path().join("new.db").display().to_string();
        let script = dir.path().join("seed.sql");
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, zeroblob(1000000) FROM n";
        for (sql, part) in [
            (format!("ATTACH '{place}' AS x; DROP TABLE x.t;"), "line 1 fails: not authorized"),
            (format!("CREATE TABLE a (b);\nATTACH '{new}' AS x;"), "line 2 fails: not authorized"),
            (format!("CREATE TABLE a (b);\nVACUUM INTO '{new}';"), "line 2 fails"),
            ("SELECT load_extension('x');".into(), "line 1 fails"),
            ("PRAGMA temp_store_directory = '/';".into(), "line 1 fails: not authorized"),
            ("CREATE TABLE a AS SELECT zeroblob(1000000000);".into(), "line 1 fails: string or blob too big"),
            (format!("CREATE TABLE a AS {endless};"), "fills more than 32 MiB and was stopped"),
        ] {
            std::fs::write(&script, &sql).expect("written");
            let mut db = Connection::open_in_memory().expect("SQLite");
            let why = within(32 << 20, &mut db, &script).expect_err("must be refused");
            assert!(why.contains(part), "{sql}: {why}");
        }
        assert_eq!(std::fs::read(&victim).expect("readable"), before);
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 2, "no file was made");
        let mut db = Connection::open_in_memory().expect("SQLite");
        assert!(fill(&mut db, dir.path()).is_err_and(|e| e.contains("is no script of at most 256 MiB")));
        std::fs::write(&script, "\u{feff}CREATE TABLE a (b); INSERT INTO a VALUES (1); SELECT * FROM a;").expect("written");
        fill(&mut db, &script).expect("a sound script");
        assert_eq!(db.query_row("SELECT count(*) FROM a", [], |r| r.get::<_, i64>(0)), Ok(1));
    }
}
