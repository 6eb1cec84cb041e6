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
/// freed all locks when it ended. As long after it could not be reached for a moment.
const SETTLING: Duration = Duration::from_secs(1);
/// How long it is none after it could not be reached for longer: an attempt to connect that hangs is
/// given up only after [`ANSWER`].
const RETURNING: Duration = Duration::from_secs(3);

/// Workers whose locks are free, and since when that was seen.
#[derive(Debug, Default)]
pub struct Suspects {
    since: HashMap<Uuid, Instant>,
    /// Since when the database does not answer.
    away: Option<Instant>,
    /// Until when others may have to find it again.
    returning: Option<Instant>,
}

impl Suspects {
    /// Notes when the database was asked and whether it answered. Returns whether it can be a witness.
    fn answered(&mut self, begun: Instant, now: Instant, answered: bool) -> bool {
        if !answered {
            self.away.get_or_insert(begun);
            return false;
        }
        // The pool tries for a while by itself; with less, the start of Postgres is recent.
        let late = (now.duration_since(begun) >= SETTLING).then_some(begun);
        if let Some(since) = self.away.take().or(late) {
            let is_short = now.duration_since(since) < ANSWER;
            self.returning = Some(now + if is_short { SETTLING } else { RETURNING });
        }
        self.returning.is_none_or(|until| until <= now)
    }
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
        let begun = Instant::now();
        // The locks that this takes end with the statement.
        let free = sqlx::query!(
            r#"select worker_id, pg_postmaster_start_time()
                    < greatest(since, now() - make_interval(secs => $1)) as "has_settled!"
               from worker where pg_try_advisory_xact_lock(lock_key)"#,
            SETTLING.as_secs_f64(),
        )
        .fetch_all(&self.inner.system);
        let free = self.turn(async { Ok(free.await?) }).await;
        let now = Instant::now();
        let is_witness = suspects.answered(begun, now, free.is_ok());
        let free = free?;
        let is_free = |worker: &Uuid| free.iter().any(|row| row.worker_id == *worker);
        suspects.since.retain(|worker, _| is_free(worker));
        for row in free {
            let since = *suspects.since.entry(row.worker_id).or_insert(now);
            let is_certain = now.duration_since(since) >= CERTAIN;
            if is_certain && row.has_settled && is_witness {
                self.turn(self.bury(row.worker_id)).await?;
                suspects.since.remove(&row.worker_id);
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

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// When the database was asked, when that ended, and whether it answered.
    type Look = (u32, u32, bool);

    #[test]
    fn a_database_that_was_away_is_a_witness_only_once_others_found_it_again() {
        let begun = Instant::now();
        let at = |ms: u32| begun + MS * ms;
        let cases: [(&str, &[Look], u32); 5] = [
            ("always there", &[(0, 900, true)], 900),
            (
                "a cut connection",
                &[(0, 1, false), (400, 401, true)],
                1_401,
            ),
            (
                "a start that the pool waited for",
                &[(0, 1_100, true)],
                2_100,
            ),
            (
                "refused for long",
                &[(0, 1, false), (400, 401, false), (2_000, 2_001, true)],
                5_001,
            ),
            ("hung", &[(0, 2_100, true)], 5_100),
        ];
        for (name, looks, witness) in cases {
            let mut suspects = Suspects::default();
            for (asked, answered, is_there) in looks {
                suspects.answered(at(*asked), at(*answered), *is_there);
            }
            if looks
                .last()
                .is_some_and(|(_, answered, _)| *answered < witness)
            {
                let before = at(witness - 1);
                assert!(!suspects.answered(before, before, true), "{name}");
            }
            assert!(suspects.answered(at(witness), at(witness), true), "{name}");
        }
    }
}
