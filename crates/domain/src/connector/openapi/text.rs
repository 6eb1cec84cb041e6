//! Reads the text of a description: JSON or YAML.
//!
//! On the server only (feature `yaml`): the page has no use for a reader of YAML.

use serde_json::Value;
use thiserror::Error;

use super::{DESCRIPTION_BYTES, words};
use crate::limit;
use crate::payload;

/// Why a text is no description.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// It is too large.
    #[error("The description has more than {} MiB. Split it into parts.", DESCRIPTION_BYTES / (1024 * 1024))]
    Large,
    /// It is nested too deep.
    #[error("The description is nested deeper than {} levels.", limit::JSON_DEPTH)]
    Deep,
    /// Neither JSON nor YAML.
    #[error("The description is neither JSON nor YAML that can be read: {0}.")]
    Broken(String),
}

/// Most values of a document in YAML. With aliases a small text can stand for very many.
const NODES: usize = 3_000_000;
/// Most values that aliases may stand for.
const REPEATED: usize = 500_000;

/// Reads a description.
///
/// # Errors
/// Why it cannot be read; where, as far as the reader tells.
pub fn read(text: &str) -> Result<Value, Unreadable> {
    if text.len() > DESCRIPTION_BYTES {
        return Err(Unreadable::Large);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with(['{', '[']) {
        if payload::is_deeper(text.as_bytes(), limit::JSON_DEPTH) {
            return Err(Unreadable::Deep);
        }
        // YAML takes nearly all JSON as well, but much more slowly; and its flow style looks alike.
        match serde_json::from_str(text) {
            Ok(value) => return Ok(value),
            Err(error) if text.len() > 1024 * 1024 => return Err(broken(&error.to_string())),
            Err(_) => {}
        }
    }
    let mut limits = serde_saphyr::Options::default();
    limits.budget = serde_saphyr::budget! {
        max_depth: limit::JSON_DEPTH,
        flow_nesting_limit: limit::JSON_DEPTH,
        max_documents: 1,
        max_nodes: NODES,
        max_events: 3 * NODES,
        max_aliases: 20_000,
        max_anchors: 20_000,
    };
    limits.alias_limits.max_total_replayed_events = REPEATED;
    // `no` is Norway, and 007 a text: as in YAML 1.2, and as all who write descriptions mean it.
    limits.strict_booleans = true;
    limits.leading_zero_numbers_as_strings = true;
    limits.with_snippet = false;
    serde_saphyr::from_str_with_options(text, limits).map_err(|error| broken(&error.to_string()))
}

fn broken(error: &str) -> Unreadable {
    Unreadable::Broken(words::plain(error, 200).trim_end_matches('.').to_owned())
}
