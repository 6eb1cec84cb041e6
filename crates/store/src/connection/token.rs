//! The tokens of connections: kept sealed, and exchanged for new ones before they end, for all runs
//! at once by one process.
//!
//! A refresh token may be taken only once. So whoever asks the provider has the row's lease, and
//! writes what it got only where the issue is still the one that it exchanged: an older token never
//! takes the place of a newer one. The asking is a task of its own, which neither a run that is
//! canceled nor a caller that goes away can end between the answer and its being kept.
//!
//! A process that dies in between takes the answer with it. Whoever has the lease next sends the
//! same refresh token again: where the provider gives each only one answer it refuses then, and
//! someone has to connect again, as they would have to without asking.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::connection::{Kind, NoToken, Refusal, Tokens};
use domain::{ConnectionId, OrganizationId};
use engine::port::{Grant, TokenRequest};
use sqlx::PgConnection;
use tokio::sync::watch;
use tokio::time::sleep;
use zeroize::Zeroizing;

use super::authorization::provider;
use super::inside;
use crate::network::network_of;
use crate::vault::{Place, opened};
use crate::{Error, Result, Store, organization};

/// How long another process that asks is waited for, a little longer than an answer may take.
const OTHERS: Duration = Duration::from_secs(25);
/// How often it is looked whether another process is done.
const LOOK: Duration = Duration::from_millis(100);
/// How often it is tried to keep a new token while the database does not answer, a second apart.
const KEEPING: u32 = 60;

/// Which tokens: of a connection, those of one variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Of {
    pub(super) organization: OrganizationId,
    pub(super) connection: ConnectionId,
    pub(super) variant: &'static str,
}

/// How an exchange ended.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// There is a newer token.
    Renewed,
    /// There is none.
    No(NoToken),
    /// The connection is gone.
    Gone,
    /// The database did not answer.
    Unavailable,
}

/// The exchanges that are under way in this process.
#[derive(Debug, Default)]
pub(crate) struct Renewals {
    under_way: Mutex<HashMap<Of, watch::Receiver<Option<Ended>>>>,
    /// How many codes of consents are being exchanged.
    codes: watch::Sender<usize>,
}

impl Renewals {
    /// Waits until none is under way.
    pub(crate) async fn settled(&self) {
        let mut codes = self.codes.subscribe();
        loop {
            // Its sender is ours.
            let _ = codes.wait_for(|count| *count == 0).await;
            let next = self.locked().values().next().cloned();
            match next {
                Some(mut ended) => while ended.changed().await.is_ok() {},
                None => return,
            }
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<Of, watch::Receiver<Option<Ended>>>> {
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes an exchange out of the list when it is over, however it ends.
struct UnderWay(Store, Of);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.inner.renewals.locked().remove(&self.1);
    }
}

/// Counts a code that is being exchanged, however that ends.
pub(super) struct Code(Store);

impl Code {
    pub(super) fn of(store: &Store) -> Self {
        store.inner.renewals.codes.send_modify(|count| *count += 1);
        Self(store.clone())
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        self.0.inner.renewals.codes.send_modify(|count| *count -= 1);
    }
}

/// A token as it is kept, opened.
pub(super) struct Kept {
    pub(super) issue: i64,
    pub(super) access: Option<Zeroizing<String>>,
    pub(super) refresh: Option<Zeroizing<String>>,
    /// It is to be exchanged.
    pub(super) is_due: bool,
    /// It has ended.
    pub(super) is_over: bool,
    pub(super) refused: Option<String>,
}

impl Store {
    /// Reads the tokens of a connection.
    pub(super) async fn kept_token(
        &self,
        connection: &mut PgConnection,
        of: Of,
    ) -> Result<Option<Kept>> {
        opened!(self.read_token(connection, of))
    }

    async fn read_token(&self, connection: &mut PgConnection, of: Of) -> Result<Option<Kept>> {
        let row = sqlx::query!(
            r#"select issue, access, refresh, refused,
                coalesce(renew_at <= clock_timestamp(), false) as "is_due!",
                coalesce(expires_at <= clock_timestamp(), false) as "is_over!"
               from connection_token
               where organization_id = $1 and connection_id = $2 and variant = $3"#,
            of.organization.0,
            of.connection.0,
            of.variant,
        )
        .fetch_optional(&mut *connection)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Kept {
            issue: row.issue,
            access: self
                .open_token(connection, of, "access", row.access)
                .await?,
            refresh: self
                .open_token(connection, of, "refresh", row.refresh)
                .await?,
            is_due: row.is_due,
            is_over: row.is_over,
            refused: row.refused,
        }))
    }

    async fn open_token(
        &self,
        connection: &mut PgConnection,
        of: Of,
        field: &str,
        sealed: Option<Vec<u8>>,
    ) -> Result<Option<Zeroizing<String>>> {
        let Some(sealed) = sealed else {
            return Ok(None);
        };
        let inside = self::field(of.variant, field);
        let opened = self
            .inner
            .vault
            .open(connection, place(of, &inside), &sealed)
            .await?;
        super::text(opened).map(Some)
    }

    async fn seal_token(
        &self,
        connection: &mut PgConnection,
        of: Of,
        field: &str,
        token: &str,
    ) -> Result<Vec<u8>> {
        let inside = self::field(of.variant, field);
        let vault = &self.inner.vault;
        vault
            .seal(connection, place(of, &inside), token.as_bytes())
            .await
    }

    /// Exchanges a token for a new one unless someone did already, together with all others of this
    /// process that want the same.
    pub(super) async fn renewed(&self, of: Of, stale: i64) -> Ended {
        let mut ended = {
            let mut under_way = self.inner.renewals.locked();
            match under_way.get(&of) {
                Some(ended) => ended.clone(),
                None => {
                    let (tell, ended) = watch::channel(None);
                    under_way.insert(of, ended.clone());
                    let entry = UnderWay(self.clone(), of);
                    let store = self.clone();
                    tokio::spawn(async move {
                        let entry = entry;
                        let told = store.exchange(of, stale).await.unwrap_or_else(|error| {
                            tracing::warn!(%error, connection = %of.connection, "a token was not renewed");
                            Ended::Unavailable
                        });
                        // Whoever comes from here on begins anew.
                        drop(entry);
                        tell.send_replace(Some(told));
                    });
                    ended
                }
            }
        };
        match ended.wait_for(Option::is_some).await {
            Ok(told) => told.clone().unwrap_or(Ended::Unavailable),
            Err(_) => Ended::Unavailable,
        }
    }

    async fn exchange(&self, of: Of, stale: i64) -> Result<Ended> {
        let begun = Instant::now();
        let changed = loop {
            if let Some(changed) = self.turn(self.claim_renewal(of, stale)).await? {
                break changed;
            }
            if let Some(ended) = self.turn(self.ended_elsewhere(of, stale)).await? {
                return Ok(ended);
            }
            if begun.elapsed() > OTHERS {
                let why = "Another process is asking the provider for one.".to_owned();
                return Ok(Ended::No(NoToken::Later(why)));
            }
            sleep(LOOK).await;
        };
        let asked = Instant::now();
        let answer = match self.ask_for_token(of).await {
            Ok(answer) => answer,
            Err(error) => {
                // Nothing was sent.
                self.turn(self.release_renewal(of, stale)).await?;
                return match error {
                    Error::NotFound => Ok(Ended::Gone),
                    error => Err(error),
                };
            }
        };
        match answer {
            Ok(tokens) => {
                self.keep_renewed(of, stale, &tokens, asked).await?;
                Ok(Ended::Renewed)
            }
            Err(NoToken::Refused(why)) => {
                let noted = self.note_refused(of, stale, changed, &why);
                if self.turn(noted).await? {
                    return Ok(Ended::No(NoToken::Refused(why)));
                }
                self.turn(self.release_renewal(of, stale)).await?;
                let why = "The connection was changed meanwhile.".to_owned();
                Ok(Ended::No(NoToken::Later(why)))
            }
            Err(later) => {
                self.turn(self.release_renewal(of, stale)).await?;
                Ok(Ended::No(later))
            }
        }
    }

    /// Returns what came of an exchange by another process; `None` while it is under way.
    async fn ended_elsewhere(&self, of: Of, stale: i64) -> Result<Option<Ended>> {
        let found = sqlx::query!(
            "select issue, refused from connection_token
             where connection_id = $1 and variant = $2",
            of.connection.0,
            of.variant,
        )
        .fetch_optional(&self.inner.system)
        .await?;
        Ok(match found {
            None => Some(Ended::Gone),
            Some(row) if row.issue != stale => Some(Ended::Renewed),
            Some(row) => row.refused.map(|why| Ended::No(NoToken::Refused(why))),
        })
    }

    /// Takes the lease under which one process asks; it outlasts the longest that asking takes.
    /// Returns when the connection was changed, in microseconds.
    async fn claim_renewal(&self, of: Of, stale: i64) -> Result<Option<i64>> {
        let claimed = sqlx::query_scalar!(
            r#"update connection_token as token
               set renewing_until = clock_timestamp() + interval '60 seconds'
               from connection
               where token.connection_id = $1 and variant = $2 and issue = $3 and refused is null
                and (renewing_until is null or renewing_until < clock_timestamp())
                and connection.connection_id = token.connection_id
               returning (extract(epoch from changed_at) * 1000000)::bigint as "changed!""#,
            of.connection.0,
            of.variant,
            stale,
        );
        Ok(claimed.fetch_optional(&self.inner.system).await?)
    }

    async fn release_renewal(&self, of: Of, stale: i64) -> Result<()> {
        sqlx::query!(
            "update connection_token set renewing_until = null
             where connection_id = $1 and variant = $2 and issue = $3",
            of.connection.0,
            of.variant,
            stale,
        )
        .execute(&self.inner.system)
        .await?;
        Ok(())
    }

    /// Asks the provider, once.
    async fn ask_for_token(&self, of: Of) -> Result<Result<Tokens, NoToken>> {
        let asking = self.turn(async {
            let mut system = self.inner.system.acquire().await?;
            let provider = provider(&mut system, of).await?;
            let secret = self.client_secret(&mut system, of).await?;
            let kept = self.kept_token(&mut system, of).await?;
            let network = network_of(&mut system, of.organization).await?;
            Ok((provider, secret, kept, network))
        });
        // Nobody waits for the provider with a connection to the database.
        let (provider, secret, kept, network) = asking.await?;
        let refresh = kept.and_then(|kept| kept.refresh);
        let grant = match (&refresh, provider.kind) {
            (_, Kind::OAuthClient) => Grant::Client,
            (Some(token), _) => Grant::Refresh(token),
            (None, _) => {
                let why = "it gave no refresh token, so its token could not be exchanged for a new one. Ask for one with a scope or a parameter, as its documentation says.";
                return Ok(Err(NoToken::Refused(why.to_owned())));
            }
        };
        let request = TokenRequest {
            client_id: provider
                .oauth
                .client_id(&provider.names, of.variant == "test"),
            provider: &provider.oauth,
            secret: &secret,
            grant,
        };
        Ok(request.send(&self.inner.clients, &network).await)
    }

    /// Keeps a new token, also when the database goes away for a while: the provider may take the
    /// old one no more.
    async fn keep_renewed(
        &self,
        of: Of,
        stale: i64,
        tokens: &Tokens,
        asked: Instant,
    ) -> Result<()> {
        for _ in 1..KEEPING {
            let kept = self.turn(self.try_keep_renewed(of, stale, tokens, asked));
            match kept.await {
                Err(Error::Unavailable(error)) => {
                    tracing::warn!(%error, connection = %of.connection, "a new token is not kept yet");
                    sleep(Duration::from_secs(1)).await;
                }
                kept => return kept,
            }
        }
        self.turn(self.try_keep_renewed(of, stale, tokens, asked))
            .await
    }

    async fn try_keep_renewed(
        &self,
        of: Of,
        stale: i64,
        tokens: &Tokens,
        asked: Instant,
    ) -> Result<()> {
        let mut tx = self.inner.system.begin().await?;
        let sealed = self.sealed(&mut tx, of, tokens).await?;
        let kept = sqlx::query!(
            "update connection_token
             set issue = issue + 1, access = $4, refresh = coalesce($5, refresh), refused = null,
                renewing_until = null,
                renew_at = clock_timestamp() + make_interval(secs => $6),
                expires_at = clock_timestamp() + make_interval(secs => $7)
             where connection_id = $1 and variant = $2 and issue = $3",
            of.connection.0,
            of.variant,
            stale,
            sealed.access,
            sealed.refresh,
            left(tokens.renew_after(), asked),
            left(tokens.lifetime, asked),
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        if kept.rows_affected() == 0 {
            tracing::info!(connection = %of.connection, "a token was had that another has replaced already");
        }
        Ok(())
    }

    /// Keeps what a consent gave, in place of whatever there was.
    pub(super) async fn keep_given(
        &self,
        connection: &mut PgConnection,
        of: Of,
        tokens: &Tokens,
        asked: Instant,
    ) -> Result<()> {
        let sealed = self.sealed(connection, of, tokens).await?;
        let kept = sqlx::query!(
            "update connection_token
             set issue = issue + 1, access = $3, refresh = $4, refused = null,
                renewing_until = null, given_at = clock_timestamp(),
                renew_at = clock_timestamp() + make_interval(secs => $5),
                expires_at = clock_timestamp() + make_interval(secs => $6)
             where connection_id = $1 and variant = $2",
            of.connection.0,
            of.variant,
            sealed.access,
            sealed.refresh,
            left(tokens.renew_after(), asked),
            left(tokens.lifetime, asked),
        )
        .execute(connection)
        .await?;
        match kept.rows_affected() {
            // It has none of its own for tests any more.
            0 => Err(Refusal::StrayConsent.into()),
            _ => Ok(()),
        }
    }

    async fn sealed(
        &self,
        connection: &mut PgConnection,
        of: Of,
        tokens: &Tokens,
    ) -> Result<Sealed> {
        let access = self
            .seal_token(connection, of, "access", &tokens.access)
            .await?;
        let refresh = match &tokens.refresh {
            Some(token) => Some(self.seal_token(connection, of, "refresh", token).await?),
            None => None,
        };
        Ok(Sealed { access, refresh })
    }

    /// Notes what the provider said, unless the connection was changed since it was claimed: it said
    /// that of what it was then. Returns whether it was noted.
    async fn note_refused(&self, of: Of, stale: i64, changed: i64, why: &str) -> Result<bool> {
        let mut tx = self.inner.system.begin().await?;
        // Held, as whoever changes it takes back what is noted, before or after us.
        let is_same = sqlx::query_scalar!(
            r#"select (extract(epoch from changed_at) * 1000000)::bigint = $3 as "is_same!"
               from connection where organization_id = $1 and connection_id = $2 for share"#,
            of.organization.0,
            of.connection.0,
            changed,
        )
        .fetch_optional(&mut *tx)
        .await?;
        if is_same != Some(true) {
            return Ok(false);
        }
        sqlx::query!(
            "update connection_token set refused = $4, renewing_until = null
             where connection_id = $1 and variant = $2 and issue = $3",
            of.connection.0,
            of.variant,
            stale,
            why,
        )
        .execute(&mut *tx)
        .await?;
        let changes = vec![organization::changed(of.organization)];
        self.commit(tx, changes).await?;
        Ok(true)
    }

    /// Opens the secret of the client.
    pub(super) async fn client_secret(
        &self,
        connection: &mut PgConnection,
        of: Of,
    ) -> Result<Zeroizing<String>> {
        opened!(self.read_client_secret(connection, of))
    }

    async fn read_client_secret(
        &self,
        connection: &mut PgConnection,
        of: Of,
    ) -> Result<Zeroizing<String>> {
        let sealed = sqlx::query_scalar!(
            "select sealed from connection_secret
             where organization_id = $1 and connection_id = $2 and variant = $3
                and field = 'secret'",
            of.organization.0,
            of.connection.0,
            of.variant,
        )
        .fetch_optional(&mut *connection)
        .await?
        .ok_or(Error::NotFound)?;
        let inside = inside(of.variant, "secret");
        let opened = self
            .inner
            .vault
            .open(connection, place(of, &inside), &sealed)
            .await?;
        super::text(opened)
    }
}

struct Sealed {
    access: Vec<u8>,
    refresh: Option<Vec<u8>>,
}

/// Returns how many seconds are left of a time that began when the provider was asked.
fn left(seconds: Option<u32>, asked: Instant) -> Option<f64> {
    seconds.map(|seconds| f64::from(seconds) - asked.elapsed().as_secs_f64())
}

/// Returns the part of a place that tells tokens apart from each other and from what an Admin
/// types: no name of a field or header holds a colon.
pub(crate) fn field(variant: &str, field: &str) -> String {
    inside(variant, &format!("token:{field}"))
}

fn place(of: Of, inside: &str) -> Place<'_> {
    Place {
        organization: of.organization,
        kind: "connection",
        id: of.connection.0,
        inside,
    }
}
