//! The lines of fastText: labels that begin with `__label__`, then the text.

use super::text::Lines;
use super::{Record, Sink};
use crate::error::Result;

/// What every label begins with.
const MARK: &str = "__label__";

/// Whether a line is one of these.
pub fn is_line(line: &str) -> bool {
    line.starts_with(MARK)
}

/// Reads every line as a record of `label` and `text`; several labels are a list.
///
/// # Errors
/// If the file cannot be read, or the sink refuses a row.
pub fn read(mut lines: Lines<'_>, sink: Sink<'_>) -> Result<()> {
    while let Some((number, line)) = lines.next()? {
        match line {
            Ok(line) if line.trim().is_empty() => {}
            line => sink(line.map(|line| record(number, line)))?,
        }
    }
    Ok(())
}

fn record(number: usize, line: &str) -> Record {
    let (mut labels, mut rest) = (Vec::new(), line.trim());
    while let Some(after) = rest.strip_prefix(MARK) {
        let (label, text) = after.split_once(char::is_whitespace).unwrap_or((after, ""));
        labels.push(label);
        rest = text.trim_start();
    }
    let label = match labels.as_slice() {
        [] => None,
        [one] => Some((*one).to_string()),
        several => Some(serde_json::json!(several).to_string()),
    };
    let fields = label.map(|l| ("label".to_string(), l)).into_iter().chain([("text".to_string(), rest.to_string())]);
    Record { line: number, part: None, fields: fields.collect() }
}
