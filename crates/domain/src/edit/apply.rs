//! Applies an edit to a document.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{Change, Edit, Refusal, references};
use crate::document::{Lane, ListRef, Place, Step};
use crate::template::Rename;
use crate::{Document, LaneId, StepId};

/// Most levels of batches within batches; the builder makes one, inverses of inverses two.
const BATCH_DEPTH: usize = 8;

/// Applies an edit and returns what it did, with its inverse.
///
/// # Errors
/// When the edit does not fit the document (any more); the document is then unchanged.
pub fn apply(document: &mut Document, edit: &Edit) -> Result<Change, Refusal> {
    let done = applied(document, edit, 0)?;
    Ok(Change {
        edit: edit.clone(),
        inverse: done.inverse,
        touched: done.touched,
        structural: done.structural,
    })
}

struct Done {
    inverse: Edit,
    touched: BTreeSet<StepId>,
    structural: bool,
}

impl Done {
    fn content(inverse: Edit, touched: impl IntoIterator<Item = StepId>) -> Self {
        Self {
            inverse,
            touched: touched.into_iter().collect(),
            structural: false,
        }
    }

    fn structure(inverse: Edit, touched: impl IntoIterator<Item = StepId>) -> Self {
        Self {
            structural: true,
            ..Self::content(inverse, touched)
        }
    }
}

fn applied(document: &mut Document, edit: &Edit, depth: usize) -> Result<Done, Refusal> {
    match edit {
        Edit::SetTrigger { trigger } => {
            let before = std::mem::replace(&mut document.trigger, trigger.clone());
            Ok(Done::content(Edit::SetTrigger { trigger: before }, []))
        }
        Edit::SetTriggerField { field, value } => {
            let value = set(&mut document.trigger.config, field, value.as_ref());
            let field = field.clone();
            Ok(Done::content(Edit::SetTriggerField { field, value }, []))
        }
        Edit::Insert { steps, at } => insert(document, steps, *at),
        Edit::Delete { step } => delete(document, *step),
        Edit::Move { step, to } => move_step(document, *step, *to),
        Edit::Rename { step, name, slug } => rename(document, *step, name, slug),
        Edit::SetField {
            step: id,
            field,
            value,
        } => {
            let value = set(&mut step(document, *id)?.config, field, value.as_ref());
            Ok(Done::content(
                Edit::SetField {
                    step: *id,
                    field: field.clone(),
                    value,
                },
                [*id],
            ))
        }
        Edit::SetAction { step: id, action } => {
            let action = std::mem::replace(&mut step(document, *id)?.action, action.clone());
            Ok(Done::content(Edit::SetAction { step: *id, action }, [*id]))
        }
        Edit::SetErrorPolicy { step: id, policy } => {
            let policy = std::mem::replace(&mut step(document, *id)?.on_error, *policy);
            Ok(Done::content(
                Edit::SetErrorPolicy { step: *id, policy },
                [*id],
            ))
        }
        Edit::SetNotes { step: id, notes } => {
            let notes = std::mem::replace(&mut step(document, *id)?.notes, notes.clone());
            Ok(Done::content(Edit::SetNotes { step: *id, notes }, [*id]))
        }
        Edit::AddLane { step, lane, index } => {
            if !lane.steps.is_empty() {
                return Err(Refusal::NotOneTree);
            }
            insert_lane(document, *step, lane, *index, &[])
        }
        Edit::InsertLane {
            step,
            lane,
            index,
            steps,
        } => insert_lane(document, *step, lane, *index, steps),
        Edit::DeleteLane { step, lane } => delete_lane(document, *step, *lane),
        Edit::MoveLane { step, lane, index } => move_lane(document, *step, *lane, *index),
        Edit::SetLane {
            step: id,
            lane: lane_id,
            name,
            when,
        } => {
            let lanes = &mut step(document, *id)?.lanes;
            let lane = lanes
                .iter_mut()
                .find(|l| l.id == *lane_id)
                .ok_or(Refusal::NoSuchLane)?;
            let name = std::mem::replace(&mut lane.name, name.clone());
            let when = std::mem::replace(&mut lane.when, when.clone());
            Ok(Done::content(
                Edit::SetLane {
                    step: *id,
                    lane: *lane_id,
                    name,
                    when,
                },
                [*id],
            ))
        }
        Edit::SetSettings { settings } => {
            let before = std::mem::replace(&mut document.settings, settings.clone());
            Ok(Done::content(Edit::SetSettings { settings: before }, []))
        }
        Edit::Restore { steps } => restore(document, steps),
        Edit::Batch { .. } if depth == BATCH_DEPTH => Err(Refusal::TooDeep),
        Edit::Batch { edits } => batch(document, edits, depth),
    }
}

fn step(document: &mut Document, id: StepId) -> Result<&mut Step, Refusal> {
    document.steps.get_mut(&id).ok_or(Refusal::NoSuchStep)
}

/// Sets or removes a field; returns what it was.
fn set(config: &mut Map<String, Value>, field: &str, value: Option<&Value>) -> Option<Value> {
    match value {
        Some(value) => config.insert(field.to_owned(), value.clone()),
        None => config.shift_remove(field),
    }
}

fn batch(document: &mut Document, edits: &[Edit], depth: usize) -> Result<Done, Refusal> {
    let mut all = Done::content(Edit::Batch { edits: Vec::new() }, []);
    let mut inverses = Vec::with_capacity(edits.len());
    for edit in edits {
        match applied(document, edit, depth + 1) {
            Ok(done) => {
                // Flat, so that taking back never nests deeper than the edits did.
                match done.inverse {
                    Edit::Batch { edits } => inverses.extend(edits.into_iter().rev()),
                    inverse => inverses.push(inverse),
                }
                all.touched.extend(done.touched);
                all.structural |= done.structural;
            }
            Err(refusal) => {
                // An inverse fits right after its edit, unless the document was no tree before.
                for inverse in inverses.iter().rev() {
                    let _ = applied(document, inverse, 0);
                }
                return Err(refusal);
            }
        }
    }
    inverses.reverse();
    all.inverse = Edit::Batch { edits: inverses };
    Ok(all)
}

/// Checks that steps form one tree below `roots` and that none of them is in the document yet.
fn check_tree(document: &Document, roots: &[StepId], steps: &[Step]) -> Result<(), Refusal> {
    let mut by_id: BTreeMap<StepId, &Step> = BTreeMap::new();
    let mut slugs: BTreeSet<&str> = BTreeSet::new();
    for step in steps {
        if document.steps.contains_key(&step.id) || by_id.insert(step.id, step).is_some() {
            return Err(Refusal::NotOneTree);
        }
        slugs.insert(&step.slug);
    }
    let mut open: Vec<StepId> = roots.to_vec();
    let mut lanes = BTreeSet::new();
    while let Some(id) = open.pop() {
        let step = by_id.remove(&id).ok_or(Refusal::NotOneTree)?;
        for lane in &step.lanes {
            if !lanes.insert(lane.id) {
                return Err(Refusal::NotOneTree);
            }
            open.extend(&lane.steps);
        }
    }
    if !by_id.is_empty() {
        return Err(Refusal::NotOneTree);
    }
    if slugs.len() < steps.len() {
        return Err(Refusal::NotOneTree);
    }
    match document
        .steps
        .values()
        .find(|step| slugs.contains(step.slug.as_str()))
    {
        Some(step) => Err(Refusal::SlugTaken(step.slug.clone())),
        None => Ok(()),
    }
}

fn insert(document: &mut Document, steps: &[Step], at: Place) -> Result<Done, Refusal> {
    let top = steps.first().ok_or(Refusal::NotOneTree)?.id;
    let list = document.list(at.list).ok_or(Refusal::NoSuchLane)?;
    if at.index > list.len() {
        return Err(Refusal::NoSuchPlace);
    }
    check_tree(document, &[top], steps)?;
    document
        .steps
        .extend(steps.iter().map(|step| (step.id, step.clone())));
    if let Some(list) = document.list_mut(at.list) {
        list.insert(at.index, top);
    }
    Ok(Done::structure(
        Edit::Delete { step: top },
        steps.iter().map(|step| step.id),
    ))
}

/// Takes a step out of its list. Looks first: where lanes share an id, a place can mislead.
fn take_out(document: &mut Document, id: StepId, at: Place) {
    if let Some(list) = document.list_mut(at.list)
        && list.get(at.index) == Some(&id)
    {
        list.remove(at.index);
    }
}

fn delete(document: &mut Document, id: StepId) -> Result<Done, Refusal> {
    let at = document.place(id).ok_or(Refusal::NoSuchStep)?;
    let ids = document.subtree(id);
    let steps: Vec<Step> = ids
        .iter()
        .filter_map(|id| document.steps.remove(id))
        .collect();
    take_out(document, id, at);
    Ok(Done::structure(Edit::Insert { steps, at }, ids))
}

fn move_step(document: &mut Document, id: StepId, to: Place) -> Result<Done, Refusal> {
    let from = document.place(id).ok_or(Refusal::NoSuchStep)?;
    if let ListRef::Lane(container, _) = to.list
        && document.subtree(id).contains(&container)
    {
        return Err(Refusal::IntoItself);
    }
    let length = document.list(to.list).ok_or(Refusal::NoSuchLane)?.len();
    if to.index > length.saturating_sub(usize::from(to.list == from.list)) {
        return Err(Refusal::NoSuchPlace);
    }
    take_out(document, id, from);
    if let Some(list) = document.list_mut(to.list) {
        list.insert(to.index.min(list.len()), id);
    }
    Ok(Done::structure(Edit::Move { step: id, to: from }, []))
}

fn rename(document: &mut Document, id: StepId, name: &str, slug: &str) -> Result<Done, Refusal> {
    let renamed = document.steps.get(&id).ok_or(Refusal::NoSuchStep)?;
    let (old_name, old_slug) = (renamed.name.clone(), renamed.slug.clone());
    if old_slug == slug {
        name.clone_into(&mut step(document, id)?.name);
        let inverse = Edit::Rename {
            step: id,
            name: old_name,
            slug: old_slug,
        };
        return Ok(Done::content(inverse, [id]));
    }
    if !crate::slug::is_valid(slug) {
        return Err(Refusal::SlugInvalid(slug.to_owned()));
    }
    if document.step_by_slug(slug).is_some() {
        return Err(Refusal::SlugTaken(slug.to_owned()));
    }
    let in_use = Cell::new(false);
    let follow = |from: &str| {
        in_use.set(in_use.get() || from == slug);
        (from == old_slug).then_some(slug)
    };
    let follow = Rename {
        among: &[&old_slug, slug],
        of: &follow,
    };
    let followed: Vec<Step> = document
        .steps
        .values()
        .filter_map(|step| references::renamed(step, &follow))
        .collect();
    let trigger = references::renamed_trigger(&document.trigger, &follow);
    let trigger = trigger.map(|trigger| std::mem::replace(&mut document.trigger, trigger));
    let own = step(document, id)?.clone();
    let mut restored = vec![own];
    for step in followed {
        let id = step.id;
        let old = document.steps.insert(id, step);
        restored.extend(old.filter(|old| old.id != restored[0].id));
    }
    let renamed = step(document, id)?;
    name.clone_into(&mut renamed.name);
    slug.clone_into(&mut renamed.slug);
    let touched: Vec<StepId> = restored.iter().map(|step| step.id).collect();
    // A reference that said the new slug before anyone had it would follow back, and must not.
    let inverse = if in_use.get() || !crate::slug::is_valid(&old_slug) {
        let restore = Edit::Restore { steps: restored };
        match trigger {
            Some(trigger) => Edit::Batch {
                edits: vec![restore, Edit::SetTrigger { trigger }],
            },
            None => restore,
        }
    } else {
        Edit::Rename {
            step: id,
            name: old_name,
            slug: old_slug,
        }
    };
    Ok(Done::structure(inverse, touched))
}

/// Puts back the content of steps. Lists of lanes stay; lanes themselves must be the same.
fn restore(document: &mut Document, steps: &[Step]) -> Result<Done, Refusal> {
    let mut slugs: BTreeMap<&str, StepId> = BTreeMap::new();
    for step in steps {
        let now = document.steps.get(&step.id).ok_or(Refusal::NoSuchStep)?;
        let same = |(a, b): (&Lane, &Lane)| a.id == b.id;
        if now.lanes.len() != step.lanes.len() || !now.lanes.iter().zip(&step.lanes).all(same) {
            return Err(Refusal::NoSuchLane);
        }
        if slugs.insert(&step.slug, step.id).is_some() {
            return Err(Refusal::NotOneTree);
        }
    }
    let restored: BTreeSet<StepId> = steps.iter().map(|step| step.id).collect();
    let others = document
        .steps
        .values()
        .filter(|step| !restored.contains(&step.id));
    if let Some(taken) = others
        .map(|step| &step.slug)
        .find(|slug| slugs.contains_key(slug.as_str()))
    {
        return Err(Refusal::SlugTaken(taken.clone()));
    }
    let mut before = Vec::with_capacity(steps.len());
    let mut structural = false;
    for step in steps {
        let Some(now) = document.steps.get_mut(&step.id) else {
            continue;
        };
        before.push(now.clone());
        structural |= now.slug != step.slug;
        let lists: Vec<Vec<StepId>> = now
            .lanes
            .iter_mut()
            .map(|lane| std::mem::take(&mut lane.steps))
            .collect();
        *now = step.clone();
        for (lane, list) in now.lanes.iter_mut().zip(lists) {
            lane.steps = list;
        }
    }
    let done = Done::content(Edit::Restore { steps: before }, restored);
    Ok(Done { structural, ..done })
}

fn lane_index(document: &Document, step: StepId, lane: LaneId) -> Result<usize, Refusal> {
    let step = document.steps.get(&step).ok_or(Refusal::NoSuchStep)?;
    step.lanes
        .iter()
        .position(|l| l.id == lane)
        .ok_or(Refusal::NoSuchLane)
}

fn insert_lane(
    document: &mut Document,
    id: StepId,
    lane: &Lane,
    index: usize,
    steps: &[Step],
) -> Result<Done, Refusal> {
    check_tree(document, &lane.steps, steps)?;
    let step = document.steps.get_mut(&id).ok_or(Refusal::NoSuchStep)?;
    if index > step.lanes.len() {
        return Err(Refusal::NoSuchPlace);
    }
    if step.lanes.iter().any(|l| l.id == lane.id) {
        return Err(Refusal::NotOneTree);
    }
    step.lanes.insert(index, lane.clone());
    document
        .steps
        .extend(steps.iter().map(|step| (step.id, step.clone())));
    let touched = steps.iter().map(|step| step.id).chain([id]);
    Ok(Done::structure(
        Edit::DeleteLane {
            step: id,
            lane: lane.id,
        },
        touched,
    ))
}

fn delete_lane(document: &mut Document, id: StepId, lane: LaneId) -> Result<Done, Refusal> {
    let index = lane_index(document, id, lane)?;
    let Some(step) = document.steps.get_mut(&id) else {
        return Err(Refusal::NoSuchStep);
    };
    let lane = step.lanes.remove(index);
    let ids: Vec<StepId> = lane
        .steps
        .iter()
        .flat_map(|id| document.subtree(*id))
        .collect();
    let steps: Vec<Step> = ids
        .iter()
        .filter_map(|id| document.steps.remove(id))
        .collect();
    let touched: Vec<StepId> = ids.into_iter().chain([id]).collect();
    Ok(Done::structure(
        Edit::InsertLane {
            step: id,
            lane,
            index,
            steps,
        },
        touched,
    ))
}

fn move_lane(
    document: &mut Document,
    id: StepId,
    lane: LaneId,
    to: usize,
) -> Result<Done, Refusal> {
    let from = lane_index(document, id, lane)?;
    let Some(step) = document.steps.get_mut(&id) else {
        return Err(Refusal::NoSuchStep);
    };
    if to >= step.lanes.len() {
        return Err(Refusal::NoSuchPlace);
    }
    let moved = step.lanes.remove(from);
    step.lanes.insert(to, moved);
    Ok(Done::structure(
        Edit::MoveLane {
            step: id,
            lane,
            index: from,
        },
        [id],
    ))
}
