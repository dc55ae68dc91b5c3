//! Lapidary's window: a Tauri shell upon `lab`.
//!
//! [`commands`] are what the page can ask (each a few lines that call `lab`), [`grants`] the files that a person let it
//! touch, [`closing`] what becomes of a training when the window closes, [`menu`] the menu with its shortcuts,
//! [`links`] where links lead, [`words`] what the shell itself says, [`log`] the log file, [`apology`] what is told where there is no
//! window. The page lies in `ui/`; what it calls is in `ui/src/backend/door.ts`.
#![cfg_attr(windows, windows_subsystem = "windows")]

mod apology;
mod closing;
mod commands;
mod grants;
mod links;
mod log;
mod menu;
mod shell;
mod words;

use say::{Language, say};
use shell::Shell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tauri::utils::config::CspDirectiveSources;
use tauri::{Manager, RunEvent, WebviewUrl, WebviewWindowBuilder, WindowEvent};

/// Training allocates and frees the same few sizes over and over, which mimalloc keeps at hand
/// instead of returning them to the system.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The one window.
const MAIN: &str = "main";

fn main() -> ExitCode {
    // what a driver may crash, or what must be measured from nothing, this program does in another process of itself
    if let Some(code) = lab::child::as_child(std::env::args_os(), &mut std::io::stdout(), &mut std::io::stderr()) {
        return code;
    }
    // packages hold one program under two names
    if called(std::env::args_os().next().as_deref()) == Some(COMMAND.into()) {
        return lapidary::main();
    }
    #[cfg(target_os = "linux")]
    draw_surely();
    lab::background::workers_step_back();
    let folder = std::env::current_dir().unwrap_or_default();
    let (home, paths) = arguments(std::env::args_os().skip(1).map(PathBuf::from), &folder);
    // until the library is open, and with it the person's own choice
    say::speak(Language::of_locale(|name| std::env::var(name).ok()));
    let shell = match lab::Home::open(home.as_deref()) {
        Ok(home) => Shell::new(home),
        Err(e) => {
            apology::tell(&e.to_string());
            return ExitCode::FAILURE;
        }
    };
    say::speak(shell.language().into());
    match run(shell, paths) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            apology::tell(&say!("the window cannot be opened: {e}", "la finestra non si può aprire: {e}"));
            ExitCode::FAILURE
        }
    }
}

/// With NVIDIA's driver the web view's fast way to the screen may leave the window blank; the slower one does not. Without a graphics
/// device the processor would stand in for one whenever something moves, in 105 MB more and on the cores that train; it draws
/// by itself then. Whoever has said how it is to be drawn knows better.
#[cfg(target_os = "linux")]
fn draw_surely() {
    let nvidia = ["/proc/driver/nvidia", "/sys/module/nvidia"].iter().any(|path| Path::new(path).exists());
    let named = |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with("renderD");
    let graphics = nvidia || std::fs::read_dir("/dev/dri").is_ok_and(|mut all| all.any(|entry| entry.is_ok_and(named)));
    for (wanted, name) in [(nvidia, "WEBKIT_DISABLE_DMABUF_RENDERER"), (!graphics, "WEBKIT_DISABLE_COMPOSITING_MODE")] {
        if wanted && std::env::var_os(name).is_none() {
            // SAFETY: nobody else reads or writes the environment meanwhile: no other thread has been started yet, and GTK, which reads it
            // by itself, is started later.
            unsafe { std::env::set_var(name, "1") };
        }
    }
}

/// The name under which this program is the command and no window.
const COMMAND: &str = "lapidary";

/// The name that this program was called by.
fn called(word: Option<&std::ffi::OsStr>) -> Option<std::ffi::OsString> {
    Path::new(word?).file_stem().map(Into::into)
}

/// `[--home DIR] [FILE OR FOLDER]…`, as they were said in a folder; the home may also stand in `LAPIDARY_HOME`.
fn arguments(mut words: impl Iterator<Item = PathBuf>, folder: &Path) -> (Option<PathBuf>, Vec<PathBuf>) {
    let mut home = std::env::var_os("LAPIDARY_HOME").filter(|h| !h.is_empty()).map(PathBuf::from);
    let mut paths = Vec::new();
    while let Some(word) = words.next() {
        if word.as_os_str() == "--home" {
            home = words.next().map(|word| folder.join(word)).or(home);
        } else {
            let whole = folder.join(word);
            paths.push(std::path::absolute(&whole).unwrap_or(whole));
        }
    }
    (home, paths)
}

fn run(shell: Shell, paths: Vec<PathBuf>) -> tauri::Result<()> {
    shell.offer(paths);
    let mut context: tauri::Context = tauri::generate_context!();
    allow_reports(context.config_mut());
    tauri::Builder::default()
        .plugin(tauri_plugin_single_instance::init(|app, words, folder| {
            // a second start shows the first one, and hands its files over
            let (_, paths) = arguments(words.into_iter().skip(1).map(PathBuf::from), Path::new(&folder));
            app.state::<Shell>().offer(paths);
            shell::deliver(app);
            shell::show(app);
        }))
        .plugin(tauri_plugin_dialog::init())
        // the window is shown when it is ready, whether or not it was hidden behind a training last time
        .plugin(tauri_plugin_window_state::Builder::default().with_state_flags(remembered()).build())
        .manage(shell)
        .invoke_handler(commands::handler())
        .on_menu_event(|app, event| menu::chosen(app, event.id().as_ref()))
        .on_window_event(|window, event| match event {
            WindowEvent::CloseRequested { api, .. } => closing::requested(window, api),
            WindowEvent::DragDrop(tauri::DragDropEvent::Drop { paths, .. }) => window.state::<Shell>().grants.add(paths),
            _ => {}
        })
        .setup(|app| {
            let language = app.state::<Shell>().language();
            app.set_menu(menu::build(app.handle(), language)?)?;
            // what the system draws around the page has the page's colours
            app.handle().set_theme(app.state::<Shell>().theme());
            WebviewWindowBuilder::new(app, MAIN, WebviewUrl::default())
                .title("Lapidary")
                .inner_size(1280.0, 800.0)
                .min_inner_size(900.0, 600.0)
                // what is copied is mostly fetched first, and then it is no answer to a click any more, without which the web view
                // would let nothing be copied
                .enable_clipboard_access()
                .on_navigation(links::inside)
                .on_new_window(|url, _| {
                    links::outside(&url);
                    tauri::webview::NewWindowResponse::Deny
                })
                .build()?;
            Ok(())
        })
        .build(context)?
        .run(|app, event| match event {
            RunEvent::ExitRequested { code: None, api, .. } => closing::exiting(app, &api),
            #[cfg(target_os = "macos")]
            RunEvent::Opened { urls } => {
                // as good as named on a command line
                app.state::<Shell>().offer(urls.iter().filter_map(|url| url.to_file_path().ok()).collect());
                shell::deliver(app);
                shell::show(app);
            }
            // a second start, which elsewhere shows the first one, is no process of its own here
            #[cfg(target_os = "macos")]
            RunEvent::Reopen { .. } => shell::show(app),
            _ => {}
        });
    Ok(())
}

/// The page has no style but by its own files. A report, which it shows in a frame by its text, has that page's policy beside its own,
/// and brings one style sheet, which the policy is told of here by the hash.
fn allow_reports(config: &mut tauri::Config) {
    if let Some(policy) = config.app.security.csp.take() {
        let mut policy: HashMap<String, CspDirectiveSources> = policy.into();
        policy.entry("style-src".into()).or_default().push(lab::report::html::style_source());
        config.app.security.csp = Some(policy.into());
    }
}

/// What the window remembers of itself.
fn remembered() -> tauri_plugin_window_state::StateFlags {
    use tauri_plugin_window_state::StateFlags;
    StateFlags::SIZE | StateFlags::POSITION | StateFlags::MAXIMIZED | StateFlags::FULLSCREEN
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use tauri::utils::config::DisabledCspModificationKind;

    #[test]
    fn a_command_line_names_a_home_and_files() {
        let (home, paths) = arguments(["--home", "h", "/a.csv", "b"].map(PathBuf::from).into_iter(), Path::new("/there"));
        assert_eq!((home, paths), (Some("/there/h".into()), vec!["/a.csv".into(), "/there/b".into()]));
    }

    #[test]
    fn it_knows_the_name_that_it_was_called_by() {
        for (word, name) in [("lapidary", "lapidary"), ("/usr/bin/lapidary", "lapidary"), ("./lapidary-window", "lapidary-window")] {
            assert_eq!(called(Some(word.as_ref())), Some(name.into()));
        }
        assert_eq!(called(None), None);
    }

    #[test]
    fn nothing_in_the_page_has_a_style_of_its_own_but_reports() {
        let mut config: tauri::Config = serde_json::from_str(include_str!("../tauri.conf.json")).expect("Tauri's configuration");
        allow_reports(&mut config);
        let security = config.app.security;
        let policy: HashMap<String, CspDirectiveSources> = security.csp.expect("a policy").into();
        let sources = |directive: &str| policy.get(directive).cloned().map(Vec::<String>::from);
        assert_eq!(sources("style-src"), Some(vec!["'self'".into(), lab::report::html::style_source().into()]));
        assert_eq!((sources("default-src"), sources("script-src")), (Some(vec!["'none'".into()]), Some(vec!["'self'".into()])));
        for (directive, sources) in &policy {
            let sources = Vec::<String>::from(sources.clone());
            assert!(!sources.iter().any(|source| source.starts_with("'unsafe") || source.contains('*')), "{directive}: {sources:?}");
        }
        assert_eq!(security.dangerous_disable_asset_csp_modification, DisabledCspModificationKind::Flag(false));
        assert!(security.dev_csp.is_none(), "a second policy");
    }

    fn files(folder: &Path) -> BTreeMap<String, String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|e| (e.file_name().to_string_lossy().into_owned(), std::fs::read_to_string(e.path()).unwrap_or_default())).collect()
    }

    /// The page's types are generated from these; `LAPIDARY_WRITE_TYPES=1` writes them anew.
    #[test]
    fn the_types_of_the_page_are_current() {
        let kept = acceptance::root().join("ui/src/backend/generated");
        let dir = tempfile::tempdir().expect("a folder");
        commands::types::export(&ts_rs::Config::new().with_large_int("number").with_out_dir(dir.path())).expect("written");
        let mut made = files(dir.path());
        let names: Vec<String> = made.keys().filter_map(|f| f.strip_suffix(".ts").map(String::from)).collect();
        let index: String = names.iter().map(|n| format!("export type {{ {n} }} from './{n}';\n")).collect();
        made.insert("index.ts".into(), index);
        if std::env::var_os("LAPIDARY_WRITE_TYPES").is_some() {
            // what is no longer made must not stay
            let _ = std::fs::remove_dir_all(&kept);
            std::fs::create_dir_all(&kept).expect("made");
            made.iter().for_each(|(name, text)| std::fs::write(kept.join(name), text).expect("written"));
        }
        let stale: Vec<&String> = made.iter().filter(|(name, text)| files(&kept).get(*name) != Some(text)).map(|(name, _)| name).collect();
        let advice = "write them anew: LAPIDARY_WRITE_TYPES=1 cargo nextest run -p lapidary -p lapidary-window the_types";
        assert!(stale.is_empty() && files(&kept).len() == made.len(), "{} differ from the types in Rust ({stale:?}); {advice}", kept.display());
    }
}
