//! Builds the request from a step's evaluated fields.

use std::time::Duration;

use bytes::Bytes;
use domain::ConnectionId;
use domain::payload::StatusSet;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::Url;

use super::Credentials;
use super::header;
use crate::step::{number, text};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A request that can be sent, several times if need be.
#[derive(Debug)]
pub struct Call {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    pub(super) expected: StatusSet,
    /// What the step says is expected, for the error.
    pub(super) expected_text: String,
    /// For the whole exchange: from connecting to the last byte.
    pub(super) timeout: Duration,
    /// The body of the answer stays text, also where it is JSON.
    pub(super) is_raw: bool,
    /// The step says that sending it twice does no harm.
    repeats: bool,
    /// The id of the connection that the step names, as it says it.
    connection: String,
    /// What that connection adds, opened for the next attempt.
    pub(super) credentials: Option<Credentials>,
}

impl Call {
    /// Builds the request; a writing one gets the idempotency key.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub fn build(config: &Map<String, Value>, key: &str) -> Result<Self, String> {
        let method = method(config)?;
        let (body, content_type) = body(config)?;
        let mut headers = HeaderMap::new();
        for (name, value) in
            header::entries(config.get("headers")).map_err(|e| format!("Headers: {e}"))?
        {
            headers.append(
                header::name_for_request(&name)?,
                header::value(&name, &value)?,
            );
        }
        if let Some(content_type) = content_type {
            headers
                .entry(CONTENT_TYPE)
                .or_insert(HeaderValue::from_static(content_type));
        }
        if !method.is_safe() {
            let key = HeaderValue::from_str(key).expect("a key is hexadecimal");
            headers.entry(IDEMPOTENCY_KEY).or_insert(key);
        }
        let expected_text = match text(config.get("expected_status")) {
            empty if empty.trim().is_empty() => "2xx".to_owned(),
            given => given,
        };
        let expected = StatusSet::parse(&expected_text).ok_or_else(|| {
            format!("`{expected_text}` is not a list of HTTP statuses. Write numbers, ranges or classes, such as 2xx, 404.")
        })?;
        let url = url(config)?;
        let timeout = timeout(config)?;
        let repeats = text(config.get("no_answer")) == "repeat";
        Ok(Self {
            method,
            url,
            headers,
            body,
            expected,
            expected_text,
            timeout,
            is_raw: false,
            repeats,
            connection: text(config.get("connection")).trim().to_owned(),
            credentials: None,
        })
    }

    /// Says in which trace it is sent, unless the step says so itself.
    pub(crate) fn name_trace(&mut self, traceparent: &str) {
        if let Ok(value) = HeaderValue::from_str(traceparent) {
            self.headers.entry(TRACEPARENT).or_insert(value);
        }
    }

    /// Leaves the body of the answer as it came.
    #[must_use]
    pub(crate) fn raw(self) -> Self {
        Self {
            is_raw: true,
            ..self
        }
    }

    /// Returns the connection that the step names, or a sentence when that is none.
    pub(crate) fn connection(&self) -> Option<Result<ConnectionId, String>> {
        named(&self.connection)
    }

    /// Returns what proves who sends.
    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// Lets an opened connection prove who sends. It goes to the connection's origins only.
    pub fn authorize(&mut self, credentials: Credentials) {
        self.credentials = Some(credentials);
    }

    /// Returns the issue of the token that it carries, if that could be exchanged for a new one.
    pub(crate) fn issue(&self) -> Option<i64> {
        self.credentials.as_ref()?.issue()
    }

    /// Returns whether sending it twice does what sending it once does: HTTP says so of its
    /// method (RFC 9110, 9.2.2), or the step does.
    pub fn is_idempotent(&self) -> bool {
        self.repeats || self.method.is_idempotent()
    }

    /// Returns whether it only reads.
    pub fn is_safe(&self) -> bool {
        self.method.is_safe()
    }

    /// Returns the method, such as `POST`.
    pub fn method(&self) -> &str {
        self.method.as_str()
    }

    /// Returns where it goes at first.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the host and port that it goes to at first.
    pub(crate) fn host(&self) -> Option<(&str, u16)> {
        host_of(&self.url)
    }

    /// Returns the key by which the other side knows it again; none when it only reads.
    pub fn idempotency_key(&self) -> Option<&str> {
        self.headers.get(IDEMPOTENCY_KEY)?.to_str().ok()
    }
}

/// Returns host and port of an address.
pub(crate) fn host_of(url: &Url) -> Option<(&str, u16)> {
    Some((url.host_str()?, url.port_or_known_default()?))
}

fn method(config: &Map<String, Value>) -> Result<Method, String> {
    let method = match text(config.get("method")).trim().to_ascii_uppercase() {
        empty if empty.is_empty() => "GET".to_owned(),
        given => given,
    };
    match method.as_str() {
        "GET" => Ok(Method::GET),
        "POST" => Ok(Method::POST),
        "PUT" => Ok(Method::PUT),
        "PATCH" => Ok(Method::PATCH),
        "DELETE" => Ok(Method::DELETE),
        "HEAD" => Ok(Method::HEAD),
        other => Err(format!(
            "The method cannot be `{other}`. Choose GET, POST, PUT, PATCH, DELETE or HEAD."
        )),
    }
}

fn url(config: &Map<String, Value>) -> Result<Url, String> {
    let given = text(config.get("url"));
    let mut url = Url::parse(given.trim()).map_err(|_| {
        let shown: String = given.chars().take(80).collect();
        format!("`{shown}` is not a web address. Start it with https:// or http://, then a host, as in https://api.example.com/orders.")
    })?;
    let parameters =
        header::entries(config.get("query")).map_err(|e| format!("Query parameters: {e}"))?;
    if !parameters.is_empty() {
        url.query_pairs_mut().extend_pairs(parameters);
    }
    Ok(url)
}

/// Reads the id of a connection; nothing for none.
pub(crate) fn named(connection: &str) -> Option<Result<ConnectionId, String>> {
    if connection.is_empty() {
        return None;
    }
    let id = connection.parse();
    Some(id.map_err(|_| "The connection is none. Choose one of the list.".to_owned()))
}

fn timeout(config: &Map<String, Value>) -> Result<Duration, String> {
    seconds(config, 30)
}

/// Reads the field that says how long the other side may take.
pub(crate) fn seconds(config: &Map<String, Value>, usual: u64) -> Result<Duration, String> {
    let Some(given) = config.get("timeout_seconds") else {
        return Ok(Duration::from_secs(usual));
    };
    number(given)
        .filter(|seconds| (0.1..=300.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "The time-out must be a number of seconds from 0.1 to 300.".to_owned())
}

fn body(config: &Map<String, Value>) -> Result<(Option<Bytes>, Option<&'static str>), String> {
    Ok(match config.get("body_type").and_then(Value::as_str) {
        Some("json") => {
            let json = config
                .get("json")
                .ok_or("The JSON body is missing. Fill it in, or choose no body.")?;
            (Some(json.to_string().into()), Some("application/json"))
        }
        Some("form") => {
            let fields =
                header::entries(config.get("form")).map_err(|e| format!("Form fields: {e}"))?;
            let encoded = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(fields)
                .finish();
            (
                Some(encoded.into()),
                Some("application/x-www-form-urlencoded"),
            )
        }
        Some("text") => (
            Some(text(config.get("text")).into()),
            Some("text/plain; charset=utf-8"),
        ),
        _ => (None, None),
    })
}
