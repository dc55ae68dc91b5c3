//! Where links lead: the window shows its own page and nothing else; links to the web open in the person's browser.

use std::process::{Command, Stdio};
use tauri::Url;

/// Whether the window may show this: its own page, and documents that the page itself writes into a frame.
pub fn inside(url: &Url) -> bool {
    match url.scheme() {
        "tauri" | "about" => true,
        // the same page, as Windows names it
        "http" | "https" => url.host_str() == Some("tauri.localhost"),
        _ => false,
    }
}

/// Opens a link to the web in the person's browser.
pub fn outside(url: &Url) {
    if url.scheme() != "https" {
        return;
    }
    let mut command = match std::env::consts::OS {
        "macos" => Command::new("open"),
        "windows" => {
            let mut command = Command::new("rundll32");
            command.arg("url.dll,FileProtocolHandler");
            command
        }
        _ => Command::new("xdg-open"),
    };
    // without a browser there is nobody to tell
    let _ = command.arg(url.as_str()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_shows_only_its_own_page() {
        let may = |url: &str| inside(&url.parse().expect("a link"));
        assert!(may("tauri://localhost/") && may("http://tauri.localhost/") && may("about:srcdoc"));
        assert!(!may("https://example.org/") && !may("file:///etc/passwd") && !may("http://localhost:1420/") && !may("data:text/html,x"));
    }
}
