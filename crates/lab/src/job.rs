//! Long work off the caller's thread: events come out, a stop goes in.

use crate::error::{Error, Result};
use say::say;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{mpsc, oneshot};
use train::Event;

/// A running piece of work.
pub struct Job<T> {
    events: mpsc::UnboundedReceiver<Event>,
    stop: Arc<AtomicBool>,
    done: oneshot::Receiver<Result<T>>,
}

impl<T: Send + 'static> Job<T> {
    /// Starts work on a thread of its own, which ends with it.
    pub fn start(work: impl FnOnce(&mut dyn FnMut(&Event), &AtomicBool) -> Result<T> + Send + 'static) -> Self {
        Self::start_until(Arc::default(), work)
    }

    /// As [`Job::start`], for those who stop it without holding it: [`Job::stop`] sets `stop`.
    pub fn start_until(stop: Arc<AtomicBool>, work: impl FnOnce(&mut dyn FnMut(&Event), &AtomicBool) -> Result<T> + Send + 'static) -> Self {
        let (send, events) = mpsc::unbounded_channel();
        let flag = stop.clone();
        let (end, done) = oneshot::channel();
        let body = move || {
            // a receiver that has gone away does not end the work
            let outcome = caught(|| work(&mut |event| drop(send.send(event.clone())), &flag));
            drop(send);
            drop(end.send(outcome));
        };
        // a thread that cannot be started drops both senders, which `finish` reports
        let _ = std::thread::Builder::new().name("job".into()).spawn(body);
        Self { events, stop, done }
    }

    /// The next event; `None` once the work has ended.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Asks the work to end soon and to keep what it has.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// What came of it.
    ///
    /// # Errors
    /// The work's own error, or that it crashed.
    pub async fn finish(self) -> Result<T> {
        self.done.await.map_err(|_| crashed(&say!("no thread could be started for it", "non si è potuto avviare un thread")))?
    }
}

/// What comes of work; a crash of it, as where memory or a device gives out, is an error like any other.
///
/// # Errors
/// The work's own, or that it crashed.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(crashed(&message(panic.as_ref()))))
}

/// What a crash says for itself.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    train::failure::said(panic).map_or_else(|| say!("it says no more", "non dice altro"), String::from)
}

fn crashed(why: &str) -> Error {
    Error::request(say!(
        "the work ended unexpectedly ({why}); if memory or the device gave out, free some memory or choose another device, \
         otherwise it is a defect of Lapidary: please report it",
        "il lavoro è finito in modo inatteso ({why}); se è mancata la memoria o il dispositivo, libera memoria o scegli un altro dispositivo, \
         altrimenti è un difetto di Lapidary: segnalalo"
    ))
}
