//! The body of a request: its members become fields of their own, or it becomes one.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::action::{Maker, append, is_nested, text_of};
use super::shape::{Direction, Shaper};
use super::{body, field, words};
use crate::connector::{BodyType, Method, Place, Style};

/// Most members of a body that become fields of their own.
const MEMBERS: usize = 200;

impl<'a> Maker<'a, '_> {
    /// Makes fields of the body; returns how it is written.
    pub(super) fn body(
        &mut self,
        headers: &mut BTreeMap<String, String>,
    ) -> Result<BodyType, String> {
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
                only_required(&mut shaped);
                // Where HTTP expects no body, one that requires nothing would not be sent: what has
                // to be there is asked for as a whole.
                let is_asked = is_required
                    && !expects_body(self.source.method)
                    && !shaped.contains_key("required");
                if is_flat(&shaped) && !is_asked {
                    let style = |name: &str| body_style(kind, sent.media, name);
                    self.members(kind, shaped, is_required, style);
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
        kind: BodyType,
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
        let has_body = expects_body(self.source.method);
        let Some(Value::Object(properties)) = shaped.shift_remove("properties") else {
            return;
        };
        for (name, property) in properties {
            let Value::Object(mut property) = property else {
                continue;
            };
            if kind != BodyType::Json
                && !property.contains_key("type")
                && !property.contains_key("anyOf")
            {
                property.insert("type".into(), "string".into());
            }
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
            let style = match style(&name) {
                Style::Repeat | Style::Comma if kind == BodyType::Form && is_nested(&schema) => {
                    Style::Json
                }
                style => style,
            };
            self.properties.insert(field.clone(), Value::Object(schema));
            if is_required {
                self.required.push(field.clone());
            }
            let place = Place::Body {
                style,
                // A name that begins with a slash would be a pointer.
                name: match name.strip_prefix('/') {
                    Some(_) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
                    None => name,
                },
            };
            self.places.insert(field, place);
        }
    }
}

/// Returns whether a request with that method has a body by nature (RFC 9110, 9.3).
fn expects_body(method: Method) -> bool {
    !matches!(method, Method::Get | Method::Head | Method::Delete)
}

/// Returns whether a body is an object whose members can be fields of their own.
fn is_flat(shaped: &Map<String, Value>) -> bool {
    let properties = shaped.get("properties").and_then(Value::as_object);
    let is_object = shaped.get("type").is_none_or(|kind| kind == "object");
    is_object
        && !shaped.contains_key("anyOf")
        && properties.is_some_and(|properties| (1..=MEMBERS).contains(&properties.len()))
}

/// Takes alternatives away that say only which members have to be there, and puts them to those
/// members: a form shows all of them, and each says that one set is needed.
fn only_required(shaped: &mut Map<String, Value>) {
    let Some(all) = shaped.get("anyOf").and_then(Value::as_array) else {
        return;
    };
    let is_only = |alternative: &Value| {
        alternative.as_object().is_some_and(|alternative| {
            let keys = ["required", "type", "title", "description", "nullable"];
            alternative.keys().all(|key| keys.contains(&key.as_str()))
                && alternative.get("type").is_none_or(|kind| kind == "object")
        })
    };
    if !shaped.contains_key("properties") || !all.iter().all(is_only) {
        return;
    }
    let sets: Vec<Vec<String>> = all
        .iter()
        .filter_map(|alternative| {
            let names = alternative.get("required")?.as_array()?.iter();
            Some(
                names
                    .filter_map(|name| name.as_str().map(str::to_owned))
                    .collect(),
            )
        })
        .filter(|names: &Vec<String>| !names.is_empty())
        .collect();
    let is_free = sets.len() < all.len();
    shaped.shift_remove("anyOf");
    let Some(Value::Object(properties)) = shaped.get_mut("properties") else {
        return;
    };
    // Where one of the alternatives asks for nothing, nothing is needed.
    if is_free {
        return;
    }
    let told: Vec<String> = sets
        .iter()
        .take(8)
        .map(|names| names.join(" with "))
        .collect();
    let told = format!("Needed: {}.", told.join(", or "));
    for (name, property) in properties.iter_mut() {
        let Value::Object(property) = property else {
            continue;
        };
        if !sets.iter().any(|names| names.contains(name)) {
            continue;
        }
        let mut description = text_of(property, "description").to_owned();
        append(&mut description, &told);
        property.insert("description".into(), description.into());
        property.insert("x-one-of".into(), json!(sets));
    }
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
