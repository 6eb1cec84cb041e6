//! Runs that called runs that called runs: they are canceled and resumed together, whoever else
//! wants their rows in another order meanwhile.

use domain::call::TRIGGER;
use domain::run::{ResumeOn, RunState, StepPath, StepRecord, StepState};
use domain::{Document, IntegrationId, RunId, StepId};
use engine::Outcome;
use engine::port::{Calling, Directory, Lease};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{Incoming, RunFilter};
use uuid::Uuid;

use crate::calling::{calling, claim, ended, one, waiting};
use crate::journal::record;
use crate::world::{World, clean};

/// A run, the one that it called, and the one that this called, which is under way.
struct Chain {
    world: World,
    runs: [Lease; 3],
    steps: [StepId; 2],
}

impl Chain {
    async fn new(options: PgConnectOptions) -> Self {
        let world = World::new(options).await;
        let inner = world.publish(clean(TRIGGER)).await;
        let (mut document, of_middle) = calling(inner);
        document.trigger = Document::new(TRIGGER).trigger;
        let middle = world.publish(document).await;
        let (document, of_outer) = calling(middle);
        let outer = world.publish(document).await;
        let incoming = Incoming {
            route: world.route(outer).await,
            payload: json!({}).into(),
            delivery: None,
            hand_to: None,
        };
        world.store.accept(incoming).await.expect("there is room");
        let first = one(&world.store).await.lease;
        let second = call(&world, first, of_outer, middle).await;
        let third = call(&world, second, of_middle, inner).await;
        Self {
            world,
            runs: [first, second, third],
            steps: [of_outer, of_middle],
        }
    }

    fn ids(&self) -> [RunId; 3] {
        self.runs.map(|lease| lease.run)
    }

    /// Lets each of them fail, as the one that it called did.
    async fn fail(&self) {
        self.fail_with(RunState::Failed).await;
    }

    /// Lets each of them fail, but for the one between, which ends as `middle`.
    async fn fail_with(&self, middle: RunState) {
        let store = &self.world.store;
        let failed = ended(RunState::Failed, Some("No."));
        let finished = store.journal().finish(self.runs[2], failed).await;
        assert_eq!(finished, Ok(()));
        let states = [RunState::Failed, middle];
        for (step, state) in self.steps.into_iter().zip(states).rev() {
            let woken = one(store).await;
            let failed = Outcome::Finished {
                state,
                error: Some("No.".to_owned()),
                records: vec![of_step(step, StepState::Failed)],
            };
            let finished = store.journal().finish(woken.lease, failed).await;
            assert_eq!(finished, Ok(()));
        }
    }

    /// Asserts that each was resumed once, and that those that called wait for what they called.
    async fn assert_resumed(&mut self) {
        let store = &self.world.store;
        let mut claimed = claim(store).await;
        claimed.sort_unstable_by_key(|run| run.lease.run);
        let runs: Vec<RunId> = claimed.iter().map(|run| run.lease.run).collect();
        assert_eq!(runs, self.ids());
        for (run, called) in claimed.iter().zip(&runs[1..]) {
            let returned = run.returned.iter().map(|returned| returned.run);
            assert_eq!(returned.collect::<Vec<_>>(), [*called]);
            let waits = store.journal().finish(run.lease, waiting()).await;
            assert_eq!(waits, Ok(()));
        }
        assert_eq!(claim(store).await, []);
        self.runs[2] = claimed[2].lease;
    }

    /// Has a row, as somebody else.
    async fn has(&self, row: &'static str, run: RunId) -> Held {
        let mut tx = self.world.sql.begin().await.expect("it answers");
        let had = sqlx::query(row).bind(run.0).fetch_one(&mut *tx).await;
        had.expect("nobody has it");
        tx
    }

    /// Wants another one, as soon as somebody waits for the first.
    async fn wants(&self, mut tx: Held, row: &'static str, run: RunId) {
        self.world.someone_waits().await;
        // It gets that, or is the one that Postgres ends.
        let _ = sqlx::query(row).bind(run.0).fetch_optional(&mut *tx).await;
        tx.rollback().await.expect("it answers");
    }
}

type Held = sqlx::Transaction<'static, sqlx::Postgres>;

const PLACE: &str = "select run_id from run_queue where run_id = $1 for update";
const RUN: &str = "select run_id from run where run_id = $1 for update";

fn of_step(step: StepId, state: StepState) -> StepRecord {
    StepRecord {
        path: StepPath {
            step,
            rounds: Vec::new(),
        },
        state,
        output: match state {
            StepState::Waiting => json!({"calls": "Another"}),
            _ => json!({}),
        },
        ..record(0, "")
    }
}

/// Lets a run call an integration; returns the lease of the called run.
async fn call(world: &World, lease: Lease, step: StepId, called: IntegrationId) -> Lease {
    let callee = world.store.callee(lease.run, called, true).await;
    let record = of_step(step, StepState::Waiting);
    let calls = Outcome::Calling {
        starts: vec![Calling {
            path: record.path.to_string(),
            callee: callee.expect("it can be called"),
            payload: json!({}),
            waits: true,
        }],
        until: None,
        records: vec![record],
    };
    let written = world.store.journal().finish(lease, calls).await;
    assert_eq!(written, Ok(()));
    one(&world.store).await.lease
}

#[sqlx::test]
async fn a_canceled_run_ends_with_all_below_it_and_each_is_noted_with_what_it_was(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let chain = Chain::new(options).await;
    let (world, [outer, middle, inner]) = (&chain.world, chain.ids());
    let canceled = world.store.cancel_run(&world.admin, outer).await;
    canceled.expect("an Admin may");
    let noted: Vec<(Uuid, String)> = sqlx::query_as(
        "select subject, detail ->> 'was' from audit where act = 'run.cancel' order by audit_id",
    )
    .fetch_all(&world.sql)
    .await
    .expect("it answers");
    let was = |run: RunId, state: RunState| (run.0, state.key().to_owned());
    let expected = [
        was(inner, RunState::Running),
        was(middle, RunState::Waiting),
        was(outer, RunState::Waiting),
    ];
    assert_eq!(noted, expected);
    let canceled = "select count(*) from run where state = 'canceled'";
    let left = world.count("select count(*) from run_queue").await;
    assert_eq!((world.count(canceled).await, left), (3, 0));
    chain.world.end().await;
}

#[sqlx::test]
async fn all_that_called_each_other_are_resumed_once(_: PgPoolOptions, options: PgConnectOptions) {
    let mut chain = Chain::new(options).await;
    for is_bulk in [false, true] {
        chain.fail().await;
        let (store, admin) = (&chain.world.store, &chain.world.admin);
        if is_bulk {
            let filter = RunFilter::default();
            let resumed = store.resume_runs(admin, filter, None, ResumeOn::Live).await;
            let resumed = resumed.expect("an Admin may");
            assert_eq!((resumed.resumed, resumed.next), (3, None));
        } else {
            let resumed = store.resume_run(admin, chain.ids()[0], ResumeOn::Ran).await;
            resumed.expect("an Admin may");
        }
        chain.assert_resumed().await;
    }
    chain.world.end().await;
}

#[sqlx::test]
async fn a_run_between_waits_for_the_one_that_was_resumed_before_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let mut chain = Chain::new(options).await;
    chain.fail_with(RunState::Quarantined).await;
    let (store, admin) = (&chain.world.store, &chain.world.admin);
    // The outermost and the innermost; the first of these resumes the one between.
    let filter = RunFilter {
        state: Some(RunState::Failed),
        ..RunFilter::default()
    };
    let resumed = store.resume_runs(admin, filter, None, ResumeOn::Ran).await;
    assert_eq!(resumed.expect("an Admin may").resumed, 3);
    chain.assert_resumed().await;
    chain.world.end().await;
}

#[sqlx::test]
async fn a_cancel_goes_on_after_it_waited_in_a_circle(_: PgPoolOptions, options: PgConnectOptions) {
    let chain = Chain::new(options).await;
    let (world, [outer, middle, _]) = (&chain.world, chain.ids());
    // As the journal, which writes both at once.
    let held = chain.has(PLACE, outer).await;
    let (canceled, ()) = futures::join!(
        world.store.cancel_run(&world.admin, middle),
        chain.wants(held, PLACE, middle),
    );
    canceled.expect("it is done again");
    assert_eq!(one(&world.store).await.lease.run, outer);
    chain.world.end().await;
}

#[sqlx::test]
async fn resumes_go_on_after_they_waited_in_a_circle(_: PgPoolOptions, options: PgConnectOptions) {
    let mut chain = Chain::new(options).await;
    chain.fail().await;
    let (world, [_, middle, inner]) = (&chain.world, chain.ids());
    // As somebody who resumes the one between.
    let held = chain.has(RUN, middle).await;
    let filter = RunFilter::default();
    let (resumed, ()) = futures::join!(
        world
            .store
            .resume_runs(&world.admin, filter, None, ResumeOn::Ran),
        chain.wants(held, RUN, inner),
    );
    assert_eq!(resumed.expect("it is done again").resumed, 3);
    chain.assert_resumed().await;
    chain.world.end().await;
}
