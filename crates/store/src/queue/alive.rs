//! Which workers live: each holds a lock in the database for as long as its process does.
//!
//! Leases are for workers that hang, or whose machine is gone without a word. A process that is
//! killed closes its connections, Postgres frees its lock, and its runs go on within two seconds.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::WorkerId;
use crate::own_connection::silent;
use crate::{Result, Store};

/// How often a worker looks whether it still holds its lock.
const PULSE: Duration = Duration::from_millis(250);
/// How long the database may take to answer. A server that took the place of another has no locks
/// yet: the sooner ours is taken anew, the better.
const ANSWER: Duration = Duration::from_secs(2);
/// How long a lock may be held still by a connection that was lost: until Postgres finds out.
const LOCKING: Duration = Duration::from_secs(15);
/// How long a lock must have been free: a connection that was cut is made anew in less.
const CERTAIN: Duration = Duration::from_millis(900);
/// How long after its start Postgres is no witness of workers that have not locked anew since: it
/// freed all locks when it ended. As long after it could not be reached, as it may have read its log
/// through between its start and its first answer.
const STARTING: Duration = Duration::from_secs(3);

/// Workers whose locks are free, and since when that was seen.
#[derive(Debug, Default)]
pub struct Suspects {
    since: HashMap<Uuid, Instant>,
    /// When the database did not answer the last time.
    away: Option<Instant>,
}

impl Store {
    /// Keeps a worker among those that live, until the future is dropped or the store closed.
    pub async fn stay_alive(&self, worker: WorkerId) {
        loop {
            let Err(error) = self.hold_lock(worker).await;
            if self.inner.system.is_closed() {
                return;
            }
            tracing::debug!(%error, "the worker's lock is taken anew");
            sleep(PULSE).await;
        }
    }

    async fn hold_lock(&self, worker: WorkerId) -> Result<Infallible, sqlx::Error> {
        let options = PgConnectOptions::clone(&self.inner.system.connect_options());
        let mut connection = timeout(ANSWER, PgConnection::connect_with(&options))
            .await
            .unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        let taking = take_lock(&mut connection, worker);
        let taken = timeout(LOCKING, taking).await;
        taken.unwrap_or_else(|_| Err(silent("the worker's lock is not free")))?;
        loop {
            sleep(PULSE).await;
            if self.inner.system.is_closed() {
                return Err(sqlx::Error::PoolClosed);
            }
            let alive = timeout(ANSWER, connection.ping()).await;
            alive.unwrap_or_else(|_| Err(silent("the database says nothing")))?;
        }
    }

    /// Looks for workers that ended without giving their runs back, and frees those runs. Call
    /// it again and again with the same suspects; every process may.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn free_runs_of_dead(&self, suspects: &mut Suspects) -> Result<()> {
        // The locks that this takes end with the statement.
        let free = sqlx::query_scalar!(
            "select worker_id from worker
             where pg_postmaster_start_time() < greatest(since, now() - make_interval(secs => $1))
                and pg_try_advisory_xact_lock(lock_key)",
            STARTING.as_secs_f64(),
        )
        .fetch_all(&self.inner.system);
        let free = self.turn(async { Ok(free.await?) }).await;
        let now = Instant::now();
        let free = free.inspect_err(|_| suspects.away = Some(now))?;
        // Others may have to find it again, too.
        if suspects
            .away
            .is_some_and(|away| now.duration_since(away) < STARTING)
        {
            return Ok(());
        }
        suspects.since.retain(|worker, _| free.contains(worker));
        for worker in free {
            let since = *suspects.since.entry(worker).or_insert(now);
            if now.duration_since(since) >= CERTAIN {
                self.turn(self.bury(worker)).await?;
                suspects.since.remove(&worker);
            }
        }
        Ok(())
    }

    async fn bury(&self, worker: Uuid) -> Result<()> {
        let mut tx = self.inner.system.begin().await?;
        let is_dead = sqlx::query_scalar!(
            r#"select pg_try_advisory_xact_lock($1) as "free!""#,
            lock_key(worker)
        )
        .fetch_one(&mut *tx)
        .await?;
        if !is_dead {
            return Ok(());
        }
        let freed = sqlx::query!(
            "with gone as (
                 delete from worker where worker_id = $1 returning worker_id
             ), held as (
                 select run_id from run_queue join gone on worker = gone.worker_id
                 order by run_id for update of run_queue
             )
             -- Long before any lease: these are free, whatever else is taken for silent.
             update run_queue set lease_until = 'epoch'
             from held where run_queue.run_id = held.run_id",
            worker,
        )
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if freed > 0 {
            self.live().notify_workers(&mut tx).await?;
        }
        tx.commit().await?;
        tracing::warn!(%worker, freed, "a worker ended without giving its runs back");
        self.live().wake_workers();
        Ok(())
    }
}

async fn take_lock(connection: &mut PgConnection, worker: WorkerId) -> Result<(), sqlx::Error> {
    let key = lock_key(worker.0);
    sqlx::query!("select pg_advisory_lock($1)", key)
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        "insert into worker (worker_id, lock_key) values ($1, $2)
             on conflict (worker_id) do update set since = now()",
        worker.0,
        key,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The lock of a worker: the random half of its id.
fn lock_key(worker: Uuid) -> i64 {
    i64::from_be_bytes(worker.as_u64_pair().1.to_be_bytes())
}
