//! What owners answer for, and what can be set.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::document::{ListRef, Place};
use crate::edit::{self, Edit, new_step};
use crate::review::policy::{APPROVALS_MAX, Touched};
use crate::{ConnectionId, LaneId, StepId, catalog};

fn step(kind: &str, number: u128) -> crate::document::Step {
    let kind = catalog::action(kind).expect("it is in the catalog");
    let id = StepId::new(Uuid::from_u128(number));
    let mut lane = number * 100;
    new_step(kind, id, "A step", format!("s{number}"), || {
        lane += 1;
        LaneId::new(Uuid::from_u128(lane))
    })
}

fn insert(document: &mut Document, step: crate::document::Step, list: ListRef) {
    let at = Place { list, index: 0 };
    let steps = vec![step];
    edit::apply(document, &Edit::Insert { steps, at }).expect("it fits");
}

/// A log step beside a loop with a set step in it.
fn sample() -> Document {
    let mut document = Document::new("webhook");
    insert(&mut document, step("log", 1), ListRef::Flow);
    let round = step("loop", 2);
    let lane = ListRef::Lane(round.id, round.lanes[0].id);
    insert(&mut document, round, ListRef::Flow);
    insert(&mut document, step("set", 3), lane);
    document
}

#[track_caller]
fn check(edit: Edit, right: &[&str]) {
    let before = sample();
    let mut after = before.clone();
    edit::apply(&mut after, &edit).expect("it fits");
    let right: BTreeSet<String> = right.iter().map(|kind| (*kind).to_owned()).collect();
    assert_eq!(Touched::between(&before, &after).kinds, right);
    let back = Touched::between(&after, &before);
    assert_eq!(back.kinds, right, "the other way round");
}

#[test]
fn adding_deleting_and_modifying_a_step_touches_its_kind() {
    let id = |number| StepId::new(Uuid::from_u128(number));
    let at = Place {
        list: ListRef::Flow,
        index: 0,
    };
    let new = step("http.request", 9);
    check(
        Edit::Insert {
            steps: vec![new],
            at,
        },
        &["http.request"],
    );
    check(Edit::Delete { step: id(1) }, &["log"]);
    check(Edit::Delete { step: id(2) }, &["loop", "set"]);
    let message = Edit::SetField {
        step: id(1),
        field: "message".to_owned(),
        value: Some(json!("Other")),
    };
    check(message, &["log"]);
    check(
        Edit::Move {
            step: id(3),
            to: at,
        },
        &[],
    );
    check(
        Edit::SetNotes {
            step: id(3),
            notes: "n".to_owned(),
        },
        &["set"],
    );
}

#[test]
fn a_step_touches_the_connection_that_it_uses_and_the_one_that_it_used() {
    let connection = |number| ConnectionId(Uuid::from_u128(number));
    let uses = |number: Option<u128>| {
        let mut document = sample();
        let mut request = step("http.request", 9);
        if let Some(number) = number {
            let id = connection(number).to_string();
            request.config.insert("connection".to_owned(), json!(id));
        }
        insert(&mut document, request, ListRef::Flow);
        document
    };
    let touched = |before: &Document, after: &Document| {
        let connections = Touched::between(before, after).connections;
        Vec::from_iter(connections)
    };
    let both = [connection(1), connection(2)];
    assert_eq!(touched(&uses(Some(1)), &uses(Some(2))), both);
    assert_eq!(touched(&uses(Some(1)), &uses(None)), both[..1]);
    assert_eq!(touched(&sample(), &uses(Some(2))), both[1..]);
    assert_eq!(touched(&uses(Some(2)), &sample()), both[1..]);
    assert_eq!(touched(&uses(Some(2)), &uses(Some(2))), []);
    let mut other = uses(Some(1));
    let id = StepId::new(Uuid::from_u128(1));
    other.steps.get_mut(&id).expect("it is there").notes = "n".to_owned();
    assert_eq!(touched(&uses(Some(1)), &other), [], "another step");
    let polls = |number| {
        let mut document = Document::new("poll");
        let id = json!(connection(number).to_string());
        document.trigger.config.insert("connection".to_owned(), id);
        document
    };
    assert_eq!(touched(&polls(1), &polls(2)), both, "a trigger");
    assert_eq!(touched(&polls(1), &polls(1)), []);
}

#[test]
fn an_owner_of_a_thing_owns_all_of_it_and_nothing_else() {
    let integration = |number| IntegrationId(Uuid::from_u128(number));
    let connection = |number| ConnectionId(Uuid::from_u128(number));
    let touched = Touched {
        kinds: BTreeSet::from(["log".to_owned()]),
        connections: BTreeSet::from([connection(1)]),
    };
    let is_touched = |scope: OwnerScope, number| scope.is_touched(integration(number), &touched);
    let scope = OwnerScope::Integration(integration(1));
    assert!(scope.is_touched(integration(1), &Touched::default()));
    assert!(!is_touched(scope, 2));
    assert!(is_touched(OwnerScope::StepKind("log".to_owned()), 2));
    assert!(!is_touched(OwnerScope::StepKind("set".to_owned()), 2));
    assert!(is_touched(OwnerScope::Connection(connection(1)), 2));
    assert!(!is_touched(OwnerScope::Connection(connection(2)), 2));
}

#[test]
fn a_policy_asks_for_so_many_approvals_at_most() {
    let asks = |approvals| Policy {
        approvals,
        ..Policy::default()
    };
    assert_eq!(asks(APPROVALS_MAX).check(), Ok(()));
    assert_eq!(
        asks(APPROVALS_MAX + 1).check(),
        Err(Refusal::TooManyApprovals)
    );
}
