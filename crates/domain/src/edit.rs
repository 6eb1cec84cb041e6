//! The closed set of edits and the one function that applies them.
//!
//! Undo, autosave, co-editing and the change list all speak [`Edit`]. Applying one gives a
//! [`Change`] with its inverse; applying the inverse gives back the same document, to the byte.
//! An edit keeps the document's shape sound (every step in exactly one list); whether the
//! content makes sense is [`crate::validate`]'s to say, so that half-done work can be kept.

mod apply;
pub(crate) mod references;
pub mod several;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::connector::Declared;
use crate::document::{ErrorPolicy, Lane, ListRef, Place, Settings, Step, Trigger};
use crate::{LaneId, StepId};

pub use apply::apply;
pub(crate) use references::{rename_in_value, rewritten};

/// One change that a person makes to a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Edit {
    /// Chooses another trigger, or sets all of its configuration.
    SetTrigger {
        /// The trigger as it shall be.
        trigger: Trigger,
    },
    /// Sets one field of the trigger; `None` removes it.
    SetTriggerField {
        /// Name of the field.
        field: String,
        /// Its value; in JSON, `null` is a value and leaving it out removes the field.
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            deserialize_with = "present"
        )]
        value: Option<Value>,
    },
    /// Puts steps into a list: the first is placed, the others are the content of its lanes.
    Insert {
        /// The step, then all steps inside it.
        steps: Vec<Step>,
        /// Where the first goes.
        at: Place,
    },
    /// Deletes a step and everything inside its lanes.
    Delete {
        /// The step.
        step: StepId,
    },
    /// Moves a step, with everything inside it; `to` counts places with the step taken out.
    Move {
        /// The step.
        step: StepId,
        /// Where it goes.
        to: Place,
    },
    /// Renames a step. With another slug, every reference to it follows.
    Rename {
        /// The step.
        step: StepId,
        /// The new name.
        name: String,
        /// The new slug.
        slug: String,
    },
    /// Sets one field of a step's configuration; `None` removes it.
    SetField {
        /// The step.
        step: StepId,
        /// Name of the field.
        field: String,
        /// Its value; in JSON, `null` is a value and leaving it out removes the field.
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            deserialize_with = "present"
        )]
        value: Option<Value>,
    },
    /// Sets what a connector declares of a step's action: a newer declaration of it.
    SetAction {
        /// The step.
        step: StepId,
        /// The declaration; `None` only where there was none before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        action: Option<Declared>,
    },
    /// Sets what happens when a step fails.
    SetErrorPolicy {
        /// The step.
        step: StepId,
        /// The policy.
        policy: ErrorPolicy,
    },
    /// Sets a step's notes.
    SetNotes {
        /// The step.
        step: StepId,
        /// Markdown; empty for none.
        notes: String,
    },
    /// Adds a lane without steps to a container.
    AddLane {
        /// The container.
        step: StepId,
        /// The lane; its list must be empty.
        lane: Lane,
        /// How many lanes stand before it.
        index: usize,
    },
    /// Deletes a lane and every step in it.
    DeleteLane {
        /// The container.
        step: StepId,
        /// The lane.
        lane: LaneId,
    },
    /// Moves a lane among its sisters.
    MoveLane {
        /// The container.
        step: StepId,
        /// The lane.
        lane: LaneId,
        /// How many lanes stand before it afterwards.
        index: usize,
    },
    /// Sets a lane's name and condition.
    SetLane {
        /// The container.
        step: StepId,
        /// The lane.
        lane: LaneId,
        /// The name.
        name: String,
        /// The condition; `None` for an else lane or a loop's lane.
        when: Option<String>,
    },
    /// Sets what applies to every run.
    SetSettings {
        /// The settings.
        settings: Settings,
    },
    /// Puts back a step's own content as it was, its lanes' lists left alone. Inverses need
    /// it, and [`crate::change::edits`].
    Restore {
        /// The steps as they shall be.
        steps: Vec<Step>,
    },
    /// Puts back a lane with its steps. Only inverses need it.
    InsertLane {
        /// The container.
        step: StepId,
        /// The lane, with its list.
        lane: Lane,
        /// How many lanes stand before it.
        index: usize,
        /// All steps inside the lane, at any depth.
        steps: Vec<Step>,
    },
    /// Several edits that are one act: all apply, or none.
    Batch {
        /// In the order in which they apply.
        edits: Vec<Edit>,
    },
}

/// Reads a value that is there, also when it is `null`.
pub(crate) fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What applying an edit did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The edit.
    pub edit: Edit,
    /// The edit that takes it back.
    pub inverse: Edit,
    /// The steps whose own content is new or different.
    pub touched: BTreeSet<StepId>,
    /// Whether steps or lanes came, went, moved or changed their slug.
    pub structural: bool,
}

impl Change {
    /// Returns the lists that hold other steps, or in another order, than before; of a lane that
    /// came or went, its container is among [`Change::touched`].
    pub fn lists(&self) -> BTreeSet<ListRef> {
        let mut lists = BTreeSet::new();
        places(&self.edit, &mut lists);
        places(&self.inverse, &mut lists);
        lists
    }
}

/// Collects the lists that an edit puts steps into. What it takes out of lists, its inverse puts back.
fn places(edit: &Edit, lists: &mut BTreeSet<ListRef>) {
    match edit {
        Edit::Insert { at: place, .. } | Edit::Move { to: place, .. } => {
            lists.insert(place.list);
        }
        Edit::Batch { edits } => edits.iter().for_each(|edit| places(edit, lists)),
        _ => {}
    }
}

/// Why an edit could not be applied. The document is as it was.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The step is not in the document (any more).
    #[error("The step is not there any more. Someone may have deleted it.")]
    NoSuchStep,
    /// The lane is not in the document (any more).
    #[error("The lane is not there any more. Someone may have deleted it.")]
    NoSuchLane,
    /// The place is beyond the end of its list.
    #[error("There is no such place in the list any more. Choose the place again.")]
    NoSuchPlace,
    /// A step cannot go into one of its own lanes.
    #[error("A step cannot be moved into itself. Choose a place outside it.")]
    IntoItself,
    /// A step or lane with that id is there already, or the steps to insert do not fit together.
    #[error("These steps are in the document already, or do not belong together. Copy them again.")]
    NotOneTree,
    /// Expressions could not use the slug; see [`crate::slug::is_valid`].
    #[error(
        "`{0}` cannot be used in expressions. Use lower-case letters, digits and underscores, not starting with a digit."
    )]
    SlugInvalid(String),
    /// Another step has that slug.
    #[error("Another step is called `{0}` already. Choose another name.")]
    SlugTaken(String),
    /// Edits are nested deeper than anything the builder makes.
    #[error("The change is nested too deeply. Make it in smaller parts.")]
    TooDeep,
}

/// Returns a new step of a kind with the catalog's defaults, ready to insert.
///
/// `lane_ids` gives one id per lane that the kind starts with: 2 for a branch or try, 1 for a loop.
pub fn new_step(
    kind: &crate::catalog::Action,
    id: StepId,
    name: &str,
    slug: String,
    mut lane_ids: impl FnMut() -> LaneId,
) -> Step {
    use crate::catalog::Container;
    let mut lane = |name: &str, when: Option<&str>| Lane {
        id: lane_ids(),
        name: name.to_owned(),
        when: when.map(str::to_owned),
        steps: Vec::new(),
    };
    Step {
        id,
        name: name.to_owned(),
        slug,
        kind: kind.key.clone(),
        action: None,
        config: kind.input.defaults(),
        on_error: ErrorPolicy::default(),
        notes: String::new(),
        lanes: match kind.container {
            Some(Container::Branch) => vec![lane("If", Some("")), lane("Else", None)],
            Some(Container::Loop) => vec![lane("Each item", None)],
            Some(Container::Try) => vec![lane("Try", None), lane("If it fails", None)],
            Some(Container::Parallel) => vec![lane("Lane 1", None), lane("Lane 2", None)],
            None => Vec::new(),
        },
    }
}

/// Returns a new step of an action that a connector declares, ready to insert.
pub fn new_connector_step(declared: &Declared, id: StepId, name: &str, slug: String) -> Step {
    Step {
        action: Some(declared.clone()),
        ..new_step(declared.action(), id, name, slug, || {
            LaneId::new(uuid::Uuid::nil())
        })
    }
}

/// Returns copies of some steps with new ids and free slugs, fit for [`Edit::Insert`]; references
/// among them follow.
pub fn copies(
    document: &crate::Document,
    steps: &[Step],
    mut step_id: impl FnMut() -> StepId,
    mut lane_id: impl FnMut() -> LaneId,
) -> Vec<Step> {
    let mut copied = steps.to_vec();
    let ids: BTreeMap<StepId, StepId> = steps.iter().map(|step| (step.id, step_id())).collect();
    let mut taken: BTreeSet<String> = document.steps.values().map(|s| s.slug.clone()).collect();
    let mut renames = BTreeMap::new();
    for step in &mut copied {
        step.id = ids[&step.id];
        for lane in &mut step.lanes {
            lane.id = lane_id();
            lane.steps.retain_mut(|id| {
                ids.get(id).is_some_and(|new| {
                    *id = *new;
                    true
                })
            });
        }
        let slug = crate::slug::unique(&step.name, |slug| taken.contains(slug));
        taken.insert(slug.clone());
        renames.insert(std::mem::replace(&mut step.slug, slug.clone()), slug);
    }
    // All at once: one step's new slug may be another's old one.
    let rename = |from: &str| renames.get(from).map(String::as_str);
    let rename = crate::template::Rename {
        among: &[],
        of: &rename,
    };
    for step in &mut copied {
        if let Some(renamed) = references::renamed(step, &rename) {
            *step = renamed;
        }
    }
    copied
}

#[cfg(test)]
mod tests;
