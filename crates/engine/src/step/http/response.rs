//! Reads an answer into the step's output, within bounds.

use std::time::Duration;

use domain::secret::is_secret;
use domain::{Timestamp, limit};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use serde_json::{Map, Value};

use super::header::HIDDEN;
use crate::network::web::{self, Answer, WebError};

/// What was read of an answer.
pub(super) struct Read {
    pub(super) status: StatusCode,
    /// `{status, headers, body}`.
    pub(super) output: Value,
    /// What the other side asks to wait before another attempt.
    pub(super) retry_after: Option<Duration>,
}

/// Reads an answer; stops at [`limit::RESPONSE_BYTES`]. A raw body stays text, also if it is JSON.
pub(super) async fn read(answer: Answer, now: Timestamp, is_raw: bool) -> Result<Read, WebError> {
    let (head, body) = answer.into_parts();
    let body = web::read(body, limit::RESPONSE_BYTES).await?;
    let body = match is_raw {
        true => text(body),
        false => parse(&head.headers, body),
    };
    // Moved: `json!` copies what it is given.
    let output = Value::from_iter([
        ("status", head.status.as_u16().into()),
        ("headers", shown(&head.headers).into()),
        ("body", body),
    ]);
    Ok(Read {
        status: head.status,
        output,
        retry_after: retry_after(&head.headers, now),
    })
}

/// Returns the headers with names in lower case; several values of one name are joined. A secret
/// one is hidden here already, so that a resumed run sees what the first one saw.
fn shown(headers: &HeaderMap) -> Map<String, Value> {
    let mut shown = Map::with_capacity(headers.keys_len());
    for name in headers.keys() {
        let value = if is_secret(name.as_str()) {
            HIDDEN.to_owned()
        } else {
            let mut joined = String::new();
            for (index, value) in headers.get_all(name).iter().enumerate() {
                if index > 0 {
                    joined.push_str(", ");
                }
                joined.push_str(&String::from_utf8_lossy(value.as_bytes()));
            }
            joined
        };
        shown.insert(name.as_str().to_owned(), Value::String(value));
    }
    shown
}

fn parse(headers: &HeaderMap, body: Vec<u8>) -> Value {
    let is_json = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            let essence = value
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase();
            essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
        });
    if is_json && let Ok(value) = serde_json::from_slice(&body) {
        return value;
    }
    text(body)
}

fn text(body: Vec<u8>) -> Value {
    let text = match String::from_utf8(body) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    };
    Value::String(text)
}

/// Reads `Retry-After`: seconds or a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()?;
    Some(Duration::from_millis(
        Timestamp(date.as_millisecond()).since(now),
    ))
}

#[cfg(test)]
mod tests {
    use http::header::HeaderValue;
    use serde_json::json;

    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_or_as_a_date() {
        let now = Timestamp(1_445_412_470_000);
        for (text, expected) in [
            ("120", Some(120)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(10)),
            ("Wed, 21 Oct 2015 07:00:00 GMT", Some(0)),
            ("soon", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            assert_eq!(
                retry_after(&headers, now),
                expected.map(Duration::from_secs),
                "{text}"
            );
        }
    }

    #[test]
    fn a_body_that_only_claims_to_be_json_stays_text() {
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json; charset=utf-8"),
        );
        assert_eq!(parse(&headers, b"{\"a\": 1}".to_vec()), json!({"a": 1}));
        assert_eq!(parse(&headers, b"oops".to_vec()), json!("oops"));
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        assert_eq!(parse(&headers, deep.clone().into_bytes()), json!(deep));
        assert_eq!(parse(&HeaderMap::new(), b"{}".to_vec()), json!("{}"));
        assert_eq!(
            parse(&HeaderMap::new(), vec![0xff, b'a']),
            json!("\u{fffd}a")
        );
    }
}
