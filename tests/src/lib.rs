//! Where the acceptance tests find things, and how they skip what is not there: loudly.

pub mod http;
pub mod index;
pub mod messages;
pub mod near;
#[cfg(unix)]
pub mod screen;
pub mod webdriver;

use gemma::{Gemma, Weights};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The repository: found from where the test runs, not from where it was compiled, because clones
/// can share a build folder.
pub fn root() -> PathBuf {
    let here = std::env::current_dir().expect("a current folder");
    here.ancestors().find(|folder| folder.join("Cargo.lock").is_file()).expect("tests run inside the repository").into()
}

/// The folder of the tiny model and its reference values.
pub fn tiny() -> PathBuf {
    root().join("tests/reference/tiny")
}

/// The folder of the tiny model that also sees, in the shape of the 4B's files, and its reference values.
pub fn multimodal() -> PathBuf {
    root().join("tests/reference/multimodal")
}

/// The real 270M weights, if `cargo xtask weights` has fetched them.
pub fn real_weights() -> Option<PathBuf> {
    let found = std::env::var_os("LAPIDARY_TEST_WEIGHTS").map(PathBuf::from).filter(|p| p.exists());
    if found.is_none() {
        eprintln!("SKIPPED: the real weights are not here; run `cargo xtask weights` and set LAPIDARY_TEST_WEIGHTS (cargo xtask test does)");
    }
    found
}

/// The folder of reference values for the real weights, which lies beside the repository where the
/// project is developed.
pub fn shared_reference() -> Option<PathBuf> {
    let path = root().parent()?.join("shared/reference");
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not here; the reference values of the real weights are kept beside the repository", path.display());
    None
}

/// Reads a JSON file.
///
/// # Panics
/// If it is missing or of another shape.
pub fn json<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The folder of what graphics adapters found out about their kernels, one for all tests: each runs in a process of its own,
/// and would find it out anew, which takes a software adapter minutes.
///
/// # Panics
/// If it is not known where the test's program lies.
pub fn kernels() -> PathBuf {
    // <target>/<profile>/deps/<program>
    let program = std::env::current_exe().expect("the test's program");
    program.ancestors().nth(3).expect("a build folder").join("tmp/kernels")
}

/// Opens a model on a device.
///
/// # Panics
/// If it cannot be opened.
pub fn open(path: &Path, device: &str) -> (Arc<Weights>, Gemma) {
    if device != "cpu" {
        gemma::device::prepare(true, &kernels());
    }
    let weights = Arc::new(Weights::open(path).expect("the model opens"));
    let (_, device) = gemma::device::open(device).expect("the device opens");
    let model = Gemma::load(weights.clone(), &device).expect("the model loads");
    (weights, model)
}

/// Asserts that two numbers agree within a relative tolerance.
///
/// # Panics
/// If they do not.
pub fn close(what: &str, ours: f64, theirs: f64, relative: f64) {
    let bound = relative * theirs.abs().max(1e-3);
    assert!((ours - theirs).abs() <= bound, "{what}: {ours} is not {theirs} within {relative}");
}
