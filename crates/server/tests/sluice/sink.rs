//! A service outside, which integrations call: it notes every call and can be made to wait.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use http::Response;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A service that answers `{"ok": true}`; under `/wait` only once it is let go, under `/slow` after
/// [`SLOW`], and under `/never` not at all.
#[derive(Clone)]
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
    go: watch::Sender<bool>,
}

/// How long an answer takes that is slow.
const SLOW: Duration = Duration::from_millis(200);

/// The path that was called, and the trace that the call named.
type Call = (String, Option<String>);

impl Sink {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let sink = Self {
            address: listener.local_addr().expect("it is bound"),
            calls: Arc::default(),
            go: watch::Sender::new(false),
        };
        let router = Router::new().fallback(answer).with_state(sink.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        sink
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers whoever waits, and from now on at once.
    pub(crate) fn let_go(&self) {
        self.go.send_replace(true);
    }

    /// Returns how often a path was called.
    pub(crate) fn calls(&self, path: &str) -> usize {
        let calls = self.calls.lock().expect("nobody panicked");
        calls.iter().filter(|(called, _)| called == path).count()
    }

    /// Returns how often anything was called.
    pub(crate) fn all_calls(&self) -> usize {
        self.calls.lock().expect("nobody panicked").len()
    }

    /// Returns the traces that calls of a path named.
    pub(crate) fn traceparents(&self, path: &str) -> Vec<String> {
        let calls = self.calls.lock().expect("nobody panicked");
        let of_path = calls.iter().filter(|(called, _)| called == path);
        of_path.filter_map(|(_, trace)| trace.clone()).collect()
    }
}

async fn answer(State(sink): State<Sink>, request: Request) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let trace = request.headers().get("traceparent");
    let trace = trace.and_then(|trace| trace.to_str().ok().map(str::to_owned));
    sink.calls
        .lock()
        .expect("nobody panicked")
        .push((path.clone(), trace));
    if path.starts_with("/wait") {
        let _ = sink.go.subscribe().wait_for(|go| *go).await;
    }
    if path.starts_with("/slow") {
        tokio::time::sleep(SLOW).await;
    }
    if path.starts_with("/never") {
        std::future::pending::<()>().await;
    }
    Response::builder()
        .header("content-type", "application/json")
        .body(Body::from("{\"ok\": true}"))
        .expect("it is an answer")
}
