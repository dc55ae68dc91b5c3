//! The language in which the program speaks.
//!
//! New here? Every sentence that a person may get to read is written where it is made, in English and in Italian
//! side by side, so that none can be added in one language alone: `say!("no file {path}", "nessun file {path}")` is a
//! `String` in the language spoken. That language belongs to the process, not to a value that would have to be handed
//! through every function down to the one that fails: the command sets it with [`speak`] before it reads its command
//! line, the window when it starts and when the person chooses another, and until then it is English. What a program
//! reads (names of formats, keys of JSON) and what is compared later (the reasons of answers in a run folder) is never
//! said with this macro: it would be another text tomorrow.
//!
//! The language of a report is a choice of its own (`report::text::Lang`); the two are converted there.
//!
//! A test that calls [`speak`] changes it for every test of its process. `cargo nextest`, by which this project runs
//! its tests, gives each test a process; under `cargo test` such a test would disturb the others.

use std::cell::Cell;
use std::fmt::Display;
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

/// A language that the program speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Italian.
    Italian,
}

/// The variable in which a process tells another one of this program which language it speaks.
pub const VARIABLE: &str = "LAPIDARY_LANGUAGE";

static SPOKEN: AtomicU8 = AtomicU8::new(0);

thread_local! {
    /// The language of the sentence that is being made on this thread for [`Both`].
    static ASIDE: Cell<Option<Language>> = const { Cell::new(None) };
}

/// From now on the whole process speaks this language.
pub fn speak(language: Language) {
    SPOKEN.store(u8::from(language == Language::Italian), Ordering::Relaxed);
}

/// The language that the process speaks.
pub fn language() -> Language {
    ASIDE.get().unwrap_or(if SPOKEN.load(Ordering::Relaxed) == 1 { Language::Italian } else { Language::English })
}

/// A sentence in both languages: for what is written down now and read later by a person whose language nobody knows yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Both {
    /// In English.
    pub english: String,
    /// In Italian.
    pub italian: String,
}

impl Both {
    /// What `sentence` says in each language; it is called once for each, and speaks it on this thread alone.
    pub fn of(sentence: impl Fn() -> String) -> Self {
        /// Speaks as before even after a sentence that panicked.
        struct Aside(Option<Language>);
        impl Drop for Aside {
            fn drop(&mut self) {
                ASIDE.set(self.0);
            }
        }
        let said = |language| {
            let _before = Aside(ASIDE.replace(Some(language)));
            sentence()
        };
        Self { english: said(Language::English), italian: said(Language::Italian) }
    }

    /// It in one of the languages.
    pub fn in_language(&self, language: Language) -> &str {
        match language {
            Language::English => &self.english,
            Language::Italian => &self.italian,
        }
    }

    /// It in the language spoken.
    pub fn spoken(&self) -> &str {
        self.in_language(language())
    }
}

impl Language {
    /// The language of the locale, by the order that POSIX gives to the variables: the first that says anything decides.
    pub fn of_locale(variable: impl Fn(&str) -> Option<String>) -> Self {
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
        locale.map_or(Self::English, |l| Self::of_code(&l))
    }

    /// The language of a code such as `it`, `it_IT.UTF-8` or `en-GB`; English for one that the program does not speak.
    pub fn of_code(code: &str) -> Self {
        let language = code.split(['-', '_', '.', '@']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("it") { Self::Italian } else { Self::English }
    }

    /// Its code: `en` or `it`.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Italian => "it",
        }
    }
}

/// A `String` in the language spoken: `say!("English {x}", "Italian {x}")`, with the arguments of `format!` after the two.
/// A piece that only one of the languages needs (a plural, a word order) is a variable that its text captures.
#[macro_export]
macro_rules! say {
    ($english:literal, $italian:literal $(,)?) => {
        match $crate::language() {
            $crate::Language::English => ::std::format!($english),
            $crate::Language::Italian => ::std::format!($italian),
        }
    };
    ($english:literal, $italian:literal, $($argument:tt)+) => {
        match $crate::language() {
            $crate::Language::English => ::std::format!($english, $($argument)+),
            $crate::Language::Italian => ::std::format!($italian, $($argument)+),
        }
    };
}

/// One of two words, by the language spoken.
pub fn pick(english: &'static str, italian: &'static str) -> &'static str {
    match language() {
        Language::English => english,
        Language::Italian => italian,
    }
}

/// The singular or the plural, by number.
pub fn number<'a>(n: usize, one: &'a str, many: &'a str) -> &'a str {
    if n == 1 { one } else { many }
}

/// What is counted: singular and plural in English, then in Italian.
pub type Noun = [&'static str; 4];

/// Rows of a file.
pub const ROW: Noun = ["row", "rows", "riga", "righe"];
/// Columns of a table.
pub const COLUMN: Noun = ["column", "columns", "colonna", "colonne"];
/// Examples of a data set.
pub const EXAMPLE: Noun = ["example", "examples", "esempio", "esempi"];
/// Texts.
pub const TEXT: Noun = ["text", "texts", "testo", "testi"];
/// Changes to a data set.
pub const CHANGE: Noun = ["change", "changes", "modifica", "modifiche"];

/// `1 row`, `2 rows`, in the language spoken.
pub fn count(n: usize, noun: Noun) -> String {
    format!("{n} {}", word(n, noun))
}

/// The noun for so many, in the language spoken.
pub fn word(n: usize, [one, many, uno, molti]: Noun) -> &'static str {
    pick(number(n, one, many), number(n, uno, molti))
}

/// What the operating system said: its commonest refusals in the language spoken, anything else in its own words.
pub fn system(error: &io::Error) -> String {
    let Some(code) = error.raw_os_error().filter(|_| language() == Language::Italian) else { return error.to_string() };
    let italian = match error.kind() {
        io::ErrorKind::NotFound => "file o cartella inesistente",
        io::ErrorKind::PermissionDenied => "permesso negato",
        io::ErrorKind::AlreadyExists => "esiste già",
        io::ErrorKind::IsADirectory => "è una cartella",
        io::ErrorKind::NotADirectory => "non è una cartella",
        io::ErrorKind::DirectoryNotEmpty => "la cartella non è vuota",
        io::ErrorKind::ReadOnlyFilesystem => "il disco è in sola lettura",
        io::ErrorKind::StorageFull => "il disco è pieno",
        io::ErrorKind::QuotaExceeded => "la quota di spazio su disco è esaurita",
        io::ErrorKind::FileTooLarge => "il file è troppo grande",
        io::ErrorKind::InvalidFilename => "nome di file non valido",
        io::ErrorKind::OutOfMemory => "memoria insufficiente",
        io::ErrorKind::BrokenPipe => "chi leggeva ha chiuso il canale",
        io::ErrorKind::TimedOut => "tempo scaduto",
        io::ErrorKind::ConnectionRefused => "connessione rifiutata",
        _ => return error.to_string(),
    };
    format!("{italian} (errore di sistema {code})")
}

/// What a person can do where the operating system refused to read or write something, in the language spoken.
pub fn advice(error: &io::Error) -> &'static str {
    advice_or(error, pick("check that the path exists and can be read and written", "controlla che il percorso esista e che vi si possa leggere e scrivere"))
}

/// The same by those who know of the file: what they advise where there is room.
pub fn advice_or(error: &io::Error, otherwise: &'static str) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            pick("free some space there and try again", "libera spazio lì e riprova")
        }
        _ => otherwise,
    }
}

/// What the parser of JSON said, in the language spoken; what it has in no list stays as it is.
pub fn json(error: impl Display) -> String {
    let said = error.to_string();
    if language() == Language::English {
        return said;
    }
    let (what, place) = said.split_once(" at line ").map_or((said.as_str(), None), |(what, place)| (what, Some(place)));
    let what = JSON.iter().find(|(english, _)| *english == what).map_or(what, |(_, italian)| italian);
    match place.and_then(|p| p.split_once(" column ")) {
        Some((line, column)) => format!("{what}, riga {line}, colonna {column}"),
        None => what.into(),
    }
}

/// Sentences of `serde_json`.
const JSON: &[(&str, &str)] = &[
    ("EOF while parsing a list", "la lista non è chiusa"),
    ("EOF while parsing an object", "l’oggetto non è chiuso"),
    ("EOF while parsing a string", "la stringa non è chiusa"),
    ("EOF while parsing a value", "manca un valore alla fine"),
    ("expected `:`", "manca un `:`"),
    ("expected `,` or `]`", "manca una `,` o una `]`"),
    ("expected `,` or `}`", "manca una `,` o una `}`"),
    ("expected ident", "parola sconosciuta"),
    ("expected value", "manca un valore"),
    ("expected `\"`", "mancano le virgolette `\"`"),
    ("invalid escape", "sequenza con `\\` non valida"),
    ("invalid number", "numero non valido"),
    ("number out of range", "numero troppo grande"),
    ("invalid unicode code point", "carattere Unicode non valido"),
    ("control character (\\u0000-\\u001F) found while parsing a string", "carattere di controllo in una stringa"),
    ("key must be a string", "una chiave deve essere una stringa"),
    ("trailing comma", "virgola di troppo"),
    ("trailing characters", "altri caratteri dopo la fine"),
    ("unexpected end of hex escape", "sequenza esadecimale incompleta"),
    ("lone leading surrogate in hex escape", "metà di un carattere in una sequenza esadecimale"),
    ("recursion limit exceeded", "troppi livelli annidati"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_chooses_the_language() {
        let chosen = |set: &[(&str, &str)]| Language::of_locale(|name| set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_string()));
        assert_eq!(chosen(&[]), Language::English);
        assert_eq!(chosen(&[("LANG", "it_IT.UTF-8")]), Language::Italian);
        assert_eq!(chosen(&[("LANG", "it_IT.UTF-8"), ("LC_MESSAGES", "en_GB.UTF-8")]), Language::English);
        assert_eq!(chosen(&[("LANG", "en_GB.UTF-8"), ("LC_MESSAGES", "it"), ("LC_ALL", "")]), Language::Italian);
        assert_eq!(chosen(&[("LANG", "it_IT.UTF-8"), ("LC_ALL", "C")]), Language::English);
        assert_eq!(chosen(&[("LC_ALL", "de_DE.UTF-8")]), Language::English);
        assert_eq!(Language::of_code(Language::Italian.code()), Language::Italian);
    }

    /// The whole of it in one test, because the language belongs to the process.
    #[test]
    fn a_sentence_is_in_the_language_spoken() {
        let (name, rows) = ("a.csv", 2);
        let sentence = || say!("{name} holds {} rows", "{name} contiene {} righe", rows);
        let missing = || io::Error::from_raw_os_error(2);
        assert_eq!(sentence(), "a.csv holds 2 rows");
        assert_eq!(say!("{{}}", "{{x}}"), "{}");
        assert_eq!([count(0, ROW), count(1, ROW), count(2, ROW)], ["0 rows", "1 row", "2 rows"]);
        assert_eq!(system(&missing()), missing().to_string());
        assert_eq!(advice(&missing()), "check that the path exists and can be read and written");
        assert_eq!(advice(&io::ErrorKind::StorageFull.into()), "free some space there and try again");
        assert_eq!((advice_or(&missing(), "x"), advice_or(&io::ErrorKind::QuotaExceeded.into(), "x")), ("x", "free some space there and try again"));
        assert_eq!(json("expected value at line 1 column 5"), "expected value at line 1 column 5");
        speak(Language::Italian);
        assert_eq!(language(), Language::Italian);
        assert_eq!(sentence(), "a.csv contiene 2 righe");
        assert_eq!(say!("{{}}", "{{x}}"), "{x}");
        assert_eq!(pick("row", "riga"), "riga");
        assert_eq!([count(0, ROW), count(1, ROW), count(2, ROW)], ["0 righe", "1 riga", "2 righe"]);
        #[cfg(unix)]
        assert_eq!(system(&missing()), "file o cartella inesistente (errore di sistema 2)");
        assert_eq!(system(&io::Error::other("as it was")), "as it was");
        assert_eq!(json("expected value at line 1 column 5"), "manca un valore, riga 1, colonna 5");
        assert_eq!(json("expected value"), "manca un valore");
        assert_eq!(json("something else"), "something else");
        let both = Both::of(sentence);
        assert_eq!((both.english.as_str(), both.spoken()), ("a.csv holds 2 rows", "a.csv contiene 2 righe"));
        assert!(std::panic::catch_unwind(|| Both::of(|| panic!("no sentence"))).is_err());
        assert_eq!(language(), Language::Italian, "also after a sentence that came to nothing");
        assert_eq!(std::thread::spawn(language).join().ok(), Some(Language::Italian));
        speak(Language::English);
        assert_eq!(sentence(), "a.csv holds 2 rows");
    }
}
