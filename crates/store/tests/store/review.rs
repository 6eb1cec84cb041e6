//! Reviews: asked for, decided on, taken back, and ended by a publish.

use domain::account::Role;
use domain::draft::{self, DraftState};
use domain::review::{CheckState, Known, Refusal as No, ReviewState, Rule, Verdict};
use domain::{Document, limit};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::Refusal;

use crate::world::{World, assert_denied, clean, refusal, review_refusal, unmet};

#[sqlx::test]
async fn a_draft_is_published_when_someone_else_approved_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let ben = world.member(Role::Collaborator).await;
    let (integration, draft) = world.draft_of(clean("webhook")).await;
    let asked = store
        .create_review(
            admin,
            draft,
            "Orders",
            "Takes **orders**.\n",
            &[ben.account],
        )
        .await;
    let review = asked.expect("an Admin asks");
    assert_eq!(world.state(draft).await, DraftState::InReview);
    let refused = refusal(world.publish_reviewed(draft, 1).await);
    assert_eq!(refused.status(), 409);
    let [Rule::Approvals { need: 1, have }] = &unmet(refused)[..] else {
        panic!("an approval is missing");
    };
    assert!(have.is_empty());

    let page = store
        .review(&ben, review, None)
        .await
        .expect("a member looks");
    assert_eq!(
        (&*page.summary.title, &*page.description),
        ("Orders", "Takes **orders**.")
    );
    let documents = page.documents.as_ref().expect("none is known");
    assert_eq!(documents.base, Document::new("webhook"));
    assert_eq!(documents.draft.steps.len(), 1);
    let known = |revision| {
        Some(Known {
            base: None,
            revision,
        })
    };
    let again = store.review(&ben, review, known(1)).await;
    assert_eq!(again.expect("it is there").documents, None);
    let older = store.review(&ben, review, known(0)).await;
    assert_eq!(older.expect("it is there").documents, page.documents);
    assert_eq!(page.authors[0].account, admin.account);
    assert_eq!(page.asked[0].person.account, ben.account);
    assert_eq!(page.summary.turns[0].person.account, ben.account);
    assert_eq!(page.members.len(), 2);
    assert_eq!((page.base, page.live, page.version), (None, None, None));

    world
        .submit(&ben, review, 1, Verdict::Approve)
        .await
        .expect("a Collaborator decides");
    assert_eq!(world.state(draft).await, DraftState::Approved);
    let version = world
        .publish_reviewed(draft, 1)
        .await
        .expect("it is approved");
    assert_eq!(
        (version.review, &version.override_reason),
        (Some(review), &None)
    );
    let page = world.page(review).await;
    assert_eq!(page.summary.state, ReviewState::Published);
    assert_eq!((page.version, page.summary.turns.len()), (Some(1), 0));
    assert_eq!(page.decisions[0].fingerprint, page.fingerprint);
    assert!(
        page.checks.iter().all(|check| !check.is_unmet()),
        "as they were then, not as they are now: {:?}",
        page.checks
    );
    let detail = store.integration(admin, integration).await.expect("there");
    assert_eq!(detail.versions[0].review, Some(review));
    for act in ["review.create", "review.submit", "version.publish"] {
        assert!(world.audit().await.contains(&act.to_owned()), "{act}");
    }
    world.end().await;
}

#[sqlx::test]
async fn of_two_requests_at_once_one_opens_and_the_other_is_led_to_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let ben = world.member(Role::Collaborator).await;
    for _ in 0..10 {
        let (_, draft) = world.draft_of(clean("webhook")).await;
        let (one, two) = tokio::join!(
            world
                .store
                .create_review(&world.admin, draft, "One", "", &[]),
            world.store.create_review(&ben, draft, "Two", "", &[]),
        );
        let (first, second) = if one.is_ok() { (one, two) } else { (two, one) };
        let review = first.expect("one opens");
        let open = refusal(second);
        assert_eq!(open, Refusal::Review(No::AlreadyOpen { review }));
        assert_eq!((open.code(), open.status()), ("review/already-open", 409));
    }
    world.end().await;
}

#[sqlx::test]
async fn a_review_needs_a_change_a_title_and_members_to_ask(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let integration = world.publish(clean("webhook")).await;
    let same = store.start_draft(admin, integration, "Same").await;
    let same = same.expect("an Admin may");
    let nothing = store.create_review(admin, same, "Nothing", "", &[]).await;
    assert_eq!(review_refusal(nothing), No::NothingToReview);
    let (_, empty) = world.draft_of(Document::new("webhook")).await;
    let nothing = store.create_review(admin, empty, "Nothing", "", &[]).await;
    assert_eq!(review_refusal(nothing), No::NothingToReview);

    let (_, draft) = world.draft_of(clean("webhook")).await;
    let untitled = refusal(store.create_review(admin, draft, " ", "", &[]).await);
    assert_eq!(untitled.code(), "account/name-missing");
    let long = "l".repeat(limit::TEXT + 1);
    let long = store.create_review(admin, draft, "Long", &long, &[]).await;
    assert_eq!(review_refusal(long), No::TextTooLong);
    let outsider = world.outsider().await;
    let stranger = [outsider.account];
    let strange = store
        .create_review(admin, draft, "Who?", "", &stranger)
        .await;
    assert_eq!(review_refusal(strange), No::NotAMember);
    store
        .discard_draft(admin, draft)
        .await
        .expect("an Admin may");
    let closed = refusal(store.create_review(admin, draft, "Late", "", &[]).await);
    let right = Refusal::Draft(draft::Refusal::Closed(DraftState::Discarded));
    assert_eq!(closed, right);
    assert_eq!(world.count("select count(*) from review").await, 0);
    world.end().await;
}

#[sqlx::test]
async fn nobody_decides_on_what_they_wrote(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::reviewing(options).await;
    let ben = world.member(Role::Collaborator).await;
    let (draft, review) = world.review().await;
    for verdict in [Verdict::Approve, Verdict::Reject] {
        let own = refusal(world.submit(&world.admin, review, 1, verdict).await);
        assert_eq!(own, Refusal::Review(No::OwnWork(verdict)));
        assert_eq!(own.status(), 403);
    }
    let save = crate::world::save(1);
    world
        .store
        .save_draft(&ben, draft, save)
        .await
        .expect("it fits");
    let own = world.submit(&ben, review, 2, Verdict::Approve).await;
    assert_eq!(review_refusal(own), No::OwnWork(Verdict::Approve));
    world
        .submit(&ben, review, 2, Verdict::Comment)
        .await
        .expect("everyone may comment");
    assert_eq!(world.state(draft).await, DraftState::InReview);
    world
        .policy(|policy| policy.authors_may_approve = true)
        .await;
    world
        .submit(&ben, review, 2, Verdict::Approve)
        .await
        .expect("the policy allows it");
    assert_eq!(world.state(draft).await, DraftState::Approved);
    world.end().await;
}

#[sqlx::test]
async fn a_verdict_is_on_what_is_there_and_says_something(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let store = &world.store;
    let ben = world.member(Role::Collaborator).await;
    let (draft, review) = world.review().await;
    world.save(draft, 1).await.expect("it fits");
    for looked_at in [1, 3] {
        let moved = refusal(
            world
                .submit(&ben, review, looked_at, Verdict::Approve)
                .await,
        );
        let current = 2;
        assert_eq!(moved, Refusal::Review(No::Moved { looked_at, current }));
        assert_eq!(moved.status(), 409);
    }
    world
        .submit(&ben, review, 1, Verdict::Comment)
        .await
        .expect("a comment is not lost by that");
    let silent = store
        .submit_review(&ben, review, 2, Verdict::Reject, " ")
        .await;
    assert_eq!(review_refusal(silent), No::MessageMissing);
    let silent = store
        .submit_review(&ben, review, 2, Verdict::Comment, "")
        .await;
    assert_eq!(review_refusal(silent), No::NothingToSay);
    let long = "l".repeat(limit::TEXT + 1);
    let long = store
        .submit_review(&ben, review, 2, Verdict::Approve, &long)
        .await;
    assert_eq!(review_refusal(long), No::TextTooLong);
    let page = world.page(review).await;
    assert_eq!((page.decisions.len(), page.decisions[0].revision), (1, 1));
    assert_ne!(page.decisions[0].fingerprint, page.fingerprint);
    world.end().await;
}

#[sqlx::test]
async fn a_rejected_draft_comes_back_when_it_is_edited(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let ben = world.member(Role::Collaborator).await;
    let (draft, review) = world.review().await;
    let rejected = world.submit(&ben, review, 1, Verdict::Reject).await;
    rejected.expect("a Collaborator decides");
    assert_eq!(world.state(draft).await, DraftState::ChangesRequested);
    let rules = unmet(refusal(world.publish_reviewed(draft, 1).await));
    assert!(rules.contains(&Rule::NoRejection));
    world.save(draft, 1).await.expect("it fits");
    assert_eq!(world.state(draft).await, DraftState::InReview);
    let page = world.page(review).await;
    let CheckState::Satisfied { by } = &page.checks[1].state else {
        panic!("{:?}", page.checks[1]);
    };
    assert!(
        by.contains("on revision 1; the draft changed since"),
        "{by}"
    );
    let approved = world.submit(&ben, review, 2, Verdict::Approve).await;
    approved.expect("a Collaborator decides");
    world
        .publish_reviewed(draft, 2)
        .await
        .expect("it is approved");
    world.end().await;
}

#[sqlx::test]
async fn a_review_is_taken_back_by_those_whose_it_is(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::reviewing(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let ben = world.member(Role::Collaborator).await;
    let cleo = world.member(Role::Collaborator).await;
    let (_, draft) = world.draft_of(clean("webhook")).await;
    let asked = store.create_review(&ben, draft, "By Ben", "", &[]).await;
    let review = asked.expect("a Collaborator asks");
    let others = refusal(store.withdraw_review(&cleo, review).await);
    assert_eq!(others, Refusal::Review(No::NotYourReview));
    assert_eq!(others.status(), 403);
    let others = store.describe_review(&cleo, review, "By Cleo", "").await;
    assert_eq!(review_refusal(others), No::NotYourReview);
    let described = store.describe_review(&ben, review, "Better", "Why.").await;
    described.expect("it is Ben's");
    world
        .submit(&cleo, review, 1, Verdict::Approve)
        .await
        .expect("a Collaborator decides");
    store
        .withdraw_review(&ben, review)
        .await
        .expect("it is Ben's");
    assert_eq!(world.state(draft).await, DraftState::Editing);
    assert!(!unmet(refusal(world.publish_reviewed(draft, 1).await)).is_empty());

    let over = No::Over(ReviewState::Withdrawn);
    assert_eq!(
        review_refusal(store.withdraw_review(admin, review).await),
        over
    );
    let late = store.describe_review(admin, review, "Late", "").await;
    assert_eq!(review_refusal(late), over);
    assert_eq!(
        review_refusal(store.ask_reviewers(admin, review, &[]).await),
        over
    );
    let late = world.submit(&cleo, review, 1, Verdict::Approve).await;
    assert_eq!(review_refusal(late), over);
    let again = world.ask(draft, &[]).await;
    let reviews = store
        .draft_reviews(&cleo, draft)
        .await
        .expect("a member looks");
    let ids: Vec<_> = reviews.iter().map(|review| review.id).collect();
    assert_eq!(ids, [again, review], "the open one first");
    let refused = refusal(world.publish_reviewed(draft, 1).await);
    assert_eq!(unmet(refused).len(), 1, "an approval is of one review");
    store
        .discard_draft(admin, draft)
        .await
        .expect("an Admin may");
    assert_eq!(
        world.page(again).await.summary.state,
        ReviewState::Discarded
    );
    world.end().await;
}

#[sqlx::test]
async fn a_reader_looks_and_comments_and_decides_only_when_asked_and_allowed(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let ria = &world.member(Role::Reader).await;
    let (draft, review) = world.review().await;
    assert_denied(store.create_review(ria, draft, "Mine", "", &[]).await);
    assert_denied(store.describe_review(ria, review, "Mine", "").await);
    assert_denied(store.ask_reviewers(ria, review, &[]).await);
    assert_denied(store.withdraw_review(ria, review).await);
    assert_denied(store.bring_up_to_date(ria, draft, 1, 1, Vec::new()).await);
    let other = (draft, 1);
    assert_denied(store.bring_in(ria, draft, 1, other, Vec::new()).await);
    let reason = Some("Because.".to_owned());
    assert_denied(store.publish(ria, draft, 1, String::new(), reason).await);
    store
        .publish_plan(ria, draft)
        .await
        .expect("a Reader looks");
    store
        .review(ria, review, None)
        .await
        .expect("a Reader looks");
    store.inbox(ria).await.expect("a Reader looks");
    let commented = world.submit(ria, review, 1, Verdict::Comment).await;
    commented.expect("a Reader comments");

    let decide = async |state: DraftState| {
        let decided = world.submit(ria, review, 1, Verdict::Approve).await;
        if state == DraftState::Approved {
            decided.expect("it is allowed");
        } else {
            let refused = refusal(decided);
            assert_eq!(refused, Refusal::Review(No::ReaderDecides));
            assert_eq!(refused.status(), 403);
        }
        assert_eq!(world.state(draft).await, state);
    };
    decide(DraftState::InReview).await;
    let asked = store.ask_reviewers(admin, review, &[ria.account]).await;
    asked.expect("an Admin asks");
    decide(DraftState::InReview).await;
    world.policy(|policy| policy.readers_decide = true).await;
    decide(DraftState::Approved).await;
    store
        .ask_reviewers(admin, review, &[])
        .await
        .expect("an Admin may");
    assert_eq!(
        world.state(draft).await,
        DraftState::InReview,
        "asked no more"
    );
    decide(DraftState::InReview).await;
    world.end().await;
}

#[sqlx::test]
async fn publishing_without_approval_is_on_record(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::reviewing(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let ben = world.member(Role::Collaborator).await;
    let (integration, draft) = world.draft_of(clean("webhook")).await;
    let review = world.ask(draft, &[&ben]).await;
    let publish = async |me, reason: &str| {
        let reason = Some(reason.to_owned());
        store.publish(me, draft, 1, String::new(), reason).await
    };
    let refused = refusal(publish(&ben, "Now.").await);
    let collaborators = false;
    assert_eq!(
        refused,
        Refusal::Review(No::MayNotOverride { collaborators })
    );
    assert_eq!(refused.status(), 403);
    assert_eq!(review_refusal(publish(admin, " ").await), No::ReasonMissing);
    world
        .policy(|policy| policy.collaborators_override = true)
        .await;
    let version = publish(&ben, "The shop is down.")
        .await
        .expect("it is allowed");
    let answered = version.override_reason.expect("it is kept");
    assert_eq!(
        (answered.by.account, &*answered.reason),
        (ben.account, "The shop is down.")
    );
    let page = world.page(review).await;
    assert_eq!(page.override_reason, Some(answered.clone()));
    let CheckState::Overridden { why } = &page.checks[0].state else {
        panic!("{:?}", page.checks[0]);
    };
    assert!(why.contains("The shop is down."), "{why}");
    let read = store
        .version(admin, integration, 1)
        .await
        .expect("it is there");
    assert_eq!(read.summary.override_reason, Some(answered));
    let noted = "select count(*) from audit where act = 'version.publish'
        and detail->>'reason' = 'The shop is down.'";
    assert_eq!(world.count(noted).await, 1);

    // A reason that was not needed is none.
    world.policy(|policy| policy.approvals = 0).await;
    let (_, draft) = world.draft_of(clean("webhook")).await;
    let reason = Some("Just so.".to_owned());
    let version = store.publish(admin, draft, 1, String::new(), reason).await;
    assert_eq!(version.expect("nothing is missing").override_reason, None);
    world.end().await;
}

#[sqlx::test]
async fn a_plan_tells_what_a_publish_would_meet(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let (integration, route) = world.hook().await;
    for _ in 0..3 {
        let incoming = store::Incoming {
            route: route.clone(),
            payload: serde_json::json!({}).into(),
            delivery: None,
            hand_to: None,
        };
        store.accept(incoming).await.expect("there is room");
    }
    let draft = store.start_draft(admin, integration, "Next").await;
    let draft = draft.expect("an Admin may");
    let plan = store.publish_plan(admin, draft).await.expect("it is there");
    assert_eq!((plan.revision, plan.live, plan.review), (1, Some(1), None));
    assert_eq!(plan.runs_under_way, 3);
    assert_eq!(plan.hourly_events.iter().sum::<u32>(), 3);
    let live = store
        .version(admin, integration, 1)
        .await
        .expect("it is there");
    assert_eq!(plan.live_document, Some(live.document));
    assert!(plan.checks.iter().all(|check| !check.is_unmet()));
    store
        .discard_draft(admin, draft)
        .await
        .expect("an Admin may");
    let closed = refusal(store.publish_plan(admin, draft).await);
    assert_eq!(closed.code(), "draft/closed");
    world.end().await;
}
