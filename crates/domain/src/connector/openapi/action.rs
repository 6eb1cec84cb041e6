//! One operation of a description becomes one action.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::parameter::{Parameter, Where};
use super::reference::Resolver;
use super::security::{Asked, Security};
use super::server::Hole;
use super::shape::{Bounds, Direction, Shaper};
use super::{body, field, hint, key_of, parameter, words};
use crate::connector::{BodyType, FIELDS, Method, Operation, Place, Style};
use crate::limit;
use crate::schema::Schema;

/// How much is kept of input and output, from all that is useful to what always fits.
const BOUNDS: [Bounds; 5] = [
    Bounds {
        optional: 5,
        depth: 9,
        nodes: 500,
        text: 300,
        choices: 250,
    },
    Bounds {
        optional: 3,
        depth: 9,
        nodes: 250,
        text: 160,
        choices: 120,
    },
    Bounds {
        optional: 2,
        depth: 8,
        nodes: 150,
        text: 100,
        choices: 60,
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

/// Most members of a body that become fields of their own.
const MEMBERS: usize = 200;

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
    let mut smallest = usize::MAX;
    for (input, output) in STEPS {
        let made = Maker {
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
        let made = made.make(output.map(|output| BOUNDS[output]))?;
        let bytes = serde_json::to_vec(&made.operation).map_or(usize::MAX, |json| json.len());
        if bytes <= context.bytes {
            return Ok(made);
        }
        smallest = smallest.min(bytes);
    }
    Err(format!(
        "It is too large for a step, also when it is shortened as far as it can be ({} KiB).",
        smallest / 1024
    ))
}

struct Maker<'a, 'b> {
    context: &'b Context<'a>,
    source: Source<'a>,
    parameters: &'b [Parameter<'a>],
    input: Bounds,
    notes: Vec<String>,
    names: field::Names,
    properties: Map<String, Value>,
    required: Vec<String>,
    places: BTreeMap<String, Place>,
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
        if let Some(example) = parameter
            .example
            .filter(|example| !example.is_object() && !example.is_null())
        {
            if example.to_string().len() <= 200 {
                shaped.entry("examples").or_insert_with(|| json!([example]));
            }
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

    fn body(&mut self, headers: &mut BTreeMap<String, String>) -> Result<BodyType, String> {
        let Some(given) = self.source.operation.get("requestBody") else {
            return Ok(BodyType::None);
        };
        let given = self
            .context
            .resolver
            .follow(given)
            .map_err(|why| format!("Its body: {why}."))?;
        let is_required = given.get("required") == Some(&Value::Bool(true));
        let Some(content) = given.get("content").and_then(Value::as_object) else {
            return Ok(BodyType::None);
        };
        let Some(sent) = body::sent(content) else {
            return Ok(BodyType::None);
        };
        if let Some(name) = sent.name {
            let is_header =
                name.len() <= 200 && name.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            if !is_header {
                return Err("The content type of its body is none.".to_owned());
            }
            headers.insert("Content-Type".to_owned(), name.to_owned());
        }
        let mut shaped = match sent.media.get("schema") {
            Some(schema) => {
                let mut shaper = Shaper::new(self.context.resolver, Direction::Sent, self.input);
                let shaped = shaper.shape(schema);
                self.notes.extend(
                    shaper
                        .lost
                        .into_iter()
                        .map(|lost| format!("Its body: {lost}.")),
                );
                shaped
            }
            None => Map::new(),
        };
        if let Some(said) = given.get("description").and_then(Value::as_str) {
            let said = words::plain(said, self.input.text);
            shaped.entry("description").or_insert_with(|| said.into());
        }
        match sent.body {
            BodyType::Text => {
                if !shaped.get("type").is_some_and(|kind| kind == "string") {
                    shaped = Map::from_iter([("type".to_owned(), Value::from("string"))]);
                }
                shaped.insert("x-widget".into(), "multiline".into());
                self.whole(shaped, is_required);
            }
            kind => {
                let choice = only_required(&mut shaped);
                if is_flat(&shaped) {
                    let style = |name: &str| body_style(kind, sent.media, name);
                    self.members(shaped, is_required, style);
                    if let Some(choice) = choice {
                        self.notes.push(choice);
                    }
                } else if matches!(kind, BodyType::Form | BodyType::Multipart) {
                    shaped.insert("type".into(), "object".into());
                    self.whole(shaped, is_required);
                } else {
                    self.whole(shaped, is_required);
                }
                if kind == BodyType::Multipart {
                    self.notes.push(
                        "It is sent in parts; the content of a file is sent as text.".to_owned(),
                    );
                }
            }
        }
        Ok(sent.body)
    }

    /// Makes one field of the body.
    fn whole(&mut self, shaped: Map<String, Value>, is_required: bool) {
        let field = self.names.give("body", "request");
        let mut schema = field::of("body", shaped, is_required);
        if schema.get("x-widget").is_some_and(|widget| widget == "map") {
            // The whole body may be more than texts.
            schema.shift_remove("x-widget");
        }
        self.properties.insert(field.clone(), Value::Object(schema));
        if is_required {
            self.required.push(field.clone());
        }
        self.places.insert(field, Place::WholeBody);
    }

    /// Makes a field of each member of the body.
    fn members(
        &mut self,
        mut shaped: Map<String, Value>,
        is_required: bool,
        style: impl Fn(&str) -> Style,
    ) {
        let required: Vec<String> = shaped
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect();
        // Many descriptions forget to say that a body is required. Where there is one by nature,
        // what its schema requires is required.
        let has_body = !matches!(
            self.source.method,
            Method::Get | Method::Head | Method::Delete
        );
        let Some(Value::Object(properties)) = shaped.shift_remove("properties") else {
            return;
        };
        for (name, property) in properties {
            let Value::Object(property) = property else {
                continue;
            };
            let is_required = (is_required || has_body) && required.contains(&name);
            let field = self.names.give(&name, "body");
            let mut schema = field::of(&name, property, is_required);
            let only = schema
                .get("enum")
                .and_then(Value::as_array)
                .filter(|options| options.len() == 1);
            if let Some(only) = only
                .map(|options| options[0].clone())
                .filter(|_| is_required)
            {
                schema.insert("default".into(), only);
            }
            self.properties.insert(field.clone(), Value::Object(schema));
            if is_required {
                self.required.push(field.clone());
            }
            let place = Place::Body {
                style: style(&name),
                // A name that begins with a slash would be a pointer.
                name: match name.strip_prefix('/') {
                    Some(_) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
                    None => name,
                },
            };
            self.places.insert(field, place);
        }
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

fn is_single(schema: &Map<String, Value>) -> bool {
    let kind = schema
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    matches!(kind, "string" | "number" | "integer" | "boolean")
}

/// Returns whether a body is an object whose members can be fields of their own.
fn is_flat(shaped: &Map<String, Value>) -> bool {
    let properties = shaped.get("properties").and_then(Value::as_object);
    let is_object = shaped.get("type").is_none_or(|kind| kind == "object");
    is_object
        && !shaped.contains_key("anyOf")
        && properties.is_some_and(|properties| (1..=MEMBERS).contains(&properties.len()))
}

/// Takes alternatives away that say only which members have to be there, and tells them.
fn only_required(shaped: &mut Map<String, Value>) -> Option<String> {
    let all = shaped.get("anyOf").and_then(Value::as_array)?;
    let is_only = |alternative: &Value| {
        alternative.as_object().is_some_and(|alternative| {
            let keys = ["required", "type", "title", "description", "nullable"];
            alternative.keys().all(|key| keys.contains(&key.as_str()))
                && alternative.get("type").is_none_or(|kind| kind == "object")
        })
    };
    if !shaped.contains_key("properties") || !all.iter().all(is_only) {
        return None;
    }
    let told: Vec<String> = all
        .iter()
        .filter_map(|alternative| {
            let names = alternative.get("required")?.as_array()?;
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            (!names.is_empty()).then(|| names.join(" and "))
        })
        .collect();
    shaped.shift_remove("anyOf");
    (told.len() > 1).then(|| format!("It needs {}.", told.join(", or ")))
}

/// Returns how a member of a form is written.
fn body_style(kind: BodyType, media: &Map<String, Value>, name: &str) -> Style {
    if kind == BodyType::Json {
        return Style::default();
    }
    let encoding = media
        .get("encoding")
        .and_then(|encoding| encoding.get(name));
    let text = |key: &str| {
        encoding
            .and_then(|encoding| encoding.get(key))
            .and_then(Value::as_str)
    };
    let is_exploded = encoding
        .and_then(|encoding| encoding.get("explode"))
        .and_then(Value::as_bool);
    match (text("style"), is_exploded) {
        (Some("deepObject"), _) => Style::Deep,
        (Some("spaceDelimited"), Some(false) | None) => Style::Space,
        (Some("pipeDelimited"), Some(false) | None) => Style::Pipe,
        (_, Some(false)) => Style::Comma,
        (None, None) if text("contentType").is_some_and(|name| name.contains("json")) => {
            Style::Json
        }
        _ => Style::Repeat,
    }
}

fn text_of<'a>(operation: &'a Map<String, Value>, key: &str) -> &'a str {
    operation
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn append(text: &mut String, sentence: &str) {
    if !text.is_empty() && !text.ends_with(['.', '…', '!', '?']) {
        text.push('.');
    }
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(sentence);
}

fn title(source: Source<'_>) -> String {
    let summary = words::plain(text_of(source.operation, "summary"), limit::NAME);
    let summary = summary.trim_end_matches('.');
    if !summary.is_empty() {
        return summary.to_owned();
    }
    let named = words::plain(
        &words::label(text_of(source.operation, "operationId")),
        limit::NAME,
    );
    if !named.is_empty() {
        return named;
    }
    words::plain(
        &format!("{} {}", source.method.word(), source.path),
        limit::NAME,
    )
}

fn description(operation: &Map<String, Value>) -> String {
    words::plain(text_of(operation, "description"), 500)
}

fn tags<'a>(source: Source<'a>) -> impl Iterator<Item = &'a str> {
    let tags = source.operation.get("tags").and_then(Value::as_array);
    tags.into_iter().flatten().filter_map(Value::as_str)
}

fn literals(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter(|segment| !segment.is_empty() && !segment.contains(['{', '}']))
}

fn group(source: Source<'_>) -> String {
    let tag = tags(source).next();
    let is_version = |segment: &&str| {
        *segment == "api"
            || segment.starts_with('v') && segment[1..].starts_with(|c: char| c.is_ascii_digit())
    };
    let name = tag.or_else(|| literals(source.path).find(|segment| !is_version(segment)));
    let name = name.unwrap_or_default();
    let name = if tag.is_some() && name.contains(' ') {
        name.to_owned()
    } else {
        words::label(name)
    };
    words::plain(&name, 80)
}

fn keywords(source: Source<'_>) -> Vec<String> {
    let mut keywords: Vec<String> = Vec::new();
    let id = words::of_name(text_of(source.operation, "operationId"));
    let of_path = literals(source.path).flat_map(words::of_name);
    for word in tags(source)
        .flat_map(words::of_name)
        .chain(of_path)
        .chain(id)
    {
        let word = word.to_lowercase();
        if (2..=40).contains(&word.chars().count())
            && !keywords.contains(&word)
            && keywords.len() < 16
        {
            keywords.push(word);
        }
    }
    keywords
}
