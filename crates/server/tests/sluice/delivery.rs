//! Events that their sender sends again, as it sees that.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::client::Answer;
use crate::document::webhook;

/// Returns a document whose webhook finds the event id in a header.
fn by_header(steps: &[(&str, &str, Value)]) -> Value {
    let mut document = webhook(steps);
    document["trigger"]["config"]["delivery_id"] = json!("header");
    document["trigger"]["config"]["delivery_header"] = json!("X-Request-Id");
    document
}

async fn deliver(app: &TestApp, path: &str, id: &str) -> Answer {
    let request = app.anonymous.request("POST", path);
    let request = request
        .header("content-type", "application/json")
        .header("x-request-id", id);
    app.anonymous.send(request.body("{\"n\": 1}")).await
}

async fn runs(app: &TestApp) -> usize {
    let all = json!({ "integration": null, "state": null, "before": null });
    let runs = app.admin.must("runs", all).await;
    runs.as_array().map_or(0, Vec::len)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_one_event_starts_one_run_and_is_answered_alike() {
    let app = TestApp::start().await;
    let steps = [("log", "Note", json!({ "message": "came" }))];
    let (_, path) = app.publish(&by_header(&steps)).await;
    let answers = join_all((0..30).map(|_| deliver(&app, &path, "evt_1"))).await;
    for answer in &answers {
        assert_eq!(answer.status, 202, "{}", answer.text);
        assert_eq!(answer.text, answers[0].text);
    }
    assert_eq!(runs(&app).await, 1);
    let run = json!({ "id": answers[0].json()["run"] });
    let shown = app.admin.must("read_run", run.clone()).await;
    assert_eq!(shown["delivery"], json!({ "id": "evt_1", "repeats": 29 }));
    let shown = app.reader.must("read_run", run).await;
    let without = json!({ "id": null, "repeats": 29 });
    assert_eq!(shown["delivery"], without, "an id is part of the payload");

    let other = deliver(&app, &path, "evt_2").await;
    assert_ne!(other.text, answers[0].text);
    for _ in 0..2 {
        let without = app.anonymous.post_json(&path, &json!({ "n": 1 })).await;
        assert_eq!(without.status, 202, "{}", without.text);
    }
    assert_eq!(runs(&app).await, 4);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_respond_step_answered_is_answered_again() {
    let app = TestApp::start().await;
    let answer =
        json!({ "status": 201, "body_type": "json", "json": "{\"run\": \"{{ run.id }}\"}" });
    let (_, path) = app
        .publish(&by_header(&[("respond", "Answer", answer)]))
        .await;
    // Some come while the first is still under way.
    let mut answers = join_all((0..8).map(|_| deliver(&app, &path, "evt_1"))).await;
    answers.push(deliver(&app, &path, "evt_1").await);
    for answer in &answers {
        assert_eq!(answer.status, 201, "{}", answer.text);
        assert_eq!(answer.text, answers[0].text);
    }
    assert_eq!(runs(&app).await, 1);

    // The run is deleted before its id is forgotten: the event was accepted all the same.
    let deleted = sqlx::query("delete from run").execute(&app.sql()).await;
    assert_eq!(deleted.expect("it answers").rows_affected(), 1);
    let late = deliver(&app, &path, "evt_1").await;
    assert_eq!(late.status, 200, "{}", late.text);
    assert_eq!(runs(&app).await, 0);
    app.end().await;
}
