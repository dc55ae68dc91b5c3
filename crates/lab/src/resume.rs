//! Pausing and going on: in the process that trains, or in another one after a crash or the loss of a device.

use crate::error::{Error, Result};
use crate::home::Home;
use crate::recipe::Recipe;
use crate::run::{CHECKPOINTS, GoingOn, PAUSE, Request, RunLock, SCORING, train_from};
use report::record::{RunFile, RunResult};
use say::say;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use train::{Event, checkpoint};

/// What became of a request to go on.
pub enum Resumed {
    /// The run waits in another process, which goes on now.
    Elsewhere,
    /// The run was finished here.
    Here(Box<RunResult>),
}

/// Asks the process that trains into `folder` to wait before its next step, with everything on disk.
///
/// # Errors
/// If no process trains there, its training is over, or the folder cannot be written.
pub fn pause(folder: &Path) -> Result<()> {
    RunFile::read(folder)?;
    if !RunLock::is_held(folder) {
        return Err(Error::request(say!(
            "{} is not being trained now; lapidary resume goes on with it",
            "{} non è in addestramento ora; lapidary resume prosegue",
            folder.display()
        )));
    }
    if folder.join(SCORING).exists() {
        return Err(Error::request(say!(
            "{} has been trained and is being scored, which does not wait; let it end, or stop it and go on with lapidary resume",
            "{} è già addestrata e la si sta valutando, cosa che non aspetta; lasciala finire, oppure fermala e prosegui con lapidary resume",
            folder.display()
        )));
    }
    let path = folder.join(PAUSE);
    std::fs::write(&path, b"").map_err(|e| Error::io(&path, e))
}

/// Lets a process that waits in `folder` go on; whether one was asked to wait.
///
/// # Errors
/// If the folder cannot be written.
pub(crate) fn release(folder: &Path) -> Result<bool> {
    let path = folder.join(PAUSE);
    match std::fs::remove_file(&path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Error::io(&path, e)),
    }
}

/// Goes on with a run: lets a waiting process go on, or trains here from the last whole checkpoint; on `device`, or on the one
/// that was chosen when it began.
///
/// # Errors
/// If the run has ended, has no checkpoint, or its data or model have changed; a device is named and another process trains;
/// or as [`crate::run::train`].
pub fn resume(home: &Home, folder: &Path, device: Option<&str>, on_event: &mut dyn FnMut(&Event), stop: &AtomicBool) -> Result<Resumed> {
    let record = RunFile::read(folder)?;
    if device.is_some() {
        // a process that waits has its device
        drop(RunLock::take(folder)?);
    }
    if release(folder)? && RunLock::is_held(folder) {
        return Ok(Resumed::Elsewhere);
    }
    drop(RunLock::take(folder)?);
    // a run that was cut off has no result
    if folder.join("result.json").exists() && RunResult::read(folder)?.status == "completed" {
        return Err(Error::request(say!(
            "{} is finished; lapidary report writes its report",
            "{} è finita; lapidary report ne scrive il rapporto",
            folder.display()
        )));
    }
    let fail = |e: toml::de::Error| {
        Error::request(say!("{}: cannot be read ({e}); train again", "{}: non si può leggere ({e}); ripeti l’addestramento", folder.join("run.toml").display()))
    };
    let mut request: Request = record.request.clone().try_into().map_err(fail)?;
    let recipe = Recipe::of_run(&record, folder)?;
    // the folder may have been moved since
    request.out = folder.into();
    if let Some(device) = device {
        request.device = device.into();
    }
    let (snapshot, damaged) = checkpoint::latest(&folder.join(CHECKPOINTS));
    let Some(snapshot) = snapshot else {
        let why = damaged.first().map_or_else(|| say!("it was interrupted before its first one", "è stata interrotta prima del primo"), Clone::clone);
        return Err(Error::request(say!(
            "{} has no checkpoint to go on from ({why}); train again: {}",
            "{} non ha un checkpoint da cui proseguire ({why}); ripeti l’addestramento: {}",
            folder.display(),
            record.command
        )));
    };
    let going_on = GoingOn { record, recipe, snapshot, damaged };
    Ok(Resumed::Here(Box::new(train_from(home, &request, Some(going_on), on_event, stop)?)))
}
