//! Polling, against a service that has a list.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use http::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::{TestApp, eventually, text};
use crate::document::{document, wire};
use crate::process::Process;

const SOON: Duration = Duration::from_secs(20);

/// A service with a list of orders; it notes what it was asked.
#[derive(Clone)]
struct Shop {
    url: String,
    orders: Arc<Mutex<Vec<Value>>>,
    asked: Arc<Mutex<Vec<String>>>,
    /// Whether it answers at once.
    is_open: watch::Sender<bool>,
}

impl Shop {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let shop = Self {
            url: format!("http://{address}"),
            orders: Arc::default(),
            asked: Arc::default(),
            is_open: watch::Sender::new(true),
        };
        let router = Router::new().fallback(answer).with_state(shop.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        shop
    }

    fn add(&self, ids: impl IntoIterator<Item = u32>) {
        let mut orders = self.orders.lock().expect("nobody panicked");
        orders.extend(ids.into_iter().map(|id| json!({ "id": id, "at": id })));
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("nobody panicked").clone()
    }
}

async fn answer(State(shop): State<Shop>, request: Request) -> Response<Body> {
    let key = request.headers().get("authorization");
    let key = key.and_then(|key| key.to_str().ok()).unwrap_or_default();
    let query = request.uri().query().unwrap_or_default();
    let asked = format!("{query} {key}");
    shop.asked.lock().expect("nobody panicked").push(asked);
    let _ = shop.is_open.subscribe().wait_for(|open| *open).await;
    let orders = shop.orders.lock().expect("nobody panicked").clone();
    let body = json!({ "orders": orders, "you": key }).to_string();
    Response::builder()
        .header("content-type", "application/json")
        .body(Body::from(body))
        .expect("it is an answer")
}

/// Returns a document that polls the orders of a shop.
fn polling(shop: &Shop, fields: Value) -> Value {
    let note = json!({ "message": "Order {{ trigger.item.id }}" });
    let mut document = wire(&document("poll", &[("log", "Note", note)]));
    let config = document["trigger"]["config"].as_object_mut();
    let config = config.expect("fields");
    config.insert("url".to_owned(), json!(format!("{}/orders", shop.url)));
    config.insert("items".to_owned(), json!("/orders"));
    config.extend(fields.as_object().expect("fields").clone());
    document
}

async fn publish(app: &TestApp, document: &Value) -> Value {
    let fields = json!({ "name": "Orders", "document": document });
    let draft = app.admin.must("create_integration", fields).await;
    let read = app.admin.must("read_draft", json!({ "id": draft })).await;
    let fields = json!({ "id": draft, "revision": 1, "note": "", "reason": null });
    app.admin.must("publish", fields).await;
    read["integration"].clone()
}

async fn standing(app: &TestApp, integration: &Value) -> Value {
    let detail = json!({ "id": integration });
    app.admin.must("read_integration", detail).await["polling"].clone()
}

/// Waits until an answer was taken after so many.
async fn polled(app: &TestApp, integration: &Value, started: u64) -> Value {
    eventually("it is polled", SOON, async || {
        let polling = standing(app, integration).await;
        let is_there = polling["started"] == json!(started) && polling["last_at"].is_number();
        is_there.then_some(polling)
    })
    .await
}

async fn due(app: &TestApp) {
    let moved = sqlx::query("update poll set next_at = now(), lease_until = null");
    moved.execute(&app.sql()).await.expect("it answers");
}

async fn runs(app: &TestApp) -> Vec<Value> {
    let all = json!({ "integration": null, "state": null, "before": null });
    let runs = app.admin.must("runs", all).await;
    runs.as_array().cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_new_item_starts_a_run_with_the_connection_and_the_cursor() {
    let (app, shop) = (TestApp::start().await, Shop::start().await);
    app.allow_loopback().await;
    let connection = json!({ "form": {
        "name": "Shop", "kind": "bearer", "names": [], "origins": [shop.url],
        "live": { "set": ["planted-secret"] }, "test": "keep",
    }});
    let connection = app.admin.must("create_connection", connection).await;
    shop.add(1..=2);
    let fields = json!({
        "connection": connection, "asks": "newer", "cursor_parameter": "since", "cursor": "/at",
    });
    let integration = publish(&app, &polling(&shop, fields)).await;
    let first = polled(&app, &integration, 0).await;
    assert_eq!((&first["items"], &first["cursor"]), (&json!(2), &json!(2)));
    assert_eq!(runs(&app).await, [json!(null); 0]);

    shop.add(3..=4);
    due(&app).await;
    let second = polled(&app, &integration, 2).await;
    assert_eq!(second["cursor"], 4);
    assert_eq!(
        shop.asked(),
        [" Bearer planted-secret", "since=2 Bearer planted-secret"]
    );
    for run in runs(&app).await {
        let run = app.ended(&run["id"], SOON).await;
        assert_eq!(run["summary"]["state"], "succeeded", "{run}");
    }
    // Nothing new: nothing starts.
    due(&app).await;
    eventually("it is asked again", SOON, async || {
        (shop.asked().len() == 3).then_some(())
    })
    .await;
    polled(&app, &integration, 2).await;
    assert_eq!(runs(&app).await.len(), 2);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_it_from_polling_is_shown() {
    let (app, shop) = (TestApp::start().await, Shop::start().await);
    // The network is closed: the guard of requests holds here, too.
    let integration = publish(&app, &polling(&shop, json!({}))).await;
    let failing = async |says: &str| {
        eventually("it fails", SOON, async || {
            let polling = standing(&app, &integration).await;
            text(&polling["error"]).contains(says).then_some(polling)
        })
        .await
    };
    let closed = failing("127.0.0.1").await;
    assert_eq!(closed["failures"], 1);
    assert_eq!(shop.asked(), [""; 0], "nothing was sent");

    app.allow_loopback().await;
    *shop.orders.lock().expect("nobody panicked") = vec![json!({ "name": "no id" })];
    due(&app).await;
    let refused = failing("no id at `/id`").await;
    assert_eq!(refused["failures"], 2);
    assert_eq!(runs(&app).await.len(), 0);

    // A draft is told the same when it polls once, and keeps what it finds as test events.
    let title = json!({ "integration": integration, "title": "Next" });
    let draft = app.admin.must("start_draft", title).await;
    let once = json!({ "id": draft });
    let answer = app.admin.must("poll_once", once.clone()).await;
    assert!(text(&answer["Err"]).contains("no id at `/id`"), "{answer}");
    shop.orders.lock().expect("nobody panicked").clear();
    shop.add(1..=3);
    let answer = app.admin.must("poll_once", once.clone()).await;
    assert_eq!(answer, json!({ "Ok": 3 }));
    let caught = app.admin.must("caught_events", once).await;
    assert_eq!(caught[0]["payload"]["item"]["id"], 1);
    assert_eq!(runs(&app).await.len(), 0);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_while_it_polls_loses_and_doubles_no_item() {
    let (app, shop) = (TestApp::with_role("web").await, Shop::start().await);
    app.allow_loopback().await;
    shop.add(1..=3);
    shop.is_open.send_replace(false);
    let integration = publish(&app, &polling(&shop, json!({ "start": "all" }))).await;
    let killed = Process::worker(&app.database.url).await;
    eventually("it asks", SOON, async || {
        (shop.asked().len() == 1).then_some(())
    })
    .await;
    killed.end("KILL").await;
    shop.is_open.send_replace(true);
    let next = Process::worker(&app.database.url).await;
    // As when the claim of the killed one ends.
    due(&app).await;
    polled(&app, &integration, 3).await;
    due(&app).await;
    eventually("it asks again", SOON, async || {
        (shop.asked().len() >= 3).then_some(())
    })
    .await;
    let ids = runs(&app).await;
    assert_eq!(ids.len(), 3);
    for run in ids {
        let run = app.ended(&run["id"], SOON).await;
        assert_eq!(run["summary"]["state"], "succeeded", "{run}");
    }
    next.end("TERM").await;
    app.end().await;
}
