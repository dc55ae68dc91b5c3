//! Whole runs in this process, on the tiny model: what ends them, and what has no part in them.

use acceptance::tiny;
use lab::desk::Desk;
use lab::library::Library;
use lab::report::output::Format;
use lab::report::record::{self, RunResult};
use lab::report::text::Lang;
use lab::resume::{Resumed, resume};
use lab::run::{Request, train};
use lab::set::Source;
use lab::tasks::Metrics;
use lab::view::{self, RunStatus};
use lab::watch::Watch;
use lab::{Event, Home};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use train::event::Told;
use train::health::{Remedy, Symptom};

/// A library and a data set of two intents.
struct Bench {
    dir: tempfile::TempDir,
    home: Home,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let home = Home::open(Some(&dir.path().join("home"))).expect("a home");
        let bench = Self { dir, home };
        for (part, from, to) in [("train", 0, 12), ("validation", 12, 16), ("test", 16, 20)] {
            bench.write(part, (from..to).map(|i| [("arriva il pacco", "pacco"), ("rendo la maglia", "reso")][i % 2]).enumerate());
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a part: texts, each with its number, and labels.
    fn write<'a>(&self, part: &str, rows: impl Iterator<Item = (usize, (&'a str, &'a str))>) {
        let row = |(i, (text, label)): (usize, (&str, &str))| serde_json::json!({"text": format!("{text} {part} {i}"), "label": label}).to_string() + "\n";
        std::fs::write(self.path(&format!("{part}.jsonl")), rows.map(row).collect::<String>()).expect("written");
    }

    fn request(&self, out: &str, method: &str, set: &[&str]) -> Request {
        Request {
            task: "intent".into(),
            data: Source { folder: Some(self.dir.path().into()), ..Source::default() },
            model: tiny().display().to_string(),
            method: method.into(),
            device: "cpu".into(),
            recipe: None,
            set: ["epochs=3", "batch=4"].iter().chain(set).map(|s| (*s).to_string()).collect(),
            rows: None,
            seed: 0,
            edited: false,
            trial: false,
            out: self.path(out),
            command: String::new(),
        }
    }

    fn events(&self, out: &str) -> Vec<Event> {
        record::events(&self.path(out)).expect("events")
    }
}

fn result(folder: &Path) -> RunResult {
    RunResult::read(folder).expect("a result")
}

/// A device that is lost, or memory that is not there, is a panic deep below. The run must not stay "running" for ever.
#[test]
fn a_crash_in_the_middle_of_a_run_is_written_down_and_the_run_goes_on() {
    let b = Bench::new();
    let mut lost = |event: &Event| {
        if let Event::Step { step: 4, .. } = event {
            panic!("the device was lost");
        }
    };
    let failed = train(&b.home, &b.request("out", "head", &[]), &mut lost, &AtomicBool::new(false)).expect_err("it crashed").to_string();
    assert!(failed.contains("the device was lost") && failed.contains("choose another device"), "{failed}");
    let out = b.path("out");
    let written = result(&out);
    assert_eq!((written.status.as_str(), written.train.steps, written.error.as_deref()), ("failed", 4, Some(failed.as_str())));
    assert!(matches!(b.events("out").last(), Some(Event::Failed { step: 4, message, .. }) if *message == failed), "{:?}", b.events("out").last());
    let status = || Library::open(&b.home).and_then(|l| l.runs()).expect("the library")[0].status.clone();
    assert_eq!(status(), "failed");
    // its report says so first, and nothing of results
    for (language, said) in [(Lang::English, "This run failed"), (Lang::Italian, "Questa esecuzione è fallita")] {
        let files = lab::reports::write(&out, language, &[Format::Html], &[], &b.path("told"), &mut |_, _| true).expect("a report");
        let page = std::fs::read_to_string(&files[0]).expect("a page");
        let (banner, summary) = (page.find(said).expect("the banner"), page.find("id=\"summary\"").expect("a summary"));
        assert!(banner < summary && page[..summary].contains("the device was lost"), "{said}");
        assert!(!page.contains("id=\"results\"") && !page.contains("class=\"hero\""), "{said}");
    }
    let Ok(Resumed::Here(ended)) = resume(&b.home, &out, None, &mut |_| {}, &AtomicBool::new(false)) else { panic!("it cannot be gone on with") };
    assert_eq!((ended.status.as_str(), ended.train.steps, status().as_str()), ("completed", 9, "completed"));

    // the window's report is a new folder and the run one file, each whole or not there
    let (desk, folder, formats) = (Desk::new(b.home.clone()), b.path("elsewhere"), ["html".to_string(), "csv".into()]);
    std::fs::create_dir(&folder).expect("a folder");
    let there = || std::fs::read_dir(&folder).expect("there").count();
    let report = |watch: Watch<'_>| desk.export_report(&out, &formats, &folder, Lang::English, &[], watch);
    assert!(report(&mut |done, _| done < 3).is_err_and(|e| e.to_string().contains("cancelled")) && there() == 0);
    for name in ["out-report", "out-report-2"] {
        let files = report(&mut |_, _| true).expect("written");
        assert!(files[0] == folder.join(name).join("report.html") && files.iter().all(|f| f.is_file()), "{files:?}");
    }
    let mut half = |done: u64, total: Option<u64>| total.is_none_or(|total| 2 * done < total);
    assert!(desk.pack_run(&out, &folder, &mut half).is_err_and(|e| e.to_string().contains("cancelled")) && there() == 2);
    let mut most = (0, None);
    let packed = desk.pack_run(&out, &folder, &mut |done, total| {
        most = (done, total);
        true
    });
    assert!(packed.is_ok_and(|file| file.is_file()) && Some(most.0) >= most.1, "{most:?}");
}

/// What burn says of a device once wgpu has lost it, raised where it would raise it: in the middle of a training.
#[test]
fn a_run_whose_device_is_lost_waits_where_it_was_last_saved_and_ends_as_one_that_never_lost_it() {
    let b = Bench::new();
    let set = ["checkpoint_every=2", "dropout=0.1"];
    train(&b.home, &b.request("whole", "head", &set), &mut |_| {}, &AtomicBool::new(false)).expect("a run");
    let mut lost = |event: &Event| assert!(!matches!(event, Event::Step { step: 5, .. }), "The device is poisoned\nCaused by:\n  Unknown: Device is lost\n");
    let reason = train(&b.home, &b.request("out", "head", &set), &mut lost, &AtomicBool::new(false)).expect_err("it was lost").to_string();
    let out = b.path("out");
    for said in ["was lost while it computed (Unknown: Device is lost)", "waits at step 4", &format!("lapidary resume {} --device cpu", out.display())] {
        assert!(reason.contains(said), "{reason}");
    }
    let written = result(&out);
    assert_eq!((written.status.as_str(), written.train.steps, written.error.as_deref()), ("paused", 4, Some(reason.as_str())));
    let last = b.events("out").pop();
    assert!(matches!(&last, Some(Event::Paused { step: 4, why: Some(why) }) if why.en == reason && why.it.contains("aspetta al passo 4")), "{last:?}");
    let shown = || view::run(&out, None).expect("a run").row.status;
    let listed = || Library::open(&b.home).and_then(|l| l.runs()).expect("the library").into_iter().find(|r| r.path.ends_with("out")).expect("it").status;
    assert_eq!((shown(), listed().as_str()), (RunStatus::Lost, "paused"));
    // its report says so first
    for (language, said, why) in [
        (Lang::English, "This run waits: its device was lost", "was lost while it computed"),
        (Lang::Italian, "Questa esecuzione aspetta: il suo dispositivo è andato perso", "è andato perso mentre calcolava"),
    ] {
        let files = lab::reports::write(&out, language, &[Format::Html], &[], &b.path("told"), &mut |_, _| true).expect("a report");
        let page = std::fs::read_to_string(&files[0]).expect("a page");
        let (banner, summary) = (page.find(said).expect("the banner"), page.find("id=\"summary\"").expect("a summary"));
        assert!(banner < summary && page[..summary].contains(why), "{said}");
    }
    let Ok(Resumed::Here(ended)) = resume(&b.home, &out, Some("cpu"), &mut |_| {}, &AtomicBool::new(false)) else { panic!("it cannot be gone on with") };
    assert_eq!((ended.status.as_str(), ended.train.steps), ("completed", 9));
    assert_eq!((shown(), listed().as_str()), (RunStatus::Completed, "completed"));
    for name in ["adapter/adapter_model.safetensors", "adapter/head.safetensors", "predictions.jsonl"] {
        let bytes = |run: &str| std::fs::read(b.path(run).join(name)).expect("it is there");
        assert!(bytes("out") == bytes("whole"), "{name} is another");
    }
}

/// What cubecl makes of wgpu's finding no memory, raised for ever: in steps, which become smaller until they cannot, and elsewhere.
#[test]
fn a_run_for_which_there_is_no_memory_fails_and_says_what_to_do() {
    let b = Bench::new();
    let failed = |out: &str, fails: fn(&Event) -> bool| {
        let mut on_event = |event: &Event| assert!(!fails(event), "wgpu error: Out of Memory");
        let why = train(&b.home, &b.request(out, "head", &[]), &mut on_event, &AtomicBool::new(false)).expect_err("no memory").to_string();
        let written = result(&b.path(out));
        assert_eq!((written.status.as_str(), written.error.as_deref()), ("failed", Some(why.as_str())));
        assert_eq!(view::run(&b.path(out), None).expect("a run").row.status, RunStatus::Failed);
        why
    };
    let why = failed("steps", |event| matches!(event, Event::Step { step: 3.., .. }));
    assert!(why.contains("The device has no memory for a step (step 3: 1 row at a time). The run was stopped."), "{why}");
    let events = b.events("steps");
    let done = events.iter().filter_map(|e| match e {
        Event::Health { symptom: Some(Symptom::NoRoom), remedy, .. } => Some(*remedy),
        _ => None,
    });
    assert!(done.collect::<Vec<_>>().ends_with(&[Remedy::HalveRows, Remedy::HalveRows, Remedy::Stop]), "{events:?}");

    let why = failed("evaluations", |event| matches!(event, Event::Evaluation { step: 1.., .. }));
    assert!(why.contains("has too little memory for this run (") && why.contains("wgpu error: Out of Memory)") && why.contains("lapidary resume"), "{why}");
    let last = b.events("evaluations").pop();
    let in_italian = |told: &Told| told.en == why && told.it.contains("ha troppo poca memoria per questa esecuzione");
    assert!(matches!(&last, Some(Event::Failed { told: Some(told), .. }) if in_italian(told)), "{last:?}");
    // and it goes on once there is some
    let Ok(Resumed::Here(ended)) = resume(&b.home, &b.path("evaluations"), None, &mut |_| {}, &AtomicBool::new(false)) else {
        panic!("it cannot be gone on with")
    };
    assert_eq!((ended.status.as_str(), ended.train.steps), ("completed", 9));
    // before anything is saved there is nothing to go on with
    let why = failed("beginning", |event| matches!(event, Event::Evaluation { .. }));
    assert!(why.contains("choose another with --device") && !why.contains("resume"), "{why}");
}

/// Where neither the weights nor the result can be written, the first is what is told, and that the run ended is known.
#[test]
fn a_run_that_can_save_nothing_more_fails_with_what_came_first() {
    let b = Bench::new();
    let out = b.path("out");
    let blocked = ["adapter/adapter_model.safetensors", "result.json"].map(|name| out.join(name));
    // no file takes the place of a folder; the first evaluation, at the third step, finds the best weights so far
    let mut full = |event: &Event| {
        if let Event::Step { step: 2, .. } = event {
            blocked.iter().for_each(|path| std::fs::create_dir_all(path).expect("made"));
        }
    };
    let request = b.request("out", "completion", &["checkpoint_every=2"]);
    let why = train(&b.home, &request, &mut full, &AtomicBool::new(false)).expect_err("nothing can be saved").to_string();
    assert!(why.contains("adapter_model.safetensors") && !why.contains("result.json"), "{why}");
    assert!(matches!(b.events("out").last(), Some(Event::Failed { step: 3, message, .. }) if *message == why), "{:?}", b.events("out").last());
    let status = || Library::open(&b.home).and_then(|l| l.runs()).expect("the library")[0].status.clone();
    assert_eq!(status(), "failed");
    // and it goes on once there is room
    blocked.iter().for_each(|path| std::fs::remove_dir(path).expect("removed"));
    let Ok(Resumed::Here(ended)) = resume(&b.home, &out, None, &mut |_| {}, &AtomicBool::new(false)) else { panic!("it cannot be gone on with") };
    assert_eq!((ended.status.as_str(), ended.train.steps, status().as_str()), ("completed", 9, "completed"));
}

/// What the health guard says of the answers of a run by completion whose training rows nearly all have one answer, and whose
/// validation rows have it half of the time.
fn told_of_answers(task: &str, usual: &str, odd: &str) -> Vec<(usize, Symptom, Remedy)> {
    let b = Bench::new();
    std::fs::remove_file(b.path("test.jsonl")).expect("removed");
    let [text, answer] = if task == "intent" { ["text", "label"] } else { ["prompt", "completion"] };
    let row = |part: &str, i: usize, of: usize| {
        let said = format!("{part} {i}: {}, e poi?", ["arriva il pacco", "rendo la maglia"][i % 2]);
        let values = [(text, said), (answer, if i % of == of - 1 { odd } else { usual }.to_string())];
        values.into_iter().collect::<serde_json::Value>().to_string() + "\n"
    };
    for (part, count, of) in [("train", 80, 20), ("validation", 4, 2)] {
        std::fs::write(b.path(&format!("{part}.jsonl")), (0..count).map(|i| row(part, i, of)).collect::<String>()).expect("written");
    }
    let request = Request { task: task.into(), trial: true, ..b.request("out", "completion", &["epochs=2", "learning_rate=5e-3"]) };
    train(&b.home, &request, &mut |_| {}, &AtomicBool::new(false)).expect("a run");
    let of_answers = |event: &Event| match event {
        Event::Health { step, symptom: Some(symptom @ (Symptom::Collapse | Symptom::EmptyAnswers)), remedy, .. } => Some((*step, *symptom, *remedy)),
        _ => None,
    };
    b.events("out").iter().filter_map(of_answers).collect()
}

/// Of labels all are asked for, of other answers a few.
#[test]
fn a_model_that_answers_the_same_to_everything_or_nothing_is_seen_in_a_whole_run() {
    let collapsed = [(40, Symptom::Collapse, Remedy::None)];
    assert_eq!(told_of_answers("intent", "pacco", "reso"), collapsed, "labels");
    assert_eq!(told_of_answers("custom", "pacco", "rimborso"), collapsed, "free answers");
    // a text that is read as the token that ends texts: an answer without a word
    assert_eq!(told_of_answers("custom", "<eos>", "pacco"), [(40, Symptom::EmptyAnswers, Remedy::None)], "silence");
}

/// Words of four intents, none shared.
const INTENTS: [(&str, [&str; 6]); 4] = [
    ("pacco", ["pacco", "corriere", "consegna", "spedito", "tracking", "arriva"]),
    ("reso", ["rendere", "taglia", "cambio", "indietro", "restituire", "sbagliato"]),
    ("fattura", ["fattura", "ricevuta", "partita", "iva", "documento", "fiscale"]),
    ("negozio", ["orario", "aperto", "domenica", "indirizzo", "sede", "chiuso"]),
];

/// Accuracy on the test set of a run on messages of four intents, whose labels are theirs or were shuffled in every part.
fn accuracy(shuffled: bool) -> f64 {
    let b = Bench::new();
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for (part, count) in [("train", 80), ("validation", 40), ("test", 200)] {
        let rows: Vec<(String, &str)> = (0..count)
            .map(|i| {
                let (label, words) = INTENTS[i % 4];
                let said: Vec<&str> = (0..4).filter_map(|_| words.choose(&mut rng).copied()).collect();
                (format!("{} {}", said.join(" "), rng.random_range(0..1000)), label)
            })
            .collect();
        let mut labels: Vec<&str> = rows.iter().map(|(_, label)| *label).collect();
        if shuffled {
            labels.shuffle(&mut rng);
        }
        b.write(part, rows.iter().zip(labels).map(|((text, _), label)| (text.as_str(), label)).enumerate());
    }
    let ended = train(&b.home, &b.request("out", "head", &["epochs=6"]), &mut |_| {}, &AtomicBool::new(false)).expect("a run");
    let Some(Metrics::Classes(scores)) = &ended.metrics else { panic!("not scored") };
    assert_eq!((scores.examples, ended.evaluated_on.as_str()), (200, "test"));
    scores.accuracy
}

/// Of labels that say nothing about their texts nothing can be learnt. A run that did better than chance on them would have
/// read what it is scored by. That the same run learns labels that do say something shows that it could.
#[test]
fn shuffled_labels_score_at_chance_and_sound_ones_do_not() {
    let (sound, chance) = (accuracy(false), accuracy(true));
    assert!(sound > 0.9, "sound labels: {sound}");
    // a quarter; 200 draws stray from it by 3 hundredths
    assert!((0.12..0.38).contains(&chance), "shuffled labels: {chance}");
}

/// What a training did, time and memory aside.
fn story(events: &[Event]) -> Vec<String> {
    let told = |event: &Event| match event {
        Event::Step { step, loss, learning_rate, grad_norm, tokens, targets, .. } => {
            Some(format!("{step} {loss} {learning_rate} {grad_norm} {tokens} {targets}"))
        }
        Event::Evaluation { step, loss, metrics, best, .. } => Some(format!("{step} {loss} {metrics:?} {best}")),
        _ => None,
    };
    events.iter().filter_map(told).collect()
}

/// Other test rows, and more of them, change no step, no choice on the validation set and no byte of what is learnt.
#[test]
fn no_test_row_influences_the_training() {
    let b = Bench::new();
    for method in ["head", "completion", "full"] {
        let learnt = |out: &str| {
            let ended = train(&b.home, &b.request(out, method, &["average=2", "dropout=0.1"]), &mut |_| {}, &AtomicBool::new(false)).expect("a run");
            let bytes = |name: &str| std::fs::read(b.path(out).join(name)).ok();
            let learnt = if method == "full" { "weights/model.safetensors" } else { "adapter/adapter_model.safetensors" };
            (story(&b.events(out)), ended.train.best_step, bytes(learnt), bytes("adapter/head.safetensors"))
        };
        let first = learnt(&format!("{method}-first"));
        b.write("test", (0..30).map(|i| [("non ho ancora ricevuto nulla di ciò che aspettavo", "pacco"), ("vorrei i miei soldi", "reso")][i % 2]).enumerate());
        let second = learnt(&format!("{method}-second"));
        let predictions = |out: &str| std::fs::read_to_string(b.path(&format!("{method}-{out}")).join("predictions.jsonl")).expect("predictions");
        assert_ne!(predictions("first"), predictions("second"), "other rows were answered");
        assert!(first.0.len() > 9 && first.2.is_some() && first.3.is_some() == (method == "head"));
        assert!(first == second, "{method}: {:?}\n{:?}", first.0, second.0);
        b.write("test", (16..20).map(|i| [("arriva il pacco", "pacco"), ("rendo la maglia", "reso")][i % 2]).enumerate());
    }
}

/// The same where more is made of the training rows: sentences by other names, queries by other values and from the database. The second
/// test rows hold names and forms that no training row has.
#[test]
fn no_test_row_influences_what_is_made_of_the_training_rows() {
    let b = Bench::new();
    let write = |task: &str, part: &str, rows: &[serde_json::Value]| {
        std::fs::create_dir_all(b.path(task)).expect("a folder");
        std::fs::write(b.path(task).join(format!("{part}.jsonl")), rows.iter().map(|row| row.to_string() + "\n").collect::<String>()).expect("written");
    };
    let lives = |(person, place): &(&str, &str)| {
        let (begun, from) = (person.chars().count(), format!("{person} abita a ").chars().count());
        let entities = [(0, begun, "people"), (from, from + place.chars().count(), "places")];
        let entities = entities.map(|(start, end, kind)| serde_json::json!({"start": start, "end": end, "type": kind}));
        serde_json::json!({"text": format!("{person} abita a {place} da ieri."), "entities": entities})
    };
    let asks = |(question, sql): &(&str, &str)| serde_json::json!({"question": question, "sql": sql});
    let people = [("Anna", "Roma"), ("Bruno", "Bari"), ("Carla Neri", "Pisa"), ("Dino", "Lecce"), ("Eva", "Torino"), ("Fabio Po", "Siena")];
    write("entities", "train", &people.each_ref().map(lives));
    write("entities", "validation", &[("Gina", "Roma"), ("Anna", "Como")].each_ref().map(lives));
    std::fs::create_dir_all(b.path("sql")).expect("a folder");
    let schema = "CREATE TABLE cities (name TEXT, people INTEGER); INSERT INTO cities VALUES ('Roma', 9), ('Oslo', 3), ('Parigi', 5), ('Lima', 7);";
    std::fs::write(b.path("sql/schema.sql"), schema).expect("written");
    std::fs::write(b.path("sql/dataset.toml"), "name = \"cities\"\ntask = \"sql\"\nlanguage = \"en\"\nschema = \"schema.sql\"\n").expect("written");
    let people_of = [
        ("How many people live in Roma?", "SELECT people FROM cities WHERE name = 'Roma'"),
        ("How many people live in Oslo?", "SELECT people FROM cities WHERE name = 'Oslo'"),
    ];
    write("sql", "train", &people_of.each_ref().map(asks));
    write("sql", "validation", &[("How many live in Parigi?", "SELECT people FROM cities WHERE name = 'Parigi'")].each_ref().map(asks));

    // the untuned model answers by completion, and what it says is of no interest here
    let common = ["average=2", "dropout=0.1", "answer_tokens=8"];
    let learnt = |task: &str, method: &str, out: &str, more: &[&str]| {
        let data = Source { folder: Some(b.path(task)), ..Source::default() };
        let request = Request { task: task.into(), data, ..b.request(out, method, &[&common[..], more].concat()) };
        let ended = train(&b.home, &request, &mut |_| {}, &AtomicBool::new(false)).expect("a run");
        let bytes = |name: &str| std::fs::read(b.path(out).join(name)).ok();
        let events = b.events(out);
        let rows = events.iter().find_map(|e| if let Event::Started { examples, .. } = e { Some(*examples) } else { None }).expect("it began");
        (rows, story(&events), ended.train.best_step, bytes("adapter/adapter_model.safetensors"), bytes("adapter/head.safetensors"))
    };
    let strangers = [("Ugo Zeta", "Oslo"), ("Wanda", "Kyoto"), ("Xenia", "Lima"), ("Yuri Quinto", "Quito"), ("Zoe", "Zara")].each_ref().map(lives);
    let other = [
        ("Which city has the most people?", "SELECT name FROM cities ORDER BY people DESC LIMIT 1"),
        ("Which cities have fewer than 6 people?", "SELECT name FROM cities WHERE people < 6"),
        ("How many people are there in all?", "SELECT SUM(people) AS altogether FROM cities"),
    ]
    .each_ref()
    .map(asks);
    let familiar = [("Anna", "Bari")].each_ref().map(lives);
    let like_them = [("How many people live in Lima?", "SELECT people FROM cities WHERE name = 'Lima'")].each_ref().map(asks);
    let tests = [
        ("entities", "tagging", &["grow=2"][..], people.len() + 1, [&familiar[..], &strangers[..]]),
        ("sql", "completion", &["grow=2", "compose=20", "beams=1", "epochs=2"][..], people_of.len() + 4, [&like_them[..], &other[..]]),
    ];
    for (task, method, more, rows, [first, second]) in tests {
        write(task, "test", first);
        let before = learnt(task, method, &format!("{task}-first"), more);
        write(task, "test", second);
        let after = learnt(task, method, &format!("{task}-second"), more);
        let predictions = |out: &str| std::fs::read_to_string(b.path(&format!("{task}-{out}")).join("predictions.jsonl")).expect("predictions");
        assert_ne!(predictions("first"), predictions("second"), "other rows were answered");
        assert!(before.0 >= rows && before.1.len() > 3 && before.3.is_some() && before.4.is_some() == (method == "tagging"), "{task}: {} rows", before.0);
        assert!(before == after, "{task}: {:?}\n{:?}", before.1, after.1);
    }
}
