//! A reader for GGUF, the single-file format of llama.cpp, over a memory map.
//!
//! The file is: magic, version, counts, key/value metadata, tensor descriptions, padding, data.
//! Everything that the header says is checked against the length of the file when it is opened, so
//! later reads cannot run out of bounds, and a damaged header costs no more memory than the file is
//! long. The format is described in ggml's `docs/gguf.md`.

use crate::error::{Error, Result};
use crate::quant::Storage;
use say::say;
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A metadata value. Arrays of numbers are kept as `f64`, which holds every value that GGUF
/// tokenizers and configurations use exactly.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Any integer.
    Int(i128),
    /// Any float.
    Float(f64),
    /// A flag.
    Bool(bool),
    /// A string.
    Str(String),
    /// An array of strings.
    Strings(Vec<String>),
    /// An array of numbers or flags.
    Numbers(Vec<f64>),
}

/// Where a tensor lies and what it holds.
#[derive(Clone, Debug)]
pub struct Info {
    /// Shape in row-major order (GGUF lists the innermost dimension first; this is reversed).
    pub shape: Vec<usize>,
    /// How the values are stored.
    pub storage: Storage,
    /// Bytes within the file.
    pub bytes: Range<usize>,
}

/// An open GGUF file.
#[derive(Debug)]
pub struct Gguf {
    path: PathBuf,
    map: memmap2::Mmap,
    header: Header,
}

/// What the front of a GGUF file says.
#[derive(Debug, Default)]
pub struct Header {
    /// Metadata by key.
    pub metadata: HashMap<String, Value>,
    /// Tensors by GGUF name.
    pub tensors: HashMap<String, Info>,
    /// Where each pair of the metadata lies in the file, key and type included, in the order of the file.
    pub pairs: Vec<(String, Range<usize>)>,
}

/// Tensors begin at multiples of this, unless the file says otherwise.
pub const ALIGNMENT: usize = 32;

impl Gguf {
    /// Opens and checks a file.
    ///
    /// # Errors
    /// If the file cannot be read, is not GGUF version 2 or 3, is truncated, or describes tensors
    /// that lie outside it or are of an unsupported type.
    pub fn open(path: &Path) -> Result<Self> {
        let map = crate::file::map(path).map_err(|e| Error::io(path, e))?;
        let header = parse(&map).map_err(|what| Error::format(path, what))?;
        Ok(Self { path: path.into(), map, header })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// The parsed header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// A tensor's description and bytes.
    pub fn tensor(&self, name: &str) -> Option<(&Info, &[u8])> {
        let info = self.header.tensors.get(name)?;
        Some((info, self.map.get(info.bytes.clone())?))
    }

    /// Gives back the memory in which a tensor was read, see [`crate::file::forget`].
    pub fn forget(&self, name: &str) {
        if let Some(info) = self.header.tensors.get(name) {
            crate::file::forget(&self.map, info.bytes.clone());
        }
    }
}

impl Header {
    /// Tensors begin at multiples of this.
    pub fn alignment(&self) -> usize {
        self.int("general.alignment").unwrap_or(ALIGNMENT)
    }

    /// An integer in the metadata that fits a `usize`.
    pub fn int(&self, key: &str) -> Option<usize> {
        match self.metadata.get(key)? {
            Value::Int(i) => usize::try_from(*i).ok(),
            _ => None,
        }
    }

    /// A number in the metadata.
    pub fn float(&self, key: &str) -> Option<f64> {
        match self.metadata.get(key)? {
            Value::Float(f) => Some(*f),
            Value::Int(i) => Some(*i as f64),
            _ => None,
        }
    }

    /// A string in the metadata.
    pub fn str(&self, key: &str) -> Option<&str> {
        match self.metadata.get(key)? {
            Value::Str(s) => Some(s),
            _ => None,
        }
    }
}

/// Parses the front of a GGUF file; `data` is the whole file. The error is a sentence without the
/// file's name. Public for the fuzzer.
///
/// # Errors
/// If anything the header says contradicts the format or the length of `data`.
pub fn parse(data: &[u8]) -> std::result::Result<Header, String> {
    let mut r = Reader { data, at: 0 };
    if r.take(4).ok() != Some(b"GGUF".as_slice()) {
        return Err(say!(
            "not a GGUF file (it does not begin with the letters GGUF); choose a .gguf file or a Hugging Face folder",
            "non è un file GGUF (non comincia con le lettere GGUF); scegli un file .gguf o una cartella Hugging Face"
        ));
    }
    let version = r.u32()?;
    if !(2..=3).contains(&version) {
        return Err(say!(
            "GGUF version {version} is not supported (2 and 3 are); convert the file with a current llama.cpp",
            "GGUF versione {version} non è supportato (2 e 3 lo sono); converti il file con un llama.cpp recente"
        ));
    }
    let (tensors, pairs) = (r.u64()?, r.u64()?);
    let mut header = Header::default();
    for _ in 0..pairs {
        let begin = r.at;
        let key = r.string()?;
        let kind = r.u32()?;
        let value = r.value(kind)?;
        header.pairs.push((key.clone(), begin..r.at));
        header.metadata.insert(key, value);
    }
    let mut described = Vec::new();
    for _ in 0..tensors {
        let name = r.string()?;
        let rank = r.u32()?;
        if !(1..=4).contains(&rank) {
            return Err(say!(
                "tensor `{name}` has {rank} dimensions, 1 to 4 are possible; the file is damaged, fetch it again",
                "il tensore `{name}` ha {rank} dimensioni, ne sono possibili da 1 a 4; il file è danneggiato, scaricalo di nuovo"
            ));
        }
        let mut shape = Vec::new();
        for _ in 0..rank {
            shape.push(usize::try_from(r.u64()?).map_err(|_| damaged(&say!("a dimension is too large", "una dimensione è troppo grande")))?);
        }
        shape.reverse();
        let kind = r.u32()?;
        let offset = r.u64()?;
        described.push((name, shape, kind, offset));
    }
    let alignment = header.alignment();
    if !alignment.is_power_of_two() || alignment > 1 << 20 {
        return Err(damaged(&say!("the alignment is not a power of two", "l’allineamento non è una potenza di due")));
    }
    let start = r.at.checked_next_multiple_of(alignment).ok_or_else(|| damaged(&say!("the header is too long", "l’intestazione è troppo lunga")))?;
    for (name, shape, kind, offset) in described {
        let storage = Storage::from_ggml(kind).ok_or_else(|| {
            say!(
                "tensor `{name}` is stored as ggml type {kind}, which is not supported; use a file in F32, F16, BF16, Q8_0, Q5_0, Q5_1, Q4_0, Q4_1, Q4_K, Q5_K or Q6_K",
                "il tensore `{name}` è nel tipo ggml {kind}, che non è supportato; usa un file in F32, F16, BF16, Q8_0, Q5_0, Q5_1, Q4_0, Q4_1, Q4_K, Q5_K o Q6_K"
            )
        })?;
        let row = *shape.last().unwrap_or(&0);
        let values = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        let length = values.filter(|_| row % storage.block().0 == 0).and_then(|n| storage.bytes(n));
        let length = length.ok_or_else(|| {
            say!(
                "tensor `{name}` of shape {shape:?} does not fill whole {storage:?} blocks; the file is damaged, fetch it again",
                "il tensore `{name}` di forma {shape:?} non riempie blocchi {storage:?} interi; il file è danneggiato, scaricalo di nuovo"
            )
        })?;
        let begin = usize::try_from(offset).ok().and_then(|o| start.checked_add(o));
        let range = begin.and_then(|b| Some(b..b.checked_add(length)?)).filter(|r| r.end <= data.len());
        let bytes = range.ok_or_else(|| {
            say!(
                "tensor `{name}` lies beyond the end of the file ({} bytes): the file is truncated or damaged, fetch it again",
                "il tensore `{name}` sta oltre la fine del file ({} byte): il file è incompleto o danneggiato, scaricalo di nuovo",
                data.len()
            )
        })?;
        if header.tensors.insert(name.clone(), Info { shape, storage, bytes }).is_some() {
            return Err(damaged(&say!("tensor `{name}` is listed twice", "il tensore `{name}` è elencato due volte")));
        }
    }
    Ok(header)
}

fn damaged(what: &str) -> String {
    say!("{what}: the file is truncated or damaged, fetch it again", "{what}: il file è incompleto o danneggiato, scaricalo di nuovo")
}

struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> std::result::Result<&'a [u8], String> {
        let end = self.at.checked_add(n).filter(|&e| e <= self.data.len());
        let end =
            end.ok_or_else(|| damaged(&say!("the header ends early, at byte {}", "l’intestazione finisce troppo presto, al byte {}", self.data.len())))?;
        let out = &self.data[self.at..end];
        self.at = end;
        Ok(out)
    }

    fn array<const N: usize>(&mut self) -> std::result::Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| damaged(&say!("the header ends early", "l’intestazione finisce troppo presto")))
    }

    fn u32(&mut self) -> std::result::Result<u32, String> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> std::result::Result<u64, String> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn string(&mut self) -> std::result::Result<String, String> {
        let n = usize::try_from(self.u64()?).map_err(|_| damaged(&say!("a string is too long", "una stringa è troppo lunga")))?;
        let at = self.at;
        let bytes = self.take(n)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| damaged(&say!("the string at byte {at} is not UTF-8", "la stringa al byte {at} non è UTF-8")))
    }

    fn value(&mut self, kind: u32) -> std::result::Result<Value, String> {
        Ok(match kind {
            0 => Value::Int(self.array::<1>()?[0].into()),
            1 => Value::Int(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Int(u16::from_le_bytes(self.array()?).into()),
            3 => Value::Int(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Int(self.u32()?.into()),
            5 => Value::Int(i32::from_le_bytes(self.array()?).into()),
            6 => Value::Float(f32::from_le_bytes(self.array()?).into()),
            7 => Value::Bool(self.array::<1>()?[0] != 0),
            8 => Value::Str(self.string()?),
            9 => self.array_value()?,
            10 => Value::Int(self.u64()?.into()),
            11 => Value::Int(i64::from_le_bytes(self.array()?).into()),
            12 => Value::Float(f64::from_le_bytes(self.array()?)),
            _ => return Err(damaged(&say!("metadata of unknown type {kind} at byte {}", "metadati di tipo sconosciuto {kind} al byte {}", self.at))),
        })
    }

    fn array_value(&mut self) -> std::result::Result<Value, String> {
        let kind = self.u32()?;
        let n = self.u64()?;
        if kind == 9 {
            return Err(damaged(&say!("an array of arrays in the metadata", "una lista di liste nei metadati")));
        }
        // the count is only a claim: nothing is reserved before its bytes have been seen
        if kind == 8 {
            let mut out = Vec::new();
            for _ in 0..n {
                out.push(self.string()?);
            }
            return Ok(Value::Strings(out));
        }
        let mut out = Vec::new();
        for _ in 0..n {
            out.push(match self.value(kind)? {
                Value::Int(i) => i as f64,
                Value::Float(f) => f,
                Value::Bool(b) => f64::from(u8::from(b)),
                Value::Str(_) | Value::Strings(_) | Value::Numbers(_) => {
                    return Err(damaged(&say!("a mixed array in the metadata", "una lista mista nei metadati")));
                }
            });
        }
        Ok(Value::Numbers(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> Vec<u8> {
        let file = "../../tests/reference/tiny/tiny-f32.gguf";
        std::fs::read(file).expect("tests/reference/tiny/tiny-f32.gguf is checked in")
    }

    #[test]
    fn every_truncation_is_refused_with_a_reason() {
        let whole = tiny();
        let header = parse(&whole).expect("the tiny file is well-formed");
        assert!(header.tensors.contains_key("token_embd.weight"));
        for cut in (0..whole.len()).step_by(997).chain([1, 3, 4, 7, 8, 23, 24, whole.len() - 1]) {
            let error = parse(&whole[..cut]).expect_err("a truncated file must not open");
            assert!(error.contains("fetch it again") || error.contains("not a GGUF"), "{cut}: {error}");
        }
    }

    #[test]
    fn absurd_counts_do_not_allocate() {
        let mut file = b"GGUF".to_vec();
        file.extend(3u32.to_le_bytes());
        file.extend(u64::MAX.to_le_bytes());
        file.extend(0u64.to_le_bytes());
        assert!(parse(&file).expect_err("no tensors follow").contains("ends early"));
        let mut file = b"GGUF".to_vec();
        file.extend(3u32.to_le_bytes());
        file.extend(0u64.to_le_bytes());
        file.extend(1u64.to_le_bytes());
        file.extend(1u64.to_le_bytes());
        file.push(b'k');
        file.extend(9u32.to_le_bytes());
        file.extend(8u32.to_le_bytes());
        file.extend(u64::MAX.to_le_bytes());
        assert!(parse(&file).is_err());
    }
}
