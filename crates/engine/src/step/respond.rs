//! The answer of a Respond step.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::http::header;
use super::{number, text};
use crate::port::Answer;

/// Builds the answer of a Respond step from its fields with every expression evaluated, checked so
/// that the server can send it as it is.
///
/// # Errors
/// A sentence that says which field cannot be sent.
pub fn answer(config: &Map<String, Value>) -> Result<Answer, String> {
    let status = match config.get("status") {
        None => 200,
        Some(value) => number(value)
            .filter(|status| status.fract() == 0.0 && (200.0..=599.0).contains(status))
            .map(|status| status as u16)
            .ok_or("The status must be a whole number from 200 to 599.")?,
    };
    let mut headers = Vec::new();
    for (name, value) in header::entries(config.get("headers"))? {
        let name = header::name_for_answer(&name)?;
        header::value(&name, &value)?;
        headers.push((name, value));
    }
    let (content_type, body) = match config.get("body_type").and_then(Value::as_str) {
        Some("none") => (None, Bytes::new()),
        Some("text") => {
            let body = text(config.get("text"));
            (Some("text/plain; charset=utf-8"), Bytes::from(body))
        }
        _ => match config.get("json") {
            None => (None, Bytes::new()),
            Some(json) => (Some("application/json"), Bytes::from(json.to_string())),
        },
    };
    // Neither status may carry a body (RFC 9110, 15.3.5 and 15.4.5).
    let body = if matches!(status, 204 | 304) {
        Bytes::new()
    } else {
        body
    };
    let has_type = headers.iter().any(|(name, _)| name == "content-type");
    if let Some(content_type) = content_type.filter(|_| !has_type && !body.is_empty()) {
        headers.push(("content-type".to_owned(), content_type.to_owned()));
    }
    Ok(Answer {
        status,
        headers,
        body,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(config: Value) -> Result<Answer, String> {
        answer(config.as_object().expect("an object"))
    }

    #[test]
    fn the_answer_has_what_was_configured() {
        let made = of(
            json!({"status": "201", "headers": {"X-Id": 7}, "body_type": "json", "json": {"ok": true}}),
        );
        let headers = [("x-id", "7"), ("content-type", "application/json")];
        let headers = headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
        assert_eq!(
            made,
            Ok(Answer {
                status: 201,
                headers,
                body: Bytes::from(r#"{"ok":true}"#)
            })
        );
        assert_eq!(
            of(json!({"status": 204, "json": 1})).map(|answer| answer.body),
            Ok(Bytes::new())
        );
    }

    #[test]
    fn an_answer_cannot_steer_the_site_or_the_connection() {
        for name in [
            "Set-Cookie",
            "Content-Length",
            "transfer-encoding",
            "Connection",
            "Clear-Site-Data",
            "Strict-Transport-Security",
            "a b",
        ] {
            let refused = of(json!({"status": 200, "headers": {name: "x"}}));
            assert!(
                refused.is_err_and(|message| message.contains(name)),
                "{name}"
            );
        }
        assert!(of(json!({"status": 200, "headers": {"x-a": "one\r\nset-cookie: b"}})).is_err());
        assert!(of(json!({"status": 99})).is_err());
        assert!(of(json!({"status": 200.5})).is_err());
    }
}
