//! The queue: which worker has which run, and for how long.
//!
//! A claim is a lease with a fence that grows each time. A worker that went silent loses its
//! runs to another when the lease ends, or when its process has, and whatever it still writes is
//! refused by the fence.

mod alive;
mod damage;
mod line;
mod suspect;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use domain::call::is_under_way;
use domain::run::{RunState, StepRecord, TestScope};
use domain::{DocumentHash, IntegrationId, OrganizationId, RunId, Timestamp};
use engine::Outcome;
use engine::port::{Lease, Network, Returned};
use serde_json::Value;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use time::OffsetDateTime;
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use crate::error::is_damaged;
use crate::live::{Changed, What};
use crate::network::read_network;
use crate::own_connection::silent;
use crate::{Result, Store, run, timestamp};

pub use alive::Lookout;
pub(crate) use line::Lines;
pub use suspect::{Room, Suspected};

/// How long a claim holds without being renewed. Renew at a third of it.
pub const LEASE: Duration = Duration::from_secs(15);

/// How long what was claimed may take to be read. Its leases must not be over then: whoever took it
/// over would think that it was executed, and others wait for the next claim.
const READING: Duration = Duration::from_secs(12);
const _: () = assert!(READING.as_millis() < LEASE.as_millis());

/// So many rows of runs that left the queue are cleared away.
const MANY_DEAD: i64 = 2_000;
/// So many must be left then, more than go while it is cleared.
const FEW_LEFT: i32 = 1_000;
/// The advisory lock of the process that does so.
const CLEARING: i64 = 0x7175_6575_6500;
/// Largest result of a called run that is read with the claim of the calling one, in bytes.
const SMALL: i32 = 8 * 1024;

/// What a claim takes beside the runs that nobody had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takes {
    /// Runs whose leases ended, as their workers were silent, if that is decided a few seconds
    /// after it is said; without it, only those of workers of which it is known that they ended.
    pub silent: bool,
    /// For what run that silenced a worker before, and so may be suspect now
    /// ([`ClaimedRun::suspected`]), there is room. A claim takes no second one.
    pub suspect: Room,
}

impl Takes {
    /// All that can be had.
    pub const ALL: Self = Self {
        silent: true,
        suspect: Room::All,
    };
}

/// What is said of a run that silenced its workers.
const SET_ASIDE: &str = "The process that executed this run ended at least 3 times in a row while it did. It was set aside. Look into the server's log, then resume it.";
/// What is said of a run that is not stored as it should be; the log has more.
const UNREADABLE: &str = "What is stored of this run cannot be read, so it was not executed.";

/// A worker: one per process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WorkerId(pub Uuid);

impl WorkerId {
    /// Returns an id that no other worker has.
    pub fn random() -> Self {
        Self(Uuid::now_v7())
    }
}

/// A run that belongs to a worker, with all that is needed to execute it but its document.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimedRun {
    /// The claim.
    pub lease: Lease,
    /// Whose run it is.
    pub organization: OrganizationId,
    /// The integration.
    pub integration: IntegrationId,
    /// The document, which [`Store::document`] returns.
    pub hash: DocumentHash,
    /// What expressions see as `trigger`.
    pub payload: Arc<Value>,
    /// When its event was accepted.
    pub created_at: Timestamp,
    /// When someone resumed it the last time.
    pub resumed_at: Option<Timestamp>,
    /// Whether it is a test of a draft.
    pub is_test: bool,
    /// What is executed; all of it for a live run.
    pub scope: TestScope,
    /// What earlier claims recorded, oldest first, one record for each path.
    pub history: Vec<StepRecord>,
    /// What came so far of the calls that are under way.
    pub returned: Vec<Returned>,
    /// What it may reach.
    pub network: Network,
    /// Whether its worker ended, or went silent, since something of it was recorded.
    pub is_taken_over: bool,
    /// Whether it may be what ended its workers, as several in a row did while they had it and it
    /// recorded nothing, and how it is executed then.
    pub suspected: Option<Suspected>,
}

/// What came of a claim.
#[derive(Debug, Default)]
pub struct ClaimedRuns {
    /// The runs that the worker has now.
    pub runs: Vec<ClaimedRun>,
    /// Whether the suspect whose turn it was waits for a claim with [`Room::All`].
    pub one_waits: bool,
    /// Whether runs may be due to which this claim did not come: claim again at once, also when it
    /// gave none. The next one goes on from where this one was, and says so until it has been round.
    pub is_more: bool,
}

impl Store {
    /// Claims up to `limit` runs, 100 at most, that are due and that nobody has. Goes in turn through
    /// the lines in which runs wait, so that each of them is asked before one is asked again, and
    /// heeds what throttles them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim(&self, worker: WorkerId, limit: u32) -> Result<Vec<ClaimedRun>> {
        let claimed = self.claim_with(worker, limit, Takes::ALL).await?;
        Ok(claimed.runs)
    }

    /// Claims like [`Store::claim`], but only what `takes` says of runs that others had, and says
    /// whether that was all.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_with(
        &self,
        worker: WorkerId,
        limit: u32,
        takes: Takes,
    ) -> Result<ClaimedRuns> {
        let found = match self.claim_in_turn(worker, limit, takes).await {
            Err(error) if is_damaged(&error) => {
                tracing::error!(
                    ?error,
                    "what waits cannot be claimed; looking for what is damaged"
                );
                self.turn(self.fail_damaged(worker)).await?;
                // That others are silent was said a while ago.
                let takes = Takes {
                    silent: false,
                    ..takes
                };
                self.claim_in_turn(worker, limit, takes).await?
            }
            claimed => claimed?,
        };
        let is_more = found.is_cut_off || !found.rows.is_empty();
        let (waiting, rows): (Vec<_>, Vec<_>) =
            found.rows.into_iter().partition(ClaimedRow::must_wait);
        let one_waits = !waiting.is_empty();
        if one_waits {
            self.leave(waiting.iter().map(ClaimedRow::lease).collect())
                .await;
        }
        self.inner.counters.claimed(rows.len());
        // What is set aside stays so, whoever claims it once its lease is over.
        let claimed = rows.iter().filter(|row| !row.is_set_aside());
        let claimed = claimed.map(ClaimedRow::lease).collect();
        let read = timeout(READING, self.read_claimed(rows)).await;
        match read.unwrap_or_else(|_| Err(silent("what was claimed cannot be read").into())) {
            Ok(runs) => {
                self.live().tell_all(runs.iter().map(ClaimedRun::changed));
                Ok(ClaimedRuns {
                    runs,
                    one_waits,
                    is_more,
                })
            }
            Err(error) => {
                self.leave(claimed).await;
                Err(error)
            }
        }
    }

    async fn read_claimed(&self, rows: Vec<ClaimedRow>) -> Result<Vec<ClaimedRun>> {
        let resumed = rows
            .iter()
            // What one did that is set aside may be what silences whoever reads it.
            .filter(|row| row.fence > 1 && !row.is_set_aside())
            .map(|row| row.run_id)
            .collect();
        let mut histories = self.readable_histories(resumed).await?;
        let mut runs = Vec::with_capacity(rows.len());
        for row in rows {
            let lease = row.lease();
            let history = histories.remove(&row.run_id).unwrap_or(Ok(Vec::new()));
            if row.is_set_aside() {
                self.give_up(lease, RunState::Quarantined, SET_ASIDE).await;
                continue;
            }
            // One run that cannot be read must not keep the others from being executed.
            match history.and_then(|history| row.read(history)) {
                Ok(run) => runs.push(run),
                Err(error) => {
                    tracing::error!(run = %lease.run, ?error, "a run cannot be read");
                    self.give_up(lease, RunState::Failed, UNREADABLE).await;
                }
            }
        }
        self.read_readable_returned(&mut runs).await?;
        Ok(runs)
    }

    async fn histories(&self, runs: Vec<Uuid>) -> Result<HashMap<Uuid, Vec<String>>> {
        if runs.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = sqlx::query!(
            "select run_id, records from run_record where run_id = any($1) order by run_id, seq",
            &runs,
        )
        .fetch_all(&self.inner.system)
        .await?;
        let mut histories: HashMap<Uuid, Vec<String>> = HashMap::new();
        for row in rows {
            histories.entry(row.run_id).or_default().push(row.records);
        }
        Ok(histories)
    }

    /// Reads what came of the calls that are under way in these runs. They were claimed before: what
    /// ends from now on is noted with the claim. What is large is not read here, as nobody may ask
    /// for it, or all would be in memory at once that many calls gave: the run asks for one after
    /// the other.
    async fn read_returned(&self, runs: &mut Vec<ClaimedRun>) -> Result<()> {
        let calls = runs.iter().enumerate().flat_map(|(at, run)| {
            let under_way = run.history.iter().filter(|record| is_under_way(record));
            under_way.map(move |record| (at, record.path.to_string()))
        });
        let (of, paths): (Vec<usize>, Vec<String>) = calls.unzip();
        if paths.is_empty() {
            return Ok(());
        }
        let callers: Vec<Uuid> = of.iter().map(|at| runs[*at].lease.run.0).collect();
        let rows = sqlx::query!(
            r#"select place as "place!", path as "path!", called.run_id, name, state, error,
                    -- Its size as it is kept is known without reading it, and bounds that as a text.
                    case when pg_column_size(result) <= $3 then
                        case when octet_length(result::text) <= $3 then result end
                    end as result
               from unnest($1::uuid[], $2::text[]) with ordinality as step (caller, path, place)
               cross join lateral (
                   select run_id, integration_id, state, error, result from run
                   where caller_id = caller and caller_path = path
                   order by call_number desc limit 1
               ) as called
               join integration using (integration_id)"#,
            &callers,
            &paths,
            SMALL,
        )
        .fetch_all(&self.inner.system)
        .await?;
        let mut unreadable = BTreeSet::new();
        for row in rows {
            let place = usize::try_from(row.place - 1).ok();
            let Some(at) = place.and_then(|place| of.get(place)) else {
                continue;
            };
            // As of a run that cannot be read itself: the others are executed.
            let Ok(state) = run::state(&row.state) else {
                unreadable.insert(*at);
                continue;
            };
            runs[*at].returned.push(Returned {
                path: row.path,
                run: RunId(row.run_id),
                name: row.name,
                state,
                error: row.error,
                result: row.result,
            });
        }
        for at in unreadable.into_iter().rev() {
            let run = runs.remove(at);
            self.give_up(run.lease, RunState::Failed, UNREADABLE).await;
        }
        Ok(())
    }

    async fn give_up(&self, lease: Lease, state: RunState, error: &str) {
        tracing::error!(run = %lease.run, error, "a run is given up");
        let failed = Outcome::Finished {
            state,
            error: Some(error.to_owned()),
            records: Vec::new(),
        };
        // Lost means that someone canceled it meanwhile: then it is over, too.
        let _ = self.inner.journal.finish(lease, failed).await;
    }

    /// Makes leases last as long as new ones; returns those that are still ours. Stop work on the
    /// others: their runs were canceled or belong to another worker.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn renew(&self, leases: &[Lease]) -> Result<Vec<Lease>> {
        let (runs, fences) = columns(leases);
        // Often enough until they end, also where a connection went away without a word.
        let until = Instant::now() + self.inner.system.options().get_acquire_timeout() / 4;
        let connection = timeout_at(until, self.inner.system.acquire()).await;
        let mut connection = connection.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        // A row that is locked is being written by the journal, or taken over, at this moment. It is
        // left alone, so that neither waits for the other; the fence guards what is still written.
        let rows = sqlx::query!(
            "with held as (
                 select run_queue.run_id, run_queue.fence from run_queue
                 join unnest($1::uuid[], $2::bigint[]) as lease (run_id, fence)
                    on lease.run_id = run_queue.run_id and lease.fence = run_queue.fence
                 where worker is not null
             ), free as (
                 select run_queue.run_id from run_queue
                 join held on held.run_id = run_queue.run_id and held.fence = run_queue.fence
                 for update of run_queue skip locked
             ), renewed as (
                 update run_queue set lease_until = now() + make_interval(secs => $3)
                 from free where run_queue.run_id = free.run_id
             )
             select run_id, fence from held",
            &runs,
            &fences,
            LEASE.as_secs_f64(),
        );
        let renewed = timeout_at(until, rows.fetch_all(&mut *connection)).await;
        let Ok(rows) = renewed else {
            connection.close_on_drop();
            return Err(silent("the database does not renew the leases").into());
        };
        let rows = rows?;
        let held = rows.into_iter().map(|row| Lease {
            run: RunId(row.run_id),
            fence: row.fence,
        });
        Ok(held.collect())
    }

    /// Clears the queue of the rows of runs that left it, when there are many; every process may,
    /// again and again. Each claim passes by them until then, and what Postgres does by itself
    /// begins a minute later. A queue in which little waits is left to that: nobody waits long for
    /// it, and of one that ran empty meanwhile, Postgres would believe that it stays so, and plan
    /// to read all of it for each claim.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn clear_queue(&self) -> Result<()> {
        let is_worth_it = sqlx::query_scalar!(
            r#"select case when pg_stat_get_dead_tuples('run_queue'::regclass) >= $1
                    then exists (select from run_queue offset $2 - 1) else false
                end as "is_worth_it!""#,
            MANY_DEAD,
            FEW_LEFT,
        )
        .fetch_one(&self.inner.system)
        .await?;
        if !is_worth_it {
            return Ok(());
        }
        // One process at a time: the lock ends with the connection, however that does.
        let options = PgConnectOptions::clone(&self.inner.system.connect_options());
        let mut connection = PgConnection::connect_with(&options).await?;
        let is_mine =
            sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "is_mine!""#, CLEARING)
                .fetch_one(&mut connection)
                .await?;
        if is_mine {
            // To make the file shorter as well, it would wait for a moment in which nobody writes.
            sqlx::query("vacuum (skip_locked, index_cleanup on, truncate off) run_queue")
                .execute(&mut connection)
                .await?;
        }
        connection.close().await?;
        Ok(())
    }

    /// Wakes the workers of all processes soon: a run may wait for one that waited for nothing else.
    pub fn call_workers(&self) {
        self.live().ring();
    }

    /// Gives all runs of a worker back at once, when it shuts down: others need not wait for the
    /// leases to end.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn release(&self, worker: WorkerId) -> Result<()> {
        let mut tx = self.inner.system.begin().await?;
        let released = sqlx::query!(
            "with held as (
                 select run_id from run_queue where worker = $1 order by run_id for update
             ), released as (
                 update run_queue
                 set worker = null, lease_until = null, due_at = now(), is_alone = false
                 from held where run_queue.run_id = held.run_id
                 returning run_queue.run_id
             )
             update run set state = 'queued' from released where run.run_id = released.run_id",
            worker.0,
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!("delete from worker where worker_id = $1", worker.0)
            .execute(&mut *tx)
            .await?;
        if released.rows_affected() > 0 {
            self.live().notify_workers(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// A run as a claim returns it.
struct ClaimedRow {
    run_id: Uuid,
    fence: i64,
    takeovers: i32,
    is_alone: bool,
    /// Whether it was so, as it was taken over.
    was_alone: bool,
    organization_id: Uuid,
    integration_id: Uuid,
    hash: String,
    created_at: OffsetDateTime,
    resumed_at: Option<OffsetDateTime>,
    is_test: bool,
    scope: Option<Value>,
    payload: Value,
    network: Value,
}

impl ClaimedRow {
    fn lease(&self) -> Lease {
        Lease {
            run: RunId(self.run_id),
            fence: self.fence,
        }
    }

    fn read(self, history: Vec<String>) -> Result<ClaimedRun> {
        let history: Result<_, _> = history
            .iter()
            .map(|records| serde_json::from_str(records))
            .collect();
        Ok(ClaimedRun {
            lease: self.lease(),
            is_taken_over: self.takeovers > 0,
            suspected: self.suspected(),
            organization: OrganizationId(self.organization_id),
            integration: IntegrationId(self.integration_id),
            hash: DocumentHash(self.hash),
            payload: self.payload.into(),
            created_at: timestamp::read(self.created_at),
            resumed_at: self.resumed_at.map(timestamp::read),
            is_test: self.is_test,
            scope: scope(self.scope)?,
            history: run::fold(history.map_err(sqlx::Error::decode)?)?,
            returned: Vec::new(),
            network: read_network(OrganizationId(self.organization_id), self.network)?,
        })
    }
}

impl ClaimedRun {
    pub(crate) fn changed(&self) -> Changed {
        Changed {
            organization: self.organization,
            what: What::Run(self.lease.run, self.integration),
        }
    }
}

/// Returns leases as columns of ids and fences.
pub(crate) fn columns(leases: &[Lease]) -> (Vec<Uuid>, Vec<i64>) {
    leases
        .iter()
        .map(|lease| (lease.run.0, lease.fence))
        .unzip()
}

fn scope(stored: Option<Value>) -> Result<TestScope> {
    match stored {
        None => Ok(TestScope::Whole),
        Some(scope) => {
            serde_json::from_value(scope).map_err(|error| sqlx::Error::decode(error).into())
        }
    }
}
