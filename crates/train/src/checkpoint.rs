//! Checkpoints on disk: written in the background, never half, and checked when read.
//!
//! A checkpoint is one safetensors file named after its step, with the counters and SHA-256s of the
//! tensors and of the counters in its metadata. It appears under its name only when it is complete; the last two are kept, so
//! that a disk which loses the newest in a power cut still has the one before. It is written and read a tensor at a time:
//! one of a full fine-tuning holds several times the model.

use crate::health::Guard;
use crate::state::{Earlier, Matrix, Progress, Snapshot};
use gemma::lora::{Named, TensorFile};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use say::say;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;

/// How many checkpoints are kept.
const KEPT: usize = 2;

/// Writes checkpoints on a thread of its own.
pub struct Writer {
    send: Option<mpsc::SyncSender<Snapshot>>,
    failures: mpsc::Receiver<String>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// A writer into a folder, which is made at the first checkpoint.
    pub fn new(folder: PathBuf) -> Self {
        // one may wait while one is written; a disk slower than that slows the training instead of filling memory
        let (send, receive) = mpsc::sync_channel::<Snapshot>(1);
        let (report, failures) = mpsc::channel();
        let work = move || {
            for snapshot in receive {
                if let Err(e) = write(&folder, &snapshot) {
                    // the other end lives as long as this thread is waited for
                    let _ = report.send(e);
                }
            }
        };
        Self { send: Some(send), failures, thread: Some(std::thread::spawn(work)) }
    }

    /// Hands over a checkpoint; returns what went wrong with earlier ones.
    pub fn submit(&self, snapshot: Snapshot) -> Vec<String> {
        let gone = self.send.as_ref().is_none_or(|s| s.send(snapshot).is_err());
        let mut out: Vec<String> = self.failures.try_iter().collect();
        if gone {
            out.push(say!(
                "the thread that writes checkpoints has ended; free some memory and resume the run",
                "il thread che scrive i checkpoint è terminato; libera memoria e riprendi l’esecuzione"
            ));
        }
        out
    }

    /// Waits until everything is on disk; returns what went wrong. Nothing can be submitted afterwards.
    pub fn finish(&mut self) -> Vec<String> {
        self.join();
        self.failures.try_iter().collect()
    }

    fn join(&mut self) {
        self.send = None;
        if let Some(thread) = self.thread.take() {
            // a panic there has been printed, and what it did not write is missed by no one else
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.join();
    }
}

/// SHA-256 of tensors in the order of their names.
fn digest(tensors: &[&Matrix]) -> String {
    let mut hash = Sha256::new();
    for matrix in tensors {
        hash.update(matrix.name.as_bytes());
        matrix.tensor.dims().iter().for_each(|d| hash.update(d.to_le_bytes()));
        hash.update(gemma::hf::bytes(&matrix.values()));
    }
    hex(hash)
}

/// SHA-256 of what the metadata say besides, together with that of the tensors.
fn digest_of_counters(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hex(hash)
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// Writes a checkpoint and removes those that it makes superfluous.
///
/// # Errors
/// With a sentence if the disk refuses; earlier checkpoints are then still there.
pub fn write(folder: &Path, snapshot: &Snapshot) -> Result<(), String> {
    let path = folder.join(format!("step-{:08}.safetensors", snapshot.progress.steps));
    let fail = |what: String| {
        say!(
            "{}: the checkpoint could not be written ({what}); the run goes on, free some space",
            "{}: il checkpoint non si è potuto scrivere ({what}); l’addestramento prosegue, libera spazio",
            path.display()
        )
    };
    std::fs::create_dir_all(folder).map_err(|e| fail(e.to_string()))?;
    let mut tensors: Vec<&Matrix> = snapshot.tensors.iter().collect();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    let progress = serde_json::to_string(&snapshot.progress).map_err(|e| fail(e.to_string()))?;
    let guard = serde_json::to_string(&snapshot.guard).map_err(|e| fail(e.to_string()))?;
    let good = serde_json::to_string(&snapshot.good).map_err(|e| fail(e.to_string()))?;
    let sha256 = digest(&tensors);
    let counters_sha256 = digest_of_counters(&[&progress, &guard, &good, &sha256]);
    let metadata = [("progress", progress), ("guard", guard), ("good", good), ("sha256", sha256), ("counters_sha256", counters_sha256)];
    let metadata = BTreeMap::from(metadata.map(|(key, value)| (key.to_string(), value)));
    let tensors: Vec<Named> = tensors.into_iter().map(|m| (m.name.clone(), m.tensor.dims().to_vec(), m.tensor.clone())).collect();
    gemma::file::write_atomically_with(&path, |out| TensorFile::fill(out, &metadata, &tensors)).map_err(|e| fail(e.to_string()))?;
    for old in list(folder).into_iter().skip(KEPT) {
        // one that cannot be removed costs space and nothing else
        let _ = std::fs::remove_file(old);
    }
    Ok(())
}

/// The checkpoints of a folder, newest first.
pub fn list(folder: &Path) -> Vec<PathBuf> {
    let named = |p: &PathBuf| p.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("step-") && n.ends_with(".safetensors"));
    let mut out: Vec<PathBuf> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).filter(named).collect();
    out.sort();
    out.reverse();
    out
}

/// Reads a checkpoint.
///
/// # Errors
/// With a sentence if the file is damaged.
pub fn read(path: &Path) -> Result<Snapshot, String> {
    let fail = |what: String| say!("{}: is not a whole checkpoint ({what})", "{}: non è un checkpoint completo ({what})", path.display());
    let bytes = gemma::file::map(path).map_err(|e| fail(e.to_string()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| fail(e.to_string()))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| fail(e.to_string()))?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let text = |key: &str| metadata.get(key).map(String::as_str).ok_or_else(|| fail(say!("it has no {key}", "manca {key}")));
    let progress: Progress = serde_json::from_str(text("progress")?).map_err(|e| fail(e.to_string()))?;
    let guard: Guard = serde_json::from_str(text("guard")?).map_err(|e| fail(e.to_string()))?;
    // earlier versions wrote neither of the two
    let good: Option<Earlier> = metadata.get("good").map_or(Ok(None), |text| serde_json::from_str(text)).map_err(|e| fail(e.to_string()))?;
    if let Some(own) = metadata.get("counters_sha256")
        && *own != digest_of_counters(&[text("progress")?, text("guard")?, text("good")?, text("sha256")?])
    {
        return Err(fail(say!("the hash of its counters is another", "l’impronta dei suoi contatori è un’altra")));
    }
    let mut tensors = Vec::new();
    for (name, view) in file.iter() {
        let [rows, columns] = *view.shape() else { return Err(fail(say!("{name} is no matrix", "{name} non è una matrice"))) };
        if view.dtype() != Dtype::F32 {
            return Err(fail(say!("{name} is not f32", "{name} non è f32")));
        }
        let values = view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        tensors.push(Matrix::new(name.to_string(), values, [rows, columns]));
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    if metadata.get("sha256") != Some(&digest(&tensors.iter().collect::<Vec<_>>())) {
        return Err(fail(say!("its hash is another", "la sua impronta è un’altra")));
    }
    Ok(Snapshot { tensors, progress, guard, good })
}

/// The newest checkpoint that is whole, and what was wrong with newer ones.
pub fn latest(folder: &Path) -> (Option<Snapshot>, Vec<String>) {
    let mut wrong = Vec::new();
    for path in list(folder) {
        match read(&path) {
            Ok(snapshot) => return (Some(snapshot), wrong),
            Err(e) => wrong.push(e),
        }
    }
    (None, wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Best;

    fn snapshot(steps: usize) -> Snapshot {
        let tensors = vec![Matrix::new("a".into(), vec![steps as f32, f32::MIN_POSITIVE], [1, 2]), Matrix::new("b".into(), vec![-0.0, 1e30], [2, 1])];
        Snapshot {
            tensors,
            progress: Progress { steps, rate: 0.5, best: Some(Best { score: 0.1 + 0.2, loss: f64::MAX }), ..Progress::default() },
            guard: Guard::default(),
            good: Some(Earlier { steps: steps / 2, updates: 3, final_loss: 0.1 + 0.2, guard: Guard::default() }),
        }
    }

    #[test]
    fn the_last_two_are_kept_and_come_back_bit_for_bit() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut writer = Writer::new(folder.path().join("checkpoints"));
        for step in [10, 20, 30] {
            assert_eq!(writer.submit(snapshot(step)), Vec::<String>::new());
        }
        assert_eq!(writer.finish(), Vec::<String>::new());
        let folder = folder.path().join("checkpoints");
        assert_eq!(list(&folder).len(), 2);
        assert_eq!(latest(&folder), (Some(snapshot(30)), Vec::new()));
    }

    #[test]
    fn a_torn_or_altered_file_gives_way_to_the_one_before() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), &snapshot(10)).expect("writes");
        write(folder.path(), &snapshot(20)).expect("writes");
        let newest = list(folder.path()).remove(0);
        let whole = std::fs::read(&newest).expect("reads");
        for damage in [
            whole[..whole.len() - 1].to_vec(),
            {
                let mut b = whole.clone();
                let n = b.len();
                b[n - 3] ^= 1;
                b
            },
            Vec::new(),
        ] {
            std::fs::write(&newest, damage).expect("writes");
            let (found, wrong) = latest(folder.path());
            assert_eq!(found, Some(snapshot(10)));
            assert!(wrong[0].contains("step-00000020") && wrong[0].contains("not a whole checkpoint"), "{wrong:?}");
        }
    }

    #[test]
    fn altered_counters_are_noticed_and_the_file_of_an_earlier_version_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), &snapshot(20)).expect("writes");
        let path = list(folder.path()).remove(0);
        let whole = std::fs::read(&path).expect("reads");
        let swap = |bytes: &[u8], from: &str, to: &str| {
            assert_eq!(from.len(), to.len(), "the header's length is at its beginning");
            let at = bytes.windows(from.len()).position(|w| w == from.as_bytes()).unwrap_or_else(|| panic!("no {from}"));
            [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
        };
        // a digit of a counter: still JSON, and another run
        let altered = swap(&whole, r#"\"steps\":20"#, r#"\"steps\":21"#);
        std::fs::write(&path, altered).expect("writes");
        assert!(read(&path).expect_err("another run").contains("the hash of its counters is another"));
        // what earlier versions did not write is called otherwise here, as if it were not there
        let earlier = swap(&swap(&whole, "counters_sha256", "counters_sha000"), r#""good":"#, r#""gone":"#);
        std::fs::write(&path, earlier).expect("writes");
        assert_eq!(read(&path), Ok(Snapshot { good: None, ..snapshot(20) }));
    }

    #[test]
    fn a_full_disk_is_told_and_does_not_stop_the_writer() {
        let folder = tempfile::tempdir().expect("a folder");
        let blocked = folder.path().join("file");
        std::fs::write(&blocked, "not a folder").expect("writes");
        let mut writer = Writer::new(blocked);
        // whether it is known at once or at the end depends on which thread is faster
        let told = [writer.submit(snapshot(1)), writer.finish()].concat();
        assert!(matches!(&told[..], [what] if what.contains("could not be written")), "{told:?}");
    }
}
