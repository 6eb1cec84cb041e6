//! What a component may not ask for, and what a step may not say of one.

use domain::connector::Asked;
use domain::run::RunState;
use engine::Program;
use serde_json::{Value, json};

use super::{Logic, asked, read, stage, step, write};
use crate::server::{Server, text};
use crate::stage::document;

#[tokio::test]
async fn what_is_not_allowed_ends_the_step_and_nothing_is_sent() {
    let server = Server::start(|_, _| text(200, "ok")).await;
    let elsewhere = Server::start(|_, _| text(200, "ok")).await;
    let none = json!({});
    let cases: [(Value, Logic, &str); 9] = [
        (
            json!({ "/component/hosts": [elsewhere.url("")] }),
            read,
            "may not reach",
        ),
        (json!({ "/operation/effect": "read" }), write, "only reads"),
        (
            none.clone(),
            |job, ask| {
                ask(Asked {
                    url: "file:///etc/passwd".to_owned(),
                    ..asked("GET", job, "")
                })
            },
            "no web address",
        ),
        (
            none.clone(),
            |job, ask| {
                ask(Asked {
                    url: asked("GET", job, "/").url.replace("//", "//user:password@"),
                    ..asked("GET", job, "")
                })
            },
            "no web address",
        ),
        (
            none.clone(),
            |job, ask| {
                ask(Asked {
                    method: "TRACE".to_owned(),
                    ..asked("GET", job, "/")
                })
            },
            "the method `TRACE`",
        ),
        (
            none.clone(),
            |job, ask| {
                ask(Asked {
                    headers: vec![("X-A".to_owned(), "a\r\nHost: b".to_owned())],
                    ..asked("GET", job, "/")
                })
            },
            "control character",
        ),
        (
            none.clone(),
            |job, ask| {
                ask(Asked {
                    headers: vec![("Host".to_owned(), "b".to_owned())],
                    ..asked("GET", job, "/")
                })
            },
            "set by Sluice itself",
        ),
        (
            none.clone(),
            |job, ask| {
                ask(Asked {
                    headers: vec![("a".to_owned(), "b".to_owned()); 51],
                    ..asked("GET", job, "/")
                })
            },
            "too large",
        ),
        (
            none,
            |job, ask| {
                ask(Asked {
                    url: format!(
                        "{}/{}",
                        job.input["url"].as_str().unwrap_or_default(),
                        "a".repeat(9_000)
                    ),
                    ..asked("GET", job, "/")
                })
            },
            "too large",
        ),
    ];
    for (more, logic, message) in cases {
        let (stage, _) = stage(step(&server, &more), logic);
        let end = stage.run().await;
        let error = end.of("logic").error.clone().unwrap_or_default();
        assert!(
            end.state == RunState::Failed && error.contains(message),
            "{message}: {error}"
        );
    }
    // A host that the connector names is still none that the network lets through.
    let mut step = step(
        &server,
        &json!({ "/component/hosts": ["http://169.254.1.1"] }),
    );
    step["url"] = json!("http://169.254.1.1");
    let (stage, _) = stage(step, read);
    assert_eq!(stage.run().await.state, RunState::Failed);
    assert!(server.requests().is_empty() && elsewhere.requests().is_empty());
}

#[test]
fn what_a_step_says_wrongly_of_a_component_is_not_executed() {
    let base = |more: Value| {
        let mut action = json!({
            "connector": "logic", "title": "Logic", "icon": "plug", "base": "https://logic.example.com",
            "component": { "sha256": "a".repeat(64) },
            "operation": { "key": "do", "title": "Do", "run": "do" },
        });
        for (pointer, value) in more.as_object().expect("members") {
            let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
            action.pointer_mut(parent).expect("it is there")[name] = value.clone();
        }
        let step = json!({ "slug": "logic", "kind": "connector", "action": action });
        Program::compile(&document(json!([step]))).map_err(|error| error.message)
    };
    assert!(base(json!({})).is_ok());
    for (more, part) in [
        (
            json!({ "/component": null }),
            "component: An action has a component",
        ),
        (
            json!({ "/operation/run": "" }),
            "component: An action has a component",
        ),
        (
            json!({ "/component/sha256": "" }),
            "sha256: Write the SHA-256",
        ),
        (
            json!({ "/component/sha256": "A".repeat(64) }),
            "sha256: Write the SHA-256",
        ),
        (
            json!({ "/component/hosts": ["https://a.example.com/path"] }),
            "hosts: Write each",
        ),
        (
            json!({ "/component/hosts": vec!["https://a.example.com"; 21] }),
            "hosts: At most",
        ),
        (json!({ "/operation/run": "a b" }), "run: Use"),
        (
            json!({ "/operation/method": "POST" }),
            "run: The component makes",
        ),
        (
            json!({ "/operation/path": "/a" }),
            "run: The component makes",
        ),
    ] {
        let message = base(more.clone());
        let is_told = message
            .as_ref()
            .is_err_and(|message| message.contains(part));
        assert!(is_told, "{more}: {message:?}");
    }
}
