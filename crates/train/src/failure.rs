//! What became of a device that failed: whether memory gave out, the device is lost, or it is something else.
//!
//! burn reports it in several ways. What is launched is checked only when a result of it is read, and the reading says then what
//! hindered the launch. Other failures are panics: on the thread that reads, or on the device's own thread, which catches and
//! logs them, so that a later reading tells their consequence alone. In all of them what tells one failure from another is a text
//! (`ExecutionError` has a variant for a lost device only, and values are copied after the call that could give it), so it is the
//! text that is looked at. Where each comes from stands beside it, by crate and version, because another version may say it
//! otherwise.

use burn::tensor::Device;
use std::any::Any;
use std::cell::Cell;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What became of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It had no memory for what was asked of it, and works on.
    Memory,
    /// Nothing on it can be used again by this process.
    Lost,
    /// Nothing that is known of its text.
    Other,
}

/// A failure as it is told to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it is.
    pub kind: Kind,
    /// What was said of it, in one line.
    pub what: String,
    /// How much memory was asked for in vain, in bytes, where it was said.
    pub bytes: Option<u64>,
}

/// What burn-std 0.22.1 (`ExecutionError::DevicePoisoned`) and cubecl-runtime 0.11.3 (`ServerError::DevicePoisoned`) say once
/// wgpu has called its device-lost callback; the reason stands two lines below.
const POISONED: &str = "The device is poisoned";

/// What is said of a device that is lost.
const LOST: [&str; 7] = [
    POISONED,
    // wgpu-core 30.0.1, `DeviceError::Lost`, from `Device::poll` by a panic: "Error in Device::poll: …"
    "Parent device is lost",
    // wgpu-hal 30.0.1, `DeviceError::Lost`
    "Device is lost",
    // cubecl-common 0.11.3, `CallError`: the device's own thread has ended
    "device runner channel disconnected",
    // burn-remote 0.22.1, where the other machine went away: `sync` and, by a panic, `dtype_usage`
    "Remote response channel closed",
    // burn-remote 0.22.1, `read_tensor_async`: the channel on which the answer would have come
    "Failed to read tensor: RecvError",
    // burn-remote 0.22.1, `ensure_connected`, by a panic
    "Failed to open a remote session",
];

/// What is said where memory gives out.
const MEMORY: [&str; 10] = [
    // cubecl-runtime 0.11.3, `IoError::BufferTooBig`: above the largest buffer or binding of the adapter
    TOO_BIG,
    // cubecl-runtime 0.11.3, `IoError::OutOfMemory`
    OUT_OF_MEMORY,
    // cubecl-runtime 0.11.3, `IoError::PageSizesExhausted`
    "every page size the memory tracks still holds live allocations",
    // wgpu 30.0.1, `Error::OutOfMemory`, in the panic that cubecl-wgpu 0.11.3 makes of it (`PoisonWatch::watch`)
    "wgpu error: Out of Memory",
    // cubecl-server 0.11.3, `ErrorGraph::unallocated`: that panic came on the device's own thread, in a reservation
    "was never allocated: the reservation behind it failed",
    // cubecl-server 0.11.3, `allocated`: the same, seen by what was to write there
    "Memory location was never initialized",
    // wgpu-core 30.0.1, `DeviceError::OutOfMemory`
    "Not enough memory left.",
    // wgpu-core 30.0.1, `CreateBufferError::MaxBufferSize`
    "is greater than the maximum buffer size",
    // wgpu-core 30.0.1, `CreateBindGroupError::BufferRangeTooLarge`
    "exceeds `max_*_buffer_binding_size` limit",
    // cubecl-wgpu 0.11.3, `write_to_buffer`, by a panic
    "no staging buffer could be allocated",
];
const TOO_BIG: &str = "can't allocate buffer of size: ";
const OUT_OF_MEMORY: &str = "out of device memory allocating ";

impl Failure {
    /// What a text says of a device.
    pub fn of(said: &str) -> Self {
        let found = |marks: &[&'static str]| marks.iter().copied().find(|mark| said.contains(mark));
        // a device that is lost because memory gave out is lost all the same
        let (kind, mark) = match (found(&LOST), found(&MEMORY)) {
            (Some(mark), _) => (Kind::Lost, mark),
            (None, Some(mark)) => (Kind::Memory, mark),
            (None, None) => (Kind::Other, ""),
        };
        let bytes = [TOO_BIG, OUT_OF_MEMORY].into_iter().find_map(|before| {
            let digits: String = said.split_once(before)?.1.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        });
        Self { kind, what: line(said, mark), bytes }
    }

    /// What an error says of a device.
    pub fn of_error(error: &impl Display) -> Self {
        Self::of(&error.to_string())
    }
}

/// The line of a text that tells most: the one with the mark, or the reason of a lost device.
fn line(said: &str, mark: &str) -> String {
    /// Characters that are told at most.
    const MOST: usize = 200;
    let mut lines = said.lines().map(str::trim).skip_while(|line| !line.contains(mark)).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let reason = if mark == POISONED { lines.find(|line| *line != "Caused by:") } else { None };
    reason.unwrap_or(first).chars().take(MOST).collect()
}

/// What a panic says for itself, if it is text.
pub fn said(panic: &(dyn Any + Send)) -> Option<&str> {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str))
}

/// What comes of work on a device; a panic in it that says of the device that it is lost, or out of memory, is an error. Others
/// go on: they are defects, and nothing is known of the state that they leave. The processor never says either.
///
/// # Errors
/// The work's own, or what became of the device.
pub fn caught<T, E: From<gemma::Error>>(device: &Device, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| match said(panic.as_ref()) {
        Some(what) if Failure::of(what).kind != Kind::Other => Err(gemma::Error::Device { device: gemma::device::name(device), what: what.into() }.into()),
        _ => resume_unwind(panic),
    })
}

/// What `compute` makes of rows in passes without a graph, in their order: `at_once` of them at a time, or fewer where the
/// device has no room for as many, and from there on.
///
/// # Errors
/// As `compute`; out of memory only if there is no room for a single row.
pub fn by_parts<T, E: From<gemma::Error> + Display>(
    device: &Device,
    rows: &[usize],
    at_once: &Cell<usize>,
    mut compute: impl FnMut(&[usize]) -> Result<Vec<T>, E>,
) -> Result<Vec<T>, E> {
    let (mut out, mut left) = (Vec::with_capacity(rows.len()), rows);
    while !left.is_empty() {
        let (part, rest) = left.split_at(at_once.get().clamp(1, left.len()));
        match caught(device, || compute(part)) {
            Ok(found) => {
                out.extend(found);
                left = rest;
            }
            Err(e) if part.len() > 1 && Failure::of_error(&e).kind == Kind::Memory => {
                at_once.set(part.len().div_ceil(2));
                gemma::device::release(device);
            }
            Err(e) => return Err(e),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts as they come, with what surrounds them.
    #[test]
    fn what_is_said_tells_memory_loss_and_the_rest_apart() {
        for (said, kind, what, bytes) in [
            (
                "An error happened during execution\nCaused by:\n  Several failures at once\nCaused by:\n  The bytes were never written (failure #3, \
                 still claiming 2 buffer(s))\nCaused by:\n  An IO error happened\nCaused by:\n  can't allocate buffer of size: 268435456\nBacktrace:\n 0: x",
                Kind::Memory,
                "can't allocate buffer of size: 268435456",
                Some(268_435_456),
            ),
            ("out of device memory allocating 4096 bytes\n", Kind::Memory, "out of device memory allocating 4096 bytes", Some(4096)),
            ("wgpu error: Out of Memory", Kind::Memory, "wgpu error: Out of Memory", None),
            (
                "couldn't find resource for that handle: memory ManagedMemoryId { value: 7 } was never allocated: the reservation behind it failed\n",
                Kind::Memory,
                "couldn't find resource for that handle: memory ManagedMemoryId { value: 7 } was never allocated: the reservation behind it failed",
                None,
            ),
            ("The device is poisoned\nCaused by:\n  Unknown: Device is lost\nBacktrace:\n", Kind::Lost, "Unknown: Device is lost", None),
            // memory gave out where wgpu does not go on from it
            ("Failed to read: The device is poisoned\nCaused by:\n\n  Unknown: Out of memory", Kind::Lost, "Unknown: Out of memory", None),
            ("Error in Device::poll: Validation Error\n\nCaused by:\n  Parent device is lost\n", Kind::Lost, "Parent device is lost", None),
            ("device remote: Failed to read tensor: RecvError(())", Kind::Lost, "device remote: Failed to read tensor: RecvError(())", None),
            ("\nindex out of bounds: the len is 3\nbut", Kind::Other, "index out of bounds: the len is 3", None),
            ("", Kind::Other, "", None),
        ] {
            assert_eq!(Failure::of(said), Failure { kind, what: what.into(), bytes }, "{said}");
        }
        let long = format!("wgpu error: Out of Memory {}", "x".repeat(900));
        assert_eq!(Failure::of(&long).what.chars().count(), 200);
    }

    #[test]
    fn only_panics_about_the_device_are_errors() {
        let device = Device::flex();
        let fails = |what: &'static str| caught(&device, || -> gemma::Result<()> { panic!("{what}") });
        assert!(fails("wgpu error: Out of Memory").is_err_and(|e| e.to_string().contains("Out of Memory")));
        let defect = catch_unwind(AssertUnwindSafe(|| fails("a defect"))).expect_err("it goes on");
        assert_eq!(said(defect.as_ref()), Some("a defect"));
        assert_eq!(caught(&device, || gemma::Result::Ok(3)).expect("computed"), 3);
    }

    #[test]
    fn rows_that_do_not_fit_at_once_are_halved_and_stay_halved() {
        let (device, at_once, tried) = (Device::flex(), Cell::new(16), Cell::new(0));
        let within = |room: usize, rows: &[usize]| {
            by_parts(&device, rows, &at_once, |part| -> gemma::Result<Vec<usize>> {
                tried.set(tried.get() + 1);
                assert!(part.len() <= room, "wgpu error: Out of Memory");
                Ok(part.iter().map(|row| row * 10).collect())
            })
        };
        let rows: Vec<usize> = (0..11).rev().collect();
        let expected: Vec<usize> = rows.iter().map(|row| row * 10).collect();
        assert_eq!(within(3, &rows).expect("it fits in the end"), expected);
        // eleven, six and three, of which it takes four
        assert_eq!((at_once.get(), tried.replace(0)), (3, 6));
        assert_eq!(within(3, &rows).expect("it fits at once"), expected);
        assert_eq!((at_once.get(), tried.get()), (3, 4));
        assert!(within(0, &rows).is_err_and(|e| Failure::of_error(&e).kind == Kind::Memory));
        assert_eq!(within(3, &[]).expect("nothing to do"), Vec::<usize>::new());
    }
}
