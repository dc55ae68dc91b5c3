//! The command line. Its comments are the English help; the Italian help is in [`crate::words`].

use crate::words::Words;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand};
use lab::report::text::Lang;
use lab::set::Source;
use lab::{Columns, Result};
use std::path::PathBuf;

/// Fine-tunes Gemma 3 on this machine.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
pub struct Args {
    /// Machine output on standard output, nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Where the library of models and runs lives [default: the platform's data folder]
    #[arg(long, global = true, value_name = "DIR", env = "LAPIDARY_HOME")]
    pub home: Option<PathBuf>,
    /// No progress and no notes
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Language of messages, help and reports [default: the system's]
    #[arg(long, global = true, value_parser = languages())]
    pub language: Option<Lang>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// List what this machine can compute on
    Devices,
    /// List, get, import and export models
    Models {
        #[command(subcommand)]
        command: ModelsCommand,
    },
    /// Look at a data set before training
    Data {
        #[command(subcommand)]
        command: DataCommand,
    },
    /// Train a model on a data set and evaluate it; `report` then writes the report
    Train(Train),
    /// Score a run, or the answers of any other system, on a test file
    Eval(Evaluate),
    /// Ask a trained model
    Predict {
        /// Run folder
        run: PathBuf,
        /// Texts to answer
        #[arg(required = true)]
        texts: Vec<String>,
        /// Device: auto, cpu, gpu or an id from `lapidary devices`
        #[arg(long, default_value = "auto")]
        device: String,
    },
    /// Write the report of runs
    Report {
        /// Run folders
        #[arg(required = true)]
        runs: Vec<PathBuf>,
        /// Kind of document
        #[arg(long, default_value = "html", value_parser = ["html"])]
        format: String,
        /// Folder to write into [default: the run folder]
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Measure the training step on random tokens
    Bench {
        /// Device: auto, cpu, gpu or an id from `lapidary devices`
        #[arg(long, default_value = "auto")]
        device: String,
        /// Name or path of the model
        #[arg(long, default_value = "gemma-3-270m")]
        model: String,
        /// Rows and tokens a row
        #[arg(long, default_value = "8x64")]
        shape: String,
        /// Targets a row
        #[arg(long, default_value_t = 8)]
        targets: usize,
        /// Steps to time, after one that is not
        #[arg(long, default_value_t = 5)]
        steps: usize,
        /// What is trained
        #[arg(long, default_value = "completion", value_parser = ["completion", "head"])]
        method: String,
    },
}

#[derive(Subcommand)]
pub enum ModelsCommand {
    /// Models on this machine, and those that can be got
    List,
    /// Get a model of the catalogue, or any owner/repository of the hub
    Get {
        /// Name, or owner/repository
        name: String,
    },
    /// Add a GGUF file or a Hugging Face folder that is on disk
    Import {
        /// File or folder
        path: PathBuf,
        /// Name in the library [default: the file's]
        #[arg(long)]
        name: Option<String>,
    },
    /// Write a model as a Hugging Face folder in f32
    Export {
        /// Name or path
        name: String,
        /// Folder to make
        #[arg(long)]
        out: PathBuf,
    },
}

#[derive(Subcommand)]
pub enum DataCommand {
    /// Find what would spoil a run; exit code 1 if training would refuse the data
    Check {
        /// A file, or a folder with dataset.toml or files called train, validation, test
        path: PathBuf,
        /// Task
        #[arg(long)]
        task: String,
        /// Which column plays which role: text=question,label=intent
        #[arg(long)]
        columns: Option<String>,
    },
}

#[derive(clap::Args)]
pub struct Train {
    /// Task
    #[arg(long)]
    task: String,
    /// Training examples (.jsonl, .csv, .tsv)
    #[arg(long, value_name = "FILE")]
    train: Option<PathBuf>,
    /// Examples on which the best weights are chosen
    #[arg(long, value_name = "FILE")]
    validation: Option<PathBuf>,
    /// Examples on which the result is measured
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
    /// A folder with dataset.toml or files called train, validation, test
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Which column plays which role: text=question,label=intent
    #[arg(long)]
    columns: Option<String>,
    /// Name or path of the base model
    #[arg(long, default_value = "gemma-3-270m")]
    model: String,
    /// How the model answers
    #[arg(long, default_value = "auto", value_parser = ["auto", "completion", "head"])]
    method: String,
    /// Device: auto, cpu, gpu or an id from `lapidary devices`
    #[arg(long, default_value = "auto")]
    device: String,
    /// A recipe instead of the task's own
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// Change one setting of the recipe; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Seed of everything random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Run folder to make
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

impl Train {
    /// What the application is asked to do.
    ///
    /// # Errors
    /// If `--columns` is malformed.
    pub fn request(self) -> Result<lab::run::Request> {
        let columns = columns(self.columns.as_deref()).map_err(lab::Error::Request)?;
        let data = Source { folder: self.data, train: self.train, validation: self.validation, test: self.test, columns };
        let mut request = lab::run::Request {
            task: self.task,
            data,
            model: self.model,
            method: self.method,
            device: self.device,
            recipe: self.recipe,
            set: self.set,
            seed: self.seed,
            out: self.out,
            command: String::new(),
        };
        request.command = request.as_command();
        Ok(request)
    }
}

#[derive(clap::Args)]
pub struct Evaluate {
    /// Run folder
    pub run: Option<PathBuf>,
    /// Answers of any other system, one JSON object a line: {"answer": "…", "probability": 0.9}
    #[arg(long, value_name = "FILE", conflicts_with = "run", requires = "task")]
    pub predictions: Option<PathBuf>,
    /// Task of the answers
    #[arg(long, value_parser = ["intent"])]
    pub task: Option<String>,
    /// Examples to score on
    #[arg(long, value_name = "FILE")]
    pub test: PathBuf,
    /// Which column plays which role: text=question,label=intent
    #[arg(long)]
    pub columns: Option<String>,
    /// Device: auto, cpu, gpu or an id from `lapidary devices`
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// File to write each answer to, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// What `--language` takes.
fn languages() -> impl TypedValueParser<Value = Lang> {
    PossibleValuesParser::new(["en", "it"]).try_map(|code| code.parse::<Lang>())
}

/// Roles of columns, from `--columns`.
pub fn columns(spec: Option<&str>) -> std::result::Result<Columns, String> {
    Columns::parse(spec.unwrap_or_default()).map_err(|e| format!("--columns: {e}"))
}

/// Rows and tokens of `8x64`.
pub fn shape(text: &str, words: Words) -> std::result::Result<(usize, usize), String> {
    let parsed = text.split_once('x').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    parsed.filter(|(a, b)| *a > 0 && *b > 1).ok_or_else(|| words.bad_shape(text))
}
