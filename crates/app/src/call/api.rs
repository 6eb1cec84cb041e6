//! Server functions: calls.

use domain::call::Choice;
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
