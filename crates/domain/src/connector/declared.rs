//! An action as a step carries it, and what the catalog would say of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::check::check_declared;
use super::shape::types;
use super::{Component, Connector, Fault, Method, Operation, Place, STEP, example_of};
use crate::canonical;
use crate::catalog::{Action, Effect};
use crate::connection::Kind;
use crate::schema::Schema;

/// The declaration that a step was made with: one action, and what it needs of its connector. A
/// copy is cheap: it shares what is declared.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Raw", into = "Raw")]
pub struct Declared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    raw: Raw,
    action: Action,
}

/// What is stored of a declaration; the rest follows from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    connector: String,
    title: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    version: String,
    icon: String,
    base: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    auth: Vec<Kind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) component: Option<Component>,
    operation: Operation,
}

impl PartialEq for Declared {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.raw == other.0.raw
    }
}

impl From<Raw> for Declared {
    fn from(raw: Raw) -> Self {
        let action = view(&raw);
        Self(Arc::new(Inner { raw, action }))
    }
}

impl From<Declared> for Raw {
    fn from(declared: Declared) -> Self {
        declared.0.raw.clone()
    }
}

impl Declared {
    /// Returns what a step carries of an action of a connector.
    pub fn of(connector: &Connector, operation: &Operation) -> Self {
        let mut auth: Vec<Kind> = Vec::new();
        for kind in connector.auth.iter().map(|auth| auth.kind) {
            if !auth.contains(&kind) {
                auth.push(kind);
            }
        }
        let mut operation = operation.clone();
        operation.input = operation.input.ordered();
        Self::from(Raw {
            connector: connector.key.clone(),
            title: connector.title.clone(),
            version: connector.version.clone(),
            icon: connector.icon.clone(),
            base: operation
                .base(&connector.base)
                .trim_end_matches('/')
                .to_owned(),
            headers: connector.headers.clone(),
            auth,
            component: connector
                .component
                .clone()
                .filter(|_| operation.has_logic()),
            operation,
        })
    }

    /// Returns what is stored of it.
    pub(super) fn raw(&self) -> &Raw {
        &self.0.raw
    }

    /// Returns the key of the connector.
    pub fn connector(&self) -> &str {
        &self.0.raw.connector
    }

    /// Returns the name of the connector.
    pub fn title(&self) -> &str {
        &self.0.raw.title
    }

    /// Returns the version of the connector that it is of, as its author calls it; may be empty.
    pub fn version(&self) -> &str {
        &self.0.raw.version
    }

    /// Returns what the path of the action begins with.
    pub fn base(&self) -> &str {
        &self.0.raw.base
    }

    /// Returns the headers that the connector sends with each of its actions.
    pub(super) fn headers(&self) -> &BTreeMap<String, String> {
        &self.0.raw.headers
    }

    /// Returns the kinds of connection that prove who sends, the recommended one first.
    pub fn auth(&self) -> &[Kind] {
        &self.0.raw.auth
    }

    /// Returns the action as the connector declares it.
    pub fn operation(&self) -> &Operation {
        &self.0.raw.operation
    }

    /// Returns the action as the catalog would list it: form, output, effect.
    pub fn action(&self) -> &Action {
        &self.0.action
    }

    /// Returns method and address before any field is filled in, such as
    /// `POST https://api.example.com/orders/{id}`; of an action that a component runs, the name by
    /// which it does, and the beginning of the component's hash.
    pub fn line(&self) -> String {
        let operation = &self.0.raw.operation;
        if let Some(component) = self.component() {
            let short: String = component.sha256.chars().take(12).collect();
            return format!("{} by component {short}", operation.run);
        }
        format!(
            "{} {}{}",
            operation.method.word(),
            self.0.raw.base,
            operation.path
        )
    }

    /// Returns what is sent, line by line: method and address, headers, and where each field goes.
    pub fn told(&self) -> String {
        let operation = &self.0.raw.operation;
        let mut lines = vec![self.line()];
        if let Some(component) = self.component() {
            lines = vec![
                format!("Runs {} of a component", operation.run),
                format!("Component (SHA-256): {}", component.sha256),
                format!(
                    "Effect: {}",
                    match operation.effect() {
                        Effect::Write => "may write",
                        _ => "only reads",
                    }
                ),
                "Reaches the origins of the step's connection".to_owned(),
            ];
            lines.extend(component.hosts.iter().map(|host| format!("Reaches {host}")));
            let fields = operation.input.fields.iter();
            lines.extend(fields.map(|field| format!("{} -> the component", field.name)));
            let by = format!("{} {}", self.0.raw.title, self.0.raw.version);
            lines.push(format!("As declared by {}", by.trim()));
            return lines.join("\n");
        }
        let headers = self.0.raw.headers.iter().chain(&operation.headers);
        lines.extend(headers.map(|(name, value)| format!("{name}: {value}")));
        for field in &operation.input.fields {
            let to = match operation.place(&field.name, self.base()) {
                Place::Host { name } => format!("host, {{{name}}}"),
                Place::Path { name } => format!("path, {{{name}}}"),
                Place::Query { name, .. } => format!("query, {name}"),
                Place::Header { name } => format!("header, {name}"),
                Place::Body { name, .. } => format!("body, {name}"),
                Place::WholeBody => "whole body".to_owned(),
            };
            lines.push(format!("{} -> {to}", field.name));
        }
        let by = format!("{} {}", self.0.raw.title, self.0.raw.version);
        lines.push(format!("As declared by {}", by.trim()));
        lines.join("\n")
    }

    /// Returns it as JSON, as documents hold it.
    pub fn json(&self) -> Value {
        serde_json::to_value(&self.0.raw).unwrap_or_default()
    }

    /// Returns how many bytes of canonical JSON it has.
    pub fn bytes(&self) -> usize {
        canonical::of(&self.0.raw).map_or(usize::MAX, |json| json.len())
    }

    /// Checks it, as a connector's actions are checked when it is read.
    ///
    /// # Errors
    /// What is wrong; at most [`Fault::MOST`].
    pub fn check(&self) -> Result<(), Vec<Fault>> {
        check_declared(self)
    }
}

/// Returns what the catalog would say of an action.
fn view(raw: &Raw) -> Action {
    let operation = &raw.operation;
    let mut properties = Map::new();
    let mut required: Vec<String> = Vec::new();
    if !raw.auth.is_empty() {
        let kinds: Vec<&str> = raw.auth.iter().map(|kind| kind.title()).collect();
        let help = format!(
            "Proves to {} who sends ({}). It is sent to its own origins only.",
            raw.title,
            kinds.join(", or ")
        );
        properties.insert(
            "connection".to_owned(),
            json!({ "type": "string", "title": "Connection", "description": help, "x-widget": "connection" }),
        );
        if !operation.anonymous {
            required.push("connection".to_owned());
        }
    }
    for field in &operation.input.fields {
        let Some(property) = operation.input.property(&field.name) else {
            continue;
        };
        properties.insert(field.name.clone(), shown(&field.name, property));
        if field.required {
            required.push(field.name.clone());
        }
    }
    properties.insert(
        "timeout_seconds".to_owned(),
        json!({ "type": "number", "title": "Time-out in seconds", "description": "Counts from connecting to the last byte of the answer; 30 when it is empty.", "minimum": 0.1, "maximum": 300 }),
    );
    if matches!(operation.method, Method::Post | Method::Patch) && !operation.has_logic() {
        let is_harmless = operation.idempotent || operation.effect() == Effect::Read;
        let default = if is_harmless { "repeat" } else { "doubt" };
        properties.insert(
            "no_answer".to_owned(),
            json!({
                "type": "string",
                "title": "When no answer comes",
                "description": "The request may have arrived all the same. Send it again only if the service knows the Idempotency-Key header, or a second request does no harm.",
                "enum": ["doubt", "repeat"],
                "x-labels": ["Stop, in doubt", "Send it again"],
                "default": default,
            }),
        );
    }
    let output = if operation.has_logic() {
        output_of_logic(&operation.output)
    } else {
        output_of_request(&operation.output)
    };
    Action::declared(
        STEP,
        operation,
        &raw.icon,
        &raw.title,
        Schema::of_fields(properties, required),
        Schema::of_fields(output, Vec::new()),
    )
}

/// Returns the fields of what a component gives.
fn output_of_logic(declared: &Value) -> Map<String, Value> {
    let properties = declared.get("properties").and_then(Value::as_object);
    let shown = properties.into_iter().flatten().map(|(name, property)| {
        let mut property = shown(name, property);
        if let (Some(example), Some(property)) = (example_of(&property), property.as_object_mut()) {
            property
                .entry("examples")
                .or_insert_with(|| Value::from_iter([example]));
        }
        (name.clone(), property)
    });
    shown.collect()
}

/// Returns the fields of the answer to a request whose body is as declared.
fn output_of_request(declared: &Value) -> Map<String, Value> {
    let mut body = match declared {
        Value::Object(schema) => schema.clone(),
        _ => Map::new(),
    };
    body.entry("title")
        .or_insert_with(|| "Body of the answer".into());
    if let Some(example) = example_of(declared) {
        body.insert("examples".to_owned(), Value::from_iter([example]));
    }
    Map::from_iter([
        (
            "status".to_owned(),
            json!({ "type": "integer", "title": "Status", "examples": [200] }),
        ),
        (
            "headers".to_owned(),
            json!({ "type": "object", "title": "Headers, names in lower case" }),
        ),
        ("body".to_owned(), Value::Object(body)),
    ])
}

/// Returns a field as the form shows it: what JSON Schema says of a value, and the form cannot ask
/// for, is put in the form's own words.
fn shown(name: &str, property: &Value) -> Value {
    let mut shown = property.as_object().cloned().unwrap_or_default();
    // These are the form's own, with a meaning that a service's description does not know.
    for word in ["format", "x-same-as"] {
        shown.shift_remove(word);
    }
    let kind = types(&shown)
        .into_iter()
        .find(|kind| *kind != "null")
        .map(str::to_owned);
    if kind.as_deref() == Some("boolean") {
        shown.insert("enum".to_owned(), json!(["true", "false"]));
        shown.insert("x-labels".to_owned(), json!(["Yes", "No"]));
    }
    if let Some(kind) = kind {
        shown.insert("type".to_owned(), Value::from(kind));
    }
    if let Some(Value::Array(options)) = shown.get_mut("enum") {
        *options = options
            .iter()
            .filter_map(as_text)
            .map(Value::from)
            .collect();
        if let Some(default) = shown.get("default").and_then(as_text) {
            shown.insert("default".to_owned(), Value::from(default));
        }
    }
    let is_titled = shown
        .get("title")
        .is_some_and(|title| title.as_str().is_some_and(|t| !t.is_empty()));
    if !is_titled {
        shown.insert("title".to_owned(), Value::from(title_of(name)));
    }
    Value::Object(shown)
}

/// Returns a value that is written as one word, as text.
pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Returns a name as a title: `per_page` and `perPage` are “Per page”.
fn title_of(name: &str) -> String {
    let mut title = String::with_capacity(name.len() + 4);
    let mut was_lower = false;
    for sign in name.chars() {
        match sign {
            '_' | '-' => title.push(' '),
            sign if title.is_empty() => title.extend(sign.to_uppercase()),
            sign if sign.is_uppercase() && was_lower => {
                title.push(' ');
                title.extend(sign.to_lowercase());
            }
            sign => title.push(sign),
        }
        was_lower = sign.is_lowercase() || sign.is_ascii_digit();
    }
    match title.trim() {
        "" => name.to_owned(),
        title => title.to_owned(),
    }
}
