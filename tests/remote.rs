//! Another machine as a device, over loopback: the built command serves its processor, and the built command trains there.

use acceptance::{json, tiny};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// The command with one of two libraries: the one of the machine that serves, or of the one that computes there.
fn command(dir: &Path, home: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lapidary"));
    command.args(args).arg("--home").arg(dir.join(home)).current_dir(dir).env("LC_ALL", "C");
    command
}

fn run(dir: &Path, args: &[&str]) -> Output {
    command(dir, "near", args).output().expect("the command runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs, and gives what it printed.
fn done(dir: &Path, args: &[&str]) -> String {
    let out = run(dir, args);
    assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
    text(&out.stdout)
}

/// Runs, and expects exit code 1 with one line that holds every one of `parts`, and no run folder.
fn refused(dir: &Path, args: &[&str], parts: &[&str]) {
    let out = run(dir, args);
    let message = text(&out.stderr);
    assert_eq!((out.status.code(), message.lines().count()), (Some(1), 1), "{args:?}: {message}");
    for part in parts {
        assert!(message.contains(part), "{args:?}: `{part}` is not in: {message}");
    }
    assert!(!dir.join("out").exists(), "{args:?} left a run folder behind");
}

/// The devices as a program reads them.
fn devices(dir: &Path) -> Vec<Value> {
    serde_json::from_str(&done(dir, &["devices", "--json"])).expect("a list")
}

fn remote(devices: &[Value]) -> &Value {
    devices.iter().find(|d| d["kind"] == "remote").expect("the device of the other machine")
}

/// A processor that is served.
struct Server {
    child: Child,
    address: String,
    token: String,
    name: String,
}

impl Server {
    fn start(dir: &Path, listen: &str) -> Self {
        let mut serve = command(dir, "far", &["serve", "--device", "cpu", "--listen", listen, "--json"]);
        let mut child = serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the command starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
        let told: Value = serde_json::from_str(&line).expect("JSON");
        let of = |value: &Value| value.as_str().expect("a text").to_string();
        Self { child, address: of(&told["address"]), token: of(&told["token"]), name: of(&told["device"]["name"]) }
    }

    fn kill(&mut self) {
        // it may have ended already
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A few messages of two intents.
fn write_data(dir: &Path) {
    for (name, from, to) in [("train", 0, 8), ("validation", 8, 12)] {
        let row = |i: usize| {
            let (label, word) = [("pacco", "arriva"), ("rimborso", "rendo")][i % 2];
            serde_json::json!({"text": format!("{word} la cosa numero {i} {}", "e poi ".repeat(i % 3)), "label": label}).to_string() + "\n"
        };
        std::fs::write(dir.join(format!("{name}.jsonl")), (from..to).map(row).collect::<String>()).expect("writable");
    }
}

/// Arguments of a training of the tiny model.
fn train<'a>(model: &'a str, method: &'a str, device: &'a str, epochs: &'a str, out: &'a str) -> Vec<&'a str> {
    let what = ["train", "--task", "intent", "--data", ".", "--trial", "--model", model, "--method", method];
    [&what[..], &["--device", device, "--set", epochs, "--set", "batch=4", "--out", out, "--json"][..]].concat()
}

/// The loss of each step of a run.
fn losses(run: &Path) -> Vec<f64> {
    let events = std::fs::read_to_string(run.join("events.jsonl")).expect("events");
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    events.filter(|e| e["type"] == "step").filter_map(|e| e["loss"].as_f64()).collect()
}

/// Files below a folder that hold a text.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("listed").path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if std::fs::read(&path).expect("readable").windows(text.len()).any(|part| part == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn a_training_on_another_machine_is_that_of_this_one_until_the_other_goes_away() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    write_data(dir);
    let mut server = Server::start(dir, "127.0.0.1:0");
    let (address, token) = (server.address.clone(), server.token.clone());
    let added = done(dir, &["devices", "--add", &address, "--token", &token, "--check", "--json"]);
    let added: Vec<Value> = serde_json::from_str(&added).expect("a list");
    assert_eq!(added.len(), 1, "{added:?}");
    for (key, value) in [("id", address.as_str()), ("name", server.name.as_str()), ("kind", "remote"), ("api", "burn remote"), ("parity", "pass")] {
        assert_eq!(added[0][key], value, "{added:?}");
    }
    let listed = devices(dir);
    assert_eq!(remote(&listed), &added[0], "what was found is remembered");
    assert!(done(dir, &["devices"]).lines().any(|line| line.contains(&address) && line.contains("remote") && line.contains("pass")));

    let model = tiny().display().to_string();
    for method in ["head", "completion"] {
        let (here, there) = (format!("here-{method}"), format!("there-{method}"));
        done(dir, &train(&model, method, "cpu", "epochs=3", &here));
        done(dir, &train(&model, method, &address, "epochs=3", &there));
        let (here, there) = (losses(&dir.join(here)), losses(&dir.join(&there)));
        assert_eq!((here.len(), there.len()), (6, 6), "{method}");
        for (a, b) in here.iter().zip(&there) {
            assert!((a - b).abs() <= 1e-3 * a.abs().max(1.0), "{method}: {here:?} {there:?}");
        }
    }
    let result: Value = json(&dir.join("there-head/result.json"));
    assert_eq!((&result["device"]["id"], &result["device"]["kind"], &result["device"]["parity"]), (&address.as_str().into(), &"remote".into(), &"pass".into()));
    done(dir, &["report", "there-head", "--format", "json", "--out", "told"]);
    assert!(!holding(&dir.join("told"), &address).is_empty(), "the report says where it was computed");
    assert!(done(dir, &["predict", "there-head", "--device", &address, "arriva la cosa"]).contains("arriva la cosa"));
    done(dir, &["bench", "--model", &model, "--device", &address, "--shape", "2x8", "--targets", "2", "--steps", "1", "--json"]);

    // a run without end, whose machine goes away
    let mut child = command(dir, "near", &train(&model, "head", &address, "epochs=100000", "cut"));
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts");
    let mut events = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert!(events.by_ref().any(|line| line.expect("text").contains("\"type\":\"step\"")), "it takes a step");
    server.kill();
    let last: Value = serde_json::from_str(&events.last().expect("more events").expect("text")).expect("JSON");
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(1), "{said}");
    let result: Value = json(&dir.join("cut/result.json"));
    let go_on = format!("lapidary resume {} --device cpu", dir.join("cut").canonicalize().expect("a run folder").display());
    for told in [said.lines().last().unwrap_or_default(), last["why"]["en"].as_str().unwrap_or_default(), result["error"].as_str().unwrap_or_default()] {
        assert!(told.contains(&format!("the connection to {address} broke off")) && told.contains(&go_on), "{told}");
    }
    assert_eq!((&last["type"], &result["status"]), (&"paused".into(), &"paused".into()));

    // the token is with the one who gave it and the one who was given it, and nowhere else
    let mut holders = holding(dir, &token);
    holders.sort();
    assert_eq!(holders, ["far/served-token", "near/remote-devices.json"].map(|name| dir.join(name).display().to_string()));
}

#[test]
fn who_has_not_the_token_and_where_nobody_listens_is_said_in_a_line() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let mut server = Server::start(dir, "127.0.0.1:0");
    let address = server.address.clone();
    refused(dir, &["devices", "--add", &address, "--token", "wrong"], &[&address, "does not take this token", "lapidary serve"]);
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").to_string();
    refused(dir, &["devices", "--add", &nobody, "--token", "x"], &[&nobody, "cannot be reached", "lapidary serve"]);
    refused(dir, &["devices", "--add", "workstation", "--token", "x"], &["workstation:7370"]);
    refused(dir, &["devices", "--remove", &address], &[&address, "--add"]);
    let train = ["train", "--task", "intent", "--train", "train.jsonl", "--out", "out", "--device", &address];
    refused(dir, &train, &[&address, "lapidary devices --add"]);
    refused(dir, &["serve", "--device", &address, "--listen", "127.0.0.1:0"], &[&address, "is not on this machine"]);
    assert!(!devices(dir).iter().any(|d| d["kind"] == "remote"), "none of them was remembered");

    done(dir, &["devices", "--add", &address, "--token", &server.token]);
    server.kill();
    let listed = devices(dir);
    let gone = remote(&listed);
    assert_eq!((&gone["name"], &gone["parity"]), (&server.name.as_str().into(), &"unchecked".into()));
    assert!(gone["detail"].as_str().is_some_and(|d| d.contains("cannot be reached")), "{gone}");
    refused(dir, &train, &[&address, "cannot be reached"]);

    // it comes back with its token, unless another one is wanted
    let mut again = Server::start(dir, &address);
    assert_eq!((&again.address, &again.token), (&address, &server.token));
    assert_eq!(remote(&devices(dir))["detail"], "");
    #[cfg(unix)]
    {
        // an interrupt ends it well
        let pid = again.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().expect("sent").success());
        assert!(again.child.wait().expect("it ends").success());
    }
    again.kill();
    let mut serve = command(dir, "far", &["serve", "--device", "cpu", "--listen", &address, "--new-token"]);
    let child = serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the command starts");
    let mut last = Server { child, address: address.clone(), token: String::new(), name: String::new() };
    let lines: Vec<String> = BufReader::new(last.child.stdout.take().expect("a pipe")).lines().take(2).map(|line| line.expect("text")).collect();
    assert!(lines[0].contains(&address) && lines[0].contains("until Ctrl-C"), "{lines:?}");
    assert!(lines[1].starts_with(&format!("  lapidary devices --add {address} --token ")) && !lines[1].contains(&again.token), "{lines:?}");
    refused(dir, &train, &[&address, "does not take this token"]);
    let typed: Vec<&str> = lines[1].split_whitespace().skip(1).collect();
    done(dir, &typed);
    assert_eq!(remote(&devices(dir))["detail"], "");
    last.kill();
    done(dir, &["devices", "--remove", &last.address]);
    assert!(!devices(dir).iter().any(|d| d["kind"] == "remote"));
}
