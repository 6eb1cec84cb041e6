//! Resuming: what ended early goes on where it ended, under a claim above all earlier ones.

use domain::document::OnError;
use domain::run::{ResumeOn, RunState, StepPath, StepRecord, StepState};
use domain::{Document, IntegrationId, RunId, StepId};
use engine::Outcome;
use engine::port::{Journal, Lease, Lost};
use futures::future::join_all;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{ClaimedRun, Incoming, Refusal, RunFilter, WorkerId};

use crate::journal::record;
use crate::world::{World, clean, log_step, refusal, save};

/// Returns a document with two steps, of which the first lets its run go on when it fails.
fn two_steps() -> (Document, StepId, StepId) {
    let mut document = clean("webhook");
    let first = document.flow[0];
    let second = log_step("Tell it", "tell_it");
    let id = second.id;
    document.flow.push(id);
    document.steps.insert(id, second);
    if let Some(step) = document.steps.get_mut(&first) {
        step.on_error.then = OnError::Continue;
    }
    (document, first, id)
}

async fn start(world: &World, integration: IntegrationId) -> ClaimedRun {
    let incoming = Incoming {
        route: world.route(integration).await,
        payload: json!({}).into(),
        delivery: None,
        hand_to: Some(WorkerId::random()),
    };
    let accepted = world.store.accept(incoming).await.expect("there is room");
    accepted.claimed.expect("it was handed")
}

fn failed(step: StepId) -> StepRecord {
    StepRecord {
        path: StepPath {
            step,
            rounds: Vec::new(),
        },
        state: StepState::Failed,
        error: Some("It broke.".to_owned()),
        attempts: 3,
        ..record(0, "an answer")
    }
}

async fn fail(world: &World, lease: Lease, state: RunState, records: Vec<StepRecord>) {
    let outcome = Outcome::Finished {
        state,
        error: Some("It broke.".to_owned()),
        records,
    };
    let journal = world.store.journal();
    journal.finish(lease, outcome).await.expect("it is ours");
}

async fn claim_one(world: &World) -> ClaimedRun {
    let claimed = world.store.claim(WorkerId::random(), 5).await;
    let mut claimed = claimed.expect("it answers");
    assert_eq!(claimed.len(), 1);
    claimed.pop().expect("there is one")
}

#[sqlx::test]
async fn a_failed_run_goes_on_at_the_step_that_ended_it(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (document, first, second) = two_steps();
    let integration = world.publish(document).await;
    let run = start(&world, integration).await;
    let records = vec![failed(first), failed(second)];
    fail(&world, run.lease, RunState::Failed, records).await;
    let id = run.lease.run;
    world
        .store
        .resume_run(&world.admin, id, ResumeOn::Ran)
        .await
        .expect("an Admin may");
    let shown = world
        .store
        .run(&world.admin, id)
        .await
        .expect("it is there");
    assert_eq!(
        (shown.summary.state, shown.summary.error),
        (RunState::Queued, None)
    );
    let claimed = claim_one(&world).await;
    assert_eq!(claimed.hash, run.hash);
    assert!(claimed.resumed_at.is_some());
    assert_eq!(
        claimed.history[0],
        failed(first),
        "what was dealt with stays"
    );
    let again = &claimed.history[1];
    assert_eq!(
        (again.state, again.attempts, &again.error, &again.output),
        (StepState::Waiting, 0, &None, &Value::Null)
    );
    // Whoever had it before can write no more, though its queue row was another.
    assert!(claimed.lease.fence > run.lease.fence + 1);
    let journal = world.store.journal();
    let stale = journal.append(run.lease, vec![record(9, "stale")]).await;
    assert_eq!(stale, Err(Lost));
    let outcome = Outcome::Finished {
        state: RunState::Succeeded,
        error: None,
        records: Vec::new(),
    };
    journal
        .finish(claimed.lease, outcome)
        .await
        .expect("it is ours");
    let over = world.store.resume_run(&world.admin, id, ResumeOn::Ran);
    assert_eq!(refusal(over.await), Refusal::CannotResume);
    assert!(world.audit().await.contains(&"run.resume".to_owned()));
    world.end().await;
}

#[sqlx::test]
async fn a_resumed_run_can_go_on_with_the_version_that_is_live_now(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (document, _, second) = two_steps();
    let integration = world.publish(document).await;
    let run = start(&world, integration).await;
    fail(&world, run.lease, RunState::InDoubt, vec![failed(second)]).await;
    let draft = world
        .store
        .start_draft(&world.admin, integration, "Mended")
        .await
        .expect("an Admin may");
    world
        .store
        .save_draft(&world.admin, draft, save(1))
        .await
        .expect("it can be saved");
    assert_eq!(world.publish_draft(draft, 2).await, 2);
    world
        .store
        .resume_run(&world.admin, run.lease.run, ResumeOn::Live)
        .await
        .expect("an Admin may");
    let claimed = claim_one(&world).await;
    assert_ne!(claimed.hash, run.hash);
    assert_eq!(claimed.history.len(), 1);
    let shown = world.store.run(&world.admin, run.lease.run).await;
    let shown = shown.expect("it is there");
    assert_eq!(shown.summary.of, domain::run::RunOf::Version(2));
    world.end().await;
}

#[sqlx::test]
async fn runs_are_resumed_in_bulk_by_integration_and_state_each_once(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (document, _, second) = two_steps();
    let (ours, other) = (
        world.publish(document.clone()).await,
        world.publish(document).await,
    );
    let mut failing = Vec::new();
    for _ in 0..130 {
        failing.push(start(&world, ours).await.lease);
    }
    let fails = failing
        .iter()
        .map(|lease| fail(&world, *lease, RunState::Failed, vec![failed(second)]));
    join_all(fails).await;
    let of_other = start(&world, other).await.lease;
    fail(&world, of_other, RunState::Failed, Vec::new()).await;
    let in_doubt = start(&world, ours).await.lease;
    fail(&world, in_doubt, RunState::InDoubt, Vec::new()).await;
    let filter = RunFilter {
        integration: Some(ours),
        state: Some(RunState::Failed),
        before: None,
    };
    let resume = async |after: Option<RunId>| {
        let resumed = world
            .store
            .resume_runs(&world.admin, filter.clone(), after, ResumeOn::Ran);
        resumed.await.expect("an Admin may")
    };
    let first = resume(None).await;
    assert_eq!((first.resumed, first.next), (100, Some(failing[99].run)));
    let second = resume(first.next).await;
    assert_eq!((second.resumed, second.next), (30, None));
    assert_eq!(resume(None).await.resumed, 0);
    assert_eq!(world.count("select count(*) from run_queue").await, 130);
    assert_eq!(
        world
            .count("select count(*) from run where state in ('failed', 'in_doubt')")
            .await,
        2
    );
    world.end().await;
}

#[sqlx::test]
async fn two_who_resume_one_run_at_once_resume_it_once(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (document, _, second) = two_steps();
    let integration = world.publish(document).await;
    let run = start(&world, integration).await;
    fail(&world, run.lease, RunState::Failed, vec![failed(second)]).await;
    let resume = || {
        world
            .store
            .resume_run(&world.admin, run.lease.run, ResumeOn::Ran)
    };
    let (one, two) = futures::join!(resume(), resume());
    let [well, refused] = if one.is_ok() { [one, two] } else { [two, one] };
    well.expect("one of them does");
    assert_eq!(refusal(refused), Refusal::CannotResume);
    // A cancel finds it again, and leaves nothing in the queue.
    world
        .store
        .cancel_run(&world.admin, run.lease.run)
        .await
        .expect("it is not over");
    assert_eq!(world.count("select count(*) from run_queue").await, 0);
    world.end().await;
}

#[sqlx::test]
async fn a_run_that_cannot_be_read_is_left_out_and_the_others_are_resumed(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (document, _, second) = two_steps();
    let integration = world.publish(document).await;
    let mut runs = Vec::new();
    for _ in 0..4 {
        let run = start(&world, integration).await.lease;
        fail(&world, run, RunState::Failed, vec![failed(second)]).await;
        runs.push(run.run);
    }
    world.damage("run_record", "run_id", runs[2].0).await;
    for (run, records) in runs.iter().zip(["[", "[{}]"]) {
        sqlx::query("update run_record set records = $1 where run_id = $2")
            .bind(records)
            .bind(run.0)
            .execute(&world.sql)
            .await
            .expect("it answers");
    }
    let filter = RunFilter {
        state: Some(RunState::Failed),
        ..RunFilter::default()
    };
    let resumed = world
        .store
        .resume_runs(&world.admin, filter, None, ResumeOn::Ran)
        .await
        .expect("an Admin may");
    assert_eq!((resumed.resumed, resumed.unreadable), (1, 3));
    assert_eq!(claim_one(&world).await.lease.run, runs[3]);
    for unreadable in &runs[..3] {
        let one = world
            .store
            .resume_run(&world.admin, *unreadable, ResumeOn::Ran)
            .await;
        assert_eq!(refusal(one), Refusal::Unreadable);
    }
    world.end().await;
}
