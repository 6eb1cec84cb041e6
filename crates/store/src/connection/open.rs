//! Opens connections, for requests only.

use domain::account::Me;
use domain::connection::Refusal;
use domain::policy::Act;
use domain::{ConnectionId, OrganizationId, RunId};
use engine::port::{Closed, Credentials, Network, Opening, Vault};
use sqlx::PgConnection;
use zeroize::Zeroizing;

use super::{inside, kind};
use crate::vault::Place;
use crate::{Error, Result, Store};

/// Longest error that is kept with a connection, in characters.
const ERROR: usize = 500;

impl Vault for Store {
    fn open(&self, run: RunId, connection: ConnectionId, is_test: bool) -> Opening<'_> {
        Box::pin(async move {
            let opened = self.open_for_run(run, connection, is_test).await;
            opened.map_err(|error| match error {
                Error::NotFound => Closed::Gone,
                Error::Refused(refusal) => Closed::Broken(refusal.to_string()),
                Error::Unavailable(error @ sqlx::Error::Decode(_)) => {
                    tracing::error!(%error, %connection, "a connection does not open");
                    Closed::Broken(
                        "The connection of this step does not open. An Admin types its secrets again.".to_owned(),
                    )
                }
                Error::Unavailable(error) => {
                    tracing::warn!(%error, "no connection can be opened");
                    Closed::Unavailable
                }
            })
        })
    }

    fn used(&self, run: RunId, connection: ConnectionId, error: Option<String>) {
        let store = self.clone();
        tokio::spawn(async move {
            if let Err(error) = store.note_use(run, connection, error).await {
                tracing::debug!(%error, "the use of a connection was not noted");
            }
        });
    }
}

impl Store {
    async fn open_for_run(
        &self,
        run: RunId,
        connection: ConnectionId,
        is_test: bool,
    ) -> Result<Credentials> {
        let mut system = self.inner.system.acquire().await?;
        // Of the run's organization, and of no other.
        let organization =
            sqlx::query_scalar!("select organization_id from run where run_id = $1", run.0,)
                .fetch_optional(&mut *system)
                .await?
                .ok_or(Error::NotFound)?;
        let organization = OrganizationId(organization);
        self.open_connection(&mut system, organization, connection, is_test)
            .await
    }

    /// Returns a connection to try it out with, the network it is tried in, and the address: one
    /// of its origins with a path.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such connection, the address is none of its
    /// own, or it does not open.
    pub async fn connection_to_test(
        &self,
        me: &Me,
        id: ConnectionId,
        is_test: bool,
        (origin, path): (&str, &str),
    ) -> Result<(Credentials, Network, String)> {
        let mut tx = self.begin(me, Act::Test).await?;
        let origins = sqlx::query_scalar!(
            "select origins from connection where organization_id = $1 and connection_id = $2",
            me.organization.0,
            id.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::NotFound)?;
        let fits = path.starts_with('/') && path.len() <= 8000;
        if !fits || !origins.iter().any(|own| own == origin) {
            return Err(Refusal::TestAddress.into());
        }
        let credentials = self
            .open_connection(&mut tx, me.organization, id, is_test)
            .await?;
        tx.commit().await?;
        let network = self.network(me).await?;
        Ok((credentials, network, format!("{origin}{path}")))
    }

    /// Opens a connection: with its secrets for tests when it is one and there are any.
    pub(crate) async fn open_connection(
        &self,
        connection: &mut PgConnection,
        organization: OrganizationId,
        id: ConnectionId,
        is_test: bool,
    ) -> Result<Credentials> {
        let row = sqlx::query!(
            "select name, kind, names, origins from connection
             where organization_id = $1 and connection_id = $2",
            organization.0,
            id.0,
        )
        .fetch_optional(&mut *connection)
        .await?
        .ok_or(Error::NotFound)?;
        let kind = kind(&row.kind)?;
        let sealed = sqlx::query!(
            "select variant, field, sealed from connection_secret
             where organization_id = $1 and connection_id = $2",
            organization.0,
            id.0,
        )
        .fetch_all(&mut *connection)
        .await?;
        let has_test = sealed.iter().any(|secret| secret.variant == "test");
        let variant = if is_test && has_test { "test" } else { "live" };
        let mut secrets = Vec::new();
        for field in kind.fields(&row.names) {
            let secret = sealed
                .iter()
                .find(|secret| secret.variant == variant && secret.field == field)
                .ok_or_else(|| sqlx::Error::Decode("a secret is missing".into()))?;
            let inside = inside(variant, &field);
            let place = Place {
                organization,
                kind: "connection",
                id: id.0,
                inside: &inside,
            };
            let vault = &self.inner.vault;
            let opened = vault.open(connection, place, &secret.sealed).await?;
            let text = String::from_utf8(opened.to_vec()).map_err(sqlx::Error::decode)?;
            secrets.push(Zeroizing::new(text));
        }
        Credentials::new(&row.name, kind, &row.names, row.origins, &secrets)
            .map_err(|error| sqlx::Error::Decode(error.into()).into())
    }

    /// Notes a use when it says something new: a first one, one after half a minute, an error that
    /// came or went.
    async fn note_use(
        &self,
        run: RunId,
        connection: ConnectionId,
        error: Option<String>,
    ) -> Result<()> {
        let error: Option<String> = error.map(|error| error.chars().take(ERROR).collect());
        sqlx::query!(
            "update connection set used_at = now(), error = $3
             from run
             where run_id = $1 and connection_id = $2
                and connection.organization_id = run.organization_id
                and (used_at is null or used_at < now() - interval '30 seconds'
                    or connection.error is distinct from $3)",
            run.0,
            connection.0,
            error,
        )
        .execute(&self.inner.system)
        .await?;
        Ok(())
    }
}
