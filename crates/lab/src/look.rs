//! Looking at a data set before training on it.

use crate::answer::Form;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::models;
use crate::recipe::{Method, Recipe};
use crate::task::Task;
use data::describe::{self, Description};
use data::encode::Encoder;
use data::microscope::{self, Prompt, Token};
use data::set::{DataSet, Source, Split};
use data::{Example, Kind};
use gemma::{Tokenizer, Weights};

/// Reads a data set for a task.
///
/// # Errors
/// If a file is missing or malformed.
pub fn open(task: &str, source: &Source) -> Result<DataSet> {
    let kind = task.parse::<Kind>().map_err(Error::Request)?;
    Ok(DataSet::open(&Source { kind: Some(kind), ..source.clone() })?)
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
    let form = Form::of(e, recipe.method, template, &Task::of(set)?);
    let prompt = match recipe.method {
        Method::Completion => Prompt::new(template, &form.prompt),
        Method::Head => Prompt::bare(&form.prompt),
    };
    let encoder = Encoder { tokenizer, max_tokens: recipe.max_tokens };
    Ok(microscope::tokens(&encoder, prompt, form.completion.as_deref(), &e.origin)?)
}
