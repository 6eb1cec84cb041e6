//! Calls of one run that are beside each other: the end of each wakes the caller, and none is lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::call::is_under_way;
use domain::run::{ResumeOn, RunState, StepRecord, StepState};
use domain::{RunId, Timestamp};
use engine::Outcome;
use engine::port::{Directory, Lease, Unread};
use futures::future::join_all;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{ClaimedRun, WorkerId};

use crate::calling::{Stage, answered, claim, ended, one, waiting};

const ROUNDS: [Option<u32>; 3] = [Some(0), Some(1), Some(2)];

impl Stage {
    /// Calls in these rounds; returns the caller's lease that is worthless now, and the called runs.
    async fn called_in(&self, rounds: &[Option<u32>]) -> (Lease, Vec<Lease>) {
        let caller = self.start().await;
        let calls = self.calls(caller.lease, true, rounds).await;
        assert_eq!(self.finish(caller.lease, calls).await, Ok(()));
        let called = claim(&self.world.store).await;
        assert_eq!(called.len(), rounds.len());
        assert!(called.iter().all(|run| run.integration == self.called));
        (
            caller.lease,
            called.into_iter().map(|run| run.lease).collect(),
        )
    }

    /// The records of the calls that are over, of which nothing is recorded yet.
    fn taken(&self, caller: &ClaimedRun) -> Vec<StepRecord> {
        let over = caller
            .returned
            .iter()
            .filter(|call| call.state.is_finished());
        let of_call = over.map(|call| {
            let mut records = caller.history.iter();
            let record = records.find(|record| record.path.to_string() == call.path);
            let record = record.expect("it is under way").clone();
            assert!(is_under_way(&record));
            StepRecord {
                state: StepState::Succeeded,
                output: json!({"run": call.run}),
                ..record
            }
        });
        of_call.collect()
    }
}

/// What is known of the runs that a claimed one called.
fn states(caller: &ClaimedRun) -> BTreeSet<(RunId, &'static str)> {
    let returned = caller.returned.iter();
    returned.map(|call| (call.run, call.state.key())).collect()
}

#[sqlx::test]
async fn calls_of_one_write_start_together_and_each_end_wakes_the_caller(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let store = &stage.world.store;
    let (caller, called) = stage.called_in(&ROUNDS).await;
    assert_eq!(claim(store).await, [], "it waits");
    for over in 1..=3 {
        assert_eq!(stage.finish(called[over - 1], answered()).await, Ok(()));
        let woken = one(store).await;
        assert_eq!(woken.lease.run, caller.run);
        // What was taken is recorded, and not read again.
        let (last, rest) = (called[over - 1].run, &called[over..]);
        let rest = rest.iter().map(|lease| (lease.run, "running"));
        assert_eq!(states(&woken), rest.chain([(last, "succeeded")]).collect());
        let mut wait = waiting();
        if let Outcome::Calling { records, .. } = &mut wait {
            *records = stage.taken(&woken);
            assert_eq!(records.len(), 1);
        }
        assert_eq!(stage.finish(woken.lease, wait).await, Ok(()));
        assert_eq!(claim(store).await, [], "it waits on");
    }
    assert_eq!(stage.read(caller.run).await.calls.len(), 3);
    stage.world.end().await;
}

#[sqlx::test]
async fn a_call_that_is_over_while_the_caller_has_a_worker_keeps_it_from_waiting(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let store = &stage.world.store;
    for is_canceled in [false, true] {
        let (_, called) = stage.called_in(&ROUNDS[..2]).await;
        assert_eq!(stage.finish(called[0], answered()).await, Ok(()));
        let woken = one(store).await;
        // It does not know that this one is over, too.
        if is_canceled {
            let canceled = store.cancel_run(&stage.world.admin, called[1].run).await;
            canceled.expect("an Admin may");
        } else {
            assert_eq!(stage.finish(called[1], answered()).await, Ok(()));
        }
        assert_eq!(claim(store).await, [], "it has a worker");
        assert_eq!(stage.finish(woken.lease, waiting()).await, Ok(()));
        let woken = one(store).await;
        assert!(woken.returned.iter().all(|call| call.state.is_finished()));
        // It is told once: now nothing is new.
        assert_eq!(stage.finish(woken.lease, waiting()).await, Ok(()));
        assert_eq!(claim(store).await, []);
    }
    stage.world.end().await;
}

#[sqlx::test]
async fn a_caller_that_waits_for_a_time_too_goes_on_by_whichever_comes_first(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let store = &stage.world.store;
    let now = store.now().await.expect("it answers");
    for (until, is_due) in [
        (Timestamp(now.0), true),
        (Timestamp(now.0 + 600_000), false),
    ] {
        let caller = stage.start().await;
        let mut calls = stage.calls(caller.lease, true, &ROUNDS[..2]).await;
        if let Outcome::Calling { until: at_most, .. } = &mut calls {
            *at_most = Some(until);
        }
        assert_eq!(stage.finish(caller.lease, calls).await, Ok(()));
        let claimed = claim(store).await;
        let (callers, called): (Vec<_>, Vec<_>) = claimed
            .into_iter()
            .partition(|run| run.integration == stage.caller);
        assert_eq!((callers.len(), called.len()), (usize::from(is_due), 2));
        if is_due {
            let states: Vec<_> = callers[0].returned.iter().map(|call| call.state).collect();
            assert!(
                states.iter().all(|state| !state.is_finished()),
                "{states:?}"
            );
        } else {
            assert_eq!(stage.finish(called[1].lease, answered()).await, Ok(()));
            assert_eq!(one(store).await.lease.run, caller.lease.run);
        }
    }
    stage.world.end().await;
}

#[sqlx::test]
async fn a_claim_reads_small_results_and_leaves_large_ones_to_be_asked_for(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let store = &stage.world.store;
    let (caller, called) = stage.called_in(&ROUNDS).await;
    // One as large as any; one that is small only as it is kept; and one that is small.
    let texts = ["x".repeat(6_000_000), "x".repeat(100_000), "x".repeat(100)];
    let mut expected = Vec::new();
    for (lease, text) in called.iter().zip(&texts) {
        let result = json!({ "result": text });
        let outcome = Outcome::Answered {
            result: result.clone(),
            records: Vec::new(),
        };
        assert_eq!(stage.finish(*lease, outcome).await, Ok(()));
        expected.push((lease.run, result));
    }
    let woken = one(store).await;
    for (run, result) in &expected {
        let mut returned = woken.returned.iter();
        let returned = returned.find(|returned| returned.run == *run);
        let returned = returned.expect("it is told");
        assert_eq!(returned.state, RunState::Succeeded);
        let small = Some(result).filter(|_| *run == called[2].run);
        assert_eq!(returned.result.as_ref(), small);
        let read = store.result(caller.run, *run).await;
        assert_eq!(read, Ok(Some(result.clone())));
        // Nobody else called it.
        assert_eq!(store.result(*run, *run).await, Err(Unread));
    }
    stage.world.end().await;
}

/// What a worker does with a run that it claimed, of callers that call in so many rounds.
async fn go_on(stage: Arc<Stage>, run: ClaimedRun, rounds: u32) -> usize {
    let outcome = if run.integration == stage.called {
        answered()
    } else if run.history.is_empty() {
        let rounds: Vec<_> = (0..rounds).map(Some).collect();
        stage.calls(run.lease, true, &rounds).await
    } else {
        let records = stage.taken(&run);
        let left = run.returned.len() - records.len();
        match left {
            0 => Outcome::Finished {
                state: RunState::Succeeded,
                error: None,
                records,
            },
            _ => Outcome::Calling {
                starts: Vec::new(),
                until: None,
                records,
            },
        }
    };
    let is_end = !matches!(outcome, Outcome::Calling { .. });
    assert_eq!(stage.finish(run.lease, outcome).await, Ok(()));
    usize::from(is_end)
}

#[sqlx::test]
async fn however_ends_and_waits_meet_every_caller_comes_to_its_end(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Arc::new(Stage::new(options).await);
    let (callers, rounds) = (12, 10);
    let starts = (0..callers).map(|_| stage.accept());
    join_all(starts).await;
    let mut working = tokio::task::JoinSet::new();
    let (mut ends, all) = (0, callers * (1 + rounds as usize));
    while ends < all {
        // Ends, waits and claims go on beside each other, as many as there are.
        let worker = WorkerId::random();
        let claimed = stage.world.store.claim(worker, 7).await;
        let claimed = claimed.expect("it answers");
        assert!(
            !claimed.is_empty() || !working.is_empty(),
            "nobody is forgotten: {ends} ended"
        );
        for run in claimed {
            working.spawn(go_on(Arc::clone(&stage), run, rounds));
        }
        if let Some(ended) = working.join_next().await {
            ends += ended.expect("no panic");
        }
    }
    let left = stage.world.count("select count(*) from run_queue").await;
    let calls = "select count(*) from run where caller_id is not null and state = 'succeeded'";
    let called = stage.world.count(calls).await;
    assert_eq!((left, called), (0, i64::from(rounds) * callers as i64));
    let stage = Arc::into_inner(stage).expect("all work is over");
    stage.world.end().await;
}

#[sqlx::test]
async fn a_canceled_caller_takes_all_that_it_waits_for_with_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let (store, admin) = (&stage.world.store, &stage.world.admin);
    for has_worker in [false, true] {
        let (caller, called) = stage.called_in(&ROUNDS).await;
        assert_eq!(stage.finish(called[0], answered()).await, Ok(()));
        let woken = one(store).await;
        if !has_worker {
            assert_eq!(stage.finish(woken.lease, waiting()).await, Ok(()));
        }
        let canceled = store.cancel_run(admin, caller.run).await;
        canceled.expect("an Admin may");
        for (at, lease) in called.iter().enumerate() {
            let state = stage.read(lease.run).await.summary.state;
            let expected = [RunState::Succeeded, RunState::Canceled][usize::from(at > 0)];
            assert_eq!(state, expected, "{at}");
        }
        assert_eq!(
            stage.read(caller.run).await.summary.state,
            RunState::Canceled
        );
        assert_eq!(claim(store).await, []);
    }
    stage.world.end().await;
}

#[sqlx::test]
async fn a_resumed_caller_goes_on_with_all_that_it_called(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let (store, admin) = (&stage.world.store, &stage.world.admin);
    let rounds = [Some(0), Some(1), Some(2), Some(3)];
    let (caller, called) = stage.called_in(&rounds).await;
    let round_of = async |lease: Lease| {
        let calls = stage.read(caller.run).await.calls;
        let call = calls.into_iter().find(|call| call.to.run == lease.run);
        call.expect("it was called").path
    };
    // One failed, for which the caller did; of the others one fails later, one succeeds later, and
    // one is under way still.
    let failed = || ended(RunState::Failed, Some("No."));
    assert_eq!(stage.finish(called[0], failed()).await, Ok(()));
    let woken = one(store).await;
    let path = round_of(called[0]).await;
    let record = woken
        .history
        .iter()
        .find(|record| record.path.to_string() == path);
    let outcome = Outcome::Finished {
        state: RunState::Failed,
        error: Some("No.".to_owned()),
        records: vec![StepRecord {
            state: StepState::Failed,
            ..record.expect("it is under way").clone()
        }],
    };
    assert_eq!(stage.finish(woken.lease, outcome).await, Ok(()));
    assert_eq!(stage.finish(called[1], failed()).await, Ok(()));
    assert_eq!(stage.finish(called[2], answered()).await, Ok(()));
    let resumed = store.resume_run(admin, caller.run, ResumeOn::Ran).await;
    resumed.expect("an Admin may");
    let claimed = claim(store).await;
    let (callers, again): (Vec<_>, Vec<_>) = claimed
        .into_iter()
        .partition(|run| run.lease.run == caller.run);
    let resumed: BTreeSet<RunId> = again.iter().map(|run| run.lease.run).collect();
    assert_eq!(resumed, BTreeSet::from([called[0].run, called[1].run]));
    let [caller] = callers.as_slice() else {
        panic!("it goes on: {callers:?}")
    };
    let expected = [
        (called[0].run, "running"),
        (called[1].run, "running"),
        (called[2].run, "succeeded"),
        (called[3].run, "running"),
    ];
    assert_eq!(states(caller), BTreeSet::from(expected));
    // It is told of whichever is over first, also of the one that went on all the time.
    let mut wait = waiting();
    if let Outcome::Calling { records, .. } = &mut wait {
        *records = stage.taken(caller);
    }
    assert_eq!(stage.finish(caller.lease, wait).await, Ok(()));
    assert_eq!(stage.finish(called[3], answered()).await, Ok(()));
    let woken = one(store).await;
    assert_eq!(woken.returned.len(), 3);
    stage.world.end().await;
}

#[sqlx::test]
async fn a_call_that_nobody_waited_for_wakes_a_resumed_caller_that_does_now(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let (store, admin) = (&stage.world.store, &stage.world.admin);
    let caller = stage.start().await;
    let calls = stage.calls(caller.lease, false, &[None]).await;
    assert_eq!(stage.finish(caller.lease, calls).await, Ok(()));
    let run = caller.lease.run;
    store.cancel_run(admin, run).await.expect("an Admin may");
    let called = one(store).await;
    assert_eq!(called.integration, stage.called, "it goes on by itself");
    let resumed = store.resume_run(admin, run, ResumeOn::Live).await;
    resumed.expect("an Admin may");
    let caller = one(store).await;
    assert_eq!(
        states(&caller),
        BTreeSet::from([(called.lease.run, "running")])
    );
    assert_eq!(stage.finish(caller.lease, waiting()).await, Ok(()));
    assert_eq!(stage.finish(called.lease, answered()).await, Ok(()));
    assert_eq!(one(store).await.lease.run, run);
    stage.world.end().await;
}
