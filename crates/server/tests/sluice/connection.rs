//! Connections on a real server: what a service is sent, and that the secrets are nowhere else.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::Response;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::Command;
use uuid::Uuid;

use crate::app::{Database, PASSWORD, eventually, text};
use crate::client::Client;
use crate::document::{document, wire};
use crate::process::Process;

/// With signs that each encoding writes otherwise.
const LIVE: &str = "Planted/+live \"secret\"?=7f3a";
const TEST: &str = "Planted/+test \"secret\"?=9c1b";

/// Answers with all that it was sent, in the status that the path says; notes the header.
async fn echo(State(seen): State<Arc<Mutex<Vec<String>>>>, request: Request) -> Response<Body> {
    let headers: Vec<String> = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    let target = request.uri().to_string();
    let mut seen = seen.lock().expect("no panic holds it");
    let sent = format!("{target}\n{}", headers.join("\n"));
    // A service knows the secrets that it was sent, and no other.
    let forms: Vec<String> = [LIVE, TEST]
        .into_iter()
        .map(forms)
        .filter(|forms| forms.iter().any(|form| sent.contains(form.as_str())))
        .flatten()
        .collect();
    seen.push(sent);
    let body = json!({ "target": target, "headers": headers, "forms": forms });
    let status = if target.starts_with("/fail") {
        422
    } else {
        200
    };
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .expect("it is whole")
}

/// Returns a secret in each form in which it could be found.
pub(crate) fn forms(secret: &str) -> Vec<String> {
    let percent: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let escaped = json!(secret).to_string().trim_matches('"').to_owned();
    let hex = hex::encode(secret);
    let pair = format!("me:{secret}");
    let mut forms = vec![
        secret.to_owned(),
        json!(escaped).to_string().trim_matches('"').to_owned(),
        escaped,
        percent.replace('+', "%20"),
        percent.to_lowercase(),
        percent,
        hex.to_uppercase(),
        hex,
    ];
    for text in [secret, &pair] {
        forms.push(BASE64_STANDARD.encode(text));
        forms.push(BASE64_URL_SAFE_NO_PAD.encode(text));
    }
    forms
}

fn find(place: &str, searched: &str) -> Option<String> {
    let all = [LIVE, TEST].into_iter().flat_map(forms);
    let found = all
        .into_iter()
        .find(|form| searched.contains(form.as_str()))?;
    Some(format!("{place} holds {found}"))
}

/// Returns what `pg_dump` writes of a database: schema, settings and all rows, bytes as hexadecimal
/// digits.
pub(crate) fn dump(url: &str) -> String {
    let dumped = std::process::Command::new("pg_dump")
        .args(["--enable-row-security", "--inserts", url])
        .env("PGOPTIONS", "-c sluice.scope=system")
        .output()
        .expect("pg_dump is installed with Postgres");
    let said = String::from_utf8_lossy(&dumped.stderr);
    assert!(dumped.status.success(), "{said}");
    String::from_utf8_lossy(&dumped.stdout).into_owned()
}

/// Returns all rows of all tables, each table as one text.
pub(crate) async fn tables(url: &str) -> Vec<(String, String)> {
    let options: PgConnectOptions = url.parse().expect("it was used before");
    let sql = PgPool::connect_lazy_with(options.options([("sluice.scope", "system")]));
    let names: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.tables where table_schema = 'public'",
    )
    .fetch_all(&sql)
    .await
    .expect("it answers");
    let mut tables = Vec::new();
    for name in names {
        let rows = format!("select coalesce(string_agg(t::text, ' '), '') from \"{name}\" as t");
        let rows: String = sqlx::query_scalar(AssertSqlSafe(rows))
            .fetch_one(&sql)
            .await
            .expect("it answers");
        tables.push((name, rows));
    }
    sql.close().await;
    tables
}

/// Publishes an integration that calls a path with a connection; returns it with its draft's copy.
pub(crate) async fn calling(admin: &Client, connection: &Value, url: &str) -> (Value, Value) {
    let call = json!({ "method": "POST", "url": url, "connection": connection,
        "body_type": "json", "json": "{}" });
    let tell = json!({ "message": "{{ steps.call.body }}" });
    let mut document = document(
        "manual",
        &[("http.request", "Call", call), ("log", "Tell", tell)],
    );
    if url.contains("/fail") {
        document.steps.retain(|_, step| step.kind != "log");
        document.flow.truncate(1);
    }
    let name = format!("Calls {}", Uuid::now_v7());
    let draft = json!({ "name": name, "document": wire(&document) });
    let draft = admin.must("create_integration", draft).await;
    let read = admin.must("read_draft", json!({ "id": draft })).await;
    let publish = json!({ "id": draft, "revision": 1, "note": "", "reason": null });
    admin.must("publish", publish).await;
    let integration = read["integration"].clone();
    let next = json!({ "integration": integration, "title": "Next" });
    (integration, admin.must("start_draft", next).await)
}

pub(crate) async fn ended(admin: &Client, run: &Value) -> String {
    eventually("the run ends", Duration::from_secs(30), async || {
        let run = admin.must("read_run", json!({ "id": run })).await;
        let is_over = ["succeeded", "failed"].contains(&text(&run["summary"]["state"]).as_str());
        is_over.then(|| run.to_string())
    })
    .await
}

/// A process whose log is kept, and the Admin of its organization.
pub(crate) struct Planted {
    pub(crate) admin: Client,
    pub(crate) process: Process,
    pub(crate) database: Database,
    pub(crate) folder: PathBuf,
    pub(crate) log: PathBuf,
}

impl Planted {
    pub(crate) async fn start() -> Self {
        let database = Database::new().await;
        let folder =
            std::env::temp_dir().join(format!("sluice-planted-{}", Uuid::now_v7().simple()));
        std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
        let (key, log) = (folder.join("key"), folder.join("log"));
        std::fs::write(&key, "5a".repeat(32)).expect("the folder is there");
        let own = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&key, own).expect("it is ours");
        let file = std::fs::File::create(&log).expect("the folder is there");
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("DATABASE_URL", &database.url)
            .env("SLUICE_MASTER_KEY_FILE", &key)
            .env("RUST_LOG", "debug")
            .stderr(Stdio::from(file));
        let process = Process::start(command).await;
        let last = process.said.last().expect("it said something").clone();
        let base = last
            .strip_prefix("Sluice is ready at ")
            .expect("the address stands last");
        let admin = Client::new(base, "")
            .enter(
                "set_up",
                json!({
                    "organization": "Ours", "name": "An Admin", "email": "admin@ours.example",
                    "password": PASSWORD,
                }),
            )
            .await;
        let free = json!({ "integration": null, "policy": { "approvals": 0 } });
        admin.must("set_policy", free).await;
        let loopback = json!({ "allowed": ["127.0.0.0/8"] });
        admin.must("set_network", loopback).await;
        Self {
            admin,
            process,
            database,
            folder,
            log,
        }
    }
}

/// Adds a line to the file that `SLUICE_SECRETS_REPORT` names, for the bench.
pub(crate) fn report(line: &str) {
    if let Ok(report) = std::env::var("SLUICE_SECRETS_REPORT") {
        let file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(report);
        let written = file.and_then(|mut file| writeln!(file, "{line}"));
        written.expect("the report can be written");
    }
}

/// Returns where a server listens that refuses everyone, and tells a secret in all of its forms.
async fn rude(kind: &str, tells: &Arc<Mutex<&'static str>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let (is_mail, tells) = (kind == "smtp", Arc::clone(tells));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let told = forms(*tells.lock().expect("no panic holds it")).join(" ");
            tokio::spawn(async move {
                let mut chunk = [0; 4096];
                if is_mail {
                    let _ = stream.write_all(b"220 office.example\r\n").await;
                }
                while let Ok(count @ 1..) = stream.read(&mut chunk).await {
                    let said = String::from_utf8_lossy(&chunk[..count]).into_owned();
                    let answer = if !is_mail {
                        let fields = format!("SERROR\0C28P01\0M{told}\0D{told}\0H{told}\0\0");
                        let length = u32::try_from(fields.len() + 4).expect("it is short");
                        [&b"E"[..], &length.to_be_bytes(), fields.as_bytes()].concat()
                    } else if said.starts_with("EHLO") {
                        b"250-office.example\r\n250 AUTH PLAIN\r\n".to_vec()
                    } else if said.starts_with("RCPT") {
                        format!("550 {told}\r\n").into_bytes()
                    } else {
                        format!("250 {told}\r\n").into_bytes()
                    };
                    if stream.write_all(&answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

/// Logs in to a server that tells what it was said: in a live run, in a test, and tried out.
/// Returns what was answered about it.
async fn logging_in(admin: &Client, kind: &str, step: &str) -> Vec<String> {
    let tells = Arc::new(Mutex::new(TEST));
    let port = rude(kind, &tells).await;
    let server = json!({ "host": "127.0.0.1", "port": port, "tls": "off", "certificates": "",
        "database": if kind == "smtp" { "" } else { "shop" },
        "sender": if kind == "smtp" { "shop@example.com" } else { "" } });
    let form = json!({ "name": format!("By {kind}"), "kind": kind, "names": ["me"], "origins": [],
        "live": { "set": [LIVE] }, "test": { "set": [TEST] }, "server": server });
    let connection = admin
        .must("create_connection", json!({ "form": form }))
        .await;
    let all = json!({ "connection": connection, "to": "ada@example.com", "subject": "Hello",
        "text": "Hello", "sql": "select 1", "access": "read" });
    let fields = &domain::catalog::action(step)
        .expect("the catalog has it")
        .input;
    let mut config = all.as_object().expect("it is one").clone();
    config.retain(|name, _| fields.field(name).is_some());
    let made = document("manual", &[(step, "Use", config.into())]);
    let draft = json!({ "name": format!("Uses {kind}"), "document": wire(&made) });
    let draft = admin.must("create_integration", draft).await;
    let read = admin.must("read_draft", json!({ "id": draft })).await;
    let test = json!({ "id": draft, "revision": 1, "payload": {}, "scope": "whole" });
    let test = admin.must("start_test", test).await;
    let mut answers = vec![ended(admin, &test).await];
    let publish = json!({ "id": draft, "revision": 1, "note": "", "reason": null });
    admin.must("publish", publish).await;
    *tells.lock().expect("no panic holds it") = LIVE;
    let live = json!({ "id": read["integration"], "payload": {} });
    let live = admin.must("start_manual", live).await;
    answers.push(ended(admin, &live).await);
    for answer in &answers {
        assert!(answer.contains("[hidden]"), "{answer}");
    }
    for is_test in [false, true] {
        *tells.lock().expect("no panic holds it") = if is_test { TEST } else { LIVE };
        let tried = json!({ "id": connection, "is_test": is_test, "path": "/",
            "origin": format!("{kind}://127.0.0.1:{port}") });
        answers.push(admin.must("try_connection", tried).await.to_string());
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_secret_reaches_its_service_and_no_table_answer_or_log() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("it is bound"));
    let router = Router::new().fallback(echo).with_state(seen.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });

    let Planted {
        admin,
        process,
        database,
        folder,
        log,
    } = Planted::start().await;
    let mut answers = Vec::new();
    for (kind, names) in [
        ("bearer", json!([])),
        ("basic", json!(["me"])),
        ("header_key", json!(["X-Planted"])),
        ("query_key", json!(["planted"])),
        ("headers", json!(["X-Planted"])),
    ] {
        let form = |origin: &str| {
            json!({ "form": { "name": format!("By {kind}"), "kind": kind, "names": names,
                "origins": [origin], "live": { "set": [LIVE] }, "test": { "set": [TEST] } } })
        };
        let refused = admin.call("create_connection", form("not an origin")).await;
        assert_eq!(refused.status, 422, "{}", refused.text);
        let connection = admin.must("create_connection", form(&origin)).await;
        answers.push(refused.text);
        for path in ["/ok", "/fail"] {
            let url = format!("{origin}{path}");
            let (integration, draft) = calling(&admin, &connection, &url).await;
            let live = json!({ "id": integration, "payload": {} });
            let live = admin.must("start_manual", live).await;
            let test = json!({ "id": draft, "revision": 1, "payload": {}, "scope": "whole" });
            let test = admin.must("start_test", test).await;
            for run in [live, test] {
                answers.push(ended(&admin, &run).await);
            }
            let tried = json!({ "id": connection, "is_test": false, "origin": origin,
                "path": path });
            answers.push(admin.must("try_connection", tried).await.to_string());
            let latest = admin.must("latest_test", json!({ "id": draft })).await;
            answers.push(latest.to_string());
        }
        // Elsewhere it is refused.
        let (integration, _) = calling(&admin, &connection, "http://127.0.0.1:1/fail").await;
        let live = json!({ "id": integration, "payload": {} });
        let run = ended(&admin, &admin.must("start_manual", live).await).await;
        assert!(run.contains("may not be sent"), "{run}");
        answers.push(run);
    }
    for (kind, step) in [("smtp", "email.send"), ("postgres", "postgres.query")] {
        answers.extend(logging_in(&admin, kind, step).await);
    }
    let metrics = admin.get("/metrics").await;
    answers.push(metrics.text);
    for (function, fields) in [
        ("audit", json!({})),
        ("signing_secrets", json!({ "id": Uuid::nil() })),
    ] {
        answers.push(admin.call(function, fields).await.text);
    }
    for (function, fields) in [
        ("connections", json!({})),
        ("connection_uses", json!({})),
        (
            "runs",
            json!({ "integration": null, "state": null, "before": null }),
        ),
    ] {
        answers.push(admin.must(function, fields).await.to_string());
    }
    let (_, well) = process.end("TERM").await;
    assert!(well, "it ends well");

    // What the service saw: five kinds, two paths, live, test and tried out.
    let sent = seen.lock().expect("no panic holds it").clone();
    assert_eq!(sent.len(), 5 * 2 * 3);
    let with = |secret: &str| {
        let forms = forms(secret);
        let has = |one: &&String| forms.iter().any(|form| one.contains(form.as_str()));
        sent.iter().filter(has).count()
    };
    assert_eq!((with(LIVE), with(TEST)), (20, 10));

    let (mut found, mut places) = (Vec::new(), 0);
    for (name, rows) in tables(&database.url).await {
        found.extend(find(&format!("the table {name}"), &rows));
        places += 1;
    }
    let dump = dump(&database.url);
    let has_all = ["By bearer", "sealed", "INSERT INTO public.run_record"];
    assert!(
        has_all.iter().all(|part| dump.contains(part)),
        "it holds all rows"
    );
    found.extend(find("the dump", &dump));
    for answer in &answers {
        found.extend(find("an answer", answer));
    }
    let log = std::fs::read_to_string(&log).expect("it was written");
    assert!(log.lines().count() > 10, "it logs");
    found.extend(find("the log", &log));
    // Seven kinds, each with a secret for live runs and one for tests.
    report(&format!(
        "canaries={} places={} found={}",
        7 * 2,
        places + answers.len() + 2,
        found.len()
    ));
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(answers.iter().any(|answer| answer.contains("[hidden]")));
    let _ = std::fs::remove_dir_all(folder);
    database.drop().await;
}
