//! Tokens on a real server: exchanged in the middle of a run, and nowhere but with who gave and who
//! takes them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::routing::post;
use axum::{Json, Router};
use http::{Response, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::eventually;
use crate::connection::{Planted, calling, ended, forms, tables};

/// With signs that each encoding writes otherwise.
const SECRET: &str = "Planted/+client \"secret\"?=2b8e";

fn token(number: usize) -> String {
    format!("Planted/+token?=4d{number}")
}

/// What was asked of the provider, and what the service was sent.
#[derive(Default)]
struct Seen {
    given: usize,
    asked: Vec<String>,
    /// With the idempotency key of each.
    sent: Vec<(String, String)>,
}

type Shared = Arc<Mutex<Seen>>;

/// Gives a new token each time.
async fn give(State(seen): State<Shared>, request: Request) -> Json<Value> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.expect("it is short").to_bytes();
    let mut seen = seen.lock().expect("no panic holds it");
    seen.given += 1;
    let asked = format!("{:?} {}", parts.headers, String::from_utf8_lossy(&body));
    seen.asked.push(asked);
    Json(json!({ "access_token": token(seen.given), "token_type": "bearer", "expires_in": 3600 }))
}

/// Takes every second token, and tells all that it was sent for one step of one run.
async fn take(State(seen): State<Shared>, request: Request) -> Response<Body> {
    let mut seen = seen.lock().expect("no panic holds it");
    let text = |name: &str| {
        let value = request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (sent, of) = (text("authorization"), text("idempotency-key"));
    seen.sent.push((of.clone(), sent.clone()));
    let all: Vec<&String> = seen
        .sent
        .iter()
        .filter(|(other, _)| *other == of)
        .map(|(_, sent)| sent)
        .collect();
    let forms: Vec<String> = all
        .iter()
        .filter_map(|sent| sent.strip_prefix("Bearer "))
        .flat_map(forms)
        .collect();
    let is_taken = (1..=seen.given)
        .filter(|number| number % 2 == 0)
        .any(|number| sent == format!("Bearer {}", token(number)));
    Response::builder()
        .status(if is_taken { 200 } else { 401 })
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(
            json!({ "sent": all, "forms": forms }).to_string(),
        ))
        .expect("it is whole")
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_were_exchanged_in_a_run_are_in_no_table_answer_or_log() {
    let seen = Shared::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("it is bound"));
    let router = Router::new()
        .route("/token", post(give))
        .fallback(take)
        .with_state(seen.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let Planted {
        admin,
        process,
        database,
        folder,
        log,
    } = Planted::start().await;
    let form = json!({
        "name": "By its client", "kind": "oauth_client", "names": ["client"], "origins": [origin],
        "live": { "set": [SECRET] }, "test": "keep",
        "oauth": { "token_url": format!("{origin}/token"), "client_auth": "body" },
    });
    let fields = json!({ "form": form });
    let connection = admin.must("create_connection", fields).await;
    let (integration, draft) = calling(&admin, &connection, &format!("{origin}/ok")).await;
    let live = json!({ "id": integration, "payload": {} });
    let live = admin.must("start_manual", live).await;
    let mut answers = vec![ended(&admin, &live).await];
    assert!(answers[0].contains("\"succeeded\""), "{}", answers[0]);
    let test = json!({ "id": draft, "revision": 1, "payload": {}, "scope": "whole" });
    let test = admin.must("start_test", test).await;
    answers.push(ended(&admin, &test).await);
    let tried = json!({ "id": connection, "is_test": false, "origin": origin, "path": "/ok" });
    answers.push(admin.must("try_connection", tried).await.to_string());
    answers.push(admin.must("connections", json!({})).await.to_string());
    // A provider that is gone: the sentence about it holds nothing either.
    let mut gone = form;
    gone["oauth"]["token_url"] = json!("http://127.0.0.1:1/token");
    let fields = json!({ "id": connection, "form": gone });
    admin.must("change_connection", fields).await;
    let run = json!({ "id": integration, "payload": {} });
    let run = admin.must("start_manual", run).await;
    answers.push(ended(&admin, &run).await);
    assert!(
        answers
            .last()
            .is_some_and(|last| last.contains("There is no token for")),
        "{answers:?}"
    );
    let (_, well) = process.end("TERM").await;
    assert!(well, "it ends well");

    let (given, sent) = {
        let seen = seen.lock().expect("no panic holds it");
        let form: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        assert!(seen.asked.iter().all(|asked| asked.contains(&form)));
        let sent: Vec<String> = seen.sent.iter().map(|(_, sent)| sent.clone()).collect();
        (seen.given, sent)
    };
    assert_eq!(
        given, 2,
        "one that is not taken is exchanged, one that is is not"
    );
    let [first, second] = [1, 2].map(|number| format!("Bearer {}", token(number)));
    assert_eq!(sent[..3], [first, second.clone(), second]);

    let secrets = [SECRET.to_owned(), token(1), token(2)];
    let secrets: Vec<String> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    let mut places = tables(&database.url).await;
    let written = std::fs::read_to_string(&log).expect("it was written");
    places.push(("the log".to_owned(), written));
    places.extend(
        answers
            .into_iter()
            .map(|answer| ("an answer".to_owned(), answer)),
    );
    for (place, text) in &places {
        let found = secrets.iter().find(|form| text.contains(form.as_str()));
        assert_eq!(found, None, "in {place}");
    }
    assert!(places.iter().any(|(_, text)| text.contains("[hidden]")));
    let _ = std::fs::remove_dir_all(folder);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_waits_for_a_token_that_a_provider_is_just_giving() {
    // It has given it, and its answer is held.
    let (given, mut is_given) = watch::channel(false);
    let (hold, held) = watch::channel(true);
    let give = async move || {
        given.send_replace(true);
        let mut held = held.clone();
        let _ = held.wait_for(|is_held| !is_held).await;
        Json(json!({ "access_token": token(1), "token_type": "bearer" }))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let origin = format!("http://{}", listener.local_addr().expect("it is bound"));
    let router = Router::new().route("/token", post(give));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let Planted {
        admin,
        process,
        database,
        folder,
        log,
    } = Planted::start().await;
    let form = json!({
        "name": "By its client", "kind": "oauth_client", "names": ["client"], "origins": [origin],
        "live": { "set": [SECRET] }, "test": "keep",
        "oauth": { "token_url": format!("{origin}/token") },
    });
    let fields = json!({ "form": form });
    let connection = admin.must("create_connection", fields).await;
    let (integration, _) = calling(&admin, &connection, &format!("{origin}/ok")).await;
    let live = json!({ "id": integration, "payload": {} });
    admin.must("start_manual", live).await;
    let asked = is_given.wait_for(|is_given| *is_given).await;
    drop(asked.expect("the provider serves"));
    let ending = tokio::spawn(process.end("TERM"));
    // The run is handed back, and all else has ended.
    eventually("it waits", Duration::from_secs(30), async || {
        let written = std::fs::read_to_string(&log).expect("it was written");
        written.contains("the end waits for it").then_some(())
    })
    .await;
    assert!(!ending.is_finished());
    hold.send_replace(false);
    let (_, well) = ending.await.expect("it does not panic");
    assert!(well, "it ends well");
    let written = std::fs::read_to_string(&log).expect("it was written");
    assert!(!written.contains("is not kept"), "{written}");
    let tables = tables(&database.url).await;
    let tokens = tables.iter().find(|(name, _)| name == "connection_token");
    let (_, rows) = tokens.expect("it is a table");
    assert!(rows.contains(",live,1,"), "it was kept: {rows}");
    let _ = std::fs::remove_dir_all(folder);
    database.drop().await;
}
