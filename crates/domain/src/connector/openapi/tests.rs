//! Tables of small documents: what each rule makes of them; and that nothing panics.

mod any;
mod bodies;
mod fields;
mod service;

use serde_json::{Map, Value, json};

use super::*;
use crate::connector::Operation;

/// Returns a document with one operation, `POST /a/{id}`, changed.
fn document(changes: impl FnOnce(&mut Value)) -> Value {
    let mut document = json!({
        "openapi": "3.0.3",
        "info": { "title": "Shop", "version": "1" },
        "servers": [{ "url": "https://shop.example/v1" }],
        "paths": { "/a/{id}": { "post": {
            "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } }],
            "responses": { "200": { "description": "fine" } },
        } } },
    });
    changes(&mut document);
    document
}

/// Returns what becomes of the operation of [`document`] with these members.
fn operation(members: Value) -> (Operation, Report) {
    imported(&document(|document| {
        let Value::Object(members) = members else {
            return;
        };
        for (key, value) in members {
            document["paths"]["/a/{id}"]["post"][key] = value;
        }
    }))
}

fn imported(document: &Value) -> (Operation, Report) {
    let (connector, report) = import(document, None).expect("it can be imported");
    assert_eq!(connector.check(), Ok(()));
    let first = connector.actions.into_iter().next();
    (first.expect("it has an action"), report)
}

/// Returns the schema of one field.
fn field(operation: &Operation, name: &str) -> Value {
    operation
        .input
        .property(name)
        .cloned()
        .unwrap_or(Value::Null)
}

/// Returns the request that is built for these values.
fn built(document: &Value, values: Value) -> Map<String, Value> {
    let (connector, _) = import(document, None).expect("it can be imported");
    let declared = Declared::of(&connector, &connector.actions[0]);
    let Value::Object(values) = values else {
        panic!("values are an object")
    };
    declared.request(&values).expect("it can be built")
}
