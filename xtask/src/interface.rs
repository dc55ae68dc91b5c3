//! The user interface in `ui/`: built by npm, before the window that holds it.

use say::say;
use std::time::SystemTime;

use crate::failure::Failure;
use crate::place::{Place, as_typed};
use crate::setup;

/// Builds what the window shows, fetching its packages where they are missing or older than their list.
pub fn build(place: &Place) -> Result<(), Failure> {
    let changed = |path: &str| place.root.join("ui").join(path).metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    if changed("node_modules/.package-lock.json") < changed("package-lock.json") {
        npm(
            place,
            say::pick("Fetching the packages of the user interface", "Scaricamento dei pacchetti dell’interfaccia"),
            &["ci", "--no-audit", "--no-fund"],
        )?;
    }
    npm(place, say::pick("Building the user interface", "Costruzione dell’interfaccia"), &["run", "build"])
}

/// npm in the user interface's folder. What it prints goes to standard error: standard output is kept for results.
pub fn npm(place: &Place, title: &str, arguments: &[&str]) -> Result<(), Failure> {
    let mut command = setup::npm();
    command.current_dir(place.root.join("ui")).args(arguments).stdout(std::io::stderr());
    let typed = as_typed(&command);
    eprintln!("{typed}");
    let how = match command.status() {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => status.to_string(),
        Err(error) => say!("it could not be started: {error}", "non si è potuto avviare: {error}"),
    };
    Err(Failure::new(
        say!("\"{title}\" failed ({how}); the reason is above.", "«{title}» non è riuscito ({how}); il motivo è qui sopra."),
        say!("to repeat this step alone, in ui/: {typed}", "per ripetere solo questo passo, in ui/: {typed}"),
    ))
}
