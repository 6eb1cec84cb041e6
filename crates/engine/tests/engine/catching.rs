//! Try steps: what is caught and what is not, and what the lanes see.

use domain::run::{RunState, StepState};
use serde_json::{Value, json};

use crate::server::{Server, json as answer, text};
use crate::stage::{Stage, step_id};

fn stop(slug: &str, message: &str) -> Value {
    json!({"slug": slug, "kind": "stop", "message": message})
}

fn set(slug: &str, value: &str) -> Value {
    json!({"slug": slug, "kind": "set", "values": {"is": value}})
}

fn attempt(tried: Value, rescue: Value) -> Value {
    json!({"slug": "attempt", "kind": "try", "try": tried, "catch": rescue})
}

#[tokio::test]
async fn what_succeeds_needs_no_rescue_and_gives_its_last_output() {
    let end = Stage::new(json!([
        attempt(json!([set("a", "1"), set("b", "2")]), json!([set("c", "3")])),
        set("after", "{{ steps.attempt.failed }} {{ steps.attempt.result.is }} {{ steps.attempt.error is none }}"),
    ]))
    .run()
    .await
    .succeeded();
    assert_eq!(
        end.output("attempt"),
        &json!({"failed": false, "error": null, "result": {"is": "2"}})
    );
    assert_eq!(end.output("after")["is"], "false 2 true");
    assert_eq!(end.records.len(), 4, "{end:#?}");
}

#[tokio::test]
async fn the_failing_lane_sees_the_error_and_the_run_goes_on() {
    let server = Server::start(|_, _| text(404, "no such customer")).await;
    let end = Stage::new(json!([
        set("before", "here"),
        attempt(
            json!([
                {"slug": "lookup", "kind": "http.request", "method": "GET", "url": server.url("/7")},
                set("never", "x"),
            ]),
            json!([
                {"slug": "seen", "kind": "set", "values": {"error": "{{ steps.attempt.error }}", "failed": "{{ steps.attempt.failed }}", "before": "{{ steps.before.is }}"}},
            ]),
        ),
        set("after", "{{ steps.attempt.error.code }} {{ steps.attempt.result.before }}"),
    ]))
    .run()
    .await
    .succeeded();
    let seen = end.output("seen");
    let error = &seen["error"];
    assert_eq!(
        (&error["step"], &error["name"], &error["code"]),
        (&json!("lookup"), &json!("The lookup"), &json!("http_404"))
    );
    let message = error["message"].as_str().expect("a text");
    assert_eq!(Some(message), end.of("lookup").error.as_deref());
    assert_eq!(
        (&seen["failed"], &seen["before"]),
        (&json!(true), &json!("here"))
    );
    assert_eq!(end.output("after")["is"], "http_404 here");
    assert_eq!(end.of("lookup").state, StepState::Failed);
    assert!(end.records.iter().all(|r| r.path.step != step_id("never")));
}

#[tokio::test]
async fn a_stop_in_the_failing_lane_throws_on() {
    let inner = attempt(
        json!([stop("first", "It broke")]),
        json!([stop("again", "Still: {{ steps.attempt.error.message }}")]),
    );
    let end = Stage::new(json!([inner.clone()])).run().await;
    assert_eq!(end.failure("again"), "Still: It broke");
    assert_eq!(end.error.as_deref(), Some("Still: It broke"));

    let outer = json!({"slug": "outer", "kind": "try", "try": [inner], "catch": [
        set("heard", "{{ steps.outer.error.step }}: {{ steps.outer.error.message }} ({{ steps.outer.error.code }})"),
    ]});
    let end = Stage::new(json!([outer])).run().await.succeeded();
    assert_eq!(
        end.output("heard")["is"],
        "again: Still: It broke (stopped)"
    );
    assert_eq!(end.of("attempt").state, StepState::Failed);
    assert_eq!(end.of("outer").state, StepState::Succeeded);
}

#[tokio::test]
async fn a_failure_leaves_the_loops_and_branches_that_it_is_in() {
    let end = Stage::new(json!([
        {"slug": "outside", "kind": "loop", "items": "{{ [1, 2] }}", "do": [
            attempt(
                json!([{"slug": "each", "kind": "loop", "items": "{{ [5, 6, 7] }}", "do": [
                    {"slug": "pick", "kind": "branch", "lanes": [["Six", "item == 6", [stop("six", "{{ item }}")]]]},
                ]}]),
                json!([set("told", "{{ item }} {{ steps.attempt.error.message }}")]),
            ),
        ]},
        set("after", "{{ steps.outside.results | map(attribute='result') | map(attribute='is') | join(', ') }}"),
    ]))
    .run()
    .await
    .succeeded();
    assert_eq!(end.output("after")["is"], "1 6, 2 6");
    let loops = end
        .records
        .iter()
        .filter(|r| r.path.step == step_id("each"));
    let loops: Vec<_> = loops.map(|r| (r.state, r.path.rounds.clone())).collect();
    assert_eq!(
        loops,
        [(StepState::Failed, vec![0]), (StepState::Failed, vec![1])]
    );
}

#[tokio::test]
async fn a_filter_ends_the_run_and_is_no_failure() {
    let end = Stage::new(json!([
        attempt(
            json!([{"slug": "pass", "kind": "filter", "condition": "false"}]),
            json!([set("rescue", "x")]),
        ),
        set("after", "x"),
    ]))
    .run()
    .await
    .succeeded();
    assert_eq!(end.output("attempt")["failed"], false);
    assert_eq!(end.records.len(), 2, "{end:#?}");
}

#[tokio::test]
async fn a_request_in_doubt_is_not_caught() {
    let server = Server::start(|_, _| crate::server::Reply::Close).await;
    let end = Stage::new(json!([attempt(
        json!([{"slug": "create", "kind": "http.request", "method": "POST", "url": server.url("/")}]),
        json!([set("rescue", "x")]),
    )]))
    .run()
    .await;
    assert_eq!(end.state, RunState::InDoubt, "{end:#?}");
    assert!(end.records.iter().all(|r| r.path.step != step_id("rescue")));
}

#[tokio::test]
async fn the_end_of_the_time_limit_is_not_caught() {
    let server = Server::start(|_, _| answer(&json!({}))).await;
    let mut document = crate::stage::document(json!([attempt(
        json!([{"slug": "each", "kind": "loop", "items": "{{ range(100000) }}", "do": [
            set("a", "{{ item }}"), set("b", "{{ item }}"), set("c", "{{ item }}"), set("d", "{{ item }}"),
            {"slug": "ask", "kind": "http.request", "method": "GET", "url": server.url("/")},
        ]}]),
        json!([set("rescue", "x")]),
    )]));
    document.settings.time_limit_seconds = 1;
    let end = Stage::of(&document).run().await;
    assert_eq!(end.state, RunState::Failed, "{:?}", end.error);
    assert!(end.records.iter().all(|r| r.path.step != step_id("rescue")));
}
