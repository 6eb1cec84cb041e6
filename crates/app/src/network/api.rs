//! Server functions: which private addresses requests may reach.
#![expect(
    missing_docs,
    reason = "the fields of the structs that #[server] makes are the functions' arguments"
)]

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::fault::Fault;

#[cfg(feature = "ssr")]
use crate::caller::{fault, me, store};

/// Returns the private ranges and hosts that requests may reach; every member may see them.
#[server(prefix = "/api", endpoint = "read_network", input = Json)]
pub async fn read_network() -> Result<Vec<String>, Fault> {
    Ok(store().network(&me().await?).await.map_err(fault)?.allowed)
}

/// Sets the private ranges and hosts that requests may reach; Admins only.
#[server(prefix = "/api", endpoint = "set_network", input = Json)]
pub async fn set_network(allowed: Vec<String>) -> Result<(), Fault> {
    store()
        .set_network(&me().await?, engine::port::Network { allowed })
        .await
        .map_err(fault)
}
