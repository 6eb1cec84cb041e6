//! Server functions: drafts, their saves, tests and publishing.
#![expect(
    missing_docs,
    reason = "the fields of the structs that #[server] makes are the functions' arguments"
)]

use domain::draft::{self, CaughtEvent, Draft, Save, SaveOutcome};
use domain::integration::VersionSummary;
use domain::merge::{Choice, ConflictKey};
use domain::run::{RunDetail, RunSummary, TestScope};
use domain::{AccountId, DraftId, IntegrationId, RunId, StepId};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde_json::Value;

use crate::fault::Fault;

#[cfg(feature = "ssr")]
use crate::caller::{fault, me, me_as, store};

/// Returns a draft with its content; every member may.
#[server(prefix = "/api", endpoint = "read_draft", input = Json)]
pub async fn read_draft(id: DraftId) -> Result<Draft, Fault> {
    store().draft(&me().await?, id).await.map_err(fault)
}

/// Starts a draft from what is live; Admins and Collaborators.
#[server(prefix = "/api", endpoint = "start_draft", input = Json)]
pub async fn start_draft(integration: IntegrationId, title: String) -> Result<DraftId, Fault> {
    store()
        .start_draft(&me().await?, integration, &title)
        .await
        .map_err(fault)
}

/// Saves edits made on a revision; Admins and Collaborators.
///
/// `by` is whose page the edits were made in: nobody else who has signed in since saves them.
#[server(prefix = "/api", endpoint = "save_draft", input = Json)]
pub async fn save_draft(
    id: DraftId,
    by: Option<AccountId>,
    save: Save,
) -> Result<SaveOutcome, Fault> {
    store()
        .save_draft(&me_as(by).await?, id, save)
        .await
        .map_err(fault)
}

/// Changes a draft's title; Admins and Collaborators.
#[server(prefix = "/api", endpoint = "rename_draft", input = Json)]
pub async fn rename_draft(id: DraftId, title: String) -> Result<(), Fault> {
    store()
        .rename_draft(&me().await?, id, &title)
        .await
        .map_err(fault)
}

/// Throws a draft away; Admins and Collaborators. What was live stays live.
#[server(prefix = "/api", endpoint = "discard_draft", input = Json)]
pub async fn discard_draft(id: DraftId) -> Result<(), Fault> {
    store().discard_draft(&me().await?, id).await.map_err(fault)
}

/// Returns the test events caught at the draft's own address, newest first.
#[server(prefix = "/api", endpoint = "caught_events", input = Json)]
pub async fn caught_events(id: DraftId) -> Result<Vec<CaughtEvent>, Fault> {
    store().caught(&me().await?, id).await.map_err(fault)
}

/// Starts a test of a draft's revision; Admins and Collaborators.
#[server(prefix = "/api", endpoint = "start_test", input = Json)]
pub async fn start_test(
    id: DraftId,
    revision: u32,
    payload: Value,
    scope: TestScope,
) -> Result<RunId, Fault> {
    store()
        .start_test(&me().await?, id, revision, payload, scope)
        .await
        .map_err(fault)
}

/// Returns the newest test of a draft.
#[server(prefix = "/api", endpoint = "latest_test", input = Json)]
pub async fn latest_test(id: DraftId) -> Result<Option<RunDetail>, Fault> {
    store().latest_test(&me().await?, id).await.map_err(fault)
}

/// Returns the newest tests of a draft, newest first, 20 at most; every member may.
#[server(prefix = "/api", endpoint = "tests", input = Json)]
pub async fn tests(id: DraftId) -> Result<Vec<RunSummary>, Fault> {
    store().tests(&me().await?, id).await.map_err(fault)
}

/// Returns the pinned outputs of a draft; every member may.
#[server(prefix = "/api", endpoint = "pins", input = Json)]
pub async fn pins(id: DraftId) -> Result<Vec<draft::Pin>, Fault> {
    store().pins(&me().await?, id).await.map_err(fault)
}

/// Pins an output that tests use instead of running the step, or takes the pin off with `None`;
/// Admins and Collaborators.
#[server(prefix = "/api", endpoint = "pin", input = Json)]
pub async fn pin(id: DraftId, step: StepId, output: Option<Value>) -> Result<(), Fault> {
    store()
        .pin(&me().await?, id, step, output)
        .await
        .map_err(fault)
}

/// Returns what must be true before the draft is published, each rule with its state; every
/// member may.
#[server(prefix = "/api", endpoint = "publish_plan", input = Json)]
pub async fn publish_plan(id: DraftId) -> Result<draft::PublishPlan, Fault> {
    store().publish_plan(&me().await?, id).await.map_err(fault)
}

/// Publishes a draft's revision, which replaces what is live; Admins and Collaborators.
///
/// `reason` publishes although the review policy holds the draft back; who may is up to the policy.
#[server(prefix = "/api", endpoint = "publish", input = Json)]
pub async fn publish(
    id: DraftId,
    revision: u32,
    note: String,
    reason: Option<String>,
) -> Result<VersionSummary, Fault> {
    store()
        .publish(&me().await?, id, revision, note, reason)
        .await
        .map_err(fault)
}

/// Returns the three documents of a merge into a draft: of what is live, or of the draft `from`;
/// every member may.
#[server(prefix = "/api", endpoint = "merge_basis", input = Json)]
pub async fn merge_basis(id: DraftId, from: Option<DraftId>) -> Result<draft::MergeBasis, Fault> {
    store()
        .merge_basis(&me().await?, id, from)
        .await
        .map_err(fault)
}

/// Merges what is live into a draft as a new revision, conflicts decided by `choices`; Admins and
/// Collaborators. `live` is the version that was looked at.
#[server(prefix = "/api", endpoint = "bring_up_to_date", input = Json)]
pub async fn bring_up_to_date(
    id: DraftId,
    expected: u32,
    live: u32,
    choices: Vec<(ConflictKey, Choice)>,
) -> Result<u32, Fault> {
    store()
        .bring_up_to_date(&me().await?, id, expected, live, choices)
        .await
        .map_err(fault)
}

/// Merges another open draft of the same integration into a draft as a new revision, conflicts
/// decided by `choices`; Admins and Collaborators. Both revisions are the ones that were looked at.
#[server(prefix = "/api", endpoint = "bring_in", input = Json)]
pub async fn bring_in(
    id: DraftId,
    expected: u32,
    from: DraftId,
    from_revision: u32,
    choices: Vec<(ConflictKey, Choice)>,
) -> Result<u32, Fault> {
    store()
        .bring_in(&me().await?, id, expected, (from, from_revision), choices)
        .await
        .map_err(fault)
}
