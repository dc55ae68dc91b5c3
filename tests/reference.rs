//! The model held against Hugging Face transformers: tokens, hidden states, logits, losses and
//! gradients; the tiny random model on every device, the text part of one in the shape of the 4B's files and the
//! real 270M weights on the CPU.
//!
//! Where the values come from: `tests/reference/make_tiny.py`, and for the real weights the folder
//! of reference values beside the repository.

use acceptance::{close, json, multimodal, open, real_weights, shared_reference, tiny};
use burn::tensor::{Tensor, TensorData};
use data::{Batch, Encoded};
use gemma::head::{Pool, View, pool};
use gemma::lora::TensorFile;
use gemma::quant::Storage;
use gemma::{Adapters, Full, Gemma, Head, LoraConfig, Rows, Tokenizer, Trained, Weights, device, full, loss};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use train::{Event, Observer, Plan, Settings, Tuned, Validation, step};

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Forward {
    ids: Vec<u32>,
    #[serde(default)]
    hidden_l2: Vec<f64>,
    #[serde(default)]
    hidden_last_first8: Vec<Vec<f64>>,
    logits_last_top10: Vec<(u32, f64)>,
    logits_last_logsumexp: Option<f64>,
    mean_nll: f64,
}

#[derive(Deserialize)]
struct LoraSteps {
    rank: usize,
    scale: f64,
    rows: Vec<Row>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Row {
    ids: Vec<u32>,
    labels: Vec<i64>,
}

#[derive(Deserialize)]
struct Step {
    loss: f64,
    grad_norm: f64,
    #[serde(default)]
    adapter_grad_l2: BTreeMap<String, [f64; 2]>,
}

fn floats<const D: usize>(t: Tensor<D>) -> Vec<f64> {
    t.into_data().convert::<f32>().try_to_vec::<f32>().expect("f32").into_iter().map(f64::from).collect()
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn check_tokens(tokenizer: &Tokenizer, file: &Path) {
    let texts: Vec<Text> = json(file);
    assert!(texts.len() >= 12);
    for t in texts {
        assert_eq!(tokenizer.encode_with_bos(&t.text).expect("encodes"), t.ids, "{:?}", t.text);
    }
}

fn check_forward(model: &Gemma, file: &Path) {
    let mut cases: Vec<Forward> = json(file);
    assert!(cases.len() >= 5);
    if !device::is_cpu(model.device()) {
        // a graphics adapter tunes its kernels for each length: within the window and across it are enough
        cases.sort_by_key(|case| case.ids.len());
        cases.drain(1..cases.len() - 1);
    }
    for case in cases {
        let n = case.ids.len();
        let width = model.config().hidden;
        let mut states = Vec::new();
        let last = model.forward_with(&case.ids, &Rows::one(case.ids.len()), |_, x| states.push(floats(x.clone()))).expect("runs");
        states.push(floats(last.clone()));
        for (i, (ours, theirs)) in states.iter().zip(&case.hidden_l2).enumerate() {
            close(&format!("norm of hidden state {i} of {n} tokens"), norm(ours), *theirs, 1e-3);
        }
        for (i, (ours, theirs)) in states.iter().zip(&case.hidden_last_first8).enumerate() {
            let scale = norm(&ours[(n - 1) * width..]) / (width as f64).sqrt();
            for (a, b) in ours[(n - 1) * width..].iter().zip(theirs) {
                assert!((a - b).abs() < 2e-3 * scale.max(b.abs()), "hidden state {i} of {n} tokens: {a} is not {b}");
            }
        }
        let logits = &model.logits(last.clone().narrow(0, n - 1, 1)).expect("logits")[0];
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
        for (&(token, value), &ours) in case.logits_last_top10.iter().zip(&order) {
            // equal logits may change places, so values are compared by token and the order by value
            close(&format!("logit of token {token} after {n} tokens"), f64::from(logits[token as usize]), value, 1e-3);
            close(&format!("rank of token {token} after {n} tokens"), f64::from(logits[ours]), value, 1e-3);
        }
        if let Some(theirs) = case.logits_last_logsumexp {
            let max = f64::from(logits[order[0]]);
            let ours = logits.iter().map(|&l| (f64::from(l) - max).exp()).sum::<f64>().ln() + max;
            close("log-sum-exp", ours, theirs, 1e-3);
        }
        let ce = loss::cross_entropy(last.narrow(0, 0, n - 1), &case.ids[1..], model.table(), model.device()).expect("loss");
        close(&format!("mean loss of {n} tokens"), floats(ce.nll).iter().sum::<f64>() / (n - 1) as f64, case.mean_nll, 1e-3);
    }
}

/// Adapters filled by the formula of the reference script.
fn formula(model: &Gemma, rank: usize, scale: f64) -> Adapters {
    let config = LoraConfig { rank, alpha: scale * rank as f64, ..LoraConfig::default() };
    let mut adapters = Adapters::new(config, model, 0).expect("adapters");
    let mut n = 0.0;
    adapters.visit(&mut |path, t| {
        let [rows, columns] = t.dims();
        let is_a = path.ends_with("lora_A");
        let values: Vec<f32> = (0..rows * columns)
            .map(|k| {
                let (i, j) = ((k / columns) as f64, (k % columns) as f64);
                // A[i][j] over inputs and rank; B[j][o] over rank and outputs
                let v = if is_a { 0.02 * (0.37 * i + 1.3 * j + 0.11 * n).sin() } else { 0.01 * (0.23 * j + 0.7 * i + 0.05 * n).cos() };
                v as f32
            })
            .collect();
        *t = Tensor::from_data(TensorData::new(values, [rows, columns]), model.device()).autodiff().require_grad();
        if !is_a {
            n += 1.0;
        }
    });
    adapters
}

struct Losses(Vec<(f64, f64)>);

impl Observer for Losses {
    fn event(&mut self, event: Event) {
        if let Event::Step { loss, grad_norm, .. } = event {
            self.0.push((loss, grad_norm));
        }
    }
    fn validate(&mut self, _: &Tuned) -> gemma::Result<Option<Validation>> {
        Ok(None)
    }
    fn save(&mut self, _: &Tuned, _: usize) -> gemma::Result<String> {
        Ok(String::new())
    }
}

/// A loop without warm-up, decays or extras, of one epoch.
fn plain() -> Settings {
    Settings::steady(4, 1e-3)
}

fn check_lora(model: &Gemma, file: &Path) {
    let reference: LoraSteps = json(file);
    let examples: Vec<Encoded> = reference
        .rows
        .iter()
        .map(|r| {
            let prompt = r.labels.iter().position(|&l| l >= 0).expect("a target");
            Encoded { ids: r.ids.clone(), prompt, marks: Vec::new(), repeated: 0 }
        })
        .collect();
    let all: Vec<usize> = (0..examples.len()).collect();
    let batch = Batch::new(&examples, &all, model.layout());
    let mut tuned = Tuned { trained: formula(model, reference.rank, reference.scale).into(), head: None };

    let total = batch.targets.len();
    let (loss, mut gradients) = step::forward_backward(model, &tuned, &batch, total).expect("a step");
    let first = &reference.steps[0];
    assert!((loss.sum / total as f64 - first.loss).abs() < 1e-4, "first loss {} is not {}", loss.sum / total as f64, first.loss);
    let mut compared = 0;
    tuned.visit(&mut |path, t| {
        let gradient = norm(&floats(t.grad_remove(&mut gradients).expect("every adapter has a gradient")));
        let (module, matrix) = path.rsplit_once('.').expect("a path");
        let theirs = first.adapter_grad_l2[module][usize::from(matrix == "lora_B")];
        close(&format!("gradient of {path}"), gradient, theirs, 1e-3);
        compared += 1;
    });
    assert_eq!(compared, 2 * first.adapter_grad_l2.len());

    let settings = Settings { epochs: reference.steps.len(), batch: examples.len(), ..plain() };
    let mut losses = Losses(Vec::new());
    let plan = Plan { model, examples: &examples, settings: &settings, seed: 0 };
    plan.run(plan.start(tuned), &mut losses).expect("trains");
    assert_eq!(losses.0.len(), reference.steps.len());
    for (i, ((loss, grad_norm), theirs)) in losses.0.iter().zip(&reference.steps).enumerate() {
        assert!((loss - theirs.loss).abs() < 1e-3, "loss of step {i}: {loss} is not {}", theirs.loss);
        close(&format!("gradient norm of step {i}"), *grad_norm, theirs.grad_norm, if i == 0 { 1e-3 } else { 5e-3 });
    }
}

fn check_head(model: &Gemma, file: &Path) {
    #[derive(Deserialize)]
    struct Pooled {
        rows: Vec<Vec<u32>>,
        mean: Vec<Vec<f64>>,
        last: Vec<Vec<f64>>,
    }
    let reference: Pooled = json(file);
    let examples: Vec<Encoded> = reference.rows.iter().map(|r| Encoded::classed(r.clone(), 0)).collect();
    let batch = Batch::new(&examples, &[0, 1, 2], model.layout());
    let hidden = model.forward(&batch.ids, &batch.rows, None, false).expect("runs");
    for (kind, theirs) in [(Pool::Mean, reference.mean), (Pool::Last, reference.last)] {
        let ours = floats(pool(hidden.clone(), &batch.ids, &batch.places, kind));
        for (a, b) in ours.iter().zip(theirs.iter().flatten()) {
            assert!((a - b).abs() < 1e-3 * b.abs().max(1.0), "{kind:?}: {a} is not {b}");
        }
    }
}

fn check_tiny(device: &str) {
    let (_, model) = open(&tiny(), device);
    check_model(&model, &tiny());
    let held = device::held_memory(model.device());
    // only the CPU fuses blocks, elsewhere that would be the same once more
    if device::is_cpu(model.device()) {
        assert_eq!(held, None);
        check_model(&model.unfused(), &tiny());
    } else {
        let weights = std::fs::metadata(tiny().join("model.safetensors")).expect("checked in").len();
        assert!(held.is_some_and(|bytes| bytes >= weights), "{held:?} of {weights} bytes of weights");
    }
}

fn check_model(model: &Gemma, values: &Path) {
    check_forward(model, &values.join("forward.json"));
    check_lora(model, &values.join("lora_steps.json"));
    check_head(model, &values.join("head.json"));
}

#[test]
fn tiny_model_matches_transformers_on_the_cpu() {
    check_tiny("cpu");
}

/// The same on every graphics adapter there is; a crash of a driver fails this test alone.
#[test]
fn tiny_model_matches_transformers_on_every_adapter() {
    let adapters: Vec<device::Info> = device::list().into_iter().filter(|d| d.kind != device::Kind::Cpu).collect();
    if adapters.is_empty() {
        eprintln!("SKIPPED: there is no graphics adapter, not even a software one (package mesa-vulkan-drivers)");
    }
    for adapter in adapters {
        eprintln!("{}: {} ({})", adapter.id, adapter.name, adapter.driver);
        check_tiny(&adapter.id);
    }
}

/// The text part of a model that also sees: sizes under `text_config`, a prefix before the names of tensors, those of a
/// vision tower beside them, positions of global layers divided by 8, queries narrower than the states.
#[test]
fn the_text_part_of_a_model_that_sees_matches_transformers() {
    let (weights, model) = open(&multimodal(), "cpu");
    assert_eq!((weights.config().rope_factor, weights.files().len()), (8.0, 2));
    check_model(&model, &multimodal());
    check_model(&model.unfused(), &multimodal());
    let values = multimodal().join("forward.json");
    let check = |path: &Path| check_forward(&open(path, "cpu").1, &values);
    check(&multimodal().join("multimodal-bf16.gguf"));

    // under the names that the tensors have in transformers' memory, which some programs write
    let dir = tempfile::tempdir().expect("a folder");
    let (saved, held) = (b"language_model.model.", b"model.language_model.");
    for file in ["config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] {
        let mut bytes = std::fs::read(multimodal().join(file)).expect("checked in");
        for at in 0..bytes.len().saturating_sub(saved.len()) {
            if bytes[at..].starts_with(saved) {
                bytes[at..at + held.len()].copy_from_slice(held);
            }
        }
        std::fs::write(dir.path().join(file), bytes).expect("written");
    }
    check(dir.path());

    // and as this program writes it
    let dir = tempfile::tempdir().expect("a folder");
    let export = gemma::Export { weights: &weights, trained: None };
    export.safetensors(dir.path()).expect("written");
    check(dir.path());
    let tokenizer = Tokenizer::from_file(&tiny().join("tokenizer.json"), weights.config().vocabulary).expect("a tokenizer");
    let file = dir.path().join("out.gguf");
    export.gguf(&tokenizer, &file).expect("written");
    check(&file);
}

#[test]
fn tiny_tokenizer_has_the_same_ids_from_json_and_rebuilt_from_gguf() {
    let weights = Weights::open(&tiny()).expect("opens");
    check_tokens(&Tokenizer::open(&weights).expect("from tokenizer.json"), &tiny().join("tokenizer_ids.json"));
    let weights = Weights::open(&tiny().join("tiny-f32.gguf")).expect("opens");
    let rebuilt = Tokenizer::from_gguf(weights.path(), weights.gguf().expect("a GGUF").header()).expect("rebuilt");
    check_tokens(&rebuilt, &tiny().join("tokenizer_ids.json"));
}

/// A GGUF file that was written from a Hugging Face folder has the same tokens and the same logits.
#[test]
fn a_folder_becomes_a_gguf_of_the_same_model() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("out.gguf");
    let weights = Weights::open(&tiny()).expect("opens");
    gemma::Export { weights: &weights, trained: None }.gguf(&Tokenizer::open(&weights).expect("a tokenizer"), &file).expect("written");
    let written = Weights::open(&file).expect("opens");
    check_tokens(&Tokenizer::open(&written).expect("rebuilt"), &tiny().join("tokenizer_ids.json"));
    let (_, model) = open(&file, "cpu");
    check_forward(&model, &tiny().join("forward.json"));
}

/// One model in four containers: f32 folder, f32 GGUF, bf16 shards, f16 folder.
#[test]
fn every_container_gives_the_same_logits() {
    let ids = [2, 300, 411, 522, 633, 744, 855, 266, 377, 488];
    let logits = |path: &Path| {
        let (_, model) = open(path, "cpu");
        let hidden = model.forward(&ids, &Rows::one(ids.len()), None, false).expect("runs");
        model.logits(hidden.narrow(0, ids.len() - 1, 1)).expect("logits").remove(0)
    };
    let base = logits(&tiny());
    let spread = base.iter().map(|x| x.abs()).fold(0.0, f32::max);
    for (folder, tolerance) in [("tiny-f32.gguf", 1e-5), ("hf-f16", 1e-2), ("hf-sharded", 6e-2)] {
        let other = logits(&tiny().join(folder));
        let worst = base.iter().zip(&other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= tolerance * spread, "{folder}: {worst} of {spread}");
        if folder != "tiny-f32.gguf" {
            assert!(worst > 0.0, "{folder} is rounded, so it cannot be identical: was it read at all?");
        }
    }
}

/// A generation keeps no graph: with one, the cache would hold on to every step's values until the end, gigabytes
/// for a batch of long answers.
#[test]
fn decoding_with_adapters_tracks_nothing() {
    let (_, model) = open(&tiny(), "cpu");
    let adapters = Adapters::new(LoraConfig::default(), &model, 0).expect("adapters").into();
    let mut cache = gemma::model::Cache::new(vec![0], model.config());
    for ids in [vec![2, 300, 411], vec![522]] {
        let hidden = model.forward_cached(&ids, Some(&adapters), &mut cache).expect("runs");
        assert!(!hidden.is_tracked(), "after {} tokens", ids.len());
    }
}

/// Decoding over the cache, batched and padded on the left, equals running each text whole.
#[test]
fn cached_decoding_equals_whole_texts() {
    use gemma::generate::{Free, Limits, Sampling, generate};
    let (_, model) = open(&tiny(), "cpu");
    let prompts: Vec<Vec<u32>> = [3usize, 11, 7].iter().map(|n| (0..*n as u32).map(|i| if i == 0 { 2 } else { 300 + 37 * i % 700 }).collect()).collect();
    let limits = Limits { tokens: 14, stop: &[] };
    let batched = generate(&model, None, &prompts, &limits, &Sampling::GREEDY, &Free).expect("generates");
    for (prompt, generated) in prompts.iter().zip(&batched) {
        let mut ids = prompt.clone();
        for &token in &generated.tokens {
            let hidden = model.forward(&ids, &Rows::one(ids.len()), None, false).expect("runs");
            let logits = model.logits(hidden.narrow(0, ids.len() - 1, 1)).expect("logits").remove(0);
            let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).expect("a vocabulary") as u32;
            assert_eq!(token, best, "after {} tokens (the window is {})", ids.len(), model.config().window);
            ids.push(token);
        }
        assert_eq!(generated.tokens.len(), 14);
    }
    let sampled = |seed| {
        let sampling = Sampling { temperature: 1.0, top_k: 50, top_p: 0.95, seed };
        generate(&model, None, &prompts, &limits, &sampling, &Free).expect("generates")
    };
    assert_eq!(sampled(1), sampled(1));
    assert_ne!(sampled(1), sampled(2));
}

/// What a generation has seen is kept in another form where blocks run as one operation: with prompts that begin alike, rows that
/// go on twice or not at all, windows that are left behind, each kind of adapter, and weights in fewer bytes, the states are those
/// of the model operation by operation.
#[test]
fn generation_in_one_operation_a_block_equals_operation_by_operation() {
    let (weights, model) = open(&tiny().join("tiny-f32.gguf"), "cpu");
    let token = |key: usize| 300 + (key * 37 % 700) as u32;
    let begins: Vec<u32> = std::iter::once(2).chain((0..gemma::rows::TRUNK + 8).map(token)).collect();
    let row = |key: usize, length: usize| begins.iter().copied().chain((0..length).map(|i| token(key + 5 * i))).collect::<Vec<u32>>();
    let alike = vec![row(1, 3), row(2, 11), row(3, 1), row(4, 6)];
    let apart = vec![row(1, 3)[40..].to_vec(), row(2, 30)[30..].to_vec(), row(9, 9)[37..].to_vec()];
    let plain: Trained = formula(&model, 4, 2.0).into();
    let dora: Trained = decomposed(&model).into();
    let packed = Gemma::load_at(weights, model.device(), gemma::Precision::File).expect("loads");
    for (name, fused, trained) in
        [("f32", &model, None), ("adapters", &model, Some(&plain)), ("magnitudes", &model, Some(&dora)), ("packed", &packed, Some(&plain))]
    {
        for prompts in [&alike, &apart] {
            assert!(prompts.iter().any(|p| p.len() > model.config().window), "the window is never left");
            let longest = prompts.iter().map(Vec::len).max().expect("prompts");
            let padding: Vec<usize> = prompts.iter().map(|p| longest - p.len()).collect();
            let ids: Vec<u32> = prompts.iter().zip(&padding).flat_map(|(p, &pad)| std::iter::repeat_n(0, pad).chain(p.iter().copied())).collect();
            // the states of each row's tokens, without padding
            let states = |model: &Gemma| {
                let mut cache = gemma::model::Cache::new(padding.clone(), model.config());
                let width = model.config().hidden;
                let all = floats(model.forward_cached(&ids, trained, &mut cache).expect("reads"));
                let mut out: Vec<f64> =
                    padding.iter().enumerate().flat_map(|(row, pad)| all[(row * longest + pad) * width..(row + 1) * longest * width].to_vec()).collect();
                for (kept, next) in [(vec![2, 0, 0], vec![11, 12, 13]), (vec![1, 2, 0], vec![14, 15, 16]), (vec![0, 2], vec![17, 18, 19, 20])] {
                    cache.select(&kept);
                    let next: Vec<u32> = next.into_iter().map(token).collect();
                    out.extend(floats(model.forward_cached(&next, trained, &mut cache).expect("goes on")));
                }
                out
            };
            let (one, by_one) = (states(fused), states(&fused.unfused()));
            let apart: Vec<f64> = one.iter().zip(&by_one).map(|(a, b)| a - b).collect();
            assert_eq!(one.len(), by_one.len());
            assert!(norm(&apart) < 1e-5 * norm(&by_one), "{name}: {} of {}", norm(&apart), norm(&by_one));
        }
    }
    let few = model.embed(&[5, 6, 7]).expect("states");
    let (some, all) = (model.logits_of(few.clone(), &[900, 3, 411]).expect("logits"), model.logits(few.clone()).expect("logits"));
    let expected = model.unfused().logits(few).expect("logits");
    for row in 0..3 {
        let close = |a: f32, b: f32| (a - b).abs() < 1e-4 * b.abs().max(1.0);
        assert!(all[row].len() == expected[row].len() && all[row].iter().zip(&expected[row]).all(|(a, b)| close(*a, *b)), "row {row}");
        assert!([900, 3, 411].iter().zip(&some[row]).all(|(&token, a)| close(*a, expected[row][token])), "row {row}");
    }
}

/// Loss and every gradient of one step over several micro-batches.
fn gradients(model: &Gemma, batches: &[Batch]) -> (f64, BTreeMap<String, Vec<f64>>) {
    gradients_of(model, Tuned { trained: formula(model, 4, 2.0).into(), head: None }, batches)
}

/// The same of what is trained.
fn gradients_of(model: &Gemma, mut tuned: Tuned, batches: &[Batch]) -> (f64, BTreeMap<String, Vec<f64>>) {
    let total: usize = batches.iter().map(|b| b.targets.len()).sum();
    let (mut sum, mut gradients): (f64, BTreeMap<String, Vec<f64>>) = (0.0, BTreeMap::new());
    for batch in batches {
        let (loss, mut found) = step::forward_backward(model, &tuned, batch, total).expect("a step");
        sum += loss.sum;
        tuned.visit(&mut |path, t| {
            let own = floats(t.grad_remove(&mut found).expect("a gradient"));
            let into = gradients.entry(path.into()).or_insert_with(|| vec![0.0; own.len()]);
            into.iter_mut().zip(own).for_each(|(a, b)| *a += b);
        });
    }
    (sum, gradients)
}

/// A few rows of different lengths.
fn some_rows() -> Vec<Encoded> {
    let row = |(i, &length): (usize, &u32)| Encoded {
        ids: (0..length).map(|t| if t == 0 { 2 } else { 300 + (31 * t + 97 * i as u32) % 700 }).collect(),
        prompt: length as usize - 3,
        marks: Vec::new(),
        repeated: 0,
    };
    [9u32, 23, 5, 14].iter().enumerate().map(row).collect()
}

/// What is not kept for the backward pass is computed again, and no bit changes: none, some or all of the blocks.
#[test]
fn recomputing_changes_no_number() {
    let batch = |model: &Gemma| Batch::new(&some_rows(), &[0, 1, 2, 3], model.layout());
    let expected = {
        let (_, model) = open(&tiny(), "cpu");
        gradients(&model, &[batch(&model)])
    };
    for room in [0, 200_000] {
        let (_, model) = open(&tiny(), "cpu");
        let model = model.keeping(room);
        assert_eq!(gradients(&model, &[batch(&model)]), expected, "{room} bytes");
    }
}

/// Blocks that are not fused and keep nothing but their inputs have the gradients of those that keep everything, whatever is
/// trained; below a head, which may read several depths, those of the blocks that it reads.
#[test]
fn the_way_back_block_by_block_changes_no_gradient() {
    let (weights, model) = open(&tiny(), "cpu");
    let (kept, again) = (model.unfused(), model.unfused().keeping(0));
    assert!(again.recomputes() && !kept.recomputes());
    let layers = model.config().layers;
    let adapters = || -> Trained { Adapters::random(LoraConfig { rank: 4, ..LoraConfig::default() }, &model, 1).expect("adapters").into() };
    let head = |taps: &[usize]| {
        let view = View { taps: taps.to_vec(), pool: Pool::Mean };
        Tuned { trained: adapters(), head: Some(Head::new(model.config().hidden, 3, view, 7, model.device())) }
    };
    for (what, tuned, gradients) in [
        ("adapters", Tuned { trained: adapters(), head: None }, 2 * 7 * layers),
        ("adapters with magnitudes", Tuned { trained: decomposed(&model).into(), head: None }, 3 * 7 * layers),
        ("the whole model", whole(&weights, &model), 13 * layers + 1),
        ("a head on the top", head(&[layers]), 2 * 7 * layers + 2),
        ("a head on two depths", head(&[2, 5]), 2 * 7 * 5 + 2),
    ] {
        for mut examples in [some_rows(), sharing(&model)] {
            if tuned.head.is_some() {
                examples = examples.into_iter().zip((0..3).cycle()).map(|(e, class)| Encoded::classed(e.ids, class)).collect();
            }
            let all: Vec<usize> = (0..examples.len()).collect();
            let batch = Batch::new(&examples, &all, model.layout());
            let total = step::targets(&batch, tuned.objective());
            let found = |model: &Gemma| {
                let (loss, mut gradients) = step::forward_backward(model, &tuned, &batch, total).expect("a step");
                let mut by_path = BTreeMap::new();
                tuned.clone().visit(&mut |path, t| {
                    if let Some(gradient) = t.grad_remove(&mut gradients) {
                        by_path.insert(path.to_string(), floats(gradient));
                    }
                });
                (loss, by_path)
            };
            let ((expected, theirs), (loss, ours)) = (found(&kept), found(&again));
            close(what, loss.sum, expected.sum, 1e-5);
            close(what, loss.entropy, expected.entropy, 1e-5);
            assert_eq!((ours.len(), loss.targets), (gradients, total), "{what}");
            assert!(ours.keys().eq(theirs.keys()), "{what}");
            for (path, own) in &ours {
                let apart = norm(&own.iter().zip(&theirs[path]).map(|(a, b)| a - b).collect::<Vec<_>>());
                assert!(norm(own) > 0.0 && apart <= 1e-4 * norm(own).max(1e-6), "{what}: {path}: {apart} of {}", norm(own));
            }
        }
    }
}

/// Adapters whose inputs are dropped in part, both matrices of which are random.
fn dropping(model: &Gemma) -> Tuned {
    let config = LoraConfig { rank: 4, dropout: 0.3, ..LoraConfig::default() };
    Tuned { trained: Adapters::random(config, model, 1).expect("adapters").into(), head: None }
}

/// The loss of one pass with what the device's stream leaves out from `seed` on, and the gradients.
fn dropped(model: &Gemma, tuned: &Tuned, batch: &Batch, seed: u64) -> (f64, burn::tensor::Gradients) {
    model.device().seed(seed);
    let (loss, gradients) = step::forward_backward(model, tuned, batch, batch.targets.len()).expect("a step");
    (loss.sum / loss.targets as f64, gradients)
}

/// What dropout leaves out is the same when a block is computed again, and the gradients are those of the very pass: the
/// loss moves along them as they say.
#[test]
fn dropout_within_the_fused_block_has_the_gradients_of_its_own_masks() {
    let (_, model) = open(&tiny(), "cpu");
    let mut tuned = dropping(&model);
    let batch = Batch::new(&some_rows(), &[0, 1, 2, 3], model.layout());
    let values = |gradients: &mut burn::tensor::Gradients, tuned: &mut Tuned| {
        let mut all = BTreeMap::new();
        tuned.visit(&mut |path, t| drop(all.insert(path.to_string(), t.grad_remove(gradients).expect("a gradient"))));
        all
    };
    let (loss, mut gradients) = dropped(&model, &tuned, &batch, 5);
    let by_path = values(&mut gradients, &mut tuned);
    let all = |by_path: &BTreeMap<String, Tensor<2>>| by_path.values().flat_map(|t| floats(t.clone())).collect::<Vec<f64>>();
    for room in [0, 60_000] {
        let (again, mut gradients) = dropped(&open(&tiny(), "cpu").1.keeping(room), &tuned, &batch, 5);
        assert_eq!((again, all(&values(&mut gradients, &mut tuned))), (loss, all(&by_path)), "{room} bytes");
    }
    assert_ne!(dropped(&model, &tuned, &batch, 6).0, loss, "nothing is left out");
    assert_eq!(dropped(&model, &tuned, &batch, 5).0, loss);
    for kind in ["lora_A", "lora_B"] {
        moves_as_told(kind, &model, &tuned, &batch, &by_path, |path| path.ends_with(kind));
    }
}

/// The same of blocks that are not fused and are computed again one by one.
#[test]
fn dropout_in_blocks_computed_again_has_the_gradients_of_its_own_masks() {
    let model = open(&tiny(), "cpu").1.unfused().keeping(0);
    let (tuned, batch) = (dropping(&model), Batch::new(&some_rows(), &[0, 1, 2, 3], model.layout()));
    let loss = |seed| dropped(&model, &tuned, &batch, seed).0;
    assert_eq!(loss(5), loss(5));
    assert_ne!(loss(6), loss(5), "nothing is left out");
    let by_path = by_path(&model, &tuned, &batch);
    for kind in ["lora_A", "lora_B"] {
        moves_as_told(kind, &model, &tuned, &batch, &by_path, |path| path.ends_with(kind));
    }
}

/// The loss of [`dropped`] with seed 5 moves along the gradients of some parameters as they say.
fn moves_as_told(kind: &str, model: &Gemma, tuned: &Tuned, batch: &Batch, gradients: &BTreeMap<String, Tensor<2>>, own: impl Fn(&str) -> bool) {
    let square: f64 = gradients.iter().filter(|(path, _)| own(path)).map(|(_, g)| norm(&floats(g.clone())).powi(2)).sum();
    let at = |sign: f64| {
        let mut moved = tuned.clone();
        moved.visit(&mut |path, t| {
            if own(path) {
                *t = (t.clone().inner() + gradients[path].clone().mul_scalar(sign * 5e-4 / square.sqrt())).autodiff().require_grad();
            }
        });
        dropped(model, &moved, batch, 5).0
    };
    let measured = (at(1.0) - at(-1.0)) / (2.0 * 5e-4 / square.sqrt());
    assert!((measured - square).abs() < 0.03 * square, "{kind}: {measured} is not {square}");
}

/// Every one of so many gradients is that of autodiff over the unfused blocks, also where rows share a beginning; what is
/// computed again is the same to the bit.
fn has_the_gradients_of_autodiff(model: &Gemma, tuned: impl Fn() -> Tuned, gradients: usize) {
    for examples in [some_rows(), sharing(model)] {
        let all: Vec<usize> = (0..examples.len()).collect();
        let batch = [Batch::new(&examples, &all, model.layout())];
        let (sum, found) = gradients_of(model, tuned(), &batch);
        let (expected, theirs) = gradients_of(&model.unfused(), tuned(), &batch);
        close("loss", sum, expected, 1e-5);
        assert_eq!(found.len(), gradients);
        for (path, own) in &found {
            let theirs = &theirs[path];
            let apart = norm(&own.iter().zip(theirs).map(|(a, b)| a - b).collect::<Vec<_>>());
            assert!(norm(theirs) > 0.0 && apart <= 1e-4 * norm(theirs).max(1e-6), "{path}: {apart} of {}", norm(theirs));
        }
        let again = gradients_of(&open(&tiny(), "cpu").1.keeping(0), tuned(), &batch);
        assert_eq!(again, (sum, found));
    }
}

/// Every gradient of a batch by its parameter's path.
fn by_path(model: &Gemma, tuned: &Tuned, batch: &Batch) -> BTreeMap<String, Tensor<2>> {
    let (_, mut gradients) = dropped(model, tuned, batch, 5);
    let mut found = BTreeMap::new();
    tuned.clone().visit(&mut |path, t| drop(found.insert(path.to_string(), t.grad_remove(&mut gradients).expect("a gradient"))));
    found
}

/// Adapters with magnitudes, every tensor of which is away from where it begins.
fn decomposed(model: &Gemma) -> Adapters {
    let config = LoraConfig { rank: 4, dora: true, ..LoraConfig::default() };
    let mut adapters = Adapters::random(config, model, 1).expect("adapters");
    adapters.visit(&mut |path, t| {
        if path.ends_with("lora_magnitude") {
            let factors = (0..t.dims()[1]).map(|i| 1.0 + 0.2 * (i as f32).sin()).collect();
            let factors: Tensor<2> = Tensor::from_data(TensorData::new(factors, t.dims()), model.device());
            *t = (t.clone().inner() * factors).autodiff().require_grad();
        }
    });
    adapters
}

/// Every gradient by adapters with magnitudes is that of autodiff over the unfused blocks, and the loss moves along those by
/// the magnitudes as they say; along the others it need not, because lengths count as constants.
#[test]
fn adapters_with_magnitudes_have_the_gradients_of_autodiff() {
    let (_, model) = open(&tiny(), "cpu");
    let tuned = || Tuned { trained: decomposed(&model).into(), head: None };
    has_the_gradients_of_autodiff(&model, tuned, 3 * 7 * model.config().layers);
    let (tuned, batch) = (tuned(), Batch::new(&some_rows(), &[0, 1, 2, 3], model.layout()));
    let by_path = by_path(&model, &tuned, &batch);
    moves_as_told("magnitudes", &model, &tuned, &batch, &by_path, |path| path.ends_with("lora_magnitude"));
    // lengths that were worked out before an update are not used after it
    let loss = |tuned: &Tuned| dropped(&model, tuned, &batch, 5).0;
    let before = loss(&tuned);
    let mut moved = tuned.clone();
    moved.visit(&mut |path, t| {
        if path.ends_with("lora_B") {
            *t = t.clone().inner().mul_scalar(2.0).autodiff().require_grad();
        }
    });
    let own = moved.trained.adapters().expect("adapters");
    let fresh = Tuned { trained: reloaded(own, &model, tempfile::tempdir().expect("a folder").path()).into(), head: None };
    assert_ne!(loss(&moved), before);
    assert_eq!(loss(&moved), loss(&fresh));
}

/// Adapters written to a folder in PEFT's layout, and read again.
fn reloaded(adapters: &Adapters, model: &Gemma, folder: &Path) -> Adapters {
    std::fs::write(folder.join("adapter_config.json"), adapters.peft_config("tiny").to_string()).expect("written");
    TensorFile::write(&folder.join("adapter_model.safetensors"), &adapters.to_peft()).expect("written");
    Adapters::load(folder, model.config(), model.device()).expect("read")
}

/// An adapter with magnitudes in PEFT's layout comes back as it was, the merged model is `m · (W + s·B·A) / ‖W + s·B·A‖` row by
/// row, and it says the same as the model with the adapter beside it, fused, unfused and over the cache.
#[test]
fn adapters_with_magnitudes_are_saved_and_merged_as_peft_does() {
    let (weights, model) = open(&tiny(), "cpu");
    let mut adapters = decomposed(&model);
    let dir = tempfile::tempdir().expect("a folder");
    let back = reloaded(&adapters, &model, dir.path()).into();
    assert_eq!(adapters.peft_config("tiny")["use_dora"], true);
    let file = TensorFile::open(&dir.path().join("adapter_model.safetensors")).expect("opens");
    let name = "base_model.model.model.layers.1.mlp.up_proj.lora_magnitude_vector";
    assert_eq!(file.shape(name), Some(&[model.config().feed_forward][..]));

    let ids = &some_rows()[1].ids;
    let states = |model: &Gemma, trained: Option<&Trained>| floats(model.forward(ids, &Rows::one(ids.len()), trained, false).expect("runs"));
    let apart = |a: &[f64], b: &[f64]| norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>()) / norm(b);
    let expected = states(&model, Some(&adapters.clone().into()));
    assert_eq!(states(&model, Some(&back)), expected);
    assert!(apart(&states(&model.unfused(), Some(&back)), &expected) < 1e-5);
    let cached = floats(model.forward_cached(ids, Some(&back), &mut gemma::model::Cache::new(vec![0], model.config())).expect("runs"));
    assert!(apart(&cached, &expected) < 1e-5);
    assert!(apart(&states(&model, None), &expected) > 1e-2);
    gemma::Export { weights: &weights, trained: Some(&back) }.safetensors(dir.path()).expect("written");
    let (merged, exported) = open(dir.path(), "cpu");
    assert!(apart(&states(&exported, None), &expected) < 1e-5);

    let (name, path) = ("model.layers.1.mlp.up_proj.weight", "layers.1.mlp.up_proj");
    let (inputs, outputs, rank, scale) = (model.config().hidden, model.config().feed_forward, 4, adapters.config().scale());
    let mut own = BTreeMap::new();
    adapters.visit(&mut |p, t| drop(p.strip_prefix(path).map(|kind| own.insert(kind.to_string(), floats(t.clone().inner())))));
    let (a, b, m) = (&own[".lora_A"], &own[".lora_B"], &own[".lora_magnitude"]);
    let read = |weights: &Weights| weights.values(name, &[outputs, inputs]).expect("a matrix").into_iter().map(f64::from).collect::<Vec<_>>();
    let (w, merged) = (read(&weights), read(&merged));
    for o in 0..outputs {
        let low = |i: usize| (0..rank).map(|r| a[i * rank + r] * b[r * outputs + o]).sum::<f64>();
        let row: Vec<f64> = (0..inputs).map(|i| w[o * inputs + i] + scale * low(i)).collect();
        for (i, v) in row.iter().enumerate() {
            assert!((merged[o * inputs + i] - m[o] * v / norm(&row)).abs() < 1e-6, "row {o}, column {i}");
        }
    }
}

/// A model whose own weights are trained.
fn whole(weights: &Weights, model: &Gemma) -> Tuned {
    Tuned { trained: Full::new(weights, model.device()).expect("weights").into(), head: None }
}

/// Every gradient by the weights themselves is that of autodiff over the unfused blocks, also where rows share a beginning,
/// and the loss moves along them as they say; what is computed again is the same to the bit.
#[test]
fn a_model_trained_whole_has_the_gradients_of_autodiff() {
    let (weights, model) = open(&tiny(), "cpu");
    let tuned = || whole(&weights, &model);
    has_the_gradients_of_autodiff(&model, tuned, 13 * model.config().layers + 1);
    let (tuned, batch) = (tuned(), Batch::new(&some_rows(), &[0, 1, 2, 3], model.layout()));
    let by_path = by_path(&model, &tuned, &batch);
    moves_as_told("matrices", &model, &tuned, &batch, &by_path, |path| !full::is_norm(path));
    moves_as_told("norms", &model, &tuned, &batch, &by_path, full::is_norm);
}

/// Untrained, it is the model itself; trained and saved, it comes back as it was, and the model beside it stays what it was.
#[test]
fn what_was_trained_whole_comes_back_to_the_bit() {
    let (weights, model) = open(&tiny().join("tiny-f32.gguf"), "cpu");
    let rows = some_rows();
    let states = |trained: Option<&Trained>| floats(model.forward(&rows[1].ids, &Rows::one(rows[1].ids.len()), trained, false).expect("runs"));
    let apart = |a: &[f64], b: &[f64]| norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>()) / norm(b);
    let tuned = whole(&weights, &model);
    let untrained = states(None);
    assert!(apart(&states(Some(&tuned.trained)), &untrained) < 1e-5);
    let settings = Settings { epochs: 3, ..plain() };
    let plan = Plan { model: &model, examples: &rows, settings: &settings, seed: 0 };
    let mut losses = Losses(Vec::new());
    let trained = plan.run(plan.start(tuned), &mut losses).expect("trains").tuned.trained;
    assert!(losses.0[2].0 < losses.0[0].0, "{:?}", losses.0);
    let dir = tempfile::tempdir().expect("a folder");
    let Trained::Full(own) = &trained else { panic!("no weights") };
    own.save(dir.path()).expect("saved");
    let back = Full::load(dir.path(), model.config(), model.device()).expect("read").into();
    assert_eq!(states(Some(&back)), states(Some(&trained)));
    assert!(apart(&states(Some(&back)), &untrained) > 1e-2);
    assert_eq!(states(None), untrained);
    // another model's
    let shallow = model.config().shortened(1);
    assert!(Full::load(dir.path(), &shallow, model.device()).is_ok(), "the blocks that are asked for are there");
    let wider = gemma::Config { feed_forward: shallow.feed_forward + 8, ..shallow };
    assert!(Full::load(dir.path(), &wider, model.device()).is_err_and(|e| e.to_string().contains("belongs to another model")));
}

/// Over many masks the loss has the mean and the spread that it has where dropout is written operation by operation.
#[test]
fn dropout_within_the_fused_block_is_distributed_as_outside_of_it() {
    const PASSES: u64 = 300;
    let (_, model) = open(&tiny(), "cpu");
    let tuned = dropping(&model);
    let spread = |model: &Gemma| {
        let batch = Batch::new(&some_rows(), &[0, 1, 2, 3], model.layout());
        let losses: Vec<f64> = (0..PASSES).map(|seed| dropped(model, &tuned, &batch, seed).0).collect();
        let mean = losses.iter().sum::<f64>() / PASSES as f64;
        (mean, (losses.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / PASSES as f64).sqrt())
    };
    let ((mean, deviation), (expected, expected_deviation)) = (spread(&model), spread(&model.unfused()));
    // four standard errors of each
    let error = 4.0 * (2.0 / PASSES as f64).sqrt() * expected_deviation;
    assert!((mean - expected).abs() < error, "{mean} ± {deviation}, not {expected} ± {expected_deviation}");
    assert!((deviation / expected_deviation - 1.0).abs() < 4.0 / (PASSES as f64).sqrt(), "{deviation} is not {expected_deviation}");
}

/// The tiny model in a folder, the matrices of its blocks rounded to what a type of GGUF holds.
fn rounded(storage: Storage) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let mut file = std::fs::read(tiny().join("model.safetensors")).expect("the tiny model");
    let from = 8 + u64::from_le_bytes(file[..8].try_into().expect("eight bytes")) as usize;
    let header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&file[8..from]).expect("a header");
    for (_, tensor) in header.iter().filter(|(name, _)| name.ends_with("_proj.weight")) {
        let [begin, end]: [usize; 2] = serde_json::from_value(tensor["data_offsets"].clone()).expect("a range");
        let own = &mut file[from + begin..from + end];
        let mut values = vec![0.0; own.len() / 4];
        Storage::F32.dequantize(own, &mut values);
        let mut bytes = vec![0; storage.bytes(values.len()).expect("whole blocks")];
        assert!(storage.encode(&values, &mut bytes));
        storage.dequantize(&bytes, &mut values);
        own.copy_from_slice(&gemma::hf::bytes(&values));
    }
    std::fs::write(dir.path().join("model.safetensors"), file).expect("written");
    std::fs::copy(tiny().join("config.json"), dir.path().join("config.json")).expect("copied");
    dir
}

/// Weights left as they are in the file give the very numbers of the same weights as `f32`: states, losses, gradients and
/// answers. Rounded ones give those of a model that was rounded beforehand, and autodiff over the unfused blocks confirms them.
#[test]
fn packed_weights_give_the_numbers_of_what_they_hold() {
    use gemma::Precision;
    use gemma::generate::{Free, Limits, Sampling, generate};
    let load = |path: &Path, precision| {
        let (_, device) = device::open("cpu").expect("the CPU");
        Gemma::load_at(Arc::new(Weights::open(path).expect("opens")), &device, precision).expect("loads")
    };
    let batch = |model: &Gemma| [Batch::new(&some_rows(), &[0, 1, 2, 3], model.layout())];
    let prompts: Vec<Vec<u32>> = some_rows().into_iter().map(|r| r.ids).collect();
    let answers = |model: &Gemma| generate(model, None, &prompts, &Limits { tokens: 5, stop: &[] }, &Sampling::GREEDY, &Free).expect("generates");
    let (q8, q4) = (rounded(Storage::Q8_0), rounded(Storage::Q4_0));
    let own = |folder: &str, precision| (tiny().join(folder), tiny().join(folder), precision);
    let cases = [
        own("tiny-f32.gguf", Precision::File),
        own("hf-f16", Precision::File),
        own("hf-f16", Precision::F16),
        own("hf-sharded", Precision::File),
        own("hf-sharded", Precision::Bf16),
        (q8.path().to_path_buf(), tiny(), Precision::Q8),
        (q4.path().to_path_buf(), tiny(), Precision::Q4),
    ];
    for (beforehand, folder, precision) in &cases {
        let whole = load(beforehand, Precision::F32);
        let expected = gradients(&whole, &batch(&whole));
        let packed = load(folder, *precision);
        assert_eq!(gradients(&packed, &batch(&packed)), expected, "{} as {precision:?}", folder.display());
        assert_eq!(answers(&packed), answers(&whole), "{} as {precision:?}", folder.display());
    }
    let whole = load(&tiny(), Precision::F32);
    let exact = gradients(&whole, &batch(&whole));
    for (precision, most) in [(Precision::Bf16, 2e-2), (Precision::Q8, 2e-2), (Precision::Q4, 5e-2)] {
        let rounded = load(&tiny(), precision);
        let (sum, found) = gradients(&rounded, &batch(&rounded));
        let (unfused_sum, unfused) = gradients(&rounded.unfused(), &batch(&rounded.unfused()));
        assert_ne!(sum, exact.0, "{precision:?}: rounding changed nothing: was it done?");
        close(&format!("loss as {precision:?} beside that of f32"), sum, exact.0, most);
        close(&format!("loss as {precision:?} beside that of the unfused model"), sum, unfused_sum, 1e-5);
        for (path, own) in &found {
            let theirs = &unfused[path];
            let apart = norm(&own.iter().zip(theirs).map(|(a, b)| a - b).collect::<Vec<_>>());
            assert!(apart <= 1e-4 * norm(theirs).max(1e-6), "{path} as {precision:?}: {apart} of {}", norm(theirs));
        }
    }
}

/// The first step of Adam moves every value by its learning rate, so the steps show the rates: each block's is the
/// decay's share of the one above it.
#[test]
fn lower_blocks_learn_at_their_share_of_the_rate() {
    let (_, model) = open(&tiny(), "cpu");
    let mut tuned = Tuned { trained: formula(&model, 4, 2.0).into(), head: None };
    let mut before = BTreeMap::new();
    tuned.visit(&mut |path, t| drop(before.insert(path.to_string(), floats(t.clone().inner()))));
    let settings = Settings { layer_decay: 0.5, ..plain() };
    let rows = some_rows();
    let plan = Plan { model: &model, examples: &rows, settings: &settings, seed: 0 };
    let mut after = plan.run(plan.start(tuned), &mut Losses(Vec::new())).expect("trains").tuned;
    let layers = model.config().layers;
    let mut seen = 0;
    after.visit(&mut |path, t| {
        let moved = floats(t.clone().inner()).iter().zip(&before[path]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let layer: usize = path.split('.').nth(1).and_then(|n| n.parse().ok()).expect("a block's number");
        let own = settings.learning_rate * 0.5f64.powi((layers - 1 - layer) as i32);
        close(&format!("step of {path} as a share of its rate"), moved / own, 1.0, 2e-2);
        seen += 1;
    });
    assert_eq!(seen, layers * 14);
}

/// Rows that begin alike, for longer than the sliding window.
fn sharing(model: &Gemma) -> Vec<Encoded> {
    let trunk: Vec<u32> = (0..model.config().window as u32 + 40).map(|i| if i == 0 { 2 } else { 300 + 31 * i % 700 }).collect();
    let row = |(row, &(prompt, answer)): (usize, &(u32, u32))| {
        let own = (0..prompt + answer).map(|t| 310 + (17 * t + 101 * row as u32) % 600);
        Encoded { ids: trunk.iter().copied().chain(own).collect(), prompt: trunk.len() + prompt as usize, marks: Vec::new(), repeated: 0 }
    };
    [(3, 4), (9, 2), (1, 6), (5, 5), (2, 3)].iter().enumerate().map(row).collect()
}

/// Rows that share a trunk have the loss and the gradients of the same rows apart, also where the trunk is longer than the
/// sliding window, and whether blocks are fused or not.
#[test]
fn a_shared_beginning_changes_no_number() {
    let (_, model) = open(&tiny(), "cpu");
    let examples = sharing(&model);
    let all: Vec<usize> = (0..examples.len()).collect();
    let apart: Vec<Batch> = all.iter().map(|&i| Batch::new(&examples, &[i], model.layout())).collect();
    let (expected, expected_gradients) = gradients(&model, &apart);
    let shared = Batch::new(&examples, &all, model.layout());
    assert!(shared.rows.total() < shared.tokens(), "nothing is shared");
    for model in [&model, &model.unfused()] {
        let (sum, found) = gradients(model, std::slice::from_ref(&shared));
        close("loss", sum, expected, 1e-5);
        for (path, own) in &found {
            let theirs = &expected_gradients[path];
            let apart = norm(&own.iter().zip(theirs).map(|(a, b)| a - b).collect::<Vec<_>>());
            assert!(apart <= 1e-4 * norm(theirs).max(1e-6), "{path}: {apart} of {}", norm(theirs));
        }
    }
}

/// A beam search that is wide enough finds every text there is, in the order of their probabilities.
#[test]
fn beams_find_the_likeliest_texts() {
    use gemma::generate::{Allowed, Constraint, Free, Limits, Sampling, beams, generate};
    struct Few;
    impl Constraint for Few {
        fn next(&self, _: usize, _: &[u32]) -> Allowed {
            Allowed::Only(vec![1, 300, 411, 522])
        }
    }
    let (_, model) = open(&tiny(), "cpu");
    let prompts = [vec![2, 333, 444], vec![2, 555, 666, 777, 888]];
    let limits = Limits { tokens: 3, stop: &[1] };
    // three tokens, or fewer and an end: 27 + 9 + 3 + 1
    let all = beams(&model, None, &prompts, &limits, 64, &Few).expect("searches");
    let logits = |ids: &[u32]| {
        let hidden = model.forward(ids, &Rows::one(ids.len()), None, false).expect("runs");
        model.logits_of(hidden.narrow(0, ids.len() - 1, 1), &[1, 300, 411, 522]).expect("logits").remove(0)
    };
    for (prompt, found) in prompts.iter().zip(&all) {
        assert_eq!(found.len(), 40);
        let mut seen = std::collections::BTreeSet::new();
        for (i, g) in found.iter().enumerate() {
            assert!(i == 0 || found[i - 1].log_probability >= g.log_probability);
            assert!(seen.insert((g.tokens.clone(), g.finished)), "{:?} twice", g.tokens);
            let (mut ids, mut expected) = (prompt.clone(), 0.0);
            let ending = g.finished.then_some(1);
            for token in g.tokens.iter().copied().chain(ending) {
                let row = logits(&ids);
                let sum: f64 = row.iter().map(|&l| f64::from(l).exp()).sum();
                let at = [1, 300, 411, 522].iter().position(|&t| t == token).expect("one of the few");
                expected += (f64::from(row[at]).exp() / sum).ln();
                ids.push(token);
            }
            close("log-probability", g.log_probability, expected, 1e-3);
        }
    }
    // the narrowest beam is greedy, and a middling one is no worse than its own best
    let free = Limits { tokens: 9, stop: &[] };
    let greedy = generate(&model, None, &prompts, &free, &Sampling::GREEDY, &Free).expect("generates");
    let narrow = beams(&model, None, &prompts, &free, 1, &Free).expect("searches");
    let best: Vec<_> = narrow.into_iter().map(|mut found| found.remove(0)).collect();
    assert_eq!(best.iter().map(|g| &g.tokens).collect::<Vec<_>>(), greedy.iter().map(|g| &g.tokens).collect::<Vec<_>>());
    let wide = beams(&model, None, &prompts, &limits, 5, &Few).expect("searches");
    for (some, all) in wide.iter().zip(&all) {
        assert_eq!(some.len(), 5);
        assert!(all[0].log_probability >= some[0].log_probability - 1e-9);
    }
}

#[test]
fn real_weights_tokenizer() {
    let (Some(weights), Some(reference)) = (real_weights(), shared_reference()) else { return };
    let weights = Weights::open(&weights).expect("opens");
    check_tokens(&Tokenizer::open(&weights).expect("rebuilt"), &reference.join("tokenizer.json"));
}

#[test]
fn real_weights_forward() {
    let (Some(weights), Some(reference)) = (real_weights(), shared_reference()) else { return };
    let (_, model) = open(&weights, "cpu");
    check_forward(&model, &reference.join("forward.json"));
}

#[test]
fn real_weights_lora_steps() {
    let (Some(weights), Some(reference)) = (real_weights(), shared_reference()) else { return };
    let (_, model) = open(&weights, "cpu");
    check_lora(&model, &reference.join("lora_steps.json"));
}

/// As the test before, with the quantised blocks left in the file and nothing kept: the same numbers in half the memory.
#[test]
fn real_weights_lora_steps_from_the_file() {
    let (Some(weights), Some(reference)) = (real_weights(), shared_reference()) else { return };
    let (_, device) = device::open("cpu").expect("the CPU");
    let model = Gemma::load_at(Arc::new(Weights::open(&weights).expect("opens")), &device, gemma::Precision::File).expect("loads");
    check_lora(&model.keeping(0), &reference.join("lora_steps.json"));
}

/// Random weights at the widths, depths, windows and vocabularies of the 1B and the 4B, whose own need an account to be had.
/// They stay as they are in the file, bfloat16 and exact, so that the 4B fits into 24 GB.
#[test]
#[ignore = "needs a model of 2 or 8 GB that tests/reference/make_size.py writes"]
fn a_model_of_a_published_size_matches_transformers() {
    let folder = std::env::var_os("LAPIDARY_TEST_SIZES").expect("LAPIDARY_TEST_SIZES: the folder that make_size.py wrote");
    let folder = Path::new(&folder);
    let (_, device) = device::open("cpu").expect("the CPU");
    let weights = Arc::new(Weights::open(folder).expect("opens"));
    check_model(&Gemma::load_at(weights, &device, gemma::Precision::File).expect("loads"), folder);
}
