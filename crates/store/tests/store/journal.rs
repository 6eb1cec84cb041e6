//! The journal: durable when it returns, together or not at all, fenced.

use domain::run::{RunState, StepPath, StepRecord, StepState};
use domain::{StepId, Timestamp};
use engine::Outcome;
use engine::port::{Journal, Lease, Lost};
use futures::FutureExt;
use futures::future::join_all;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{ClaimedRun, Incoming, WorkerId};
use uuid::Uuid;

use crate::world::World;

/// Returns what a step did, with this output.
pub(crate) fn record(step: u128, output: &str) -> StepRecord {
    StepRecord {
        path: StepPath {
            step: StepId(Uuid::from_u128(step)),
            rounds: Vec::new(),
        },
        state: StepState::Succeeded,
        started_at: Timestamp(1_795_000_000_000),
        finished_at: Some(Timestamp(1_795_000_000_005)),
        input: json!({ "told": output }),
        output: json!(output),
        error: None,
        console: Vec::new(),
        attempts: 1,
    }
}

async fn handed(world: &World, count: usize) -> Vec<ClaimedRun> {
    let (_, route) = world.hook().await;
    let worker = Some(WorkerId::random());
    let accepts = (0..count).map(|_| {
        let payload = json!({});
        world.store.accept(Incoming {
            route: route.clone(),
            payload: payload.into(),
            delivery: None,
            hand_to: worker,
        })
    });
    let accepted = join_all(accepts)
        .await
        .into_iter()
        .map(|a| a.expect("there is room"));
    accepted
        .map(|a| a.claimed.expect("it was handed"))
        .collect()
}

#[sqlx::test]
async fn records_of_many_runs_at_once_are_each_kept_with_their_run(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let runs = handed(&world, 100).await;
    let journal = world.store.journal();
    let work = runs.iter().enumerate().map(|(number, run)| {
        let journal = journal.clone();
        async move {
            for step in 1..4 {
                let records = vec![record(step, &format!("{number}/{step}"))];
                journal
                    .append(run.lease, records)
                    .await
                    .expect("it is ours");
            }
            let records = vec![record(4, &format!("{number}/4"))];
            let outcome = Outcome::Finished {
                state: RunState::Succeeded,
                error: None,
                records,
            };
            journal
                .finish(run.lease, outcome)
                .await
                .expect("it is ours");
        }
    });
    join_all(work).await;
    for (number, run) in runs.iter().enumerate() {
        let detail = world
            .store
            .run(&world.admin, run.lease.run)
            .await
            .expect("it is there");
        let expected: Vec<_> = (1..5)
            .map(|step| record(step, &format!("{number}/{step}")))
            .collect();
        assert_eq!(detail.records, expected);
        assert_eq!(detail.summary.state, RunState::Succeeded);
        assert!(detail.summary.finished_at.is_some());
    }
    assert_eq!(world.count("select count(*) from run_queue").await, 0);
    world.end().await;
}

#[sqlx::test]
async fn what_runs_gave_is_written_before_the_connections_close_though_nobody_waits_for_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let runs = handed(&world, 2).await;
    let journal = world.store.journal();
    let mut slow = world.sql.begin().await.expect("it answers");
    sqlx::query("lock table run_record in share mode")
        .execute(&mut *slow)
        .await
        .expect("nobody has it");
    tokio::select! {
        _ = journal.append(runs[0].lease, vec![record(1, "under way")]) => panic!("it is locked"),
        () = world.someone_waits() => {}
    }
    let waits = journal.append(runs[1].lease, vec![record(1, "not begun")]);
    assert_eq!(waits.now_or_never(), None);
    assert_eq!(journal.written().now_or_never(), None);
    let unlocked = async { slow.rollback().await.expect("it answers") };
    tokio::join!(world.store.close(), unlocked);
    assert_eq!(world.count("select count(*) from run_record").await, 2);
    world.end().await;
}

#[sqlx::test]
async fn a_stale_fence_is_refused_beside_writes_that_hold(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let runs = handed(&world, 3).await;
    let journal = world.store.journal();
    let stale = Lease {
        run: runs[1].lease.run,
        fence: 0,
    };
    let unknown = Lease {
        run: domain::RunId(Uuid::now_v7()),
        fence: 1,
    };
    let (one, two, three, four, five) = tokio::join!(
        journal.append(runs[0].lease, vec![record(1, "kept")]),
        journal.append(stale, vec![record(1, "stale")]),
        journal.append(unknown, vec![record(1, "unknown")]),
        journal.append(runs[1].lease, vec![record(1, "kept")]),
        journal.append(runs[2].lease, vec![record(1, "kept")]),
    );
    assert_eq!(
        (one, two, three, four, five),
        (Ok(()), Err(Lost), Err(Lost), Ok(()), Ok(()))
    );
    for run in &runs {
        let detail = world
            .store
            .run(&world.admin, run.lease.run)
            .await
            .expect("it is there");
        assert_eq!(detail.records, [record(1, "kept")]);
    }
    assert_eq!(world.count("select count(*) from run_record").await, 3);
    world.end().await;
}

#[sqlx::test]
async fn what_one_run_writes_in_one_flush_is_one_row(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let lease = handed(&world, 1).await[0].lease;
    let journal = world.store.journal();
    let appends = (1..40).map(|step| journal.append(lease, vec![record(step, "round")]));
    for result in join_all(appends).await {
        result.expect("it is ours");
    }
    // The first may go alone; all others gather while it is written.
    assert!(world.count("select count(*) from run_record").await <= 2);
    let detail = world
        .store
        .run(&world.admin, lease.run)
        .await
        .expect("it is there");
    assert_eq!(detail.records.len(), 39);
    world.end().await;
}

#[sqlx::test]
async fn a_waiting_run_has_no_worker_until_its_time(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let lease = handed(&world, 1).await[0].lease;
    let journal = world.store.journal();
    let until = Timestamp(world.store.now().await.expect("it answers").0 + 3_600_000);
    let outcome = Outcome::Waiting {
        until,
        records: vec![record(1, "waits")],
    };
    journal.finish(lease, outcome).await.expect("it is ours");
    let detail = world
        .store
        .run(&world.admin, lease.run)
        .await
        .expect("it is there");
    assert_eq!(detail.summary.state, RunState::Waiting);
    assert_eq!(detail.summary.finished_at, None);
    assert!(
        world
            .store
            .claim(WorkerId::random(), 5)
            .await
            .expect("it answers")
            .is_empty()
    );
    world.execute("update run_queue set due_at = now()").await;
    let resumed = world
        .store
        .claim(WorkerId::random(), 5)
        .await
        .expect("it answers")
        .remove(0);
    assert_eq!((resumed.lease.run, resumed.lease.fence), (lease.run, 2));
    assert_eq!(resumed.history, [record(1, "waits")]);
    world.end().await;
}

#[sqlx::test]
async fn an_error_with_any_character_is_kept(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let lease = handed(&world, 1).await[0].lease;
    let records = vec![record(1, "\0 and ü")];
    let error = Some("It said `\0`.".to_owned());
    let outcome = Outcome::Finished {
        state: RunState::Failed,
        error,
        records,
    };
    world
        .store
        .journal()
        .finish(lease, outcome)
        .await
        .expect("it is ours");
    let detail = world
        .store
        .run(&world.admin, lease.run)
        .await
        .expect("it is there");
    assert_eq!(detail.summary.error.as_deref(), Some("It said `\u{fffd}`."));
    assert_eq!(detail.records, [record(1, "\0 and ü")]);
    world.end().await;
}

#[sqlx::test]
async fn a_run_whose_records_cannot_be_kept_fails_and_says_why(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let lease = handed(&world, 1).await[0].lease;
    let deep = (0..120).fold(json!(1), |inner, _| json!([inner]));
    let records = vec![StepRecord {
        output: deep,
        ..record(1, "deep")
    }];
    let journal = world.store.journal();
    assert_eq!(journal.append(lease, records).await, Err(Lost));
    let detail = world
        .store
        .run(&world.admin, lease.run)
        .await
        .expect("it can be read");
    assert_eq!(detail.summary.state, RunState::Failed);
    assert!(
        detail
            .summary
            .error
            .expect("it says why")
            .contains("deeper than 100 levels")
    );
    assert!(
        world
            .store
            .renew(&[lease])
            .await
            .expect("it answers")
            .is_empty()
    );
    world.end().await;
}

#[sqlx::test]
async fn a_run_goes_on_after_the_database_dropped_every_connection(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let lease = handed(&world, 1).await[0].lease;
    let journal = world.store.journal();
    for step in 1..6 {
        let dropping = world.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()
                and usename = current_user",
        );
        let (_, appended) =
            tokio::join!(dropping, journal.append(lease, vec![record(step, "kept")]));
        assert_eq!(appended, Ok(()));
    }
    let detail = world.store.run(&world.admin, lease.run).await;
    assert_eq!(detail.expect("it is there").records.len(), 5);
    world.end().await;
}
