//! `cargo xtask test`: a list of steps, done in order until one fails.

use say::say;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::interface;
use crate::place::{Place, as_typed};
use crate::run::runtime_folder;
use crate::setup::{self, Need};
use crate::weights;

/// One thing to check. To add one, add a line to `STEPS`.
struct Step {
    /// In English and in Italian.
    title: [&'static str; 2],
    work: Work,
}

enum Work {
    /// Install what the other steps need.
    Setup,
    /// cargo with these arguments.
    Cargo(&'static [&'static str]),
    /// npm with these arguments, in the user interface's folder.
    Npm(&'static [&'static str]),
    /// Fetch the weights; not with `--fast`, and not a failure where they cannot be had.
    Weights,
}

/// Cheap and likely to fail comes first. The user interface is built before anything in Rust, because the window
/// holds it. Lints and tests compile the libraries once each whatever their order (one
/// only checks them, the other builds them), and everything after `cargo nextest` reuses what it built.
const STEPS: &[Step] = &[
    Step { title: ["Set-up", "Preparazione"], work: Work::Setup },
    Step { title: ["Formatting", "Formattazione"], work: Work::Cargo(&["fmt", "--all", "--check"]) },
    Step { title: ["Packages of the user interface", "Pacchetti dell’interfaccia"], work: Work::Npm(&["ci", "--no-audit", "--no-fund"]) },
    Step { title: ["Types of the user interface", "Tipi dell’interfaccia"], work: Work::Npm(&["run", "check"]) },
    Step { title: ["Lints of the user interface", "Controlli dell’interfaccia"], work: Work::Npm(&["run", "lint"]) },
    Step { title: ["Tests of the user interface", "Test dell’interfaccia"], work: Work::Npm(&["test"]) },
    Step { title: ["Building the user interface", "Costruzione dell’interfaccia"], work: Work::Npm(&["run", "build"]) },
    Step { title: ["Lints", "Controlli"], work: Work::Cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]) },
    Step { title: ["Weights", "Pesi"], work: Work::Weights },
    Step { title: ["Tests", "Test"], work: Work::Cargo(&["nextest", "run", "--workspace"]) },
    Step { title: ["Examples in the documentation", "Esempi nella documentazione"], work: Work::Cargo(&["test", "--workspace", "--doc"]) },
];

fn no_weights() -> String {
    say!(
        "WARNING: the real weights are not there. Every test that needs them is SKIPPED, and says so.",
        "ATTENZIONE: i pesi veri non ci sono. Ogni test che li richiede viene SALTATO, e lo dice."
    )
}

/// Does every step, stopping at the first failure, and sums up.
pub fn command(place: &Place, fast: bool) -> Result<(), Failure> {
    let started = Instant::now();
    let runtime = runtime_folder()?;
    let mut times: Vec<(&str, Duration)> = Vec::new();
    for (index, step) in STEPS.iter().enumerate() {
        let title = say::pick(step.title[0], step.title[1]);
        println!("{}", say!("\n━━ {} of {}: {title} ━━", "\n━━ {} di {}: {title} ━━", index + 1, STEPS.len()));
        let began = Instant::now();
        match step.work {
            Work::Setup => {
                let wishes: &[Need] = if fast || weights::are_there(place) { &[Need::Vulkan] } else { &[Need::Vulkan, Need::Pip] };
                let needs = [Need::CCompiler, Need::WebView, Need::Node, Need::WindowDriver, Need::Rustfmt, Need::Clippy, Need::Nextest];
                setup::ensure(&needs, wishes, place)?;
            }
            Work::Weights if fast => println!("{}", say!("Not fetched, because of --fast.", "Non scaricati, per via di --fast.")),
            Work::Weights => {
                if let Err(failure) = weights::fetch(place, false) {
                    println!("{failure}");
                }
            }
            Work::Npm(arguments) => interface::npm(place, title, arguments)?,
            Work::Cargo(arguments) => cargo(place, title, arguments, runtime.as_ref())?,
        }
        times.push((title, began.elapsed()));
    }

    println!("{}", say!("\n━━ All {} steps passed ━━", "\n━━ Tutti i {} passi sono riusciti ━━", STEPS.len()));
    for (title, time) in &times {
        println!("{:>7.1} s  {title}", time.as_secs_f64());
    }
    println!("{}", say!("{:>7.1} s  in all", "{:>7.1} s  in tutto", started.elapsed().as_secs_f64()));
    if test_weights(place).is_none() {
        println!("\n{}", no_weights());
    }
    Ok(())
}

fn cargo(place: &Place, title: &str, arguments: &[&str], runtime: Option<&tempfile::TempDir>) -> Result<(), Failure> {
    let mut command = place.cargo();
    command.args(arguments);
    let typed = as_typed(&command);
    println!("{typed}");
    let mut advice = say!("to repeat this step alone: {typed}", "per ripetere solo questo passo: {typed}");

    if let Some(folder) = runtime {
        command.env("XDG_RUNTIME_DIR", folder.path());
    }
    if arguments.first() == Some(&"nextest") {
        // of a software adapter's kernels a test needs one that is right, not the fastest
        command.env("CUBECL_AUTOTUNE_LEVEL", "minimal");
        match test_weights(place) {
            Some(path) => {
                advice += &say!("\n  with LAPIDARY_TEST_WEIGHTS set to {}", "\n  con LAPIDARY_TEST_WEIGHTS impostato a {}", path.display());
                command.env("LAPIDARY_TEST_WEIGHTS", path);
            }
            None => println!("\n{}\n", no_weights()),
        }
    }
    let how = match command.status() {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => status.to_string(),
        Err(error) => say!("it could not be started: {error}", "non si è potuto avviare: {error}"),
    };
    Err(Failure::new(
        say!("The step \"{title}\" failed ({how}); the reason is above.", "Il passo «{title}» non è riuscito ({how}); il motivo è qui sopra."),
        advice,
    ))
}

/// The file that tests on real weights read: the person's own choice, or the one in the library.
fn test_weights(place: &Place) -> Option<PathBuf> {
    match std::env::var_os("LAPIDARY_TEST_WEIGHTS") {
        Some(chosen) => Some(chosen.into()),
        None if weights::are_there(place) => weights::path(place).ok(),
        None => None,
    }
}
