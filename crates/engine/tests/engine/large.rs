//! Steps of one run that give much at the same time: all of it is recorded, in writes that the
//! database takes.

use std::sync::Arc;

use domain::run::{RunState, StepState};
use domain::{IntegrationId, RunId, Timestamp, limit};
use engine::port::{Directory, Finding, Reading, Unread};
use engine::{Engine, Outcome};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::calling::{CALLED, One, stage, well};
use crate::server::{Server, json as answer, text};
use crate::stage::{End, MemoryJournal, START, Stage, latest, step_id};

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
    let gives = (0..ROUNDS).map(|_| well(json!(large))).collect();
    let end = stage(at_once(call("call")), gives)
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

/// A directory of runs that gave much.
#[derive(Debug)]
struct Reads {
    is_away: bool,
}

impl Directory for Reads {
    fn callee(&self, run: RunId, called: IntegrationId, waits: bool) -> Finding<'_> {
        One.callee(run, called, waits)
    }

    fn result(&self, _: RunId, called: RunId) -> Reading<'_> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            if self.is_away {
                return Err(Unread);
            }
            Ok(Some(json!({"result": gave(called)})))
        })
    }
}

fn gave(run: RunId) -> Value {
    format!("{run}{}", "x".repeat(5 * 1024 * 1024)).into()
}

/// A stage whose called runs are over, and give what the directory has, as often as it is there.
fn reads(steps: Value, gives: Vec<Value>, is_away: bool) -> Stage {
    let over = |result| (RunState::Succeeded, None, result);
    let mut stage = stage(steps, gives.into_iter().map(over).collect());
    let engine = Engine::new(stage.clock.clone());
    stage.engine = engine.with_directory(Arc::new(Reads { is_away }));
    stage
}

fn call(slug: &str) -> Value {
    json!({"slug": slug, "kind": "integration.call", "integration": CALLED.to_string(),
        "input": {}})
}

#[tokio::test]
async fn large_results_are_read_one_after_the_other_when_those_before_are_recorded() {
    let stage = reads(at_once(call("call")), vec![Value::Null; ROUNDS], false);
    let end = stage.run_with(slow()).await.succeeded();
    let is_whole = |output: &Value| {
        let run = output["run"].as_str().and_then(|run| run.parse().ok());
        output["result"] == gave(run.expect("it says which run gave it"))
    };
    assert_all(&end, "call", StepState::Succeeded, is_whole);
    assert!(end.largest < 8 * 1024 * 1024, "{}", end.largest);
}

#[tokio::test]
async fn a_result_that_cannot_be_read_is_read_later_and_what_is_beside_it_is_not_forgotten() {
    let lanes = json!([{"slug": "all", "kind": "parallel", "lanes": [
        ["One", null, [call("one")]],
        ["Two", null, [call("two")]],
    ]}]);
    let mut stage = reads(lanes, vec![json!({"result": 1}), Value::Null], true);
    let journal = MemoryJournal::default();
    let Outcome::Calling {
        starts, records, ..
    } = stage.execute(&journal).await.0
    else {
        panic!("it calls")
    };
    journal.write(records).expect("nothing is lost");
    let calls = stage.calls.get_mut().expect("nobody has it");
    starts.into_iter().for_each(|calling| calls.start(calling));
    let outcome = stage.execute(&journal).await.0;
    let Outcome::Waiting { until, records } = outcome else {
        panic!("it waits: {outcome:?}")
    };
    assert_eq!(until, Timestamp(START.0 + 2_000));
    journal.write(records).expect("nothing is lost");
    let recorded = latest(journal.records.lock().expect("nobody has it").clone());
    let states: Vec<_> = recorded.iter().map(|record| record.state).collect();
    let expected = [StepState::Started, StepState::Succeeded, StepState::Waiting];
    assert_eq!(states, expected);
    let engine = Engine::new(stage.clock.clone());
    stage.engine = engine.with_directory(Arc::new(Reads { is_away: false }));
    let end = stage.run_with(journal).await.succeeded();
    assert_eq!(end.output("one")["result"], 1);
    let run = RunId::new(Uuid::from_u128(101));
    assert_eq!(end.output("two")["result"], gave(run));
}
