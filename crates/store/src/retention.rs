//! How long runs are kept, and deleting those that are older.
//!
//! Deleted are runs that are over, with their events and what their steps did; never versions,
//! reviews, drafts, pins or the audit. It goes through the organizations in small transactions,
//! oldest runs first, and touches no row that the queue or the journal writes.

use domain::account::Me;
use domain::delivery::KEPT_DAYS;
use domain::policy::Act;
use domain::retention::check_days;
use serde_json::json;
use time::Duration;
use uuid::Uuid;

use crate::{Result, Store, Tx, audit, number, organization, stored};

/// Runs that are looked at in one transaction.
const AT_ONCE: i64 = 500;
/// Held while runs are deleted, so that no two processes do it at once.
const DELETING: i64 = 0x7265_7461_696e;

/// Where deleting goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    organization: Uuid,
    /// Tests come after live runs.
    tests: bool,
    /// The last run that was looked at.
    after: Uuid,
}

impl Place {
    fn first_of(organization: Uuid) -> Self {
        Self {
            organization,
            tests: false,
            after: Uuid::nil(),
        }
    }

    /// Returns the place behind `looked`, of which there may be more when there are as many as can
    /// be looked at.
    fn behind(self, looked: &[Uuid]) -> Self {
        match looked.last() {
            Some(last) if i64::try_from(looked.len()).is_ok_and(|len| len >= AT_ONCE) => Self {
                after: *last,
                ..self
            },
            _ if !self.tests => Self {
                tests: true,
                after: Uuid::nil(),
                ..self
            },
            _ => Self::first_of(Uuid::from_u128(
                self.organization.as_u128().saturating_add(1),
            )),
        }
    }
}

/// What one step of deleting did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Runs that are gone.
    pub runs: u64,
    /// Where to go on; `None` when all organizations were gone through, or another process is at it.
    pub next: Option<Place>,
}

impl Store {
    /// Returns for how many days the organization keeps its runs, counted from their end.
    ///
    /// # Errors
    /// When the session ended.
    pub async fn retention(&self, me: &Me) -> Result<u32> {
        let mut tx = self.begin(me, Act::See).await?;
        number(days(&mut tx, me).await?)
    }

    /// Sets for how many days the organization keeps its runs. What is older is deleted soon, and
    /// does not come back.
    ///
    /// # Errors
    /// When the role does not allow it, or the number is out of its bounds.
    pub async fn set_retention(&self, me: &Me, wanted: u32) -> Result<()> {
        let mut tx = self.begin(me, Act::ManageRetention).await?;
        let wanted = check_days(wanted)?;
        let before = days(&mut tx, me).await?;
        sqlx::query!(
            "update organization set retention_days = $2 where organization_id = $1",
            me.organization.0,
            stored(wanted)?,
        )
        .execute(&mut *tx)
        .await?;
        let detail = json!({ "from_days": before, "to_days": wanted });
        let subject = me.organization.0;
        audit::note(&mut tx, me, "organization.retention", subject, detail).await?;
        self.commit(tx, vec![organization::changed(me.organization)])
            .await
    }

    /// Looks at up to 500 runs that began before what their organization keeps, and deletes those
    /// that ended before it. Begin without a place, and go on at the one that is returned.
    ///
    /// A run stays as long as it is not over, as it is the first of those for which its integration
    /// is failing, as the run that called it stays, and, as a test, as long as its draft is open: a
    /// review may count on it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_old_runs(&self, from: Option<Place>) -> Result<Deleted> {
        let nothing = Deleted {
            runs: 0,
            next: None,
        };
        let mut tx = self.inner.system.begin().await?;
        let is_free = sqlx::query_scalar!(
            r#"select pg_try_advisory_xact_lock($1) as "free!""#,
            DELETING
        )
        .fetch_one(&mut *tx)
        .await?;
        if !is_free {
            return Ok(nothing);
        }
        let from = from.unwrap_or(Place::first_of(Uuid::nil()));
        let found = sqlx::query!(
            r#"select organization_id, now() - make_interval(days => retention_days) as "before!"
               from organization where organization_id >= $1
               order by organization_id limit 1"#,
            from.organization,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(found) = found else {
            return Ok(nothing);
        };
        let place = match found.organization_id == from.organization {
            true => from,
            false => Place::first_of(found.organization_id),
        };
        // Ids begin with the time, of a clock that may go ahead of ours; what ended before
        // `before` began before it, so this only has to be late enough.
        let millis = (found.before + Duration::HOUR).unix_timestamp_nanos() / 1_000_000;
        let end = Uuid::from_u128(u128::try_from(millis).unwrap_or(0) << 80);
        let looked = oldest(&mut tx, place, end).await?;
        let runs = delete(&mut tx, &looked, found.before).await?;
        delete_alerts(&mut tx, place.organization, found.before).await?;
        tx.commit().await?;
        Ok(Deleted {
            runs,
            next: Some(place.behind(&looked)),
        })
    }

    /// Forgets up to 500 names of deliveries that are older than they are kept
    /// ([`KEPT_DAYS`]). Returns how many there were; when there are 500, there may be more.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget_deliveries(&self) -> Result<u64> {
        let deleted = sqlx::query!(
            "delete from delivery using (
                 select integration_id, name, source from delivery
                 where at < now() - make_interval(days => $1)
                 order by at limit $2
                 for update skip locked
             ) as old
             where delivery.integration_id = old.integration_id and delivery.name = old.name
                and delivery.source = old.source",
            KEPT_DAYS,
            AT_ONCE,
        )
        .execute(&self.inner.system)
        .await?;
        Ok(deleted.rows_affected())
    }
}

async fn days(tx: &mut Tx, me: &Me) -> Result<i32> {
    let days = sqlx::query_scalar!(
        "select retention_days from organization where organization_id = $1",
        me.organization.0,
    );
    Ok(days.fetch_one(&mut **tx).await?)
}

/// Returns the oldest runs behind a place whose ids are below `end`, oldest first.
async fn oldest(tx: &mut Tx, place: Place, end: Uuid) -> Result<Vec<Uuid>> {
    let runs = match place.tests {
        false => {
            sqlx::query_scalar!(
                "select run_id from run
             where organization_id = $1 and not is_test and run_id > $2 and run_id < $3
             order by run_id limit $4",
                place.organization,
                place.after,
                end,
                AT_ONCE,
            )
            .fetch_all(&mut **tx)
            .await?
        }
        true => {
            sqlx::query_scalar!(
                "select run_id from run
             where organization_id = $1 and is_test and run_id > $2 and run_id < $3
             order by run_id limit $4",
                place.organization,
                place.after,
                end,
                AT_ONCE,
            )
            .fetch_all(&mut **tx)
            .await?
        }
    };
    Ok(runs)
}

/// Deletes those of these runs that may go; returns how many. Whoever resumes one at this moment
/// has its row locked, and keeps it. The instants of schedules go with the runs that they became:
/// none that is so long ago fires again. (They are those of another clock, hence the hour.)
async fn delete(tx: &mut Tx, runs: &[Uuid], before: time::OffsetDateTime) -> Result<u64> {
    if runs.is_empty() {
        return Ok(0);
    }
    let deleted = sqlx::query!(
        "with old as (
             select run_id, event_id, integration_id, created_at from run
             where run_id = any($1) and finished_at < $2
                and state in ('succeeded', 'failed', 'in_doubt', 'quarantined', 'canceled')
                and not exists (select from run_queue where run_queue.run_id = run.run_id)
                and not exists (
                    select from failing
                    where failing.integration_id = run.integration_id and since is not null
                        and failing.run_id = run.run_id
                )
                -- A run that is resumed reads what came of its calls.
                and not exists (select from run as caller where caller.run_id = run.caller_id)
                and not exists (
                    select from draft
                    where draft.draft_id = run.draft_id and run.is_test
                        and draft.state not in ('published', 'discarded')
                )
             order by run_id
             for update of run skip locked
         ), records as (
             delete from run_record using old where run_record.run_id = old.run_id
         ), events as (
             delete from event using old where event.event_id = old.event_id
         ), fires as (
             delete from schedule_fire using (
                 select integration_id, max(created_at) as until from old group by integration_id
             ) as of_integration
             where schedule_fire.integration_id = of_integration.integration_id
                and fire_at <= until + interval '1 hour' and fire_at < $2
         )
         delete from run using old where run.run_id = old.run_id",
        runs,
        before,
    )
    .execute(&mut **tx)
    .await?;
    Ok(deleted.rows_affected())
}

/// Deletes alerts that are as old, with what the outbox has of them.
async fn delete_alerts(
    tx: &mut Tx,
    organization: Uuid,
    before: time::OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "delete from alert where alert_id in (
             select alert_id from alert where organization_id = $1 and at < $2
             order by at limit $3
         )",
        organization,
        before,
        AT_ONCE,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_organization_is_gone_through_once_live_runs_first() {
        let one = Uuid::from_u128(7);
        let first = Place::first_of(one);
        let many: Vec<Uuid> = (1..=500).map(Uuid::from_u128).collect();
        let second = first.behind(&many);
        assert_eq!((second.tests, second.after), (false, Uuid::from_u128(500)));
        let tests = second.behind(&many[..3]);
        assert_eq!((tests.tests, tests.after), (true, Uuid::nil()));
        let next = tests.behind(&[]);
        assert_eq!(next, Place::first_of(Uuid::from_u128(8)));
    }
}
