//! What a schema says of a single value: its type, its bounds, what it may be.

use serde_json::{Map, Value};

use super::shape::list;

/// Keywords that are kept as they are when they have the right type.
const KEPT: [&str; 6] = [
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "pattern",
    "minProperties",
];

/// Returns the type that a value is to have, told or inferred from the other keywords. Of several
/// a text goes first, which every scalar can be typed as.
pub(super) fn type_of(object: &Map<String, Value>) -> Option<Value> {
    let known =
        |name: &str| ["string", "number", "integer", "boolean", "array", "object"].contains(&name);
    match object.get("type") {
        Some(Value::String(name)) => return known(name).then(|| name.as_str().into()),
        Some(Value::Array(names)) => {
            let names = names
                .iter()
                .filter_map(Value::as_str)
                .filter(|name| known(name));
            let mut names: Vec<&str> = names.collect();
            names.sort_by_key(|name| *name != "string");
            names.dedup();
            return match names[..] {
                [] => None,
                [name] => Some(name.into()),
                _ => Some(names.into()),
            };
        }
        _ => {}
    }
    inferred(object).map(Value::from)
}

fn inferred(object: &Map<String, Value>) -> Option<&'static str> {
    let has = |keys: &[&str]| keys.iter().any(|key| object.contains_key(*key));
    let has_alternatives = has(&["oneOf", "anyOf"]);
    if has(&["properties"]) || has(&["additionalProperties"]) && !has_alternatives {
        return Some("object");
    }
    // Beside alternatives it may say something of one of them only.
    if has(&["items"]) && !has_alternatives {
        return Some("array");
    }
    let option = object.get("const").or_else(|| object.get("enum")?.get(0));
    match option {
        Some(Value::String(_)) => Some("string"),
        Some(Value::Bool(_)) => Some("boolean"),
        Some(Value::Number(number)) if number.is_f64() => Some("number"),
        Some(Value::Number(_)) => Some("integer"),
        _ if has(&["pattern", "maxLength", "minLength"]) => Some("string"),
        _ => None,
    }
}

/// Returns whether `null` is taken as well: said by a keyword in 3.0, by a type in 3.1.
pub(super) fn is_nullable(object: &Map<String, Value>) -> bool {
    object.get("nullable") == Some(&Value::Bool(true))
        || object.get("x-nullable") == Some(&Value::Bool(true))
        || list(object, "type").any(|name| name == "null")
}

/// Returns whether a schema takes nothing but `null`.
pub(super) fn is_null(schema: &Value) -> bool {
    let is_null = |key: &str| schema.get(key).is_some_and(|value| value == "null");
    is_null("type") || schema.get("const") == Some(&Value::Null)
}

/// Returns a value as the type wants it: descriptions quote numbers and forget the quotes of texts.
/// `None` when it cannot be of that type.
pub(super) fn fitted(value: &Value, kind: &str) -> Option<Value> {
    match (kind, value) {
        ("string", Value::Number(_) | Value::Bool(_)) => Some(value.to_string().into()),
        ("string", Value::Array(_) | Value::Object(_)) => None,
        ("boolean", Value::String(text)) => text.parse::<bool>().ok().map(Value::from),
        ("boolean", other) => other.is_boolean().then(|| other.clone()),
        ("integer" | "number", Value::String(text)) => {
            serde_json::from_str(text).ok().filter(Value::is_number)
        }
        ("integer" | "number", other) => other.is_number().then(|| other.clone()),
        ("array" | "object", _) => None,
        _ => Some(value.clone()),
    }
}

/// Defaults and examples are kept when they are short.
pub(super) fn is_small(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => text.len() <= 200,
        Value::Array(_) | Value::Object(_) => {
            let text = value.to_string();
            // A reference in an example would be taken for one of the schema.
            text.len() <= 200 && !text.contains("$ref")
        }
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// Bounds: in 3.0 `exclusiveMinimum` says something of `minimum`, in 3.1 it is a bound itself.
pub(super) fn read_bounds(object: &Map<String, Value>, shaped: &mut Map<String, Value>) {
    for key in KEPT {
        let fits = |value: &&Value| value.is_u64() || key == "pattern" && value.is_string();
        if let Some(value) = object.get(key).filter(fits) {
            shaped.insert(key.to_owned(), value.clone());
        }
    }
    let is_whole = shaped.get("type").is_some_and(|name| name == "integer");
    for (key, exclusive, step) in [
        ("minimum", "exclusiveMinimum", 1),
        ("maximum", "exclusiveMaximum", -1),
    ] {
        let inclusive = object.get(key).filter(|bound| bound.is_number());
        let (bound, is_open) = match object.get(exclusive) {
            Some(Value::Bool(true)) => (inclusive, true),
            Some(bound @ Value::Number(_)) => (Some(bound), true),
            _ => (inclusive, false),
        };
        let Some(bound) = bound else { continue };
        let next = bound.as_i64().filter(|_| is_open && is_whole);
        if let Some(next) = next.and_then(|bound| bound.checked_add(step)) {
            shaped.insert(key.to_owned(), next.into());
            continue;
        }
        let key = if is_open { exclusive } else { key };
        shaped.insert(key.to_owned(), bound.clone());
    }
}
