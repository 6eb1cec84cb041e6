//! Tests of what a newer declaration changes.

use serde_json::{Value, json};

use super::*;

fn connector(changes: impl FnOnce(&mut Value)) -> Connector {
    let mut value = json!({
        "form": 1, "key": "shop", "title": "Shop", "version": "1", "base": "https://shop.example",
        "auth": [{ "kind": "bearer" }],
        "actions": [
            {
                "key": "GET /orders", "title": "List orders", "method": "GET", "path": "/orders",
                "input": { "type": "object", "required": ["state"], "properties": {
                    "state": { "type": "string", "enum": ["open", "closed"] },
                    "limit": { "type": "integer", "maximum": 100 },
                    "filter": { "type": "object", "properties": { "a": { "type": "string" } } }
                } },
                "output": { "type": "object", "properties": {
                    "items": { "type": "array", "items": { "type": "object", "properties": {
                        "id": { "type": "integer" }, "name": { "type": "string" } } } }
                } }
            },
            { "key": "GET /gone", "title": "Gone", "method": "GET", "path": "/gone" }
        ]
    });
    changes(&mut value);
    serde_json::from_value(value).expect("it is a connector")
}

/// Returns what differs in the first action, and whether that can break a step.
fn told(changes: impl FnOnce(&mut Value)) -> (Vec<String>, bool) {
    let new = connector(|value| changes(&mut value["actions"][0]));
    let comparison = compare(&connector(|_| {}), &new);
    let Some(changed) = comparison.changed.first() else {
        return (Vec::new(), false);
    };
    (
        changed
            .differences
            .iter()
            .map(ToString::to_string)
            .collect(),
        changed.can_break(),
    )
}

#[test]
fn each_difference_says_whether_it_can_break_a_step() {
    type Change = fn(&mut Value);
    let table: [(Change, &str, bool); 21] = [
        (|_| {}, "", false),
        (
            |a| a["path"] = json!("/v2/orders"),
            "Sent to GET https://shop.example/v2/orders, before to GET https://shop.example/orders.",
            true,
        ),
        (
            |a| a["base"] = json!("https://other.example"),
            "Sent to GET https://other.example/orders, before to GET https://shop.example/orders.",
            true,
        ),
        (
            |a| a["input"]["properties"]["page"] = json!({ "type": "integer" }),
            "New field page.",
            false,
        ),
        (
            |a| {
                a["input"]["properties"]["page"] = json!({ "type": "integer" });
                a["input"]["required"] = json!(["state", "page"]);
            },
            "New field page, which has to be filled in.",
            true,
        ),
        (
            |a| {
                a["input"]["properties"]["page"] = json!({ "type": "integer", "default": 1 });
                a["input"]["required"] = json!(["state", "page"]);
            },
            "New field page.",
            false,
        ),
        (
            |a| {
                drop(
                    a["input"]["properties"]
                        .as_object_mut()
                        .and_then(|p| p.remove("limit")),
                )
            },
            "The field limit is gone: its value is not sent any more.",
            true,
        ),
        (
            |a| a["input"]["required"] = json!(["state", "limit"]),
            "limit has to be filled in now.",
            true,
        ),
        (
            |a| a["input"]["required"] = json!([]),
            "state need not be filled in any more.",
            false,
        ),
        (
            |a| a["input"]["properties"]["limit"] = json!({ "type": "string" }),
            "limit is string now, before integer.",
            true,
        ),
        (
            |a| a["input"]["properties"]["limit"] = json!({ "type": "number" }),
            "limit is number now, before integer.",
            false,
        ),
        (
            |a| a["input"]["properties"]["state"]["enum"] = json!(["open"]),
            "state cannot be closed any more.",
            true,
        ),
        (
            |a| a["input"]["properties"]["state"]["enum"] = json!(["open", "closed", "all"]),
            "state takes more than before.",
            false,
        ),
        (
            |a| a["input"]["properties"]["limit"]["maximum"] = json!(50),
            "limit takes less than before.",
            true,
        ),
        (
            |a| a["input"]["properties"]["limit"]["maximum"] = json!(500),
            "limit takes more than before.",
            false,
        ),
        (
            |a| a["input"]["properties"]["filter"]["required"] = json!(["a"]),
            "filter takes less than before.",
            true,
        ),
        (
            |a| a["input"]["properties"]["filter"]["properties"]["b"] = json!({}),
            "What stands within filter is described otherwise.",
            false,
        ),
        (
            |a| {
                drop(
                    a["output"]["properties"]["items"]["items"]["properties"]
                        .as_object_mut()
                        .and_then(|p| p.remove("id")),
                )
            },
            "The output items[].id is gone: expressions that use it find nothing.",
            true,
        ),
        (
            |a| {
                a["output"]["properties"]["items"]["items"]["properties"]["id"] =
                    json!({ "type": "string" })
            },
            "items[].id is string now, before integer.",
            true,
        ),
        (
            |a| a["output"]["properties"]["total"] = json!({ "type": "integer" }),
            "New output total.",
            false,
        ),
        (
            |a| a["title"] = json!("All orders"),
            "Names and descriptions.",
            false,
        ),
    ];
    for (change, expected, breaks) in table {
        let (told, can_break) = told(change);
        assert_eq!(told.join(" "), expected);
        assert_eq!(can_break, breaks, "{expected}");
    }
}

#[test]
fn actions_are_known_by_their_key_and_the_rest_is_told_in_sentences() {
    let new = connector(|value| {
        value["version"] = json!("2");
        value["auth"] = json!([]);
        value["actions"][1] =
            json!({ "key": "GET /new", "title": "New", "method": "GET", "path": "/new" });
    });
    let comparison = compare(&connector(|_| {}), &new);
    let keys = |listed: &[Listed]| listed.iter().map(|one| one.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&comparison.added), ["GET /new"]);
    assert_eq!(keys(&comparison.removed), ["GET /gone"]);
    assert_eq!((comparison.changed.len(), comparison.same), (0, 1));
    assert_eq!(
        comparison.connector,
        ["Version: 1 → 2", "Connections: Bearer token → none"]
    );
    assert!(!comparison.is_empty());
    assert!(compare(&new, &new).is_empty());
}

#[test]
fn what_breaks_is_told_first() {
    let (told, _) = told(|a| {
        a["title"] = json!("All orders");
        a["input"]["properties"]["page"] = json!({ "type": "integer" });
        a["output"]["properties"] = json!({ "items": { "type": "string" } });
    });
    assert_eq!(
        told,
        [
            "items is string now, before array.",
            "New field page.",
            "Names and descriptions."
        ]
    );
}
