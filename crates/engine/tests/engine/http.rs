//! The HTTP request step against a server that behaves, and one that does not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::run::{RunState, StepState};
use engine::{Engine, Outcome, Signal};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::server::{Reply, Server, json as answer, text, with};
use crate::stage::{End, MemoryJournal, Stage, Standing, document};

async fn call(fields: Value) -> End {
    call_on(fields).await.0
}

async fn call_on(fields: Value) -> (End, Stage) {
    let mut step = json!({"slug": "call", "kind": "http.request"});
    for (name, value) in fields.as_object().expect("fields") {
        step[name] = value.clone();
    }
    let stage = Stage::new(json!([step])).payload(json!({"id": 7, "name": "A \"B\" & c"}));
    (stage.run().await, stage)
}

#[tokio::test]
async fn a_request_carries_what_was_configured_and_gives_the_answer() {
    let server = Server::start(|_, _| answer(&json!({"ok": true}))).await;
    let end = call(json!({
        "method": "POST", "url": server.url("/orders/{{ trigger.id }}?a=1"),
        "query": {"q": "{{ trigger.name }}", "list": [1, 2], "none": null},
        "headers": {"X-Api-Key": "geheim", "X-Plain": 5, "Authorization": "Bearer geheim", "Cookie": "geheim"},
        "body_type": "json", "json": "{\"name\": \"{{ trigger.name }}\", \"id\": {{ trigger.id }}}",
    }))
    .await
    .succeeded();
    assert_eq!(end.output("call")["status"], 200);
    assert_eq!(
        end.output("call")["headers"]["content-type"],
        "application/json"
    );
    assert_eq!(end.output("call")["body"], json!({"ok": true}));
    let request = server.requests().remove(0);
    assert_eq!(request.method, "POST");
    assert_eq!(
        request.target,
        "/orders/7?a=1&q=A+%22B%22+%26+c&list=1&list=2"
    );
    assert_eq!(request.headers["x-api-key"], "geheim");
    assert_eq!(request.headers["authorization"], "Bearer geheim");
    assert_eq!(request.headers["x-plain"], "5");
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers["idempotency-key"].len(), 64);
    assert!(request.headers["user-agent"].starts_with("Sluice/"));
    assert_eq!(request.body, r#"{"name":"A \"B\" & c","id":7}"#);
    let recorded = serde_json::to_string(&end.records).expect("records are JSON");
    assert!(!recorded.contains("geheim"), "{recorded}");
    assert_eq!(end.of("call").input["headers"]["Authorization"], "[hidden]");
}

#[tokio::test]
async fn bodies_are_encoded_by_type() {
    let server = Server::start(|_, _| text(200, "plain")).await;
    let url = server.url("/");
    call(json!({"method": "PUT", "url": url, "body_type": "form", "form": {"a": "1 & 2", "b": "{{ trigger.id }}"}, "json": "{{ trigger.nothing }}"})).await.succeeded();
    call(json!({"method": "PATCH", "url": url, "body_type": "text", "text": "é {{ trigger.id }}", "headers": {"content-type": "text/csv"}})).await.succeeded();
    call(json!({"method": "POST", "url": url, "body_type": "json", "json": {"deep": ["{{ trigger.id }}"]}})).await.succeeded();
    let end = call(json!({"method": "DELETE", "url": url}))
        .await
        .succeeded();
    assert_eq!(end.output("call")["body"], "plain");
    call(json!({"method": "HEAD", "url": url}))
        .await
        .succeeded();
    call(json!({"method": "POST", "url": url}))
        .await
        .succeeded();
    call(json!({"method": "POST", "url": url, "body_type": "text", "text": ""}))
        .await
        .succeeded();
    let requests = server.requests();
    let sent: Vec<_> = requests
        .iter()
        .map(|r| {
            (
                r.body.as_str(),
                r.headers.get("content-type").map(String::as_str),
            )
        })
        .collect();
    assert_eq!(
        sent,
        [
            ("a=1+%26+2&b=7", Some("application/x-www-form-urlencoded")),
            ("é 7", Some("text/csv")),
            (r#"{"deep":[7]}"#, Some("application/json")),
            ("", None),
            ("", None),
            ("", None),
            ("", Some("text/plain; charset=utf-8")),
        ]
    );
    let lengths: Vec<_> = requests
        .iter()
        .map(|request| request.headers.get("content-length").map(String::as_str))
        .collect();
    let said = ["13", "4", "12", "", "", "0", "0"];
    let said = said.map(|length| Some(length).filter(|length| !length.is_empty()));
    assert_eq!(lengths, said);
    assert!(
        !requests[4].headers.contains_key("idempotency-key"),
        "reading needs no key"
    );
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_before_anything_is_sent() {
    let server = Server::start(|_, _| text(200, "")).await;
    let url = server.url("/");
    for (fields, part) in [
        (json!({"url": "{{ trigger.name }}"}), "is not a web address"),
        (
            json!({"url": url, "query": {"long": "x".repeat(70_000)}}),
            "cannot be sent",
        ),
        (
            json!({"url": url, "headers": {"Host": "evil"}}),
            "set by Sluice",
        ),
        (
            json!({"url": url, "headers": {"Content-Length": "5"}}),
            "set by Sluice",
        ),
        (
            json!({"url": url, "headers": {"Transfer-Encoding": "chunked"}}),
            "set by Sluice",
        ),
        (
            json!({"url": url, "headers": {"Connection": "close"}}),
            "set by Sluice",
        ),
        (
            json!({"url": url, "headers": {"a b": "x"}}),
            "not a header name",
        ),
        (
            json!({"url": url, "headers": {"x-a": "one\r\nx-b: two"}}),
            "line break",
        ),
        (
            json!({"url": url, "headers": {"x-a": {"no": 1}}}),
            "must be a text",
        ),
        (
            json!({"url": url, "timeout_seconds": "{{ 1000 }}"}),
            "time-out",
        ),
        (
            json!({"url": url, "expected_status": "{{ trigger.name }}"}),
            "not a list of HTTP statuses",
        ),
        (
            json!({"url": url, "method": "{{ 'TRACE' }}"}),
            "cannot be `TRACE`",
        ),
        (
            json!({"url": url, "body_type": "json", "json": "{\"a\": {{ trigger.id }}"}),
            "not JSON",
        ),
    ] {
        let end = call(fields).await;
        let error = end.failure("call");
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn an_unexpected_status_fails_the_step_and_shows_the_answer() {
    let server = Server::start(|_, _| text(404, "nothing here")).await;
    let end = call(json!({"url": server.url("/")})).await;
    assert_eq!(
        end.failure("call"),
        "`127.0.0.1` answered 404 Not Found, but 2xx is expected. Check the URL."
    );
    assert_eq!(end.output("call")["body"], "nothing here");
    call(json!({"url": server.url("/"), "expected_status": "2xx, 404"}))
        .await
        .succeeded();
}

#[tokio::test]
async fn retries_are_counted_waited_for_and_keep_the_key() {
    let server = Server::start(|_, before| {
        if before < 2 {
            text(503, "busy")
        } else {
            text(200, "ok")
        }
    })
    .await;
    let retry = |retries: u8| json!({"retries": retries});
    let (end, stage) =
        call_on(json!({"method": "POST", "url": server.url("/"), "on_error": retry(3)})).await;
    let end = end.succeeded();
    assert_eq!(end.of("call").attempts, 3);
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(
        |request| request.headers["idempotency-key"] == requests[0].headers["idempotency-key"]
    ));
    // A moment is waited for here, more than that without a worker.
    let slept = stage.clock.slept.lock().expect("no panic").clone();
    let waited = stage.waited.lock().expect("no panic").clone();
    assert_eq!(slept.len() + waited.len(), 2);
    let second = Duration::from_secs(1);
    assert!(slept.iter().all(|wait| *wait <= second), "{slept:?}");
    assert!(
        waited
            .iter()
            .all(|wait| second < *wait && *wait <= 2 * second),
        "{waited:?}"
    );

    let failing = Server::start(|_, _| text(500, "broken")).await;
    let (end, _) = call_on(json!({"url": failing.url("/"), "on_error": retry(2)})).await;
    assert_eq!(
        (end.state, end.of("call").attempts, failing.requests().len()),
        (RunState::Failed, 3, 3)
    );

    for (status, attempts) in [
        (400, 1),
        (401, 1),
        (404, 1),
        (409, 1),
        (408, 3),
        (425, 3),
        (429, 3),
        (301, 1),
        (502, 3),
    ] {
        let server = Server::start(move |_, _| text(status, "")).await;
        call(json!({"url": server.url("/"), "on_error": retry(2)}))
            .await
            .failure("call");
        assert_eq!(server.requests().len(), attempts, "{status}");
    }
    let closing = Server::start(|_, _| Reply::Close).await;
    let end = call(json!({"url": closing.url("/"), "on_error": retry(1)})).await;
    assert!(end.failure("call").contains("broke"), "{end:#?}");
    assert_eq!(closing.requests().len(), 2);
}

#[tokio::test]
async fn retry_after_is_honoured_up_to_a_cap() {
    let server = Server::start(|_, before| match before {
        0 => with(429, "Retry-After", "7"),
        1 => with(503, "Retry-After", "90000"),
        _ => text(200, ""),
    })
    .await;
    let (end, stage) = call_on(json!({"url": server.url("/"), "on_error": {"retries": 5}})).await;
    assert_eq!(end.succeeded().of("call").attempts, 3);
    assert_eq!(
        *stage.waited.lock().expect("no panic"),
        [Duration::from_secs(7), Duration::from_secs(24 * 60 * 60)]
    );
}

#[tokio::test]
async fn a_write_without_an_answer_is_in_doubt_and_not_sent_again() {
    for (extra, requests, state) in [
        (json!({}), 1, RunState::InDoubt),
        (
            json!({"on_error": {"retries": 2, "then": "continue"}}),
            1,
            RunState::Succeeded,
        ),
        (json!({"no_answer": "repeat"}), 3, RunState::Failed),
        (json!({"method": "PUT"}), 3, RunState::Failed),
    ] {
        let server = Server::start(|_, _| Reply::Close).await;
        let mut step =
            json!({"method": "POST", "url": server.url("/"), "on_error": {"retries": 2}});
        for (field, value) in extra.as_object().expect("fields") {
            step[field] = value.clone();
        }
        let end = call(step).await;
        assert_eq!(
            (server.requests().len(), end.state),
            (requests, state),
            "{extra}: {end:#?}"
        );
        let expected = if requests == 1 {
            StepState::InDoubt
        } else {
            StepState::Failed
        };
        assert_eq!(end.of("call").state, expected);
    }
    // Nobody was reached, so nothing is in doubt.
    let end =
        call(json!({"method": "POST", "url": "http://127.0.0.1:9/", "on_error": {"retries": 1}}))
            .await;
    assert_eq!(end.of("call").attempts, 2);
    assert!(end.failure("call").contains("Could not connect"));
}

#[tokio::test]
async fn a_write_that_was_not_begun_in_time_is_not_in_doubt() {
    // Who connects is never answered, and so nobody proves to be the one who is called.
    let mute = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("https://{}/", mute.local_addr().expect("it is bound"));
    let end = call(json!({"method": "POST", "url": url, "timeout_seconds": 0.2})).await;
    assert_eq!(
        end.failure("call"),
        "`127.0.0.1` could not be reached within 0.2 s. Check that the service is up and the URL is right, or raise the time-out."
    );
    let silent = Server::start(|_, _| Reply::Silent).await;
    let url = silent.url("/");
    let begun = call(json!({"method": "POST", "url": url, "timeout_seconds": 0.2})).await;
    assert_eq!(begun.state, RunState::InDoubt);
}

#[tokio::test]
async fn what_goes_on_can_tell_a_write_in_doubt_from_one_that_failed() {
    let server = Server::start(|request, _| match request.target.as_str() {
        "/gone" => text(410, "gone"),
        _ => Reply::Close,
    })
    .await;
    for (path, code) in [("/gone", "http_410"), ("/silent", "in_doubt")] {
        let stage = Stage::new(json!([
            {"slug": "call", "kind": "http.request", "method": "POST", "url": server.url(path),
                "on_error": {"then": "continue"}},
            {"slug": "told", "kind": "set", "values": {"code": "{{ steps.call.error.code }}"}},
        ]));
        let end = stage.run().await.succeeded();
        assert_eq!(
            end.output("told")["code"].to_string().trim_matches('"'),
            code
        );
    }
}

#[tokio::test]
async fn a_slow_server_is_given_up() {
    let server = Server::start(|_, _| Reply::Silent).await;
    let begun = Instant::now();
    let end = call(json!({"url": server.url("/"), "timeout_seconds": 0.2})).await;
    assert_eq!(
        end.failure("call"),
        "`127.0.0.1` did not answer within 0.2 s. Check the service, or raise the time-out."
    );
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn an_endless_or_too_large_body_is_cut_off() {
    let endless = Server::start(|_, _| Reply::Endless).await;
    let end = call(json!({"url": endless.url("/")})).await;
    assert!(end.failure("call").contains("larger than 5 MB"));
    let large =
        Server::start(|_, _| Reply::Send(200, Vec::new(), vec![b'x'; 5 * 1024 * 1024 + 1])).await;
    let end = call(json!({"url": large.url("/")})).await;
    assert!(end.failure("call").contains("larger than 5 MB"));
    assert_eq!(end.of("call").attempts, 1);
}

#[tokio::test]
async fn redirects_are_followed_a_few_times() {
    let target =
        Server::start(|request, _| text(200, &format!("{} {}", request.method, request.body)))
            .await;
    let there = target.url("/there");
    let server = Server::start(move |request, _| match request.target.as_str() {
        "/round" => with(302, "Location", "/round"),
        "/303" => with(303, "Location", &there),
        "/307" => with(307, "Location", &there),
        "/relative" => with(301, "Location", "/here"),
        _ => text(200, "here"),
    })
    .await;
    let post = |path: &str| json!({"method": "POST", "url": server.url(path), "body_type": "text", "text": "b", "headers": {"Authorization": "geheim", "X-Api-Key": "geheim", "X-Keep": "1"}});
    assert_eq!(
        call(post("/303")).await.succeeded().output("call")["body"],
        "GET "
    );
    assert_eq!(
        call(post("/307")).await.succeeded().output("call")["body"],
        "POST b"
    );
    for request in target.requests() {
        assert!(
            !request.headers.contains_key("authorization")
                && !request.headers.contains_key("x-api-key"),
            "another port is another origin"
        );
        assert_eq!(request.headers["x-keep"], "1");
    }
    assert_eq!(
        call(post("/relative")).await.succeeded().output("call")["body"],
        "here"
    );
    assert_eq!(
        server.requests().last().expect("a request").headers["authorization"],
        "geheim"
    );
    let before = server.requests().len();
    assert!(
        call(json!({"url": server.url("/round")}))
            .await
            .failure("call")
            .contains("more than 5 times")
    );
    assert_eq!(server.requests().len() - before, 6);
    let seen = call(json!({"url": server.url("/round"), "expected_status": "302"}))
        .await
        .succeeded();
    assert_eq!(seen.output("call")["headers"]["location"], "/round");
}

#[tokio::test]
async fn a_write_whose_result_cannot_be_had_is_in_doubt_and_not_sent_again() {
    let there = Server::start(|_, _| text(503, "busy")).await;
    let result = there.url("/result");
    let server = Server::start(move |request, _| match request.target.as_str() {
        "/busy" => with(303, "Location", &result),
        "/nobody" => with(302, "Location", "http://127.0.0.1:1/result"),
        "/nothing" => with(303, "Location", "http://[::1"),
        _ => with(303, "Location", "ftp://127.0.0.1/result"),
    })
    .await;
    for path in ["/busy", "/nobody", "/nothing", "/nowhere"] {
        let end = call(json!({
            "method": "POST", "url": server.url(path), "on_error": {"retries": 3},
        }))
        .await;
        assert_eq!(end.state, RunState::InDoubt, "{path}: {:?}", end.error);
        let error = end.of("call").error.as_deref().unwrap_or_default();
        let part = "`127.0.0.1` redirected to the result of the request";
        assert!(error.starts_with(part), "{error}");
        let sent = server.requests();
        assert_eq!(sent.iter().filter(|sent| sent.target == path).count(), 1);
    }
}

#[tokio::test]
async fn secrets_of_an_answer_are_hidden_and_nul_is_replaced() {
    let server = Server::start(|_, _| {
        Reply::Send(
            200,
            vec![("Set-Cookie".into(), "geheim".into())],
            b"a\0b".to_vec(),
        )
    })
    .await;
    let end = call(json!({"url": server.url("/")})).await.succeeded();
    assert_eq!(end.output("call")["headers"]["set-cookie"], "[hidden]");
    assert_eq!(end.output("call")["body"], "a\u{fffd}b");
}

#[tokio::test]
async fn nobody_listening_is_said_with_the_port() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("it is bound").port()
    };
    let end = call(json!({"url": format!("http://127.0.0.1:{port}/?token=geheim")})).await;
    let error = end.failure("call");
    assert!(
        error.contains(&format!("Could not connect to `127.0.0.1` on port {port}")),
        "{error}"
    );
    assert!(!error.contains("geheim"));
}

#[tokio::test]
async fn a_cancel_ends_a_request_and_a_wait_at_once() {
    for method in ["GET", "POST"] {
        let server = Arc::new(Server::start(|_, _| Reply::Silent).await);
        let stage = Stage::new(
            json!([{"slug": "call", "kind": "http.request", "method": method, "url": server.url("/")}]),
        );
        let (cancel, canceled) = watch::channel(Signal::GoOn);
        let waiting = Arc::clone(&server);
        tokio::spawn(async move {
            waiting.until(1).await;
            cancel.send_replace(Signal::Cancel);
        });
        let outcome = stage
            .engine
            .execute(
                stage.task(Vec::new()),
                &MemoryJournal::default(),
                None,
                canceled,
            )
            .await;
        let Outcome::Finished {
            state,
            error,
            records,
        } = outcome
        else {
            panic!("{outcome:?}")
        };
        assert_eq!((state, error), (RunState::Canceled, None));
        let expected = if method == "GET" {
            StepState::Failed
        } else {
            StepState::InDoubt
        };
        assert_eq!(records[0].state, expected);
    }
}

#[tokio::test]
async fn a_cancel_ends_the_wait_before_another_attempt() {
    let server = Server::start(|_, _| text(503, "busy")).await;
    let stage = Stage::new(json!([
        {"slug": "call", "kind": "http.request", "url": server.url("/"), "on_error": {"retries": 3}},
    ]));
    let (cancel, canceled) = watch::channel(Signal::GoOn);
    let begun = Instant::now();
    let (engine, journal) = (Engine::new(Standing), MemoryJournal::default());
    let execution = engine.execute(stage.task(Vec::new()), &journal, None, canceled);
    let (outcome, ()) = tokio::join!(execution, async {
        server.until(1).await;
        cancel.send_replace(Signal::Cancel);
    });
    assert!(
        matches!(
            outcome,
            Outcome::Finished {
                state: RunState::Canceled,
                ..
            }
        ),
        "{outcome:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(30));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_run_that_works_too_long_fails() {
    let server = Server::start(|_, _| Reply::Silent).await;
    let mut document =
        document(json!([{"slug": "call", "kind": "http.request", "url": server.url("/")}]));
    document.settings.time_limit_seconds = 1;
    let end = Stage::of(&document).run().await;
    assert!(
        end.error
            .as_deref()
            .is_some_and(|error| error.contains("longer than 1 s")),
        "{end:#?}"
    );
    assert!(end.failure("call").contains("time was over"));
}

#[tokio::test]
async fn the_key_differs_between_rounds_and_runs() {
    let server = Server::start(|_, _| text(200, "")).await;
    let mut stage = Stage::new(
        json!([{"slug": "each", "kind": "loop", "items": [1, 2], "do": [
            {"slug": "call", "kind": "http.request", "method": "POST", "url": server.url("/")},
        ]}]),
    );
    stage.run().await.succeeded();
    stage.run().await.succeeded();
    stage.run = domain::RunId::new(uuid::Uuid::from_u128(8));
    stage.run().await.succeeded();
    let keys: Vec<String> = server
        .requests()
        .iter()
        .map(|request| request.headers["idempotency-key"].clone())
        .collect();
    assert_eq!(keys[..2], keys[2..4], "the same run has the same keys");
    let distinct: std::collections::HashSet<_> = keys.iter().collect();
    assert_eq!(distinct.len(), 4);
}
