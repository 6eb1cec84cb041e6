//! What the server tells open pages about: that something changed, never its content; and who has
//! what open.

use serde::{Deserialize, Serialize};

use crate::presence::FieldMark;
use crate::{AccountId, DraftId, IntegrationId, ReviewId, RunId, StepId};

/// Something of the reader's organization changed; the page asks for it again if it shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Changed {
    /// A draft was saved (with its new revision), published or discarded.
    Draft(DraftId, u32),
    /// A run went on or ended; with the integration it belongs to.
    Run(RunId, IntegrationId),
    /// An integration's name, live version, drafts or state changed.
    Integration(IntegrationId),
    /// What is live of an integration was polled, or could not be.
    Polled(IntegrationId),
    /// A test event was caught for a draft.
    Caught(DraftId),
    /// An output was pinned in a draft, or a pin taken off.
    Pinned(DraftId),
    /// Something was said, decided or asked for in a review.
    Review(ReviewId),
    /// A member has a new notification, or has seen some.
    Notified(AccountId),
    /// Members, invitations or settings of the organization changed.
    Organization,
    /// A member has something open in a page, has selected another step there, or leaves it. Told
    /// again and again while it holds, as nobody keeps it: see [`crate::presence`].
    Here {
        /// What is open.
        place: Place,
        /// The member.
        account: AccountId,
        /// The step that is selected there.
        step: Option<StepId>,
        /// The field of the step, or of the trigger when no step is selected, that has the caret.
        field: Option<FieldMark>,
        /// A number that the page chose: a member may have several open.
        tab: u32,
        /// Whether the page says this for the last time.
        is_leaving: bool,
    },
}

/// Something that several members can have open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A draft, in the builder.
    Draft(DraftId),
    /// A review.
    Review(ReviewId),
}
