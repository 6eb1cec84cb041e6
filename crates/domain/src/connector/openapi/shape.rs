//! Makes one self-contained, bounded schema out of one that refers to others.
//!
//! What comes out is JSON Schema without `$ref` and `allOf`, of the keywords that a form, a
//! completion and a person can use. A description may refer in circles and be far larger than an
//! action may be, so depth and number of nodes are bounded; what is beyond is still told by type.

use serde_json::{Map, Value, json};

use super::fold::{complete, fold, merge};
use super::kind::{fitted, is_null, is_nullable, is_small, read_bounds, type_of};
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
    /// Members that the schema around a part requires: they are read like required ones.
    wanted: Vec<&'a str>,
    /// How many levels below the bounds it is: nothing but what is required is read there.
    least: usize,
    /// References that could not be followed: told, and any value is taken in their place.
    pub(super) lost: Vec<String>,
    /// Schemas that are being read, from outside in: one that is among them is not read again.
    open: Vec<*const Value>,
}

impl<'a> Shaper<'a> {
    pub(super) fn new(resolver: Resolver<'a>, direction: Direction, bounds: Bounds) -> Self {
        Self {
            resolver,
            direction,
            bounds,
            left: bounds.nodes,
            seen: bounds.nodes * 3,
            wanted: Vec::new(),
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
            self.stub(object)
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

    /// Returns what is told of a schema that is not read: its type, and that of its items.
    fn stub(&self, object: &'a Map<String, Value>) -> Map<String, Value> {
        let mut shaped = Map::new();
        if let Some(name) = type_of(object) {
            shaped.insert("type".into(), name);
        }
        let items = object
            .get("items")
            .and_then(|items| self.resolver.follow(items).ok());
        if let Some(name) = items.and_then(Value::as_object).and_then(type_of) {
            shaped.insert("items".into(), json!({ "type": name }));
        }
        for key in ["readOnly", "writeOnly"] {
            if let Some(Value::Bool(true)) = object.get(key) {
                shaped.insert(key.to_owned(), true.into());
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
        let mut wanted = std::mem::take(&mut self.wanted);
        self.gather(object, 0, &mut wanted);
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
        self.read_properties(object, depth, &wanted, &mut shaped);
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
            self.wanted.clone_from(&wanted);
            let part = self.read(part, depth);
            self.wanted.clear();
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

    /// Adds what a schema and its parts require of their members.
    fn gather(&self, object: &'a Map<String, Value>, depth: usize, into: &mut Vec<&'a str>) {
        into.extend(list(object, "required").filter_map(Value::as_str));
        for part in list(object, "allOf").filter(|_| depth < LEAST) {
            if let Ok(Value::Object(part)) = self.resolver.follow(part) {
                self.gather(part, depth + 1, into);
            }
        }
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
        // One that is a list or an object is too large to be told, and often of another type.
        let is_scalar = |value: &&Value| !value.is_array() && !value.is_object();
        let default = object.get("default").filter(|value| is_small(value));
        let default = default.filter(is_scalar);
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
        wanted: &[&'a str],
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
            let is_required = |name: &String| wanted.contains(&name.as_str());
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

/// Returns the members of a list, none when it is none.
pub(super) fn list<'a>(
    object: &'a Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = &'a Value> {
    object
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}
