//! What a collector of traces gets to know of runs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::app::{TestApp, eventually};
use crate::client::Client;
use crate::document::webhook;
use crate::process::Process;
use crate::sink::Sink;

const SOON: Duration = Duration::from_secs(40);
/// What runs handle, and nobody outside may learn of.
const CONTENT: &str = "what-a-customer-ordered";

/// A collector that keeps what it gets.
#[derive(Clone)]
struct Collector {
    address: SocketAddr,
    got: Arc<Mutex<Vec<Bytes>>>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let collector = Self {
            address: listener.local_addr().expect("it is bound"),
            got: Arc::default(),
        };
        let take = async |State(collector): State<Collector>, body: Bytes| {
            collector.got.lock().expect("nobody panicked").push(body);
        };
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        collector
    }

    /// A worker that tells this collector what it does.
    async fn worker(&self, app: &TestApp) -> Process {
        worker(app, self.address).await
    }

    /// A process that takes webhooks, is no worker, and tells this collector what it does.
    async fn web(&self, app: &TestApp) -> Process {
        let mut command = Process::web(&app.database.url);
        let address = format!("http://{}", self.address);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", address);
        Process::start(command).await
    }

    fn spans(&self) -> Vec<Span> {
        let got = self.got.lock().expect("nobody panicked");
        let requests = got.iter().map(|body| {
            ExportTraceServiceRequest::decode(body.clone()).expect("it is what OTLP says")
        });
        let scopes = requests
            .flat_map(|request| request.resource_spans)
            .flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

async fn worker(app: &TestApp, collector: SocketAddr) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command
        .args(["serve", "--role", "worker"])
        .env("DATABASE_URL", &app.database.url)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}"));
    Process::start(command).await
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_two_processes_is_one_trace_within_its_callers_and_tells_no_content() {
    let (app, sink) = (TestApp::with_role("web").await, Sink::start().await);
    let collector = Collector::start().await;
    app.allow_loopback().await;
    let steps = [
        (
            "set",
            "Order",
            json!({ "values": { "order": "{{ trigger.body }}" } }),
        ),
        (
            "http.request",
            "Tell",
            json!({ "method": "POST", "url": sink.url("/tell") }),
        ),
        (
            "http.request",
            "Wait",
            json!({ "method": "GET", "url": sink.url("/wait"), "timeout_seconds": 120 }),
        ),
        ("stop", "Refuse", json!({ "message": "{{ trigger.body }}" })),
    ];
    let (integration, path) = app.publish(&webhook(&steps)).await;
    let first = collector.worker(&app).await;
    let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let call = app
        .anonymous
        .request("POST", &path)
        .header("traceparent", format!("00-{trace}-{span}-01"))
        .header("content-type", "application/json")
        .body(json!(CONTENT).to_string());
    let answer = app.anonymous.send(call).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let calls = async |count| {
        let called = async || (sink.calls("/wait") == count).then_some(());
        eventually("the run is in its middle", SOON, called).await;
    };
    calls(1).await;
    first.end("TERM").await;
    let second = collector.worker(&app).await;
    calls(2).await;
    sink.let_go();
    let run = app.ended(&answer.json()["run"], SOON).await;
    assert_eq!(run["summary"]["state"], "failed", "{run}");
    // Before a process ends, it tells what it knows.
    second.end("TERM").await;

    let spans: BTreeMap<String, Span> = collector
        .spans()
        .into_iter()
        .map(|span| (span.name.clone(), span))
        .collect();
    let names: Vec<_> = spans.keys().map(String::as_str).collect();
    assert_eq!(names, ["Order", "Refuse", "Tell", "Wait", "run"]);
    let root = &spans["run"];
    assert_eq!(hex(&root.parent_span_id), span);
    for span in spans.values() {
        assert_eq!(hex(&span.trace_id), trace, "{}", span.name);
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
        if span.name != "run" {
            assert_eq!(span.parent_span_id, root.span_id, "{}", span.name);
        }
    }
    let failed = |name: &str| spans[name].status.as_ref().map(|status| status.code) == Some(2);
    assert!(failed("run") && failed("Refuse") && !failed("Tell"));
    let told = format!("{root:?}");
    assert!(told.contains(&integration), "{told}");
    // Whoever is called learns which span calls.
    let header = format!("00-{trace}-{}-01", hex(&spans["Tell"].span_id));
    assert_eq!(sink.traceparents("/tell"), [header]);
    for body in collector.got.lock().expect("nobody panicked").iter() {
        let text = String::from_utf8_lossy(body);
        assert!(!text.contains(CONTENT), "{text}");
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_computed_where_no_worker_is_is_a_trace_like_others() {
    let (app, collector) = (TestApp::with_role("web").await, Collector::start().await);
    let copy = json!({ "values": { "all": "{{ trigger.body }}" } });
    let (_, path) = app.publish(&webhook(&[("set", "Copy", copy)])).await;
    let web = collector.web(&app).await;
    let caller = Client::new(web.base(), "");
    // On a busy machine one or the other takes longer than a caller should wait for it, and stays.
    let run = eventually("a run is computed at once", SOON, async || {
        let answer = caller.post_json(&path, &json!(CONTENT)).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let run = json!({ "id": answer.json()["run"] });
        let run = app.admin.must("read_run", run).await;
        (run["summary"]["state"] == "succeeded").then_some(run)
    })
    .await;
    // Before a process ends, it tells what it knows.
    let (took, well) = web.end("TERM").await;
    assert!(well && took < Duration::from_secs(10), "it took {took:?}");
    let spans = collector.spans();
    let mut names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["Copy", "run"], "{run}");
    assert_eq!(spans[0].trace_id, spans[1].trace_id);
    for body in collector.got.lock().expect("nobody panicked").iter() {
        let text = String::from_utf8_lossy(body);
        assert!(!text.contains(CONTENT), "{text}");
    }
    app.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_do_not_mind_a_collector_that_is_not_there() {
    let (app, sink) = (TestApp::with_role("web").await, Sink::start().await);
    app.allow_loopback().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nobody = listener.local_addr().expect("it is bound");
    drop(listener);
    // The worker has it, as it does not only compute.
    let tell = json!({ "method": "POST", "url": sink.url("/tell") });
    let (_, path) = app
        .publish(&webhook(&[("http.request", "Tell", tell)]))
        .await;
    let worker = worker(&app, nobody).await;
    let answer = app.anonymous.post_json(&path, &json!({})).await;
    let run = app.ended(&answer.json()["run"], SOON).await;
    assert_eq!(run["summary"]["state"], "succeeded", "{run}");
    let (took, well) = worker.end("TERM").await;
    assert!(well && took < Duration::from_secs(10), "it took {took:?}");
    app.end().await;
}
