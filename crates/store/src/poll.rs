//! Polling: claimed by one process at a time, and each answer taken whole or not at all.
//!
//! The items that are new, their runs and the cursor are written in one transaction. A process
//! that ends between asking and writing has changed nothing: another asks again, with the same
//! cursor. One that was too slow is refused by its fence.

mod begin;
mod take;

use std::time::Duration;

use domain::account::Me;
use domain::policy::{self, Act};
use domain::poll::{Item, Poll, Polling};
use domain::{DocumentHash, DraftId, IntegrationId, OrganizationId, Timestamp, poll};
use engine::poll::Unanswered;
use engine::port::{Credentials, Network};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::connection::open::Opened;
use crate::live::{Changed, What};
use crate::network::read_network;
use crate::run::check;
use crate::{Error, Refusal, Result, Store, Tx, document, number, timestamp};

pub(crate) use begin::set;
pub use take::Taken;

/// How long a claim of a poll holds: longer than all that a poll may take. That is two requests
/// of 30 seconds, as a token that was refused is renewed and the request sent once more, two
/// exchanges of 20 seconds for tokens, and taking the answer.
pub const POLL_LEASE: Duration = Duration::from_secs(150);
/// When what cannot be read is looked at again, in milliseconds.
const UNREADABLE_MS: i64 = 3_600_000;
/// Items of a poll in the builder that are offered as test events.
const CAUGHT: usize = 5;

/// A poll that is due, and that no other process is at.
#[derive(Clone, Debug)]
pub struct ClaimedPoll {
    /// The integration.
    pub integration: IntegrationId,
    /// Whose it is.
    pub organization: OrganizationId,
    /// What is polled.
    pub poll: Poll,
    /// The cursor to send.
    pub cursor: Option<Value>,
    /// What it may reach.
    pub network: Network,
    fence: i64,
    version: i32,
    hash: DocumentHash,
}

/// A poll that was claimed, as it is stored.
struct Row {
    integration_id: Uuid,
    organization_id: Uuid,
    fence: i64,
    cursor: Option<Value>,
    failures: i32,
    failing_since: Option<OffsetDateTime>,
    now: OffsetDateTime,
    number: i32,
    hash: String,
    body: Value,
    network: Value,
}

impl Row {
    fn read(self) -> Result<ClaimedPoll> {
        let poll = Poll::of(&document::read(self.body)?);
        let poll = poll.ok_or_else(|| sqlx::Error::Decode("another trigger is live".into()))?;
        Ok(ClaimedPoll {
            integration: IntegrationId(self.integration_id),
            organization: OrganizationId(self.organization_id),
            poll,
            cursor: self.cursor,
            network: read_network(OrganizationId(self.organization_id), self.network)?,
            fence: self.fence,
            version: self.number,
            hash: DocumentHash(self.hash),
        })
    }
}

impl Store {
    /// Claims up to `most` polls that are due, those that wait longest first. Where there are more,
    /// the next is always of an organization of which the fewest are under way; and the last place is
    /// for one of which none is, so that it stays free where one organization has all the others. One
    /// that cannot be read says so on the page of its integration, and keeps no other from being
    /// polled.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_polls(&self, most: usize) -> Result<Vec<ClaimedPoll>> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let mut tx = self.inner.system.begin().await?;
        // Where not all that is due can be claimed, it goes from organization to organization, as to
        // number all that is due would take longer, the more that is.
        let claimed = sqlx::query_scalar!(
            "with recursive oldest as materialized (
                 select integration_id from poll
                 where next_at <= now() and (lease_until is null or lease_until <= now())
                 order by next_at limit $1
             ), are_many as materialized (
                 select count(*) = $1 as yes from oldest
             ), asker as (
                 (select organization_id from poll
                  where next_at is not null and (select yes from are_many)
                  order by organization_id limit 1)
                 union all
                 select (
                     select organization_id from poll
                     where next_at is not null and organization_id > asker.organization_id
                     order by organization_id limit 1
                 ) from asker where organization_id is not null
             ), under_way as materialized (
                 select organization_id, count(*) as polls from poll
                 where lease_until > now() group by organization_id
             ), waiting as (
                 select integration_id, next_at, coalesce(polls, 0) + number as turn
                 from asker left join under_way using (organization_id) cross join lateral (
                     select integration_id, next_at, row_number() over (order by next_at) as number
                     from poll
                     where poll.organization_id = asker.organization_id and next_at <= now()
                        and (lease_until is null or lease_until <= now())
                     order by next_at limit $1
                 ) as due
                 order by turn, next_at limit $1
             ), ranked as (
                 select integration_id, turn, row_number() over (order by turn, next_at) as place
                 from waiting
             ), picked as (
                 select integration_id from oldest where not (select yes from are_many)
                 union all
                 select integration_id from ranked where place < $1 or turn = 1
             ), due as (
                 select integration_id from poll join picked using (integration_id)
                 where next_at <= now() and (lease_until is null or lease_until <= now())
                 for update of poll skip locked
             )
             update poll
             set fence = fence + 1, lease_until = now() + make_interval(secs => $2)
             from due where poll.integration_id = due.integration_id
             returning poll.integration_id",
            i64::try_from(most).unwrap_or(i64::MAX),
            POLL_LEASE.as_secs_f64(),
        )
        .fetch_all(&mut *tx)
        .await?;
        if claimed.is_empty() {
            return Ok(Vec::new());
        }
        // What is live is read by a statement of its own, which sees what was published before the
        // rows were locked. Whoever publishes from here on waits for them, and raises the fence.
        let rows = sqlx::query_as!(
            Row,
            r#"select poll.integration_id, poll.organization_id, fence, cursor, failures,
                    failing_since, now() as "now!", number, version.hash, body, network
               from poll
               join integration on integration.integration_id = poll.integration_id
               join version on version_id = live_version_id
               join document on document.organization_id = poll.organization_id
                    and document.hash = version.hash
               join organization on organization.organization_id = poll.organization_id
               where poll.integration_id = any($1)"#,
            &claimed,
        )
        .fetch_all(&mut *tx)
        .await?;
        let mut claims = Vec::with_capacity(rows.len());
        for row in rows {
            let now = timestamp::read(row.now);
            let failure = take::Failure {
                integration: IntegrationId(row.integration_id),
                organization: OrganizationId(row.organization_id),
                failures: number(row.failures)?,
                since: row.failing_since.map(timestamp::read),
                now,
                next: Timestamp(now.0.saturating_add(UNREADABLE_MS)),
            };
            match row.read() {
                Ok(claim) => claims.push(claim),
                Err(error) => {
                    tracing::error!(%error, integration = %failure.integration, "what is polled cannot be read");
                    let unanswered = Unanswered::saying(
                        "What is live, or the organization's network, cannot be read. Publish again; if that does not help, the log of the server says more.",
                    );
                    take::fail(&mut tx, failure, &unanswered).await?;
                }
            }
        }
        tx.commit().await?;
        Ok(claims)
    }

    /// Opens the connection of a claimed poll, if it names one; `None` when that is gone. Else says
    /// why it does not open. `refused` is as [`engine::port::Vault::open`] has it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn poll_credentials(
        &self,
        claim: &ClaimedPoll,
        refused: Option<i64>,
    ) -> Result<std::result::Result<Option<Credentials>, Unanswered>> {
        match self.credentials_of(claim, refused).await {
            Ok(credentials) => Ok(Ok(credentials)),
            Err(Error::Refused(refusal)) => Ok(Err(Unanswered::saying(refusal.to_string()))),
            Err(Error::Unavailable(error @ sqlx::Error::Decode(_))) => {
                tracing::error!(%error, integration = %claim.integration, "a connection does not open");
                Ok(Err(Unanswered::saying(
                    "The connection of the trigger does not open. An Admin types its secrets again.",
                )))
            }
            Err(error) => Err(error),
        }
    }

    async fn credentials_of(
        &self,
        claim: &ClaimedPoll,
        refused: Option<i64>,
    ) -> Result<Option<Credentials>> {
        let mut system = self.inner.system.acquire().await?;
        let organization = claim.organization;
        let opened = self
            .open_of(&mut system, organization, &claim.poll, false, refused)
            .await?;
        // Nobody waits for a provider with a connection to the database.
        drop(system);
        match opened {
            Some(opened) => self.ready(opened).await.map(Some),
            None => Ok(None),
        }
    }

    async fn open_of(
        &self,
        connection: &mut sqlx::PgConnection,
        organization: OrganizationId,
        poll: &Poll,
        is_test: bool,
        refused: Option<i64>,
    ) -> Result<Option<Opened>> {
        let Some(id) = poll.connection() else {
            return Ok(None);
        };
        let opened = self.open_connection(connection, organization, id, is_test, refused);
        match opened.await {
            Ok(opened) => Ok(Some(opened)),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns what a draft's trigger polls, to try it: with the connection's secrets for tests
    /// where there are any, and the organization's network. `refused` is as
    /// [`engine::port::Vault::open`] has it.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such draft, it does not poll, or its connection
    /// does not open.
    pub async fn poll_to_try(
        &self,
        me: &Me,
        draft: DraftId,
        refused: Option<i64>,
    ) -> Result<(Poll, Option<Credentials>, Network)> {
        let mut tx = self.begin(me, Act::Test).await?;
        let locked = crate::draft::lock(&mut tx, me, draft).await?.open()?;
        let poll = Poll::of(&locked.document);
        let poll = poll.ok_or(Refusal::Poll(poll::Refusal::OtherTrigger))?;
        let opened = self
            .open_of(&mut tx, me.organization, &poll, true, refused)
            .await?;
        tx.commit().await?;
        let credentials = match opened {
            Some(opened) => Some(self.ready(opened).await?),
            None => None,
        };
        Ok((poll, credentials, self.network(me).await?))
    }

    /// Keeps the first items of an answer as test events of a draft. Starts nothing, and does not
    /// touch what is known of what is live.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such draft, or an item is too large.
    pub async fn catch_items(&self, me: &Me, draft: DraftId, items: &[Item]) -> Result<()> {
        let mut tx = self.begin(me, Act::Test).await?;
        crate::draft::lock(&mut tx, me, draft).await?.open()?;
        let at = timestamp::text(self.now().await?);
        // The newest is shown first, so the first of the list is written last.
        for item in items.iter().take(CAUGHT).rev() {
            let payload = check::payload(&poll::payload(item, &at))?;
            crate::draft::caught::keep(&mut tx, me.organization, draft, &payload).await?;
        }
        let changed = Changed {
            organization: me.organization,
            what: What::Caught(draft),
        };
        self.commit(tx, vec![changed]).await
    }
}

/// Returns how the polling of an integration goes, when what is live of it polls.
pub(crate) async fn read(
    tx: &mut Tx,
    me: &Me,
    role: domain::account::Role,
    integration: IntegrationId,
) -> Result<Option<Polling>> {
    let shown = policy::allow(role, Act::SeePayloads).is_ok();
    let row = sqlx::query!(
        "select next_at, last_at, items, started, error, failures, cursor
         from poll
         join integration using (integration_id)
         join version on version_id = live_version_id
         where poll.organization_id = $1 and poll.integration_id = $2 and trigger = 'poll'",
        me.organization.0,
        integration.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let read = |at: Option<OffsetDateTime>| at.map(timestamp::read);
    let polling = row.map(|row| {
        Ok(Polling {
            next_at: read(row.next_at),
            last_at: read(row.last_at),
            items: number(row.items)?,
            started: u64::try_from(row.started).unwrap_or_default(),
            error: row.error,
            failures: number(row.failures)?,
            cursor: row.cursor.filter(|_| shown),
        })
    });
    polling.transpose()
}
