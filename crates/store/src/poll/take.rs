//! Taking the answer to a poll: new items become runs, and the cursor moves, together.

use std::collections::HashSet;
use std::time::Duration;

use domain::poll::{Found, Item, KEPT, Refusal, STARTED, is_failing, payload};
use domain::{IntegrationId, OrganizationId, RunId, Timestamp};
use engine::poll::Unanswered;
use serde_json::Value;
use uuid::Uuid;

use super::ClaimedPoll;
use crate::live::{Changed, What};
use crate::run::check;
use crate::{Result, Store, Tx, alert, number, timestamp};

/// Longest error that is kept, in characters.
const ERROR: usize = 1_000;
/// Longest that a service can ask to be left alone: a day.
const LONGEST: Duration = Duration::from_secs(86_400);

/// What came of a poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The answer was taken, and started these runs.
    Runs(Vec<RunId>),
    /// There was none that could be taken, which is noted.
    Failed,
    /// Someone else has the poll by now: nothing was written.
    Stale,
}

/// What is to be written of an answer.
struct Answer {
    /// Every item of the list.
    ids: Vec<String>,
    /// The items that become known, in the order of the list.
    known: Vec<String>,
    /// What the runs get, one for each of `known`; none when these are taken as old.
    payloads: Vec<String>,
    /// Where the next poll goes on.
    cursor: Option<Value>,
    /// When that is due.
    next: Timestamp,
}

impl Store {
    /// Takes the answer to a claimed poll, or notes why there is none, and says when the next one
    /// is due. Of an answer with more than [`STARTED`] new items so many start runs; the rest is
    /// found by the next poll, which is due at once and sends the same cursor.
    ///
    /// # Errors
    /// When the database does not answer: nothing was taken then.
    pub async fn polled(
        &self,
        claim: &ClaimedPoll,
        answer: std::result::Result<Found, Unanswered>,
    ) -> Result<Taken> {
        let mut tx = self.inner.system.begin().await?;
        let row = sqlx::query!(
            r#"select is_begun, starts_with_all, failures, failing_since, now() as "now!"
               from poll where integration_id = $1 and fence = $2
               for update"#,
            claim.integration.0,
            claim.fence,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else {
            return Ok(Taken::Stale);
        };
        let starts_with_all = row.starts_with_all.unwrap_or(claim.poll.starts_with_all);
        let starts = row.is_begun || starts_with_all;
        let now = timestamp::read(row.now);
        let read = match answer {
            Ok(found) => read(&mut tx, claim, starts, now, found).await?,
            Err(unanswered) => Err(unanswered),
        };
        let (taken, is_news) = match read {
            Ok(answer) => {
                let runs = write(&mut tx, claim, answer).await?;
                let ended = alert::polls::end(&mut tx, claim.integration).await?;
                (Taken::Runs(runs), ended)
            }
            Err(unanswered) if unanswered.waits => {
                wait(&mut tx, claim, now, &unanswered).await?;
                (Taken::Failed, false)
            }
            Err(unanswered) => {
                let failures = number(row.failures)?;
                let failure = Failure {
                    integration: claim.integration,
                    organization: claim.organization,
                    failures,
                    since: row.failing_since.map(timestamp::read),
                    now,
                    next: engine::poll::next_after_failure(&claim.poll, now, failures),
                };
                (Taken::Failed, fail(&mut tx, failure, &unanswered).await?)
            }
        };
        let started = match &taken {
            Taken::Runs(runs) => runs.as_slice(),
            Taken::Failed | Taken::Stale => &[],
        };
        if !started.is_empty() {
            self.live().notify_workers(&mut tx).await?;
        }
        tx.commit().await?;
        if !started.is_empty() {
            self.live().wake_workers();
        }
        let runs = started.iter().map(|run| What::Run(*run, claim.integration));
        let told = runs.chain([What::Polled(claim.integration)]);
        let told = told.chain(is_news.then_some(What::Integration(claim.integration)));
        let organization = claim.organization;
        self.live()
            .tell_all(told.map(|what| Changed { organization, what }));
        Ok(taken)
    }
}

/// Finds out what of an answer is new.
async fn read(
    tx: &mut Tx,
    claim: &ClaimedPoll,
    starts: bool,
    now: Timestamp,
    found: Found,
) -> Result<std::result::Result<Answer, Unanswered>> {
    let ids: Vec<String> = found.items.iter().map(|item| item.id.clone()).collect();
    let known: HashSet<String> = sqlx::query_scalar!(
        "select id from poll_item where integration_id = $1 and id = any($2)",
        claim.integration.0,
        &ids,
    )
    .fetch_all(&mut **tx)
    .await?
    .into_iter()
    .collect();
    let mut new: Vec<Item> = found.items;
    new.retain(|item| !known.contains(&item.id));
    let is_whole = !starts || new.len() <= STARTED;
    let mut payloads = Vec::new();
    if starts {
        new.truncate(STARTED);
        let at = timestamp::text(now);
        for item in &new {
            match check::payload(&payload(item, &at)) {
                Ok(text) => payloads.push(text),
                Err(_) => {
                    let refusal = Refusal::TooLarge(item.place);
                    return Ok(Err(Unanswered::saying(refusal.to_string())));
                }
            }
        }
    }
    Ok(Ok(Answer {
        ids,
        known: new.into_iter().map(|item| item.id).collect(),
        payloads,
        cursor: if is_whole {
            found.cursor
        } else {
            claim.cursor.clone()
        },
        next: if is_whole {
            engine::poll::next(&claim.poll, now)
        } else {
            now
        },
    }))
}

/// Writes what becomes known, its runs, and when the next poll is due; returns the runs.
async fn write(tx: &mut Tx, claim: &ClaimedPoll, answer: Answer) -> Result<Vec<RunId>> {
    if !answer.known.is_empty() {
        know(tx, claim, &answer).await?;
    }
    let runs: Vec<Uuid> = answer.payloads.iter().map(|_| Uuid::now_v7()).collect();
    if !runs.is_empty() {
        start(tx, claim, &runs, &answer.payloads).await?;
    }
    sqlx::query!(
        "update poll
         set lease_until = null, is_begun = true, cursor = $2::text::json, last_at = now(),
            items = $3, started = started + $4, error = null, failures = 0,
            failing_since = null, next_at = $5
         where integration_id = $1",
        claim.integration.0,
        answer.cursor.as_ref().map(Value::to_string),
        i32::try_from(answer.ids.len()).unwrap_or(i32::MAX),
        i64::try_from(runs.len()).unwrap_or(i64::MAX),
        timestamp::write(answer.next),
    )
    .execute(&mut **tx)
    .await?;
    Ok(runs.into_iter().map(RunId).collect())
}

/// Makes items known, and forgets those that came longest ago and are not in the list any more.
async fn know(tx: &mut Tx, claim: &ClaimedPoll, answer: &Answer) -> Result<()> {
    sqlx::query!(
        "insert into poll_item (integration_id, id, organization_id)
         select $1, id, $2 from unnest($3::text[]) with ordinality as new (id, place)
         order by place",
        claim.integration.0,
        claim.organization.0,
        &answer.known,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "delete from poll_item
         where integration_id = $1 and id <> all($2) and seq <= (
             select seq from poll_item where integration_id = $1
             order by seq desc offset $3 limit 1
         )",
        claim.integration.0,
        &answer.ids,
        KEPT,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Inserts events, their runs and their places in the queue.
async fn start(tx: &mut Tx, claim: &ClaimedPoll, runs: &[Uuid], payloads: &[String]) -> Result<()> {
    let events: Vec<Uuid> = runs.iter().map(|_| Uuid::now_v7()).collect();
    sqlx::query!(
        "with starting as (
             select * from unnest($3::uuid[], $4::uuid[], $5::text[])
                as starting (event_id, run_id, payload)
         ), kept as (
             insert into event (event_id, organization_id, integration_id, kind, payload)
             select event_id, $1, $2, 'poll', payload::json from starting
         ), begun as (
             insert into run (run_id, organization_id, integration_id, event_id, hash, is_test,
                version_number, state)
             select run_id, $1, $2, event_id, $6, false, $7, 'queued' from starting
         )
         insert into run_queue (run_id, line_id) select run_id, $2 from starting",
        claim.organization.0,
        claim.integration.0,
        &events,
        runs,
        payloads,
        claim.hash.0,
        claim.version,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// A poll that failed.
pub(super) struct Failure {
    pub(super) integration: IntegrationId,
    pub(super) organization: OrganizationId,
    /// How many failed before it, one after the other.
    pub(super) failures: u32,
    /// When the first of those did.
    pub(super) since: Option<Timestamp>,
    pub(super) now: Timestamp,
    /// When the next one is due, unless the other side asks for later.
    pub(super) next: Timestamp,
}

/// Comes back when it may be the poll's turn at its host. What is known of it stays as it is.
async fn wait(
    tx: &mut Tx,
    claim: &ClaimedPoll,
    now: Timestamp,
    unanswered: &Unanswered,
) -> Result<()> {
    let after = unanswered.after.unwrap_or_default().min(LONGEST);
    let ms = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
    sqlx::query!(
        "update poll set lease_until = null, next_at = $2 where integration_id = $1",
        claim.integration.0,
        timestamp::write(Timestamp(now.0.saturating_add(ms))),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Notes why there is no answer, and when it is polled again; tells whoever is to know when that is
/// more than a moment. Returns whether it told.
pub(super) async fn fail(tx: &mut Tx, failure: Failure, unanswered: &Unanswered) -> Result<bool> {
    let asked = unanswered
        .after
        .unwrap_or_default()
        .min(LONGEST)
        .as_millis();
    let asked = i64::try_from(asked).unwrap_or(i64::MAX);
    let next = Timestamp(failure.next.0.max(failure.now.0.saturating_add(asked)));
    let since = failure.since.unwrap_or(failure.now);
    let failures = failure.failures.saturating_add(1);
    let error: String = unanswered.message.chars().take(ERROR).collect();
    let error = error.replace('\0', "\u{fffd}");
    sqlx::query!(
        "update poll
         set lease_until = null, error = $2, failures = $3, failing_since = $4, next_at = $5
         where integration_id = $1",
        failure.integration.0,
        error,
        i32::try_from(failures).unwrap_or(i32::MAX),
        timestamp::write(since),
        timestamp::write(next),
    )
    .execute(&mut **tx)
    .await?;
    if !is_failing(failures, since, next) {
        return Ok(false);
    }
    alert::polls::begin(tx, failure.organization, failure.integration, since, &error).await
}
