//! The part of JSON Schema that the catalog uses, read into fields that a form can draw.
//!
//! One declaration gives the form, the check of literal values, the completion and the labels
//! of a change. Keywords: `type`, `properties`, `required`, `title`, `description`, `default`,
//! `enum`, `examples`, `format`, `minimum`, `maximum`, `maxLength`, `minProperties`, and our own
//! `x-widget`, `x-labels`, `x-show-when`, `x-same-as`, `x-order`. A full validator is left out on purpose:
//! any value may be an expression whose result is not known before the run.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An object schema, read into its fields in declared order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "RawObject", into = "Value")]
pub struct Schema {
    /// The fields, in the order in which a form shows them.
    pub fields: Vec<Field>,
    /// The name of the input field whose keys are this (output) object's keys.
    pub same_as: Option<String>,
    /// For each field the number of the field that shows it.
    shown_by: Vec<Option<usize>>,
    source: Value,
}

/// One property of an object schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Key in the configuration.
    pub name: String,
    /// Label on screen.
    pub title: String,
    /// One sentence of help, or empty.
    pub help: String,
    /// What it holds and how it is edited.
    pub kind: FieldKind,
    /// Whether it must have a value.
    pub required: bool,
    /// What a new step starts with.
    pub default: Option<Value>,
    /// A value to show as an example.
    pub example: Option<Value>,
    /// Shown (and checked) only when the named field has one of these values. An empty one stands
    /// for a field without a value: as of documents that are older than that field.
    pub show_when: Option<(String, Vec<String>)>,
}

/// What a field holds and how it is edited.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldKind {
    /// A text; may hold expressions between other characters.
    Text {
        /// Edited in several lines.
        multiline: bool,
        /// What the text must look like when it has no expressions.
        format: Option<Format>,
        /// Longest text, in characters.
        max: usize,
    },
    /// A number, or one whole expression that gives one.
    Number {
        /// Whole numbers only.
        integer: bool,
        /// Smallest allowed value.
        min: Option<f64>,
        /// Largest allowed value.
        max: Option<f64>,
    },
    /// One of a few values, each with its label.
    Choice(Vec<(String, String)>),
    /// An expression that holds or not; braces around it are optional.
    Condition,
    /// A list, given as one whole expression.
    List,
    /// Names with values; each value may be an expression.
    Map {
        /// Fewest entries.
        min: usize,
    },
    /// Any JSON, with expressions in its texts.
    Json,
    /// A program. Braces in it are its own, so it takes no expressions: data comes in beside it,
    /// and none can become code.
    Code(Language),
    /// The id of a connection, chosen from a list; never an expression, so that whoever reads the
    /// document knows which one is used.
    Connection,
    /// The id of an integration that is called, chosen from a list; never an expression, so that
    /// whoever reads the document knows what it starts.
    Integration,
}

/// What a program is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// JavaScript.
    JavaScript,
    /// A statement of PostgreSQL.
    Sql,
}

/// What a literal text must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An absolute `http` or `https` address.
    Uri,
    /// Five cron fields.
    Cron,
    /// A name of the IANA time zone database.
    TimeZone,
    /// HTTP statuses such as `2xx, 404, 500-502`.
    StatusSet,
    /// The name of an HTTP header.
    HeaderName,
    /// A JSON Pointer (RFC 6901).
    JsonPointer,
}

#[derive(Deserialize)]
struct RawObject {
    #[serde(default)]
    properties: Map<String, Value>,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default, rename = "x-same-as")]
    same_as: Option<String>,
    #[serde(default, rename = "x-order")]
    order: Option<Vec<String>>,
}

impl From<RawObject> for Schema {
    fn from(mut raw: RawObject) -> Self {
        // It may come from anybody: all of it takes time in step with its size.
        if let Some(order) = &raw.order {
            let places = places(order.iter());
            let mut entries: Vec<_> = std::mem::take(&mut raw.properties).into_iter().collect();
            entries
                .sort_by_key(|(name, _)| places.get(name.as_str()).copied().unwrap_or(usize::MAX));
            raw.properties = entries.into_iter().collect();
        }
        let required: HashSet<&str> = raw.required.iter().map(String::as_str).collect();
        let fields: Vec<Field> = raw
            .properties
            .iter()
            .map(|(name, property)| field(name, property, required.contains(name.as_str())))
            .collect();
        let numbers = places(fields.iter().map(|field| &field.name));
        let shown_by = fields
            .iter()
            .map(|field| numbers.get(field.show_when.as_ref()?.0.as_str()).copied())
            .collect();
        let mut source = Map::new();
        source.insert("type".into(), "object".into());
        source.insert("properties".into(), Value::Object(raw.properties));
        source.insert("required".into(), Value::from(raw.required));
        if let Some(field) = &raw.same_as {
            source.insert("x-same-as".into(), Value::from(field.as_str()));
        }
        if let Some(order) = raw.order {
            source.insert("x-order".into(), Value::from(order));
        }
        Self {
            fields,
            same_as: raw.same_as,
            shown_by,
            source: Value::Object(source),
        }
    }
}

impl From<Schema> for Value {
    fn from(schema: Schema) -> Self {
        schema.source
    }
}

/// Returns where each name stands first.
fn places<'a>(
    names: impl DoubleEndedIterator<Item = &'a String> + ExactSizeIterator,
) -> HashMap<&'a str, usize> {
    let places = names
        .enumerate()
        .map(|(place, name)| (name.as_str(), place));
    places.rev().collect()
}

fn text_of<'a>(property: &'a Value, key: &str) -> &'a str {
    property
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn texts_of(property: &Value, key: &str) -> Vec<String> {
    let items = property
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    items
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

fn field(name: &str, property: &Value, required: bool) -> Field {
    let title = text_of(property, "title");
    Field {
        name: name.to_owned(),
        title: if title.is_empty() { name } else { title }.to_owned(),
        help: text_of(property, "description").to_owned(),
        kind: kind(property),
        required,
        default: property.get("default").cloned(),
        example: property
            .get("examples")
            .and_then(|examples| examples.get(0))
            .cloned(),
        show_when: property
            .get("x-show-when")
            .and_then(Value::as_object)
            .and_then(|when| {
                let (field, _) = when.iter().next()?;
                Some((field.clone(), texts_of(&Value::Object(when.clone()), field)))
            }),
    }
}

fn kind(property: &Value) -> FieldKind {
    let options = texts_of(property, "enum");
    if !options.is_empty() {
        let labels = texts_of(property, "x-labels");
        let label = |index: usize, option: &String| labels.get(index).unwrap_or(option).clone();
        let labelled = options
            .iter()
            .enumerate()
            .map(|(index, o)| (o.clone(), label(index, o)));
        return FieldKind::Choice(labelled.collect());
    }
    match (text_of(property, "x-widget"), text_of(property, "type")) {
        ("condition", _) => FieldKind::Condition,
        ("list", _) => FieldKind::List,
        ("code", _) => FieldKind::Code(Language::JavaScript),
        ("sql", _) => FieldKind::Code(Language::Sql),
        ("connection", _) => FieldKind::Connection,
        ("integration", _) => FieldKind::Integration,
        ("map", _) => FieldKind::Map {
            min: property
                .get("minProperties")
                .and_then(Value::as_u64)
                .unwrap_or(0) as usize,
        },
        (_, "number" | "integer") => FieldKind::Number {
            integer: text_of(property, "type") == "integer",
            min: property.get("minimum").and_then(Value::as_f64),
            max: property.get("maximum").and_then(Value::as_f64),
        },
        (widget, "string") => FieldKind::Text {
            multiline: widget == "multiline",
            format: match text_of(property, "format") {
                "uri" => Some(Format::Uri),
                "cron" => Some(Format::Cron),
                "time-zone" => Some(Format::TimeZone),
                "status-set" => Some(Format::StatusSet),
                "header-name" => Some(Format::HeaderName),
                "json-pointer" => Some(Format::JsonPointer),
                _ => None,
            },
            max: property
                .get("maxLength")
                .and_then(Value::as_u64)
                .map_or(crate::limit::TEMPLATE_BYTES, |max| max as usize),
        },
        _ => FieldKind::Json,
    }
}

impl FieldKind {
    /// Returns whether a text in the field may hold expressions.
    pub fn takes_expressions(&self) -> bool {
        !matches!(self, Self::Code(_) | Self::Connection | Self::Integration)
    }
}

impl Schema {
    /// Returns the schema of an object with these properties, in this order.
    pub(crate) fn of_fields(properties: Map<String, Value>, required: Vec<String>) -> Self {
        Self::from(RawObject {
            properties,
            required,
            same_as: None,
            order: None,
        })
    }

    /// Returns the schema so that it keeps the order of its fields where the order of an object's
    /// members is lost: in canonical JSON, as documents are stored.
    #[must_use]
    pub fn ordered(mut self) -> Self {
        if let Value::Object(source) = &mut self.source
            && self.fields.len() > 1
            && !source.contains_key("x-order")
        {
            let names = self.fields.iter().map(|field| field.name.as_str());
            source.insert("x-order".into(), names.collect());
        }
        self
    }

    /// Returns what the schema says of one property.
    pub fn property(&self, name: &str) -> Option<&Value> {
        self.source.get("properties")?.get(name)
    }

    /// Returns the names that it requires.
    pub(crate) fn required_names(&self) -> impl Iterator<Item = &str> {
        let names = self.source.get("required").and_then(Value::as_array);
        names.into_iter().flatten().filter_map(Value::as_str)
    }

    /// Returns the JSON Schema itself.
    pub fn json(&self) -> &Value {
        &self.source
    }

    /// Returns the field of that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Returns whether a field applies, as [`Field::applies`] does, by the numbers of the field and
    /// of the values.
    pub(crate) fn applies(&self, number: usize, values: &[Option<&Value>]) -> bool {
        let Some((_, allowed)) = &self.fields[number].show_when else {
            return true;
        };
        let value = self.shown_by[number].and_then(|other| values[other]?.as_str());
        is_among(allowed, value)
    }

    /// Returns whether only a run decides if a field applies: the value that it depends on is an
    /// expression. By the numbers of the field and of the values.
    pub(crate) fn may_apply(&self, number: usize, values: &[Option<&Value>]) -> bool {
        let value = self.shown_by[number].and_then(|other| values[other]?.as_str());
        value.is_some_and(crate::template::has_expressions)
    }

    /// Returns the configuration that a new step or trigger starts with.
    pub fn defaults(&self) -> Map<String, Value> {
        self.fields
            .iter()
            .filter_map(|field| Some((field.name.clone(), field.default.clone()?)))
            .collect()
    }
}

impl Field {
    /// Returns whether the field applies, given the other values of the configuration.
    pub fn applies(&self, config: &Map<String, Value>) -> bool {
        self.show_when.as_ref().is_none_or(|(other, values)| {
            is_among(values, config.get(other).and_then(Value::as_str))
        })
    }
}

fn is_among(allowed: &[String], value: Option<&str>) -> bool {
    let value = value.unwrap_or_default();
    allowed.iter().any(|allowed| allowed == value)
}
