//! A field of a form, made of a schema and the name that the service gives to the value.

use serde_json::{Map, Value};

use super::words;
use crate::connector::RESERVED;

/// Texts that may be longer than so many characters are edited in several lines.
const LINE: u64 = 300;
/// Longest help of a field, in characters.
const HELP: usize = 400;

/// Names of the fields of one action: each of its own, and fit for the address of a value.
#[derive(Debug, Default)]
pub(super) struct Names {
    taken: Vec<String>,
}

impl Names {
    /// Returns a name for what the service calls so; `place` tells it from another of that name.
    pub(super) fn give(&mut self, name: &str, place: &str) -> String {
        let mut plain: String = name
            .chars()
            .take(80)
            .map(|letter| {
                if letter.is_ascii_alphanumeric() {
                    letter
                } else {
                    '_'
                }
            })
            .collect();
        plain = plain.trim_matches('_').to_owned();
        if plain.is_empty() {
            plain = "field".to_owned();
        }
        if plain.starts_with(|first: char| first.is_ascii_digit()) {
            plain.insert(0, '_');
        }
        // Room for what makes it its own.
        plain.truncate(64);
        if RESERVED.contains(&plain.as_str()) || self.taken.contains(&plain) {
            plain = format!("{place}_{plain}");
        }
        let mut given = plain.clone();
        let mut number = 2;
        while self.taken.contains(&given) {
            given = format!("{plain}_{number}");
            number += 1;
        }
        self.taken.push(given.clone());
        given
    }
}

/// Returns the schema of a field: what its form shows beside what the value is.
pub(super) fn of(name: &str, shaped: Map<String, Value>, is_required: bool) -> Map<String, Value> {
    let mut field = Map::new();
    field.insert("title".into(), words::plain(&words::label(name), 80).into());
    let help = help(&shaped, is_required);
    if !help.is_empty() {
        field.insert("description".into(), help.into());
    }
    for (key, value) in shaped {
        match key.as_str() {
            "title" | "description" => {}
            // A default is sent by whoever has it. What the service does by itself is told instead.
            "default" if !is_required => {}
            _ => {
                field.insert(key, value);
            }
        }
    }
    let kind = field
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let is_long = field
        .get("maxLength")
        .and_then(Value::as_u64)
        .is_some_and(|most| most > LINE);
    let widget = match kind {
        "string" if is_long && !field.contains_key("enum") => "multiline",
        "object" if is_map_of_texts(&field) => "map",
        _ => return field,
    };
    field.insert("x-widget".into(), widget.into());
    field
}

/// Returns a value as it is written in a sentence.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn is_map_of_texts(field: &Map<String, Value>) -> bool {
    let properties = field.get("properties").and_then(Value::as_object);
    properties.is_none_or(Map::is_empty)
        && !field.contains_key("anyOf")
        && field
            .get("additionalProperties")
            .and_then(|schema| schema.get("type"))
            .is_some_and(|name| name == "string")
}

/// Returns the help of a field: what the description says, and what a form cannot show.
fn help(shaped: &Map<String, Value>, is_required: bool) -> String {
    let text = |key: &str| shaped.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut help = words::plain(text("description"), HELP);
    let mut add = |more: String| {
        if !help.is_empty() && !help.ends_with(['.', '…', '!', '?', ':']) {
            help.push('.');
        }
        if !help.is_empty() {
            help.push(' ');
        }
        help.push_str(&more);
    };
    let format = match text("format") {
        "date" => "A date such as 2026-01-31.",
        "date-time" => "Date and time such as 2026-01-31T09:30:00Z.",
        "time" => "A time such as 09:30:00Z.",
        "email" => "An e-mail address.",
        "uri" | "url" => "An address such as https://example.com.",
        "uuid" => "A UUID.",
        "byte" => "Base64.",
        "binary" => "The content of a file, as text.",
        _ => "",
    };
    if !format.is_empty() {
        add(format.to_owned());
    }
    if let Some(default) = shaped.get("default").filter(|_| !is_required) {
        let default = words::plain(&text_of(default), 60);
        if !default.is_empty() {
            add(format!("Without it: {default}."));
        }
    }
    let alternatives = alternatives(shaped);
    if !alternatives.is_empty() {
        add(alternatives);
    }
    help
}

/// Returns a sentence that tells between what there is to choose, of a value that can be of
/// several shapes.
pub(super) fn alternatives(shaped: &Map<String, Value>) -> String {
    let Some(all) = shaped.get("anyOf").and_then(Value::as_array) else {
        return String::new();
    };
    let mut told: Vec<String> = Vec::new();
    for alternative in all {
        let text = |key: &str| {
            alternative
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let names = |key: &str| -> Vec<&str> {
            let names = alternative
                .get(key)
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            names.filter_map(Value::as_str).take(4).collect()
        };
        let required = names("required");
        let one = match (text("title"), text("type")) {
            (title, _) if !title.is_empty() => words::label(title),
            (_, "object" | "") if !required.is_empty() => format!("with {}", required.join(", ")),
            (_, "array") => {
                let of = alternative.pointer("/items/type").and_then(Value::as_str);
                of.map_or_else(|| "a list".to_owned(), |of| format!("a list of {of}s"))
            }
            (_, "") => continue,
            (_, name) => name.to_owned(),
        };
        if !told.contains(&one) {
            told.push(one);
        }
    }
    if told.len() < 2 {
        return String::new();
    }
    let more = told.len().saturating_sub(8);
    told.truncate(8);
    let told = told.join("; ");
    if more > 0 {
        format!("One of: {told}; and {more} more.")
    } else {
        format!("One of: {told}.")
    }
}
