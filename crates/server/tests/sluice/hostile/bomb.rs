//! Calls and answers that are made to cost more than they should.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Tally, error_of, for_each, tried};
use crate::app::TestApp;
use crate::document::webhook;

#[tokio::test(flavor = "multi_thread")]
async fn no_call_is_taken_that_costs_more_than_it_should() {
    let mut tally = Tally::new("call-bomb");
    let app = TestApp::with_role("web").await;
    let document = webhook(&[("log", "Note", json!({ "message": "came" }))]);
    let (id, path) = app.publish(&document).await;
    let nested = |open: &str, close: &str, depth: usize| {
        format!("{}1{}", open.repeat(depth), close.repeat(depth))
    };
    let json = "application/json";
    for (content_type, encoding, body) in [
        (json, "", nested("[", "]", 101)),
        (json, "", nested("[", "]", 100_000)),
        (json, "", nested("{\"a\":", "}", 100_000)),
        (json, "", "[".repeat(1_000_000)),
        (json, "", format!("\"{}\"", "x".repeat(3 * 1024 * 1024))),
        ("text/plain", "", "x".repeat(3 * 1024 * 1024)),
        (
            "application/x-www-form-urlencoded",
            "",
            "a=".repeat(2 * 1024 * 1024),
        ),
        (json, "", "{\"a\": 1e999}".to_owned()),
        (json, "", "{\"a\": \"\\ud800\"}".to_owned()),
        (json, "", "{\"a\": 1".to_owned()),
        (json, "", "NaN".to_owned()),
        (json, "", "{a: 1}".to_owned()),
        (json, "gzip", "\u{1f}\u{8b}\u{8}".to_owned()),
        (json, "deflate", "x".to_owned()),
        (json, "br", "x".to_owned()),
        (json, "gzip, gzip", "x".to_owned()),
    ] {
        let mut request = app.anonymous.request("POST", &path);
        request = request.header("content-type", content_type);
        if !encoding.is_empty() {
            request = request.header("content-encoding", encoding);
        }
        let shown = format!("{content_type} {encoding} {}", &body[..body.len().min(30)]);
        // Who is refused while still sending may see the connection end.
        let status = request
            .body(body)
            .send()
            .await
            .map(|answer| answer.status().as_u16());
        let is_stopped = status.as_ref().map_or(true, |status| *status >= 400);
        tally.input(is_stopped, || format!("{shown}: {status:?}"));
    }
    let asked = json!({ "integration": id, "state": null, "before": null });
    let runs = app.admin.must("runs", asked).await;
    tally.input(runs == json!([]), || format!("runs: {runs}"));
    let health = app.anonymous.get("/health/live").await;
    tally.input(health.status == 200, || {
        format!("it does not live: {}", health.text)
    });
    app.end().await;
    tally.end(18);
}

/// How a service behaves that means harm, by the path that it is asked for.
const MANNERS: [(&str, &str); 14] = [
    ("endless", "larger than"),
    ("endless-chunks", "larger than"),
    ("long", "larger than"),
    ("silent", "did not answer within"),
    ("drip", "did not answer within"),
    ("drip-head", "did not answer within"),
    ("head", "broke"),
    ("heads", "broke"),
    ("no-http", "broke"),
    ("cut", "broke"),
    ("twice", "broke"),
    ("odd-length", "broke"),
    ("circle", "redirected more than"),
    ("odd-status", ""),
];

/// A service that behaves as the path says.
async fn service() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut chunk = [0; 4096];
                let count = stream.read(&mut chunk).await.unwrap_or_default();
                let head = String::from_utf8_lossy(&chunk[..count]).into_owned();
                let path = head.split(['/', ' ']).nth(2).unwrap_or_default().to_owned();
                let fine = "HTTP/1.1 200 OK\r\n";
                let (start, again) = match path.as_str() {
                    "endless" => (format!("{fine}\r\n"), "x".repeat(64 * 1024)),
                    "endless-chunks" => (
                        format!("{fine}transfer-encoding: chunked\r\n\r\n"),
                        format!("10000\r\n{}\r\n", "x".repeat(65_536)),
                    ),
                    "long" => (format!("{fine}content-length: 99999999999\r\n\r\n"), String::new()),
                    "head" => (fine.to_owned(), format!("a: {}\r\n", "x".repeat(8_192))),
                    "heads" => (fine.to_owned(), "a: b\r\n".repeat(1_000)),
                    "no-http" => ("SSH-2.0-x\r\n".to_owned(), String::new()),
                    "cut" => (format!("{fine}content-length: 9\r\n\r\nx"), String::new()),
                    "twice" => (
                        format!("{fine}content-length: 1\r\ncontent-length: 2\r\n\r\nxx"),
                        String::new(),
                    ),
                    "odd-length" => (format!("{fine}content-length: -1\r\n\r\n"), String::new()),
                    "circle" => (
                        "HTTP/1.1 302 Away\r\nlocation: /circle\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned(),
                        String::new(),
                    ),
                    "odd-status" => ("HTTP/1.1 999 What\r\ncontent-length: 0\r\n\r\n".to_owned(), String::new()),
                    "drip" => (format!("{fine}content-length: 9999\r\n\r\n"), "drip".to_owned()),
                    "drip-head" => (fine.to_owned(), "drip".to_owned()),
                    _ => {
                        // Silent, until the other side has gone.
                        while stream.read(&mut chunk).await.is_ok_and(|count| count > 0) {}
                        return;
                    }
                };
                if stream.write_all(start.as_bytes()).await.is_err() {
                    return;
                }
                while !again.is_empty() {
                    let more = if again == "drip" { "x" } else { again.as_str() };
                    if stream.write_all(more.as_bytes()).await.is_err() {
                        return;
                    }
                    if again == "drip" {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_takes_more_than_it_may() {
    let mut tally = Tally::new("answer-bomb");
    let app = TestApp::start().await;
    app.allow_loopback().await;
    let port = service().await;
    let step = json!({ "method": "GET", "url": "{{ item }}", "timeout_seconds": 1 });
    let (_, path) = app.publish(&for_each("http.request", &step)).await;
    let items: Vec<Value> = MANNERS
        .iter()
        .map(|(manner, _)| json!(format!("http://127.0.0.1:{port}/{manner}")))
        .collect();
    for ((manner, why), output) in MANNERS.iter().zip(tried(&app, &path, &items).await) {
        let said = error_of(&output).unwrap_or_default();
        tally.input(!said.is_empty() && said.contains(why), || {
            format!("{manner}: {output}")
        });
    }
    // No TLS where some is expected, and some that nobody vouches for.
    let plain = [json!(format!("https://127.0.0.1:{port}/silent"))];
    let output = tried(&app, &path, &plain).await.remove(0);
    tally.input(error_of(&output).is_some(), || format!("bad TLS: {output}"));
    // What is next to it goes on.
    let (_, other) = app
        .publish(&webhook(&[(
            "respond",
            "Answer",
            json!({ "body_type": "none" }),
        )]))
        .await;
    let answer = app.anonymous.post_json(&other, &json!({})).await;
    tally.input(answer.status == 200, || {
        format!("its neighbour: {}", answer.text)
    });
    app.end().await;
    tally.end(16);
}
