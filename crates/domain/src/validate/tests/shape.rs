//! Shapes that are no tree are named and never looped over; arbitrary JSON never panics.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::*;
use super::{add, id, nested, told};
use crate::LaneId;
use crate::document::ListRef;
use crate::edit::Edit;
use crate::sample::{broken, plans};

#[test]
fn shapes_that_are_no_tree_are_named() {
    let ring = || {
        let mut document = nested();
        document.steps.get_mut(&id(4)).expect("it is there").lanes[0]
            .steps
            .push(id(2));
        document
    };
    let mut out = ring();
    out.flow.retain(|step| *step != id(2));
    let mut missing = nested();
    missing.flow.push(id(99));
    let mut elsewhere = nested();
    elsewhere.steps.get_mut(&id(7)).expect("it is there").id = id(98);
    let mut same_slug = nested();
    same_slug.steps.get_mut(&id(7)).expect("it is there").slug = "log6".to_owned();
    let mut same_lane = nested();
    let lanes = &mut same_lane.steps.get_mut(&id(4)).expect("it is there").lanes;
    lanes[1].id = lanes[0].id;
    let table = [
        (ring(), "The step `Step 2` stands in two places."),
        (out, "The step `Step 2` stands in no list."),
        (
            missing,
            "A list names the step 00000000-0000-0000-0000-000000000063, which is not there.",
        ),
        (
            elsewhere,
            "The step 00000000-0000-0000-0000-000000000062 is kept under the id 00000000-0000-0000-0000-000000000007.",
        ),
        (same_slug, "Two steps are called `log6` in expressions."),
        (same_lane, "Two lanes of `Step 4` have the same id."),
    ];
    for (document, expected) in table {
        assert!(!Checked::of(&document).is_sound());
        let told = told(&document);
        assert!(
            told.iter().any(|told| told == &format!(": {expected}")),
            "{expected}: {told:?}"
        );
    }
}

/// Whether a document is a tree, told in another way: every step has one place, and following
/// containers outwards ends in the flow.
fn is_tree(document: &Document) -> bool {
    let mut places: Vec<(StepId, Option<StepId>)> =
        document.flow.iter().map(|id| (*id, None)).collect();
    for (id, step) in &document.steps {
        let lanes: BTreeSet<LaneId> = step.lanes.iter().map(|lane| lane.id).collect();
        if step.id != *id || lanes.len() < step.lanes.len() {
            return false;
        }
        places.extend(
            step.lanes
                .iter()
                .flat_map(|lane| &lane.steps)
                .map(|inner| (*inner, Some(*id))),
        );
    }
    let holder: std::collections::BTreeMap<StepId, Option<StepId>> =
        places.iter().copied().collect();
    let slugs: BTreeSet<&str> = document
        .steps
        .values()
        .map(|step| step.slug.as_str())
        .collect();
    places.len() == document.steps.len()
        && slugs.len() == document.steps.len()
        && holder.keys().eq(document.steps.keys())
        && document.steps.keys().all(|id| {
            let mut at = Some(*id);
            for _ in 0..=document.steps.len() {
                at = at.and_then(|id| holder[&id]);
            }
            at.is_none()
        })
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "set",
            "loop",
            "webhook",
            "{{ steps.a }}",
            "00000000-0000-0000-0000-000000000001"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 30, 4, |inner| {
        let key = prop::sample::select(vec![
            "id", "steps", "flow", "config", "lanes", "kind", "slug", "values", "when",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..4).prop_map(|entries| entries
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sound_means_a_tree(document in broken()) {
        let checked = Checked::of(&document);
        prop_assert_eq!(checked.is_sound(), is_tree(&document));
        prop_assert!(checked.is_sound() || !checked.is_clean());
        prop_assert!(document.walk().len() <= document.steps.len());
        for id in document.steps.keys() {
            let _ = (document.subtree(*id), document.visible_from(*id), document.place(*id));
        }
        let again: Document = serde_json::from_str(&document.canonical()).expect("canonical JSON is JSON");
        prop_assert_eq!(again.hash(), document.hash());
    }

    #[test]
    fn a_walk_visits_every_step_of_a_sound_document(plans in plans(40)) {
        let document = crate::sample::Maker::default().document(&plans);
        prop_assert!(is_tree(&document));
        let walked: Vec<StepId> = document.walk().iter().map(|(_, step)| step.id).collect();
        let all: BTreeSet<StepId> = walked.iter().copied().collect();
        prop_assert_eq!(walked.len(), document.steps.len());
        prop_assert_eq!(all.len(), document.steps.len());
        for (depth, step) in document.walk() {
            let around = scope::Surroundings::of(&document, step.id);
            prop_assert_eq!(around.depth, depth);
            let visible: BTreeSet<u64> = around.visible.keys().copied().collect();
            let from = document.visible_from(step.id);
            let from: BTreeSet<u64> = from.iter().map(|step| scope::number(&step.slug)).collect();
            prop_assert_eq!(visible, from);
        }
    }

    #[test]
    fn arbitrary_json_is_checked_or_refused_and_never_panics(config in json_value(), raw in json_value(), when in json_value()) {
        let step = json!({"id": id(1), "name": "n", "slug": "s", "kind": "http.request", "config": config,
            "lanes": [{"id": id(2), "name": "l", "when": when}]});
        let document = json!({"schema": 1, "trigger": {"kind": "schedule", "config": config}, "flow": [id(1)], "steps": {id(1).to_string(): step}});
        for value in [document, raw.clone()] {
            if let Ok(document) = serde_json::from_value::<Document>(value) {
                let _ = Checked::of(&document).problems().count();
            }
        }
        let _ = serde_json::from_value::<Edit>(raw);
        for action in crate::catalog::actions() {
            let mut document = Document::new("webhook");
            add(&mut document, 1, &action.key, ListRef::Flow, json!({}));
            let fields: Vec<String> = action.input.fields.iter().map(|field| field.name.clone()).collect();
            for field in fields {
                document.steps.get_mut(&id(1)).expect("it is there").config.insert(field, config.clone());
            }
            let _ = Checked::of(&document);
        }
    }
}
