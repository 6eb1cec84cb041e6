//! Finds secrets by their value, in the forms in which they come back: as they are, in base64,
//! percent-encoded, in hexadecimal, escaped as in JSON or in HTML; letters in either case.
//!
//! What a service does to a secret on purpose (reversed, cut, encrypted) is not known again; a
//! service that has it can keep it anyway.

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use super::header::HIDDEN;

/// Fewest bytes of a form: shorter ones stand in ordinary texts.
const SHORTEST: usize = 6;

/// How often a secret may be escaped as in JSON: a text in JSON that is a text in JSON, and so on.
const ESCAPED: usize = 3;

/// Secrets that nothing may tell.
pub(crate) struct Hidden {
    forms: Option<AhoCorasick>,
}

impl Hidden {
    /// Prepares to find these secrets.
    pub(crate) fn new(secrets: &[String]) -> Self {
        let mut forms = BTreeSet::new();
        for secret in secrets {
            add_forms(secret, &mut forms);
        }
        forms.retain(|form: &String| form.len() >= SHORTEST);
        // The longest form at a place: nothing of it is left beside the mark.
        let forms = AhoCorasick::builder()
            // It is built for each request: a table without this takes twenty times as long.
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .match_kind(MatchKind::LeftmostLongest)
            // Hexadecimal digits, escapes and names of headers are written in either case.
            .ascii_case_insensitive(true)
            .build(forms);
        Self { forms: forms.ok() }
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        self.forms.as_ref().is_none_or(|forms| forms.is_match(text))
    }

    pub(crate) fn text(&self, text: &str) -> String {
        match &self.forms {
            Some(forms) => {
                let mut shown = String::with_capacity(text.len());
                forms.replace_all_with(text, &mut shown, |_, _, shown| {
                    shown.push_str(HIDDEN);
                    true
                });
                shown
            }
            // Too large to be searched for: then nothing is told.
            None => HIDDEN.to_owned(),
        }
    }

    pub(super) fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) if self.is_in(&text) => Value::String(self.text(&text)),
            Value::Number(number) if self.is_in(&number.to_string()) => Value::from(HIDDEN),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(map) => {
                let entry = |(name, item): (String, Value)| {
                    let name = if self.is_in(&name) {
                        self.text(&name)
                    } else {
                        name
                    };
                    (name, self.value(item))
                };
                Value::Object(map.into_iter().map(entry).collect::<Map<_, _>>())
            }
            other => other,
        }
    }
}

/// What programs write as entities in HTML: always the first three signs, quotes in several ways.
const ENTITIES: [&[(char, &str)]; 5] = [
    &[('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;")],
    &[
        ('&', "&amp;"),
        ('<', "&lt;"),
        ('>', "&gt;"),
        ('"', "&quot;"),
    ],
    &[
        ('&', "&amp;"),
        ('<', "&lt;"),
        ('>', "&gt;"),
        ('"', "&quot;"),
        ('\'', "&#39;"),
    ],
    &[
        ('&', "&amp;"),
        ('<', "&lt;"),
        ('>', "&gt;"),
        ('"', "&#34;"),
        ('\'', "&#39;"),
    ],
    &[
        ('&', "&amp;"),
        ('<', "&lt;"),
        ('>', "&gt;"),
        ('"', "&quot;"),
        ('\'', "&#x27;"),
    ],
];

/// Tells which signs are escaped that need not be.
type Escapes = fn(char) -> bool;

/// How programs write JSON: which signs they escape that need not be, and whether `/` is one.
const JSON: [(Escapes, bool); 5] = [
    (|_| false, false),
    (|_| false, true),
    (|sign| !sign.is_ascii(), false),
    (|sign| !sign.is_ascii(), true),
    (|sign| "&<>".contains(sign), false),
];

fn add_forms(secret: &str, forms: &mut BTreeSet<String>) {
    let entities = ENTITIES.iter().map(|entities| in_html(secret, entities));
    let mut plain: BTreeSet<String> = entities.chain([secret.to_owned()]).collect();
    for (escapes, slash) in JSON {
        let mut text = secret.to_owned();
        for _ in 0..ESCAPED {
            text = in_json(&text, escapes, slash);
            plain.insert(text.clone());
        }
    }
    for text in &plain {
        forms.insert(text.bytes().map(|byte| format!("%{byte:02X}")).collect());
        let form: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        // Which signs are encoded differs; a space is `+` or `%20`.
        forms.extend([form.replace('+', "%20"), strict(text), lenient(text), form]);
        forms.insert(text.bytes().map(|byte| format!("{byte:02x}")).collect());
        // Within a longer text in base64 it starts at one of three places of a group.
        for before in 0..3 {
            let inside = base64_inside(text.as_bytes(), before);
            forms.insert(inside.replace('+', "-").replace('/', "_"));
            forms.insert(url::form_urlencoded::byte_serialize(inside.as_bytes()).collect());
            forms.insert(inside);
        }
        // With its end, so that no sign of it is left.
        let whole = BASE64_STANDARD.encode(text);
        forms.insert(whole.replace('+', "-").replace('/', "_"));
        forms.insert(whole.trim_end_matches('=').to_owned());
        let url_safe = whole.replace('+', "-").replace('/', "_");
        forms.insert(url_safe.trim_end_matches('=').to_owned());
        forms.insert(whole);
        forms.insert(text.clone());
    }
}

fn in_html(text: &str, entities: &[(char, &str)]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in text.chars() {
        match entities.iter().find(|(other, _)| *other == sign) {
            Some((_, entity)) => escaped.push_str(entity),
            None => escaped.push(sign),
        }
    }
    escaped
}

fn in_json(text: &str, escapes: Escapes, slash: bool) -> String {
    let json = Value::from(text).to_string();
    let mut escaped = String::with_capacity(json.len());
    for sign in json[1..json.len() - 1].chars() {
        match sign {
            '/' if slash => escaped.push_str("\\/"),
            sign if escapes(sign) => {
                // What is beyond 16 bits is two escapes.
                for half in sign.encode_utf16(&mut [0; 2]) {
                    escaped.push_str(&format!("\\u{half:04x}"));
                }
            }
            sign => escaped.push(sign),
        }
    }
    escaped
}

/// Encodes all but what RFC 3986 calls unreserved.
fn strict(text: &str) -> String {
    percent(text, |byte| {
        byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
    })
}

/// Encodes only what cannot stand in a query, as the `url` crate does.
fn lenient(text: &str) -> String {
    percent(text, |byte| {
        byte.is_ascii_graphic() && !b"\"#<>'".contains(&byte)
    })
}

fn percent(text: &str, stays: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if stays(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Returns those signs of a longer text in base64 that these bytes alone decide, when `before`
/// bytes of their first group stand before them.
fn base64_inside(bytes: &[u8], before: usize) -> String {
    let mut padded = vec![0; before];
    padded.extend_from_slice(bytes);
    let text = BASE64_STANDARD.encode(&padded);
    let first = (before * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    text[first.min(last)..last].to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECRET: &str = "p+ss/w\"rd & \u{e4}?=";

    fn hidden() -> Hidden {
        Hidden::new(&[SECRET.to_owned()])
    }

    #[test]
    fn a_secret_is_found_in_each_form_and_nothing_of_it_is_left() {
        let form: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        let mut url = url::Url::parse("http://a.example/").expect("it is one");
        url.set_query(Some(SECRET));
        let query = url.query().expect("it has one").to_owned();
        let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
        for text in [
            SECRET.to_owned(),
            json!(SECRET).to_string().trim_matches('"').to_owned(),
            json!(json!(SECRET).to_string().trim_matches('"'))
                .to_string()
                .trim_matches('"')
                .to_owned(),
            form.replace('+', "%20"),
            form.to_lowercase(),
            form,
            query,
            strict(SECRET),
            hex.to_uppercase(),
            hex,
            BASE64_STANDARD.encode(SECRET),
        ] {
            let shown = hidden().text(&format!("before {text} behind"));
            assert_eq!(shown, format!("before {HIDDEN} behind"), "{text}");
        }
    }

    #[test]
    fn a_secret_is_found_as_programs_write_it_into_pages_and_json() {
        for text in [
            "p+ss/w\"rd &amp; \u{e4}?=",
            "p+ss/w&quot;rd &amp; \u{e4}?=",
            "p+ss/w&#34;rd &amp; \u{e4}?=",
            "p+ss\\/w\\\"rd & \\u00e4?=",
            "p+ss/w\\\"rd & \\u00E4?=",
            "p+ss\\/w\\\"rd & \u{e4}?=",
            "p+ss/w\\\"rd \\u0026 \u{e4}?=",
        ] {
            let shown = hidden().text(&format!("before {text} behind"));
            assert_eq!(shown, format!("before {HIDDEN} behind"), "{text}");
        }
        let face = Hidden::new(&["it's \u{1f600} <here>".to_owned()]);
        for text in [
            "it's \\ud83d\\ude00 <here>",
            "it&#39;s \u{1f600} &lt;here&gt;",
            "it&#x27;s \u{1f600} &lt;here&gt;",
            "it's \u{1f600} \\u003chere\\u003e",
        ] {
            assert_eq!(face.text(text), HIDDEN, "{text}");
        }
    }

    #[test]
    fn a_secret_is_found_inside_a_longer_text_in_base64() {
        for before in ["", "a", "ab", "abc", "user:"] {
            for behind in ["", "z", "zz", "zzz"] {
                let text = BASE64_STANDARD.encode(format!("{before}{SECRET}{behind}"));
                assert!(hidden().is_in(&text), "{before} {behind}");
                let url_safe = text.replace('+', "-").replace('/', "_");
                assert!(hidden().is_in(&url_safe), "{before} {behind}");
            }
        }
    }

    #[test]
    fn a_secret_is_found_in_all_parts_of_a_value_and_the_rest_stays() {
        let value = json!({
            "list": [1, null, { (SECRET): format!("Bearer {SECRET}") }],
            "number": 1_234_567_890_u64,
            "other": "p+ss",
        });
        let secrets = [SECRET.to_owned(), "1234567890".to_owned()];
        assert_eq!(
            Hidden::new(&secrets).value(value),
            json!({
                "list": [1, null, { (HIDDEN): format!("Bearer {HIDDEN}") }],
                "number": HIDDEN,
                "other": "p+ss",
            })
        );
    }
}
