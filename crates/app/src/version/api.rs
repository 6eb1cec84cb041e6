//! Server functions: published versions.
#![expect(
    missing_docs,
    reason = "the fields of the structs that #[server] makes are the functions' arguments"
)]

use domain::integration::{Version, VersionSummary};
use domain::{DraftId, IntegrationId};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::fault::Fault;

#[cfg(feature = "ssr")]
use crate::caller::{fault, me, store};

/// Returns a version with its content; every member may.
#[server(prefix = "/api", endpoint = "read_version", input = Json)]
pub async fn read_version(integration: IntegrationId, number: u32) -> Result<Version, Fault> {
    store()
        .version(&me().await?, integration, number)
        .await
        .map_err(fault)
}

/// Starts a draft that puts an old version back, based on what is live; Admins and Collaborators.
#[server(prefix = "/api", endpoint = "roll_back_draft", input = Json)]
pub async fn roll_back_draft(integration: IntegrationId, number: u32) -> Result<DraftId, Fault> {
    store()
        .roll_back_draft(&me().await?, integration, number)
        .await
        .map_err(fault)
}

/// Makes a new version out of an old one and puts it live at once, with the reason on record;
/// Admins and Collaborators. `live` is the number that is live as far as the caller knows.
#[server(prefix = "/api", endpoint = "roll_back", input = Json)]
pub async fn roll_back(
    integration: IntegrationId,
    number: u32,
    live: u32,
    reason: String,
) -> Result<VersionSummary, Fault> {
    store()
        .roll_back(&me().await?, integration, number, live, &reason)
        .await
        .map_err(fault)
}
