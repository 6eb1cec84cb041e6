//! Approvals that stop counting: by an edit, by who gives them, by the policy; and the races
//! between an approval and what would make it worthless.

use domain::account::Role;
use domain::draft::{DraftState, SaveOutcome};
use domain::edit::Edit;
use domain::review::{Fingerprint, Happening, Rule, Verdict};
use domain::{ReviewId, StepId};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::world::{World, clean, refusal, review_refusal, save, save_of, unmet};

#[sqlx::test]
async fn an_edit_makes_an_approval_stale_and_its_giver_is_told(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let store = &world.store;
    let ben = world.member(Role::Collaborator).await;
    let (draft, review) = world.review().await;
    let approved = world.submit(&ben, review, 1, Verdict::Approve).await;
    approved.expect("a Collaborator decides");

    let document = world.content(review).await;
    let step = document.flow[0];
    let words = vec![
        Edit::Rename {
            step,
            name: "Other words".to_owned(),
            slug: document.steps[&step].slug.clone(),
        },
        Edit::SetNotes {
            step,
            notes: "For the next reader.".to_owned(),
        },
    ];
    let saved = store
        .save_draft(&world.admin, draft, save_of(1, words))
        .await;
    saved.expect("it fits");
    assert_eq!(
        world.state(draft).await,
        DraftState::Approved,
        "it runs as before"
    );

    world.save(draft, 2).await.expect("it fits");
    assert_eq!(world.state(draft).await, DraftState::InReview);
    let rules = unmet(refusal(world.publish_reviewed(draft, 3).await));
    assert!(matches!(rules[..], [Rule::Approvals { .. }]), "{rules:?}");
    let inbox = store.inbox(&ben).await.expect("it answers");
    assert_eq!(inbox.notifications[0].happening, Happening::ApprovalStale);

    world.policy(|policy| policy.edits_make_stale = false).await;
    assert_eq!(world.state(draft).await, DraftState::Approved);
    world
        .publish_reviewed(draft, 3)
        .await
        .expect("the policy allows it");
    world.end().await;
}

#[sqlx::test]
async fn whoever_begins_to_edit_cannot_have_approved(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::reviewing(options).await;
    let store = &world.store;
    let (mut first, mut late) = (0, 0);
    for round in 0..40 {
        let ben = world.member(Role::Collaborator).await;
        let (draft, review) = world.review().await;
        // An edit that changes nothing that runs: only who wrote the draft does.
        let step = world.content(review).await.flow[0];
        let notes = format!("Round {round}.");
        let note = save_of(1, vec![Edit::SetNotes { step, notes }]);
        let (approved, saved) = tokio::join!(
            world.submit(&ben, review, 1, Verdict::Approve),
            store.save_draft(&ben, draft, note),
        );
        saved.expect("it fits");
        match approved {
            Ok(()) => first += 1,
            Err(_) => late += 1,
        }
        assert_eq!(world.state(draft).await, DraftState::InReview);
        let rules = unmet(refusal(world.publish_reviewed(draft, 2).await));
        assert!(matches!(rules[..], [Rule::Approvals { .. }]), "{rules:?}");
    }
    assert_eq!(first + late, 40);
    world.end().await;
}

async fn first_step(world: &World, review: ReviewId) -> StepId {
    world.content(review).await.flow[0]
}

#[sqlx::test]
async fn nothing_unapproved_is_published_however_approval_edit_and_publish_meet(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let ben = world.member(Role::Collaborator).await;
    let (mut draft, mut review) = world.review().await;
    let mut step = first_step(&world, review).await;
    let mut revision = 1;
    for round in 0..1_000_u32 {
        let message = Edit::SetField {
            step,
            field: "message".to_owned(),
            value: Some(json!(format!("Round {round}."))),
        };
        let edit = store.save_draft(admin, draft, save_of(revision, vec![message]));
        let approve = world.submit(&ben, review, revision, Verdict::Approve);
        let publish = world.publish_reviewed(draft, revision);
        // Each comes first in turn, and in some rounds one ends before the next begins, so that
        // all orders are met however fast the machine is.
        let (version, saved) = match round % 5 {
            0 => {
                let (_, saved, version) = tokio::join!(approve, edit, publish);
                (version, saved)
            }
            1 => {
                let (version, _, saved) = tokio::join!(publish, approve, edit);
                (version, saved)
            }
            2 => {
                let (saved, version, _) = tokio::join!(edit, publish, approve);
                (version, saved)
            }
            3 => {
                approve.await.expect("it is the newest revision");
                let version = publish.await;
                assert!(version.is_ok(), "round {round}: it is approved as it is");
                (version, edit.await)
            }
            _ => {
                let saved = edit.await;
                review_refusal(approve.await);
                (publish.await, saved)
            }
        };
        if let Ok(SaveOutcome::Saved { revision: saved }) = saved {
            revision = saved;
        }
        // Right after, too: whatever was approved was approved before the edit.
        let version = match version {
            Ok(version) => Ok(version),
            Err(_) => world.publish_reviewed(draft, revision).await,
        };
        let Ok(version) = version else {
            continue;
        };
        assert_ne!(round % 5, 4, "it was edited first");
        let page = world.page(review).await;
        let live = store
            .version(admin, page.summary.integration, version.number)
            .await;
        let fingerprint = Fingerprint::of(&live.expect("it is there").document);
        let is_approved = page.decisions.iter().any(|decision| {
            decision.verdict == Verdict::Approve
                && decision.by.account == ben.account
                && decision.fingerprint == fingerprint
        });
        assert!(is_approved, "round {round}: {page:#?}");
        (draft, review) = world.review().await;
        (step, revision) = (first_step(&world, review).await, 1);
    }
    world.end().await;
}

#[sqlx::test]
async fn a_policy_that_became_stricter_holds_an_approved_draft_back(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let ben = world.member(Role::Collaborator).await;
    let (draft, review) = world.review().await;
    let approved = world.submit(&ben, review, 1, Verdict::Approve).await;
    approved.expect("a Collaborator decides");
    world.policy(|policy| policy.approvals = 2).await;
    assert_eq!(world.state(draft).await, DraftState::InReview, "at once");
    let rules = unmet(refusal(world.publish_reviewed(draft, 1).await));
    let [Rule::Approvals { need: 2, have }] = &rules[..] else {
        panic!("{rules:?}");
    };
    assert_eq!(have.len(), 1);
    world.policy(|policy| policy.test_passed = true).await;
    assert_eq!(world.state(draft).await, DraftState::Approved);
    let rules = unmet(refusal(world.publish_reviewed(draft, 1).await));
    assert_eq!(rules, [Rule::Test]);
    world.end().await;
}

#[sqlx::test]
async fn a_test_counts_for_the_revision_that_passed_it_as_a_whole(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    world
        .policy(|policy| {
            policy.test_passed = true;
            policy.approvals = 0;
        })
        .await;
    let (_, draft) = world.draft_of(clean("webhook")).await;
    let step = store
        .draft(admin, draft)
        .await
        .expect("it is there")
        .document
        .flow[0];
    let part = domain::run::TestScope::Step {
        step,
        outputs: serde_json::Map::new(),
    };
    for scope in [part, domain::run::TestScope::Whole] {
        let rules = unmet(refusal(world.publish_reviewed(draft, 1).await));
        assert_eq!(rules, [Rule::Test]);
        let test = store.start_test(admin, draft, 1, json!({}), scope).await;
        test.expect("an Admin tests");
        world.execute("update run set state = 'succeeded'").await;
    }
    world.save(draft, 1).await.expect("it fits");
    let rules = unmet(refusal(world.publish_reviewed(draft, 2).await));
    assert_eq!(rules, [Rule::Test], "the test was of the revision before");
    let whole = domain::run::TestScope::Whole;
    let test = store.start_test(admin, draft, 2, json!({}), whole).await;
    test.expect("an Admin tests");
    world.execute("update run set state = 'succeeded'").await;
    world.publish_reviewed(draft, 2).await.expect("it passed");
    world.end().await;
}

#[sqlx::test]
async fn the_approval_of_someone_demoted_or_removed_does_not_count(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let (store, admin) = (&world.store, &world.admin);
    for removed in [false, true] {
        let ben = world.member(Role::Collaborator).await;
        let (draft, review) = world.review().await;
        let approved = world.submit(&ben, review, 1, Verdict::Approve).await;
        approved.expect("a Collaborator decides");
        if removed {
            store.remove_member(admin, ben.account).await
        } else {
            store.set_role(admin, ben.account, Role::Reader).await
        }
        .expect("an Admin may");
        assert_eq!(world.state(draft).await, DraftState::InReview, "at once");
        let rules = unmet(refusal(world.publish_reviewed(draft, 1).await));
        assert!(matches!(rules[..], [Rule::Approvals { .. }]), "{rules:?}");
        let page = world.page(review).await;
        assert_eq!(page.decisions[0].by.name, ben.name, "the name stays");
        if !removed {
            let back = store.set_role(admin, ben.account, Role::Admin).await;
            back.expect("an Admin may");
            world
                .publish_reviewed(draft, 1)
                .await
                .expect("it counts again");
        }
    }
    world.end().await;
}

#[sqlx::test]
async fn whoever_publishes_may_still_publish_when_the_lock_is_had(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let ben = world.member(Role::Collaborator).await;
    let (_, draft) = world.draft_of(clean("webhook")).await;
    // Someone holds the draft while Ben's publish waits for it and Ben is demoted.
    let mut holding = world.sql.begin().await.expect("it answers");
    sqlx::query("select 1 from draft where draft_id = $1 for update")
        .bind(draft.0)
        .execute(&mut *holding)
        .await
        .expect("it answers");
    let publish = store.publish(&ben, draft, 1, String::new(), None);
    let demote = async {
        world.someone_waits().await;
        let demoted = store.set_role(admin, ben.account, Role::Reader).await;
        demoted.expect("an Admin may");
        holding.rollback().await.expect("it answers");
    };
    let (published, ()) = tokio::join!(publish, demote);
    crate::world::assert_denied(published);
    assert_eq!(world.count("select count(*) from version").await, 0);
    world.end().await;
}

#[sqlx::test]
async fn saves_beside_a_review_are_kept_in_order(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::reviewing(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let (draft, review) = world.review().await;
    let mut documents = vec![world.content(review).await];
    for revision in 1..5 {
        store
            .save_draft(admin, draft, save(revision))
            .await
            .expect("it fits");
        documents.push(world.content(review).await);
    }
    for (revision, document) in (1..).zip(&documents) {
        let then = store.review_document(admin, review, revision).await;
        assert_eq!(&then.expect("it was so"), document, "revision {revision}");
    }
    for none in [0, 6, u32::MAX] {
        let then = store.review_document(admin, review, none).await;
        crate::world::assert_not_found(then);
    }
    let revisions = world.page(review).await.revisions;
    let numbers: Vec<_> = revisions
        .iter()
        .map(|line| (line.revision, line.edits))
        .collect();
    assert_eq!(numbers, [(5, 1), (4, 1), (3, 1), (2, 1)]);
    world.end().await;
}
