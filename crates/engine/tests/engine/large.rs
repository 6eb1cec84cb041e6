//! Steps of one run that give much at the same time: all of it is recorded, in writes that the
//! database takes.

use domain::limit;
use domain::run::{RunState, StepState};
use serde_json::{Value, json};

use crate::calling::{CALLED, stage, well};
use crate::server::{Server, json as answer, text};
use crate::stage::{End, MemoryJournal, Stage, step_id};

/// What the journal of `store` takes in one write.
const WRITE_BYTES: usize = 64 * 1024 * 1024;
const ROUNDS: usize = 16;

/// A loop whose rounds, all at once, do this; no step uses what they give.
fn at_once(step: Value) -> Value {
    json!([{"slug": "each", "kind": "loop", "items": format!("{{{{ range({ROUNDS}) }}}}"),
        "at_once": ROUNDS, "do": [step]}])
}

fn slow() -> MemoryJournal {
    MemoryJournal {
        is_slow: true,
        ..MemoryJournal::default()
    }
}

fn get(server: &Server) -> Value {
    at_once(json!({"slug": "get", "kind": "http.request", "method": "GET", "url": server.url("/")}))
}

/// Asserts that each round is recorded with what it gave, and that no write was too large.
fn assert_all(end: &End, slug: &str, state: StepState, is_whole: impl Fn(&Value) -> bool) {
    let of_step = end
        .records
        .iter()
        .filter(|record| record.path.step == step_id(slug));
    let whole = of_step.filter(|record| record.state == state && is_whole(&record.output));
    assert_eq!(whole.count(), ROUNDS);
    assert!(
        end.largest < WRITE_BYTES,
        "a write has {} bytes",
        end.largest
    );
}

#[tokio::test]
async fn results_of_called_runs_that_are_all_over_are_recorded_whole() {
    let large = "x".repeat(5 * 1024 * 1024);
    let call = json!({"slug": "call", "kind": "integration.call",
        "integration": CALLED.to_string(), "input": {}});
    let gives = (0..ROUNDS).map(|_| well(json!(large))).collect();
    let end = stage(at_once(call), gives)
        .run_with(slow())
        .await
        .succeeded();
    let is_whole = |output: &Value| output["result"] == json!(large);
    assert_all(&end, "call", StepState::Succeeded, is_whole);
}

#[tokio::test]
async fn texts_that_are_much_longer_as_json_are_recorded_whole() {
    let large = "\u{1}".repeat(limit::RESPONSE_BYTES - 1_000);
    let served = large.clone();
    let server = Server::start(move |_, _| text(200, &served)).await;
    let stage = Stage::new(get(&server));
    let end = stage.run_with(slow()).await.succeeded();
    let is_whole = |output: &Value| output["body"] == json!(large);
    assert_all(&end, "get", StepState::Succeeded, is_whole);
}

#[tokio::test]
async fn numbers_that_are_much_longer_as_json_are_recorded_whole() {
    let count = 200_000;
    let list: Value = (0..count)
        .map(|_| json!(-1.234_567_890_123_456_7e-100))
        .collect();
    let served = list.clone();
    let server = Server::start(move |_, _| answer(&served)).await;
    let end = Stage::new(get(&server)).run_with(slow()).await.succeeded();
    let is_whole = |output: &Value| output["body"] == list;
    assert_all(&end, "get", StepState::Succeeded, is_whole);
}

#[tokio::test]
async fn answers_of_requests_that_all_fail_are_recorded_whole() {
    let large = "x".repeat(limit::RESPONSE_BYTES - 1_000);
    let served = large.clone();
    let server = Server::start(move |_, _| text(400, &served)).await;
    let end = Stage::new(get(&server)).run_with(slow()).await;
    assert_eq!(end.state, RunState::Failed);
    let is_whole = |output: &Value| output["body"] == json!(large);
    assert_all(&end, "get", StepState::Failed, is_whole);
}
