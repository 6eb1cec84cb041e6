//! Threads and comments: who sees them, who changes them, and suggestions that are applied.

use domain::account::{Me, Role};
use domain::change::{Entry, Field, Target};
use domain::draft::DraftState;
use domain::edit::Edit;
use domain::live::Changed as What;
use domain::review::thread::{Currency, NewThread};
use domain::review::{Anchor, Refusal as No, ReviewState, Verdict};
use domain::{ReviewId, ThreadId, draft, limit};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::Refusal;

use crate::world::{
    World, assert_denied, assert_not_found, clean, log_step, refusal, review_refusal, save_of,
};

/// A comment on the draft as a whole.
fn say(body: &str) -> NewThread {
    NewThread {
        anchor: Anchor {
            target: None,
            field: None,
            entry: None,
            range: None,
        },
        on_base: false,
        revision: 1,
        body: body.to_owned(),
        suggestion: None,
        is_pending: false,
    }
}

/// Another message for the only step of a draft.
async fn suggest(world: &World, review: ReviewId, value: Value) -> NewThread {
    let page = world.page(review).await;
    let document = world.content(review).await;
    NewThread {
        anchor: Anchor {
            target: Some(Target::Step(document.flow[0])),
            field: Some(Field::config("message")),
            entry: None,
            range: None,
        },
        revision: page.summary.revision,
        suggestion: Some(value),
        ..say("")
    }
}

async fn start(world: &World, me: &Me, review: ReviewId, new: NewThread) -> ThreadId {
    let started = world.store.start_thread(me, review, new).await;
    started.expect("a member comments")
}

#[sqlx::test]
async fn a_pending_comment_is_its_authors_alone_until_it_is_sent(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let ben = world.member(Role::Collaborator).await;
    let (draft, review) = world.review().await;
    let open = start(&world, admin, review, say("Is this right?")).await;
    store
        .looked_at_review(admin, review, 1)
        .await
        .expect("it is there");
    let before = world.page(review).await;
    let audited = world.audit().await;
    let mut told = store.listen();

    let pending = NewThread {
        is_pending: true,
        ..say("No. @An Admin, look.")
    };
    let hidden = start(&world, &ben, review, pending).await;
    let answer = store
        .reply_in_thread(&ben, open, "Also no.", None, true)
        .await;
    let answer = answer.expect("a member comments");
    let changed = store.edit_comment(&ben, answer, "Still no.", None).await;
    changed.expect("it is Ben's");
    let further = store
        .reply_in_thread(&ben, hidden, "Never.", None, false)
        .await;
    let further = further.expect("a member comments");
    store
        .resolve_thread(&ben, hidden, true)
        .await
        .expect("it is Ben's");
    store
        .resolve_thread(&ben, hidden, false)
        .await
        .expect("it is Ben's");

    assert_eq!(world.page(review).await, before, "nobody else sees a trace");
    assert_eq!(world.audit().await, audited);
    assert!(told.try_recv().is_err(), "nor hears of it");
    assert_eq!(
        store.unread_notifications(admin).await.expect("it answers"),
        0
    );
    let line = store
        .inbox(admin)
        .await
        .expect("it answers")
        .reviews
        .remove(0);
    assert_eq!((line.open_threads, line.unread), (1, false));
    assert_not_found(
        store
            .reply_in_thread(admin, hidden, "What?", None, false)
            .await,
    );
    assert_not_found(store.resolve_thread(admin, hidden, true).await);
    assert_not_found(store.edit_comment(admin, answer, "Yes.", None).await);
    assert_not_found(store.delete_comment(admin, answer).await);
    assert_not_found(store.apply_suggestion(admin, answer, 1).await);
    let own = store.review(&ben, review, None).await.expect("it is there");
    let bodies: Vec<_> = own
        .threads
        .iter()
        .flat_map(|thread| &thread.comments)
        .map(|comment| (&*comment.body, comment.is_pending))
        .collect();
    let right = [
        ("Is this right?", false),
        ("Still no.", true),
        ("No. @An Admin, look.", true),
        ("Never.", true),
    ];
    assert_eq!(bodies, right, "an answer to what is pending is pending too");
    store
        .delete_comment(&ben, further)
        .await
        .expect("it is Ben's");

    let sent = store
        .submit_review(&ben, review, 1, Verdict::Comment, "")
        .await;
    sent.expect("there are comments to send");
    let page = world.page(review).await;
    assert_eq!(page.threads.len(), 2);
    assert!(
        page.threads
            .iter()
            .flat_map(|t| &t.comments)
            .all(|c| !c.is_pending)
    );
    assert_eq!(page.summary.open_threads, 2);
    assert!(page.summary.unread);
    let kinds: Vec<_> = store
        .inbox(admin)
        .await
        .expect("it answers")
        .notifications
        .into_iter()
        .map(|notification| notification.happening)
        .collect();
    assert_eq!(kinds, [domain::review::Happening::Mentioned]);
    assert_eq!(world.state(draft).await, DraftState::InReview);
    world.end().await;
}

#[sqlx::test]
async fn a_pending_thread_goes_away_with_its_last_comment(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let store = &world.store;
    let ben = world.member(Role::Collaborator).await;
    let (_, review) = world.review().await;
    let pending = NewThread {
        is_pending: true,
        ..say("Hm.")
    };
    start(&world, &ben, review, pending).await;
    let page = store.review(&ben, review, None).await.expect("it is there");
    let comment = page.threads[0].comments[0].id;
    store
        .delete_comment(&ben, comment)
        .await
        .expect("it is Ben's");
    assert_eq!(world.count("select count(*) from thread").await, 0);
    let nothing = store
        .submit_review(&ben, review, 1, Verdict::Comment, "")
        .await;
    assert_eq!(review_refusal(nothing), No::NothingToSay);
    world.end().await;
}

#[sqlx::test]
async fn only_its_author_changes_a_comment_and_readers_resolve_their_own(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let ria = world.member(Role::Reader).await;
    let ben = world.member(Role::Collaborator).await;
    let (_, review) = world.review().await;
    let theirs = start(&world, &ria, review, say("Why?")).await;
    let ours = start(&world, admin, review, say("So.")).await;
    let comment = store
        .reply_in_thread(&ria, ours, "I see.", None, false)
        .await;
    let comment = comment.expect("a Reader comments");
    for me in [admin, &ben] {
        let refused = refusal(store.edit_comment(me, comment, "No.", None).await);
        assert_eq!(refused, Refusal::Review(No::NotYourComment));
        assert_eq!(refused.status(), 403);
        let refused = store.delete_comment(me, comment).await;
        assert_eq!(review_refusal(refused), No::NotYourComment);
    }
    let changed = store.edit_comment(&ria, comment, "I see now.", None).await;
    changed.expect("it is Ria's");
    let refused = store.edit_comment(&ria, comment, " ", None).await;
    assert_eq!(review_refusal(refused), No::CommentEmpty);
    let refused = refusal(store.resolve_thread(&ria, ours, true).await);
    assert_eq!(refused, Refusal::Review(No::NotYourThread));
    assert_eq!(refused.status(), 403);
    store
        .resolve_thread(&ria, theirs, true)
        .await
        .expect("it is Ria's");
    store
        .resolve_thread(&ben, ours, true)
        .await
        .expect("a Collaborator may");
    store
        .resolve_thread(&ben, ours, true)
        .await
        .expect("it is so already");
    let page = world.page(review).await;
    assert_eq!(page.summary.open_threads, 0);
    let resolved = page.threads[1].resolved.as_ref().expect("it is resolved");
    assert_eq!(resolved.0.account, ben.account);
    assert!(page.threads[1].comments[1].edited_at.is_some());
    store
        .resolve_thread(&ben, ours, false)
        .await
        .expect("a Collaborator may");
    assert_eq!(world.page(review).await.summary.open_threads, 1);
    world.end().await;
}

#[sqlx::test]
async fn a_deleted_comment_leaves_its_place_and_no_text(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let ben = world.member(Role::Collaborator).await;
    let (draft, review) = world.review().await;
    let thread = start(&world, &ben, review, say("The password is 1234.")).await;
    let comment = world.page(review).await.threads[0].comments[0].id;
    let answered = store
        .reply_in_thread(admin, thread, "Delete that.", None, false)
        .await;
    let answer = answered.expect("a member comments");
    store
        .discard_draft(admin, draft)
        .await
        .expect("an Admin may");
    let over = No::Over(ReviewState::Discarded);
    let late = store
        .reply_in_thread(&ben, thread, "Late.", None, false)
        .await;
    assert_eq!(review_refusal(late), over);
    let late = store.edit_comment(&ben, comment, "Late.", None).await;
    assert_eq!(review_refusal(late), over);
    let late = store.start_thread(&ben, review, say("Late.")).await;
    assert_eq!(review_refusal(late), over);
    assert_eq!(
        review_refusal(store.resolve_thread(&ben, thread, true).await),
        over
    );

    store
        .delete_comment(&ben, comment)
        .await
        .expect("also then");
    assert_not_found(store.delete_comment(&ben, comment).await);
    let page = world.page(review).await;
    let comments = &page.threads[0].comments;
    assert!(comments[0].is_deleted && comments[0].body.is_empty());
    assert!(page.threads[0].is_open(), "there is another comment");
    let left = "select count(*) from comment where body like '%1234%'";
    assert_eq!(world.count(left).await, 0);
    store
        .delete_comment(admin, answer)
        .await
        .expect("it is the Admin's");
    let page = world.page(review).await;
    assert!(!page.threads[0].is_open(), "nothing is left to answer");
    world.end().await;
}

#[sqlx::test]
async fn open_threads_hold_a_draft_back_until_they_are_resolved(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let ben = world.member(Role::Collaborator).await;
    let (draft, review) = world.review().await;
    let thread = start(&world, &ben, review, say("Why?")).await;
    let approved = world.submit(&ben, review, 1, Verdict::Approve).await;
    approved.expect("a Collaborator decides");
    let refused = crate::world::unmet(refusal(world.publish_reviewed(draft, 1).await));
    assert_eq!(refused, [domain::review::Rule::Threads]);
    let resolved = world.store.resolve_thread(&world.admin, thread, true).await;
    resolved.expect("an Admin may");
    world
        .publish_reviewed(draft, 1)
        .await
        .expect("it is resolved");
    world.end().await;
}

#[sqlx::test]
async fn a_thread_remembers_what_it_speaks_of(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::reviewing(options).await;
    let store = &world.store;
    let ben = world.member(Role::Collaborator).await;
    let (draft, review) = world.review().await;
    let before = suggest(&world, review, json!("Other.")).await;
    let step = world.content(review).await.flow[0];
    let edit = domain::edit::Edit::SetField {
        step,
        field: "message".to_owned(),
        value: Some(json!("It changed.")),
    };
    let save = crate::world::save_of(1, vec![edit]);
    store
        .save_draft(&world.admin, draft, save)
        .await
        .expect("it fits");
    start(&world, &ben, review, before.clone()).await;
    let page = world.page(review).await;
    let thread = &page.threads[0];
    assert_eq!(
        (thread.revision, &thread.quoted),
        (1, &Some(json!("It came.")))
    );
    let now = Some(json!("It changed."));
    let documents = page.documents.as_ref().expect("none is known");
    let currency = thread.currency(&documents.base, &documents.draft);
    assert_eq!(currency, domain::review::thread::Currency::Changed { now });

    let early = NewThread {
        revision: 3,
        ..before.clone()
    };
    let early = store.start_thread(&ben, review, early).await;
    assert!(matches!(review_refusal(early), No::Moved { .. }));
    let nowhere = NewThread {
        anchor: Anchor {
            target: Some(Target::Step(domain::StepId(uuid::Uuid::now_v7()))),
            field: None,
            entry: None,
            range: None,
        },
        ..say("Where?")
    };
    let nowhere = store.start_thread(&ben, review, nowhere).await;
    assert_eq!(review_refusal(nowhere), No::NoSuchAnchor);
    let of_base = NewThread {
        on_base: true,
        ..before
    };
    let of_base = store.start_thread(&ben, review, of_base).await;
    assert!(matches!(review_refusal(of_base), No::SuggestionUnfit(_)));
    world.end().await;
}

#[sqlx::test]
async fn a_suggestion_is_applied_as_a_save_of_whoever_applies_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let ben = world.member(Role::Collaborator).await;
    let ria = world.member(Role::Reader).await;
    let (draft, review) = world.review().await;
    let unfit = suggest(&world, review, json!("{{ steps.nowhere }}")).await;
    let unfit = store.start_thread(&ria, review, unfit).await;
    assert!(matches!(review_refusal(unfit), No::SuggestionUnfit(_)));
    let better = suggest(&world, review, json!("It came, {{ run.id }}.")).await;
    let thread = start(&world, &ria, review, better).await;
    let other = store
        .reply_in_thread(&ben, thread, "", Some(json!("Or so.")), false)
        .await;
    other.expect("a member suggests");
    let comments = world.page(review).await.threads.remove(0).comments;
    let (id, other) = (comments[0].id, comments[1].id);
    let approved = world.submit(&ben, review, 1, Verdict::Approve).await;
    approved.expect("a Collaborator decides");

    assert_denied(store.apply_suggestion(&ria, id, 1).await);
    let moved = store.apply_suggestion(admin, id, 2).await;
    let current = 1;
    assert_eq!(
        refusal(moved),
        Refusal::Draft(draft::Refusal::Moved { current })
    );
    let (one, two) = tokio::join!(
        store.apply_suggestion(admin, id, 1),
        store.apply_suggestion(admin, other, 1),
    );
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let page = world.page(review).await;
    assert_eq!(page.summary.revision, 2);
    let line = &page.revisions[0];
    let applied = &page.threads[0].comments[usize::from(one.is_err())];
    assert_eq!(line.by.account, admin.account);
    assert_eq!(line.suggested_by.as_ref(), Some(&applied.by));
    let suggestion = applied.suggestion.as_ref().expect("it is kept");
    assert_eq!(suggestion.applied.as_ref().expect("it was").1, 2);
    let document = world.content(review).await;
    let step = document.flow[0];
    assert_eq!(document.steps[&step].config["message"], suggestion.value);
    assert!(!page.threads[0].is_open());
    assert_eq!(
        world.state(draft).await,
        DraftState::InReview,
        "it is an edit"
    );
    let again = store.apply_suggestion(admin, applied.id, 2).await;
    assert!(matches!(review_refusal(again), No::SuggestionUnfit(_)));
    world.end().await;
}

#[sqlx::test]
async fn there_is_an_end_to_threads_and_comments(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::reviewing(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let (_, review) = world.review().await;
    let thread = start(&world, admin, review, say("1")).await;
    world
        .execute(
            "insert into comment (comment_id, thread_id, review_id, organization_id, account_id,
                body, sent_at)
             select gen_random_uuid(), thread_id, review_id, organization_id, started_by, 'more',
                now()
             from thread cross join generate_series(2, 200)",
        )
        .await;
    assert_eq!(limit::COMMENTS, 200);
    let more = store
        .reply_in_thread(admin, thread, "201", None, false)
        .await;
    assert_eq!(review_refusal(more), No::TooMany);
    world
        .execute(
            "insert into thread (thread_id, review_id, organization_id, anchor, on_base, revision,
                started_by)
             select gen_random_uuid(), review_id, organization_id, anchor, false, 1, started_by
             from thread cross join generate_series(2, 1000)",
        )
        .await;
    assert_eq!(limit::THREADS, 1_000);
    let more = store.start_thread(admin, review, say("1001")).await;
    assert_eq!(review_refusal(more), No::TooMany);
    world.end().await;
}

#[sqlx::test]
async fn what_is_said_is_told_to_open_pages(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::reviewing(options).await;
    let ben = world.member(Role::Collaborator).await;
    let (_, review) = world.review().await;
    let mut told = world.store.listen();
    start(&world, &ben, review, say("Why?")).await;
    let mut heard = Vec::new();
    while let Ok(changed) = told.try_recv() {
        assert_eq!(changed.organization, world.admin.organization);
        heard.push(changed.what);
    }
    let right = [What::Notified(world.admin.account), What::Review(review)];
    assert_eq!(heard, right);
    world.end().await;
}

#[sqlx::test]
async fn a_suggestion_for_an_entry_finds_it_under_its_new_name_when_it_is_applied(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let ben = world.member(Role::Collaborator).await;
    let mut document = clean("webhook");
    let mut step = log_step("Keep", "keep");
    step.kind = "set".to_owned();
    let values = json!({ "total": "{{ trigger.body.sum }}", "city": "Bern" });
    step.config = [("values".to_owned(), values)].into_iter().collect();
    let step_id = step.id;
    document.flow.push(step.id);
    document.steps.insert(step.id, step);
    let (_, draft) = world.draft_of(document).await;
    let review = world.ask(draft, &[]).await;
    let on = |name: &str| NewThread {
        anchor: Anchor {
            target: Some(Target::Step(step_id)),
            field: Some(Field::config("values")),
            entry: Some(Entry::named(name)),
            range: None,
        },
        suggestion: Some(json!("{{ trigger.body.total }}")),
        ..say("Better:")
    };
    let nowhere = store.start_thread(&ben, review, on("country")).await;
    assert_eq!(review_refusal(nowhere), No::NoSuchAnchor);
    let thread = start(&world, &ben, review, on("total")).await;
    let rename = Edit::SetField {
        step: step_id,
        field: "values".to_owned(),
        value: Some(json!({ "sum": "{{ trigger.body.sum }}", "city": "Basel" })),
    };
    let saved = store
        .save_draft(admin, draft, save_of(1, vec![rename]))
        .await;
    saved.expect("it fits");
    let page = world.page(review).await;
    let found = page.threads.iter().find(|found| found.id == thread);
    let found = found.expect("it is there");
    let quoted = json!({ "total": "{{ trigger.body.sum }}", "city": "Bern" });
    assert_eq!(found.quoted.as_ref(), Some(&quoted));
    let now = world.content(review).await;
    assert_eq!(found.currency(&now, &now), Currency::Current);
    let applied = store.apply_suggestion(admin, found.comments[0].id, 2).await;
    assert_eq!(applied.expect("it fits"), 3);
    let expected = json!({ "sum": "{{ trigger.body.total }}", "city": "Basel" });
    let now = world.content(review).await;
    assert_eq!(now.steps[&step_id].config["values"], expected);
    world.end().await;
}
