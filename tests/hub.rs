//! Getting a model from a hub: the real command against a real HTTP server on loopback that speaks
//! as much of the hub's protocol as a client needs.

use acceptance::tiny;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// How the server behaves.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    /// Asks for a token.
    Gated,
    /// Cuts every first transfer of the weights in the middle.
    Broken,
}

struct Hub {
    port: u16,
    /// First byte that each request for the weights asked for.
    starts: Arc<Mutex<Vec<usize>>>,
}

fn serve(mood: Mood) -> Hub {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let files: HashMap<String, Vec<u8>> =
        ["config.json", "tokenizer.json", "model.safetensors"].iter().map(|f| ((*f).to_string(), std::fs::read(tiny().join(f)).expect("a file"))).collect();
    let files = Arc::new(files);
    let starts = Arc::new(Mutex::new(Vec::new()));
    let cuts = Arc::new(AtomicUsize::new(0));
    let seen = starts.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (files, starts, cuts) = (files.clone(), seen.clone(), cuts.clone());
            std::thread::spawn(move || while answer(&stream, mood, &files, &starts, &cuts).is_some() {});
        }
    });
    Hub { port, starts }
}

/// Answers one request; `None` ends the connection.
fn answer(stream: &TcpStream, mood: Mood, files: &HashMap<String, Vec<u8>>, starts: &Mutex<Vec<usize>>, cuts: &AtomicUsize) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request).ok().filter(|&n| n > 0)?;
    let path = request.split_whitespace().nth(1)?.to_string();
    let (mut range, mut token) = (None, false);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("range: bytes=") {
            let (a, b) = value.split_once('-')?;
            range = Some((a.parse::<usize>().ok()?, b.parse::<usize>().ok()));
        }
        token |= header == "authorization: bearer secret";
    }
    let mut out = stream;
    let mut send = |status: &str, headers: &str, body: &[u8], length: usize| {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n");
        out.write_all(head.as_bytes()).and_then(|()| out.write_all(body)).ok()
    };
    if mood == Mood::Gated && !token {
        return send("401 Unauthorized", "", b"", 0);
    }
    if path == "/api/models/someone/tiny/revision/main" {
        let names: Vec<String> = files.keys().map(|f| format!("{{\"rfilename\":\"{f}\"}}")).collect();
        let body = format!("{{\"siblings\":[{}],\"sha\":\"abc123\"}}", names.join(","));
        return send("200 OK", "content-type: application/json\r\n", body.as_bytes(), body.len());
    }
    let name = path.strip_prefix("/someone/tiny/resolve/main/").unwrap_or_default();
    let Some(file) = files.get(name) else { return send("404 Not Found", "", b"", 0) };
    let (from, to) = range.map_or((0, file.len()), |(a, b)| (a.min(file.len()), b.map_or(file.len(), |b| b + 1)));
    let headers = format!("x-repo-commit: abc123\r\netag: \"{name}\"\r\ncontent-range: bytes {from}-{}/{}\r\n", to.saturating_sub(1), file.len());
    let body = &file[from..to];
    if name == "model.safetensors" && body.len() > 1 {
        starts.lock().ok()?.push(from);
        if mood == Mood::Broken && cuts.fetch_add(1, Ordering::Relaxed) == 0 {
            send("206 Partial Content", &headers, &body[..body.len() / 2], body.len())?;
            stream.shutdown(std::net::Shutdown::Both).ok()?;
            return None;
        }
    }
    send("206 Partial Content", &headers, body, body.len())
}

fn get(hub: &Hub, home: &std::path::Path, name: &str, token: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lapidary"))
        .args(["models", "get", name, "--home"])
        .arg(home)
        .env("HF_ENDPOINT", format!("http://127.0.0.1:{}", hub.port))
        .env("HF_HOME", home.join("no-token-here"))
        .env("HF_TOKEN", token)
        .output()
        .expect("the command runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_model_is_got_registered_and_listed() {
    let (hub, home) = (serve(Mood::Well), tempfile::tempdir().expect("a folder"));
    let got = get(&hub, home.path(), "someone/tiny", "");
    assert!(got.status.success(), "{}", text(&got.stderr));
    let path = text(&got.stdout).trim().to_string();
    assert!(std::path::Path::new(&path).join("model.safetensors").exists(), "{path}");
    let listed = Command::new(env!("CARGO_BIN_EXE_lapidary")).args(["models", "list", "--json", "--home"]).arg(home.path()).output().expect("runs");
    assert!(text(&listed.stdout).contains("\"name\":\"someone/tiny\""), "{}", text(&listed.stdout));
}

#[test]
fn a_transfer_that_breaks_goes_on_where_it_stopped() {
    let (hub, home) = (serve(Mood::Broken), tempfile::tempdir().expect("a folder"));
    let got = get(&hub, home.path(), "someone/tiny", "");
    assert!(got.status.success(), "{}", text(&got.stderr));
    let starts = hub.starts.lock().expect("readable").clone();
    assert_eq!(starts.len(), 2, "{starts:?}");
    assert!(starts[0] == 0 && starts[1] > 0, "{starts:?}");
}

#[test]
fn refusals_are_explained_in_one_line() {
    let home = tempfile::tempdir().expect("a folder");
    let hub = serve(Mood::Gated);
    let refused = get(&hub, home.path(), "someone/tiny", "");
    let message = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1));
    assert!(message.lines().count() == 1 && message.contains("HF_TOKEN") && message.contains("licence"), "{message}");
    assert!(get(&hub, home.path(), "someone/tiny", "secret").status.success(), "with the token it is given");
    let missing = get(&serve(Mood::Well), home.path(), "someone/else", "");
    assert!(missing.status.code() == Some(1) && text(&missing.stderr).contains("has no someone/else"), "{}", text(&missing.stderr));
}
