//! Two documents beside each other: what differs, in the order in which a person reads it.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::catalog::{Action, Container};
use domain::change::{self, Changes, FieldChange, Kind, Note, Row, StepChange, Target};
use domain::document::{Document, Lane, ListRef, Place, Step};
use domain::{LaneId, StepId, canonical};
use serde_json::json;

/// What the page shows: one document against another. Made once per pair.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    /// The earlier document.
    pub(crate) before: Arc<Document>,
    /// The later document.
    pub(crate) after: Arc<Document>,
    /// What differs.
    pub(crate) changes: Changes,
    /// The same in reading order, with what did not change folded.
    pub(crate) rows: Vec<Row>,
    /// What changed, as a reviewer ticks it off, each with the digest of what is there now.
    pub(crate) parts: Vec<(Target, String)>,
    depths: BTreeMap<StepId, usize>,
    numbers: BTreeMap<StepId, usize>,
}

impl Comparison {
    /// Compares two documents.
    pub(crate) fn of(before: Arc<Document>, after: Arc<Document>) -> Self {
        let changes = Changes::between(&before, &after);
        let rows = change::outline(&before, &after, &changes);
        let numbers = changes.steps.iter().enumerate();
        let mut comparison = Self {
            rows,
            parts: Vec::new(),
            depths: after.walk().into_iter().map(|(d, s)| (s.id, d)).collect(),
            numbers: numbers.map(|(number, step)| (step.id, number)).collect(),
            changes,
            before,
            after,
        };
        comparison.parts = comparison.changed_parts();
        comparison
    }

    fn changed_parts(&self) -> Vec<(Target, String)> {
        let places = places(&self.after);
        let loud = |fields: &[FieldChange]| fields.iter().any(|field| !field.is_quiet());
        let ends = [
            (Target::Trigger, loud(&self.changes.trigger)),
            (Target::Settings, loud(&self.changes.settings)),
        ];
        let ends = ends.into_iter().filter(|(_, changed)| *changed);
        let steps = self.changes.steps.iter().filter(|step| !step.is_quiet());
        let targets = ends
            .map(|(target, _)| target)
            .chain(steps.map(|step| Target::Step(step.id)));
        targets
            .map(|target| (target, self.digest(target, &places)))
            .collect()
    }

    /// Returns the SHA-256 of what a target contains in the later document, with the list it
    /// stands in: when it differs, the target is to be looked at again. What stands inside its
    /// lanes is for those steps to tell.
    fn digest(&self, target: Target, places: &BTreeMap<StepId, ListRef>) -> String {
        let content = match target {
            Target::Trigger => json!(self.after.trigger),
            Target::Settings => json!(self.after.settings),
            Target::Step(id) => match self.after.steps.get(&id) {
                Some(step) => {
                    let mut step = step.clone();
                    for lane in &mut step.lanes {
                        lane.steps.clear();
                    }
                    json!([step, places.get(&id)])
                }
                None => json!(["deleted", self.before.steps.get(&id)]),
            },
        };
        canonical::sha256(canonical::to_string(&content).as_bytes())
    }

    /// Returns what the change means for the data.
    pub(crate) fn notes(&self) -> Vec<Note> {
        change::notes(&self.before, &self.after, &self.changes)
    }

    /// Returns what happened to a step; `None` when nothing did.
    pub(crate) fn step_change(&self, id: StepId) -> Option<&StepChange> {
        self.changes.steps.get(*self.numbers.get(&id)?)
    }

    /// Returns what differs at a target, field by field.
    pub(crate) fn fields(&self, target: Target) -> &[FieldChange] {
        match target {
            Target::Trigger => &self.changes.trigger,
            Target::Settings => &self.changes.settings,
            Target::Step(id) => self.step_change(id).map_or(&[], |change| &change.fields),
        }
    }

    /// Returns what happened to a target, as badges; none when nothing did.
    pub(crate) fn kinds(&self, target: Target) -> Vec<Kind> {
        match target {
            Target::Step(id) => self
                .step_change(id)
                .map(StepChange::kinds)
                .unwrap_or_default(),
            _ if self.fields(target).iter().any(|field| !field.is_quiet()) => vec![Kind::Modified],
            _ => Vec::new(),
        }
    }

    /// Returns a step as it is now, or as it was when it is gone.
    pub(crate) fn step(&self, id: StepId) -> Option<&Step> {
        let now = self.after.steps.get(&id);
        now.or_else(|| self.before.steps.get(&id))
    }

    /// Returns whether a step is in the earlier document only.
    pub(crate) fn is_gone(&self, id: StepId) -> bool {
        !self.after.steps.contains_key(&id)
    }

    /// Returns whether there is such a thing in one of the documents.
    pub(crate) fn has(&self, target: Target) -> bool {
        match target {
            Target::Step(id) => self.step(id).is_some(),
            Target::Trigger | Target::Settings => true,
        }
    }

    /// Returns a lane as it is now, or as it was when it is gone.
    pub(crate) fn lane(&self, step: StepId, lane: LaneId) -> Option<&Lane> {
        let find = |document: &'_ Document| {
            let step = document.steps.get(&step)?;
            step.lanes.iter().position(|l| l.id == lane)
        };
        let document = if find(&self.after).is_some() {
            &self.after
        } else {
            &self.before
        };
        document.steps.get(&step)?.lanes.get(find(document)?)
    }

    /// Returns a lane's name, its condition in words, and whether it went or came.
    pub(crate) fn lane_words(
        &self,
        step: StepId,
        lane: LaneId,
    ) -> Option<(String, Option<String>, bool, bool)> {
        let found = self.lane(step, lane)?;
        let action = self.action_of(Target::Step(step));
        let container = action.and_then(|action| action.container);
        let when = match (container, &found.when) {
            (Some(Container::Branch), None) => Some("otherwise".to_owned()),
            (_, Some(when)) => Some(format!("when {when}")),
            (_, None) => None,
        };
        let has = |document: &domain::Document| {
            let step = document.steps.get(&step);
            step.is_some_and(|step| step.lanes.iter().any(|l| l.id == lane))
        };
        let (was, is) = (has(&self.before), has(&self.after));
        Some((found.name.clone(), when, !is, !was))
    }

    /// Returns how deep a step stands in the later document; 0 for the flow.
    pub(crate) fn depth(&self, id: StepId) -> usize {
        self.depths.get(&id).copied().unwrap_or_default()
    }

    /// Returns the key of a target's action or trigger, as labels need it.
    pub(crate) fn kind_of(&self, target: Target) -> &str {
        match target {
            Target::Trigger => &self.after.trigger.kind,
            Target::Settings => "",
            Target::Step(id) => self.step(id).map_or("", |step| step.kind.as_str()),
        }
    }

    /// Returns what is known of a step's action.
    pub(crate) fn action_of(&self, target: Target) -> Option<&Action> {
        match target {
            Target::Step(id) => self.step(id)?.action(),
            Target::Trigger | Target::Settings => None,
        }
    }

    /// Returns what people call a target.
    pub(crate) fn name(&self, target: Target) -> String {
        match target {
            Target::Trigger => "Trigger".to_owned(),
            Target::Settings => "Settings".to_owned(),
            Target::Step(id) => {
                let name = self.step(id).map(|step| step.name.clone());
                name.unwrap_or_else(|| "A step that is gone".to_owned())
            }
        }
    }

    /// Returns from where to where a step was moved, in words; `None` when it was not.
    pub(crate) fn moved(&self, id: StepId) -> Option<String> {
        let moved = self.step_change(id)?.moved?;
        let from = self.where_is(&self.before, moved.from);
        let to = self.where_is(&self.after, moved.to);
        Some(format!("Moved from {from} to {to}."))
    }

    fn where_is(&self, document: &Document, place: Place) -> String {
        let list = document.list(place.list).map(Vec::as_slice);
        let before = place.index.checked_sub(1);
        let before = before.and_then(|index| list.unwrap_or_default().get(index));
        let before = before.and_then(|id| document.steps.get(id));
        let spot = match before {
            Some(step) => format!("after “{}”", step.name),
            None => "the start".to_owned(),
        };
        let of = if before.is_some() { "in" } else { "of" };
        match place.list {
            ListRef::Flow => format!("{spot} {of} the flow"),
            ListRef::Lane(step, lane) => {
                let step = document.steps.get(&step);
                let lane = step.and_then(|step| step.lanes.iter().find(|l| l.id == lane));
                match (lane, step) {
                    (Some(lane), Some(step)) if lane.when.is_some() || step.lanes.len() > 1 => {
                        format!("{spot} {of} lane “{}” of “{}”", lane.name, step.name)
                    }
                    (_, Some(step)) => format!("{spot} {of} “{}”", step.name),
                    _ => spot,
                }
            }
        }
    }
}

/// Returns in which list each step stands.
fn places(document: &Document) -> BTreeMap<StepId, ListRef> {
    let flow = document.flow.iter().map(|id| (*id, ListRef::Flow));
    let lanes = document.steps.values().flat_map(|step| {
        step.lanes.iter().flat_map(|lane| {
            let list = ListRef::Lane(step.id, lane.id);
            lane.steps.iter().map(move |id| (*id, list))
        })
    });
    flow.chain(lanes).collect()
}
