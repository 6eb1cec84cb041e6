//! A description as it is: references, and whether a value fits a schema.
//!
//! Written apart from the importer on purpose. What the importer gets wrong must be found here,
//! so nothing of it is used.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value, json};

/// Deepest level that is looked at: descriptions refer in circles.
const DEPTH: usize = 40;
/// Deepest level of an answer that is made up.
const SAMPLE: usize = 7;

/// A description.
pub(crate) struct Raw {
    /// The document.
    pub(crate) root: Value,
    /// A part of `allOf` is looked at.
    known: AtomicBool,
    /// It is of version 2.0.
    pub(crate) is_two: bool,
}

impl Raw {
    pub(crate) fn new(root: Value) -> Self {
        let is_two = root.get("swagger").is_some();
        Self {
            root,
            known: AtomicBool::new(false),
            is_two,
        }
    }

    /// Returns what a value refers to.
    pub(crate) fn at<'a>(&'a self, mut value: &'a Value) -> &'a Value {
        for _ in 0..DEPTH {
            let Some(Value::String(to)) = value.get("$ref") else {
                break;
            };
            let pointer = to
                .trim_start_matches('#')
                .replace("%7B", "{")
                .replace("%7D", "}");
            let pointer = pointer.replace("%20", " ");
            match self.root.pointer(&pointer) {
                Some(found) => value = found,
                None => return &Value::Null,
            }
        }
        value
    }

    /// Returns why a value does not fit a schema. With `is_text`, texts may stand for numbers and
    /// booleans, as they do in addresses and forms.
    pub(crate) fn misfit(
        &self,
        schema: &Value,
        value: &Value,
        is_text: bool,
        depth: usize,
    ) -> Option<String> {
        let schema = self.at(schema);
        let Some(object) = schema.as_object().filter(|_| depth < DEPTH) else {
            return (schema == &Value::Bool(false)).then(|| "nothing is allowed here".to_owned());
        };
        if value.is_null() && self.takes_null(object) {
            return None;
        }
        if is_text && let Value::String(text) = value {
            // As what it may stand for.
            let other = match text.as_str() {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                text => serde_json::from_str(text).ok().filter(Value::is_number),
            };
            let as_text = self.misfit_own(object, value, true, depth);
            return match other {
                Some(other) if as_text.is_some() => {
                    self.misfit_own(object, &other, true, depth).and(as_text)
                }
                _ => as_text,
            };
        }
        self.misfit_own(object, value, is_text, depth)
    }

    fn takes_null(&self, schema: &Map<String, Value>) -> bool {
        let has = |key: &str| schema.get(key) == Some(&Value::Bool(true));
        has("nullable") || has("x-nullable")
    }

    fn misfit_own(
        &self,
        schema: &Map<String, Value>,
        value: &Value,
        is_text: bool,
        depth: usize,
    ) -> Option<String> {
        // Of the parts of one schema each says that there is nothing else, though the others are:
        // no service means that.
        let has_parts = ["allOf", "anyOf", "oneOf"]
            .iter()
            .any(|key| schema.contains_key(*key));
        let before = self.known.load(Ordering::Relaxed);
        self.known.store(has_parts, Ordering::Relaxed);
        let misfit = self.misfit_here(schema, value, is_text, depth, before || has_parts);
        self.known.store(before, Ordering::Relaxed);
        misfit
    }

    fn misfit_here(
        &self,
        schema: &Map<String, Value>,
        value: &Value,
        is_text: bool,
        depth: usize,
        is_part: bool,
    ) -> Option<String> {
        let names = match schema.get("type") {
            Some(Value::String(name)) => vec![name.as_str()],
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let known = [
            "string", "number", "integer", "boolean", "array", "object", "null",
        ];
        if !names.is_empty() && names.iter().any(|name| known.contains(name)) {
            let fits = |name: &&str| match *name {
                "string" => value.is_string(),
                "number" => value.is_number(),
                "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
                "boolean" => value.is_boolean(),
                "array" => value.is_array(),
                "object" => value.is_object(),
                "null" => value.is_null(),
                _ => true,
            };
            if !names.iter().any(fits) {
                return Some(format!("{} is not {}", short(value), names.join(" or ")));
            }
        }
        if let Some(Value::Array(options)) = schema.get("enum") {
            let same = |option: &Value| {
                option == value
                    || is_text && option.is_number() && option.as_f64() == value.as_f64()
                    // Descriptions in YAML forget the quotes around a text such as `123` or `true`.
                    || value.as_str().is_some_and(|text| !option.is_string() && *text == *option.to_string())
            };
            if !options.is_empty() && !options.iter().any(same) {
                return Some(format!("{} is none of the values listed", short(value)));
            }
        }
        if schema.get("const").is_some_and(|only| only != value) {
            return Some(format!("{} is not the only value", short(value)));
        }
        if let Some(number) = value.as_f64() {
            let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
            let is_open = |key: &str| schema.get(key) == Some(&Value::Bool(true));
            let low = bound("minimum").is_some_and(|least| {
                number < least || number == least && is_open("exclusiveMinimum")
            }) || bound("exclusiveMinimum").is_some_and(|least| number <= least);
            let high = bound("maximum")
                .is_some_and(|most| number > most || number == most && is_open("exclusiveMaximum"))
                || bound("exclusiveMaximum").is_some_and(|most| number >= most);
            if low || high {
                return Some(format!("{number} is out of bounds"));
            }
        }
        let inner = match value {
            Value::Object(map) => self.misfit_map(schema, map, is_text, depth, is_part),
            Value::Array(items) => self.misfit_items(schema, items, is_text, depth),
            _ => None,
        };
        if inner.is_some() {
            return inner;
        }
        let all =
            array(schema, "allOf").find_map(|part| self.misfit(part, value, is_text, depth + 1));
        if all.is_some() {
            return all;
        }
        for key in ["anyOf", "oneOf"] {
            let mut first = None;
            let mut fits = true;
            for part in array(schema, key) {
                match self.misfit(part, value, is_text, depth + 1) {
                    None => {
                        fits = true;
                        break;
                    }
                    Some(message) => {
                        fits = false;
                        first = first.or(Some(message));
                    }
                }
            }
            if !fits {
                return Some(format!(
                    "no alternative fits, the first: {}",
                    first.unwrap_or_default()
                ));
            }
        }
        None
    }

    fn misfit_items(
        &self,
        schema: &Map<String, Value>,
        items: &[Value],
        is_text: bool,
        depth: usize,
    ) -> Option<String> {
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        if (items.len() as u64) < least {
            return Some(format!(
                "{} items, at least {least} are needed",
                items.len()
            ));
        }
        let of = schema.get("items").filter(|of| !of.is_array())?;
        items
            .iter()
            .find_map(|item| self.misfit(of, item, is_text, depth + 1))
    }

    fn misfit_map(
        &self,
        schema: &Map<String, Value>,
        map: &Map<String, Value>,
        is_text: bool,
        depth: usize,
        is_part: bool,
    ) -> Option<String> {
        let properties = schema.get("properties").and_then(Value::as_object);
        let property = |name: &str| properties.and_then(|all| all.get(name));
        let mut all = Vec::new();
        self.own_properties(schema, 0, &mut all);
        for name in array(schema, "required").filter_map(Value::as_str) {
            // What only the service sets is required of its answers only.
            let is_theirs = all
                .iter()
                .any(|(known, of)| *known == name && self.is_read_only(of, 0));
            if !map.contains_key(name) && !is_theirs {
                return Some(format!("`{name}` is missing"));
            }
        }
        for (name, value) in map {
            match (property(name), schema.get("additionalProperties")) {
                (Some(property), _) => {
                    if self.is_read_only(property, 0) {
                        return Some(format!("`{name}` is read-only"));
                    }
                    if let Some(message) = self.misfit(property, value, is_text, depth + 1) {
                        return Some(format!("{name}: {message}"));
                    }
                }
                (None, Some(Value::Bool(false))) if !is_part => {
                    return Some(format!("`{name}` is unknown"));
                }
                (None, Some(of @ Value::Object(_))) => {
                    if let Some(message) = self.misfit(of, value, is_text, depth + 1) {
                        return Some(format!("{name}: {message}"));
                    }
                }
                (None, _) => {}
            }
        }
        None
    }

    /// Returns the properties of a schema and its parts, of alternatives those of the first; and
    /// which have to be there.
    fn composed<'a>(
        &'a self,
        schema: &'a Map<String, Value>,
        depth: usize,
        into: &mut Vec<(&'a str, &'a Value)>,
        needed: &mut Vec<&'a str>,
    ) {
        let properties = schema.get("properties").and_then(Value::as_object);
        into.extend(
            properties
                .into_iter()
                .flatten()
                .map(|(name, of)| (name.as_str(), of)),
        );
        needed.extend(array(schema, "required").filter_map(Value::as_str));
        if depth > 12 {
            return;
        }
        let is_null = |part: &&Value| self.at(part).get("type").is_some_and(|kind| kind == "null");
        let one = |key: &str| array(schema, key).find(|part| !is_null(part));
        for part in array(schema, "allOf")
            .chain(one("oneOf"))
            .chain(one("anyOf"))
        {
            if let Some(part) = self.at(part).as_object() {
                self.composed(part, depth + 1, into, needed);
            }
        }
    }

    fn own_properties<'a>(
        &'a self,
        schema: &'a Map<String, Value>,
        depth: usize,
        into: &mut Vec<(&'a str, &'a Value)>,
    ) {
        let properties = schema.get("properties").and_then(Value::as_object);
        into.extend(
            properties
                .into_iter()
                .flatten()
                .map(|(name, of)| (name.as_str(), of)),
        );
        for part in array(schema, "allOf").filter(|_| depth < 8) {
            if let Some(part) = self.at(part).as_object() {
                self.own_properties(part, depth + 1, into);
            }
        }
    }

    fn is_read_only(&self, schema: &Value, depth: usize) -> bool {
        let says = |schema: &Value| schema.get("readOnly") == Some(&Value::Bool(true));
        let target = self.at(schema);
        says(schema)
            || says(target)
            || depth < 8
                && target.as_object().is_some_and(|object| {
                    array(object, "allOf").any(|part| self.is_read_only(part, depth + 1))
                })
    }

    /// Returns the properties of a schema, with those of its parts.
    pub(crate) fn properties<'a>(
        &'a self,
        schema: &'a Value,
        depth: usize,
        into: &mut Vec<(&'a str, &'a Value)>,
    ) {
        let schema = self.at(schema);
        let Some(object) = schema.as_object().filter(|_| depth < DEPTH) else {
            return;
        };
        for (name, property) in object
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if !into.iter().any(|(known, _)| known == name) {
                into.push((name, property));
            }
        }
        for key in ["allOf", "anyOf", "oneOf"] {
            for part in array(object, key) {
                self.properties(part, depth + 1, into);
            }
        }
    }

    /// Returns whether a schema takes a value of that type, as far as it tells.
    pub(crate) fn is_of(&self, schema: &Value, kind: &str, depth: usize) -> bool {
        let schema = self.at(schema);
        let Some(object) = schema.as_object().filter(|_| depth < DEPTH) else {
            return false;
        };
        let says = match object.get("type") {
            Some(Value::String(name)) => name == kind,
            Some(Value::Array(names)) => names.iter().any(|name| name == kind),
            _ => {
                kind == "object" && object.contains_key("properties")
                    || kind == "array" && object.contains_key("items")
            }
        };
        says || ["allOf", "anyOf", "oneOf"]
            .iter()
            .any(|key| array(object, key).any(|part| self.is_of(part, kind, depth + 1)))
    }

    /// Returns an answer that fits a schema.
    pub(crate) fn sample(&self, schema: &Value, depth: usize) -> Value {
        let schema = self.at(schema);
        let Some(object) = schema.as_object() else {
            return json!("any");
        };
        let name = match object.get("type") {
            Some(Value::String(name)) => name.as_str(),
            Some(Value::Array(names)) => names
                .iter()
                .filter_map(Value::as_str)
                .find(|name| *name != "null")
                .unwrap_or("null"),
            _ if object.contains_key("properties") => "object",
            _ if object.contains_key("items") => "array",
            _ => "",
        };
        let option = object
            .get("const")
            .or_else(|| array(object, "enum").find(|option| !option.is_null()));
        if let Some(option) = option {
            // Written without quotes, though it is a text.
            let is_text = name == "string" && !option.is_string();
            return if is_text {
                option.to_string().into()
            } else {
                option.clone()
            };
        }
        let alternative = array(object, "oneOf")
            .chain(array(object, "anyOf"))
            .find(|part| self.at(part).get("type").is_none_or(|kind| kind != "null"));
        let mut parts: Vec<&Value> = array(object, "allOf").collect();
        parts.extend(alternative);
        let mut all = Vec::new();
        let mut needed = Vec::new();
        self.composed(object, 0, &mut all, &mut needed);
        if matches!(name, "object" | "") && !all.is_empty() {
            let mut map = Map::new();
            for (name, property) in &all {
                let is_hidden = self.at(property).get("writeOnly") == Some(&Value::Bool(true));
                let is_kept = depth < SAMPLE || depth < DEPTH && needed.contains(name);
                if is_hidden || !is_kept || map.contains_key(*name) {
                    continue;
                }
                // What several parts say of it has to hold at once.
                let says: Vec<&Value> = all
                    .iter()
                    .filter(|(other, _)| other == name)
                    .map(|(_, of)| *of)
                    .collect();
                let samples: Vec<Value> =
                    says.iter().map(|of| self.sample(of, depth + 1)).collect();
                let fits = |sample: &&Value| {
                    says.iter()
                        .all(|of| self.misfit(of, sample, false, 0).is_none())
                };
                if let Some(sample) = samples.iter().find(fits).or(samples.last()) {
                    map.insert((*name).to_owned(), sample.clone());
                }
            }
            return Value::Object(map);
        }
        if let Some(part) = parts.first().filter(|_| depth < DEPTH) {
            return self.sample(part, depth + 1);
        }
        match name {
            "array" if depth < SAMPLE => match object.get("items") {
                // Of each place by itself, in older drafts.
                Some(Value::Array(of)) => of.iter().map(|of| self.sample(of, depth + 1)).collect(),
                Some(of) => json!([self.sample(of, depth + 1)]),
                None => json!([]),
            },
            "array" => json!([]),
            "object" | "" => json!({}),
            "integer" | "number" => object
                .get("minimum")
                .filter(|least| least.is_number())
                .cloned()
                .unwrap_or_else(|| json!(1)),
            "boolean" => json!(true),
            "null" => Value::Null,
            _ => json!("answer"),
        }
    }
}

/// Returns the members of a list.
pub(crate) fn array<'a>(
    object: &'a Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = &'a Value> {
    object
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(60).collect()
}
