//! What steps can reach, as tables.

use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::document::{ErrorPolicy, Lane, Step};
use crate::{LaneId, validate};

pub(crate) fn id(number: u128) -> StepId {
    StepId::new(Uuid::from_u128(number))
}

fn step(number: u128, name: &str, slug: &str, kind: &str) -> Step {
    Step {
        id: id(number),
        name: name.to_owned(),
        slug: slug.to_owned(),
        kind: kind.to_owned(),
        action: None,
        config: Map::new(),
        on_error: ErrorPolicy::default(),
        notes: String::new(),
        lanes: Vec::new(),
    }
}

/// A request, values, a loop with a log step in it, a log step behind all.
pub(crate) fn document() -> Document {
    let mut document = Document::new("webhook");
    let mut request = step(1, "Get order", "order", "http.request");
    request.on_error.then = OnError::Continue;
    let mut set = step(2, "Totals", "totals", "set");
    set.config =
        serde_json::from_value(json!({"values": {"total": "1", "a b": "2"}})).expect("a map");
    let mut each = step(3, "Each line", "each", "loop");
    each.lanes = vec![Lane {
        id: LaneId::new(Uuid::from_u128(9)),
        name: "Steps".to_owned(),
        when: None,
        steps: vec![id(4)],
    }];
    let steps = [
        request,
        set,
        each,
        step(4, "Inside", "inside", "log"),
        step(5, "Behind", "behind", "log"),
    ];
    document.steps = steps.map(|step| (step.id, step)).into();
    document.flow = [1, 2, 3, 5].map(id).to_vec();
    document
}

pub(crate) fn samples() -> Samples {
    Samples {
        trigger: Some(
            json!({"method": "POST", "headers": {"x-id": "7"}, "body": {"email": "ada@example.com", "lines": [{"sku": "a"}, {"sku": "b"}]}}),
        ),
        run: Some(json!({"id": "r", "started_at": "2026-01-01T00:00:00Z", "test": true})),
        outputs: [(
            id(1),
            json!({"status": 200, "body": {"id": 7, "two words": 1}}),
        )]
        .into(),
        items: [(id(3), json!({"sku": "a"}))].into(),
    }
}

fn expressions(reach: &Reach) -> Vec<&str> {
    reach
        .sources()
        .iter()
        .map(|source| source.expression.as_str())
        .collect()
}

#[test]
fn a_step_reaches_what_ran_before_it_and_the_round_it_is_in() {
    let document = document();
    let behind = Reach::of(&document, id(5), &samples());
    assert_eq!(
        expressions(&behind),
        [
            "steps.each",
            "steps.totals",
            "steps.order",
            "trigger",
            "run"
        ]
    );
    let inside = Reach::of(&document, id(4), &samples());
    assert_eq!(
        expressions(&inside),
        [
            "item",
            "index",
            "steps.each",
            "steps.totals",
            "steps.order",
            "trigger",
            "run"
        ]
    );
    assert_eq!(inside.sample(&["item", "sku"]), Some(&json!("a")));
    assert_eq!(
        inside.sample(&["steps", "each", "item", "sku"]),
        Some(&json!("a"))
    );
}

#[test]
fn members_come_from_the_schema_the_configuration_and_the_sample() {
    let reach = Reach::of(&document(), id(5), &samples());
    let names = |path: &[&str]| -> Vec<String> {
        reach
            .members(path)
            .into_iter()
            .map(|member| {
                format!(
                    "{}{}",
                    member.name,
                    if member.sample.is_some() { "" } else { "?" }
                )
            })
            .collect()
    };
    assert_eq!(names(&[]), ["steps?", "trigger", "run"]);
    assert_eq!(names(&["steps"]), ["each?", "totals?", "order"]);
    assert_eq!(
        names(&["steps", "order"]),
        ["status", "headers?", "body", "error?"]
    );
    assert_eq!(names(&["steps", "totals"]), ["total?", "a b?"]);
    assert_eq!(names(&["trigger", "body", "lines"]), ["0", "1"]);
    assert_eq!(names(&["trigger", "body", "email"]), [""; 0]);
    assert_eq!(names(&["nothing"]), [""; 0]);
}

#[test]
fn an_example_of_the_schema_stands_in_where_nothing_was_seen() {
    let reach = Reach::of(&document(), id(5), &Samples::default());
    let members = reach.members(&["steps", "order"]);
    assert_eq!(
        (members[0].sample, members[0].is_example),
        (Some(&json!(200)), true)
    );
    assert_eq!(reach.sample(&["steps", "order", "status"]), None);
}

#[test]
fn what_is_offered_can_be_referred_to() {
    for step in [1, 2, 3, 4, 5].map(id) {
        let (document, reach) = (document(), Reach::of(&document(), step, &samples()));
        for found in reach.search("", 1000) {
            let scanned =
                crate::template::check_condition(&found.expression).expect(&found.expression);
            let [reference] = scanned.references.as_slice() else {
                panic!("{}", found.expression)
            };
            assert_eq!(
                validate::reference(&document, step, &reference.path),
                None,
                "{}",
                found.expression
            );
        }
    }
}

#[test]
fn a_search_finds_by_name_first_and_what_is_nearer_first() {
    let reach = Reach::of(&document(), id(4), &samples());
    let found = |typed: &str| -> Vec<String> {
        reach
            .search(typed, 4)
            .into_iter()
            .map(|found| found.expression)
            .collect()
    };
    assert_eq!(
        found("sku"),
        [
            "item.sku",
            "steps.each.item.sku",
            "trigger.body.lines[0].sku",
            "trigger.body.lines[1].sku"
        ]
    );
    assert_eq!(found("Get order"), ["steps.order"]);
    assert_eq!(found("two"), ["steps.order.body['two words']"]);
    assert_eq!(found("zzz"), [""; 0]);
}

#[test]
fn a_missing_sample_is_named() {
    let reach = Reach::of(&document(), id(5), &samples());
    let path = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (there, missing) = (path("trigger.body"), path("steps.totals.total"));
    let lacking = |all: &[&Vec<String>]| {
        reach
            .lacking(all.iter().map(|names| names.as_slice()))
            .map(|source| source.title.clone())
    };
    assert_eq!(lacking(&[&there]), None);
    assert_eq!(lacking(&[&there, &missing]), Some("Totals".to_owned()));
}

#[test]
fn samples_are_what_previews_are_computed_with() {
    let reach = Reach::of(&document(), id(4), &samples());
    let scope = reach.scope();
    let given = |text: &str| {
        crate::template::Template::parse(text)
            .and_then(|template| template.evaluate(&scope))
            .map_err(|error| error.message)
    };
    assert_eq!(
        given("{{ item.sku }}{{ index }}{{ steps.each.item.sku }}"),
        Ok(json!("a0a"))
    );
    assert_eq!(
        given("{{ trigger.body.lines | length + steps.order.body.id }}"),
        Ok(json!(9))
    );
    assert!(given("{{ steps.totals.total }}").is_err());
}

#[test]
fn a_value_is_told_in_a_few_words() {
    let table = [
        (json!("a\nb"), "a ↵ b", "text"),
        (json!([1, 2, 3]), "list of 3", "list of 3"),
        (json!({"a": 1}), "1 field", "object with 1 field"),
        (json!(1), "1", "whole number"),
        (json!(1.5), "1.5", "number"),
        (json!(null), "null", "null"),
        (json!(true), "true", "true or false"),
    ];
    for (value, words, type_) in table {
        assert_eq!(
            (short(&value).as_str(), kind(&value).as_str()),
            (words, type_)
        );
    }
    assert!(short(&json!("x".repeat(100))).ends_with('…'));
}

#[test]
fn the_lane_for_a_failure_reaches_the_error_and_what_comes_after_a_try_its_result() {
    let mut document = document();
    let mut attempt = step(6, "Careful", "careful", "try");
    let lane = |number: u128, name: &str| Lane {
        id: LaneId::new(Uuid::from_u128(20 + number)),
        name: name.to_owned(),
        when: None,
        steps: vec![id(number)],
    };
    attempt.lanes = vec![lane(7, "Try"), lane(8, "If it fails")];
    let inside = [
        step(7, "Tried", "tried", "log"),
        step(8, "Told", "told", "log"),
    ];
    for step in inside.into_iter().chain([attempt]) {
        document.steps.insert(step.id, step);
    }
    document.flow.insert(3, id(6));
    let members = |at: u128| {
        let reach = Reach::of(&document, id(at), &Samples::default());
        let members = reach.members(&["steps", "careful"]);
        members
            .into_iter()
            .map(|member| member.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(members(7), [""; 0]);
    assert_eq!(members(8), ["failed", "error"]);
    assert_eq!(members(5), ["failed", "error", "result"]);
}
