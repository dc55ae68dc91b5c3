//! Long work that tells how far it is, and that whoever waits for it can end.

use crate::error::{Error, Result};
pub use data::watch::Watch;
use say::say;

/// Does what leaves nothing behind where it is ended, and then says so in place of the error that ended it.
///
/// # Errors
/// As the work, or if it was ended.
pub fn watched<T>(watch: Watch<'_>, work: impl FnOnce(Watch<'_>) -> Result<T>) -> Result<T> {
    let mut ended = false;
    let done = work(&mut |done, total| {
        ended = !watch(done, total);
        !ended
    });
    if ended { Err(cancelled()) } else { done }
}

/// Asks whether to go on, where nobody can say how far it is.
pub(crate) fn ask(watch: Watch<'_>) -> Result<()> {
    if watch(0, None) { Ok(()) } else { Err(cancelled()) }
}

/// What ends work that was told to.
pub(crate) fn cancelled() -> Error {
    Error::request(say!("cancelled; nothing of it is left", "annullato; non ne resta nulla"))
}
