//! Values of a database that a question names: `clienti.citta='Milano'`.
//!
//! A small model cannot know that Milano is a city of customers and of employees, and that a status is written
//! `annullato` where a question says "annullati". So the prompt of a query tells it (value linking, after Lin et al.
//! 2020, "Bridging Textual and Tabular Data", arXiv 2012.12627).

use crate::sandbox::{Sandbox, quoted};
use rusqlite::types::Value;
use std::collections::BTreeMap;

/// Longest value that is looked for, in characters; longer ones are texts that nobody quotes.
const LENGTH: usize = 60;
/// Most values of a column that are looked for.
const VALUES: usize = 5_000;
/// Most values that are named beside one question.
const NAMED: usize = 8;
/// A word of at least so many letters is also found when it is inflected.
const STEM: usize = 5;
/// So many letters at the end may differ then.
const ENDING: usize = 2;

/// How a value is written, and the columns that hold it, as `table.column`.
type Written = (String, Vec<String>);

/// The texts of a database, to be found in questions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// By the value in lower case.
    texts: BTreeMap<String, Written>,
}

impl Values {
    /// Reads the values of all columns of text. What cannot be read is left out.
    pub fn of(database: &mut Sandbox) -> Self {
        let mut texts: BTreeMap<String, Written> = BTreeMap::new();
        for table in database.tables().to_vec() {
            for column in &table.columns {
                let (t, c) = (quoted(&table.name), quoted(&column.name));
                let query = format!("SELECT DISTINCT {c} FROM {t} WHERE typeof({c}) = 'text' AND length({c}) BETWEEN 2 AND {LENGTH} ORDER BY 1 LIMIT {VALUES}");
                let found = database.run(&query, false).map(|r| r.rows).unwrap_or_default();
                let place = format!("{}.{}", table.name, column.name);
                for value in found.into_iter().flatten() {
                    let Value::Text(text) = value else { continue };
                    // a date or a code of digits is written as the question writes it, or differently each time
                    if text.chars().any(char::is_alphabetic) && !text.contains(['\n', '\'']) {
                        texts.entry(text.to_lowercase()).or_insert_with(|| (text, Vec::new())).1.push(place.clone());
                    }
                }
            }
        }
        Self { texts }
    }

    /// The values that a text names, in the order in which it names them, each with its columns:
    /// `clienti.citta=dipendenti.sede='Milano'`. Whole words only; one word may end otherwise than the value does. Of values that stand
    /// in one another the longest counts.
    pub fn named(&self, text: &str) -> Vec<String> {
        self.found(text).into_iter().map(|(value, places)| format!("{}='{value}'", places.join("="))).collect()
    }

    /// How many of the values and numbers that a question names its query compares with: a query that drops one has
    /// mostly dropped a condition.
    pub fn used(&self, question: &str, query: &str) -> usize {
        let values = self.found(question).into_iter().filter(|(value, _)| query.contains(value.as_str())).count();
        let numbers = words(question).map(|(_, word)| word).filter(|w| w.chars().all(|c| c.is_ascii_digit()));
        values + numbers.filter(|n| words(query).any(|(_, word)| word.trim_start_matches('0') == n.trim_start_matches('0'))).count()
    }

    fn found(&self, text: &str) -> Vec<&Written> {
        let lower = text.to_lowercase();
        let mut found: Vec<(usize, usize, &Written)> = Vec::new();
        for (start, word) in words(&lower) {
            // values that begin with this word, or with what is left of it without its ending
            let stem: String = word.chars().take(word.chars().count().saturating_sub(ENDING).max(STEM - 1)).collect();
            let long = |value: &str| value.chars().count() >= STEM - 1;
            for (value, place) in self.texts.range(stem.clone()..).take_while(|(value, _)| value.starts_with(&stem)).filter(|(value, _)| long(value)) {
                let end = match lower[start..].starts_with(value.as_str()) && !lower[start + value.len()..].starts_with(char::is_alphanumeric) {
                    true => start + value.len(),
                    // names have no other endings: Marino is not Marini
                    false if place.0 == *value && inflected(word, value) => start + word.len(),
                    false => continue,
                };
                found.push((start, end, place));
            }
            // a value shorter than a stem, such as the code of a province
            if let (Some(place), true) = (self.texts.get(word), word.chars().count() < STEM - 1) {
                // as it is written, or every small word would be a code
                if text.get(start..start + word.len()).is_some_and(|own| own == place.0) {
                    found.push((start, start + word.len(), place));
                }
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)).then(a.2.cmp(b.2)));
        let mut named: Vec<(usize, usize, &Written)> = Vec::new();
        for (start, end, written) in found {
            let inside = named.iter().any(|(s, e, _)| *s <= start && end <= *e && (end - start) < (e - s));
            if !inside && !named.iter().any(|(.., other)| *other == written) {
                named.push((start, end, written));
            }
        }
        named.truncate(NAMED);
        named.into_iter().map(|(.., written)| written).collect()
    }
}

/// The words of a text with where they begin, in bytes.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split(|c: char| !c.is_alphanumeric()).filter_map(move |word| {
        let start = text[at..].find(word).map_or(at, |o| at + o);
        at = start + word.len();
        (!word.is_empty()).then_some((start, word))
    })
}

/// Are two words the same but for their endings, as `annullati` and `annullato`?
fn inflected(word: &str, value: &str) -> bool {
    let (w, v) = (word.chars().count(), value.chars().count());
    let common = word.chars().zip(value.chars()).take_while(|(a, b)| a == b).count();
    value.chars().all(char::is_alphabetic) && w.min(v) >= STEM && w.abs_diff(v) < ENDING && common + ENDING >= w.max(v)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Sandbox;

    fn values() -> Values {
        let dir = tempfile::tempdir().expect("a folder");
        let script = dir.path().join("s.sql");
        std::fs::write(
            &script,
            "CREATE TABLE clienti(nome TEXT, citta TEXT, provincia TEXT, stato TEXT); CREATE TABLE sedi(citta TEXT, aperta TEXT);
             INSERT INTO clienti VALUES ('Anna', 'Reggio Emilia', 'RE', 'annullato'), ('Sara', 'Reggio', 'RC', 'in attesa'), ('Luigi', 'Milano', 'MI', 'spedito');
             INSERT INTO sedi VALUES ('Milano', '2024-01-01');",
        )
        .expect("written");
        Values::of(&mut Sandbox::open(&[&script]).expect("a database"))
    }

    #[test]
    fn questions_name_values_with_their_columns() {
        let v = values();
        let named = |text: &str| v.named(text).join(" ");
        assert_eq!(named("Elenca re e regine: Anni, Sari e Luigia"), "");
        assert_eq!(named("Chi è a milano?"), "clienti.citta=sedi.citta='Milano'");
        // the longest of those that stand at one place, in the order of the text
        assert_eq!(named("Ordini annullati a Reggio Emilia, non a Reggio"), "clienti.stato='annullato' clienti.citta='Reggio Emilia' clienti.citta='Reggio'");
        assert_eq!(named("Quali sono in attesa?"), "clienti.stato='in attesa'");
        // codes only as they are written: "mi" is a word
        assert_eq!(named("Dimmi chi mi deve la provincia MI"), "clienti.provincia='MI'");
        for nothing in ["", "Luigina", "spedizioniere", "2024-01-01", "Annabella"] {
            assert_eq!(named(nothing), "", "{nothing}");
        }
        assert!(Values::default().named("Milano").is_empty());
    }

    #[test]
    fn a_query_uses_what_its_question_names() {
        let used = |query: &str| values().used("Chi di Milano è del 2024, dopo il giorno 5?", query);
        assert_eq!(used("SELECT nome FROM clienti"), 0);
        assert_eq!(used("SELECT nome FROM clienti WHERE citta = 'Milano'"), 1);
        assert_eq!(used("SELECT nome FROM clienti WHERE citta = 'Milano' AND data > '2024-03-05'"), 3);
        assert_eq!(used("SELECT nome FROM clienti WHERE citta = 'Milano' LIMIT 20245"), 1);
    }
}
