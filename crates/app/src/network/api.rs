//! Server functions: which private addresses requests may reach, what they keep to, and which hosts
//! are down.
#![expect(
    missing_docs,
    reason = "the fields of the structs that #[server] makes are the functions' arguments"
)]

use domain::network::{Down, Rules};
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
    let set = store().set_network(&me().await?, allowed).await;
    set.map_err(fault)
}

/// Returns what all requests keep to; every member may see it.
#[server(prefix = "/api", endpoint = "read_outgoing", input = Json)]
pub async fn read_outgoing() -> Result<Rules, Fault> {
    Ok(store().network(&me().await?).await.map_err(fault)?.rules)
}

/// Sets what all requests keep to; Admins only.
#[server(prefix = "/api", endpoint = "set_outgoing", input = Json)]
pub async fn set_outgoing(rules: Rules) -> Result<(), Fault> {
    let set = store().set_outgoing(&me().await?, rules).await;
    set.map_err(fault)
}

/// Returns the hosts that are down, the latest first; every member may see them.
#[server(prefix = "/api", endpoint = "hosts_down", input = Json)]
pub async fn hosts_down() -> Result<Vec<Down>, Fault> {
    store().hosts_down(&me().await?).await.map_err(fault)
}
