//! Calls every action of a connector as a step would, by the engine's own client.

use std::collections::BTreeMap;

use domain::connection::Kind;
use domain::connector::{Auth, Connector, Declared, Operation, Place, fits};
use engine::port::{Call, Clients, Credentials, Network, Outside, Request, Turn};
use serde_json::{Map, Value, json};

use crate::mock::{HOST, TAKEN, visible};

/// Deepest level of a value that is made up.
const DEPTH: usize = 12;

pub(crate) struct Caller {
    clients: Clients,
    network: Network,
    /// Where the mock is, without a slash at its end.
    origin: String,
}

/// How many actions answered as they should, and what went wrong with the others.
#[derive(Default)]
pub(crate) struct Called {
    pub(crate) ok: usize,
    pub(crate) failed: Vec<String>,
}

impl Caller {
    pub(crate) fn new(origin: String) -> Self {
        Self {
            clients: Clients::default(),
            network: Network {
                allowed: vec!["127.0.0.0/8".to_owned()],
                ..Network::default()
            },
            origin,
        }
    }

    /// Calls each action twice: with what is required, and with all its fields.
    pub(crate) async fn call_all(&self, connector: &Connector) -> Called {
        let mut called = Called::default();
        // A service's keys are one connection; which of its kinds is a person's choice.
        let mut preferred = 0;
        for operation in &connector.actions {
            let mut result = Ok(());
            for is_whole in [false, true] {
                result = self
                    .call_once(connector, operation, is_whole, &mut preferred)
                    .await;
                if result.is_err() {
                    break;
                }
            }
            match result {
                Ok(()) => called.ok += 1,
                Err(why) => called.failed.push(format!("{}: {why}", operation.key)),
            }
        }
        called
    }

    async fn call_once(
        &self,
        connector: &Connector,
        operation: &Operation,
        is_whole: bool,
        preferred: &mut usize,
    ) -> Result<(), String> {
        let with = if is_whole {
            "all fields"
        } else {
            "required fields"
        };
        let declared = Declared::of(connector, operation);
        let input = input_of(operation, is_whole);
        let config = declared
            .request(&input)
            .map_err(|why| format!("{with}: not built: {why}"))?;
        let ways = connector.auth.len().max(1);
        let mut last = String::new();
        for way in 0..ways {
            let at = (*preferred + way) % ways;
            match self.send(&config, connector.auth.get(at)).await {
                Ok(answer) => {
                    *preferred = at;
                    return judge(operation, &answer).map_err(|why| format!("{with}: {why}"));
                }
                Err(why) => {
                    let is_refused = why.starts_with("401");
                    last = why;
                    if !is_refused {
                        break;
                    }
                }
            }
        }
        Err(format!("{with}: {last}"))
    }

    /// Sends what would go to the service to the mock, and says where it would have gone.
    async fn send(
        &self,
        config: &Map<String, Value>,
        auth: Option<&Auth>,
    ) -> Result<Value, String> {
        let mut config = config.clone();
        let url = config
            .get("url")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let (_, behind) = url.split_once("://").ok_or("no address")?;
        let end = behind.find(['/', '?']).unwrap_or(behind.len());
        let (host, path) = behind.split_at(end);
        let host = host.to_owned();
        config.insert("url".to_owned(), format!("{}{path}", self.origin).into());
        let headers = config.entry("headers").or_insert_with(|| json!({}));
        headers[HOST] = host.into();
        let mut call = Call::build(&config, "00")?;
        if let Some(auth) = auth {
            call.authorize(self.credentials(auth)?);
        }
        let now = domain::Timestamp(0);
        let request = Request::Http(call);
        let answer = self
            .clients
            .send(&self.network, &request, Turn::free(), now)
            .await;
        answer.map_err(|failure| {
            let said = failure
                .answer
                .pointer("/body/error")
                .and_then(Value::as_str);
            let status = failure
                .answer
                .get("status")
                .and_then(Value::as_u64)
                .unwrap_or_default();
            format!("{status} {}", said.unwrap_or(&failure.message))
        })
    }

    fn credentials(&self, auth: &Auth) -> Result<Credentials, String> {
        let origins = vec![self.origin.clone()];
        let secret = "a secret of the bench";
        if auth.kind.has_tokens() {
            return Credentials::with_token("bench", origins, secret, 1, &[secret]);
        }
        let names = match auth.kind {
            Kind::Basic => vec!["user".to_owned()],
            _ => auth.names.clone(),
        };
        let secrets = vec![secret; auth.kind.fields(&names).len()];
        Credentials::new("bench", auth.kind, &names, origins, &secrets)
    }
}

/// Returns whether the right operation answered, and its answer is as the action declares it.
fn judge(operation: &Operation, answer: &Value) -> Result<(), String> {
    let taken = answer
        .pointer(&format!("/headers/{TAKEN}"))
        .and_then(Value::as_str);
    // What was redirected arrived: only an operation that took it redirects.
    let landed = answer.pointer("/body/landed") == Some(&Value::Bool(true));
    let mut is_first = false;
    let mut is_it = |taken: &str| {
        is_first = taken.split("; ").next() == Some(&visible(&operation.key));
        taken.split("; ").any(|one| one == visible(&operation.key))
    };
    if !landed && !taken.is_some_and(&mut is_it) && operation.key.len() < 380 {
        return Err(format!(
            "another operation took it: {}",
            taken.unwrap_or("none")
        ));
    }
    let body = answer.get("body").unwrap_or(&Value::Null);
    let is_empty = body.is_null() || body == "";
    // Of several operations at one address, the first answers.
    if operation.output.is_null() || is_empty || landed || !is_first {
        return Ok(());
    }
    match fits(&operation.output, body) {
        None => Ok(()),
        Some((at, why)) => Err(format!("the answer is not as declared: {at} {why}")),
    }
}

/// Returns fields for an action, made of what its form says and nothing else.
pub(crate) fn input_of(operation: &Operation, is_whole: bool) -> Map<String, Value> {
    let fields = operation.input.fields.iter();
    // Of fields of which one set is needed, whoever reads their help fills in the first.
    let is_first = |name: &str| {
        let property = operation.input.property(name);
        let sets = property.and_then(|property| property.get("x-one-of"));
        let first = sets.and_then(|sets| sets.get(0)?.as_array());
        let place = operation.place(name, "");
        let named = match &place {
            Place::Body { name, .. } => name.as_str(),
            _ => name,
        };
        first.is_some_and(|first| first.iter().any(|one| one == named))
    };
    let fields = fields.filter(|field| is_whole || field.required || is_first(&field.name));
    let values = fields.filter_map(|field| {
        let schema = operation.input.property(&field.name)?;
        let value = match operation.place(&field.name, "https://{host}") {
            // Not any text can be a host.
            Place::Host { .. } => schema
                .get("examples")
                .and_then(|all| all.get(0))
                .or(schema.get("default"))
                .cloned()?,
            _ => value_of(schema, is_whole, 0),
        };
        Some((field.name.clone(), value))
    });
    values.collect::<BTreeMap<_, _>>().into_iter().collect()
}

fn value_of(schema: &Value, is_whole: bool, depth: usize) -> Value {
    if let Some(given) = schema.get("default").or_else(|| schema.get("enum")?.get(0)) {
        return given.clone();
    }
    let alternative = schema.get("anyOf").and_then(|all| all.get(0));
    let several = schema.get("type").is_some_and(Value::is_array);
    if let Some(alternative) = alternative.filter(|_| several && depth < DEPTH) {
        return value_of(alternative, is_whole, depth + 1);
    }
    let kind = schema
        .get("type")
        .and_then(|kind| kind.as_str().or_else(|| kind.get(0)?.as_str()));
    let kind = kind.unwrap_or_default();
    let text = |key: &str| schema.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| schema.get(key).and_then(Value::as_u64);
    match kind {
        "string" => {
            let value = match text("format") {
                "date" => "2026-01-31".to_owned(),
                "date-time" => "2026-01-31T09:30:00Z".to_owned(),
                "email" => "someone@example.com".to_owned(),
                "uri" | "url" => "https://example.com/".to_owned(),
                "uuid" => "0190b6a3-0000-7000-8000-000000000000".to_owned(),
                _ => {
                    let shown = schema.get("examples").and_then(|all| all.get(0)?.as_str());
                    shown
                        .filter(|shown| !shown.is_empty())
                        .unwrap_or("a value")
                        .to_owned()
                }
            };
            let least = number("minLength").unwrap_or(0) as usize;
            let most = number("maxLength").map_or(usize::MAX, |most| most as usize);
            let mut value: String = value.chars().take(most.max(1)).collect();
            while value.len() < least.min(10_000) {
                value.push('x');
            }
            value.into()
        }
        "integer" | "number" => {
            let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
            match (bound("minimum"), bound("maximum")) {
                _ if bound("exclusiveMinimum").is_some() => {
                    json!(bound("exclusiveMinimum").unwrap_or(0.0) + 1.0)
                }
                (Some(least), _) => schema.get("minimum").cloned().unwrap_or(json!(least)),
                (None, Some(most)) if most < 1.0 => {
                    schema.get("maximum").cloned().unwrap_or(json!(most))
                }
                _ => json!(1),
            }
        }
        "boolean" => json!(true),
        "array" => {
            let least = number("minItems").unwrap_or(0).min(100);
            // Whoever fills a field in gives something.
            let count = if depth == 0 || is_whole && depth < DEPTH {
                least.max(1)
            } else {
                least
            };
            let item = || {
                schema
                    .get("items")
                    .map_or_else(|| json!("a value"), |of| value_of(of, is_whole, depth + 1))
            };
            (0..count).map(|_| item()).collect()
        }
        "object" => object_of(schema, alternative, is_whole, depth),
        _ if schema.get("properties").is_some() => object_of(schema, alternative, is_whole, depth),
        _ => match alternative {
            Some(alternative) if depth < DEPTH => value_of(alternative, is_whole, depth + 1),
            _ => json!({}),
        },
    }
}

fn object_of(schema: &Value, alternative: Option<&Value>, is_whole: bool, depth: usize) -> Value {
    let mut made = Map::new();
    if depth < DEPTH
        && let Some(Value::Object(inner)) = alternative.map(|of| value_of(of, is_whole, depth + 1))
    {
        made.extend(inner);
    }
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|all| all.iter().any(|one| one == name));
    for (name, property) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let is_first = made.is_empty() && required.is_none();
        if depth < DEPTH && (is_required(name) || is_whole && depth < 4 || is_first) {
            made.insert(name.clone(), value_of(property, is_whole, depth + 1));
        }
    }
    // What is required and described by another of the alternatives.
    let others = schema
        .get("anyOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let others = others
        .filter_map(|other| other.get("properties")?.as_object())
        .flatten();
    for (name, property) in others {
        if depth < DEPTH && is_required(name) && !made.contains_key(name) {
            made.insert(name.clone(), value_of(property, is_whole, depth + 1));
        }
    }
    Value::Object(made)
}
