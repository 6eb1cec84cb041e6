//! Runs that may be what ended their workers: who of them is alone, and who is set aside.

use domain::RunId;
use domain::run::RunState;
use engine::Outcome;
use engine::port::Journal;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{ClaimedRun, ClaimedRuns, Room, Suspected, Takes, WorkerId};

use crate::journal::record;
use crate::queue::{claim_one, queue, silence};
use crate::world::World;

async fn claim(world: &World, suspect: Room) -> ClaimedRuns {
    let takes = Takes {
        silent: true,
        suspect,
    };
    let claimed = world.store.claim_with(WorkerId::random(), 32, takes).await;
    claimed.expect("it answers")
}

/// Claims a suspect and nothing else.
async fn claim_suspect(world: &World, room: Room) -> ClaimedRun {
    let mut claimed = claim(world, room).await;
    assert!(!claimed.one_waits);
    assert_eq!(claimed.runs.len(), 1);
    claimed.runs.remove(0)
}

/// Queues runs, and lets two workers end that have all of them; returns the runs, oldest first.
async fn suspects(world: &World, count: usize) -> Vec<RunId> {
    let mut runs: Vec<RunId> = queue(world, count).await.into_iter().collect();
    runs.sort_unstable();
    for _ in 0..2 {
        let claimed = claim(world, Room::None).await.runs;
        assert_eq!(claimed.len(), count);
        assert!(claimed.iter().all(|run| run.suspected.is_none()));
        silence(world).await;
    }
    runs
}

/// Lets another worker end that has all of them, beside each other.
async fn end_beside(world: &World, runs: &[RunId]) {
    for run in runs {
        let claimed = claim_suspect(world, Room::Beside).await;
        assert_eq!(claimed.lease.run, *run);
        assert_eq!(claimed.suspected, Some(Suspected::Beside));
    }
    silence(world).await;
}

async fn succeed(world: &World, run: ClaimedRun) {
    let outcome = Outcome::Finished {
        state: RunState::Succeeded,
        error: None,
        records: vec![],
    };
    let journal = world.store.journal();
    journal.finish(run.lease, outcome).await.expect("ours");
}

async fn state(world: &World, run: RunId) -> RunState {
    let detail = world.store.run(&world.admin, run).await;
    detail.expect("it is there").summary.state
}

#[sqlx::test]
async fn one_that_was_beside_others_is_executed_once_more_alone_before_it_is_set_aside(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let runs = suspects(&world, 2).await;
    end_beside(&world, &runs).await;
    for run in &runs {
        let alone = claim_suspect(&world, Room::All).await;
        assert_eq!(alone.lease.run, *run);
        assert_eq!(alone.suspected, Some(Suspected::StrictlyAlone));
        silence(&world).await;
        // Whoever looks next does so, whatever else it has.
        let claimed = claim(&world, Room::Beside).await;
        assert_eq!(claimed.runs, []);
        assert_eq!(state(&world, *run).await, RunState::Quarantined);
    }
    world.end().await;
}

#[sqlx::test]
async fn one_that_has_to_go_alone_waits_for_that_and_keeps_no_other_run_waiting(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let runs = suspects(&world, 2).await;
    end_beside(&world, &runs).await;
    let others = queue(&world, 3).await;
    let claimed = claim(&world, Room::Beside).await;
    assert!(claimed.one_waits);
    let taken: Vec<RunId> = claimed.runs.iter().map(|run| run.lease.run).collect();
    assert!(taken.len() == 3 && taken.iter().all(|run| others.contains(run)));
    // To be told so again and again says nothing of it.
    for _ in 0..4 {
        assert!(claim(&world, Room::Beside).await.one_waits);
        let claimed = claim(&world, Room::None).await;
        assert!(claimed.runs.is_empty() && !claimed.one_waits);
    }
    for run in runs {
        let alone = claim_suspect(&world, Room::All).await;
        assert_eq!(alone.lease.run, run);
        succeed(&world, alone).await;
    }
    world.end().await;
}

#[sqlx::test]
async fn one_that_was_handed_back_is_neither_counted_nor_set_aside(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let runs = suspects(&world, 1).await;
    for room in [Room::All, Room::Beside, Room::All, Room::All] {
        let takes = Takes {
            silent: true,
            suspect: room,
        };
        let worker = WorkerId::random();
        let claimed = world.store.claim_with(worker, 5, takes).await;
        let suspected = match room {
            Room::All => Suspected::Alone,
            _ => Suspected::Beside,
        };
        let claimed = claimed.expect("it answers").runs;
        assert_eq!(claimed[0].suspected, Some(suspected));
        world.store.release(worker).await.expect("it answers");
    }
    end_beside(&world, &runs).await;
    for _ in 0..3 {
        let worker = WorkerId::random();
        let claimed = world.store.claim(worker, 5).await.expect("it answers");
        assert_eq!(claimed[0].suspected, Some(Suspected::StrictlyAlone));
        world.store.release(worker).await.expect("it answers");
    }
    world.end().await;
}

#[sqlx::test]
async fn one_that_was_joined_is_not_set_aside_for_whoever_joined_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let runs = suspects(&world, 1).await;
    let joined = claim_suspect(&world, Room::All).await;
    assert_eq!(joined.suspected, Some(Suspected::Alone));
    let let_join = world.store.let_join(joined.lease).await;
    let_join.expect("it answers");
    silence(&world).await;
    let again = claim_suspect(&world, Room::All).await;
    assert_eq!(again.suspected, Some(Suspected::StrictlyAlone));
    // Who had it before has no say any more.
    let let_join = world.store.let_join(joined.lease).await;
    let_join.expect("it answers");
    silence(&world).await;
    assert_eq!(claim(&world, Room::All).await.runs, []);
    assert_eq!(state(&world, runs[0]).await, RunState::Quarantined);
    world.end().await;
}

#[sqlx::test]
async fn one_is_alone_only_if_no_other_waits_with_it(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let runs = suspects(&world, 2).await;
    let first = claim_suspect(&world, Room::All).await;
    assert_eq!(first.lease.run, runs[0]);
    assert_eq!(first.suspected, Some(Suspected::Beside));
    let last = claim_suspect(&world, Room::All).await;
    assert_eq!(last.suspected, Some(Suspected::Alone));
    world.end().await;
}

#[sqlx::test]
async fn one_that_got_further_begins_anew(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    suspects(&world, 1).await;
    let alone = claim_suspect(&world, Room::All).await;
    let journal = world.store.journal();
    let records = vec![record(1, "done")];
    let appended = journal.append(alone.lease, records).await;
    appended.expect("it is ours");
    silence(&world).await;
    assert_eq!(claim_one(&world).await.suspected, None);
    silence(&world).await;
    let beside = claim_suspect(&world, Room::Beside).await;
    assert_eq!(beside.suspected, Some(Suspected::Beside));
    world.end().await;
}

#[sqlx::test]
async fn a_claim_that_cannot_be_read_sets_nobody_aside_who_was_not_executed(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let run = suspects(&world, 1).await[0];
    claim_suspect(&world, Room::All).await;
    silence(&world).await;
    // Of this one there is something to be read.
    let worker = WorkerId::random();
    let more = queue(&world, 1).await;
    let takes = Takes {
        silent: false,
        suspect: Room::None,
    };
    let claimed = world.store.claim_with(worker, 5, takes).await;
    assert_eq!(claimed.expect("it answers").runs.len(), 1);
    world.store.release(worker).await.expect("it answers");
    world.execute("alter table run_record rename to gone").await;
    let failed = world.store.claim(worker, 5).await;
    assert!(failed.is_err(), "{failed:?}");
    world.execute("alter table gone rename to run_record").await;
    silence(&world).await;
    let mut claimed = world.store.claim(worker, 5).await.expect("it answers");
    let other = claimed.pop().expect("it was given back");
    assert!(claimed.is_empty() && more.contains(&other.lease.run));
    assert_eq!(state(&world, run).await, RunState::Quarantined);
    succeed(&world, other).await;

    let run = suspects(&world, 1).await[0];
    world.execute("alter table run_record rename to gone").await;
    for _ in 0..4 {
        let failed = world.store.claim(worker, 5).await;
        assert!(failed.is_err(), "{failed:?}");
    }
    world.execute("alter table gone rename to run_record").await;
    let alone = claim_suspect(&world, Room::All).await;
    assert_eq!(alone.lease.run, run);
    assert_eq!(alone.suspected, Some(Suspected::Alone));
    world.end().await;
}

/// Executes what it can have as one process after the other, up to `most` suspects beside each
/// other. Each ends once it has `poison` and nothing more to claim, and before anything is recorded;
/// returns how many ended.
async fn execute_until_it_ends(world: &World, poison: RunId, most: usize) -> usize {
    let (mut ended, mut one_waits) = (0, false);
    let mut held: Vec<ClaimedRun> = Vec::new();
    while world.count("select count(*) from run_queue").await > 0 {
        let here: Vec<_> = held.iter().filter_map(|run| run.suspected).collect();
        let is_closed = one_waits || here.iter().any(|how| *how != Suspected::Beside);
        let room = match here.len() {
            0 => Room::All,
            count if count < most && !is_closed => Room::Beside,
            _ => Room::None,
        };
        let claimed = claim(world, room).await;
        one_waits = claimed.one_waits || (one_waits && room == Room::None);
        if !claimed.runs.is_empty() {
            held.extend(claimed.runs);
        } else if held.iter().any(|run| run.lease.run == poison) {
            ended += 1;
            held.clear();
            silence(world).await;
        } else {
            for run in held.drain(..) {
                succeed(world, run).await;
            }
        }
    }
    ended
}

#[sqlx::test]
async fn runs_beside_one_that_ends_its_processes_are_not_set_aside_with_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    // Where others are suspect, too, it ends one more: none of them is to go with it.
    for (count, most, ends) in [(1, 8, 3), (12, 1, 4), (12, 4, 4), (12, 32, 4)] {
        let mut runs: Vec<RunId> = queue(&world, count).await.into_iter().collect();
        runs.sort_unstable();
        // It comes neither first nor last.
        let poison = runs[count / 2];
        assert_eq!(execute_until_it_ends(&world, poison, most).await, ends);
        for run in &runs {
            let ended = if *run == poison {
                RunState::Quarantined
            } else {
                RunState::Succeeded
            };
            assert_eq!(state(&world, *run).await, ended);
        }
    }
    world.end().await;
}

#[sqlx::test]
async fn runs_that_silenced_a_worker_are_taken_one_at_a_time_also_once_they_were_given_back(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    queue(&world, 3).await;
    claim(&world, Room::All).await;
    silence(&world).await;
    let worker = WorkerId::random();
    let taken = world.store.claim(worker, 5).await.expect("it answers");
    assert_eq!(taken.len(), 3, "none of them was ever taken over before");
    world.store.release(worker).await.expect("it answers");
    assert_eq!(claim(&world, Room::All).await.runs.len(), 1);
    assert_eq!(claim(&world, Room::None).await.runs, []);
    world.end().await;
}
