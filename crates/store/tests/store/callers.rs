//! What calls an integration: what is live of others, and their open drafts.

use domain::call::Caller;
use domain::edit::Edit;
use domain::{Document, IntegrationId};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::world::{World, assert_not_found, clean, save_of};

/// Returns a document that calls an integration, and one that only mentions its id.
fn naming(id: IntegrationId) -> [Document; 2] {
    let [mut calls, mut mentions] = [clean("webhook"), clean("webhook")];
    let step = calls.steps.values_mut().next().expect("it has a step");
    step.kind = "integration.call".to_owned();
    step.config.clear();
    step.config
        .insert("integration".to_owned(), json!(id.to_string()));
    let step = mentions.steps.values_mut().next().expect("it has a step");
    let text = format!("\"integration\": \"{id}\"");
    step.config.insert("message".to_owned(), json!(text));
    [calls, mentions]
}

#[sqlx::test]
async fn whoever_calls_is_listed_live_first_and_whoever_mentions_is_not(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let called = world.publish(clean("call")).await;
    let read = async || store.callers(admin, called).await.expect("it is there");
    assert_eq!(read().await, []);
    let [calls, mentions] = naming(called);
    world.publish(mentions).await;
    let caller = world.publish(calls.clone()).await;
    let (drafted, draft) = world.draft_of(calls).await;
    let listed = read().await;
    let who = |caller: &Caller| (caller.integration, caller.draft.as_ref().map(|d| d.0));
    let who: Vec<_> = listed.iter().map(who).collect();
    assert_eq!(who, [(caller, None), (drafted, Some(draft))]);

    // Whoever makes it start by something else is told before.
    let next = store.start_draft(admin, called, "Next").await;
    let next = next.expect("an Admin may");
    let trigger = clean("manual").trigger;
    let saved = store.save_draft(admin, next, save_of(1, vec![Edit::SetTrigger { trigger }]));
    saved.await.expect("it fits");
    let plan = store.publish_plan(admin, next).await.expect("it is there");
    assert_eq!(plan.callers, listed);
    world.publish_draft(next, 2).await;
    let again = store.start_draft(admin, called, "Again").await;
    let again = again.expect("an Admin may");
    let plan = store.publish_plan(admin, again).await.expect("it is there");
    assert_eq!(plan.callers, [], "nothing is called that cannot be");

    // What is not live and no draft any more calls nothing.
    store
        .discard_draft(admin, draft)
        .await
        .expect("an Admin may");
    let listed = read().await;
    assert_eq!(listed.len(), 1);
    assert_not_found(store.callers(&world.outsider().await, called).await);
    world.end().await;
}

#[sqlx::test]
async fn what_calls_no_more_is_listed_no_more_as_soon_as_that_is_saved_or_live(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let [one, other] = [
        world.publish(clean("call")).await,
        world.publish(clean("call")).await,
    ];
    let read = async |called: IntegrationId| -> Vec<bool> {
        let listed = store.callers(admin, called).await.expect("it is there");
        listed.iter().map(|caller| caller.draft.is_some()).collect()
    };
    let [calls, _] = naming(one);
    let step = calls.flow[0];
    let caller = world.publish(calls).await;
    let draft = store.start_draft(admin, caller, "Next").await;
    let draft = draft.expect("an Admin may");
    assert_eq!(read(one).await, [false, true], "a draft calls as it begins");
    let choose = |called: IntegrationId| Edit::SetField {
        step,
        field: "integration".to_owned(),
        value: Some(json!(called.to_string())),
    };
    let saved = store.save_draft(admin, draft, save_of(1, vec![choose(other)]));
    saved.await.expect("it fits");
    assert_eq!(
        (read(one).await, read(other).await),
        (vec![false], vec![true])
    );
    world.publish_draft(draft, 2).await;
    assert_eq!((read(one).await, read(other).await), (vec![], vec![false]));
    world.end().await;
}
