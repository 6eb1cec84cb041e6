//! Steps that call another integration, and runs that are called.

use std::sync::Arc;

use domain::document::Document;
use domain::run::{RunState, StepState};
use domain::{DocumentHash, IntegrationId, RunId};
use engine::port::{Callee, Directory, Finding, Reading, Uncallable, Unread};
use engine::{Engine, Outcome};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::stage::{Crash, MemoryJournal, Stage, document};

/// The integration that can be called.
pub(crate) const CALLED: IntegrationId = IntegrationId(Uuid::from_u128(0xca11));

/// A directory of one integration.
#[derive(Debug)]
pub(crate) struct One;

impl Directory for One {
    fn callee(&self, _: RunId, called: IntegrationId, _: bool) -> Finding<'_> {
        Box::pin(async move {
            if called != CALLED {
                return Err(Uncallable::Refused("It is not published.".to_owned()));
            }
            Ok(Callee {
                integration: called,
                name: "Invoices".to_owned(),
                version: 3,
                hash: DocumentHash(String::new()),
                callers: vec![IntegrationId(Uuid::nil())],
                caller: "Orders".to_owned(),
            })
        })
    }

    fn result(&self, _: RunId, _: RunId) -> Reading<'_> {
        Box::pin(async { Err(Unread) })
    }
}

pub(crate) fn stage(steps: Value, gives: Vec<(RunState, Option<&'static str>, Value)>) -> Stage {
    let mut stage = Stage::new(steps).payload(json!({"body": {"n": 7}}));
    stage.engine = Engine::new(stage.clock.clone()).with_directory(Arc::new(One));
    stage.calls.get_mut().expect("nobody has it").gives = gives;
    stage
}

/// A call of the integration, and a step that uses its result.
fn steps(more: Value) -> Value {
    let mut call = json!({
        "slug": "call", "kind": "integration.call", "integration": CALLED.to_string(),
        "input": {"n": "{{ trigger.body.n }}"},
    });
    for (name, value) in more.as_object().expect("fields") {
        call[name] = value.clone();
    }
    json!([
        call,
        {"slug": "after", "kind": "set", "values": {"got": "{{ steps.call.result }}"}},
    ])
}

pub(crate) fn well(result: Value) -> (RunState, Option<&'static str>, Value) {
    (RunState::Succeeded, None, json!({"result": result}))
}

#[tokio::test]
async fn the_run_waits_for_the_called_one_and_goes_on_with_its_result() {
    let stage = stage(steps(json!({})), vec![well(json!({"total": 12}))]);
    let end = stage.run().await.succeeded();
    assert_eq!(end.output("after"), &json!({"got": {"total": 12}}));
    let run = RunId::new(Uuid::from_u128(100));
    let output = json!({"run": run, "result": {"total": 12}});
    assert_eq!(end.output("call"), &output);
    assert_eq!(end.of("call").input["integration"], "Invoices");
    let calls = stage.calls.lock().expect("nobody has it");
    let [started] = calls.started.as_slice() else {
        panic!("it is called once: {calls:?}")
    };
    let caller = json!({"integration": "Orders", "run": stage.run});
    let payload = json!({"body": {"n": 7}, "caller": caller});
    assert_eq!((&started.payload, started.waits), (&payload, true));
}

#[tokio::test]
async fn a_call_that_does_not_wait_goes_on_with_the_run_that_it_started() {
    let gives = vec![(RunState::Queued, None, Value::Null)];
    let mut steps = steps(json!({"wait": "start"}));
    steps[1]["values"]["got"] = "{{ steps.call.run }}".into();
    let stage = stage(steps, gives);
    let end = stage.run().await.succeeded();
    let run = RunId::new(Uuid::from_u128(100));
    assert_eq!(end.output("after"), &json!({"got": run}));
}

#[tokio::test]
async fn a_crash_at_any_write_neither_repeats_a_call_nor_loses_its_result() {
    for at_write in 0..4 {
        for is_durable in [false, true] {
            let stage = stage(steps(json!({})), vec![well(json!(1)), well(json!(2))]);
            let journal = MemoryJournal {
                crash: Some(Crash {
                    at_write,
                    is_durable,
                }),
                ..MemoryJournal::default()
            };
            let end = stage.run_with(journal).await.succeeded();
            assert_eq!(end.output("after"), &json!({"got": 1}));
            let started = stage.calls.lock().expect("nobody has it").started.len();
            assert_eq!(started, 1, "crash at write {at_write}");
        }
    }
}

#[tokio::test]
async fn how_the_called_run_ended_decides_how_the_step_ends() {
    let reason = Some("Step `Pay` failed: no.");
    let table = [
        (
            RunState::Failed,
            StepState::Failed,
            RunState::Failed,
            "The run of “Invoices” that was called failed: Step `Pay` failed: no.",
        ),
        (
            RunState::Canceled,
            StepState::Failed,
            RunState::Failed,
            "The run of “Invoices” that was called was canceled.",
        ),
        (
            RunState::Quarantined,
            StepState::Failed,
            RunState::Failed,
            "The run of “Invoices” that was called was set aside: Step `Pay` failed: no.",
        ),
        (
            RunState::InDoubt,
            StepState::InDoubt,
            RunState::InDoubt,
            "The run of “Invoices” that was called is in doubt: Step `Pay` failed: no. Look into that run and resume it, then resume this one.",
        ),
    ];
    for (called, step, run, error) in table {
        let stage = stage(steps(json!({})), vec![(called, reason, Value::Null)]);
        let end = stage.run().await;
        assert_eq!((end.state, end.of("call").state), (run, step), "{called:?}");
        assert_eq!(end.of("call").error.as_deref(), Some(error));
        assert!(end.error.is_some_and(|told| told.contains(error)));
    }
}

#[tokio::test]
async fn a_retry_calls_again_only_after_a_failure_and_a_try_catches_what_is_left() {
    let failed = (RunState::Failed, Some("No."), Value::Null);
    let retries = json!({"on_error": {"retries": 2, "then": "stop"}});
    let table = [
        (
            vec![failed.clone(), well(json!(5))],
            2,
            Some(json!({"got": 5})),
        ),
        (
            vec![failed.clone(), failed.clone(), failed.clone()],
            3,
            None,
        ),
        (vec![(RunState::Canceled, None, Value::Null)], 1, None),
    ];
    for (gives, calls, expected) in table {
        let tried = json!([{
            "slug": "try", "kind": "try", "try": steps(retries.clone()),
            "catch": [{"slug": "rescue", "kind": "log", "message": "{{ steps.try.error.message }}"}],
        }]);
        let stage = stage(tried, gives);
        let end = stage.run().await.succeeded();
        let started = stage.calls.lock().expect("nobody has it").started.len();
        assert_eq!(started, calls);
        assert_eq!(stage.waited.lock().expect("nobody has it").len(), calls - 1);
        match expected {
            Some(expected) => assert_eq!(end.output("after"), &expected),
            None => assert_eq!(end.output("try")["failed"], true),
        }
    }
}

#[tokio::test]
async fn what_cannot_be_called_or_handed_over_fails_the_step_with_the_reason() {
    let large = "x".repeat(domain::limit::PAYLOAD_BYTES);
    let table = [
        (
            json!({"integration": Uuid::nil().to_string()}),
            "It is not published.",
        ),
        (
            json!({"input": {"large": large}}),
            "At most 2 MiB can be handed over.",
        ),
    ];
    for (fields, error) in table {
        let stage = stage(steps(fields), Vec::new());
        let end = stage.run().await;
        let told = end.failure("call");
        assert!(told.contains(error), "{told}");
    }
}

/// Executes a document that calls start; returns what it gives.
async fn given(steps: Value) -> Value {
    let document = Document {
        trigger: Document::new("call").trigger,
        ..document(steps)
    };
    let mut stage = Stage::of(&document).payload(json!({"body": {"n": 7}}));
    stage.engine = Engine::new(stage.clock.clone()).with_directory(Arc::new(One));
    let end = stage.run().await.succeeded();
    end.result.expect("what is called gives a result")
}

#[tokio::test]
async fn a_called_run_gives_what_respond_answers_else_its_last_output() {
    let set =
        |slug: &str, value: Value| json!({"slug": slug, "kind": "set", "values": {"v": value}});
    let respond = |fields: Value| {
        let mut step = json!({"slug": "respond", "kind": "respond"});
        for (name, value) in fields.as_object().expect("fields") {
            step[name] = value.clone();
        }
        step
    };
    let items: Vec<String> = (0..2_000)
        .map(|n| "x".repeat(60) + &n.to_string())
        .collect();
    let looped = json!([{
        "slug": "loop", "kind": "loop", "items": items,
        "do": [{"slug": "each", "kind": "set", "values": {"v": "{{ item }}"}}],
    }]);
    let never = json!({"slug": "no", "kind": "filter", "condition": "false"});
    let table = [
        (
            json!([set("a", json!(1)), set("b", json!("{{ trigger.body.n }}"))]),
            json!({"result": {"v": 7}}),
        ),
        (
            json!([{"slug": "branch", "kind": "branch", "lanes": [
                ["Odd", "trigger.body.n is odd", [set("odd", json!(3))]],
                ["Else", null, [set("else", json!(4))]],
            ]}]),
            json!({"result": {"v": 3}}),
        ),
        (
            json!([
                respond(
                    json!({"status": 201, "body_type": "json", "json": {"id": "{{ trigger.body.n }}"}})
                ),
                set("b", json!(2))
            ]),
            json!({"status": 201, "result": {"id": 7}}),
        ),
        (
            json!([respond(
                json!({"status": 404, "body_type": "text", "text": "none"})
            )]),
            json!({"status": 404, "result": "none"}),
        ),
        (json!([never, set("b", json!(2))]), json!({"result": null})),
    ];
    for (steps, expected) in table {
        assert_eq!(given(steps).await, expected);
    }
    let results = given(looped).await;
    let results = results["result"]["results"].as_array().map(Vec::len);
    assert_eq!(results, Some(2_000), "nothing is left out of a large one");
}

#[tokio::test]
async fn a_test_says_that_it_starts_a_real_run() {
    let mut stage = stage(steps(json!({})), vec![well(json!(1))]);
    stage.is_test = true;
    let end = stage.run().await.succeeded();
    let note = end.of("call").input["note"].as_str().expect("there is one");
    assert!(note.contains("real run"), "{note}");
}

#[tokio::test]
async fn nobody_knows_an_integration_without_a_directory() {
    let stage = Stage::new(steps(json!({})));
    let (outcome, _) = stage.execute(&MemoryJournal::default()).await;
    assert!(
        matches!(
            outcome,
            Outcome::Finished {
                state: RunState::Failed,
                ..
            }
        ),
        "{outcome:?}"
    );
}
