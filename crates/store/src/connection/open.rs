//! Opens connections, for requests only.

use domain::account::Me;
use domain::connection::{Kind, NoToken, Refusal};
use domain::policy::Act;
use domain::{ConnectionId, OrganizationId, RunId};
use engine::port::{Closed, Credentials, Network, Opening, Vault};
use sqlx::PgConnection;

use super::authorization::{Provider, provider};
use super::token::{Ended, Kept, Of};
use super::{inside, kind, server, text, variant_of};
use crate::vault::{Place, opened};
use crate::{Error, Result, Store};

/// Longest error that is kept with a connection, in characters.
const ERROR: usize = 500;

/// A connection on its way to be sent.
pub(crate) enum Opened {
    /// It can be.
    Ready(Credentials),
    /// It needs a new token.
    Stale(Stale),
}

/// A token that is to be exchanged.
pub(crate) struct Stale {
    of: Of,
    issue: i64,
    /// What the connection is called.
    name: String,
    /// The token, where it can still be used should there be no other.
    still: Option<Credentials>,
}

impl Vault for Store {
    fn open(
        &self,
        run: RunId,
        connection: ConnectionId,
        is_test: bool,
        refused: Option<i64>,
    ) -> Opening<'_> {
        Box::pin(async move {
            let opened = self.open_for_run(run, connection, is_test, refused).await;
            opened.map_err(|error| match error {
                Error::NotFound => Closed::Gone,
                Error::Refused(
                    refusal @ crate::Refusal::Connection(Refusal::TokenLater { .. }),
                ) => Closed::Later(refusal.to_string()),
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
        refused: Option<i64>,
    ) -> Result<Credentials> {
        let opened = self.turn(async {
            let mut system = self.inner.system.acquire().await?;
            // Of the run's organization, and of no other.
            let organization =
                sqlx::query_scalar!("select organization_id from run where run_id = $1", run.0,)
                    .fetch_optional(&mut *system)
                    .await?
                    .ok_or(Error::NotFound)?;
            let organization = OrganizationId(organization);
            self.open_connection(&mut system, organization, connection, is_test, refused)
                .await
        });
        // Nobody waits for a provider with a connection to the database.
        let opened = opened.await?;
        self.ready(opened).await
    }

    /// Waits for a new token where one is needed.
    pub(crate) async fn ready(&self, opened: Opened) -> Result<Credentials> {
        let Stale {
            of,
            issue,
            name,
            still,
        } = match opened {
            Opened::Ready(credentials) => return Ok(credentials),
            Opened::Stale(stale) => stale,
        };
        match (self.renewed(of, issue).await, still) {
            (Ended::Renewed, _) => self.turn(self.with_new_token(of, name)).await,
            // It has not ended yet.
            (Ended::No(NoToken::Later(_)) | Ended::Unavailable, Some(still)) => Ok(still),
            (Ended::No(NoToken::Later(why)), None) => Err(Refusal::TokenLater { name, why }.into()),
            (Ended::No(NoToken::Refused(why)), _) => {
                Err(Refusal::ConsentEnded { name, why }.into())
            }
            (Ended::Gone, _) => Err(Error::NotFound),
            (Ended::Unavailable, None) => Err(Error::Unavailable(sqlx::Error::WorkerCrashed)),
        }
    }

    async fn with_new_token(&self, of: Of, name: String) -> Result<Credentials> {
        let mut system = self.inner.system.acquire().await?;
        let provider = provider(&mut system, of).await?;
        let kept = self.kept_token(&mut system, of).await?;
        let kept = kept.ok_or(Error::NotFound)?;
        if kept.access.is_none() && provider.kind == Kind::OAuthClient {
            let why = "The connection was changed meanwhile.".to_owned();
            return Err(Refusal::TokenLater { name, why }.into());
        }
        // However short its life is: it is new.
        self.with_token(&mut system, of, &provider, &kept).await
    }

    /// Opens the token of a connection, if it can be used as it is.
    async fn open_token_of(
        &self,
        connection: &mut PgConnection,
        of: Of,
        provider: &Provider,
        refused: Option<i64>,
    ) -> Result<Opened> {
        let kept = self.kept_token(connection, of).await?;
        let name = provider.name.clone();
        let kept = kept.ok_or_else(|| Refusal::Unconnected(name.clone()))?;
        if let Some(why) = kept.refused.clone() {
            return Err(Refusal::ConsentEnded { name, why }.into());
        }
        if kept.access.is_none() && provider.kind == Kind::OAuth {
            return Err(Refusal::Unconnected(name).into());
        }
        let is_refused = refused == Some(kept.issue);
        // Nothing can be exchanged: until it ends it is all there is, and a 401 is an answer to one
        // request like another, which says nothing of the next.
        let is_last = provider.kind == Kind::OAuth && kept.refresh.is_none() && !kept.is_over;
        if kept.access.is_some() && (is_last || !kept.is_due && !is_refused) {
            let ready = self.with_token(connection, of, provider, &kept).await?;
            return Ok(Opened::Ready(ready));
        }
        let still = match kept.access.is_some() && !kept.is_over && !is_refused {
            true => Some(self.with_token(connection, of, provider, &kept).await?),
            false => None,
        };
        Ok(Opened::Stale(Stale {
            of,
            issue: kept.issue,
            name,
            still,
        }))
    }

    async fn with_token(
        &self,
        connection: &mut PgConnection,
        of: Of,
        provider: &Provider,
        kept: &Kept,
    ) -> Result<Credentials> {
        let unconnected = || Refusal::Unconnected(provider.name.clone());
        let access = kept.access.as_ref().ok_or_else(unconnected)?;
        let secret = self.client_secret(connection, of).await?;
        let mut secrets: Vec<&str> = vec![&secret];
        secrets.extend(kept.refresh.iter().map(|token| token.as_str()));
        Credentials::with_token(
            &provider.name,
            provider.origins.clone(),
            access,
            kept.issue,
            &secrets,
        )
        .map_err(|error| sqlx::Error::Decode(error.into()).into())
    }

    /// Returns a connection to try it out with, the network it is tried in, and the address: one
    /// of its origins with a path. `refused` is as [`Vault::open`] has it.
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
        refused: Option<i64>,
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
        let opened = self
            .open_connection(&mut tx, me.organization, id, is_test, refused)
            .await?;
        tx.commit().await?;
        let credentials = self.ready(opened).await?;
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
        refused: Option<i64>,
    ) -> Result<Opened> {
        opened!(self.read_connection(connection, organization, id, is_test, refused))
    }

    async fn read_connection(
        &self,
        connection: &mut PgConnection,
        organization: OrganizationId,
        id: ConnectionId,
        is_test: bool,
        refused: Option<i64>,
    ) -> Result<Opened> {
        let row = sqlx::query!(
            "select name, kind, names, origins, server from connection
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
        let variant = variant_of(is_test && has_test);
        if kind.has_tokens() {
            let of = Of {
                organization,
                connection: id,
                variant,
            };
            let provider = provider(connection, of).await?;
            return self.open_token_of(connection, of, &provider, refused).await;
        }
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
            secrets.push(text(opened)?);
        }
        let credentials = match server(row.server)? {
            Some(server) => Credentials::for_server(&row.name, kind, server, &row.names, &secrets),
            None => Credentials::new(&row.name, kind, &row.names, row.origins, &secrets),
        };
        credentials
            .map(Opened::Ready)
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
