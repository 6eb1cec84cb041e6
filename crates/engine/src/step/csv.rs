//! Texts with separated values (RFC 4180): read into rows, and made of rows.

use std::collections::HashSet;

use csv::{ReaderBuilder, StringRecord, Terminator, WriterBuilder};
use domain::limit;
use serde_json::{Map, Value};

use super::{kind_of, text};

/// Returns the rows of a text. Each has as many values as the first one: a row that is cut off, or
/// a separator that is another one, is told rather than guessed around.
pub(crate) fn read(config: &Map<String, Value>) -> Result<Value, String> {
    let content = text(config.get("text"));
    // Programs for spreadsheets put this mark before everything; it is no part of a name.
    let content = content.strip_prefix('\u{feff}').unwrap_or(&content);
    let mut reader = ReaderBuilder::new()
        .delimiter(separator(config))
        .has_headers(false)
        .flexible(true)
        .from_reader(content.as_bytes());
    let mut columns: Option<Vec<String>> = None;
    let mut width = None;
    let mut rows = Vec::new();
    let mut record = StringRecord::new();
    while reader
        .read_record(&mut record)
        .map_err(|error| format!("The text is not CSV: {error}."))?
    {
        let line = record.position().map_or(0, csv::Position::line);
        let wanted = *width.get_or_insert(record.len());
        if record.len() != wanted {
            return Err(format!(
                "The row in line {line} has {}, the first one has {wanted}. Check the separator and the quotes.",
                values(record.len())
            ));
        }
        if columns.is_none() && has_names(config) {
            columns = Some(named(&record, line)?);
            continue;
        }
        if rows.len() >= limit::LOOP_ITEMS {
            return Err(format!(
                "The text has more than {} rows. Send it in parts.",
                limit::LOOP_ITEMS
            ));
        }
        rows.push(match &columns {
            Some(columns) => {
                let named = columns.iter().cloned().zip(record.iter().map(Value::from));
                Value::Object(named.collect())
            }
            None => record.iter().map(Value::from).collect(),
        });
    }
    let count = rows.len();
    Ok(Value::from_iter([
        ("rows", Value::from(rows)),
        ("columns", columns.unwrap_or_default().into()),
        ("count", count.into()),
    ]))
}

/// Returns the text of rows.
pub(crate) fn write(config: &Map<String, Value>) -> Result<Value, String> {
    let rows = match config.get("rows") {
        Some(Value::Array(rows)) => rows,
        other => {
            return Err(format!(
                "Rows must be a list, and it is {}.",
                kind_of(other.unwrap_or(&Value::Null))
            ));
        }
    };
    let chosen = text(config.get("columns"));
    let mut columns: Vec<&str> = chosen.lines().map(str::trim).collect();
    columns.retain(|name| !name.is_empty());
    if columns.is_empty() {
        let mut seen = HashSet::new();
        let names = rows.iter().filter_map(Value::as_object).flat_map(Map::keys);
        columns.extend(names.map(String::as_str).filter(|name| seen.insert(*name)));
    }
    let mut writer = WriterBuilder::new()
        .delimiter(separator(config))
        .terminator(Terminator::CRLF)
        // Each row is checked here, with words that say which.
        .flexible(true)
        .from_writer(Vec::new());
    let mut put = |values: Vec<String>| {
        let written = writer.write_record(&values);
        written.map_err(|error| format!("The CSV cannot be made: {error}."))
    };
    if has_names(config) && !columns.is_empty() {
        put(columns.iter().map(|name| (*name).to_owned()).collect())?;
    }
    for (number, row) in rows.iter().enumerate() {
        match row {
            Value::Object(row) => {
                let values = columns.iter().map(|name| text(row.get(*name)));
                put(values.collect())?;
            }
            Value::Array(values) if columns.is_empty() => {
                put(values.iter().map(|value| text(Some(value))).collect())?;
            }
            Value::Array(row) if row.len() == columns.len() => {
                put(row.iter().map(|value| text(Some(value))).collect())?;
            }
            Value::Array(row) => {
                return Err(format!(
                    "Row {} has {} for {} columns.",
                    number + 1,
                    values(row.len()),
                    columns.len()
                ));
            }
            other => {
                return Err(format!(
                    "Row {} must be an object or a list, and it is {}.",
                    number + 1,
                    kind_of(other)
                ));
            }
        }
    }
    let made = writer.into_inner().map_err(|error| error.to_string())?;
    if made.len() > limit::RESULT_BYTES {
        return Err(format!(
            "The CSV would be larger than {} MiB. Make it in parts.",
            limit::RESULT_BYTES / (1024 * 1024)
        ));
    }
    let made = String::from_utf8(made).map_err(|error| error.to_string())?;
    Ok(Value::from_iter([
        ("text", Value::from(made)),
        ("count", rows.len().into()),
    ]))
}

/// Returns the names in the first row. Each stands once: of two values with one name, the later
/// would take the place of the other.
fn named(record: &StringRecord, line: u64) -> Result<Vec<String>, String> {
    let mut names = Vec::with_capacity(record.len());
    for name in record {
        let name = name.trim().to_owned();
        if name.is_empty() {
            return Err(format!(
                "Column {} has no name in line {line}. Name it, or read the first row as values.",
                names.len() + 1
            ));
        }
        if names.contains(&name) {
            return Err(format!("Two columns are called `{name}` in line {line}."));
        }
        names.push(name);
    }
    Ok(names)
}

fn separator(config: &Map<String, Value>) -> u8 {
    match config.get("separator").and_then(Value::as_str) {
        Some(";") => b';',
        Some("tab") => b'\t',
        Some("|") => b'|',
        _ => b',',
    }
}

fn has_names(config: &Map<String, Value>) -> bool {
    config.get("first_row").and_then(Value::as_str) != Some("values")
}

fn values(count: usize) -> String {
    match count {
        1 => "1 value".to_owned(),
        count => format!("{count} values"),
    }
}
