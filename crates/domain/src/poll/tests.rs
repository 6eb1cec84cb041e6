//! What is polled, what an answer holds, and when a poll comes again.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn poll(fields: Value) -> Poll {
    let mut document = Document::new(TRIGGER);
    let fields = fields.as_object().expect("fields").clone();
    document.trigger.config.extend(fields);
    Poll::of(&document).expect("it polls")
}

fn ids(found: &Found) -> Vec<&str> {
    found.items.iter().map(|item| item.id.as_str()).collect()
}

#[test]
fn the_list_is_found_and_each_item_in_it_once() {
    let body = json!({ "page": { "orders": [
        { "id": 1 }, { "id": "b " }, { "id": 1, "n": 2 },
    ]}});
    let found = poll(json!({ "items": "/page/orders" })).read(&body, None);
    let found = found.expect("it is a list");
    assert_eq!(ids(&found), ["1", "b"]);
    assert_eq!(found.items[0].value, json!({ "id": 1 }));
    assert_eq!(found.items[1].place, 2);
    let found = poll(json!({ "id": "" })).read(&json!(["x", 7]), None);
    assert_eq!(ids(&found.expect("texts are items, too")), ["x", "7"]);
}

#[test]
fn an_answer_of_which_it_cannot_be_told_what_is_new_is_refused_whole() {
    let many: Vec<Value> = (0..=ITEMS).map(|id| json!({ "id": id })).collect();
    let table = [
        (json!({}), json!("<html>"), Refusal::NoJson),
        (json!({}), json!({ "orders": [] }), Refusal::NotAList),
        (
            json!({ "items": "/orders" }),
            json!({ "orders": {} }),
            Refusal::NoList("/orders".to_owned()),
        ),
        (json!({}), json!(many), Refusal::TooMany(ITEMS + 1)),
        (
            json!({}),
            json!([{ "id": 1 }, { "name": "x" }]),
            Refusal::NoId(2, "/id".to_owned()),
        ),
        (
            json!({ "asks": "newer", "cursor_parameter": "since", "cursor": "/at" }),
            json!([{ "id": "secret", "at": {} }]),
            Refusal::NoCursor(1),
        ),
    ];
    for (fields, body, refusal) in table {
        assert_eq!(poll(fields).read(&body, None), Err(refusal));
    }
}

#[test]
fn the_cursor_is_the_greatest_that_was_seen_and_never_goes_back() {
    let by_time = poll(json!({
        "asks": "newer", "cursor_parameter": "since", "cursor": "/at", "cursor_first": "2026-01-01T00:00:00Z",
    }));
    assert_eq!(
        by_time.request(None)["query"],
        json!({ "since": "2026-01-01T00:00:00Z" })
    );
    let table = [
        (json!([]), None, None),
        (
            json!([{ "id": 1, "at": "2026-03-01" }, { "id": 2, "at": "2026-02-01" }]),
            None,
            Some(json!("2026-03-01")),
        ),
        (
            json!([{ "id": 1, "at": "2026-03-01" }, { "id": 2 }]),
            Some(json!("2026-04-01")),
            Some(json!("2026-04-01")),
        ),
        (
            json!([{ "id": 1, "at": 10 }]),
            Some(json!(9)),
            Some(json!(10)),
        ),
        (
            json!([{ "id": 1, "at": 9.5 }]),
            Some(json!(10)),
            Some(json!(10)),
        ),
    ];
    for (body, before, expected) in table {
        let found = by_time.read(&body, before.as_ref()).expect("a list");
        assert_eq!(found.cursor, expected, "{body} after {before:?}");
    }
    let sent = by_time.request(Some(&json!(10)));
    assert_eq!(sent["query"], json!({ "since": 10 }));
    // Where the whole list is asked for, there is no cursor.
    let without = poll(json!({}));
    let found = without.read(&json!([{ "id": 1, "updated_at": 3 }]), None);
    assert_eq!(found.expect("a list").cursor, None);
    assert_eq!(without.request(None).get("query"), None);
}

fn newer() -> Poll {
    poll(json!({ "asks": "newer", "cursor_parameter": "since", "cursor": "/at" }))
}

/// Returns the cursor after an answer whose items have these.
fn cursor_after(before: &Value, cursors: &[Value]) -> Value {
    let items = cursors.iter().enumerate();
    let items: Vec<Value> = items
        .map(|(id, at)| json!({ "id": id, "at": at }))
        .collect();
    let found = newer().read(&json!(items), Some(before));
    let cursor = found.expect("a list").cursor;
    cursor.expect("there was one before")
}

#[test]
fn a_cursor_that_was_typed_gives_way_to_those_of_the_service_whatever_their_kind() {
    let typed = |text: &str| {
        let restart = Restart::From(text.to_owned());
        let cursor = newer().restarted(&restart).expect("it is taken");
        cursor.expect("one was given")
    };
    let table = [
        // A number that was typed, and a service of numbers.
        (typed("100"), json!([101, 250, 7]), json!(250)),
        (typed("100"), json!([99]), json!("100")),
        (typed("9.5"), json!([10]), json!(10)),
        (typed("-3"), json!([-4]), json!("-3")),
        (
            typed("9007199254740992"),
            json!([9_007_199_254_740_993_i64]),
            json!(9_007_199_254_740_993_i64),
        ),
        (
            typed("18446744073709551614"),
            json!([u64::MAX]),
            json!(u64::MAX),
        ),
        // A number that was typed, and a service of texts.
        (
            typed("2026"),
            json!(["2026-03-01", "2025"]),
            json!("2026-03-01"),
        ),
        // Something else was typed, or the service changed what it counts in.
        (typed("2026-01-01"), json!([12, 7]), json!(12)),
        (
            json!(1_700_000_000),
            json!(["2026-03-01"]),
            json!("2026-03-01"),
        ),
        (json!(100), json!(["99"]), json!(100)),
        (json!(100), json!(["101"]), json!("101")),
        // Nothing that could be one.
        (typed("100"), json!([null]), json!("100")),
        (typed("100"), json!([]), json!("100")),
    ];
    for (before, answer, after) in table {
        let cursors = answer.as_array().expect("a list");
        assert_eq!(
            cursor_after(&before, cursors),
            after,
            "{answer} after {before}"
        );
    }
}

proptest! {
    #[test]
    fn numbers_never_go_back_also_from_one_that_was_typed(
        before in any::<i64>(),
        is_typed in any::<bool>(),
        cursors in prop::collection::vec(any::<i64>(), 0..8),
    ) {
        let sent = if is_typed { json!(before.to_string()) } else { json!(before) };
        let after = cursor_after(&sent, &cursors.iter().map(|at| json!(at)).collect::<Vec<_>>());
        let greatest = cursors.iter().copied().max().filter(|new| *new > before);
        prop_assert_eq!(after, greatest.map_or(sent, Value::from));
    }

    #[test]
    fn the_order_of_a_list_changes_no_cursor(
        before in cursor(),
        cursors in prop::collection::vec(cursor(), 0..8).prop_shuffle(),
    ) {
        let mut other = cursors.clone();
        other.reverse();
        prop_assert_eq!(cursor_after(&before, &cursors), cursor_after(&before, &other));
    }
}

/// Numbers, texts, and texts that say a number; whole ones, as equal ones differ in nothing then.
fn cursor() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<i64>().prop_map(|number| number.to_string().into()),
        "[a-z0-9]{1,4}".prop_map(Value::from),
    ]
}

#[test]
fn after_failures_polls_are_further_apart_but_not_for_ever() {
    let pauses = |every: u32| {
        let poll = poll(json!({ "every_minutes": every }));
        [0, 1, 2, 5, 50].map(|failures| poll.pause_minutes(failures))
    };
    assert_eq!(pauses(5), [5, 10, 20, 60, 60]);
    assert_eq!(pauses(1), [1, 2, 4, 32, 60]);
    assert_eq!(pauses(1_440), [1_440; 5]);
}

#[test]
fn failures_are_told_when_three_came_or_the_next_poll_is_a_quarter_of_an_hour_away() {
    let failing = |failures, minutes: i64| {
        let first = Timestamp(1_790_000_000_000);
        is_failing(failures, first, Timestamp(first.0 + minutes * 60_000))
    };
    let table = [
        (1, 1, false),
        (2, 3, false),
        (3, 7, true),
        (1, 14, false),
        (1, 15, true),
        (2, 16, true),
        (1, 1_440, true),
    ];
    for (failures, minutes, is_told) in table {
        assert_eq!(failing(failures, minutes), is_told, "{failures} {minutes}");
    }
}

#[test]
fn polling_begins_anew_at_a_cursor_only_where_one_is_sent() {
    let with = poll(json!({ "asks": "newer", "cursor_parameter": "since", "cursor": "/at" }));
    let from = |text: &str| Restart::From(text.to_owned());
    assert_eq!(with.restarted(&Restart::All), Ok(None));
    assert_eq!(with.restarted(&from(" 2026 ")), Ok(Some(json!("2026"))));
    assert_eq!(with.restarted(&from(" ")), Err(Refusal::CursorNotTaken));
    let without = poll(json!({}));
    assert_eq!(without.restarted(&from("1")), Err(Refusal::CursorNotTaken));
}

#[test]
fn polling_goes_on_as_long_as_ids_and_cursor_mean_what_they_meant() {
    let fields = json!({
        "url": "https://api.example.com/orders", "items": "/orders", "id": "/id",
        "asks": "newer", "cursor_parameter": "since", "cursor": "/at",
    });
    let before = poll(fields.clone());
    let anew = |with_cursor| Goes::Anew { with_cursor };
    let table = [
        (json!({ "every_minutes": 30, "start": "all" }), Goes::On),
        (
            json!({ "cursor_first": "2026", "connection": "x" }),
            Goes::On,
        ),
        (
            json!({ "url": " https://api.example.com/orders " }),
            Goes::On,
        ),
        (json!({ "cursor": "/number" }), Goes::WithoutCursor),
        (json!({ "cursor_parameter": "after" }), Goes::WithoutCursor),
        (json!({ "asks": "all" }), Goes::WithoutCursor),
        (json!({ "id": "/number" }), anew(true)),
        (json!({ "id": "/number", "cursor": "/number" }), anew(false)),
        (json!({ "items": "/refunds" }), anew(false)),
        (
            json!({ "url": "https://api.example.com/refunds" }),
            anew(false),
        ),
    ];
    for (change, goes) in table {
        let mut fields = fields.clone();
        let changes = change.as_object().expect("fields").clone();
        fields.as_object_mut().expect("fields").extend(changes);
        assert_eq!(poll(fields).after(&before), goes, "{change}");
    }
    let long = poll(json!({ "url": "x".repeat(2_000) }));
    assert!(long.list_key().len() <= 255 && long.cursor_key().len() <= 255);
}

#[test]
fn another_trigger_polls_nothing() {
    assert_eq!(Poll::of(&Document::new("schedule")), None);
}
