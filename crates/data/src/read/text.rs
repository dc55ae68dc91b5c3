//! Bytes of a file into UTF-8 text: encoding, byte-order mark, and lines of bounded length.

use crate::error::{Error, Result};
use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use say::say;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

/// Longest line or row, in bytes. What is longer is no example, and must not fill the memory.
pub const LONGEST: usize = 16 << 20;
/// Bytes read at a time.
const CHUNK: usize = 1 << 16;
/// Fewest places with letters beyond ASCII by which a file of JSON is believed to be in an older encoding, and most characters
/// for each of them: Italian has one in a hundred. A byte here and there is damage.
const PLACES: (usize, usize) = (4, 2000);
/// For so many such places one letter may stand where none does.
const ODD: usize = 20;

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Survey {
    /// The encoding.
    pub encoding: &'static Encoding,
    /// Bytes of the byte-order mark.
    mark: usize,
    /// Whether it is none of Unicode's, but the likeliest of the older ones.
    guessed: bool,
    /// Place of the first byte that is not UTF-8.
    broken: Option<usize>,
}

/// Finds the encoding of a file by reading it: a byte-order mark decides; else UTF-8, if that is
/// what it is; else UTF-16, which shows in every other byte being zero; else the likeliest older one.
///
/// A file with UTF-8 in some lines and something else in others counts as UTF-8, so that the reader
/// of its lines can say which are wrong.
///
/// # Errors
/// If the file cannot be read.
pub fn survey(path: &Path) -> Result<Survey> {
    let mut file = super::open(path)?;
    let (mut seen, mut mark) = (Seen::default(), 0);
    let mut chunk = vec![0; CHUNK];
    loop {
        let n = fill(&mut file, &mut chunk).map_err(|e| Error::io(path, e))?;
        if seen.total == 0
            && let Some((encoding, bytes)) = Encoding::for_bom(&chunk[..n])
        {
            if encoding != UTF_8 {
                return Ok(Survey { encoding, mark: bytes, guessed: false, broken: None });
            }
            mark = bytes;
        }
        seen.add(&chunk[..n]);
        if n < CHUNK {
            break;
        }
    }
    let of_unicode = if mark > 0 { Some(UTF_8) } else { seen.encoding() };
    let (encoding, guessed) = match of_unicode {
        Some(encoding) => (encoding, false),
        None => (older(path)?, true),
    };
    Ok(Survey { encoding, mark, guessed, broken: seen.broken() })
}

impl Survey {
    /// The same of a file of JSON, which has to be in Unicode (RFC 8259): an older encoding counts only where all of the file
    /// reads as text in it. Else the file is UTF-8 with bytes that are none, and its reader says where.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn of_json(self, path: &Path) -> Result<Self> {
        let believed = !self.guessed || self.reads_as_text(path)?;
        Ok(if believed { self } else { Self { encoding: UTF_8, guessed: false, ..self } })
    }

    /// Whether letters beyond ASCII are in many places, and stand as letters do.
    fn reads_as_text(self, path: &Path) -> Result<bool> {
        let mut text = Text::open(path, self, Rc::default())?;
        let (mut all, mut places, mut signs, mut odd, mut before) = (0, 0, 0, 0, ' ');
        loop {
            let ready = match text.fill_buf() {
                Ok(ready) => ready,
                // not even the likeliest one fits
                Err(e) if e.kind() == io::ErrorKind::InvalidData => return Ok(false),
                Err(e) => return Err(Error::io(path, e)),
            };
            if ready.is_empty() {
                let (fewest, spread) = PLACES;
                return Ok(places >= fewest && places * spread >= all && signs <= places && odd * ODD <= places);
            }
            // what was decoded is whole characters
            for c in std::str::from_utf8(ready).unwrap_or_default().chars() {
                all += 1;
                match c {
                    // quotes, dashes and dots of typography say nothing
                    '\0'..='\x7f' | '\u{2010}'..='\u{2027}' => {}
                    c if c.is_control() => odd += 1,
                    c if c.is_alphabetic() => {
                        // what was torn is one place, as a word of another alphabet is
                        places += usize::from(before.is_ascii());
                        odd += usize::from(before.is_lowercase() && c.is_uppercase());
                    }
                    _ => signs += 1,
                }
                // what stands behind a backslash is no letter of a word
                before = if before == '\\' { ' ' } else { c };
            }
            let n = ready.len();
            text.consume(n);
        }
    }

    /// Refuses a file that is said to be in UTF-8 and is not throughout, at the first byte that is wrong: for a reader that can
    /// take no part of it for itself.
    ///
    /// # Errors
    /// If it is not, or cannot be read.
    pub fn whole(self, path: &Path) -> Result<()> {
        let Some(at) = self.broken.filter(|_| self.encoding == UTF_8) else { return Ok(()) };
        let mut bytes = BufReader::new(super::open(path)?).bytes();
        let (mut line, mut column) = (1, 1);
        for byte in bytes.by_ref().take(at).skip(self.mark) {
            match byte.map_err(|e| Error::io(path, e))? {
                b'\n' => (line, column) = (line + 1, 1),
                // the bytes after the first of a character are no characters of their own
                byte => column += usize::from(byte & 0xc0 != 0x80),
            }
        }
        let byte = bytes.next().transpose().map_err(|e| Error::io(path, e))?;
        Err(Error::row(path, line, not_utf8(byte.unwrap_or_default())).at_column(column))
    }

    /// The older encoding that was taken, if that was a guess.
    pub fn guess(self) -> Option<&'static str> {
        self.guessed.then(|| self.encoding.name())
    }
}

/// The likeliest encoding of a file that is in none of Unicode's.
fn older(path: &Path) -> Result<&'static Encoding> {
    let mut file = super::open(path)?;
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let mut chunk = vec![0; CHUNK];
    loop {
        let n = fill(&mut file, &mut chunk).map_err(|e| Error::io(path, e))?;
        detector.feed(&chunk[..n], n < CHUNK);
        if n < CHUNK {
            return Ok(detector.guess(Some(b"it"), Utf8Detection::Deny));
        }
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while n < buffer.len() {
        match file.read(&mut buffer[n..]) {
            Ok(0) => break,
            Ok(more) => n += more,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(n)
}

/// What the bytes of a file look like.
#[derive(Default)]
struct Seen {
    total: usize,
    zeros: [usize; 2],
    /// Characters of more than one byte in valid UTF-8, and sequences that are not.
    valid: usize,
    invalid: usize,
    /// Where the first of those begins that are not.
    first: Option<usize>,
    /// The end of the last chunk, where it may be a character cut in two.
    rest: Vec<u8>,
}

impl Seen {
    fn add(&mut self, chunk: &[u8]) {
        for (i, _) in chunk.iter().enumerate().filter(|(_, b)| **b == 0) {
            self.zeros[(self.total + i) % 2] += 1;
        }
        let mut at = self.total - self.rest.len();
        self.total += chunk.len();
        if chunk.is_ascii() && self.rest.is_empty() {
            return;
        }
        let mut bytes = std::mem::take(&mut self.rest);
        bytes.extend_from_slice(chunk);
        let mut left = bytes.as_slice();
        while !left.is_empty() {
            let (valid, bad) = match std::str::from_utf8(left) {
                Ok(text) => (text.len(), Some(0)),
                Err(e) => (e.valid_up_to(), e.error_len()),
            };
            self.valid += left[..valid].iter().filter(|b| **b >= 0xc0).count();
            (left, at) = (&left[valid..], at + valid);
            match bad {
                None => {
                    self.rest = left.to_vec();
                    return;
                }
                Some(n) => {
                    if n > 0 {
                        self.invalid += 1;
                        self.first.get_or_insert(at);
                    }
                    (left, at) = (&left[n..], at + n);
                }
            }
        }
    }

    /// Where the first bytes are that are not UTF-8, a character without its end at the end of the file among them.
    fn broken(&self) -> Option<usize> {
        self.first.or_else(|| (!self.rest.is_empty()).then(|| self.total - self.rest.len()))
    }

    /// The encoding of Unicode's that it is, if it is one.
    fn encoding(&self) -> Option<&'static Encoding> {
        let [even, odd] = self.zeros;
        // plain text in UTF-16: nearly every second byte is zero, and hardly any of the others
        if self.total > 3 && (even + odd) * 5 > self.total && even.min(odd) * 20 <= even.max(odd) {
            return Some(if odd > even { UTF_16LE } else { UTF_16BE });
        }
        let invalid = self.invalid + usize::from(!self.rest.is_empty());
        (invalid == 0 || self.valid * 10 > invalid).then_some(UTF_8)
    }
}

/// A file as a stream of UTF-8. What was stored as UTF-8 is passed on as it is, valid or not.
pub struct Text {
    file: File,
    decoder: Option<Decoder>,
    raw: Vec<u8>,
    /// Undecoded bytes of `raw`.
    left: std::ops::Range<usize>,
    out: Vec<u8>,
    at: usize,
    ended: bool,
    done: Rc<Cell<u64>>,
}

impl Text {
    /// Opens a file for reading from its beginning; `done` counts the bytes that were read of it.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: &Path, survey: Survey, done: Rc<Cell<u64>>) -> Result<Self> {
        let mut file = super::open(path)?;
        let mut mark = [0; 3];
        fill(&mut file, &mut mark[..survey.mark]).map_err(|e| Error::io(path, e))?;
        let decoder = (survey.encoding != UTF_8).then(|| survey.encoding.new_decoder_without_bom_handling());
        Ok(Self { file, decoder, raw: vec![0; CHUNK], left: 0..0, out: Vec::new(), at: 0, ended: false, done })
    }

    fn more(&mut self) -> io::Result<()> {
        self.at = 0;
        self.out.clear();
        while self.out.is_empty() && !(self.ended && self.left.is_empty() && self.decoder.is_none()) {
            if self.left.is_empty() && !self.ended {
                let n = fill(&mut self.file, &mut self.raw)?;
                self.done.set(self.done.get() + n as u64);
                self.left = 0..n;
                self.ended = n < self.raw.len();
            }
            let Some(decoder) = &mut self.decoder else {
                self.out.extend_from_slice(&self.raw[self.left.clone()]);
                self.left = 0..0;
                return Ok(());
            };
            let raw = &self.raw[self.left.clone()];
            self.out.resize(raw.len() * 3 + 16, 0);
            let (result, read, written) = decoder.decode_to_utf8_without_replacement(raw, &mut self.out, self.ended);
            self.out.truncate(written);
            self.left.start += read;
            match result {
                DecoderResult::Malformed(..) => {
                    let name = self.decoder.take().map_or("", |d| d.encoding().name());
                    self.left = 0..0;
                    self.ended = true;
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        say!(
                            "looks like {name} but is not throughout; save the file as UTF-8",
                            "sembra {name} ma non lo è dappertutto; salva il file in UTF-8"
                        ),
                    ));
                }
                DecoderResult::InputEmpty if self.ended => self.decoder = None,
                _ => {}
            }
        }
        Ok(())
    }
}

impl BufRead for Text {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.out.len() {
            self.more()?;
        }
        Ok(&self.out[self.at..])
    }

    fn consume(&mut self, n: usize) {
        self.at += n;
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let n = ready.len().min(buffer.len());
        buffer[..n].copy_from_slice(&ready[..n]);
        self.consume(n);
        Ok(n)
    }
}

/// An error of [`Text`] on a line.
pub fn failure(path: &Path, line: usize, e: io::Error) -> Error {
    if e.kind() == io::ErrorKind::InvalidData { Error::row(path, line, e.to_string()) } else { Error::io(path, e) }
}

/// What is said of a line or a row that is too long.
pub fn too_long() -> String {
    say!(
        "is longer than {} MiB, which no example is; is a line end or a closing quote missing?",
        "supera {} MiB, più di qualsiasi esempio; manca una fine di riga o una virgoletta di chiusura?",
        LONGEST >> 20
    )
}

/// What is said of a NUL byte.
pub fn nul() -> String {
    say!("holds a NUL byte, which no text does; the file is damaged", "contiene un byte NUL, che in un testo non c’è mai; il file è danneggiato")
}

/// What is said of bytes that are not text, by the first of them.
pub fn not_utf8(byte: u8) -> String {
    say!(
        "is not valid UTF-8, unlike the rest of the file (byte 0x{byte:02X}); correct the line, or save the whole file as UTF-8",
        "non è UTF-8 valido, a differenza del resto del file (byte 0x{byte:02X}); correggi la riga, oppure salva tutto il file in UTF-8"
    )
}

/// The column of a byte of a line as an editor counts, in characters from 1. The line is in UTF-8, whatever its file is in.
pub fn column(line: &[u8], byte: usize) -> usize {
    let before = &line[..byte.min(line.len())];
    before.utf8_chunks().map(|chunk| chunk.valid().chars().count()).sum::<usize>() + 1
}

/// The lines of a text, numbered from 1.
pub struct Lines<'a> {
    text: Text,
    path: &'a Path,
    line: Vec<u8>,
    number: usize,
}

impl<'a> Lines<'a> {
    /// Numbers the lines of a text.
    pub fn new(path: &'a Path, text: Text) -> Self {
        Self { text, path, line: Vec::new(), number: 0 }
    }

    /// The next line with its number, without its end; inside, what is wrong with it alone.
    ///
    /// # Errors
    /// If the file cannot be read on.
    #[allow(clippy::type_complexity)]
    pub fn next(&mut self) -> Result<Option<(usize, Result<&str>)>> {
        self.line.clear();
        self.number += 1;
        let (mut any, mut long) = (false, false);
        loop {
            let ready = self.text.fill_buf().map_err(|e| failure(self.path, self.number, e))?;
            if ready.is_empty() {
                break;
            }
            any = true;
            let end = ready.iter().position(|b| *b == b'\n');
            let part = &ready[..end.unwrap_or(ready.len())];
            long |= self.line.len() + part.len() > LONGEST;
            if !long {
                self.line.extend_from_slice(part);
            }
            let n = end.map_or(ready.len(), |e| e + 1);
            self.text.consume(n);
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        let wrong = |what: String| Err(Error::row(self.path, self.number, what));
        if long {
            return Ok(Some((self.number, wrong(too_long()))));
        }
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        let at = |byte: usize, what: String| wrong(what).map_err(|e| e.at_column(column(line, byte)));
        let line = match std::str::from_utf8(line) {
            Ok(text) => match text.find('\0') {
                Some(byte) => at(byte, nul()),
                None => Ok(text),
            },
            Err(e) => at(e.valid_up_to(), not_utf8(line[e.valid_up_to()])),
        };
        Ok(Some((self.number, line)))
    }
}
