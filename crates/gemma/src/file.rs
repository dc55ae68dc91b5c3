//! Writing files so that a crash or a full disk never leaves half of one.

use std::fs::File;
use std::io::{BufWriter, Result, Write};
use std::path::Path;

/// Writes a file at once: a temporary file beside it, which reaches the disk and then takes its name.
///
/// # Errors
/// If the disk refuses; what stood at `path` before is then still there.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    write_atomically_with(path, |out| out.write_all(bytes))
}

/// As [`write_atomically`], for what is too large to be held in memory: `fill` writes it.
///
/// # Errors
/// As [`write_atomically`], or what `fill` says.
pub fn write_atomically_with(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".part");
    let write = || {
        let mut file = BufWriter::new(File::create(&temporary)?);
        fill(&mut file)?;
        file.into_inner()?.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().inspect_err(|_| {
        // the first error is the one to report; a leftover would only confuse
        let _ = std::fs::remove_file(&temporary);
    })
}
