//! Who may do what: one table, asked by the server before it acts and by the browser before it offers.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::account::Role;

/// Something that a member of an organization can want to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Look at integrations, drafts, versions and the list of runs.
    See,
    /// Look at what runs received and sent.
    SeePayloads,
    /// Create an integration.
    CreateIntegration,
    /// Create, change or discard a draft.
    EditDraft,
    /// Run a draft, or a step of it, as a test.
    Test,
    /// Publish a draft that may be published, roll back.
    Publish,
    /// Publish a draft that the review policy holds back, with a reason. For Collaborators only
    /// where the policy says so: [`crate::review::decide::check_override`].
    Override,
    /// Ask for a review of a draft, and ask people again.
    CreateReview,
    /// Comment in a review, and resolve own threads.
    Comment,
    /// Approve or reject a draft. For Readers only where the policy says so:
    /// [`crate::review::decide::check_verdict`].
    Decide,
    /// Set the review policy and the owners.
    ManagePolicy,
    /// Enable or disable an integration, pause it, limit its runs, or start it by hand.
    Operate,
    /// Invite and remove members, and change their roles.
    ManageMembers,
    /// Allow requests to private addresses.
    ManageNetwork,
    /// Set how long runs are kept.
    ManageRetention,
    /// Keep secrets for the integrations: what is kept is used by all, and shown to nobody.
    ManageSecrets,
    /// Import, update and delete connectors.
    ManageConnectors,
    /// See the members.
    SeeMembers,
}

impl Act {
    /// All acts, for tables and tests.
    pub const ALL: [Act; 18] = [
        Act::See,
        Act::SeePayloads,
        Act::CreateIntegration,
        Act::EditDraft,
        Act::Test,
        Act::Publish,
        Act::Override,
        Act::CreateReview,
        Act::Comment,
        Act::Decide,
        Act::ManagePolicy,
        Act::Operate,
        Act::ManageMembers,
        Act::ManageNetwork,
        Act::ManageRetention,
        Act::ManageSecrets,
        Act::ManageConnectors,
        Act::SeeMembers,
    ];

    const fn verb(self) -> &'static str {
        match self {
            Act::See => "look at this",
            Act::SeePayloads => "see what runs received and sent",
            Act::CreateIntegration => "create integrations",
            Act::EditDraft => "edit drafts",
            Act::Test => "test drafts",
            Act::Publish => "publish",
            Act::Override => "publish without approval",
            Act::CreateReview => "ask for a review",
            Act::Comment => "comment",
            Act::Decide => "approve or reject",
            Act::ManagePolicy => "change the review policy",
            Act::Operate => "run, enable or disable integrations",
            Act::ManageMembers => "manage members",
            Act::ManageNetwork => "change network rules",
            Act::ManageRetention => "change how long runs are kept",
            Act::ManageSecrets => "manage secrets",
            Act::ManageConnectors => "manage connectors",
            Act::SeeMembers => "see the members",
        }
    }
}

/// Why someone may not do something.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[error("Only {who} can {verb}. Ask an Admin of your organization.", who = if *admins_only { "Admins" } else { "Admins and Collaborators" }, verb = act.verb())]
pub struct Denied {
    /// What was wanted.
    pub act: Act,
    admins_only: bool,
}

/// Decides whether a role may do something (`design/product.md`, "Who may do what").
///
/// # Errors
/// The sentence to show when it may not.
pub fn allow(role: Role, act: Act) -> Result<(), Denied> {
    use Act::{
        Comment, CreateIntegration, CreateReview, Decide, EditDraft, ManageConnectors,
        ManageMembers, ManageNetwork, ManagePolicy, ManageRetention, ManageSecrets, Operate,
        Override, Publish, See, SeeMembers, SeePayloads, Test,
    };
    match (role, act) {
        (_, See | SeeMembers | Comment) | (Role::Admin, _) => Ok(()),
        (
            Role::Collaborator,
            SeePayloads | CreateIntegration | EditDraft | Test | Publish | CreateReview | Decide
            | Operate,
        ) => Ok(()),
        (
            Role::Collaborator,
            Override | ManageConnectors | ManageMembers | ManageNetwork | ManagePolicy
            | ManageRetention | ManageSecrets,
        ) => Err(Denied {
            act,
            admins_only: true,
        }),
        (Role::Reader, _) => Err(Denied {
            act,
            admins_only: matches!(
                act,
                Override
                    | ManageConnectors
                    | ManageMembers
                    | ManageNetwork
                    | ManagePolicy
                    | ManageRetention
                    | ManageSecrets
            ),
        }),
    }
}

#[cfg(test)]
mod tests;
