//! The content of a draft or version: one trigger, then a tree of steps, and settings.
//!
//! Steps are kept in one map by id; `flow` and each lane hold ordered ids. So every
//! operation is a look-up and a change has an identity that survives moves and renames.
//! Changed only through [`crate::edit::apply`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::catalog::{self, Action};
use crate::connector::{self, Declared};
use crate::{LaneId, StepId};

/// The schema version that this code reads and writes.
pub const SCHEMA: u32 = 1;

/// What an integration does: the content of one draft revision or version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Version of this JSON form; always [`SCHEMA`] in what we write.
    pub schema: u32,
    /// What starts it.
    pub trigger: Trigger,
    /// The top-level steps, in order.
    pub flow: Vec<StepId>,
    /// Every step, also those inside lanes, by id.
    pub steps: BTreeMap<StepId, Step>,
    /// What applies to every run.
    #[serde(default)]
    pub settings: Settings,
}

/// What starts an integration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Key of the trigger in the catalog, such as `webhook`.
    pub kind: String,
    /// Field values by name, as the catalog's schema describes them.
    #[serde(default)]
    pub config: Map<String, Value>,
}

/// One action in the flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Identity, kept through renames, moves and versions.
    pub id: StepId,
    /// What people call it.
    pub name: String,
    /// What other steps refer to: `steps.<slug>`. Unique in the document.
    pub slug: String,
    /// Key of the action in the catalog, such as `http.request`; [`connector::STEP`] for one that a
    /// connector declares.
    pub kind: String,
    /// What the connector declares of the action, with which the step was made or last brought up
    /// to date. `None` for all other kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Declared>,
    /// Field values by name; texts may hold `{{ expressions }}`.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// What happens when it fails.
    #[serde(default)]
    pub on_error: ErrorPolicy,
    /// Markdown for the next reader; has no effect on runs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// The lanes of a container step, in order; empty for all others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<Lane>,
}

/// A list of steps inside a container step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lane {
    /// Identity, kept through renames and moves.
    pub id: LaneId,
    /// What people call it.
    pub name: String,
    /// In a branch: the expression that opens this lane. `None` is the else lane, or a loop's only lane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The steps, in order.
    #[serde(default)]
    pub steps: Vec<StepId>,
}

/// What happens when a step fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorPolicy {
    /// How many times a failed attempt is repeated; 0 to 10.
    #[serde(default)]
    pub retries: u8,
    /// What happens after the last attempt.
    #[serde(default)]
    pub then: OnError,
}

impl Default for ErrorPolicy {
    fn default() -> Self {
        Self {
            retries: 0,
            then: OnError::Stop,
        }
    }
}

/// What happens after the last attempt of a step has failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The run fails.
    #[default]
    Stop,
    /// The run goes on; the step's output is `{"error": {"message": …, "code": …}}`, whose code is
    /// `in_doubt` when nobody knows whether a request was carried out.
    Continue,
}

/// What applies to every run of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// A run that works longer than this fails; 1 to 86,400. Time spent waiting in a delay does not count.
    pub time_limit_seconds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            time_limit_seconds: 600,
        }
    }
}

/// Names a list of steps: the flow itself or one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListRef {
    /// The top-level list.
    Flow,
    /// A lane of a container step.
    Lane(StepId, LaneId),
}

/// A place in a list of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The list.
    pub list: ListRef,
    /// How many steps stand before this place; at most the list's length.
    pub index: usize,
}

/// A place in a list of steps, named by what is before it: it stays the same place when steps come
/// and go elsewhere in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Gap {
    /// The list.
    pub list: ListRef,
    /// The step before it; `None` at the start of the list.
    pub after: Option<StepId>,
}

impl Step {
    /// Returns what is known of the step's action: from the catalog, or as the connector declares
    /// it. `None` when there is no such action.
    pub fn action(&self) -> Option<&Action> {
        match self.declared() {
            Some(declared) => Some(declared.action()),
            None => catalog::action(&self.kind),
        }
    }

    /// Returns what a connector declares of its action; `None` for steps of other kinds, whatever
    /// they carry.
    pub fn declared(&self) -> Option<&Declared> {
        self.action
            .as_ref()
            .filter(|_| self.kind == connector::STEP)
    }

    /// Returns whether a lane runs when a step of another one has failed: any but the first of a
    /// try. Its steps see the error, as `steps.<slug of the try>.error`.
    pub fn catches_in(&self, lane: LaneId) -> bool {
        self.kind == "try" && self.lanes.iter().skip(1).any(|other| other.id == lane)
    }
}

impl Document {
    /// Returns a document with the given trigger, its defaults, and no steps.
    pub fn new(trigger_kind: &str) -> Self {
        Self {
            schema: SCHEMA,
            trigger: Trigger {
                kind: trigger_kind.to_owned(),
                config: catalog::trigger(trigger_kind)
                    .map(|t| t.input.defaults())
                    .unwrap_or_default(),
            },
            flow: Vec::new(),
            steps: BTreeMap::new(),
            settings: Settings::default(),
        }
    }

    /// Returns the ids of a list, or `None` when there is no such lane.
    pub fn list(&self, list: ListRef) -> Option<&Vec<StepId>> {
        match list {
            ListRef::Flow => Some(&self.flow),
            ListRef::Lane(step, lane) => self
                .steps
                .get(&step)?
                .lanes
                .iter()
                .find(|l| l.id == lane)
                .map(|l| &l.steps),
        }
    }

    /// Returns the ids of a list for change, or `None` when there is no such lane.
    pub(crate) fn list_mut(&mut self, list: ListRef) -> Option<&mut Vec<StepId>> {
        match list {
            ListRef::Flow => Some(&mut self.flow),
            ListRef::Lane(step, lane) => self
                .steps
                .get_mut(&step)?
                .lanes
                .iter_mut()
                .find(|l| l.id == lane)
                .map(|l| &mut l.steps),
        }
    }

    /// Returns where a step stands, or `None` when it is in no list.
    pub fn place(&self, id: StepId) -> Option<Place> {
        if let Some(index) = self.flow.iter().position(|s| *s == id) {
            return Some(Place {
                list: ListRef::Flow,
                index,
            });
        }
        self.steps.values().find_map(|step| {
            step.lanes.iter().find_map(|lane| {
                let index = lane.steps.iter().position(|s| *s == id)?;
                Some(Place {
                    list: ListRef::Lane(step.id, lane.id),
                    index,
                })
            })
        })
    }

    /// Returns the place that a gap is now, or `None` when its list or the step before it is gone.
    pub fn place_of(&self, gap: Gap) -> Option<Place> {
        let list = self.list(gap.list)?;
        let index = match gap.after {
            None => 0,
            Some(id) => list.iter().position(|step| *step == id)? + 1,
        };
        Some(Place {
            list: gap.list,
            index,
        })
    }

    /// Returns the gap that a place is now; beyond the end of its list, the one at the end.
    pub fn gap_at(&self, place: Place) -> Gap {
        let list = self.list(place.list).map_or(&[][..], Vec::as_slice);
        let before = &list[..place.index.min(list.len())];
        Gap {
            list: place.list,
            after: before.last().copied(),
        }
    }

    /// Returns the step with that slug.
    pub fn step_by_slug(&self, slug: &str) -> Option<&Step> {
        self.steps.values().find(|step| step.slug == slug)
    }

    /// Returns all steps in the order in which a person reads them, each with its depth (0 at top).
    ///
    /// Looks at as many entries of lists as there are steps: at all of them in a sound document,
    /// and never for ever in one with a cycle.
    pub fn walk(&self) -> Vec<(usize, &Step)> {
        self.below(&self.flow).collect()
    }

    /// Returns a step and everything inside its lanes, the step first.
    pub fn subtree(&self, id: StepId) -> Vec<StepId> {
        self.below(&[id]).map(|(_, step)| step.id).collect()
    }

    /// Goes through a list and all lists below it, as [`Document::walk`] describes.
    fn below<'a>(&'a self, list: &'a [StepId]) -> impl Iterator<Item = (usize, &'a Step)> {
        let mut open = vec![(0, list.iter())];
        let mut left = self.steps.len();
        std::iter::from_fn(move || {
            loop {
                let (depth, list) = open.last_mut()?;
                let (depth, next) = (*depth, list.next());
                let Some(id) = next else {
                    open.pop();
                    continue;
                };
                left = left.checked_sub(1)?;
                if let Some(step) = self.steps.get(id) {
                    let lanes = step.lanes.iter().rev();
                    open.extend(lanes.map(|lane| (depth + 1, lane.steps.iter())));
                    return Some((depth, step));
                }
            }
        })
    }

    /// Returns the steps whose output a step may use, nearest first: those before it in its own
    /// list, those before each container it is in, the loops it is in, and each try whose second
    /// lane it is in.
    pub fn visible_from(&self, id: StepId) -> Vec<&Step> {
        let mut visible = Vec::new();
        let mut at = self.place(id);
        // In a cycle of containers there is no way out: stop after as many as there can be.
        for _ in 0..=self.steps.len() {
            let Some(place) = at else { break };
            let list = self.list(place.list).map(Vec::as_slice).unwrap_or_default();
            let before = list.get(..place.index).unwrap_or(list).iter().rev();
            visible.extend(before.filter_map(|id| self.steps.get(id)));
            at = match place.list {
                ListRef::Flow => None,
                ListRef::Lane(container, lane) => {
                    let around = self.steps.get(&container);
                    visible
                        .extend(around.filter(|step| step.kind == "loop" || step.catches_in(lane)));
                    self.place(container)
                }
            };
            if visible.len() > self.steps.len() {
                break;
            }
        }
        visible
    }

    /// Returns whether some step answers the webhook, so that the caller waits for it.
    pub fn responds(&self) -> bool {
        self.trigger.kind == "webhook" && self.steps.values().any(|step| step.kind == "respond")
    }
}
