//! Where something is written or hangs on the page, and what a text that is being written is for.

use domain::change::{Entry, Field, Target};
use domain::review::{Anchor, Thread};
use domain::{CommentId, Document, ThreadId};
use serde::{Deserialize, Serialize};

/// A row of the page: the whole draft, a target, one of its fields, or an entry of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Place {
    /// The trigger, the settings or a step; `None` for the draft as a whole.
    pub(super) target: Option<Target>,
    /// One of its fields; `None` for all of it.
    pub(super) field: Option<Field>,
    /// One entry of the field, as it is called now; `None` for all of it.
    #[serde(default)]
    pub(super) entry: Option<Entry>,
}

impl Place {
    /// Returns the row of a target as a whole.
    pub(super) const fn of(target: Target) -> Self {
        Self {
            target: Some(target),
            field: None,
            entry: None,
        }
    }

    /// Returns the row on which a thread is shown. One on an entry that is gone is shown under the
    /// name that it had.
    pub(super) fn of_thread(thread: &Thread, base: &Document, draft: &Document) -> Self {
        let entry = thread.anchor.entry.as_ref();
        Self {
            target: thread.anchor.target,
            field: thread.anchor.field.clone(),
            entry: entry.map(|then| thread.entry_in(base, draft).unwrap_or_else(|| then.clone())),
        }
    }
}

/// A place with the side and the part of its text: where a thread can be started.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Spot {
    /// The row.
    pub(super) place: Place,
    /// Whether it speaks of what was before.
    pub(super) on_base: bool,
    /// A part of the field's text.
    pub(super) part: Option<Part>,
}

/// A part of a text that was selected, with all that finds it again when the draft moves on
/// before the comment is sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Part {
    /// Where it begins and ends, in characters.
    pub(super) range: (u32, u32),
    /// What it says.
    pub(super) text: String,
    /// The draft's revision in which it was selected.
    pub(super) revision: u32,
}

impl Spot {
    /// Returns where a thread that is started here hangs.
    pub(super) fn anchor(&self) -> Anchor {
        Anchor {
            target: self.place.target,
            field: self.place.field.clone(),
            entry: self.place.entry.clone(),
            range: self.part.as_ref().map(|part| part.range),
        }
    }
}

/// What a text that is being written will be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Purpose {
    /// The first comment of a new thread.
    New(Spot),
    /// An answer in a thread.
    Reply(ThreadId),
    /// Another text for a comment.
    Edit(CommentId),
    /// The message of a submitted review.
    Summary,
}

/// Returns a target as the server keeps it in ticks and as addresses name it: `trigger`,
/// `settings` or the step's id.
pub(super) fn key(target: Target) -> String {
    match target {
        Target::Trigger => "trigger".to_owned(),
        Target::Settings => "settings".to_owned(),
        Target::Step(id) => id.to_string(),
    }
}

/// Reads what [`key`] wrote.
pub(super) fn target_of(key: &str) -> Option<Target> {
    match key {
        "trigger" => Some(Target::Trigger),
        "settings" => Some(Target::Settings),
        id => id.parse().ok().map(Target::Step),
    }
}
