//! Keys are rotated: all secrets are sealed anew while they are used, in steps that can stop anywhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::account::Me;
use domain::connection::{Form, HEADERS, Kind, Secrets};
use domain::{ConnectionId, RunId};
use engine::port::{Closed, Vault};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{Error, MasterKeys, Store};

use crate::world::{World, clean};

/// Connections of each of two organizations; each has twenty secrets.
const CONNECTIONS: usize = 30;

fn keys(text: &str) -> MasterKeys {
    MasterKeys::read(text).expect("they are keys")
}

/// The key that every process of a test begins with.
fn old() -> String {
    "5a".repeat(32)
}

fn new() -> String {
    "77".repeat(32)
}

fn both() -> MasterKeys {
    keys(&format!("{}\n{}\n", new(), old()))
}

fn form(name: &str, round: usize) -> Form {
    let secrets = |of: &str| {
        let secret = |number| format!("planted-{of}-{name}-{round}-{number}");
        Secrets::Set((0..HEADERS).map(secret).collect())
    };
    Form {
        name: name.to_owned(),
        kind: Kind::Headers,
        names: (0..HEADERS)
            .map(|number| format!("X-Key-{number}"))
            .collect(),
        origins: vec!["https://api.example.com".to_owned()],
        live: secrets("live"),
        test: secrets("test"),
        oauth: None,
        server: None,
    }
}

async fn fill(store: &Store, me: &Me) -> Vec<ConnectionId> {
    let mut ids = Vec::new();
    for number in 0..CONNECTIONS {
        let form = form(&format!("Shop {number}"), 0);
        ids.push(store.create_connection(me, &form).await.expect("it fits"));
    }
    ids
}

async fn run(world: &World) -> RunId {
    let (integration, _) = world.hook().await;
    let kept = world
        .store
        .keep_signing_secret(&world.admin, integration, None);
    kept.await.expect("an Admin may");
    let manual = world.publish(clean("manual")).await;
    let started = world.store.start_manual(&world.admin, manual, json!({}));
    started.await.expect("it is live")
}

/// Opens connections live and for tests; returns how many open.
async fn open(store: &Store, run: RunId, ids: &[ConnectionId]) -> usize {
    let mut count = 0;
    for id in ids {
        for is_test in [false, true] {
            match Vault::open(store, run, *id, is_test, None).await {
                Ok(_) => count += 1,
                Err(Closed::Broken(_)) => {}
                Err(closed) => panic!("the database answers: {closed:?}"),
            }
        }
    }
    count
}

async fn process(world: &World, known: MasterKeys) -> Store {
    let store = Store::connect_with(world.options(), 10).await;
    let store = store.expect("the database answers");
    store.unlock(known);
    store
}

#[sqlx::test]
async fn all_secrets_are_sealed_anew_while_they_are_used_and_then_the_old_key_opens_none(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let outsider = world.outsider().await;
    let ids = fill(&world.store, &world.admin).await;
    fill(&world.store, &outsider).await;
    crate::oauth::fill(&world).await;
    let run = run(&world).await;
    let serving = process(&world, both()).await;
    let is_over = Arc::new(AtomicBool::new(false));
    // Meanwhile runs open connections, and an Admin types secrets.
    let used = {
        let (serving, ids, is_over) = (serving.clone(), ids.clone(), Arc::clone(&is_over));
        let admin = world.admin.clone();
        tokio::spawn(async move {
            let mut round = 0;
            while !is_over.load(Ordering::Relaxed) {
                round += 1;
                let form = form(&format!("Shop {}", round % CONNECTIONS), round);
                let id = ids[round % CONNECTIONS];
                let changed = serving.change_connection(&admin, id, &form).await;
                changed.expect("an Admin may");
                assert_eq!(
                    open(&serving, run, &ids).await,
                    2 * ids.len(),
                    "round {round}"
                );
            }
            round
        })
    };
    let rotating = process(&world, both()).await;
    let mut steps = 0;
    let rotated = rotating.rotate_keys(|_| steps += 1).await;
    let rotated = rotated.expect("both keys are known");
    is_over.store(true, Ordering::Relaxed);
    let rounds = used.await.expect("each opening succeeds");
    assert!(rounds > 0 && steps > 5, "{rounds} rounds, {steps} steps");
    assert_eq!((rotated.organizations, rotated.left), (2, 0));
    let all = u64::try_from(2 * CONNECTIONS * 2 * HEADERS).expect("it is small");
    assert!(rotated.secrets > all / 2, "{rotated:?}");

    let after = process(&world, keys(&new())).await;
    assert_eq!(open(&after, run, &ids).await, 2 * ids.len());
    let before = process(&world, keys(&old())).await;
    assert_eq!(open(&before, run, &ids).await, 0);
    let left = "select count(*) from data_key";
    assert_eq!(world.count(left).await, 2, "the old data keys are gone");
    let noted = world.audit().await;
    assert!(
        noted.contains(&"organization.rotate_key".to_owned()),
        "{noted:?}"
    );

    let again = after.rotate_keys(|_| ()).await.expect("nothing is left");
    assert_eq!(
        (again.organizations, again.secrets, again.deleted),
        (0, 0, 0)
    );
    for store in [serving, rotating, after, before] {
        store.close().await;
    }
    world.end().await;
}

#[sqlx::test]
async fn what_was_stopped_in_the_middle_opens_and_goes_on_where_it_was(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let ids = fill(&world.store, &world.admin).await;
    let run = run(&world).await;
    let both = process(&world, both()).await;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let rotating = {
        let store = both.clone();
        tokio::spawn(async move {
            let sent = |done: store::Resealed| {
                let _ = tell.send(done.secrets);
            };
            store.rotate_keys(sent).await
        })
    };
    // The signing secret is the first.
    while told.recv().await.expect("it is not over") <= 1 {}
    rotating.abort();
    let _ = rotating.await;
    let counts = "select count(distinct substring(sealed from 2 for 4)) from connection_secret";
    assert_eq!(
        world.count(counts).await,
        2,
        "some are sealed anew, some are not"
    );
    assert_eq!(open(&both, run, &ids).await, 2 * ids.len());
    let rest = both.rotate_keys(|_| ()).await.expect("both keys are known");
    let all = u64::try_from(CONNECTIONS * 2 * HEADERS).expect("it is small");
    assert!(
        rest.organizations == 0 && rest.secrets > 0 && rest.secrets < all,
        "{rest:?}"
    );
    let after = process(&world, keys(&new())).await;
    assert_eq!(open(&after, run, &ids).await, 2 * ids.len());
    for store in [both, after] {
        store.close().await;
    }
    world.end().await;
}

#[sqlx::test]
async fn a_process_that_knows_the_old_key_reads_the_new_one_when_it_meets_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let ids = fill(&world.store, &world.admin).await;
    let run = run(&world).await;
    world.store.unlock_again(|| Some(both()));
    let without = process(&world, keys(&old())).await;
    without.unlock_again(|| None);
    let rotating = process(&world, both()).await;
    rotating.rotate_keys(|_| ()).await.expect("both are known");
    assert_eq!(open(&world.store, run, &ids).await, 2 * ids.len());
    assert_eq!(open(&without, run, &ids).await, 0);
    // What an organization seals first is sealed under the new one, also by a process that has not
    // met it yet: the old one may be gone by the next start.
    let late = process(&world, keys(&old())).await;
    late.unlock_again(|| Some(keys(&new())));
    let outsider = world.outsider().await;
    let kept = late.create_connection(&outsider, &form("Theirs", 0)).await;
    kept.expect("it fits");
    let masters = "select count(distinct master) from data_key";
    assert_eq!(world.count(masters).await, 1);
    for store in [without, rotating, late] {
        store.close().await;
    }
    world.end().await;
}

#[sqlx::test]
async fn without_the_key_that_secrets_are_sealed_under_nothing_is_begun(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let ids = fill(&world.store, &world.admin).await;
    let run = run(&world).await;
    let wrong = process(&world, keys(&new())).await;
    let told = wrong.rotate_keys(|_| ()).await;
    assert!(matches!(told, Err(Error::Unavailable(_))), "{told:?}");
    assert_eq!(world.count("select count(*) from data_key").await, 1);
    assert_eq!(open(&world.store, run, &ids).await, 2 * ids.len());
    wrong.close().await;
    world.end().await;
}

#[sqlx::test]
async fn what_is_sealed_first_under_the_old_key_while_keys_are_rotated_is_sealed_anew_too(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    run(&world).await;
    // Someone holds one secret, so that the rotation cannot end.
    let mut held = world.sql.begin().await.expect("it answers");
    let hold = "select signing_secret_id from signing_secret for update";
    sqlx::query(hold).execute(&mut *held).await.expect("it is");
    let rotating = process(&world, both()).await;
    let rotated = {
        let store = rotating.clone();
        tokio::spawn(async move { store.rotate_keys(|_| ()).await })
    };
    let anew = "select count(*) from data_key where number = 2";
    while world.count(anew).await == 0 {
        tokio::task::yield_now().await;
    }
    // A process that was given the old key, and that can read no other.
    let outsider = world.outsider().await;
    let late = form("Late", 0);
    let late = world.store.create_connection(&outsider, &late).await;
    late.expect("it fits");
    held.commit().await.expect("it answers");
    let rotated = rotated.await.expect("it does not panic");
    let rotated = rotated.expect("both keys are known");
    assert_eq!((rotated.organizations, rotated.left), (2, 0), "{rotated:?}");
    let masters = "select count(distinct master) from data_key";
    assert_eq!(world.count(masters).await, 1);
    rotating.close().await;
    world.end().await;
}

#[sqlx::test]
async fn a_rotation_waits_for_who_is_just_wrapping_a_data_key(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let kept = form("Shop", 0);
    let kept = world.store.create_connection(&world.admin, &kept).await;
    kept.expect("it fits");
    // Its first data key, as before the transaction that makes it is committed.
    world
        .execute("create table kept as select * from data_key")
        .await;
    world.execute("delete from data_key").await;
    let mut wrapping = world.sql.begin().await.expect("it answers");
    for statement in [
        "select pg_advisory_xact_lock_shared(x'736c77696365'::bigint)",
        "insert into data_key select * from kept",
    ] {
        let done = sqlx::query(statement).execute(&mut *wrapping).await;
        done.expect("it is right");
    }
    let rotating = process(&world, both()).await;
    let rotated = {
        let store = rotating.clone();
        tokio::spawn(async move { store.rotate_keys(|_| ()).await })
    };
    world.someone_waits().await;
    assert!(!rotated.is_finished());
    wrapping.commit().await.expect("it answers");
    let rotated = rotated.await.expect("it does not panic");
    let rotated = rotated.expect("both keys are known");
    assert_eq!((rotated.organizations, rotated.left), (1, 0), "{rotated:?}");
    rotating.close().await;
    world.end().await;
}

#[sqlx::test]
async fn nothing_is_sealed_first_under_a_key_that_can_be_read_no_more(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    world.store.unlock_again(|| None);
    let form = form("Shop", 0);
    let kept = world.store.create_connection(&world.admin, &form).await;
    let refused = store::Refusal::from(domain::signing::Refusal::NoMasterKey);
    assert_eq!(crate::world::refusal(kept), refused);
    assert_eq!(world.count("select count(*) from data_key").await, 0);
    world.end().await;
}

/// Columns of bytes that are sealed by no data key: components are no secrets.
const SEALED_OTHERWISE: [(&str, &str); 3] = [
    ("_sqlx_migrations", "checksum"),
    ("component", "bytes"),
    ("data_key", "wrapped"),
];

#[sqlx::test]
async fn a_rotation_knows_each_column_that_is_sealed(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let columns = "select table_name::text, column_name::text from information_schema.columns
        where table_schema = 'public' and data_type = 'bytea' order by 1, 2";
    let columns: Vec<(String, String)> = sqlx::query_as(columns)
        .fetch_all(&world.sql)
        .await
        .expect("it answers");
    assert!(columns.len() > SEALED_OTHERWISE.len(), "{columns:?}");
    // What it does not know it leaves as it is, and deletes the key that opens it.
    let rotation = include_str!("../../src/vault/rotate.rs");
    let rotation: Vec<&str> = rotation.split_whitespace().collect();
    let rotation = rotation.join(" ");
    for (table, column) in columns {
        if SEALED_OTHERWISE.contains(&(table.as_str(), column.as_str())) {
            continue;
        }
        let begin = format!("from {table} as s where s.organization_id = k.organization_id");
        let needs = rotation.split(&begin).nth(1).unwrap_or_default();
        let needs = needs.split("not exists").next().unwrap_or_default();
        for (what, is_known) in [
            (
                "seals it anew",
                rotation.contains(&format!("update {table} set {column} = $")),
            ),
            (
                "finds it",
                rotation.contains(&format!(
                    "from {table} as s where substring({column} from 2 for 4) <>"
                )),
            ),
            (
                "keeps its data key",
                needs.contains(&format!("substring(s.{column} from 2 for 4)")),
            ),
        ] {
            assert!(is_known, "no rotation {what}: {table}.{column}");
        }
    }
    world.end().await;
}
