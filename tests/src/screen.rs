//! What stands on a screen beside the page: the system's own windows, and what they ask, which no WebDriver reaches. Speaks a few
//! requests of the X protocol, and one of its extension for tests (Unix;
//! <https://www.x.org/releases/current/doc/xproto/x11protocol.html>, `.../xextproto/xtest.html`).
//!
//! The screens of the tests have no window manager: windows stand where they put themselves, and keys go where they are sent.

use crate::webdriver::{Key, PATIENCE};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A window of the system, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown(u32);

/// A screen.
pub struct Screen {
    server: UnixStream,
    /// What all windows stand on.
    root: u32,
    /// The number of the extension that presses keys.
    tests: u8,
    /// The number of the first key, and the symbols of each, in order.
    keys: (u8, Vec<Vec<u32>>),
}

// requests, by their number
const ATTRIBUTES: u8 = 3;
const GEOMETRY: u8 = 14;
const TREE: u8 = 15;
const ATOM: u8 = 16;
const PROPERTY: u8 = 20;
const SEND: u8 = 25;
const SET_FOCUS: u8 = 42;
const FOCUS: u8 = 43;
const EXTENSION: u8 = 98;
const KEYS: u8 = 101;
/// Of the extension.
const FAKE: u8 = 2;

/// Numbers as they go over the line.
fn words(all: &[u32]) -> Vec<u8> {
    all.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// The number that stands in a message at a place.
fn word(message: &[u8], at: usize) -> u32 {
    message.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

/// Half of one.
fn half(message: &[u8], at: usize) -> usize {
    message.get(at..at + 2).map_or(0, |b| usize::from(u16::from_le_bytes([b[0], b[1]])))
}

impl Screen {
    /// The screen of a display such as `:7`, on this machine and open to all who are on it.
    ///
    /// # Panics
    /// If it cannot be spoken to.
    pub fn open(display: &str) -> Self {
        let server = UnixStream::connect(format!("/tmp/.X11-unix/X{}", display.trim_start_matches(':'))).expect("the screen can be spoken to");
        server.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut screen = Self { server, root: 0, tests: 0, keys: (0, Vec::new()) };
        // numbers begin with their low end, and version 11 is spoken
        screen.write(&words(&[u32::from(b'l') | 11 << 16, 0, 0]));
        let head = screen.read(8);
        let told = screen.read(half(&head, 6) * 4);
        assert_eq!(head[0], 1, "the screen refuses: {}", String::from_utf8_lossy(&told));
        screen.root = word(&told, 32 + half(&told, 16).next_multiple_of(4) + 8 * usize::from(told[21]));
        let (first, last) = (told[26], told[27]);
        let keys = screen.ask(KEYS, 0, &words(&[u32::from(first) | u32::from(last - first + 1) << 8])).expect("its keys");
        let symbols: Vec<u32> = keys[32..].chunks_exact(4).map(|b| word(b, 0)).collect();
        screen.keys = (first, symbols.chunks(usize::from(keys[1]).max(1)).map(<[u32]>::to_vec).collect());
        let found = screen.ask(EXTENSION, 0, &named("XTEST")).expect("its extensions");
        assert_eq!(found[8], 1, "the screen cannot be tested");
        screen.tests = found[9];
        screen
    }

    fn write(&self, message: &[u8]) {
        (&self.server).write_all(message).expect("the screen listens");
    }

    fn read(&self, bytes: usize) -> Vec<u8> {
        let mut message = vec![0; bytes];
        (&self.server).read_exact(&mut message).expect("the screen answers");
        message
    }

    fn send(&self, request: u8, detail: u8, body: &[u8]) {
        let length = u32::try_from(1 + body.len() / 4).expect("a short request");
        self.write(&[&words(&[u32::from(request) | u32::from(detail) << 8 | length << 16]), body].concat());
    }

    /// The next answer; none if it is a refusal.
    fn answer(&self) -> Option<Vec<u8>> {
        loop {
            let mut head = self.read(32);
            match head[0] {
                0 => return None,
                1 => {
                    let more = self.read(word(&head, 4) as usize * 4);
                    head.extend(more);
                    return Some(head);
                }
                // something happened, of which nobody here wants to know
                _ => {}
            }
        }
    }

    /// Sends a request that is answered. Of a window that has gone away meanwhile nothing is said.
    fn ask(&self, request: u8, detail: u8, body: &[u8]) -> Option<Vec<u8>> {
        self.send(request, detail, body);
        self.answer()
    }

    /// Sends a request that is not answered, and whether it was not refused either.
    fn tell(&self, request: u8, detail: u8, body: &[u8]) -> bool {
        self.send(request, detail, body);
        // what comes before the answer to another one belongs to this one
        let done = self.ask(FOCUS, 0, &[]).is_some();
        if !done {
            self.answer();
        }
        done
    }

    /// The number that a word has here.
    fn atom(&self, name: &str) -> u32 {
        word(&self.ask(ATOM, 0, &named(name)).expect("a number for a word"), 8)
    }

    /// The window with a title, if one is on show.
    pub fn shown(&self, title: &str) -> Option<Shown> {
        let tree = self.ask(TREE, 0, &words(&[self.root]))?;
        let property = self.atom("_NET_WM_NAME");
        tree[32..].chunks_exact(4).map(|b| word(b, 0)).find_map(|id| {
            let visible = self.ask(ATTRIBUTES, 0, &words(&[id]))?[26] == 2;
            let name = self.ask(PROPERTY, 0, &words(&[id, property, 0, 0, 256]))?;
            (visible && name.get(32..32 + word(&name, 16) as usize) == Some(title.as_bytes())).then_some(Shown(id))
        })
    }

    /// Waits for the window with a title.
    ///
    /// # Panics
    /// If it does not come within a minute.
    pub fn wait(&self, title: &str) -> Shown {
        let began = Instant::now();
        loop {
            if let Some(window) = self.shown(title) {
                return window;
            }
            assert!(began.elapsed() < PATIENCE, "no window `{title}` comes");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until no window has a title.
    ///
    /// # Panics
    /// If one still has it after a minute.
    pub fn gone(&self, title: &str) {
        let began = Instant::now();
        while self.shown(title).is_some() {
            assert!(began.elapsed() < PATIENCE, "the window `{title}` stays");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Width and height of a window.
    ///
    /// # Panics
    /// If it has gone away.
    pub fn size(&self, window: Shown) -> (usize, usize) {
        let told = self.ask(GEOMETRY, 0, &words(&[window.0])).expect("the window is there");
        (half(&told, 16), half(&told, 18))
    }

    /// Presses the button that closes a window, as a window manager tells of it.
    ///
    /// # Panics
    /// If it has gone away.
    pub fn close(&self, window: Shown) {
        let [kind, what] = ["WM_PROTOCOLS", "WM_DELETE_WINDOW"].map(|name| self.atom(name));
        // a message from one client to another, in numbers of 32 bits
        let event = [33 | 32 << 8, window.0, kind, what, 0, 0, 0, 0];
        assert!(self.tell(SEND, 0, &words(&[&[window.0, 0], &event[..]].concat())), "the window is gone");
    }

    /// Presses keys in a window, one after the other.
    ///
    /// # Panics
    /// If it has gone away, or the keyboard lacks one of them.
    pub fn press(&self, window: Shown, keys: &[Key]) {
        assert!(self.tell(SET_FOCUS, 2, &words(&[window.0, 0])), "the window is gone");
        let (first, symbols) = &self.keys;
        for key in keys {
            let place = symbols.iter().position(|of| of.first() == Some(&symbol(*key))).expect("a key for it");
            let number = u32::from(*first) + u32::try_from(place).expect("a number");
            for what in [2, 3] {
                assert!(self.tell(self.tests, FAKE, &words(&[what | number << 8, 0, 0, 0, 0, 0, 0, 0])), "the key cannot be pressed");
            }
        }
    }
}

/// What stands on a key, as the protocol numbers it.
fn symbol(key: Key) -> u32 {
    match key {
        Key::Tab => 0xff09,
        Key::Enter => 0xff0d,
        Key::Space => 0x20,
        Key::Escape => 0xff1b,
        Key::Down => 0xff54,
        Key::Right => 0xff53,
    }
}

/// A name as a request holds it: its length, then its letters, filled up to whole numbers.
fn named(name: &str) -> Vec<u8> {
    let mut body = words(&[u32::try_from(name.len()).expect("a short name")]);
    body.extend(name.bytes());
    body.resize(body.len().next_multiple_of(4), 0);
    body
}
