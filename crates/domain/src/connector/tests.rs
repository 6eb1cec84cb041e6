//! Tests of connectors: what is refused, what is sent, and that nothing panics.

mod carried;
mod hostile;
mod logic;
mod refused;
mod sent;

use serde_json::{Map, Value, json};

use super::*;

/// Returns a connector that is whole, with some of everything.
fn whole() -> Value {
    json!({
        "form": 1,
        "key": "example",
        "title": "Example",
        "description": "A service.",
        "version": "2.1",
        "base": "https://{site}.example.com/v1/{account}",
        "headers": { "Accept": "application/json" },
        "auth": [
            { "kind": "bearer", "help": "Settings, Tokens." },
            { "kind": "header_key", "names": ["X-Api-Key"] },
            { "kind": "oauth", "oauth": {
                "authorization_url": "https://example.com/authorize",
                "token_url": "https://example.com/token",
                "scopes": "orders.read" } },
        ],
        "actions": [
            {
                "key": "list orders",
                "title": "List orders",
                "method": "GET",
                "path": "/orders",
                "input": {
                    "type": "object",
                    "required": ["site", "account"],
                    "properties": {
                        "site": { "type": "string" },
                        "account": { "type": "string" },
                        "status": { "type": "string", "enum": ["open", "closed"] },
                        "ids": { "type": "array", "items": { "type": "integer" } },
                        "perPage": { "type": "integer" },
                        "trace": { "type": "string" },
                    },
                },
                "places": {
                    "ids": { "in": "query", "name": "id", "style": "comma" },
                    "perPage": { "in": "query", "name": "per_page" },
                    "trace": { "in": "header", "name": "X-Trace" },
                },
                "output": { "type": "array", "items": { "type": "object", "required": ["id"],
                    "properties": { "id": { "type": "integer" } } } },
                "paging": { "by": "page", "field": "perPage" },
                "rate": { "requests": 10, "seconds": 1 },
            },
            {
                "key": "create order",
                "title": "Create an order",
                "method": "POST",
                "path": "/orders?notify=1",
                "body": "json",
                "headers": { "accept": "application/vnd.example+json" },
                "expected_status": "201",
                "input": {
                    "type": "object",
                    "required": ["site", "account", "email"],
                    "properties": {
                        "site": { "type": "string" },
                        "account": { "type": "string" },
                        "email": { "type": "string" },
                        "urgent": { "type": "boolean" },
                        "priority": { "type": "integer", "enum": [1, 2, 3] },
                        "city": { "type": "string" },
                        "lines": { "type": "array" },
                    },
                },
                "places": {
                    "email": { "in": "body", "name": "/customer/e-mail" },
                    "city": { "in": "body", "name": "/customer/address/city" },
                },
            },
        ],
        "tests": [{
            "name": "One page",
            "action": "list orders",
            "input": { "site": "acme", "account": "7", "ids": [1, 2] },
            "request": {
                "method": "GET",
                "url": "https://acme.example.com/v1/7/orders",
                "query": { "id": "1,2" },
                "headers": { "accept": "application/json" },
            },
            "answer": { "status": 200, "body": [{ "id": 1 }] },
        }],
    })
}

fn read(connector: &Value) -> Result<Connector, Vec<Fault>> {
    Connector::read(&connector.to_string())
}

fn declared(connector: &Value, key: &str) -> Declared {
    let connector = read(connector).expect("it is whole");
    let operation = connector.action(key).expect("it has the action");
    Declared::of(&connector, operation)
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is no object"),
    }
}

#[test]
fn a_connector_comes_back_as_it_was_written() {
    let connector = read(&whole()).expect("it is whole");
    assert_eq!(connector.broken_examples(), []);
    let text = serde_json::to_string(&connector).expect("it is JSON");
    assert_eq!(Connector::read(&text).as_ref(), Ok(&connector));
    // Documents are stored as canonical JSON, which knows no order of members.
    let declared = declared(&whole(), "list orders");
    let stored = crate::canonical::of(&declared).expect("it is JSON");
    let again: Declared = serde_json::from_str(&stored).expect("it is a declaration");
    assert_eq!(again, declared);
    let names = |of: &Declared| -> Vec<String> {
        of.action()
            .input
            .fields
            .iter()
            .map(|field| field.name.clone())
            .collect()
    };
    assert_eq!(names(&again), names(&declared));
    assert_eq!(
        names(&again),
        [
            "connection",
            "site",
            "account",
            "status",
            "ids",
            "perPage",
            "trace",
            "timeout_seconds"
        ]
    );
    assert_eq!(again.check(), Ok(()));
}

#[test]
fn an_example_that_does_not_hold_says_what_differs() {
    let mut connector = whole();
    connector["tests"][0]["request"]["query"] = json!({ "id": "1" });
    connector["tests"][0]["answer"]["body"] = json!([{ "id": "1" }]);
    let broken = read(&connector).expect("it can be read").broken_examples();
    let told: Vec<String> = broken.iter().map(Fault::to_string).collect();
    assert_eq!(
        told,
        [
            r#"tests “One page”: The query is {"id":"1,2"}, but {"id":"1"} is expected."#,
            "tests “One page”: The answer's body is not as the output says, at `/0/id`: it is a string, not integer.",
        ]
    );
}

#[test]
fn the_form_of_an_action_asks_in_words_that_people_read() {
    let declared = declared(&whole(), "create order");
    let action = declared.action();
    let field = |name: &str| action.input.field(name).expect("it is there");
    assert_eq!(field("urgent").title, "Urgent");
    let yes = ("true".to_owned(), "Yes".to_owned());
    let no = ("false".to_owned(), "No".to_owned());
    assert_eq!(
        field("urgent").kind,
        crate::schema::FieldKind::Choice(vec![yes, no])
    );
    assert!(field("connection").required && field("email").required);
    assert_eq!(field("no_answer").default, Some(json!("doubt")));
    assert_eq!(action.effect(&Map::new()), Effect::Write);
    assert_eq!(action.title, "Create an order");
    assert_eq!(
        declared.line(),
        "POST https://{site}.example.com/v1/{account}/orders?notify=1"
    );
    let list = super::tests::declared(&whole(), "list orders");
    assert_eq!(list.action().effect(&Map::new()), Effect::Read);
    let body = list.action().output.field("body").expect("it is there");
    assert_eq!(body.example, Some(json!([{ "id": 1 }])));
}
