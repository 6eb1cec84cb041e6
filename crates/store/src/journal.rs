//! The journal: what the steps of runs did, made durable for many runs at once.
//!
//! One task writes for the whole process. It takes what is waiting and writes it in one
//! statement; while that is under way the next gathers. So one write alone waits for nothing,
//! and a thousand cost one flush of the disk. Each write names its fence, and what is not
//! covered by the queue's row any more is refused.

mod calling;
mod statement;
mod write;

use std::sync::Arc;

use domain::run::{RunState, StepRecord};
use domain::{RunId, Timestamp};
use engine::Outcome;
use engine::port::{Calling, Journal, Lease, Lost};
use serde_json::Value;
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot, watch};

use crate::Store;
use crate::live::Teller;
use crate::measure::Counters;
use crate::run::check;

/// Writes waiting in a process; more make the runs wait.
const WAITING: usize = 1_024;
/// Bytes that are set aside for the JSON of a record, which most do not need.
const ROOM: usize = 512;

/// Where the runs of this process are recorded. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PgJournal {
    writes: mpsc::Sender<Write>,
    /// How many writes were given that are neither written nor refused.
    under_way: watch::Sender<u64>,
    counters: Arc<Counters>,
}

/// Records of a run, and how it goes on.
#[derive(Debug)]
struct Write {
    lease: Lease,
    /// JSON of the records with commas between them; empty for none.
    records: String,
    then: Then,
    done: oneshot::Sender<Result<(), Lost>>,
    _under_way: UnderWay,
}

/// Counts a write until it is dropped: with it, whoever made it may have been given up long ago.
#[derive(Debug)]
struct UnderWay(watch::Sender<u64>);

impl UnderWay {
    fn new(count: &watch::Sender<u64>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Write {
    /// Returns about how many bytes a statement has by it.
    fn bytes(&self) -> usize {
        let more = match &self.then {
            Then::GoOn | Then::Wait(_) => 0,
            Then::Call(starts, _) => starts.iter().map(|(_, payload)| payload.len()).sum(),
            Then::End(ending) => ending.result.as_deref().map_or(0, str::len),
        };
        self.records.len() + more
    }
}

#[derive(Clone, Debug)]
enum Then {
    GoOn,
    Wait(Timestamp),
    /// Calls that begin, each with the JSON that is handed over, and until when to wait at most for
    /// these and those that are under way.
    Call(Vec<(Calling, String)>, Option<Timestamp>),
    End(Ending),
}

/// How a run ends.
#[derive(Clone, Debug)]
struct Ending {
    state: RunState,
    error: Option<String>,
    /// JSON of what it gives to the run that called it.
    result: Option<String>,
}

impl Ending {
    fn failed(error: String) -> Self {
        Self {
            state: RunState::Failed,
            error: Some(error),
            result: None,
        }
    }
}

impl PgJournal {
    pub(crate) fn start(system: PgPool, live: Teller, counters: Arc<Counters>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(write::all(receiver, system, live, Arc::clone(&counters)));
        Self {
            writes: sender,
            under_way: watch::Sender::new(0),
            counters,
        }
    }

    /// Waits until all is written, or refused, that runs gave so far, also those that were given up
    /// since. Waits for what others give meanwhile, too; and as long as the database is away.
    pub async fn written(&self) {
        // The sender is ours, so waiting cannot fail.
        let _ = self
            .under_way
            .subscribe()
            .wait_for(|count| *count == 0)
            .await;
    }

    /// Writes how an execution ended, with its last records; returns once that is durable. The
    /// run leaves the queue, or waits there for its time.
    ///
    /// # Errors
    /// When the lease is no longer ours: then nothing was written.
    pub async fn finish(&self, lease: Lease, outcome: Outcome) -> Result<(), Lost> {
        match outcome {
            Outcome::Finished {
                state,
                error,
                records,
            } => {
                // A database text cannot hold this one character.
                let error = error.map(|error| error.replace('\0', "\u{fffd}"));
                let ending = Ending {
                    state,
                    error,
                    result: None,
                };
                self.write(lease, &records, Then::End(ending)).await
            }
            Outcome::Answered { result, records } => {
                let ending = ending(&result);
                self.write(lease, &records, Then::End(ending)).await
            }
            Outcome::Calling {
                starts,
                until,
                records,
            } => {
                let handed = starts.into_iter().map(|calling| {
                    let payload = check::payload(&calling.payload)?;
                    Ok((calling, payload))
                });
                let then = match handed.collect::<crate::Result<_>>() {
                    Ok(starts) => Then::Call(starts, until),
                    Err(error) => Then::End(Ending::failed(error.to_string())),
                };
                self.write(lease, &records, then).await
            }
            Outcome::Waiting { until, records } => {
                self.write(lease, &records, Then::Wait(until)).await
            }
            Outcome::Lost => Ok(()),
        }
    }

    async fn write(&self, lease: Lease, records: &[StepRecord], then: Then) -> Result<(), Lost> {
        let text = json(lease.run, records)?;
        self.counters.retried(retries(records));
        if let Err(error) = check::records(&text) {
            // What cannot be kept cannot be resumed: the run ends here, and says why.
            let failed = Then::End(Ending::failed(error));
            self.send(lease, String::new(), failed).await?;
            return Err(Lost);
        }
        self.send(lease, text, then).await
    }

    async fn send(&self, lease: Lease, records: String, then: Then) -> Result<(), Lost> {
        let (done, written) = oneshot::channel();
        let write = Write {
            lease,
            records,
            then,
            done,
            _under_way: UnderWay::new(&self.under_way),
        };
        // The task ends only with the process's database: then nothing can be written any more.
        self.writes.send(write).await.map_err(|_| Lost)?;
        written.await.unwrap_or(Err(Lost))
    }
}

impl Journal for PgJournal {
    async fn append(&self, lease: Lease, records: Vec<StepRecord>) -> Result<(), Lost> {
        self.write(lease, &records, Then::GoOn).await
    }
}

/// Returns how a run ends that gives a result: successfully, unless that cannot be kept.
fn ending(result: &Value) -> Ending {
    let text = result.to_string();
    match check::records(&text) {
        Ok(()) => Ending {
            state: RunState::Succeeded,
            error: None,
            result: Some(text),
        },
        Err(error) => Ending::failed(error),
    }
}

/// Returns how many attempts the steps made beyond their first whose results these are.
fn retries(records: &[StepRecord]) -> u64 {
    let results = records.iter().filter(|record| record.finished_at.is_some());
    results
        .map(|record| u64::from(record.attempts.saturating_sub(1)))
        .sum()
}

/// Returns records as JSON, with commas between them, here, on the run's own task, so that the
/// writing task only joins texts.
fn json(run: RunId, records: &[StepRecord]) -> Result<String, Lost> {
    let mut bytes = Vec::with_capacity(records.len() * ROOM);
    write_json(&mut bytes, run, records)?;
    text(bytes)
}

/// Returns records as a JSON array.
pub(crate) fn list(run: RunId, records: &[StepRecord]) -> Result<String, Lost> {
    let mut bytes = Vec::with_capacity(records.len() * ROOM);
    bytes.push(b'[');
    write_json(&mut bytes, run, records)?;
    bytes.push(b']');
    text(bytes)
}

fn write_json(bytes: &mut Vec<u8>, run: RunId, records: &[StepRecord]) -> Result<(), Lost> {
    for (place, record) in records.iter().enumerate() {
        if place > 0 {
            bytes.push(b',');
        }
        if let Err(error) = serde_json::to_writer(&mut *bytes, record) {
            tracing::error!(%run, %error, "records cannot be written as JSON");
            return Err(Lost);
        }
    }
    Ok(())
}

fn text(bytes: Vec<u8>) -> Result<String, Lost> {
    // What writes JSON writes a text.
    String::from_utf8(bytes).map_err(|_| Lost)
}

impl Store {
    /// Returns the journal of this process.
    pub fn journal(&self) -> PgJournal {
        self.inner.journal.clone()
    }
}
