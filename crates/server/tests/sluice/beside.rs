//! Runs that one run calls beside each other, with real workers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::{TestApp, eventually};
use crate::document::{document, put_into, wire};
use crate::process::Process;

/// Rounds of the loop, and how many of them run at once.
const ROUNDS: usize = 20;
const AT_ONCE: usize = 10;
/// A lease lasts 15 seconds; the rest is for a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// A service at which requests wait until as many are there as rounds run at once. So they all get
/// an answer only if so many called runs are beside each other.
#[derive(Clone)]
struct Meeting {
    url: String,
    state: Arc<Mutex<Present>>,
    round: watch::Sender<usize>,
}

#[derive(Default)]
struct Present {
    now: usize,
    most: usize,
}

impl Meeting {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let meeting = Self {
            url: format!("http://{address}/"),
            state: Arc::default(),
            round: watch::Sender::new(0),
        };
        let router = Router::new().fallback(meet).with_state(meeting.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        meeting
    }

    fn most(&self) -> usize {
        self.state.lock().expect("nobody panicked").most
    }
}

/// Someone who is there for as long as there is one: who gives up is not counted any more.
struct Guest(Meeting);

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.state.lock().expect("nobody panicked").now -= 1;
    }
}

async fn meet(State(meeting): State<Meeting>) -> &'static str {
    let mut round = meeting.round.subscribe();
    let (guest, is_full) = {
        let mut present = meeting.state.lock().expect("nobody panicked");
        present.now += 1;
        present.most = present.most.max(present.now);
        (Guest(meeting.clone()), present.now == AT_ONCE)
    };
    if is_full {
        meeting.round.send_modify(|round| *round += 1);
    } else {
        let _ = round.changed().await;
    }
    drop(guest);
    "ok"
}

/// Publishes a loop each round of which calls an integration that does this; returns the path of
/// its webhook.
async fn publish(app: &TestApp, steps: &[(&str, &str, Value)]) -> String {
    app.allow_loopback().await;
    let (called, _) = app.publish(&wire(&document("call", steps))).await;
    let each = json!({ "items": format!("{{{{ range({ROUNDS}) }}}}"), "at_once": AT_ONCE });
    let all = json!({ "values": { "numbers": "{{ steps.each.results | map(attribute='result') | list }}" } });
    let mut document = document("webhook", &[("loop", "Each", each), ("set", "All", all)]);
    let call = json!({ "integration": called, "input": { "n": "{{ item }}" } });
    put_into(&mut document, 0, &("integration.call", "Call", call));
    app.publish(&wire(&document)).await.1
}

/// Comes to the meeting, and answers with its number.
fn meets(meeting: &Meeting) -> [(&'static str, &'static str, Value); 2] {
    let url = &meeting.url;
    let request = json!({ "method": "GET", "url": url, "timeout_seconds": 120 });
    let answer = json!({ "body_type": "json", "json": "{{ trigger.body.n }}" });
    [
        ("http.request", "Meet", request),
        ("respond", "Answer", answer),
    ]
}

async fn begin(app: &TestApp, path: &str) -> Value {
    let answer = app.anonymous.post_json(path, &json!({})).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    answer.json()["run"].clone()
}

/// Returns how many runs were called, and how many of them ended so.
async fn called(app: &TestApp, state: &str) -> (i64, i64) {
    let count = "select count(distinct caller_path), count(*) filter (where state = $1) from run
         where caller_id is not null";
    let sql = app.sql();
    let counted = sqlx::query_as(count).bind(state).fetch_one(&sql);
    counted.await.expect("it answers")
}

fn numbers() -> Value {
    (0..ROUNDS).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_called_runs_of_a_loop_are_beside_each_other_and_each_round_has_its_own_result() {
    let (app, meeting) = (TestApp::start().await, Meeting::start().await);
    let path = publish(&app, &meets(&meeting)).await;
    let run = app.ended(&begin(&app, &path).await, SOON).await;
    assert_eq!(run["summary"]["state"], "succeeded", "{run}");
    let last = run["records"].as_array().and_then(|records| records.last());
    let output = &last.expect("it did something")["output"];
    assert_eq!(output["numbers"], numbers(), "{run}");
    assert_eq!(meeting.most(), AT_ONCE);
    let all = ROUNDS as i64;
    assert_eq!(called(&app, "succeeded").await, (all, all));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_called_runs_that_give_five_mebibytes_each_all_give_them_to_the_caller() {
    let app = TestApp::start().await;
    app.allow_loopback().await;
    let text = "x".repeat(5 * 1024 * 1024 - 100);
    let length = text.len();
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port is free");
    let url = format!("http://{}/", listener.local_addr().expect("it is bound"));
    let router = Router::new().fallback(move || std::future::ready(text.clone()));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let get = json!({ "method": "GET", "url": url, "timeout_seconds": 120 });
    let answer = json!({ "body_type": "json", "json": "{{ steps.get.body }}" });
    let steps = [("http.request", "Get", get), ("respond", "Answer", answer)];
    let (called, _) = app.publish(&wire(&document("call", &steps))).await;
    let each = json!({ "items": "{{ range(16) }}", "at_once": 16 });
    let all = json!({ "values": { "lengths": "{{ steps.each.results | map(attribute='length') | list }}" } });
    let mut document = document("webhook", &[("loop", "Each", each), ("set", "All", all)]);
    let call = json!({ "integration": called, "input": {} });
    let measure = json!({ "values": { "length": "{{ steps.call.result | length }}" } });
    put_into(&mut document, 0, &("integration.call", "Call", call));
    put_into(&mut document, 0, &("set", "Measure", measure));
    let (_, path) = app.publish(&wire(&document)).await;
    let run = begin(&app, &path).await;
    let over = async || (self::called(&app, "succeeded").await == (16, 16)).then_some(());
    eventually("all called runs are over", SOON * 2, over).await;
    let run = app.ended(&run, SOON * 2).await;
    assert_eq!(run["summary"]["state"], "succeeded");
    let last = run["records"].as_array().and_then(|records| records.last());
    let output = &last.expect("it did something")["output"];
    assert_eq!(output["lengths"], json!(vec![length; 16]));
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_repeats_no_call_and_loses_no_result() {
    let app = TestApp::with_role("web").await;
    let meeting = Meeting::start().await;
    let path = publish(&app, &meets(&meeting)).await;
    let mut worker = Process::worker(&app.database.url).await;
    let run = begin(&app, &path).await;
    // In the middle of the first rounds, then of the second.
    for over in [0, AT_ONCE] {
        let in_its_middle = async || {
            let ended = called(&app, "succeeded").await.1;
            (usize::try_from(ended).ok()? >= over && meeting.most() > 0).then_some(())
        };
        eventually("rounds are under way", SOON, in_its_middle).await;
        let next = Process::worker(&app.database.url).await;
        worker.end("KILL").await;
        worker = next;
    }
    let run = app.ended(&run, SOON).await;
    assert_eq!(run["summary"]["state"], "succeeded", "{run}");
    let all = ROUNDS as i64;
    assert_eq!(called(&app, "succeeded").await, (all, all));
    worker.end("TERM").await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canceled_run_cancels_all_that_it_called() {
    let app = TestApp::start().await;
    let delay = json!({ "amount": 1, "unit": "hours" });
    let path = publish(&app, &[("delay", "Wait", delay)]).await;
    let run = begin(&app, &path).await;
    let all = AT_ONCE as i64;
    let wait = async || (called(&app, "waiting").await == (all, all)).then_some(());
    eventually("ten wait", SOON, wait).await;
    app.admin.must("cancel_run", json!({ "id": run })).await;
    assert_eq!(called(&app, "canceled").await, (all, all));
    let run = app.ended(&run, SOON).await;
    assert_eq!(run["summary"]["state"], "canceled", "{run}");
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_called_run_that_fails_ends_its_caller_and_the_others_come_to_their_end() {
    let (app, meeting) = (TestApp::start().await, Meeting::start().await);
    let read = json!({ "text": "{{ '[' if trigger.body.n == 3 else '[]' }}" });
    let [meet, answer] = meets(&meeting);
    let path = publish(&app, &[("json.read", "Read", read), meet, answer]).await;
    let run = app.ended(&begin(&app, &path).await, SOON).await;
    assert_eq!(run["summary"]["state"], "failed", "{run}");
    let all = AT_ONCE as i64;
    assert_eq!(called(&app, "failed").await, (all, 1));
    // Nobody else comes, so they would wait on.
    let others = async || (meeting.most() == AT_ONCE - 1).then_some(());
    eventually("the others are there", SOON, others).await;
    meeting.round.send_modify(|round| *round += 1);
    let over = async || (called(&app, "succeeded").await == (all, all - 1)).then_some(());
    eventually("the others are over", SOON, over).await;
    app.end().await;
}
