//! Drafts: changes in progress, their states and their saves.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use uuid::Uuid;

use crate::call::Caller;
use crate::edit::{self, Edit};
use crate::policy::Act;
use crate::review::Check;
use crate::{Document, DraftId, IntegrationId, ReviewId, StepId, Timestamp, limit};

/// Where a draft stands. While a review is open, it is what [`crate::review::check::standing`]
/// says of the verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DraftState {
    /// Being worked on.
    Editing,
    /// A review is open.
    InReview,
    /// The review approved it.
    Approved,
    /// The review sent it back.
    ChangesRequested,
    /// It became a version.
    Published,
    /// Someone threw it away.
    Discarded,
}

impl DraftState {
    /// All states.
    pub const ALL: [DraftState; 6] = [
        DraftState::Editing,
        DraftState::InReview,
        DraftState::Approved,
        DraftState::ChangesRequested,
        DraftState::Published,
        DraftState::Discarded,
    ];

    /// Returns whether the draft is still a draft: neither published nor discarded.
    pub const fn is_open(self) -> bool {
        !matches!(self, DraftState::Published | DraftState::Discarded)
    }

    /// Returns whether a draft in this state can be acted on so, by whoever may. What is not done
    /// to a draft does not depend on its state.
    pub const fn permits(self, act: Act) -> bool {
        match act {
            Act::EditDraft | Act::Test | Act::Publish | Act::Override => self.is_open(),
            Act::CreateReview => matches!(self, DraftState::Editing),
            Act::Comment | Act::Decide => self.is_in_review(),
            _ => true,
        }
    }

    /// Returns whether a review of it is open.
    pub const fn is_in_review(self) -> bool {
        matches!(
            self,
            DraftState::InReview | DraftState::Approved | DraftState::ChangesRequested
        )
    }

    /// Returns the name in the database.
    pub const fn key(self) -> &'static str {
        match self {
            DraftState::Editing => "editing",
            DraftState::InReview => "in_review",
            DraftState::Approved => "approved",
            DraftState::ChangesRequested => "changes_requested",
            DraftState::Published => "published",
            DraftState::Discarded => "discarded",
        }
    }

    /// Returns the name on screen.
    pub const fn title(self) -> &'static str {
        match self {
            DraftState::Editing => "Editing",
            DraftState::InReview => "In review",
            DraftState::Approved => "Approved",
            DraftState::ChangesRequested => "Changes requested",
            DraftState::Published => "Published",
            DraftState::Discarded => "Discarded",
        }
    }

    /// Returns the state with that key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.key() == key)
    }
}

/// One line about a draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftSummary {
    /// Identity.
    pub id: DraftId,
    /// What the change is about.
    pub title: String,
    /// Where it stands.
    pub state: DraftState,
    /// Grows by one with each save.
    pub revision: u32,
    /// The number of the version it started from; `None` for a draft from nothing.
    pub base: Option<u32>,
    /// Who saved it last.
    pub updated_by: String,
    /// When.
    pub updated_at: Timestamp,
}

/// A draft with its content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// Its line.
    pub summary: DraftSummary,
    /// The integration it changes.
    pub integration: IntegrationId,
    /// The integration's name.
    pub integration_name: String,
    /// The number of the live version now, if there is one.
    pub live: Option<u32>,
    /// Its content at `summary.revision`.
    pub document: Document,
    /// The path at which a test event for this draft is caught (webhook triggers).
    pub catch_path: String,
}

/// A save: what was edited since a revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Save {
    /// Made by the browser, new for each save; a save that is sent again has the same one.
    pub id: Uuid,
    /// The revision that the edits were made on.
    pub expected: u32,
    /// The edits, in order.
    pub edits: Vec<Edit>,
}

/// What became of a save.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SaveOutcome {
    /// It is kept, as this revision.
    Saved {
        /// The new revision.
        revision: u32,
    },
    /// Someone saved in between. Nothing was kept; the edits are to be put on top of this.
    Stale {
        /// The revision now.
        revision: u32,
        /// The content at that revision.
        document: Document,
        /// Who saved it.
        updated_by: String,
    },
}

/// Why a draft cannot be saved, published or discarded.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// It is published or discarded.
    #[error("This draft is {} already. Start a new draft to change the integration.", .0.title().to_lowercase())]
    Closed(DraftState),
    /// Another version went live than the one that was looked at.
    #[error("Version {live} is live now. Look at it before you go on.")]
    LiveMoved {
        /// What is live now.
        live: u32,
    },
    /// The draft is at another revision than the one that was looked at.
    #[error("The draft is at revision {current} now. Look at it again before you go on.")]
    Moved {
        /// The revision now.
        current: u32,
    },
    /// The draft that is to be brought in is at another revision than the one that was looked at.
    #[error("The other draft is at revision {current} now. Look at it before you go on.")]
    SourceMoved {
        /// Its revision now.
        current: u32,
    },
    /// A draft that is to be brought in is not another open one of the same integration.
    #[error("Only another open draft of the same integration can be brought in.")]
    NotBroughtIn,
    /// So many conflicts with what is to be merged are not decided.
    #[error("{} still to be decided before this can be merged.", if *.0 == 1 { "1 conflict is".to_owned() } else { format!("{} conflicts are", .0) })]
    Unresolved(usize),
    /// A step of that kind cannot be pinned.
    #[error(
        "The output of this step cannot be pinned, because it decides how the run goes on. Pin the steps before it."
    )]
    NotPinnable,
    /// An edit does not fit.
    #[error("{0}")]
    Edit(#[from] edit::Refusal),
    /// The document would be too large.
    #[error("The draft would have {bytes} bytes and {steps} steps. At most {max_bytes} bytes and {max_steps} steps are kept. Move a part into another integration.", max_bytes = limit::DOCUMENT_BYTES, max_steps = limit::STEPS)]
    TooLarge {
        /// Bytes of canonical JSON.
        bytes: usize,
        /// Number of steps.
        steps: usize,
    },
}

/// Returns the document after some edits, all or none.
///
/// # Errors
/// When an edit does not fit, or the result is larger than a draft may be.
pub fn edited(document: &Document, edits: &[Edit]) -> Result<Document, Refusal> {
    let mut document = document.clone();
    for edit in edits {
        edit::apply(&mut document, edit)?;
    }
    let bytes = document.canonical().len();
    let steps = document.steps.len();
    if bytes > limit::DOCUMENT_BYTES || steps > limit::STEPS {
        return Err(Refusal::TooLarge { bytes, steps });
    }
    Ok(document)
}

/// An output that tests of a draft use instead of running its step. Kept beside the draft, not in
/// its document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pin {
    /// The step.
    pub step: StepId,
    /// What it gives in tests; `None` when the reader may not see payloads.
    pub output: Option<Value>,
    /// Who pinned it.
    pub pinned_by: String,
    /// When.
    pub pinned_at: Timestamp,
}

/// Returns whether the output of steps of a kind can be pinned: of those that do something and
/// give what came of it. Those that decide how a run goes on are run in every test.
pub fn is_pinnable(kind: &str) -> bool {
    !matches!(kind, "branch" | "try" | "filter" | "stop" | "respond")
}

/// Checks that a step of a document can be pinned.
///
/// # Errors
/// When it is not there, or of a kind that is not [`is_pinnable`].
pub fn check_pin(document: &Document, step: StepId) -> Result<(), Refusal> {
    let step = document.steps.get(&step).ok_or(edit::Refusal::NoSuchStep)?;
    if is_pinnable(&step.kind) {
        Ok(())
    } else {
        Err(Refusal::NotPinnable)
    }
}

/// What stands between a draft and publishing it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PublishPlan {
    /// The draft's revision that this is about.
    pub revision: u32,
    /// Each rule with its state.
    pub checks: Vec<Check>,
    /// Its open review, if there is one.
    pub review: Option<ReviewId>,
    /// Whether the policy lets Collaborators publish without approval.
    pub collaborators_override: bool,
    /// The live version that it would replace.
    pub live: Option<u32>,
    /// The content of the live version; what changes is read against it.
    pub live_document: Option<Document>,
    /// How many live runs are queued or under way; they finish on the version they started with.
    pub runs_under_way: u32,
    /// What calls it, as long as calls start what is live; 100 at most.
    pub callers: Vec<Caller>,
    /// How many events came in per hour of the day, in UTC, over the last 28 days.
    pub hourly_events: [u32; 24],
}

/// What is merged into a draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeSource {
    /// What is live: the number of the version.
    Live(u32),
    /// Another open draft of the same integration.
    Draft {
        /// Which.
        id: DraftId,
        /// Its title.
        title: String,
        /// Its revision now.
        revision: u32,
    },
}

/// The documents of a three-way merge into a draft.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MergeBasis {
    /// What both share. For what is live that is what the draft started from; for another draft
    /// what they were when one was last brought into the other, else the older of the versions
    /// that they started from. An empty document when one started from nothing.
    pub base: Document,
    /// The number of the version that the draft started from.
    pub base_number: Option<u32>,
    /// What is merged into the draft.
    pub source: MergeSource,
    /// Its content.
    pub theirs: Document,
    /// The draft at its revision now.
    pub draft: Document,
    /// That revision.
    pub revision: u32,
}

impl MergeBasis {
    /// Returns whether the draft holds everything already.
    pub fn is_merged(&self) -> bool {
        match self.source {
            MergeSource::Live(number) => self.base_number == Some(number),
            MergeSource::Draft { .. } => self.base == self.theirs || self.draft == self.theirs,
        }
    }
}

/// A test event that was caught at a draft's own address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaughtEvent {
    /// When it came.
    pub caught_at: Timestamp,
    /// What the trigger gives to the steps.
    pub payload: serde_json::Value,
}
