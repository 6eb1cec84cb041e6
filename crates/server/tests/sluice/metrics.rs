//! What machines that watch are told.

use std::time::Duration;

use serde_json::json;
use server::metrics;
use server::signal::Stop;
use tokio::net::TcpListener;

use crate::app::{TestApp, eventually};
use crate::client::Client;
use crate::document::{document, wire};

#[tokio::test]
async fn metrics_tell_what_ran_and_what_waits_at_their_own_address_only() {
    let app = TestApp::start().await;
    let stop = Stop::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    let serving = tokio::spawn(metrics::serve(
        listener,
        app.store.clone(),
        None,
        stop.clone(),
    ));
    let watcher = Client::new(&format!("http://{address}"), "");

    let steps = [("log", "Note", json!({ "message": "came" }))];
    let (integration, _) = app.publish(&wire(&document("manual", &steps))).await;
    let start = json!({ "id": integration, "payload": {} });
    app.admin.must("start_manual", start.clone()).await;
    let finished = format!(
        "sluice_runs_finished_total{{integration=\"{integration}\",state=\"succeeded\"}} 1\n"
    );
    let read = async || {
        let answer = watcher.get("/metrics").await;
        assert_eq!(answer.status, 200);
        answer.text
    };
    let soon = Duration::from_secs(20);
    eventually("the run is counted", soon, async || {
        read().await.contains(&finished).then_some(())
    })
    .await;

    let pause = json!({ "id": integration, "paused": true });
    app.admin.must("set_paused", pause).await;
    app.admin.must("start_manual", start).await;
    let text = read().await;
    for line in [
        "sluice_up_database 1\n",
        "sluice_queue_runs{state=\"waiting\"} 1\n",
        "# TYPE sluice_run_duration_seconds histogram\n",
        "sluice_run_duration_seconds_bucket{le=\"+Inf\"} 1\n",
        "sluice_run_duration_seconds_count 1\n",
        "sluice_journal_batch_writes_count ",
        "sluice_claims_total ",
        "sluice_runs_claimed_total 1\n",
        "sluice_step_retries_total 0\n",
        "process_resident_memory_bytes ",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    let oldest = text
        .lines()
        .find_map(|line| line.strip_prefix("sluice_queue_oldest_seconds "));
    assert!(oldest.is_some_and(|age| age.parse::<f64>().is_ok_and(|age| age > 0.0)));

    // Nothing else is there, and the metrics are nowhere else.
    assert_eq!(watcher.get("/").await.status, 404);
    let page = app.anonymous.get("/metrics").await.text;
    assert!(!page.contains("sluice_"), "{page}");
    stop.give();
    serving.await.expect("it ends");
    app.end().await;
}
