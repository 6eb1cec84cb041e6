//! Integrations: the organization page, the page of one, and its switches.

use domain::limit;
use domain::run::RunState;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::Incoming;

use crate::world::{World, clean, each_minute, refusal};

#[sqlx::test]
async fn the_organization_page_lists_integrations_with_drafts_and_runs(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    assert!(
        store
            .integrations(admin)
            .await
            .expect("it answers")
            .is_empty()
    );
    let (orders, route) = world.hook().await;
    for number in 0..22 {
        let incoming = Incoming {
            route: route.clone(),
            payload: json!({ "body": number }).into(),
            delivery: None,
            hand_to: None,
        };
        store.accept(incoming).await.expect("there is room");
    }
    let first = store
        .start_draft(admin, orders, "Second")
        .await
        .expect("an Admin may");
    let second = store
        .start_draft(admin, orders, "Third")
        .await
        .expect("an Admin may");
    world.save(first, 1).await.expect("it fits");
    store
        .create_integration(admin, " a form ", "First", clean("manual"))
        .await
        .expect("may");

    let list = store.integrations(admin).await.expect("it answers");
    let names: Vec<_> = list.iter().map(|line| &*line.name).collect();
    assert_eq!(names, ["a form", "Orders"]);
    let line = &list[1];
    let live = line.live.as_ref().expect("it is published");
    assert_eq!(
        (live.number, &*live.trigger, line.enabled),
        (1, "webhook", true)
    );
    let drafts: Vec<_> = line
        .drafts
        .iter()
        .map(|draft| (draft.id, draft.revision))
        .collect();
    assert_eq!(drafts, [(first, 2), (second, 1)], "newest change first");
    assert!(line.drafts.iter().all(|draft| draft.base == Some(1)));
    assert_eq!(line.recent_runs, [RunState::Queued; 20]);
    assert!(line.last_run_at.is_some());
    assert!(list[0].live.is_none() && list[0].recent_runs.is_empty());
    world.end().await;
}

#[sqlx::test]
async fn the_page_of_an_integration_says_how_it_is_called_and_when_it_fires(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let scheduled = world.publish(each_minute()).await;
    let detail = store
        .integration(admin, scheduled)
        .await
        .expect("it is there");
    assert_eq!(detail.webhook_path, None);
    assert_eq!(detail.next_fires.len(), 5);
    assert!(
        detail
            .next_fires
            .windows(2)
            .all(|pair| pair[1].since(pair[0]) == 60_000)
    );

    let hooked = world.publish(clean("webhook")).await;
    let before = world.hook_token(hooked).await;
    let draft = store
        .start_draft(admin, hooked, "Next")
        .await
        .expect("an Admin may");
    world.publish_draft(draft, 1).await;
    assert_eq!(
        world.hook_token(hooked).await,
        before,
        "the address stays over all versions"
    );
    let detail = store.integration(admin, hooked).await.expect("it is there");
    let numbers: Vec<_> = detail
        .versions
        .iter()
        .map(|version| version.number)
        .collect();
    assert_eq!(numbers, [2, 1]);
    assert!(detail.next_fires.is_empty());
    world.end().await;
}

#[sqlx::test]
async fn a_name_is_checked_and_a_rename_is_seen(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let (integration, _) = world.draft_of(clean("webhook")).await;
    store
        .rename_integration(admin, integration, "Invoices")
        .await
        .expect("an Admin may");
    let list = store.integrations(admin).await.expect("it answers");
    assert_eq!(list[0].name, "Invoices");
    let long = "n".repeat(10_000);
    for (name, code) in [
        (" ", "account/name-missing"),
        (&*long, "account/name-too-long"),
    ] {
        let refused = refusal(store.rename_integration(admin, integration, name).await);
        assert_eq!(refused.code(), code);
        let created = store
            .create_integration(admin, name, "First", clean("webhook"))
            .await;
        assert_eq!(refusal(created).code(), code);
    }
    store
        .rename_integration(admin, integration, "a\0b")
        .await
        .expect("controls are left out");
    world.end().await;
}

#[sqlx::test]
async fn a_document_that_is_too_large_is_not_kept(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let mut document = clean("webhook");
    let id = document.flow[0];
    document.steps.get_mut(&id).expect("it is there").notes = "n".repeat(limit::DOCUMENT_BYTES);
    let created = world
        .store
        .create_integration(&world.admin, "Big", "First", document)
        .await;
    assert_eq!(refusal(created).code(), "draft/too-large");
    assert_eq!(world.count("select count(*) from integration").await, 0);
    world.end().await;
}

#[sqlx::test]
async fn a_disabled_integration_keeps_its_route_and_says_so(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let (integration, _) = world.hook().await;
    store
        .set_enabled(admin, integration, false)
        .await
        .expect("an Admin may");
    let route = world.route(integration).await;
    assert!(!route.enabled);
    let incoming = Incoming {
        route,
        payload: json!({}).into(),
        delivery: None,
        hand_to: None,
    };
    assert_eq!(
        refusal(store.accept(incoming).await).code(),
        "integration/disabled"
    );
    store
        .set_enabled(admin, integration, true)
        .await
        .expect("an Admin may");
    assert!(world.route(integration).await.enabled);
    world.end().await;
}
