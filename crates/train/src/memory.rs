//! How much memory this process holds and held at most, and how much there is.

use gemma::file::kibibytes;
#[cfg(not(unix))]
use std::sync::atomic::{AtomicU64, Ordering};

/// The most that [`resident`] has found.
#[cfg(not(unix))]
static MOST: AtomicU64 = AtomicU64::new(0);

/// Resident memory now, in bytes; 0 where the system does not say.
pub fn resident() -> u64 {
    let held = memory_stats::memory_stats().map_or(0, |m| m.physical_mem as u64);
    #[cfg(not(unix))]
    MOST.fetch_max(held, Ordering::Relaxed);
    held
}

/// Peak of the resident memory since the process began, in bytes.
///
/// Linux keeps it for each program (`VmHWM`). What `getrusage` keeps on other Unix systems (kilobytes, bytes on macOS)
/// begins with what the parent process held. Elsewhere it is the most that [`resident`] has found, which the training loop
/// asks after every step.
pub fn peak() -> u64 {
    // elsewhere a file of this name is somebody else's
    if cfg!(target_os = "linux")
        && let Some(bytes) = kibibytes("/proc/self/status", "VmHWM:")
    {
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
    {
        let now = resident();
        MOST.load(Ordering::Relaxed).max(now)
    }
}

/// Memory in bytes that this process could still take: what the system has left without swapping, and no more than the limits
/// of a container leave; `None` where the system does not say.
#[cfg(target_os = "linux")]
pub fn available() -> Option<u64> {
    let free = kibibytes("/proc/meminfo", "MemAvailable:")?;
    Some(crate::groups::allowed("/proc/self/cgroup".as_ref(), "/sys/fs/cgroup".as_ref()).map_or(free, |left| left.min(free)))
}

/// Memory in bytes that this process could still take: what the system has left without swapping; `None` where it does not say.
#[cfg(not(target_os = "linux"))]
pub fn available() -> Option<u64> {
    let mut system = sysinfo::System::new();
    system.refresh_memory_specifics(sysinfo::MemoryRefreshKind::nothing().with_ram());
    Some(system.available_memory()).filter(|&free| free > 0)
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

    #[test]
    fn there_is_memory_left() {
        assert!(available().is_none_or(|free| free > 1 << 20), "{:?}", available());
    }
}
