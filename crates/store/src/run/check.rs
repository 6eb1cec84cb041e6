//! Bounds of JSON that is kept: what is read back must not be too much for its readers.

use domain::{limit, payload};
use serde_json::Value;

use crate::{Refusal, Result};

/// Levels that a kept text may have. Readers stop at 128; the rest is for what it is put into:
/// a trigger's fields, a record, a list of records, an answer to the browser.
const DEPTH: usize = limit::JSON_DEPTH + 10;
/// Bytes of records that are written in one piece.
const RECORD_BYTES: usize = 64 * 1024 * 1024;

/// Returns a payload as it is kept.
pub(crate) fn payload(value: &Value) -> Result<String> {
    let text = value.to_string();
    if text.len() > limit::PAYLOAD_BYTES {
        return Err(Refusal::PayloadTooLarge { bytes: text.len() }.into());
    }
    if payload::is_deeper(text.as_bytes(), DEPTH) {
        return Err(Refusal::PayloadTooDeep.into());
    }
    Ok(text)
}

/// Checks the JSON of records.
///
/// # Errors
/// A sentence that says why the run cannot go on.
pub(crate) fn records(text: &str) -> Result<(), String> {
    if text.len() > RECORD_BYTES {
        let mib = RECORD_BYTES / 1024 / 1024;
        return Err(format!(
            "What the steps gave has more than {mib} MiB. Work in smaller parts."
        ));
    }
    if payload::is_deeper(text.as_bytes(), DEPTH) {
        return Err(format!(
            "A step gave JSON that is nested deeper than {} levels. Make it flatter.",
            limit::JSON_DEPTH
        ));
    }
    Ok(())
}
