//! Webhooks, as another system sees them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{TestApp, text};
use crate::document::{document, webhook, wire};
use crate::sink::Sink;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_kept_before_it_is_acknowledged() {
    // Nobody here executes a run that waits, so what is read is what was written before the answer.
    let app = TestApp::with_role("web").await;
    let wait = json!({ "amount": 1, "unit": "hours" });
    let (_, path) = app.publish(&webhook(&[("delay", "Wait", wait)])).await;
    let answer = app
        .anonymous
        .post_json(&format!("{path}?from=shop"), &json!({ "id": 7 }))
        .await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let run = app
        .admin
        .must("read_run", json!({ "id": answer.json()["run"] }))
        .await;
    assert_eq!(run["summary"]["state"], "queued");
    assert_eq!(run["payload"]["method"], "POST");
    assert_eq!(run["payload"]["body"], json!({ "id": 7 }));
    assert_eq!(run["payload"]["query"], json!({ "from": "shop" }));
    assert_eq!(
        run["payload"]["headers"]["content-type"],
        "application/json"
    );
    assert_eq!(run["payload"]["headers"].get("x-forwarded-for"), None);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_executed_and_shows_what_each_step_did() {
    let (app, sink) = (TestApp::start().await, Sink::start().await);
    app.allow_loopback().await;
    let (_, path) = app.publish(&webhook(&[
        ("set", "Order", json!({ "values": { "total": "{{ trigger.body.total }}" } })),
        ("http.request", "Send", json!({ "method": "POST", "url": sink.url("/orders"), "body_type": "json", "json": "{\"total\": {{ steps.order.total }}}" })),
    ])).await;
    let answer = app
        .anonymous
        .post_json(&path, &json!({ "total": 12 }))
        .await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let run = app.ended(&answer.json()["run"], SOON).await;
    assert_eq!(run["summary"]["state"], "succeeded", "{run}");
    assert_eq!(run["records"][0]["output"], json!({ "total": 12 }));
    assert_eq!(run["records"][1]["output"]["status"], 200);
    assert_eq!(sink.calls("/orders"), 1);
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_is_refused_with_a_sentence() {
    let app = TestApp::start().await;
    let (id, path) = app
        .publish(&webhook(&[("log", "Note", json!({ "message": "came" }))]))
        .await;
    let caller = &app.anonymous;
    let post = |body: Vec<u8>| {
        caller
            .request("POST", &path)
            .header("content-type", "application/json")
            .body(body)
    };

    let large = caller.send(post(vec![b' '; 10 * 1024 * 1024])).await;
    assert_eq!(
        (large.status, large.json()["code"].as_str()),
        (413, Some("event/too-large"))
    );
    let deep = caller
        .send(post([b"[".repeat(10_000), b"]".repeat(10_000)].concat()))
        .await;
    assert_eq!(
        (deep.status, deep.json()["code"].as_str()),
        (422, Some("event/json"))
    );
    assert!(
        text(&deep.json()["error"]).contains("nested deeper"),
        "{}",
        deep.text
    );
    let broken = caller.send(post(b"{\"id\": ".to_vec())).await;
    assert_eq!(broken.status, 400);
    assert!(
        text(&broken.json()["error"]).contains("not JSON"),
        "{}",
        broken.text
    );

    let method = caller.get(&path).await;
    assert_eq!((method.status, method.header("allow")), (405, "POST"));
    let unknown = caller
        .post_json(&format!("/hooks/{}", "0".repeat(48)), &json!({}))
        .await;
    let strange = caller.post_json("/hooks/%00%F0%9F%92%A9", &json!({})).await;
    assert_eq!((unknown.status, strange.status), (404, 404));

    app.admin
        .must("set_enabled", json!({ "id": id, "enabled": false }))
        .await;
    let disabled = caller.post_json(&path, &json!({})).await;
    assert_eq!(
        (disabled.status, &disabled.text),
        (404, &unknown.text),
        "nobody learns that it exists"
    );
    let runs = app
        .admin
        .must(
            "runs",
            json!({ "integration": id, "state": null, "before": null }),
        )
        .await;
    assert_eq!(runs, json!([]), "nothing of it started a run");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_cannot_be_guessed_for_long() {
    let app = TestApp::with_role("web").await;
    let mut last = 0;
    for number in 0..60 {
        last = app
            .anonymous
            .post_json(&format!("/hooks/{number:048x}"), &json!({}))
            .await
            .status;
    }
    assert_eq!(last, 429);
    let neighbour = app
        .reader
        .post_json(&format!("/hooks/{:048x}", 1), &json!({}))
        .await;
    assert_eq!(neighbour.status, 404, "others are not held back");
    app.end().await;
}

fn responding(status: Value) -> Value {
    webhook(&[(
        "respond",
        "Answer",
        json!({ "status": status, "headers": { "X-Order": "{{ trigger.body.id }}" }, "body_type": "json", "json": "{\"id\": {{ trigger.body.id }}}" }),
    )])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_respond_step_answers_the_caller() {
    let app = TestApp::start().await;
    let (_, path) = app.publish(&responding(json!(201))).await;
    let answer = app.anonymous.post_json(&path, &json!({ "id": 7 })).await;
    assert_eq!((answer.status, answer.json()), (201, json!({ "id": 7 })));
    assert_eq!(answer.header("x-order"), "7");
    assert!(answer.header("content-security-policy").contains("sandbox"));

    let failed = app.anonymous.post_json(&path, &json!({})).await;
    assert_eq!(
        (failed.status, failed.json()["state"].as_str()),
        (500, Some("failed")),
        "{}",
        failed.text
    );
    assert!(failed.json()["run"].is_string());
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_only_computes_is_kept_together_with_its_event() {
    let app = TestApp::start().await;
    let copy = json!({ "values": { "id": "{{ trigger.body.id }}", "at": "{{ run.started_at }}" } });
    let (_, told) = app.publish(&webhook(&[("set", "Copy", copy)])).await;
    let (_, answered) = app.publish(&responding(json!(201))).await;
    let listed = json!({ "integration": null, "state": null, "before": null });
    for path in [told, answered] {
        let written = app.store.done().batches.count;
        for id in 1..20 {
            let answer = app.anonymous.post_json(&path, &json!({ "id": id })).await;
            if answer.status != 202 {
                assert_eq!((answer.status, answer.json()), (201, json!({ "id": id })));
                assert_eq!(answer.header("x-order"), id.to_string());
            }
            let newest = app.admin.must("runs", listed.clone()).await;
            let run = app.ended(&newest[0]["id"], SOON).await;
            assert_eq!(run["summary"]["state"], "succeeded", "{run}");
            assert_eq!(run["payload"]["body"], json!({ "id": id }));
            assert_eq!(run["records"].as_array().map(Vec::len), Some(1), "{run}");
        }
        // On a busy machine one or the other takes longer than a caller should wait for it.
        let journal = app.store.done().batches.count - written;
        assert!(journal < 19, "{journal} were written by the journal");
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_computes_for_long_or_fails_is_executed_like_any_other() {
    let app = TestApp::start().await;
    let items = json!({ "items": "{{ range(trigger.body.times) | list }}" });
    let divide = json!({ "values": { "n": "{{ 1 // trigger.body.by }}" } });
    let steps = [("loop", "Each", items), ("set", "Divide", divide)];
    let mut document = document("webhook", &steps);
    let inner = document.flow.pop().expect("there are two steps");
    let each = document.steps.get_mut(&document.flow[0]);
    each.expect("it is there").lanes[0].steps.push(inner);
    let (_, path) = app.publish(&wire(&document)).await;
    for _ in 0..3 {
        for (times, by, state) in [
            (2_000, 2, "succeeded"),
            (2, 0, "failed"),
            (2, 2, "succeeded"),
        ] {
            let body = json!({ "times": times, "by": by });
            let answer = app.anonymous.post_json(&path, &body).await;
            assert_eq!(answer.status, 202, "{}", answer.text);
            let run = app.ended(&answer.json()["run"], SOON).await;
            assert_eq!(run["summary"]["state"], state, "{run}");
        }
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_of_a_run_that_another_process_executes_comes_too() {
    let (app, sink) = (TestApp::with_role("web").await, Sink::start().await);
    app.allow_loopback().await;
    let ask = json!({ "method": "GET", "url": sink.url("/ask") });
    let answer = json!({ "body_type": "json", "json": "{\"id\": {{ trigger.body.id }}}" });
    // It is left to a worker, as it does not only compute.
    let steps = [("http.request", "Ask", ask), ("respond", "Answer", answer)];
    let (_, path) = app.publish(&webhook(&steps)).await;
    let worker = crate::process::Process::worker(&app.database.url).await;
    let answer = app
        .anonymous
        .post_json(&path, &json!({ "id": "far" }))
        .await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "id": "far" }))
    );
    assert_eq!(sink.calls("/ask"), 1);
    worker.end("TERM").await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_event_is_caught_and_starts_nothing() {
    let app = TestApp::start().await;
    let document = wire(&document("webhook", &[]));
    let draft = app
        .admin
        .must(
            "create_integration",
            json!({ "name": "Draft", "document": document }),
        )
        .await;
    let read = app.admin.must("read_draft", json!({ "id": draft })).await;
    let path = text(&read["catch_path"]);
    let request = app
        .anonymous
        .request("PUT", &path)
        .body(vec![0_u8, 159, 146]);
    assert_eq!(app.anonymous.send(request).await.status, 202);
    let caught = app
        .admin
        .must("caught_events", json!({ "id": draft }))
        .await;
    assert_eq!(caught[0]["payload"]["method"], "PUT");
    assert_eq!(caught[0]["payload"]["body"], json!({ "base64": "AJ+S" }));
    assert_eq!(
        app.admin.must("latest_test", json!({ "id": draft })).await,
        Value::Null
    );
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_texts_come_through_and_break_nothing() {
    let app = TestApp::start().await;
    let steps = [(
        "set",
        "Copy",
        json!({ "values": { "all": "{{ trigger.body }}" } }),
    )];
    let (_, path) = app.publish(&webhook(&steps)).await;
    let body = json!({
        "nul\0key": "nul\0text",
        "quotes": "'; drop table run; --\"\\",
        "markup": "{{ trigger.body }} {% raw %}",
        "far": "\u{10ffff}\u{202e}",
        "number": 1e300,
        "": null,
    });
    let answer = app
        .anonymous
        .post_json(&format!("{path}?%00=%ff&a"), &body)
        .await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let run = app.ended(&answer.json()["run"], SOON).await;
    assert_eq!(run["summary"]["state"], "succeeded", "{run}");
    assert_eq!(run["payload"]["body"], body);
    // What steps give is shown without the one character that texts in databases cannot hold.
    let kept = body.to_string().replace("\\u0000", "\u{fffd}");
    let kept: Value = serde_json::from_str(&kept).expect("it is JSON");
    assert_eq!(run["records"][0]["output"]["all"], kept);
    app.end().await;
}
