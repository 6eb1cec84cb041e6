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
use crate::own_connection::{OwnConnection, silent};
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
/// freed all locks when it ended. As long after it refused connections.
const SETTLING: Duration = Duration::from_secs(1);
/// How long it is none after it did not answer at all: an attempt to connect that hangs is given up
/// only after [`ANSWER`].
const RETURNING: Duration = Duration::from_secs(3);

/// Looks for workers that ended without giving their runs back.
#[derive(Debug)]
pub struct Lookout {
    store: Store,
    /// Not of the pool: how long it takes to answer tells of the database, and of nothing else.
    connection: OwnConnection,
    /// Workers whose locks are free, and since when that was seen.
    free: HashMap<Uuid, Instant>,
    sight: Sight,
}

/// Whether the database is there, as far as was seen.
#[derive(Debug, Default)]
struct Sight {
    /// The connection was lost, and there is no other one yet; whether an attempt hung.
    away: Option<bool>,
    /// Until when others may have to find it again.
    returning: Option<Instant>,
}

impl Sight {
    /// Notes that the connection was lost.
    fn lost(&mut self) {
        self.away.get_or_insert(false);
    }

    /// Notes how long the database took, and whether it answered. Returns whether it can be a
    /// witness.
    fn took(&mut self, took: Duration, now: Instant, answered: bool) -> bool {
        if !answered {
            self.lost();
        }
        // Who has a connection loses it, and its lock with it, only after [`ANSWER`].
        let long = if self.away.is_some() {
            SETTLING
        } else {
            ANSWER
        };
        let hung = took >= long || self.away == Some(true);
        if !answered {
            self.away = Some(hung);
            return false;
        }
        if self.away.take().is_some() || hung {
            self.returning = Some(now + if hung { RETURNING } else { SETTLING });
        }
        self.returning.is_none_or(|until| until <= now)
    }
}

/// A worker whose lock is free.
struct Free {
    worker_id: Uuid,
    /// Whether the database is there for long enough for the worker to have locked anew.
    has_settled: bool,
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

    /// Returns what looks for workers that ended without giving their runs back. Every process may.
    pub fn lookout(&self) -> Lookout {
        Lookout {
            store: self.clone(),
            connection: OwnConnection::new(self.inner.system.clone()),
            free: HashMap::new(),
            sight: Sight::default(),
        }
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

impl Lookout {
    /// Looks once, and frees the runs of those that are certainly dead. Call it again and again.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn free_runs_of_dead(&mut self) -> Result<()> {
        let begun = Instant::now();
        let asked = match self.ask().await {
            // One that was cut is made anew at once: what is free is known the sooner.
            Err((_, true)) => {
                self.sight.lost();
                self.ask().await
            }
            asked => asked,
        };
        let now = Instant::now();
        let is_witness = self
            .sight
            .took(now.duration_since(begun), now, asked.is_ok());
        let free = asked.map_err(|(error, _)| error)?;
        let is_free = |worker: &Uuid| free.iter().any(|free| free.worker_id == *worker);
        self.free.retain(|worker, _| is_free(worker));
        for Free {
            worker_id,
            has_settled,
        } in free
        {
            let since = *self.free.entry(worker_id).or_insert(now);
            let is_certain = now.duration_since(since) >= CERTAIN;
            if is_certain && has_settled && is_witness {
                self.store.turn(self.store.bury(worker_id)).await?;
                self.free.remove(&worker_id);
            }
        }
        Ok(())
    }

    /// Asks once; says of an error whether the connection was lost with it.
    async fn ask(&mut self) -> Result<Vec<Free>, (sqlx::Error, bool)> {
        let connection = self.connection.get().await;
        let (connection, bound) = connection.map_err(|error| (error, false))?;
        // The locks that this takes end with the statement.
        let asked = sqlx::query_as!(
            Free,
            r#"select worker_id, pg_postmaster_start_time()
                    < greatest(since, now() - make_interval(secs => $1)) as "has_settled!"
               from worker where pg_try_advisory_xact_lock(lock_key)"#,
            SETTLING.as_secs_f64(),
        );
        bound
            .of(asked.fetch_all(connection))
            .await
            .map_err(|error| self.connection.lost_with(error))
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

    /// When an answer or a refusal came, after how long, and which it was.
    type Look = (u32, u32, bool);

    #[test]
    fn a_database_that_was_away_is_a_witness_only_once_others_found_it_again() {
        let begun = Instant::now();
        let at = |ms: u32| begun + MS * ms;
        // What was seen, and from when on it is one.
        let cases: [(&str, &[Look], u32); 6] = [
            ("slow", &[(1_900, 1_900, true)], 1_900),
            (
                "refused for long",
                &[(1, 1, false), (400, 1, false), (9_000, 1, true)],
                10_000,
            ),
            ("hung, and answered", &[(2_000, 2_000, true)], 5_000),
            (
                "away, and slow",
                &[(1, 1, false), (1_500, 1_100, true)],
                4_500,
            ),
            (
                "hung, and was refused",
                &[(2_000, 2_000, false), (2_400, 1, false), (2_800, 1, true)],
                5_800,
            ),
            (
                "away again",
                &[
                    (1, 1, false),
                    (400, 1, true),
                    (800, 1, false),
                    (1_200, 1, true),
                ],
                2_200,
            ),
        ];
        for (name, looks, witness) in cases {
            let mut sight = Sight::default();
            let mut last = true;
            for (when, took, answered) in looks {
                last = sight.took(MS * *took, at(*when), *answered);
            }
            let is_one_at_once = looks.last().is_some_and(|(when, ..)| *when == witness);
            assert_eq!(last, is_one_at_once, "{name}");
            let early = at(witness - 1);
            assert!(is_one_at_once || !sight.took(MS, early, true), "{name}");
            assert!(sight.took(MS, at(witness), true), "{name}");
        }
    }
}
