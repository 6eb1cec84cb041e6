//! What holds the runs of an integration back: set, lifted, and counted.

use domain::IntegrationId;
use domain::account::Me;
use domain::limit::RUNS_COUNTED;
use domain::policy::Act;
use domain::throttle::{Held, Throttle, check_at_once};
use serde_json::json;

use super::{changed, exists};
use crate::{Result, Store, Tx, audit, number, stored, timestamp};

impl Store {
    /// Sets how many runs of an integration go on at once; `None` for as many as there is room
    /// for. What has begun goes on, also when it is more than that.
    ///
    /// # Errors
    /// When the role does not allow it, the number cannot be taken, or there is no such integration.
    pub async fn set_at_once(
        &self,
        me: &Me,
        id: IntegrationId,
        at_once: Option<u32>,
    ) -> Result<()> {
        let mut tx = self.begin(me, Act::Operate).await?;
        let at_once = check_at_once(at_once)?;
        begin(&mut tx, me, id).await?;
        let count = at_once.map(stored).transpose()?;
        match count {
            Some(count) => sqlx::query!(
                "insert into throttle (integration_id, organization_id, at_once)
                 values ($1, $2, $3)
                 on conflict (integration_id) do update set at_once = excluded.at_once",
                id.0,
                me.organization.0,
                count,
            ),
            None => sqlx::query!(
                "with lifted as (
                     delete from throttle where integration_id = $1 and paused_at is null
                 )
                 update throttle set at_once = null
                 where integration_id = $1 and organization_id = $2 and paused_at is not null",
                id.0,
                me.organization.0,
            ),
        }
        .execute(&mut *tx)
        .await?;
        end(&mut tx, id).await?;
        let detail = json!({ "at_once": at_once });
        audit::note(&mut tx, me, "integration.limit", id.0, detail).await?;
        self.commit_throttle(tx, me, id).await
    }

    /// Pauses an integration, or lets it go on. While it is paused, events are accepted and its
    /// schedule fires, but the runs that they start wait; what has begun goes on to its end.
    ///
    /// # Errors
    /// When the role does not allow it, or there is no such integration.
    pub async fn set_paused(&self, me: &Me, id: IntegrationId, paused: bool) -> Result<()> {
        let mut tx = self.begin(me, Act::Operate).await?;
        begin(&mut tx, me, id).await?;
        if paused {
            sqlx::query!(
                "insert into throttle (integration_id, organization_id, paused_at)
                 values ($1, $2, now())
                 on conflict (integration_id)
                    do update set paused_at = coalesce(throttle.paused_at, now())",
                id.0,
                me.organization.0,
            )
        } else {
            sqlx::query!(
                "with lifted as (
                     delete from throttle where integration_id = $1 and at_once is null
                 )
                 update throttle set paused_at = null
                 where integration_id = $1 and organization_id = $2 and at_once is not null",
                id.0,
                me.organization.0,
            )
        }
        .execute(&mut *tx)
        .await?;
        end(&mut tx, id).await?;
        let act = match paused {
            true => "integration.pause",
            false => "integration.continue",
        };
        audit::note(&mut tx, me, act, id.0, json!({})).await?;
        self.commit_throttle(tx, me, id).await
    }

    async fn commit_throttle(&self, mut tx: Tx, me: &Me, id: IntegrationId) -> Result<()> {
        self.live().notify_workers(&mut tx).await?;
        self.commit(tx, vec![changed(me, id)]).await?;
        self.live().wake_workers();
        Ok(())
    }
}

/// Waits until nobody lets runs begin by what is about to be changed, and nobody will meanwhile.
async fn begin(tx: &mut Tx, me: &Me, id: IntegrationId) -> Result<()> {
    exists(tx, me, id).await?;
    sqlx::query!("select lock_throttles()")
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Gives places to the runs that have begun where there is a throttle now, and takes all back
/// where there is none.
async fn end(tx: &mut Tx, id: IntegrationId) -> Result<()> {
    sqlx::query!(
        "with lifted as (
             delete from throttle_place where integration_id = $1
                and not exists (select from throttle where integration_id = $1)
         )
         insert into throttle_place (run_id, integration_id, organization_id)
         select run_id, throttle.integration_id, throttle.organization_id
         from throttle
         join run_queue on line_id = throttle.integration_id
         join run using (run_id)
         where throttle.integration_id = $1 and fence > 0 and state in ('running', 'waiting')
         on conflict do nothing",
        id.0,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Reads what holds an integration's runs back, and how many there are.
pub(super) async fn read(tx: &mut Tx, me: &Me, id: IntegrationId) -> Result<Throttle> {
    let row = sqlx::query!(
        r#"with queued as (
               select state in ('running', 'waiting') as begun
               from run_queue join run using (run_id)
               where run.organization_id = $1 and line_id = $2
               limit $3
           )
           select at_once as "at_once?", paused_at as "paused_at?",
                (select count(*) from queued where not begun)::integer as "waiting!",
                (select count(*) from queued where begun)::integer as "begun!"
           from (select) as always
           left join throttle on throttle.organization_id = $1 and integration_id = $2"#,
        me.organization.0,
        id.0,
        i64::from(RUNS_COUNTED),
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(Throttle {
        at_once: row.at_once.map(number).transpose()?,
        paused_at: row.paused_at.map(timestamp::read),
        waiting: number(row.waiting)?,
        begun: number(row.begun)?,
    })
}

/// Returns what keeps runs of an integration from beginning at this moment.
pub(crate) async fn held(tx: &mut Tx, me: &Me, id: IntegrationId) -> Result<Option<Held>> {
    // A place whose run is gone from the queue was left behind, and counts for nobody.
    let row = sqlx::query!(
        r#"select at_once, paused_at,
                (select count(*) from throttle_place join run_queue using (run_id)
                 where throttle_place.integration_id = $2)::integer as "places!"
           from throttle where organization_id = $1 and integration_id = $2"#,
        me.organization.0,
        id.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if let Some(at) = row.paused_at {
        return Ok(Some(Held::Paused(timestamp::read(at))));
    }
    let limit = row.at_once.filter(|at_once| row.places >= *at_once);
    Ok(limit.map(number).transpose()?.map(Held::Limit))
}
