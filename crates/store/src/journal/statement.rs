//! The statements of the journal. Each names the fences: what a newer claim of the run has
//! overtaken is not written.

use std::collections::HashMap;

use domain::alert::QUIET_SECONDS;
use domain::run::RunState;
use domain::{IntegrationId, OrganizationId, RunId};
use engine::port::Lease;
use sqlx::postgres::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Then;
use super::write::Row;
use crate::live::{Changed, What};
use crate::measure::Ended;
use crate::timestamp;

/// The leases of a statement that were ours.
#[derive(Default)]
pub(super) struct Held {
    /// What to tell of each.
    pub(super) leases: HashMap<Lease, Changed>,
    /// The live runs that ended.
    pub(super) ended: Vec<Ended>,
    /// The runs that were started by a call.
    pub(super) started: Vec<Changed>,
    /// Whether a run may wait for a worker now that did not before: one that was called, one that
    /// waited for a call, or one that waited for a place.
    pub(super) wakes: bool,
}

impl Held {
    pub(super) fn extend(&mut self, other: Held) {
        self.leases.extend(other.leases);
        self.ended.extend(other.ended);
        self.started.extend(other.started);
        self.wakes |= other.wakes;
    }
}

/// Rows to write, column by column.
#[derive(Default)]
pub(super) struct Columns<'w> {
    runs: Vec<Uuid>,
    fences: Vec<i64>,
    records: Vec<Option<String>>,
    states: Vec<Option<&'static str>>,
    errors: Vec<Option<&'w str>>,
    results: Vec<Option<&'w str>>,
    untils: Vec<Option<OffsetDateTime>>,
}

impl<'w> Columns<'w> {
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub(super) fn push(&mut self, lease: Lease, row: &Row<'w>) {
        self.runs.push(lease.run.0);
        self.fences.push(lease.fence);
        self.records.push(row.json());
        let (ending, until) = match row.then {
            Then::GoOn | Then::Call(..) => (None, None),
            Then::Wait(until) => (None, Some(timestamp::write(*until))),
            Then::End(ending) => (Some(ending), None),
        };
        self.states.push(ending.map(|ending| ending.state.key()));
        self.errors
            .push(ending.and_then(|ending| ending.error.as_deref()));
        self.results
            .push(ending.and_then(|ending| ending.result.as_deref()));
        self.untils.push(until);
    }

    /// Writes rows that end their runs. Most runs have no other write, so this is the shortest way:
    /// their places in the queue are not locked first, but deleted at once. Runs that called them,
    /// and wait, go on.
    ///
    /// An integration whose runs begin to end badly is failing from then on, until one succeeds;
    /// of runs that end together the bad ones count as the last. Whoever finds the row of another
    /// who writes it at this moment waits, and then finds that it was written: so the letters about
    /// it are written once.
    pub(super) async fn end(&self, connection: &mut PgConnection) -> Result<Held, sqlx::Error> {
        let rows = sqlx::query!(
            r#"with write as (
                   select * from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[],
                        $5::text[], $6::text[])
                        as write (run_id, fence, records, state, error, result)
               ), held as (
                   delete from run_queue using write
                   where run_queue.run_id = write.run_id and run_queue.fence = write.fence
                   returning write.*
               ), given_back as (
                   delete from throttle_place using held
                   where throttle_place.run_id = held.run_id
                   returning throttle_place.run_id
               ), told as (
                   update run
                   set state = held.state, error = held.error, finished_at = now(),
                        result = held.result::json
                   from held where run.run_id = held.run_id
                   returning run.run_id, fence, organization_id, integration_id, records,
                        is_test, run.state, run.error, case when resumed_at is null
                            then extract(epoch from now() - created_at) * 1000 end as latency_ms,
                        case when caller_waits then caller_id end as waiting_id
               ), woken as (
                   -- Not called when nobody waits, as for most.
                   select wake_callers(array_agg(waiting_id)) as runs from told
                   where waiting_id is not null having count(*) > 0
               ), appended as (
                   insert into run_record (run_id, organization_id, records)
                   select run_id, organization_id, records from told
                   where records is not null
               ), bad as (
                   select distinct on (integration_id) run_id, integration_id, organization_id,
                        error
                   from told
                   where not is_test and state in ('failed', 'in_doubt', 'quarantined')
                   order by integration_id, run_id
               ), began as (
                   insert into failing (integration_id, cause, organization_id, since, run_id,
                        alert_at)
                   select integration_id, 'runs', organization_id, now(), run_id, now() from bad
                   where not exists (
                       select from failing
                       where failing.integration_id = bad.integration_id and cause = 'runs'
                            and since is not null
                   )
                   order by integration_id
                   on conflict (integration_id, cause) do update
                   set since = excluded.since, run_id = excluded.run_id,
                        alert_at = greatest(excluded.alert_at,
                            failing.alerted_at + make_interval(secs => $7))
                   where failing.since is null
                   returning integration_id, run_id, since, alert_at
               ), good as (
                   select distinct on (integration_id) run_id, integration_id from told
                   where not is_test and state = 'succeeded'
                        and integration_id not in (select integration_id from bad)
                   order by integration_id, run_id
               ), mended as (
                   select failing.integration_id, good.run_id, failing.since,
                        failing.alert_at <= now() as was_told
                   from failing join good using (integration_id)
                   where cause = 'runs' and failing.since is not null
                   order by failing.integration_id
                   for update of failing
               ), recovered as (
                   update failing
                   set since = null,
                        alerted_at = case when was_told then alert_at else alerted_at end
                   from mended
                   where failing.integration_id = mended.integration_id and cause = 'runs'
               ), taken_back as (
                   delete from alert using mended
                   where alert.integration_id = mended.integration_id and not was_told
                        and cause = 'runs' and kind = 'failing' and alert.since = mended.since
               ), due as (
                   select integration_id, run_id, since, 'failing' as kind,
                        left(error, 1000) as reason,
                        alert_at as due_at
                   from began join bad using (integration_id, run_id)
                   union all
                   select integration_id, run_id, since, 'recovered', null, now()
                   from mended where was_told
               ), alerted as (
                   insert into alert (organization_id, account_id, integration_id, kind, cause,
                        run_id, reason, since)
                   select alert_reader.organization_id, account_id, integration_id, kind, 'runs',
                        run_id, reason, since
                   from due join alert_reader using (integration_id)
                   returning alert_id, organization_id, integration_id
               ), mailed as (
                   insert into mail (mail_id, organization_id, alert_id, next_attempt)
                   select alert_id, organization_id, alert_id, due_at
                   from alerted join due using (integration_id)
               )
               select run_id as "run_id!", fence as "fence!",
                    organization_id as "organization_id!", integration_id as "integration_id!",
                    is_test as "is_test!", state as "state!",
                    latency_ms::bigint as "latency_ms?",
                    exists (select from given_back) or woken.runs > 0 as "wakes!"
               from told cross join (select coalesce(sum(runs), 0) as runs from woken) as woken"#,
            &self.runs,
            &self.fences,
            &self.records as &[Option<String>],
            &self.states as &[Option<&str>],
            &self.errors as &[Option<&str>],
            &self.results as &[Option<&str>],
            f64::from(QUIET_SECONDS),
        )
        .fetch_all(connection)
        .await?;
        let ended = rows.iter().filter(|row| !row.is_test);
        let ended = ended.filter_map(|row| {
            let latency_ms = row
                .latency_ms
                .map(|ms| u64::try_from(ms).unwrap_or_default());
            Some(Ended {
                integration: IntegrationId(row.integration_id),
                state: RunState::from_key(&row.state)?,
                latency_ms,
            })
        });
        let ended = ended.collect();
        let wakes = rows.iter().any(|row| row.wakes);
        let held = rows.into_iter().map(|row| {
            let lease = Lease {
                run: RunId(row.run_id),
                fence: row.fence,
            };
            changed(lease, row.organization_id, row.integration_id)
        });
        Ok(Held {
            leases: held.collect(),
            ended,
            wakes,
            ..Held::default()
        })
    }

    /// Writes rows of runs that go on, or wait in the queue for their time. Either way they got
    /// further: they are not what silenced an earlier worker.
    pub(super) async fn go_on(&self, connection: &mut PgConnection) -> Result<Held, sqlx::Error> {
        let rows = sqlx::query!(
            r#"with write as (
                   select * from unnest($1::uuid[], $2::bigint[], $3::text[], $4::timestamptz[])
                        as write (run_id, fence, records, until)
               ), held as (
                   select write.*, takeovers, run.organization_id, integration_id from write
                   join run_queue on run_queue.run_id = write.run_id
                        and run_queue.fence = write.fence
                   join run on run.run_id = write.run_id
                   order by write.run_id
                   for update of run_queue
               ), appended as (
                   insert into run_record (run_id, organization_id, records)
                   select run_id, organization_id, records from held
                   where records is not null
               ), moved as (
                   update run_queue
                   set due_at = coalesce(until, due_at), takeovers = 0, is_alone = false,
                        lease_until = case when until is null then lease_until end,
                        worker = case when until is null then worker end
                   from held where run_queue.run_id = held.run_id
                        and (until is not null or held.takeovers > 0)
               ), told as (
                   update run set state = 'waiting', error = null, finished_at = null
                   from held where run.run_id = held.run_id and until is not null
               )
               select run_id as "run_id!", fence as "fence!",
                    organization_id as "organization_id!", integration_id as "integration_id!"
               from held"#,
            &self.runs,
            &self.fences,
            &self.records as &[Option<String>],
            &self.untils as &[Option<OffsetDateTime>],
        )
        .fetch_all(connection)
        .await?;
        let held = rows.into_iter().map(|row| {
            let lease = Lease {
                run: RunId(row.run_id),
                fence: row.fence,
            };
            changed(lease, row.organization_id, row.integration_id)
        });
        Ok(Held {
            leases: held.collect(),
            ..Held::default()
        })
    }
}

pub(super) fn changed(lease: Lease, organization: Uuid, integration: Uuid) -> (Lease, Changed) {
    let changed = Changed {
        organization: OrganizationId(organization),
        what: What::Run(lease.run, IntegrationId(integration)),
    };
    (lease, changed)
}
