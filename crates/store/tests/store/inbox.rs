//! Whose turn it is, what members are told, and what they have seen.

use domain::account::{Me, Role};
use domain::review::thread::NewThread;
use domain::review::{Anchor, Happening, Verdict};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::world::{World, assert_not_found, review_refusal};

/// Returns what someone was told, newest first.
async fn told(world: &World, me: &Me) -> Vec<Happening> {
    let inbox = world.store.inbox(me).await.expect("it answers");
    inbox
        .notifications
        .into_iter()
        .map(|one| one.happening)
        .collect()
}

#[sqlx::test]
async fn those_who_take_part_are_told_and_nobody_of_what_they_did(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    use Happening::{Approved, Asked, Commented, Mentioned, Published, Rejected, Withdrawn};
    let world = World::reviewing(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let ben = world.member(Role::Collaborator).await;
    let ria = world.member(Role::Reader).await;
    let bystander = world.member(Role::Admin).await;
    let (_, draft) = world.draft_of(crate::world::clean("webhook")).await;
    let asked = store
        .create_review(admin, draft, "Look", "@Reader should know.", &[ben.account])
        .await;
    let review = asked.expect("an Admin asks");
    assert_eq!(told(&world, &ben).await, [Asked]);
    assert_eq!(told(&world, &ria).await, [Mentioned]);

    let comment = NewThread {
        anchor: Anchor {
            target: None,
            field: None,
            entry: None,
            range: None,
        },
        on_base: false,
        revision: 1,
        body: "Hello @Reader and @Nobody".to_owned(),
        suggestion: None,
        is_pending: false,
    };
    let thread = store.start_thread(&ben, review, comment).await;
    let thread = thread.expect("a member comments");
    assert_eq!(told(&world, admin).await, [Commented]);
    assert_eq!(told(&world, &ria).await, [Mentioned, Mentioned]);
    let inbox = store.inbox(&ria).await.expect("it answers");
    assert_eq!(inbox.notifications[0].thread, Some(thread));
    assert_eq!(inbox.notifications[0].by.account, ben.account);

    world
        .submit(&ben, review, 1, Verdict::Reject)
        .await
        .expect("a Collaborator decides");
    world
        .submit(&ben, review, 1, Verdict::Approve)
        .await
        .expect("a Collaborator decides");
    assert_eq!(told(&world, admin).await, [Approved, Rejected, Commented]);
    store
        .withdraw_review(admin, review)
        .await
        .expect("an Admin may");
    assert_eq!(told(&world, &ben).await, [Withdrawn, Asked]);

    let again = world.ask(draft, &[&ben]).await;
    world
        .submit(&ben, again, 1, Verdict::Approve)
        .await
        .expect("a Collaborator decides");
    world
        .publish_reviewed(draft, 1)
        .await
        .expect("it is approved");
    assert_eq!(
        told(&world, &ben).await,
        [Published, Asked, Withdrawn, Asked]
    );
    assert!(told(&world, &bystander).await.is_empty());
    let mails = "select count(*) from mail join notification using (notification_id)
        where state = 'waiting'";
    let all = world.count("select count(*) from notification").await;
    assert_eq!(
        world.count(mails).await,
        all,
        "each also goes out by e-mail"
    );
    world.end().await;
}

#[sqlx::test]
async fn asking_again_tells_those_who_have_not_approved_what_is_there(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    use Happening::Asked;
    let world = World::reviewing(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let ben = world.member(Role::Collaborator).await;
    let cleo = world.member(Role::Collaborator).await;
    let (_, draft) = world.draft_of(crate::world::clean("webhook")).await;
    let review = world.ask(draft, &[&ben]).await;
    world
        .submit(&ben, review, 1, Verdict::Approve)
        .await
        .expect("a Collaborator decides");
    let both = [ben.account, cleo.account, cleo.account];
    let ask = async || {
        store
            .ask_reviewers(admin, review, &both)
            .await
            .expect("an Admin asks")
    };
    ask().await;
    assert_eq!(
        told(&world, &ben).await,
        [Asked],
        "the newcomer is asked only"
    );
    assert_eq!(told(&world, &cleo).await, [Asked]);
    ask().await;
    assert_eq!(told(&world, &ben).await, [Asked], "Ben approved");
    assert_eq!(told(&world, &cleo).await, [Asked, Asked]);
    world.save(draft, 1).await.expect("it fits");
    ask().await;
    let again = told(&world, &ben).await;
    assert_eq!(again, [Asked, Happening::ApprovalStale, Asked]);
    world.end().await;
}

#[sqlx::test]
async fn reviews_in_which_it_is_ones_turn_come_first(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::reviewing(options).await;
    let store = &world.store;
    let ben = world.member(Role::Collaborator).await;
    let (_, draft) = world.draft_of(crate::world::clean("webhook")).await;
    let mine = world.ask(draft, &[&ben]).await;
    let (_, other) = world.review().await;
    let (ended_draft, ended) = world.review().await;
    store
        .discard_draft(&world.admin, ended_draft)
        .await
        .expect("an Admin may");
    let inbox = store.inbox(&ben).await.expect("it answers");
    let ids: Vec<_> = inbox.reviews.iter().map(|review| review.id).collect();
    assert_eq!(ids, [mine, other]);
    assert_eq!(inbox.ended[0].id, ended);
    let admins = store.inbox(&world.admin).await.expect("it answers");
    let ids: Vec<_> = admins.reviews.iter().map(|review| review.id).collect();
    assert_eq!(ids, [other, mine], "the newest first");
    world.end().await;
}

#[sqlx::test]
async fn what_was_seen_is_unread_no_more(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::reviewing(options).await;
    let store = &world.store;
    let ben = world.member(Role::Collaborator).await;
    let (_, draft) = world.draft_of(crate::world::clean("webhook")).await;
    let review = world.ask(draft, &[&ben]).await;
    let unread = async |me: &Me| {
        let inbox = store.inbox(me).await.expect("it answers");
        let count = store.unread_notifications(me).await.expect("it answers");
        (inbox.reviews[0].unread, count)
    };
    assert_eq!(unread(&ben).await, (true, 1));
    assert_eq!(unread(&world.admin).await, (false, 0), "one's own doing");
    store
        .looked_at_review(&ben, review, 1)
        .await
        .expect("it is there");
    assert_eq!(unread(&ben).await, (false, 0));
    world.save(draft, 1).await.expect("it fits");
    assert_eq!(unread(&ben).await, (true, 0));
    let page = store.review(&ben, review, None).await.expect("it is there");
    assert_eq!(page.last_looked, Some(1));
    store
        .looked_at_review(&ben, review, 9)
        .await
        .expect("it is there");
    let page = store.review(&ben, review, None).await.expect("it is there");
    assert_eq!(page.last_looked, Some(2), "no later than there is");
    world
        .submit(&ben, review, 2, Verdict::Approve)
        .await
        .expect("a Collaborator decides");
    assert_eq!(unread(&ben).await, (false, 0));
    assert_eq!(unread(&world.admin).await, (true, 1));

    // Nobody reads what others were told.
    let inbox = store.inbox(&world.admin).await.expect("it answers");
    let theirs = [inbox.notifications[0].id];
    store
        .read_notifications(&ben, &theirs)
        .await
        .expect("it answers");
    assert_eq!(unread(&world.admin).await.1, 1);
    store
        .read_notifications(&world.admin, &theirs)
        .await
        .expect("it answers");
    assert_eq!(unread(&world.admin).await.1, 0);
    store
        .read_notifications(&world.admin, &[])
        .await
        .expect("it answers");
    world.end().await;
}

#[sqlx::test]
async fn a_tick_is_ones_own_and_holds_a_digest(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::reviewing(options).await;
    let store = &world.store;
    let ben = world.member(Role::Collaborator).await;
    let (_, review) = world.review().await;
    for digest in ["one", "two"] {
        let ticked = store
            .set_viewed(&ben, review, "trigger", Some(digest))
            .await;
        ticked.expect("a member ticks");
        let page = store.review(&ben, review, None).await.expect("it is there");
        assert_eq!(page.viewed["trigger"], digest);
    }
    assert!(world.page(review).await.viewed.is_empty());
    let off = store.set_viewed(&ben, review, "trigger", None).await;
    off.expect("a member ticks");
    let page = store.review(&ben, review, None).await.expect("it is there");
    assert!(page.viewed.is_empty());
    let long = "l".repeat(201);
    let refused = store.set_viewed(&ben, review, &long, Some("x")).await;
    review_refusal(refused);
    let refused = store.set_viewed(&ben, review, "trigger", Some("\0")).await;
    review_refusal(refused);
    let nowhere = domain::ReviewId(uuid::Uuid::now_v7());
    assert_not_found(store.set_viewed(&ben, nowhere, "trigger", None).await);
    assert_not_found(store.looked_at_review(&ben, nowhere, 1).await);
    world.end().await;
}
