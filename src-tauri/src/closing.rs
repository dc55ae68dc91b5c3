//! What becomes of a training when the window closes: the person decides. The training lives in this process, so the
//! window only hides until it has ended; another start of Lapidary shows it again.

use crate::shell::{self, Shell};
use crate::words;
use lab::view::RunStatus;
use std::path::PathBuf;
use std::time::Duration;
use tauri::{AppHandle, CloseRequestApi, ExitRequestApi, Manager, Webview, Window};
use tauri_plugin_dialog::{DialogExt, MessageDialogButtons, MessageDialogKind, MessageDialogResult};

/// Lets the window close, or asks first if a run is being trained and does not wait.
pub fn requested(window: &Window, api: &CloseRequestApi) {
    if let Some(run) = trained(window.app_handle()) {
        api.prevent_close();
        ask(window, run);
    }
}

/// As [`requested`], where the whole program is to end and not by its window: from the Dock, for instance.
pub fn exiting(app: &AppHandle, api: &ExitRequestApi) {
    // without a window there is nobody to ask
    if let (Some(run), Some(window)) = (trained(app), app.get_webview_window(crate::MAIN)) {
        api.prevent_exit();
        // it may be hidden behind a training, and the question stands before it
        shell::show(app);
        let view: &Webview = window.as_ref();
        ask(&view.window(), run);
    }
}

/// The run that is being trained, or made ready for it, and does not wait. One that waits is wholly on disk: the next start offers to
/// go on with it.
fn trained(app: &AppHandle) -> Option<PathBuf> {
    app.state::<Shell>().desk.at_work().filter(|(_, status)| *status == RunStatus::Running).map(|(run, _)| run)
}

fn ask(window: &Window, run: PathBuf) {
    let words = words::of(window.state::<Shell>().language());
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
