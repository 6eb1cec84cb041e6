//! Server functions: how long runs are kept.
#![expect(
    missing_docs,
    reason = "the fields of the structs that #[server] makes are the functions' arguments"
)]

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::fault::Fault;

#[cfg(feature = "ssr")]
use crate::caller::{fault, me, store};

/// Returns for how many days runs are kept once they are over; every member may see it.
#[server(prefix = "/api", endpoint = "read_retention", input = Json)]
pub async fn read_retention() -> Result<u32, Fault> {
    store().retention(&me().await?).await.map_err(fault)
}

/// Sets for how many days runs are kept once they are over; Admins only.
#[server(prefix = "/api", endpoint = "set_retention", input = Json)]
pub async fn set_retention(days: u32) -> Result<(), Fault> {
    store()
        .set_retention(&me().await?, days)
        .await
        .map_err(fault)
}
