//! The task that writes events and their runs.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use domain::run::RunState;
use domain::{RunId, Timestamp};
use sqlx::PgPool;
use sqlx::postgres::PgConnection;
use tokio::sync::mpsc;

use super::{Computed, Event, Kept};
use crate::error::{is_content, is_in_the_way};
use crate::live::{Changed, Teller, What};
use crate::measure::{Counters, Ended};
use crate::own_connection::OwnConnection;
use crate::queue::LEASE;
use crate::writers::Writers;
use crate::{stored, timestamp};

/// Most events in one statement.
const AT_ONCE: usize = 512;
/// Bytes of payloads and records in one statement after which no more are added.
const AT_ONCE_BYTES: usize = 8 * 1024 * 1024;

/// Writes until nobody can send any more, and what was sent is written.
pub(super) async fn all(
    mut events: mpsc::Receiver<Event>,
    system: PgPool,
    live: Teller,
    counters: Arc<Counters>,
) {
    let mut writers = Writers::new(system);
    let mut waiting = VecDeque::with_capacity(AT_ONCE);
    let mut came = Vec::with_capacity(AT_ONCE);
    let mut is_open = true;
    loop {
        while writers.is_ready(waiting.len()) {
            let batch = take(&mut waiting);
            let live = live.clone();
            let counters = Arc::clone(&counters);
            writers.begin(|mut connection| async move {
                persist(batch, &mut connection, &live, &counters).await;
                connection
            });
        }
        let room = AT_ONCE - waiting.len();
        tokio::select! {
            count = events.recv_many(&mut came, room), if is_open && room > 0 => {
                is_open = count > 0;
                waiting.extend(came.drain(..));
            }
            true = writers.end_of_one() => {}
            else => return,
        }
    }
}

/// Takes out the events of the next statement.
fn take(waiting: &mut VecDeque<Event>) -> Vec<Event> {
    let mut bytes = 0;
    let fit = waiting.iter().take_while(|event| {
        let fits = bytes < AT_ONCE_BYTES;
        bytes += event.bytes;
        fits
    });
    let count = fit.count();
    waiting.drain(..count).collect()
}

async fn persist(
    events: Vec<Event>,
    connection: &mut OwnConnection,
    live: &Teller,
    counters: &Counters,
) {
    let written = match connection.get().await {
        Ok((open, bound)) => bound.of(once(&events, open)).await,
        Err(error) => Err(error),
    };
    match written {
        Ok(written) => {
            let kept: Vec<_> = events.iter().map(|event| written.of(event)).collect();
            if !kept.iter().all(Kept::wants_nobody) {
                live.ring();
            }
            let computed = events
                .iter()
                .zip(&kept)
                .filter(|(_, kept)| kept.is_computed);
            let ended = computed.filter_map(|(event, _)| {
                let took = event.computed.as_ref()?.began.elapsed().as_millis();
                Some(Ended {
                    integration: event.route.integration,
                    state: RunState::Succeeded,
                    latency_ms: Some(u64::try_from(took).unwrap_or(u64::MAX)),
                })
            });
            counters.ended(&ended.collect::<Vec<_>>());
            for (event, kept) in events.into_iter().zip(kept) {
                tell(event, kept, live);
            }
        }
        // One event that the database refuses must not take the others with it, nor what was
        // computed of it the event. Where it refuses all of them, each alone would only wait for the
        // one before.
        Err(error) if may_do_better(&events) && (is_content(&error) || is_in_the_way(&error)) => {
            for mut event in events {
                event.computed = None;
                Box::pin(persist(vec![event], connection, live, counters)).await;
            }
        }
        // Their senders are told that it is not known: what was not answered in time may be kept, as
        // where an answer was lost. It is not tried again here, as nobody would wait for it.
        Err(error) => {
            connection.failed(&error);
            let error = error.to_string();
            for event in events {
                drop(event.place);
                // A sender that went away does not wait for the answer.
                let _ = event.done.send(Err(error.clone()));
            }
        }
    }
}

/// Returns whether events may be kept one by one, as they came, when the database refuses them.
fn may_do_better(events: &[Event]) -> bool {
    events.len() > 1 || events.iter().any(|event| event.computed.is_some())
}

fn tell(event: Event, kept: Kept, live: &Teller) {
    let run = kept.repeats.unwrap_or(event.run);
    let what = What::Run(run, event.route.integration);
    live.tell_all([Changed {
        organization: event.route.organization,
        what,
    }]);
    // Whoever is told finds its room again.
    drop(event.place);
    let _ = event.done.send(Ok(kept));
}

/// What a statement wrote.
struct Written {
    at: Timestamp,
    /// The runs that were to be handed over, but wait for their turn: they are throttled.
    held: HashSet<RunId>,
    /// The runs that were not started, each with that of an earlier delivery of the same event.
    repeated: HashMap<RunId, RunId>,
    /// The runs that were kept as they were computed.
    computed: HashSet<RunId>,
}

impl Written {
    fn of(&self, event: &Event) -> Kept {
        let repeats = self.repeated.get(&event.run).copied();
        let is_computed = self.computed.contains(&event.run);
        Kept {
            at: self.at,
            is_handed: event.hand_to.is_some()
                && repeats.is_none()
                && !is_computed
                && !self.held.contains(&event.run),
            is_computed,
            repeats,
        }
    }
}

impl Kept {
    /// Returns whether no other worker need look for its run.
    fn wants_nobody(&self) -> bool {
        self.is_handed || self.is_computed || self.repeats.is_some()
    }
}

/// Writes events, their runs and their places in the queue; returns when that was. A run that is
/// handed to a worker is claimed by it from the start, unless its integration is throttled. Others
/// ring for any worker. A run that was computed is written as it ended, without ever being in the
/// queue; unless its integration is throttled, or failing: then it goes the way of all others, as
/// the end of each run of a failing integration is looked at by the journal.
///
/// Of several deliveries of one event the first is written: see `deliver` in the migrations. It is
/// called after the throttles were locked, so that nobody waits in a circle, and only when an event
/// has a name: others cost nothing more.
async fn once(events: &[Event], connection: &mut PgConnection) -> Result<Written, sqlx::Error> {
    let ids: Vec<_> = events.iter().map(|event| event.event).collect();
    let runs: Vec<_> = events.iter().map(|event| event.run.0).collect();
    let organizations: Vec<_> = events
        .iter()
        .map(|event| event.route.organization.0)
        .collect();
    let integrations: Vec<_> = events
        .iter()
        .map(|event| event.route.integration.0)
        .collect();
    let hashes: Vec<_> = events
        .iter()
        .map(|event| event.route.hash.0.as_str())
        .collect();
    let versions: Result<Vec<_>, _> = events
        .iter()
        .map(|event| stored(event.route.version))
        .collect();
    let versions = versions.expect("a version's number was read from the database");
    let payloads: Vec<_> = events.iter().map(|event| event.payload.as_str()).collect();
    let workers: Vec<_> = events
        .iter()
        .map(|event| event.hand_to.map(|worker| worker.0))
        .collect();
    let deliveries: Vec<_> = events
        .iter()
        .map(|event| event.delivery.as_deref())
        .collect();
    let sources: Vec<_> = events
        .iter()
        .map(|event| event.delivery.as_ref().map(|_| event.route.delivery.key()))
        .collect();
    let computed = || events.iter().map(|event| event.computed.as_ref());
    // By the clock of the database, as all other runs.
    let worked: Vec<_> = computed()
        .map(|computed| computed.map(|computed| computed.began.elapsed().as_secs_f64()))
        .collect();
    let records: Vec<_> = computed()
        .map(|computed| computed.and_then(Computed::records))
        .collect();
    let written = sqlx::query!(
        r#"with given as (
               select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[],
                    $6::integer[], $7::text[], $8::uuid[], $10::text[], $13::float8[],
                    $14::text[])
                    as given (event_id, run_id, organization_id, integration_id, hash,
                        version_number, payload, worker, name, worked, records)
           ), throttled as materialized (
               select throttled(array(
                   select distinct integration_id from given
                   where worker is not null or worked is not null
               )) as integration_id
           ), repeated as materialized (
               select run_id, first_id from deliver($4, $3, $12, $10, $2)
               where $11 and (select count(*) from throttled) >= 0
           ), incoming as materialized (
               select event_id, run_id, organization_id, integration_id, hash, version_number,
                    payload, name, records,
                    case when throttled.integration_id is null then worker end as worker,
                    worker is not null and throttled.integration_id is not null as is_held,
                    case when throttled.integration_id is null and not exists (
                        select from failing
                        where failing.integration_id = given.integration_id and cause = 'runs'
                            and since is not null
                    ) then now() - make_interval(secs => worked) end as began_at
               from given left join throttled using (integration_id)
               where run_id not in (select run_id from repeated)
           ), kept as (
               insert into event (event_id, organization_id, integration_id, kind, payload,
                    delivery_name)
               select event_id, organization_id, integration_id, 'webhook', payload::json, name
               from incoming
           ), begun as (
               insert into run (run_id, organization_id, integration_id, event_id, hash, is_test,
                    version_number, state, created_at, started_at, finished_at)
               select run_id, organization_id, integration_id, event_id, hash, false,
                    version_number,
                    case when began_at is not null then 'succeeded'
                        when worker is not null then 'running' else 'queued' end,
                    coalesce(began_at, now()),
                    coalesce(began_at, case when worker is not null then now() end),
                    case when began_at is not null then now() end
               from incoming
           ), recorded as (
               insert into run_record (run_id, organization_id, records)
               select run_id, organization_id, records from incoming
               where began_at is not null and records is not null
           ), queued as (
               insert into run_queue (run_id, line_id, worker, fence, lease_until)
               select run_id, integration_id, worker, (worker is not null)::integer,
                    case when worker is not null then now() + make_interval(secs => $9) end
               from incoming where began_at is null
           )
           select now() as "now!", array(select run_id from incoming where is_held) as "held!",
                array(select run_id from repeated order by run_id) as "repeated!",
                array(select first_id from repeated order by run_id) as "firsts!",
                array(select run_id from incoming where began_at is not null) as "computed!""#,
        &ids,
        &runs,
        &organizations,
        &integrations,
        &hashes as &[&str],
        &versions,
        &payloads as &[&str],
        &workers as &[Option<uuid::Uuid>],
        LEASE.as_secs_f64(),
        &deliveries as &[Option<&str>],
        deliveries.iter().any(Option::is_some),
        &sources as &[Option<String>],
        &worked as &[Option<f64>],
        &records as &[Option<&str>],
    )
    .fetch_one(connection)
    .await?;
    Ok(Written {
        at: timestamp::read(written.now),
        held: written.held.into_iter().map(RunId).collect(),
        repeated: written
            .repeated
            .into_iter()
            .map(RunId)
            .zip(written.firsts.into_iter().map(RunId))
            .collect(),
        computed: written.computed.into_iter().map(RunId).collect(),
    })
}
