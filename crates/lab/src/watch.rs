//! Long work that tells how far it is, and that whoever waits for it can end.

use crate::error::{Error, Result};
pub use data::watch::Watch;
use say::say;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::time::Duration;

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

/// Goes on until `stop` is set, and tells nobody how far it is.
pub(crate) fn waiting(stop: &AtomicBool) -> impl FnMut(u64, Option<u64>) -> bool {
    move |_, _| !stop.load(Ordering::Relaxed)
}

/// Asks whether to go on, where nobody can say how far it is.
pub(crate) fn ask(watch: Watch<'_>) -> Result<()> {
    if watch(0, None) { Ok(()) } else { Err(cancelled()) }
}

/// How long whoever waits for what others hold looks away: less than those who hold it for long let go of it in between.
const PAUSE: Duration = Duration::from_micros(200);

/// Waits for what others hold, and asks meanwhile whether to go on.
pub(crate) fn held<'m, T>(mutex: &'m Mutex<T>, watch: Watch<'_>) -> Result<MutexGuard<'m, T>> {
    held_with(mutex, &mut || ask(watch))
}

/// As [`held`]; `go_on` is what is asked.
pub(crate) fn held_with<'m, T, E>(mutex: &'m Mutex<T>, go_on: &mut dyn FnMut() -> std::result::Result<(), E>) -> std::result::Result<MutexGuard<'m, T>, E> {
    loop {
        match mutex.try_lock() {
            Ok(held) => return Ok(held),
            // every value here is whole between two statements
            Err(TryLockError::Poisoned(held)) => return Ok(held.into_inner()),
            Err(TryLockError::WouldBlock) => go_on()?,
        }
        std::thread::sleep(PAUSE);
    }
}

/// What comes of work that cannot be asked in between, such as opening a model's tokenizer, see [`data::watch::aside`].
pub(crate) fn aside<T: Send + 'static>(watch: Watch<'_>, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    data::watch::aside(watch, work)?
}

/// What ends work that was told to.
pub(crate) fn cancelled() -> Error {
    Error::request(say!("cancelled; nothing of it is left", "annullato; non ne resta nulla"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_hold_is_waited_for_only_as_long_as_somebody_wants_it() {
        let mutex = Mutex::new(7);
        assert_eq!(*held(&mutex, &mut |_, _| false).expect("nobody holds it, so nobody is asked"), 7);
        let own = mutex.lock().expect("whole");
        let mut asked = 0;
        let mut watch = |done: u64, total: Option<u64>| {
            assert_eq!((done, total), (0, None));
            asked += 1;
            asked < 3
        };
        assert!(held(&mutex, &mut watch).is_err_and(|e| e.to_string() == cancelled().to_string()));
        assert_eq!(asked, 3);
        // and is had once it is let go of
        let (asks, asked) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| *held(&mutex, &mut |_, _| asks.send(()).is_ok()).expect("had"));
            asked.recv().expect("it waits");
            drop(own);
            assert_eq!(waiting.join().expect("no crash"), 7);
        });
    }
}
