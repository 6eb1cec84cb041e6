//! Rounds of a loop, and lanes of a parallel step, that run beside each other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::run::{RunState, StepState, TestScope};
use engine::Outcome;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use crate::server::{Server, json as answer, text};
use crate::stage::{Crash, MemoryJournal, Stage, step_id};

/// A request that waits for its answer.
struct Held {
    path: String,
    status: oneshot::Sender<u16>,
}

/// A server that answers each request when the test says so.
async fn held() -> (String, mpsc::UnboundedReceiver<Held>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let sender = sender.clone();
            tokio::spawn(async move { serve(stream, &sender).await });
        }
    });
    (url, receiver)
}

async fn serve(stream: TcpStream, sender: &mpsc::UnboundedSender<Held>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut first = String::new();
        stream.read_line(&mut first).await.ok()?;
        let path = first.split(' ').nth(1)?.to_owned();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.ok()?;
            if line.trim().is_empty() {
                break;
            }
        }
        let (status, answer) = oneshot::channel();
        sender.send(Held { path, status }).ok()?;
        let status = answer.await.ok()?;
        let answer = format!("HTTP/1.1 {status} Answer\r\ncontent-length: 2\r\n\r\nok");
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

fn calls(url: &str, method: &str, at_once: usize) -> Value {
    json!([{"slug": "each", "kind": "loop", "items": "{{ trigger.body }}", "at_once": at_once, "do": [
        {"slug": "call", "kind": "http.request", "method": method, "url": format!("{url}/{{{{ item }}}}")},
        {"slug": "result", "kind": "set", "values": {"item": "{{ item }}"}},
    ]}, {"slug": "all", "kind": "set", "values": {"results": "{{ steps.each.results }}"}}])
}

#[tokio::test]
async fn so_many_rounds_run_at_once_and_no_more_and_results_keep_the_order_of_the_list() {
    let (url, mut requests) = held().await;
    let stage = Stage::new(calls(&url, "POST", 3)).payload(json!({"body": [1, 2, 3, 4, 5, 6, 7]}));
    let answering = async {
        let mut open: Vec<Held> = Vec::new();
        for came in 1..=7 {
            open.push(requests.recv().await.expect("a round calls"));
            assert!(open.len() <= 3, "{} at once", open.len());
            if open.len() == 3 || came == 7 {
                // The newest first, so that rounds do not end in their order.
                let newest = open.pop().expect("some are open");
                newest.status.send(200).expect("it waits");
            }
        }
        while let Some(newest) = open.pop() {
            newest.status.send(200).expect("it waits");
        }
        requests
    };
    let (end, mut requests) = tokio::join!(stage.run(), answering);
    let end = end.succeeded();
    let results: Vec<Value> = (1..=7).map(|item| json!({"item": item})).collect();
    assert_eq!(end.output("all")["results"], json!(results));
    assert_eq!(end.output("each")["count"], 7);
    assert_eq!(end.of("each").input["at_once"], 3);
    assert!(requests.try_recv().is_err(), "each calls once");
    let rounds = end
        .records
        .iter()
        .filter(|record| record.path.step == step_id("call"));
    assert_eq!(rounds.count(), 7);
}

#[tokio::test]
async fn a_round_that_fails_lets_the_others_finish_what_they_sent_and_begin_nothing_more() {
    let (url, mut requests) = held().await;
    let stage = Stage::new(calls(&url, "POST", 2)).payload(json!({"body": ["a", "b", "c", "d"]}));
    let answering = async {
        let mut open = Vec::new();
        for _ in 0..2 {
            open.push(requests.recv().await.expect("a round calls"));
        }
        open.sort_by(|one, other| one.path.cmp(&other.path));
        let second = open.pop().expect("two are open");
        second.status.send(409).expect("it waits");
        // What was sent is not given up: it gets its answer after the other has failed.
        let first = open.pop().expect("two are open");
        assert!(!first.status.is_closed());
        first.status.send(200).expect("it waits");
        requests
    };
    let (end, mut requests) = tokio::join!(stage.run(), answering);
    assert_eq!(end.state, RunState::Failed);
    let error = end.error.as_deref().unwrap_or_default();
    assert!(error.starts_with("Step `The call` failed"), "{error}");
    let mut states: Vec<_> = end
        .records
        .iter()
        .filter(|record| record.path.step == step_id("call"))
        .map(|record| (record.path.rounds.clone(), record.state))
        .collect();
    states.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [
        (vec![0], StepState::Succeeded),
        (vec![1], StepState::Failed),
    ];
    assert_eq!(states, expected);
    assert!(requests.try_recv().is_err(), "nothing more begins");
    assert_eq!(end.of("each").state, StepState::Failed);
}

#[tokio::test]
async fn what_fails_first_is_caught_and_a_crash_does_not_let_another_be_first() {
    let server = Server::start(|request, _| match request.target.as_str() {
        "/1" => text(404, "no"),
        "/2" => text(409, "no"),
        _ => answer(&json!({})),
    })
    .await;
    let steps = json!([{"slug": "attempt", "kind": "try", "try": calls(&server.url(""), "PUT", 3),
        "catch": [{"slug": "told", "kind": "http.request", "method": "PUT",
            "url": server.url("/told/{{ steps.attempt.error.code }}")}],
    }]);
    let stage = || Stage::new(steps.clone()).payload(json!({"body": [0, 1, 2, 3, 4]}));
    let writes = stage().run().await.succeeded().writes;
    for at_write in 0..writes {
        for is_durable in [false, true] {
            let before = server.requests().len();
            let crash = Some(Crash {
                at_write,
                is_durable,
            });
            let journal = MemoryJournal {
                crash,
                ..MemoryJournal::default()
            };
            let end = stage().run_with(journal).await.succeeded();
            let code = end.output("attempt")["error"]["code"].clone();
            let told = format!("/told/{}", code.as_str().expect("a code"));
            let requests = server.requests().split_off(before);
            let tellings: Vec<_> = requests
                .iter()
                .filter(|request| request.target.starts_with("/told"))
                .collect();
            assert!(
                tellings.iter().all(|request| request.target == told),
                "{crash:?}: {tellings:?}"
            );
        }
    }
}

#[tokio::test]
async fn rounds_that_wait_wait_together_and_keep_their_places() {
    let server = Server::start(|_, _| answer(&json!({}))).await;
    let stage = Stage::new(json!([
        {"slug": "each", "kind": "loop", "items": "{{ range(6) }}", "at_once": 3, "do": [
            {"slug": "wait", "kind": "delay", "amount": 10, "unit": "minutes"},
            {"slug": "call", "kind": "http.request", "method": "POST", "url": server.url("/{{ item }}")},
        ]},
    ]));
    let end = stage.run().await.succeeded();
    let waited = stage.waited.lock().expect("no panic holds it").clone();
    // Three and three, not six one after the other.
    assert_eq!(waited, [Duration::from_secs(600); 2]);
    let mut targets: Vec<_> = server
        .requests()
        .iter()
        .map(|call| call.target.clone())
        .collect();
    targets.sort();
    assert_eq!(targets, ["/0", "/1", "/2", "/3", "/4", "/5"]);
    assert_eq!(end.output("each")["count"], 6);
}

#[tokio::test]
async fn a_write_of_a_round_is_durable_while_another_round_waits_for_an_answer() {
    let (url, mut requests) = held().await;
    let stage = Stage::new(json!([
        {"slug": "each", "kind": "loop", "items": "{{ trigger.body }}", "at_once": 2, "do": [
            {"slug": "pick", "kind": "branch", "lanes": [
                ["First", "index == 0", [{"slug": "slow", "kind": "http.request", "method": "GET", "url": format!("{url}/slow")}]],
                ["Else", null, [{"slug": "write", "kind": "http.request", "method": "POST", "url": format!("{url}/write")}]],
            ]},
        ]},
    ]))
    .payload(json!({"body": [0, 1]}));
    let journal = Arc::new(MemoryJournal::default());
    let (stage, of_worker) = (Arc::new(stage), journal.clone());
    let worker = tokio::spawn(async move { stage.execute(&of_worker).await.0 });
    let mut slow = None;
    while slow.is_none() || !is_recorded(&journal, "write") {
        tokio::select! {
            request = requests.recv() => match request.expect("both call") {
                request if request.path == "/slow" => slow = Some(request),
                request => request.status.send(200).expect("it waits"),
            },
            () = tokio::task::yield_now() => {}
        }
    }
    let slow = slow.expect("it came");
    assert!(!slow.status.is_closed(), "it waits still");
    slow.status.send(200).expect("it waits");
    let outcome = worker.await.expect("no panic");
    assert!(matches!(
        outcome,
        Outcome::Finished {
            state: RunState::Succeeded,
            ..
        }
    ));
}

fn is_recorded(journal: &MemoryJournal, slug: &str) -> bool {
    let records: &Mutex<Vec<_>> = &journal.records;
    let records = records.lock().expect("no panic holds it");
    records
        .iter()
        .any(|record| record.path.step == step_id(slug) && record.state == StepState::Succeeded)
}

#[tokio::test]
async fn how_many_run_at_once_is_a_small_whole_number() {
    for (given, is_refused) in [
        (json!(1), false),
        (json!("50"), false),
        (json!("{{ 2 }}"), false),
        (json!(0), true),
        (json!(51), true),
        (json!(1.5), true),
        (json!("{{ 'many' }}"), true),
    ] {
        let stage = Stage::new(json!([
            {"slug": "each", "kind": "loop", "items": "{{ [1, 2] }}", "at_once": given, "do": [
                {"slug": "note", "kind": "log", "message": "{{ item }}"},
            ]},
        ]));
        let end = stage.run().await;
        assert_eq!(end.state == RunState::Failed, is_refused, "{given}");
        if is_refused {
            let error = end.error.unwrap_or_default();
            assert!(error.contains("whole number from 1 to 50"), "{error}");
        }
    }
}

#[tokio::test]
async fn loops_in_rounds_that_run_at_once_run_their_own_rounds_at_once() {
    let stage = Stage::new(json!([
        {"slug": "outer", "kind": "loop", "items": "{{ range(4) }}", "at_once": 2, "do": [
            {"slug": "inner", "kind": "loop", "items": "{{ range(3) }}", "at_once": 3, "do": [
                {"slug": "sum", "kind": "set", "values": {"sum": "{{ steps.outer.item * 10 + item }}"}},
            ]},
        ]},
    ]));
    let end = stage.run().await.succeeded();
    let sums = |outer: usize| -> Vec<Value> {
        (0..3)
            .map(|inner| json!({"sum": outer * 10 + inner}))
            .collect()
    };
    for outer in 0..4 {
        let result = &end.output("outer")["results"][outer];
        assert_eq!(result["results"], json!(sums(outer)), "{result}");
    }
}

#[tokio::test]
async fn the_lanes_of_a_parallel_step_run_at_once_and_give_their_last_outputs_by_name() {
    let (url, mut requests) = held().await;
    let stage = Stage::new(json!([
        {"slug": "before", "kind": "set", "values": {"n": 1}},
        {"slug": "both", "kind": "parallel", "lanes": [
            ["Customer", null, [
                {"slug": "customer", "kind": "http.request", "method": "GET", "url": format!("{url}/customer")},
                {"slug": "name", "kind": "set", "values": {"name": "{{ steps.customer.body }} {{ steps.before.n }}"}},
            ]],
            ["All orders", null, [
                {"slug": "orders", "kind": "http.request", "method": "GET", "url": format!("{url}/orders")},
            ]],
            ["Nothing", null, []],
        ]},
        {"slug": "all", "kind": "set", "values": {
            "name": "{{ steps.both.results.Customer.name }}",
            "status": "{{ steps.both.results['All orders'].status }}",
            "nothing": "{{ steps.both.results.Nothing is none }}",
        }},
    ]));
    let answering = async {
        // Both are open before either has its answer.
        let open =
            [requests.recv().await, requests.recv().await].map(|held| held.expect("it calls"));
        for held in open {
            held.status.send(200).expect("it waits");
        }
    };
    let (end, ()) = tokio::join!(stage.run(), answering);
    let end = end.succeeded();
    let expected = json!({"name": "ok 1", "status": 200, "nothing": true});
    assert_eq!(*end.output("all"), expected);
    assert_eq!(end.of("both").state, StepState::Succeeded);
}

#[tokio::test]
async fn a_lane_that_fails_ends_the_others_and_is_caught_around_the_parallel_step() {
    let (url, mut requests) = held().await;
    let call = |path: &str| json!({"slug": path, "kind": "http.request", "method": "POST", "url": format!("{url}/{path}")});
    let stage = Stage::new(json!([{"slug": "attempt", "kind": "try",
        "try": [{"slug": "both", "kind": "parallel", "lanes": [
            ["One", null, [call("one"), call("never")]],
            ["Two", null, [call("two")]],
        ]}],
        "catch": [{"slug": "told", "kind": "log", "message": "{{ steps.attempt.error.step }} {{ steps.attempt.error.code }}"}],
    }]));
    let answering = async {
        let mut open =
            [requests.recv().await, requests.recv().await].map(|held| held.expect("it calls"));
        open.sort_by(|one, other| one.path.cmp(&other.path));
        let [one, two] = open;
        two.status.send(410).expect("it waits");
        one.status.send(200).expect("it waits");
        requests
    };
    let (end, mut requests) = tokio::join!(stage.run(), answering);
    let end = end.succeeded();
    assert_eq!(end.output("told")["message"], "two http_410");
    assert_eq!(end.of("one").state, StepState::Succeeded);
    assert_eq!(end.of("both").state, StepState::Failed);
    assert!(requests.try_recv().is_err(), "nothing more begins");
}

#[tokio::test]
async fn a_test_goes_to_a_step_in_a_lane_and_no_further() {
    let note = |slug: &str| json!({"slug": slug, "kind": "log", "message": slug});
    let mut stage = Stage::new(json!([
        {"slug": "both", "kind": "parallel", "lanes": [
            ["One", null, [note("one"), note("two")]],
            ["Two", null, [note("three"), note("four")]],
            ["Three", null, [note("five")]],
        ]},
        note("after"),
    ]));
    stage.is_test = true;
    stage.scope = TestScope::Part {
        until: Some(step_id("three")),
        pins: BTreeMap::new(),
    };
    let end = stage.run().await.succeeded();
    let ran = |slug: &str| {
        end.records
            .iter()
            .any(|record| record.path.step == step_id(slug))
    };
    let ran = ["one", "two", "three", "four", "five", "after"].map(ran);
    assert_eq!(ran, [true, true, true, false, false, false]);
}
