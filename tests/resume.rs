//! Nothing is lost: a run that is killed at any moment, resumed and killed again ends as one that never was.

use acceptance::tiny;
use lab::view::RunStatus;
use rand::{RngExt, SeedableRng};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

struct Bench {
    dir: tempfile::TempDir,
    /// Task and method.
    how: [&'static str; 2],
}

const INTENT: [&str; 2] = ["intent", "head"];
const ENTITIES: [&str; 2] = ["entities", "tagging"];
const FULL: [&str; 2] = ["intent", "full"];
const COMPLETION: [&str; 2] = ["intent", "completion"];

impl Bench {
    fn new(how: [&'static str; 2]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, from, to) in [("train", 0, 12), ("validation", 12, 16), ("test", 16, 20)] {
            let row = |i: usize| {
                let (label, word) = [("pacco", "arriva"), ("rimborso", "rendo")][i % 2];
                let text = format!("{word} la cosa numero {i} {}", "e poi ".repeat(i % 5));
                let entities = serde_json::json!([{"start": 0, "end": word.len(), "type": label}]);
                let row =
                    if how == ENTITIES { serde_json::json!({"text": text, "entities": entities}) } else { serde_json::json!({"text": text, "label": label}) };
                row.to_string() + "\n"
            };
            std::fs::write(dir.path().join(format!("{name}.jsonl")), (from..to).map(row).collect::<String>()).expect("writable");
        }
        Self { dir, how }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lapidary"));
        command.args(args).arg("--home").arg(self.path("home")).current_dir(self.dir.path()).env("LC_ALL", "C");
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the command runs")
    }

    fn train(&self, out: &str, more: &[&str]) -> Command {
        let model = tiny().display().to_string();
        let mut args = vec!["train", "--no-forecast", "--task", self.how[0], "--data", ".", "--model", &model, "--out", out, "--method", self.how[1]];
        args.extend(["--set", "epochs=20", "--set", "batch=4", "--set", "checkpoint_every=2", "--set", "dropout=0.1", "--set", "average=3"]);
        if self.how == ENTITIES {
            // the untuned model answers by completion, and its answers are of no interest here; adapters may have magnitudes, too
            args.extend(["--set", "answer_tokens=4", "--set", "dora=true"]);
        }
        args.extend(more);
        self.command(&args)
    }

    fn spawn(&self, mut command: Command) -> Child {
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the command starts")
    }

    fn whole(&self, out: &str) {
        let done = self.train(out, &[]).output().expect("the command runs");
        assert!(done.status.success(), "{}", text(&done.stderr));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What must be the same, time aside: what was trained, the answers, and where it was best.
fn ending(run: &Path) -> (Vec<Vec<u8>>, String, serde_json::Value) {
    let read = |name: &str| std::fs::read(run.join(name)).ok();
    let learnt: Vec<Vec<u8>> =
        ["adapter/adapter_model.safetensors", "adapter/head.safetensors", "weights/model.safetensors"].into_iter().filter_map(read).collect();
    assert!(!learnt.is_empty(), "{}: nothing was learnt", run.display());
    let result: serde_json::Value = acceptance::json(&run.join("result.json"));
    assert_eq!(result["status"], "completed");
    let steps = result["train"]["best_step"].clone();
    (learnt, text(&read("predictions.jsonl").expect("predictions")), steps)
}

/// `LAPIDARY_KILLS=50` for a thorough test by hand.
#[test]
fn killed_runs_end_as_whole_ones() {
    let kills: usize = std::env::var("LAPIDARY_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(5);
    [INTENT, ENTITIES, FULL, COMPLETION].into_iter().for_each(|how| kill(how, kills));
}

fn kill(how: [&'static str; 2], kills: usize) {
    let b = Bench::new(how);
    let begun = Instant::now();
    b.whole("whole");
    let span = begun.elapsed().as_millis() as u64;
    let expected = ending(&b.path("whole"));
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let (mut killed, mut run) = (0, 0);
    while killed < kills {
        run += 1;
        let out = format!("cut{run}");
        let mut child = b.spawn(b.train(&out, &[]));
        loop {
            std::thread::sleep(Duration::from_millis(rng.random_range(span / 10..span)));
            if child.try_wait().expect("waited").is_some() {
                break;
            }
            child.kill().expect("killed");
            child.wait().expect("waited");
            killed += 1;
            // a kill before the first checkpoint leaves nothing to go on from, and says so
            let snapshot = std::fs::read_dir(b.path(&out).join("checkpoints")).is_ok_and(|mut f| f.next().is_some());
            if !snapshot {
                break;
            }
            child = b.spawn(b.command(&["resume", &out]));
        }
        let last = b.run(&["resume", &out]);
        let message = text(&last.stderr);
        let at_the_end = last.status.success() || message.contains("is finished");
        if !at_the_end {
            assert!(message.contains("no checkpoint") || message.contains("run.toml"), "{message}");
            continue;
        }
        assert!(ending(&b.path(&out)) == expected, "run {run} ended otherwise after {killed} kills");
    }
}

/// The same command where no file may grow beyond so many bytes, as on a disk that is nearly full.
#[cfg(unix)]
fn limited(command: &Command, bytes: u64) -> Command {
    let mut limited = Command::new("sh");
    // without the signal the write itself fails; the limit counts blocks of 512 bytes
    limited.args(["-c", r#"trap "" XFSZ; ulimit -f "$0"; exec "$@""#, &(bytes / 512).to_string()]);
    limited.arg(command.get_program()).args(command.get_args());
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(folder) = command.get_current_dir() {
        limited.current_dir(folder);
    }
    limited
}

/// What cannot be written is told, what was written before stays whole, and the run goes on once there is room.
#[cfg(unix)]
#[test]
fn a_full_disk_tears_nothing_and_the_run_goes_on_once_there_is_room() {
    let b = Bench::new(COMPLETION);
    // adapters beside which the log and the library are small
    let train = |out: &str| b.train(out, &["--set", "rank=32"]);
    let done = train("whole").output().expect("the command runs");
    assert!(done.status.success(), "{}", text(&done.stderr));
    let expected = ending(&b.path("whole"));
    let weights = |out: &str| b.path(out).join("adapter/adapter_model.safetensors");
    let size = std::fs::metadata(weights("whole")).expect("weights").len();

    // the first checkpoint holds the weights twice; the later ones, which hold their moments, too, are no loss to a run that ends
    let checkpoints = || train::checkpoint::list(&b.path("cut/checkpoints"));
    let kept = b.path("kept");
    let done = std::thread::scope(|scope| {
        let running = scope.spawn(|| limited(&train("cut"), 3 * size).output().expect("the command runs"));
        // a second name for the first checkpoint: once the run is completed it has none
        while !running.is_finished() && std::fs::hard_link(b.path("cut/checkpoints/step-00000000.safetensors"), &kept).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
        running.join().expect("the command runs")
    });
    let message = text(&done.stderr);
    assert!(done.status.success() && message.contains("the checkpoint could not be written") && checkpoints().is_empty(), "{message}");
    assert!(ending(&b.path("cut")) == expected, "it ended otherwise");

    // as if the machine had gone down just before the end, with room for the weights no more
    std::fs::remove_file(b.path("cut/result.json")).expect("removed");
    std::fs::create_dir_all(b.path("cut/checkpoints")).expect("made");
    std::fs::rename(&kept, b.path("cut/checkpoints/step-00000000.safetensors")).expect("moved");
    let failed = limited(&b.command(&["resume", "cut", "--quiet"]), size / 2).output().expect("the command runs");
    let message = text(&failed.stderr);
    assert_eq!(failed.status.code(), Some(1), "{message}");
    assert!(message.lines().count() == 1 && message.starts_with("error: ") && message.contains("adapter_model.safetensors"), "{message}");
    assert!(message.contains("free some space there"), "{message}");
    assert_eq!(lab::view::run(&b.path("cut"), None).expect("a run").row.status, RunStatus::Failed);
    let events = std::fs::read_to_string(b.path("cut/events.jsonl")).expect("events");
    assert!(events.lines().last().is_some_and(|last| last.contains(r#""type":"failed""#) && last.contains("adapter_model.safetensors")));
    assert!(std::fs::read(weights("cut")).ok() == Some(expected.0[0].clone()), "the weights from before are gone");
    let unfinished = |folder: &str| std::fs::read_dir(b.path(folder)).expect("a folder").flatten().any(|f| f.path().extension().is_some_and(|e| e == "part"));
    assert!(!["cut", "cut/adapter", "cut/checkpoints"].into_iter().any(unfinished), "half of a file was left");
    assert_eq!(checkpoints().len(), 1);

    let resumed = b.run(&["resume", "cut"]);
    assert!(resumed.status.success(), "{}", text(&resumed.stderr));
    assert!(ending(&b.path("cut")) == expected, "it ended otherwise");
}

#[test]
fn a_torn_checkpoint_gives_way_to_the_one_before_and_a_changed_file_is_refused() {
    let b = Bench::new(INTENT);
    b.whole("whole");
    let mut child = b.spawn(b.train("cut", &["--set", "epochs=2000"]));
    let newest = || train::checkpoint::list(&b.path("cut/checkpoints"));
    let begun = Instant::now();
    while newest().len() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(60), "no checkpoints");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("killed");
    child.wait().expect("waited");
    let path = newest().remove(0);
    let bytes = std::fs::read(&path).expect("a checkpoint");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("writable");

    let train_file = b.path("train.jsonl");
    let rows = std::fs::read_to_string(&train_file).expect("rows");
    std::fs::write(&train_file, rows.clone() + "{\"text\": \"altro\", \"label\": \"pacco\"}\n").expect("writable");
    let refused = b.run(&["resume", "cut"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("train.jsonl has changed since the run began"), "{}", text(&refused.stderr));
    std::fs::write(&train_file, rows).expect("writable");

    let child = b.spawn(b.command(&["resume", "cut"]));
    let begun = Instant::now();
    let events = || std::fs::read_to_string(b.path("cut/events.jsonl")).unwrap_or_default();
    while !events().contains("\"resumed\"") {
        assert!(begun.elapsed() < Duration::from_secs(60), "never resumed");
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut child = child;
    child.kill().expect("killed");
    child.wait().expect("waited");
    assert!(events().contains("is not a whole checkpoint"), "the damage is told");
}

/// How the data is read belongs to the run: columns that were named and bad rows that were passed over stay so.
#[test]
fn a_resumed_run_reads_its_data_as_it_began() {
    let b = Bench::new(INTENT);
    let row = |i: usize| {
        let (label, word) = [("pacco", "arriva"), ("rimborso", "rendo")][i % 2];
        serde_json::json!({"frase": format!("{word} la cosa numero {i}"), "motivo": label, "text": "altro", "label": "altro"}).to_string() + "\n"
    };
    let rows: String = (0..12).map(row).collect();
    std::fs::write(b.path("mine.jsonl"), rows + "{\"frase\": \n").expect("writable");
    let model = tiny().display().to_string();
    let train = |out: &str, epochs: &str, columns: &str| {
        let args = ["train", "--task", "intent", "--train", "mine.jsonl", "--columns", columns, "--skip-bad-rows", "--model", &model, "--out", out];
        b.command(&[&args[..], &["--method", "head", "--set", epochs, "--set", "batch=4", "--set", "checkpoint_every=2", "--no-forecast"]].concat())
    };
    let whole = train("whole", "epochs=40", "text=frase,label=motivo").output().expect("the command runs");
    assert!(whole.status.success(), "{}", text(&whole.stderr));
    let mut child = b.spawn(train("cut", "epochs=40", "text=frase,label=motivo"));
    let begun = Instant::now();
    while train::checkpoint::list(&b.path("cut/checkpoints")).is_empty() && child.try_wait().expect("waited").is_none() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no checkpoint");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("killed");
    child.wait().expect("waited");
    let resumed = b.run(&["resume", "cut"]);
    assert!(resumed.status.success() || text(&resumed.stderr).contains("is finished"), "{}", text(&resumed.stderr));
    let weights = |out: &str| std::fs::read(b.path(out).join("adapter/adapter_model.safetensors")).expect("weights");
    assert!(weights("cut") == weights("whole"), "it ended otherwise");
    let result: serde_json::Value = acceptance::json(&b.path("cut/result.json"));
    assert_eq!(result["data"]["labels"], serde_json::json!(["pacco", "rimborso"]));
}

#[test]
fn another_process_pauses_a_run_and_lets_it_go_on() {
    let b = Bench::new(INTENT);
    let mut child = b.spawn(b.train("out", &["--set", "epochs=150"]));
    let seen = |what: &str| std::fs::read_to_string(b.path("out/events.jsonl")).unwrap_or_default().matches(what).count();
    let wait_for = |what: &str| {
        let begun = Instant::now();
        while seen(what) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "no {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait_for("\"step\",");
    assert!(b.run(&["pause", "out"]).status.success());
    wait_for("\"paused\"");
    let steps = seen("\"type\":\"step\"");
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(seen("\"type\":\"step\""), steps, "a paused run does nothing");
    let second = b.run(&["resume", "out"]);
    assert!(second.status.success() && text(&second.stderr).contains("goes on in the process"), "{}", text(&second.stderr));
    wait_for("\"resumed\"");
    assert!(child.wait().expect("waited").success());
    let again = b.run(&["resume", "out"]);
    assert!(text(&again.stderr).contains("is finished"));
    assert!(text(&b.run(&["pause", "out"]).stderr).contains("is not being trained now"));
}

/// The device that a run was begun on may be gone; the message says what to do, and what is done is written down.
#[test]
fn a_run_goes_on_with_another_device_where_one_is_named() {
    let b = Bench::new(INTENT);
    let mut child = b.spawn(b.train("cut", &["--set", "epochs=100000"]));
    let begun = Instant::now();
    while train::checkpoint::list(&b.path("cut/checkpoints")).len() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(60), "no checkpoints");
        std::thread::sleep(Duration::from_millis(5));
    }
    let busy = b.run(&["resume", "cut", "--device", "cpu"]);
    assert!(text(&busy.stderr).contains("is being trained by another process"), "{}", text(&busy.stderr));
    // another face neither takes it for one that was cut off nor deletes it
    let status = || lab::view::run(&b.path("cut"), None).expect("a run").row.status;
    assert_eq!(status(), RunStatus::Elsewhere);
    let home = lab::Home::open(Some(&b.path("home"))).expect("a library");
    assert!(lab::view::delete_run(&home, &b.path("cut")).is_err_and(|e| e.to_string().contains("another process")));
    child.kill().expect("killed");
    child.wait().expect("waited");
    assert_eq!(status(), RunStatus::Interrupted);
    // as if it had been begun elsewhere, and for an end that is near
    let file = b.path("cut/run.toml");
    let written = std::fs::read_to_string(&file).expect("run.toml");
    for part in ["epochs = 100000", "id = \"cpu\"", "device = \"auto\""] {
        assert_eq!(written.matches(part).count(), 1, "{part} in {written}");
    }
    let elsewhere =
        written.replace("epochs = 100000", "epochs = 20").replace("id = \"cpu\"", "id = \"gpu:9\"").replace("device = \"auto\"", "device = \"gpu:9\"");
    std::fs::write(&file, elsewhere).expect("written");
    let gone = b.run(&["resume", "cut"]);
    let message = text(&gone.stderr);
    assert!(gone.status.code() == Some(1) && message.contains("gpu:9") && message.contains("lapidary resume cut --device cpu"), "{message}");
    let resumed = b.run(&["resume", "cut", "--device", "cpu", "--json"]);
    assert!(resumed.status.success(), "{}", text(&resumed.stderr));
    assert!(text(&resumed.stdout).contains("before it was gpu:9"), "{}", text(&resumed.stdout));
    let now = std::fs::read_to_string(&file).expect("run.toml");
    assert!(now.contains("id = \"cpu\"") && now.contains("device = \"cpu\"") && !now.contains("gpu:9"), "{now}");
    let result: serde_json::Value = acceptance::json(&b.path("cut/result.json"));
    assert_eq!((&result["device"]["id"], &result["status"]), (&"cpu".into(), &"completed".into()));
}
