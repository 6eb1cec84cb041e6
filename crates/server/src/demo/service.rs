//! The systems that a company would have around Sluice, as one small JSON API in memory: a
//! warehouse, a shop and a help desk. It keeps the newest entries only and forgets all at a
//! restart.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};

use crate::answer;

/// Most entries that each list keeps.
const KEPT: usize = 200;
/// The lists that can be read and added to.
const LISTS: [&str; 6] = [
    "orders",
    "shipments",
    "approvals",
    "stock",
    "shop",
    "tickets",
];

#[derive(Debug, Default)]
struct Memory {
    lists: Mutex<[VecDeque<Value>; LISTS.len()]>,
}

/// Builds the service.
pub(super) fn router() -> Router {
    let memory = Memory::default();
    {
        let mut lists = memory.lists.lock().unwrap_or_else(PoisonError::into_inner);
        lists[3].extend([
            json!({ "sku": "LAMP-1", "name": "Desk lamp", "count": 42 }),
            json!({ "sku": "CHAIR-2", "name": "Office chair", "count": 7 }),
            json!({ "sku": "MAT-3", "name": "Floor mat", "count": 0 }),
            json!({ "sku": "CABLE-4", "name": "Cable tray", "count": 128 }),
        ]);
    }
    Router::new()
        .route("/{list}", get(read).post(add))
        .fallback(|| async { answer::not_found() })
        .with_state(Arc::new(memory))
}

async fn read(State(memory): State<Arc<Memory>>, Path(list): Path<String>) -> Response {
    let Some(index) = position(&list) else {
        return answer::not_found();
    };
    let lists = memory.lists.lock().unwrap_or_else(PoisonError::into_inner);
    answer::json(StatusCode::OK, &json!({ "items": lists[index] }))
}

async fn add(
    State(memory): State<Arc<Memory>>,
    Path(list): Path<String>,
    Json(mut entry): Json<Value>,
) -> Response {
    let (Some(index), Some(fields)) = (position(&list), entry.as_object_mut()) else {
        return answer::not_found();
    };
    let mut lists = memory.lists.lock().unwrap_or_else(PoisonError::into_inner);
    let last = lists[index]
        .back()
        .and_then(|last| last["number"].as_u64())
        .unwrap_or(1_000);
    fields.insert("number".to_owned(), json!(last + 1));
    let id = format!("{}-{}", list.trim_end_matches('s'), last + 1);
    fields.insert("id".to_owned(), json!(id));
    if lists[index].len() == KEPT {
        lists[index].pop_front();
    }
    lists[index].push_back(entry.clone());
    answer::json(StatusCode::CREATED, &entry)
}

fn position(list: &str) -> Option<usize> {
    LISTS.iter().position(|known| *known == list)
}
