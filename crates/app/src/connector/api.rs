//! Server functions: connectors.
#![expect(
    missing_docs,
    reason = "the fields of the structs that #[server] makes are the functions' arguments"
)]

use std::collections::BTreeSet;

use domain::connector::{Declared, Page, Preview, Shelf, Source, Summary, Use};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::fault::Fault;

#[cfg(feature = "ssr")]
use crate::caller::{fault, me, store};

/// Returns the connectors.
#[server(prefix = "/api", endpoint = "connectors", input = Json)]
pub async fn connectors() -> Result<Vec<Summary>, Fault> {
    store().connectors(&me().await?).await.map_err(fault)
}

/// Returns the connectors that come with Sluice: key, title and description; Admins only.
#[server(prefix = "/api", endpoint = "our_connectors", input = Json)]
pub async fn our_connectors() -> Result<Vec<(String, String, String)>, Fault> {
    store().our_connectors(&me().await?).await.map_err(fault)
}

/// Returns a connector with its actions.
#[server(prefix = "/api", endpoint = "read_connector", input = Json)]
pub async fn read_connector(key: String) -> Result<Page, Fault> {
    store().connector(&me().await?, &key).await.map_err(fault)
}

/// Returns the actions of all connectors, for choosing one.
#[server(prefix = "/api", endpoint = "connector_actions", input = Json)]
pub async fn connector_actions() -> Result<Vec<Shelf>, Fault> {
    store().connector_actions(&me().await?).await.map_err(fault)
}

/// Returns what connectors declare now of actions, each by key of the connector and of the action.
#[server(prefix = "/api", endpoint = "declarations", input = Json)]
pub async fn declarations(wanted: Vec<(String, String)>) -> Result<Vec<Option<Declared>>, Fault> {
    let declared = store().declarations(&me().await?, &wanted).await;
    declared.map_err(fault)
}

/// Returns which of some components are not there, by the hash of their module.
#[server(prefix = "/api", endpoint = "lacking_components", input = Json)]
pub async fn lacking_components(hashes: Vec<String>) -> Result<BTreeSet<String>, Fault> {
    let lacking = store().lacking_components(&me().await?, hashes).await;
    lacking.map_err(fault)
}

/// Returns where a connector is used.
#[server(prefix = "/api", endpoint = "connector_uses", input = Json)]
pub async fn connector_uses(key: String) -> Result<Vec<Use>, Fault> {
    let uses = store().connector_uses(&me().await?, &key).await;
    uses.map_err(fault)
}

/// Returns what would come of an import; Admins only.
#[server(prefix = "/api", endpoint = "preview_connector", input = Json)]
pub async fn preview_connector(source: Source, base: Option<String>) -> Result<Preview, Fault> {
    let preview = store().preview_connector(&me().await?, source, base).await;
    preview.map_err(fault)
}

/// Imports what was shown; Admins only. Returns the connector's key.
#[server(prefix = "/api", endpoint = "import_connector", input = Json)]
pub async fn import_connector(
    source: Source,
    base: Option<String>,
    digest: String,
) -> Result<String, Fault> {
    let imported = store()
        .import_connector(&me().await?, source, base, &digest)
        .await;
    imported.map_err(fault)
}

/// Deletes a connector; Admins only.
#[server(prefix = "/api", endpoint = "delete_connector", input = Json)]
pub async fn delete_connector(key: String) -> Result<(), Fault> {
    let deleted = store().delete_connector(&me().await?, &key).await;
    deleted.map_err(fault)
}
