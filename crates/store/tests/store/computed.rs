//! Runs that were executed before their event was kept.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::run::RunState;
use domain::{Document, RunId, Timestamp};
use engine::Outcome;
use futures::future::join_all;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use store::{Accepted, Computed, HookRoute, Incoming, Store, WorkerId};
use tokio::time::timeout;
use uuid::Uuid;

use crate::alert::{kinds, run, sent};
use crate::journal::record;
use crate::world::{World, clean};

fn succeeded() -> Outcome {
    Outcome::Finished {
        state: RunState::Succeeded,
        error: None,
        records: vec![record(1, "one"), record(2, "two")],
    }
}

fn computed() -> Computed {
    let run = RunId(Uuid::now_v7());
    Computed::of(run, Instant::now(), &succeeded()).expect("it succeeded")
}

/// Accepts it in a process whose worker has room.
async fn accept(store: &Store, route: &Arc<HookRoute>, computed: Computed) -> Accepted {
    accept_in(store, route, computed, Some(WorkerId::random())).await
}

/// Accepts it in a process that has this worker, or none.
async fn accept_in(
    store: &Store,
    route: &Arc<HookRoute>,
    computed: Computed,
    hand_to: Option<WorkerId>,
) -> Accepted {
    let payload = json!({ "body": { "id": 7 } });
    let incoming = Incoming {
        route: route.clone(),
        delivery: route.delivery.read(&payload),
        payload: payload.into(),
        hand_to,
    };
    let accepted = store.accept_computed(incoming, computed).await;
    accepted.expect("there is room")
}

#[sqlx::test]
async fn what_was_computed_is_kept_as_it_ended_and_is_never_queued(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let (_, route) = world.hook().await;
    let before = store.now().await.expect("it answers");
    let accepted = accept(store, &route, computed()).await;
    assert!(accepted.is_computed && accepted.claimed.is_none() && !accepted.repeats);
    let kept = store.run(admin, accepted.run).await.expect("it is there");
    assert_eq!(kept.summary.state, RunState::Succeeded);
    let (began, finished) = (kept.summary.started_at, kept.summary.finished_at);
    assert_eq!(began, Some(kept.summary.created_at));
    assert!(Some(before) <= finished && began <= finished);
    assert_eq!(kept.records, [record(1, "one"), record(2, "two")]);
    assert_eq!(kept.payload, Some(json!({ "body": { "id": 7 } })));
    for query in [
        "select count(*) from event",
        "select count(*) from run",
        "select count(*) from run_record",
    ] {
        assert_eq!(world.count(query).await, 1, "{query}");
    }
    assert_eq!(world.count("select count(*) from run_queue").await, 0);
    let done = store.done();
    assert_eq!(
        done.finished,
        [(Some(route.integration), RunState::Succeeded, 1)]
    );
    assert_eq!(done.latency_ms.count, 1);
    world.end().await;
}

#[sqlx::test]
async fn what_was_computed_where_no_worker_is_is_kept_like_all_and_rings_for_nobody(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let (integration, route) = world.hook().await;
    let mut bell = PgListener::connect_with(&world.sql)
        .await
        .expect("it answers");
    bell.listen("run_queued").await.expect("it answers");
    let accepted = accept_in(store, &route, computed(), None).await;
    assert!(accepted.is_computed && accepted.claimed.is_none());
    let kept = store.run(admin, accepted.run).await.expect("it is there");
    assert_eq!(kept.summary.state, RunState::Succeeded);
    assert_eq!(kept.summary.started_at, Some(kept.summary.created_at));
    assert_eq!(kept.records, [record(1, "one"), record(2, "two")]);
    assert_eq!(world.count("select count(*) from run_queue").await, 0);
    world
        .execute("select pg_notify('run_queued', 'ours')")
        .await;
    let first = bell.recv().await.expect("it answers");
    assert_eq!(first.payload(), "ours", "no worker was called");
    // The bell is rung a few milliseconds after the answer at most.
    let other = timeout(Duration::from_millis(250), bell.recv()).await;
    assert!(other.is_err(), "no worker is called later");

    let paused = store.set_paused(admin, integration, true).await;
    paused.expect("an Admin may");
    let paused = bell.recv().await.expect("it answers");
    assert_eq!(paused.payload(), "", "workers are told of the pause");
    let accepted = accept_in(store, &route, computed(), None).await;
    assert!(!accepted.is_computed && accepted.claimed.is_none());
    let rung = timeout(Duration::from_secs(10), bell.recv()).await;
    let rung = rung.expect("any worker is called").expect("it answers");
    assert_eq!(rung.payload(), "");
    // The world's end waits for its connection.
    drop(bell);
    let kept = store.run(admin, accepted.run).await.expect("it is there");
    assert_eq!(
        kept.summary.state,
        RunState::Queued,
        "it waits for its turn"
    );
    assert_eq!((kept.summary.started_at, kept.records.len()), (None, 0));
    world.end().await;
}

#[sqlx::test]
async fn runs_of_a_failing_integration_are_left_to_workers_where_none_is(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (_, route) = world.hook().await;
    run(&world, &route, RunState::Failed).await;
    let accepted = accept_in(&world.store, &route, computed(), None).await;
    assert!(!accepted.is_computed && accepted.claimed.is_none());
    let kept = world.store.run(&world.admin, accepted.run).await;
    assert_eq!(kept.expect("it is there").summary.state, RunState::Queued);
    let claimed = world.store.claim(WorkerId::random(), 5).await;
    let claimed = claimed.expect("it answers");
    assert_eq!(claimed[0].lease.run, accepted.run);
    world.end().await;
}

#[test]
fn only_a_success_is_kept_as_it_was_computed() {
    let outcomes = [
        Outcome::Finished {
            state: RunState::Failed,
            error: Some("it could not".to_owned()),
            records: Vec::new(),
        },
        Outcome::Waiting {
            until: Timestamp(0),
            records: Vec::new(),
        },
        Outcome::Lost,
    ];
    for outcome in outcomes {
        let kept = Computed::of(RunId(Uuid::now_v7()), Instant::now(), &outcome);
        assert!(kept.is_none(), "{outcome:?}");
    }
}

#[sqlx::test]
async fn runs_of_a_failing_integration_end_in_the_journal_so_that_its_recovery_is_told(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (_, route) = world.hook().await;
    run(&world, &route, RunState::Failed).await;
    assert_eq!(sent(&world.store).await.len(), 1);
    let accepted = accept(&world.store, &route, computed()).await;
    assert!(!accepted.is_computed);
    let claimed = accepted.claimed.expect("it is executed here");
    assert_eq!(claimed.lease.run, accepted.run);
    let journal = world.store.journal();
    let ended = journal.finish(claimed.lease, succeeded()).await;
    ended.expect("nobody else has it");
    let letters = sent(&world.store).await;
    assert_eq!(kinds(&letters), [domain::alert::Kind::Recovered]);
    let accepted = accept(&world.store, &route, computed()).await;
    assert!(accepted.is_computed, "from then on as before");
    world.end().await;
}

#[sqlx::test]
async fn runs_of_a_throttled_integration_wait_for_their_turn(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (integration, route) = world.hook().await;
    let paused = world
        .store
        .set_paused(&world.admin, integration, true)
        .await;
    paused.expect("an Admin may");
    let accepted = accept(&world.store, &route, computed()).await;
    assert!(!accepted.is_computed && accepted.claimed.is_none());
    let kept = world.store.run(&world.admin, accepted.run).await;
    let kept = kept.expect("it is there");
    assert_eq!(kept.summary.state, RunState::Queued);
    assert!(kept.records.is_empty(), "nothing of it happened yet");
    assert_eq!(kept.summary.started_at, None);
    world.end().await;
}

#[sqlx::test]
async fn of_an_event_that_came_before_nothing_is_kept(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let mut named: Document = clean("webhook");
    let config = &mut named.trigger.config;
    config.insert("delivery_id".to_owned(), json!("body"));
    config.insert("delivery_pointer".to_owned(), json!("/id"));
    let route = world.route(world.publish(named).await).await;
    let first = accept(&world.store, &route, computed()).await;
    let again = accept(&world.store, &route, computed()).await;
    assert!(first.is_computed && !first.repeats);
    assert!(again.repeats && !again.is_computed && again.claimed.is_none());
    assert_eq!(again.run, first.run);
    assert_eq!(world.count("select count(*) from run").await, 1);
    assert_eq!(world.count("select count(*) from run_record").await, 1);
    world.end().await;
}

#[sqlx::test]
async fn an_event_is_kept_although_the_database_refuses_what_was_computed_of_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (_, route) = world.hook().await;
    // Stands for whatever a database may refuse.
    world
        .execute("alter table run_record add check (records::text not like '%two%')")
        .await;
    let accepts = (0..40).map(|_| accept(&world.store, &route, computed()));
    for accepted in join_all(accepts).await {
        assert!(!accepted.is_computed && accepted.claimed.is_some());
    }
    assert_eq!(world.count("select count(*) from run").await, 40);
    assert_eq!(world.count("select count(*) from run_queue").await, 40);
    world.end().await;
}

#[test]
fn large_records_do_not_wait_with_their_event() {
    let outcome = Outcome::Finished {
        state: RunState::Succeeded,
        error: None,
        records: vec![record(1, &"x".repeat(256 * 1024))],
    };
    assert!(Computed::of(RunId(Uuid::now_v7()), Instant::now(), &outcome).is_none());
}
