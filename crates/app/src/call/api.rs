//! Server functions: calls.
#![expect(
    missing_docs,
    reason = "the fields of the structs that #[server] makes are the functions' arguments"
)]

use domain::IntegrationId;
use domain::call::{Caller, Choice};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::fault::Fault;

#[cfg(feature = "ssr")]
use crate::caller::{fault, me, store};

/// Returns all integrations with whether they can be called now; every member may.
#[server(prefix = "/api", endpoint = "callable", input = Json)]
pub async fn callable() -> Result<Vec<Choice>, Fault> {
    store().callable(&me().await?).await.map_err(fault)
}

/// Returns what calls an integration; every member may.
#[server(prefix = "/api", endpoint = "callers", input = Json)]
pub async fn callers(id: IntegrationId) -> Result<Vec<Caller>, Fault> {
    store().callers(&me().await?, id).await.map_err(fault)
}
