//! Work that is better done in a process of its own: what a driver may crash, and what must be measured from nothing.
//!
//! The child is this very program, started with a word that says what to do ([`as_child`]). It is asked on its command
//! line and its standard input, answers on its standard output, and says what failed on its standard error.

use crate::error::{Error, Result};
use crate::{bench, devices, forecast, remote};
use say::say;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How child processes are started.
#[derive(Clone, Debug)]
pub struct Children {
    /// The program, which must call [`as_child`] before anything else.
    pub program: PathBuf,
    /// When a child counts as hung. Tuning its kernels takes a software adapter minutes.
    pub patience: Duration,
}

/// Why a child gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It was no longer wanted.
    Cancelled,
    /// How it ended, for people, and the last thing that it said.
    Because {
        /// For instance `the driver crashed (signal 11)`; empty where it ended in its own way.
        ended: String,
        /// The last line of its standard error.
        last: String,
    },
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cancelled => f.write_str(&say!("it was no longer wanted", "non serviva più")),
            Self::Because { ended, last } if ended.is_empty() => f.write_str(last),
            Self::Because { ended, last } if last.is_empty() => f.write_str(ended),
            Self::Because { ended, last } => write!(f, "{ended}: {last}"),
        }
    }
}

fn because(ended: impl Into<String>) -> Failed {
    Failed::Because { ended: ended.into(), last: String::new() }
}

impl Children {
    /// This very program.
    ///
    /// # Errors
    /// If the system does not tell where it is.
    pub fn own() -> Result<Self> {
        let program = std::env::current_exe().map_err(|e| {
            Error::request(say!(
                "this program cannot be found, to start another process of it: {e}",
                "non si trova questo programma, per avviarne un altro processo: {e}"
            ))
        })?;
        Ok(Self { program, patience: Duration::from_secs(900) })
    }

    /// What a child answers; it is ended when `cancel` is set.
    pub(crate) fn answer(&self, words: &[&OsStr], input: &str, cancel: &AtomicBool) -> std::result::Result<String, Failed> {
        let mut command = Command::new(&self.program);
        // it speaks as its parent does
        command.env(say::VARIABLE, say::language().code());
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
            // Vulkan wants some writable folder where no session has set one
            command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
        }
        let mut child =
            command.spawn().map_err(|e| because(say!("{} could not be started: {e}", "{} non si è potuto avviare: {e}", self.program.display())))?;
        let (said, complained) = (reader(child.stdout.take()), reader(child.stderr.take()));
        if let Some(mut to) = child.stdin.take() {
            // a child that does not listen ends by itself, and its end says more than this would
            let _ = to.write_all(input.as_bytes());
        }
        let status = self.wait(&mut child, cancel)?;
        let (said, complained) = (said.join().unwrap_or_default(), complained.join().unwrap_or_default());
        if status.success() {
            return Ok(said);
        }
        let last = complained
            .lines()
            .rev()
            .find(|l| !l.trim().is_empty())
            .unwrap_or(say::pick("it gave no reason", "non ha detto perché"))
            .chars()
            .take(400)
            .collect();
        Err(Failed::Because { ended: ended(status), last })
    }

    fn wait(&self, child: &mut Child, cancel: &AtomicBool) -> std::result::Result<ExitStatus, Failed> {
        let begun = Instant::now();
        let failed = loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Err(e) => break because(say!("its process was lost: {e}", "il suo processo è andato perso: {e}")),
                Ok(None) if cancel.load(Ordering::Relaxed) => break Failed::Cancelled,
                Ok(None) if begun.elapsed() >= self.patience => {
                    break because(say!("it did not answer within {} s", "non ha risposto entro {} s", self.patience.as_secs()));
                }
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        // it may have ended in this moment, which is as well
        let _ = child.kill();
        let _ = child.wait();
        Err(failed)
    }
}

/// Reads what a child writes, so that it never waits for room.
fn reader(from: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            // what was read before a failure is worth having
            let _ = from.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// How a process ended, for people; nothing where it said so itself.
fn ended(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return say!("its process crashed (signal {signal})", "il suo processo si è interrotto (segnale {signal})");
    }
    match status.code() {
        Some(1) => String::new(),
        Some(code) => say!("its process ended with code {code}", "il suo processo è terminato con il codice {code}"),
        None => say!("its process was ended", "il suo processo è stato terminato"),
    }
}

/// Does what the words of the command line started this process for, if it was started by another one of this program:
/// the answer goes to `out`, what failed to `err`. A program asks before it does anything else.
pub fn as_child(words: impl Iterator<Item = OsString>, out: &mut impl Write, err: &mut impl Write) -> Option<ExitCode> {
    let words: Vec<OsString> = words.skip(1).collect();
    let word = words.first()?.to_str()?;
    if let (devices::PROBE | devices::PROBE_HALVED | remote::ASK | forecast::MEASURE | bench::STEP, Ok(code)) = (word, std::env::var(say::VARIABLE)) {
        say::speak(say::Language::of_code(&code));
    }
    let done = match (word, &words[1..]) {
        (devices::PROBE, [id, fusion, kernels]) => devices::probe(&id.to_string_lossy(), fusion == "fused", kernels.as_ref(), std::io::stdin()),
        (devices::PROBE_HALVED, [id, fusion, kernels]) => devices::probe_halved(&id.to_string_lossy(), fusion == "fused", kernels.as_ref()),
        (remote::ASK, [address]) => remote::answer(&address.to_string_lossy(), std::io::stdin()),
        (forecast::MEASURE, [home]) => forecast::measured(home.as_ref(), std::io::stdin()),
        (bench::STEP, [home]) => bench::measured(home.as_ref(), std::io::stdin()),
        _ => return None,
    };
    // a parent that has gone away reads neither
    Some(match done {
        Ok(answer) => writeln!(out, "{answer}").map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS),
        Err(reason) => writeln!(err, "{reason}").map_or(ExitCode::FAILURE, |()| ExitCode::FAILURE),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_makes_a_child() {
        let child = |words: &[&str]| {
            let mut complaint = Vec::new();
            let code = as_child(words.iter().map(OsString::from), &mut Vec::new(), &mut complaint);
            (code.is_some(), String::from_utf8_lossy(&complaint).into_owned())
        };
        assert_eq!(child(&["lapidary"]), (false, String::new()));
        assert_eq!(child(&["lapidary", "devices"]), (false, String::new()));
        assert_eq!(child(&["lapidary", "train", "cpu", "fused"]), (false, String::new()));
        for word in [devices::PROBE, devices::PROBE_HALVED] {
            let (ran, complaint) = child(&["lapidary", word, "gpu:99", "fused", "kernels"]);
            assert!(ran && complaint.contains("is not on this machine"), "{complaint}");
        }
    }
}
