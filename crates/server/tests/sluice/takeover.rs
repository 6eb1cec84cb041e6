//! Workers that end in the middle of a run: killed, or asked to.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{TestApp, eventually};
use crate::document::{document, put_into, webhook, wire};
use crate::process::Process;
use crate::relay::Relay;
use crate::sink::Sink;

/// A lease lasts 15 seconds; the rest is for a busy machine.
const AFTER_LEASE: Duration = Duration::from_secs(40);

/// Writes, then reads from what hangs, waits for a moment, then writes again.
fn hanging(sink: &Sink) -> Value {
    webhook(&[
        (
            "http.request",
            "First",
            json!({ "method": "POST", "url": sink.url("/first") }),
        ),
        (
            "http.request",
            "Wait",
            json!({ "method": "GET", "url": sink.url("/wait"), "timeout_seconds": 120 }),
        ),
        (
            "delay",
            "Moment",
            json!({ "amount": 0.1, "unit": "seconds" }),
        ),
        (
            "http.request",
            "Last",
            json!({ "method": "POST", "url": sink.url("/last") }),
        ),
    ])
}

async fn begin(app: &TestApp, sink: &Sink) -> (Process, Value) {
    app.allow_loopback().await;
    let (_, path) = app.publish(&hanging(sink)).await;
    let worker = Process::worker(&app.database.url).await;
    let answer = app.anonymous.post_json(&path, &json!({})).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let called = async || (sink.calls("/wait") == 1).then_some(());
    eventually("the run is in its middle", AFTER_LEASE, called).await;
    (worker, answer.json()["run"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_workers_run_is_taken_over_and_no_recorded_effect_is_repeated() {
    let (app, sink) = (TestApp::with_role("web").await, Sink::start().await);
    let (first, run) = begin(&app, &sink).await;
    let second = Process::worker(&app.database.url).await;
    first.end("KILL").await;
    let taken_over = async || (sink.calls("/wait") == 2).then_some(());
    eventually("the other worker has the run", AFTER_LEASE, taken_over).await;
    sink.let_go();
    let run = app.ended(&run, AFTER_LEASE).await;
    assert_eq!(run["summary"]["state"], "succeeded", "{run}");
    assert_eq!((sink.calls("/first"), sink.calls("/last")), (1, 1));
    assert_eq!(run["records"].as_array().map(Vec::len), Some(4));
    // Whoever takes a run over records also what it waits for shortly.
    let waits = "select count(*) from run_record where records like '%\"state\":\"waiting\"%'";
    let waits = sqlx::query_scalar::<_, i64>(waits)
        .fetch_one(&app.sql())
        .await;
    assert_eq!(waits.expect("it answers"), 1);
    second.end("TERM").await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_asked_to_end_hands_back_what_it_cannot_finish() {
    let (app, sink) = (TestApp::with_role("web").await, Sink::start().await);
    let (first, run) = begin(&app, &sink).await;
    let second = Process::worker(&app.database.url).await;
    let (took, well) = first.end("TERM").await;
    assert!(well && took < Duration::from_secs(10), "it took {took:?}");
    // Sooner than the lease would have ended.
    let taken_over = async || (sink.calls("/wait") == 2).then_some(());
    eventually(
        "the other worker has the run",
        Duration::from_secs(8),
        taken_over,
    )
    .await;
    sink.let_go();
    let run = app.ended(&run, AFTER_LEASE).await;
    assert_eq!(run["summary"]["state"], "succeeded", "{run}");
    assert_eq!((sink.calls("/first"), sink.calls("/last")), (1, 1));
    let (took, _) = second.end("TERM").await;
    assert!(
        took < Duration::from_secs(5),
        "an idle worker ends at once, not after {took:?}"
    );
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_stopped_past_its_lease_and_goes_on_completes_nothing() {
    let (app, sink) = (TestApp::with_role("web").await, Sink::start().await);
    let (zombie, id) = begin(&app, &sink).await;
    let second = Process::worker(&app.database.url).await;
    // It does not end, so nobody but its lease says that it is gone.
    zombie.signal("STOP").await;
    let taken_over = async || (sink.calls("/wait") == 2).then_some(());
    eventually("the other worker has the run", AFTER_LEASE, taken_over).await;
    sink.let_go();
    let run = app.ended(&id, AFTER_LEASE).await;
    assert_eq!(run["summary"]["state"], "succeeded", "{run}");
    let written = written(&app).await;

    // Now it goes on with the answer that came meanwhile, under the fence that it had.
    zombie.signal("CONT").await;
    let (took, well) = zombie.end("TERM").await;
    assert!(well && took < Duration::from_secs(10), "it took {took:?}");
    assert_eq!(self::written(&app).await, written, "stale_accepted is 0");
    assert_eq!((sink.calls("/first"), sink.calls("/last")), (1, 1));
    assert_eq!(app.ended(&id, AFTER_LEASE).await, run);
    second.end("TERM").await;
    app.end().await;
}

/// Writes to what is slow, again and again, `at_once` beside each other.
fn looping(sink: &Sink, rounds: usize, at_once: usize) -> Value {
    let items = format!("{{{{ range({rounds}) }}}}");
    let each = json!({ "items": items, "at_once": at_once });
    let mut looping = document("webhook", &[("loop", "Each", each)]);
    let url = sink.url("/slow/{{ item }}");
    let post = json!({ "method": "POST", "url": url, "no_answer": "doubt" });
    put_into(&mut looping, 0, &("http.request", "Write", post));
    wire(&looping)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_asked_to_end_in_the_middle_of_writes_leaves_none_in_doubt() {
    let (app, sink) = (TestApp::with_role("web").await, Sink::start().await);
    app.allow_loopback().await;
    let (rounds, at_once) = (60, 3);
    let (_, alone) = app.publish(&looping(&sink, rounds, 1)).await;
    let (_, beside) = app.publish(&looping(&sink, rounds, at_once)).await;
    let mut worker = Process::worker(&app.database.url).await;
    let mut runs = Vec::new();
    for path in [&alone, &beside] {
        let answer = app.anonymous.post_json(path, &json!({})).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        runs.push(answer.json()["run"].clone());
    }
    // Each process goes on with what the one before left.
    for calls in [8, 24] {
        let are_going = async || (sink.all_calls() >= calls).then_some(());
        eventually("both are in their middle", AFTER_LEASE, are_going).await;
        let next = Process::worker(&app.database.url).await;
        let (took, well) = worker.end("TERM").await;
        assert!(well && took < Duration::from_secs(5), "it took {took:?}");
        worker = next;
    }
    for run in &runs {
        let run = app.ended(run, AFTER_LEASE).await;
        assert_eq!(run["summary"]["state"], "succeeded", "{run}");
    }
    for round in 0..rounds {
        let calls = sink.calls(&format!("/slow/{round}"));
        assert_eq!(calls, 2, "once by each run, also in round {round}");
    }
    worker.end("TERM").await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_not_given_back_before_what_it_did_is_written() {
    let (mut app, sink) = (TestApp::start().await, Sink::start().await);
    app.allow_loopback().await;
    let post = json!({ "method": "POST", "url": sink.url("/wait"), "no_answer": "doubt" });
    let (_, path) = app
        .publish(&webhook(&[("http.request", "Write", post)]))
        .await;
    let answer = app.anonymous.post_json(&path, &json!({})).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let called = async || (sink.calls("/wait") == 1).then_some(());
    eventually("it is sent", AFTER_LEASE, called).await;
    let sql = app.sql();
    let is_so = async |what: &'static str| {
        let is_so = sqlx::query_scalar::<_, bool>(what).fetch_one(&sql).await;
        is_so.expect("it answers").then_some(())
    };
    let mut slow = sql.begin().await.expect("it answers");
    sqlx::query("lock table run_record in share mode")
        .execute(&mut *slow)
        .await
        .expect("nobody has it");
    sink.let_go();
    let waits = "select exists (select from pg_stat_activity
        where wait_event_type = 'Lock' and datname = current_database())";
    let waits = async || is_so(waits).await;
    eventually("the answer waits to be recorded", AFTER_LEASE, waits).await;
    app.stop().await;
    let ours = is_so(
        "select worker is not null and lease_until > now()
            and not exists (select from worker where pg_try_advisory_xact_lock(lock_key))
         from run_queue",
    );
    assert_eq!(ours.await, Some(()), "nobody takes it");
    slow.rollback().await.expect("it answers");
    app.store.close().await;
    let next = Process::worker(&app.database.url).await;
    let ended = async || is_so("select state in ('succeeded', 'in_doubt') from run").await;
    eventually("another goes on", AFTER_LEASE, ended).await;
    let well = is_so("select state = 'succeeded' from run").await;
    assert_eq!((well, sink.calls("/wait")), (Some(()), 1));
    next.end("TERM").await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_that_ended_while_the_database_was_away_are_renewed_and_not_taken_over() {
    let (app, sink) = (TestApp::with_role("web").await, Sink::start().await);
    app.allow_loopback().await;
    let post = json!({ "method": "POST", "url": sink.url("/wait"), "timeout_seconds": 120 });
    let (_, path) = app
        .publish(&webhook(&[("http.request", "Write", post)]))
        .await;
    let relay = Relay::to(&app.database.url).await;
    let workers = [
        Process::worker(&relay.url).await,
        Process::worker(&relay.url).await,
    ];
    let answer = app.anonymous.post_json(&path, &json!({})).await;
    let called = async || (sink.calls("/wait") == 1).then_some(());
    eventually("it is sent", AFTER_LEASE, called).await;
    let sql = app.sql();
    let fence_where = async |lease: &str| {
        let fence = format!("select fence from run_queue join run using (run_id) where {lease}");
        let fence = sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(fence));
        fence.fetch_optional(&sql).await.expect("it answers")
    };
    // By then, both would take what another lets go.
    let witnessed = async || fence_where("lease_until > started_at + interval '32 s'").await;
    eventually("it is held over a lease", AFTER_LEASE, witnessed).await;
    relay.let_pass(false);
    let ended = async || fence_where("lease_until < now()").await;
    eventually("nobody could renew it", AFTER_LEASE, ended).await;
    relay.let_pass(true);
    let renewed = async || fence_where("lease_until > now()").await;
    let fence = eventually("it is leased again", AFTER_LEASE, renewed).await;
    assert_eq!(fence, 1, "to whoever has it");
    sink.let_go();
    let run = app.ended(&answer.json()["run"], AFTER_LEASE).await;
    assert_eq!(run["summary"]["state"], "succeeded", "{run}");
    assert_eq!(sink.calls("/wait"), 1);
    for worker in workers {
        worker.end("TERM").await;
    }
    app.end().await;
}

/// Returns what tells each write of runs and records apart.
async fn written(app: &TestApp) -> Vec<String> {
    let rows = sqlx::query_scalar(
        "select 'run ' || run_id || ' ' || xmin from run
         union all select 'record ' || run_id || ' ' || seq || ' ' || xmin from run_record
         union all select 'queued ' || run_id || ' ' || fence from run_queue
         order by 1",
    );
    rows.fetch_all(&app.sql()).await.expect("it answers")
}
