//! One operation of a description becomes one action.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::describe::{description, group, keywords, title};
use super::parameter::{Parameter, Where};
use super::reference::Resolver;
use super::security::{Asked, Security};
use super::server::Hole;
use super::shape::{Bounds, Direction, Shaper};
use super::{body, field, hint, key_of, parameter, words};
use crate::connector::{FIELDS, Method, Operation, Place, Style};
use crate::schema::Schema;

/// How much is kept of input and output, from all that is useful to what always fits.
const BOUNDS: [Bounds; 5] = [
    Bounds {
        optional: 5,
        depth: 9,
        nodes: 500,
        text: 300,
        choices: 1_000,
    },
    Bounds {
        optional: 3,
        depth: 9,
        nodes: 250,
        text: 160,
        choices: 400,
    },
    Bounds {
        optional: 2,
        depth: 8,
        nodes: 150,
        text: 100,
        choices: 100,
    },
    Bounds {
        optional: 1,
        depth: 7,
        nodes: 100,
        text: 60,
        choices: 40,
    },
    Bounds {
        optional: 1,
        depth: 4,
        nodes: 60,
        text: 0,
        choices: 20,
    },
];

/// Which of [`BOUNDS`] input and output are read with, one after the other until an action fits.
/// The output is shortened first: it is there to complete expressions, the input to be filled in.
const STEPS: [(usize, Option<usize>); 9] = [
    (0, Some(0)),
    (0, Some(1)),
    (1, Some(1)),
    (1, Some(2)),
    (2, Some(2)),
    (2, Some(3)),
    (3, Some(3)),
    (3, Some(4)),
    (4, None),
];

/// What all operations of a document have in common.
pub(super) struct Context<'a> {
    pub(super) resolver: Resolver<'a>,
    pub(super) security: &'a Security<'a>,
    /// Most bytes of JSON that one action may have.
    pub(super) bytes: usize,
}

/// One operation, as the document has it.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    /// What its path begins with; that of the connector, or one of its own.
    pub(super) base: &'a str,
    /// The base is its own.
    pub(super) is_elsewhere: bool,
    /// Fields that it has for the holes of the base.
    pub(super) holes: &'a [Hole],
    /// What stands before the path, behind the base.
    pub(super) prefix: &'a str,
    pub(super) item: &'a Map<String, Value>,
    pub(super) operation: &'a Map<String, Value>,
}

/// An action, and what has to be known of it.
pub(super) struct Made {
    pub(super) operation: Operation,
    pub(super) asked: Asked,
    pub(super) notes: Vec<String>,
}

/// Makes an action of an operation.
///
/// # Errors
/// Why that cannot be done, in a sentence.
pub(super) fn of(context: &Context<'_>, source: Source<'_>) -> Result<Made, String> {
    let parameters = parameter::all(context.resolver, source.item, source.operation)?;
    let made = |step: usize| {
        let (input, output) = STEPS[step];
        let maker = Maker {
            context,
            source,
            parameters: &parameters,
            input: BOUNDS[input],
            notes: Vec::new(),
            names: field::Names::default(),
            properties: Map::new(),
            required: Vec::new(),
            places: BTreeMap::new(),
        };
        let made = maker.make(output.map(|output| BOUNDS[output]))?;
        let bytes = serde_json::to_vec(&made.operation).map_or(usize::MAX, |json| json.len());
        Ok::<_, String>((made, bytes))
    };
    let (first, bytes) = made(0)?;
    if bytes <= context.bytes {
        return Ok(first);
    }
    // Each step makes it smaller: the first that fits is found by halves.
    let (mut low, mut high) = (1, STEPS.len());
    let mut fitting = None;
    let mut smallest = bytes;
    while low < high {
        let middle = usize::midpoint(low, high);
        let (made, bytes) = made(middle)?;
        if bytes <= context.bytes {
            fitting = Some(made);
            high = middle;
        } else {
            smallest = smallest.min(bytes);
            low = middle + 1;
        }
    }
    fitting.ok_or_else(|| {
        format!(
            "It is too large for a step, also when it is shortened as far as it can be ({} KiB).",
            smallest / 1024
        )
    })
}

pub(super) struct Maker<'a, 'b> {
    pub(super) context: &'b Context<'a>,
    pub(super) source: Source<'a>,
    pub(super) parameters: &'b [Parameter<'a>],
    pub(super) input: Bounds,
    pub(super) notes: Vec<String>,
    pub(super) names: field::Names,
    pub(super) properties: Map<String, Value>,
    pub(super) required: Vec<String>,
    pub(super) places: BTreeMap<String, Place>,
}

impl<'a> Maker<'a, '_> {
    fn make(mut self, output: Option<Bounds>) -> Result<Made, String> {
        let operation = self.source.operation;
        for hole in self.source.holes {
            // Named first, so that none of the action's own takes the name.
            let name = self.names.give(&hole.name, "host");
            self.properties
                .insert(name.clone(), Value::Object(hole.schema.clone()));
            self.required.push(name.clone());
            if name != hole.name {
                self.places.insert(
                    name,
                    Place::Host {
                        name: hole.name.clone(),
                    },
                );
            }
        }
        let path = self.path()?;
        let mut idempotent = false;
        for parameter in self.parameters {
            idempotent |= self.add(parameter)?;
        }
        let mut headers = BTreeMap::new();
        let body = self.body(&mut headers)?;
        if self.properties.len() > FIELDS {
            return Err(format!(
                "It has {} fields; an action has at most {FIELDS}.",
                self.properties.len()
            ));
        }
        let responses = operation.get("responses");
        let output = self.output(output);
        let asked = self.context.security.asked(operation.get("security"));
        if let Some(why) = &asked.missing {
            self.notes.push(format!(
                "None of its ways to prove who sends can be had: {why}. It is sent without a connection, or with one of custom headers."
            ));
        }
        let is_deprecated = operation.get("deprecated") == Some(&Value::Bool(true));
        if is_deprecated {
            self.notes
                .push("The service calls it deprecated.".to_owned());
        }
        let rate = hint::rate(operation);
        let mut description = description(operation);
        if rate.is_none() && hint::is_limited(responses, self.context.resolver) {
            append(
                &mut description,
                "The service limits how many requests it takes.",
            );
        }
        if is_deprecated {
            description = format!("Deprecated by the service. {description}")
                .trim_end()
                .to_owned();
        }
        let mut made = Operation {
            key: key_of(self.source.method.word(), self.source.path),
            title: title(self.source),
            description,
            group: group(self.source),
            keywords: keywords(self.source),
            run: String::new(),
            method: self.source.method,
            base: if self.source.is_elsewhere {
                self.source.base.to_owned()
            } else {
                String::new()
            },
            path,
            places: BTreeMap::new(),
            body,
            headers,
            input: Schema::of_fields(self.properties, self.required),
            output,
            expected_status: "2xx".to_owned(),
            effect: None,
            idempotent,
            anonymous: asked.anonymous,
            paging: None,
            rate,
        };
        let base = self.source.base;
        // A place that would be assumed anyway is not said.
        let places = self.places.into_iter();
        made.places = places
            .filter(|(name, place)| made.place(name, base) != *place)
            .collect();
        let query = hint::query_of(&made.input, |name| made.place(name, base));
        made.paging = hint::paging(&query, &made.output, responses, self.context.resolver);
        self.notes.dedup();
        Ok(Made {
            operation: made,
            asked,
            notes: self.notes,
        })
    }

    /// Returns the path with its holes called as the fields that fill them in, which are added.
    fn path(&mut self) -> Result<String, String> {
        let whole = format!("{}{}", self.source.prefix, self.source.path);
        // Some tell several uses of one path apart by a part behind `#`, which is never sent.
        let path = whole.split('#').next().unwrap_or_default();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        if query.contains('{') {
            return Err(
                "Its path has a query with names in braces. Describe these as query parameters."
                    .to_owned(),
            );
        }
        let mut written = String::new();
        if !path.starts_with('/') {
            written.push('/');
        }
        let mut given: Vec<(String, String)> = Vec::new();
        let mut rest = path;
        while let Some((before, behind)) = rest.split_once('{') {
            let Some((hole, behind)) = behind.split_once('}') else {
                return Err("Its path has a brace that is not closed.".to_owned());
            };
            words::encode_path(before, &mut written);
            let known = given
                .iter()
                .find(|(name, _)| name == hole)
                .map(|(_, field)| field.clone());
            let is_hole_of_base = self.source.holes.iter().any(|own| own.name == hole);
            let field = match known {
                Some(field) => field,
                None if is_hole_of_base && !self.has_path_parameter(hole) => hole.to_owned(),
                None => self.path_field(hole, &mut written)?,
            };
            written.push('{');
            written.push_str(&field);
            written.push('}');
            given.push((hole.to_owned(), field));
            rest = behind;
        }
        words::encode_path(rest, &mut written);
        if !query.is_empty() {
            written.push('?');
            words::encode_path(query, &mut written);
        }
        Ok(written)
    }

    fn has_path_parameter(&self, hole: &str) -> bool {
        self.parameters
            .iter()
            .any(|p| p.place == Where::Path && p.name == hole)
    }

    fn path_field(&mut self, hole: &str, written: &mut String) -> Result<String, String> {
        let plain = hole
            .trim_start_matches(['+', '/', '.', ';', '?'])
            .trim_end_matches('*');
        let in_path = || self.parameters.iter().filter(|p| p.place == Where::Path);
        let parameter = in_path()
            .find(|p| p.name == hole)
            .or_else(|| in_path().find(|p| p.name.eq_ignore_ascii_case(plain)));
        let field = self.names.give(plain, "path");
        let Some(parameter) = parameter else {
            self.notes.push(format!(
                "`{{{plain}}}` in its path is not described. It is a text."
            ));
            let schema = field::of(
                plain,
                Map::from_iter([("type".to_owned(), "string".into())]),
                true,
            );
            self.properties.insert(field.clone(), Value::Object(schema));
            self.required.push(field.clone());
            return Ok(field);
        };
        match parameter.style {
            "label" => written.push('.'),
            "matrix" => {
                written.push(';');
                words::encode_path(parameter.name, written);
                written.push('=');
            }
            _ => {}
        }
        let schema = self.schema(parameter, true);
        self.properties.insert(field.clone(), Value::Object(schema));
        self.required.push(field.clone());
        Ok(field)
    }

    fn schema(&mut self, parameter: &Parameter<'a>, is_required: bool) -> Map<String, Value> {
        // A parameter is small: it gets the words, but not the nodes of a body.
        let bounds = Bounds {
            nodes: 60,
            ..self.input
        };
        let mut shaper = Shaper::new(self.context.resolver, Direction::Sent, bounds);
        let mut shaped = shaper.shape(parameter.schema);
        self.notes.extend(
            shaper
                .lost
                .into_iter()
                .map(|lost| format!("`{}`: {lost}.", parameter.name)),
        );
        if let Some(said) = parameter.description {
            let said = words::plain(said, bounds.text);
            if !said.is_empty() {
                shaped.insert("description".into(), said.into());
            }
        }
        if shaped.get("type").is_none() && shaped.get("anyOf").is_none() {
            shaped.insert("type".into(), "string".into());
        }
        let is_shown = |example: &&Value| {
            !example.is_object() && !example.is_null() && example.to_string().len() <= 200
        };
        if let Some(example) = parameter.example.filter(is_shown) {
            shaped.entry("examples").or_insert_with(|| json!([example]));
        }
        // Where there is nothing to choose, it is chosen.
        let only = shaped
            .get("enum")
            .and_then(Value::as_array)
            .filter(|options| options.len() == 1);
        if let Some(only) = only
            .map(|options| options[0].clone())
            .filter(|_| is_required)
        {
            shaped.insert("default".into(), only);
        }
        let mut schema = field::of(parameter.name, shaped, is_required);
        if parameter.is_deprecated {
            schema.insert("description".into(), "Deprecated by the service.".into());
        }
        schema
    }

    /// Adds the field for a parameter; returns whether that makes the operation one that can be
    /// repeated, because the service knows the header that Sluice sends for it.
    fn add(&mut self, parameter: &Parameter<'a>) -> Result<bool, String> {
        let name = parameter.name;
        let place = match parameter.place {
            Where::Path => return Ok(false),
            Where::Cookie if parameter.is_required => {
                return Err(format!("It needs the cookie `{name}`. Sluice sends none."));
            }
            Where::Cookie => {
                self.notes.push(format!(
                    "The cookie `{name}` is left out. Sluice sends none."
                ));
                return Ok(false);
            }
            Where::Header => match name.to_ascii_lowercase().as_str() {
                "idempotency-key" => return Ok(true),
                // What the description says elsewhere, and what Sluice sends itself.
                "accept" | "content-type" | "authorization" | "user-agent" | "host" => {
                    return Ok(false);
                }
                _ if crate::connector::request::check_header_name(name).is_err() => {
                    self.notes.push(format!(
                        "The header `{}` is left out. It cannot be set.",
                        words::plain(name, 60)
                    ));
                    return Ok(false);
                }
                _ => Place::Header {
                    name: name.to_owned(),
                },
            },
            Where::Query => {
                let style = match (parameter.style, parameter.is_exploded) {
                    ("json", _) => Style::Json,
                    ("deepObject", _) => Style::Deep,
                    ("spaceDelimited", false) => Style::Space,
                    ("pipeDelimited", false) => Style::Pipe,
                    (_, false) => Style::Comma,
                    (_, true) => Style::Repeat,
                };
                Place::Query {
                    name: name.to_owned(),
                    style,
                }
            }
        };
        let kind = match place {
            Place::Header { .. } => "header",
            _ => "query",
        };
        let schema = self.schema(parameter, parameter.is_required);
        let place = match place {
            // No style says how a list of objects is written, and JSON is how it is done.
            Place::Query {
                name,
                style: Style::Repeat | Style::Comma,
            } if is_nested(&schema) => Place::Query {
                name,
                style: Style::Json,
            },
            // How a single value is written does not depend on the style.
            Place::Query {
                name,
                style: Style::Comma,
            } if is_single(&schema) => Place::Query {
                name,
                style: Style::Repeat,
            },
            place => place,
        };
        let field = self.names.give(name, kind);
        self.properties.insert(field.clone(), Value::Object(schema));
        if parameter.is_required {
            self.required.push(field.clone());
        }
        self.places.insert(field, place);
        Ok(false)
    }

    fn output(&mut self, bounds: Option<Bounds>) -> Value {
        let Some(bounds) = bounds else {
            return Value::Null;
        };
        let resolver = self.context.resolver;
        let responses = self
            .source
            .operation
            .get("responses")
            .and_then(Value::as_object);
        let mut succeeded: Vec<(&String, &Value)> = responses
            .into_iter()
            .flatten()
            .filter(|(status, _)| status.starts_with('2') || *status == "default")
            .collect();
        succeeded.sort_by(|one, other| one.0.cmp(other.0));
        for (_, response) in succeeded {
            let Ok(response) = resolver.follow(response) else {
                continue;
            };
            let Some(content) = response.get("content").and_then(Value::as_object) else {
                continue;
            };
            let Some(schema) = body::answered(content).and_then(|media| media.get("schema")) else {
                continue;
            };
            let mut shaper = Shaper::new(resolver, Direction::Answered, bounds);
            let shaped = shaper.shape(schema);
            return if shaped.is_empty() {
                Value::Null
            } else {
                Value::Object(shaped)
            };
        }
        Value::Null
    }
}

/// Returns whether a value holds lists or objects within a list or object.
pub(super) fn is_nested(schema: &Map<String, Value>) -> bool {
    let is_inner = |schema: &Value| {
        let kind = schema
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        kind == "object" || kind == "array"
    };
    let members = schema.get("properties").and_then(Value::as_object);
    schema.get("items").is_some_and(is_inner)
        || members
            .into_iter()
            .flatten()
            .any(|(_, member)| is_inner(member))
}

fn is_single(schema: &Map<String, Value>) -> bool {
    let kind = schema
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    matches!(kind, "string" | "number" | "integer" | "boolean")
}

pub(super) fn text_of<'a>(operation: &'a Map<String, Value>, key: &str) -> &'a str {
    operation
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

pub(super) fn append(text: &mut String, sentence: &str) {
    if !text.is_empty() && !text.ends_with(['.', '…', '!', '?']) {
        text.push('.');
    }
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(sentence);
}
