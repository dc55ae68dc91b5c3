//! What the shell itself says, in English and Italian; the page has its own catalogue.

use lab::report::text::Lang;

/// Words of the menu and of the question at closing.
pub struct Words {
    /// Menu of files.
    pub file: &'static str,
    /// Opens a data set.
    pub open_data: &'static str,
    /// Closes the window.
    pub quit: &'static str,
    /// Menu of the clipboard.
    #[cfg(target_os = "macos")]
    pub edit: &'static str,
    /// Takes back.
    #[cfg(target_os = "macos")]
    pub undo: &'static str,
    /// Does again.
    #[cfg(target_os = "macos")]
    pub redo: &'static str,
    /// To the clipboard, away.
    #[cfg(target_os = "macos")]
    pub cut: &'static str,
    /// To the clipboard.
    #[cfg(target_os = "macos")]
    pub copy: &'static str,
    /// From the clipboard.
    #[cfg(target_os = "macos")]
    pub paste: &'static str,
    /// Selects everything.
    #[cfg(target_os = "macos")]
    pub select_all: &'static str,
    /// Menu of screens.
    pub view: &'static str,
    /// The screens, in the order of `menu::SCREENS`.
    pub screens: [&'static str; 8],
    /// Menu of languages.
    pub language: &'static str,
    /// Menu of colours.
    pub theme: &'static str,
    /// System, light, dark.
    pub themes: [&'static str; 3],
    /// Title of the question at closing.
    pub closing: &'static str,
    /// The question; `{run}` is the run's name.
    pub closing_text: &'static str,
    /// Goes on without a window.
    pub keep: &'static str,
    /// Ends the training.
    pub stop: &'static str,
    /// Closes nothing.
    pub cancel: &'static str,
    /// Filters of dialogs: data, models, predictions, databases, runs, schemas.
    pub kinds: [&'static str; 6],
}

/// The words of a language.
pub fn of(language: Lang) -> &'static Words {
    match language {
        Lang::English => &ENGLISH,
        Lang::Italian => &ITALIAN,
    }
}

static ENGLISH: Words = Words {
    file: "File",
    open_data: "Open data…",
    quit: "Quit",
    #[cfg(target_os = "macos")]
    edit: "Edit",
    #[cfg(target_os = "macos")]
    undo: "Undo",
    #[cfg(target_os = "macos")]
    redo: "Redo",
    #[cfg(target_os = "macos")]
    cut: "Cut",
    #[cfg(target_os = "macos")]
    copy: "Copy",
    #[cfg(target_os = "macos")]
    paste: "Paste",
    #[cfg(target_os = "macos")]
    select_all: "Select all",
    view: "View",
    screens: ["Start", "Data", "Train", "Results", "Try", "Compare", "Report", "Models"],
    language: "Language",
    theme: "Appearance",
    themes: ["As the system", "Light", "Dark"],
    closing: "A training is running",
    closing_text: "{run} has not ended. It can go on without the window: start Lapidary again to see it. Or stop it now and keep the best weights so far.",
    keep: "Keep training",
    stop: "Stop and keep the best",
    cancel: "Cancel",
    kinds: ["Data", "Models", "Predictions", "Databases", "Runs", "JSON schemas"],
};

static ITALIAN: Words = Words {
    file: "File",
    open_data: "Apri dati…",
    quit: "Esci",
    #[cfg(target_os = "macos")]
    edit: "Modifica",
    #[cfg(target_os = "macos")]
    undo: "Annulla",
    #[cfg(target_os = "macos")]
    redo: "Ripeti",
    #[cfg(target_os = "macos")]
    cut: "Taglia",
    #[cfg(target_os = "macos")]
    copy: "Copia",
    #[cfg(target_os = "macos")]
    paste: "Incolla",
    #[cfg(target_os = "macos")]
    select_all: "Seleziona tutto",
    view: "Vista",
    screens: ["Inizio", "Dati", "Addestramento", "Risultati", "Prova", "Confronto", "Rapporto", "Modelli"],
    language: "Lingua",
    theme: "Aspetto",
    themes: ["Come il sistema", "Chiaro", "Scuro"],
    closing: "È in corso un addestramento",
    closing_text: "{run} non è finita. Può continuare senza la finestra: per rivederla, riavvia Lapidary. Oppure fermala ora e conserva i pesi migliori.",
    keep: "Continua l’addestramento",
    stop: "Ferma e conserva il meglio",
    cancel: "Annulla",
    kinds: ["Dati", "Modelli", "Risposte", "Database", "Esecuzioni", "Schemi JSON"],
};
