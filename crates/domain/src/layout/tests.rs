//! What holds for every document, and one that a person can check by hand.

use std::collections::BTreeSet;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::edit::{Edit, apply, new_step};
use crate::sample::{Maker, nested, plans};
use crate::{LaneId, catalog};

fn made(inserts: Vec<crate::sample::Plan>, edits: Vec<crate::sample::Plan>) -> Document {
    let (mut maker, mut document) = (Maker::default(), Document::new("webhook"));
    for plan in inserts.into_iter().chain(edits) {
        let edit = maker.edit(&document, plan);
        let _ = apply(&mut document, &edit);
    }
    document
}

/// Returns every gap with its place.
fn gaps(layout: &Layout) -> Vec<(Gap, Rect)> {
    let gaps = layout.stops().iter().filter_map(|stop| match stop {
        Stop::Gap(gap) => Some((*gap, layout.gap(*gap)?)),
        _ => None,
    });
    gaps.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_lies_on_anything_else(inserts in nested(30), edits in plans(20), folds in any::<u64>()) {
        let document = made(inserts, edits);
        let folded = document.steps.keys().enumerate().filter(|(n, _)| folds >> (n % 64) & 1 == 1);
        let folded: BTreeSet<StepId> = folded.map(|(_, id)| *id).collect();
        let layout = Layout::of(&document, &folded);
        let mut solid: Vec<Rect> = layout.spots().iter().map(|spot| spot.card).collect();
        solid.push(layout.trigger());
        solid.extend(layout.columns.iter().filter_map(|column| column.head));
        solid.extend(gaps(&layout).into_iter().map(|(_, rect)| rect));
        for (n, one) in solid.iter().enumerate() {
            prop_assert!(layout.bounds().holds(*one), "{:?} in {:?}", one, layout.bounds());
            for other in &solid[n + 1..] {
                prop_assert!(!one.meets(*other), "{:?} and {:?}", one, other);
            }
        }
        let frames: Vec<Rect> = layout.spots().iter().filter_map(|spot| spot.frame).collect();
        for (n, one) in frames.iter().enumerate() {
            for other in &frames[n + 1..] {
                prop_assert!(!one.meets(*other) || one.holds(*other), "{:?} and {:?}", one, other);
            }
        }
    }

    #[test]
    fn steps_are_inside_their_frames_and_in_their_order(inserts in nested(30), edits in plans(20)) {
        let document = made(inserts, edits);
        let layout = Layout::of(&document, &BTreeSet::new());
        let read: Vec<StepId> = document.walk().iter().map(|(_, step)| step.id).collect();
        let drawn: Vec<StepId> = layout.spots().iter().map(|spot| spot.step).collect();
        prop_assert_eq!(drawn, read);
        for step in document.steps.values() {
            let spot = layout.spot(step.id).expect("every step is drawn");
            let mut left = i32::MIN;
            for column in layout.lanes(step.id) {
                let frame = spot.frame.expect("what has lanes has a frame");
                prop_assert!(frame.holds(column.area));
                prop_assert!(left <= column.area.x, "lanes go from left to right");
                left = column.area.right();
                let mut end = column.head.expect("a lane has a head").bottom();
                for id in document.list(column.list).expect("it is there") {
                    let inner = layout.spot(*id).expect("every step is drawn");
                    prop_assert!(column.area.holds(inner.block), "{:?} in {:?}", inner.block, column.area);
                    prop_assert_eq!(inner.block.y, end + GAP, "steps go down in their order");
                    end = inner.block.bottom();
                }
            }
        }
        let flow = document.flow.iter().filter_map(|id| layout.spot(*id));
        prop_assert!(flow.map(|spot| spot.card.y).is_sorted());
    }

    #[test]
    fn each_place_has_one_gap_and_the_nearest_gap_is_found(inserts in nested(30), edits in plans(20)) {
        let document = made(inserts, edits);
        let layout = Layout::of(&document, &BTreeSet::new());
        let lanes = document.steps.values().map(|step| step.lanes.len()).sum::<usize>();
        let all = gaps(&layout);
        prop_assert_eq!(all.len(), document.steps.len() + lanes + 1);
        for (gap, rect) in all {
            prop_assert!(document.place_of(gap).is_some());
            prop_assert_eq!(layout.nearest_gap(rect.x + rect.width / 2, rect.y + GAP / 2), Some(gap));
        }
    }

    #[test]
    fn a_window_shows_what_meets_it(inserts in nested(40), y in -200..4_000, height in 1..2_000) {
        let document = made(inserts, Vec::new());
        let layout = Layout::of(&document, &BTreeSet::new());
        let window = Rect { x: -400, y, width: 800, height };
        for column in &layout.columns {
            let all = column.spots.iter().map(|at| &layout.spots[*at]);
            let meets = |spot: &&Spot| spot.block.y < window.bottom() && window.y < spot.block.bottom();
            let expected: Vec<StepId> = all.filter(meets).map(|spot| spot.step).collect();
            let found: Vec<StepId> = layout.steps_within(column.list, window).map(|spot| spot.step).collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn what_happens_in_one_lane_leaves_what_is_above_where_it_is(inserts in nested(30), at in 0..64_usize) {
        let document = made(inserts, Vec::new());
        let layout = Layout::of(&document, &BTreeSet::new());
        prop_assert_eq!(&layout, &Layout::of(&document, &BTreeSet::new()));
        let all = gaps(&layout);
        let (gap, rect) = all[at % all.len()];
        let kind = catalog::action("log").expect("it is in the catalog");
        let step = new_step(kind, StepId(Uuid::from_u128(u128::MAX)), "New", "new".into(), || LaneId(Uuid::nil()));
        let mut after = document.clone();
        let at = document.place_of(gap).expect("it is there");
        apply(&mut after, &Edit::Insert { steps: vec![step], at })
            .map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
        let moved = Layout::of(&after, &BTreeSet::new());
        for spot in layout.spots().iter().filter(|spot| spot.card.bottom() <= rect.y) {
            prop_assert_eq!(moved.spot(spot.step).map(|spot| spot.card.y), Some(spot.card.y));
        }
    }
}

#[test]
fn a_branch_is_placed_as_one_would_by_hand() {
    let mut document = Document::new("webhook");
    let mut lanes = (1..).map(|n| LaneId(Uuid::from_u128(n)));
    let mut add = |document: &mut Document, n: u128, kind: &str, list: ListRef| {
        let kind = catalog::action(kind).expect("it is in the catalog");
        let id = StepId(Uuid::from_u128(n));
        let step = new_step(kind, id, "S", format!("s{n}"), || {
            lanes.next().expect("it never ends")
        });
        let index = document.list(list).map_or(0, Vec::len);
        let at = crate::document::Place { list, index };
        apply(
            document,
            &Edit::Insert {
                steps: vec![step],
                at,
            },
        )
        .expect("it fits");
        id
    };
    let branch = add(&mut document, 10, "branch", ListRef::Flow);
    let left = ListRef::Lane(branch, document.steps[&branch].lanes[0].id);
    let inner = add(&mut document, 11, "log", left);
    let below = add(&mut document, 12, "log", ListRef::Flow);

    let layout = Layout::of(&document, &BTreeSet::new());
    let lane = CARD_WIDTH + 2 * LANE_PAD;
    let frame = layout.spot(branch).and_then(|spot| spot.frame);
    let frame = frame.expect("a branch has a frame");
    assert_eq!(frame.width, 2 * lane + 2 * FRAME_PAD);
    let top = CARD_HEIGHT + GAP + CARD_HEIGHT + STEM + LANE_HEAD + GAP;
    let inner = layout.spot(inner).expect("it is drawn").card;
    assert_eq!((inner.x, inner.y), (-lane + LANE_PAD, top));
    assert_eq!(frame.bottom(), inner.bottom() + GAP + MERGE);
    let below = layout.spot(below).expect("it is drawn");
    assert_eq!(
        (below.card.x, below.card.y),
        (-CARD_WIDTH / 2, frame.bottom() + GAP)
    );
    assert_eq!(
        layout
            .way_to(document.steps[&branch].lanes[0].steps[0])
            .len(),
        2
    );

    let folded = Layout::of(&document, &BTreeSet::from([branch]));
    let spot = folded.spot(branch).expect("it is drawn");
    assert_eq!(
        (spot.frame, spot.folded, spot.block),
        (None, Some(1), spot.card)
    );
    assert_eq!(folded.spots().len(), 2);
}

#[test]
fn a_circle_of_containers_ends() {
    let mut document = Document::new("webhook");
    let kind = catalog::action("loop").expect("it is in the catalog");
    for n in 1..=2 {
        let id = StepId(Uuid::from_u128(n));
        let mut step = new_step(kind, id, "S", format!("s{n}"), || {
            LaneId(Uuid::from_u128(n))
        });
        step.lanes[0].steps = vec![StepId(Uuid::from_u128(3 - n))];
        document.steps.insert(id, step);
    }
    document.flow = vec![StepId(Uuid::from_u128(1))];
    assert_eq!(Layout::of(&document, &BTreeSet::new()).spots().len(), 2);
}
