//! Names that change what they mean between being judged and being connected to, with real
//! listeners at both addresses: one may be reached, the other is a canary.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderMap, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use super::dial::dial;
use super::web::{Begun, WebClient};
use super::{Form, Guard, Network};

const MAY: &str = "127.0.0.1";
const CANARY: &str = "127.0.0.2";

/// How often names were asked for.
static ASKED: AtomicUsize = AtomicUsize::new(0);

fn at(text: &str) -> SocketAddr {
    SocketAddr::new(text.parse::<IpAddr>().expect("an address"), 0)
}

/// Answers as a server of names that means harm does: by turns, by the name.
fn answers(name: &str) -> Vec<SocketAddr> {
    let turn = ASKED.fetch_add(1, Ordering::SeqCst);
    match name.split('.').next() {
        // What may be reached is judged, and the canary is what a second question would get.
        Some("by-turns") => vec![at([MAY, CANARY][turn % 2])],
        Some("both") => vec![at(CANARY), at(MAY), at(CANARY)],
        Some("mapped") => vec![at("::ffff:127.0.0.2"), at(MAY)],
        Some("metadata") => vec![at("169.254.169.254"), at(MAY)],
        Some("many") => [CANARY; 40].map(at).into_iter().chain([at(MAY)]).collect(),
        _ => vec![at(CANARY)],
    }
}

/// Listens at both addresses, at the same port; counts who comes to each.
async fn listening() -> (u16, [Arc<AtomicUsize>; 2]) {
    let counts = [(), ()].map(|()| Arc::new(AtomicUsize::new(0)));
    let mut port = 0;
    for (at, count) in [MAY, CANARY].into_iter().zip(&counts) {
        let listener = TcpListener::bind((at, port)).await.expect("a free port");
        port = listener.local_addr().expect("it is bound").port();
        let count = Arc::clone(count);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    let mut asked = [0; 1024];
                    let _ = stream.read(&mut asked).await;
                    let answer = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
    }
    (port, counts)
}

#[tokio::test]
async fn an_address_that_was_not_judged_is_never_connected_to_whatever_a_name_means_by_then() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (port, [reached, canary]) = listening().await;
    let mut guard = Guard::new(&Network::allowing([MAY]));
    guard.names = Some(answers);
    // Each answer ends its connection, so that each request makes one.
    let client = WebClient::new(guard);
    let begun = Begun::default();
    let (mut tried, mut refused) = (0, 0);
    for round in 0..60 {
        for name in ["by-turns", "both", "mapped", "metadata", "many", "never"] {
            let name = format!("{name}.{round}.example");
            let before = ASKED.load(Ordering::SeqCst);
            let came = match round % 2 {
                0 => dial(client.guard(), &name, port, Form::Plain).await.is_ok(),
                _ => {
                    let url = Url::parse(&format!("http://{name}:{port}/"));
                    let url = url.expect("a URL");
                    let sent = client.send(Method::GET, &url, HeaderMap::new(), None, &begun);
                    sent.await.is_ok()
                }
            };
            tried += 1;
            refused += usize::from(!came);
            // Judged once, and connected to what was judged: there is no second question.
            assert_eq!(ASKED.load(Ordering::SeqCst), before + 1, "{name}");
            assert!(!(came && name.starts_with("never")), "{name}");
        }
    }
    assert_eq!(canary.load(Ordering::SeqCst), 0, "of {tried}");
    assert_eq!(reached.load(Ordering::SeqCst), tried - refused);
    assert!(refused >= 60 && refused < tried, "{refused} of {tried}");
}
