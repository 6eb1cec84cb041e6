//! Requests to where nothing may go: every spelling of private addresses, over every way out.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Canary, Tally, error_of, for_each, tried};
use crate::app::TestApp;
use crate::document::{document, wire};

/// Private and special addresses, as someone may write them to be taken for something else.
const HOSTS: [&str; 60] = [
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0x7f.0x0.0x0.0x1",
    "0177.0.0.1",
    "017700000001",
    "0177.1",
    "127.0.0.0x1",
    "00000177.0.0.1",
    "127%2e0%2e0%2e1",
    "\u{2460}\u{2461}\u{2466}.\u{24ea}.\u{24ea}.\u{2460}",
    "127\u{3002}0\u{3002}0\u{3002}1",
    "127\u{ff0e}0\u{ff0e}0\u{ff0e}1",
    "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
    "0.0.0.0",
    "0",
    "0x0",
    "0.1.2.3",
    "localhost",
    "LOCALHOST",
    "loc%61lhost",
    "\u{24db}ocalhost",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::1]",
    "[::ffff:0:127.0.0.1]",
    "[fe80::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[::ffff:169.254.169.254]",
    "169.254.169.254",
    "2852039166",
    "0xA9FEA9FE",
    "0251.0376.0251.0376",
    "100.100.100.200",
    "168.63.129.16",
    "10.0.0.1",
    "10.1",
    "172.31.255.255",
    "192.168.257",
    "100.64.0.1",
    "224.0.0.1",
    "255.255.255.255",
];

/// Addresses around a host.
const SHAPES: [&str; 6] = [
    "http://{host}:{port}/",
    "https://{host}:{port}/",
    "HTTP://{host}:{port}/a/../b?c#d",
    "http:\\\\{host}:{port}\\",
    "http://public.example@{host}:{port}/",
    "http://{host}:{port}#@public.example/",
];

/// What is said of an address that is not connected to.
pub(super) fn is_refused(said: &str) -> bool {
    [
        "private or local address",
        "user name or password",
        "is not a web address",
        // Written otherwise than an origin is, it matches none.
        "may not be sent to",
        // Not every machine knows every spelling as a name.
        "was not found",
    ]
    .iter()
    .any(|reason| said.contains(reason))
}

pub(super) fn forms(port: u16) -> Vec<String> {
    let port = port.to_string();
    let of =
        |host: &&str| SHAPES.map(|shape| shape.replace("{host}", host).replace("{port}", &port));
    HOSTS.iter().flat_map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_a_private_address_is_reached_by_a_request() {
    let mut tally = Tally::new("ssrf-request");
    let (app, canary) = (TestApp::start().await, Canary::start().await);
    for method in ["GET", "POST"] {
        let step = json!({ "method": method, "url": "{{ item }}", "timeout_seconds": 5,
            "no_answer": "repeat" });
        let (_, path) = app.publish(&for_each("http.request", &step)).await;
        let forms: Vec<Value> = forms(canary.port).into_iter().map(Value::from).collect();
        for (form, output) in forms.iter().zip(tried(&app, &path, &forms).await) {
            let said = error_of(&output).unwrap_or_default();
            tally.input(is_refused(said), || format!("{method} {form}: {output}"));
        }
    }
    tally.input(canary.came() == 0, || "somebody connected".to_owned());
    app.end().await;
    tally.end(600);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_redirect_leads_to_a_private_address() {
    let mut tally = Tally::new("ssrf-redirect");
    let (app, canary) = (TestApp::start().await, Canary::start().await);
    // One address is allowed: who answers there leads to others.
    let leads = TcpListener::bind("127.0.0.2:0").await.expect("a free port");
    let port = leads.local_addr().expect("it is bound").port();
    let allowed = json!({ "allowed": ["127.0.0.2/32"] });
    app.admin.must("set_network", allowed).await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = leads.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                let mut chunk = [0; 4096];
                while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut chunk).await {
                        Ok(count @ 1..) => head.extend(&chunk[..count]),
                        _ => return,
                    }
                }
                // `/STATUS/HEX` names where to lead.
                let head = String::from_utf8_lossy(&head).into_owned();
                let mut parts = head.split(['/', ' ']).skip(2);
                let status = parts.next().unwrap_or_default();
                let to = hex::decode(parts.next().unwrap_or_default()).unwrap_or_default();
                let start = format!("HTTP/1.1 {status} Away\r\ncontent-length: 0\r\nlocation: ");
                let answer = [start.as_bytes(), &to, b"\r\nconnection: close\r\n\r\n"].concat();
                let _ = stream.write_all(&answer).await;
            });
        }
    });
    let step = json!({ "method": "GET", "url": "{{ item }}", "timeout_seconds": 5 });
    let (_, path) = app.publish(&for_each("http.request", &step)).await;
    let mut items = Vec::new();
    for (number, form) in forms(canary.port).into_iter().enumerate() {
        let status = [301, 302, 303, 307, 308][number % 5];
        let to = hex::encode(&form);
        items.push(json!(format!("http://127.0.0.2:{port}/{status}/{to}")));
    }
    for (item, output) in items.iter().zip(tried(&app, &path, &items).await) {
        let said = error_of(&output).unwrap_or_default();
        let is_stopped =
            is_refused(said) || said.contains("redirected to something that is not a web address");
        tally.input(is_stopped, || format!("{item}: {output}"));
    }
    tally.input(canary.came() == 0, || "somebody connected".to_owned());
    app.end().await;
    tally.end(300);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_connection_reaches_a_private_server() {
    let mut tally = Tally::new("ssrf-connection");
    let (app, canary) = (TestApp::start().await, Canary::start().await);
    let admin = &app.admin;
    // All of them take a minute, which the bench has.
    let each = match std::env::var_os("SLUICE_HOSTILE_REPORT") {
        Some(_) => 1,
        None => 5,
    };
    for (number, host) in HOSTS.iter().enumerate().step_by(each) {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let (port, address) = (canary.port, format!("http://{host}:{}", canary.port));
        let server = |database: &str, sender: &str| {
            json!({ "host": bare, "port": port, "tls": "off", "database": database,
                "sender": sender, "certificates": "" })
        };
        let none = Value::Null;
        for (kind, names, origin, server, oauth) in [
            (
                "bearer",
                json!([]),
                address.clone(),
                none.clone(),
                none.clone(),
            ),
            (
                "smtp",
                json!([]),
                String::new(),
                server("", "a@example.com"),
                none.clone(),
            ),
            (
                "postgres",
                json!(["me"]),
                String::new(),
                server("shop", ""),
                none.clone(),
            ),
            (
                "oauth_client",
                json!(["client"]),
                "https://api.example.com".to_owned(),
                none.clone(),
                json!({ "token_url": format!("{address}/token"), "authorization_url": "",
                    "issuer": "", "scopes": "", "client_auth": "basic", "extra": [],
                    "test_client_id": "" }),
            ),
        ] {
            let secrets = match kind {
                "smtp" => json!([]),
                _ => json!(["a-secret-of-the-test"]),
            };
            let form = json!({ "name": format!("{kind} {number}"), "kind": kind, "names": names,
                "origins": [origin], "live": { "set": secrets }, "test": "keep",
                "server": server, "oauth": oauth });
            let made = admin
                .call("create_connection", json!({ "form": form }))
                .await;
            // What is no host or address is not even kept.
            if made.status == 422 {
                tally.input(true, String::new);
                continue;
            }
            assert_eq!(made.status, 200, "{kind} {host}: {}", made.text);
            let id = made.json();
            let said = match kind {
                "oauth_client" => {
                    let begin = json!({ "id": id, "is_test": false });
                    admin.call("connect_connection", begin).await.text
                }
                _ => {
                    let all = admin.must("connections", json!({})).await;
                    let own = all
                        .as_array()
                        .and_then(|all| all.iter().find(|one| one["id"] == id));
                    let origin = own.expect("it is kept")["details"]["origins"][0].clone();
                    let test = json!({ "id": id, "is_test": false, "origin": origin, "path": "/" });
                    admin.call("try_connection", test).await.text
                }
            };
            tally.input(is_refused(&said), || format!("{kind} {host}: {said}"));
            admin.must("delete_connection", json!({ "id": id })).await;
        }
    }
    tally.input(canary.came() == 0, || "somebody connected".to_owned());
    app.end().await;
    tally.end(240 / each);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_poll_reaches_a_private_address() {
    let mut tally = Tally::new("ssrf-poll");
    let (app, canary) = (TestApp::start().await, Canary::start().await);
    for host in HOSTS {
        let mut made = document("poll", &[("log", "Note", json!({ "message": "came" }))]);
        let url = format!("http://{host}:{}/", canary.port);
        made.trigger.config.insert("url".to_owned(), url.into());
        let new = json!({ "name": format!("Polls {host}"), "document": wire(&made) });
        let draft = app.admin.must("create_integration", new).await;
        let said = app.admin.call("poll_once", json!({ "id": draft })).await;
        // What is no address is a problem of the draft.
        let is_stopped = is_refused(&said.text) || said.status == 422 || said.status == 409;
        tally.input(is_stopped, || {
            format!("{host}: {} {}", said.status, said.text)
        });
    }
    tally.input(canary.came() == 0, || "somebody connected".to_owned());
    app.end().await;
    tally.end(60);
}
