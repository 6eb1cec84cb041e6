//! Schedules: each instant once, none while disabled.

use domain::Timestamp;
use domain::edit::Edit;
use domain::run::RunOf;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{RunFilter, WorkerId};

use crate::world::{World, each_minute, save_of};

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

#[sqlx::test]
async fn what_is_due_is_not_lost_by_a_publish_or_by_enabling_what_is_enabled(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let integration = world.publish(each_minute()).await;
    let missed = "update schedule set next_fire = date_trunc('minute', now())";
    let due = async || {
        let due = store.due(now(&world).await).await;
        due.expect("it answers").len()
    };
    world.execute(missed).await;
    let enabled = store.set_enabled(admin, integration, true).await;
    enabled.expect("an Admin may");
    assert_eq!(due().await, 1);
    assert_eq!(due().await, 0);

    world.execute("delete from schedule_fire").await;
    world.execute(missed).await;
    let draft = store.start_draft(admin, integration, "Next").await;
    let draft = draft.expect("an Admin may");
    let found = store.draft(admin, draft).await.expect("it is there");
    let step = *found.document.steps.keys().next().expect("it has one");
    let notes = "For the next reader.".to_owned();
    let saved = store.save_draft(
        admin,
        draft,
        save_of(1, vec![Edit::SetNotes { step, notes }]),
    );
    saved.await.expect("it fits");
    world.publish_draft(draft, 2).await;
    assert_eq!(due().await, 1);
    let disabled = store.set_enabled(admin, integration, false).await;
    disabled.expect("an Admin may");
    world.end().await;
}

#[sqlx::test]
async fn what_fired_while_a_clock_was_ahead_fires_again_once_it_is_right(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    world.publish(each_minute()).await;
    let right = now(&world).await;
    let ahead = Timestamp(right.0 + 400 * 24 * 3_600_000);
    assert_eq!(world.store.due(ahead).await.expect("it answers").len(), 1);
    let later = Timestamp(right.0 + 10 * 60_000);
    assert!(world.store.due(later).await.expect("it answers").is_empty());
    let moved = world.store.pull_schedules_back(right).await;
    assert_eq!(moved.expect("it answers"), 1);
    // The first instant from then on has fired, too early; what is missed fires once.
    let [next, then] = [2, 3].map(|minutes| Timestamp(right.0 + minutes * 60_000));
    let mut fired = 0;
    for at in [next, then] {
        fired += world.store.due(at).await.expect("it answers").len();
    }
    assert!(fired > 0);
    let moved = world.store.pull_schedules_back(right).await;
    assert_eq!(moved.expect("it answers"), 1);
    let moved = world.store.pull_schedules_back(later).await;
    assert_eq!(moved.expect("it answers"), 0, "it is right");
    world.end().await;
}
