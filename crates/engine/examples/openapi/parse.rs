//! What the parts of a request say, by the styles of the description.

use serde_json::{Map, Value, json};

use crate::raw::Raw;

/// Returns what a text in a path or header says.
pub(crate) fn of_text(raw: &Raw, parameter: &Value, schema: &Value, text: &str) -> Value {
    let text = match parameter["style"].as_str() {
        Some("label") => text.trim_start_matches('.'),
        Some("matrix") => text.split_once('=').map_or(text, |(_, value)| value),
        _ => text,
    };
    if raw.is_of(schema, "array", 0) && !raw.is_of(schema, "string", 0) {
        return items(text, separator(parameter));
    }
    if raw.is_of(schema, "object", 0) && !raw.is_of(schema, "string", 0) {
        return serde_json::from_str(text).unwrap_or_else(|_| members(text));
    }
    text.into()
}

/// Returns what the query says of a parameter, and whether the parameter takes all names.
pub(crate) fn of_query(
    raw: &Raw,
    parameter: &Value,
    schema: &Value,
    query: &[(String, String)],
) -> (Option<Value>, bool) {
    let name = parameter["name"].as_str().unwrap_or_default();
    let own: Vec<String> = query
        .iter()
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value.clone())
        .collect();
    if parameter.get("content").is_some() {
        let value = own
            .first()
            .map(|text| serde_json::from_str(text).unwrap_or_else(|_| text.clone().into()));
        return (value, false);
    }
    let is_exploded = match (parameter["explode"].as_bool(), raw.is_two) {
        (_, true) => parameter["collectionFormat"] == "multi",
        (Some(explode), _) => explode,
        (None, _) => parameter["style"]
            .as_str()
            .is_none_or(|style| style == "form"),
    };
    if parameter["style"] == "deepObject" {
        let nested: Vec<(String, String)> = query
            .iter()
            .filter_map(|(key, value)| {
                let rest = key.strip_prefix(name)?;
                (rest.is_empty() || rest.starts_with('['))
                    .then(|| (format!("it{rest}"), value.clone()))
            })
            .collect();
        if nested.is_empty() {
            return (None, false);
        }
        let mut tree = json!({});
        for (key, value) in &nested {
            put(&mut tree, key, value);
        }
        return (tree.get_mut("it").map(|it| lists(it.take())), false);
    }
    if raw.is_of(schema, "object", 0)
        && !raw.is_of(schema, "string", 0)
        && !raw.is_of(schema, "array", 0)
    {
        if is_exploded {
            let all: Map<String, Value> = query
                .iter()
                .map(|(key, value)| (key.clone(), value.clone().into()))
                .collect();
            let mut known = Vec::new();
            raw.properties(schema, 0, &mut known);
            let own: Map<String, Value> = match known.is_empty() {
                true => all,
                false => all
                    .into_iter()
                    .filter(|(key, _)| known.iter().any(|(name, _)| name == key))
                    .collect(),
            };
            return ((!own.is_empty()).then_some(Value::Object(own)), true);
        }
        return (
            own.first()
                .map(|text| serde_json::from_str(text).unwrap_or_else(|_| members(text))),
            false,
        );
    }
    if raw.is_of(schema, "array", 0) && (own.len() > 1 || !raw.is_of(schema, "string", 0)) {
        // No style says how a list of objects is written. As JSON is how it is done.
        if let [text] = &own[..]
            && let Ok(list @ Value::Array(_)) = serde_json::from_str(text)
        {
            return (Some(list), false);
        }
        let value = match (own.len(), is_exploded) {
            (0, _) => None,
            (_, true) => Some(own.into_iter().map(Value::from).collect()),
            _ => Some(items(&own[0], separator(parameter))),
        };
        return (value, false);
    }
    (own.into_iter().next().map(Value::from), false)
}

fn separator(parameter: &Value) -> &'static str {
    match (
        parameter["style"].as_str(),
        parameter["collectionFormat"].as_str(),
    ) {
        (Some("spaceDelimited"), _) | (_, Some("ssv" | "tsv")) => " ",
        (Some("pipeDelimited"), _) | (_, Some("pipes")) => "|",
        _ => ",",
    }
}

fn items(text: &str, separator: &str) -> Value {
    text.split(separator).map(Value::from).collect()
}

fn members(text: &str) -> Value {
    let parts: Vec<&str> = text.split(',').collect();
    let pairs = parts
        .chunks(2)
        .filter_map(|pair| Some((pair.first()?.to_string(), Value::from(*pair.get(1)?))));
    Value::Object(pairs.collect())
}

/// Returns what the fields of a form say.
pub(crate) fn of_form(
    raw: &Raw,
    schema: &Value,
    media: &Value,
    fields: &[(String, String)],
) -> Value {
    let mut known = Vec::new();
    raw.properties(schema, 0, &mut known);
    let mut tree = json!({});
    let mut all: Map<String, Value> = Map::new();
    for (name, value) in fields {
        match known.iter().find(|(known, _)| known == name) {
            Some((_, property)) if raw.is_of(property, "array", 0) => {
                let is_joined = media["encoding"][name]["explode"] == false
                    || media["x-two"] == true && property["collectionFormat"] != "multi";
                let more = match (is_joined, serde_json::from_str::<Value>(value)) {
                    (_, Ok(Value::Array(list))) => list,
                    (_, Ok(object @ Value::Object(_))) => vec![object],
                    (true, _) => value.split(',').map(Value::from).collect(),
                    (false, _) => vec![value.clone().into()],
                };
                match all.entry(name.clone()).or_insert_with(|| json!([])) {
                    Value::Array(list) => list.extend(more),
                    other => *other = Value::Array(more),
                }
            }
            Some((_, property))
                if raw.is_of(property, "object", 0) && !raw.is_of(property, "string", 0) =>
            {
                all.insert(
                    name.clone(),
                    serde_json::from_str(value).unwrap_or_else(|_| value.clone().into()),
                );
            }
            Some(_) => {
                all.insert(name.clone(), value.clone().into());
            }
            None if name.contains('[') => put(&mut tree, name, value),
            // Of an object that is written as its own members, or a name of any kind.
            None => {
                all.insert(name.clone(), value.clone().into());
            }
        }
    }
    if let Value::Object(tree) = lists(tree) {
        all.extend(tree);
    }
    Value::Object(all)
}

/// Puts a value where `a[b][0]` says.
fn put(tree: &mut Value, key: &str, value: &str) {
    let mut at = tree;
    for part in key.split('[') {
        let part = part.trim_end_matches(']');
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[part];
    }
    *at = value.into();
}

/// Makes lists of objects whose names are 0, 1, 2 …
fn lists(value: Value) -> Value {
    let Value::Object(map) = value else {
        return value;
    };
    let is_list = !map.is_empty()
        && map
            .keys()
            .enumerate()
            .all(|(at, key)| *key == at.to_string());
    let inner = map.into_iter().map(|(key, value)| (key, lists(value)));
    if is_list {
        return inner.map(|(_, value)| value).collect();
    }
    Value::Object(inner.collect())
}

/// Reads the parts of a body.
pub(crate) fn of_parts(content_type: &str, body: &str) -> Result<Vec<(String, String)>, String> {
    let (_, boundary) = content_type
        .split_once("boundary=")
        .ok_or("there is no boundary")?;
    let boundary = format!("--{}", boundary.trim_matches('"'));
    let mut fields = Vec::new();
    let mut parts = body.split(boundary.as_str()).skip(1).peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return if part.starts_with("--") {
                Ok(fields)
            } else {
                Err("the parts do not end".to_owned())
            };
        }
        let (head, value) = part.split_once("\r\n\r\n").ok_or("a part has no value")?;
        let (_, name) = head.split_once("name=\"").ok_or("a part has no name")?;
        let name = name.split('"').next().unwrap_or_default();
        fields.push((name.to_owned(), value.trim_end_matches("\r\n").to_owned()));
    }
    Err("there are no parts".to_owned())
}
