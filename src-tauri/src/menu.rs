//! The menu. Its shortcuts work wherever the keyboard is in the window.

use crate::shell::{self, Shell, Wish};
use crate::words;
use lab::report::text::Lang;
use tauri::menu::{Menu, MenuBuilder, MenuItemBuilder, SubmenuBuilder};
use tauri::{AppHandle, Manager, Wry};

/// Screens by name, in the order of the menu.
const SCREENS: [&str; 8] = ["start", "data", "train", "results", "try", "compare", "report", "models"];
/// Themes by name.
const THEMES: [&str; 3] = ["system", "light", "dark"];
/// Languages with their names in themselves.
const LANGUAGES: [(Lang, &str); 2] = [(Lang::English, "English"), (Lang::Italian, "Italiano")];

/// The menu in a language.
///
/// # Errors
/// If the system refuses.
pub fn build(app: &AppHandle, language: Lang) -> tauri::Result<Menu<Wry>> {
    let words = words::of(language);
    let item = |id: &str, text: &str, keys: &str| MenuItemBuilder::with_id(id, text).accelerator(keys).build(app);
    let file = SubmenuBuilder::new(app, words.file)
        .item(&item("open_data", words.open_data, "CmdOrCtrl+O")?)
        .separator()
        .item(&item("quit", words.quit, "CmdOrCtrl+Q")?)
        .build()?;
    let mut view = SubmenuBuilder::new(app, words.view);
    for (i, (name, text)) in SCREENS.iter().zip(words.screens).enumerate() {
        view = view.item(&item(&format!("screen:{name}"), text, &format!("CmdOrCtrl+{}", i + 1))?);
    }
    let mut languages = SubmenuBuilder::new(app, words.language);
    for (language, text) in LANGUAGES {
        languages = languages.text(format!("language:{}", language.code()), text);
    }
    let mut themes = SubmenuBuilder::new(app, words.theme);
    for (name, text) in THEMES.iter().zip(words.themes) {
        themes = themes.text(format!("theme:{name}"), text);
    }
    let view = view.separator().item(&languages.build()?).item(&themes.build()?).build()?;
    let menu = MenuBuilder::new(app).item(&file);
    // elsewhere the web view has these shortcuts by itself, and items of the menu would take them from it
    #[cfg(target_os = "macos")]
    let menu = menu.item(
        &SubmenuBuilder::new(app, words.edit)
            .undo_with_text(words.undo)
            .redo_with_text(words.redo)
            .separator()
            .cut_with_text(words.cut)
            .copy_with_text(words.copy)
            .paste_with_text(words.paste)
            .select_all_with_text(words.select_all)
            .build()?,
    );
    menu.item(&view).build()
}

/// Does what a person chose in the menu.
pub fn chosen(app: &AppHandle, id: &str) {
    let named = |names: &[&'static str], name: &str| names.iter().find(|n| **n == name).copied();
    let wish = match id.split_once(':').unwrap_or((id, "")) {
        ("open_data", _) => Some(Wish::OpenData),
        ("screen", name) => named(&SCREENS, name).map(|screen| Wish::Screen { screen }),
        ("theme", name) => named(&THEMES, name).map(|theme| Wish::Theme { theme }),
        ("language", code) => code.parse().ok().map(|language| Wish::Language { language }),
        ("quit", _) => {
            // asks the same question as the window's own button
            if let Some(window) = app.get_webview_window(crate::MAIN)
                && let Err(e) = window.close()
            {
                app.state::<Shell>().log.line(&format!("the window could not be closed: {e}"));
            }
            None
        }
        _ => None,
    };
    if let Some(wish) = wish {
        shell::ask(app, wish);
    }
}
