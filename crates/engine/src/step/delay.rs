//! How long a Delay step waits.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{kind_of, number};

/// Waits up to this are done in process; longer ones give the worker back.
pub(crate) const SHORT: Duration = Duration::from_secs(1);

/// Returns the configured time, at most 100,000 days.
pub(crate) fn duration(config: &Map<String, Value>) -> Result<Duration, String> {
    let amount = config.get("amount").unwrap_or(&Value::Null);
    let Some(number) = number(amount).filter(|number| (0.0..=100_000.0).contains(number)) else {
        let what = match amount {
            Value::Number(number) => number.to_string(),
            other => kind_of(other).to_owned(),
        };
        return Err(format!(
            "How long to wait is {what}, but must be a number from 0 to 100,000."
        ));
    };
    let unit = match config.get("unit").and_then(Value::as_str) {
        Some("seconds") => 1,
        Some("hours") => 3_600,
        Some("days") => 86_400,
        _ => 60,
    };
    Ok(Duration::from_secs_f64(number * f64::from(unit)))
}
