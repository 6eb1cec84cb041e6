//! Writes of a component that were begun, and whose answer is not known.

use std::sync::atomic::{AtomicUsize, Ordering};

use domain::run::{RunState, StepState};
use engine::port::{Broke, Ending, Job};
use serde_json::{Value, json};

use super::{Ask, Logic, asked, stage, step};
use crate::server::{Reply, Server, text, with};
use crate::stage::{Crash, MemoryJournal};

/// Puts the time of each into three orders, one after the other.
fn stamped(job: &Job, ask: Ask<'_>) -> Result<Value, Ending> {
    for (at, method) in ["PUT", "POST", "DELETE"].into_iter().enumerate() {
        let now = job.answered.get(at).map_or(job.now, |one| one.at);
        ask(asked(method, job, &format!("/{method}?at={}", now.0)))?;
    }
    Ok(json!({ "answers": job.answered.len() }))
}

/// What a component may do again after a crash is done with the very time that it had.
#[tokio::test]
async fn a_crash_makes_no_other_write_of_one_that_has_the_time_in_it() {
    let ok = |_: &crate::server::Request, _: usize| text(200, "ok");
    let server = Server::start(ok).await;
    let (whole, _) = stage(step(&server, &json!({})), stamped);
    let writes = whole.run().await.succeeded().writes;
    assert!(writes > 3, "{writes}");
    let mut repeated = 0;
    for at_write in 0..writes {
        for is_durable in [false, true] {
            let server = Server::start(ok).await;
            let (stage, _) = stage(step(&server, &json!({})), stamped);
            let crash = Some(Crash {
                at_write,
                is_durable,
            });
            let end = stage
                .run_with(MemoryJournal {
                    crash,
                    ..MemoryJournal::default()
                })
                .await;
            let mut all: Vec<String> = server
                .requests()
                .into_iter()
                .map(|one| one.target)
                .collect();
            let sent = all.len();
            all.sort();
            all.dedup();
            repeated += sent - all.len();
            for method in ["PUT", "POST", "DELETE"] {
                let count = all.iter().filter(|target| target.contains(method)).count();
                assert!(count <= 1, "{at_write} {is_durable}: {all:?}");
            }
            match end.state {
                RunState::Succeeded => assert_eq!(all.len(), 3, "{at_write} {is_durable}"),
                RunState::InDoubt => assert!(all.len() < 3, "{at_write} {is_durable}"),
                other => panic!("{at_write} {is_durable}: {other:?} {end:#?}"),
            }
        }
    }
    assert!(repeated > 0, "a PUT is sent again as it was");
}

/// Asks for something else whenever it is run.
fn changing(job: &Job, ask: Ask<'_>) -> Result<Value, Ending> {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let run = RUNS.fetch_add(1, Ordering::SeqCst);
    ask(asked("PUT", job, &format!("/{run}")))
}

/// Asks for a write once, and then for none.
fn forgetting(job: &Job, ask: Ask<'_>) -> Result<Value, Ending> {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    match RUNS.fetch_add(1, Ordering::SeqCst) {
        0 => ask(asked("DELETE", job, "/")),
        _ => Ok(Value::Null),
    }
}

/// Asks for a write once, and breaks then.
fn breaking(job: &Job, ask: Ask<'_>) -> Result<Value, Ending> {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    match RUNS.fetch_add(1, Ordering::SeqCst) {
        0 => ask(asked("POST", job, "/")),
        _ => Err(Ending::Broke(Broke {
            message: "It trapped.".to_owned(),
            may_retry: false,
        })),
    }
}

#[tokio::test]
async fn a_write_that_was_begun_and_is_not_asked_for_again_is_in_doubt() {
    for (logic, says) in [
        (changing as Logic, "asks for another one."),
        (forgetting, "asks for none."),
        (breaking, "fails: It trapped."),
    ] {
        let server = Server::start(|_, _| text(200, "ok")).await;
        let (stage, _) = stage(step(&server, &json!({})), logic);
        // The beginning is durable, and the answer is not.
        let crash = Some(Crash {
            at_write: 1,
            is_durable: false,
        });
        let end = stage
            .run_with(MemoryJournal {
                crash,
                ..MemoryJournal::default()
            })
            .await;
        assert_eq!(server.requests().len(), 1, "{says}");
        assert_eq!(end.state, RunState::InDoubt, "{says} {end:#?}");
        for record in &end.records {
            assert_eq!(record.state, StepState::InDoubt, "{says} {end:#?}");
            let error = record.error.clone().unwrap_or_default();
            assert!(error.contains(says), "{error}");
            assert!(error.contains("no other was sent"), "{error}");
        }
        assert_eq!(end.records.len(), 2);
        let sent = end.records[1].input["url"].as_str().unwrap_or_default();
        assert!(sent.ends_with(&server.requests()[0].target), "{sent}");
    }
}

/// A service that is asked to be left alone for a while says nothing of an earlier attempt.
#[tokio::test]
async fn a_write_without_an_answer_waits_with_the_time_that_it_had() {
    for (first, is_same) in [(false, false), (true, true)] {
        let server = Server::start(move |_, count| match count {
            0 if first => Reply::Close,
            0 => with(429, "Retry-After", "60"),
            1 if first => with(503, "Retry-After", "60"),
            _ => text(200, "ok"),
        })
        .await;
        let mut step = step(&server, &json!({}));
        step["on_error"] = json!({ "retries": 3 });
        let (stage, _) = stage(step, |job, ask| {
            let now = job.answered.first().map_or(job.now, |one| one.at);
            ask(asked("PUT", job, &format!("/?at={}", now.0)))
        });
        stage.run().await.succeeded();
        let sent = server.requests();
        let (first, last) = (&sent[0].target, &sent[sent.len() - 1].target);
        assert_eq!(first == last, is_same, "{first} {last}");
    }
}

/// What got no answer at its first attempt may have arrived: whenever the process ends after that,
/// also while the step waits for its next attempt, no other is sent.
#[tokio::test]
async fn a_crash_between_two_attempts_of_a_write_makes_no_other_of_it() {
    let answer = |_: &crate::server::Request, count: usize| match count {
        0 => Reply::Close,
        1 => with(503, "Retry-After", "60"),
        _ => text(200, "ok"),
    };
    let retried = |server: &Server| {
        let mut step = step(server, &json!({}));
        step["on_error"] = json!({ "retries": 3 });
        let (stage, _) = stage(step, |job, ask| {
            let now = job.answered.first().map_or(job.now, |one| one.at);
            ask(asked("PUT", job, &format!("/?at={}", now.0)))
        });
        stage
    };
    let server = Server::start(answer).await;
    let writes = retried(&server).run().await.succeeded().writes;
    assert_eq!(server.requests().len(), 3);
    assert!(writes > 3, "{writes}");
    for at_write in 0..writes {
        for is_durable in [false, true] {
            let server = Server::start(answer).await;
            let crash = Some(Crash {
                at_write,
                is_durable,
            });
            let end = retried(&server)
                .run_with(MemoryJournal {
                    crash,
                    ..MemoryJournal::default()
                })
                .await
                .succeeded();
            let sent = server.requests();
            assert!(sent.len() >= 3, "{at_write} {is_durable}: {end:#?}");
            for request in &sent {
                let first = &sent[0].target;
                assert_eq!(&request.target, first, "{at_write} {is_durable}");
            }
        }
    }
}

/// The next run of the component may ask for another one.
#[tokio::test]
async fn a_write_of_a_component_that_got_no_answer_at_all_is_in_doubt() {
    for (method, retries) in [("PUT", 0), ("PUT", 2), ("DELETE", 1), ("POST", 2)] {
        let server = Server::start(|_, _| Reply::Close).await;
        let mut step = step(&server, &json!({}));
        step["on_error"] = json!({ "retries": retries });
        let (stage, _) = stage(
            step,
            match method {
                "PUT" => |job: &Job, ask: Ask<'_>| ask(asked("PUT", job, "/")),
                "DELETE" => |job: &Job, ask: Ask<'_>| ask(asked("DELETE", job, "/")),
                _ => |job: &Job, ask: Ask<'_>| ask(asked("POST", job, "/")),
            } as Logic,
        );
        let end = stage.run().await;
        assert_eq!(end.state, RunState::InDoubt, "{method} {retries}: {end:#?}");
        // What may be repeated as it is was, as often as the policy says.
        let times = if method == "POST" { 1 } else { retries + 1 };
        assert_eq!(server.requests().len(), times, "{method} {retries}");
    }
}
