//! Lists of a Parquet file that would not fit into memory. A value that is repeated takes a few bits of a page however
//! often it stands there, so neither the size of the file nor that of its unpacked pages bounds a row with lists. Where
//! rows begin is read off the repetition levels alone, before the library makes values of the row.

use parquet::basic::{Encoding, Type};
use parquet::column::page::Page;
use parquet::errors::Result;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use say::say;

/// Most values of all lists of a row.
const VALUES: u64 = 1 << 20;

/// What is wrong with a file of which a row has lists with too many values, or with more than `most` bytes; `None` if none has.
///
/// # Errors
/// If a page cannot be read.
pub fn excess<R: ChunkReader + 'static>(file: &SerializedFileReader<R>, most: u64) -> Result<Option<String>> {
    for (number, group) in file.metadata().row_groups().iter().enumerate() {
        // the largest row of each column need not be one row, but for honest files that makes no difference
        let (mut values, mut bytes) = (0, 0);
        for (i, column) in group.columns().iter().enumerate() {
            let lies = column.column_descr();
            if lies.max_rep_level() == 0 {
                continue;
            }
            let width = match lies.physical_type() {
                Type::BYTE_ARRAY => None,
                Type::FIXED_LEN_BYTE_ARRAY => Some(u64::try_from(lies.type_length()).unwrap_or(0)),
                _ => Some(8),
            };
            let mut row = Row { dictionary: width.unwrap_or(0), ..Row::default() };
            let mut pages = file.get_row_group(number)?.get_column_page_reader(i)?;
            while let Some(page) = pages.get_next_page()? {
                row.page(&page, width.is_none(), lies.max_rep_level().unsigned_abs());
            }
            values += row.values.max(row.most_values);
            bytes += row.bytes.max(row.most_bytes);
        }
        if values > VALUES {
            return Ok(Some(say!(
                "has a row whose lists hold more than {VALUES} values, which is refused; split the row",
                "ha una riga le cui liste contengono più di {VALUES} valori, troppi; dividi la riga"
            )));
        }
        if bytes > most {
            return Ok(Some(say!(
                "has a row whose lists hold more than {} MiB, which is refused; split the row",
                "ha una riga le cui liste contengono più di {} MiB, troppi; dividi la riga",
                most >> 20
            )));
        }
    }
    Ok(None)
}

/// The row of a column that is being read, and the largest until now.
#[derive(Default)]
struct Row {
    /// Bytes of the longest value that pages name by number.
    dictionary: u64,
    values: u64,
    bytes: u64,
    most_values: u64,
    most_bytes: u64,
}

impl Row {
    fn page(&mut self, page: &Page, strings: bool, most: u16) {
        let (levels, count) = match page {
            Page::DictionaryPage { buf, .. } => {
                if strings {
                    self.dictionary = longest(buf);
                }
                return;
            }
            Page::DataPage { buf, num_values, rep_level_encoding: Encoding::RLE, .. } => (sized(buf).unwrap_or_default(), *num_values),
            Page::DataPageV2 { buf, num_values, rep_levels_byte_len, .. } => (buf.get(..*rep_levels_byte_len as usize).unwrap_or_default(), *num_values),
            // levels of a fixed number of bits, which older programs wrote, take as much room as there are
            Page::DataPage { buf, num_values, .. } => {
                self.add(u64::from(*num_values), 0, buf.len() as u64);
                return;
            }
        };
        let whole = page.buffer().len() as u64;
        let (each, once) = match page.encoding() {
            Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY => (self.dictionary, 0),
            // each may begin with all that stood before it
            Encoding::DELTA_BYTE_ARRAY => (whole, 0),
            _ => (0, whole),
        };
        // a row that goes on from the page before may have all of this one
        self.add(0, 0, once);
        let bits = u16::BITS - most.leading_zeros();
        for (begins, n) in (Levels { bytes: levels, bits, left: u64::from(count), packed: 0 }) {
            if begins {
                self.begin();
                self.add(1, each, once);
                if n > 1 {
                    // rows of one value each
                    self.begin();
                    self.add(1, each, once);
                }
            } else {
                self.add(n, each, 0);
            }
        }
    }

    fn begin(&mut self) {
        self.most_values = self.most_values.max(self.values);
        self.most_bytes = self.most_bytes.max(self.bytes);
        (self.values, self.bytes) = (0, 0);
    }

    fn add(&mut self, values: u64, each: u64, once: u64) {
        self.values = self.values.saturating_add(values);
        self.bytes = self.bytes.saturating_add(values.saturating_mul(each)).saturating_add(once);
    }
}

/// The length of the longest of values that stand after their lengths.
fn longest(mut bytes: &[u8]) -> u64 {
    let mut longest = 0;
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length);
        longest = longest.max(u64::from(length));
        bytes = rest.get(length as usize..).unwrap_or_default();
    }
    longest
}

/// The bytes whose number stands before them.
fn sized(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.get(..u32::from_le_bytes(*length) as usize)
}

/// Repetition levels in Parquet's mixture of runs and packed bits: whether a value begins a row, and for how many that holds.
struct Levels<'a> {
    bytes: &'a [u8],
    bits: u32,
    /// Values of the page that are still to come.
    left: u64,
    /// Values that are still to come packed, the next of them at the beginning of `bytes` but for whole groups.
    packed: u64,
}

impl Levels<'_> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// The next of a group of eight packed values.
    fn packed(&mut self) -> Option<u64> {
        let at = (8 - (self.packed - 1) % 8 - 1) as u32 * self.bits;
        let bit = |b: u32| self.bytes.get((b / 8) as usize).map(|byte| u64::from(byte >> (b % 8) & 1));
        let value = (0..self.bits).try_fold(0, |value, b| Some(value | bit(at + b)? << b))?;
        self.packed -= 1;
        if self.packed.is_multiple_of(8) {
            // eight values of so many bits are so many bytes
            self.bytes = self.bytes.get(self.bits as usize..)?;
        }
        Some(value)
    }
}

impl Iterator for Levels<'_> {
    type Item = (bool, u64);

    fn next(&mut self) -> Option<(bool, u64)> {
        while self.left > 0 {
            if self.packed > 0 {
                self.left -= 1;
                return Some((self.packed()? == 0, 1));
            }
            let head = self.varint()?;
            if head & 1 == 1 {
                self.packed = (head >> 1).checked_mul(8)?;
                continue;
            }
            let value = self.bytes.get(..self.bits.div_ceil(8) as usize)?;
            let begins = value.iter().all(|b| *b == 0);
            self.bytes = &self.bytes[value.len()..];
            let n = (head >> 1).min(self.left);
            self.left -= n;
            if n > 0 {
                return Some((begins, n));
            }
        }
        None
    }
}
