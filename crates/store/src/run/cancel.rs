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
    /// is recorded of it. A called run that it waits for is canceled with it, and one that waits
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
        let below = awaited(&mut tx, id).await?;
        let mut ended = Vec::new();
        // The innermost first, as whoever ends a called run does: it has that run's place in the
        // queue, and then looks for the one that waits for it.
        for called in below.iter().rev() {
            ended.extend(end(&mut tx, me, *called).await?);
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
        if ending.1.is_some_and(|awaits| !below.contains(&awaits)) {
            // It began to wait for another run meanwhile.
            drop(tx);
            return Box::pin(self.cancel_run(me, id)).await;
        }
        ended.push(ending);
        for (ending, _) in &ended {
            self.live().notify_canceled(&mut tx, ending.id).await?;
        }
        if ended.iter().any(|(ending, _)| ending.wakes) {
            self.live().notify_workers(&mut tx).await?;
        }
        let changed = ended.iter().map(|(ending, _)| Changed {
            organization: me.organization,
            what: What::Run(ending.id, ending.integration),
        });
        let changed = changed.collect();
        self.commit(tx, changed).await?;
        for (ending, _) in &ended {
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

/// Returns the called run that a run waits for, the one that that one waits for, and so on.
async fn awaited(tx: &mut Tx, id: RunId) -> Result<Vec<RunId>> {
    let called = sqlx::query_scalar!(
        r#"with recursive chain as (
               select awaits, 1 as depth from run_queue
               where run_id = $1 and due_at = 'infinity' and awaits is not null
               union all
               select run_queue.awaits, depth + 1
               from chain join run_queue on run_queue.run_id = chain.awaits
               where depth <= $2 and due_at = 'infinity' and run_queue.awaits is not null
           )
           select awaits as "awaits!" from chain order by depth"#,
        id.0,
        i32::try_from(CALL_DEPTH).unwrap_or(i32::MAX),
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(called.into_iter().map(RunId).collect())
}

/// Ends a run that is in the queue; returns it, and the called run that it waited for. `None` when
/// it is not there.
async fn end(tx: &mut Tx, me: &Me, id: RunId) -> Result<Option<(Ending, Option<RunId>)>> {
    // The queue first, as the journal does: whoever holds that row decides how the run ends.
    let left = sqlx::query!(
        r#"delete from run_queue where run_id = $1
           returning case when due_at = 'infinity' then awaits end as "awaits""#,
        id.0
    )
    .fetch_optional(&mut **tx)
    .await?;
    let Some(left) = left else { return Ok(None) };
    let places = sqlx::query!("delete from throttle_place where run_id = $1", id.0)
        .execute(&mut **tx)
        .await?;
    let before = sqlx::query!(
        "select state, is_test, integration_id, caller_id from run
         where organization_id = $1 and run_id = $2 for update",
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
    let woken = sqlx::query!(
        "update run_queue set due_at = now()
         where run_id = $1 and awaits = $2 and due_at = 'infinity'",
        before.caller_id,
        id.0,
    )
    .execute(&mut **tx)
    .await?;
    let detail = json!({ "was": before.state });
    audit::note(tx, me, "run.cancel", id.0, detail).await?;
    let ending = Ending {
        id,
        integration: IntegrationId(before.integration_id),
        is_test: before.is_test,
        wakes: places.rows_affected() + woken.rows_affected() > 0,
    };
    Ok(Some((ending, left.awaits.map(RunId))))
}
