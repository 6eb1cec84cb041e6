//! Server functions: polling.
#![expect(
    missing_docs,
    reason = "the fields of the structs that #[server] makes are the functions' arguments"
)]

use domain::poll::Restart;
use domain::{DraftId, IntegrationId};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::fault::Fault;

#[cfg(feature = "ssr")]
use crate::caller::{fault, me, store};

/// Lets the polling of an integration begin anew; Admins and Collaborators.
#[server(prefix = "/api", endpoint = "restart_poll", input = Json)]
pub async fn restart_poll(id: IntegrationId, from: Restart) -> Result<(), Fault> {
    store()
        .restart_poll(&me().await?, id, from)
        .await
        .map_err(fault)
}

/// Polls once for a draft, and keeps the first items as test events; Admins and Collaborators.
/// Returns how many items the list has, or why there is none.
#[server(prefix = "/api", endpoint = "poll_once", input = Json)]
pub async fn poll_once(id: DraftId) -> Result<Result<usize, String>, Fault> {
    let (me, store) = (me().await?, store());
    let ask = async |refused| {
        let (poll, credentials, network) = store.poll_to_try(&me, id, refused).await?;
        let now = store.now().await?;
        Ok(engine::poll::once(store.clients(), &network, &poll, credentials, now).await)
    };
    let answer = match ask(None).await.map_err(fault)? {
        // Once more, with another token.
        Err(unanswered) if unanswered.refused.is_some() => {
            ask(unanswered.refused).await.map_err(fault)?
        }
        answer => answer,
    };
    match answer {
        Ok(found) => {
            let kept = store.catch_items(&me, id, &found.items).await;
            kept.map(|()| Ok(found.items.len())).map_err(fault)
        }
        Err(unanswered) => Ok(Err(unanswered.message)),
    }
}
