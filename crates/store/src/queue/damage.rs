//! Runs of which something is stored that Postgres finds damaged: each fails alone. Read together
//! with others it keeps all of them from being executed, and what is claimed first is so each time.

use std::collections::HashMap;

use domain::RunId;
use domain::run::RunState;
use engine::port::Lease;
use uuid::Uuid;

use super::{ClaimedRun, LEASE, UNREADABLE, WorkerId};
use crate::error::is_damaged;
use crate::{Result, Store};

/// So many runs of a line may be among those of one claim.
const OF_A_LINE: i64 = 100;
/// Runs that are read at once.
const AT_ONCE: usize = 100;

impl Store {
    /// Fails runs that a claim may take, and that are damaged in what it reads: those among the first
    /// hundred of these, so that claims go on soon. It reads all that wait before them, so call it
    /// only after a claim failed for that. Runs whose workers are silent are left alone: whether
    /// they are is not known any more.
    pub(super) async fn fail_damaged(&self, worker: WorkerId) -> Result<()> {
        let due = sqlx::query_scalar!(
            r#"select run_id as "run_id!" from (
                   select waiting.run_id, waiting.due_at
                   from (select distinct line_id from run_queue) as line
                   cross join lateral (
                       select run_id, due_at from run_queue
                       where run_queue.line_id = line.line_id and due_at <= now()
                            and (lease_until is null or lease_until <= 'epoch')
                       order by due_at, run_id limit $1
                   ) as waiting
                   union
                   select run_id, due_at from throttle_place join run_queue using (run_id)
                   where due_at <= now() and (lease_until is null or lease_until <= 'epoch')
               ) as due order by due_at, run_id"#,
            OF_A_LINE,
        )
        .fetch_all(&self.inner.system)
        .await?;
        for runs in due.chunks(AT_ONCE) {
            if self.are_whole(runs).await? {
                continue;
            }
            for run in runs {
                if !self.are_whole(&[*run]).await?
                    && let Some(lease) = self.lease_one(worker, *run).await?
                {
                    self.give_up(lease, RunState::Failed, UNREADABLE).await;
                    self.put_off(lease).await?;
                }
            }
            break;
        }
        Ok(())
    }

    /// Lets a run wait for a day whose end could not be written, as its own row is damaged.
    async fn put_off(&self, lease: Lease) -> Result<()> {
        sqlx::query!(
            "update run_queue
             set due_at = now() + interval '1 day', worker = null, lease_until = null,
                is_alone = false
             where run_id = $1 and fence = $2",
            lease.run.0,
            lease.fence,
        )
        .execute(&self.inner.system)
        .await?;
        Ok(())
    }

    /// Returns whether all can be read that a claim reads of these runs.
    async fn are_whole(&self, runs: &[Uuid]) -> Result<bool> {
        let read = sqlx::query!(
            "select octet_length(payload::text) + octet_length(scope::text)
                    + octet_length(network::text) as bytes
             from run join event using (event_id)
             join organization on organization.organization_id = run.organization_id
             where run_id = any($1)",
            runs,
        )
        .fetch_all(&self.inner.system)
        .await;
        match read.map_err(Into::into) {
            Ok(_) => Ok(true),
            Err(error) if is_damaged(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Claims this run, unless someone has it.
    async fn lease_one(&self, worker: WorkerId, run: Uuid) -> Result<Option<Lease>> {
        let fence = sqlx::query_scalar!(
            "update run_queue set worker = $2, lease_until = now() + make_interval(secs => $3),
                    fence = fence + 1
             where run_id = $1 and (lease_until is null or lease_until <= 'epoch')
             returning fence",
            run,
            worker.0,
            LEASE.as_secs_f64(),
        )
        .fetch_optional(&self.inner.system)
        .await?;
        let run = RunId(run);
        Ok(fence.map(|fence| Lease { run, fence }))
    }

    /// Returns what runs recorded, by run; for one whose records are damaged, that.
    pub(super) async fn readable_histories(
        &self,
        runs: Vec<Uuid>,
    ) -> Result<HashMap<Uuid, Result<Vec<String>>>> {
        match self.histories(runs.clone()).await {
            Err(error) if is_damaged(&error) => {}
            read => {
                let histories = read?.into_iter();
                return Ok(histories.map(|(run, history)| (run, Ok(history))).collect());
            }
        }
        let mut histories = HashMap::new();
        for run in runs {
            let history = match self.histories(vec![run]).await {
                Ok(mut alone) => Ok(alone.remove(&run).unwrap_or_default()),
                Err(error) if is_damaged(&error) => Err(error),
                Err(error) => return Err(error),
            };
            histories.insert(run, history);
        }
        Ok(histories)
    }

    /// Reads what came of the calls that are under way in these runs; those for which it is damaged
    /// fail.
    pub(super) async fn read_readable_returned(&self, runs: &mut Vec<ClaimedRun>) -> Result<()> {
        match self.read_returned(runs).await {
            Err(error) if is_damaged(&error) => {}
            read => return read,
        }
        for run in std::mem::take(runs) {
            let lease = run.lease;
            let mut alone = vec![run];
            match self.read_returned(&mut alone).await {
                Ok(()) => runs.append(&mut alone),
                Err(error) if is_damaged(&error) => {
                    tracing::error!(run = %lease.run, ?error, "what a run called cannot be read");
                    self.give_up(lease, RunState::Failed, UNREADABLE).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
