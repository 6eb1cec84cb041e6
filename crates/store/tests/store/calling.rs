//! Calls: the called run starts with its caller's wait, and its end wakes the caller, once.

use std::sync::Arc;

use domain::account::Role;
use domain::call::{STEP, TRIGGER};
use domain::run::{ResumeOn, RunDetail, RunState, StepPath, StepRecord, StepState};
use domain::{Document, IntegrationId, RunId, StepId, limit};
use engine::Outcome;
use engine::port::{Calling, Directory, Lease, Lost, Uncallable};
use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{ClaimedRun, Incoming, RunFilter, Store, WorkerId};

use crate::journal::record;
use crate::world::{World, clean, log_step};

/// An integration that calls another one, with the step that does.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) caller: IntegrationId,
    step: StepId,
    pub(crate) called: IntegrationId,
}

impl Stage {
    pub(crate) async fn new(options: PgConnectOptions) -> Self {
        let world = World::new(options).await;
        let called = world.publish(clean(TRIGGER)).await;
        let (document, step) = calling(called);
        let caller = world.publish(document).await;
        Self {
            world,
            caller,
            step,
            called,
        }
    }

    /// Accepts an event and claims its run.
    pub(crate) async fn start(&self) -> ClaimedRun {
        self.accept().await;
        one(&self.world.store).await
    }

    pub(crate) async fn accept(&self) {
        let incoming = Incoming {
            route: self.world.route(self.caller).await,
            payload: json!({}).into(),
            delivery: None,
            hand_to: None,
        };
        self.world
            .store
            .accept(incoming)
            .await
            .expect("there is room");
    }

    async fn call(&self, lease: Lease, waits: bool) -> Outcome {
        self.calls(lease, waits, &[None]).await
    }

    /// Calls in each of these rounds of a loop, or outside of any.
    pub(crate) async fn calls(&self, lease: Lease, waits: bool, rounds: &[Option<u32>]) -> Outcome {
        let store = &self.world.store;
        let found = store.callee(lease.run, self.called, waits).await;
        let callee = found.expect("it can be called");
        let starts = rounds.iter().map(|round| Calling {
            path: self.path_in(*round).to_string(),
            callee: callee.clone(),
            payload: json!({"body": {"n": 7}}),
            waits,
        });
        let records = rounds.iter().map(|round| StepRecord {
            path: self.path_in(*round),
            ..self.record(StepState::Waiting, json!({"calls": "Orders"}))
        });
        Outcome::Calling {
            starts: starts.collect(),
            until: None,
            records: records.collect(),
        }
    }

    pub(crate) fn path_in(&self, round: Option<u32>) -> StepPath {
        StepPath {
            rounds: round.into_iter().collect(),
            ..self.path()
        }
    }

    fn path(&self) -> StepPath {
        StepPath {
            step: self.step,
            rounds: Vec::new(),
        }
    }

    pub(crate) fn record(&self, state: StepState, output: Value) -> StepRecord {
        StepRecord {
            path: self.path(),
            state,
            output,
            ..record(0, "")
        }
    }

    pub(crate) async fn finish(&self, lease: Lease, outcome: Outcome) -> Result<(), Lost> {
        self.world.store.journal().finish(lease, outcome).await
    }

    pub(crate) async fn read(&self, run: RunId) -> RunDetail {
        let read = self.world.store.run(&self.world.admin, run).await;
        read.expect("it is there")
    }
}

/// Returns a document whose only step calls an integration.
pub(crate) fn calling(called: IntegrationId) -> (Document, StepId) {
    let mut document = Document::new("webhook");
    let mut step = log_step("Call it", "call_it");
    step.kind = STEP.to_owned();
    step.config.clear();
    let chosen = Value::from(called.to_string());
    step.config.insert("integration".to_owned(), chosen);
    let id = step.id;
    document.flow.push(id);
    document.steps.insert(id, step);
    (document, id)
}

pub(crate) async fn claim(store: &Store) -> Vec<ClaimedRun> {
    let claimed = store.claim(WorkerId::random(), 50).await;
    claimed.expect("it answers")
}

pub(crate) async fn one(store: &Store) -> ClaimedRun {
    let mut claimed = claim(store).await;
    assert_eq!(claimed.len(), 1, "{claimed:?}");
    claimed.pop().expect("there is one")
}

pub(crate) fn ended(state: RunState, error: Option<&str>) -> Outcome {
    Outcome::Finished {
        state,
        error: error.map(str::to_owned),
        records: Vec::new(),
    }
}

/// A wait for what is under way.
pub(crate) fn waiting() -> Outcome {
    Outcome::Calling {
        starts: Vec::new(),
        until: None,
        records: Vec::new(),
    }
}

pub(crate) fn answered() -> Outcome {
    Outcome::Answered {
        result: json!({"result": {"total": 12}}),
        records: Vec::new(),
    }
}

#[sqlx::test]
async fn the_called_run_starts_with_the_wait_and_its_end_wakes_the_caller_with_the_result(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let caller = stage.start().await;
    let call = stage.call(caller.lease, true).await;
    assert_eq!(stage.finish(caller.lease, call).await, Ok(()));
    let called = one(&stage.world.store).await;
    assert_eq!((called.integration, called.is_test), (stage.called, false));
    assert_eq!(*called.payload, json!({"body": {"n": 7}}));
    assert_eq!(
        stage.read(caller.lease.run).await.summary.state,
        RunState::Waiting
    );
    assert_eq!(
        claim(&stage.world.store).await,
        [],
        "the caller waits for its end"
    );

    assert_eq!(stage.finish(called.lease, answered()).await, Ok(()));
    let woken = one(&stage.world.store).await;
    assert_eq!(woken.lease.run, caller.lease.run);
    let [returned] = woken.returned.as_slice() else {
        panic!("the call returned: {woken:?}")
    };
    assert_eq!(
        (returned.run, returned.state, returned.path.clone()),
        (
            called.lease.run,
            RunState::Succeeded,
            stage.path().to_string()
        )
    );
    assert_eq!(returned.result, Some(json!({"result": {"total": 12}})));
    assert_eq!(woken.history.len(), 1);

    let shown = stage.read(caller.lease.run).await;
    let [link] = shown.calls.as_slice() else {
        panic!("it called once: {shown:?}")
    };
    assert!(link.is_by(&stage.path()));
    assert_eq!(
        (link.to.run, link.to.integration),
        (called.lease.run, stage.called)
    );
    let shown = stage.read(called.lease.run).await;
    let by = shown.caller.expect("it was called");
    assert_eq!((by.run, by.integration), (caller.lease.run, stage.caller));
    stage.world.end().await;
}

#[sqlx::test]
async fn a_call_that_is_written_twice_starts_one_run_also_when_that_is_over_by_then(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    for is_over in [false, true] {
        let caller = stage.start().await;
        let call = stage.call(caller.lease, true).await;
        assert_eq!(stage.finish(caller.lease, call.clone()).await, Ok(()));
        let called = one(&stage.world.store).await;
        if is_over {
            let failed = ended(RunState::Failed, Some("No."));
            assert_eq!(stage.finish(called.lease, failed).await, Ok(()));
        }
        // As when the answer of the database was lost.
        let again = join_all((0..4).map(|_| stage.finish(caller.lease, call.clone()))).await;
        assert_eq!(again, [Err(Lost); 4]);
        if !is_over {
            assert_eq!(claim(&stage.world.store).await, []);
            assert_eq!(stage.finish(called.lease, answered()).await, Ok(()));
        }
        assert_eq!(stage.read(caller.lease.run).await.calls.len(), 1);
        let woken = one(&stage.world.store).await;
        assert_eq!(woken.lease.run, caller.lease.run);
        let end = ended(RunState::Succeeded, None);
        assert_eq!(stage.finish(woken.lease, end).await, Ok(()));
    }
    stage.world.end().await;
}

#[sqlx::test]
async fn callers_and_called_runs_of_one_batch_all_come_to_their_end(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Arc::new(Stage::new(options).await);
    let route = stage.world.route(stage.caller).await;
    let accepts = (0..40).map(|_| {
        let (route, payload) = (route.clone(), json!({}));
        stage.world.store.accept(Incoming {
            route,
            payload: payload.into(),
            delivery: None,
            hand_to: None,
        })
    });
    join_all(accepts).await;
    let mut ends = 0;
    while ends < 80 {
        let claimed = claim(&stage.world.store).await;
        assert!(!claimed.is_empty(), "nobody is forgotten: {ends} ended");
        let goes_on = claimed.into_iter().map(|run| {
            let stage = Arc::clone(&stage);
            async move {
                let is_end = run.integration == stage.called || !run.returned.is_empty();
                let outcome = match (run.returned.is_empty(), run.integration == stage.called) {
                    (_, true) => answered(),
                    (false, _) => ended(RunState::Succeeded, None),
                    (true, _) => stage.call(run.lease, true).await,
                };
                assert_eq!(stage.finish(run.lease, outcome).await, Ok(()));
                usize::from(is_end)
            }
        });
        ends += join_all(goes_on).await.into_iter().sum::<usize>();
    }
    let left = stage.world.count("select count(*) from run_queue").await;
    let runs = stage.world.count("select count(*) from run").await;
    assert_eq!((left, runs), (0, 80));
}

#[sqlx::test]
async fn a_call_that_does_not_wait_goes_on_at_once(_: PgPoolOptions, options: PgConnectOptions) {
    let stage = Stage::new(options).await;
    let caller = stage.start().await;
    let call = stage.call(caller.lease, false).await;
    assert_eq!(stage.finish(caller.lease, call).await, Ok(()));
    let claimed = claim(&stage.world.store).await;
    assert_eq!(claimed.len(), 2);
    let (callers, called): (Vec<_>, Vec<_>) = claimed
        .into_iter()
        .partition(|run| run.integration == stage.caller);
    let returned = callers[0].returned.first().expect("it is told");
    assert_eq!(returned.run, called[0].lease.run);
    // Its end touches nobody: the caller keeps what it has.
    assert_eq!(stage.finish(called[0].lease, answered()).await, Ok(()));
    let end = ended(RunState::Succeeded, None);
    assert_eq!(stage.finish(callers[0].lease, end).await, Ok(()));
    stage.world.end().await;
}

#[sqlx::test]
async fn what_is_called_is_live_of_the_same_organization_and_takes_calls(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let world = &stage.world;
    let run = stage.start().await.lease.run;
    let told = async |called: IntegrationId| match world.store.callee(run, called, true).await {
        Err(Uncallable::Refused(why)) => why,
        other => panic!("it is refused: {other:?}"),
    };
    let (draft, _) = world.draft_of(clean(TRIGGER)).await;
    assert!(told(draft).await.contains("is not published"));
    let webhook = world.publish(clean("webhook")).await;
    assert!(told(webhook).await.contains("does not start by a call"));
    assert!(told(stage.caller).await.contains("cannot call itself"));
    let rival = world.outsider().await;
    let theirs = world
        .store
        .create_integration(&rival, "Theirs", "First", clean(TRIGGER));
    let theirs = theirs.await.expect("an Admin creates");
    let theirs = world
        .store
        .draft(&rival, theirs)
        .await
        .expect("it is there");
    assert!(told(theirs.integration).await.contains("does not exist"));
    let choices = world
        .store
        .callable(&world.admin)
        .await
        .expect("an Admin may");
    let open: Vec<_> = choices
        .iter()
        .filter(|choice| choice.closed.is_none())
        .collect();
    assert_eq!(
        (choices.len(), open.len(), open[0].id),
        (4, 1, stage.called)
    );
    let disabled = world
        .store
        .set_enabled(&world.admin, stage.called, false)
        .await;
    disabled.expect("an Admin may");
    assert!(told(stage.called).await.contains("is disabled"));
    stage.world.end().await;
}

#[sqlx::test]
async fn calls_are_so_many_levels_deep_and_no_deeper(_: PgPoolOptions, options: PgConnectOptions) {
    let stage = Stage::new(options).await;
    let other = stage.world.publish(clean(TRIGGER)).await;
    let mut run = stage.start().await;
    for depth in 1.. {
        let called = if depth % 2 == 0 { other } else { stage.called };
        let found = stage.world.store.callee(run.lease.run, called, true).await;
        let callee = match found {
            Ok(callee) => callee,
            Err(Uncallable::Refused(why)) => {
                assert_eq!(depth, limit::CALL_DEPTH + 1);
                assert!(why.contains("8 levels deep"), "{why}");
                break;
            }
            Err(Uncallable::Unavailable) => panic!("it answers"),
        };
        assert_eq!(callee.callers.len(), depth);
        let calling = Calling {
            path: stage.path().to_string(),
            callee,
            payload: json!({}),
            waits: true,
        };
        let outcome = Outcome::Calling {
            starts: vec![calling],
            until: None,
            records: vec![stage.record(StepState::Waiting, json!({"calls": "Orders"}))],
        };
        assert_eq!(stage.finish(run.lease, outcome).await, Ok(()));
        run = one(&stage.world.store).await;
    }
    stage.world.end().await;
}

#[sqlx::test]
async fn a_canceled_run_takes_what_it_waits_for_with_it_and_a_canceled_call_wakes_its_caller(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let (store, admin) = (&stage.world.store, &stage.world.admin);
    for is_caller in [true, false] {
        let caller = stage.start().await;
        let call = stage.call(caller.lease, true).await;
        assert_eq!(stage.finish(caller.lease, call).await, Ok(()));
        let called = one(store).await;
        let canceled = if is_caller {
            caller.lease.run
        } else {
            called.lease.run
        };
        store
            .cancel_run(admin, canceled)
            .await
            .expect("an Admin may");
        assert_eq!(
            stage.read(called.lease.run).await.summary.state,
            RunState::Canceled
        );
        assert_eq!(stage.finish(called.lease, answered()).await, Err(Lost));
        if is_caller {
            assert_eq!(
                stage.read(caller.lease.run).await.summary.state,
                RunState::Canceled
            );
            assert_eq!(claim(store).await, []);
        } else {
            let woken = one(store).await;
            let returned = woken.returned.first().expect("it is told");
            assert_eq!(
                (returned.run, returned.state),
                (called.lease.run, RunState::Canceled)
            );
        }
    }
    stage.world.end().await;
}

#[sqlx::test]
async fn a_resumed_caller_goes_on_with_the_run_that_it_called(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let (store, admin) = (&stage.world.store, &stage.world.admin);
    for is_bulk in [false, true] {
        let caller = stage.start().await;
        let call = stage.call(caller.lease, true).await;
        assert_eq!(stage.finish(caller.lease, call).await, Ok(()));
        let called = one(store).await.lease;
        let failed = ended(RunState::Failed, Some("No."));
        assert_eq!(stage.finish(called, failed).await, Ok(()));
        let woken = one(store).await;
        let output = json!({"run": called.run});
        let failed = Outcome::Finished {
            state: RunState::Failed,
            error: Some("No.".to_owned()),
            records: vec![stage.record(StepState::Failed, output)],
        };
        assert_eq!(stage.finish(woken.lease, failed).await, Ok(()));
        if is_bulk {
            let filter = RunFilter {
                state: Some(RunState::Failed),
                ..RunFilter::default()
            };
            let resumed = store.resume_runs(admin, filter, None, ResumeOn::Live).await;
            assert_eq!(resumed.expect("an Admin may").resumed, 2);
        } else {
            let resumed = store
                .resume_run(admin, caller.lease.run, ResumeOn::Ran)
                .await;
            resumed.expect("an Admin may");
        }
        let claimed = claim(store).await;
        assert_eq!(claimed.len(), 2, "both go on");
        let by_id = |id: RunId| claimed.iter().find(|run| run.lease.run == id);
        let caller = by_id(caller.lease.run).expect("the caller");
        let returned = caller.returned.first().expect("it knows what it called");
        assert_eq!(
            (returned.run, returned.state),
            (called.run, RunState::Running)
        );
        assert_eq!(caller.history[0].state, StepState::Waiting);
        // It waits for that very run, also when it ends while the wait is being written.
        let wait = waiting();
        let again = by_id(called.run).expect("the called run").lease;
        let written = futures::join!(
            stage.finish(caller.lease, wait),
            stage.finish(again, answered())
        );
        assert_eq!(written, (Ok(()), Ok(())));
        let woken = one(store).await;
        let returned = woken.returned.first().expect("it is told");
        assert_eq!(
            (returned.run, returned.state),
            (called.run, RunState::Succeeded)
        );
        assert_eq!(stage.read(woken.lease.run).await.calls.len(), 1);
        let end = ended(RunState::Succeeded, None);
        assert_eq!(stage.finish(woken.lease, end).await, Ok(()));
    }
    stage.world.end().await;
}

#[sqlx::test]
async fn a_paused_integration_keeps_its_called_runs_and_its_callers_waiting(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let (store, admin) = (&stage.world.store, &stage.world.admin);
    store
        .set_paused(admin, stage.called, true)
        .await
        .expect("an Admin may");
    let caller = stage.start().await;
    let call = stage.call(caller.lease, true).await;
    assert_eq!(stage.finish(caller.lease, call).await, Ok(()));
    assert_eq!(claim(store).await, []);
    store
        .set_paused(admin, stage.called, false)
        .await
        .expect("an Admin may");
    assert_eq!(one(store).await.integration, stage.called);
    stage.world.end().await;
}

#[sqlx::test]
async fn a_reader_sees_links_between_runs_and_what_can_be_called(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let stage = Stage::new(options).await;
    let reader = stage.world.member(Role::Reader).await;
    let caller = stage.start().await;
    let call = stage.call(caller.lease, true).await;
    assert_eq!(stage.finish(caller.lease, call).await, Ok(()));
    let shown = stage.world.store.run(&reader, caller.lease.run).await;
    let shown = shown.expect("a Reader sees runs");
    assert_eq!((shown.calls.len(), shown.payload), (1, None));
    let choices = stage
        .world
        .store
        .callable(&reader)
        .await
        .expect("a Reader may");
    assert_eq!(choices.len(), 2);
    stage.world.end().await;
}
