//! Words are tokenized so that no token belongs to two of them, whatever the text.

use data::encode::Encoder;
use gemma::Tokenizer;
use gemma::generate::BOS;
use std::ops::Range;
use std::path::Path;

fn tokenizer() -> Tokenizer {
    Tokenizer::from_file(Path::new("../../tests/reference/tiny/tokenizer.json"), 1024).expect("the tiny tokenizer")
}

/// Texts with characters of one to four bytes, most of which the tiny vocabulary spells byte by byte.
const TEXTS: [&str; 6] =
    ["Il pacco non arriva", "L'Aquila, 3/5  (perché?)", "\u{1F30A}\u{1F3FD} 東京\n e\u{301}\u{200D}x", "a", " \t z \u{3000}", "<x> <0xF0> {text}▁▁"];

/// Every character but white space as a word, and runs of them between white space.
fn cuts(text: &str) -> [Vec<(Range<usize>, u32)>; 2] {
    let spaces = |c: char| c.is_whitespace();
    let letters = text.char_indices().filter(|(_, c)| !spaces(*c)).map(|(at, c)| at..at + c.len_utf8());
    let runs = text.split(spaces).filter(|run| !run.is_empty()).map(|run| {
        let at = run.as_ptr() as usize - text.as_ptr() as usize;
        at..at + run.len()
    });
    let numbered = |words: Vec<Range<usize>>| words.into_iter().zip(0..).collect();
    [numbered(letters.collect()), numbered(runs.collect())]
}

#[test]
fn tokens_spell_the_words_that_they_are_of_in_the_last_copy() {
    let tokenizer = tokenizer();
    let encoder = Encoder { tokenizer: &tokenizer, max_tokens: 512 };
    let pieces = tokenizer.pieces();
    for text in TEXTS {
        for (words, copies) in cuts(text).into_iter().flat_map(|words| [(words.clone(), 1), (words.clone(), 2), (words, 3)]) {
            let encoded = encoder.words(text, &words, copies).expect("short enough");
            assert_eq!((encoded.ids[0], encoded.prompt, encoded.marks.len()), (BOS, encoded.ids.len(), words.len()));
            let once = encoded.marks.last().expect("a word").tokens.end - encoded.marks[0].tokens.start;
            let newlines = tokenizer.encode("\n").expect("tokenized").len();
            assert_eq!(encoded.ids.len(), 1 + copies * once + (copies - 1) * newlines);
            for copy in 1..copies {
                let back = copy * (once + newlines);
                let end = encoded.ids.len();
                assert_eq!(encoded.ids[end - back - once..end - back], encoded.ids[end - once..], "every copy is the same");
            }
            let (mut from, mut next) = (0, encoded.ids.len() - once);
            for (mark, (word, class)) in encoded.marks.iter().zip(&words) {
                assert_eq!((mark.tokens.start, mark.class), (next, *class), "no token between words, none twice");
                let spelled: Vec<u8> = encoded.ids[mark.tokens.clone()].iter().flat_map(|&id| pieces[id as usize].clone()).collect();
                let own = &text[from..word.end];
                assert_eq!(String::from_utf8_lossy(&spelled), own.replace('▁', " "), "{text:?}");
                (from, next) = (word.end, mark.tokens.end);
            }
        }
    }
}

#[test]
fn texts_that_cannot_be_tagged_are_refused() {
    let tokenizer = tokenizer();
    let encoder = Encoder { tokenizer: &tokenizer, max_tokens: 6 };
    assert!(encoder.words(" ", &[], 1).is_err_and(|e| e.to_string().contains("no word")));
    let (text, words) = ("uno due", [(0..3, 0), (3..7, 0)]);
    assert!(encoder.words(text, &words, 9).is_err_and(|e| e.to_string().contains("6 are allowed")));
}
