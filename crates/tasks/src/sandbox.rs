//! A place where a query of unknown origin can run and do no harm.
//!
//! The data is copied into memory and sealed (see [`data::guard`]); a handler that SQLite calls every few
//! hundred instructions stops a query after [`TIME`], or when it has taken too much memory; and only
//! so many rows are fetched. The copy is thrown away with the sandbox, so nothing gets out.

use data::database::is_database;
use data::guard::{self, MEMORY, memory_used};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rusqlite::config::DbConfig;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use say::say;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use ts_rs::TS;

/// Longest time a query may take.
pub const TIME: Duration = Duration::from_secs(2);
/// Most rows of a result.
pub const ROWS: usize = 10_000;
/// Most bytes of text and blobs in a result.
const BYTES: usize = 16 << 20;
/// Largest database file that is copied into memory, in bytes.
const FILE: u64 = 1 << 30;
/// Most rows of a table that a changed copy changes.
const CHANGED: usize = 20_000;

/// What can be wrong with the database of a data set.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {what}")]
pub struct Error {
    /// The schema, script or database.
    pub path: PathBuf,
    /// What is wrong and what to do.
    pub what: String,
}

impl Error {
    fn new(path: &Path, what: impl Into<String>) -> Self {
        Self { path: path.into(), what: what.into() }
    }
}

/// A table as queries see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<Column>,
}

/// A column as queries see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its declared type; may be empty.
    pub kind: String,
    /// Part of the primary key?
    pub primary: bool,
    /// Table and column that it refers to; the column is empty where it is the other's primary key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refers: Option<(String, String)>,
}

/// The result of a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// Number of columns.
    pub columns: usize,
    /// Rows in the order in which they came.
    pub rows: Vec<Vec<Value>>,
}

/// A database in memory in which queries may read and do nothing else.
pub struct Sandbox {
    db: Connection,
    tables: Vec<Table>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("tables", &self.tables).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Opens the database of a data set from its files, in order: scripts that make and fill tables, or
    /// one database file, beside which scripts say nothing new. The files are only read.
    ///
    /// # Errors
    /// If a file cannot be read, a script fails, takes too long or tries to reach out of its database,
    /// or there is no table.
    pub fn open(files: &[&Path]) -> Result<Self, Error> {
        let last = files.last().copied().unwrap_or(Path::new(say::pick("the data set", "l’insieme di dati")));
        let fail = |e: rusqlite::Error| Error::new(last, say!("a database in memory cannot be made ({e})", "non si può creare un database in memoria ({e})"));
        let mut db = Connection::open_in_memory().map_err(fail)?;
        match files.iter().find(|f| is_database(f)) {
            Some(file) => copy_file(file, &mut db)?,
            None => {
                for script in files {
                    guard::fill(&mut db, script).map_err(|what| Error::new(script, what))?;
                }
            }
        }
        let tables = tables(&db).map_err(|e| {
            Error::new(
                last,
                say!("its tables cannot be listed ({e}); is it an SQLite database?", "le sue tabelle non si possono elencare ({e}); è un database SQLite?"),
            )
        })?;
        if tables.is_empty() {
            return Err(Error::new(
                last,
                say!(
                    "makes no table; name the script of the tables with --schema, and the database or the script that fills it with --database",
                    "non crea tabelle; indica lo script delle tabelle con --schema, e il database o lo script che lo riempie con --database"
                ),
            ));
        }
        Self::seal(db, tables).map_err(fail)
    }

    /// Takes everything from the connection but reading.
    fn seal(mut db: Connection, tables: Vec<Table>) -> rusqlite::Result<Self> {
        guard::seal(&mut db)?;
        Ok(Self { db, tables })
    }

    /// The tables, in the order in which they were made.
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Does SQLite understand a query: is it whole, and are its names those of the tables? It does not run.
    pub fn understands(&self, query: &str) -> bool {
        !query.contains('\0') && self.db.prepare(query).is_ok_and(|s| s.readonly() && s.column_count() > 0)
    }

    /// Runs a query: does its result say something, that is hold a row, and not only NULL or 0?
    ///
    /// # Errors
    /// As [`Sandbox::run`].
    pub fn finds_something(&mut self, query: &str) -> Result<bool, String> {
        let nothing = |v: &Value| matches!(v, Value::Null | Value::Integer(0)) || matches!(v, Value::Real(r) if *r == 0.0);
        Ok(match self.run(query, false)?.rows.as_slice() {
            [] => false,
            [only] => !only.iter().all(nothing),
            _ => true,
        })
    }

    /// Runs a query. `backwards` makes SQLite walk tables from the end, which changes everything that
    /// the query leaves open: the order without an ORDER BY, and which of equal rows a LIMIT keeps.
    ///
    /// # Errors
    /// With a sentence that says why the query was refused or stopped.
    pub fn run(&mut self, query: &str, backwards: bool) -> Result<Rows, String> {
        if query.contains('\0') {
            // SQLite would read up to there and pass over the rest
            return Err("it holds a NUL character".into());
        }
        let started = Instant::now();
        let memory = memory_used();
        let over = move || started.elapsed() > TIME || memory_used() - memory > MEMORY;
        let said = |e: rusqlite::Error| explain(&e, started, memory);
        self.db.set_db_config(DbConfig::SQLITE_DBCONFIG_REVERSE_SCANORDER, backwards).map_err(said)?;
        self.db.progress_handler(500, Some(over)).map_err(said)?;
        let mut statement = self.db.prepare(query).map_err(said)?;
        if !statement.readonly() || statement.is_explain() != 0 || statement.column_count() == 0 {
            return Err("it is not a query that reads".into());
        }
        let columns = statement.column_count();
        let (mut rows, mut bytes) = (Vec::new(), 0);
        let mut cursor = statement.query([]).map_err(said)?;
        while let Some(row) = cursor.next().map_err(said)? {
            if rows.len() == ROWS {
                return Err(format!("its result has more than {ROWS} rows"));
            }
            let mut values = Vec::with_capacity(columns);
            for i in 0..columns {
                let value = row.get_ref(i).map_err(said)?;
                bytes += match value {
                    ValueRef::Text(b) | ValueRef::Blob(b) => b.len(),
                    _ => 8,
                };
                values.push(owned(value));
            }
            if bytes > BYTES {
                return Err(format!("its result is larger than {} MiB", BYTES >> 20));
            }
            rows.push(values);
        }
        Ok(Rows { columns, rows })
    }

    /// A copy with other rows: a fifth are gone, in each column a quarter of the others have another
    /// value of the column, and up to half of them one of `literals`, the values that queries compare
    /// the column of this name with. Primary keys stay as they are. The same seed makes the same
    /// copy; other seeds place other literals first.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn changed(&self, seed: u64, literals: &[(String, Value)]) -> Result<Self, Error> {
        let fail = |e: rusqlite::Error| {
            Error::new(Path::new(say::pick("the database", "il database")), say!("cannot be copied and changed ({e})", "non si può copiare e modificare ({e})"))
        };
        let mut db = Connection::open_in_memory().map_err(fail)?;
        copy(&self.db, &mut db).map_err(fail)?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).map_err(fail)?;
        db.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;").map_err(fail)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let all = db.transaction().map_err(fail)?;
        for table in &self.tables {
            // a table without row ids, or a virtual one, stays as it is
            let _ = change_table(&all, table, &mut rng, seed, literals);
        }
        all.commit().map_err(fail)?;
        Self::seal(db, self.tables.clone()).map_err(fail)
    }
}

/// Text that is not valid UTF-8 becomes text with replacement characters.
fn owned(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(i) => Value::Integer(i),
        ValueRef::Real(r) => Value::Real(r),
        ValueRef::Text(t) => Value::Text(String::from_utf8_lossy(t).into_owned()),
        ValueRef::Blob(b) => Value::Blob(b.to_vec()),
    }
}

fn explain(e: &rusqlite::Error, started: Instant, memory: i64) -> String {
    match e {
        rusqlite::Error::MultipleStatement => "it is more than one statement".into(),
        rusqlite::Error::SqliteFailure(code, _) if code.code == ErrorCode::OperationInterrupted => {
            if memory_used() - memory > MEMORY && started.elapsed() < TIME {
                format!("it was stopped when it had taken {} MiB", MEMORY >> 20)
            } else {
                format!("it was stopped after {} s", TIME.as_secs())
            }
        }
        rusqlite::Error::SqliteFailure(code, _) if code.code == ErrorCode::AuthorizationForStatementDenied => "it tries to do more than read the data".into(),
        rusqlite::Error::SqliteFailure(_, Some(what)) => what.clone(),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}

fn copy_file(file: &Path, into: &mut Connection) -> Result<(), Error> {
    let bytes = std::fs::metadata(file)
        .map_err(|e| Error::new(file, say!("{}; check that the file can be read", "{}; controlla che il file si possa leggere", say::system(&e))))?
        .len();
    if bytes > FILE {
        return Err(Error::new(
            file,
            say!(
                "is larger than {} MiB, and queries run on a copy in memory; give a smaller database",
                "supera {} MiB, e le query si eseguono su una copia in memoria; usa un database più piccolo",
                FILE >> 20
            ),
        ));
    }
    let fail = |e: rusqlite::Error| {
        Error::new(
            file,
            say!(
                "cannot be read as an SQLite database ({e}); is it damaged or in use?",
                "non si può leggere come database SQLite ({e}); è danneggiato o in uso?"
            ),
        )
    };
    let from = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(fail)?;
    copy(&from, into).map_err(fail)
}

fn copy(from: &Connection, into: &mut Connection) -> rusqlite::Result<()> {
    rusqlite::backup::Backup::new(from, into)?.run_to_completion(i32::MAX, Duration::ZERO, None)
}

/// Tables and views with their columns.
fn tables(db: &Connection) -> rusqlite::Result<Vec<Table>> {
    let mut names = db.prepare("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY rowid")?;
    let names: Vec<String> = names.query_map([], |r| r.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut out = Vec::new();
    for name in names {
        let mut columns = db.prepare("SELECT name, type, pk FROM pragma_table_info(?)")?;
        let mut columns: Vec<Column> = columns
            .query_map([&name], |r| Ok(Column { name: r.get(0)?, kind: r.get(1)?, primary: r.get::<_, i64>(2)? > 0, refers: None }))?
            .collect::<rusqlite::Result<_>>()?;
        let mut keys = db.prepare("SELECT \"from\", \"table\", coalesce(\"to\", '') FROM pragma_foreign_key_list(?)")?;
        let keys = keys.query_map([&name], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?, r.get::<_, String>(2)?)))?;
        for key in keys {
            let (from, table, to) = key?;
            columns.iter_mut().filter(|c| c.name.eq_ignore_ascii_case(&from)).for_each(|c| c.refers = Some((table.clone(), to.clone())));
        }
        out.push(Table { name, columns });
    }
    Ok(out)
}

/// A name between quotation marks.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn change_table(db: &Connection, table: &Table, rng: &mut ChaCha8Rng, seed: u64, literals: &[(String, Value)]) -> rusqlite::Result<()> {
    let name = quoted(&table.name);
    let mut rows: Vec<i64> = db.prepare(&format!("SELECT rowid FROM {name} LIMIT {CHANGED}"))?.query_map([], |r| r.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut delete = db.prepare(&format!("DELETE FROM {name} WHERE rowid = ?1"))?;
    for row in rows.extract_if(.., |_| rng.random_range(0..5) == 0) {
        delete.execute([row])?;
    }
    if rows.is_empty() {
        return Ok(());
    }
    for column in table.columns.iter().filter(|c| !c.primary) {
        let own: Vec<Value> = db
            .prepare(&format!("SELECT {} FROM {name} LIMIT {CHANGED}", quoted(&column.name)))?
            .query_map([], |r| r.get_ref(0).map(owned))?
            .collect::<rusqlite::Result<_>>()?;
        // a value that must be unique, or a generated one, stays
        let mut update = db.prepare(&format!("UPDATE OR IGNORE {name} SET {} = ?1 WHERE rowid = ?2", quoted(&column.name)))?;
        for &row in &rows {
            if rng.random_range(0..4) == 0 {
                update.execute((&own[rng.random_range(0..own.len())], row))?;
            }
        }
        let fitting: Vec<&Value> = literals.iter().filter(|(c, _)| c.eq_ignore_ascii_case(&column.name)).map(|(_, v)| v).collect();
        let places = rows.len().div_ceil(2).min(fitting.len());
        for i in 0..places {
            let literal = fitting[(usize::try_from(seed).unwrap_or(0) * places + i) % fitting.len()];
            update.execute((literal, rows[rng.random_range(0..rows.len())]))?;
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A small shop.
    pub(crate) const SCRIPT: &str = "
        CREATE TABLE clienti (id INTEGER PRIMARY KEY, nome TEXT NOT NULL, citta TEXT, nato INTEGER);
        CREATE TABLE ordini (id INTEGER PRIMARY KEY, cliente_id INTEGER REFERENCES clienti (id), importo REAL CHECK (importo > 0));
        INSERT INTO clienti VALUES (1, 'Anna', 'Roma', 1980), (2, 'Bruno', 'Milano', 1990), (3, 'Carla', 'Roma', 1990), (4, 'Dino', NULL, NULL);
        INSERT INTO ordini VALUES (1, 1, 10.5), (2, 1, 20), (3, 2, 5), (4, 3, 99.9), (5, 3, 1), (6, 2, 20);
    ";

    pub(crate) fn shop() -> (tempfile::TempDir, Sandbox) {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("shop.sql");
        std::fs::write(&file, SCRIPT).expect("written");
        let sandbox = Sandbox::open(&[&file]).expect("opens");
        (dir, sandbox)
    }

    fn count(s: &mut Sandbox, query: &str) -> Vec<Vec<Value>> {
        s.run(query, false).expect("runs").rows
    }

    #[test]
    fn queries_read_and_tables_are_known() {
        let (_dir, mut s) = shop();
        let rows = s.run("SELECT nome, sum(importo) FROM clienti c JOIN ordini o ON o.cliente_id = c.id GROUP BY c.id ORDER BY 2 DESC LIMIT 1;", false);
        assert_eq!(rows, Ok(Rows { columns: 2, rows: vec![vec![Value::Text("Carla".into()), Value::Real(100.9)]] }));
        for fine in [
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT count(*) FROM n",
            "SELECT strftime('%Y', '2024-03-01'), group_concat(nome), rank() OVER (ORDER BY nato) FROM clienti GROUP BY citta",
            "SELECT value FROM json_each('[1,2]')",
            "VALUES (1, 2)",
        ] {
            assert!(s.run(fine, false).is_ok(), "{fine}: {:?}", s.run(fine, false));
        }
        let names: Vec<&str> = s.tables().iter().map(|t| t.name.as_str()).collect();
        assert_eq!(names, ["clienti", "ordini"]);
        assert_eq!(s.tables()[1].columns[1].refers, Some(("clienti".into(), "id".into())));
        assert!(s.tables()[0].columns[0].primary && s.tables()[0].columns[1].kind == "TEXT");
    }

    /// Each must be refused or stopped, soon, and leave data and disk as they were.
    #[test]
    fn nothing_gets_out_and_everything_ends() {
        let (dir, mut s) = shop();
        let before = count(&mut s, "SELECT * FROM clienti, ordini");
        let files = || std::fs::read_dir(dir.path()).expect("readable").count();
        let there = files();
        let out = dir.path().join("out.db").display().to_string();
        let script = dir.path().join("shop.sql").display().to_string();
        let big = format!("SELECT {}", ["'x'"; 6000].join(" || "));
        let deep = format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000));
        let many = format!("SELECT 1 {}", "UNION ALL SELECT 1 ".repeat(1500));
        let join = format!("SELECT count(*) FROM {}", (0..60).map(|i| format!("ordini o{i}")).collect::<Vec<_>>().join(", "));
        let hostile = [
            format!("ATTACH DATABASE '{out}' AS o"),
            format!("VACUUM INTO '{out}'"),
            format!("VACUUM main INTO '{out}'"),
            "DETACH DATABASE main".into(),
            "PRAGMA writable_schema = ON".into(),
            "PRAGMA query_only = OFF".into(),
            "PRAGMA database_list".into(),
            "PRAGMA temp_store_directory = '/'".into(),
            "SELECT * FROM pragma_database_list".into(),
            "SELECT * FROM pragma_table_info('clienti')".into(),
            "SELECT * FROM dbstat".into(),
            "SELECT load_extension('libm.so')".into(),
            "SELECT load_extension('libm.so', 'main')".into(),
            "SELECT fts3_tokenizer('simple')".into(),
            format!("SELECT readfile('{script}')"),
            format!("SELECT writefile('{out}', 'x')"),
            "DELETE FROM clienti".into(),
            "DELETE FROM clienti RETURNING *".into(),
            "UPDATE clienti SET nome = 'x' RETURNING nome".into(),
            "INSERT INTO clienti VALUES (9, 'x', 'y', 1) RETURNING id".into(),
            "REPLACE INTO clienti SELECT * FROM clienti".into(),
            "WITH x AS (SELECT 1) DELETE FROM clienti".into(),
            "DROP TABLE clienti".into(),
            "ALTER TABLE clienti RENAME TO c".into(),
            "CREATE TABLE x AS SELECT 1".into(),
            "CREATE TEMP TABLE x AS SELECT 1".into(),
            "CREATE TEMP VIEW x AS SELECT 1".into(),
            "CREATE VIRTUAL TABLE x USING fts5(a)".into(),
            "CREATE TRIGGER t AFTER INSERT ON clienti BEGIN DELETE FROM ordini; END".into(),
            "REINDEX".into(),
            "ANALYZE".into(),
            "BEGIN".into(),
            "COMMIT".into(),
            "SAVEPOINT s".into(),
            "EXPLAIN SELECT 1".into(),
            "EXPLAIN QUERY PLAN SELECT 1".into(),
            "SELECT 1; DROP TABLE clienti".into(),
            "SELECT 1; SELECT 2".into(),
            "SELECT 1 -- \0\n; DROP TABLE clienti".into(),
            "SELECT zeroblob(1000000000)".into(),
            "SELECT randomblob(1000000000)".into(),
            "SELECT hex(randomblob(100000)) FROM clienti".into(),
            "SELECT printf('%.*c', 1000000000, 'x')".into(),
            "SELECT replace(printf('%.*c', 1000, 'x'), 'x', printf('%.*c', 100000, 'y'))".into(),
            "SELECT group_concat(printf('%.*c', 100000, 'x')) FROM clienti, ordini".into(),
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n".into(),
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT * FROM n".into(),
            "WITH RECURSIVE n(i) AS (SELECT 'x' UNION ALL SELECT i || i FROM n) SELECT max(i) FROM n".into(),
            "WITH RECURSIVE n(i, t) AS (SELECT 1, printf('%.*c', 200000, 'x') UNION ALL SELECT i + 1, t || '' FROM n) SELECT t FROM n ORDER BY i DESC".into(),
            "WITH RECURSIVE n(i, t) AS (SELECT 1, '' UNION SELECT i + 1, printf('%200000d', i) FROM n) SELECT count(*) FROM n".into(),
            "SELECT printf('%.*c', 200000, 'a') LIKE '%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%b' FROM clienti, ordini, ordini, ordini".into(),
            join,
            big,
            deep,
            many,
            "not sql at all".into(),
            "SELECT".into(),
            String::new(),
            ";;;".into(),
            "-- only a comment".into(),
            "SELECT \u{202e}\u{0}\u{ffff}".into(),
            "SELECT * FROM nowhere".into(),
            "SELECT ?".into(),
        ];
        for query in &hostile {
            let started = Instant::now();
            let result = s.run(query, false);
            let took = started.elapsed();
            let shown: String = query.chars().take(80).collect();
            // one that only costs time may also end by itself, with a result that is small
            assert!(result.is_err() || shown.contains("LIKE") || shown == "SELECT ?", "{shown}: {result:?}");
            assert!(took < TIME + Duration::from_secs(2), "{shown} took {took:?}");
        }
        assert_eq!(count(&mut s, "SELECT * FROM clienti, ordini"), before, "the data has changed");
        assert_eq!(files(), there, "a file was written");
        assert_eq!(std::fs::read_to_string(&script).expect("still there"), SCRIPT);
    }

    #[test]
    fn a_database_file_is_copied_and_left_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("shop.db");
        Connection::open(&file).and_then(|c| c.execute_batch(SCRIPT)).expect("made");
        let bytes = std::fs::read(&file).expect("readable");
        let mut s = Sandbox::open(&[&file]).expect("opens");
        assert_eq!(count(&mut s, "SELECT count(*) FROM ordini"), [[Value::Integer(6)]]);
        assert!(s.run("DELETE FROM ordini", false).is_err());
        drop(s);
        assert_eq!(std::fs::read(&file).expect("readable"), bytes);
        assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 1);
    }

    #[test]
    fn bad_files_are_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let refused = |name: &str, bytes: &[u8]| {
            let file = dir.path().join(name);
            std::fs::write(&file, bytes).expect("written");
            Sandbox::open(&[&file]).expect_err("must be refused").to_string()
        };
        let message = refused("a.sql", b"CREATE TABLE t (a);\nINSERT INTO u VALUES (1);");
        assert!(message.contains("a.sql: the statement at line 2 fails: no such table: u"), "{message}");
        assert!(refused("b.sql", b"").contains("makes no table"));
        assert!(refused("c.sql", b"\xff\xfe").contains("UTF-8"));
        let attach = format!("CREATE TABLE t (a); ATTACH '{}' AS x;", dir.path().join("x.db").display());
        assert!(refused("d.sql", attach.as_bytes()).contains("not authorized"));
        assert!(!dir.path().join("x.db").exists());
        let cut = dir.path().join("cut.db");
        std::fs::write(&cut, [b"SQLite format 3\0".as_slice(), &[7; 200]].concat()).expect("written");
        assert!(Sandbox::open(&[&cut]).expect_err("damaged").to_string().contains("cut.db"));
        assert!(Sandbox::open(&[Path::new("nowhere.db")]).expect_err("missing").to_string().contains("nowhere.db"));
    }

    #[test]
    fn a_changed_copy_repeats_and_differs() {
        let (_dir, mut s) = shop();
        let literals = [("nato".to_string(), Value::Integer(1985)), ("CITTA".to_string(), Value::Text("Bari".into()))];
        let all = "SELECT * FROM clienti LEFT JOIN ordini ON cliente_id = clienti.id ORDER BY 1, 5";
        let original = count(&mut s, all);
        let mut differ = 0;
        for seed in 0..4 {
            let (mut a, mut b) = (s.changed(seed, &literals).expect("changed"), s.changed(seed, &literals).expect("changed"));
            assert_eq!(count(&mut a, all), count(&mut b, all));
            differ += usize::from(count(&mut a, all) != original);
            assert_eq!(count(&mut a, "SELECT count(DISTINCT citta) FROM clienti WHERE citta = 'Bari'"), [[Value::Integer(1)]]);
            assert!(a.run("DELETE FROM clienti", false).is_err());
        }
        assert!(differ >= 3, "{differ}");
        assert_eq!(count(&mut s, all), original);
    }
}
