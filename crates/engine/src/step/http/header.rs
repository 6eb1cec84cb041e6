//! Names and values of headers: which are valid, which are ours, which are secret.

use domain::secret::{NAMED, is_secret};
use http::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use crate::step::kind_of;

/// What stands in records in place of a secret.
pub(crate) const HIDDEN: &str = "[hidden]";

/// Names that describe the connection or the framing, which the HTTP library decides.
const OURS: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// Names by which an answer would act on the site it comes from: Sluice itself.
const SITE: [&str; 7] = [
    "clear-site-data",
    "content-security-policy",
    "service-worker-allowed",
    "set-cookie",
    "set-cookie2",
    "strict-transport-security",
    "alt-svc",
];

/// Returns the entries of a map of headers or parameters as texts; null values are left out, and
/// a list gives several entries.
pub(crate) fn entries(map: Option<&Value>) -> Result<Vec<(String, String)>, String> {
    let map = match map {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(map)) => map,
        Some(other) => {
            return Err(format!(
                "Names with values are needed here, not {}.",
                kind_of(other)
            ));
        }
    };
    let mut found = Vec::with_capacity(map.len());
    for (name, value) in map {
        match value {
            Value::Array(items) => {
                for item in items {
                    found.extend(entry(name, item)?);
                }
            }
            value => found.extend(entry(name, value)?),
        }
    }
    Ok(found)
}

fn entry(name: &str, value: &Value) -> Result<Option<(String, String)>, String> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => {
            let kind = kind_of(value);
            return Err(format!(
                "The value of `{name}` is {kind}, but must be a text or a number."
            ));
        }
    };
    Ok(Some((name.trim().to_owned(), text)))
}

/// Checks a header name for a request; returns it in lower case.
pub(super) fn name_for_request(name: &str) -> Result<HeaderName, String> {
    let parsed = parse_name(name)?;
    if OURS.contains(&parsed.as_str()) {
        return Err(format!(
            "The header `{name}` is set by Sluice itself. Remove it."
        ));
    }
    Ok(parsed)
}

/// Checks a header name for an answer to a webhook; returns it in lower case.
pub(crate) fn name_for_answer(name: &str) -> Result<String, String> {
    let parsed = name_for_request(name)?;
    if SITE.contains(&parsed.as_str()) {
        return Err(format!(
            "The header `{name}` cannot be sent in an answer, because it would act on Sluice's own site. Remove it."
        ));
    }
    Ok(parsed.as_str().to_owned())
}

fn parse_name(name: &str) -> Result<HeaderName, String> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        format!(
            "`{name}` is not a header name. Use letters, digits and hyphens, such as X-Request-Id."
        )
    })
}

/// Checks a header value.
pub(crate) fn value(name: &str, text: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_bytes(text.trim().as_bytes()).map_err(|_| {
        format!("The value of header `{name}` holds a line break or another control character. Remove it.")
    })?;
    value.set_sensitive(is_secret(name));
    Ok(value)
}

/// Replaces the secret values of headers and parameters in a step's evaluated fields.
pub(crate) fn hide_secrets(config: &mut Map<String, Value>) {
    for field in NAMED {
        let Some(Value::Object(map)) = config.get_mut(field) else {
            continue;
        };
        for (name, value) in map.iter_mut() {
            if is_secret(name) && !value.is_null() {
                *value = Value::from(HIDDEN);
            }
        }
    }
}
