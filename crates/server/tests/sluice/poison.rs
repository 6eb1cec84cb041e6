//! Runs that end the process that executes them, and those beside them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{TestApp, eventually};
use crate::document::webhook;
use crate::process::Process;
use crate::sink::Sink;

/// A lease lasts 15 seconds; the rest is for a busy machine.
const AFTER_LEASE: Duration = Duration::from_secs(40);

/// The path at which a run asks that ends its process: each process is killed that did.
const POISON: &str = "/never";

/// Starts runs that only read, each from one of these paths, while there is no worker.
async fn begin(app: &TestApp, sink: &Sink, paths: &[String]) -> Vec<Value> {
    app.allow_loopback().await;
    let read = json!({
        "method": "GET", "url": sink.url("/{{ trigger.body.path }}"), "timeout_seconds": 120,
    });
    let (_, hook) = app
        .publish(&webhook(&[("http.request", "Read", read)]))
        .await;
    let mut runs = Vec::new();
    for path in paths {
        let body = json!({ "path": path.trim_start_matches('/') });
        let answer = app.anonymous.post_json(&hook, &body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        runs.push(answer.json()["run"].clone());
    }
    runs
}

/// Starts a worker that is killed once so much of it was asked for.
async fn kill_once(app: &TestApp, is_asked: impl Fn() -> bool) {
    let worker = Process::worker(&app.database.url).await;
    let asked = async || is_asked().then_some(());
    eventually("all is asked for", AFTER_LEASE, asked).await;
    worker.end("KILL").await;
}

async fn assert_set_aside(app: &TestApp, run: &Value) {
    let run = app.ended(run, AFTER_LEASE).await;
    assert_eq!(run["summary"]["state"], "quarantined", "{run}");
    let error = run["summary"]["error"].as_str().unwrap_or_default();
    assert!(error.contains("3 times"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ends_its_process_is_set_aside_after_exactly_three() {
    let (app, sink) = (TestApp::with_role("web").await, Sink::start().await);
    let runs = begin(&app, &sink, &[POISON.to_owned()]).await;
    for times in 1..=3 {
        kill_once(&app, || sink.calls(POISON) == times).await;
    }
    let last = Process::worker(&app.database.url).await;
    assert_set_aside(&app, &runs[0]).await;
    assert_eq!(sink.calls(POISON), 3);
    last.end("TERM").await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_beside_one_that_ends_its_processes_come_to_their_end_and_only_it_is_set_aside() {
    let (app, sink) = (TestApp::with_role("web").await, Sink::start().await);
    let mut paths: Vec<String> = (0..7).map(|number| format!("/wait{number}")).collect();
    POISON.clone_into(&mut paths[3]);
    let runs = begin(&app, &sink, &paths).await;
    // The third time, all of them are suspect and beside each other.
    for times in 1..=3 {
        kill_once(&app, || sink.all_calls() == times * paths.len()).await;
    }
    sink.let_go();
    // One after the other goes alone now, until it does.
    kill_once(&app, || sink.calls(POISON) == 4).await;
    let last = Process::worker(&app.database.url).await;
    assert_set_aside(&app, &runs[3]).await;
    for (run, path) in runs.iter().zip(&paths).filter(|(_, path)| *path != POISON) {
        let run = app.ended(run, AFTER_LEASE).await;
        assert_eq!(run["summary"]["state"], "succeeded", "{path}: {run}");
    }
    assert_eq!(sink.calls(POISON), 4);
    last.end("TERM").await;
    app.end().await;
}
