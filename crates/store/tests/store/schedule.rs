//! Schedules: each instant once, none while disabled.

use domain::Timestamp;
use domain::run::RunOf;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{RunFilter, WorkerId};

use crate::world::{World, each_minute};

async fn now(world: &World) -> Timestamp {
    world.store.now().await.expect("it answers")
}

#[sqlx::test]
async fn an_instant_fires_once_with_two_schedulers(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let integration = world.publish(each_minute()).await;
    let other = world.other_process().await;
    let next = world
        .store
        .integration(&world.admin, integration)
        .await
        .expect("it is there");
    let fire = next.next_fires[0];
    assert!(
        world
            .store
            .due(Timestamp(fire.0 - 1))
            .await
            .expect("it answers")
            .is_empty()
    );
    let (one, two) = tokio::join!(world.store.due(fire), other.due(fire));
    assert_eq!(
        one.expect("it answers").len() + two.expect("it answers").len(),
        1
    );
    assert!(other.due(fire).await.expect("it answers").is_empty());

    // Also when a clock was set back, or a backup was restored over the schedule.
    world
        .execute("update schedule set next_fire = next_fire - interval '1 minute'")
        .await;
    assert!(world.store.due(fire).await.expect("it answers").is_empty());
    let run = world
        .store
        .claim(WorkerId::random(), 5)
        .await
        .expect("it answers")
        .remove(0);
    assert_eq!(run.payload["time_zone"], "UTC");
    let at = run.payload["scheduled_at"].as_str().expect("a text");
    assert!(at.ends_with(":00Z") && at.len() == 20, "{at}");
    let runs = world
        .store
        .runs(&world.admin, RunFilter::default())
        .await
        .expect("it answers");
    assert_eq!(
        runs.iter().map(|run| run.of).collect::<Vec<_>>(),
        [RunOf::Version(1)]
    );
    other.close().await;
    world.end().await;
}

#[sqlx::test]
async fn missed_instants_fire_once_and_the_schedule_goes_on(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let integration = world.publish(each_minute()).await;
    let later = Timestamp(now(&world).await.0 + 3 * 3_600_000);
    assert_eq!(world.store.due(later).await.expect("it answers").len(), 1);
    assert!(world.store.due(later).await.expect("it answers").is_empty());
    let next: Timestamp = {
        let seconds: i64 = world
            .count("select extract(epoch from next_fire)::bigint from schedule")
            .await;
        Timestamp(seconds * 1_000)
    };
    assert!(next > later && next.since(later) <= 60_000);
    assert_eq!(world.store.due(next).await.expect("it answers").len(), 1);
    assert!(
        world
            .store
            .integration(&world.admin, integration)
            .await
            .is_ok()
    );
    world.end().await;
}

#[sqlx::test]
async fn a_disabled_schedule_does_not_fire_and_makes_up_for_nothing(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let integration = world.publish(each_minute()).await;
    store
        .set_enabled(admin, integration, false)
        .await
        .expect("an Admin may");
    let later = Timestamp(now(&world).await.0 + 3_600_000);
    assert!(store.due(later).await.expect("it answers").is_empty());
    let detail = store
        .integration(admin, integration)
        .await
        .expect("it is there");
    assert!(detail.next_fires.is_empty());
    store
        .set_enabled(admin, integration, true)
        .await
        .expect("an Admin may");
    assert!(
        store
            .due(now(&world).await)
            .await
            .expect("it answers")
            .is_empty()
    );
    assert_eq!(store.due(later).await.expect("it answers").len(), 1);
    world.end().await;
}
