//! What owners answer for, and what can be set.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::document::{ListRef, Place};
use crate::edit::{self, Edit, new_step};
use crate::review::policy::{APPROVALS_MAX, touched_kinds};
use crate::{LaneId, StepId, catalog};

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
    assert_eq!(touched_kinds(&before, &after), right);
    assert_eq!(touched_kinds(&after, &before), right, "the other way round");
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
fn an_owner_of_an_integration_owns_all_of_it() {
    let integration = |number| IntegrationId(Uuid::from_u128(number));
    let scope = OwnerScope::Integration(integration(1));
    assert!(scope.is_touched(integration(1), &BTreeSet::new()));
    assert!(!scope.is_touched(integration(2), &BTreeSet::from(["log".to_owned()])));
    let scope = OwnerScope::StepKind("log".to_owned());
    assert!(scope.is_touched(integration(2), &BTreeSet::from(["log".to_owned()])));
    assert!(!scope.is_touched(integration(2), &BTreeSet::from(["set".to_owned()])));
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
