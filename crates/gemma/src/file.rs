//! Writing files so that a crash or a full disk never leaves half of one.

use std::fs::File;
use std::io::{Result, Write};
use std::path::Path;

/// Writes a file at once: a temporary file beside it, which reaches the disk and then takes its name.
///
/// # Errors
/// If the disk refuses; what stood at `path` before is then still there.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".part");
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().inspect_err(|_| {
        // the first error is the one to report; a leftover would only confuse
        let _ = std::fs::remove_file(&temporary);
    })
}
