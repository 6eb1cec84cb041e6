//! The component of a connector: the part that has logic, as WebAssembly.
//!
//! A component reaches nothing by itself. It is run as a pure function of the action, its input and
//! the answers that are recorded so far; what it wants to send, it asks for, and the engine sends it
//! as it sends any request.

pub(super) mod check;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Connector, Declared, Method, Operation};
use crate::canonical::sha256;
use crate::catalog::Effect;
use crate::document::{Document, Step};

/// Largest module, in bytes.
pub const MODULE_BYTES: usize = 4 * 1024 * 1024;
/// Most requests of one step.
pub const REQUESTS: usize = 32;
/// Most memory that a component has, in bytes.
pub const MEMORY: usize = 64 * 1024 * 1024;
/// Most that its calls may be nested, in bytes of stack.
pub const STACK: usize = 512 * 1024;
/// What one run of a component may do, in units of about one instruction: a second's work. It is
/// counted, not measured, so that a run that ends once ends so each time.
pub const FUEL: u64 = 1_000_000_000;
/// How long one run may take whatever it does, in seconds: for what does much in one instruction.
pub const TIME_SECONDS: u64 = 5;
/// Largest input, largest output, and largest body of a request, in bytes.
pub const VALUE_BYTES: usize = crate::limit::RESPONSE_BYTES;
/// Most that the answers of one step have together, in bytes of JSON.
pub const ANSWERS_BYTES: usize = 16 * 1024 * 1024;
/// Most headers of a request.
pub const HEADERS: usize = 50;
/// Most origins that a component may reach beside those of the connection.
pub const HOSTS: usize = 20;
/// Longest name under which a component knows an action, in bytes.
pub const NAME: usize = 60;

/// What a connector says of its component, and what a step carries of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// SHA-256 of the module, in hexadecimal. In a file it may be left out: the module that is
    /// imported with it is the one that is meant.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
    /// The origins that it may reach beside those of the step's connection, as
    /// [`crate::connection::origin`] writes them. The connection is not sent there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
}

/// A request that a component asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The method, in upper case.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// The headers, in the order in which they were given.
    pub headers: Vec<(String, String)>,
    /// The body, if there is one.
    pub body: Option<String>,
    /// Sending it twice does what sending it once does, though its method does not say so.
    pub repeats: bool,
}

impl Asked {
    /// Returns what it is known by when a component asks again: method, address and body. Headers
    /// are left out, as a connection whose secret was changed meanwhile signs otherwise.
    pub fn digest(&self) -> String {
        let asked = serde_json::json!([self.method, self.url, self.body]);
        sha256(asked.to_string().as_bytes())
    }

    /// Returns whether HTTP calls its method safe: it only reads.
    pub fn is_safe(&self) -> bool {
        Method::from_word(&self.method).is_some_and(Method::is_safe)
    }
}

impl Operation {
    /// Returns whether the component of its connector runs it, instead of its being one request.
    pub fn has_logic(&self) -> bool {
        !self.run.is_empty()
    }
}

impl Connector {
    /// Returns whether some of its actions are run by a component.
    pub fn has_logic(&self) -> bool {
        self.component.is_some()
    }

    /// Returns the connector with the component that this module is.
    #[must_use]
    pub fn with_module(mut self, sha256: String) -> Self {
        if let Some(component) = &mut self.component {
            component.sha256 = sha256;
        }
        self
    }
}

impl Declared {
    /// Returns the component that runs the action, if one does.
    pub fn component(&self) -> Option<&Component> {
        self.raw().component.as_ref()
    }

    /// Returns whether a component may send a request: an action that says it only reads sends only
    /// what reads.
    pub fn may_send(&self, asked: &Asked) -> bool {
        self.operation().effect() == Effect::Write || asked.is_safe()
    }

    /// Returns what the component gets as input: the fields that apply, each as it is declared.
    ///
    /// # Errors
    /// A sentence that names a field that is missing.
    pub fn input(&self, config: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        let given = self.given(config)?.into_iter();
        Ok(given
            .map(|(field, value)| (field.name.clone(), value))
            .collect())
    }
}

/// Returns the components that a document needs, by the hash of their module.
pub fn needed_by(document: &Document) -> BTreeSet<&str> {
    let declared = document.steps.values().filter_map(Step::declared);
    let components = declared.filter_map(Declared::component);
    components.map(|needs| needs.sha256.as_str()).collect()
}
