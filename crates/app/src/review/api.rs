//! Server functions: reviews, their threads and verdicts, the inbox, and the policy.
#![expect(
    missing_docs,
    reason = "the fields of the structs that #[server] makes are the functions' arguments"
)]

use domain::review::{
    self, Anchor, Known, OwnerRule, OwnerScope, Policy, Review, ReviewSummary, Verdict, policy,
};
use domain::{
    AccountId, CommentId, Document, DraftId, IntegrationId, NotificationId, ReviewId, ThreadId,
};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde_json::Value;

use crate::fault::Fault;

#[cfg(feature = "ssr")]
use crate::caller::{fault, me, store};

/// Asks for a review of a draft; Admins and Collaborators. Without reviewers anyone may look.
#[server(prefix = "/api", endpoint = "create_review", input = Json)]
pub async fn create_review(
    draft: DraftId,
    title: String,
    description: String,
    reviewers: Vec<AccountId>,
) -> Result<ReviewId, Fault> {
    store()
        .create_review(&me().await?, draft, &title, &description, &reviewers)
        .await
        .map_err(fault)
}

/// Returns a review with everything on its page, but without documents that the caller knows; every
/// member may.
#[server(prefix = "/api", endpoint = "read_review", input = Json)]
pub async fn read_review(id: ReviewId, known: Option<Known>) -> Result<Review, Fault> {
    store().review(&me().await?, id, known).await.map_err(fault)
}

/// Returns the reviews of a draft, the open one first; every member may.
#[server(prefix = "/api", endpoint = "draft_reviews", input = Json)]
pub async fn draft_reviews(draft: DraftId) -> Result<Vec<ReviewSummary>, Fault> {
    store()
        .draft_reviews(&me().await?, draft)
        .await
        .map_err(fault)
}

/// Returns what the draft under review contained at a revision; every member may.
#[server(prefix = "/api", endpoint = "review_document", input = Json)]
pub async fn review_document(id: ReviewId, revision: u32) -> Result<Document, Fault> {
    store()
        .review_document(&me().await?, id, revision)
        .await
        .map_err(fault)
}

/// Changes a review's title and description; its author, authors of the draft, Admins.
#[server(prefix = "/api", endpoint = "describe_review", input = Json)]
pub async fn describe_review(
    id: ReviewId,
    title: String,
    description: String,
) -> Result<(), Fault> {
    store()
        .describe_review(&me().await?, id, &title, &description)
        .await
        .map_err(fault)
}

/// Sets who is asked by name, and asks those again who are named; Admins and Collaborators.
#[server(prefix = "/api", endpoint = "ask_reviewers", input = Json)]
pub async fn ask_reviewers(id: ReviewId, reviewers: Vec<AccountId>) -> Result<(), Fault> {
    store()
        .ask_reviewers(&me().await?, id, &reviewers)
        .await
        .map_err(fault)
}

/// Takes a review back; its author, authors of the draft, Admins.
#[server(prefix = "/api", endpoint = "withdraw_review", input = Json)]
pub async fn withdraw_review(id: ReviewId) -> Result<(), Fault> {
    store()
        .withdraw_review(&me().await?, id)
        .await
        .map_err(fault)
}

/// Starts a thread; every member may. A pending one is seen by its author only until submitted.
#[server(prefix = "/api", endpoint = "start_thread", input = Json)]
pub async fn start_thread(
    id: ReviewId,
    anchor: Anchor,
    on_base: bool,
    revision: u32,
    body: String,
    suggestion: Option<Value>,
    pending: bool,
) -> Result<ThreadId, Fault> {
    let thread = review::thread::NewThread {
        anchor,
        on_base,
        revision,
        body,
        suggestion,
        is_pending: pending,
    };
    store()
        .start_thread(&me().await?, id, thread)
        .await
        .map_err(fault)
}

/// Answers in a thread; every member may.
#[server(prefix = "/api", endpoint = "reply", input = Json)]
pub async fn reply(
    thread: ThreadId,
    body: String,
    suggestion: Option<Value>,
    pending: bool,
) -> Result<CommentId, Fault> {
    store()
        .reply_in_thread(&me().await?, thread, &body, suggestion, pending)
        .await
        .map_err(fault)
}

/// Changes a comment; only whoever wrote it.
#[server(prefix = "/api", endpoint = "edit_comment", input = Json)]
pub async fn edit_comment(
    id: CommentId,
    body: String,
    suggestion: Option<Value>,
) -> Result<(), Fault> {
    store()
        .edit_comment(&me().await?, id, &body, suggestion)
        .await
        .map_err(fault)
}

/// Deletes a comment; only whoever wrote it.
#[server(prefix = "/api", endpoint = "delete_comment", input = Json)]
pub async fn delete_comment(id: CommentId) -> Result<(), Fault> {
    store()
        .delete_comment(&me().await?, id)
        .await
        .map_err(fault)
}

/// Resolves a thread or opens it again; Readers only threads that they started.
#[server(prefix = "/api", endpoint = "resolve_thread", input = Json)]
pub async fn resolve_thread(thread: ThreadId, resolved: bool) -> Result<(), Fault> {
    store()
        .resolve_thread(&me().await?, thread, resolved)
        .await
        .map_err(fault)
}

/// Submits a review: the verdict on a revision, a message, and all pending comments at once.
#[server(prefix = "/api", endpoint = "submit_review", input = Json)]
pub async fn submit_review(
    id: ReviewId,
    revision: u32,
    verdict: Verdict,
    message: String,
) -> Result<(), Fault> {
    store()
        .submit_review(&me().await?, id, revision, verdict, &message)
        .await
        .map_err(fault)
}

/// Applies a suggestion as a new revision of the draft; Admins and Collaborators.
#[server(prefix = "/api", endpoint = "apply_suggestion", input = Json)]
pub async fn apply_suggestion(comment: CommentId, expected: u32) -> Result<u32, Fault> {
    store()
        .apply_suggestion(&me().await?, comment, expected)
        .await
        .map_err(fault)
}

/// Ticks a part of the change as viewed, with the digest of what was seen, or takes the tick back.
#[server(prefix = "/api", endpoint = "set_viewed", input = Json)]
pub async fn set_viewed(id: ReviewId, target: String, digest: Option<String>) -> Result<(), Fault> {
    store()
        .set_viewed(&me().await?, id, &target, digest.as_deref())
        .await
        .map_err(fault)
}

/// Notes that the reader looked at a revision.
#[server(prefix = "/api", endpoint = "looked_at_review", input = Json)]
pub async fn looked_at_review(id: ReviewId, revision: u32) -> Result<(), Fault> {
    store()
        .looked_at_review(&me().await?, id, revision)
        .await
        .map_err(fault)
}

/// Returns what waits for the reader, and what happened.
#[server(prefix = "/api", endpoint = "inbox", input = Json)]
pub async fn inbox() -> Result<review::Inbox, Fault> {
    store().inbox(&me().await?).await.map_err(fault)
}

/// Returns how many notifications the reader has not seen.
#[server(prefix = "/api", endpoint = "unread_notifications", input = Json)]
pub async fn unread_notifications() -> Result<u32, Fault> {
    store()
        .unread_notifications(&me().await?)
        .await
        .map_err(fault)
}

/// Marks notifications as seen; all of them when none is named.
#[server(prefix = "/api", endpoint = "read_notifications", input = Json)]
pub async fn read_notifications(ids: Vec<NotificationId>) -> Result<(), Fault> {
    store()
        .read_notifications(&me().await?, &ids)
        .await
        .map_err(fault)
}

/// Returns the review policy and the owners; every member may.
#[server(prefix = "/api", endpoint = "policy_settings", input = Json)]
pub async fn policy_settings() -> Result<policy::PolicySettings, Fault> {
    store().policy_settings(&me().await?).await.map_err(fault)
}

/// Sets the policy of the organization, or of one integration (`None` gives it back the
/// organization's); Admins.
#[server(prefix = "/api", endpoint = "set_policy", input = Json)]
pub async fn set_policy(
    integration: Option<IntegrationId>,
    policy: Option<Policy>,
) -> Result<(), Fault> {
    store()
        .set_policy(&me().await?, integration, policy)
        .await
        .map_err(fault)
}

/// Sets who owns something; nobody when the list is empty. Admins.
#[server(prefix = "/api", endpoint = "set_owners", input = Json)]
pub async fn set_owners(
    scope: OwnerScope,
    owners: Vec<AccountId>,
) -> Result<Vec<OwnerRule>, Fault> {
    store()
        .set_owners(&me().await?, scope, &owners)
        .await
        .map_err(fault)
}
