//! Documents for the tests, made like anyone's: by edits on an empty one.

use domain::document::{ListRef, Place};
use domain::edit::{Edit, apply, new_step};
use domain::{Document, LaneId, StepId, catalog, slug};
use serde_json::Value;
use uuid::Uuid;

/// Returns a document with a trigger and steps one after the other: kind, name, fields.
pub(crate) fn document(trigger: &str, steps: &[(&str, &str, Value)]) -> Document {
    let mut document = Document::new(trigger);
    for (index, step) in steps.iter().enumerate() {
        let list = ListRef::Flow;
        insert(&mut document, Place { list, index }, step);
    }
    document
}

/// Puts a step into the first lane of a step of the flow.
pub(crate) fn put_into(document: &mut Document, container: usize, step: &(&str, &str, Value)) {
    let id = document.flow[container];
    let lane = &document.steps[&id].lanes[0];
    let (list, index) = (ListRef::Lane(id, lane.id), lane.steps.len());
    insert(document, Place { list, index }, step);
}

fn insert(document: &mut Document, at: Place, (kind, name, fields): &(&str, &str, Value)) {
    let action = catalog::action(kind).expect("the catalog has it");
    let lane = || LaneId(Uuid::now_v7());
    let mut step = new_step(action, StepId(Uuid::now_v7()), name, slug::of(name), lane);
    step.config
        .extend(fields.as_object().cloned().unwrap_or_default());
    let steps = vec![step];
    apply(document, &Edit::Insert { steps, at }).expect("it fits at the end");
}

/// Returns a document as it crosses the wire.
pub(crate) fn wire(document: &Document) -> Value {
    serde_json::to_value(document).expect("a document is JSON")
}

/// Returns a webhook document.
pub(crate) fn webhook(steps: &[(&str, &str, Value)]) -> Value {
    wire(&document("webhook", steps))
}
