//! Long work that tells how far it is, and that whoever waits for it can end.

use crate::error::{Error, Result};
use say::say;

/// Is told how much of long work is done, and of how much where that is known; `false` ends it.
pub type Watch<'a> = &'a mut dyn FnMut(u64, Option<u64>) -> bool;

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

/// What ends work that was told to.
pub(crate) fn cancelled() -> Error {
    Error::request(say!("cancelled; nothing of it is left", "annullato; non ne resta nulla"))
}
