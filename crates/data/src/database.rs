//! The database that SQL questions are asked of: an SQLite file, or one in memory filled from a
//! schema and a seed script; from then on it is only read.
//!
//! Queries come from files and from a model, so they are not trusted: the connection is sealed (see [`guard`]), and what
//! has not finished in two seconds, or takes too much memory, is stopped.

use crate::describe::queries;
use crate::error::{Error, Result};
use crate::guard::{self, MEMORY, memory_used};
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use say::say;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What a query may take.
const TIME: Duration = Duration::from_secs(2);
/// What a query may find; more is cut off, with a mistake.
const ROWS: usize = 100_000;
/// Most bytes of text and blobs in a result.
const BYTES: usize = 64 << 20;
/// Steps of SQLite's machine between two looks at the clock and at the memory.
const STEPS: i32 = 500;

/// A database that can be asked.
pub struct Database {
    connection: Connection,
    /// Milliseconds since `began` at which the running query must end.
    deadline: Arc<AtomicU64>,
    /// SQLite's memory at which the running query must end.
    ceiling: Arc<AtomicI64>,
    began: Instant,
}

/// Why a query has no result.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// It is not SQL that SQLite understands, or names what the database does not have.
    Wrong(String),
    /// It would do more than read, or is more than one statement.
    Writes,
    /// It took longer than two seconds, found more than 100 000 rows or 64 MiB, or took more than 256 MiB of memory.
    Endless,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wrong(what) => f.write_str(what),
            Self::Writes => f.write_str(&say!("it is not a single query that only reads", "non è una sola query che legge e basta")),
            Self::Endless => {
                f.write_str(&say!("it does not end within two seconds, 100 000 rows and 64 MiB", "non finisce entro due secondi, 100 000 righe e 64 MiB"))
            }
        }
    }
}

/// What a query found.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Values, row by row.
    pub rows: Vec<Vec<Value>>,
}

/// Whether a file is an SQLite database, and no script.
pub fn is_database(file: &Path) -> bool {
    let mut magic = [0; 16];
    File::open(file).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && &magic == b"SQLite format 3\0"
}

impl Database {
    /// The database in files: the SQLite file, if one of them is that, and otherwise what they make and fill as scripts, in their order.
    ///
    /// # Errors
    /// As [`Self::open`] and [`Self::from_scripts`].
    pub fn of(files: &[&Path]) -> Result<Self> {
        // what is named as the database may be the script that fills it
        files.iter().find(|file| is_database(file)).map_or_else(|| Self::from_scripts(files), |file| Self::open(file))
    }

    /// A database made by scripts, run in order; without any it is empty.
    ///
    /// # Errors
    /// If a script cannot be read or run.
    pub fn from_scripts(scripts: &[&Path]) -> Result<Self> {
        let mut connection = Connection::open_in_memory().map_err(|e| Error::file("SQLite", say!("cannot be started: {e}", "non si avvia: {e}")))?;
        for path in scripts {
            guard::fill(&mut connection, path).map_err(|what| Error::file(path, what))?;
        }
        Self::read_only(connection, scripts.first().copied().unwrap_or(Path::new("SQLite")))
    }

    /// The database in an SQLite file, which is never written.
    ///
    /// # Errors
    /// If there is no such file or it is no database.
    pub fn open(path: &Path) -> Result<Self> {
        crate::read::size(path)?;
        let fail = |e: rusqlite::Error| {
            Error::file(
                path,
                say!(
                    "is no SQLite database that can be read: {e}; name the file that holds the tables",
                    "non è un database SQLite leggibile: {e}; indica il file che contiene le tabelle"
                ),
            )
        };
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(fail)?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(fail)?;
        Self::read_only(connection, path)
    }

    fn read_only(mut connection: Connection, path: &Path) -> Result<Self> {
        let fail = |e: rusqlite::Error| Error::file(path, say!("cannot be opened for reading: {e}", "non si apre in lettura: {e}"));
        let (deadline, ceiling, began) = (Arc::new(AtomicU64::new(u64::MAX)), Arc::new(AtomicI64::new(i64::MAX)), Instant::now());
        let (clock, most) = (deadline.clone(), ceiling.clone());
        let over = move || began.elapsed().as_millis() as u64 > clock.load(Ordering::Relaxed) || memory_used() > most.load(Ordering::Relaxed);
        connection.progress_handler(STEPS, Some(over)).map_err(fail)?;
        guard::seal(&mut connection).map_err(fail)?;
        Ok(Self { connection, deadline, ceiling, began })
    }

    /// Runs a query.
    ///
    /// # Errors
    /// With the reason, if it has no result.
    pub fn query(&self, sql: &str) -> std::result::Result<Table, Refusal> {
        let refuse = |e: rusqlite::Error| match e.sqlite_error_code() {
            Some(ErrorCode::AuthorizationForStatementDenied | ErrorCode::ReadOnly) => Refusal::Writes,
            Some(ErrorCode::OperationInterrupted) => Refusal::Endless,
            _ if matches!(e, rusqlite::Error::MultipleStatement) => Refusal::Writes,
            _ => Refusal::Wrong(e.to_string()),
        };
        if sql.contains('\0') {
            // SQLite would read up to there and pass over the rest
            return Err(Refusal::Wrong(say!("it holds a NUL character", "contiene un carattere NUL")));
        }
        let sql = sql.trim().trim_end_matches(';');
        let end = self.began.elapsed() + TIME;
        self.deadline.store(end.as_millis() as u64, Ordering::Relaxed);
        self.ceiling.store(memory_used() + MEMORY, Ordering::Relaxed);
        let mut statement = self.connection.prepare(sql).map_err(refuse)?;
        if !statement.readonly() || statement.column_count() == 0 {
            return Err(Refusal::Writes);
        }
        let columns: Vec<String> = statement.column_names().map(String::from).collect();
        let (mut rows, mut bytes) = (Vec::new(), 0);
        let mut found = statement.raw_query();
        while let Some(row) = found.next().map_err(refuse)? {
            let values = (0..columns.len()).map(|i| row.get(i)).collect::<rusqlite::Result<Vec<Value>>>().map_err(refuse)?;
            let size = |v: &Value| match v {
                Value::Text(text) => text.len(),
                Value::Blob(blob) => blob.len(),
                _ => 0,
            };
            bytes += values.iter().map(size).sum::<usize>();
            if rows.len() == ROWS || bytes > BYTES {
                return Err(Refusal::Endless);
            }
            rows.push(values);
        }
        Ok(Table { columns, rows })
    }

    /// Whether a text is a single query in well-formed SQLite, whatever tables it names.
    ///
    /// # Errors
    /// With SQLite's words on what is wrong, or if it would do more than read.
    pub fn grammar(&self, sql: &str) -> std::result::Result<(), Refusal> {
        let broken = match self.connection.prepare(sql.trim().trim_end_matches(';')) {
            Err(rusqlite::Error::MultipleStatement) => return Err(Refusal::Writes),
            Err(e) => Some(e.to_string()).filter(|what| ["syntax error", "incomplete input", "unrecognized token"].iter().any(|m| what.contains(m))),
            Ok(_) => None,
        };
        match broken {
            Some(what) => Err(Refusal::Wrong(what)),
            // what SQLite says of a table that is not there is the same for a query and for what writes
            None if queries::reads(sql) => Ok(()),
            None => Err(Refusal::Writes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> Database {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("schema.sql");
        std::fs::write(&path, "CREATE TABLE t (a INTEGER, b TEXT);\nINSERT INTO t VALUES (1, 'x'), (2, NULL);").expect("writable");
        Database::from_scripts(&[&path]).expect("a sound script")
    }

    #[test]
    fn queries_read() {
        let table = database().query("SELECT a, b FROM t ORDER BY a DESC;").expect("a sound query");
        assert_eq!(table.columns, ["a", "b"]);
        assert_eq!(table.rows, [[Value::Integer(2), Value::Null], [Value::Integer(1), Value::Text("x".into())]]);
    }

    #[test]
    fn nothing_else_is_allowed() {
        let d = database();
        let dir = tempfile::tempdir().expect("a temporary folder");
        let attach = format!("ATTACH '{}' AS x", dir.path().join("x.db").display());
        for sql in ["DELETE FROM t", "DROP TABLE t", "PRAGMA writable_schema = 1", attach.as_str(), "SELECT 1; SELECT 2", "CREATE TABLE u (a)"] {
            assert_eq!(d.query(sql), Err(Refusal::Writes), "{sql}");
        }
        assert!(!dir.path().join("x.db").exists());
        for sql in ["SELECT zeroblob(1000000000)", "SELECT printf('%1000000000d', 1)", "SELECT 1 -- \0\n; DROP TABLE t"] {
            assert!(matches!(d.query(sql), Err(Refusal::Wrong(_))), "{sql}: {:?}", d.query(sql));
        }
        let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)";
        assert_eq!(d.query(&format!("{many} SELECT printf('%200000d', i) FROM n")), Err(Refusal::Endless), "a small query with a large result");
        assert!(matches!(d.query(" ;"), Err(Refusal::Wrong(w)) if w.contains("empty")));
        assert!(matches!(d.query("SELECT zzz FROM t"), Err(Refusal::Wrong(w)) if w.contains("zzz")));
        assert_eq!(d.query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"), Err(Refusal::Endless));
        assert_eq!(d.query("SELECT count(*) FROM t").map(|t| t.rows.len()), Ok(1), "a stopped query leaves the next one alone");
    }

    #[test]
    fn grammar_does_not_ask_for_tables() {
        let d = Database::from_scripts(&[]).expect("SQLite");
        assert_eq!(d.grammar("SELECT a FROM nowhere WHERE b = 'x'"), Ok(()));
        for sql in ["SELEC a FROM t", "SELECT a FROM", "SELECT (a FROM t", "SELECT 'a"] {
            assert!(matches!(d.grammar(sql), Err(Refusal::Wrong(_))), "{sql}");
        }
        for sql in ["DELETE FROM t", "DROP TABLE t", "INSERT INTO t VALUES (1)", "CREATE TABLE t (a)", "PRAGMA user_version", "SELECT a FROM t; DROP TABLE t"] {
            assert_eq!(d.grammar(sql), Err(Refusal::Writes), "{sql}");
        }
    }

    #[test]
    fn a_bad_script_is_named_with_its_line() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("schema.sql");
        std::fs::write(&path, "CREATE TABLE t (a);\n\nCREATE TABEL u (a);").expect("writable");
        let e = Database::from_scripts(&[&path]).err().expect("refused").to_string();
        assert!(e.contains("schema.sql: the statement at line 3 fails: ") && e.contains("TABEL"), "{e}");
    }
}
