//! Steps that run code, with a sandbox that does as it is told.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use domain::code::{ConsoleLine, Level};
use domain::run::{RunState, StepState};
use engine::port::{Broke, Ran, Running, Sandbox, Script};
use engine::{Engine, Outcome, Signal};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::stage::{Crash, MemoryJournal, Stage};

/// Gives what is next, then a number that counts its jobs; notes what it was given.
#[derive(Debug, Default)]
struct Fake {
    next: Mutex<VecDeque<Result<Value, Broke>>>,
    jobs: Mutex<Vec<Script>>,
}

impl Sandbox for Fake {
    fn run(&self, script: Script) -> Running<'_> {
        let count = {
            let mut jobs = self.jobs.lock().expect("no panic holds it");
            jobs.push(script);
            jobs.len()
        };
        let next = self.next.lock().expect("no panic holds it").pop_front();
        let line = ConsoleLine {
            level: Level::Info,
            text: format!("job {count}\0"),
        };
        Box::pin(async move {
            Ran {
                result: next.unwrap_or_else(|| Ok(json!({ "count": count }))),
                console: vec![line],
            }
        })
    }
}

fn stage(steps: Value, next: impl IntoIterator<Item = Result<Value, Broke>>) -> (Stage, Arc<Fake>) {
    let fake = Arc::new(Fake {
        next: Mutex::new(next.into_iter().collect()),
        jobs: Mutex::default(),
    });
    let mut stage = Stage::new(steps);
    stage.engine = Engine::new(stage.clock.clone()).with_sandbox(fake.clone());
    (stage, fake)
}

fn broke(message: &str, may_retry: bool) -> Result<Value, Broke> {
    Err(Broke {
        message: message.to_owned(),
        may_retry,
    })
}

#[tokio::test]
async fn what_code_returns_is_the_output_and_its_console_is_recorded() {
    let code = "return {{ trigger.body }}; // `{{ nothing`";
    let (stage, fake) = stage(
        json!([
            {"slug": "sum", "kind": "code.javascript", "code": code, "input": {"n": "{{ trigger.body.n }}"}},
            {"slug": "used", "kind": "log", "message": "{{ steps.sum.count }}"},
        ]),
        [],
    );
    let end = stage
        .payload(json!({"body": {"n": 7}}))
        .run()
        .await
        .succeeded();
    assert_eq!(end.output("sum"), &json!({"count": 1}));
    assert_eq!(end.output("used")["message"], "1");
    let jobs = fake.jobs.lock().expect("no panic holds it");
    // Braces in code are its own, and the input keeps its types.
    assert_eq!(jobs[0].code, code);
    assert_eq!(jobs[0].input, json!({"n": 7}));
    let record = end.of("sum");
    assert_eq!(
        record.input,
        json!({"input": {"n": 7}}),
        "the document has the code"
    );
    assert_eq!(record.console[0].text, "job 1\u{fffd}");
}

#[tokio::test]
async fn code_without_input_gets_an_empty_object() {
    let (stage, fake) = stage(
        json!([{"slug": "one", "kind": "code.javascript", "code": "return 1;"}]),
        [],
    );
    stage.run().await.succeeded();
    assert_eq!(
        fake.jobs.lock().expect("no panic holds it")[0].input,
        json!({})
    );
}

/// Code reads the time and draws numbers: what it gave once is what the run goes on with.
#[tokio::test]
async fn a_resumed_run_goes_on_with_the_value_that_was_recorded() {
    let steps = json!([
        {"slug": "drawn", "kind": "code.javascript", "code": "return Math.random();"},
        {"slug": "before", "kind": "log", "message": "{{ steps.drawn.count }}"},
        {"slug": "pause", "kind": "delay", "amount": 3, "unit": "minutes"},
        {"slug": "after", "kind": "log", "message": "{{ steps.drawn.count }}"},
    ]);
    let (whole, _) = stage(steps.clone(), []);
    let writes = whole.run().await.succeeded().writes;
    assert!(writes > 1);
    for at_write in 0..writes {
        for is_durable in [false, true] {
            let (stage, fake) = stage(steps.clone(), []);
            let crash = Some(Crash {
                at_write,
                is_durable,
            });
            let journal = MemoryJournal {
                crash,
                ..MemoryJournal::default()
            };
            let end = stage.run_with(journal).await.succeeded();
            let drawn = end.output("drawn")["count"].to_string();
            assert_eq!(end.output("before")["message"], drawn, "{crash:?}");
            assert_eq!(end.output("after")["message"], drawn, "{crash:?}");
            let jobs = fake.jobs.lock().expect("no panic holds it").len();
            let is_lost = at_write == 0 && !is_durable;
            assert_eq!(jobs, if is_lost { 2 } else { 1 }, "{crash:?}");
        }
    }
}

#[tokio::test]
async fn code_that_fails_is_not_tried_again_and_says_why() {
    let (stage, fake) = stage(
        json!([{
            "slug": "bad", "kind": "code.javascript", "code": "x",
            "on_error": {"retries": 5, "then": "stop"},
        }]),
        [broke(
            "Line 1, column 1: ReferenceError: x is not defined",
            false,
        )],
    );
    let end = stage.run().await;
    assert_eq!(
        end.failure("bad"),
        "Line 1, column 1: ReferenceError: x is not defined"
    );
    assert_eq!(end.of("bad").console[0].text, "job 1\u{fffd}");
    assert_eq!(fake.jobs.lock().expect("no panic holds it").len(), 1);
}

#[tokio::test]
async fn a_process_that_was_lost_is_started_again_as_often_as_the_step_allows() {
    let steps = json!([{
        "slug": "once", "kind": "code.javascript", "code": "return 1;",
        "on_error": {"retries": 2, "then": "stop"},
    }]);
    let lost = || broke("The process was ended.", true);
    let (two, fake) = stage(steps.clone(), [lost(), lost()]);
    let end = two.run().await.succeeded();
    assert_eq!(end.of("once").attempts, 3);
    assert_eq!(fake.jobs.lock().expect("no panic holds it").len(), 3);
    let (three, fake) = stage(steps, [lost(), lost(), lost()]);
    assert_eq!(three.run().await.failure("once"), "The process was ended.");
    assert_eq!(fake.jobs.lock().expect("no panic holds it").len(), 3);
}

#[tokio::test]
async fn a_try_catches_what_code_throws() {
    let (stage, _) = stage(
        json!([{
            "slug": "attempt", "kind": "try",
            "try": [{"slug": "bad", "kind": "code.javascript", "code": "throw 1"}],
            "catch": [{"slug": "told", "kind": "log", "message": "{{ steps.attempt.error.message }}"}],
        }]),
        [broke("1", false)],
    );
    let end = stage.run().await.succeeded();
    assert_eq!(end.output("told")["message"], "1");
}

/// Never comes to an end; counts what was ended from outside.
#[derive(Debug, Default)]
struct Endless(Arc<AtomicUsize>);

struct Ended(Arc<AtomicUsize>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Sandbox for Endless {
    fn run(&self, _: Script) -> Running<'_> {
        let ended = Ended(Arc::clone(&self.0));
        Box::pin(async move {
            let _ended = ended;
            pending().await
        })
    }
}

#[tokio::test]
async fn code_ends_with_the_run_that_is_canceled() {
    let mut stage =
        Stage::new(json!([{"slug": "long", "kind": "code.javascript", "code": "for (;;);"}]));
    let ended = Arc::new(AtomicUsize::new(0));
    stage.engine =
        Engine::new(stage.clock.clone()).with_sandbox(Arc::new(Endless(Arc::clone(&ended))));
    let journal = MemoryJournal::default();
    let (cancel, canceled) = watch::channel(Signal::GoOn);
    let executing = stage
        .engine
        .execute(stage.task(Vec::new()), &journal, None, canceled);
    let canceling = async {
        tokio::task::yield_now().await;
        cancel.send_replace(Signal::Cancel);
    };
    let (outcome, ()) = tokio::join!(executing, canceling);
    let Outcome::Finished { state, records, .. } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(state, RunState::Canceled);
    assert_eq!(records[0].state, StepState::Failed);
    assert_eq!(
        records[0].error.as_deref(),
        Some("The run was canceled before the code was done.")
    );
    assert_eq!(ended.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_engine_without_a_sandbox_runs_no_code() {
    let stage = Stage::new(json!([{"slug": "no", "kind": "code.javascript", "code": "return 1;"}]));
    assert_eq!(stage.run().await.failure("no"), "This server runs no code.");
}
