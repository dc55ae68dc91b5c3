//! What a `.txt` file holds: its name does not say, but its first lines do.

use super::text::{Lines, Text};
use super::{Format, conll, labelled};
use crate::error::{Error, Result};
use say::say;
use std::path::Path;

/// Lines that are looked at.
const SAMPLE: usize = 200;

/// The format that the first lines of a text are in.
///
/// # Errors
/// If the file cannot be read, or is in none that is known.
pub fn format(path: &Path, text: Text) -> Result<Format> {
    let mut lines = Lines::new(path, text);
    let (mut seen, mut labels, mut words) = (0, 0, 0);
    let mut document = false;
    let mut delimiters = [('\t', 0), (';', 0), ('|', 0), (',', 0)];
    while seen < SAMPLE
        && let Some((_, line)) = lines.next()?
    {
        let Ok(line) = line else { continue };
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        document |= seen == 0 && line.starts_with(['{', '[']);
        seen += 1;
        labels += usize::from(labelled::is_line(line));
        words += usize::from(conll::is_word(line));
        delimiters.iter_mut().for_each(|(c, n)| *n += usize::from(line.contains(*c)));
    }
    // a line or two may be a header, or torn
    let nearly_all = |n: usize| n > 0 && n * 10 >= seen * 9;
    match () {
        () if nearly_all(labels) => Ok(Format::Labelled),
        () if nearly_all(words) => Ok(Format::Conll),
        () if document => Ok(Format::Json),
        () if delimiters.iter().any(|(_, n)| nearly_all(*n)) => Ok(Format::Delimited),
        () => Err(Error::file(
            path,
            say!(
                "is text in which no examples are recognised: neither columns, nor JSON, nor a word and its tag a line, nor __label__ lines; save it as one of these",
                "è testo in cui non si riconoscono esempi: né colonne, né JSON, né una parola e la sua etichetta per riga, né righe __label__; salvalo in uno di questi formati"
            ),
        )),
    }
}
