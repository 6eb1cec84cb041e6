//! Resuming runs that ended early: from the step at which they did, with all that is recorded.

use domain::account::Me;
use domain::call;
use domain::policy::Act;
use domain::run::{ResumeOn, Resumed, RunState, StepRecord, ended_at};
use domain::{IntegrationId, RunId};
use serde_json::{Value, json};

use super::{fold, state};
use crate::live::{Changed, What};
use crate::{Error, Refusal, Result, RunFilter, Store, Tx, audit, document, timestamp};

/// Runs that are resumed in one transaction.
const AT_ONCE: usize = 100;

/// What a resumed run executes: a version's number and hash.
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
    /// succeeded, or nothing is live that it could go on with.
    pub async fn resume_run(&self, me: &Me, id: RunId, on: ResumeOn) -> Result<()> {
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
            ResumeOn::Live => Some(live_version(&mut tx, me, integration).await?),
        };
        let mut resumed = vec![(id, integration)];
        resumed.extend(resume(&mut tx, me, id, on, target.as_ref()).await?);
        let detail = json!({ "was": before.key(), "on": on });
        audit::note(&mut tx, me, "run.resume", id.0, detail).await?;
        self.commit_resume(tx, me, resumed).await
    }

    /// Resumes runs that match and did not succeed, oldest first from the one after `after`, up
    /// to 100; says where to go on. Canceled ones only when they are asked for.
    ///
    /// # Errors
    /// When the role does not allow it. With [`ResumeOn::Live`], runs of integrations of which
    /// nothing is live are left out.
    pub async fn resume_runs(
        &self,
        me: &Me,
        filter: RunFilter,
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
        let mut resumed = Vec::with_capacity(rows.len());
        let mut called = Vec::new();
        for row in rows.into_iter().take(AT_ONCE) {
            let target = match (on, row.number, row.hash) {
                (ResumeOn::Live, Some(number), Some(hash)) => Some(Target { number, hash }),
                _ => None,
            };
            let id = RunId(row.run_id);
            // One that another of them called was resumed with that one.
            if called.iter().any(|(called, _)| *called == id) {
                continue;
            }
            called.extend(resume(&mut tx, me, id, on, target.as_ref()).await?);
            resumed.push((id, IntegrationId(row.integration_id)));
        }
        let next = resumed.last().filter(|_| is_more).map(|(id, _)| *id);
        resumed.extend(called);
        let count = u32::try_from(resumed.len()).unwrap_or(u32::MAX);
        if count > 0 {
            let detail = json!({ "runs": count, "on": on, "state": filter.state });
            let of = filter.integration.map_or(me.organization.0, |id| id.0);
            audit::note(&mut tx, me, "run.resume_many", of, detail).await?;
        }
        self.commit_resume(tx, me, resumed).await?;
        Ok(Resumed {
            resumed: count,
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

async fn live_version(tx: &mut Tx, me: &Me, integration: IntegrationId) -> Result<Target> {
    let live = sqlx::query_as!(
        Target,
        "select number, hash from integration join version on version_id = live_version_id
         where integration.organization_id = $1 and integration.integration_id = $2",
        me.organization.0,
        integration.0,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(live.ok_or(Refusal::NotPublished)?)
}

/// Queues a run whose row is locked. It wants a worker with a fence above all that it had. Runs
/// that it called and waited for are resumed with it; returns those, with their integrations.
async fn resume(
    tx: &mut Tx,
    me: &Me,
    id: RunId,
    on: ResumeOn,
    target: Option<&Target>,
) -> Result<Vec<(RunId, IntegrationId)>> {
    let row = sqlx::query!(
        r#"select body, now() as "now!",
                (select json_agg(records::json order by seq) from run_record
                 where run_record.run_id = run.run_id) as records
           from run
           join document on document.organization_id = $1 and document.hash = run.hash
           where run_id = $2"#,
        me.organization.0,
        id.0,
    )
    .fetch_one(&mut **tx)
    .await?;
    let records = match row.records {
        Some(Value::Array(rows)) => fold(rows)?,
        _ => Vec::new(),
    };
    let now = timestamp::read(row.now);
    let document = document::read(row.body)?;
    let ended = ended_at(&records, &document);
    let awaited = call::awaited(&records, &document);
    let called = called(tx, me, id, ended.iter().copied().chain(awaited)).await?;
    let again = ended.into_iter().map(|record| {
        let path = record.path.to_string();
        if called.iter().any(|called| called.path == path) {
            call::again(record, now)
        } else {
            record.again(now)
        }
    });
    let again: Vec<StepRecord> = again.collect();
    if !again.is_empty() {
        let again = serde_json::to_string(&again).map_err(sqlx::Error::decode)?;
        sqlx::query!(
            "insert into run_record (run_id, organization_id, records)
             values ($1, $2, $3)",
            id.0,
            me.organization.0,
            again,
        )
        .execute(&mut **tx)
        .await?;
    }
    sqlx::query!(
        "update run set state = 'queued', error = null, finished_at = null, resumed_at = now(),
                hash = coalesce($2, hash), version_number = coalesce($3, version_number)
         where run_id = $1",
        id.0,
        target.map(|target| target.hash.as_str()),
        target.map(|target| target.number),
    )
    .execute(&mut **tx)
    .await?;
    // It waits for a place like a new run, also where it left its last one behind.
    sqlx::query!("delete from throttle_place where run_id = $1", id.0)
        .execute(&mut **tx)
        .await?;
    sqlx::query!(
        "insert into run_queue (run_id, line_id, fence)
         select run_id, integration_id, nextval('run_resume_seq') << 20
         from run where run_id = $1",
        id.0,
    )
    .execute(&mut **tx)
    .await?;
    let mut resumed = Vec::new();
    for called in called {
        let target = match on {
            ResumeOn::Ran => None,
            // What is not published any more goes on as it was.
            ResumeOn::Live => live_version(tx, me, called.integration).await.ok(),
        };
        resumed.push((called.run, called.integration));
        resumed.extend(Box::pin(resume(tx, me, called.run, on, target.as_ref())).await?);
    }
    Ok(resumed)
}

/// A called run that did not succeed; its row is locked.
struct Unsuccessful {
    run: RunId,
    integration: IntegrationId,
    path: String,
}

/// Returns the last run that each of these steps called, where that is over and did not succeed.
/// None of those that are under way is over before the end of the transaction: whoever ends one
/// finds its caller in the queue, or the caller finds its end.
async fn called(
    tx: &mut Tx,
    me: &Me,
    id: RunId,
    steps: impl Iterator<Item = &StepRecord>,
) -> Result<Vec<Unsuccessful>> {
    let paths: Vec<String> = steps.map(|record| record.path.to_string()).collect();
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let last = sqlx::query_scalar!(
        r#"select called.run_id from unnest($1::text[]) as step (path)
           cross join lateral (
               select run_id from run
               where caller_id = $2 and caller_path = path
               order by call_number desc limit 1
           ) as called"#,
        &paths,
        id.0,
    )
    .fetch_all(&mut **tx)
    .await?;
    if last.is_empty() {
        return Ok(Vec::new());
    }
    let under_way = sqlx::query_scalar!(
        "select run_id from run_queue where run_id = any($1) order by run_id for update",
        &last,
    )
    .fetch_all(&mut **tx)
    .await?;
    // A step that did not wait may do so in the version that is executed now.
    sqlx::query!(
        "update run set caller_waits = true where run_id = any($1) and not caller_waits",
        &under_way,
    )
    .execute(&mut **tx)
    .await?;
    let states: Vec<String> = RunState::ALL
        .into_iter()
        .filter(|state| state.can_resume())
        .map(|state| state.key().to_owned())
        .collect();
    let rows = sqlx::query!(
        r#"select run_id, integration_id, caller_path as "caller_path!" from run
           where organization_id = $1 and run_id = any($2) and caller_waits and state = any($3)
           order by run_id
           for update"#,
        me.organization.0,
        &last,
        &states,
    )
    .fetch_all(&mut **tx)
    .await?;
    let unsuccessful = rows.into_iter().map(|row| Unsuccessful {
        run: RunId(row.run_id),
        integration: IntegrationId(row.integration_id),
        path: row.caller_path,
    });
    Ok(unsuccessful.collect())
}
