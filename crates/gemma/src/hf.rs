//! Weights of a Hugging Face folder: one `model.safetensors`, or shards with an index, memory-mapped.

use crate::error::{Error, Result};
use crate::quant::Storage;
use safetensors::{Dtype, SafeTensors};
use say::say;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Where a tensor lies and what it holds.
#[derive(Clone, Debug)]
struct Info {
    shard: usize,
    shape: Vec<usize>,
    storage: Storage,
    bytes: Range<usize>,
}

/// The open safetensors files of a folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    shards: Vec<(PathBuf, memmap2::Mmap)>,
    tensors: HashMap<String, Info>,
}

impl Folder {
    /// Opens `model.safetensors`, or every file that `model.safetensors.index.json` names.
    ///
    /// # Errors
    /// If a file is missing, truncated, damaged, or holds a tensor twice.
    pub fn open(path: &Path) -> Result<Self> {
        let mut out = Self { path: path.into(), shards: Vec::new(), tensors: HashMap::new() };
        let index = path.join("model.safetensors.index.json");
        if index.exists() {
            let text = std::fs::read_to_string(&index).map_err(|e| Error::io(&index, e))?;
            let json: serde_json::Value = serde_json::from_str(&text)
                .map_err(|e| Error::format(&index, say!("not valid JSON ({e}); fetch it again", "JSON non valido ({e}); scaricalo di nuovo")))?;
            let map = json["weight_map"]
                .as_object()
                .ok_or_else(|| Error::format(&index, say!("has no `weight_map`; fetch it again", "non ha `weight_map`; scaricalo di nuovo")))?;
            let mut names: Vec<&str> = map.values().filter_map(|v| v.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                // an index is data from elsewhere: it must not reach outside its folder
                if name.contains('\\') || Path::new(name).file_name() != Some(OsStr::new(name)) {
                    return Err(Error::format(
                        &index,
                        say!(
                            "names a shard outside its folder (`{name}`); do not trust this model",
                            "nomina una parte fuori dalla sua cartella (`{name}`); non fidarti di questo modello"
                        ),
                    ));
                }
                let file = path.join(name);
                if !file.exists() {
                    return Err(Error::format(
                        &file,
                        say!(
                            "is named by model.safetensors.index.json but is not there; fetch the folder again",
                            "è nominato da model.safetensors.index.json ma non c’è; scarica di nuovo la cartella"
                        ),
                    ));
                }
                out.add(&file)?;
            }
            for key in map.keys() {
                if !out.tensors.contains_key(key) {
                    return Err(Error::tensor(
                        &index,
                        key,
                        say!(
                            "is listed in the index but in no shard; fetch the folder again",
                            "è elencato nell’indice ma non è in nessuna parte; scarica di nuovo la cartella"
                        ),
                    ));
                }
            }
        } else {
            out.add(&path.join("model.safetensors"))?;
        }
        Ok(out)
    }

    fn add(&mut self, file: &Path) -> Result<()> {
        let map = crate::file::map(file).map_err(|e| Error::io(file, e))?;
        let parsed = parse(&map).map_err(|what| Error::format(file, what))?;
        let shard = self.shards.len();
        for (name, shape, storage, bytes) in parsed {
            if self.tensors.insert(name.clone(), Info { shard, shape, storage, bytes }).is_some() {
                return Err(Error::tensor(file, name, say!("is in two shards; fetch the folder again", "è in due parti; scarica di nuovo la cartella")));
            }
        }
        self.shards.push((file.into(), map));
        Ok(())
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The weight files, in order of name.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.shards.iter().map(|(p, _)| p.as_path())
    }

    /// The file that holds a tensor.
    pub fn file(&self, name: &str) -> Option<&Path> {
        self.tensors.get(name).map(|info| self.shards[info.shard].0.as_path())
    }

    /// Names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Shape, storage and bytes of a tensor.
    pub fn tensor(&self, name: &str) -> Option<(&[usize], Storage, &[u8])> {
        let info = self.tensors.get(name)?;
        let bytes = self.shards[info.shard].1.get(info.bytes.clone())?;
        Some((&info.shape, info.storage, bytes))
    }

    /// Gives back the memory in which a tensor was read, see [`crate::file::forget`].
    pub fn forget(&self, name: &str) {
        if let Some(info) = self.tensors.get(name) {
            crate::file::forget(&self.shards[info.shard].1, info.bytes.clone());
        }
    }
}

/// What precedes the values in a safetensors file of `f32` tensors that follow each other in this order.
pub fn header<'a>(tensors: impl Iterator<Item = (&'a str, &'a [usize])>, metadata: &BTreeMap<String, String>) -> Vec<u8> {
    let mut fields = serde_json::Map::new();
    if !metadata.is_empty() {
        fields.insert("__metadata__".into(), serde_json::json!(metadata));
    }
    let mut at = 0usize;
    for (name, shape) in tensors {
        let end = at + 4 * shape.iter().product::<usize>();
        fields.insert(name.into(), serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [at, end]}));
        at = end;
    }
    let mut text = serde_json::Value::Object(fields).to_string().into_bytes();
    // so that values begin where a processor likes to read them
    text.resize(text.len().next_multiple_of(8), b' ');
    [&(text.len() as u64).to_le_bytes()[..], &text].concat()
}

/// Values as files hold them, four bytes each, the lowest first.
pub fn bytes(values: &[f32]) -> Vec<u8> {
    let mut out = vec![0; 4 * values.len()];
    out.chunks_exact_mut(4).zip(values).for_each(|(bytes, value)| bytes.copy_from_slice(&value.to_le_bytes()));
    out
}

/// A tensor of a safetensors file: name, shape, storage, bytes within the file.
pub type Entry = (String, Vec<usize>, Storage, Range<usize>);

/// Parses a safetensors file; tensors of types that no model weight has (integers, booleans) are
/// left out. Public for the fuzzer.
///
/// # Errors
/// If the header contradicts itself or the length of `data`.
pub fn parse(data: &[u8]) -> std::result::Result<Vec<Entry>, String> {
    let file = SafeTensors::deserialize(data)
        .map_err(|e| say!("not a complete safetensors file ({e}); fetch it again", "non è un file safetensors completo ({e}); scaricalo di nuovo"))?;
    let mut out = Vec::new();
    for (name, view) in file.iter() {
        let storage = match view.dtype() {
            Dtype::F32 => Storage::F32,
            Dtype::F16 => Storage::F16,
            Dtype::BF16 => Storage::BF16,
            _ => continue,
        };
        let begin = view.data().as_ptr() as usize - data.as_ptr() as usize;
        out.push((name.to_string(), view.shape().to_vec(), storage, begin..begin + view.data().len()));
    }
    Ok(out)
}
