//! The microscope shows what training gets: its ids and its loss are those of a training batch.

use data::encode::Encoder;
use data::microscope::{Prompt, Role, Token, tokens};
use data::{Batch, Origin, batch};
use gemma::Tokenizer;
use std::path::Path;
use std::sync::Arc;

const TEMPLATE: &str = "Messaggio: {text}\nIntento:";
const TEXTS: [(&str, &str); 5] = [
    ("Il mio pacco non è ancora arrivato", " spedizione"),
    ("Messaggio:", " altro"),
    ("🌊 perché no?", " mare e monti"),
    ("{text}", " segnaposto"),
    ("a", " b"),
];

fn tokenizer() -> Tokenizer {
    Tokenizer::from_file(Path::new("../../tests/reference/tiny/tokenizer.json"), 1024).expect("the tiny tokenizer")
}

fn origin() -> Origin {
    Origin { file: Arc::new("x.jsonl".into()), line: 1 }
}

fn seen(encoder: &Encoder<'_>, text: &str, completion: Option<&str>) -> Vec<Token> {
    let whole = TEMPLATE.replacen("{text}", text, 1);
    let start = TEMPLATE.find("{text}").expect("a place for the text");
    let encoded = Encoder { tokenizer: encoder.tokenizer, max_tokens: usize::MAX }.encode(&whole, completion).expect("tokenized");
    tokens(encoder, &encoded, &Prompt { whole: &whole, text: start..start + text.len() }, &origin()).expect("tokenized")
}

#[test]
fn ids_and_loss_are_those_of_every_training_batch() {
    let tokenizer = tokenizer();
    let encoder = Encoder { tokenizer: &tokenizer, max_tokens: 512 };
    let mut padded = 0;
    for learn in [true, false] {
        let encode = |(text, answer): &(&str, &str)| {
            let whole = TEMPLATE.replacen("{text}", text, 1);
            encoder.encode(&whole, learn.then_some(*answer)).expect("short enough")
        };
        let encoded: Vec<_> = TEXTS.iter().map(encode).collect();
        for indices in batch::epoch(&encoded, 3, 7, 0) {
            let batch = Batch::new(&encoded, &indices, gemma::Layout::Packed);
            for (row, &i) in indices.iter().enumerate() {
                let mut shown = seen(&encoder, TEXTS[i].0, learn.then_some(TEXTS[i].1));
                // alone in a batch, a row has less padding than among longer ones
                let rest = shown.split_off(batch.rows.lengths()[row]);
                assert!(rest.iter().all(|t| t.role == Role::Padding && !t.loss));
                padded += usize::from(!rest.is_empty());
                assert!(shown.iter().all(|t| t.role != Role::Padding));
                let flat: Vec<usize> = batch.rows.places()[row].clone().into_iter().flatten().collect();
                assert_eq!(shown.iter().map(|t| t.id).collect::<Vec<_>>(), flat.iter().map(|&p| batch.ids[p]).collect::<Vec<_>>());
                let loss: Vec<bool> = (0..shown.len()).map(|t| t > 0 && batch.positions.contains(&flat[t - 1])).collect();
                assert_eq!(shown.iter().map(|t| t.loss).collect::<Vec<_>>(), loss);
                assert_eq!(loss.contains(&true), learn);
            }
        }
    }
    assert!(padded > 0, "padding is shown");
}

#[test]
fn roles_tell_the_text_from_what_stands_around_it() {
    let tokenizer = tokenizer();
    let encoder = Encoder { tokenizer: &tokenizer, max_tokens: 512 };
    for (text, answer) in TEXTS {
        let shown = seen(&encoder, text, Some(answer));
        let spelled = |role| shown.iter().filter(|t| t.role == role).map(|t| t.text.as_str()).collect::<String>();
        assert_eq!(spelled(Role::Target), format!("{answer}<eos>"));
        assert!(spelled(Role::Template).starts_with("<bos>Messaggio:"), "{:?}", spelled(Role::Template));
        let prompt = tokenizer.decode(&shown.iter().filter(|t| t.role == Role::Prompt).map(|t| t.id).collect::<Vec<_>>()).expect("decodes");
        assert!(prompt.contains(text), "{prompt:?} does not hold {text:?}");
        assert!(!prompt.trim_start().trim_start_matches(text).contains("Intento"), "{prompt:?}");
        assert!(shown.iter().all(|t| t.loss == (t.role == Role::Target)), "only the answer is learnt");
    }
}

/// A text may bring the token along that every text is given.
#[test]
fn no_text_begins_twice() {
    let tokenizer = tokenizer();
    let encoder = Encoder { tokenizer: &tokenizer, max_tokens: 512 };
    let (text, whole) = ("Il mio pacco", "<bos><bos>Il mio pacco");
    for completion in [Some(" spedizione"), None] {
        let plain = encoder.encode(text, completion).expect("tokenized");
        let twice = encoder.encode(whole, completion).expect("tokenized");
        assert_eq!((twice.ids.clone(), twice.prompt, plain.repeated, twice.repeated), (plain.ids, plain.prompt, 0, 2));
        // each token is still found in the prompt where it lies
        let from = whole.len() - text.len();
        let shown = tokens(&encoder, &twice, &Prompt { whole, text: from..whole.len() }, &origin()).expect("tokenized");
        let roles: Vec<Role> = shown.iter().take(twice.prompt).map(|t| t.role).collect();
        assert_eq!((roles[0], roles[1..].iter().all(|r| *r == Role::Prompt)), (Role::Template, true), "{roles:?}");
    }
    let (plain, twice) = (encoder.classed(text, 3).expect("tokenized"), encoder.classed(whole, 3).expect("tokenized"));
    assert_eq!((&twice.ids, &twice.marks, plain.repeated, twice.repeated), (&plain.ids, &plain.marks, 0, 2));
}

#[test]
fn what_is_too_long_is_marked_where_it_would_be_cut() {
    let tokenizer = tokenizer();
    let encoder = Encoder { tokenizer: &tokenizer, max_tokens: 9 };
    let shown = seen(&encoder, "Il mio pacco non è ancora arrivato", Some(" spedizione"));
    let first = shown.iter().position(|t| t.cut).expect("it is too long");
    assert_eq!(first, 9);
    let (cut, padding): (Vec<&Token>, Vec<&Token>) = shown[first..].iter().partition(|t| t.cut);
    assert!(cut.len() > 1 && cut.last().is_some_and(|t| t.role == Role::Target), "the answer is cut");
    assert!(padding.iter().all(|t| t.role == Role::Padding) && shown[..first].iter().all(|t| t.role != Role::Padding));
}
