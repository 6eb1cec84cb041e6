//! The demo organization: clearly marked, made at the first start with `--demo`, so that every
//! button does something real without any other system.
//!
//! Its integrations are built from the same edits, published by the same verbs and run by the
//! same worker as anyone's; they call the small [`service`] that runs beside them.

mod integrations;
mod review;
mod service;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use domain::account::{Me, Role};
use domain::draft::Save;
use domain::{Document, DraftId};
use serde_json::Value;
use store::{NewOrganization, Refusal, Store};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::signal::Stop;
use integrations::Recipe;

/// The password of all demo members. It is public: `--demo` is for looking around on one's own
/// machine.
pub const PASSWORD: &str = "look-around-freely";
/// With what the demo's Admin signs in.
pub const ADMIN: &str = "admin@demo.example";
const COLLABORATOR: &str = "collaborator@demo.example";
const READER: &str = "reader@demo.example";

/// Starts the demo's services on a loopback port of their own, the same at every start of a data
/// directory where that port is free; returns their address.
///
/// # Errors
/// When no port can be had.
pub async fn start_service(data_dir: &Path, stop: Stop) -> std::io::Result<SocketAddr> {
    let memory = data_dir.join("demo-port");
    let before = tokio::fs::read_to_string(&memory).await.ok();
    let before = before
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0);
    let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, before)).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
    };
    let address = listener.local_addr()?;
    if before != 0 && before != address.port() {
        tracing::warn!(
            port = before,
            "the demo services' port is taken; published demo integrations still call it"
        );
    } else {
        tokio::fs::create_dir_all(data_dir).await?;
        tokio::fs::write(&memory, address.port().to_string()).await?;
    }
    tokio::spawn(crate::listen::serve(listener, service::router(), stop));
    Ok(address)
}

/// Makes the demo organization where it is missing; returns the paths of the webhooks to call for
/// its first runs, with what to send. Empty when the organization is there already.
///
/// # Errors
/// When the database refuses something, which is a bug of ours.
pub async fn make(
    store: &Store,
    service: SocketAddr,
) -> Result<Vec<(String, Value)>, store::Error> {
    let created = store
        .create_organization(NewOrganization {
            name: "Demo organization".to_owned(),
            is_demo: true,
            admin_name: "Demo Admin".to_owned(),
            email: ADMIN.to_owned(),
            password: PASSWORD.to_owned(),
        })
        .await;
    let admin = match created {
        Ok(admin) => admin,
        Err(store::Error::Refused(Refusal::EmailTaken)) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    tracing::info!("making the demo organization");
    let people = People {
        collaborator: join(
            store,
            &admin,
            Role::Collaborator,
            "Demo Collaborator",
            COLLABORATOR,
        )
        .await?,
        reader: join(store, &admin, Role::Reader, "Demo Reader", READER).await?,
        admin,
    };
    let allowed = vec!["127.0.0.0/8".to_owned()];
    store.set_network(&people.admin, allowed).await?;
    let mut calls = Vec::new();
    for recipe in integrations::all(&format!("http://{service}")) {
        let path = publish(store, &people, &recipe).await?;
        let path = path.into_iter().flat_map(|path| {
            recipe
                .examples
                .iter()
                .map(move |example| (path.clone(), example.clone()))
        });
        calls.extend(path);
    }
    Ok(calls)
}

/// The members of the demo organization.
struct People {
    admin: Me,
    collaborator: Me,
    reader: Me,
}

async fn join(
    store: &Store,
    admin: &Me,
    role: Role,
    name: &str,
    email: &str,
) -> Result<Me, store::Error> {
    let (_, token) = store.invite(admin, role).await?;
    let session = store
        .accept_invitation(&token, name, email, PASSWORD)
        .await?;
    let me = store.who(&session).await?;
    Ok(me.ok_or(Refusal::SessionEnded)?)
}

/// Creates, publishes after a review and, where the recipe says so, begins the next draft of an
/// integration, with a review that is open; returns the path of its webhook.
async fn publish(
    store: &Store,
    people: &People,
    recipe: &Recipe,
) -> Result<Option<String>, store::Error> {
    let me = &people.admin;
    let empty = Document::new(recipe.trigger);
    let draft = store
        .create_integration(me, recipe.name, "First version", empty)
        .await?;
    let revision = save(store, me, draft, 1, recipe.edits.clone()).await?;
    review::approved(store, people, draft, revision).await?;
    let note = "Made for the demo.".to_owned();
    store.publish(me, draft, revision, note, None).await?;
    let integrations = store.integrations(me).await?;
    let Some(summary) = integrations
        .iter()
        .find(|summary| summary.name == recipe.name)
    else {
        return Ok(None);
    };
    if let Some((title, edits)) = &recipe.next {
        let draft = store.start_draft(me, summary.id, title).await?;
        save(store, me, draft, 1, edits.clone()).await?;
        review::open(store, people, draft, title).await?;
    }
    Ok(store.integration(me, summary.id).await?.webhook_path)
}

async fn save(
    store: &Store,
    me: &Me,
    draft: DraftId,
    expected: u32,
    edits: Vec<domain::edit::Edit>,
) -> Result<u32, store::Error> {
    let save = Save {
        id: Uuid::now_v7(),
        expected,
        edits,
    };
    match store.save_draft(me, draft, save).await? {
        domain::draft::SaveOutcome::Saved { revision }
        | domain::draft::SaveOutcome::Stale { revision, .. } => Ok(revision),
    }
}

/// Calls the demo's webhooks from outside, as another system would, so that there are runs to
/// look at.
pub async fn call(server: SocketAddr, calls: Vec<(String, Value)>) {
    for (path, payload) in calls {
        match crate::own_call::post_json(server, &path, &payload, Duration::from_secs(40)).await {
            Ok(status) => tracing::debug!(status, "a demo webhook answered"),
            Err(error) => tracing::warn!(%error, "a demo webhook could not be called"),
        }
    }
}

/// Returns the lines that tell how to look around.
pub fn greeting() -> String {
    let line = |email| format!("Demo: sign in as {email} with the password {PASSWORD}\n");
    [ADMIN, COLLABORATOR, READER].map(line).concat()
}
