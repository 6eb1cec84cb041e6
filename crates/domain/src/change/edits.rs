//! The edits that make one document out of another.
//!
//! A merge, a roll back and a suggested value become a revision this way, so that everything that
//! changes a document is an [`Edit`]. What makes the order of the edits matter: a slug may go from
//! one step to another, and a step may go into something new or out of something deleted. So what
//! is kept is brought to safety, then comes what goes, then content, then what is new or moved.

use std::collections::BTreeSet;

use super::between::differing;
use super::pair::Pair;
use super::tree::FLOW;
use crate::document::{Lane, ListRef, Place, Step};
use crate::edit::{self, Edit};
use crate::{Document, LaneId, StepId};

/// Returns edits that make `after` out of `before`, to the byte of its canonical form.
///
/// Both must be sound ([`crate::validate::Checked::is_sound`]); of others the edits are those that
/// fit, and lead only near.
pub fn edits(before: &Document, after: &Document) -> Vec<Edit> {
    let pair = Pair::new(before, after);
    let mut made = Made {
        document: before.clone(),
        edits: Vec::new(),
    };
    made.trigger_and_settings(after);
    made.park(&pair);
    made.delete(&pair);
    made.lanes(&pair);
    made.contents(&pair);
    made.places(&pair);
    made.edits
}

/// The edits so far, and the document that they lead to.
struct Made {
    document: Document,
    edits: Vec<Edit>,
}

impl Made {
    fn edit(&mut self, edit: Edit) {
        if edit::apply(&mut self.document, &edit).is_ok() {
            self.edits.push(edit);
        }
    }

    fn trigger_and_settings(&mut self, after: &Document) {
        let before = self.document.trigger.clone();
        if before.kind == after.trigger.kind {
            for field in differing(&before.config, &after.trigger.config) {
                let value = after.trigger.config.get(field).cloned();
                self.edit(Edit::SetTriggerField {
                    field: field.to_owned(),
                    value,
                });
            }
        } else {
            self.edit(Edit::SetTrigger {
                trigger: after.trigger.clone(),
            });
        }
        if self.document.settings != after.settings {
            self.edit(Edit::SetSettings {
                settings: after.settings.clone(),
            });
        }
    }

    /// Moves what is kept out of lanes that go, to the end of the flow.
    fn park(&mut self, pair: &Pair<'_>) {
        for step in 0..pair.before.count() {
            let spot = pair
                .before
                .spot(step)
                .filter(|_| pair.to_after.get(step).is_some());
            if spot.is_some_and(|spot| pair.list_to_after.get(spot.list).is_none()) {
                let to = Place {
                    list: ListRef::Flow,
                    index: self.document.flow.len(),
                };
                self.edit(Edit::Move {
                    step: pair.before.id(step),
                    to,
                });
            }
        }
    }

    /// Deletes steps and lanes that go, but not one by one what goes with its container.
    fn delete(&mut self, pair: &Pair<'_>) {
        for step in 0..pair.before.count() {
            let spot = pair
                .before
                .spot(step)
                .filter(|_| pair.to_after.get(step).is_none());
            if spot.is_some_and(|spot| pair.list_to_after.get(spot.list).is_some()) {
                self.edit(Edit::Delete {
                    step: pair.before.id(step),
                });
            }
        }
        for list in 0..pair.before.count_lists() {
            if let (Some((owner, _)), Some(lane)) =
                (pair.before.owner(list), pair.before.lane(list))
                && pair.list_to_after.get(list).is_none()
                && pair.to_after.get(owner).is_some()
            {
                self.edit(Edit::DeleteLane {
                    step: pair.before.id(owner),
                    lane: lane.id,
                });
            }
        }
    }

    /// Adds and moves the lanes of containers that are kept.
    fn lanes(&mut self, pair: &Pair<'_>) {
        for new in 0..pair.after.count() {
            if pair.to_before.get(new).is_none() {
                continue;
            }
            let step = pair.after.id(new);
            let mut last: Option<LaneId> = None;
            for list in pair.after.lanes(new) {
                let Some(lane) = pair.after.lane(list) else {
                    continue;
                };
                if !pair.lane_stays[list] {
                    let lanes = self
                        .document
                        .steps
                        .get(&step)
                        .map_or(&[][..], |step| &step.lanes);
                    let place = |id| lanes.iter().position(|lane| Some(lane.id) == id);
                    let index = place(last).map_or(0, |last| last + 1);
                    self.edit(match place(Some(lane.id)) {
                        None => {
                            let lane = Lane {
                                steps: Vec::new(),
                                ..lane.clone()
                            };
                            Edit::AddLane { step, lane, index }
                        }
                        Some(from) => {
                            let index = index - usize::from(from < index);
                            Edit::MoveLane {
                                step,
                                lane: lane.id,
                                index,
                            }
                        }
                    });
                }
                last = Some(lane.id);
            }
        }
    }

    /// Gives what is kept its new content. Slugs change all at once, for some may be swapped, and
    /// without a [`Edit::Rename`], for the references are in the new content already.
    fn contents(&mut self, pair: &Pair<'_>) {
        let mut restored = Vec::new();
        for old in 0..pair.before.count() {
            let Some(new) = pair.to_after.get(old) else {
                continue;
            };
            let (before, after) = (pair.before.step(old), pair.after.step(new));
            if before.slug != after.slug || before.kind != after.kind {
                restored.push(without_lists(after));
            } else {
                self.content(before, after);
            }
        }
        if !restored.is_empty() {
            self.edit(Edit::Restore { steps: restored });
        }
    }

    fn content(&mut self, before: &Step, after: &Step) {
        let step = after.id;
        if before.name != after.name {
            let (name, slug) = (after.name.clone(), after.slug.clone());
            self.edit(Edit::Rename { step, name, slug });
        }
        if before.action != after.action {
            let action = after.action.clone();
            self.edit(Edit::SetAction { step, action });
        }
        for field in differing(&before.config, &after.config) {
            let value = after.config.get(field).cloned();
            self.edit(Edit::SetField {
                step,
                field: field.to_owned(),
                value,
            });
        }
        if before.on_error != after.on_error {
            self.edit(Edit::SetErrorPolicy {
                step,
                policy: after.on_error,
            });
        }
        if before.notes != after.notes {
            self.edit(Edit::SetNotes {
                step,
                notes: after.notes.clone(),
            });
        }
        for (index, lane) in after.lanes.iter().enumerate() {
            let now = self
                .document
                .steps
                .get(&step)
                .and_then(|step| step.lanes.get(index));
            if now.is_some_and(|now| (&now.name, &now.when) != (&lane.name, &lane.when)) {
                let (name, when) = (lane.name.clone(), lane.when.clone());
                self.edit(Edit::SetLane {
                    step,
                    lane: lane.id,
                    name,
                    when,
                });
            }
        }
    }

    /// Puts what is new and what was moved where it belongs, from the flow inwards: so whatever
    /// something goes into has arrived before.
    fn places(&mut self, pair: &Pair<'_>) {
        let tree = &pair.after;
        for list in FLOW..tree.count_lists() {
            let at = match (tree.owner(list), tree.lane(list)) {
                (Some((owner, _)), Some(lane)) => ListRef::Lane(tree.id(owner), lane.id),
                _ => ListRef::Flow,
            };
            let mut last = None;
            for &new in tree.members(list) {
                let step = tree.id(new);
                let is_kept = pair.to_before.get(new).is_some();
                if is_kept && !pair.stays[new] {
                    let index = self.behind(at, last, Some(step));
                    self.edit(Edit::Move {
                        step,
                        to: Place { list: at, index },
                    });
                } else if !is_kept && !self.document.steps.contains_key(&step) {
                    let index = self.behind(at, last, None);
                    let steps = new_ones(pair, new);
                    self.edit(Edit::Insert {
                        steps,
                        at: Place { list: at, index },
                    });
                }
                last = Some(step);
            }
        }
    }

    /// Returns the place behind a step of a list, or its beginning, not counting another step.
    fn behind(&self, list: ListRef, last: Option<StepId>, moved: Option<StepId>) -> usize {
        let list = self.document.list(list).map_or(&[][..], Vec::as_slice);
        let upto = last.and_then(|last| list.iter().position(|step| *step == last));
        let before = &list[..upto.map_or(0, |upto| upto + 1)];
        before.iter().filter(|step| Some(**step) != moved).count()
    }
}

/// Returns a new step with all that is new inside it, fit for [`Edit::Insert`].
fn new_ones(pair: &Pair<'_>, top: usize) -> Vec<Step> {
    let tree = &pair.after;
    let mut steps = Vec::new();
    let mut lanes: BTreeSet<LaneId> = tree.step(top).lanes.iter().map(|lane| lane.id).collect();
    let mut open = vec![top];
    while let Some(number) = open.pop() {
        let mut step = without_lists(tree.step(number));
        for (lane, list) in step.lanes.iter_mut().zip(tree.lanes(number)) {
            for &inner in tree.members(list) {
                let ids = tree.step(inner).lanes.iter().map(|lane| lane.id);
                // Two containers may have lanes of one id, but not within one edit.
                let fits = ids.clone().all(|id| !lanes.contains(&id));
                if pair.to_before.get(inner).is_none() && fits {
                    lanes.extend(ids);
                    lane.steps.push(tree.id(inner));
                    open.push(inner);
                }
            }
        }
        steps.push(step);
    }
    steps
}

fn without_lists(step: &Step) -> Step {
    let mut step = step.clone();
    step.lanes.iter_mut().for_each(|lane| lane.steps.clear());
    step
}
