//! Polls that fail: when whoever should know is told, how often, and when it is over.

use domain::alert::{Cause, Kind};
use domain::run::RunState;
use domain::{IntegrationId, Timestamp};
use engine::poll::Unanswered;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::Taken;

use crate::alert::{kinds, pass_an_hour, run, sent};
use crate::poll::{claim, due, found, once, polling, publish_change, publish_trigger};
use crate::world::{World, clean};

const WHY: &str = "The address answered 500.";

/// Polls once, and gets no answer.
async fn fail(world: &World) {
    due(world).await;
    let poll = claim(&world.store).await.expect("it is due");
    let taken = world.store.polled(&poll, Err(Unanswered::saying(WHY)));
    assert!(matches!(taken.await, Ok(Taken::Failed)));
}

/// Polls once, and finds nothing.
async fn answer(world: &World) {
    once(world, found([], json!(null))).await;
}

async fn failing(world: &World, id: IntegrationId) -> Option<Timestamp> {
    let all = world.store.integrations(&world.admin).await;
    let all = all.expect("a member sees them");
    let listed = all.iter().find(|one| one.id == id).expect("it is listed");
    assert_eq!(listed.failing, None, "no run failed");
    let detail = world.store.integration(&world.admin, id).await;
    let shown = detail.expect("it is there").summary.polls_failing;
    assert_eq!(listed.polls_failing, shown, "both pages say the same");
    shown
}

#[sqlx::test]
async fn polls_that_go_on_failing_are_told_once_and_so_is_the_first_answer(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let id = world.publish(polling(json!({ "every_minutes": 1 }))).await;
    for _ in 0..2 {
        fail(&world).await;
        assert_eq!(failing(&world, id).await, None, "the next comes soon");
    }
    answer(&world).await;
    for _ in 0..2 {
        fail(&world).await;
    }
    assert_eq!(failing(&world, id).await, None, "not three in a row");
    fail(&world).await;
    let since = failing(&world, id).await.expect("it fails");
    fail(&world).await;
    assert_eq!(failing(&world, id).await, Some(since), "it goes on");
    let letters = sent(&world.store).await;
    let [(email, letter)] = letters.as_slice() else {
        panic!("one letter: {letters:?}");
    };
    assert_eq!(email, "admin@example.com");
    assert_eq!((letter.kind, &letter.cause), (Kind::Failing, &Cause::Polls));
    assert_eq!((letter.integration, letter.name.as_str()), (id, "Orders"));
    assert_eq!(letter.reason, WHY);

    answer(&world).await;
    answer(&world).await;
    assert_eq!(failing(&world, id).await, None);
    let letters = sent(&world.store).await;
    let [(_, over)] = letters.as_slice() else {
        panic!("one letter: {letters:?}");
    };
    assert_eq!((over.kind, &over.cause), (Kind::Recovered, &Cause::Polls));
    assert_eq!(over.since, letter.since);
    world.end().await;
}

#[sqlx::test]
async fn a_poll_that_comes_seldom_is_told_before_the_next_one(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let id = world.publish(polling(json!({ "every_minutes": 15 }))).await;
    fail(&world).await;
    assert!(failing(&world, id).await.is_some());
    assert_eq!(kinds(&sent(&world.store).await), [Kind::Failing]);
    world.end().await;
}

#[sqlx::test]
async fn polls_that_fail_and_are_answered_by_turns_are_told_seldom(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let id = world.publish(polling(json!({ "every_minutes": 30 }))).await;
    fail(&world).await;
    answer(&world).await;
    assert_eq!(sent(&world.store).await.len(), 2);
    for _ in 0..5 {
        fail(&world).await;
        assert!(failing(&world, id).await.is_some(), "pages say it at once");
        answer(&world).await;
        assert_eq!(world.count("select count(*) from alert").await, 2);
    }
    // It fails again and stays so: the letter that waited goes out.
    fail(&world).await;
    assert!(sent(&world.store).await.is_empty());
    pass_an_hour(&world).await;
    assert_eq!(kinds(&sent(&world.store).await), [Kind::Failing]);
    answer(&world).await;
    assert_eq!(kinds(&sent(&world.store).await), [Kind::Recovered]);
    world.end().await;
}

#[sqlx::test]
async fn runs_and_polls_fail_and_recover_each_by_itself(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    world.publish(polling(json!({ "every_minutes": 60 }))).await;
    let (hook, route) = world.hook().await;
    // Runs of the one and polls of the other are of one integration from here on.
    fail(&world).await;
    let moved = "update failing set integration_id =
        (select integration_id from version where trigger = 'webhook')";
    assert_eq!(world.execute(moved).await, 1);
    run(&world, &route, RunState::Failed).await;
    let standing = async || {
        let detail = world.store.integration(&world.admin, hook).await;
        let summary = detail.expect("it is there").summary;
        (summary.failing.is_some(), summary.polls_failing.is_some())
    };
    assert_eq!(standing().await, (true, true));
    assert_eq!(sent(&world.store).await.len(), 2);
    run(&world, &route, RunState::Succeeded).await;
    assert_eq!(standing().await, (false, true));
    assert_eq!(kinds(&sent(&world.store).await), [Kind::Recovered]);
    world.end().await;
}

#[sqlx::test]
async fn polls_fail_on_through_a_publish_and_not_once_nothing_is_polled(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let id = world.publish(polling(json!({ "every_minutes": 60 }))).await;
    fail(&world).await;
    let since = failing(&world, id).await;
    publish_change(&world, id, json!({ "every_minutes": 90 })).await;
    let disabled = store.set_enabled(admin, id, false).await;
    disabled.expect("an Admin may");
    let enabled = store.set_enabled(admin, id, true).await;
    enabled.expect("an Admin may");
    fail(&world).await;
    assert_eq!(failing(&world, id).await, since, "nothing was answered");
    assert_eq!(kinds(&sent(&world.store).await), [Kind::Failing]);

    publish_trigger(&world, id, |trigger| *trigger = clean("manual").trigger).await;
    assert_eq!(failing(&world, id).await, None);
    assert!(
        sent(&world.store).await.is_empty(),
        "it does not work again"
    );
    world.end().await;
}

#[sqlx::test]
async fn polls_at_set_times_begin_at_once_and_go_on_at_the_next_time_with_all_that_is_known(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let newer = json!({ "asks": "newer", "cursor_parameter": "since", "cursor": "/id" });
    let id = world.publish(polling(newer)).await;
    once(&world, found([1, 2], json!(2))).await;
    // From minutes to set times, and back.
    let times = json!({ "when": "cron", "cron": "0 0 1 1 *", "time_zone": "Asia/Tokyo" });
    publish_change(&world, id, times).await;
    assert!(claim(&world.store).await.is_none(), "it is not New Year");
    let at_new_year = "select count(*) from poll
        where extract(month from next_at at time zone 'Asia/Tokyo') = 1
            and extract(doy from next_at at time zone 'Asia/Tokyo') = 1
            and extract(hour from next_at at time zone 'Asia/Tokyo') = 0";
    assert_eq!(world.count(at_new_year).await, 1);
    due(&world).await;
    let next = claim(&world.store).await.expect("it is due");
    assert_eq!(next.cursor, Some(json!(2)));
    let taken = world.store.polled(&next, Ok(found([2, 3], json!(3)))).await;
    assert!(matches!(taken, Ok(Taken::Runs(runs)) if runs.len() == 1));
    assert_eq!(world.count(at_new_year).await, 1);

    publish_change(&world, id, json!({ "when": "every" })).await;
    let back = claim(&world.store).await.expect("it is due at once");
    assert_eq!(back.cursor, Some(json!(3)));
    let taken = world.store.polled(&back, Ok(found([3], json!(3)))).await;
    assert!(matches!(taken, Ok(Taken::Runs(runs)) if runs.is_empty()));
    // What is due stays due, and another list begins at once: what is old is to be known.
    due(&world).await;
    publish_change(&world, id, json!({ "when": "cron" })).await;
    let still = claim(&world.store).await.expect("it is due");
    let taken = world.store.polled(&still, Ok(found([3], json!(3)))).await;
    assert!(matches!(taken, Ok(Taken::Runs(_))));
    assert_eq!(world.count(at_new_year).await, 1);
    publish_change(&world, id, json!({ "id": "/number" })).await;
    assert!(claim(&world.store).await.is_some());
    world.end().await;
}
