//! Steps that a component runs, with components that are written in Rust: what they ask for is sent
//! once, recorded, and theirs again whenever they are run anew.

mod begun;
mod refused;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::code::{ConsoleLine, Level};
use domain::connection::Kind;
use domain::connector::Asked;
use domain::run::{RunState, StepState};
use domain::{ConnectionId, RunId};
use engine::port::{
    Answered, Broke, Closed, Components, Credentials, Ending, Job, Opening, Vault, Worked, Working,
};
use engine::{Engine, Outcome};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::server::{Reply, Server, json as answer, text, with};
use crate::stage::{Crash, MemoryJournal, Stage};

/// Asks for something, or gives what it was answered.
type Ask<'a> = &'a mut dyn FnMut(Asked) -> Result<Value, Ending>;
type Logic = fn(&Job, Ask<'_>) -> Result<Value, Ending>;

/// Runs logic as a machine runs a component.
#[derive(Debug)]
struct Fake {
    logic: Logic,
    has_signed: bool,
    jobs: Mutex<Vec<Job>>,
}

impl Components for Fake {
    fn run(&self, job: Job) -> Working<'_> {
        self.jobs
            .lock()
            .expect("no panic holds it")
            .push(job.clone());
        let mut place = 0;
        let mut ask = |asked: Asked| {
            let answered: Option<&Answered> = job.answered.get(place);
            place += 1;
            match answered {
                Some(answered) => {
                    assert_eq!(answered.digest, asked.digest());
                    Ok(answered.answer.clone())
                }
                None => Err(Ending::Asks {
                    asked,
                    has_signed: self.has_signed,
                }),
            }
        };
        let end = match (self.logic)(&job, &mut ask) {
            Ok(output) => Ending::Done(output),
            Err(ending) => ending,
        };
        let console = vec![ConsoleLine {
            level: Level::Info,
            text: format!("{} answers\0", job.answered.len()),
        }];
        Box::pin(async move { Worked { end, console } })
    }
}

fn asked(method: &str, job: &Job, path: &str) -> Asked {
    Asked {
        method: method.to_owned(),
        url: format!("{}{path}", job.input["url"].as_str().unwrap_or_default()),
        headers: Vec::new(),
        body: (method != "GET").then(|| "{}".to_owned()),
        repeats: false,
    }
}

/// Asks for two orders, one after the other, and confirms them.
fn three(job: &Job, ask: Ask<'_>) -> Result<Value, Ending> {
    let one = ask(asked("POST", job, "/one"))?;
    let two = ask(asked(
        "GET",
        job,
        &format!("/two?of={}", one["body"].as_str().unwrap_or("?")),
    ))?;
    let three = ask(asked("POST", job, "/three"))?;
    Ok(json!({ "all": [one["status"], two["body"], three["body"]] }))
}

/// A step whose component may reach a server, with further members of its declaration.
fn step(server: &Server, more: &Value) -> Value {
    let mut action = json!({
        "connector": "logic", "title": "Logic", "icon": "plug", "base": "https://logic.example.com",
        "auth": ["bearer"],
        "component": { "sha256": "a".repeat(64), "hosts": [server.url("")] },
        "operation": {
            "key": "do", "title": "Do", "run": "do", "anonymous": true,
            "input": { "type": "object", "required": ["url"],
                "properties": { "url": { "type": "string" }, "count": { "type": "integer" } } },
        },
    });
    for (pointer, value) in more.as_object().expect("members") {
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        action.pointer_mut(parent).expect("it is there")[name] = value.clone();
    }
    json!({ "slug": "logic", "kind": "connector", "action": action, "url": server.url("") })
}

fn stage(step: Value, logic: Logic) -> (Stage, Arc<Fake>) {
    let fake = Arc::new(Fake {
        logic,
        has_signed: false,
        jobs: Mutex::default(),
    });
    let mut stage = Stage::new(json!([step]));
    stage.engine = Engine::new(stage.clock.clone()).with_components(fake.clone());
    (stage, fake)
}

async fn numbered() -> Server {
    Server::start(|request, count| match request.target.as_str() {
        "/three" => text(200, "three"),
        _ => text(200, &count.to_string()),
    })
    .await
}

#[tokio::test]
async fn a_component_gets_the_answers_to_what_it_asks_for_and_gives_the_output() {
    let server = numbered().await;
    let mut step = step(&server, &json!({}));
    step["count"] = json!("{{ 40 + 2 }}");
    let (stage, fake) = stage(step, three);
    let end = stage.run().await.succeeded();
    assert_eq!(end.output("logic"), &json!({ "all": [200, "1", "three"] }));
    let requests = server.requests();
    let targets: Vec<&str> = requests.iter().map(|one| one.target.as_str()).collect();
    assert_eq!(targets, ["/one", "/two?of=0", "/three"]);
    // Each writing request has a key of its own.
    let keys = |at: usize| &requests[at].headers["idempotency-key"];
    assert_ne!(keys(0), keys(2));
    let record = end.of("logic");
    assert_eq!(record.console[0].text, "3 answers\u{fffd}");
    let jobs = fake.jobs.lock().expect("no panic holds it");
    assert_eq!(jobs.len(), 4);
    assert_eq!(jobs[0].action, "do");
    // As the form of a field says, an expression gives a number.
    assert_eq!(jobs[0].input["count"], 42);
    // Each request stands beneath the step.
    let places: Vec<Vec<u32>> = end
        .records
        .iter()
        .map(|one| one.path.rounds.clone())
        .collect();
    assert_eq!(places, [vec![], vec![0], vec![1], vec![2]]);
}

/// Wherever the server stops, each request is sent once, and the component does not notice.
#[tokio::test]
async fn a_crash_repeats_no_request_that_has_its_answer() {
    let server = numbered().await;
    let (whole, _) = stage(step(&server, &json!({})), three);
    let writes = whole.run().await.succeeded().writes;
    assert!(writes > 3, "{writes}");
    for at_write in 0..writes {
        for is_durable in [false, true] {
            let server = numbered().await;
            let (stage, _) = stage(step(&server, &json!({})), three);
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
            let all: Vec<String> = server
                .requests()
                .into_iter()
                .map(|one| one.target)
                .collect();
            let count = |what: &str| all.iter().filter(|target| target.contains(what)).count();
            for write in ["/one", "/three"] {
                assert!(count(write) <= 1, "{at_write} {is_durable}: {all:?}");
            }
            match end.state {
                RunState::Succeeded => {
                    assert_eq!(end.output("logic")["all"][2], "three");
                    assert!(count("/three") == 1 && count("/two") >= 1, "{all:?}");
                }
                // Begun, and the server stopped before the answer was recorded.
                RunState::InDoubt => assert!(end.error.is_some(), "{end:?}"),
                other => panic!("{at_write} {is_durable}: {other:?} {end:#?}"),
            }
        }
    }
}

/// Time stands still between two answers, and is the same whenever a component is run anew.
#[tokio::test]
async fn what_time_it_was_is_recorded_with_each_answer() {
    let server = Server::start(|request, count| match (request.target.as_str(), count) {
        ("/two", ..3) => text(503, "later"),
        _ => text(200, "ok"),
    })
    .await;
    let mut step = step(&server, &json!({}));
    step["on_error"] = json!({ "retries": 3 });
    let (stage, fake) = stage(step, |job, ask| {
        ask(asked("GET", job, "/one"))?;
        ask(asked("GET", job, "/two"))?;
        Ok(
            json!({ "times": job.answered.iter().map(|one| one.at.0).collect::<Vec<_>>(), "now": job.now.0 }),
        )
    });
    let end = stage.run().await.succeeded();
    let jobs = fake.jobs.lock().expect("no panic holds it");
    let last = jobs.last().expect("it was run");
    assert_eq!(last.answered[0].at, jobs[0].now);
    // After the waits the request is made anew: what is signed must not be old.
    assert!(last.answered[1].at.0 > jobs[0].now.0 + 1_000, "{jobs:?}");
    assert_eq!(end.of("logic").state, StepState::Succeeded);
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn every_answer_is_the_components_to_judge_and_redirects_are_not_followed() {
    let server = Server::start(|request, _| match request.target.as_str() {
        "/gone" => text(404, "no"),
        "/busy" => text(503, "later"),
        "/there" => with(302, "Location", "/elsewhere"),
        _ => answer(&json!({ "a":   1 })),
    })
    .await;
    let (stage, _) = stage(step(&server, &json!({})), |job, ask| {
        let mut all = Vec::new();
        for path in ["/gone", "/busy", "/there", "/json"] {
            let one = ask(asked("GET", job, path))?;
            all.push(json!([one["status"], one["body"]]));
        }
        Ok(json!({ "all": all }))
    });
    let end = stage.run().await.succeeded();
    assert_eq!(
        end.output("logic")["all"],
        json!([
            [404, "no"],
            [503, "later"],
            [302, "see there"],
            [200, "{\"a\":1}"]
        ]),
        "JSON stays text, as a signature may be of it"
    );
    assert!(
        !server
            .requests()
            .iter()
            .any(|one| one.target == "/elsewhere")
    );
}

#[tokio::test]
async fn a_request_without_an_answer_ends_the_step_and_a_write_is_in_doubt() {
    let server = Server::start(|_, _| Reply::Close).await;
    for (logic, method, state) in [
        (read as Logic, "GET", RunState::Failed),
        (write, "POST", RunState::InDoubt),
    ] {
        let (stage, _) = stage(step(&server, &json!({})), logic);
        let end = stage.run().await;
        assert_eq!(end.state, state, "{method} {end:#?}");
        // The step and its request say the same.
        assert_eq!(end.records[0].error, end.records[1].error);
        assert_eq!(end.records[0].state, end.records[1].state);
    }
    let mut once = step(&server, &json!({}));
    once["on_error"] = json!({ "retries": 2 });
    let before = server.requests().len();
    let (stage, _) = stage(once, write);
    stage.run().await;
    assert_eq!(server.requests().len(), before + 1, "it is not sent again");
}

fn read(job: &Job, ask: Ask<'_>) -> Result<Value, Ending> {
    ask(asked("GET", job, "/"))
}

fn write(job: &Job, ask: Ask<'_>) -> Result<Value, Ending> {
    ask(asked("POST", job, "/"))
}

#[tokio::test]
async fn a_component_that_asks_without_end_is_ended() {
    let server = Server::start(|_, _| text(200, "ok")).await;
    let (stage, _) = stage(step(&server, &json!({})), |job, ask| {
        loop {
            ask(asked("GET", job, "/"))?;
        }
    });
    let end = stage.run().await;
    let error = end.of("logic").error.clone().unwrap_or_default();
    assert!(error.contains("more than 32 requests"), "{error}");
    assert_eq!(server.requests().len(), 32);
}

#[tokio::test]
async fn a_component_that_breaks_is_told_and_run_again_only_where_that_may_help() {
    let server = Server::start(|_, _| text(200, "ok")).await;
    for (may_retry, jobs) in [(false, 1), (true, 3)] {
        let mut step = step(&server, &json!({}));
        step["on_error"] = json!({ "retries": 2, "then": "continue" });
        let logic: Logic = match may_retry {
            true => |_, _| {
                Err(Ending::Broke(Broke {
                    message: "later".to_owned(),
                    may_retry: true,
                }))
            },
            false => |_, _| {
                Err(Ending::Broke(Broke {
                    message: "never".to_owned(),
                    may_retry: false,
                }))
            },
        };
        let (stage, fake) = stage(step, logic);
        let end = stage.run().await.succeeded();
        assert_eq!(end.of("logic").state, StepState::Failed);
        assert_eq!(fake.jobs.lock().expect("no panic holds it").len(), jobs);
    }
    let alone = Stage::new(json!([step(&server, &json!({}))]));
    let end = alone.run().await;
    let error = end.of("logic").error.as_deref();
    assert_eq!(error, Some("This server runs no components."));
}

/// Opens one connection of a kind, to one server.
#[derive(Debug)]
struct OneConnection {
    kind: Kind,
    origin: String,
}

impl Vault for OneConnection {
    fn open(&self, _: RunId, _: ConnectionId, _: bool, _: Option<i64>) -> Opening<'_> {
        let names: &[String] = match self.kind {
            Kind::KeyPair => &["the key".to_owned()],
            _ => &[],
        };
        let origins = vec![self.origin.clone()];
        let made = Credentials::new("Shop", self.kind, names, origins, &["planted secret"]);
        Box::pin(async move { made.map_err(Closed::Broken) })
    }

    fn used(&self, _: RunId, _: ConnectionId, _: Option<String>) {}
}

/// Asks its connection's origin, and another host, and says what it knows of the key.
fn both(job: &Job, ask: Ask<'_>) -> Result<Value, Ending> {
    let own = ask(asked("GET", job, "/own"))?;
    let mut other = asked("GET", job, "/");
    other.url = job.input["other"].as_str().unwrap_or_default().to_owned();
    let other = ask(other)?;
    Ok(
        json!({ "own": own["body"], "other": other["body"], "key": job.key.as_ref().map(|key| key.id().to_owned()) }),
    )
}

async fn with_connection(kind: Kind, has_signed: bool) -> (crate::stage::End, Server, Server) {
    let echo = |request: &crate::server::Request, _: usize| {
        let sent = request.headers.get("authorization");
        text(200, sent.map_or("none", String::as_str))
    };
    let (own, other) = (Server::start(echo).await, Server::start(echo).await);
    let properties = json!({ "url": { "type": "string" }, "other": { "type": "string" } });
    let more = json!({
        "/component/hosts": [other.url("")],
        "/auth": [kind.key()],
        "/operation/input": { "type": "object", "properties": properties },
    });
    let mut step = step(&own, &more);
    step["other"] = json!(other.url("/"));
    step["connection"] = json!(ConnectionId::new(Uuid::from_u128(5)).to_string());
    let fake = Arc::new(Fake {
        logic: both,
        has_signed,
        jobs: Mutex::default(),
    });
    let vault = OneConnection {
        kind,
        origin: own.url(""),
    };
    let mut stage = Stage::new(json!([step]));
    stage.engine = Engine::new(stage.clock.clone())
        .with_components(fake)
        .with_vault(Arc::new(vault));
    (stage.run().await, own, other)
}

#[tokio::test]
async fn a_connection_goes_to_its_own_origins_and_nowhere_else() {
    let (end, _, _) = with_connection(Kind::Bearer, false).await;
    let end = end.succeeded();
    let output = end.output("logic");
    // It went there, and what the service told of it is hidden.
    assert!(!output["own"].to_string().contains("none"), "{output}");
    assert_eq!(output["other"], "none");
    assert_eq!(output["key"], Value::Null, "a token signs nothing");
    assert_eq!(end.of("logic").input["connection"], "Shop");
    assert!(!format!("{:?}", end.records).contains("planted secret"));
}

#[tokio::test]
async fn a_key_that_signs_is_sent_nowhere_and_what_it_signed_goes_to_its_origins_only() {
    let (end, own, other) = with_connection(Kind::KeyPair, false).await;
    let end = end.succeeded();
    let told = json!({ "own": "none", "other": "none", "key": "the key" });
    assert_eq!(end.output("logic"), &told);
    assert_eq!((own.requests().len(), other.requests().len()), (1, 1));
    let (end, own, other) = with_connection(Kind::KeyPair, true).await;
    let error = end.of("logic").error.clone().unwrap_or_default();
    assert!(error.contains("something was signed"), "{error}");
    assert_eq!((own.requests().len(), other.requests().len()), (1, 0));
}

/// A wait for an attempt gives the worker back, and nothing that had its answer is sent again.
#[tokio::test]
async fn a_wait_between_requests_gives_the_worker_back_and_goes_on_there() {
    let server = Server::start(|request, count| match (request.target.as_str(), count) {
        ("/three", ..3) => Reply::Send(
            503,
            vec![("Retry-After".to_owned(), "60".to_owned())],
            Vec::new(),
        ),
        _ => text(200, "ok"),
    })
    .await;
    let mut step = step(&server, &json!({}));
    step["on_error"] = json!({ "retries": 1 });
    let (stage, _) = stage(step, three);
    let journal = MemoryJournal::default();
    let (outcome, _) = stage.execute(&journal).await;
    let Outcome::Waiting { records, .. } = outcome else {
        panic!("{outcome:?}");
    };
    journal.write(records).expect("nothing crashes");
    stage.clock.pass(Duration::from_secs(60));
    let end = stage.run_with(journal).await.succeeded();
    assert_eq!(end.output("logic")["all"], json!([200, "ok", "ok"]));
    let targets: Vec<String> = server
        .requests()
        .into_iter()
        .map(|one| one.target)
        .collect();
    assert_eq!(targets, ["/one", "/two?of=ok", "/three", "/three"]);
}
