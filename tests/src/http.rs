//! A server on loopback that speaks as much HTTP as the clients of these tests need.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;

/// A request.
pub struct Request {
    /// Path and query.
    pub path: String,
    /// First byte that is asked for and, where the client says so, the last one.
    pub range: Option<(usize, Option<usize>)>,
    /// The headers in lower case, a line each.
    headers: Vec<String>,
}

impl Request {
    /// Whether it has a header, given as `name: value` in lower case.
    pub fn has(&self, header: &str) -> bool {
        self.headers.iter().any(|h| h == header)
    }

    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&n| n > 0)?;
        let path = line.split_whitespace().nth(1)?.to_string();
        let (mut headers, mut range) = (Vec::new(), None);
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let header = header.trim().to_ascii_lowercase();
            if header.is_empty() {
                return Some(Self { path, range, headers });
            }
            if let Some((from, to)) = header.strip_prefix("range: bytes=").and_then(|value| value.split_once('-')) {
                range = Some((from.parse().ok()?, to.parse().ok()));
            }
            headers.push(header);
        }
    }
}

/// Answers requests for as long as the test runs, each connection on a thread of its own; gives the port. `answer` ends a
/// connection with `None`.
///
/// # Panics
/// If no port is free.
pub fn serve(answer: impl Fn(&Request, &TcpStream) -> Option<()> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || while Request::read(&stream).and_then(|request| answer(&request, &stream)).is_some() {});
        }
    });
    port
}

/// Sends an answer with as much of its body as is given; it is announced with `length`.
pub fn send(mut stream: &TcpStream, status: &str, headers: &str, body: &[u8], length: usize) -> Option<()> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).ok()
}

/// Breaks a connection off, as a line that goes dead.
pub fn cut(stream: &TcpStream) -> Option<()> {
    stream.shutdown(Shutdown::Both).ok()?;
    None
}
