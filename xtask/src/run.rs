//! `cargo xtask run`: from a fresh clone to the window, or without one to a trained model and its report.

use say::say;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::failure::Failure;
use crate::interface;
use crate::place::{Place, expect};
use crate::setup::{self, Need};
use crate::weights;

/// The packages that are built, whichever of them is then run. Cargo unites the features of what it builds
/// together: another selection would compile the machine-learning libraries once more, for half an hour. This one
/// has the features of the whole workspace, which the tests build.
pub const SELECTION: [&str; 4] = ["-p", "lapidary", "-p", "lapidary-window"];

/// Builds both programs, in the dev profile on purpose: Cargo.toml makes it an optimised one that the tests share.
fn build(place: &Place) -> Result<(), Failure> {
    eprintln!(
        "{}",
        say!(
            "Building Lapidary. The first time takes a while: the machine-learning libraries are large.",
            "Costruzione di Lapidary. La prima volta richiede tempo: le librerie di apprendimento automatico sono grandi."
        )
    );
    expect(place.cargo().arg("build").args(SELECTION), &say!("Building Lapidary failed", "La costruzione di Lapidary non è riuscita"))
}

/// Sets up, builds the user interface and the window, fetches the weights, and opens the window. It ends with it.
pub fn window(place: &Place) -> Result<(), Failure> {
    let wishes: &[Need] = if weights::are_there(place) { &[] } else { &[Need::Pip] };
    setup::ensure(&[Need::CCompiler, Need::WebView, Need::Node], wishes, place)?;

    interface::build(place)?;
    build(place)?;

    // the window can fetch models too, but from a place that asks for an account
    if let Err(failure) = weights::fetch(place, false) {
        eprintln!(
            "{}",
            say!(
                "{failure}\nThe window opens without a model; get or open one there.",
                "{failure}\nLa finestra si apre senza un modello; scaricane o aprine uno lì."
            )
        );
    }
    let runtime = runtime_folder()?;
    let mut window = place.program("lapidary-window");
    window.arg("--home").arg(&place.home);
    window.env("LAPIDARY_DATASETS", place.root.join("datasets"));
    if let Some(folder) = &runtime {
        window.env("XDG_RUNTIME_DIR", folder.path());
    }
    expect(&mut window, &say!("The window ended with an error", "La finestra è terminata con un errore"))
}

/// Sets up, builds, fetches the weights, trains, and prints the path of the report as the last line of standard
/// output, so that a script can take it from there. `extra` goes to `lapidary train`.
pub fn headless(place: &Place, extra: Vec<OsString>) -> Result<(), Failure> {
    // asked for now, not when it is needed: the build in between takes minutes
    let needs: &[Need] = if weights::are_there(place) { &[Need::CCompiler, Need::WebView] } else { &[Need::CCompiler, Need::WebView, Need::Pip] };
    setup::ensure(needs, &[], place)?;

    build(place)?;

    weights::fetch(place, false)?;

    let (arguments, run) = train_arguments(extra, place.home.join("runs").join(run_name(SystemTime::now())));
    // a device of the Vulkan kind wants such a folder, which exists only in a desktop session
    let runtime = runtime_folder()?;
    let lapidary = |arguments: &[OsString]| {
        let mut command = place.program("lapidary");
        command.args(arguments).arg("--home").arg(&place.home);
        if let Some(folder) = &runtime {
            command.env("XDG_RUNTIME_DIR", folder.path());
        }
        command
    };
    eprintln!("{}", say!("Training. The run's folder is {}", "Addestramento. La cartella di esecuzione è {}", place.root.join(&run).display()));
    expect(&mut lapidary(&arguments), &say!("Training failed", "L’addestramento non è riuscito"))?;

    // relative paths in `extra` are meant from the root, as in the commands that the documentation shows
    let report = place.root.join(&run).join("report.html");
    if !report.is_file() {
        let arguments = ["report".into(), run.clone().into(), "--format".into(), "html".into(), "--out".into(), run.into()];
        // the path that it prints is told below, once and last
        expect(lapidary(&arguments).stdout(Stdio::null()), &say!("Writing the report failed", "La scrittura del rapporto non è riuscita"))?;
    }
    if !report.is_file() {
        return Err(Failure::new(
            say!("lapidary ended well, but there is no report at {}.", "lapidary è terminato bene, ma non c’è un rapporto in {}.", report.display()),
            say!("look at what it printed above, and please report it.", "guarda che cosa ha scritto qui sopra, e segnalalo."),
        ));
    }
    println!("{}", report.display());
    Ok(())
}

/// A folder for `XDG_RUNTIME_DIR` if this system should have one and does not; deleted when dropped.
pub fn runtime_folder() -> Result<Option<tempfile::TempDir>, Failure> {
    if !cfg!(target_os = "linux") || std::env::var_os("XDG_RUNTIME_DIR").is_some() {
        return Ok(None);
    }
    tempfile::Builder::new().prefix("lapidary-runtime-").tempdir().map(Some).map_err(|error| {
        Failure::new(
            say!("No temporary folder could be created: {error}.", "Non si è potuta creare una cartella temporanea: {error}."),
            say!(
                "set TMPDIR to a folder that can be written to, or XDG_RUNTIME_DIR to an empty one.",
                "imposta TMPDIR su una cartella in cui si possa scrivere, oppure XDG_RUNTIME_DIR su una vuota."
            ),
        )
    })
}

/// The arguments of `lapidary train` and the run's folder: the choices for a first run, each replaced by the
/// person's own where `extra` has one.
fn train_arguments(extra: Vec<OsString>, mut run: PathBuf) -> (Vec<OsString>, PathBuf) {
    let mut arguments: Vec<OsString> = vec!["train".into()];
    let mut default = |names: &[&str], value: &OsStr| {
        if names.iter().all(|name| value_of(&extra, name).is_none()) {
            arguments.push(names[0].into());
            arguments.push(value.into());
        }
    };
    default(&["--task"], "intent".as_ref());
    default(&["--data", "--train"], "datasets/intents-it".as_ref());
    default(&["--model"], "gemma-3-270m".as_ref());
    default(&["--out"], run.as_ref());
    if let Some(out) = value_of(&extra, "--out") {
        run = out.into();
    }
    arguments.extend(extra);
    (arguments, run)
}

/// The value of `--name value` or `--name=value` among arguments.
fn value_of(arguments: &[OsString], name: &str) -> Option<OsString> {
    arguments.iter().enumerate().find_map(|(index, argument)| {
        if argument == name {
            return Some(arguments.get(index + 1).cloned().unwrap_or_default());
        }
        argument.to_str()?.strip_prefix(name)?.strip_prefix('=').map(OsString::from)
    })
}

/// `first-run-2026-01-31-23-59-58`, in universal time: sorts by age, and is a fine folder name everywhere.
fn run_name(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |duration| duration.as_secs());
    let (year, month, day) = civil((seconds / 86_400) as i64);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("first-run-{year:04}-{month:02}-{day:02}-{hour:02}-{minute:02}-{second:02}")
}

/// The date of a day counted from 1970-01-01 (Howard Hinnant's `civil_from_days`): years are counted from March, so
/// that the leap day is the last of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn words(list: &[&str]) -> Vec<OsString> {
        list.iter().map(OsString::from).collect()
    }

    #[test]
    fn a_first_run_trains_intents() {
        let (arguments, run) = train_arguments(vec![], "runs/x".into());
        assert_eq!(arguments, words(&["train", "--task", "intent", "--data", "datasets/intents-it", "--model", "gemma-3-270m", "--out", "runs/x"]));
        assert_eq!(run, PathBuf::from("runs/x"));
    }

    #[test]
    fn own_choices_replace_the_defaults() {
        let (arguments, run) = train_arguments(words(&["--task=sql", "--train", "a.jsonl", "--out", "mine"]), "runs/x".into());
        assert_eq!(arguments, words(&["train", "--model", "gemma-3-270m", "--task=sql", "--train", "a.jsonl", "--out", "mine"]));
        assert_eq!(run, PathBuf::from("mine"));
    }

    #[test]
    fn runs_are_named_by_date_and_time() {
        for (seconds, name) in [
            (0, "first-run-1970-01-01-00-00-00"),
            (951_782_400, "first-run-2000-02-29-00-00-00"),
            (1_709_251_199, "first-run-2024-02-29-23-59-59"),
            (1_769_903_998, "first-run-2026-01-31-23-59-58"),
        ] {
            assert_eq!(run_name(UNIX_EPOCH + Duration::from_secs(seconds)), name);
        }
    }
}
