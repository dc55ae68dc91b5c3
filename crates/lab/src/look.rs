//! Looking at a data set, and dividing it, before training on it.

use crate::answer;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::models;
use crate::recipe::{Method, Recipe};
use crate::task::Task;
use data::describe::{self, Description};
use data::divide::{Shares, divide};
use data::encode::Encoder;
use data::microscope::{self, Prompt, Token};
use data::set::{DataSet, Source, Split};
use data::write::{self, NewCard};
use data::{Example, Kind};
use gemma::{Tokenizer, Weights};
use std::collections::BTreeMap;
use std::path::Path;

/// Reads a data set for a task.
///
/// # Errors
/// If a file is missing or malformed.
pub fn open(task: &str, source: &Source) -> Result<DataSet> {
    open_with(task, source, &mut |_, _, _| {})
}

/// As [`open`]; `progress` is called now and then with the file that is being read, how much of it is
/// done, and of how much.
///
/// # Errors
/// As [`open`].
pub fn open_with(task: &str, source: &Source, progress: &mut dyn FnMut(&Path, u64, u64)) -> Result<DataSet> {
    let kind = task.parse::<Kind>().map_err(Error::Request)?;
    Ok(DataSet::open_with(&Source { kind: Some(kind), ..source.clone() }, progress)?)
}

/// Divides a data set that is one file into training, validation and test, as a folder with a card; how
/// many examples went where. Texts that are nearly the same stay together, and the same seed gives the same parts.
///
/// # Errors
/// If the set is divided already or too small, the folder holds files, or the disk refuses.
pub fn split(set: &DataSet, shares: Shares, seed: u64, out: &Path) -> Result<BTreeMap<Split, usize>> {
    let (file, rest) = match set.splits.iter().collect::<Vec<_>>().as_slice() {
        [(_, file), rest @ ..] => (*file, rest.len()),
        [] => return Err(Error::request("no examples to divide; name a file")),
    };
    if rest > 0 {
        let names = set.splits.keys().map(|s| s.name()).collect::<Vec<_>>().join(", ");
        return Err(Error::request(format!("{} is divided already, into {names}; name the file of one part", set.card.name)));
    }
    let of = divide(&file.path, &file.examples, shares, seed)?;
    let mut parts: BTreeMap<Split, Vec<&Example>> = BTreeMap::new();
    for (split, example) in of.iter().zip(&file.examples) {
        parts.entry(*split).or_default().push(example);
    }
    let name = file.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let card = NewCard {
        how_it_was_made: format!(
            "Divided by Lapidary {} from {name} (SHA-256 {}) with seed {seed}: {} for validation, {} for the test; nearly equal texts are in one part.",
            crate::VERSION,
            file.sha256,
            shares.validation,
            shares.test
        ),
        ..NewCard::of(set)
    };
    write::folder(out, set.kind, card, &parts)?;
    Ok(parts.into_iter().map(|(split, examples)| (split, examples.len())).collect())
}

/// The tokenizer of a model.
///
/// # Errors
/// If the model is not on this machine, or its tokenizer is damaged.
pub fn tokenizer(home: &Home, model: &str) -> Result<Tokenizer> {
    Ok(Tokenizer::open(&Weights::open(&models::find(home, model)?)?)?)
}

/// Describes a data set; with a tokenizer also how long its texts are in tokens.
pub fn describe(set: &DataSet, tokenizer: Option<&Tokenizer>) -> Description {
    let count = tokenizer.map(|t| move |e: &Example| t.encode(&e.text).ok().map(|ids| ids.len()));
    describe::describe(set, count.as_ref().map(|count| count as _))
}

/// What a model would be trained on in a row, token by token, under a recipe. `row` is the example's
/// index among those of its part.
///
/// # Errors
/// If there is no such row, or it cannot be tokenized.
pub fn tokens(set: &DataSet, recipe: &Recipe, tokenizer: &Tokenizer, split: Split, row: usize) -> Result<Vec<Token>> {
    let examples = set.examples(split);
    let Some(e) = examples.get(row) else {
        return Err(Error::request(format!("the {} part has {} rows and none with the number {row}, counted from 0", split.name(), examples.len())));
    };
    let template = recipe.template(&set.card.language);
    let task = Task::of(set)?;
    let encoder = Encoder { tokenizer, max_tokens: recipe.max_tokens };
    Ok(match recipe.method {
        Method::Completion => {
            let (prompt, completion) = answer::spelled(e, template, &task);
            microscope::tokens(&encoder, Prompt::new(template, &prompt), Some(&completion), &e.origin)?
        }
        Method::Head => microscope::tokens(&encoder, Prompt::bare(&e.text), None, &e.origin)?,
        Method::Tagging => {
            let whole = Encoder { tokenizer, max_tokens: usize::MAX };
            microscope::words(&encoder, &answer::encode(e, &whole, recipe, template, &task)?)
        }
    })
}
