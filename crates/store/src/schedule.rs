//! Schedules: when they fire next, and firing each instant once.

use domain::{IntegrationId, OrganizationId, RunId, Timestamp};
use engine::schedule::next_fires;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::live::{Changed, What};
use crate::{Result, Store, Tx, document, timestamp};

/// Most schedules that are fired in one transaction.
const AT_ONCE: i64 = 500;

impl Store {
    /// Fires the schedules that are due at `now`, up to 500: each instant becomes one run, however
    /// many processes ask at once. Returns the runs; when there are 500, ask again at once.
    ///
    /// A schedule whose instants were missed, because no process was up, fires once for all of
    /// them and goes on after `now`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due(&self, now: Timestamp) -> Result<Vec<RunId>> {
        let mut tx = self.inner.system.begin().await?;
        let due = sqlx::query_as!(
            Due,
            "select schedule.integration_id, schedule.organization_id, cron, time_zone, next_fire,
                    number, hash
             from schedule
             join integration on integration.integration_id = schedule.integration_id
             join version on version_id = live_version_id
             where next_fire <= $1
             order by next_fire limit $2
             for update of schedule skip locked",
            timestamp::write(now),
            AT_ONCE,
        )
        .fetch_all(&mut *tx)
        .await?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let fired = fire(&mut tx, &due).await?;
        move_on(&mut tx, &due, now).await?;
        self.live().notify_workers(&mut tx).await?;
        tx.commit().await?;
        self.live().wake_workers();
        self.live().tell_all(fired.iter().copied());
        let runs = fired.into_iter().filter_map(|changed| match changed.what {
            What::Run(run, _) => Some(run),
            _ => None,
        });
        Ok(runs.collect())
    }

    /// Moves schedules that fire later than they would from `now` on to when they would: a clock was
    /// ahead when they fired last. Returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pull_schedules_back(&self, now: Timestamp) -> Result<usize> {
        let (mut last, mut moved) = (Uuid::nil(), 0);
        loop {
            let rows = sqlx::query!(
                "select integration_id, cron, time_zone, next_fire from schedule
                 where integration_id > $1 order by integration_id limit $2",
                last,
                AT_ONCE,
            )
            .fetch_all(&self.inner.system)
            .await?;
            let Some(row) = rows.last() else {
                return Ok(moved);
            };
            last = row.integration_id;
            for row in rows {
                let next = next(&row.cron, &row.time_zone, now).map(timestamp::write);
                let Some(next) = next.filter(|next| *next < row.next_fire) else {
                    continue;
                };
                // Unless it was fired or set meanwhile.
                let set = sqlx::query!(
                    "update schedule set next_fire = $3
                     where integration_id = $1 and next_fire = $2",
                    row.integration_id,
                    row.next_fire,
                    next,
                )
                .execute(&self.inner.system)
                .await?;
                moved += usize::from(set.rows_affected() > 0);
            }
        }
    }
}

/// A schedule that is due; its row is locked.
struct Due {
    integration_id: Uuid,
    organization_id: Uuid,
    cron: String,
    time_zone: String,
    next_fire: OffsetDateTime,
    number: i32,
    hash: String,
}

impl Due {
    fn payload(&self) -> String {
        let at = timestamp::text(timestamp::read(self.next_fire));
        json!({ "scheduled_at": at, "time_zone": self.time_zone }).to_string()
    }
}

/// Inserts a run for each instant that has none yet.
async fn fire(tx: &mut Tx, due: &[Due]) -> Result<Vec<Changed>> {
    let payloads: Vec<_> = due.iter().map(Due::payload).collect();
    let rows = sqlx::query!(
        r#"with due as (
               select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[],
                    $5::timestamptz[], $6::text[], $7::integer[], $8::text[])
                    as due (event_id, run_id, organization_id, integration_id, fire_at, hash,
                        version_number, payload)
           ), fired as (
               insert into schedule_fire (integration_id, fire_at, organization_id, run_id)
               select integration_id, fire_at, organization_id, run_id from due
               on conflict do nothing
               returning run_id
           ), starting as (
               select due.* from due join fired using (run_id)
           ), kept as (
               insert into event (event_id, organization_id, integration_id, kind, payload)
               select event_id, organization_id, integration_id, 'schedule', payload::json
               from starting
           ), begun as (
               insert into run (run_id, organization_id, integration_id, event_id, hash, is_test,
                    version_number, state)
               select run_id, organization_id, integration_id, event_id, hash, false,
                    version_number, 'queued'
               from starting
           ), queued as (
               insert into run_queue (run_id, line_id) select run_id, integration_id from starting
           )
           select run_id as "run_id!", organization_id as "organization_id!",
                integration_id as "integration_id!"
           from starting"#,
        &due.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>(),
        &due.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>(),
        &due.iter()
            .map(|due| due.organization_id)
            .collect::<Vec<_>>(),
        &due.iter().map(|due| due.integration_id).collect::<Vec<_>>(),
        &due.iter().map(|due| due.next_fire).collect::<Vec<_>>(),
        &due.iter().map(|due| due.hash.as_str()).collect::<Vec<_>>() as &[&str],
        &due.iter().map(|due| due.number).collect::<Vec<_>>(),
        &payloads,
    )
    .fetch_all(&mut **tx)
    .await?;
    let fired = rows.into_iter().map(|row| Changed {
        organization: OrganizationId(row.organization_id),
        what: What::Run(RunId(row.run_id), IntegrationId(row.integration_id)),
    });
    Ok(fired.collect())
}

/// Sets the next instants after `now`; a schedule that never fires again is dropped.
async fn move_on(tx: &mut Tx, due: &[Due], now: Timestamp) -> Result<()> {
    let integrations: Vec<_> = due.iter().map(|due| due.integration_id).collect();
    let nexts: Vec<_> = due
        .iter()
        .map(|due| {
            let after = now.max(timestamp::read(due.next_fire));
            next(&due.cron, &due.time_zone, after).map(timestamp::write)
        })
        .collect();
    sqlx::query!(
        "update schedule set next_fire = moved.next_fire
         from unnest($1::uuid[], $2::timestamptz[]) as moved (integration_id, next_fire)
         where schedule.integration_id = moved.integration_id and moved.next_fire is not null",
        &integrations,
        &nexts as &[Option<OffsetDateTime>],
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "delete from schedule using unnest($1::uuid[], $2::timestamptz[])
            as moved (integration_id, next_fire)
         where schedule.integration_id = moved.integration_id and moved.next_fire is null",
        &integrations,
        &nexts as &[Option<OffsetDateTime>],
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Sets when the integration fires next, from now on; nothing when it is disabled, not published,
/// or started by another trigger. What is due already, and was not fired yet, stays due, unless it
/// is another schedule now.
pub(crate) async fn set(
    tx: &mut Tx,
    organization: OrganizationId,
    integration: IntegrationId,
) -> Result<()> {
    let before = sqlx::query!(
        "delete from schedule where integration_id = $1 returning cron, time_zone, next_fire",
        integration.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    let live = sqlx::query!(
        r#"select body, now() as "now!"
           from integration
           join version on version_id = live_version_id
           join document on document.organization_id = $1 and document.hash = version.hash
           where integration.integration_id = $2 and integration.organization_id = $1
                and enabled and trigger = 'schedule'"#,
        organization.0,
        integration.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(live) = live else { return Ok(()) };
    let config = document::read(live.body)?.trigger.config;
    let (cron, time_zone) = (text(&config, "cron"), text(&config, "time_zone"));
    let due = before.filter(|before| {
        before.next_fire <= live.now && (&*before.cron, &*before.time_zone) == (cron, time_zone)
    });
    let next = match due {
        Some(due) => Some(due.next_fire),
        None => next(cron, time_zone, timestamp::read(live.now)).map(timestamp::write),
    };
    let Some(next) = next else {
        return Ok(());
    };
    sqlx::query!(
        "insert into schedule (integration_id, organization_id, cron, time_zone, next_fire)
         values ($1, $2, $3, $4, $5)",
        integration.0,
        organization.0,
        cron,
        time_zone,
        next,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Returns the first fire after an instant; `None` when it never fires again.
fn next(cron: &str, time_zone: &str, after: Timestamp) -> Option<Timestamp> {
    next_fires(cron, time_zone, after, 1).into_iter().next()
}

fn text<'c>(config: &'c Map<String, Value>, field: &str) -> &'c str {
    config
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
}
