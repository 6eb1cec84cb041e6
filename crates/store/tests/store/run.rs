//! Runs: started by hand, listed, looked into, canceled.

use std::collections::BTreeMap;

use domain::account::Role;
use domain::run::{RunOf, RunState, TestScope};
use domain::{RunId, StepId, draft, limit};
use engine::Outcome;
use engine::port::Lost;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{Incoming, Refusal, RunFilter, WorkerId};
use uuid::Uuid;

use crate::journal::record;
use crate::world::{World, clean, refusal};

#[sqlx::test]
async fn a_test_executes_the_draft_and_touches_nothing_live(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let document = clean("webhook");
    let (_, id) = world.draft_of(document.clone()).await;
    assert_eq!(
        store.latest_test(admin, id).await.expect("it is there"),
        None
    );
    let step = document.flow[0];
    let scope = TestScope::Step {
        step,
        outputs: serde_json::Map::new(),
    };
    let payload = json!({ "body": { "order": 17, "nothing": "\0" } });
    let run = store
        .start_test(admin, id, 1, payload.clone(), scope.clone())
        .await;
    let run = run.expect("an Admin may");
    world
        .save(id, 1)
        .await
        .expect("the draft goes on meanwhile");

    let claimed = store
        .claim(WorkerId::random(), 5)
        .await
        .expect("it answers")
        .remove(0);
    assert_eq!(
        (claimed.lease.run, claimed.is_test, claimed.scope),
        (run, true, scope)
    );
    assert_eq!(*claimed.payload, payload);
    let executed = store
        .document(claimed.organization, &claimed.hash)
        .await
        .expect("it is kept");
    assert_eq!(
        executed.document, document,
        "the revision that was looked at"
    );
    assert_eq!(executed.bytes, document.canonical().len());
    let detail = store
        .latest_test(admin, id)
        .await
        .expect("it is there")
        .expect("it was tested");
    assert_eq!(
        (detail.summary.id, detail.summary.of),
        (run, RunOf::Test(id, 1))
    );
    assert_eq!(detail.summary.state, RunState::Running);
    assert!(
        store
            .runs(admin, RunFilter::default())
            .await
            .expect("it answers")
            .is_empty()
    );
    let line = store
        .integrations(admin)
        .await
        .expect("it answers")
        .remove(0);
    assert!(line.recent_runs.is_empty() && line.last_run_at.is_none());

    let stale = store
        .start_test(admin, id, 1, json!({}), TestScope::Whole)
        .await;
    assert_eq!(
        refusal(stale),
        Refusal::Draft(draft::Refusal::Moved { current: 2 })
    );
    let big = json!("x".repeat(limit::PAYLOAD_BYTES));
    let big = refusal(store.start_test(admin, id, 2, big, TestScope::Whole).await);
    assert_eq!((big.code(), big.status()), ("run/payload-too-large", 413));
    world.end().await;
}

#[sqlx::test]
async fn only_a_live_enabled_integration_with_a_manual_trigger_is_started_by_hand(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let (unpublished, _) = world.draft_of(clean("manual")).await;
    let started = store.start_manual(admin, unpublished, json!({})).await;
    assert_eq!(refusal(started), Refusal::NotPublished);
    let (hooked, _) = world.hook().await;
    assert_eq!(
        refusal(store.start_manual(admin, hooked, json!({})).await),
        Refusal::NotManual
    );

    let manual = world.publish(clean("manual")).await;
    let run = store
        .start_manual(admin, manual, json!({ "who": "me" }))
        .await
        .expect("it may");
    let detail = store.run(admin, run).await.expect("it is there");
    assert_eq!(detail.payload, Some(json!({ "body": { "who": "me" } })));
    assert_eq!(
        (detail.summary.of, detail.summary.state),
        (RunOf::Version(1), RunState::Queued)
    );
    store
        .set_enabled(admin, manual, false)
        .await
        .expect("an Admin may");
    assert_eq!(
        refusal(store.start_manual(admin, manual, json!({})).await),
        Refusal::Disabled
    );
    world.end().await;
}

#[sqlx::test]
async fn runs_are_listed_by_pages_integration_and_state(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let (first, route) = world.hook().await;
    let (_, other) = world.hook().await;
    let mut expected = Vec::new();
    for number in 0..60 {
        let route = if number % 6 == 0 {
            other.clone()
        } else {
            route.clone()
        };
        let incoming = Incoming {
            route,
            payload: json!({}).into(),
            delivery: None,
            hand_to: None,
        };
        expected.insert(0, store.accept(incoming).await.expect("there is room").run);
    }
    let list = async |filter: RunFilter| -> Vec<RunId> {
        let runs = store.runs(admin, filter).await.expect("it answers");
        runs.into_iter().map(|run| run.id).collect()
    };
    let page = list(RunFilter::default()).await;
    assert_eq!(page, expected[..50]);
    let before = page.last().copied();
    assert_eq!(
        list(RunFilter {
            before,
            ..RunFilter::default()
        })
        .await,
        expected[50..]
    );
    let integration = Some(first);
    assert_eq!(
        list(RunFilter {
            integration,
            ..RunFilter::default()
        })
        .await
        .len(),
        50
    );
    // Of the 29 that came before, five went to the other: each sixth, from the first on.
    let before = Some(expected[30]);
    assert_eq!(
        list(RunFilter {
            integration,
            before,
            state: None
        })
        .await
        .len(),
        29 - 5
    );
    store
        .cancel_run(admin, expected[7])
        .await
        .expect("an Admin may");
    let state = Some(RunState::Canceled);
    assert_eq!(
        list(RunFilter {
            state,
            ..RunFilter::default()
        })
        .await,
        [expected[7]]
    );
    world.end().await;
}

#[sqlx::test]
async fn a_reader_sees_that_a_run_was_but_not_what_it_carried(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let reader = world.member(Role::Reader).await;
    let (_, route) = world.hook().await;
    let payload = json!({ "body": "private" });
    let incoming = Incoming {
        route,
        payload: payload.into(),
        delivery: None,
        hand_to: Some(WorkerId::random()),
    };
    let claimed = store
        .accept(incoming)
        .await
        .expect("there is room")
        .claimed
        .expect("handed");
    let records = vec![record(1, "private")];
    let outcome = Outcome::Finished {
        state: RunState::Succeeded,
        error: None,
        records,
    };
    store
        .journal()
        .finish(claimed.lease, outcome)
        .await
        .expect("it is ours");

    let shown = store
        .run(admin, claimed.lease.run)
        .await
        .expect("it is there");
    assert_eq!(shown.records[0].output, json!("private"));
    assert!(!shown.payloads_hidden && shown.payload.is_some());
    let hidden = store
        .run(&reader, claimed.lease.run)
        .await
        .expect("a Reader may look");
    assert!(hidden.payloads_hidden && hidden.payload.is_none());
    assert_eq!(
        (hidden.records.len(), &hidden.records[0].state),
        (1, &shown.records[0].state)
    );
    let text = serde_json::to_string(&hidden).expect("it is JSON");
    assert!(!text.contains("private"), "{text}");
    world.end().await;
}

#[sqlx::test]
async fn a_canceled_run_is_over_and_its_worker_can_write_no_more(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let mut cancellations = store.cancellations();
    let (_, route) = world.hook().await;
    let worker = WorkerId::random();
    let incoming = Incoming {
        route,
        payload: json!({}).into(),
        delivery: None,
        hand_to: Some(worker),
    };
    let lease = store
        .accept(incoming)
        .await
        .expect("there is room")
        .claimed
        .expect("handed")
        .lease;
    store
        .cancel_run(admin, lease.run)
        .await
        .expect("an Admin may");
    assert_eq!(cancellations.recv().await.expect("it is told"), lease.run);
    let outcome = Outcome::Finished {
        state: RunState::Succeeded,
        error: None,
        records: Vec::new(),
    };
    assert_eq!(store.journal().finish(lease, outcome).await, Err(Lost));
    assert!(store.renew(&[lease]).await.expect("it answers").is_empty());
    assert!(store.claim(worker, 5).await.expect("it answers").is_empty());
    let detail = store.run(admin, lease.run).await.expect("it is there");
    assert_eq!(detail.summary.state, RunState::Canceled);
    let over = Refusal::RunOver(RunState::Canceled);
    assert_eq!(refusal(store.cancel_run(admin, lease.run).await), over);
    world.end().await;
}

#[sqlx::test]
async fn tests_use_what_is_pinned_and_reviews_do_not_see_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let document = clean("webhook");
    let step = document.flow[0];
    let (_, id) = world.draft_of(document).await;
    let claimed = |scope: TestScope| async move {
        let run = store.start_test(admin, id, 1, json!({}), scope).await;
        run.expect("an Admin may");
        let mut claimed = store
            .claim(WorkerId::random(), 5)
            .await
            .expect("it answers");
        claimed.remove(0).scope
    };
    assert_eq!(claimed(TestScope::Whole).await, TestScope::Whole);
    let output = json!({ "message": "pinned", "nothing": "\0" });
    store
        .pin(admin, id, step, Some(output.clone()))
        .await
        .expect("an Admin may");
    let pins = store.pins(admin, id).await.expect("an Admin may");
    assert_eq!((pins.len(), pins[0].step), (1, step));
    assert_eq!(pins[0].output.as_ref(), Some(&output));
    assert_eq!(pins[0].pinned_by, "An Admin");
    let draft = store.draft(admin, id).await.expect("it is there");
    assert_eq!(draft.summary.revision, 1, "a pin is no change");

    // Pins are those of the draft, whatever is sent; a test with them is no test of the whole.
    let expected = TestScope::Part {
        until: None,
        pins: BTreeMap::from([(step, output)]),
    };
    assert_eq!(claimed(TestScope::Whole).await, expected);
    let forged = TestScope::Part {
        until: Some(step),
        pins: BTreeMap::from([(StepId::new(Uuid::nil()), json!("forged"))]),
    };
    let TestScope::Part { until, pins } = claimed(forged).await else {
        panic!("it is a part");
    };
    assert_eq!((until, pins.len()), (Some(step), 1));
    assert!(pins.contains_key(&step));
    assert_eq!(store.tests(admin, id).await.expect("an Admin may").len(), 3);

    store
        .pin(admin, id, step, None)
        .await
        .expect("an Admin may");
    store
        .pin(admin, id, step, None)
        .await
        .expect("it is off already");
    assert!(
        store
            .pins(admin, id)
            .await
            .expect("an Admin may")
            .is_empty()
    );
    assert_eq!(claimed(TestScope::Whole).await, TestScope::Whole);
}

#[sqlx::test]
async fn what_cannot_be_pinned_is_refused(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (store, admin) = (&world.store, &world.admin);
    let mut document = clean("webhook");
    let step = document.flow[0];
    document.steps.get_mut(&step).expect("it is there").kind = "stop".to_owned();
    let (_, id) = world.draft_of(document).await;
    let pin = |step, output| store.pin(admin, id, step, Some(output));
    assert_eq!(
        refusal(pin(step, json!(1)).await),
        Refusal::Draft(draft::Refusal::NotPinnable)
    );
    let gone = domain::edit::Refusal::NoSuchStep;
    assert_eq!(
        refusal(pin(StepId::new(Uuid::nil()), json!(1)).await),
        Refusal::Draft(draft::Refusal::Edit(gone))
    );
    let large = json!("x".repeat(limit::PAYLOAD_BYTES));
    assert!(matches!(
        refusal(pin(step, large).await),
        Refusal::PayloadTooLarge { .. }
    ));
    store.discard_draft(admin, id).await.expect("an Admin may");
    assert!(matches!(
        refusal(pin(step, json!(1)).await),
        Refusal::Draft(draft::Refusal::Closed(_))
    ));
}
