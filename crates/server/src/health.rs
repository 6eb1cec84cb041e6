//! Whether the process lives, and whether it can work.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use crate::answer;
use crate::web::Web;

/// How long the database may take before we count as not ready.
const ASK: Duration = Duration::from_secs(2);

/// Answers `GET /health/live`: 200 as long as requests are answered at all.
pub(crate) async fn live() -> Response {
    answer::json(StatusCode::OK, &json!({ "live": true }))
}

/// Answers `GET /health/ready`: 200 while the database answers and we are not ending.
pub(crate) async fn ready(State(web): State<Arc<Web>>) -> Response {
    let answers = tokio::time::timeout(ASK, web.store.ping()).await;
    let is_ready = matches!(answers, Ok(Ok(()))) && !web.stop.is_given();
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    answer::json(status, &json!({ "ready": is_ready }))
}
