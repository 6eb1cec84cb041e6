//! Server functions: connections. None of them ever returns a secret.
#![expect(
    missing_docs,
    reason = "the fields of the structs that #[server] makes are the functions' arguments"
)]

use domain::ConnectionId;
use domain::connection::{Answer, Connection, Form, Use};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::fault::Fault;

#[cfg(feature = "ssr")]
use crate::caller::{address, fault, me, store, token};
/// Where providers of tokens send people back to: one path for all connections.
pub(super) const BACK: &str = "/oauth/callback";

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

/// Tries a connection out: sends a `GET` to a path of one of its origins, and returns the status of
/// the answer; or logs in to its server, and returns `None`; or why neither came about.
#[server(prefix = "/api", endpoint = "try_connection", input = Json)]
pub async fn try_connection(
    id: ConnectionId,
    is_test: bool,
    origin: String,
    path: String,
) -> Result<Result<Option<u16>, String>, Fault> {
    let me = me().await?;
    let mut refused = None;
    loop {
        let opened = store()
            .connection_to_test(&me, id, is_test, (&origin, &path), refused)
            .await;
        let (credentials, network, url) = opened.map_err(fault)?;
        let now = store().now().await.map_err(fault)?;
        let issue = credentials.issue();
        let answer =
            engine::port::try_out(store().clients(), &network, credentials, &url, now).await;
        // As in a run: a token that is not taken is exchanged once.
        if answer != Ok(Some(401)) || issue.is_none() || refused.is_some() {
            return Ok(answer);
        }
        refused = issue;
    }
}

/// Begins to connect; Admins only. Returns the address of the provider at which someone consents,
/// none where nobody has to.
#[server(prefix = "/api", endpoint = "connect_connection", input = Json)]
pub async fn connect_connection(id: ConnectionId, is_test: bool) -> Result<Option<String>, Fault> {
    let (me, session) = (me().await?, token().ok_or(Fault::SignedOut)?);
    let back = address(BACK);
    let asked = store()
        .connect_connection(&me, &session, id, is_test, &back)
        .await;
    asked.map_err(fault)
}

/// Takes what a provider sent someone back with; Admins only, once, in the session that asked.
/// Returns what the connection is called.
#[server(prefix = "/api", endpoint = "finish_consent", input = Json)]
pub async fn finish_consent(answer: Answer) -> Result<String, Fault> {
    let (me, session) = (me().await?, token().ok_or(Fault::SignedOut)?);
    let finished = store().finish_consent(&me, &session, &answer).await;
    finished.map_err(fault)
}
