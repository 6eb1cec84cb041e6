//! Server functions: members and invitations of an organization.
#![expect(
    missing_docs,
    reason = "the fields of the structs that #[server] makes are the functions' arguments"
)]

use domain::account::{Invitation, Member, Role};
use domain::{AccountId, InvitationId};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::fault::Fault;

#[cfg(feature = "ssr")]
use crate::caller::{fault, me, store};

/// Lists the members; every member may.
#[server(prefix = "/api", endpoint = "members", input = Json)]
pub async fn members() -> Result<Vec<Member>, Fault> {
    store().members(&me().await?).await.map_err(fault)
}

/// Changes a member's role; Admins only. The last Admin stays one.
#[server(prefix = "/api", endpoint = "set_role", input = Json)]
pub async fn set_role(account: AccountId, role: Role) -> Result<(), Fault> {
    store()
        .set_role(&me().await?, account, role)
        .await
        .map_err(fault)
}

/// Removes a member, whose sessions end at once; Admins only.
#[server(prefix = "/api", endpoint = "remove_member", input = Json)]
pub async fn remove_member(account: AccountId) -> Result<(), Fault> {
    store()
        .remove_member(&me().await?, account)
        .await
        .map_err(fault)
}

/// Lists the invitations that nobody has taken yet; Admins only.
#[server(prefix = "/api", endpoint = "invitations", input = Json)]
pub async fn invitations() -> Result<Vec<Invitation>, Fault> {
    store().invitations(&me().await?).await.map_err(fault)
}

/// Makes an invitation and returns the secret part of its link, which is shown once; Admins only.
#[server(prefix = "/api", endpoint = "invite", input = Json)]
pub async fn invite(role: Role) -> Result<String, Fault> {
    let (_, token) = store().invite(&me().await?, role).await.map_err(fault)?;
    Ok(token)
}

/// Takes an invitation back; Admins only.
#[server(prefix = "/api", endpoint = "withdraw_invitation", input = Json)]
pub async fn withdraw_invitation(invitation: InvitationId) -> Result<(), Fault> {
    store()
        .withdraw_invitation(&me().await?, invitation)
        .await
        .map_err(fault)
}
