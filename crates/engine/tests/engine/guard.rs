//! Nothing private is reached unless an Admin allows it: not by any spelling of an address, not
//! by a name, not by a redirect.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::port::Network;
use serde_json::json;
use tokio::net::TcpListener;

use crate::server::{Server, text, with};
use crate::stage::Stage;

/// Listens on every address of this machine and counts who comes.
struct Canary {
    port: u16,
    accepted: Arc<AtomicUsize>,
}

impl Canary {
    async fn start() -> Self {
        // One socket for both families where the machine has IPv6; else IPv4 only.
        let listener = match TcpListener::bind("[::]:0").await {
            Ok(listener) => listener,
            Err(_) => TcpListener::bind("0.0.0.0:0").await.expect("a free port"),
        };
        let port = listener.local_addr().expect("it is bound").port();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, accepted }
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

async fn error_of(url: &str, allowed: &[&str]) -> String {
    let mut stage = Stage::new(
        json!([{"slug": "call", "kind": "http.request", "method": "POST", "url": "{{ trigger.url }}", "timeout_seconds": 5}]),
    );
    stage.payload = json!({"url": url});
    stage.network = Network {
        allowed: allowed.iter().map(|text| (*text).to_owned()).collect(),
        ..Network::default()
    };
    stage.run().await.failure("call").to_owned()
}

const FORMS: [&str; 84] = [
    "http://127.0.0.1:P/",
    "http://127.0.0.1.:P/",
    "http://127.1:P/",
    "http://127.0.1:P/",
    "http://127.255.255.254:P/",
    "http://2130706433:P/",
    "http://0x7f000001:P/",
    "http://0x7f.1:P/",
    "http://0x7f.0x0.0x0.0x1:P/",
    "http://0177.0.0.1:P/",
    "http://017700000001:P/",
    "http://0177.1:P/",
    "http://0x7F.0.0.1:P/",
    "http://127.0.0.0x1:P/",
    "http://00000177.0.0.1:P/",
    "http://%31%32%37.0.0.1:P/",
    "http://127%2e0%2e0%2e1:P/",
    "http://①②⑦.⓪.⓪.①:P/",
    "http://127。0。0。1:P/",
    "http://127．0．0．1:P/",
    "http://１２７.0.0.1:P/",
    "http://0.0.0.0:P/",
    "http://0:P/",
    "http://0x0:P/",
    "http://0.1.2.3:P/",
    "http://localhost:P/",
    "http://LOCALHOST:P/",
    "http://localhost.:P/",
    "http://loc%61lhost:P/",
    "http://ⓛocalhost:P/",
    "http://[::1]:P/",
    "http://[0:0:0:0:0:0:0:1]:P/",
    "http://[0000::0001]:P/",
    "http://[::]:P/",
    "http://[::ffff:127.0.0.1]:P/",
    "http://[::ffff:7f00:1]:P/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:P/",
    "http://[::127.0.0.1]:P/",
    "http://[::7f00:1]:P/",
    "http://[64:ff9b::127.0.0.1]:P/",
    "http://[64:ff9b::7f00:1]:P/",
    "http://[64:ff9b:1::7f00:1]:P/",
    "http://[2002:7f00:1::]:P/",
    "http://[2001:0:7f00:1::1]:P/",
    "http://[::ffff:0:127.0.0.1]:P/",
    "http://[fe80::1]:P/",
    "http://[fc00::1]:P/",
    "http://[fd00:ec2::254]/",
    "http://[ff02::1]:P/",
    "http://[2001:db8::1]:P/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.169.254.:80/",
    "http://2852039166/",
    "http://0xA9FEA9FE/",
    "http://0251.0376.0251.0376/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://192.0.0.192/",
    "http://10.0.0.1:P/",
    "http://10.1:P/",
    "http://172.16.0.1:P/",
    "http://172.31.255.255:P/",
    "http://192.168.0.1:P/",
    "http://192.168.257:P/",
    "http://100.64.0.1:P/",
    "http://198.18.0.1:P/",
    "http://224.0.0.1:P/",
    "http://240.0.0.1:P/",
    "http://255.255.255.255:P/",
    "https://127.0.0.1:P/",
    "HTTP://127.0.0.1:P/",
    "http:/127.0.0.1:P/",
    "http:127.0.0.1:P/",
    "http:\\\\127.0.0.1:P\\",
    "http://\t127.0.0.1:P/",
    " http://127.0.0.1:P/",
    "http://user@127.0.0.1:P/",
    "http://user:pass@127.0.0.1:P/",
    "http://public.example@127.0.0.1:P/",
    "http://127.0.0.1:P#@public.example/",
    "http://127.0.0.1:P?@public.example/",
    "http://:pass@127.0.0.1:P/",
];

#[tokio::test]
async fn no_spelling_of_a_private_address_is_reached() {
    let canary = Canary::start().await;
    for form in FORMS {
        let error = error_of(&form.replace(":P", &format!(":{}", canary.port)), &[]).await;
        let is_refused = [
            "private or local address",
            "user name or password",
            "not a web address",
            // Some resolvers do not know `localhost` with a dot behind it.
            "was not found",
        ]
        .iter()
        .any(|part| error.contains(part));
        assert!(is_refused, "{form}: {error}");
    }
    assert_eq!(canary.accepted(), 0);
    // The canary does sing when someone comes.
    let url = format!("http://127.0.0.1:{}/", canary.port);
    let closed = Stage {
        network: Network {
            allowed: vec!["127.0.0.0/8".into()],
            ..Network::default()
        },
        ..Stage::new(
            json!([{"slug": "call", "kind": "http.request", "url": url, "timeout_seconds": 0.5}]),
        )
    };
    closed.run().await.failure("call");
    assert_eq!(canary.accepted(), 1);
}

#[tokio::test]
async fn only_http_and_https_are_spoken() {
    for url in [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1/",
        "data:text/plain,x",
        "javascript:1",
        "unix:/run/x",
        "ws://127.0.0.1/",
        "jar:http://127.0.0.1!/",
    ] {
        let error = error_of(url, &["0.0.0.0/0"]).await;
        assert!(error.contains("Only http and https"), "{url}: {error}");
    }
    for url in [
        "",
        "//127.0.0.1/",
        "127.0.0.1",
        "http://",
        "http://[::1",
        "http://256.0.0.1/",
        "http://[fe80::1%25eth0]/",
    ] {
        let error = error_of(url, &["0.0.0.0/0"]).await;
        assert!(error.contains("not a web address"), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_refused() {
    let canary = Canary::start().await;
    for target in [
        "http://127.0.0.2:P/",
        "http://[::1]:P/",
        "http://0x7f000002:P/",
        "//127.0.0.2:P/",
        "http://[::ffff:127.0.0.2]:P/",
        "http://169.254.169.254/",
        "http://10.0.0.1/",
        "http://user@127.0.0.1:P/",
        "file:///etc/passwd",
        "ftp://127.0.0.1:P/",
    ] {
        let target = target.replace(":P", &format!(":{}", canary.port));
        let location = target.clone();
        let server = Server::start(move |_, _| with(307, "Location", &location)).await;
        let error = error_of(&server.url("/"), &["127.0.0.1"]).await;
        let is_refused = [
            "private or local address",
            "user name or password",
            "Only http and https",
        ]
        .iter()
        .any(|part| error.contains(part));
        assert!(is_refused, "{target}: {error}");
        assert_eq!(server.requests().len(), 1);
    }
    assert_eq!(canary.accepted(), 0);
}

#[tokio::test]
async fn an_admin_can_allow_a_range_or_a_name() {
    let server = Server::start(|_, _| text(200, "hello")).await;
    let port = server.address.port();
    for (url, allowed) in [
        (format!("http://127.0.0.1:{port}/"), "127.0.0.0/8"),
        (format!("http://[::ffff:127.0.0.1]:{port}/"), "127.0.0.1"),
        (format!("http://localhost:{port}/"), "localhost"),
        (format!("http://LocalHost:{port}/"), "localhost"),
        (format!("http://localhost:{port}/"), "127.0.0.1"),
    ] {
        let mut stage = Stage::new(json!([{"slug": "call", "kind": "http.request", "url": url}]));
        stage.network = Network {
            allowed: vec![allowed.to_owned()],
            ..Network::default()
        };
        let end = stage.run().await.succeeded();
        assert_eq!(end.output("call")["body"], "hello", "{url} with {allowed}");
    }
    let by_address = error_of(&format!("http://127.0.0.1:{port}/"), &["localhost"]).await;
    assert!(
        by_address.contains("private or local"),
        "a name allows the name only: {by_address}"
    );
}
