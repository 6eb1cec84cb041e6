//! One byte sequence for one meaning: JSON with sorted keys and no spaces, and its SHA-256.
//!
//! Hashes are compared between browser and server, and stored; so nothing here may depend on
//! the order in which a map was filled or on a feature of a JSON library.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Document, DocumentHash};

/// Returns the canonical JSON of a value: keys sorted by code point, no white space.
pub fn to_string(value: &Value) -> String {
    let mut out = Vec::new();
    write(value, &mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            out.push(b'{');
            for (index, (key, item)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                scalar(key, out);
                out.push(b':');
                write(item, out);
            }
            out.push(b'}');
        }
        other => scalar(other, out),
    }
}

fn scalar(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("writing to memory does not fail");
}

/// Returns the SHA-256 of some bytes as lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    // Each effect has a key that is made here: formatting byte by byte takes longer than hashing.
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        hex.push(DIGITS[usize::from(byte >> 4)]);
        hex.push(DIGITS[usize::from(byte & 15)]);
    }
    hex
}

/// Returns the canonical JSON of anything that serializes.
///
/// # Errors
/// When the value cannot be JSON at all, such as a map with keys that are not strings.
pub fn of(value: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_value(value).map(|value| to_string(&value))
}

impl Document {
    /// Returns the document's canonical JSON.
    pub fn canonical(&self) -> String {
        of(self).expect("a document has only string keys")
    }

    /// Returns the hash that runs, versions and approvals pin.
    pub fn hash(&self) -> DocumentHash {
        DocumentHash(sha256(self.canonical().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_sorted_at_every_level_and_lists_are_not() {
        let value = json!({"b": [3, 1, {"z": null, "a": true}], "a": {"é": 1, "e": 2, "Z": 3}, "": "q\"\n\u{1}é"});
        let expected =
            r#"{"":"q\"\n\u0001é","a":{"Z":3,"e":2,"é":1},"b":[3,1,{"a":true,"z":null}]}"#;
        assert_eq!(to_string(&value), expected);
    }

    #[test]
    fn numbers_are_written_in_one_way() {
        let numbers: Value =
            serde_json::from_str("[1, 1.0, 1e2, 0.1, 1e300, -0.0, 18446744073709551615]")
                .expect("it is JSON");
        assert_eq!(
            to_string(&numbers),
            "[1,1.0,100.0,0.1,1e+300,-0.0,18446744073709551615]"
        );
    }

    #[test]
    fn the_hash_is_of_the_canonical_bytes_and_does_not_know_the_order_of_fields() {
        let one: Document = serde_json::from_str(r#"{"schema":1,"trigger":{"kind":"webhook","config":{"a":1,"b":2}},"flow":[],"steps":{}}"#).expect("a document");
        let other: Document = serde_json::from_str(r#"{"steps":{},"flow":[],"trigger":{"config":{"b":2,"a":1},"kind":"webhook"},"schema":1}"#).expect("a document");
        assert_eq!(one.hash(), other.hash());
        assert_eq!(one.hash().0, sha256(one.canonical().as_bytes()));
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
