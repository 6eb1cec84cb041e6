//! Calls of webhooks that their sender did not make.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use uuid::Uuid;

use super::Tally;
use crate::app::TestApp;
use crate::document::webhook;

/// What is wrong with a call, its headers, and its body.
type Forged = (String, Vec<(&'static str, String)>, &'static str);

const BODY: &str = "{\"id\": 7}";
const SECRET: &str = "whsec_c2x1aWNlLWhvc3RpbGUtc3VpdGUtMzItYnl0ZXMhIQ==";

fn mac(key: &[u8], parts: &[&str]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length fits");
    parts.iter().for_each(|part| mac.update(part.as_bytes()));
    mac.finalize().into_bytes().to_vec()
}

/// Returns the headers of a call as its sender signs it.
fn signed(scheme: &str, secret: &str, at: i64, body: &str) -> Vec<(&'static str, String)> {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    match scheme {
        "github" => {
            let hex = hex::encode(mac(secret.as_bytes(), &[body]));
            vec![("x-hub-signature-256", format!("sha256={hex}"))]
        }
        "stripe" => {
            let hex = hex::encode(mac(secret.as_bytes(), &[&at.to_string(), ".", body]));
            vec![("stripe-signature", format!("t={at},v1={hex}"))]
        }
        _ => {
            let key = secret.strip_prefix("whsec_").unwrap_or(secret);
            let key = BASE64_STANDARD.decode(key).expect("it is base64");
            let at = at.to_string();
            let sum = BASE64_STANDARD.encode(mac(&key, &["msg_7", ".", &at, ".", body]));
            vec![
                ("webhook-id", "msg_7".to_owned()),
                ("webhook-timestamp", at),
                ("webhook-signature", format!("v1,{sum}")),
            ]
        }
    }
}

async fn call(app: &TestApp, path: &str, headers: &[(&str, String)], body: &str) -> u16 {
    // Everyone who forges is someone else: otherwise all but the first are refused for that alone.
    let [.., a, b, c] = *Uuid::now_v7().as_bytes();
    let caller = app.anonymous.from(&format!("10.{a}.{b}.{c}"));
    let mut request = caller
        .request("POST", path)
        .header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, value.as_str());
    }
    caller.send(request.body(body.to_owned())).await.status
}

async fn runs(app: &TestApp, integration: &str) -> usize {
    let asked = json!({ "integration": integration, "state": null, "before": null });
    let runs = app.admin.must("runs", asked).await;
    runs.as_array().map_or(0, Vec::len)
}

/// Changes one sign of a text.
fn changed(text: &str, at: usize) -> String {
    let change = |(place, sign): (usize, char)| match (place == at, sign) {
        (false, sign) => sign,
        (true, 'a') => 'b',
        (true, _) => 'a',
    };
    text.chars().enumerate().map(change).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_that_its_sender_did_not_sign_starts_a_run() {
    let mut tally = Tally::new("webhook-forged");
    let app = TestApp::with_role("web").await;
    let clock = std::time::SystemTime::now();
    let since = clock
        .duration_since(std::time::UNIX_EPOCH)
        .expect("it is later");
    let now = i64::try_from(since.as_secs()).expect("it is soon");
    for scheme in ["github", "stripe", "standard"] {
        let mut document = webhook(&[("log", "Note", json!({ "message": "came" }))]);
        document["trigger"]["config"]["signature"] = json!(scheme);
        document["trigger"]["config"]["delivery_id"] = json!("none");
        let (id, path) = app.publish(&document).await;
        let keep = json!({ "id": id, "given": SECRET });
        app.admin.must("keep_signing_secret", keep).await;
        let right = signed(scheme, SECRET, now, BODY);
        assert_eq!(call(&app, &path, &right, BODY).await, 202, "{scheme}");
        let mut forged: Vec<Forged> = vec![
            ("nothing".to_owned(), Vec::new(), BODY),
            ("another body".to_owned(), right.clone(), "{\"id\": 8}"),
            ("no body".to_owned(), right.clone(), ""),
            ("a space more".to_owned(), right.clone(), "{\"id\": 7} "),
        ];
        for other in ["", "whsec_", "null", "whsec_AAAA"] {
            let key = if scheme == "standard" && other.len() < 8 {
                "whsec_AA=="
            } else {
                other
            };
            forged.push((format!("key {key}"), signed(scheme, key, now, BODY), BODY));
        }
        if scheme != "github" {
            for away in [-86_400, -3_600, -301, 301, 3_600, 86_400] {
                let stale = signed(scheme, SECRET, now + away * 2, BODY);
                forged.push((format!("{away} s away"), stale, BODY));
            }
        }
        for (place, (name, value)) in right.iter().enumerate() {
            let with = |value: String| {
                let mut headers = right.clone();
                headers[place].1 = value;
                headers
            };
            let length = value.chars().count();
            for at in 0..length {
                let value = changed(value, at);
                forged.push((format!("{name}: {value}"), with(value), BODY));
            }
            for cut in 0..length {
                let value: String = value.chars().take(cut).collect();
                forged.push((format!("{name}: {value}"), with(value), BODY));
            }
            let mut without = right.clone();
            without.remove(place);
            forged.push((format!("no {name}"), without, BODY));
            let mut twice = right.clone();
            twice.push((name, "x".to_owned()));
            forged.push((format!("{name} twice"), twice, BODY));
        }
        let before = runs(&app, &id).await;
        assert_eq!(before, 1);
        for (what, headers, body) in forged {
            let status = call(&app, &path, &headers, body).await;
            tally.input(status == 401, || format!("{scheme}, {what}: {status}"));
        }
        let after = runs(&app, &id).await;
        tally.input(after == before, || format!("{scheme}: {after} runs"));
    }
    app.end().await;
    tally.end(450);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_sent_again_starts_no_second_run() {
    let mut tally = Tally::new("webhook-replayed");
    let app = TestApp::with_role("web").await;
    let mut document = webhook(&[("log", "Note", json!({ "message": "came" }))]);
    document["trigger"]["config"]["signature"] = json!("standard");
    let (id, path) = app.publish(&document).await;
    let keep = json!({ "id": id, "given": SECRET });
    app.admin.must("keep_signing_secret", keep).await;
    let clock = std::time::SystemTime::now();
    let since = clock
        .duration_since(std::time::UNIX_EPOCH)
        .expect("it is later");
    let now = i64::try_from(since.as_secs()).expect("it is soon");
    for again in 0..20 {
        // Signed anew, it is still the same delivery.
        let headers = signed("standard", SECRET, now - again, BODY);
        assert_eq!(call(&app, &path, &headers, BODY).await, 202);
        let runs = runs(&app, &id).await;
        tally.input(runs == 1, || format!("after {again}: {runs} runs"));
    }
    app.end().await;
    tally.end(20);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_beside_the_own_one_starts_a_run() {
    let mut tally = Tally::new("webhook-path");
    let app = TestApp::with_role("web").await;
    let document = webhook(&[("log", "Note", json!({ "message": "came" }))]);
    let (id, path) = app.publish(&document).await;
    let (other, _) = app.publish(&document).await;
    let (start, token) = path.rsplit_once('/').expect("it has parts");
    let mut paths: Vec<String> = (0..token.len())
        .map(|at| format!("{start}/{}", changed(token, at)))
        .collect();
    paths.extend((0..token.len()).map(|cut| format!("{start}/{}", &token[..cut])));
    paths.extend([
        format!("{path}x"),
        format!("{path}%00"),
        format!("{path}.svg"),
        format!("{path};a"),
        format!("{start}/{id}"),
        format!("{start}/{other}"),
        format!("{start}/*"),
        format!("{start}/%2a"),
        format!("{start}/../hooks"),
        format!("{start}/' or 1=1 --"),
        format!("{start}/%27%20or%201%3D1"),
        format!("{start}/.."),
        format!("{start}/%2e%2e/{token}x"),
        format!("/api/..{path}x"),
        "/hooks".to_owned(),
        "/hooks/".to_owned(),
    ]);
    for path in paths {
        let status = call(&app, &path, &[], BODY).await;
        tally.input(status >= 400, || format!("{path}: {status}"));
    }
    for id in [&id, &other] {
        let runs = runs(&app, id).await;
        tally.input(runs == 0, || format!("{id}: {runs} runs"));
    }
    assert_eq!(call(&app, &path, &[], BODY).await, 202);
    app.end().await;
    tally.end(80);
}
