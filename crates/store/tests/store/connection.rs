//! Connections: sealed for their place, used by those who may, deleted when nothing names them.

use domain::account::{Me, Role};
use domain::connection::{Connection, Form, Kind, Refusal as Kept, Secrets};
use domain::document::Step;
use domain::draft::DraftState;
use domain::review::{OwnerScope, Verdict};
use domain::{ConnectionId, Document, RunId};
use engine::port::{Closed, Vault};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{Error, MasterKey, Refusal, Store};
use uuid::Uuid;

use crate::world::{World, assert_denied, assert_not_found, clean, log_step, refusal};

const SECRET: &str = "planted-secret-of-the-shop";

pub(crate) fn form(name: &str) -> Form {
    Form {
        name: name.to_owned(),
        kind: Kind::Headers,
        names: vec!["X-Id".to_owned(), "X-Key".to_owned()],
        origins: vec!["https://api.example.com".to_owned()],
        live: Secrets::Set(vec![SECRET.to_owned(), format!("{SECRET}-two")]),
        test: Secrets::Set(vec![format!("{SECRET}-test"), format!("{SECRET}-test-two")]),
        oauth: None,
        server: None,
    }
}

/// Returns a document whose only step calls with a connection.
fn calling(connection: ConnectionId) -> Document {
    let mut document = Document::new("manual");
    let mut step = Step {
        kind: "http.request".to_owned(),
        ..log_step("Call", "call")
    };
    let config = json!({ "method": "GET", "url": "https://api.example.com/a",
        "connection": connection });
    step.config = config.as_object().expect("it is one").clone();
    document.flow.push(step.id);
    document.steps.insert(step.id, step);
    document
}

async fn create(world: &World, me: &Me, name: &str) -> ConnectionId {
    let created = world.store.create_connection(me, &form(name)).await;
    created.expect("an Admin may")
}

async fn find(store: &Store, me: &Me, id: ConnectionId) -> Option<Connection> {
    let all = store.connections(me).await.expect("every member may look");
    all.into_iter().find(|connection| connection.id == id)
}

/// Returns a run of the Admin's organization.
async fn run(world: &World) -> RunId {
    let integration = world.publish(clean("manual")).await;
    let started = world
        .store
        .start_manual(&world.admin, integration, json!({}));
    started.await.expect("it is live")
}

async fn opens(store: &Store, run: RunId, id: ConnectionId, is_test: bool) -> Result<(), Closed> {
    Vault::open(store, run, id, is_test, None).await.map(drop)
}

#[sqlx::test]
async fn a_connection_is_opened_for_runs_and_its_secrets_are_shown_to_nobody(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let id = create(&world, admin, "The shop").await;
    let run = run(&world).await;
    for is_test in [false, true] {
        assert_eq!(opens(store, run, id, is_test).await, Ok(()));
    }
    let opened = Vault::open(store, run, id, false, None)
        .await
        .expect("it opens");
    assert_eq!(format!("{opened:?}"), "Credentials(The shop)");

    let rows = "select connection::text from connection
        union all select connection_secret::text from connection_secret
        union all select audit::text from audit
        union all select data_key::text from data_key";
    let rows: Vec<String> = sqlx::query_scalar(rows)
        .fetch_all(&world.sql)
        .await
        .expect("it answers");
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(
        rows.iter()
            .all(|row| !row.contains(SECRET) && !row.contains(&hex))
    );

    let shown = find(store, admin, id).await.expect("it is there");
    let details = shown.details.expect("an Admin may use it");
    assert!(details.has_test && details.used_at.is_none());
    assert_eq!(details.names, ["X-Id", "X-Key"]);
    let acts = world.audit().await;
    assert!(acts.contains(&"connection.create".to_owned()), "{acts:?}");
    world.end().await;
}

#[sqlx::test]
async fn each_role_may_what_the_policy_says(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let store = &world.store;
    let id = create(&world, &world.admin, "The shop").await;
    let address = ("https://api.example.com", "/a");
    for role in [Role::Collaborator, Role::Reader] {
        let me = world.member(role).await;
        assert_denied(store.create_connection(&me, &form("Mine")).await);
        assert_denied(store.change_connection(&me, id, &form("Mine")).await);
        assert_denied(store.delete_connection(&me, id).await);
        let shown = find(store, &me, id).await.expect("it is there");
        assert_eq!(shown.name, "The shop");
        let tried = store
            .connection_to_test(&me, id, false, address, None)
            .await;
        let uses = store.connection_uses(&me).await;
        if role == Role::Reader {
            assert_eq!(shown.details, None, "a Reader sees names only");
            assert_denied(tried.map(drop));
            assert_denied(uses);
        } else {
            assert!(shown.details.is_some() && tried.is_ok() && uses.is_ok());
        }
    }
    // Nowhere but to a path of its own origins.
    for address in [
        ("https://evil.example", "/"),
        ("https://api.example.com", ".evil.example/"),
        ("https://api.example.com", "@evil.example/"),
    ] {
        let tried = store.connection_to_test(&world.admin, id, false, address, None);
        assert_eq!(
            refusal(tried.await.map(drop)),
            Refusal::Connection(Kept::TestAddress)
        );
    }
    let outsider = world.outsider().await;
    assert_eq!(find(store, &outsider, id).await, None);
    assert_not_found(store.change_connection(&outsider, id, &form("Mine")).await);
    assert_not_found(store.delete_connection(&outsider, id).await);
    let tried = store
        .connection_to_test(&outsider, id, false, address, None)
        .await;
    assert_not_found(tried.map(drop));
    // A run opens connections of its own organization only.
    let theirs = create(&world, &outsider, "The shop").await;
    let run = run(&world).await;
    assert_eq!(opens(store, run, theirs, false).await, Err(Closed::Gone));
    assert_eq!(opens(store, run, id, false).await, Ok(()));
    let again = store
        .create_connection(&world.admin, &form("the SHOP"))
        .await;
    assert_eq!(refusal(again), Refusal::Connection(Kept::NameTaken));
    world.end().await;
}

#[sqlx::test]
async fn a_secret_that_is_swapped_with_another_never_opens(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let store = &world.store;
    let outsider = world.outsider().await;
    let id = create(&world, &world.admin, "One").await;
    create(&world, &world.admin, "Two").await;
    create(&world, &outsider, "Theirs").await;
    let run = run(&world).await;
    // Each swaps a row with one that differs in one part of its place, and back.
    for swap in [
        "update connection_secret as one set sealed = two.sealed from connection_secret as two
         where one.connection_id <> two.connection_id and one.variant = two.variant
            and one.field = two.field and one.organization_id = two.organization_id",
        "update connection_secret as one set sealed = two.sealed from connection_secret as two
         where one.connection_id = two.connection_id and one.variant <> two.variant
            and one.field = two.field",
        "update connection_secret as one set sealed = two.sealed from connection_secret as two
         where one.connection_id = two.connection_id and one.variant = two.variant
            and one.field <> two.field",
    ] {
        assert!(world.execute(swap).await >= 8);
        for is_test in [false, true] {
            let opened = opens(store, run, id, is_test).await;
            assert!(
                matches!(opened, Err(Closed::Broken(_))),
                "{swap}: {opened:?}"
            );
        }
        world.execute(swap).await;
        assert_eq!(opens(store, run, id, false).await, Ok(()));
    }
    let from_theirs = "update connection_secret as one set sealed = two.sealed
        from connection_secret as two join connection using (connection_id)
        where connection.name = 'Theirs' and one.connection_id <> two.connection_id
            and one.variant = two.variant and one.field = two.field";
    assert_eq!(world.execute(from_theirs).await, 8);
    let opened = opens(store, run, id, false).await;
    assert!(matches!(opened, Err(Closed::Broken(_))), "{opened:?}");
    world.end().await;
}

#[sqlx::test]
async fn a_change_keeps_secrets_where_they_belong_and_removes_the_others(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let id = create(&world, admin, "The shop").await;
    let run = run(&world).await;
    let kept = Form {
        name: "Renamed".to_owned(),
        live: Secrets::Keep,
        test: Secrets::Remove,
        ..form("")
    };
    let changed = store.change_connection(admin, id, &kept).await;
    changed.expect("it goes nowhere else");
    assert_eq!(
        opens(store, run, id, true).await,
        Ok(()),
        "with the live ones"
    );
    let count = "select count(*) from connection_secret";
    assert_eq!(world.count(count).await, 2);
    let wider = Form {
        origins: vec!["https://evil.example".to_owned()],
        ..kept.clone()
    };
    let changed = store.change_connection(admin, id, &wider).await;
    assert_eq!(refusal(changed), Refusal::Connection(Kept::SecretsAgain));
    let rotated = Form {
        live: Secrets::Set(vec!["rotated-one".to_owned(), "rotated-two".to_owned()]),
        ..wider
    };
    let changed = store.change_connection(admin, id, &rotated).await;
    changed.expect("the secrets are given again");
    assert_eq!(opens(store, run, id, false).await, Ok(()));
    let shown = find(store, admin, id).await.and_then(|shown| shown.details);
    let details = shown.expect("it is there");
    assert_eq!(details.origins, ["https://evil.example"]);
    assert!(!details.has_test);
    world.end().await;
}

#[sqlx::test]
async fn what_is_used_is_not_deleted_and_what_is_gone_is_not_published(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let id = create(&world, admin, "The shop").await;
    let (integration, draft) = world.draft_of(calling(id)).await;
    let in_use = |told: Refusal| match told {
        Refusal::Connection(Kept::InUse(names)) => names,
        other => panic!("it is in use: {other:?}"),
    };
    let deleted = store.delete_connection(admin, id).await;
    assert_eq!(in_use(refusal(deleted)), "“Orders” (draft “First”)");
    world.publish_draft(draft, 1).await;
    let deleted = store.delete_connection(admin, id).await;
    assert_eq!(in_use(refusal(deleted)), "“Orders” (live)");
    let uses = store.connection_uses(admin).await.expect("an Admin may");
    assert_eq!(uses.len(), 1);
    assert_eq!((uses[0].connection, uses[0].integration), (id, integration));

    let free = create(&world, admin, "Free").await;
    store
        .delete_connection(admin, free)
        .await
        .expect("nothing names it");
    assert_eq!(find(store, admin, free).await, None);
    assert_eq!(
        world.count("select count(*) from connection_secret").await,
        4
    );
    let run = run(&world).await;
    assert_eq!(opens(store, run, free, false).await, Err(Closed::Gone));
    assert_not_found(store.delete_connection(admin, free).await);
    let (_, draft) = world.draft_of(calling(free)).await;
    let published = world.publish_reviewed(draft, 1).await;
    assert_eq!(
        refusal(published),
        Refusal::Connection(Kept::Gone("Call".to_owned()))
    );
    world.end().await;
}

#[sqlx::test]
async fn the_last_use_and_its_error_are_noted(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let id = create(&world, admin, "The shop").await;
    let run = run(&world).await;
    for error in [Some("It said no.".to_owned()), None] {
        Vault::used(store, run, id, error.clone());
        loop {
            let shown = find(store, admin, id).await.and_then(|shown| shown.details);
            let details = shown.expect("it is there");
            if details.used_at.is_some() && details.error == error {
                break;
            }
        }
    }
    world.end().await;
}

#[sqlx::test]
async fn without_the_master_key_nothing_is_kept_and_another_opens_nothing(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let id = create(&world, &world.admin, "The shop").await;
    let run = run(&world).await;
    let without = Store::connect_with(world.options(), 10).await;
    let without = without.expect("the database answers");
    let kept = without
        .create_connection(&world.admin, &form("Other"))
        .await;
    assert!(matches!(kept, Err(Error::Refused(_))), "{kept:?}");
    let opened = opens(&without, run, id, false).await;
    assert!(matches!(opened, Err(Closed::Broken(_))), "{opened:?}");
    without.unlock(MasterKey::read(&"77".repeat(32)).expect("it is a key"));
    let opened = opens(&without, run, id, false).await;
    assert!(matches!(opened, Err(Closed::Broken(_))), "{opened:?}");
    without.close().await;
    world.end().await;
}

#[sqlx::test]
async fn an_owner_of_a_connection_must_approve_what_uses_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::reviewing(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let owner = world.member(Role::Collaborator).await;
    let ben = world.member(Role::Collaborator).await;
    let nowhere = OwnerScope::Connection(ConnectionId(Uuid::now_v7()));
    assert_not_found(store.set_owners(admin, nowhere, &[owner.account]).await);
    let id = create(&world, admin, "Billing").await;
    let owned = OwnerScope::Connection(id);
    let rules = store.set_owners(admin, owned, &[owner.account]).await;
    let rules = rules.expect("an Admin sets it");
    assert_eq!((rules.len(), rules[0].name.as_str()), (1, "Billing"));
    let approved_by = async |me: &Me, document: Document| {
        let (_, draft) = world.draft_of(document).await;
        let review = world.ask(draft, &[]).await;
        let approved = world.submit(me, review, 1, Verdict::Approve).await;
        approved.expect("a Collaborator decides");
        world.state(draft).await
    };

    let free = approved_by(&ben, clean("webhook")).await;
    assert_eq!(free, DraftState::Approved, "it uses no connection");
    let uses = approved_by(&ben, calling(id)).await;
    assert_eq!(uses, DraftState::InReview, "an owner's approval is missing");
    let uses = approved_by(&owner, calling(id)).await;
    assert_eq!(uses, DraftState::Approved);

    // What owns nothing any more goes with its connection.
    let other = create(&world, admin, "Shipping").await;
    let owned = OwnerScope::Connection(other);
    let rules = store.set_owners(admin, owned, &[owner.account]).await;
    assert_eq!(rules.expect("an Admin sets it").len(), 2);
    let deleted = store.delete_connection(admin, other).await;
    deleted.expect("nothing uses it");
    let settings = store.policy_settings(admin).await.expect("it answers");
    assert_eq!(settings.owners.len(), 1);
    world.end().await;
}
