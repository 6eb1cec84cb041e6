//! Processes that take webhooks and are no workers: what only computes they execute themselves.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::app::{TestApp, eventually};
use crate::client::{Answer, Client};
use crate::document::webhook;
use crate::process::Process;
use crate::sink::Sink;

const SOON: Duration = Duration::from_secs(40);
/// A run that is not computed at once has no worker that would answer.
const NO_ANSWER: Duration = Duration::from_secs(3);

/// Starts a process that serves, and says where it does and where its metrics are.
async fn web(app: &TestApp) -> (Process, Client, Client) {
    let measuring = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let metrics = measuring.local_addr().expect("it is bound").to_string();
    drop(measuring);
    let mut command = Process::web(&app.database.url);
    command.args(["--metrics-listen", &metrics]);
    let process = Process::start(command).await;
    let caller = Client::new(process.base(), "");
    let watcher = Client::new(&format!("http://{metrics}"), "");
    (process, caller, watcher)
}

/// Calls a webhook until its run is computed at once: on a busy machine one or the other takes
/// longer than a caller should wait for it, and is left to a worker.
async fn answered(caller: &Client, path: &str, body: &Value) -> Answer {
    eventually("a run is computed at once", SOON, async || {
        let request = caller
            .request("POST", path)
            .header("content-type", "application/json")
            .timeout(NO_ANSWER)
            .body(body.to_string());
        let response = request.send().await.ok()?;
        Some(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.ok()?,
        })
    })
    .await
}

/// Answers with the number of its event, and which run did.
fn answering() -> Value {
    let answer = "{\"id\": {{ trigger.body.id }}, \"run\": {{ run.id }}}";
    webhook(&[
        (
            "set",
            "Order",
            json!({ "values": { "id": "{{ trigger.body.id }}" } }),
        ),
        (
            "respond",
            "Answer",
            json!({ "status": 201, "body_type": "json", "json": answer }),
        ),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_worker_what_only_computes_is_answered_and_counted_where_it_ran() {
    let app = TestApp::with_role("web").await;
    let (integration, path) = app.publish(&answering()).await;
    let (process, caller, watcher) = web(&app).await;
    let answer = answered(&caller, &path, &json!({ "id": 7 })).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.json()["id"], 7);

    let id = json!({ "id": answer.json()["run"] });
    let run = app.admin.must("read_run", id).await;
    assert_eq!(run["summary"]["state"], "succeeded", "{run}");
    assert_eq!(run["payload"]["body"], json!({ "id": 7 }));
    assert_eq!(run["records"].as_array().map(Vec::len), Some(2), "{run}");
    assert_eq!(run["records"][0]["output"], json!({ "id": 7 }));
    assert!(run["summary"]["started_at"].is_number(), "{run}");

    let counted = format!(
        "sluice_runs_finished_total{{integration=\"{integration}\",state=\"succeeded\"}} 1\n"
    );
    let metrics = watcher.get("/metrics").await.text;
    assert!(metrics.contains(&counted), "{metrics}");
    assert!(app.store.done().finished.is_empty(), "it ran elsewhere");
    let (took, well) = process.end("TERM").await;
    assert!(well && took < Duration::from_secs(10), "it took {took:?}");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sends_something_waits_for_a_worker_and_is_sent_once() {
    let (app, sink) = (TestApp::with_role("web").await, Sink::start().await);
    app.allow_loopback().await;
    let send = json!({ "method": "POST", "url": sink.url("/orders") });
    let (_, sending) = app
        .publish(&webhook(&[("http.request", "Send", send)]))
        .await;
    let (_, computing) = app.publish(&answering()).await;
    let (process, caller, _) = web(&app).await;
    let accepted = caller.post_json(&sending, &json!({ "id": 1 })).await;
    assert_eq!(accepted.status, 202, "{}", accepted.text);
    // What came later is over: nobody here is about to begin the first.
    answered(&caller, &computing, &json!({ "id": 2 })).await;
    let id = accepted.json()["run"].clone();
    let run = app.admin.must("read_run", json!({ "id": id })).await;
    assert_eq!(run["summary"]["state"], "queued", "{run}");
    assert_eq!(
        (run["records"].clone(), sink.calls("/orders")),
        (json!([]), 0)
    );

    let worker = Process::worker(&app.database.url).await;
    let run = app.ended(&id, SOON).await;
    assert_eq!(run["summary"]["state"], "succeeded", "{run}");
    assert_eq!(run["records"].as_array().map(Vec::len), Some(1), "{run}");
    assert_eq!(sink.calls("/orders"), 1);
    worker.end("TERM").await;
    process.end("TERM").await;
    app.end().await;
}
