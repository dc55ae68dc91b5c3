//! Models: the catalogue, what is on disk, getting, importing and exporting.

use crate::error::{Error, Result};
use crate::home::Home;
use crate::library::{Library, ModelRow};
use gemma::file::folder_atomically;
use gemma::{Export, Tokenizer, Weights};
use hf_hub::api::Progress;
use hf_hub::api::sync::{ApiBuilder, ApiError};
use report::record::{FileRecord, ModelRecord};
use say::say;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

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
    /// Whether the hub asks for an account that accepted the licence.
    #[serde(default)]
    pub gated: bool,
    /// Name of the single weight file, where the model also comes as one.
    #[serde(default)]
    pub file: Option<String>,
}

#[derive(Deserialize)]
struct Catalogue {
    model: Vec<Entry>,
}

/// The models that can be got by name.
///
/// # Errors
/// Never in practice: the catalogue is compiled in, and a test reads it.
pub fn catalogue() -> Result<Vec<Entry>> {
    let parsed: Catalogue = toml::from_str(include_str!("../../../assets/models.toml"))
        .map_err(|e| Error::request(say!("the model catalogue is damaged: {e}", "il catalogo dei modelli è danneggiato: {e}")))?;
    Ok(parsed.model)
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
    /// Licence.
    pub license: String,
    /// Where it came from, or where it can be got.
    pub source: String,
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
            Listed { name: r.name, title, path: Some(r.path), bytes: r.bytes, license: r.license, source: r.source }
        })
        .collect();
    let missing = catalogue.into_iter().filter(|e| !out.iter().any(|l| l.name == e.id)).collect::<Vec<_>>();
    out.extend(missing.into_iter().map(|e| Listed { name: e.id, title: e.title, path: None, bytes: 0, license: e.license, source: e.hub }));
    Ok(out)
}

fn placed(home: &Home, entry: &Entry) -> Option<PathBuf> {
    let folder = home.models().join(&entry.id);
    let file = entry.file.as_ref().map(|f| folder.join(f)).filter(|p| p.exists());
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

/// What a run records about a model: its files with their hashes, and its size.
///
/// # Errors
/// If a file cannot be read.
pub fn record(library: &Library, name: &str, weights: &Weights) -> Result<ModelRecord> {
    let c = weights.config();
    let listed = library.models()?.into_iter().find(|m| m.name == name).map(|m| m.license);
    let license = listed.or(catalogue()?.into_iter().find(|e| e.id == name).map(|e| e.license)).filter(|l| !l.is_empty());
    let mut files = Vec::new();
    for path in weights.files() {
        let count = std::fs::metadata(&path).map_err(|e| Error::io(&path, e))?.len();
        files.push(FileRecord { sha256: library.sha256(&path)?, path: path.display().to_string(), count });
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

/// Progress of a download: bytes done of bytes in all of one file.
pub type OnProgress<'a> = &'a mut dyn FnMut(&str, u64, u64);

struct Forward<'a, 'b> {
    file: String,
    total: u64,
    done: u64,
    tell: &'a mut OnProgress<'b>,
}

impl Progress for Forward<'_, '_> {
    fn init(&mut self, size: usize, filename: &str) {
        (self.file, self.total, self.done) = (filename.into(), size as u64, 0);
    }
    fn update(&mut self, size: usize) {
        self.done += size as u64;
        (self.tell)(&self.file, self.done, self.total);
    }
    fn finish(&mut self) {
        (self.tell)(&self.file, self.total, self.total);
    }
}

/// Gets a model from a hub: one of the catalogue by name, or any `owner/repository`.
///
/// The hub is Hugging Face, or the one that `HF_ENDPOINT` names; it is sent the token of an account that was given, else that
/// in `HF_TOKEN`, else the one that a login on this machine has left.
/// A download that was cut off goes on where it stopped.
///
/// # Errors
/// If the hub refuses or cannot be reached, or what it sends is no Gemma 3.
pub fn get(home: &Home, name: &str, token: Option<&str>, mut progress: OnProgress<'_>) -> Result<ModelRow> {
    let entry = catalogue()?.into_iter().find(|e| e.id == name);
    let hub = entry.as_ref().map_or(name, |e| e.hub.as_str());
    if hub.split('/').filter(|p| !p.is_empty()).count() != 2 {
        return Err(Error::request(say!(
            "`{name}` is neither a model of the catalogue nor an owner/repository of the hub; `lapidary models list` shows the catalogue",
            "`{name}` non è né un modello del catalogo né un proprietario/repository dell’hub; `lapidary models list` mostra il catalogo"
        )));
    }
    let fail = |e: ApiError| Error::request(explain(hub, &e));
    let given = token.map(str::trim).filter(|t| !t.is_empty()).map(String::from);
    let token = given.or_else(|| std::env::var("HF_TOKEN").ok().filter(|t| !t.is_empty()));
    let api = ApiBuilder::from_env().with_cache_dir(home.models().join("hub")).with_progress(false).with_retries(3);
    let api = if token.is_some() { api.with_token(token) } else { api }.build().map_err(fail)?;
    let repository = api.model(hub.into());
    let info = repository.info().map_err(fail)?;
    let names: Vec<&str> = info.siblings.iter().map(|s| s.rfilename.as_str()).filter(|f| !f.contains(['/', '\\'])).collect();
    let mut wanted: Vec<&str> = names
        .iter()
        .copied()
        .filter(|f| ["config.json", "tokenizer.json", "model.safetensors.index.json"].contains(f) || f.ends_with(".safetensors"))
        .collect();
    if !wanted.iter().any(|f| f.ends_with(".safetensors")) {
        wanted = names.iter().copied().filter(|f| f.ends_with(".gguf")).take(1).collect();
    }
    if wanted.is_empty() {
        return Err(Error::request(say!(
            "{hub} holds neither .safetensors nor .gguf files; choose another repository",
            "{hub} non contiene file .safetensors né .gguf; scegli un altro repository"
        )));
    }
    let mut folder = None;
    for file in wanted {
        let forward = Forward { file: file.into(), total: 0, done: 0, tell: &mut progress };
        let path = repository.download_with_progress(file, forward).map_err(fail)?;
        folder = path.parent().map(Path::to_path_buf);
    }
    let folder = folder.ok_or_else(|| Error::request(say!("{hub} sent nothing", "{hub} non ha inviato nulla")))?;
    let license = entry.as_ref().map_or("see the repository", |e| e.license.as_str());
    register(home, name, &folder, &format!("hub: {hub}"), license)
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

/// Adds a model that is on disk to the library under a name; the files stay where they are.
///
/// # Errors
/// If the files are no Gemma 3 that this version reads.
pub fn import(home: &Home, name: &str, path: &Path) -> Result<ModelRow> {
    if name.is_empty() || name.contains(['/', '\\']) {
        return Err(Error::request(say!(
            "`{name}` is no name for a model; use letters, digits, - and .",
            "`{name}` non è un nome per un modello; usa lettere, cifre, - e ."
        )));
    }
    let path = path.canonicalize().map_err(|e| Error::io(path, e))?;
    register(home, name, &path, "imported", "as its owner states")
}

fn register(home: &Home, name: &str, path: &Path, source: &str, license: &str) -> Result<ModelRow> {
    let weights = Weights::open(path)?;
    Tokenizer::open(&weights)?;
    let row = ModelRow { name: name.into(), path: path.into(), source: source.into(), license: license.into(), bytes: size(path) };
    Library::open(home)?.put_model(&row)?;
    Ok(row)
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
        assert!(entries.iter().any(|e| e.id == "gemma-3-270m" && e.file.is_some()));
        assert!(entries.iter().all(|e| e.hub.split('/').count() == 2 && e.license_url.starts_with("https://")));
    }

    #[test]
    fn unknown_names_are_explained() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let home = Home::open(Some(dir.path())).expect("home");
        assert!(find(&home, "gemma-3-270m").is_err_and(|e| e.to_string().contains("lapidary models get gemma-3-270m")));
        assert!(find(&home, "no-such").is_err_and(|e| e.to_string().contains("known models are")));
        assert!(get(&home, "no-such", None, &mut |_, _, _| {}).is_err_and(|e| e.to_string().contains("owner/repository")));
    }
}
