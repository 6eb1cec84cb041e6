//! Members, their roles, and invitations.

use domain::account::Role;
use domain::policy::Act;
use domain::{AccountId, InvitationId};
use futures::future::join_all;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::Refusal;
use uuid::Uuid;

use crate::world::{PASSWORD, World, assert_not_found, refusal};

#[sqlx::test]
async fn an_invitation_makes_one_member_with_its_role(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let store = &world.store;
    let (invitation, token) = store
        .invite(&world.admin, Role::Reader)
        .await
        .expect("an Admin may");
    assert_eq!(
        store.invitations(&world.admin).await.expect("an Admin may"),
        [invitation]
    );
    let offer = store.invitation_offer(&token).await.expect("it is new");
    assert_eq!(
        (offer.role, &*offer.organization_name),
        (Role::Reader, "Demo Workshop")
    );

    let emails = ["a@example.com", "b@example.com", "c@example.com"];
    let guests = emails.map(|email| store.accept_invitation(&token, "Guest", email, PASSWORD));
    let (joined, late): (Vec<_>, Vec<_>) =
        join_all(guests).await.into_iter().partition(Result::is_ok);
    assert_eq!((joined.len(), late.len()), (1, 2));
    for late in late {
        assert_eq!(refusal(late), Refusal::InvitationGone);
    }
    let session = joined
        .into_iter()
        .next()
        .expect("one joined")
        .expect("it did");
    let me = store
        .who(&session)
        .await
        .expect("it answers")
        .expect("signed in");
    assert_eq!(me.role, Role::Reader);
    let members = store.members(&me).await.expect("a Reader may see them");
    assert_eq!(
        members.iter().map(|m| m.role).collect::<Vec<_>>(),
        [Role::Admin, Role::Reader]
    );
    assert!(
        store
            .invitations(&world.admin)
            .await
            .expect("an Admin may")
            .is_empty()
    );
    assert_eq!(
        refusal(store.invitation_offer(&token).await),
        Refusal::InvitationGone
    );
    world.end().await;
}

#[sqlx::test]
async fn an_invitation_is_of_no_use_when_withdrawn_or_old(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let store = &world.store;
    let (withdrawn, first) = store
        .invite(&world.admin, Role::Admin)
        .await
        .expect("an Admin may");
    let (_, second) = store
        .invite(&world.admin, Role::Admin)
        .await
        .expect("an Admin may");
    store
        .withdraw_invitation(&world.admin, withdrawn.id)
        .await
        .expect("an Admin may");
    assert_not_found(store.withdraw_invitation(&world.admin, withdrawn.id).await);
    assert_not_found(
        store
            .withdraw_invitation(&world.admin, InvitationId(Uuid::now_v7()))
            .await,
    );
    world
        .execute("update invitation set expires_at = now()")
        .await;
    for token in [&*first, &*second, "", "\0"] {
        let answer = store
            .accept_invitation(token, "Guest", "guest@example.com", PASSWORD)
            .await;
        assert_eq!(refusal(answer), Refusal::InvitationGone);
        assert_eq!(
            refusal(store.invitation_offer(token).await),
            Refusal::InvitationGone
        );
    }
    world.end().await;
}

#[sqlx::test]
async fn whoever_was_removed_can_come_back_with_the_same_account(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let store = &world.store;
    let member = world.member(Role::Reader).await;
    let (_, token) = store
        .invite(&world.admin, Role::Admin)
        .await
        .expect("an Admin may");
    let twice = store
        .accept_invitation(&token, "Guest", &member.email, PASSWORD)
        .await;
    assert_eq!(refusal(twice), Refusal::AlreadyMember);

    store
        .remove_member(&world.admin, member.account)
        .await
        .expect("an Admin may");
    let refused = refusal(store.sign_in(&member.email, PASSWORD).await);
    assert_eq!(refused, Refusal::NoOrganization);
    let wrong = store
        .accept_invitation(&token, "Guest", &member.email, "another password")
        .await;
    assert_eq!(refusal(wrong), Refusal::EmailTaken);
    let session = store
        .accept_invitation(&token, "Guest", &member.email, PASSWORD)
        .await;
    let me = store
        .who(&session.expect("the password is right"))
        .await
        .expect("it answers");
    let me = me.expect("signed in");
    assert_eq!((me.account, me.role), (member.account, Role::Admin));
    world.end().await;
}

#[sqlx::test]
async fn the_last_admin_can_be_neither_removed_nor_demoted(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    world.member(Role::Collaborator).await;
    let demoted = store.set_role(admin, admin.account, Role::Reader).await;
    assert_eq!(refusal(demoted), Refusal::LastAdmin);
    assert_eq!(
        refusal(store.remove_member(admin, admin.account).await),
        Refusal::LastAdmin
    );
    store
        .set_role(admin, admin.account, Role::Admin)
        .await
        .expect("nothing changes");

    // Two Admins who demote each other at once: one of them stays Admin.
    let other = world.member(Role::Admin).await;
    let (one, two) = tokio::join!(
        store.set_role(admin, other.account, Role::Reader),
        store.remove_member(&other, admin.account),
    );
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    assert_eq!(
        world
            .count("select count(*) from member where role = 'admin'")
            .await,
        1
    );
    world.end().await;
}

#[sqlx::test]
async fn a_session_ends_with_the_membership(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let store = &world.store;
    let member = world.member(Role::Collaborator).await;
    let session = store.sign_in(&member.email, PASSWORD).await.expect("right");
    store
        .remove_member(&world.admin, member.account)
        .await
        .expect("an Admin may");
    assert_eq!(store.who(&session).await.expect("it answers"), None);
    // Also for a request that knew who asks before it happened.
    assert_eq!(
        refusal(store.integrations(&member).await),
        Refusal::SessionEnded
    );
    assert_not_found(store.remove_member(&world.admin, member.account).await);
    world.end().await;
}

#[sqlx::test]
async fn a_role_that_was_taken_away_is_not_used_any_more(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let member = world.member(Role::Admin).await;
    let session = store.sign_in(&member.email, PASSWORD).await.expect("right");
    store
        .set_role(admin, member.account, Role::Reader)
        .await
        .expect("an Admin may");
    let now = store
        .who(&session)
        .await
        .expect("it answers")
        .expect("still signed in");
    assert_eq!(now.role, Role::Reader);
    // `member` still says Admin, as a request would that began before.
    let Refusal::Denied(denied) = refusal(store.invite(&member, Role::Admin).await) else {
        panic!("another refusal");
    };
    assert_eq!(denied.act, Act::ManageMembers);
    assert_not_found(
        store
            .set_role(admin, AccountId(Uuid::now_v7()), Role::Reader)
            .await,
    );
    world.end().await;
}

#[sqlx::test]
async fn only_ranges_and_host_names_are_allowed_as_networks(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let network = || async { store.network(admin).await.expect("anyone may").allowed };
    assert!(network().await.is_empty());
    let allowed = vec!["127.0.0.0/8".to_owned(), "crm.example.com".to_owned()];
    store
        .set_network(admin, allowed.clone())
        .await
        .expect("an Admin may");
    assert_eq!(network().await, allowed);
    let wrong = vec!["10.0.0.0/8".to_owned(), "10.0.0.0/99".to_owned()];
    let refused = refusal(store.set_network(admin, wrong).await);
    assert_eq!(refused.code(), "organization/network-range");
    let many = vec!["10.0.0.0/8".to_owned(); 101];
    assert_eq!(refusal(store.set_network(admin, many).await).status(), 422);
    let member = world.member(Role::Collaborator).await;
    let refused = refusal(store.set_network(&member, Vec::new()).await);
    assert_eq!(refused.code(), "policy/denied");
    assert_eq!(network().await, allowed);
    world.end().await;
}
