//! Bringing a draft up to date with what went live after it was started.

use domain::account::Role;
use domain::draft::{self, DraftState, MergeSource};
use domain::edit::Edit;
use domain::merge::{Choice, merge};
use domain::review::{Rule, Verdict};
use domain::{DraftId, IntegrationId, StepId};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::Refusal;

use crate::world::{World, clean, log_step, refusal, save_of, unmet};

/// A live version with two steps, and two drafts of it.
struct Two {
    integration: IntegrationId,
    steps: [StepId; 2],
    mine: DraftId,
    other: DraftId,
}

async fn two(world: &World) -> Two {
    let mut document = clean("webhook");
    let second = log_step("Note again", "note_again");
    document.flow.push(second.id);
    document.steps.insert(second.id, second);
    let steps = [document.flow[0], document.flow[1]];
    let integration = world.publish(document).await;
    let start = async |title: &str| {
        let draft = world
            .store
            .start_draft(&world.admin, integration, title)
            .await;
        draft.expect("an Admin may")
    };
    Two {
        integration,
        steps,
        mine: start("Mine").await,
        other: start("Other").await,
    }
}

/// Sets the message of a step, as the next revision after the first.
async fn set(world: &World, draft: DraftId, step: StepId, message: &str) {
    let edit = Edit::SetField {
        step,
        field: "message".to_owned(),
        value: Some(json!(message)),
    };
    let saved = world
        .store
        .save_draft(&world.admin, draft, save_of(1, vec![edit]))
        .await;
    saved.expect("it fits");
}

#[sqlx::test]
async fn a_draft_takes_over_what_went_live_where_nothing_is_in_conflict(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let Two {
        integration,
        steps: [one, two],
        mine,
        other,
    } = two(&world).await;
    set(&world, mine, one, "Mine.").await;
    set(&world, other, two, "Other.").await;
    world.publish_draft(other, 2).await;
    assert_eq!(
        unmet(refusal(world.publish_reviewed(mine, 2).await)),
        [Rule::UpToDate]
    );
    let forced = Some("Now.".to_owned());
    let forced = store.publish(admin, mine, 2, String::new(), forced).await;
    assert_eq!(
        unmet(refusal(forced)),
        [Rule::UpToDate],
        "not with a reason either"
    );

    let basis = store
        .merge_basis(admin, mine, None)
        .await
        .expect("it is there");
    assert_eq!(
        (basis.base_number, &basis.source, basis.revision),
        (Some(1), &MergeSource::Live(2), 2)
    );
    let expected = merge(&basis.base, &basis.draft, &basis.theirs);
    assert!(expected.conflicts.is_empty());
    let merged = store.bring_up_to_date(admin, mine, 2, 2, Vec::new()).await;
    assert_eq!(merged.expect("nothing is in conflict"), 3);
    let read = store.draft(admin, mine).await.expect("it is there");
    assert_eq!((read.summary.base, read.summary.revision), (Some(2), 3));
    assert_eq!(read.document, expected.document);
    let message = |step: StepId| read.document.steps[&step].config["message"].clone();
    assert_eq!(
        (message(one), message(two)),
        (json!("Mine."), json!("Other."))
    );
    let again = store.bring_up_to_date(admin, mine, 3, 2, Vec::new()).await;
    assert_eq!(
        again.expect("it is up to date"),
        3,
        "there is nothing to do"
    );
    world.publish_draft(mine, 3).await;
    let live = store.version(admin, integration, 3).await.expect("there");
    assert_eq!(live.document, expected.document);
    world.end().await;
}

#[sqlx::test]
async fn a_conflict_is_decided_before_a_draft_is_up_to_date(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let two = two(&world).await;
    let (step, mine) = (two.steps[0], two.mine);
    set(&world, mine, step, "Mine entirely.").await;
    set(&world, two.other, step, "Other words.").await;
    world.publish_draft(two.other, 2).await;
    let undecided = refusal(store.bring_up_to_date(admin, mine, 2, 2, Vec::new()).await);
    assert_eq!(undecided, Refusal::Draft(draft::Refusal::Unresolved(1)));
    let basis = store
        .merge_basis(admin, mine, None)
        .await
        .expect("it is there");
    let conflicts = merge(&basis.base, &basis.draft, &basis.theirs).conflicts;
    let chosen = Choice::Value(json!("Both of them."));
    let choices = vec![(conflicts[0].key.clone(), chosen)];
    let merged = store.bring_up_to_date(admin, mine, 2, 2, choices).await;
    let revision = merged.expect("all is decided");
    let read = store.draft(admin, mine).await.expect("it is there");
    assert_eq!(
        read.document.steps[&step].config["message"],
        "Both of them."
    );
    world.publish_draft(mine, revision).await;
    world.end().await;
}

#[sqlx::test]
async fn a_merge_is_of_what_was_looked_at(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let two = two(&world).await;
    set(&world, two.other, two.steps[1], "Other.").await;
    world.publish_draft(two.other, 2).await;
    let merge = async |revision, live| {
        let merged = store.bring_up_to_date(admin, two.mine, revision, live, Vec::new());
        refusal(merged.await)
    };
    let moved = Refusal::Draft(draft::Refusal::Moved { current: 1 });
    assert_eq!(merge(2, 2).await, moved);
    let moved = Refusal::Draft(draft::Refusal::LiveMoved { live: 2 });
    assert_eq!(merge(1, 1).await, moved);
    store
        .discard_draft(admin, two.mine)
        .await
        .expect("an Admin may");
    let closed = Refusal::Draft(draft::Refusal::Closed(DraftState::Discarded));
    assert_eq!(merge(1, 2).await, closed);
    let (_, first) = world.draft_of(clean("webhook")).await;
    assert_eq!(
        refusal(store.merge_basis(admin, first, None).await),
        Refusal::NotPublished
    );
    world.end().await;
}

#[sqlx::test]
async fn a_merge_keeps_approvals_when_nothing_that_runs_changes_by_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let store = &world.store;
    let ben = world.member(Role::Collaborator).await;
    let cleo = world.member(Role::Collaborator).await;
    for live_runs_otherwise in [false, true] {
        let two = two(&world).await;
        let [one, other] = two.steps;
        if live_runs_otherwise {
            set(&world, two.other, other, "Other.").await;
        } else {
            let notes = "For the next reader.".to_owned();
            let note = save_of(1, vec![Edit::SetNotes { step: other, notes }]);
            let saved = store.save_draft(&world.admin, two.other, note).await;
            saved.expect("it fits");
        }
        world.publish_draft(two.other, 2).await;
        world.policy(|policy| policy.approvals = 2).await;
        set(&world, two.mine, one, "Mine.").await;
        let review = world.ask(two.mine, &[]).await;
        for me in [&ben, &cleo] {
            let approved = world.submit(me, review, 2, Verdict::Approve).await;
            approved.expect("a Collaborator decides");
        }
        assert_eq!(world.state(two.mine).await, DraftState::Approved);
        let merged = store
            .bring_up_to_date(&ben, two.mine, 2, 2, Vec::new())
            .await;
        merged.expect("nothing is in conflict");
        let page = world.page(review).await;
        let is_author = page
            .authors
            .iter()
            .any(|author| author.account == ben.account);
        assert_eq!(is_author, live_runs_otherwise, "of what changed only");
        if live_runs_otherwise {
            assert_eq!(world.state(two.mine).await, DraftState::InReview);
        } else {
            assert_eq!(world.state(two.mine).await, DraftState::Approved);
            world
                .publish_reviewed(two.mine, 3)
                .await
                .expect("it is approved");
        }
        let then = store.review_document(&ben, review, 3).await;
        let now = page.documents.as_ref().map(|documents| &documents.draft);
        assert_eq!(then.as_ref().ok(), now);
        world.policy(|policy| policy.approvals = 0).await;
    }
    world.end().await;
}

#[sqlx::test]
async fn a_merge_and_a_publish_at_once_leave_nothing_behind(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    for _ in 0..10 {
        let two = two(&world).await;
        set(&world, two.mine, two.steps[0], "Mine.").await;
        let third = store.start_draft(admin, two.integration, "Third").await;
        let third = third.expect("an Admin may");
        set(&world, third, two.steps[1], "Third.").await;
        world.publish_draft(two.other, 1).await;
        // The third is brought up to date and published while mine is brought up to date.
        let behind = store.bring_up_to_date(admin, third, 2, 2, Vec::new()).await;
        let third_revision = behind.expect("nothing is in conflict");
        let (merged, published) = tokio::join!(
            store.bring_up_to_date(admin, two.mine, 2, 2, Vec::new()),
            world.publish_reviewed(third, third_revision),
        );
        published.expect("it is up to date");
        let (base, live) = match merged {
            Ok(_) => (2, 3),
            Err(error) => {
                let moved = Refusal::Draft(draft::Refusal::LiveMoved { live: 3 });
                assert_eq!(refusal::<()>(Err(error)), moved);
                (1, 3)
            }
        };
        let read = store.draft(admin, two.mine).await.expect("it is there");
        assert_eq!((read.summary.base, read.live), (Some(base), Some(live)));
    }
    world.end().await;
}

/// Sets the message of a step of a draft at a revision.
async fn set_on(world: &World, draft: DraftId, revision: u32, step: StepId, message: &str) {
    let edit = Edit::SetField {
        step,
        field: "message".to_owned(),
        value: Some(json!(message)),
    };
    let save = save_of(revision, vec![edit]);
    let saved = world.store.save_draft(&world.admin, draft, save).await;
    saved.expect("it fits");
}

#[sqlx::test]
async fn a_draft_is_brought_into_another_and_later_only_what_is_new_of_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let two = two(&world).await;
    let ([first, second], mine, other) = (two.steps, two.mine, two.other);
    set(&world, mine, first, "Mine.").await;
    set(&world, other, second, "Other.").await;
    let basis = store.merge_basis(admin, mine, Some(other)).await;
    let basis = basis.expect("both are open");
    let source = MergeSource::Draft {
        id: other,
        title: "Other".to_owned(),
        revision: 2,
    };
    assert_eq!((&basis.source, basis.revision), (&source, 2));
    assert!(!basis.is_merged());
    let expected = merge(&basis.base, &basis.draft, &basis.theirs);
    let brought = store.bring_in(admin, mine, 2, (other, 2), Vec::new()).await;
    assert_eq!(brought.expect("nothing is in conflict"), 3);
    let read = store.draft(admin, mine).await.expect("it is there");
    assert_eq!(read.document, expected.document);
    let untouched = store.draft(admin, other).await.expect("it is there");
    assert_eq!(untouched.document, basis.theirs, "it stays as it is");
    let again = store.bring_in(admin, mine, 3, (other, 2), Vec::new()).await;
    assert_eq!(again.expect("it holds all of it"), 3);

    // What it had is shared from then on: changed further, that is no conflict.
    set_on(&world, other, 2, second, "Other, later.").await;
    let brought = store.bring_in(admin, mine, 3, (other, 3), Vec::new()).await;
    assert_eq!(brought.expect("nothing is in conflict"), 4);
    // Also the other way round.
    set_on(&world, mine, 4, second, "Mine, last.").await;
    let brought = store.bring_in(admin, other, 3, (mine, 5), Vec::new()).await;
    assert_eq!(brought.expect("nothing is in conflict"), 4);
    let [mine, other] = [mine, other].map(|draft| store.draft(admin, draft));
    let (mine, other) = (mine.await.expect("there"), other.await.expect("there"));
    assert_eq!(mine.document, other.document);
    let audit = world.audit().await;
    let count = audit.iter().filter(|act| *act == "draft.bring_in").count();
    assert_eq!(count, 3);
    world.end().await;
}

#[sqlx::test]
async fn a_draft_that_is_brought_in_brings_the_version_it_started_from_along(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let two = two(&world).await;
    let [first, second] = two.steps;
    set(&world, two.other, first, "Second version.").await;
    world.publish_draft(two.other, 2).await;
    let third = store.start_draft(admin, two.integration, "Third").await;
    let third = third.expect("an Admin may");
    set(&world, third, second, "Third.").await;
    let brought = store.bring_in(admin, two.mine, 1, (third, 2), Vec::new());
    assert_eq!(brought.await.expect("nothing is in conflict"), 2);
    let read = store.draft(admin, two.mine).await.expect("it is there");
    assert_eq!(read.summary.base, Some(2), "it holds what is live");
    assert_eq!(
        read.document.steps[&first].config["message"],
        "Second version."
    );
    assert_eq!(read.document.steps[&second].config["message"], "Third.");
    world.publish_draft(two.mine, 2).await;
    world.end().await;
}

#[sqlx::test]
async fn a_conflict_with_another_draft_is_decided_and_both_are_as_they_were_looked_at(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let two = two(&world).await;
    let (step, mine, other) = (two.steps[0], two.mine, two.other);
    set(&world, mine, step, "Mine.").await;
    set(&world, other, step, "Other.").await;
    let bring = async |revision, from: (DraftId, u32)| {
        refusal(
            store
                .bring_in(admin, mine, revision, from, Vec::new())
                .await,
        )
    };
    let undecided = Refusal::Draft(draft::Refusal::Unresolved(1));
    assert_eq!(bring(2, (other, 2)).await, undecided);
    let moved = Refusal::Draft(draft::Refusal::Moved { current: 2 });
    assert_eq!(bring(1, (other, 2)).await, moved);
    let moved = Refusal::Draft(draft::Refusal::SourceMoved { current: 2 });
    assert_eq!(bring(2, (other, 1)).await, moved);
    let never = Refusal::Draft(draft::Refusal::NotBroughtIn);
    assert_eq!(bring(2, (mine, 2)).await, never, "itself");
    let (_, stranger) = world.draft_of(clean("webhook")).await;
    assert_eq!(bring(2, (stranger, 1)).await, never, "another integration");

    let basis = store.merge_basis(admin, mine, Some(other)).await;
    let basis = basis.expect("both are open");
    let conflicts = merge(&basis.base, &basis.draft, &basis.theirs).conflicts;
    let choices = vec![(conflicts[0].key.clone(), Choice::Theirs)];
    let brought = store.bring_in(admin, mine, 2, (other, 2), choices).await;
    assert_eq!(brought.expect("it is decided"), 3);
    let read = store.draft(admin, mine).await.expect("it is there");
    assert_eq!(read.document.steps[&step].config["message"], "Other.");

    store
        .discard_draft(admin, other)
        .await
        .expect("an Admin may");
    assert_eq!(bring(3, (other, 2)).await, never, "it is closed");
    world.end().await;
}

#[sqlx::test]
async fn who_wrote_what_was_brought_in_does_not_approve_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let store = &world.store;
    world.policy(|policy| policy.approvals = 0).await;
    let two = two(&world).await;
    world.policy(|policy| policy.approvals = 1).await;
    let ben = world.member(Role::Collaborator).await;
    let cleo = world.member(Role::Collaborator).await;
    let write = async |who: &domain::account::Me, revision, message: &str| {
        let edit = Edit::SetField {
            step: two.steps[0],
            field: "message".to_owned(),
            value: Some(json!(message)),
        };
        let saved = store.save_draft(who, two.other, save_of(revision, vec![edit]));
        saved.await.expect("it fits");
    };
    write(&ben, 1, "Ben's.").await;
    let brought = store.bring_in(&world.admin, two.mine, 1, (two.other, 2), Vec::new());
    brought.await.expect("nothing is in conflict");
    // What Cleo writes there later is not in it.
    write(&cleo, 2, "Cleo's.").await;
    let review = world.ask(two.mine, &[]).await;
    let authors = world.page(review).await.authors;
    let is_author =
        |me: &domain::account::Me| authors.iter().any(|author| author.account == me.account);
    assert!(is_author(&ben) && is_author(&world.admin) && !is_author(&cleo));
    let own = world.submit(&ben, review, 2, Verdict::Approve).await;
    assert_eq!(
        crate::world::review_refusal(own),
        domain::review::Refusal::OwnWork(Verdict::Approve)
    );
    let approved = world.submit(&cleo, review, 2, Verdict::Approve).await;
    approved.expect("it is not hers");
    world.end().await;
}
