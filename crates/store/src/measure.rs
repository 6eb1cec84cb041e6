//! What this process has done since it started, and what waits for all processes, in numbers.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use domain::IntegrationId;
use domain::run::RunState;

use crate::{Result, Store};

/// Integrations that are counted by themselves in a process; what others do is counted together.
pub const COUNTED_INTEGRATIONS: usize = 200;

/// Upper bounds of the buckets of the time from accepting an event to the end of its run, in
/// milliseconds.
const LATENCY_MS: [u64; 13] = [
    2, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000, 30_000, 300_000, 3_600_000,
];
/// Upper bounds of the buckets of writes in one statement of the journal.
const BATCH: [u64; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/// How many values were seen up to each bound, and of what sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram<const N: usize> {
    /// The upper bounds of the buckets.
    pub bounds: [u64; N],
    /// How many values were at most the bound with the same place; each includes the one before.
    pub counts: [u64; N],
    /// How many values there were, also above all bounds.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
}

impl<const N: usize> Histogram<N> {
    const fn new(bounds: [u64; N]) -> Self {
        Self {
            bounds,
            counts: [0; N],
            count: 0,
            sum: 0,
        }
    }

    fn add(&mut self, value: u64) {
        for (bound, count) in self.bounds.iter().zip(&mut self.counts) {
            *count += u64::from(value <= *bound);
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
    }
}

/// What this process has done since it started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Live runs that ended here, by integration (`None` for all beyond
    /// [`COUNTED_INTEGRATIONS`]) and by how they ended.
    pub finished: Vec<(Option<IntegrationId>, RunState, u64)>,
    /// Milliseconds from accepting an event to the end of its run, of live runs that nobody resumed.
    pub latency_ms: Histogram<13>,
    /// Writes in one statement of the journal.
    pub batches: Histogram<10>,
    /// Times that the queue was asked for runs.
    pub claims: u64,
    /// Runs that were claimed from the queue.
    pub claimed: u64,
    /// Attempts of steps beyond the first.
    pub retries: u64,
}

/// What waits in the queue, for all processes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backlog {
    /// Runs that are due and that no worker has, also those that a throttle holds back.
    pub waiting: u64,
    /// Runs that a worker has.
    pub leased: u64,
    /// Runs that wait for a time.
    pub later: u64,
    /// For how many seconds the oldest of `waiting` is due; 0 when there is none.
    pub oldest_seconds: f64,
}

/// Counts what this process does.
#[derive(Debug)]
pub(crate) struct Counters {
    ends: Mutex<Ends>,
    batches: Mutex<Histogram<10>>,
    claims: AtomicU64,
    claimed: AtomicU64,
    retries: AtomicU64,
}

#[derive(Debug)]
struct Ends {
    by_integration: HashMap<(Option<IntegrationId>, RunState), u64>,
    known: HashSet<IntegrationId>,
    latency_ms: Histogram<13>,
}

/// The end of a live run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    pub(crate) integration: IntegrationId,
    pub(crate) state: RunState,
    /// Since its event was accepted; `None` when someone resumed it meanwhile.
    pub(crate) latency_ms: Option<u64>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            ends: Mutex::new(Ends {
                by_integration: HashMap::new(),
                known: HashSet::new(),
                latency_ms: Histogram::new(LATENCY_MS),
            }),
            batches: Mutex::new(Histogram::new(BATCH)),
            claims: AtomicU64::new(0),
            claimed: AtomicU64::new(0),
            retries: AtomicU64::new(0),
        }
    }
}

impl Counters {
    pub(crate) fn ended(&self, all: &[Ended]) {
        if all.is_empty() {
            return;
        }
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        for end in all {
            let is_counted =
                ends.known.len() < COUNTED_INTEGRATIONS || ends.known.contains(&end.integration);
            if is_counted {
                ends.known.insert(end.integration);
            }
            let integration = is_counted.then_some(end.integration);
            *ends
                .by_integration
                .entry((integration, end.state))
                .or_default() += 1;
            if let Some(ms) = end.latency_ms {
                ends.latency_ms.add(ms);
            }
        }
    }

    pub(crate) fn wrote(&self, writes: usize) {
        let writes = u64::try_from(writes).unwrap_or(u64::MAX);
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        batches.add(writes);
    }

    pub(crate) fn claimed(&self, runs: usize) {
        let runs = u64::try_from(runs).unwrap_or(u64::MAX);
        self.claims.fetch_add(1, Ordering::Relaxed);
        self.claimed.fetch_add(runs, Ordering::Relaxed);
    }

    pub(crate) fn retried(&self, times: u64) {
        self.retries.fetch_add(times, Ordering::Relaxed);
    }
}

impl Store {
    /// Returns what this process has done since it started.
    pub fn done(&self) -> Done {
        let counters = &self.inner.counters;
        let (mut finished, latency_ms) = {
            let ends = counters.ends.lock().unwrap_or_else(PoisonError::into_inner);
            let finished = ends.by_integration.iter();
            let finished: Vec<_> = finished
                .map(|((integration, state), count)| (*integration, *state, *count))
                .collect();
            (finished, ends.latency_ms.clone())
        };
        finished.sort();
        let batches = counters.batches.lock();
        Done {
            finished,
            latency_ms,
            batches: batches.unwrap_or_else(PoisonError::into_inner).clone(),
            claims: counters.claims.load(Ordering::Relaxed),
            claimed: counters.claimed.load(Ordering::Relaxed),
            retries: counters.retries.load(Ordering::Relaxed),
        }
    }

    /// Returns what waits in the queue. Reads all of it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn backlog(&self) -> Result<Backlog> {
        let row = sqlx::query!(
            r#"select count(*) filter (where is_free and due_at <= now()) as "waiting!",
                    count(*) filter (where not is_free) as "leased!",
                    count(*) filter (where is_free and due_at > now()) as "later!",
                    coalesce(extract(epoch from
                        now() - min(due_at) filter (where is_free and due_at <= now())
                    ), 0)::float8 as "oldest!"
               from (
                   select due_at, lease_until is null or lease_until <= now() as is_free
                   from run_queue
               ) as queued"#,
        )
        .fetch_one(&self.inner.system)
        .await?;
        Ok(Backlog {
            waiting: u64::try_from(row.waiting).unwrap_or_default(),
            leased: u64::try_from(row.leased).unwrap_or_default(),
            later: u64::try_from(row.later).unwrap_or_default(),
            oldest_seconds: row.oldest,
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::IntegrationId;
    use domain::run::RunState;
    use uuid::Uuid;

    use super::{COUNTED_INTEGRATIONS, Counters, Ended, Histogram};

    #[test]
    fn a_value_counts_in_each_bucket_that_it_fits() {
        let mut histogram = Histogram::new([2, 5]);
        for value in [1, 2, 3, 9] {
            histogram.add(value);
        }
        assert_eq!((histogram.counts, histogram.count), ([2, 3], 4));
        assert_eq!(histogram.sum, 15);
    }

    #[test]
    fn integrations_beyond_the_bound_are_counted_together() {
        let counters = Counters::default();
        for number in 0..COUNTED_INTEGRATIONS + 50 {
            counters.ended(&[Ended {
                integration: IntegrationId(Uuid::from_u128(number as u128)),
                state: RunState::Succeeded,
                latency_ms: None,
            }]);
        }
        let ends = counters.ends.lock().expect("nobody panicked");
        assert_eq!(ends.by_integration.len(), COUNTED_INTEGRATIONS + 1);
        let others = (None, RunState::Succeeded);
        assert_eq!(ends.by_integration.get(&others), Some(&50));
    }
}
