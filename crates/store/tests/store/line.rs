//! One claim finds what is due, however many lines have no room; and turns go on as without these.

use std::time::Duration;

use domain::IntegrationId;
use engine::port::Journal;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{ClaimedRuns, Takes, WorkerId};

use crate::journal::record;
use crate::queue::silence;
use crate::throttle::{claim, fill};
use crate::world::{World, clean};

/// So many lines are looked at in one statement; so many statements look, in one claim.
const LOOK: i32 = 64;

/// Lets so many integrations have one run each that waits and does not begin: every second one is
/// paused, and the others are at their limit. Half of their lines are before all others in the
/// circle, and half behind them.
async fn hold(world: &World, count: i32) {
    let model = world.publish(clean("webhook")).await;
    let queued = sqlx::query(
        "with copy as (
             insert into integration (integration_id, organization_id, name, webhook_token,
                created_by)
             select (case when n % 4 < 2 then '00000000' else 'ffffffff' end
                    || '-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid,
                organization_id, name, 'held ' || n, created_by
             from integration cross join generate_series(1, $2) as n
             where integration_id = $1
             returning integration_id, organization_id
         ), event as (
             insert into event (event_id, organization_id, integration_id, kind, payload)
             select gen_random_uuid(), organization_id, integration_id, 'webhook', '{}' from copy
             returning event_id, organization_id, integration_id
         ), run as (
             insert into run (run_id, organization_id, integration_id, event_id, hash, is_test,
                version_number, state)
             select gen_random_uuid(), event.organization_id, event.integration_id, event_id, hash,
                false, number, 'queued'
             from event join version on version.integration_id = $1
             returning run_id, integration_id
         )
         insert into run_queue (run_id, line_id, due_at)
         select run_id, integration_id, now() - interval '1 hour' from run",
    );
    let queued = queued.bind(model.0).bind(count).execute(&world.sql).await;
    queued.expect("the statement is right");
    for statement in [
        "insert into throttle (integration_id, organization_id, at_once, paused_at)
         select integration_id, organization_id, case when is_even then 1 end,
            case when not is_even then now() end
         from integration cross join lateral (
             select right(webhook_token, 1)::integer % 2 = 0 as is_even
         ) as parity where webhook_token like 'held %'",
        // One has begun that the limit lets.
        "with begun as (
             insert into run_queue (run_id, line_id, due_at, lease_until, worker)
             select gen_random_uuid(), integration_id, now() - interval '2 hours',
                now() + interval '1 hour', gen_random_uuid()
             from throttle where at_once is not null
             returning run_id, line_id
         )
         insert into throttle_place (run_id, integration_id, organization_id)
         select run_id, line_id, organization_id
         from begun join integration on integration_id = line_id",
    ] {
        world.execute(statement).await;
    }
}

async fn look(world: &World) -> ClaimedRuns {
    let claimed = world
        .store
        .claim_with(WorkerId::random(), 1, Takes::ALL)
        .await;
    claimed.expect("it answers")
}

/// Returns whose runs so many claims of one run each give.
async fn turns(world: &World, claims: usize) -> Vec<IntegrationId> {
    let mut turns = Vec::new();
    for _ in 0..claims {
        let claimed = claim(&world.store, 1).await;
        turns.extend(claimed.iter().map(|run| run.integration));
    }
    turns
}

/// Lets lines without room have runs waiting, and claims what one other line has.
async fn is_found_behind(options: PgConnectOptions, count: i32) {
    let world = World::new(options).await;
    let free = world.publish(clean("webhook")).await;
    hold(&world, count).await;
    fill(&world, free, 3).await;
    // The first claim begins before the first line, and each other one behind the free line.
    assert_eq!(turns(&world, 3).await, [free; 3]);
    let nothing = look(&world).await;
    assert!(nothing.runs.is_empty() && !nothing.is_more);
    // What has begun goes on also where there is no room.
    let begun = "insert into throttle_place (run_id, integration_id, organization_id)
        select run_id, integration_id, organization_id
        from run join throttle using (integration_id, organization_id)
        where paused_at is not null order by integration_id desc limit 1";
    assert_eq!(world.execute(begun).await, 1);
    assert_eq!(turns(&world, 2).await.len(), 1);
    world.end().await;
}

#[sqlx::test]
async fn one_claim_finds_the_line_that_has_room_among_ten_that_have_none(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    is_found_behind(options, 10).await;
}

#[sqlx::test]
async fn one_claim_finds_the_line_that_has_room_among_more_than_it_looks_at_at_once(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    is_found_behind(options, 3 * LOOK).await;
}

#[sqlx::test]
async fn claims_of_one_run_go_from_line_to_line_past_those_that_have_no_room(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let mut lines = Vec::new();
    for _ in 0..3 {
        lines.push(world.publish(clean("webhook")).await);
    }
    // The one that waited longest is no sooner served than another.
    for (line, count) in lines.iter().zip([9, 3, 6]) {
        fill(&world, *line, count).await;
    }
    hold(&world, 2 * LOOK).await;
    lines.sort();
    assert_eq!(turns(&world, 9).await, lines.repeat(3));
    world.end().await;
}

#[sqlx::test]
async fn a_claim_that_is_cut_off_says_so_and_the_next_ones_come_to_an_end(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let free = world.publish(clean("webhook")).await;
    hold(&world, LOOK * LOOK + 100).await;
    let claims = async || {
        let mut claims = Vec::new();
        loop {
            let claimed = look(&world).await;
            let is_over = !claimed.is_more || !claimed.runs.is_empty();
            claims.push(claimed);
            assert!(claims.len() < 5, "it never ends");
            if is_over {
                return claims;
            }
        }
    };
    let nothing = tokio::time::timeout(Duration::from_secs(60), claims()).await;
    let nothing = nothing.expect("it is bounded");
    assert_eq!(nothing.len(), 2, "they divide the round");
    assert!(nothing.iter().all(|claim| claim.runs.is_empty()));
    fill(&world, free, 1).await;
    let found = claims().await.pop().expect("there is one");
    assert_eq!(found.runs.len(), 1, "wherever that began");
    assert_eq!(found.runs[0].integration, free);
    world.end().await;
}

#[sqlx::test]
async fn a_claim_whose_run_cannot_be_read_says_that_others_may_be_due(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let whole = world.publish(clean("webhook")).await;
    let broken = world.publish(clean("webhook")).await;
    fill(&world, broken, 1).await;
    let claimed = claim(&world.store, 1).await;
    let records = vec![record(1, "one")];
    let journal = world.store.journal();
    let kept = journal.append(claimed[0].lease, records).await;
    kept.expect("it is ours");
    world.execute("update run_record set records = '['").await;
    fill(&world, whole, 2).await;
    assert_eq!(turns(&world, 1).await, [whole]);
    silence(&world).await;
    let unreadable = look(&world).await;
    assert!(unreadable.runs.is_empty() && unreadable.is_more);
    assert_eq!(turns(&world, 2).await, [whole; 2]);
    assert!(!look(&world).await.is_more);
    world.end().await;
}
