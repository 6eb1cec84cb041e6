//! Texts in JSON: read into values, and made of values.

use domain::limit;
use domain::payload::read_json;
use serde_json::{Map, Value};

use super::text;

/// Returns the value of a text.
pub(crate) fn read(config: &Map<String, Value>) -> Result<Value, String> {
    let text = text(config.get("text"));
    let value =
        read_json(text.trim_start_matches('\u{feff}')).map_err(|error| error.to_string())?;
    Ok(Value::from_iter([("value", value)]))
}

/// Returns the text of a value.
pub(crate) fn write(config: &Map<String, Value>) -> Result<Value, String> {
    let value = config.get("value").unwrap_or(&Value::Null);
    let is_spread = config.get("layout").and_then(Value::as_str) == Some("lines");
    let made = if is_spread {
        serde_json::to_string_pretty(value)
    } else {
        serde_json::to_string(value)
    };
    let made = made.map_err(|error| format!("The JSON cannot be made: {error}."))?;
    if made.len() > limit::RESULT_BYTES {
        return Err(format!(
            "The JSON would be larger than {} MiB. Make it in parts.",
            limit::RESULT_BYTES / (1024 * 1024)
        ));
    }
    Ok(Value::from_iter([("text", made)]))
}
