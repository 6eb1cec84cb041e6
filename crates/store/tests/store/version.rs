//! Publishing: one step, one winner, and other drafts left as they are.

use domain::account::Role;
use domain::draft::{self, DraftState, SaveOutcome};
use domain::review::Rule;
use domain::{Document, limit};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::Refusal;

use crate::world::{World, clean, each_minute, refusal, unmet};

#[sqlx::test]
async fn a_published_draft_is_the_live_version_and_closed(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let document = clean("webhook");
    let (integration, id) = world.draft_of(document.clone()).await;
    let note = "Takes orders.\n".to_owned();
    let summary = store
        .publish(admin, id, 1, note, None)
        .await
        .expect("it is clean");
    assert_eq!(
        (summary.number, summary.steps, &*summary.note),
        (1, 1, "Takes orders.")
    );
    assert_eq!(summary.hash, document.hash());
    let version = store
        .version(admin, integration, 1)
        .await
        .expect("it is there");
    assert_eq!(
        (version.summary, version.document),
        (summary.clone(), document)
    );
    let closed = store.draft(admin, id).await.expect("it is there");
    assert_eq!(
        (closed.summary.state, closed.live),
        (DraftState::Published, Some(1))
    );
    let line = store
        .integrations(admin)
        .await
        .expect("it answers")
        .remove(0);
    assert_eq!(line.live.expect("it is live").id, summary.id);
    assert!(line.drafts.is_empty());
    assert!(world.audit().await.contains(&"version.publish".to_owned()));
    world.end().await;
}

#[sqlx::test]
async fn of_two_publishes_at_once_one_makes_a_version(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let collaborator = world.member(Role::Collaborator).await;
    let (integration, id) = world.draft_of(clean("webhook")).await;
    let (one, two) = tokio::join!(
        store.publish(admin, id, 1, String::new(), None),
        store.publish(&collaborator, id, 1, String::new(), None),
    );
    let (done, late) = if one.is_ok() { (one, two) } else { (two, one) };
    assert_eq!(done.expect("one wins").number, 1);
    let closed = Refusal::Draft(draft::Refusal::Closed(DraftState::Published));
    assert_eq!(refusal(late), closed);

    // Two drafts of one integration: the later must not go over the earlier unasked.
    let first = store
        .start_draft(admin, integration, "One")
        .await
        .expect("an Admin may");
    let second = store
        .start_draft(admin, integration, "Two")
        .await
        .expect("an Admin may");
    let (one, two) = tokio::join!(
        store.publish(admin, first, 1, String::new(), None),
        store.publish(admin, second, 1, String::new(), None),
    );
    let ((done, late), loser) = if one.is_ok() {
        ((one, two), second)
    } else {
        ((two, one), first)
    };
    assert_eq!(done.expect("one wins").number, 2);
    assert_eq!(unmet(refusal(late)), [Rule::UpToDate]);
    let merged = store.bring_up_to_date(admin, loser, 1, 2, Vec::new()).await;
    let merged = merged.expect("nothing is in conflict");
    assert_eq!(world.publish_draft(loser, merged).await, 3);
    world.end().await;
}

#[sqlx::test]
async fn what_is_published_is_what_was_looked_at(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    for _ in 0..5 {
        let (integration, id) = world.draft_of(clean("webhook")).await;
        let (saved, published) = tokio::join!(
            world.save(id, 1),
            store.publish(admin, id, 1, String::new(), None)
        );
        match published {
            Ok(version) => {
                assert_eq!(version.steps, 1, "without the save");
                let closed = Refusal::Draft(draft::Refusal::Closed(DraftState::Published));
                assert_eq!(refusal(saved), closed);
            }
            Err(error) => {
                let moved = Refusal::Draft(draft::Refusal::Moved { current: 2 });
                assert_eq!(refusal::<()>(Err(error)), moved);
                assert_eq!(
                    saved.expect("it came first"),
                    SaveOutcome::Saved { revision: 2 }
                );
                let version = world.publish_draft(id, 2).await;
                let live = store
                    .version(admin, integration, version)
                    .await
                    .expect("there");
                assert_eq!(live.document.flow.len(), 2, "with the save");
            }
        }
    }
    world.end().await;
}

#[sqlx::test]
async fn a_second_draft_is_not_touched_by_a_publish(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let integration = world.publish(clean("webhook")).await;
    let first = store
        .start_draft(admin, integration, "One")
        .await
        .expect("an Admin may");
    let second = store
        .start_draft(admin, integration, "Two")
        .await
        .expect("an Admin may");
    world.save(second, 1).await.expect("it fits");
    let before = store.draft(admin, second).await.expect("it is there");
    world.publish_draft(first, 1).await;
    let after = store.draft(admin, second).await.expect("it is there");
    assert_eq!(
        (before.summary, before.document),
        (after.summary, after.document)
    );
    assert_eq!(after.live, Some(2), "only what is live has moved");
    world.end().await;
}

#[sqlx::test]
async fn a_draft_with_problems_is_not_published(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let mut broken = clean("webhook");
    let step = broken.flow[0];
    let config = &mut broken.steps.get_mut(&step).expect("it is there").config;
    config.insert(
        "message".to_owned(),
        serde_json::json!("{{ steps.nowhere }"),
    );
    let (_, id) = world.draft_of(broken).await;
    let refused = refusal(store.publish(admin, id, 1, String::new(), None).await);
    assert_eq!(unmet(refused), [Rule::Problems]);
    let long = "n".repeat(limit::TEXT + 1);
    assert_eq!(
        refusal(store.publish(admin, id, 1, long, None).await),
        Refusal::NoteTooLong
    );
    assert_eq!(world.count("select count(*) from version").await, 0);
    world.end().await;
}

#[sqlx::test]
async fn another_trigger_changes_what_starts_the_integration(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let store = &world.store;
    let (integration, _) = world.hook().await;
    let token = world.hook_token(integration).await;
    let publish = async |document: Document| {
        let (_, other) = world.draft_of(document).await;
        let moved = "update draft set integration_id = $1, base = (
                select max(number) from version where integration_id = $1
             ) where draft_id = $2";
        sqlx::query(moved)
            .bind(integration.0)
            .bind(other.0)
            .execute(&world.sql)
            .await
            .expect("it answers");
        world.publish_draft(other, 1).await
    };
    publish(each_minute()).await;
    assert_eq!(store.hook_route(&token).await.expect("it answers"), None);
    assert_eq!(world.count("select count(*) from schedule").await, 1);
    publish(clean("webhook")).await;
    assert_eq!(world.count("select count(*) from schedule").await, 0);
    let route = store
        .hook_route(&token)
        .await
        .expect("it answers")
        .expect("it is back");
    assert_eq!((route.version, &*route.method), (3, "POST"));
    world.end().await;
}
