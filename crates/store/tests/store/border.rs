//! The border between organizations, and between roles.

use domain::StepId;
use domain::account::{Me, Role};
use domain::document::{ListRef, Place};
use domain::edit::Edit;
use domain::review::thread::NewThread;
use domain::review::{Anchor, OwnerScope, Policy, Verdict};
use domain::run::{ResumeOn, TestScope};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::{Incoming, Refusal, RunFilter};
use uuid::Uuid;

use crate::world::{
    World, assert_denied, assert_not_found, clean, each_minute, log_step, save, save_of,
};

const WITH_ORGANIZATION: &str = "select relname::text from pg_class
    join pg_namespace on pg_namespace.oid = relnamespace and nspname = 'public'
    join pg_attribute on attrelid = pg_class.oid and attname = 'organization_id'
    where relkind = 'r'";

/// Puts rows into every table that belongs to an organization.
async fn fill(world: &World) {
    let (store, admin) = (&world.store, &world.admin);
    world.member(Role::Reader).await;
    store
        .invite(admin, Role::Reader)
        .await
        .expect("an Admin may");
    let (integration, route) = world.hook().await;
    let kept = store.keep_signing_secret(admin, integration, None).await;
    kept.expect("an Admin may");
    crate::connector::import(world, crate::connector::file("List orders")).await;
    let form = crate::connection::form("The shop");
    let created = store.create_connection(admin, &form).await;
    created.expect("an Admin may");
    crate::oauth::fill(world).await;
    let document = clean("webhook");
    let step = document.flow[0];
    let (_, draft) = world.draft_of(document).await;
    world.save(draft, 1).await.expect("it fits");
    fill_merge(world).await;
    fill_component(world).await;
    let path = store
        .draft(admin, draft)
        .await
        .expect("it is there")
        .catch_path;
    let token = path
        .strip_prefix("/catch/")
        .expect("the path of test events");
    store
        .catch_event(token, &json!({}))
        .await
        .expect("it answers");
    let pinned = store.pin(admin, draft, step, Some(json!({}))).await;
    pinned.expect("an Admin may");
    fill_review(world).await;
    world.publish(each_minute()).await;
    let later = domain::Timestamp(store.now().await.expect("it answers").0 + 60_000);
    store.due(later).await.expect("it answers");
    fill_throttle(world).await;
    fill_poll(world).await;
    fill_hosts(world).await;
    let called = world.publish(clean("call")).await;
    let (calling, _) = crate::calling::calling(called);
    world.publish(calling).await;
    let worker = store::WorkerId::random();
    let incoming = Incoming {
        route,
        payload: json!({}).into(),
        delivery: Some("evt_1".to_owned()),
        hand_to: Some(worker),
    };
    let lease = store
        .accept(incoming)
        .await
        .expect("room")
        .claimed
        .expect("handed")
        .lease;
    let records = vec![crate::journal::record(1, "x")];
    // Bad enough for an alert.
    let state = domain::run::RunState::Failed;
    let outcome = engine::Outcome::Finished {
        state,
        error: None,
        records,
    };
    store
        .journal()
        .finish(lease, outcome)
        .await
        .expect("it is ours");
}

/// Brings a draft into another one.
async fn fill_merge(world: &World) {
    let (store, admin) = (&world.store, &world.admin);
    let integration = world.publish(clean("webhook")).await;
    let [one, other] = [
        store.start_draft(admin, integration, "One").await,
        store.start_draft(admin, integration, "Other").await,
    ];
    let (one, other) = (one.expect("an Admin may"), other.expect("an Admin may"));
    let added = log_step("Note more", "note_more");
    let edit = Edit::Insert {
        steps: vec![added],
        at: Place {
            list: ListRef::Flow,
            index: 0,
        },
    };
    let saved = store.save_draft(admin, other, save_of(1, vec![edit])).await;
    saved.expect("it fits");
    let brought = store.bring_in(admin, one, 1, (other, 2), Vec::new()).await;
    brought.expect("nothing is in conflict");
}

/// Puts a component there as an import does that was checked.
async fn fill_component(world: &World) {
    let insert = "insert into component (organization_id, hash, bytes, imported_by)
        values ($1, repeat('0', 64), '\\x00', $2)";
    sqlx::query(insert)
        .bind(world.admin.organization.0)
        .bind(world.admin.account.0)
        .execute(&world.sql)
        .await
        .expect("the organization and the account are there");
}

/// Polls an integration, so that an item is known.
async fn fill_poll(world: &World) {
    let mut document = clean("poll");
    let url = json!("https://api.example.com/orders");
    document.trigger.config.insert("url".to_owned(), url);
    world.publish(document).await;
    let claims = world.store.claim_polls(1).await.expect("it answers");
    let items = vec![domain::poll::Item {
        place: 1,
        id: "1".to_owned(),
        value: json!({ "id": 1 }),
    }];
    let found = domain::poll::Found {
        items,
        cursor: None,
    };
    let taken = world.store.polled(&claims[0], Ok(found)).await;
    taken.expect("it answers");
}

/// Tells of a host that is down.
async fn fill_hosts(world: &World) {
    let now = world.store.now().await.expect("it answers");
    let down = domain::network::Down {
        host: "api.example.com".to_owned(),
        port: 443,
        since: now,
        until: now,
        failures: 10,
        why: "did not answer".to_owned(),
    };
    let change = engine::port::HostChange::Down(down);
    let kept = world
        .store
        .keep_hosts(vec![(world.admin.organization, change)]);
    kept.await.expect("it answers");
}

/// Puts rows into the tables of what holds runs back; a run of it is under way.
async fn fill_throttle(world: &World) {
    let (integration, route) = world.hook().await;
    let limited = world.store.set_at_once(&world.admin, integration, Some(1));
    limited.await.expect("an Admin may");
    let incoming = Incoming {
        route,
        payload: json!({}).into(),
        delivery: None,
        hand_to: None,
    };
    world.store.accept(incoming).await.expect("room");
    let claimed = world.store.claim(store::WorkerId::random(), 32).await;
    assert!(!claimed.expect("it answers").is_empty());
}

/// Puts rows into every table of reviews.
async fn fill_review(world: &World) {
    let (store, admin) = (&world.store, &world.admin);
    let ben = world.member(Role::Collaborator).await;
    let (_, draft) = world.draft_of(clean("webhook")).await;
    let review = world.ask(draft, &[&ben]).await;
    let thread = store.start_thread(&ben, review, comment()).await;
    thread.expect("a member comments");
    let decided = world.submit(&ben, review, 1, Verdict::Approve).await;
    decided.expect("a Collaborator decides");
    let viewed = store.set_viewed(&ben, review, "trigger", Some("x")).await;
    viewed.expect("a member ticks");
    let looked = store.looked_at_review(&ben, review, 1).await;
    looked.expect("a member looks");
    let scope = OwnerScope::StepKind("http.request".to_owned());
    let owned = store.set_owners(admin, scope, &[ben.account]).await;
    owned.expect("an Admin sets it");
}

/// A comment on a draft as a whole.
fn comment() -> NewThread {
    let anchor = Anchor {
        target: None,
        field: None,
        entry: None,
        range: None,
    };
    NewThread {
        anchor,
        on_base: false,
        revision: 1,
        body: "Why?".to_owned(),
        suggestion: None,
        is_pending: false,
    }
}

#[sqlx::test]
async fn no_row_of_an_organization_is_seen_without_it(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    fill(&world).await;
    let outsider = world.outsider().await;
    let tables: Vec<String> = sqlx::query_scalar(WITH_ORGANIZATION)
        .fetch_all(&world.sql)
        .await
        .expect("it answers");
    assert!(tables.len() >= 27, "{tables:?}");
    let options = world.options();
    let mut nobody = PgConnection::connect_with(&options)
        .await
        .expect("it answers");
    let theirs = options.options([("sluice.organization", outsider.organization.to_string())]);
    let mut theirs = PgConnection::connect_with(&theirs)
        .await
        .expect("it answers");
    for table in tables {
        let ours = format!(
            "select count(*) from {table} where organization_id = '{}'",
            world.admin.organization
        );
        let count = async |connection: &mut PgConnection| -> i64 {
            let count = sqlx::query_scalar(AssertSqlSafe(ours.clone()))
                .fetch_one(connection)
                .await;
            count.expect("it answers")
        };
        let there: i64 = sqlx::query_scalar(AssertSqlSafe(ours.clone()))
            .fetch_one(&world.sql)
            .await
            .expect("it answers");
        assert!(there > 0, "the test puts nothing into {table}");
        assert_eq!(
            count(&mut nobody).await,
            0,
            "{table} without an organization"
        );
        assert_eq!(
            count(&mut theirs).await,
            0,
            "{table} from another organization"
        );
        let changed = format!("update {table} set organization_id = organization_id");
        let touched = sqlx::query(AssertSqlSafe(changed))
            .execute(&mut nobody)
            .await;
        assert_eq!(touched.expect("it answers").rows_affected(), 0, "{table}");
    }
    // Nor can a row be put into another organization.
    let smuggled = sqlx::query(
        "insert into audit (organization_id, act, subject) values ($1, 'smuggled', $1)",
    );
    let smuggled = smuggled
        .bind(world.admin.organization.0)
        .execute(&mut theirs)
        .await;
    let error = smuggled.expect_err("the border holds").to_string();
    assert!(error.contains("row-level security"), "{error}");
    nobody.close().await.expect("it answers");
    theirs.close().await.expect("it answers");
    world.end().await;
}

#[sqlx::test]
async fn every_table_of_an_organization_has_a_border_that_binds_its_owner(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let open: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
        "{WITH_ORGANIZATION} and not (relrowsecurity and relforcerowsecurity and exists (
            select from pg_policy where polrelid = pg_class.oid))"
    )))
    .fetch_all(&world.sql)
    .await
    .expect("it answers");
    assert_eq!(open, Vec::<String>::new());
    let is_bound: bool = sqlx::query_scalar(
        "select not rolsuper and not rolbypassrls from pg_roles where rolname = current_user",
    )
    .fetch_one(&world.sql)
    .await
    .expect("it answers");
    assert!(is_bound, "tests need a role that row-level security binds");
    world.end().await;
}

#[sqlx::test]
async fn an_outsider_finds_nothing_by_any_id(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let me = &world.outsider().await;
    let (invitation, _) = store
        .invite(admin, Role::Reader)
        .await
        .expect("an Admin may");
    let manual = world.publish(clean("manual")).await;
    let (_, draft) = world.draft_of(clean("webhook")).await;
    let run = store
        .start_manual(admin, manual, json!({}))
        .await
        .expect("an Admin may");
    let before = world.count("select count(*) from audit").await;

    assert_not_found(store.set_role(me, admin.account, Role::Reader).await);
    assert_not_found(store.remove_member(me, admin.account).await);
    assert_not_found(store.withdraw_invitation(me, invitation.id).await);
    assert_not_found(store.integration(me, manual).await);
    assert_not_found(store.rename_integration(me, manual, "Mine").await);
    assert_not_found(store.set_enabled(me, manual, false).await);
    assert_not_found(store.draft(me, draft).await);
    assert_not_found(store.start_draft(me, manual, "Mine").await);
    assert_not_found(store.save_draft(me, draft, save(1)).await);
    assert_not_found(store.rename_draft(me, draft, "Mine").await);
    assert_not_found(store.discard_draft(me, draft).await);
    assert_not_found(store.caught(me, draft).await);
    assert_not_found(store.pins(me, draft).await);
    assert_not_found(store.tests(me, draft).await);
    let step = StepId::new(Uuid::nil());
    assert_not_found(store.pin(me, draft, step, None).await);
    assert_not_found(store.publish(me, draft, 1, String::new(), None).await);
    assert_not_found(store.version(me, manual, 1).await);
    assert_not_found(store.run(me, run).await);
    assert_not_found(
        store
            .start_test(me, draft, 1, json!({}), TestScope::Whole)
            .await,
    );
    assert_not_found(store.latest_test(me, draft).await);
    assert_not_found(store.start_manual(me, manual, json!({})).await);
    assert_not_found(store.cancel_run(me, run).await);
    assert_not_found(store.resume_run(me, run, ResumeOn::Ran).await);
    let hash = clean("manual").hash();
    assert_not_found(store.document(me.organization, &hash).await);
    assert_eq!(
        world.count("select count(*) from audit").await,
        before,
        "nothing was done"
    );
    outsider_finds_no_review(&world, me).await;

    assert!(store.integrations(me).await.expect("its own").is_empty());
    assert!(
        store
            .runs(me, RunFilter::default())
            .await
            .expect("its own")
            .is_empty()
    );
    let filter = RunFilter {
        integration: Some(manual),
        ..RunFilter::default()
    };
    assert!(store.runs(me, filter).await.expect("its own").is_empty());
    assert!(store.invitations(me).await.expect("its own").is_empty());
    assert_eq!(store.members(me).await.expect("its own").len(), 1);
    // Not even by claiming to be in the other organization.
    let impostor = Me {
        organization: admin.organization,
        ..me.clone()
    };
    let refused = crate::world::refusal(store.integrations(&impostor).await);
    assert_eq!(refused, Refusal::SessionEnded);
    world.end().await;
}

async fn outsider_finds_no_review(world: &World, me: &Me) {
    let (store, admin) = (&world.store, &world.admin);
    let (integration, draft) = world.draft_of(clean("webhook")).await;
    let review = world.ask(draft, &[]).await;
    let thread = store.start_thread(admin, review, comment()).await;
    let thread = thread.expect("a member comments");
    let said = world.page(review).await.threads[0].comments[0].id;
    let before = world.count("select count(*) from audit").await;

    assert_not_found(store.create_review(me, draft, "Mine", "", &[]).await);
    assert_not_found(store.review(me, review, None).await);
    assert_not_found(store.draft_reviews(me, draft).await);
    assert_not_found(store.review_document(me, review, 1).await);
    assert_not_found(store.describe_review(me, review, "Mine", "").await);
    assert_not_found(store.ask_reviewers(me, review, &[me.account]).await);
    assert_not_found(store.withdraw_review(me, review).await);
    assert_not_found(store.start_thread(me, review, comment()).await);
    assert_not_found(store.reply_in_thread(me, thread, "Hi.", None, false).await);
    assert_not_found(store.edit_comment(me, said, "Hi.", None).await);
    assert_not_found(store.delete_comment(me, said).await);
    assert_not_found(store.resolve_thread(me, thread, true).await);
    assert_not_found(store.apply_suggestion(me, said, 1).await);
    assert_not_found(world.submit(me, review, 1, Verdict::Approve).await);
    assert_not_found(store.set_viewed(me, review, "trigger", Some("x")).await);
    assert_not_found(store.looked_at_review(me, review, 1).await);
    assert_not_found(store.publish_plan(me, draft).await);
    assert_not_found(store.merge_basis(me, draft, None).await);
    assert_not_found(store.merge_basis(me, draft, Some(draft)).await);
    let brought = store.bring_in(me, draft, 1, (draft, 1), Vec::new()).await;
    assert_not_found(brought);
    assert_not_found(store.bring_up_to_date(me, draft, 1, 1, Vec::new()).await);
    assert_not_found(store.roll_back_draft(me, integration, 1).await);
    assert_not_found(store.roll_back(me, integration, 1, 1, "Hi.").await);
    let policy = Some(Policy::default());
    assert_not_found(store.set_policy(me, Some(integration), policy).await);
    let scope = OwnerScope::Integration(integration);
    assert_not_found(store.set_owners(me, scope, &[me.account]).await);
    let inbox = store.inbox(me).await.expect("its own");
    assert!(inbox.reviews.is_empty() && inbox.notifications.is_empty());
    let settings = store.policy_settings(me).await.expect("its own");
    assert!(settings.integrations.is_empty() && settings.owners.is_empty());
    assert_eq!(settings.members.len(), 1);
    assert_eq!(
        world.count("select count(*) from audit").await,
        before,
        "nothing was done"
    );
}

#[sqlx::test]
async fn a_reader_changes_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let me = &world.member(Role::Reader).await;
    let (invitation, _) = store
        .invite(admin, Role::Reader)
        .await
        .expect("an Admin may");
    let manual = world.publish(clean("manual")).await;
    let (_, draft) = world.draft_of(clean("webhook")).await;
    let run = store
        .start_manual(admin, manual, json!({}))
        .await
        .expect("an Admin may");
    let before = world.count("select count(*) from audit").await;

    assert_denied(store.set_role(me, admin.account, Role::Reader).await);
    assert_denied(store.remove_member(me, admin.account).await);
    assert_denied(store.invite(me, Role::Admin).await);
    assert_denied(store.invitations(me).await);
    assert_denied(store.withdraw_invitation(me, invitation.id).await);
    assert_denied(store.set_network(me, Vec::new()).await);
    assert_denied(store.set_outgoing(me, Default::default()).await);
    assert_denied(
        store
            .create_integration(me, "Mine", "First", clean("manual"))
            .await,
    );
    assert_denied(store.rename_integration(me, manual, "Mine").await);
    assert_denied(store.set_enabled(me, manual, false).await);
    assert_denied(store.keep_signing_secret(me, manual, None).await);
    assert_denied(store.start_draft(me, manual, "Mine").await);
    assert_denied(store.save_draft(me, draft, save(1)).await);
    assert_denied(store.rename_draft(me, draft, "Mine").await);
    assert_denied(store.discard_draft(me, draft).await);
    assert_denied(store.caught(me, draft).await);
    let step = StepId::new(Uuid::nil());
    assert_denied(store.pin(me, draft, step, None).await);
    assert_denied(store.publish(me, draft, 1, String::new(), None).await);
    assert_denied(
        store
            .start_test(me, draft, 1, json!({}), TestScope::Whole)
            .await,
    );
    assert_denied(store.start_manual(me, manual, json!({})).await);
    assert_denied(store.cancel_run(me, run).await);
    assert_denied(store.resume_run(me, run, ResumeOn::Ran).await);
    assert_denied(
        store
            .resume_runs(me, RunFilter::default(), None, ResumeOn::Ran)
            .await,
    );
    assert_eq!(
        world.count("select count(*) from audit").await,
        before,
        "nothing was done"
    );

    store
        .integration(me, manual)
        .await
        .expect("a Reader may look");
    store.draft(me, draft).await.expect("a Reader may look");
    store
        .version(me, manual, 1)
        .await
        .expect("a Reader may look");
    world.end().await;
}
