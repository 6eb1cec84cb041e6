//! Calls of rounds and lanes that are beside each other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::run::{RunState, StepState};
use domain::{IntegrationId, RunId, Timestamp};
use engine::port::{Directory, Finding, Reading, Returned, Uncallable, Unread};
use engine::{Engine, Outcome};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::calling::{CALLED, stage, well};
use crate::server::{Reply, Server};
use crate::stage::{Crash, MemoryJournal, START, Stage, document, step_id};

fn call(slug: &str, input: Value) -> Value {
    json!({
        "slug": slug, "kind": "integration.call", "integration": CALLED.to_string(),
        "input": input,
    })
}

/// A loop over the numbers below `count`, each round of which calls; `more` comes after that.
fn rounds(count: usize, at_once: usize, more: Value) -> Value {
    json!([
        {"slug": "each", "kind": "loop", "items": format!("{{{{ range({count}) }}}}"),
         "at_once": at_once, "do": [
            call("call", json!({"n": "{{ item }}"})),
            {"slug": "got", "kind": "set", "values": {"got": "{{ steps.call.result }}"}},
         ]},
        more,
    ])
}

fn note() -> Value {
    json!({"slug": "all", "kind": "set", "values": {"results": "{{ steps.each.results }}"}})
}

/// A run that is executed step by step, and what became of the runs that it called.
struct Calling {
    stage: Stage,
    journal: MemoryJournal,
}

impl Calling {
    fn new(steps: Value) -> Self {
        Self {
            stage: stage(steps, Vec::new()),
            journal: MemoryJournal::default(),
        }
    }

    /// Says what became of the run that the step called in that round, or outside of any.
    fn returned(&self, slug: &str, round: Option<u32>, (state, result): (RunState, Value)) {
        let rounds = round.into_iter().collect();
        let path = domain::run::StepPath {
            step: step_id(slug),
            rounds,
        };
        let returned = Returned {
            path: path.to_string(),
            run: RunId::new(Uuid::from_u128(500)),
            name: "Invoices".to_owned(),
            state,
            error: None,
            result: Some(json!({"result": result})),
        };
        let mut calls = self.stage.calls.lock().expect("nobody has it");
        calls.returned.insert(path.to_string(), returned);
    }

    /// Executes it until it waits for calls; returns the inputs of those that begin, which are
    /// under way from then on, and until when it waits at most.
    async fn waits(&self) -> (Vec<Value>, Option<Timestamp>) {
        let outcome = self.stage.execute(&self.journal).await.0;
        let Outcome::Calling {
            starts,
            until,
            records,
        } = outcome
        else {
            panic!("it waits for calls: {outcome:?}")
        };
        self.journal.write(records).expect("nothing is lost");
        let under_way = |path: &str, name: &str| Returned {
            path: path.to_owned(),
            run: RunId::new(Uuid::from_u128(500)),
            name: name.to_owned(),
            state: RunState::Running,
            error: None,
            result: None,
        };
        let mut calls = self.stage.calls.lock().expect("nobody has it");
        let inputs = starts.into_iter().map(|start| {
            let returned = under_way(&start.path, &start.callee.name);
            calls.returned.insert(start.path, returned);
            start.payload["body"].clone()
        });
        (inputs.collect(), until)
    }
}

fn numbers(numbers: &[u32]) -> Vec<Value> {
    numbers.iter().map(|n| json!({"n": n})).collect()
}

const DONE: RunState = RunState::Succeeded;

#[tokio::test]
async fn rounds_call_beside_each_other_and_each_goes_on_when_its_own_call_is_over() {
    let run = Calling::new(rounds(5, 3, note()));
    assert_eq!(run.waits().await, (numbers(&[0, 1, 2]), None));
    // It may be woken although none is over.
    assert_eq!(run.waits().await, (Vec::new(), None));
    run.returned("call", Some(1), (DONE, json!("b")));
    assert_eq!(run.waits().await, (numbers(&[3]), None));
    run.returned("call", Some(0), (DONE, json!("a")));
    run.returned("call", Some(3), (DONE, json!("d")));
    assert_eq!(run.waits().await, (numbers(&[4]), None));
    run.returned("call", Some(4), (DONE, json!("e")));
    assert_eq!(run.waits().await, (Vec::new(), None));
    run.returned("call", Some(2), (DONE, json!("c")));
    let end = run.stage.run_with(run.journal).await.succeeded();
    let results: Vec<Value> = ["a", "b", "c", "d", "e"]
        .iter()
        .map(|got| json!({"got": got}))
        .collect();
    assert_eq!(end.output("all")["results"], json!(results));
}

#[tokio::test]
async fn lanes_call_beside_each_other_and_a_wait_beside_them_ends_in_its_time() {
    let delay = json!({"slug": "wait", "kind": "delay", "amount": 10, "unit": "minutes"});
    let run = Calling::new(json!([
        {"slug": "all", "kind": "parallel", "lanes": [
            ["One", null, [call("one", json!(1))]],
            ["Two", null, [call("two", json!(2))]],
            ["Wait", null, [delay, call("three", json!(3))]],
        ]},
    ]));
    let until = Timestamp(START.0 + 600_000);
    assert_eq!(run.waits().await, (vec![json!(1), json!(2)], Some(until)));
    run.returned("two", None, (DONE, json!(22)));
    assert_eq!(run.waits().await, (Vec::new(), Some(until)));
    run.stage.clock.pass(Duration::from_secs(600));
    assert_eq!(run.waits().await, (vec![json!(3)], None));
    run.returned("one", None, (DONE, json!(11)));
    run.returned("three", None, (DONE, json!(33)));
    let end = run.stage.run_with(run.journal).await.succeeded();
    let results = &end.output("all")["results"];
    assert_eq!(results["One"]["result"], 11);
    assert_eq!(results["Two"]["result"], 22);
    assert_eq!(results["Wait"]["result"], 33);
}

#[tokio::test]
async fn strands_in_strands_call_beside_each_other() {
    let inner = json!({"slug": "inner", "kind": "loop", "items": "{{ range(2) }}", "at_once": 2,
        "do": [call("call", json!({"n": "{{ steps.outer.item * 10 + item }}"}))]});
    let run = Calling::new(json!([
        {"slug": "outer", "kind": "loop", "items": "{{ range(2) }}", "at_once": 2, "do": [inner]},
    ]));
    assert_eq!(run.waits().await, (numbers(&[0, 1, 10, 11]), None));
}

/// A loop whose 50 rounds, all at once, do this.
fn fifty(slug: &str, within: &Value) -> Value {
    json!({"slug": slug, "kind": "loop", "items": "{{ range(50) }}", "at_once": 50, "do": [within]})
}

#[tokio::test]
async fn strands_that_wait_count_among_those_that_a_run_may_have_at_once() {
    let inner = fifty("inner", &call("call", json!({"n": "{{ item }}"})));
    let run = Calling::new(json!([fifty("outer", &inner)]));
    let (starts, until) = run.waits().await;
    assert!((50..150).contains(&starts.len()), "{}", starts.len());
    assert_eq!(until, None);
}

#[tokio::test]
async fn strands_that_a_failure_gave_up_take_no_place_from_others() {
    let tried = |n: u32| {
        let called = call(&format!("call_{n}"), json!({"n": "{{ item }}"}));
        let stop = json!({"slug": format!("stop_{n}"), "kind": "stop", "message": "Enough"});
        let either = json!({"slug": format!("either_{n}"), "kind": "branch", "lanes": [
            ["Stop", "item == 49", [stop]],
            ["Call", null, [called]],
        ]});
        let rescue = json!({"slug": format!("rescue_{n}"), "kind": "log", "message": "Caught"});
        json!({"slug": format!("try_{n}"), "kind": "try",
            "try": [fifty(&format!("each_{n}"), &either)], "catch": [rescue]})
    };
    let last = fifty("last", &call("call", json!({"n": "{{ item }}"})));
    let run = Calling::new(json!([tried(1), tried(2), last]));
    assert_eq!(run.waits().await.0.len(), 50);
}

#[tokio::test]
async fn a_call_that_fails_ends_the_run_and_a_try_around_catches_it_while_others_are_under_way() {
    let run = Calling::new(rounds(3, 3, note()));
    assert_eq!(run.waits().await.0.len(), 3);
    run.returned("call", Some(1), (RunState::Failed, Value::Null));
    let end = run.stage.run_with(run.journal).await;
    assert_eq!(end.state, RunState::Failed);
    let states: BTreeMap<Vec<u32>, StepState> = end
        .records
        .iter()
        .filter(|record| record.path.step == step_id("call"))
        .map(|record| (record.path.rounds.clone(), record.state))
        .collect();
    // They come to their end by themselves, and whoever resumes this run finds that.
    let waiting = |round| (vec![round], StepState::Waiting);
    let expected = [waiting(0), (vec![1], StepState::Failed), waiting(2)];
    assert_eq!(states, BTreeMap::from(expected));

    let tried = json!([{"slug": "try", "kind": "try", "try": rounds(3, 3, note()),
        "catch": [call("rescue", json!(9))]}]);
    let run = Calling::new(tried);
    assert_eq!(run.waits().await.0.len(), 3);
    run.returned("call", Some(1), (RunState::Failed, Value::Null));
    assert_eq!(run.waits().await, (vec![json!(9)], None));
    // The end of another one wakes it, and changes nothing.
    run.returned("call", Some(0), (RunState::Failed, Value::Null));
    assert_eq!(run.waits().await, (Vec::new(), None));
    run.returned("rescue", None, (DONE, json!(1)));
    run.stage.run_with(run.journal).await.succeeded();
}

#[tokio::test]
async fn a_called_run_in_doubt_leaves_the_calling_one_in_doubt() {
    let run = Calling::new(rounds(3, 3, note()));
    assert_eq!(run.waits().await.0.len(), 3);
    run.returned("call", Some(0), (DONE, json!(1)));
    run.returned("call", Some(2), (RunState::InDoubt, Value::Null));
    let end = run.stage.run_with(run.journal).await;
    assert_eq!(end.state, RunState::InDoubt);
    assert_eq!(end.of("each").state, StepState::InDoubt);
    assert_eq!(end.of("call").state, StepState::Succeeded);
}

#[tokio::test]
async fn a_crash_at_any_write_neither_repeats_calls_nor_loses_their_results() {
    let gives = || (0..6).map(|n| well(json!(n))).collect();
    let writes = stage(rounds(6, 3, note()), gives())
        .run()
        .await
        .succeeded()
        .writes;
    for at_write in 0..writes {
        for is_durable in [false, true] {
            let stage = stage(rounds(6, 3, note()), gives());
            let crash = Some(Crash {
                at_write,
                is_durable,
            });
            let journal = MemoryJournal {
                crash,
                ..MemoryJournal::default()
            };
            let end = stage.run_with(journal).await.succeeded();
            let results: Vec<Value> = (0..6).map(|n| json!({"got": n})).collect();
            assert_eq!(end.output("all")["results"], json!(results), "{crash:?}");
            let started = &stage.calls.lock().expect("nobody has it").started;
            let inputs: Vec<_> = started.iter().map(|start| &start.payload["body"]).collect();
            let expected = numbers(&[0, 1, 2, 3, 4, 5]);
            assert_eq!(inputs, expected.iter().collect::<Vec<_>>(), "{crash:?}");
        }
    }
}

#[tokio::test]
async fn what_is_too_much_for_one_write_begins_in_the_next_at_once() {
    let mut steps = rounds(40, 40, note());
    steps[0]["do"][0]["input"] = json!({"n": "{{ item }}", "text": "{{ trigger.body }}"});
    let mut run = Calling::new(steps);
    run.stage = run.stage.payload(json!({"body": "x".repeat(1_000_000)}));
    let mut begun = Vec::new();
    loop {
        let (starts, until) = run.waits().await;
        assert!(!starts.is_empty() && starts.len() < 20, "{}", starts.len());
        begun.extend(starts.into_iter().map(|input| input["n"].clone()));
        if until.is_none() {
            break;
        }
        assert_eq!(until, Some(START), "at once");
    }
    let all: Vec<Value> = (0..40).map(Value::from).collect();
    assert_eq!(begun, all);
}

/// A directory that has nothing any more, or does not answer.
#[derive(Debug)]
struct Closed(Uncallable);

impl Directory for Closed {
    fn callee(&self, _: RunId, _: IntegrationId, _: bool) -> Finding<'_> {
        Box::pin(async { Err(self.0.clone()) })
    }

    fn result(&self, _: RunId, _: RunId) -> Reading<'_> {
        Box::pin(async { Err(Unread) })
    }
}

#[tokio::test]
async fn what_is_under_way_is_waited_for_also_when_it_could_not_be_called_any_more() {
    let mut run = Calling::new(rounds(2, 2, note()));
    assert_eq!(run.waits().await.0.len(), 2);
    let engine = Engine::new(run.stage.clock.clone());
    let closed = Closed(Uncallable::Refused("It is disabled.".to_owned()));
    run.stage.engine = engine.with_directory(Arc::new(closed));
    run.returned("call", Some(0), (DONE, json!(1)));
    assert_eq!(run.waits().await, (Vec::new(), None));
    run.returned("call", Some(1), (DONE, json!(2)));
    run.stage.run_with(run.journal).await.succeeded();
}

#[tokio::test]
async fn the_end_of_the_time_limit_counts_also_beside_what_is_not_there_now() {
    let server = Server::start(|_, _| Reply::Silent).await;
    let get = json!({"slug": "get", "kind": "http.request", "url": server.url("/")});
    let mut document = document(json!([{"slug": "all", "kind": "parallel", "lanes": [
        ["One", null, [get]],
        ["Two", null, [call("call", json!(null))]],
    ]}]));
    document.settings.time_limit_seconds = 1;
    let mut stage = Stage::of(&document);
    let engine = Engine::new(stage.clock.clone());
    stage.engine = engine.with_directory(Arc::new(Closed(Uncallable::Unavailable)));
    let outcome = stage.execute(&MemoryJournal::default()).await.0;
    let Outcome::Finished { state, error, .. } = outcome else {
        panic!("it is over: {outcome:?}")
    };
    let error = error.expect("it says why");
    assert_eq!(state, RunState::Failed);
    assert!(
        error.starts_with("The run worked longer than 1 s."),
        "{error}"
    );
}
