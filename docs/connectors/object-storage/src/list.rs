//! Reads what a service answers: small documents in XML, in one known shape.

use serde_json::{Value, json};

/// Returns the objects of a page of a list.
pub(crate) fn objects(xml: &str) -> Vec<Value> {
    let entries = xml.split("<Contents>").skip(1);
    let object = |entry: &str| {
        let entry = entry.split("</Contents>").next().unwrap_or_default();
        let size = inside(entry, "Size").and_then(|size| size.parse::<u64>().ok());
        json!({
            "key": inside(entry, "Key"),
            "size": size,
            "etag": inside(entry, "ETag"),
            "modified_at": inside(entry, "LastModified"),
        })
    };
    entries.map(object).collect()
}

/// Returns by what the next page is asked for, if there is one.
pub(crate) fn next(xml: &str) -> Option<String> {
    let is_cut = inside(xml, "IsTruncated").is_some_and(|cut| cut == "true");
    is_cut.then(|| inside(xml, "NextContinuationToken"))?
}

/// Returns the text of the first element of a name.
pub(crate) fn inside(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(plain(text))
}

/// Replaces the references to characters that stand for them.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('&') {
        plain.push_str(before);
        let Some((name, after)) = behind.split_once(';') else {
            plain.push('&');
            rest = behind;
            continue;
        };
        let number = match name.strip_prefix("#x") {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => name
                .strip_prefix('#')
                .and_then(|number| number.parse().ok()),
        };
        match (name, number.and_then(char::from_u32)) {
            ("amp", _) => plain.push('&'),
            ("lt", _) => plain.push('<'),
            ("gt", _) => plain.push('>'),
            ("quot", _) => plain.push('"'),
            ("apos", _) => plain.push('\''),
            (_, Some(sign)) => plain.push(sign),
            _ => plain.push_str(&format!("&{name};")),
        }
        rest = after;
    }
    plain.push_str(rest);
    plain
}
