//! What a reviewer is told of steps that a component runs.

use serde_json::{Value, json};
use uuid::Uuid;

use super::notes::{document, get, step, told};
use crate::Document;
use crate::connector::{Connector, Declared};
use crate::document::Step;

/// The hosts that the component of most tests may call.
const HOSTS: &[&str] = &["https://store.example.com"];

/// Returns the step of an action that a component runs.
fn runs(module: char, run: &str, effect: Option<&str>, hosts: &[&str]) -> Step {
    let mut action = json!({
        "key": "act", "title": "Act", "run": run,
        "input": { "type": "object", "properties": { "text": { "type": "string" } } },
    });
    if let Some(effect) = effect {
        action["effect"] = effect.into();
    }
    let hash: String = std::iter::repeat_n(module, 64).collect();
    declared(json!({
        "form": 1, "key": "store", "title": "Store", "base": "https://store.example.com",
        "auth": [{ "kind": "key_pair" }],
        "component": { "sha256": hash, "hosts": hosts },
        "actions": [action],
    }))
}

/// Returns the step of the only action of a connector.
fn declared(connector: Value) -> Step {
    let connector = Connector::read(&connector.to_string()).expect("it is whole");
    let mut step = step(1, "http.request", "Put", json!({}));
    step.kind = crate::connector::STEP.to_owned();
    step.config = serde_json::Map::new();
    step.config
        .insert("text".to_owned(), json!("{{ trigger.body.id }}"));
    step.action = Some(Declared::of(&connector, &connector.actions[0]));
    step
}

fn connected(mut step: Step, connection: u128) -> Step {
    let id = Uuid::from_u128(connection).to_string();
    step.config.insert("connection".to_owned(), id.into());
    step
}

fn of(step: Step) -> Document {
    document(&[(None, step)])
}

#[test]
fn a_component_is_told_with_whom_it_may_call_and_what_its_action_declares() {
    let none = document(&[]);
    let known = document(&[get(2, "Known", "https://store.example.com/")]);
    let with_known =
        |step: Step| document(&[get(2, "Known", "https://store.example.com/"), (None, step)]);
    let put = || runs('a', "put", None, HOSTS);
    let list = || runs('a', "list", Some("read"), HOSTS);
    let wide = || {
        runs(
            'a',
            "put",
            None,
            &["https://z.example.com", "https://store.example.com"],
        )
    };
    let table = [
        (
            &none,
            of(put()),
            "store.example.com may be called for the first time: “Put” runs a component that may write, with `trigger.body.id`.",
        ),
        (
            &none,
            of(list()),
            "store.example.com may be called for the first time: “Put” runs a component that only reads, with `trigger.body.id`.",
        ),
        // A component that computes calls nobody.
        (&none, of(runs('a', "put", None, &[])), ""),
        // Only who is new is told as new.
        (
            &known,
            with_known(wide()),
            "z.example.com may be called for the first time: “Put” runs a component that may write, with `trigger.body.id`.",
        ),
        (
            &known,
            with_known(put()),
            "A new write: “Put” runs a component that may write to store.example.com, with `trigger.body.id`.",
        ),
        (
            &known,
            with_known(list()),
            "`trigger.body.id` now goes to store.example.com, in “Put”.",
        ),
    ];
    for (before, after, expected) in table {
        assert_eq!(told(before, &after).join("\n"), expected);
    }
    let gone = told(&of(put()), &none);
    assert_eq!(
        gone,
        [
            "A write is gone: “Put” ran a component that may write to store.example.com, which is not called any more."
        ]
    );
    let gone = told(&of(connected(list(), 7)), &none);
    assert_eq!(
        gone,
        [
            "store.example.com and the origins of its connection are not called any more: “Put” ran a component that only reads."
        ]
    );
    // Of hosts that only a reading component called, those that nothing else calls are told.
    let reads = runs(
        'a',
        "list",
        Some("read"),
        &["https://z.example.com", "https://store.example.com"],
    );
    assert_eq!(
        told(&with_known(reads), &known),
        ["z.example.com is not called any more: “Put” ran a component that only reads."]
    );
}

#[test]
fn other_code_other_hosts_and_another_effect_are_told() {
    let put = |module, hosts| of(runs(module, "put", None, hosts));
    let one = put('a', HOSTS);
    let two = put('a', &["https://store.example.com", "https://z.example.com"]);
    let request = of(declared(json!({
        "form": 1, "key": "store", "title": "Store", "base": "https://store.example.com",
        "actions": [{ "key": "act", "title": "Act", "method": "GET", "path": "/", "input": {
            "type": "object", "properties": { "text": { "type": "string" } } } }],
    })));
    let table = [
        (&one, &one, ""),
        (
            &one,
            &put('b', HOSTS),
            "“Put” runs other code than before: a component that may write to store.example.com.",
        ),
        (
            &of(runs('a', "list", Some("read"), HOSTS)),
            &of(runs('b', "list", Some("read"), HOSTS)),
            "“Put” runs other code than before: a component that only reads from store.example.com.",
        ),
        // The same module does something else under another name.
        (
            &one,
            &of(runs('a', "wipe", None, HOSTS)),
            "“Put” runs other code than before: a component that may write to store.example.com.",
        ),
        (
            &put('a', &[]),
            &put('b', &[]),
            "“Put” runs other code than before, in a component that calls nobody.",
        ),
        (
            &one,
            &two,
            "“Put” may send requests also to z.example.com (not called before), with `trigger.body.id`.",
        ),
        (
            &two,
            &one,
            "“Put” may send requests to z.example.com no more.",
        ),
        (
            &one,
            &put('a', &["https://y.example.com", "https://z.example.com"]),
            "“Put” may send requests to y.example.com and z.example.com (not all of them called before) instead of store.example.com, with `trigger.body.id`.",
        ),
        (
            &of(runs('a', "put", Some("read"), HOSTS)),
            &one,
            "A read became a write: “Put” runs a component that may write to store.example.com, instead of a component that only reads.",
        ),
        (
            &one,
            &of(runs('a', "put", Some("read"), HOSTS)),
            "A write became a read: “Put” runs a component that only reads from store.example.com, instead of a component that may write.",
        ),
        (
            &request,
            &of(runs('a', "list", Some("read"), HOSTS)),
            "“Put” runs a component that only reads from store.example.com, instead of a GET.",
        ),
    ];
    for (before, after, expected) in table {
        assert_eq!(told(before, after).join("\n"), expected);
    }
    // Nothing is told of code that only moved, or was given another name and version.
    let mut renamed = one.clone();
    let step = renamed.steps.values_mut().next().expect("it is there");
    step.name = "Store it".to_owned();
    assert_eq!(told(&one, &renamed), [""; 0]);
}

#[test]
fn a_component_with_another_connection_may_call_other_origins() {
    let put = || runs('a', "put", None, HOSTS);
    let (without, one, other) = (of(put()), of(connected(put(), 7)), of(connected(put(), 8)));
    let goes = "`trigger.body.id` now also goes to store.example.com and the origins of its connection, in “Put”.";
    let table = [
        (
            &without,
            &one,
            vec![
                "“Put” may call the origins of a connection, with its credentials.",
                goes,
            ],
        ),
        (
            &one,
            &other,
            vec![
                "Connection rebound: “Put” may call the origins of another connection, with its credentials.",
                goes,
            ],
        ),
        (
            &one,
            &without,
            vec!["“Put” has no connection any more, neither its credentials nor its origins."],
        ),
    ];
    for (before, after, expected) in table {
        assert_eq!(told(before, after), expected);
    }
    let alone = of(connected(runs('a', "put", None, &[]), 7));
    assert_eq!(
        told(&document(&[]), &alone)[0],
        "The origins of its connection may be called for the first time: “Put” runs a component that may write, with `trigger.body.id`."
    );
}
