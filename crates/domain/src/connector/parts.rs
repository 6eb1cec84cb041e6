//! Writes the fields of a form as parts (RFC 7578), for services that take files.

use std::fmt::Write;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::declared::as_text;

/// Returns the content type, and the body as text. The boundary follows from the values, so that
/// the same fields are sent alike each time, and no value can hold it.
pub(super) fn written(
    members: Vec<(String, Value)>,
    whole: Option<Value>,
    is_file: impl Fn(&str) -> bool,
) -> Result<(String, String), String> {
    let mut all = match whole {
        Some(Value::Object(whole)) => whole.into_iter().collect(),
        None => Vec::new(),
        Some(_) => return Err("The body must be names with values.".to_owned()),
    };
    all.extend(members);
    let digest = Sha256::digest(Value::Object(Map::from_iter(all.clone())).to_string());
    let mut boundary = "sluice".to_owned();
    for byte in digest.iter().take(16) {
        let _ = write!(boundary, "{byte:02x}");
    }
    let mut body = String::new();
    for (name, value) in &all {
        let items = match value {
            Value::Null => continue,
            Value::Array(items) => items.as_slice(),
            value => std::slice::from_ref(value),
        };
        for item in items.iter().filter(|item| !item.is_null()) {
            let name = quoted(name);
            let _ = write!(
                body,
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\""
            );
            if is_file(&name) {
                let _ = write!(
                    body,
                    "; filename=\"{name}\"\r\nContent-Type: application/octet-stream"
                );
            }
            match as_text(item) {
                Some(text) => {
                    let _ = write!(body, "\r\n\r\n{text}\r\n");
                }
                None => {
                    let _ = write!(body, "\r\nContent-Type: application/json\r\n\r\n{item}\r\n");
                }
            }
        }
    }
    let _ = write!(body, "--{boundary}--\r\n");
    Ok((format!("multipart/form-data; boundary={boundary}"), body))
}

/// Returns a name as it may stand between quotes in a header (RFC 7578, 2).
fn quoted(name: &str) -> String {
    name.replace('"', "%22")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_written_as_parts_and_no_value_ends_one() {
        let members = vec![
            ("title".to_owned(), json!("a\r\n--b--")),
            ("tags".to_owned(), json!(["x", 1, null])),
            ("meta".to_owned(), json!({ "a": true })),
            ("file\"\r\n".to_owned(), json!("content")),
            ("left out".to_owned(), Value::Null),
        ];
        let is_file = |name: &str| name.starts_with("file");
        let (content_type, body) =
            written(members.clone(), None, is_file).expect("it can be written");
        let boundary = content_type
            .strip_prefix("multipart/form-data; boundary=")
            .expect("it says");
        let parts: Vec<&str> = body.split(&format!("--{boundary}")).collect();
        assert_eq!(
            parts,
            [
                "",
                "\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\na\r\n--b--\r\n",
                "\r\nContent-Disposition: form-data; name=\"tags\"\r\n\r\nx\r\n",
                "\r\nContent-Disposition: form-data; name=\"tags\"\r\n\r\n1\r\n",
                "\r\nContent-Disposition: form-data; name=\"meta\"\r\nContent-Type: application/json\r\n\r\n{\"a\":true}\r\n",
                "\r\nContent-Disposition: form-data; name=\"file%22%0D%0A\"; filename=\"file%22%0D%0A\"\r\nContent-Type: application/octet-stream\r\n\r\ncontent\r\n",
                "--\r\n",
            ]
        );
        assert_eq!(written(members, None, is_file), Ok((content_type, body)));
        assert!(written(Vec::new(), Some(json!([1])), is_file).is_err());
    }
}
