//! Putting an old version back.

use domain::account::Role;
use domain::draft::{self, DraftState};
use domain::review::Refusal as No;
use domain::{Document, IntegrationId};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::Refusal;

use crate::world::{World, assert_denied, assert_not_found, clean, each_minute, refusal};
use crate::world::{review_refusal, save};

/// An integration of two versions: the first fires each minute, the second is a webhook.
async fn two_versions(world: &World) -> (IntegrationId, Document) {
    let first = each_minute();
    let integration = world.publish(first.clone()).await;
    let next = world
        .store
        .start_draft(&world.admin, integration, "Next")
        .await;
    let next = next.expect("an Admin may");
    let trigger = domain::edit::Edit::SetTrigger {
        trigger: clean("webhook").trigger,
    };
    let change = crate::world::save_of(1, vec![trigger]);
    world
        .store
        .save_draft(&world.admin, next, change)
        .await
        .expect("it fits");
    world.publish_draft(next, 2).await;
    (integration, first)
}

#[sqlx::test]
async fn rolling_back_at_once_makes_a_new_version_of_the_old_content(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let (integration, first) = two_versions(&world).await;
    assert_eq!(world.count("select count(*) from schedule").await, 0);
    let back = store
        .roll_back(admin, integration, 1, 2, "It was better.")
        .await;
    let back = back.expect("an Admin may");
    assert_eq!((back.number, back.rolled_back_from), (3, Some(1)));
    assert_eq!(
        (&*back.note, &back.override_reason),
        ("It was better.", &None)
    );
    assert_eq!(
        world.count("select count(*) from schedule").await,
        1,
        "it fires again"
    );
    let detail = store.integration(admin, integration).await.expect("there");
    assert_eq!(detail.versions.len(), 3, "history is not rewritten");
    let live = store.version(admin, integration, 3).await.expect("there");
    assert_eq!(live.document, first);
    assert!(
        world
            .audit()
            .await
            .contains(&"version.roll_back".to_owned())
    );

    let again = store.roll_back(admin, integration, 3, 3, "").await;
    assert_eq!(refusal(again), Refusal::LiveAlready(3));
    let moved = store.roll_back(admin, integration, 1, 2, "").await;
    let live = 3;
    assert_eq!(
        refusal(moved),
        Refusal::Draft(draft::Refusal::LiveMoved { live })
    );
    assert_not_found(store.roll_back(admin, integration, 9, 3, "").await);
    let (unpublished, _) = world.draft_of(clean("webhook")).await;
    let nothing = store.roll_back(admin, unpublished, 1, 1, "").await;
    assert_eq!(refusal(nothing), Refusal::NotPublished);
    world.end().await;
}

#[sqlx::test]
async fn where_approval_is_asked_for_rolling_back_needs_the_right_and_a_reason(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let (integration, _) = two_versions(&world).await;
    world.policy(|_| {}).await;
    let ben = world.member(Role::Collaborator).await;
    let ria = world.member(Role::Reader).await;
    assert_denied(store.roll_back(&ria, integration, 1, 2, "Now.").await);
    let refused = store.roll_back(&ben, integration, 1, 2, "Now.").await;
    let collaborators = false;
    assert_eq!(
        review_refusal(refused),
        No::MayNotOverride { collaborators }
    );
    let refused = store.roll_back(admin, integration, 1, 2, " ").await;
    assert_eq!(review_refusal(refused), No::ReasonMissing);
    let back = store
        .roll_back(admin, integration, 1, 2, "Orders fail.")
        .await;
    let answered = back
        .expect("an Admin may")
        .override_reason
        .expect("it is kept");
    assert_eq!(&*answered.reason, "Orders fail.");
    world.end().await;
}

#[sqlx::test]
async fn an_old_version_comes_back_as_a_draft_that_is_reviewed(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let (integration, first) = two_versions(&world).await;
    let ria = world.member(Role::Reader).await;
    assert_denied(store.roll_back_draft(&ria, integration, 1).await);
    assert_not_found(store.roll_back_draft(admin, integration, 9).await);
    let live = store.roll_back_draft(admin, integration, 2).await;
    assert_eq!(refusal(live), Refusal::LiveAlready(2));
    let draft = store.roll_back_draft(admin, integration, 1).await;
    let draft = draft.expect("an Admin may");
    let read = store.draft(admin, draft).await.expect("it is there");
    assert_eq!((read.summary.base, read.document), (Some(2), first));
    assert_eq!(read.summary.state, DraftState::Editing);
    world.ask(draft, &[]).await;
    store
        .save_draft(admin, draft, save(1))
        .await
        .expect("it fits");
    assert_eq!(world.publish_draft(draft, 2).await, 3);
    world.end().await;
}

#[sqlx::test]
async fn of_a_roll_back_and_a_publish_at_once_the_later_is_told(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    for _ in 0..10 {
        let (integration, _) = two_versions(&world).await;
        let draft = store.start_draft(admin, integration, "Beside").await;
        let draft = draft.expect("an Admin may");
        let (back, published) = tokio::join!(
            store.roll_back(admin, integration, 1, 2, "Now."),
            world.publish_reviewed(draft, 1),
        );
        assert!(back.is_ok() != published.is_ok(), "{back:?} {published:?}");
        let detail = store.integration(admin, integration).await.expect("there");
        assert_eq!(detail.versions.len(), 3);
    }
    world.end().await;
}
