//! Long work over many rows that tells how far it is, and that whoever waits for it can end.

use crate::error::{Error, Result};
use rayon::prelude::*;
use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// Is told how much of long work is done, and of how much where that is known; `false` ends it.
pub type Watch<'a> = &'a mut dyn FnMut(u64, Option<u64>) -> bool;

/// Rows that are looked at between two questions whether to go on: some milliseconds' work.
pub const PIECE: usize = 4096;

/// How long whoever waits for what goes on aside is not asked whether to go on.
const BEAT: Duration = Duration::from_millis(10);

/// Does what cannot be asked in between, such as what a library makes, on a thread of its own: whoever ends it waits no longer, and
/// what comes of it after all is dropped.
///
/// # Errors
/// If it was ended.
pub fn aside<T: Send + 'static>(watch: Watch<'_>, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    if !watch(0, None) {
        return Err(Error::Ended);
    }
    let (send, made) = channel();
    // who has gone away hears nothing of it
    let thread = thread::spawn(move || drop(send.send(work())));
    loop {
        match made.recv_timeout(BEAT) {
            Ok(made) => return Ok(made),
            Err(RecvTimeoutError::Timeout) if watch(0, None) => {}
            Err(RecvTimeoutError::Timeout) => return Err(Error::Ended),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    // it has crashed
    match thread.join() {
        Err(crash) => resume_unwind(crash),
        Ok(()) => Err(Error::Ended),
    }
}

/// How far work is of which it is known beforehand how much it is. Nobody watches the default.
#[derive(Default)]
pub struct Steps<'a> {
    watch: Option<Watch<'a>>,
    done: u64,
    total: u64,
}

impl<'a> Steps<'a> {
    /// Work that counts so much in all.
    pub fn new(total: u64, watch: Watch<'a>) -> Self {
        Self { watch: Some(watch), done: 0, total }
    }

    /// Tells that so much more is done.
    ///
    /// # Errors
    /// If it was ended.
    pub fn after(&mut self, more: u64) -> Result<()> {
        self.done = self.done.saturating_add(more).min(self.total);
        let (done, total) = (self.done, self.total);
        let goes_on = self.watch.as_mut().is_none_or(|watch| watch(done, Some(total)));
        if goes_on { Ok(()) } else { Err(Error::Ended) }
    }

    /// What all cores make of items, in the order of these; each counts one.
    ///
    /// # Errors
    /// If it was ended.
    pub fn each<T: Sync, U: Send>(&mut self, items: &[T], make: impl Fn(&T) -> Option<U> + Sync) -> Result<Vec<U>> {
        let mut out = Vec::new();
        for piece in items.chunks(PIECE) {
            out.par_extend(piece.par_iter().filter_map(&make));
            self.after(piece.len() as u64)?;
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_only_grows_up_to_the_whole_and_the_order_stays() {
        let items: Vec<usize> = (0..2 * PIECE + 7).collect();
        let (whole, mut told) = (items.len() as u64 + 5, Vec::new());
        let mut watch = |done: u64, total: Option<u64>| {
            told.push((done, total));
            true
        };
        let mut steps = Steps::new(whole, &mut watch);
        let even = steps.each(&items, |i| (i % 2 == 0).then_some(*i)).expect("nobody ended it");
        steps.after(5).expect("nobody ended it");
        // who counts too much does not pass the end
        steps.after(9).expect("nobody ended it");
        assert!(even.len() == items.len().div_ceil(2) && even.is_sorted());
        assert_eq!(told, [PIECE as u64, 2 * PIECE as u64, whole - 5, whole, whole].map(|done| (done, Some(whole))));
    }

    #[test]
    fn what_is_ended_goes_no_further() {
        let (items, mut asked) = (vec![0u8; 3 * PIECE], 0);
        let mut watch = |_: u64, _: Option<u64>| {
            asked += 1;
            asked < 2
        };
        assert!(Steps::new(1, &mut watch).each(&items, |i| Some(*i)).is_err_and(|e| matches!(e, Error::Ended)));
        assert_eq!(asked, 2);
        assert_eq!(Steps::default().each(&items, |i| Some(*i)).expect("nobody watches"), items);
    }

    #[test]
    fn what_goes_on_aside_is_not_waited_for_once_it_is_ended() {
        let (begun, begins) = channel();
        let (stays, leaves) = channel::<()>();
        let work = move || {
            begun.send(()).expect("somebody waits for the beginning");
            // it would never end by itself
            leaves.recv().is_err()
        };
        let mut waited = false;
        let mut watch = |done: u64, total: Option<u64>| {
            assert_eq!((done, total), (0, None));
            // the first question is asked before the work begins
            !std::mem::replace(&mut waited, true) || begins.recv().is_err()
        };
        assert!(matches!(aside(&mut watch, work), Err(Error::Ended)));
        drop(stays);
        assert!(matches!(aside::<()>(&mut |_, _| false, || panic!("it was ended before it began")), Err(Error::Ended)));
        assert_eq!(aside(&mut |_, _| true, || 7).expect("nobody ended it"), 7);
        let crashed = std::panic::catch_unwind(|| aside::<()>(&mut |_, _| true, || resume_unwind(Box::new("planted"))));
        assert!(crashed.is_err_and(|why| why.downcast_ref() == Some(&"planted")));
    }
}
