//! What differs between two documents, as a reviewer reads it.
//!
//! Steps are told apart by their id, never by their place. [`Changes`] is the list; [`outline`]
//! puts it in the order in which a person reads, [`words`] and [`json`] look into one value,
//! [`notes`] says what it means for the data, and [`edits`] makes it happen to a document.

mod align;
mod between;
mod broken;
mod edits;
mod entry;
mod field;
mod flow;
mod json;
mod note;
mod notes;
mod order;
mod others;
mod outline;
mod pair;
mod receiver;
mod sent;
mod tree;
mod words;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::document::{ListRef, Place};
use crate::{Document, StepId};

pub use edits::edits;
pub use entry::Entry;
pub use field::{Field, NoSuchField, Part, Target, value};
pub use json::{JsonChange, Segment, json};
pub use note::{Because, Note, Turned, When};
pub use notes::notes;
pub use outline::{Row, RowKind, outline};
pub use receiver::Receiver;
pub use words::{Piece, PieceKind, words};

/// Everything that differs between two documents.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    /// Of the trigger.
    pub trigger: Vec<FieldChange>,
    /// Of the settings.
    pub settings: Vec<FieldChange>,
    /// The steps that differ, in the order in which a person reads the later document; deleted
    /// ones where they stood.
    pub steps: Vec<StepChange>,
}

/// What happened to one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepChange {
    /// The step.
    pub id: StepId,
    /// Whether it came, went or stayed.
    pub what: What,
    /// Set when it stands elsewhere, which no other step that moved explains.
    pub moved: Option<Moved>,
    /// Its values that differ; of a step that came or went, all of its configuration, policy and
    /// notes (name, slug, action and lanes are told by the step itself).
    pub fields: Vec<FieldChange>,
}

/// Whether a step came, went or stayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It is new.
    Added,
    /// It is gone.
    Deleted,
    /// It is in both documents.
    Kept,
}

/// From where to where a step was moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Its place in the earlier document.
    pub from: Place,
    /// Its place in the later document.
    pub to: Place,
}

/// One value that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Its address in the step, trigger or settings.
    pub field: Field,
    /// What it was; `None` when there was none.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::edit::present"
    )]
    pub before: Option<Value>,
    /// What it is; `None` when there is none.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::edit::present"
    )]
    pub after: Option<Value>,
    /// Of a lane that was moved among its sisters: how many stood before it, then and now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane_moved: Option<(usize, usize)>,
    /// The only difference is that references follow steps that were renamed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub follows_rename: bool,
    /// Nobody has to read it: neither value has an effect on a run, because another field hides
    /// it; or it is what every new step starts with.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub minor: bool,
}

/// What happened to a step, in one word: a badge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It was added.
    New,
    /// It was deleted.
    Deleted,
    /// Its values changed.
    Modified,
    /// It stands elsewhere.
    Moved,
    /// It has another name or slug.
    Renamed,
}

impl Changes {
    /// Returns whether nothing differs at all.
    pub fn is_empty(&self) -> bool {
        self.trigger.is_empty() && self.settings.is_empty() && self.steps.is_empty()
    }

    /// Returns what happened to a step; `None` when nothing did.
    pub fn of(&self, step: StepId) -> Option<&StepChange> {
        self.steps.iter().find(|change| change.id == step)
    }

    /// Returns what differs at a target, field by field.
    pub fn fields(&self, target: Target) -> &[FieldChange] {
        match target {
            Target::Trigger => &self.trigger,
            Target::Settings => &self.settings,
            Target::Step(id) => self.of(id).map_or(&[], |change| &change.fields),
        }
    }

    /// Returns how many things changed: steps, the trigger and the settings, each counted once;
    /// what is [quiet](StepChange::is_quiet) does not count.
    pub fn count(&self) -> usize {
        let loud = |fields: &[FieldChange]| usize::from(fields.iter().any(|f| !f.is_quiet()));
        let steps = self
            .steps
            .iter()
            .filter(|change| !change.is_quiet())
            .count();
        steps + loud(&self.trigger) + loud(&self.settings)
    }

    /// Returns everything in one line, such as "2 steps added, 1 deleted; trigger changed".
    pub fn summary(&self) -> String {
        let mut said = Vec::new();
        for (kind, word) in [
            (Kind::New, "added"),
            (Kind::Deleted, "deleted"),
            (Kind::Modified, "modified"),
            (Kind::Moved, "moved"),
            (Kind::Renamed, "renamed"),
        ] {
            let count = self
                .steps
                .iter()
                .filter(|c| c.kinds().contains(&kind))
                .count();
            match (count, said.is_empty()) {
                (0, _) => {}
                (1, true) => said.push(format!("1 step {word}")),
                (_, true) => said.push(format!("{count} steps {word}")),
                (_, false) => said.push(format!("{count} {word}")),
            }
        }
        let mut said: Vec<String> = Some(said.join(", "))
            .filter(|s| !s.is_empty())
            .into_iter()
            .collect();
        for (fields, what) in [(&self.trigger, "trigger"), (&self.settings, "settings")] {
            if fields.iter().any(|field| !field.is_quiet()) {
                said.push(format!("{what} changed"));
            }
        }
        let following = self
            .steps
            .iter()
            .filter(|change| change.fields.iter().any(|field| field.follows_rename));
        match following.count() {
            0 => {}
            1 => said.push("references follow in 1 step".to_owned()),
            count => said.push(format!("references follow in {count} steps")),
        }
        if said.is_empty() {
            return "No changes".to_owned();
        }
        let mut said = said.join("; ");
        said[..1].make_ascii_uppercase();
        said
    }
}

impl StepChange {
    /// Returns whether its name or slug changed.
    pub fn is_renamed(&self) -> bool {
        self.what == What::Kept
            && self
                .fields
                .iter()
                .any(|change| matches!(change.field.part(), Part::Name | Part::Slug))
    }

    /// Returns what happened, for badges. Empty when the change [is quiet](Self::is_quiet).
    pub fn kinds(&self) -> Vec<Kind> {
        let modified = self.what == What::Kept
            && self.fields.iter().any(|change| {
                !change.is_quiet() && !matches!(change.field.part(), Part::Name | Part::Slug)
            });
        [
            (Kind::New, self.what == What::Added),
            (Kind::Deleted, self.what == What::Deleted),
            (Kind::Modified, modified),
            (Kind::Moved, self.moved.is_some()),
            (Kind::Renamed, self.is_renamed()),
        ]
        .into_iter()
        .filter_map(|(kind, is)| is.then_some(kind))
        .collect()
    }

    /// Returns whether there is nothing that a reviewer has to read: only minor fields, and
    /// references that follow a rename.
    pub fn is_quiet(&self) -> bool {
        self.what == What::Kept
            && self.moved.is_none()
            && self.fields.iter().all(FieldChange::is_quiet)
    }
}

impl Moved {
    /// Returns from where to where in words, such as "was first in “Paid” of “State”, is after
    /// “Log”".
    pub fn describe(&self, before: &Document, after: &Document) -> String {
        let is_near = self.from.list == self.to.list;
        let was = describe_place(before, self.from, is_near);
        format!("was {was}, is {}", describe_place(after, self.to, is_near))
    }
}

/// Says where a place is: after which step, and in which lane unless that is known.
fn describe_place(document: &Document, place: Place, is_known: bool) -> String {
    let list = document.list(place.list).map_or(&[][..], Vec::as_slice);
    let before = place.index.checked_sub(1).and_then(|index| list.get(index));
    let mut said = match before.and_then(|id| document.steps.get(id)) {
        Some(step) => format!("after “{}”", step.name),
        None => "first".to_owned(),
    };
    if let (ListRef::Lane(step, lane), false) = (place.list, is_known)
        && let Some(step) = document.steps.get(&step)
    {
        let lane = step.lanes.iter().find(|l| l.id == lane);
        said += &format!(
            " in “{}” of “{}”",
            lane.map_or("", |lane| &lane.name),
            step.name
        );
    }
    said
}

impl FieldChange {
    /// Returns whether it may be folded away.
    pub fn is_quiet(&self) -> bool {
        self.follows_rename || self.minor
    }
}

impl Kind {
    /// Returns the word on the badge.
    pub const fn title(self) -> &'static str {
        match self {
            Kind::New => "New",
            Kind::Deleted => "Deleted",
            Kind::Modified => "Modified",
            Kind::Moved => "Moved",
            Kind::Renamed => "Renamed",
        }
    }
}

#[cfg(test)]
mod tests;
