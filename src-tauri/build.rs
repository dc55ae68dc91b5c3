//! Puts the user interface into the program. Without one (`cargo clippy` in a fresh clone), a page that says how
//! to build it stands in its place.

use std::path::Path;

/// Also what the tests know it by.
const PLACEHOLDER: &str = "<!doctype html><meta charset=\"utf-8\"><title>Lapidary</title>\
    <p>This build holds no user interface: start the window with <code>cargo xtask run</code>.</p>\n";

fn main() {
    let page = Path::new("../ui/dist/index.html");
    if !page.exists()
        && let Err(e) = std::fs::create_dir_all("../ui/dist").and_then(|()| std::fs::write(page, PLACEHOLDER))
    {
        // a message instead of a panic's back-trace
        println!("cargo::error=ui/dist cannot be made ({e}); check that the repository can be written to");
    }
    println!("cargo::rerun-if-changed=../ui/dist");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|own| own == value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        // 7 of 122 MB: places that the loader has to adjust, as bits instead of as 24 bytes each; glibc reads them since 2.36
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    tauri_build::build();
}
