//! What an approval belongs to: everything of a document that decides behaviour.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Document, canonical};

/// The SHA-256 of all that decides behaviour: trigger, steps with their order, configuration and
/// error policy, settings. Names of steps and lanes and notes are left out: they change nothing
/// that runs. A slug is in it: expressions and outputs are named by it. The base is left out too: a draft that was brought up to date and is the same
/// afterwards keeps its approvals.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub String);

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Fingerprint {
    /// Returns the fingerprint of a document.
    pub fn of(document: &Document) -> Self {
        let mut plain = serde_json::to_value(document).expect("a document has only string keys");
        if let Some(steps) = plain.get_mut("steps").and_then(Value::as_object_mut) {
            steps.values_mut().for_each(without_words);
        }
        Self(canonical::sha256(canonical::to_string(&plain).as_bytes()))
    }
}

/// Takes away what people call a step and its lanes, and its notes.
fn without_words(step: &mut Value) {
    let Some(step) = step.as_object_mut() else {
        return;
    };
    // The order is of no meaning: the canonical form sorts.
    step.remove("name");
    step.remove("notes");
    let lanes = step.get_mut("lanes").and_then(Value::as_array_mut);
    for lane in lanes.into_iter().flatten().filter_map(Value::as_object_mut) {
        lane.remove("name");
    }
}
