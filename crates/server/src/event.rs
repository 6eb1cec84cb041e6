//! What a webhook's caller sent, as the value that the steps of a run see as `trigger`.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use domain::payload::JsonRefusal;
use domain::{delivery, limit, payload};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value, json};

use crate::answer;

/// How much of a body that is too large is read all the same, so that its sender, who reads only
/// after sending, gets to know why it was refused.
const DRAINED: usize = 32 * 1024 * 1024;
/// How long a caller may take to send a body.
const SENDING: Duration = Duration::from_secs(30);

/// A call whose body has arrived, as bytes.
pub(crate) struct Call {
    parts: Parts,
    /// The body as it came.
    pub(crate) body: Bytes,
}

/// Reads a call; see the output of `trigger.webhook` in the catalog.
///
/// # Errors
/// The answer to give: the body is too large, broke off, or is not the JSON that it says it is.
pub(crate) async fn read(request: Request) -> Result<Value, Response> {
    let call = receive(request).await?;
    call.payload().map_err(|refusal| no_json(&refusal))
}

/// Waits for the body of a call.
///
/// # Errors
/// The answer to give: the body is too large, too slow, or broke off.
pub(crate) async fn receive(request: Request) -> Result<Call, Response> {
    let (parts, body) = request.into_parts();
    let waits = parts.headers.contains_key(header::EXPECT);
    match tokio::time::timeout(SENDING, bytes(&parts.headers, body, waits)).await {
        Ok(read) => Ok(Call { parts, body: read? }),
        Err(_) => {
            let message = "The body took too long to arrive.";
            Err(answer::refusal(
                StatusCode::REQUEST_TIMEOUT,
                "event/slow",
                message,
            ))
        }
    }
}

impl Call {
    /// Returns the headers as they came.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// Returns what the steps see.
    ///
    /// # Errors
    /// When the body is not the JSON that it says it is; [`no_json`] is the answer to give.
    pub(crate) fn payload(&self) -> Result<Value, JsonRefusal> {
        let parts = &self.parts;
        let kind = parts.headers.get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let query = parts.uri.query().unwrap_or_default();
        // Moved: `json!` copies what it is given.
        Ok(Value::from_iter([
            ("method", parts.method.as_str().into()),
            ("headers", headers(&parts.headers).into()),
            ("query", fields(query.as_bytes()).into()),
            ("body", value(kind, &self.body)?),
        ]))
    }
}

async fn bytes(headers: &HeaderMap, mut body: Body, waits: bool) -> Result<Bytes, Response> {
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    let length: Option<usize> = length.and_then(|length| length.parse().ok());
    if length.is_some_and(|length| length > limit::PAYLOAD_BYTES) {
        // Who waits for a go-ahead has sent nothing yet.
        if !waits {
            drain(&mut body).await;
        }
        return Err(too_large());
    }
    match Limited::new(&mut body, limit::PAYLOAD_BYTES)
        .collect()
        .await
    {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            drain(&mut body).await;
            Err(too_large())
        }
        Err(_) => {
            let message = "The body broke off.";
            Err(answer::refusal(
                StatusCode::BAD_REQUEST,
                "event/broken",
                message,
            ))
        }
    }
}

async fn drain(body: &mut Body) {
    let mut left = DRAINED;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(less) => left = less,
            None => return,
        }
    }
}

fn too_large() -> Response {
    let message = format!(
        "The payload is larger than {} MiB. Send it in parts, or send where to fetch it.",
        limit::PAYLOAD_BYTES / 1024 / 1024
    );
    let mut response = answer::refusal(StatusCode::PAYLOAD_TOO_LARGE, "event/too-large", &message);
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Answers a call whose body is not the JSON that it says it is.
pub(crate) fn no_json(refusal: &JsonRefusal) -> Response {
    let status = match refusal {
        JsonRefusal::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        JsonRefusal::TooDeep => StatusCode::UNPROCESSABLE_ENTITY,
        JsonRefusal::Syntax(_) => StatusCode::BAD_REQUEST,
    };
    answer::refusal(status, "event/json", &refusal.to_string())
}

fn headers(all: &HeaderMap) -> Map<String, Value> {
    let mut shown = Map::new();
    for name in all.keys() {
        if delivery::is_withheld(name.as_str()) {
            continue;
        }
        let values = all.get_all(name).iter();
        let texts: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        shown.insert(name.as_str().to_owned(), texts.join(", ").into());
    }
    shown
}

/// Reads form fields or query parameters; a name that comes more than once gives a list.
fn fields(encoded: &[u8]) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, value) in form_urlencoded::parse(encoded) {
        let value = Value::from(value.into_owned());
        match fields.get_mut(name.as_ref()) {
            None => {
                fields.insert(name.into_owned(), value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(single) => *single = json!([single.take(), value]),
        }
    }
    fields
}

fn value(kind: &str, bytes: &Bytes) -> Result<Value, JsonRefusal> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let kind = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if kind == "application/json" || kind.ends_with("+json") {
        return payload::parse_json(bytes);
    }
    if kind == "application/x-www-form-urlencoded" {
        return Ok(fields(bytes).into());
    }
    Ok(match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => json!({ "base64": BASE64_STANDARD.encode(bytes) }),
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::Request;
    use serde_json::{Value, json};

    async fn read(kind: &str, body: &'static [u8]) -> Result<Value, u16> {
        let request = Request::post("/hooks/1?a=1&b=2&a=%C3%A4")
            .header("Content-Type", kind)
            .header("X-Shop", "one")
            .header("x-shop", "two")
            .header("Cookie", "secret=1")
            .header("Authorization", "Bearer secret")
            .header("X-Forwarded-For", "10.0.0.1")
            .body(Body::from(body))
            .expect("it is a request");
        super::read(request)
            .await
            .map_err(|response| response.status().as_u16())
    }

    #[tokio::test]
    async fn a_call_becomes_what_the_catalog_says() {
        let event = read("application/json; charset=utf-8", b"{\"id\": 7}").await;
        let expected = json!({
            "method": "POST",
            "headers": { "content-type": "application/json; charset=utf-8", "x-shop": "one, two" },
            "query": { "a": ["1", "\u{e4}"], "b": "2" },
            "body": { "id": 7 },
        });
        assert_eq!(event, Ok(expected));
    }

    #[tokio::test]
    async fn a_body_is_read_as_its_type_says() {
        let body = async |kind, bytes| {
            read(kind, bytes)
                .await
                .map(|mut event| event["body"].take())
        };
        assert_eq!(
            body("application/x-www-form-urlencoded", b"a=1+2&b=").await,
            Ok(json!({ "a": "1 2", "b": "" }))
        );
        assert_eq!(body("text/plain", b"plain").await, Ok(json!("plain")));
        assert_eq!(
            body("image/png", b"\x89PNG\xff").await,
            Ok(json!({ "base64": "iVBORw==".replace("Rw==", "R/8=") }))
        );
        assert_eq!(body("application/json", b"").await, Ok(Value::Null));
        assert_eq!(body("application/json", b"{\"id\"").await, Err(400));
        let deep: &'static [u8] = [b"[".repeat(10_000), b"]".repeat(10_000)].concat().leak();
        assert_eq!(body("application/vnd.shop+json", deep).await, Err(422));
    }
}
