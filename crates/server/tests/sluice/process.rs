//! `sluice` as a process, and how it behaves as one.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdout, Command};

use crate::app::{TestApp, eventually, text};
use crate::client::Client;
use crate::document::webhook;
use crate::sink::Sink;

/// How long something may take that happens by itself.
const SOON: Duration = Duration::from_secs(40);

/// A process of `sluice serve` that is ready.
pub(crate) struct Process {
    child: Child,
    pub(crate) said: Vec<String>,
    _output: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts a worker on a database.
    pub(crate) async fn worker(database_url: &str) -> Self {
        Self::start(Self::command(database_url)).await
    }

    /// Returns the command for a worker on a database.
    pub(crate) fn command(database_url: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
        command
            .args(["serve", "--role", "worker"])
            .env("DATABASE_URL", database_url);
        command
    }

    /// Returns the command for a process that serves on a database, at a free port, and is no
    /// worker.
    pub(crate) fn web(database_url: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
        command
            .args(["serve", "--role", "web", "--listen", "127.0.0.1:0"])
            .env("DATABASE_URL", database_url);
        command
    }

    /// Starts a command and waits until it says that it is ready.
    pub(crate) async fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary is built");
        let output = child.stdout.take().expect("it was piped");
        let mut output = BufReader::new(output).lines();
        let mut said = Vec::new();
        while !said
            .last()
            .is_some_and(|line: &String| line.starts_with("Sluice is ready"))
        {
            let line = output.next_line().await.expect("it can be read");
            said.push(line.expect("it gets ready before it ends"));
        }
        Self {
            child,
            said,
            _output: output,
        }
    }

    /// Returns where it serves.
    pub(crate) fn base(&self) -> &str {
        let last = self.said.last().expect("it said that it is ready");
        last.strip_prefix("Sluice is ready at ")
            .expect("the address stands last")
    }

    /// Sends a signal.
    pub(crate) async fn signal(&self, signal: &str) {
        send(&self.child, signal).await;
    }

    /// Sends a signal and waits for the end; returns how long that took and whether all was well.
    pub(crate) async fn end(self, signal: &str) -> (Duration, bool) {
        end(self.child, signal).await
    }
}

async fn send(child: &Child, signal: &str) {
    let id = child.id().expect("it runs").to_string();
    let sent = Command::new("kill")
        .args(["-s", signal, &id])
        .status()
        .await;
    assert!(sent.is_ok_and(|status| status.success()));
}

async fn end(mut child: Child, signal: &str) -> (Duration, bool) {
    let begun = Instant::now();
    send(&child, signal).await;
    let status = child.wait().await.expect("it is our child");
    (begun.elapsed(), status.success())
}

#[tokio::test]
async fn one_command_gives_a_demo_that_has_really_run() {
    let folder = std::env::temp_dir().join(format!("sluice-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
    let serve = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
        command
            .args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&folder);
        command.env_remove("DATABASE_URL");
        Process::start(command)
    };
    for start in ["first", "second"] {
        let process = serve().await;
        let base = process.base();
        let password = server::demo::PASSWORD;
        assert!(
            process.said.iter().any(|line| line.contains(password)),
            "{:?}",
            process.said
        );
        let demo = crate::client::Client::new(base, "")
            .enter(
                "sign_in",
                serde_json::json!({ "email": server::demo::ADMIN, "password": password }),
            )
            .await;
        let me = demo.must("who_am_i", serde_json::json!({})).await;
        assert_eq!(me["is_demo"], true);
        let integrations = demo.must("integrations", serde_json::json!({})).await;
        let integrations = integrations.as_array().expect("it is a list");
        assert_eq!(integrations.len(), 3, "at the {start} start");
        assert!(
            integrations
                .iter()
                .all(|integration| integration["live"]["number"] == 1)
        );
        let drafts = integrations
            .iter()
            .flat_map(|one| one["drafts"].as_array())
            .flatten()
            .count();
        assert_eq!(drafts, 1);
        let none = serde_json::json!({ "integration": null, "state": null, "before": null });
        let runs = demo.must("runs", none).await;
        assert_eq!(
            runs.as_array().map(Vec::len),
            Some(7),
            "at the {start} start"
        );
        let (took, well) = process.end("TERM").await;
        assert!(well && took < Duration::from_secs(10), "{took:?}");
    }
    let _ = std::fs::remove_dir_all(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_takes_less_than_ten_seconds_whatever_is_under_way() {
    let (app, sink) = (TestApp::with_role("web").await, Sink::start().await);
    app.allow_loopback().await;
    let values = json!({ "values": { "total": "{{ trigger.body.total }}" } });
    let (_, fails) = app.publish(&webhook(&[("set", "Total", values)])).await;
    let ask = json!({ "method": "GET", "url": sink.url("/wait"), "timeout_seconds": 120 });
    let answer = json!({ "body_type": "none" });
    let steps = [("http.request", "Ask", ask), ("respond", "Answer", answer)];
    let (_, waits) = app.publish(&webhook(&steps)).await;
    // It takes connections and never says anything.
    let smtp = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = smtp.local_addr().expect("it is bound");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("DATABASE_URL", &app.database.url)
        .env("SLUICE_SMTP_URL", format!("smtp://{address}"))
        .env("SLUICE_MAIL_FROM", "Sluice <sluice@ours.example>")
        .env("SLUICE_PUBLIC_URL", "https://sluice.ours.example");
    let process = Process::start(command).await;
    let caller = Client::new(process.base(), "");
    let waiting = tokio::spawn(async move {
        let begun = caller.post_json(&fails, &json!({})).await;
        assert_eq!(begun.status, 202, "{}", begun.text);
        caller.post_json(&waits, &json!({})).await
    });
    let called = async || (sink.calls("/wait") == 1).then_some(());
    eventually("somebody waits for an answer", SOON, called).await;
    let letter = tokio::time::timeout(SOON, smtp.accept()).await;
    let _letter = letter.expect("a letter is due").expect("it is bound");
    let (took, well) = process.end("TERM").await;
    assert!(well && took < Duration::from_secs(10), "it took {took:?}");
    let told = waiting.await.expect("it was answered");
    assert_eq!(told.status, 503, "{}", told.text);
    let (what, run) = (told.json(), told.json()["run"].clone());
    assert_eq!(what["code"], "run/moved", "{what}");
    assert!(text(&what["error"]).contains("do not send the event again"));
    assert_eq!(told.header("retry-after"), "");
    let next = Process::worker(&app.database.url).await;
    sink.let_go();
    assert_eq!(app.ended(&run, SOON).await["summary"]["state"], "succeeded");
    next.end("TERM").await;
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_an_answer_at_the_end_gets_the_one_that_another_process_gives() {
    let (app, sink) = (TestApp::with_role("web").await, Sink::start().await);
    app.allow_loopback().await;
    let wait = json!({ "method": "GET", "url": sink.url("/wait") });
    let answer = json!({ "status": 201, "body_type": "none" });
    let steps = [
        ("http.request", "Wait", wait),
        ("respond", "Answer", answer),
    ];
    let (_, path) = app.publish(&webhook(&steps)).await;
    let worker = Process::worker(&app.database.url).await;
    let web = Process::start(Process::web(&app.database.url)).await;
    let caller = Client::new(web.base(), "");
    let waiting = tokio::spawn(async move { caller.post_json(&path, &json!({})).await });
    let called = async || (sink.calls("/wait") == 1).then_some(());
    eventually("the run is in its middle", SOON, called).await;
    web.signal("TERM").await;
    sink.let_go();
    let (told, (took, well)) = tokio::join!(waiting, web.end("TERM"));
    let told = told.expect("it was answered");
    assert_eq!(told.status, 201, "{}", told.text);
    assert!(well && took < Duration::from_secs(10), "it took {took:?}");
    worker.end("TERM").await;
    app.end().await;
}

#[tokio::test]
async fn a_process_that_waits_for_its_database_ends_when_it_is_asked_to() {
    // It takes connections and never says anything.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = silent.local_addr().expect("it is bound");
    let child = Process::command(&format!("postgres://it@{address}/it"))
        .kill_on_drop(true)
        .spawn()
        .expect("the binary is built");
    let _asked = silent.accept().await.expect("it is bound");
    let (took, well) = end(child, "TERM").await;
    assert!(well && took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_waits_until_another_has_migrated_ends_when_it_is_asked_to() {
    let app = TestApp::with_role("web").await;
    let sql = app.sql();
    let mut migrating = sql.begin().await.expect("it answers");
    sqlx::query("lock table _sqlx_migrations in access exclusive mode")
        .execute(&mut *migrating)
        .await
        .expect("it is free");
    let child = Process::command(&app.database.url)
        .kill_on_drop(true)
        .spawn()
        .expect("the binary is built");
    let waits = async || {
        let waiting = "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'";
        let waiting = sqlx::query_scalar::<_, i64>(waiting).fetch_one(&sql).await;
        (waiting.expect("it answers") > 0).then_some(())
    };
    eventually("it waits", SOON, waits).await;
    let (took, well) = end(child, "TERM").await;
    assert!(well && took < Duration::from_secs(10), "{took:?}");
    drop(migrating);
    app.end().await;
}

#[tokio::test]
async fn a_taken_port_is_said_before_anything_is_started() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it is bound").to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args([
            "serve",
            "--listen",
            &address,
            "--data-dir",
            "/nowhere/at/all",
        ])
        .env_remove("DATABASE_URL")
        .output()
        .await
        .expect("the binary is built");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("cannot listen") && said.contains("--listen"),
        "{said}"
    );
}
