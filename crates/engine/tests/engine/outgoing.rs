//! What an organization's requests keep to, as a run meets it.

use std::time::Duration;

use domain::network::{Encryption, Rules};
use domain::run::RunState;
use engine::port::Network;
use serde_json::{Value, json};

use crate::server::{Server, text, with};
use crate::stage::{End, Stage};

/// How many failures in a row take a host for down.
const FAILURES: usize = 10;

/// A stage with one step that calls; its engine, and so what is known of hosts, stays the same.
fn stage(step: Value) -> Stage {
    let mut call = json!({"slug": "call", "kind": "http.request"});
    for (name, value) in step.as_object().expect("fields") {
        call[name] = value.clone();
    }
    Stage::new(json!([call]))
}

fn message(end: &End) -> &str {
    end.failure("call")
}

#[tokio::test]
async fn a_host_that_asks_for_rest_gets_it_from_every_step_without_a_worker() {
    let server = Server::start(|_, before| match before {
        0 => with(429, "Retry-After", "30"),
        _ => text(200, "ok"),
    })
    .await;
    let url = server.url("/");
    let stage = Stage::new(json!([
        {"slug": "first", "kind": "http.request", "url": url, "on_error": {"then": "continue"}},
        {"slug": "second", "kind": "http.request", "method": "POST", "url": url},
    ]));
    let end = stage.run().await.succeeded();
    let waited = stage.waited.lock().expect("no panic").clone();
    let [waited] = waited.as_slice() else {
        panic!("it waits once: {waited:?}");
    };
    assert!(*waited >= Duration::from_secs(30) && *waited < Duration::from_secs(32));
    // Waiting for its turn is no attempt, and a write that waited is in no doubt.
    assert_eq!(end.of("second").attempts, 1);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_rate_holds_for_all_steps_and_none_is_lost() {
    let server = Server::start(|_, _| text(200, "ok")).await;
    let items: Vec<usize> = (0..20).collect();
    let mut stage = Stage::new(json!([
        {"slug": "each", "kind": "loop", "items": items, "do": [
            {"slug": "call", "kind": "http.request", "url": server.url("/")},
        ]},
    ]));
    stage.network.rules = Rules {
        per_second: Some(50),
        at_once: Some(1),
        ..Rules::default()
    };
    let begun = std::time::Instant::now();
    stage.run().await.succeeded();
    let virtually: Duration = stage.waited.lock().expect("no panic").iter().sum();
    assert_eq!(server.requests().len(), 20);
    // Nineteen times a fiftieth of a second lies between them, whoever waited it.
    assert!(begun.elapsed() + virtually >= Duration::from_millis(19 * 20));
}

#[tokio::test]
async fn a_host_that_is_down_is_left_alone_and_one_request_after_a_pause_ends_that() {
    let server = Server::start(|_, before| match before {
        0..FAILURES => text(503, "down"),
        _ => text(200, "up"),
    })
    .await;
    let mut stage = stage(json!({"url": server.url("/"), "on_error": {"retries": 1}}));
    let wait = || stage.waited.lock().expect("no panic").clone();
    let mut failed = 0;
    while server.requests().len() < FAILURES {
        let end = stage.run().await;
        failed += usize::from(end.state == RunState::Failed);
    }
    assert!(failed >= FAILURES / 2 - 1);
    let before = wait().len();
    let end = stage.run().await.succeeded();
    // The first attempt was refused, the second went as soon as the pause was over.
    assert_eq!(end.of("call").attempts, 2);
    let pause = wait()[before..].to_vec();
    let [pause] = pause.as_slice() else {
        panic!("it waits once: {pause:?}");
    };
    assert!(*pause >= Duration::from_secs(5) && *pause < Duration::from_secs(6));
    assert_eq!(server.requests().len(), FAILURES + 1);
    assert_eq!(stage.run().await.succeeded().of("call").attempts, 1);
    // Nothing of it is known for another organization.
    stage.network.owner = Some(domain::OrganizationId::new(uuid::Uuid::from_u128(1)));
    assert_eq!(stage.run().await.succeeded().of("call").attempts, 1);
}

#[tokio::test]
async fn without_retries_a_request_to_a_host_that_is_down_fails_at_once_and_says_why() {
    let stage = stage(json!({"url": "http://127.0.0.1:9/", "method": "POST"}));
    for _ in 0..FAILURES {
        assert!(message(&stage.run().await).contains("Could not connect"));
    }
    let end = stage.run().await;
    assert_eq!(end.state, RunState::Failed);
    let said = message(&end);
    assert!(said.contains("failed 10 times in a row"), "{said}");
    assert!(said.contains("could not be reached"), "{said}");
    assert!(said.contains("was not sent"), "{said}");
}

#[tokio::test]
async fn a_host_that_refuses_what_is_sent_is_not_down() {
    for status in [400, 401, 403, 404, 409, 422, 429] {
        let server = Server::start(move |_, _| text(status, "no")).await;
        let stage = stage(json!({"url": server.url("/")}));
        for _ in 0..=FAILURES {
            stage.run().await;
        }
        assert_eq!(server.requests().len(), FAILURES + 1, "{status}");
    }
}

#[tokio::test]
async fn where_encryption_is_required_nothing_else_leaves() {
    let server = Server::start(|_, _| text(200, "ok")).await;
    let mut stage = stage(json!({"url": server.url("/")}));
    let network = |encryption, allowed: &str| Network {
        rules: Rules {
            encryption,
            ..Rules::default()
        },
        ..Network::allowing([allowed])
    };
    for (network, goes) in [
        (network(Encryption::All, "127.0.0.1"), false),
        (network(Encryption::Public, "127.0.0.1"), true),
        (network(Encryption::Public, "10.0.0.0/8"), false),
        (network(Encryption::Free, "127.0.0.1"), true),
    ] {
        stage.network = network;
        let before = server.requests().len();
        let end = stage.run().await;
        assert_eq!(end.state == RunState::Succeeded, goes, "{end:?}");
        assert_eq!(server.requests().len(), before + usize::from(goes));
    }
    stage.network = network(Encryption::All, "127.0.0.1");
    let end = stage.run().await;
    assert!(message(&end).contains("without encryption"), "{end:?}");
}
