//! Where threads hang, whom they mention, and what they suggest.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::change::{self, Field, Target};
use crate::document::{ListRef, Place};
use crate::edit::{self, Edit, new_step};
use crate::review::thread::{Currency, check_body, check_suggestion, mentions, suggestion_edit};
use crate::{LaneId, StepId, catalog};

/// A log step and a branch.
fn sample() -> (Document, StepId, StepId) {
    let mut document = Document::new("schedule");
    let mut lane = 10;
    let mut add = |kind: &str, number: u128| {
        let kind = catalog::action(kind).expect("it is in the catalog");
        let id = StepId::new(Uuid::from_u128(number));
        let mut step = new_step(kind, id, "A step", format!("s{number}"), || {
            lane += 1;
            LaneId::new(Uuid::from_u128(lane))
        });
        if kind.key == "log" {
            step.config
                .insert("message".to_owned(), json!("Grüße, {{ run.id }}"));
        }
        let at = Place {
            list: ListRef::Flow,
            index: 0,
        };
        let steps = vec![step];
        edit::apply(&mut document, &Edit::Insert { steps, at }).expect("it fits");
        id
    };
    let (log, branch) = (add("log", 1), add("branch", 2));
    (document, log, branch)
}

fn on(target: Target, field: Field) -> Anchor {
    Anchor {
        target: Some(target),
        field: Some(field),
        entry: None,
        range: None,
    }
}

#[test]
fn an_anchor_names_what_is_in_one_of_the_documents() {
    let (document, log, _) = sample();
    let empty = Document::new("webhook");
    let message = on(Target::Step(log), Field::config("message"));
    let quoted = Ok(Some(json!("Grüße, {{ run.id }}")));
    assert_eq!(message.quote(false, &empty, &document), quoted);
    assert_eq!(message.quote(true, &document, &empty), quoted);
    assert_eq!(
        message.quote(true, &empty, &document),
        Ok(None),
        "it is new"
    );
    let gone = Err(Refusal::NoSuchAnchor);
    assert_eq!(message.quote(false, &empty, &empty), gone);
    let whole = Anchor {
        target: None,
        field: None,
        entry: None,
        range: None,
    };
    assert_eq!(whole.quote(false, &empty, &empty), Ok(None));
    let unset = on(Target::Step(log), Field::notes());
    assert_eq!(
        unset.quote(false, &empty, &document),
        Ok(None),
        "it can be set"
    );
    for unknown in [
        on(Target::Step(log), Field::config("no_such_field")),
        on(Target::Step(log), Field::time_limit()),
        on(Target::Trigger, Field::name()),
        Anchor {
            target: None,
            field: Some(Field::name()),
            entry: None,
            range: None,
        },
    ] {
        assert_eq!(unknown.quote(false, &empty, &document), gone, "{unknown:?}");
    }
}

#[test]
fn a_range_lies_within_a_text() {
    let (document, log, _) = sample();
    let check = |field: Field, range| {
        let anchor = Anchor {
            range: Some(range),
            ..on(Target::Step(log), field)
        };
        anchor.quote(false, &document, &document).is_ok()
    };
    let message = || Field::config("message");
    assert!(check(message(), (0, 19)), "in characters, not bytes");
    assert!(check(message(), (18, 19)));
    assert!(!check(message(), (0, 20)));
    assert!(!check(message(), (3, 3)));
    assert!(!check(message(), (5, 2)));
    assert!(!check(Field::retries(), (0, 1)), "a number is no text");
}

#[test]
fn members_are_mentioned_by_their_full_names() {
    let person = |number: u128, name: &str| Person {
        account: account(number),
        name: name.to_owned(),
    };
    let members = [
        person(1, "Ada"),
        person(2, "Ada Lovelace"),
        person(3, "Ben"),
        person(4, "Ben"),
        person(5, "Zoë Ö"),
    ];
    let check = |text: &str, right: &[u128]| {
        let right: BTreeSet<_> = right.iter().map(|number| account(*number)).collect();
        assert_eq!(mentions(text, &members), right, "{text}");
    };
    check("@Ada, look", &[1]);
    check("Ask @Ada Lovelace.", &[2]);
    check("@Ada Love", &[1]);
    check("@Adam", &[]);
    check("@Ben", &[3, 4]);
    check("(@Zoë Ö)@Ada", &[1, 5]);
    check("ada@Ada.example @ada @", &[]);
    check("@@Ada", &[1]);
}

#[test]
fn a_comment_says_something() {
    assert_eq!(check_body(" Why? ", None), Ok("Why?".to_owned()));
    assert_eq!(check_body(" ", None), Err(Refusal::CommentEmpty));
    assert_eq!(check_body(" ", Some(&json!(1))), Ok(String::new()));
    let long = "l".repeat(limit::TEXT + 1);
    assert_eq!(check_body(&long, None), Err(Refusal::TextTooLong));
}

#[test]
fn a_suggestion_sets_the_field_that_it_hangs_on() {
    let (document, log, branch) = sample();
    let lane = document.steps[&branch].lanes[0].id;
    let cases = [
        (Target::Step(log), Field::name(), json!("Another")),
        (Target::Step(log), Field::slug(), json!("another")),
        (Target::Step(log), Field::notes(), json!("Why it is there.")),
        (Target::Step(log), Field::retries(), json!(3)),
        (Target::Step(log), Field::then(), json!("continue")),
        (Target::Step(log), Field::config("message"), json!("Hello")),
        (Target::Step(branch), Field::lane_name(lane), json!("Large")),
        (Target::Step(branch), Field::lane_when(lane), json!("1 > 0")),
        (Target::Trigger, Field::config("cron"), json!("5 4 * * *")),
        (Target::Settings, Field::time_limit(), json!(30)),
    ];
    for (target, field, value) in cases {
        let anchor = on(target, field.clone());
        let edit = check_suggestion(&document, &anchor, &value).expect("it fits");
        let mut after = document.clone();
        edit::apply(&mut after, &edit).expect("it was tried");
        assert_eq!(change::value(&after, target, &field), Some(value.clone()));
        let again = check_suggestion(&after, &anchor, &value);
        assert!(matches!(again, Err(Refusal::SuggestionUnfit(_))), "{field}");
    }
}

#[test]
fn a_suggestion_that_does_not_fit_says_why() {
    let (document, log, branch) = sample();
    let lane = document.steps[&branch].lanes[0].id;
    let check = |target, field: Field, value: Value, why: &str| match check_suggestion(
        &document,
        &on(target, field),
        &value,
    ) {
        Err(Refusal::SuggestionUnfit(said)) => assert!(said.contains(why), "{said}"),
        other => panic!("it fits: {other:?}"),
    };
    let message = || Field::config("message");
    let step = Target::Step(log);
    check(step, message(), json!("{{ steps.nowhere.x }}"), "nowhere");
    check(step, message(), json!("{{ open"), "");
    check(step, Field::slug(), json!("s2"), "another name");
    check(step, Field::slug(), json!("Not a slug"), "lower-case");
    check(step, Field::retries(), json!(11), "");
    check(step, Field::retries(), json!("many"), "kind");
    check(step, Field::kind(), json!("set"), "cannot be set");
    check(
        Target::Step(branch),
        Field::lane(lane),
        json!({}),
        "cannot be set",
    );
    check(
        Target::Trigger,
        Field::config("cron"),
        json!("daily"),
        "schedule",
    );
    check(
        Target::Settings,
        Field::time_limit(),
        json!(0),
        "time limit",
    );
    let gone = Target::Step(StepId::new(Uuid::from_u128(99)));
    check(gone, message(), json!("Hello"), "not there");
    let large = json!("l".repeat(limit::SUGGESTION_BYTES));
    check(step, message(), large, "too large");
    let whole = Anchor {
        target: Some(step),
        field: None,
        entry: None,
        range: None,
    };
    assert!(suggestion_edit(&document, &whole, &json!(1)).is_err());
}

#[test]
fn problems_that_were_there_before_do_not_stand_in_a_suggestions_way() {
    let (mut document, log, _) = sample();
    let broken = Edit::SetField {
        step: log,
        field: "unknown".to_owned(),
        value: Some(json!(1)),
    };
    edit::apply(&mut document, &broken).expect("it fits");
    let anchor = on(Target::Step(log), Field::config("message"));
    assert!(check_suggestion(&document, &anchor, &json!("Hello")).is_ok());
}

/// A request with two headers and a body of JSON.
fn request() -> (Document, StepId) {
    let (mut document, _, _) = sample();
    let kind = catalog::action("http.request").expect("it is in the catalog");
    let id = StepId::new(Uuid::from_u128(3));
    let mut step = new_step(kind, id, "Send", "send".to_owned(), || {
        LaneId::new(Uuid::from_u128(20))
    });
    let config = [
        ("method", json!("POST")),
        ("url", json!("https://example.com/orders")),
        (
            "headers",
            json!({ "Accept": "text/html", "X-Run": "{{ run.id }}" }),
        ),
        ("body_type", json!("json")),
        ("json", json!({ "lines": [{ "sku": "a" }, { "sku": "b" }] })),
    ];
    let config = config.map(|(name, value)| (name.to_owned(), value));
    step.config = config.into_iter().collect();
    let at = Place {
        list: ListRef::Flow,
        index: 0,
    };
    let steps = vec![step];
    edit::apply(&mut document, &Edit::Insert { steps, at }).expect("it fits");
    (document, id)
}

fn on_entry(step: StepId, field: &str, path: Value) -> Anchor {
    Anchor {
        entry: Some(serde_json::from_value(path).expect("it is a path")),
        ..on(Target::Step(step), Field::config(field))
    }
}

fn thread_on(anchor: Anchor, document: &Document) -> Thread {
    let quoted = anchor.quote(false, document, document);
    Thread {
        id: ThreadId(Uuid::from_u128(1)),
        anchor,
        on_base: false,
        revision: 1,
        quoted: quoted.expect("it is there"),
        resolved: None,
        comments: Vec::new(),
    }
}

fn with_field(document: &Document, step: StepId, field: &str, value: Option<Value>) -> Document {
    let mut after = document.clone();
    let edit = Edit::SetField {
        step,
        field: field.to_owned(),
        value,
    };
    edit::apply(&mut after, &edit).expect("it fits");
    after
}

#[test]
fn an_anchor_names_an_entry_that_its_field_has() {
    let (document, send) = request();
    let check = |anchor: &Anchor| anchor.quote(false, &document, &document).is_ok();
    let header = on_entry(send, "headers", json!(["X-Run"]));
    assert!(check(&header));
    assert!(check(&on_entry(send, "json", json!(["lines", 1, "sku"]))));
    assert!(!check(&on_entry(send, "headers", json!(["X-Other"]))));
    assert!(!check(&on_entry(send, "headers", json!([0]))));
    assert!(!check(&on_entry(send, "json", json!(["lines", 2]))));
    assert!(!check(&on_entry(send, "url", json!(["X-Run"]))), "a text");
    let within = |range| {
        check(&Anchor {
            range: Some(range),
            ..header.clone()
        })
    };
    assert!(within((3, 12)), "of the entry's text");
    assert!(!within((3, 13)));
    let nowhere = Anchor {
        field: None,
        ..header.clone()
    };
    assert!(!check(&nowhere), "an entry is one of a field");
    let stored = serde_json::to_value(&header).expect("it is JSON");
    assert_eq!(stored["entry"], json!(["X-Run"]));
    let whole = on(Target::Step(send), Field::config("headers"));
    let stored = serde_json::to_value(&whole).expect("it is JSON");
    assert_eq!(stored.get("entry"), None, "as it was stored before");
    assert_eq!(serde_json::from_value::<Anchor>(stored).ok(), Some(whole));
}

#[test]
fn a_thread_on_an_entry_is_outdated_by_that_entry_alone_and_follows_its_name() {
    let (document, send) = request();
    let thread = thread_on(on_entry(send, "headers", json!(["X-Run"])), &document);
    assert_eq!(thread.said(), Some(&json!("{{ run.id }}")));
    let check = |headers: Option<Value>, expected: Currency, name: Option<&str>| {
        let after = with_field(&document, send, "headers", headers.clone());
        assert_eq!(thread.currency(&document, &after), expected, "{headers:?}");
        let entry = thread.entry_in(&document, &after);
        assert_eq!(entry.map(|entry| entry.to_string()).as_deref(), name);
    };
    let changed = |now: Option<Value>| Currency::Changed { now };
    check(
        Some(json!({ "Accept": "another", "X-Run": "{{ run.id }}", "New": "1" })),
        Currency::Current,
        Some("X-Run"),
    );
    check(
        Some(json!({ "Accept": "text/html", "X-Request": "{{ run.id }}" })),
        Currency::Current,
        Some("X-Request"),
    );
    check(
        Some(json!({ "X-Run": "fixed" })),
        changed(Some(json!("fixed"))),
        Some("X-Run"),
    );
    check(Some(json!({ "Accept": "text/html" })), changed(None), None);
    check(None, changed(None), None);

    let mut gone = document.clone();
    edit::apply(&mut gone, &Edit::Delete { step: send }).expect("it is there");
    assert_eq!(thread.currency(&document, &gone), Currency::Gone);

    let item = on_entry(send, "json", json!(["lines", 1, "sku"]));
    let thread = thread_on(item, &document);
    let body = json!({ "lines": [{ "sku": "new" }, { "sku": "a" }, { "sku": "b" }] });
    let after = with_field(&document, send, "json", Some(body));
    assert_eq!(thread.currency(&document, &after), Currency::Current);
    let entry = thread.entry_in(&document, &after).expect("it is there");
    assert_eq!(entry.to_string(), "lines[2].sku");
}

#[test]
fn a_suggestion_for_an_entry_leaves_the_others_alone_and_finds_it_under_its_name_now() {
    let (document, send) = request();
    let anchor = on_entry(send, "headers", json!(["X-Run"]));
    let quoted = anchor
        .quote(false, &document, &document)
        .expect("it is there");
    let renamed = json!({ "Accept": "text/plain", "X-Request": "{{ run.id }}" });
    let after = with_field(&document, send, "headers", Some(renamed));
    let value = json!("{{ trigger.id }}");
    let now = anchor.clone().in_document(quoted.as_ref(), &after);
    let edit = suggestion_edit(&after, &now, &value).expect("it is there");
    let expected = json!({ "Accept": "text/plain", "X-Request": "{{ trigger.id }}" });
    assert_eq!(
        edit,
        Edit::SetField {
            step: send,
            field: "headers".to_owned(),
            value: Some(expected),
        }
    );
    let refused =
        |document: &Document, anchor: &Anchor, value: Value, why: &str| match check_suggestion(
            document, anchor, &value,
        ) {
            Err(Refusal::SuggestionUnfit(said)) => assert!(said.contains(why), "{said}"),
            other => panic!("it fits: {other:?}"),
        };
    refused(&document, &anchor, json!("{{ run.id }}"), "already");
    refused(
        &document,
        &anchor,
        json!("{{ steps.nowhere.x }}"),
        "nowhere",
    );
    let without = with_field(&document, send, "headers", Some(json!({})));
    refused(&without, &anchor, json!("1"), "not there");
}
