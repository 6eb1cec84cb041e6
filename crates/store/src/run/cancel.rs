//! Canceling a run, with the runs that it waits for.

use domain::IntegrationId;
use domain::RunId;
use domain::account::Me;
use domain::limit::CALL_DEPTH;
use domain::policy::{self, Act};
use domain::run::RunState;
use serde_json::json;

use super::state;
use crate::live::{Changed, What};
use crate::measure::Ended;
use crate::{Error, Refusal, Result, Store, Tx, audit};

/// A run that was ended.
struct Ending {
    id: RunId,
    integration: IntegrationId,
    is_test: bool,
    /// Whether another run may wait for a worker now.
    wakes: bool,
}

impl Store {
    /// Ends a run that is not over. A step that is under way may still reach its target; nothing
    /// is recorded of it. The called runs that it waits for are canceled with it, and one that waits
    /// for it goes on.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such run, or it is over.
    pub async fn cancel_run(&self, me: &Me, id: RunId) -> Result<()> {
        let (mut tx, role) = self.enter(me).await?;
        let is_test = sqlx::query_scalar!(
            "select is_test from run where organization_id = $1 and run_id = $2",
            me.organization.0,
            id.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::NotFound)?;
        policy::allow(role, if is_test { Act::Test } else { Act::Operate })?;
        let mut ended = Vec::new();
        // The innermost first, as whoever ends a called run does: it has that run's place in the
        // queue, and then that of the one that waits for it.
        for called in awaited(&mut tx, id).await? {
            ended.extend(end(&mut tx, me, called).await?);
        }
        let Some(ending) = end(&mut tx, me, id).await? else {
            let before = sqlx::query_scalar!(
                "select state from run where organization_id = $1 and run_id = $2 for update",
                me.organization.0,
                id.0,
            )
            .fetch_one(&mut *tx)
            .await?;
            let before = state(&before)?;
            if before.is_finished() {
                return Err(Refusal::RunOver(before).into());
            }
            // It was over a moment ago, and someone resumed it while we waited for its row.
            drop(tx);
            return Box::pin(self.cancel_run(me, id)).await;
        };
        ended.push(ending);
        if is_awaiting(&mut tx, &ended).await? {
            // One of them called another run meanwhile.
            drop(tx);
            return Box::pin(self.cancel_run(me, id)).await;
        }
        for ending in &ended {
            self.live().notify_canceled(&mut tx, ending.id).await?;
        }
        if ended.iter().any(|ending| ending.wakes) {
            self.live().notify_workers(&mut tx).await?;
        }
        let changed = ended.iter().map(|ending| Changed {
            organization: me.organization,
            what: What::Run(ending.id, ending.integration),
        });
        let changed = changed.collect();
        self.commit(tx, changed).await?;
        for ending in &ended {
            self.live().tell_canceled(ending.id);
            if !ending.is_test {
                self.inner.counters.ended(&[Ended {
                    integration: ending.integration,
                    state: RunState::Canceled,
                    latency_ms: None,
                }]);
            }
        }
        Ok(())
    }
}

/// Returns the called runs that a run waits for, and those that they wait for, and so on: the
/// innermost first, all of them locked before any of their callers is, which whoever ends one of
/// them wants next.
async fn awaited(tx: &mut Tx, id: RunId) -> Result<Vec<RunId>> {
    let called = sqlx::query_scalar!(
        r#"with recursive below as (
               select $1::uuid as run_id, 0 as depth
               union all
               select run.run_id, depth + 1
               from below
               join run on run.caller_id = below.run_id and caller_waits
               join run_queue on run_queue.run_id = run.run_id
               where depth <= $2
           )
           select run_id as "run_id!" from below where depth > 0 order by depth desc, run_id"#,
        id.0,
        i32::try_from(CALL_DEPTH).unwrap_or(i32::MAX),
    )
    .fetch_all(&mut **tx)
    .await?;
    let locked = sqlx::query_scalar!(
        "select run_queue.run_id
         from unnest($1::uuid[]) with ordinality as called (run_id, place)
         join run_queue on run_queue.run_id = called.run_id
         order by place
         for update of run_queue",
        &called,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(locked.into_iter().map(RunId).collect())
}

/// Returns whether one of these runs waits for another that is not over.
async fn is_awaiting(tx: &mut Tx, ended: &[Ending]) -> Result<bool> {
    let ids: Vec<_> = ended.iter().map(|ending| ending.id.0).collect();
    let is_awaiting = sqlx::query_scalar!(
        r#"select exists (
               select from run join run_queue using (run_id)
               where caller_id = any($1) and caller_waits
           ) as "is_awaiting!""#,
        &ids,
    )
    .fetch_one(&mut **tx)
    .await?;
    Ok(is_awaiting)
}

/// Ends a run that is in the queue. `None` when it is not there.
async fn end(tx: &mut Tx, me: &Me, id: RunId) -> Result<Option<Ending>> {
    // The queue first, as the journal does: whoever holds that row decides how the run ends.
    let left = sqlx::query!("delete from run_queue where run_id = $1", id.0)
        .execute(&mut **tx)
        .await?;
    if left.rows_affected() == 0 {
        return Ok(None);
    }
    let places = sqlx::query!("delete from throttle_place where run_id = $1", id.0)
        .execute(&mut **tx)
        .await?;
    let before = sqlx::query!(
        "select state, is_test, integration_id, case when caller_waits then caller_id end as waiting
         from run where organization_id = $1 and run_id = $2 for update",
        me.organization.0,
        id.0,
    )
    .fetch_optional(&mut **tx)
    .await?
    .ok_or(Error::NotFound)?;
    sqlx::query!(
        "update run set state = $2, finished_at = now() where run_id = $1",
        id.0,
        RunState::Canceled.key(),
    )
    .execute(&mut **tx)
    .await?;
    let woken = match before.waiting {
        Some(caller) => sqlx::query_scalar!("select wake_callers(array[$1::uuid])", caller)
            .fetch_one(&mut **tx)
            .await?
            .unwrap_or_default(),
        None => 0,
    };
    let detail = json!({ "was": before.state });
    audit::note(tx, me, "run.cancel", id.0, detail).await?;
    let ending = Ending {
        id,
        integration: IntegrationId(before.integration_id),
        is_test: before.is_test,
        wakes: places.rows_affected() > 0 || woken > 0,
    };
    Ok(Some(ending))
}
