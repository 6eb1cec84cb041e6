//! Setting up, signing in and out, and the bound on guessing.

use futures::future::join_all;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{Refusal, SessionToken, Store};

use crate::world::{PASSWORD, World, refusal};

#[sqlx::test]
async fn set_up_happens_once_also_when_many_try_at_once(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let store = Store::connect_with(options, 10)
        .await
        .expect("the database answers");
    assert!(!store.is_set_up().await.expect("it answers"));
    let emails = ["a@example.com", "b@example.com", "c@example.com"];
    let tries = emails.map(|email| store.set_up("Demo Workshop", "First", email, PASSWORD));
    let results = join_all(tries).await;
    let tokens: Vec<SessionToken> = results
        .iter()
        .filter_map(|r| r.as_ref().ok().cloned())
        .collect();
    assert_eq!(tokens.len(), 1);
    for result in results.into_iter().filter(Result::is_err) {
        assert_eq!(refusal(result), Refusal::AlreadySetUp);
    }
    assert!(store.is_set_up().await.expect("it answers"));
    let me = store
        .who(&tokens[0])
        .await
        .expect("it answers")
        .expect("signed in");
    assert_eq!(me.organization_name, "Demo Workshop");
    assert_eq!(me.role, domain::account::Role::Admin);
    store.close().await;
}

#[sqlx::test]
async fn signing_in_begins_a_session_and_signing_out_ends_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let store = &world.store;
    let token = store
        .sign_in(" Admin@Example.com ", PASSWORD)
        .await
        .expect("they are right");
    assert_eq!(
        store.who(&token).await.expect("it answers"),
        Some(world.admin.clone())
    );
    store.sign_out(&token).await.expect("it answers");
    assert_eq!(store.who(&token).await.expect("it answers"), None);
    store.sign_out(&token).await.expect("twice is no harm");
    assert_eq!(
        world.audit().await,
        ["account.sign_in", "account.sign_out", "organization.create"]
    );
    world.end().await;
}

#[sqlx::test]
async fn a_wrong_password_and_an_unknown_address_get_the_same_answer(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    for email in [
        "admin@example.com",
        "nobody@example.com",
        "no address",
        "a\0@example.com",
    ] {
        let answer = world.store.sign_in(email, "not the password").await;
        assert_eq!(refusal(answer), Refusal::WrongCredentials, "{email}");
    }
    world.end().await;
}

#[sqlx::test]
async fn the_eleventh_attempt_in_a_quarter_of_an_hour_is_not_looked_at(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    for email in ["admin@example.com", "nobody@example.com"] {
        // All at once: none slips through before the others are counted.
        let attempts = (0..14).map(|_| world.store.sign_in(email, "not the password"));
        let refusals: Vec<_> = join_all(attempts).await.into_iter().map(refusal).collect();
        let looked_at = refusals
            .iter()
            .filter(|r| **r == Refusal::WrongCredentials)
            .count();
        assert_eq!(looked_at, 10, "{email}");
        let refused = refusal(world.store.sign_in(email, PASSWORD).await);
        let Refusal::TooManyAttempts {
            retry_after_seconds,
        } = refused
        else {
            panic!("it was looked at: {refused:?}");
        };
        assert!((1..=900).contains(&retry_after_seconds));
    }
    world
        .execute("update sign_in_failure set first_at = now() - interval '16 minutes'")
        .await;
    world
        .store
        .sign_in("admin@example.com", PASSWORD)
        .await
        .expect("time has passed");
    let remembered = world.count("select count(*) from sign_in_failure").await;
    assert_eq!(
        remembered, 0,
        "what is old is forgotten, and what succeeded"
    );
    world.end().await;
}

#[sqlx::test]
async fn a_right_password_clears_the_failures_before_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    for _ in 0..2 {
        for _ in 0..9 {
            let answer = world
                .store
                .sign_in("admin@example.com", "not the password")
                .await;
            assert_eq!(refusal(answer), Refusal::WrongCredentials);
        }
        world
            .store
            .sign_in("admin@example.com", PASSWORD)
            .await
            .expect("nine may fail");
    }
    world.end().await;
}

#[sqlx::test]
async fn a_session_ends_when_it_is_not_used_and_at_the_latest_after_60_days(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let store = &world.store;
    let sign_in = async || {
        store
            .sign_in("admin@example.com", PASSWORD)
            .await
            .expect("right")
    };

    let idle = sign_in().await;
    world
        .execute("update session set used_at = now() - interval '13 days'")
        .await;
    assert!(store.who(&idle).await.expect("it answers").is_some());
    let used =
        world.count("select count(*) from session where used_at > now() - interval '1 hour'");
    assert_eq!(used.await, 1, "being asked counts as use");
    world
        .execute("update session set used_at = now() - interval '15 days'")
        .await;
    assert_eq!(store.who(&idle).await.expect("it answers"), None);

    let old = sign_in().await;
    assert_eq!(
        world.count("select count(*) from session").await,
        1,
        "what ended is cleared away"
    );
    world.execute("update session set expires_at = now()").await;
    assert_eq!(store.who(&old).await.expect("it answers"), None);
    world.end().await;
}

#[sqlx::test]
async fn neither_a_password_nor_a_token_can_be_read_from_the_database(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let token = world
        .store
        .sign_in("admin@example.com", PASSWORD)
        .await
        .expect("right");
    let stored: String = sqlx::query_scalar("select token_hash from session")
        .fetch_one(&world.sql)
        .await
        .expect("it answers");
    assert_ne!(stored, token.0);
    assert_eq!(
        world
            .store
            .who(&SessionToken(stored))
            .await
            .expect("it answers"),
        None
    );
    let hash: String = sqlx::query_scalar("select password_hash from account")
        .fetch_one(&world.sql)
        .await
        .expect("it answers");
    assert!(
        hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{hash}"
    );
    world.end().await;
}
