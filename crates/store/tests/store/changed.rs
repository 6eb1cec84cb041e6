//! What is changed, sealed anew or left while a token is on its way.

use domain::connection::{Form, Kind, Refusal as Kept, Secrets, Standing};
use engine::port::{Closed, Vault};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{MasterKeys, Refusal};

use crate::oauth::{BACK, SECRET, Stage};
use crate::world::refusal;

/// Waits until the provider was asked so often.
async fn asked(stage: &Stage, count: usize) {
    while stage.provider.asked() < count {
        tokio::task::yield_now().await;
    }
}

fn with_test(form: Form) -> Form {
    Form {
        test: Secrets::Set(vec![format!("{SECRET}-test")]),
        ..form
    }
}

#[sqlx::test]
async fn what_a_consent_gives_is_kept_though_who_came_back_with_it_went_away(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let id = stage.create(Kind::OAuth).await;
    let answer = stage.ask(id, false).await;
    let gate = stage.provider.gate.clone();
    let held = gate.write().await;
    {
        let mut finishing = std::pin::pin!(stage.finish(&answer));
        while stage.provider.asked() < 1 {
            assert!(futures::poll!(finishing.as_mut()).is_pending());
            tokio::task::yield_now().await;
        }
    }
    drop(held);
    stage.world.store.close().await;
    let given = "select count(*) from connection_token where access is not null";
    assert_eq!(stage.world.count(given).await, 1, "closing waited for it");
    stage.world.end().await;
}

#[sqlx::test]
async fn a_consent_for_tests_gives_nothing_once_tests_use_the_live_one(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let (store, admin) = (&stage.world.store, &stage.world.admin);
    let form = with_test(stage.form(Kind::OAuth));
    let id = store.create_connection(admin, &form).await;
    let id = id.expect("an Admin may");
    let answer = stage.ask(id, true).await;
    let gate = stage.provider.gate.clone();
    let held = gate.write().await;
    let without = Form {
        live: Secrets::Keep,
        test: Secrets::Remove,
        ..form
    };
    let change = async {
        asked(&stage, 1).await;
        let changed = store.change_connection(admin, id, &without).await;
        changed.expect("an Admin may");
        drop(held);
    };
    let (finished, ()) = tokio::join!(stage.finish(&answer), change);
    assert_eq!(
        refusal(finished),
        Refusal::Connection(Kept::StrayConsent),
        "there is nowhere to keep it"
    );
    stage.world.end().await;
}

#[sqlx::test]
async fn a_refusal_of_what_an_admin_has_mended_meanwhile_is_not_written_down(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let (store, admin) = (&stage.world.store, &stage.world.admin);
    let id = stage.create(Kind::OAuthClient).await;
    let wrong = json!({ "error": "invalid_client" });
    stage
        .provider
        .set(|known| known.refuses = Some((401, wrong)));
    let gate = stage.provider.gate.clone();
    let held = gate.write().await;
    let mend = async {
        asked(&stage, 1).await;
        let form = stage.form(Kind::OAuthClient);
        let mended = store.change_connection(admin, id, &form).await;
        mended.expect("an Admin may");
        drop(held);
    };
    let (closed, ()) = tokio::join!(stage.open(id, None), mend);
    assert!(
        matches!(&closed, Err(Closed::Later(told)) if told.contains("changed meanwhile")),
        "{closed:?}"
    );
    assert_eq!(stage.standing(id).await.live, Standing::Given { at: None });
    stage.provider.set(|known| known.refuses = None);
    assert!(stage.open(id, None).await.is_ok());
    stage.world.end().await;
}

#[sqlx::test]
async fn a_token_of_a_client_that_was_taken_away_does_not_become_that_of_the_next(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let (store, admin) = (&stage.world.store, &stage.world.admin);
    let form = with_test(stage.form(Kind::OAuthClient));
    let id = store.create_connection(admin, &form).await;
    let id = id.expect("an Admin may");
    let gate = stage.provider.gate.clone();
    let held = gate.write().await;
    let exchange = async {
        asked(&stage, 1).await;
        for test in [Secrets::Remove, with_test(form.clone()).test] {
            let next = Form {
                live: Secrets::Keep,
                test,
                ..form.clone()
            };
            let changed = store.change_connection(admin, id, &next).await;
            changed.expect("an Admin may");
        }
        drop(held);
    };
    let opening = Vault::open(store, stage.run, id, true, None);
    let (closed, ()) = tokio::join!(opening, exchange);
    assert!(matches!(closed, Err(Closed::Later(_))), "{closed:?}");
    let given = "select count(*) from connection_token where access is not null";
    assert_eq!(stage.world.count(given).await, 0);
    let next = Vault::open(store, stage.run, id, true, None).await;
    assert!(next.is_ok(), "{next:?}");
    stage.world.end().await;
}

#[sqlx::test]
async fn who_connects_and_who_changes_take_the_connection_first(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let id = stage.create(Kind::OAuth).await;
    let mut changing = stage.world.sql.begin().await.expect("it answers");
    let connection = "select name from connection for update";
    let locked = sqlx::query(connection).execute(&mut *changing).await;
    locked.expect("nobody has it");
    let (store, admin) = (&stage.world.store, &stage.world.admin);
    let change = async {
        stage.world.someone_waits().await;
        let token = "select issue from connection_token for update nowait";
        let locked = sqlx::query(token).execute(&mut *changing).await;
        locked.expect("who waits has not taken it");
        changing.commit().await.expect("it answers");
    };
    let connecting = store.connect_connection(admin, &stage.session, id, false, BACK);
    let (address, ()) = tokio::join!(connecting, change);
    assert!(address.expect("an Admin may").is_some());
    stage.world.end().await;
}

#[sqlx::test]
async fn what_is_sealed_anew_between_being_read_and_being_opened_opens(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let (store, admin) = (&stage.world.store, &stage.world.admin);
    let token = stage.connected().await;
    let typed = Form {
        name: "By a key".to_owned(),
        kind: Kind::Bearer,
        names: Vec::new(),
        oauth: None,
        server: None,
        ..stage.form(Kind::OAuth)
    };
    let typed = store.create_connection(admin, &typed).await;
    let typed = typed.expect("an Admin may");
    let keys = format!("{}\n{}", "77".repeat(32), "5a".repeat(32));
    let keys = MasterKeys::read(&keys).expect("they are keys");
    store.unlock(keys);

    // What the rotation writes is kept, and what was there before is put back.
    let before = [
        "create table key_before as select * from data_key",
        "create table secret_before as select * from connection_secret",
        "create table token_before as select * from connection_token",
    ];
    let after = [
        "create table secret_after as select * from connection_secret",
        "create table token_after as select * from connection_token",
        "insert into data_key select * from key_before",
        "update connection_secret as s set sealed = b.sealed from secret_before as b
         where b.connection_id = s.connection_id",
        "update connection_token as s set access = b.access, refresh = b.refresh
         from token_before as b where b.connection_id = s.connection_id",
    ];
    for statement in before {
        stage.world.execute(statement).await;
    }
    store.rotate_keys(|_| ()).await.expect("both are known");
    for statement in after {
        stage.world.execute(statement).await;
    }

    for id in [token, typed] {
        let mut rotating = stage.world.sql.begin().await.expect("it answers");
        let lock = "lock table data_key in access exclusive mode";
        let locked = sqlx::query(lock).execute(&mut *rotating).await;
        locked.expect("nobody has it");
        let rotate = async {
            stage.world.someone_waits().await;
            for statement in [
                "update connection_secret as s set sealed = a.sealed from secret_after as a
                 where a.connection_id = s.connection_id",
                "update connection_token as s set access = a.access, refresh = a.refresh
                 from token_after as a where a.connection_id = s.connection_id",
                "delete from data_key where number = 1",
            ] {
                let done = sqlx::query(statement).execute(&mut *rotating).await;
                done.expect("it is right");
            }
            rotating.commit().await.expect("it answers");
        };
        let opening = Vault::open(store, stage.run, id, false, None);
        let (opened, ()) = tokio::join!(opening, rotate);
        assert!(opened.is_ok(), "{opened:?}");
        for statement in &after[2..] {
            stage.world.execute(statement).await;
        }
    }
    stage.world.end().await;
}
