//! The `lapidary` command, see the library of the same name.

use std::process::ExitCode;

/// Training allocates and frees the same few sizes over and over, which mimalloc keeps at hand
/// instead of returning them to the system.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    lapidary::main()
}
