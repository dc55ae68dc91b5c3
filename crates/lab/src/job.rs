//! Long work off the caller's thread: events come out, a stop goes in.

use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use train::Event;

/// A running piece of work.
pub struct Job<T> {
    events: mpsc::UnboundedReceiver<Event>,
    stop: Arc<AtomicBool>,
    done: JoinHandle<Result<T>>,
}

impl<T: Send + 'static> Job<T> {
    /// Starts work on a thread of its own; needs a tokio runtime.
    pub fn start(work: impl FnOnce(&mut dyn FnMut(&Event), &AtomicBool) -> Result<T> + Send + 'static) -> Self {
        let (send, events) = mpsc::unbounded_channel();
        let stop = Arc::new(AtomicBool::new(false));
        let flag = stop.clone();
        let done = tokio::task::spawn_blocking(move || {
            // a receiver that has gone away does not end the work
            work(&mut |event| drop(send.send(event.clone())), &flag)
        });
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

    /// What [`Job::stop`] sets, for those who do not hold the job.
    pub fn stopper(&self) -> Arc<AtomicBool> {
        self.stop.clone()
    }

    /// What came of it.
    ///
    /// # Errors
    /// The work's own error, or that it crashed.
    pub async fn finish(self) -> Result<T> {
        self.done.await.map_err(|e| Error::request(format!("the work ended unexpectedly ({e}); this is a defect of Lapidary: please report it")))?
    }
}
