//! What comes in from outside, and the small languages of fields.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::limit;

/// Why a text cannot be taken as JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonRefusal {
    /// It is larger than [`limit::PAYLOAD_BYTES`].
    #[error("The payload has {0} bytes. At most {max} are allowed. Send it in parts.", max = limit::PAYLOAD_BYTES)]
    TooLarge(usize),
    /// It is nested deeper than [`limit::JSON_DEPTH`].
    #[error("The JSON is nested deeper than {max} levels. Make it flatter.", max = limit::JSON_DEPTH)]
    TooDeep,
    /// It is not JSON.
    #[error("This is not JSON: {0}")]
    Syntax(String),
}

/// Reads JSON from outside, within the limits.
///
/// # Errors
/// When it is too large, too deep, or not JSON. Depth is judged before parsing, so that hostile
/// nesting costs one pass over the bytes and no stack.
pub fn parse_json(bytes: &[u8]) -> Result<Value, JsonRefusal> {
    if bytes.len() > limit::PAYLOAD_BYTES {
        return Err(JsonRefusal::TooLarge(bytes.len()));
    }
    if is_deeper(bytes, limit::JSON_DEPTH) {
        return Err(JsonRefusal::TooDeep);
    }
    serde_json::from_slice(bytes).map_err(|error| JsonRefusal::Syntax(explain(&error, bytes)))
}

/// Reads a text as JSON; same answer as [`parse_json`], of any length.
///
/// # Errors
/// When it is too deep, or not JSON.
pub fn read_json(text: &str) -> Result<Value, JsonRefusal> {
    if is_deeper(text.as_bytes(), limit::JSON_DEPTH) {
        return Err(JsonRefusal::TooDeep);
    }
    serde_json::from_str(text)
        .map_err(|error| JsonRefusal::Syntax(explain(&error, text.as_bytes())))
}

/// Checks that a text is JSON without keeping it; same answer as [`parse_json`], of any length.
///
/// # Errors
/// When it is too deep, or not JSON.
pub(crate) fn check_json(text: &str) -> Result<(), JsonRefusal> {
    if is_deeper(text.as_bytes(), limit::JSON_DEPTH) {
        return Err(JsonRefusal::TooDeep);
    }
    serde_json::from_str::<Looked>(text)
        .map(drop)
        .map_err(|error| JsonRefusal::Syntax(explain(&error, text.as_bytes())))
}

/// A JSON value that was read and forgotten. Unlike [`serde::de::IgnoredAny`], for which numbers and escapes
/// are only skipped, it takes what [`Value`] takes and nothing else.
struct Looked;

impl<'de> Deserialize<'de> for Looked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Looked {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Looked>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        while entries.next_entry::<Looked, Looked>()?.is_some() {}
        Ok(self)
    }
}

/// Says what is wrong with a JSON text, and where, to whoever wrote it.
fn explain(error: &serde_json::Error, bytes: &[u8]) -> String {
    if bytes.trim_ascii().is_empty() {
        return "it is empty.".to_owned();
    }
    if std::str::from_utf8(bytes).is_err() {
        return "it is not text in UTF-8.".to_owned();
    }
    let place = format!("at line {}, column {}", error.line(), error.column());
    if error.is_eof() {
        return format!(
            "it ends too early, {place}. A quote or a bracket is not closed, or a value is missing."
        );
    }
    let detail = error.to_string();
    let detail = detail
        .rsplit_once(" at line ")
        .map_or(detail.as_str(), |(detail, _)| detail);
    let what = match detail {
        "expected value" => "a value is missing, or a text is not in double quotes,",
        "key must be a string" => "a name is not in double quotes",
        "trailing comma" => "a comma has nothing behind it",
        "trailing characters" => "something stands behind the end,",
        "expected ident" => "a word is neither true, false nor null,",
        "invalid number" => "a number is not written as JSON has it",
        "number out of range" => "a number is too large",
        "invalid escape" => "a \\ has something unknown behind it",
        _ if detail.starts_with("control character") => {
            "a text holds a line break or another control character; write it as \\n or \\u00XX;"
        }
        _ if ["surrogate", "code point", "hex escape"]
            .iter()
            .any(|part| detail.contains(part)) =>
        {
            "an escape names no character"
        }
        _ => match detail.strip_prefix("expected ") {
            Some(missing) => return format!("{missing} is missing {place}."),
            None => "something is wrong",
        },
    };
    format!("{what} {place}.")
}

/// Returns whether the arrays and objects of a JSON text are nested deeper than `limit` levels,
/// without parsing it.
pub fn is_deeper(bytes: &[u8], limit: usize) -> bool {
    // Most texts have few brackets. Those of a chunk fit a byte, so that many are counted at a time.
    let chunks = bytes.chunks(usize::from(u8::MAX));
    let brackets = chunks.map(|chunk| {
        let brackets = chunk
            .iter()
            .map(|byte| u8::from(matches!(byte, b'[' | b'{')));
        usize::from(brackets.sum::<u8>())
    });
    brackets.sum::<usize>() > limit && depth(bytes) > limit
}

fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_text, mut escaped) = (0_usize, 0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Which HTTP statuses are expected: `2xx, 404, 500-502`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusSet(Vec<(u16, u16)>);

impl StatusSet {
    /// Reads numbers, ranges and classes with commas between them; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse::<u16>().ok()).flatten()
        };
        let status = |text: &str| number(text.trim()).filter(|s| (100..=599).contains(s));
        text.split(',')
            .map(|part| {
                let part = part.trim().to_ascii_lowercase();
                if let Some(class) = part.strip_suffix("xx") {
                    let class = number(class).filter(|c| part.len() == 3 && (1..=5).contains(c))?;
                    return Some((class * 100, class * 100 + 99));
                }
                match part.split_once('-') {
                    Some((from, to)) => {
                        Some((status(from)?, status(to)?)).filter(|(from, to)| from <= to)
                    }
                    None => status(&part).map(|only| (only, only)),
                }
            })
            .collect::<Option<Vec<_>>>()
            .map(Self)
    }

    /// Returns whether a status is in the set.
    pub fn contains(&self, status: u16) -> bool {
        self.0
            .iter()
            .any(|(from, to)| (*from..=*to).contains(&status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_within_the_limits_is_read() {
        assert_eq!(
            parse_json(b"{\"a\": [1, \"[[[\", null]}"),
            Ok(serde_json::json!({"a": [1, "[[[", null]}))
        );
        let deep = format!(
            "{}1{}",
            "[".repeat(limit::JSON_DEPTH),
            "]".repeat(limit::JSON_DEPTH)
        );
        assert!(parse_json(deep.as_bytes()).is_ok());
    }

    #[test]
    fn hostile_json_is_refused_with_its_reason() {
        for open in ["[", "{\"a\":", "[{\"a\":"] {
            let deep = open.repeat(10_000);
            assert_eq!(parse_json(deep.as_bytes()), Err(JsonRefusal::TooDeep));
        }
        let quoted = format!("\"{}\"", "[".repeat(10_000));
        assert!(parse_json(quoted.as_bytes()).is_ok());
        let large = vec![b' '; 10 * 1024 * 1024];
        assert_eq!(parse_json(&large), Err(JsonRefusal::TooLarge(large.len())));
        assert_eq!(
            JsonRefusal::TooLarge(10_485_760).to_string(),
            "The payload has 10485760 bytes. At most 2097152 are allowed. Send it in parts."
        );
    }

    #[test]
    fn what_is_not_json_is_said_in_plain_words() {
        let table: [(&[u8], &str); 15] = [
            (b"", "it is empty."),
            (b" \n", "it is empty."),
            (b"\"\xff\"", "it is not text in UTF-8."),
            (
                b"{\"a\": 1",
                "it ends too early, at line 1, column 7. A quote or a bracket is not closed, or a value is missing.",
            ),
            (
                b"{\"a\":\n x}",
                "a value is missing, or a text is not in double quotes, at line 2, column 2.",
            ),
            (
                b"{a: 1}",
                "a name is not in double quotes at line 1, column 2.",
            ),
            (
                b"[1,]",
                "a comma has nothing behind it at line 1, column 4.",
            ),
            (
                b"{\"a\": 1,}",
                "a comma has nothing behind it at line 1, column 9.",
            ),
            (
                b"1 2",
                "something stands behind the end, at line 1, column 3.",
            ),
            (b"[1 2]", "`,` or `]` is missing at line 1, column 4."),
            (b"{\"a\" 1}", "`:` is missing at line 1, column 6."),
            (
                b"tru3",
                "a word is neither true, false nor null, at line 1, column 4.",
            ),
            (
                b"01",
                "a number is not written as JSON has it at line 1, column 2.",
            ),
            (b"1e999", "a number is too large at line 1, column 5."),
            (
                b"\"a\nb\"",
                "a text holds a line break or another control character; write it as \\n or \\u00XX; at line 2, column 0.",
            ),
        ];
        for (bytes, expected) in table {
            let refusal = parse_json(bytes).expect_err(expected);
            assert_eq!(
                refusal,
                JsonRefusal::Syntax(expected.to_owned()),
                "{bytes:?}"
            );
        }
    }

    #[test]
    fn a_set_of_statuses_holds_what_it_says() {
        let set = StatusSet::parse(" 2XX, 404 ,500 - 502").expect("it is one");
        for (status, held) in [
            (200, true),
            (299, true),
            (300, false),
            (404, true),
            (405, false),
            (501, true),
            (503, false),
        ] {
            assert_eq!(set.contains(status), held, "{status}");
        }
        for text in [
            "", ",", "2xx,", "xx", "6xx", "0xx", "02xx", "99", "600", "+200", "200-", "-200",
            "404-200", "2x", "200 201", "é",
        ] {
            assert_eq!(StatusSet::parse(text), None, "{text}");
        }
    }
}
