//! Polling: each item starts one run, by whichever process, and whatever ends in between.

use domain::account::Role;
use domain::document::Trigger;
use domain::draft::Draft;
use domain::edit::Edit;
use domain::poll::{Found, Item, Refusal as Polling, Restart, STARTED, When};
use domain::{Document, IntegrationId, limit};
use engine::poll::Unanswered;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::time::Duration;
use store::{ClaimedPoll, Refusal, Store, Taken, WorkerId};

use crate::world::{World, assert_denied, assert_not_found, clean, refusal, save_of};

pub(crate) fn polling(fields: Value) -> Document {
    let mut document = clean("poll");
    let config = &mut document.trigger.config;
    config.insert("url".to_owned(), json!("https://api.example.com/orders"));
    config.extend(fields.as_object().expect("fields").clone());
    document
}

/// Returns what an answer with these items holds.
pub(crate) fn found(ids: impl IntoIterator<Item = u32>, cursor: Value) -> Found {
    let item = |(place, id): (usize, u32)| Item {
        place,
        id: id.to_string(),
        value: json!({ "id": id }),
    };
    Found {
        items: (1..).zip(ids).map(item).collect(),
        cursor: Some(cursor).filter(|cursor| !cursor.is_null()),
    }
}

pub(crate) async fn claim(store: &Store) -> Option<ClaimedPoll> {
    let mut claims = store.claim_polls(10).await.expect("it answers");
    assert!(claims.len() <= 1);
    claims.pop()
}

pub(crate) async fn due(world: &World) {
    let moved = "update poll set next_at = now() where next_at is not null";
    assert_eq!(world.execute(moved).await, 1);
}

/// Polls once, and returns how many runs that started.
pub(crate) async fn once(world: &World, found: Found) -> usize {
    due(world).await;
    let claim = claim(&world.store).await.expect("it is due");
    match world.store.polled(&claim, Ok(found)).await {
        Ok(Taken::Runs(runs)) => runs.len(),
        other => panic!("{other:?}"),
    }
}

/// Publishes an integration with other fields of its trigger.
pub(crate) async fn publish_change(world: &World, integration: IntegrationId, fields: Value) {
    let fields = fields.as_object().expect("fields").clone();
    publish_trigger(world, integration, |trigger| trigger.config.extend(fields)).await;
}

/// Publishes an integration with another trigger.
pub(crate) async fn publish_trigger(
    world: &World,
    integration: IntegrationId,
    change: impl FnOnce(&mut Trigger),
) {
    let (store, admin) = (&world.store, &world.admin);
    let draft = store.start_draft(admin, integration, "Next").await;
    let draft = draft.expect("an Admin may");
    let Draft { document, .. } = store.draft(admin, draft).await.expect("it is there");
    let mut trigger = document.trigger;
    change(&mut trigger);
    let saved = store.save_draft(admin, draft, save_of(1, vec![Edit::SetTrigger { trigger }]));
    saved.await.expect("it fits");
    world.publish_draft(draft, 2).await;
}

async fn started(world: &World) -> i64 {
    world
        .count("select count(*) from run join event using (event_id) where kind = 'poll'")
        .await
}

#[sqlx::test]
async fn what_comes_after_the_first_poll_starts_one_run_each(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let integration = world.publish(polling(json!({}))).await;
    assert_eq!(once(&world, found([1, 2], json!(null))).await, 0);
    assert_eq!(once(&world, found([1, 2, 3, 4], json!(null))).await, 2);
    assert_eq!(once(&world, found([4, 3, 2], json!(null))).await, 0);
    assert_eq!(started(&world).await, 2);
    let claimed = world.store.claim(WorkerId::random(), 5).await;
    let payloads: Vec<Value> = claimed
        .expect("it answers")
        .into_iter()
        .map(|run| run.payload.as_ref().clone())
        .collect();
    assert_eq!(payloads[0]["item"], json!({ "id": 3 }));
    assert_eq!(payloads[1]["id"], "4");
    let detail = world.store.integration(&world.admin, integration).await;
    let polling = detail.expect("it is there").polling.expect("it polls");
    assert_eq!((polling.items, polling.started), (3, 2));
    assert!(polling.next_at > polling.last_at);
    world.end().await;
}

#[sqlx::test]
async fn a_process_that_ends_before_it_wrote_loses_and_doubles_nothing(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let all =
        json!({ "start": "all", "asks": "newer", "cursor_parameter": "since", "cursor": "/id" });
    world.publish(polling(all)).await;
    let other = world.other_process().await;
    let first = claim(&world.store).await.expect("it is due");
    // Nobody else polls meanwhile.
    assert!(claim(&other).await.is_none());
    // The first was killed or stopped; when its lease ends another asks again, as it did.
    world
        .execute("update poll set lease_until = now() - interval '1 second'")
        .await;
    let second = claim(&other).await.expect("it is due again");
    assert_eq!(second.cursor, first.cursor);
    let taken = other.polled(&second, Ok(found([1, 2], json!(2)))).await;
    assert!(matches!(taken, Ok(Taken::Runs(runs)) if runs.len() == 2));
    // The first wakes up with what it was answered: it is refused.
    let late = world.store.polled(&first, Ok(found([1, 2, 3], json!(3))));
    assert!(matches!(late.await, Ok(Taken::Stale)));
    assert_eq!(started(&world).await, 2);
    due(&world).await;
    let third = claim(&world.store).await.expect("it is due");
    assert_eq!(third.cursor, Some(json!(2)));
    let taken = world
        .store
        .polled(&third, Ok(found([2, 3], json!(3))))
        .await;
    assert!(matches!(taken, Ok(Taken::Runs(runs)) if runs.len() == 1));
    other.close().await;
    world.end().await;
}

#[sqlx::test]
async fn a_write_that_fails_leaves_cursor_and_items_as_they_were(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let all =
        json!({ "start": "all", "asks": "newer", "cursor_parameter": "since", "cursor": "/id" });
    world.publish(polling(all)).await;
    // Stands for a process or a database that ends in the middle of the transaction.
    world
        .execute("alter table run_queue add constraint stop check (false) not valid")
        .await;
    let poll = claim(&world.store).await.expect("it is due");
    let taken = world.store.polled(&poll, Ok(found([1, 2], json!(2)))).await;
    assert!(taken.is_err());
    for query in [
        "select count(*) from poll_item",
        "select count(*) from run",
        "select count(*) from poll where is_begun or cursor is not null",
    ] {
        assert_eq!(world.count(query).await, 0, "{query}");
    }
    world
        .execute("alter table run_queue drop constraint stop")
        .await;
    let taken = world.store.polled(&poll, Ok(found([1, 2], json!(2)))).await;
    assert!(matches!(taken, Ok(Taken::Runs(runs)) if runs.len() == 2));
    world.end().await;
}

#[sqlx::test]
async fn a_publish_keeps_what_is_known_and_refuses_the_answer_to_an_older_version(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let integration = world.publish(polling(json!({ "start": "all" }))).await;
    assert_eq!(once(&world, found([1, 2], json!(null))).await, 2);
    due(&world).await;
    let under_way = claim(store).await.expect("it is due");
    publish_change(&world, integration, json!({ "every_minutes": 30 })).await;
    let late = store.polled(&under_way, Ok(found([1, 2, 3], json!(null))));
    assert!(matches!(late.await, Ok(Taken::Stale)));
    let next = claim(store).await.expect("it is due at once");
    assert_eq!(next.poll.when, When::Every(30));
    let taken = store.polled(&next, Ok(found([1, 2, 3], json!(null)))).await;
    assert!(matches!(taken, Ok(Taken::Runs(runs)) if runs.len() == 1));

    // While it is disabled nothing is due; what came meanwhile starts when it is enabled.
    let disabled = store.set_enabled(admin, integration, false).await;
    disabled.expect("an Admin may");
    assert!(claim(store).await.is_none());
    let enabled = store.set_enabled(admin, integration, true).await;
    enabled.expect("an Admin may");
    assert_eq!(once(&world, found([2, 3, 4], json!(null))).await, 1);
    world.end().await;
}

#[sqlx::test]
async fn a_publish_that_calls_items_something_else_begins_anew_as_the_trigger_says(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let integration = world.publish(polling(json!({ "id": "/id" }))).await;
    assert_eq!(once(&world, found([1, 2], json!(null))).await, 0);
    assert_eq!(once(&world, found([1, 2, 3], json!(null))).await, 1);
    // Of the new names none is known, but later items only start runs.
    for change in [
        json!({ "id": "/number" }),
        json!({ "items": "/orders" }),
        json!({ "url": "https://api.example.com/refunds" }),
    ] {
        publish_change(&world, integration, change.clone()).await;
        let first = 100 * u32::try_from(started(&world).await).expect("few");
        assert_eq!(
            once(&world, found([first], json!(null))).await,
            0,
            "{change}"
        );
        let next = found([first, first + 1], json!(null));
        assert_eq!(once(&world, next).await, 1, "{change}");
    }
    // Also when it was disabled meanwhile.
    let (store, admin) = (&world.store, &world.admin);
    let enable = async |enabled| {
        let enabled = store.set_enabled(admin, integration, enabled).await;
        enabled.expect("an Admin may");
    };
    enable(false).await;
    publish_change(&world, integration, json!({ "id": "/key" })).await;
    enable(true).await;
    assert_eq!(once(&world, found([7_001, 7_002], json!(null))).await, 0);
    // What the trigger says is that all start runs; those that are known do not start a second one.
    let all = json!({ "id": "/id", "start": "all" });
    publish_change(&world, integration, all).await;
    assert_eq!(once(&world, found([7_002, 7_003], json!(null))).await, 1);
    world.end().await;
}

#[sqlx::test]
async fn a_publish_that_changes_what_the_cursor_is_forgets_it_and_nothing_else(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let newer =
        json!({ "asks": "newer", "cursor_parameter": "since", "cursor": "/at", "id": "/id" });
    let integration = world.publish(polling(newer)).await;
    once(&world, found([1, 2], json!("2026-03-01"))).await;
    publish_change(&world, integration, json!({ "every_minutes": 30 })).await;
    let same = claim(&world.store).await.expect("it is due at once");
    assert_eq!(same.cursor, Some(json!("2026-03-01")));
    for change in [
        json!({ "cursor": "/id" }),
        json!({ "cursor_parameter": "after" }),
    ] {
        publish_change(&world, integration, change).await;
        let next = claim(&world.store).await.expect("it is due at once");
        assert_eq!(next.cursor, None);
        let taken = world.store.polled(&next, Ok(found([1, 2], json!(2)))).await;
        assert!(matches!(taken, Ok(Taken::Runs(runs)) if runs.is_empty()));
    }
    assert_eq!(once(&world, found([2, 3], json!(3))).await, 1);
    // What an item is called is not what the cursor is.
    publish_change(&world, integration, json!({ "id": "/key" })).await;
    let next = claim(&world.store).await.expect("it is due at once");
    assert_eq!(next.cursor, Some(json!(3)));
    world.end().await;
}

#[sqlx::test]
async fn of_a_long_list_some_start_at_once_and_the_rest_by_the_next_poll(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    world.publish(polling(json!({ "start": "all" }))).await;
    let many = u32::try_from(STARTED).expect("it is small") + 20;
    let list = || found(1..=many, json!(many));
    assert_eq!(once(&world, list()).await, STARTED);
    // It is due without anyone moving the clock, and with the cursor that it had.
    let next = claim(&world.store).await.expect("it is due at once");
    assert_eq!(next.cursor, None);
    let taken = world.store.polled(&next, Ok(list())).await;
    assert!(matches!(taken, Ok(Taken::Runs(runs)) if runs.len() == 20));
    assert!(claim(&world.store).await.is_none(), "now it waits");
    assert_eq!(started(&world).await, i64::from(many));
    world.end().await;
}

#[sqlx::test]
async fn items_are_forgotten_only_when_they_left_the_list(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    world.publish(polling(json!({}))).await;
    once(&world, found(0..10_000, json!(null))).await;
    // As if many had come since.
    world
        .execute(
            "insert into poll_item (integration_id, id, organization_id)
             select integration_id, 'old ' || n, organization_id
             from poll, generate_series(1, 20000) as n",
        )
        .await;
    assert_eq!(once(&world, found(5_000..10_001, json!(null))).await, 1);
    for (query, count) in [
        (
            "select count(*) from poll_item where id in ('0', '4999')",
            0,
        ),
        (
            "select count(*) from poll_item where id in ('5000', '9999', '10000')",
            3,
        ),
        ("select count(*) from poll_item", 20_000 + 5_000),
    ] {
        assert_eq!(world.count(query).await, count, "{query}");
    }
    world.end().await;
}

#[sqlx::test]
async fn a_failure_is_shown_and_tried_later_each_time(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let integration = world.publish(polling(json!({ "every_minutes": 10 }))).await;
    let fail = async |after: Option<Duration>| {
        due(&world).await;
        let poll = claim(&world.store).await.expect("it is due");
        let unanswered = Unanswered {
            after,
            ..Unanswered::saying("It answered 500.")
        };
        let taken = world.store.polled(&poll, Err(unanswered)).await;
        assert!(matches!(taken, Ok(Taken::Failed)));
        world
            .count("select round(extract(epoch from next_at - now()) / 60)::bigint from poll")
            .await
    };
    assert_eq!(fail(None).await, 10);
    assert_eq!(fail(None).await, 20);
    assert_eq!(fail(Some(Duration::from_secs(3 * 3_600))).await, 180);
    let read = async || {
        let detail = world.store.integration(&world.admin, integration).await;
        detail.expect("it is there").polling.expect("it polls")
    };
    let polling = read().await;
    assert_eq!(polling.failures, 3);
    assert_eq!(polling.error.as_deref(), Some("It answered 500."));
    once(&world, found([1], json!(null))).await;
    let polling = read().await;
    assert_eq!((polling.failures, polling.error), (0, None));
    world.end().await;
}

#[sqlx::test]
async fn an_item_that_is_too_large_is_named_by_its_place_only(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let integration = world.publish(polling(json!({ "start": "all" }))).await;
    let poll = claim(&world.store).await.expect("it is due");
    let mut answer = found([1, 2], json!(null));
    answer.items[1].id = "somebody@example.com".to_owned();
    answer.items[1].value = json!("x".repeat(limit::PAYLOAD_BYTES + 1));
    let taken = world.store.polled(&poll, Ok(answer)).await;
    assert!(matches!(taken, Ok(Taken::Failed)));
    assert_eq!(started(&world).await, 0);
    let reader = world.member(Role::Reader).await;
    let detail = world.store.integration(&reader, integration).await;
    let polling = detail.expect("a Reader may").polling.expect("it polls");
    let error = polling.error.expect("it failed");
    assert!(error.starts_with("Item 2 of the list is larger"), "{error}");
    assert!(!error.contains("somebody"), "{error}");
    world.end().await;
}

#[sqlx::test]
async fn one_that_cannot_be_read_says_so_and_keeps_no_other_from_being_polled(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let broken = world.publish(polling(json!({ "every_minutes": 7 }))).await;
    let whole = world.publish(polling(json!({ "every_minutes": 8 }))).await;
    let spoilt = r#"update document set body = '{"trigger": 7}' where body::text like '%"every_minutes":7%'"#;
    assert_eq!(world.execute(spoilt).await, 1);
    let claims = world.store.claim_polls(10).await.expect("it answers");
    let claimed: Vec<_> = claims.iter().map(|claim| claim.integration).collect();
    assert_eq!(claimed, [whole]);
    let noted = "select count(*) from poll
        where error like '%cannot be read%' and failures = 1 and lease_until is null
            and next_at > now() + interval '50 minutes'";
    assert_eq!(world.count(noted).await, 1);
    assert!(claim(&world.store).await.is_none(), "{broken} waits");
    world.end().await;
}

#[sqlx::test]
async fn a_claim_beside_a_publish_never_pairs_what_was_live_with_the_new_fence(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let integration = world.publish(polling(json!({}))).await;
    // Holds a claim up after it has its view of the database, and before it locks a row.
    for statement in [
        "create function held_up() returns boolean language plpgsql volatile as $$
         begin
             if current_setting('sluice.scope', true) = 'system' then
                 perform pg_advisory_xact_lock_shared(1);
             end if;
             return true;
         end $$",
        "create policy held_up on poll as restrictive using (held_up())",
    ] {
        world.execute(statement).await;
    }
    let mut holding = world.sql.begin().await.expect("it answers");
    let lock = sqlx::query("select pg_advisory_xact_lock(1)");
    lock.execute(&mut *holding).await.expect("it answers");
    let publish = async {
        world.someone_waits().await;
        publish_change(&world, integration, json!({ "every_minutes": 30 })).await;
        // As if the publish had begun before the claim: what it made due is due for that, too.
        let due = sqlx::query("update poll set next_at = now()");
        due.execute(&mut *holding).await.expect("it answers");
        holding.commit().await.expect("it answers");
    };
    let (claimed, ()) = tokio::join!(claim(&world.store), publish);
    let claimed = claimed.expect("it is due");
    assert_eq!(claimed.poll.when, When::Every(30));
    world.end().await;
}

#[sqlx::test]
async fn a_new_beginning_that_waits_for_a_publish_reads_what_that_put_live(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let integration = world.publish(polling(json!({}))).await;
    let newer = json!({ "asks": "newer", "cursor_parameter": "since", "cursor": "/id" });
    publish_change(&world, integration, newer).await;
    // Stands for a publish that is under way: it puts live what sends no cursor.
    let mut publish = world.sql.begin().await.expect("it answers");
    let put_live = sqlx::query(
        "update integration set live_version_id = version_id
         from version where version.integration_id = integration.integration_id and number = 1",
    );
    put_live.execute(&mut *publish).await.expect("it answers");
    let from = Restart::From("2".to_owned());
    let restart = world.store.restart_poll(&world.admin, integration, from);
    let end = async {
        world.someone_waits().await;
        publish.commit().await.expect("it answers");
    };
    let (restarted, ()) = tokio::join!(restart, end);
    assert_eq!(refusal(restarted), Refusal::Poll(Polling::CursorNotTaken));
    world.end().await;
}

#[sqlx::test]
async fn polling_begins_anew_where_it_is_told_to(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let newer = json!({ "asks": "newer", "cursor_parameter": "since", "cursor": "/id" });
    let integration = world.publish(polling(newer)).await;
    once(&world, found([1, 2], json!(2))).await;
    let restart = async |restart| {
        let restarted = store.restart_poll(admin, integration, restart).await;
        restarted.expect("an Admin may");
    };
    restart(Restart::All).await;
    assert_eq!(once(&world, found([1, 2], json!(2))).await, 2);
    restart(Restart::Now).await;
    assert_eq!(once(&world, found([1, 2, 3], json!(3))).await, 0);
    restart(Restart::From("2".to_owned())).await;
    let poll = claim(store).await.expect("it is due at once");
    assert_eq!(poll.cursor, Some(json!("2")));
    let taken = store.polled(&poll, Ok(found([3], json!(3)))).await;
    assert!(matches!(taken, Ok(Taken::Runs(runs)) if runs.len() == 1));

    let reader = world.member(Role::Reader).await;
    assert_denied(store.restart_poll(&reader, integration, Restart::Now).await);
    let outsider = world.outsider().await;
    let theirs = store.restart_poll(&outsider, integration, Restart::Now);
    assert_not_found(theirs.await);
    let (webhook, _): (IntegrationId, _) = world.hook().await;
    let other = store.restart_poll(admin, webhook, Restart::Now).await;
    assert_eq!(refusal(other), Refusal::Poll(Polling::OtherTrigger));
    world.end().await;
}

#[sqlx::test]
async fn what_a_draft_is_answered_are_test_events_and_starts_nothing(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let (_, draft) = world.draft_of(polling(json!({}))).await;
    let (poll, credentials, _) = store
        .poll_to_try(admin, draft, None)
        .await
        .expect("an Admin may");
    assert_eq!(poll.request(None)["url"], "https://api.example.com/orders");
    assert!(credentials.is_none());
    let items = found(1..20, json!(null)).items;
    let kept = store.catch_items(admin, draft, &items).await;
    kept.expect("an Admin may");
    let caught = store.caught(admin, draft).await.expect("an Admin may");
    let ids: Vec<&Value> = caught.iter().map(|event| &event.payload["id"]).collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5"]);
    assert_eq!(world.count("select count(*) from run").await, 0);
    assert_eq!(world.count("select count(*) from poll_item").await, 0);
    let (_, other) = world.draft_of(clean("webhook")).await;
    let tried = store.poll_to_try(admin, other, None).await.map(|_| ());
    assert_eq!(refusal(tried), Refusal::Poll(Polling::OtherTrigger));
    world.end().await;
}
