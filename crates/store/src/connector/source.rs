//! Reads what is to be imported: a connector, or the description of a service.

use bytes::Bytes;
use domain::connector::openapi;
use domain::connector::{Connector, Fault, Refusal};
use serde_json::Value;

use super::ours::ours;

/// Most remarks on a description that are told.
const NOTES: usize = 200;
/// Longest name of a source that is kept, in characters.
const NAME: usize = 200;

/// What was read.
pub(super) struct Taken {
    pub(super) connector: Connector,
    /// What was left out of a description, or is different from it.
    pub(super) notes: Vec<String>,
    /// What its source is called.
    pub(super) from: String,
    /// The module of its component, once it was looked at.
    pub(super) module: Option<Bytes>,
}

/// Returns one of ours.
pub(super) fn of_ours(key: &str) -> Option<Taken> {
    let connector = ours().iter().find(|one| one.key == key)?.clone();
    Some(Taken {
        connector,
        notes: Vec::new(),
        from: "Sluice".to_owned(),
        module: None,
    })
}

/// Returns what the file of someone is called.
pub(super) fn file_name(name: &str) -> String {
    let name: String = name
        .chars()
        .filter(|sign| !sign.is_control())
        .take(NAME)
        .collect();
    match name.trim() {
        "" => "Pasted".to_owned(),
        name => name.to_owned(),
    }
}

/// Reads a connector, or makes one of the description of a service in OpenAPI; returns what was
/// left out of a description, or is different from it, in sentences. `address` is where it came
/// from, if it came from one.
///
/// # Errors
/// What is wrong, and where; also a recorded example that does not hold.
pub fn read(text: &str, address: Option<&str>) -> Result<(Connector, Vec<String>), Refusal> {
    let wrong = |message: String| Refusal::Faults(vec![Fault::of("", message)]);
    let document = openapi::read(text).map_err(|unreadable| wrong(unreadable.to_string()))?;
    let is_description = ["openapi", "swagger"]
        .iter()
        .any(|word| document.get(word).is_some());
    if !is_description {
        return Ok((written(text, document)?, Vec::new()));
    }
    let imported = openapi::import(&document, address);
    let (connector, report) = imported.map_err(|refusal| wrong(refusal.to_string()))?;
    Ok((connector, notes(&report)))
}

/// Reads a text; `address` is where it came from, `base` takes the place of what all paths begin
/// with.
pub(super) fn taken(
    text: &str,
    from: String,
    address: Option<&str>,
    base: Option<String>,
) -> Result<Taken, Refusal> {
    let (mut connector, notes) = read(text, address)?;
    if let Some(base) = base {
        base.trim()
            .trim_end_matches('/')
            .clone_into(&mut connector.base);
        connector.check().map_err(Refusal::Faults)?;
    }
    Ok(Taken {
        connector,
        notes,
        from,
        module: None,
    })
}

/// Reads a connector that was written in JSON, or in YAML.
fn written(text: &str, document: Value) -> Result<Connector, Refusal> {
    let is_json = text.trim_start().starts_with(['{', '\u{feff}']);
    let json = if is_json {
        text.to_owned()
    } else {
        document.to_string()
    };
    let connector = Connector::read(&json).map_err(Refusal::Faults)?;
    let broken = connector.broken_examples();
    if broken.is_empty() {
        Ok(connector)
    } else {
        Err(Refusal::Faults(broken))
    }
}

fn notes(report: &openapi::Report) -> Vec<String> {
    let left_out = report
        .left_out
        .iter()
        .map(|remark| format!("Left out: {remark}"));
    let all = left_out.chain(report.notes.iter().map(ToString::to_string));
    let mut told: Vec<String> = all.take(NOTES).collect();
    let more = report.left_out.len() + report.notes.len() + report.unlisted - told.len();
    if more > 0 {
        told.push(format!("And {more} more."));
    }
    told
}
