//! What callers of webhooks get to know of runs that another process executes.

use std::sync::Arc;
use std::time::Duration;

use domain::run::{RunState, StepRecord, StepState};
use domain::{OrganizationId, RunId, StepId};
use engine::Outcome;
use engine::port::{Journal, Lease};
use futures::future::join_all;
use serde_json::{Map, Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{Awaited, HookRoute, Reply};
use tokio::time::timeout;
use uuid::Uuid;

use crate::journal::record;
use crate::retention::begun;
use crate::world::{World, clean, log_step};

/// What would otherwise take for ever.
const AT_MOST: Duration = Duration::from_secs(60);

/// Publishes a webhook with so many Respond steps.
async fn responding(world: &World, steps: usize) -> (Arc<HookRoute>, Vec<StepId>) {
    let mut document = clean("webhook");
    let mut responding = Vec::new();
    for number in 0..steps {
        let mut step = log_step("Answer", &format!("answer_{number}"));
        step.kind = "respond".to_owned();
        let config = json!({ "status": 200, "body_type": "none" });
        step.config = config.as_object().cloned().unwrap_or_default();
        responding.push(step.id);
        document.flow.push(step.id);
        document.steps.insert(step.id, step);
    }
    let integration = world.publish(document).await;
    (world.route(integration).await, responding)
}

fn answered(step: StepId, status: u16) -> StepRecord {
    let mut record = record(1, "answered");
    record.path.step = step;
    record.input = json!({ "status": status });
    record
}

fn fields(status: u16) -> Map<String, Value> {
    Map::from_iter([("status".to_owned(), json!(status))])
}

/// Asks as who asks the first time, which must say the same as who asked before.
async fn reply(world: &World, awaited: &mut Awaited, lease: Lease) -> Reply {
    let reply = world.store.reply(awaited).await.expect("it answers");
    let mut first = Awaited::new(world.admin.organization, lease.run);
    let first = world.store.reply(&mut first).await.expect("it answers");
    assert_eq!(reply, first);
    reply
}

/// Asks after all of these runs at once, as who asks the first time.
async fn first_replies(world: &World, leases: &[Lease]) -> Vec<Result<Reply, store::Error>> {
    let asks = leases.iter().map(|lease| async move {
        let mut awaited = Awaited::new(world.admin.organization, lease.run);
        world.store.reply(&mut awaited).await
    });
    join_all(asks).await
}

#[sqlx::test]
async fn a_caller_is_told_what_its_run_gave_as_soon_as_that_is_durable(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let journal = world.store.journal();
    // Of few steps each is looked for, of many each row is read.
    for steps in [1, 3, 40] {
        let (route, steps) = responding(&world, steps).await;
        let last = *steps.last().expect("there is one");
        let lease = begun(&world, &route).await.lease;
        let mut awaited = Awaited::new(world.admin.organization, lease.run);
        assert_eq!(reply(&world, &mut awaited, lease).await, Reply::Pending);
        let append = async |record: StepRecord| {
            let appended = journal.append(lease, vec![record]).await;
            appended.expect("it is ours");
        };
        // More than is looked at in one question, all of which name the step.
        for number in 10..150 {
            append(record(number, &last.to_string())).await;
        }
        assert_eq!(reply(&world, &mut awaited, lease).await, Reply::Pending);
        let mut failed = answered(last, 500);
        failed.state = StepState::Failed;
        append(failed).await;
        assert_eq!(reply(&world, &mut awaited, lease).await, Reply::Pending);
        append(answered(last, 201)).await;
        let expected = Reply::Responded(fields(201));
        assert_eq!(reply(&world, &mut awaited, lease).await, expected);
        // Whatever comes after it.
        append(record(150, "more")).await;
        let finished = Outcome::Finished {
            state: RunState::Failed,
            error: None,
            records: Vec::new(),
        };
        journal.finish(lease, finished).await.expect("it is ours");
        assert_eq!(reply(&world, &mut awaited, lease).await, expected);
    }
    world.end().await;
}

#[sqlx::test]
async fn a_caller_is_told_that_its_run_is_over_without_an_answer_or_gone(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let journal = world.store.journal();
    let (route, _) = responding(&world, 1).await;
    let outsider = world.outsider().await.organization;
    for (state, records) in [
        (RunState::Failed, Vec::new()),
        (RunState::Succeeded, vec![record(1, "no answer")]),
    ] {
        let lease = begun(&world, &route).await.lease;
        let mut awaited = Awaited::new(world.admin.organization, lease.run);
        assert_eq!(reply(&world, &mut awaited, lease).await, Reply::Pending);
        let outcome = Outcome::Finished {
            state,
            error: None,
            records,
        };
        journal.finish(lease, outcome).await.expect("it is ours");
        assert_eq!(
            reply(&world, &mut awaited, lease).await,
            Reply::Ended(state)
        );
        let gone = async |organization: OrganizationId, run: RunId| {
            let mut awaited = Awaited::new(organization, run);
            let reply = world.store.reply(&mut awaited).await;
            assert_eq!(reply.expect("it answers"), Reply::Gone);
        };
        gone(outsider, lease.run).await;
        gone(world.admin.organization, RunId(Uuid::now_v7())).await;
    }
    world.end().await;
}

#[sqlx::test]
async fn however_many_callers_wait_they_ask_over_one_connection_and_leases_are_renewed(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (route, _) = responding(&world, 1).await;
    let lease = begun(&world, &route).await.lease;
    // What each question reads, and no renewal does.
    let mut held = world.sql.begin().await.expect("it answers");
    sqlx::query("lock table run_record in access exclusive mode")
        .execute(&mut *held)
        .await
        .expect("nobody has it");
    let (store, organization) = (&world.store, world.admin.organization);
    let asks = join_all((0..500).map(|_| async move {
        let mut awaited = Awaited::new(organization, lease.run);
        store.reply(&mut awaited).await
    }));
    let renews = async {
        world.someone_waits().await;
        for _ in 0..20 {
            let renewed = world.store.renew(&[lease]).await;
            assert_eq!(renewed.expect("it has a connection"), [lease]);
        }
        let waiting = "select count(*) from pg_stat_activity
            where wait_event_type = 'Lock' and datname = current_database()";
        assert_eq!(world.count(waiting).await, 1);
        held.rollback().await.expect("it answers");
    };
    let both = async { tokio::join!(asks, renews).0 };
    for reply in timeout(AT_MOST, both).await.expect("nobody waits on") {
        assert_eq!(reply.expect("it answers"), Reply::Pending);
    }
    world.end().await;
}

#[sqlx::test]
async fn runs_with_more_records_than_one_statement_looks_at_are_answered_one_after_the_other(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (route, steps) = responding(&world, 1).await;
    let mut leases = Vec::new();
    for status in 200..220 {
        let lease = begun(&world, &route).await.lease;
        for number in 10..15 {
            let large = record(number, &"x".repeat(1024 * 1024));
            let appended = world.store.journal().append(lease, vec![large]).await;
            appended.expect("it is ours");
        }
        let records = vec![answered(steps[0], status)];
        let appended = world.store.journal().append(lease, records).await;
        appended.expect("it is ours");
        leases.push(lease);
    }
    let replies = timeout(AT_MOST, first_replies(&world, &leases)).await;
    for (status, reply) in (200..).zip(replies.expect("each has its turn")) {
        let reply = reply.expect("it answers");
        assert_eq!(reply, Reply::Responded(fields(status)));
    }
    world.end().await;
}

#[sqlx::test]
async fn a_caller_is_told_what_its_run_gave_on_another_version_than_the_one_that_it_began_on(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (before, _) = responding(&world, 0).await;
    let (after, steps) = responding(&world, 1).await;
    let lease = begun(&world, &before).await.lease;
    let mut awaited = Awaited::new(world.admin.organization, lease.run);
    let append = async |record: StepRecord| {
        let appended = world.store.journal().append(lease, vec![record]).await;
        appended.expect("it is ours");
    };
    append(record(1, "nothing that responds")).await;
    assert_eq!(reply(&world, &mut awaited, lease).await, Reply::Pending);
    // As it is when it is resumed on the live version.
    sqlx::query("update run set hash = $1 where run_id = $2")
        .bind(&after.hash.0)
        .bind(lease.run.0)
        .execute(&world.sql)
        .await
        .expect("both are there");
    append(answered(steps[0], 201)).await;
    let expected = Reply::Responded(fields(201));
    assert_eq!(reply(&world, &mut awaited, lease).await, expected);
    world.end().await;
}

#[sqlx::test]
async fn a_run_of_which_something_is_damaged_keeps_no_other_caller_from_its_answer(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (route, steps) = responding(&world, 1).await;
    let mut leases = Vec::new();
    for status in 200..230 {
        let lease = begun(&world, &route).await.lease;
        let records = vec![answered(steps[0], status)];
        let appended = world.store.journal().append(lease, records).await;
        appended.expect("it is ours");
        leases.push(lease);
    }
    let damaged = leases[11].run;
    world.damage("run_record", "run_id", damaged.0).await;
    let replies = first_replies(&world, &leases).await;
    for ((lease, status), reply) in leases.iter().zip(200..).zip(replies) {
        match reply {
            Ok(reply) => assert_eq!(reply, Reply::Responded(fields(status))),
            Err(error) => assert_eq!(lease.run, damaged, "{error}"),
        }
    }
    world.end().await;
}
