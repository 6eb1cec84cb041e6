//! Questions of many that are asked in one statement.

use domain::DocumentHash;
use futures::future::join_all;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::Error;

use crate::world::World;

#[sqlx::test]
async fn of_many_that_ask_at_once_each_gets_its_own_answer(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let mut known = Vec::new();
    for _ in 0..5 {
        let (integration, route) = world.hook().await;
        known.push((world.hook_token(integration).await, route));
    }
    // It remembers nothing yet.
    let other = world.other_process().await;
    let nowhere = "0".repeat(known[0].0.len());
    let asked = (0..60).map(|number| known.get(number % 6));
    let answers = asked.clone().map(|known| {
        let token = known.map_or(nowhere.as_str(), |(token, _)| token);
        other.hook_route(token)
    });
    for (answer, known) in join_all(answers).await.into_iter().zip(asked.clone()) {
        let expected = known.map(|(_, route)| route);
        assert_eq!(answer.expect("it answers").as_ref(), expected);
    }
    let unknown = DocumentHash("0".repeat(64));
    let organization = world.admin.organization;
    let documents = asked.clone().map(|known| {
        let hash = known.map_or(&unknown, |(_, route)| &route.hash);
        other.document(organization, hash)
    });
    for (document, known) in join_all(documents).await.into_iter().zip(asked) {
        match (document, known) {
            (Ok(stored), Some((_, route))) => assert_eq!(stored.document.hash(), route.hash),
            (Err(Error::NotFound), None) => {}
            (answer, known) => panic!("{answer:?} for {known:?}"),
        }
    }
    other.close().await;
    world.end().await;
}

#[sqlx::test]
async fn a_question_is_asked_again_when_its_connection_was_lost(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (_, route) = world.hook().await;
    let hash = route.hash.clone();
    let organization = world.admin.organization;
    for _ in 0..3 {
        let stored = world.store.document(organization, &hash).await;
        assert_eq!(stored.expect("it is there").document.hash(), hash);
        world
            .execute(
                "select pg_terminate_backend(pid) from pg_stat_activity
                 where datname = current_database() and pid <> pg_backend_pid()
                    and usename = current_user",
            )
            .await;
    }
    world.end().await;
}
