//! JSON Schema as far as connectors use it: whether a value fits, and what one looks like.

use serde_json::{Map, Value};

/// Most values of an example, so that a wide schema makes no large one.
const EXAMPLE_VALUES: usize = 200;
/// Deepest level of an example.
const EXAMPLE_DEPTH: usize = 8;
/// Deepest level to which a value is compared with its schema.
const DEPTH: usize = 100;

/// Returns where and why a value does not fit a schema; `None` when it does, as far as `type`,
/// `nullable`, `enum`, `const`, `properties`, `required`, `additionalProperties`, `items`, `allOf`,
/// `anyOf` and `oneOf` tell. Other keywords are not looked at.
pub fn fits(schema: &Value, value: &Value) -> Option<(String, String)> {
    let mut at = String::new();
    misfit(schema, value, &mut at, 0).map(|message| (at, message))
}

/// Returns what does not fit; `at` is then the JSON Pointer to it.
fn misfit(schema: &Value, value: &Value, at: &mut String, depth: usize) -> Option<String> {
    let Some(schema) = schema.as_object().filter(|_| depth <= DEPTH) else {
        let never = schema == &Value::Bool(false);
        return never.then(|| "nothing is expected here".to_owned());
    };
    if value.is_null() && schema.get("nullable") == Some(&Value::Bool(true)) {
        return None;
    }
    let types = types(schema);
    if !types.is_empty() && !types.iter().any(|kind| is_of(kind, value)) {
        let (is, expected) = (name_of(value), types.join(" or "));
        return Some(format!("it is {is}, not {expected}"));
    }
    let listed = schema.get("enum").and_then(Value::as_array);
    if listed.is_some_and(|listed| !listed.contains(value)) {
        return Some("it is none of the values that are listed".to_owned());
    }
    if let Some(only) = schema.get("const").filter(|only| *only != value) {
        return Some(format!("it is not {only}"));
    }
    let inner = match value {
        Value::Object(map) => misfit_in_map(schema, map, at, depth),
        Value::Array(items) => schema.get("items").and_then(|of| {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, inner)| inside(of, inner, &index.to_string(), at, depth))
        }),
        _ => None,
    };
    if inner.is_some() {
        return inner;
    }
    let all = schema.get("allOf").and_then(Value::as_array);
    let mut all = all.into_iter().flatten();
    if let Some(message) = all.find_map(|of| misfit(of, value, at, depth + 1)) {
        return Some(message);
    }
    let is_none_of = |word: &str| {
        let some = schema.get(word).and_then(Value::as_array);
        let does_fit = |of: &Value| misfit(of, value, &mut String::new(), depth + 1).is_none();
        some.is_some_and(|some| !some.is_empty() && !some.iter().any(does_fit))
    };
    ["anyOf", "oneOf"]
        .into_iter()
        .any(is_none_of)
        .then(|| "it is none of the alternatives".to_owned())
}

fn misfit_in_map(
    schema: &Map<String, Value>,
    map: &Map<String, Value>,
    at: &mut String,
    depth: usize,
) -> Option<String> {
    let required = schema.get("required").and_then(Value::as_array);
    let mut required = required.into_iter().flatten().filter_map(Value::as_str);
    if let Some(missing) = required.find(|name| !map.contains_key(*name)) {
        return Some(format!("`{missing}` is missing"));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let others = schema.get("additionalProperties");
    map.iter().find_map(|(name, inner)| {
        let own = properties.and_then(|properties| properties.get(name));
        inside(own.or(others)?, inner, name, at, depth)
    })
}

fn inside(
    schema: &Value,
    value: &Value,
    name: &str,
    at: &mut String,
    depth: usize,
) -> Option<String> {
    let before = at.len();
    at.push('/');
    at.push_str(&name.replace('~', "~0").replace('/', "~1"));
    let message = misfit(schema, value, at, depth + 1);
    if message.is_none() {
        at.truncate(before);
    }
    message
}

/// Returns the types that a schema allows; none when it allows all.
pub(super) fn types(schema: &Map<String, Value>) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => true,
    }
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Returns a value that fits a schema, to show what an answer will be like; `None` when the
/// schema does not tell.
pub fn example_of(schema: &Value) -> Option<Value> {
    let mut left = EXAMPLE_VALUES;
    example(schema, 0, &mut left)
}

fn example(schema: &Value, depth: usize, left: &mut usize) -> Option<Value> {
    let schema = schema.as_object()?;
    if depth > EXAMPLE_DEPTH || *left == 0 {
        return None;
    }
    *left -= 1;
    let first = |word: &str| schema.get(word).and_then(|some| some.get(0));
    let given = first("examples")
        .or_else(|| schema.get("example"))
        .or_else(|| schema.get("default"))
        .or_else(|| schema.get("const"))
        .or_else(|| first("enum"));
    if let Some(given) = given {
        return Some(given.clone());
    }
    let kind = types(schema).into_iter().find(|kind| *kind != "null");
    let is_object = kind == Some("object") || kind.is_none() && schema.contains_key("properties");
    if is_object || schema.contains_key("allOf") {
        let mut made = Map::new();
        let parts = schema.get("allOf").and_then(Value::as_array);
        for part in parts.into_iter().flatten() {
            if let Some(Value::Object(part)) = example(part, depth + 1, left) {
                made.extend(part);
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            if let Some(value) = example(property, depth + 1, left) {
                made.insert(name.clone(), value);
            }
        }
        return Some(Value::Object(made));
    }
    if let Some(first) = first("oneOf").or_else(|| first("anyOf")) {
        return example(first, depth + 1, left);
    }
    Some(match kind? {
        "array" => {
            let item = schema.get("items");
            Value::from_iter(item.and_then(|item| example(item, depth + 1, left)))
        }
        "boolean" => Value::from(true),
        "integer" | "number" => {
            let least = schema.get("minimum").filter(|least| least.is_number());
            least.cloned().unwrap_or_else(|| Value::from(1))
        }
        "string" => Value::from(
            match schema.get("format").and_then(Value::as_str).unwrap_or("") {
                "date-time" => "2026-01-31T12:00:00Z",
                "date" => "2026-01-31",
                "email" => "name@example.com",
                "uri" | "url" => "https://example.com/",
                "uuid" => "00000000-0000-4000-8000-000000000000",
                _ => "text",
            },
        ),
        _ => return None,
    })
}
