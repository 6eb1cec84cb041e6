//! The task that writes the journal.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use domain::RunId;
use engine::port::{Lease, Lost};
use sqlx::PgPool;
use sqlx::postgres::PgConnection;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::calling::Calls;
use super::statement::{Columns, Held};
use super::{Then, Write};
use crate::error::{is_content, is_internal};
use crate::live::Teller;
use crate::measure::Counters;
use crate::own_connection::OwnConnection;
use crate::writers::Writers;

/// Most writes in one statement.
const AT_ONCE: usize = 512;

/// Bytes after which no more is written by the same statement: Postgres takes none of more than a
/// GiB, however often it is sent.
const BYTES_AT_ONCE: usize = 64 * 1024 * 1024;

/// How often Postgres may fail in itself, each time on a new connection, until that is taken for the
/// fault of what is written. A pooler says the same of a server that is away, but then lets nobody
/// in.
const INTERNAL: u32 = 10;

/// Writes until nobody can send any more, and what was sent is written. A run waits for its write
/// before it makes the next, so it is in one batch at a time.
pub(super) async fn all(
    mut writes: mpsc::Receiver<Write>,
    system: PgPool,
    live: Teller,
    counters: Arc<Counters>,
) {
    let mut writers = Writers::new(system);
    let mut waiting = Vec::with_capacity(AT_ONCE);
    let mut is_open = true;
    loop {
        while writers.is_ready(waiting.len()) {
            let came = mem::replace(&mut waiting, Vec::with_capacity(AT_ONCE));
            for (place, batch) in batches(came).into_iter().enumerate() {
                if place > 0 && !writers.is_ready(batch.len()) {
                    waiting.extend(batch);
                    continue;
                }
                let live = live.clone();
                let counters = Arc::clone(&counters);
                writers.begin(|mut connection| async move {
                    persist_and_tell(batch, &mut connection, &live, &counters).await;
                    connection
                });
            }
        }
        let room = AT_ONCE - waiting.len();
        tokio::select! {
            count = writes.recv_many(&mut waiting, room), if is_open && room > 0 => {
                is_open = count > 0;
            }
            true = writers.end_of_one() => {}
            else => return,
        }
    }
}

/// Takes apart what is not written by one statement: first one batch of each kind, then what was too
/// much for these. So what has to wait on begins with another kind, and none holds up the others,
/// however much there is of it.
fn batches(writes: Vec<Write>) -> Vec<Vec<Write>> {
    let (mut first, mut further) = (Vec::new(), Vec::new());
    for kind in by_kind(writes) {
        let mut pieces = by_size(kind).into_iter();
        first.extend(pieces.next());
        further.extend(pieces);
    }
    first.extend(further);
    first
}

/// Takes apart what is written by statements of different kinds. Each of these locks places in the
/// queue in an order, its own runs' and those of their callers; within one transaction, two
/// statements would not, and wait for each other in a circle with those of another. What came
/// first is among the first.
fn by_kind(writes: Vec<Write>) -> impl Iterator<Item = Vec<Write>> {
    let kind = |write: &Write| match write.then {
        Then::End(..) => 0,
        Then::GoOn | Then::Wait(_) => 1,
        Then::Call(..) => 2,
    };
    let first = writes.first().map_or(0, kind);
    let mut kinds = [Vec::new(), Vec::new(), Vec::new()];
    for write in writes {
        kinds[kind(&write)].push(write);
    }
    kinds.rotate_left(first);
    kinds.into_iter().filter(|writes| !writes.is_empty())
}

/// Takes apart what would be too much for one statement, in its order.
fn by_size(writes: Vec<Write>) -> Vec<Vec<Write>> {
    let mut batches = Vec::new();
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for write in writes {
        if bytes >= BYTES_AT_ONCE {
            batches.push(mem::take(&mut batch));
            bytes = 0;
        }
        bytes += write.bytes();
        batch.push(write);
    }
    batches.push(batch);
    batches
}

async fn persist_and_tell(
    writes: Vec<Write>,
    connection: &mut OwnConnection,
    live: &Teller,
    counters: &Counters,
) {
    let held = persist(&writes, connection).await;
    counters.wrote(writes.len());
    counters.ended(&held.ended);
    live.tell_all(held.leases.values().copied());
    live.tell_all(held.started.iter().copied());
    if held.wakes {
        live.wake_all_workers();
    }
    for write in writes {
        let result = if held.leases.contains_key(&write.lease) {
            Ok(())
        } else {
            Err(Lost)
        };
        // A run that was given up meanwhile does not wait for the answer.
        let _ = write.done.send(result);
    }
}

/// Writes until it succeeds; returns the leases that were ours. A statement whose answer was lost, or
/// did not come in time, may be written twice: the same record of the same step, which says the
/// same. Nothing that a run did later is written between: its own next write waits for this one,
/// and a connection is made anew only when its last statement is over.
async fn persist(writes: &[Write], connection: &mut OwnConnection) -> Held {
    let mut pause = Duration::from_millis(50);
    let mut internal = 0;
    loop {
        let error = match connection.get().await {
            Ok((open, bound)) => match bound.of(once(writes, open)).await {
                Ok(held) => return held,
                Err(error) => {
                    internal += u32::from(is_internal(&error));
                    if is_content(&error) || internal > INTERNAL {
                        return singly(writes, connection, &error).await;
                    }
                    connection.failed(&error);
                    error
                }
            },
            Err(sqlx::Error::PoolClosed) => return Held::default(),
            // Whoever does not let us in has seen nothing of what is written.
            Err(error) => error,
        };
        tracing::warn!(%error, "the journal is not written just now; trying again");
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

/// Writes one at a time, so that what the database refuses fails alone.
async fn singly(writes: &[Write], connection: &mut OwnConnection, error: &sqlx::Error) -> Held {
    if let [write] = writes {
        tracing::error!(run = %write.lease.run, %error, "the database refuses a record");
        return Held::default();
    }
    let mut held = Held::default();
    for write in writes {
        held.extend(Box::pin(persist(std::slice::from_ref(write), connection)).await);
    }
    held
}

/// All writes of one lease, of one kind, as one row: what it did, and the last that was said on how it goes on.
pub(super) struct Row<'w> {
    pub(super) records: Vec<&'w str>,
    pub(super) then: &'w Then,
}

impl Row<'_> {
    /// Returns what it did as a JSON array; `None` for nothing.
    pub(super) fn json(&self) -> Option<String> {
        let some = !self.records.is_empty();
        some.then(|| format!("[{}]", self.records.join(",")))
    }
}

/// Writes what is of one kind: see [`by_kind`].
async fn once(writes: &[Write], connection: &mut PgConnection) -> Result<Held, sqlx::Error> {
    let mut rows: HashMap<Lease, Row<'_>> = HashMap::new();
    for write in writes {
        let row = rows.entry(write.lease).or_insert_with(|| Row {
            records: Vec::new(),
            then: &Then::GoOn,
        });
        row.records
            .extend((!write.records.is_empty()).then_some(write.records.as_str()));
        if !matches!(write.then, Then::GoOn) {
            row.then = &write.then;
        }
    }
    // Two fences of one run in one statement: only the newer can be ours.
    let newest: HashMap<RunId, i64> = rows.keys().fold(HashMap::new(), |mut newest, lease| {
        let fence = newest.entry(lease.run).or_insert(lease.fence);
        *fence = (*fence).max(lease.fence);
        newest
    });
    let current: HashSet<Lease> = newest
        .into_iter()
        .map(|(run, fence)| Lease { run, fence })
        .collect();
    let mut rows: Vec<(Lease, Row<'_>)> = rows.into_iter().collect();
    rows.retain(|(lease, _)| current.contains(lease));
    // Whoever else writes or ends several of them has them in the same order.
    rows.sort_unstable_by_key(|(lease, _)| lease.run);
    let (mut ends, mut others) = (Columns::default(), Columns::default());
    let mut calls = Calls::default();
    for (lease, row) in &rows {
        match row.then {
            Then::End(..) => ends.push(*lease, row),
            Then::GoOn | Then::Wait(_) => others.push(*lease, row),
            Then::Call(starts, until) => calls.push(*lease, row, starts, *until),
        }
    }
    if !ends.is_empty() {
        ends.end(connection).await
    } else if !calls.is_empty() {
        calls.begin(connection).await
    } else {
        others.go_on(connection).await
    }
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;
    use tokio::sync::{oneshot, watch};
    use uuid::Uuid;

    use super::super::{Ending, UnderWay};
    use super::*;

    /// Returns a write whose place among others its fence says.
    fn write(place: i64, then: Then) -> Write {
        Write {
            lease: Lease {
                run: RunId(Uuid::nil()),
                fence: place,
            },
            records: String::new(),
            then,
            done: oneshot::channel().0,
            _under_way: UnderWay::new(&watch::Sender::new(0)),
        }
    }

    fn places(batches: &[Vec<Write>]) -> Vec<Vec<i64>> {
        let of = |batch: &Vec<Write>| batch.iter().map(|write| write.lease.fence).collect();
        batches.iter().map(of).collect()
    }

    #[test]
    fn much_of_one_kind_holds_up_no_other() {
        let large = |place| Write {
            records: "x".repeat(BYTES_AT_ONCE),
            ..write(place, Then::GoOn)
        };
        let end = |place| write(place, Then::End(Ending::failed(String::new())));
        let call = |place| write(place, Then::Call(Vec::new(), None));
        let writes = vec![large(0), large(1), large(2), end(3), call(4), end(5)];
        let expected: [&[i64]; 5] = [&[0], &[4], &[3, 5], &[1], &[2]];
        assert_eq!(places(&batches(writes)), expected);
    }

    #[test]
    fn what_is_much_together_is_written_by_several_statements_in_its_order() {
        let half = BYTES_AT_ONCE / 2;
        for (sizes, expected) in [
            (vec![10; 500], vec![500]),
            (vec![half, half, half, 10, 10], vec![2, 3]),
            (vec![2 * half, 2 * half, 10], vec![1, 1, 1]),
        ] {
            let writes = sizes.iter().zip(0..).map(|(bytes, place)| Write {
                records: "x".repeat(*bytes),
                ..write(place, Then::Wait(Timestamp(0)))
            });
            let batches = by_size(writes.collect());
            let counts: Vec<usize> = batches.iter().map(Vec::len).collect();
            assert_eq!(counts, expected);
            let order = places(&batches).concat();
            assert!(order.is_sorted(), "{order:?}");
        }
    }
}
