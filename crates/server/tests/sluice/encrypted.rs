//! Requests by https, as a process sends them: who is trusted is said by the machine that it runs on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::app::TestApp;
use crate::document::webhook;
use crate::process::Process;

/// An authority, and what it signed for `localhost`.
const AUTHORITY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../engine/tests/engine/tls/authority.pem"
);
const CERTIFICATE: &[u8] = include_bytes!("../../../engine/tests/engine/tls/server.pem");
const KEY: &[u8] = include_bytes!("../../../engine/tests/engine/tls/server.key");
/// An authority that signed nothing of this.
const OTHER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../engine/tests/engine/tls/hostile/authority.pem"
);

const PATIENCE: Duration = Duration::from_secs(40);

/// A service that speaks HTTP/1.1, and HTTP/2 if it is asked to.
struct Service {
    port: u16,
    /// Connections whose encryption came about.
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Service {
    async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let chain = CertificateDer::pem_slice_iter(CERTIFICATE);
        let key = PrivateKeyDer::from_pem_slice(KEY).expect("it is one");
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain.map(|one| one.expect("it is one")).collect(), key)
            .expect("they belong together");
        config.alpn_protocols = [&b"h2"[..], b"http/1.1"].map(<[u8]>::to_vec).into();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let service = Self {
            port: listener.local_addr().expect("it is bound").port(),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        let counts = (
            Arc::clone(&service.connections),
            Arc::clone(&service.requests),
        );
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(answer(acceptor.clone(), tcp, counts.clone()));
            }
        });
        service
    }

    fn counts(&self) -> (usize, usize) {
        let count = |of: &AtomicUsize| of.load(Ordering::SeqCst);
        (count(&self.connections), count(&self.requests))
    }
}

async fn answer(
    acceptor: TlsAcceptor,
    tcp: TcpStream,
    (connections, requests): (Arc<AtomicUsize>, Arc<AtomicUsize>),
) {
    let Ok(stream) = acceptor.accept(tcp).await else {
        return;
    };
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    connections.fetch_add(1, Ordering::SeqCst);
    let mut stream = BufStream::new(stream);
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        requests.fetch_add(1, Ordering::SeqCst);
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        let sent = stream.write_all(answer).await;
        sent.expect("it is still there");
        stream.flush().await.expect("it is still there");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_reached_by_https_where_the_machine_trusts_it_and_its_connection_is_kept() {
    let (app, service) = (TestApp::with_role("web").await, Service::start().await);
    app.allow_loopback().await;
    let get = |name| {
        let url = format!("https://localhost:{}/orders", service.port);
        ("http.request", name, json!({ "method": "GET", "url": url }))
    };
    let (_, path) = app.publish(&webhook(&[get("First"), get("Second")])).await;
    for (trusted, state, counts) in [(OTHER, "failed", (0, 0)), (AUTHORITY, "succeeded", (1, 2))] {
        let mut command = Process::command(&app.database.url);
        command.env("SSL_CERT_FILE", trusted);
        let worker = Process::start(command).await;
        let answer = app.anonymous.post_json(&path, &json!({})).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let run = app.ended(&answer.json()["run"], PATIENCE).await;
        assert_eq!(run["summary"]["state"], state, "{run}");
        assert_eq!(service.counts(), counts);
        if state == "failed" {
            let error = run["summary"]["error"].to_string();
            assert!(
                error.contains("Could not connect to `localhost`"),
                "{error}"
            );
        }
        worker.end("TERM").await;
    }
    app.end().await;
}
