//! Connectors: imported by an Admin as they were shown, used by those who edit, kept apart.

use domain::Document;
use domain::account::Role;
use domain::connector::{Declared, Refusal as Imported, STEP, Source};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{Error, Refusal};

use crate::world::{World, assert_denied, assert_not_found, log_step, refusal};

/// Returns a connector as a file; `title` is that of its first action.
pub(crate) fn file(title: &str) -> Source {
    let file = json!({
        "form": 1, "key": "shop", "title": "Shop", "base": "https://api.example.com",
        "auth": [{ "kind": "bearer" }],
        "actions": [
            { "key": "list", "title": title, "method": "GET", "path": "/orders",
                "input": { "type": "object", "properties": {
                    "z": { "type": "string" }, "a": { "type": "string" } } } },
            { "key": "get", "title": "Get an order", "method": "GET", "path": "/orders/{id}",
                "input": { "type": "object", "required": ["id"],
                    "properties": { "id": { "type": "string" } } } },
        ],
    });
    text(&file)
}

fn text(file: &Value) -> Source {
    Source::Text {
        text: file.to_string(),
        name: "shop.json".to_owned(),
        module: None,
    }
}

pub(crate) async fn import(world: &World, source: Source) -> String {
    let (store, admin) = (&world.store, &world.admin);
    let preview = store.preview_connector(admin, source.clone(), None).await;
    let digest = preview.expect("it is a connector").digest;
    let imported = store.import_connector(admin, source, None, &digest).await;
    imported.expect("an Admin may")
}

async fn declared(world: &World, action: &str) -> Option<Declared> {
    let wanted = [("shop".to_owned(), action.to_owned())];
    let declared = world.store.declarations(&world.admin, &wanted).await;
    declared.expect("an Admin may").pop().flatten()
}

#[sqlx::test]
async fn what_was_shown_is_imported_and_its_actions_can_be_used(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    assert_eq!(import(&world, file("List orders")).await, "shop");
    let all = store
        .connectors(admin)
        .await
        .expect("every member may look");
    assert_eq!((all[0].title.as_str(), all[0].actions), ("Shop", 2));
    assert_eq!(all[0].source, "shop.json");
    let page = store.connector(admin, "shop").await.expect("it is there");
    assert_eq!(page.actions[1].1, "GET /orders/{id}");
    let shelves = store.connector_actions(admin).await.expect("an Admin may");
    assert_eq!(shelves[0].actions[0].title, "List orders");
    let list = declared(&world, "list").await.expect("it is there");
    let fields: Vec<&str> = list
        .action()
        .input
        .fields
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    assert_eq!(fields, ["connection", "z", "a", "timeout_seconds"]);
    assert_eq!(declared(&world, "nope").await, None);
    let acts = world.audit().await;
    assert!(acts.contains(&"connector.import".to_owned()), "{acts:?}");

    let other = store
        .import_connector(admin, file("Other"), None, "0")
        .await;
    assert!(matches!(
        refusal(other),
        Refusal::Connector(Imported::Moved)
    ));
    let wrong = text(&json!({ "form": 1, "key": "Big", "title": "", "base": "", "actions": [] }));
    let refused = refusal(store.preview_connector(admin, wrong, None).await);
    let Refusal::Connector(Imported::Faults(faults)) = refused else {
        panic!("{refused:?}")
    };
    assert!(faults.iter().any(|fault| fault.at == "key"), "{faults:?}");
    world.end().await;
}

#[sqlx::test]
async fn a_newer_one_says_what_changes_and_whom_it_touches(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    import(&world, file("List orders")).await;
    let mut step = log_step("Orders", "orders");
    step.kind = STEP.to_owned();
    step.action = declared(&world, "list").await;
    step.config = serde_json::Map::new();
    // PostgreSQL reads no such text.
    step.notes = "\0".to_owned();
    let connection = crate::connection::form("The shop");
    let connection = store.create_connection(admin, &connection).await;
    step.config.insert(
        "connection".to_owned(),
        json!(connection.expect("an Admin may")),
    );
    let before = step.action.clone();
    let id = step.id;
    let mut document = Document::new("manual");
    document.flow.push(id);
    document.steps.insert(id, step);
    let integration = world.publish(document).await;

    let preview = store
        .preview_connector(admin, file("All orders"), None)
        .await;
    let preview = preview.expect("it is a connector");
    let changes = preview.changes.expect("there is one of this key");
    assert_eq!((changes.changed.len(), changes.same), (1, 1));
    let live = preview
        .uses
        .iter()
        .find(|one| one.draft.is_none())
        .expect("it is live");
    assert_eq!(
        (live.integration, live.actions.as_slice()),
        (integration, &["list".to_owned()][..])
    );

    import(&world, file("All orders")).await;
    assert_ne!(
        declared(&world, "list").await,
        before,
        "a newer one can be had"
    );
    let uses = store
        .connector_uses(admin, "shop")
        .await
        .expect("an Admin may");
    assert_eq!(uses[0].integration, integration);
    store
        .delete_connector(admin, "shop")
        .await
        .expect("an Admin may");
    assert_eq!(declared(&world, "list").await, None);
    let run = store.start_manual(admin, integration, json!({})).await;
    assert!(run.is_ok(), "what is live carries what it needs");
    world.end().await;
}

#[sqlx::test]
async fn each_role_may_what_the_policy_says_and_organizations_are_apart(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let store = &world.store;
    import(&world, file("List orders")).await;
    for role in [Role::Collaborator, Role::Reader] {
        let me = world.member(role).await;
        assert_denied(store.preview_connector(&me, file("A"), None).await);
        assert_denied(store.import_connector(&me, file("A"), None, "0").await);
        assert_denied(store.delete_connector(&me, "shop").await);
        assert_denied(store.our_connectors(&me).await);
        assert_eq!(
            store
                .connectors(&me)
                .await
                .expect("every member may look")
                .len(),
            1
        );
        let actions = store.connector_actions(&me).await;
        match role {
            Role::Reader => assert_denied(actions),
            _ => assert_eq!(actions.expect("it edits drafts").len(), 1),
        }
    }
    let outsider = world.outsider().await;
    assert!(
        store
            .connectors(&outsider)
            .await
            .expect("they may look")
            .is_empty()
    );
    assert_not_found(store.connector(&outsider, "shop").await);
    assert_not_found(store.delete_connector(&outsider, "shop").await);
    let wanted = [("shop".to_owned(), "list".to_owned())];
    let theirs = store.declarations(&outsider, &wanted).await;
    assert_eq!(theirs.expect("they edit drafts"), [None]);
    world.end().await;
}

#[sqlx::test]
async fn a_description_is_imported_as_a_connector_and_one_of_ours_by_its_key(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let description = "openapi: 3.0.0\ninfo: { title: Pets, version: '1' }\npaths:\n  /pets:\n    get: { summary: List pets, responses: { '200': { description: ok } } }\n";
    let source = Source::Text {
        text: description.to_owned(),
        name: "pets.yaml".to_owned(),
        module: None,
    };
    let base = Some("https://pets.example.com/v2/".to_owned());
    let preview = store.preview_connector(admin, source, base).await;
    let preview = preview.expect("it is a description");
    assert_eq!(preview.base, "https://pets.example.com/v2");
    assert_eq!(preview.actions[0].title, "List pets");
    for (key, title, _) in store.our_connectors(admin).await.expect("an Admin may") {
        assert!(!title.is_empty());
        assert_eq!(import(&world, Source::Ours(key.clone())).await, key);
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let nowhere = Source::Address("http://127.0.0.1:1/openapi.json".to_owned());
    let refused = store.preview_connector(admin, nowhere, None).await;
    let Err(Error::Refused(Refusal::Connector(Imported::Address(why)))) = refused else {
        panic!("a private address is not asked")
    };
    assert!(!why.is_empty());
    world.end().await;
}
