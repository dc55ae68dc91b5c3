//! A believable run for the tests, made without chance so that every failure repeats.

use report::Run;
use report::record::{DataRecord, DeviceRecord, FileRecord, ModelRecord, Prediction, RowLengths, RunFile, RunResult, TrainRecord};
use std::collections::BTreeMap;
use tasks::score::{Scored, classification, majority, paired};
use train::Event;

/// Labels of a customer-service data set.
pub const INTENTS: [&str; 12] = [
    "account_access",
    "order_cancellation",
    "order_tracking",
    "return_refund",
    "payment_issues",
    "shipping_info",
    "product_availability",
    "product_info",
    "promotions_discounts",
    "technical_support",
    "account_management",
    "general_inquiry",
];

const TEXTS: [&str; 6] = [
    "Non riesco più ad accedere al mio account da quando ho cambiato telefono, il codice non arriva mai.",
    "Vorrei sapere dove si trova il mio pacco, la spedizione risulta ferma da tre giorni a Bologna.",
    "È possibile restituire un articolo comprato in saldo anche senza lo scontrino originale?",
    "Il pagamento con la carta è stato rifiutato ma l’importo risulta comunque addebitato sul conto.",
    "Quando torna disponibile la taglia 42 di questo modello?",
    "Ciao, avrei bisogno di un’informazione 🙂",
];

/// A number between 0 and 1 that looks random and never changes.
pub fn noise(i: usize) -> f64 {
    let mut x = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= x >> 31;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 29;
    (x >> 11) as f64 / (1u64 << 53) as f64
}

/// Answers of a classifier that is right with probability `skill`, and else tends to a neighbour.
pub fn answers(classes: usize, examples: usize, skill: f64, unlabelled: bool) -> Vec<Scored> {
    (0..examples)
        .map(|i| {
            let expected = i % classes;
            let here = skill - if expected % 5 == 3 { 0.25 } else { 0.0 };
            let right = noise(3 * i) < here;
            let answered = if right {
                Some(expected)
            } else if unlabelled && noise(3 * i + 1) < 0.2 {
                None
            } else {
                Some((expected + 1 + (noise(3 * i + 1) * noise(3 * i + 2) * classes as f64) as usize) % classes)
            };
            let probability = if right { 1.0 - 0.35 * noise(3 * i + 2).powi(3) } else { 0.35 + 0.6 * noise(3 * i + 2) };
            Scored { expected, answered, probability }
        })
        .collect()
}

/// Label names: the twelve intents, then numbered ones.
pub fn labels(classes: usize) -> Vec<String> {
    (0..classes).map(|i| INTENTS.get(i).map_or_else(|| format!("{}_{}", INTENTS[i % 12], i / 12), |l| (*l).to_string())).collect()
}

/// One optimiser step.
pub fn step(step: usize, loss: f64) -> Event {
    Event::Step {
        step,
        epoch: step as f64 / 150.0,
        loss,
        learning_rate: 2e-4,
        grad_norm: 1.0,
        tokens: 700,
        targets: 64,
        tokens_per_second: 2400.0,
        memory_bytes: 1_900_000_000,
        device_memory_bytes: None,
        first_step_seconds: None,
    }
}

/// One validation.
pub fn evaluation(step: usize, loss: f64, best: bool) -> Event {
    Event::Evaluation { step, loss, metrics: BTreeMap::from([("accuracy".into(), 0.9)]), best, samples: Vec::new() }
}

/// A training that learns, overfits a little at the end, and has two notices.
pub fn events(steps: usize) -> Vec<Event> {
    let mut events =
        vec![Event::Started { task: "intent".into(), method: "completion".into(), device: "cpu".into(), steps, trainable: 3_796_992, examples: 4800 }];
    let mut lowest = f64::INFINITY;
    for i in 1..=steps {
        let t = i as f64 / steps as f64;
        let loss = (2.5 * (-9.0 * t).exp() + 0.19) * (0.65 + 0.7 * noise(i));
        events.push(step(i, loss));
        if i % (steps / 9).max(1) == 0 {
            let validation = 2.3 * (-8.0 * t).exp() + 0.235 + 0.12 * (t - 0.6).max(0.0);
            events.push(evaluation(i, validation, validation < lowest));
            lowest = lowest.min(validation);
        }
        if i == steps / 5 {
            events.push(Event::Warning { message: "37 training examples are longer than 128 tokens and were cut.".into(), told: None });
        }
        if i == steps * 2 / 5 {
            events.push(Event::Health {
                step: i,
                ok: false,
                symptom: None,
                remedy: Default::default(),
                seen: String::new(),
                message: "The gradient norm was 14 times its median for 3 steps; the learning rate was halved.".into(),
                back_to: None,
            });
        }
        if i == steps / 2 {
            events.push(Event::Health {
                step: i,
                ok: true,
                symptom: None,
                remedy: Default::default(),
                seen: String::new(),
                message: "The gradient norm is back to its median.".into(),
                back_to: None,
            });
        }
    }
    events
}

/// A finished run with `classes` labels and `examples` test examples.
pub fn run(classes: usize, examples: usize) -> Run {
    let labels = labels(classes);
    let tuned = answers(classes, examples, 0.95, false);
    let free = answers(classes, examples, 0.94, true);
    let untuned = answers(classes, examples, 0.41, false);
    let expected: Vec<usize> = tuned.iter().map(|s| s.expected).collect();
    let right = |scored: &[Scored]| scored.iter().map(|s| [f64::from(s.answered == Some(s.expected)), 1.0]).collect::<Vec<_>>();
    let file = |path: &str, count, digit: &str| FileRecord { path: path.into(), sha256: digit.repeat(64), count };
    let model = ModelRecord {
        name: "gemma-3-270m".into(),
        files: vec![file("models/gemma-3-270m/model.safetensors", 536_223_056, "c")],
        parameters: 268_098_176,
        storage: "bf16".into(),
        hidden: 640,
        layers: 18,
        license: Some("Gemma Terms of Use".into()),
    };
    let data = DataRecord {
        name: "intents-it".into(),
        license: "CC-BY-4.0".into(),
        language: "it".into(),
        description: "Messages of customers,\nin twelve intents.\n".into(),
        how_it_was_made: "Made up for the tests.".into(),
        labels: labels.clone(),
        tables: Vec::new(),
        json_schema: None,
        counts: labels.iter().zip(4800 / classes..).map(|(label, count)| (label.clone(), count)).collect(),
        lengths: RowLengths::of((0..4800).map(|i| 9 + (60.0 * noise(i) * noise(i + 1)) as usize)),
        files: BTreeMap::from([
            ("train".into(), file("datasets/intents-it/train.jsonl", 4800, "a")),
            ("validation".into(), file("datasets/intents-it/validation.jsonl", 600, "b")),
            ("test".into(), file("datasets/intents-it/test.jsonl", examples as u64, "d")),
        ]),
        reference: vec![data::set::Reference {
            system: "Gemma 3 270M, LoRA on q and v".into(),
            measure: "accuracy".into(),
            value: 0.0,
            source: "a study, on examples of its own".into(),
            translations: BTreeMap::from([(
                "it".into(),
                data::set::ReferenceWords { system: "Gemma 3 270M, LoRA su q e v".into(), source: "uno studio, su esempi propri".into() },
            )]),
        }],
    };
    let device = DeviceRecord {
        id: "cpu".into(),
        name: "AMD Ryzen 7 7840U".into(),
        kind: "cpu".into(),
        api: "AVX-512".into(),
        driver: String::new(),
        parity: None,
        parity_detail: None,
    };
    let settings =
        "learning_rate = 0.0002\nbatch_size = 32\nepochs = 3\nschedule = 'cosine'\n[lora]\nrank = 16\nalpha = 32.0\ntargets = ['q_proj', 'v_proj']\n";
    // at most a thousand examples have a place: a cloud for each label
    let place = |i: usize, label: usize| {
        let cloud = [9.0 * noise(label) + 3.0 * noise(i + 31), 9.0 * noise(label + 57) + 3.0 * noise(i + 77)];
        i.is_multiple_of(examples.div_ceil(1000)).then(|| cloud.map(|v| v as f32))
    };
    let predictions = tuned
        .iter()
        .enumerate()
        .map(|(i, s)| Prediction {
            input: TEXTS[i % TEXTS.len()].into(),
            expected: labels[s.expected].clone(),
            output: s.answered.map_or("boh".into(), |a| labels[a].clone()),
            answer: s.answered.map(|a| labels[a].clone()),
            score: f64::from(u8::from(s.answered == Some(s.expected))),
            free_score: None,
            probability: s.probability,
            calibrated: None,
            reason: None,
            place: place(i, s.expected),
        })
        .collect();
    let run = RunFile {
        task: "intent".into(),
        method: "completion".into(),
        seed: 17,
        started: "2026-07-01T10:20:30Z".into(),
        version: "0.1.0".into(),
        command: "lapidary train --task intent --data datasets/intents-it --model gemma-3-270m --method completion --seed 17 --out runs/intents".into(),
        model: model.clone(),
        data: data.clone(),
        device: device.clone(),
        settings: toml::from_str(settings).unwrap(),
        request: toml::Table::new(),
    };
    let result = RunResult {
        task: "intent".into(),
        method: "completion".into(),
        status: "completed".into(),
        metrics: Some(classification(&labels, &tuned).into()),
        evaluated_on: "test".into(),
        metrics_free: Some(classification(&labels, &free).into()),
        free_difference: Some(paired::of_sums(&right(&free), &right(&tuned))),
        baselines: BTreeMap::from([
            ("majority".into(), classification(&labels, &majority(&expected, &expected, classes)).into()),
            ("untuned".into(), classification(&labels, &untuned).into()),
        ]),
        train: TrainRecord {
            seconds: 754.0,
            steps: 450,
            tokens: 1_316_250,
            tokens_per_second: 2417.6,
            supervised_tokens: 57_600,
            peak_memory_bytes: 1_940_000_000,
            device_memory_bytes: None,
            final_loss: 0.184,
            best_step: 300,
            energy_joules: None,
            first_step_seconds: None,
        },
        trained: vec![file("adapter/adapter_model.safetensors", 7_600_000, "e")],
        model,
        data,
        device,
        version: "0.1.0".into(),
        error: None,
    };
    Run { path: "runs/intents".into(), run, result, events: events(450), predictions, calibration: None, with_data: false }
}

/// What data sets and models may hold.
pub const HOSTILE: [&str; 12] = [
    "<script>alert(1)</script>",
    "]]><x>&amp;</x>",
    "\"' onload=\"alert(1)",
    "a\0b\u{1b}[31m",
    "\u{202e}txet desrever\u{202c}",
    "</style></svg></table><img src=x onerror=alert(1)>",
    "👩‍🚀🔥 emoji",
    "{accuracy} {{model}}",
    "=HYPERLINK(\"http://evil.example\",\"click\")",
    "| a | b |\n| --- | --- |\n# heading *bold* [link](http://evil.example) ![x](y) `code` $x$ @name www.evil.example",
    "#let x = 1; #image(\"/etc/passwd\") $ sum $ \\u{41} <label> @ref *strong*",
    "line one\nline two\u{2028}three\u{feff}\u{ffff}",
];

/// A run whose every text is hostile.
pub fn hostile_run() -> Run {
    let mut run = self::run(12, 600);
    let long = "<b>".repeat(40_000);
    let hostile: Vec<String> = HOSTILE.iter().map(|s| (*s).to_string()).chain([long.clone()]).collect();
    let metrics = classification(&hostile, &answers(hostile.len(), 300, 0.7, true));
    run.result.metrics_free = Some(metrics.clone().into());
    run.result.metrics = Some(metrics.into());
    run.run.data.labels = hostile.clone();
    run.run.data.counts = hostile.iter().map(|label| (label.clone(), 7)).collect();
    run.run.data.reference = hostile
        .iter()
        .map(|t| data::set::Reference { system: t.clone(), measure: t.clone(), value: 0.5, source: t.clone(), translations: BTreeMap::new() })
        .collect();
    run.run.settings.insert(long.clone(), toml::Value::String(HOSTILE[0].into()));
    run.predictions = (0..200)
        .map(|i| {
            let text = hostile[i % hostile.len()].clone();
            Prediction {
                input: text.clone(),
                expected: text.clone(),
                output: text.clone(),
                answer: (i % 3 == 0).then(|| format!("{text}!")),
                score: 0.0,
                free_score: None,
                probability: f64::NAN,
                calibrated: None,
                reason: (i % 2 == 0).then(|| text.clone()),
                place: Some([noise(i) as f32, noise(i + 7919) as f32]),
            }
        })
        .collect();
    for text in &hostile {
        run.events.push(Event::Warning { message: text.clone(), told: None });
    }
    for place in [
        &mut run.run.task,
        &mut run.run.method,
        &mut run.run.started,
        &mut run.run.version,
        &mut run.run.command,
        &mut run.run.model.name,
        &mut run.run.model.storage,
        &mut run.run.model.files[0].path,
        &mut run.run.data.name,
        &mut run.run.data.license,
        &mut run.run.data.language,
        &mut run.run.data.description,
        &mut run.run.data.how_it_was_made,
        &mut run.run.device.name,
        &mut run.run.device.driver,
        &mut run.result.status,
        &mut run.result.evaluated_on,
    ] {
        *place = HOSTILE.join(" ");
    }
    run.run.model.files[0].sha256 = HOSTILE.join(" ");
    run.result.error = Some(HOSTILE.join("\n") + &long);
    let baseline = run.result.baselines["untuned"].clone();
    run.result.baselines.insert(HOSTILE.join(" "), baseline);
    run
}

/// Keeps what a test made where a person can look at it: in the folder named by `REPORT_EXAMPLES`, if any.
pub fn keep(name: &str, content: &str) {
    if let Ok(folder) = std::env::var("REPORT_EXAMPLES") {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(std::path::Path::new(&folder).join(name), content).unwrap();
    }
}
