//! The words of a table's rows in one piece, to be searched as fast as memory is read.
//!
//! A table finds any part of a text or an answer, whatever its case, which an index of words ([`crate::search`]) does not.
//! The rows themselves lie anywhere in memory, so that looking into a million of them is a million jumps; here their texts and
//! answers follow each other in lower case, and [`memchr::memmem`] goes through them many bytes at a time.

use crate::background::at_once;
use crate::error::Result;
use crate::watch::{Watch, ask};
use data::Example;
use data::watch::Steps;
use memchr::memmem::Finder;
use rayon::prelude::*;
use tasks::answer;

/// Rows that lie in one piece; the pieces are made and searched side by side.
const PIECE: usize = 1 << 14;
/// Pieces that are made or searched between two questions whether to go on.
const TOGETHER: usize = 16;

/// What rows say, as they were when it was made.
pub(crate) struct Haystack(Vec<Piece>);

struct Piece {
    /// Texts and answers in turn, in lower case.
    bytes: Vec<u8>,
    /// Where each of them ends: two ends a row.
    ends: Vec<usize>,
}

impl Haystack {
    /// Takes in rows; `example` gives what stands in one. `watch` is asked in between.
    ///
    /// # Errors
    /// If it was ended.
    pub(crate) fn of<R: Sync>(rows: &[R], example: impl Fn(&R) -> &Example + Sync, watch: Watch<'_>) -> Result<Self> {
        let piece = |rows: &[R]| {
            let mut piece = Piece { bytes: Vec::new(), ends: Vec::with_capacity(2 * rows.len()) };
            for part in rows.iter().map(&example).flat_map(parts) {
                piece.bytes.extend_from_slice(part.as_bytes());
                piece.ends.push(piece.bytes.len());
            }
            piece.bytes.shrink_to_fit();
            piece
        };
        let mut pieces = Vec::with_capacity(rows.len().div_ceil(PIECE));
        for rows in rows.chunks(TOGETHER * PIECE) {
            ask(watch)?;
            pieces.par_extend(rows.par_chunks(PIECE).map(&piece));
        }
        Ok(Self(pieces))
    }

    /// For each row whether its text or its answer holds this, which is in lower case and not empty. Each row counts one of `steps`.
    ///
    /// # Errors
    /// If it was ended.
    pub(crate) fn find(&self, lower: &str, steps: &mut Steps<'_>) -> Result<Vec<bool>> {
        let (finder, mut found) = (Finder::new(lower), Vec::new());
        for pieces in self.0.chunks(TOGETHER) {
            let before = found.len();
            found.extend(at_once(|| pieces.par_iter().flat_map_iter(|piece| piece.find(&finder)).collect::<Vec<bool>>()));
            steps.after((found.len() - before) as u64)?;
        }
        Ok(found)
    }
}

impl Piece {
    fn find(&self, finder: &Finder) -> Vec<bool> {
        let mut found = vec![false; self.ends.len() / 2];
        let (mut from, mut part) = (0, 0);
        while let Some(at) = finder.find(&self.bytes[from..]).map(|at| from + at) {
            while self.ends.get(part).is_some_and(|end| *end <= at) {
                part += 1;
            }
            let Some(&end) = self.ends.get(part) else { break };
            if at + finder.needle().len() <= end {
                found[part / 2] = true;
                // one hit is enough for a row
                from = self.ends[part | 1];
            } else {
                // it began in one part and ended in the next, so it stands in neither
                from = at + 1;
            }
        }
        found
    }
}

/// Whether the text or the answer of an example holds this, which is in lower case.
pub(crate) fn says(example: &Example, lower: &str) -> bool {
    parts(example).iter().any(|part| part.contains(lower))
}

/// The text and the answer of an example in lower case.
fn parts(example: &Example) -> [String; 2] {
    [example.text.to_lowercase(), answer::show(&example.target).to_lowercase()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::Target;
    use data::example::Origin;
    use std::sync::Arc;

    fn rows(texts: &[(&str, &str)]) -> Vec<Example> {
        let origin = Origin { file: Arc::default(), line: 1 };
        let row = |(text, label): &(&str, &str)| Example { text: (*text).into(), target: Target::Label((*label).into()), origin: origin.clone() };
        texts.iter().map(row).collect()
    }

    fn of(rows: &[Example]) -> Haystack {
        Haystack::of(rows, |row| row, &mut |_, _| true).expect("nobody ends it")
    }

    fn find(haystack: &Haystack, lower: &str) -> Vec<bool> {
        haystack.find(lower, &mut Steps::default()).expect("nobody ends it")
    }

    #[test]
    fn a_text_is_found_whatever_its_case_and_wherever_it_stands() {
        let rows = rows(&[("Il PACCO è Già qui", "consegna"), ("PERCHÉ no", "Altro"), ("", "x"), ("aab", "aa"), ("", "")]);
        let haystack = of(&rows);
        let cases: [(&str, &[usize]); 9] = [
            ("pacco", &[0]),
            ("il pacco è già qui", &[0]),
            ("perché", &[1]),
            ("o", &[0, 1]),
            ("ab", &[3]),
            ("aa", &[3]),
            // not across a text and its answer, nor across two rows
            ("quiconsegna", &[]),
            ("altrox", &[]),
            ("zzz", &[]),
        ];
        for (search, expected) in cases {
            let found: Vec<usize> = find(&haystack, search).iter().enumerate().filter(|(_, found)| **found).map(|(row, _)| row).collect();
            assert_eq!(found, expected, "{search}");
        }
    }

    #[test]
    fn a_text_is_found_behind_and_before_any_number_of_bytes() {
        let padded = |n: usize| format!("{}Il PACCO è Già qui{}", "à".repeat(n), "p".repeat(n));
        for n in 0..70 {
            let text = padded(n);
            let rows = rows(&[(&text, "")]);
            let haystack = of(&rows);
            let holds = |search: &str| (find(&haystack, search)[0], says(&rows[0], search));
            for found in ["pacco", "p", "il pacco è già", "qui", "acco", " "] {
                assert_eq!(holds(found), (true, true), "{found} in {n}");
            }
            for missing in ["pacca", "quip ", "accoo", "il pacco e"] {
                assert_eq!(holds(missing), (false, false), "{missing} in {n}");
            }
        }
        let tags = Example { target: Target::Tags(vec!["#Uno".into(), "#Due".into()]), ..rows(&[("", "")]).remove(0) };
        assert!(says(&tags, "uno #d") && find(&of(&[tags]), "uno #d")[0]);
    }

    #[test]
    fn many_rows_are_found_as_each_by_itself() {
        let texts: Vec<(String, String)> = (0..2 * PIECE + 77).map(|n| (format!("Riga {n} àÈ"), format!("tipo {}", n % 7))).collect();
        let texts: Vec<(&str, &str)> = texts.iter().map(|(text, label)| (text.as_str(), label.as_str())).collect();
        let rows = rows(&texts);
        let haystack = of(&rows);
        for search in ["riga 1", "99", "tipo 3", "è", "i", "6 àè", "nessuna", "àètipo"] {
            let each: Vec<bool> = rows.iter().map(|row| says(row, search)).collect();
            assert!(find(&haystack, search) == each, "{search}");
        }
    }

    #[test]
    fn many_rows_are_taken_in_and_searched_no_further_than_somebody_waits() {
        let (together, texts) = (TOGETHER * PIECE, vec![("a", ""); TOGETHER * PIECE + 7]);
        let rows = rows(&texts);
        let mut asked = 0;
        let mut watch = |_: u64, _: Option<u64>| {
            asked += 1;
            asked < 2
        };
        assert!(Haystack::of(&rows, |row| row, &mut watch).is_err() && asked == 2);
        let (haystack, mut told) = (of(&rows), Vec::new());
        let mut watch = |done: u64, _: Option<u64>| {
            told.push(done);
            told.len() < 2
        };
        assert!(haystack.find("a", &mut Steps::new(rows.len() as u64, &mut watch)).is_err());
        assert_eq!(told, [together as u64, together as u64 + 7]);
        assert!(find(&haystack, "a").iter().all(|found| *found));
    }
}
