//! What holds around every request: an id, a time limit, safe headers, and a panic in one
//! request stays in that request.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures::FutureExt;
use http::{HeaderName, HeaderValue, StatusCode, header};
use tracing::Instrument;
use uuid::Uuid;

use crate::answer;

/// Names a request in the log and in what a person is told.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers that every answer carries unless it has its own.
const SAFE: [(HeaderName, HeaderValue); 6] = [
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
];

/// Wraps every request.
pub(crate) async fn request(request: Request, next: Next) -> Response {
    let id = Uuid::now_v7().simple().to_string();
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    // Never the path itself: it may hold the token of a webhook or an invitation.
    let path = path.unwrap_or_else(|| "other".to_owned());
    let span = tracing::info_span!("request", id, method = %request.method(), path);
    let begun = Instant::now();
    let answered = AssertUnwindSafe(next.run(request).instrument(span.clone()))
        .catch_unwind()
        .await;
    let mut response = answered.unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("without a text");
        span.in_scope(|| tracing::error!(incident = id, said, "a request panicked"));
        let message =
            format!("Something went wrong on the server (incident {id}). Try again in a moment.");
        answer::refusal(StatusCode::INTERNAL_SERVER_ERROR, "unexpected", &message)
    });
    span.in_scope(|| {
        let ms = begun.elapsed().as_millis();
        tracing::debug!(status = response.status().as_u16(), ms, "answered");
    });
    let headers = response.headers_mut();
    for (name, value) in SAFE {
        headers.entry(name).or_insert(value);
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// Ends a request that takes longer than its route allows.
pub(crate) async fn within(
    State(limit): State<Duration>,
    request: Request,
    next: Next,
) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => answer::later(
            StatusCode::SERVICE_UNAVAILABLE,
            "timeout",
            "The server took too long. Try again in a moment.",
            5,
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::Router;
    use axum::body::Body;
    use axum::extract::Request;
    use axum::middleware::{from_fn, from_fn_with_state};
    use axum::response::Response;
    use axum::routing::get;
    use http::StatusCode;
    use tower::ServiceExt;

    async fn panics() -> &'static str {
        panic!("a secret detail")
    }

    async fn get_path(path: &str) -> Response {
        let router = Router::new()
            .route("/panics", get(panics))
            .route("/hangs", get(std::future::pending::<&'static str>))
            .route("/works", get(|| async { "works" }))
            .layer(from_fn_with_state(Duration::from_millis(1), super::within))
            .layer(from_fn(super::request));
        let request = Request::get(path)
            .body(Body::empty())
            .expect("it is a request");
        router.oneshot(request).await.expect("it always answers")
    }

    #[tokio::test]
    async fn a_panic_stays_in_its_request_and_tells_nothing_but_an_incident() {
        let response = get_path("/panics").await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let incident = response.headers()["x-request-id"]
            .to_str()
            .map(str::to_owned);
        let body = axum::body::to_bytes(response.into_body(), 10_000)
            .await
            .expect("it is short");
        let said = String::from_utf8_lossy(&body);
        assert!(
            said.contains(&incident.expect("it is text")) && !said.contains("secret"),
            "{said}"
        );
        assert_eq!(get_path("/works").await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn a_request_that_hangs_is_ended_with_safe_headers() {
        let response = get_path("/hangs").await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert!(response.headers().contains_key("retry-after"));
    }
}
