//! The service that integrations call: it notes each request with its key and its time.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use http::Response;
use tokio::net::TcpListener;

/// A request with an idempotency key: when it came.
pub(super) type Arrival = (String, SystemTime);

#[derive(Clone)]
pub(super) struct Target {
    address: SocketAddr,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
}

impl Target {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let target = Self {
            address: listener.local_addr().expect("it is bound"),
            arrivals: Arc::default(),
        };
        let router = Router::new().fallback(note).with_state(target.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        target
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().expect("nobody panicked").clone()
    }
}

async fn note(State(target): State<Target>, request: Request) -> Response<Body> {
    let key = request.headers().get("idempotency-key");
    if let Some(key) = key.and_then(|key| key.to_str().ok()) {
        let arrival = (key.to_owned(), SystemTime::now());
        let mut arrivals = target.arrivals.lock().expect("nobody panicked");
        arrivals.push(arrival);
    }
    Response::builder()
        .header("content-type", "application/json")
        .body(Body::from("{\"ok\": true}"))
        .expect("it is an answer")
}
