//! Deliveries of a webhook: what their sender calls an event, so that one that is sent again is
//! known again and starts no second run.
//!
//! A sender that got no answer sends the same event once more, under the same id. Which id that is
//! depends on the sender, so the trigger says where it is found.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::Document;
use crate::signing::Signature;

/// For how many days the id of a delivery is known at least. Standard Webhooks, GitHub and Stripe
/// send an event again for three days at most.
pub const KEPT_DAYS: i32 = 7;

/// Longest id that is kept as it is, in bytes; of longer ones, a hash is.
const LONGEST: usize = 255;

/// Headers of a call that no step and no rule sees: they are secrets, or say how the call reached
/// us.
const WITHHELD: [&str; 12] = [
    "authorization",
    "connection",
    "cookie",
    "forwarded",
    "keep-alive",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-real-ip",
    "x-client-ip",
];

/// Where a webhook finds what the sender calls an event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Nowhere: each delivery starts a run.
    #[default]
    Nowhere,
    /// In the header with this name, in lower case.
    Header(String),
    /// In the body, at this JSON Pointer (RFC 6901).
    Body(String),
}

/// What is known of the deliveries of an event that started a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// What its sender calls the event; `None` when the reader may not see payloads.
    pub id: Option<String>,
    /// How often it came again, after the one that started the run.
    pub repeats: u32,
}

impl Source {
    /// Returns where the trigger of a document finds it; nowhere when another trigger starts it.
    pub fn of(document: &Document) -> Self {
        let config = &document.trigger.config;
        let text = |field| {
            let text = config.get(field).and_then(Value::as_str);
            text.unwrap_or_default().trim()
        };
        if document.trigger.kind != "webhook" {
            return Source::Nowhere;
        }
        match text("delivery_id") {
            "signature" => Self::by_signature(Signature::of(document)),
            "header" if !text("delivery_header").is_empty() => {
                Source::Header(text("delivery_header").to_ascii_lowercase())
            }
            "body" => Source::Body(text("delivery_pointer").to_owned()),
            _ => Source::Nowhere,
        }
    }

    /// Returns a key of where it is found, 255 bytes at most. Of an id that was found elsewhere
    /// nothing is known here.
    pub fn key(&self) -> String {
        match self {
            Source::Nowhere => String::new(),
            Source::Header(name) => bounded(format!("header:{name}")),
            Source::Body(pointer) => bounded(format!("body:{pointer}")),
        }
    }

    /// Returns where senders that sign in this way put it.
    fn by_signature(signature: Signature) -> Self {
        match signature {
            Signature::None => Source::Nowhere,
            Signature::Standard => Source::Header("webhook-id".to_owned()),
            Signature::Github => Source::Header("x-github-delivery".to_owned()),
            Signature::Stripe => Source::Body("/id".to_owned()),
        }
    }

    /// Returns what the sender calls an event, from what the steps see as `trigger`; `None` when it
    /// is not there, or says nothing.
    pub fn read(&self, payload: &Value) -> Option<String> {
        let found = match self {
            Source::Nowhere => None,
            Source::Header(name) => payload.get("headers")?.get(name),
            Source::Body(pointer) => payload.get("body")?.pointer(pointer),
        };
        let id = match found? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        Some(bounded(id)).filter(|id| !id.is_empty())
    }

    /// Says where it is found; `None` for nowhere.
    pub fn says(&self) -> Option<String> {
        match self {
            Source::Nowhere => None,
            Source::Header(name) => Some(format!("header {name}")),
            Source::Body(pointer) if pointer.is_empty() => Some("the whole body".to_owned()),
            Source::Body(pointer) => Some(format!("{pointer} in the body")),
        }
    }
}

/// Returns a text as it can be a key: of what is long or cannot be stored, a hash.
pub(crate) fn bounded(text: String) -> String {
    if text.len() <= LONGEST && !text.contains('\0') {
        return text;
    }
    let hash = Sha256::digest(text.as_bytes());
    let hex: Vec<String> = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", hex.concat())
}

/// Returns whether a header of a call, in lower case, is shown to nobody.
pub fn is_withheld(header: &str) -> bool {
    WITHHELD.contains(&header) || header.starts_with("x-forwarded-")
}

/// Checks the name of a header that may hold an id.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn check_header(name: &str) -> Result<(), String> {
    let name = name.trim().to_ascii_lowercase();
    let shown = crate::template::short(&name);
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(format!("`{shown}` is not the name of a header."));
    }
    if is_withheld(&name) {
        return Err(format!("The header `{shown}` is not kept from a call."));
    }
    Ok(())
}

/// Returns whether a text is a JSON Pointer (RFC 6901): empty for all of it, else `/` before each
/// name, with `~0` for `~` and `~1` for `/` inside of one.
pub fn is_pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1);
    (text.is_empty() || text.starts_with('/'))
        && escapes
            .into_iter()
            .all(|after| after.starts_with(['0', '1']))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source(config: Value) -> Source {
        let mut document = Document::new("webhook");
        let fields = config.as_object().expect("fields").clone();
        document.trigger.config = fields;
        Source::of(&document)
    }

    #[test]
    fn the_trigger_says_where_the_id_is() {
        let header = |name: &str| Source::Header(name.to_owned());
        let body = |pointer: &str| Source::Body(pointer.to_owned());
        let by_signature =
            |kind: &str| source(json!({ "signature": kind, "delivery_id": "signature" }));
        assert_eq!(by_signature("none"), Source::Nowhere);
        assert_eq!(by_signature("standard"), header("webhook-id"));
        assert_eq!(by_signature("github"), header("x-github-delivery"));
        assert_eq!(by_signature("stripe"), body("/id"));
        assert_eq!(source(json!({ "signature": "github" })), Source::Nowhere);
        let none = json!({ "signature": "github", "delivery_id": "none" });
        assert_eq!(source(none), Source::Nowhere);
        let named = json!({ "delivery_id": "header", "delivery_header": " X-Request-Id " });
        assert_eq!(source(named), header("x-request-id"));
        let inside = json!({ "delivery_id": "body", "delivery_pointer": "/event/id" });
        assert_eq!(source(inside), body("/event/id"));
        assert_eq!(Source::of(&Document::new("schedule")), Source::Nowhere);
        assert_eq!(header("/id").key(), "header:/id");
        assert_eq!(body("/id").key(), "body:/id");
        assert!(body(&"/a".repeat(500)).key().len() <= 255);
    }

    #[test]
    fn an_id_is_a_text_or_a_number_and_never_long() {
        let payload = json!({
            "headers": { "webhook-id": " msg_1 ", "empty": "  " },
            "body": { "id": 7, "a/b": "slash", "zero": "a\0b", "yes": true, "long": "x".repeat(300) },
        });
        let header = |name: &str| Source::Header(name.to_owned()).read(&payload);
        let body = |pointer: &str| Source::Body(pointer.to_owned()).read(&payload);
        assert_eq!(header("webhook-id").as_deref(), Some("msg_1"));
        assert_eq!((header("empty"), header("missing")), (None, None));
        assert_eq!(body("/id").as_deref(), Some("7"));
        assert_eq!(body("/a~1b").as_deref(), Some("slash"));
        assert_eq!(
            (body("/yes"), body("/missing"), body("")),
            (None, None, None)
        );
        for pointer in ["/zero", "/long"] {
            let id = body(pointer).expect("a hash stands for it");
            assert!(id.starts_with("sha256:") && id.len() == 71, "{id}");
        }
        assert_eq!(Source::Nowhere.read(&payload), None);
    }

    #[test]
    fn what_cannot_be_looked_up_is_named() {
        assert_eq!(check_header(" Webhook-Id "), Ok(()));
        for (name, says) in [
            ("", "is not the name"),
            ("a b", "is not the name"),
            ("ü", "is not the name"),
            ("Authorization", "is not kept"),
            ("X-Forwarded-For", "is not kept"),
        ] {
            let told = check_header(name).expect_err("it is refused");
            assert!(told.contains(says), "{name}: {told}");
        }
        for pointer in ["", "/", "/id", "/a~1b/0", "/~0"] {
            assert!(is_pointer(pointer), "{pointer}");
        }
        for text in ["id", "/a~", "/a~2", "$.id", "#/id"] {
            assert!(!is_pointer(text), "{text}");
        }
    }
}
