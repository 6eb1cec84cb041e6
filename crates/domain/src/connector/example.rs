//! Recorded examples: what an action sends for some fields, and what came back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Connector, Declared, Fault, Method, Operation, fits};
use crate::payload::StatusSet;

/// One recorded example of an action. It is a contract: `sluice connector check` builds the
/// request from the fields and compares it, and compares the answer with the action's output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// What it shows.
    pub name: String,
    /// Key of the action.
    pub action: String,
    /// The fields, without expressions.
    #[serde(default)]
    pub input: Map<String, Value>,
    /// What is sent for them, of an action that is one request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Request>,
    /// What the service answered; none when only the request is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// What a component asks for, one after the other, and what it was answered; of an action that
    /// it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exchanges: Vec<Exchange>,
    /// What the component gives in the end.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub output: Value,
    /// What time it is for the component, such as `2026-01-31T12:00:00Z`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub at: String,
    /// A made-up key that the component signs with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signs_with: Option<SignsWith>,
}

/// One request of a component, and the answer to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// What it asks for: the whole address is the `url`, and the body is text.
    pub request: Request,
    /// What it is answered; a body that is no text is given to it as JSON.
    pub answer: Answer,
}

/// A key that was made up for an example.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignsWith {
    /// What it is known by.
    pub id: String,
    /// The secret; no real one.
    pub secret: String,
}

/// The request of an example.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The address without its query parameters, unless they stand in the action's path.
    pub url: String,
    /// The query parameters.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub query: Map<String, Value>,
    /// The headers, but for those of the connection and what Sluice adds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body: JSON, the fields of a form, or a text; null for none.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub body: Value,
}

/// The answer of an example.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Its headers, names in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body, parsed when it is JSON.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub body: Value,
}

impl Connector {
    /// Runs the recorded examples of actions that are one request, and returns those that do not
    /// hold: another request is built than was recorded, or the answer is not as the action declares
    /// it. Those of actions with logic take a component to run.
    pub fn broken_examples(&self) -> Vec<Fault> {
        let mut broken = Vec::new();
        for example in &self.tests {
            let at = format!("tests “{}”", example.name);
            let differs = match self.action(&example.action) {
                Some(operation) if operation.has_logic() => continue,
                Some(operation) => self.compare(operation, example),
                None => vec![format!("There is no action `{}`.", example.action)],
            };
            broken.extend(differs.into_iter().map(|what| Fault::of(at.as_str(), what)));
            if broken.len() >= Fault::MOST {
                break;
            }
        }
        broken
    }

    fn compare(&self, operation: &Operation, example: &Example) -> Vec<String> {
        let Some(sent) = &example.request else {
            return vec!["It has no request.".to_owned()];
        };
        let mut differs = Vec::new();
        let declared = Declared::of(self, operation);
        match declared.request(&example.input) {
            Err(error) => differs.push(format!("No request is built: {error}")),
            Ok(built) => {
                let built = Request::of(&built);
                for (what, built, sent) in [
                    (
                        "method",
                        built.method.word().into(),
                        sent.method.word().into(),
                    ),
                    (
                        "address",
                        Value::from(built.url),
                        Value::from(sent.url.as_str()),
                    ),
                    ("query", built.query.into(), sent.query.clone().into()),
                    ("headers", lower(&built.headers), lower(&sent.headers)),
                    ("body", built.body, sent.body.clone()),
                ] {
                    if built != sent {
                        differs.push(format!("The {what} is {built}, but {sent} is expected."));
                    }
                }
            }
        }
        if let Some(answer) = &example.answer {
            let expected = StatusSet::parse(&operation.expected_status);
            if expected.is_some_and(|expected| !expected.contains(answer.status)) {
                let status = answer.status;
                differs.push(format!("The answer's status {status} is not expected."));
            } else if let Some((at, message)) = fits(&operation.output, &answer.body) {
                differs.push(format!(
                    "The answer's body is not as the output says, at `{at}`: {message}."
                ));
            }
        }
        differs
    }
}

/// Returns headers with their names in the one form in which they are compared.
fn lower(headers: &BTreeMap<String, String>) -> Value {
    let entries = headers.iter();
    let entries = entries.map(|(name, value)| (name.to_ascii_lowercase(), value.as_str().into()));
    Value::Object(entries.collect())
}

impl Request {
    /// Returns a request that was built by [`Declared::request`], as an example says it.
    pub fn of(built: &Map<String, Value>) -> Self {
        let text = |name: &str| built.get(name).and_then(Value::as_str).unwrap_or_default();
        let map = |name: &str| built.get(name).and_then(Value::as_object);
        let headers = map("headers").into_iter().flatten().map(|(name, value)| {
            let value = value.as_str().unwrap_or_default();
            (name.clone(), value.to_owned())
        });
        Self {
            method: Method::from_word(text("method")).unwrap_or(Method::Get),
            url: text("url").to_owned(),
            query: map("query").cloned().unwrap_or_default(),
            headers: headers.collect(),
            body: built.get(text("body_type")).cloned().unwrap_or_default(),
        }
    }
}
