//! What was found out about kernels, kept between starts.
//!
//! For a product or a sum the graphics backend has several kernels, and which is the fastest it measures when it first
//! meets a shape: seconds on a graphics device, minutes on a software adapter. It keeps what came of it in a database,
//! by default in a folder `target`. Here the folder is the caller's ([`keep`]), and the file in it is named after all
//! adapters, their drivers and this version ([`choose`]), because the backend itself tells adapters apart by their
//! numbers only. The database is a cache: one that cannot be read to its end is put aside and begun anew, and where
//! none can be opened everything is measured again in each process.
//!
//! What kernels are compiled to is not in it. The backend keeps that for SPIR-V of its own making, which is not built
//! in; of WGSL only drivers keep it, in places of their own.

use crate::device::Info;
use cubecl_environment::environment;
use cubecl_environment::persistence::{Access, CacheConfig, Database};
use cubecl_environment::records::RecordLevel;
use cubecl_runtime::config::{CubeClRuntimeConfig, RuntimeConfig};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Result;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The folder of the database, once it was said.
static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Held while this process has the database open, so that no other puts it aside; the system lets go of it at the end.
static HELD: OnceLock<File> = OnceLock::new();

/// Says in which folder the database is; what is said first holds.
pub(crate) fn keep(folder: &Path) {
    let folder = FOLDER.get_or_init(|| folder.into());
    let mut config = CubeClRuntimeConfig::default().override_from_env();
    config.environment.path = CacheConfig::Directory(folder.clone());
    // how each outcome came about is more than the outcomes, and never read
    config.environment.records.level = RecordLevel::Off;
    // it fails where somebody else has set it; of that only the place matters, which is said again below
    CubeClRuntimeConfig::try_set(config);
}

/// Makes the database of these adapters the one that is read and added to, before one of them computes. Where nobody
/// has said a folder it is a temporary one.
pub(crate) fn choose<'a>(adapters: impl Iterator<Item = &'a Info>) {
    let folder = FOLDER.get_or_init(|| std::env::temp_dir().join("lapidary-kernels"));
    keep(folder);
    let name = name(adapters);
    if environment::root() == *folder && *environment::active() == *name {
        return;
    }
    // without a folder that can be written to, outcomes last as long as this process, which is as well
    let _ = claim(folder, &name);
    environment::set_root(folder.clone());
    environment::activate(&name);
}

/// What tells these adapters, their drivers and this version from others.
fn name<'a>(adapters: impl Iterator<Item = &'a Info>) -> String {
    let keys: Vec<String> = adapters.map(Info::key).collect();
    let hash = Sha256::digest(format!("{}\n{}", env!("CARGO_PKG_VERSION"), keys.join("\n")));
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Makes the folder, mends the database in it unless another process has one open there, and holds the folder.
fn claim(folder: &Path, name: &str) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let lock = File::options().create(true).truncate(false).write(true).open(folder.join("lock"))?;
    if lock.try_lock().is_ok() {
        let mended = mend(folder, name);
        lock.unlock()?;
        mended?;
    }
    lock.lock_shared()?;
    // where one is held already, that one serves
    let _ = HELD.set(lock);
    Ok(())
}

/// Puts a database aside that is there and cannot be read to its end. It is renamed, not removed: a new file could get
/// its number on the disk, under which the engine may still wait for the one that it gave up on.
fn mend(folder: &Path, name: &str) -> Result<()> {
    let file = folder.join(environment::file_name(name));
    if !file.exists() || whole(&file) {
        return Ok(());
    }
    std::fs::rename(&file, file.with_extension("torn"))?;
    // its log and what coordinates processes lie beside it
    let beside = format!("{}-", environment::file_name(name));
    for entry in std::fs::read_dir(folder)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(&beside) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Whether a database opens and has every entry that it counts; one without entries is no loss.
fn whole(file: &Path) -> bool {
    let read = || {
        let Ok(database) = Database::open_at(file, Access::ReadWrite) else { return false };
        // the engine says of a page that it cannot read no more than that there is nothing
        let parts = database.summary();
        let complete = parts.iter().all(|part| {
            let mut entries = 0;
            database.scan(&part.namespace, &mut |_, _| entries += 1);
            entries == part.entries
        });
        complete && !parts.is_empty()
    };
    // an engine that panics over a page must not end this program
    catch_unwind(AssertUnwindSafe(read)).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;
    use cubecl_environment::persistence::{Insertion, Origin};

    /// Makes a database of some hundred pages that stands by itself, and gives its file.
    fn filled(folder: &Path, name: &str) -> PathBuf {
        let file = folder.join(environment::file_name(name));
        let database = Database::open_at(&file, Access::ReadWrite).expect("opens");
        for key in 0..400u32 {
            let stored = database.insert("autotune/x", &key.to_le_bytes(), &[7; 1000], Origin::Local);
            assert_eq!(stored, Insertion::Stored);
        }
        database.into_standalone().expect("closed");
        file
    }

    #[test]
    fn a_database_that_cannot_be_read_to_its_end_is_put_aside() {
        let dir = tempfile::tempdir().expect("a folder");
        let torn = |name: &str| dir.path().join(format!("{name}.torn"));
        claim(dir.path(), "none").expect("nothing to mend");
        let file = filled(dir.path(), "sound");
        mend(dir.path(), "sound").expect("read");
        assert!(file.exists() && !torn("sound").exists());
        let file = filled(dir.path(), "cut");
        let bytes = std::fs::read(&file).expect("bytes");
        std::fs::write(&file, &bytes[..bytes.len() / 2]).expect("cut off");
        mend(dir.path(), "cut").expect("put aside");
        assert!(!file.exists() && torn("cut").exists());
        let file = dir.path().join(environment::file_name("nonsense"));
        std::fs::write(&file, "this is no database ".repeat(500)).expect("written");
        mend(dir.path(), "nonsense").expect("put aside");
        assert!(!file.exists() && torn("nonsense").exists());
        // and in its place a new one serves
        filled(dir.path(), "nonsense");
        assert!(whole(&file));
    }

    #[test]
    fn another_driver_or_another_adapter_has_a_database_of_its_own() {
        let adapter = |driver: &str| Info { id: "gpu:0".into(), driver: driver.into(), ..device::list().remove(0) };
        let (old, new) = (adapter("1.0"), adapter("1.1"));
        let names = [name([&old].into_iter()), name([&new].into_iter()), name([&old, &new].into_iter())];
        assert_eq!(names[0], name([&old].into_iter()));
        assert!(names[0] != names[1] && names[0] != names[2] && names[1] != names[2], "{names:?}");
        assert!(names.iter().all(|n| environment::file_name(n) == format!("{n}.db")), "{names:?}");
    }
}
