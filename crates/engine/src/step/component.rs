//! What a component asks for, as the request that the engine sends.

use domain::connector::component::{HEADERS, VALUE_BYTES};
use domain::connector::{Asked, Declared, Method, URL};
use serde_json::{Map, Value};
use url::Url;

use super::http::Credentials;

/// Statuses that are an answer; of others a further attempt may bring a better one, and the last
/// one is an answer, too. Redirects are expected, so that they are not followed: where one leads to
/// is for the component to ask, and for [`fields`] to judge.
const ANSWERS: &str = "2xx, 3xx";

/// Returns the fields of the HTTP request step that sends what a component asks for. `config` are
/// the fields of the component's own step, `credentials` those of its connection.
///
/// # Errors
/// A sentence that says what is not allowed.
pub(crate) fn fields(
    declared: &Declared,
    config: &Map<String, Value>,
    credentials: Option<&Credentials>,
    asked: &Asked,
    has_signed: bool,
) -> Result<Map<String, Value>, String> {
    if Method::from_word(&asked.method).is_none_or(|method| method.word() != asked.method) {
        return Err(format!(
            "The component asks for the method `{}`. It can be GET, POST, PUT, PATCH, DELETE or HEAD.",
            short(&asked.method)
        ));
    }
    if !declared.may_send(asked) {
        return Err(format!(
            "The component asks for a {} request, but its action says that it only reads. Declare its effect as `write`.",
            asked.method
        ));
    }
    let is_large = asked
        .body
        .as_ref()
        .is_some_and(|body| body.len() > VALUE_BYTES);
    if is_large || asked.headers.len() > HEADERS || asked.url.len() > URL {
        return Err(format!(
            "The component asks for a request that is too large: at most {HEADERS} headers, {URL} bytes of address and {} MiB of body.",
            VALUE_BYTES / (1024 * 1024)
        ));
    }
    let is_ours = goes_with_connection(declared, credentials, &asked.url, has_signed)?;
    let mut fields = Map::new();
    fields.insert("method".to_owned(), asked.method.as_str().into());
    fields.insert("url".to_owned(), asked.url.as_str().into());
    let mut headers = Map::new();
    for (name, value) in &asked.headers {
        match headers.get_mut(name) {
            Some(Value::Array(values)) => values.push(value.as_str().into()),
            _ => drop(headers.insert(name.clone(), Value::from_iter([value.as_str()]))),
        }
    }
    if !headers.is_empty() {
        fields.insert("headers".to_owned(), Value::Object(headers));
    }
    if let Some(body) = &asked.body {
        fields.insert("body_type".to_owned(), "text".into());
        fields.insert("text".to_owned(), body.as_str().into());
    }
    if asked.repeats {
        fields.insert("no_answer".to_owned(), "repeat".into());
    }
    fields.insert("expected_status".to_owned(), ANSWERS.into());
    let own = ["timeout_seconds", "connection"];
    for name in own.iter().take(1 + usize::from(is_ours)) {
        if let Some(value) = config.get(*name).filter(|value| !value.is_null()) {
            fields.insert((*name).to_owned(), value.clone());
        }
    }
    Ok(fields)
}

/// Returns whether the connection goes with a request to an address.
///
/// # Errors
/// When the component may not reach the address.
fn goes_with_connection(
    declared: &Declared,
    credentials: Option<&Credentials>,
    url: &str,
    has_signed: bool,
) -> Result<bool, String> {
    let parsed = Url::parse(url).ok().filter(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
    });
    let Some(parsed) = parsed else {
        return Err(format!(
            "The component asks for `{}`, which is no web address.",
            short(url)
        ));
    };
    if credentials.is_some_and(|credentials| credentials.may_go_to(&parsed)) {
        return Ok(true);
    }
    let origin = parsed.origin().ascii_serialization();
    let hosts = declared
        .component()
        .map_or(&[][..], |component| &component.hosts);
    if !hosts.contains(&origin) {
        return Err(format!(
            "The component may not reach `{origin}`: it is neither an origin of the step's connection nor a host that the connector names."
        ));
    }
    if has_signed {
        return Err(format!(
            "The component may not reach `{origin}` any more: something was signed for it, which goes to the origins of the connection only."
        ));
    }
    Ok(false)
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}
