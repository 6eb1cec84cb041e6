//! Connections: what is sent, where it is not sent, and what nobody gets to see.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use domain::connection::Kind;
use domain::run::{RunState, StepState};
use domain::{ConnectionId, RunId, Timestamp};
use engine::Engine;
use engine::port::{Clients, Closed, Credentials, Network, Opening, Vault, try_out};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::server::{Reply, Request, Server, text, with};
use crate::stage::{End, START, Stage};

const SECRET: &str = "p+ss/word of the \"shop\"";
/// Stands for a token that is not there yet.
const NOT_YET: &str = "not yet";
const ID: ConnectionId = ConnectionId(Uuid::from_u128(77));

/// Connections in memory: each opening makes new credentials, as that of the database does.
#[derive(Debug, Default)]
struct Kept {
    connections: Mutex<BTreeMap<ConnectionId, Connection>>,
    uses: Mutex<Vec<Option<String>>>,
    is_down: Mutex<bool>,
}

#[derive(Clone, Debug)]
struct Connection {
    kind: Kind,
    names: Vec<String>,
    origins: Vec<String>,
    live: Vec<String>,
    test: Vec<String>,
    /// Tokens, of which one that is refused is exchanged for the next.
    tokens: Vec<&'static str>,
}

impl Vault for Kept {
    fn open(
        &self,
        _run: RunId,
        connection: ConnectionId,
        is_test: bool,
        refused: Option<i64>,
    ) -> Opening<'_> {
        Box::pin(async move {
            if *self.is_down.lock().expect("no panic holds it") {
                return Err(Closed::Unavailable);
            }
            let kept = self.connections.lock().expect("no panic holds it");
            let kept = kept.get(&connection).cloned().ok_or(Closed::Gone)?;
            if !kept.tokens.is_empty() {
                let issue = refused.map_or(0, |refused| refused + 1);
                let at = usize::try_from(issue).expect("they are counted from 0");
                let Some(token) = kept.tokens.get(at).filter(|token| **token != NOT_YET) else {
                    return Err(Closed::Later("No token just now.".to_owned()));
                };
                return Credentials::with_token("The shop", kept.origins, token, issue, &[SECRET])
                    .map_err(Closed::Broken);
            }
            let is_test = is_test && !kept.test.is_empty();
            let secrets = if is_test { kept.test } else { kept.live };
            Credentials::new("The shop", kept.kind, &kept.names, kept.origins, &secrets)
                .map_err(Closed::Broken)
        })
    }

    fn used(&self, _run: RunId, _connection: ConnectionId, error: Option<String>) {
        self.uses.lock().expect("no panic holds it").push(error);
    }
}

fn kept(kind: Kind, names: &[&str], origin: &str) -> Connection {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let live = kind
        .fields(&names)
        .iter()
        .map(|_| SECRET.to_owned())
        .collect();
    Connection {
        kind,
        names,
        origins: vec![origin.to_owned()],
        live,
        test: Vec::new(),
        tokens: Vec::new(),
    }
}

/// Returns a stage whose only step calls an address with the connection.
fn stage(connection: Option<Connection>, url: &str, more: Value) -> (Stage, Arc<Kept>) {
    let mut step = json!({ "slug": "call", "kind": "http.request", "method": "GET", "url": url,
        "connection": ID });
    for (name, value) in more.as_object().into_iter().flatten() {
        step[name] = value.clone();
    }
    let log = json!({ "slug": "told", "kind": "log", "message": "{{ steps.call }}" });
    let mut stage = Stage::new(json!([step, log]));
    let vault = Arc::new(Kept::default());
    let mut connections = vault.connections.lock().expect("no panic holds it");
    connections.extend(connection.map(|kept| (ID, kept)));
    drop(connections);
    stage.engine = Engine::new(stage.clock.clone()).with_vault(vault.clone());
    (stage, vault)
}

/// Asserts that nothing of the secret is in what a run left behind.
fn assert_hidden(end: &End) {
    let form: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let records = serde_json::to_string(&end.records).expect("records are JSON");
    let all = format!("{records} {:?} {:?}", end.error, end.answer);
    for shown in [
        SECRET.to_owned(),
        json!(SECRET).to_string().trim_matches('"').to_owned(),
        json!(json!(SECRET).to_string())
            .to_string()
            .trim_matches(['"', '\\'])
            .to_owned(),
        BASE64_STANDARD.encode(SECRET),
        BASE64_STANDARD.encode(format!("me:{SECRET}")),
        form.replace('+', "%20"),
        form.to_lowercase(),
        form,
    ] {
        assert!(!all.contains(&shown), "{shown} is in {all}");
    }
}

/// Answers with all that was sent, in several forms.
fn echo(request: &Request) -> Reply {
    let form: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let body = json!({
        "target": request.target,
        "headers": request.headers,
        "base64": BASE64_STANDARD.encode(format!("me:{SECRET}")),
        "inside": BASE64_STANDARD.encode(format!("a{SECRET}b")),
        "percent": [form.to_lowercase(), form],
        (SECRET): "as a name",
        "fine": "this stays",
    });
    let headers = vec![
        ("Content-Type".to_owned(), "application/json".to_owned()),
        ("X-Echo".to_owned(), SECRET.to_owned()),
    ];
    Reply::Send(200, headers, body.to_string().into_bytes())
}

#[tokio::test]
async fn each_kind_is_sent_as_it_should_be_and_comes_back_hidden() {
    for (kind, names, header, value) in [
        (
            Kind::Bearer,
            vec![],
            "authorization",
            format!("Bearer {SECRET}"),
        ),
        (
            Kind::Basic,
            vec!["me"],
            "authorization",
            format!("Basic {}", BASE64_STANDARD.encode(format!("me:{SECRET}"))),
        ),
        (Kind::HeaderKey, vec!["X-Key"], "x-key", SECRET.to_owned()),
        (
            Kind::Headers,
            vec!["X-Id", "X-Key"],
            "x-id",
            SECRET.to_owned(),
        ),
    ] {
        let server = Server::start(|request, _| echo(request)).await;
        let connection = kept(kind, &names, &server.url(""));
        let more =
            json!({ "headers": { "Authorization": "mine", "X-Key": "mine", "X-Id": "mine" } });
        let (stage, vault) = stage(Some(connection), &server.url("/a"), more);
        let end = stage.run().await.succeeded();
        assert_eq!(server.requests()[0].headers[header], value, "{kind:?}");
        assert_hidden(&end);
        assert_eq!(end.output("call")["body"]["fine"], "this stays");
        assert_eq!(end.of("call").input["connection"], "The shop");
        assert_eq!(*vault.uses.lock().expect("no panic holds it"), [None]);
    }
}

#[tokio::test]
async fn a_key_in_the_query_takes_the_place_of_one_that_the_step_gives() {
    let server = Server::start(|request, _| echo(request)).await;
    let connection = kept(Kind::QueryKey, &["key"], &server.url(""));
    let url = server.url("/a?key=mine&page=2");
    let (stage, _) = stage(
        Some(connection),
        &url,
        json!({ "query": { "key": "mine too" } }),
    );
    let end = stage.run().await.succeeded();
    let form: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    assert_eq!(server.requests()[0].target, format!("/a?page=2&key={form}"));
    assert_hidden(&end);
}

#[tokio::test]
async fn an_origin_that_the_connection_does_not_name_gets_nothing_at_all() {
    let server = Server::start(|request, _| echo(request)).await;
    let port = server.address.port();
    for origin in [
        "https://127.0.0.1".to_owned(),
        format!("https://127.0.0.1:{port}"),
        format!("http://localhost:{port}"),
        format!("http://127.0.0.1:{}", port ^ 1),
        format!("http://127.0.0.1.evil.example:{port}"),
    ] {
        let connection = kept(Kind::Bearer, &[], &origin);
        let (stage, _) = stage(Some(connection), &server.url("/a"), json!({}));
        let end = stage.run().await;
        let told = end.failure("call");
        assert!(
            told.starts_with("The connection “The shop” may not be sent to"),
            "{told}"
        );
        assert_hidden(&end);
    }
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn a_redirect_to_another_origin_carries_no_secret() {
    for kind in [Kind::Bearer, Kind::QueryKey, Kind::Headers] {
        let other = Server::start(|_, _| text(200, "here")).await;
        let there = other.url("/there");
        let server = Server::start(move |_, _| with(307, "Location", &there)).await;
        let names = if kind == Kind::Bearer {
            vec![]
        } else {
            vec!["id"]
        };
        let connection = kept(kind, &names, &server.url(""));
        let (stage, _) = stage(Some(connection), &server.url("/a"), json!({}));
        let end = stage.run().await.succeeded();
        assert_eq!(end.output("call")["body"], "here");
        let got = &other.requests()[0];
        assert_eq!(got.target, "/there");
        assert!(!got.headers.contains_key("authorization") && !got.headers.contains_key("id"));
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_redirect_within_its_origins_carries_the_secret_on() {
    let server = Server::start(|request, _| match request.target.as_str() {
        "/a" => with(302, "Location", "/b"),
        _ => text(200, "here"),
    })
    .await;
    let connection = kept(Kind::Bearer, &[], &server.url(""));
    let (stage, _) = stage(Some(connection), &server.url("/a"), json!({}));
    stage.run().await.succeeded();
    assert_eq!(
        server.requests()[1].headers["authorization"],
        format!("Bearer {SECRET}")
    );
}

#[tokio::test]
async fn a_redirect_that_carries_the_secret_in_its_address_is_refused() {
    let other = Server::start(|_, _| text(200, "here")).await;
    let form: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let there = other.url(&format!("/there?k={form}"));
    let server = Server::start(move |_, _| with(307, "Location", &there)).await;
    let connection = kept(Kind::Bearer, &[], &server.url(""));
    let (stage, vault) = stage(Some(connection), &server.url("/a"), json!({}));
    let end = stage.run().await;
    assert!(
        end.failure("call")
            .contains("holds a secret of the connection")
    );
    assert_hidden(&end);
    assert_eq!(other.requests().len(), 0);
    let uses = vault.uses.lock().expect("no panic holds it").clone();
    assert!(
        uses[0].as_ref().is_some_and(|error| !error.contains(&form)),
        "{uses:?}"
    );
}

#[tokio::test]
async fn an_error_that_tells_the_secret_is_recorded_without_it() {
    let server = Server::start(|_, _| text(401, &format!("wrong key: {SECRET}"))).await;
    let connection = kept(Kind::Bearer, &[], &server.url(""));
    let url = server.url("/a");
    let (first, vault) = stage(Some(connection.clone()), &url, json!({}));
    let end = first.run().await;
    assert!(end.failure("call").contains("answered 401"));
    assert_eq!(end.output("call")["body"], "wrong key: [hidden]");
    assert_hidden(&end);
    assert!(vault.uses.lock().expect("no panic holds it")[0].is_some());
    // What goes on after a failure sees no more than the record.
    let goes_on = json!({ "on_error": { "then": "continue" } });
    let (second, _) = stage(Some(connection), &url, goes_on);
    assert_hidden(&second.run().await.succeeded());
}

#[tokio::test]
async fn what_is_changed_or_deleted_holds_for_the_next_attempt() {
    let vault: Arc<Mutex<Option<Arc<Kept>>>> = Arc::default();
    let shared = vault.clone();
    let server = Server::start(move |_, before| {
        let vault = shared.lock().expect("no panic holds it").clone();
        let vault = vault.expect("it is set before the first request");
        let mut connections = vault.connections.lock().expect("no panic holds it");
        match before {
            0 => connections.get_mut(&ID).expect("it is there").live = vec!["rotated-1".to_owned()],
            _ => connections.clear(),
        }
        text(503, "busy")
    })
    .await;
    let connection = kept(Kind::Bearer, &[], &server.url(""));
    let more = json!({ "on_error": { "retries": 5 } });
    let (stage, kept) = stage(Some(connection), &server.url("/a"), more);
    *vault.lock().expect("no panic holds it") = Some(kept);
    let end = stage.run().await;
    assert!(end.failure("call").contains("does not exist any more"));
    let sent: Vec<_> = server
        .requests()
        .iter()
        .map(|request| request.headers["authorization"].clone())
        .collect();
    assert_eq!(
        sent,
        [format!("Bearer {SECRET}"), "Bearer rotated-1".to_owned()]
    );
}

#[tokio::test]
async fn a_test_uses_the_secrets_for_tests_where_there_are_any() {
    for (test, sent) in [
        (vec!["for-tests-only".to_owned()], "for-tests-only"),
        (vec![], SECRET),
    ] {
        let server = Server::start(|request, _| echo(request)).await;
        let mut connection = kept(Kind::Bearer, &[], &server.url(""));
        connection.test = test;
        let (mut stage, _) = stage(Some(connection), &server.url("/a"), json!({}));
        stage.is_test = true;
        let end = stage.run().await.succeeded();
        assert_eq!(
            server.requests()[0].headers["authorization"],
            format!("Bearer {sent}")
        );
        let records = serde_json::to_string(&end.records).expect("records are JSON");
        assert!(!records.contains("for-tests-only"));
    }
}

#[tokio::test]
async fn without_the_vault_nothing_is_sent_and_nothing_fails_for_good() {
    let server = Server::start(|request, _| echo(request)).await;
    let (gone, _) = stage(None, &server.url("/a"), json!({}));
    let end = gone.run().await;
    assert!(end.failure("call").contains("does not exist any more"));

    let connection = kept(Kind::Bearer, &[], &server.url(""));
    let (stage, vault) = stage(Some(connection), &server.url("/a"), json!({}));
    *vault.is_down.lock().expect("no panic holds it") = true;
    let journal = crate::stage::MemoryJournal::default();
    let (outcome, _) = stage.execute(&journal).await;
    let waits = engine::Outcome::Waiting {
        until: Timestamp(START.0 + 2_000),
        records: Vec::new(),
    };
    assert_eq!(outcome, waits, "it is executed again");
    assert_eq!(server.requests().len(), 0);
    *vault.is_down.lock().expect("no panic holds it") = false;
    let end = stage.run_with(journal).await.succeeded();
    assert_eq!(
        (end.state, end.of("call").state),
        (RunState::Succeeded, StepState::Succeeded)
    );
}

#[tokio::test]
async fn trying_out_tells_the_status_and_nothing_else() {
    // Installs what TLS needs.
    let _ = Stage::new(json!([]));
    let other = Server::start(|_, _| text(200, "here")).await;
    let there = other.url("/");
    let server = Server::start(move |request, _| match request.target.as_str() {
        "/away" => with(302, "Location", &there),
        _ => text(403, "no"),
    })
    .await;
    let network = Network {
        allowed: vec!["127.0.0.1".to_owned()],
        ..Network::default()
    };
    let open = |origin: &str| {
        let kept = kept(Kind::Bearer, &[], origin);
        Credentials::new("The shop", kept.kind, &[], kept.origins, &kept.live).expect("it is whole")
    };
    let url = server.url("/me");
    assert_eq!(
        try_out(
            &Clients::default(),
            &network,
            open(&server.url("")),
            &url,
            START
        )
        .await,
        Ok(Some(403))
    );
    let away = server.url("/away");
    assert_eq!(
        try_out(
            &Clients::default(),
            &network,
            open(&server.url("")),
            &away,
            START
        )
        .await,
        Ok(Some(302))
    );
    assert_eq!(other.requests().len(), 0);
    let elsewhere = try_out(
        &Clients::default(),
        &network,
        open("https://api.example.com"),
        &url,
        START,
    )
    .await;
    assert!(elsewhere.is_err_and(|told| told.contains("may not be sent")));
    let guarded = try_out(
        &Clients::default(),
        &Network::default(),
        open(&server.url("")),
        &url,
        START,
    )
    .await;
    assert!(guarded.is_err_and(|told| told.contains("private or local address")));
}

#[tokio::test]
async fn a_token_that_is_not_taken_is_exchanged_once_and_all_that_were_sent_stay_hidden() {
    let tokens = ["the-first-token", "the-second-token"];
    for takes in [Some(1), None] {
        let server = Server::start(move |request, before| {
            let taken = takes == Some(before);
            let told = format!(
                "{} {} {}",
                request.headers["authorization"], tokens[0], SECRET
            );
            text(if taken { 200 } else { 401 }, &told)
        })
        .await;
        let mut connection = kept(Kind::Bearer, &[], &server.url(""));
        connection.tokens = vec![tokens[0], tokens[1], "a-third-token"];
        // A write, too: who is not known has done nothing.
        let more = json!({ "method": "POST", "on_error": { "retries": 3 } });
        let (stage, _) = stage(Some(connection), &server.url("/a"), more);
        let end = stage.run().await;
        assert_eq!(end.of("call").attempts, 1);
        let sent: Vec<_> = server
            .requests()
            .iter()
            .map(|request| request.headers["authorization"].clone())
            .collect();
        assert_eq!(sent, tokens.map(|token| format!("Bearer {token}")));
        assert_eq!(end.state == RunState::Succeeded, takes.is_some());
        assert_eq!(
            end.output("call")["body"],
            "[hidden] [hidden] [hidden]".replacen("[hidden]", "Bearer [hidden]", 1)
        );
        assert_hidden(&end);
        let records = serde_json::to_string(&end.records).expect("records are JSON");
        assert!(!records.contains("-token"), "{records}");
    }
}

#[tokio::test]
async fn a_write_whose_result_is_refused_is_not_sent_again_with_another_token() {
    let server = Server::start(|request, _| match request.target.as_str() {
        "/a" => with(303, "Location", "/result"),
        _ => text(401, "no"),
    })
    .await;
    let mut connection = kept(Kind::Bearer, &[], &server.url(""));
    connection.tokens = vec!["the-first-token", "the-second-token"];
    let write = json!({ "method": "POST" });
    let (stage, _) = stage(Some(connection), &server.url("/a"), write);
    let end = stage.run().await;
    assert_eq!(end.state, RunState::InDoubt);
    let sent = server.requests();
    assert_eq!(sent.iter().filter(|sent| sent.target == "/a").count(), 1);
}

#[tokio::test]
async fn a_write_that_was_refused_is_not_in_doubt_when_its_connection_cannot_be_opened_anew() {
    let shared: Arc<Mutex<Option<Arc<Kept>>>> = Arc::default();
    let vault = shared.clone();
    let server = Server::start(move |request, before| {
        if before == 0 {
            let vault = vault.lock().expect("no panic holds it").clone();
            let vault = vault.expect("it is set before the first request");
            *vault.is_down.lock().expect("no panic holds it") = true;
        }
        let is_known = request.headers["authorization"] == "Bearer the-second-token";
        text(if is_known { 200 } else { 401 }, "")
    })
    .await;
    let mut connection = kept(Kind::Bearer, &[], &server.url(""));
    connection.tokens = vec!["the-first-token", "the-second-token"];
    let (stage, vault) = stage(
        Some(connection),
        &server.url("/a"),
        json!({ "method": "POST" }),
    );
    *shared.lock().expect("no panic holds it") = Some(vault.clone());
    let journal = crate::stage::MemoryJournal::default();
    let (outcome, _) = stage.execute(&journal).await;
    assert!(
        matches!(outcome, engine::Outcome::Waiting { .. }),
        "{outcome:?}"
    );
    *vault.is_down.lock().expect("no panic holds it") = false;
    let end = stage.run_with(journal).await.succeeded();
    assert_eq!(end.of("call").attempts, 1);
    // The first token once more, as nobody remembers that it was refused.
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn without_a_token_for_now_a_step_tries_again_as_its_policy_says() {
    let server = Server::start(|_, _| text(401, "no")).await;
    let mut connection = kept(Kind::Bearer, &[], &server.url(""));
    connection.tokens = vec![NOT_YET];
    let more = json!({ "on_error": { "retries": 2 } });
    let (stage, _) = stage(Some(connection), &server.url("/a"), more);
    let end = stage.run().await;
    assert_eq!(end.of("call").attempts, 3);
    assert!(end.failure("call").contains("No token just now."));
    assert_eq!(
        server.requests().len(),
        0,
        "nothing is sent without a token"
    );
}
