//! A run as one file, `NAME.lapidary`: a ZIP with all that opens, verifies, scores again and repeats the run
//! elsewhere, short of the base model's weights (whose hashes are in `run.toml`).
//!
//! `manifest.json` stands first and lists every file with its size and SHA-256. [`import`] believes nothing
//! else: a name that is not listed, that leaves the folder or comes twice, a size or a hash that differs, or
//! more bytes than listed, and nothing is left behind. The hashes find damage, not forgery: nobody signs them.

use crate::record::{self, DATA, Error, Run, RunFile};
use data::read;
use data::set::CARD;
use data::write::NewCard;
use say::say;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// What `manifest.json` says it is.
const FORMAT: &str = "lapidary-run";
/// The version of the layout that is written, and the newest that is read.
const VERSION: u32 = 1;
/// Bytes of a manifest.
const MANIFEST_BYTES: u64 = 1 << 20;
/// Files of a run.
const FILES: usize = 1000;
/// Bytes of a run, unpacked: more than the weights of a 4B model with its data need, less than fills a disk.
const BYTES: u64 = 32 << 30;
/// The files at the top of a run folder.
const TOP: [&str; 5] = ["run.toml", "result.json", "events.jsonl", "predictions.jsonl", record::CALIBRATION];

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Path inside the run folder, parts separated by `/`.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

#[derive(Serialize, Deserialize)]
struct Manifest {
    format: String,
    version: u32,
    files: Vec<Entry>,
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> Error + '_ {
    |source| Error::Io { path: path.into(), source }
}

fn bad(path: &Path, what: impl Into<String>) -> Error {
    Error::Format { path: path.into(), what: what.into() }
}

/// Is told of all bytes that were read so far, and of how many there are; `false` ends the work.
type Watch<'a> = &'a mut dyn FnMut(u64, Option<u64>) -> bool;

/// A part of the work is told as part of the whole.
struct Told<'a> {
    done: u64,
    total: u64,
    watch: Watch<'a>,
}

impl Told<'_> {
    fn read(&mut self, bytes: usize) -> std::io::Result<()> {
        self.done += bytes as u64;
        if (self.watch)(self.done, Some(self.total)) { Ok(()) } else { Err(ErrorKind::Interrupted.into()) }
    }
}

/// SHA-256 and size of what is read, which is passed on to `out`; at most `limit` bytes of it.
fn copy(from: &mut impl Read, out: &mut impl Write, limit: u64, told: &mut Told<'_>) -> std::io::Result<(String, u64)> {
    let mut hash = Sha256::new();
    let mut size = 0u64;
    let mut buffer = vec![0; 1 << 16];
    let mut from = from.take(limit);
    loop {
        let n = from.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        hash.update(&buffer[..n]);
        out.write_all(&buffer[..n])?;
        size += n as u64;
        told.read(n)?;
    }
    Ok((data::set::hexadecimal(hash), size))
}

/// Packs a run folder into `archive`; what went in.
///
/// Beside the run's own files go its data files, as `data/train.jsonl` and so on, where they are still those
/// that the run was trained on, with a card that makes a data set of them; `without_data` leaves them out. `watch` is told of
/// the bytes that were read so far, and of how many there are: each is read twice. `false` ends it.
///
/// # Errors
/// If the folder is no complete run, `archive` exists, the disk refuses, or it was ended.
pub fn export(folder: &Path, archive: &Path, without_data: bool, watch: Watch<'_>) -> Result<Vec<Entry>, Error> {
    let run = Run::open(folder)?;
    if archive.exists() {
        return Err(bad(archive, say!("exists already; choose another name", "esiste già; scegli un altro nome")));
    }
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    let mut card = None;
    files.extend(TOP.iter().map(|name| ((*name).to_string(), folder.join(name))).filter(|(_, path)| path.exists()));
    for part in [record::ADAPTER, record::WEIGHTS] {
        let own = folder.join(part);
        for entry in own.is_dir().then(|| std::fs::read_dir(&own).map_err(io(&own))).transpose()?.into_iter().flatten() {
            let path = entry.map_err(io(&own))?.path();
            if let (true, Some(name)) = (path.is_file(), path.file_name().and_then(|n| n.to_str())) {
                files.push((format!("{part}/{name}"), path.clone()));
            }
        }
    }
    files.sort();
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |m| m.len());
    let own: u64 = files.iter().map(|(_, path)| size(path)).sum();
    let others = run.run.data.files.values().filter(|_| !without_data).flat_map(|file| read::shards(Path::new(&file.path)));
    let others: u64 = others.map(|path| size(&path)).sum();
    let told = &mut Told { done: 0, total: 2 * (own + others), watch };
    let mut entries = Vec::new();
    for (name, path) in &files {
        let (sha256, bytes) = copy(&mut File::open(path).map_err(io(path))?, &mut std::io::sink(), u64::MAX, told).map_err(io(path))?;
        entries.push(Entry { path: name.clone(), bytes, sha256 });
    }
    if !without_data {
        let found = data(&run.run, told)?;
        if !found.is_empty() {
            let roles: BTreeSet<&str> = found.iter().map(|(role, ..)| role.as_str()).collect();
            let text = self::card(&run.run, roles.into_iter()).map_err(|e| bad(archive, e.to_string()))?;
            let entry = Entry { path: format!("{DATA}/{CARD}"), bytes: text.len() as u64, sha256: data::set::sha256_of(text.as_bytes()) };
            card = Some((text, entry));
        }
        for (_, path, entry) in found {
            files.push((entry.path.clone(), path));
            entries.push(entry);
        }
    }
    entries.extend(card.iter().map(|(_, entry)| entry.clone()));
    let manifest = Manifest { format: FORMAT.into(), version: VERSION, files: entries.clone() };
    let manifest = serde_json::to_vec_pretty(&manifest).map_err(|e| bad(archive, e.to_string()))?;

    let mut temporary = archive.as_os_str().to_owned();
    temporary.push(".part");
    let temporary = PathBuf::from(temporary);
    let mut pack = || -> Result<(), Error> {
        let broken = |e: zip::result::ZipError| bad(archive, say!("cannot be written ({e})", "non si può scrivere ({e})"));
        let mut zip = ZipWriter::new(BufWriter::new(File::create(&temporary).map_err(io(&temporary))?));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).large_file(true);
        zip.start_file("manifest.json", options).map_err(broken)?;
        zip.write_all(&manifest).map_err(io(archive))?;
        for ((name, path), entry) in files.iter().zip(&entries) {
            zip.start_file(name.as_str(), options).map_err(broken)?;
            let (sha256, _) = copy(&mut File::open(path).map_err(io(path))?, &mut zip, u64::MAX, told).map_err(io(path))?;
            if sha256 != entry.sha256 {
                return Err(bad(
                    path,
                    say!(
                        "changed while it was packed; try again when the run is at rest",
                        "è cambiato mentre veniva impacchettato; riprova quando l’esecuzione è ferma"
                    ),
                ));
            }
        }
        if let Some((text, entry)) = &card {
            zip.start_file(entry.path.as_str(), options).map_err(broken)?;
            zip.write_all(text.as_bytes()).map_err(io(archive))?;
        }
        let file = zip.finish().map_err(broken)?.into_inner().map_err(|e| io(archive)(e.into_error()))?;
        file.sync_all().map_err(io(archive))?;
        std::fs::rename(&temporary, archive).map_err(io(archive))
    };
    pack().inspect_err(|_| {
        // the first error is the one to report
        let _ = std::fs::remove_file(&temporary);
    })?;
    Ok(entries)
}

/// Where a data file lies in a run that was unpacked, by the part it played and its name elsewhere; none if these make no path.
/// One file of a table in several (see [`read::shards`]) stays recognisable as that.
pub fn place(role: &str, path: &Path) -> Option<String> {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("txt");
    // a part's name comes from a file and becomes a path
    let plain = |s: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let part = read::part(path).map_or(String::new(), |(number, of)| format!("-{number:05}-of-{of:05}"));
    (plain(role) && plain(ending)).then(|| format!("{DATA}/{role}{part}.{ending}"))
}

/// The card of a run's data, which says of its files what the set's own card, or the command, said of them.
fn card<'a>(run: &RunFile, roles: impl Iterator<Item = &'a str>) -> Result<String, toml::ser::Error> {
    let columns = run.request.get("data").and_then(|asked| asked.get("columns")).and_then(toml::Value::as_table);
    let columns = columns.into_iter().flatten().filter_map(|(role, field)| Some((role.clone(), field.as_str()?.to_string())));
    let packed = format!("As it was when a run of Lapidary {} was trained on it, {}.", run.version, run.started);
    let mut card = NewCard {
        name: run.data.name.clone(),
        task: run.task.clone(),
        language: run.data.language.clone(),
        license: run.data.license.clone(),
        description: run.data.description.clone(),
        how_it_was_made: [run.data.how_it_was_made.trim(), &packed].into_iter().filter(|said| !said.is_empty()).collect::<Vec<_>>().join("\n"),
        columns: columns.collect(),
        reference: run.data.reference.clone(),
        ..NewCard::default()
    };
    for role in roles {
        let Some(name) = run.data.files.get(role).and_then(|file| place(role, Path::new(&file.path))) else { continue };
        let name = PathBuf::from(&name[DATA.len() + 1..]);
        match role {
            // of a custom task it is the JSON schema of the answers
            "schema" | "json_schema" => card.schema = Some(name),
            "seed" => card.seed = Some(name),
            "database" => card.database = Some(name),
            "train" | "validation" | "test" => {
                card.files.insert(role.into(), name);
            }
            // the changes to the data are none of its files
            _ => {}
        }
    }
    toml::to_string(&card)
}

/// Data files that are still those of the run: the part they played, place, entry. One that cannot be read is none of them, nor
/// is one of a table in several files where another of these has changed: the run knows the hash of all of them together.
fn data(run: &RunFile, told: &mut Told<'_>) -> Result<Vec<(String, PathBuf, Entry)>, Error> {
    let mut found = Vec::new();
    for (split, record) in &run.data.files {
        let mut whole = Sha256::new();
        let mut table = Vec::new();
        for path in read::shards(Path::new(&record.path)) {
            let read = File::open(&path).and_then(|mut file| copy(&mut file, &mut whole, u64::MAX, told));
            match read {
                Ok((sha256, bytes)) => table.extend(place(split, &path).map(|name| (split.clone(), path, Entry { path: name, bytes, sha256 }))),
                Err(e) if e.kind() == ErrorKind::Interrupted => return Err(io(&path)(e)),
                Err(_) => break,
            }
        }
        if data::set::hexadecimal(whole) == record.sha256 {
            found.extend(table);
        }
    }
    Ok(found)
}

/// Unpacks an archive into `folder`, which must not exist yet; what came out. `watch` is told of the bytes that were unpacked so
/// far, and of how many there are; `false` ends it.
///
/// # Errors
/// If the archive is damaged, is no run, or would write anywhere else, or if it was ended; `folder` does not exist then.
pub fn import(archive: &Path, folder: &Path, watch: Watch<'_>) -> Result<Vec<Entry>, Error> {
    if folder.exists() {
        return Err(bad(folder, say!("exists already; choose another folder", "esiste già; scegli un’altra cartella")));
    }
    let file = File::open(archive).map_err(io(archive))?;
    let damaged =
        |e: zip::result::ZipError| bad(archive, say!("is not a whole archive ({e}); get it again", "non è un archivio completo ({e}); procuratelo di nuovo"));
    let mut zip = ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    let manifest = manifest(archive, &mut zip)?;
    // the manifest has been held to a sum that fits
    let told = &mut Told { done: 0, total: manifest.files.iter().map(|f| f.bytes).sum(), watch };
    let mut listed: BTreeMap<&str, &Entry> = manifest.files.iter().map(|f| (f.path.as_str(), f)).collect();

    gemma::file::folder_atomically(
        folder,
        |path, e| io(path)(e),
        |temporary| {
            for i in 0..zip.len() {
                let mut entry = zip.by_index(i).map_err(damaged)?;
                let name = entry.name().map_err(damaged)?.to_string();
                if name == "manifest.json" || entry.is_dir() {
                    continue;
                }
                let Some(wanted) = listed.remove(name.as_str()) else {
                    return Err(bad(
                        archive,
                        say!(
                            "holds `{}`, which its manifest does not list, or holds it twice; get it again",
                            "contiene `{}`, che il suo elenco non nomina o che compare due volte; procuratelo di nuovo",
                            crate::text::clean(&name, 100)
                        ),
                    ));
                };
                let path = temporary.join(&wanted.path);
                if let Some(parent) = path.parent() {
                    std::fs::create_dir_all(parent).map_err(io(parent))?;
                }
                let mut out = File::create_new(&path).map_err(io(&path))?;
                // one byte more than listed is enough to know
                let (sha256, bytes) = copy(&mut entry, &mut out, wanted.bytes.saturating_add(1), told).map_err(io(archive))?;
                if bytes != wanted.bytes || sha256 != wanted.sha256 {
                    return Err(bad(
                        archive,
                        say!(
                            "`{}` is not what the manifest lists (size or SHA-256 differs); get it again",
                            "`{}` non è ciò che l’elenco indica (dimensione o SHA-256 diversi); procuratelo di nuovo",
                            wanted.path
                        ),
                    ));
                }
            }
            if let Some(missing) = listed.keys().next() {
                return Err(bad(archive, say!("lacks `{missing}`; get it again", "manca `{missing}`; procuratelo di nuovo")));
            }
            // what it is named for
            Run::open(temporary)
                .map_err(|e| bad(archive, say!("holds no run that this version reads ({e})", "non contiene un’esecuzione che questa versione legga ({e})")))?;
            Ok(())
        },
    )?;
    Ok(manifest.files)
}

/// The list of files, held to what any run needs.
fn manifest<R: Read + std::io::Seek>(archive: &Path, zip: &mut ZipArchive<R>) -> Result<Manifest, Error> {
    let mut text = Vec::new();
    let entry = zip
        .by_name("manifest.json")
        .map_err(|_| bad(archive, say!("is no run of Lapidary: it has no manifest.json", "non è un’esecuzione di Lapidary: non ha manifest.json")))?;
    entry.take(MANIFEST_BYTES + 1).read_to_end(&mut text).map_err(io(archive))?;
    if text.len() as u64 > MANIFEST_BYTES {
        return Err(bad(
            archive,
            say!(
                "its manifest is larger than {MANIFEST_BYTES} bytes; no run of Lapidary has such a one",
                "il suo elenco supera {MANIFEST_BYTES} byte; nessuna esecuzione di Lapidary ne ha uno così"
            ),
        ));
    }
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|e| bad(archive, say!("its manifest cannot be read ({e})", "il suo elenco non si può leggere ({e})")))?;
    if manifest.format != FORMAT || manifest.version > VERSION {
        let what = say!(
            "is a `{}` of version {}; this version reads {FORMAT} up to {VERSION}",
            "è un `{}` di versione {}; questa versione legge {FORMAT} fino alla {VERSION}",
            crate::text::clean(&manifest.format, 40),
            manifest.version
        );
        return Err(bad(archive, what));
    }
    let total = manifest.files.iter().try_fold(0u64, |sum, f| sum.checked_add(f.bytes));
    if manifest.files.len() > FILES || total.is_none_or(|t| t > BYTES) {
        return Err(bad(
            archive,
            say!(
                "would unpack more than {FILES} files or {} GiB; no run of Lapidary does",
                "estrarrebbe più di {FILES} file o {} GiB; nessuna esecuzione di Lapidary lo fa",
                BYTES >> 30
            ),
        ));
    }
    for f in &manifest.files {
        // names that mean the same on every system, and nothing but a place inside the folder
        let inside = Path::new(&f.path).components().all(|c| matches!(c, Component::Normal(_)));
        let plain = f.path.split('/').all(|part| !part.is_empty() && !part.ends_with(['.', ' '])) && !f.path.contains(['\\', ':', '\0']);
        if !inside || !plain || f.path == "manifest.json" {
            return Err(bad(
                archive,
                say!(
                    "`{}` is no place inside a run folder; the archive was not made by Lapidary",
                    "`{}` non è un posto dentro una cartella di esecuzione; l’archivio non è stato creato da Lapidary",
                    crate::text::clean(&f.path, 100)
                ),
            ));
        }
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(path: &Path, manifest: &str, files: &[(&str, &[u8])]) {
        let mut zip = ZipWriter::new(File::create(path).unwrap());
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        zip.start_file("manifest.json", options).unwrap();
        zip.write_all(manifest.as_bytes()).unwrap();
        for (name, bytes) in files {
            zip.start_file(*name, options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
    }

    fn hash(bytes: &[u8]) -> String {
        data::set::sha256_of(bytes)
    }

    #[test]
    fn hostile_archives_leave_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("x.lapidary");
        let entry = |path: &str, bytes: u64, sha: &str| serde_json::json!({"path": path, "bytes": bytes, "sha256": sha});
        let list = |files: Vec<serde_json::Value>| serde_json::json!({"format": FORMAT, "version": 1, "files": files}).to_string();
        let zeros = vec![0u8; 4 << 20];
        // manifest, files, what is said of them
        type Case<'a> = (String, Vec<(&'a str, &'a [u8])>, &'a str);
        let cases: Vec<Case> = vec![
            (list(vec![entry("../evil", 1, &hash(b"x"))]), vec![("../evil", b"x")], "no place inside"),
            (list(vec![entry("/etc/evil", 1, &hash(b"x"))]), vec![("/etc/evil", b"x")], "no place inside"),
            (list(vec![entry("a/../../evil", 1, &hash(b"x"))]), vec![], "no place inside"),
            (list(vec![entry("C:\\evil", 1, &hash(b"x"))]), vec![], "no place inside"),
            (list(vec![entry("run.toml ", 1, &hash(b"x"))]), vec![], "no place inside"),
            (list(vec![]), vec![("extra", b"x")], "does not list"),
            (list(vec![entry("a", 1, &hash(b"x"))]), vec![("a", b"y")], "SHA-256 differs"),
            // says one byte, holds four million
            (list(vec![entry("a", 1, &hash(b"\0"))]), vec![("a", &zeros)], "SHA-256 differs"),
            (list(vec![entry("a", u64::MAX, "")]), vec![], "would unpack more"),
            (list(vec![entry("a", u64::MAX, ""), entry("b", u64::MAX, "")]), vec![], "would unpack more"),
            (list((0..1001).map(|i| entry(&format!("f{i}"), 0, "")).collect()), vec![], "would unpack more"),
            (list(vec![entry("a", 1, &hash(b"x"))]), vec![], "lacks `a`"),
            (list(vec![]), vec![], "holds no run"),
            ("{}".into(), vec![], "cannot be read"),
            (serde_json::json!({"format": "other", "version": 1, "files": []}).to_string(), vec![], "is a `other`"),
            (serde_json::json!({"format": FORMAT, "version": 2, "files": []}).to_string(), vec![], "of version 2"),
            (" ".repeat(2 << 20), vec![], "its manifest is larger"),
        ];
        for (manifest, files, message) in cases {
            packed(&archive, &manifest, &files);
            let folder = dir.path().join("in").join("run");
            let error = import(&archive, &folder, &mut |_, _| true).unwrap_err().to_string();
            assert!(error.contains(message), "`{message}` is not in: {error}");
            assert!(!folder.exists() && !dir.path().join("evil").exists() && !dir.path().join("in/run.part").exists(), "{message}");
            let _ = std::fs::remove_dir_all(dir.path().join("in"));
        }
        std::fs::write(&archive, b"PK\x03\x04 no archive").unwrap();
        assert!(import(&archive, &dir.path().join("run"), &mut |_, _| true).unwrap_err().to_string().contains("is not a whole archive"));
    }

    #[test]
    fn unpacking_tells_how_far_it_is_and_leaves_nothing_where_it_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        let (archive, folder) = (dir.path().join("x.lapidary"), dir.path().join("run"));
        let large = vec![7u8; 3 << 20];
        let files = serde_json::json!([{"path": "a", "bytes": large.len(), "sha256": hash(&large)}]);
        packed(&archive, &serde_json::json!({"format": FORMAT, "version": 1, "files": files}).to_string(), &[("a", &large)]);
        let mut told = Vec::new();
        let ended = import(&archive, &folder, &mut |done, total| {
            told.push((done, total));
            done < 1 << 20
        });
        assert!(matches!(ended, Err(Error::Io { source, .. }) if source.kind() == ErrorKind::Interrupted));
        assert!(told.len() > 1 && told.iter().all(|(done, total)| *done < 2 << 20 && *total == Some(3 << 20)), "{told:?}");
        assert!(!folder.exists() && !dir.path().join("run.part").exists());
    }
}
