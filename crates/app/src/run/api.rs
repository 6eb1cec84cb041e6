//! Server functions: runs.
#![expect(
    missing_docs,
    reason = "the fields of the structs that #[server] makes are the functions' arguments"
)]

use domain::run::{ResumeOn, Resumed, RunDetail, RunState, RunSummary};
use domain::{IntegrationId, RunId};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::fault::Fault;

#[cfg(feature = "ssr")]
use crate::caller::{fault, me, store};

/// Lists live runs, newest first, 50 at a time; `before` is the last run of the page before.
#[server(prefix = "/api", endpoint = "runs", input = Json)]
pub async fn runs(
    integration: Option<IntegrationId>,
    state: Option<RunState>,
    before: Option<RunId>,
) -> Result<Vec<RunSummary>, Fault> {
    let filter = store::RunFilter {
        integration,
        state,
        before,
    };
    store().runs(&me().await?, filter).await.map_err(fault)
}

/// Returns one run, live or test, with what each step did.
#[server(prefix = "/api", endpoint = "read_run", input = Json)]
pub async fn read_run(id: RunId) -> Result<RunDetail, Fault> {
    store().run(&me().await?, id).await.map_err(fault)
}

/// Ends a run that is not finished; Admins and Collaborators.
#[server(prefix = "/api", endpoint = "cancel_run", input = Json)]
pub async fn cancel_run(id: RunId) -> Result<(), Fault> {
    store().cancel_run(&me().await?, id).await.map_err(fault)
}

/// Goes on with a run that is over and did not succeed, at the step at which it ended; Admins and
/// Collaborators.
#[server(prefix = "/api", endpoint = "resume_run", input = Json)]
pub async fn resume_run(id: RunId, on: ResumeOn) -> Result<(), Fault> {
    store()
        .resume_run(&me().await?, id, on)
        .await
        .map_err(fault)
}

/// Goes on with up to 100 runs that are over and did not succeed, oldest first; `after` is the
/// last of those before; Admins and Collaborators.
#[server(prefix = "/api", endpoint = "resume_runs", input = Json)]
pub async fn resume_runs(
    integration: Option<IntegrationId>,
    state: Option<RunState>,
    after: Option<RunId>,
    on: ResumeOn,
) -> Result<Resumed, Fault> {
    let filter = store::RunFilter {
        integration,
        state,
        before: None,
    };
    let resumed = store().resume_runs(&me().await?, filter, after, on).await;
    resumed.map_err(fault)
}
