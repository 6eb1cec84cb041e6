//! A crash at every write: the replay gives the same end, and no write happens twice.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use domain::run::{RunState, StepPath, StepRecord, StepState};
use serde_json::{Value, json};

use crate::server::{Reply, Server, json as answer, text};
use crate::stage::{Crash, End, MemoryJournal, Stage, declared, step_id};

/// Every kind of step; `write` is the method of the requests that write, and `at_once` says how many
/// rounds run beside each other.
fn every_kind(server: &Server, write: &str, at_once: usize) -> Value {
    json!([
        {"slug": "values", "kind": "set", "values": {"lines": "{{ trigger.body.lines }}"}},
        {"slug": "read", "kind": "http.request", "method": "GET", "url": server.url("/read")},
        {"slug": "create", "kind": "http.request", "method": write, "url": server.url("/create"), "body_type": "json", "json": {"n": "{{ steps.read.body.n }}"}},
        {"slug": "answer", "kind": "respond", "status": 201, "body_type": "json", "json": {"id": "{{ steps.create.body.id }}"}},
        {"slug": "each", "kind": "loop", "items": "{{ steps.values.lines }}", "at_once": at_once, "do": [
            {"slug": "odd", "kind": "filter", "condition": "item != 2"},
            {"slug": "pick", "kind": "branch", "lanes": [
                ["First", "index == 0", [{"slug": "first", "kind": "http.request", "method": write, "url": server.url("/line/{{ item }}"), "body_type": "form", "form": {"item": "{{ item }}"}}]],
                ["Else", null, [
                    {"slug": "pause", "kind": "delay", "amount": 3, "unit": "minutes"},
                    {"slug": "again", "kind": "http.request", "method": "GET", "url": server.url("/line/{{ item }}")},
                ]],
            ]},
            {"slug": "fails", "kind": "http.request", "method": write, "url": server.url("/fails"), "on_error": {"then": "continue"}},
            {"slug": "attempt", "kind": "try",
                "try": [
                    {"slug": "tried", "kind": "http.request", "method": write, "url": server.url("/create")},
                    {"slug": "refused", "kind": "http.request", "method": write, "url": server.url("/fails")},
                    {"slug": "never", "kind": "http.request", "method": write, "url": server.url("/never")},
                ],
                "catch": [
                    {"slug": "told", "kind": "http.request", "method": write, "url": server.url("/told/{{ steps.attempt.error.code }}")},
                ]},
            {"slug": "declared", "kind": "connector", "action": declared(write, &server.url(""), "/declared/{item}"), "item": "{{ item }}"},
            {"slug": "short", "kind": "delay", "amount": 1, "unit": "seconds"},
            {"slug": "result", "kind": "set", "values": {"error": "{{ steps.fails.error.message }}", "told": "{{ steps.attempt.result.body.of }}", "item": "{{ item }}"}},
        ]},
        {"slug": "note", "kind": "log", "message": "{{ steps.each.results | length }} of {{ steps.each.count }}: {{ steps.each.results }}"},
        {"slug": "halt", "kind": "stop", "message": "The end of {{ steps.create.body.id }}"},
    ])
}

async fn new_server() -> Server {
    Server::start(|request, _| match request.target.as_str() {
        "/fails" => text(404, "no"),
        _ => answer(&json!({"id": "id-1", "n": 3, "of": request.target})),
    })
    .await
}

/// What must be equal, whatever happened on the way: all but times.
fn essence(end: &End) -> BTreeMap<StepPath, StepRecord> {
    let zero = domain::Timestamp(0);
    let records = end.records.iter().cloned();
    records
        .map(|record| {
            let is_wait = record.state == StepState::Waiting;
            let output = if is_wait { Value::Null } else { record.output };
            let finished_at = record.finished_at.map(|_| zero);
            (
                record.path.clone(),
                StepRecord {
                    started_at: zero,
                    finished_at,
                    output,
                    ..record
                },
            )
        })
        .collect()
}

fn stage(server: &Server, write: &str, at_once: usize) -> Stage {
    Stage::new(every_kind(server, write, at_once)).payload(json!({"body": {"lines": [1, 2, 3, 4]}}))
}

#[tokio::test]
async fn a_crash_at_any_write_changes_nothing_when_writes_may_be_repeated() {
    for at_once in [1, 3] {
        let server = new_server().await;
        let expected = stage(&server, "PUT", at_once).run().await;
        assert_eq!(expected.error.as_deref(), Some("The end of id-1"));
        assert_eq!(
            expected.records.len(),
            4 + 1 + 4 + 3 + 1 + 2 * 2 + 3 * 3 + 3 * 5 + 2,
            "{expected:#?}"
        );
        assert!(expected.writes > 5);
        for at_write in 0..expected.writes {
            for is_durable in [false, true] {
                let crash = Some(Crash {
                    at_write,
                    is_durable,
                });
                let end = stage(&server, "PUT", at_once)
                    .run_with(MemoryJournal {
                        crash,
                        ..MemoryJournal::default()
                    })
                    .await;
                assert_eq!(end.state, RunState::Failed);
                assert_eq!(end.error, expected.error, "{crash:?}");
                assert_eq!(essence(&end), essence(&expected), "{crash:?}");
            }
        }
    }
}

#[tokio::test]
async fn no_crash_repeats_a_write_that_may_not_be_repeated() {
    let expected = stage(&new_server().await, "POST", 1).run().await;
    assert_eq!(expected.error.as_deref(), Some("The end of id-1"));
    let (mut same, mut in_doubt) = (0, 0);
    for at_write in 0..expected.writes {
        for is_durable in [false, true] {
            let server = new_server().await;
            let crash = Some(Crash {
                at_write,
                is_durable,
            });
            let end = stage(&server, "POST", 1)
                .run_with(MemoryJournal {
                    crash,
                    ..MemoryJournal::default()
                })
                .await;
            let mut keys: HashMap<String, usize> = HashMap::new();
            for request in server
                .requests()
                .iter()
                .filter(|request| request.method == "POST")
            {
                *keys
                    .entry(request.headers["idempotency-key"].clone())
                    .or_default() += 1;
            }
            assert!(
                keys.values().all(|times| *times == 1),
                "{crash:?}: {keys:?}"
            );
            let in_doubt_step = end
                .records
                .iter()
                .find(|record| record.state == StepState::InDoubt);
            let Some(record) = in_doubt_step else {
                assert_eq!(end.error, expected.error, "{crash:?}");
                // What is sent once a round, and that of the first one.
                assert_eq!(keys.len(), 1 + 1 + 3 + 3 * 4);
                // Another server has another port, which is in the recorded URLs.
                assert_eq!(essence(&end).len(), essence(&expected).len(), "{crash:?}");
                same += 1;
                continue;
            };
            let error = record.error.as_deref().unwrap_or_default();
            assert!(
                error.contains("was sent, but whether it arrived is not known"),
                "{crash:?}: {error}"
            );
            // The step `fails` lets its run go on.
            let goes_on = record.path.step == step_id("fails");
            let state = if goes_on {
                RunState::Failed
            } else {
                RunState::InDoubt
            };
            assert_eq!(end.state, state, "{crash:?}");
            in_doubt += 1;
        }
    }
    assert!(
        same > 0 && in_doubt > 0,
        "{same} the same, {in_doubt} in doubt"
    );
}

#[tokio::test]
async fn an_execution_that_is_dropped_in_the_middle_of_a_request_is_resumed() {
    for (method, error) in [
        ("GET", None),
        ("PUT", None),
        ("POST", Some("whether it arrived")),
    ] {
        let server = Server::start(|_, before| {
            if before == 0 {
                Reply::Silent
            } else {
                text(200, "ok")
            }
        })
        .await;
        let stage = Arc::new(Stage::new(json!([
            {"slug": "call", "kind": "http.request", "method": method, "url": server.url("/")},
        ])));
        let journal = Arc::new(MemoryJournal::default());
        let (worker, of_worker) = (Arc::clone(&stage), Arc::clone(&journal));
        let execution = tokio::spawn(async move { worker.execute(&of_worker).await });
        server.until(1).await;
        execution.abort();
        assert!(execution.await.is_err_and(|error| error.is_cancelled()));
        let journal = Arc::into_inner(journal).expect("the execution is gone");
        let end = stage.run_with(journal).await;
        match error {
            None => assert_eq!(
                (end.state, server.requests().len()),
                (RunState::Succeeded, 2)
            ),
            Some(part) => {
                assert!(end.error.is_some_and(|error| error.contains(part)));
                assert_eq!(server.requests().len(), 1);
            }
        }
    }
}

#[tokio::test]
async fn a_recorded_result_is_used_even_when_the_service_is_gone() {
    let server = new_server().await;
    let steps = json!([
        {"slug": "create", "kind": "http.request", "method": "POST", "url": server.url("/create")},
        {"slug": "wait", "kind": "delay", "amount": 1, "unit": "days"},
        {"slug": "note", "kind": "log", "message": "{{ steps.create.body.id }}"},
    ]);
    let end = Stage::new(steps).run().await.succeeded();
    assert_eq!(end.output("note")["message"], "id-1");
    assert_eq!(server.requests().len(), 1);
    assert_eq!(end.of("create").state, StepState::Succeeded);
    // The intent, the wait, the end; on a busy machine the result does not wait for the wait.
    assert!((3..=4).contains(&end.writes), "{}", end.writes);
}
