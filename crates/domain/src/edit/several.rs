//! Edits of several steps that are one act: which steps, in which order, to where.
//!
//! Steps are given as their roots: in the order of reading, and none inside another of them.

use std::collections::BTreeSet;

use super::{Edit, Refusal, copies};
use crate::document::{Gap, ListRef, Place, Step};
use crate::{Document, LaneId, StepId};

/// Returns some steps in the order of reading, without those that are inside others of them.
pub fn roots(document: &Document, steps: &[StepId]) -> Vec<StepId> {
    let chosen: BTreeSet<StepId> = steps.iter().copied().collect();
    let mut inside_of = None;
    let mut roots = Vec::new();
    for (depth, step) in document.walk() {
        if inside_of.is_some_and(|outer| depth > outer) {
            continue;
        }
        inside_of = None;
        if chosen.contains(&step.id) {
            roots.push(step.id);
            inside_of = Some(depth);
        }
    }
    roots
}

/// Returns whether a list is inside one of some steps, however deep.
pub fn is_inside(document: &Document, list: ListRef, steps: &[StepId]) -> bool {
    let mut list = list;
    // In a cycle of containers there is no way out: stop after as many as there can be.
    for _ in 0..=document.steps.len() {
        let ListRef::Lane(container, _) = list else {
            return false;
        };
        if steps.contains(&container) {
            return true;
        }
        match document.place(container) {
            Some(place) => list = place.list,
            None => return false,
        }
    }
    true
}

/// Returns the edit that puts steps one behind the other into a gap; `None` when they are there
/// already.
pub fn move_to(document: &Document, roots: &[StepId], to: Gap) -> Result<Option<Edit>, Refusal> {
    if is_inside(document, to.list, roots) {
        return Err(Refusal::IntoItself);
    }
    let mut list = document
        .list(to.list)
        .ok_or(Refusal::NoSuchLane)?
        .to_owned();
    let before = match to.after {
        None => &[][..],
        Some(after) => {
            let at = list.iter().position(|step| *step == after);
            &list[..=at.ok_or(Refusal::NoSuchStep)?]
        }
    };
    // Behind a step that moves itself means: behind the nearest one that stays.
    let stays = before.iter().rev().find(|step| !roots.contains(step));
    let mut behind = stays.copied();
    let mut edits = Vec::new();
    for root in roots {
        let from = list.iter().position(|step| step == root);
        if let Some(from) = from {
            list.remove(from);
        } else if !document.steps.contains_key(root) {
            return Err(Refusal::NoSuchStep);
        }
        let position = |id: StepId| list.iter().position(|step| *step == id);
        let index = behind.and_then(position).map_or(0, |at| at + 1);
        list.insert(index, *root);
        behind = Some(*root);
        if from != Some(index) {
            edits.push(Edit::Move {
                step: *root,
                to: Place {
                    list: to.list,
                    index,
                },
            });
        }
    }
    Ok(one_act(edits))
}

/// Returns the edit that deletes steps; `None` without any.
pub fn deletion(roots: &[StepId]) -> Option<Edit> {
    one_act(
        roots
            .iter()
            .map(|step| Edit::Delete { step: *step })
            .collect(),
    )
}

/// Returns what stays beside deleted steps and is looked at next: the step behind the last of
/// them, the one before the first, or the container they were in.
pub fn neighbour(document: &Document, roots: &[StepId]) -> Option<StepId> {
    let (first, last) = (
        document.place(*roots.first()?)?,
        document.place(*roots.last()?)?,
    );
    let behind = document.list(last.list)?.get(last.index + 1).copied();
    let before = document.list(first.list)?[..first.index].last().copied();
    behind.or(before).or(match first.list {
        ListRef::Lane(container, _) => Some(container),
        ListRef::Flow => None,
    })
}

/// Returns the edit that puts copies of steps, with everything in them, behind the last of them,
/// and the copies' ids. References among what is copied follow.
pub fn duplication(
    document: &Document,
    roots: &[StepId],
    step_id: impl FnMut() -> StepId,
    lane_id: impl FnMut() -> LaneId,
) -> Option<(Edit, Vec<StepId>)> {
    let last = document.place(*roots.last()?)?;
    let subtrees: Vec<Vec<StepId>> = roots.iter().map(|root| document.subtree(*root)).collect();
    let steps = subtrees.iter().flatten();
    let steps: Vec<Step> = steps
        .filter_map(|id| document.steps.get(id).cloned())
        .collect();
    let mut copied = copies(document, &steps, step_id, lane_id).into_iter();
    let mut made = Vec::new();
    let mut edits = Vec::new();
    for (nth, subtree) in subtrees.iter().enumerate() {
        let steps: Vec<Step> = copied.by_ref().take(subtree.len()).collect();
        made.push(steps.first()?.id);
        edits.push(Edit::Insert {
            steps,
            at: Place {
                list: last.list,
                index: last.index + 1 + nth,
            },
        });
    }
    Some((one_act(edits)?, made))
}

/// Returns where steps go when they move up or down by one: past their neighbour, into the lane
/// beside theirs, then out of their container. `None` when there is nothing beyond.
pub fn one_further(document: &Document, roots: &[StepId], down: bool) -> Option<Gap> {
    let edge = if down { roots.last()? } else { roots.first()? };
    let at = document.place(*edge)?;
    let list = document.list(at.list)?;
    if down && let Some(next) = list.get(at.index + 1) {
        return Some(Gap {
            list: at.list,
            after: Some(*next),
        });
    }
    if !down && at.index > 0 {
        return Some(before(document, at.list, at.index - 1));
    }
    let ListRef::Lane(container, lane) = at.list else {
        return None;
    };
    let lanes = &document.steps.get(&container)?.lanes;
    let here = lanes.iter().position(|l| l.id == lane)?;
    let sister = if down {
        lanes.get(here + 1)
    } else {
        here.checked_sub(1).and_then(|left| lanes.get(left))
    };
    if let Some(sister) = sister {
        return Some(Gap {
            list: ListRef::Lane(container, sister.id),
            after: if down {
                None
            } else {
                sister.steps.last().copied()
            },
        });
    }
    let outer = document.place(container)?;
    Some(if down {
        Gap {
            list: outer.list,
            after: Some(container),
        }
    } else {
        before(document, outer.list, outer.index)
    })
}

/// Returns the gap before the step at an index.
fn before(document: &Document, list: ListRef, index: usize) -> Gap {
    let steps = document.list(list).map(Vec::as_slice).unwrap_or_default();
    let after = index.checked_sub(1).and_then(|at| steps.get(at)).copied();
    Gap { list, after }
}

fn one_act(mut edits: Vec<Edit>) -> Option<Edit> {
    match edits.len() {
        0 => None,
        1 => edits.pop(),
        _ => Some(Edit::Batch { edits }),
    }
}

#[cfg(test)]
mod tests;
