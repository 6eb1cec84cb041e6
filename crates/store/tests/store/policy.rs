//! The review policy and the owners: set by Admins, and in force at once.

use domain::account::Role;
use domain::draft::DraftState;
use domain::review::policy::APPROVALS_MAX;
use domain::review::{Happening, OwnerScope, Policy, Refusal as No, Rule, Verdict};
use domain::{AccountId, IntegrationId};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use uuid::Uuid;

use crate::world::{World, assert_denied, assert_not_found, clean, refusal, review_refusal, unmet};

#[sqlx::test]
async fn an_integration_has_the_organizations_policy_or_its_own(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let (integration, draft) = world.draft_of(clean("webhook")).await;
    let (other, _) = world.draft_of(clean("webhook")).await;
    let settings = store.policy_settings(admin).await.expect("it answers");
    assert_eq!(settings.organization, Policy::default());
    assert!(settings.integrations.iter().all(|one| one.policy.is_none()));
    let free = Policy {
        approvals: 0,
        ..Policy::default()
    };
    let set = store
        .set_policy(admin, Some(integration), Some(free.clone()))
        .await;
    set.expect("an Admin sets it");
    let settings = store.policy_settings(admin).await.expect("it answers");
    let own = |id: IntegrationId| {
        let mut all = settings.integrations.iter();
        all.find(|one| one.integration == id)
            .and_then(|one| one.policy.clone())
    };
    assert_eq!((own(integration), own(other)), (Some(free), None));
    world.publish_reviewed(draft, 1).await.expect("it is free");

    let set = store.set_policy(admin, Some(integration), None).await;
    set.expect("an Admin sets it");
    let next = store.start_draft(admin, integration, "Next").await;
    let next = next.expect("an Admin may");
    world.save(next, 1).await.expect("it fits");
    let rules = unmet(refusal(world.publish_reviewed(next, 2).await));
    assert!(matches!(rules[..], [Rule::Approvals { .. }]));
    world.end().await;
}

#[sqlx::test]
async fn only_admins_set_the_policy_and_only_what_makes_sense(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let (store, admin) = (&world.store, &world.admin);
    for role in [Role::Collaborator, Role::Reader] {
        let me = &world.member(role).await;
        assert_denied(store.set_policy(me, None, Some(Policy::default())).await);
        let scope = OwnerScope::StepKind("log".to_owned());
        assert_denied(store.set_owners(me, scope, &[me.account]).await);
        store.policy_settings(me).await.expect("every member looks");
    }
    let greedy = Policy {
        approvals: APPROVALS_MAX + 1,
        ..Policy::default()
    };
    let refused = store.set_policy(admin, None, Some(greedy)).await;
    assert_eq!(review_refusal(refused), No::TooManyApprovals);
    let nowhere = IntegrationId(Uuid::now_v7());
    assert_not_found(store.set_policy(admin, Some(nowhere), None).await);
    let me = [admin.account];
    let scope = OwnerScope::Integration(nowhere);
    assert_not_found(store.set_owners(admin, scope, &me).await);
    let scope = OwnerScope::StepKind("no.such.kind".to_owned());
    assert_not_found(store.set_owners(admin, scope, &me).await);
    let scope = || OwnerScope::StepKind("log".to_owned());
    let stranger = [AccountId(Uuid::now_v7())];
    let refused = store.set_owners(admin, scope(), &stranger).await;
    assert_eq!(review_refusal(refused), No::NotAMember);
    let many: Vec<_> = (0..51).map(|_| AccountId(Uuid::now_v7())).collect();
    let refused = store.set_owners(admin, scope(), &many).await;
    assert_eq!(review_refusal(refused), No::TooManyPeople);
    world.end().await;
}

#[sqlx::test]
async fn an_owner_must_approve_what_is_owned(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::reviewing(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let ben = world.member(Role::Collaborator).await;
    let owner = world.member(Role::Collaborator).await;
    let logs = || OwnerScope::StepKind("log".to_owned());
    let rules = store.set_owners(admin, logs(), &[owner.account]).await;
    let rules = rules.expect("an Admin sets it");
    assert_eq!(
        (rules.len(), rules[0].owners[0].account),
        (1, owner.account)
    );
    let (draft, review) = world.review().await;
    let told = store.inbox(&owner).await.expect("it answers");
    assert_eq!(told.notifications[0].happening, Happening::Asked);
    assert_eq!(told.reviews[0].turns[0].person.account, owner.account);
    world
        .submit(&ben, review, 1, Verdict::Approve)
        .await
        .expect("a Collaborator decides");
    assert_eq!(world.state(draft).await, DraftState::InReview);
    let rules = unmet(refusal(world.publish_reviewed(draft, 1).await));
    assert!(matches!(rules[..], [Rule::Owners { .. }]), "{rules:?}");

    // Who owns something else is not asked; who owns nothing any more neither.
    let others = OwnerScope::StepKind("http.request".to_owned());
    store
        .set_owners(admin, others, &[admin.account])
        .await
        .expect("an Admin sets it");
    let rules = store
        .set_owners(admin, logs(), &[])
        .await
        .expect("an Admin sets it");
    assert_eq!(rules.len(), 1);
    assert_eq!(world.state(draft).await, DraftState::Approved, "at once");
    let integration = world.page(review).await.summary.integration;
    let all = OwnerScope::Integration(integration);
    store
        .set_owners(admin, all, &[owner.account])
        .await
        .expect("an Admin sets it");
    assert_eq!(world.state(draft).await, DraftState::InReview);

    // What is owned does not become free when its owner leaves.
    store
        .remove_member(admin, owner.account)
        .await
        .expect("an Admin may");
    let rules = unmet(refusal(world.publish_reviewed(draft, 1).await));
    assert!(matches!(rules[..], [Rule::Owners { .. }]), "{rules:?}");
    world.end().await;
}
