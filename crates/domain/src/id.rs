//! Typed ids: a `DraftId` cannot be passed where a `VersionId` is meant.
//!
//! All are UUIDs of version 7 (so they sort by creation), made outside this crate.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Wraps an id that was made elsewhere.
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

id! {
    /// A person who can sign in.
    AccountId,
    /// An organization: owns everything else.
    OrganizationId,
    /// A signed-in browser.
    SessionId,
    /// An invitation to join an organization.
    InvitationId,
    /// An integration.
    IntegrationId,
    /// A draft of an integration.
    DraftId,
    /// A published version of an integration.
    VersionId,
    /// What a trigger received and accepted.
    EventId,
    /// One execution of a document.
    RunId,
    /// A message to one member that an integration began to fail, or recovered.
    AlertId,
    /// A step; stays the same through renames and moves.
    StepId,
    /// A lane of a container step.
    LaneId,
    /// A request to publish a draft.
    ReviewId,
    /// A thread of comments in a review.
    ThreadId,
    /// One comment in a thread.
    CommentId,
    /// One verdict in a review.
    DecisionId,
    /// Credentials for one outside system.
    ConnectionId,
    /// A secret with which the calls of a webhook are signed.
    SigningSecretId,
    /// A message to one member.
    NotificationId,
}

/// The SHA-256 of a document's canonical JSON, as 64 lower-case hexadecimal digits.
///
/// Equal hashes mean equal behaviour: a run pins the document it executes by this.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DocumentHash(pub String);

impl fmt::Display for DocumentHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
