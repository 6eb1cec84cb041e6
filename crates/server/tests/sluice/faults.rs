//! The crash test: processes are killed, Postgres is started anew and connections are cut while
//! events come in. At the end every accepted event has one run that came to its end, and nothing
//! was sent again once it was recorded.
//!
//! Runs on a Postgres of its own. `SLUICE_FAULTS_SECONDS=600` disturbs for longer, and what was found
//! is written to the file that `SLUICE_FAULTS_REPORT` names.

mod fleet;
mod judge;
mod target;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server::postgres::Postgres;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::app::{PASSWORD, eventually, text};
use crate::client::Client;
use crate::document::{document, put_into, wire};
use fleet::Fleet;
use judge::Judge;
use target::Target;

/// How long things are disturbed.
const SECONDS: u64 = 20;
/// How long what was accepted may take to come to its end after that.
const CALM: Duration = Duration::from_secs(90);
/// How often Postgres is started anew, in disturbances; connections are cut three times as often.
const RESTART: u64 = 9;
/// Callers that send one event after the other.
const CALLERS: usize = 3;

/// What the other one calls: a write that may not be repeated, and a wait.
fn called(target: &Target) -> Value {
    let post = json!({
        "method": "POST", "url": target.url("/called"), "no_answer": "doubt", "body_type": "json",
        "json": { "order": "{{ trigger.body.order }}" },
    });
    let respond = json!({ "body_type": "json", "json": { "order": "{{ trigger.body.order }}" } });
    let steps = [
        ("http.request", "Ask", post),
        ("delay", "Wait", json!({ "amount": 2, "unit": "seconds" })),
        ("respond", "Answer", respond),
    ];
    wire(&document("call", &steps))
}

/// Every kind of step that acts or waits; half of the writes may be repeated.
/// It calls twice beside each other.
fn calling(target: &Target, called: &Value) -> Value {
    let post = |path: &str, no_answer: &str| {
        json!({
            "method": "POST", "url": target.url(path), "no_answer": no_answer,
            "body_type": "json", "json": { "order": "{{ trigger.body.order }}" },
        })
    };
    let call = json!({ "integration": called, "input": { "order": "{{ trigger.body.order }}" } });
    let steps = [
        (
            "set",
            "Values",
            json!({ "values": { "order": "{{ trigger.body.order }}" } }),
        ),
        (
            "http.request",
            "Read",
            json!({ "method": "GET", "url": target.url("/read") }),
        ),
        ("http.request", "Create", post("/create", "repeat")),
        ("delay", "Moment", json!({ "amount": 1, "unit": "seconds" })),
        ("http.request", "Tell", post("/tell", "doubt")),
        ("delay", "Wait", json!({ "amount": 2, "unit": "seconds" })),
        (
            "loop",
            "Both",
            json!({ "items": "{{ range(2) }}", "at_once": 2 }),
        ),
        (
            "filter",
            "Same orders",
            json!({ "condition":
                "steps.both.results[0].result.order == trigger.body.order and steps.both.results[1].result.order == trigger.body.order" }),
        ),
        (
            "http.request",
            "Change",
            json!({ "method": "PUT", "url": target.url("/change") }),
        ),
        (
            "log",
            "Note",
            json!({ "message": "{{ steps.create.body.ok }}" }),
        ),
    ];
    let mut document = document("webhook", &steps);
    let both = steps.iter().position(|(kind, ..)| *kind == "loop");
    let both = both.expect("it is among them");
    put_into(&mut document, both, &("integration.call", "Call", call));
    wire(&document)
}

/// Sets the first process up; returns who may do everything, and the webhook's path.
async fn set_up(base: &str, target: &Target) -> (Client, String) {
    let admin = Client::new(base, "")
        .enter("set_up", json!({
            "organization": "Ours", "name": "An Admin", "email": "admin@ours.example", "password": PASSWORD,
        }))
        .await;
    let free = json!({ "integration": null, "policy": { "approvals": 0 } });
    admin.must("set_policy", free).await;
    admin
        .must("set_network", json!({ "allowed": ["127.0.0.0/8"] }))
        .await;
    let called = publish(&admin, "Called", called(target)).await;
    let orders = publish(&admin, "Orders", calling(target, &called)).await;
    let detail = admin
        .must("read_integration", json!({ "id": orders }))
        .await;
    (admin, text(&detail["webhook_path"]))
}

/// Publishes a new integration; returns its id.
async fn publish(admin: &Client, name: &str, document: Value) -> Value {
    let fields = json!({ "name": name, "document": document });
    let draft = admin.must("create_integration", fields).await;
    let read = admin.must("read_draft", json!({ "id": draft })).await;
    let fields = json!({ "id": draft, "revision": 1, "note": "", "reason": null });
    admin.must("publish", fields).await;
    read["integration"].clone()
}

/// Sends events until told to stop; keeps the runs of those that were accepted.
async fn call(
    fleet: Arc<Fleet>,
    path: String,
    accepted: Arc<Mutex<Vec<Uuid>>>,
    go: Arc<AtomicBool>,
) {
    let mut number = 0_u64;
    let mut next = interval(Duration::from_millis(25));
    next.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while go.load(Ordering::Relaxed) {
        next.tick().await;
        number += 1;
        let Some(base) = fleet.any_base() else {
            continue;
        };
        let request = Client::new(&base, "")
            .request("POST", &path)
            .timeout(Duration::from_secs(5))
            .header("content-type", "application/json")
            .body(json!({ "order": number }).to_string());
        // What is not answered with 202 was not promised.
        if let Ok(answer) = request.send().await
            && answer.status() == 202
            && let Ok(body) = answer.text().await
            && let Ok(body) = serde_json::from_str::<Value>(&body)
            && let Ok(run) = text(&body["run"]).parse()
        {
            accepted.lock().expect("nobody panicked").push(run);
        }
    }
}

/// Goes on with whatever is in doubt or was set aside, as an Admin would after having looked.
async fn resume_all(fleet: &Fleet, admin: &Client) -> u64 {
    let base = fleet.any_base().expect("all run again");
    let fields = json!({ "integration": null, "state": null, "after": null, "on": "ran" });
    let answer = admin.at(&base).must("resume_runs", fields).await;
    answer["resumed"].as_u64().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_accepted_is_lost_and_nothing_recorded_is_sent_again_whatever_ends() {
    let seconds = std::env::var("SLUICE_FAULTS_SECONDS").ok();
    let seconds = seconds
        .and_then(|text| text.parse().ok())
        .unwrap_or(SECONDS);
    let folder = std::env::temp_dir().join(format!("sluice-faults-{}", std::process::id()));
    let start = {
        let folder = folder.clone();
        move || Postgres::start(&folder).expect("Postgres is installed")
    };
    let start = Arc::new(start);
    let begin = || {
        let start = Arc::clone(&start);
        async move {
            tokio::task::spawn_blocking(move || start())
                .await
                .expect("no panic")
        }
    };
    let mut postgres = begin().await;
    let url = postgres.url().to_owned();
    let target = Target::start().await;
    let fleet = Arc::new(Fleet::start(&url, 3).await);
    let (admin, path) = set_up(&fleet.any_base().expect("three run"), &target).await;
    let judge = Judge::new(&url).await;

    let accepted = Arc::new(Mutex::new(Vec::new()));
    let go = Arc::new(AtomicBool::new(true));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        callers.spawn(call(
            Arc::clone(&fleet),
            path.clone(),
            Arc::clone(&accepted),
            Arc::clone(&go),
        ));
    }
    let begun = Instant::now();
    let (mut kills, mut restarts, mut cuts) = (0_u64, 0_u64, 0_u64);
    let mut round = 0;
    let mut next = interval(Duration::from_secs(1));
    next.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // It ticks at once, and every second from then on.
    next.tick().await;
    while begun.elapsed() < Duration::from_secs(seconds) {
        round += 1;
        next.tick().await;
        if round % RESTART == 0 {
            tokio::task::spawn_blocking(move || postgres.stop())
                .await
                .expect("no panic");
            postgres = begin().await;
            restarts += 1;
        } else if round % 3 == 0 {
            cuts += judge.cut_connections().await;
        }
        kills += u64::from(fleet.kill_one().await);
    }
    go.store(false, Ordering::Relaxed);
    while callers.join_next().await.is_some() {}
    fleet.heal().await;

    let accepted: Vec<Uuid> = accepted.lock().expect("nobody panicked").clone();
    assert!(accepted.len() > 20, "only {} came in", accepted.len());
    let rests = async || judge.rests().await.then_some(());
    eventually("all runs rest", CALM, rests).await;
    let mut resumed = 0;
    // A resumed run may be in doubt only once more, as nothing is disturbed now.
    for _ in 0..20 {
        let now = resume_all(&fleet, &admin).await;
        resumed += now;
        eventually("resumed runs rest", CALM, rests).await;
        if now == 0 {
            break;
        }
    }
    let wanted: HashSet<Uuid> = accepted.iter().copied().collect();
    assert_eq!(wanted.len(), accepted.len(), "each event has its own run");
    let verdict = judge.verdict(&wanted, &target, &fleet.deaths()).await;
    let report = format!(
        "events={} kills={kills} restarts={restarts} cuts={cuts} resumed={resumed} lost={} repeated_after_record={} stuck={} stale_accepted={} recovery_p99_ms={}\n",
        accepted.len(),
        verdict.lost,
        verdict.repeated,
        verdict.stuck,
        verdict.stale,
        verdict.recovery_p99_ms,
    );
    eprintln!("{report}");
    if let Ok(path) = std::env::var("SLUICE_FAULTS_REPORT") {
        std::fs::write(path, report).expect("the report can be written");
    }
    assert_eq!(
        (verdict.lost, verdict.repeated, verdict.stuck, verdict.stale),
        (0, 0, 0, 0),
        "{:#?}",
        verdict.words
    );
    judge.close().await;
    Arc::into_inner(fleet)
        .expect("nobody else has it")
        .end()
        .await;
    tokio::task::spawn_blocking(move || postgres.stop())
        .await
        .expect("no panic");
    let _ = std::fs::remove_dir_all(folder);
}
