//! Server functions: whether one is told by e-mail that integrations fail.
#![expect(
    missing_docs,
    reason = "the fields of the structs that #[server] makes are the functions' arguments"
)]

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::fault::Fault;

#[cfg(feature = "ssr")]
use crate::caller::{fault, me, store};

/// Returns whether the caller is told when integrations begin to fail, and recover.
#[server(prefix = "/api", endpoint = "wants_alerts", input = Json)]
pub async fn wants_alerts() -> Result<bool, Fault> {
    store().wants_alerts(&me().await?).await.map_err(fault)
}

/// Says whether the caller is to be told when integrations begin to fail, and recover.
#[server(prefix = "/api", endpoint = "set_wants_alerts", input = Json)]
pub async fn set_wants_alerts(wants: bool) -> Result<(), Fault> {
    store()
        .set_wants_alerts(&me().await?, wants)
        .await
        .map_err(fault)
}
