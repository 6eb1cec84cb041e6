//! The queue: one owner at a time, fences, takeovers.

use std::collections::HashSet;
use std::time::Duration;

use domain::RunId;
use domain::run::{ResumeOn, RunState};
use engine::Outcome;
use engine::port::{Journal, Lease, Lost};
use futures::future::join_all;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{ClaimedRun, Incoming, Room, Takes, WorkerId};
use tokio::time::timeout;

use crate::journal::record;
use crate::world::World;

pub(crate) async fn queue(world: &World, count: usize) -> HashSet<RunId> {
    let (_, route) = world.hook().await;
    let accepts = (0..count).map(|number| {
        let payload = json!({ "body": number });
        world.store.accept(Incoming {
            route: route.clone(),
            payload: payload.into(),
            delivery: None,
            hand_to: None,
        })
    });
    join_all(accepts)
        .await
        .into_iter()
        .map(|a| a.expect("there is room").run)
        .collect()
}

pub(crate) async fn claim_one(world: &World) -> ClaimedRun {
    let mut claimed = world
        .store
        .claim(WorkerId::random(), 1)
        .await
        .expect("it answers");
    claimed.pop().expect("one is due")
}

/// Makes all leases end, as if their workers had been silent.
pub(crate) async fn silence(world: &World) {
    world
        .execute(
            "update run_queue set lease_until = now() - interval '1 second'
             where lease_until is not null",
        )
        .await;
}

#[sqlx::test]
async fn each_run_is_claimed_by_one_worker(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let queued = queue(&world, 100).await;
    // Each claims for itself.
    let others: Vec<_> = join_all((0..5).map(|_| world.other_process())).await;
    let stores = others.iter().cycle().take(10);
    let claims = stores.map(|store| store.claim(WorkerId::random(), 15));
    let claimed: Vec<_> = join_all(claims)
        .await
        .into_iter()
        .flat_map(|c| c.expect("it answers"))
        .collect();
    let runs: HashSet<_> = claimed.iter().map(|run| run.lease.run).collect();
    assert_eq!(claimed.len(), runs.len(), "none twice");
    let rest = world
        .store
        .claim(WorkerId::random(), 100)
        .await
        .expect("it answers");
    let all: HashSet<_> = runs
        .into_iter()
        .chain(rest.iter().map(|run| run.lease.run))
        .collect();
    assert_eq!(all, queued);
    join_all(others.iter().map(|other| other.close())).await;
    world.end().await;
}

#[sqlx::test]
async fn a_lease_that_ends_is_taken_over_with_all_that_was_recorded(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    queue(&world, 1).await;
    let first = claim_one(&world).await;
    let journal = world.store.journal();
    journal
        .append(first.lease, vec![record(1, "one")])
        .await
        .expect("it is ours");
    journal
        .append(first.lease, vec![record(2, "two")])
        .await
        .expect("it is ours");
    journal
        .append(first.lease, vec![record(1, "one again")])
        .await
        .expect("it is ours");
    silence(&world).await;

    let second = claim_one(&world).await;
    assert_eq!(
        second.lease,
        Lease {
            run: first.lease.run,
            fence: first.lease.fence + 1
        }
    );
    assert_eq!(second.history, [record(1, "one again"), record(2, "two")]);
    // The first worker wakes up: whatever it says is refused, and nothing is lost.
    assert_eq!(
        journal.append(first.lease, vec![record(3, "stale")]).await,
        Err(Lost)
    );
    let stale = Outcome::Finished {
        state: RunState::Failed,
        error: None,
        records: vec![],
    };
    assert_eq!(journal.finish(first.lease, stale).await, Err(Lost));
    assert!(
        world
            .store
            .renew(&[first.lease])
            .await
            .expect("it answers")
            .is_empty()
    );
    let records = vec![record(3, "three")];
    let outcome = Outcome::Finished {
        state: RunState::Succeeded,
        error: None,
        records,
    };
    journal
        .finish(second.lease, outcome)
        .await
        .expect("it is ours");
    let detail = world
        .store
        .run(&world.admin, first.lease.run)
        .await
        .expect("it is there");
    assert_eq!(detail.summary.state, RunState::Succeeded);
    assert_eq!(
        detail.records,
        [record(1, "one again"), record(2, "two"), record(3, "three")]
    );
    world.end().await;
}

#[sqlx::test]
async fn a_lease_that_is_renewed_is_not_taken_over(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    queue(&world, 2).await;
    let (one, two) = (claim_one(&world).await, claim_one(&world).await);
    silence(&world).await;
    let held = world.store.renew(&[one.lease]).await.expect("it answers");
    assert_eq!(held, [one.lease]);
    let taken = world
        .store
        .claim(WorkerId::random(), 5)
        .await
        .expect("it answers");
    let taken: Vec<_> = taken.iter().map(|run| run.lease.run).collect();
    assert_eq!(taken, [two.lease.run]);
    world.end().await;
}

#[sqlx::test]
async fn a_worker_that_shuts_down_gives_its_runs_back_at_once(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    queue(&world, 3).await;
    let worker = WorkerId::random();
    let held = world.store.claim(worker, 3).await.expect("it answers");
    world
        .store
        .release(WorkerId::random())
        .await
        .expect("it answers");
    assert!(
        world
            .store
            .claim(WorkerId::random(), 5)
            .await
            .expect("it answers")
            .is_empty()
    );
    world.store.release(worker).await.expect("it answers");
    let run = world
        .store
        .run(&world.admin, held[0].lease.run)
        .await
        .expect("it is there");
    assert_eq!(run.summary.state, RunState::Queued);
    assert!(
        world
            .store
            .renew(&[held[0].lease])
            .await
            .expect("it answers")
            .is_empty()
    );
    let again = world
        .store
        .claim(WorkerId::random(), 5)
        .await
        .expect("it answers");
    assert_eq!(again.len(), 3);
    assert!(again.iter().all(|run| run.lease.fence == 2));
    world.end().await;
}

#[sqlx::test]
async fn a_run_that_silences_its_workers_is_set_aside_until_someone_resumes_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    queue(&world, 1).await;
    let run = claim_one(&world).await.lease.run;
    for _ in 0..2 {
        silence(&world).await;
        assert_eq!(claim_one(&world).await.lease.run, run);
    }
    silence(&world).await;
    let fourth = world
        .store
        .claim(WorkerId::random(), 5)
        .await
        .expect("it answers");
    assert!(fourth.is_empty());
    let detail = world
        .store
        .run(&world.admin, run)
        .await
        .expect("it is there");
    assert_eq!(detail.summary.state, RunState::Quarantined);
    assert!(
        detail
            .summary
            .error
            .expect("it says why")
            .contains("3 times")
    );
    assert_eq!(world.count("select count(*) from run_queue").await, 0);
    world
        .store
        .resume_run(&world.admin, run, ResumeOn::Ran)
        .await
        .expect("an Admin may");
    assert_eq!(claim_one(&world).await.lease.run, run);
    world.end().await;
}

#[sqlx::test]
async fn a_run_that_gets_further_each_time_is_not_what_silences_its_workers(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    queue(&world, 1).await;
    let journal = world.store.journal();
    for step in 1..=6 {
        let claimed = claim_one(&world).await;
        let records = vec![record(step, "done")];
        journal
            .append(claimed.lease, records)
            .await
            .expect("it is ours");
        silence(&world).await;
    }
    assert_eq!(claim_one(&world).await.history.len(), 6);
    world.end().await;
}

#[sqlx::test]
async fn a_claim_can_leave_runs_alone_whose_workers_may_only_have_been_unable_to_renew(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    queue(&world, 2).await;
    let (worker, other) = (WorkerId::random(), WorkerId::random());
    let held = world.store.claim(worker, 1).await.expect("it answers");
    silence(&world).await;
    let takes = Takes {
        silent: false,
        suspect: Room::All,
    };
    let claimed = world.store.claim_with(other, 5, takes).await;
    let claimed = claimed.expect("it answers").runs;
    assert_eq!(claimed.len(), 1, "the one that nobody had");
    assert_ne!(claimed[0].lease.run, held[0].lease.run);
    let leases = [held[0].lease];
    let renewed = world.store.renew(&leases).await.expect("it answers");
    assert_eq!(renewed, leases);
    silence(&world).await;
    let taken = world.store.claim(other, 5).await.expect("it answers");
    assert_eq!(taken.len(), 2, "another takes both, whoever had them");
    world.end().await;
}

#[sqlx::test]
async fn the_runs_of_a_process_that_ended_are_free_at_once_and_those_of_others_are_not(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    queue(&world, 2).await;
    let (dead, living) = (WorkerId::random(), WorkerId::random());
    let other = world.other_process().await;
    let lives = {
        let other = other.clone();
        tokio::spawn(async move { other.stay_alive(living).await })
    };
    let dies = {
        let other = other.clone();
        tokio::spawn(async move { other.stay_alive(dead).await })
    };
    let both_live = async { while world.count("select count(*) from worker").await < 2 {} };
    let both_live = timeout(Duration::from_secs(10), both_live).await;
    both_live.expect("both take their locks");
    let ours = world.store.claim(dead, 1).await.expect("it answers");
    let theirs = world.store.claim(living, 1).await.expect("it answers");
    dies.abort();
    let mut lookout = world.store.lookout();
    let taken = loop {
        let looked = lookout.free_runs_of_dead().await;
        looked.expect("it answers");
        // Whether or not leases that end say anything.
        let takes = Takes {
            silent: false,
            suspect: Room::All,
        };
        let claimed = world.store.claim_with(WorkerId::random(), 5, takes).await;
        let claimed = claimed.expect("it answers").runs;
        if !claimed.is_empty() {
            break claimed;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let taken: Vec<_> = taken.iter().map(|run| run.lease.run).collect();
    assert_eq!(taken, [ours[0].lease.run]);
    let held = world.store.renew(&[theirs[0].lease]).await;
    assert_eq!(held.expect("it answers"), [theirs[0].lease]);
    assert_eq!(world.count("select count(*) from worker").await, 1);
    lives.abort();
    drop(lookout);
    other.close().await;
    world.end().await;
}

#[sqlx::test]
async fn a_run_that_cannot_be_read_fails_alone(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    queue(&world, 3).await;
    let bad = claim_one(&world).await;
    let records = vec![record(1, "one")];
    world
        .store
        .journal()
        .append(bad.lease, records)
        .await
        .expect("it is ours");
    let worse = claim_one(&world).await;
    let records = vec![record(2, "two")];
    let appended = world.store.journal().append(worse.lease, records).await;
    appended.expect("it is ours");
    world
        .execute("update run_record set records = case when records like '%two%' then '[' else '[{}]' end")
        .await;
    silence(&world).await;
    let claimed = world
        .store
        .claim(WorkerId::random(), 5)
        .await
        .expect("it answers");
    assert_eq!(claimed.len(), 1, "the other goes on");
    assert_eq!(
        world
            .count("select count(*) from run where state = 'failed'")
            .await,
        2
    );
    world.end().await;
}

#[sqlx::test]
async fn rows_that_left_the_queue_are_cleared_away(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let kept = queue(&world, 1_000).await;
    world
        .execute("alter table run_queue set (autovacuum_enabled = off)")
        .await;
    let dead = "select pg_stat_get_dead_tuples('run_queue'::regclass)";
    for _ in 0..2 {
        world
            .execute(
                "do $$ begin
                     for number in 1..3 loop update run_queue set due_at = now(); end loop;
                 end $$",
            )
            .await;
        let seen_and_cleared = async {
            // Postgres counts a moment later.
            while world.count(dead).await < 3_000 {
                tokio::task::yield_now().await;
            }
            // Where two begin at once, one leaves it to the other.
            while world.count(dead).await > 0 {
                let clears = [world.store.clear_queue(), world.store.clear_queue()];
                for cleared in join_all(clears).await {
                    cleared.expect("it answers");
                }
            }
        };
        let ended = timeout(Duration::from_secs(60), seen_and_cleared).await;
        ended.expect("they are gone");
    }
    let claimed = world.store.claim(WorkerId::random(), 100).await;
    let claimed = claimed.expect("it answers").into_iter();
    let claimed: HashSet<_> = claimed.map(|run| run.lease.run).collect();
    assert_eq!(claimed.len(), 100, "what is in it stays");
    assert!(claimed.is_subset(&kept));
    world.end().await;
}

#[sqlx::test]
async fn what_was_claimed_and_not_read_is_given_back_at_once_and_silenced_nobody(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let queued = queue(&world, 3).await;
    let worker = WorkerId::random();
    let claimed = world.store.claim(worker, 5).await.expect("it answers");
    assert_eq!(claimed.len(), 3);
    world.store.release(worker).await.expect("it answers");
    world.execute("alter table run_record rename to gone").await;
    for _ in 0..4 {
        let failed = world.store.claim(worker, 5).await;
        assert!(failed.is_err(), "{failed:?}");
        // Whatever were still leased would be taken over.
        world
            .execute("update run_queue set lease_until = now() where lease_until is not null")
            .await;
    }
    world.execute("alter table gone rename to run_record").await;
    let claimed = world.store.claim(worker, 5).await.expect("it answers");
    let runs: HashSet<_> = claimed.iter().map(|run| run.lease.run).collect();
    assert_eq!(runs, queued);
    let silenced = "select count(*) from run_queue where takeovers > 0";
    assert_eq!(world.count(silenced).await, 0);
    world.end().await;
}
