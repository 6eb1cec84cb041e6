//! Consents: used once, by whoever asked, in the session that asked.

use domain::account::Role;
use domain::connection::{Answer, Form, Kind, Refusal as Kept, Secrets, Standing};
use engine::port::Closed;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{Refusal, SessionToken};

use crate::oauth::{BACK, SECRET, Stage, sign_in};
use crate::world::{assert_denied, assert_not_found, refusal};

fn stray<T: std::fmt::Debug>(result: Result<T, store::Error>) {
    assert_eq!(refusal(result), Refusal::Connection(Kept::StrayConsent));
}

#[sqlx::test]
async fn a_consent_gives_tokens_that_are_sealed_and_its_answer_works_once(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let id = stage.create(Kind::OAuth).await;
    assert_eq!(stage.standing(id).await.live, Standing::Missing);
    let closed = stage.open(id, None).await;
    assert!(
        matches!(&closed, Err(Closed::Broken(told)) if told.contains("Nobody has connected")),
        "{closed:?}"
    );
    let answer = stage.ask(id, false).await;
    stage.finish(&answer).await.expect("the provider gives");
    assert!(matches!(
        stage.standing(id).await.live,
        Standing::Given { at: Some(_) }
    ));
    assert_eq!(stage.open(id, None).await, Ok(1));
    assert_eq!(stage.open(id, None).await, Ok(1));
    stray(stage.finish(&answer).await);
    assert_eq!(
        stage.provider.asked(),
        1,
        "it is good until it is not taken"
    );

    let rows = "select connection_token::text from connection_token
        union all select consent::text from consent
        union all select connection::text from connection
        union all select audit::text from audit";
    let rows: Vec<String> = sqlx::query_scalar(rows)
        .fetch_all(&stage.world.sql)
        .await
        .expect("it answers");
    for secret in ["access-token-1", "refresh-token-1", SECRET, &answer.state] {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let tells = |row: &String| row.contains(secret) || row.contains(&hex);
        assert!(!rows.iter().any(tells), "{secret}");
    }
    let acts = stage.world.audit().await;
    assert!(acts.contains(&"connection.connect".to_owned()), "{acts:?}");
    stage.world.end().await;
}

#[sqlx::test]
async fn an_answer_is_taken_only_in_the_session_and_time_that_asked_and_from_who_was_asked(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let (store, admin) = (&stage.world.store, &stage.world.admin);
    let id = stage.create(Kind::OAuth).await;
    let answer = stage.ask(id, false).await;
    // Another session of the same account, and a session of nobody.
    let other = sign_in(store, "admin@example.com").await;
    let unknown = SessionToken("0".repeat(64));
    for session in [&other, &unknown] {
        stray(store.finish_consent(admin, session, &answer).await);
        let asked = store
            .connect_connection(admin, &unknown, id, false, BACK)
            .await;
        assert_eq!(refusal(asked), Refusal::SessionEnded);
    }
    for role in [Role::Collaborator, Role::Reader] {
        let me = stage.world.member(role).await;
        assert_denied(store.finish_consent(&me, &stage.session, &answer).await);
        let asked = store.connect_connection(&me, &stage.session, id, false, BACK);
        assert_denied(asked.await);
    }
    let outsider = stage.world.outsider().await;
    let theirs = store.connect_connection(&outsider, &stage.session, id, false, BACK);
    assert_not_found(theirs.await);
    stray(
        store
            .finish_consent(&outsider, &stage.session, &answer)
            .await,
    );
    let guessed = Answer {
        state: "0".repeat(64),
        ..answer.clone()
    };
    stray(stage.finish(&guessed).await);
    // None of these has used it up.
    stage.finish(&answer).await.expect("it was asked here");

    let late = stage.ask(id, false).await;
    let aged = "update consent set asked_at = now() - interval '11 minutes'";
    assert_eq!(stage.world.execute(aged).await, 1);
    stray(stage.finish(&late).await);

    let mixed = Answer {
        iss: Some("https://login.evil.example".to_owned()),
        ..stage.ask(id, false).await
    };
    let told = stage.finish(&mixed).await;
    assert_eq!(refusal(told), Refusal::Connection(Kept::OtherIssuer));
    stray(stage.finish(&mixed).await);

    let denied = Answer {
        code: None,
        error: Some("access_denied".to_owned()),
        error_description: Some("<b>No</b>".to_owned()),
        ..stage.ask(id, false).await
    };
    let told = refusal(stage.finish(&denied).await).to_string();
    assert!(told.contains("<b>No</b> (access_denied)"), "{told}");

    // What was asked for before a change, or by whoever signed out, is void.
    let before = stage.ask(id, false).await;
    let renamed = Form {
        name: "Renamed".to_owned(),
        live: Secrets::Keep,
        ..stage.form(Kind::OAuth)
    };
    let changed = store.change_connection(admin, id, &renamed).await;
    changed.expect("an Admin may");
    stray(stage.finish(&before).await);
    let before = stage.ask(id, false).await;
    store.sign_out(&stage.session).await.expect("it answers");
    stray(stage.finish(&before).await);
    assert_eq!(
        stage.provider.asked(),
        1,
        "only one answer was worth asking"
    );
    stage.world.end().await;
}

#[sqlx::test]
async fn a_code_that_was_asked_for_with_another_verifier_gives_nothing(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let id = stage.create(Kind::OAuth).await;
    let answer = stage.ask(id, false).await;
    // As when the hash was taken out of the question on its way.
    stage.provider.set(|known| known.challenge.clear());
    let told = refusal(stage.finish(&answer).await).to_string();
    assert!(told.contains("The verifier is another one."), "{told}");
    assert_eq!(stage.standing(id).await.live, Standing::Missing);
    stage.world.end().await;
}
