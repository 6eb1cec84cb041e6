//! Server functions: setting up, signing in and out, invitations.
#![expect(
    missing_docs,
    reason = "the fields of the structs that #[server] makes are the functions' arguments"
)]

use domain::account::{InvitationOffer, Me};
use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::fault::Fault;

#[cfg(feature = "ssr")]
use crate::caller::{fault, me, set_session, store, token};

/// Creates the first organization and its Admin, and signs that person in. Works once.
#[server(prefix = "/api", endpoint = "set_up", input = Json)]
pub async fn set_up(
    organization: String,
    name: String,
    email: String,
    password: String,
) -> Result<(), Fault> {
    let token = store()
        .set_up(&organization, &name, &email, &password)
        .await
        .map_err(fault)?;
    set_session(Some(&token));
    Ok(())
}

/// Signs someone in.
#[server(prefix = "/api", endpoint = "sign_in", input = Json)]
pub async fn sign_in(email: String, password: String) -> Result<(), Fault> {
    let token = store().sign_in(&email, &password).await.map_err(fault)?;
    set_session(Some(&token));
    Ok(())
}

/// Ends the session of whoever calls; does nothing when there is none.
#[server(prefix = "/api", endpoint = "sign_out", input = Json)]
pub async fn sign_out() -> Result<(), Fault> {
    if let Some(token) = token() {
        store().sign_out(&token).await.map_err(fault)?;
    }
    set_session(None);
    Ok(())
}

/// Tells who is signed in.
#[server(prefix = "/api", endpoint = "who_am_i", input = Json)]
pub async fn who_am_i() -> Result<Me, Fault> {
    me().await
}

/// Tells what an invitation link offers; whoever has the link may ask.
#[server(prefix = "/api", endpoint = "read_invitation", input = Json)]
pub async fn read_invitation(token: String) -> Result<InvitationOffer, Fault> {
    store().invitation_offer(&token).await.map_err(fault)
}

/// Takes an invitation: makes the account, joins the organization, signs in.
#[server(prefix = "/api", endpoint = "accept_invitation", input = Json)]
pub async fn accept_invitation(
    token: String,
    name: String,
    email: String,
    password: String,
) -> Result<(), Fault> {
    let token = store()
        .accept_invitation(&token, &name, &email, &password)
        .await
        .map_err(fault)?;
    set_session(Some(&token));
    Ok(())
}
