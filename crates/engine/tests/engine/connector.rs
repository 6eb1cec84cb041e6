//! Steps of connectors: what they declare is sent like any request, and stays what it was.

use domain::run::{RunState, StepState};
use engine::Program;
use serde_json::{Value, json};

use crate::server::{Server, json as answer, text};
use crate::stage::{End, Stage, declared, document};

async fn run(server: &Server, method: &str, fields: Value) -> End {
    let mut step = json!({
        "slug": "call", "kind": "connector",
        "action": declared(method, &server.url("/v1"), "/items/{item}"),
    });
    for (name, value) in fields.as_object().expect("fields") {
        step[name] = value.clone();
    }
    let stage = Stage::new(json!([step])).payload(json!({ "id": "../a b", "n": 7 }));
    stage.run().await
}

#[tokio::test]
async fn an_action_sends_what_it_declares_and_gives_the_answer() {
    let server = Server::start(|_, _| answer(&json!({ "ok": true }))).await;
    let fields = json!({ "item": "{{ trigger.id }}", "note": "{{ trigger.n }}" });
    let end = run(&server, "POST", fields).await.succeeded();
    assert_eq!(end.output("call")["body"], json!({ "ok": true }));
    let request = server.requests().remove(0);
    assert_eq!(request.method, "POST");
    assert_eq!(request.target, "/v1/items/..%2Fa%20b");
    assert_eq!(request.body, r#"{"note":"7"}"#);
    assert_eq!(request.headers["idempotency-key"].len(), 64);
    // The record says what was sent, so that nobody has to know the connector to read it.
    let input = &end.of("call").input;
    assert_eq!(input["method"], "POST");
    assert_eq!(input["url"], server.url("/v1/items/..%2Fa%20b"));
    assert_eq!(input["json"], json!({ "note": "7" }));
}

#[tokio::test]
async fn a_field_that_cannot_stand_where_it_goes_fails_the_step_and_sends_nothing() {
    let server = Server::start(|_, _| text(200, "ok")).await;
    for (item, message) in [
        ("{{ none }}", "Item is missing. Fill it in."),
        ("{{ '' }}", "Item: it is empty"),
        ("{{ '..' }}", "leads elsewhere"),
    ] {
        let end = run(&server, "GET", json!({ "item": item })).await;
        assert_eq!(end.state, RunState::Failed, "{item}");
        let record = end.of("call");
        assert_eq!(record.state, StepState::Failed, "{item}");
        let error = record.error.as_deref().unwrap_or_default();
        assert!(error.contains(message), "{item}: {error}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn an_unexpected_status_fails_the_step_as_it_does_a_request() {
    let server = Server::start(|_, _| text(404, "no")).await;
    let end = run(&server, "GET", json!({ "item": "a" })).await;
    assert_eq!(end.state, RunState::Failed);
    assert_eq!(end.output("call")["status"], 404);
}

#[test]
fn what_is_declared_wrongly_is_not_executed() {
    let forged = |pointer: &str, value: Value| {
        let mut action = declared("GET", "https://shop.example.com", "/items/{item}");
        *action.pointer_mut(pointer).expect("it is there") = value;
        let step = json!({ "slug": "call", "kind": "connector", "action": action, "item": "a" });
        Program::compile(&document(json!([step]))).map_err(|error| error.message)
    };
    assert!(forged("/title", json!("Shop")).is_ok());
    for (pointer, value, part) in [
        ("/base", json!("http://example.com"), "base: Use https"),
        (
            "/operation/path",
            json!("/a/../{item}"),
            "path: It holds a segment",
        ),
        (
            "/operation/path",
            json!("/{other}"),
            "No field is filled in for `{other}`",
        ),
    ] {
        let message = forged(pointer, value.clone());
        let is_told = message
            .as_ref()
            .is_err_and(|message| message.contains(part));
        assert!(is_told, "{pointer} {value}: {message:?}");
    }
    let step = json!({ "slug": "call", "kind": "connector", "item": "a" });
    let refused = Program::compile(&document(json!([step]))).expect_err("nothing is declared");
    assert!(refused.message.contains("connector"), "{}", refused.message);
}
