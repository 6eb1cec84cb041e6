//! Tables of problems.

mod calling;
mod component;
mod decided;
mod shape;
mod trying;

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::document::{ErrorPolicy, Lane, ListRef, OnError, Place};
use crate::edit::{self, Edit, new_step};
use crate::{LaneId, catalog};

fn id(n: u128) -> StepId {
    StepId::new(Uuid::from_u128(n))
}

/// Adds a step to a list; its slug is its kind's first word and its number.
fn add(document: &mut Document, n: u128, kind: &str, list: ListRef, config: Value) -> StepId {
    let action = catalog::action(kind).expect("it is in the catalog");
    let slug = format!("{}{n}", kind.split('.').next().unwrap_or_default());
    let mut lanes = n * 100;
    let mut step = new_step(action, id(n), &format!("Step {n}"), slug, || {
        lanes += 1;
        LaneId::new(Uuid::from_u128(lanes))
    });
    for (name, value) in config.as_object().into_iter().flatten() {
        step.config.insert(name.clone(), value.clone());
    }
    let index = document.list(list).map_or(0, Vec::len);
    let insert = Edit::Insert {
        steps: vec![step],
        at: Place { list, index },
    };
    edit::apply(document, &insert).expect("it fits");
    id(n)
}

fn lane(n: u128, number: u128) -> ListRef {
    ListRef::Lane(id(n), LaneId::new(Uuid::from_u128(n * 100 + number)))
}

/// Returns the problems of a webhook with one step, as `place: message`.
fn problems(kind: &str, config: Value) -> Vec<String> {
    let mut document = Document::new("webhook");
    add(&mut document, 1, kind, ListRef::Flow, config);
    told(&document)
}

fn told(document: &Document) -> Vec<String> {
    let checked = Checked::of(document);
    let told = |problem: &Problem| {
        assert!(
            !problem.mend.is_empty()
                && problem.message.ends_with('.')
                && problem.mend.ends_with('.')
        );
        let at = &problem.at;
        let place = [at.field.as_deref(), at.entry.as_deref()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("/");
        format!("{place}: {}", problem.message)
    };
    checked.problems().map(told).collect()
}

#[test]
fn fields_are_checked_against_the_catalog() {
    let url = "https://example.com";
    let table = [
        ("http.request", json!({}), vec!["url: URL is missing."]),
        (
            "http.request",
            json!({"url": "  "}),
            vec!["url: URL is missing."],
        ),
        (
            "http.request",
            json!({"url": null}),
            vec!["url: URL is missing."],
        ),
        ("http.request", json!({"url": url}), vec![]),
        (
            "http.request",
            json!({"url": 7}),
            vec!["url: URL must be a text."],
        ),
        (
            "http.request",
            json!({"url": "example.com"}),
            vec!["url: `example.com` is not a web address."],
        ),
        (
            "http.request",
            json!({"url": url, "method": "FETCH"}),
            vec!["method: Method cannot be `FETCH`."],
        ),
        (
            "http.request",
            json!({"url": url, "method": "{{ trigger.body.m }}"}),
            vec![],
        ),
        (
            "http.request",
            json!({"url": url, "method": "x{{ trigger.body.m }}"}),
            vec!["method: Method needs one whole expression, without text or spaces beside it."],
        ),
        (
            "http.request",
            json!({"url": url, "timeout_seconds": "{{ 1 }}{{ 2 }}"}),
            vec![
                "timeout_seconds: Time-out in seconds needs one whole expression, without text or spaces beside it.",
            ],
        ),
        (
            "http.request",
            json!({"url": url, "timeout_seconds": "soon"}),
            vec!["timeout_seconds: Time-out in seconds must be a number."],
        ),
        (
            "http.request",
            json!({"url": url, "timeout_seconds": 0}),
            vec!["timeout_seconds: Time-out in seconds is 0, but must be at least 0.1."],
        ),
        (
            "http.request",
            json!({"url": url, "timeout_seconds": 301}),
            vec!["timeout_seconds: Time-out in seconds is 301, but must be at most 300."],
        ),
        (
            "http.request",
            json!({"url": url, "nope": 1}),
            vec!["nope: There is no field called `nope` here."],
        ),
        (
            "http.request",
            json!({"url": url, "expected_status": "2xx, 700"}),
            vec!["expected_status: `2xx, 700` is not a list of HTTP statuses."],
        ),
        (
            "http.request",
            json!({"url": url, "headers": {"a": "{{ oops"}}),
            vec!["headers/a: `{{` is not closed. Write `}}` behind the expression."],
        ),
        (
            "http.request",
            json!({"url": url, "headers": {"": "x"}}),
            vec!["headers/: Headers has an entry without a name."],
        ),
        (
            "http.request",
            json!({"url": url, "headers": "x"}),
            vec!["headers: Headers must be names with values."],
        ),
        // A field that is not shown is not checked.
        (
            "http.request",
            json!({"url": url, "text": "{{ oops"}),
            vec![],
        ),
        (
            "http.request",
            json!({"url": url, "body_type": "text", "text": "{{ oops"}),
            vec!["text: `{{` is not closed. Write `}}` behind the expression."],
        ),
        (
            "http.request",
            json!({"url": url, "body_type": "json", "json": {"a": ["{{ b. }}"]}}),
            vec![
                "json: A name is missing after `.`. For a name with other signs in it, write `[\"the name\"]`.",
            ],
        ),
        (
            "http.request",
            json!({"url": url, "body_type": "json", "json": "{\"a\": {{ trigger.body.a }}}"}),
            vec![],
        ),
        (
            "http.request",
            json!({"url": url, "body_type": "json", "json": " "}),
            vec![],
        ),
        (
            "http.request",
            json!({"url": url, "body_type": "json", "json": "{'a': 1}"}),
            vec![
                "json: JSON body is not JSON: a name is not in double quotes at line 1, column 2.",
            ],
        ),
        (
            "respond",
            json!({"json": "{\"a\": {{ trigger.body.a }}"}),
            vec![
                "json: JSON body is not JSON: it ends too early, at line 1, column 26. A quote or a bracket is not closed, or a value is missing.",
            ],
        ),
        (
            "respond",
            json!({"json": "[".repeat(10_000)}),
            vec!["json: The JSON is nested deeper than 100 levels."],
        ),
        (
            "respond",
            json!({"json": "[{{ trigger.body. }}]"}),
            vec![
                "json: A name is missing after `.`. For a name with other signs in it, write `[\"the name\"]`.",
            ],
        ),
        (
            "respond",
            json!({"status": 200.5}),
            vec!["status: Status must be a whole number."],
        ),
        (
            "set",
            json!({"values": {}}),
            vec!["values: Values needs at least one entry."],
        ),
        (
            "filter",
            json!({}),
            vec!["condition: Go on when is missing."],
        ),
        (
            "filter",
            json!({"condition": ""}),
            vec!["condition: Go on when is missing."],
        ),
        ("filter", json!({"condition": true}), vec![]),
        (
            "filter",
            json!({"condition": "trigger.body.total > 100"}),
            vec![],
        ),
        (
            "filter",
            json!({"condition": "{{ trigger.body.total > 100 }}"}),
            vec![],
        ),
        (
            "filter",
            json!({"condition": "trigger.body.total >"}),
            vec!["condition: A value is missing at the end of the expression."],
        ),
        (
            "filter",
            json!({"condition": 3}),
            vec!["condition: Go on when must be a condition."],
        ),
        (
            "loop",
            json!({"items": "a, b"}),
            vec!["items: List to go through must be a list."],
        ),
        ("loop", json!({"items": [1, "{{ 2 }}"]}), vec![]),
        (
            "log",
            json!({"message": "{{ 1 | shout }}"}),
            vec!["message: There is no filter called `shout`."],
        ),
        (
            "log",
            json!({"message": "{{ now() }}"}),
            vec!["message: There is no function called `now`."],
        ),
        (
            "log",
            json!({"message": "{{ 1 is fine }}"}),
            vec!["message: There is no test called `fine`."],
        ),
    ];
    for (kind, config, expected) in table {
        assert_eq!(problems(kind, config.clone()), expected, "{kind} {config}");
    }
}

#[test]
fn web_addresses_have_a_scheme_and_a_host() {
    let good = [
        "http://a",
        "HTTPS://Example.COM/x?y#z",
        "http://127.0.0.1:8080/",
        "http://[::1]:80/x",
        "http://user:pw@host/",
        "https://bücher.example/",
        "http://a_b.example",
        "http://x?y",
        " https://example.com ",
    ];
    let bad = [
        "",
        "example.com",
        "ftp://x",
        "http:/x",
        "http://",
        "http:///x",
        "http://:80",
        "http://a:b",
        "http://a:99999",
        "http://a:+1",
        "http://[::1",
        "http://[zz]",
        "http://a b",
        "http://a\nb",
        "httpsx://a",
        "https:// a",
        "é",
    ];
    for (texts, fine) in [(good.as_slice(), true), (&bad, false)] {
        for text in texts {
            let told = problems("http.request", json!({"url": text}));
            assert_eq!(told.is_empty(), fine, "{text}: {told:?}");
        }
    }
}

#[test]
fn triggers_are_checked_and_take_no_expressions() {
    let table = [
        (
            json!({}),
            vec![
                "trigger.cron: When is missing.",
                "trigger.time_zone: Time zone is missing.",
            ],
        ),
        (
            json!({"cron": "0 6 * * *", "time_zone": "Europe/Berlin"}),
            vec![],
        ),
        (
            json!({"cron": "0 6 * *", "time_zone": "UTC"}),
            vec!["trigger.cron: `0 6 * *` is not a schedule: it does not have five fields."],
        ),
        (
            json!({"cron": "0 6 * * *", "time_zone": "Mars"}),
            vec!["trigger.time_zone: `Mars` is not a time zone."],
        ),
        (
            json!({"cron": "{{ '0 6 * * *' }}", "time_zone": "UTC"}),
            vec!["trigger.cron: A trigger cannot use expressions."],
        ),
    ];
    for (config, expected) in table {
        let mut document = Document::new("schedule");
        add(
            &mut document,
            1,
            "log",
            ListRef::Flow,
            json!({"message": "x"}),
        );
        document.trigger.config = config.as_object().cloned().unwrap_or_default();
        assert_eq!(told(&document), expected, "{config}");
    }
}

#[test]
fn a_document_says_what_it_lacks_as_a_whole() {
    let mut document = Document::new("nope");
    document.settings.time_limit_seconds = 0;
    document.schema = 2;
    assert_eq!(
        told(&document),
        [
            ": The document has schema 2, but 1 is needed.",
            ": There are no steps.",
            "settings.time_limit_seconds: The time limit must be between 1 second and a day.",
            "trigger: There is no trigger called `nope`.",
        ]
    );
}

/// A flow with a loop and a branch: 1 log, 2 loop [3 log, 4 branch [5 log | 6 log]], 7 log.
fn nested() -> Document {
    let mut document = Document::new("webhook");
    add(
        &mut document,
        1,
        "set",
        ListRef::Flow,
        json!({"values": {"total": 1}}),
    );
    add(
        &mut document,
        2,
        "loop",
        ListRef::Flow,
        json!({"items": [1]}),
    );
    let each = lane(2, 1);
    add(
        &mut document,
        3,
        "http.request",
        each,
        json!({"url": "https://example.com"}),
    );
    add(&mut document, 4, "branch", each, json!({}));
    document.steps.get_mut(&id(4)).expect("it is there").lanes[0].when = Some("true".to_owned());
    add(&mut document, 5, "log", lane(4, 1), json!({"message": "x"}));
    add(&mut document, 6, "log", lane(4, 2), json!({"message": "x"}));
    add(
        &mut document,
        7,
        "log",
        ListRef::Flow,
        json!({"message": "x"}),
    );
    assert_eq!(told(&document), [""; 0]);
    document
}

#[test]
fn a_reference_must_be_there_when_the_step_runs() {
    let later = |name: &str| {
        format!(
            "message: `{name}` has not run when this step starts: it comes later, or is in another lane."
        )
    };
    let table: Vec<(u128, &str, Vec<String>)> = vec![
        (
            7,
            "{{ trigger.body.x }}{{ run.id }}{{ steps }}{{ steps.set1.total }}",
            vec![],
        ),
        (7, "{{ steps.loop2.count }}", vec![]),
        (
            7,
            "{{ steps.loop2.item }}",
            vec!["message: `steps.loop2` has no `item`.".into()],
        ),
        (
            7,
            "{{ steps.set1.nope }}",
            vec!["message: `steps.set1` has no `nope`.".into()],
        ),
        (
            7,
            "{{ steps.nope }}",
            vec!["message: There is no step called `nope`.".into()],
        ),
        (
            7,
            "{{ steps.log7 }}",
            vec!["message: The step uses its own output, `steps.log7`.".into()],
        ),
        (7, "{{ steps.http3.body.x }}", vec![later("Step 3")]),
        (
            7,
            "{{ item }}",
            vec!["message: `item` is only there inside a loop.".into()],
        ),
        (
            7,
            "{{ trigger.nope }}",
            vec!["message: `trigger` has no `nope`.".into()],
        ),
        (
            7,
            "{{ run.nope }}",
            vec!["message: `run` has no `nope`.".into()],
        ),
        (
            7,
            "{{ set1 }}",
            vec!["message: There is no value called `set1`.".into()],
        ),
        (
            5,
            "{{ item.x }}{{ index }}{{ steps.loop2.item.x }}{{ steps.loop2.index }}{{ steps.http3.status }}",
            vec![],
        ),
        (
            5,
            "{{ steps.loop2.count }}",
            vec!["message: `steps.loop2` has no `count`.".into()],
        ),
        (5, "{{ steps.branch4 }}", vec![later("Step 4")]),
        (5, "{{ steps.log6 }}", vec![later("Step 6")]),
        (6, "{{ steps.log5 }}", vec![later("Step 5")]),
        (5, "{{ steps.log7 }}", vec![later("Step 7")]),
        (7, "{{ 'steps.nope' }} steps.nope", vec![]),
    ];
    for (step, text, expected) in table {
        let mut document = nested();
        let mut checked = Checked::of(&document);
        let edit = Edit::SetField {
            step: id(step),
            field: "message".to_owned(),
            value: Some(json!(text)),
        };
        let change = edit::apply(&mut document, &edit).expect("it fits");
        checked.update(&document, &change);
        assert_eq!(told(&document), expected, "{text}");
        assert_eq!(checked, Checked::of(&document), "{text}");
        assert_eq!(checked.of_step(id(step)).count(), expected.len());
    }
}

#[test]
fn an_error_can_be_used_of_a_step_that_lets_the_run_go_on() {
    let mut document = nested();
    let mut checked = Checked::of(&document);
    let text = json!("{{ steps.set1.error.message }}");
    let policy = |then| Edit::SetErrorPolicy {
        step: id(1),
        policy: ErrorPolicy { retries: 0, then },
    };
    let edits = [
        (
            Edit::SetField {
                step: id(7),
                field: "message".to_owned(),
                value: Some(text),
            },
            1,
        ),
        (policy(OnError::Continue), 0),
        (policy(OnError::Stop), 1),
        (
            Edit::SetField {
                step: id(1),
                field: "values".to_owned(),
                value: Some(json!({"error": 1})),
            },
            0,
        ),
    ];
    for (edit, count) in edits {
        let change = edit::apply(&mut document, &edit).expect("it fits");
        checked.update(&document, &change);
        assert_eq!(checked.count(), count, "{edit:?}");
    }
}

#[test]
fn nesting_is_bounded_and_deeper_steps_say_so_once() {
    let mut document = Document::new("webhook");
    let mut list = ListRef::Flow;
    for n in 1..=13 {
        add(
            &mut document,
            n,
            "loop",
            list,
            json!({"items": "{{ steps.nope }}"}),
        );
        list = lane(n, 1);
    }
    let too_deep = told(&document)
        .into_iter()
        .filter(|told| told.contains("nested deeper than 10 lanes"));
    assert_eq!(too_deep.count(), 1);
}

#[test]
fn a_branch_has_conditions_and_one_else_lane_at_its_end() {
    let mut document = nested();
    let branch = document.steps.get_mut(&id(4)).expect("it is there");
    branch.lanes[0].when = Some(" ".to_owned());
    assert_eq!(told(&document), ["when: The lane `If` has no condition."]);
    let branch = document.steps.get_mut(&id(4)).expect("it is there");
    branch.lanes[0].when = None;
    assert_eq!(
        told(&document),
        ["when: The else lane `If` is not the last one."]
    );
    let lanes = |n: u128| {
        (0..n).map(|n| Lane {
            id: LaneId::new(Uuid::from_u128(n)),
            name: "L".to_owned(),
            when: None,
            steps: vec![],
        })
    };
    let mut document = Document::new("webhook");
    add(
        &mut document,
        1,
        "log",
        ListRef::Flow,
        json!({"message": "x"}),
    );
    document.steps.get_mut(&id(1)).expect("it is there").lanes = lanes(1).collect();
    assert_eq!(told(&document), [": This kind of step holds no lanes."]);
}
