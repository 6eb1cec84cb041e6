//! What keeps one run from eating the machine.

use domain::run::{RunState, StepState};
use serde_json::json;

use crate::stage::{MemoryJournal, Stage, step_id};

#[tokio::test]
async fn of_a_long_loop_only_the_first_rounds_and_the_failures_are_recorded() {
    let items: Vec<u32> = (0..20_000).collect();
    let stage = Stage::new(json!([
        {"slug": "each", "kind": "loop", "items": "{{ trigger.body }}", "do": [
            {"slug": "bad", "kind": "set", "values": {"x": "{{ trigger.body[20000 + item] if item == 15000 else item }}"}, "on_error": {"then": "continue"}},
        ]},
        {"slug": "after", "kind": "log", "message": "{{ steps.each.results | length }}"},
    ]))
    .payload(json!({"body": items}));
    let end = stage.run().await.succeeded();
    assert_eq!(end.output("each")["count"], 20_000);
    assert!(
        end.output("each")["note"]
            .as_str()
            .is_some_and(|note| note.contains("first 1000 rounds")),
        "{:?}",
        end.output("each")["note"]
    );
    assert_eq!(end.output("after")["message"], "20000");
    let of_bad: Vec<_> = end
        .records
        .iter()
        .filter(|record| record.path.step == step_id("bad"))
        .collect();
    assert_eq!(of_bad.len(), 1_001);
    assert_eq!(
        (of_bad[1_000].state, of_bad[1_000].path.rounds.as_slice()),
        (StepState::Failed, &[15_000][..])
    );
    assert_eq!(
        end.of("each").input["items"],
        "[20000 items, left out of the record]"
    );
}

#[tokio::test]
async fn a_list_that_is_none_or_too_long_is_refused() {
    let steps = json!([{"slug": "each", "kind": "loop", "items": "{{ trigger.body }}", "do": []}]);
    let end = Stage::new(steps.clone())
        .payload(json!({"body": "text"}))
        .run()
        .await;
    assert_eq!(
        end.failure("each"),
        "The list to go through is a text. Give one whole expression that is a list."
    );
    let end = Stage::new(steps)
        .payload(json!({"body": vec![0; 100_001]}))
        .run()
        .await;
    assert!(end.failure("each").contains("at most 100000"));
}

#[tokio::test]
async fn large_values_are_left_out_of_records_but_not_out_of_the_run() {
    let large = "x".repeat(1_500_000);
    let steps = json!([
        {"slug": "copy", "kind": "set", "values": {"large": "{{ trigger.body }}"}},
        {"slug": "size", "kind": "set", "values": {"n": "{{ steps.copy.large | length }}", "nul": "a\u{0}b"}},
    ]);
    let end = Stage::new(steps)
        .payload(json!({"body": large}))
        .run()
        .await
        .succeeded();
    assert_eq!(
        end.output("copy"),
        &json!("[1.5 MB, left out of the record]")
    );
    assert_eq!(
        end.output("size"),
        &json!({"n": 1_500_000, "nul": "a\u{fffd}b"})
    );
}

#[tokio::test]
async fn results_that_nobody_uses_are_not_kept() {
    for at_once in [1, 5] {
        let each = json!({"slug": "each", "kind": "loop", "items": "{{ range(200) }}",
        "at_once": at_once, "do": [
            {"slug": "big", "kind": "set", "values": {"x": "{{ trigger.body }}"}},
        ]});
        let used = json!({"slug": "last", "kind": "set", "values": {
            "length": "{{ steps.each.results[199].x | length }}",
        }});
        let stage = |steps| Stage::new(steps).payload(json!({"body": "x".repeat(10_000)}));
        let end = stage(json!([each])).run().await.succeeded();
        assert_eq!(end.output("each")["count"], 200);
        assert!(end.output("each")["results"].is_string());
        let end = stage(json!([each, used])).run().await.succeeded();
        assert_eq!(end.output("last"), &json!({"length": 10_000}));
    }
}

#[tokio::test]
async fn many_kept_records_are_appended_on_the_way() {
    let steps = json!([{"slug": "each", "kind": "loop", "items": "{{ range(900) }}", "do": [
        {"slug": "a", "kind": "set", "values": {"x": "{{ item }}"}},
        {"slug": "b", "kind": "set", "values": {"x": "{{ item }}"}},
        {"slug": "c", "kind": "set", "values": {"x": "{{ item }}"}},
    ]}]);
    let stage = Stage::new(steps);
    let end = stage.run_with(MemoryJournal::default()).await.succeeded();
    assert_eq!(end.records.len(), 1 + 3 * 900);
    assert!((3..10).contains(&end.writes), "{}", end.writes);
    assert_eq!(end.of("each").state, StepState::Succeeded);
}

#[tokio::test]
async fn an_endless_expression_runs_out_of_fuel() {
    let steps = json!([{"slug": "a", "kind": "set", "values": {"x": "{{ range(100000) | map('string') | join('-') | length }}"}}]);
    let end = Stage::new(steps).run().await;
    assert_eq!(end.state, RunState::Failed);
    assert!(!end.failure("a").is_empty());
}
