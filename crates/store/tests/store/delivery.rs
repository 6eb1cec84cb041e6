//! Deliveries: an event that its sender sends again starts no second run.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use domain::delivery::{Delivery, Source};
use domain::edit::Edit;
use domain::{Document, RunId};
use futures::future::join_all;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{Accepted, HookRoute, Incoming, Store, WorkerId};

use crate::world::{World, clean, save_of};

fn named() -> Document {
    let mut document = clean("webhook");
    let config = &mut document.trigger.config;
    config.insert("delivery_id".to_owned(), json!("body"));
    config.insert("delivery_pointer".to_owned(), json!("/id"));
    document
}

async fn deliver(store: &Store, route: &Arc<HookRoute>, id: u32) -> Accepted {
    let payload = json!({ "body": { "id": id } });
    let incoming = Incoming {
        route: route.clone(),
        delivery: route.delivery.read(&payload),
        payload: payload.into(),
        hand_to: Some(WorkerId::random()),
    };
    store.accept(incoming).await.expect("there is room")
}

#[sqlx::test]
async fn an_event_that_comes_often_at_once_at_two_processes_starts_one_run(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let integration = world.publish(named()).await;
    let route = world.route(integration).await;
    assert_eq!(route.delivery, Source::Body("/id".to_owned()));
    let other = world.other_process().await;
    // Each event ten times, in another order at each process.
    let calls = (0..200_u32).flat_map(|n| {
        let (here, there) = (n % 20, (n * 7 + 3) % 20);
        [(&world.store, here), (&other, there)]
    });
    let accepted = join_all(calls.map(|(store, id)| {
        let route = &route;
        async move { (id, deliver(store, route, id).await) }
    }))
    .await;
    let mut runs: HashMap<u32, HashSet<RunId>> = HashMap::new();
    for (id, accepted) in &accepted {
        runs.entry(*id).or_default().insert(accepted.run);
        let is_claimed = accepted.claimed.is_some();
        assert_eq!(is_claimed, !accepted.repeats, "the first is handed over");
    }
    assert_eq!(runs.len(), 20);
    assert!(runs.values().all(|runs| runs.len() == 1), "{runs:?}");
    let firsts = accepted.iter().filter(|(_, accepted)| !accepted.repeats);
    assert_eq!(firsts.count(), 20);
    for query in [
        "select count(*) from run",
        "select count(*) from event",
        "select count(*) from run_queue",
        "select count(*) from delivery where repeats = 19",
    ] {
        assert_eq!(world.count(query).await, 20, "{query}");
    }
    other.close().await;
    world.end().await;
}

#[sqlx::test]
async fn an_id_is_known_after_a_publish_and_of_its_own_integration_only(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let integration = world.publish(named()).await;
    let other = world.publish(named()).await;
    let first = deliver(store, &world.route(integration).await, 7).await;
    let draft = store.start_draft(admin, integration, "Next").await;
    world.publish_draft(draft.expect("may"), 1).await;
    let again = deliver(store, &world.route(integration).await, 7).await;
    assert_eq!((again.run, again.repeats), (first.run, true));
    let elsewhere = deliver(store, &world.route(other).await, 7).await;
    assert!(!elsewhere.repeats);
    let shown = store.run(admin, first.run).await.expect("it is there");
    let known = Delivery {
        id: Some("7".to_owned()),
        repeats: 1,
    };
    assert_eq!(shown.delivery, Some(known));

    // Without an id each delivery is an event of its own.
    for _ in 0..2 {
        let incoming = Incoming {
            route: world.route(integration).await,
            payload: json!({ "body": {} }).into(),
            delivery: None,
            hand_to: None,
        };
        let accepted = store.accept(incoming).await.expect("there is room");
        assert!(!accepted.repeats);
        let shown = store.run(admin, accepted.run).await.expect("it is there");
        assert_eq!(shown.delivery, None);
    }
    world.end().await;
}

#[sqlx::test]
async fn an_id_from_elsewhere_swallows_no_event_and_is_known_there_again(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let integration = world.publish(named()).await;
    // What is on its way when a publish comes still has the older route.
    let older = world.route(integration).await;
    let first = deliver(store, &older, 7).await;
    let draft = store.start_draft(admin, integration, "Next").await;
    let draft = draft.expect("may");
    let mut trigger = named().trigger;
    let elsewhere = json!("/order/id");
    trigger
        .config
        .insert("delivery_pointer".to_owned(), elsewhere);
    let saved = store.save_draft(admin, draft, save_of(1, vec![Edit::SetTrigger { trigger }]));
    saved.await.expect("it fits");
    world.publish_draft(draft, 2).await;
    let called_7 = |route: Arc<HookRoute>| Incoming {
        route,
        payload: json!({ "body": {} }).into(),
        delivery: Some("7".to_owned()),
        hand_to: None,
    };
    let again = store.accept(called_7(older)).await.expect("there is room");
    assert_eq!((again.run, again.repeats), (first.run, true));
    let newer = world.route(integration).await;
    let new = store.accept(called_7(newer)).await.expect("there is room");
    assert!(!new.repeats && new.run != first.run);
    for (run, repeats) in [(first.run, 1), (new.run, 0)] {
        let shown = store.run(admin, run).await.expect("it is there");
        assert_eq!(shown.delivery.map(|known| known.repeats), Some(repeats));
    }
    // Rolled back, what was known there still is.
    let back = store.roll_back(admin, integration, 1, 2, "The old id was right.");
    back.await.expect("an Admin may");
    let again = deliver(store, &world.route(integration).await, 7).await;
    assert_eq!((again.run, again.repeats), (first.run, true));
    world.end().await;
}

#[sqlx::test]
async fn what_is_sent_again_to_a_paused_integration_waits_once(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let integration = world.publish(named()).await;
    let paused = store.set_paused(admin, integration, true).await;
    paused.expect("an Admin may");
    let route = world.route(integration).await;
    let all = join_all((0..9).map(|_| deliver(store, &route, 1))).await;
    assert!(all.iter().all(|accepted| accepted.claimed.is_none()));
    assert_eq!(world.count("select count(*) from run_queue").await, 1);
    world.end().await;
}

#[sqlx::test]
async fn ids_are_forgotten_after_a_week(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let store = &world.store;
    let integration = world.publish(named()).await;
    let route = world.route(integration).await;
    let first = deliver(store, &route, 1).await;
    deliver(store, &route, 2).await;
    world
        .execute("update delivery set at = at - interval '7 days' where name = '1'")
        .await;
    assert_eq!(store.forget_deliveries().await.expect("it answers"), 1);
    assert_eq!(store.forget_deliveries().await.expect("it answers"), 0);
    let again = deliver(store, &route, 1).await;
    assert!(!again.repeats && again.run != first.run);
    // What comes again now comes again to the second run.
    deliver(store, &route, 1).await;
    for (run, repeats) in [(first.run, 0), (again.run, 1)] {
        let shown = store.run(&world.admin, run).await.expect("it is there");
        assert_eq!(shown.delivery.map(|known| known.repeats), Some(repeats));
    }
    assert!(deliver(store, &route, 2).await.repeats);
    world.end().await;
}
