//! Secrets of connections, wanted by someone who may use them but must not have them.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Tally, error_of, for_each, tried};
use crate::app::{PASSWORD, TestApp};

const SECRET: &str = "planted-key-that-stays-here";

/// A service that keeps what it is sent, and leads where the path says: `/to/HEX`.
async fn service(address: &str) -> (u16, Arc<Mutex<String>>) {
    let listener = TcpListener::bind(address).await.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let sent: Arc<Mutex<String>> = Arc::default();
    let keeping = Arc::clone(&sent);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let keeping = Arc::clone(&keeping);
            tokio::spawn(async move {
                let mut head = Vec::new();
                let mut chunk = [0; 4096];
                while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut chunk).await {
                        Ok(count @ 1..) => head.extend(&chunk[..count]),
                        _ => break,
                    }
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                keeping.lock().expect("no panic holds it").push_str(&head);
                let to = head
                    .split("/to/")
                    .nth(1)
                    .and_then(|rest| rest.split([' ', '?']).next());
                let to = to.and_then(|to| hex::decode(to).ok());
                let answer = match to {
                    Some(to) => [
                        &b"HTTP/1.1 307 Away\r\ncontent-length: 0\r\nconnection: close\r\nlocation: "[..],
                        &to,
                        b"\r\n\r\n",
                    ]
                    .concat(),
                    None => b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec(),
                };
                let _ = stream.write_all(&answer).await;
            });
        }
    });
    (port, sent)
}

fn form(kind: &str, names: Value, origin: &str, live: Value) -> Value {
    json!({ "name": format!("By {kind}"), "kind": kind, "names": names, "origins": [origin],
        "live": live, "test": "keep" })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_trick_moves_a_secret_to_another_host() {
    let mut tally = Tally::new("connection-moved");
    let app = TestApp::start().await;
    app.allow_loopback().await;
    let (own, ours) = service("127.0.0.1:0").await;
    let (evil, theirs) = service("127.0.0.1:0").await;
    let (other, elsewhere) = service("127.0.0.2:0").await;
    let mut urls = Vec::new();
    for host in [
        format!("127.0.0.1:{evil}"),
        format!("127.0.0.2:{other}"),
        format!("localhost:{evil}"),
        format!("localhost:{own}"),
        format!("127.0.0.1:{own}@127.0.0.1:{evil}"),
        format!("127.0.0.1:{own}#@127.0.0.1:{evil}"),
        format!("127.0.0.1:{own}.localhost:{evil}"),
        format!("127.0.0.1:{evil}?@127.0.0.1:{own}"),
        format!("127.0.0.1:{evil}\\@127.0.0.1:{own}"),
        format!("127.1:{evil}"),
        format!("0x7f000001:{evil}"),
        format!("[::ffff:127.0.0.1]:{evil}"),
        format!("127.0.0.1:0{evil}"),
    ] {
        for (scheme, path) in [
            ("http", "/"),
            ("HTTP", "/x"),
            ("https", "/"),
            ("http", "//127.0.0.1/"),
            ("http", "/?url=http://127.0.0.1"),
        ] {
            urls.push(format!("{scheme}://{host}{path}"));
        }
        // The service itself leads away: the request goes on without the secret.
        let to = hex::encode(format!("http://{host}/"));
        urls.push(format!("http://127.0.0.1:{own}/to/{to}"));
        let twice = hex::encode(format!("http://127.0.0.1:{own}/to/{to}"));
        urls.push(format!("http://127.0.0.1:{own}/to/{twice}"));
    }
    let items: Vec<Value> = urls.into_iter().map(Value::from).collect();
    for (kind, names) in [
        ("bearer", json!([])),
        ("basic", json!(["me"])),
        ("header_key", json!(["X-Key"])),
        ("query_key", json!(["key"])),
    ] {
        let origin = format!("http://127.0.0.1:{own}");
        let form = form(kind, names, &origin, json!({ "set": [SECRET] }));
        let made = app
            .admin
            .must("create_connection", json!({ "form": form }))
            .await;
        let step = json!({ "method": "GET", "url": "{{ item }}", "timeout_seconds": 5,
            "connection": made });
        let (_, path) = app.publish(&for_each("http.request", &step)).await;
        let before = ours
            .lock()
            .expect("no panic holds it")
            .matches("HTTP/1.1")
            .count();
        for (item, output) in items.iter().zip(tried(&app, &path, &items).await) {
            let shown = output.to_string();
            tally.input(!shown.contains(SECRET), || {
                format!("{kind} {item}: {shown}")
            });
            let _ = error_of(&output);
        }
        assert!(
            ours.lock().expect("no panic holds it").len() > before,
            "it is used"
        );
    }
    let ours = ours.lock().expect("no panic holds it").clone();
    assert!(ours.contains(SECRET), "its own service gets it");
    for (name, sent) in [("another port", theirs), ("another address", elsewhere)] {
        let sent = sent.lock().expect("no panic holds it").clone();
        let found = crate::connection::forms(SECRET)
            .into_iter()
            .find(|form| sent.contains(form));
        tally.input(found.is_none(), || format!("{name} was sent {found:?}"));
        assert!(
            !sent.is_empty() || name == "another address",
            "{name} is asked without it"
        );
    }
    app.end().await;
    tally.end(360);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_manage_secrets_neither_reads_nor_moves_nor_borrows_them() {
    let mut tally = Tally::new("connection-taken");
    let app = TestApp::with_role("web").await;
    let origin = "https://api.example.com";
    let bearer = form("bearer", json!([]), origin, json!({ "set": [SECRET] }));
    let id = app
        .admin
        .must("create_connection", json!({ "form": bearer }))
        .await;
    let moved = form("bearer", json!([]), "https://evil.example", json!("keep"));
    let narrow = form("bearer", json!([]), origin, json!("keep"));
    for (who, client) in [
        ("admin", &app.admin),
        ("collaborator", &app.collaborator),
        ("reader", &app.reader),
        ("outsider", &app.outsider),
        ("anonymous", &app.anonymous),
    ] {
        // Moved without the secret: not even by an Admin.
        let change = json!({ "id": id, "form": moved });
        let answer = client.call("change_connection", change).await;
        tally.input(answer.status >= 400, || {
            format!("{who} moved it: {}", answer.text)
        });
        if who != "admin" {
            for (function, fields) in [
                ("change_connection", json!({ "id": id, "form": narrow })),
                ("delete_connection", json!({ "id": id })),
                ("connect_connection", json!({ "id": id, "is_test": false })),
                ("create_connection", json!({ "form": bearer })),
            ] {
                let answer = client.call(function, fields).await;
                let is_their_own = who == "outsider" && function == "create_connection";
                let is_stopped = answer.status >= 400 || is_their_own;
                tally.input(is_stopped, || format!("{who} {function}: {}", answer.text));
            }
        }
        for origin in [
            "https://evil.example",
            "https://api.example.com.evil.example",
            "http://api.example.com",
            "https://api.example.com:444",
            "https://API.example.com@evil.example",
            "",
        ] {
            let test = json!({ "id": id, "is_test": false, "origin": origin, "path": "/" });
            let answer = client.call("try_connection", test).await;
            tally.input(answer.status >= 400, || {
                format!("{who} {origin}: {}", answer.text)
            });
        }
        for path in [
            "@evil.example/",
            ".evil.example/",
            ":80@evil.example/",
            "",
            "evil",
            "\\\\evil.example/",
        ] {
            let test = json!({ "id": id, "is_test": false, "origin": origin, "path": path });
            let answer = client.call("try_connection", test).await;
            tally.input(answer.status >= 400, || {
                format!("{who} {path}: {}", answer.text)
            });
        }
        for function in ["connections", "connection_uses", "audit"] {
            let answer = client.call(function, json!({})).await;
            let is_stopped = !answer.text.contains(SECRET)
                && (who != "outsider" || !answer.text.contains(id.as_str().expect("it is one")));
            tally.input(is_stopped, || format!("{who} {function}: {}", answer.text));
        }
    }
    // Another organization names it in a step of its own.
    let step = json!({ "method": "GET", "url": "https://api.example.com/", "connection": id });
    let document = crate::document::webhook(&[("http.request", "Borrow", step)]);
    let new = json!({ "name": "Borrows", "document": document });
    let draft = app.outsider.must("create_integration", new).await;
    let publish = json!({ "id": draft, "revision": 1, "note": "", "reason": "borrowed" });
    let answer = app.outsider.call("publish", publish).await;
    tally.input(answer.status >= 400, || {
        format!("it is published: {}", answer.text)
    });
    let password = json!({ "email": "admin@ours.example", "password": format!("{PASSWORD}x") });
    let answer = app.anonymous.call("sign_in", password).await;
    tally.input(answer.status >= 400, || "a wrong password".to_owned());
    app.end().await;
    tally.end(90);
}
