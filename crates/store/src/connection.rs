//! The connections of an organization. Their secrets are written here, and opened only in
//! [`open`], to be sent.

mod authorization;
mod consent;
pub(crate) mod open;
pub(crate) mod token;

use std::collections::BTreeMap;

use domain::account::Me;
use domain::connection::{
    CONNECTIONS, Connection, Details, Form, Kept, Kind, Refusal, Secrets, Server, Use, check,
    misfit, named_in,
};
use domain::policy::{self, Act};
use domain::{ConnectionId, Document, DraftId, IntegrationId};
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

use authorization::{follow, settings, standings, stored};

use crate::vault::Place;
use crate::{Error, Result, Store, Tx, audit, organization, timestamp};

impl Store {
    /// Returns the connections of the organization, by name. Who may not use them is told their
    /// names only.
    ///
    /// # Errors
    /// When the database does not answer, or the session ended.
    pub async fn connections(&self, me: &Me) -> Result<Vec<Connection>> {
        let (mut tx, role) = self.enter(me).await?;
        policy::allow(role, Act::See)?;
        let may_use = policy::allow(role, Act::EditDraft).is_ok();
        let rows = sqlx::query!(
            r#"select connection_id, name, kind, names, origins, oauth, server, used_at, error,
                    changed_at,
                    exists (
                        select from connection_secret
                        where connection_secret.connection_id = connection.connection_id
                            and variant = 'test'
                    ) as "has_test!"
               from connection where organization_id = $1
               order by lower(name), connection_id"#,
            me.organization.0,
        )
        .fetch_all(&mut *tx)
        .await?;
        let mut standings = standings(&mut tx, me).await?;
        let mut connections = Vec::with_capacity(rows.len());
        for row in rows {
            let kind = kind(&row.kind)?;
            let stored = standings.remove(&row.connection_id).unwrap_or_default();
            let details = Details {
                kind,
                authorization: authorization::told(kind, row.oauth, stored)?,
                names: row.names,
                origins: row.origins,
                has_test: row.has_test,
                used_at: row.used_at.map(timestamp::read),
                error: row.error,
                changed_at: timestamp::read(row.changed_at),
                server: server(row.server)?,
            };
            connections.push(Connection {
                id: ConnectionId(row.connection_id),
                name: row.name,
                details: may_use.then_some(details),
            });
        }
        Ok(connections)
    }

    /// Returns where connections are used: what is live, and open drafts.
    ///
    /// # Errors
    /// When the role does not allow it.
    pub async fn connection_uses(&self, me: &Me) -> Result<Vec<Use>> {
        let mut tx = self.begin(me, Act::EditDraft).await?;
        uses(&mut tx, me, None).await
    }

    /// Keeps a new connection; its secrets are sealed, and never read back by anyone.
    ///
    /// # Errors
    /// When the role does not allow it, the form cannot be kept, or this process has no master
    /// key.
    pub async fn create_connection(&self, me: &Me, form: &Form) -> Result<ConnectionId> {
        let mut tx = self.begin(me, Act::ManageSecrets).await?;
        let form = check(form, None)?;
        let count = sqlx::query_scalar!(
            r#"select count(*) as "count!" from connection where organization_id = $1"#,
            me.organization.0,
        )
        .fetch_one(&mut *tx)
        .await?;
        if usize::try_from(count).unwrap_or(usize::MAX) >= CONNECTIONS {
            return Err(Refusal::TooMany.into());
        }
        let id = ConnectionId(Uuid::now_v7());
        sqlx::query!(
            "insert into connection
                (connection_id, organization_id, name, kind, names, origins, created_by, oauth,
                    server)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            id.0,
            me.organization.0,
            form.name,
            form.kind.key(),
            &form.names,
            &form.origins,
            me.account.0,
            stored(&form),
            form.server.as_ref().map(|server| json!(server)),
        )
        .execute(&mut *tx)
        .await
        .map_err(taken)?;
        self.seal(&mut tx, me, id, &form).await?;
        follow(&mut tx, me, id, &form, true).await?;
        self.told(tx, me, "connection.create", id, &form).await?;
        Ok(id)
    }

    /// Changes a connection; secrets that are given take the place of those that it had, for the
    /// next request.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such connection, the form cannot be kept, or
    /// this process has no master key.
    pub async fn change_connection(&self, me: &Me, id: ConnectionId, form: &Form) -> Result<()> {
        let mut tx = self.begin(me, Act::ManageSecrets).await?;
        let before = kept(&mut tx, me, id).await?;
        let form = check(form, Some(&before))?;
        sqlx::query!(
            "update connection set name = $3, names = $4, origins = $5, oauth = $6, server = $7,
                changed_at = now(), error = null
             where organization_id = $1 and connection_id = $2",
            me.organization.0,
            id.0,
            form.name,
            &form.names,
            &form.origins,
            stored(&form),
            form.server.as_ref().map(|server| json!(server)),
        )
        .execute(&mut *tx)
        .await
        .map_err(taken)?;
        self.seal(&mut tx, me, id, &form).await?;
        follow(&mut tx, me, id, &form, before.keeps_tokens(&form)).await?;
        self.told(tx, me, "connection.change", id, &form).await
    }

    /// Deletes a connection and its secrets, unless something live or an open draft names it.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such connection, or it is in use.
    pub async fn delete_connection(&self, me: &Me, id: ConnectionId) -> Result<()> {
        let mut tx = self.begin(me, Act::ManageSecrets).await?;
        // Whoever publishes something that names it holds the row, so that both see each other.
        let before = kept(&mut tx, me, id).await?;
        let uses = uses(&mut tx, me, Some(id)).await?;
        if !uses.is_empty() {
            const TOLD: usize = 5;
            let mut names: Vec<String> = uses.iter().take(TOLD).map(ToString::to_string).collect();
            if uses.len() > TOLD {
                names.push(format!("and {} more", uses.len() - TOLD));
            }
            return Err(Refusal::InUse(names.join(", ")).into());
        }
        sqlx::query!(
            "delete from connection where organization_id = $1 and connection_id = $2",
            me.organization.0,
            id.0,
        )
        .execute(&mut *tx)
        .await?;
        let detail = json!({ "kind": before.kind, "origins": before.origins });
        audit::note(&mut tx, me, "connection.delete", id.0, detail).await?;
        let changes = vec![organization::changed(me.organization)];
        self.commit(tx, changes).await
    }

    /// Seals the secrets of a checked form, and removes those that they take the place of.
    async fn seal(&self, tx: &mut Tx, me: &Me, id: ConnectionId, form: &Form) -> Result<()> {
        for (variant, secrets) in [("live", &form.live), ("test", &form.test)] {
            if *secrets == Secrets::Keep {
                continue;
            }
            sqlx::query!(
                "delete from connection_secret
                 where organization_id = $1 and connection_id = $2 and variant = $3",
                me.organization.0,
                id.0,
                variant,
            )
            .execute(&mut **tx)
            .await?;
            let Secrets::Set(secrets) = secrets else {
                continue;
            };
            let fields = form.kind.fields(&form.names);
            for (field, secret) in fields.iter().zip(secrets) {
                let inside = inside(variant, field);
                let place = place(me, id, &inside);
                let vault = &self.inner.vault;
                let sealed = vault.seal(tx, place, secret.as_bytes()).await?;
                sqlx::query!(
                    "insert into connection_secret
                        (connection_id, organization_id, variant, field, sealed)
                     values ($1, $2, $3, $4, $5)",
                    id.0,
                    me.organization.0,
                    variant,
                    field,
                    sealed,
                )
                .execute(&mut **tx)
                .await?;
            }
        }
        Ok(())
    }

    /// Notes what was done, commits, and tells.
    async fn told(
        &self,
        mut tx: Tx,
        me: &Me,
        act: &str,
        id: ConnectionId,
        form: &Form,
    ) -> Result<()> {
        let detail = json!({
            "name": form.name,
            "kind": form.kind,
            "origins": form.origins,
            "token_url": form.oauth.as_ref().map(|oauth| &oauth.token_url),
            "tls": form.server.as_ref().map(|server| server.tls),
            "secrets": form.live != Secrets::Keep,
            "test_secrets": form.test != Secrets::Keep,
        });
        audit::note(&mut tx, me, act, id.0, detail).await?;
        let changes = vec![organization::changed(me.organization)];
        self.commit(tx, changes).await
    }
}

/// Checks that all connections that a document names are there, and of the kinds that its steps can
/// use, and holds them until the end of the transaction.
pub(crate) async fn check_named(tx: &mut Tx, me: &Me, document: &Document) -> Result<()> {
    let named = named_in(document);
    if named.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = named.keys().map(|id| id.0).collect();
    let there = sqlx::query!(
        "select connection_id, kind from connection
         where organization_id = $1 and connection_id = any($2)
         order by connection_id for key share",
        me.organization.0,
        &ids,
    )
    .fetch_all(&mut **tx)
    .await?;
    let kinds: BTreeMap<Uuid, Option<Kind>> = there
        .into_iter()
        .map(|row| (row.connection_id, Kind::from_key(&row.kind)))
        .collect();
    if let Some((_, step)) = named.into_iter().find(|(id, _)| !kinds.contains_key(&id.0)) {
        return Err(Refusal::Gone(step).into());
    }
    match misfit(document, |id| kinds.get(&id.0).copied().flatten()) {
        Some(step) => Err(Refusal::Misfit(step).into()),
        None => Ok(()),
    }
}

/// Finds a connection of the organization, and locks it.
///
/// # Errors
/// When there is none with this id.
pub(crate) async fn exists(tx: &mut Tx, me: &Me, id: ConnectionId) -> Result<()> {
    kept(tx, me, id).await.map(drop)
}

/// Returns what a connection is, and locks it.
async fn kept(tx: &mut Tx, me: &Me, id: ConnectionId) -> Result<Kept> {
    let row = sqlx::query!(
        r#"select kind, names, origins, oauth, server,
                exists (
                    select from connection_secret
                    where connection_secret.connection_id = connection.connection_id
                        and variant = 'test'
                ) as "has_test!"
           from connection where organization_id = $1 and connection_id = $2
           for update"#,
        me.organization.0,
        id.0,
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::NotFound)?;
    Ok(Kept {
        kind: kind(&row.kind)?,
        names: row.names,
        origins: row.origins,
        has_test: row.has_test,
        oauth: settings(row.oauth)?,
        server: server(row.server)?,
    })
}

/// Reads which server a connection logs in to.
fn server(stored: Option<Value>) -> Result<Option<Server>> {
    let read = stored.map(serde_json::from_value).transpose();
    read.map_err(|error| sqlx::Error::decode(error).into())
}

const fn variant_of(is_test: bool) -> &'static str {
    if is_test { "test" } else { "live" }
}

/// Reads a secret that was opened.
fn text(opened: Zeroizing<Vec<u8>>) -> Result<Zeroizing<String>> {
    let text = std::str::from_utf8(&opened).map_err(sqlx::Error::decode)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Returns what names connections, or one of them. Documents are kept as compact JSON, in which a
/// field has one form.
async fn uses(tx: &mut Tx, me: &Me, only: Option<ConnectionId>) -> Result<Vec<Use>> {
    let rows = sqlx::query!(
        r#"with named as (
                select integration.integration_id, null::uuid as draft_id, null::text as title,
                    unnest(regexp_matches(body::text, '"connection": ?"([0-9a-f-]{36})"', 'g')) as id
                from integration
                join version on version_id = live_version_id
                join document on document.organization_id = $1 and document.hash = version.hash
                where integration.organization_id = $1
                union
                select integration_id, draft_id, title,
                    unnest(regexp_matches(document::text, '"connection": ?"([0-9a-f-]{36})"', 'g'))
                from draft
                where organization_id = $1 and state not in ('published', 'discarded')
            )
            select connection_id, integration_id as "integration_id!", integration.name,
                draft_id, title
            from named
            join connection on connection.organization_id = $1 and connection_id::text = id
            join integration using (integration_id)
            where $2::uuid is null or connection_id = $2
            order by integration.name, integration_id, title nulls first, draft_id"#,
        me.organization.0,
        only.map(|id| id.0),
    )
    .fetch_all(&mut **tx)
    .await?;
    let line = rows.into_iter().map(|row| Use {
        connection: ConnectionId(row.connection_id),
        integration: IntegrationId(row.integration_id),
        name: row.name,
        draft: row.draft_id.map(DraftId).zip(row.title),
    });
    Ok(line.collect())
}

/// Returns the part of a place that tells the secrets of one connection apart.
pub(crate) fn inside(variant: &str, field: &str) -> String {
    format!("{variant}:{field}")
}

fn place<'a>(me: &Me, id: ConnectionId, inside: &'a str) -> Place<'a> {
    Place {
        organization: me.organization,
        kind: "connection",
        id: id.0,
        inside,
    }
}

fn kind(key: &str) -> Result<Kind> {
    let unknown = || sqlx::Error::Decode(format!("there is no kind of connection `{key}`").into());
    Kind::from_key(key).ok_or_else(|| unknown().into())
}

fn taken(error: sqlx::Error) -> Error {
    Error::on(error, "connection_name_key", Refusal::NameTaken.into())
}
