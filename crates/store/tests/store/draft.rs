//! Drafts: saves, the races between them, and caught events.

use domain::account::Role;
use domain::draft::{DraftState, SaveOutcome};
use domain::edit::Edit;
use domain::{Document, draft};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::Refusal;

use crate::world::{World, clean, refusal, save};

#[sqlx::test]
async fn a_save_is_kept_as_the_next_revision(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (_, id) = world.draft_of(clean("webhook")).await;
    let before = world
        .store
        .draft(&world.admin, id)
        .await
        .expect("it is there");
    assert_eq!(
        (before.summary.revision, before.summary.base, before.live),
        (1, None, None)
    );
    let sent = save(1);
    let expected = draft::edited(&before.document, &sent.edits).expect("it fits");
    let saved = world
        .store
        .save_draft(&world.admin, id, sent)
        .await
        .expect("it fits");
    assert_eq!(saved, SaveOutcome::Saved { revision: 2 });
    let after = world
        .store
        .draft(&world.admin, id)
        .await
        .expect("it is there");
    assert_eq!((after.summary.revision, &after.document), (2, &expected));
    assert_eq!(
        after.document.hash(),
        expected.hash(),
        "not a byte is lost on the way"
    );
    world.end().await;
}

#[sqlx::test]
async fn a_save_that_waited_for_the_save_of_another_person_is_stale_and_names_them(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let ben = world.member(Role::Collaborator).await;
    let (_, id) = world.draft_of(clean("webhook")).await;
    // Ben's save, held open right before it is committed.
    let mut saving = world.sql.begin().await.expect("it answers");
    sqlx::query("update draft set revision = 2, updated_by = $2 where draft_id = $1")
        .bind(id.0)
        .bind(ben.account.0)
        .execute(&mut *saving)
        .await
        .expect("it answers");
    let commit = async {
        world.someone_waits().await;
        saving.commit().await.expect("it answers");
    };
    let (saved, ()) = tokio::join!(world.save(id, 1), commit);
    let saved = saved.expect("the draft is there");
    let SaveOutcome::Stale {
        revision,
        updated_by,
        ..
    } = saved
    else {
        panic!("it was kept over what Ben saved: {saved:?}");
    };
    assert_eq!((revision, updated_by), (2, ben.name.clone()));
    world.end().await;
}

#[sqlx::test]
async fn of_two_saves_at_once_one_is_kept_and_the_other_is_stale(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (_, id) = world.draft_of(clean("webhook")).await;
    for revision in 1..6 {
        let (one, two) = tokio::join!(world.save(id, revision), world.save(id, revision));
        let outcomes = [one.expect("it fits"), two.expect("it fits")];
        let now = world
            .store
            .draft(&world.admin, id)
            .await
            .expect("it is there");
        let saved = SaveOutcome::Saved {
            revision: revision + 1,
        };
        let stale = SaveOutcome::Stale {
            revision: revision + 1,
            document: now.document.clone(),
            updated_by: world.admin.name.clone(),
        };
        assert!(
            outcomes.contains(&saved) && outcomes.contains(&stale),
            "{outcomes:?}"
        );
        assert_eq!(
            now.document.flow.len(),
            1 + revision as usize,
            "nothing stale is kept"
        );
    }
    world.end().await;
}

#[sqlx::test]
async fn the_same_save_sent_twice_is_kept_once_and_answered_alike(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (_, id) = world.draft_of(clean("webhook")).await;
    let sent = save(1);
    let (one, two) = tokio::join!(
        world.store.save_draft(&world.admin, id, sent.clone()),
        world.store.save_draft(&world.admin, id, sent.clone()),
    );
    let saved = SaveOutcome::Saved { revision: 2 };
    assert_eq!(
        (one.expect("it fits"), two.expect("it fits")),
        (saved.clone(), saved.clone())
    );
    world.save(id, 2).await.expect("it fits");
    store_discards(&world, id).await;
    let late = world
        .store
        .save_draft(&world.admin, id, sent)
        .await
        .expect("it was kept");
    assert_eq!(late, saved, "also when the draft went on, and was closed");
    assert_eq!(world.count("select count(*) from draft_revision").await, 2);
    world.end().await;
}

async fn store_discards(world: &World, id: domain::DraftId) {
    world
        .store
        .discard_draft(&world.admin, id)
        .await
        .expect("an Admin may");
}

#[sqlx::test]
async fn a_save_that_does_not_fit_changes_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (_, id) = world.draft_of(clean("webhook")).await;
    let mut sent = save(1);
    sent.edits.push(Edit::Delete {
        step: domain::StepId(uuid::Uuid::now_v7()),
    });
    let refused = refusal(world.store.save_draft(&world.admin, id, sent).await);
    assert_eq!(refused.code(), "draft/edit");
    let draft = world
        .store
        .draft(&world.admin, id)
        .await
        .expect("it is there");
    assert_eq!((draft.summary.revision, draft.document.flow.len()), (1, 1));
    world.end().await;
}

#[sqlx::test]
async fn a_closed_draft_cannot_be_changed(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let (_, id) = world.draft_of(clean("webhook")).await;
    store
        .rename_draft(admin, id, "Better")
        .await
        .expect("an Admin may");
    store_discards(&world, id).await;
    let closed = Refusal::Draft(draft::Refusal::Closed(DraftState::Discarded));
    assert_eq!(refusal(world.save(id, 1).await), closed);
    assert_eq!(refusal(store.rename_draft(admin, id, "Best").await), closed);
    assert_eq!(refusal(store.discard_draft(admin, id).await), closed);
    assert_eq!(
        refusal(store.publish(admin, id, 1, String::new(), None).await),
        closed
    );
    let scope = domain::run::TestScope::Whole;
    assert_eq!(
        refusal(store.start_test(admin, id, 1, json!({}), scope).await),
        closed
    );
    let draft = store
        .draft(admin, id)
        .await
        .expect("it can still be looked at");
    assert_eq!(
        (draft.summary.state, &*draft.summary.title),
        (DraftState::Discarded, "Better")
    );
    assert!(
        store.integrations(admin).await.expect("it answers")[0]
            .drafts
            .is_empty()
    );
    world.end().await;
}

#[sqlx::test]
async fn a_draft_starts_from_what_is_live(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let document = clean("manual");
    let integration = world.publish(document.clone()).await;
    let id = store
        .start_draft(admin, integration, "Next")
        .await
        .expect("an Admin may");
    let started = store.draft(admin, id).await.expect("it is there");
    assert_eq!((started.summary.base, started.live), (Some(1), Some(1)));
    assert_eq!(started.document, document);

    let (unpublished, _) = world.draft_of(document).await;
    let id = store
        .start_draft(admin, unpublished, "Beside")
        .await
        .expect("an Admin may");
    let started = store.draft(admin, id).await.expect("it is there");
    assert_eq!(
        (started.summary.base, started.document),
        (None, Document::new("webhook"))
    );
    world.end().await;
}

#[sqlx::test]
async fn a_draft_keeps_the_last_20_events_that_were_caught(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let (_, id) = world.draft_of(clean("webhook")).await;
    let path = store
        .draft(admin, id)
        .await
        .expect("it is there")
        .catch_path;
    let token = path
        .strip_prefix("/catch/")
        .expect("the path of test events");
    for number in 0..23 {
        let payload = json!({ "body": { "number": number, "text": "\0 and ü" } });
        assert!(
            store
                .catch_event(token, &payload)
                .await
                .expect("it answers")
        );
    }
    let caught = store.caught(admin, id).await.expect("an Admin may");
    let numbers: Vec<_> = caught
        .iter()
        .map(|event| &event.payload["body"]["number"])
        .collect();
    assert_eq!(numbers, (3..23).rev().collect::<Vec<i32>>());
    assert_eq!(caught[0].payload["body"]["text"], "\0 and ü");
    assert_eq!(
        world.count("select count(*) from run").await,
        0,
        "nothing is started"
    );

    store_discards(&world, id).await;
    for unknown in [token, "", "\0", &"0".repeat(48)] {
        assert!(
            !store
                .catch_event(unknown, &json!({}))
                .await
                .expect("it answers")
        );
    }
    world.end().await;
}
