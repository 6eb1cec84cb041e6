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
        // Only who is new is told as new, and the others all the same.
        (
            &known,
            with_known(wide()),
            "z.example.com may be called for the first time: “Put” runs a component that may write, with `trigger.body.id`.\nA new write: “Put” runs a component that may write to store.example.com, with `trigger.body.id`.",
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
            "“Put” may no longer send requests to z.example.com (not called any more).",
        ),
        (
            &one,
            &put('a', &["https://y.example.com", "https://z.example.com"]),
            "“Put” may send requests to y.example.com and z.example.com (none of them called before) instead of store.example.com (not called any more), with `trigger.body.id`.",
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
}

#[test]
fn nothing_is_told_of_code_that_only_moved_or_is_called_otherwise() {
    let put = || runs('a', "put", None, HOSTS);
    let other = || get(2, "Other", "https://other.example.com/");
    let before = document(&[(None, put()), other()]);
    let mut named = put();
    named.name = "Store it".to_owned();
    // The connector has another version, and the action another key and title.
    let newer = declared(json!({
        "form": 1, "key": "store", "title": "Store", "base": "https://store.example.com",
        "version": "2", "auth": [{ "kind": "key_pair" }],
        "component": { "sha256": "a".repeat(64), "hosts": HOSTS },
        "actions": [{ "key": "act_2", "title": "Act again", "run": "put", "input": {
            "type": "object", "properties": { "text": { "type": "string" } } } }],
    }));
    assert_ne!(newer.action, put().action);
    for after in [
        document(&[other(), (None, put())]),
        document(&[(None, named), other()]),
        document(&[(None, newer), other()]),
    ] {
        assert_ne!(before.canonical(), after.canonical());
        assert_eq!(told(&before, &after), [""; 0]);
    }
}

/// Returns the step that sends a plain request with the connection that a component gets.
fn request() -> Step {
    declared(json!({
        "form": 1, "key": "store", "title": "Store", "base": "https://store.example.com",
        "auth": [{ "kind": "bearer" }],
        "actions": [{ "key": "act", "title": "Act", "method": "POST", "path": "/", "input": {
            "type": "object", "properties": { "text": { "type": "string" } } } }],
    }))
}

#[test]
fn a_request_that_becomes_a_component_is_told_by_what_is_added_and_gone() {
    let run = |hosts| runs('a', "put", None, hosts);
    let wide: &[&str] = &["https://store.example.com", "https://z.example.com"];
    let elsewhere: &[&str] = &["https://z.example.com"];
    let becomes =
        |to: &str| format!("“Put” runs a component that may write to {to}, instead of a POST.");
    let back = "“Put” sends a POST to store.example.com, instead of a component that may write."
        .to_owned();
    let store = "store.example.com and the origins of its connection";
    let said = |text: &str| text.to_owned();
    let table = [
        // It has the origins of its connection, as its credentials were sent before.
        (
            connected(request(), 7),
            connected(run(HOSTS), 7),
            vec![
                said(
                    "“Put” may send requests also to the origins of its connection, with `trigger.body.id`.",
                ),
                becomes(store),
            ],
        ),
        (
            connected(run(HOSTS), 7),
            connected(request(), 7),
            vec![
                said("“Put” may no longer send requests to the origins of its connection."),
                back.clone(),
            ],
        ),
        (
            request(),
            run(wide),
            vec![
                said(
                    "“Put” may send requests also to z.example.com (not called before), with `trigger.body.id`.",
                ),
                becomes("store.example.com and z.example.com"),
            ],
        ),
        (
            run(wide),
            request(),
            vec![
                said("“Put” may no longer send requests to z.example.com (not called any more)."),
                back.clone(),
            ],
        ),
        (
            request(),
            run(elsewhere),
            vec![
                said(
                    "“Put” may send requests to z.example.com (not called before) instead of store.example.com (not called any more), with `trigger.body.id`.",
                ),
                becomes("z.example.com"),
            ],
        ),
        (
            run(elsewhere),
            request(),
            vec![
                said(
                    "“Put” sends a POST to store.example.com (not called before) instead of z.example.com (not called any more), with `trigger.body.id`.",
                ),
                back.clone(),
            ],
        ),
        // With another connection, the note of its credentials tells of its origins.
        (
            request(),
            connected(run(HOSTS), 7),
            vec![
                said("“Put” may call the origins of a connection, with its credentials."),
                becomes(store),
                said("`trigger.body.id` now also goes to the origins of its connection, in “Put”."),
            ],
        ),
        (
            connected(run(HOSTS), 7),
            request(),
            vec![
                said("“Put” sends no credentials to store.example.com any more."),
                said("“Put” may no longer send requests to the origins of its connection."),
                back.clone(),
            ],
        ),
        (
            connected(run(&[]), 7),
            connected(request(), 8),
            vec![
                said(
                    "“Put” sends a POST to store.example.com (not called before), with `trigger.body.id`.",
                ),
                said(
                    "Connection rebound: “Put” sends the credentials of another connection to store.example.com.",
                ),
                back.clone(),
            ],
        ),
    ];
    for (before, after, expected) in table {
        assert_eq!(told(&of(before), &of(after)), expected);
    }
    // Its connection's origins, which it may call still, are most likely where it was called.
    let same = told(&of(connected(request(), 7)), &of(connected(run(&[]), 7)));
    assert!(!same.concat().contains("any more"), "{same:?}");
}

#[test]
fn whoever_was_not_called_before_is_counted_by_host() {
    let [x, y, z] = [
        "https://x.example.com",
        "https://y.example.com",
        "https://z.example.com",
    ];
    let run = |hosts: &[&str]| runs('a', "put", None, hosts);
    let known = || get(2, "Known", "https://y.example.com/");
    let credentials = "“Put” may call the origins of a connection, with its credentials.";
    let origins = "`trigger.body.id` now also goes to the origins of its connection, in “Put”.";
    let table = [
        // A first connection makes no host a new one.
        (
            run(&[x, z]),
            connected(run(&[x]), 7),
            vec![
                credentials,
                "“Put” may no longer send requests to z.example.com (not called any more).",
                origins,
            ],
        ),
        (
            run(&[x]),
            connected(run(&[x, y]), 7),
            vec![
                credentials,
                "“Put” may send requests also to y.example.com, with `trigger.body.id`.",
                origins,
            ],
        ),
        // None, all and some of those that are added.
        (
            run(&[x]),
            run(&[x, y]),
            vec!["“Put” may send requests also to y.example.com, with `trigger.body.id`."],
        ),
        (
            run(&[y]),
            run(&[x, y, z]),
            vec![
                "“Put” may send requests also to x.example.com and z.example.com (none of them called before), with `trigger.body.id`.",
            ],
        ),
        (
            run(&[x]),
            run(&[x, y, z]),
            vec![
                "“Put” may send requests also to y.example.com and z.example.com (z.example.com not called before), with `trigger.body.id`.",
            ],
        ),
        // And of those that are gone.
        (
            run(&[x, y]),
            run(&[x]),
            vec!["“Put” may no longer send requests to y.example.com."],
        ),
        (
            run(&[x, y, z]),
            run(&[x]),
            vec![
                "“Put” may no longer send requests to y.example.com and z.example.com (z.example.com not called any more).",
            ],
        ),
    ];
    for (before, after, expected) in table {
        let with_known = |step| document(&[known(), (None, step)]);
        assert_eq!(told(&with_known(before), &with_known(after)), expected);
    }
}

#[test]
fn a_value_is_told_with_those_alone_who_did_not_get_it() {
    let [x, y] = ["https://x.example.com", "https://y.example.com"];
    let more = |mut step: Step| {
        let text = json!("{{ trigger.body.id }} {{ trigger.body.total }}");
        step.config.insert("text".to_owned(), text);
        step
    };
    let run = |hosts: &[&str]| runs('a', "put", None, hosts);
    let table = [
        // The host lacks one of two values, the origins lack both.
        (
            run(&[x]),
            more(connected(run(&[x]), 7)),
            vec![
                "“Put” may call the origins of a connection, with its credentials.",
                "`trigger.body.id` now also goes to the origins of its connection, in “Put”.",
                "`trigger.body.total` now goes to x.example.com and the origins of its connection, in “Put”.",
            ],
        ),
        // Who stays gets another value as well.
        (
            run(&[x]),
            more(run(&[x, y])),
            vec![
                "“Put” may send requests also to y.example.com (not called before), with `trigger.body.id` and `trigger.body.total`.",
                "`trigger.body.total` now goes to x.example.com, in “Put”.",
            ],
        ),
        (
            run(&[x, y]),
            more(run(&[x])),
            vec![
                "“Put” may no longer send requests to y.example.com (not called any more).",
                "`trigger.body.total` now goes to x.example.com, in “Put”.",
            ],
        ),
    ];
    for (before, after, expected) in table {
        assert_eq!(told(&of(before), &of(after)), expected);
    }
}

#[test]
fn a_host_that_nothing_calls_any_more_is_told_once() {
    let [a, b] = ["https://a.example.com", "https://b.example.com"];
    let put = |hosts: &[&str]| (None, runs('a', "put", None, hosts));
    let list = |hosts: &[&str]| (None, runs('a', "list", Some("read"), hosts));
    let linked = |(inside, step), connection| (inside, connected(step, connection));
    let reads = |host: &str| get(2, "Read", host);
    let shrinks = "“Put” may no longer send requests to b.example.com (not called any more).";
    let table = [
        (vec![put(&[a, b]), reads(b)], vec![put(&[a])], vec![shrinks]),
        (vec![reads(b), put(&[a, b])], vec![put(&[a])], vec![shrinks]),
        // A step that calls as before tells of nobody.
        (
            vec![put(&[a]), reads(b)],
            vec![(None, runs('a', "put", Some("read"), &[a]))],
            vec![
                "A write became a read: “Put” runs a component that only reads from a.example.com, instead of a component that may write.",
                "b.example.com is not called any more: “Read” sent a GET.",
            ],
        ),
        // Of a write and of a read, as many as nothing calls.
        (
            vec![put(&[a, b]), reads(a)],
            vec![reads(a)],
            vec![
                "A write is gone: “Put” ran a component that may write to a.example.com and b.example.com, of which b.example.com is not called any more.",
            ],
        ),
        (
            vec![put(&[a]), reads(a)],
            vec![reads(a)],
            vec!["A write is gone: “Put” ran a component that may write to a.example.com."],
        ),
        (
            vec![put(&[a, b])],
            vec![],
            vec![
                "A write is gone: “Put” ran a component that may write to a.example.com and b.example.com, which are not called any more.",
            ],
        ),
        (
            vec![list(&[a, b]), reads(a)],
            vec![reads(a)],
            vec!["b.example.com is not called any more: “Put” ran a component that only reads."],
        ),
    ];
    for (before, after, expected) in table {
        assert_eq!(told(&document(&before), &document(&after)), expected);
    }
    // A connection that one component has no more, and another had: it is gone with that one.
    let mut other = linked(list(&[]), 7);
    other.1.id = step(3, "log", "Other", json!({})).id;
    other.1.name = "Other".to_owned();
    assert_eq!(
        told(
            &document(&[linked(put(&[a]), 7), other]),
            &document(&[put(&[a])])
        ),
        [
            "“Put” has no connection any more, neither its credentials nor its origins.",
            "The origins of its connection are not called any more: “Other” ran a component that only reads.",
        ]
    );
    // A step that answers now calls its host no more.
    let answers = (None, step(2, "respond", "Read", json!({})));
    assert!(
        told(&document(&[reads(b)]), &document(&[answers]))
            .contains(&"b.example.com is not called any more: “Read” sent a GET.".to_owned())
    );
}

#[test]
fn a_component_with_another_connection_may_call_other_origins() {
    let put = || runs('a', "put", None, HOSTS);
    let (without, one, other) = (of(put()), of(connected(put(), 7)), of(connected(put(), 8)));
    let goes = "`trigger.body.id` now also goes to the origins of its connection, in “Put”.";
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
