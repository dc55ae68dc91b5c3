//! Examples as Parquet: a column for the text and one for the answer, which is a list for entities and hashtags.

use crate::example::{Example, Target};
use crate::kind::Kind;
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use std::io::{self, Write};
use std::sync::Arc;

/// Rows that are packed together, and held in memory.
const GROUP: usize = 100_000;

/// Writes examples; `go_on` is told before each group how many are written.
///
/// # Errors
/// If the disk refuses, or as `go_on`.
pub fn write(out: &mut dyn Write, kind: Kind, examples: &[&Example], go_on: &mut dyn FnMut(usize) -> io::Result<()>) -> io::Result<()> {
    let failed = |e: ParquetError| io::Error::other(e.to_string());
    // the library wants a file that another thread could have, so it fills a buffer that is emptied after every group
    let mut writer = opened(kind).map_err(failed)?;
    for (i, rows) in examples.chunks(GROUP).enumerate() {
        go_on(i * GROUP)?;
        group(&mut writer, rows).map_err(failed)?;
        out.write_all(&std::mem::take(writer.inner_mut()))?;
    }
    out.write_all(&writer.into_inner().map_err(failed)?)
}

fn opened(kind: Kind) -> Result<SerializedFileWriter<Vec<u8>>> {
    let [reads, answers] = kind.roles().map(|r| r.name());
    let answer = match kind {
        Kind::Intent | Kind::Sql | Kind::Custom => format!("required binary {answers} (UTF8);"),
        Kind::Hashtags => format!("required group {answers} (LIST) {{ repeated group list {{ required binary element (UTF8); }} }}"),
        Kind::Entities => {
            let element = "required int64 start; required int64 end; required binary type (UTF8);";
            format!("required group {answers} (LIST) {{ repeated group list {{ required group element {{ {element} }} }} }}")
        }
    };
    let schema = parse_message_type(&format!("message examples {{ required binary {reads} (UTF8); {answer} }}"))?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))
}

type Group<'a> = SerializedRowGroupWriter<'a, Vec<u8>>;

fn group(writer: &mut SerializedFileWriter<Vec<u8>>, rows: &[&Example]) -> Result<()> {
    let mut group = writer.next_row_group()?;
    column::<ByteArrayType>(&mut group, rows.iter().map(|e| e.text.as_str().into()), None)?;
    let lists = |length: fn(&Target) -> usize| levels(rows.iter().map(|e| length(&e.target)));
    let spans = || rows.iter().flat_map(|e| e.spans());
    match rows.first().map(|e| e.target.kind()) {
        Some(Kind::Hashtags) => {
            let levels = lists(|t| if let Target::Tags(tags) = t { tags.len() } else { 0 });
            let tags = rows.iter().filter_map(|e| if let Target::Tags(tags) = &e.target { Some(tags) } else { None });
            column::<ByteArrayType>(&mut group, tags.flatten().map(|t| t.as_str().into()), Some(&levels))?;
        }
        Some(Kind::Entities) => {
            let levels = lists(|t| if let Target::Entities(spans) = t { spans.len() } else { 0 });
            let place = |at: usize| i64::try_from(at).unwrap_or(i64::MAX);
            column::<Int64Type>(&mut group, spans().map(|s| place(s.start)), Some(&levels))?;
            column::<Int64Type>(&mut group, spans().map(|s| place(s.end)), Some(&levels))?;
            column::<ByteArrayType>(&mut group, spans().map(|s| s.kind.as_str().into()), Some(&levels))?;
        }
        _ => {
            let one = |e: &&Example| match &e.target {
                Target::Label(s) | Target::Sql(s) | Target::Completion(s) => s.as_str().into(),
                Target::Entities(_) | Target::Tags(_) => ByteArray::default(),
            };
            column::<ByteArrayType>(&mut group, rows.iter().map(one), None)?;
        }
    }
    group.close().map(|_| ())
}

/// Writes the next column of a group; `levels` are those of the lists that its values stand in.
fn column<T: DataType>(group: &mut Group<'_>, values: impl Iterator<Item = T::T>, levels: Option<&Levels>) -> Result<()> {
    let values: Vec<T::T> = values.collect();
    let mut column = group.next_column()?.ok_or_else(|| ParquetError::General("the schema has fewer columns than the rows".into()))?;
    let (definition, repetition) = levels.map(|l| (l.definition.as_slice(), l.repetition.as_slice())).unzip();
    column.typed::<T>().write_batch(&values, definition, repetition)?;
    column.close()
}

/// Where lists begin, and which are empty, as Parquet says it.
struct Levels {
    /// 1 for a value, 0 for an empty list.
    definition: Vec<i16>,
    /// 0 for the first of a list, 1 for those after it.
    repetition: Vec<i16>,
}

fn levels(lengths: impl Iterator<Item = usize>) -> Levels {
    let mut out = Levels { definition: Vec::new(), repetition: Vec::new() };
    for length in lengths {
        out.definition.extend(std::iter::repeat_n(i16::from(length > 0), length.max(1)));
        out.repetition.extend((0..length.max(1)).map(|i| i16::from(i > 0)));
    }
    out
}
