//! Makes a tree of a document that is none, so that a merge has to think only of trees.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::{Lane, Step};
use crate::{Document, LaneId, StepId};

/// Returns a sound document that says what one says which is not.
///
/// A step stays where a reader meets it first, and what no list leads to is left out: it never ran.
/// Lanes with the same id become one. Of steps with the same slug, the later ones by id get another.
pub(super) fn mended(document: &Document) -> Document {
    let mut reached = BTreeSet::new();
    let flow = first_met(document, &document.flow, &mut reached);
    let mut steps = BTreeMap::new();
    let mut waiting = flow.clone();
    while let Some(id) = waiting.pop() {
        let Some(step) = document.steps.get(&id) else {
            continue;
        };
        let step = Step {
            id,
            lanes: lanes(document, step, &mut reached),
            ..step.clone()
        };
        waiting.extend(step.lanes.iter().flat_map(|lane| &lane.steps));
        steps.insert(id, step);
    }
    tell_apart(&mut steps);
    Document {
        schema: document.schema,
        trigger: document.trigger.clone(),
        flow,
        steps,
        settings: document.settings.clone(),
    }
}

/// Gives each step a slug of its own.
fn tell_apart(steps: &mut BTreeMap<StepId, Step>) {
    let mut taken: BTreeSet<String> = steps.values().map(|step| step.slug.clone()).collect();
    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    for step in steps.values_mut() {
        let times = met.entry(step.slug.clone()).or_default();
        *times += 1;
        if *times > 1 {
            step.slug = free(&step.slug, times, |slug| taken.contains(slug));
            taken.insert(step.slug.clone());
        }
    }
}

/// Returns the steps of a list that are there and were not met before.
fn first_met(document: &Document, list: &[StepId], reached: &mut BTreeSet<StepId>) -> Vec<StepId> {
    let met = list
        .iter()
        .filter(|id| document.steps.contains_key(id) && reached.insert(**id));
    met.copied().collect()
}

fn lanes(document: &Document, step: &Step, reached: &mut BTreeSet<StepId>) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::with_capacity(step.lanes.len());
    let mut known: BTreeMap<LaneId, usize> = BTreeMap::new();
    for lane in &step.lanes {
        let steps = first_met(document, &lane.steps, reached);
        let number = *known.entry(lane.id).or_insert(lanes.len());
        match lanes.get_mut(number) {
            Some(same) => same.steps.extend(steps),
            None => lanes.push(Lane {
                steps,
                ..lane.clone()
            }),
        }
    }
    lanes
}

/// Returns the slug with a number behind it that is not taken, and leaves that number in `number`,
/// from which it counts on.
pub(super) fn free(slug: &str, number: &mut usize, taken: impl Fn(&str) -> bool) -> String {
    loop {
        let numbered = format!("{slug}_{number}");
        if !taken(&numbered) {
            return numbered;
        }
        *number += 1;
    }
}
