//! Resuming runs that ended early: from the step at which they did, with all that is recorded.

use std::collections::{HashMap, HashSet};

use domain::account::Me;
use domain::call;
use domain::policy::Act;
use domain::run::{ResumeOn, Resumed, RunState, StepPath, StepRecord, StepState, ended_at};
use domain::{Document, IntegrationId, RunId, Timestamp};
use serde_json::{Value, json};
use sqlx::Acquire;
use uuid::Uuid;

use super::{Folded, state, unless_in_a_circle};
use crate::error::unless_damaged;
use crate::live::{Changed, What};
use crate::{Error, Refusal, Result, RunFilter, Savepoint, Store, Tx, audit, timestamp};

/// Runs that are resumed in one transaction.
const AT_ONCE: usize = 100;

/// Writes of a run that are read at once, each of a few records, or of a large one.
const ROWS_AT_ONCE: i64 = 50;

/// Bytes of records after which no more are written by the same statement.
const BYTES_AT_ONCE: usize = 16 * 1024 * 1024;

/// What a resumed run executes: a version's number and hash.
#[derive(Clone)]
struct Target {
    number: i32,
    hash: String,
}

impl Store {
    /// Resumes a live run that is over and did not succeed: it goes on at the step at which it
    /// ended, which is done again. What is recorded of the others stays, and keeps its effect.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such run, it is a test, it is not over or
    /// succeeded, nothing is live that it could go on with, or it cannot be read.
    pub async fn resume_run(&self, me: &Me, id: RunId, on: ResumeOn) -> Result<()> {
        unless_in_a_circle(|| self.resume_one(me, id, on)).await
    }

    async fn resume_one(&self, me: &Me, id: RunId, on: ResumeOn) -> Result<()> {
        let mut tx = self.begin(me, Act::Operate).await?;
        let run = sqlx::query!(
            "select integration_id, is_test, state from run
             where organization_id = $1 and run_id = $2 for update",
            me.organization.0,
            id.0,
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(Error::NotFound)?;
        let before = state(&run.state)?;
        if run.is_test || !before.can_resume() {
            return Err(Refusal::CannotResume.into());
        }
        let integration = IntegrationId(run.integration_id);
        let target = match on {
            ResumeOn::Ran => None,
            ResumeOn::Live => {
                let mut live = live_versions(&mut tx, me, &[integration.0]).await?;
                Some(live.remove(&integration).ok_or(Refusal::NotPublished)?)
            }
        };
        let run = Resuming {
            id,
            integration,
            target,
        };
        let resumed = resume(&mut tx, me, on, vec![run]).await?.runs;
        if resumed.is_empty() {
            return Err(Refusal::Unreadable.into());
        }
        let detail = json!({ "was": before.key(), "on": on });
        audit::note(&mut tx, me, "run.resume", id.0, detail).await?;
        self.commit_resume(tx, me, resumed).await
    }

    /// Resumes runs that match and did not succeed, oldest first from the one after `after`, up
    /// to 100; says where to go on. Canceled ones only when they are asked for.
    ///
    /// # Errors
    /// When the role does not allow it. With [`ResumeOn::Live`], runs of integrations of which
    /// nothing is live are left out, and so is always what cannot be read.
    pub async fn resume_runs(
        &self,
        me: &Me,
        filter: RunFilter,
        after: Option<RunId>,
        on: ResumeOn,
    ) -> Result<Resumed> {
        // Its first rows are those that nobody has, wherever they stand among those that called
        // each other; those that they called it waits for. Another who resumes one between may wait
        // for these.
        unless_in_a_circle(|| self.resume_some(me, &filter, after, on)).await
    }

    async fn resume_some(
        &self,
        me: &Me,
        filter: &RunFilter,
        after: Option<RunId>,
        on: ResumeOn,
    ) -> Result<Resumed> {
        let mut tx = self.begin(me, Act::Operate).await?;
        let states: Vec<String> = RunState::ALL
            .into_iter()
            .filter(|state| match filter.state {
                Some(wanted) => *state == wanted && state.can_resume(),
                None => *state != RunState::Canceled && state.can_resume(),
            })
            .map(|state| state.key().to_owned())
            .collect();
        // Locked rows belong to someone who resumes them at this moment.
        let rows = sqlx::query!(
            r#"select run_id, run.integration_id, number as "number?", version.hash as "hash?"
               from run
               join integration using (integration_id)
               left join version on version_id = live_version_id
               where run.organization_id = $1 and not is_test and ended_badly and state = any($2)
                    and ($3::uuid is null or run.integration_id = $3)
                    and ($4::uuid is null or run_id < $4)
                    and ($5::uuid is null or run_id > $5)
                    and ($6 or live_version_id is not null)
               order by run_id limit $7
               for update of run skip locked"#,
            me.organization.0,
            &states,
            filter.integration.map(|id| id.0),
            filter.before.map(|id| id.0),
            after.map(|id| id.0),
            on == ResumeOn::Ran,
            i64::try_from(AT_ONCE + 1).unwrap_or(i64::MAX),
        )
        .fetch_all(&mut *tx)
        .await?;
        let is_more = rows.len() > AT_ONCE;
        let runs = rows.into_iter().take(AT_ONCE).map(|row| Resuming {
            id: RunId(row.run_id),
            integration: IntegrationId(row.integration_id),
            target: match (on, row.number, row.hash) {
                (ResumeOn::Live, Some(number), Some(hash)) => Some(Target { number, hash }),
                _ => None,
            },
        });
        let runs: Vec<Resuming> = runs.collect();
        let next = runs.last().filter(|_| is_more).map(|run| run.id);
        let gone_on = resume(&mut tx, me, on, runs).await?;
        let count = u32::try_from(gone_on.runs.len()).unwrap_or(u32::MAX);
        if count > 0 {
            let detail = json!({ "runs": count, "on": on, "state": filter.state });
            let of = filter.integration.map_or(me.organization.0, |id| id.0);
            audit::note(&mut tx, me, "run.resume_many", of, detail).await?;
        }
        self.commit_resume(tx, me, gone_on.runs).await?;
        Ok(Resumed {
            resumed: count,
            unreadable: gone_on.unreadable,
            next,
        })
    }

    async fn commit_resume(
        &self,
        mut tx: Tx,
        me: &Me,
        runs: Vec<(RunId, IntegrationId)>,
    ) -> Result<()> {
        self.live().notify_workers(&mut tx).await?;
        let changed = runs.into_iter().map(|(run, integration)| Changed {
            organization: me.organization,
            what: What::Run(run, integration),
        });
        self.commit(tx, changed.collect()).await?;
        self.live().wake_workers();
        Ok(())
    }
}

/// Returns what is live of integrations, as far as something is.
async fn live_versions(
    tx: &mut Tx,
    me: &Me,
    integrations: &[Uuid],
) -> Result<HashMap<IntegrationId, Target>> {
    let rows = sqlx::query!(
        "select integration.integration_id, number, hash
         from integration join version on version_id = live_version_id
         where integration.organization_id = $1 and integration.integration_id = any($2)",
        me.organization.0,
        integrations,
    )
    .fetch_all(&mut **tx)
    .await?;
    let live = rows.into_iter().map(|row| {
        let (number, hash) = (row.number, row.hash);
        (IntegrationId(row.integration_id), Target { number, hash })
    });
    Ok(live.collect())
}

/// A run that is resumed; its row is locked.
struct Resuming {
    id: RunId,
    integration: IntegrationId,
    /// What it executes from now on; `None` for what it did.
    target: Option<Target>,
}

/// What was resumed.
#[derive(Default)]
struct GoneOn {
    runs: Vec<(RunId, IntegrationId)>,
    /// Runs that were left out.
    unreadable: u32,
}

/// Queues runs, and with them those that they called and waited for, level by level; returns all of
/// them, each once, with their integrations. What cannot be read is left as it is: whoever called
/// such a run finds that it failed, as before.
async fn resume(tx: &mut Tx, me: &Me, on: ResumeOn, runs: Vec<Resuming>) -> Result<GoneOn> {
    let mut known: HashSet<RunId> = runs.iter().map(|run| run.id).collect();
    let mut gone_on = GoneOn::default();
    let mut level = runs;
    while !level.is_empty() {
        let mut reopening = Vec::with_capacity(level.len());
        let mut readable = Vec::with_capacity(level.len());
        for run in level {
            // One by one: what runs recorded may be much.
            let mut reading = tx.begin().await?;
            let opened = reopen(&mut reading, me, run.id).await;
            match unless_damaged(reading, opened).await? {
                Ok(opened) => {
                    reopening.push(opened);
                    readable.push(run);
                }
                Err(error) => {
                    let run = run.id;
                    tracing::error!(%run, %error, "a run is not resumed, as it cannot be read");
                    gone_on.unreadable += 1;
                }
            }
        }
        let ids = readable.iter().map(|run| (run.id, run.integration));
        gone_on.runs.extend(ids);
        let mut called = resume_level(tx, me, &readable, reopening).await?;
        called.retain(|called| known.insert(called.run));
        let mut live = HashMap::new();
        if on == ResumeOn::Live {
            let integrations: Vec<_> = called.iter().map(|called| called.integration.0).collect();
            live = live_versions(tx, me, &integrations).await?;
        }
        let next = called.into_iter().map(|called| Resuming {
            id: called.run,
            integration: called.integration,
            // What is not published any more goes on as it was.
            target: live.get(&called.integration).cloned(),
        });
        level = next.collect();
    }
    Ok(gone_on)
}

/// The steps with which a run goes on.
struct Reopening {
    run: RunId,
    /// The records of those at which it ended, without what these gave, which may be much and is
    /// forgotten.
    ended: Vec<StepRecord>,
    /// Those that called, and whose calls it goes on to wait for.
    awaited: Vec<StepPath>,
    now: Timestamp,
}

/// Queues runs: each wants a worker with a fence above all that it had. Returns those that they
/// called and waited for, and that did not succeed.
async fn resume_level(
    tx: &mut Tx,
    me: &Me,
    level: &[Resuming],
    reopening: Vec<Reopening>,
) -> Result<Vec<Unsuccessful>> {
    let called = called(tx, me, &reopening).await?;
    let mut again = Again::default();
    for of_run in reopening {
        for record in of_run.ended {
            let step = (of_run.run, record.path.to_string());
            let record = if called.awaited.contains(&step) {
                call::again(&record, of_run.now)
            } else {
                record.again(of_run.now)
            };
            again.push(of_run.run, &record)?;
            if again.bytes >= BYTES_AT_ONCE {
                std::mem::take(&mut again).write(tx, me).await?;
            }
        }
    }
    again.write(tx, me).await?;
    queue(tx, level).await?;
    Ok(called.unsuccessful)
}

/// Records by which steps are done again, to be written by one statement.
#[derive(Default)]
struct Again {
    runs: Vec<Uuid>,
    /// Each alone as a JSON array.
    records: Vec<String>,
    bytes: usize,
}

impl Again {
    fn push(&mut self, run: RunId, record: &StepRecord) -> Result<()> {
        let records = serde_json::to_string(&[record]).map_err(sqlx::Error::decode)?;
        self.bytes += records.len();
        self.runs.push(run.0);
        self.records.push(records);
        Ok(())
    }

    async fn write(self, tx: &mut Tx, me: &Me) -> Result<()> {
        if self.runs.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "insert into run_record (run_id, organization_id, records)
             select run_id, $1, records
             from unnest($2::uuid[], $3::text[]) as again (run_id, records)",
            me.organization.0,
            &self.runs,
            &self.records,
        )
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}

/// Reads what a run does again.
async fn reopen(tx: &mut Savepoint<'_>, me: &Me, run: RunId) -> Result<Reopening> {
    let row = sqlx::query!(
        r#"select body, now() as "now!"
           from run
           join document on document.organization_id = $1 and document.hash = run.hash
           where run_id = $2"#,
        me.organization.0,
        run.0,
    )
    .fetch_one(&mut **tx)
    .await?;
    let document: Document = serde_json::from_value(row.body).map_err(sqlx::Error::decode)?;
    let mut folded = Folded::default();
    let mut last = i64::MIN;
    loop {
        let rows = sqlx::query!(
            "select seq, records from run_record
             where organization_id = $1 and run_id = $2 and seq > $3
             order by seq limit $4",
            me.organization.0,
            run.0,
            last,
            ROWS_AT_ONCE,
        )
        .fetch_all(&mut **tx)
        .await?;
        let Some(newest) = rows.last() else { break };
        last = newest.seq;
        for row in &rows {
            let records = serde_json::from_str::<Vec<StepRecord>>(&row.records);
            let records = records.map_err(sqlx::Error::decode)?.into_iter();
            records.for_each(|record| folded.add(without_much(record)));
        }
    }
    let records = folded.records;
    let path = |record: &StepRecord| record.path.clone();
    let ended: HashSet<StepPath> = ended_at(&records, &document)
        .into_iter()
        .map(path)
        .collect();
    let awaited = call::awaited(&records, &document)
        .into_iter()
        .map(path)
        .collect();
    let records = records.into_iter();
    let ended = records.filter(|record| ended.contains(&record.path));
    let without = ended.map(|record| StepRecord {
        output: Value::Null,
        ..record
    });
    Ok(Reopening {
        run,
        ended: without.collect(),
        awaited,
        now: timestamp::read(row.now),
    })
}

/// Leaves out what may be much in a record and is not done again: of all that a run did there may be
/// more than fits into memory.
fn without_much(record: StepRecord) -> StepRecord {
    if record.state != StepState::Succeeded {
        return record;
    }
    StepRecord {
        input: Value::Null,
        output: Value::Null,
        ..record
    }
}

async fn queue(tx: &mut Tx, level: &[Resuming]) -> Result<()> {
    let runs: Vec<Uuid> = level.iter().map(|run| run.id.0).collect();
    let targets = || level.iter().map(|run| run.target.as_ref());
    let hashes: Vec<Option<&str>> = targets()
        .map(|target| target.map(|target| target.hash.as_str()))
        .collect();
    let numbers: Vec<Option<i32>> = targets()
        .map(|target| target.map(|target| target.number))
        .collect();
    sqlx::query!(
        "update run set state = 'queued', error = null, finished_at = null, resumed_at = now(),
                hash = coalesce(resumed.hash, run.hash),
                version_number = coalesce(resumed.number, version_number)
         from unnest($1::uuid[], $2::text[], $3::integer[]) as resumed (run_id, hash, number)
         where run.run_id = resumed.run_id",
        &runs,
        &hashes as &[Option<&str>],
        &numbers as &[Option<i32>],
    )
    .execute(&mut **tx)
    .await?;
    // They wait for places like new runs, also where they left their last ones behind.
    sqlx::query!("delete from throttle_place where run_id = any($1)", &runs)
        .execute(&mut **tx)
        .await?;
    sqlx::query!(
        "insert into run_queue (run_id, line_id, fence)
         select run_id, integration_id, nextval('run_resume_seq') << 20
         from run where run_id = any($1)",
        &runs,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What runs called with whose steps they go on.
#[derive(Default)]
struct LastCalls {
    /// The steps whose last call is waited for once more: it is resumed, too, or under way already,
    /// as those are that were among the first of those that are resumed.
    awaited: HashSet<(RunId, String)>,
    unsuccessful: Vec<Unsuccessful>,
}

/// A called run that did not succeed; its row is locked.
struct Unsuccessful {
    run: RunId,
    integration: IntegrationId,
}

/// Returns the last runs that the steps called with which runs go on, where those did not succeed:
/// not yet, or not at all. None of those that are under way is over before the end of the
/// transaction: whoever ends one finds its caller in the queue, or the caller finds its end.
async fn called(tx: &mut Tx, me: &Me, callers: &[Reopening]) -> Result<LastCalls> {
    let steps = callers.iter().flat_map(|of_run| {
        let ended = of_run.ended.iter().map(|record| &record.path);
        let paths = ended.chain(&of_run.awaited);
        paths.map(|path| (of_run.run.0, path.to_string()))
    });
    let (of, paths): (Vec<Uuid>, Vec<String>) = steps.unzip();
    if paths.is_empty() {
        return Ok(LastCalls::default());
    }
    let last = sqlx::query_scalar!(
        r#"select called.run_id from unnest($1::uuid[], $2::text[]) as step (caller, path)
           cross join lateral (
               select run_id from run
               where caller_id = caller and caller_path = path
               order by call_number desc limit 1
           ) as called"#,
        &of,
        &paths,
    )
    .fetch_all(&mut **tx)
    .await?;
    if last.is_empty() {
        return Ok(LastCalls::default());
    }
    let under_way = sqlx::query!(
        r#"select run_queue.run_id, caller_id as "caller_id!", caller_path as "caller_path!"
           from run_queue join run on run.run_id = run_queue.run_id
           where run_queue.run_id = any($1)
           order by run_queue.run_id
           for update of run_queue"#,
        &last,
    )
    .fetch_all(&mut **tx)
    .await?;
    let of_under_way: Vec<Uuid> = under_way.iter().map(|row| row.run_id).collect();
    let steps = under_way.into_iter();
    let mut awaited: HashSet<(RunId, String)> = steps
        .map(|row| (RunId(row.caller_id), row.caller_path))
        .collect();
    // A step that did not wait may do so in the version that is executed now.
    sqlx::query!(
        "update run set caller_waits = true where run_id = any($1) and not caller_waits",
        &of_under_way,
    )
    .execute(&mut **tx)
    .await?;
    let states: Vec<String> = RunState::ALL
        .into_iter()
        .filter(|state| state.can_resume())
        .map(|state| state.key().to_owned())
        .collect();
    let rows = sqlx::query!(
        r#"select run_id, integration_id, caller_id as "caller_id!", caller_path as "caller_path!"
           from run
           where organization_id = $1 and run_id = any($2) and caller_waits and state = any($3)
           order by run_id
           for update"#,
        me.organization.0,
        &last,
        &states,
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut unsuccessful = Vec::with_capacity(rows.len());
    for row in rows {
        awaited.insert((RunId(row.caller_id), row.caller_path));
        unsuccessful.push(Unsuccessful {
            run: RunId(row.run_id),
            integration: IntegrationId(row.integration_id),
        });
    }
    Ok(LastCalls {
        awaited,
        unsuccessful,
    })
}
