//! What changes mean for the data, sentence by sentence.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::change::{Changes, Receiver, notes};
use crate::document::Step;
use crate::edit::new_step;
use crate::{Document, LaneId, StepId, catalog, slug};

/// Returns the step of a number, called by its kind and number if nothing else is said.
pub(super) fn step(number: u128, kind: &str, name: &str, config: Value) -> Step {
    let action = catalog::action(kind).expect("it is in the catalog");
    let id = StepId::new(Uuid::from_u128(number));
    let mut lane = 1000 * number;
    let mut step = new_step(action, id, name, slug::of(name), || {
        lane += 1;
        LaneId::new(Uuid::from_u128(lane))
    });
    for (field, value) in config.as_object().into_iter().flatten() {
        step.config.insert(field.clone(), value.clone());
    }
    step
}

/// Returns a document; each step comes with the step whose first lane it is in, if any.
pub(super) fn document(steps: &[(Option<u128>, Step)]) -> Document {
    let mut document = Document::new("webhook");
    for (inside, step) in steps {
        match inside {
            None => document.flow.push(step.id),
            Some(container) => {
                let container = document
                    .steps
                    .get_mut(&StepId::new(Uuid::from_u128(*container)));
                container.expect("it is there already").lanes[0]
                    .steps
                    .push(step.id);
            }
        }
        document.steps.insert(step.id, step.clone());
    }
    document
}

pub(super) fn told(before: &Document, after: &Document) -> Vec<String> {
    let changes = Changes::between(before, after);
    notes(before, after, &changes)
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn call(number: u128, name: &str, called: u128) -> (Option<u128>, Step) {
    let called = Uuid::from_u128(called).to_string();
    let config = json!({"integration": called, "input": {"id": "{{ trigger.body.id }}"}});
    (None, step(number, "integration.call", name, config))
}

#[test]
fn a_call_of_an_integration_is_told_as_a_write_with_what_it_gets() {
    let (none, one, other) = (
        document(&[get(1, "Load", "https://a.example/")]),
        document(&[get(1, "Load", "https://a.example/"), call(2, "Bill", 7)]),
        document(&[get(1, "Load", "https://a.example/"), call(2, "Bill", 8)]),
    );
    let table = [
        (
            &none,
            &one,
            "Another integration is called for the first time: “Bill” sends a call, with `trigger.body.id`.",
        ),
        (
            &one,
            &other,
            "“Bill” calls another integration than before, with `trigger.body.id`.",
        ),
        (
            &one,
            &none,
            "A write is gone: “Bill” sent a call to another integration, which is not called any more.",
        ),
    ];
    for (before, after, expected) in table {
        assert_eq!(told(before, after), [expected]);
    }
}

pub(super) fn get(number: u128, name: &str, url: &str) -> (Option<u128>, Step) {
    (
        None,
        step(number, "http.request", name, json!({ "url": url })),
    )
}

fn post(number: u128, name: &str, url: &str, json: Value) -> (Option<u128>, Step) {
    let config = json!({ "method": "POST", "url": url, "body_type": "json", "json": json });
    (None, step(number, "http.request", name, config))
}

fn inside(container: u128, (_, step): (Option<u128>, Step)) -> (Option<u128>, Step) {
    (Some(container), step)
}

const A: &str = "https://a.example.com/x";
const B: &str = "https://b.example.com/x";

#[test]
fn an_address_says_who_receives() {
    let host = |host: &str| Some(Receiver::Host(host.to_owned()));
    let made = |text: &str| Some(Receiver::Made(text.to_owned()));
    let table = [
        (
            "https://API.example.com/orders?x=1",
            host("api.example.com"),
        ),
        ("  http://api.example.com  ", host("api.example.com")),
        ("HTTPS://api.example.com:443/", host("api.example.com")),
        ("http://api.example.com:443/", host("api.example.com:443")),
        ("https://api.example.com:8443", host("api.example.com:8443")),
        (
            "https://user:pass@api.example.com/",
            host("api.example.com"),
        ),
        (
            "https://good.example.com@evil.example.org/",
            host("evil.example.org"),
        ),
        (
            "https://evil.example.org\\@good.example.com/",
            host("evil.example.org"),
        ),
        (
            "https://evil.example.org#@good.example.com/",
            host("evil.example.org"),
        ),
        ("https://[::1]:8080/x", host("[::1]:8080")),
        ("https://api.example.com/{{ a.b }}", host("api.example.com")),
        ("https://api.example.com?x={{ a }}", host("api.example.com")),
        (
            "https://api.example.com{{ path }}",
            made("https://api.example.com{{ path }}"),
        ),
        (
            "https://{{ a / b }}.example.com/x",
            made("https://{{ a / b }}.example.com"),
        ),
        (
            "https://{{ a }}@api.example.com/x",
            made("https://{{ a }}@api.example.com"),
        ),
        (
            "{{ steps.get.body.url }}/x/y",
            made("{{ steps.get.body.url }}"),
        ),
        ("{{ open", made("{{ open")),
        ("https:///x", None),
        ("ftp://api.example.com/x", None),
        ("api.example.com/x", None),
        ("", None),
    ];
    for (address, expected) in table {
        assert_eq!(Receiver::of(address), expected, "{address}");
    }
}

#[test]
fn letters_that_look_like_others_are_told() {
    let receiver = Receiver::of("https://аpi.example.com/").map(|receiver| receiver.to_string());
    assert_eq!(
        receiver.as_deref(),
        Some("аpi.example.com (with letters beyond a to z)")
    );
}

#[test]
fn each_kind_of_note_says_what_happened() {
    let email = json!({ "to": "{{ trigger.body.email }}" });
    let nothing = json!({});
    let table = [
        (
            vec![get(1, "Get", A)],
            vec![get(1, "Get", A), post(2, "Send", A, email.clone())],
            vec!["A new write: “Send” sends a POST to a.example.com, with `trigger.body.email`."],
        ),
        (
            vec![],
            vec![get(1, "Get", "{{ trigger.body.url }}")],
            vec![
                "An address made from `{{ trigger.body.url }}` is called for the first time: “Get” sends a GET, with `trigger.body.url`.",
            ],
        ),
        (
            vec![get(1, "Get", A), post(2, "Send", B, nothing.clone())],
            vec![get(1, "Get", A), post(2, "Send", A, email.clone())],
            vec![
                "“Send” sends a POST to a.example.com instead of b.example.com (not called any more), with `trigger.body.email`.",
            ],
        ),
        (
            vec![post(1, "Send", A, nothing.clone())],
            vec![get(1, "Send", A)],
            vec!["A write became a read: “Send” sends a GET to a.example.com, instead of a POST."],
        ),
        (
            vec![
                post(1, "Send", A, nothing.clone()),
                post(2, "Tell", B, email.clone()),
            ],
            vec![
                post(1, "Send", A, email.clone()),
                post(2, "Tell", B, email.clone()),
            ],
            vec!["`trigger.body.email` now also goes to a.example.com, in “Send”."],
        ),
        (
            vec![(None, step(1, "log", "Log", json!({ "message": "x" })))],
            vec![
                (None, step(1, "log", "Log", json!({ "message": "x" }))),
                (
                    None,
                    step(
                        2,
                        "respond",
                        "Answer",
                        json!({ "json": "{{ trigger.headers.host }}" }),
                    ),
                ),
            ],
            vec![
                "The caller of the webhook now waits for the answer that “Answer” gives, with `trigger.headers.host`.",
            ],
        ),
        (
            vec![get(1, "Get", A), get(2, "Get more", A)],
            vec![get(1, "Get", A)],
            vec![],
        ),
        (
            vec![
                (
                    None,
                    step(
                        9,
                        "loop",
                        "Each",
                        json!({ "items": "{{ trigger.body.lines }}" }),
                    ),
                ),
                inside(9, post(1, "Send", A, nothing.clone())),
                inside(9, post(2, "Save", A, nothing.clone())),
                (None, step(8, "branch", "Decide", nothing.clone())),
            ],
            vec![
                (None, step(8, "branch", "Decide", nothing.clone())),
                (
                    Some(8),
                    step(
                        9,
                        "loop",
                        "Each",
                        json!({ "items": "{{ trigger.body.lines }}" }),
                    ),
                ),
                inside(9, post(1, "Send", A, nothing.clone())),
                inside(9, post(2, "Save", A, nothing.clone())),
            ],
            vec![
                "“Each”, with 2 writes in it, now runs only in “If” of “Decide”; before, it ran at the top level.",
            ],
        ),
        (
            vec![
                (
                    None,
                    step(
                        7,
                        "filter",
                        "Only paid",
                        json!({ "condition": "trigger.body.paid" }),
                    ),
                ),
                post(1, "Send", A, nothing.clone()),
                post(2, "Save", A, nothing.clone()),
            ],
            vec![
                post(1, "Send", A, nothing.clone()),
                post(2, "Save", A, nothing.clone()),
                (
                    None,
                    step(
                        7,
                        "filter",
                        "Only paid",
                        json!({ "condition": "trigger.body.paid" }),
                    ),
                ),
            ],
            vec!["“Send” and “Save”, writes, no longer wait for the filter “Only paid”."],
        ),
    ];
    for (before, after, expected) in table {
        assert_eq!(told(&document(&before), &document(&after)), expected);
    }
}

#[test]
fn values_are_followed_to_where_they_come_from() {
    let set = |number, name: &str, values: Value| {
        (None, step(number, "set", name, json!({ "values": values })))
    };
    let before = vec![post(
        9,
        "Send",
        A,
        json!({ "all": "{{ trigger.headers }}" }),
    )];
    let goes = |steps: Vec<(Option<u128>, Step)>, body: &str| {
        let mut after = steps;
        after.push(post(
            9,
            "Send",
            A,
            json!({ "all": "{{ trigger.headers }}", "more": body }),
        ));
        told(&document(&before), &document(&after))
    };
    let sent = |what: &str| vec![format!("{what} to a.example.com, in “Send”.")];
    let person = json!({ "name": "{{ trigger.body.name }}", "mail": { "to": "{{ trigger.body.email | lower }}" }, "all": "{{ trigger.body }}", "no": 1 });
    let steps = || {
        vec![
            set(1, "Person", person.clone()),
            set(
                2,
                "Copy",
                json!({ "of": "{{ steps.person }}", "x": "{{ steps.person.all }}" }),
            ),
        ]
    };
    let table = [
        (
            "{{ steps.person.name }}",
            sent("`trigger.body.name` now goes"),
        ),
        (
            "{{ steps.person.mail.to }}",
            sent("`trigger.body.email` now goes"),
        ),
        (
            "{{ steps.person.all.deep }}",
            sent("`trigger.body.deep` now goes"),
        ),
        (
            "{{ steps.person.all['deep'] | upper }}",
            sent("`trigger.body.deep` now goes"),
        ),
        (
            "{{ steps.copy.x.deep }}",
            sent("`trigger.body.deep` now goes"),
        ),
        (
            "{{ steps.copy.of.name }}",
            sent("`trigger.body.name` now goes"),
        ),
        ("{{ steps.person.no }}", vec![]),
        // All headers went there before.
        ("{{ trigger.headers.cookie }}", vec![]),
        ("{{ run.id }}", vec![]),
    ];
    for (body, expected) in table {
        assert_eq!(goes(steps(), body), expected, "{body}");
    }
    let looped = vec![
        (
            None,
            step(
                1,
                "loop",
                "Each",
                json!({ "items": "{{ trigger.body.lines }}" }),
            ),
        ),
        inside(
            1,
            post(
                9,
                "Send",
                A,
                json!({ "all": "{{ trigger.headers }}", "a": "{{ item.sku }}", "b": "{{ steps.each.item.price }}", "c": "{{ index }}" }),
            ),
        ),
    ];
    let told = told(&document(&before), &document(&looped));
    assert_eq!(
        told[1],
        "`trigger.body.lines[].price` and `trigger.body.lines[].sku` now go to a.example.com, in “Send”."
    );
}

#[test]
fn what_an_expression_could_turn_on_is_sent() {
    let request = |body_type: Value, json: Value| {
        let config = json!({ "method": "POST", "url": A, "body_type": body_type, "json": json });
        document(&[(None, step(1, "http.request", "Send", config))])
    };
    let secret = json!("{{ trigger.body.secret }}");
    let before = request(json!("none"), json!("x"));
    assert_eq!(
        told(&before, &request(json!("none"), secret.clone())),
        [""; 0]
    );
    let changes = Changes::between(&before, &request(json!("none"), secret.clone()));
    assert!(changes.steps[0].is_quiet());
    // The body may be sent now, whatever the form shows.
    let after = request(json!("{{ 'json' }}"), secret);
    assert_eq!(
        told(&before, &after),
        ["`trigger.body.secret` now goes to a.example.com, in “Send”."]
    );
    assert!(
        Changes::between(&before, &after).steps[0]
            .fields
            .iter()
            .all(|field| !field.is_quiet())
    );
}

#[test]
fn long_chains_and_wide_values_end() {
    let mut steps = vec![(
        None,
        step(
            1,
            "set",
            "S0",
            json!({ "values": { "a": "{{ trigger.body.a }}" } }),
        ),
    )];
    for number in 1..300_u128 {
        let all = format!("{{{{ steps.s{} }}}}", number - 1);
        let values = json!({ "values": { "a": all, "b": all, "c": { "d": [all, all] } } });
        steps.push((None, step(number + 1, "set", &format!("S{number}"), values)));
    }
    let before = document(&steps);
    steps.push(post(1000, "Send", A, json!("{{ steps.s299 }}")));
    let told = told(&before, &document(&steps));
    assert!(
        told[0].starts_with("a.example.com is called for the first time"),
        "{told:?}"
    );
}

#[test]
fn a_reference_that_follows_a_rename_is_no_other_step() {
    let log = |number, name: &str, message: &str| {
        (
            None,
            step(number, "log", name, json!({ "message": message })),
        )
    };
    let before = document(&[
        log(1, "One", "1"),
        log(2, "Two", "2"),
        log(3, "Both", "{{ steps.one.message }} {{ steps.two.message }}"),
    ]);
    let swapped = |message: &str| {
        document(&[
            log(1, "Two", "1"),
            log(2, "One", "2"),
            log(3, "Both", message),
        ])
    };
    assert_eq!(
        told(
            &before,
            &swapped("{{ steps.two.message }} {{ steps.one.message }}")
        ),
        [""; 0]
    );
    assert_eq!(
        told(
            &before,
            &swapped("{{ steps.one.message }} {{ steps.two.message }}")
        ),
        [
            "“Both” uses `steps.one` as before, but that is now another step: “One”, no longer “Two”.",
            "“Both” uses `steps.two` as before, but that is now another step: “Two”, no longer “One”.",
        ]
    );
    let used = document(&[
        log(1, "One", "1"),
        log(3, "Both", "{{ steps.one.message }}"),
    ]);
    let replaced = document(&[
        log(2, "One", "2"),
        log(3, "Both", "{{ steps.one.message }}"),
    ]);
    assert_eq!(
        told(&used, &replaced),
        ["“Both” uses `steps.one` as before, but that is now another step of the same name."]
    );
}

#[test]
fn another_connection_is_told_with_the_host_that_gets_its_credentials() {
    let with = |connection: Option<u128>| {
        let mut call = get(1, "Call", "https://api.example.com/orders");
        if let Some(id) = connection {
            let id = json!(Uuid::from_u128(id));
            call.1.config.insert("connection".to_owned(), id);
        }
        document(&[call])
    };
    for (was, is, expected) in [
        (Some(1), Some(1), vec![]),
        (
            Some(1),
            Some(2),
            vec![
                "Connection rebound: “Call” sends the credentials of another connection to api.example.com.",
            ],
        ),
        (
            None,
            Some(2),
            vec!["“Call” sends the credentials of a connection to api.example.com."],
        ),
        (
            Some(2),
            None,
            vec!["“Call” sends no credentials to api.example.com any more."],
        ),
    ] {
        assert_eq!(told(&with(was), &with(is)), expected, "{was:?} {is:?}");
    }
}
