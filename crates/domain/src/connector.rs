//! Connectors: the actions of one outside service, as data.
//!
//! A [`Connector`] is a file that someone writes, or that comes from a description of the service.
//! A step does not name it: it carries the [`Declared`] action that it was made with, so that a
//! document is whole by itself and a version runs as it was published, whatever becomes of the
//! connector. An action is an HTTP request whose parts come from the fields of a form:
//! [`Declared::request`] builds it, and the engine sends it as it sends any other. What takes more
//! than one request, or a signature, is run by the connector's [`Component`].
//!
//! No trust is put in a declaration. Whoever forges one can send what an HTTP request step can
//! send, and no more: a connection goes to its own origins only.

mod check;
mod compare;
pub mod component;
mod declared;
mod example;
mod fault;
pub mod openapi;
mod parts;
mod request;
mod shape;
mod shelf;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::catalog::Effect;
use crate::connection::{Kind, OAuth};
use crate::limit;
use crate::payload;
use crate::schema::Schema;

pub use compare::{Changed, Comparison, Difference, Listed, Side, compare, of_operation};
pub use component::{Asked, Component};
pub use declared::Declared;
pub use example::{Answer, Example, Exchange, Request, SignsWith};
pub use fault::Fault;
pub use request::template_holes;
pub use shape::{example_of, fits};
pub use shelf::{FOUND, Index, Line, Page, Preview, Refusal, Shelf, Source, Summary, Use, WANTED};

/// The kind of the steps that carry an action of a connector.
pub const STEP: &str = "connector";
/// The form of the file that this code reads and writes.
pub const FORM: u32 = 1;
/// Most connectors of an organization.
pub const CONNECTORS: usize = 200;
/// Most actions of one connector.
pub const ACTIONS: usize = 5_000;
/// Largest connector as canonical JSON, in bytes.
pub const CONNECTOR_BYTES: usize = 16 * 1024 * 1024;
/// Largest action with what a step carries beside it, as canonical JSON, in bytes.
pub const DECLARED_BYTES: usize = 32 * 1024;
/// Most fields of one action.
pub const FIELDS: usize = 300;
/// Longest key of an action, in bytes.
pub const ACTION_KEY: usize = 400;
/// Longest key of a connector, in bytes.
pub const KEY: usize = 60;
/// Longest path, in bytes.
pub const PATH: usize = 1_000;
/// Longest address that an action may build, in bytes.
pub const URL: usize = 8_000;
/// Deepest nesting of a schema.
pub const SCHEMA_DEPTH: usize = 40;
/// Most recorded examples of one connector.
pub const EXAMPLES: usize = 1_000;
/// Most headers that a connector or an action sets by itself.
pub const HEADERS: usize = 20;
/// Fields that each step of a connector has beside those of its action; an action's own fields
/// are called otherwise.
pub const RESERVED: [&str; 3] = ["connection", "timeout_seconds", "no_answer"];

/// The actions of one outside service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connector {
    /// Version of this form of file; always [`FORM`] in what we write.
    pub form: u32,
    /// What it is known by, also when it is imported again: lower-case letters, digits and hyphens.
    pub key: String,
    /// Name of the service on screen.
    pub title: String,
    /// One or two sentences: what the service is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The author's own version, shown to people and never compared.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Name of one of Sluice's icons; an unknown one draws a dot.
    #[serde(default = "plug", skip_serializing_if = "is_plug")]
    pub icon: String,
    /// Markdown: how to get credentials, what to know.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub docs: String,
    /// What all paths begin with, such as `https://api.example.com/v1`, without a slash at its end.
    /// `{name}` in its host or path is filled in from a field.
    pub base: String,
    /// What each request carries beside what its fields give, such as `Accept`. Never secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The kinds of connection that prove who sends, the recommended one first; none when the
    /// service asks nobody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub auth: Vec<Auth>,
    /// The part of it that has logic, where some actions need one: a module beside this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<Component>,
    /// What it can do, in the order in which it is shown.
    pub actions: Vec<Operation>,
    /// Recorded examples, which say what each action sends and what it gets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<Example>,
}

/// One way to prove who sends: what an Admin chooses when adding a connection for the service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// The kind of connection.
    pub kind: Kind,
    /// Names of the headers or of the parameter, of a kind that has some; for the user or client
    /// whoever adds the connection knows the name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// One or two sentences: where to get it, and what to type.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
    /// Where tokens come from, of a kind that has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth: Option<OAuth>,
}

/// A method of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    #[default]
    Get,
    /// Makes, or does.
    Post,
    /// Puts in place of what is there.
    Put,
    /// Changes parts.
    Patch,
    /// Deletes.
    Delete,
    /// Reads without the body.
    Head,
}

impl Method {
    /// Returns the word that is sent.
    pub const fn word(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Head => "HEAD",
        }
    }

    /// Returns the method with that word, in upper or lower case.
    pub fn from_word(word: &str) -> Option<Self> {
        use Method::{Delete, Get, Head, Patch, Post, Put};
        let mut all = [Get, Post, Put, Patch, Delete, Head].into_iter();
        all.find(|method| method.word().eq_ignore_ascii_case(word))
    }

    /// Returns whether HTTP calls it safe: it only reads (RFC 9110, 9.2.1).
    pub const fn is_safe(self) -> bool {
        matches!(self, Method::Get | Method::Head)
    }

    /// Returns whether HTTP says that sending it twice does no harm (RFC 9110, 9.2.2).
    pub const fn is_idempotent(self) -> bool {
        !matches!(self, Method::Post | Method::Patch)
    }
}

/// How the body of a request is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyType {
    /// There is none.
    #[default]
    None,
    /// As JSON.
    Json,
    /// As the fields of a form.
    Form,
    /// As the parts of a form that also sends files (RFC 7578), each as text.
    Multipart,
    /// As text, given as a whole.
    Text,
}

/// Where the value of a field goes in the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "in", rename_all = "snake_case", deny_unknown_fields)]
pub enum Place {
    /// Into the host, for `{name}` in the base: one or more labels such as `acme`.
    Host {
        /// What stands in the braces.
        name: String,
    },
    /// Into the path, for `{name}` in base or path: always one segment, percent-encoded.
    Path {
        /// What stands in the braces.
        name: String,
    },
    /// A query parameter.
    Query {
        /// Its name.
        name: String,
        /// How a list or an object is written.
        #[serde(default, skip_serializing_if = "is_default")]
        style: Style,
    },
    /// A header.
    Header {
        /// Its name.
        name: String,
    },
    /// A part of the body. In JSON, a name that begins with a slash is a JSON Pointer through
    /// objects (RFC 6901); any other is one member.
    Body {
        /// Its name.
        name: String,
        /// How a list or an object is written in a form.
        #[serde(default, skip_serializing_if = "is_default")]
        style: Style,
    },
    /// The body as a whole.
    WholeBody,
}

/// How a list or an object is written as parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// `a=1&a=2`; of an object each member by its own name.
    #[default]
    Repeat,
    /// `a=1,2`; of an object `a=name,value`.
    Comma,
    /// `a=1 2`.
    Space,
    /// `a=1|2`.
    Pipe,
    /// `a[]=1&a[]=2`.
    Brackets,
    /// `a[0]=1&a[name][inner]=2`.
    Deep,
    /// One parameter that is JSON.
    Json,
}

/// How the service gives a long list in pages; a hint for people, and what is proposed for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case", deny_unknown_fields)]
pub enum Paging {
    /// A field holds the number of the page.
    Page {
        /// The input field.
        field: String,
    },
    /// A field holds how many entries are skipped.
    Offset {
        /// The input field.
        field: String,
    },
    /// A field holds what the answer before said.
    Cursor {
        /// The input field.
        field: String,
        /// Where the answer's body says it, as a JSON Pointer; empty when that is not known.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        next: String,
    },
    /// The header `Link` names the next page (RFC 8288).
    Link,
}

/// How many requests the service takes; a hint for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// So many requests…
    pub requests: u32,
    /// …in so many seconds.
    pub seconds: u32,
}

/// One action of a connector: a request, or a run of its component, and the form for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// What it is known by within its connector, also when that is imported again. From a
    /// description of the service: method and path, which say what it is, never a name that a
    /// generator made up.
    pub key: String,
    /// Name on screen, such as “Create an issue”.
    pub title: String,
    /// What it does, in one or two sentences.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Heading under which the connector shows it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Further words under which a search finds it, in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// The name under which the connector's component runs it; empty for an action that is one
    /// request. One that is run has no method, path, places, body and headers of its own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub run: String,
    /// The method; `GET` when it is left out.
    #[serde(default)]
    pub method: Method,
    /// Where it is sent, when not to the base of its connector: such as the server of a service
    /// that takes files. A connection for it names this origin, too.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub base: String,
    /// What comes behind the base: begins with a slash (or is empty); `{name}` is filled in from a
    /// field; a literal query may stand at its end.
    #[serde(default)]
    pub path: String,
    /// Where the fields go. One that is not here goes, under its own name, into the path or host
    /// if its name stands there in braces, else into the body if there is one, else into the query.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub places: BTreeMap<String, Place>,
    /// How the body is written.
    #[serde(default, skip_serializing_if = "is_default")]
    pub body: BodyType,
    /// What this request carries beside what its fields give, over those of the connector.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The fields: a JSON Schema of an object without `$ref`. A `default` is what a new step
    /// starts with and sends; what the service does without a value belongs into the description.
    #[serde(default = "no_fields", deserialize_with = "ordered")]
    pub input: Schema,
    /// JSON Schema, without `$ref`, of the answer's body; null when it is not known.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub output: Value,
    /// The statuses that are no failure, such as `2xx, 404`.
    #[serde(default = "success", skip_serializing_if = "is_success")]
    pub expected_status: String,
    /// What it does to the service, when the method does not say it: a search by POST only reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// Sending it twice does what sending it once does, though its method does not say so: the
    /// service knows the header `Idempotency-Key`, or it only sets a value.
    #[serde(default, skip_serializing_if = "is_default")]
    pub idempotent: bool,
    /// It works without a connection, too.
    #[serde(default, skip_serializing_if = "is_default")]
    pub anonymous: bool,
    /// How long lists come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paging: Option<Paging>,
    /// How many requests the service takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
}

fn plug() -> String {
    "plug".to_owned()
}

fn is_plug(icon: &str) -> bool {
    icon == "plug"
}

fn success() -> String {
    "2xx".to_owned()
}

fn is_success(status: &str) -> bool {
    status == "2xx"
}

fn no_fields() -> Schema {
    Schema::of_fields(serde_json::Map::new(), Vec::new())
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn ordered<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Schema, D::Error> {
    Schema::deserialize(deserializer).map(Schema::ordered)
}

impl Operation {
    /// Returns what its path begins with; `base` is that of its connector.
    pub fn base<'a>(&'a self, base: &'a str) -> &'a str {
        if self.base.is_empty() {
            base
        } else {
            &self.base
        }
    }

    /// Returns where a field goes; `base` is what its path begins with.
    pub fn place(&self, field: &str, base: &str) -> Place {
        if let Some(place) = self.places.get(field) {
            return place.clone();
        }
        let name = field.to_owned();
        let (host, rest) = request::split_host(base);
        let names = |text: &str| template_holes(text).any(|hole| hole == field);
        if names(host) {
            Place::Host { name }
        } else if names(rest) || names(&self.path) {
            Place::Path { name }
        } else {
            let style = Style::default();
            match self.body {
                BodyType::None => Place::Query { name, style },
                BodyType::Text => Place::WholeBody,
                BodyType::Json | BodyType::Form | BodyType::Multipart => {
                    Place::Body { name, style }
                }
            }
        }
    }

    /// Returns what it does to the service. What a component does is a write, unless it is declared
    /// to be a read.
    pub fn effect(&self) -> Effect {
        match (self.effect, self.method.is_safe() && !self.has_logic()) {
            (Some(effect), _) => effect,
            (None, true) => Effect::Read,
            (None, false) => Effect::Write,
        }
    }
}

impl Connector {
    /// Reads a connector from a text in JSON, and checks it.
    ///
    /// # Errors
    /// What is wrong, and where; at most [`Fault::MOST`] of it.
    pub fn read(text: &str) -> Result<Self, Vec<Fault>> {
        let whole = |message: String| vec![Fault::of("", message)];
        if text.len() > 2 * CONNECTOR_BYTES {
            let most = CONNECTOR_BYTES / (1024 * 1024);
            return Err(whole(format!("A connector has at most {most} MiB.")));
        }
        // Its depth is judged before it is parsed, so that hostile nesting costs no stack.
        if payload::is_deeper(text.as_bytes(), limit::JSON_DEPTH) {
            let message = format!("It is nested deeper than {} levels.", limit::JSON_DEPTH);
            return Err(whole(message));
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let connector: Self =
            serde_json::from_str(text).map_err(|error| whole(fault::of_json(&error)))?;
        connector.check()?;
        Ok(connector)
    }

    /// Returns the action with that key.
    pub fn action(&self, key: &str) -> Option<&Operation> {
        self.actions.iter().find(|action| action.key == key)
    }
}

#[cfg(test)]
mod tests;
