//! The readers of data files, compiled from their source, and what must hold of each for any bytes: no
//! panic; every message names the file and, where it names a line, one that can exist; examples come in
//! the order of their lines.
#![allow(dead_code)]

#[path = "../../crates/data/src/error.rs"]
mod error;
#[path = "../../crates/data/src/example.rs"]
mod example;
#[path = "../../crates/data/src/kind.rs"]
mod kind;
#[path = "../../crates/data/src/part.rs"]
mod part;
#[path = "../../crates/data/src/read/mod.rs"]
mod read;

use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Once};

/// A folder in memory where there is one: the readers open files.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = base.join(format!("lapidary-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
});

/// Lets the library for Parquet panic on a damaged file: the reader catches that, where libFuzzer's own hook would
/// end the process. What this crate asserts still ends it, for nobody catches that.
static CAUGHT: Once = Once::new();

/// Columns that nobody names, that are named, that are numbered, and that lie within others.
const COLUMNS: [&str; 4] =
    ["", "text=a,label=b,entities=b,question=a,sql=b,hashtags=b,prompt=a,completion=b", "text=1,label=2,entities=4", "text=a.b,label=c.d.0"];

/// Reads bytes as a file with one of these endings. The first byte chooses ending, task and columns, so that each
/// input is one case.
pub fn read(endings: &[&str], data: &[u8]) {
    let Some((&choice, data)) = data.split_first() else { return };
    let mut choice = usize::from(choice);
    let mut choose = |of: usize| {
        let chosen = choice % of;
        choice /= of;
        chosen
    };
    let ending = endings[choose(endings.len())];
    if ending == "parquet" {
        CAUGHT.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    }
    let kind = kind::Kind::ALL[choose(kind::Kind::ALL.len())];
    let columns = read::Columns::parse(COLUMNS[choose(COLUMNS.len())]).expect("columns");
    let name = format!("x.{ending}");
    let path = FOLDER.join(&name);
    std::fs::write(&path, data).expect("written");
    // UTF-16 has line ends of two bytes, older encodings of one: there are never more lines than this
    let lines = data.iter().filter(|b| **b == b'\n').count() + 1;
    match read::examples(&path, kind, &columns) {
        Ok(examples) => {
            assert!(examples.is_sorted_by_key(|e| e.origin.line));
            let rows = examples.iter().map(|e| e.origin.line).max().unwrap_or(0);
            assert!(ending == "parquet" || rows <= lines);
        }
        Err(e) => {
            let message = e.to_string();
            let rest = &message[message.find(&name).expect("the message names the file") + name.len()..];
            if let Some(number) = rest.strip_prefix(':').and_then(|r| r.split(':').next()).and_then(|n| n.parse::<usize>().ok()) {
                assert!(number >= 1 && (ending == "parquet" || number <= lines));
            }
        }
    }
}

/// Writes small Parquet files as seeds, one for each compression: nothing but a writer of Parquet makes them.
///
/// # Panics
/// If the folder cannot be written.
pub fn parquet_seeds(folder: &Path) {
    use parquet::basic::Compression;
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::{properties::WriterProperties, writer::SerializedFileWriter};
    use std::sync::Arc;
    std::fs::create_dir_all(folder).expect("a folder");
    let schema = "message rows { required binary text (UTF8); optional binary label (UTF8); required int64 n; \
                  optional group tags (LIST) { repeated group list { required binary element (UTF8); } } }";
    let schema = Arc::new(parquet::schema::parser::parse_message_type(schema).expect("a schema"));
    let packed =
        [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::GZIP(Default::default()), Compression::ZSTD(Default::default()), Compression::LZ4_RAW];
    for (number, compression) in packed.into_iter().enumerate() {
        let mut bytes = vec![0];
        let properties = Arc::new(WriterProperties::builder().set_compression(compression).build());
        let mut writer = SerializedFileWriter::new(&mut bytes, schema.clone(), properties).expect("a writer");
        let mut group = writer.next_row_group().expect("a group");
        let values: [ByteArray; 2] = ["Anna è qui".into(), "#due #tre".into()];
        let mut column = group.next_column().expect("no error").expect("text");
        column.typed::<ByteArrayType>().write_batch(&values, None, None).expect("written");
        column.close().expect("closed");
        let mut column = group.next_column().expect("no error").expect("label");
        column.typed::<ByteArrayType>().write_batch(&values[1..], Some(&[1, 0]), None).expect("written");
        column.close().expect("closed");
        let mut column = group.next_column().expect("no error").expect("n");
        column.typed::<Int64Type>().write_batch(&[1, -2], None, None).expect("written");
        column.close().expect("closed");
        let mut column = group.next_column().expect("no error").expect("tags");
        column.typed::<ByteArrayType>().write_batch(&values, Some(&[2, 2, 0]), Some(&[0, 1, 0])).expect("written");
        column.close().expect("closed");
        group.close().expect("closed");
        writer.close().expect("closed");
        for choice in 0..20 {
            bytes[0] = choice;
            std::fs::write(folder.join(format!("seed{number}-{choice}")), &bytes).expect("written");
        }
    }
}
