//! Runs of which something is stored that Postgres finds damaged: each of them fails, and no other.

use domain::RunId;
use domain::run::RunState;
use engine::Outcome;
use engine::port::Lease;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{ClaimedRun, Incoming, WorkerId};
use uuid::Uuid;

use crate::calling::Stage;
use crate::journal::record;
use crate::retention::begun;
use crate::world::World;

/// Accepts so many events; returns their runs.
async fn accept(world: &World, events: usize) -> Vec<RunId> {
    let (_, route) = world.hook().await;
    let mut accepted = Vec::new();
    for number in 0..events {
        let incoming = Incoming {
            route: route.clone(),
            payload: json!({ "body": number }).into(),
            delivery: None,
            hand_to: None,
        };
        let run = world.store.accept(incoming).await.expect("there is room");
        accepted.push(run.run);
    }
    accepted
}

async fn claim(world: &World) -> Vec<ClaimedRun> {
    let claimed = world.store.claim(WorkerId::random(), 10).await;
    claimed.expect("what is whole is claimed")
}

fn runs(claimed: &[ClaimedRun]) -> Vec<RunId> {
    claimed.iter().map(|run| run.lease.run).collect()
}

async fn assert_unreadable(world: &World, run: RunId) {
    let state = "select state from run where error like 'What is stored of this run cannot be read%' and run_id = $1";
    let state = sqlx::query_scalar::<_, String>(state).bind(run.0);
    let state = state.fetch_optional(&world.sql).await.expect("it answers");
    assert_eq!(state.as_deref(), Some("failed"));
}

#[sqlx::test]
async fn a_payload_that_is_damaged_fails_its_run_and_keeps_no_other_from_being_claimed(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    // Whatever is under way comes before it in its line, but no claim takes that.
    let accepted = accept(&world, 103).await;
    let under_way = world.store.claim(WorkerId::random(), 100).await;
    assert_eq!(under_way.expect("all is whole").len(), 100);
    let accepted = &accepted[100..];
    let event = sqlx::query_scalar::<_, Uuid>("select event_id from run where run_id = $1");
    let event = event.bind(accepted[1].0).fetch_one(&world.sql).await;
    let event = event.expect("it is there");
    world.damage("event", "event_id", event).await;
    let claimed = runs(&claim(&world).await);
    assert_eq!(claimed, [accepted[0], accepted[2]]);
    assert_unreadable(&world, accepted[1]).await;
    world.end().await;
}

#[sqlx::test]
async fn a_run_whose_own_row_is_damaged_is_put_off_and_keeps_no_other_from_being_claimed(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let accepted = accept(&world, 3).await;
    world.damage("run", "run_id", accepted[0].0).await;
    assert_eq!(runs(&claim(&world).await), accepted[1..]);
    let put_off = "select count(*) from run_queue where due_at > now() + interval '23 hours'";
    assert_eq!(world.count(put_off).await, 1);
    world.end().await;
}

#[sqlx::test]
async fn records_that_are_damaged_fail_their_run_and_no_other_that_is_claimed_with_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (_, route) = world.hook().await;
    let journal = world.store.journal();
    let mut leases: Vec<Lease> = Vec::new();
    for _ in 0..2 {
        let lease = begun(&world, &route).await.lease;
        let again = Outcome::Waiting {
            until: world.store.now().await.expect("it answers"),
            records: vec![record(1, "done")],
        };
        journal.finish(lease, again).await.expect("it is ours");
        leases.push(lease);
    }
    let (damaged, whole) = (leases[0].run, leases[1].run);
    world.damage("run_record", "run_id", damaged.0).await;
    let claimed = claim(&world).await;
    assert_eq!(runs(&claimed), [whole]);
    assert_eq!(claimed[0].history, [record(1, "done")]);
    assert_unreadable(&world, damaged).await;
    world.end().await;
}

#[sqlx::test]
async fn a_called_run_that_is_damaged_fails_its_caller_and_no_other(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let world = &stage.world;
    let mut callers = Vec::new();
    for _ in 0..2 {
        let caller = stage.start().await.lease;
        let calls = stage.calls(caller, true, &[None]).await;
        stage.finish(caller, calls).await.expect("it is ours");
        let called = claim(world).await.pop().expect("it was called").lease;
        let answered = Outcome::Answered {
            result: json!({ "n": 7 }),
            records: Vec::new(),
        };
        stage.finish(called, answered).await.expect("it is ours");
        callers.push((caller.run, called.run));
        // Until both are due.
        world
            .execute("update run_queue set due_at = now() + interval '1 hour'")
            .await;
    }
    world.execute("update run_queue set due_at = now()").await;
    let [(damaged, called), (whole, _)] = callers[..] else {
        panic!("there are two");
    };
    world.damage("run", "run_id", called.0).await;
    let claimed = claim(world).await;
    assert_eq!(runs(&claimed), [whole]);
    assert_eq!(claimed[0].returned[0].state, RunState::Succeeded);
    world.execute("delete from damaged").await;
    assert_unreadable(world, damaged).await;
    stage.world.end().await;
}
