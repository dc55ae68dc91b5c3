//! The numbers that make a Gemma 3 text model, read from `config.json` or GGUF metadata.
//!
//! Every published size (270M, 1B, the text part of 4B) is the same code with other numbers. What
//! this crate does not implement is refused by name rather than ignored.

use crate::error::{Error, Result};
use crate::gguf::{self, Header};
use say::say;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// Blocks of the smallest size whose global layers divide positions by a factor, the 4B.
const SCALED: usize = 34;

/// Sizes and constants of a Gemma 3 text model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Width of the residual stream.
    pub hidden: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key/value heads; each serves `heads / kv_heads` query heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head: usize,
    /// Width of the GeGLU feed-forward layer.
    pub feed_forward: usize,
    /// Rows of the embedding table.
    pub vocabulary: usize,
    /// Longest input, in tokens.
    pub context: usize,
    /// How many positions a local layer sees, itself included.
    pub window: usize,
    /// For each block: does it attend to everything before it (global) or to the window (local)?
    pub global: Vec<bool>,
    /// Rotary base of global layers.
    pub theta_global: f64,
    /// Rotary base of local layers.
    pub theta_local: f64,
    /// Positions of global layers are divided by this (1 for 270M and 1B, 8 for 4B).
    pub rope_factor: f64,
    /// Scores are scaled by this to the power −½.
    pub query_scalar: f64,
    /// Added to the mean square in every RMS norm.
    pub epsilon: f64,
}

impl Config {
    /// Sizes at which every kind of layer is met, within a second: of models that are drawn to compare devices on.
    pub fn small() -> Self {
        Self {
            hidden: 64,
            layers: 6,
            heads: 4,
            kv_heads: 2,
            head: 32,
            feed_forward: 128,
            vocabulary: 600,
            context: 256,
            window: 16,
            global: (1..=6).map(|i| i % 6 == 0).collect(),
            theta_global: 1e6,
            theta_local: 1e4,
            rope_factor: 1.0,
            query_scalar: 32.0,
            epsilon: 1e-6,
        }
    }

    /// Reads `config.json` of a Hugging Face folder (the `text_config` part of multimodal ones).
    ///
    /// # Errors
    /// If the file cannot be read, is of another architecture, or asks for something unsupported.
    pub fn from_json(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(|e| Error::io(file, e))?;
        let whole: Value = serde_json::from_str(&text)
            .map_err(|e| Error::format(file, say!("not valid JSON ({e}); fetch the model again", "JSON non valido ({e}); scarica di nuovo il modello")))?;
        let kind = whole["model_type"].as_str().unwrap_or("unknown");
        let json = match kind {
            "gemma3_text" => &whole,
            "gemma3" => &whole["text_config"],
            other => {
                return Err(Error::format(
                    file,
                    say!(
                        "the model is of type `{other}`; Lapidary trains Gemma 3 (`gemma3_text` or `gemma3`)",
                        "il modello è di tipo `{other}`; Lapidary addestra Gemma 3 (`gemma3_text` o `gemma3`)"
                    ),
                ));
            }
        };
        let fail = |what: String| Error::format(file, what);
        let quantized = &whole["quantization_config"];
        if quantized.is_object() {
            let method = quantized["quant_method"].as_str().unwrap_or("unknown");
            return Err(fail(say!(
                "the weights are quantised by `{method}`, which this version does not read; get the model unquantised, or as a GGUF file",
                "i pesi sono quantizzati con `{method}`, che questa versione non legge; procurati il modello non quantizzato, o come file GGUF"
            )));
        }
        let int = |key: &str, default: Option<usize>| match json.get(key) {
            None | Some(Value::Null) => {
                default.ok_or_else(|| fail(say!("has no `{key}`; fetch the model again", "non ha `{key}`; scarica di nuovo il modello")))
            }
            Some(v) => v.as_u64().and_then(|n| usize::try_from(n).ok()).ok_or_else(|| {
                fail(say!("`{key}` is not a whole number; fetch the model again", "`{key}` non è un numero intero; scarica di nuovo il modello"))
            }),
        };
        let float = |v: &Value, default: f64| v.as_f64().unwrap_or(default);
        for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
            if json[key].as_f64().is_some() {
                return Err(fail(not_computed(key)));
            }
        }
        if json["use_bidirectional_attention"].as_bool() == Some(true) {
            return Err(fail(say!(
                "every token sees those behind it (`use_bidirectional_attention`), as in EmbeddingGemma, which writes no text; choose a Gemma 3 that does",
                "ogni token vede quelli che lo seguono (`use_bidirectional_attention`), come in EmbeddingGemma, che non scrive testo; scegli un Gemma 3 che lo fa"
            )));
        }
        if let Some(other) = json["hidden_activation"].as_str().filter(|a| *a != "gelu_pytorch_tanh") {
            return Err(fail(say!(
                "the activation `{other}` is not supported (gelu_pytorch_tanh is)",
                "l’attivazione `{other}` non è supportata (lo è gelu_pytorch_tanh)"
            )));
        }
        if json["attention_bias"].as_bool() == Some(true) || json["tie_word_embeddings"].as_bool() == Some(false) {
            return Err(fail(say!(
                "attention biases and untied output embeddings are not supported",
                "termini additivi nell’attenzione e incorporamenti d’uscita separati non sono supportati"
            )));
        }
        let layers = int("num_hidden_layers", None)?;
        check_layers(layers).map_err(fail)?;
        let pattern = int("sliding_window_pattern", Some(6))?.max(1);
        let global = match json["layer_types"].as_array() {
            Some(types) => types.iter().map(|t| t.as_str() == Some("full_attention")).collect(),
            None => (0..layers).map(|i| (i + 1) % pattern == 0).collect(),
        };
        // transformers 5 moved the rotary settings into `rope_parameters`, one entry per kind of layer; where a file has
        // both, it lets those from before go first
        let (full, sliding) = (&json["rope_parameters"]["full_attention"], &json["rope_parameters"]["sliding_attention"]);
        let scaling = if json["rope_scaling"].is_object() { &json["rope_scaling"] } else { full };
        let rope_factor = match (rope_type(scaling), rope_type(sliding)) {
            ("default", "default") => 1.0,
            // without a factor it is refused with all else that is not positive
            ("linear", "default") => float(&scaling["factor"], 0.0),
            ("default" | "linear", other) | (other, _) => return Err(fail(not_scaled(other))),
        };
        let (heads, head) = (int("num_attention_heads", Some(8))?, int("head_dim", Some(256))?);
        let config = Self {
            hidden: int("hidden_size", None)?,
            layers,
            heads,
            kv_heads: int("num_key_value_heads", Some(4))?,
            head,
            feed_forward: int("intermediate_size", None)?,
            vocabulary: int("vocab_size", Some(262_208))?,
            context: int("max_position_embeddings", Some(131_072))?,
            window: int("sliding_window", Some(4096))?,
            global,
            theta_global: float(&full["rope_theta"], float(&json["rope_theta"], 1e6)),
            theta_local: float(&sliding["rope_theta"], float(&json["rope_local_base_freq"], 1e4)),
            rope_factor,
            query_scalar: float(&json["query_pre_attn_scalar"], 256.0),
            epsilon: float(&json["rms_norm_eps"], 1e-6),
        };
        config.check().map_err(fail)?;
        Ok(config)
    }

    /// Reads GGUF metadata. `vocabulary` is the row count of the embedding tensor.
    ///
    /// # Errors
    /// If the architecture is not `gemma3` or a needed key is missing.
    pub fn from_gguf(file: &Path, header: &Header, vocabulary: usize) -> Result<Self> {
        let fail = |what: String| Error::format(file, what);
        let architecture = header.str("general.architecture").unwrap_or("unknown");
        if architecture != "gemma3" {
            return Err(fail(say!(
                "the model is of architecture `{architecture}`; Lapidary trains Gemma 3 (`gemma3`)",
                "il modello ha architettura `{architecture}`; Lapidary addestra Gemma 3 (`gemma3`)"
            )));
        }
        let int = |key: &str| {
            header.int(&format!("gemma3.{key}")).ok_or_else(|| {
                fail(say!(
                    "has no `gemma3.{key}`; convert the model again with a current llama.cpp",
                    "non ha `gemma3.{key}`; converti di nuovo il modello con un llama.cpp recente"
                ))
            })
        };
        let float = |key: &str, default: f64| header.float(&format!("gemma3.{key}")).unwrap_or(default);
        for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
            // llama.cpp takes 0 for none
            if float(key, 0.0) != 0.0 {
                return Err(fail(not_computed(&format!("gemma3.{key}"))));
            }
        }
        let (layers, hidden, heads, head) = (int("block_count")?, int("embedding_length")?, int("attention.head_count")?, int("attention.key_length")?);
        check_layers(layers).map_err(fail)?;
        let rope_factor = match (header.str("gemma3.rope.scaling.type").unwrap_or("linear"), header.float("gemma3.rope.scaling.factor")) {
            ("none", _) => 1.0,
            ("linear", Some(factor)) => factor,
            ("linear", None) if layers < SCALED => 1.0,
            // some converters left it out, and what the model then reads is wrong the farther it looks
            ("linear", None) => {
                return Err(fail(say!(
                    "has no `gemma3.rope.scaling.factor`, without which a model of {layers} layers misreads; convert the model again with a current llama.cpp",
                    "non ha `gemma3.rope.scaling.factor`, senza cui un modello di {layers} strati legge male; converti di nuovo il modello con un llama.cpp recente"
                )));
            }
            (other, _) => return Err(fail(not_scaled(other))),
        };
        // every sixth layer is global, unless the file says how often, or of each layer whether it is local
        let global = match header.metadata.get("gemma3.attention.sliding_window_pattern") {
            Some(gguf::Value::Numbers(local)) => local.iter().map(|l| *l == 0.0).collect(),
            _ => {
                let pattern = header.int("gemma3.attention.sliding_window_pattern").unwrap_or(6).max(1);
                (0..layers).map(|i| (i + 1) % pattern == 0).collect()
            }
        };
        let config = Self {
            hidden,
            layers,
            heads,
            kv_heads: int("attention.head_count_kv")?,
            head,
            feed_forward: int("feed_forward_length")?,
            vocabulary,
            context: int("context_length")?,
            window: int("attention.sliding_window")?,
            global,
            theta_global: float("rope.freq_base", 1e6),
            theta_local: float("rope.freq_base_swa", 1e4),
            rope_factor,
            // GGUF has no key for it; like llama.cpp, all sizes but 27B (62 blocks) use the head width
            query_scalar: if layers == 62 { hidden as f64 / heads.max(1) as f64 } else { head as f64 },
            epsilon: float("attention.layer_norm_rms_epsilon", 1e-6),
        };
        config.check().map_err(fail)?;
        Ok(config)
    }

    /// Bytes that one token's keys and values take per layer, in `f32`.
    pub fn cache_bytes_per_token(&self) -> usize {
        2 * self.kv_heads * self.head * 4
    }

    /// Values in the weights of the blocks and the final norm (the embedding table is apart).
    pub fn block_parameters(&self) -> usize {
        let attention = self.hidden * self.head * (2 * self.heads + 2 * self.kv_heads) + 2 * self.head;
        self.layers * (attention + 3 * self.hidden * self.feed_forward + 4 * self.hidden) + self.hidden
    }

    /// That of the model's first blocks alone: at least one, at most all.
    pub fn shortened(&self, layers: usize) -> Self {
        let layers = layers.clamp(1, self.layers);
        let mut config = self.clone();
        config.layers = layers;
        config.global.truncate(layers);
        config
    }

    /// The configuration as `config.json` of a Hugging Face folder.
    pub fn to_json(&self) -> Value {
        let types: Vec<&str> = self.global.iter().map(|&g| if g { "full_attention" } else { "sliding_attention" }).collect();
        // transformers takes a whole number only, and no published size has another
        let query_scalar = if self.query_scalar.fract() == 0.0 { Value::from(self.query_scalar as u64) } else { Value::from(self.query_scalar) };
        let scaling = if self.rope_factor == 1.0 { Value::Null } else { serde_json::json!({"rope_type": "linear", "factor": self.rope_factor}) };
        serde_json::json!({
            "architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "torch_dtype": "float32",
            "hidden_size": self.hidden, "num_hidden_layers": self.layers, "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads, "head_dim": self.head, "intermediate_size": self.feed_forward,
            "vocab_size": self.vocabulary, "max_position_embeddings": self.context, "sliding_window": self.window,
            "layer_types": types, "rope_theta": self.theta_global, "rope_local_base_freq": self.theta_local,
            "rope_scaling": scaling, "query_pre_attn_scalar": query_scalar, "rms_norm_eps": self.epsilon,
            "hidden_activation": "gelu_pytorch_tanh", "tie_word_embeddings": true, "attention_bias": false,
            "attention_dropout": 0.0, "bos_token_id": 2, "eos_token_id": 1, "pad_token_id": 0,
        })
    }

    fn check(&self) -> std::result::Result<(), String> {
        let sizes = [self.hidden, self.layers, self.heads, self.kv_heads, self.head, self.feed_forward, self.vocabulary, self.context, self.window];
        if sizes.contains(&0) {
            return Err(say!(
                "a size in the configuration is 0; fetch the model again",
                "una dimensione nella configurazione è 0; scarica di nuovo il modello"
            ));
        }
        if sizes.iter().any(|&s| s > 1 << 24) {
            return Err(say!(
                "a size in the configuration is impossibly large; fetch the model again",
                "una dimensione nella configurazione è troppo grande per essere vera; scarica di nuovo il modello"
            ));
        }
        if !self.heads.is_multiple_of(self.kv_heads) || !self.head.is_multiple_of(2) {
            return Err(say!(
                "{} query heads over {} key/value heads of width {} do not fit; fetch the model again",
                "{} teste di query su {} teste di chiavi e valori larghe {} non sono compatibili; scarica di nuovo il modello",
                self.heads,
                self.kv_heads,
                self.head
            ));
        }
        if self.global.len() != self.layers {
            return Err(say!(
                "the kinds of {} layers are listed, the model has {}; fetch the model again",
                "sono elencati i tipi di {} strati, il modello ne ha {}; scarica di nuovo il modello",
                self.global.len(),
                self.layers
            ));
        }
        let positive = [self.theta_global, self.theta_local, self.rope_factor, self.query_scalar, self.epsilon];
        if positive.iter().any(|x| !x.is_finite() || *x <= 0.0) {
            return Err(say!(
                "a rotary, scaling or epsilon value is not a positive number; fetch the model again",
                "un valore rotatorio, di scala o epsilon non è un numero positivo; scarica di nuovo il modello"
            ));
        }
        Ok(())
    }
}

/// How positions are scaled by the rotary settings of a kind of layer.
fn rope_type(settings: &Value) -> &str {
    settings["rope_type"].as_str().or(settings["type"].as_str()).unwrap_or("default")
}

/// What is said of a scaling of positions that is not computed.
fn not_scaled(kind: &str) -> String {
    say!(
        "rotary scaling `{kind}` is not supported (linear scaling of global layers is)",
        "la scalatura rotatoria `{kind}` non è supportata (lo è quella linear degli strati globali)"
    )
}

/// What is said of a setting that changes what a model computes.
fn not_computed(key: &str) -> String {
    say!(
        "`{key}` is set, which no published Gemma 3 does and this version does not compute",
        "`{key}` è impostato, cosa che nessun Gemma 3 pubblicato fa e che questa versione non calcola"
    )
}

/// Refuses absurd depths before anything is allocated per layer.
fn check_layers(layers: usize) -> std::result::Result<(), String> {
    if layers > 1024 {
        Err(say!(
            "{layers} layers cannot be; the file is damaged, fetch it again",
            "{layers} strati non sono possibili; il file è danneggiato, scaricalo di nuovo"
        ))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of_json(json: &Value) -> Result<Config> {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("config.json");
        std::fs::write(&file, json.to_string()).expect("written");
        Config::from_json(&file)
    }

    fn of_gguf(pairs: &[(&str, gguf::Value)], vocabulary: usize) -> Result<Config> {
        let mut header = Header::default();
        header.metadata.insert("general.architecture".into(), gguf::Value::Str("gemma3".into()));
        header.metadata.extend(pairs.iter().map(|(key, value)| (format!("gemma3.{key}"), value.clone())));
        Config::from_gguf(Path::new("model.gguf"), &header, vocabulary)
    }

    fn int(key: &'static str, value: i128) -> (&'static str, gguf::Value) {
        (key, gguf::Value::Int(value))
    }

    fn every_sixth(layers: usize) -> Vec<bool> {
        (1..=layers).map(|i| i % 6 == 0).collect()
    }

    /// What converters write of a model whose heads are 256 wide.
    fn pairs(sizes: [i128; 7]) -> Vec<(&'static str, gguf::Value)> {
        let keys = ["embedding_length", "block_count", "attention.head_count", "attention.head_count_kv", "feed_forward_length"];
        let keys = keys.into_iter().chain(["context_length", "attention.sliding_window"]);
        let mut pairs: Vec<_> = keys.zip(sizes).map(|(key, value)| int(key, value)).collect();
        pairs.extend([int("attention.key_length", 256), ("rope.freq_base", gguf::Value::Float(1e6))]);
        pairs.push(("attention.layer_norm_rms_epsilon", gguf::Value::Float(1e-6)));
        pairs
    }

    /// The 4B's folders say only what is unlike the values that transformers takes unless it is told others.
    #[test]
    fn the_4b_is_read_from_what_its_files_say() {
        let expected = Config {
            hidden: 2560,
            layers: 34,
            heads: 8,
            kv_heads: 4,
            head: 256,
            feed_forward: 10_240,
            vocabulary: 262_208,
            context: 131_072,
            window: 1024,
            global: every_sixth(34),
            theta_global: 1e6,
            theta_local: 1e4,
            rope_factor: 8.0,
            query_scalar: 256.0,
            epsilon: 1e-6,
        };
        let text = json!({"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10_240, "num_hidden_layers": 34, "sliding_window": 1024});
        let whole = |changes: Value| {
            let mut text = text.clone();
            text.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
            of_json(&json!({"model_type": "gemma3", "text_config": text, "vision_config": {"hidden_size": 1152, "num_hidden_layers": 27}}))
        };
        let linear = json!({"rope_type": "linear", "factor": 8.0});
        let by_kind = json!({"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6}, "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}});
        for rotary in [
            json!({"rope_scaling": linear}),
            json!({"rope_scaling": {"type": "linear", "factor": 8.0}}),
            json!({"rope_parameters": by_kind}),
            json!({"rope_scaling": linear, "rope_parameters": {"full_attention": {"rope_type": "default"}}}),
        ] {
            assert_eq!(whole(rotary.clone()).expect("a model"), expected, "{rotary}");
        }
        let mut pairs = pairs([2560, 34, 8, 4, 10_240, 131_072, 1024]);
        let without = of_gguf(&pairs, 262_208).expect_err("it would be read wrongly").to_string();
        assert!(without.contains("model.gguf: has no `gemma3.rope.scaling.factor`"), "{without}");
        pairs.extend([("rope.scaling.type", gguf::Value::Str("linear".into())), ("rope.scaling.factor", gguf::Value::Float(8.0))]);
        assert_eq!(of_gguf(&pairs, 262_208).expect("a model"), expected);
    }

    #[test]
    fn the_1b_is_read_from_what_its_files_say() {
        let expected = Config {
            hidden: 1152,
            layers: 26,
            heads: 4,
            kv_heads: 1,
            head: 256,
            feed_forward: 6912,
            vocabulary: 262_144,
            context: 32_768,
            window: 512,
            global: every_sixth(26),
            theta_global: 1e6,
            theta_local: 1e4,
            rope_factor: 1.0,
            query_scalar: 256.0,
            epsilon: 1e-6,
        };
        let json = json!({"model_type": "gemma3_text", "hidden_size": 1152, "intermediate_size": 6912, "num_hidden_layers": 26,
            "num_attention_heads": 4, "num_key_value_heads": 1, "vocab_size": 262_144, "max_position_embeddings": 32_768,
            "sliding_window": 512, "sliding_window_pattern": 6, "rope_scaling": null, "final_logit_softcapping": null});
        assert_eq!(of_json(&json).expect("a model"), expected);
        let mut pairs = pairs([1152, 26, 4, 1, 6912, 32_768, 512]);
        assert_eq!(of_gguf(&pairs, 262_144).expect("a model"), expected);
        pairs.push(("attention.sliding_window_pattern", gguf::Value::Numbers(expected.global.iter().map(|g| f64::from(u8::from(!g))).collect())));
        assert_eq!(of_gguf(&pairs, 262_144).expect("a model"), expected);
        pairs.push(int("attention.sliding_window_pattern", 2));
        assert_eq!(of_gguf(&pairs, 262_144).expect("a model").global[..4], [false, true, false, true]);
    }

    #[test]
    fn what_is_not_computed_is_refused_by_name() {
        let refused = |changes: Value, part: &str| {
            let mut json = json!({"model_type": "gemma3_text", "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 6});
            assert!(of_json(&json).is_ok());
            json.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
            let said = of_json(&json).expect_err("must be refused").to_string();
            assert!(said.contains("config.json: ") && said.contains(part), "{changes}: {said}");
        };
        refused(json!({"quantization_config": {"quant_method": "bitsandbytes"}}), "quantised by `bitsandbytes`");
        refused(json!({"use_bidirectional_attention": true}), "EmbeddingGemma");
        refused(json!({"hidden_activation": "silu"}), "`silu`");
        refused(json!({"attn_logit_softcapping": 50.0}), "`attn_logit_softcapping` is set");
        refused(json!({"tie_word_embeddings": false}), "untied output embeddings");
        refused(json!({"rope_scaling": {"rope_type": "yarn", "factor": 8.0}}), "rotary scaling `yarn`");
        refused(json!({"rope_scaling": {"rope_type": "linear"}}), "not a positive number");
        refused(json!({"rope_parameters": {"sliding_attention": {"rope_type": "linear", "factor": 2.0}}}), "rotary scaling `linear`");
        refused(json!({"layer_types": ["full_attention"]}), "the kinds of 1 layers");
        let refused = |key: &'static str, value: gguf::Value, part: &str| {
            let mut pairs = pairs([64, 6, 4, 2, 64, 512, 16]);
            assert!(of_gguf(&pairs, 100).is_ok());
            pairs.push((key, value));
            let said = of_gguf(&pairs, 100).expect_err("must be refused").to_string();
            assert!(said.contains(part), "{key}: {said}");
        };
        refused("rope.scaling.type", gguf::Value::Str("yarn".into()), "rotary scaling `yarn`");
        refused("final_logit_softcapping", gguf::Value::Float(30.0), "`gemma3.final_logit_softcapping` is set");
        refused("attention.sliding_window_pattern", gguf::Value::Numbers(vec![1.0, 0.0]), "the kinds of 2 layers");
    }
}
