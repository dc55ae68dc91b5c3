//! A data set as a person names it: a folder with a card, a folder of files, or single files.

use crate::error::{Error, Fault, Result};
use crate::example::Example;
use crate::kind::Kind;
pub use crate::part::Split;
use crate::read::{self, Columns, Format};
use crate::watch::{Steps, Watch};
use say::{Language, say};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use ts_rs::TS;

/// `dataset.toml`: what a data set is and where its files are. Other keys are for people.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Card {
    /// Short name.
    #[serde(default)]
    pub name: String,
    /// Task it is made for.
    #[serde(default)]
    pub task: String,
    /// Language code.
    #[serde(default)]
    pub language: String,
    /// Licence, as an SPDX expression where there is one.
    #[serde(default)]
    pub license: String,
    /// What it holds.
    #[serde(default)]
    pub description: String,
    /// Where its examples come from.
    #[serde(default)]
    pub how_it_was_made: String,
    /// File of each part, relative to the card.
    #[serde(default)]
    pub files: BTreeMap<String, PathBuf>,
    /// Field of each role.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
    /// SQL that makes the tables which queries are about, or the JSON schema that custom completions must fit, relative to the card.
    pub schema: Option<PathBuf>,
    /// SQL that fills them.
    pub seed: Option<PathBuf>,
    /// An SQLite file with tables and rows, in place of the two scripts.
    pub database: Option<PathBuf>,
    /// What it says of its own size.
    #[serde(default)]
    pub counts: toml::Table,
    /// Figures that others published, to be quoted beside what is measured.
    #[serde(default)]
    pub reference: Vec<Reference>,
}

/// A figure that others published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Reference {
    /// What was measured: a model, a method.
    pub system: String,
    /// How, as this program names it where it has it: `accuracy`, `f1`; empty where that is not known.
    pub measure: String,
    /// A share between 0 and 1.
    pub value: f64,
    /// Where it was published, and on which examples.
    pub source: String,
    /// `system` and `source` in other languages than the card's own, by language code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub translations: BTreeMap<String, ReferenceWords>,
}

/// The words of a [`Reference`] in a language.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct ReferenceWords {
    /// As [`Reference::system`].
    pub system: String,
    /// As [`Reference::source`].
    pub source: String,
}

impl Reference {
    /// System and source in a language, or as the card has them first.
    pub fn said(&self, language: Language) -> (&str, &str) {
        let words = self.translations.get(language.code());
        words.map_or((&self.system, &self.source), |words| (&words.system, &words.source))
    }
}

/// What the user named.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Source {
    /// A folder with a card, or with files called `train`, `validation` and `test`.
    pub folder: Option<PathBuf>,
    /// Single files; each takes precedence over the folder's.
    pub train: Option<PathBuf>,
    /// As `train`.
    pub validation: Option<PathBuf>,
    /// As `train`.
    pub test: Option<PathBuf>,
    /// Roles mapped by the user; they take precedence over the card's.
    pub columns: Columns,
    /// What the examples are for; without it the card says.
    pub kind: Option<Kind>,
    /// SQL script that makes the tables which queries are about, or JSON schema of custom completions; takes precedence over the card's.
    pub schema: Option<PathBuf>,
    /// SQLite file that queries run on; takes precedence over the card's.
    pub database: Option<PathBuf>,
    /// Pass over rows that cannot be read, instead of refusing the file.
    pub skip_bad_rows: bool,
}

impl Source {
    /// The same with paths that do not depend on the current folder.
    ///
    /// # Errors
    /// If the current folder cannot be told.
    pub fn absolute(&self) -> std::io::Result<Self> {
        let absolute = |path: &Option<PathBuf>| path.as_deref().map(std::path::absolute).transpose();
        Ok(Self {
            folder: absolute(&self.folder)?,
            train: absolute(&self.train)?,
            validation: absolute(&self.validation)?,
            test: absolute(&self.test)?,
            columns: self.columns.clone(),
            kind: self.kind,
            schema: absolute(&self.schema)?,
            database: absolute(&self.database)?,
            skip_bad_rows: self.skip_bad_rows,
        })
    }
}

/// A file of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// Its path.
    pub path: PathBuf,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// Its examples.
    pub examples: Vec<Example>,
    /// What is wrong with the rows that were passed over.
    pub skipped: Skipped,
    /// The older encoding in which it was read, where that was a guess.
    pub guessed: Option<&'static str>,
}

/// Rows that were passed over because the user said so.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Skipped {
    /// How many.
    pub count: usize,
    /// What is wrong with the first of them, with file and line.
    pub first: Vec<String>,
    /// All of them, by what is the matter and the file that they are in.
    #[serde(skip)]
    pub by_fault: BTreeMap<(Fault, PathBuf), Faulty>,
}

/// Rows of a file that were passed over for one reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Faulty {
    /// What is wrong with the first of them, with file and line.
    pub first: String,
    /// Line of each, and column where the fault has one.
    pub places: Vec<(usize, Option<usize>)>,
}

/// How many rows that were passed over are listed.
const LISTED: usize = 100;

impl Skipped {
    fn add(&mut self, error: &Error) {
        self.count += 1;
        if self.first.len() < LISTED {
            self.first.push(error.to_string());
        }
        if let Error::Row { path, line, column, fault, .. } = error {
            let new = || Faulty { first: error.to_string(), places: Vec::new() };
            self.by_fault.entry((*fault, path.clone())).or_insert_with(new).places.push((*line, *column));
        }
    }
}

/// A data set read into memory.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSet {
    /// The card; without one, only the name is filled, from the path.
    pub card: Card,
    /// What the examples are for.
    pub kind: Kind,
    /// Which column was taken for what, as far as a person or the card said so.
    pub columns: Columns,
    /// SQL script that makes the tables which queries are about; of a custom task the JSON schema that its completions must fit.
    pub schema: Option<PathBuf>,
    /// SQL script that fills them.
    pub seed: Option<PathBuf>,
    /// SQLite file that queries run on.
    pub database: Option<PathBuf>,
    /// The parts that are there.
    pub splits: BTreeMap<Split, File>,
}

impl DataSet {
    /// Finds and reads the files of a data set.
    ///
    /// # Errors
    /// If a file is missing or malformed, or nothing was named.
    pub fn open(source: &Source) -> Result<Self> {
        Self::open_with(source, &mut |_, _, _| true)
    }

    /// As [`DataSet::open`]; `progress` is called now and then with the file that is being read, how much
    /// of it is done, and of how much (bytes; rows of a Parquet file); `false` ends it.
    ///
    /// # Errors
    /// As [`DataSet::open`], or if it was ended.
    pub fn open_with(source: &Source, progress: &mut dyn FnMut(&Path, u64, u64) -> bool) -> Result<Self> {
        let mut card = Card::default();
        let (mut schema, mut seed, mut database) = (None, None, None);
        if let Some(folder) = &source.folder {
            card = read_card(folder)?;
            let beside = |path: &Option<PathBuf>| path.as_deref().map(|p| inside(folder, p)).transpose();
            (schema, seed, database) = (beside(&card.schema)?, beside(&card.seed)?, beside(&card.database)?);
        }
        let paths = paths(source, &card)?;
        if card.name.is_empty() {
            let named = source.folder.as_ref().or(paths.values().next());
            // `.` has no name of its own
            let whole = named.and_then(|p| if p.file_stem().is_some() { Some(p.clone()) } else { p.canonicalize().ok() });
            card.name = whole.as_deref().and_then(Path::file_stem).map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        }
        let kind = match source.kind {
            Some(kind) => kind,
            None if card.task.is_empty() => return Err(no_kind(source)),
            None => card.task.parse::<Kind>().map_err(|e| Error::file(source.folder.clone().unwrap_or_default().join(CARD), e))?,
        };
        let columns = source.columns.or_card(&card.columns);
        let mut splits: BTreeMap<Split, File> = BTreeMap::new();
        for (named, path) in &paths {
            read::size(path)?;
            // before anything of it is read nothing is done
            let hash = sha256_with(path, &mut |_, whole| progress(path, 0, whole.unwrap_or(0)))?;
            let new = || File { path: path.clone(), sha256: hash.clone(), examples: Vec::new(), skipped: Skipped::default(), guessed: None };
            splits.insert(*named, new());
            let ended = Cell::new(false);
            let guess = read::each(path, kind, &columns, &mut |done, total| ended.set(!progress(path, done, total)), &mut |part, example| {
                // an error is the way to end the reading
                if ended.get() {
                    return Err(Error::io(path, ErrorKind::Interrupted.into()));
                }
                // a file that says which row belongs where is heeded, but for parts that have a file of their own
                let split = part.unwrap_or(*named);
                if split != *named && paths.contains_key(&split) {
                    return Ok(());
                }
                let file = splits.entry(split).or_insert_with(new);
                match example {
                    Ok(example) => file.examples.push(example),
                    Err(e) if source.skip_bad_rows => file.skipped.add(&e),
                    Err(e) => return Err(e),
                }
                Ok(())
            })?;
            splits.values_mut().filter(|file| file.path == *path).for_each(|file| file.guessed = guess);
        }
        splits.retain(|_, file| !file.examples.is_empty() || file.skipped.count > 0);
        // the card's rows belong to the card's tables
        if source.schema.is_some() || source.database.is_some() {
            seed = None;
        }
        Ok(Self { card, kind, columns, schema: source.schema.clone().or(schema), seed, database: source.database.clone().or(database), splits })
    }

    /// Examples of a part; none if the part is not there.
    pub fn examples(&self, split: Split) -> &[Example] {
        self.splits.get(&split).map_or(&[], |f| f.examples.as_slice())
    }

    /// Keeps only `count` of the training examples, see [`crate::divide::sample`].
    pub fn keep_training(&mut self, count: usize, seed: u64) {
        if let Some(file) = self.splits.get_mut(&Split::Train) {
            let kept = crate::divide::sample(&file.examples, count, seed);
            file.examples = kept.into_iter().map(|i| file.examples[i].clone()).collect();
        }
    }
}

/// Name of a card.
pub const CARD: &str = "dataset.toml";
/// Largest card, in bytes.
const CARD_BYTES: u64 = 1 << 20;

/// The file of each part that a source names, those of its folder included.
///
/// # Errors
/// If the folder's card is malformed, or names a file outside of it.
pub fn files(source: &Source) -> Result<BTreeMap<Split, PathBuf>> {
    let card = source.folder.as_deref().map(read_card).transpose()?;
    paths(source, &card.unwrap_or_default())
}

fn paths(source: &Source, card: &Card) -> Result<BTreeMap<Split, PathBuf>> {
    let named = Split::ALL.into_iter().zip([&source.train, &source.validation, &source.test]);
    let named: BTreeMap<Split, PathBuf> = named.filter_map(|(split, path)| Some((split, path.clone()?))).collect();
    let mut paths = source.folder.as_deref().map(|folder| find(folder, card, &named)).transpose()?.unwrap_or_default();
    paths.extend(named);
    Ok(paths)
}

fn no_kind(source: &Source) -> Error {
    let what = say!("says of no task what it is for; name one: {}", "non dice per quale compito è; indicane uno: {}", Kind::ALL.map(Kind::name).join(", "));
    let named = [&source.folder, &source.train, &source.validation, &source.test].into_iter().flatten().next();
    Error::file(named.cloned().unwrap_or_default(), what)
}

/// Reads `dataset.toml` of a folder; an empty card if there is none.
///
/// # Errors
/// If the folder is missing or the card is malformed.
pub fn read_card(folder: &Path) -> Result<Card> {
    let path = folder.join(CARD);
    if !path.exists() {
        // the folder's own absence is the better message
        std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
        return Ok(Card::default());
    }
    inside(folder, Path::new(CARD))?;
    if read::size(&path)? > CARD_BYTES {
        return Err(Error::file(&path, say!("is larger than 1 MiB, which no card is; shorten it", "supera 1 MiB, più di qualsiasi scheda; accorciala")));
    }
    let text = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
    let card: Card = toml::from_str(&text).map_err(|e| {
        let line = e.span().map_or(1, |s| text[..s.start.min(text.len())].matches('\n').count() + 1);
        Error::row(&path, line, say!("not a data set card: {}", "non è una scheda di un insieme di dati: {}", e.message()))
    })?;
    match card.reference.iter().find(|r| !(0.0..=1.0).contains(&r.value)) {
        Some(wrong) => Err(Error::file(
            path,
            say!(
                "the reference figure of `{}` is {}; write a share between 0 and 1",
                "la cifra di riferimento di `{}` è {}; scrivi una quota fra 0 e 1",
                wrong.system,
                wrong.value
            ),
        )),
        None => Ok(card),
    }
}

/// The file of each part: as the card says, else by the names of the files. Which of two files is a part that a person has
/// `named` a file for is no question any more.
fn find(folder: &Path, card: &Card, named: &BTreeMap<Split, PathBuf>) -> Result<BTreeMap<Split, PathBuf>> {
    let mut found = BTreeMap::new();
    for (name, path) in &card.files {
        let Some(split) = Split::ALL.into_iter().find(|s| s.name() == name) else {
            return Err(Error::file(
                folder.join(CARD),
                say!("names a part `{name}`; the parts are train, validation and test", "nomina una parte `{name}`; le parti sono train, validation e test"),
            ));
        };
        found.insert(split, inside(folder, path)?);
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
    let names = entries.map(|e| Ok(PathBuf::from(e?.file_name()))).collect::<std::io::Result<Vec<PathBuf>>>().map_err(|e| Error::io(folder, e))?;
    let stem = |path: &Path| path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    // of files of plain text, which may be about anything, only those that are called like a part
    let mut files: Vec<PathBuf> = names.into_iter().filter(|n| Format::of(n).is_ok() || (read::is_text(n) && Split::recognise(&stem(n)).is_some())).collect();
    files.sort();
    for split in Split::ALL.into_iter().filter(|split| !named.contains_key(split)) {
        let of: Vec<&PathBuf> = files.iter().filter(|f| Split::recognise(&stem(f)) == Some(split)).collect();
        let exact: Vec<&PathBuf> = of.iter().copied().filter(|f| stem(f) == split.name()).collect();
        let chosen = if exact.is_empty() { of } else { exact };
        match chosen.as_slice() {
            [] => {}
            [one, other, ..] if read::shards(&folder.join(one)).len() != chosen.len() => {
                let what = say!(
                    "has both {} and {} for {name}; name one with --{name}",
                    "ha sia {} sia {} per {name}; indicane uno con --{name}",
                    one.display(),
                    other.display(),
                    name = split.name()
                );
                return Err(Error::file(folder, what));
            }
            // what was written in several files is read from its first one on
            [one, ..] => {
                found.insert(split, inside(folder, one)?);
            }
        }
    }
    match (found.is_empty(), files.as_slice()) {
        (false, _) => Ok(found),
        _ if named.contains_key(&Split::Train) => Ok(found),
        // a single file may hold all parts
        (true, [only]) => Ok(BTreeMap::from([(Split::Train, inside(folder, only)?)])),
        (true, _) => {
            let endings = read::ENDINGS.map(|(e, _)| format!(".{e}")).join(", ");
            Err(Error::file(
                folder,
                say!(
                    "holds no dataset.toml and no file called train, validation or test ({endings})",
                    "non contiene dataset.toml né file di nome train, validation o test ({endings})"
                ),
            ))
        }
    }
}

/// A file of a folder, which is data from elsewhere: neither by its path nor by a symbolic link may it
/// reach outside.
fn inside(folder: &Path, path: &Path) -> Result<PathBuf> {
    if !path.components().all(|c| matches!(c, std::path::Component::Normal(_) | std::path::Component::CurDir)) {
        return Err(Error::file(
            folder,
            say!("its file {} lies outside of it; move the file into it", "il suo file {} sta fuori dalla cartella; spostalo al suo interno", path.display()),
        ));
    }
    let file = folder.join(path);
    let real = |p: &Path| p.canonicalize().map_err(|e| Error::io(p, e));
    if real(&file)?.starts_with(real(folder)?) {
        return Ok(file);
    }
    // to a person who sees it in the folder, a link is the file
    Err(Error::file(
        folder,
        say!(
            "its file {} lies outside of it, where a symbolic link leads; put the file itself into the folder",
            "il suo file {} sta fuori dalla cartella, dove porta un collegamento simbolico; metti nella cartella il file stesso",
            path.display()
        ),
    ))
}

/// SHA-256 of a file, hexadecimal; of a table in several files, that of all of them, see [`read::shards`].
///
/// # Errors
/// If the file cannot be read.
pub fn sha256(path: &Path) -> Result<String> {
    sha256_with(path, &mut |_, _| true)
}

/// Bytes that are hashed between two questions whether to go on.
const BEAT: usize = 1 << 20;

/// As [`sha256`]; `watch` is told of the bytes that were read.
///
/// # Errors
/// As [`sha256`], or if it was ended.
pub fn sha256_with(path: &Path, watch: Watch<'_>) -> Result<String> {
    let files = read::shards(path);
    let whole = files.iter().map(|file| std::fs::metadata(file).map_or(0, |meta| meta.len())).sum();
    let (mut hash, mut steps, mut untold) = (Sha256::new(), Steps::new(whole, watch), 0);
    let mut buffer = vec![0; BEAT];
    for path in files {
        let mut file = std::fs::File::open(&path).map_err(|e| Error::io(&path, e))?;
        loop {
            let n = file.read(&mut buffer).map_err(|e| Error::io(&path, e))?;
            if n == 0 {
                break;
            }
            hash.update(&buffer[..n]);
            untold += n;
            if untold >= BEAT {
                steps.after(std::mem::take(&mut untold) as u64)?;
            }
        }
    }
    Ok(hexadecimal(hash))
}

/// SHA-256 of bytes, hexadecimal.
pub fn sha256_of(bytes: &[u8]) -> String {
    hexadecimal(Sha256::new_with_prefix(bytes))
}

/// What was hashed, hexadecimal.
pub fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{create_dir, write};

    const ROWS: &str = "{\"text\":\"a\",\"label\":\"x\"}\n";

    fn open(folder: &Path) -> std::result::Result<DataSet, String> {
        let source = Source { folder: Some(folder.into()), kind: Some(Kind::Intent), ..Source::default() };
        DataSet::open(&source).map_err(|e| e.to_string())
    }

    fn sizes(set: &DataSet) -> [usize; 3] {
        Split::ALL.map(|s| set.examples(s).len())
    }

    #[test]
    fn a_part_that_was_written_in_several_files_is_one() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let row = |name: &str, text: &str| write(dir.path().join(name), ROWS.replace("\"a\"", &format!("\"{text}\""))).expect("writable");
        row("train-00000-of-00002-ab12.jsonl", "uno");
        row("train-00001-of-00002-cd34.jsonl", "due");
        row("test-00000-of-00001.jsonl", "tre");
        let set = open(dir.path()).expect("opens");
        assert_eq!(sizes(&set), [2, 0, 1]);
        let rows: Vec<String> = set.examples(Split::Train).iter().map(|e| format!("{} {}", e.text, e.origin)).collect();
        assert!(rows[0].starts_with("uno") && rows[1].starts_with("due") && rows[1].ends_with("train-00001-of-00002-cd34.jsonl:1"), "{rows:?}");
        // its hash tells when any of them changes
        row("train-00001-of-00002-cd34.jsonl", "altro");
        let changed = open(dir.path()).expect("opens");
        assert_ne!(changed.splits[&Split::Train].sha256, set.splits[&Split::Train].sha256);
        // named by its first file it is the same, and a part of a table that is not all here is none
        let named = Source { train: Some(dir.path().join("train-00000-of-00002-ab12.jsonl")), kind: Some(Kind::Intent), ..Source::default() };
        assert_eq!(DataSet::open(&named).expect("opens").examples(Split::Train), changed.examples(Split::Train));
        row("train-00001-of-00003.jsonl", "quattro");
        assert!(open(dir.path()).is_err_and(|e| e.contains("has both train-00000-of-00002-ab12.jsonl and train-00001-of-00002-cd34.jsonl")));
    }

    #[test]
    fn a_folder_is_read_by_the_names_of_its_files() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for name in ["it_x-ud-train.jsonl", "dev.jsonl", "notes.txt"] {
            write(dir.path().join(name), ROWS).expect("writable");
        }
        assert_eq!(sizes(&open(dir.path()).expect("opens")), [1, 1, 0]);
        write(dir.path().join("validation-old.jsonl"), ROWS).expect("writable");
        let both = open(dir.path()).expect_err("two files for one part");
        assert!(both.contains("both dev.jsonl and validation-old.jsonl for validation; name one with --validation"), "{both}");
        let named = |train: Option<&str>, validation: &str| {
            let file = |name: &str| Some(dir.path().join(name));
            let source = Source { train: train.and_then(file), validation: file(validation), ..Source::default() };
            let source = Source { folder: Some(dir.path().into()), kind: Some(Kind::Intent), ..source };
            sizes(&DataSet::open(&source).expect("what the message proposes helps"))
        };
        assert_eq!((named(None, "dev.jsonl"), named(Some("dev.jsonl"), "validation-old.jsonl")), ([1, 1, 0], [1, 1, 0]));
        write(dir.path().join("validation.jsonl"), ROWS).expect("writable");
        assert_eq!(sizes(&open(dir.path()).expect("the exact name decides")), [1, 1, 0]);
        write(dir.path().join("test.txt"), "__label__x a\n__label__x b\n").expect("writable");
        assert_eq!(sizes(&open(dir.path()).expect("plain text that is called like a part")), [1, 1, 2]);
    }

    #[test]
    fn one_file_may_hold_all_parts() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let rows = r#"{"train": [["a", "x"], ["b", "y"]], "val": [["c", "x"]], "oos_test": [["d", "z"]]}"#;
        write(dir.path().join("all.json"), rows).expect("writable");
        let set = open(dir.path()).expect("opens");
        assert_eq!(sizes(&set), [2, 1, 1]);
        assert_eq!((set.examples(Split::Test)[0].text.as_str(), set.examples(Split::Test)[0].label()), ("d", "z"));
        write(dir.path().join("test.jsonl"), [ROWS, ROWS].concat()).expect("writable");
        let source =
            Source { train: Some(dir.path().join("all.json")), test: Some(dir.path().join("test.jsonl")), kind: Some(Kind::Intent), ..Source::default() };
        assert_eq!(sizes(&DataSet::open(&source).expect("opens")), [2, 1, 2]);
    }

    #[test]
    fn nothing_outside_the_folder_is_read() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let folder = dir.path().join("set");
        create_dir(&folder).expect("writable");
        write(dir.path().join("secret.jsonl"), ROWS).expect("writable");
        let card = |file: &str| write(folder.join(CARD), format!("task = \"intent\"\n[files]\ntrain = \"{file}\"\n")).expect("writable");
        card("../secret.jsonl");
        assert!(open(&folder).expect_err("outside").contains("../secret.jsonl lies outside"));
        card(&dir.path().join("secret.jsonl").display().to_string().replace('\\', "/"));
        assert!(open(&folder).expect_err("absolute").contains("lies outside"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(dir.path().join("secret.jsonl"), folder.join("train.jsonl")).expect("a link");
            card("train.jsonl");
            assert!(open(&folder).expect_err("a link").contains("train.jsonl lies outside of it, where a symbolic link leads; put the file itself"));
            std::fs::remove_file(folder.join(CARD)).expect("removed");
            assert!(open(&folder).expect_err("a link without a card").contains("train.jsonl lies outside"));
        }
        #[cfg(unix)]
        {
            std::fs::write(dir.path().join("card.toml"), "task = \"intent\"\n").expect("writable");
            std::os::unix::fs::symlink(dir.path().join("card.toml"), folder.join(CARD)).expect("a link");
            assert!(open(&folder).expect_err("a linked card").contains("dataset.toml lies outside"));
            std::fs::remove_file(folder.join(CARD)).expect("removed");
        }
        write(folder.join(CARD), "#".repeat(2 << 20)).expect("writable");
        assert!(open(&folder).expect_err("an endless card").contains("dataset.toml: is larger than 1 MiB"));
        let of =
            |key: &str| write(folder.join(CARD), format!("task = \"sql\"\n{key} = \"../secret.jsonl\"\n[files]\ntrain = \"a.jsonl\"\n")).expect("writable");
        for key in ["schema", "seed", "database"] {
            of(key);
            assert!(open(&folder).expect_err(key).contains("../secret.jsonl lies outside"));
        }
        card("nowhere.jsonl");
        assert!(open(&folder).expect_err("missing").contains("nowhere.jsonl"));
        write(folder.join(CARD), "task = \"intent\"\n[files]\ntrian = \"a.jsonl\"\n").expect("writable");
        assert!(open(&folder).expect_err("a part of another name").contains("names a part `trian`"));
    }

    #[test]
    fn progress_names_the_file_that_is_read() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let sizes = [("train.jsonl", 2_000), ("test.jsonl", 1_000)].map(|(name, rows)| {
            write(dir.path().join(name), ROWS.repeat(rows)).expect("writable");
            (name, (ROWS.len() * rows) as u64)
        });
        let source = Source { folder: Some(dir.path().into()), kind: Some(Kind::Intent), ..Source::default() };
        let mut seen: Vec<(PathBuf, u64, u64)> = Vec::new();
        DataSet::open_with(&source, &mut |path, done, total| {
            seen.push((path.into(), done, total));
            true
        })
        .expect("opens");
        for (name, size) in sizes {
            let of: Vec<_> = seen.iter().filter(|(path, ..)| path.ends_with(name)).collect();
            assert!(!of.is_empty() && of.iter().all(|(_, done, total)| *done <= size && *total == size), "{name}: {seen:?}");
        }
        assert_eq!(seen.len(), 3, "once in a thousand rows: {seen:?}");
    }

    #[test]
    fn a_large_file_is_hashed_no_further_than_somebody_waits() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (path, whole) = (dir.path().join("large.jsonl"), 2 * BEAT + 7);
        write(&path, vec![b'x'; whole]).expect("writable");
        let mut told = Vec::new();
        let hash = sha256_with(&path, &mut |done, of| {
            told.push((done, of));
            true
        });
        assert_eq!(hash.expect("hashed"), sha256(&path).expect("hashed"));
        assert_eq!(told, [(BEAT as u64, Some(whole as u64)), (2 * BEAT as u64, Some(whole as u64))]);
        let mut asked = 0;
        let ended = sha256_with(&path, &mut |_, _| {
            asked += 1;
            false
        });
        assert!(matches!(ended, Err(Error::Ended)) && asked == 1);
        // and so it is where a set is opened: it is not read after that
        let mut seen = Vec::new();
        let source = Source { train: Some(path), kind: Some(Kind::Intent), ..Source::default() };
        let ended = DataSet::open_with(&source, &mut |_, done, total| {
            seen.push((done, total));
            false
        });
        assert!(matches!(ended, Err(Error::Ended)), "{ended:?}");
        assert_eq!(seen, [(0, whole as u64)]);
    }

    #[test]
    fn bad_rows_are_passed_over_only_when_asked_and_counted() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let train = dir.path().join("x.jsonl");
        write(&train, [ROWS, "{\"text\": \n", "{\"text\": \"b\"}\n", ROWS].concat()).expect("writable");
        let mut source = Source { train: Some(train), kind: Some(Kind::Intent), ..Source::default() };
        assert!(DataSet::open(&source).expect_err("strict").to_string().contains("x.jsonl:2: column 9"));
        source.skip_bad_rows = true;
        let set = DataSet::open(&source).expect("passes over");
        let skipped = &set.splits[&Split::Train].skipped;
        assert_eq!((sizes(&set)[0], skipped.count), (2, 2));
        assert!(skipped.first[1].contains("x.jsonl:3: has no `label`"), "{:?}", skipped.first);
    }

    #[test]
    fn a_first_row_without_a_field_is_passed_over_like_any_other() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let train = dir.path().join("x.json");
        write(&train, r#"[{"Title": "a", "Genre": null}, {"Title": "b", "Genre": "x"}]"#).expect("writable");
        let columns = |spec: &str| Columns::parse(spec).expect("columns");
        let mut source = Source { train: Some(train), kind: Some(Kind::Intent), columns: columns("text=Title,label=Genre"), ..Source::default() };
        assert!(DataSet::open(&source).expect_err("strict").to_string().contains("x.json:1: has no column `Genre`"));
        source.skip_bad_rows = true;
        let set = DataSet::open(&source).expect("passes over");
        assert_eq!((sizes(&set)[0], set.splits[&Split::Train].skipped.count), (1, 1));
        source.columns = columns("text=Title,label=Gender");
        assert!(DataSet::open(&source).expect_err("no row has it").to_string().contains("has no column `Gender`; the columns are `Title`"));
    }

    #[test]
    fn a_damaged_card_is_read_or_refused_with_its_line() {
        use rand::{RngExt, SeedableRng};
        let dir = tempfile::tempdir().expect("a temporary folder");
        write(dir.path().join("a.jsonl"), ROWS).expect("writable");
        let sound =
            "name = \"è\"\ntask = \"intent\"\nlanguage = \"it\"\n[files]\ntrain = \"a.jsonl\"\n[columns]\ntext = \"text\"\n[counts]\ntrain = 1\n".as_bytes();
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(4);
        let mut refused = 0;
        for _ in 0..1000 {
            let mut card = sound.to_vec();
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..card.len());
                card[at] = b"\0\"=[]\n.\xff/ax1"[rng.random_range(0..12)];
            }
            write(dir.path().join(CARD), card).expect("writable");
            if let Err(e) = open(dir.path()) {
                assert!(e.contains(&dir.path().display().to_string()), "names the folder or a file in it: {e}");
                refused += 1;
            }
        }
        assert!(refused > 300, "{refused}");
    }

    /// What is read has an end: a device has none, and a pipe would wait for somebody to write.
    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_refused_before_it_is_read() {
        for name in ["/dev/zero", "/dev/null", "/"] {
            let source = Source { train: Some(name.into()), kind: Some(Kind::Intent), ..Source::default() };
            assert!(DataSet::open(&source).expect_err(name).to_string().contains("is not a file; name a file of examples"));
        }
    }

    #[test]
    fn without_a_task_nobody_guesses() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        write(dir.path().join("train.jsonl"), ROWS).expect("writable");
        let untold = DataSet::open(&Source { folder: Some(dir.path().into()), ..Source::default() }).expect_err("no task");
        assert!(untold.to_string().contains("name one: intent, entities, sql"), "{untold}");
    }
}
