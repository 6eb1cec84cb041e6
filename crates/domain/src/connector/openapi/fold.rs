//! Several schemas that hold together, or of which one holds, as one.

use serde_json::{Map, Value, json};

use super::shape::{Direction, list};

/// Puts what a part of `allOf` says to what is said already: both hold.
pub(super) fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        match (key.as_str(), into.get_mut(&key)) {
            ("properties", Some(Value::Object(there))) => {
                let Value::Object(value) = value else {
                    continue;
                };
                for (name, property) in value {
                    match (there.get_mut(&name), property) {
                        (Some(Value::Object(there)), Value::Object(property)) => {
                            merge(there, property);
                        }
                        (_, property) => {
                            there.insert(name, property);
                        }
                    }
                }
            }
            ("required" | "x-hidden", Some(Value::Array(there))) => {
                let Value::Array(value) = value else { continue };
                for name in value {
                    if !there.contains(&name) {
                        there.push(name);
                    }
                }
            }
            ("enum", Some(Value::Array(there))) => {
                let Value::Array(value) = value else { continue };
                if there.iter().any(|option| value.contains(option)) {
                    there.retain(|option| value.contains(option));
                } else {
                    // They contradict each other. One of them is meant.
                    there.extend(value);
                }
            }
            ("anyOf", Some(_)) => {
                // Both lists hold at once, which cannot be told of each pair: of the second one,
                // what its alternatives have is offered.
                let Value::Array(value) = value else { continue };
                let more = value.into_iter().filter_map(|mut alternative| {
                    alternative.get_mut("properties").map(Value::take)
                });
                for properties in more {
                    merge(
                        into,
                        Map::from_iter([("properties".to_owned(), properties)]),
                    );
                }
            }
            (_, Some(_)) => {}
            (_, None) => {
                into.insert(key, value);
            }
        }
    }
}

/// Puts alternatives to what is said already. Those that a form can draw as one field become one;
/// the others stay as `anyOf`.
pub(super) fn fold(shaped: &mut Map<String, Value>, mut read: Vec<Map<String, Value>>) {
    drop_needless(&mut read);
    if read.len() == 1 {
        return merge(shaped, read.remove(0));
    }
    let mut names: Vec<&str> = Vec::new();
    for alternative in &read {
        let name = scalar_of(alternative).unwrap_or_default();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let is_scalar = !names.contains(&"");
    // A form asks for the text first: every other can be typed as one.
    names.sort_by_key(|name| *name != "string");
    match names[..] {
        [name] if is_scalar => {
            let name = Value::from(name);
            shaped.entry("type").or_insert(name);
            return fold_options(shaped, &read);
        }
        _ if is_scalar => {
            let names = Value::from(names);
            shaped.entry("type").or_insert(names);
        }
        _ => {
            let first = read[0].get("type").cloned();
            let is_same = read.iter().all(|other| other.get("type") == first.as_ref());
            if let Some(first) = first.filter(|_| is_same) {
                shaped.entry("type").or_insert(first);
            }
        }
    }
    let read: Vec<Value> = read.into_iter().map(Value::Object).collect();
    shaped.entry("anyOf").or_insert(read.into());
}

/// Returns the type of an alternative that takes one type of scalar.
fn scalar_of(alternative: &Map<String, Value>) -> Option<&str> {
    let name = alternative.get("type")?.as_str()?;
    let is_scalar = ["string", "number", "integer", "boolean"].contains(&name);
    (is_scalar && !alternative.contains_key("anyOf")).then_some(name)
}

/// Removes alternatives that say nothing new: an empty text beside something else clears a value,
/// “true” and “false” as texts are what a boolean is, and a whole number is a number.
fn drop_needless(read: &mut Vec<Map<String, Value>>) {
    let has = |read: &[Map<String, Value>], name: &str| {
        read.iter()
            .any(|alternative| scalar_of(alternative) == Some(name))
    };
    let (has_boolean, has_number) = (has(read, "boolean"), has(read, "number"));
    let is_needless = |alternative: &Map<String, Value>| match scalar_of(alternative) {
        Some("string") => {
            let mut options = list(alternative, "enum")
                .filter_map(Value::as_str)
                .peekable();
            options.peek().is_some()
                && options.all(|option| {
                    option.is_empty() || has_boolean && ["true", "false"].contains(&option)
                })
        }
        Some("integer") => has_number && !alternative.contains_key("enum"),
        _ => false,
    };
    if read.iter().any(|alternative| !is_needless(alternative)) {
        read.retain(|alternative| !is_needless(alternative));
    }
}

/// Puts the choices of alternatives of one type together.
fn fold_options(shaped: &mut Map<String, Value>, read: &[Map<String, Value>]) {
    let mut options: Vec<Value> = Vec::new();
    for option in read
        .iter()
        .flat_map(|alternative| list(alternative, "enum"))
    {
        if !options.contains(option) {
            options.push(option.clone());
        }
    }
    if read
        .iter()
        .all(|alternative| alternative.contains_key("enum"))
    {
        shaped.entry("enum").or_insert(options.into());
    } else if let Some(option) = options.into_iter().next() {
        // Some values are named, but others are taken, too.
        shaped.entry("examples").or_insert(json!([option]));
    }
}

/// Makes what is required and what is described fit each other, at every level: of what is sent, a
/// member that is required but not described is one of any kind; of an answer, it is not expected.
/// `outer` are the members that a schema around alternatives describes.
pub(super) fn complete(shaped: &mut Map<String, Value>, direction: Direction, outer: &[String]) {
    let names = |schema: &Map<String, Value>| -> Vec<String> {
        let properties = schema.get("properties").and_then(Value::as_object);
        properties
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect()
    };
    let mut known = names(shaped);
    known.extend_from_slice(outer);
    let of_alternatives: Vec<String> = list(shaped, "anyOf")
        .filter_map(Value::as_object)
        .flat_map(names)
        .collect();
    let is_known = |name: &String| known.contains(name) || of_alternatives.contains(name);
    let mut missing: Vec<String> = Vec::new();
    if let Some(Value::Array(required)) = shaped.get_mut("required") {
        let names = required
            .iter()
            .filter_map(|name| name.as_str().map(str::to_owned));
        missing = names.filter(|name| !is_known(name)).collect();
        if direction == Direction::Answered {
            required.retain(|name| !missing.iter().any(|missing| name == missing));
        }
    }
    // Of alternatives, others may describe it.
    if direction == Direction::Sent && outer.is_empty() && !missing.is_empty() {
        let properties = shaped.entry("properties").or_insert_with(|| json!({}));
        if let Value::Object(properties) = properties {
            properties.extend(missing.into_iter().map(|name| (name, json!({}))));
        }
    }
    for (key, value) in shaped.iter_mut() {
        match (key.as_str(), value) {
            ("properties", Value::Object(properties)) => {
                for property in properties.values_mut().filter_map(Value::as_object_mut) {
                    complete(property, direction, &[]);
                }
            }
            ("items" | "additionalProperties", Value::Object(inner)) => {
                complete(inner, direction, &[])
            }
            ("anyOf", Value::Array(all)) => {
                for alternative in all.iter_mut().filter_map(Value::as_object_mut) {
                    complete(alternative, direction, &known);
                }
            }
            _ => {}
        }
    }
}
