//! What changed is told, in this process and in others, and each thing once.

use std::time::Duration;

use domain::live::Changed as What;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{Changed, Incoming, WorkerId};
use tokio::time::Instant;

use crate::world::{World, clean};

#[sqlx::test]
async fn a_save_is_told_once_in_every_process(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (_, id) = world.draft_of(clean("webhook")).await;
    let other = world.other_process().await;
    let (mut here, mut there) = (world.store.listen(), other.listen());
    let organization = world.admin.organization;
    for revision in 1..4 {
        world.save(id, revision).await.expect("it fits");
        let told = Changed {
            organization,
            what: What::Draft(id, revision + 1),
        };
        assert_eq!(here.recv().await.expect("it is told"), told);
        assert_eq!(there.recv().await.expect("it is told"), told);
    }
    assert!(
        here.try_recv().is_err(),
        "not again when it comes back from the database"
    );
    other.close().await;
    world.end().await;
}

#[sqlx::test]
async fn what_runs_do_is_told_in_every_process(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (integration, route) = world.hook().await;
    let other = world.other_process().await;
    let mut there = other.listen();
    let incoming = Incoming {
        route,
        payload: json!({}).into(),
        delivery: None,
        hand_to: Some(WorkerId::random()),
    };
    let run = world
        .store
        .accept(incoming)
        .await
        .expect("there is room")
        .run;
    let organization = world.admin.organization;
    let told = Changed {
        organization,
        what: What::Run(run, integration),
    };
    assert_eq!(there.recv().await.expect("it is told"), told);
    other.close().await;
    world.end().await;
}

#[sqlx::test]
async fn a_worker_is_woken_by_what_another_process_queues(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (_, route) = world.hook().await;
    let other = world.other_process().await;
    let nothing = other.claim(WorkerId::random(), 1).await;
    assert_eq!(nothing.expect("it answers"), []);
    // It rang when the process began to listen.
    other.wait_for_work(Duration::ZERO).await;
    let (waited, _) = tokio::join!(
        async {
            let began = Instant::now();
            while other
                .claim(WorkerId::random(), 1)
                .await
                .expect("it answers")
                .is_empty()
            {
                other.wait_for_work(Duration::from_secs(60)).await;
            }
            began.elapsed()
        },
        world.store.accept(Incoming {
            route,
            payload: json!({}).into(),
            delivery: None,
            hand_to: None
        }),
    );
    assert!(waited < Duration::from_secs(30), "{waited:?}");
    other.close().await;
    world.end().await;
}
