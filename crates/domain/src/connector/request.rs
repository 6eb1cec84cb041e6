//! Builds the request of a connector's action from the fields of a step.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::declared::as_text;
use super::parts;
use super::shape::types;
use super::{BodyType, Declared, Method, Place, Style, URL, fits};
use crate::catalog::Effect;
use crate::delivery::is_pointer;
use crate::schema::Field;
use crate::template::short;

/// Headers that belong to the exchange or to who sends, and not to a connector. Credentials are a
/// connection's.
const NOT_OURS: [&str; 16] = [
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "host",
    "http2-settings",
    "idempotency-key",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Deepest nesting of what is written as parameters.
const DEEP: usize = 20;

impl Declared {
    /// Returns the configuration of the HTTP request step that does what this action does with
    /// these fields, whose expressions are evaluated already. Fields that are null are left out.
    ///
    /// # Errors
    /// A sentence that names the field: it is missing, or cannot stand where it goes.
    pub fn request(&self, config: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        let operation = self.operation();
        let mut request = Parts::default();
        for (name, value) in self.headers().iter().chain(&operation.headers) {
            request.header(name, value.clone())?;
        }
        for (field, value) in self.given(config)? {
            let title = self.field_title(field);
            let place = operation.place(&field.name, self.base());
            request
                .put(place, value, operation.body)
                .map_err(|message| format!("{title}: {message}"))?;
        }
        let mut whole = request.whole.take();
        let is_left_out = whole.is_none() && request.body.is_empty() && !self.needs_body();
        let mut kind = operation.body;
        if is_left_out {
            kind = BodyType::None;
            request
                .headers
                .retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        }
        if kind == BodyType::Multipart {
            let members = std::mem::take(&mut request.body);
            let (content_type, text) = parts::written(members, whole, |name| self.is_file(name))?;
            request.header("Content-Type", content_type)?;
            (kind, whole) = (BodyType::Text, Some(text.into()));
        }
        let mut built = Map::new();
        built.insert("method".to_owned(), operation.method.word().into());
        built.insert("url".to_owned(), self.url(&request)?.into());
        if !request.query.is_empty() {
            built.insert("query".to_owned(), Value::Object(request.query));
        }
        if !request.headers.is_empty() {
            let headers = request.headers.into_iter();
            let headers = headers.map(|(name, value)| (name, Value::from(value)));
            built.insert("headers".to_owned(), Value::Object(headers.collect()));
        }
        if let Some((kind, body)) = body(kind, request.body, whole)? {
            built.insert("body_type".to_owned(), kind.into());
            built.insert(kind.to_owned(), body);
        }
        for name in ["connection", "timeout_seconds", "no_answer"] {
            if let Some(value) = config.get(name).filter(|value| !value.is_null()) {
                built.insert(name.to_owned(), value.clone());
            }
        }
        let is_harmless = operation.idempotent || operation.effect() == Effect::Read;
        if is_harmless && !operation.method.is_idempotent() {
            built.entry("no_answer").or_insert_with(|| "repeat".into());
        }
        let expected = operation.expected_status.as_str();
        built.insert("expected_status".to_owned(), expected.into());
        Ok(built)
    }

    /// Returns the fields that apply and have a value, each with its value as it is declared.
    ///
    /// # Errors
    /// A sentence that names a field that is missing.
    pub(super) fn given(
        &self,
        config: &Map<String, Value>,
    ) -> Result<Vec<(&Field, Value)>, String> {
        let input = &self.operation().input;
        let mut all = Vec::with_capacity(input.fields.len());
        for field in input.fields.iter().filter(|field| field.applies(config)) {
            let given = config.get(&field.name).filter(|value| !value.is_null());
            let given = given.or(field.default.as_ref().filter(|_| field.required));
            match given {
                Some(value) => all.push((field, as_declared(input.property(&field.name), value))),
                None if field.required => {
                    let title = self.field_title(field);
                    return Err(format!("{title} is missing. Fill it in."));
                }
                None => {}
            }
        }
        Ok(all)
    }

    /// Returns what a field is called on screen.
    fn field_title<'a>(&'a self, field: &'a Field) -> &'a str {
        let shown = self.action().input.field(&field.name);
        shown.map_or(&field.name, |field| &field.title)
    }

    /// Returns whether there is a body also when no field gives anything for it. One that is a
    /// single field is left out with it, and where HTTP expects none (RFC 9110, 9.3), none is sent
    /// for nothing.
    fn needs_body(&self) -> bool {
        let operation = self.operation();
        let is_whole = |name: &str| operation.place(name, self.base()) == Place::WholeBody;
        let has_whole = operation
            .input
            .fields
            .iter()
            .any(|field| is_whole(&field.name));
        let expects = !matches!(
            operation.method,
            Method::Get | Method::Head | Method::Delete
        );
        expects && !has_whole
    }

    /// Returns whether a part of the body is the content of a file.
    fn is_file(&self, part: &str) -> bool {
        let operation = self.operation();
        let is_part = |field: &str| match operation.place(field, self.base()) {
            Place::Body { name, .. } => name == part,
            _ => false,
        };
        let mut fields = operation
            .input
            .fields
            .iter()
            .filter(|field| is_part(&field.name));
        let field = fields
            .next()
            .and_then(|field| operation.input.property(&field.name));
        let of = field.and_then(|field| field.get("items")).or(field);
        of.and_then(|of| of.get("format"))
            .is_some_and(|format| format == "binary")
    }

    /// Returns the address, with every `{name}` filled in.
    fn url(&self, request: &Parts) -> Result<String, String> {
        let (host, rest) = split_host(self.base());
        let mut url = String::new();
        fill(host, &request.host, &mut url)?;
        let host_ends = url.len();
        fill(rest.trim_end_matches('/'), &request.path, &mut url)?;
        fill(&self.operation().path, &request.path, &mut url)?;
        if url.len() > URL {
            return Err(format!(
                "The address is longer than {URL} characters. Shorten what stands in its path."
            ));
        }
        if let Some(segment) = dots(&url[host_ends..]) {
            return Err(format!(
                "The path would hold the segment `{segment}`, which leads elsewhere. Give another value."
            ));
        }
        Ok(url)
    }
}

/// What the fields gave so far.
#[derive(Default)]
struct Parts {
    host: Map<String, Value>,
    path: Map<String, Value>,
    query: Map<String, Value>,
    headers: Vec<(String, String)>,
    /// Members of the body with their names or pointers.
    body: Vec<(String, Value)>,
    whole: Option<Value>,
}

impl Parts {
    fn put(&mut self, place: Place, value: Value, body: BodyType) -> Result<(), String> {
        match place {
            Place::Host { name } => {
                let host = joined(&value, ",")?;
                if !is_host_part(&host) {
                    return Err(format!(
                        "`{}` cannot be a part of a host. Use letters, digits, hyphens and dots.",
                        short(&host)
                    ));
                }
                self.host.insert(name, host.into());
            }
            Place::Path { name } => {
                let text = encoded_list(&value)?;
                if text.is_empty() {
                    return Err("it is empty, but stands in the path. Fill it in.".to_owned());
                }
                self.path.insert(name, text.into());
            }
            Place::Query { name, style } => parameters(&mut self.query, &name, value, style)?,
            Place::Header { name } => self.header(&name, joined(&value, ",")?)?,
            Place::Body { name, style } if body == BodyType::Form => {
                let mut one = Map::new();
                parameters(&mut one, &name, value, style)?;
                self.body.extend(one);
            }
            Place::Body { name, .. } => self.body.push((name, value)),
            Place::WholeBody => self.whole = Some(value),
        }
        Ok(())
    }

    fn header(&mut self, name: &str, value: String) -> Result<(), String> {
        check_header_name(name)?;
        if value.chars().any(|sign| sign.is_control() && sign != '\t') {
            return Err(format!(
                "the header `{name}` cannot hold a line break or another control character. Remove it."
            ));
        }
        self.headers
            .retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value));
        Ok(())
    }
}

/// Checks the name of a header that a connector sets.
///
/// # Errors
/// A sentence, when it is none, or not a connector's to set.
pub(super) fn check_header_name(name: &str) -> Result<(), String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > 100 || !name.bytes().all(is_token) {
        return Err(format!(
            "`{}` is not a header name. Use letters, digits and hyphens, such as X-Request-Id.",
            short(name)
        ));
    }
    if NOT_OURS.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(format!(
            "the header `{name}` is not a connector's to set. Credentials belong into a connection; the rest is Sluice's."
        ));
    }
    Ok(())
}

/// Turns a value into what the schema says it is, where a form or an expression could give it only
/// as a text: “true”, “12”, one of numbers; and a number where a text is wanted.
fn as_declared(property: Option<&Value>, value: &Value) -> Value {
    let Some(property) = property.and_then(Value::as_object) else {
        return value.clone();
    };
    if let (Value::String(text), Some(Value::Array(options))) = (value, property.get("enum"))
        && !options.contains(value)
        && let Some(option) = options.iter().find(|o| as_text(o).as_ref() == Some(text))
    {
        return option.clone();
    }
    let types = types(property);
    let takes = |kind: &str| types.contains(&kind);
    match value {
        Value::String(text) if !takes("string") => match text.trim() {
            "true" if takes("boolean") => Value::Bool(true),
            "false" if takes("boolean") => Value::Bool(false),
            digits if takes("integer") || takes("number") => {
                let number: Option<serde_json::Number> = serde_json::from_str(digits).ok();
                number.map_or_else(|| value.clone(), Value::Number)
            }
            _ => value.clone(),
        },
        Value::Number(_) | Value::Bool(_) if types == ["string"] => value.to_string().into(),
        Value::String(text) if property.contains_key("anyOf") => alternative(property, text),
        _ => value.clone(),
    }
}

/// Returns what a text is of several types of which one is text: what fits one of the alternatives
/// as it stands there stays, else the number or boolean that it says, if that fits.
fn alternative(property: &Map<String, Value>, text: &str) -> Value {
    let as_text = Value::from(text);
    let schema = Value::Object(property.clone());
    if fits(&schema, &as_text).is_none() {
        return as_text;
    }
    let said: Option<Value> = serde_json::from_str(text.trim()).ok();
    let said = said.filter(|said| said.is_number() || said.is_boolean());
    said.filter(|said| fits(&schema, said).is_none())
        .unwrap_or(as_text)
}

/// Writes a value as parameters. What has a name already becomes one of several.
fn parameters(
    map: &mut Map<String, Value>,
    name: &str,
    value: Value,
    style: Style,
) -> Result<(), String> {
    let is_single = !value.is_array() && !value.is_object();
    match (style, value) {
        (Style::Json, value) if !is_single => add(map, name, value.to_string().into()),
        (Style::Comma, value) => add(map, name, joined(&value, ",")?.into()),
        (Style::Space, value) => add(map, name, joined(&value, " ")?.into()),
        (Style::Pipe, value) => add(map, name, joined(&value, "|")?.into()),
        (Style::Deep, value) => deep(map, name, value, 0)?,
        (style, Value::Array(items)) => {
            let name = match style {
                Style::Brackets => format!("{name}[]"),
                _ => name.to_owned(),
            };
            for item in items.iter().filter(|item| !item.is_null()) {
                add(map, &name, scalar(item)?.into());
            }
        }
        (Style::Brackets, value @ Value::Object(_)) => deep(map, name, value, 0)?,
        (_, Value::Object(members)) => {
            for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
                add(map, name, scalar(value)?.into());
            }
        }
        (_, value) => add(map, name, scalar(&value)?.into()),
    }
    Ok(())
}

fn deep(
    map: &mut Map<String, Value>,
    name: &str,
    value: Value,
    depth: usize,
) -> Result<(), String> {
    if depth > DEEP {
        return Err(format!(
            "it is nested deeper than {DEEP} levels. Make it flatter."
        ));
    }
    match value {
        Value::Null => {}
        Value::Array(items) => {
            for (index, item) in items.into_iter().enumerate() {
                deep(map, &format!("{name}[{index}]"), item, depth + 1)?;
            }
        }
        Value::Object(members) => {
            for (inner, value) in members {
                deep(map, &format!("{name}[{inner}]"), value, depth + 1)?;
            }
        }
        value => add(map, name, scalar(&value)?.into()),
    }
    Ok(())
}

/// Adds a parameter; one that is there already becomes a list.
fn add(map: &mut Map<String, Value>, name: &str, value: Value) {
    match map.get_mut(name) {
        None => drop(map.insert(name.to_owned(), value)),
        Some(Value::Array(items)) => items.push(value),
        Some(other) => *other = Value::Array(vec![other.take(), value]),
    }
}

/// Returns a text, number or boolean as text.
fn scalar(value: &Value) -> Result<String, String> {
    as_text(value).ok_or_else(|| {
        "a list or an object cannot stand there. Give a text or a number.".to_owned()
    })
}

/// Returns a value as one text: items with a sign between them, of an object names and values.
fn joined(value: &Value, between: &str) -> Result<String, String> {
    let parts: Result<Vec<String>, String> = match value {
        Value::Array(items) => items.iter().filter(|i| !i.is_null()).map(scalar).collect(),
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            let parts =
                members.map(|(name, value)| Ok(format!("{name}{between}{}", scalar(value)?)));
            parts.collect()
        }
        value => Ok(vec![scalar(value)?]),
    };
    parts.map(|parts| parts.join(between))
}

/// Returns a value as it stands in a path: each item percent-encoded, with commas between them.
fn encoded_list(value: &Value) -> Result<String, String> {
    match value {
        Value::Array(items) => {
            let items: Result<Vec<String>, String> = items
                .iter()
                .map(|item| scalar(item).map(|text| encoded(&text)))
                .collect();
            items.map(|items| items.join(","))
        }
        value => scalar(value).map(|text| encoded(&text)),
    }
}

/// Encodes all but what RFC 3986 calls unreserved, so that the text stays within its segment.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Returns the body and how it is written.
fn body(
    kind: BodyType,
    members: Vec<(String, Value)>,
    whole: Option<Value>,
) -> Result<Option<(&'static str, Value)>, String> {
    match kind {
        BodyType::None => Ok(None),
        BodyType::Text | BodyType::Multipart => match whole {
            Some(text) => Ok(Some(("text", joined(&text, "\n")?.into()))),
            None => Ok(None),
        },
        BodyType::Form => {
            let mut form = match whole {
                Some(Value::Object(whole)) => whole,
                None => Map::new(),
                Some(_) => return Err("The body must be names with values.".to_owned()),
            };
            form.extend(members);
            Ok(Some(("form", Value::Object(form))))
        }
        BodyType::Json => {
            let mut json = match whole {
                Some(whole) if members.is_empty() => return Ok(Some(("json", whole))),
                Some(Value::Object(whole)) => whole,
                None => Map::new(),
                Some(_) => return Err("The body must be an object.".to_owned()),
            };
            for (name, value) in members {
                set(&mut json, &name, value)?;
            }
            Ok(Some(("json", Value::Object(json))))
        }
    }
}

/// Sets a member, or what a pointer names; the objects on the way are made.
fn set(map: &mut Map<String, Value>, name: &str, value: Value) -> Result<(), String> {
    if !is_pointer(name) || !name.starts_with('/') {
        map.insert(name.to_owned(), value);
        return Ok(());
    }
    let tokens = name[1..].split('/');
    let mut tokens: Vec<String> = tokens
        .map(|token| token.replace("~1", "/").replace("~0", "~"))
        .collect();
    let last = tokens.pop().unwrap_or_default();
    let mut at = map;
    for token in tokens {
        let inner = at.entry(token).or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(inner) = inner else {
            return Err(format!("`{name}` leads through a value that is no object."));
        };
        at = inner;
    }
    at.insert(last, value);
    Ok(())
}

/// Parts a base into scheme with host, and the path behind it.
pub(super) fn split_host(base: &str) -> (&str, &str) {
    let host = base.find("://").map_or(0, |at| at + 3);
    let end = base[host..].find('/').map_or(base.len(), |at| host + at);
    base.split_at(end)
}

/// Returns the names that stand in braces in a base or path.
pub fn template_holes(text: &str) -> impl Iterator<Item = &str> {
    text.split('{')
        .skip(1)
        .filter_map(|part| part.split_once('}').map(|(name, _)| name))
}

/// Writes a text with its holes filled in.
fn fill(text: &str, values: &Map<String, Value>, into: &mut String) -> Result<(), String> {
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, behind) = behind
            .split_once('}')
            .ok_or_else(|| "The address has a brace that is not closed.".to_owned())?;
        let value = values.get(name).and_then(Value::as_str);
        let value = value
            .ok_or_else(|| format!("Nothing is filled in for `{{{name}}}` in the address."))?;
        into.push_str(before);
        into.push_str(value);
        rest = behind;
    }
    into.push_str(rest);
    Ok(())
}

/// Returns the first segment of a path by which a URL would lead elsewhere: `.` or `..`, also
/// percent-encoded.
pub(super) fn dots(path: &str) -> Option<&str> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.split(['/', '\\']).find(|segment| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    })
}

/// Returns whether a text can stand in a host: labels with dots between them.
fn is_host_part(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// Returns whether a host, as it stands in an address, is this machine or an address by number:
/// `http` is for these only.
pub(super) fn is_numbered(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split_once(']').map_or("", |(v6, _)| v6),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok()
}
