//! A trained model for other programs.
//!
//! [`write()`] makes a folder with the adapter in PEFT's layout, or with the base model into which what was trained has
//! been merged, as safetensors (transformers, burn) or as GGUF (llama.cpp, Ollama, LM Studio), and a
//! page that says what the model is, how it must be asked and under which licence it stands.

use crate::error::{Error, Result};
use crate::home::Home;
use crate::models;
use crate::recipe::{Method, Recipe};
use crate::run;
use crate::watch::{Watch, aside, watched};
use gemma::{Export, device, head};
use report::record::{ADAPTER, RunFile, write_atomically};
use report::text::Lang;
use say::say;
use std::path::Path;
use std::str::FromStr;
use tasks::{prompt, tagging};

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The adapter alone, as PEFT has it.
    Adapter,
    /// The merged model in `f32`, as transformers has it.
    Safetensors,
    /// The merged model as llama.cpp has it.
    Gguf,
}

impl Format {
    /// Names on the command line, in the order of the formats.
    pub const NAMES: [&str; 3] = ["adapter", "safetensors", "gguf"];
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        match name {
            "adapter" => Ok(Self::Adapter),
            "safetensors" => Ok(Self::Safetensors),
            "gguf" => Ok(Self::Gguf),
            _ => Err(say!("`{name}` is no format; use one of {}", "`{name}` non è un formato; usa uno fra {}", Self::NAMES.join(", "))),
        }
    }
}

/// Writes what a run has learnt into a new folder, which appears whole or not at all.
///
/// # Errors
/// If the run is incomplete, its base model is missing or another one, the format has no place for its
/// head, the run has no adapter, or the folder exists or cannot be written.
pub fn write(home: &Home, folder: &Path, format: Format, out: &Path, lang: Lang) -> Result<()> {
    write_watched(home, folder, format, out, lang, &mut |_, _| true)
}

/// As [`write()`]; `watch` is told now and then how many bytes have been written, and of how many where that is known.
/// `false` ends it, and nothing is left.
///
/// # Errors
/// As [`write()`], or if it was ended.
pub fn write_watched(home: &Home, folder: &Path, format: Format, out: &Path, lang: Lang, watch: Watch<'_>) -> Result<()> {
    let run = RunFile::read(folder)?;
    let recipe = Recipe::of_run(&run, folder)?;
    let adapter = folder.join(ADAPTER);
    if recipe.method == Method::Full && format == Format::Adapter {
        return Err(Error::request(say!(
            "{} trained the model's own weights, so it has no adapter; export it as safetensors or gguf, or train with --method completion",
            "{} ha addestrato i pesi stessi del modello, quindi non ha un adattatore; esportala come safetensors o gguf, oppure addestra con --method completion",
            folder.display()
        )));
    }
    let with_head = adapter.join(head::FILE).exists();
    if with_head && format == Format::Gguf {
        return Err(Error::request(say!(
            "{} answers with a linear layer on the model's states, and a GGUF file has no place for it; export it as safetensors or adapter, or train with --method completion",
            "{} risponde con uno strato lineare sugli stati del modello, per cui un file GGUF non ha posto; esportala come safetensors o adapter, oppure addestra con --method completion",
            folder.display()
        )));
    }
    watched(watch, |watch| {
        // how large the base model is says nothing of what is written
        let weights = run::base(home, &run, folder, &mut |_, _| watch(0, None))?;
        let sizes = weights.config().shortened(recipe.blocks(weights.config().layers));
        let (own, place, cpu) = (recipe.clone(), folder.to_path_buf(), device::open("cpu")?.1);
        let trained = aside(watch, move || own.learnt(&place, &sizes, &cpu))?;
        let total = (format == Format::Safetensors).then_some(run.model.parameters * 4);
        let copy = |name: &str, out: &Path| std::fs::copy(adapter.join(name), out.join(name)).map(drop).map_err(|e| Error::io(adapter.join(name), e));
        let merged = Export { weights: &weights, trained: Some(&trained) };
        models::new_folder(out, |out| {
            match format {
                Format::Adapter => ["adapter_model.safetensors", "adapter_config.json"].into_iter().try_for_each(|name| copy(name, out))?,
                Format::Safetensors => {
                    let tokenizer = models::tokenizer(&weights, watch)?;
                    merged.safetensors_with(out, &mut |done| watch(done, total))?;
                    tokenizer.save(&out.join("tokenizer.json"))?;
                }
                Format::Gguf => {
                    let tokenizer = models::tokenizer(&weights, watch)?;
                    merged.gguf_with(&tokenizer, &out.join(gguf_name(&run)), &mut |done| watch(done, total))?;
                    write_atomically(&out.join("Modelfile"), modelfile(&run, &recipe).as_bytes())?;
                }
            }
            if with_head {
                copy(head::FILE, out)?;
            }
            Ok(write_atomically(&out.join("README.md"), page(&run, &recipe, lang).as_bytes())?)
        })
    })
}

fn gguf_name(run: &RunFile) -> String {
    // a model can be named by its path
    let base = Path::new(&run.model.name).file_stem().map_or("model".into(), |n| n.to_string_lossy().into_owned());
    format!("{base}-{}.gguf", run.task)
}

/// What is said for the values of a question that names none, see [`prompt::fill`].
const NO_VALUES: &str = "-";

/// How Ollama is told to ask the model: the training's prompt with its tables, the likeliest answer, and an end at the line's.
/// Ollama cannot look up the values that a question names, so it is always told that there are none.
fn modelfile(run: &RunFile, recipe: &Recipe) -> String {
    // no text holds it, so it marks the place of the question until the rest is made safe
    const QUESTION: &str = "\u{1}";
    let filled = prompt::fill(recipe.template(&run.data.language), QUESTION, &prompt::schema(&run.data.tables), &[]);
    // what would begin an action of Ollama's template language, or end the text, is said in that language
    let safe = filled.replace("{{", "{{ \"{{\" }}").replace("\"\"\"", "{{ \"\\\"\\\"\\\"\" }}");
    let template = safe.replace(QUESTION, "{{ .Prompt }}");
    format!("FROM ./{}\nTEMPLATE \"\"\"{template}\"\"\"\nPARAMETER temperature 0\n", gguf_name(run))
}

/// The prompt of a run with the places of the question and of its values, and what belongs there.
fn prompt_page(run: &RunFile, recipe: &Recipe, lang: Lang) -> (String, String) {
    let template = recipe.template(&run.data.language);
    let shown = prompt::fill(template, "{text}", &prompt::schema(&run.data.tables), &["{values}".to_string()]);
    if !template.contains("{values}") {
        return (shown, String::new());
    }
    let values = match lang {
        Lang::English => format!(
            "In place of `{{values}}` stand the values of the database that the question names, each with the columns that hold it, \
             such as `clienti.citta='Milano'`, with `; ` between them; or `{NO_VALUES}` where it names none. Lapidary looks them up in the database; \
             the `Modelfile`, if there is one, always says `{NO_VALUES}`, so questions that name values are answered less well through it.\n"
        ),
        Lang::Italian => format!(
            "Al posto di `{{values}}` stanno i valori del database che la domanda nomina, ognuno con le colonne che lo contengono, \
             per esempio `clienti.citta='Milano'`, separati da `; `; oppure `{NO_VALUES}` se non ne nomina. Lapidary li cerca nel database; \
             il `Modelfile`, se c’è, dice sempre `{NO_VALUES}`, quindi alle domande che nominano valori risponde meno bene.\n"
        ),
    };
    (shown, values)
}

/// What stands in the folder for a person to read.
fn page(run: &RunFile, recipe: &Recipe, lang: Lang) -> String {
    let hashes: Vec<String> = run.model.files.iter().map(|f| format!("`{}`", f.sha256)).collect();
    let (base, hashes, task, data, license) = (&run.model.name, hashes.join(", "), &run.task, &run.data.name, &run.data.license);
    let (method, version, command, use_it) = (&run.method, &run.version, &run.command, how_to_ask(run, recipe, lang));
    match lang {
        Lang::English => format!(
            "# {base}, tuned for {task}\n\nTrained by Lapidary {version} on {data} (licence: {license}), method {method}.\n\n\
             Base model: {base}, SHA-256 {hashes}. A tuned Gemma is a derivative of Gemma: the Gemma Terms of Use \
             (https://ai.google.dev/gemma/terms) apply to it, and whoever gets it must get them too.\n\n## Use\n\n{use_it}\n\
             ## Origin\n\n```text\n{command}\n```\n"
        ),
        Lang::Italian => format!(
            "# {base}, specializzato per {task}\n\nAddestrato da Lapidary {version} su {data} (licenza: {license}), metodo {method}.\n\n\
             Modello di base: {base}, SHA-256 {hashes}. Un Gemma specializzato è un derivato di Gemma: valgono i Gemma Terms of Use \
             (https://ai.google.dev/gemma/terms), e chi lo riceve deve ricevere anche quelli.\n\n## Uso\n\n{use_it}\n\
             ## Origine\n\n```text\n{command}\n```\n"
        ),
    }
}

/// How another program gets the answers that Lapidary gets.
fn how_to_ask(run: &RunFile, recipe: &Recipe, lang: Lang) -> String {
    let (file, copies) = (head::FILE, recipe.copies);
    let blocks: Vec<String> = recipe.view(run.model.layers).taps.iter().map(ToString::to_string).collect();
    let (blocks, (template, values)) = (blocks.join(", "), prompt_page(run, recipe, lang));
    let listed = |names: &[String]| -> String { names.iter().enumerate().map(|(i, name)| format!("{i}. {name}\n")).collect() };
    let (labels, tags) = (listed(&run.data.labels), listed(&tagging::names(&run.data.labels)));
    match (recipe.method, lang) {
        (Method::Completion | Method::Full, Lang::English) => {
            format!("Ask it with exactly this prompt, the text in place of `{{text}}`, and take the likeliest tokens:\n\n```text\n{template}\n```\n{values}")
        }
        (Method::Completion | Method::Full, Lang::Italian) => format!(
            "Va interrogato esattamente con questo prompt, col testo al posto di `{{text}}`, prendendo i token più probabili:\n\n```text\n{template}\n```\n{values}"
        ),
        (Method::Head, Lang::English) => {
            format!(
                "The states of the bare text after these blocks, side by side: {blocks}, go through the linear layer in `{file}`; its classes, in order:\n\n{labels}"
            )
        }
        (Method::Head, Lang::Italian) => format!(
            "Gli stati del solo testo dopo questi blocchi, affiancati: {blocks}, passano per lo strato lineare in `{file}`; le sue classi, in ordine:\n\n{labels}"
        ),
        (Method::Tagging, Lang::English) => format!(
            "The text is given {copies} times, with a line break between. In the last one, the states of each word after these blocks, side by side: {blocks}, go \
             through the linear layer in `{file}`; its tags, in order:\n\n{tags}"
        ),
        (Method::Tagging, Lang::Italian) => format!(
            "Il testo si dà {copies} volte, con un a capo in mezzo. Nell’ultima, gli stati di ogni parola dopo questi blocchi, affiancati: {blocks}, passano per lo \
             strato lineare in `{file}`; le sue etichette, in ordine:\n\n{tags}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::Kind;
    use tasks::sandbox::{Column, Table};

    #[test]
    fn ollamas_template_is_whole_whatever_tables_are_called() {
        let column = |name: &str| Column { name: name.into(), kind: String::new(), primary: false, refers: None };
        let tables = vec![Table { name: "clienti".into(), columns: vec![column("nome"), column("{{odd}}"), column("\"\"\"")] }];
        let tables_too = r#"template.it="{schema}\nDomanda: {text}\nValori: {values}\nSQL:""#.to_string();
        let recipe = Recipe::resolve(Kind::Sql, None, "auto", &[tables_too]).expect("a recipe");
        let run: RunFile = toml::from_str(
            "task = \"sql\"\nmethod = \"completion\"\nseed = 0\nstarted = \"\"\nversion = \"\"\ncommand = \"\"\nsettings = {}\n\
             [model]\nname = \"m\"\nfiles = []\nparameters = 1\nstorage = \"\"\nhidden = 1\nlayers = 1\n\
             [data]\nname = \"d\"\nlicense = \"\"\nlanguage = \"it\"\nlabels = []\n[data.files]\n\
             [device]\nid = \"cpu\"\nname = \"\"\nkind = \"cpu\"\napi = \"\"\ndriver = \"\"\n",
        )
        .expect("a run");
        let run = RunFile { data: report::record::DataRecord { tables, ..run.data.clone() }, ..run };
        let text = modelfile(&run, &recipe);
        assert!(text.contains("clienti(nome, {{ \"{{\" }}odd}}, {{ \"\\\"\\\"\\\"\" }})\nDomanda: {{ .Prompt }}\nValori: -\nSQL:\"\"\"\n"), "{text}");
        assert_eq!(text.matches("\"\"\"").count(), 2, "{text}");
        let (shown, values) = prompt_page(&run, &recipe, Lang::Italian);
        assert!(shown.contains("clienti(nome") && shown.ends_with("Domanda: {text}\nValori: {values}\nSQL:"), "{shown}");
        assert!(values.contains("`{values}`") && values.contains("`-`"), "{values}");
    }
}
