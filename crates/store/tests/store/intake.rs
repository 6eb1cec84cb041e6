//! Intake: what was accepted is there, also when many come at once.

use std::collections::HashSet;
use std::sync::Arc;

use domain::live::Changed as What;
use domain::run::RunState;
use engine::port::Network;
use futures::FutureExt;
use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{HookRoute, Incoming, Refusal, WorkerId};

use crate::world::{World, clean, refusal};

#[sqlx::test]
async fn every_accepted_event_is_a_run_also_of_hundreds_at_once(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (_, route) = world.hook().await;
    let accepts = (0..700).map(|number| {
        let payload = json!({ "body": number });
        world.store.accept(Incoming {
            route: route.clone(),
            payload: payload.into(),
            delivery: None,
            hand_to: None,
        })
    });
    let accepted = join_all(accepts).await;
    let runs: HashSet<_> = accepted
        .into_iter()
        .map(|a| a.expect("there is room").run)
        .collect();
    assert_eq!(runs.len(), 700);
    let mut claimed = Vec::new();
    // However many are wanted, 100 are given.
    for given in [100, 100, 100, 100, 100, 100, 100, 0] {
        let some = world.store.claim(WorkerId::random(), 1_000).await;
        let some = some.expect("it answers");
        assert_eq!(some.len(), given);
        claimed.extend(some);
    }
    let numbers: HashSet<_> = claimed
        .iter()
        .map(|run| run.payload["body"].as_i64())
        .collect();
    assert_eq!((claimed.len(), numbers.len()), (700, 700));
    assert!(claimed.iter().all(|run| runs.contains(&run.lease.run)));
    world.end().await;
}

#[sqlx::test]
async fn a_run_that_is_handed_to_a_worker_is_claimed_by_it_from_the_start(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let allowed = Network {
        owner: Some(admin.organization),
        ..Network::allowing(["127.0.0.0/8"])
    };
    store
        .set_network(admin, allowed.allowed.clone())
        .await
        .expect("an Admin may");
    let (integration, route) = world.hook().await;
    let payload = json!({ "body": "\0 and ü" });
    let incoming = Incoming {
        route,
        payload: payload.clone().into(),
        delivery: None,
        hand_to: Some(WorkerId::random()),
    };
    let accepted = store.accept(incoming).await.expect("there is room");
    let handed = accepted.claimed.expect("it was handed");
    assert_eq!((handed.lease.run, handed.lease.fence), (accepted.run, 1));
    assert_eq!(
        (handed.integration, &handed.payload),
        (integration, &std::sync::Arc::new(payload.clone()))
    );
    assert_eq!(handed.network, allowed);
    assert!(handed.history.is_empty() && !handed.is_test);
    assert!(
        store
            .claim(WorkerId::random(), 5)
            .await
            .expect("it answers")
            .is_empty()
    );
    let run = store.run(admin, accepted.run).await.expect("it is there");
    assert_eq!(
        (run.summary.state, run.payload),
        (RunState::Running, Some(payload))
    );
    assert_eq!(run.summary.created_at, handed.created_at);
    world.end().await;
}

#[sqlx::test]
async fn an_event_that_the_database_refuses_takes_no_other_with_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (_, route) = world.hook().await;
    // Stands for whatever a database may refuse.
    world
        .execute("alter table event add check (payload::text not like '%refused%')")
        .await;
    let accept = |payload: Value| {
        world.store.accept(Incoming {
            route: route.clone(),
            payload: payload.into(),
            delivery: None,
            hand_to: None,
        })
    };
    let (before, bad, after) = tokio::join!(
        accept(json!("a")),
        accept(json!("refused")),
        accept(json!("b"))
    );
    assert!(before.is_ok() && bad.is_err() && after.is_ok());
    assert_eq!(world.count("select count(*) from run").await, 2);
    assert_eq!(world.count("select count(*) from event").await, 2);
    world.end().await;
}

#[sqlx::test]
async fn more_than_can_wait_is_refused_and_not_kept(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (_, route) = world.hook().await;
    let payload = json!("x".repeat(2 * 1_024 * 1_024 - 1_024));
    let accepts = (0..64).map(|_| {
        world.store.accept(Incoming {
            route: route.clone(),
            payload: payload.clone().into(),
            delivery: None,
            hand_to: None,
        })
    });
    let (kept, refused): (Vec<_>, Vec<_>) =
        join_all(accepts).await.into_iter().partition(Result::is_ok);
    assert!(!refused.is_empty(), "64 MiB wait at most");
    for refused in refused {
        assert_eq!(refusal(refused), Refusal::Overloaded);
    }
    let runs = world.count("select count(*) from run").await;
    assert_eq!(usize::try_from(runs).expect("a count"), kept.len());
    world.end().await;
}

#[sqlx::test]
async fn an_organization_that_sends_more_than_is_written_shuts_out_no_other(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (_, route) = world.hook().await;
    let other = HookRoute {
        organization: world.outsider().await.organization,
        ..HookRoute::clone(&route)
    };
    let other = Arc::new(other);
    let payload = Arc::new(json!("x".repeat(2 * 1_024 * 1_024 - 1_024)));
    let send = |route: &Arc<HookRoute>| {
        Box::pin(world.store.accept(Incoming {
            route: route.clone(),
            payload: payload.clone(),
            delivery: None,
            hand_to: None,
        }))
    };
    let mut held = world.sql.begin().await.expect("it answers");
    sqlx::query("lock table event in access exclusive mode")
        .execute(&mut *held)
        .await
        .expect("nobody has it");
    let mut on_the_way = Vec::new();
    let refused = loop {
        let mut event = send(&route);
        match event.as_mut().now_or_never() {
            None => on_the_way.push(event),
            Some(refused) => break refused,
        }
    };
    assert_eq!(refusal(refused), Refusal::Overloaded);
    assert!(on_the_way.len() > 16, "it has most of the room");
    let mut beside = send(&other);
    assert!(beside.as_mut().now_or_never().is_none(), "there is room");
    on_the_way.push(beside);
    held.rollback().await.expect("it answers");
    let sent = on_the_way.len();
    for kept in join_all(on_the_way).await {
        kept.expect("it was not refused");
    }
    send(&route).await.expect("there is room again");
    let runs = world.count("select count(*) from run").await;
    assert_eq!(usize::try_from(runs).expect("a count"), sent + 1);
    world.end().await;
}

#[sqlx::test]
async fn no_address_that_was_not_given_out_starts_anything(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let (integration, _) = world.hook().await;
    let token = world.hook_token(integration).await;
    let (_, id) = world.draft_of(clean("webhook")).await;
    let draft = store.draft(admin, id).await.expect("it is there");
    let catch = draft
        .catch_path
        .strip_prefix("/catch/")
        .expect("the path of test events");
    let mut other = token.clone();
    other.replace_range(..1, if token.starts_with('0') { "1" } else { "0" });
    for token in [
        "",
        "\0",
        "%",
        &token[1..],
        &token.to_uppercase(),
        &other,
        catch,
    ] {
        if token.bytes().any(|b| b.is_ascii_alphabetic()) || token.len() != 48 {
            assert_eq!(
                store.hook_route(token).await.expect("it answers"),
                None,
                "{token:?}"
            );
        }
    }
    world.end().await;
}

#[sqlx::test]
async fn a_route_is_forgotten_when_another_process_publishes(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let admin = &world.admin;
    let (integration, _) = world.hook().await;
    let token = world.hook_token(integration).await;
    let other = world.other_process().await;
    let mut heard = other.listen();
    let route = other
        .hook_route(&token)
        .await
        .expect("it answers")
        .expect("it is live");
    assert_eq!(route.version, 1);
    let draft = world
        .store
        .start_draft(admin, integration, "Next")
        .await
        .expect("may");
    world.publish_draft(draft, 1).await;
    // What is told last is that the integration changed; then the old route is gone.
    while heard.recv().await.expect("it is told").what != What::Draft(draft, 1) {}
    let told = heard.recv().await.expect("it is told");
    assert_eq!(told.what, What::Integration(integration));
    let route = other
        .hook_route(&token)
        .await
        .expect("it answers")
        .expect("it is live");
    assert_eq!(route.version, 2);
    other.close().await;
    world.end().await;
}
