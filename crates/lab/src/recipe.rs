//! A recipe: every setting of a run, from a file, for a task and a method.

use crate::error::{Error, Result};
use crate::watch::Watch;
use data::Kind;
use data::batch::FORWARD_ROWS;
use gemma::device::{Device, Info, Kind as DeviceKind, is_cpu};
use gemma::head::{Pool, View};
use gemma::{Adapters, Config, Full, Gemma, LoraConfig, Precision, Trained, Weights};
use report::record::{ADAPTER, RunFile, WEIGHTS};
use say::say;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tasks::tagging::Cut;
use toml::{Table, Value};
use train::Settings;

/// Sets of values as large as the weights that a full fine-tuning holds: weights, gradients and both moments; the same again
/// to go back to, less the gradients; and what the last checkpoint is still written from.
pub(crate) const FULL_COPIES: u64 = 4 + 3 + 3;

/// How the model answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// It writes the label.
    Completion,
    /// A linear layer on its hidden states chooses the label.
    Head,
    /// The same layer chooses a tag for every word, and tags mark entities.
    Tagging,
    /// It writes the answer as by completion, and instead of adapters all of its weights but the table are trained.
    Full,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Completion, Self::Head, Self::Tagging, Self::Full];

    /// Does the model write its answers?
    pub fn writes(self) -> bool {
        matches!(self, Self::Completion | Self::Full)
    }

    /// Name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Completion => "completion",
            Self::Head => "head",
            Self::Tagging => "tagging",
            Self::Full => "full",
        }
    }

    /// The method of a name.
    ///
    /// # Errors
    /// If none has it, or it cannot answer tasks of this kind.
    pub(crate) fn of(name: &str, kind: Kind) -> Result<Self> {
        let Some(method) = Self::ALL.into_iter().find(|m| m.name() == name) else {
            return Err(Error::request(say!(
                "`{name}` is no method that this version trains; use completion, head, tagging or full",
                "`{name}` non è un metodo che questa versione addestri; usa completion, head, tagging o full"
            )));
        };
        let (own, what) = match method {
            Self::Completion | Self::Full => return Ok(method),
            Self::Head => (Kind::Intent, say::pick("a head answers with one label", "una testa risponde con una sola etichetta")),
            Self::Tagging => (Kind::Entities, say::pick("tags mark parts of the text", "il tagging segna parti del testo")),
        };
        if kind == own {
            Ok(method)
        } else {
            Err(Error::request(say!(
                "{what}, and {kind} needs something else; use --method completion",
                "{what}, e {kind} richiede altro; usa --method completion"
            )))
        }
    }
}

/// Every setting of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// How the model answers.
    pub method: Method,
    /// How the frozen weights are held in memory; on graphics devices as `f32` or `f16`.
    #[serde(default)]
    pub precision: Precision,
    /// Whether the backward pass always computes again what the forward pass could have kept: less memory, a third more
    /// time. Otherwise only what the free memory has no room for is computed again.
    #[serde(default)]
    pub recompute: bool,
    /// Longest example, in tokens.
    pub max_tokens: usize,
    /// Longest answer that is not a label, in tokens.
    #[serde(default = "answer_tokens")]
    pub answer_tokens: usize,
    /// Further training rows made of each one, see [`tasks::grow`]; queries, entities and hashtags grow.
    #[serde(default)]
    pub grow: usize,
    /// Further training rows composed from the database that queries are about, see [`tasks::compose`].
    #[serde(default)]
    pub compose: usize,
    /// How many answers are followed at once where queries are written: the likeliest one that runs is taken.
    #[serde(default = "beams")]
    pub beams: usize,
    /// How many answers by chance are asked for where hashtags are written: those that most of them hold are taken; 1 asks for the
    /// likeliest answer.
    #[serde(default = "votes")]
    pub votes: usize,
    /// How a head sees a text.
    #[serde(default = "pool")]
    pub pool: Pool,
    /// Where a head reads the model: shares of its blocks, each above 0 and at most 1.
    #[serde(default = "taps")]
    pub taps: Vec<f64>,
    /// Ridge penalty of the regression that a head begins as.
    #[serde(default = "ridge")]
    pub ridge: f64,
    /// How often a text is given where its words are tagged, see [`data::encode::Encoder::words`].
    #[serde(default = "copies")]
    pub copies: usize,
    /// What is tagged as one.
    #[serde(default)]
    pub cut: Cut,
    /// Whether a head is fitted to the sentences of a text by themselves, too, see [`crate::answer::Answerer::fitted`].
    #[serde(default)]
    pub sentences: bool,
    /// Prompt of completions by language; `{text}` is the message. A head reads the bare message.
    pub template: BTreeMap<String, String>,
    /// The adapters.
    pub lora: LoraConfig,
    /// The loop.
    pub train: Settings,
}

/// The built-in recipe of a task.
fn built_in(kind: Kind) -> &'static str {
    match kind {
        Kind::Intent => include_str!("../../../assets/recipes/intent.toml"),
        Kind::Entities => include_str!("../../../assets/recipes/entities.toml"),
        Kind::Sql => include_str!("../../../assets/recipes/sql.toml"),
        Kind::Hashtags => include_str!("../../../assets/recipes/hashtags.toml"),
        Kind::Custom => include_str!("../../../assets/recipes/custom.toml"),
    }
}

/// What stands for the settings of a head in recipes that have none.
fn pool() -> Pool {
    Pool::Mean
}

fn taps() -> Vec<f64> {
    vec![1.0]
}

fn ridge() -> f64 {
    30.0
}

fn beams() -> usize {
    1
}

/// What runs did before a recipe could say it.
fn votes() -> usize {
    1
}

fn copies() -> usize {
    2
}

/// What runs had before a recipe could say it.
fn answer_tokens() -> usize {
    128
}

impl Recipe {
    /// The recipe of a task, or of a file (a recipe, or the `run.toml` of a run), for a method (`auto` leaves it to the recipe), with single
    /// values changed by `key=value` (`train.epochs=5`, or `epochs=5` where that is the only `epochs`).
    ///
    /// # Errors
    /// If the file cannot be read, or a value is unknown, of the wrong type or makes no sense.
    pub fn resolve(kind: Kind, file: Option<&Path>, method: &str, set: &[String]) -> Result<Self> {
        let (name, text) = match file {
            Some(file) => (file.display().to_string(), std::fs::read_to_string(file).map_err(|e| Error::io(file, e))?),
            None => (say!("the built-in recipe", "la ricetta predefinita"), built_in(kind).into()),
        };
        let fail = |e: String| Error::request(format!("{name}: {e}"));
        let mut table: Table = toml::from_str(&text).map_err(|e: toml::de::Error| fail(e.to_string().trim().to_string()))?;
        // the `run.toml` of a run is the recipe that it was made with
        if let Some(Value::Table(settings)) = table.remove("settings") {
            table = settings;
        }
        if method != "auto" {
            table.insert("method".into(), Value::String(method.into()));
        }
        let chosen = table.get("method").and_then(Value::as_str).unwrap_or_default().to_string();
        let method = Method::of(&chosen, kind)?;
        for own in Method::ALL {
            if let Some(Value::Table(changes)) = table.remove(own.name())
                && own == method
            {
                merge(&mut table, changes);
            }
        }
        for change in set {
            apply(&mut table, change)?;
        }
        let recipe: Self = Value::Table(table).try_into().map_err(|e: toml::de::Error| fail(e.to_string().trim().to_string()))?;
        recipe.lora.check()?;
        recipe.train.check().map_err(Error::Request)?;
        if recipe.taps.is_empty() || recipe.taps.iter().any(|&t| !(t > 0.0 && t <= 1.0)) {
            return Err(fail(say!(
                "taps must be a list of shares of the model's blocks, each above 0 and at most 1",
                "taps dev’essere una lista di quote dei blocchi del modello, ciascuna maggiore di 0 e al massimo 1"
            )));
        }
        if !(recipe.ridge.is_finite() && recipe.ridge > 0.0) {
            return Err(fail(say!("ridge must be a positive number", "ridge dev’essere un numero positivo")));
        }
        for (name, value) in [("answer_tokens", recipe.answer_tokens), ("copies", recipe.copies), ("beams", recipe.beams), ("votes", recipe.votes)] {
            if value == 0 {
                return Err(fail(say!("{name} must be at least 1", "{name} dev’essere almeno 1")));
            }
        }
        if recipe.template.is_empty() || recipe.template.values().any(|t| t.matches("{text}").count() != 1) {
            return Err(fail(say!("each template must hold {{text}} exactly once", "ogni template deve contenere {{text}} una volta sola")));
        }
        Ok(recipe)
    }

    /// How many answers are followed at once to find one of a tuned model by completion.
    pub fn candidates(&self, kind: Kind) -> usize {
        match kind {
            Kind::Sql => self.beams,
            Kind::Hashtags => self.votes,
            Kind::Intent | Kind::Entities | Kind::Custom => 1,
        }
    }

    /// The device that `asked` means for this recipe: weights in forms that only the processor computes with are trained and asked
    /// there, where the choice is left to Lapidary.
    pub fn device<'a>(&self, asked: &'a str) -> &'a str {
        if asked == "auto" && self.precision.only_on_cpu() { "cpu" } else { asked }
    }

    /// How many questions are answered at once by completion: with several candidates fewer, so that memory does not grow with
    /// these as fast as they do.
    pub fn at_once(&self, kind: Kind) -> usize {
        match (kind, self.candidates(kind)) {
            (_, 0 | 1) => FORWARD_ROWS,
            (Kind::Hashtags, votes) => (FORWARD_ROWS * 2 / votes).max(1),
            (_, beams) => (FORWARD_ROWS / beams).max(1),
        }
    }

    /// The recipe that a run was made with; `folder` is the run's, for the message.
    ///
    /// # Errors
    /// If `run.toml` holds settings that this version does not know.
    pub fn of_run(run: &RunFile, folder: &Path) -> Result<Self> {
        run.settings.clone().try_into().map_err(|e| {
            Error::request(say!(
                "{}: its settings are not readable ({e})",
                "{}: le impostazioni non si possono leggere ({e})",
                folder.join("run.toml").display()
            ))
        })
    }

    /// The prompt for a language, English if it has none of its own.
    pub fn template(&self, language: &str) -> &str {
        let own = self.template.get(language).or_else(|| self.template.get("en")).or_else(|| self.template.values().next());
        own.map_or("{text}", String::as_str)
    }

    /// How the frozen weights are held on a device: `f32` instead of half precision where a graphics device does not have that,
    /// or was not right with it.
    pub fn precision_on(&self, device: &Info) -> Precision {
        match self.precision {
            Precision::F16 if device.kind != DeviceKind::Cpu && !device.f16 => Precision::F32,
            own => own,
        }
    }

    /// Loads a model as this recipe wants it onto a device that was opened.
    ///
    /// # Errors
    /// As [`Gemma::load_at`].
    pub fn load(&self, weights: Arc<Weights>, info: &Info, device: &Device) -> Result<Gemma> {
        self.load_with(weights, info, device, &mut |_, _| true)
    }

    /// As [`Recipe::load`]; `watch` is told how many of the values of its blocks are loaded.
    ///
    /// # Errors
    /// As [`Recipe::load`], or if it was ended.
    pub fn load_with(&self, weights: Arc<Weights>, info: &Info, device: &Device, watch: Watch<'_>) -> Result<Gemma> {
        let full = self.method == Method::Full;
        // a full fine-tuning never reads the weights as they were, so they may stay in their file: that changes no number
        let precision = match self.precision_on(info) {
            Precision::F32 if full && info.kind == DeviceKind::Cpu => Precision::File,
            own => own,
        };
        let own = if full { 4 * FULL_COPIES * Full::parameters(weights.config()) as u64 } else { 0 };
        let whole = weights.config().block_parameters() as u64;
        let model = Gemma::load_with(weights, device, precision, &mut |done| watch(done, Some(whole)))?;
        let room = match self.recompute {
            true => 0,
            // a graphics device does not say what is free, and a step that does not fit it is made smaller
            false if !is_cpu(device) => u64::MAX,
            // half of what is free once the weights are there: moments, the loss and answers need the rest
            false => train::memory::available().map_or(u64::MAX, |free| free.saturating_sub(own) / 2),
        };
        Ok(model.keeping(room))
    }

    /// What is trained of a model's blocks, as it is before the first step; `weights` are the model's.
    ///
    /// # Errors
    /// If the weights cannot be read.
    pub fn untrained(&self, body: &Gemma, weights: &Weights, seed: u64) -> Result<Trained> {
        Ok(match self.method {
            Method::Full => Full::new(weights, body.device())?.into(),
            Method::Completion | Method::Head | Method::Tagging => Adapters::new(self.lora.clone(), body, seed)?.into(),
        })
    }

    /// What was trained of a model's blocks, from the folder of its run.
    ///
    /// # Errors
    /// If it is missing, damaged, or of another model.
    pub fn learnt(&self, run: &Path, config: &Config, device: &Device) -> Result<Trained> {
        Ok(match self.method {
            Method::Full => Full::load(&run.join(WEIGHTS), config, device)?.into(),
            Method::Completion | Method::Head | Method::Tagging => Adapters::load(&run.join(ADAPTER), config, device)?.into(),
        })
    }

    /// The part of a model that this recipe trains: all of it, or the blocks below the head.
    pub fn body(&self, model: &Gemma) -> Gemma {
        model.shortened(self.blocks(model.config().layers))
    }

    /// How many of a model's blocks, from the first, this recipe trains.
    pub fn blocks(&self, layers: usize) -> usize {
        match self.method {
            Method::Completion | Method::Full => layers,
            Method::Head | Method::Tagging => self.view(layers).taps.last().copied().unwrap_or(layers),
        }
    }

    /// What a head sees of a model with this many blocks.
    pub fn view(&self, layers: usize) -> View {
        let mut taps: Vec<usize> = self.taps.iter().map(|t| ((layers as f64 * t).round() as usize).clamp(1, layers)).collect();
        taps.sort_unstable();
        taps.dedup();
        View { taps, pool: self.pool }
    }

    /// The settings as they go into `run.toml`.
    ///
    /// # Errors
    /// Never in practice: every recipe is a table.
    pub fn to_table(&self) -> Result<Table> {
        Table::try_from(self).map_err(|e| Error::request(say!("the settings cannot be written: {e}", "le impostazioni non si possono scrivere: {e}")))
    }
}

fn merge(into: &mut Table, changes: Table) {
    for (key, value) in changes {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(own)), Value::Table(changes)) => merge(own, changes),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn apply(table: &mut Table, change: &str) -> Result<()> {
    let (key, text) = change.split_once('=').ok_or_else(|| Error::request(say!("--set {change}: write key=value", "--set {change}: scrivi chiave=valore")))?;
    let (key, text) = (key.trim(), text.trim());
    let path = locate(table, key)?;
    let mut at = &mut *table;
    for part in &path[..path.len() - 1] {
        at = at
            .get_mut(part)
            .and_then(Value::as_table_mut)
            .ok_or_else(|| Error::request(say!("--set {key}: there is no such setting", "--set {key}: questa impostazione non esiste")))?;
    }
    let old = at
        .get(&path[path.len() - 1])
        .ok_or_else(|| Error::request(say!("--set {key}: there is no such setting", "--set {key}: questa impostazione non esiste")))?;
    // a bare word is a string; a whole number is welcome where a fraction is meant
    let parsed = toml::from_str::<Table>(&format!("v = {text}")).ok().and_then(|mut t| t.remove("v"));
    let value = match (old, parsed) {
        (Value::Float(_), Some(Value::Integer(i))) => Value::Float(i as f64),
        (Value::Array(_), None) => Value::Array(text.split(',').map(|p| Value::String(p.trim().into())).collect()),
        (_, Some(value)) => value,
        (_, None) => Value::String(text.into()),
    };
    if old.type_str() != value.type_str() {
        return Err(Error::request(say!("--set {key}: `{text}` is not of type {}", "--set {key}: `{text}` non è di tipo {}", old.type_str())));
    }
    at.insert(path[path.len() - 1].clone(), value);
    Ok(())
}

/// Path of a setting: as written, or the only one whose last part it is.
fn locate(table: &Table, key: &str) -> Result<Vec<String>> {
    if key.contains('.') || table.contains_key(key) {
        return Ok(key.split('.').map(String::from).collect());
    }
    let owners: Vec<&String> = table.iter().filter(|(_, v)| v.as_table().is_some_and(|t| t.contains_key(key))).map(|(k, _)| k).collect();
    match owners.as_slice() {
        [owner] => Ok(vec![(*owner).clone(), key.into()]),
        [] => {
            let all = table.values().filter_map(Value::as_table).flat_map(Table::keys).chain(table.keys());
            let near = all.map(|k| (strsim::damerau_levenshtein(k, key), k)).min().filter(|(d, _)| *d <= 3);
            let hint = near.map_or(String::new(), |(_, k)| say!("; did you mean {k}?", "; forse intendevi {k}?"));
            Err(Error::request(say!("--set {key}: there is no such setting{hint}", "--set {key}: questa impostazione non esiste{hint}")))
        }
        _ => Err(Error::request(say!(
            "--set {key}: several settings end so; write one of {}",
            "--set {key}: più impostazioni finiscono così; scrivine una fra {}",
            owners.iter().map(|o| format!("{o}.{key}")).collect::<Vec<_>>().join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(method: &str, set: &[&str]) -> Result<Recipe> {
        Recipe::resolve(Kind::Intent, None, method, &set.iter().map(|s| (*s).to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn values_are_changed_by_full_and_by_short_name() {
        let r = resolve("completion", &["train.epochs=3", "rank=4", "learning_rate=1", "targets=q,v", "template.it=X {text} Y"]).expect("resolves");
        assert_eq!((r.method, r.train.epochs, r.lora.rank, r.train.learning_rate), (Method::Completion, 3, 4, 1.0));
        assert_eq!(r.lora.targets.len(), 2);
        assert_eq!(r.template("it"), "X {text} Y");
        assert_eq!(r.template("fr"), r.template("en"));
    }

    #[test]
    fn every_task_has_its_recipe() {
        for kind in Kind::ALL {
            let recipe = Recipe::resolve(kind, None, "auto", &[]).unwrap_or_else(|e| panic!("{kind}: {e}"));
            let own = match kind {
                Kind::Intent => Method::Head,
                Kind::Entities => Method::Tagging,
                _ => Method::Completion,
            };
            assert_eq!(recipe.method, own, "{kind}");
            assert_eq!(recipe.template("it").contains("{values}"), kind == Kind::Sql, "{kind}");
        }
        for (kind, method) in [(Kind::Sql, "head"), (Kind::Intent, "tagging")] {
            assert!(Recipe::resolve(kind, None, method, &[]).is_err_and(|e| e.to_string().contains("--method completion")));
        }
        // what serves every task serves all of them with weights that may move less at a time
        for kind in Kind::ALL {
            let [full, completion] = ["full", "completion"].map(|method| Recipe::resolve(kind, None, method, &[]).expect("resolves"));
            assert!(full.method == Method::Full && full.train.learning_rate < completion.train.learning_rate / 2.0, "{kind}");
            assert_eq!(full.train.epochs, completion.train.epochs, "{kind}");
        }
        let completion = Recipe::resolve(Kind::Entities, None, "completion", &[]).expect("resolves");
        assert_eq!((completion.method, completion.train.thin), (Method::Completion, 0.0));
    }

    #[test]
    fn weights_are_halved_on_the_processor_and_on_devices_that_can_hold_them_so() {
        let halved = resolve("auto", &["precision=f16"]).expect("resolves");
        let cpu = gemma::device::list().remove(0);
        let gpu = |f16: bool| Info { kind: DeviceKind::Gpu, f16, ..cpu.clone() };
        let on = |recipe: &Recipe| [&cpu, &gpu(true), &gpu(false)].map(|device| recipe.precision_on(device));
        assert_eq!(on(&halved), [Precision::F16, Precision::F16, Precision::F32]);
        assert_eq!(on(&resolve("auto", &[]).expect("resolves")), [Precision::F32; 3]);
        // what a graphics device does not know is not silently something else
        for (name, own) in [("bf16", Precision::Bf16), ("q8", Precision::Q8), ("q4", Precision::Q4), ("file", Precision::File)] {
            let set = resolve("auto", &[format!("precision={name}").as_str()]).expect("resolves");
            assert_eq!(on(&set), [own; 3]);
            assert!(own.only_on_cpu(), "{name}");
            assert_eq!(["auto", "cpu", "gpu", "vulkan:0"].map(|asked| set.device(asked)), ["cpu", "cpu", "gpu", "vulkan:0"], "{name}");
        }
        assert!(![Precision::F32, Precision::F16].into_iter().any(Precision::only_on_cpu));
        assert_eq!(halved.device("auto"), "auto");
    }

    #[test]
    fn candidates_leave_fewer_questions_to_be_answered_at_once() {
        let at_once = |kind: Kind, set: &str| Recipe::resolve(kind, None, "completion", &[set.into()]).map(|r| r.at_once(kind)).expect("resolves");
        assert_eq!([at_once(Kind::Sql, "beams=4"), at_once(Kind::Sql, "beams=1"), at_once(Kind::Sql, "beams=99")], [4, 16, 1]);
        assert_eq!([at_once(Kind::Hashtags, "votes=8"), at_once(Kind::Hashtags, "votes=1")], [4, 16]);
        assert_eq!(at_once(Kind::Custom, "answer_tokens=8"), 16);
    }

    #[test]
    fn mistakes_are_explained() {
        let message = |method, set: &[&str]| resolve(method, set).expect_err("must be refused").to_string();
        assert!(message("auto", &["epoch=3"]).contains("did you mean epochs?"));
        assert!(message("auto", &["epochs"]).contains("key=value"));
        assert!(message("auto", &["epochs=many"]).contains("not of type integer"));
        assert!(message("auto", &["epochs=0"]).contains("epochs must be at least 1"));
        assert!(message("auto", &["targets=q,x"]).contains("unknown variant"));
        assert!(message("auto", &["template.it=no place"]).contains("exactly once"));
        assert!(message("magic", &[]).contains("use completion, head, tagging or full"));
        assert!(message("auto", &["lora.foo=1"]).contains("no such setting"));
    }
}
