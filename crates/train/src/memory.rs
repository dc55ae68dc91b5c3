//! How much memory this process holds and held at most.

/// Resident memory now, in bytes; 0 where the system does not say.
pub fn resident() -> u64 {
    memory_stats::memory_stats().map_or(0, |m| m.physical_mem as u64)
}

/// Peak of the resident memory since the process began, in bytes.
///
/// The kernel keeps it on Unix (`getrusage`: kilobytes, bytes on macOS). Elsewhere the value now is
/// the best answer, so callers sample and keep the largest.
pub fn peak() -> u64 {
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
