//! What holds an integration's runs back, and turns between integrations.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::account::{Me, Role};
use domain::run::{ResumeOn, RunState};
use domain::{IntegrationId, RunId, Timestamp, throttle};
use engine::Outcome;
use engine::port::Lease;
use futures::future::join_all;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{ClaimedRun, HookRoute, Incoming, Refusal, Store, WorkerId};

use crate::world::{World, assert_denied, assert_not_found, clean, each_minute, refusal};

async fn accept(world: &World, route: &Arc<HookRoute>, hand_to: Option<WorkerId>) -> RunId {
    accepted(world, route, hand_to).await.0
}

async fn accepted(
    world: &World,
    route: &Arc<HookRoute>,
    hand_to: Option<WorkerId>,
) -> (RunId, Option<ClaimedRun>) {
    let incoming = Incoming {
        route: route.clone(),
        payload: json!({}).into(),
        delivery: None,
        hand_to,
    };
    let accepted = world.store.accept(incoming).await.expect("there is room");
    (accepted.run, accepted.claimed)
}

pub(crate) async fn claim(store: &Store, limit: u32) -> Vec<ClaimedRun> {
    let claimed = store.claim(WorkerId::random(), limit).await;
    claimed.expect("it answers")
}

async fn finish(world: &World, lease: Lease, state: RunState) {
    let outcome = Outcome::Finished {
        state,
        error: None,
        records: Vec::new(),
    };
    let journal = world.store.journal();
    journal.finish(lease, outcome).await.expect("it is ours");
}

async fn limit(world: &World, integration: IntegrationId, at_once: Option<u32>) {
    let set = world.store.set_at_once(&world.admin, integration, at_once);
    set.await.expect("an Admin may");
}

async fn pause(world: &World, integration: IntegrationId, paused: bool) {
    let set = world.store.set_paused(&world.admin, integration, paused);
    set.await.expect("an Admin may");
}

fn runs(claimed: &[ClaimedRun]) -> Vec<RunId> {
    claimed.iter().map(|run| run.lease.run).collect()
}

#[sqlx::test]
async fn with_a_limit_of_one_runs_follow_each_other_in_the_order_of_their_events(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (integration, route) = world.hook().await;
    limit(&world, integration, Some(1)).await;
    let mut came = Vec::new();
    for _ in 0..8 {
        // The way past the queue is no way past the limit.
        let (run, claimed) = accepted(&world, &route, Some(WorkerId::random())).await;
        assert_eq!(claimed, None);
        came.push(run);
    }
    let other = world.other_process().await;
    let mut went = Vec::new();
    for number in 0..8_u32 {
        let stores = [&world.store, &other, &world.store, &other];
        let claims = join_all(stores.map(|store| claim(store, 5))).await.concat();
        assert_eq!(claims.len(), 1, "one at once, and nothing is stuck");
        // However a run ends, the next one begins.
        let ends = [RunState::Succeeded, RunState::Failed, RunState::InDoubt];
        let end = ends[usize::try_from(number).expect("it is small") % ends.len()];
        finish(&world, claims[0].lease, end).await;
        went.push(claims[0].lease.run);
    }
    assert_eq!(went, came);
    assert!(claim(&world.store, 5).await.is_empty());
    other.close().await;
    world.end().await;
}

#[sqlx::test]
async fn never_more_runs_than_the_limit_however_many_processes_claim(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (integration, route) = world.hook().await;
    limit(&world, integration, Some(3)).await;
    let accepts = (0..40).map(|_| accept(&world, &route, Some(WorkerId::random())));
    join_all(accepts).await;
    let other = world.other_process().await;
    let mut under_way: Vec<Lease> = Vec::new();
    let mut finished = 0;
    while finished < 40 {
        let stores = [&world.store, &other, &world.store, &other, &world.store];
        let claims = join_all(stores.map(|store| claim(store, 4))).await.concat();
        under_way.extend(claims.iter().map(|run| run.lease));
        assert!(under_way.len() <= 3, "{} at once", under_way.len());
        assert!(!under_way.is_empty(), "none is stuck");
        finish(&world, under_way.remove(0), RunState::Succeeded).await;
        finished += 1;
    }
    assert_eq!(world.count("select count(*) from throttle_place").await, 0);
    other.close().await;
    world.end().await;
}

#[sqlx::test]
async fn a_limit_set_while_events_come_in_counts_every_run_that_has_begun(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (integration, route) = world.hook().await;
    let accepts = (0..60).map(|number| {
        let (world, route) = (&world, &route);
        async move {
            if number == 30 {
                limit(world, integration, Some(2)).await;
                return None;
            }
            accepted(world, route, Some(WorkerId::random())).await.1
        }
    });
    let begun: Vec<_> = join_all(accepts).await.into_iter().flatten().collect();
    let claimed = claim(&world.store, 50).await;
    let room = 2_usize.saturating_sub(begun.len());
    assert_eq!(claimed.len(), room, "{} had begun before", begun.len());
    for run in begun.iter().chain(&claimed) {
        finish(&world, run.lease, RunState::Succeeded).await;
    }
    let left = 59 - begun.len() - claimed.len();
    assert_eq!(claim(&world.store, 50).await.len(), left.min(2));
    world.end().await;
}

#[sqlx::test]
async fn a_run_keeps_its_place_while_it_waits_and_when_its_worker_is_gone(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (integration, route) = world.hook().await;
    limit(&world, integration, Some(1)).await;
    let first = accept(&world, &route, None).await;
    let second = accept(&world, &route, None).await;
    let worker = WorkerId::random();
    let claimed = world.store.claim(worker, 5).await.expect("it answers");
    let waits = Outcome::Waiting {
        until: Timestamp(i64::MAX / 2_000_000),
        records: Vec::new(),
    };
    let journal = world.store.journal();
    journal.finish(claimed[0].lease, waits).await.expect("ours");
    assert!(claim(&world.store, 5).await.is_empty(), "its place is kept");
    world
        .execute("update run_queue set due_at = now() - interval '1 second' where fence > 0")
        .await;
    let again = world.store.claim(worker, 5).await.expect("it answers");
    assert_eq!(runs(&again), [first]);
    world.store.release(worker).await.expect("it answers");
    let taken = claim(&world.store, 5).await;
    assert_eq!(runs(&taken), [first], "what has begun goes on first");
    let canceled = world.store.cancel_run(&world.admin, first).await;
    canceled.expect("an Admin may");
    assert_eq!(runs(&claim(&world.store, 5).await), [second]);
    world.end().await;
}

#[sqlx::test]
async fn a_resumed_run_waits_for_a_place_like_a_new_one(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (integration, route) = world.hook().await;
    for _ in 0..3 {
        accept(&world, &route, None).await;
    }
    for run in claim(&world.store, 5).await {
        finish(&world, run.lease, RunState::Failed).await;
    }
    limit(&world, integration, Some(1)).await;
    let filter = store::RunFilter::default();
    let resumed = world
        .store
        .resume_runs(&world.admin, filter, None, ResumeOn::Ran);
    assert_eq!(resumed.await.expect("an Admin may").resumed, 3);
    for _ in 0..3 {
        let claimed = claim(&world.store, 5).await;
        assert_eq!(claimed.len(), 1);
        finish(&world, claimed[0].lease, RunState::Succeeded).await;
    }
    world.end().await;
}

#[sqlx::test]
async fn paused_everything_is_kept_nothing_begins_and_what_had_begun_goes_on(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (integration, route) = world.hook().await;
    let (before, begun) = accepted(&world, &route, Some(WorkerId::random())).await;
    assert!(begun.is_some());
    pause(&world, integration, true).await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        let (run, claimed) = accepted(&world, &route, Some(WorkerId::random())).await;
        assert_eq!(claimed, None);
        kept.push(run);
    }
    assert!(claim(&world.store, 5).await.is_empty());
    let shown = world.store.integration(&world.admin, integration).await;
    let shown = shown.expect("it is there");
    assert!(shown.summary.paused && shown.throttle.paused_at.is_some());
    assert_eq!((shown.throttle.waiting, shown.throttle.begun), (3, 1));
    // Its process ended: another one goes on with it.
    world
        .execute("update run_queue set lease_until = now() - interval '1 second' where fence > 0")
        .await;
    let taken = claim(&world.store, 5).await;
    assert_eq!(runs(&taken), [before]);
    finish(&world, taken[0].lease, RunState::Succeeded).await;

    limit(&world, integration, Some(2)).await;
    assert!(claim(&world.store, 5).await.is_empty(), "still paused");
    pause(&world, integration, false).await;
    assert_eq!(runs(&claim(&world.store, 5).await), kept[..2]);
    limit(&world, integration, None).await;
    assert_eq!(runs(&claim(&world.store, 5).await), kept[2..]);
    let acts = world.audit().await;
    for act in ["pause", "continue", "limit"] {
        let act = format!("integration.{act}");
        assert!(acts.contains(&act), "{act} in {acts:?}");
    }
    assert_eq!(world.count("select count(*) from throttle").await, 0);
    assert_eq!(world.count("select count(*) from throttle_place").await, 0);
    world.end().await;
}

#[sqlx::test]
async fn a_schedule_of_a_paused_integration_misses_no_fire(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let integration = world.publish(each_minute()).await;
    pause(&world, integration, true).await;
    let now = world.store.now().await.expect("it answers");
    for minute in 1..=5 {
        let at = Timestamp(now.0 + minute * 60_000);
        let fired = world.store.due(at).await.expect("it answers");
        assert_eq!(fired.len(), 1);
    }
    assert!(claim(&world.store, 10).await.is_empty());
    let shown = world.store.integration(&world.admin, integration).await;
    assert_eq!(shown.expect("it is there").throttle.waiting, 5);
    pause(&world, integration, false).await;
    assert_eq!(claim(&world.store, 10).await.len(), 5);
    world.end().await;
}

#[sqlx::test]
async fn only_who_operates_throttles_and_only_by_a_number_of_runs(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (integration, _) = world.hook().await;
    let reader = world.member(Role::Reader).await;
    let outsider = world.outsider().await;
    let store = &world.store;
    let both = async |me: &Me| {
        (
            store.set_at_once(me, integration, Some(1)).await,
            store.set_paused(me, integration, true).await,
        )
    };
    let (limited, paused) = both(&reader).await;
    assert_denied(limited);
    assert_denied(paused);
    let (limited, paused) = both(&outsider).await;
    assert_not_found(limited);
    assert_not_found(paused);
    for wrong in [0, 1_001] {
        let set = store.set_at_once(&world.admin, integration, Some(wrong));
        let refused = refusal(set.await);
        assert_eq!(refused, Refusal::Throttle(throttle::Refusal::AtOnce));
    }
    assert_eq!(world.count("select count(*) from throttle").await, 0);
    world.end().await;
}

/// Puts runs of an integration into the queue, as if they waited for an hour.
pub(crate) async fn fill(world: &World, integration: IntegrationId, count: i32) {
    let filled = sqlx::query(
        "with event as (
             insert into event (event_id, organization_id, integration_id, kind, payload)
             select gen_random_uuid(), organization_id, integration_id, 'webhook', '{}'
             from integration where integration_id = $1 returning event_id, organization_id
         ), run as (
             insert into run (run_id, organization_id, integration_id, event_id, hash, is_test,
                version_number, state)
             select gen_random_uuid(), event.organization_id, $1, event_id, hash, false, number,
                'queued'
             from event cross join generate_series(1, $2)
             join version on version.integration_id = $1
             returning run_id
         )
         insert into run_queue (run_id, line_id, due_at)
         select run_id, $1, now() - interval '1 hour'
                + interval '1 millisecond' * row_number() over ()
         from run",
    );
    let filled = filled.bind(integration.0).bind(count).execute(&world.sql);
    filled.await.expect("it answers");
}

#[sqlx::test]
async fn one_with_thousands_waiting_keeps_nobody_waiting_longer_than_one_claim(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let noisy = world.publish(clean("webhook")).await;
    fill(&world, noisy, 5_000).await;
    let (_, route) = world.hook().await;
    for limit in [1, 2, 32] {
        claim(&world.store, limit).await;
        let single = accept(&world, &route, None).await;
        // With room for one run, the two take turns; with room for more, both are in each claim.
        let claims = if limit == 1 { 2 } else { 1 };
        let mut claimed = Vec::new();
        for _ in 0..claims {
            claimed.extend(claim(&world.store, limit).await);
        }
        assert!(runs(&claimed).contains(&single), "a claim of {limit}");
        assert_eq!(claimed.len(), limit as usize * claims, "no room is wasted");
    }
    world.end().await;
}

#[sqlx::test]
async fn every_line_has_its_turn_within_one_round(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    // More lines than are looked at in one statement, all of them noisy.
    for _ in 0..70 {
        let noisy = world.publish(clean("webhook")).await;
        fill(&world, noisy, 20).await;
    }
    let mut turns: HashMap<IntegrationId, usize> = HashMap::new();
    for _ in 0..70_usize.div_ceil(7) {
        for run in claim(&world.store, 7).await {
            *turns.entry(run.integration).or_default() += 1;
        }
    }
    assert_eq!(turns.len(), 70, "each was asked once before one was twice");
    assert!(turns.values().all(|count| *count == 1));
    // What others hold back is passed over, however much waits there.
    world
        .execute(
            "insert into throttle (integration_id, organization_id, paused_at)
             select integration_id, organization_id, now() from integration",
        )
        .await;
    let (_, route) = world.hook().await;
    let single = accept(&world, &route, None).await;
    assert_eq!(runs(&claim(&world.store, 3).await), [single]);
    world.end().await;
}

#[sqlx::test]
async fn an_organization_with_many_lines_gets_no_more_than_one_with_a_single_line(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let outsider = world.free_outsider().await;
    for _ in 0..4 {
        let noisy = world.publish(clean("webhook")).await;
        fill(&world, noisy, 100).await;
    }
    let theirs = world.publish_as(&outsider, clean("webhook")).await;
    fill(&world, theirs, 100).await;
    let claimed = claim(&world.store, 20).await;
    let share = claimed
        .iter()
        .filter(|run| run.organization == outsider.organization);
    assert_eq!((claimed.len(), share.count()), (20, 10));
    world.end().await;
}

#[sqlx::test]
async fn a_run_that_is_held_back_says_by_what(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (integration, route) = world.hook().await;
    let held = async |run: RunId| {
        let detail = world.store.run(&world.admin, run).await;
        detail.expect("it is there").held
    };
    let first = accept(&world, &route, None).await;
    assert_eq!(held(first).await, None, "it waits for a worker only");
    limit(&world, integration, Some(1)).await;
    let second = accept(&world, &route, None).await;
    assert_eq!(held(second).await, None, "a place is free");
    let claimed = claim(&world.store, 5).await;
    assert_eq!(runs(&claimed), [first]);
    assert_eq!(held(first).await, None, "it has begun");
    assert_eq!(held(second).await, Some(throttle::Held::Limit(1)));
    pause(&world, integration, true).await;
    let paused = held(second).await;
    assert!(
        matches!(paused, Some(throttle::Held::Paused(_))),
        "{paused:?}"
    );
    pause(&world, integration, false).await;
    finish(&world, claimed[0].lease, RunState::Succeeded).await;
    assert_eq!(held(second).await, None);
    world.end().await;
}

#[sqlx::test]
async fn a_place_that_one_process_gives_back_wakes_the_workers_of_another(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (integration, route) = world.hook().await;
    limit(&world, integration, Some(1)).await;
    let (first, second) = (
        accept(&world, &route, None).await,
        accept(&world, &route, None).await,
    );
    let claimed = claim(&world.store, 5).await;
    assert_eq!(runs(&claimed), [first]);
    let other = world.other_process().await;
    // Processes hear of things in order: once it hears this, it has heard all that came before.
    let mut heard = other.listen();
    let renamed = world
        .store
        .rename_integration(&world.admin, integration, "Heard");
    renamed.await.expect("an Admin may");
    let told = domain::live::Changed::Integration(integration);
    while heard.recv().await.expect("it is told").what != told {}
    other.wait_for_work(Duration::ZERO).await;

    finish(&world, claimed[0].lease, RunState::Succeeded).await;
    let an_hour = Duration::from_secs(3_600);
    let woken = tokio::time::timeout(Duration::from_secs(60), other.wait_for_work(an_hour));
    woken.await.expect("it is woken");
    assert_eq!(runs(&claim(&other, 5).await), [second]);
    other.close().await;
    world.end().await;
}
