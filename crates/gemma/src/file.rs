//! Writing files so that a crash or a full disk never leaves half of one, and reading those too large for memory.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Result, Write};
use std::ops::Range;
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
    write_into(path, File::options().write(true).create(true).truncate(true), fill)
}

/// As [`write_atomically`], for what nobody else on this machine shall read: on Unix the file is its owner's alone, elsewhere it
/// is as open as its folder.
///
/// # Errors
/// As [`write_atomically`].
pub fn write_privately(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // one that a crash left behind may be open to others
    let _ = std::fs::remove_file(unfinished(path));
    write_into(path, &options, |out| out.write_all(bytes))
}

fn write_into(path: &Path, options: &OpenOptions, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let temporary = unfinished(path);
    let write = || {
        let mut file = BufWriter::new(options.open(&temporary)?);
        fill(&mut file)?;
        file.into_inner()?.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().inspect_err(|_| {
        // the first error is the one to report; a leftover would only confuse
        let _ = std::fs::remove_file(&temporary);
    })
}

/// Maps a file into memory: nothing of it is read before it is asked for.
///
/// # Errors
/// If there is no such file, or it cannot be read.
pub fn map(path: &Path) -> Result<memmap2::Mmap> {
    let file = File::open(path)?;
    // SAFETY: the map is read-only; another process that truncates the file while we run would end this one, which is
    // accepted and documented.
    unsafe { memmap2::Mmap::map(&file) }
}

/// Gives back the memory that a part of a mapped file has taken since it was read: such pages count as this process's own until the
/// system wants them. They are read again where they are asked for again. Where there is no way to say so, nothing happens.
pub fn forget(map: &memmap2::Mmap, part: Range<usize>) {
    let part = part.start.min(map.len())..part.end.min(map.len());
    // SAFETY: the part lies inside the map, which is shared, read-only, and of a file that does not change (see [`map`]), so whoever reads these pages, now or
    // later, finds in them what was there.
    #[cfg(unix)]
    let _ = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, part.start, part.len()) };
    #[cfg(not(unix))]
    let _ = (map, part);
}

/// Makes a folder that appears whole or not at all: `fill` fills another beside it, which then takes its name.
/// `path` must not exist; `io` makes an error of a path and of what the disk said of it.
///
/// # Errors
/// If the disk refuses, or what `fill` says; what was begun is gone then.
pub fn folder_atomically<E>(
    path: &Path,
    io: impl Fn(&Path, std::io::Error) -> E,
    fill: impl FnOnce(&Path) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let temporary = unfinished(path);
    let temporary = Path::new(&temporary);
    let make = || {
        std::fs::create_dir_all(temporary).map_err(|e| io(temporary, e))?;
        fill(temporary)?;
        std::fs::rename(temporary, path).map_err(|e| io(path, e))
    };
    make().inspect_err(|_| {
        // the first error is the one to report; a leftover would only confuse
        let _ = std::fs::remove_dir_all(temporary);
    })
}

/// What a file or folder is called until it is whole.
fn unfinished(path: &Path) -> OsString {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name
}

/// The bytes of a line `Name:  123 kB` of one of Linux' files.
pub fn kibibytes(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|l| l.strip_prefix(name))?.trim().strip_suffix("kB")?.trim();
    Some(value.parse::<u64>().ok()? * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_of_a_mapped_file_is_given_back_and_can_be_read_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().canonicalize().expect("a path").join("mapped");
        std::fs::write(&path, vec![1u8; 1 << 20]).expect("written");
        let map = map(&path).expect("mapped");
        let sum = || map.iter().map(|&b| usize::from(b)).sum::<usize>();
        // what the system says of this map alone, in kilobytes
        let resident = || -> usize {
            let maps = std::fs::read_to_string("/proc/self/smaps").expect("a list of maps");
            let (_, own) = maps.split_once(path.to_str().expect("a path in UTF-8")).expect("this map");
            let line = own.lines().find_map(|line| line.strip_prefix("Rss:")).expect("its size");
            line.trim().trim_end_matches(" kB").parse().expect("a number")
        };
        assert_eq!((sum(), resident()), (1 << 20, 1024));
        forget(&map, 1 << 18..1 << 20);
        assert_eq!(resident(), 256);
        assert_eq!((sum(), resident()), (1 << 20, 1024));
    }
}
