//! A data set as the model sees it: the mean hidden states of its rows, and what follows from them: a map,
//! the rows nearest to one, and rows that resemble those of another label.
//!
//! The states are those of the untuned model a little more than halfway up, where it has understood a text and does not yet turn
//! to the token that comes next. They are kept in the library's folder, so that a set is read once for all of
//! these.

use crate::devices;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::library::Library;
use crate::models;
use crate::remote;
use crate::run;
use crate::search::prune;
use crate::watch::{Watch, waiting};
use data::check::{self, Finding};
use data::encode::Encoder;
use data::map::{Point, Suspect, Vectors};
use data::set::{DataSet, Split};
use data::{Batch, Encoded, Example, Kind, Target, batch};
use gemma::head::{Pool, pool};
use gemma::{Config, Gemma, Precision, Tokenizer, Weights};
use report::figure::{Figure, Placed, Variant, example_map};
use report::record::write_atomically;
use report::text::Lang;
use say::{ROW, say};
use serde::Serialize;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use train::failure;
use ts_rs::TS;

/// Rows that are read of a larger set, evenly spread: their neighbours are sought among all pairs.
const MOST: usize = 10_000;
/// Tokens of a text that are read: what a text is about shows early, and attention costs the square.
const TOKENS: usize = 256;
/// Share of the model's blocks that the states have passed. After 11 of 18 the ten nearest training messages of
/// intents-it have the right label most often.
const DEPTH: f64 = 0.6;
/// Examples of a run that its map shows, of more this many, evenly spread: as many points can still be told apart.
const MAPPED: usize = 1000;
/// Fewer make no map: among a handful it is chance who lies beside whom.
const FEWEST: usize = 20;

/// Rows of a data set as vectors.
pub struct Embedded {
    /// The vectors.
    pub vectors: Vectors,
    /// Part and number of each vector's row.
    pub rows: Vec<(Split, usize)>,
    /// Rows of the whole set.
    pub of: usize,
}

/// What is being done for a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// A model reads rows.
    Reading,
    /// Points find their places.
    Placing,
}

/// Who reads.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// Name or path of the model.
    pub model: &'a str,
    /// Device id.
    pub device: &'a str,
}

/// Reads a set with a model, or takes what was kept of it; `None` if it was stopped. `with` is a row that is
/// read in any case. `progress` is called with how many rows are done, and of how many.
///
/// # Errors
/// If the model is not on this machine, the device fails, or the library's folder cannot be written.
pub fn embed(
    home: &Home,
    reader: Reader<'_>,
    set: &DataSet,
    with: Option<(Split, usize)>,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Option<Embedded>> {
    unless_stopped(stop, embed_until(home, reader, set, with, stop, progress))
}

/// What came of work, whatever it was that a stop ended.
fn unless_stopped<T>(stop: &AtomicBool, outcome: Result<Option<T>>) -> Result<Option<T>> {
    if outcome.is_err() && stop.load(Ordering::Relaxed) { Ok(None) } else { outcome }
}

fn embed_until(
    home: &Home,
    reader: Reader<'_>,
    set: &DataSet,
    with: Option<(Split, usize)>,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Option<Embedded>> {
    if let Some((split, i)) = with.filter(|(split, i)| set.examples(*split).get(*i).is_none()) {
        return Err(no_row(set, split, i));
    }
    let all: Vec<(Split, usize)> = set.splits.iter().flat_map(|(split, file)| (0..file.examples.len()).map(|i| (*split, i))).collect();
    let mut rows: Vec<(Split, usize)> = all.iter().copied().step_by(all.len().div_ceil(MOST).max(1)).collect();
    rows.extend(with.filter(|row| !rows.contains(row)));
    let texts: Vec<&str> = rows.iter().map(|&(split, i)| set.examples(split)[i].text.as_str()).collect();

    let mut watch = waiting(stop);
    let weights = models::weights(home, reader.model, &mut watch)?;
    let width = weights.config().hidden;
    let kept = Kept::new(home, &weights, &texts, &mut watch)?;
    let flat = match kept.read(texts.len() * width) {
        Some(flat) => flat,
        None => {
            let (info, device) = devices::open_until(home, reader.device, stop)?;
            let tokenizer = models::tokenizer(&weights, &mut watch)?;
            let read = || {
                let model = Gemma::load_with(weights, &device, Precision::F32, &mut |_| !stop.load(Ordering::Relaxed))?;
                states(&model, &tokenizer, &texts, stop, progress)
            };
            let read = remote::minding(&device, None, || failure::caught(&device, read)).map_err(|e| run::unready(e, &info))?;
            let Some(flat) = read else { return Ok(None) };
            kept.write(&flat)?;
            flat
        }
    };
    Ok(Some(Embedded { vectors: comparable(flat, width)?, rows, of: all.len() }))
}

/// The states of texts, one after another, as vectors that can be compared.
fn comparable(flat: Vec<f32>, width: usize) -> Result<Vectors> {
    Vectors::new(flat, width).ok_or_else(|| {
        Error::request(say!(
            "the model's states of this data are not finite; choose another device or model",
            "gli stati del modello su questi dati non sono numeri finiti; scegli un altro dispositivo o modello"
        ))
    })
}

/// Of so many examples, those that have a place on the map of a run: evenly spread, and none of a few.
fn placed(examples: usize) -> Vec<usize> {
    let count = if examples < FEWEST { 0 } else { examples.min(MAPPED) };
    (0..count).map(|i| i * examples / count).collect()
}

/// What [`places`] reads of texts: tokens, each counted once for every block that it passes.
///
/// # Errors
/// If a text cannot be tokenized.
pub(crate) fn work(model: &Gemma, tokenizer: &Tokenizer, texts: &[&str]) -> Result<usize> {
    let mut tokens = 0;
    for row in placed(texts.len()) {
        tokens += tokenizer.encode_with_bos(texts[row])?.len().min(TOKENS);
    }
    Ok(tokens * tap(model.config().layers))
}

/// How many blocks the states have passed.
fn tap(layers: usize) -> usize {
    ((layers as f64 * DEPTH).round() as usize).clamp(1, layers)
}

/// Where texts lie on a plane on which those that are alike to a model are near each other: those of [`placed`]. `None` if they
/// are too few, or it was stopped. Nothing of it is kept.
///
/// # Errors
/// If the device fails.
pub(crate) fn places(model: &Gemma, tokenizer: &Tokenizer, texts: &[&str], stop: &AtomicBool) -> Result<Option<Vec<Option<[f32; 2]>>>> {
    let rows = placed(texts.len());
    if rows.is_empty() {
        return Ok(None);
    }
    let some: Vec<&str> = rows.iter().map(|&row| texts[row]).collect();
    let Some(flat) = states(model, tokenizer, &some, stop, &mut |_, _| {})? else { return Ok(None) };
    let mut places = vec![None; texts.len()];
    let Some(found) = layout(&comparable(flat, model.config().hidden)?, stop, &mut |_, _| {})? else { return Ok(None) };
    for (row, place) in rows.into_iter().zip(found) {
        places[row] = Some(place).filter(|p| p.iter().all(|v| v.is_finite()));
    }
    Ok(Some(places))
}

/// Places of vectors on a plane; `None` if it was stopped. `progress` is called with how many steps of it are done, and of how many.
fn layout(vectors: &Vectors, stop: &AtomicBool, progress: &mut dyn FnMut(usize, usize)) -> Result<Option<Vec<[f32; 2]>>> {
    let places = vectors.layout(&mut |done, of| {
        if let Some(of) = of {
            progress(done as usize, of as usize);
        }
        !stop.load(Ordering::Relaxed)
    });
    unless_stopped(stop, places.map(Some).map_err(Error::from))
}

/// The mean state of each text, one after another; `None` if it was stopped.
fn states(model: &Gemma, tokenizer: &Tokenizer, texts: &[&str], stop: &AtomicBool, progress: &mut dyn FnMut(usize, usize)) -> Result<Option<Vec<f32>>> {
    let tap = tap(model.config().layers);
    let (body, width) = (model.shortened(tap), model.config().hidden);
    let mut encoded = Vec::with_capacity(texts.len());
    for text in texts {
        // as training reads it; what is too long is cut below
        let mut ids = Encoder { tokenizer, max_tokens: usize::MAX }.encode(text, None)?.ids;
        ids.truncate(TOKENS.min(model.config().context));
        let mut one = Encoded::classed(ids, 0);
        // what begins every text says nothing of it, and its state is many times as large as the others
        if let Some(mark) = one.marks.first_mut().filter(|m| m.tokens.len() > 1) {
            mark.tokens.start = 1;
        }
        encoded.push(one);
    }
    let mut flat = vec![0.0; texts.len() * width];
    let mut done = 0;
    for rows in batch::sorted(&encoded) {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let batch = Batch::new(&encoded, &rows, body.layout());
        let states = body.states(&batch.ids, &batch.rows, None, false, &[tap])?;
        let pooled = gemma::lora::values(pool(states, &batch.ids, &batch.places, Pool::Mean));
        if pooled.len() != rows.len() * width {
            return Err(Error::request(say!(
                "the device did not give back what it computed; choose another with --device",
                "il dispositivo non ha restituito ciò che ha calcolato; scegline un altro con --device"
            )));
        }
        for (&row, state) in rows.iter().zip(pooled.chunks(width)) {
            flat[row * width..][..width].copy_from_slice(state);
        }
        done += rows.len();
        progress(done, texts.len());
    }
    Ok(Some(flat))
}

/// Ending of the files with what a model made of a set.
const ENDING: &str = "f32";

/// Counted up where a text is given other states than by the code before.
const RULES: u32 = 1;

/// Under what states are kept: all that they depend on. `files` are the SHA-256 of the model's.
fn key(rules: u32, files: &[String], config: &Config, texts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    // the numbers that make of them one model, a folder has in another file
    (rules, crate::VERSION, TOKENS, DEPTH.to_bits(), files, format!("{config:?}"), texts).hash(&mut hasher);
    hasher.finish()
}

/// Where the states of these texts are kept: a file of little-endian numbers, named after texts and model.
struct Kept {
    folder: PathBuf,
    path: PathBuf,
}

impl Kept {
    fn new(home: &Home, weights: &Weights, texts: &[&str], watch: Watch<'_>) -> Result<Self> {
        let library = Library::open(home)?;
        let files = weights.files().iter().map(|file| library.sha256_with(file, watch)).collect::<Result<Vec<_>>>()?;
        let folder = home.path().join("vectors");
        Ok(Self { path: folder.join(format!("{:016x}.{ENDING}", key(RULES, &files, weights.config(), texts))), folder })
    }

    /// What is there, if it is whole.
    fn read(&self, count: usize) -> Option<Vec<f32>> {
        let bytes = std::fs::read(&self.path).ok().filter(|b| b.len() == count * 4)?;
        Some(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
    }

    fn write(&self, flat: &[f32]) -> Result<()> {
        std::fs::create_dir_all(&self.folder).map_err(|e| Error::io(&self.folder, e))?;
        let fill = |out: &mut dyn Write| flat.iter().try_for_each(|x| out.write_all(&x.to_le_bytes()));
        gemma::file::write_atomically_with(&self.path, fill).map_err(|e| Error::io(&self.path, e))?;
        prune(&self.folder, ENDING);
        Ok(())
    }
}

/// A row that resembles those of another label.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Doubt {
    /// Its part.
    pub split: Split,
    /// Which of the part's examples, from 0.
    pub index: usize,
    /// `file:line`.
    pub row: String,
    /// Its text.
    pub text: String,
    /// Its label.
    pub label: String,
    /// The label that it resembles most.
    pub resembles: String,
    /// Mean similarity to the nearest rows of its own label, between -1 and 1.
    pub own: f32,
    /// As `own`, of the other label.
    pub theirs: f32,
    /// The nearest row with that label, as `file:line`.
    pub witness: String,
}

/// Labels that are likely wrong, likeliest first, and the finding that they are; nothing where rows have no labels.
pub fn doubts(set: &DataSet, embedded: &Embedded) -> (Vec<Doubt>, Option<Finding>) {
    if set.kind != Kind::Intent {
        return (Vec::new(), None);
    }
    let example = |row: usize| embedded.rows.get(row).and_then(|&(split, i)| set.examples(split).get(i));
    let labels: Vec<&str> = (0..embedded.rows.len()).map(|row| example(row).map_or("", Example::label)).collect();
    let suspects = embedded.vectors.suspects(&labels);
    let doubt = |s: &Suspect| {
        let ((split, index), e) = (*embedded.rows.get(s.row)?, example(s.row)?);
        let witness = example(s.witness).map(|e| e.origin.to_string()).unwrap_or_default();
        let (row, text, label) = (e.origin.to_string(), e.text.clone(), e.label().to_string());
        Some(Doubt { split, index, row, text, label, resembles: s.label.clone(), own: s.own, theirs: s.theirs, witness })
    };
    (suspects.iter().filter_map(doubt).collect(), check::suspicious(set, &embedded.rows, &suspects))
}

/// A row near another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Near {
    /// Its part.
    pub split: Split,
    /// Which of the part's examples, from 0.
    pub index: usize,
    /// `file:line`.
    pub row: String,
    /// Cosine of the angle between the two, between -1 and 1.
    pub similarity: f32,
    /// Its text.
    pub text: String,
    /// What it should be answered with.
    pub answer: String,
}

/// The rows that are nearest to one to the model, nearest first.
///
/// # Errors
/// If the row is not there, or was not read.
pub fn near(set: &DataSet, embedded: &Embedded, split: Split, index: usize, most: usize) -> Result<Vec<Near>> {
    let Some(row) = embedded.rows.iter().position(|r| *r == (split, index)) else {
        return Err(no_row(set, split, index));
    };
    let of = |n: data::map::Neighbour| {
        let (split, index) = *embedded.rows.get(n.row)?;
        let e = set.examples(split).get(index)?;
        let answer = tasks::answer::show(&e.target);
        Some(Near { split, index, row: e.origin.to_string(), similarity: n.similarity, text: e.text.clone(), answer })
    };
    Ok(embedded.vectors.nearest(row, most).into_iter().filter_map(of).collect())
}

/// What to say where a part has no row of a number.
pub(crate) fn no_row(set: &DataSet, split: Split, index: usize) -> Error {
    let rows = say::count(set.examples(split).len(), ROW);
    Error::request(say!(
        "the {} part has {rows} and none with the number {index}, counted from 0",
        "la parte {} ha {rows} e nessuna con il numero {index}, contando da 0",
        split.name()
    ))
}

/// The rows as points on a plane, those that are alike to the model near each other; `None` if it was stopped. `progress` is called
/// with how many of the steps are done in which the points find their places, and of how many.
///
/// # Errors
/// Never in practice: only a stop ends it.
pub fn map(set: &DataSet, embedded: &Embedded, stop: &AtomicBool, progress: &mut dyn FnMut(usize, usize)) -> Result<Option<Vec<Point>>> {
    let point = |([x, y], &(split, index)): ([f32; 2], &(Split, usize))| {
        let e = set.examples(split).get(index)?;
        Some(Point { x, y, label: short(&e.target), split, index, row: e.origin.to_string(), text: e.text.clone() })
    };
    let places = layout(&embedded.vectors, stop, progress)?;
    Ok(places.map(|places| places.into_iter().zip(&embedded.rows).filter_map(point).collect()))
}

/// A map as a face shows it.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
pub struct DataMap {
    /// The drawing.
    pub figure: Figure,
    /// Behind each point of the drawing, the number that the row has in its table.
    pub rows: Vec<usize>,
    /// Rows of the whole set.
    pub of: usize,
}

/// Points that are drawn; of more, this many at even distances. No more than the figure itself would draw, so that
/// every point has its row.
const DRAWN: usize = 4000;

/// Points as a drawing of a set of so many rows. `numbers` are those that the rows of each part have in their table.
pub fn draw(points: &[Point], of: usize, numbers: &BTreeMap<Split, Vec<usize>>, language: Lang) -> DataMap {
    let number = |p: &Point| numbers.get(&p.split)?.get(p.index).copied();
    let known: Vec<(usize, &Point)> = points.iter().filter(|p| p.x.is_finite() && p.y.is_finite()).filter_map(|p| Some((number(p)?, p))).collect();
    let shown = || known.iter().step_by(known.len().div_ceil(DRAWN).max(1));
    DataMap { figure: picture(shown().map(|(_, point)| *point), language), rows: shown().map(|(row, _)| *row).collect(), of }
}

/// An answer by which points are coloured: a label, the types of entities, the first hashtag; nothing for
/// answers that are all different.
fn short(target: &Target) -> String {
    match target {
        Target::Label(label) => label.clone(),
        Target::Entities(spans) => {
            let mut types: Vec<&str> = spans.iter().map(|s| s.kind.as_str()).collect();
            types.sort_unstable();
            types.dedup();
            types.join(" ")
        }
        Target::Tags(tags) => tags.first().cloned().unwrap_or_default(),
        Target::Sql(_) | Target::Completion(_) => String::new(),
    }
}

/// Points as a picture.
fn picture<'a>(points: impl Iterator<Item = &'a Point>, language: Lang) -> Figure {
    example_map(&points.map(|p| Placed { x: p.x.into(), y: p.y.into(), label: p.label.clone(), ..Placed::default() }).collect::<Vec<_>>(), language)
}

/// What a map is written as.
const FORMATS: [&str; 4] = ["json", "csv", "svg", "png"];

/// The format that a file's name says.
fn format(path: &Path) -> Option<&'static str> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    FORMATS.into_iter().find(|f| *f == ending)
}

/// Can a map be written to a file of this name? To be asked before the rows are read.
///
/// # Errors
/// If not.
pub fn mappable(path: &Path) -> Result<()> {
    let refuse = || {
        Error::request(say!(
            "{}: a map is written as {}; use .json, .csv, .svg or .png",
            "{}: una mappa si scrive come {}; usa .json, .csv, .svg o .png",
            path.display(),
            FORMATS.join(", ")
        ))
    };
    format(path).map(drop).ok_or_else(refuse)
}

/// Writes a map to a file, in the format that its name says: its points as .json or .csv, or a picture as .svg or .png.
///
/// # Errors
/// If the name says another format, or the disk refuses.
pub fn save(path: &Path, points: &[Point], language: Lang) -> Result<()> {
    mappable(path)?;
    match format(path) {
        Some("svg") => Ok(write_atomically(path, picture(points.iter(), language).svg_for(Variant::Light).as_bytes())?),
        Some("png") => Ok(write_atomically(path, &picture(points.iter(), language).png(Variant::Light)?)?),
        _ => Ok(data::map::write(path, points)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn whatever_states_depend_on_gives_another_key() {
        let [files, other] = ["a", "b"].map(|hash| [hash.to_string()]);
        let (config, scaled) = (Config::small(), Config { rope_factor: 8.0, ..Config::small() });
        let texts = ["x", "y"];
        let own = key(RULES, &files, &config, &texts);
        assert_eq!(key(RULES, &files, &config, &texts), own);
        let changed = [
            // what was kept by other rules is not taken for what is read by these
            key(RULES - 1, &files, &config, &texts),
            key(RULES, &other, &config, &texts),
            key(RULES, &files, &scaled, &texts),
            key(RULES, &files, &config, &texts[..1]),
            key(RULES, &files, &config, &["xy", ""]),
        ];
        let keys: BTreeSet<u64> = changed.into_iter().chain([own]).collect();
        assert_eq!(keys.len(), changed.len() + 1);
        // and it is by this key that states are found
        let dir = tempfile::tempdir().expect("a temporary folder");
        let home = Home::open(Some(dir.path())).expect("a home");
        // tests run in the folder of their crate
        let weights = Weights::open(Path::new("../../tests/reference/tiny/tiny-f32.gguf")).expect("opens");
        let hash = data::set::sha256(weights.path()).expect("there");
        let name = format!("{:016x}.{ENDING}", key(RULES, &[hash], weights.config(), &texts));
        assert_eq!(Kept::new(&home, &weights, &texts, &mut |_, _| true).expect("a library").path, home.path().join("vectors").join(name));
    }
}
