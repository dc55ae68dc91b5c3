//! `cargo xtask test`: a list of steps, done in order until one fails.

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
    title: &'static str,
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
    Step { title: "Set-up", work: Work::Setup },
    Step { title: "Formatting", work: Work::Cargo(&["fmt", "--all", "--check"]) },
    Step { title: "Packages of the user interface", work: Work::Npm(&["ci", "--no-audit", "--no-fund"]) },
    Step { title: "Types of the user interface", work: Work::Npm(&["run", "check"]) },
    Step { title: "Lints of the user interface", work: Work::Npm(&["run", "lint"]) },
    Step { title: "Tests of the user interface", work: Work::Npm(&["test"]) },
    Step { title: "Building the user interface", work: Work::Npm(&["run", "build"]) },
    Step { title: "Lints", work: Work::Cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]) },
    Step { title: "Weights", work: Work::Weights },
    Step { title: "Tests", work: Work::Cargo(&["nextest", "run", "--workspace"]) },
    Step { title: "Examples in the documentation", work: Work::Cargo(&["test", "--workspace", "--doc"]) },
];

const NO_WEIGHTS: &str = "WARNING: the real weights are not there. Every test that needs them is SKIPPED, and says so.";

/// Does every step, stopping at the first failure, and sums up.
pub fn command(place: &Place, fast: bool) -> Result<(), Failure> {
    let started = Instant::now();
    let runtime = runtime_folder()?;
    let mut times: Vec<(&str, Duration)> = Vec::new();
    for (index, step) in STEPS.iter().enumerate() {
        println!("\n━━ {} of {}: {} ━━", index + 1, STEPS.len(), step.title);
        let began = Instant::now();
        match step.work {
            Work::Setup => {
                let wishes: &[Need] = if fast || weights::are_there(place) { &[Need::Vulkan] } else { &[Need::Vulkan, Need::Pip] };
                let needs = [Need::CCompiler, Need::WebView, Need::Node, Need::WindowDriver, Need::Rustfmt, Need::Clippy, Need::Nextest];
                setup::ensure(&needs, wishes, place)?;
            }
            Work::Weights if fast => println!("Not fetched, because of --fast."),
            Work::Weights => {
                if let Err(failure) = weights::fetch(place, false) {
                    println!("{failure}");
                }
            }
            Work::Npm(arguments) => interface::npm(place, step.title, arguments)?,
            Work::Cargo(arguments) => cargo(place, step.title, arguments, runtime.as_ref())?,
        }
        times.push((step.title, began.elapsed()));
    }

    println!("\n━━ All {} steps passed ━━", STEPS.len());
    for (title, time) in &times {
        println!("{:>7.1} s  {title}", time.as_secs_f64());
    }
    println!("{:>7.1} s  in all", started.elapsed().as_secs_f64());
    if test_weights(place).is_none() {
        println!("\n{NO_WEIGHTS}");
    }
    Ok(())
}

fn cargo(place: &Place, title: &str, arguments: &[&str], runtime: Option<&tempfile::TempDir>) -> Result<(), Failure> {
    let mut command = place.cargo();
    command.args(arguments);
    let typed = as_typed(&command);
    println!("{typed}");
    let mut advice = format!("to repeat this step alone: {typed}");

    if let Some(folder) = runtime {
        command.env("XDG_RUNTIME_DIR", folder.path());
    }
    if arguments.first() == Some(&"nextest") {
        match test_weights(place) {
            Some(path) => {
                advice += &format!("\n  with LAPIDARY_TEST_WEIGHTS set to {}", path.display());
                command.env("LAPIDARY_TEST_WEIGHTS", path);
            }
            None => println!("\n{NO_WEIGHTS}\n"),
        }
    }
    let how = match command.status() {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => status.to_string(),
        Err(error) => format!("it could not be started: {error}"),
    };
    Err(Failure::new(format!("The step \"{title}\" failed ({how}); the reason is above."), advice))
}

/// The file that tests on real weights read: the person's own choice, or the one in the library.
fn test_weights(place: &Place) -> Option<PathBuf> {
    match std::env::var_os("LAPIDARY_TEST_WEIGHTS") {
        Some(chosen) => Some(chosen.into()),
        None if weights::are_there(place) => weights::path(place).ok(),
        None => None,
    }
}
