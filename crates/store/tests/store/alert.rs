//! Alerts: when an integration is failing, who is told of it, and how often.

use std::sync::Arc;

use domain::account::{Me, Role};
use domain::alert::{Cause, Kind, Letter};
use domain::integration::Failing;
use domain::review::Policy;
use domain::run::{RunState, StepState, TestScope};
use domain::{IntegrationId, RunId, StepId};
use engine::Outcome;
use engine::port::{Journal, Lease};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::{ClaimedAlert, ClaimedRun, HookRoute, Incoming, Store, WorkerId};

use crate::journal::record;
use crate::world::{World, clean};

const WHY: &str = "Step `Note it` failed: it could not.";

async fn begun(store: &Store, route: &Arc<HookRoute>) -> ClaimedRun {
    let incoming = Incoming {
        route: route.clone(),
        payload: json!({ "secret": "not in a letter" }).into(),
        delivery: None,
        hand_to: Some(WorkerId::random()),
    };
    let accepted = store.accept(incoming).await.expect("there is room");
    accepted.claimed.expect("it was handed")
}

async fn end(store: &Store, lease: Lease, state: RunState) {
    let outcome = Outcome::Finished {
        state,
        error: state.is_bad_end().then(|| WHY.to_owned()),
        records: Vec::new(),
    };
    let journal = store.journal();
    journal.finish(lease, outcome).await.expect("it is ours");
}

/// Lets a run end in a state.
pub(crate) async fn run(world: &World, route: &Arc<HookRoute>, state: RunState) -> RunId {
    let claimed = begun(&world.store, route).await;
    end(&world.store, claimed.lease, state).await;
    claimed.lease.run
}

/// Sends what is due; returns to whom, and what it says.
pub(crate) async fn sent(store: &Store) -> Vec<(String, Letter)> {
    let mut letters = Vec::new();
    while let Some(alert) = next(store).await {
        store.letter_sent(&alert).await.expect("it answers");
        letters.push((alert.email, alert.letter));
    }
    letters.sort_by(|one, other| one.0.cmp(&other.0));
    letters
}

async fn next(store: &Store) -> Option<ClaimedAlert> {
    store.claim_alert().await.expect("it answers")
}

fn run_of(letter: &Letter) -> Option<RunId> {
    match letter.cause {
        Cause::Runs { run, .. } => Some(run),
        Cause::Polls => None,
    }
}

pub(crate) fn kinds(letters: &[(String, Letter)]) -> Vec<Kind> {
    letters.iter().map(|(_, letter)| letter.kind).collect()
}

async fn failing(world: &World, id: IntegrationId) -> Option<Failing> {
    let all = world.store.integrations(&world.admin).await;
    let all = all.expect("a member sees them");
    let listed = all.iter().find(|one| one.id == id).expect("it is listed");
    let detail = world.store.integration(&world.admin, id).await;
    let shown = detail.expect("it is there").summary.failing;
    assert_eq!(listed.failing, shown, "both pages say the same");
    shown
}

/// Moves what is known of failing integrations into the past.
pub(crate) async fn pass_an_hour(world: &World) {
    let moved = "update failing set since = since - interval '1 hour',
            alert_at = alert_at - interval '1 hour', alerted_at = alerted_at - interval '1 hour'";
    world.execute(moved).await;
    world
        .execute("update alert set since = since - interval '1 hour'")
        .await;
    world
        .execute("update mail set next_attempt = next_attempt - interval '1 hour'")
        .await;
}

#[sqlx::test]
async fn the_first_failure_is_told_once_and_so_is_the_recovery(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (id, route) = world.hook().await;
    run(&world, &route, RunState::Succeeded).await;
    run(&world, &route, RunState::Canceled).await;
    assert_eq!(
        (failing(&world, id).await, sent(&world.store).await.len()),
        (None, 0)
    );

    let first = run(&world, &route, RunState::Failed).await;
    let shown = failing(&world, id).await.expect("it fails");
    assert_eq!(shown.first, first);
    for state in [RunState::InDoubt, RunState::Quarantined, RunState::Failed] {
        run(&world, &route, state).await;
    }
    assert_eq!(failing(&world, id).await, Some(shown), "it goes on");
    let letters = sent(&world.store).await;
    let [(email, letter)] = letters.as_slice() else {
        panic!("one letter: {letters:?}");
    };
    assert_eq!(email, "admin@example.com");
    assert_eq!((letter.kind, run_of(letter)), (Kind::Failing, Some(first)));
    assert_eq!((letter.integration, letter.name.as_str()), (id, "Orders"));
    assert_eq!(letter.reason, WHY);
    assert_eq!(letter.organization, "Demo Workshop");
    assert!(
        !letter
            .text("https://ours.example")
            .contains("not in a letter")
    );

    run(&world, &route, RunState::Canceled).await;
    assert!(failing(&world, id).await.is_some(), "nothing succeeded");
    let mended = run(&world, &route, RunState::Succeeded).await;
    run(&world, &route, RunState::Succeeded).await;
    assert_eq!(failing(&world, id).await, None);
    let letters = sent(&world.store).await;
    assert_eq!(kinds(&letters), [Kind::Recovered]);
    assert_eq!(run_of(&letters[0].1), Some(mended));
    assert_eq!(letters[0].1.since, letter.since);
    world.end().await;
}

/// Returns the end of a run that failed at a step.
fn failed_at(step: StepId) -> Outcome {
    let mut failed = record(1, "payload of a step");
    failed.path.step = step;
    failed.state = StepState::Failed;
    Outcome::Finished {
        state: RunState::Failed,
        error: Some(WHY.to_owned()),
        records: vec![failed],
    }
}

#[sqlx::test]
async fn a_letter_names_the_step_that_ended_the_run(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let document = clean("webhook");
    let step = document.flow[0];
    let id = world.publish(document).await;
    let route = world.route(id).await;
    let claimed = begun(&world.store, &route).await;
    let outcome = failed_at(step);
    let journal = world.store.journal();
    let ended = journal.finish(claimed.lease, outcome).await;
    ended.expect("it is ours");
    let letters = sent(&world.store).await;
    let step = match &letters[0].1.cause {
        Cause::Runs { step, .. } => step.as_deref(),
        Cause::Polls => None,
    };
    assert_eq!(step, Some("Note it"));
    let text = letters[0].1.text("https://ours.example");
    assert!(!text.contains("payload of a step"), "{text}");
    world.end().await;
}

#[sqlx::test]
async fn processes_that_end_runs_at_the_same_time_tell_it_once(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (_, route) = world.hook().await;
    let other = world.other_process().await;
    for _ in 0..10 {
        for (state, kind) in [
            (RunState::Failed, Kind::Failing),
            (RunState::Succeeded, Kind::Recovered),
        ] {
            let mut leases = Vec::new();
            for _ in 0..6 {
                leases.push(begun(&world.store, &route).await.lease);
            }
            // Both find the integration as it was before, wait for each other, and one of them tells.
            let held = world.sql.begin().await;
            let mut held = held.expect("it answers");
            sqlx::query("lock table failing in share mode")
                .execute(&mut *held)
                .await
                .expect("nobody writes it");
            let here = futures::future::join_all(
                leases[..3]
                    .iter()
                    .map(|lease| end(&world.store, *lease, state)),
            );
            let there = futures::future::join_all(
                leases[3..].iter().map(|lease| end(&other, *lease, state)),
            );
            let free = async {
                world.someone_waits().await;
                held.rollback().await.expect("it answers");
            };
            tokio::join!(here, there, free);
            assert_eq!(kinds(&sent(&other).await), [kind]);
            if kind == Kind::Recovered {
                pass_an_hour(&world).await;
            }
        }
    }
    other.close().await;
    world.end().await;
}

#[sqlx::test]
async fn admins_and_whoever_published_are_told_as_long_as_they_want(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (ben, cleo) = (
        world.member(Role::Collaborator).await,
        world.member(Role::Collaborator).await,
    );
    let (reader, dora) = (
        world.member(Role::Reader).await,
        world.member(Role::Admin).await,
    );
    let (id, draft) = world.draft_of(clean("webhook")).await;
    let published = world.store.publish(&ben, draft, 1, String::new(), None);
    published.await.expect("a Collaborator publishes");
    let route = world.route(id).await;
    let set = async |me: &Me, wants: bool| {
        let set = world.store.set_wants_alerts(me, wants).await;
        set.expect("a member may");
        let kept = world.store.wants_alerts(me).await;
        assert_eq!(kept.expect("a member may"), wants);
    };
    set(&dora, false).await;
    run(&world, &route, RunState::Failed).await;
    let to = |letters: &[(String, Letter)]| -> Vec<String> {
        letters.iter().map(|(email, _)| email.clone()).collect()
    };
    let expected = vec![world.admin.email.clone(), ben.email.clone()];
    assert_eq!(to(&sent(&world.store).await), expected);

    // Whoever leaves, or switches it off while a letter waits, does not get it.
    run(&world, &route, RunState::Succeeded).await;
    set(&world.admin, false).await;
    let left = world.store.remove_member(&world.admin, ben.account).await;
    left.expect("an Admin removes");
    assert!(next(&world.store).await.is_none());
    pass_an_hour(&world).await;
    run(&world, &route, RunState::Failed).await;
    assert!(
        sent(&world.store).await.is_empty(),
        "{cleo:?} {reader:?} published nothing"
    );
    assert_eq!(
        world
            .audit()
            .await
            .iter()
            .filter(|act| *act == "member.alerts")
            .count(),
        2
    );
    world.end().await;
}

#[sqlx::test]
async fn an_integration_that_fails_and_recovers_by_turns_is_told_seldom(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (id, route) = world.hook().await;
    run(&world, &route, RunState::Failed).await;
    run(&world, &route, RunState::Succeeded).await;
    let both = [Kind::Failing, Kind::Recovered];
    let mut told = kinds(&sent(&world.store).await);
    told.sort_by_key(|kind| kind.key());
    assert_eq!(told, both);
    for _ in 0..20 {
        run(&world, &route, RunState::Failed).await;
        assert!(
            failing(&world, id).await.is_some(),
            "screens say it at once"
        );
        assert_eq!(
            world
                .count("select count(*) from mail where state = 'waiting'")
                .await,
            1
        );
        run(&world, &route, RunState::Succeeded).await;
        assert_eq!(world.count("select count(*) from alert").await, 2);
    }
    assert!(sent(&world.store).await.is_empty());
    // It fails again and stays so: the letter that waited goes out.
    run(&world, &route, RunState::Failed).await;
    assert!(sent(&world.store).await.is_empty());
    pass_an_hour(&world).await;
    assert_eq!(kinds(&sent(&world.store).await), [Kind::Failing]);
    run(&world, &route, RunState::Succeeded).await;
    assert_eq!(kinds(&sent(&world.store).await), [Kind::Recovered]);
    world.end().await;
}

#[sqlx::test]
async fn tests_alert_nobody_and_hide_no_failure(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    let (id, route) = world.hook().await;
    let draft = world.store.start_draft(&world.admin, id, "Next").await;
    let draft = draft.expect("an Admin may");
    let test = async |state: RunState| {
        let started = world
            .store
            .start_test(&world.admin, draft, 1, json!({}), TestScope::Whole);
        started.await.expect("an Admin tests");
        let claimed = world.store.claim(WorkerId::random(), 1).await;
        let claimed = claimed.expect("it answers");
        end(&world.store, claimed[0].lease, state).await;
    };
    test(RunState::Failed).await;
    assert_eq!(
        (failing(&world, id).await, sent(&world.store).await.len()),
        (None, 0)
    );
    run(&world, &route, RunState::Failed).await;
    sent(&world.store).await;
    test(RunState::Succeeded).await;
    assert!(failing(&world, id).await.is_some());
    assert!(sent(&world.store).await.is_empty());
    world.end().await;
}

#[sqlx::test]
async fn an_alert_that_nobody_sends_is_given_up_and_one_that_went_silent_is_taken_over(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let (_, route) = world.hook().await;
    run(&world, &route, RunState::Failed).await;
    let silent = next(&world.store).await.expect("it is due");
    assert!(next(&world.store).await.is_none(), "it is claimed");
    pass_an_hour(&world).await;
    let taken = next(&world.store).await.expect("the lease is over");
    assert_eq!(silent.id, taken.id);
    let late = world.store.letter_sent(&silent).await;
    late.expect("it answers");
    assert_eq!(
        world
            .count("select count(*) from mail where state = 'waiting'")
            .await,
        1
    );
    let delayed = world.store.letter_delayed(&taken, "450 busy").await;
    delayed.expect("it answers");
    pass_an_hour(&world).await;
    world
        .execute("update alert set at = at - interval '25 hours'")
        .await;
    assert_eq!(world.store.give_up_letters().await.expect("it answers"), 1);
    assert!(next(&world.store).await.is_none());
    world.end().await;
}

#[sqlx::test]
async fn a_run_that_cannot_be_read_holds_up_no_letter(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options).await;
    for (records, place) in [("[", 0), ("[{}]", 1), ("", 2), ("[]", 3)] {
        let (_, route) = world.hook().await;
        let claimed = begun(&world.store, &route).await;
        let journal = world.store.journal();
        let appended = journal.append(claimed.lease, vec![record(1, "one")]).await;
        appended.expect("it is ours");
        sqlx::query("update run_record set records = $1 where run_id = $2")
            .bind(records)
            .bind(claimed.lease.run.0)
            .execute(&world.sql)
            .await
            .expect("it answers");
        if records == "[]" {
            let id = claimed.lease.run.0;
            world.damage("run_record", "run_id", id).await;
        }
        end(&world.store, claimed.lease, RunState::Failed).await;
        let waiting = "select count(*) from mail where state = 'waiting'";
        assert_eq!(world.count(waiting).await, place + 1);
    }
    let outsider = world.outsider().await;
    let free = Policy {
        approvals: 0,
        ..Policy::default()
    };
    let set = world.store.set_policy(&outsider, None, Some(free)).await;
    set.expect("an Admin sets it");
    let draft = world
        .store
        .create_integration(&outsider, "Theirs", "First", clean("webhook"));
    let draft = draft.await.expect("an Admin creates");
    let published = world
        .store
        .publish(&outsider, draft, 1, "Ours alone.".to_owned(), None);
    published.await.expect("it is clean");
    let theirs = world
        .store
        .integrations(&outsider)
        .await
        .expect("a member sees them");
    let detail = world.store.integration(&outsider, theirs[0].id).await;
    let path = detail
        .expect("it is there")
        .webhook_path
        .expect("a webhook is live");
    let token = path.strip_prefix("/hooks/").expect("the path of webhooks");
    let route = world.store.hook_route(token).await.expect("it answers");
    run(&world, &route.expect("it is live"), RunState::Failed).await;
    let letters = sent(&world.store).await;
    let to: Vec<&str> = letters.iter().map(|(email, _)| email.as_str()).collect();
    assert_eq!(
        to,
        ["admin@example.com"; 4]
            .into_iter()
            .chain(["outsider@example.com"])
            .collect::<Vec<_>>()
    );
    for (_, letter) in &letters {
        assert!(matches!(letter.cause, Cause::Runs { step: None, .. }));
    }
    world.end().await;
}

#[sqlx::test]
async fn a_letter_names_the_step_that_ended_a_run_of_many_records(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    let world = World::new(options).await;
    let document = clean("webhook");
    let step = document.flow[0];
    let id = world.publish(document).await;
    let route = world.route(id).await;
    let claimed = begun(&world.store, &route).await;
    let journal = world.store.journal();
    for number in 1..=40 {
        let appended = journal
            .append(claimed.lease, vec![record(number, "much")])
            .await;
        appended.expect("it is ours");
    }
    let outcome = failed_at(step);
    let ended = journal.finish(claimed.lease, outcome).await;
    ended.expect("it is ours");
    let letters = sent(&world.store).await;
    let [
        (
            _,
            Letter {
                cause: Cause::Runs { step, .. },
                ..
            },
        ),
    ] = letters.as_slice()
    else {
        panic!("one letter: {letters:?}");
    };
    assert_eq!(step.as_deref(), Some("Note it"));
    world.end().await;
}
