//! Parameters and schemas.

use super::*;

fn with_parameter(document: &mut Value, parameter: Value) {
    let parameters = document["paths"]["/a/{id}"]["post"]["parameters"].as_array_mut();
    parameters.expect("it has some").push(parameter);
}

/// Returns the field that a schema of a query parameter becomes, without its title.
fn of_schema(version: &str, schema: Value) -> Value {
    let (operation, _) = imported(&document(|document| {
        document["openapi"] = json!(version);
        document["components"] = json!({ "schemas": {
            "Text": { "type": "string", "description": "Said there." },
            "Again": { "$ref": "#/components/schemas/Text" },
            "Circle": { "$ref": "#/components/schemas/Circle" },
            "Tree": { "type": "object", "properties": {
                "name": { "type": "string" },
                "children": { "type": "array", "items": { "$ref": "#/components/schemas/Tree" } } } },
        } });
        with_parameter(
            document,
            json!({ "name": "q", "in": "query", "schema": schema }),
        );
    }));
    let mut field = field(&operation, "q");
    field
        .as_object_mut()
        .and_then(|field| field.shift_remove("title"));
    field
}

#[test]
fn each_schema_becomes_what_a_form_can_ask_for() {
    let table = [
        (
            "3.0.3",
            json!({ "type": "integer", "minimum": 1, "exclusiveMinimum": true }),
            json!({ "type": "integer", "minimum": 2 }),
        ),
        (
            "3.1.0",
            json!({ "type": "integer", "exclusiveMaximum": 9 }),
            json!({ "type": "integer", "maximum": 8 }),
        ),
        (
            "3.1.0",
            json!({ "type": "number", "exclusiveMinimum": 0 }),
            json!({ "type": "number", "exclusiveMinimum": 0 }),
        ),
        (
            "3.0.3",
            json!({ "type": "string", "nullable": true }),
            json!({ "type": "string", "nullable": true }),
        ),
        (
            "3.1.0",
            json!({ "type": ["string", "null"] }),
            json!({ "type": "string", "nullable": true }),
        ),
        (
            "3.1.0",
            json!({ "type": ["integer", "string"] }),
            json!({ "type": ["string", "integer"] }),
        ),
        (
            "3.1.0",
            json!({ "const": "a" }),
            json!({ "type": "string", "enum": ["a"] }),
        ),
        (
            "3.1.0",
            json!({ "type": "string", "examples": ["x", "y"] }),
            json!({ "type": "string", "examples": ["x"] }),
        ),
        (
            "3.0.3",
            json!({ "type": "string", "example": "x" }),
            json!({ "type": "string", "examples": ["x"] }),
        ),
        (
            "3.0.3",
            json!({ "type": "string", "enum": ["a", 1, null] }),
            json!({ "type": "string", "enum": ["a", "1"] }),
        ),
        (
            "3.0.3",
            json!({ "type": "integer", "enum": [1, "2", "x"] }),
            json!({ "type": "integer", "enum": [1, 2] }),
        ),
        (
            "3.0.3",
            json!({ "type": "string", "maxLength": 900 }),
            json!({ "type": "string", "maxLength": 900, "x-widget": "multiline" }),
        ),
        (
            "3.0.3",
            json!({ "type": "boolean", "default": "false" }),
            json!({ "type": "boolean", "description": "Without it: false." }),
        ),
        (
            "3.0.3",
            json!({ "type": "string", "format": "date" }),
            json!({ "type": "string", "format": "date", "description": "A date such as 2026-01-31." }),
        ),
        (
            "3.0.3",
            json!({ "$ref": "#/components/schemas/Again" }),
            json!({ "type": "string", "description": "Said there." }),
        ),
        (
            "3.1.0",
            json!({ "$ref": "#/components/schemas/Text", "description": "Said here." }),
            json!({ "type": "string", "description": "Said here." }),
        ),
        (
            "3.0.3",
            json!({ "allOf": [{ "$ref": "#/components/schemas/Text" }, { "maxLength": 5 }] }),
            json!({ "type": "string", "description": "Said there.", "maxLength": 5 }),
        ),
        (
            "3.1.0",
            json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] }),
            json!({ "nullable": true, "type": "string" }),
        ),
        (
            "3.0.3",
            json!({ "oneOf": [{ "type": "string", "enum": ["a"] }, { "type": "string", "enum": ["b"] }] }),
            json!({ "type": "string", "enum": ["a", "b"] }),
        ),
        (
            "3.0.3",
            json!({ "anyOf": [{ "type": "number" }, { "type": "string", "enum": [""] }] }),
            json!({ "type": "number" }),
        ),
        (
            "3.0.3",
            json!({ "anyOf": [{ "type": "boolean" }, { "type": "string", "enum": ["true", "false"] }] }),
            json!({ "type": "boolean" }),
        ),
        (
            "3.0.3",
            json!({ "type": "object", "additionalProperties": { "type": "string" } }),
            json!({ "type": "object", "additionalProperties": { "type": "string" }, "x-widget": "map" }),
        ),
    ];
    for (version, schema, expected) in table {
        assert_eq!(of_schema(version, schema.clone()), expected, "{schema}");
    }
}

#[test]
fn alternatives_of_several_shapes_stay_and_are_told() {
    let field = of_schema(
        "3.0.3",
        json!({ "oneOf": [
        { "title": "card_payment", "type": "object", "properties": { "number": { "type": "string" } } },
        { "title": "transfer", "type": "object", "properties": { "iban": { "type": "string" } } },
    ] }),
    );
    assert_eq!(field["description"], "One of: Card payment; Transfer.");
    assert_eq!(field["anyOf"][1]["properties"]["iban"]["type"], "string");
}

#[test]
fn a_schema_that_refers_in_circles_ends() {
    let tree = of_schema("3.0.3", json!({ "$ref": "#/components/schemas/Tree" }));
    assert_eq!(tree["properties"]["children"]["items"]["type"], "object");
    assert!(tree.to_string().len() < 2_000);
    assert_eq!(
        of_schema("3.0.3", json!({ "$ref": "#/components/schemas/Circle" }))["type"],
        "string"
    );
}

#[test]
fn what_cannot_be_followed_is_told_and_any_value_is_taken() {
    let (made, report) = operation(json!({ "parameters": [
        { "name": "id", "in": "path", "required": true, "schema": { "$ref": "other.yaml#/Id" } },
    ] }));
    assert_eq!(field(&made, "id")["type"], "string");
    let told = report.notes[0].to_string();
    assert!(
        told.starts_with("POST /a/{id}: `id`: it refers to another document (`other.yaml#/Id`)."),
        "{told}"
    );
}

#[test]
fn parameters_of_an_operation_go_before_those_of_its_path() {
    let (made, report) = imported(&document(|document| {
        document["components"] = json!({ "parameters": { "Page": { "name": "page", "in": "query", "schema": { "type": "integer" } } } });
        document["paths"]["/a/{id}"]["parameters"] = json!([
            { "name": "id", "in": "path", "required": true, "schema": { "type": "string" } },
            { "name": "lang", "in": "query", "schema": { "type": "string" } },
            { "$ref": "#/components/parameters/Page" },
            { "name": "session", "in": "cookie", "schema": { "type": "string" } },
            { "name": "Accept", "in": "header", "schema": { "type": "string" } },
            { "name": "X-Trace", "in": "header", "schema": { "type": "string" } },
            { "name": "Idempotency-Key", "in": "header", "schema": { "type": "string" } },
        ]);
        document["paths"]["/a/{id}"]["post"]["parameters"] = json!([
            { "name": "id", "in": "path", "required": true, "schema": { "type": "integer" } },
            { "name": "lang", "in": "query", "required": true, "schema": { "enum": ["de"] } },
        ]);
    }));
    let names: Vec<&str> = made
        .input
        .fields
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    assert_eq!(names, ["id", "lang", "page", "X_Trace"]);
    assert_eq!(field(&made, "id")["type"], "integer");
    // Where there is one choice only, it is made.
    assert_eq!(field(&made, "lang")["default"], "de");
    assert!(made.idempotent);
    assert_eq!(
        report.notes[0].text,
        "The cookie `session` is left out. Sluice sends none."
    );
}

#[test]
fn values_are_written_as_the_style_says() {
    let with = |parameter: Value| document(|document| with_parameter(document, parameter));
    let list = json!({ "type": "array", "items": { "type": "string" } });
    let object = json!({ "type": "object", "properties": { "a": { "type": "string" } } });
    let table = [
        (
            json!({ "name": "q", "in": "query", "schema": list }),
            json!(["x", "y"]),
            json!({ "q": ["x", "y"] }),
        ),
        (
            json!({ "name": "q", "in": "query", "explode": false, "schema": list }),
            json!(["x", "y"]),
            json!({ "q": "x,y" }),
        ),
        (
            json!({ "name": "q", "in": "query", "style": "pipeDelimited", "schema": list }),
            json!(["x", "y"]),
            json!({ "q": "x|y" }),
        ),
        (
            json!({ "name": "q", "in": "query", "style": "spaceDelimited", "schema": list }),
            json!(["x", "y"]),
            json!({ "q": "x y" }),
        ),
        (
            json!({ "name": "q", "in": "query", "style": "deepObject", "schema": object }),
            json!({ "a": "x" }),
            json!({ "q[a]": "x" }),
        ),
        (
            json!({ "name": "q", "in": "query", "schema": object }),
            json!({ "a": "x" }),
            json!({ "a": "x" }),
        ),
        (
            json!({ "name": "q", "in": "query", "content": { "application/json": { "schema": object } } }),
            json!({ "a": "x" }),
            json!({ "q": "{\"a\":\"x\"}" }),
        ),
        (
            json!({ "name": "q", "in": "query", "schema": { "type": "array", "items": object } }),
            json!([{ "a": "x" }]),
            json!({ "q": "[{\"a\":\"x\"}]" }),
        ),
    ];
    for (parameter, value, query) in table {
        let request = built(&with(parameter.clone()), json!({ "id": "1", "q": value }));
        assert_eq!(request["query"], query, "{parameter}");
    }
    for (style, url) in [("simple", "x,y"), ("label", ".x,y"), ("matrix", ";id=x,y")] {
        let document = document(|document| {
            document["paths"]["/a/{id}"]["post"]["parameters"][0] =
                json!({ "name": "id", "in": "path", "style": style, "schema": list });
        });
        let request = built(&document, json!({ "id": ["x", "y"] }));
        assert_eq!(request["url"], format!("https://shop.example/v1/a/{url}"));
    }
}

#[test]
fn fields_of_one_name_are_told_apart_and_none_is_called_like_one_of_every_step() {
    let (made, _) = operation(json!({
        "parameters": [
            { "name": "id", "in": "path", "required": true, "schema": { "type": "string" } },
            { "name": "id", "in": "query", "schema": { "type": "string" } },
            { "name": "connection", "in": "query", "schema": { "type": "string" } },
            { "name": "filter[a]", "in": "query", "schema": { "type": "string" } },
        ],
        "requestBody": { "content": { "application/json": { "schema": { "type": "object", "properties": {
            "id": { "type": "string" }, "/x": { "type": "string" } } } } } },
    }));
    let names: Vec<&str> = made
        .input
        .fields
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "id",
            "query_id",
            "query_connection",
            "filter_a",
            "body_id",
            "x"
        ]
    );
}
