//! What steps, lanes, trigger and settings say, merged field by field.

use std::slice::from_ref;

use serde_json::{Value, json};

use super::super::*;
use super::case::{Case, add, field, notes, policy, remove, rename, set, trigger};
use super::outline::{id, lane};
use crate::document::{ErrorPolicy, ListRef, OnError, Place, Settings};
use crate::edit::Edit;

#[test]
fn fields_of_one_step_merge_one_by_one() {
    let url = set('c', "url", "https://b.example");
    let ours = [url, policy('c', 3, OnError::Stop), notes('c', "Ask Ann.")];
    let theirs = [
        set('c', "method", "PUT"),
        policy('c', 0, OnError::Continue),
        rename('c', "Pay"),
    ];
    let merged = Case::charge(&ours, &theirs).merged();
    let step = &merged.steps[&id('c')];
    assert_eq!(field(&merged, 'c', "url"), "https://b.example");
    assert_eq!(field(&merged, 'c', "method"), "PUT");
    assert_eq!(
        step.on_error,
        ErrorPolicy {
            retries: 3,
            then: OnError::Continue
        }
    );
    assert_eq!(
        (step.name.as_str(), step.notes.as_str()),
        ("Pay", "Ask Ann.")
    );
    assert_eq!(field(&merged, 'l', "message"), "{{ steps.pay.status }}");
}

#[test]
fn a_field_that_both_changed_is_a_conflict_to_decide() {
    let case = Case::charge(
        &[set('c', "url", "https://b.example")],
        &[set('c', "url", "https://c.example")],
    );
    let merged = case.merge();
    assert_eq!(merged.document, case.ours);
    let key = format!("step/{}/field/url", id('c'));
    assert_eq!(
        merged.conflicts,
        [Conflict {
            key: key.parse().expect("it is a key"),
            base: Some(json!("https://a.example")),
            ours: Some(json!("https://b.example")),
            theirs: Some(json!("https://c.example")),
        }]
    );
    case.assert_told(&[(
        "Step “Charge card”: URL",
        "It was changed in this draft and, differently, in live.",
    )]);
    for (choice, expected) in [
        (Choice::Ours, "https://b.example"),
        (Choice::Theirs, "https://c.example"),
        (Choice::Base, "https://a.example"),
        (
            Choice::Value(json!("https://d.example")),
            "https://d.example",
        ),
    ] {
        let decided = case.decided(choice).expect("it is decided");
        assert_eq!(field(&decided, 'c', "url"), expected);
    }
    let unresolved = resolve(&case.base, &case.ours, &case.theirs, &BTreeMap::new());
    assert_eq!(unresolved, Err(Unresolved(merged.conflicts)));
}

#[test]
fn a_field_that_one_side_removed_and_the_other_changed_can_be_removed() {
    let case = Case::charge(
        &[set('c', "url", "https://b.example")],
        &[remove('c', "url")],
    );
    case.assert_told(&[(
        "Step “Charge card”: URL",
        "It was removed in live and changed in this draft.",
    )]);
    let decided = case.decided(Choice::Theirs).expect("it is decided");
    assert!(!decided.steps[&id('c')].config.contains_key("url"));
}

#[test]
fn names_with_values_merge_entry_by_entry() {
    let ours = set(
        'c',
        "headers",
        json!({"Accept": "b", "X-Id": "1", "X/New": "ours", "O": 1}),
    );
    let theirs = set(
        'c',
        "headers",
        json!({"Accept": "a", "X/New": "theirs", "T": 2}),
    );
    let case = Case::charge(&[ours], &[theirs]);
    let merged = case.merge();
    let headers = json!({"Accept": "b", "X/New": "ours", "O": 1, "T": 2});
    assert_eq!(field(&merged.document, 'c', "headers"), &headers);
    let key = merged.conflicts[0].key.to_string();
    assert_eq!(key, format!("step/{}/field/headers/X~1New", id('c')));
    case.assert_told(&[(
        "Step “Charge card”: Headers, “X/New”",
        "It was added in this draft and, differently, in live.",
    )]);
    // Also where the field was not there before; and what was never names with values is one value.
    let query = |names: Value| [set('c', "query", names)];
    let merged = Case::charge(&query(json!({"a": 1})), &query(json!({"b": 2}))).merged();
    assert_eq!(field(&merged, 'c', "query"), &json!({"a": 1, "b": 2}));
    let body = |names: Value| [set('c', "json", names)];
    let case = Case::charge(&body(json!({"a": 1})), &body(json!({"b": 2})));
    assert_eq!(case.merge().conflicts.len(), 1);
}

#[test]
fn texts_of_several_lines_merge_line_by_line() {
    let ours = [
        set('c', "text", "ONE\ntwo\nthree\nfour\nfive"),
        notes('c', "a"),
    ];
    let theirs = [set('c', "text", "one\ntwo\nthree\nfive\nsix")];
    let merged = Case::charge(&ours, &theirs).merged();
    assert_eq!(field(&merged, 'c', "text"), "ONE\ntwo\nthree\nfive\nsix");
    let table = [
        ("a\nb\nc", "a\nx\nb\nc", "a\nb\nc\ny", Some("a\nx\nb\nc\ny")),
        ("a\nb\nc\nd", "b\nc\nd", "a\nb\nc\nD", Some("b\nc\nD")),
        // Changes that touch each other.
        ("a\nb\nc", "a\nB\nc", "a\nb\nC", None),
        ("a\nb", "a\nb\nx", "a\nb\ny", None),
        ("a\nb", "", "a\nB", None),
        ("a b", "A b", "a B", None),
    ];
    for (base, ours, theirs, expected) in table {
        assert_eq!(
            text::merged(base, ours, theirs).as_deref(),
            expected,
            "{base:?}"
        );
        assert_eq!(
            text::merged(base, theirs, ours).as_deref(),
            expected,
            "{base:?}"
        );
    }
}

#[test]
fn a_rename_on_one_side_reaches_what_the_other_side_wrote() {
    let refer = "{{ steps.charge_card.body.id }}";
    let theirs = [
        add('n', "log", "New", json!({ "message": refer })),
        set('l', "message", "Charged: {{ steps['charge_card'].status }}"),
    ];
    let merged = Case::charge(&[rename('c', "Pay")], &theirs).merged();
    assert_eq!(field(&merged, 'n', "message"), "{{ steps.pay.body.id }}");
    assert_eq!(
        field(&merged, 'l', "message"),
        "Charged: {{ steps['pay'].status }}"
    );
    // Renamed to different names: it follows the decision, and is the only conflict but for names.
    let case = Case::charge(
        &[rename('c', "Pay")],
        &[theirs[0].clone(), rename('c', "Bill")],
    );
    let merged = case.merge();
    assert_eq!(
        field(&merged.document, 'n', "message"),
        "{{ steps.pay.body.id }}"
    );
    case.assert_told(&[
        (
            "Step “Pay”: name",
            "It was changed in this draft and, differently, in live.",
        ),
        (
            "Step “Pay”: name in expressions",
            "It was changed in this draft and, differently, in live.",
        ),
    ]);
    let decided = case.decided(Choice::Theirs).expect("it is decided");
    assert_eq!(field(&decided, 'l', "message"), "{{ steps.bill.status }}");
    let decided = case
        .decided(Choice::Value(json!("log")))
        .expect("it is decided");
    assert_eq!(
        decided.steps[&id('c')].slug,
        "log_2",
        "a slug that someone has gets a number"
    );
    assert_eq!(field(&decided, 'n', "message"), "{{ steps.log_2.body.id }}");
    assert!(case.decided(Choice::Value(json!("no slug"))).is_err());
}

#[test]
fn steps_that_both_sides_gave_one_slug_are_told_apart() {
    let fetch = |letter| add(letter, "http.request", "Fetch", json!({}));
    let refer = |letter| set(letter, "message", "{{ steps.fetch.body }}");
    let use_it = |letter| add(letter, "log", &letter.to_string(), json!({}));
    let ours = [fetch('x'), use_it('o'), refer('o')];
    let theirs = [fetch('y'), use_it('t'), refer('t')];
    let merged = Case::new(&[], &ours, &theirs).merged();
    assert_eq!(merged.steps[&id('x')].slug, "fetch");
    assert_eq!(merged.steps[&id('y')].slug, "fetch_2");
    assert_eq!(field(&merged, 'o', "message"), "{{ steps.fetch.body }}");
    assert_eq!(field(&merged, 't', "message"), "{{ steps.fetch_2.body }}");
    // The same text in one field means two steps: that is a conflict.
    let case = Case::new(
        &[use_it('l')],
        &[fetch('x'), refer('l')],
        &[fetch('y'), refer('l')],
    );
    let conflict = case.merge().conflicts.remove(0);
    assert_eq!(conflict.ours, Some(json!("{{ steps.fetch.body }}")));
    assert_eq!(conflict.theirs, Some(json!("{{ steps.fetch_2.body }}")));
    // Names that were exchanged.
    let base = [
        fetch('x'),
        add('y', "log", "Other", json!({})),
        use_it('l'),
        refer('l'),
    ];
    let exchange = [
        rename('x', "Third"),
        rename('y', "Fetch"),
        rename('x', "Other"),
    ];
    let merged = Case::new(&base, &exchange, &[use_it('t'), refer('t')]).merged();
    assert_eq!(field(&merged, 'l', "message"), "{{ steps.other.body }}");
    assert_eq!(field(&merged, 't', "message"), "{{ steps.other.body }}");
}

#[test]
fn a_deleted_step_that_was_changed_is_told_with_its_changes() {
    let delete = Edit::Delete { step: id('c') };
    let case = Case::charge(&[policy('c', 2, OnError::Stop)], from_ref(&delete));
    case.assert_told(&[(
        "Step “Charge card”: deleted or kept",
        "“Charge card” was deleted in live and changed in this draft: retries.",
    )]);
    assert!(case.merge().document.steps.contains_key(&id('c')));
    assert_eq!(case.decided(Choice::Theirs).as_ref(), Ok(&case.theirs));
    assert!(case.decided(Choice::Base).is_err(), "it is there or not");
    // That a reference in it follows a rename is no change.
    let case = Case::charge(&[Edit::Delete { step: id('l') }], &[rename('c', "Pay")]);
    assert!(!case.merged().steps.contains_key(&id('l')));
    // Something inside it.
    let branch = add('b', "branch", "Large?", json!({}));
    let inside = Edit::Move {
        step: id('l'),
        to: Place {
            list: ListRef::Lane(id('b'), lane(1)),
            index: 0,
        },
    };
    let base = [add('l', "log", "Log", json!({})), branch, inside];
    let case = Case::new(
        &base,
        &[Edit::Delete { step: id('b') }],
        &[set('l', "message", "x")],
    );
    case.assert_told(&[(
        "Step “Large?”: deleted or kept",
        "“Large?” was deleted in this draft and changed in live: “Log” inside it.",
    )]);
}

#[test]
fn lanes_merge_by_name_and_condition() {
    let set_lane = |name: &str, when: &str| Edit::SetLane {
        step: id('b'),
        lane: lane(1),
        name: name.to_owned(),
        when: Some(when.to_owned()),
    };
    let base = [
        add('b', "branch", "Large?", json!({})),
        set_lane("If", "true"),
    ];
    let case = Case::new(
        &base,
        &[set_lane("Yes", "true")],
        &[set_lane("If", "trigger.body.x")],
    );
    let merged = case.merged();
    let found = &merged.steps[&id('b')].lanes[0];
    assert_eq!(
        (found.name.as_str(), found.when.as_deref()),
        ("Yes", Some("trigger.body.x"))
    );
    let case = Case::new(
        &base,
        &[set_lane("Yes", "false")],
        &[set_lane("Yes", "trigger.body.x")],
    );
    case.assert_told(&[(
        "Lane “Yes” of “Large?”: condition",
        "It was changed in this draft and, differently, in live.",
    )]);
    let decided = case
        .decided(Choice::Value(json!("trigger.body.y")))
        .expect("it is decided");
    assert_eq!(
        decided.steps[&id('b')].lanes[0].when.as_deref(),
        Some("trigger.body.y")
    );
}

#[test]
fn the_trigger_merges_by_field_and_its_kind_with_all_its_fields() {
    let base = [trigger(
        "schedule",
        json!({"cron": "0 6 * * *", "time_zone": "UTC"}),
    )];
    let field = |field: &str, value: &str| Edit::SetTriggerField {
        field: field.to_owned(),
        value: Some(json!(value)),
    };
    let merged = Case::new(
        &base,
        &[field("cron", "0 7 * * *")],
        &[field("time_zone", "Europe/Berlin")],
    )
    .merged();
    assert_eq!(
        json!(merged.trigger.config),
        json!({"cron": "0 7 * * *", "time_zone": "Europe/Berlin"})
    );
    let case = Case::new(
        &base,
        &[field("cron", "0 7 * * *")],
        &[field("cron", "0 8 * * *")],
    );
    case.assert_told(&[(
        "Trigger: When",
        "It was changed in this draft and, differently, in live.",
    )]);

    let manual = trigger("manual", json!({}));
    assert_eq!(
        Case::new(&base, from_ref(&manual), &[])
            .merged()
            .trigger
            .kind,
        "manual"
    );
    let case = Case::new(&base, &[field("cron", "0 7 * * *")], from_ref(&manual));
    case.assert_told(&[(
        "Trigger: kind",
        "It was changed in this draft and, differently, in live.",
    )]);
    assert_eq!(case.merge().document.trigger, case.ours.trigger);
    let decided = case.decided(Choice::Theirs).expect("it is decided");
    assert_eq!(
        decided.trigger, case.theirs.trigger,
        "no field of the other kind is left over"
    );
    let written = Choice::Value(json!({"kind": "webhook", "config": {"method": "PUT"}}));
    assert_eq!(
        case.decided(written).expect("it is decided").trigger.kind,
        "webhook"
    );
    assert!(case.decided(Choice::Value(json!("webhook"))).is_err());
}

#[test]
fn settings_merge_and_conflict() {
    let limit = |seconds| Edit::SetSettings {
        settings: Settings {
            time_limit_seconds: seconds,
        },
    };
    assert_eq!(
        Case::new(&[], &[limit(60)], &[])
            .merged()
            .settings
            .time_limit_seconds,
        60
    );
    let case = Case::new(&[], &[limit(60)], &[limit(90)]);
    case.assert_told(&[(
        "Settings: time limit",
        "It was changed in this draft and, differently, in live.",
    )]);
    let decided = case
        .decided(Choice::Value(json!(120)))
        .expect("it is decided");
    assert_eq!(decided.settings.time_limit_seconds, 120);
    assert!(case.decided(Choice::Value(json!(-1))).is_err());
}
