//! Where things lie (the repository, the library, the build folder) and how other programs are called.

use say::say;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::Failure;

/// The surroundings of one `cargo xtask` call.
pub struct Place {
    /// The repository: where the workspace's Cargo.toml is.
    pub root: PathBuf,
    /// The library of models and runs, the same folder that `lapidary --home` means.
    pub home: PathBuf,
    /// The build folder, where it is not cargo's own choice.
    target: Option<PathBuf>,
}

impl Place {
    /// Finds everything; `home` is what the person chose with `--home` or `LAPIDARY_HOME`.
    pub fn find(home: Option<PathBuf>) -> Result<Self, Failure> {
        // cargo says where xtask lies when it runs it; what it said when it compiled it may be another
        // clone, because clones can share a build folder
        let xtask = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = xtask.parent().unwrap_or(Path::new(".")).to_path_buf();
        let ci = std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));

        // In CI the clone is thrown away; what took long to make or fetch is kept beside it for the next run.
        let cache = if ci { dirs::home_dir().map(|home| home.join(".cache").join("lapidary-ci")) } else { None };
        let target = match (std::env::var_os("CARGO_TARGET_DIR"), &cache) {
            (None, Some(cache)) => Some(cache.join("target")),
            _ => None,
        };
        let home = home.or_else(|| cache.map(|cache| cache.join("home"))).or_else(|| Some(dirs::data_dir()?.join("lapidary")));
        let Some(home) = home else {
            return Err(Failure::new(
                say!("This system does not say where a program may keep its data.", "Questo sistema non dice dove un programma può tenere i suoi dati."),
                say!("choose a folder: --home DIR, or set LAPIDARY_HOME.", "scegli una cartella: --home CARTELLA, oppure imposta LAPIDARY_HOME."),
            ));
        };
        // `lapidary` is called from the repository's root, so a relative path would mean another folder there
        let home = std::path::absolute(&home).map_err(|error| {
            Failure::new(
                say!("{} cannot be used as the library: {error}.", "{} non si può usare come libreria: {error}.", home.display()),
                say!("choose another folder with --home DIR.", "scegli un’altra cartella con --home CARTELLA."),
            )
        })?;
        Ok(Self { root, home, target })
    }

    /// The build folder.
    pub fn target_folder(&self) -> PathBuf {
        let named = self.target.clone().or_else(|| std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from));
        // cargo takes a relative one from where it runs, which is the root
        self.root.join(named.unwrap_or_else(|| "target".into()))
    }

    /// cargo, ready to be given arguments: in the repository's root and with the right build folder.
    pub fn cargo(&self) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root);
        // `cargo xtask` is `cargo run`, which describes the xtask package in the environment. Some build scripts
        // (ring's, for one) watch these variables and would run again, and everything above them be rebuilt, each
        // time one switches between `cargo xtask …` and plain `cargo …`.
        for (name, _) in std::env::vars_os() {
            if is_about_xtask(&name) {
                command.env_remove(name);
            }
        }
        if let Some(target) = &self.target {
            command.env("CARGO_TARGET_DIR", target);
        }
        command
    }

    /// A program that was built in the dev profile, ready to be given arguments: in the repository's root. Not by
    /// `cargo run`, which selects one package only, and so other features than were built.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.target_folder().join("debug").join(name).with_extension(std::env::consts::EXE_EXTENSION));
        command.current_dir(&self.root);
        command
    }
}

/// Variables that cargo sets for the program it runs, and that a nested cargo should not see.
fn is_about_xtask(name: &OsString) -> bool {
    name.to_str().is_some_and(|name| {
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || matches!(name, "CARGO_CRATE_NAME" | "CARGO_BIN_NAME" | "CARGO_PRIMARY_PACKAGE")
    })
}

/// Whether a command can be started and succeeds, without showing what it prints.
pub fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Runs a command and fails with `otherwise` and the line to repeat it if it does not succeed.
pub fn expect(command: &mut Command, otherwise: &str) -> Result<(), Failure> {
    let typed = as_typed(command);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(
            say!("{otherwise} ({status}); the reason is above.", "{otherwise} ({status}); il motivo è qui sopra."),
            say!("to repeat this step alone: {typed}", "per ripetere solo questo passo: {typed}"),
        )),
        Err(error) => Err(Failure::new(
            say!("{otherwise}: it could not be started ({error}).", "{otherwise}: non si è potuto avviare ({error})."),
            say!("check that this works: {typed}", "controlla che questo funzioni: {typed}"),
        )),
    }
}

/// A command as a person would type it.
pub fn as_typed(command: &Command) -> String {
    let quoted = |word: &std::ffi::OsStr| {
        let word = word.to_string_lossy();
        let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%\\".contains(c);
        if !word.is_empty() && word.chars().all(plain) { word.into_owned() } else { format!("\"{word}\"") }
    };
    let program = command.get_program();
    // cargo says where it lies itself; a person has it on the path
    let program = Path::new(program).file_stem().filter(|stem| *stem == "cargo").unwrap_or(program);
    std::iter::once(quoted(program)).chain(command.get_args().map(quoted)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_as_typed() {
        let mut command = Command::new("/somewhere/bin/cargo");
        command.args(["run", "--", "--out", "a folder", "--columns", "text=question,label=intent"]);
        assert_eq!(as_typed(&command), r#"cargo run -- --out "a folder" --columns text=question,label=intent"#);
    }

    #[test]
    fn a_nested_cargo_does_not_see_the_xtask_package() {
        assert!(is_about_xtask(&"CARGO_PKG_NAME".into()));
        assert!(is_about_xtask(&"CARGO_MANIFEST_DIR".into()));
        for kept in ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO", "PATH"] {
            assert!(!is_about_xtask(&kept.into()), "{kept}");
        }
    }

    #[test]
    fn the_chosen_home_wins_and_becomes_absolute() {
        let place = Place::find(Some("somewhere".into())).expect("a place");
        assert!(place.home.is_absolute() && place.home.ends_with("somewhere"));
        assert!(place.root.join("Cargo.toml").is_file());
    }
}
