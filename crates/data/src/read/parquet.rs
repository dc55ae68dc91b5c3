//! Parquet, row by row. The file says how large it is before anything is unpacked; a file that would
//! unpack into more than a machine should give to it is refused on that, and so is a row whose lists would ([`super::lists`]).

use super::{Progress, Record, Sink, lists};
use crate::error::{Error, Result};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use say::say;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Most rows of a file.
const ROWS: i64 = 50_000_000;
/// Most bytes of all its pages, unpacked.
const UNPACKED: u64 = 8 << 30;
/// Most bytes of the largest pages of all columns, unpacked: what is in memory at once.
const AT_ONCE: u64 = 256 << 20;
/// Bytes that the rows which are passed on may take in memory, or so many times the file if that is more: a few packed bytes
/// can repeat one long value many times, and no honest file is as dense.
const PASSED_ON: u64 = 512 << 20;
const DENSE: u64 = 100;
/// Bytes of a page's description.
const PAGE_HEADER: u64 = 1 << 16;
/// Bytes of the description of the whole file.
const FOOTER: u64 = 64 << 20;
/// The encoding of pages whose values are written as what differs from the one before (DELTA_BYTE_ARRAY).
const PREFIXED: i64 = 7;
/// Where the description of a page says its encoding, by version.
const ENCODINGS: [u64; 2] = [inside(5, 2), inside(8, 4)];
/// The largest page of that encoding, and how many rows are then read at once: each value may be as long as the page.
const PREFIXED_PAGE: u64 = 8 << 20;
const PREFIXED_ROWS: usize = 32;
/// What a row takes in memory beside its fields: its list of them, its place, and the example that is made of it.
const ROW: u64 = 192;
/// What a field takes beside the letters of its name and its value: two strings, and what the allocator keeps of each.
const FIELD: u64 = 80;
/// How deep columns may be nested: the library goes down by recursion, and would leave the stack.
const DEEP: usize = 32;
/// Bytes of a note beside the rows; names of classes take a few thousand.
const NOTE: usize = 1 << 20;

/// Reads every row as a record, numbered from 1 where other formats have lines. Lists and groups are
/// passed on as JSON. `progress` gets the rows done and the rows there are.
///
/// # Errors
/// If the file is damaged or too large, or the sink refuses a row.
pub fn read(path: &Path, progress: Progress<'_>, sink: Sink<'_>) -> Result<()> {
    let damaged = |what: String| {
        Error::file(path, say!("is not a readable Parquet file: {what}; export it again", "non è un file Parquet leggibile: {what}; esportalo di nuovo"))
    };
    let (file, mut again) = (super::open(path)?, super::open(path)?);
    // the library is sound but may panic on a damaged file, which is no reason to take the application down
    let whole = || -> Result<()> {
        match deepest(&mut again).map_err(|e| Error::io(path, e))? {
            None => return Err(damaged(say!("it does not end with the description of its columns", "non finisce con la descrizione delle sue colonne"))),
            Some(depth) if depth > DEEP => {
                return Err(Error::file(
                    path,
                    say!(
                        "has columns nested {depth} levels deep, more than the {DEEP} that are read; flatten them",
                        "ha colonne annidate per {depth} livelli, più dei {DEEP} che si leggono; appiattiscile"
                    ),
                ));
            }
            Some(_) => {}
        }
        let reader = SerializedFileReader::new(file).map_err(|e| damaged(e.to_string()))?;
        distinct(path, reader.metadata())?;
        let (total, prefixed) = bounded(path, &mut again, reader.metadata())?;
        if let Some(what) = lists::excess(&reader, AT_ONCE).map_err(|e| damaged(e.to_string()))? {
            return Err(Error::file(path, what));
        }
        let rows = reader.get_row_iter(None).map_err(|e| damaged(e.to_string()))?;
        let rows = if prefixed { rows.with_batch_size(PREFIXED_ROWS) } else { rows };
        let classes = classes(reader.metadata());
        let text = |name: &String, field: &Field| {
            let value = value(field);
            super::plain(match classes.get(name) {
                Some(names) => named(value, names),
                None => value,
            })
        };
        let most = PASSED_ON.max(super::size(path)?.saturating_mul(DENSE));
        let mut passed_on = 0;
        for (i, row) in rows.enumerate() {
            let row = row.map_err(|e| damaged(say!("row {}: {e}", "riga {}: {e}", i + 1)))?;
            let fields: Vec<(String, String)> = row.get_column_iter().filter_map(|(name, field)| Some((name.clone(), text(name, field)?))).collect();
            passed_on += ROW + fields.iter().map(|(name, v)| FIELD + (name.len() + v.len()) as u64).sum::<u64>();
            if passed_on > most {
                return Err(Error::row(
                    path,
                    i + 1,
                    say!(
                        "the rows up to here take more than {} MiB, {DENSE} times the file or more, which is refused; export it again, or delete what repeats",
                        "le righe fino a qui occupano più di {} MiB, almeno {DENSE} volte il file, troppi; esportalo di nuovo, o elimina ciò che si ripete",
                        most >> 20
                    ),
                ));
            }
            if i % 1000 == 0 {
                progress(i as u64, total);
            }
            sink(Ok(Record { line: i + 1, part: None, fields }))?;
        }
        Ok(())
    };
    catch_unwind(AssertUnwindSafe(whole)).unwrap_or_else(|_| Err(damaged(say!("its parts contradict each other", "le sue parti si contraddicono"))))
}

/// Names of the classes of columns that hold only their numbers, as the `datasets` library of Hugging Face notes them beside
/// the rows: a label called 3 would say nothing to anybody.
fn classes(metadata: &ParquetMetaData) -> HashMap<String, Vec<String>> {
    let note = metadata.file_metadata().key_value_metadata().and_then(|notes| notes.iter().find(|n| n.key == "huggingface")?.value.as_deref());
    let note: Option<Value> = note.filter(|note| note.len() <= NOTE).and_then(|note| serde_json::from_str(note).ok());
    let features = note.as_ref().and_then(|note| note.get("info")?.get("features")?.as_object());
    let names = |feature: &Value| -> Option<Vec<String>> {
        // of a list, those of what it lists
        let one = feature.get("feature").unwrap_or(feature);
        one.get("names")?.as_array()?.iter().map(|name| name.as_str().map(String::from)).collect()
    };
    features.into_iter().flatten().filter_map(|(column, feature)| Some((column.clone(), names(feature)?))).collect()
}

/// A value with the names of classes instead of their numbers; a number that has no name stays.
fn named(value: Value, names: &[String]) -> Value {
    match value {
        Value::Array(list) => list.into_iter().map(|value| named(value, names)).collect(),
        value => match value.as_u64().and_then(|number| names.get(usize::try_from(number).ok()?)) {
            Some(name) => name.as_str().into(),
            None => value,
        },
    }
}

/// Refuses a file with two columns of one name: nobody knows which is meant.
fn distinct(path: &Path, metadata: &ParquetMetaData) -> Result<()> {
    let mut names = HashSet::new();
    match metadata.file_metadata().schema().get_fields().iter().find(|field| !names.insert(field.name())) {
        Some(field) => Err(Error::file(
            path,
            say!(
                "has several columns called `{:.40}`; give each column its own name",
                "ha più colonne di nome `{:.40}`; dai a ogni colonna un nome diverso",
                field.name()
            ),
        )),
        None => Ok(()),
    }
}

/// How deep the columns of a file are nested; `None` if its description cannot be read.
fn deepest(file: &mut File) -> std::io::Result<Option<usize>> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut tail = [0; 8];
    if length < 12 {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(length - 8))?;
    file.read_exact(&mut tail)?;
    let [a, b, c, d, mark @ ..] = tail;
    let size = u64::from(u32::from_le_bytes([a, b, c, d]));
    if &mark != b"PAR1" || size > FOOTER || size > length - 8 {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(length - 8 - size))?;
    let mut bytes = Vec::new();
    file.take(size).read_to_end(&mut bytes)?;
    Ok(Thrift { bytes: &bytes }.nesting())
}

/// Refuses a file that is too large; else its number of rows, and whether values are written as what differs from the
/// one before.
fn bounded(path: &Path, file: &mut File, metadata: &ParquetMetaData) -> Result<(u64, bool)> {
    let rows = metadata.file_metadata().num_rows();
    let refuse = |what: String| Err(Error::file(path, say!("{what}, which is refused; split the file", "{what}, troppo; dividi il file")));
    if !(0..=ROWS).contains(&rows) {
        return refuse(say!("says that it has {rows} rows", "dichiara {rows} righe"));
    }
    let length = file.metadata().map_err(|e| Error::io(path, e))?.len();
    let (mut unpacked, mut prefixed) = (0, false);
    for group in metadata.row_groups() {
        let mut at_once = 0;
        for column in group.columns() {
            let (start, bytes) = column.byte_range();
            let end = start.checked_add(bytes).filter(|end| *end <= length);
            let Some(end) = end else {
                return Err(Error::file(
                    path,
                    say!(
                        "is not a readable Parquet file: a column lies outside the file; fetch it again",
                        "non è un file Parquet leggibile: una colonna esce dal file; scaricalo di nuovo"
                    ),
                ));
            };
            let mut largest = 0;
            let mut at = start;
            while at < end {
                let header = page_header(file, at, end).map_err(|e| Error::io(path, e))?;
                let Some(header) = header else {
                    return Err(Error::file(
                        path,
                        say!(
                            "is not a readable Parquet file: no page at byte {at}; export it again",
                            "non è un file Parquet leggibile: al byte {at} non c’è una pagina; esportalo di nuovo"
                        ),
                    ));
                };
                if header.prefixed && header.unpacked > PREFIXED_PAGE {
                    return refuse(say!(
                        "has a page of {} MiB of texts that share their beginnings",
                        "ha una pagina di {} MiB di testi che condividono l’inizio",
                        header.unpacked >> 20
                    ));
                }
                prefixed |= header.prefixed;
                unpacked += header.unpacked;
                largest = largest.max(header.unpacked);
                at = header.end;
            }
            at_once += largest;
        }
        if unpacked > UNPACKED || at_once > AT_ONCE {
            return refuse(say!(
                "has {} MiB that unpack into {} MiB or more",
                "ha {} MiB che decompressi ne occupano almeno {}",
                length.div_ceil(1 << 20),
                unpacked >> 20
            ));
        }
    }
    Ok((rows.unsigned_abs(), prefixed))
}

/// A page's size, and where it ends.
struct Page {
    unpacked: u64,
    /// Its values are written as what differs from the one before, so that each may be as long as all of them together.
    prefixed: bool,
    end: u64,
}

/// Reads the description of the page at a place: in Thrift's compact protocol a struct whose fields 2
/// and 3 are the sizes. `None` if there is none.
fn page_header(file: &mut File, at: u64, end: u64) -> std::io::Result<Option<Page>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take((end - at).min(PAGE_HEADER)).read_to_end(&mut bytes)?;
    let mut thrift = Thrift { bytes: &bytes };
    let mut sizes = [None; 2];
    // a negative size is none
    let mut prefixed = false;
    let whole = thrift.structure(0, &mut |field, number| match field {
        2 | 3 => sizes[field as usize - 2] = u64::try_from(number).ok(),
        field => prefixed |= ENCODINGS.contains(&field) && number == PREFIXED,
    });
    let (Some(()), [Some(unpacked), Some(packed)]) = (whole, sizes) else { return Ok(None) };
    let header = (bytes.len() - thrift.bytes.len()) as u64;
    let page_end = at.checked_add(header).and_then(|b| b.checked_add(packed)).filter(|e| *e <= end);
    Ok(page_end.map(|end| Page { unpacked, prefixed, end }))
}

/// The number that a field of a struct in a field has here; fields are below a hundred.
const fn inside(outer: u64, inner: u64) -> u64 {
    outer.saturating_mul(1000).saturating_add(inner)
}

/// The little of Thrift's compact protocol that passes over a struct.
struct Thrift<'a> {
    bytes: &'a [u8],
}

impl Thrift<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn skip(&mut self, n: u64) -> Option<()> {
        self.bytes = self.bytes.get(usize::try_from(n).ok()?..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// The next field of a struct: its number, reckoned from that of the one before, and its kind; 0 ends the struct.
    fn field(&mut self, before: u64) -> Option<(u64, u8)> {
        let head = self.byte()?;
        let distance = u64::from(head >> 4);
        let field = if head != 0 && distance == 0 { self.varint()? >> 1 } else { before.checked_add(distance)? };
        Some((field, head & 0x0f))
    }

    /// A struct, until its end; `number` hears of its own whole numbers and, if it is the outermost one, of those of the
    /// structs in it.
    fn structure(&mut self, depth: usize, number: &mut dyn FnMut(u64, i64)) -> Option<()> {
        let mut field = 0_u64;
        loop {
            let kind;
            (field, kind) = self.field(field)?;
            match kind {
                0 => return Some(()),
                5 => {
                    let zigzag = self.varint()?;
                    number(field, (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64));
                }
                12 if depth == 0 => self.structure(1, &mut |inner, n| number(inside(field, inner), n))?,
                _ => self.value(kind, depth)?,
            }
        }
    }

    /// Length and kind of a list.
    fn list(&mut self) -> Option<(u64, u8)> {
        let head = self.byte()?;
        let n = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
        Some((n, head & 0x0f))
    }

    /// In the description of a file, how deep the tree of its columns is: field 2 lists its nodes, each before its
    /// children, whose number is the node's field 5.
    fn nesting(&mut self) -> Option<usize> {
        let mut field = 0;
        loop {
            let kind;
            (field, kind) = self.field(field)?;
            match (field, kind) {
                (2, 9) => break,
                (_, 0) => return None,
                _ => self.value(kind, 0)?,
            }
        }
        let (nodes, 12) = self.list()? else { return None };
        // children still to come, of each node on the way down
        let (mut open, mut deepest) = (Vec::new(), 0);
        for _ in 0..nodes {
            while open.last() == Some(&0) {
                open.pop();
            }
            if let Some(left) = open.last_mut() {
                *left -= 1;
            }
            let mut children = 0;
            self.structure(1, &mut |field, number| {
                if field == 5 {
                    children = number.max(0)
                }
            })?;
            if children > 0 {
                open.push(children);
            }
            deepest = deepest.max(open.len());
        }
        Some(deepest)
    }

    fn value(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > 8 {
            return None;
        }
        match kind {
            1 | 2 => Some(()),
            3 => self.skip(1),
            4..=6 => self.varint().map(|_| ()),
            7 => self.skip(8),
            8 => {
                let n = self.varint()?;
                self.skip(n)
            }
            9 | 10 => {
                let (n, kind) = self.list()?;
                // booleans in a list take a byte each
                (0..n).try_for_each(|_| if matches!(kind, 1 | 2) { self.skip(1) } else { self.value(kind, depth + 1) })
            }
            12 => self.structure(depth + 1, &mut |_, _| {}),
            _ => None,
        }
    }
}

/// A field as JSON, so that lists look as they do in the other formats.
fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(v) => (*v).into(),
        Field::Byte(v) => (*v).into(),
        Field::Short(v) => (*v).into(),
        Field::Int(v) => (*v).into(),
        Field::Long(v) => (*v).into(),
        Field::UByte(v) => (*v).into(),
        Field::UShort(v) => (*v).into(),
        Field::UInt(v) => (*v).into(),
        Field::ULong(v) => (*v).into(),
        Field::Float(v) => (*v).into(),
        Field::Double(v) => (*v).into(),
        Field::Str(v) => v.as_str().into(),
        Field::Bytes(v) => match v.as_utf8() {
            Ok(text) => text.into(),
            Err(_) => Value::Null,
        },
        Field::Group(row) => Value::Object(row.get_column_iter().map(|(k, v)| (k.clone(), value(v))).collect()),
        Field::ListInternal(list) => Value::Array(list.elements().iter().map(value).collect()),
        Field::MapInternal(map) => Value::Object(map.entries().iter().map(|(k, v)| (super::plain(value(k)).unwrap_or_default(), value(v))).collect()),
        other => other.to_string().into(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::example::Target;
    use crate::kind::Kind;
    use crate::read::{Columns, each, examples};
    use parquet::basic::{Compression, ZstdLevel};
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::metadata::KeyValue;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use std::sync::Arc;

    /// A file with a column per name, each with the same number of rows, and everything packed.
    fn write(path: &Path, columns: &[(&str, Vec<ByteArray>)]) {
        let fields: String = columns.iter().map(|(name, _)| format!("required binary {name} (UTF8); ")).collect();
        let schema = parse_message_type(&format!("message rows {{ {fields} }}")).expect("a schema");
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).set_dictionary_page_size_limit(64 << 20).build();
        let file = File::create(path).expect("writable");
        let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).expect("a writer");
        let mut group = writer.next_row_group().expect("a group");
        for (_, values) in columns {
            let mut column = group.next_column().expect("no error").expect("a column");
            column.typed::<ByteArrayType>().write_batch(values, None, None).expect("written");
            column.close().expect("closed");
        }
        group.close().expect("closed");
        writer.close().expect("closed");
    }

    /// The bytes of a file of so many equal rows.
    pub fn repeated(rows: usize) -> Vec<u8> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("x.parquet");
        write(&path, &[("text", vec!["è già così".into(); rows]), ("label", vec!["a".into(); rows])]);
        std::fs::read(path).expect("readable")
    }

    #[test]
    fn rows_are_read_and_numbered() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("x.parquet");
        write(&path, &[("testo", vec!["è già".into(), "due".into()]), ("hashtags", vec!["#a #b".into(), "[\"#c\"]".into()])]);
        let rows = examples(&path, Kind::Hashtags, &Columns::default()).expect("reads");
        assert_eq!((rows[0].text.as_str(), rows[1].origin.line), ("è già", 2));
        assert_eq!(rows[0].target, Target::Tags(vec!["#a".into(), "#b".into()]));
        let intent = examples(&path, Kind::Intent, &Columns::default()).expect_err("no label");
        assert!(intent.to_string().contains("the columns are `testo`, `hashtags`"), "{intent}");
    }

    #[test]
    fn classes_that_are_kept_as_numbers_have_their_names() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("x.parquet");
        let note = r#"{"info": {"features": {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": ["no", "sì"], "_type": "ClassLabel"}}}}"#;
        let notes = Some(vec![KeyValue::new("huggingface".to_string(), note.to_string())]);
        let properties = WriterProperties::builder().set_key_value_metadata(notes).build();
        let schema = Arc::new(parse_message_type("message rows { required binary text (UTF8); required int64 label; }").expect("a schema"));
        let mut writer = SerializedFileWriter::new(File::create(&path).expect("writable"), schema, Arc::new(properties)).expect("a writer");
        let mut group = writer.next_row_group().expect("a group");
        let mut column = group.next_column().expect("no error").expect("a column");
        column.typed::<ByteArrayType>().write_batch(&["uno".into(), "due".into(), "tre".into()], None, None).expect("written");
        column.close().expect("closed");
        let mut column = group.next_column().expect("no error").expect("a column");
        column.typed::<Int64Type>().write_batch(&[1, 0, -1], None, None).expect("written");
        column.close().expect("closed");
        group.close().expect("closed");
        writer.close().expect("closed");
        let rows = examples(&path, Kind::Intent, &Columns::default()).expect("reads");
        assert_eq!(rows.iter().map(|row| row.label()).collect::<Vec<_>>(), ["sì", "no", "-1"]);
    }

    /// Rows that are passed on of a small file with these texts, and why no more are.
    fn bomb(texts: Vec<ByteArray>) -> (usize, String) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("bomb.parquet");
        let labels = vec!["x".into(); texts.len()];
        write(&path, &[("text", texts), ("label", labels)]);
        assert!(std::fs::metadata(&path).expect("a file").len() < 1 << 20, "small on disk");
        let mut rows = 0;
        let refused = each(&path, Kind::Intent, &Columns::default(), &mut |_, _| {}, &mut |_, example| {
            rows += 1;
            example.map(|_| ())
        });
        (rows, refused.expect_err("must be refused").to_string())
    }

    #[test]
    fn a_value_packed_once_and_repeated_for_ever_is_refused() {
        let long = ByteArray::from(vec![b'a'; 8 << 20]);
        let (rows, message) = bomb(vec![long; 300]);
        assert!(message.contains("bomb.parquet:64: the rows up to here take more than 512 MiB") && rows == 63, "{rows}: {message}");
    }

    #[test]
    fn rows_that_hold_next_to_nothing_are_refused_when_there_are_too_many() {
        let many = 1_700_000;
        let (rows, message) = bomb(vec!["a".into(); many]);
        assert!(message.contains("the rows up to here take more than 512 MiB") && (1_400_000..many).contains(&rows), "{rows}: {message}");
    }

    /// What is large because it is, and not because it was packed, is read.
    #[test]
    fn a_file_that_repeats_itself_a_little_is_read_whole() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("x.parquet");
        let mut seed = 1_u32;
        let random = (0..8 << 20).map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b' ' + (seed >> 24) as u8 % 94
        });
        write(&path, &[("text", vec![ByteArray::from(random.collect::<Vec<u8>>()); 70]), ("label", vec!["x".into(); 70])]);
        let mut bytes = 0;
        let read = each(&path, Kind::Intent, &Columns::default(), &mut |_, _| {}, &mut |_, example| {
            bytes += example?.text.len() as u64;
            Ok(())
        });
        assert!(read.is_ok() && bytes == 70 * (8 << 20) && bytes > PASSED_ON, "{read:?}: {bytes}");
    }

    #[test]
    fn a_page_that_unpacks_into_too_much_is_refused_before_it_is_unpacked() {
        let (_, refused) = bomb(vec![ByteArray::from(vec![b'a'; 300 << 20])]);
        assert!(refused.contains("bomb.parquet: has 1 MiB that unpack into 300 MiB or more, which is refused"), "{refused}");
    }

    /// A file of one row with a list of these strings.
    fn list(path: &Path, values: &[ByteArray]) {
        let schema = "message rows { required binary text (UTF8); required group hashtags (LIST) { repeated group list { required binary element (UTF8); } } }";
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).set_dictionary_page_size_limit(64 << 20).build();
        let schema = Arc::new(parse_message_type(schema).expect("a schema"));
        let mut writer = SerializedFileWriter::new(File::create(path).expect("writable"), schema, Arc::new(properties)).expect("a writer");
        let mut group = writer.next_row_group().expect("a group");
        let mut column = group.next_column().expect("no error").expect("a column");
        column.typed::<ByteArrayType>().write_batch(&["x".into()], None, None).expect("written");
        column.close().expect("closed");
        let mut column = group.next_column().expect("no error").expect("a column");
        let repetition: Vec<i16> = (0..values.len()).map(|i| i16::from(i > 0)).collect();
        column.typed::<ByteArrayType>().write_batch(values, Some(&vec![1; values.len()]), Some(&repetition)).expect("written");
        column.close().expect("closed");
        group.close().expect("closed");
        writer.close().expect("closed");
    }

    #[test]
    fn a_list_that_unpacks_into_too_much_is_refused_before_it_is_unpacked() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("bomb.parquet");
        let refused = |values: &[ByteArray]| {
            list(&path, values);
            assert!(std::fs::metadata(&path).expect("a file").len() < 1 << 20, "small on disk");
            examples(&path, Kind::Hashtags, &Columns::default()).expect_err("must be refused").to_string()
        };
        let many = refused(&vec!["a".into(); 1_100_000]);
        assert!(many.contains("bomb.parquet: has a row whose lists hold more than 1048576 values"), "{many}");
        let long = refused(&vec![ByteArray::from(vec![b'a'; 1 << 20]); 400]);
        assert!(long.contains("bomb.parquet: has a row whose lists hold more than 256 MiB"), "{long}");
        list(&path, &vec!["#a".into(); 100_000]);
        assert!(examples(&path, Kind::Hashtags, &Columns::default()).is_ok_and(|e| matches!(&e[0].target, Target::Tags(tags) if tags.len() == 100_000)));
    }

    /// Of texts that share their beginnings only what differs is written, so that a page says each of them in a few bytes.
    #[test]
    fn texts_that_share_their_beginnings_unpack_in_bounded_memory() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("x.parquet");
        let shared = |length: usize, page: usize| {
            let schema = Arc::new(parse_message_type("message rows { required binary text (UTF8); required binary label (UTF8); }").expect("a schema"));
            let properties = WriterProperties::builder()
                .set_dictionary_enabled(false)
                .set_encoding(parquet::basic::Encoding::DELTA_BYTE_ARRAY)
                .set_data_page_size_limit(page)
                .build();
            let mut writer = SerializedFileWriter::new(File::create(&path).expect("writable"), schema, Arc::new(properties)).expect("a writer");
            let mut group = writer.next_row_group().expect("a group");
            let long = vec![b'a'; length];
            type Column = fn(&[u8], usize) -> Vec<u8>;
            let columns: [Column; 2] = [|long, i| [long, i.to_string().as_bytes()].concat(), |_, i| vec![b'x' + (i % 2) as u8]];
            for value in columns {
                let values: Vec<ByteArray> = (0..4).map(|i| value(&long, i).into()).collect();
                let mut column = group.next_column().expect("no error").expect("a column");
                column.typed::<ByteArrayType>().write_batch(&values, None, None).expect("written");
                column.close().expect("closed");
            }
            group.close().expect("closed");
            writer.close().expect("closed");
            examples(&path, Kind::Intent, &Columns::default())
        };
        assert!(shared(1000, 1 << 20).is_ok_and(|e| e.len() == 4 && e[3].text.len() == 1001 && e[3].text.ends_with("a3")));
        let refused = shared(9 << 20, 64 << 20).expect_err("must be refused").to_string();
        assert!(refused.contains("x.parquet: has a page of 9 MiB of texts that share their beginnings, which is refused"), "{refused}");
    }

    #[test]
    fn columns_of_one_name_or_nested_without_end_are_refused() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("x.parquet");
        write(&path, &[("text", vec!["uno".into()]), ("label", vec!["a".into()]), ("text", vec!["due".into()])]);
        let twice = examples(&path, Kind::Intent, &Columns::default()).expect_err("must be refused").to_string();
        assert!(twice.contains("x.parquet: has several columns called `text`"), "{twice}");
        let deep = format!("message rows {{ {} required binary text (UTF8); {} }}", "required group g { ".repeat(40), "}".repeat(40));
        let schema = Arc::new(parse_message_type(&deep).expect("a schema"));
        let mut writer = SerializedFileWriter::new(File::create(&path).expect("writable"), schema, Arc::default()).expect("a writer");
        let mut group = writer.next_row_group().expect("a group");
        let mut column = group.next_column().expect("no error").expect("a column");
        column.typed::<ByteArrayType>().write_batch(&["x".into()], None, None).expect("written");
        column.close().expect("closed");
        group.close().expect("closed");
        writer.close().expect("closed");
        let deep = examples(&path, Kind::Intent, &Columns::default()).expect_err("must be refused").to_string();
        assert!(deep.contains("x.parquet: has columns nested 41 levels deep"), "{deep}");
    }

    #[test]
    fn a_damaged_file_is_an_error_wherever_the_damage_is() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("x.parquet");
        write(&path, &[("text", vec!["uno".into(), "due".into()]), ("label", vec!["a".into(), "b".into()])]);
        let whole = std::fs::read(&path).expect("readable");
        let mut refused = 0;
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            std::fs::write(&path, &bytes).expect("writable");
            // some bytes are of no consequence; what must not happen is a panic, which would end this test
            refused += usize::from(examples(&path, Kind::Intent, &Columns::default()).is_err());
        }
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).expect("writable");
            let e = examples(&path, Kind::Intent, &Columns::default()).expect_err("a cut file").to_string();
            assert!(e.contains("x.parquet"), "{e}");
        }
        assert!(refused > whole.len() / 2, "{refused} of {}", whole.len());
    }
}
