//! Properties of every edit, and the cases that a person would name.

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::document::ListRef;
use crate::sample::{Maker, broken, plans};
use crate::validate::Checked;
use crate::{Document, catalog};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn taking_back_an_edit_gives_the_same_document(plans in plans(40)) {
        let mut maker = Maker::default();
        let mut document = Document::new("webhook");
        for plan in plans {
            let edit = maker.edit(&document, plan);
            let before = document.clone();
            let Ok(change) = apply(&mut document, &edit) else {
                prop_assert_eq!(&document, &before, "a refused edit changes nothing: {:?}", edit);
                continue;
            };
            let after = document.clone();
            let back = apply(&mut document, &change.inverse);
            let back = back.map_err(|refusal| TestCaseError::fail(format!("{edit:?} cannot be taken back: {refusal}")))?;
            prop_assert_eq!(&document, &before, "{:?}", edit);
            prop_assert_eq!(document.canonical(), before.canonical());
            apply(&mut document, &back.inverse).map_err(|refusal| TestCaseError::fail(format!("redo: {refusal}")))?;
            prop_assert_eq!(&document, &after, "{:?}", edit);
        }
    }

    #[test]
    fn edits_keep_the_shape_sound_and_problems_up_to_date(plans in plans(40)) {
        let mut maker = Maker::default();
        let mut document = Document::new("webhook");
        let mut checked = Checked::of(&document);
        for plan in plans {
            let mut edit = maker.edit(&document, plan);
            // Forth, back, and forth again.
            for _ in 0..3 {
                let (before, problems) = (document.clone(), checked.clone());
                let Ok(change) = apply(&mut document, &edit) else { break };
                let affected = checked.update(&document, &change);
                let whole = Checked::of(&document);
                prop_assert!(whole.is_sound());
                prop_assert_eq!(&checked, &whole, "{:?}", edit);
                let other = |id: &StepId| !problems.of_step(*id).eq(checked.of_step(*id));
                let steps = before.steps.keys().chain(document.steps.keys()).copied();
                prop_assert_eq!(affected.steps, steps.filter(other).collect(), "{:?}", edit);
                prop_assert_eq!(affected.whole, !problems.of_trigger().eq(checked.of_trigger()));
                for list in lists(&before) {
                    let stays = document.list(list).is_none_or(|now| Some(now) == before.list(list));
                    prop_assert!(stays || change.lists().contains(&list), "{:?}", edit);
                }
                edit = change.inverse;
            }
        }
    }

    #[test]
    fn an_edit_and_a_document_come_back_from_json(plans in plans(30)) {
        let mut maker = Maker::default();
        let mut document = Document::new("webhook");
        for plan in plans {
            let edit = maker.edit(&document, plan);
            let json = serde_json::to_string(&edit).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(serde_json::from_str::<Edit>(&json).ok(), Some(edit.clone()), "{}", json);
            let mut other: Document = serde_json::from_str(&document.canonical()).expect("canonical JSON is JSON");
            prop_assert_eq!(&other, &document);
            let here = apply(&mut document, &edit);
            let there = apply(&mut other, &edit);
            prop_assert_eq!(here, there);
            prop_assert_eq!(other.hash(), document.hash());
        }
    }

    #[test]
    fn a_rename_leaves_no_reference_behind(plans in plans(30), pick in 0..64_usize) {
        let mut document = Maker::default().document(&plans);
        let Some((id, slug)) = document.steps.values().nth(pick % document.steps.len().max(1)).map(|s| (s.id, s.slug.clone()))
        else { return Ok(()) };
        let rename = Edit::Rename { step: id, name: "New".to_owned(), slug: "brand_new".to_owned() };
        prop_assert!(apply(&mut document, &rename).is_ok());
        // What takes no expressions has no references, whatever it says.
        for step in document.steps.values_mut() {
            let action = step.action().cloned();
            let takes = |name: &str| {
                let field = action.as_ref().and_then(|action| action.input.field(name));
                field.is_none_or(|field| field.kind.takes_expressions())
            };
            step.config.retain(|name, _| takes(name));
        }
        let text = document.canonical().replace("'steps.", "");
        for reference in [format!("steps.{slug}."), format!("steps.{slug} "), format!("steps['{slug}']")] {
            prop_assert!(!text.contains(&reference), "{reference} in {text}");
        }
    }

    #[test]
    fn copies_fit_beside_the_originals(plans in plans(30), pick in 0..64_usize) {
        let mut document = Maker::default().document(&plans);
        let Some(top) = document.steps.keys().nth(pick % document.steps.len().max(1)).copied() else { return Ok(()) };
        let originals: Vec<Step> = document.subtree(top).iter().map(|id| document.steps[id].clone()).collect();
        let mut made = 1_u128 << 100;
        let mut uuid = || { made += 1; Uuid::from_u128(made) };
        let mut lanes = 1_u128 << 101;
        let copied = copies(&document, &originals, || StepId::new(uuid()), || { lanes += 1; LaneId::new(Uuid::from_u128(lanes)) });
        prop_assert_eq!(copied.len(), originals.len());
        let at = Place { list: ListRef::Flow, index: 0 };
        let pasted = apply(&mut document, &Edit::Insert { steps: copied, at });
        prop_assert!(pasted.is_ok());
        prop_assert!(Checked::of(&document).is_sound());
    }

    #[test]
    fn nothing_panics_on_a_broken_document(document in broken(), plans in plans(12)) {
        let mut document = document;
        let mut maker = Maker::default();
        for plan in plans {
            let edit = maker.edit(&document, plan);
            let mut checked = Checked::of(&document);
            if let Ok(change) = apply(&mut document, &edit) {
                checked.update(&document, &change);
                prop_assert_eq!(&checked, &Checked::of(&document));
                let _ = apply(&mut document.clone(), &change.inverse);
            }
        }
    }
}

fn lists(document: &Document) -> Vec<ListRef> {
    let lanes = |step: &Step| {
        let id = step.id;
        let lanes = step.lanes.iter();
        lanes
            .map(|lane| ListRef::Lane(id, lane.id))
            .collect::<Vec<_>>()
    };
    let lanes = document.steps.values().flat_map(lanes);
    std::iter::once(ListRef::Flow).chain(lanes).collect()
}

fn document() -> (Document, [StepId; 3]) {
    let mut document = Document::new("webhook");
    let ids = [1, 2, 3].map(|n| StepId::new(Uuid::from_u128(n)));
    for (id, kind, slug) in [
        (ids[0], "log", "order"),
        (ids[1], "log", "notify"),
        (ids[2], "loop", "each"),
    ] {
        let kind = catalog::action(kind).expect("it is in the catalog");
        let step = new_step(kind, id, slug, slug.to_owned(), || {
            LaneId::new(Uuid::from_u128(9))
        });
        let at = Place {
            list: ListRef::Flow,
            index: document.flow.len(),
        };
        apply(
            &mut document,
            &Edit::Insert {
                steps: vec![step],
                at,
            },
        )
        .expect("it fits");
    }
    (document, ids)
}

fn field(step: StepId, field: &str, value: Option<Value>) -> Edit {
    Edit::SetField {
        step,
        field: field.to_owned(),
        value,
    }
}

#[test]
fn an_edit_of_one_field_takes_back_that_field_only() {
    let (mut document, [order, ..]) = document();
    let first =
        apply(&mut document, &field(order, "message", Some(json!("one")))).expect("it fits");
    apply(&mut document, &field(order, "level", Some(json!("error")))).expect("it fits");
    apply(&mut document, &first.inverse).expect("it fits");
    assert_eq!(document.steps[&order].config.get("message"), None);
    assert_eq!(document.steps[&order].config["level"], "error");
}

#[test]
fn null_is_a_value_and_leaving_it_out_removes_the_field() {
    let (_, [order, ..]) = document();
    for value in [None, Some(Value::Null), Some(json!("x"))] {
        let edit = field(order, "message", value);
        let json = serde_json::to_string(&edit).expect("it is JSON");
        assert_eq!(
            serde_json::from_str::<Edit>(&json).expect("it comes back"),
            edit
        );
    }
}

#[test]
fn what_does_not_fit_is_refused_and_named() {
    let (mut document, [order, notify, each]) = document();
    let nobody = StepId::new(Uuid::from_u128(99));
    let lane = document.steps[&each].lanes[0].id;
    let inside = |index| Place {
        list: ListRef::Lane(each, lane),
        index,
    };
    let flow = |index| Place {
        list: ListRef::Flow,
        index,
    };
    let copy = document.steps[&order].clone();
    let mut renamed = copy.clone();
    renamed.id = nobody;
    let rename = |slug: &str| Edit::Rename {
        step: order,
        name: "x".to_owned(),
        slug: slug.to_owned(),
    };
    let table = [
        (Edit::Delete { step: nobody }, Refusal::NoSuchStep),
        (field(nobody, "x", None), Refusal::NoSuchStep),
        (
            Edit::Move {
                step: each,
                to: inside(0),
            },
            Refusal::IntoItself,
        ),
        (
            Edit::Move {
                step: order,
                to: flow(3),
            },
            Refusal::NoSuchPlace,
        ),
        (
            Edit::Move {
                step: order,
                to: inside(1),
            },
            Refusal::NoSuchPlace,
        ),
        (
            Edit::Insert {
                steps: vec![],
                at: flow(0),
            },
            Refusal::NotOneTree,
        ),
        (
            Edit::Insert {
                steps: vec![copy],
                at: flow(0),
            },
            Refusal::NotOneTree,
        ),
        (
            Edit::Insert {
                steps: vec![renamed],
                at: flow(0),
            },
            Refusal::SlugTaken("order".to_owned()),
        ),
        (rename("notify"), Refusal::SlugTaken("notify".to_owned())),
        (
            rename("Not a slug"),
            Refusal::SlugInvalid("Not a slug".to_owned()),
        ),
        (
            Edit::DeleteLane {
                step: each,
                lane: LaneId::new(Uuid::nil()),
            },
            Refusal::NoSuchLane,
        ),
        (Edit::DeleteLane { step: notify, lane }, Refusal::NoSuchLane),
        (
            Edit::MoveLane {
                step: each,
                lane,
                index: 1,
            },
            Refusal::NoSuchPlace,
        ),
        (
            Edit::Batch {
                edits: vec![Edit::Delete { step: order }, Edit::Delete { step: order }],
            },
            Refusal::NoSuchStep,
        ),
        (
            (0..9).fold(Edit::Delete { step: order }, |edit, _| Edit::Batch {
                edits: vec![edit],
            }),
            Refusal::TooDeep,
        ),
    ];
    let before = document.clone();
    for (edit, refusal) in table {
        assert_eq!(apply(&mut document, &edit), Err(refusal), "{edit:?}");
        assert_eq!(document, before, "{edit:?}");
    }
}

#[test]
fn a_deeply_nested_batch_can_be_taken_back() {
    let (mut document, [order, notify, _]) = document();
    apply(
        &mut document,
        &field(
            notify,
            "message",
            Some(json!("{{ steps.order.x }} {{ steps.bill.x }}")),
        ),
    )
    .expect("it fits");
    let before = document.clone();
    let rename = Edit::Rename {
        step: order,
        name: "Bill".to_owned(),
        slug: "bill".to_owned(),
    };
    let deep = (0..8).fold(rename, |edit, _| Edit::Batch { edits: vec![edit] });
    let change = apply(&mut document, &deep).expect("eight levels are allowed");
    assert_eq!(
        document.steps[&notify].config["message"],
        "{{ steps.bill.x }} {{ steps.bill.x }}"
    );
    apply(&mut document, &change.inverse).expect("it can be taken back");
    assert_eq!(document, before);
}

#[test]
fn pasted_steps_that_swap_slugs_keep_their_own_references() {
    let (mut elsewhere, [order, notify, _]) = document();
    apply(
        &mut elsewhere,
        &field(notify, "message", Some(json!("{{ steps.order.level }}"))),
    )
    .expect("it fits");
    let mut steps: Vec<Step> = [order, notify]
        .map(|id| elsewhere.steps[&id].clone())
        .to_vec();
    // Their names say the other's slug, so that each gets the other's.
    (steps[0].name, steps[1].name) = ("Notify".to_owned(), "Order".to_owned());
    let mut made = 50;
    let copied = copies(
        &Document::new("webhook"),
        &steps,
        || {
            made += 1;
            StepId::new(Uuid::from_u128(made))
        },
        || LaneId::new(Uuid::nil()),
    );
    assert_eq!(
        [copied[0].slug.as_str(), copied[1].slug.as_str()],
        ["notify", "order"]
    );
    assert_eq!(copied[1].config["message"], "{{ steps.notify.level }}");
}
