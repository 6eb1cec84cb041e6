//! Each kind of step, and what expressions see.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::run::{RunState, StepState, TestScope};
use engine::port::{Answer, Clock};
use engine::{Outcome, Program};
use serde_json::{Value, json};

use crate::stage::{MemoryJournal, START, Stage, document, step_id};

#[tokio::test]
async fn set_log_and_what_expressions_see() {
    let end = Stage::new(json!([
        {"slug": "values", "kind": "set", "values": {"total": "{{ trigger.body.total }}", "text": "n={{ trigger.body.total }}", "run": "{{ run.id }}", "at": "{{ run.started_at }}", "test": "{{ run.test }}"}},
        {"slug": "note", "kind": "log", "level": "warning", "message": "It was {{ steps.values.total + 1 }}"},
    ]))
    .payload(json!({"body": {"total": 41}}))
    .run()
    .await
    .succeeded();
    let values = json!({"total": 41, "text": "n=41", "run": "00000000-0000-0000-0000-000000000007", "at": "2026-05-28T20:26:40Z", "test": false});
    assert_eq!(end.output("values"), &values);
    assert_eq!(end.of("values").input, Value::Null);
    assert_eq!(
        end.output("note"),
        &json!({"level": "warning", "message": "It was 42"})
    );
    assert_eq!(end.writes, 1, "a pure run needs no write but its end");
}

#[tokio::test]
async fn a_branch_runs_the_first_lane_that_holds() {
    let stage = Stage::new(json!([
        {"slug": "size", "kind": "branch", "lanes": [
            ["Large", "trigger.body > 10", [{"slug": "large", "kind": "set", "values": {"is": "large"}}]],
            ["Middle", "{{ trigger.body > 5 }}", [{"slug": "middle", "kind": "set", "values": {"is": "middle"}}]],
            ["Else", null, [{"slug": "small", "kind": "set", "values": {"is": "small"}}]],
        ]},
        {"slug": "after", "kind": "log", "message": "{{ steps.size.lane }}"},
    ]));
    for (body, lane, slug) in [
        (11, "Large", "large"),
        (6, "Middle", "middle"),
        (1, "Else", "small"),
    ] {
        let stage = Stage {
            payload: json!({"body": body}),
            program: stage.program.clone(),
            ..Stage::new(json!([]))
        };
        let end = stage.run().await.succeeded();
        assert_eq!(end.output("size"), &json!({"lane": lane}));
        assert_eq!(end.output("after")["message"], lane);
        let ran: Vec<_> = end.records.iter().map(|record| record.path.step).collect();
        assert_eq!(ran, [step_id("size"), step_id(slug), step_id("after")]);
    }
    let bad = Stage {
        payload: json!({}),
        program: stage.program.clone(),
        ..Stage::new(json!([]))
    };
    assert!(
        bad.run()
            .await
            .failure("size")
            .contains("Condition of lane `Large`")
    );
}

#[tokio::test]
async fn a_branch_without_a_fitting_lane_goes_on() {
    let end = Stage::new(json!([
        {"slug": "size", "kind": "branch", "lanes": [["Never", "false", []]]},
        {"slug": "after", "kind": "log", "message": "on"},
    ]))
    .run()
    .await
    .succeeded();
    assert_eq!(end.output("size"), &json!({"lane": null}));
    assert_eq!(end.output("after")["message"], "on");
}

#[tokio::test]
async fn a_loop_keeps_the_last_output_of_each_round() {
    let end = Stage::new(json!([
        {"slug": "each", "kind": "loop", "items": "{{ trigger.body }}", "do": [
            {"slug": "double", "kind": "set", "values": {"n": "{{ item * 2 }}", "i": "{{ index }}", "same": "{{ steps.each.item }}"}},
            {"slug": "odd", "kind": "filter", "condition": "item % 2 == 1"},
            {"slug": "which", "kind": "branch", "lanes": [
                ["Big", "steps.double.n > 4", [{"slug": "big", "kind": "set", "values": {"big": "{{ item }}"}}]],
            ]},
        ]},
        {"slug": "sum", "kind": "set", "values": {"count": "{{ steps.each.count }}", "results": "{{ steps.each.results }}"}},
    ]))
    .payload(json!({"body": [1, 2, 3]}))
    .run()
    .await
    .succeeded();
    let results = json!([{"lane": null}, null, {"big": 3}]);
    assert_eq!(end.output("each"), &json!({"count": 3, "results": results}));
    assert_eq!(end.output("sum"), &json!({"count": 3, "results": results}));
    assert_eq!(end.of("each").input, json!({"items": [1, 2, 3]}));
    let rounds: Vec<_> = end
        .records
        .iter()
        .filter(|record| record.path.step == step_id("double"))
        .collect();
    assert_eq!(
        rounds
            .iter()
            .map(|record| record.path.rounds[0])
            .collect::<Vec<_>>(),
        [0, 1, 2]
    );
    assert_eq!(rounds[2].output, json!({"n": 6, "i": 2, "same": 3}));
    assert_eq!(
        end.records[0].path.step,
        step_id("each"),
        "a loop stands before its steps"
    );
}

#[tokio::test]
async fn loops_in_loops_see_their_own_item() {
    let end = Stage::new(json!([
        {"slug": "outer", "kind": "loop", "items": "{{ trigger.body }}", "do": [
            {"slug": "inner", "kind": "loop", "items": "{{ item }}", "do": [
                {"slug": "pair", "kind": "set", "values": {"x": "{{ item }}", "of": "{{ steps.outer.index }}"}},
            ]},
        ]},
    ]))
    .payload(json!({"body": [["a"], [], ["b", "c"]]}))
    .run()
    .await
    .succeeded();
    assert_eq!(
        end.output("outer")["results"][2],
        json!({"count": 2, "results": [{"x": "b", "of": 2}, {"x": "c", "of": 2}]})
    );
    assert_eq!(
        end.output("outer")["results"][1],
        json!({"count": 0, "results": []})
    );
    let last = end
        .records
        .iter()
        .rfind(|record| record.path.step == step_id("pair"))
        .expect("it ran");
    assert_eq!(last.path.rounds, [2, 1]);
}

#[tokio::test]
async fn a_filter_ends_the_run_or_the_round() {
    let end = Stage::new(json!([
        {"slug": "gate", "kind": "branch", "lanes": [["Else", null, [
            {"slug": "only", "kind": "filter", "condition": "{{ trigger.body }}"},
            {"slug": "inside", "kind": "log", "message": "no"},
        ]]]},
        {"slug": "after", "kind": "log", "message": "no"},
    ]))
    .payload(json!({"body": ""}))
    .run()
    .await
    .succeeded();
    assert_eq!(end.output("only"), &json!({"passed": false}));
    assert_eq!(end.records.len(), 2);
}

#[tokio::test]
async fn stop_fails_the_run_with_its_message() {
    let end = Stage::new(json!([
        {"slug": "halt", "kind": "stop", "message": "Order {{ trigger.body }} has no lines", "on_error": {"then": "continue"}},
        {"slug": "after", "kind": "log", "message": "no"},
    ]))
    .payload(json!({"body": 7}))
    .run()
    .await;
    assert_eq!(end.failure("halt"), "Order 7 has no lines");
    assert_eq!(end.error.as_deref(), Some("Order 7 has no lines"));
    assert_eq!(end.records.len(), 1);
}

#[tokio::test]
async fn a_failed_step_stops_or_goes_on_as_its_policy_says() {
    let steps = |then: &str| {
        json!([
            {"slug": "bad", "kind": "set", "values": {"x": "{{ trigger.none }}"}, "on_error": {"then": then}},
            {"slug": "after", "kind": "log", "message": "{{ steps.bad.error.message }}"},
        ])
    };
    let stopped = Stage::new(steps("stop")).run().await;
    let error = stopped.failure("bad").to_owned();
    assert!(
        error.starts_with("Values: ") && error.contains("none"),
        "{error}"
    );
    assert_eq!(
        stopped.error,
        Some(format!("Step `The bad` failed: {error}"))
    );
    let on = Stage::new(steps("continue")).run().await.succeeded();
    assert_eq!(on.of("bad").state, StepState::Failed);
    assert_eq!(on.output("after")["message"], error);
}

#[tokio::test]
async fn respond_answers_once() {
    let end = Stage::new(json!([
        {"slug": "first", "kind": "respond", "status": 202, "headers": {"X-Id": "{{ trigger.id }}", "X-Api-Key": "s"}, "body_type": "json", "json": "{\"id\": \"{{ trigger.id }}\"}"},
        {"slug": "second", "kind": "respond", "status": 500, "body_type": "text", "text": "late"},
    ]))
    .payload(json!({"id": "a\"b"}))
    .run()
    .await
    .succeeded();
    let headers = [
        ("x-id", "a\"b"),
        ("x-api-key", "s"),
        ("content-type", "application/json"),
    ];
    let headers = headers
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    assert_eq!(
        end.answer,
        Some(Answer {
            status: 202,
            headers,
            body: r#"{"id":"a\"b"}"#.into()
        })
    );
    assert_eq!(end.output("first"), &json!({"status": 202}));
    assert_eq!(end.of("first").input["headers"]["X-Api-Key"], "[hidden]");
    assert!(
        end.output("second")["note"]
            .as_str()
            .is_some_and(|note| note.contains("not sent"))
    );
}

#[tokio::test]
async fn a_long_delay_gives_the_worker_back_and_goes_on_in_time() {
    let stage = Stage::new(json!([
        {"slug": "wait", "kind": "delay", "amount": 2, "unit": "hours"},
        {"slug": "after", "kind": "log", "message": "{{ steps.wait.waited_ms }}"},
    ]));
    let journal = MemoryJournal::default();
    let (first, _) = stage.execute(&journal).await;
    let Outcome::Waiting { until, records } = first else {
        panic!("{first:?}")
    };
    assert_eq!(until.0, START.0 + 7_200_000);
    assert_eq!(records[0].state, StepState::Waiting);
    assert_eq!(records[0].output, json!({"until": "2026-05-28T22:26:40Z"}));
    journal.write(records).expect("no crash");
    // Woken too early, as after a crash: the same end.
    stage.clock.pass(Duration::from_secs(3_600));
    let (again, _) = stage.execute(&journal).await;
    assert!(matches!(again, Outcome::Waiting { until: same, .. } if same == until));
    stage.clock.pass(Duration::from_secs(3_600));
    let end = stage.run_with(journal).await.succeeded();
    assert_eq!(end.output("after")["message"], "7200000");
    assert_eq!(end.of("wait").finished_at, Some(stage.clock.now()));
}

#[tokio::test]
async fn a_short_delay_waits_in_process_and_a_test_never_waits_long() {
    let short = Stage::new(
        json!([{"slug": "wait", "kind": "delay", "amount": "{{ 0.5 }}", "unit": "seconds"}]),
    );
    short.run().await.succeeded();
    assert_eq!(
        *short.clock.slept.lock().expect("no panic"),
        [Duration::from_millis(500)]
    );
    let mut test =
        Stage::new(json!([{"slug": "wait", "kind": "delay", "amount": 3, "unit": "days"}]));
    test.is_test = true;
    let end = test.run().await.succeeded();
    assert_eq!(end.output("wait"), &json!({"waited_ms": 1_000}));
    assert!(end.of("wait").input["note"].is_string());
    let wrong = Stage::new(
        json!([{"slug": "wait", "kind": "delay", "amount": "{{ -1 }}", "unit": "days"}]),
    );
    assert!(
        wrong
            .run()
            .await
            .failure("wait")
            .contains("from 0 to 100,000")
    );
}

#[tokio::test]
async fn of_a_run_that_was_taken_over_short_delays_are_recorded_and_end_whatever_becomes_of_workers()
 {
    let mut stage =
        Stage::new(json!([{"slug": "wait", "kind": "delay", "amount": 1, "unit": "seconds"}]));
    stage.is_taken_over = true;
    let journal = MemoryJournal::default();
    let (first, _) = stage.execute(&journal).await;
    let Outcome::Waiting { until, records } = first else {
        panic!("{first:?}")
    };
    assert_eq!(until.0, START.0 + 1_000);
    journal.write(records).expect("no crash");
    stage.clock.pass(Duration::from_secs(1));
    stage.is_taken_over = false;
    let end = stage.run_with(journal).await.succeeded();
    assert_eq!(end.output("wait"), &json!({"waited_ms": 1_000}));
    assert!(stage.clock.slept.lock().expect("no panic").is_empty());
}

#[tokio::test]
async fn a_test_can_run_one_step_with_given_outputs() {
    let mut stage = Stage::new(json!([
        {"slug": "before", "kind": "stop", "message": "must not run"},
        {"slug": "each", "kind": "loop", "items": "{{ trigger.body }}", "do": [
            {"slug": "inside", "kind": "set", "values": {"x": "{{ item.a + index + steps.before.n }}"}},
        ]},
        {"slug": "after", "kind": "stop", "message": "must not run"},
    ]))
    .payload(json!({"body": [{"a": 5}]}));
    stage.is_test = true;
    let outputs = json!({"before": {"n": 100}, "each": {"item": {"a": 1}, "index": 2}});
    let outputs = outputs.as_object().expect("an object").clone();
    stage.scope = TestScope::Step {
        step: step_id("inside"),
        outputs: outputs.clone(),
    };
    let end = stage.run().await.succeeded();
    assert_eq!(end.output("inside"), &json!({"x": 103}));
    assert_eq!(end.records.len(), 1);
    stage.scope = TestScope::Step {
        step: step_id("each"),
        outputs,
    };
    let end = stage.run().await.succeeded();
    assert_eq!(end.output("inside"), &json!({"x": 105}));
    assert_eq!(end.records.len(), 2);
    stage.scope = TestScope::Step {
        step: step_id("gone"),
        outputs: serde_json::Map::new(),
    };
    let end = stage.run().await;
    assert_eq!((end.state, end.records.len()), (RunState::Failed, 0));
}

#[tokio::test]
async fn a_test_runs_up_to_a_step_and_uses_what_is_pinned() {
    let mut stage = Stage::new(json!([
        {"slug": "call", "kind": "http.request", "method": "POST", "url": "http://127.0.0.1:1/never"},
        {"slug": "each", "kind": "loop", "items": "{{ trigger.body }}", "do": [
            {"slug": "inside", "kind": "set", "values": {"x": "{{ item + steps.call.body.n }}"}},
            {"slug": "behind", "kind": "set", "values": {"y": "{{ steps.inside.x }}"}},
        ]},
        {"slug": "after", "kind": "stop", "message": "must not run"},
    ]))
    .payload(json!({"body": [1, 2]}));
    let pins = BTreeMap::from([(step_id("call"), json!({"body": {"n": 10}}))]);
    let part = |until| TestScope::Part {
        until: Some(step_id(until)),
        pins: pins.clone(),
    };
    stage.is_test = true;
    // In a loop it ends with the first round that gets there; a loop itself ends with its rounds.
    stage.scope = part("inside");
    let end = stage.run().await.succeeded();
    assert_eq!(end.output("inside"), &json!({"x": 11}));
    assert_eq!(end.output("call"), &json!({"body": {"n": 10}}));
    assert!(end.of("call").input["note"].is_string());
    assert!(
        !end.records
            .iter()
            .any(|record| record.path.step == step_id("behind"))
    );
    stage.scope = part("each");
    let end = stage.run().await.succeeded();
    assert_eq!(end.output("each")["results"], json!([{"y": 11}, {"y": 12}]));
    stage.scope = part("call");
    assert_eq!(stage.run().await.succeeded().records.len(), 1);
    // What is live knows of no pins.
    stage.is_test = false;
    let end = stage.run().await;
    assert_eq!((end.state, end.records.len()), (RunState::Failed, 1));
    assert_eq!(end.of("call").state, StepState::Failed);
}

#[test]
fn a_document_that_cannot_run_is_refused_with_the_name_of_the_step() {
    let refused = |steps: Value| Program::compile(&document(steps)).expect_err("it cannot run");
    for (steps, part) in [
        (
            json!([{"slug": "a", "kind": "teleport"}]),
            "no action called `teleport`",
        ),
        (
            json!([{"slug": "a", "kind": "set", "values": {"x": "{{ 1 + }}"}}]),
            "Values: ",
        ),
        (json!([{"slug": "a", "kind": "filter"}]), "is missing"),
        (
            json!([{"slug": "a", "kind": "branch", "lanes": [["L", "1 +", []]]}]),
            "condition of lane `L`",
        ),
        (
            json!([{"slug": "a", "kind": "loop", "items": "{{ [] }}"}]),
            "exactly one lane",
        ),
        (
            json!([{"slug": "a", "kind": "http.request", "url": "http://x", "body_type": "json", "json": "{\"a\": }"}]),
            "not JSON",
        ),
    ] {
        let error = refused(steps);
        assert_eq!(error.step, Some(step_id("a")));
        assert!(
            error.message.starts_with("Step `The a` cannot run: "),
            "{error}"
        );
        assert!(error.message.contains(part), "{error}");
    }
    let mut twice = document(json!([{"slug": "a", "kind": "log", "message": "x"}]));
    twice.flow.push(step_id("a"));
    assert!(Program::compile(&twice).is_err());
    let mut cycle = document(json!([{"slug": "a", "kind": "loop", "items": [], "do": []}]));
    let a = cycle.steps.get_mut(&step_id("a")).expect("it is there");
    a.lanes[0].steps.push(step_id("a"));
    assert!(Program::compile(&cycle).is_err());
}
