//! Acts on several steps, against a document that one sees at a glance, and against all sorts.

use proptest::prelude::*;

use super::*;
use crate::document::{Lane, Place};
use crate::edit::{apply, new_step};
use crate::sample::{Maker, nested, plans};

fn id(n: u128) -> StepId {
    StepId(uuid::Uuid::from_u128(n))
}

/// 1, 2 { lane 1: 3, 4; lane 2: 5 }, 6.
fn document() -> Document {
    let mut document = Document::new("webhook");
    for n in 1..=6 {
        let kind = if n == 2 { "branch" } else { "log" };
        let kind = crate::catalog::action(kind).expect("it is in the catalog");
        let mut step = new_step(kind, id(n), &format!("S{n}"), format!("s{n}"), || {
            LaneId(uuid::Uuid::from_u128(0))
        });
        let lanes: &[(u128, &[u128])] = if n == 2 {
            &[(1, &[3, 4]), (2, &[5])]
        } else {
            &[]
        };
        step.lanes = lanes
            .iter()
            .map(|(lane, steps)| Lane {
                id: LaneId(uuid::Uuid::from_u128(*lane)),
                name: format!("L{lane}"),
                when: None,
                steps: steps.iter().map(|n| id(*n)).collect(),
            })
            .collect();
        document.steps.insert(step.id, step);
    }
    document.flow = vec![id(1), id(2), id(6)];
    document
}

fn lane(n: u128) -> ListRef {
    ListRef::Lane(id(2), LaneId(uuid::Uuid::from_u128(n)))
}

fn gap(list: ListRef, after: u128) -> Gap {
    Gap {
        list,
        after: (after != 0).then(|| id(after)),
    }
}

fn ids(numbers: &[u128]) -> Vec<StepId> {
    numbers.iter().map(|n| id(*n)).collect()
}

/// Moves steps and returns what the list then holds.
fn moved(roots: &[u128], to: Gap) -> Result<Vec<u128>, Refusal> {
    let mut document = document();
    if let Some(edit) = move_to(&document, &ids(roots), to)? {
        apply(&mut document, &edit)?;
    }
    let list = document.list(to.list).expect("it is there");
    Ok(list.iter().map(|id| id.0.as_u128()).collect())
}

#[test]
fn a_place_is_a_gap_that_stays_while_others_come_and_go() {
    let mut document = document();
    let at = |list, index| Place { list, index };
    for (place, expected) in [
        (at(ListRef::Flow, 0), gap(ListRef::Flow, 0)),
        (at(ListRef::Flow, 2), gap(ListRef::Flow, 2)),
        (at(ListRef::Flow, 9), gap(ListRef::Flow, 6)),
        (at(lane(1), 1), gap(lane(1), 3)),
        (at(lane(9), 1), gap(lane(9), 0)),
    ] {
        assert_eq!(document.gap_at(place), expected);
    }
    let kept = document.gap_at(at(ListRef::Flow, 2));
    apply(&mut document, &Edit::Delete { step: id(1) }).expect("it fits");
    assert_eq!(document.place_of(kept), Some(at(ListRef::Flow, 1)));
}

#[test]
fn roots_are_in_the_order_of_reading_and_none_is_in_another() {
    assert_eq!(roots(&document(), &ids(&[6, 4, 2, 3])), ids(&[2, 6]));
    assert_eq!(roots(&document(), &ids(&[5, 4, 1])), ids(&[1, 4, 5]));
    assert_eq!(roots(&document(), &ids(&[9])), ids(&[]));
}

#[test]
fn steps_move_together_and_keep_their_order() {
    let flow = ListRef::Flow;
    assert_eq!(moved(&[1, 6], gap(lane(1), 3)), Ok(vec![3, 1, 6, 4]));
    assert_eq!(moved(&[3, 5], gap(flow, 0)), Ok(vec![3, 5, 1, 2, 6]));
    assert_eq!(moved(&[1, 6], gap(flow, 2)), Ok(vec![2, 1, 6]));
    assert_eq!(moved(&[1, 2], gap(flow, 1)), Ok(vec![1, 2, 6]));
    assert_eq!(moved(&[1, 6], gap(flow, 6)), Ok(vec![2, 1, 6]));
}

#[test]
fn nothing_is_done_where_steps_are_already() {
    let document = document();
    let still = |roots: &[u128], to| move_to(&document, &ids(roots), to);
    assert_eq!(still(&[2, 6], gap(ListRef::Flow, 1)), Ok(None));
    assert_eq!(still(&[2], gap(ListRef::Flow, 2)), Ok(None));
    assert_eq!(still(&[3, 4], gap(lane(1), 0)), Ok(None));
}

#[test]
fn a_container_does_not_go_into_itself() {
    assert_eq!(moved(&[2], gap(lane(1), 3)), Err(Refusal::IntoItself));
    assert_eq!(moved(&[1, 2], gap(lane(2), 0)), Err(Refusal::IntoItself));
    assert_eq!(moved(&[1], gap(lane(1), 9)), Err(Refusal::NoSuchStep));
}

#[test]
fn one_further_goes_through_lanes_and_out() {
    let document = document();
    let down = |roots: &[u128]| one_further(&document, &ids(roots), true);
    let up = |roots: &[u128]| one_further(&document, &ids(roots), false);
    assert_eq!(down(&[1]), Some(gap(ListRef::Flow, 2)));
    assert_eq!(down(&[3, 4]), Some(gap(lane(2), 0)));
    assert_eq!(down(&[5]), Some(gap(ListRef::Flow, 2)));
    assert_eq!(down(&[1, 6]), None);
    assert_eq!(up(&[6]), Some(gap(ListRef::Flow, 1)));
    assert_eq!(up(&[2, 6]), Some(gap(ListRef::Flow, 0)));
    assert_eq!(up(&[5]), Some(gap(lane(1), 4)));
    assert_eq!(up(&[3, 5]), Some(gap(ListRef::Flow, 1)));
    assert_eq!(up(&[1, 5]), None);
}

#[test]
fn what_is_looked_at_after_a_deletion_stays() {
    let document = document();
    let next = |roots: &[u128]| neighbour(&document, &ids(roots)).map(|id| id.0.as_u128());
    assert_eq!(next(&[1]), Some(2));
    assert_eq!(next(&[2, 6]), Some(1));
    assert_eq!(next(&[3, 4]), Some(2));
    assert_eq!(next(&[1, 2, 6]), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn acts_on_any_steps_apply_and_are_taken_back_at_once(
        inserts in nested(20), edits in plans(30), picks in prop::collection::vec(0..64_usize, 1..6), to in 0..64_usize,
    ) {
        let (mut maker, mut document) = (Maker::default(), Document::new("webhook"));
        for plan in inserts.into_iter().chain(edits) {
            let edit = maker.edit(&document, plan);
            let _ = apply(&mut document, &edit);
        }
        let all: Vec<StepId> = document.walk().iter().map(|(_, step)| step.id).collect();
        prop_assume!(!all.is_empty());
        let picked: Vec<StepId> = picks.iter().map(|n| all[n % all.len()]).collect();
        let roots = roots(&document, &picked);
        let after = all[to % all.len()];
        let Some(place) = document.place(after) else { return Ok(()) };
        let gap = Gap { list: place.list, after: Some(after) };
        let mut next = 1_000_000_u128;
        let mut fresh = || { next += 1; uuid::Uuid::from_u128(next) };
        let ids: Vec<uuid::Uuid> = (0..2_000).map(|_| fresh()).collect();
        let (mut steps, mut lanes) = (ids.iter(), ids.iter());
        let copied = duplication(&document, &roots,
            || StepId(*steps.next().expect("there are enough")), || LaneId(*lanes.next().expect("there are enough")));
        let acts = [
            move_to(&document, &roots, gap).ok().flatten(),
            deletion(&roots),
            copied.map(|(edit, _)| edit),
            one_further(&document, &roots, true).and_then(|gap| move_to(&document, &roots, gap).ok().flatten()),
            one_further(&document, &roots, false).and_then(|gap| move_to(&document, &roots, gap).ok().flatten()),
        ];
        for edit in acts.into_iter().flatten() {
            let mut after = document.clone();
            let change = apply(&mut after, &edit);
            let change = change.map_err(|refusal| TestCaseError::fail(format!("{edit:?}: {refusal}")))?;
            prop_assert_ne!(&after, &document, "{:?}", edit);
            apply(&mut after, &change.inverse).map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
            prop_assert_eq!(&after, &document);
        }
    }
}
