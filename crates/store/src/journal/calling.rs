//! The statement of the journal that starts the runs that others call.

use domain::{IntegrationId, OrganizationId, RunId};
use engine::port::{Calling, Lease};
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::statement::{Held, changed};
use super::write::Row;
use crate::live::{Changed, What};
use crate::stored;

/// Calls to write, column by column.
#[derive(Default)]
pub(super) struct Calls<'w> {
    runs: Vec<Uuid>,
    fences: Vec<i64>,
    records: Vec<String>,
    paths: Vec<&'w str>,
    waits: Vec<bool>,
    called: Vec<Uuid>,
    hashes: Vec<&'w str>,
    versions: Vec<i32>,
    /// Arrays of ids, as Postgres writes them.
    callers: Vec<String>,
    payloads: Vec<&'w str>,
    known: Vec<Option<Uuid>>,
}

impl<'w> Calls<'w> {
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub(super) fn push(
        &mut self,
        lease: Lease,
        row: &Row<'w>,
        calling: &'w Calling,
        payload: &'w str,
    ) {
        let callee = &calling.callee;
        let callers: Vec<String> = callee.callers.iter().map(ToString::to_string).collect();
        let version = stored(callee.version);
        self.runs.push(lease.run.0);
        self.fences.push(lease.fence);
        self.records.push(format!("[{}]", row.records.join(",")));
        self.paths.push(&calling.path);
        self.waits.push(calling.waits);
        self.called.push(callee.integration.0);
        self.hashes.push(&callee.hash.0);
        self.versions
            .push(version.expect("a version's number was read from the database"));
        self.callers.push(format!("{{{}}}", callers.join(",")));
        self.payloads.push(payload);
        self.known.push(calling.known.map(|run| run.0));
    }

    /// Starts the called runs and leaves the calling ones waiting. Of a step in a round, one that
    /// is under way, or that succeeded, is not started again but waited for.
    ///
    /// The fence grows, so that what is written twice is refused the second time: the called run
    /// may be over by then, and nobody would wake the calling one any more. Whoever ends a called
    /// run has its place in the queue first and then looks for the calling one, so this locks them
    /// in the same order: either that end comes later and finds this run waiting, or the place is
    /// gone and this run does not wait.
    pub(super) async fn begin(&self, connection: &mut PgConnection) -> Result<Held, sqlx::Error> {
        let ids = || -> Vec<Uuid> { self.runs.iter().map(|_| Uuid::now_v7()).collect() };
        let rows = sqlx::query!(
            r#"with write as (
                   select * from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[],
                        $5::boolean[], $6::uuid[], $7::text[], $8::integer[], $9::text[],
                        $10::text[], $11::uuid[], $12::uuid[], $13::uuid[])
                        as write (run_id, fence, records, path, waits, called_integration_id, hash,
                            version_number, callers, payload, event_id, called_id, known_id)
               ), last as materialized (
                   select write.run_id, latest.run_id as last_id, state, call_number
                   from write cross join lateral (
                       select run_id, state, call_number from run
                       where caller_id = write.run_id and caller_path = write.path
                       order by call_number desc limit 1
                   ) as latest
               ), there as materialized (
                   select run_queue.run_id from last
                   join run_queue on run_queue.run_id = last_id
                   order by run_queue.run_id
                   for update of run_queue
               ), held as (
                   select write.*, run.organization_id, run.integration_id, last_id,
                        coalesce(last.call_number, 0) as last_number,
                        last_id is not null and (last_id = known_id or last.state
                            not in ('failed', 'in_doubt', 'quarantined', 'canceled')) as is_known,
                        there.run_id is not null as is_under_way
                   from write
                   left join last on last.run_id = write.run_id
                   left join there on there.run_id = last_id
                   join run_queue on run_queue.run_id = write.run_id
                        and run_queue.fence = write.fence
                   join run on run.run_id = write.run_id
                   where (select count(*) from there) >= 0
                   order by write.run_id
                   for update of run_queue
               ), appended as (
                   insert into run_record (run_id, organization_id, records)
                   select run_id, organization_id, records from held
               ), kept as (
                   insert into event (event_id, organization_id, integration_id, kind, payload)
                   select event_id, organization_id, called_integration_id, 'call', payload::json
                   from held where not is_known
               ), started as (
                   insert into run (run_id, organization_id, integration_id, event_id, hash,
                        is_test, version_number, state, caller_id, caller_path, call_number,
                        callers, caller_waits)
                   select called_id, organization_id, called_integration_id, event_id, hash,
                        false, version_number, 'queued', run_id, path, last_number + 1,
                        callers::uuid[], waits
                   from held where not is_known
               ), queued as (
                   insert into run_queue (run_id, line_id)
                   select called_id, called_integration_id from held where not is_known
               ), awaited as (
                   update run set caller_waits = true
                   from held where run.run_id = last_id and is_known and waits
                        and not caller_waits
               ), moved as (
                   update run_queue
                   set awaits = case when is_known then last_id else called_id end,
                        due_at = case when waits and (not is_known or is_under_way)
                            then 'infinity' else now() end,
                        fence = run_queue.fence + 1, takeovers = 0, lease_until = null,
                        worker = null
                   from held where run_queue.run_id = held.run_id
               ), told as (
                   update run set state = 'waiting', error = null, finished_at = null
                   from held where run.run_id = held.run_id
               )
               select run_id as "run_id!", fence as "fence!",
                    organization_id as "organization_id!", integration_id as "integration_id!",
                    called_id as "called_id!",
                    called_integration_id as "called_integration_id!", is_known as "is_known!"
               from held"#,
            &self.runs,
            &self.fences,
            &self.records,
            &self.paths as &[&str],
            &self.waits,
            &self.called,
            &self.hashes as &[&str],
            &self.versions,
            &self.callers,
            &self.payloads as &[&str],
            &ids(),
            &ids(),
            &self.known as &[Option<Uuid>],
        )
        .fetch_all(connection)
        .await?;
        let started = rows.iter().filter(|row| !row.is_known).map(|row| Changed {
            organization: OrganizationId(row.organization_id),
            what: What::Run(
                RunId(row.called_id),
                IntegrationId(row.called_integration_id),
            ),
        });
        let started = started.collect();
        let wakes = !rows.is_empty();
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
