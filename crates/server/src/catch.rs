//! Test events: caught for a draft, shown in the builder, starting nothing.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use crate::web::Web;
use crate::{answer, event, hook};

/// Answers a call of a draft's own address.
pub(crate) async fn call(
    State(web): State<Arc<Web>>,
    Path(token): Path<String>,
    request: Request,
) -> Response {
    let caller = web.caller(&request);
    let payload = match event::read(request).await {
        Ok(payload) => payload,
        Err(refusal) => return refusal,
    };
    match web.store.catch_event(&token, &payload).await {
        Ok(true) => {
            web.outage.note_kept();
            answer::json(StatusCode::ACCEPTED, &json!({ "caught": true }))
        }
        Ok(false) => hook::unknown(&web, caller),
        Err(error) => hook::failed(&web, error),
    }
}
