//! Canceling a run, with the runs that it waits for.

use domain::IntegrationId;
use domain::RunId;
use domain::account::Me;
use domain::limit::CALL_DEPTH;
use domain::policy::{self, Act};
use domain::run::RunState;
use uuid::Uuid;

use super::{state, unless_in_a_circle};
use crate::live::{Changed, What};
use crate::measure::Ended;
use crate::{Error, Refusal, Result, Store, Tx};

/// A run that was ended.
struct Ending {
    id: RunId,
    integration: IntegrationId,
    is_test: bool,
    /// The run that waits for it.
    waiting: Option<Uuid>,
    /// Whether another run may have the place now that one of them had.
    has_given_back: bool,
}

impl Store {
    /// Ends a run that is not over. A step that is under way may still reach its target; nothing
    /// is recorded of it. The called runs that it waits for are canceled with it, and one that waits
    /// for it goes on.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such run, or it is over.
    pub async fn cancel_run(&self, me: &Me, id: RunId) -> Result<()> {
        // Whoever ends a called run has its place first, and its caller's after, as this does. But
        // the journal also has places of several runs at once, in the order of their ids, among
        // which may be a run and one that it called.
        unless_in_a_circle(|| self.cancel_once(me, id)).await
    }

    async fn cancel_once(&self, me: &Me, id: RunId) -> Result<()> {
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
        let runs = with_awaited(&mut tx, id).await?;
        let ended = end(&mut tx, me, &runs).await?;
        if !ended.iter().any(|ending| ending.id == id) {
            // Its row is not waited for: whoever resumes it has that, and may want a place that
            // this has.
            let before = sqlx::query_scalar!(
                "select state from run where organization_id = $1 and run_id = $2",
                me.organization.0,
                id.0,
            )
            .fetch_one(&mut *tx)
            .await?;
            let before = state(&before)?;
            if before.is_finished() {
                return Err(Refusal::RunOver(before).into());
            }
            // It was over a moment ago, and someone resumed it meanwhile.
            drop(tx);
            return Box::pin(self.cancel_once(me, id)).await;
        }
        if is_awaiting(&mut tx, &ended).await? {
            // One of them called another run meanwhile.
            drop(tx);
            return Box::pin(self.cancel_once(me, id)).await;
        }
        let woken = wake(&mut tx, &ended).await?;
        let ids: Vec<RunId> = ended.iter().map(|ending| ending.id).collect();
        self.live().notify_canceled(&mut tx, &ids).await?;
        if woken > 0 || ended.iter().any(|ending| ending.has_given_back) {
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

/// Returns a run, and before it those that it waits for, and that they wait for, and so on, the
/// innermost first, as far as they are in the queue. Each one's place there is locked before its
/// caller's, as whoever ends it does; who has that decides how the run ends.
async fn with_awaited(tx: &mut Tx, id: RunId) -> Result<Vec<Uuid>> {
    let below = sqlx::query_scalar!(
        r#"with recursive below as (
               select $1::uuid as run_id, 0 as depth
               union all
               select run.run_id, depth + 1
               from below
               join run on run.caller_id = below.run_id and caller_waits
               join run_queue on run_queue.run_id = run.run_id
               where depth <= $2
           )
           select run_id as "run_id!" from below order by depth desc, run_id"#,
        id.0,
        i32::try_from(CALL_DEPTH).unwrap_or(i32::MAX),
    )
    .fetch_all(&mut **tx)
    .await?;
    let locked = sqlx::query_scalar!(
        "select run_queue.run_id
         from unnest($1::uuid[]) with ordinality as below (run_id, place)
         join run_queue on run_queue.run_id = below.run_id
         order by place
         for update of run_queue",
        &below,
    )
    .fetch_all(&mut **tx)
    .await?;
    Ok(locked)
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

/// Ends runs whose places in the queue are locked, and notes each.
async fn end(tx: &mut Tx, me: &Me, runs: &[Uuid]) -> Result<Vec<Ending>> {
    let rows = sqlx::query!(
        r#"with gone as (
               delete from run_queue where run_id = any($1) returning run_id
           ), given_back as (
               delete from throttle_place using gone
               where throttle_place.run_id = gone.run_id
               returning throttle_place.run_id
           ), before as (
               select run.run_id, state, is_test, integration_id,
                    case when caller_waits then caller_id end as waiting_id
               from gone join run on run.run_id = gone.run_id
               where organization_id = $2
               order by array_position($1, run.run_id)
               for update of run
           ), told as (
               update run set state = $4, finished_at = now()
               from before where run.run_id = before.run_id
           ), noted as (
               insert into audit (organization_id, account_id, act, subject, detail)
               select $2, $3, 'run.cancel', run_id, json_build_object('was', state) from before
           )
           select run_id, is_test, integration_id, waiting_id,
                exists (select from given_back) as "has_given_back!"
           from before"#,
        runs,
        me.organization.0,
        me.account.0,
        RunState::Canceled.key(),
    )
    .fetch_all(&mut **tx)
    .await?;
    let ended = rows.into_iter().map(|row| Ending {
        id: RunId(row.run_id),
        integration: IntegrationId(row.integration_id),
        is_test: row.is_test,
        waiting: row.waiting_id,
        has_given_back: row.has_given_back,
    });
    Ok(ended.collect())
}

/// Lets runs go on that wait for ones that were ended; returns how many.
async fn wake(tx: &mut Tx, ended: &[Ending]) -> Result<i64> {
    let waiting: Vec<Uuid> = ended.iter().filter_map(|ending| ending.waiting).collect();
    if waiting.is_empty() {
        return Ok(0);
    }
    let woken = sqlx::query_scalar!("select wake_callers($1)", &waiting)
        .fetch_one(&mut **tx)
        .await?;
    Ok(woken.unwrap_or_default())
}
