//! Servers that cannot prove who they are: nothing that is sent reaches them, whoever sends it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};

use domain::Timestamp;
use domain::connection::{ClientAuth, Kind, OAuth, Server, Tls};
use domain::document::Document;
use domain::poll::Poll;
use engine::port::{Clients, Credentials, Grant, Network, TokenRequest, fetch, try_out};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::stage::Stage;

const NOW: Timestamp = Timestamp(1_790_000_000_000);
/// Who signed all certificates but the one that is signed by itself.
const AUTHORITY: &str = include_str!("tls/hostile/authority.pem");
/// Certificates with their keys, for `localhost` and `127.0.0.1`, and what is wrong with them.
const BAD: [(&str, &str); 4] = [
    ("ended", include_str!("tls/hostile/expired.pem")),
    ("not begun", include_str!("tls/hostile/early.pem")),
    ("of another name", include_str!("tls/hostile/other.pem")),
    ("signed by itself", include_str!("tls/hostile/own.pem")),
];
const FINE: &str = include_str!("tls/hostile/fine.pem");

/// A server that says what a database says before the encryption, if it is to be one; and counts
/// the bytes that it is sent behind it.
struct Listening {
    port: u16,
    got: Arc<AtomicUsize>,
}

impl Listening {
    async fn start(pem: &'static str, is_database: bool) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let chain = CertificateDer::pem_slice_iter(pem.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("it is one");
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain.map(|one| one.expect("it is one")).collect(), key)
            .expect("they belong together");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let got = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&got);
        tokio::spawn(async move {
            while let Ok((mut tcp, _)) = listener.accept().await {
                let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    if is_database {
                        let mut asked = [0; 8];
                        tcp.read_exact(&mut asked).await.ok()?;
                        tcp.write_all(b"S").await.ok()?;
                    }
                    let mut tls = acceptor.accept(tcp).await.ok()?;
                    let mut chunk = [0; 1024];
                    loop {
                        match tls.read(&mut chunk).await.ok()? {
                            0 => return None::<()>,
                            read => count.fetch_add(read, Ordering::SeqCst),
                        };
                    }
                });
            }
        });
        Self { port, got }
    }
}

/// Tries to log in at a server of a kind that is trusted if our authority vouches for it.
async fn log_in(kind: Kind, port: u16) -> Result<Option<u16>, String> {
    let server = Server {
        host: "127.0.0.1".to_owned(),
        port,
        tls: Tls::Direct,
        sender: "shop@example.com".to_owned(),
        database: "shop".to_owned(),
        certificates: AUTHORITY.to_owned(),
    };
    let names = ["me".to_owned()];
    let credentials = Credentials::for_server("Theirs", kind, server, &names, &["a password"]);
    let credentials = credentials.expect("it is whole");
    let network = Network::allowing(["127.0.0.1"]);
    try_out(&Clients::default(), &network, credentials, "", NOW).await
}

#[tokio::test]
async fn a_mail_server_or_database_that_does_not_prove_who_it_is_gets_nothing() {
    for (what, pem) in BAD {
        for kind in [Kind::Smtp, Kind::Postgres] {
            let listening = Listening::start(pem, kind == Kind::Postgres).await;
            let error = log_in(kind, listening.port).await;
            let error = error.expect_err("it is refused");
            assert!(error.contains("No encrypted connection"), "{what}: {error}");
            assert_eq!(listening.got.load(Ordering::SeqCst), 0, "{what}");
        }
    }
}

#[tokio::test]
async fn a_database_that_proves_who_it_is_gets_what_is_said_to_it() {
    let listening = Listening::start(FINE, true).await;
    let trying = log_in(Kind::Postgres, listening.port);
    // It never answers.
    tokio::select! {
        _ = trying => panic!("it says nothing"),
        () = async {
            while listening.got.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
        } => {}
    }
}

#[tokio::test]
async fn no_web_request_reaches_a_service_that_nobody_vouches_for() {
    let network = Network::allowing(["127.0.0.1"]);
    for (what, pem) in BAD.into_iter().chain([("of a stranger", FINE)]) {
        let listening = Listening::start(pem, false).await;
        let url = format!("https://127.0.0.1:{}/", listening.port);
        let clients = Clients::default();
        let step = json!([{"slug": "call", "kind": "http.request", "url": url, "method": "POST"}]);
        let end = Stage::new(step).run().await;
        assert!(end.failure("call").contains("Could not connect"), "{what}");
        assert!(
            fetch(&clients, &network, &url, NOW).await.is_err(),
            "{what}"
        );
        let key = Credentials::new(
            "A",
            Kind::Bearer,
            &[],
            vec![url.trim_end_matches('/').to_owned()],
            &["a secret"],
        );
        let key = key.expect("it is whole");
        assert!(try_out(&clients, &network, key, &url, NOW).await.is_err());
        let provider = OAuth {
            token_url: url.clone(),
            client_auth: ClientAuth::Basic,
            ..OAuth::default()
        };
        let request = TokenRequest {
            provider: &provider,
            client_id: "me",
            secret: "a secret",
            grant: Grant::Refresh("another secret"),
        };
        assert!(request.send(&clients, &network).await.is_err(), "{what}");
        let mut polling = Document::new("poll");
        polling.trigger.config.insert("url".to_owned(), json!(url));
        let poll = Poll::of(&polling).expect("it polls");
        let asked = engine::poll::once(&clients, &network, &poll, None, NOW).await;
        assert!(asked.is_err(), "{what}");
        assert_eq!(listening.got.load(Ordering::SeqCst), 0, "{what}");
    }
}
