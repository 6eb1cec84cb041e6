//! What can be told of long lists and of limits on the number of requests.

use serde_json::{Map, Value};

use crate::connector::{Paging, Place, Rate};
use crate::schema::Schema;

use super::reference::Resolver;

/// Names of the parameter that takes what the answer before said.
const CURSORS: [&str; 14] = [
    "cursor",
    "page_token",
    "pagetoken",
    "next_token",
    "nexttoken",
    "continuation_token",
    "continuationtoken",
    "page_cursor",
    "start_cursor",
    "starting_after",
    "after",
    "pagination_token",
    "continue",
    "marker",
];
/// Names under which an answer says it.
const NEXT: [&str; 14] = [
    "next_cursor",
    "nextcursor",
    "next_page_token",
    "nextpagetoken",
    "next_token",
    "nexttoken",
    "continuation_token",
    "continuationtoken",
    "end_cursor",
    "endcursor",
    "cursor",
    "after",
    "continue",
    "next_marker",
];
const PAGES: [&str; 5] = [
    "page",
    "page_number",
    "pagenumber",
    "page[number]",
    "pageno",
];
const OFFSETS: [&str; 5] = ["offset", "skip", "startat", "start_index", "$skip"];

/// Returns how the operation gives long lists, as far as its parameters and its answer tell.
pub(super) fn paging<'a>(
    query: &[(String, String)],
    output: &Value,
    responses: Option<&'a Value>,
    resolver: Resolver<'a>,
) -> Option<Paging> {
    let find = |names: &[&str]| {
        let is_one = |name: &str| names.contains(&name.to_lowercase().as_str());
        let (field, _) = query.iter().find(|(_, name)| is_one(name))?;
        Some(field.clone())
    };
    if let Some(field) = find(&CURSORS) {
        let next = next_of(output, "", 0).unwrap_or_default();
        return Some(Paging::Cursor { field, next });
    }
    if has_header(responses, resolver, |name| name == "link") {
        return Some(Paging::Link);
    }
    if let Some(field) = find(&PAGES) {
        return Some(Paging::Page { field });
    }
    find(&OFFSETS).map(|field| Paging::Offset { field })
}

/// Returns where in an answer the cursor of the next page stands, as a JSON Pointer.
fn next_of(schema: &Value, at: &str, depth: usize) -> Option<String> {
    let properties = schema.get("properties").and_then(Value::as_object)?;
    let known = |name: &str| NEXT.contains(&name.to_lowercase().as_str());
    let path = |name: &str| format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
    let own = properties.iter().find(|(name, schema)| {
        known(name) && schema.get("type").is_none_or(|kind| kind != "object")
    });
    if let Some((name, _)) = own {
        return Some(path(name));
    }
    if depth >= 2 {
        return None;
    }
    properties
        .iter()
        .find_map(|(name, schema)| next_of(schema, &path(name), depth + 1))
}

fn has_header<'a>(
    responses: Option<&'a Value>,
    resolver: Resolver<'a>,
    is_one: impl Fn(&str) -> bool,
) -> bool {
    let responses = responses.and_then(Value::as_object).into_iter().flatten();
    let succeeded = responses.filter(|(status, _)| status.starts_with('2'));
    succeeded
        .filter_map(|(_, response)| resolver.follow(response).ok()?.get("headers")?.as_object())
        .flatten()
        .any(|(name, _)| is_one(&name.to_lowercase()))
}

/// Returns how many requests the service takes, where a number is told: by an extension, or by the
/// example of a header that says the limit of a minute or an hour.
pub(super) fn rate(operation: &Map<String, Value>) -> Option<Rate> {
    let told = operation
        .get("x-ratelimit")
        .or_else(|| operation.get("x-rate-limit"))?;
    let number = |key: &str| told.get(key).and_then(Value::as_u64);
    let requests = number("limit").or_else(|| number("requests"))?;
    let seconds = number("seconds").or_else(|| number("window")).unwrap_or(60);
    let rate = Rate {
        requests: u32::try_from(requests).ok()?,
        seconds: u32::try_from(seconds).ok()?,
    };
    (rate.requests > 0 && rate.seconds > 0).then_some(rate)
}

/// Returns whether the operation says that there is a limit, be it without a number.
pub(super) fn is_limited<'a>(responses: Option<&'a Value>, resolver: Resolver<'a>) -> bool {
    let too_many = responses
        .and_then(|responses| responses.get("429"))
        .is_some();
    too_many
        || has_header(responses, resolver, |name| {
            name.starts_with("x-ratelimit")
                || name.starts_with("x-rate-limit")
                || name == "ratelimit-limit"
        })
}

/// Returns the query parameters among the fields: name of the field, name of the parameter.
pub(super) fn query_of(input: &Schema, place: impl Fn(&str) -> Place) -> Vec<(String, String)> {
    let fields = input.fields.iter();
    let query = fields.filter_map(|field| match place(&field.name) {
        Place::Query { name, .. } => Some((field.name.clone(), name)),
        _ => None,
    });
    query.collect()
}
