//! The task that writes events and their runs.

use std::collections::{HashMap, HashSet, VecDeque};

use domain::{RunId, Timestamp};
use sqlx::PgPool;
use sqlx::postgres::PgConnection;
use tokio::sync::mpsc;

use super::{Event, Kept};
use crate::live::{Changed, Teller, What};
use crate::own_connection::OwnConnection;
use crate::queue::LEASE;
use crate::writers::Writers;
use crate::{stored, timestamp};

/// Most events in one statement.
const AT_ONCE: usize = 512;
/// Bytes of payloads in one statement after which no more are added.
const AT_ONCE_BYTES: usize = 8 * 1024 * 1024;

/// Writes until nobody can send any more, and what was sent is written.
pub(super) async fn all(mut events: mpsc::Receiver<Event>, system: PgPool, live: Teller) {
    let mut writers = Writers::new(system);
    let mut waiting = VecDeque::with_capacity(AT_ONCE);
    let mut came = Vec::with_capacity(AT_ONCE);
    let mut is_open = true;
    loop {
        while writers.is_ready(waiting.len()) {
            let batch = take(&mut waiting);
            let live = live.clone();
            writers.begin(|mut connection| async move {
                persist(batch, &mut connection, &live).await;
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
        bytes += event.payload.len();
        fits
    });
    let count = fit.count();
    waiting.drain(..count).collect()
}

async fn persist(events: Vec<Event>, connection: &mut OwnConnection, live: &Teller) {
    let written = match connection.get().await {
        Ok(open) => once(&events, open).await,
        Err(error) => Err(error),
    };
    match written {
        Ok(written) => {
            let is_handed = |event: &Event| {
                event.hand_to.is_some()
                    && !written.held.contains(&event.run)
                    && !written.repeated.contains_key(&event.run)
            };
            let wants_nobody =
                |event: &Event| is_handed(event) || written.repeated.contains_key(&event.run);
            if !events.iter().all(wants_nobody) {
                live.wake_workers();
            }
            for event in events {
                let kept = Kept {
                    at: written.at,
                    is_handed: is_handed(&event),
                    repeats: written.repeated.get(&event.run).copied(),
                };
                tell(event, kept, live);
            }
        }
        // One event that the database refuses must not take the others with it.
        Err(error) if events.len() > 1 && error.as_database_error().is_some() => {
            for event in events {
                Box::pin(persist(vec![event], connection, live)).await;
            }
        }
        Err(error) => {
            connection.failed(&error);
            let error = error.to_string();
            for event in events {
                // A sender that went away does not wait for the answer.
                let _ = event.done.send(Err(error.clone()));
            }
        }
    }
}

fn tell(event: Event, kept: Kept, live: &Teller) {
    let run = kept.repeats.unwrap_or(event.run);
    let what = What::Run(run, event.route.integration);
    live.tell_all([Changed {
        organization: event.route.organization,
        what,
    }]);
    let _ = event.done.send(Ok(kept));
}

/// What a statement wrote.
struct Written {
    at: Timestamp,
    /// The runs that were to be handed over, but wait for their turn: they are throttled.
    held: HashSet<RunId>,
    /// The runs that were not started, each with that of an earlier delivery of the same event.
    repeated: HashMap<RunId, RunId>,
}

/// Writes events, their runs and their places in the queue; returns when that was. A run that is
/// handed to a worker is claimed by it from the start, unless its integration is throttled. Others
/// ring for any worker.
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
    let written = sqlx::query!(
        r#"with given as (
               select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[],
                    $6::integer[], $7::text[], $8::uuid[], $10::text[])
                    as given (event_id, run_id, organization_id, integration_id, hash,
                        version_number, payload, worker, name)
           ), throttled as materialized (
               select throttled(array(
                   select distinct integration_id from given where worker is not null
               )) as integration_id
           ), repeated as materialized (
               select run_id, first_id from deliver($4, $3, $12, $10, $2)
               where $11 and (select count(*) from throttled) >= 0
           ), incoming as materialized (
               select event_id, run_id, organization_id, integration_id, hash, version_number,
                    payload, name, case when throttled.integration_id is null then worker end as worker,
                    worker is not null and throttled.integration_id is not null as is_held
               from given left join throttled using (integration_id)
               where run_id not in (select run_id from repeated)
           ), kept as (
               insert into event (event_id, organization_id, integration_id, kind, payload,
                    delivery_name)
               select event_id, organization_id, integration_id, 'webhook', payload::json, name
               from incoming
           ), begun as (
               insert into run (run_id, organization_id, integration_id, event_id, hash, is_test,
                    version_number, state, started_at)
               select run_id, organization_id, integration_id, event_id, hash, false,
                    version_number,
                    case when worker is null then 'queued' else 'running' end,
                    case when worker is not null then now() end
               from incoming
           ), queued as (
               insert into run_queue (run_id, line_id, worker, fence, lease_until)
               select run_id, integration_id, worker, (worker is not null)::integer,
                    case when worker is not null then now() + make_interval(secs => $9) end
               from incoming
           ), rung as materialized (
               select pg_notify('run_queued', '') where exists (
                   select from incoming where worker is null
               )
           )
           select now() as "now!", array(select run_id from incoming where is_held) as "held!",
                array(select run_id from repeated order by run_id) as "repeated!",
                array(select first_id from repeated order by run_id) as "firsts!"
           from (select count(*) from rung) as done"#,
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
    })
}
