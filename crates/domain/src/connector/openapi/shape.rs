//! Makes one self-contained, bounded schema out of one that refers to others.
//!
//! What comes out is JSON Schema without `$ref` and `allOf`, of the keywords that a form, a
//! completion and a person can use. A description may refer in circles and be far larger than an
//! action may be, so depth and number of nodes are bounded; what is beyond is still told by type.

use serde_json::{Map, Value, json};

use super::reference::Resolver;
use super::words;

/// Which way a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// With the request: what is `readOnly` is left out.
    Sent,
    /// With the answer: what is `writeOnly` is left out.
    Answered,
}

/// How much of a schema is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Deepest level whose optional properties are kept.
    pub(super) optional: usize,
    /// Deepest level of all.
    pub(super) depth: usize,
    /// Most schemas, counted at every level.
    pub(super) nodes: usize,
    /// Longest description of a property, in characters.
    pub(super) text: usize,
    /// Most alternatives and choices.
    pub(super) choices: usize,
}

/// Most schemas that are within each other, parts of `allOf` counted, which add no level.
const OPEN: usize = 64;

/// Reads schemas of one document, going one way.
pub(super) struct Shaper<'a> {
    resolver: Resolver<'a>,
    direction: Direction,
    bounds: Bounds,
    /// Schemas that may still be read.
    left: usize,
    /// Schemas that may still be told by their type only.
    seen: usize,
    /// References that could not be followed: told, and any value is taken in their place.
    pub(super) lost: Vec<String>,
    /// Schemas that are being read, from outside in: one that is among them is not read again.
    open: Vec<*const Value>,
}

/// Keywords that are kept as they are when they have the right type.
const KEPT: [&str; 6] = [
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "pattern",
    "minProperties",
];

impl<'a> Shaper<'a> {
    pub(super) fn new(resolver: Resolver<'a>, direction: Direction, bounds: Bounds) -> Self {
        Self {
            resolver,
            direction,
            bounds,
            left: bounds.nodes,
            seen: bounds.nodes * 3,
            lost: Vec::new(),
            open: Vec::new(),
        }
    }

    /// Returns the schema by itself.
    pub(super) fn shape(&mut self, schema: &'a Value) -> Map<String, Value> {
        let mut shaped = self.read(schema, 0);
        shaped.remove("readOnly");
        shaped.remove("writeOnly");
        shaped
    }

    fn read(&mut self, schema: &'a Value, depth: usize) -> Map<String, Value> {
        let target = match self.resolver.follow(schema) {
            Ok(target) => target,
            Err(unresolved) => {
                let told = unresolved.to_string();
                if !self.lost.contains(&told) {
                    self.lost.push(told);
                }
                return Map::new();
            }
        };
        let Some(object) = target.as_object() else {
            // `true` and `false` are schemas as well: whatever fits them is taken.
            return Map::new();
        };
        self.seen = self.seen.saturating_sub(1);
        let mut shaped = if self.left == 0
            || self.seen == 0
            || depth > self.bounds.depth
            || self.open.len() >= OPEN
            || self.is_open(target)
        {
            stub(object)
        } else {
            self.left -= 1;
            self.open.push(target);
            let shaped = self.read_object(object, depth);
            self.open.pop();
            shaped
        };
        // Beside a reference: what is said of this use of it.
        if !std::ptr::eq(target, schema) {
            for key in ["description", "title", "readOnly", "writeOnly"] {
                if let Some(said) = schema.get(key) {
                    self.annotate(&mut shaped, key, said);
                }
            }
        }
        shaped
    }

    fn is_open(&self, target: &Value) -> bool {
        let target: *const Value = target;
        self.open.contains(&target)
    }

    fn annotate(&self, shaped: &mut Map<String, Value>, key: &str, said: &Value) {
        let said = match (key, said) {
            ("description", Value::String(text)) => {
                Value::from(words::plain(text, self.bounds.text))
            }
            ("title", Value::String(text)) => Value::from(words::plain(text, 80)),
            ("readOnly" | "writeOnly", Value::Bool(said)) => Value::Bool(*said),
            _ => return,
        };
        if said != "" && said != false {
            shaped.insert(key.to_owned(), said);
        }
    }

    fn read_object(&mut self, object: &'a Map<String, Value>, depth: usize) -> Map<String, Value> {
        let mut shaped = Map::new();
        if let Some(name) = type_of(object) {
            shaped.insert("type".into(), name.into());
        }
        if is_nullable(object) {
            shaped.insert("nullable".into(), true.into());
        }
        for key in ["title", "description", "readOnly", "writeOnly"] {
            if let Some(said) = object.get(key) {
                self.annotate(&mut shaped, key, said);
            }
        }
        if let Some(Value::String(format)) = object.get("format") {
            shaped.insert("format".into(), words::plain(format, 40).into());
        }
        self.read_values(object, &mut shaped);
        read_bounds(object, &mut shaped);
        self.read_properties(object, depth, &mut shaped);
        if let Some(items) = object.get("items") {
            // A list of schemas, one for each place, is of older drafts; the first stands for all.
            let items = items.get(0).unwrap_or(items);
            let items = Value::Object(self.nested(items, depth + 1));
            shaped.insert("items".into(), items);
        }
        for part in list(object, "allOf") {
            // Not a level of its own: the parts are one schema.
            let part = self.read(part, depth);
            merge(&mut shaped, part);
        }
        self.read_alternatives(object, depth, &mut shaped);
        shaped
    }

    fn nested(&mut self, schema: &'a Value, depth: usize) -> Map<String, Value> {
        let mut shaped = self.read(schema, depth);
        shaped.remove("readOnly");
        shaped.remove("writeOnly");
        shaped
    }

    fn read_values(&self, object: &Map<String, Value>, shaped: &mut Map<String, Value>) {
        let fixed = object.get("const").map(std::slice::from_ref);
        let options = object.get("enum").and_then(Value::as_array);
        let options = options.map(Vec::as_slice).or(fixed).unwrap_or_default();
        // Objects and lists to choose from are too rare to be drawn.
        let scalar =
            |option: &&Value| option.is_string() || option.is_number() || option.is_boolean();
        let options: Vec<Value> = options.iter().filter(scalar).cloned().collect();
        if !options.is_empty() && options.len() <= self.bounds.choices {
            shaped.insert("enum".into(), options.into());
        }
        if let Some(default) = object.get("default").filter(|default| is_small(default)) {
            shaped.insert("default".into(), default.clone());
        }
        let examples = object.get("examples").and_then(Value::as_array);
        let example = examples
            .and_then(|all| all.first())
            .or_else(|| object.get("example"));
        if let Some(example) = example.filter(|example| is_small(example)) {
            shaped.insert("examples".into(), json!([example]));
        }
    }

    fn read_properties(
        &mut self,
        object: &'a Map<String, Value>,
        depth: usize,
        shaped: &mut Map<String, Value>,
    ) {
        let mut required: Vec<&str> = list(object, "required").filter_map(Value::as_str).collect();
        if let Some(Value::Object(properties)) = object.get("properties") {
            let hidden = match self.direction {
                Direction::Sent => "readOnly",
                Direction::Answered => "writeOnly",
            };
            let mut kept = Map::new();
            // What has to be there is read first, so that it is kept when there is too much.
            let is_required = |name: &String| required.contains(&name.as_str());
            let mut read = Map::new();
            for (name, schema) in properties.iter().filter(|(name, _)| is_required(name)) {
                read.insert(name.clone(), Value::Object(self.read(schema, depth + 1)));
            }
            for (name, schema) in properties {
                let property = match read.remove(name) {
                    Some(property) => property,
                    None if depth >= self.bounds.optional || self.left == 0 || self.seen == 0 => {
                        continue;
                    }
                    None => Value::Object(self.read(schema, depth + 1)),
                };
                let Value::Object(mut property) = property else {
                    continue;
                };
                if property.get(hidden) == Some(&Value::Bool(true)) {
                    required.retain(|required| required != name);
                    continue;
                }
                property.remove("readOnly");
                property.remove("writeOnly");
                kept.insert(name.clone(), Value::Object(property));
            }
            shaped.insert("properties".into(), Value::Object(kept));
        }
        if !required.is_empty() {
            shaped.insert("required".into(), required.into());
        }
        match object.get("additionalProperties") {
            Some(schema @ Value::Object(_)) => {
                let schema = Value::Object(self.nested(schema, depth + 1));
                shaped.insert("additionalProperties".into(), schema);
            }
            Some(Value::Bool(false)) => {
                shaped.insert("additionalProperties".into(), false.into());
            }
            _ => {}
        }
    }

    fn read_alternatives(
        &mut self,
        object: &'a Map<String, Value>,
        depth: usize,
        shaped: &mut Map<String, Value>,
    ) {
        for key in ["oneOf", "anyOf"] {
            let mut read = Vec::new();
            for alternative in list(object, key).take(self.bounds.choices) {
                if is_null(alternative) {
                    shaped.insert("nullable".into(), true.into());
                } else {
                    read.push(self.nested(alternative, depth + 1));
                }
            }
            if !read.is_empty() {
                fold(shaped, read);
            }
        }
    }
}

/// Returns the members of a list, none when it is none.
fn list<'a>(object: &'a Map<String, Value>, key: &str) -> impl Iterator<Item = &'a Value> {
    object
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// Returns what is told of a schema that is not read: its type.
fn stub(object: &Map<String, Value>) -> Map<String, Value> {
    let mut shaped = Map::new();
    if let Some(name) = type_of(object) {
        shaped.insert("type".into(), name.into());
    }
    for key in ["readOnly", "writeOnly"] {
        if let Some(Value::Bool(true)) = object.get(key) {
            shaped.insert(key.to_owned(), true.into());
        }
    }
    shaped
}

/// Returns the type that a value is to have, told or inferred from the other keywords. Of several
/// a text is taken, which every one of them can be typed as, else the first.
fn type_of(object: &Map<String, Value>) -> Option<&str> {
    let known =
        |name: &&str| ["string", "number", "integer", "boolean", "array", "object"].contains(name);
    match object.get("type") {
        Some(Value::String(name)) => return Some(name.as_str()).filter(known),
        Some(Value::Array(names)) => {
            let mut names = names.iter().filter_map(Value::as_str).filter(known);
            let first = names.next();
            return names.find(|name| *name == "string").or(first);
        }
        _ => {}
    }
    let has = |keys: &[&str]| keys.iter().any(|key| object.contains_key(*key));
    if has(&["properties", "additionalProperties"]) {
        return Some("object");
    }
    if has(&["items"]) {
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
fn is_nullable(object: &Map<String, Value>) -> bool {
    object.get("nullable") == Some(&Value::Bool(true))
        || object.get("x-nullable") == Some(&Value::Bool(true))
        || list(object, "type").any(|name| name == "null")
}

/// Returns whether a schema takes nothing but `null`.
fn is_null(schema: &Value) -> bool {
    let is_null = |key: &str| schema.get(key).is_some_and(|value| value == "null");
    is_null("type") || schema.get("const") == Some(&Value::Null)
}

/// Defaults and examples are kept when they are short.
fn is_small(value: &Value) -> bool {
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
fn read_bounds(object: &Map<String, Value>, shaped: &mut Map<String, Value>) {
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
        let bound = match next.and_then(|bound| bound.checked_add(step)) {
            Some(next) => Value::from(next),
            None => bound.clone(),
        };
        shaped.insert(key.to_owned(), bound);
    }
}

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
            ("required", Some(Value::Array(there))) => {
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
                }
            }
            ("anyOf", Some(Value::Array(there))) => {
                // Both have to hold, which is not told of each pair; the first list stays.
                let _ = there;
            }
            ("additionalProperties", Some(there)) => {
                // What one part closes, the other part's properties open.
                if there == &Value::Bool(false) {
                    into.remove("additionalProperties");
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
fn fold(shaped: &mut Map<String, Value>, mut read: Vec<Map<String, Value>>) {
    if read.len() == 1 {
        return merge(shaped, read.remove(0));
    }
    let type_name = |alternative: &Map<String, Value>| {
        alternative
            .get("type")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let first = type_name(&read[0]);
    let is_scalar = |name: &str| ["string", "number", "integer", "boolean"].contains(&name);
    let all_scalar = read.iter().all(|alternative| {
        type_name(alternative).is_some_and(|name| is_scalar(&name))
            && !alternative.contains_key("anyOf")
    });
    if !all_scalar {
        if !shaped.contains_key("type") && read.iter().all(|other| type_name(other) == first) {
            if let Some(first) = first {
                shaped.insert("type".into(), first.into());
            }
        }
        let read: Vec<Value> = read.into_iter().map(Value::Object).collect();
        shaped.entry("anyOf").or_insert(read.into());
        return;
    }
    let all_have = |key: &str| read.iter().all(|alternative| alternative.contains_key(key));
    let same = read.iter().all(|other| type_name(other) == first);
    let name = match first {
        Some(first) if same => first,
        _ if read.iter().all(|other| {
            type_name(other).is_some_and(|name| name == "number" || name == "integer")
        }) =>
        {
            "number".to_owned()
        }
        _ => "string".to_owned(),
    };
    let options: Vec<Value> = read
        .iter()
        .filter_map(|alternative| alternative.get("enum")?.as_array())
        .flatten()
        .cloned()
        .collect();
    shaped.entry("type").or_insert(name.into());
    if same && all_have("enum") {
        let mut distinct: Vec<Value> = Vec::with_capacity(options.len());
        for option in options {
            if !distinct.contains(&option) {
                distinct.push(option);
            }
        }
        shaped.entry("enum").or_insert(distinct.into());
    } else if let Some(option) = options.into_iter().next() {
        // Some values are named, but others are taken, too.
        shaped.entry("examples").or_insert(json!([option]));
    }
}
