//! Conflicts in plain words, for the view in which a person decides them.

use serde_json::Value;

use super::conflict::Conflict;
use super::content;
use super::key::{ConflictKey, LanePart, StepPart};
use crate::document::{Lane, ListRef, Step};
use crate::schema::Schema;
use crate::{Document, LaneId, StepId, catalog};

/// Most changes that are told one by one.
const TOLD: usize = 3;

/// The documents that were merged, and what they are called in a sentence.
#[derive(Clone, Copy, Debug)]
pub struct Sides<'a> {
    /// What both came from.
    pub base: &'a Document,
    /// Our side.
    pub ours: &'a Document,
    /// Their side.
    pub theirs: &'a Document,
    /// What to call our side behind “in”, such as “this draft”.
    pub ours_name: &'a str,
    /// What to call their side, such as “live”.
    pub theirs_name: &'a str,
}

impl Conflict {
    /// Returns what the conflict is about, such as “Step “Charge card”: URL”.
    pub fn title(&self, sides: &Sides<'_>) -> String {
        match &self.key {
            ConflictKey::Trigger => "Trigger: kind".to_owned(),
            ConflictKey::TriggerField { field, entry } => {
                let schema = [sides.ours, sides.theirs]
                    .into_iter()
                    .find_map(|document| catalog::trigger(&document.trigger.kind));
                let label = label(schema.map(|kind| &kind.input), field, entry.as_deref());
                format!("Trigger: {label}")
            }
            ConflictKey::TimeLimit => "Settings: time limit".to_owned(),
            ConflictKey::FlowOrder => "Order of the steps".to_owned(),
            ConflictKey::Step { step, part } => self.title_of_step(sides, *step, part),
        }
    }

    fn title_of_step(&self, sides: &Sides<'_>, id: StepId, part: &StepPart) -> String {
        let what = match part {
            StepPart::Presence => "deleted or kept".to_owned(),
            StepPart::Place => "place".to_owned(),
            StepPart::Circle => return format!("{}: moved into each other", self.moved(sides)),
            StepPart::Kind => "kind".to_owned(),
            StepPart::Action => "request".to_owned(),
            StepPart::Name => "name".to_owned(),
            StepPart::Slug => "name in expressions".to_owned(),
            StepPart::Field { field, entry } => {
                let schema = sides
                    .all()
                    .find_map(|document| document.steps.get(&id)?.action());
                label(schema.map(|kind| &kind.input), field, entry.as_deref())
            }
            StepPart::Retries => "retries".to_owned(),
            StepPart::Then => "what happens when it fails".to_owned(),
            StepPart::Notes => "notes".to_owned(),
            StepPart::LaneOrder => "order of its lanes".to_owned(),
            StepPart::Lane { lane, part } => {
                let what = match part {
                    LanePart::Presence => "deleted or kept",
                    LanePart::Name => "name",
                    LanePart::When => "condition",
                    LanePart::Order => "order of its steps",
                };
                return format!("Lane {}: {what}", sides.lane(id, *lane));
            }
        };
        format!("Step {}: {what}", sides.step(id))
    }

    /// Returns the steps of a circle by name.
    fn moved(&self, sides: &Sides<'_>) -> String {
        let places = [&self.ours, &self.theirs].into_iter().flatten();
        let ids = places
            .filter_map(Value::as_object)
            .flat_map(|map| map.keys());
        let mut ids: Vec<StepId> = ids.filter_map(|id| id.parse().ok()).collect();
        ids.sort_unstable();
        ids.dedup();
        let names: Vec<String> = ids.into_iter().map(|id| sides.step(id)).collect();
        format!("Steps {}", names.join(", "))
    }

    /// Returns what happened, in one sentence.
    pub fn description(&self, sides: &Sides<'_>) -> String {
        let (ours, theirs) = (sides.ours_name, sides.theirs_name);
        match &self.key {
            ConflictKey::FlowOrder => orders(ours, theirs),
            ConflictKey::Step { step, part } => match part {
                StepPart::Presence => self.deleted(sides, &sides.step(*step), *step, None),
                StepPart::Lane { lane, part } => match part {
                    LanePart::Presence => {
                        self.deleted(sides, &sides.lane(*step, *lane), *step, Some(*lane))
                    }
                    LanePart::Order => orders(ours, theirs),
                    LanePart::Name | LanePart::When => self.changed(ours, theirs),
                },
                StepPart::LaneOrder => orders(ours, theirs),
                StepPart::Place => format!(
                    "It stands {} in {ours}, and {} in {theirs}.",
                    sides.list(self.ours.as_ref()),
                    sides.list(self.theirs.as_ref())
                ),
                StepPart::Circle => format!(
                    "Together, the moves in {ours} and in {theirs} would put these steps into each other."
                ),
                _ => self.changed(ours, theirs),
            },
            _ => self.changed(ours, theirs),
        }
    }

    /// Returns what taking their side does, and what keeping ours does, where that says more than
    /// which value is taken: something is deleted, or put into another lane.
    pub fn outcomes(&self, sides: &Sides<'_>) -> Option<[String; 2]> {
        let ConflictKey::Step { part, .. } = &self.key else {
            return None;
        };
        let (ours, theirs) = (sides.ours_name, sides.theirs_name);
        match part {
            StepPart::Presence
            | StepPart::Lane {
                part: LanePart::Presence,
                ..
            } => Some([(&self.theirs, theirs), (&self.ours, ours)].map(
                |(value, name)| match value {
                    Some(_) => format!("Keep it, as it is in {name}"),
                    None => format!("Delete it, as in {name}"),
                },
            )),
            StepPart::Place => Some([
                format!("Put it where {theirs} has it"),
                format!("Leave it where {ours} has it"),
            ]),
            StepPart::Circle => Some([
                format!("Put them where {theirs} has them"),
                format!("Leave them where {ours} has them"),
            ]),
            _ => None,
        }
    }

    fn changed(&self, ours: &str, theirs: &str) -> String {
        match (&self.base, &self.ours, &self.theirs) {
            (None, _, _) => format!("It was added in {ours} and, differently, in {theirs}."),
            (_, None, _) => format!("It was removed in {ours} and changed in {theirs}."),
            (_, _, None) => format!("It was removed in {theirs} and changed in {ours}."),
            _ => format!("It was changed in {ours} and, differently, in {theirs}."),
        }
    }

    fn deleted(&self, sides: &Sides<'_>, name: &str, step: StepId, lane: Option<LaneId>) -> String {
        let (deleted, kept, document) = if self.ours.is_none() {
            (sides.ours_name, sides.theirs_name, sides.theirs)
        } else {
            (sides.theirs_name, sides.ours_name, sides.ours)
        };
        let mut changes = changes(sides.base, document, step, lane);
        let more = changes.len().saturating_sub(TOLD);
        changes.truncate(TOLD);
        let more = match more {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let changes = changes.join(", ");
        format!("{name} was deleted in {deleted} and changed in {kept}: {changes}{more}.")
    }
}

fn orders(ours: &str, theirs: &str) -> String {
    format!("It was changed in {ours} and in {theirs}, and both orders together are not possible.")
}

/// Returns what a field is called on screen.
fn label(schema: Option<&Schema>, field: &str, entry: Option<&str>) -> String {
    let known = schema.and_then(|schema| schema.field(field));
    let field = known.map_or(field, |field| &field.title);
    entry.map_or_else(|| field.to_owned(), |entry| format!("{field}, “{entry}”"))
}

impl<'a> Sides<'a> {
    fn all(&self) -> impl Iterator<Item = &'a Document> {
        [self.ours, self.theirs, self.base].into_iter()
    }

    /// Returns the name of a step.
    fn step(&self, id: StepId) -> String {
        let step = self.all().find_map(|document| document.steps.get(&id));
        format!("“{}”", step.map_or("", |step| &step.name))
    }

    /// Returns the name of a lane and of its step.
    fn lane(&self, step: StepId, lane: LaneId) -> String {
        let found = self
            .all()
            .find_map(|document| lane_of(document, step, lane));
        let name = found.map_or("", |lane| &lane.name);
        format!("“{name}” of {}", self.step(step))
    }

    /// Returns where a list is.
    fn list(&self, list: Option<&Value>) -> String {
        match list.and_then(|list| serde_json::from_value(list.clone()).ok()) {
            Some(ListRef::Lane(step, lane)) => format!("in the lane {}", self.lane(step, lane)),
            Some(ListRef::Flow) => "at the top level".to_owned(),
            None => "nowhere".to_owned(),
        }
    }
}

fn lane_of(document: &Document, step: StepId, lane: LaneId) -> Option<&Lane> {
    let lanes = &document.steps.get(&step)?.lanes;
    lanes.iter().find(|one| one.id == lane)
}

/// Returns what changed about a step or one of its lanes, and inside it.
fn changes(base: &Document, now: &Document, id: StepId, lane: Option<LaneId>) -> Vec<String> {
    let mut changes: Vec<String> = Vec::new();
    let inside = |document: &Document| -> Vec<StepId> {
        match lane {
            None => document.subtree(id),
            Some(lane) => {
                let lane = lane_of(document, id, lane);
                let steps = lane.into_iter().flat_map(|lane| &lane.steps);
                steps.flat_map(|id| document.subtree(*id)).collect()
            }
        }
    };
    let before = inside(base);
    match (lane, base.steps.get(&id), now.steps.get(&id)) {
        (None, Some(base), Some(now)) => changes.extend(changes_of_step(base, now)),
        (Some(lane), ..) => {
            if let (Some(base), Some(now)) = (lane_of(base, id, lane), lane_of(now, id, lane)) {
                let differs = [
                    (base.name != now.name, "name"),
                    (base.when != now.when, "condition"),
                ];
                changes.extend(told(&differs));
            }
        }
        _ => {}
    }
    let place = |document: &Document| document.place(id).map(|place| place.list);
    if lane.is_none() && place(base) != place(now) {
        changes.push("place".to_owned());
    }
    for step in inside(now).iter().filter_map(|id| now.steps.get(id)) {
        let what = match base.steps.get(&step.id) {
            _ if step.id == id => continue,
            None => "added to it",
            Some(_) if !before.contains(&step.id) => "moved into it",
            Some(base) if content::differs(base, step) => "inside it",
            Some(_) => continue,
        };
        changes.push(format!("“{}” {what}", step.name));
    }
    if changes.is_empty() {
        changes.push("order".to_owned());
    }
    changes
}

fn changes_of_step(base: &Step, now: &Step) -> Vec<String> {
    let mut changes = told(&[
        (base.name != now.name, "name"),
        (base.slug != now.slug, "name in expressions"),
        (base.kind != now.kind, "kind"),
        (base.action != now.action, "request"),
    ]);
    let schema = now.action().map(|kind| &kind.input);
    let removed = base
        .config
        .keys()
        .filter(|name| !now.config.contains_key(*name));
    for field in now.config.keys().chain(removed) {
        if base.config.get(field) != now.config.get(field) {
            changes.push(label(schema, field, None));
        }
    }
    changes.extend(told(&[
        (base.on_error.retries != now.on_error.retries, "retries"),
        (
            base.on_error.then != now.on_error.then,
            "what happens when it fails",
        ),
        (base.notes != now.notes, "notes"),
    ]));
    changes
}

fn told(differs: &[(bool, &str)]) -> Vec<String> {
    let differs = differs.iter().filter(|(differs, _)| *differs);
    differs.map(|(_, what)| (*what).to_owned()).collect()
}
