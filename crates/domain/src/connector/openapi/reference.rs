//! Follows `$ref`: within the document only, and not for ever.

use std::fmt;

use serde_json::Value;

/// Most references that are followed from one place: a reference may lead to another.
const HOPS: usize = 32;

/// Where a reference leads that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unresolved {
    /// To another document. None is fetched: an address in a description is not to be trusted.
    Elsewhere(String),
    /// To nothing.
    Missing(String),
    /// To itself.
    Circle(String),
}

impl fmt::Display for Unresolved {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elsewhere(to) => write!(
                out,
                "it refers to another document (`{to}`). Bundle the description into one file"
            ),
            Self::Missing(to) => write!(out, "it refers to `{to}`, which is not there"),
            Self::Circle(to) => write!(out, "its reference to `{to}` leads back to itself"),
        }
    }
}

/// A document whose references are followed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resolver<'a> {
    root: &'a Value,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        Self { root }
    }

    /// Returns what a value stands for: what its reference leads to, or itself when it has none.
    pub(super) fn follow(&self, value: &'a Value) -> Result<&'a Value, Unresolved> {
        let mut at = value;
        for _ in 0..HOPS {
            // A property may be called `$ref`, too: then it is no text.
            let Some(to) = at.get("$ref").and_then(Value::as_str) else {
                return Ok(at);
            };
            at = self.find(to)?;
        }
        let to = at.get("$ref").and_then(Value::as_str).unwrap_or_default();
        Err(Unresolved::Circle(shown(to)))
    }

    fn find(&self, to: &str) -> Result<&'a Value, Unresolved> {
        let Some(fragment) = to.strip_prefix('#') else {
            return Err(Unresolved::Elsewhere(shown(to)));
        };
        // A pointer in a fragment is percent-encoded first (RFC 6901, 6).
        let pointer = percent_decoded(fragment);
        let found = self.root.pointer(&pointer);
        found.ok_or_else(|| Unresolved::Missing(shown(to)))
    }
}

fn shown(to: &str) -> String {
    to.chars().take(120).collect()
}

/// Returns a text with its `%41` decoded; what is no UTF-8 then, or no such escape, stays.
fn percent_decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape = (byte == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        let escape = escape.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(escaped) => {
                decoded.push(escaped);
                at += 3;
            }
            None => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reference_leads_within_the_document_and_says_where_it_cannot() {
        let root = json!({
            "a": { "$ref": "#/b" },
            "b": { "$ref": "#/c~1d/e~0f" },
            "c/d": { "e~f": 1, "{x}": 2 },
            "circle": { "$ref": "#/circle" },
            "property": { "$ref": { "type": "string" } },
        });
        let resolver = Resolver::new(&root);
        let missing = |to: &str| Err(Unresolved::Missing(to.to_owned()));
        let elsewhere = |to: &str| Err(Unresolved::Elsewhere(to.to_owned()));
        let table = [
            ("#/a", Ok(json!(1))),
            ("#/c~1d/%7Bx%7D", Ok(json!(2))),
            ("#/property", Ok(root["property"].clone())),
            ("#/circle", Err(Unresolved::Circle("#/circle".to_owned()))),
            ("#/zzz", missing("#/zzz")),
            ("#/b%ZZ%", missing("#/b%ZZ%")),
            ("other.yaml#/a", elsewhere("other.yaml#/a")),
            ("https://x/y", elsewhere("https://x/y")),
        ];
        for (to, expected) in table {
            let start = json!({ "$ref": to });
            assert_eq!(
                Resolver { root: &root }.follow(&start).cloned(),
                expected,
                "{to}"
            );
        }
        assert_eq!(resolver.follow(&root["c/d"]), Ok(&root["c/d"]));
    }
}
