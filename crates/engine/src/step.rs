//! What each kind of step does with its evaluated fields. Steps that hold lanes, and everything
//! that waits or is recorded, are in [`crate::execute`].

pub(crate) mod component;
pub(crate) mod csv;
pub(crate) mod delay;
pub(crate) mod email;
pub(crate) mod http;
pub(crate) mod json;
pub(crate) mod key;
pub(crate) mod postgres;
pub(crate) mod request;
pub(crate) mod respond;
pub(crate) mod server;
pub(crate) mod xml;

use serde_json::{Map, Value, json};

/// Takes the values of a Set step out of its fields.
pub(crate) fn set(config: &mut Map<String, Value>) -> Result<Value, String> {
    match config.get_mut("values") {
        Some(values @ Value::Object(_)) => Ok(values.take()),
        _ => Err("Values must be names with values. Add an entry.".to_owned()),
    }
}

/// Returns the message of a Log step.
pub(crate) fn log(config: &Map<String, Value>) -> Value {
    let level = config
        .get("level")
        .and_then(Value::as_str)
        .unwrap_or("info");
    json!({"level": level, "message": text(config.get("message"))})
}

/// Returns the message with which a Stop step fails the run.
pub(crate) fn stop(config: &Map<String, Value>) -> String {
    text(config.get("message"))
}

/// Returns whether a condition's value means yes: everything but false, null, 0 and what is empty.
pub(crate) fn holds(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// Returns a value as a text: texts as they are, nothing for null, all else as JSON.
pub(crate) fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// Returns a number that may have been given as a text, as expressions inside texts are.
pub(crate) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number: &f64| number.is_finite())
}

/// Says what a value is, for errors.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
