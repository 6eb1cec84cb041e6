//! The body of a request and that of an answer: which of the content types is taken.

use serde_json::{Map, Value};

use crate::connector::BodyType;

/// One content type of several, as Sluice writes it.
#[derive(Debug)]
pub(super) struct Content<'a> {
    /// How it is written.
    pub(super) body: BodyType,
    /// The name of the type, when what is written does not say it by itself.
    pub(super) name: Option<&'a str>,
    /// What is said of it.
    pub(super) media: &'a Map<String, Value>,
}

/// Returns the content type that is sent: JSON before a form before one in parts before any other
/// text.
pub(super) fn sent<'a>(content: &'a Map<String, Value>) -> Option<Content<'a>> {
    let ranks: [fn(&str) -> bool; 5] = [
        |name| name == "application/json",
        is_json,
        |name| name == "application/x-www-form-urlencoded",
        |name| name == "multipart/form-data",
        |_| true,
    ];
    let (rank, name, media) = ranks.iter().enumerate().find_map(|(rank, fits)| {
        let (name, media) = content.iter().find(|(name, _)| fits(&essence(name)))?;
        Some((rank, name.as_str(), media.as_object()?))
    })?;
    let (body, name) = match rank {
        0 => (BodyType::Json, None),
        1 if essence(name).contains('*') => (BodyType::Json, None),
        1 => (BodyType::Json, Some(name)),
        2 => (BodyType::Form, None),
        3 => (BodyType::Multipart, None),
        _ if name.contains('*') => (BodyType::Text, Some("application/octet-stream")),
        _ => (BodyType::Text, Some(name)),
    };
    Some(Content { body, name, media })
}

/// Returns what is said of the JSON that is answered, if JSON is.
pub(super) fn answered(content: &Map<String, Value>) -> Option<&Map<String, Value>> {
    let (_, media) = content.iter().find(|(name, _)| is_json(&essence(name)))?;
    media.as_object()
}

/// Returns a content type without its parameters, in lower case.
fn essence(name: &str) -> String {
    let essence = name.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

fn is_json(name: &str) -> bool {
    name == "application/json"
        || name == "text/json"
        || name.ends_with("+json")
        || name == "*/*"
        || name == "application/*"
}
