//! Bodies and answers.

use crate::connector::{BodyType, Paging};

use super::*;

fn with_body(content: Value) -> Value {
    document(|document| {
        document["paths"]["/a/{id}"]["post"]["requestBody"] =
            json!({ "required": true, "content": content })
    })
}

#[test]
fn members_of_an_object_become_fields_and_anything_else_is_one() {
    let object = json!({ "type": "object", "required": ["name", "made"], "properties": {
        "name": { "type": "string" },
        "made": { "type": "string", "readOnly": true },
        "size": { "type": "integer" },
    } });
    let document = with_body(json!({ "application/json": { "schema": object } }));
    let (made, _) = imported(&document);
    let fields: Vec<(&str, bool)> = made
        .input
        .fields
        .iter()
        .map(|field| (field.name.as_str(), field.required))
        .collect();
    assert_eq!(fields, [("id", true), ("name", true), ("size", false)]);
    let request = built(&document, json!({ "id": "1", "name": "x", "size": "3" }));
    assert_eq!(request["json"], json!({ "name": "x", "size": 3 }));
    for schema in [
        json!({ "type": "array", "items": object }),
        json!({ "oneOf": [object, { "type": "string" }] }),
        json!({ "type": "object" }),
        json!({}),
    ] {
        let document = with_body(json!({ "application/json": { "schema": schema } }));
        let request = built(&document, json!({ "id": "1", "body": [1] }));
        assert_eq!(request["json"], json!([1]), "{schema}");
    }
}

#[test]
fn each_content_type_is_written_as_it_is_called_and_json_goes_first() {
    let object = json!({ "schema": { "type": "object", "properties": {
        "a": { "type": "string" },
        "tags": { "type": "array", "items": { "type": "string" } },
        "file": { "type": "string", "format": "binary" } } } });
    let table = [
        (
            json!({ "text/plain": {}, "application/json": object }),
            BodyType::Json,
            None,
        ),
        (
            json!({ "application/vnd.x+json": object }),
            BodyType::Json,
            Some("application/vnd.x+json"),
        ),
        (
            json!({ "application/x-www-form-urlencoded": object }),
            BodyType::Form,
            None,
        ),
        (
            json!({ "multipart/form-data": object }),
            BodyType::Multipart,
            None,
        ),
        (
            json!({ "application/xml": object }),
            BodyType::Text,
            Some("application/xml"),
        ),
        (json!({ "*/*": object }), BodyType::Json, None),
        (
            json!({ "image/*": object }),
            BodyType::Text,
            Some("application/octet-stream"),
        ),
    ];
    for (content, body, header) in table {
        let (made, _) = imported(&with_body(content.clone()));
        assert_eq!(made.body, body, "{content}");
        assert_eq!(
            made.headers.get("Content-Type").map(String::as_str),
            header,
            "{content}"
        );
    }
    let form = with_body(json!({ "application/x-www-form-urlencoded": object }));
    let request = built(&form, json!({ "id": "1", "a": "x", "tags": ["y", "z"] }));
    assert_eq!(request["form"], json!({ "a": "x", "tags": ["y", "z"] }));
    let parts = with_body(json!({ "multipart/form-data": object }));
    let text = built(&parts, json!({ "id": "1", "file": "content" }))["text"].to_string();
    assert!(
        text.contains("filename=") && text.contains("content"),
        "{text}"
    );
}

#[test]
fn sets_of_members_of_which_one_is_needed_are_told_at_each() {
    let document = with_body(json!({ "application/json": { "schema": {
        "type": "object",
        "properties": { "a": { "type": "string" }, "b": { "type": "string" }, "c": { "type": "string" } },
        "anyOf": [{ "required": ["a"] }, { "required": ["b", "c"] }],
    } } }));
    let (made, _) = imported(&document);
    assert_eq!(field(&made, "b")["description"], "Needed: a, or b with c.");
    assert_eq!(field(&made, "b")["x-one-of"], json!([["a"], ["b", "c"]]));
}

#[test]
fn a_body_that_is_not_given_is_not_sent_where_nobody_expects_one() {
    let document = document(|document| {
        document["paths"]["/a/{id}"]["delete"] = json!({
            "requestBody": { "content": { "application/json": { "schema": { "type": "object", "properties": { "why": { "type": "string" } } } } } },
        });
        document["paths"]["/a/{id}"]
            .as_object_mut()
            .and_then(|item| item.remove("post"));
    });
    assert_eq!(built(&document, json!({ "id": "1" })).get("json"), None);
    assert_eq!(
        built(&document, json!({ "id": "1", "why": "x" }))["json"],
        json!({ "why": "x" })
    );
}

#[test]
fn the_output_is_what_the_first_success_answers_without_what_is_only_sent() {
    let of = |schema: Value| json!({ "content": { "application/json; charset=utf-8": { "schema": schema } } });
    let (made, _) = operation(json!({ "responses": {
        "default": of(json!({ "type": "string" })),
        "201": of(json!({ "type": "object", "required": ["id", "gone"], "properties": {
            "id": { "type": "integer" }, "password": { "type": "string", "writeOnly": true } } })),
        "404": of(json!({ "type": "boolean" })),
    } }));
    assert_eq!(
        made.output,
        json!({ "type": "object", "properties": { "id": { "type": "integer" } }, "required": ["id"] })
    );
    assert_eq!(made.expected_status, "2xx");
}

#[test]
fn long_lists_and_limits_are_told_where_they_can_be() {
    let of = |name: &str, response: Value| {
        let (made, _) = operation(json!({
            "parameters": [
                { "name": "id", "in": "path", "required": true, "schema": { "type": "string" } },
                { "name": name, "in": "query", "schema": { "type": "string" } },
            ],
            "responses": { "200": response, "429": {} },
        }));
        assert!(
            made.description
                .ends_with("The service limits how many requests it takes.")
        );
        made.paging
    };
    let plain = json!({});
    let linked = json!({ "headers": { "Link": {} } });
    let answered = json!({ "content": { "application/json": { "schema": { "type": "object", "properties": {
        "meta": { "type": "object", "properties": { "next_cursor": { "type": "string" } } } } } } } });
    let field = |name: &str| name.to_owned();
    assert_eq!(
        of("page", plain.clone()),
        Some(Paging::Page {
            field: field("page")
        })
    );
    assert_eq!(
        of("offset", plain.clone()),
        Some(Paging::Offset {
            field: field("offset")
        })
    );
    assert_eq!(of("page", linked), Some(Paging::Link));
    let next = "/meta/next_cursor".to_owned();
    assert_eq!(
        of("cursor", answered),
        Some(Paging::Cursor {
            field: field("cursor"),
            next
        })
    );
    assert_eq!(of("q", plain), None);
}

#[test]
fn a_large_operation_is_cut_until_a_step_can_carry_it() {
    let mut properties = Map::new();
    for number in 0..150 {
        let text = "Words that explain. ".repeat(60);
        let inner = json!({ "type": "object", "properties": { "a": { "type": "string", "description": text }, "b": { "type": "string", "description": text } } });
        properties.insert(
            format!("field_{number}"),
            json!({ "type": "object", "description": text, "properties": { "inner": inner } }),
        );
    }
    let schema = json!({ "type": "object", "required": ["field_149"], "properties": properties });
    let document = document(|document| {
        document["paths"]["/a/{id}"]["post"]["requestBody"] =
            json!({ "content": { "application/json": { "schema": schema } } });
        document["paths"]["/a/{id}"]["post"]["responses"]["200"] =
            json!({ "content": { "application/json": { "schema": schema } } });
    });
    let (connector, _) = import(&document, None).expect("it can be imported");
    let declared = Declared::of(&connector, &connector.actions[0]);
    assert!(declared.bytes() <= DECLARED_BYTES);
    assert!(
        declared
            .operation()
            .input
            .field("field_149")
            .is_some_and(|field| field.required)
    );
}
