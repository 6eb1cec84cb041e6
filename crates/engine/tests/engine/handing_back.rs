//! Runs whose process is to end: nothing more is begun, and what is under way is not in doubt.

use std::time::Duration;

use domain::run::{RunState, StepRecord, StepState};
use engine::{Engine, Outcome, Signal};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::server::{Reply, Server, text};
use crate::stage::{MemoryJournal, START, Stage, Standing};

/// Executes a run and asks something of it once the server has been asked so often, and before that
/// answers; returns the outcome and all that was recorded.
async fn asked(
    stage: &Stage,
    (server, times, may): (&Server, usize, &watch::Sender<bool>),
    signal: Signal,
) -> (Outcome, Vec<StepRecord>) {
    let journal = MemoryJournal::default();
    let (sender, receiver) = watch::channel(Signal::GoOn);
    let task = stage.task(Vec::new());
    let execution = stage.engine.execute(task, &journal, None, receiver);
    let (mut outcome, ()) = tokio::join!(execution, async {
        server.until(times).await;
        sender.send_replace(signal);
        may.send_replace(true);
    });
    let mut records = journal.records.into_inner().expect("no panic holds it");
    if let Outcome::Waiting { records: last, .. } | Outcome::Finished { records: last, .. } =
        &mut outcome
    {
        records.append(last);
    }
    (outcome, records)
}

/// Goes on with what was recorded, and asserts that it succeeds.
async fn goes_on(stage: &Stage, records: Vec<StepRecord>) {
    let journal = MemoryJournal::default();
    *journal.records.lock().expect("no panic holds it") = records;
    stage.run_with(journal).await.succeeded();
}

fn posts(server: &Server, at_once: usize) -> Value {
    json!([{"slug": "each", "kind": "loop", "items": "{{ range(6) }}", "at_once": at_once, "do": [
        {"slug": "call", "kind": "http.request", "method": "POST", "url": server.url("/{{ item }}")},
    ]}])
}

#[tokio::test]
async fn what_is_under_way_gets_its_answer_and_nothing_more_is_begun() {
    for at_once in [1, 3] {
        let (may, answers) = watch::channel(false);
        let server = Server::start(move |_, _| Reply::When(answers.clone())).await;
        let stage = Stage::new(posts(&server, at_once));
        let asked_when = (&server, at_once, &may);
        let (outcome, records) = asked(&stage, asked_when, Signal::HandBack).await;
        let now = Outcome::Waiting {
            until: START,
            records: Vec::new(),
        };
        assert_eq!(outcome, now, "another process goes on at once");
        assert_eq!(server.requests().len(), at_once, "nothing more was begun");
        let known = records
            .iter()
            .filter(|record| record.state == StepState::Succeeded);
        assert_eq!(known.count(), at_once, "each has its answer: {records:#?}");
        goes_on(&stage, records).await;
        let mut paths: Vec<_> = server.requests().into_iter().map(|it| it.target).collect();
        paths.sort_unstable();
        assert_eq!(paths, ["/0", "/1", "/2", "/3", "/4", "/5"], "each once");
    }
}

#[tokio::test]
async fn what_takes_too_long_is_cut_and_nothing_is_recorded_of_its_end() {
    for (method, state) in [
        ("GET", RunState::Succeeded),
        ("PUT", RunState::Succeeded),
        ("POST", RunState::InDoubt),
    ] {
        let (may, _) = watch::channel(false);
        let server = Server::start(|_, before| match before {
            0 => text(200, "known"),
            1 => Reply::Silent,
            _ => text(200, "again"),
        })
        .await;
        let stage = Stage::new(json!([
            {"slug": "first", "kind": "http.request", "method": "POST", "url": server.url("/first")},
            {"slug": "call", "kind": "http.request", "method": method, "url": server.url("/")},
        ]));
        let (outcome, records) = asked(&stage, (&server, 2, &may), Signal::HandBackNow).await;
        assert!(matches!(outcome, Outcome::Waiting { .. }), "{outcome:?}");
        assert!(
            records
                .iter()
                .all(|record| matches!(record.state, StepState::Started | StepState::Succeeded)),
            "{records:#?}"
        );
        let journal = MemoryJournal::default();
        *journal.records.lock().expect("no panic holds it") = records;
        let end = stage.run_with(journal).await;
        assert_eq!(end.state, state, "{method}: {end:#?}");
        let requests = server.requests();
        let first = requests.iter().filter(|request| request.target == "/first");
        assert_eq!(first.count(), 1, "its answer was known: {method}");
    }
}

#[tokio::test]
async fn no_further_attempt_is_made_and_those_that_were_count() {
    let server = Server::start(|_, _| text(503, "busy")).await;
    let stage = Stage::new(json!([
        {"slug": "call", "kind": "http.request", "url": server.url("/"), "on_error": {"retries": 1}},
    ]));
    let journal = MemoryJournal::default();
    let (sender, receiver) = watch::channel(Signal::GoOn);
    let engine = Engine::new(Standing);
    let execution = engine.execute(stage.task(Vec::new()), &journal, None, receiver);
    let (outcome, ()) = tokio::join!(execution, async {
        server.until(1).await;
        sender.send_replace(Signal::HandBack);
    });
    let Outcome::Waiting { until, records } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(until, START, "another process goes on at once");
    *journal.records.lock().expect("no panic holds it") = records;
    stage.clock.pass(Duration::from_secs(5));
    let end = stage.run_with(journal).await;
    assert_eq!(end.state, RunState::Failed);
    assert_eq!(server.requests().len(), 2, "one retry, and no more");
}

#[tokio::test]
async fn a_run_that_has_nothing_more_to_begin_outside_answers_and_ends() {
    let (may, answers) = watch::channel(false);
    let server = Server::start(move |_, _| Reply::When(answers.clone())).await;
    let stage = Stage::new(json!([
        {"slug": "call", "kind": "http.request", "method": "POST", "url": server.url("/")},
        {"slug": "sum", "kind": "set", "values": {"status": "{{ steps.call.status }}"}},
        {"slug": "answer", "kind": "respond", "status": "{{ steps.sum.status }}"},
    ]));
    let (outcome, records) = asked(&stage, (&server, 1, &may), Signal::HandBack).await;
    let Outcome::Finished { state, .. } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(state, RunState::Succeeded);
    assert_eq!(records.len(), 4, "{records:#?}");
}
