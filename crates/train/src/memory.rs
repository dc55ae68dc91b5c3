//! How much memory this process holds and held at most.

use gemma::file::kibibytes;

/// Resident memory now, in bytes; 0 where the system does not say.
pub fn resident() -> u64 {
    memory_stats::memory_stats().map_or(0, |m| m.physical_mem as u64)
}

/// Peak of the resident memory since the process began, in bytes.
///
/// Linux keeps it for each program (`VmHWM`). What `getrusage` keeps on other Unix systems (kilobytes, bytes on macOS)
/// begins with what the parent process held. Elsewhere the value now is the best answer, so callers sample and keep the
/// largest.
pub fn peak() -> u64 {
    if let Some(bytes) = kibibytes("/proc/self/status", "VmHWM:") {
        return bytes;
    }
    #[cfg(unix)]
    {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the pointer is to a live rusage, which getrusage fills; zeroes are valid too.
        let usage = unsafe {
            if libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) != 0 {
                return resident();
            }
            usage.assume_init()
        };
        let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
        u64::try_from(usage.ru_maxrss).unwrap_or(0) * unit
    }
    #[cfg(not(unix))]
    resident()
}

/// Memory in bytes that programs could still take without making the system swap, where it says so.
pub fn available() -> Option<u64> {
    kibibytes("/proc/meminfo", "MemAvailable:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_at_least_what_is_held() {
        let held = vec![1u8; 64 << 20];
        // read, so that the pages are really there
        assert_eq!(held.iter().map(|&b| usize::from(b)).sum::<usize>(), 64 << 20);
        let (peak, resident) = (peak(), resident());
        assert!(resident == 0 || (peak >= 64 << 20 && peak + (8 << 20) >= resident), "{peak} {resident}");
    }
}
