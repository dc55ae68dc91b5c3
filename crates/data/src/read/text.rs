//! Bytes of a file into UTF-8 text: encoding, byte-order mark, and lines of bounded length.

use crate::error::{Error, Result};
use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use say::say;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::rc::Rc;

/// Longest line or row, in bytes. What is longer is no example, and must not fill the memory.
pub const LONGEST: usize = 16 << 20;
/// Bytes read at a time.
const CHUNK: usize = 1 << 16;

/// What a file is written in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Survey {
    /// The encoding.
    pub encoding: &'static Encoding,
    /// Bytes of the byte-order mark.
    mark: usize,
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
    let mut seen = Seen::default();
    let mut chunk = vec![0; CHUNK];
    loop {
        let n = fill(&mut file, &mut chunk).map_err(|e| Error::io(path, e))?;
        if seen.total == 0
            && let Some((encoding, mark)) = Encoding::for_bom(&chunk[..n])
        {
            return Ok(Survey { encoding, mark });
        }
        seen.add(&chunk[..n]);
        if n < CHUNK {
            break;
        }
    }
    let encoding = match seen.encoding() {
        Some(encoding) => encoding,
        None => older(path)?,
    };
    Ok(Survey { encoding, mark: 0 })
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
    /// The end of the last chunk, where it may be a character cut in two.
    rest: Vec<u8>,
}

impl Seen {
    fn add(&mut self, chunk: &[u8]) {
        for (i, _) in chunk.iter().enumerate().filter(|(_, b)| **b == 0) {
            self.zeros[(self.total + i) % 2] += 1;
        }
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
            left = &left[valid..];
            match bad {
                None => {
                    self.rest = left.to_vec();
                    return;
                }
                Some(n) => {
                    self.invalid += usize::from(n > 0);
                    left = &left[n..];
                }
            }
        }
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

/// What is said of bytes that are not text.
pub fn not_utf8() -> String {
    say!(
        "is not valid UTF-8, unlike the rest of the file; correct the line, or save the whole file as UTF-8",
        "non è UTF-8 valido, a differenza del resto del file; correggi la riga, oppure salva tutto il file in UTF-8"
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
            Err(e) => at(e.valid_up_to(), not_utf8()),
        };
        Ok(Some((self.number, line)))
    }
}
