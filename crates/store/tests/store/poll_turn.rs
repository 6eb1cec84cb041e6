//! Turns of organizations: one with many polls that are answered slowly keeps no other waiting.

use std::collections::HashSet;

use domain::account::Me;
use engine::poll::Unanswered;
use futures::future::join_all;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{ClaimedPoll, Store};

use crate::poll::polling;
use crate::world::World;

async fn claim(store: &Store, most: usize) -> Vec<ClaimedPoll> {
    store.claim_polls(most).await.expect("it answers")
}

/// Publishes so many integrations that poll, each of which is due at once.
async fn publish(world: &World, me: &Me, count: usize) {
    for _ in 0..count {
        world.publish_as(me, polling(json!({}))).await;
    }
}

/// Lets a poll be over.
async fn answer(world: &World, claim: &ClaimedPoll) {
    let answer = Err(Unanswered::saying("It answered 500."));
    world.store.polled(claim, answer).await.expect("it answers");
}

/// Returns how many of them are of an organization.
fn share(claims: &[ClaimedPoll], me: &Me) -> usize {
    let theirs = |claim: &&ClaimedPoll| claim.organization == me.organization;
    claims.iter().filter(theirs).count()
}

#[sqlx::test]
async fn an_organization_that_waits_shorter_is_polled_as_often_as_one_with_many_polls(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let outsider = world.free_outsider().await;
    publish(&world, &world.admin, 14).await;
    publish(&world, &outsider, 5).await;
    let first = claim(&world.store, 6).await;
    assert_eq!((first.len(), share(&first, &outsider)), (5, 2));
    // What is under way is counted, in whatever process that is.
    for poll in first
        .iter()
        .filter(|poll| poll.organization == outsider.organization)
    {
        answer(&world, poll).await;
    }
    let other = world.other_process().await;
    let second = claim(&other, 3).await;
    assert_eq!((second.len(), share(&second, &outsider)), (2, 2));
    // Where all that is due has a place, nobody's turn matters.
    let third = claim(&world.store, 20).await;
    assert_eq!((third.len(), share(&third, &outsider)), (12, 1));
    assert!(claim(&world.store, 20).await.is_empty());
    other.close().await;
    world.end().await;
}

#[sqlx::test]
async fn the_last_place_waits_for_an_organization_that_has_none(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let outsider = world.free_outsider().await;
    publish(&world, &world.admin, 6).await;
    let slow = claim(&world.store, 4).await;
    assert_eq!(slow.len(), 3);
    assert!(claim(&world.store, 1).await.is_empty());
    publish(&world, &outsider, 2).await;
    let theirs = claim(&world.store, 1).await;
    assert_eq!((theirs.len(), share(&theirs, &outsider)), (1, 1));
    // Two places are free: one for the next, and one that waits again.
    answer(&world, &slow[0]).await;
    answer(&world, &slow[1]).await;
    let next = claim(&world.store, 2).await;
    assert_eq!(
        (next.len(), share(&next, &outsider)),
        (1, 0),
        "it waits longer"
    );
    world.end().await;
}

#[sqlx::test]
async fn processes_that_claim_at_once_share_what_is_due(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    publish(&world, &world.admin, 20).await;
    let others = join_all((0..3).map(|_| world.other_process())).await;
    let mut claimed = Vec::new();
    // Whoever comes second finds some taken, and looks again.
    while claimed.len() < 15 {
        let claims = others.iter().map(|store| claim(store, 5));
        claimed.extend(join_all(claims).await.concat());
    }
    let integrations: HashSet<_> = claimed.iter().map(|poll| poll.integration).collect();
    assert_eq!(integrations.len(), claimed.len(), "none twice");
    join_all(others.iter().map(Store::close)).await;
    world.end().await;
}
