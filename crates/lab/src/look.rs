//! Looking at a data set, and dividing it, before training on it.

use crate::answer;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::models;
use crate::recipe::{Method, Recipe};
use crate::run;
use crate::sheet::{MEASURED, QueryResult};
use crate::task::{self, Task};
use crate::vectors::no_row;
use crate::watch::{Watch, aside, watched};
use data::batch::{self, Padding};
use data::check::{self, Finding, Limit, Place, Severity};
use data::database::Database;
use data::describe::{self, Description};
use data::divide::{self, Shares};
use data::encode::Encoder;
use data::microscope::{self, Prompt, Token};
use data::read::{self, Record};
use data::set::{self, DataSet, Source, Split};
use data::watch::Steps;
use data::write::{self, NewCard};
use data::{Encoded, Example, Kind, Origin};
use gemma::{Layout, Tokenizer};
use report::record::RunFile;
use report::text::Lang;
use say::{ROW, say};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tasks::sandbox::Sandbox;
use tasks::score::sql::can_be_expected;
use ts_rs::TS;

/// Reads a data set for a task.
///
/// # Errors
/// If a file is missing or malformed.
pub fn open(task: &str, source: &Source) -> Result<DataSet> {
    open_with(task, source, &mut |_, _, _| true)
}

/// As [`open`]; `progress` is called now and then with the file that is being read, how much of it is
/// done, and of how much; `false` ends it.
///
/// # Errors
/// As [`open`], or if it was ended.
pub fn open_with(task: &str, source: &Source, progress: &mut dyn FnMut(&Path, u64, u64) -> bool) -> Result<DataSet> {
    let kind = task.parse::<Kind>().map_err(Error::Request)?;
    Ok(DataSet::open_with(&Source { kind: Some(kind), ..source.clone() }, progress)?)
}

/// Divides a data set that is one file into training, validation and test, or takes the one of the last two that it lacks out of
/// its training part, as a folder with a card; how many examples went where. Of a part that is there already its share counts
/// for nothing, and it stays as it is. Texts that are nearly the same stay together, and the same seed gives the same parts.
///
/// # Errors
/// If the set has all parts or is too small, the shares leave nothing, the folder holds files, the disk refuses, or it was ended.
pub fn split(set: &DataSet, shares: Shares, seed: u64, out: &Path, watch: Watch<'_>) -> Result<BTreeMap<Split, usize>> {
    let alone = || set.splits.iter().next().filter(|_| set.splits.len() == 1);
    let Some((own, file)) = set.splits.get_key_value(&Split::Train).or_else(alone) else {
        return Err(Error::request(say!("no examples to divide; name a file", "non ci sono esempi da dividere; indica un file")));
    };
    let kept = || set.splits.iter().filter(|(split, file)| *split != own && !file.examples.is_empty());
    let lacks = |split: Split| kept().all(|(there, _)| *there != split);
    if !lacks(Split::Validation) && !lacks(Split::Test) {
        let names = set.splits.keys().map(|s| s.name()).collect::<Vec<_>>().join(", ");
        return Err(Error::request(say!(
            "{} is divided already, into {names}; to divide one of them, name its file alone",
            "{} è già diviso, in {names}; per dividere una di queste parti indica solo il suo file",
            set.card.name
        )));
    }
    let wanted = |split: Split, share: f64| if lacks(split) { share } else { 0.0 };
    let shares = Shares::new(wanted(Split::Validation, shares.validation), wanted(Split::Test, shares.test)).map_err(Error::Request)?;
    let compared = divide::work(file.examples.len());
    let whole = compared + (file.examples.len() + kept().map(|(_, file)| file.examples.len()).sum::<usize>()) as u64;
    let of = divide::divide(&file.path, &file.examples, shares, seed, &mut Steps::new(whole, watch))?;
    let mut parts: BTreeMap<Split, Vec<&Example>> = kept().map(|(split, file)| (*split, file.examples.iter().collect())).collect();
    for (split, example) in of.iter().zip(&file.examples) {
        parts.entry(*split).or_default().push(example);
    }
    let name = file.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let card = NewCard {
        how_it_was_made: say!(
            "Divided by Lapidary {} from {name} (SHA-256 {}) with seed {seed}: {} for validation, {} for the test; nearly equal texts are in one part.",
            "Diviso da Lapidary {} a partire da {name} (SHA-256 {}) con il seme {seed}: {} alla validazione, {} alla prova; i testi quasi uguali stanno in una stessa parte.",
            crate::VERSION,
            file.sha256,
            shares.validation,
            shares.test
        ),
        ..NewCard::of(set)
    };
    write::folder(out, set.kind, write::Layout::JsonLines, card, &parts, &mut |rows, _| watch(compared + rows, Some(whole)))?;
    Ok(parts.into_iter().map(|(split, examples)| (split, examples.len())).collect())
}

/// How a model reads: its tokenizer, and how many tokens it reads at most.
pub struct Reads {
    tokenizer: Tokenizer,
    context: usize,
}

impl Reads {
    /// How a model reads that is found by name or path.
    ///
    /// # Errors
    /// If the model is not on this machine, its tokenizer is damaged, or it was ended.
    pub fn open(home: &Home, model: &str, watch: Watch<'_>) -> Result<Self> {
        let weights = models::weights(home, model, watch)?;
        Ok(Self { tokenizer: models::tokenizer(&weights, watch)?, context: weights.config().context })
    }
}

/// What says how long examples are: how a model reads, and a recipe.
pub struct Measure {
    reads: Arc<Reads>,
    recipe: Recipe,
}

impl Measure {
    /// The measure of a model, found by name or path, under a recipe.
    ///
    /// # Errors
    /// As [`Reads::open`].
    pub fn open(home: &Home, model: &str, recipe: Recipe) -> Result<Self> {
        Ok(Self::new(Arc::new(Reads::open(home, model, &mut |_, _| true)?), recipe))
    }

    /// The measure of how a model reads, under a recipe.
    pub fn new(reads: Arc<Reads>, recipe: Recipe) -> Self {
        Self { reads, recipe }
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The tokenizer of the model.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.reads.tokenizer
    }

    /// Tokens that an example may have.
    pub fn limit(&self) -> usize {
        self.recipe.max_tokens.min(self.reads.context)
    }

    /// How many tokens an example has as a model is trained on it, whatever is allowed; none where it cannot be tokenized.
    fn count(&self, e: &Example, language: &str, task: &Task) -> Option<usize> {
        let encoder = Encoder { tokenizer: self.tokenizer(), max_tokens: usize::MAX };
        Some(answer::encode(e, &encoder, &self.recipe, self.recipe.template(language), task).ok()?.ids.len())
    }

    /// What training would refuse for its length: examples of a set, and rows that it would make of them. Each counts one of `steps`.
    ///
    /// # Errors
    /// If it was ended.
    pub(crate) fn too_long(&self, set: &DataSet, task: &Task, made: &[Example], steps: &mut Steps<'_>) -> Result<Vec<Finding>> {
        let own = too_long(set, task, &self.recipe, (self.tokenizer(), self.reads.context), steps)?;
        Ok(own.into_iter().chain(self.made_too_long(set, task, made, steps)?).collect())
    }

    /// Which of the rows that training would make of a set's are too long; they are named by those that they are made of.
    fn made_too_long(&self, set: &DataSet, task: &Task, made: &[Example], steps: &mut Steps<'_>) -> Result<Option<Finding>> {
        limited(set, task, &self.recipe, (self.tokenizer(), self.reads.context), |limit| -> Result<Option<Finding>> {
            let made: Vec<&Example> = made.iter().collect();
            let long = steps.each(&made, |&e| Some((e, (limit.count)(e).filter(|n| *n > limit.tokens)?)))?;
            let Some(longest) = long.iter().map(|(_, n)| *n).max() else { return Ok(None) };
            let (n, allowed, context) = (long.len(), limit.tokens, limit.context);
            let place = |e: &Example| (e.origin.path().to_path_buf(), e.origin.line);
            let sources: BTreeSet<(PathBuf, usize)> = long.iter().map(|(e, _)| place(e)).collect();
            let of = set.examples(Split::Train).iter().enumerate().filter(|(_, e)| sources.contains(&place(e)));
            let rows = of.map(|(index, e)| (e.origin.to_string(), Place { split: Split::Train, index, group: None })).collect();
            let fits = longest <= context;
            let message = || {
                let (rows, is, it) = (say::count(n, ROW), say::number(n, "is", "are"), say::number(n, "it", "them"));
                let (supera, lunga, la) = (say::number(n, "supera", "superano"), say::number(n, "è lunga", "la più lunga è di"), say::number(n, "la", "le"));
                let way_out = if fits { say!(", or raise max_tokens, up to {context}", ", oppure alza max_tokens, fino a {context}") } else { String::new() };
                say!(
                    "{rows} that training makes of these or of the database {is} longer than the {allowed} tokens allowed (the longest has {longest}), and \
                     training refuses {it}: lower grow or compose{way_out}",
                    "{rows} che l’addestramento ricava da queste o dal database {supera} i {allowed} token ammessi ({lunga} {longest}), e l’addestramento {la} \
                     rifiuta: abbassa grow o compose{way_out}"
                )
            };
            let fix = || match fits {
                true => say!(
                    "With --set max_tokens={longest} all of them fit, at more memory and time a step.",
                    "Con --set max_tokens={longest} ci stanno tutte, ma ogni passo richiede più memoria e tempo."
                ),
                false => say!("Training can then begin.", "L’addestramento può allora cominciare."),
            };
            Ok(Some(Finding::of(MADE_TOO_LONG, Severity::Error, rows, message, fix)))
        })
    }
}

const MADE_TOO_LONG: &str = "made_too_long";

/// Kinds of findings that need a model's tokenizer.
pub(crate) const OF_LENGTHS: [&str; 2] = ["too_long", MADE_TOO_LONG];

/// The seed of a run where no other is chosen.
const SEED: u64 = 0;
/// Training rows from which others are made to be looked at; from more it would take longer than anyone waits for.
const GROWN: usize = 5_000;

/// The rows that a training would make of a set's own; of very many it is not looked at.
///
/// # Errors
/// As [`task::made`].
pub(crate) fn made(set: &DataSet, recipe: &Recipe, steps: &mut Steps<'_>) -> Result<Vec<Example>> {
    if set.examples(Split::Train).len() > GROWN { Ok(Vec::new()) } else { task::made(set, recipe, SEED, steps) }
}

/// What was found in a data set.
pub struct Checked {
    /// The findings, worst first.
    pub findings: Vec<Finding>,
    /// Tokens that no example may exceed, where lengths were checked; else why they were not.
    pub limit: std::result::Result<usize, String>,
}

/// Checks a data set as a training does; with a measure also which examples are longer than it allows. Rows that were passed
/// over when it was read are findings too, this bad.
///
/// # Errors
/// If the set's database cannot be opened, or its JSON schema is none that a model can be held to.
pub fn check(set: &DataSet, passed_over: Severity, measure: std::result::Result<&Measure, String>) -> Result<Checked> {
    let mut checked = found(set, measure, &mut Steps::default())?;
    checked.findings.splice(0..0, check::skipped(set, passed_over));
    checked.findings.sort_by_key(|f| f.severity);
    Ok(checked)
}

/// As [`check`], of the rows that could be read, where lengths are measured apart.
///
/// # Errors
/// As [`check`], or if it was ended.
pub(crate) fn check_unmeasured(set: &DataSet, watch: Watch<'_>) -> Result<Vec<Finding>> {
    let tried: usize = match set.kind {
        Kind::Sql => run::evaluated(set).map_or(0, |split| set.examples(split).len()),
        Kind::Custom => set.splits.values().map(|file| file.examples.len()).sum(),
        _ => 0,
    };
    let mut steps = Steps::new(check::work(set) + tried as u64 * check::TRIED, watch);
    Ok(found(set, Err(String::new()), &mut steps)?.findings)
}

fn found(set: &DataSet, measure: std::result::Result<&Measure, String>, steps: &mut Steps<'_>) -> Result<Checked> {
    // a prompt about a database shows its tables, and without them has no length
    let measured = measure.and_then(|m| Ok((m, Task::of(set).map_err(|e| e.to_string())?)));
    let mut findings = match &measured {
        Ok((m, task)) => limited(set, task, &m.recipe, (m.tokenizer(), m.reads.context), |limit| check::findings_with(set, Some(limit), steps))?,
        Err(_) => check::findings_with(set, None, steps)?,
    };
    if let Ok((m, task)) = &measured {
        let made = made(set, &m.recipe, steps)?;
        findings.extend(m.made_too_long(set, task, &made, steps)?);
    }
    let broken = |f: &Finding| f.severity == Severity::Error && f.kind.starts_with("sql_");
    // of queries that do not even run it is said already, and without a database nothing can be said
    if !findings.iter().any(broken) {
        match unscored(set, steps) {
            Ok(Some(finding)) => findings.insert(0, finding),
            Err(ended @ Error::Data(data::Error::Ended)) => return Err(ended),
            Ok(None) | Err(_) => {}
        }
    }
    if set.kind == Kind::Custom {
        findings.extend(Task::of(set)?.misfits(set, steps)?);
    }
    findings.sort_by_key(|f| f.severity);
    Ok(Checked { findings, limit: measured.map(|(m, _)| m.limit()) })
}

/// Which expected queries of the part that a run is scored on have no result within the limits under which it is scored.
///
/// # Errors
/// If queries have no database, its files are wrong, or it was ended.
pub(crate) fn unscored(set: &DataSet, steps: &mut Steps<'_>) -> Result<Option<Finding>> {
    let Some(split) = run::evaluated(set).filter(|_| set.kind == Kind::Sql) else { return Ok(None) };
    let mut sandbox = Sandbox::open(&task::database(set)?)?;
    let mut why = |query: &str| can_be_expected(&mut sandbox, query).err().map(|why| Lang::spoken().reason(&why));
    Ok(check::unscored(set, split, &mut why, steps)?)
}

/// Which examples are longer than a recipe, or a model's context, allows. Each counts one of `steps`.
///
/// # Errors
/// If it was ended.
pub(crate) fn too_long(set: &DataSet, task: &Task, recipe: &Recipe, reads: (&Tokenizer, usize), steps: &mut Steps<'_>) -> Result<Option<Finding>> {
    Ok(limited(set, task, recipe, reads, |limit| check::too_long(set, limit, steps))?)
}

/// Does something with the limit that a recipe, or the context of a model, sets to examples that its tokenizer reads.
fn limited<T>(set: &DataSet, task: &Task, recipe: &Recipe, (tokenizer, context): (&Tokenizer, usize), with: impl FnOnce(&Limit<'_>) -> T) -> T {
    let template = recipe.template(&set.card.language);
    let (tokens, encoder) = (recipe.max_tokens.min(context), Encoder { tokenizer, max_tokens: usize::MAX });
    let count = |e: &Example| {
        // a token is at least a byte: most examples are short enough without being tokenized
        let most = answer::bytes(e, recipe, template, task);
        if most <= tokens { Some(most) } else { answer::encode(e, &encoder, recipe, template, task).ok().map(|encoded| encoded.ids.len()) }
    };
    with(&Limit { tokens, context, count: &count })
}

/// How the rows that a training is given lie in batches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Batches {
    /// How many of the rows the training makes itself.
    pub made: usize,
    /// One after the other, as the CPU takes them.
    pub packed: Padding,
    /// In lines of one length, as graphics adapters take them.
    pub padded: Padding,
}

/// How the training rows of a set, and those that are made of them, lie in batches under a measure's recipe. Of very many rows
/// the first ones are measured.
///
/// # Errors
/// If the set's database cannot be opened, or a row cannot be tokenized.
pub fn batches(set: &DataSet, measure: &Measure) -> Result<Batches> {
    let (task, recipe) = (Task::of(set)?, &measure.recipe);
    let template = recipe.template(&set.card.language);
    let encoder = Encoder { tokenizer: measure.tokenizer(), max_tokens: usize::MAX };
    let made = made(set, recipe, &mut Steps::default())?;
    let rows = task::beside(set.examples(Split::Train), &made);
    let measured = &rows[..rows.len().min(MEASURED)];
    let encoded = measured.iter().map(|e| answer::encode(e, &encoder, recipe, template, &task)).collect::<Result<Vec<Encoded>>>()?;
    let batches = rows.len().div_ceil(recipe.train.batch);
    let lie = |layout| Padding { batches, ..batch::padding(&encoded, recipe.train.batch, SEED, layout) };
    Ok(Batches { made: made.len(), packed: lie(Layout::Packed), padded: lie(Layout::Padded) })
}

/// Describes a data set; with a measure also how long its examples are in tokens, as a model is trained on them.
///
/// # Errors
/// Never in practice: nobody ends it.
pub fn describe(set: &DataSet, measure: Option<&Measure>) -> Result<Description> {
    describe_with(set, measure, &mut Steps::default())
}

/// As [`describe()`]; without a measure it takes of `steps` what [`describe::work`] says.
///
/// # Errors
/// If it was ended.
pub(crate) fn describe_with(set: &DataSet, measure: Option<&Measure>, steps: &mut Steps<'_>) -> Result<Description> {
    // queries without their database have no prompt, and so no length
    let measured = measure.and_then(|m| Some((m, Task::of(set).ok()?)));
    let language = set.card.language.as_str();
    let count = measured.as_ref().map(|(m, task)| move |e: &Example| m.count(e, language, task));
    Ok(describe::describe_with(set, count.as_ref().map(|count| count as _), steps)?)
}

/// The part of a row that a person names, and its number in that part: `file:line`, as findings name it, or `train:0`.
///
/// # Errors
/// If there is none, or several.
pub fn locate(set: &DataSet, name: &str) -> Result<(Split, usize)> {
    let numbered = |split: Split, number: usize| {
        let rows = set.examples(split).len();
        if number < rows { Ok((split, number)) } else { Err(rows) }
    };
    let rows = set.splits.iter().flat_map(|(split, file)| file.examples.iter().enumerate().map(move |(i, e)| ((*split, i), &e.origin)));
    named(name, numbered, rows)
}

/// The row that a person names: `numbered` finds one by its part and its number in the files, or says how many there are;
/// among `rows` it is sought by file and line.
pub(crate) fn named<'a, R>(
    name: &str,
    numbered: impl Fn(Split, usize) -> std::result::Result<R, usize>,
    rows: impl Iterator<Item = (R, &'a Origin)>,
) -> Result<R> {
    let wrong = |what: String| {
        Error::request(say!(
            "{name}: {what}; name a row as `lapidary data check` does, file:line, or by part and number, train:0",
            "{name}: {what}; indica una riga come fa `lapidary data check`, file:riga, oppure con parte e numero, train:0"
        ))
    };
    let parsed = name.rsplit_once(':').and_then(|(place, n)| Some((place, n.parse::<usize>().ok()?)));
    let (place, number) = parsed.ok_or_else(|| wrong(say!("is no row", "non è una riga")))?;
    if let Some(split) = Split::ALL.into_iter().find(|s| s.name() == place) {
        return numbered(split, number)
            .map_err(|size| wrong(say!("the {place} part has {} in its file", "la parte {place} ha {} nel suo file", say::count(size, ROW))));
    }
    let mut found: Vec<R> = rows.filter(|(_, o)| o.line == number && (o.path() == Path::new(place) || o.path().ends_with(place))).map(|(row, _)| row).collect();
    match (found.pop(), found.len()) {
        (Some(row), 0) => Ok(row),
        (None, _) => Err(wrong(say!("there is no such row", "non esiste una riga simile"))),
        (Some(_), others) => Err(wrong(say!("stands for {} rows", "indica {} righe", others + 1))),
    }
}

/// What a model would be trained on in a row, token by token, under a recipe. `row` is the example's
/// index among those of its part.
///
/// # Errors
/// If there is no such row, or it cannot be tokenized.
pub fn tokens(set: &DataSet, recipe: &Recipe, tokenizer: &Tokenizer, split: Split, row: usize) -> Result<Vec<Token>> {
    let examples = set.examples(split);
    let Some(e) = examples.get(row) else {
        return Err(no_row(set, split, row));
    };
    example_tokens(e, &set.card.language, &Task::of(set)?, recipe, tokenizer)
}

/// As [`tokens`], of an example of a task in a language.
///
/// # Errors
/// If it cannot be tokenized.
pub fn example_tokens(e: &Example, language: &str, task: &Task, recipe: &Recipe, tokenizer: &Tokenizer) -> Result<Vec<Token>> {
    let template = recipe.template(language);
    let encoder = Encoder { tokenizer, max_tokens: recipe.max_tokens };
    // as training encodes it, but for the limit: what is beyond it is shown
    let encoded = answer::encode(e, &Encoder { tokenizer, max_tokens: usize::MAX }, recipe, template, task)?;
    Ok(match recipe.method {
        Method::Completion | Method::Full => {
            let (prompt, text) = task.placed(template, &e.text);
            microscope::tokens(&encoder, &encoded, &Prompt { whole: &prompt, text }, &e.origin)?
        }
        Method::Head | Method::Tagging => microscope::classified(&encoder, &encoded, recipe.train.thin > 0.0),
    })
}

/// How many tokens each example has as a model would be trained on it, whatever is allowed; none where it cannot be tokenized. Each
/// counts one of `steps`.
///
/// # Errors
/// If it was ended.
pub fn lengths(examples: &[Example], language: &str, task: &Task, measure: &Measure, steps: &mut Steps<'_>) -> Result<Vec<Option<usize>>> {
    Ok(steps.each(examples, |e| Some(measure.count(e, language, task)))?)
}

/// Columns of a data set's first file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, TS)]
pub struct ColumnsView {
    /// Names, in the order of the file.
    pub names: Vec<String>,
    /// Role to column, as far as it is known.
    pub mapping: BTreeMap<String, String>,
    /// Values of the first rows, in the order of the names.
    pub preview: Vec<Vec<String>>,
}

/// Rows of a preview, and characters of each value.
const PREVIEW: (usize, usize) = (5, 200);

/// Columns of a data set's first file. Which was taken for which role is told from an example, if it could be read:
/// those that its values stand in; else those whose names are known are proposed.
///
/// # Errors
/// If the file is missing, or its first rows are malformed.
pub fn columns(source: &crate::view::Source, example: Option<&Example>) -> Result<ColumnsView> {
    let source_of_set = source.to_set()?;
    let Some(path) = set::files(&source_of_set)?.into_values().next() else { return Ok(ColumnsView::default()) };
    let records = read::head(&path, &source_of_set.columns, PREVIEW.0)?;
    let Some(first) = records.first() else { return Ok(ColumnsView::default()) };
    let names = first.names();
    let mut mapping: BTreeMap<String, String> =
        source.columns.iter().filter(|(_, column)| names.contains(column)).map(|(r, c)| (r.clone(), c.clone())).collect();
    match example {
        Some(example) => {
            let holds = |name: &String, value: &str| first.value(name).is_some_and(|v| v.trim() == value.trim());
            let holding = |value: &str| names.iter().find(|name| !value.is_empty() && holds(name, value)).cloned();
            let [text, target] = example.target.kind().roles();
            for (role, column) in [(text, holding(&example.text)), (target, holding(&tasks::answer::show(&example.target)))] {
                if let Some(column) = column {
                    mapping.entry(role.name().into()).or_insert(column);
                }
            }
        }
        None => {
            // what is answered is looked for first: a `question` may be what is read or, beside a text, neither
            let [text, target] = source.task.parse().unwrap_or(Kind::Intent).roles();
            for role in [target, text] {
                let free: Vec<&str> = names.iter().map(String::as_str).filter(|name| !mapping.values().any(|taken| taken == name)).collect();
                if let Some(column) = role.among(&free).map(str::to_string) {
                    mapping.entry(role.name().into()).or_insert(column);
                }
            }
        }
    }
    let value = |record: &Record, name: &String| record.value(name).unwrap_or_default().chars().take(PREVIEW.1).collect();
    let preview = records.iter().map(|record| names.iter().map(|name| value(record, name)).collect()).collect();
    Ok(ColumnsView { names, mapping, preview })
}

/// Runs a query on the database of a data set, which is only read.
///
/// # Errors
/// If the set has no database, or the query has no result.
pub fn query(set: &DataSet, sql: &str) -> Result<QueryResult> {
    let database = data::check::database(set)?.ok_or_else(|| {
        Error::request(say!(
            "the data set names no database; choose one, or a script that makes its tables",
            "l’insieme di dati non indica un database; sceglilo, oppure scegli uno script che ne crei le tabelle"
        ))
    })?;
    answer_of(&database, sql)
}

/// Runs a query on the database of a run's data, which is only read. Nobody can say how far it is.
///
/// # Errors
/// If the run's data has no database any more, the query has no result, or it was ended.
pub fn run_query(folder: &Path, sql: &str, watch: Watch<'_>) -> Result<QueryResult> {
    let (folder, sql) = (folder.to_path_buf(), sql.to_string());
    watched(watch, |watch| aside(watch, move || asked(&folder, &sql)))
}

fn asked(folder: &Path, sql: &str) -> Result<QueryResult> {
    let run = RunFile::read(folder)?;
    let files = task::database_of(&run, folder);
    if files.is_empty() {
        return Err(Error::request(say!(
            "{} was not trained on questions about a database",
            "{} non è stata addestrata su domande a un database",
            folder.display()
        )));
    }
    answer_of(&Database::of(&files.iter().map(PathBuf::as_path).collect::<Vec<_>>())?, sql)
}

fn answer_of(database: &Database, sql: &str) -> Result<QueryResult> {
    let found = database.query(sql).map_err(|reason| {
        let reason = Lang::spoken().reason(&reason.to_string());
        Error::request(say!("the query has no result: {reason}", "la query non ha risultato: {reason}"))
    })?;
    Ok(QueryResult::of(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::Batch;
    use data::microscope::Role;

    #[test]
    fn columns_are_proposed_by_name_or_told_from_what_was_read() {
        let dir = tempfile::tempdir().expect("a folder");
        let nested = dir.path().join("api.json");
        std::fs::write(&nested, r#"[{"content": {"text": "dove il pacco"}, "class": {"label": "resi"}}]"#).expect("written");
        let mut source = crate::view::Source { task: "intent".into(), train: Some(nested), ..crate::view::Source::default() };
        source.columns = BTreeMap::from([("text".into(), "content.text".into()), ("label".into(), "class.label".into())]);
        let found = columns(&source, None).expect("columns");
        assert_eq!((found.names.join(" "), &found.mapping), ("content content.text class class.label".into(), &source.columns));
        assert_eq!(found.preview[0][1], "dove il pacco");
        let path = dir.path().join("posta.csv");
        std::fs::write(&path, "Frase;Reparto\ndove il pacco;spedizioni\nil rimborso;resi\n").expect("written");
        let mut source = crate::view::Source { task: "intent".into(), train: Some(path), ..crate::view::Source::default() };
        let found = columns(&source, None).expect("columns");
        assert_eq!((found.names.join(" "), found.mapping.len(), found.mapping["text"].as_str()), ("Frase Reparto".into(), 1, "Frase"));
        assert_eq!(found.preview, [["dove il pacco", "spedizioni"], ["il rimborso", "resi"]]);
        source.columns = BTreeMap::from([("label".into(), "Reparto".into())]);
        let set = DataSet::open(&source.to_set().expect("a source")).expect("reads");
        let found = columns(&source, set.examples(Split::Train).first()).expect("columns");
        assert_eq!((found.mapping["text"].as_str(), found.mapping["label"].as_str()), ("Frase", "Reparto"));
    }

    #[test]
    fn the_part_that_a_set_lacks_is_taken_out_of_its_training_part() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |part: &str, from: usize, to: usize| {
            let row = |n: usize| format!("{{\"text\": \"{} {}\", \"label\": \"{}\"}}\n", n * 7919, n * n * 104_729, ["a", "b"][n % 2]);
            std::fs::write(dir.path().join(format!("{part}.jsonl")), (from..to).map(row).collect::<String>()).expect("written");
        };
        let read = |folder: &Path| DataSet::open(&Source { folder: Some(folder.into()), kind: Some(Kind::Intent), ..Source::default() }).expect("reads");
        let divided = |out: &str, shares: Shares| split(&read(dir.path()), shares, 1, &dir.path().join(out), &mut |_, _| true);
        let shares = Shares::new(0.2, 0.3).expect("sound");
        write("train", 1, 41);
        write("test", 100, 104);
        let parts = divided("one", shares).expect("divided");
        assert_eq!((parts[&Split::Train] + parts[&Split::Validation], parts[&Split::Test]), (40, 4));
        assert!((5..=11).contains(&parts[&Split::Validation]), "{parts:?}");
        let texts = |folder: &Path| read(folder).examples(Split::Test).iter().map(|e| e.text.clone()).collect::<Vec<_>>();
        assert_eq!(texts(&dir.path().join("one")), texts(dir.path()));
        // what is there already takes nothing, whatever its share
        assert!(divided("none", Shares::new(0.0, 0.3).expect("sound")).is_err_and(|e| e.to_string().contains("leave something")));
        std::fs::rename(dir.path().join("test.jsonl"), dir.path().join("validation.jsonl")).expect("renamed");
        let parts = divided("other", shares).expect("divided");
        assert!(parts[&Split::Validation] == 4 && (9..=15).contains(&parts[&Split::Test]), "{parts:?}");
        write("test", 200, 203);
        assert!(divided("whole", shares).is_err_and(|e| e.to_string().contains("divided already, into train, validation, test")));
    }

    /// The row that is shown is the one that training makes batches of: in every shipped set, by every method.
    #[test]
    fn the_microscope_shows_what_training_batches_hold() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let tokenizer = Tokenizer::from_file(&root.join("tests/reference/tiny/tokenizer.json"), 1024).expect("the tiny tokenizer");
        let whole = ["max_tokens=8192".to_string()];
        for (name, method) in [
            ("intents-it", "head"),
            ("intents-it", "completion"),
            ("entities-it", "tagging"),
            ("entities-it", "completion"),
            ("sql-it", "completion"),
            ("hashtags-it", "completion"),
        ] {
            let set = DataSet::open(&Source { folder: Some(root.join("datasets").join(name)), ..Source::default() }).expect("a shipped set");
            let (task, recipe) = (Task::of(&set).expect("a task"), Recipe::resolve(set.kind, None, method, &whole).expect("a recipe"));
            let (rows, language) = (&set.examples(Split::Train)[..24], &set.card.language);
            let encoder = Encoder { tokenizer: &tokenizer, max_tokens: recipe.max_tokens };
            let encode = |e: &Example| answer::encode(e, &encoder, &recipe, recipe.template(language), &task).expect("short enough");
            let encoded: Vec<Encoded> = rows.iter().map(encode).collect();
            let mut seen = 0;
            for indices in batch::epoch(&encoded, recipe.train.batch, 3, 0) {
                let batch = Batch::new(&encoded, &indices, Layout::Packed);
                for (place, &i) in batch.rows.places().into_iter().zip(&indices) {
                    let shown = example_tokens(&rows[i], language, &task, &recipe, &tokenizer).expect("shown");
                    let flat: Vec<usize> = place.into_iter().flatten().collect();
                    let (own, padding) = shown.split_at(flat.len());
                    assert!(padding.iter().all(|t| t.role == Role::Padding && !t.loss) && own.iter().all(|t| t.role != Role::Padding && !t.cut));
                    assert_eq!(own.iter().map(|t| t.id).collect::<Vec<_>>(), flat.iter().map(|&p| batch.ids[p]).collect::<Vec<_>>(), "{name} {method} {i}");
                    let asked = |t: usize| (t > 0 && batch.positions.contains(&flat[t - 1])) || batch.places.iter().any(|p| p.contains(&flat[t]));
                    let loss: Vec<bool> = (0..flat.len()).map(asked).collect();
                    assert_eq!(own.iter().map(|t| t.loss).collect::<Vec<_>>(), loss, "{name} {method} {i}");
                    assert!(loss.contains(&true), "{name} {method} {i}: something is learnt");
                    // of a prompt with a schema and values around it only the question is the example's own
                    let text: Vec<u32> = own.iter().filter(|t| t.role == Role::Prompt).map(|t| t.id).collect();
                    let text = tokenizer.decode(&text).expect("decodes");
                    let own = rows[i].text.trim();
                    assert!(text.contains(own) && (method != "completion" || text.len() < own.len() + 12), "{name} {method}: {text:?} for {own:?}");
                    seen += 1;
                }
            }
            assert_eq!(seen, rows.len());
        }
    }

    /// Whichever tokens a training leaves out of a row, the others are those that are shown, and only such are left out as are
    /// said to be.
    #[test]
    fn the_microscope_shows_which_tokens_training_may_leave_out() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let tokenizer = Tokenizer::from_file(&root.join("tests/reference/tiny/tokenizer.json"), 1024).expect("the tiny tokenizer");
        let set = |name: &str| DataSet::open(&Source { folder: Some(root.join("datasets").join(name)), ..Source::default() }).expect("a shipped set");
        for (name, method, thin) in [("intents-it", "head", None), ("entities-it", "tagging", Some("thin=0.5")), ("intents-it", "completion", None)] {
            let set = set(name);
            let changes: Vec<String> = ["max_tokens=8192"].into_iter().chain(thin).map(String::from).collect();
            let (task, recipe) = (Task::of(&set).expect("a task"), Recipe::resolve(set.kind, None, method, &changes).expect("a recipe"));
            let (rows, language) = (&set.examples(Split::Train)[..24], &set.card.language);
            let show = |e: &Example| example_tokens(e, language, &task, &recipe, &tokenizer).expect("shown");
            if method == "completion" {
                assert!(rows.iter().flat_map(show).all(|t| !t.thinned), "what is written is learnt whole");
                continue;
            }
            let encoder = Encoder { tokenizer: &tokenizer, max_tokens: recipe.max_tokens };
            let encode = |e: &Example| answer::encode(e, &encoder, &recipe, recipe.template(language), &task).expect("short enough");
            let encoded: Vec<Encoded> = rows.iter().map(encode).collect();
            let mut left_out = 0;
            for seed in 0..5 {
                for (step, indices) in batch::epoch(&encoded, recipe.train.batch, seed, 0).into_iter().enumerate() {
                    let batch = Batch::thinned(&encoded, &indices, recipe.train.thin, seed, step, Layout::Packed);
                    for (place, &i) in batch.rows.places().into_iter().zip(&indices) {
                        let mut shown = show(&rows[i]).into_iter().filter(|t| t.role != Role::Padding);
                        for at in place.into_iter().flatten() {
                            let kept = (batch.ids[at], batch.places.iter().any(|p| p.contains(&at)));
                            let same = |t: Token| {
                                let same = (t.id, t.loss) == kept;
                                assert!(same || t.thinned, "{name} {i}: {t:?} is missing");
                                left_out += usize::from(!same);
                                same
                            };
                            assert!(shown.any(same), "{name} {i}: {kept:?} is not shown");
                        }
                        assert!(shown.all(|t| t.thinned), "{name} {i}");
                    }
                }
            }
            assert!(left_out > 100, "{name}: {left_out}");
        }
    }

    #[test]
    fn a_folder_shows_the_columns_of_its_training_file() {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, row) in [("test.jsonl", "{\"a\": 1}"), ("train.jsonl", "{\"b\": 1}"), ("notes.md", "x")] {
            std::fs::write(dir.path().join(name), format!("{row}\n")).expect("written");
        }
        let source = crate::view::Source { folder: Some(dir.path().into()), ..crate::view::Source::default() };
        assert_eq!(columns(&source, None).expect("columns").names, ["b"]);
        // what is shown before a set can be opened does not leave its folder either
        std::fs::create_dir(dir.path().join("set")).expect("a folder");
        std::fs::write(dir.path().join("set/dataset.toml"), "[files]\ntrain = \"../train.jsonl\"\n").expect("written");
        let source = crate::view::Source { folder: Some(dir.path().join("set")), ..crate::view::Source::default() };
        assert!(columns(&source, None).is_err_and(|e| e.to_string().contains("../train.jsonl lies outside")));
    }
}
