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

/// Most levels below the bounds at which what is required is still told.
const LEAST: usize = 4;
/// What a schema says of itself to the one around it, and not to a reader.
const MARKS: [&str; 3] = ["readOnly", "writeOnly", "x-hidden"];

/// Reads schemas of one document, going one way.
pub(super) struct Shaper<'a> {
    resolver: Resolver<'a>,
    direction: Direction,
    bounds: Bounds,
    /// Schemas that may still be read.
    left: usize,
    /// Schemas that may still be told by their type only.
    seen: usize,
    /// How many levels below the bounds it is: nothing but what is required is read there.
    least: usize,
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
            least: 0,
            lost: Vec::new(),
            open: Vec::new(),
        }
    }

    /// Returns the schema by itself.
    pub(super) fn shape(&mut self, schema: &'a Value) -> Map<String, Value> {
        let mut shaped = self.nested(schema, 0);
        complete(&mut shaped, self.direction, &[]);
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
        let is_over = self.left == 0
            || self.seen == 0
            || self.least > 0
            || depth > self.bounds.depth
            || self.is_open(target);
        let mut shaped = if !is_over && self.open.len() < OPEN {
            self.left -= 1;
            self.open.push(target);
            let shaped = self.read_object(object, depth);
            self.open.pop();
            shaped
        } else if self.direction == Direction::Sent && self.least < LEAST && self.open.len() < OPEN
        {
            // What has to be there is told even so: nothing could be sent without it.
            self.least += 1;
            self.open.push(target);
            let shaped = self.read_object(object, depth);
            self.open.pop();
            self.least -= 1;
            shaped
        } else {
            stub(object)
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

    /// Returns whether only what is required is read from here on.
    fn is_scarce(&self) -> bool {
        self.left == 0 || self.seen == 0 || self.least > 0
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
            shaped.insert("type".into(), name);
        }
        if is_nullable(object) {
            shaped.insert("nullable".into(), true.into());
        }
        let said = ["title", "description", "readOnly", "writeOnly"];
        for key in said.into_iter().skip(if self.least > 0 { 2 } else { 0 }) {
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
        match object.get("items") {
            // A schema for each place, of older drafts: any of them at any place.
            Some(Value::Array(places)) => {
                let places = places.iter().take(self.bounds.choices);
                let read = places
                    .map(|place| self.nested(place, depth + 1))
                    .collect::<Vec<_>>();
                let mut items = Map::new();
                if !read.is_empty() {
                    fold(&mut items, read);
                }
                shaped.insert("items".into(), Value::Object(items));
            }
            Some(items) => {
                let items = Value::Object(self.nested(items, depth + 1));
                shaped.insert("items".into(), items);
            }
            None => {}
        }
        for part in list(object, "allOf") {
            // Not a level of its own: the parts are one schema.
            let part = self.read(part, depth);
            merge(&mut shaped, part);
        }
        self.read_alternatives(object, depth, &mut shaped);
        self.settle(&mut shaped);
        shaped
    }

    /// Brings together what the parts of a schema say of its properties: one that any of them hides
    /// is hidden.
    fn settle(&self, shaped: &mut Map<String, Value>) {
        let texts = |shaped: &Map<String, Value>, key: &str| -> Vec<String> {
            list(shaped, key)
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect()
        };
        let hidden = texts(shaped, "x-hidden");
        if let Some(Value::Array(required)) = shaped.get_mut("required") {
            required.retain(|name| {
                name.as_str()
                    .is_none_or(|name| !hidden.iter().any(|h| h == name))
            });
        }
        if let Some(Value::Object(properties)) = shaped.get_mut("properties") {
            properties.retain(|name, _| !hidden.contains(name));
        }
        if list(shaped, "required").next().is_none() {
            shaped.shift_remove("required");
        }
    }

    fn nested(&mut self, schema: &'a Value, depth: usize) -> Map<String, Value> {
        let mut shaped = self.read(schema, depth);
        for mark in MARKS {
            shaped.shift_remove(mark);
        }
        shaped
    }

    fn read_values(&self, object: &Map<String, Value>, shaped: &mut Map<String, Value>) {
        let fixed = object.get("const").map(std::slice::from_ref);
        let options = object.get("enum").and_then(Value::as_array);
        let options = options.map(Vec::as_slice).or(fixed).unwrap_or_default();
        // Objects and lists to choose from are too rare to be drawn.
        let scalar =
            |option: &&Value| option.is_string() || option.is_number() || option.is_boolean();
        let kind = shaped
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let options: Vec<Value> = options
            .iter()
            .filter(scalar)
            .filter_map(|option| fitted(option, &kind))
            .collect();
        match options.first().cloned() {
            Some(_) if options.len() <= self.bounds.choices => {
                shaped.insert("enum".into(), options.into());
            }
            // Too many to list: one of them shows what they are like.
            Some(first) => {
                shaped.insert("examples".into(), json!([first]));
            }
            None => {}
        }
        let default = object.get("default").filter(|default| is_small(default));
        if let Some(default) = default.and_then(|default| fitted(default, &kind)) {
            shaped.insert("default".into(), default);
        }
        if self.least > 0 || shaped.contains_key("examples") {
            return;
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
        let required: Vec<&str> = list(object, "required").filter_map(Value::as_str).collect();
        if let Some(Value::Object(properties)) = object.get("properties") {
            let hidden = match self.direction {
                Direction::Sent => "readOnly",
                Direction::Answered => "writeOnly",
            };
            let mut kept = Map::new();
            let mut gone: Vec<&str> = Vec::new();
            // What has to be there is read first, so that it is kept when there is too much.
            let is_required = |name: &String| required.contains(&name.as_str());
            let mut read = Map::new();
            for (name, schema) in properties.iter().filter(|(name, _)| is_required(name)) {
                read.insert(name.clone(), Value::Object(self.read(schema, depth + 1)));
            }
            let is_empty = read.is_empty();
            for (name, schema) in properties {
                let property = match read.remove(name) {
                    Some(property) => property,
                    // An object that requires nothing shows one of its members at least.
                    None if is_empty && kept.is_empty() && self.direction == Direction::Sent => {
                        Value::Object(self.read(schema, depth + 1))
                    }
                    None if depth >= self.bounds.optional || self.is_scarce() => continue,
                    None => Value::Object(self.read(schema, depth + 1)),
                };
                let Value::Object(mut property) = property else {
                    continue;
                };
                if property.get(hidden) == Some(&Value::Bool(true)) {
                    gone.push(name.as_str());
                    continue;
                }
                for mark in MARKS {
                    property.shift_remove(mark);
                }
                kept.insert(name.clone(), Value::Object(property));
            }
            if !gone.is_empty() {
                shaped.insert("x-hidden".into(), gone.into());
            }
            shaped.insert("properties".into(), Value::Object(kept));
        }
        if !required.is_empty() {
            shaped.insert("required".into(), required.into());
        }
        // That there may be no others is not kept: some may have been left out here.
        if let Some(schema @ Value::Object(_)) = object.get("additionalProperties") {
            let schema = Value::Object(self.nested(schema, depth + 1));
            shaped.insert("additionalProperties".into(), schema);
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

/// Makes what is required and what is described fit each other, at every level: of what is sent, a
/// member that is required but not described is one of any kind; of an answer, it is not expected.
/// `outer` are the members that a schema around alternatives describes.
fn complete(shaped: &mut Map<String, Value>, direction: Direction, outer: &[String]) {
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
        shaped.insert("type".into(), name);
    }
    for key in ["readOnly", "writeOnly"] {
        if let Some(Value::Bool(true)) = object.get(key) {
            shaped.insert(key.to_owned(), true.into());
        }
    }
    shaped
}

/// Returns the type that a value is to have, told or inferred from the other keywords. Of several
/// a text goes first, which every scalar can be typed as.
fn type_of(object: &Map<String, Value>) -> Option<Value> {
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
    if has(&["properties", "additionalProperties"]) {
        return Some("object");
    }
    // Beside alternatives it may say something of one of them only.
    if has(&["items"]) && !has(&["oneOf", "anyOf"]) {
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

/// Returns a value as the type wants it: descriptions quote numbers and forget the quotes of texts.
/// `None` when it cannot be of that type.
fn fitted(value: &Value, kind: &str) -> Option<Value> {
    match (kind, value) {
        ("string", Value::Number(_) | Value::Bool(_)) => Some(value.to_string().into()),
        ("string", Value::Array(_) | Value::Object(_)) => None,
        ("boolean", Value::String(text)) => text.parse::<bool>().ok().map(Value::from),
        ("boolean", other) => other.is_boolean().then(|| other.clone()),
        ("integer" | "number", Value::String(text)) => {
            serde_json::from_str(text).ok().filter(Value::is_number)
        }
        ("integer" | "number", other) => other.is_number().then(|| other.clone()),
        ("array", other) => other.is_array().then(|| other.clone()),
        ("object", other) => other.is_object().then(|| other.clone()),
        _ => Some(value.clone()),
    }
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
        if let Some(next) = next.and_then(|bound| bound.checked_add(step)) {
            shaped.insert(key.to_owned(), next.into());
            continue;
        }
        let key = if is_open { exclusive } else { key };
        shaped.insert(key.to_owned(), bound.clone());
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
