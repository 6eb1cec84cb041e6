//! Server functions: connections. None of them ever returns a secret.
#![expect(
    missing_docs,
    reason = "the fields of the structs that #[server] makes are the functions' arguments"
)]

use domain::ConnectionId;
use domain::connection::{Connection, Form, Use};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::fault::Fault;

#[cfg(feature = "ssr")]
use crate::caller::{fault, me, store};

/// Returns the connections; to Readers their names only.
#[server(prefix = "/api", endpoint = "connections", input = Json)]
pub async fn connections() -> Result<Vec<Connection>, Fault> {
    store().connections(&me().await?).await.map_err(fault)
}

/// Returns where connections are used.
#[server(prefix = "/api", endpoint = "connection_uses", input = Json)]
pub async fn connection_uses() -> Result<Vec<Use>, Fault> {
    store().connection_uses(&me().await?).await.map_err(fault)
}

/// Keeps a new connection; Admins only.
#[server(prefix = "/api", endpoint = "create_connection", input = Json)]
pub async fn create_connection(form: Form) -> Result<ConnectionId, Fault> {
    let created = store().create_connection(&me().await?, &form).await;
    created.map_err(fault)
}

/// Changes a connection; Admins only.
#[server(prefix = "/api", endpoint = "change_connection", input = Json)]
pub async fn change_connection(id: ConnectionId, form: Form) -> Result<(), Fault> {
    let changed = store().change_connection(&me().await?, id, &form).await;
    changed.map_err(fault)
}

/// Deletes a connection that nothing uses; Admins only.
#[server(prefix = "/api", endpoint = "delete_connection", input = Json)]
pub async fn delete_connection(id: ConnectionId) -> Result<(), Fault> {
    let deleted = store().delete_connection(&me().await?, id).await;
    deleted.map_err(fault)
}

/// Sends a `GET` with a connection to a path of one of its origins. Returns the status of the
/// answer, or why there is none.
#[server(prefix = "/api", endpoint = "try_connection", input = Json)]
pub async fn try_connection(
    id: ConnectionId,
    is_test: bool,
    origin: String,
    path: String,
) -> Result<Result<u16, String>, Fault> {
    let opened = store()
        .connection_to_test(&me().await?, id, is_test, (&origin, &path))
        .await;
    let (credentials, network, url) = opened.map_err(fault)?;
    let now = store().now().await.map_err(fault)?;
    Ok(engine::port::try_out(&network, credentials, &url, now).await)
}
