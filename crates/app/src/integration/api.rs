//! Server functions: integrations of an organization.
#![expect(
    missing_docs,
    reason = "the fields of the structs that #[server] makes are the functions' arguments"
)]

use domain::integration::{IntegrationDetail, IntegrationSummary};
use domain::signing::SigningSecret;
use domain::{Document, DraftId, IntegrationId, RunId, SigningSecretId, Timestamp};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use serde_json::Value;

use crate::fault::Fault;

#[cfg(feature = "ssr")]
use crate::caller::{fault, me, store};

/// Lists the integrations; every member may.
#[server(prefix = "/api", endpoint = "integrations", input = Json)]
pub async fn integrations() -> Result<Vec<IntegrationSummary>, Fault> {
    store().integrations(&me().await?).await.map_err(fault)
}

/// Returns one integration with its drafts and versions; every member may.
#[server(prefix = "/api", endpoint = "read_integration", input = Json)]
pub async fn read_integration(id: IntegrationId) -> Result<IntegrationDetail, Fault> {
    store().integration(&me().await?, id).await.map_err(fault)
}

/// Creates an integration with its first draft; Admins and Collaborators.
#[server(prefix = "/api", endpoint = "create_integration", input = Json)]
pub async fn create_integration(name: String, document: Document) -> Result<DraftId, Fault> {
    store()
        .create_integration(&me().await?, &name, "First version", document)
        .await
        .map_err(fault)
}

/// Renames an integration; Admins and Collaborators.
#[server(prefix = "/api", endpoint = "rename_integration", input = Json)]
pub async fn rename_integration(id: IntegrationId, name: String) -> Result<(), Fault> {
    store()
        .rename_integration(&me().await?, id, &name)
        .await
        .map_err(fault)
}

/// Enables or disables an integration's triggers; Admins and Collaborators.
#[server(prefix = "/api", endpoint = "set_enabled", input = Json)]
pub async fn set_enabled(id: IntegrationId, enabled: bool) -> Result<(), Fault> {
    store()
        .set_enabled(&me().await?, id, enabled)
        .await
        .map_err(fault)
}

/// Sets how many runs of an integration go on at once, `None` for no limit; Admins and
/// Collaborators.
#[server(prefix = "/api", endpoint = "set_at_once", input = Json)]
pub async fn set_at_once(id: IntegrationId, at_once: Option<u32>) -> Result<(), Fault> {
    store()
        .set_at_once(&me().await?, id, at_once)
        .await
        .map_err(fault)
}

/// Pauses an integration or lets it go on; Admins and Collaborators.
#[server(prefix = "/api", endpoint = "set_paused", input = Json)]
pub async fn set_paused(id: IntegrationId, paused: bool) -> Result<(), Fault> {
    store()
        .set_paused(&me().await?, id, paused)
        .await
        .map_err(fault)
}

/// Starts the live version of an integration with a manual trigger; Admins and Collaborators.
#[server(prefix = "/api", endpoint = "start_manual", input = Json)]
pub async fn start_manual(id: IntegrationId, payload: Value) -> Result<RunId, Fault> {
    store()
        .start_manual(&me().await?, id, payload)
        .await
        .map_err(fault)
}

/// Returns the signing secrets of an integration without the secrets; every member may.
#[server(prefix = "/api", endpoint = "signing_secrets", input = Json)]
pub async fn signing_secrets(id: IntegrationId) -> Result<Vec<SigningSecret>, Fault> {
    store()
        .signing_secrets(&me().await?, id)
        .await
        .map_err(fault)
}

/// Keeps a signing secret: the `given` one, or a new one, which is returned this once; Admins
/// only.
#[server(prefix = "/api", endpoint = "keep_signing_secret", input = Json)]
pub async fn keep_signing_secret(
    id: IntegrationId,
    given: Option<String>,
) -> Result<Option<String>, Fault> {
    let made = store()
        .keep_signing_secret(&me().await?, id, given.as_deref())
        .await
        .map_err(fault)?;
    Ok(made.map(|made| made.as_str().to_owned()))
}

/// Removes a signing secret; Admins only.
#[server(prefix = "/api", endpoint = "remove_signing_secret", input = Json)]
pub async fn remove_signing_secret(
    id: IntegrationId,
    secret: SigningSecretId,
) -> Result<(), Fault> {
    store()
        .remove_signing_secret(&me().await?, id, secret)
        .await
        .map_err(fault)
}

/// Returns the next five times at which a schedule would fire.
#[server(prefix = "/api", endpoint = "next_fires", input = Json)]
pub async fn next_fires(cron: String, time_zone: String) -> Result<Vec<Timestamp>, Fault> {
    me().await?;
    let now = store().now().await.map_err(fault)?;
    Ok(engine::schedule::next_fires(&cron, &time_zone, now, 5))
}
