//! Answers in JSON to programs that call us: what is wrong, and what to do.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// Returns an answer with a JSON body that no cache keeps.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns a refusal: a stable code such as `hook/unknown` for programs, a sentence for people.
pub(crate) fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    json(status, &json!({ "code": code, "error": message }))
}

/// Returns a refusal that says when to try again.
pub(crate) fn later(status: StatusCode, code: &str, message: &str, seconds: u64) -> Response {
    let mut response = refusal(status, code, message);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// Returns the answer to whatever is not there, or not for the caller to know of.
pub(crate) fn not_found() -> Response {
    refusal(
        StatusCode::NOT_FOUND,
        "not-found",
        "There is nothing here. Check the address.",
    )
}

/// Returns the answer to a method that a route does not take.
pub(crate) fn wrong_method(allowed: &str) -> Response {
    let message = format!("This address takes {allowed} only.");
    let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "method", &message);
    if let Ok(allowed) = HeaderValue::from_str(allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}
