//! The command line. Its comments are the English help; the Italian help is in [`crate::words`].

use crate::words::Words;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand};
use lab::recipe::Recipe;
use lab::report::content::SECTIONS;
use lab::report::output::Format;
use lab::report::text::Lang;
use lab::set::{Source, Split};
use lab::sweep::Dimension;
use lab::vectors::Reader;
use lab::write::Layout;
use lab::{Columns, Kind, Result};
use say::say;
use std::path::PathBuf;

/// Whether this build has no devices of other machines: then help does not offer them, and who asks for them is told.
const LACKING: bool = cfg!(not(feature = "remote"));

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
    Devices {
        /// Compare every device with the processor anew, and measure its speed; with --add, only the one that is added
        #[arg(long)]
        check: bool,
        /// Add a device that `lapidary serve` offers on another machine, by its address
        #[arg(long, value_name = "HOST:PORT", requires = "token", conflicts_with = "remove", hide = LACKING)]
        add: Option<String>,
        /// The token that is printed there; - reads it from standard input, where no list of programs shows it
        #[arg(long, value_name = "SECRET", requires = "add", hide = LACKING)]
        token: Option<String>,
        /// Forget a device of another machine
        #[arg(long, value_name = "HOST:PORT", hide = LACKING)]
        remove: Option<String>,
    },
    /// Let another machine compute on a device of this one, until Ctrl-C; the traffic is not encrypted
    #[command(hide = LACKING)]
    Serve {
        /// Device to offer: auto, cpu, gpu or an id from `lapidary devices`
        #[arg(long, default_value = "auto")]
        device: String,
        /// Where to listen; only this machine reaches 127.0.0.1, the whole network 0.0.0.0, and port 0 is any that is free
        #[arg(long, value_name = "ADDRESS:PORT", default_value = lab::remote::LISTEN)]
        listen: String,
        /// Make another token; whoever has the one before can compute here no longer
        #[arg(long)]
        new_token: bool,
    },
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
    Train {
        #[command(flatten)]
        train: Train,
        /// Only measure what the run would cost: time, memory and disk
        #[arg(long, overrides_with = "no_forecast")]
        forecast: bool,
        /// Begin without measuring what the run will cost; --json and --quiet do, too
        #[arg(long)]
        no_forecast: bool,
    },
    /// Train every combination of methods, sizes of the data and seeds, and sum up; the same command goes on after a stop
    Study {
        #[command(flatten)]
        train: Train,
        /// Methods, separated by commas [default: the one of --method]
        #[arg(long, value_delimiter = ',', value_parser = METHODS)]
        methods: Vec<String>,
        /// Sizes of the training set in rows, separated by commas; `all` means all [default: all]
        #[arg(long, value_delimiter = ',', value_parser = size)]
        sizes: Vec<Size>,
        /// Seeds, separated by commas
        #[arg(long, value_delimiter = ',', default_value = "0,1,2")]
        seeds: Vec<u64>,
    },
    /// Find settings by trying: all combinations briefly, the best of them longer, by the validation set alone; the same command
    /// goes on after a stop
    Sweep {
        #[command(flatten)]
        train: Train,
        /// A setting and the values to try, key=value,value (with semicolons if a value holds commas); may be repeated
        #[arg(long = "try", value_name = "KEY=VALUES", required = true)]
        dimensions: Vec<Dimension>,
        /// One of so many goes on to a round that is so many times as long
        #[arg(long, value_name = "TRIALS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(2..))]
        halving: u64,
    },
    /// Let a running training wait, with everything on disk
    Pause {
        /// Run folder
        run: PathBuf,
    },
    /// Go on with a training that waits, was stopped, or was cut off by a crash
    Resume {
        /// Run folder
        run: PathBuf,
        /// Device to go on with: auto, cpu, gpu or an id from `lapidary devices` [default: the one it began with]
        #[arg(long)]
        device: Option<String>,
    },
    /// Score a run, or the answers of any other system, on a test file
    Eval(Evaluate),
    /// Ask a trained model
    Predict {
        /// Run folder
        run: PathBuf,
        /// Texts to answer
        #[arg(required = true)]
        texts: Vec<String>,
        /// Probabilities as they were calibrated on the validation set
        #[arg(long)]
        calibrated: bool,
        /// Withhold answers whose calibrated probability is below the threshold of the run
        #[arg(long)]
        abstain: bool,
        /// Device: auto, cpu, gpu or an id from `lapidary devices`
        #[arg(long, default_value = "auto")]
        device: String,
    },
    /// Fit what a run's probabilities are worth, and a threshold for abstaining, on its validation set
    Calibrate {
        /// Run folder
        run: PathBuf,
        /// Accuracy that answers above the threshold should have, between 0 and 1
        #[arg(long, default_value_t = lab::calibrate::WANTED, value_name = "SHARE")]
        accuracy: f64,
        /// Validation examples [default: those of the run]
        #[arg(long, value_name = "FILE")]
        validation: Option<PathBuf>,
        /// Which column plays which role: text=question,label=intent; a field within a field has a dot: text=content.text
        #[arg(long, requires = "validation")]
        columns: Option<String>,
        /// Device: auto, cpu, gpu or an id from `lapidary devices`
        #[arg(long, default_value = "auto")]
        device: String,
    },
    /// Write the report of runs, or of a study
    Report {
        /// Run folders, or folders of studies
        #[arg(required = true)]
        runs: Vec<PathBuf>,
        /// Kinds of document: html, pdf, md, csv, json, svg, png
        #[arg(long, default_value = "html", value_delimiter = ',', value_parser = formats())]
        format: Vec<Format>,
        /// Sections to leave out, by name: mistakes,health
        #[arg(long, value_delimiter = ',', value_parser = sections())]
        without: Vec<String>,
        /// Folder to write into [default: the run folder]
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Write a trained model for other programs
    Export {
        /// Run folder
        run: PathBuf,
        /// What to write: the adapter as PEFT has it, or the whole model as safetensors or GGUF
        #[arg(long, value_parser = exports())]
        format: lab::export::Format,
        /// Folder to make
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
    },
    /// Set runs side by side; the others are held against the first
    Compare {
        /// Run folders
        #[arg(required = true, num_args = 2..)]
        runs: Vec<PathBuf>,
        /// Kinds of document: html, pdf, md, csv, json, svg, png
        #[arg(long, default_value = "html", value_delimiter = ',', value_parser = formats(), requires = "out")]
        format: Vec<Format>,
        /// Sections to leave out, by name: mistakes,health
        #[arg(long, value_delimiter = ',', value_parser = lab::report::compare::SECTIONS)]
        without: Vec<String>,
        /// Folder to write a report into; without it, it is printed
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Pack a run into one file that can be opened elsewhere
    Pack {
        /// Run folder
        run: PathBuf,
        /// File to make, for instance intents.lapidary
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Leave out the data that it was trained on
        #[arg(long)]
        without_data: bool,
    },
    /// Unpack a run, after checking every file in it
    Unpack {
        /// File that `pack` made
        file: PathBuf,
        /// Folder to make
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
    },
    /// Measure the training step on random tokens
    Bench {
        /// Device: auto, cpu, gpu or an id from `lapidary devices`
        #[arg(long, default_value = "auto")]
        device: String,
        /// Name or path of the model
        #[arg(long, default_value = "gemma-3-270m")]
        model: String,
        /// Rows and tokens a row, or all: four shapes and their targets, each in a process of its own
        #[arg(long, default_value = "8x64")]
        shape: String,
        /// Targets a row, where one shape is named
        #[arg(long, default_value_t = 8)]
        targets: usize,
        /// Steps to time, after one that is not
        #[arg(long, default_value_t = 5)]
        steps: usize,
        /// What is trained
        #[arg(long, default_value = "completion", value_parser = ["completion", "head", "full"])]
        method: String,
        /// Change one setting of the recipe; may be repeated
        #[arg(long, value_name = "KEY=VALUE")]
        set: Vec<String>,
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
        #[command(flatten)]
        looked: Looked,
        #[command(flatten)]
        parts: Parts,
        /// Check the data as it was edited with `data edit`, instead of as its files are
        #[arg(long)]
        edited: bool,
        /// Also read every row with the model, and name rows that resemble those of another label
        #[arg(long)]
        deep: bool,
        #[command(flatten)]
        under: Under,
    },
    /// Describe a data set: lengths, vocabulary, and what its answers are like
    Show {
        #[command(flatten)]
        looked: Looked,
        #[command(flatten)]
        parts: Parts,
        /// Show the data as it was edited with `data edit`, instead of as its files are
        #[arg(long)]
        edited: bool,
        /// Show the rows that hold these words instead; the last may be the beginning of a word
        #[arg(long, value_name = "WORDS")]
        search: Option<String>,
        /// Rows to show
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// Show what a model reads of one row instead, token by token: file:line, or PART:NUMBER, counted from 0
        #[arg(long, value_name = "ROW", conflicts_with = "search")]
        tokens: Option<String>,
        /// Show the rows that the model finds most like one instead: file:line, or PART:NUMBER, counted from 0
        #[arg(long, value_name = "ROW", conflicts_with_all = ["search", "tokens"])]
        near: Option<String>,
        /// Write the rows as points on a plane instead, those alike to the model near each other; .json, .csv, or a picture: .svg, .png
        #[arg(long, value_name = "FILE", conflicts_with_all = ["search", "tokens", "near"])]
        map: Option<PathBuf>,
        #[command(flatten)]
        under: Under,
    },
    /// Change rows without touching the files; `train --edited` trains on what comes of it
    Edit {
        #[command(flatten)]
        looked: Looked,
        #[command(flatten)]
        parts: Parts,
        #[command(subcommand)]
        action: EditCommand,
    },
    /// Divide one file into training, validation and test, or take what a set lacks out of training, nearly equal texts together
    Split {
        #[command(flatten)]
        looked: Looked,
        /// Folder to make
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
        /// Share for validation, between 0 and 1
        #[arg(long, default_value_t = 0.1, value_name = "SHARE")]
        validation: f64,
        /// Share for the test, between 0 and 1
        #[arg(long, default_value_t = 0.1, value_name = "SHARE")]
        test: f64,
        /// Seed of the division
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
}

#[derive(Subcommand)]
pub enum EditCommand {
    /// Give a row another answer
    Relabel {
        /// Row: file:line, as `data check` names it, or PART:NUMBER in the files, counted from 0
        row: String,
        /// The answer: a label, a query, hashtags, a text; entities as {"people": ["Anna"]}
        answer: String,
    },
    /// Give a row another text; its answer stays, entities move with the words that they mark
    Rewrite {
        /// Row: file:line, as `data check` names it, or PART:NUMBER in the files, counted from 0
        row: String,
        /// The text
        text: String,
    },
    /// Take a row out
    Delete {
        /// Row: file:line, as `data check` names it, or PART:NUMBER in the files, counted from 0
        row: String,
    },
    /// Put a row into another part
    Move {
        /// Row: file:line, as `data check` names it, or PART:NUMBER in the files, counted from 0
        row: String,
        /// Part: train, validation or test
        #[arg(value_parser = part)]
        to: Split,
    },
    /// Add a row
    Add {
        /// Part: train, validation or test
        #[arg(value_parser = part)]
        to: Split,
        /// The text
        text: String,
        /// The answer: a label, a query, hashtags, a text; entities as {"people": ["Anna"]}
        answer: String,
    },
    /// Take the last change back
    Undo,
    /// Make the change again that was last taken back
    Redo,
    /// Show all changes, those that were taken back last
    List,
    /// Write the edited data set as a folder of its own
    Export {
        /// Folder to make
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
        /// Format of its files
        #[arg(long, default_value = "jsonl", value_parser = layouts())]
        format: Layout,
    },
}

/// The model and the recipe that a data set is looked at under.
#[derive(clap::Args)]
pub struct Under {
    /// Name or path of the model [default: gemma-3-270m, if it is on this machine]
    #[arg(long)]
    pub model: Option<String>,
    /// How the model answers
    #[arg(long, default_value = "auto", value_parser = METHODS)]
    method: String,
    /// A recipe, or the run.toml of a run, instead of the task's own
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// Change one setting of the recipe; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Device: auto, cpu, gpu or an id from `lapidary devices`
    #[arg(long, default_value = "auto")]
    device: String,
}

impl Under {
    /// Who reads rows.
    pub fn reader(&self) -> Reader<'_> {
        Reader { model: self.model.as_deref().unwrap_or("gemma-3-270m"), device: &self.device }
    }

    /// The recipe for a kind of task.
    ///
    /// # Errors
    /// As [`Recipe::resolve`].
    pub fn recipe(&self, kind: Kind) -> Result<Recipe> {
        Recipe::resolve(kind, self.recipe.as_deref(), &self.method, &self.set)
    }
}

/// What `--method` takes.
const METHODS: [&str; 5] = ["auto", "completion", "head", "tagging", "full"];

/// A part of a data set.
fn part(name: &str) -> std::result::Result<Split, String> {
    Split::ALL.into_iter().find(|s| s.name() == name).ok_or_else(|| say!("write train, validation or test", "scrivi train, validation o test"))
}

/// The data set that a command looks at.
#[derive(clap::Args)]
pub struct Looked {
    /// A file, or a folder with dataset.toml or files called train, validation, test
    path: PathBuf,
    /// Task
    #[arg(long)]
    pub task: String,
    /// Which column plays which role: text=question,label=intent; a field within a field has a dot: text=content.text
    #[arg(long)]
    columns: Option<String>,
    /// SQL script that makes the tables which queries are about; of a custom task the JSON schema of its completions
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// SQLite file that queries run on
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Pass over rows that cannot be read, and list them, instead of refusing the file
    #[arg(long)]
    skip_bad_rows: bool,
}

/// The files of a data set that has one for each part; a set looked at without them would be another one, with other changes.
#[derive(Default, clap::Args)]
pub struct Parts {
    /// Training examples (.jsonl, .json, .csv, .tsv, .parquet, .conll, .conllu)
    #[arg(long, value_name = "FILE")]
    train: Option<PathBuf>,
    /// Examples on which the best weights are chosen
    #[arg(long, value_name = "FILE")]
    validation: Option<PathBuf>,
    /// Examples on which the result is measured
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
}

impl Looked {
    /// The data set; a single file is taken for training data.
    ///
    /// # Errors
    /// If `--columns` is malformed, or there are two files of training data.
    pub fn source(&self, parts: &Parts) -> Result<Source> {
        let columns = columns(self.columns.as_deref()).map_err(lab::Error::Request)?;
        let (folder, train) = if self.path.is_dir() { (Some(self.path.clone()), None) } else { (None, Some(self.path.clone())) };
        if let (Some(file), Some(_)) = (&train, &parts.train) {
            return Err(lab::Error::Request(say!(
                "{} is taken for the training examples; leave --train out, or name a folder",
                "{} è preso per gli esempi di addestramento; togli --train, oppure indica una cartella",
                file.display()
            )));
        }
        let (train, validation, test) = (train.or_else(|| parts.train.clone()), parts.validation.clone(), parts.test.clone());
        let (schema, database) = (self.schema.clone(), self.database.clone());
        Ok(Source { folder, train, validation, test, columns, schema, database, skip_bad_rows: self.skip_bad_rows, ..Source::default() })
    }
}

#[derive(clap::Args)]
pub struct Train {
    /// Task
    #[arg(long)]
    task: String,
    #[command(flatten)]
    parts: Parts,
    /// A folder with dataset.toml or files called train, validation, test
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Which column plays which role: text=question,label=intent; a field within a field has a dot: text=content.text
    #[arg(long)]
    columns: Option<String>,
    /// SQL script that makes the tables which queries are about; of a custom task the JSON schema of its completions
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// SQLite file that queries run on
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Pass over rows that cannot be read, and list them, instead of refusing the file
    #[arg(long)]
    skip_bad_rows: bool,
    /// Name or path of the base model
    #[arg(long, default_value = "gemma-3-270m")]
    model: String,
    /// How the model answers
    #[arg(long, default_value = "auto", value_parser = METHODS)]
    method: String,
    /// Device: auto, cpu, gpu or an id from `lapidary devices`
    #[arg(long, default_value = "auto")]
    device: String,
    /// A recipe, or the run.toml of a run, instead of the task's own
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// Change one setting of the recipe; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Train on only so many rows, drawn by the seed
    #[arg(long, value_name = "ROWS")]
    rows: Option<usize>,
    /// Seed of everything random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Train on the data as it was edited with `data edit`, instead of as its files are
    #[arg(long)]
    edited: bool,
    /// For choosing settings: leave the test set out, and score the tuned model alone, on the validation set
    #[arg(long)]
    trial: bool,
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
        let data = Source {
            folder: self.data,
            train: self.parts.train,
            validation: self.parts.validation,
            test: self.parts.test,
            columns,
            schema: self.schema,
            database: self.database,
            skip_bad_rows: self.skip_bad_rows,
            ..Source::default()
        };
        let mut request = lab::run::Request {
            task: self.task,
            data,
            model: self.model,
            method: self.method,
            device: self.device,
            recipe: self.recipe,
            set: self.set,
            rows: self.rows,
            seed: self.seed,
            edited: self.edited,
            trial: self.trial,
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
    #[arg(long, value_name = "FILE", conflicts_with = "run")]
    pub predictions: Option<PathBuf>,
    /// Take the answers in as a run of their own, to compare with this run; they answer the examples that it was measured on
    #[arg(long, value_name = "RUN", requires = "predictions", conflicts_with_all = ["task", "test", "schema", "database", "columns", "out"])]
    pub like: Option<PathBuf>,
    /// Task of the answers
    #[arg(long, value_parser = kinds(), required_unless_present_any = ["run", "like"])]
    pub task: Option<Kind>,
    /// Script that makes the tables which queries are about; of a custom task the JSON schema of its completions
    #[arg(long, value_name = "FILE", requires = "predictions")]
    pub schema: Option<PathBuf>,
    /// SQLite file of these tables, or the script that fills them
    #[arg(long, value_name = "FILE", requires = "predictions")]
    pub database: Option<PathBuf>,
    /// Examples to score on [default: the test set of the run]
    #[arg(long, value_name = "FILE", required_unless_present_any = ["run", "like"])]
    pub test: Option<PathBuf>,
    /// Which column plays which role: text=question,label=intent; a field within a field has a dot: text=content.text
    #[arg(long)]
    pub columns: Option<String>,
    /// Device: auto, cpu, gpu or an id from `lapidary devices`
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// File to write each answer to, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// A size of `--sizes`; none means all rows. (A type of its own, because clap reads `Option` as an optional argument.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub Option<usize>);

fn size(word: &str) -> std::result::Result<Size, String> {
    match word.parse() {
        _ if word == "all" => Ok(Size(None)),
        Ok(rows) if rows > 0 => Ok(Size(Some(rows))),
        _ => Err(say!("a number of rows, or all", "un numero di righe, oppure all")),
    }
}

/// What `--language` takes.
fn languages() -> impl TypedValueParser<Value = Lang> {
    PossibleValuesParser::new(["en", "it"]).try_map(|code| code.parse::<Lang>())
}

/// What `--task` takes.
fn kinds() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::ALL.map(Kind::name)).try_map(|name| name.parse::<Kind>())
}

/// What `--format` of a report takes.
fn formats() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::NAMES).try_map(|name| name.parse::<Format>())
}

/// What `--without` of a report takes: sections of runs and of studies.
fn sections() -> PossibleValuesParser {
    let of_studies = lab::report::study::SECTIONS.into_iter().filter(|s| !SECTIONS.contains(s));
    PossibleValuesParser::new(SECTIONS.into_iter().chain(of_studies))
}

/// What `--format` of an edited data set takes.
fn layouts() -> impl TypedValueParser<Value = Layout> {
    PossibleValuesParser::new(Layout::ALL.map(Layout::name)).try_map(|name| name.parse::<Layout>())
}

/// What `--format` of an export takes.
fn exports() -> impl TypedValueParser<Value = lab::export::Format> {
    PossibleValuesParser::new(lab::export::Format::NAMES).try_map(|name| name.parse::<lab::export::Format>())
}

/// Roles of columns, from `--columns`.
pub fn columns(spec: Option<&str>) -> std::result::Result<Columns, String> {
    Columns::parse(spec.unwrap_or_default()).map_err(|e| format!("--columns: {e}"))
}

/// Rows and tokens of `8x64`; none of `all`.
pub fn shape(text: &str, words: Words) -> std::result::Result<Option<[usize; 2]>, String> {
    if text == "all" {
        return Ok(None);
    }
    let parsed = text.split_once('x').and_then(|(a, b)| Some([a.parse().ok()?, b.parse().ok()?]));
    parsed.filter(|[a, b]: &[usize; 2]| *a > 0 && *b > 1).map(Some).ok_or_else(|| words.bad_shape(text))
}
