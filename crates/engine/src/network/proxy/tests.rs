use std::sync::{Arc, Mutex};

use domain::network::{Encryption, Rules};
use domain::{OrganizationId, Timestamp};
use http::{HeaderMap, Method};
use serde_json::json;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::super::dial::{Unreached, dial};
use super::super::host::FAILURES;
use super::super::{Guard, Network};
use super::*;
use crate::network::Form;
use crate::network::web::{self, Begun, WebClient};
use crate::step::http::Retry;
use crate::step::http::client::{Clients, send_in_turn};
use crate::step::request::Request;

/// A proxy that gives each question of a connection the next of these answers, and notes what it
/// was asked.
async fn listening(answers: &'static [&'static str]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port is free");
    let at = listener.local_addr().expect("it has an address");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            for answer in answers {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => break,
                    }
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                noted.lock().expect("no panic holds it").push(head);
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        }
    });
    (at.to_string(), asked)
}

fn guard(proxy: &str, allowed: &[&str], encryption: Encryption) -> Guard {
    let network = Network {
        rules: Rules {
            encryption,
            ..Rules::default()
        },
        ..Network::allowing(allowed.iter().copied())
    };
    Guard::new(&network).through(Proxy::read(proxy).map(Arc::new))
}

#[test]
fn a_proxy_is_an_http_address_and_its_password_is_in_no_log() {
    let proxy = Proxy::read("http://me:p%40ss+w@proxy.example.com:3128").expect("it can be read");
    assert_eq!((&*proxy.host, proxy.port), ("proxy.example.com", 3128));
    let sent = BASE64_STANDARD.encode("me:p@ss+w");
    assert_eq!(proxy.authorization, Some(format!("Basic {sent}")));
    assert_eq!(format!("{proxy:?}"), "Proxy(proxy.example.com:3128)");
    let own = Proxy::read("http://[::1]").expect("it can be read");
    assert_eq!((&*own.host, own.port, own.authorization), ("::1", 80, None));
    for wrong in [
        "proxy.example.com:3128",
        "https://proxy.example.com",
        "socks5://proxy.example.com",
        "http://proxy.example.com/path",
        "http://proxy.example.com?a=b",
        "",
    ] {
        assert_eq!(Proxy::read(wrong), None, "{wrong}");
    }
}

#[tokio::test]
async fn the_proxy_is_asked_for_judged_addresses_only_and_told_who_asks() {
    let (at, asked) = listening(&["HTTP/1.1 200 Connected\r\n\r\nwhat the service says"]).await;
    let guard = guard(
        &format!("http://me:secret@{at}"),
        &["10.1.0.0/16"],
        Encryption::Free,
    );
    let mut way = dial(&guard, "10.1.2.3", 25, Form::Plain)
        .await
        .expect("it is allowed");
    let mut said = [0; 21];
    way.read_exact(&mut said).await.expect("it speaks");
    assert_eq!(&said, b"what the service says");
    for private in ["10.2.0.0", "169.254.169.254", "0x7f.1", "::ffff:10.2.0.0"] {
        let refused = dial(&guard, private, 80, Form::Encrypted).await;
        assert!(refused.is_err(), "{private}");
    }
    let asked = asked.lock().expect("no panic holds it").clone();
    let [asked] = asked.as_slice() else {
        panic!("nothing else is asked for: {asked:?}");
    };
    assert!(
        asked.starts_with("CONNECT 10.1.2.3:25 HTTP/1.1\r\n"),
        "{asked}"
    );
    let sent = BASE64_STANDARD.encode("me:secret");
    assert!(asked.contains(&format!("Proxy-Authorization: Basic {sent}\r\n")));
}

/// Reaches a server through a proxy that answers so; returns the error.
async fn refused(answer: &'static [&'static str]) -> Unreached {
    let (at, _) = listening(answer).await;
    let guard = guard(
        &format!("http://me:secret@{at}"),
        &["10.1.0.0/16"],
        Encryption::Free,
    );
    let error = dial(&guard, "10.1.2.3", 25, Form::Plain).await;
    error.expect_err("it is refused")
}

#[tokio::test]
async fn what_a_proxy_refuses_is_said_without_its_password() {
    let refusing: [(&'static [&'static str], &str); 5] = [
        (&["HTTP/1.1 407 Who?\r\n\r\n"], "407"),
        (&["HTTP/1.1 403 No\r\n\r\n"], "answered 403"),
        (&["HTTP/1.1 500 Oh\r\n\r\n"], "answered 500"),
        (&["220 mail.example.com\r\n\r\n"], "does not speak HTTP"),
        (&[], "closed the connection"),
    ];
    for (answer, part) in refusing {
        let error = refused(answer).await;
        assert!(matches!(error, Unreached::Proxy { .. }), "{error:?}");
        let error = error.to_string();
        assert!(error.contains(part), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_proxy_that_asked_in_vain_says_that_the_host_is_down() {
    let answers: [&'static [&'static str]; 3] = [
        &["HTTP/1.1 502 Bad Gateway\r\n\r\n"],
        &["HTTP/1.1 503 Service Unavailable\r\n\r\n"],
        &["HTTP/1.1 504 Gateway Timeout\r\n\r\n"],
    ];
    for answer in answers {
        let error = refused(answer).await;
        assert!(matches!(error, Unreached::Down { .. }), "{error:?}");
        assert!(error.to_string().contains("the proxy answered 50"));
    }
}

/// A proxy that is down is no reason to leave the hosts behind it alone.
#[tokio::test]
async fn a_proxy_that_is_down_takes_no_host_with_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port is free");
    let at = listener.local_addr().expect("it has an address");
    drop(listener);
    // What encrypted before may have chosen it by itself.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let clients = Clients::default();
    clients.go_through(Proxy::read(&format!("http://{at}")).expect("an address"));
    let network = Network {
        owner: Some(OrganizationId::new(Uuid::nil())),
        ..Network::allowing(["10.1.0.0/16"])
    };
    let config = json!({ "url": "http://10.1.2.3/orders" });
    let request = Request::http(config.as_object().expect("fields"), "key");
    let request = request.expect("it can be sent");
    let now = Timestamp(1_445_412_470_000);
    for _ in 0..3 * FAILURES {
        let failure = send_in_turn(&clients, &network, &request, now).await;
        let failure = failure.expect_err("the proxy is down");
        let message = &failure.message;
        assert!(
            message.starts_with("The proxy that this server"),
            "{message}"
        );
        assert_eq!(failure.retry, Retry::Backoff);
        assert!(!failure.is_open, "nothing was sent");
    }
    let turn = clients.turn_at(&network, ("10.1.2.3", 80), now, now).await;
    assert!(turn.is_ok(), "the host is not taken for down: {turn:?}");
}

#[tokio::test]
async fn web_requests_go_through_the_proxy_and_those_to_this_machine_do_not() {
    let (at, asked) = listening(&[
        "HTTP/1.1 200 Connected\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
    ])
    .await;
    let client = WebClient::new(guard(
        &format!("http://{at}"),
        &["10.1.0.0/16", "127.0.0.1"],
        Encryption::Free,
    ));
    let send = async |url: &str| {
        let url = Url::parse(url).expect("a URL");
        let begun = Begun::default();
        client
            .send(Method::GET, &url, HeaderMap::new(), None, &begun)
            .await
    };
    let answer = send("http://10.1.2.3:8080/path").await.expect("it answers");
    let body = web::read(answer.into_body(), 2).await;
    assert_eq!(body.expect("it is read"), b"hi");
    assert!(send("http://10.2.0.0/").await.is_err());
    // Its own port answers as it does, without being asked to connect anywhere.
    let own = send(&format!("http://{at}/own")).await;
    assert!(own.is_ok(), "{own:?}");
    let asked = asked.lock().expect("no panic holds it").clone();
    assert!(asked[0].starts_with("CONNECT 10.1.2.3:8080 "), "{asked:?}");
    assert!(asked[1].starts_with("GET /path HTTP/1.1"), "{asked:?}");
    assert!(asked[2].starts_with("GET /own HTTP/1.1"), "{asked:?}");
    assert!(!asked.iter().any(|asked| asked.contains("10.2.0.0")));
}
