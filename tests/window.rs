//! The real window, driven as a person drives it, with the tiny model so that it takes seconds.

use acceptance::webdriver::{Window, can_drive};
use acceptance::{root, tiny};
use lab::{Home, models};
use serde_json::json;
use std::path::{Path, PathBuf};

/// A library with the tiny model, and a data set on offer.
struct Desk {
    dir: tempfile::TempDir,
}

const WORDS: [(&str, [&str; 6]); 2] = [
    ("order_tracking", ["dove il pacco", "il pacco non arriva", "quando arriva il pacco", "il mio pacco dove", "pacco in ritardo", "non vedo il pacco"]),
    ("return_refund", ["voglio il rimborso", "come rendo la maglia", "rimborso della maglia", "la maglia la rendo", "rendo e rimborso", "maglia da rendere"]),
];

impl Desk {
    fn new() -> Self {
        let desk = Self { dir: tempfile::tempdir().expect("a folder") };
        let folder = desk.path("datasets/parcels");
        std::fs::create_dir_all(&folder).expect("made");
        let rows = |from: usize, to: usize| -> String {
            let row = |l: &str, t: &str| json!({"text": t, "label": l}).to_string() + "\n";
            WORDS.iter().flat_map(|(l, texts)| texts[from..to].iter().map(move |t| row(l, t))).collect()
        };
        std::fs::write(folder.join("dataset.toml"), "name = \"parcels\"\ntask = \"intent\"\nlanguage = \"it\"\n").expect("written");
        for (name, from, to) in [("train", 0, 4), ("validation", 4, 5), ("test", 5, 6)] {
            std::fs::write(folder.join(format!("{name}.jsonl")), rows(from, to)).expect("written");
        }
        let home = Home::open(Some(&desk.path("home"))).expect("a library");
        models::import(&home, "tiny", &tiny()).expect("the tiny model");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn open(&self, files: &[&str]) -> Window {
        let text = |name: &str| self.path(name).display().to_string();
        let (home, datasets, own) = (text("home"), text("datasets"), text("own"));
        let args: Vec<&str> = ["--home", &home].into_iter().chain(files.iter().copied()).collect();
        // the window's own files stay in here, too
        let variables = [("LAPIDARY_DATASETS", datasets.as_str()), ("XDG_DATA_HOME", &own), ("XDG_CONFIG_HOME", &own), ("XDG_CACHE_HOME", &own)];
        let window = Window::open(Path::new(env!("CARGO_BIN_EXE_lapidary-window")), &args, &variables, (1280, 800));
        window.wait("the page", "return document.querySelector('nav') !== null", &[]);
        window
    }
}

/// Where pictures of the window are kept.
fn picture(window: &Window, name: &str) {
    window.picture(&root().join("target/pictures").join(format!("{name}.png")));
}

#[test]
fn from_three_choices_to_a_report() {
    if !can_drive() {
        return;
    }
    let desk = Desk::new();
    let window = desk.open(&[]);
    window.shows("What shall Gemma learn?");
    window.click("label.choice", "parcels");
    window.click("label.choice", "tiny");
    window.shows("8 messages, 2 labels");
    picture(&window, "start");
    window.click("main button", "Start");

    window.wait("the curve", "return document.querySelector('main svg[role=img] path, main svg[role=img] polyline') !== null", &[]);
    picture(&window, "train");
    window.click("main button", "See the result");

    window.shows("on 2 examples of the test set");
    picture(&window, "results");

    let runs = window.ask("runs", &json!({})).expect("runs");
    assert_eq!((runs[0]["status"].as_str(), runs[0]["model"].as_str()), (Some("completed"), Some("tiny")), "{runs}");
}
