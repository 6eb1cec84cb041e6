//! How long runs are kept: what is deleted when, and what never is.

use std::sync::Arc;

use domain::account::Role;
use domain::limit::RETENTION_DAYS_MAX;
use domain::run::{ResumeOn, RunState, TestScope};
use domain::{DraftId, RunId, Timestamp, retention};
use engine::Outcome;
use engine::port::{Journal, Lease};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{ClaimedRun, HookRoute, Incoming, Refusal, Store, WorkerId};
use uuid::Uuid;

use crate::journal::record;
use crate::world::{World, assert_denied, clean, each_minute, refusal};

/// Deletes until all organizations were gone through; returns what each step deleted.
async fn delete(store: &Store) -> Vec<u64> {
    let (mut steps, mut place) = (Vec::new(), None);
    loop {
        let deleted = store.delete_old_runs(place).await.expect("it answers");
        steps.push(deleted.runs);
        place = deleted.next;
        if place.is_none() {
            return steps;
        }
    }
}

async fn deleted(store: &Store) -> u64 {
    delete(store).await.into_iter().sum()
}

pub(crate) async fn begun(world: &World, route: &Arc<HookRoute>) -> ClaimedRun {
    let incoming = Incoming {
        route: route.clone(),
        payload: json!({}).into(),
        delivery: None,
        hand_to: Some(WorkerId::random()),
    };
    let accepted = world.store.accept(incoming).await.expect("there is room");
    accepted.claimed.expect("it was handed")
}

async fn end(world: &World, lease: Lease, state: RunState) {
    let outcome = Outcome::Finished {
        state,
        error: None,
        records: vec![record(1, "done")],
    };
    let journal = world.store.journal();
    journal.finish(lease, outcome).await.expect("it is ours");
}

async fn ended(world: &World, route: &Arc<HookRoute>, state: RunState) -> RunId {
    let claimed = begun(world, route).await;
    end(world, claimed.lease, state).await;
    claimed.lease.run
}

async fn tested(world: &World, draft: DraftId) -> RunId {
    let whole = TestScope::Whole;
    let started = world
        .store
        .start_test(&world.admin, draft, 1, json!({}), whole);
    let run = started.await.expect("an Admin tests");
    let claimed = world.store.claim(WorkerId::random(), 1).await;
    end(
        world,
        claimed.expect("it answers")[0].lease,
        RunState::Succeeded,
    )
    .await;
    run
}

/// Gives a run the id, and the times, that it had if it had been accepted so many days ago.
async fn age(world: &World, run: RunId, days: i64) -> RunId {
    let now = world.store.now().await.expect("it answers");
    let millis = u128::try_from(now.0 - days * 86_400_000).expect("it is after 1970");
    let random = run.0.as_u128() & ((1 << 80) - 1);
    let old = RunId(Uuid::from_u128(millis << 80 | random));
    for statement in [
        "update run set run_id = $2, created_at = created_at - make_interval(days => $3),
            finished_at = finished_at - make_interval(days => $3) where run_id = $1",
        "update run_record set run_id = $2 where run_id = $1 and $3 > 0",
        "update run_queue set run_id = $2 where run_id = $1 and $3 > 0",
        "update failing set run_id = $2 where run_id = $1 and $3 > 0",
        "update schedule_fire set run_id = $2, fire_at = fire_at - make_interval(days => $3)
         where run_id = $1",
    ] {
        sqlx::query(statement)
            .bind(run.0)
            .bind(old.0)
            .bind(i32::try_from(days).expect("it is small"))
            .execute(&world.sql)
            .await
            .expect("the statement is right");
    }
    old
}

async fn is_kept(world: &World, run: RunId) -> bool {
    world.store.run(&world.admin, run).await.is_ok()
}

#[sqlx::test]
async fn what_ended_longer_ago_than_is_kept_goes_with_all_that_belongs_to_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (integration, route) = world.hook().await;
    let mut old = Vec::new();
    for state in [
        RunState::Succeeded,
        RunState::InDoubt,
        RunState::Canceled,
        RunState::Succeeded,
    ] {
        let run = ended(&world, &route, state).await;
        old.push(age(&world, run, 31).await);
    }
    let run = ended(&world, &route, RunState::Succeeded).await;
    let young = age(&world, run, 29).await;
    let fresh = ended(&world, &route, RunState::Succeeded).await;

    assert_eq!(deleted(&world.store).await, 4);
    for run in old {
        assert!(!is_kept(&world, run).await);
    }
    assert!(is_kept(&world, young).await && is_kept(&world, fresh).await);
    for table in [
        "select count(*) from run",
        "select count(*) from event",
        "select count(*) from run_record",
    ] {
        assert_eq!(world.count(table).await, 2, "{table}");
    }
    assert_eq!(deleted(&world.store).await, 0, "again is harmless");
    let detail = world.store.integration(&world.admin, integration).await;
    assert_eq!(detail.expect("it is there").versions.len(), 1);

    let set = world.store.set_retention(&world.admin, 7).await;
    set.expect("an Admin may");
    assert_eq!(deleted(&world.store).await, 1);
    assert!(!is_kept(&world, young).await && is_kept(&world, fresh).await);
    world.end().await;
}

#[sqlx::test]
async fn what_is_not_over_or_still_counts_stays_however_old_it_is(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (_, route) = world.hook().await;
    let under_way = begun(&world, &route).await.lease;
    let under_way = Lease {
        run: age(&world, under_way.run, 400).await,
        ..under_way
    };
    let waiting = begun(&world, &route).await.lease;
    let later = Outcome::Waiting {
        until: Timestamp(world.store.now().await.expect("it answers").0 + 86_400_000),
        records: vec![record(1, "waits")],
    };
    let journal = world.store.journal();
    journal.finish(waiting, later).await.expect("it is ours");
    let waiting = age(&world, waiting.run, 400).await;
    let failed = ended(&world, &route, RunState::Failed).await;
    let first_bad = age(&world, failed, 400).await;
    let failed = ended(&world, &route, RunState::Failed).await;
    let second_bad = age(&world, failed, 400).await;
    let failed = ended(&world, &route, RunState::Failed).await;
    let resumed = age(&world, failed, 400).await;
    let again = world
        .store
        .resume_run(&world.admin, resumed, ResumeOn::Ran)
        .await;
    again.expect("an Admin resumes");
    let (_, draft) = world.draft_of(clean("webhook")).await;
    // A test of an open draft counts in its review.
    let claimed = world.store.claim(WorkerId::random(), 10).await;
    assert_eq!(claimed.expect("it answers").len(), 1, "the resumed one");
    let test = tested(&world, draft).await;
    let test = age(&world, test, 400).await;

    assert_eq!(deleted(&world.store).await, 1);
    assert!(!is_kept(&world, second_bad).await);
    for kept in [under_way.run, waiting, first_bad, resumed, test] {
        assert!(is_kept(&world, kept).await);
    }
    let went_on = journal.append(under_way, vec![record(2, "goes on")]).await;
    went_on.expect("the lease holds");

    let discarded = world.store.discard_draft(&world.admin, draft).await;
    discarded.expect("an Admin may");
    ended(&world, &route, RunState::Succeeded).await;
    assert_eq!(
        deleted(&world.store).await,
        2,
        "the test, and what failed first"
    );
    assert!(!is_kept(&world, test).await && !is_kept(&world, first_bad).await);
    world.end().await;
}

#[sqlx::test]
async fn deleting_takes_bounded_steps_and_passes_what_stays(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (_, route) = world.hook().await;
    ended(&world, &route, RunState::Succeeded).await;
    // 1,300 old ones, of which 600 that are not over come first.
    world
        .execute(
            "insert into run (run_id, organization_id, integration_id, event_id, hash, is_test,
                version_number, state, created_at, finished_at)
             select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
                organization_id, integration_id, event_id, hash, false, version_number,
                case when n <= 600 then 'waiting' else state end,
                created_at - interval '1 year', finished_at - interval '1 year'
             from run, generate_series(1, 1300) as n",
        )
        .await;
    let other = world.other_process().await;
    let steps = delete(&other).await;
    assert_eq!(steps[..3], [0, 400, 300], "{steps:?}");
    assert_eq!(steps.iter().sum::<u64>(), 700, "{steps:?}");
    assert_eq!(world.count("select count(*) from run").await, 601);
    other.close().await;
    world.end().await;
}

#[sqlx::test]
async fn who_resumes_a_run_while_it_would_be_deleted_keeps_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (_, route) = world.hook().await;
    let run = ended(&world, &route, RunState::Canceled).await;
    let run = age(&world, run, 31).await;
    let mut resuming = world.sql.begin().await.expect("it answers");
    sqlx::query("select from run where run_id = $1 for update")
        .bind(run.0)
        .execute(&mut *resuming)
        .await
        .expect("it answers");
    assert_eq!(deleted(&world.store).await, 0, "nobody waits for the lock");
    resuming.rollback().await.expect("it answers");
    assert_eq!(deleted(&world.store).await, 1);
    world.end().await;
}

#[sqlx::test]
async fn an_instant_of_a_schedule_that_is_kept_does_not_fire_again(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    world.publish(each_minute()).await;
    let fire = async |ahead: i64| {
        let now = world.store.now().await.expect("it answers").0 + ahead * 60_000;
        let fired = world.store.due(Timestamp(now)).await.expect("it answers");
        assert_eq!(fired.len(), 1);
        let claimed = world.store.claim(WorkerId::random(), 1).await;
        let claimed = claimed.expect("it answers");
        end(&world, claimed[0].lease, RunState::Succeeded).await;
        fired[0]
    };
    let old = fire(1).await;
    age(&world, old, 31).await;
    let kept = fire(3).await;
    assert_eq!(deleted(&world.store).await, 1);
    let fires = "select count(*) from schedule_fire";
    assert_eq!(world.count(fires).await, 1, "the old instant went");
    // As after a clock that was set back: the instant that is kept comes again.
    world
        .execute("update schedule set next_fire = (select fire_at from schedule_fire)")
        .await;
    let later = world.store.now().await.expect("it answers").0 + 3 * 60_000;
    let fired = world.store.due(Timestamp(later)).await;
    assert_eq!(fired.expect("it answers"), []);
    assert!(is_kept(&world, kept).await);
    world.end().await;
}

#[sqlx::test]
async fn each_organization_keeps_its_runs_as_long_as_it_says(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let outsider = world.outsider().await;
    let (ben, reader) = (
        world.member(Role::Collaborator).await,
        world.member(Role::Reader).await,
    );
    let store = &world.store;
    for me in [&world.admin, &ben, &reader, &outsider] {
        assert_eq!(store.retention(me).await.expect("a member may"), 30);
    }
    for me in [&ben, &reader] {
        assert_denied(store.set_retention(me, 5).await);
    }
    for days in [0, RETENTION_DAYS_MAX + 1] {
        let refused = refusal(store.set_retention(&world.admin, days).await);
        assert_eq!(refused, Refusal::Retention(retention::Refusal::Days));
    }
    let set = store.set_retention(&outsider, 2).await;
    set.expect("an Admin may");
    let set = store.set_retention(&world.admin, 90).await;
    set.expect("an Admin may");
    assert_eq!(store.retention(&ben).await.expect("a member may"), 90);
    assert_eq!(store.retention(&outsider).await.expect("a member may"), 2);
    let (_, route) = world.hook().await;
    let run = ended(&world, &route, RunState::Succeeded).await;
    let run = age(&world, run, 31).await;
    assert_eq!(deleted(store).await, 0);
    assert!(is_kept(&world, run).await);
    let noted = world.audit().await;
    assert!(noted.contains(&"organization.retention".to_owned()));
    world.end().await;
}
