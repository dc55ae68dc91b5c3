//! What becomes of a training when the window closes: the person decides. The training lives in this process, so the
//! window only hides until it has ended; another start of Lapidary shows it again.

use crate::shell::Shell;
use crate::words;
use lab::view::RunStatus;
use std::path::PathBuf;
use std::time::Duration;
use tauri::{AppHandle, CloseRequestApi, Manager, Window};
use tauri_plugin_dialog::{DialogExt, MessageDialogButtons, MessageDialogKind, MessageDialogResult};

/// Lets the window close, or asks first if a run is being trained and does not wait.
pub fn requested(window: &Window, api: &CloseRequestApi) {
    let shell = window.state::<Shell>();
    let run = match shell.desk.at_work() {
        Some((run, RunStatus::Running)) => run,
        // a run that waits is wholly on disk: the next start offers to go on with it
        _ => return,
    };
    api.prevent_close();
    let words = words::of(shell.language());
    let name = run.file_name().unwrap_or(run.as_os_str()).to_string_lossy().into_owned();
    let window = window.clone();
    window
        .dialog()
        .message(words.closing_text.replace("{run}", &name))
        .title(words.closing)
        .kind(MessageDialogKind::Warning)
        .parent(&window)
        .buttons(MessageDialogButtons::YesNoCancelCustom(words.keep.into(), words.stop.into(), words.cancel.into()))
        .show_with_result(move |answer| decided(window.app_handle(), run, &answer, words));
}

fn decided(app: &AppHandle, run: PathBuf, answer: &MessageDialogResult, words: &words::Words) {
    let shell = app.state::<Shell>();
    match answer {
        MessageDialogResult::Custom(text) if text == words.keep => {}
        MessageDialogResult::Custom(text) if text == words.stop => {
            // a run that ended meanwhile needs no stopping
            let _ = shell.desk.stop(&run);
        }
        _ => return,
    }
    if let Some(window) = app.get_webview_window(crate::MAIN)
        && let Err(e) = window.hide()
    {
        shell.log.line(&format!("the window could not be hidden: {e}"));
    }
    let app = app.clone();
    std::thread::spawn(move || {
        while app.state::<Shell>().desk.running().is_some() {
            std::thread::sleep(Duration::from_millis(300));
        }
        // whoever opened the window again meanwhile wants to see the result
        if app.get_webview_window(crate::MAIN).is_none_or(|w| !w.is_visible().unwrap_or(false)) {
            app.exit(0);
        }
    });
}
