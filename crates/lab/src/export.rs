//! A trained model for other programs.
//!
//! [`write`] makes a folder with the adapter in PEFT's layout, or with the base model into which it has
//! been merged, as safetensors (transformers, burn) or as GGUF (llama.cpp, Ollama, LM Studio), and a
//! page that says what the model is, how it must be asked and under which licence it stands.

use crate::error::{Error, Result};
use crate::home::Home;
use crate::models;
use crate::recipe::Recipe;
use crate::run;
use gemma::{Adapters, Export, Tokenizer, device, head};
use report::record::{RunFile, write_atomically};
use report::text::Lang;
use std::path::Path;
use std::str::FromStr;

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
            _ => Err(format!("`{name}` is no format; use one of {}", Self::NAMES.join(", "))),
        }
    }
}

/// Writes what a run has learnt into a new folder, which appears whole or not at all.
///
/// # Errors
/// If the run is incomplete, its base model is missing or another one, the format has no place for its
/// head, or the folder exists or cannot be written.
pub fn write(home: &Home, folder: &Path, format: Format, out: &Path, lang: Lang) -> Result<()> {
    let run = RunFile::read(folder)?;
    let recipe = Recipe::of_run(&run, folder)?;
    let adapter = folder.join("adapter");
    let with_head = adapter.join(head::FILE).exists();
    if with_head && format == Format::Gguf {
        return Err(Error::request(format!(
            "{} answers with a linear layer on the model's states, and a GGUF file has no place for it; export it as safetensors or adapter, or train with --method completion",
            folder.display()
        )));
    }
    let weights = run::base(home, &run, folder)?;
    let trained = weights.config().shortened(recipe.blocks(weights.config().layers));
    let (_, cpu) = device::open("cpu")?;
    let adapters = Adapters::load(&adapter, &trained, &cpu)?;
    models::new_folder(out, |out| {
        let copy = |name: &str| std::fs::copy(adapter.join(name), out.join(name)).map(drop).map_err(|e| Error::io(adapter.join(name), e));
        let merged = Export { weights: &weights, adapters: Some(&adapters) };
        match format {
            Format::Adapter => ["adapter_model.safetensors", "adapter_config.json"].into_iter().try_for_each(copy)?,
            Format::Safetensors => {
                merged.safetensors(out)?;
                Tokenizer::open(&weights)?.save(&out.join("tokenizer.json"))?;
            }
            Format::Gguf => {
                merged.gguf(&Tokenizer::open(&weights)?, &out.join(gguf_name(&run)))?;
                write_atomically(&out.join("Modelfile"), modelfile(&run, &recipe).as_bytes())?;
            }
        }
        if with_head {
            copy(head::FILE)?;
        }
        Ok(write_atomically(&out.join("README.md"), page(&run, &recipe, with_head, lang).as_bytes())?)
    })
}

fn gguf_name(run: &RunFile) -> String {
    // a model can be named by its path
    let base = Path::new(&run.model.name).file_stem().map_or("model".into(), |n| n.to_string_lossy().into_owned());
    format!("{base}-{}.gguf", run.task)
}

/// How Ollama is told to ask the model: the training's prompt, the likeliest answer, and an end at the line's.
fn modelfile(run: &RunFile, recipe: &Recipe) -> String {
    let template = recipe.template(&run.data.language).replace("{text}", "{{ .Prompt }}");
    format!("FROM ./{}\nTEMPLATE \"\"\"{template}\"\"\"\nPARAMETER temperature 0\n", gguf_name(run))
}

/// What stands in the folder for a person to read.
fn page(run: &RunFile, recipe: &Recipe, with_head: bool, lang: Lang) -> String {
    let template = recipe.template(&run.data.language);
    let hashes: Vec<String> = run.model.files.iter().map(|f| format!("`{}`", f.sha256)).collect();
    let (base, hashes, task, data, license) = (&run.model.name, hashes.join(", "), &run.task, &run.data.name, &run.data.license);
    let (method, version, command) = (&run.method, &run.version, &run.command);
    let labels = match run.data.labels.as_slice() {
        [] => String::new(),
        labels => labels.iter().enumerate().map(|(i, l)| format!("{i}. {l}\n")).collect(),
    };
    match lang {
        Lang::English => {
            let asked = if with_head {
                format!("The base model's states of the bare text go through the linear layer in `{}`; its classes, in order:\n\n{labels}", head::FILE)
            } else {
                format!("Ask it with exactly this prompt, the text in place of `{{text}}`, and take the likeliest tokens:\n\n```text\n{template}\n```\n")
            };
            format!(
                "# {base}, tuned for {task}\n\nTrained by Lapidary {version} on {data} (licence: {license}), method {method}.\n\n\
                 Base model: {base}, SHA-256 {hashes}. A tuned Gemma is a derivative of Gemma: the Gemma Terms of Use \
                 (https://ai.google.dev/gemma/terms) apply to it, and whoever gets it must get them too.\n\n## Use\n\n{asked}\n\
                 ## Origin\n\n```text\n{command}\n```\n"
            )
        }
        Lang::Italian => {
            let asked = if with_head {
                format!(
                    "Gli stati del modello di base per il solo testo passano per lo strato lineare in `{}`; le sue classi, in ordine:\n\n{labels}",
                    head::FILE
                )
            } else {
                format!(
                    "Va interrogato esattamente con questo prompt, col testo al posto di `{{text}}`, prendendo i token più probabili:\n\n```text\n{template}\n```\n"
                )
            };
            format!(
                "# {base}, specializzato per {task}\n\nAddestrato da Lapidary {version} su {data} (licenza: {license}), metodo {method}.\n\n\
                 Modello di base: {base}, SHA-256 {hashes}. Un Gemma specializzato è un derivato di Gemma: valgono i Gemma Terms of Use \
                 (https://ai.google.dev/gemma/terms), e chi lo riceve deve ricevere anche quelli.\n\n## Uso\n\n{asked}\n\
                 ## Origine\n\n```text\n{command}\n```\n"
            )
        }
    }
}
