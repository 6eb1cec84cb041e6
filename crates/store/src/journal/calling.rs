//! The statement of the journal that starts the runs that others call.

use domain::{IntegrationId, OrganizationId, RunId, Timestamp};
use engine::port::{Calling, Lease};
use sqlx::postgres::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::statement::{Held, changed};
use super::write::Row;
use crate::live::{Changed, What};
use crate::{stored, timestamp};

/// Runs that call, and their calls, column by column.
#[derive(Default)]
pub(super) struct Calls<'w> {
    runs: Vec<Uuid>,
    fences: Vec<i64>,
    records: Vec<Option<String>>,
    untils: Vec<Option<OffsetDateTime>>,
    starts: Starts<'w>,
}

/// The calls that begin.
#[derive(Default)]
struct Starts<'w> {
    runs: Vec<Uuid>,
    paths: Vec<&'w str>,
    waits: Vec<bool>,
    called: Vec<Uuid>,
    hashes: Vec<&'w str>,
    versions: Vec<i32>,
    /// Arrays of ids, as Postgres writes them.
    callers: Vec<String>,
    payloads: Vec<&'w str>,
}

impl<'w> Calls<'w> {
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub(super) fn push(
        &mut self,
        lease: Lease,
        row: &Row<'w>,
        starts: &'w [(Calling, String)],
        until: Option<Timestamp>,
    ) {
        self.runs.push(lease.run.0);
        self.fences.push(lease.fence);
        self.records.push(row.json());
        self.untils.push(until.map(timestamp::write));
        for (calling, payload) in starts {
            self.starts.push(lease.run, calling, payload);
        }
    }

    /// Starts the called runs and leaves the calling ones waiting. Of a step in a round, one that
    /// is under way, or that succeeded, is not started again: what comes of that one counts.
    ///
    /// The fence grows, so that what is written twice is refused the second time: a called run may
    /// be over by then, and nobody would wake the calling one any more. No wake is lost between:
    /// whoever ends a called run changes the calling one's place in the queue, either before this
    /// has it, which then says so, or after, when the run waits. Only one that is not started here
    /// and not waited for yet is looked at itself; whoever ends it has its place first and the
    /// calling one's after, so this locks them in the same order.
    pub(super) async fn begin(&self, connection: &mut PgConnection) -> Result<Held, sqlx::Error> {
        let starts = &self.starts;
        let ids = || -> Vec<Uuid> { starts.runs.iter().map(|_| Uuid::now_v7()).collect() };
        let rows = sqlx::query!(
            r#"with write as (
                   select * from unnest($1::uuid[], $2::bigint[], $3::text[], $4::timestamptz[])
                        as write (run_id, fence, records, until)
               ), start as materialized (
                   select * from unnest($5::uuid[], $6::text[], $7::boolean[], $8::uuid[],
                        $9::text[], $10::integer[], $11::text[], $12::text[], $13::uuid[],
                        $14::uuid[])
                        as start (run_id, path, waits, called_integration_id, hash,
                            version_number, callers, payload, event_id, called_id)
               ), last as materialized (
                   select start.called_id, latest.run_id as last_id, state, call_number
                   from start cross join lateral (
                       select run_id, state, call_number from run
                       where caller_id = start.run_id and caller_path = start.path
                       order by call_number desc limit 1
                   ) as latest
               ), there as materialized (
                   select run_queue.run_id from last
                   join run_queue on run_queue.run_id = last_id
                   order by run_queue.run_id
                   for update of run_queue
               ), held as materialized (
                   select write.*, has_returned, run.organization_id, run.integration_id
                   from write
                   join run_queue on run_queue.run_id = write.run_id
                        and run_queue.fence = write.fence
                   join run on run.run_id = write.run_id
                   where (select count(*) from there) >= 0
                   order by write.run_id
                   for update of run_queue
               ), begins as materialized (
                   select start.*, held.organization_id, last_id,
                        coalesce(last.call_number, 0) as last_number,
                        last_id is not null and last.state
                            not in ('failed', 'in_doubt', 'quarantined', 'canceled') as is_known,
                        there.run_id is not null as is_under_way
                   from start
                   join held using (run_id)
                   left join last using (called_id)
                   left join there on there.run_id = last_id
               ), appended as (
                   insert into run_record (run_id, organization_id, records)
                   select run_id, organization_id, records from held
                   where records is not null
               ), kept as (
                   insert into event (event_id, organization_id, integration_id, kind, payload)
                   select event_id, organization_id, called_integration_id, 'call', payload::json
                   from begins where not is_known
               ), started as (
                   insert into run (run_id, organization_id, integration_id, event_id, hash,
                        is_test, version_number, state, caller_id, caller_path, call_number,
                        callers, caller_waits)
                   select called_id, organization_id, called_integration_id, event_id, hash,
                        false, version_number, 'queued', run_id, path, last_number + 1,
                        callers::uuid[], waits
                   from begins where not is_known
               ), queued as (
                   insert into run_queue (run_id, line_id)
                   select called_id, called_integration_id from begins where not is_known
               ), awaited as (
                   update run set caller_waits = true
                   from begins where run.run_id = last_id and is_known and waits
                        and not caller_waits
               ), moved as (
                   update run_queue
                   set due_at = case when held.has_returned or exists (
                            select from begins where begins.run_id = held.run_id
                                and (not waits or (is_known and not is_under_way))
                        ) then now() else coalesce(until, 'infinity') end,
                        fence = run_queue.fence + 1, takeovers = 0, is_alone = false,
                        lease_until = null, worker = null
                   from held where run_queue.run_id = held.run_id
                   returning run_queue.run_id, due_at <= now() as is_due
               ), told as (
                   update run set state = 'waiting', error = null, finished_at = null
                   from held where run.run_id = held.run_id
               )
               select held.run_id as "run_id!", fence as "fence!",
                    held.organization_id as "organization_id!",
                    integration_id as "integration_id!", called_id as "called_id?",
                    called_integration_id as "called_integration_id?", is_due as "is_due!"
               from held
               join moved using (run_id)
               left join begins on begins.run_id = held.run_id and not is_known"#,
            &self.runs,
            &self.fences,
            &self.records as &[Option<String>],
            &self.untils as &[Option<OffsetDateTime>],
            &starts.runs,
            &starts.paths as &[&str],
            &starts.waits,
            &starts.called,
            &starts.hashes as &[&str],
            &starts.versions,
            &starts.callers,
            &starts.payloads as &[&str],
            &ids(),
            &ids(),
        )
        .fetch_all(connection)
        .await?;
        let started = rows.iter().filter_map(|row| {
            let (called, integration) = row.called_id.zip(row.called_integration_id)?;
            Some(Changed {
                organization: OrganizationId(row.organization_id),
                what: What::Run(RunId(called), IntegrationId(integration)),
            })
        });
        let started = started.collect();
        let wakes = rows.iter().any(|row| row.is_due || row.called_id.is_some());
        let held = rows.into_iter().map(|row| {
            let lease = Lease {
                run: RunId(row.run_id),
                fence: row.fence,
            };
            changed(lease, row.organization_id, row.integration_id)
        });
        Ok(Held {
            leases: held.collect(),
            started,
            wakes,
            ..Held::default()
        })
    }
}

impl<'w> Starts<'w> {
    fn push(&mut self, run: RunId, calling: &'w Calling, payload: &'w str) {
        let callee = &calling.callee;
        let callers: Vec<String> = callee.callers.iter().map(ToString::to_string).collect();
        let version = stored(callee.version);
        self.runs.push(run.0);
        self.paths.push(&calling.path);
        self.waits.push(calling.waits);
        self.called.push(callee.integration.0);
        self.hashes.push(&callee.hash.0);
        self.versions
            .push(version.expect("a version's number was read from the database"));
        self.callers.push(format!("{{{}}}", callers.join(",")));
        self.payloads.push(payload);
    }
}
