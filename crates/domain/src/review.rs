//! Reviews: the request to publish one draft, who decides on it, and what was said.
//!
//! A review belongs to one draft and stays readable for ever, from the draft and from the version
//! it became. It holds no content: what is reviewed is the draft at its revision now, and every
//! verdict names the revision and the [`Fingerprint`] it was given on. The rules are in
//! [`check`] (what must be true to publish), [`decide`] (who may say what) and [`turn`] (who is
//! to act next); [`policy`] is what an organization can set of them, and [`letter`] what members get
//! by e-mail.

pub mod check;
pub mod decide;
pub mod fingerprint;
pub mod letter;
pub mod policy;
pub mod thread;
pub mod turn;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::account::Role;
use crate::draft::DraftState;
use crate::{
    AccountId, DecisionId, Document, DraftId, IntegrationId, NotificationId, ReviewId, ThreadId,
    Timestamp, limit,
};

pub use check::{Check, CheckState, Facts, Rule};
pub use fingerprint::Fingerprint;
pub use policy::{OwnerRule, OwnerScope, Policy};
pub use thread::{Anchor, Comment, Thread};
pub use turn::Turn;

/// Where a review stands. Whether an open one is approved is the draft's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewState {
    /// People look at the draft and decide.
    Open,
    /// Whoever asked took it back; the draft is being edited again.
    Withdrawn,
    /// The draft became a version.
    Published,
    /// The draft was thrown away.
    Discarded,
}

impl ReviewState {
    /// All states.
    pub const ALL: [ReviewState; 4] = [
        ReviewState::Open,
        ReviewState::Withdrawn,
        ReviewState::Published,
        ReviewState::Discarded,
    ];

    /// Returns the name in the database.
    pub const fn key(self) -> &'static str {
        match self {
            ReviewState::Open => "open",
            ReviewState::Withdrawn => "withdrawn",
            ReviewState::Published => "published",
            ReviewState::Discarded => "discarded",
        }
    }

    /// Returns the name on screen.
    pub const fn title(self) -> &'static str {
        match self {
            ReviewState::Open => "Open",
            ReviewState::Withdrawn => "Withdrawn",
            ReviewState::Published => "Published",
            ReviewState::Discarded => "Discarded",
        }
    }

    /// Returns the state with that key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.key() == key)
    }
}

/// A member, as reviews name one. Also someone who left: the name stays.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Person {
    /// The account.
    pub account: AccountId,
    /// What others call this person.
    pub name: String,
}

/// What someone says of a draft when submitting a review of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Neither yes nor no.
    Comment,
    /// The draft may be published.
    Approve,
    /// The draft goes back; always with a message.
    Reject,
}

impl Verdict {
    /// All verdicts.
    pub const ALL: [Verdict; 3] = [Verdict::Comment, Verdict::Approve, Verdict::Reject];

    /// Returns the name in the database.
    pub const fn key(self) -> &'static str {
        match self {
            Verdict::Comment => "comment",
            Verdict::Approve => "approve",
            Verdict::Reject => "reject",
        }
    }

    /// Returns the verdict with that key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.key() == key)
    }
}

/// A verdict that someone gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Identity.
    pub id: DecisionId,
    /// Who.
    pub by: Person,
    /// What.
    pub verdict: Verdict,
    /// Markdown; empty for none. A rejection always has one.
    pub message: String,
    /// The draft's revision that was looked at.
    pub revision: u32,
    /// The behaviour that was decided on.
    pub fingerprint: Fingerprint,
    /// When.
    pub at: Timestamp,
}

/// Someone who was asked by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Who.
    pub person: Person,
    /// The role now; `None` when no member any more.
    pub role: Option<Role>,
    /// When asked (again).
    pub at: Timestamp,
}

/// One line about a review: in the inbox, on the integration's page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewSummary {
    /// Identity.
    pub id: ReviewId,
    /// The draft.
    pub draft: DraftId,
    /// The integration that the draft changes.
    pub integration: IntegrationId,
    /// The integration's name.
    pub integration_name: String,
    /// What the change is about.
    pub title: String,
    /// Where the review stands.
    pub state: ReviewState,
    /// Where the draft stands.
    pub draft_state: DraftState,
    /// The draft's revision now.
    pub revision: u32,
    /// Who asked for it.
    pub created_by: Person,
    /// When.
    pub created_at: Timestamp,
    /// When something was last said, decided or saved.
    pub updated_at: Timestamp,
    /// Who is to act next, and why; empty when it is over.
    pub turns: Vec<Turn>,
    /// Threads that are not resolved.
    pub open_threads: u32,
    /// Whether something happened since the reader last looked.
    pub unread: bool,
}

/// One save of the draft under review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevisionLine {
    /// The revision that the save made. The one that the draft started with has no save.
    pub revision: u32,
    /// Who saved it.
    pub by: Person,
    /// Who proposed it, when it is a suggestion that was applied.
    pub suggested_by: Option<Person>,
    /// When.
    pub at: Timestamp,
    /// How many edits it holds.
    pub edits: u32,
}

/// The review page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Review {
    /// Its line.
    pub summary: ReviewSummary,
    /// Markdown: what the change is for.
    pub description: String,
    /// Who was asked by name; empty when anyone may look.
    pub asked: Vec<Asked>,
    /// Everyone who edited the draft.
    pub authors: Vec<Person>,
    /// All verdicts, oldest first.
    pub decisions: Vec<Decision>,
    /// What must be true to publish, each with its state.
    pub checks: Vec<Check>,
    /// What the organization, or the integration, has set.
    pub policy: Policy,
    /// The fingerprint of the document now.
    pub fingerprint: Fingerprint,
    /// The number of the version that the draft started from, or was last brought up to.
    pub base: Option<u32>,
    /// The number of the live version now.
    pub live: Option<u32>,
    /// What changed is read from them; `None` when the reader has them already.
    pub documents: Option<Documents>,
    /// The newest saves, newest first, 200 at most.
    pub revisions: Vec<RevisionLine>,
    /// All threads that the reader may see, oldest first; own pending comments included.
    pub threads: Vec<Thread>,
    /// What the reader ticked as viewed: the target's key and the digest it had then.
    pub viewed: BTreeMap<String, String>,
    /// The revision at which the reader last looked; `None` for the first time.
    pub last_looked: Option<u32>,
    /// Why it was published without approval, when it was.
    pub override_reason: Option<Override>,
    /// The number of the version that it became.
    pub version: Option<u32>,
    /// Everyone who can be asked or mentioned.
    pub members: Vec<Person>,
}

/// The content that a review is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Documents {
    /// Of the base.
    pub base: Document,
    /// Of the draft, at its revision now.
    pub draft: Document,
}

/// Which documents of a review a reader has: they never change under these numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The number of the version that the draft started from.
    pub base: Option<u32>,
    /// The draft's revision.
    pub revision: u32,
}

/// A publish that the rules did not allow, and someone answered for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Who.
    pub by: Person,
    /// Why.
    pub reason: String,
}

/// What happened that a member is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// Was asked to review.
    Asked,
    /// Someone commented in a review that the member takes part in.
    Commented,
    /// Someone wrote the member's name.
    Mentioned,
    /// The draft was approved.
    Approved,
    /// The draft was sent back.
    Rejected,
    /// An edit made the member's approval stale.
    ApprovalStale,
    /// The review was withdrawn.
    Withdrawn,
    /// The draft was published.
    Published,
}

impl Happening {
    /// All of them.
    pub const ALL: [Happening; 8] = [
        Happening::Asked,
        Happening::Commented,
        Happening::Mentioned,
        Happening::Approved,
        Happening::Rejected,
        Happening::ApprovalStale,
        Happening::Withdrawn,
        Happening::Published,
    ];

    /// Returns the name in the database.
    pub const fn key(self) -> &'static str {
        match self {
            Happening::Asked => "asked",
            Happening::Commented => "commented",
            Happening::Mentioned => "mentioned",
            Happening::Approved => "approved",
            Happening::Rejected => "rejected",
            Happening::ApprovalStale => "approval_stale",
            Happening::Withdrawn => "withdrawn",
            Happening::Published => "published",
        }
    }

    /// Returns what is said of the actor: `NAME …`.
    pub const fn says(self) -> &'static str {
        match self {
            Happening::Asked => "asks you to review",
            Happening::Commented => "commented on",
            Happening::Mentioned => "mentioned you in",
            Happening::Approved => "approved",
            Happening::Rejected => "asks for changes in",
            Happening::ApprovalStale => "changed, after you approved it,",
            Happening::Withdrawn => "withdrew",
            Happening::Published => "published",
        }
    }

    /// Returns the happening with that key.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|happening| happening.key() == key)
    }
}

/// A message to one member about a review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Identity.
    pub id: NotificationId,
    /// What happened.
    pub happening: Happening,
    /// Who did it.
    pub by: Person,
    /// The review.
    pub review: ReviewId,
    /// Its title.
    pub title: String,
    /// The thread to jump to, when it is about one.
    pub thread: Option<ThreadId>,
    /// When.
    pub at: Timestamp,
    /// Whether the member has seen it.
    pub is_read: bool,
}

/// "Your turn": the reviews of the organization that are open or of interest, and what happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbox {
    /// Open reviews, those in which it is the reader's turn first, then by the newest change.
    pub reviews: Vec<ReviewSummary>,
    /// Reviews that ended, newest first, 20 at most.
    pub ended: Vec<ReviewSummary>,
    /// The newest notifications, 50 at most.
    pub notifications: Vec<Notification>,
}

/// Why something in a review was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The draft has an open review already; there is one at a time.
    #[error("This draft has an open review already. Open it instead of asking for another.")]
    AlreadyOpen {
        /// The one that is open.
        review: ReviewId,
    },
    /// The review is over.
    #[error("This review is {} already. Start a new one if there is more to change.", .0.title().to_lowercase())]
    Over(ReviewState),
    /// Nothing differs from what the draft started from.
    #[error("The draft changes nothing. Edit it before you ask for a review.")]
    NothingToReview,
    /// Whoever wrote a draft does not decide on it.
    #[error("You edited this draft, so you cannot {} it. Ask someone else.", if *.0 == Verdict::Approve { "approve" } else { "reject" })]
    OwnWork(Verdict),
    /// A Reader decides only when asked by name and the policy allows it.
    #[error(
        "Readers decide only when they are asked by name and the review policy allows it. You can comment."
    )]
    ReaderDecides,
    /// A rejection without a message helps nobody.
    #[error("Say what must change. A rejection needs a message.")]
    MessageMissing,
    /// Nothing to submit: a comment without text and without pending comments.
    #[error("There is nothing to submit. Write a comment, or choose a verdict.")]
    NothingToSay,
    /// The draft is at another revision than the one that was looked at.
    #[error(
        "The draft is at revision {current} now; you looked at {looked_at}. Look at what changed, then decide."
    )]
    Moved {
        /// What was looked at.
        looked_at: u32,
        /// The revision now.
        current: u32,
    },
    /// A text is longer than [`limit::TEXT`].
    #[error("The text is longer than {max} characters. Shorten it.", max = limit::TEXT)]
    TextTooLong,
    /// A comment without text.
    #[error("The comment is empty. Write something.")]
    CommentEmpty,
    /// Only the author changes or deletes a comment.
    #[error("Only whoever wrote a comment can change or delete it.")]
    NotYourComment,
    /// Readers resolve only threads that they began.
    #[error("Readers can resolve only threads that they started.")]
    NotYourThread,
    /// Only whoever asked for the review, or an Admin, withdraws it.
    #[error(
        "Only whoever asked for this review, an author of the draft or an Admin can withdraw it."
    )]
    NotYourReview,
    /// Someone who was asked is no member.
    #[error("One of the reviewers is not a member of this organization any more. Choose again.")]
    NotAMember,
    /// An anchor names a step or field that is in neither document.
    #[error("What you comment on is not there any more. Reload the review.")]
    NoSuchAnchor,
    /// The suggested value does not fit its field, or the field is gone.
    #[error("The suggestion cannot be applied: {0}")]
    SuggestionUnfit(String),
    /// The thread or the review has as many comments as it can hold.
    #[error("There are too many comments here. Resolve this thread and start another.")]
    TooMany,
    /// More people than [`limit::REVIEWERS`] are asked, or own one thing.
    #[error("At most {max} people can be named. Choose fewer.", max = limit::REVIEWERS)]
    TooManyPeople,
    /// The rules for publishing are not met.
    #[error("This draft cannot be published yet. {}", unmet(.0))]
    Unmet(Vec<Check>),
    /// Publishing without approval needs a reason.
    #[error("Publishing without approval needs a reason. It is recorded and shown.")]
    ReasonMissing,
    /// The role may not publish without approval.
    #[error("Only {} can publish without approval.", if *.collaborators { "Admins and Collaborators" } else { "Admins" })]
    MayNotOverride {
        /// Whether the policy lets Collaborators.
        collaborators: bool,
    },
    /// A number of the policy is out of its range.
    #[error("At most {max} approvals can be required.", max = policy::APPROVALS_MAX)]
    TooManyApprovals,
}

fn unmet(checks: &[Check]) -> String {
    let sentences: Vec<String> = checks
        .iter()
        .filter_map(|check| match &check.state {
            CheckState::Unsatisfied { why } => Some(why.clone()),
            _ => None,
        })
        .collect();
    sentences.join(" ")
}

impl Refusal {
    /// Returns a code that stays the same when the sentence changes.
    pub const fn code(&self) -> &'static str {
        match self {
            Refusal::AlreadyOpen { .. } => "review/already-open",
            Refusal::Over(_) => "review/over",
            Refusal::NothingToReview => "review/nothing-to-review",
            Refusal::OwnWork(_) => "review/own-work",
            Refusal::ReaderDecides => "review/reader-decides",
            Refusal::MessageMissing => "review/message-missing",
            Refusal::NothingToSay => "review/nothing-to-say",
            Refusal::Moved { .. } => "review/moved",
            Refusal::TextTooLong => "review/text-too-long",
            Refusal::CommentEmpty => "review/comment-empty",
            Refusal::NotYourComment => "review/not-your-comment",
            Refusal::NotYourThread => "review/not-your-thread",
            Refusal::NotYourReview => "review/not-your-review",
            Refusal::NotAMember => "review/not-a-member",
            Refusal::NoSuchAnchor => "review/no-such-anchor",
            Refusal::SuggestionUnfit(_) => "review/suggestion-unfit",
            Refusal::TooMany => "review/too-many",
            Refusal::TooManyPeople => "review/too-many-people",
            Refusal::Unmet(_) => "review/unmet",
            Refusal::ReasonMissing => "review/reason-missing",
            Refusal::MayNotOverride { .. } => "review/may-not-override",
            Refusal::TooManyApprovals => "review/too-many-approvals",
        }
    }
}

#[cfg(test)]
mod tests;
