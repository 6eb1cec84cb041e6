//! The order of claims: from line to line, in each the oldest first.
//!
//! A line holds what waits of one integration, or the tests of one draft. Lines stand in a circle,
//! in the order of their ids. Each claim begins behind the line at which the last one ended, and
//! takes one run of each line before it takes a second of any: one that has thousands waiting keeps
//! no other waiting longer than one round. What a claim costs depends on the lines that it looks
//! at, never on how much waits in them.
//!
//! A claim that finds nothing has been all the way round, or says that it was cut off. Throttles are
//! heeded where runs begin. A claim looks at them before only once a line gave nothing that had
//! something due: most have none, and the first lines that it tries have room.

mod clock;
mod round;

use std::time::Instant;

use engine::port::Lease;
use sqlx::PgPool;
use sqlx::postgres::PgConnection;
use time::OffsetDateTime;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{ClaimedRow, LEASE, Room, Takes, WorkerId, columns};
use crate::own_connection::OwnConnection;
use crate::{Result, Store};
use clock::Clock;
use round::Round;

/// Lines that are looked at in one statement.
const LOOK: i64 = 64;
/// Most runs in one claim.
const AT_ONCE: u32 = 100;
/// So often one claim looks for something to do, so that it is over within the bound of its
/// connection; the next one goes on from there.
const LOOKS: usize = 64;

/// The claims of this process: one at a time.
#[derive(Debug)]
pub(crate) struct Lines {
    turn: Mutex<Turn>,
}

#[derive(Debug)]
struct Turn {
    /// Behind which line the next claim begins.
    last: Uuid,
    /// The round that the last claim did not bring to its end.
    round: Option<Round>,
    /// What time the database had at the last claim.
    clock: Clock,
    /// The statements are long: to plan one takes longer than what it does.
    connection: OwnConnection,
    /// What was claimed and is executed by nobody.
    left: Vec<Lease>,
}

/// What a claim found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) rows: Vec<ClaimedRow>,
    /// Whether it found nothing before it had been all the way round.
    pub(super) is_cut_off: bool,
}

/// What a claim takes beside the runs that nobody had, as its statements say it.
#[derive(Clone, Copy, Debug)]
struct Taking {
    /// Runs whose leases ended, while the database's time is before this.
    silent_before: Option<OffsetDateTime>,
    /// One run that silenced its worker before.
    suspect: Room,
}

impl Lines {
    pub(crate) fn new(system: PgPool) -> Self {
        Self {
            turn: Mutex::new(Turn {
                last: Uuid::nil(),
                round: None,
                clock: Clock::default(),
                connection: OwnConnection::new(system),
                left: Vec::new(),
            }),
        }
    }

    /// Closes the connection, once the claim that is under way is over.
    pub(crate) async fn close(&self) {
        self.turn.lock().await.connection.close().await;
    }
}

impl Store {
    /// Gives back what was claimed and could not be read: at once, or before the next claim. None
    /// of them silenced its worker; left to their leases, they would seem to have.
    pub(super) async fn leave(&self, leases: Vec<Lease>) {
        let mut turn = self.inner.lines.turn.lock().await;
        turn.left.extend(leases);
        if let Err((error, _)) = turn.give_back().await {
            tracing::warn!(%error, "what was claimed is given back before the next claim");
        }
    }

    /// Claims up to `limit` runs, 100 at most, from the lines whose turn it is.
    pub(super) async fn claim_in_turn(
        &self,
        worker: WorkerId,
        limit: u32,
        takes: Takes,
    ) -> Result<Found> {
        // What `takes` says was true now, and not after whatever is waited for from here on.
        let begun = Instant::now();
        let mut turn = self.inner.lines.turn.lock().await;
        let turn = &mut *turn;
        let limit = limit.min(AT_ONCE);
        let takes = Taking {
            silent_before: takes
                .silent
                .then(|| turn.clock.silent_before(begun))
                .flatten(),
            suspect: takes.suspect,
        };
        match turn.claim(worker, (limit, takes)).await {
            // Postgres may have been started anew since the last claim. What the statement may have
            // claimed nevertheless is executed when its leases end, and was not alone until then: it
            // was not executed.
            Err((_, true)) => {
                if takes.suspect == Room::All {
                    let forgotten = turn.forget_alone(worker).await;
                    forgotten.map_err(|(error, _)| error)?;
                }
                let takes = Taking {
                    silent_before: None,
                    ..takes
                };
                turn.claim(worker, (limit, takes)).await
            }
            claimed => claimed,
        }
        .map_err(|(error, _)| error.into())
    }
}

impl Turn {
    /// Claims once; says of an error whether the connection was lost with it.
    async fn claim(
        &mut self,
        worker: WorkerId,
        most: (u32, Taking),
    ) -> Result<Found, (sqlx::Error, bool)> {
        self.give_back().await?;
        let open = self.connection.get().await;
        let (open, bound) = open.map_err(|error| (error, false))?;
        // One that ended in an error is not gone on with: its last lines may not have been asked.
        let mut round = self.round.take().unwrap_or(Round::behind(self.last));
        let way = (&mut self.last, &mut round);
        let claimed = bound
            .of(claim(open, way, &mut self.clock, worker, most))
            .await;
        let found = claimed.map_err(|error| self.connection.lost_with(error))?;
        self.round = found.is_cut_off.then_some(round);
        Ok(found)
    }

    /// Lets no run be taken for one that this worker executed alone. It executes none.
    async fn forget_alone(&mut self, worker: WorkerId) -> Result<(), (sqlx::Error, bool)> {
        let open = self.connection.get().await;
        let (open, bound) = open.map_err(|error| (error, false))?;
        let forgotten = sqlx::query!(
            "update run_queue set is_alone = false where worker = $1 and is_alone",
            worker.0,
        );
        let forgotten = bound.of(forgotten.execute(open)).await;
        forgotten
            .map(drop)
            .map_err(|error| self.connection.lost_with(error))
    }

    async fn give_back(&mut self) -> Result<(), (sqlx::Error, bool)> {
        if self.left.is_empty() {
            return Ok(());
        }
        let open = self.connection.get().await;
        let (open, bound) = open.map_err(|error| (error, false))?;
        let given_back = bound.of(give_back(open, &self.left)).await;
        given_back.map_err(|error| self.connection.lost_with(error))?;
        self.left.clear();
        Ok(())
    }
}

/// Frees runs of which their worker did nothing, as if they had not been claimed. An earlier worker
/// that one of them silenced stays counted.
async fn give_back(connection: &mut PgConnection, leases: &[Lease]) -> Result<(), sqlx::Error> {
    let (runs, fences) = columns(leases);
    sqlx::query!(
        "with held as (
             select run_queue.run_id
             from unnest($1::uuid[], $2::bigint[]) as lease (run_id, fence)
             join run_queue using (run_id, fence)
             order by run_queue.run_id
             for update of run_queue
         ), freed as (
             update run_queue set worker = null, lease_until = null, is_alone = false
             from held where run_queue.run_id = held.run_id
             returning run_queue.run_id
         )
         update run set state = 'queued' from freed where run.run_id = freed.run_id",
        &runs,
        &fences,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Goes round from where the last claim ended, until some line gives something.
async fn claim(
    connection: &mut PgConnection,
    (last, round): (&mut Uuid, &mut Round),
    clock: &mut Clock,
    worker: WorkerId,
    (limit, takes): (u32, Taking),
) -> Result<Found, sqlx::Error> {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    for _ in 0..LOOKS {
        let (seen, now) = lines_after(connection, *last, takes).await?;
        clock.told(now, Instant::now());
        let Some((end, _)) = seen.last() else {
            return Ok(Found::default());
        };
        let due = seen.iter().filter(|(_, is_due)| *is_due);
        let mut due: Vec<Uuid> = due.map(|(line, _)| *line).collect();
        if round.is_wary && !due.is_empty() {
            due = with_room(connection, &due, takes).await?;
        }
        let are_all = i64::try_from(seen.len()).is_ok_and(|seen| seen < LOOK) && due.len() <= most;
        due.truncate(most);
        // The rest of what was seen comes first the next time.
        let tried = match due.last() {
            Some(line) if due.len() == most => *line,
            _ => *end,
        };
        let is_over = round.goes_on(*last, tried) || are_all;
        *last = tried;
        if !due.is_empty() {
            let rows = claim_from(connection, &due, worker, (limit, takes)).await?;
            if !rows.is_empty() {
                return Ok(Found {
                    rows,
                    is_cut_off: false,
                });
            }
            round.is_wary = true;
        }
        if is_over {
            return Ok(Found::default());
        }
    }
    Ok(Found {
        rows: Vec::new(),
        is_cut_off: true,
    })
}

/// Returns the next lines behind one, round the circle at most once, each with whether something in
/// it is due that nobody has, and what time the database has. Does not say whether a throttle leaves
/// room for it. Where the planner takes the queue for short, `exists` would read all of it at once,
/// and not from line to line.
async fn lines_after(
    connection: &mut PgConnection,
    line: Uuid,
    takes: Taking,
) -> Result<(Vec<(Uuid, bool)>, OffsetDateTime), sqlx::Error> {
    let rows = sqlx::query!(
        r#"with recursive start as materialized (
               select line_id, due_at from run_queue
               order by line_id, due_at, run_id limit 1
           ), seen as (
               (
                   select line_id, due_at, 1::bigint as place, line_id as first_line
                   from (
                       (select line_id, due_at, 1 as round from run_queue where line_id > $1
                        order by line_id, due_at, run_id limit 1)
                       union all
                       select line_id, due_at, 2 from start
                   ) as either order by round limit 1
               )
               union all
               select next.line_id, next.due_at, place + 1, first_line
               from seen cross join lateral (
                   select line_id, due_at from (
                       (select line_id, due_at, 1 as round from run_queue
                        where line_id > seen.line_id
                        order by line_id, due_at, run_id limit 1)
                       union all
                       select line_id, due_at, 2 from start
                   ) as either order by round limit 1
               ) as next
               where place < $2 and next.line_id <> first_line
           )
           -- The time comes also where nothing waits.
           select now() as "now!", line_id as "line_id?",
                coalesce(due_at <= now() and (
                    select true from run_queue
                    where run_queue.line_id = seen.line_id and run_queue.due_at <= now()
                        and (takeovers = 0 or $4)
                        and (lease_until is null
                            or lease_until <= case when now() < $3 then now() else 'epoch' end)
                    limit 1
                ), false) as "is_due!"
           from (values (true)) as one left join seen on true order by place"#,
        line,
        LOOK,
        takes.silent_before,
        takes.suspect != Room::None,
    )
    .fetch_all(connection)
    .await?;
    let now = rows.first().ok_or(sqlx::Error::RowNotFound)?.now;
    let lines = rows.into_iter();
    let lines = lines.filter_map(|row| Some((row.line_id?, row.is_due)));
    Ok((lines.collect(), now))
}

/// Returns those of these lines, in each of which something is due, that have room for one more run
/// to begin, or in which one has begun that is due. Holds nobody up, so it may be otherwise in the
/// next moment.
async fn with_room(
    connection: &mut PgConnection,
    lines: &[Uuid],
    takes: Taking,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select line_id as "line_id!"
           from unnest($1::uuid[]) with ordinality as line (line_id, place)
           left join throttle on integration_id = line_id
           where integration_id is null
               or (paused_at is null and at_once > (
                    select count(*) from throttle_place
                    -- A run that ended while the throttle was set has left its place behind.
                    join run_queue using (run_id)
                    where throttle_place.integration_id = line.line_id
               ))
               or coalesce((
                    select true from throttle_place
                    join run_queue using (run_id)
                    where throttle_place.integration_id = line.line_id and due_at <= now()
                        and (takeovers = 0 or $3)
                        and (lease_until is null
                            or lease_until <= case when now() < $2 then now() else 'epoch' end)
                    limit 1
               ), false)
           order by place"#,
        lines,
        takes.silent_before,
        takes.suspect != Room::None,
    )
    .fetch_all(connection)
    .await
}

/// Claims from these lines. Each run that may begin is counted for its line before the next
/// run of that line, and between the lines of organizations, organizations take turns. In a
/// throttled line, what has begun comes first, and as much begins as there is room for. Of runs that
/// silenced a worker before, also if one gave them back meanwhile, one is taken: the others wait for
/// a claim of their own. If there are none, and the worker has none, it is noted that it is alone,
/// and so is one that has to be.
async fn claim_from(
    connection: &mut PgConnection,
    lines: &[Uuid],
    worker: WorkerId,
    (limit, takes): (u32, Taking),
) -> Result<Vec<ClaimedRow>, sqlx::Error> {
    sqlx::query_as!(
        ClaimedRow,
        r#"with throttled as materialized (
               select line_id, room from throttle_rooms($4)
           ), line as materialized (
               select line_id, room, coalesce(room, $2::bigint) as most, (
                    select organization_id from run where run.run_id = (
                        select run_id from run_queue
                        where run_queue.line_id = line.line_id
                        order by due_at, run_id limit 1
                    )
               ) as organization_id
               from unnest($4::uuid[]) as line (line_id)
               left join throttled using (line_id)
           ), begun_before as (
               select run_queue.run_id, lease_until is not null as is_takeover, takeovers,
                    is_alone
               from line
               join throttle_place on throttle_place.integration_id = line.line_id
               join run_queue on run_queue.run_id = throttle_place.run_id
               where room is not null and due_at <= now() and (takeovers = 0 or $6)
                    and (lease_until is null
                        or lease_until <= case when now() < $5 then now() else 'epoch' end)
               order by due_at limit $2::bigint
               for update of run_queue skip locked
           ), turn as (
               select line.organization_id, line.line_id, waiting.due_at,
                    row_number() over (
                        partition by line.line_id order by waiting.due_at
                    ) as turn
               from line cross join lateral (
                   select due_at from run_queue
                   where run_queue.line_id = line.line_id and due_at <= now()
                        and (takeovers = 0 or $6)
                        and (lease_until is null
                            or lease_until <= case when now() < $5 then now() else 'epoch' end)
                        and (room is null or not exists (
                            select from throttle_place
                            where throttle_place.run_id = run_queue.run_id
                        ))
                   order by due_at, run_id limit least(most, $2::bigint)
               ) as waiting
           ), ranked as (
               select line_id, turn, due_at, row_number() over (
                    partition by organization_id order by turn, due_at
               ) as organization_turn
               from turn
               order by turn > 1, organization_turn, due_at
               limit $2::bigint - (select count(*) from begun_before)
           ), share as (
               select line_id, count(*) as runs from ranked group by line_id
           ), picked as (
               select run_id, is_takeover, is_alone, takeovers > 0 as is_suspect
               from begun_before
               union all
               select waiting.run_id, is_takeover, is_alone, takeovers > 0
               from share join line using (line_id) cross join lateral (
                   select run_id, lease_until is not null as is_takeover, takeovers, is_alone
                   from run_queue
                   where run_queue.line_id = line.line_id and due_at <= now()
                        and (takeovers = 0 or $6)
                        and (lease_until is null
                            or lease_until <= case when now() < $5 then now() else 'epoch' end)
                        and (room is null or not exists (
                            select from throttle_place
                            where throttle_place.run_id = run_queue.run_id
                        ))
                   order by due_at, run_id limit share.runs
                   for update skip locked
               ) as waiting
           ), claiming as (
               -- The limit cuts nothing off, but says that they are few.
               select run_id, is_takeover, is_alone as was_alone,
                    (select count(*) from picked where is_suspect) = 1 as is_only
               from picked
               where not is_suspect or run_id = (
                   select run_id from picked where is_suspect order by run_id limit 1
               )
               limit 100
           ), claimed as (
               update run_queue set worker = $1,
                    lease_until = now() + make_interval(secs => $3),
                    fence = fence + 1, has_returned = false,
                    takeovers = takeovers + is_takeover::integer,
                    is_alone = was_alone or ($7 and
                        takeovers + is_takeover::integer >= case when is_only then 2 else 3 end)
               from claiming where run_queue.run_id = claiming.run_id
               returning run_queue.run_id, fence, takeovers, is_alone, was_alone
           ), begun as (
               update run set state = 'running', started_at = coalesce(started_at, now())
               from claimed where run.run_id = claimed.run_id
               returning run.run_id, fence, takeovers, is_alone, was_alone,
                    run.organization_id, integration_id, event_id, hash, created_at,
                    resumed_at, is_test, scope
           ), placed as (
               insert into throttle_place (run_id, integration_id, organization_id)
               select run_id, integration_id, organization_id
               from begun join throttled on line_id = integration_id
               where not is_test
               on conflict do nothing
           )
           select run_id, fence, takeovers, is_alone, was_alone as "was_alone!",
                begun.organization_id, begun.integration_id, hash, begun.created_at, resumed_at,
                is_test, scope, payload, network
           from begun join event using (event_id)
           join organization on organization.organization_id = begun.organization_id"#,
        worker.0,
        i64::from(limit),
        LEASE.as_secs_f64(),
        lines,
        takes.silent_before,
        takes.suspect != Room::None,
        takes.suspect == Room::All,
    )
    .fetch_all(connection)
    .await
}
